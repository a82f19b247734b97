"""`python -m jaxgibbs thermo`: free energy, energy, entropy and heat capacity over a range of temperatures."""

import csv
import io
import pathlib
import tomllib
from typing import Annotated, Any

import jax
import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jaxgibbs import units
from jaxgibbs.equilibrium import thermal_spectrum
from jaxgibbs.models import level_scheme
from jaxgibbs.operators import AbstractOperator

from .complaints import InputError, must_be_one_of
from .data_files import read_columns
from .figures import draw_thermo
from .named_models import build_model, model_names, model_signature
from .output_files import output_folder, write_text
from .problem import ENERGY_UNITS
from .progress import progress

LONGEST_TABLE = 12


def thermo(
    model: Annotated[str | None, typer.Argument(help="Model of jaxgibbs.models, such as heisenberg_ring.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Setting of the model, NAME=VALUE; once for each.", metavar="NAME=VALUE"),
    ] = None,
    levels: Annotated[
        pathlib.Path | None, typer.Option(help="CSV file with columns energy and, optionally, degeneracy.")
    ] = None,
    lowest: Annotated[float, typer.Option("--from", help="Lowest temperature.")] = 0.1,
    highest: Annotated[float, typer.Option("--to", help="Highest temperature.")] = 10.0,
    points: Annotated[int, typer.Option(help="Number of temperatures.", min=1)] = 200,
    logarithmic: Annotated[bool, typer.Option("--log", help="Space the temperatures by equal ratios.")] = False,
    energy_unit: Annotated[str | None, typer.Option(help="Unit of the energies: K, cm^-1, meV, GHz ...")] = None,
    temperature_unit: Annotated[
        str | None, typer.Option(help="Unit of the temperatures; K where the energies have a unit.")
    ] = None,
    molar: Annotated[bool, typer.Option("--molar", help="Entropy and heat capacity in J/(mol K), not in k_B.")] = False,
    out: Annotated[pathlib.Path | None, typer.Option(help="Folder for thermo.csv and figure.png.")] = None,
    show_models: Annotated[bool, typer.Option("--list", help="List the models and their settings, and stop.")] = False,
) -> None:
    """Tabulate and plot F, U, S and C of a named model or of a level file.

    Without units everything is in the unit of the energies, with k_B = 1.
    """
    if show_models:
        print("\n".join(model_signature(name) for name in model_names()))
        return
    temperatures = _temperatures(lowest, highest, points, logarithmic)
    scale, symbols = _units(energy_unit, temperature_unit, molar)
    operator, title = _operator(model, setting or [], levels)
    with progress(Console(stderr=True)) as step:
        step(f"computing {title} at {points} temperatures")
        columns = tabulate(operator, temperatures, scale, units.MOLAR_GAS_CONSTANT if molar else 1.0)
        if out is not None:
            step(f"writing {out}")
            folder = output_folder(out)
            _write_csv(folder / "thermo.csv", title, columns, symbols)
            draw_thermo(folder / "figure.png", title, columns, symbols)
    console = Console()
    console.print(f"\n[bold]{escape(title)}[/]", soft_wrap=True)
    console.print(_table(columns, symbols))
    if out is not None:
        written = f"written: {out / 'thermo.csv'} and {out / 'figure.png'}"
        console.print(written, markup=False, highlight=False, soft_wrap=True)


def tabulate(
    operator: AbstractOperator, temperatures: np.ndarray, scale: float, entropy_scale: float
) -> dict[str, np.ndarray]:
    """Columns by name over `temperatures`.

    Args:
        operator: the Hamiltonian.
        temperatures: shape (temperatures,), in the unit asked for.
        scale: what turns a temperature into the unit of the energies.
        entropy_scale: what turns k_B into the unit of entropy asked for.

    Raises:
        InputError: where the state does not exist or its levels do not suffice, with the temperature and the reason.
    """
    betas = 1 / (scale * temperatures)
    try:
        spectrum = thermal_spectrum(operator)
    except ValueError as error:
        raise InputError(str(error)) from None

    def answers(beta):
        state = spectrum.at(beta)
        return state.free_energy, state.energy, state.entropy, state.heat_capacity

    free_energy, energy, entropy, heat_capacity = map(np.asarray, jax.vmap(answers)(betas))
    missing = np.flatnonzero(~np.isfinite(free_energy + energy + entropy + heat_capacity))
    if missing.size > 0:
        reason = "its state has no finite thermodynamic functions"
        try:
            answers(betas[missing[0]])  # a single temperature says why, where a batch can only answer NaN
        except ValueError as error:
            reason = str(error)
        raise InputError(f"at temperature {temperatures[missing[0]]:g}: {reason}")
    return {
        "temperature": temperatures,
        "free energy": free_energy,
        "energy": energy,
        "entropy": entropy_scale * entropy,
        "heat capacity": entropy_scale * heat_capacity,
    }


