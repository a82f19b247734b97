"""Profile likelihoods: how far a parameter may move when all others follow, where the covariance does not say."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from jaxgibbs._solution import has_failed

from .curves import Box, CurveFit
from .least_squares import LeastSquares
from .model import fit_from_each

_STARTS = 8  # of the search for the other parameters
_POINTS = 16  # on each side of the best fit, twice


class _Pinned:
    """A prediction with one parameter held."""

    def __init__(self, predict, name):
        self.predict, self.name = predict, name

    def __call__(self, held, parameters):
        return self.predict(parameters | {self.name: held})


def profile_chi_square(
    predict,
    limits: dict[str, tuple[float, float]],
    data: Float[ArrayLike, " data"],
    variances: Float[ArrayLike, " data"] | None,
    name: str,
    values: Float[ArrayLike, " values"],
    *,
    fit: CurveFit,
    method: LeastSquares = LeastSquares(),
) -> np.ndarray:
    """`chi^2` with one parameter held at each of `values` and all others fitted: the profile likelihood is `exp(-chi^2/2)`.

    The others are searched for within their limits, from every minimum of `fit` and from a Sobol design. Where `variances`
    is `None`, `chi^2` is in units of its estimate from the best fit, so that a rise by 1 is a standard error.

    Args:
        predict: as for `fit_curve`.
        limits: as for `fit_curve`.
        data: as for `fit_curve`.
        variances: as for `fit_curve`.
        name: of the parameter that is held.
        values: at which, within its limits.
        fit: what `fit_curve` found with the same arguments.
        method: tolerances of the search.

    Raises:
        ValueError: if there is no other parameter, or a value lies outside the limits.
    """
    profile = _Profile(predict, limits, data, variances, name, fit, method)
    values = np.atleast_1d(np.asarray(values, float))
    low, high = limits[name]
    if not np.all((low <= values) & (values <= high)):
        raise ValueError(f"`values` must lie within the limits of {name!r}, {low} to {high}, but are {values}.")
    return profile(values)


def profile_interval(
    predict,
    limits: dict[str, tuple[float, float]],
    data: Float[ArrayLike, " data"],
    variances: Float[ArrayLike, " data"] | None,
    name: str,
    *,
    fit: CurveFit,
    rise: float = 1.0,
    method: LeastSquares = LeastSquares(),
) -> tuple[float, float]:
    """Where the profile of `chi^2` first exceeds its minimum by `rise`, below the best fit and above it.

    With a rise of 1 these are one standard error away where `chi^2` is a parabola; where they are not, the covariance lies,
    and this interval is the one to quote. A side on which `chi^2` does not rise so far ends at the limit.

    Args:
        predict: as for `fit_curve`, and so are `limits`, `data`, `variances` and `method`.
        limits: see there.
        data: see there.
        variances: see there.
        name: of the parameter.
        fit: what `fit_curve` found with the same arguments.
        rise: 1 for 68 %, 3.84 for 95 % confidence.
        method: see there.

    Reference: Venzon and Moolgavkar, Appl. Statist. 37, 87 (1988).
    """
    if not rise > 0:
        raise ValueError(f"`rise` must be positive, but is {rise}.")
    profile = _Profile(predict, limits, data, variances, name, fit, method)
    best, error, (low, high) = fit.value[name], fit.error[name], limits[name]
    width = high - low
    step = error / 4 if 0 < error < width else 1e-4 * width
    brackets = [_away(best, end, step) for end in (low, high)]
    for last in (False, True):
        rises = profile(np.concatenate(brackets)).reshape(2, _POINTS) - profile.lowest
        found = [_crossing(values, up, rise) for values, up in zip(brackets, rises, strict=True)]
        if last:
            return found[0][1], found[1][1]
        brackets = [np.linspace(*ends, _POINTS) for ends, _ in found]
    raise AssertionError


def _away(best: float, end: float, step: float) -> np.ndarray:
    """From `best` to a limit, in steps that grow."""
    distance = abs(end - best)
    far = np.geomspace(min(step, distance / 2), distance, _POINTS - 1) if distance > 0 else np.zeros(_POINTS - 1)
    return np.clip(best + np.sign(end - best) * np.append(0, far), min(best, end), max(best, end))


def _crossing(values, rises, rise) -> tuple[tuple[float, float], float]:
    """The neighbours between which the rise is reached first, and where, by a line through the roots of the rises."""
    above = np.flatnonzero(~(rises < rise))
    if len(above) == 0:
        return (values[-1], values[-1]), float(values[-1])
    k = max(int(above[0]), 1)
    low, high = np.sqrt(np.maximum(rises[k - 1 : k + 1], 0))
    share = (np.sqrt(rise) - low) / (high - low) if high > low else 0.0
    return (values[k - 1], values[k]), float(values[k - 1] + min(share, 1.0) * (values[k] - values[k - 1]))


class _Profile:
    """`chi^2` in standard units at values of one parameter, compiled once for each number of values."""

    def __init__(self, predict, limits, data, variances, name, fit: CurveFit, method):
        if name not in limits or len(limits) < 2:
            raise ValueError(f"`name` must be one of at least two parameters {sorted(limits)}, but is {name!r}.")
        box = Box({other: limits[other] for other in limits if other != name})
        known = [[minimum.value[n] for n in box.names] for minimum in fit.minima[: _STARTS // 2]]
        starts = np.clip(np.concatenate([known, box.design(_STARTS)])[:_STARTS], box.lower, box.upper)
        pinned, measured = _Pinned(predict, name), np.asarray(data, float)
        size = fit.reduced_chi_square if variances is None else 1.0
        self.lowest = fit.minima[0].chi_square / size

        def at(value):
            held = jax.tree_util.Partial(pinned, value)
            ends = fit_from_each(
                held,
                box.named(starts[0]),
                measured,
                variances,
                starts=box.named(starts[1:]),
                bounds=box.bounds,
                method=method,
            )
            ended = jnp.where(has_failed(ends.result), jnp.inf, ends.stats["chi_square"])
            lowest = jnp.min(ended)
            return jnp.where(jnp.isinf(lowest), jnp.nan, lowest) / size

        self._at = jax.jit(jax.vmap(at))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(self._at(jnp.asarray(values, float)))
