"""What a fit says: the contents of result.json and the table on the screen."""

import importlib.metadata
import math
import platform
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .numbers import with_uncertainty
from .problem import Problem
from .solve import Fit

PACKAGES = ("jaxgibbs", "jax", "jaxlib", "equinox", "lineax", "optimistix", "numpy")
LONGEST_RESIDUAL_TABLE = 12


def multiplier_unit(problem: Problem, name: str) -> str:
    """Unit of a multiplier: the inverse of the energy unit for the charge called "energy", else none."""
    return f"1/{problem.energy_unit.symbol}" if name == "energy" and problem.energy_unit else ""


def temperature(problem: Problem, fit: Fit) -> dict[str, Any] | None:
    """`T = 1 / beta` with its uncertainty, where there is an energy and an answer."""
    if "energy" not in fit.charges:
        return None
    k = fit.charges.index("energy")
    beta = float(fit.multipliers[k])
    if not math.isfinite(beta) or beta == 0:
        return None
    factor, unit = 1.0, ""
    if problem.energy_unit and problem.temperature_unit:
        factor, unit = problem.energy_unit.joules / problem.temperature_unit.joules, problem.temperature_unit.symbol
    deviation = None if fit.deviations is None else factor * float(fit.deviations[k]) / beta**2
    return {"value": factor / beta, "uncertainty": deviation, "unit": unit}


def fit_record(problem: Problem, fit: Fit) -> dict[str, Any]:
    """One fit as nested dicts of plain numbers and texts."""
    deviations = [None] * len(fit.charges) if fit.deviations is None else fit.deviations.tolist()
    return {
        "charges": fit.charges,
        "verdict": fit.verdict,
        "meaning": fit.meaning,
        "certificate": fit.certificate,
        "parameters": {
            name: {
                "label": problem.labels[name],
                "value": float(value),
                "uncertainty": deviation,
                "unit": multiplier_unit(problem, name),
            }
            for name, value, deviation in zip(fit.charges, fit.multipliers, deviations, strict=True)
        },
        "temperature": temperature(problem, fit),
        "covariance": fit.covariance,
        "chi_square": fit.chi_square,
        "degrees_of_freedom": fit.degrees_of_freedom,
        "probability": fit.probability,
    }


def result_record(problem: Problem, fit: Fit, compared: list[Fit]) -> dict[str, Any]:
    """All that result.json holds."""
    deviations = None if problem.covariance is None else np.sqrt(np.diag(problem.covariance))
    residuals = problem.targets - fit.fitted
    return {
        "title": problem.title,
        "note": problem.note,
        "problem": problem.path.name,
        "state": "rho = exp(-sum_k lambda_k Q_k) / Z; the parameters are the lambda_k, in the order of `charges`",
        **fit_record(problem, fit),
        "published": dict(problem.published),
        "data": {
            "quantity": problem.value_label,
            "name": list(problem.observables),
            "measured": problem.targets,
            "uncertainty": deviations,
            "fitted": fit.fitted,
            "residual": residuals,
        },
        "compared": [fit_record(problem, other) for other in compared],
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of everything whose version can change the numbers."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def print_fit(console: Console, problem: Problem, fit: Fit, compared: list[Fit]) -> None:
    """The table of a fit and, below it, how good it is."""
    console.print(f"\n[bold]{escape(problem.title)}[/]")
    table = Table(box=box.SIMPLE_HEAD)
    fits = [*compared, fit] if compared else [fit]
    table.add_column("", no_wrap=True)
    for other in fits:
        names = ", ".join(other.charges)
        table.add_column(f"{names} alone" if other is not fit else names, justify="right", no_wrap=True)
    for label, cells in _rows(problem, fits):
        table.add_row(escape(label), *map(escape, cells))
    console.print(table)
    for name, words in problem.published.items():
        console.print(f"published {escape(problem.labels.get(name, name))}: {escape(words)}")
    if problem.curve is None and len(problem.targets) <= LONGEST_RESIDUAL_TABLE:
        console.print(_residual_table(problem, fit))
    style = "bold green" if fit.verdict == "optimal" else "bold red"
    console.print(f"verdict: [{style}]{fit.verdict}[/]. {escape(fit.meaning)}")
    if problem.note:
        console.print(f"note: {escape(problem.note)}")


def _rows(problem: Problem, fits: list[Fit]):
    """(label with unit, one cell a fit) of every row of the table."""
    temperatures = [temperature(problem, fit) for fit in fits]
    if any(temperatures):
        unit = next(found for found in temperatures if found)["unit"]
        cells = [
            "" if found is None else with_uncertainty(found["value"], found["uncertainty"]) for found in temperatures
        ]
        yield f"temperature / {unit}" if unit else "temperature", cells
    for name in fits[-1].charges:
        unit = multiplier_unit(problem, name)
        label = problem.labels[name]
        yield f"{label} / ({unit})" if unit else label, [_cell(fit, name) for fit in fits]
    if any(fit.chi_square is not None for fit in fits):
        yield "chi-square", ["" if fit.chi_square is None else f"{fit.chi_square:.1f}" for fit in fits]
        yield "degrees of freedom", [str(fit.degrees_of_freedom) for fit in fits]
        yield "probability", ["" if fit.probability is None else f"{fit.probability:.2f}" for fit in fits]


def _cell(fit: Fit, name: str) -> str:
    """A multiplier with its uncertainty, or that the fit leaves it out."""
    if name not in fit.charges:
        return "0 (fixed)"
    k = fit.charges.index(name)
    return with_uncertainty(float(fit.multipliers[k]), None if fit.deviations is None else float(fit.deviations[k]))


def _residual_table(problem: Problem, fit: Fit) -> Table:
    deviations = None if problem.covariance is None else np.sqrt(np.diag(problem.covariance))
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("observable")
    for name in ("measured", "fitted", "residual / uncertainty"):
        table.add_column(name, justify="right")
    for k, name in enumerate(problem.observables):
        deviation = None if deviations is None else float(deviations[k])
        pull = "" if deviation is None else f"{(problem.targets[k] - fit.fitted[k]) / deviation:+.2f}"
        measured = with_uncertainty(float(problem.targets[k]), deviation)
        table.add_row(escape(name), measured, f"{fit.fitted[k]:.6g}", pull)
    return table
