"""Weighted least squares for any differentiable prediction, with bounds, many starts and honest uncertainties."""

import functools
import inspect
import types
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PyTree

from jaxgibbs._errors import check_finite, is_concrete
from jaxgibbs._solution import RESULTS, Solution, conclude
from jaxgibbs.linalg import eigh

from ._implicit import implicit_root
from .least_squares import LeastSquares, Problem, minimise


def fit_model(
    predict,
    parameters: PyTree[ArrayLike],
    data: PyTree[ArrayLike],
    covariance: PyTree[ArrayLike] | None,
    *,
    bounds: tuple[PyTree[ArrayLike], PyTree[ArrayLike]] | None = None,
    starts: PyTree[ArrayLike] | None = None,
    method: LeastSquares = LeastSquares(),
    throw: bool = True,
) -> Solution:
    """Parameters that minimise `chi^2 = (f - y)^T V^-1 (f - y)` for data `y` of covariance `V` and predictions `f`.

    The answer is differentiable in the data, their covariance, the bounds and in whatever arrays `predict` holds, by the
    implicit function theorem; so are all statistics.

    Args:
        predict: differentiable function from a pytree like `parameters` to one like `data`. A function defined once (not a
            new `lambda` a call), or an `eqx.Module` whose leaves are arrays, is compiled once.
        parameters: pytree of real arrays, where the search starts.
        data: pytree of real arrays.
        covariance: of the flattened data: a matrix, or variances shaped like `data`. `None` stands for equal errors of unknown
            size, which are then estimated from the residuals.
        bounds: `(lower, upper)`, each a scalar or a pytree like `parameters` (`-inf` and `inf` for none). By projection:
            parameters are clipped to them, and one that the data push outwards stays at its bound.
        starts: further starting points, pytree like `parameters` with one more leading axis; all are run as one batch and
            the best is returned.
        method: tolerances and limits.
        throw: whether a numerical failure raises.

    Returns:
        `Solution` with the fitted parameters as `value` and their standard errors as `error`. `result` is `optimal`, or
        `dependent` if the data leave some combination of parameters open (their errors are infinite). `stats` holds
        `covariance` of the flattened parameters, `chi_square`, `degrees_of_freedom`, `p_value`, `residual` (in standard
        deviations), `fitted`, `at_bound` (such parameters count as fixed: their errors are 0), `decrement`, `steps`, and
        `chi_squares` of all starts.

    Raises:
        ValueError: if shapes do not fit, numbers are not finite, `covariance` is not positive definite, or a bound is crossed.
        RuntimeError: on a numerical failure.
    """
    parameters = jax.tree_util.tree_map(_real, parameters)
    data = jax.tree_util.tree_map(_real, data)
    points = _points(parameters, starts)
    problem = Problem(
        _as_pytree(predict, parameters),
        parameters,
        ravel_pytree(data)[0],
        _deviations(covariance, data),
        _checked_bounds(bounds, parameters, points),
    )
    check_finite("parameters", points)
    check_finite("data", problem.data)

    concrete = is_concrete(problem, points)
    end = _search(*((problem, points) if concrete else jax.lax.stop_gradient((problem, points))), method)
    flat = end.point
    if not concrete:
        flat = implicit_root(_stationarity, flat, (problem, end.held))
    value, error, result, stats = _statistics(problem, flat, end.held, covariance is None, method)
    stats = stats | {"steps": end.steps, "chi_squares": end.chi_squares}
    return conclude(Solution(value, error, result, stats), throw)


class _Found(NamedTuple):
    point: Float[Array, " parameters"]
    held: Bool[Array, " parameters"]
    steps: Int[Array, ""]
    chi_squares: Float[Array, " starts"]


