"""Problems of kind "curves": measured curves of a magnetic molecule, and a model whose parameters are fitted to them."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgibbs import models
from jaxgibbs.units import EnergyUnit

from .complaints import listing, must_be_one_of
from .curve_model import WEISS, Molecule, Prediction, Sample
from .measured_curves import MeasuredCurve, measured_curve
from .operator_table import whole_number
from .problem import ENERGY_UNITS
from .toml_table import TomlTable

HEAD = ("kind", "title", "note", "molecule", "sample", "curves", "parameters", "fit")
CONVENTIONS = {c.symbol: c for c in (models.PLUS_J, models.MINUS_J, models.PLUS_TWO_J, models.MINUS_TWO_J)}
SAMPLE_UNITS = {"theta": "K", "impurity": "", "impurity_g": "", "background": "cm^3/mol", "lattice": "J/(mol K^4)"}
ENTRY = "a number, or the name of one of the parameters"


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter of the model.

    Args:
        limits: between which it is fitted; None where it is fixed.
        value: where it is fixed, or where models that leave it out have it; None where there is none.
        unit: as it is printed.
    """

    limits: tuple[float, float] | None
    value: float | None
    unit: str


@dataclasses.dataclass(frozen=True)
class CurveProblem:
    """Curves and what is fitted to them.

    Args:
        path: the file it was read from.
        title: one line for the table and the figure.
        note: what a reader must know of the numbers; printed under them.
        molecule: with names of parameters.
        sample: likewise.
        curves: as measured.
        parameters: by name.
        compare: names of the free parameters of each model, the one with all of them last.
        profile: parameters whose profile likelihood is wanted.
        starts: number of starting points.
        max_steps: of each search.
    """

    path: pathlib.Path
    title: str
    note: str
    molecule: Molecule
    sample: Sample
    curves: tuple[MeasuredCurve, ...]
    parameters: Mapping[str, Parameter]
    compare: tuple[tuple[str, ...], ...]
    profile: tuple[str, ...]
    starts: int
    max_steps: int

    @property
    def measured(self) -> np.ndarray:
        """All values, one curve after the other."""
        return np.concatenate([curve.values for curve in self.curves])

    @property
    def variances(self) -> np.ndarray | None:
        """Of all values; None where they are not known."""
        if any(curve.deviations is None for curve in self.curves):
            return None
        return np.concatenate([curve.deviations for curve in self.curves if curve.deviations is not None]) ** 2

    def limits(self, free: tuple[str, ...]) -> dict[str, tuple[float, float]]:
        """The box of a model."""
        found = {name: self.parameters[name].limits for name in free}
        return {name: limits for name, limits in found.items() if limits is not None}

    def prediction(self, free: tuple[str, ...]) -> Prediction:
        """The model in which these parameters are free."""
        fixed = {name: jnp.asarray(p.value, float) for name, p in self.parameters.items() if name not in free}
        return Prediction(self.molecule, self.sample, fixed, tuple(curve.at for curve in self.curves))

    def label(self, name: str) -> str:
        """`J / K`."""
        unit = self.parameters[name].unit
        return f"{name} / {f'({unit})' if '/' in unit else unit}" if unit else name


class _Entries:
    """Reads numbers that may be names of parameters, and keeps the unit of each name that it meets."""

    def __init__(self, names: list[str]):
        self.names, self.units = names, {}

    def read(self, table: TomlTable, key: str, raw: Any, unit: str) -> float | str:
        if isinstance(raw, str):
            if raw not in self.names:
                raise table.complain(key, f"{must_be_one_of(raw, self.names)}; it must be {ENTRY}")
            if self.units.setdefault(raw, unit) != unit:
                raise table.complain(
                    key, f'has "{raw}" in {unit or "no unit"}, but it is in {self.units[raw]} elsewhere'
                )
            return raw
        if isinstance(raw, bool) or not isinstance(raw, int | float) or not np.isfinite(raw):
            raise table.complain(key, f"must be {ENTRY}, but is {raw!r}")
        return float(raw)


