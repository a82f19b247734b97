"""Diagonal blocks that *every term* of an operator has, read off the positions of its nonzero elements.

A block structure found from values would vanish under differentiation; this one comes from the static terms, so it holds for
all couplings and under every transformation. In the usual basis it is the conserved magnetisation, parity or particle number.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from .base import AbstractOperator, Scaled, Sum
from .terms import LARGEST_SPARSE_DIMENSION, AbstractTermSum, SparseTerms, TermSum


class BlockStructure:
    """For each block size the basis states of its blocks: `indices[k]` has shape `(blocks, size)`."""

    def __init__(self, labels: np.ndarray):
        members = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
        sizes = sorted({len(m) for m in members})
        self.indices = tuple(np.stack([m for m in members if len(m) == size]) for size in sizes)
        self.dim = len(labels)
        self.labels = labels
        self._key = (self.dim, labels.tobytes())

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other) -> bool:
        return isinstance(other, BlockStructure) and self._key == other._key

    def describe(self) -> str:
        """`1 x 252 + 2 x 210 + ...`: how many blocks of which size."""
        return " + ".join(f"{len(index)} x {index.shape[1]}" for index in reversed(self.indices))


def block_structure(operator: AbstractOperator) -> BlockStructure | None:
    """The finest blocks that every term respects, or `None` where there is one block or the terms are not sparse."""
    terms = _sparse_terms(operator)
    return None if terms is None else _structure(terms)


def respects(operator: AbstractOperator, structure: BlockStructure) -> bool:
    """Whether every term of `operator` is known to have these blocks."""
    terms = _sparse_terms(operator)
    return terms is not None and all(np.array_equal(structure.labels[t.row], structure.labels[t.column]) for t in terms)


def _sparse_terms(operator) -> tuple[SparseTerms, ...] | None:
    if isinstance(operator, AbstractTermSum):
        stored = isinstance(operator, TermSum) or operator.dim <= LARGEST_SPARSE_DIMENSION
        return (operator.to_terms().terms,) if stored else None
    if isinstance(operator, Scaled):
        return _sparse_terms(operator.operator)
    if isinstance(operator, Sum):
        parts = [_sparse_terms(part) for part in operator.parts]
        return None if any(part is None for part in parts) else sum((part for part in parts if part is not None), ())
    return None


@functools.lru_cache(maxsize=256)
def _structure(terms: tuple[SparseTerms, ...]) -> BlockStructure | None:
    labels = np.arange(terms[0].dim)
    row = np.concatenate([t.row for t in terms])
    column = np.concatenate([t.column for t in terms])
    while True:  # every state takes the lowest label among its neighbours, then among the states of its label
        lowest = labels.copy()
        np.minimum.at(lowest, row, labels[column])
        np.minimum.at(lowest, column, labels[row])
        lowest = lowest[lowest]
        if np.array_equal(lowest, labels):
            break
        labels = lowest
    labels = np.unique(labels, return_inverse=True)[1].reshape(-1)
    return None if labels.max() == 0 else BlockStructure(labels)


def to_blocks(
    operator: AbstractOperator, structure: BlockStructure | None
) -> tuple[Inexact[Array, "blocks size size"], ...]:
    """The diagonal blocks of `operator`, stacked by size; the whole matrix where there is no structure."""
    if structure is None:
        return (operator.to_dense(),)
    if isinstance(operator, AbstractTermSum):
        return _term_blocks(operator.to_terms(), structure)
    if isinstance(operator, Scaled):
        return tuple(operator.factor * block for block in to_blocks(operator.operator, structure))
    if isinstance(operator, Sum):
        total = to_blocks(operator.parts[0], structure)
        for part in operator.parts[1:]:
            total = tuple(a + b for a, b in zip(total, to_blocks(part, structure), strict=True))
        return total
    return take_blocks(operator.to_dense(), structure)


def take_blocks(matrix: Inexact[Array, "dim dim"], structure: BlockStructure) -> tuple[Array, ...]:
    """The diagonal blocks of a matrix, stacked by size."""
    return tuple(matrix[index[:, :, None], index[:, None, :]] for index in structure.indices)


def from_blocks(blocks: tuple[Array, ...], structure: BlockStructure) -> Inexact[Array, "dim dim"]:
    """The block-diagonal matrix with these blocks."""
    matrix = jnp.zeros((structure.dim, structure.dim), jnp.result_type(*blocks))
    for block, index in zip(blocks, structure.indices, strict=True):
        matrix = matrix.at[index[:, :, None], index[:, None, :]].set(block)
    return matrix


@functools.lru_cache(maxsize=256)
def _positions(terms: SparseTerms, structure: BlockStructure):
    """For each stack: which nonzero elements lie in it, and where."""
    stack, block, place = (np.empty(structure.dim, np.int32) for _ in range(3))
    for k, index in enumerate(structure.indices):
        stack[index] = k
        block[index] = np.arange(len(index))[:, None]
        place[index] = np.arange(index.shape[1])[None, :]
    answer = []
    for k in range(len(structure.indices)):
        chosen = np.flatnonzero(stack[terms.row] == k)
        row, column = terms.row[chosen], terms.column[chosen]
        answer.append((chosen, block[row], place[row], place[column]))
    return tuple(answer)


def _term_blocks(operator: TermSum, structure: BlockStructure):
    weighted = operator.weighted_values()
    blocks = []
    for index, (chosen, block, row, column) in zip(
        structure.indices, _positions(operator.terms, structure), strict=True
    ):
        blocks.append(_scattered(weighted, chosen, block, row, column, (*index.shape, index.shape[1])))
    return tuple(blocks)


@functools.partial(jax.jit, static_argnames="shape")
def _scattered(weighted, chosen, block, row, column, shape):
    """One program a stack where it is called outside of others."""
    return jnp.zeros(shape, weighted.dtype).at[block, row, column].add(weighted[chosen])
