"""States along time against closed forms, dense exponentials and one another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import jaxgibbs as jg
from helpers import direction
from jaxgibbs.dynamics import Propagator, RungeKutta, Taylor

from .dissipative_systems import LOWERING, SX, SY, SZ, bose, qubit, random_state

TIMES = np.array([0.0, 0.2, 0.5, 0.5, 3.0])
PLUS = np.full((2, 2), 0.5)
METHODS = (Propagator(), Taylor(), RungeKutta())
W, BETA = 1.3, 0.9


def relaxed(rate, times):
    """A qubit from `|+>`: `T_1 = 1 / G`, `T_2 = 2 / G`, `G = rate (2 n + 1)`."""
    n = bose(BETA, W)
    total, rest = rate * (2 * n + 1), n / (2 * n + 1)
    excited = rest + (0.5 - rest) * jnp.exp(-total * times)
    coherence = 0.5 * jnp.exp(-1j * W * times - total * times / 2)
    return excited, coherence


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_relaxation_and_dephasing_of_a_qubit(method):
    solution = jg.evolve(qubit(W, [0.4], [BETA]), PLUS, TIMES, method=method)
    excited, coherence = relaxed(0.4, TIMES)
    found = np.abs(solution.value[:, 0, 0] - excited) + np.sqrt(2) * np.abs(solution.value[:, 0, 1] - coherence)
    assert np.all(found <= 2 * solution.error + 1e-15)
    assert np.all(solution.error < 1e-7)
    np.testing.assert_allclose(solution.value, solution.value.conj().swapaxes(1, 2), atol=0)
    assert solution.stats["trace_defect"] < 1e-14
    assert solution.result == jg.RESULTS.optimal
    assert solution.stats["lowest_eigenvalue"] > 0.2


def test_automatic_choice():
    small, large = jg.Lindbladian(np.eye(4), []), jg.Lindbladian(np.eye(5), [])
    from jaxgibbs.dynamics.evolve import chosen_method

    assert isinstance(chosen_method(jg.Auto(), small.dim, False), Propagator)
    assert isinstance(chosen_method(jg.Auto(), large.dim, False), Taylor)
    assert isinstance(chosen_method(jg.Auto(), small.dim, True), RungeKutta)


def test_a_damped_oscillator():
    # from any state of a truncated oscillator at zero temperature: <a> = e^{-(i w + k / 2) t}, <n> = e^{-k t}
    dim, w, k = 6, 1.1, 0.3
    a = np.diag(np.sqrt(np.arange(1.0, dim)), 1)
    rho = random_state(np.random.default_rng(0), dim)
    times = np.linspace(0, 4, 5)
    states = jg.evolve(jg.Lindbladian(w * a.T @ a, [a], [k]), rho, times).value
    amplitude, number = (np.einsum("ij,tji->t", m, states) for m in (a, a.T @ a))
    np.testing.assert_allclose(amplitude, amplitude[0] * np.exp(-(1j * w + k / 2) * times), atol=1e-13)
    np.testing.assert_allclose(number, number[0] * np.exp(-k * times), atol=1e-13)


def general(rng, dim):
    jumps = [rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim)) for _ in range(2)]
    return jg.Lindbladian(3 * direction(rng, dim, True), jumps, [0.2, 0.1])


@pytest.mark.slow
def test_general_jumps_and_uneven_times_against_dense_exponentials():
    rng = np.random.default_rng(4)
    generator, rho = general(rng, 5), random_state(rng, 5, 1)
    times = np.concatenate([[1.0], 1 + np.geomspace(1e-3, 20, 12)])
    matrix = np.asarray(generator.to_dense())
    start = rho.T.ravel()
    expected = np.stack([(scipy.linalg.expm(matrix * (t - 1)) @ start).reshape(5, 5).T for t in times])
    for method in (Taylor(), Propagator()):
        solution = jg.evolve(generator, rho, times, method=method)
        distance = np.linalg.norm(solution.value - expected, axis=(1, 2))
        assert np.all(distance <= solution.error + 1e-14)
    loose = jg.evolve(generator, rho, times, method=Taylor(tolerance=1e-4, degree=8))
    distance = np.linalg.norm(loose.value - expected, axis=(1, 2))
    assert np.all(distance <= loose.error + 1e-14)
    assert np.max(distance) > 1e-8  # a tolerance is used


def test_evolutions_compose():
    generator, rho = qubit(W, [0.4, 0.1], [BETA, 0.2]), random_state(np.random.default_rng(1), 2)
    whole = jg.evolve(generator, rho, [0.0, 0.7, 2.0]).value
    half = jg.evolve(generator, whole[1], [0.7, 2.0]).value
    np.testing.assert_allclose(half[1], whole[2], atol=1e-14)
    np.testing.assert_allclose(jg.evolve(generator, rho, [3.0]).value[0], rho, atol=1e-15)


def test_very_long_times():
    n = bose(BETA, W)
    for span in (1e6, 1e15):
        states = jg.evolve(qubit(W, [0.4], [BETA]), PLUS, [0.0, span])
        assert np.all(np.abs(states.value[1] - np.diag([n, n + 1]) / (2 * n + 1)) <= states.error[1])


def rotating(detuning, rabi):
    def at(t):
        x, y = jnp.cos((W + detuning) * t), jnp.sin((W + detuning) * t)
        return jg.Lindbladian(W / 2 * jnp.asarray(SZ) + rabi / 2 * (x * SX + y * SY), [])

    return at


@pytest.mark.slow
def test_rabi_oscillations_in_a_rotating_field():
    times, detuning, rabi = np.linspace(0, 9, 4), 0.4, 0.7
    solution = jg.evolve(rotating(detuning, rabi), np.diag([0.0, 1.0]), times)
    frequency = np.hypot(detuning, rabi)
    expected = (rabi / frequency * np.sin(frequency * times / 2)) ** 2
    assert np.all(np.abs(solution.value[:, 0, 0] - expected) <= solution.error + 1e-15)


@pytest.mark.slow
def test_landau_and_zener():
    # (Landau 1932; Zener 1932): H = [[v t / 2, D], [D, -v t / 2]] stays in its diabatic state with exp(-2 pi D^2 / v)
    v, gap, end = 2.0, 0.4, 60.0

    def sweep(t):
        return jg.Lindbladian(v * t / 2 * jnp.asarray(SZ) + gap * jnp.asarray(SX), [])

    solution = jg.evolve(sweep, np.diag([1.0, 0]), [-end, end], method=RungeKutta(max_steps=40_000))
    away = 4 * gap / (v * end)  # admixture of the other state at either end
    np.testing.assert_allclose(solution.value[1, 0, 0], np.exp(-2 * np.pi * gap**2 / v), atol=away)


@pytest.mark.slow
@pytest.mark.parametrize("method", [Propagator(), Taylor(max_steps=16)], ids=lambda m: type(m).__name__)
def test_derivatives_of_every_kind(method):
    def excited(rate, times):
        return jg.evolve(qubit(W, [rate], [BETA]), PLUS, times, method=method).value[:, 0, 0].real

    def exact(rate, times):  # the time since the first
        return relaxed(rate, times - times[0])[0]

    weights = jnp.arange(1.0, len(TIMES) + 1)
    at = (0.4, jnp.asarray(TIMES))

    def total(function):
        return lambda rate, times: weights @ function(rate, times)

    found = jax.jit(jax.value_and_grad(total(excited), (0, 1)))(*at)
    expected = jax.value_and_grad(total(exact), (0, 1))(*at)
    jax.tree_util.tree_map(lambda mine, theirs: np.testing.assert_allclose(mine, theirs, atol=1e-9), found, expected)
    second = jax.jit(jax.jvp, static_argnums=0)(jax.grad(total(excited)), at, (1.0, jnp.zeros(len(TIMES))))[1]
    np.testing.assert_allclose(second, jax.grad(jax.grad(total(exact)))(*at), atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("forward", [False, True])
def test_derivatives_by_runge_kutta(forward):
    method = RungeKutta(forward=forward, max_steps=256)

    def excited(rate):
        return jg.evolve(lambda t: qubit(W, [rate], [BETA]), PLUS, [0.0, 1.0], method=method).value[1, 0, 0].real

    slope = jax.jvp(excited, (0.4,), (1.0,))[1] if forward else jax.grad(excited)(0.4)
    np.testing.assert_allclose(slope, jax.grad(lambda r: relaxed(r, 1.0)[0])(0.4), atol=1e-7)


@pytest.mark.slow
def test_derivative_in_the_initial_state_is_the_adjoint_evolution():
    rng = np.random.default_rng(2)
    generator, rho, observable = general(rng, 5), random_state(rng, 5), direction(rng, 5, True)

    def mean(rho):
        states = jg.evolve(generator, rho, [0.0, 0.8], method=Taylor(max_steps=16)).value
        return jnp.trace(observable @ states[1]).real

    gradient = jax.jit(jg.operators.hermitian_gradient(mean))(rho)
    backwards = scipy.linalg.expm(np.asarray(generator.to_dense()) * 0.8).conj().T @ observable.T.ravel()
    np.testing.assert_allclose(gradient, backwards.reshape(5, 5).T, atol=1e-9)


@pytest.mark.parametrize("method", [Propagator(), Taylor()], ids=lambda m: type(m).__name__)
def test_a_batch_of_rates_and_states(method):
    states = np.stack([random_state(np.random.default_rng(k), 2) for k in range(3)])
    rates = np.array([0.1, 0.4, 5.0])

    def last(rate, rho):
        return jg.evolve(qubit(W, [rate], [BETA]), rho, TIMES, method=method).value[-1]

    batch = jax.jit(jax.vmap(last))(rates, states)
    for k in range(3):
        np.testing.assert_allclose(batch[k], last(rates[k], states[k]), atol=1e-10)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_single_precision(method):
    w = np.float32(W)
    generator = jg.Lindbladian((w / 2 * SZ).astype(np.complex64), [LOWERING.astype(np.float32)], [np.float32(0.4)])
    rho, times = PLUS.astype(np.complex64), TIMES.astype(np.float32)
    solution = jg.evolve(generator, rho, times, method=method)
    assert solution.value.dtype == np.complex64
    assert solution.error.dtype == np.float32
    np.testing.assert_allclose(
        solution.value[:, 0, 0], 0.5 * np.exp(-0.4 * TIMES), atol=float(solution.error[-1]) + 1e-6
    )
    assert solution.error[-1] < 1e-2


@pytest.mark.slow
def test_a_unit_of_time_that_overflows_is_made_smaller():
    # slow in the beginning, fast in what is small: powers of 300 exceed what single precision holds
    generator = jg.Lindbladian(np.diag([0.0, 300.0]).astype(np.complex64), [])
    rho = np.array([[1, 2e-3], [2e-3, 0]], np.complex64)
    solution = jg.evolve(generator, rho, np.float32([0, 1]), method=Taylor(tolerance=1e-6, degree=60))
    assert abs(solution.value[1, 0, 1] - 2e-3 * np.exp(300j)) < solution.error[1] < 3e-4


@pytest.mark.slow
def test_out_of_steps():
    generator = general(np.random.default_rng(4), 5)
    rho = random_state(np.random.default_rng(5), 5)
    with pytest.raises(RuntimeError, match="max_steps"):
        jg.evolve(generator, rho, [0.0, 0.01, 500.0], method=Taylor(max_steps=3))
    part = jg.evolve(generator, rho, [0.0, 0.01, 500.0], method=Taylor(max_steps=3), throw=False)
    assert part.result == jg.RESULTS.max_steps_reached
    assert np.all(np.isfinite(part.value[:2]))
    assert np.all(np.isnan(part.value[2]))
    assert np.isinf(part.error[2])
    value = jax.jit(lambda g: jg.evolve(g, rho, [0.0, 0.01, 500.0], method=Taylor(max_steps=3)).value)(generator)
    assert np.all(np.isnan(value))
    with pytest.raises(RuntimeError, match="max_steps"):
        jg.evolve(qubit(W, [0.4], [BETA]), PLUS, [0.0, 50.0], method=RungeKutta(max_steps=3))


@pytest.mark.parametrize("method", [Propagator(), Taylor()], ids=lambda m: type(m).__name__)
def test_what_is_not_finite_or_not_ascending_under_a_trace_is_nan(method):
    evolved = jax.jit(lambda rho, times: jg.evolve(qubit(W, [0.4], [BETA]), rho, times, method=method, throw=False))
    for rho, times in ((np.full((2, 2), np.nan), TIMES[:3]), (PLUS, TIMES[2::-1]), (SX + 1j * SX, TIMES[:3])):
        solution = evolved(rho + 0j, times)
        assert np.all(np.isnan(solution.value[1:]))
        assert solution.result == jg.RESULTS.nonfinite


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rho": np.eye(3)}, "`rho` must have shape"),
        ({"rho": SX + 1j * SX}, "`rho` must be Hermitian"),
        ({"times": [0.0, 1.0, 0.5]}, "must ascend"),
        ({"times": 1.0}, "must be a list"),
        ({"times": [0.0, np.inf]}, "must be finite"),
        ({"generator": np.eye(4)}, "`generator` must be"),
        ({"generator": lambda t: t * np.eye(2)}, "must return a generator"),
        ({"method": "Taylor"}, "`method` must be"),
        ({"generator": rotating(0.1, 0.2), "method": Taylor()}, "evolved by `RungeKutta"),
    ],
)
def test_misuse(change, message):
    arguments = {"generator": qubit(W, [0.4], [BETA]), "rho": PLUS, "times": TIMES, "method": jg.Auto()} | change
    method = arguments.pop("method")
    with pytest.raises(ValueError, match=message):
        jg.evolve(*arguments.values(), method=method)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (lambda: Taylor(tolerance=2.0), "between 0 and 1"),
        (lambda: Taylor(degree=1), "at least 2"),
        (lambda: Taylor(degree=0), "positive whole"),
        (lambda: Taylor(max_steps=0), "positive whole"),
        (lambda: RungeKutta(relative=-1e-3), "between 0 and 1"),
        (lambda: RungeKutta(max_steps=1.5), "positive whole"),
    ],
)
def test_misuse_of_the_methods(method, message):
    with pytest.raises(ValueError, match=message):
        method()