@jax.jit
def _search(problem: Problem, points, method) -> _Found:
    """The best end of searches from all points."""
    ends = jax.vmap(lambda point: minimise(problem, point, method))(points)
    chi_squares = jnp.sum(ends.residual**2, axis=-1)
    chi_squares = jnp.where(jnp.isnan(chi_squares), jnp.inf, chi_squares)
    best = jnp.argmin(chi_squares)
    return _Found(ends.point[best], ends.held[best], jnp.sum(ends.steps), chi_squares)


def _stationarity(flat, inputs):
    """Vanishes at the fit: the gradient of chi^2 / 2, or the distance to the bound a parameter is held at."""
    problem, held = inputs
    residual, pull = jax.vjp(problem.residual, flat)
    (gradient,) = pull(residual)
    if problem.bounds is None:
        return gradient
    lower, upper = problem.bounds
    bound = jnp.where(jnp.abs(flat - lower) < jnp.abs(flat - upper), lower, upper)
    return jnp.where(held, flat - bound, gradient)


@functools.partial(jax.jit, static_argnames="unknown_size")
def _statistics(problem: Problem, flat, held, unknown_size: bool, method):
    """Value, standard errors, verdict and goodness of fit at the parameters `flat`."""
    dtype = flat.dtype
    jacobian, (residual, fitted) = jax.jacfwd(problem.residual_and_prediction, has_aux=True)(flat)
    jacobian = jnp.where(held, 0, jacobian)
    lengths = jnp.linalg.norm(jacobian, axis=0)
    felt = lengths > 0
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
    p_value = jnp.where(freedom > 0, jax.scipy.special.gammaincc(jnp.maximum(freedom, 1) / 2, chi_square / 2), jnp.nan)
    decrement = jnp.linalg.norm(mixed.T @ (jacobian.T @ residual))
    if unknown_size:
        size = jnp.where(freedom > 0, chi_square / jnp.maximum(freedom, 1), jnp.nan)
        covariance, p_value, decrement = covariance * size, jnp.nan * p_value, decrement / jnp.sqrt(size)
    covariance = jnp.where(jnp.diag(blind), jnp.inf, covariance)

    finite = jnp.isfinite(chi_square) & jnp.all(jnp.isfinite(flat))
    result = RESULTS.where(jnp.any(blind), RESULTS.dependent, RESULTS.optimal)
    misfit = jnp.sqrt(jnp.maximum(chi_square / jnp.maximum(freedom, 1), 1))
    result = RESULTS.where(decrement <= misfit * method.accepted(dtype), result, RESULTS.max_steps_reached)
    result = RESULTS.where(finite, result, RESULTS.nonfinite)
    stats = {
        "covariance": covariance,
        "chi_square": chi_square,
        "degrees_of_freedom": freedom,
        "p_value": p_value,
        "residual": residual,
        "fitted": fitted,
        "at_bound": held,
        "decrement": decrement,
    }
    return problem.shaped(flat), problem.shaped(jnp.sqrt(jnp.diag(covariance))), result, stats


def _real(leaf):
    array = jnp.asarray(leaf)
    if jnp.iscomplexobj(array):
        raise ValueError(
            f"Parameters and data must be real, but have dtype {array.dtype}; split real and imaginary parts."
        )
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(jnp.result_type(float))


def _points(parameters, starts):
    """All starting points, flattened, one a row."""
    first = ravel_pytree(parameters)[0]
    if first.size == 0:
        raise ValueError("`parameters` must hold at least one number, but is empty.")
    if starts is None:
        return first[None]
    starts = jax.tree_util.tree_map(_real, starts)
    shapes = jax.tree_util.tree_map(lambda s, p: s.ndim == p.ndim + 1 and s.shape[1:] == p.shape, starts, parameters)
    if not all(jax.tree_util.tree_leaves(shapes)):
        raise ValueError("`starts` must be shaped like `parameters` with one more leading axis, but is not.")
    others = jax.vmap(lambda point: ravel_pytree(point)[0])(starts)
    return jnp.concatenate([first[None], others.astype(first.dtype)])


