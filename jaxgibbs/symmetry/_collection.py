"""Blocks collected one by one, equal ones once, and put together to static terms on the space of all of them."""

from typing import NamedTuple

import numpy as np

from jaxgibbs.operators import BlockStructure, SparseTerms

from ._sector_terms import Block, Entries


class Copies(NamedTuple):
    """What the whole spectrum takes from a stack of blocks: block `index[c]` plus `shifts[c] . theta` times the identity."""

    index: np.ndarray
    shifts: np.ndarray


class Part(NamedTuple):
    """Terms on the space of some blocks, these blocks, and for each stack of equal size the copies of them."""

    terms: SparseTerms
    structure: BlockStructure
    copies: tuple[Copies, ...]


class Collection:
    """The different blocks found so far, and for each the shifts of its copies."""

    def __init__(self):
        self._blocks: dict[bytes, Block] = {}
        self._shifts: dict[bytes, list[np.ndarray]] = {}

    def add(self, entries: Entries, size: int, added: np.ndarray) -> None:
        """The blocks of a sector, in copies that differ by what is `added` to each term; shape `(copies, terms)`."""
        labels = entries.labels(size)
        for label in range(labels.max() + 1):
            inside = np.flatnonzero(labels == label)
            block = Block.of(entries if len(inside) == size else entries.within(inside, size), len(inside))
            key = block.key()
            self._blocks.setdefault(key, block)
            self._shifts.setdefault(key, []).extend(block.shift + added)

    def assembled(self) -> tuple[tuple[Part, ...]]:
        """The real blocks as one part, and the complex ones as another."""
        kinds = {}
        for key, block in self._blocks.items():
            kinds.setdefault(bool(np.any(np.imag(block.entries.value))), []).append((block, self._shifts[key]))
        return (tuple(_part(kinds[is_complex], is_complex) for is_complex in sorted(kinds)),)


def _part(pairs: list[tuple[Block, list[np.ndarray]]], is_complex: bool) -> Part:
    sizes = [block.size for block, _ in pairs]
    start = np.cumsum([0, *sizes])
    columns = []
    for (block, _), first in zip(pairs, start[:-1], strict=True):
        e = block.entries
        columns.append((e.term, e.row + first, e.column + first, e.value if is_complex else np.real(e.value)))
    term, row, column, value = (np.concatenate(x) for x in zip(*columns, strict=True))
    static = SparseTerms(int(start[-1]), {"all": pairs[0][0].entries.count}, term, row, column, value)
    owner = np.repeat(np.arange(len(pairs)), sizes)
    structure = BlockStructure(owner)
    copies = []
    for index in structure.indices:
        members = [(position, shift) for position, one in enumerate(owner[index[:, 0]]) for shift in pairs[one][1]]
        copies.append(Copies(np.array([p for p, _ in members]), np.array([s for _, s in members])))
    return Part(static, structure, tuple(copies))


def cost_of(structure: BlockStructure) -> float:
    """`sum size^3` over the blocks."""
    return float(sum(len(index) * index.shape[1] ** 3 for index in structure.indices))
