"""`python -m jaxgibbs sweep`: F, U, S and C of a named model over a grid of its settings and of temperature."""

import pathlib
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from jaxgibbs.equilibrium import thermodynamics
from jaxgibbs.sweeps import sweep as run_sweep

from .complaints import InputError
from .named_models import build_model
from .progress import progress
from .thermo import read_setting

_TEMPERATURE = "temperature"
_SECONDS_BETWEEN = 1.0  # two words on the progress


def sweep(
    model: Annotated[str, typer.Argument(help="Model of jaxgibbs.models, such as heisenberg_ring.")],
    over: Annotated[
        list[str],
        typer.Option(help="Axis NAME=FROM:TO:POINTS, or :log at its end; once for each.", metavar="AXIS"),
    ],
    out: Annotated[pathlib.Path, typer.Option(help="Folder of the sweep; the same command resumes it.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Setting of the model, NAME=VALUE; once for each.", metavar="NAME=VALUE"),
    ] = None,
    chunk: Annotated[int | None, typer.Option(help="Points a chunk; by default what the memory holds.", min=1)] = None,
    netcdf: Annotated[pathlib.Path | None, typer.Option(help="NetCDF file to export the answer to.")] = None,
) -> None:
    """Thermodynamics of a named model over a grid, in chunks, on all devices, resumable.

    One axis must be the temperature, in the unit of the energies; the others are settings of the model.
    """
    grid = dict(read_axis(text) for text in over)
    if _TEMPERATURE not in grid:
        raise InputError(f"--over must name the axis {_TEMPERATURE}, but has {sorted(grid)}")
    fixed = dict(read_setting(text) for text in setting or [])

    def complain(key, problem):
        return InputError(f"{key} {problem}")

    build_model(model, fixed | {name: float(x[0]) for name, x in grid.items() if name != _TEMPERATURE}, complain)

    def point(**values):
        beta = 1 / values.pop(_TEMPERATURE)
        found = thermodynamics(build_model(model, fixed | values, complain), beta)
        return {name: getattr(found, name) for name in ("free_energy", "energy", "entropy", "heat_capacity")}

    with progress(Console(stderr=True)) as step:
        step(f"compiling {model} for {int(np.prod([len(x) for x in grid.values()]))} points")

        said = [0.0]

        def report(done, total, seconds):
            if done < total and seconds - said[0] < _SECONDS_BETWEEN:
                return
            said[0] = seconds
            left = seconds * (total - done) / max(done, 1)
            step(f"{done} of {total} points, {done / max(seconds, 1e-9):.0f} a second, {left:.0f} s left")

        try:
            dataset = run_sweep(point, grid, store=out, chunk=chunk, progress=report)
        except (ValueError, ImportError) as error:
            raise InputError(str(error)) from None
    if netcdf is not None:
        dataset.assign(failed=dataset["failed"].astype("int8")).to_netcdf(netcdf, engine="scipy")
    count = int(dataset["failed"].sum())
    console = Console()
    shape = " x ".join(f"{name} {len(x)}" for name, x in grid.items())
    console.print(f"{model}: {shape}, {count} failed", markup=False, highlight=False, soft_wrap=True)
    for name in ("free_energy", "energy", "entropy", "heat_capacity"):
        low, high = float(dataset[name].min()), float(dataset[name].max())
        console.print(f"  {name:<14} {low:.6g} ... {high:.6g}", markup=False, highlight=False)
    written = f"written: {out}" + (f" and {netcdf}" if netcdf is not None else "")
    console.print(f"{written}; read it with jaxgibbs.open_sweep", markup=False, highlight=False, soft_wrap=True)


def read_axis(text: str) -> tuple[str, np.ndarray]:
    """`("field", 100 values)` of `field=0:2:100`; `:log` at the end spaces them by equal ratios."""
    name, equals, value = text.partition("=")
    parts = value.split(":")
    logarithmic = parts[-1] == "log"
    try:
        low, high, points = parts[: len(parts) - logarithmic]
        low, high, points = float(low), float(high), int(points)
    except ValueError:
        raise InputError(f"--over must be NAME=FROM:TO:POINTS, or that with :log, but is {text!r}") from None
    if not equals or not name.strip() or points < 1 or not np.isfinite([low, high]).all():
        raise InputError(f"--over {text!r} must have a name, finite ends and at least one point")
    if (logarithmic or name.strip() == _TEMPERATURE) and min(low, high) <= 0:
        raise InputError(f"--over {name}: both ends must be positive, but are {low:g} and {high:g}")
    return name.strip(), np.geomspace(low, high, points) if logarithmic else np.linspace(low, high, points)
