"""Fits of measured curves: every minimum in a box, their uncertainties, and which model the data prefer."""

import dataclasses
import math

import jax
import numpy as np
from jaxtyping import ArrayLike, Float

from jaxgibbs._errors import check_finite
from jaxgibbs._solution import has_failed

from .least_squares import LeastSquares
from .model import fit_from_each

MORE = "Raise `max_steps` of the method, or draw the limits closer."


@dataclasses.dataclass(frozen=True)
class Minimum:
    """One minimum of `chi^2` in the box.

    Attributes:
        value: parameters by name.
        error: their standard errors; 0 at a bound, infinite where the data leave a parameter open.
        covariance: `(parameters, parameters)`, in the order of the names, sorted.
        chi_square: sum of squared residuals in standard deviations (in units of the data where their errors are unknown).
        reached: how many starts ended here.
        at_bound: names of the parameters at a bound, which the data push outwards: such a minimum is one of the box, not
            one of `chi^2`, and wider limits would move it.
    """

    value: dict[str, float]
    error: dict[str, float]
    covariance: np.ndarray
    chi_square: float
    reached: int
    at_bound: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class CurveFit:
    """What a measured curve says about a model.

    Attributes:
        minima: every distinct one, the best first.
        unfinished: how many starts ended at no minimum: for want of steps, at a saddle, or because the prediction is no
            number there.
        residual: measured minus fitted at the best, in standard deviations (units of the data if these are unknown).
        fitted: the prediction at the best.
        degrees_of_freedom: points less parameters that are not at a bound.
        p_value: probability of a `chi^2` as large, NaN where the errors of the data are unknown.
        aicc: Akaike's criterion with Hurvich and Tsai's correction, up to a constant of the data.
        runs_z: standard score of the number of runs of equal sign (Wald and Wolfowitz 1940); far below 0, the residuals
            are systematic.
        runs_p: probability of so few runs, or fewer, if residuals were independent.
    """

    minima: tuple[Minimum, ...]
    unfinished: int
    residual: np.ndarray
    fitted: np.ndarray
    degrees_of_freedom: int
    p_value: float
    aicc: float
    runs_z: float
    runs_p: float

    @property
    def value(self) -> dict[str, float]:
        """Parameters of the best minimum."""
        return self.minima[0].value

    @property
    def error(self) -> dict[str, float]:
        """Standard errors at the best minimum."""
        return self.minima[0].error

    @property
    def reduced_chi_square(self) -> float:
        """`chi^2` for each degree of freedom."""
        return self.minima[0].chi_square / self.degrees_of_freedom


def fit_curve(
    predict,
    limits: dict[str, tuple[float, float]],
    data: Float[ArrayLike, " data"],
    variances: Float[ArrayLike, " data"] | None = None,
    *,
    starts: int = 32,
    method: LeastSquares = LeastSquares(),
) -> CurveFit:
    """Fit a curve from a Sobol design of starting points in a box, and report every minimum they reach.

    Args:
        predict: differentiable function from parameters by name to the curve; see `fit_model`.
        limits: lower and upper bound of each parameter, finite: they span the design.
        data: the measured curve, in the order of its abscissa (of which the runs test makes use).
        variances: of the data. `None` for equal errors of unknown size, which are then taken from the residuals.
        starts: number of starting points, a power of two, run as one batch.
        method: tolerances of the search.

    Raises:
        ValueError: if a limit is not finite or crossed, `starts` is no power of two, or there are too few data.
        RuntimeError: if no start comes to a minimum, or a search that ended at none got below them all.

    Reference: Burnham and Anderson (2002), Model Selection and Multimodel Inference.
    """
    box = Box(limits)
    measured = np.asarray(data, float)
    if measured.size < len(box.names) + 3:
        raise ValueError(
            f"`data` must have at least {len(box.names) + 3} points for {len(box.names)} parameters, but have "
            f"{measured.size}."
        )
    points = box.design(starts)
    answers = fit_from_each(
        predict,
        box.named(points[0]),
        measured,
        variances,
        starts=box.named(points[1:]),
        bounds=box.bounds,
        method=method,
    )
    answers = jax.tree_util.tree_map(np.asarray, answers)
    minima, first = _distinct(answers, box, _Beside(predict, box, measured, variances))
    best = jax.tree_util.tree_map(lambda x: x[first], answers.stats)
    residual = -best["residual"]
    z, p = _runs(residual)
    return CurveFit(
        minima,
        starts - sum(minimum.reached for minimum in minima),
        residual,
        best["fitted"],
        int(best["degrees_of_freedom"]),
        float(best["p_value"]),
        _aicc(minima[0].chi_square, measured.size, len(box.names), variances is None),
        z,
        p,
    )


def akaike_weights(fits: dict[str, CurveFit]) -> dict[str, float]:
    """Relative likelihoods of models of the same data, `w ~ exp(-AICc / 2)`, which sum to one.

    Args:
        fits: of the same data with the same variances, by name.
    """
    lowest = min(fit.aicc for fit in fits.values())
    weights = {name: math.exp((lowest - fit.aicc) / 2) for name, fit in fits.items()}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


