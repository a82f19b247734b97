"""Stationary distributions, several steady states, slow modes, mixing times and quasi-free steady states."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import direction
from jaxgibbs.open_systems import (
    Arnoldi,
    Dense,
    Krylov,
    quasi_free_steady_state,
    stationary_distribution,
    steady_states,
)

LOWERING, SZ = np.array([[0.0, 0], [1, 0]]), np.diag([1.0, -1])


def kernel_in_digits(rates):
    """The stationary distribution of a rate matrix, by elimination in 60 digits."""
    with mpmath.workdps(60):
        matrix = mpmath.matrix(rates.tolist())
        count = len(rates)
        for k in range(count):
            matrix[k, k] = -sum(matrix[i, k] for i in range(count) if i != k)
        for k in range(count):
            matrix[0, k] = 1
        p = mpmath.lu_solve(matrix, mpmath.matrix([1] + [0] * (count - 1)))
        return np.array([float(x) for x in p])


@pytest.mark.parametrize("decades", [0, 12, 40])
def test_a_stationary_distribution_has_relative_accuracy_over_all_magnitudes(decades):
    rng = np.random.default_rng(decades)
    rates = 10 ** rng.uniform(-decades / 2, decades / 2, (7, 7)) * (rng.uniform(size=(7, 7)) < 0.7)
    rates[np.arange(7), np.arange(7) - 1] += 1  # connected
    np.testing.assert_allclose(stationary_distribution(rates), kernel_in_digits(rates), rtol=1e-13)


@pytest.mark.slow
def test_derivatives_of_a_stationary_distribution():
    rates = np.random.default_rng(0).uniform(0.1, 1, (4, 4))
    change = np.random.default_rng(1).normal(size=(4, 4)) / 20

    def first(t):
        return stationary_distribution(jnp.asarray(rates) + t * change)[0]

    def exact(t):
        return kernel_in_digits(rates + t * change)[0]

    np.testing.assert_allclose(jax.grad(first)(0.0), (exact(1e-4) - exact(-1e-4)) / 2e-4, rtol=1e-6)
    curvature = (exact(1e-3) - 2 * exact(0) + exact(-1e-3)) / 1e-6
    np.testing.assert_allclose(jax.grad(jax.grad(first))(0.0), curvature, rtol=1e-4, atol=1e-7)


def test_absorbing_states_and_separate_classes():
    absorbing = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 2.0, 0.0]])
    np.testing.assert_array_equal(stationary_distribution(absorbing), [0.0, 0.0, 1.0])
    apart = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match="fall into 2 classes"):
        stationary_distribution(apart)
    assert np.all(np.isnan(jax.jit(stationary_distribution)(apart)))
    np.testing.assert_array_equal(stationary_distribution(np.zeros((1, 1))), [1.0])


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (np.ones((2, 3)), "must be a real square matrix"),
        ([[0.0, -1.0], [1.0, 0.0]], "must not be negative"),
        ([[0.0, np.inf], [1.0, 0.0]], "must be finite"),
    ],
)
def test_misuse_of_rates(rates, message):
    with pytest.raises(ValueError, match=message):
        stationary_distribution(rates)


def evolved(generator, rho, time):
    dim = generator.dim
    vector = jax.scipy.linalg.expm(np.asarray(generator.to_dense()) * time, max_squarings=30) @ rho.T.ravel()
    return vector.reshape(dim, dim).T


def test_several_steady_states_and_where_a_state_leads():
    jumps = [np.kron(SZ, np.eye(2)), np.kron(np.eye(2), LOWERING)]
    generator = jg.Lindbladian(np.kron(0.3 * SZ, np.eye(2)) + 0.1 * np.kron(SZ, SZ), jumps, [0.6, 0.9])
    found = steady_states(generator)
    assert found.count == 2
    assert found.frequencies.shape == (0,)
    overlaps = np.einsum("kij,lji->kl", found.conserved, found.basis)
    np.testing.assert_allclose(overlaps, np.eye(2), atol=1e-12)
    for k in range(2):
        np.testing.assert_allclose(generator(found.basis[k]), 0, atol=1e-12)
        np.testing.assert_allclose(generator.adjoint(found.conserved[k]), 0, atol=1e-12)
    state = direction(np.random.default_rng(5), 4, True)
    state = state @ state / np.trace(state @ state)
    limit = found.from_state(state)
    assert limit.result == jg.RESULTS.optimal
    np.testing.assert_allclose(limit.value, evolved(generator, state, 60.0), atol=1e-10)
    with pytest.raises(ValueError, match="`rho` must have shape"):
        found.from_state(np.eye(3))


def test_coherences_that_never_settle_are_named():
    jump = np.zeros((3, 3))
    jump[2, 0] = 1
    generator = jg.Lindbladian(np.diag([0.0, 0.4, 1.6]), [jump])  # levels 1 and 2 do not decay
    found = steady_states(generator)
    assert found.count == 2
    np.testing.assert_allclose(found.frequencies, [1.2], atol=1e-12)
    limit = found.from_state(np.full((3, 3), 1 / 3))
    assert limit.result == jg.RESULTS.oscillating
    np.testing.assert_allclose(limit.value, np.diag([0, 1 / 3, 2 / 3]), atol=1e-12)


def test_one_steady_state_is_one():
    found = steady_states(jg.Lindbladian(0.3 * SZ, [LOWERING], [0.5]))
    assert found.count == 1
    np.testing.assert_allclose(found.from_state(np.eye(2) / 2).value, np.diag([0.0, 1.0]), atol=1e-14)


def test_kernels_need_values_and_a_small_dimension():
    with pytest.raises(ValueError, match="must have values"):
        jax.jit(lambda r: steady_states(jg.Lindbladian(SZ, [LOWERING], r)).basis)(jnp.ones(1))
    with pytest.raises(ValueError, match="dimension of at most 32"):
        steady_states(jg.Lindbladian(np.eye(33), []))


def thermal(rate):
    """A qubit that loses at `rate` and gains at 0.3: rates `G = rate + 0.3`, `G / 2` with frequency 1."""
    return jg.Lindbladian(0.5 * SZ, [LOWERING, LOWERING.T], jnp.stack([jnp.asarray(rate), jnp.asarray(0.3)]))


@pytest.mark.slow
def test_slow_modes_of_a_qubit():
    found = jg.slow_modes(thermal(1.0), 3)
    expected = np.array([-0.65 - 1j, -0.65 + 1j, -1.3])
    np.testing.assert_allclose(np.sort_complex(np.asarray(found.eigenvalues)), np.sort_complex(expected), atol=1e-13)
    for k in range(3):
        np.testing.assert_allclose(thermal(1.0)(found.modes[k]), found.eigenvalues[k] * found.modes[k], atol=1e-13)
    gap, slope = jax.value_and_grad(lambda rate: jg.spectral_gap(thermal(rate)))(1.0)
    np.testing.assert_allclose([gap, slope], [0.65, 0.5], atol=1e-12)
    assert np.isnan(jax.grad(jax.grad(lambda rate: jg.spectral_gap(thermal(rate))))(1.0))


@pytest.mark.slow
def test_slow_modes_by_arnoldi():
    a = np.diag(np.sqrt(np.arange(1.0, 6)), 1)
    generator = jg.Lindbladian(a.T @ a + 0.3 * (a + a.T), [a, a.T], [1.0, 0.2])
    dense = jg.slow_modes(generator, 3, method=Dense())
    free = jg.slow_modes(generator, 3, method=Arnoldi(depth=24, solver=Krylov()))
    assert np.all(np.asarray(free.error) < 1e-3)
    np.testing.assert_allclose(jnp.sort(free.eigenvalues.real), jnp.sort(dense.eigenvalues.real), atol=1e-3)
    np.testing.assert_allclose(jg.spectral_gap(generator, method=Dense()), -dense.eigenvalues.real.max(), atol=1e-12)
    for method, count, message in ((Arnoldi(), 30, "`count` must lie"), (Krylov(), 1, "`method` must be")):
        with pytest.raises(ValueError, match=message):
            jg.slow_modes(generator, count, method=method)


@pytest.mark.slow
def test_the_mixing_time_of_a_qubit():
    """From the upper state the trace distance is `p e^{-1.3 t}`, with `p = 1 / 1.3` the lower population."""
    upper = np.diag([1.0, 0.0])
    for accuracy in (0.1, 1e-4):
        expected = np.log(1 / 1.3 / accuracy) / 1.3
        np.testing.assert_allclose(jg.mixing_time(thermal(1.0), upper, accuracy), expected, rtol=1e-10)
    assert jg.mixing_time(thermal(1.0), np.diag([0.3 / 1.3, 1 / 1.3]), 0.1) == 0
    assert np.isnan(jax.grad(lambda rate: jg.mixing_time(thermal(rate), upper, 0.1))(1.0))
    with pytest.raises(ValueError, match="`accuracy` must be positive"):
        jg.mixing_time(thermal(1.0), upper, 0.0)
    with pytest.raises(ValueError, match="`initial` must have shape"):
        jg.mixing_time(thermal(1.0), np.eye(3))
    with pytest.raises(ValueError, match="dimension of at most 32"):
        jg.mixing_time(jg.Lindbladian(np.eye(33), []), np.eye(33))


ONE_BODY = direction(np.random.default_rng(8), 3, True)
AMPLITUDES = np.random.default_rng(9).normal(size=(4, 3)) + 1j * np.random.default_rng(10).normal(size=(4, 3))


def quasi_free(rates):
    return quasi_free_steady_state(ONE_BODY, (AMPLITUDES[:2], rates[:2]), (AMPLITUDES[2:], rates[2:]))


def test_a_quasi_free_steady_state_is_that_of_the_whole_fock_space():
    z, lower, one = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [0.0, 0.0]]), np.eye(2)
    factors = [(lower, one, one), (z, lower, one), (z, z, lower)]
    c = [np.kron(np.kron(a, b), d) for a, b, d in factors]
    hamiltonian = sum(ONE_BODY[i, j] * c[i].T @ c[j] for i in range(3) for j in range(3))
    jumps = [sum(a * m for a, m in zip(row, c, strict=True)) for row in AMPLITUDES[:2]]
    jumps += [sum(a * m.T for a, m in zip(row, c, strict=True)) for row in AMPLITUDES[2:]]
    rates = jnp.array([0.3, 0.5, 0.2, 0.4])
    rho = jg.steady_state(jg.Lindbladian(hamiltonian, jumps, rates)).value
    expected = [[np.trace(c[j].T @ c[i] @ rho) for j in range(3)] for i in range(3)]
    solution = quasi_free(rates)
    np.testing.assert_allclose(solution.value, expected, atol=1e-12)
    assert float(solution.error) < 1e-13
    assert 0 <= solution.stats["smallest_occupation"] <= solution.stats["largest_occupation"] <= 1


@pytest.mark.slow
def test_derivatives_of_a_quasi_free_steady_state():
    rates = jnp.array([0.3, 0.5, 0.2, 0.4])

    def read(rates):
        value = quasi_free(rates).value
        return value[0, 1].imag + value[2, 2].real

    step = 1e-4 * jnp.eye(4)
    slope, curvature = jax.jit(jax.grad(read)), jax.hessian(read)(rates)
    np.testing.assert_allclose(slope(rates), [(read(rates + e) - read(rates - e)) / 2e-4 for e in step], atol=1e-7)
    expected = [(slope(rates + e) - slope(rates - e)) / 2e-4 for e in step]
    np.testing.assert_allclose(curvature, expected, atol=1e-6)
    np.testing.assert_allclose(jax.jacrev(jax.grad(read))(rates), curvature, atol=1e-11)


def test_misuse_of_quasi_free_steady_states():
    none = (np.zeros((0, 2)), np.zeros(0))
    with pytest.raises(RuntimeError, match="more than one steady state"):
        quasi_free_steady_state(np.diag([0.1, 0.2]), ([[1.0, 0.0]], [0.5]), none)
    with pytest.raises(ValueError, match="must be amplitudes of shape"):
        quasi_free_steady_state(np.eye(2), ([[1.0]], [0.5]), none)
    with pytest.raises(ValueError, match="must not be negative"):
        quasi_free_steady_state(np.eye(2), (np.eye(2), [0.5, -0.1]), none)
    paired = jg.operators.QuadraticFermions(np.eye(2), np.array([[0.0, 1], [-1, 0]]))
    with pytest.raises(ValueError, match="no pairing"):
        quasi_free_steady_state(paired, (np.eye(2), [0.5, 0.1]), none)


@pytest.mark.parametrize("slow", [1e-3, 1e-9])
def test_the_error_of_a_limit_knows_of_slow_modes(slow):
    """Two qubits in a pair of blocks that a weak jump joins, beside a third block, all turned by a random basis."""
    rng = np.random.default_rng(3)
    blocks, weak = np.zeros((2, 6, 6), complex), np.zeros((6, 6))
    for k in (0, 2, 4):
        blocks[:, k : k + 2, k : k + 2] = [direction(rng, 2, True), direction(rng, 2, True) + 1j * direction(rng, 2)]
    weak[0, 2] = weak[3, 0] = 1.0
    turn = np.linalg.qr(direction(rng, 6, True))[0]
    hamiltonian, jump, weak = (turn @ m @ turn.conj().T for m in (*blocks, weak))
    found = steady_states(jg.Lindbladian((hamiltonian + hamiltonian.conj().T) / 2, [jump, weak], [1.0, slow]))
    assert found.count == 2
    state = turn[:, :1] * 0.6 + turn[:, 4:5] * 0.8
    limit = found.from_state(state @ state.conj().T)
    inside = turn.conj().T @ limit.value @ turn
    wrong = abs(np.trace(inside[4:, 4:]).real - 0.64)
    assert wrong <= limit.error <= 1e-13 / slow
