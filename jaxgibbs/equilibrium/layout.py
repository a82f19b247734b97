"""How the probes of a run lie on devices: which device has which probes, and which part of each vector.

A layout is a `NamedSharding` of all probe vectors together, an array of shape `(probes, dim)`: its first axis gives probes to
devices, its second splits each vector. It is imposed where vectors are born; products, inner products and sums follow. Random
numbers do not depend on it: each is a function of the key, of the number of the probe and of its place in the vector alone.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree

Layout = NamedSharding | None  # `None`: all on one device


def checked_layout(layout: Layout, dim: int) -> None:
    """Refuse a layout that does not fit vectors of this length."""
    parts = devices(layout)[1]
    if dim % parts:
        raise ValueError(
            f"`sharding` must split vectors into equal parts, but the dimension is {dim} and it makes {parts}; use a mesh "
            "axis whose size divides the dimension."
        )


def devices(layout: Layout) -> tuple[int, int]:
    """How many groups of devices share the probes, and how many devices share a vector."""
    if layout is None:
        return 1, 1
    of_probes, of_vectors = (math.prod(layout.mesh.shape[name] for name in names) for names in _axes(layout))
    return of_probes, of_vectors


def largest_part(dim: int, layout: Layout) -> int:
    """How much of a vector one memory holds; the CPU devices of a process have one together."""
    parts = devices(layout)[1]
    return dim // (min(parts, jax.process_count()) if jax.default_backend() == "cpu" else parts)


def described(layout: Layout) -> str:
    """For a text: where the probes are, nothing where that goes without saying."""
    if layout is None:
        return ""
    groups, parts = devices(layout)
    plural = ("" if groups == 1 else "s", "" if parts == 1 else "s")
    return f", probes over {groups} group{plural[0]} of {parts} device{plural[1]} with a part of each vector"


def split_vectors(vectors: Array, layout: Layout) -> Array:
    """One vector, or several with axes before that of the space, each split as the layout says."""
    if layout is None:
        return vectors
    spec = (*[None] * (vectors.ndim - 1), _axes(layout)[1])
    return jax.lax.with_sharding_constraint(vectors, NamedSharding(layout.mesh, PartitionSpec(*spec)))


def on_every_device(tree: PyTree, layout: Layout) -> PyTree:
    """Copies of a few numbers for all devices."""
    if layout is None:
        return tree
    return jax.lax.with_sharding_constraint(tree, NamedSharding(layout.mesh, PartitionSpec()))


def map_probes(function: Callable, count: int, together: int, layout: NamedSharding) -> PyTree:
    """`function(index)` for every probe, on each group of devices for the next ones in order, `together` at once.

    Where groups do not divide the probes some groups compute probes that nobody asked for, and these are dropped.
    """
    names, groups = _axes(layout)[0], devices(layout)[0]
    rounds = -(-count // (groups * together))
    index = jnp.arange(groups * rounds * together).reshape(groups, rounds, together)

    def one_round(index):
        index = jax.lax.with_sharding_constraint(index, NamedSharding(layout.mesh, PartitionSpec(names)))
        return jax.vmap(jax.vmap(function), spmd_axis_name=names or None)(index)

    answers = jax.lax.map(one_round, jnp.swapaxes(index, 0, 1))
    return jax.tree_util.tree_map(lambda x: jnp.swapaxes(x, 0, 1).reshape(-1, *x.shape[3:])[:count], answers)


def _axes(layout: NamedSharding) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the mesh axes along which probes and vectors are split."""
    padded = (*layout.spec, None, None)[:2]
    of_probes, of_vectors = (
        () if part is None else (part,) if isinstance(part, str) else tuple(part) for part in padded
    )
    return of_probes, of_vectors
