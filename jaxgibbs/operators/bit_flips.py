"""The product `H v` of a sum of Pauli strings, without a matrix: strings are bit flips and signs on the index of a state.

A string with flips `x` and signs `z` (bit masks) takes the state `s` to `(-1)^{|z & s|} |s ^ x>`, up to a power of `i`. A vector
is a table of rows (the bits of the first sites) by `2^4` columns (those of the last four):

* strings on the last five sites together are one small dense matrix, the window: a product of matrices;
* strings without flips are one diagonal, made from two tables of signs of `2^(sites / 2)` states each;
* a few dozen flips of rows reverse axes (`axis_flips`);
* the others move whole rows, contiguous in memory, or single elements.

Moves are scanned over, so that the time to compile does not grow with the strings; signs are parities computed in passing.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from jaxgibbs.linalg import matmul

from .axis_flips import AxisFlips

_COLUMN_BITS = 4
_WINDOW_BITS = 5
_STRINGS_PER_MOVE = 4
_MOVES_PER_PASS = 4  # one pass over the sum for four moves: half the traffic of one each


class Moves:
    """Strings grouped by their flips: group `g` flips `flip[g]` and holds `strings[g]`, with their `signs[g]`.

    Groups are padded to one size with the string number `count`, whose coefficient is zero; larger ones are split.
    """

    def __init__(self, chosen: np.ndarray, x: np.ndarray, z: np.ndarray):
        flips = [np.flatnonzero(chosen & (x == flip)) for flip in np.unique(x[chosen])]
        parts = [group[k : k + _STRINGS_PER_MOVE] for group in flips for k in range(0, len(group), _STRINGS_PER_MOVE)]
        width = max((len(part) for part in parts), default=1)
        self.strings = np.array([np.pad(p, (0, width - len(p)), constant_values=len(x)) for p in parts], np.int32)
        self.flip = np.array([x[part[0]] for part in parts], np.int32)
        self.signs = np.append(z, 0)[self.strings].astype(np.int32)

    def __len__(self) -> int:
        return len(self.flip)


class FlipPlan:
    """Which strings go where; static, from the masks alone."""

    def __init__(self, sites: int, x: np.ndarray, z: np.ndarray):
        self.sites, self.x, self.z = sites, x, z
        self.column_bits, self.window_bits = min(_COLUMN_BITS, sites), min(_WINDOW_BITS, sites)
        in_window = (x | z) >> self.window_bits == 0
        self.window = np.flatnonzero(in_window)
        self.diagonal = np.flatnonzero(~in_window & (x == 0))
        columns = (1 << self.column_bits) - 1
        self.diagonal_by_row = not np.any(z[self.diagonal] & columns)
        whole_rows = (x | z) & columns == 0
        moving = ~in_window & (x != 0)
        self.axes = AxisFlips(sites, moving & whole_rows, x, z)
        moving = moving & ~self.axes.taken
        self.rows = Moves(moving & whole_rows, x >> self.column_bits, z >> self.column_bits)
        self.elements = Moves(moving & ~whole_rows, x, z)

    @property
    def row_count(self) -> int:
        """Number of rows of the table."""
        return 1 << (self.sites - self.column_bits)


class FlipMap(eqx.Module):
    """`v -> H v` with everything prepared that does not depend on `v`."""

    window: Inexact[Array, "size size"] | None
    diagonal: Inexact[Array, "..."] | None
    weights: Inexact[Array, " weights"]
    coefficients: Inexact[Array, " strings"]
    plan: FlipPlan = eqx.field(static=True)

    def __init__(self, coefficients: Inexact[Array, " strings"], plan: FlipPlan):
        self.plan = plan
        self.window = _window(coefficients, plan) if len(plan.window) else None
        self.diagonal = _diagonal(coefficients, plan)
        self.weights = plan.axes.weights(coefficients)
        self.coefficients = jnp.append(coefficients, jnp.zeros((), coefficients.dtype))

    def __call__(self, vector: Inexact[Array, " dim"]) -> Inexact[Array, " dim"]:
        if vector.shape != (1 << self.plan.sites,):
            raise ValueError(
                f"`vector` must have shape ({1 << self.plan.sites},), but has {vector.shape}; map over several with `jax.vmap`."
            )
        real = not jnp.iscomplexobj(self.coefficients)
        if real and jnp.iscomplexobj(vector):  # a real matrix takes both parts for themselves
            return jax.lax.complex(self(vector.real), self(vector.imag))
        dtype = jnp.result_type(self.coefficients, vector)
        table, coefficients = vector.astype(dtype).reshape(self.plan.row_count, -1), self.coefficients.astype(dtype)
        total = self.plan.axes.added(self._within_rows, table, self.weights.astype(dtype))
        total = _moved(total, table, coefficients, self.plan.rows, _moved_rows)
        return _moved(total, table, coefficients, self.plan.elements, _moved_elements).reshape(vector.shape)

    def _within_rows(self, table):
        """The window and the diagonal."""
        total = jnp.zeros_like(table)
        if self.window is not None:
            total = matmul(table.reshape(-1, len(self.window)), self.window.T.astype(table.dtype)).reshape(table.shape)
        if self.diagonal is not None:
            total = total + self.diagonal.astype(table.dtype) * table
        return total


def _signs(bits, dtype):
    """`(-1)^(number of ones)`."""
    return (1 - 2 * (jax.lax.population_count(bits) & 1)).astype(dtype)


def _window(coefficients, plan):
    """The matrix `W[r, s] = sum_z c(r ^ s, z) (-1)^{|z & s|}` of the strings on the last sites."""
    size, chosen = 1 << plan.window_bits, plan.window
    states = jnp.arange(size, dtype=jnp.int32)
    table = jnp.zeros((size, size), coefficients.dtype).at[plan.x[chosen], plan.z[chosen]].add(coefficients[chosen])
    by_flip = matmul(table, _signs(states[:, None] & states, coefficients.dtype))
    return by_flip[states[:, None] ^ states, states]


def _diagonal(coefficients, plan):
    """`sum_k c_k (-1)^{|z_k & s|}` over all states, or a number for each row; the signs factorise over halves of the bits."""
    if not len(plan.diagonal):
        return None
    c, z = coefficients[plan.diagonal], plan.z[plan.diagonal].astype(np.int32)
    bits = plan.sites
    if plan.diagonal_by_row:
        bits, z = bits - plan.column_bits, z >> plan.column_bits
    low = bits // 2
    high_states, low_states = (jnp.arange(1 << b, dtype=jnp.int32)[:, None] for b in (bits - low, low))
    high = _signs(high_states & (z >> low), c.dtype) * c
    diagonal = matmul(high, _signs(low_states & (z & ((1 << low) - 1)), c.dtype).T)
    return diagonal.reshape(plan.row_count, -1)


def _moved(total, table, coefficients, moves, move):
    """`total` plus the strings of `moves`, one group after the other; nothing is kept for the way back but the inputs."""
    if not len(moves):
        return total
    remade = jax.checkpoint(move, prevent_cse=False)

    def add(total, group):
        return total + remade(table, *group), None

    groups = (coefficients[moves.strings], jnp.asarray(moves.flip), jnp.asarray(moves.signs))
    return jax.lax.scan(add, total, groups, unroll=_MOVES_PER_PASS)[0]


def _moved_rows(table, coefficients, flip, signs):
    source = jnp.arange(len(table), dtype=jnp.int32) ^ flip
    return _weights(coefficients, source, signs)[:, None] * _exchanged(table, source)


def _moved_elements(table, coefficients, flip, signs):
    source = jnp.arange(table.size, dtype=jnp.int32) ^ flip
    weights = _weights(coefficients, source, signs)
    return (weights[:, None] * _exchanged(table.reshape(-1, 1), source)).reshape(table.shape)


def _weights(coefficients, source, signs):
    """`sum_k c_k (-1)^{|z_k & s|}` of the states that a move takes its rows or elements from."""
    weights = jnp.zeros(source.shape, coefficients.dtype)
    for c, z in zip(coefficients, signs, strict=True):
        weights = weights + c * _signs(source & z, coefficients.dtype)
    return weights


_ROWS = jax.lax.GatherDimensionNumbers(offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,))


def _exchanged(table, source):
    """The rows `table[source]`, for a `source` that exchanges pairs.

    The exchange `P` is its own inverse and its own transpose. Written as the solution of `P u = v`, its derivative in reverse
    is the same gather; that of an indexing would be a scatter.
    """

    def gather(rows):
        return jax.lax.gather(
            rows, source[:, None], _ROWS, (1, rows.shape[1]), unique_indices=True, mode="promise_in_bounds"
        )

    return jax.lax.custom_linear_solve(gather, table, lambda _, rows: gather(rows), symmetric=True)
