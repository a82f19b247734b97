"""Every model of a problem of curves fitted, the models weighed, and the profiles of the one that is preferred."""

import dataclasses
from collections.abc import Callable

import numpy as np

from jaxgibbs.fitting import CurveFit, LeastSquares, Minimum, akaike_weights, fit_curve, profile_interval

from .complaints import complain, listing
from .curve_problem import CurveProblem


class NoMinimum(Exception):
    """No start of a model came to a minimum."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """All fits of a problem.

    Args:
        fits: by the names of their free parameters, in the order of the file.
        weights: of Akaike, likewise.
        intervals: of the preferred model, by name of a parameter: where its profile of chi-square rises by 1.
    """

    fits: dict[tuple[str, ...], CurveFit]
    weights: dict[tuple[str, ...], float]
    intervals: dict[str, tuple[float, float]]

    @property
    def preferred(self) -> tuple[str, ...]:
        """The model of the least AICc."""
        return max(self.weights, key=lambda free: self.weights[free])

    @property
    def best(self) -> CurveFit:
        """Its fit."""
        return self.fits[self.preferred]


def fit_models(problem: CurveProblem, step: Callable[[str], None]) -> Answer:
    """Fit every model of the problem.

    Args:
        problem: what to fit.
        step: announces what is done next.

    Raises:
        InputError: where the library refuses the problem, with its reason.
        NoMinimum: with what to try.
    """
    method = LeastSquares(max_steps=problem.max_steps)
    data = problem.measured, problem.variances
    fits = {}
    for free in problem.compare:
        step(f"fitting {', '.join(free)} to {len(data[0])} points from {problem.starts} starts")
        try:
            fits[free] = fit_curve(
                problem.prediction(free), problem.limits(free), *data, starts=problem.starts, method=method
            )
        except ValueError as error:
            raise complain(problem.path, str(error)) from None
        except RuntimeError as error:
            raise NoMinimum(f"{', '.join(free)}: {error}") from None
    named = {", ".join(free): fit for free, fit in fits.items()}
    weights = dict(zip(fits, akaike_weights(named).values(), strict=True))
    answer = Answer(fits, weights, {})
    return dataclasses.replace(answer, intervals=_intervals(problem, answer, method, step))


def _intervals(problem: CurveProblem, answer: Answer, method, step) -> dict[str, tuple[float, float]]:
    """Of what the file asks for; a parameter alone in its model has no others to follow it."""
    free, found = answer.preferred, {}
    if len(free) == 1:
        return found
    for name in (name for name in free if name in problem.profile):
        step(f"profile of {name}")
        data = problem.measured, problem.variances
        found[name] = profile_interval(
            problem.prediction(free), problem.limits(free), *data, name, fit=answer.best, method=method
        )
    return found


def verdict_of(minimum: Minimum) -> tuple[str, str]:
    """Name and meaning of what a minimum is."""
    if minimum.at_bound:
        return "boundary", f"The data push {listing(minimum.at_bound)} beyond the limits under [parameters]."
    open_ = [name for name, error in minimum.error.items() if not np.isfinite(error)]
    if open_:
        return (
            "dependent",
            f"To first order the data leave {listing(open_)} open: see the profile, fix some, or tie them by one name.",
        )
    return "optimal", "A minimum inside the limits, where the data determine every parameter."
