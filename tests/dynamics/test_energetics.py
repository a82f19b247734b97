"""Heat, work and entropy: the two laws, their closed forms, and where they are infinite."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import direction
from jaxgibbs import dynamics
from jaxgibbs.information import relative_entropy

from .dissipative_systems import LOWERING, RAISING, SX, SZ, bose, ladder_bath, qubit, random_state

LEVELS = np.array([0.0, 0.4, 1.0, 1.7])
production = jax.jit(dynamics.entropy_production)
heats = jax.jit(dynamics.heat_currents)


def four_levels(beta, hot=None):
    """Four levels with one thermal bath, or a second one."""
    jumps, rates = ladder_bath(LEVELS, beta)
    labels = ["cold"] * len(jumps)
    if hot is not None:
        more, further = ladder_bath(LEVELS, hot, 0.1)
        jumps, rates, labels = jumps + more, rates + further, labels + ["hot"] * len(more)
    return jg.Lindbladian(np.diag(LEVELS), jumps, rates, labels)


def test_currents_of_a_qubit():
    w, k, beta, p = 1.3, 0.4, 0.9, 0.35
    generator, n = qubit(w, [k], [beta]), bose(beta, w)
    rho = np.array([[p, 0.2j], [-0.2j, 1 - p]])
    flux = k * (n * (1 - p) - (n + 1) * p)
    np.testing.assert_allclose(heats(generator, rho), [w * flux], rtol=1e-14)
    np.testing.assert_allclose(dynamics.energy(generator, rho), w * (p - 0.5), rtol=1e-14)
    diagonal = np.diag([p, 1 - p])
    expected = flux * (np.log((1 - p) / p) - beta * w)
    np.testing.assert_allclose(production(generator, diagonal, beta), [expected], rtol=1e-13)
    np.testing.assert_allclose(dynamics.entropy_rate(generator, diagonal), flux * np.log((1 - p) / p), rtol=1e-13)


def test_the_heat_current_through_a_qubit():
    # J = w k_h k_c (n_h - n_c) / (k_h (2 n_h + 1) + k_c (2 n_c + 1)), and Pi = -sum_a beta_a J_a = (beta_c - beta_h) J
    w, hot, cold, k_h, k_c = 1.3, 0.4, 1.5, 0.3, 0.7
    generator = qubit(w, [k_h, k_c], [hot, cold])
    n_h, n_c = bose(hot, w), bose(cold, w)
    current = w * k_h * k_c * (n_h - n_c) / (k_h * (2 * n_h + 1) + k_c * (2 * n_c + 1))
    rest = jg.evolve(generator, np.eye(2) / 2, [0.0, 100.0]).value[1]
    np.testing.assert_allclose(heats(generator, rest), [current, -current], rtol=1e-12)
    parts = production(generator, rest, jnp.array([hot, cold]))
    np.testing.assert_allclose(jnp.sum(parts), (cold - hot) * current, rtol=1e-12)
    assert np.all(parts > 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_each_bath_obeys_the_second_law_and_both_forms_agree(seed):
    rng = np.random.default_rng(seed)
    generator, rho = four_levels(0.8, 0.2), random_state(rng, 4)
    betas = jnp.array([0.8, 0.2])
    parts = production(generator, rho, betas)
    assert np.all(parts > 0)
    states = jnp.stack([jnp.diag(jnp.exp(-b * LEVELS) / np.sum(np.exp(-b * LEVELS))) for b in betas])
    np.testing.assert_allclose(production(generator, rho, states), parts, rtol=1e-11)
    whole = dynamics.entropy_rate(generator, rho) - betas @ heats(generator, rho)
    np.testing.assert_allclose(jnp.sum(parts), whole, rtol=1e-11)
    rate = dynamics.energy(generator, generator(rho))
    np.testing.assert_allclose(jnp.sum(heats(generator, rho)), rate, rtol=1e-11)
    np.testing.assert_allclose(production(generator, states[0], betas)[0], 0, atol=1e-14)


@pytest.mark.slow
def test_entropy_production_is_the_fall_of_free_energy_and_of_relative_entropy():
    generator, beta = four_levels(0.8), 0.8
    rho = random_state(np.random.default_rng(9), 4)
    sigma = np.diag(np.exp(-beta * LEVELS) / np.sum(np.exp(-beta * LEVELS)))
    velocity = generator(rho)

    def both(t):
        moved = rho + t * velocity
        distance = relative_entropy(moved, sigma)
        return distance, beta * dynamics.nonequilibrium_free_energy(np.diag(LEVELS), moved, beta)

    for slope in jax.jvp(both, (0.0,), (1.0,))[1]:
        np.testing.assert_allclose(-slope, production(generator, rho, beta)[0], rtol=1e-12)
    distance, free_energy = both(0.0)
    equilibrium = jg.free_energy(np.diag(LEVELS), beta)
    np.testing.assert_allclose(free_energy - beta * equilibrium, distance, rtol=1e-12)


def test_infinite_where_the_bath_leads_out_of_the_support():
    generator = four_levels(0.8, 0.2)
    turned = random_state(np.random.default_rng(3), 4, rank=1)
    for rho in (np.diag([0.0, 0, 1, 0]), turned, random_state(np.random.default_rng(4), 4, rank=3)):
        np.testing.assert_array_equal(production(generator, rho + 0j, jnp.array([0.8, 0.2])), np.inf)
    # dark: |up-down> - |down-up> of a collective decay, and the ground state without thermal excitation
    collective = np.kron(LOWERING, np.eye(2)) + np.kron(np.eye(2), LOWERING)
    dark = np.array([0, 1, -1, 0]) / np.sqrt(2)
    decay = jg.Lindbladian(np.kron(SZ, np.eye(2)) + np.kron(np.eye(2), SZ), [collective], [0.7])
    assert abs(dynamics.entropy_rate(decay, np.outer(dark, dark))) < 1e-13
    assert dynamics.entropy_rate(decay, np.diag([0.0, 0, 0, 1])) == 0
    assert dynamics.entropy_rate(decay, np.diag([1.0, 0, 0, 0])) == np.inf
    # and populations far below rounding are populations: beta = 80 on a splitting of 1.7
    cold = four_levels(80.0)
    weights = np.exp(-40.0 * LEVELS)
    value = production(cold, np.diag(weights / weights.sum()), 80.0)[0]
    assert 0 < value < 1


@pytest.mark.slow
def test_local_and_global_heat():
    # (Levy & Kosloff 2014): local baths, each on its own qubit; heat of the whole H may flow from cold to hot
    w_h, w_c, g, beta_h, beta_c = 3.0, 1.0, 0.05, 0.5, 1.0
    own = w_h / 2 * np.kron(SZ, np.eye(2)) + w_c / 2 * np.kron(np.eye(2), SZ)
    bridge = np.kron(LOWERING, RAISING)
    whole = own + g * (bridge + bridge.T)
    jumps, rates = [], []
    for place, w, beta in (
        (lambda m: np.kron(m, np.eye(2)), w_h, beta_h),
        (lambda m: np.kron(np.eye(2), m), w_c, beta_c),
    ):
        n = float(bose(beta, w))
        jumps += [place(LOWERING), place(RAISING)]
        rates += [0.1 * (n + 1), 0.1 * n]
    generator = jg.Lindbladian(whole, jumps, rates, ("hot", "hot", "cold", "cold"))
    rest = jg.evolve(generator, np.eye(4) / 4, [0.0, 2000.0]).value[1]
    betas = jnp.array([beta_h, beta_c])
    by_whole, by_own = heats(generator, rest), heats(generator, rest, own)
    np.testing.assert_allclose(jnp.sum(by_whole), 0, atol=1e-14)
    assert abs(jnp.sum(by_own)) > 1e-5  # the missing work
    assert -betas @ by_whole < -1e-6  # the second law violated
    assert np.all(production(generator, rest, betas, own) >= -1e-14)
    np.testing.assert_allclose(jnp.sum(production(generator, rest, betas, own)), -betas @ by_own, rtol=1e-9)


@pytest.mark.slow
def test_derivatives_against_finite_differences():
    rho = random_state(np.random.default_rng(5), 2)

    @jax.jit
    def parts(x):
        generator = qubit(1.0 + x, [0.3, 0.7], [0.4, 1.5])
        return dynamics.entropy_production(generator, rho + x * jnp.diag(jnp.array([0.1, -0.1])), jnp.array([0.4, 1.5]))

    h = 1e-5
    slopes = jax.jit(jax.jacrev(parts))
    np.testing.assert_allclose(slopes(0.0), (parts(h) - parts(-h)) / (2 * h), rtol=1e-8)
    curvature = jax.jit(jax.jacfwd(jax.jacrev(parts)))(0.0)
    np.testing.assert_allclose(curvature, (slopes(h) - slopes(-h)) / (2 * h), rtol=1e-7)


@pytest.mark.slow
def test_a_balance_with_a_singular_beginning():
    beta, times = 0.8, np.linspace(0, 6, 9)
    rho = random_state(np.random.default_rng(6), 4, rank=1)
    solution = jg.dynamics.thermodynamic_balance(four_levels(beta), rho, times, beta, nodes=16)
    balance = solution.value
    assert balance.entropy_production_rates[0, 0] == np.inf
    assert np.all(np.isfinite(balance.entropy_production_rates[1:]))
    np.testing.assert_allclose(balance.first_law_defect, 0, atol=1e-11)
    np.testing.assert_allclose(balance.second_law_defect, 0, atol=1e-7)  # t^3 ln t in the stretched variable
    sigma = np.diag(np.exp(-beta * LEVELS) / np.sum(np.exp(-beta * LEVELS)))
    distance = jax.vmap(lambda state: relative_entropy(state, sigma))(balance.states)
    np.testing.assert_allclose(balance.entropy_production[:, 0], distance[0] - distance, atol=1e-7)
    assert np.all(np.diff(distance) < 0)
    excess = balance.free_energy[:, 0] - jg.free_energy(np.diag(LEVELS), beta)
    np.testing.assert_allclose(excess * beta, distance, rtol=1e-9, atol=1e-14)  # a difference of numbers of order 1
    assert np.all(balance.work == 0)
    np.testing.assert_array_equal(balance.times, times)
    assert solution.error.shape == times.shape


def driven(t):
    field = 0.65 * jnp.asarray(SZ) + 0.5 * jnp.cos(1.1 * t) * jnp.asarray(SX)
    return jg.Lindbladian(field, [LOWERING, RAISING], jnp.stack([0.4 + 0.1 * jnp.sin(t), jnp.asarray(0.1)]))


@pytest.mark.slow
def test_the_laws_along_a_driven_trajectory():
    rho = np.diag([0.3, 0.7])
    solution = jg.dynamics.thermodynamic_balance(driven, rho, np.linspace(0, 4, 5), 1.1, nodes=12)
    balance = solution.value
    allowed = 5 * float(solution.error[-1])
    assert allowed < 1e-6
    np.testing.assert_allclose(balance.first_law_defect, 0, atol=allowed)
    np.testing.assert_allclose(balance.second_law_defect, 0, atol=allowed)
    assert abs(balance.work[-1]) > 0.1
    t, state = balance.times[2], balance.states[2]
    np.testing.assert_allclose(balance.power[2], -0.55 * np.sin(1.1 * t) * np.trace(SX @ state).real, rtol=1e-9)
    counted = functools.partial(lambda t: 0.65 * jnp.asarray(SZ) * (1 + t))
    power = dynamics.work_current(driven, state, t, counted)
    np.testing.assert_allclose(power, 0.65 * np.trace(SZ @ state).real, rtol=1e-9)
    assert dynamics.work_current(driven(0.0), state, t) == 0


def test_a_closed_system_has_neither_heat_nor_entropy_production():
    closed = jg.Lindbladian(direction(np.random.default_rng(0), 3), [])
    rho = random_state(np.random.default_rng(1), 3)
    assert dynamics.heat_currents(closed, rho).shape == (0,)
    assert dynamics.entropy_production(closed, rho, 1.0).shape == (0,)
    assert dynamics.entropy_rate(closed, rho) == 0


@pytest.mark.slow
def test_single_precision_and_batches():
    generator = qubit(1.3, [0.3, 0.7], [0.4, 1.5])
    low = jax.tree_util.tree_map(lambda x: x.astype(np.complex64 if jnp.iscomplexobj(x) else np.float32), generator)
    states = np.stack([random_state(np.random.default_rng(k), 2) for k in range(3)])
    betas = np.array([0.4, 1.5])
    batch = jax.vmap(lambda rho: dynamics.entropy_production(generator, rho, betas))(states)
    single = dynamics.entropy_production(low, states[0].astype(np.complex64), betas.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, batch[0], rtol=1e-4)
    np.testing.assert_allclose(production(generator, states[2], betas), batch[2], rtol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g, rho: dynamics.entropy_production(g, rho, np.ones(3)), "`references` must be"),
        (lambda g, rho: dynamics.entropy_production(g, np.diag([1.5, -0.5]), 1.0), "positive semidefinite"),
        (lambda g, rho: dynamics.entropy_production(g, rho, np.diag([1.0, 0.0])), "positive definite"),
        (lambda g, rho: dynamics.entropy_production(g, rho, np.nan), "`references` must be numbers"),
        (lambda g, rho: dynamics.thermodynamic_balance(g, rho, [0.0, 1.0], np.nan), "`betas` must be numbers"),
        (lambda g, rho: dynamics.entropy_rate(g, np.eye(3)), "`rho` must have shape"),
        (lambda g, rho: dynamics.heat_currents(g, rho, np.eye(3)), "`hamiltonian` must have"),
        (lambda g, rho: dynamics.heat_currents(np.eye(2), rho), "`generator` must be a generator"),
        (lambda g, rho: dynamics.energy(np.eye(2), rho), "`generator` must be a generator"),
        (lambda g, rho: dynamics.energy(g, np.eye(3)), "`rho` must have shape"),
        (lambda g, rho: dynamics.nonequilibrium_free_energy(np.eye(2), np.eye(3), 1.0), "`rho` must have shape"),
        (lambda g, rho: dynamics.thermodynamic_balance(g, rho, [0.0, 1.0], np.ones(2)), "`betas` must be"),
        (lambda g, rho: dynamics.thermodynamic_balance(g, rho, [0.0, 1.0], 1.0, nodes=0), "`nodes` must be"),
    ],
)
def test_misuse(call, message):
    with pytest.raises(ValueError, match=message):
        call(qubit(1.3, [0.4], [0.9]), np.eye(2) / 2)
