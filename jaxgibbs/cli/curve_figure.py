"""The figure of a fit of curves: data, every model, and the residuals of each below."""

import dataclasses
import pathlib
import textwrap

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxgibbs.plotting import INK

from .curve_fit import Answer
from .curve_model import Abscissa, Prediction
from .curve_problem import CurveProblem
from .figures import MODEL, figure_file, pretty
from .measured_curves import MeasuredCurve

COLORS = (MODEL, "#D55E00", "#009E73", "#AA4499", "#E69F00")
GRID_POINTS = 200
MOST_LINES = 6
"""Isotherms that are drawn with a line each; of more, the points alone."""
LARGE_RATIO = 10.0
"""From this ratio of temperatures the axis is logarithmic."""


def draw_curves(path: pathlib.Path, problem: CurveProblem, answer: Answer, summary: list[str]) -> None:
    """One column a curve: the data with every model above, measured less fitted below.

    Args:
        path: the PNG to write.
        problem: what was fitted.
        answer: the fits.
        summary: lines to print under the title.
    """
    count = len(problem.curves)
    with figure_file(path, max(7.0, 4.2 * count), 6.4) as figure:
        grid = figure.subplots(2, count, sharex="col", height_ratios=[2.6, 1.0], squeeze=False)
        start = 0
        for curve, top, bottom in zip(problem.curves, *grid, strict=True):
            _draw_curve(top, problem, answer, curve)
            _draw_residuals(bottom, problem, answer, curve, start)
            start += len(curve.values)
        grid[0, 0].legend(loc="best", fontsize=9)
        words = "\n".join(",   ".join(summary[i : i + 3]) for i in range(0, len(summary), 3))
        figure.suptitle(f"{textwrap.fill(problem.title, 76)}\n{words}", fontsize=11)
        for column in grid.T:
            figure.align_ylabels(column)


def _ordered(answer: Answer):
    """(color, names, fit) of every model, the preferred one last, so that it lies on top."""
    others = [free for free in answer.fits if free != answer.preferred]
    for color, free in zip(COLORS[1:] * len(others), others, strict=False):
        yield color, free, answer.fits[free]
    yield COLORS[0], answer.preferred, answer.best


def _draw_curve(axes, problem: CurveProblem, answer: Answer, curve: MeasuredCurve) -> None:
    for color, free, fit in _ordered(answer):
        label, width = ", ".join(free), 1.6 if free == answer.preferred else 1.1
        for positions, at in _fine(curve):
            values = {name: p.value for name, p in problem.parameters.items()} | fit.value
            axes.plot(positions, _predicted(problem, at, values), color=color, lw=width, label=label)
            label = None
    points = {"ls": "", "marker": "o", "ms": 3.6, "color": INK, "mfc": "white", "label": "measured", "zorder": 3}
    axes.errorbar(curve.positions, curve.values, yerr=curve.deviations, elinewidth=0.9, capsize=1.6, **points)
    if curve.along_field:
        _name_isotherms(axes, curve)
    unit = curve.unit.replace("mu_B", "$\\mu_B$")
    axes.set_ylabel(pretty(f"{_symbol(curve)} / {f'({unit})' if '/' in unit else unit}"))
    if len(problem.curves) > 1:
        axes.set_title(curve.name, fontsize=10)
    if not curve.along_field and np.ptp(np.log(curve.positions)) > np.log(LARGE_RATIO):
        axes.set_xscale("log")


def _name_isotherms(axes, curve: MeasuredCurve) -> None:
    """The temperature beside the last point of each."""
    temperatures = np.asarray(curve.at.temperature)
    for value in np.unique(temperatures)[:MOST_LINES]:
        last = np.flatnonzero(temperatures == value)[-1]  # sorted by temperature, then field
        place = (curve.positions[last], curve.values[last])
        axes.annotate(f"{value:g} K", place, xytext=(5, 0), textcoords="offset points", va="center", fontsize=8)


def _predicted(problem: CurveProblem, at: Abscissa, values) -> np.ndarray:
    """One curve at values of all parameters, free or not, so that all models are compiled as one."""
    model = Prediction(problem.molecule, problem.sample, {}, (at,))
    return np.asarray(eqx.filter_jit(model)({name: jnp.asarray(x, float) for name, x in values.items()}))


def _symbol(curve: MeasuredCurve) -> str:
    return curve.at.quantity.replace("chi", "$\\chi$")


def _fine(curve: MeasuredCurve):
    """(positions, abscissa) of finer curves: one at each temperature where the field is the axis."""
    at = curve.at
    if not curve.along_field:
        low, high = curve.positions.min(), curve.positions.max()
        temperature = jnp.geomspace(low, high, GRID_POINTS)
        field = None if at.field is None else jnp.full(GRID_POINTS, at.field[0])
        yield np.asarray(temperature), dataclasses.replace(at, temperature=temperature, field=field)
        return
    temperatures = np.unique(at.temperature)
    if len(temperatures) > MOST_LINES:
        return
    for value in temperatures:
        field = jnp.linspace(float(curve.positions.min()), float(curve.positions.max()), GRID_POINTS)
        yield np.asarray(field), dataclasses.replace(at, temperature=jnp.full(GRID_POINTS, value), field=field)


def _draw_residuals(axes, problem: CurveProblem, answer: Answer, curve: MeasuredCurve, start: int) -> None:
    known = problem.variances is not None
    axes.axhline(0.0, color=INK, lw=0.8)
    if known:
        axes.axhspan(-1, 1, color=MODEL, alpha=0.10, lw=0)
    line = "" if curve.along_field and len(np.unique(curve.at.temperature)) > 1 else "-"
    for color, _, fit in _ordered(answer):
        residual = fit.residual[start : start + len(curve.values)]
        axes.plot(curve.positions, residual, marker="o", ls=line, ms=2.8, lw=0.8, color=color)
    axes.set_ylabel("residual\nin $\\sigma$" if known else pretty(f"residual\n{curve.unit}"))
    axes.set_xlabel("field / T" if curve.along_field else "temperature / K")
