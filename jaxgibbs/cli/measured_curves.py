"""Measured curves of a problem file: columns of CSV files, with the unit of each."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np

from jaxgibbs.units import AVOGADRO_CONSTANT, BOHR_MAGNETON, MOLAR_GAS_CONSTANT

from .complaints import must_be_one_of
from .curve_model import SUSCEPTIBILITIES, Abscissa
from .data_files import Columns, read_columns
from .toml_table import TomlTable

MOMENT = AVOGADRO_CONSTANT * BOHR_MAGNETON  # A m^2/mol
PER_SI = 1e6 / (4 * math.pi)  # of a cubic metre of the SI in Gaussian cm^3
UNITS = {
    "chi": {"cm^3/mol": 1.0, "emu/mol": 1.0, "m^3/mol": PER_SI},
    "chi T": {"cm^3 K/mol": 1.0, "emu K/mol": 1.0, "m^3 K/mol": PER_SI},
    "M": {"mu_B": 1.0, "emu/mol": 1e-3 / MOMENT, "cm^3 G/mol": 1e-3 / MOMENT, "A m^2/mol": 1 / MOMENT},
    "C": {"J/(mol K)": 1.0, "R": MOLAR_GAS_CONSTANT, "cal/(mol K)": 4.184},
}
FIELD_UNITS = {"T": 1.0, "kOe": 0.1, "Oe": 1e-4, "G": 1e-4}
KEYS = (
    *("data", "quantity", "measured", "unit", "temperature", "field", "field_unit"),
    *("uncertainty", "relative_uncertainty", "susceptibility"),
)


@dataclasses.dataclass(frozen=True)
class MeasuredCurve:
    """One curve, sorted along its axis.

    Args:
        name: under `[curves]`.
        unit: of the values, as written.
        at: where it was measured.
        values: in `unit`, shape (points,).
        deviations: standard ones, in `unit`; None where they are not known.
    """

    name: str
    unit: str
    at: Abscissa
    values: np.ndarray
    deviations: np.ndarray | None

    @property
    def along_field(self) -> bool:
        """Whether the abscissa is the field rather than the temperature."""
        return self.at.field is not None and len(np.unique(self.at.field)) > 1

    @property
    def positions(self) -> np.ndarray:
        """The abscissa, in tesla or kelvin."""
        return np.asarray(self.at.field if self.along_field else self.at.temperature)


def measured_curve(table: TomlTable, name: str, parameters: list[str]) -> MeasuredCurve:
    """Read one table under `[curves]` and the file that it names.

    Args:
        table: the table.
        name: its name.
        parameters: names of parameters, one of which may stand for the field.
    """
    table.allow(KEYS)
    columns = read_columns(table.file("data"))
    quantity = table.choice("quantity", UNITS)
    unit = table.choice("unit", UNITS[quantity])
    values = columns.numbers(table.choice("measured", columns.header))
    temperature = _column_or_number(table, columns, "temperature")
    field, field_name = _field(table, columns, quantity, parameters)
    if "susceptibility" in table and (quantity not in ("chi", "chi T") or "field" in table):
        raise table.complain("susceptibility", "must be left out where it is M / B, or where no chi was measured")
    deviations = _deviations(table, columns, values)
    order = np.lexsort((temperature,) if field is None else (field, temperature))
    at = Abscissa(
        quantity,
        table.choice("susceptibility", SUSCEPTIBILITIES, "isothermal"),
        jnp.asarray(temperature[order]),
        None if field is None else jnp.asarray(field[order]),
        field_name,
        UNITS[quantity][unit],
    )
    return MeasuredCurve(name, unit, at, values[order], None if deviations is None else deviations[order])


def _column_or_number(table: TomlTable, columns: Columns, key: str) -> np.ndarray:
    """A positive number for all points, or a column of them."""
    if isinstance(table.get(key, "the name of a column, or a number for all points"), str):
        return columns.numbers(table.choice(key, columns.header), positive=True)
    return np.full(len(columns.cells), table.number(key, positive=True))


def _field(table: TomlTable, columns: Columns, quantity: str, parameters) -> tuple[np.ndarray | None, str | None]:
    """The field in tesla at each point, and the name of the parameter that it is, if any."""
    if "field" not in table:
        if quantity == "M":
            raise table.complain("field", "is missing; M needs it: a column, a number, or the name of a parameter")
        if "field_unit" in table:
            raise table.complain("field_unit", "must be left out where there is no field")
        return None, None
    given = table.entries["field"]
    unit = FIELD_UNITS[table.choice("field_unit", FIELD_UNITS, "T")]
    if isinstance(given, str) and given not in columns.header:
        if given not in parameters:
            raise table.complain("field", must_be_one_of(given, [*columns.header, *parameters]))
        if "field_unit" in table:
            raise table.complain("field_unit", "must be left out for a fitted field, which is in tesla")
        return None, given
    if isinstance(given, str):
        field = columns.numbers(given)
    else:
        field = np.full(len(columns.cells), table.number("field"))
    if quantity in ("chi", "chi T") and not np.all(field > 0):
        raise table.complain("field", "must be positive, as chi is M / B; leave it out for chi at zero field")
    return unit * field, None


def _deviations(table: TomlTable, columns: Columns, values: np.ndarray) -> np.ndarray | None:
    if "relative_uncertainty" in table:
        if "uncertainty" in table:
            raise table.complain("relative_uncertainty", "must be left out where there is an `uncertainty`")
        if np.any(values == 0):
            raise table.complain("relative_uncertainty", "must be left out where a measured value is 0")
        return table.number("relative_uncertainty", positive=True) * np.abs(values)
    return _column_or_number(table, columns, "uncertainty") if "uncertainty" in table else None
