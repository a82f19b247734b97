"""Levenberg-Marquardt with bounds by projection, from a batch of starting points."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree

_FELT = 1e-3
_LANES = 16  # searches side by side: enough to fill a core, few enough for its cache


class LeastSquares(eqx.Module):
    """Levenberg-Marquardt, with bounds by projection.

    Steps are clipped to the bounds; a parameter at a bound that the data push outwards stays there until they no longer do.
    The search ends by what it is for: when the step that remains is a small fraction of the standard errors.

    Args:
        max_steps: largest number of evaluations in each search.
        tolerance: largest remaining Gauss-Newton step, in standard errors, `sqrt(g (J^T J)^-1 g)`, in units of the misfit
            `sqrt(chi^2 / dof)` where that exceeds 1 or the errors of the data are unknown; by default `eps^0.4`, which is
            5e-7 in float64.
    """

    max_steps: int = eqx.field(static=True, default=256)
    tolerance: float | None = eqx.field(static=True, default=None)

    def accepted(self, dtype) -> float:
        """The tolerance at the precision of `dtype`."""
        return float(jnp.finfo(dtype).eps) ** 0.4 if self.tolerance is None else self.tolerance


class Problem(eqx.Module):
    """What is minimised.

    Attributes:
        predict: pytree that is a function.
        template: parameters as the user shapes them.
        data: flattened.
        deviations: standard deviations of the data, or the Cholesky factor of their covariance.
        bounds: lower and upper ones of the flattened parameters, or `None`.
        unknown_size: whether `deviations` are relative ones, of a size that the residuals tell.
    """

    predict: PyTree
    template: PyTree
    data: Float[Array, " data"]
    deviations: Float[Array, "..."]
    bounds: tuple[Float[Array, " parameters"], Float[Array, " parameters"]] | None
    unknown_size: bool = eqx.field(static=True)

    def shaped(self, flat: Float[Array, " parameters"]) -> PyTree:
        """Flat parameters as the user shapes them."""
        return ravel_pytree(self.template)[1](flat)

    def predicted(self, flat: Float[Array, " parameters"]) -> Float[Array, " data"]:
        """Flattened predictions."""
        predicted = ravel_pytree(self.predict(self.shaped(flat)))[0]
        if predicted.shape != self.data.shape:
            raise ValueError(
                f"`predict` must return as many numbers as `data` has, {self.data.size}, but returns {predicted.size}."
            )
        return predicted.astype(self.data.dtype)

    def residual(self, flat: Float[Array, " parameters"]) -> Float[Array, " data"]:
        """`L^-1 (f - y)` with the covariance `L L^T`."""
        return self.whitened(self.predicted(flat) - self.data)

    def whitened(self, values: Float[Array, " data"]) -> Float[Array, " data"]:
        """`L^-1 v`."""
        if self.deviations.ndim == 1:
            return values / self.deviations
        return jax.scipy.linalg.solve_triangular(self.deviations, values, lower=True)

    def fitted(self, residual: Float[Array, " data"]) -> Float[Array, " data"]:
        """The prediction that has this residual."""
        scaled = self.deviations * residual if self.deviations.ndim == 1 else self.deviations @ residual
        return self.data + scaled

    def misfit(self, residual: Float[Array, " data"], method: LeastSquares) -> Float[Array, ""]:
        """The standard deviation of the residuals, in which remaining steps are measured; 1 at least where errors are known.

        What rounding leaves of the data bounds it from below.
        """
        eps = jnp.finfo(residual.dtype).eps
        found = (
            jnp.linalg.norm(jax.lax.stop_gradient(residual))
            / max(residual.size - ravel_pytree(self.template)[0].size, 1) ** 0.5
        )
        lengths = jnp.linalg.norm(jax.lax.stop_gradient(self.whitened(self.data)))
        rounding = 400 * eps / method.accepted(residual.dtype) * lengths
        return jnp.maximum(found, jnp.maximum(rounding, 0 if self.unknown_size else 1))

    def felt(self, jacobian, residual, method: LeastSquares) -> Bool[Array, " parameters"]:
        """Parameters that the data feel to first order: across its bounds each moves the prediction by `_FELT` of the misfit.

        At a value where the prediction turns round, `x = 0` of `x^2`, what rounding leaves of the slope says nothing.
        """
        lengths = jnp.linalg.norm(jax.lax.stop_gradient(jacobian), axis=0)
        if self.bounds is None:
            return lengths > 0
        across = jnp.where(lengths > 0, lengths * (self.bounds[1] - self.bounds[0]), 0)
        return across > _FELT * self.misfit(residual, method)

    def clip(self, flat: Float[Array, " parameters"]) -> Float[Array, " parameters"]:
        """Parameters inside their bounds."""
        return flat if self.bounds is None else jnp.clip(flat, *self.bounds)


class Iterate(NamedTuple):
    """Where a search stands.

    Attributes:
        point: parameters accepted last.
        residual: there.
        jacobian: there.
        damping: Marquardt's parameter.
        held: parameters that take no step: at a bound that the gradient pushes outwards, or not felt.
        decrement: remaining Gauss-Newton step in standard errors.
        status: whether the search goes on.
        steps: evaluations.
    """

    point: Float[Array, " parameters"]
    residual: Float[Array, " data"]
    jacobian: Float[Array, "data parameters"]
    damping: Float[Array, ""]
    held: Bool[Array, " parameters"]
    decrement: Float[Array, ""]
    running: Bool[Array, ""]
    steps: Int[Array, ""]


def linearised(problem: Problem, point: Float[Array, " parameters"], held: Bool[Array, " parameters"]) -> Iterate:
    """Residual and Jacobian at a point, as a search that ended there."""
    residual, jacobian = _residual_and_jacobian(problem, point)
    zero = jnp.zeros((), point.dtype)
    return Iterate(point, residual, jacobian, zero, held, zero, jnp.asarray(False), jnp.zeros((), jnp.int32))


def _residual_and_jacobian(problem: Problem, point):
    def twice(flat):  # the residual again, as a by-product of its derivative
        residual = problem.residual(flat)
        return residual, residual

    jacobian, residual = jax.jacfwd(twice, has_aux=True)(point)
    return residual, jacobian


def minimise(
    problem: Problem, points: Float[Array, "starts parameters"], method: LeastSquares, *, lanes: int = _LANES
) -> Iterate:
    """Minimise the sum of squared residuals from every starting point; each leaf of the answer has `starts` first.

    So many searches as there are `lanes` go on side by side, and one that has ended makes room for the next: together they take
    as long as all their steps, not as many times the longest.
    """
    count = len(points)
    lanes = min(lanes, count)
    step = jax.vmap(lambda at: _step(problem, at, method))
    start = jax.vmap(lambda point: _start(problem, point))

    def turn(state):
        index, following, at, ended = state
        at = step(at)
        over = (index < count) & ~(at.running & (at.steps < method.max_steps))
        place = jnp.where(over, index, count)
        ended = jax.tree_util.tree_map(lambda all_, x: all_.at[place].set(x, mode="drop"), ended, at)
        index = jnp.where(over, following + jnp.cumsum(over) - 1, index)
        fresh = start(points[jnp.minimum(index, count - 1)])
        at = jax.tree_util.tree_map(
            lambda new, old: jnp.where(jnp.expand_dims(over, tuple(range(1, new.ndim))), new, old), fresh, at
        )
        return jnp.minimum(index, count), following + jnp.sum(over), at, ended

    first = jnp.arange(lanes), jnp.asarray(lanes), start(points[:lanes]), start(points)
    return jax.lax.while_loop(lambda state: jnp.any(state[0] < count), turn, first)[3]


def _start(problem: Problem, point) -> Iterate:
    count, dtype = problem.data.size, point.dtype
    return Iterate(
        point,
        jnp.full(count, jnp.nan, dtype),
        jnp.full((count, point.size), jnp.nan, dtype),
        jnp.asarray(1e-3, dtype),
        jnp.zeros(point.shape, bool),
        jnp.asarray(jnp.inf, dtype),
        jnp.asarray(True),
        jnp.zeros((), jnp.int32),
    )


def _step(problem: Problem, at: Iterate, method: LeastSquares) -> Iterate:
    """One evaluation, and whether the search ends with it.

    The step solves `(J^T J + mu D) s = -J^T r`, `D = diag(J^T J)` (Marquardt 1963), over the parameters that are not held. Those
    that it takes out of bounds go to their bound, and the others are solved for once more with them there. Near the end the sum
    of squares drowns in rounding, and the gradient decides.
    """
    dtype = at.point.dtype
    eps = jnp.finfo(dtype).eps
    point = jnp.where(at.steps == 0, at.point, _bounded_step(problem, at))
    residual, jacobian = _residual_and_jacobian(problem, point)
    felt = problem.felt(jacobian, residual, method)
    held = ~felt | _held_at(problem, point, residual, jacobian)
    _, decrement = _solved(residual, jacobian, held, jnp.zeros((), dtype))

    before, after = jnp.sum(at.residual**2), jnp.sum(residual**2)
    moved = at.jacobian @ (point - at.point)
    gain = (before - after) / -jnp.sum(moved * (2 * at.residual + moved))
    finite = jnp.isfinite(after) & jnp.all(jnp.isfinite(jacobian))
    level = jnp.abs(after - before) <= 100 * eps * before
    better = finite & jnp.where(level, decrement < at.decrement, after < before)
    accept = better | (at.steps == 0)
    done = accept & (decrement <= 0.01 * method.accepted(dtype) * problem.misfit(residual, method))
    stuck = ~accept & (at.damping > jnp.where(level, 1e2, 1e12))
    # Nielsen 1999: less damping as far as the fall of chi^2 was foreseen, more where it fell short.
    factor = jnp.clip(1 - (2 * jnp.where(level, 1, gain) - 1) ** 3, 0.1, 2)
    damping = jnp.maximum(at.damping, 1e-14) * jnp.where(accept, factor, 10)
    damping = jnp.where(at.steps == 0, at.damping, damping)

    def pick(new, old):
        return jnp.where(accept, new, old)

    return Iterate(
        pick(point, at.point),
        pick(residual, at.residual),
        pick(jacobian, at.jacobian),
        damping,
        pick(held, at.held),
        pick(decrement, at.decrement),
        ~(done | stuck | (~finite & (at.steps == 0))),
        at.steps + 1,
    )


def _bounded_step(problem: Problem, at: Iterate):
    step, _ = _solved(at.residual, at.jacobian, at.held, at.damping)
    if problem.bounds is None:
        return at.point + step
    wanted = at.point + step
    inside = problem.clip(wanted)
    stopped = at.held | (inside != wanted)
    taken = jnp.where(stopped, inside - at.point, 0)
    rest, _ = _solved(at.residual + at.jacobian @ taken, at.jacobian, stopped, at.damping)
    return problem.clip(at.point + taken + rest)


def _solved(residual, jacobian, held, damping):
    """The step over the parameters that are not held, and its length in standard errors."""
    dtype, count = jacobian.dtype, jacobian.shape[1]
    free = jnp.where(held, 0, jacobian)
    lengths = jnp.linalg.norm(free, axis=0)
    units = jnp.where(lengths > 0, lengths, 1)
    scaled = free / units
    normal = scaled.T @ scaled + (damping + 10 * jnp.finfo(dtype).eps) * jnp.eye(count, dtype=dtype)
    normal = normal + jnp.diag(jnp.where(lengths > 0, 0.0, 1.0).astype(dtype))
    slope = scaled.T @ residual
    step = -jnp.linalg.solve(normal, slope)
    return step / units, jnp.sqrt(jnp.maximum(-slope @ step, 0))


def _held_at(problem: Problem, point, residual, jacobian):
    """Parameters at a bound that the gradient pushes outwards."""
    if problem.bounds is None:
        return jnp.zeros(point.shape, bool)
    gradient = jacobian.T @ residual
    lower, upper = problem.bounds
    return ((point <= lower) & (gradient > 0)) | ((point >= upper) & (gradient < 0))
