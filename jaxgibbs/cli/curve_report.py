"""What fits of curves say: the contents of result.json, the table on the screen, and the lines of the figure."""

from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jaxgibbs.fitting import CurveFit, Minimum

from .curve_fit import Answer, verdict_of
from .curve_problem import CurveProblem
from .figures import pretty
from .numbers import typeset, with_uncertainty
from .report import versions

SYSTEMATIC = 0.01
"""Below this chance of so few runs of equal sign, residuals are called systematic."""
SKEW = 0.1
"""From this fraction of the standard error, the profile says something else than the covariance."""


def curve_record(problem: CurveProblem, answer: Answer) -> dict[str, Any]:
    """All that result.json holds."""
    verdict, meaning = verdict_of(answer.best.minima[0])
    return {
        "title": problem.title,
        "note": problem.note,
        "problem": problem.path.name,
        "convention": problem.molecule.convention.symbol,
        "preferred": list(answer.preferred),
        "verdict": verdict,
        "meaning": meaning,
        "parameters": {
            name: {
                "value": answer.best.value[name],
                "uncertainty": answer.best.error[name],
                "interval": answer.intervals.get(name),
                "unit": problem.parameters[name].unit,
            }
            for name in answer.preferred
        },
        "fixed": {name: p.value for name, p in problem.parameters.items() if name not in answer.preferred},
        "models": [_model_record(problem, answer, free) for free in answer.fits],
        "data": _data_record(problem, answer.best),
        "versions": versions(),
    }


def _model_record(problem: CurveProblem, answer: Answer, free) -> dict[str, Any]:
    fit = answer.fits[free]
    return {
        "free": list(free),
        "aicc": fit.aicc,
        "weight": answer.weights[free],
        "chi_square": fit.minima[0].chi_square,
        "degrees_of_freedom": fit.degrees_of_freedom,
        "probability": fit.p_value,
        "runs_z": fit.runs_z,
        "runs_probability": fit.runs_p,
        "covariance_order": sorted(free),
        "minima": [_minimum_record(minimum) for minimum in fit.minima],
        "unfinished_starts": fit.unfinished,
    }


def _minimum_record(minimum: Minimum) -> dict[str, Any]:
    verdict, meaning = verdict_of(minimum)
    return {
        "verdict": verdict,
        "meaning": meaning,
        "value": minimum.value,
        "uncertainty": minimum.error,
        "covariance": minimum.covariance,
        "chi_square": minimum.chi_square,
        "starts": minimum.reached,
    }


def _data_record(problem: CurveProblem, fit: CurveFit) -> dict[str, Any]:
    found, start = {}, 0
    for curve in problem.curves:
        part = slice(start, start + len(curve.values))
        start = part.stop
        found[curve.name] = {
            "quantity": curve.at.quantity,
            "unit": curve.unit,
            "temperature": curve.at.temperature,
            "field": None if curve.at.field is None else np.asarray(curve.at.field),
            "measured": curve.values,
            "uncertainty": curve.deviations,
            "fitted": fit.fitted[part],
            "residual": curve.values - fit.fitted[part],
        }
    return found


def curve_summary(problem: CurveProblem, answer: Answer) -> list[str]:
    """The preferred model in a few lines."""
    fit = answer.best
    lines = [
        f"{typeset(name)} = {typeset(with_uncertainty(fit.value[name], _error(fit, name)))} "
        f"{pretty(problem.parameters[name].unit)}".rstrip()
        for name in answer.preferred
    ]
    verdict, _ = verdict_of(fit.minima[0])
    return lines if verdict == "optimal" else [*lines, f"verdict: {verdict}"]


def print_curves(console: Console, problem: CurveProblem, answer: Answer) -> None:
    """The table of all models, the minima and profiles of the preferred one, and what its residuals look like."""
    console.print(f"\n[bold]{escape(problem.title)}[/]")
    if problem.molecule.bonds:
        console.print(f"convention: {problem.molecule.convention.symbol}", highlight=False)
    console.print(_model_table(problem, answer))
    fit, names = answer.best, ", ".join(answer.preferred)
    if len(answer.fits) > 1:
        console.print(f"preferred by AICc: {escape(names)}", highlight=False)
    if len(fit.minima) > 1 or fit.unfinished:
        console.print(_minimum_table(problem, answer.preferred, fit))
    if fit.unfinished:
        console.print(f"{fit.unfinished} of {problem.starts} starts came to no minimum", highlight=False)
    if answer.intervals:
        console.print(_profile_table(problem, answer))
    console.print(f"residuals: {escape(residual_words(problem, fit))}", highlight=False)
    verdict, meaning = verdict_of(answer.best.minima[0])
    style = "bold green" if verdict == "optimal" else "bold red"
    console.print(f"verdict: [{style}]{verdict}[/]. {escape(meaning)}")
    if problem.note:
        console.print(f"note: {escape(problem.note)}")


