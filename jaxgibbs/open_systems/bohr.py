"""Bohr frequencies in clusters, and the eigenbasis of a Hamiltonian with its derivatives at fixed clustering.

Two transitions with one Bohr frequency act as one collective jump, two with different ones as two, however close: a generator in
the secular approximation jumps where a perturbation pulls them apart, and has no derivative there. In any other direction it
has derivatives of every order: those of perturbation theory between different levels.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Inexact, Int

from jaxgibbs.linalg import dagger, matmul
from jaxgibbs.linalg.undefined import nan_if_defective, nan_in_reverse
from jaxgibbs.operators import AbstractOperator

_ONE_BY_ONE = 16  # so many couplings of a leaf are judged one by one, a larger leaf as a whole


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
    they are NaN for each coupling of the Hamiltonian that does so, and for a leaf of many numbers, such as a matrix, if any of
    its perturbations does.
    """
    del hamiltonian, clusters, driven
    return levels, vectors


@eigenbasis.def_jvp
def _eigenbasis_jvp(primals, tangents):
    hamiltonian, _, _, clusters, driven = primals
    levels, vectors = eigenbasis(*primals)
    tangent = _watched(tangents[0], *(jax.lax.stop_gradient(x) if eqx.is_array(x) else x for x in primals))
    direction = _direction(hamiltonian, tangent, vectors)
    direction = nan_if_defective(direction, _defects(direction, clusters, driven))
    gaps = levels[None, :] - levels[:, None]
    inverse = jnp.where(clusters == 0, 0, 1 / jnp.where(clusters == 0, 1, gaps))
    d_levels = jnp.diagonal(direction).real.astype(levels.dtype)
    return (levels, vectors), (d_levels, matmul(vectors, (inverse * direction).astype(vectors.dtype)))


def _direction(hamiltonian, tangent, vectors):
    """`<i|dH|j>`."""
    matrix = eqx.filter_jvp(lambda h: h.to_dense(), (hamiltonian,), (tangent,))[1]
    return matmul(matmul(dagger(vectors), ((matrix + dagger(matrix)) / 2).astype(vectors.dtype)), vectors)


def _defects(direction, clusters, driven):
    """What must vanish for no cluster to split: elements inside a level, and differences of shifts inside a cluster."""
    slopes = jnp.diagonal(direction).real
    shifts = slopes[None, :] - slopes[:, None]
    level = clusters == 0
    inside = jnp.where(level & ~jnp.eye(slopes.size, dtype=bool), direction, 0)
    differences = jnp.where(driven | level, shifts - _averaged(shifts, clusters, driven), 0)
    return jnp.stack([inside, differences.astype(inside.dtype)])


def _watched(tangent, hamiltonian, levels, vectors, clusters, driven):
    """`tangent`, marked for reverse mode in the leaves that split a cluster."""
    del levels
    hamiltonian = jax.tree_util.tree_map(
        lambda leaf: jax.lax.stop_gradient(leaf) if eqx.is_inexact_array(leaf) else leaf, hamiltonian
    )
    leaves, structure = jax.tree_util.tree_flatten(tangent, is_leaf=lambda leaf: leaf is None)

    def splits(number, perturbation):
        alone = structure.unflatten([perturbation if k == number else None for k in range(len(leaves))])
        direction = _direction(hamiltonian, alone, vectors)
        return jnp.any(jnp.isnan(nan_if_defective(direction, _defects(direction, clusters, driven))))

    marked = []
    for number, leaf in enumerate(leaves):
        if leaf is None:
            marked.append(leaf)
            continue
        if leaf.size <= _ONE_BY_ONE and not jnp.iscomplexobj(leaf):
            units = jnp.eye(leaf.size, dtype=leaf.dtype).reshape(leaf.size, *leaf.shape)
            bad = jax.vmap(lambda unit, number=number: splits(number, unit))(units).reshape(leaf.shape)
        else:  # a direction without any symmetry splits what any direction splits
            draws = np.random.default_rng(0).normal(size=(2, *leaf.shape))
            bad = splits(
                number,
                jnp.asarray(draws[0] + 1j * draws[1]).astype(leaf.dtype)
                if jnp.iscomplexobj(leaf)
                else jnp.asarray(draws[0], leaf.dtype),
            )
        marked.append(nan_in_reverse(bad, leaf))
    return structure.unflatten(marked)
