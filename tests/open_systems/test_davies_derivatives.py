"""Derivatives of Davies generators and of their steady states, at fixed clustering: against finite differences and each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import derivatives_of, direction

SX, SZ = np.array([[0.0, 1], [1, 0]]), np.diag([1.0, -1])
HOT, COLD = jg.OhmicBath(0.7, 1e-4, 5.0), jg.OhmicBath(2.0, 2e-4, 3.0)
RNG = np.random.default_rng(11)
ANGLES, AXES = np.linalg.eigh(direction(RNG, 5, True))
OPERATORS = direction(RNG, 5, True), direction(RNG, 5, True)
STATE = direction(RNG, 5, True)
WEIGHT = direction(RNG, 5, True)


def turned(levels, t):
    """`e^{itK} diag(E(t)) e^{-itK}`."""
    turn = (AXES * jnp.exp(1j * t * ANGLES)) @ AXES.conj().T
    return (turn * levels) @ turn.conj().T


def moving(t):
    return turned(jnp.array([0.0, 0.3, 1.0, 1.9, 2.4]) + t * jnp.array([0.3, 0.1, -0.2, 0.4, 0.0]) ** 2, t)


def degenerate(t):
    return turned(jnp.array([0.0, 0.0, 1.0, 1.0, 2.4]) + (t + t**2) * jnp.array([0.1, 0.1, -0.2, -0.2, 0.4]), t)


def equidistant(t):
    return turned((1 + 0.3 * t + t**2) * jnp.arange(5.0), t)


def reading(hamiltonian, t):
    """A number that depends on all of the generator but the Lamb shift, which has the same frame and costs time to compile."""
    generator = jg.davies(hamiltonian, [(OPERATORS[0], jg.OhmicBath(0.7 + t, 1.0, 5.0))], lamb_shift=False)
    return jnp.sum(WEIGHT * generator(STATE)).real


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [moving, *(pytest.param(path, marks=pytest.mark.slow) for path in (degenerate, equidistant))]
)
def test_derivatives_in_forward_mode_are_those_of_finite_differences(path):
    value = jax.jit(lambda t: reading(path(t), t))
    _, first, second = jax.jit(derivatives_of(lambda t: reading(path(t), t), "ff"))(0.2)
    h = 1e-3  # errors h^4 of the differences, eps / h^2 of their rounding
    f = np.array([value(0.2 + k * h) for k in range(-2, 3)])
    np.testing.assert_allclose(first, (f[0] - 8 * f[1] + 8 * f[3] - f[4]) / (12 * h), rtol=1e-8)
    np.testing.assert_allclose(second, (-f[0] + 16 * f[1] - 30 * f[2] + 16 * f[3] - f[4]) / (12 * h**2), rtol=1e-6)


@pytest.mark.slow
def test_reverse_mode_agrees_with_forward_mode():
    def value(t):
        return reading(moving(t), t)

    expected = jax.jit(derivatives_of(value, "ff"))(0.2)
    np.testing.assert_allclose(jax.jit(derivatives_of(value, "rf"))(0.2), expected, rtol=1e-10)


def test_the_lamb_shift_has_derivatives():
    def value(t):
        generator = jg.davies(equidistant(t), [(OPERATORS[0], jg.OhmicBath(0.7 + t, 1.0, 5.0))])
        return jnp.sum(WEIGHT * generator.lamb_shift_matrix()).real

    single, h = jax.jit(value), 1e-3
    f = [single(0.2 + k * h) for k in (-2, -1, 1, 2)]
    slope = jax.jit(lambda t: jax.jvp(value, (t,), (1.0,))[1])(0.2)
    np.testing.assert_allclose(slope, (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h), rtol=1e-8)


@pytest.mark.slow
def test_couplings_of_an_operator_have_gradients_unless_they_split_a_cluster():
    """Two qubits: a common field keeps the degeneracy, a field on one of them does not."""
    first, second = np.kron(SZ, np.eye(2)), np.kron(np.eye(2), SZ)
    common, staggered = jg.operators.Dense(first + second), jg.operators.Dense(first - second)
    x = np.random.default_rng(2).normal(size=(4, 4))

    def value(fields):
        hamiltonian = fields[0] * common + fields[1] * staggered
        generator = jg.davies(hamiltonian, [(np.kron(SX, np.eye(2)) + np.kron(np.eye(2), SX), HOT)], lamb_shift=False)
        return jnp.sum(jnp.cos(np.arange(16.0)).reshape(4, 4) * generator(x)).real

    degenerate, generic = jnp.array([0.5, 0.0]), jnp.array([0.5, 0.17])
    gradient = jax.grad(value)(degenerate)
    h = 1e-5
    difference = (value(degenerate + h * np.eye(2)[0]) - value(degenerate - h * np.eye(2)[0])) / (2 * h)
    np.testing.assert_allclose(gradient[0], difference, rtol=1e-8)
    assert np.isnan(gradient[1])
    np.testing.assert_allclose(jax.jvp(value, (degenerate,), (jnp.array([1.0, 0.0]),))[1], difference, rtol=1e-8)
    assert np.isnan(jax.jvp(value, (degenerate,), (jnp.array([0.0, 1.0]),))[1])
    assert np.isnan(jax.jvp(value, (degenerate,), (jnp.array([1.0, 1.0]),))[1])
    assert np.all(np.isfinite(jax.grad(value)(generic)))


@pytest.mark.slow
def test_a_matrix_has_a_gradient_in_reverse_mode_only_where_nothing_splits():
    def value(matrix):
        generator = jg.davies(matrix, [(OPERATORS[0].real, HOT)], lamb_shift=False)
        return jnp.sum(WEIGHT.real * generator(STATE)).real

    generic, split = np.diag([0.0, 0.3, 1.0, 1.9, 2.4]), np.diag([0.0, 0.0, 1.0, 1.9, 2.4])
    gradient, tangent = jax.grad(value)(generic), direction(np.random.default_rng(1), 5)
    np.testing.assert_allclose(jnp.sum(gradient * tangent), jax.jvp(value, (generic,), (tangent,))[1], rtol=1e-10)
    assert np.all(np.isnan(np.diag(jax.grad(value)(split))))
    assert np.isnan(jax.jvp(value, (split,), (tangent,))[1])
    np.testing.assert_allclose(jax.jvp(value, (split,), (np.eye(5),))[1], 0, atol=1e-13)


@pytest.mark.slow
def test_unequal_shifts_of_one_frequency_are_refused_where_a_coupling_drives_it():
    """Levels 0, 1, 2 with a tilt: both gaps are driven by one operator, or only one of them is."""

    def slope(coupling, tilt):
        def value(t):
            generator = jg.davies(jnp.diag(jnp.array([0.0, 1.0, 2.0]) + t * jnp.array(tilt)), [(coupling, HOT)])
            return jnp.sum(generator(np.ones((3, 3)))).real

        return jax.jvp(value, (0.0,), (1.0,))[1]

    both, single = np.eye(3, k=1) + np.eye(3, k=-1), np.zeros((3, 3))
    single[0, 1] = single[1, 0] = 1.0
    assert np.isnan(slope(both, [0.0, 1.0, 0.0]))
    assert np.isfinite(slope(both, [0.0, 1.0, 2.0]))
    assert np.isfinite(slope(single, [0.0, 1.0, 0.0]))


@pytest.mark.slow
@pytest.mark.parametrize("modes", ["ff", "rf", "fr", "rr"])
def test_a_splitting_in_second_order_has_a_first_derivative_and_no_second(modes):
    """Two equal levels, of which a coupling of strength `t` to a third one pushes down the first, by `t^2`."""
    mixing = np.zeros((3, 3))
    mixing[0, 2] = mixing[2, 0] = 1.0
    levels, coupling = jg.operators.Dense(np.diag([0.0, 0.0, 1.0])), jg.operators.Dense(mixing)

    def value(t):
        generator = jg.davies(levels + t * coupling, [(OPERATORS[0][:3, :3], HOT)], lamb_shift=False)
        return jnp.sum(generator(STATE[:3, :3]) * WEIGHT[:3, :3]).real

    _, first, second = jax.jit(derivatives_of(value, modes))(0.0)
    np.testing.assert_allclose(first, jax.jvp(value, (0.0,), (1.0,))[1], rtol=1e-10)
    assert np.isnan(second)


def two_qubits(x):
    """Of fields, one common and one on one qubit alone, an exchange, a temperature and a strength: a steady state's reading."""
    common, one = (jg.operators.Dense(np.kron(SZ, np.eye(2)) + s * np.kron(np.eye(2), SZ)) for s in (1, 0))
    exchange = jg.operators.Dense(np.kron(SX, SX) + np.kron(SX @ SZ, SZ @ SX))
    hamiltonian = x[0] * common + x[1] * one + x[2] * exchange
    left, right = np.kron(SX, np.eye(2)), np.kron(np.eye(2), SX)
    baths = [(left + 0.5 * right, jg.OhmicBath(x[3], 1e-3 * x[4], 5.0)), (left - 0.3 * right, COLD)]
    state = jg.steady_state(jg.davies(hamiltonian, baths, lamb_shift=False)).value
    return jnp.sum(jnp.cos(jnp.arange(16.0)).reshape(4, 4) * state).real


