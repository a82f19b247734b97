"""Superconductors in weak coupling, a bound on exact pairs, and the Gaussian state with the same gap."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs.equilibrium import bcs_critical_temperature, bcs_state, hartree_fock
from jaxgibbs.operators import QuadraticFermions

LEVELS = 4000
BAND = (np.arange(LEVELS) + 0.5) / LEVELS * 2 - 1  # from -1 to 1
WEAK = 0.25 * 2 / LEVELS  # N(0) g = 1/4


@pytest.mark.slow
def test_universal_ratios_of_weak_coupling():
    critical = float(bcs_critical_temperature(BAND, WEAK))
    gap = float(bcs_state(BAND, WEAK, 1e2 / critical).value.gap)
    np.testing.assert_allclose(gap, 1 / np.sinh(4), rtol=2e-8)  # of the integral, by the midpoint rule
    assert 2 * gap / critical == pytest.approx(2 * np.pi / np.exp(np.euler_gamma), rel=1e-3)  # 3.528
    heat = jax.jit(jax.vmap(lambda t: t * jax.grad(lambda t: bcs_state(BAND, WEAK, 1 / t).value.entropy)(t)))
    below, above = heat(critical * jnp.array([1 - 1e-6, 1 + 1e-6]))
    zeta = 1.2020569031595943
    assert float(below / above) - 1 == pytest.approx(12 / (7 * zeta), rel=2e-3)  # 1.426
    near = critical * (1 - 1e-4)
    slope = float(bcs_state(BAND, WEAK, 1 / near).value.gap) / (critical * 1e-2)
    assert slope == pytest.approx(np.pi * np.sqrt(8 / (7 * zeta)), rel=1e-3)  # 3.063 sqrt(1 - T / T_c)


@pytest.mark.slow
def test_gap_closes_at_the_critical_temperature():
    energies = np.array([-1.0, -0.2, 0.0, 0.4, 0.4])  # one at mu, two degenerate
    critical = float(bcs_critical_temperature(energies, 0.6, 0.1))
    for factor, paired in ((1 - 1e-9, True), (1 + 1e-9, False)):
        assert (float(bcs_state(energies, 0.6, 1 / (factor * critical), 0.1).value.gap) > 0) == paired
    assert float(bcs_critical_temperature([1.0, -1.0], 0.99)) == 0
    assert float(bcs_critical_temperature([1.0, -1.0], 1.01)) > 0
    # a level at mu pairs by itself: D = g / 2 and T_c = g / 4
    assert float(bcs_critical_temperature([0.3], 0.8, 0.3)) == pytest.approx(0.2, rel=1e-14)
    assert float(bcs_state([0.3], 0.8, 1e6, 0.3).value.gap) == pytest.approx(0.4, rel=1e-12)


@functools.cache
def annihilators(modes):
    lower, parity = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([1.0, -1.0])
    parts = [[parity] * k + [lower] + [np.eye(2)] * (modes - k - 1) for k in range(modes)]
    return [functools.reduce(np.kron, part) for part in parts]


@pytest.mark.parametrize("beta", [0.7, 3.0, 30.0])
def test_bound_and_the_gaussian_state_with_this_gap(beta):
    energies, g, mu = np.array([-0.5, 0.1, 0.6]), 0.8, 0.05
    state = bcs_state(energies, g, beta, mu).value
    c = annihilators(6)
    pair = sum(c[3 + k] @ c[k] for k in range(3))
    number = sum((e - mu) * c[k + s].T @ c[k + s] for k, e in enumerate(energies) for s in (0, 3))
    assert float(state.free_energy) >= float(jg.free_energy(number - g * pair.T @ pair, beta)) - 1e-12
    x, gap = energies - mu, float(state.gap)
    assert (gap > 0) == (beta > 1)
    zero = np.zeros((3, 3))
    mean_field = QuadraticFermions(np.diag(np.tile(x, 2)), gap * np.block([[zero, np.eye(3)], [-np.eye(3), zero]]))
    gaussian = jg.gibbs_state(mean_field, beta)
    np.testing.assert_allclose(state.free_energy, gaussian.free_energy + gap**2 / g, rtol=1e-12)
    np.testing.assert_allclose(state.energy, gaussian.energy + gap**2 / g, rtol=1e-12)
    np.testing.assert_allclose(state.entropy, gaussian.entropy, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(state.particles, jnp.trace(gaussian.correlation_matrix()), rtol=1e-12)
    np.testing.assert_allclose(g * jnp.trace(gaussian.pairing_matrix()[:3, 3:]), gap, rtol=1e-11, atol=1e-14)
    modes = jg.thermal_spectrum(mean_field).mode_energies()
    np.testing.assert_allclose(modes, np.sort(np.repeat(state.quasiparticle_energies, 2)), rtol=1e-12)


@pytest.mark.slow
def test_attraction_on_two_sites_is_that_of_hartree_fock_and_bogoliubov():
    # at half filling a site has `Delta = U <c_down c_up>`: the gap equation of the bands -+t with g = U / 2
    two = np.zeros((2, 2, 2, 2))
    two[0, 0, 0, 0] = two[1, 1, 1, 1] = -4.0
    one = np.array([[0.0, -1.0], [-1.0, 0.0]])
    general = hartree_fock(one, two, 2.0, 0.0, -2.0, pairing=True).value
    gap = float(bcs_state([-1.0, 1.0], 2.0, 2.0).value.gap)
    x = np.sort(np.abs(np.asarray(general.mode_energies)))
    np.testing.assert_allclose(x, np.sqrt(1 + gap**2), rtol=1e-11)


def test_derivatives_are_those_of_thermodynamics():
    energies = jnp.array([-0.5, 0.05, 0.05, 0.6])

    def solve(beta, mu, g, e):
        return bcs_state(e, g, beta, mu).value

    point = (jnp.asarray(4.0), jnp.asarray(0.05), jnp.asarray(0.6), energies)
    state = solve(*point)
    assert float(state.gap) > 0.3
    beta, mu, g, levels = jax.grad(lambda *p: solve(*p).free_energy, argnums=(0, 1, 2, 3))(*point)
    np.testing.assert_allclose(beta * point[0] ** 2, state.entropy, rtol=1e-12)
    np.testing.assert_allclose(-mu, state.particles, rtol=1e-12)
    np.testing.assert_allclose(-g, (state.gap / 0.6) ** 2, rtol=1e-12)  # <B^+><B>
    np.testing.assert_allclose(jnp.sum(levels), state.particles, rtol=1e-12)
    slope = jax.jit(jax.grad(lambda b: solve(b, *point[1:]).gap))(point[0])
    step = 1e-5
    difference = (solve(4 + step, *point[1:]).gap - solve(4 - step, *point[1:]).gap) / (2 * step)
    np.testing.assert_allclose(slope, difference, rtol=1e-6)


def test_bad_input_is_named():
    for match, arguments in (
        ("`energies` must be a real vector", (1.0, 1.0, 1.0)),
        ("`energies` must be finite", ([np.nan], 1.0, 1.0)),
        ("`coupling` must be positive", ([1.0], -1.0, 1.0)),
        ("`coupling` must be a real scalar", ([1.0], [1.0], 1.0)),
        ("`beta` must be positive", ([1.0], 1.0, np.inf)),
    ):
        with pytest.raises(ValueError, match=match):
            bcs_state(*arguments)
    gaps = jax.jit(jax.vmap(lambda g: bcs_state([0.0], g, 100.0).value.gap))(jnp.array([0.8, -1.0]))
    np.testing.assert_allclose(gaps, [0.4, np.nan], rtol=1e-12)
