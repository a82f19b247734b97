"""Static terms in the basis of a sector, and its blocks in a form in which equal ones are seen to be equal."""

import hashlib
from typing import NamedTuple

import numpy as np

from jaxgibbs.operators import PauliSum, PauliTerms, SparseTerms, block_structure
from jaxgibbs.operators.terms import TermSum


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
    def of(cls, terms: tuple[PauliTerms, ...]) -> "Entries":
        sparse = [PauliSum({n: np.ones(k) for n, k in t.sizes}, t).to_terms().terms for t in terms]
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

    def projected(self, place: np.ndarray, weight: np.ndarray) -> "Entries":
        """`W^T T W` for a `W` with `weight[s]` in column `place[s]` of row `s`, and nothing else; place -1 for none."""
        row, column = place[self.row], place[self.column]
        kept = (row >= 0) & (column >= 0)
        term, row, column = self.term[kept], row[kept], column[kept]
        value = weight[self.row[kept]] * self.value[kept] * weight[self.column[kept]]
        size = int(place.max()) + 1
        key, position = np.unique((term * size + row) * size + column, return_inverse=True)
        total = np.bincount(position.reshape(-1), weights=value, minlength=len(key))
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


class Block(NamedTuple):
    """A block in a basis of its own, less the first diagonal element of each term; and these elements."""

    entries: Entries
    size: int
    shift: np.ndarray

    @classmethod
    def of(cls, entries: Entries, size: int) -> "Block":
        shift = np.zeros(entries.count)
        first = (entries.row == 0) & (entries.column == 0)
        shift[entries.term[first]] = entries.value[first]
        diagonal = entries.row == entries.column
        term = np.concatenate([entries.term[~diagonal], np.repeat(np.arange(entries.count), size)])
        place = np.tile(np.arange(size), entries.count)
        row = np.concatenate([entries.row[~diagonal], place])
        column = np.concatenate([entries.column[~diagonal], place])
        dense = np.zeros((entries.count, size))
        dense[entries.term[diagonal], entries.row[diagonal]] = entries.value[diagonal]
        value = np.concatenate([entries.value[~diagonal], (dense - shift[:, None]).ravel()])
        kept = np.abs(value) > 1e-14 * size * entries.scale[term]
        term, row, column, value = (x[kept] for x in (term, row, column, value))
        order = np.lexsort((column, row, term))
        return cls(Entries(entries.scale, term[order], row[order], column[order], value[order]), size, shift)

    def key(self) -> bytes:
        """Equal for blocks that are equal up to rounding."""
        e = self.entries
        rounded = np.round(e.value / e.scale[e.term], 12) + 0.0
        parts = (np.array([self.size]), e.term, e.row, e.column, rounded)
        return hashlib.sha256(b"".join(x.tobytes() for x in parts)).digest()
