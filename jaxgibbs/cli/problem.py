"""A fit problem as it stands in a TOML file, whatever its kind: charges, observables and their measured values."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxgibbs import units

from .toml_table import TomlTable

ENERGY_UNITS = {unit.symbol: unit for unit in units.ENERGY_UNITS}

HEAD = ("kind", "title", "note", "energy_unit", "temperature_unit", "labels", "published", "fit")
"""Keys at the top of every problem file, next to the tables of its kind."""


@dataclasses.dataclass(frozen=True)
class Curve:
    """How the figure draws data that lie along an axis: the spectrum of free modes.

    Args:
        positions: where the data stand, shape (observables,).
        grid: a finer axis, shape (points,).
        on_grid: from the multipliers of the charges to the fitted values on `grid`; None where a charge is known at the
            data alone.
        label: text of the axis.
    """

    positions: np.ndarray
    grid: np.ndarray
    on_grid: Callable[[np.ndarray], np.ndarray] | None
    label: str


@dataclasses.dataclass(frozen=True)
class Problem:
    """`rho = exp(-sum_k lambda_k Q_k) / Z` and measured values of some observables in it.

    Args:
        path: the file it was read from.
        title: one line for the table and the figure.
        note: what a reader must know of the numbers; printed under them.
        kind: `"free modes"` or `"charges"`, as in the file.
        charges: operators by name; their multipliers are what is fitted.
        observables: operators by name, in the order of `targets`.
        targets: measured values, shape (observables,).
        covariance: of `targets`, shape (observables, observables); None when only the charges themselves are given and
            nothing is known of their errors.
        copies: number of measured copies of the state, for targets without uncertainties.
        start: from the names of the charges fitted to multipliers that the fit may begin from, shape (charges,), or to
            None where there is no guess.
        compare: further fits with fewer charges, by their names.
        energy_unit: unit of the charge called "energy"; None for a dimensionless one.
        temperature_unit: unit to give the temperature in.
        value_label: what the targets are, with their unit, for table and figure.
        labels: names to print for the multipliers, by charge name.
        residual_unit: unit the residuals are shown in.
        residual_factor: what turns the unit of `targets` into it.
        published: values to print beside the fitted ones, by charge name or `temperature`.
        curve: the axis the data lie along, if they do.
    """

    path: pathlib.Path
    title: str
    note: str
    kind: str
    charges: Mapping[str, Any]
    observables: Mapping[str, Any]
    targets: np.ndarray
    covariance: np.ndarray | None
    copies: int | None
    start: Callable[[list[str]], np.ndarray | None]
    compare: list[list[str]]
    energy_unit: units.EnergyUnit | None
    temperature_unit: units.EnergyUnit | None
    value_label: str
    residual_unit: str
    residual_factor: float
    labels: Mapping[str, str]
    published: Mapping[str, str]
    curve: Curve | None = None


def head_of(document: TomlTable, charges: list[str]) -> dict[str, Any]:
    """The fields of `Problem` that every kind reads in the same way."""
    energy_unit = unit_of(document, "energy_unit")
    temperature_unit = unit_of(document, "temperature_unit")
    if temperature_unit is not None and energy_unit is None:
        raise document.complain("energy_unit", "is missing; a temperature in a unit needs the unit of the energy")
    labels = {name: f"lambda({name})" for name in charges} | {"energy": "beta", "number": "alpha"}
    return {
        "path": document.path,
        "title": document.text("title", document.path.stem),
        "note": " ".join(document.text("note", "").split()),
        "energy_unit": energy_unit,
        "temperature_unit": temperature_unit or energy_unit,
        "labels": labels | _words(document, "labels", charges),
        "published": _words(document, "published", [*charges, "temperature"]),
    }


def comparisons(fit: TomlTable, charges: list[str]) -> list[list[str]]:
    """The further fits under `compare`: lists of some of the charges."""
    if "compare" not in fit:
        return []
    lists = fit.get("compare", "a list of lists of charges")
    if not isinstance(lists, list) or not all(isinstance(names, list) and names for names in lists):
        raise fit.complain("compare", f'must be a list of lists of charges such as [["energy"]], but is {lists!r}')
    for names in lists:
        unknown = [name for name in names if name not in charges]
        if unknown or len(set(names)) != len(names) or set(names) == set(charges):
            raise fit.complain("compare", f"must list some of the charges {charges}, each once, but has {names}")
    return lists


def _words(document: TomlTable, key: str, allowed: list[str]) -> dict[str, str]:
    """A table of texts by charge name."""
    if key not in document:
        return {}
    table = document.table(key)
    table.allow(allowed)
    return {name: table.text(name) for name in table.entries}


def unit_of(document: TomlTable, key: str) -> units.EnergyUnit | None:
    """The energy unit under `key`, or None where there is none."""
    return ENERGY_UNITS[document.choice(key, ENERGY_UNITS)] if key in document else None


def checked_covariance(table: TomlTable, key: str, matrix: np.ndarray, size: int) -> np.ndarray:
    """A covariance read from a file: real, of the right size, symmetric, positive definite."""
    if matrix.shape != (size, size) or np.iscomplexobj(matrix):
        raise table.complain(key, f"must hold a real matrix of shape {(size, size)}, but has shape {matrix.shape}")
    if not np.allclose(matrix, matrix.T, rtol=1e-10, atol=0):
        raise table.complain(key, "must hold a symmetric matrix, but differs from its transpose")
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise table.complain(key, "must hold a positive definite matrix, but it is not") from None
    return matrix
