"""How large a sample is: what is drawn at first, and what is added until an accuracy is met.

Of a sample of `R` probes the error of `ln Z` is known, so how many more are needed is too. Where few states carry the weight,
more probes are the wrong means: these states are found one by one and summed exactly.
"""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgibbs._errors import check_room
from jaxgibbs.linalg import random_phases
from jaxgibbs.linalg.chebyshev import Bounds, bounds_and_ground
from jaxgibbs.linalg.traces import jackknife
from jaxgibbs.operators import AbstractOperator

from .deflation import extreme_levels, no_levels
from .lanczos import Lanczos, Sizes
from .layout import checked_layout, largest_part
from .moments import moments, reference
from .quadrature import Levels, Nodes, Probes, gauss_nodes

_VECTORS = 7  # at the peak of a run: XLA asks for 6.15 in dimension 2^30
_FIRST = Sizes(8, 30, (0, 0))  # of eight the spread is known to a quarter
_FEW_STATES = 16  # that carry the weight: fewer are better found than sampled
_TOGETHER = 4  # levels looked for at once
_PRICE = 300  # products with H that it takes to find a level
_AT_ONCE = 4  # times the probes there are: of few the spread is not known well
_MARGIN = 1.2  # in the number of probes, for what is not known of their spread


def check_memory(operator: AbstractOperator, method: Lanczos, vectors: int) -> None:
    """Refuse what cannot fit, before the compiler does without saying what would."""
    check_room(
        f"Lanczos quadrature in dimension {operator.dim} must have room for {vectors} vectors",
        vectors * largest_part(operator.dim, method.sharding),
        operator.dtype,
        "use float32 couplings, fewer sites, or a device with more memory",
    )


def peak_vectors(levels: int) -> int:
    """How many vectors of the operator's dimension there are at once."""
    return _VECTORS + levels


@eqx.filter_jit
def bounded(operator: AbstractOperator, key: Array) -> tuple[Bounds, Float[Array, ""]]:
    """An interval that holds the spectrum, and about its lowest level, from a random vector; without derivatives."""
    operator = jax.lax.stop_gradient(operator)
    start = random_phases(jax.random.fold_in(key, 2**31), jnp.asarray(0), operator.dim, operator.dtype)
    return jax.lax.stop_gradient(bounds_and_ground(operator.linear_map(), start))


@eqx.filter_jit
def _levels(operator, method: Lanczos, ends: tuple[int, ...], found: Levels) -> Levels:
    return extreme_levels(operator, ends, jax.random.fold_in(method.key, 2**31), found, method.sharding)


@eqx.filter_jit
def _probed(operator, probes: Probes, depth: int, levels: Levels, first) -> Nodes:
    return gauss_nodes(operator, probes, depth, levels, first)


