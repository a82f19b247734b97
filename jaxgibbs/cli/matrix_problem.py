"""Problems of kind "charges": operators from files or named models, and measured expectation values of some of them."""

from typing import Any

import numpy as np

from .data_files import read_array, read_columns
from .operator_table import hermitian_operator, whole_number
from .problem import HEAD, Problem, checked_covariance, comparisons, head_of
from .toml_table import TomlTable

TARGETS_FORM = (
    '`name = { value = 0.3, uncertainty = 0.02 }`, or `file = "targets.csv"` with columns name, value, uncertainty'
)


def matrix_problem(document: TomlTable) -> Problem:
    """Read `[charges.*]`, `[observables.*]`, `[targets]` and `[fit]` of a problem of kind "charges"."""
    document.allow([*HEAD, "charges", "observables", "targets"])
    charges = _operators(document.table("charges"))
    names = list(charges)
    others = _operators(document.table("observables")) if "observables" in document else {}
    for name in others:
        if name in charges:
            raise document.complain(f"observables.{name}", "is a charge already; a target may name it without this")
    head = head_of(document, names)
    fit = document.table("fit") if "fit" in document else TomlTable(document.path, {}, document.lines, "fit")
    fit.allow(["compare", "covariance", "copies"])
    known = charges | others
    dimensions = {operator.dim for operator in known.values()}
    if len(dimensions) > 1:
        sizes = ", ".join(f"{name} {operator.dim}" for name, operator in known.items())
        raise document.complain("charges", f"and observables must act on one space, but have dimensions {sizes}")

    targets, deviations = _targets(document, known)
    compare = comparisons(fit, names)
    exact = set(targets) == set(names) and not compare
    copies = None
    if "copies" in fit:
        copies = whole_number(fit, "copies")
    covariance = _covariance(fit, deviations, len(targets))
    if covariance is None and not exact:
        raise document.complain(
            "targets", f"must have uncertainties, or `covariance` under [fit]; write {TARGETS_FORM}"
        )
    if covariance is not None and copies is not None:
        raise fit.complain("copies", "must be left out where the targets have uncertainties")
    if len(targets) < len(names):
        raise document.complain(
            "targets", f"must be at least as many as the {len(names)} charges, but are {len(targets)}"
        )
    return Problem(
        kind="charges",
        charges=charges,
        observables={name: known[name] for name in targets},
        targets=np.asarray(list(targets.values())),
        covariance=covariance,
        copies=copies,
        start=lambda names: None,
        compare=compare,
        value_label="expectation value",
        residual_unit="",
        residual_factor=1.0,
        **head,
    )


def _operators(table: TomlTable) -> dict[str, Any]:
    """Operators by name, in any of the forms of `hermitian_operator`."""
    if not table.entries:
        raise table.complain("", "must hold at least one operator")
    return {name: hermitian_operator(table.table(name)) for name in table.entries}


def _targets(document: TomlTable, known: dict[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """(values, uncertainties) by name, from the table or from the CSV file it names."""
    table = document.table("targets")
    if isinstance(table.entries.get("file"), str):
        table.allow(["file"])
        columns = read_columns(table.file("file"))
        names = columns.texts("name")
        values = dict(zip(names, columns.numbers("value"), strict=True))
        deviations = {}
        if "uncertainty" in columns.header:
            deviations = dict(zip(names, columns.numbers("uncertainty", positive=True), strict=True))
        if len(values) != len(names):
            raise table.complain("file", f'must name each target once, but "{columns.path}" repeats one')
        for name in names:
            if name not in known:
                raise table.complain("file", f'must name charges or observables, but "{columns.path}" has "{name}"')
        return values, deviations
    table.allow(known)
    if not table.entries:
        raise table.complain("", f"must hold at least one target; write {TARGETS_FORM}")
    values, deviations = {}, {}
    for name in table.entries:
        entry = table.table(name)
        entry.allow(["value", "uncertainty"])
        values[name] = entry.number("value")
        if "uncertainty" in entry:
            deviations[name] = entry.number("uncertainty", positive=True)
    if deviations and set(deviations) != set(values):
        missing = next(name for name in values if name not in deviations)
        raise table.complain(missing, "must have an uncertainty, since other targets have one")
    return values, deviations


def _covariance(fit: TomlTable, deviations: dict[str, float], size: int) -> np.ndarray | None:
    if "covariance" in fit:
        if deviations:
            raise fit.complain("covariance", "must be left out where the targets have uncertainties of their own")
        return checked_covariance(fit, "covariance", read_array(fit.file("covariance")), size)
    return np.diag(np.asarray(list(deviations.values())) ** 2) if deviations else None
