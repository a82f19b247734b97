"""The one wrapper around the eigensolvers: every dtype, batch and route gives the same eigenvalues."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import direction, with_levels
from jaxgibbs.linalg import dagger, eigen, eigh, eigvalsh, matmul

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
BATCHES = [(), (1,), (3,), (2, 3), (40,), (0,)]


def matrices(dtype, batch, dim=5):
    """Hermitian matrices, twofold degenerate."""
    rng, count = np.random.default_rng(dim), int(np.prod(batch))
    levels = np.repeat(rng.normal(size=(dim + 1) // 2), 2)[:dim]
    stack = [with_levels(rng, levels, np.issubdtype(dtype, np.complexfloating)) for _ in range(count)]
    return jnp.array(np.array(stack).reshape(*batch, dim, dim).astype(dtype))


def rounding(matrix):
    """LAPACK's own bound, `eps` times the norm times a modest function of the dimension."""
    return 10 * matrix.shape[-1] * float(np.finfo(matrix.dtype).eps)


@pytest.mark.parametrize(
    ("dtype", "batch"),
    [
        pytest.param(dtype, batch, marks=() if dtype is np.complex128 or batch in ((3,), (40,)) else pytest.mark.slow)
        for dtype in DTYPES
        for batch in BATCHES
    ],
)
def test_eigenvectors_and_eigenvalues(dtype, batch):
    matrix = matrices(dtype, batch)
    values, vectors = jax.jit(eigh)(matrix)
    assert values.dtype == matrix.real.dtype
    assert vectors.dtype == dtype
    assert (values.shape, vectors.shape) == ((*batch, 5), (*batch, 5, 5))
    assert np.all(np.diff(values, axis=-1) >= 0)
    np.testing.assert_allclose(
        matmul(dagger(vectors), vectors), np.broadcast_to(np.eye(5), matrix.shape), atol=rounding(matrix)
    )
    np.testing.assert_allclose(matmul(vectors * values[..., None, :], dagger(vectors)), matrix, atol=rounding(matrix))
    alone = jax.jit(eigvalsh)(matrix)
    assert alone.dtype == values.dtype
    np.testing.assert_allclose(alone, values, atol=rounding(matrix))


@pytest.mark.parametrize("function", [eigvalsh, lambda m: eigh(m)[0]], ids=["eigvalsh", "eigh"])
def test_without_jit_and_under_vmap(function):
    matrix = matrices(np.complex128, (2, 3))
    expected = np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose(function(matrix), expected, atol=1e-14)
    np.testing.assert_allclose(jax.vmap(jax.vmap(function))(matrix), expected, atol=1e-14)
    np.testing.assert_allclose(jax.jit(jax.vmap(function, 1, 1))(matrix), expected, atol=1e-14)


@pytest.mark.parametrize("dim", [1, 2, 33])
def test_sizes(dim):
    for dtype in DTYPES:
        matrix = matrices(dtype, (), dim)
        expected = np.linalg.eigvalsh(np.asarray(matrix, np.result_type(dtype, np.float64)))
        np.testing.assert_allclose(eigvalsh(matrix), expected, atol=rounding(matrix))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_jaxlib_without_the_kernel_falls_back(dtype, monkeypatch):
    monkeypatch.setattr(eigen, "_values_target", lambda dtype: None)
    matrix = matrices(dtype, (), dim=11)  # a shape that no other test has compiled
    program = jax.jit(lambda m: eigvalsh(m) + 0).lower(matrix).compile()
    np.testing.assert_allclose(program(matrix), eigh(matrix)[0], atol=rounding(matrix))


@pytest.mark.parametrize("kernel", ["fails", "is wrong"])
def test_a_kernel_that_does_not_work_is_not_used(kernel, monkeypatch):
    def broken(matrix, target):
        if kernel == "fails":
            raise RuntimeError(target)
        return jnp.zeros(matrix.shape[:-1])

    monkeypatch.setattr(eigen, "_values_by_lapack", broken)
    assert eigen._values_target.__wrapped__(np.dtype(np.float64)) is None


@pytest.mark.skipif(eigen._values_target(np.dtype(float)) is None, reason="this jaxlib has no such kernel")
def test_values_alone_compute_no_vectors():
    matrix = matrices(np.float64, (), dim=9)
    text = jax.jit(eigvalsh).lower(matrix).compile().as_text()
    assert text.count('custom_call_target="lapack_dsyevd_ffi"') == 1
    assert "mode = 78" in text  # ord("N")


def test_the_hermitian_part_is_decomposed():
    rng = np.random.default_rng(1)
    skew = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    expected = np.linalg.eigvalsh((skew + skew.conj().T) / 2)
    np.testing.assert_allclose(eigvalsh(skew), expected, atol=1e-13)
    np.testing.assert_allclose(eigh(skew)[0], expected, atol=1e-13)


def test_no_derivative_passes():
    rng = np.random.default_rng(2)
    h, v = jnp.eye(3), jnp.array(direction(rng, 3))
    for function in (lambda t: eigvalsh(h + t * v), lambda t: eigh(h + t * v)[1]):
        for mode in (jax.jacfwd, jax.jacrev):
            np.testing.assert_array_equal(jax.jit(mode(function))(0.0), 0)


def test_nan_is_not_hidden():
    broken = jnp.full((3, 3), jnp.nan)
    assert np.all(np.isnan(eigvalsh(broken)))
    assert np.all(np.isnan(eigh(broken)[0]))


def test_many_batches_at_once_finish():
    stacks = [matrices(np.float64, (64,), dim) for dim in (6, 7, 8)]
    values = jax.jit(lambda stacks: [eigh(m)[0] for m in stacks] + [eigvalsh(m) for m in stacks])(stacks)
    for found, matrix in zip(values, stacks * 2, strict=True):
        np.testing.assert_allclose(found, np.linalg.eigvalsh(matrix), atol=1e-13)


@pytest.mark.parametrize("left", DTYPES)
@pytest.mark.parametrize("right", DTYPES)
def test_products(left, right):
    rng = np.random.default_rng(3)
    a, b = (rng.normal(size=(2, 4, 4)) + 1j * rng.normal(size=(2, 4, 4)) for _ in range(2))
    a, b = ((m if np.issubdtype(t, np.complexfloating) else m.real).astype(t) for m, t in ((a, left), (b, right)))
    found = jax.jit(matmul)(a, b)
    assert found.dtype == np.result_type(left, right)
    np.testing.assert_allclose(found, a @ b, atol=40 * float(np.finfo(found.dtype).eps))