def _temperatures(lowest: float, highest: float, points: int, logarithmic: bool) -> np.ndarray:
    if not 0 < lowest <= highest < np.inf:
        raise InputError(f"--from and --to must be positive and in order, but are {lowest:g} and {highest:g}")
    return np.geomspace(lowest, highest, points) if logarithmic else np.linspace(lowest, highest, points)


def _units(energy_unit: str | None, temperature_unit: str | None, molar: bool) -> tuple[float, dict[str, str]]:
    """(energy in a unit of temperature, unit of each column)."""
    for option, unit in (("--energy-unit", energy_unit), ("--temperature-unit", temperature_unit)):
        if unit is not None and unit not in ENERGY_UNITS:
            raise InputError(f"{option} {must_be_one_of(unit, ENERGY_UNITS)}")
    if temperature_unit is not None and energy_unit is None:
        raise InputError("--temperature-unit needs --energy-unit, the unit of the energies")
    scale = 1.0
    if energy_unit is not None:
        temperature_unit = temperature_unit or units.KELVIN.symbol
        scale = units.convert(1.0, ENERGY_UNITS[temperature_unit], ENERGY_UNITS[energy_unit])
    energy, entropy = energy_unit or "", "J/(mol K)" if molar else "k_B"
    return scale, {
        "temperature": temperature_unit or "",
        "free energy": energy,
        "energy": energy,
        "entropy": entropy,
        "heat capacity": entropy,
    }


def _operator(model: str | None, settings: list[str], levels: pathlib.Path | None) -> tuple[AbstractOperator, str]:
    """(Hamiltonian, title) of the model or of the level file, whichever was named."""
    if (model is None) == (levels is None):
        raise InputError("name either a model or a file of levels with --levels; --list shows the models")
    if levels is not None:
        if settings:
            raise InputError("--set belongs to a model, but the levels come from a file")
        columns = read_columns(levels)
        degenerate = "degeneracy" in columns.header
        degeneracies = columns.numbers("degeneracy", positive=True) if degenerate else None
        return level_scheme(columns.numbers("energy"), degeneracies), levels.name
    assert model is not None
    values = dict(read_setting(text) for text in settings)
    operator = build_model(model, values, lambda key, problem: InputError(f"{key} {problem}"))
    return operator, f"{model}({', '.join(f'{name}={value}' for name, value in values.items())})"


def read_setting(text: str) -> tuple[str, Any]:
    """`("sites", 6)` of `sites=6`, the value read as TOML."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(f"--set must be NAME=VALUE, but is {text!r}")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        raise InputError(f"--set {name}: the value must be a number, true, false or a list, but is {value!r}") from None


def _write_csv(path: pathlib.Path, title: str, columns: dict[str, np.ndarray], symbols: dict[str, str]) -> None:
    text = io.StringIO()
    text.write(f"# {title}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_head(name, symbols[name]) for name in columns])
    writer.writerows([f"{value:.15g}" for value in row] for row in zip(*columns.values(), strict=True))
    write_text(path, text.getvalue())


def _head(name: str, symbol: str) -> str:
    return f"{name} / {symbol}" if symbol else name


def _table(columns: dict[str, np.ndarray], symbols: dict[str, str]) -> Table:
    """At most a dozen rows of the columns, evenly chosen."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in columns:
        table.add_column(escape(f"{name}\n{symbols[name]}".strip()), justify="right")
    count = len(columns["temperature"])
    for k in np.unique(np.linspace(0, count - 1, min(count, LONGEST_TABLE)).round().astype(int)):
        table.add_row(*(f"{values[k]:.6g}" for values in columns.values()))
    return table
