"""The sampled gradient of `ln Z`: within its errors of the exact one, and not the derivative of the estimate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.equilibrium import thermal_gradient
from jaxgibbs.linalg import unit_vectors

CHAIN = models.heisenberg_chain(6, jnp.linspace(0.7, 1.2, 5), field=0.3)
METHOD = jg.Lanczos(probes=16, depth=30)


def slopes(method, beta):
    return jax.grad(lambda h: jg.log_partition(h, beta, method=method))(CHAIN).couplings["coupling"]


@pytest.mark.slow
def test_it_agrees_with_the_exact_gradient_and_not_with_that_of_the_estimate():
    found = thermal_gradient(CHAIN, 1.3, method=METHOD)
    value, error = found.value.couplings["coupling"], found.error.couplings["coupling"]
    assert np.all((error > 0) & (error < 0.5))
    assert np.all(np.abs(value - slopes(jg.Exact(), 1.3)) < 5 * error)
    # Both have the same mean, but on the same probes they are different numbers.
    assert np.max(np.abs(value - slopes(METHOD, 1.3))) > 1e-3


@pytest.mark.slow
def test_with_all_unit_vectors_it_is_exact():
    for beta, deflation in ((0.9, 0), (-0.9, 0), (3.0, 2)):
        method = jg.Lanczos(probes=64, depth=64, deflation=deflation, distribution=unit_vectors)
        found = thermal_gradient(CHAIN, beta, method=method)
        np.testing.assert_allclose(found.value.couplings["coupling"], slopes(jg.Exact(), beta), rtol=1e-9)


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (lambda: thermal_gradient(CHAIN, np.inf), "`beta` must be finite"),
        (lambda: thermal_gradient(CHAIN, 1.0, method=jg.Exact()), "`method` must be a `Lanczos`"),
        (lambda: thermal_gradient(np.array([[0, 1j], [-1j, 0]]), 1.0), "must have real leaves"),
        (lambda: jax.grad(lambda b: thermal_gradient(CHAIN, b).value.couplings["field"])(1.0), "must not be diff"),
    ],
)
def test_misuse(ask, complaint):
    with pytest.raises(ValueError, match=complaint):
        ask()
