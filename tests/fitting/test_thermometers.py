"""The best thermometers against their equation and a search by gradient; parts of a system against the whole."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize

import jaxgibbs as jg
from jaxgibbs.fitting import local_thermometry_bounds, optimal_thermometer, thermometry_bounds
from jaxgibbs.information import classical_fisher_information, symmetric_logarithmic_derivative
from jaxgibbs.operators import Spectrum


def capacity(energies):
    return jg.heat_capacity(Spectrum(energies), 1.0)


@pytest.mark.parametrize("levels", [2, 3, 10, 1000, 2**40, 10**400])
def test_the_gap_is_the_root_of_its_equation(levels):
    logarithm = math.log(levels - 1)
    expected = scipy.optimize.brentq(
        lambda x: x - logarithm - np.log((x + 2) / (x - 2)), 2 + 1e-9, logarithm + 5, xtol=1e-14
    )
    best = optimal_thermometer(levels, 0.3)
    np.testing.assert_allclose(best.gap, 0.3 * expected, rtol=1e-13)
    np.testing.assert_allclose(best.heat_capacity, jg.heat_capacity(best.hamiltonian, 1 / 0.3), rtol=1e-11)
    np.testing.assert_allclose(best.information, best.heat_capacity / 0.09, rtol=1e-14)


@pytest.mark.parametrize("levels", [2, 4])
def test_no_change_of_the_levels_is_better(levels):
    best = optimal_thermometer(levels, 1.0)
    energies = jnp.append(0.0, jnp.full(levels - 1, best.gap))
    np.testing.assert_allclose(capacity(energies), best.heat_capacity, rtol=1e-13)
    np.testing.assert_allclose(jax.jit(jax.grad(capacity))(energies), 0, atol=1e-13)
    curvatures = np.linalg.eigvalsh(jax.jit(jax.hessian(capacity))(energies))
    assert abs(curvatures[-1]) < 1e-12  # all energies raised together
    assert curvatures[-2] < -0.1


def test_a_search_by_gradient_finds_it():
    levels, starts = 4, jnp.asarray(np.random.default_rng(3).uniform(0, 4, (5, 4)))
    optimizer = optax.adam(0.1)

    @jax.jit
    @jax.vmap
    def ascend(energies):
        def step(carry, _):
            energies, memory = carry
            updates, memory = optimizer.update(-jax.grad(capacity)(energies), memory)
            return (optax.apply_updates(energies, updates), memory), None

        (energies, _), _ = jax.lax.scan(step, (energies, optimizer.init(energies)), None, length=400)
        return jnp.sort(energies), capacity(energies)

    energies, found = ascend(starts)
    best = optimal_thermometer(levels, 1.0)
    np.testing.assert_allclose(found, best.heat_capacity, rtol=1e-6)
    np.testing.assert_allclose(energies[:, 1:] - energies[:, :1], best.gap, rtol=1e-2)


def test_a_part_of_independent_parts_is_a_thermometer_of_its_own():
    one, other = np.diag([0.0, 1.3]), np.array([[0.2, 0.5], [0.5, -0.4]])
    whole = np.kron(one, np.eye(2)) + np.kron(np.eye(2), other)
    found = [local_thermometry_bounds(whole, 0.8, (2, 2), keep, copies=7) for keep in (0, 1, (0, 1))]
    expected = [thermometry_bounds(h, 0.8, 7) for h in (one, other, whole)]
    for local, known in zip(found, expected, strict=True):
        np.testing.assert_allclose([local.beta, local.temperature], [known.beta, known.temperature], rtol=1e-12)


@pytest.mark.slow
def test_a_coupled_part_tells_less_than_the_whole_and_its_best_measurement_all_of_it():
    hamiltonian, beta = jg.models.heisenberg_chain(3, coupling=1.0, field=0.7), 1.2
    whole = thermometry_bounds(hamiltonian, beta).beta
    pair, site = (local_thermometry_bounds(hamiltonian, beta, (2, 2, 2), keep).beta for keep in ((0, 1), 0))
    assert whole < pair < site
    state = jg.gibbs_state(hamiltonian, beta)
    rho = np.asarray(state.reduced((2, 2, 2), (0, 1)))
    shifted = np.asarray(hamiltonian.to_dense()) - float(state.energy) * np.eye(8)
    slope = np.asarray(jg.linalg.partial_trace(-np.asarray(state.density_matrix()) @ shifted, (2, 2, 2), (0, 1)))
    basis = np.linalg.eigh(symmetric_logarithmic_derivative(rho, (slope + slope.T) / 2))[1]
    outcomes = [np.einsum("im,ij,jm->m", basis, x, basis) for x in (rho, slope)]
    np.testing.assert_allclose(1 / classical_fisher_information(*outcomes), pair, rtol=1e-10)


def test_the_temperature_of_a_thermometer_is_differentiable():
    slope = jax.jit(jax.vmap(jax.grad(lambda t: optimal_thermometer(3, t).gap)))(jnp.asarray([0.5, 2.0], jnp.float32))
    assert slope.dtype == np.float32
    np.testing.assert_allclose(slope, optimal_thermometer(3, 1.0).gap, rtol=1e-6)
    assert np.isnan(jax.jit(lambda t: optimal_thermometer(3, t).gap)(-1.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimal_thermometer(1, 1.0), "`levels` must be at least 2"),
        (lambda: optimal_thermometer(3, 0.0), "`temperature` must be positive"),
        (lambda: optimal_thermometer(3, np.ones(2)), "`temperature` must be a real scalar"),
        (lambda: optimal_thermometer(3, np.inf), "`temperature` must be positive and finite"),
        (lambda: local_thermometry_bounds(np.eye(4), 1.0, (2, 3), 0), "`dims` must multiply"),
        (lambda: local_thermometry_bounds(np.eye(4), 1.0, (2, 2), 2), "`keep` must name"),
    ],
)
def test_misuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()
