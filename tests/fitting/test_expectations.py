"""More measured expectation values than multipliers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import jaxgibbs as jg
from jaxgibbs._solution import RESULTS
from jaxgibbs.fitting import fit_expectations, fit_multipliers
from jaxgibbs.operators import Bosons, Dense, Fermions, KroneckerSum, Spectrum

X = np.array([[0, 1], [1, 0]], complex)
Y = np.array([[0, -1j], [1j, 0]], complex)
Z = np.array([[1, 0], [0, -1]], complex)
ONE = np.eye(2)
HAMILTONIAN = np.kron(X, X) + np.kron(Z, Z) + 0.3 * np.kron(Z, ONE) + 0.2 * np.kron(ONE, X)
MAGNETISATION = np.kron(Z, ONE) + np.kron(ONE, Z)
CHARGES = (HAMILTONIAN, MAGNETISATION)
OBSERVABLES = tuple(np.kron(a, b) for a in (ONE, X, Y, Z) for b in (ONE, X, Y, Z))[1:]
TRUTH = np.array([0.8, -0.4])
VARIANCES = 1e-4 * np.linspace(1, 3, 15)


def predicted(multipliers):
    rho = scipy.linalg.expm(-np.einsum("k,kij->ij", multipliers, np.stack(CHARGES)))
    rho /= np.trace(rho)
    return np.array([np.trace(rho @ a).real for a in OBSERVABLES])


DATA = predicted(TRUTH) + np.sqrt(VARIANCES) * np.random.default_rng(0).normal(size=15)


@pytest.mark.slow
def test_against_scipy():
    fit = fit_expectations(CHARGES, OBSERVABLES, DATA, VARIANCES)
    reference = scipy.optimize.least_squares(
        lambda lam: (predicted(lam) - DATA) / np.sqrt(VARIANCES), np.zeros(2), xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    np.testing.assert_allclose(fit.value, reference.x, rtol=1e-6)
    np.testing.assert_allclose(fit.stats["chi_square"], 2 * reference.cost, rtol=1e-10)
    assert fit.stats["degrees_of_freedom"] == 13
    np.testing.assert_allclose(fit.stats["fitted"], predicted(fit.value), atol=1e-12)
    assert np.all(np.abs(fit.value - TRUTH) < 5 * fit.error)


@pytest.mark.slow
def test_covariance_is_made_of_kubo_mori_covariances():
    fit = fit_expectations(CHARGES, OBSERVABLES, DATA, VARIANCES)
    state = jg.generalized_gibbs_state(CHARGES, fit.value)
    mixed = np.asarray(state.covariance_matrix((*OBSERVABLES, *CHARGES)))[:15, 15:]  # d<A_j>/d lam_k = -K(A_j, Q_k)
    expected = np.linalg.inv(mixed.T @ (mixed / VARIANCES[:, None]))
    np.testing.assert_allclose(fit.stats["covariance"], expected, rtol=1e-9)
    full = fit_expectations(CHARGES, OBSERVABLES, DATA, np.diag(VARIANCES))
    np.testing.assert_allclose(full.value, fit.value, rtol=1e-9)


@pytest.mark.slow
def test_exactly_as_many_data_as_multipliers_is_the_maximum_entropy_fit():
    targets = (-0.5, 0.3)
    fit = fit_expectations(CHARGES, CHARGES, targets, (0.01, 0.02))
    dual = fit_multipliers(CHARGES, targets, target_covariance=(0.01, 0.02))
    np.testing.assert_allclose(fit.value, dual.value, atol=1e-8)
    np.testing.assert_allclose(fit.stats["covariance"], dual.stats["covariance"], rtol=1e-6)
    assert fit.stats["degrees_of_freedom"] == 0
    assert np.isnan(fit.stats["p_value"])


@pytest.mark.slow
def test_a_charge_that_the_observables_do_not_feel():
    fit = fit_expectations((Z, X), (Z,), [0.0], [0.01])
    assert fit.result == RESULTS.dependent
    assert np.isinf(fit.error).any()


@pytest.mark.slow
def test_planck_spectrum():
    """Occupations of 30 boson modes at T = 2.5 with a small chemical potential, with Gaussian errors of a per mille."""
    energies = np.linspace(0.2, 10, 30)
    charges = (Bosons(energies), Bosons(np.ones(30)))
    occupations = 1 / np.expm1(energies / 2.5 + 0.01)
    sigma = 1e-3 * occupations
    data = occupations + sigma * np.random.default_rng(1).normal(size=30)
    fit = fit_expectations(charges, [Bosons(row) for row in np.eye(30)], data, sigma**2)
    assert np.all(np.abs(fit.value - np.array([0.4, 0.01])) < 5 * fit.error)
    assert fit.stats["p_value"] > 1e-3
    again = fit_expectations(charges, [Bosons(row) for row in np.eye(30)], data, sigma**2, initial=(1.0, 1.0))
    np.testing.assert_allclose(again.value, fit.value, rtol=1e-7)


@pytest.mark.parametrize(
    ("charges", "observables"),
    [
        ((Spectrum([0.0, 1.0, 3.0]),), (Spectrum([1.0, 0, 0]), Spectrum([0, 1.0, 0]), Spectrum([0, 0, 1.0]))),
        (
            (Fermions([0.5, 1.0]), Fermions([1.0, 1.0])),
            tuple(Fermions(row) for row in np.eye(2)) + (Fermions([1.0, 2.0]),),
        ),
        pytest.param(
            (KroneckerSum((Z, X)),), (KroneckerSum((Z, 0 * X)), KroneckerSum((0 * Z, X))), marks=pytest.mark.slow
        ),
    ],
)
def test_every_kind_of_charge(charges, observables):
    multipliers = 0.7 * jnp.ones(len(charges))
    state = jg.generalized_gibbs_state(charges, multipliers)
    data = jnp.stack([state.expectation(observable) for observable in observables])
    fit = fit_expectations(charges, observables, data, jnp.full(len(observables), 1e-4))
    np.testing.assert_allclose(fit.value, multipliers, rtol=1e-8)


@pytest.mark.slow
def test_derivatives_in_data_and_couplings():
    def fitted(data, coupling):
        charges = (Dense(coupling * HAMILTONIAN), Dense(MAGNETISATION))
        return fit_expectations(charges, OBSERVABLES, data, VARIANCES).value

    fast, jacobian = jax.jit(fitted), jax.jit(jax.jacrev(fitted, (0, 1)))
    in_data, in_coupling = jacobian(jnp.asarray(DATA), 1.0)
    h = 1e-4
    for k in (0, 4, 14):
        shift = h * np.eye(15)[k]
        np.testing.assert_allclose(
            in_data[:, k], (fast(DATA + shift, 1.0) - fast(DATA - shift, 1.0)) / (2 * h), atol=1e-6
        )
    # The state does not change, so the multiplier of a stretched charge shrinks.
    np.testing.assert_allclose(in_coupling, [-fast(DATA, 1.0)[0], 0.0], atol=1e-9)


@pytest.mark.slow
def test_many_fits_in_one_call():
    rng = np.random.default_rng(6)
    data = predicted(TRUTH) + np.sqrt(VARIANCES) * rng.normal(size=(200, 15))
    fits = jax.jit(jax.vmap(lambda y: fit_expectations(CHARGES, OBSERVABLES, y, VARIANCES)))(data)
    pulls = (fits.value - TRUTH) / fits.error
    assert np.all(np.abs(np.std(pulls, axis=0) - 1) < 5 / np.sqrt(400))
    assert abs(np.mean(fits.stats["chi_square"]) - 13) < 5 * np.sqrt(26 / 200)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((CHARGES, OBSERVABLES, DATA[:3], VARIANCES[:3]), "one entry a observable"),
        ((CHARGES, OBSERVABLES, DATA, VARIANCES[:3]), "`covariance` must have shape"),
        ((CHARGES, OBSERVABLES, np.full(15, np.nan), VARIANCES), "finite"),
        ((CHARGES, (np.eye(2),), [0.1], [0.1]), "one space"),
        ((CHARGES, (), [], []), "at least one"),
        ((CHARGES, (Fermions(np.ones(4)),), [0.1], [0.1]), "one structured kind"),
        ((CHARGES, (np.array([[0, 1], [0, 0]]),), [0.1], [0.1]), "Hermitian"),
    ],
)
def test_wrong_inputs(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_expectations(*arguments)


def test_wrong_start():
    with pytest.raises(ValueError, match="`initial` must have one entry"):
        fit_expectations(CHARGES, OBSERVABLES, DATA, VARIANCES, initial=[0.1])
