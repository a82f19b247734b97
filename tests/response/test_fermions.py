"""Spectra of fermions removed and added: closed forms of Hubbard's atom and dimer, chains, and one route against the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models, response
from jaxgibbs.operators import Dense, Fermions, QuadraticBosons, QuadraticFermions
from jaxgibbs.operators.local import fermion_annihilation

RNG = np.random.default_rng(3)
BETA, ETA = 1.3, 0.07
green = jax.jit(lambda h, beta, a, b, w, eta: response.green_function(jg.gibbs_state(h, beta), a, b, w, eta))
UP, DOWN = (fermion_annihilation(mode, 2) for mode in (0, 1))
N_UP, N_DOWN = UP.T @ UP, DOWN.T @ DOWN


def random_hermitian(dim):
    matrix = RNG.normal(size=(dim, dim)) + 1j * RNG.normal(size=(dim, dim))
    return (matrix + matrix.conj().T) / 2


def test_a_level_with_interaction_and_its_derivatives():
    """`G = (1 - n) / (z - e) + n / (z - e - U)`, `n` the filling of the other spin."""

    def ours(energy, repulsion, beta, w, eta):
        return green(energy * (N_UP + N_DOWN) + repulsion * N_UP @ N_DOWN, beta, UP, UP, w, eta).imag

    def known(energy, repulsion, beta, w, eta):
        one, both = jnp.exp(-beta * energy), jnp.exp(-beta * (2 * energy + repulsion))
        n, z = (one + both) / (1 + 2 * one + both), w + 1j * eta
        return ((1 - n) / (z - energy) + n / (z - energy - repulsion)).imag

    point, everything = (-0.4, 1.5, BETA, 0.3, ETA), (0, 1, 2, 3, 4)
    np.testing.assert_allclose(ours(*point), known(*point), rtol=1e-12)
    mine, theirs = jax.grad(ours, everything)(*point), jax.grad(known, everything)(*point)
    np.testing.assert_allclose(mine, theirs, rtol=1e-9)


def test_two_sites_in_the_ground_state():
    """Half filling: lines at `+-(c - t)` of weight `(1 + 2 t / c) / 4` and at `+-(c + t)` of `(1 - 2 t / c) / 4`, where

    `c^2 = U^2 / 4 + 4 t^2`: what is left of a pair in the lower orbital, of weight `(1 + 2 t / c) / 2`, is an electron in it.
    """
    t, repulsion = 0.7, 2.4
    lattice = models.chain_lattice(2)
    state = jg.gibbs_state(models.fermi_hubbard(lattice, t, repulsion, repulsion / 2), np.inf)
    lines = response.fermion_lines(state, fermion_annihilation(1, 4))
    c = np.sqrt(repulsion**2 / 4 + 4 * t**2)
    inner, outer = (1 + 2 * t / c) / 4, (1 - 2 * t / c) / 4
    edges = np.array([-c - t, t - c, c - t, c + t])[:, None] + np.array([-0.01, 0.01])
    np.testing.assert_allclose(lines.binned(edges.ravel())[::2], [outer, inner, inner, outer], atol=1e-13)
    removed = response.lesser_lines(state, fermion_annihilation(1, 4))
    np.testing.assert_allclose(removed.binned(edges.ravel())[::2], [outer, inner, 0, 0], atol=1e-13)


def test_sum_rules_and_the_theorem_of_equilibrium():
    """The weights sum to 1, `<c^dagger c>` and `<c c^dagger>`, the first moment is `<{[c, H], c^dagger}>`."""
    h = random_hermitian(4) + 2 * N_UP @ N_DOWN
    state = jg.gibbs_state(h, BETA)
    whole, lesser, greater = (
        f(state, UP) for f in (response.fermion_lines, response.lesser_lines, response.greater_lines)
    )
    filled = float(state.expectation(N_UP))
    for lines, weight in ((whole, 1), (lesser, filled), (greater, 1 - filled)):
        np.testing.assert_allclose(lines.moment(0), weight, rtol=1e-13)
    moved = UP @ h - h @ UP
    anticommutator = moved @ UP.T + UP.T @ moved
    rho = np.asarray(state.density_matrix())
    np.testing.assert_allclose(whole.moment(1), np.trace(rho @ anticommutator).real, rtol=1e-12)
    violation = response.kms_violation(greater.weights, lesser.weights, whole.positions, BETA)
    assert np.max(violation) < 1e-12
    both = response.spectral_lines(state, UP, UP.T)
    np.testing.assert_allclose(greater.weights * 2 * np.pi, both.weights, atol=1e-14)
    z = 0.3 + 1j * ETA
    np.testing.assert_allclose(whole.transform(z), green(h, BETA, UP, UP, 0.3, ETA), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("beta", [-0.6, np.inf])
def test_quadratic_fermions_against_their_fock_space(beta):
    """With pairing, of complex couplings: Green's functions, lines, and what is removed."""
    one_body, pairing = random_hermitian(3), RNG.normal(size=(3, 3)) + 1j * RNG.normal(size=(3, 3))
    for pair in (None, pairing - pairing.T):
        h = QuadraticFermions(one_body, pair)
        a, b = RNG.normal(size=(2, 3)) + 1j * RNG.normal(size=(2, 3))
        full = [sum(x * fermion_annihilation(i, 3) for i, x in enumerate(v)) for v in (a, b)]
        if pair is not None:
            more = RNG.normal(size=3)
            a = np.concatenate([a, more])
            full[0] = full[0] + sum(x * fermion_annihilation(i, 3).T for i, x in enumerate(more))
        dense = Dense(h.to_dense())
        value = green(h, beta, a, b, 0.2, ETA)
        np.testing.assert_allclose(value, green(dense, beta, *full, 0.2, ETA), rtol=1e-10)
        free, fock = jg.gibbs_state(h, beta), jg.gibbs_state(dense, beta)
        edges = np.linspace(-12, 12, 40)
        for lines in (response.fermion_lines, response.lesser_lines, response.greater_lines):
            np.testing.assert_allclose(lines(free, a).binned(edges), lines(fock, full[0]).binned(edges), atol=1e-11)
        site = np.eye(3)[1]
        filled = response.lesser_lines(free, site).moment(0)
        np.testing.assert_allclose(filled, free.expectation(np.diag(site)), atol=1e-12)


