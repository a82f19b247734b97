"""The search for the mean field of least free energy: descent, and Newton's steps at its end."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np

from jaxgibbs._solution import RESULTS
from jaxgibbs.linalg import decompose
from jaxgibbs.operators.local import whole_number

from .variational_energy import contract, correlations_of, fields_of, free_energy_of, matrices_of, residual_of

_CLOSE = 1e-3  # residual, in units of the largest integral, from which Newton's method takes over
_NEWTON_STEPS = 60
_LONGEST = 64.0  # step of descent, in units of `F - M`


class SelfConsistency(eqx.Module):
    """Descent of the free energy along `F - M`, from a mean field `M` to the one its state makes, and Newton's steps at its end.

    `F - M` is always a direction of descent, so that halved steps cannot fail where plain iteration oscillates. Where the best
    of the starts leads to a saddle the search goes on from below it, except from a `guess`.

    Args:
        max_steps: largest number of steps of descent from each start.
        residual_tolerance: largest `|F - M|`, in units of the largest integral; by default 1000 eps.
        starts: number of mean fields to start from: the one of the bare electrons, and random ones about it, in which spins
            and pairs are not symmetric. The lowest free energy wins.

    Raises:
        ValueError: if a number is not whole and positive, or the tolerance negative.
    """

    max_steps: int = eqx.field(static=True, default=1000)
    residual_tolerance: float | None = eqx.field(static=True, default=None)
    starts: int = eqx.field(static=True, default=4)

    def __check_init__(self):
        whole_number("max_steps", self.max_steps)
        whole_number("starts", self.starts)
        if self.residual_tolerance is not None and not self.residual_tolerance >= 0:
            raise ValueError(f"`residual_tolerance` must not be negative, but is {self.residual_tolerance}.")


@functools.partial(jax.jit, static_argnums=(1, 2))
def starting_fields(inputs, fields: int, count: int):
    """The field of the bare electrons, and random ones about it."""
    bare, two, beta = inputs
    zero = jnp.zeros_like(bare)
    densities, _, _ = correlations_of(jnp.stack([bare, bare]), beta)
    normal, _ = fields_of(inputs, densities, zero)
    first = jnp.concatenate([normal, zero[None]])[:fields]
    kicks = np.random.default_rng(0).normal(size=(count, fields, *bare.shape))
    kicks[0] = 0
    return first + jnp.max(jnp.abs(two)) * jnp.asarray(kicks, bare.dtype)


@eqx.filter_jit
def stationary_field(starts, inputs, method: SelfConsistency, escapes: int):
    """The best mean field that the starts lead to, its residual, verdict and statistics.

    Where it is a saddle, the search goes on from below it, as often as `escapes` says.
    """
    bare, two, _ = inputs
    eps = jnp.finfo(bare.dtype).eps
    scale = jnp.maximum(jnp.maximum(jnp.max(jnp.abs(bare)), jnp.max(jnp.abs(two))), jnp.finfo(bare.dtype).tiny)
    tolerance = (1000 * eps if method.residual_tolerance is None else method.residual_tolerance) * scale

    def attempt(best, turn):
        start = starts[jnp.minimum(turn, len(starts) - 1)].ravel()
        if escapes:
            start = jax.lax.cond(turn < len(starts), lambda: start, lambda: _below(best[0], inputs, scale))
        vector, descent = _descend(start, inputs, scale, tolerance, method.max_steps)
        vector, error, newton = _newton(vector, inputs, tolerance)
        value = free_energy_of(vector, inputs)
        noise = 16 * eps * (scale + jnp.abs(value))
        spent = (descent >= method.max_steps) | (newton >= _NEWTON_STEPS)
        found = (vector, value, error, descent + newton, spent)
        nearer = (error <= tolerance) & (best[2] > tolerance)
        better = (value < best[1] - noise) | ((value <= best[1] + noise) & nearer)
        return jax.tree_util.tree_map(functools.partial(jnp.where, better), found, best), None

    infinite = jnp.full((), jnp.inf, bare.dtype)
    nothing = (starts[0].ravel(), infinite, infinite, jnp.zeros((), jnp.int32), jnp.asarray(False))
    (vector, _, _, steps, spent), _ = jax.lax.scan(attempt, nothing, jnp.arange(len(starts) + escapes))
    vector, error = _polished(vector, inputs, tolerance)
    result = RESULTS.where(error <= tolerance, RESULTS.optimal, RESULTS.stagnated)
    result = RESULTS.where((error > tolerance) & spent, RESULTS.max_steps_reached, result)
    result = RESULTS.where(jnp.isfinite(error), result, RESULTS.nonfinite)
    curvatures, _, noise = _curvatures(vector, inputs)
    return vector, error, result, {"steps": steps, "unstable": jnp.sum(curvatures < -noise)}


def _descend(vector, inputs, scale, tolerance, max_steps):
    """Steps along `F - M` that lower the free energy, to where Newton's method takes over, and their number."""
    eps = jnp.finfo(vector.dtype).eps

    def judged(vector):
        return free_energy_of(vector, inputs), residual_of(vector, inputs)

    def body(at):
        vector, value, residual, length, steps = at
        trial = vector - length * residual
        new_value, new_residual = judged(trial)
        noise = 16 * eps * (scale + jnp.abs(value))
        # cold states do not change with the size of their field: equal values alone would let a step go to and fro
        nearer = jnp.linalg.norm(new_residual) < (1 - jnp.minimum(length, 1) / 8) * jnp.linalg.norm(residual)
        accept = (new_value < value - noise) | ((new_value <= value + noise) & nearer)
        pick = functools.partial(jnp.where, accept)
        # the secant of the last step: near a transition `F - M` goes to and fro, or vanishes as a third power
        fall = residual - new_residual
        secant = jnp.sum(residual * fall) / jnp.maximum(jnp.sum(fall**2), jnp.finfo(fall.dtype).tiny)
        stretch = jnp.where(secant > 0, jnp.clip(secant, 0.25, 4.0), 2.0)
        length = jnp.where(accept, jnp.clip(stretch * length, 1 / _LONGEST, _LONGEST), length / 2)
        return pick(trial, vector), pick(new_value, value), pick(new_residual, residual), length, steps + 1

    def going(at):
        moves = at[3] > eps  # else only rounding is left
        return (jnp.max(jnp.abs(at[2])) > jnp.maximum(_CLOSE * scale, tolerance)) & (at[4] < max_steps) & moves

    value, residual = judged(vector)
    start = (vector, value, residual, jnp.ones_like(value), jnp.zeros((), jnp.int32))
    vector, _, _, _, steps = jax.lax.while_loop(going, body, start)
    return vector, steps


