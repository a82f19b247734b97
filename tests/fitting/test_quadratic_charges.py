"""Fits of quadratic charges: what their matrices on the Fock space give, for fermions; round trips, for bosons."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs._solution import RESULTS
from jaxgibbs.fitting import fit_multipliers, quantum_fisher_information
from jaxgibbs.operators import Bosons, Dense, Fermions, QuadraticBosons, QuadraticFermions

MODES = 4
MULTIPLIERS = np.array([0.7, -0.4, 0.3])


def matrix(seed, symmetry=None):
    rng = np.random.default_rng(seed)
    m = rng.normal(size=(MODES, MODES)) + 1j * rng.normal(size=(MODES, MODES))
    return (m + m.conj().T) / 2 if symmetry is None else (m + symmetry * m.T) / 2


def positive(seed):
    return 0.2 * matrix(seed) + 2 * np.eye(MODES)


FERMIONS = {
    "hopping": [QuadraticFermions(matrix(seed)) for seed in range(3)],
    "pairing": [QuadraticFermions(matrix(0), matrix(1, -1)), QuadraticFermions(matrix(2)), Fermions(np.arange(4.0))],
}
BOSONS = {
    "hopping": [QuadraticBosons(positive(0)), QuadraticBosons(positive(1)), Bosons([1.0, 2.0, 0.0, 1.0])],
    "pairing": [QuadraticBosons(positive(0), 0.2 * matrix(1, 1)), QuadraticBosons(positive(2)), Bosons([1.0, 2, 0, 1])],
}


def on_fock_space(charges):
    return [Dense(charge.to_dense()) for charge in jg.equilibrium.generalized.checked_charges(charges)]


SLOWER = ["pairing", pytest.param("hopping", marks=pytest.mark.slow)]


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOWER)
def test_fermions_as_on_their_fock_space(name):
    charges = FERMIONS[name]
    state = jg.generalized_gibbs_state(charges, MULTIPLIERS)
    targets, dense = state.charge_expectations, on_fock_space(charges)
    information = quantum_fisher_information(dense, MULTIPLIERS)
    np.testing.assert_allclose(quantum_fisher_information(charges, MULTIPLIERS), information, rtol=1e-12, atol=1e-13)
    fit = fit_multipliers(charges, targets, copies=10.0)
    assert fit.result == RESULTS.optimal
    np.testing.assert_allclose(fit.value, MULTIPLIERS, atol=1e-12)
    np.testing.assert_allclose(fit.stats["covariance"], np.linalg.inv(information) / 10, rtol=1e-10)
    slope = jax.jacobian(lambda q: fit_multipliers(charges, q).value)(targets)
    np.testing.assert_allclose(slope, -np.linalg.inv(state.charge_covariance), rtol=1e-10, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", FERMIONS)
def test_fermions_beyond_and_on_the_boundary(name):
    charges = FERMIONS[name][1:]
    dense = on_fock_space(FERMIONS[name])[1:]
    beyond, wanted = (fit_multipliers(q, [30.0, 30.0]) for q in (charges, dense))
    assert beyond.result == wanted.result == RESULTS.infeasible
    np.testing.assert_allclose(beyond.stats["violation"], wanted.stats["violation"], rtol=1e-6)
    # The ground state of the last charge: no other state has its energy.
    lowest = jg.gibbs_state(-1.0 * charges[0], np.inf)
    targets = [float(lowest.expectation(charge)) for charge in charges]
    fit = fit_multipliers(charges[:1], targets[:1])
    assert fit.result == RESULTS.boundary
    assert fit.value[0] == -np.inf
    assert fit.stats["face_dimension"] == 0
    occupied = fit.stats["occupation_matrix"]
    np.testing.assert_allclose(occupied @ occupied, occupied, atol=1e-9)
    one_body = (charges[0].nambu() if occupied.shape[0] > MODES else charges[0].matrix).to_dense()
    assert np.trace(occupied @ one_body).real > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", BOSONS)
def test_bosons_come_back(name):
    charges, multipliers = BOSONS[name], np.array([0.7, -0.1, 0.3])
    state = jg.generalized_gibbs_state(charges, multipliers)
    fit = fit_multipliers(charges, state.charge_expectations)
    assert fit.result == RESULTS.optimal
    np.testing.assert_allclose(fit.value, multipliers, atol=1e-11)
    beyond = fit_multipliers(charges, [-50.0, -50.0, 0.0])
    assert beyond.result == RESULTS.infeasible
    assert np.all(np.isnan(beyond.value))
    empty = fit_multipliers(charges, [0.0, 0.0, 0.0])  # the vacuum, which no finite multipliers give
    assert empty.result == RESULTS.boundary
    assert np.all(np.isinf(empty.value) if name == "hopping" else np.isnan(empty.value))


@pytest.mark.slow
def test_the_information_in_a_squeezed_oscillator():
    """Against the matrix of a truncated oscillator, whose levels left out carry 1e-13."""
    levels = 60
    lower = np.diag(np.sqrt(np.arange(1.0, levels)), 1)
    number, squeeze = lower.T @ lower, (lower @ lower + lower.T @ lower.T) / 2
    charges = [QuadraticBosons(np.eye(1)), QuadraticBosons(np.zeros((1, 1)), np.eye(1))]
    multipliers = [1.0, 0.2]
    wanted = quantum_fisher_information([number, squeeze], multipliers)
    np.testing.assert_allclose(quantum_fisher_information(charges, multipliers), wanted, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
def test_many_modes_and_dependent_charges():
    modes = 60
    chain = jg.models.tight_binding_chain(modes, 1.0, periodic=False)
    charges = [chain, Fermions(np.ones(modes)), Fermions(np.linspace(-1, 1, modes))]
    multipliers = np.array([1.3, -0.2, 0.5])
    targets = jg.generalized_gibbs_state(charges, multipliers).charge_expectations
    np.testing.assert_allclose(jax.jit(lambda q: fit_multipliers(charges, q).value)(targets), multipliers, atol=1e-11)
    twice = [charges[1], QuadraticFermions(2 * np.eye(modes)), charges[2]]
    fit = fit_multipliers(twice, jnp.asarray([20.0, 40.0, 1.0]))
    assert fit.result == RESULTS.dependent
    np.testing.assert_allclose(fit.value[1], 2 * fit.value[0], rtol=1e-9)


def test_a_reference_is_refused():
    with pytest.raises(ValueError, match="`reference` must be left out for `QuadraticFermions` charges"):
        fit_multipliers(FERMIONS["hopping"], [0.0] * 3, reference=np.eye(MODES))


def test_paired_bosons_are_no_part_of_a_product():
    pair = QuadraticBosons(np.eye(1), 0.1 * np.eye(1))
    charges = [jg.operators.KroneckerSum([pair, pair])]
    with pytest.raises(ValueError, match="must not be bosons with pairing"):
        fit_multipliers(charges, [1.0])
