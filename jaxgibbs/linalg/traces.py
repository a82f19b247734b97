"""Random vectors `r` with mean `r r^dagger = 1`, so that the mean of `<r|B|r>` is a trace, and the errors of such means.

Probe `index` is drawn from a key of its own, folded in from the one given: it is the same vector however many probes there
are, in whatever batches and on whatever devices they are drawn.

The variance of `<r|B|r>` for Hermitian `B` (Hutchinson 1990; Iitaka & Ebisuzaki 2004): of phases `||B||_F^2 - sum_i B_ii^2`,
twice that for real signs; on the complex sphere `d (||B||_F^2 - (Tr B)^2 / d) / (d + 1)`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact, Int, PyTree


def random_phases(key: Array, index: Int[Array, ""], dim: int, dtype) -> Inexact[Array, " dim"]:
    """A vector of independent signs `+-1`, or of `1, i, -1, -i` for a complex dtype: `|r_i| = 1`.

    Args:
        key: PRNG key shared by all probes.
        index: number of the probe.
        dim: length.
        dtype: real or complex floating.
    """
    key = jax.random.fold_in(key, index)
    if not jnp.issubdtype(dtype, jnp.complexfloating):
        return jax.random.rademacher(key, (dim,), dtype)
    return jnp.asarray([1, 1j, -1, -1j], dtype)[jax.random.randint(key, (dim,), 0, 4)]


def random_sphere(key: Array, index: Int[Array, ""], dim: int, dtype) -> Inexact[Array, " dim"]:
    """A vector of norm `sqrt(dim)` in a direction without preference; arguments as for `random_phases`."""
    vector = jax.random.normal(jax.random.fold_in(key, index), (dim,), dtype)
    return vector * (jnp.sqrt(jnp.asarray(dim, vector.real.dtype)) / jnp.linalg.norm(vector)).astype(dtype)


def unit_vectors(key: Array, index: Int[Array, ""], dim: int, dtype) -> Inexact[Array, " dim"]:
    """Nothing random: `sqrt(dim)` times the unit vector `index mod dim`. With `dim` of them the trace is exact."""
    del key
    return jnp.sqrt(jnp.asarray(dim, dtype)) * (jnp.arange(dim) == index % dim)


def jackknife(function: Callable[[PyTree], PyTree], samples: PyTree) -> PyTree:
    """The standard error of `function(mean of samples)`, NaN for one sample.

    Each sample is left out in turn: `sigma^2 = (R - 1) / R sum_r (f_r - mean f)^2` (Efron & Stein 1981). Right for ratios
    and logarithms of means, whose bias is smaller by `1 / sqrt(R)`.

    Args:
        function: of a pytree of means, to a pytree of arrays.
        samples: a pytree of arrays with one leading axis of `R` independent samples.
    """
    count = jax.tree_util.tree_leaves(samples)[0].shape[0]
    if count == 1:
        means = jax.tree_util.tree_map(lambda x: x[0], samples)
        return jax.tree_util.tree_map(lambda x: jnp.full_like(x, jnp.nan), function(means))
    without = jax.tree_util.tree_map(lambda x: (jnp.sum(x, axis=0) - x) / (count - 1), samples)
    values = jax.vmap(function)(without)

    def spread(x):
        deviation = x - jnp.mean(x, axis=0)
        return jnp.sqrt((count - 1) / count * jnp.sum(deviation**2, axis=0))

    return jax.tree_util.tree_map(spread, values)
