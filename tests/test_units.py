"""Conversions against scipy's CODATA tables and against numbers every textbook prints."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.constants

from jaxgibbs import units


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Planck constant", units.PLANCK_CONSTANT),
        ("reduced Planck constant", units.REDUCED_PLANCK_CONSTANT),
        ("Boltzmann constant", units.BOLTZMANN_CONSTANT),
        ("speed of light in vacuum", units.SPEED_OF_LIGHT),
        ("elementary charge", units.ELEMENTARY_CHARGE),
        ("Avogadro constant", units.AVOGADRO_CONSTANT),
        ("molar gas constant", units.MOLAR_GAS_CONSTANT),
    ],
)
def test_constants_exact_by_definition(name, value):
    assert value == pytest.approx(scipy.constants.value(name), rel=1e-9 if name.startswith(("reduced", "molar")) else 0)


@pytest.mark.parametrize(
    ("name", "value", "tolerance"),
    [("Bohr magneton", units.BOHR_MAGNETON, 1e-8), ("Hartree energy", units.HARTREE_ENERGY, 1e-10)],
)
def test_measured_constants_of_any_recent_adjustment(name, value, tolerance):
    assert value == pytest.approx(scipy.constants.value(name), rel=tolerance)


@pytest.mark.parametrize(
    ("source", "target", "name"),
    [
        (units.KELVIN, units.INVERSE_CENTIMETRE, "kelvin-inverse meter relationship"),
        (units.KELVIN, units.GIGAHERTZ, "kelvin-hertz relationship"),
        (units.KELVIN, units.ELECTRONVOLT, "kelvin-electron volt relationship"),
        (units.KELVIN, units.JOULE, "kelvin-joule relationship"),
        (units.ELECTRONVOLT, units.TERAHERTZ, "electron volt-hertz relationship"),
        (units.HARTREE, units.ELECTRONVOLT, "hartree-electron volt relationship"),
    ],
)
def test_conversion_agrees_with_codata(source, target, name):
    prefix = {"cm^-1": 1e-2, "GHz": 1e-9, "THz": 1e-12}.get(target.symbol, 1.0)
    assert units.convert(1.0, source, target) == pytest.approx(scipy.constants.value(name) * prefix, rel=1e-9)


def test_textbook_numbers():
    assert units.convert(300.0, units.KELVIN, units.MILLIELECTRONVOLT) == pytest.approx(25.852, abs=5e-4)
    assert units.convert(1.0, units.MILLIELECTRONVOLT, units.INVERSE_CENTIMETRE) == pytest.approx(8.06554, abs=5e-6)
    assert units.convert(1.0, units.ELECTRONVOLT, units.KILOJOULE_PER_MOLE) == pytest.approx(96.485, abs=5e-4)
    assert units.convert(1.0, units.KELVIN, units.MILLIKELVIN) == pytest.approx(1000.0, rel=1e-15)


@pytest.mark.parametrize("source", units.ENERGY_UNITS, ids=lambda unit: unit.symbol)
@pytest.mark.parametrize("target", units.ENERGY_UNITS, ids=lambda unit: unit.symbol)
def test_there_and_back(source, target):
    there = units.convert(0.7, source, target)
    assert units.convert(there, target, source) == pytest.approx(0.7, rel=1e-15)


def test_float32_survives_the_size_of_a_joule():
    energies = jnp.asarray([1.0, 2.0], jnp.float32)
    converted = units.convert(energies, units.INVERSE_CENTIMETRE, units.KELVIN)
    assert converted.dtype == jnp.float32
    np.testing.assert_allclose(converted, [1.4387769, 2.8775538], rtol=1e-6)


def test_conversion_is_differentiable():
    gradient = jax.grad(lambda t: units.inverse_temperature(t, units.KELVIN, units.INVERSE_CENTIMETRE))(10.0)
    assert gradient == pytest.approx(-1.4387769 / 100, rel=1e-7)


def test_inverse_temperature_makes_the_exponent_dimensionless():
    # h c / k_B = 1.438777 cm K, the second radiation constant
    beta = units.inverse_temperature(2.0, units.KELVIN, units.INVERSE_CENTIMETRE)
    assert beta * 3.0 == pytest.approx(1.438776877 * 3.0 / 2.0, rel=1e-9)


def test_curie_constant_of_a_free_electron_spin():
    # Curie's law of a spin 1/2: beta times the variance 1/4, and C = 0.375 emu K/mol at g = 2
    temperature = 5.0
    chi = units.molar_susceptibility(0.25 / temperature, units.KELVIN, g_factor=2.0)
    assert chi * temperature == pytest.approx(0.3751, abs=5e-5)
    in_wavenumbers = units.molar_susceptibility(
        0.25 / units.convert(temperature, units.KELVIN, units.INVERSE_CENTIMETRE), units.INVERSE_CENTIMETRE, 2.0
    )
    assert in_wavenumbers == pytest.approx(chi, rel=1e-14)


def test_zeeman_energy_and_time():
    assert units.zeeman_energy(1.0, units.INVERSE_CENTIMETRE, 2.0) == pytest.approx(2 * 0.46686448, rel=1e-7)
    assert units.seconds(1.0, units.MILLIELECTRONVOLT) == pytest.approx(6.582119569e-13, rel=1e-9)
