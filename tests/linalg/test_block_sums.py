"""Sums over padded stacks of blocks: against the sums written out, at degeneracy, and to second order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgibbs.linalg import decompose
from jaxgibbs.linalg.block_sums import Transitions, block_traces, transition_sum

RNG = np.random.default_rng(5)
SIZES = (4, 3)
PLACES = np.array([0, 0, 1]), np.array([0, 1, 1])
WEIGHTS = np.array([1.0, 2.0, 3.0])
TRANSITIONS = Transitions(*PLACES, WEIGHTS)
S = -1.3


def symmetric(size, *, degenerate=False):
    if degenerate:
        vectors, _ = np.linalg.qr(RNG.normal(size=(size, size)))
        levels = np.array([0.0, 1.0, 1.0, 1.0 + 1e-9, 2.0, 3.0])[:size]
        return vectors @ np.diag(levels) @ vectors.T
    matrix = RNG.normal(size=(size, size))
    return matrix + matrix.T


def padded(parts):
    whole = np.zeros((len(parts), 4, 4))
    for k, part in enumerate(parts):
        whole[k, : part.shape[0], : part.shape[1]] = part
    return whole


def example(degenerate):
    parts = [symmetric(size, degenerate=degenerate) for size in SIZES]
    matrices = padded(parts)
    matrices[1, 3, 3] = 50.0  # the padding, above all levels
    elements = padded([symmetric(4), RNG.normal(size=(4, 3)), symmetric(3)])
    return parts, jnp.asarray(matrices), jnp.asarray(elements)


EXAMPLES = [example(False), example(True)]
IDS = ["apart", "degenerate"]


def summed(matrices, elements, s=S):
    return transition_sum(TRANSITIONS, s, decompose(matrices), elements)


def by_quadrature(matrices, elements, s, lowest):
    """`int_0^1 Tr e^{(1-t) s H} V^T e^{t s H} V dt`, with energies from `lowest`."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    shifted = matrices - lowest * jnp.eye(4)
    left, right = (
        jax.vmap(lambda t: jax.vmap(jax.scipy.linalg.expm)(s * t * shifted))((1 + x) / 2) for x in (nodes, -nodes)
    )
    left, right = left[:, PLACES[0]], right[:, PLACES[1]]
    return jnp.einsum("n,t,ntab,tbc,ntcd,tad->", weights / 2, WEIGHTS, left, elements, right, elements)


@pytest.mark.parametrize(("parts", "matrices", "elements"), EXAMPLES, ids=IDS)
def test_traces(parts, matrices, elements):
    for power in range(3):
        found = block_traces(power, SIZES, S, decompose(matrices))
        heights = [np.linalg.eigvalsh(part) for part in parts]
        heights = [levels - levels[0] for levels in heights]
        np.testing.assert_allclose(found, [np.sum(h**power * np.exp(S * h)) for h in heights], rtol=1e-12)


slopes_by_quadrature = jax.jit(jax.value_and_grad(by_quadrature, (0, 1, 2)))
slopes = jax.jit(jax.value_and_grad(summed, (0, 1, 2)))


def lowest_of(matrices):
    return np.linalg.eigvalsh(matrices).min()  # both sums take it for a constant


@pytest.mark.parametrize(("parts", "matrices", "elements"), EXAMPLES, ids=IDS)
def test_transitions_and_their_slopes(parts, matrices, elements):
    value, found = slopes(matrices, elements, S)
    known_value, known = slopes_by_quadrature(matrices, elements, S, lowest_of(matrices))
    np.testing.assert_allclose(value, known_value, rtol=1e-11)
    for one, other in zip(found, known, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9 * np.max(np.abs(other)))


@pytest.mark.parametrize(("parts", "matrices", "elements"), EXAMPLES, ids=IDS)
def test_second_order(parts, matrices, elements):
    """Along a direction in everything, against finite differences of the slopes of the quadrature."""
    step = (jnp.asarray(padded([symmetric(4), symmetric(3)])), (elements != 0) * padded([symmetric(4)] * 3), 0.4)
    second = second_along(matrices, elements, step)
    h, lowest = 1e-4, lowest_of(matrices)

    def slope(x):
        _, parts = slopes_by_quadrature(matrices + x * step[0], elements + x * step[1], S + x * step[2], lowest)
        return sum(np.sum(part * direction) for part, direction in zip(parts, step, strict=True))

    np.testing.assert_allclose(second, (slope(h) - slope(-h)) / (2 * h), rtol=1e-6)


@jax.jit
def second_along(matrices, elements, step):
    def along(x):
        return summed(matrices + x * step[0], elements + x * step[1], S + x * step[2])

    return jax.grad(jax.grad(along))(0.0)


def test_single_precision():
    _, matrices, elements = EXAMPLES[0]
    low = [x.astype(jnp.float32) for x in (matrices, elements, jnp.asarray(S))]
    for one, other in zip(
        jax.tree_util.tree_leaves(slopes(*low)), jax.tree_util.tree_leaves(slopes(matrices, elements, S)), strict=True
    ):
        assert one.dtype == jnp.float32
        np.testing.assert_allclose(one, other, atol=1e-4 * np.max(np.abs(other)))
