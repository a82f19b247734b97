"""Jump operators: as a stack of matrices, or, where each row and column has one element at most, as a permutation.

Lowering operators, dephasing, Pauli strings are of the second kind: their sandwiches are a gather and a product by elements
instead of two matrix products, and all that share a permutation are one. Which kind a jump is, is read off concrete values,
the elements stay leaves; a jump that is traced counts as a matrix.
"""

import functools
import operator
from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from jaxgibbs._errors import is_concrete
from jaxgibbs.linalg import dagger, matmul

_UNROLLED = 32  # gathers that are added one by one, in one pass, which is four times faster than stacked
_LARGEST_CONSTANT = 2**18  # numbers of an index array: larger ones cost time to compile


class MatrixJumps(eqx.Module):
    """Jump operators as they are.

    Attributes:
        matrices: the operators, stacked.
        members: the number of each in the list of rates.
    """

    matrices: Inexact[Array, "count dim dim"]
    members: tuple[int, ...] = eqx.field(static=True)

    def sandwich(self, rates: Float[Array, " count"]):
        """`X -> sum_k r_k L_k X L_k^dagger`."""
        return self._sandwich(self.matrices, rates)

    def adjoint_sandwich(self, rates: Float[Array, " count"]):
        """`X -> sum_k r_k L_k^dagger X L_k`."""
        return self._sandwich(dagger(self.matrices), rates)

    def _sandwich(self, matrices, rates):
        count, dim, _ = matrices.shape
        right = dagger(matrices).reshape(count * dim, dim)
        weighted = rates[:, None, None] * matrices

        def apply(x):
            dtype = jnp.result_type(x, weighted)
            left = matmul(weighted.reshape(count * dim, dim).astype(dtype), x.astype(dtype))
            return matmul(
                jnp.swapaxes(left.reshape(count, dim, dim), 0, 1).reshape(dim, count * dim), right.astype(dtype)
            )

        return apply

    def decay(self, rates: Float[Array, " count"]) -> Inexact[Array, "dim dim"]:
        """`sum_k r_k L_k^dagger L_k`."""
        count, dim, _ = self.matrices.shape
        return matmul(
            dagger((rates[:, None, None] * self.matrices).reshape(count * dim, dim)), self.matrices.reshape(-1, dim)
        )

    def to_dense(self) -> Inexact[Array, "count dim dim"]:
        return self.matrices


class Taken(NamedTuple):
    """The map `X -> W o X[order, order]`: where each element is taken from, and its weight."""

    order: tuple[int, ...]
    weights: Inexact[Array, "dim dim"]

    def __call__(self, x: Inexact[Array, "dim dim"]) -> Inexact[Array, "dim dim"]:
        return sum_of_maps([self])(x)


def sum_of_maps(maps: Sequence[Taken | Callable]) -> Callable:
    """The sum of sandwiches: all that take elements from elsewhere are one pass, all that take them in place one product."""
    taken = [each for each in maps if isinstance(each, Taken)]
    others = [each for each in maps if not isinstance(each, Taken)]
    in_place = [each.weights for each in taken if each.order == tuple(range(len(each.order)))]
    moved = [each for each in taken if each.order != tuple(range(len(each.order)))]
    parts = list(others)
    if in_place:
        in_place = sum(in_place[1:], in_place[0])
        parts.append(lambda x: in_place * x)
    if moved:
        places = _places(np.array([each.order for each in moved], np.int32))
        if len(moved) <= _UNROLLED:
            gathers = [lambda x, k=k, each=each: each.weights * _taken(x, places()[k]) for k, each in enumerate(moved)]
            parts.append(lambda x: functools.reduce(operator.add, (gather(x) for gather in gathers)))
        else:
            weights = jnp.stack([each.weights for each in moved])
            parts.append(lambda x: jnp.sum(weights * _taken(x, places()), axis=0))
    return lambda x: functools.reduce(operator.add, (each(x) for each in parts), jnp.zeros_like(x))


def _taken(x, places):
    return jnp.take(x.ravel(), places, mode="clip")


def _places(order: np.ndarray) -> Callable:
    """Where in a matrix, row by row, each element is taken from: a constant of the program, unless that would be large."""
    if order.size * order.shape[1] <= _LARGEST_CONSTANT:
        constant = order[:, :, None] * order.shape[1] + order[:, None, :]
        return lambda: constant

    def made():
        rows = jnp.asarray(order)
        return rows[:, :, None] * order.shape[1] + rows[:, None, :]

    return made