def _checked_bounds(bounds, parameters, points):
    if bounds is None:
        return None
    lower, upper = (_flat_bound(bound, parameters, points.dtype) for bound in bounds)
    if is_concrete(lower, upper, points):
        low, high, rows = (np.asarray(x) for x in (lower, upper, points))
        if not np.all(low < high):
            raise ValueError(f"`bounds` must have every lower below its upper, but have {low} and {high}.")
        if np.any(rows < low) or np.any(rows > high):
            raise ValueError(f"Starting points must lie within `bounds`, but some do not: {rows} with {low} to {high}.")
    return lower, upper


def _flat_bound(bound, parameters, dtype):
    if jax.tree_util.tree_structure(bound) != jax.tree_util.tree_structure(parameters):
        bound = jax.tree_util.tree_map(lambda _: bound, parameters)
    spread = jax.tree_util.tree_map(lambda b, p: jnp.broadcast_to(jnp.asarray(b, dtype), p.shape), bound, parameters)
    return ravel_pytree(spread)[0]


def _deviations(covariance, data):
    """Standard deviations of the flattened data, or the Cholesky factor of their covariance."""
    flat = ravel_pytree(data)[0]
    if flat.size == 0:
        raise ValueError("`data` must hold at least one number, but is empty.")
    if covariance is None:
        return jnp.ones_like(flat)
    if jax.tree_util.tree_structure(covariance) != jax.tree_util.tree_structure(data):
        covariance = jnp.asarray(covariance)  # a list of numbers, or one matrix for all data
    shapes = [jnp.shape(leaf) for leaf in jax.tree_util.tree_leaves(covariance)]
    if shapes == [leaf.shape for leaf in jax.tree_util.tree_leaves(data)]:
        variances = ravel_pytree(jax.tree_util.tree_map(_real, covariance))[0].astype(flat.dtype)
        if is_concrete(variances) and not np.all((np.asarray(variances) > 0) & np.isfinite(np.asarray(variances))):
            raise ValueError("The variances in `covariance` must be positive and finite, but some are not.")
        return jnp.sqrt(variances)
    matrix = jnp.asarray(covariance)
    if matrix.shape != (flat.size, flat.size):
        raise ValueError(
            f"`covariance` must have shape {(flat.size, flat.size)} or hold variances shaped like `data`, but has shape "
            f"{matrix.shape}."
        )
    factor = jnp.linalg.cholesky(matrix.astype(flat.dtype))
    if is_concrete(factor) and not np.all(np.isfinite(np.asarray(factor))):
        raise ValueError("`covariance` must be positive definite, but has no Cholesky factor.")
    return factor


def _as_pytree(predict, parameters):
    """`predict` as a pytree: traced arrays that it closes over become leaves, which derivatives can reach."""
    if isinstance(predict, eqx.Module | jax.tree_util.Partial):
        return predict
    if is_concrete(*_captured(predict)):
        return jax.tree_util.Partial(predict)
    converted, constants = jax.closure_convert(predict, parameters)
    return jax.tree_util.Partial(_Swapped(converted), constants)


class _Swapped:
    """A function whose captured values come first."""

    def __init__(self, function):
        self.function = function

    def __call__(self, constants, parameters):
        return self.function(parameters, *constants)


def _captured(function, depth: int = 3) -> list:
    """What a Python function holds: closure, defaults, bound object, arguments of a partial; and what functions among it hold."""
    held = []
    if isinstance(function, functools.partial):
        held += [function.func, function.args, function.keywords]
    if isinstance(function, types.MethodType):
        held += [function.__self__, function.__func__]
    if isinstance(function, types.FunctionType):
        held += list(inspect.getclosurevars(function).nonlocals.values()) + list(function.__defaults__ or ())
    if depth:
        held += [inner for value in held if callable(value) for inner in _captured(value, depth - 1)]
    return held
