"""The trace over the bath by random vectors: exact with all unit vectors, within its errors with few."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgibbs._solution import RESULTS
from jaxgibbs.baths import FiniteBath
from jaxgibbs.linalg import random_sphere, unit_vectors
from jaxgibbs.models import spin_boson
from jaxgibbs.operators import KroneckerSum, PauliSum, PauliTerms
from jaxgibbs.strong_coupling import BathProbes, coupled_to_modes, mean_force, sampled_mean_force

BETA = 1.3
SX, SY, SZ = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, -1j], [1j, 0.0]]), np.diag([1.0, -1.0])
SYSTEM, POSITION = 0.5 * SZ + 0.2 * SY, 0.8 * SX + 0.6 * SZ
MODES = FiniteBath([0.6, 1.1], [0.3, 0.5])
NAMES = ("reduced_state", "hamiltonian", "log_partition", "energy", "entropy", "heat_capacity")


def parts(coupling):
    return coupled_to_modes(SYSTEM, coupling * POSITION, MODES, 6)


def spins(count):
    """A qubit at the end of an Ising chain in a tilted field, and the chain."""

    def of_bath(first):
        sites = range(first, first + count)
        bonds = " + ".join(f"0.5 Z{i} Z{i + 1}" for i in sites[:-1])
        return bonds + "".join(f" + 0.52 X{i} + 0.25 Z{i}" for i in sites)

    whole = PauliTerms.from_strings(count + 1, {"all": f"0.4 Z0 + 0.6 X0 X1 + 0.3 Z0 Z1 + {of_bath(1)}"})
    return PauliSum({"all": 1.0}, whole), PauliSum({"all": 1.0}, PauliTerms.from_strings(count, {"all": of_bath(0)}))


@pytest.mark.slow
def test_all_unit_vectors_give_the_exact_trace():
    whole, alone = parts(1.0)
    exact = mean_force(whole, alone, BETA)
    found = sampled_mean_force(whole, alone, BETA, method=BathProbes(probes=36, distribution=unit_vectors))
    for name in NAMES:
        np.testing.assert_allclose(getattr(found.value, name), getattr(exact, name), atol=1e-12)
    assert found.value.error < 1e-10
    assert found.result == RESULTS.optimal


@pytest.mark.slow
@pytest.mark.parametrize("distribution", [None, random_sphere])
def test_few_random_vectors_are_within_their_errors(distribution):
    whole, alone = parts(1.0)
    exact = mean_force(whole, alone, BETA)
    method = BathProbes(24) if distribution is None else BathProbes(24, distribution=distribution)
    found = sampled_mean_force(whole, alone, BETA, method=method)
    for name in NAMES:
        distance = np.abs(getattr(found.value, name) - getattr(exact, name))
        assert np.all(distance < 5 * getattr(found.error, name) + 1e-13), name
        assert np.all(getattr(found.error, name) < 0.05)
    np.testing.assert_allclose(jnp.trace(found.value.reduced_state), 1, rtol=1e-14)


@pytest.mark.slow
def test_without_coupling_two_vectors_are_exact():
    """The noise of the whole is that of the bath, vector by vector."""
    whole, alone = parts(0.0)
    found = sampled_mean_force(whole, alone, BETA, method=BathProbes(2))
    np.testing.assert_allclose(found.value.hamiltonian, SYSTEM, atol=1e-12)
    assert np.all(found.error.hamiltonian < 1e-12)
    one = sampled_mean_force(whole, alone, BETA, method=BathProbes(1))
    assert np.all(np.isnan(one.error.hamiltonian))


@pytest.mark.slow
def test_a_larger_bath_has_smaller_errors():
    """Nine spins, of which nothing but products is asked; four vectors do better than with five."""
    errors = []
    for count in (5, 9):
        found = sampled_mean_force(*spins(count), 0.7, method=BathProbes(4, order=20))
        assert found.result == RESULTS.optimal
        errors.append(float(jnp.linalg.norm(found.error.reduced_state)))
    assert errors[1] < errors[0] / 2


def test_an_order_that_is_too_small_is_reported():
    whole, alone = parts(1.0)
    method = BathProbes(2, order=3)
    found = sampled_mean_force(whole, alone, BETA, method=method, throw=False)
    assert found.result == RESULTS.order_too_small
    assert found.value.error > 1e-3
    with pytest.raises(RuntimeError, match="Raise `order` of the method"):
        sampled_mean_force(whole, alone, BETA, method=method)
    assert np.isnan(jax.jit(lambda b: sampled_mean_force(whole, alone, b, method=method).value.energy)(BETA))


def test_low_temperatures_take_several_pieces():
    """The bounds of the spectrum are known to 1 %: with one polynomial rounding would grow as `e^{beta w / 200}`."""
    whole, alone = parts(1.0)
    method = BathProbes(36, distribution=unit_vectors)
    exact, found = (of(whole, alone, 3000.0) for of in (mean_force, lambda *x: sampled_mean_force(*x, method=method)))
    assert int(found.stats["pieces"]) > 1
    assert found.value.error < 1e-8
    for name in NAMES:
        np.testing.assert_allclose(getattr(found.value, name), getattr(exact, name), rtol=1e-10, atol=1e-10)
    with pytest.raises(RuntimeError, match="and at low temperatures its `pieces`"):
        sampled_mean_force(whole, alone, 3000.0, method=BathProbes(2, pieces=1))


@pytest.mark.slow
def test_derivatives_are_those_of_the_exact_trace():
    """In a coupling and in `beta`, under `jit`, with the order given."""

    alone = KroneckerSum([w * np.diag(np.arange(3.0)) for w in (0.6, 1.1)])
    method = BathProbes(9, order=24, distribution=unit_vectors)

    def number(coupling, beta, of):
        whole = spin_boson(0.3, 0.5, jnp.array([0.6, 1.1]), coupling * jnp.array([1.0, 0.7]), levels=3)
        answer = of(whole, alone, beta)
        return answer.log_partition + answer.reduced_state[0, 1] + answer.heat_capacity

    def sampled(whole, alone, beta):
        return sampled_mean_force(whole, alone, beta, method=method).value

    found, known = (jax.jit(jax.grad(number, (0, 1)), static_argnums=2)(0.8, BETA, of) for of in (sampled, mean_force))
    np.testing.assert_allclose(found, known, rtol=1e-8)


def test_refusals():
    whole, alone = parts(1.0)
    with pytest.raises(ValueError, match="`order` of `BathProbes` must be given"):
        jax.jit(lambda beta: sampled_mean_force(whole, alone, beta).value.energy)(1.0)
    with pytest.raises(ValueError, match="multiple of the dimension 5"):
        sampled_mean_force(whole, np.eye(5), 1.0)
    with pytest.raises(ValueError, match="positive and finite"):
        sampled_mean_force(whole, alone, -1.0)
    for knobs in ({"probes": 0}, {"order": 0}, {"pieces": 0}):
        with pytest.raises(ValueError, match="whole number"):
            BathProbes(**knobs)


@pytest.mark.slow
def test_a_population_below_rounding_is_refused():
    alone = np.diag([1.0, -1.0])
    whole = np.kron(np.diag([0.0, 1.0]), np.eye(2)) + np.kron(np.eye(2), alone)
    np.testing.assert_allclose(sampled_mean_force(whole, alone, 20.0).value.hamiltonian, np.diag([0, 1]), atol=1e-6)
    with pytest.raises(ValueError, match="populations above rounding"):
        sampled_mean_force(whole, alone, 1000.0)
    state = jax.jit(lambda b: sampled_mean_force(whole, alone, b, method=BathProbes(2, order=300)).value)(1000.0)
    assert np.all(np.isnan(state.hamiltonian))
    assert np.all(np.isfinite(state.reduced_state))
