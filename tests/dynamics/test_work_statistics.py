"""Work and exchanged heat against sums over projectors, closed forms of two qubits, and protocols run backwards."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import jaxgibbs as jg
from helpers import with_levels
from jaxgibbs import dynamics
from jaxgibbs.symmetry import complex_conjugation, spin_time_reversal

from .dissipative_systems import LOWERING, SX, SY, SZ, random_state

BETA = 0.7
rng = np.random.default_rng(5)
BEFORE = with_levels(rng, [-1.0, 0.3, 0.3, 1.1], True)
AFTER = with_levels(rng, [-0.6, -0.6, 0.2, 2.0], True)
UNITARY = scipy.linalg.expm(1j * with_levels(rng, [0.1, 1.0, 2.3, 4.0], True))


def thermal(h, beta):
    weights = scipy.linalg.expm(-beta * np.asarray(h))
    return weights / np.trace(weights)


def projectors(h):
    levels, vectors = np.linalg.eigh(h)
    for level in np.unique(levels.round(9)):
        chosen = vectors[:, np.abs(levels - level) < 1e-6]
        yield level, chosen @ chosen.conj().T


def by_projectors(h_i, h_f, evolve, rho):
    """Each pair of levels, its work and its probability."""
    for (e, p), (f, q) in itertools.product(projectors(h_i), projectors(h_f)):
        yield f - e, np.trace(q @ evolve(p @ rho @ p)).real


def by_unitary(x):
    return UNITARY @ x @ UNITARY.conj().T


@pytest.fixture(scope="module")
def work():
    return dynamics.work_measurement(BEFORE, AFTER, UNITARY, BETA)


@pytest.mark.slow
def test_the_distribution_is_that_of_projectors_also_of_degenerate_levels(work):
    pairs = list(by_projectors(BEFORE, AFTER, by_unitary, thermal(BEFORE, BETA)))
    values, weights = np.array(pairs).T
    statistics = work.statistics()
    mean = np.sum(weights * values)
    np.testing.assert_allclose([statistics.mean, work.mean], mean, atol=1e-13)
    for order in (2, 3):
        np.testing.assert_allclose(work.central_moment(order), np.sum(weights * (values - mean) ** order), atol=1e-12)
    np.testing.assert_allclose([work.variance, statistics.variance], work.central_moment(2), atol=1e-12)
    for u in (-2.0, 0.4):
        expected = np.sum(weights * np.exp(1j * u * values))
        np.testing.assert_allclose(work.characteristic_function(u), expected, atol=1e-13)
        np.testing.assert_allclose(statistics.characteristic_function(u), expected, atol=1e-13)
    for s in (-1.2, 0.4):
        np.testing.assert_allclose(work.log_average(s), np.log(np.sum(weights * np.exp(-s * values))), atol=1e-13)
    edges = np.linspace(-3, 4, 15)
    np.testing.assert_allclose(statistics.binned(edges), np.histogram(values, edges, weights=weights)[0], atol=1e-13)


@pytest.mark.parametrize("beta", [-0.9, 0.7, 300.0])
def test_jarzynski_and_the_second_law(beta):
    work = dynamics.work_measurement(BEFORE, AFTER, UNITARY, beta)
    difference = jg.log_partition(AFTER, beta) - jg.log_partition(BEFORE, beta)
    np.testing.assert_allclose(work.log_average(beta), difference, rtol=1e-12)
    np.testing.assert_allclose(work.free_energy_difference, -difference / beta, rtol=1e-13)
    if beta < 10:
        evolved = by_unitary(thermal(BEFORE, beta))
        distance = jg.information.relative_entropy(evolved, thermal(AFTER, beta))
        np.testing.assert_allclose(beta * work.dissipated_work, distance, rtol=1e-11)


def test_crooks_value_by_value(work):
    forward, backward = work.statistics(), work.reversed().statistics()
    np.testing.assert_allclose(backward.values, -forward.values.T, atol=1e-14)
    change = BETA * (forward.values - work.free_energy_difference)
    np.testing.assert_allclose(forward.probabilities, jnp.exp(change) * backward.probabilities.T, rtol=1e-9)
    # the mean of what this says is the dissipated work
    ratio = jnp.log(forward.probabilities / backward.probabilities.T)
    np.testing.assert_allclose(jnp.sum(forward.probabilities * ratio), BETA * work.dissipated_work, rtol=1e-11)


@pytest.mark.slow
def test_derivatives_are_exact_at_degeneracies():
    direction = with_levels(rng, [0.5, -0.2, 0.9, 1.4], True)

    @jax.jit
    def readings(x):
        moved = dynamics.work_measurement(BEFORE + x * direction, AFTER - x * direction, UNITARY, BETA + x)
        dissipated = (BETA + x) * moved.dissipated_work
        return jnp.stack([moved.mean, moved.variance, moved.log_average(0.3 + x), dissipated])

    step = 1e-4
    slope, curvature = jax.jacfwd(readings)(0.0), jax.jacfwd(jax.jacfwd(readings))(0.0)
    up, down, here = readings(step), readings(-step), readings(0.0)
    np.testing.assert_allclose(slope, (up - down) / (2 * step), atol=1e-6)
    np.testing.assert_allclose(curvature, (up + down - 2 * here) / step**2, atol=1e-5)
    assert jnp.isnan(
        jax.grad(lambda x: dynamics.work_measurement(x * BEFORE, AFTER, UNITARY, BETA).statistics().mean)(1.0)
    )


@pytest.mark.slow
def test_the_generating_function_has_the_cumulants_as_derivatives(work):
    generating = jax.grad(work.log_average)
    np.testing.assert_allclose(generating(0.0), -work.mean, atol=1e-13)
    np.testing.assert_allclose(jax.grad(generating)(0.0), work.variance, atol=1e-12)
    assert jnp.isnan(
        jax.grad(lambda x: dynamics.work_measurement(x * BEFORE, AFTER, UNITARY, BETA).statistics().mean)(1.0)
    )


def test_any_state_is_measured_first():
    rho = random_state(rng, 4)
    work = dynamics.work_measurement(BEFORE, AFTER, UNITARY, rho)
    values, weights = np.array(list(by_projectors(BEFORE, AFTER, by_unitary, rho))).T
    statistics = work.statistics()
    np.testing.assert_allclose([work.mean, statistics.mean], np.sum(weights * values), atol=1e-13)
    for u in (0.4, 1.9):
        expected = np.sum(weights * np.exp(1j * u * values))
        np.testing.assert_allclose(work.characteristic_function(u), expected, atol=1e-13)
        np.testing.assert_allclose(statistics.characteristic_function(u), expected, atol=1e-13)
    assert float(jnp.min(statistics.probabilities)) >= 0
    np.testing.assert_allclose(work.log_average(0.6), np.log(np.sum(weights * np.exp(-0.6 * values))), atol=1e-13)


def test_open_systems_obey_jarzynski_if_they_leave_the_identity_unchanged():
    def damped(x, share, operator):
        root = scipy.linalg.sqrtm(np.eye(2) - share * operator.conj().T @ operator)
        return root @ x @ root.conj().T + share * operator @ x @ operator.conj().T

    h_i, h_f = SZ / 2, SZ + 0.3 * SX
    difference = jg.log_partition(h_f, BETA) - jg.log_partition(h_i, BETA)
    unital = dynamics.work_measurement(h_i, h_f, lambda x: damped(x, 0.4, SX), BETA)
    np.testing.assert_allclose(unital.log_average(BETA), difference, rtol=1e-12)
    lossy = dynamics.work_measurement(h_i, h_f, lambda x: damped(x, 0.4, LOWERING), BETA)
    efficacy = np.trace(thermal(h_f, BETA) @ damped(np.eye(2), 0.4, LOWERING)).real
    np.testing.assert_allclose(lossy.log_average(BETA), difference + np.log(efficacy), rtol=1e-12)
    assert abs(np.log(efficacy)) > 0.01
    with pytest.raises(ValueError, match="must be a unitary matrix to be undone"):
        lossy.reversed()


def rotating(drive, t, w=1.3, split=0.8):
    """A spin in a rotating field."""
    return split / 2 * SZ + drive / 2 * (jnp.cos(w * t) * SX + jnp.sin(w * t) * SY)


def in_the_rotating_frame(drive, t, w=1.3, split=0.8):
    half = jnp.diag(jnp.exp(-0.5j * w * t * jnp.diag(SZ)))
    return half @ jax.scipy.linalg.expm(-0.5j * t * ((split - w) * SZ + drive * SX))


@pytest.mark.slow
def test_the_unitary_of_a_rotating_field():
    times = jnp.array([0.0, 0.7, 2.0])
    solution = dynamics.evolution_operator(lambda t: rotating(0.9, t), times)
    expected = jax.vmap(lambda t: in_the_rotating_frame(0.9, t))(times)
    assert np.all(np.linalg.norm(solution.value - expected, axis=(1, 2)) <= 2 * np.asarray(solution.error) + 1e-14)
    np.testing.assert_allclose(solution.value[-1].conj().T @ solution.value[-1], np.eye(2), atol=1e-13)

    with pytest.raises(RuntimeError, match="number of steps ran out"):
        dynamics.evolution_operator(lambda t: rotating(0.9, t), times, max_steps=4)
    still = dynamics.evolution_operator(SX, times).value
    np.testing.assert_allclose(still[1], scipy.linalg.expm(-0.7j * SX), atol=1e-14)


@pytest.mark.slow
def test_the_unitary_is_of_fourth_order_and_has_derivatives():
    times = jnp.array([0.0, 2.0])
    expected = in_the_rotating_frame(0.9, 2.0)

    def few(drive, steps):
        return dynamics.evolution_operator(lambda t: rotating(drive, t), times, max_steps=steps, throw=False)

    rough, finer = (few(0.9, n) for n in (4, 8))
    ratio = np.linalg.norm(rough.value[-1] - expected) / np.linalg.norm(finer.value[-1] - expected)
    assert 14 < ratio < 18
    slope = jax.jacrev(lambda x: few(x, 64).value[-1].real)(0.9)
    known = jax.jacfwd(lambda x: in_the_rotating_frame(x, 2.0).real)(0.9)
    np.testing.assert_allclose(slope, known, atol=1e-6)


@pytest.mark.slow
def test_a_protocol_run_backwards_makes_the_backward_process():
    def spin(t):
        return (0.4 + t) * SZ + 0.5 * SX + 0.3 * t**2 * SY

    duration = 1.1
    theta = spin_time_reversal([0.5])
    forward = dynamics.evolution_operator(spin, [0.0, duration], max_steps=8, throw=False).value[-1]
    protocol = dynamics.time_reversed(spin, duration, theta, fields_reversed=True)
    backward = dynamics.evolution_operator(protocol, [0.0, duration], max_steps=8, throw=False).value[-1]
    # at any number of steps
    np.testing.assert_allclose(backward, theta.transform(forward.conj().T), atol=1e-14)
    work = dynamics.work_measurement(spin(0.0), spin(duration), forward, BETA)
    undone = dynamics.work_measurement(protocol(0.0), protocol(duration), backward, BETA)
    np.testing.assert_allclose(undone.statistics().values, work.reversed().statistics().values, atol=1e-14)
    np.testing.assert_allclose(
        undone.statistics().probabilities, work.reversed().statistics().probabilities, atol=1e-13
    )
    # what is even needs no field reversed
    real = dynamics.time_reversed(lambda t: t * SZ + SX, 2.0, complex_conjugation(2))
    np.testing.assert_allclose(real(0.5), 1.5 * SZ + SX)
    with pytest.raises(ValueError, match=r"must be a symmetry .* pass `fields_reversed=True`"):
        dynamics.time_reversed(spin, duration, theta)
    with pytest.raises(ValueError, match="must be a symmetry"):
        dynamics.time_reversed(spin, duration)
    with pytest.raises(ValueError, match="`theta` must act on the space of dimension 2"):
        dynamics.time_reversed(spin, duration, complex_conjugation(3))


def partial_swap(angle):
    swap = np.eye(4)[[0, 2, 1, 3]]
    return scipy.linalg.expm(-1j * angle * swap)


def test_two_qubits_exchange_heat_as_jarzynski_and_wojcik_say():
    w, betas, angle = 1.4, jnp.array([0.5, 1.6]), 0.6
    exchange = dynamics.heat_exchange([w / 2 * SZ, w / 2 * SZ], partial_swap(angle), betas)
    assert float(exchange.conservation_defect) < 1e-14
    excited = 1 / (1 + np.exp(np.asarray(betas) * w))
    # body 0 takes a quantum where it is down, body 1 up, and they are swapped
    gain, loss = (np.sin(angle) ** 2 * (1 - a) * b for a, b in (excited, excited[::-1]))
    found = exchange.energy(0).binned([-1.5 * w, -0.5 * w, 0.5 * w, 1.5 * w])
    np.testing.assert_allclose(found, [loss, 1 - gain - loss, gain], atol=1e-14)
    np.testing.assert_allclose(gain / loss, np.exp((betas[0] - betas[1]) * w), rtol=1e-12)
    np.testing.assert_allclose(exchange.mean, [w * (gain - loss), w * (loss - gain)], atol=1e-14)
    np.testing.assert_allclose(exchange.work().variance, 0, atol=1e-14)
    slope = jax.grad(lambda b: dynamics.heat_exchange([w / 2 * SZ] * 2, partial_swap(angle), b).mean[0])(betas)
    np.testing.assert_allclose(
        slope[1], -(w**2) * np.sin(angle) ** 2 * np.prod([excited[1], 1 - excited[1]]), rtol=1e-12
    )


def test_the_integral_exchange_theorem_holds_for_every_unitary():
    bodies = [with_levels(rng, [0.0, 1.0, 1.0], True), SZ, 0.3 * SX]
    unitary = scipy.linalg.expm(1j * with_levels(rng, np.arange(12) ** 1.3, True))
    exchange = dynamics.heat_exchange(bodies, unitary, [0.4, 1.5, -0.3])
    assert float(exchange.conservation_defect) > 0.1
    np.testing.assert_allclose(exchange.log_average([0.4, 1.5, -0.3]), 0, atol=1e-12)
    production = exchange.entropy_production()
    np.testing.assert_allclose(production.log_average(1.0), 0, atol=1e-12)
    assert float(production.mean) > 0
    np.testing.assert_allclose([exchange.energy(k).mean for k in range(3)], exchange.mean, atol=1e-13)
    np.testing.assert_allclose(exchange.work().mean, jnp.sum(exchange.mean), atol=1e-13)


def test_samples_have_the_mean_of_the_distribution(work):
    statistics = work.statistics()
    values = statistics.sample(jax.random.key(0), 4000)
    assert abs(float(jnp.mean(values) - statistics.mean)) < 5 * float(jnp.sqrt(statistics.variance / 4000))


def test_what_is_refused(work):
    measure, bad = dynamics.work_measurement, pytest.raises
    with bad(ValueError, match="`final` must have the dimension 4"):
        measure(BEFORE, SZ, UNITARY, BETA)
    with bad(ValueError, match="`evolution` must have the shape"):
        measure(BEFORE, AFTER, np.eye(3), BETA)
    with bad(ValueError, match="`evolution` must be unitary"):
        measure(BEFORE, AFTER, 1.01 * UNITARY, BETA)
    for beta in (0.0, np.inf, np.nan):
        with bad(ValueError, match="must be a finite number and not 0"):
            measure(BEFORE, AFTER, UNITARY, beta)
    with bad(ValueError, match="`state` must be an inverse temperature or a state"):
        measure(BEFORE, AFTER, UNITARY, np.eye(3) / 3)
    given = measure(BEFORE, AFTER, UNITARY, np.eye(4) / 4)
    for name in ("free_energy_difference", "dissipated_work"):
        with bad(ValueError, match="must be thermal for `free_energy_difference`"):
            getattr(given, name)
    with bad(ValueError, match="must be thermal for `reversed`"):
        given.reversed()
    with bad(ValueError, match="`order` must not be negative"):
        work.central_moment(-1)
    with bad(ValueError, match="`s` must be finite"):
        work.log_average(np.inf)
    with bad(ValueError, match="at least two numbers"):
        work.statistics().binned([1.0])
    with bad(ValueError, match="strictly ascending"):
        work.statistics().binned([1.0, 0.0])
    with bad(ValueError, match="`max_steps` must be"):
        dynamics.evolution_operator(SX, [0.0, 1.0], max_steps=1)
    exchange = dynamics.heat_exchange
    with bad(ValueError, match="at least two bodies"):
        exchange([SZ], np.eye(2), [1.0])
    with bad(ValueError, match="one inverse temperature for each of the 2"):
        exchange([SZ, SZ], np.eye(4), [1.0])
    with bad(ValueError, match="`betas` must be finite"):
        exchange([SZ, SZ], np.eye(4), [1.0, np.inf])
    two = exchange([SZ, SZ], np.eye(4), [1.0, 2.0])
    with bad(ValueError, match="`body` must be one of"):
        two.energy(2)
    with bad(ValueError, match="`weights` must be one number for each"):
        two.log_average([1.0])
