"""How much of a correlation is entanglement."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from jaxgibbs._errors import nan_unless
from jaxgibbs.linalg import Decomposition, dagger, decompose, matmul, matrix_function
from jaxgibbs.linalg.functions import ABSOLUTE, NEGATIVE_PART, SQUARE_ROOT_ON_SUPPORT

from .parts import Part, checked_part
from .states import checked_state, supported, without_rounding

Scalar = Float[Array, ""]


def partial_transpose(matrix: Inexact[Array, "dim dim"], dims: Sequence[int], part: Part) -> Inexact[Array, "dim dim"]:
    """The transpose of one part: `<a b|X^{T_A}|a' b'> = <a' b|X|a b'>`.

    Args:
        matrix: on the product of subsystems of dimensions `dims`, shape `(dim, dim)`.
        dims: dimensions of the subsystems, subsystem 0 the left-most factor; their product is `dim`.
        part: the subsystems of A, one index or several.

    Raises:
        ValueError: if `matrix` is not square, `dims` do not multiply to `dim`, or `part` names a subsystem twice or one that
            is not there.
    """
    matrix = jnp.asarray(matrix)
    dims, part = checked_part(matrix, dims, part)
    count = len(dims)
    order = [(k + count) % (2 * count) if k % count in part else k for k in range(2 * count)]
    return matrix.reshape(*dims, *dims).transpose(order).reshape(matrix.shape)


def negativity(rho: Inexact[Array, "dim dim"], dims: Sequence[int], part: Part) -> Scalar:
    """The negativity `N = (Tr|rho^{T_A}| - 1) / 2`, the sum of the negative eigenvalues of the partial transpose, made positive.

    It is 0 for every separable state, and only for those of two qubits or of a qubit and a qutrit. Where an eigenvalue of
    the partial transpose vanishes its derivative is the middle of the possible ones.

    Args:
        rho: a density matrix, shape `(dim, dim)`.
        dims: dimensions of the subsystems, subsystem 0 the left-most factor; their product is `dim`.
        part: the subsystems of A, one index or several.

    Raises:
        ValueError: as `mutual_information`.

    Reference: Vidal & Werner, Phys. Rev. A 65, 032314 (2002).
    """
    state = checked_state("rho", rho)
    return nan_unless(jnp.isfinite(state.eigenvalues[0]), _negativity(partial_transpose(state.matrix, dims, part)))


@jax.jit
def _negativity(transposed: Inexact[Array, "dim dim"]) -> Scalar:
    return jnp.trace(matrix_function(NEGATIVE_PART, without_rounding(decompose(transposed)))).real


def logarithmic_negativity(rho: Inexact[Array, "dim dim"], dims: Sequence[int], part: Part) -> Scalar:
    """`E_N = ln Tr|rho^{T_A}| = ln(1 + 2 N)`, in nats, with the `negativity` N; divided by ln 2 it bounds distillable ebits.

    Args:
        rho: a density matrix, shape `(dim, dim)`.
        dims: dimensions of the subsystems, subsystem 0 the left-most factor; their product is `dim`.
        part: the subsystems of A, one index or several.

    Raises:
        ValueError: as `mutual_information`.

    Reference: Plenio, Phys. Rev. Lett. 95, 090503 (2005).
    """
    return jnp.log1p(2 * negativity(rho, dims, part))


def concurrence(rho: Inexact[Array, "4 4"]) -> Scalar:
    """The concurrence of two qubits, from 0 (separable) to 1 (a Bell state).

        C = max(0, l_1 - l_2 - l_3 - l_4),      l_k the singular values of sqrt(rho)^T (sigma_y x sigma_y) sqrt(rho).

    Its derivative is 0 in separable states. In states of less than full rank it is the one along states of the same rank: exact
    for every change of a pure state that stays pure, while what leads to higher rank is not seen.

    Args:
        rho: a density matrix, shape `(4, 4)`.

    Raises:
        ValueError: if `rho` is not of shape `(4, 4)`, or not Hermitian, positive semidefinite and of trace 1 (NaN under a trace).

    Reference: Wootters, Phys. Rev. Lett. 80, 2245 (1998).
    """
    state = checked_state("rho", rho)
    if state.dim != 4:
        raise ValueError(
            f"`rho` must be a state of two qubits, of shape (4, 4), but has shape {state.matrix.shape}; "
            "for other systems use `negativity`."
        )
    return _concurrence(state)


@jax.jit
def _concurrence(state: Decomposition) -> Scalar:
    root = matrix_function(SQUARE_ROOT_ON_SUPPORT, supported(state))
    signs = jnp.asarray(
        [-1, 1, 1, -1], root.dtype
    )  # sigma_y x sigma_y turns the order of the rows round, with these signs
    product = matmul(root.T, signs[:, None] * root[::-1])
    zero = jnp.zeros_like(product)
    d = without_rounding(decompose(jnp.block([[zero, product], [dagger(product), zero]])))  # eigenvalues +l_k and -l_k
    # `Tr|d - m| = 2 l_1 + 6 m` for any constant m from l_2 to l_1: an eigenvalue as a smooth function of the matrix
    middle = (d.eigenvalues[-1] + d.eigenvalues[-2]) / 2
    shifted = Decomposition(d.matrix - middle * jnp.eye(8, dtype=d.matrix.dtype), d.eigenvalues - middle, d.vectors)
    twice_largest = jnp.trace(matrix_function(ABSOLUTE, shifted)).real - 6 * middle
    total = jnp.trace(matrix_function(ABSOLUTE, d)).real / 2
    return jnp.maximum(0, twice_largest - total)


def entanglement_of_formation(rho: Inexact[Array, "4 4"]) -> Scalar:
    """The entanglement of formation of two qubits, in nats: the least mean entropy of one qubit over all mixtures that give `rho`.

        E = h((1 + sqrt(1 - C^2)) / 2),      h(x) = -x ln x - (1 - x) ln(1 - x),

    with the `concurrence` C, whose conventions for derivatives hold; `dE/dC = C artanh(s) / s`, `s = sqrt(1 - C^2)`, is finite from
    `C = 0` to 1. From 0 to ln 2; divided by ln 2 it is in ebits.

    Args:
        rho: a density matrix, shape `(4, 4)`.

    Raises:
        ValueError: as `concurrence`.

    Reference: Wootters, Phys. Rev. Lett. 80, 2245 (1998), eq. 4.
    """
    return _formation(concurrence(rho))


@jax.custom_jvp
def _formation(c: Scalar) -> Scalar:
    s = jnp.sqrt(jnp.maximum((1 - c) * (1 + c), 0))
    larger, smaller = (1 + s) / 2, c**2 / (1 + s) / 2
    return -larger * jnp.log(larger) - smaller * jnp.log(jnp.where(smaller > 0, smaller, 1))


@_formation.defjvp
def _formation_jvp(primals, tangents):
    (c,) = primals
    square = (1 - c) * (1 + c)
    near = square < 0.1
    small = jnp.where(near, square, 0)
    series = sum(small**k / (2 * k + 1) for k in range(18))  # artanh(s) / s; the next term is below 1e-19
    mixed = (c > 0) & ~near
    s = jnp.sqrt(jnp.where(mixed, square, 0.5))
    quotient = jnp.log((1 + s) / jnp.where(mixed, c, 1)) / s
    slope = jnp.where(near, c * series, jnp.where(mixed, c * quotient, 0))
    return _formation(c), slope * tangents[0]
