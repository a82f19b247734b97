"""Operators as problem files write them: a matrix in a file or in rows, a sum of Pauli strings, a named model, a ladder."""

import math
from typing import Any

import numpy as np

from jaxgibbs.operators import Dense, PauliSum, PauliTerms
from jaxgibbs.operators.local import boson_matrices

from .data_files import read_array
from .named_models import build_model
from .toml_table import TomlTable

SPIN_FACTORS = {
    "x": np.array([[0.0, 1.0], [1.0, 0.0]]),
    "y": np.array([[0.0, -1.0j], [1.0j, 0.0]]),
    "z": np.array([[1.0, 0.0], [0.0, -1.0]]),
    "raising": np.array([[0.0, 1.0], [0.0, 0.0]]),
    "lowering": np.array([[0.0, 0.0], [1.0, 0.0]]),
}
LADDER_FACTORS = ("lowering", "raising", "number", "position")


def hermitian_operator(table: TomlTable) -> Any:
    """`{ matrix = "h.npy" }`, `{ matrix = "h.npz", array = "h" }`, `{ pauli = "X0 X1", sites = 2 }` or `{ model = "...", ... }`."""
    if "matrix" in table:
        table.allow(["matrix", "array"])
        return _dense(table, "matrix", _from_file(table))
    if "rows" in table:
        table.allow(["rows"])
        return _dense(table, "rows", _from_rows(table))
    if "pauli" in table:
        table.allow(["pauli", "sites"])
        return _pauli(table, whole_number(table, "sites"))
    if "model" not in table:
        raise table.complain(
            "model",
            'is missing; write `matrix = "file.npy"`, `rows = [[0, 1], [1, 0]]`, `pauli = "X0 X1"` with `sites`, or '
            '`model = "name"` with its couplings',
        )
    settings = {key: value for key, value in table.entries.items() if key != "model"}
    return build_model(table.text("model"), settings, table.complain)


def matrix_on(table: TomlTable, dim: int) -> np.ndarray:
    """A matrix on a space of dimension `dim`, Hermitian or not.

    A file or rows as above; `{ pauli = "Z0" }`; `{ spin = "lowering", site = 0 }` on spins 1/2; `{ ladder = "lowering" }` on the
    levels of an oscillator.
    """
    if "matrix" in table:
        table.allow(["matrix", "array"])
        key, matrix = "matrix", _from_file(table)
    elif "rows" in table:
        table.allow(["rows"])
        key, matrix = "rows", _from_rows(table)
    elif "pauli" in table:
        table.allow(["pauli"])
        key, matrix = "pauli", np.asarray(_pauli(table, _spins(table, "pauli", dim)).to_dense())
    elif "spin" in table:
        table.allow(["spin", "site"])
        key, matrix = "spin", _spin(table, dim)
    elif "ladder" in table:
        table.allow(["ladder"])
        key, matrix = "ladder", _ladder(table.choice("ladder", LADDER_FACTORS), dim)
    else:
        raise table.complain(
            "matrix",
            'is missing; write `matrix = "file.npy"`, `rows = [[0, 1], [0, 0]]`, `pauli = "Z0"`, '
            '`spin = "lowering"` with `site`, or `ladder = "lowering"`',
        )
    if matrix.shape != (dim, dim):
        raise table.complain(key, f"must have shape {(dim, dim)} like the Hamiltonian, but has shape {matrix.shape}")
    return matrix


def whole_number(table: TomlTable, key: str, least: int = 1) -> int:
    """A whole number of at least `least`."""
    number = table.number(key)
    if number != round(number) or number < least:
        raise table.complain(key, f"must be a whole number of at least {least}, but is {table.entries[key]!r}")
    return round(number)


def _from_file(table: TomlTable) -> np.ndarray:
    if isinstance(table.entries["matrix"], list):
        raise table.complain("matrix", "must be the name of a file; write numbers as `rows = [[0, 1], [1, 0]]`")
    return read_array(table.file("matrix"), table.text("array") if "array" in table else None)


def _from_rows(table: TomlTable) -> np.ndarray:
    rows = table.get("rows", "rows of numbers, [[0, 1], [1, 0]]")
    try:
        matrix = np.asarray(rows, float)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    if matrix.ndim != 2 or len(set(matrix.shape)) > 1 or matrix.size == 0:
        raise table.complain(
            "rows", f"must be as many rows as columns of real numbers, [[0, 1], [1, 0]], but is {rows!r}"
        )
    return matrix


def _dense(table: TomlTable, key: str, matrix: np.ndarray) -> Dense:
    try:
        return Dense(matrix)
    except ValueError as error:
        raise table.complain(key, str(error)) from None


def _pauli(table: TomlTable, sites: int) -> PauliSum:
    try:
        return PauliSum({"pauli": 1.0}, PauliTerms.from_strings(sites, {"pauli": table.text("pauli")}))
    except ValueError as error:
        raise table.complain("pauli", str(error)) from None


def _spins(table: TomlTable, key: str, dim: int) -> int:
    sites = round(math.log2(dim))
    if 2**sites != dim:
        raise table.complain(key, f"needs spins 1/2, but the Hamiltonian has dimension {dim}, which is no power of two")
    return sites


def _spin(table: TomlTable, dim: int) -> np.ndarray:
    factor, sites = SPIN_FACTORS[table.choice("spin", SPIN_FACTORS)], _spins(table, "spin", dim)
    site = whole_number(table, "site", least=0)
    if site >= sites:
        raise table.complain("site", f"must be one of the {sites} sites, 0 to {sites - 1}, but is {site}")
    return np.kron(np.kron(np.eye(2**site), factor), np.eye(2 ** (sites - 1 - site)))


def _ladder(name: str, dim: int) -> np.ndarray:
    lowering, number = boson_matrices(dim)
    return {"lowering": lowering, "raising": lowering.T, "number": number, "position": lowering + lowering.T}[name]
