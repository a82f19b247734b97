"""States and entropies of given energy against sums over levels, limits, and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

import jaxgibbs as jg
from helpers import direction, with_levels
from jaxgibbs.ensembles import boltzmann_entropy, gaussian_state, microcanonical_beta, volume_entropy, window_state
from jaxgibbs.operators import LadderTail, Spectrum

RNG = np.random.default_rng(5)
EPS = np.finfo(float).eps
LEVELS = np.array([-1.0, -0.3, 0.2, 0.2, 0.9])
H = with_levels(RNG, LEVELS, True)
MOVE, A = direction(RNG, 5, True), direction(RNG, 5, True)
VALUES, VECTORS = np.linalg.eigh(H)
window, gaussian = jax.jit(window_state), jax.jit(gaussian_state)


def weighted(p, matrix):
    return np.trace((VECTORS * p) @ VECTORS.conj().T @ matrix).real


def test_window_is_the_uniform_mixture_of_its_levels():
    state = window(H, 0.0, 0.7)
    inside = np.abs(VALUES) <= 0.35
    assert inside.sum() == 3
    np.testing.assert_allclose(state.entropy, np.log(3), rtol=4 * EPS)
    np.testing.assert_allclose(state.energy, 0.1 / 3, atol=20 * EPS)
    np.testing.assert_allclose(state.expectation(A), weighted(inside / 3, A), atol=50 * EPS)
    np.testing.assert_allclose(state.density_matrix(), (VECTORS * inside) @ VECTORS.conj().T / 3, atol=20 * EPS)
    whole = window(H, 0.0, 10.0)
    np.testing.assert_allclose(whole.density_matrix(), np.eye(5) / 5, atol=20 * EPS)


def test_gaussian_is_its_formula_and_ends_in_limits():
    p = np.exp(-((VALUES - 0.1) ** 2) / (2 * 0.4**2))
    p = p / p.sum()
    state = gaussian(H, 0.1, 0.4)
    np.testing.assert_allclose(state.entropy, -np.sum(p * np.log(p)), rtol=50 * EPS)
    np.testing.assert_allclose(state.energy, p @ VALUES, rtol=100 * EPS)
    np.testing.assert_allclose(state.expectation(A), weighted(p, A), atol=100 * EPS)
    np.testing.assert_allclose(gaussian(H, 0.1, 1e9).entropy, np.log(5), rtol=10 * EPS)
    np.testing.assert_allclose(gaussian(H, -40.0, 0.1).energy, -1.0, rtol=1e-12)  # every weight underflows
    # E = -beta s^2 and s -> infinity is the canonical ensemble
    beta, wide = 1.3, 3e4
    canonical = jg.gibbs_state(H, beta)
    np.testing.assert_allclose(gaussian(H, -beta * wide**2, wide).energy, canonical.energy, rtol=1e-5)


@pytest.mark.slow
def test_spectra_are_their_matrices():
    grouped = Spectrum([-1.0, -0.3, 0.2, 0.9], np.log([1.0, 1.0, 2.0, 1.0]))
    for make in (window_state, gaussian_state):
        of_levels, of_matrix = make(grouped, 0.0, 0.7), make(H, 0.0, 0.7)
        np.testing.assert_allclose(of_levels.entropy, of_matrix.entropy, rtol=50 * EPS)
        np.testing.assert_allclose(of_levels.energy, of_matrix.energy, atol=50 * EPS)
        np.testing.assert_allclose(of_levels.expectation(grouped.levels**2), of_matrix.expectation(H @ H), rtol=1e-13)
        assert of_levels.expectation(grouped) == of_levels.energy
    for function in (boltzmann_entropy, volume_entropy):
        np.testing.assert_allclose(function(grouped, 0.1, 0.3), function(H, 0.1, 0.3), rtol=50 * EPS)


@pytest.mark.slow
@pytest.mark.parametrize("make", [window_state, gaussian_state])
def test_derivatives_in_the_hamiltonian_are_differences_at_degeneracy_too(make):
    def value(t):
        state = make(H + t * MOVE, 0.1, 0.7)
        return state.expectation(A) + 0.5 * state.entropy + state.energy

    first = jax.jit(jax.grad(value))
    h = 1e-5
    steps = np.array([jax.jit(value)(t) for t in (-h, h)])
    np.testing.assert_allclose(first(0.0), (steps[1] - steps[0]) / (2 * h), rtol=1e-7)
    second = jax.jit(jax.grad(jax.grad(value)))(0.0)
    np.testing.assert_allclose(second, (first(h) - first(-h)) / (2 * h), rtol=1e-6)


def test_smooth_entropies_are_their_sums():
    x = (0.1 - VALUES) / 0.3
    omega = np.sum(np.exp(-(x**2) / 2)) / (0.3 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(boltzmann_entropy(H, 0.1, 0.3, energy_unit=0.5), np.log(omega * 0.5), rtol=50 * EPS)
    np.testing.assert_allclose(volume_entropy(H, 0.1, 0.3), np.log(np.sum(ndtr(x))), rtol=50 * EPS)
    slope = np.sum(-x / 0.3 * np.exp(-(x**2) / 2)) / np.sum(np.exp(-(x**2) / 2))
    np.testing.assert_allclose(microcanonical_beta(H, 0.1, 0.3), slope, rtol=1e-12)
    # d Omega / dE = omega
    np.testing.assert_allclose(
        microcanonical_beta(H, 0.1, 0.3, entropy=volume_entropy), omega / np.sum(ndtr(x)), rtol=1e-12
    )
    assert microcanonical_beta(H, 2.0, 0.3) < 0 < microcanonical_beta(H, 2.0, 0.3, entropy=volume_entropy)


@pytest.mark.slow
def test_free_spins_have_the_canonical_temperature():
    # n spins of energy +-1/2: beta(e) = ln((1/2 - e) / (1/2 + e)), which a broadening s moves by beta s^2 beta'(e) / n
    n, up = 4000, np.arange(4001)
    logs = np.cumsum(np.concatenate([[0.0], np.log((n - up[:-1]) / up[1:])]))
    spins, beta = Spectrum(up - n / 2.0, logs), np.log(0.8 / 0.2)
    expected = beta * (1 - 5.0**2 / (n * (0.25 - 0.3**2)))
    for entropy in (boltzmann_entropy, volume_entropy):
        found = microcanonical_beta(spins, -0.3 * n, 5.0, entropy=entropy)
        np.testing.assert_allclose(found, expected, rtol=3e-3)
    state = gaussian_state(spins, -0.3 * n, 5.0)
    assert abs(state.energy / n + 0.3) < 0.01


def test_windows_that_hold_nothing():
    with pytest.raises(ValueError, match=r"holds none; the nearest are -1, -0.3, 0.2, 0.9"):
        window_state(H, 0.0, 0.1)
    with pytest.raises(ValueError, match=r"`width` must be positive.*neighbouring levels are -1, -0.3, 0.2, 0.9"):
        window_state(H, 0.0, 0.0)
    for width in (0.1, 0.0):
        assert all(np.all(np.isnan(leaf)) for leaf in jax.tree_util.tree_leaves(window(H, 0.0, width)))
        spectrum = jax.jit(window_state)(Spectrum(LEVELS), 0.0, width)
        assert all(np.all(np.isnan(leaf)) for leaf in jax.tree_util.tree_leaves(spectrum))
    assert window_state(H, LEVELS[0], 1e-9).entropy == 0


def test_other_refusals():
    state = window_state(Spectrum(LEVELS), 0.0, 1.0)
    with pytest.raises(ValueError, match="one value a level"):
        state.expectation(np.eye(5))
    with pytest.raises(ValueError, match="use `weights`"):
        state.density_matrix()
    with pytest.raises(ValueError, match="must have the shape"):
        window_state(H, 0.0, 1.0).expectation(np.eye(2))
    with pytest.raises(ValueError, match="`width` must be positive"):
        gaussian_state(H, 0.0, 0.0)
    with pytest.raises(ValueError, match="`broadening` must be positive"):
        boltzmann_entropy(H, 0.0, -1.0)
    with pytest.raises(ValueError, match="`energy` must be a real scalar"):
        volume_entropy(H, jnp.zeros(2), 1.0)
    with pytest.raises(ValueError, match="finitely many levels"):
        window_state(Spectrum([0.0, 1.0, 2.0], tail=LadderTail(1.0, 3)), 0.0, 1.0)
    assert np.isnan(jax.jit(boltzmann_entropy)(H, 0.0, -1.0))
