"""Partial traces against explicit sums."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import direction
from jaxgibbs.linalg import partial_trace

DIMS = (2, 3, 2)


def by_sums(matrix, keep):
    """Sum over the basis of what is traced out, with vectors built by Kronecker products."""
    out = [k for k in range(3) if k not in keep]
    total = 0
    for indices in itertools.product(*(range(DIMS[k]) for k in out)):
        fixed = dict(zip(out, indices, strict=True))
        isometry = np.ones((1, 1))
        for k, dim in enumerate(DIMS):
            isometry = np.kron(isometry, np.eye(dim)[:, [fixed[k]]] if k in fixed else np.eye(dim))
        total = total + isometry.T @ matrix @ isometry
    return total


@pytest.mark.parametrize("keep", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2), ()])
def test_partial_traces(keep):
    matrix = direction(np.random.default_rng(1), 12, True)
    np.testing.assert_allclose(
        jax.jit(lambda m: partial_trace(m, DIMS, keep))(matrix), by_sums(matrix, keep), atol=1e-15
    )


def test_one_index_and_order():
    rng = np.random.default_rng(2)
    a, b, c = (direction(rng, dim, True) for dim in DIMS)
    product = np.kron(np.kron(a, b), c)
    np.testing.assert_allclose(partial_trace(product, DIMS, 1), b * np.trace(a) * np.trace(c), atol=1e-15)
    np.testing.assert_allclose(partial_trace(product, DIMS, (2, 0)), np.kron(c, a) * np.trace(b), atol=1e-15)


def test_linear_and_differentiable():
    matrix = jnp.array(direction(np.random.default_rng(3), 12))
    slope = jax.grad(lambda m: jnp.sum(partial_trace(m, DIMS, 0) * jnp.array([[1.0, 2.0], [3.0, 4.0]])))(matrix)
    np.testing.assert_allclose(slope, np.kron([[1.0, 2.0], [3.0, 4.0]], np.eye(6)))


@pytest.mark.parametrize(
    ("dims", "keep", "words"),
    [
        ((2, 3), 0, "`dims` must multiply to the dimension 12, but"),
        (DIMS, 3, "`keep` must name different subsystems among 0 ... 2, but is"),
        (DIMS, -1, "`keep` must name different"),
        (DIMS, (0, 0), "`keep` must name different"),
    ],
)
def test_bad_arguments(dims, keep, words):
    with pytest.raises(ValueError, match=words):
        partial_trace(jnp.eye(12), dims, keep)
