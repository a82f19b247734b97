"""Currents and cycles of rate matrices, against what is known in closed form."""

import jax
import numpy as np
import pytest
from thermal_generators import merry_go_round

from jaxgibbs import diagnostics
from jaxgibbs.open_systems import stationary_distribution

RNG = np.random.default_rng(5)


def balanced_rates(levels, beta):
    """Symmetric couplings times `e^(-beta (E_i - E_j) / 2)`."""
    size = len(levels)
    couplings = RNG.uniform(0.5, 2, size=(size, size))
    rates = (couplings + couplings.T) * np.exp(-beta * (levels[:, None] - levels[None, :]) / 2)
    return rates * (1 - np.eye(size))


def generator(rates):
    return rates - np.diag(rates.sum(0))


def test_balance_has_no_currents_and_one_temperature():
    levels, beta = np.array([0.0, 0.4, 1.1, 2.0]), 1.7
    rates = balanced_rates(levels, beta)
    populations = stationary_distribution(rates)
    np.testing.assert_allclose(diagnostics.currents(rates, populations), 0, atol=1e-15)
    assert len(diagnostics.cycles_of(rates)) == 6 - 3
    assert diagnostics.kolmogorov_defect(rates) < 1e-14
    assert diagnostics.entropy_production(rates, populations) < 1e-28
    temperatures = np.asarray(diagnostics.effective_temperatures(rates, levels))
    np.testing.assert_allclose(temperatures[~np.eye(4, dtype=bool)], 1 / beta, rtol=1e-13)
    assert np.all(np.isnan(np.diag(temperatures)))


@pytest.mark.parametrize("size", [3, 5])
def test_a_merry_go_round(size):
    rates = merry_go_round(3.0, 0.5, size)
    populations = stationary_distribution(rates)
    np.testing.assert_allclose(populations, 1 / size)
    flow = diagnostics.currents(rates, populations)
    assert flow[1, 0] == pytest.approx(2.5 / size)
    (cycle,) = diagnostics.cycles_of(rates)
    assert sorted(cycle) == list(range(size))
    affinity = float(abs(diagnostics.cycle_affinities(rates, (cycle,))[0]))
    assert affinity == pytest.approx(size * np.log(6))
    production = diagnostics.entropy_production(rates, populations)
    assert production == pytest.approx(2.5 / size * affinity)  # current times affinity


def test_cycles_and_their_currents_add_up_to_the_entropy_production():
    rates = RNG.uniform(0.1, 2, size=(4, 4)) * (1 - np.eye(4))
    populations = stationary_distribution(rates)
    flow = np.asarray(diagnostics.currents(rates, populations))
    cycles = diagnostics.cycles_of(rates)
    chords = [
        flow[cycle[0], cycle[-1]] for cycle in cycles
    ]  # the step that closes each cycle is the edge outside the tree
    total = float(np.dot(chords, diagnostics.cycle_affinities(rates, cycles)))
    assert total == pytest.approx(float(diagnostics.entropy_production(rates, populations)), rel=1e-12)


def test_one_way_steps_and_missing_ones():
    rates = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    assert diagnostics.kolmogorov_defect(rates) == np.inf
    assert diagnostics.entropy_production(rates, [1 / 3] * 3) == np.inf
    temperatures = np.asarray(diagnostics.effective_temperatures([[0, 1.0, 0], [0, 0, 0], [0, 0, 0]], [0.0, 1.0, 2.0]))
    assert temperatures[0, 1] == 0
    assert np.isnan(temperatures[0, 2])
    inverted = diagnostics.effective_temperatures([[0, 1.0], [2.0, 0]], [0.0, 1.0])
    assert inverted[0, 1] == pytest.approx(-1 / np.log(2))
    assert np.isinf(diagnostics.effective_temperatures([[0, 1.0], [1.0, 0]], [0.0, 1.0])[0, 1])
    assert diagnostics.cycles_of([[0, 1.0], [1.0, 0]]) == ()
    assert diagnostics.kolmogorov_defect([[0, 1.0], [1.0, 0]]) == 0


def test_derivatives():
    rates = RNG.uniform(0.5, 2, size=(3, 3)) * (1 - np.eye(3))
    cycles = diagnostics.cycles_of(rates)

    @jax.jit
    def total(x):
        changed = rates * (1 + x * np.arange(9).reshape(3, 3))
        populations = stationary_distribution(changed)
        return diagnostics.entropy_production(changed, populations) + diagnostics.cycle_affinities(changed, cycles)[0]

    step = 1e-6
    assert jax.jit(jax.grad(total))(0.1) == pytest.approx(
        float(total(0.1 + step) - total(0.1 - step)) / (2 * step), rel=1e-7
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.currents(np.ones((2, 3)), [0.5, 0.5]), "real square matrix"),
        (lambda: diagnostics.currents([[0.0, -1.0], [1.0, 0.0]], [0.5, 0.5]), "must not be negative"),
        (lambda: diagnostics.currents([[0.0, np.nan], [1.0, 0.0]], [0.5, 0.5]), "must be finite"),
        (lambda: diagnostics.currents([[0.0, 1.0], [1.0, 0.0]], [0.5]), "one entry a state"),
        (lambda: diagnostics.cycle_affinities(merry_go_round(2, 1), ((0, 1),)), "three or more"),
        (lambda: diagnostics.cycle_affinities(merry_go_round(2, 1), ((0, 1, 7),)), "three or more"),
        (lambda: jax.jit(diagnostics.kolmogorov_defect)(merry_go_round(2, 1)), "must have known values"),
    ],
)
def test_misuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_negative_rates_under_a_trace_are_nan():
    flow = jax.jit(diagnostics.currents)(np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([0.5, 0.5]))
    assert np.all(np.isnan(flow[0, 1]))