def _curvatures(vector, inputs):
    """The curvatures of the free energy in the mean field, ascending, their directions, and what counts as 0.

    With `g` the correlations, their weights `w` in `<M>`, and `M - F` the residual, `d<H> - dS / beta = -dg w (M - F)`.
    """
    fields = vector.size // inputs[0].size
    weights = jnp.asarray([1.0, 1.0, -2.0][:fields], vector.dtype)[:, None, None]

    def correlated(vector):
        densities, pairs, _ = correlations_of(matrices_of(vector, inputs), inputs[2])
        return jnp.concatenate([densities, pairs[None]])[:fields]

    def made(change):  # linear, without the bare electrons
        pairs = change[2] if fields == 3 else jnp.zeros_like(change[0])
        normal, anomalous = fields_of((jnp.zeros_like(inputs[0]), *inputs[1:]), change[:2], pairs)
        return jnp.concatenate([normal, anomalous[None]])[:fields]

    slopes = jnp.moveaxis(jax.jacfwd(correlated)(vector), -1, 0)
    moved = jnp.eye(vector.size, dtype=vector.dtype) - jax.vmap(made)(slopes).reshape(vector.size, -1)
    hessian = -contract("ai,bi->ab", (weights * slopes).reshape(vector.size, -1), moved)
    found = decompose((hessian + hessian.T) / 2)
    # those of the entropy set the scale: a cold state may have no other
    size = jnp.maximum(jnp.max(jnp.abs(found.eigenvalues)), jnp.max(jnp.abs(slopes)))
    return found.eigenvalues, found.vectors, jnp.finfo(vector.dtype).eps ** 0.5 * size


