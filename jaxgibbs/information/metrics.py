"""How fast states change: the monotone metrics, of which the quantum Fisher information is the least.

A metric on states that no quantum channel increases is, in the eigenbasis of `rho`, one over a mean `m` of two eigenvalues,

    g(A, B) = sum_ij conj(A_ij) B_ij / m(p_i, p_j)      (Morozova & Cencov 1989; Petz 1996),

and agrees with Fisher's `sum_i dp_i^2 / p_i` for changes of populations alone, where `m(p, p) = p`. The arithmetic mean, the
largest, gives the least metric. Where `m = 0`, outside the support of `rho`, a change costs infinitely much.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs._errors import check_hermitian, is_concrete, nan_unless
from jaxgibbs.linalg import Decomposition, dagger, matmul, spectral_map
from jaxgibbs.linalg.undefined import nan_where

from .means import Mean, arithmetic, check_mean, logarithmic, of_roots, one_over
from .states import checked_state, supported

Tangents = Inexact[Array, "*parameters dim dim"]
Metric = Float[Array, "*parameters_squared"]


def quantum_fisher_information(rho: Inexact[Array, "dim dim"], tangents: Tangents) -> Metric:
    """The quantum Fisher information of parameters that change `rho` by `tangents`, with symmetric logarithmic derivatives.

        J_kl = 2 sum_ij Re[(d_k rho)_ij (d_l rho)_ji] / (p_i + p_j)

    N copies give unbiased estimates of covariance at least `(N J)^-1` (`symmetric_logarithmic_derivative` measures one parameter so
    well). It is four times the square of the Bures distance of neighbours. For pure states it is `4 Var(G)` of what generates the
    change. At states of less than full rank it jumps, and derivatives are those along states of the same rank.

    For the multipliers of a Gibbs state use `jaxgibbs.fitting.quantum_fisher_information`, which keeps its accuracy where the
    populations underflow.

    Args:
        rho: a density matrix, shape `(dim, dim)`.
        tangents: `d_k rho` for each parameter, Hermitian, shape `(parameters, dim, dim)`; or `(dim, dim)` for one.

    Returns:
        Shape `(parameters, parameters)`, or a scalar; units of 1 / parameter^2. `+inf` on the diagonal, NaN beside it, for changes
        that leave the support of `rho`: by more than `sqrt(64 dim eps)` of the largest element, as far as rounding can tell.

    Raises:
        ValueError: if `rho` is not Hermitian, positive semidefinite and of trace 1 (NaN under a trace), or a tangent is not
            Hermitian or not of its shape.

    Reference: Helstrom, Phys. Lett. A 25, 101 (1967); Braunstein & Caves, Phys. Rev. Lett. 72, 3439 (1994).
    """
    return monotone_metric(rho, tangents, arithmetic)


def wigner_yanase_metric(rho: Inexact[Array, "dim dim"], tangents: Tangents) -> Metric:
    """The metric `4 sum_ij Re[(d_k rho)_ij (d_l rho)_ji] / (sqrt(p_i) + sqrt(p_j))^2`, that of a sphere of square roots.

    It is `8 (1 - Tr sqrt(rho) sqrt(sigma))` of neighbours, and twice the quantum Fisher information at pure states.

    Args:
        rho: a density matrix, shape `(dim, dim)`.
        tangents: as for `quantum_fisher_information`.

    Returns:
        As `quantum_fisher_information`.

    Raises:
        ValueError: as `quantum_fisher_information`.

    Reference: Gibilisco & Isola, J. Math. Phys. 44, 3752 (2003).
    """
    return monotone_metric(rho, tangents, of_roots)


def kubo_mori_metric(rho: Inexact[Array, "dim dim"], tangents: Tangents) -> Metric:
    """The Bogoliubov-Kubo-Mori metric, by the logarithmic mean: `Tr[(d_k rho) d_l ln rho]`, the Hessian of relative entropy.

        B_kl = sum_ij Re[(d_k rho)_ij (d_l rho)_ji] (ln p_i - ln p_j) / (p_i - p_j)

    For a Gibbs state it is the Kubo-Mori covariance of what its parameters multiply. It is infinite where the support of `rho`
    turns, as it does for all changes of a pure state.

    Args:
        rho: a density matrix, shape `(dim, dim)`.
        tangents: as for `quantum_fisher_information`.

    Returns:
        As `quantum_fisher_information`.

    Raises:
        ValueError: as `quantum_fisher_information`.

    Reference: Petz & Toth, Lett. Math. Phys. 27, 205 (1993).
    """
    return monotone_metric(rho, tangents, logarithmic)


def monotone_metric(rho: Inexact[Array, "dim dim"], tangents: Tangents, mean: Mean) -> Metric:
    """The monotone metric `sum_ij Re[(d_k rho)_ij (d_l rho)_ji] / m(p_i, p_j)` of a mean `m`.

    Args:
        rho: a density matrix, shape `(dim, dim)`.
        tangents: as for `quantum_fisher_information`.
        mean: `m(x, y)`, elementwise, symmetric, with `m(c x, c y) = c m(x, y)` and `m(x, x) = x`, operator monotone (from the
            harmonic mean `2 x y / (x + y)` to the arithmetic one); a module-level function of `jax.numpy` that takes complex
            numbers in the right half plane too, since derivatives in `rho` are contour integrals.

    Returns:
        As `quantum_fisher_information`.

    Raises:
        ValueError: as `quantum_fisher_information`, or if `mean` is no such mean at numbers from 1e-3 to 1e3; whether it is
            operator monotone is not tested.

    Reference: Petz, Linear Algebra Appl. 244, 81 (1996).
    """
    check_mean(mean)
    state = supported(checked_state("rho", rho))
    tangents = _checked_tangents(tangents, state)
    stack = tangents.reshape(-1, *state.matrix.shape)
    gram = _gram(mean, state, stack)
    return gram.reshape(()) if tangents.ndim == 2 else gram


def symmetric_logarithmic_derivative(
    rho: Inexact[Array, "dim dim"], tangent: Inexact[Array, "dim dim"]
) -> Inexact[Array, "dim dim"]:
    """The Hermitian `L` with `(L rho + rho L) / 2 = d rho`, whose eigenbasis is the best measurement of the parameter.

    Outside the support of `rho`, where any `L` will do, it is 0.

    Args:
        rho: a density matrix, shape `(dim, dim)`.
        tangent: `d rho`, Hermitian, of the same shape.

    Returns:
        Shape `(dim, dim)`, in units of 1 / parameter; NaN for a change that leaves the support, for which there is no `L`.

    Raises:
        ValueError: as `quantum_fisher_information`.

    Reference: Helstrom, Phys. Lett. A 25, 101 (1967).
    """
    state = supported(checked_state("rho", rho))
    tangent = _checked_tangents(tangent, state)
    if tangent.ndim != 2:
        raise ValueError(
            f"`tangent` must be one matrix, but has shape {tangent.shape}; map over parameters with `jax.vmap`."
        )
    leaves = _leaves(arithmetic, state, tangent[None])[0]
    exists = ~leaves & ~jnp.isnan(state.eigenvalues[0])
    return nan_unless(exists, spectral_map(one_over(arithmetic), state, tangent))


def classical_fisher_information(
    probabilities: Float[Array, " outcomes"], slopes: Float[Array, "*parameters outcomes"]
):
    """Fisher's information `F_kl = sum_m d_k p_m d_l p_m / p_m` of the outcomes of a measurement.

    No measurement of a state has more than its `quantum_fisher_information`.

    Args:
        probabilities: `p_m`, not negative, shape `(outcomes,)`.
        slopes: `d_k p_m` for each parameter, shape `(parameters, outcomes)`; or `(outcomes,)` for one.

    Returns:
        Shape `(parameters, parameters)`, or a scalar. Outcomes that never happen and stay so do not count; where one begins to
        happen, `+inf` on the diagonal and NaN beside it.

    Raises:
        ValueError: if a probability is negative (NaN under a trace), or shapes do not fit.
    """
    p, slopes = (jnp.asarray(x) for x in (probabilities, slopes))
    if p.ndim != 1 or slopes.ndim not in (1, 2) or slopes.shape[-1:] != p.shape:
        raise ValueError(
            f"`slopes` must have shape {p.shape} or (parameters, outcomes) for `probabilities` of shape (outcomes,), but the "
            f"shapes are {slopes.shape} and {p.shape}."
        )
    allowed = jnp.all(p >= 0)
    if is_concrete(allowed) and not allowed:
        raise ValueError(
            f"`probabilities` must not be negative, but the lowest is {float(jnp.min(p)):.3g}; what is negative by rounding "
            "may be set to 0."
        )
    stack = slopes.reshape(-1, p.size)
    scores = jnp.where(p > 0, stack / jnp.where(p > 0, p, 1), 0)
    leaves = jnp.any((p <= 0) & (stack != 0), axis=-1)
    gram = nan_unless(allowed, _infinite_where(leaves, jnp.einsum("km,lm->kl", stack, scores, precision="highest")))
    return gram.reshape(()) if slopes.ndim == 1 else gram


def pullback_metric(
    family: Callable[[Float[Array, " parameters"]], Inexact[Array, "dim dim"]],
    parameters: ArrayLike,
    metric: Callable[[Array, Array], Array] = quantum_fisher_information,
) -> Metric:
    """A metric in the parameters of a family of states, such as the couplings of a Gibbs state.

    Args:
        family: from parameters to a density matrix, differentiable.
        parameters: real, shape `(parameters,)`, or a scalar.
        metric: `quantum_fisher_information`, `kubo_mori_metric`, or another function of a state and its tangents.

    Returns:
        Shape `(parameters, parameters)`, or a scalar.

    Raises:
        ValueError: if `parameters` are not real, or more than a vector.

    Example:
        >>> import jaxgibbs as jg
        >>> thermal = lambda t: jg.gibbs_state([[0.0, 0.0], [0.0, 1.0]], 1 / t).density_matrix()
        >>> print(f"{jg.information.pullback_metric(thermal, 0.5):.4f}")  # C / T^2
        1.6799
    """
    parameters = jnp.asarray(parameters)
    if parameters.ndim > 1 or jnp.iscomplexobj(parameters):
        raise ValueError(
            f"`parameters` must be a real vector or scalar, but have shape {parameters.shape} and dtype {parameters.dtype}; "
            "flatten others, and give a complex number by its two parts."
        )
    if not jnp.issubdtype(parameters.dtype, jnp.inexact):
        parameters = parameters.astype(jnp.result_type(float))
    rho, push = jax.linearize(family, parameters)
    if parameters.ndim == 0:
        return metric(rho, push(jnp.ones_like(parameters)))
    return metric(rho, jax.vmap(push)(jnp.eye(parameters.size, dtype=parameters.dtype)))


# -- products --------------------------------------------------------------------------------------------------------


def _gram(mean: Mean, state: Decomposition, tangents: Inexact[Array, "parameters dim dim"]):
    mapped = jax.vmap(lambda tangent: spectral_map(one_over(mean), state, tangent))(tangents)
    gram = jnp.einsum("kij,lji->kl", tangents, mapped, precision="highest").real
    gram = nan_unless(~jnp.isnan(state.eigenvalues[0]), (gram + gram.T) / 2)
    return _infinite_where(_leaves(mean, state, tangents), gram)


def _leaves(mean: Mean, state: Decomposition, tangents):
    """Whether a tangent has elements where the mean is 0, above what a smooth family may have there by rounding.

    An eigenvalue `p` that is 0 within `r` may have a slope of `sqrt(2 r p'')` without becoming negative.
    """
    p = state.eigenvalues
    infinite = ~(jnp.broadcast_to(mean(p[:, None], p[None, :]), (p.size, p.size)) > 0) & ~jnp.isnan(p)
    size = jnp.abs(matmul(matmul(dagger(state.vectors).astype(tangents.dtype), tangents), state.vectors))
    limit = jnp.sqrt(64 * p.size * jnp.finfo(p.dtype).eps) * jnp.max(size, axis=(-2, -1), keepdims=True)
    return jnp.any(infinite & (size > limit), axis=(-2, -1))


@jax.custom_jvp
def _infinite_where(leaves, gram):
    both = leaves[:, None] & leaves[None, :]
    return jnp.where(both, jnp.where(jnp.eye(leaves.size, dtype=bool), jnp.inf, jnp.nan), gram)


@_infinite_where.defjvp
def _infinite_where_jvp(primals, tangents):
    leaves, gram = primals
    return _infinite_where(leaves, gram), nan_where(leaves[:, None] & leaves[None, :], tangents[1])


def _checked_tangents(tangents, state: Decomposition):
    tangents = jnp.asarray(tangents)
    if tangents.ndim not in (2, 3) or tangents.shape[-2:] != state.matrix.shape:
        raise ValueError(
            f"`tangents` must be derivatives of `rho`, of shape {state.matrix.shape} or (parameters, dim, dim), but have shape "
            f"{tangents.shape}."
        )
    if is_concrete(tangents):
        for tangent in np.asarray(tangents).reshape(-1, *state.matrix.shape):
            check_hermitian("tangents", tangent)
    dtype = jnp.result_type(tangents, state.matrix)
    return ((tangents + dagger(tangents)) / 2).astype(dtype)
