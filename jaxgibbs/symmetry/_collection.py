"""Blocks collected one by one, equal ones once, and put together to static terms on the space of all of them."""

from typing import NamedTuple

import numpy as np

from jaxgibbs.operators import BlockStructure, SparseTerms

from ._sector_terms import Block, Entries, joined

_LITTLE_WORK = 2.0**19  # `sum size^3` that is done within a millisecond


class Copies(NamedTuple):
    """What the whole spectrum takes from a stack of blocks: block `index[c]` plus `shifts[c] . theta` times the identity."""

    index: np.ndarray
    shifts: np.ndarray


class Part(NamedTuple):
    """Blocks of one kind, real or complex, stacked by size.

    Attributes:
        terms: the terms on the space of all of them.
        structure: the blocks.
        place: for each stored element of the terms its place in the stacks, one after the other and each ravelled.
        copies: for each stack, what the whole spectrum takes from it.
    """

    terms: SparseTerms
    structure: BlockStructure
    place: np.ndarray
    copies: tuple[Copies, ...]

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """`(blocks, size, size)` of each stack."""
        return [(*index.shape, index.shape[1]) for index in self.structure.indices]


class Found(NamedTuple):
    """A block, and for each of its copies how much it is shifted by, as a combination of the couplings."""

    block: Block
    shifts: np.ndarray


class Collection:
    """The different blocks found so far, and the shifts of their copies."""

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

    def assembled(self) -> tuple[Part, ...]:
        """The real blocks as one part, and the complex ones as another."""
        found = [Found(block, np.stack(self._shifts[key])) for key, block in self._blocks.items()]
        allowed = max(_LITTLE_WORK, 1.5 * sum(one.block.size**3 for one in found))
        packed = found
        for capacity in (8, 12, 16, 24, 32, 48, 64, 96, 128):
            trial = _packed(found, capacity)
            if sum(one.block.size**3 for one in trial) <= allowed:
                packed = trial
        kinds: dict[bool, list[Found]] = {}
        for one in packed:
            kinds.setdefault(one.block.is_complex, []).append(one)
        return tuple(_part(kinds[is_complex]) for is_complex in sorted(kinds))


def _packed(found: list[Found], capacity: int) -> list[Found]:
    """Small blocks with copies of the same shifts joined to larger ones: what is compiled grows with the number of sizes."""
    groups: dict[tuple, list[Found]] = {}
    for one in found:
        apart = np.round(one.shifts - one.shifts[0], 9) + 0.0
        groups.setdefault((one.block.is_complex, apart.tobytes()), []).append(one)
    answer = []
    for group in groups.values():
        bins: list[list[Found]] = []
        for one in sorted(group, key=lambda one: -one.block.size):
            room = (b for b in bins if sum(o.block.size for o in b) + one.block.size <= capacity)
            chosen = next(room, None)
            if chosen is None:
                bins.append([one])
            else:
                chosen.append(one)
        answer += [Found(joined([(o.block, o.shifts[0] - b[0].shifts[0]) for o in b]), b[0].shifts) for b in bins]
    return answer


def _part(found: list[Found]) -> Part:
    owner = np.repeat(np.arange(len(found)), [one.block.size for one in found])
    whole = joined([(one.block, np.zeros(one.block.entries.count)) for one in found])
    e = whole.entries
    static = SparseTerms(whole.size, {"all": e.count}, e.term, e.row, e.column, e.value)
    structure = BlockStructure(owner)
    place, line, start = np.empty(whole.size, int), np.empty(whole.size, int), 0
    copies = []
    for index in structure.indices:
        count, size = index.shape
        line[index] = start + size * np.arange(count * size).reshape(count, size)  # where each row of a block begins
        place[index] = np.arange(size)
        start += index.size * size
        members = [(position, shift) for position, one in enumerate(owner[index[:, 0]]) for shift in found[one].shifts]
        copies.append(Copies(np.array([p for p, _ in members]), np.array([s for _, s in members])))
    return Part(static, structure, line[static.row] + place[static.column], tuple(copies))


def cost_of(structure: BlockStructure) -> float:
    """`sum size^3` over the blocks."""
    return float(sum(len(index) * index.shape[1] ** 3 for index in structure.indices))