def drawn(operator: AbstractOperator, method: Lanczos, sizes: Sizes) -> Nodes:
    """A sample of these sizes."""
    operator = jax.lax.stop_gradient(operator)
    lowest, highest = (min(count, operator.dim // 2) for count in sizes.deflation)
    checked_layout(method.sharding, operator.dim)
    check_memory(operator, method, peak_vectors(lowest + highest))
    levels = no_levels(operator)
    if lowest + highest:
        levels = _levels(operator, method, (1,) * lowest + (-1,) * highest, levels)
    probes = Probes(method.key, sizes.probes, method.distribution, method.sharding)
    return _probed(operator, probes, min(sizes.depth, operator.dim), levels, 0)


def first_sizes(method: Lanczos, looking: bool) -> Sizes:
    """Of a sample that will grow where it falls short (`looking`), or that has to do."""
    return method.sizes(_FIRST if looking and method.accuracy is not None else None)


class _Judged(NamedTuple):
    error: Array
    systematic: Array
    states: Array
    sampled_states: Array
    is_complete: Array


@eqx.filter_jit
def _judged(s: Float[Array, ""], nodes: Nodes) -> _Judged:
    """The errors of `ln Z`, and how many states carry the weight: `Z(beta)^2 / Z(2 beta)`, in all and among those sampled."""
    once, twice = (moments(1, t, None, nodes) for t in (s, 2 * s))
    change = log_partition_change(s, nodes)
    sampled = jnp.mean(once.probes) ** 2 / jnp.mean(twice.probes)
    states = once.total()[0] ** 2 / twice.total()[0]
    return _Judged(jackknife(jnp.log, once.samples()[:, 0]), change, states, sampled, nodes.is_complete(s))


def log_partition_change(s: Float[Array, ""], nodes: Nodes) -> Float[Array, ""]:
    """How much `ln Z` changes when the Krylov spaces are smaller by a sixth."""
    shorter = shortened(nodes)
    values = []
    for n in (nodes, shorter):
        zero, total = reference(s, n), moments(1, s, None, n).total()[0]
        values.append((zero, jnp.log(total)))
    (zero, log_z), (other, shorter_log_z) = values
    shift = jnp.where(zero == other, 0, s * jnp.where(zero == other, 1, zero - other))
    return jnp.where(is_whole(shorter), 0, jnp.abs(log_z - shorter_log_z + shift))


def shortened(nodes: Nodes) -> Nodes:
    """What Krylov spaces smaller by a sixth would have found."""
    return nodes.leading(max(1, nodes.depth - max(1, nodes.depth // 6)))


def is_whole(nodes: Nodes):
    """Whether all Krylov spaces are invariant: nothing lies beyond them."""
    return jnp.all(jnp.any(nodes.tridiagonal.off_diagonal == 0, axis=1))


def refined(operator: AbstractOperator, nodes: Nodes, method: Lanczos, wanted: float, s: float) -> Nodes:
    """`nodes`, with what is missing for `ln Z` at `s` to be as accurate as is `wanted`, within the limits of the method.

    Probes are added to those there are. A larger depth, or more levels deflated, begin them anew.
    """
    operator = jax.lax.stop_gradient(operator)
    at = jnp.asarray(s, nodes.values.dtype)
    most_depth = min(method.max_depth, operator.dim)
    sizes = Sizes(nodes.probes.count, nodes.depth, _ends(nodes))
    end = 0 if s < 0 else 1
    most_levels = min(method.max_deflation, operator.dim - sizes.deflation[1 - end])
    while True:
        error, systematic, states, sampled_states, is_complete = (x.item() for x in _judged(at, nodes))
        there, may_deflate = sizes.deflation[end], method.deflation is None
        if math.isinf(s):  # exact where all states of the edge are known, and else not to be had by probes
            error, systematic = 0.0, 0.0
        needed = sizes.probes if error <= wanted else _needed(sizes.probes, error / wanted, method.max_probes)
        if may_deflate and there < most_levels:
            cost = sizes.probes * ((error / wanted) ** 2 - 1) * sizes.depth
            frozen = not there and s != 0 and (states < _FEW_STATES or math.isinf(s))
            helps = there and sampled_states < _FEW_STATES and cost > _PRICE * there
            if frozen or helps or (there and math.isinf(s) and not is_complete):
                more = min(max(_TOGETHER, there), most_levels - there)
                nodes, sizes = _deflated(operator, nodes, method, sizes, end, more)
                continue
        if systematic > wanted and method.depth is None and sizes.depth < most_depth:
            sizes = sizes._replace(depth=min(2 * sizes.depth, most_depth))
            nodes = _again(operator, nodes.levels, method, sizes)
        elif needed > sizes.probes and method.probes is None:
            nodes = _grown(operator, nodes, method, needed)
            sizes = sizes._replace(probes=nodes.probes.count)
        else:
            return nodes


def _ends(nodes: Nodes) -> tuple[int, int]:
    lowest = sum(end > 0 for end in nodes.levels.ends)
    return lowest, len(nodes.levels.ends) - lowest


def _needed(probes: int, ratio: float, most: int) -> int:
    """How many probes there must be for an error `ratio` times smaller, in whole groups; not many more than there are."""
    wanted = probes * ratio**2 * _MARGIN if math.isfinite(ratio) else 2 * probes
    groups = math.ceil(min(wanted, most, _AT_ONCE * probes) / _FIRST.probes)
    return max(min(groups * _FIRST.probes, most), probes)


def _deflated(operator, nodes: Nodes, method: Lanczos, sizes: Sizes, end: int, more: int) -> tuple[Nodes, Sizes]:
    counts = list(sizes.deflation)
    counts[end] += more
    check_memory(operator, method, peak_vectors(sum(counts)))
    levels = _levels(operator, method, (1 - 2 * end,) * more, nodes.levels)
    # Begun anew with few: what is left is less, and its spread is not that of the whole.
    sizes = Sizes(first_sizes(method, True).probes, sizes.depth, (counts[0], counts[1]))
    return _again(operator, levels, method, sizes), sizes


def _again(operator, levels: Levels, method: Lanczos, sizes: Sizes) -> Nodes:
    few = min(sizes.probes, _FIRST.probes) if method.probes is None else sizes.probes
    nodes = _probed(operator, Probes(method.key, few, method.distribution, method.sharding), sizes.depth, levels, 0)
    return _grown(operator, nodes, method, sizes.probes)


def _grown(operator, nodes: Nodes, method: Lanczos, count: int) -> Nodes:
    """With further probes, a group at a time: one compilation serves all groups."""
    while nodes.probes.count < count:
        group = Probes(method.key, min(_FIRST.probes, count - nodes.probes.count), method.distribution, method.sharding)
        following = _probed(operator, group, nodes.depth, nodes.levels, jnp.asarray(nodes.probes.count))
        nodes = nodes.and_those_of(following)
    return nodes
