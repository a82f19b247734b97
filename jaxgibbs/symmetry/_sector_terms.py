"""Static terms in the basis of a sector, and its blocks in a form in which equal ones are seen to be equal."""

import hashlib
import itertools
from typing import NamedTuple

import numpy as np

from jaxgibbs.operators import LocalSum, LocalTerms, PauliSum, PauliTerms, SparseTerms, block_structure
from jaxgibbs.operators.terms import TermSum

from ._bases import Basis


class Entries(NamedTuple):
    """Sparse matrices, one a term.

    Attributes:
        scale: the largest element of each term in the basis it was given in: what rounding is measured by.
        term: for each element its term, as for the next three its row, its column and its value.
    """

    scale: np.ndarray
    term: np.ndarray
    row: np.ndarray
    column: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, terms: tuple[PauliTerms | LocalTerms, ...]) -> "Entries":
        sparse = [_operator(t).to_terms().terms for t in terms]
        first = np.cumsum([0] + [t.count for t in sparse])
        number = np.concatenate([t.term.astype(np.int64) + f for t, f in zip(sparse, first[:-1], strict=True)])
        row, column, value = (np.concatenate([getattr(t, n) for t in sparse]) for n in ("row", "column", "value"))
        scale = np.zeros(first[-1])
        np.maximum.at(scale, number, np.abs(value))
        return cls(scale, number, row.astype(np.int64), column.astype(np.int64), value)

    @property
    def count(self) -> int:
        """Number of terms."""
        return len(self.scale)

    def within(self, members: np.ndarray, dim: int) -> "Entries":
        """The elements between the states `members`, numbered anew."""
        local = np.full(dim, -1)
        local[members] = np.arange(len(members))
        row, column = local[self.row], local[self.column]
        kept = (row >= 0) & (column >= 0)
        return Entries(self.scale, self.term[kept], row[kept], column[kept], self.value[kept])

    def projected(self, basis: Basis) -> "Entries":
        """`W^dagger T W` in the basis of a sector, from the columns of the states that represent its vectors.

        With `P` the projector on the sector and `T` that commutes with it, `W_a = P |a> / <W_a|a>` and so
        `<W_b|T|W_a> = <W_b|T|a> / <W_a|a>`.
        """
        place, weight = basis.columns[:, 0], basis.values[:, 0]
        kept = (place[self.row] >= 0) & basis.leads[self.column]
        row, column = self.row[kept], self.column[kept]
        value = np.conj(weight[row]) * self.value[kept] / np.conj(weight[column])
        return self._summed(self.term[kept], place[row], place[column], value, basis.size).turned(basis)

    def turned(self, basis: Basis) -> "Entries":
        """`U^dagger T U` for the further change of basis; it makes the elements real."""
        if basis.turn is None:
            return self
        columns, values = basis.turn
        parts = []
        for i, j in itertools.product(range(2), repeat=2):
            row, column = columns[self.row, i], columns[self.column, j]
            kept = (row >= 0) & (column >= 0)
            value = np.conj(values[self.row[kept], i]) * self.value[kept] * values[self.column[kept], j]
            parts.append((self.term[kept], row[kept], column[kept], value))
        term, row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
        return self._summed(term, row, column, np.real(value), basis.size)

    def _summed(self, term, row, column, value, size: int) -> "Entries":
        """Elements at one place added, without those that are rounding."""
        key, position = np.unique((term * size + row) * size + column, return_inverse=True)
        total = np.zeros(len(key), value.dtype)
        np.add.at(total, position.reshape(-1), value)
        nonzero = np.abs(total) > 1e-14 * self.scale[key // size**2]
        key, total = key[nonzero], total[nonzero]
        return Entries(self.scale, key // size**2, key // size % size, key % size, total)

    def labels(self, dim: int) -> np.ndarray:
        """The block of each state."""
        structure = block_structure(self.sum(dim))
        return np.zeros(dim, int) if structure is None else structure.labels

    def sum(self, dim: int) -> TermSum:
        static = SparseTerms(dim, {"all": self.count}, self.term, self.row, self.column, self.value)
        return TermSum({"all": np.ones(self.count)}, static)


def _operator(terms: PauliTerms | LocalTerms) -> PauliSum | LocalSum:
    couplings = {name: np.ones(size) for name, size in terms.sizes}
    return PauliSum(couplings, terms) if isinstance(terms, PauliTerms) else LocalSum(couplings, terms)


class Block(NamedTuple):
    """A block in a basis of its own, less the first diagonal element of each term; and these elements."""

    entries: Entries
    size: int
    shift: np.ndarray

    @classmethod
    def of(cls, entries: Entries, size: int) -> "Block":
        shift = np.zeros(entries.count)
        first = (entries.row == 0) & (entries.column == 0)
        shift[entries.term[first]] = np.real(entries.value[first])
        diagonal = entries.row == entries.column
        term = np.concatenate([entries.term[~diagonal], np.repeat(np.arange(entries.count), size)])
        place = np.tile(np.arange(size), entries.count)
        row = np.concatenate([entries.row[~diagonal], place])
        column = np.concatenate([entries.column[~diagonal], place])
        dense = np.zeros((entries.count, size))
        dense[entries.term[diagonal], entries.row[diagonal]] = np.real(entries.value[diagonal])
        value = np.concatenate([entries.value[~diagonal], (dense - shift[:, None]).ravel()])
        kept = np.abs(value) > 1e-14 * size * entries.scale[term]
        term, row, column, value = (x[kept] for x in (term, row, column, value))
        order = np.lexsort((column, row, term))
        return cls(Entries(entries.scale, term[order], row[order], column[order], value[order]), size, shift)

    @property
    def is_complex(self) -> bool:
        """Whether an element is."""
        return bool(np.any(np.imag(self.entries.value)))

    def key(self) -> bytes:
        """Equal for blocks that are equal up to rounding."""
        e = self.entries
        rounded = np.round(e.value / e.scale[e.term], 12) + 0.0
        parts = (np.array([self.size]), e.term, e.row, e.column, rounded)
        return hashlib.sha256(b"".join(x.tobytes() for x in parts)).digest()


def joined(blocks: list[tuple[Block, np.ndarray]]) -> Block:
    """The direct sum of blocks, to the diagonal of each something added for each term; the shift is that of the first."""
    parts, start = [], 0
    for block, added in blocks:
        e, raised = block.entries, np.flatnonzero(added)
        diagonal = np.tile(np.arange(block.size), len(raised))
        parts.append((e.term, e.row + start, e.column + start, e.value if block.is_complex else np.real(e.value)))
        number = np.repeat(raised, block.size)
        parts.append((number, diagonal + start, diagonal + start, added[number]))
        start += block.size
    term, row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    first = blocks[0][0]
    return Block(Entries(first.entries.scale, term, row, column, value), start, first.shift)
