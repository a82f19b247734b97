"""Magnetic molecules by blocks, against the whole matrix: each kind of symmetry, its derivatives, and its limits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import equilibrium, models
from jaxgibbs.units import INVERSE_CENTIMETRE, KELVIN, MOLAR_GAS_CONSTANT, convert, molar_susceptibility

T = jnp.array([1.7, 10.0, 77.0, 300.0])
BONDS = ((0, 1), (1, 2), (0, 2))
COUPLINGS = np.array([-7.0, 3.0, 11.0])
G = {
    "uniform": lambda x: x,
    "unequal g": lambda x: jnp.array([2.3, 1.9, 2.0]) * x / 2,
    "tensor g": lambda x: jnp.array([[2.3, 2.0], [1.9, 2.15], [2.0, 2.0]]) * x / 2,
    "anisotropy": lambda x: jnp.array([2.3, 1.9, 2.0]) * x / 2,
}
KINDS = list(G)
THETA = jnp.array([1.0, 2.1, 1.2])


def cluster(kind, theta):
    return models.SpinCluster(
        (0.5, 1.5, 1.0),
        BONDS,
        COUPLINGS * theta[0],
        convention=models.MINUS_TWO_J,
        g=G[kind](theta[1]),
        single_ion=theta[2] * jnp.array([0.0, 6.0, -4.0]) if kind == "anisotropy" else None,
        energy_unit=INVERSE_CENTIMETRE,
    )


def over(function):
    return jax.vmap(lambda t: function(1 / (t * convert(1.0, KELVIN, INVERSE_CENTIMETRE))))(T)


def dense_chi(molecule):
    along, across = molecule.moments()
    spectrum = jg.thermal_spectrum(molecule.hamiltonian())

    def one(beta):
        state = spectrum.at(beta)
        return (state.susceptibility(along, along) + 2 * state.susceptibility(across, across)) / 3

    return molar_susceptibility(over(one), INVERSE_CENTIMETRE)


def dense_heat_capacity(molecule, field):
    spectrum = jg.thermal_spectrum(molecule.hamiltonian(field))
    return MOLAR_GAS_CONSTANT * over(lambda beta: spectrum.at(beta).heat_capacity)


def dense_moment(molecule, field):
    spectrum = jg.thermal_spectrum(molecule.hamiltonian(field))
    return over(lambda beta: spectrum.at(beta).expectation(molecule.moments()[0]))


def agree(fast, slow, theta=THETA, rtol=1e-11):
    for function in (lambda f: f, jax.jacfwd):
        found, known = (jax.jit(function(f))(theta) for f in (fast, slow))
        np.testing.assert_allclose(found, known, rtol=rtol, atol=rtol * np.max(np.abs(known)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_chi(kind):
    agree(lambda theta: equilibrium.chi(cluster(kind, theta), T), lambda theta: dense_chi(cluster(kind, theta)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", [0.0, 3.0])
def test_heat_capacity(kind, field):
    agree(
        lambda theta: equilibrium.molar_heat_capacity(cluster(kind, theta), T, field),
        lambda theta: dense_heat_capacity(cluster(kind, theta), field),
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS[:2])
def test_moment_of_an_isotropic_molecule(kind):
    agree(
        lambda theta: equilibrium.magnetisation(cluster(kind, theta), 5.0, T),
        lambda theta: dense_moment(cluster(kind, theta), 5.0),
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", [jax.hessian, lambda f: jax.jacrev(jax.grad(f))], ids=["fwd-rev", "rev-rev"])
def test_second_derivatives_of_chi(kind, order):
    def of(chi, theta):
        return jnp.sum(jnp.sin(30 * chi(cluster(kind, theta))))

    fast = jax.jit(order(functools.partial(of, lambda molecule: equilibrium.chi(molecule, T))))(THETA)
    slow = jax.jit(jax.hessian(functools.partial(of, dense_chi)))(THETA)
    np.testing.assert_allclose(fast, slow, atol=1e-10 * np.max(np.abs(slow)))


@pytest.mark.slow
def test_where_levels_cross():
    """An equilateral triangle has two degenerate doublets; a field and a distortion split them smoothly."""

    def chi(theta):
        triangle = models.SpinCluster(
            (0.5,) * 3,
            BONDS,
            jnp.array([-10.0, -10.0, -10.0]) + theta[0] * jnp.array([1.0, 0.0, -1.0]),
            convention=models.MINUS_J,
            g=jnp.array([2.0, 2.1, 2.2]),
        )
        return equilibrium.chi(triangle, T)

    h, at = 1e-3, jnp.zeros(1)
    slope = jax.jacfwd(chi)(at)[:, 0]
    np.testing.assert_allclose(slope, (chi(at + h) - chi(at - h)) / (2 * h), rtol=1e-5)


@pytest.mark.slow
def test_ground_state_and_saturation():
    """`C / T` of the doublet that is left in the cold, and all moments along a field of a kilotesla."""
    molecule = models.SpinCluster((0.5, 1.0), ((0, 1),), -20.0, convention=models.MINUS_TWO_J, g=2.0)
    doublet = models.SpinCluster((0.5,), (), np.zeros(0), convention=models.PLUS_J, g=2.0)
    np.testing.assert_allclose(equilibrium.chi(molecule, 0.01), equilibrium.chi(doublet, 0.01), rtol=1e-12)
    np.testing.assert_allclose(equilibrium.magnetisation(molecule, 1000.0, 1.0), 3.0, rtol=1e-12)
    assert float(equilibrium.molar_heat_capacity(molecule, 0.05)) == pytest.approx(0, abs=1e-30)


@pytest.mark.slow
def test_joules_in_single_precision():
    in_kelvin = models.SpinCluster((0.5, 1.0), ((0, 1),), -20.0, convention=models.MINUS_J, g=[2.0, 2.2])
    in_joules = models.SpinCluster(
        (0.5, 1.0),
        ((0, 1),),
        jnp.float32(-20 * jg.units.BOLTZMANN_CONSTANT),
        convention=models.MINUS_J,
        g=jnp.array([2.0, 2.2], jnp.float32),
        energy_unit=jg.units.JOULE,
    )
    found = equilibrium.chi(in_joules, jnp.float32(15.0))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, equilibrium.chi(in_kelvin, 15.0), rtol=1e-5)


def test_temperatures_must_be_positive():
    molecule = cluster("uniform", THETA)
    for quantity in (equilibrium.chi, equilibrium.molar_heat_capacity):
        with pytest.raises(ValueError, match="`temperature` must be positive"):
            quantity(molecule, [0.0, 1.0])
    with pytest.raises(ValueError, match="`temperature` must be positive"):
        equilibrium.magnetisation(molecule, 1.0, -1.0)
