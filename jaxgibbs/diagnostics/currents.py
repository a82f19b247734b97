"""Classical detailed balance: currents, cycles and their affinities, of a matrix of transition rates.

`W_ij` is the rate from state `j` to state `i`; columns sum to zero, and only elements off the diagonal are read.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import check_finite, is_concrete, nan_unless
from jaxgibbs.operators.base import inexact

Cycle = tuple[int, ...]


def checked_rates(rates: ArrayLike) -> Float[Array, "dim dim"]:
    """A matrix of rates, refused unless square, finite and not negative off the diagonal; negative ones are NaN in a trace."""
    rates = inexact(rates)
    if rates.ndim != 2 or rates.shape[0] != rates.shape[1] or jnp.iscomplexobj(rates):
        raise ValueError(f"`rates` must be a real square matrix, but has shape {rates.shape} and dtype {rates.dtype}.")
    check_finite("rates", rates)
    between = rates * (1 - jnp.eye(rates.shape[0], dtype=rates.dtype))
    if is_concrete(between) and np.any(np.asarray(between) < 0):
        raise ValueError(
            f"`rates` must not be negative off the diagonal, but the lowest is {np.min(between):.3g}; `rates[i, j]` is the "
            "rate from `j` to `i`."
        )
    return nan_unless(between >= 0, between)


def _vector(name: str, values, rates) -> Array:
    values = jnp.asarray(values).astype(jnp.result_type(inexact(values), rates))
    if values.shape != rates.shape[:1]:
        raise ValueError(f"`{name}` must have one entry a state, {rates.shape[0]}, but has shape {values.shape}.")
    return values


def currents(rates: Float[ArrayLike, "dim dim"], populations: Float[ArrayLike, " dim"]) -> Float[Array, "dim dim"]:
    """`J_ij = W_ij p_j - W_ji p_i`, the net flow from `j` to `i`; antisymmetric, zero in detailed balance.

    Args:
        rates: `W_ij` from `j` to `i`; the diagonal is not read.
        populations: `p`, of shape `(dim,)`.

    Raises:
        ValueError: if `rates` is not square, finite and non-negative off the diagonal, or the shapes differ.
    """
    rates = checked_rates(rates)
    flow = rates * _vector("populations", populations, rates)[None, :]
    return flow - flow.T


def cycles_of(rates: Float[ArrayLike, "dim dim"]) -> tuple[Cycle, ...]:
    """Fundamental cycles of the graph of transitions, one for each edge outside a spanning tree; of concrete rates.

    Args:
        rates: `W_ij` from `j` to `i`; two states are joined where either rate is positive.

    Raises:
        ValueError: if the rates are traced, or misused as for `currents`.

    Reference: Schnakenberg, Rev. Mod. Phys. 48, 571 (1976).
    """
    matrix = checked_rates(rates)
    if not is_concrete(matrix):
        raise ValueError(
            "`rates` must have known values, but is traced; find the cycles outside `jit` and pass them on."
        )
    joined = np.asarray((matrix > 0) | (matrix.T > 0))
    dim = len(joined)
    parent = {}
    for start in range(dim):
        if start in parent:
            continue
        parent[start] = start
        queue = [start]
        for node in queue:
            for other in np.flatnonzero(joined[node]).tolist():
                if other not in parent:
                    parent[other] = node
                    queue.append(other)
    found = []
    for i in range(dim):
        for j in range(i + 1, dim):
            if joined[i, j] and parent[i] != j and parent[j] != i:
                found.append(_cycle(i, j, parent))
    return tuple(found)


def _cycle(i: int, j: int, parent: dict[int, int]) -> Cycle:
    """From `i` to `j` through the tree; the chord closes it."""

    def to_root(node):
        path = [node]
        while parent[path[-1]] != path[-1]:
            path.append(parent[path[-1]])
        return path

    left, right = to_root(i), to_root(j)
    meeting = next(node for node in left if node in right)
    return (*left[: left.index(meeting) + 1], *reversed(right[: right.index(meeting)]))


def cycle_affinities(
    rates: Float[ArrayLike, "dim dim"], cycles: tuple[Cycle, ...] | None = None
) -> Float[Array, " cycles"]:
    """`A = ln prod W_forward / W_backward` of each cycle: what drives it, in units of the temperature.

    All vanish in detailed balance (Kolmogorov). Infinite where a step has no reverse.

    Args:
        rates: `W_ij` from `j` to `i`.
        cycles: tuples of states, each visited in order and then back to the first; those of `cycles_of` by default.

    Raises:
        ValueError: if a cycle has fewer than three states or one that is not there, or `rates` are misused or, with no
            `cycles`, traced.
    """
    between = checked_rates(rates)
    cycles = cycles_of(rates) if cycles is None else tuple(tuple(cycle) for cycle in cycles)
    for cycle in cycles:
        if len(cycle) < 3 or not all(0 <= state < between.shape[0] for state in cycle):
            raise ValueError(
                f"A cycle must have three or more of the states 0 ... {between.shape[0] - 1}, but is {cycle}."
            )
    affinities = []
    for cycle in cycles:
        start, end = np.array(cycle), np.roll(cycle, -1)
        affinities.append(jnp.sum(jnp.log(between[end, start]) - jnp.log(between[start, end])))
    return jnp.stack(affinities) if affinities else jnp.zeros(0, between.dtype)


def kolmogorov_defect(rates: Float[ArrayLike, "dim dim"], cycles: tuple[Cycle, ...] | None = None) -> Float[Array, ""]:
    """The largest `|A|` of any fundamental cycle; 0 exactly where some distribution is in detailed balance.

    Arguments and errors as for `cycle_affinities`. Reference: Kolmogorov, Math. Ann. 112, 155 (1936).
    """
    return jnp.max(jnp.abs(cycle_affinities(rates, cycles)), initial=0)


def entropy_production(rates: Float[ArrayLike, "dim dim"], populations: Float[ArrayLike, " dim"]) -> Float[Array, ""]:
    """`sum_{i<j} J_ij ln(W_ij p_j / W_ji p_i) >= 0`, in nats per time; infinite where a flow has no reverse.

    Arguments and errors as for `currents`. Reference: Schnakenberg, Rev. Mod. Phys. 48, 571 (1976).
    """
    rates = checked_rates(rates)
    flow = rates * _vector("populations", populations, rates)[None, :]
    both = (flow > 0) & (flow.T > 0)
    forth, back = jnp.where(both, flow, 1), jnp.where(both, flow.T, 1)
    one_way = jnp.any((flow > 0) & ~both)
    total = jnp.sum((forth - back) * (jnp.log(forth) - jnp.log(back))) / 2
    return jnp.where(one_way, jnp.inf, total)


def effective_temperatures(
    rates: Float[ArrayLike, "dim dim"], energies: Float[ArrayLike, " dim"]
) -> Float[Array, "dim dim"]:
    """`T_ij = (E_j - E_i) / ln(W_ij / W_ji)`, the temperature that one pair of rates obeys; all are equal in equilibrium.

    Negative for an inverted pair, infinite for equal rates, 0 where nothing goes up; NaN for levels of equal energy or without
    a transition between them.

    Args:
        rates: `W_ij` from `j` to `i`.
        energies: of the states, shape `(dim,)`.

    Raises:
        ValueError: if `rates` is not square, finite and non-negative off the diagonal, or the shapes differ.
    """
    rates = checked_rates(rates)
    energies = _vector("energies", energies, rates)
    gaps = energies[None, :] - energies[:, None]
    known = (gaps != 0) & ((rates > 0) | (rates.T > 0))
    forth, back = jnp.where(known, rates, 1), jnp.where(known, rates.T, 1)
    return nan_unless(known, gaps / (jnp.log(forth) - jnp.log(back)))
