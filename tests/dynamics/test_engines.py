"""Continuous machines against the current of a cycle of three states, and Otto's cycle against two levels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import with_levels
from jaxgibbs import dynamics
from jaxgibbs.baths import FlatBath, OhmicBath

from .dissipative_systems import SX, SZ, bose


def cycle_current(forward, backward):
    """Of a ring of three states, `0 -> 1 -> 2 -> 0`: by spanning trees (Hill 1966)."""
    (a, b, c), (x, y, z) = forward, backward  # 0-1, 1-2, 2-0
    trees = b * c + x * c + x * y + a * c + a * z + y * z + a * b + x * z + b * z
    trees = (b * c + x * c + x * y) + (a * c + a * y + y * z) + (a * b + z * b + z * x)
    return (a * b * c - x * y * z) / trees


def maser_current(hot, cold, drive, hot_beta, cold_beta, hot_rate=0.3, cold_rate=0.7):
    n_h, n_c = bose(hot_beta, hot), bose(cold_beta, cold)
    coherence = (hot_rate * n_h + cold_rate * n_c) / 2  # its decay
    field = 2 * drive**2 / coherence
    # taken up from the hot bath, 0 -> 2 -> 1 -> 0
    return cycle_current((hot_rate * n_h, cold_rate * (n_c + 1), field), (hot_rate * (n_h + 1), cold_rate * n_c, field))


def maser(hot, cold, drive, hot_beta, cold_beta):
    baths = FlatBath(hot_beta, 0.3), FlatBath(cold_beta, 0.7)
    return dynamics.steady_operation(*dynamics.three_level_maser(hot, cold, drive, *baths))


MASER = jnp.array([2.5, 1.0, 0.2, 0.3, 1.4])
operate = jax.jit(lambda p: maser(*p))


@pytest.mark.slow
def test_the_maser_is_a_carnot_engine_of_its_levels():
    hot, cold, _, hot_beta, cold_beta = MASER
    found, current = operate(MASER), maser_current(*MASER)
    np.testing.assert_allclose(found.heat, [hot * current, -cold * current], rtol=1e-12)
    np.testing.assert_allclose(found.power, (cold - hot) * current, rtol=1e-12)
    assert found.power < 0
    np.testing.assert_allclose(found.efficiency("hot"), 1 - cold / hot, rtol=1e-12)
    expected = (cold_beta * cold - hot_beta * hot) * current
    np.testing.assert_allclose(found.entropy_production([hot_beta, cold_beta]), expected, rtol=1e-12)
    slope = jax.grad(lambda p: maser(*p).power)(MASER)
    known = jax.grad(lambda p: (p[1] - p[0]) * maser_current(*p))(MASER)
    np.testing.assert_allclose(slope, known, rtol=1e-9)


@pytest.mark.slow
def test_light_is_amplified_where_the_hot_bath_fills_more_than_the_cold_one():
    rng = np.random.default_rng(1)
    cold, hot = np.sort(rng.uniform(0.3, 3, (2, 40)), axis=0)
    drive, hot_beta, cold_beta = rng.uniform(0.1, 0.5, 40), rng.uniform(0.1, 1, 40), rng.uniform(1, 3, 40)
    found = jax.vmap(operate)(jnp.stack([hot, cold, drive, hot_beta, cold_beta], axis=1))
    amplifies = cold_beta * cold > hot_beta * hot
    assert 5 < amplifies.sum() < 35
    np.testing.assert_array_equal(found.power < 0, amplifies)
    production = -found.heat[:, 0] * hot_beta - found.heat[:, 1] * cold_beta
    assert np.all(production > 0)
    assert np.all(1 - cold[amplifies] / hot[amplifies] < 1 - hot_beta[amplifies] / cold_beta[amplifies])
    # otherwise the same machine cools the cold bath
    np.testing.assert_array_equal(found.heat[:, 1] > 0, ~amplifies)
    np.testing.assert_allclose(found.heat[:, 1] / found.power, cold / (hot - cold), rtol=1e-9)


def refrigerator(cold, work, cold_beta, work_beta, hot_beta):
    baths = FlatBath(cold_beta, 0.3), FlatBath(work_beta, 0.4), FlatBath(hot_beta, 0.5)
    return dynamics.steady_operation(dynamics.absorption_refrigerator(cold, work, *baths))


def refrigerator_current(cold, work, cold_beta, work_beta, hot_beta):
    n_c, n_w, n_h = bose(cold_beta, cold), bose(work_beta, work), bose(hot_beta, cold + work)
    return cycle_current((0.3 * n_c, 0.4 * n_w, 0.5 * (n_h + 1)), (0.3 * (n_c + 1), 0.4 * (n_w + 1), 0.5 * n_h))


@pytest.mark.slow
def test_the_absorption_refrigerator_and_its_window():
    betas = jnp.array([1.5, 0.2, 1.0])  # cold, work, hot
    window = float((betas[2] - betas[1]) / (betas[0] - betas[2]))  # the largest w_c / w_w that is cooled
    operate = jax.jit(lambda p: refrigerator(*p, *betas))
    for ratio in (0.5, 0.9, 1.1):
        parameters = jnp.array([ratio * window * 0.8, 0.8])
        found, current = operate(parameters), refrigerator_current(*parameters, *betas)
        total = jnp.sum(parameters)
        np.testing.assert_allclose(found.heat, current * jnp.append(parameters, -total), rtol=1e-10)
        np.testing.assert_allclose(found.performance("cold", "work"), ratio * window, rtol=1e-10)
        assert (found.heat_from("cold") > 0) == (ratio < 1)
        affinity = -parameters @ betas[:2] + total * betas[2]
        np.testing.assert_allclose(found.entropy_production(betas), affinity * current, rtol=1e-10)
        assert float(found.power) == 0


@pytest.mark.slow
def test_gradients_of_the_cooling_power():
    betas, parameters = jnp.array([1.5, 0.2, 1.0]), jnp.array([1.0, 0.8])
    slope = jax.grad(lambda p: refrigerator(*p, *betas).heat_from("cold"))(parameters)
    known = jax.grad(lambda p: p[0] * refrigerator_current(*p, *betas))(parameters)
    np.testing.assert_allclose(slope, known, rtol=1e-8)


def fermi(beta, w):
    return 1 / (1 + jnp.exp(beta * w))


def test_the_otto_cycle_of_a_qubit():
    cold, hot, cold_beta, hot_beta = 1.0, 1.6, 2.0, 0.5
    cycle = dynamics.quasi_static_otto(cold / 2 * SZ, hot / 2 * SX, cold_beta, hot_beta)
    difference = fermi(hot_beta, hot) - fermi(cold_beta, cold)
    np.testing.assert_allclose(cycle.hot_heat, hot * difference, rtol=1e-13)
    np.testing.assert_allclose(cycle.cold_heat, -cold * difference, rtol=1e-13)
    np.testing.assert_allclose(cycle.efficiency, 1 - cold / hot, rtol=1e-13)
    np.testing.assert_allclose(cycle.work, (cold - hot) * difference, rtol=1e-13)
    slope = jax.grad(lambda w: dynamics.quasi_static_otto(cold / 2 * SZ, w / 2 * SX, cold_beta, hot_beta).work)(hot)
    known = jax.grad(lambda w: (cold - w) * (fermi(hot_beta, w) - fermi(cold_beta, cold)))(hot)
    np.testing.assert_allclose(slope, known, rtol=1e-12)
    cooler = dynamics.quasi_static_otto(cold / 2 * SZ, 5 * SX, cold_beta, 0.5)
    np.testing.assert_allclose(cooler.performance, cold / (10 - cold), rtol=1e-12)
    assert cooler.cold_heat > 0


def test_every_otto_cycle_obeys_the_second_law():
    rng = np.random.default_rng(2)
    levels = np.sort(rng.normal(size=(2, 40, 4)) * 2, axis=-1)
    media = [np.stack([with_levels(rng, e) for e in each]) for each in levels]
    cold_beta, hot_beta = rng.uniform(1, 2, 40), rng.uniform(0.1, 0.9, 40)
    cycles = jax.vmap(dynamics.quasi_static_otto)(*media, cold_beta, hot_beta)
    production = -hot_beta * cycles.hot_heat - cold_beta * cycles.cold_heat
    assert np.all(production > 0)
    engines = cycles.work < 0
    assert 3 < np.sum(engines) < 40
    assert np.all(np.where(engines, cycles.efficiency, 0) < 1 - hot_beta / cold_beta)
    first = dynamics.quasi_static_otto(media[0][0], media[1][0], cold_beta[0], hot_beta[0])
    np.testing.assert_allclose(first.entropy_production(cold_beta[0], hot_beta[0]), production[0], rtol=1e-12)


def test_what_is_refused():
    bath = OhmicBath(1.0, 0.1, 5.0)
    with pytest.raises(ValueError, match="`hot_frequency` must be above `cold_frequency`"):
        dynamics.three_level_maser(1.0, 1.5, 0.1, bath, bath)
    with pytest.raises(ValueError, match="`cold_frequency`, and this above 0"):
        dynamics.absorption_refrigerator(-1.0, 1.5, bath, bath, bath)
    with pytest.raises(ValueError, match="`hot` must have the dimension 2"):
        dynamics.quasi_static_otto(SZ, np.eye(3), 1.0, 0.5)
    found = operate(MASER)
    with pytest.raises(ValueError, match="`bath` must be one of"):
        found.heat_from("warm")
    with pytest.raises(ValueError, match="must have the dimension 2"):
        dynamics.steady_operation(jg.Lindbladian(SZ, [SX]), np.eye(3))
