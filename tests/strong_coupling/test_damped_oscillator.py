"""The damped oscillator against gamma functions at the roots of its cubic, and the free particle against its expansions."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from jaxgibbs.baths import AbstractBosonicBath, DrudeLorentzBath, OhmicBath, UnderdampedBath
from jaxgibbs.strong_coupling import damped_oscillator, damped_particle


def drude(beta, damping, cutoff, mass=1.0):
    return DrudeLorentzBath(beta, mass * damping * cutoff / 2, cutoff)


@jax.jit
def of(beta, frequency, damping, cutoff, mass):
    return damped_oscillator(frequency, drude(beta, damping, cutoff, mass), mass=mass)


def oscillator(beta, frequency, damping, cutoff, mass=1.0):
    return of(beta, frequency, damping, cutoff, mass)


@jax.jit
def particle(beta, damping, cutoff):
    return damped_particle(drude(beta, damping, cutoff))


def log_partition(beta, frequency, damping, cutoff):
    """`ln(beta w / 4 pi^2) + sum_i ln Gamma(l_i / v) - ln Gamma(w_D / v)`, `-l_i` the roots of the cubic."""
    step = 2 * mp.pi / beta
    cubic = [1, cutoff, frequency**2 + damping * cutoff, frequency**2 * cutoff]
    gammas = [mp.loggamma(-root / step) for root in mp.polyroots(cubic, maxsteps=300, extraprec=200)]
    return mp.re(mp.log(beta * frequency / (4 * mp.pi**2)) + mp.fsum(gammas) - mp.loggamma(cutoff / step))


def closed_form(beta, frequency, damping, cutoff):
    """`ln Z*`, `U*`, `S*`, `C*`, `<x^2>`, `<p^2>` for mass 1."""
    with mp.workdps(50):
        beta, w, g, c = map(mp.mpf, (beta, frequency, damping, cutoff))
        step = beta * mp.mpf(10) ** -10
        value = log_partition(beta, w, g, c)
        slope = mp.diff(lambda b: log_partition(b, w, g, c), beta, 1, h=step)
        curvature = mp.diff(lambda b: log_partition(b, w, g, c), beta, 2, h=step)
        roots = [-x for x in mp.polyroots([1, c, w**2 + g * c, w**2 * c], maxsteps=300, extraprec=200)]
        spacing = 2 * mp.pi / beta

        def summed(polynomial):
            parts = [
                polynomial(-x) / mp.fprod(y - x for y in roots if y != x) * mp.psi(0, 1 + x / spacing) for x in roots
            ]
            return -2 / beta * mp.re(mp.fsum(parts)) / spacing

        position = 1 / (beta * w**2) + summed(lambda z: z + c)
        momentum = 1 / beta + summed(lambda z: w**2 * (z + c) + z * g * c)
        return [float(x) for x in (value, -slope, value - beta * slope, beta**2 * curvature, position, momentum)]


@pytest.mark.parametrize(
    "parameters",
    [(0.01, 1.0, 0.5, 5.0), (1.3, 1.0, 0.5, 5.0), (1e3, 1.0, 4.0, 20.0), (1e6, 1.0, 2.0, 100.0), (30.0, 0.1, 5.0, 0.5)],
)
def test_every_function_is_that_of_the_gamma_functions(parameters):
    """Relative to each number, also to `S*` and `C*` of 2e-6 at `T = 1e-6`, where `ln Z*` is -2e6."""
    x = oscillator(*parameters)
    found = [x.log_partition, x.energy, x.entropy, x.heat_capacity, x.position_variance, x.momentum_variance]
    np.testing.assert_allclose(found, closed_form(*parameters), rtol=2e-13)
    np.testing.assert_allclose(x.free_energy, x.energy - x.entropy / x.beta, rtol=1e-14)


def test_where_roots_of_the_cubic_meet():
    """`(z + 1)^3 = z^3 + 3 z^2 + 3 z + 1`: `w_D = 3`, `w = 1 / sqrt 3`, `g = 8 / 9`. Derivatives are finite there as elsewhere."""
    place = (2.0, 3**-0.5, 8 / 9, 3.0)
    x = oscillator(*place)
    with mp.workdps(30):
        known = mp.log(2 * mp.mpf(3) ** -0.5 / (4 * mp.pi**2)) + 3 * mp.loggamma(1 / mp.pi) - mp.loggamma(3 / mp.pi)
    np.testing.assert_allclose(x.log_partition, float(known), rtol=2e-13)
    slopes = jax.jit(jax.grad(lambda p: oscillator(*p).heat_capacity))(jnp.array(place))
    for k in range(4):
        up, down = np.array(place), np.array(place)
        up[k], down[k] = up[k] + 1e-4, down[k] - 1e-4
        expected = (oscillator(*up).heat_capacity - oscillator(*down).heat_capacity) / 2e-4
        np.testing.assert_allclose(slopes[k], expected, rtol=1e-6, atol=1e-9)


def test_without_damping_it_is_an_oscillator():
    x, (beta, w, m) = oscillator(1.7, 0.8, 0.0, 5.0, 2.0), (1.7, 0.8, 2.0)
    coth = 1 / np.tanh(beta * w / 2)
    np.testing.assert_allclose(x.log_partition, -np.log(2 * np.sinh(beta * w / 2)), rtol=1e-14)
    np.testing.assert_allclose([x.position_variance, x.momentum_variance], [coth / (2 * m * w), coth * m * w / 2])
    np.testing.assert_allclose([x.effective_frequency, x.effective_mass], [w, m], rtol=1e-13)
    np.testing.assert_allclose(x.state_entropy, x.entropy, rtol=1e-13)


def test_the_state_is_the_gibbs_state_of_its_effective_oscillator():
    x, beta = oscillator(3.0, 1.0, 1.5, 8.0), 3.0
    frequency, mass = x.effective_frequency, x.effective_mass
    coth = 1 / np.tanh(beta * frequency / 2)
    np.testing.assert_allclose(x.position_variance, coth / (2 * mass * frequency), rtol=1e-13)
    np.testing.assert_allclose(x.momentum_variance, coth * mass * frequency / 2, rtol=1e-13)
    n = 1 / np.expm1(beta * frequency)
    np.testing.assert_allclose(x.state_entropy, (n + 1) * np.log(n + 1) - n * np.log(n), rtol=1e-13)
    assert x.position_variance < 1 / np.tanh(1.5) / 2 < x.momentum_variance  # damping measures the position


def test_heat_capacity_of_an_oscillator_is_not_negative_but_that_of_a_particle_is():
    """Modes of the whole interlace with those of the bath, and each holds less heat the faster it is. A free particle holds
    half of what a slow mode does.
    """
    temperatures = np.logspace(-4, 2, 13)
    for beta in 1 / temperatures:
        x = oscillator(beta, 0.3, 5.0, 0.2)
        assert x.heat_capacity > 0
        assert x.entropy > 0
    free = [particle(beta, 5.0, 0.2) for beta in 1 / temperatures]
    assert min(x.heat_capacity for x in free) < -0.25
    # (pi / 3)(1 / g - 1 / w_D) T at low temperature
    np.testing.assert_allclose(free[0].heat_capacity / temperatures[0], np.pi / 3 * (1 / 5 - 1 / 0.2), rtol=1e-4)
    hot = 1 / 2 - 1 / (12 * temperatures[-1] ** 2)  # less `beta^2 g w_D / 12` at high temperature
    np.testing.assert_allclose(free[-1].heat_capacity, hot, rtol=1e-4)
    np.testing.assert_allclose(free[-1].momentum_variance, temperatures[-1] * (1 + 1e-4 / 12), rtol=1e-7)
    assert np.isinf(free[-1].position_variance)


def test_a_slow_oscillator_is_a_free_particle_in_a_wide_potential():
    """`Z* -> Z*_free / unit length x sqrt(2 pi / (beta k))`."""
    x, free = oscillator(2.0, 1e-5, 0.7, 4.0), particle(2.0, 0.7, 4.0)
    np.testing.assert_allclose(x.log_partition, free.log_partition + np.log(2 * np.pi / (2.0 * 1e-10)) / 2, rtol=1e-9)
    np.testing.assert_allclose(x.momentum_variance, free.momentum_variance, rtol=1e-8)


def test_kernels_by_quadrature():
    """What baths without a closed form use, at the places that the sums ask for."""
    z = np.array([0.01, 1.0, 30.0])[:, None] * (1 + 1j * np.array([0.0, 0.5, 1.0]))
    for bath in (drude(1.0, 1.0, 5.0), UnderdampedBath(1.0, 0.7, 2.0, 0.05)):
        by_quadrature = AbstractBosonicBath.damping_kernel(bath, z)
        np.testing.assert_allclose(by_quadrature, bath.damping_kernel(z), rtol=2e-8)
    narrow = AbstractBosonicBath.reorganisation_energy(bath)
    np.testing.assert_allclose(narrow, bath.reorganisation_energy(), rtol=1e-13)
    ohmic = OhmicBath(1.0, 0.3, 4.0)
    np.testing.assert_allclose(ohmic.reorganisation_energy(), 0.3 * 4.0 / np.pi, rtol=1e-13)
    np.testing.assert_allclose(ohmic.damping_kernel(1e7) * 1e7, 2 * 0.3 * 4.0 / np.pi, rtol=1e-12)


def test_refusals():
    bath = drude(1.0, 1.0, 5.0)
    with pytest.raises(ValueError, match="`frequency` must be finite, a positive number"):
        damped_oscillator(0.0, bath)
    with pytest.raises(ValueError, match="`mass` must be finite, a positive number"):
        damped_particle(bath, mass=-1.0)
    with pytest.raises(ValueError, match="positive and finite"):
        damped_oscillator(1.0, drude(np.inf, 1.0, 5.0))
    assert np.isnan(oscillator(1.0, -1.0, 1.0, 5.0).energy)
