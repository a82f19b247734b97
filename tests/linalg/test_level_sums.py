"""Batches of short sums go level by level: they are the sums over all levels at once, at every temperature."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgibbs.linalg import exponential_family as family
from jaxgibbs.linalg.hermitian import Decomposition
from jaxgibbs.linalg.levels import LevelSums, LevelSumsInTurn

SLOPES = np.array([-np.inf, -1e30, -40.0, -1.0, -1e-9, -0.0, 0.0, 1e-9, 0.3, 7.0, 1e30, np.inf, np.nan])


def everything(kind, s, levels):
    sums = kind(s, levels)
    return jnp.stack(
        [sums.log_trace, sums.log_shifted, sums.mean, sums.excess, sums.entropy, sums.heat_capacity]
        + [sums.central_moment(order) for order in (2, 3)]
    )


@functools.cache
def compiled(kind):
    return jax.jit(jax.vmap(functools.partial(everything, kind), (0, None)))


@pytest.mark.parametrize(
    ("dim", "dtype"),
    [(1, np.float64), (5, np.float32), (27, np.float64), pytest.param(16, np.float64, marks=pytest.mark.slow)],
)
def test_in_turn_and_at_once_agree(dim, dtype):
    rng = np.random.default_rng(dim)
    eps, slopes = np.finfo(dtype).eps, SLOPES.astype(dtype)
    degenerate = np.sort(np.append(rng.normal(size=(dim + 1) // 2), rng.integers(-1, 2, size=dim // 2)))
    near = degenerate * (1 + 8 * eps * rng.integers(-1, 2, size=dim))
    for levels in (degenerate, near, degenerate[::-1] + 1e3, np.zeros(dim)):
        levels = levels.astype(dtype)
        found, expected = (np.asarray(compiled(kind)(slopes, levels)) for kind in (LevelSumsInTurn, LevelSums))
        assert found.dtype == dtype
        # The same terms in another order; those of the third moment have both signs.
        size = np.max(np.abs(levels - levels[0]), initial=1)
        rounding = 8 * dim * np.array([0, 0, 0, 0, 0, 0, (eps * size) ** 2, eps * size**3])
        close = np.isclose(found, expected, rtol=8 * dim * eps, atol=rounding, equal_nan=True)
        assert close.all(), (found[~close], expected[~close])


def test_low_temperatures_keep_their_relative_accuracy():
    levels = jnp.array([0.0, 1.0, 1.5])
    found = np.asarray(compiled(LevelSumsInTurn)(jnp.array([-60.0, -300.0]), levels))
    weight = np.exp(-60.0) + np.exp(-90.0), np.exp(-300.0) + np.exp(-450.0)
    np.testing.assert_allclose(found[:, 1], weight, rtol=1e-14)  # ln(1 + w)
    np.testing.assert_allclose(found[:, 3], weight, rtol=1e-12)


@pytest.mark.parametrize("dim", [4, 200])
def test_a_batch_of_matrices_has_the_quantities_of_each(dim):
    rng = np.random.default_rng(0)
    stack, slopes = rng.normal(size=(3, dim)), np.linspace(-2, 3, 20)

    def heat_capacity(s, levels):
        return family.heat_capacity(s, (Decomposition(jnp.zeros((dim, dim)), levels, None),))

    batch = jax.jit(jax.vmap(jax.vmap(heat_capacity, (0, None)), (None, 0)))(slopes, stack)
    alone = jax.jit(heat_capacity)
    np.testing.assert_allclose(batch, [[alone(s, levels) for s in slopes] for levels in stack], rtol=1e-13)
