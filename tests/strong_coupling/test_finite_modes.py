"""Finite baths of oscillators: against matrices built by hand, and between the weak and the ultrastrong limit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgibbs.baths import FiniteBath, OhmicBath, discretisation_error, finite_bath
from jaxgibbs.strong_coupling import (
    coupled_to_modes,
    mean_force,
    mean_force_of_modes,
    ultrastrong,
    weak_coupling,
    weak_mean_force,
)

BETA = 1.3
SX, SY, SZ = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, -1j], [1j, 0.0]]), np.diag([1.0, -1.0])
SYSTEM, POSITION = 0.5 * SZ, 0.8 * SX + 0.6 * SZ
of = jax.jit(mean_force_of_modes, static_argnames=("levels", "counter_term", "throw"))


@pytest.mark.slow
@pytest.mark.parametrize("system", [np.diag([0.3, -0.2, 0.1]), np.diag([0.3, -0.2, 0.1]) + np.diag([0.2j, 0.3], 1)])
def test_matrices(system):
    """With a real and with a complex system, and the counter-term."""
    system = (system + system.conj().T) / 2
    x = np.diag([1.0, 0.5, -1.0]) + 0.2 * np.ones((3, 3))
    bath = FiniteBath([0.8, 1.7], [0.3, -0.4])
    whole, alone = coupled_to_modes(system, x, bath, 4, counter_term=True)
    one, lower, number = np.eye(4), np.diag(np.sqrt(np.arange(1, 4)), 1), np.diag(np.arange(4.0))
    sites = [np.kron(lower + lower.T, one), np.kron(one, lower + lower.T)]
    of_bath = 0.8 * np.kron(number, one) + 1.7 * np.kron(one, number)
    own = system + (0.09 / 0.8 + 0.16 / 1.7) * x @ x
    known = np.kron(own, np.eye(16)) + np.kron(np.eye(3), of_bath) + np.kron(x, 0.3 * sites[0] - 0.4 * sites[1])
    np.testing.assert_allclose(whole.to_dense(), known, atol=1e-14)
    np.testing.assert_allclose(alone.to_dense(), of_bath, atol=1e-14)
    vector = np.arange(48.0)
    np.testing.assert_allclose(whole.linear_map()(jnp.asarray(vector, whole.dtype)), known @ vector, atol=1e-12)
    found = mean_force_of_modes(system, x, bath, BETA, 4, counter_term=True, throw=False)
    expected = mean_force(known, of_bath, BETA)
    np.testing.assert_allclose(found.value.hamiltonian, expected.hamiltonian, atol=1e-12)


@pytest.mark.slow
def test_a_cut_that_is_too_low_is_reported():
    bath = FiniteBath([1.0], [1.5])
    assert of(SYSTEM, POSITION, bath, BETA, levels=60).error < 1e-20
    low = of(SYSTEM, POSITION, bath, BETA, levels=4, throw=False)
    assert low.error > 1e-3
    assert np.all(np.isnan(of(SYSTEM, POSITION, bath, BETA, levels=4).value.reduced_state))
    with pytest.raises(RuntimeError, match="Keep more levels"):
        mean_force_of_modes(SYSTEM, POSITION, bath, BETA, 4)


@pytest.mark.slow
def test_few_modes_of_a_continuum_are_its_weak_coupling():
    """Two modes, chosen by Gauss's rule, for a continuum, where the fourth order is below 1e-5; they err as is reported."""
    bath = OhmicBath(BETA, 2e-3, 3.0)
    modes = finite_bath(bath, 2, 60.0)
    exact = of(SYSTEM, POSITION, modes, BETA, levels=8).value
    same = weak_mean_force(SYSTEM, POSITION, modes.frequencies, modes.strengths, BETA)
    np.testing.assert_allclose(exact.hamiltonian, same, atol=1e-5)
    second = weak_coupling(SYSTEM, [(POSITION, bath)])
    shift, missing = np.linalg.norm(SYSTEM - second.hamiltonian), discretisation_error(bath, modes)
    assert missing < 0.2
    assert np.linalg.norm(exact.hamiltonian - second.hamiltonian) < missing * shift
    assert np.linalg.norm(exact.reduced_state - second.reduced_state) < BETA * missing * shift


def test_strong_coupling_tends_to_the_ultrastrong_limit():
    """As the square of the inverse coupling; 80 levels do what 110 do."""
    limit = ultrastrong(SYSTEM, POSITION, BETA).reduced_state
    distances = []
    for strength in (2.0, 4.0):
        states = [
            of(SYSTEM, POSITION, FiniteBath([1.0], [strength]), BETA, levels=levels).value.reduced_state
            for levels in (80, 110)
        ]
        np.testing.assert_allclose(states[0], states[1], atol=1e-11)
        distances.append(np.linalg.norm(states[1] - limit))
    assert distances[0] < 0.05
    np.testing.assert_allclose(distances[0] / distances[1], 4, rtol=0.15)


def test_derivatives():
    """`d ln Z* / d g = -beta <X (b + b^+)>`, and of a coherence by differences."""

    def both(strength):
        answer = of(SYSTEM, POSITION, FiniteBath([1.0], [strength]), BETA, levels=25).value
        return answer.log_partition, answer.reduced_state[0, 1]

    slopes = jax.jit(jax.jacrev(both))(0.7)
    up, down = both(0.7001), both(0.6999)
    for slope, a, b in zip(slopes, up, down, strict=True):
        np.testing.assert_allclose(slope, (a - b) / 2e-4, rtol=1e-7)


def test_refusals():
    with pytest.raises(ValueError, match="must have the shape"):
        coupled_to_modes(SYSTEM, np.eye(3), FiniteBath([1.0], [1.0]), 4)
    with pytest.raises(ValueError, match="`levels` must be a whole number of at least 2"):
        coupled_to_modes(SYSTEM, SX, FiniteBath([1.0], [1.0]), 1)
