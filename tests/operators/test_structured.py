"""Spectra, free modes and products as operators: their matrices where they have one, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgibbs.operators import Bosons, Dense, Fermions, KroneckerSum, LadderTail, Spectrum
from jaxgibbs.operators.local import fermion_annihilation


def test_a_spectrum_keeps_its_numbers():
    spectrum = Spectrum([3, 1, 2])
    assert spectrum.levels.dtype == spectrum.log_degeneracies.dtype == jnp.float64
    assert spectrum.dim == 3
    assert not spectrum.has_degeneracies
    np.testing.assert_array_equal(spectrum.to_dense(), np.diag([3.0, 1, 2]))
    single = Spectrum(jnp.array([0, 1], jnp.float32), [0.0, 1000.0])
    assert single.dtype == single.log_degeneracies.dtype == jnp.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Spectrum([]), "at least one entry"),
        (lambda: Spectrum(1.0), "real vector"),
        (lambda: Spectrum(np.eye(2)), "real vector"),
        (lambda: Spectrum([1j]), "real vector"),
        (lambda: Spectrum([np.nan]), "`levels` must be finite"),
        (lambda: Spectrum([np.inf]), "`levels` must be finite"),
        (lambda: Spectrum([0.0, 1.0], [0.0]), r"shape of `levels`, \(2,\), but has \(1,\)"),
        (lambda: Spectrum([0.0], [-np.inf]), "`log_degeneracies` must be finite"),
        (lambda: Spectrum([0.0], [1j]), "`log_degeneracies` must be real"),
        (lambda: Spectrum([0.0, 1.0], [0.0, 0.0]).to_dense(), "no finite matrix"),
        (lambda: Spectrum([0.0, 1.0], [0.0, 0.0]).matvec(jnp.ones(2)), "no finite matrix"),
        (lambda: Spectrum([0.0, 1.0], tail=LadderTail(1.0, 2)).to_dense(), "no finite matrix"),
        (lambda: Spectrum(np.array([1], np.float16)), "single or double precision"),
    ],
)
def test_spectra_that_are_none(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_matrix_of_fermions_counts_occupations():
    energies = np.array([0.3, -1.0, 2.0])
    numbers = [fermion_annihilation(k, 3).conj().T @ fermion_annihilation(k, 3) for k in range(3)]
    matrix = sum(e * n for e, n in zip(energies, numbers, strict=True))
    operator = Fermions(energies)
    np.testing.assert_allclose(operator.to_dense(), matrix, atol=1e-15)
    vector = np.random.default_rng(0).normal(size=8)
    np.testing.assert_allclose(operator.matvec(jnp.asarray(vector)), matrix @ vector, atol=1e-14)
    assert operator.dim == 3
    assert operator.space == ("fermionic modes:", 3)


@pytest.mark.parametrize("kind", [Bosons, Fermions])
@pytest.mark.parametrize(
    ("energies", "message"),
    [
        ([], "one entry a mode"),
        (1.0, "real vector"),
        ([1j], "real vector"),
        ([np.nan], "finite"),
        (np.eye(2), "real vector"),
    ],
)
def test_modes_that_are_none(kind, energies, message):
    with pytest.raises(ValueError, match=message):
        kind(energies)


def test_modes_without_a_matrix():
    for ask in (Bosons([1.0]).to_dense, lambda: Bosons([1.0]).matvec(jnp.ones(1))):
        with pytest.raises(ValueError, match="infinite Fock space and have no matrix"):
            ask()
    with pytest.raises(ValueError, match="The Fock space of 13 modes is too large"):
        Fermions(np.ones(13)).to_dense()


def test_a_product_is_multiplied_out_with_part_0_slowest():
    a, b, c = np.array([[0, 1j], [-1j, 2]]), np.diag([1.0, 2, 3]), np.array([[1.0, 2], [2, 0]])
    operator = KroneckerSum([a, b, c])
    one, two, three = np.eye(2), np.eye(3), np.eye(2)
    matrix = np.kron(np.kron(a, two), three) + np.kron(np.kron(one, b), three) + np.kron(np.kron(one, two), c)
    np.testing.assert_allclose(operator.to_dense(), matrix)
    assert operator.dim == 12
    assert operator.dtype == jnp.complex128
    vector = np.random.default_rng(0).normal(size=12)
    np.testing.assert_allclose(operator.matvec(jnp.asarray(vector)), matrix @ vector, atol=1e-13)


def test_products_with_modes_are_as_large_as_the_fock_space():
    for parts in (
        [np.array([[3.0]]), Fermions([1.0])],
        [Fermions([0.5, 1.0]), np.diag([0.0, 2.0])],
        [np.eye(2), Fermions([1.0])],
    ):
        operator = KroneckerSum(parts)
        left, right = (np.asarray(part.to_dense()) for part in operator.parts)
        matrix = np.kron(left, np.eye(len(right))) + np.kron(np.eye(len(left)), right)
        np.testing.assert_allclose(operator.to_dense(), matrix)
        vector = np.random.default_rng(0).normal(size=len(matrix))
        np.testing.assert_allclose(operator.matvec(jnp.asarray(vector)), matrix @ vector, atol=1e-13)


def test_parts_may_be_plain_matrices_and_are_checked():
    assert all(isinstance(part, Dense) for part in KroneckerSum([np.eye(2), [[0, 1], [1, 0]]]).parts)
    with pytest.raises(ValueError, match="must be Hermitian"):
        KroneckerSum([np.eye(2), [[0, 1], [0, 0]]])


def test_batches_are_made_by_vmap():
    batch = jax.vmap(Spectrum)(jnp.arange(6.0).reshape(3, 2))
    assert batch.levels.shape == (3, 2)
    assert jax.vmap(Fermions)(jnp.ones((4, 2))).energies.shape == (4, 2)