def test_site_of_an_endless_chain():
    """`G = 1 / sqrt(z^2 - 4 t^2)`: of a ring of 800 sites at a width that does not see its end."""
    t, w, eta = 0.5, 0.3, 0.05
    value = green(models.tight_binding_chain(800, t, periodic=True), BETA, np.eye(800)[5], np.eye(800)[5], w, eta)
    z = w + 1j * eta
    root = np.sqrt(z - 2 * t) * np.sqrt(z + 2 * t)
    np.testing.assert_allclose(value, 1 / root, rtol=1e-12)


@pytest.mark.slow
def test_derivatives_of_free_fermions_where_modes_meet():
    vectors, _ = np.linalg.qr(random_hermitian(4))
    level = (vectors * np.array([0.3, 0.3, -0.5, 0.3])) @ vectors.conj().T
    move, site = random_hermitian(4), np.eye(4)[0]

    def of_coupling(x):
        return green(QuadraticFermions(level + x * move), BETA, site, site, 0.1, 0.2).imag

    def slow(x):
        return jnp.linalg.inv((0.1 + 0.2j) * jnp.eye(4) - level - x * move)[0, 0].imag

    for ours, theirs in (
        (jax.grad(of_coupling), jax.grad(slow)),
        (jax.jacfwd(jax.grad(of_coupling)), jax.hessian(slow)),
    ):
        np.testing.assert_allclose(ours(0.0), theirs(0.0), rtol=1e-11)


def test_derivatives_in_fock_space_where_levels_meet():
    h, move = 0.7 * (N_UP + N_DOWN) + 0 * 1j, random_hermitian(4)

    def of_coupling(x):
        return green(h + x * move, BETA, UP, DOWN + UP, 0.1, 0.2).real

    ends = [of_coupling(k * 1e-4) for k in (-2, -1, 1, 2)]
    slope = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / 12e-4
    np.testing.assert_allclose(jax.grad(of_coupling)(0.0), slope, rtol=1e-8)


def test_matsubara_frequencies_of_free_modes():
    energies, amplitudes = np.array([-0.4, 0.9]), np.array([0.6, 0.8])
    state = jg.gibbs_state(Fermions(energies), BETA)
    for n in (0, 3):
        z = 1j * (2 * n + 1) * np.pi / BETA
        known = np.sum(amplitudes**2 / (z - energies))
        value = response.green_function(state, amplitudes, amplitudes, 0.0, z.imag)
        np.testing.assert_allclose(value, known, rtol=1e-13)
        np.testing.assert_allclose(response.fermion_lines(state, amplitudes).transform(z), known, rtol=1e-13)


def test_lines_of_free_modes_have_no_derivatives():
    def weight(energy):
        return response.lesser_lines(jg.gibbs_state(Fermions(jnp.stack([energy, 0.3])), BETA), [1.0, 0.0]).moment(0)

    assert np.isnan(jax.grad(weight)(0.2))


def test_refusals():
    state = jg.gibbs_state(QuadraticFermions(np.eye(2)), BETA)
    with pytest.raises(ValueError, match="one amplitude for each"):
        response.fermion_lines(state, [1.0, 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="finite"):
        response.green_function(state, [np.nan, 0.0], [1.0, 0.0], 0.0, ETA)
    with pytest.raises(ValueError, match="`eta` must be positive"):
        response.green_function(state, [1.0, 0.0], [1.0, 0.0], 0.0, 0.0)
    with pytest.raises(ValueError, match="one matrix"):
        response.lesser_lines(jg.gibbs_state(QuadraticBosons(np.eye(2)), BETA), [1.0, 0.0])
    with pytest.raises(ValueError, match="shape"):
        response.greater_lines(jg.gibbs_state(np.eye(4), BETA), np.eye(2))
    with pytest.raises(ValueError, match="must be a scalar"):
        response.fermion_lines(state, [1.0, 0.0]).transform([0.1j, 0.2j])
