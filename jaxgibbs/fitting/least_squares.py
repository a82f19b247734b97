"""Levenberg-Marquardt with bounds by projection, from a batch of starting points."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree


class LeastSquares(eqx.Module):
    """Levenberg-Marquardt, with bounds by projection.

    Steps are clipped to the bounds; a parameter at a bound that the data push outwards stays there until they no longer do.
    The search ends by what it is for: when the step that remains is a small fraction of the standard errors.

    Args:
        max_steps: largest number of evaluations in each search.
        tolerance: largest remaining Gauss-Newton step, in standard errors, `sqrt(g (J^T J)^-1 g)`, in units of the misfit
            `sqrt(chi^2 / dof)` where that exceeds 1; by default `eps^0.4`, which is 5e-7 in float64.
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
    """

    predict: PyTree
    template: PyTree
    data: Float[Array, " data"]
    deviations: Float[Array, "..."]
    bounds: tuple[Float[Array, " parameters"], Float[Array, " parameters"]] | None

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
        return self.residual_and_prediction(flat)[0]

    def residual_and_prediction(self, flat: Float[Array, " parameters"]):
        """The residual; and, as by-products of its derivative, residual and prediction."""
        predicted = self.predicted(flat)
        difference = predicted - self.data
        if self.deviations.ndim == 1:
            residual = difference / self.deviations
        else:
            residual = jax.scipy.linalg.solve_triangular(self.deviations, difference, lower=True)
        return residual, (residual, predicted)

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
        held: parameters at a bound that the gradient pushes outwards.
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


def minimise(problem: Problem, start: Float[Array, " parameters"], method: LeastSquares) -> Iterate:
    """Minimise the sum of squared residuals from `start`.

    Each step solves `(J^T J + mu D) s = -J^T r`, `D = diag(J^T J)` (Marquardt 1963), over the parameters that are not held, and is
    projected on the bounds. Near the end the sum of squares drowns in rounding, and the gradient decides.
    """
    dtype = start.dtype
    eps = jnp.finfo(dtype).eps

    def linearised(point):
        jacobian, (residual, _) = jax.jacfwd(problem.residual_and_prediction, has_aux=True)(point)
        return residual, jacobian

    def step_from(residual, jacobian, held, damping):
        free = jnp.where(held, 0, jacobian)
        lengths = jnp.linalg.norm(free, axis=0)
        units = jnp.where(lengths > 0, lengths, 1)
        scaled = free / units
        normal = scaled.T @ scaled + (damping + 10 * eps) * jnp.eye(start.size, dtype=dtype)
        normal = normal + jnp.diag(jnp.where(lengths > 0, 0.0, 1.0).astype(dtype))
        slope = scaled.T @ residual
        step = -jnp.linalg.solve(normal, slope)
        return step / units, jnp.sqrt(jnp.maximum(-slope @ step, 0))

    def held_at(point, residual, jacobian):
        if problem.bounds is None:
            return jnp.zeros(point.shape, bool)
        gradient = jacobian.T @ residual
        lower, upper = problem.bounds
        return ((point <= lower) & (gradient > 0)) | ((point >= upper) & (gradient < 0))

    def body(at: Iterate) -> Iterate:
        step, _ = step_from(at.residual, at.jacobian, at.held, at.damping)
        point = jnp.where(at.steps == 0, at.point, problem.clip(at.point + step))
        residual, jacobian = linearised(point)
        held = held_at(point, residual, jacobian)
        _, decrement = step_from(residual, jacobian, held, jnp.zeros((), dtype))

        before, after = jnp.sum(at.residual**2), jnp.sum(residual**2)
        moved = at.jacobian @ (point - at.point)
        gain = (before - after) / -jnp.sum(moved * (2 * at.residual + moved))
        finite = jnp.isfinite(after) & jnp.all(jnp.isfinite(jacobian))
        level = jnp.abs(after - before) <= 100 * eps * before
        better = finite & jnp.where(level, decrement < at.decrement, after < before)
        accept = better | (at.steps == 0)
        misfit = jnp.sqrt(jnp.maximum(after / max(residual.size - start.size, 1), 1))
        done = accept & (decrement <= 0.01 * method.accepted(dtype) * misfit)
        stuck = ~accept & (at.damping > jnp.where(level, 1e2, 1e12))
        # Nielsen 1999: less damping as far as the fall of chi^2 was foreseen, more where it fell short.
        factor = jnp.clip(1 - (2 * jnp.where(level, 1, gain) - 1) ** 3, 0.1, 2)
        damping = jnp.maximum(at.damping, 1e-8) * jnp.where(accept, factor, 10)
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

    count = problem.data.size
    nothing = jnp.zeros(start.shape, bool)
    first = Iterate(
        start,
        jnp.full(count, jnp.nan, dtype),
        jnp.full((count, start.size), jnp.nan, dtype),
        jnp.asarray(1e-3, dtype),
        nothing,
        jnp.asarray(jnp.inf, dtype),
        jnp.asarray(True),
        jnp.zeros((), jnp.int32),
    )
    return jax.lax.while_loop(lambda at: at.running & (at.steps < method.max_steps), body, first)