def curve_problem(document: TomlTable) -> CurveProblem:
    """Read `[molecule]`, `[sample]`, `[curves.*]`, `[parameters]` and `[fit]`.

    Raises:
        InputError: with file, line, key and what is allowed, for anything that cannot be used.
    """
    document.allow(HEAD)
    table = document.table("parameters")
    entries = _Entries(list(table.entries))
    molecule = _molecule(document.table("molecule"), entries)
    sample = _sample(document.table("sample"), entries) if "sample" in document else Sample()
    curves = _curves(document.table("curves"), molecule, entries)
    parameters = {name: _parameter(table, name, entries) for name in table.entries}
    if sample.theta != 0.0 and any(curve.at.quantity in ("M", "C") for curve in curves):
        raise document.complain("sample.theta", "must be left out where M or C is fitted; it acts on chi alone")
    free = tuple(name for name, parameter in parameters.items() if parameter.limits is not None)
    if not free:
        raise table.complain("", "must have at least one with `from` and `to`, to be fitted; all are fixed")
    fit = document.table("fit") if "fit" in document else TomlTable(document.path, {}, document.lines, "fit")
    fit.allow(["compare", "profile", "starts", "max_steps"])
    compare = _compare(fit, free, parameters)
    profile = fit.entries.get("profile", list(free))
    if not isinstance(profile, list) or not set(profile) <= set(free):
        raise fit.complain("profile", f"must list some of the fitted parameters {listing(free)}, but is {profile!r}")
    starts = whole_number(fit, "starts") if "starts" in fit else 32
    if starts & (starts - 1):
        raise fit.complain("starts", f"must be a power of two, as a Sobol design is, but is {starts}")
    problem = CurveProblem(
        document.path,
        document.text("title", document.path.stem),
        " ".join(document.text("note", "").split()),
        molecule,
        sample,
        curves,
        parameters,
        compare,
        tuple(profile),
        starts,
        whole_number(fit, "max_steps") if "max_steps" in fit else 256,
    )
    _try(document, problem, free)
    return problem


def _parameter(table: TomlTable, name: str, entries: _Entries) -> Parameter:
    """`{ from = -400, to = 50 }` of a free one, `{ value = 2.0 }` of one that is fixed, or all three."""
    entry = table.table(name)
    entry.allow(["from", "to", "value"])
    if name not in entries.units:
        raise table.complain(name, "is used nowhere under [molecule], [sample] or [curves]")
    limits = (entry.number("from"), entry.number("to")) if "from" in entry or "to" in entry else None
    if limits is not None and not limits[0] < limits[1]:
        raise entry.complain("to", f"must be above `from`, which is {limits[0]:g}, but is {limits[1]:g}")
    value = entry.number("value") if limits is None or "value" in entry else None
    return Parameter(limits, value, entries.units[name])


def _molecule(table: TomlTable, entries: _Entries) -> Molecule:
    table.allow(["spins", "bonds", "convention", "energy_unit", "g", "single_ion", "orientations"])
    spins = table.get("spins", "a list of spins, [0.5, 1]")
    if not isinstance(spins, list) or not spins or not all(_is_spin(spin) for spin in spins):
        raise table.complain("spins", f"must be a list of multiples of 0.5, such as [0.5, 1], but is {spins!r}")
    unit = ENERGY_UNITS[table.choice("energy_unit", ENERGY_UNITS)]
    bonds = table.entries.get("bonds", [])
    if not isinstance(bonds, list) or not all(isinstance(bond, list) and len(bond) == 3 for bond in bonds):
        raise table.complain(
            "bonds", f'must be a list such as [[0, 1, "J"]]: two sites and a coupling, but is {bonds!r}'
        )
    for i, j, _ in bonds:
        if not all(isinstance(site, int) and 0 <= site < len(spins) for site in (i, j)) or i == j:
            raise table.complain("bonds", f"must join two of the sites 0 to {len(spins) - 1}, but has {i!r} and {j!r}")
    if bonds or "convention" in table:
        convention = CONVENTIONS[table.choice("convention", CONVENTIONS)]
    else:
        convention = models.PLUS_J
    return Molecule(
        tuple(float(spin) for spin in spins),
        tuple((i, j) for i, j, _ in bonds),
        tuple(entries.read(table, "bonds", coupling, unit.symbol) for _, _, coupling in bonds),
        convention,
        unit,
        _g(table, entries, len(spins)),
        _single_ion(table, entries, len(spins), unit),
        whole_number(table, "orientations") if "orientations" in table else 16,
    )


