"""Laboratory units to `hbar = k_B = 1` and back.

The library computes with `hbar = k_B = 1`: pick one energy unit, write every energy, temperature and field energy in
it, and read energies back in it; times come in `hbar / unit`. An `EnergyUnit` knows its size in joule, so a conversion
is one ratio:

    1 K = k_B,  1 cm^-1 = 100 h c / m,  1 GHz = 1e9 h / s,  1 meV = e mV,  1 kJ/mol = 1000 J / N_A

The constants are exact by the definition of the SI (BIPM 2019), save the Bohr magneton and the hartree, which are
measured (CODATA 2022). A susceptibility or heat capacity for each molecule becomes the molar one of the laboratory by
`molar_susceptibility` and `MOLAR_GAS_CONSTANT`.
"""

import dataclasses
import math
from typing import TypeVar

import numpy as np
from jaxtyping import Array

Number = TypeVar("Number", float, np.ndarray, Array)
"""What is converted comes back as the kind of number it was: a Python float, a NumPy array or a JAX array."""

# Exact by definition (SI 2019), in SI units.
PLANCK_CONSTANT = 6.62607015e-34
REDUCED_PLANCK_CONSTANT = PLANCK_CONSTANT / (2 * math.pi)
BOLTZMANN_CONSTANT = 1.380649e-23
SPEED_OF_LIGHT = 299792458.0
ELEMENTARY_CHARGE = 1.602176634e-19
AVOGADRO_CONSTANT = 6.02214076e23
MOLAR_GAS_CONSTANT = AVOGADRO_CONSTANT * BOLTZMANN_CONSTANT
"""J / (mol K): a heat capacity or an entropy for each molecule, in k_B, times this is the molar one."""

# Measured: CODATA 2022, relative standard uncertainties 3.1e-10 and 1.1e-12.
BOHR_MAGNETON = 9.2740100657e-24
HARTREE_ENERGY = 4.3597447222060e-18


@dataclasses.dataclass(frozen=True)
class EnergyUnit:
    """A unit of energy, and through `k_B`, `h` and `c` of temperature, frequency and wavenumber.

    Args:
        symbol: how it is written, `"cm^-1"`.
        joules: its size in joule.
    """

    symbol: str
    joules: float


KELVIN = EnergyUnit("K", BOLTZMANN_CONSTANT)
MILLIKELVIN = EnergyUnit("mK", 1e-3 * BOLTZMANN_CONSTANT)
INVERSE_CENTIMETRE = EnergyUnit("cm^-1", 100 * PLANCK_CONSTANT * SPEED_OF_LIGHT)
MILLIELECTRONVOLT = EnergyUnit("meV", 1e-3 * ELEMENTARY_CHARGE)
ELECTRONVOLT = EnergyUnit("eV", ELEMENTARY_CHARGE)
GIGAHERTZ = EnergyUnit("GHz", 1e9 * PLANCK_CONSTANT)
TERAHERTZ = EnergyUnit("THz", 1e12 * PLANCK_CONSTANT)
KILOJOULE_PER_MOLE = EnergyUnit("kJ/mol", 1e3 / AVOGADRO_CONSTANT)
HARTREE = EnergyUnit("Eh", HARTREE_ENERGY)
JOULE = EnergyUnit("J", 1.0)

ENERGY_UNITS = (
    KELVIN,
    MILLIKELVIN,
    INVERSE_CENTIMETRE,
    MILLIELECTRONVOLT,
    ELECTRONVOLT,
    GIGAHERTZ,
    TERAHERTZ,
    KILOJOULE_PER_MOLE,
    HARTREE,
    JOULE,
)


def convert(value: Number, source: EnergyUnit, target: EnergyUnit) -> Number:
    """The same energy, temperature or frequency in another unit: `value * source / target`.

    Args:
        value: number or array, in units of `source`.
        source: unit `value` is given in.
        target: unit wanted.

    Returns:
        `value` in units of `target`, of the same shape; a Python number stays one.

    >>> round(convert(1.0, INVERSE_CENTIMETRE, KELVIN), 6)
    1.438777
    """
    return value * (source.joules / target.joules)  # the ratio first: 1e-23 alone is lost in float32


def inverse_temperature(temperature: Number, temperature_unit: EnergyUnit, energy_unit: EnergyUnit) -> Number:
    """`beta = 1 / (k_B T)` for a Hamiltonian written in `energy_unit`.

    Args:
        temperature: temperature in `temperature_unit`, not zero.
        temperature_unit: usually `KELVIN`.
        energy_unit: unit of the Hamiltonian.

    Returns:
        `beta` in `1 / energy_unit`, of the shape of `temperature`.
    """
    return 1 / convert(temperature, temperature_unit, energy_unit)


def zeeman_energy(field: Number, energy_unit: EnergyUnit, g_factor: float = 1.0) -> Number:
    """`g mu_B B` in `energy_unit`, the coupling that multiplies a dimensionless spin.

    Args:
        field: magnetic flux density in tesla.
        energy_unit: unit of the Hamiltonian.
        g_factor: 1 for the plain Bohr magneton, about 2 for an electron spin.

    >>> round(zeeman_energy(1.0, KELVIN), 6)
    0.671714
    """
    return g_factor * field * (BOHR_MAGNETON / energy_unit.joules)


def molar_susceptibility(susceptibility: Number, energy_unit: EnergyUnit, g_factor: float = 1.0) -> Number:
    """Molar magnetic susceptibility in emu/mol (cm^3/mol, Gaussian units) from that of one dimensionless spin.

        chi_mol = N_A (g mu_B)^2 chi / unit,    1 J/T^2 = 0.1 erg/G^2,    N_A mu_B^2 / k_B = 0.375 emu K/mol

    Args:
        susceptibility: `d<S_z> / d(g mu_B B)` in `1 / energy_unit`, as `GibbsState.susceptibility(S_z, S_z)` gives it.
        energy_unit: unit of the Hamiltonian.
        g_factor: the one the field couples with.

    Reference: Kahn (1993), Molecular Magnetism, chapter 1.
    """
    return (g_factor * g_factor) * susceptibility * (0.1 * AVOGADRO_CONSTANT * BOHR_MAGNETON**2 / energy_unit.joules)


def seconds(time: Number, energy_unit: EnergyUnit) -> Number:
    """A time of the library, in `hbar / energy_unit`, in seconds."""
    return time * (REDUCED_PLANCK_CONSTANT / energy_unit.joules)
