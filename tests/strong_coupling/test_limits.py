"""Closed forms: the ultrastrong limit, independent bosons, the dispersive qubit."""

import jax
import numpy as np
import pytest

from jaxgibbs.baths import FiniteBath, OhmicBath
from jaxgibbs.strong_coupling import dispersive_qubit, independent_boson, mean_force, mean_force_of_modes, ultrastrong

SX, SZ = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])


def test_ultrastrong_qubit():
    """`rho = (1 - tanh(beta w cos t / 2) n.s) / 2` for `X = n.s = cos t sz + sin t sx` and `H_S = (w / 2) sz`."""
    w, angle, beta = 1.4, 0.7, 1.1
    x = np.cos(angle) * SZ + np.sin(angle) * SX
    answer = ultrastrong(w / 2 * SZ, x, beta)
    expected = (np.eye(2) - np.tanh(beta * w * np.cos(angle) / 2) * x) / 2
    np.testing.assert_allclose(answer.reduced_state, expected, atol=1e-15)
    np.testing.assert_allclose(answer.hamiltonian, w / 2 * np.cos(angle) * x, atol=1e-15)
    np.testing.assert_allclose(answer.log_partition, np.log(2 * np.cosh(beta * w * np.cos(angle) / 2)), rtol=1e-14)


def test_ultrastrong_coupling_leaves_coherence_where_the_bath_does_not_look():
    system = np.array([[0.3, 0.2, 0.4], [0.2, -0.1, 0.5], [0.4, 0.5, 0.2]])
    answer = ultrastrong(system, np.diag([1.0, 1.0, -1.0]), 0.9)
    known = system.copy()
    known[2, :2] = known[:2, 2] = 0
    np.testing.assert_allclose(answer.hamiltonian, known, atol=1e-15)
    np.testing.assert_allclose(ultrastrong(system, np.eye(3), 0.9).hamiltonian, system, atol=1e-15)
    slope = jax.grad(lambda t: ultrastrong(system + t * np.diag([1.0, 0, 0]), np.diag([1.0, 1, -1]), 0.9).energy)(0.0)
    assert np.isfinite(slope)
    in_x = jax.grad(lambda t: ultrastrong(system, np.diag([1.0, 1, -1]) + t * np.eye(3), 0.9).energy)(0.0)
    assert np.isnan(in_x)


def test_the_counter_term_decides_which_state_strong_coupling_selects():
    """Without it the state with the largest `|x|`, with it the limit; three levels, of which one does not see the bath."""
    system, x, beta = np.diag([0.0, 0.4, 0.2]) + 0.1 * np.ones((3, 3)), np.diag([0.0, 0.5, 1.0]), 1.0
    bath = FiniteBath([1.0], [5.0])
    of = jax.jit(mean_force_of_modes, static_argnames=("levels", "counter_term"))
    limit = ultrastrong(system, x, beta).reduced_state
    with_term = of(system, x, bath, beta, levels=80, counter_term=True).value.reduced_state
    without = of(system, x, bath, beta, levels=80).value.reduced_state
    np.testing.assert_allclose(np.diagonal(with_term), np.diagonal(limit), atol=5e-4)
    bare = ultrastrong(system, np.eye(3), beta).reduced_state
    assert np.linalg.norm(with_term - limit) < np.linalg.norm(bare - limit) / 2  # coherences fall as 1 / strength^2
    assert without[2, 2] > 0.999


@pytest.mark.slow
def test_independent_bosons_at_any_coupling():
    system, x = np.diag([0.4, -0.2, 0.1]), np.diag([1.0, 0.0, -0.5])
    bath = FiniteBath([1.1, 1.6], [0.4, 0.3])
    known = independent_boson(system, x, bath, 1.3)
    found = mean_force_of_modes(system, x, bath, 1.3, 14).value
    for name in ("hamiltonian", "reduced_state", "log_partition", "energy", "entropy", "heat_capacity"):
        np.testing.assert_allclose(getattr(found, name), getattr(known, name), atol=1e-5)
    ohmic = independent_boson(system, x, OhmicBath(1.3, 0.2, 3.0), 1.3)
    np.testing.assert_allclose(ohmic.hamiltonian, system - 0.2 * 3.0 / np.pi * x @ x, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(
        independent_boson(SZ, SZ, bath, 1.3).reduced_state[0, 0], 1 / (1 + np.exp(2.6)), rtol=1e-13
    )


@pytest.mark.slow
def test_dispersive_qubit():
    e, w, c, beta, count = 8.0, 1.2, -0.6, 1.1, 120
    oscillator = w * np.diag(np.arange(count) + 0.5)
    whole = np.kron(e / 2 * SZ, np.eye(count)) + np.kron(np.eye(2) + c * SZ, oscillator)
    found, known = dispersive_qubit(e, w, c, beta), mean_force(whole, oscillator, beta)
    for name in ("hamiltonian", "reduced_state", "log_partition", "energy", "entropy", "heat_capacity"):
        np.testing.assert_allclose(getattr(found, name), getattr(known, name), atol=1e-11)
    assert found.entropy < -0.1
    assert found.heat_capacity < 0
    np.testing.assert_allclose(found.free_energy, found.energy - found.entropy / beta, rtol=1e-13)


def test_refusals():
    bath = FiniteBath([1.0], [0.5])
    with pytest.raises(ValueError, match="must commute"):
        independent_boson(SZ, SX, bath, 1.0)
    assert np.all(np.isnan(jax.jit(independent_boson)(SZ, SX, bath, 1.0).hamiltonian))
    with pytest.raises(ValueError, match="must have the shape"):
        ultrastrong(SZ, np.eye(3), 1.0)
    with pytest.raises(ValueError, match="positive and finite"):
        ultrastrong(SZ, SX, 0.0)
    with pytest.raises(ValueError, match="`shift` must lie between -1 and 1"):
        dispersive_qubit(1.0, 1.0, 1.0, 1.0)
