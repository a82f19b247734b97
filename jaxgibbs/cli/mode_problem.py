"""Problems of kind "free modes": occupations or intensities of independent boson or fermion modes.

The state is `rho = exp(-sum_k lambda_k Q_k) / Xi` with charges `Q_k = sum_m q_km n_m` that are linear in the
occupations: "energy" has q = the energies of the modes, "number" has q = 1, any other name is a column of the data. So
the occupation of mode m is `<n_m> = 1 / (exp(sum_k lambda_k q_km) -+ 1)`.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgibbs import units
from jaxgibbs.operators import Bosons, Fermions

from .data_files import Columns, read_columns
from .problem import HEAD, Curve, Problem, comparisons, head_of
from .toml_table import TomlTable

OCCUPATION_UNITS = {"1": 1.0}
RADIANCE_UNITS = {"W m^-2 Hz^-1 sr^-1": 1.0, "MJy/sr": 1e-20, "kJy/sr": 1e-23, "Jy/sr": 1e-26}
"""A jansky is 1e-26 W m^-2 Hz^-1."""

GRID_POINTS = 400


def mode_problem(document: TomlTable) -> Problem:
    """Read the tables `[modes]` and `[fit]` of a problem of kind "free modes" and the CSV file they name."""
    document.allow([*HEAD, "modes"])
    modes = document.table("modes")
    modes.allow(
        [
            *("data", "statistics", "energy", "measured", "measured_as", "measured_unit"),
            *("weight", "uncertainty", "uncertainty_unit"),
        ]
    )
    columns = read_columns(modes.file("data"))
    bosons = modes.choice("statistics", ("bosons", "fermions")) == "bosons"
    fit = document.table("fit")
    fit.allow(["charges", "compare"])
    names = fit.texts("charges")
    head = head_of(document, names)

    energies = columns.numbers(_column(modes, columns, "energy"))
    weights, unit_sizes, quantity = _weights(document, modes, columns, energies, head["energy_unit"])
    unit = modes.choice("measured_unit", unit_sizes, next(iter(unit_sizes)))
    size = unit_sizes[unit]
    measured = columns.numbers(_column(modes, columns, "measured"))
    fine_unit = modes.choice("uncertainty_unit", unit_sizes, unit)
    deviations = columns.numbers(_column(modes, columns, "uncertainty"), positive=True) * (unit_sizes[fine_unit] / size)

    charge_rows = {name: _charge_row(fit, columns, name, energies) for name in names}
    particles = Bosons if bosons else Fermions
    sign = 1.0 if bosons else -1.0
    rows = np.eye(len(energies)) * weights(energies)[:, None] / size

    def start(names: list[str]) -> np.ndarray | None:
        occupations = measured * size / weights(energies)
        return _log_linear(np.stack([charge_rows[name] for name in names]), occupations, deviations, sign)

    def on_grid(multipliers: np.ndarray) -> np.ndarray:
        exponents = sum(
            multiplier * (grid if name == "energy" else np.ones_like(grid))
            for name, multiplier in zip(names, multipliers, strict=True)
        )
        return np.asarray(weights(grid) / size * _occupation(exponents, sign))

    grid = np.linspace(energies.min(), energies.max(), GRID_POINTS)
    smooth = set(names) <= {"energy", "number"} and "weight" not in modes
    axis = modes.text("energy") + (f" / {head['energy_unit'].symbol}" if head["energy_unit"] else "")
    return Problem(
        kind="free modes",
        charges={name: particles(row) for name, row in charge_rows.items()},
        observables={f"{energy:g}": particles(row) for energy, row in zip(energies, rows, strict=True)},
        targets=measured,
        covariance=np.diag(deviations**2),
        copies=None,
        start=start,
        compare=comparisons(fit, names),
        value_label=quantity if unit == "1" else f"{quantity} / ({unit})",
        residual_unit="" if fine_unit == "1" else fine_unit,
        residual_factor=size / unit_sizes[fine_unit],
        curve=Curve(energies, grid, on_grid if smooth else None, axis),
        **head,
    )


def _column(modes: TomlTable, columns: Columns, key: str) -> str:
    """Name of the column given under `key`, complaining in the problem file where the data have none such."""
    return modes.choice(key, columns.header)


def _charge_row(fit: TomlTable, columns: Columns, name: str, energies: np.ndarray) -> np.ndarray:
    """What one particle in each mode adds to a charge."""
    if name == "energy":
        return energies
    if name == "number":
        return np.ones_like(energies)
    if name not in columns.header:
        raise fit.complain("charges", f'must name "energy", "number" or columns of the data, but has "{name}"')
    return columns.numbers(name)


def _weights(document, modes, columns, energies, energy_unit):
    """(weights as a function of energy, units by size, words): measured value = weight * occupation."""
    if modes.choice("measured_as", ("occupation", "spectral radiance"), "occupation") == "occupation":
        values = columns.numbers(_column(modes, columns, "weight"), positive=True) if "weight" in modes else None
        quantity = "occupation" if values is None else "weighted occupation"
        return (lambda e: np.ones_like(e) if values is None else values), OCCUPATION_UNITS, quantity
    if modes.entries["statistics"] != "bosons":
        raise modes.complain("measured_as", 'can be "spectral radiance" for bosons alone')
    if "weight" in modes:
        raise modes.complain("weight", "must be left out for a spectral radiance, whose weight is 2 h nu^3 / c^2")
    if energy_unit is None:
        raise document.complain("energy_unit", "is missing; a spectral radiance needs the unit of the energy column")
    if energies.min() <= 0:
        raise modes.complain("energy", f"must name a column of positive energies, but the least is {energies.min():g}")

    def radiance(energies):
        frequencies = energies * (energy_unit.joules / units.PLANCK_CONSTANT)
        return 2 * units.PLANCK_CONSTANT * frequencies**3 / units.SPEED_OF_LIGHT**2

    return radiance, RADIANCE_UNITS, "spectral radiance"


def _occupation(exponents, sign):
    """`1 / (exp(x) - 1)` for bosons (sign 1), `1 / (exp(x) + 1)` for fermions (sign -1)."""
    return 1 / jnp.expm1(exponents) if sign > 0 else jax.nn.sigmoid(-exponents)


def _log_linear(charges, occupations, deviations, sign) -> np.ndarray | None:
    """Multipliers from the weighted linear fit of `log(1/n +- 1) = sum_k lambda_k q_k`; None where it is no state.

    Only modes whose measured occupation is a possible one take part; a noisy tail has others.
    """
    possible = (occupations > 0) & ((occupations < 1) | (sign > 0))
    if possible.sum() < len(charges):
        return None
    n = occupations[possible]
    weight = n * (1 + sign * n) / deviations[possible] * np.ones_like(n)
    design = charges[:, possible].T
    guess, *_ = np.linalg.lstsq(design * weight[:, None], np.log(1 / n + sign) * weight, rcond=None)
    if sign > 0 and np.min(guess @ charges) <= 0:
        return None
    return guess