def _weights(rates, elements):
    """`W_ij = sum_k r_k a_ki a_kj^*`."""
    return matmul(jnp.swapaxes(rates[:, None] * elements, 0, 1), jnp.conj(elements))


class PermutationJumps(eqx.Module):
    """Jump operators with elements at `(i, source[i])` alone, `source` a permutation that they share.

    Attributes:
        elements: `<i|L_k|source[i]>`.
        source: the permutation.
        members: the number of each in the list of rates.
    """

    elements: Inexact[Array, "count dim"]
    source: tuple[int, ...] = eqx.field(static=True)
    members: tuple[int, ...] = eqx.field(static=True)

    def sandwich(self, rates: Float[Array, " count"]) -> Taken:
        """`X -> sum_k r_k L_k X L_k^dagger = W o X[source, source]`."""
        return Taken(self.source, _weights(rates, self.elements))

    def adjoint_sandwich(self, rates: Float[Array, " count"]) -> Taken:
        """`X -> sum_k r_k L_k^dagger X L_k`."""
        target = tuple(int(i) for i in np.argsort(self.source))
        return Taken(target, _weights(rates, jnp.conj(self.elements[:, np.asarray(target)])))

    def decay(self, rates: Float[Array, " count"]) -> Inexact[Array, "dim dim"]:
        """`sum_k r_k L_k^dagger L_k`, which is diagonal."""
        arriving = jnp.sum(rates[:, None] * (self.elements * jnp.conj(self.elements)).real, axis=0)
        return jnp.take(arriving, np.argsort(self.source), mode="clip")[:, None] * jnp.eye(
            len(self.source), dtype=arriving.dtype
        )

    def to_dense(self) -> Inexact[Array, "count dim dim"]:
        count, dim = self.elements.shape
        return (
            jnp.zeros((count, dim, dim), self.elements.dtype)
            .at[:, np.arange(dim), np.asarray(self.source)]
            .set(self.elements)
        )


def group_jumps(
    matrices: Sequence[Inexact[Array | np.ndarray, "dim dim"]],
) -> tuple[MatrixJumps | PermutationJumps, ...]:
    """Sort jump operators into a stack of matrices and permutations with their members, as few as a greedy pass finds."""
    others: list[int] = []
    patterns: list[tuple[dict[int, int], list[int]]] = []  # row to column, and who has it
    for number, matrix in enumerate(matrices):
        pattern = _pattern(matrix)
        if pattern is None:
            others.append(number)
            continue
        for shared, members in patterns:
            if _fit_together(shared, pattern):
                shared.update(pattern)
                members.append(number)
                break
        else:
            patterns.append((dict(pattern), [number]))
    groups: list[MatrixJumps | PermutationJumps] = []
    for shared, members in patterns:
        source = _completed(shared, matrices[members[0]].shape[-1])
        rows = np.arange(len(source))
        elements = jnp.stack([jnp.asarray(matrices[number])[rows, np.asarray(source)] for number in members])
        groups.append(PermutationJumps(elements, source, tuple(members)))
    if others:
        groups.append(MatrixJumps(jnp.stack([jnp.asarray(matrices[number]) for number in others]), tuple(others)))
    return tuple(groups)


def _pattern(matrix) -> dict[int, int] | None:
    """Row to column of the nonzero elements, if no two share a row or a column; `None` also where values cannot be read."""
    if not is_concrete(matrix):
        return None
    rows, columns = np.nonzero(np.asarray(matrix))
    if len(set(rows.tolist())) < len(rows) or len(set(columns.tolist())) < len(columns):
        return None
    return dict(zip(rows.tolist(), columns.tolist(), strict=True))


def _fit_together(one: dict[int, int], other: dict[int, int]) -> bool:
    """Whether both are parts of one permutation."""
    union = one | other
    agree = all(one.get(row, column) == column for row, column in other.items())
    return agree and len(set(union.values())) == len(union)


def _completed(partial: dict[int, int], dim: int) -> tuple[int, ...]:
    """A permutation that has `partial` in it, with the remaining rows in order."""
    free = iter(sorted(set(range(dim)) - set(partial.values())))
    return tuple(partial[row] if row in partial else next(free) for row in range(dim))
