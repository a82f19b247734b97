"""`python -m jaxgibbs fit PROBLEM.toml --out DIR`: multipliers from measured expectation values, models from curves."""

import pathlib
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from .curve_figure import draw_curves
from .curve_fit import NoMinimum, fit_models, verdict_of
from .curve_problem import CurveProblem, curve_problem
from .curve_report import curve_record, curve_summary, print_curves
from .figures import draw_fit
from .matrix_problem import matrix_problem
from .mode_problem import mode_problem
from .numbers import typeset, with_uncertainty
from .output_files import output_folder, write_json
from .problem import Problem
from .progress import progress
from .report import print_fit, result_record, temperature
from .solve import Fit, solve
from .toml_table import read_toml

KINDS = {"free modes": mode_problem, "charges": matrix_problem, "curves": curve_problem}


def fit(
    problem: Annotated[pathlib.Path, typer.Argument(help="Problem file (TOML).", show_default=False)],
    out: Annotated[pathlib.Path, typer.Option(help="Folder for result.json and figure.png.", show_default=False)],
) -> None:
    """Fit the multipliers of charges to measured expectation values, or the model of a magnetic molecule to measured curves.

    Writes result.json (parameters, uncertainties, covariance, residuals, verdict, versions) and figure.png into the
    folder OUT, and prints a table. The exit code is 0 when the verdict is "optimal", 1 when there is no such answer,
    2 when the problem file cannot be used.
    """
    with progress(Console(stderr=True)) as step:
        step(f"reading {problem}")
        read = read_problem(problem)
        folder = output_folder(out)
        if isinstance(read, CurveProblem):
            verdict = _curves(read, folder, step)
        else:
            verdict = _expectations(read, folder, step)
    if verdict != "optimal":
        raise typer.Exit(1)


def _expectations(read: Problem, folder: pathlib.Path, step) -> str:
    """Fit, write and print a problem of expectation values; the verdict."""
    fits = []
    for names in [*read.compare, list(read.charges)]:
        step(f"fitting {', '.join(names)} to {len(read.targets)} values")
        fits.append(solve(read, names))
    *compared, answer = fits
    step(f"writing {folder}")
    write_json(folder / "result.json", result_record(read, answer, compared))
    draw_fit(folder / "figure.png", read, answer, summary(read, answer))
    console = Console()
    print_fit(console, read, answer, compared)
    _print_written(console, folder)
    return answer.verdict


def _curves(read: CurveProblem, folder: pathlib.Path, step) -> str:
    """Fit, write and print a problem of curves; the verdict."""
    console = Console()
    try:
        answer = fit_models(read, step)
    except NoMinimum as error:
        console.print(f"verdict: [bold red]none[/]. {escape(str(error))}", highlight=False)
        return "none"
    step(f"writing {folder}")
    write_json(folder / "result.json", curve_record(read, answer))
    draw_curves(folder / "figure.png", read, answer, curve_summary(read, answer))
    print_curves(console, read, answer)
    _print_written(console, folder)
    return verdict_of(answer.best.minima[0])[0]


def _print_written(console: Console, folder: pathlib.Path) -> None:
    written = f"written: {folder / 'result.json'} and {folder / 'figure.png'}"
    console.print(written, markup=False, highlight=False, soft_wrap=True)


def read_problem(path: pathlib.Path) -> Problem | CurveProblem:
    """Read a problem file and the data it names.

    Raises:
        InputError: with file, line, key and what is allowed, for anything that cannot be used.
    """
    document = read_toml(path)
    return KINDS[document.choice("kind", KINDS)](document)


def summary(problem: Problem, fit: Fit) -> list[str]:
    """The answer in a few lines, for the figure."""
    lines = []
    warmth = temperature(problem, fit)
    if warmth is not None:
        lines.append(f"T = {with_uncertainty(warmth['value'], warmth['uncertainty'])} {warmth['unit']}".rstrip())
    for k, name in enumerate(fit.charges):
        if name == "energy" and warmth is not None:
            continue
        deviation = None if fit.deviations is None else float(fit.deviations[k])
        value = with_uncertainty(float(fit.multipliers[k]), deviation)
        lines.append(f"{typeset(problem.labels[name])} = {typeset(value)}")
    if fit.chi_square is not None and fit.degrees_of_freedom > 0:
        lines.append(f"$\\chi^2$ = {fit.chi_square:.1f} for {fit.degrees_of_freedom} degrees of freedom")
    if fit.verdict != "optimal":
        lines.append(f"verdict: {fit.verdict}")
    return lines
