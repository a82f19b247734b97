"""Bit flips of a vector as reversals of the axes of a tensor, many of them in one pass.

Read with an axis of two for each bit that is flipped or decides a sign, and one axis for each run of other bits, a vector `v` has
`v[s ^ x]` as its reversal along the axes of `x`. The compiler makes nested loops of a sum of such tensors, with contiguous inner
ones, and runs at the speed of memory; of flat indices and of tables of indices it makes single loads.

It does so where that tensor is what the loops write. Joined to what is done with the sum, over flat indices, they would be three
times slower on a CPU, so there each pass is a branch (`jax.lax.cond`), which is compiled for itself; that it is always taken is
kept from the compiler.

The tensor is part of the program. With more flips than `FLIPS` the time to compile would grow; what is left is gathered.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from jaxgibbs.linalg import matmul

FLIPS = 48
# Above ten, flips of single bits take 1.2 s to compile instead of 0.4 s, and any take 2.7 s above two dozen.
_FLIPS_PER_PASS = 10
_SIGN_BITS = 6  # a table of signs has at most 2^6 entries
_ENTRIES = 1024  # of all tables together, which are a constant of the program for each string


class AxisFlip(NamedTuple):
    """Strings with the same flips, as axes of the tensor.

    Attributes:
        axes: that are reversed.
        signs: shape of the table of signs: 2 along the axes that decide, 1 along all others.
        entries: which of all weights are that table.
    """

    axes: tuple[int, ...]
    signs: tuple[int, ...]
    entries: slice


class AxisFlips:
    """Strings that few bits decide the signs of, by their flips; static, from the masks alone.

    Args:
        sites: number of bits; a vector has `2^sites` entries.
        chosen: which strings may be taken.
        x: flips of each string.
        z: signs of each string.

    Attributes:
        taken: which were.
        signs: `signs @ coefficients[taken]` are the tables of all flips, one after the other.
        shape: of the tensor.
        passes: the flips of each.
    """

    def __init__(self, sites: int, chosen: np.ndarray, x: np.ndarray, z: np.ndarray):
        self.taken, used, entries, groups = np.zeros(len(x), bool), 0, 0, []
        for flip in map(int, np.unique(x[chosen])):
            strings = np.flatnonzero(chosen & (x == flip))
            deciding = int(np.bitwise_or.reduce(z[strings]))
            size = 1 << deciding.bit_count()
            if size <= 1 << _SIGN_BITS and len(groups) < FLIPS and entries + size <= _ENTRIES:
                groups.append((flip, deciding, strings))
                self.taken[strings] = True
                used, entries = used | flip | deciding, entries + size
        self.shape, axis_of = _axes(sites, used)
        flips, tables = [], [np.zeros((0, len(x)), np.int8)]
        for flip, deciding, strings in groups:
            bits = [bit for bit in axis_of if deciding >> bit & 1]
            target = np.zeros(1, int)
            for bit in bits:
                target = (target[:, None] | np.array([0, 1 << bit])).ravel()
            # the string acts on the state that it takes, which is the target with the bits flipped
            odd = np.bitwise_count((target ^ flip)[:, None] & z[strings]) & 1
            table = np.zeros((len(target), len(x)), np.int8)
            table[:, strings] = 1 - 2 * odd.astype(np.int8)
            first = sum(map(len, tables))
            signs = [1] * len(self.shape)
            for bit in bits:
                signs[axis_of[bit]] = 2
            axes = tuple(axis for bit, axis in axis_of.items() if flip >> bit & 1)
            flips.append(AxisFlip(axes, tuple(signs), slice(first, first + len(table))))
            tables.append(table)
        self.signs = np.concatenate(tables)[:, self.taken]
        count = -(-len(flips) // _FLIPS_PER_PASS)
        self.passes = [flips[len(flips) * k // count : len(flips) * (k + 1) // count] for k in range(count)]

    def weights(self, coefficients: Inexact[Array, " strings"]) -> Inexact[Array, " weights"]:
        """The tables of signs, times the coefficients of the strings."""
        return matmul(jnp.asarray(self.signs).astype(coefficients.dtype), coefficients[np.flatnonzero(self.taken)])

    def added(
        self, others: Callable, vector: Inexact[Array, "..."], weights: Inexact[Array, " weights"]
    ) -> Inexact[Array, "..."]:
        """`others(vector)` and the product of the strings taken with `vector`, in the shape of `vector`.

        Nothing is kept for the way back but the inputs.
        """
        total, always = None, jax.lax.optimization_barrier(jnp.asarray(True))
        for flips in self.passes:

            @jax.checkpoint
            def flipped(vector, weights, flips=flips):
                tensor = vector.reshape(self.shape)
                return sum(jax.lax.rev(tensor, f.axes) * weights[f.entries].reshape(f.signs) for f in flips)

            def passed(total, vector, weights, flipped=flipped):
                before = others(vector) if total is None else total
                return before.reshape(self.shape) + flipped(vector, weights)

            def never(total, vector, weights):
                return jnp.full(self.shape, jnp.nan, vector.dtype)

            def alone(total, vector, weights, passed=passed, never=never):
                return jax.lax.cond(always, passed, never, total, vector, weights)

            total = jax.lax.platform_dependent(total, vector, weights, cpu=alone, default=passed)
        return others(vector) if total is None else total.reshape(vector.shape)


def _axes(sites: int, used: int) -> tuple[tuple[int, ...], dict[int, int]]:
    """Shape of the tensor, and the axis of each bit that is used, the first bit first; runs of other bits are one axis each."""
    shape, axis_of, run = [], {}, 1
    for bit in reversed(range(sites)):
        if used >> bit & 1:
            shape += [run, 2] if run > 1 else [2]
            axis_of[bit], run = len(shape) - 1, 1
        else:
            run *= 2
    return (*shape, run) if run > 1 else tuple(shape), axis_of
