"""A density matrix and its spectrum: what counts as zero, and logarithms that know it.

An eigenvalue is zero where it is below what rounding of the matrix elements makes of it, `|q_j| <= 4 d eps <v_j| |rho| |v_j>` with
elementwise absolute values. So a population of 1e-40 on the diagonal is a population, and one of 1e-17 of a pure state in a
rotated basis is none. An eigenvalue that is negative beyond rounding, as a solver with a tolerance leaves it, stands for its
magnitude: that is how well it is known.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Inexact

from jaxgibbs._errors import check_hermitian, is_concrete, nan_unless
from jaxgibbs.linalg import Decomposition, dagger, decompose, matmul


def checked_state(name: str, matrix) -> Decomposition:
    """A positive semidefinite matrix of trace 1, decomposed.

    Raises:
        ValueError: if it is not Hermitian, its trace differs from 1 by more than `eps^(1/3)`, or an eigenvalue is negative
            beyond `eps^(1/3)` of the largest (NaN under a trace).
    """
    state, positive, lowest = _decomposed(checked_trace(name, matrix))
    if is_concrete(positive) and not positive:
        raise ValueError(
            f"`{name}` must be positive semidefinite, but its lowest eigenvalue is {float(lowest):.3g}; "
            "a state has none below zero: project it, or ask its solver for a smaller tolerance."
        )
    return state


def checked_trace(name: str, matrix) -> Inexact[Array, "dim dim"]:
    """A Hermitian matrix of trace 1, within `eps^(1/3)`: that is how well solvers with a tolerance know a state.

    Raises:
        ValueError: if it is not Hermitian, or its trace is not 1 (all NaN under a trace).
    """
    matrix = matrix if hasattr(matrix, "dtype") else np.asarray(matrix)
    check_hermitian(name, matrix)
    matrix = jnp.asarray(matrix)
    matrix = matrix if jnp.issubdtype(matrix.dtype, jnp.inexact) else matrix.astype(jnp.result_type(float))
    trace, tolerance = jnp.trace(matrix).real, float(jnp.finfo(matrix.dtype).eps) ** (1 / 3)
    normalised = jnp.abs(trace - 1) <= tolerance
    if is_concrete(normalised):
        if not normalised:
            raise ValueError(
                f"`{name}` must have trace 1, but its trace is {float(trace):.6g}, off by more than the tolerance "
                f"{tolerance:.2g} for {matrix.dtype}; pass `{name} / jnp.trace({name})` if that is what you mean."
            )
        return matrix
    return nan_unless(normalised, matrix)


@jax.jit
def _decomposed(matrix):
    d = decompose(matrix)
    lowest, scale = jnp.min(d.eigenvalues), jnp.max(jnp.abs(d.eigenvalues))
    positive = lowest >= -(jnp.finfo(d.eigenvalues.dtype).eps ** (1 / 3)) * scale
    return Decomposition(d.matrix, jnp.where(positive, d.eigenvalues, jnp.nan), d.eigenvectors), positive, lowest


def rounding_of(matrix: Inexact[Array, "dim dim"], vectors: Inexact[Array, "dim dim"]) -> Float[Array, " dim"]:
    """What rounding of the elements of `matrix` makes of `<v_j|matrix|v_j>`, at most."""
    size = jnp.abs(vectors)
    eps = jnp.finfo(size.dtype).eps
    return 4 * matrix.shape[-1] * eps * jnp.sum(size * matmul(jnp.abs(matrix), size), axis=0)


def populations(state: Decomposition) -> Float[Array, " dim"]:
    """The eigenvalues, with what rounding makes of 0 set to 0."""
    return jnp.abs(_cleared(state, 0.0))


def supported(state: Decomposition) -> Decomposition:
    """The state with eigenvalues that are 0 outside its support, as `without_rounding` finds it: for functions finite at 0."""
    return Decomposition(state.matrix, jnp.abs(_cleared(state, _turning(state))), state.vectors)


def without_rounding(matrix: Decomposition) -> Decomposition:
    """A Hermitian matrix with eigenvalues 0, of either sign, where rounding of its elements or of its eigenvectors makes them.

    Derivatives divide by differences of eigenvalues, so that 1e-33 in place of 0 is not harmless.
    """
    return Decomposition(matrix.matrix, _cleared(matrix, _turning(matrix)), matrix.vectors)


def _turning(matrix: Decomposition) -> Float[Array, ""]:
    """What errors of the eigenvectors make of an eigenvalue 0: their square, of the largest."""
    scale = jnp.max(jnp.abs(matrix.eigenvalues))
    return (64 * matrix.dim * jnp.finfo(scale.dtype).eps) ** 2 * scale


def _cleared(matrix: Decomposition, floor) -> Float[Array, " dim"]:
    # an eigensolver's errors are on the scale of the largest eigenvalue; those of `<v|matrix|v>` on that of what is summed there
    constant = jax.lax.stop_gradient(matrix.matrix)
    values = on_diagonal(matrix.vectors, constant)
    values = jnp.where(jnp.abs(values) <= rounding_of(constant, matrix.vectors) + floor, 0, values)
    return jnp.where(jnp.isnan(matrix.eigenvalues), jnp.nan, values)


def floored(state: Decomposition) -> Decomposition:
    """The state with eigenvalues of at least the smallest normal number: for derivatives, whose logarithms are then finite."""
    nodes = jnp.maximum(jnp.abs(state.eigenvalues), jnp.finfo(state.eigenvalues.dtype).tiny)
    return Decomposition(state.matrix, nodes, state.vectors)


def on_diagonal(vectors: Inexact[Array, "dim dim"], matrix: Inexact[Array, "dim dim"]) -> Float[Array, " dim"]:
    """`<v_j|matrix|v_j>`, real for a Hermitian matrix."""
    vectors = vectors.astype(jnp.result_type(vectors, matrix))
    return jnp.sum(jnp.conj(vectors) * matmul(matrix.astype(vectors.dtype), vectors), axis=0).real


def real_trace(a: Inexact[Array, "dim dim"], b: Inexact[Array, "dim dim"]) -> Float[Array, ""]:
    """`Re Tr(a b)`."""
    return jnp.sum((a * jnp.swapaxes(b, -1, -2)).real)


def is_above(values: Float[Array, " dim"], where: Bool[Array, " dim"], limit: Float[Array, " dim"]) -> Bool[Array, ""]:
    """Whether some of the `values` in `where` exceed their limit."""
    return jnp.any(where & (values > limit))


def overlaps(a: Decomposition, b: Decomposition) -> Float[Array, "dim dim"]:
    """`|<a_i|b_j>|^2`."""
    dtype = jnp.result_type(a.vectors, b.vectors)
    inner = matmul(dagger(a.vectors).astype(dtype), b.vectors.astype(dtype))
    return (inner * jnp.conj(inner)).real
