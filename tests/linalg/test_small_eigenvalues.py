"""Batches of tiny matrices have a kernel of their own: as accurate as LAPACK, on matrices of every kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import direction
from jaxgibbs.linalg import eigvalsh, small_eigenvalues

PROGRAMS = [(1, np.float64), (2, np.complex64), (3, np.float32), (3, np.complex128)]
LONG_PROGRAMS = [(4, np.float64), (4, np.complex64), (4, np.complex128)]


def kinds(dim, dtype):
    """Matrices from random to degenerate, graded, decoupled, huge and tiny: one name a stack, all of one length."""
    rng, count = np.random.default_rng(dim), 100
    cplx = np.issubdtype(dtype, np.complexfloating)
    largest = 30 if np.finfo(dtype).dtype == np.float32 else 150

    def basis():
        return np.stack([np.linalg.qr(direction(rng, dim, cplx))[0] for _ in range(count)])

    def with_all(levels):
        u = basis()
        return np.einsum("nij,nj,nkj->nik", u, levels, u.conj())

    def integers():
        x = rng.integers(-1, 2, size=(count, dim, dim))
        x = x + 1j * rng.integers(-1, 2, size=x.shape) if cplx else x
        return x + x.conj().swapaxes(-1, -2)

    random = np.stack([direction(rng, dim, cplx) for _ in range(count)])
    grades = 10.0 ** (-rng.uniform(0, 6, size=(count, 1)) * np.arange(dim))
    kept = rng.integers(0, 2, size=(count, dim, dim))
    return {
        "random": random,
        "degenerate": with_all(rng.integers(-1, 2, size=(count, dim)).astype(float)),
        "nearly degenerate": with_all(1 + 1e-9 * rng.normal(size=(count, dim))),
        "of many scales": with_all(10.0 ** rng.uniform(-20, 0, size=(count, dim))),
        "graded down": grades[:, :, None] * random * grades[:, None, :],
        "graded up": grades[:, ::-1, None] * random * grades[:, None, ::-1],
        "decoupled": random * (kept + kept.swapaxes(-1, -2) > 1),
        "integers": integers(),
        "nearly diagonal": np.eye(dim) * rng.normal(size=(count, 1, dim))
        + random * 10.0 ** rng.uniform(-largest, -1, size=(count, 1, 1)),
        "zero": 0 * random,
        "huge": random * 10.0**largest,
        "tiny": random * 10.0**-largest,
    }


def check(dim, dtype):
    stacks = {name: stack.astype(dtype) for name, stack in kinds(dim, dtype).items()}
    batch = np.concatenate(list(stacks.values()))
    found = jax.jit(eigvalsh)(batch)
    assert found.dtype == np.finfo(dtype).dtype
    assert np.all(np.diff(found, axis=-1) >= 0)
    for (name, stack), values in zip(stacks.items(), np.split(np.asarray(found, float), len(stacks)), strict=True):
        exact = np.linalg.eigvalsh(np.asarray(stack, np.result_type(dtype, np.float64)))
        norm = np.max(np.abs(exact), axis=-1, keepdims=True, initial=np.finfo(dtype).tiny)
        error = np.max(np.abs(values - exact) / norm)
        assert error <= 10 * dim * np.finfo(dtype).eps, name  # LAPACK's own bound, as in test_eigen.py
    return batch


@pytest.mark.parametrize(("dim", "dtype"), PROGRAMS)
def test_matrices_of_every_kind(dim, dtype):
    check(dim, dtype)


@pytest.mark.slow
@pytest.mark.parametrize(("dim", "dtype"), LONG_PROGRAMS)
def test_larger_matrices_of_every_kind(dim, dtype):
    check(dim, dtype)


def test_only_batches_of_tiny_matrices_take_this_way(monkeypatch):
    def refuse(matrices):
        raise AssertionError

    monkeypatch.setattr("jaxgibbs.linalg.eigen.small_eigenvalues", refuse)
    for shape in ((5, 5), (3, 2, 2), (300, 5, 5)):
        np.testing.assert_array_equal(jax.jit(lambda m: eigvalsh(m) + 0)(jnp.ones(shape))[..., 0].shape, shape[:-2])
    with pytest.raises(AssertionError):
        jax.jit(lambda m: eigvalsh(m) + 1)(jnp.ones((300, 2, 2)))


def test_larger_batches_are_taken_in_parts_that_do_not_mix():
    rng = np.random.default_rng(5)
    batch = rng.normal(size=(2500, 2, 2))
    batch[1700, 1, 0] = np.nan
    batch[3, 0, 0] = np.inf
    found = np.asarray(jax.jit(jax.vmap(jax.vmap(eigvalsh)))(batch.reshape(50, 50, 2, 2))).reshape(-1, 2)
    broken = [3, 1700]
    assert np.all(np.isnan(found[broken]))
    symmetric = np.delete((batch + batch.swapaxes(-1, -2)) / 2, broken, axis=0)
    np.testing.assert_allclose(np.delete(found, broken, axis=0), np.linalg.eigvalsh(symmetric), atol=2e-14)


def test_a_matrix_that_does_not_converge_is_nan(monkeypatch):
    monkeypatch.setattr("jaxgibbs.linalg.small_eigenvalues._MOST_SWEEPS", 0)
    rng = np.random.default_rng(6)
    batch = jnp.array([np.diag([1.0, 2.0, 3.0]), direction(rng, 3)])
    found = jax.jit(small_eigenvalues.small_eigenvalues)(batch)
    np.testing.assert_allclose(found[0], [1, 2, 3], rtol=1e-15)
    assert np.all(np.isnan(found[1]))
