"""Spectra of steady states against closed forms of damped systems, and the theorem of equilibrium that they break."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import response

LOWERING, RAISING = np.array([[0.0, 0], [1, 0]]), np.array([[0.0, 1], [0, 0]])
SX, SZ = np.array([[0.0, 1], [1, 0]]), np.diag([1.0, -1])
SPLITTING, BETA, RATE = 0.9, 1.4, 0.15


def thermal_qubit(splitting, beta, rate):
    n = 1 / jnp.expm1(beta * splitting)
    return jg.Lindbladian(splitting / 2 * jnp.asarray(SZ), [LOWERING, RAISING], rate * jnp.stack([n + 1, n]))


def line(w, splitting, beta, rate):
    """`<sigma_-(t) sigma_+> = p_down e^{-i W t - G |t| / 2}`, `G = rate (2 n + 1)`."""
    width = rate / jnp.tanh(beta * splitting / 2)
    return width / ((w - splitting) ** 2 + width**2 / 4) / (1 + jnp.exp(-beta * splitting))


spectrum = jax.jit(
    lambda w, splitting, beta, rate, a, b: response.steady_spectrum(thermal_qubit(splitting, beta, rate), a, b, w)
)
QUBIT = (SPLITTING, BETA, RATE)


@pytest.mark.slow
def test_line_of_a_damped_qubit_with_its_derivatives():
    for w in (0.3, SPLITTING):
        np.testing.assert_allclose(spectrum(w, *QUBIT, LOWERING, RAISING), line(w, *QUBIT), rtol=1e-12)
    everything = (0, 1, 2, 3)
    ours = jax.grad(lambda *p: spectrum(*p, LOWERING, RAISING).real, everything)(0.7, *QUBIT)
    np.testing.assert_allclose(ours, jax.grad(line, everything)(0.7, *QUBIT), rtol=1e-10)


def test_regression_breaks_the_theorem_off_the_peak_and_keeps_it_there():
    """The pair of lines is in the ratio `e^{-beta W}` at every frequency, where it should be `e^{-beta w}`."""
    w = jnp.array([0.2, SPLITTING, 1.6])
    forth = jax.vmap(lambda x: spectrum(x, *QUBIT, LOWERING, RAISING))(w)
    back = jax.vmap(lambda x: spectrum(-x, *QUBIT, RAISING, LOWERING))(w)
    violation = response.kms_violation(forth, back, w, BETA)
    np.testing.assert_allclose(violation, jnp.tanh(BETA * jnp.abs(w - SPLITTING) / 2), atol=1e-12)
    np.testing.assert_allclose(response.effective_beta(forth.real, back.real, w), BETA * SPLITTING / w, rtol=1e-11)


@pytest.mark.slow
def test_peaks_of_a_weakly_damped_system_are_thermal():
    """Of three levels in a bath each pair of lines obeys the theorem at its Bohr frequency, and their sum is the Gibbs state's."""
    h, a = np.diag([0.0, 0.7, 1.9]), np.array([[0.4, 1, 0.6], [1, -0.3, 0.8], [0.6, 0.8, 0.2]])
    generator = jg.davies(h, [(a, jg.OhmicBath(beta=BETA, strength=1e-4, cutoff=5.0))], lamb_shift=False)
    state = jg.gibbs_state(h, BETA)
    peaks = jnp.array([0.7, 1.2, 1.9])

    @jax.jit
    def at(w):
        return response.steady_spectrum(generator, a, a, w).real

    ratio = jax.vmap(at)(-peaks) / jax.vmap(at)(peaks)
    np.testing.assert_allclose(ratio, np.exp(-BETA * peaks), rtol=1e-3)  # tails of the other lines
    start = response.steady_correlation(generator, a, a, [0.0])[0]
    np.testing.assert_allclose(start, response.time_correlation(state, a, a, 0.0), rtol=1e-9)


