"""What a steady state says: the contents of result.json and the tables on the screen."""

from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jaxgibbs import units

from .open_problem import OpenProblem
from .report import versions
from .solve_steady import Answer

LONGEST_TABLE = 16


def watts(problem: OpenProblem, current: float) -> float | None:
    """An energy current in watt, where the energies have a unit: `unit^2 / hbar`."""
    if problem.energy_unit is None:
        return None
    return current * problem.energy_unit.joules * (problem.energy_unit.joules / units.REDUCED_PLANCK_CONSTANT)


def steady_record(problem: OpenProblem, answer: Answer) -> dict[str, Any]:
    """All that result.json holds."""
    unit = problem.energy_unit.symbol if problem.energy_unit else None
    return {
        "title": problem.title,
        "note": problem.note,
        "problem": problem.path.name,
        "found": answer.found,
        "meaning": answer.meaning,
        "warnings": answer.warnings,
        "energy_unit": unit,
        "temperature_unit": problem.temperature_unit.symbol if problem.temperature_unit else None,
        "levels": {"energy": answer.energies, "population": answer.populations},
        "largest_coherence_between_levels": answer.coherence,
        "density_matrix": {"real": np.real(answer.density_matrix), "imaginary": np.imag(answer.density_matrix)},
        "energy_currents": {
            name: {
                "into the system": current,
                "unit": f"{unit}^2 / hbar" if unit else "energy / time",
                "watt": watts(problem, current),
                "temperature": problem.temperatures.get(name),
            }
            for name, current in answer.currents.items()
        },
        "entropy_production": answer.entropy_production,
        "detailed_balance": {"verdict": answer.balance, "explanation": answer.explanation},
        "certificate": answer.certificate,
        "versions": versions(),
    }


def print_steady(console: Console, problem: OpenProblem, answer: Answer) -> None:
    """Levels with populations, currents, the verdict and the certificate."""
    console.print(f"\n[bold]{escape(problem.title)}[/]")
    if answer.found:
        console.print(_levels(problem, answer))
        console.print(_currents(problem, answer))
        if answer.entropy_production is not None:
            unit = f"k_B {problem.energy_unit.symbol} / hbar" if problem.energy_unit else "k_B per unit of time"
            console.print(f"entropy production: {answer.entropy_production:.6g} {unit}", highlight=False)
        console.print(f"detailed balance: {escape(answer.explanation)}", highlight=False)
    style = "bold green" if answer.found else "bold red"
    console.print(f"steady state: [{style}]{'found' if answer.found else 'not found'}[/]. {escape(answer.meaning)}")
    words = ", ".join(f"{name.replace('_', ' ')} {value:.2g}" for name, value in answer.certificate.items())
    console.print(f"certificate: {words}", highlight=False)
    for warning in answer.warnings:
        console.print(f"[bold yellow]warning[/]: {escape(warning)}", highlight=False)
    if problem.note:
        console.print(f"note: {escape(problem.note)}")


def _levels(problem: OpenProblem, answer: Answer) -> Table:
    """At most so many of the lowest levels, and the temperature between each and the ground level."""
    unit = problem.energy_unit.symbol if problem.energy_unit else ""
    warmth = problem.temperature_unit.symbol if problem.temperature_unit else ""
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("level", f"energy\n{unit}".strip(), "population", f"temperature against level 0\n{warmth}".strip()):
        table.add_column(escape(head), justify="right")
    for k in range(min(len(answer.energies), LONGEST_TABLE)):
        temperature = "" if k == 0 else _number(_pair_temperature(problem, answer, k))
        table.add_row(str(k), f"{answer.energies[k]:.6g}", f"{answer.populations[k]:.6g}", temperature)
    if len(answer.energies) > LONGEST_TABLE:
        table.add_row("...", "", f"{answer.populations[LONGEST_TABLE:].sum():.6g}", "")
    return table


def _pair_temperature(problem: OpenProblem, answer: Answer, level: int) -> float:
    """`(E_k - E_0) / ln(p_0 / p_k)`: equal for all levels in equilibrium."""
    gap = answer.energies[level] - answer.energies[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(answer.populations[0] / answer.populations[level])
        temperature = float(np.divide(gap, ratio))
    if problem.energy_unit is None or problem.temperature_unit is None:
        return temperature
    return units.convert(temperature, problem.energy_unit, problem.temperature_unit)


def _currents(problem: OpenProblem, answer: Answer) -> Table:
    unit = f"{problem.energy_unit.symbol}^2 / hbar" if problem.energy_unit else "energy / time"
    warmth = problem.temperature_unit.symbol if problem.temperature_unit else ""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("from")
    for head in (f"temperature\n{warmth}".strip(), f"energy into the system\n{unit}", "watt"):
        table.add_column(escape(head), justify="right")
    for name, current in answer.currents.items():
        temperature = f"{problem.temperatures[name]:g}" if name in problem.temperatures else ""
        table.add_row(escape(name), temperature, f"{current:+.6g}", _number(watts(problem, current)))
    return table


def _number(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.6g}"
