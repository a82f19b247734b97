"""The Lanczos process against dense matrices: the relation it obeys, its quadrature, its end in an invariant space."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxgibbs.linalg import random_phases, random_sphere, unit_vectors
from jaxgibbs.linalg.lanczos import krylov_combinations, lanczos, lanczos_basis, ritz
from jaxgibbs.linalg.traces import jackknife

EPS = np.finfo(float).eps
KEY = jax.random.key(3)


def hermitian(dim, seed, kind=complex):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(dim, dim)) + (1j * rng.normal(size=(dim, dim)) if kind is complex else 0)
    return (matrix + matrix.conj().T) / 2


@jax.jit
def run(matrix, start):
    def product(vector):
        return matrix @ vector

    plain = lanczos(product, start, 12)
    kept, basis = lanczos_basis(product, start, 12)
    return plain, kept, basis, krylov_combinations(product, start, plain, jnp.eye(12)), ritz(plain)


@pytest.mark.parametrize("kind", [float, complex])
def test_the_basis_obeys_the_recurrence(kind):
    matrix, start = hermitian(30, 0, kind), np.asarray(random_sphere(KEY, 0, 30, kind))
    plain, kept, basis, again, (values, vectors) = run(matrix, start)
    t, norm = kept.to_dense(), np.linalg.norm(matrix, 2)
    residual = matrix @ basis.T - basis.T @ t
    np.testing.assert_allclose(residual[:, :-1], 0, atol=40 * EPS * norm)
    np.testing.assert_allclose(np.linalg.norm(residual[:, -1]), kept.off_diagonal[-1], rtol=1e-12)
    np.testing.assert_allclose(basis.conj() @ basis.T, np.eye(12), atol=40 * EPS)
    np.testing.assert_allclose(plain.to_dense(), t, atol=1e-11 * norm)  # 12 steps lose little
    np.testing.assert_allclose(again, basis, atol=1e-11)
    assert kept.norm == pytest.approx(np.sqrt(30))
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, plain.to_dense(), atol=40 * EPS * norm)


def test_quadrature_is_exact_for_polynomials():
    matrix, start = hermitian(30, 1), np.asarray(random_phases(KEY, 1, 30, complex))
    values, vectors = run(matrix, start)[4]
    image = start
    for power in range(24):  # degree 2 * 12 - 1
        moment = np.sum(30 * np.asarray(vectors)[0] ** 2 * np.asarray(values) ** power)
        scale = 30 * np.linalg.norm(matrix, 2) ** power
        np.testing.assert_allclose(moment, np.vdot(start, image).real, atol=1e-12 * scale)
        image = matrix @ image


@pytest.mark.parametrize("kind", [float, complex])
def test_an_invariant_space_ends_the_process(kind):
    # Three distinct levels: the space is complete after three steps, exactly or up to rounding.
    diagonal = np.repeat([-1.0, 0.5, 2.0], 10)
    basis = scipy.linalg.qr(hermitian(30, 2, kind))[0]
    for matrix in (np.diag(diagonal).astype(kind), (basis * diagonal) @ basis.conj().T):
        plain, kept, _, _, (values, vectors) = run(matrix, np.ones(30, kind))
        for t in (plain, kept):
            assert np.all(np.asarray(t.off_diagonal[:2]) > 0.1)
            np.testing.assert_array_equal(t.off_diagonal[2:], 0)
            assert np.all(np.isfinite(t.diagonal))
        weights = vectors[0] ** 2
        for level in (-1.0, 0.5, 2.0):
            share = np.linalg.norm(np.where(np.isclose(diagonal, level), 1, 0)) ** 2 / 30
            if np.count_nonzero(matrix - np.diag(np.diag(matrix))):
                share = np.linalg.norm(basis[:, diagonal == level].conj().T @ np.ones(30)) ** 2 / 30
            np.testing.assert_allclose(np.sum(weights[np.isclose(values, level)]), share, rtol=1e-10)


def test_a_batch_may_end_lane_by_lane():
    starts = jnp.stack([jnp.zeros(30).at[4].set(3.0), jnp.ones(30), jnp.zeros(30)])
    plain = jax.vmap(lambda start: run(jnp.diag(jnp.arange(30.0)), start)[0])(starts)
    np.testing.assert_array_equal(plain.off_diagonal[0], 0)
    np.testing.assert_array_equal(plain.diagonal[0], 4)
    assert np.all(plain.off_diagonal[1] > 0)
    np.testing.assert_array_equal(plain.diagonal[2], 0)
    assert np.all(np.isfinite(plain.off_diagonal))


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_probes(dtype):
    for draw in (random_phases, random_sphere, unit_vectors):
        probes = np.stack([draw(KEY, index, 8, dtype) for index in range(8)])
        assert probes.dtype == dtype
        np.testing.assert_allclose(np.linalg.norm(probes, axis=1), np.sqrt(8), rtol=1e-6)
    np.testing.assert_allclose(probes.T @ probes / 8, np.eye(8), atol=1e-6)
    phases = jax.vmap(lambda index: random_phases(KEY, index, 8, dtype))(jnp.arange(5))
    np.testing.assert_array_equal(phases[3], random_phases(KEY, 3, 8, dtype))
    np.testing.assert_allclose(np.abs(phases), 1, rtol=1e-6)
    assert np.any(phases[0] != phases[1])


@pytest.mark.parametrize("draw", [random_phases, random_sphere])
def test_the_variance_of_a_trace(draw):
    dim, count = 6, 4000
    matrix = hermitian(dim, 5)
    probes = jax.vmap(lambda index: draw(KEY, index, dim, complex))(jnp.arange(count))
    samples = np.einsum("ri,ij,rj->r", probes.conj(), matrix, probes).real
    square, trace = np.linalg.norm(matrix) ** 2, np.trace(matrix).real
    variance = square - np.sum(np.diag(matrix).real ** 2)
    if draw is random_sphere:
        variance = dim * (square - trace**2 / dim) / (dim + 1)
    assert abs(samples.mean() - trace) < 5 * np.sqrt(variance / count)
    # Five standard errors of a variance, sqrt(kurtosis - 1) < 3 of its own size for one sample.
    np.testing.assert_allclose(samples.var(), variance, rtol=15 / np.sqrt(count))


def test_jackknife():
    samples = np.random.default_rng(0).normal(size=(50, 2)) + [1.0, 4.0]
    np.testing.assert_allclose(jackknife(lambda x: x[0], samples), samples[:, 0].std(ddof=1) / np.sqrt(50), rtol=1e-12)
    ratio = jackknife(lambda x: x[0] / x[1], samples)
    mean, spread = samples.mean(0), np.cov(samples.T) / 50
    slope = np.array([1 / mean[1], -mean[0] / mean[1] ** 2])
    np.testing.assert_allclose(ratio, np.sqrt(slope @ spread @ slope), rtol=0.05)  # relative O(1 / R)
    assert np.isnan(jackknife(lambda x: x[0], samples[:1]))
