"""`python -m jaxgibbs steady PROBLEM.toml --out DIR`: where a master equation leads, and whether that is equilibrium."""

import dataclasses
import pathlib
import warnings
from typing import Annotated

import typer
from rich.console import Console

from .open_problem import open_problem
from .output_files import output_folder, write_json
from .progress import progress
from .solve_steady import solve_steady
from .steady_figure import draw_steady
from .steady_report import print_steady, steady_record
from .toml_table import read_toml

KINDS = ("open system",)


def steady(
    problem: Annotated[pathlib.Path, typer.Argument(help="Problem file (TOML).", show_default=False)],
    out: Annotated[pathlib.Path, typer.Option(help="Folder for result.json and figure.png.", show_default=False)],
) -> None:
    """Find the steady state of a master equation: populations, currents, and a verdict on detailed balance.

    Writes result.json and figure.png into the folder OUT, and prints a table. The exit code is 0 when there is one steady
    state, 1 when there are several or none was found, 2 when the problem file cannot be used.
    """
    with progress(Console(stderr=True)) as step:
        step(f"reading {problem}")
        document = read_toml(problem)
        document.choice("kind", KINDS)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            read = open_problem(document)
            folder = output_folder(out)
            step(f"solving for the steady state in dimension {read.hamiltonian.dim}")
            answer = solve_steady(read)
        answer = dataclasses.replace(answer, warnings=[str(w.message) for w in caught])
        step(f"writing {folder}")
        write_json(folder / "result.json", steady_record(read, answer))
        if answer.found:
            draw_steady(folder / "figure.png", read, answer)
    console = Console()
    print_steady(console, read, answer)
    written = f"{folder / 'result.json'} and {folder / 'figure.png'}" if answer.found else f"{folder / 'result.json'}"
    console.print(f"written: {written}", markup=False, highlight=False, soft_wrap=True)
    if not answer.found:
        raise typer.Exit(1)