def driven_qubit(rabi, rate):
    return jg.Lindbladian(rabi / 2 * SX, [LOWERING], [rate])


@pytest.mark.slow
def test_resonance_fluorescence_is_antibunched():
    """`g2(t) = 1 - e^{-3 G t / 4} (cos m t + (3 G / 4 m) sin m t)`, `m^2 = W^2 - G^2 / 16` (Carmichael & Walls 1976)."""
    rabi, rate, times = 2.0, 0.6, np.linspace(0.0, 6.0, 13)
    generator = driven_qubit(rabi, rate)
    excited = RAISING @ LOWERING
    pairs = response.steady_correlation(generator, excited, LOWERING, times, c=RAISING)
    mean = np.trace(excited @ jg.steady_state(generator).value).real
    m = np.sqrt(rabi**2 - rate**2 / 16)
    known = 1 - np.exp(-0.75 * rate * times) * (np.cos(m * times) + 0.75 * rate / m * np.sin(m * times))
    np.testing.assert_allclose(pairs / mean**2, known, atol=1e-10)
    later = response.steady_correlation(generator, excited, LOWERING, times[3:5], c=RAISING)
    np.testing.assert_allclose(later, pairs[3:5], atol=1e-10)


def test_spectrum_is_the_transform_of_the_correlation():
    generator = driven_qubit(1.1, 0.8)
    times = np.linspace(0.0, 60.0, 6001)
    w, a, b = 0.4, LOWERING, RAISING @ LOWERING
    rho = np.asarray(jg.steady_state(generator).value)
    means = np.trace(a @ rho) * np.trace(b @ rho)
    forth = np.asarray(response.steady_correlation(generator, a, b, times)) - means
    back = np.conj(response.steady_correlation(generator, b.T, a.T, times)) - means  # <A(-t) B>
    halves = [np.trapezoid(x * np.exp(s * 1j * w * times), times) for x, s in ((forth, 1), (back, -1))]
    np.testing.assert_allclose(response.steady_spectrum(generator, a, b, w), sum(halves), atol=2e-5)


@pytest.mark.slow
def test_response_at_rest_is_the_derivative_of_the_steady_state():
    def polarisation(f):
        return jnp.trace(SX @ jg.steady_state(jg.Lindbladian(0.4 * SZ - f * SX, [LOWERING], [0.3])).value).real

    value = response.steady_susceptibility(jg.Lindbladian(0.4 * SZ, [LOWERING], [0.3]), SX, SX, 0.0)
    np.testing.assert_allclose(value, jax.grad(polarisation)(0.0), rtol=1e-11)


def test_response_of_a_damped_qubit():
    """A Lorentzian pair: `tanh(beta W / 2)` times `1 / (W - w - i G / 2) + 1 / (W + w + i G / 2)`."""
    z = 0.5 + 0.5j * RATE / np.tanh(BETA * SPLITTING / 2)
    value = response.steady_susceptibility(thermal_qubit(*QUBIT), SX, SX, 0.5)
    known = np.tanh(BETA * SPLITTING / 2) * 2 * SPLITTING / (SPLITTING**2 - z**2)
    np.testing.assert_allclose(value, known, rtol=1e-12)


def test_refusals():
    generator = driven_qubit(1.0, 0.5)
    for function in (response.steady_spectrum, response.steady_susceptibility, response.steady_correlation):
        with pytest.raises(ValueError, match="must be a generator"):
            function(SZ, SZ, SZ, [0.0])
        with pytest.raises(ValueError, match="shape"):
            function(generator, np.eye(3), SZ, [0.0] if function is response.steady_correlation else 0.0)
    large = jg.Lindbladian(np.eye(33), [np.eye(33)])
    with pytest.raises(ValueError, match="at most 32"):
        response.steady_spectrum(large, np.eye(33), np.eye(33), 0.0)
    with pytest.raises(ValueError, match="ascend"):
        response.steady_correlation(generator, SZ, SZ, [-1.0, 0.0])
