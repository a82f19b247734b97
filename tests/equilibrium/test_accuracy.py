"""Samples chosen for an accuracy: large enough where that can be, and said where not."""

import jax
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models

CHAIN = models.heisenberg_chain(6, 1.0, field=0.3)
HOT, COLD = 0.4, 12.0


@pytest.fixture(scope="module")
def hot():
    return jg.gibbs_state(CHAIN, HOT, method=jg.Lanczos(accuracy=0.02))


@pytest.mark.slow
def test_probes_are_added_until_the_error_is_small_enough(hot):
    exact = jg.gibbs_state(CHAIN, HOT, method=jg.Exact())
    assert hot.result == jg.RESULTS.optimal
    assert hot.standard_error.log_partition <= 0.02
    assert abs(hot.log_partition - exact.log_partition) < 5 * hot.standard_error.log_partition
    chosen = hot.spectrum.method
    assert (chosen.probes, chosen.depth, chosen.deflation) == (24, 30, (0, 0))
    assert "24 real probes in Krylov spaces of 30 for an error of 0.02 in log Z, 720 products" in hot.explain()


@pytest.mark.slow
def test_what_was_chosen_gives_the_same_numbers_inside_jit(hot):
    method = hot.spectrum.method
    value, slope = jax.jit(jax.value_and_grad(lambda h: jg.log_partition(h, HOT, method=method)))(CHAIN)
    np.testing.assert_allclose(value, hot.log_partition, rtol=1e-12)
    # Outside `jit` the choice is made as for the value, and the derivative is that of the sample chosen.
    eager = jax.grad(lambda h: jg.log_partition(h, HOT, method=jg.Lanczos(accuracy=0.02)))(CHAIN)
    for name, derivative in slope.couplings.items():
        np.testing.assert_allclose(eager.couplings[name], derivative, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_few_states_are_found_and_not_sampled():
    for beta in (COLD, np.inf):
        state = jg.gibbs_state(CHAIN, beta, method=jg.Lanczos(accuracy=1e-3, depth=40))
        exact = jg.gibbs_state(CHAIN, beta, method=jg.Exact())
        assert state.result == jg.RESULTS.optimal
        assert state.spectrum.method.deflation[0] > 0
        assert state.spectrum.method.deflation[1] == 0
        assert state.entropy >= 0
        np.testing.assert_allclose(state.energy, exact.energy, atol=1e-3)
        np.testing.assert_allclose(state.entropy, exact.entropy, atol=5e-3)


@pytest.mark.slow
def test_a_state_that_is_degenerate_at_zero_temperature_is_found_whole():
    chain = models.heisenberg_chain(3)  # the highest level has four states, as many as are looked for at once
    state = jg.gibbs_state(chain, -np.inf, method=jg.Lanczos(accuracy=1e-3, depth=8))
    assert state.result == jg.RESULTS.optimal
    np.testing.assert_allclose(state.entropy, np.log(4), rtol=1e-12)
    few = jg.gibbs_state(chain, -np.inf, method=jg.Lanczos(probes=8, depth=8, deflation=1))
    assert few.result == jg.RESULTS.depth_too_small


@pytest.mark.slow
def test_what_is_not_reached_is_said():
    few = jg.gibbs_state(CHAIN, HOT, method=jg.Lanczos(accuracy=1e-6, max_probes=24, depth=30))
    assert few.result == jg.RESULTS.probes_too_few
    assert few.spectrum.method.probes == 24


@pytest.mark.slow
def test_the_depth_is_doubled_where_it_does_not_suffice():
    chain = models.heisenberg_chain(10)
    state = jg.gibbs_state(chain, 30.0, method=jg.Lanczos(accuracy=1e-12, probes=8, deflation=0))
    assert state.spectrum.method.depth > 30
    assert state.result == jg.RESULTS.probes_too_few
    assert state.systematic_error.log_partition < 1e-12


@pytest.mark.slow
def test_inside_jit_one_level_at_either_end_keeps_the_entropy_positive():
    method = jg.Lanczos(accuracy=1e-3, depth=30, key=jax.random.key(4))
    state = jax.jit(lambda h, beta: jg.gibbs_state(h, beta, method=method))
    for beta in (30.0, -30.0, 1e3):
        found = state(CHAIN, beta)
        assert len(found.spectrum.nodes.levels.energies) == 2
        assert found.entropy >= 0


@pytest.mark.parametrize(
    ("knobs", "complaint"),
    [
        ({"deflation": (1, 2, 3)}, "`deflation` must be a number or a pair"),
        ({"deflation": (1, -2)}, "`deflation` must"),
        ({"max_probes": 0}, "`max_probes` must"),
        ({"max_depth": 1.5}, "`max_depth` must"),
        ({"max_deflation": -1}, "`max_deflation` must"),
    ],
)
def test_sizes_that_are_none(knobs, complaint):
    with pytest.raises(ValueError, match=complaint):
        jg.Lanczos(**knobs)


@pytest.mark.slow
def test_a_temperature_is_fitted_on_a_sample_that_is_large_enough():
    target = jg.energy(CHAIN, HOT, method=jg.Exact())
    fit = jg.fit_beta(CHAIN, target, method=jg.Lanczos(accuracy=0.02, depth=30, deflation=0))
    assert fit.result == jg.RESULTS.optimal
    assert abs(fit.value - HOT) < 5 * fit.stats["standard_error"]
    few = jg.Lanczos(accuracy=1e-6, depth=30, deflation=0, max_probes=8)
    assert jg.fit_beta(CHAIN, target, method=few, throw=False).result == jg.RESULTS.probes_too_few
