"""Damped Newton iteration on the convex dual of a maximum-entropy fit."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgibbs._solution import RESULTS

from ._charges import AbstractCharges, Moments
from ._norms import norm

RUNNING, CONVERGED, OUTSIDE, EDGE, STALLED, BROKEN = range(6)

_SUFFICIENT = 1e-4  # Armijo's constant
_SLOW = 0.25  # a step of length t that leaves more than this, to the power t, of the slope calls for a longer one
_LONGEST = 4.0  # longest step, in units of 1 + |lam|
_FARTHEST = 1e8  # whitened multipliers beyond this are taken as divergent
_DETERMINED = 1e-2  # error of whitened multipliers above which they count as not determined


class DualNewton(eqx.Module):
    """Newton's method on `log Tr exp(-sum_k lam_k (Q_k - q_k))` with its Kubo-Mori Hessian.

    One decomposition a step gives value, gradient and Hessian. Steps are damped by Armijo's rule; where the decrease
    drowns in rounding the gradient decides. Near the boundary of what is feasible the multipliers grow
    logarithmically, and steps are lengthened as long as the gradient along them keeps its sign.

    Args:
        max_steps: largest number of decompositions.
        residual_tolerance: largest `|<Q_k> - q_k|`, in units of the root mean square of the centred charge; by default
            1000 eps, which is 2.2e-13 in float64.
        boundary_tolerance: targets closer than this to the boundary, in the same unit, and not resolved by the
            iteration, are on it; targets beyond it by more are infeasible. By default `max(1e-10, 1000 eps)`.
        dependence_tolerance: a combination of charges shorter than this, in the same unit, vanishes. By default
            `max(1e-10, 1000 eps)`.
    """

    max_steps: int = eqx.field(static=True, default=100)
    residual_tolerance: float | None = eqx.field(static=True, default=None)
    boundary_tolerance: float | None = eqx.field(static=True, default=None)
    dependence_tolerance: float | None = eqx.field(static=True, default=None)

    def tolerances(self, dtype) -> tuple[float, float, float]:
        """Tolerances for residual, boundary and dependence at the precision of `dtype`."""
        eps = float(jnp.finfo(dtype).eps)
        loose = max(1e-10, 1000 * eps)
        return (
            1000 * eps if self.residual_tolerance is None else self.residual_tolerance,
            loose if self.boundary_tolerance is None else self.boundary_tolerance,
            loose if self.dependence_tolerance is None else self.dependence_tolerance,
        )


def verdict_of(status: Int[Array, ""], solved: RESULTS) -> RESULTS:
    """What the status of an iteration means: `solved` where it converged."""
    result = solved
    for code, failure in (
        (EDGE, RESULTS.boundary),
        (OUTSIDE, RESULTS.infeasible),
        (STALLED, RESULTS.stagnated),
        (BROKEN, RESULTS.nonfinite),
        (RUNNING, RESULTS.max_steps_reached),
    ):
        result = RESULTS.where(status == code, failure, result)
    return result


class Iterate(NamedTuple):
    """Where the iteration stands: the accepted point and the step to try next."""

    point: Float[Array, " charges"]
    value: Float[Array, ""]
    residual: Float[Array, " charges"]
    lowest: Float[Array, ""]
    inverse: Float[Array, "charges charges"]
    step: Float[Array, " charges"]
    length: Float[Array, ""]
    status: Int[Array, ""]
    evaluations: Int[Array, ""]
    steps: Int[Array, ""]


def minimise(
    charges: AbstractCharges,
    point: Float[Array, " charges"],
    start: Moments,
    independent: Bool[Array, " charges"],
    overlaps: Float[Array, "charges charges"],
    method: DualNewton,
) -> Iterate:
    """Minimise the dual of whitened `charges` from `point`, where its moments are `start`.

    Args:
        charges: orthonormal up to additive constants; those not `independent` are zero.
        point: multipliers to start from.
        start: moments of the charges at `point`.
        independent: which charges take part.
        overlaps: turns the residual into the units in which it is judged.
        method: tolerances and limits.
    """
    dtype = point.dtype
    eps = jnp.finfo(dtype).eps
    residual_tolerance, boundary_tolerance, _ = method.tolerances(dtype)

    def solve(moments):
        """The inverse Hessian and the Newton step."""
        covariance = moments.covariance()
        trace = jnp.trace(covariance)
        damping = 10 * eps * trace + jnp.finfo(dtype).tiny
        regular = covariance + jnp.diag(jnp.where(independent, damping, jnp.where(trace > 0, trace, 1)))
        inverse = jnp.linalg.inv(regular)
        underflown = jnp.any(independent) & (trace <= jnp.finfo(dtype).tiny / eps**2)
        return inverse, jnp.where(independent, inverse @ moments.residual, 0), ~underflown

    def small(residual):
        return jnp.max(jnp.abs(overlaps @ residual)) <= residual_tolerance

    def uncertainty(inverse, noise):
        return 10 * noise * _spread(inverse, independent)

    def determined(inverse, noise):
        return uncertainty(inverse, noise) <= _DETERMINED

    def precise(step, inverse, noise, size):
        return norm(step) <= jnp.maximum(eps ** (2 / 3) * size, uncertainty(inverse, noise))

    def verdict(point, moments, inverse, step, regular):
        """Status of a point whose Hessian is known."""
        size = 1 + norm(point)
        known = determined(inverse, moments.noise) & regular
        done = small(moments.residual) & known & precise(step, inverse, moments.noise, size)
        touches = (size > 1) & (-moments.lowest <= 3 * moments.blur)
        edge = (small(moments.residual) & ~known) | touches | (size > _FARTHEST)
        finite = jnp.isfinite(moments.value) & jnp.all(jnp.isfinite(step))
        return jnp.where(~finite, BROKEN, jnp.where(done, CONVERGED, jnp.where(edge, EDGE, RUNNING)))

    def first():
        inverse, step, regular = solve(start)
        status = verdict(point, start, inverse, step, regular)
        status = jnp.where(start.lowest > boundary_tolerance * norm(point), OUTSIDE, status)
        one = jnp.ones((), dtype)
        zero = jnp.zeros((), jnp.int32)
        return Iterate(point, start.value, start.residual, start.lowest, inverse, step, one, status, zero, zero)

    def body(at: Iterate) -> Iterate:
        size = 1 + norm(at.point)
        length = jnp.minimum(at.length, _LONGEST * size / jnp.maximum(norm(at.step), jnp.finfo(dtype).tiny))
        trial = at.point + length * at.step
        moments = charges.moments(trial)

        slope, slope_there = -at.residual @ at.step, -moments.residual @ at.step
        change = moments.value - at.value
        falling = slope_there <= 0  # by convexity the value has fallen
        enough = (change <= _SUFFICIENT * length * slope) & (length <= 1)
        rounding = jnp.abs(length * slope) <= 1000 * eps * (1 + jnp.abs(at.value))
        flatter = rounding & (length <= 1) & (jnp.abs(slope_there) <= 0.9 * jnp.abs(slope))
        finite = jnp.isfinite(moments.value) & jnp.all(jnp.isfinite(moments.residual))
        outside = finite & (moments.lowest > boundary_tolerance * norm(trial))
        accept = finite & (falling | enough | flatter) | outside

        # With the Hessian of the point before, one solve less: valid once a full step has cut the residual tenfold.
        estimate = jnp.where(independent, at.inverse @ moments.residual, 0)
        there = 1 + norm(trial)
        done = (
            accept
            & (length == 1)
            & (norm(estimate) <= 0.1 * norm(at.step))
            & small(moments.residual)
            & determined(at.inverse, moments.noise)
            & precise(estimate, at.inverse, moments.noise, there)
        )

        def advance(_):
            inverse, step, regular = solve(moments)
            return inverse, step, verdict(trial, moments, inverse, step, regular)

        def stay(_):
            return at.inverse, at.step, jnp.asarray(CONVERGED)

        inverse, step, status = jax.lax.cond(accept & ~done & ~outside, advance, stay, None)
        slow = (length >= 1) & (slope_there < _SLOW**length * slope)
        stuck = (rounding & finite & (length <= 1)) | (length * norm(at.step) <= eps * size)
        known = determined(at.inverse, moments.noise) & (norm(at.step) <= _DETERMINED * size)
        last = jnp.where(small(at.residual), jnp.where(known, CONVERGED, EDGE), STALLED)
        status = jnp.where(outside, OUTSIDE, jnp.where(accept, status, jnp.where(stuck, last, RUNNING)))
        next_length = jnp.where(accept, jnp.where(slow, 2 * length, 1), length / 2)

        def pick(new, old):
            return jnp.where(accept, new, old)

        return Iterate(
            pick(trial, at.point),
            pick(moments.value, at.value),
            pick(moments.residual, at.residual),
            pick(moments.lowest, at.lowest),
            inverse,
            step,
            next_length.astype(dtype),
            status.astype(at.status.dtype),
            at.evaluations + 1,
            at.steps + accept.astype(at.steps.dtype),
        )

    def running(at: Iterate):
        return (at.status == RUNNING) & (at.evaluations < method.max_steps)

    return jax.lax.while_loop(running, body, first())


def _spread(inverse, independent):
    """Norm of the inverse Hessian on the directions that take part."""
    return norm(jnp.where(independent[:, None] & independent[None, :], inverse, 0))
