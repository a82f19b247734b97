"""Problems of kind "open system": a Hamiltonian, thermal baths coupled to it, and jumps with given rates."""

import dataclasses
import inspect
import pathlib
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from jaxgibbs import baths, units
from jaxgibbs.open_systems import AbstractGenerator, Lindbladian, davies
from jaxgibbs.operators import AbstractOperator

from .data_files import read_columns
from .operator_table import hermitian_operator, matrix_on
from .problem import unit_of
from .toml_table import TomlTable

HEAD = ("kind", "title", "note", "energy_unit", "temperature_unit")
BATHS = {
    "ohmic": baths.OhmicBath,
    "drude-lorentz": baths.DrudeLorentzBath,
    "underdamped": baths.UnderdampedBath,
    "quantum-optical": baths.QuantumOpticalBath,
    "flat": baths.FlatBath,
}
COUPLING = ("operator", "bath", "temperature")
LARGEST_DIMENSION = 64


@dataclasses.dataclass(frozen=True)
class OpenProblem:
    """A master equation as its file states it.

    Args:
        path: the file it was read from.
        title: one line for the table and the figure.
        note: what a reader must know of the numbers; printed under them.
        hamiltonian: without level shifts.
        generator: the Davies generator of the baths, plus the jumps.
        temperatures: of each bath, in `temperature_unit`.
        betas: of each bath, in the inverse of `energy_unit`.
        energy_unit: unit of energies, and of rates through hbar; None for dimensionless ones.
        temperature_unit: unit of temperatures.
    """

    path: pathlib.Path
    title: str
    note: str
    hamiltonian: AbstractOperator
    generator: AbstractGenerator
    temperatures: Mapping[str, float]
    betas: Mapping[str, float]
    energy_unit: units.EnergyUnit | None
    temperature_unit: units.EnergyUnit | None


def open_problem(document: TomlTable) -> OpenProblem:
    """Read `[hamiltonian]`, `[baths.*]`, `[jumps.*]` and `[generator]`.

    Raises:
        InputError: with file, line, key and what is allowed, for anything that cannot be used.
    """
    document.allow([*HEAD, "hamiltonian", "baths", "jumps", "generator"])
    energy_unit, temperature_unit = unit_of(document, "energy_unit"), unit_of(document, "temperature_unit")
    if temperature_unit is not None and energy_unit is None:
        raise document.complain("energy_unit", "is missing; a temperature in a unit needs the unit of the energy")
    temperature_unit = temperature_unit or (energy_unit and units.KELVIN)
    hamiltonian = hermitian_operator(document.table("hamiltonian"))
    if hamiltonian.dim > LARGEST_DIMENSION:
        raise document.complain(
            "hamiltonian",
            f"must have a dimension of at most {LARGEST_DIMENSION} here, but has {hamiltonian.dim}; use Python",
        )
    coupled = document.table("baths").entries if "baths" in document else {}
    jumps = document.table("jumps").entries if "jumps" in document else {}
    if not coupled and not jumps:
        raise document.complain("baths", "is missing; a steady state needs at least one bath or one jump under [jumps]")
    for name in jumps:
        if name in coupled:
            raise document.complain(f"jumps.{name}", "is the name of a bath already")

    temperatures, couplings = {}, []
    for name in coupled:
        table = document.table("baths").table(name)
        temperatures[name] = _temperature(table)
        beta = _beta(temperatures[name], temperature_unit, energy_unit)
        couplings.append((matrix_on(table.table("operator"), hamiltonian.dim), _bath(table, beta)))
    parts: list[AbstractGenerator] = []
    if couplings:
        parts.append(_davies(document, hamiltonian, couplings, list(coupled)))
    if jumps:
        parts.append(_jumps(document, hamiltonian, with_energy=not couplings))
    return OpenProblem(
        path=document.path,
        title=document.text("title", document.path.stem),
        note=" ".join(document.text("note", "").split()),
        hamiltonian=hamiltonian,
        generator=parts[0] if len(parts) == 1 else parts[0] + parts[1],
        temperatures=temperatures,
        betas={name: _beta(value, temperature_unit, energy_unit) for name, value in temperatures.items()},
        energy_unit=energy_unit,
        temperature_unit=temperature_unit,
    )


def _temperature(table: TomlTable) -> float:
    value = table.number("temperature")
    if value < 0:
        raise table.complain("temperature", f"must be at least 0, but is {value:g}")
    return value


def _beta(temperature: float, temperature_unit, energy_unit) -> float:
    if temperature == 0:
        return np.inf
    if energy_unit is None:
        return 1 / temperature
    return units.inverse_temperature(temperature, temperature_unit, energy_unit)


def _bath(table: TomlTable, beta: float) -> baths.AbstractBath:
    kind = table.choice("bath", [*BATHS, "table"])
    try:
        if kind == "table":
            table.allow([*COUPLING, "file"])
            columns = read_columns(table.file("file"))
            rates = columns.numbers("rate", positive=True)
            return baths.TabulatedBath(beta, columns.numbers("frequency"), rates)
        parameters = [p for p in inspect.signature(BATHS[kind]).parameters.values() if p.name != "beta"]
        table.allow([*COUPLING, *(p.name for p in parameters)])
        given = {p.name: table.number(p.name) for p in parameters if p.name in table or p.default is p.empty}
        return BATHS[kind](beta, **given)
    except ValueError as error:
        raise table.complain("bath", str(error)) from None


def _davies(document: TomlTable, hamiltonian, couplings, names) -> AbstractGenerator:
    table = (
        document.table("generator")
        if "generator" in document
        else TomlTable(document.path, {}, document.lines, "generator")
    )
    table.allow(["lamb_shift", "tolerance"])
    shifted = not any(isinstance(bath, baths.FlatBath) for _, bath in couplings)  # whose level shift diverges
    shift = table.entries.get("lamb_shift", shifted)
    if not isinstance(shift, bool):
        raise table.complain("lamb_shift", f"must be true or false, but is {shift!r}")
    tolerance = table.number("tolerance", positive=True) if "tolerance" in table else None
    try:
        return davies(hamiltonian, couplings, baths=names, lamb_shift=shift, tolerance=tolerance)
    except ValueError as error:
        raise document.complain("baths", str(error)) from None


def _jumps(document: TomlTable, hamiltonian, *, with_energy: bool) -> Lindbladian:
    operators, rates, names = [], [], []
    for name in document.table("jumps").entries:
        table = document.table("jumps").table(name)
        table.allow(["operator", "rate"])
        operators.append(matrix_on(table.table("operator"), hamiltonian.dim))
        rate = table.number("rate")
        if rate < 0:
            raise table.complain("rate", f"must be at least 0, but is {rate:g}")
        rates.append(rate)
        names.append(name)
    energy = hamiltonian if with_energy else jnp.zeros((hamiltonian.dim, hamiltonian.dim))
    return Lindbladian(energy, operators, np.asarray(rates), baths=names)
