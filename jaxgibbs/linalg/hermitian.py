"""Functions of Hermitian matrices with exact derivatives of every order, from one decomposition.

`decompose(H)` is done once; everything else takes the decomposition. `H` itself may be differentiated to any order, forward
and reverse, under `jit` and `vmap`, at exact and near degeneracy: see `chains.py` for how.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from jaxgibbs._errors import check_hermitian, is_concrete

from . import functions
from .chains import chain
from .divided_differences import Analytic, Exponential, Kernel
from .eigen import dagger, eigh, eigvalsh, matmul
from .undefined import nan_where, one_without_slope

_EXP = Exponential()


class Decomposition(eqx.Module):
    """`H = U diag(E) U^dagger`: the matrix carries the derivative, the decomposition is constant.

    A stack of blocks of equal size is one decomposition with a leading axis. `eigenvectors` is `None` where only the
    eigenvalues were computed; a derivative in `H` then decomposes once more.
    """

    matrix: Inexact[Array, "*stack dim dim"]
    eigenvalues: Float[Array, "*stack dim"]
    eigenvectors: Inexact[Array, "*stack dim dim"] | None

    @property
    def dim(self) -> int:
        return self.eigenvalues.shape[-1]

    @property
    def vectors(self) -> Inexact[Array, "*stack dim dim"]:
        """The eigenvectors, which must have been computed."""
        assert self.eigenvectors is not None
        return self.eigenvectors

    def with_eigenvectors(self) -> "Decomposition":
        return self if self.eigenvectors is not None else decompose(self.matrix)

    def copies(self, index: np.ndarray, shifts: Float[Array, " copies"]) -> "Decomposition":
        """Of a stack, the blocks `index`, each plus its shift times the identity: they need no decomposition of their own."""
        raised = shifts[:, None, None] * jnp.eye(self.dim, dtype=self.matrix.dtype)
        levels = self.eigenvalues[index] + jax.lax.stop_gradient(shifts)[:, None]
        vectors = None if self.eigenvectors is None else self.eigenvectors[index]
        return Decomposition(self.matrix[index] + raised, levels, vectors)


def decompose(matrix: Inexact[Array, "*stack dim dim"], *, eigenvectors: bool = True) -> Decomposition:
    """Decompose a Hermitian matrix (or a stack of them), once, for everything that follows.

    Args:
        matrix: real symmetric or complex Hermitian, shape `(..., dim, dim)`; its Hermitian part is taken.
        eigenvectors: `False` computes the eigenvalues alone, at less than half the cost.
    """
    matrix = (matrix + dagger(matrix)) / 2
    if not eigenvectors:
        return Decomposition(matrix, eigvalsh(matrix), None)
    values, vectors = eigh(matrix)
    return Decomposition(matrix, values, vectors)


@jax.custom_jvp
def single_levels(decomposition: Decomposition) -> Float[Array, "*stack dim"]:
    """The eigenvalues one by one. A level has one derivative, `<i|dH|i>`, where it is not degenerate.

    At a degeneracy (gap below `64 eps max|E|`) the levels have kinks, and the answer is NaN, as for second derivatives.
    Sums over all levels are smooth there and have their own rules: use those.
    """
    return decomposition.eigenvalues


@single_levels.defjvp
def _single_levels_jvp(primals, tangents):
    d = primals[0].with_eigenvectors()
    direction = matmul(matmul(dagger(d.vectors), tangents[0].matrix), d.vectors)
    slopes = jnp.diagonal(direction, axis1=-2, axis2=-1).real
    scale = jnp.max(jnp.abs(d.eigenvalues)) * 64 * jnp.finfo(slopes.dtype).eps
    distances = jnp.abs(d.eigenvalues[..., :, None] - d.eigenvalues[..., None, :]) + jnp.where(
        jnp.eye(d.dim), jnp.inf, 0
    )
    isolated = jnp.min(distances, axis=-1, initial=jnp.inf) > scale
    return d.eigenvalues, nan_where(~isolated, slopes) * one_without_slope(d.matrix)


# -- matrices --------------------------------------------------------------------------------------------------------


def matrix_function(function: Analytic | Exponential, decomposition: Decomposition) -> Inexact[Array, "dim dim"]:
    """`f(H) = U diag(f(E)) U^dagger` for a spectral function of `divided_differences.py`."""
    d = decomposition.with_eigenvectors()
    return chain(function, (0,), d.matrix, d.eigenvalues, d.vectors)


def spectral_map(
    kernel: Analytic | Exponential | Kernel, decomposition: Decomposition, matrix: Inexact[Array, "dim dim"]
) -> Inexact[Array, "dim dim"]:
    """`X -> U (F(E_i, E_j) o U^dagger X U) U^dagger`, differentiable in `H` and in `X` to every order.

    Args:
        kernel: a `Kernel`, for `F(x, y)`; or a function of one variable, for its divided difference `F = f[x, y]`.
        decomposition: of `H`.
        matrix: `X`, of the shape of `H`, not necessarily Hermitian.
    """
    d = decomposition.with_eigenvectors()
    labels = (0, 1) if kernel.variables == 2 else (0, 0)
    return chain(kernel, labels, d.matrix, d.eigenvalues, d.vectors, matrix)


def exp(matrix: Inexact[Array, "dim dim"]) -> Inexact[Array, "dim dim"]:
    """`e^A` of a Hermitian matrix."""
    return matrix_function(_EXP, _checked(matrix))


def log(matrix: Inexact[Array, "dim dim"]) -> Inexact[Array, "dim dim"]:
    """`ln A` of a positive definite matrix.

    Raises:
        ValueError: if an eigenvalue is not positive (NaN under a trace).
    """
    return _on_positive(functions.LOGARITHM, matrix, "log")


def sqrt(matrix: Inexact[Array, "dim dim"]) -> Inexact[Array, "dim dim"]:
    """`A^(1/2)` of a positive semidefinite matrix; derivatives need it positive definite.

    Raises:
        ValueError: if an eigenvalue is negative beyond rounding (NaN under a trace).
    """
    return _on_positive(functions.SQUARE_ROOT, matrix, "sqrt", allow_zero=True)


def power(matrix: Inexact[Array, "dim dim"], exponent: float) -> Inexact[Array, "dim dim"]:
    """`A^p` of a positive definite matrix, `exponent` a Python number.

    Raises:
        ValueError: if an eigenvalue is not positive (NaN under a trace).
    """
    return _on_positive(functions.power(float(exponent)), matrix, "power")


def fermi(matrix: Inexact[Array, "dim dim"]) -> Inexact[Array, "dim dim"]:
    """The Fermi function `(e^A + 1)^-1`; for a one-body `h`, `fermi(beta (h - mu))` holds `<c_j^dagger c_i>` at `i, j`."""
    return matrix_function(functions.FERMI, _checked(matrix))


def bose(matrix: Inexact[Array, "dim dim"]) -> Inexact[Array, "dim dim"]:
    """The Bose function `(e^A - 1)^-1` of a positive definite matrix.

    Raises:
        ValueError: if an eigenvalue is not positive (NaN under a trace).
    """
    return _on_positive(functions.BOSE, matrix, "bose")


def _checked(matrix) -> Decomposition:
    matrix = jnp.asarray(matrix)
    check_hermitian("matrix", matrix)
    return decompose(matrix if jnp.issubdtype(matrix.dtype, jnp.inexact) else matrix.astype(jnp.result_type(float)))


def _on_positive(function, matrix, name: str, *, allow_zero: bool = False):
    d = _checked(matrix)
    lowest = jnp.min(d.eigenvalues)
    rounding = d.dim * jnp.finfo(d.eigenvalues.dtype).eps * jnp.max(jnp.abs(d.eigenvalues))
    allowed = lowest >= -rounding if allow_zero else lowest > 0
    if is_concrete(allowed) and not allowed:
        kind = "positive semidefinite" if allow_zero else "positive definite"
        raise ValueError(
            f"The matrix given to `{name}` must be {kind}, but its lowest eigenvalue is {float(lowest):.3g}; "
            "restrict it to its support, or add a positive multiple of the identity."
        )
    nodes = jnp.where(allowed, jnp.maximum(d.eigenvalues, 0) if allow_zero else d.eigenvalues, jnp.nan)
    return chain(function, (0,), d.matrix, nodes, d.vectors)