def _model_table(problem: CurveProblem, answer: Answer) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for free in answer.fits:
        table.add_column(", ".join(free), justify="right", no_wrap=True)
    for name in problem.parameters:
        cells = [_cell(problem, fit, name, free) for free, fit in answer.fits.items()]
        table.add_row(escape(problem.label(name)), *map(escape, cells))
    fits = list(answer.fits.values())
    if problem.variances is None:
        table.add_row("rms residual", *(f"{np.sqrt(np.mean(fit.residual**2)):.3g}" for fit in fits))
    else:
        table.add_row("chi-square", *(f"{fit.minima[0].chi_square:.1f}" for fit in fits))
        table.add_row("probability", *(f"{fit.p_value:.2g}" for fit in fits))
    table.add_row("degrees of freedom", *(str(fit.degrees_of_freedom) for fit in fits))
    if len(fits) > 1:
        lowest = min(fit.aicc for fit in fits)
        table.add_row("AICc above the least", *(f"{fit.aicc - lowest:.1f}" for fit in fits))
        table.add_row("weight", *(f"{answer.weights[free]:.2g}" for free in answer.fits))
    table.add_row("chance of so few runs", *(f"{fit.runs_p:.2g}" for fit in fits))
    return table


def _minimum_table(problem: CurveProblem, free, fit: CurveFit) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("", *(escape(problem.label(name)) for name in free), "chi-square", "starts", "verdict"):
        table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=name != "verdict")
    widths = {name: high - low for name, (low, high) in problem.limits(free).items()}
    for number, minimum in enumerate(fit.minima, start=1):
        values = [f"{_cleared(minimum.value[name], 1e-6 * widths[name]):.5g}" for name in free]
        at_bound = ", ".join(minimum.at_bound)
        verdict = verdict_of(minimum)[0] + (f" ({at_bound})" if at_bound else "")
        table.add_row(str(number), *values, f"{minimum.chi_square:.4g}", str(minimum.reached), escape(verdict))
    return table


def _cleared(value: float, small: float) -> float:
    """0 for a number that is small."""
    return value if abs(value) > small else 0.0


def _cell(problem: CurveProblem, fit: CurveFit, name: str, free) -> str:
    if name not in free:
        return f"{problem.parameters[name].value:g} (fixed)"
    if name in fit.minima[0].at_bound:
        return f"{fit.value[name]:g} (limit)"
    words = with_uncertainty(fit.value[name], _error(fit, name))
    return words if np.isfinite(fit.error[name]) else f"{words} (open)"


def _error(fit: CurveFit, name: str) -> float | None:
    error = fit.error[name]
    return error if np.isfinite(error) and error > 0 else None


def _profile_table(problem: CurveProblem, answer: Answer) -> Table:
    """Where chi-square rises by 1 with all other parameters following, and whether the covariance says so too."""
    table, fit = Table(box=box.SIMPLE_HEAD), answer.best
    table.add_column("profile, chi-square + 1", no_wrap=True)
    for name in ("from", "to", "standard error"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, (low, high) in answer.intervals.items():
        words = "agrees" if _is_parabola(fit, name, low, high) else "differs: quote the profile"
        table.add_row(escape(problem.label(name)), f"{low:.6g}", f"{high:.6g}", words)
    return table


def _is_parabola(fit: CurveFit, name: str, low: float, high: float) -> bool:
    sides, error = np.array([fit.value[name] - low, high - fit.value[name]]), fit.error[name]
    return bool(np.isfinite(error) and error > 0 and np.all(np.abs(sides - error) <= SKEW * error))


def residual_words(problem: CurveProblem, fit: CurveFit) -> str:
    """Whether the residuals look like noise, and where the largest is."""
    worst = int(np.argmax(np.abs(fit.residual)))
    ends = np.cumsum([len(curve.values) for curve in problem.curves])
    curve = problem.curves[int(np.searchsorted(ends, worst, side="right"))]
    point = worst - int(ends[ends > worst][0]) + len(curve.values)
    place = f"{curve.name} at {curve.positions[point]:.4g} {'T' if curve.along_field else 'K'}"
    unit = curve.unit if problem.variances is None else "standard errors"
    words = f"the largest is {fit.residual[worst]:.3g} {unit}, of {place}"
    if not np.isfinite(fit.runs_p):
        return f"{words}; all of one sign, or too few to judge"
    if fit.runs_p < SYSTEMATIC:
        return (
            f"{words}; systematic: a chance of {fit.runs_p:.1g} of so few runs of equal sign. The model lacks something"
        )
    return f"{words}; no trend: a chance of {fit.runs_p:.2g} of so few runs of equal sign"
