"""Covariances of fitted multipliers, and the information a state holds about them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs.fitting import fit_multipliers, quantum_fisher_information
from jaxgibbs.operators import Bosons, KroneckerSum, Spectrum

X = np.array([[0, 1], [1, 0]], complex)
Y = np.array([[0, -1j], [1j, 0]], complex)
Z = np.array([[1, 0], [0, -1]], complex)
PAULI = (X, Y, Z)
Q = np.array([0.3, 0.2, -0.5])


def information_from_the_logarithmic_derivative(charges, multipliers, h=1e-5):
    """`J_kl = 2 sum_ab Re[(d_k rho)_ab (d_l rho)_ba] / (p_a + p_b)` with differences for `d_k rho`."""

    def state(lam):
        return np.asarray(jg.generalized_gibbs_state(charges, lam).density_matrix())

    multipliers = np.asarray(multipliers, float)
    slopes = [(state(multipliers + h * e) - state(multipliers - h * e)) / (2 * h) for e in np.eye(len(multipliers))]
    p, u = np.linalg.eigh(state(multipliers))
    inside = [u.conj().T @ slope @ u for slope in slopes]
    sums = p[:, None] + p[None, :]
    return np.array([[2 * np.sum((a * b.T).real / sums) for b in inside] for a in inside])


@pytest.mark.parametrize("multipliers", [(0.4, -0.3, 0.8), (0.0, 0.0, 0.0), (0.0, 0.0, 2.5)])
def test_quantum_fisher_information(multipliers):
    information = quantum_fisher_information(PAULI, multipliers)
    expected = information_from_the_logarithmic_derivative(PAULI, multipliers)
    np.testing.assert_allclose(information, expected, atol=1e-8)
    # The logarithmic mean lies below the arithmetic one: J <= K.
    covariance = jg.generalized_gibbs_state(PAULI, jnp.asarray(multipliers)).charge_covariance
    assert np.linalg.eigvalsh(covariance - information)[0] > -1e-12


def test_information_of_commuting_charges_is_their_covariance():
    levels = (Spectrum([0.0, 1.0, 3.0]), Spectrum([1.0, 0.0, 2.0]))
    dense = tuple(np.diag(np.asarray(s.levels)) for s in levels)
    lam = jnp.array([0.3, -0.6])
    for charges in (levels, dense):
        expected = jg.generalized_gibbs_state(charges, lam).charge_covariance
        np.testing.assert_allclose(quantum_fisher_information(charges, lam), expected, atol=1e-13)
    modes = (Bosons([1.0, 2.0]), Bosons([1.0, 1.0]))
    lam = jnp.array([0.3, 0.6])
    expected = jg.generalized_gibbs_state(modes, lam).charge_covariance
    np.testing.assert_allclose(quantum_fisher_information(modes, lam), expected, rtol=1e-13)


@pytest.mark.slow
def test_information_of_independent_parts_adds():
    charges = (KroneckerSum((X, Z)), KroneckerSum((Z, Y)))
    dense = tuple(np.asarray(charge.to_dense()) for charge in charges)
    lam = jnp.array([0.5, -0.7])
    np.testing.assert_allclose(
        quantum_fisher_information(charges, lam), quantum_fisher_information(dense, lam), atol=1e-13
    )


def test_covariance_from_the_targets():
    known = np.array([[0.02, 0.005, 0.0], [0.005, 0.01, 0.0], [0.0, 0.0, 0.03]])
    fit = fit_multipliers(PAULI, Q, target_covariance=known)
    inverse = np.linalg.inv(jg.generalized_gibbs_state(PAULI, fit.value).charge_covariance)
    np.testing.assert_allclose(fit.stats["covariance"], inverse @ known @ inverse, rtol=1e-11)
    variances = fit_multipliers(PAULI, Q, target_covariance=np.diag(known))
    np.testing.assert_allclose(variances.stats["covariance"], inverse @ np.diag(np.diag(known)) @ inverse, rtol=1e-11)


def test_covariance_from_the_targets_is_what_repeated_fits_scatter_by():
    rng, known = np.random.default_rng(2), 1e-6 * np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 3.0]])
    targets = rng.multivariate_normal(Q, known, size=4000)
    fits = jax.jit(jax.vmap(lambda q: fit_multipliers(PAULI, q).value))(targets)
    expected = fit_multipliers(PAULI, Q, target_covariance=known).stats["covariance"]
    # An entry of a sample covariance scatters by sqrt((C_ii C_jj + C_ij^2) / N); five of these.
    scatter = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / len(targets))
    assert np.all(np.abs(np.cov(fits.T) - expected) < 5 * scatter)


def test_covariance_from_copies_is_the_cramer_rao_bound():
    fit = fit_multipliers(PAULI, Q, copies=400)
    bound = np.linalg.inv(400 * information_from_the_logarithmic_derivative(PAULI, fit.value))
    np.testing.assert_allclose(fit.stats["covariance"], bound, rtol=1e-7)
    # One charge with itself as estimator attains it: the variance of its mean over the copies.
    one = fit_multipliers((Z,), [0.6], copies=100)
    np.testing.assert_allclose(one.stats["covariance"], [[1 / (100 * (1 - 0.36))]], rtol=1e-11)


def test_dependent_directions_have_no_variance():
    fit = fit_multipliers((X, Z, X + 2 * Z), (0.3, 0.2, 0.7), copies=10)
    covariance = np.asarray(fit.stats["covariance"])
    assert np.isfinite(covariance).all()
    np.testing.assert_allclose(covariance @ [1, 2, -1], 0, atol=1e-12)
    assert np.linalg.eigvalsh(covariance)[1] > 0


@pytest.mark.slow
def test_the_covariance_is_differentiable():
    @jax.jit
    def variance(q):
        return fit_multipliers(PAULI, q, copies=100.0).stats["covariance"][0, 0]

    h, gradient = 1e-5, jax.jit(jax.grad(variance))(jnp.asarray(Q))
    difference = [(variance(Q + h * e) - variance(Q - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(gradient, difference, rtol=1e-6)


def test_a_verdict_without_multipliers_has_no_covariance():
    fit = fit_multipliers(PAULI, (0.9, 0.9, 0.9), copies=10)
    assert np.isnan(fit.stats["covariance"]).all()
