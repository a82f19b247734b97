"""What a least-squares fit says once it has been found: errors, verdict and goodness."""

import jax
import jax.numpy as jnp

from jaxgibbs._solution import RESULTS, Solution
from jaxgibbs.linalg import eigh

from .least_squares import Iterate, LeastSquares, Problem


def statistics(problem: Problem, end: Iterate, method: LeastSquares) -> Solution:
    """Value, standard errors, verdict and goodness of fit where a search ended.

    Args:
        problem: what was minimised.
        end: where, with residual, Jacobian and the parameters held at a bound.
        method: whose tolerance decides whether the search has ended at a minimum.
    """
    flat, residual = end.point, end.residual
    dtype = flat.dtype
    felt = problem.felt(end.jacobian, residual, method)
    held, felt = felt & end.held, felt & ~end.held
    jacobian = jnp.where(felt, end.jacobian, 0)
    lengths = jnp.linalg.norm(jacobian, axis=0)
    units = jnp.where(felt, lengths, 1)
    normal = (jacobian / units).T @ (jacobian / units)
    # Directions that the data do not feel; a held or unfelt parameter gets an entry of its own.
    weights, directions = eigh(normal + jnp.diag(jnp.where(felt, 0.0, 1.0).astype(dtype)))
    open_ = weights <= flat.size * 10 * jnp.finfo(dtype).eps
    blind = (~felt & ~held) | jnp.any(open_ & (jnp.abs(directions) > 1e-6), axis=1)
    tame = jnp.where(open_, 1, weights)
    mixed = jnp.where(open_, 0, directions / jnp.sqrt(tame)) / units[:, None]
    mixed = jnp.where(felt[:, None], mixed, 0)
    covariance = mixed @ mixed.T

    chi_square = jnp.sum(residual**2)
    freedom = residual.size - jnp.sum(~held)
    decrement = jnp.linalg.norm(mixed.T @ (jacobian.T @ residual))
    misfit = problem.misfit(residual, method)
    if problem.unknown_size:
        size = jnp.where(freedom > 0, chi_square / jnp.maximum(freedom, 1), jnp.nan)
        covariance, p_value = covariance * size, jnp.full_like(size, jnp.nan)
    else:
        tail = jax.scipy.special.gammaincc(jnp.maximum(freedom, 1) / 2, chi_square / 2)
        p_value = jnp.where(freedom > 0, tail, jnp.nan)
    covariance = jnp.where(jnp.diag(blind), jnp.inf, covariance)

    finite = jnp.isfinite(chi_square) & jnp.all(jnp.isfinite(flat))
    result = RESULTS.where(jnp.any(blind), RESULTS.dependent, RESULTS.optimal)
    result = RESULTS.where(decrement <= misfit * method.accepted(dtype), result, RESULTS.max_steps_reached)
    result = RESULTS.where(finite, result, RESULTS.nonfinite)
    stats = {
        "covariance": covariance,
        "chi_square": chi_square,
        "degrees_of_freedom": freedom,
        "p_value": p_value,
        "residual": residual,
        "fitted": problem.fitted(residual),
        "at_bound": held,
        "decrement": decrement / misfit,
        "steps": end.steps,
    }
    return Solution(problem.shaped(flat), problem.shaped(jnp.sqrt(jnp.diag(covariance))), result, stats)
