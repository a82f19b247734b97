"""Weighted least squares for any differentiable prediction, with bounds, many starts and honest uncertainties."""

import functools
import inspect
import types

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, ArrayLike, Float, PyTree

from jaxgibbs._errors import check_finite, is_concrete
from jaxgibbs._solution import Solution, conclude
from jaxgibbs.linalg.implicit import implicit_root

from .goodness import statistics
from .least_squares import LeastSquares, Problem, linearised, minimise


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
        `chi_squares` and `ends` of all starts.

    Raises:
        ValueError: if shapes do not fit, numbers are not finite, `covariance` is not positive definite, or a bound is crossed.
        RuntimeError: on a numerical failure.
    """
    problem, points = _posed(predict, parameters, data, covariance, bounds, starts)
    if is_concrete(problem, points):
        best, every = _solved(problem, points, method)
    else:
        found, every = _solved(*jax.lax.stop_gradient((problem, points)), method)
        flat, held = ravel_pytree(found.value)[0], found.stats["at_bound"]
        flat = implicit_root(_stationarity, flat, (problem, held))
        best = _at(problem, flat, held, method)
    stats = {"steps": jnp.sum(every.stats["steps"]), "chi_squares": every.stats["chi_square"], "ends": every.value}
    return conclude(Solution(best.value, best.error, best.result, best.stats | stats), throw)


def fit_from_each(
    predict,
    parameters: PyTree[ArrayLike],
    data: PyTree[ArrayLike],
    covariance: PyTree[ArrayLike] | None,
    *,
    starts: PyTree[ArrayLike],
    bounds: tuple[PyTree[ArrayLike], PyTree[ArrayLike]] | None = None,
    method: LeastSquares = LeastSquares(),
) -> Solution:
    """The answer of `fit_model` from each of several starting points: every leaf has one more axis, in front.

    Args: as of `fit_model`; `parameters` is the first of the starting points.
    """
    problem, points = _posed(predict, parameters, data, covariance, bounds, starts)
    return _solved(problem, points, method)[1]


@jax.jit
def _solved(problem: Problem, points, method) -> tuple[Solution, Solution]:
    """The answer of the best search and those of all, compiled together: the prediction is linearised in one place."""
    ends = minimise(problem, points, method)
    every = jax.vmap(lambda end: statistics(problem, end, method))(ends)
    chi_squares = every.stats["chi_square"]
    best = jnp.argmin(jnp.where(jnp.isnan(chi_squares), jnp.inf, chi_squares))
    return jax.tree_util.tree_map(lambda x: x[best], every), every


@jax.jit
def _at(problem: Problem, flat, held, method) -> Solution:
    """The answer, differentiable in everything, at the parameters `flat`."""
    return statistics(problem, linearised(problem, flat, held), method)


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


def _posed(predict, parameters, data, covariance, bounds, starts) -> tuple[Problem, Float[Array, "starts parameters"]]:
    """The problem and all starting points, checked."""
    parameters = jax.tree_util.tree_map(_real, parameters)
    data = jax.tree_util.tree_map(_real, data)
    points = _points(parameters, starts)
    problem = Problem(
        _as_pytree(predict, parameters),
        parameters,
        ravel_pytree(data)[0],
        _deviations(covariance, data),
        _checked_bounds(bounds, parameters, points),
        covariance is None,
    )
    check_finite("parameters", points)
    check_finite("data", problem.data)
    return problem, points


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
