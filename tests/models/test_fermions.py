"""Fermion models are what their creation and annihilation operators make them, and have the levels that formulas give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.operators import block_structure
from jaxgibbs.operators.local import fermion_annihilation

RNG = np.random.default_rng(0)


def annihilators(modes):
    return [fermion_annihilation(mode, modes) for mode in range(modes)]


def hop(c, i, j):
    return c[i].T @ c[j] + c[j].T @ c[i]


def number(c, i):
    return c[i].T @ c[i]


def pair(c, i, j):
    return c[i] @ c[j] + (c[i] @ c[j]).T


@pytest.mark.parametrize("periodic", [False, True])
def test_chains_of_spinless_fermions(periodic):
    sites, c = 4, annihilators(4)
    bonds = models.chain_lattice(sites, periodic=periodic).all_bonds
    t, v, mu = RNG.normal(size=len(bonds)), RNG.normal(size=len(bonds)), RNG.normal(size=sites)
    filling = sum(m * number(c, i) for i, m in enumerate(mu))
    expected = -sum(a * hop(c, *bond) for a, bond in zip(t, bonds, strict=True)) - filling
    interacting = sum(a * number(c, i) @ number(c, j) for a, (i, j) in zip(v, bonds, strict=True))
    found = models.t_v_chain(sites, t, v, mu, periodic=periodic)
    np.testing.assert_allclose(found.to_dense(), expected + interacting, atol=1e-14)
    paired = sum(a * pair(c, *bond) for a, bond in zip(v, bonds, strict=True))
    found = models.interacting_kitaev_chain(sites, t, v, mu, 0.3 * v, periodic=periodic)
    np.testing.assert_allclose(found.to_dense(), expected + paired + 0.3 * interacting, atol=1e-14)
    assert found.dtype == jnp.float64


def test_hubbard_on_a_lattice():
    lattice, c = models.Lattice(3, {"a": [(0, 1), (2, 1)], "b": [(0, 2)]}), annihilators(6)
    t, u, mu, h = RNG.normal(size=(4, 3))
    expected = -sum(a * hop(c, s + i, s + j) for a, (i, j) in zip(t, lattice.all_bonds, strict=True) for s in (0, 3))
    for i in range(3):
        up, down = number(c, i), number(c, 3 + i)
        expected = expected + u[i] * up @ down - mu[i] * (up + down) - h[i] * (up - down) / 2
    found = models.fermi_hubbard(lattice, t, u, mu, h)
    np.testing.assert_allclose(found.to_dense(), expected, atol=1e-14)
    by_kind = models.fermi_hubbard(lattice, {"a": t[:2], "b": t[2]}, u, mu, h)
    np.testing.assert_allclose(by_kind.to_dense(), expected, atol=1e-14)
    assert "hopping_b" in by_kind.couplings


def test_the_hubbard_dimer():
    """Its 16 levels: with one particle -+t twice, with two 0 three times, U and U/2 -+ sqrt(U^2/4 + 4 t^2), with three U -+ t."""
    t, u, mu, beta = 0.7, 2.3, 0.4, 1.1

    def levels(t, u, mu):
        root = jnp.sqrt(u**2 / 4 + 4 * t**2)
        two = [0 * u, 0 * u, 0 * u, u, u / 2 - root, u / 2 + root]
        energies = [0 * u] + [s * t - mu for s in (1, 1, -1, -1)] + [e - 2 * mu for e in two]
        return jnp.stack([*energies, *[u + s * t - 3 * mu for s in (1, 1, -1, -1)], 2 * u - 4 * mu])

    def formula(t, u, mu):
        return jax.scipy.special.logsumexp(-beta * levels(t, u, mu))

    def computed(t, u, mu):
        return jg.log_partition(models.fermi_hubbard(models.chain_lattice(2), t, u, mu), beta)

    value, slopes = jax.jit(jax.value_and_grad(computed, (0, 1, 2)))(t, u, mu)
    expected, expected_slopes = jax.value_and_grad(formula, (0, 1, 2))(t, u, mu)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    np.testing.assert_allclose(slopes, expected_slopes, rtol=1e-11)


def test_the_particle_number_is_found_as_blocks():
    assert block_structure(models.t_v_chain(6)).describe() == "1 x 20 + 2 x 15 + 2 x 6 + 2 x 1"
    # Both numbers: 3 x 3 states with one or two particles of each spin, 3 x 1 where one spin is empty or full, and the corners.
    assert block_structure(models.fermi_hubbard(models.chain_lattice(3))).describe() == "4 x 9 + 8 x 3 + 4 x 1"
    assert block_structure(models.interacting_kitaev_chain(5)).describe() == "2 x 16"  # the parity


def test_an_open_chain_is_an_xxz_chain():
    t, v, mu = 0.7, 1.3, 0.4
    found = models.t_v_chain(4, t, v, mu).to_dense()
    # n = 1/2 - S^z: the bonds give -V/2 a bond and end to the field, and V/4 a bond to the constant.
    ends = np.array([1, 2, 2, 1])
    chain = models.xxz_chain(4, -2 * t, v / (-2 * t), field=ends * v / 2 - mu).to_dense()
    np.testing.assert_allclose(found, chain + (3 * v / 4 - 2 * mu) * np.eye(16), atol=1e-14)


def test_the_kitaev_ring():
    """Modes `e_k`; momenta are those of periodic fermions, and the vacuum of the pairs `k, -k` fixes the energy of each parity.

    The trace over both parities counts every occupation of the Bogoliubov modes: `Z = prod 2 cosh(beta e_k / 2)`.
    """
    sites, t, delta, mu, beta = 5, 0.8, 0.5, 0.3, 1.2
    k = 2 * np.pi * np.arange(sites) / sites
    energies = np.sqrt((2 * t * np.cos(k) + mu) ** 2 + 4 * delta**2 * np.sin(k) ** 2)
    found = jg.log_partition(models.interacting_kitaev_chain(sites, t, delta, mu, periodic=True), beta)
    exact = np.sum(np.log(2 * np.cosh(beta * energies / 2))) + beta * mu * sites / 2
    np.testing.assert_allclose(found, exact, rtol=1e-13)
    quadratic = models.kitaev_chain(sites, t, delta, mu, periodic=True)
    np.testing.assert_allclose(jg.log_partition(quadratic, beta), exact, rtol=1e-13)
    # The ends of an open chain at mu = 0, t = Delta hold a Majorana mode: every level is twofold.
    levels = np.linalg.eigvalsh(models.interacting_kitaev_chain(4, 0.7, 0.7).to_dense())
    np.testing.assert_allclose(levels[::2], levels[1::2], atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: models.fermi_hubbard(models.square_lattice(4, 4)),
            "`lattice` must have at most 15 sites, two modes each",
        ),
        (lambda: models.fermi_hubbard(models.chain_lattice(3), [1.0]), r"`hopping` must have shape \(\) or \(2,\)"),
        (
            lambda: models.fermi_hubbard(models.ladder_lattice(2), {"leg": 1.0}),
            "`hopping` must have the kinds of bonds",
        ),
        (lambda: models.t_v_chain(2, periodic=True), "`sites` must be at least 3 for a ring"),
        (lambda: models.interacting_kitaev_chain(31), "`sites` must be at most 30"),
        (lambda: models.interacting_kitaev_chain(3, pairing=1j), "`pairing` must be real"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
