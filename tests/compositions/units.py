"""Units: each public name in a number to differentiate, or why not."""

import jaxgibbs as jg
from compositions.common import STRUCTURE, square
from jaxgibbs import operators, units

UNITS = tuple(
    f"units.{name}" for name in ("convert", "inverse_temperature", "zeeman_energy", "molar_susceptibility", "seconds")
)


def of_units(theta):
    gap = units.convert(theta[0], units.KELVIN, units.INVERSE_CENTIMETRE) + units.zeeman_energy(
        theta[1], units.KELVIN, 2.0
    )
    beta = units.inverse_temperature(square(theta[2]), units.KELVIN, units.KELVIN)
    variance = jg.gibbs_state(operators.Fermions(gap[None]), beta).energy_variance
    return units.molar_susceptibility(variance, units.KELVIN, 2.0) + 1e9 * units.seconds(beta, units.KELVIN)


TABLE = {
    UNITS: of_units,
}

EXEMPT = {
    **dict.fromkeys(("units.EnergyUnit",), STRUCTURE),
}
