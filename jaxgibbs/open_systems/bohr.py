"""Bohr frequencies in clusters, and the eigenbasis of a Hamiltonian with its derivatives at fixed clustering.

Two transitions with one Bohr frequency act as one collective jump, two with different ones as two, however close: a generator in
the secular approximation jumps where a perturbation pulls them apart, and has no derivative there. In any other direction it
has derivatives of every order: those of perturbation theory between different levels.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Inexact, Int

from jaxgibbs.linalg import dagger, matmul
from jaxgibbs.linalg.reverse_marks import nan_in_reverse
from jaxgibbs.linalg.undefined import nan_if_defective
from jaxgibbs.operators import AbstractOperator


def bohr_clusters(levels: Float[Array, " dim"], tolerance: Float[Array, ""] | float) -> Int[Array, "dim dim"]:
    """The number of the cluster of `w_ij = E_j - E_i`, the energy given off in `|j> -> |i>`.

    Sorted frequencies with gaps of at most `tolerance` are linked. Clusters are numbered by frequency; `-k` mirrors `k`, and 0
    holds the populations, the frequency 0.

    Args:
        levels: energies in ascending order.
        tolerance: in the unit of `levels`.
    """
    gaps = jnp.triu(levels[None, :] - levels[:, None]).ravel()  # zeros below the diagonal join cluster 0
    order = jnp.argsort(gaps)
    opens = jnp.diff(gaps[order], prepend=jnp.zeros(1, gaps.dtype)) > tolerance
    numbers = jnp.cumsum(opens).astype(jnp.int32)
    clusters = jnp.zeros(gaps.shape, jnp.int32).at[order].set(numbers).reshape(levels.size, levels.size)
    return clusters - clusters.T


@jax.jit
def cluster_frequencies(
    levels: Float[Array, " dim"], clusters: Int[Array, "dim dim"], driven: Bool[Array, "dim dim"]
) -> Float[Array, "dim dim"]:
    """The mean of `E_j - E_i` in the cluster of `(i, j)`: over its driven transitions, or over all if none is."""
    return _averaged(levels[None, :] - levels[:, None], clusters, driven)


def _averaged(differences, clusters, driven):
    dim = differences.shape[-1]
    offset = dim * (dim - 1) // 2

    def total(values):
        return jax.ops.segment_sum(values.ravel(), (clusters + offset).ravel(), 2 * offset + 1)[clusters + offset]

    weights = driven.astype(differences.dtype)
    weights = jnp.where(total(weights) > 0, weights, 1)
    means = total(weights * differences) / total(weights)
    return jnp.where(clusters == 0, 0, (means - means.T) / 2)  # mirrored to the last digit


@eqx.filter_custom_jvp
def eigenbasis(
    hamiltonian: AbstractOperator,
    levels: Float[Array, " dim"],
    vectors: Inexact[Array, "dim dim"],
    clusters: Int[Array, "dim dim"],
    driven: Bool[Array, "dim dim"],
) -> tuple[Float[Array, " dim"], Inexact[Array, "dim dim"]]:
    """`levels` and `vectors`, the decomposition of `hamiltonian`, with their derivatives in it at fixed clustering.

    Perturbation theory, `dE_i = <i|dH|i>` and `dU = U X` with `X_ij = <i|dH|j> / (E_j - E_i)` between levels and 0 inside one:
    of use where no answer depends on the choice of vectors inside a level. Derivatives are NaN where the perturbation splits
    a level, or shifts driven transitions of one cluster differently. In reverse mode, where the perturbation is not known,
    they are NaN for each coupling of the Hamiltonian that does so, alone or, in second order, together with another one, and
    for a leaf of many numbers, such as a matrix, if any of its perturbations does. Reverse mode of third order sees no more, and
    reverse over forward mode (`jax.jacrev` of `jax.jacfwd`) is NaN throughout where one coupling does so: 0 times NaN is NaN.
    """
    del hamiltonian, clusters, driven
    return levels, vectors


@eigenbasis.def_jvp
def _eigenbasis_jvp(primals, tangents):
    hamiltonian, _, _, clusters, driven = primals
    levels, vectors = eigenbasis(*primals)
    tangent = _watched(tangents[0], hamiltonian, levels, vectors, clusters, driven)
    return (levels, vectors), _pushed(tangent, hamiltonian, levels, vectors, clusters, driven)


def _pushed(tangent, hamiltonian, levels, vectors, clusters, driven):
    """The derivatives of `levels` and `vectors` along `tangent`, NaN where there are none."""
    matrix = eqx.filter_jvp(lambda h: h.to_dense(), (hamiltonian,), (tangent,))[1]
    direction = matmul(matmul(dagger(vectors), ((matrix + dagger(matrix)) / 2).astype(vectors.dtype)), vectors)
    direction = nan_if_defective(direction, _defects(direction, clusters, driven))
    gaps = levels[None, :] - levels[:, None]
    inverse = jnp.where(clusters == 0, 0, 1 / jnp.where(clusters == 0, 1, gaps))
    d_levels = jnp.diagonal(direction).real.astype(levels.dtype)
    return d_levels, matmul(vectors, (inverse * direction).astype(vectors.dtype))


def _defects(direction, clusters, driven):
    """What must vanish for no cluster to split: elements inside a level, and differences of shifts inside a cluster."""
    slopes = jnp.diagonal(direction).real
    shifts = slopes[None, :] - slopes[:, None]
    level = clusters == 0
    inside = jnp.where(level & ~jnp.eye(slopes.size, dtype=bool), direction, 0)
    differences = jnp.where(driven | level, shifts - _averaged(shifts, clusters, driven), 0)
    return jnp.stack([inside, differences.astype(inside.dtype)])


class _Splittings(NamedTuple):
    """Judges which perturbations of a Hamiltonian split a cluster; a point is its arrays and what `eigenbasis` takes besides."""

    arrays: Any  # the structure of what of the Hamiltonian are arrays
    rest: Any  # that of what are none
    others: tuple[Any, ...]

    def _read(self, point):
        *leaves, levels, vectors, clusters, driven = point
        hamiltonian = eqx.combine(self.arrays.unflatten(leaves), self.rest.unflatten(self.others))
        return hamiltonian, levels, vectors, clusters, driven

    def _tangent(self, direction):
        return self.arrays.unflatten([direction.get(k) for k in range(self.arrays.num_leaves)])

    def first(self, point, u):
        return jnp.any(jnp.isnan(_pushed(self._tangent(u), *self._read(point))[0]))

    def second(self, point, u, v):
        hamiltonian, levels, vectors, *clusters = self._read(point)
        along_u, along_v = self._tangent(u), self._tangent(v)
        moved = _pushed(along_v, hamiltonian, levels, vectors, *clusters)
        _, change = eqx.filter_jvp(
            lambda *place: _pushed(along_u, *place, *clusters), (hamiltonian, levels, vectors), (along_v, *moved)
        )
        return jnp.any(jnp.isnan(change[0]))


def _watched(tangent, hamiltonian, levels, vectors, clusters, driven):
    """`tangent`, marked for reverse mode in the leaves that split a cluster."""
    arrays, rest = eqx.partition(hamiltonian, eqx.is_array)
    leaves, structure = jax.tree_util.tree_flatten(arrays)
    others, structure_of_rest = jax.tree_util.tree_flatten(rest)
    moving = {k: leaf for k, leaf in enumerate(structure.flatten_up_to(tangent)) if leaf is not None}
    judge = _Splittings(structure, structure_of_rest, tuple(others))
    marked = nan_in_reverse(judge, [*leaves, levels, vectors, clusters, driven], moving)
    return structure.unflatten([marked.get(k) for k in range(len(leaves))])
