"""Every model with a closed form against it: ln Z, U, S, C and the gradient in every parameter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from systems import SYSTEMS


@pytest.mark.parametrize("system", SYSTEMS, ids=repr)
def test_thermodynamics(system):
    found = jax.vmap(jg.thermodynamics, (None, 0))(system.operator, jnp.array(system.betas))
    exact = np.array([system.thermodynamics(beta) for beta in system.betas]).T
    np.testing.assert_allclose(found.log_partition, exact[0], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.energy, exact[1], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.entropy, exact[2], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.heat_capacity, exact[3], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("system", SYSTEMS, ids=repr)
def test_gradient_in_the_parameters(system):
    beta = system.betas[1]

    def log_partition(parameters):
        return jg.log_partition(system.build(*parameters), beta)

    gradient = jax.jit(jax.grad(log_partition))(jnp.array(system.parameters))
    np.testing.assert_allclose(gradient, system.log_partition_gradient(beta), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("system", SYSTEMS[::3], ids=repr)
def test_single_precision(system):
    parameters = [jnp.float32(p) for p in system.parameters]
    operator = system.build(*parameters)
    assert operator.dtype in (jnp.float32, jnp.complex64)
    beta = jnp.float32(system.betas[1])
    found = jg.log_partition(operator, beta)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, system.log_partition(float(beta)), rtol=2e-5, atol=2e-5)