def _is_spin(spin) -> bool:
    return isinstance(spin, int | float) and not isinstance(spin, bool) and spin > 0 and 2 * spin == round(2 * spin)


def _g(table: TomlTable, entries: _Entries, sites: int):
    words = '"g", or one a site ["g1", 2.0], or [[along z, across z], ...]'
    given = table.get("g", words)
    if not isinstance(given, list):
        return entries.read(table, "g", given, "")
    pairs = [isinstance(g, list) for g in given]
    if len(given) != sites or (any(pairs) and not all(isinstance(g, list) and len(g) == 2 for g in given)):
        raise table.complain("g", f"must be {words} for {sites} sites, but is {given!r}")
    if any(pairs):
        return tuple(tuple(entries.read(table, "g", x, "") for x in pair) for pair in given)
    return tuple(entries.read(table, "g", x, "") for x in given)


def _single_ion(table: TomlTable, entries: _Entries, sites: int, unit: EnergyUnit):
    """`D` of each site."""
    if "single_ion" not in table:
        return None
    given = table.entries["single_ion"]
    if not isinstance(given, list) or len(given) != sites:
        raise table.complain("single_ion", f'must list D of each of {sites} sites, such as ["D", 0], but is {given!r}')
    return tuple(entries.read(table, "single_ion", x, unit.symbol) for x in given)


def _sample(table: TomlTable, entries: _Entries) -> Sample:
    table.allow([*SAMPLE_UNITS, "scale", "weiss", "impurity_spin"])
    read = {
        key: entries.read(table, key, table.entries[key], unit)
        for key, unit in (SAMPLE_UNITS | {"scale": ""}).items()
        if key in table
    }
    spin = table.entries.get("impurity_spin", 0.5)
    if not _is_spin(spin):
        raise table.complain("impurity_spin", f"must be a multiple of 0.5, but is {spin!r}")
    return Sample(**read, weiss=table.choice("weiss", WEISS, WEISS[0]), impurity_spin=float(spin))


def _curves(table: TomlTable, molecule: Molecule, entries: _Entries) -> tuple[MeasuredCurve, ...]:
    if not table.entries:
        raise table.complain("", "must hold at least one curve, [curves.NAME]")
    found = tuple(measured_curve(table.table(name), name, entries.names) for name in table.entries)
    for curve in found:
        if curve.at.field_name is not None:
            entries.read(table.table(curve.name), "field", curve.at.field_name, "T")
        if len(found) > 1 and curve.deviations is None:
            raise table.complain(curve.name, "must have an `uncertainty`, as several curves are weighed together")
        if curve.at.quantity == "C" and "field" in table.table(curve.name) and not molecule.is_isotropic:
            raise table.table(curve.name).complain(
                "field", "must be left out for C of an anisotropic molecule, which is not averaged over directions"
            )
    return found


def _compare(fit: TomlTable, free: tuple[str, ...], parameters) -> tuple[tuple[str, ...], ...]:
    """The models: free parameters of each, all of them last."""
    lists = fit.entries.get("compare", [])
    if not isinstance(lists, list) or not all(isinstance(names, list) and names for names in lists):
        raise fit.complain("compare", f'must be a list of lists of parameters such as [["J", "g"]], but is {lists!r}')
    for names in lists:
        if not set(names) < set(free) or len(set(names)) != len(names):
            raise fit.complain("compare", f"must list some of the fitted {listing(free)}, each once, but has {names}")
        for name in free:
            if name not in names and parameters[name].value is None:
                raise fit.complain(
                    "compare", f'leaves "{name}" out; say at which `value` under [parameters] it is then'
                )
    return (*(tuple(names) for names in lists), free)


def _try(document: TomlTable, problem: CurveProblem, free: tuple[str, ...]) -> None:
    """What the library refuses of the molecule, at the door."""
    middle = {name: jnp.asarray((low + high) / 2) for name, (low, high) in problem.limits(free).items()}
    try:
        problem.molecule.cluster(problem.prediction(free).fixed | middle)
    except ValueError as error:
        raise document.complain("molecule", str(error)) from None
