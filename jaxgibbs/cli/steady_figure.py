"""The figure of a steady state: populations over energy beside those of each bath, and the currents."""

import pathlib
import textwrap

import numpy as np

from jaxgibbs.plotting import INK

from .figures import DATA, MODEL, figure_file, pretty
from .open_problem import OpenProblem
from .solve_steady import Answer

COLORS = (DATA, MODEL, "#3c7a3f", "#8a5a00", "#6a3d9a")
SMALLEST = 1e-12
"""Populations below this are not drawn."""


def draw_steady(path: pathlib.Path, problem: OpenProblem, answer: Answer) -> None:
    """Populations on a logarithmic axis with the Gibbs state of each bath as a line, and a bar for each current."""
    colors = {name: COLORS[k % len(COLORS)] for k, name in enumerate(answer.currents)}
    with figure_file(path, 8.4, 4.2) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[1.5, 1.0])
        figure.suptitle(textwrap.fill(problem.title, 84), fontsize=11)
        _draw_populations(left, problem, answer, colors)
        _draw_currents(right, problem, answer, colors)


def _draw_populations(axes, problem: OpenProblem, answer: Answer, colors) -> None:
    energies = answer.energies - answer.energies[0]
    for name, beta in problem.betas.items():
        if not np.isfinite(beta):
            continue
        weights = np.exp(-beta * energies)
        temperature = (
            f"{problem.temperatures[name]:g} {problem.temperature_unit.symbol if problem.temperature_unit else ''}"
        )
        shown = weights / weights.sum() > SMALLEST
        axes.plot(
            energies[shown],
            (weights / weights.sum())[shown],
            color=colors[name],
            lw=1.2,
            label=f"Gibbs, {name}, {temperature}".strip(),
        )
    shown = answer.populations > SMALLEST
    axes.plot(
        energies[shown], answer.populations[shown], ls="", marker="o", ms=5, color=INK, label="steady state", zorder=3
    )
    axes.set_yscale("log")
    axes.set_xlabel(
        pretty(
            f"energy above the ground level / {problem.energy_unit.symbol}"
            if problem.energy_unit
            else "energy above the ground level"
        )
    )
    axes.set_ylabel("population")
    axes.legend(fontsize=9)


def _draw_currents(axes, problem: OpenProblem, answer: Answer, colors) -> None:
    names, values = list(answer.currents), np.array(list(answer.currents.values()))
    axes.bar(np.arange(len(names)), values, width=0.6, color=[colors[name] for name in names])
    axes.axhline(0.0, color=INK, lw=0.8)
    axes.set_xticks(np.arange(len(names)), names, rotation=20 if len(names) > 3 else 0)
    axes.set_xlim(-0.7, len(names) - 0.3)
    largest = float(np.max(np.abs(values), initial=0.0))
    axes.set_ylim(-1.15 * largest or -1.0, 1.15 * largest or 1.0)
    unit = f"{problem.energy_unit.symbol}^2 / hbar" if problem.energy_unit else "energy / time"
    axes.set_ylabel(pretty(f"energy into the system / ({unit})").replace("hbar", "$\\hbar$"))
