"""Spins with modes, and lattice bosons: closed forms, and matrices multiplied out."""

import functools

import jax
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.operators import block_structure

LOWER = np.diag(np.sqrt(np.arange(1.0, 3)), 1)


def levels_of(operator):
    return np.linalg.eigvalsh(np.asarray(operator.to_dense()))


@pytest.mark.slow
def test_jaynes_cummings_doublets():
    w, d, g, kept = 1.1, 0.8, 0.3, 12
    n = np.arange(1, kept)
    half = np.sqrt((d - w) ** 2 + 4 * g**2 * n) / 2
    # the upper state with the last quantum kept has lost its partner
    expected = np.concatenate([[-d / 2, w * (kept - 1) + d / 2], w * (n - 0.5) - half, w * (n - 0.5) + half])
    operator = models.jaynes_cummings(w, d, g, levels=kept)
    np.testing.assert_allclose(levels_of(operator), np.sort(expected), atol=1e-13)
    assert block_structure(operator).describe() == "11 x 2 + 2 x 1"
    gradient = jax.grad(jg.log_partition)(operator, 0.7).couplings["coupling"]
    step = 1e-5
    up, down = (jg.log_partition(models.jaynes_cummings(w, d, g + s, levels=kept), 0.7) for s in (step, -step))
    np.testing.assert_allclose(gradient, (up - down) / (2 * step), rtol=1e-7)


def test_rabi_without_splitting_is_two_displaced_oscillators():
    w, g = 1.3, 0.6
    expected = np.repeat(w * np.arange(6) - g**2 / w, 2)
    np.testing.assert_allclose(levels_of(models.rabi(w, 0.0, g, levels=60))[:12], expected, atol=1e-10)
    assert block_structure(models.rabi(w, 0.4, g, levels=10)).describe() == "2 x 10"  # the parity


def test_dicke():
    one, rabi = models.dicke(1, 1.0, 0.7, 0.4, levels=20), models.rabi(1.0, 0.7, 0.4, levels=20)
    np.testing.assert_allclose(one.to_dense(), rabi.to_dense(), atol=1e-14)
    # Without splitting: J_x = m gives a displaced oscillator at -(2 g m)^2 / (N omega).
    w, g, spins = 1.2, 0.5, 3
    m = np.array([-1.5, -0.5, 0.5, 1.5])
    expected = np.sort((w * np.arange(8)[:, None] - (2 * g * m) ** 2 / (spins * w)).ravel())[:8]
    np.testing.assert_allclose(levels_of(models.dicke(spins, w, 0.0, g, levels=50))[:8], expected, atol=1e-10)


def test_spin_boson():
    eps, w, g = 0.6, np.array([1.0, 1.7]), np.array([0.3, -0.4])
    quanta = np.add.outer(w[0] * np.arange(5), w[1] * np.arange(5)).ravel()
    shifted = quanta - np.sum(g**2 / (4 * w))
    expected = np.sort(np.concatenate([shifted + eps / 2, shifted - eps / 2]))[:8]
    np.testing.assert_allclose(levels_of(models.spin_boson(eps, 0.0, w, g, levels=16))[:8], expected, atol=1e-8)
    # Without coupling the spin and the modes are independent.
    free = models.spin_boson(eps, 0.5, w, np.zeros(2), levels=4)
    modes = np.sum(np.log(np.sum(np.exp(-0.8 * w[:, None] * np.arange(4)), axis=1)))
    spin = np.log(2 * np.cosh(0.8 * np.hypot(eps, 0.5) / 2))
    np.testing.assert_allclose(jg.log_partition(free, 0.8), spin + modes, rtol=1e-13)


def test_bose_hubbard_multiplied_out():
    lattice = models.chain_lattice(3)
    t, u, mu = np.array([0.7, 1.2]), np.array([2.0, 1.0, 0.5]), np.array([0.3, 0.1, -0.2])
    b = [functools.reduce(np.kron, [LOWER if i == site else np.eye(3) for i in range(3)]) for site in range(3)]
    n = [x.T @ x for x in b]
    expected = sum(-t[i] * (b[i].T @ b[i + 1] + b[i + 1].T @ b[i]) for i in range(2))
    expected = expected + sum(u[i] / 2 * n[i] @ (n[i] - np.eye(27)) - mu[i] * n[i] for i in range(3))
    found = models.bose_hubbard(lattice, t, u, mu, levels=3)
    np.testing.assert_allclose(found.to_dense(), expected, atol=1e-13)
    assert "7" in block_structure(found).describe()  # three particles on three sites, two a site at most
    vector = np.random.default_rng(0).normal(size=27)
    np.testing.assert_allclose(found.matvec(vector), expected @ vector, atol=1e-13)


def test_hard_core_bosons_are_an_xx_chain():
    lattice = models.chain_lattice(5, periodic=True)
    bosons = models.bose_hubbard(lattice, 0.9, 4.0, 0.0, levels=2)
    spins = models.xx_chain(5, coupling=-1.8, periodic=True)
    np.testing.assert_allclose(levels_of(bosons), levels_of(spins), atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.spin_boson(1.0, 0.5, [1.0], [0.1, 0.2]), "`couplings` must have shape"),
        (lambda: models.spin_boson(1.0, 0.5, [1.0], [0.1], levels=1), "`levels` must be a whole number of at least 2"),
        (lambda: models.bose_hubbard(models.chain_lattice(3), [1.0]), "`hopping` must have shape"),
        (lambda: models.jaynes_cummings([1.0], 1.0, 0.1), "`frequency` must have shape"),
        (lambda: models.rabi(1.0, 1.0, 1j), "`coupling` must be real"),
        (lambda: models.dicke(0, 1.0, 1.0, 0.1), "`spins` must be a whole number"),
        (lambda: models.rabi(1.0, 1.0, 0.1, levels=0), "`levels`"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