def _below(vector, inputs, scale):
    """A mean field of less free energy to either side of a saddle; a minimum stays what it is."""
    curvatures, directions, noise = _curvatures(vector, inputs)
    lowest = jnp.argmin(curvatures)
    lengths = scale * jnp.asarray(np.concatenate([2.0 ** -np.arange(12), -(2.0 ** -np.arange(12))]), vector.dtype)
    trials = vector + lengths[:, None] * directions[:, lowest]
    values = jax.lax.map(lambda trial: free_energy_of(trial, inputs), trials)
    return jnp.where(curvatures[lowest] < -noise, trials[jnp.argmin(values)], vector)


def _step(vector, residual, inputs):
    """Newton's, of least norm where a symmetry leaves a direction open."""
    jacobian = lx.MatrixLinearOperator(jax.jacfwd(residual_of)(vector, inputs))
    # at a transition a singular value falls as the square of the distance, and must stay until the residual, a cube, is small
    solver = lx.SVD(rcond=float(jnp.finfo(vector.dtype).eps) ** 0.75)
    return lx.linear_solve(jacobian, residual, solver, throw=False).value


def _newton(vector, inputs, tolerance):
    """Newton's steps, halved until the residual falls."""

    def body(at):
        vector, residual, _, steps = at
        step = _step(vector, residual, inputs)
        lengths = jnp.asarray(0.5 ** np.arange(5), vector.dtype)
        trials = vector - lengths[:, None] * step
        residuals = jax.lax.map(lambda trial: residual_of(trial, inputs), trials)
        sizes = jnp.linalg.norm(residuals, axis=1)
        better = sizes < (1 - lengths / 4) * jnp.linalg.norm(residual)
        first = jnp.argmax(better)
        moved = better[first]
        return (
            jnp.where(moved, trials[first], vector),
            jnp.where(moved, residuals[first], residual),
            moved,
            steps + 1,
        )

    def going(at):
        return (jnp.max(jnp.abs(at[1])) > tolerance) & at[2] & (at[3] < _NEWTON_STEPS)

    start = (vector, residual_of(vector, inputs), jnp.asarray(True), jnp.zeros((), jnp.int32))
    vector, residual, _, steps = jax.lax.while_loop(going, body, start)
    return vector, jnp.max(jnp.abs(residual)), steps


def _polished(vector, inputs, tolerance):
    """The mean field after one more of Newton's steps, or three at once, where that helps.

    Below the tolerance it may still be far from a root near a transition, and at one, where the root is of third order.
    """
    residual = residual_of(vector, inputs)
    trials = vector - jnp.asarray([1.0, 3.0], vector.dtype)[:, None] * _step(vector, residual, inputs)
    residuals = jax.lax.map(lambda trial: residual_of(trial, inputs), trials)
    best = jnp.argmin(jnp.linalg.norm(residuals, axis=1))
    value, new_value = free_energy_of(vector, inputs), free_energy_of(trials[best], inputs)
    noise = 16 * jnp.finfo(value.dtype).eps * (jnp.max(jnp.abs(vector)) + jnp.abs(value))
    helps = (new_value <= value + noise) & (jnp.linalg.norm(residuals[best]) < jnp.linalg.norm(residual) / 8)
    helps &= jnp.max(jnp.abs(residuals[best])) <= tolerance
    error = jnp.max(jnp.abs(jnp.where(helps, residuals[best], residual)))
    return jnp.where(helps, trials[best], vector), error
