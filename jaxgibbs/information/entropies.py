"""Entropies of states, infinite where they are infinite, and safe where two states are nearly equal."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from jaxgibbs.linalg import Decomposition, matrix_function
from jaxgibbs.linalg.functions import LOGARITHM, X_LOG_X
from jaxgibbs.linalg.undefined import nan_where

from .states import checked_state, floored, is_above, on_diagonal, overlaps, populations, real_trace, rounding_of

Scalar = Float[Array, ""]


def von_neumann_entropy(rho: Inexact[Array, "dim dim"]) -> Scalar:
    """The entropy `S = -Tr rho ln rho`, in nats.

    Its derivative is `dS = -Tr[(ln rho + 1) d rho]`, of every order from one decomposition. On the boundary of the states, where
    the logarithm diverges, derivatives are those of eigenvalues of the smallest normal number in place of 0: large, not infinite.

    Args:
        rho: a density matrix, shape `(dim, dim)`.

    Raises:
        ValueError: if `rho` is not Hermitian, positive semidefinite and of trace 1 (NaN under a trace).

    Example:
        >>> import jaxgibbs as jg
        >>> print(f"{jg.information.von_neumann_entropy([[0.5, 0.0], [0.0, 0.5]]):.4f}")
        0.6931
    """
    return _compiled_entropy(checked_state("rho", rho))


def relative_entropy(rho: Inexact[Array, "dim dim"], sigma: Inexact[Array, "dim dim"]) -> Scalar:
    """The relative entropy `D(rho||sigma) = Tr rho (ln rho - ln sigma)`, in nats: `+inf` unless `sigma` carries all of `rho`.

    With eigenvalues `p_i, q_j` it is a sum of terms that are not negative,

        D = sum_ij |<i|j>|^2 [p_i ln(p_i / q_j) - p_i + q_j],

    so that it keeps its accuracy where the states are nearly equal. `dD = Tr[(ln rho - ln sigma) d rho] - Tr[rho d(ln sigma)]`;
    on the boundary of the states derivatives are as those of `von_neumann_entropy`, and NaN where `D` is infinite.

    Args:
        rho: a density matrix, shape `(dim, dim)`.
        sigma: a density matrix of the same shape.

    Raises:
        ValueError: if a state is not Hermitian, positive semidefinite and of trace 1 (NaN under a trace), or their shapes differ.

    Reference: Umegaki, Kodai Math. Sem. Rep. 14, 59 (1962).
    """
    first, second = checked_state("rho", rho), checked_state("sigma", sigma)
    if first.matrix.shape != second.matrix.shape:
        raise ValueError(
            f"`sigma` must have the shape {first.matrix.shape} of `rho`, but has shape {second.matrix.shape}."
        )
    return _compiled_relative(first, second)


@jax.custom_jvp
def _entropy(rho: Decomposition) -> Scalar:
    p = populations(rho)
    return -jnp.sum(p * jnp.log(jnp.where(p > 0, p, 1)))


def entropy_by_matrices(matrix, rho: Decomposition):
    """The entropy of `rho` as a function of `matrix`, which equals it and carries derivatives."""
    return -jnp.trace(matrix_function(X_LOG_X, _moved(rho, matrix))).real


@_entropy.defjvp
def _entropy_jvp(primals, tangents):
    (rho,), (d_rho,) = primals, tangents
    _, slope = jax.jvp(lambda m: entropy_by_matrices(m, rho), (rho.matrix,), (d_rho.matrix,))
    return _entropy(rho), slope


def _moved(state: Decomposition, matrix) -> Decomposition:
    """The state with `matrix` to carry derivatives, fit for logarithms."""
    return floored(Decomposition(matrix, state.eigenvalues, state.eigenvectors))


@jax.custom_jvp
def _relative(rho: Decomposition, sigma: Decomposition) -> Scalar:
    p, q, weights = populations(rho)[:, None], populations(sigma)[None, :], overlaps(rho, sigma)
    safe_p, safe_q = jnp.where(p > 0, p, 1), jnp.where(q > 0, q, 1)
    change = (p - q) / safe_q
    near = jnp.abs(change) < 0.5
    small = jnp.where(near, change, 0)
    close = safe_q * jnp.maximum((1 + small) * jnp.log1p(small) - small, 0)
    apart = p * (jnp.log(safe_p) - jnp.log(safe_q)) - p + q
    terms = jnp.where(q > 0, jnp.where(near, close, apart), 0)
    outside = is_above(on_diagonal(sigma.vectors, rho.matrix), q[0] <= 0, rounding_of(rho.matrix, sigma.vectors))
    return jnp.where(outside, jnp.inf, jnp.sum(weights * terms))


@_relative.defjvp
def _relative_jvp(primals, tangents):
    (rho, sigma), (d_rho, d_sigma) = primals, tangents

    def by_matrices(a, b):
        crossed = real_trace(a, matrix_function(LOGARITHM, _moved(sigma, b)))
        return -entropy_by_matrices(a, rho) - crossed + jnp.trace(b - a).real

    value = _relative(rho, sigma)
    _, slope = jax.jvp(by_matrices, (rho.matrix, sigma.matrix), (d_rho.matrix, d_sigma.matrix))
    return value, nan_where(jnp.isinf(value), slope)


_compiled_entropy, _compiled_relative = jax.jit(_entropy), jax.jit(_relative)


def entropy_flow(
    rho: Decomposition, change: Inexact[Array, "dim dim"], arrivals: Inexact[Array, "dim dim"], scale: Scalar
) -> Scalar:
    """`-Tr(change ln rho)`, `+inf` where `arrivals` lie outside the support of `rho`.

    Args:
        rho: a state as `checked_state` returns it.
        change: a part of `d rho / dt` that a completely positive semigroup makes, shape `(dim, dim)`.
        arrivals: its completely positive part, which alone leads out of the support.
        scale: a rate: what is below `(64 dim eps)^2` of it is rounding.
    """
    return _flow(rho, change, arrivals, scale)


@jax.custom_jvp
def _flow(rho, change, arrivals, scale):
    p = populations(rho)
    empty = p <= 0
    noise = 64 * rho.dim * jnp.finfo(p.dtype).eps
    limit = rounding_of(arrivals, rho.vectors) + noise**2 * scale
    leaks = is_above(on_diagonal(rho.vectors, arrivals), empty, limit)
    flow = -jnp.sum(on_diagonal(rho.vectors, change) * jnp.log(jnp.where(empty, 1, p)))
    return jnp.where(leaks, jnp.inf, flow)


@_flow.defjvp
def _flow_jvp(primals, tangents):
    rho, change, _, _ = primals

    def by_matrices(matrix, change):
        return -real_trace(change, matrix_function(LOGARITHM, _moved(rho, matrix)))

    value = _flow(*primals)
    _, slope = jax.jvp(by_matrices, (rho.matrix, change), (tangents[0].matrix, tangents[1]))
    return value, nan_where(jnp.isinf(value), slope)
