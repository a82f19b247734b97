"""The figures of the command line. matplotlib is loaded by the functions, drawn without a display, and closed."""

import contextlib
import math
import pathlib
import textwrap
from collections.abc import Iterator

import numpy as np

from jaxgibbs.plotting import style

from .output_files import replacing
from .problem import Problem
from .solve import Fit

DATA = "#c1272d"
MODEL = "#1f4e79"
BARS = {"ls": "", "marker": "o", "ms": 2.8, "color": DATA, "elinewidth": 0.9, "capsize": 1.6, "capthick": 0.9}
VISIBLE = 0.015
"""Error bars below this fraction of the axis are drawn enlarged, and the legend says by how much."""
MOST_LINES = 8
MOST = 3.5
"""The axis of the residuals ends at this multiple of their median reach."""


@contextlib.contextmanager
def figure_file(path: pathlib.Path, width: float, height: float) -> Iterator:
    """Yield an empty matplotlib figure; on success it is written to `path` whole or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=200)


def draw_fit(path: pathlib.Path, problem: Problem, fit: Fit, summary: list[str]) -> None:
    """Data with error bars and the fit, the residuals with error bars, and each residual over its uncertainty.

    Args:
        path: the PNG to write.
        problem: what was fitted.
        fit: the answer.
        summary: lines to print inside the figure.
    """
    deviations = None if problem.covariance is None else np.sqrt(np.diag(problem.covariance))
    curve = problem.curve
    positions = np.arange(len(problem.targets)) if curve is None else curve.positions
    heights = [3.4, 1.3] if deviations is None else [3.4, 1.3, 1.1]
    with figure_file(path, 7.0, 1.2 + sum(heights)) as figure:
        top, middle, *bottom = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        _draw_data(top, problem, fit, positions, deviations)
        figure.suptitle(textwrap.fill(problem.title, 76), fontsize=11)
        _place_words(top, summary, inside=curve is not None)
        residuals = problem.targets - fit.fitted
        _draw_residuals(middle, positions, problem.residual_factor * residuals, deviations, problem)
        last = middle
        for last in bottom:
            _draw_pulls(last, positions, residuals / deviations)
        if curve is None:
            last.set_xticks(positions, list(problem.observables), rotation=30, ha="right")
            last.set_xlim(-0.6, len(positions) - 0.4)
        else:
            last.set_xlabel(pretty(curve.label))
        figure.align_ylabels()


def _draw_data(axes, problem: Problem, fit: Fit, positions, deviations) -> None:
    curve = problem.curve
    if curve is not None and curve.on_grid is not None and np.all(np.isfinite(fit.multipliers)):
        axes.plot(curve.grid, curve.on_grid(fit.multipliers), color=MODEL, lw=1.4, label="fit", zorder=2)
    else:
        axes.plot(positions, fit.fitted, ls="", marker="_", ms=16, mew=1.8, color=MODEL, label="fit", zorder=2)
    if deviations is None:
        axes.plot(positions, problem.targets, ls="", marker="o", ms=3.5, color=DATA, label="measured")
    else:
        factor = enlargement(problem.targets, deviations)
        label = "measured" if factor == 1 else f"measured, error bars $\\times$ {factor:g}"
        axes.errorbar(positions, problem.targets, yerr=factor * deviations, label=label, zorder=3, **BARS)
        if factor > 1:  # enlarged bars may leave the frame; the data do not
            span = np.ptp(problem.targets)
            axes.set_ylim(problem.targets.min() - 0.12 * span, problem.targets.max() + 0.08 * span)
    axes.set_ylabel(pretty(problem.value_label))


def _place_words(axes, summary: list[str], *, inside: bool) -> None:
    """Legend and answer: in the upper right of a spectrum, which falls there, or above points that may be anywhere."""
    lines = "\n".join([*summary[:MOST_LINES], "..."] if len(summary) > MOST_LINES else summary)
    if inside:
        axes.legend(loc="upper right")
        axes.text(0.985, 0.70, lines, transform=axes.transAxes, ha="right", va="top", linespacing=1.5)
    else:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
        axes.text(1.0, 1.03, lines, transform=axes.transAxes, ha="right", va="bottom", linespacing=1.4)


def _draw_residuals(axes, positions, residuals, deviations, problem: Problem) -> None:
    """Residuals on an axis made for most of them; those beyond it are triangles at its edge, with their values."""
    axes.axhline(0.0, color=MODEL, lw=1.2)
    axes.set_ylabel(pretty(f"residual\n{problem.residual_unit}" if problem.residual_unit else "residual"))
    if deviations is None:
        axes.plot(positions, residuals, ls="", marker="o", ms=3.5, color=DATA)
        return
    bars = problem.residual_factor * deviations
    axes.errorbar(positions, residuals, yerr=bars, **BARS)
    reach = np.abs(residuals) + bars
    if not np.all(np.isfinite(reach)):
        return
    limit = 1.15 * float(min(np.max(reach), MOST * np.median(reach)))
    axes.set_ylim(-limit, limit)
    for position, residual in zip(positions, residuals, strict=True):
        if abs(residual) > limit:
            edge = math.copysign(0.92 * limit, residual)
            axes.plot([position], [edge], ls="", marker="^" if residual > 0 else "v", ms=5, color=DATA)
            words = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 8, "color": DATA}
            axes.annotate(f"{residual:.0f}" if limit > 10 else f"{residual:.2g}", (position, edge), **words)


def _draw_pulls(axes, positions, pulls) -> None:
    """Residuals over uncertainties, with bands of one and two standard deviations."""
    for width in (2, 1):
        axes.axhspan(-width, width, color=MODEL, alpha=0.10, lw=0)
    axes.axhline(0.0, color=MODEL, lw=1.2)
    axes.plot(positions, pulls, ls="", marker="o", ms=3, color=DATA)
    axes.set_ylabel("residual\nin $\\sigma$")
    if np.all(np.isfinite(pulls)):
        limit = max(3.0, 1.15 * float(np.max(np.abs(pulls))))
        axes.set_ylim(-limit, limit)


def draw_thermo(path: pathlib.Path, title: str, columns: dict[str, np.ndarray], symbols: dict[str, str]) -> None:
    """Energies, entropy and heat capacity over temperature, one panel below the other.

    Args:
        path: the PNG to write.
        title: one line.
        columns: arrays by name, "temperature" and the four quantities.
        symbols: unit of each column, empty where it has none.
    """
    panels = (("energy", "free energy"), ("entropy",), ("heat capacity",))
    with figure_file(path, 6.4, 7.2) as figure:
        for axes, names in zip(figure.subplots(len(panels), 1, sharex=True), panels, strict=True):
            for name, color in zip(names, (DATA, MODEL), strict=False):
                axes.plot(columns["temperature"], columns[name], color=color, lw=1.5, label=name)
            axes.set_ylabel(pretty(f"{names[0]} / {symbols[names[0]]}" if symbols[names[0]] else names[0]))
            if len(names) > 1:
                axes.legend()
            axes.margins(x=0)
        axes.set_xlabel(pretty(f"temperature / {symbols['temperature']}" if symbols["temperature"] else "temperature"))
        figure.align_ylabels()
        figure.suptitle(title, fontsize=11)


def enlargement(values: np.ndarray, deviations: np.ndarray) -> float:
    """How much larger error bars must be drawn to be seen: 1, or a round number."""
    span = float(np.ptp(values)) or float(np.max(np.abs(values))) or 1.0
    needed = VISIBLE * span / float(np.median(deviations))
    if needed <= 2:
        return 1.0
    power = 10.0 ** math.floor(math.log10(needed))
    return next(step * power for step in (1, 2, 4, 5, 10) if step * power >= needed)


def pretty(label: str) -> str:
    """A label with its powers raised, `cm^-1`, and Boltzmann's constant as it is printed."""
    words = []
    for word in label.replace("k_B", "$k_B$").split(" "):
        base, caret, power = word.partition("^")
        tail = ")" if power.endswith(")") else ""
        words.append(f"{base}$^{{{power.removesuffix(')')}}}$".replace("-", "\\mathrm{-}") + tail if caret else word)
    return " ".join(words)
