"""From a problem to its fit: which routine of the library answers it, and the numbers of the answer."""

import dataclasses

import numpy as np

from jaxgibbs._solution import RESULTS, Solution, has_failed
from jaxgibbs.fitting import fit_expectations, fit_multipliers

from .complaints import complain
from .problem import Problem

VERDICTS = (
    "optimal",
    "boundary",
    "infeasible",
    "dependent",
    "max_steps_reached",
    "stagnated",
    "nonfinite",
    "truncated",
    "depth_too_small",
    "order_too_small",
    "probes_too_few",
    "not_unique",
    "coherent",
    "oscillating",
    "unstable",
)
"""Names of the members of `RESULTS`, which know their texts alone."""

CERTIFICATE = ("direction", "violation")


@dataclasses.dataclass(frozen=True)
class Fit:
    """Multipliers of some of the charges of a problem, fitted to its targets.

    Args:
        charges: names of the charges, in the order of the arrays.
        multipliers: shape (charges,); NaN where the verdict leaves no finite answer.
        covariance: of the multipliers, shape (charges, charges); None when nothing is known of the errors.
        fitted: expectation values of the observables, shape (observables,).
        chi_square: weighted sum of squared residuals; None where there are no more targets than multipliers.
        probability: of a larger chi-square than this one, were the model right and the errors Gaussian.
        degrees_of_freedom: observables less multipliers.
        verdict: name of the member of `RESULTS`.
        meaning: its text.
        certificate: for targets at or beyond the edge of what states attain, the `direction` n in the space of charges
            and the `violation` n.q - max spec(n.Q).
    """

    charges: list[str]
    multipliers: np.ndarray
    covariance: np.ndarray | None
    fitted: np.ndarray
    chi_square: float | None
    probability: float | None
    degrees_of_freedom: int
    verdict: str
    meaning: str
    certificate: dict[str, np.ndarray] | None = None

    @property
    def deviations(self) -> np.ndarray | None:
        """Standard uncertainties of the multipliers."""
        return None if self.covariance is None else np.sqrt(np.diag(self.covariance))


def solve(problem: Problem, charges: list[str]) -> Fit:
    """Fit the multipliers of `charges` to all targets of `problem`.

    Targets that are the charges themselves determine the multipliers by the maximum-entropy dual, which also tells
    targets that no state has; more targets than that are a least-squares problem.

    Raises:
        InputError: where the library refuses the problem, with its reason.
    """
    route = _by_maximum_entropy if set(problem.observables) == set(charges) else _by_least_squares
    try:
        return route(problem, charges)
    except ValueError as error:
        raise complain(problem.path, str(error)) from None


def _by_maximum_entropy(problem: Problem, charges: list[str]) -> Fit:
    order = [list(problem.observables).index(name) for name in charges]
    known = None if problem.covariance is None else problem.covariance[np.ix_(order, order)]
    solution = fit_multipliers(
        tuple(problem.charges[name] for name in charges),
        problem.targets[order],
        target_covariance=known,
        copies=problem.copies,
        throw=False,
    )
    residuals = np.empty(len(charges))
    residuals[order] = np.asarray(solution.stats["residual"])
    fitted = problem.targets + residuals
    return _fit(problem, charges, solution, fitted)


def _by_least_squares(problem: Problem, charges: list[str]) -> Fit:
    assert problem.covariance is not None, "a problem with more targets than charges has their covariance"
    solution = fit_expectations(
        tuple(problem.charges[name] for name in charges),
        tuple(problem.observables.values()),
        problem.targets,
        problem.covariance,
        initial=problem.start(charges),
        throw=False,
    )
    fitted = np.asarray(solution.stats["fitted"])
    return _fit(problem, charges, solution, fitted)


def _fit(problem: Problem, charges: list[str], solution: Solution, fitted: np.ndarray) -> Fit:
    """The answer in plain arrays; a failed solve keeps its verdict alone."""
    failed = bool(has_failed(solution.result))
    multipliers = np.asarray(solution.value)
    covariance = solution.stats.get("covariance")
    return Fit(
        charges=charges,
        multipliers=np.full_like(multipliers, np.nan) if failed else multipliers,
        covariance=None if failed or covariance is None else np.asarray(covariance),
        fitted=np.full_like(fitted, np.nan) if failed else fitted,
        chi_square=None if failed or "chi_square" not in solution.stats else float(solution.stats["chi_square"]),
        probability=None if failed or "p_value" not in solution.stats else float(solution.stats["p_value"]),
        degrees_of_freedom=len(problem.targets) - len(charges),
        verdict=next(name for name in VERDICTS if solution.result == getattr(RESULTS, name)),
        meaning=RESULTS[solution.result],
        certificate=_certificate(solution),
    )


def _certificate(solution: Solution) -> dict[str, np.ndarray] | None:
    if solution.result == RESULTS.infeasible or solution.result == RESULTS.boundary:
        return {name: np.asarray(solution.stats[name]) for name in CERTIFICATE if name in solution.stats} or None
    return None
