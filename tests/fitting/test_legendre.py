"""`S(U)` and `U(S)`: the Legendre transforms of `ln Z`, with their exact slopes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg

HAMILTONIAN = np.array([[0.0, 0.5, 0, 0], [0.5, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 3]])


@pytest.mark.parametrize("beta", [0.7, 0.0, -0.4])
def test_slope_of_the_entropy_is_beta(beta):
    state = jg.gibbs_state(HAMILTONIAN, beta)
    slope = jax.grad(jg.entropy_at_energy, 1)
    np.testing.assert_allclose(jg.entropy_at_energy(HAMILTONIAN, state.energy), state.entropy, rtol=1e-13)
    np.testing.assert_allclose(slope(HAMILTONIAN, state.energy), beta, atol=1e-13)
    curvature = jax.grad(slope, 1)(HAMILTONIAN, state.energy)
    np.testing.assert_allclose(curvature, -1 / state.energy_variance, rtol=1e-11)


def test_entropy_is_the_lower_envelope_of_massieu_lines():
    energy = 0.4
    betas = jnp.linspace(-3, 6, 2001)
    lines = jax.vmap(lambda b: jg.log_partition(HAMILTONIAN, b) + b * energy)(betas)
    found = jg.entropy_at_energy(HAMILTONIAN, energy)
    assert found <= jnp.min(lines) + 1e-14
    np.testing.assert_allclose(found, jnp.min(lines), atol=1e-5)


def test_slope_of_the_energy_is_the_temperature():
    state = jg.gibbs_state(HAMILTONIAN, 0.7)
    np.testing.assert_allclose(jg.energy_at_entropy(HAMILTONIAN, state.entropy), state.energy, rtol=1e-13)
    np.testing.assert_allclose(jax.grad(jg.energy_at_entropy, 1)(HAMILTONIAN, state.entropy), 1 / 0.7, rtol=1e-12)


def test_edges_and_beyond():
    levels = np.linalg.eigvalsh(HAMILTONIAN)
    np.testing.assert_allclose(jg.entropy_at_energy(HAMILTONIAN, levels[0]), 0, atol=1e-15)
    assert jnp.isnan(jg.entropy_at_energy(HAMILTONIAN, levels[-1] + 1))
    assert jnp.isnan(jax.jit(jg.entropy_at_energy)(HAMILTONIAN, levels[-1] + 1))
    assert jnp.isnan(jax.grad(jg.entropy_at_energy, 1)(HAMILTONIAN, levels[-1] + 1))
    assert jnp.isnan(jg.energy_at_entropy(HAMILTONIAN, np.log(4) + 1))
