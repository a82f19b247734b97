"""One-site matrices obey their algebra, and `embed` is a product of Kronecker factors."""

import math

import numpy as np
import pytest

from jaxgibbs.operators.local import (
    boson_matrices,
    embed,
    fermion_annihilation,
    fermion_matrices,
    kron,
    momentum_matrix,
    pauli_matrices,
    position_matrix,
    spin_matrices,
)


def commutator(a, b):
    return a @ b - b @ a


@pytest.mark.parametrize("spin", [0, 0.5, 1, 1.5, 2, 5 / 2, 6])
def test_spin_algebra_and_casimir(spin):
    x, y, z = spin_matrices(spin)
    size = int(2 * spin + 1)
    assert x.shape == (size, size)
    np.testing.assert_allclose(commutator(x, y), 1j * z, atol=1e-13)
    np.testing.assert_allclose(commutator(y, z), 1j * x, atol=1e-13)
    np.testing.assert_allclose(commutator(z, x), 1j * y, atol=1e-13)
    np.testing.assert_allclose(x @ x + y @ y + z @ z, spin * (spin + 1) * np.eye(size), atol=1e-13)
    assert z[0, 0] == spin  # index 0 is m = +S


def test_spin_half_is_half_the_pauli_matrices():
    for s, sigma in zip(spin_matrices(0.5), pauli_matrices(), strict=True):
        np.testing.assert_array_equal(2 * s, sigma)


@pytest.mark.parametrize("spin", [-0.5, 0.3, math.nan, math.inf])
def test_spin_must_be_half_integer(spin):
    with pytest.raises(ValueError, match="`spin` must be one of"):
        spin_matrices(spin)


def test_boson_ladder():
    a, n = boson_matrices(6)
    np.testing.assert_allclose(a.T @ a, n, atol=1e-14)
    np.testing.assert_allclose(commutator(a, a.T)[:-1, :-1], np.eye(5), atol=1e-14)
    assert boson_matrices(1)[0].shape == (1, 1)
    with pytest.raises(ValueError, match="`levels` must be a whole number"):
        boson_matrices(0)


@pytest.mark.parametrize("power", [0, 1, 2, 3, 4, 6])
def test_powers_of_position_and_momentum_do_not_see_the_cut(power):
    for build in (position_matrix, momentum_matrix):
        larger = np.linalg.matrix_power(build(40), power)
        np.testing.assert_allclose(build(5, power), larger[:5, :5], atol=1e-11)
    assert momentum_matrix(5, power).dtype == (float if power % 2 == 0 else complex)


def test_fourth_power_of_position_has_the_known_diagonal():
    n = np.arange(7)
    np.testing.assert_allclose(np.diag(position_matrix(7, 4)), (6 * n**2 + 6 * n + 3) / 4, rtol=1e-13)
    truncated = np.linalg.matrix_power(position_matrix(7), 4)
    assert abs(truncated[-1, -1] - position_matrix(7, 4)[-1, -1]) > 1


def test_position_and_momentum_are_canonical_below_the_cut():
    x, p = position_matrix(8), momentum_matrix(8)
    np.testing.assert_allclose(commutator(x, p)[:-1, :-1], 1j * np.eye(7), atol=1e-14)


def test_fermions_anticommute():
    modes = [fermion_annihilation(i, 3) for i in range(3)]
    for i, ci in enumerate(modes):
        for j, cj in enumerate(modes):
            np.testing.assert_allclose(ci @ cj + cj @ ci, 0, atol=1e-15)
            np.testing.assert_allclose(ci @ cj.T + cj.T @ ci, np.eye(8) * (i == j), atol=1e-15)
    c, n = fermion_matrices()
    np.testing.assert_array_equal(c.T @ c, n)
    with pytest.raises(ValueError, match="between 0 and 2"):
        fermion_annihilation(3, 3)


def test_embed_is_a_kronecker_product():
    rng = np.random.default_rng(0)
    dims = (2, 3, 1, 4)
    ones = [np.eye(d) for d in dims]
    for site, d in enumerate(dims):
        m = rng.normal(size=(d, d))
        np.testing.assert_array_equal(embed(m, site, dims), kron(*ones[:site], m, *ones[site + 1 :]))


@pytest.mark.parametrize("sites", [(0, 1), (1, 0), (2, 0), (3, 1)])
def test_embed_on_two_sites_keeps_the_order_of_the_factors(sites):
    rng = np.random.default_rng(1)
    dims = (2, 3, 2, 4)
    a, b = (rng.normal(size=(dims[s], dims[s])) + 1j * rng.normal(size=(dims[s], dims[s])) for s in sites)
    expected = embed(a, sites[0], dims) @ embed(b, sites[1], dims)
    np.testing.assert_allclose(embed(np.kron(a, b), sites, dims), expected, atol=1e-13)


def test_embed_checks_its_arguments():
    with pytest.raises(ValueError, match="between 0 and 1"):
        embed(np.eye(2), 2, (2, 2))
    with pytest.raises(ValueError, match="different sites"):
        embed(np.eye(4), (1, 1), (2, 2))
    with pytest.raises(ValueError, match="square of size 3"):
        embed(np.eye(2), 0, (3, 2))
    with pytest.raises(ValueError, match="at least one matrix"):
        kron()