@pytest.mark.slow
@pytest.mark.parametrize("hessian", [jax.hessian, lambda f: jax.jacrev(jax.grad(f))], ids=["forward", "reverse"])
@pytest.mark.parametrize("splits", [False, True])
def test_steady_states_have_second_derivatives_in_couplings_rates_and_temperatures(hessian, splits):
    """Against differences of gradients; without exchange and field on one qubit, both split the two levels of energy 0."""
    at, h = jnp.array([0.5, 0.0, 0.0, 0.7, 1.0] if splits else [0.5, 0.2, 0.3, 0.7, 1.0]), 1e-3
    value, gradient, found = jax.jit(two_qubits), jax.jit(jax.grad(two_qubits)), jax.jit(hessian(two_qubits))(at)

    def differences(function, k):
        near, far = (function(at + n * h * np.eye(5)[k]) - function(at - n * h * np.eye(5)[k]) for n in (1, 2))
        return (8 * near - far) / (12 * h)

    smooth = [0, 3, 4] if splits else list(range(5))
    np.testing.assert_array_equal(np.isnan(gradient(at)), [k not in smooth for k in range(5)])
    assert np.all(np.isnan(found) == np.array([[not {j, k} <= set(smooth) for j in range(5)] for k in range(5)]))
    for k in smooth:
        np.testing.assert_allclose(gradient(at)[k], differences(value, k), atol=1e-7)
        np.testing.assert_allclose(found[k], differences(gradient, k), atol=1e-7)
