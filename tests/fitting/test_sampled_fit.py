"""Fits of charges by Lanczos quadrature, within their errors of the exact fit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs._solution import RESULTS
from jaxgibbs.fitting import fit_multipliers

SITES = 6
CHARGES = (models.heisenberg_chain(SITES), models.transverse_ising_chain(SITES, 0.0, 1.0))
MULTIPLIERS = np.array([0.8, -0.3])
METHOD = jg.Lanczos(probes=16, depth=20)


@functools.cache
def state():
    return jg.generalized_gibbs_state(CHARGES, MULTIPLIERS)


@jax.jit
def fitted(targets):
    return fit_multipliers(CHARGES, targets, method=METHOD, target_covariance=jnp.eye(2), throw=False)


@pytest.mark.slow
def test_it_agrees_with_the_exact_fit_within_its_error():
    targets = state().charge_expectations
    fit = fitted(targets)
    assert fit.result == RESULTS.optimal
    assert fit.error < 1e-6
    error = fit.stats["standard_error"]
    assert np.all((error > 0) & (error < 0.2))
    assert np.all(np.abs(fit.value - MULTIPLIERS) < 5 * error)
    # The charges are met by the estimate itself, whose gradient is exact.
    estimate = jax.grad(lambda m: jg.generalized_gibbs_state(CHARGES, m, method=METHOD).log_partition)(fit.value)
    np.testing.assert_allclose(-estimate, targets, atol=1e-6)
    inverse = np.linalg.inv(state().charge_covariance)
    np.testing.assert_allclose(fit.stats["covariance"], inverse @ inverse, rtol=0.3)


@pytest.mark.slow
def test_verdicts():
    beyond = fitted(state().charge_expectations + jnp.asarray([20.0, 0.0]))
    assert beyond.result == RESULTS.infeasible
    assert np.all(np.isnan(beyond.value))
    assert beyond.stats["violation"] > 0
    nonsense = fitted(jnp.full(2, jnp.nan))
    assert nonsense.result == RESULTS.nonfinite


@pytest.mark.slow
def test_the_derivative_in_the_targets_is_that_of_the_estimate():
    targets = state().charge_expectations
    slope = jax.jacobian(lambda q: fitted(q).value)(targets)
    shift = 1e-3
    for k, direction in enumerate(np.eye(2)):
        higher, lower = (fitted(targets + sign * shift * direction).value for sign in (1, -1))
        # The multipliers are known to 1e-8, the step squared is 1e-6, and the Hessian is a difference to 1e-5.
        np.testing.assert_allclose(slope[:, k], (higher - lower) / (2 * shift), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="differentiated in its targets at most once"):
        jax.hessian(lambda q: fitted(q).value[0])(targets)


@pytest.mark.slow
def test_dependent_charges_get_the_multipliers_of_minimum_norm():
    h, x = CHARGES
    targets = state().charge_expectations
    both = jnp.append(targets, targets.sum())
    fit = fit_multipliers((h, x, h + x), both, method=METHOD)
    assert fit.result == RESULTS.dependent
    np.testing.assert_allclose(fit.value[2], (fit.value[0] + fit.value[1]), atol=1e-6)
    against = fit_multipliers((h, x, h + x), both.at[2].add(1.0), method=METHOD)
    assert against.result == RESULTS.infeasible


@pytest.mark.slow
def test_a_sample_is_chosen_for_the_state_that_is_found():
    targets = state().charge_expectations
    fit = fit_multipliers(CHARGES, targets, method=jg.Lanczos(accuracy=0.05, depth=20))
    assert fit.result == RESULTS.optimal
    assert np.all(np.abs(fit.value - MULTIPLIERS) < 5 * fit.stats["standard_error"])
    with pytest.raises(RuntimeError, match="probes"):
        fit_multipliers(CHARGES, targets, method=jg.Lanczos(accuracy=1e-6, depth=20, max_probes=8))
    shallow = fit_multipliers(CHARGES, targets, method=jg.Lanczos(probes=64, depth=3), throw=False)
    assert shallow.result == RESULTS.depth_too_small


def test_misuse():
    with pytest.raises(ValueError, match="`reference` and `copies` must be left out with `Lanczos`"):
        fit_multipliers(CHARGES, [0.0, 0.0], method=METHOD, copies=10.0)
    with pytest.raises(ValueError, match="must not be differentiated in its charges"):
        jax.grad(lambda h: fit_multipliers((h, CHARGES[1]), [0.0, 0.0], method=METHOD).value[0])(CHARGES[0])


def test_structured_charges_are_not_sampled():
    levels = jg.operators.Spectrum([0.0, 1.0])
    fit = fit_multipliers((levels,), [0.25], method=METHOD)
    np.testing.assert_allclose(fit.value, [np.log(3)], rtol=1e-12)
