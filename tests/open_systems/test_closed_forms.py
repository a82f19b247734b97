"""Steady states that are known in closed form, by every method that applies to them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs.open_systems import Dense, Krylov, Populations, Relaxation, SparseLU, quasi_free_steady_state

LOWERING, SX, SZ = np.array([[0.0, 0], [1, 0]]), np.array([[0.0, 1], [1, 0]]), np.diag([1.0, -1])
METHODS = {"dense": Dense(), "krylov": Krylov(), "relaxation": Relaxation(), "sparse-lu": SparseLU()}
# An iteration stops at eps^(3/4) = 2e-12 of the rate, which a gap down to a hundredth of the rate makes a distance of 2e-10.
TOLERANCE = 1e-9


def methods(*quick, populations=False):
    """Every method, all but the `quick` ones marked as slow."""
    found = METHODS | ({"populations": Populations()} if populations else {})
    return pytest.mark.parametrize(
        "method",
        [pytest.param(m, id=name, marks=[] if name in quick else pytest.mark.slow) for name, m in found.items()],
    )


def site(matrix, place, sites):
    return np.kron(np.kron(np.eye(2**place), matrix), np.eye(2 ** (sites - place - 1)))


def lowering(dim):
    return np.diag(np.sqrt(np.arange(1.0, dim)), 1)


def cavity(dim, parameters):
    """Detuning, drive, decay rate and the quanta of the bath."""
    detuning, drive, decay, quanta = parameters
    a = lowering(dim)
    hamiltonian = detuning * (a.T @ a) + drive * (a + a.T)
    return jg.Lindbladian(hamiltonian, [a, a.T], decay * jnp.stack([quanta + 1, quanta]))


def mean_quanta(parameters):
    """`|alpha|^2 + n`, `alpha = -i e / (k / 2 + i D)`: the thermal state, displaced."""
    detuning, drive, decay, quanta = parameters
    return drive**2 / (decay**2 / 4 + detuning**2) + quanta


@pytest.mark.slow
def test_a_driven_damped_cavity_is_in_a_coherent_state():
    dim, number = 14, np.arange(14)
    points = jnp.array([[0.7, 0.3, 1.1, 0.0], [-0.2, 0.2, 0.9, 0.0], [0.0, 0.1, 0.6, 0.0]])

    def found(point):
        rho = jg.steady_state(cavity(dim, point)).value
        return number @ jnp.diagonal(rho).real, rho

    (quanta, states), slopes = jax.jit(jax.vmap(jax.value_and_grad(found, has_aux=True)))(points)
    for point, rho in zip(points, states, strict=True):
        detuning, drive, decay, _ = np.asarray(point)
        alpha = -1j * drive / (decay / 2 + 1j * detuning)
        ket = np.cumprod(np.concatenate([[1.0], alpha / np.sqrt(number[1:])])) * np.exp(-(abs(alpha) ** 2) / 2)
        np.testing.assert_allclose(rho, np.outer(ket, ket.conj()), atol=TOLERANCE)
    np.testing.assert_allclose(quanta, jax.vmap(mean_quanta)(points), atol=TOLERANCE)
    np.testing.assert_allclose(slopes, jax.vmap(jax.grad(mean_quanta))(points), atol=100 * TOLERANCE)


@methods("sparse-lu", "populations", populations=True)
def test_a_cavity_takes_the_quanta_of_its_bath(method):
    """Cut off at 12 levels it still has detailed balance, so that its populations are a geometric series exactly."""
    dim, quanta = 12, 0.15
    solution = jg.steady_state(cavity(dim, jnp.array([1.3, 0.0, 0.4, quanta])), method)
    weights = (quanta / (quanta + 1)) ** np.arange(dim)
    np.testing.assert_allclose(solution.value, np.diag(weights / weights.sum()), atol=TOLERANCE)
    found = np.arange(dim) @ np.diag(solution.value).real
    np.testing.assert_allclose(found, quanta, atol=TOLERANCE + dim * weights[-1])


@methods()
def test_drive_and_bath_add_up_in_a_cavity(method):
    point = jnp.array([0.6, 0.25, 0.8, 0.1])
    rho = jg.steady_state(cavity(18, point), method).value
    alpha = -1j * point[1] / (point[2] / 2 + 1j * point[0])
    np.testing.assert_allclose(np.trace(lowering(18) @ rho), alpha, atol=10 * TOLERANCE)
    np.testing.assert_allclose(np.arange(18) @ np.diag(rho).real, mean_quanta(point), atol=10 * TOLERANCE)


def test_a_driven_cavity_has_coherences_that_populations_alone_do_not_see():
    solution = jg.steady_state(cavity(12, jnp.array([0.6, 0.25, 0.8, 0.1])), Populations(), throw=False)
    assert solution.result == jg.RESULTS.coherent


def bloch(parameters):
    """Detuning `D`, drive `O`, decay rate, quanta of the bath, and the rate of jumps `sigma_z`: the steady Bloch vector.

    `x' = -D y - g_2 x`, `y' = D x - O z - g_2 y`, `z' = O y - g_1 (z - z_0)`.
    """
    detuning, drive, decay, quanta, dephasing = parameters
    longitudinal = decay * (2 * quanta + 1)
    transverse = longitudinal / 2 + 2 * dephasing
    width = transverse**2 + detuning**2
    z = -decay / (longitudinal + drive**2 * transverse / width)
    return jnp.stack([drive * detuning * z / width, -drive * transverse * z / width, z])


@methods("dense")
def test_a_driven_qubit_in_a_bath_that_also_dephases_it(method):
    points = jnp.array([[0.4, 0.9, 0.5, 0.3, 0.1], [-1.2, 0.6, 0.8, 0.0, 0.0], [0.0, 2.5, 0.3, 1.4, 0.7]])

    def found(point):
        detuning, drive, decay, quanta, dephasing = point
        rates = jnp.stack([decay * (quanta + 1), decay * quanta, dephasing])
        generator = jg.Lindbladian(detuning / 2 * SZ + drive / 2 * SX, [LOWERING, LOWERING.T, SZ], rates)
        rho = jg.steady_state(generator, method).value
        return 2 * rho[0, 1].real, -2 * rho[0, 1].imag, (rho[0, 0] - rho[1, 1]).real

    np.testing.assert_allclose(
        jnp.stack(jax.jit(jax.vmap(found))(points), axis=1), jax.vmap(bloch)(points), atol=TOLERANCE
    )


@methods("sparse-lu", "populations", populations=True)
def test_a_ladder_with_a_rate_up_and_down_for_every_rung(method):
    """No current can flow along a ladder: each population is the one below times the ratio of the rates between them."""
    up, down = np.array([0.7, 0.2, 1.3, 0.05]), np.array([0.4, 0.9, 0.6, 1.1])
    jumps = [np.outer(np.eye(5)[k], np.eye(5)[k + 1]) for k in range(4)]
    levels = np.diag([0.0, 0.3, 1.1, 1.2, 2.9])
    generator = jg.Lindbladian(levels, jumps + [jump.T for jump in jumps], np.concatenate([down, up]))
    weights = np.cumprod(np.concatenate([[1.0], up / down]))
    rho = jg.steady_state(generator, method).value
    np.testing.assert_allclose(rho, np.diag(weights / weights.sum()), atol=TOLERANCE)


def test_an_xx_chain_between_two_reservoirs_is_free_fermions():
    """Occupations, coherences of neighbours, and `<n_i n_j> - <n_i> <n_j> = -|D_ij|^2` by Wick's theorem."""
    sites, couplings, fields = 4, np.array([1.3, 0.7, 0.9]), np.array([0.4, -0.1, 0.3, 0.8])
    losses, gains = np.array([0.5, 0.3]), np.array([0.2, 0.6])
    jumps = [site(LOWERING, k, sites) for k in (0, sites - 1)]
    rates = np.concatenate([losses, gains])
    chain = jg.Lindbladian(jg.models.xx_chain(sites, couplings, fields), jumps + [j.T for j in jumps], rates)
    rho = jg.steady_state(chain).value

    hopping = np.diag(couplings / 2, 1)
    ends = np.eye(sites)[[0, sites - 1]]
    free = quasi_free_steady_state(hopping + hopping.T - np.diag(fields), (ends, losses), (ends, gains)).value
    lower = [site(LOWERING, k, sites) for k in range(sites)]
    number = [a.T @ a for a in lower]
    for i in range(sites):
        np.testing.assert_allclose(np.trace(number[i] @ rho), free[i, i], atol=TOLERANCE)
        for j in range(i):
            pair = np.trace(number[i] @ number[j] @ rho)
            expected = (free[i, i] * free[j, j] - abs(free[i, j]) ** 2).real
            np.testing.assert_allclose(pair, expected, atol=TOLERANCE)
    for i in range(sites - 1):
        hop = np.trace(lower[i].T @ lower[i + 1] @ rho)
        assert abs(hop) > 1e-3
        np.testing.assert_allclose(hop, free[i + 1, i], atol=TOLERANCE)


@pytest.mark.parametrize("sites", [pytest.param(3, marks=pytest.mark.slow), 40])
def test_the_current_of_free_fermions_between_two_contacts_does_not_depend_on_the_length(sites):
    """`I = 2 G J^2 (f_L - f_R) / (4 J^2 + G^2)` with a level profile inside (Karevski & Platini 2009)."""
    rate, amplitude, left, right = 0.8, 0.6, 0.9, 0.25
    hopping = np.diag(np.full(sites - 1, amplitude), 1)
    ends, filled = np.eye(sites)[[0, sites - 1]], np.array([left, right])
    found = quasi_free_steady_state(hopping + hopping.T, (ends, rate * (1 - filled)), (ends, rate * filled)).value
    current = 2 * rate * amplitude**2 * (left - right) / (4 * amplitude**2 + rate**2)
    np.testing.assert_allclose(2 * amplitude * np.diag(found, 1).imag, current, atol=1e-12)
    occupations = np.diag(found).real
    np.testing.assert_allclose(occupations[1:-1], (left + right) / 2, atol=1e-12)
    ends_expected = [left - current / rate, right + current / rate]
    np.testing.assert_allclose(occupations[[0, -1]], ends_expected, atol=1e-12)