class Box:
    """Limits of named parameters, in the order of the names."""

    def __init__(self, limits: dict[str, tuple[float, float]]):
        self.names = sorted(limits)
        if not self.names:
            raise ValueError("`limits` must name at least one parameter to fit, but is empty.")
        self.lower, self.upper = (np.array([float(limits[name][side]) for name in self.names]) for side in (0, 1))
        check_finite("limits", np.stack([self.lower, self.upper]))
        if not np.all(self.lower < self.upper):
            raise ValueError(f"`limits` must have every lower below its upper, but are {limits}.")
        self.bounds = self.named(self.lower), self.named(self.upper)
        self.widths = self.upper - self.lower

    def named(self, values) -> dict:
        """The last axis of an array as parameters."""
        return {name: values[..., i] for i, name in enumerate(self.names)}

    def design(self, count: int) -> np.ndarray:
        """Points that fill the box evenly, one a row; scrambled, as plain ones lie on its planes of symmetry."""
        if count < 1 or count & (count - 1):
            raise ValueError(f"`starts` must be a power of two, as a Sobol design is, but is {count}.")
        from scipy.stats import qmc  # takes half a second, which other fits need not wait for

        points = qmc.Sobol(len(self.names), scramble=True, rng=0).random(count)
        return self.lower + self.widths * (0.01 + 0.98 * points)


class _Beside:
    """`chi^2` beside a point: whether it falls where no slope leads, at a saddle, and what differences count."""

    def __init__(self, predict, box: Box, measured, variances):
        self.predict, self.box, self.measured = jax.jit(jax.vmap(predict)), box, measured
        self.unknown_size = variances is None
        self.deviations = np.ones_like(measured) if variances is None else np.sqrt(np.asarray(variances, float))

    def tolerance(self, chi_square: float) -> float:
        """A difference that is none: a thousandth of the rise in a standard error, or what rounding makes."""
        freedom = max(self.measured.size - len(self.box.names), 1)
        size = chi_square / freedom if self.unknown_size else 1.0
        return 1e-3 * size + 1e-6 * chi_square + 1e-26 * float(np.sum((self.measured / self.deviations) ** 2))

    def falls(self, point: np.ndarray, open_: np.ndarray) -> bool:
        """Try each parameter of `open_`, with the others held."""
        if not np.any(open_):
            return False
        steps = np.concatenate([np.diag(self.box.widths * share) for share in (0.0, 1e-3, -1e-3, 1e-2, -1e-2)])
        tried = np.clip(point + steps, self.box.lower, self.box.upper)
        residuals = (np.asarray(self.predict(self.box.named(tried))) - self.measured) / self.deviations
        here, *beside = np.split(np.sum(residuals**2, axis=1), 5)
        return bool(np.any(np.stack(beside)[:, open_] < (1 - 1e-6) * here[open_]))


def _distinct(answers, box: Box, beside: _Beside) -> tuple[tuple[Minimum, ...], int]:
    """The minima that differ, the best first, and the number of the start that came to the best.

    Two ends are one minimum where every parameter agrees within a ten-thousandth of its limits or a hundredth of its
    standard error, and `chi^2` within what it is known to: a parameter that the data leave open has no value to differ in.
    """
    chi_squares = answers.stats["chi_square"]
    ends, errors = (np.stack([tree[name] for name in box.names], axis=-1) for tree in (answers.value, answers.error))
    found: list[list[int]] = []
    for i in np.argsort(chi_squares):
        if has_failed(jax.tree_util.tree_map(lambda x, i=i: x[i], answers.result)):
            continue
        for group in found:
            near = np.abs(ends[group[0]] - ends[i]) <= np.maximum(1e-4 * box.widths, 1e-2 * errors[group[0]])
            if np.all(near) and chi_squares[i] - chi_squares[group[0]] <= beside.tolerance(chi_squares[group[0]]):
                group.append(i)
                break
        else:
            found.append([i])
    found = [group for group in found if not beside.falls(ends[group[0]], ~np.isfinite(errors[group[0]]))]
    if not found:
        raise RuntimeError(
            "No start came to a minimum: the prediction is no number at any of them. Check `predict` within `limits`, and "
            "where it is asked for: no temperature may be 0."
            if not np.any(np.isfinite(chi_squares))
            else f"No start came to a minimum in the steps allowed; the lowest `chi^2` is {np.nanmin(chi_squares):.6g}. {MORE}"
        )
    best = chi_squares[found[0][0]]
    if np.nanmin(chi_squares) < best - beside.tolerance(best):
        raise RuntimeError(
            f"The lowest `chi^2`, {np.nanmin(chi_squares):.6g}, is of a search that ended at no minimum, below the best that "
            f"was reached, {best:.6g}. {MORE}"
        )
    minima = [
        Minimum(
            {name: float(x) for name, x in zip(box.names, ends[group[0]], strict=True)},
            {name: float(x) for name, x in zip(box.names, errors[group[0]], strict=True)},
            answers.stats["covariance"][group[0]],
            float(chi_squares[group[0]]),
            len(group),
            tuple(name for name, held in zip(box.names, answers.stats["at_bound"][group[0]], strict=True) if held),
        )
        for group in found
    ]
    return tuple(minima), int(found[0][0])


def _aicc(chi_square, points, parameters, unknown_size) -> float:
    count = parameters + unknown_size  # the size of the errors is a parameter too
    deviance = points * math.log(chi_square / points) if unknown_size else chi_square
    return deviance + 2 * count * points / (points - count - 1)


def _runs(residual) -> tuple[float, float]:
    """Wald and Wolfowitz's test: z score of the number of runs, and the probability of so few."""
    signs = residual[residual != 0] > 0
    ups, downs = int(np.sum(signs)), int(np.sum(~signs))
    if min(ups, downs) == 0 or signs.size < 3:
        return math.nan, math.nan
    runs = 1 + int(np.sum(signs[1:] != signs[:-1]))
    total = ups + downs
    mean = 1 + 2 * ups * downs / total
    variance = (mean - 1) * (mean - 2) / (total - 1)
    z = (runs - mean) / math.sqrt(variance) if variance > 0 else math.nan
    return z, math.erfc(-z / math.sqrt(2)) / 2
