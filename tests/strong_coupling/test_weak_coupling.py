"""The second order in the coupling against exact diagonalisation and against independent bosons."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgibbs.baths import DrudeLorentzBath, FlatBath, OhmicBath, finite_bath
from jaxgibbs.strong_coupling import mean_force, weak_coupling, weak_mean_force

BETA, LEVELS = 1.3, 30
NUMBER = np.diag(np.arange(LEVELS))
LOWER = np.diag(np.sqrt(np.arange(1, LEVELS)), 1)
SZ, SX = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
SYSTEM, POSITION = 0.5 * SZ, 0.8 * SX + 0.6 * SZ
exact, weak = jax.jit(mean_force), jax.jit(weak_mean_force)


def difference(strength):
    bath = 1.1 * NUMBER
    whole = np.kron(SYSTEM, np.eye(LEVELS)) + np.kron(np.eye(2), bath) + strength * np.kron(POSITION, LOWER + LOWER.T)
    known = exact(whole, bath, BETA).hamiltonian
    return np.max(np.abs(known - weak(SYSTEM, POSITION, np.array([1.1]), np.array([strength]), BETA)))


def test_what_is_left_out_is_of_fourth_order():
    small, large = difference(0.03), difference(0.06)
    assert large < 1e-4
    np.testing.assert_allclose(large / small, 16, rtol=0.05)


def test_commuting_coupling_has_no_further_order():
    """`H* = H_S - sum(g^2 / w) X^2`, with boundary layers of width 1/60 of `beta` and two modes."""
    w, g = np.array([0.7, 60.0]), np.array([0.4, 2.0])
    system, position = np.diag([7.4, 6.8, 7.1]), np.diag([1.0, 0.0, -0.5])
    answer = weak_mean_force(system, position, w, g, BETA)
    np.testing.assert_allclose(answer, system - np.sum(g**2 / w) * position**2, atol=1e-12)


@pytest.mark.slow
def test_derivatives():
    def element(theta):
        return weak_mean_force(SYSTEM + theta * SX, POSITION, np.array([1.1]), np.array([0.5]) + theta, BETA)[0, 1]

    step = 1e-5
    expected = (element(step) - element(-step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(element)(0.0), expected, rtol=1e-7)


def test_refusals():
    w, g = np.array([1.0]), np.array([0.1])
    with pytest.raises(ValueError, match="shape"):
        weak_mean_force(SYSTEM, np.eye(3), w, g, BETA)
    with pytest.raises(ValueError, match="equal length"):
        weak_mean_force(SYSTEM, POSITION, w, np.ones(2), BETA)
    for frequency, beta in ((0.0, 1.0), (1.0, -1.0), (1.0, np.inf)):
        with pytest.raises(ValueError, match="positive and finite"):
            weak_mean_force(SYSTEM, POSITION, np.array([frequency]), g, beta)
    assert np.all(np.isnan(weak(SYSTEM, POSITION, w, g, -1.0)))


DIAGONAL = np.diag([1.0, 0.5])
of_baths = jax.jit(lambda system, bath, other: weak_coupling(system, [(POSITION, bath), (DIAGONAL, other)]))
OHMIC, DRUDE = OhmicBath(BETA, 0.02, 3.0), DrudeLorentzBath(BETA, 0.01, 2.0)


@pytest.mark.slow
def test_a_continuum_is_many_modes():
    """Two baths add up; the other one, a Drude bath whose correlation function diverges at time 0, is of independent bosons."""
    answer = of_baths(SYSTEM, OHMIC, DRUDE)
    modes = finite_bath(OHMIC, 40, 100.0)
    known = weak(SYSTEM, POSITION, modes.frequencies, modes.strengths, BETA) - 0.01 * DIAGONAL**2
    np.testing.assert_allclose(answer.hamiltonian, known, atol=1e-10)


@pytest.mark.slow
def test_thermodynamics_of_second_order():
    answer = of_baths(SYSTEM, OHMIC, DRUDE)

    def log_partition(beta):
        baths = [eqx.tree_at(lambda b: b.beta, bath, jnp.asarray(beta)) for bath in (OHMIC, DRUDE)]
        return of_baths(SYSTEM, *baths).log_partition

    low, middle, high = (float(log_partition(BETA + step)) for step in (-1e-3, 0.0, 1e-3))
    np.testing.assert_allclose(answer.energy, -(high - low) / 2e-3, rtol=1e-6)
    np.testing.assert_allclose(answer.heat_capacity, BETA**2 * (high + low - 2 * middle) / 1e-6, rtol=1e-5)
    np.testing.assert_allclose(answer.entropy, BETA * (answer.energy - answer.free_energy), rtol=1e-12)
    np.testing.assert_allclose(jnp.trace(answer.reduced_state), 1, rtol=1e-14)
    # to second order `ln Z* = ln Tr e^{-beta H*}` and `rho = e^{-beta H*} / Z*`
    levels, vectors = np.linalg.eigh(answer.hamiltonian)
    np.testing.assert_allclose(
        answer.log_partition, np.log(np.sum(np.exp(-BETA * levels))), atol=2 * BETA * answer.error
    )
    state = vectors @ np.diag(np.exp(-BETA * levels)) @ vectors.T
    np.testing.assert_allclose(answer.reduced_state, state / np.trace(state), atol=2 * BETA * answer.error)


def number_of(theta):
    bath = OhmicBath(BETA, 0.02 * (1 + theta), 3.0 + theta)
    answer = weak_coupling(SYSTEM + theta * SX, [(POSITION, bath)])
    return answer.hamiltonian[0, 1] + answer.reduced_state[0, 1] + answer.log_partition


@pytest.mark.slow
def test_derivatives_with_a_continuum():
    both = jax.jit(jax.value_and_grad(number_of))
    step = 1e-4
    np.testing.assert_allclose(both(0.0)[1], (both(step)[0] - both(-step)[0]) / (2 * step), rtol=1e-6)


def test_refusals_of_couplings():
    for couplings, message in (
        ([], "at least one pair"),
        ([(np.eye(3), OHMIC)], "pairs of a matrix of shape"),
        ([(SX, FlatBath(BETA, 1.0))], "a bath with a spectral density"),
        ([(SX, OHMIC), (SX, OhmicBath(1.0, 0.1, 1.0))], "one temperature"),
        ([(SX, OhmicBath(np.inf, 0.1, 1.0))], "positive and finite"),
    ):
        with pytest.raises(ValueError, match=message):
            weak_coupling(SYSTEM, couplings)
