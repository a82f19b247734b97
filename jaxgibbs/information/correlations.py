"""How strongly the parts of a system are correlated, and how strongly those of a thermal state can be."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs._errors import check_hermitian, is_concrete, nan_unless
from jaxgibbs.linalg import Decomposition, decompose, partial_trace

from .entropies import entropy_by_matrices
from .parts import Part, part_first
from .states import checked_state, checked_trace, populations, real_trace

Scalar = Float[Array, ""]


def mutual_information(rho: Inexact[Array, "dim dim"], dims: Sequence[int], part: Part) -> Scalar:
    """The mutual information of a part A and the rest B, `I = D(rho || rho_A x rho_B) = S_A + S_B - S_AB`, in nats.

    It is summed as a relative entropy of terms that are not negative, so that it keeps its accuracy where the parts are nearly
    independent. Its derivative is `Tr[(ln rho - ln rho_A - ln rho_B) d rho]`; on the boundary of the states as that of
    `von_neumann_entropy`.

    Args:
        rho: a density matrix, shape `(dim, dim)`.
        dims: dimensions of the subsystems, subsystem 0 the left-most factor; their product is `dim`.
        part: the subsystems of A, one index or several.

    Raises:
        ValueError: if `rho` is not Hermitian, positive semidefinite and of trace 1 (NaN under a trace), `dims` do not multiply
            to `dim`, or `part` names a subsystem twice or one that is not there.

    Example:
        >>> import jaxgibbs as jg
        >>> bell = [[0.5, 0, 0, 0.5], [0, 0, 0, 0], [0, 0, 0, 0], [0.5, 0, 0, 0.5]]
        >>> print(f"{jg.information.mutual_information(bell, (2, 2), 0):.4f}")
        1.3863

    Reference: Groisman, Popescu & Winter, Phys. Rev. A 72, 032317 (2005).
    """
    check_hermitian("rho", rho)
    matrix, sizes = part_first(jnp.asarray(rho), dims, part)
    return _of_parts(checked_state("rho", matrix), sizes)


@functools.partial(jax.jit, static_argnames="sizes")
def _of_parts(rho: Decomposition, sizes: tuple[int, int]) -> Scalar:
    return _mutual(rho, *(decompose(partial_trace(rho.matrix, sizes, k)) for k in (0, 1)))


@jax.custom_jvp
def _mutual(rho: Decomposition, first: Decomposition, second: Decomposition) -> Scalar:
    p, a, b = populations(rho), populations(first), populations(second)
    vectors = rho.vectors.reshape(a.size, b.size, p.size)
    inner = jnp.einsum(
        "ak,bl,abi->ikl", jnp.conj(first.vectors), jnp.conj(second.vectors), vectors, precision="highest"
    )
    weights = (inner * jnp.conj(inner)).real
    # p ln(p/q) - p + q = q [(1 + t) ln(1 + t) - t] with t = (p - q) / q; no weight lies where `q = 0`
    p, q = p[:, None, None], (a[:, None] * b)[None]
    safe_p, safe_q = jnp.where(p > 0, p, 1), jnp.where(q > 0, q, 1)
    change = (p - q) / safe_q
    near = jnp.abs(change) < 0.5
    small = jnp.where(near, change, 0)
    close = safe_q * jnp.maximum((1 + small) * jnp.log1p(small) - small, 0)
    logs = jnp.log(safe_p) - jnp.log(jnp.where(a > 0, a, 1))[:, None] - jnp.log(jnp.where(b > 0, b, 1))
    apart = p * logs - p + q
    return jnp.sum(weights * jnp.where(q > 0, jnp.where(near, close, apart), 0))


@_mutual.defjvp
def _mutual_jvp(primals, tangents):
    def by_matrices(*matrices):
        whole, first, second = (entropy_by_matrices(m, state) for m, state in zip(matrices, primals, strict=True))
        trace = jnp.trace(matrices[0]).real
        return first + second - whole - trace + trace**2

    _, slope = jax.jvp(by_matrices, tuple(x.matrix for x in primals), tuple(t.matrix for t in tangents))
    return _mutual(*primals), slope


def area_law_bound(
    boundary: Inexact[Array, "dim dim"],
    rho: Inexact[Array, "dim dim"],
    dims: Sequence[int],
    part: Part,
    beta: ArrayLike,
) -> Scalar:
    """What the mutual information of two parts of a Gibbs state can be at most, however large they are.

        I(A:B) <= beta Tr[H_bd (rho_A x rho_B - rho)] <= 2 beta |H_bd|,      H = H_A + H_B + H_bd,

    since `rho` has the least free energy. This is the middle term, which needs no knowledge of `H_A` and `H_B`.

    Args:
        boundary: `H_bd`, the terms of the Hamiltonian that join A and B, shape `(dim, dim)`.
        rho: the Gibbs state of `H`, shape `(dim, dim)`.
        dims: dimensions of the subsystems, subsystem 0 the left-most factor; their product is `dim`.
        part: the subsystems of A, one index or several.
        beta: inverse temperature, finite and not negative (1 / energy).

    Raises:
        ValueError: if a matrix is not Hermitian, the trace of `rho` is not 1 or `beta` out of its range (NaN under a trace), `dims`
            do not multiply to `dim`, or `part` names a subsystem twice or one that is not there.

    Reference: Wolf, Verstraete, Hastings & Cirac, Phys. Rev. Lett. 100, 070502 (2008).
    """
    check_hermitian("boundary", boundary)
    matrix, sizes = part_first(checked_trace("rho", rho), dims, part)
    joining, _ = part_first(jnp.asarray(boundary), dims, part)
    beta = jnp.asarray(beta)
    allowed = (beta >= 0) & jnp.isfinite(beta)
    if is_concrete(allowed) and not jnp.all(allowed):
        raise ValueError(
            f"`beta` must be finite and not negative, but is {beta}; at negative temperature the Gibbs state has the largest free "
            "energy and there is no such bound."
        )
    product = jnp.kron(partial_trace(matrix, sizes, 0), partial_trace(matrix, sizes, 1))
    return nan_unless(allowed, beta * real_trace(joining, product - matrix))
