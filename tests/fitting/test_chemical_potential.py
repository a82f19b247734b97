"""Free particles: chemical potential from their number, temperature from their energy, the GGE of occupations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import RESULTS
from jaxgibbs.fitting import multipliers_of_occupations
from jaxgibbs.operators import Bosons, Fermions, QuadraticBosons, QuadraticFermions, Spectrum

ENERGIES = np.array([-0.6, 0.0, 0.4, 0.4, 1.7])


@pytest.mark.parametrize("kind", [Fermions, Bosons])
def test_the_number_comes_back(kind):
    for beta in (1e-3, 0.8, 50.0):
        for particles in (1e-9, 0.3, 2.0, 4.9999):
            fit = jg.fit_chemical_potential(kind(ENERGIES), beta, particles)
            assert fit.result == RESULTS.optimal
            state = jg.gibbs_state(kind(ENERGIES - float(fit.value)), beta)
            # the occupation is known to eps beta mu n (1 +- n)
            spread = float(state.covariance(kind(np.ones(5)), kind(np.ones(5))))
            slack = 8 * 2.3e-16 * (particles + beta * (abs(float(fit.value)) + 2) * spread)
            np.testing.assert_allclose(np.sum(state.populations), particles, atol=slack, rtol=1e-14)


def test_low_temperature():
    """In a gap `mu` tends to the middle, corrected by the degeneracies: `ln(g_below / g_above) / (2 beta)`."""
    band = Fermions(np.array([-1.0, -1.0, -1.0, 1.0]))
    fit = jg.fit_chemical_potential(band, 500.0, 3)
    np.testing.assert_allclose(fit.value, np.log(3) / 1000, rtol=1e-12)
    slope = jax.grad(lambda b: jg.fit_chemical_potential(band, b, 3.0).value)(500.0)
    np.testing.assert_allclose(slope, -np.log(3) / (2 * 500.0**2), rtol=1e-10)
    condensate = jg.fit_chemical_potential(Bosons([0.0, 1.0]), 1e3, 1e6)
    np.testing.assert_allclose(condensate.value, -np.log1p(1e-6) / 1e3, rtol=1e-12)


@pytest.mark.parametrize("kind", [Fermions, Bosons])
def test_derivatives(kind):
    def mu(energies, beta, particles):
        return jg.fit_chemical_potential(kind(energies), beta, particles).value

    @jax.jit
    def derivatives(energies, beta, particles):
        return (
            mu(energies, beta, particles),
            jax.grad(mu, (0, 1, 2))(energies, beta, particles),
            jax.grad(jax.grad(mu, 2), 2)(energies, beta, particles),
        )

    for particles in (2.0, 2.3):
        value, (of_energies, of_beta, of_number), curvature = derivatives(jnp.asarray(ENERGIES), 1.2, particles)
        x = 1.2 * (ENERGIES - float(value))
        n = 1 / (np.exp(x) + (1 if kind is Fermions else -1))
        spread = n * (1 - n if kind is Fermions else 1 + n)
        np.testing.assert_allclose(of_number, 1 / (1.2 * spread.sum()), rtol=1e-11)
        np.testing.assert_allclose(of_beta, spread @ (ENERGIES - float(value)) / (1.2 * spread.sum()), rtol=1e-11)
        np.testing.assert_allclose(of_energies, spread / spread.sum(), rtol=1e-11)
        third = np.sum(spread * (1 - 2 * n if kind is Fermions else 1 + 2 * n))
        np.testing.assert_allclose(curvature, -third / (1.2 * spread.sum() ** 3), rtol=1e-9)


def test_verdicts_and_refusals():
    modes = Fermions(ENERGIES)
    for particles, value, result in (
        (0.0, -np.inf, RESULTS.boundary),
        (5.0, np.inf, RESULTS.boundary),
        (5.1, np.nan, RESULTS.infeasible),
        (-1.0, np.nan, RESULTS.infeasible),
    ):
        fit = jg.fit_chemical_potential(modes, 1.0, particles)
        assert fit.result == result
        np.testing.assert_array_equal(fit.value, value)
    assert jg.fit_chemical_potential(Bosons(ENERGIES), 1.0, 0.0).value == -np.inf
    for beta in (0.0, -1.0, np.inf):
        with pytest.raises(ValueError, match="positive and finite"):
            jg.fit_chemical_potential(modes, beta, 1.0)
    with pytest.raises(ValueError, match="must be a scalar"):
        jg.fit_chemical_potential(modes, 1.0, [1.0])
    with pytest.raises(ValueError, match="must be `Fermions` or `Bosons`"):
        jg.fit_chemical_potential(Spectrum(ENERGIES), 1.0, 1.0)
    assert np.isnan(jax.jit(lambda b: jg.fit_chemical_potential(modes, b, 1.0).value)(-1.0))


def test_half_filling_of_a_long_chain():
    energies, _ = jg.models.hopping_chain_modes(2000, 1.0)
    batch = jax.jit(jax.vmap(lambda n: jg.fit_chemical_potential(Fermions(energies), 5.0, n).value))
    low, middle, high = batch(jnp.array([500.0, 1000.0, 1500.0]))
    np.testing.assert_allclose(middle, 0, atol=1e-13)
    np.testing.assert_allclose(low, -high, rtol=1e-12)


@pytest.mark.slow
def test_multipliers_of_occupations():
    occupations = np.array([0.1, 0.5, 0.93])
    charges = [Fermions(row) for row in np.eye(3)]
    fit = jg.fit_multipliers(charges, occupations)
    np.testing.assert_allclose(multipliers_of_occupations(occupations), fit.value, rtol=1e-9, atol=1e-12)
    many = np.random.default_rng(0).uniform(0.01, 0.99, 2000)
    np.testing.assert_allclose(
        jg.gibbs_state(Fermions(multipliers_of_occupations(many)), 1.0).populations, many, rtol=1e-14
    )
    more = 30 * many
    found = jg.gibbs_state(Bosons(multipliers_of_occupations(more, bosonic=True)), 1.0).populations
    np.testing.assert_allclose(found, more, rtol=1e-13)
    np.testing.assert_array_equal(multipliers_of_occupations([0.0, 1.0]), [np.inf, -np.inf])
    for bosonic, wrong in ((False, 1.1), (False, -0.1), (True, -0.1)):
        with pytest.raises(ValueError, match="`occupations` must be"):
            multipliers_of_occupations([wrong], bosonic=bosonic)
    assert np.isnan(jax.jit(multipliers_of_occupations)(1.1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "hamiltonian",
    [
        pytest.param(jg.models.tight_binding_chain(6, 1.0, 0.3), marks=pytest.mark.slow),
        jg.models.kitaev_chain(5, 1.0, 0.8, 0.3),
        pytest.param(QuadraticBosons([[1.0, 0.2], [0.2, 1.5]]), marks=pytest.mark.slow),
        QuadraticBosons([[1.0, 0.2], [0.2, 1.5]], [[0.3, 0.0], [0.0, 0.1]]),
    ],
    ids=["hopping", "kitaev", "bosons", "squeezed"],
)
def test_temperature_of_quadratic_hamiltonians(hamiltonian):
    energies = jax.jit(lambda b: (jg.energy(hamiltonian, b), jg.entropy(hamiltonian, b)))
    for beta in (0.2, 3.0, -0.5) if isinstance(hamiltonian, QuadraticFermions) else (0.2, 3.0):
        energy, entropy = energies(beta)
        np.testing.assert_allclose(jg.fit_beta(hamiltonian, energy).value, beta, rtol=1e-11)
        np.testing.assert_allclose(jg.fit_beta(hamiltonian, entropy=entropy).value, abs(beta), rtol=1e-11)
    slope = jax.jit(jax.grad(lambda energy: jg.fit_beta(hamiltonian, energy).value))(energies(0.2)[0])
    np.testing.assert_allclose(slope, -1 / jg.gibbs_state(hamiltonian, 0.2).energy_variance, rtol=1e-9)
    ground = float(jg.energy(hamiltonian, np.inf))
    assert jg.fit_beta(hamiltonian, ground).value == np.inf
    assert jg.fit_beta(hamiltonian, ground - 0.1).result == RESULTS.infeasible
