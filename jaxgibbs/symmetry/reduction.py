"""The blocks that the symmetries of every term leave, each kept once: a smaller sum of terms, and how to undo it.

In a basis of sectors every term is again a static sparse matrix, `T'_k = W^T T_k W`, so that the reduced Hamiltonian is
`sum_k theta_k T'_k` with the same couplings: its blocks, decompositions and derivatives are those of any sum of terms. Blocks
that differ by a multiple of the identity in every term, such as the states of a multiplet in a field, are decomposed once.
"""

import functools
import hashlib
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgibbs.linalg.hermitian import Decomposition
from jaxgibbs.operators import AbstractOperator, BlockStructure, PauliTerms, SparseTerms, block_structure
from jaxgibbs.operators.blocks import to_blocks
from jaxgibbs.operators.terms import LARGEST_SPARSE_DIMENSION, TermSum

from ._sector_terms import Block, Entries
from .detection import commuting_involutions, field_terms, group_of, pauli_terms

SMALLEST_DIMENSION = 2**9  # below it compiling more sizes of blocks costs more than their decompositions save
_LARGEST_ENTRIES = 2**23  # stored elements of the terms in a basis of multiplets


class Copies(NamedTuple):
    """What the whole spectrum takes from a stack of blocks: block `index[c]` plus `shifts[c] . theta` times the identity."""

    index: np.ndarray
    shifts: np.ndarray


class Reduction:
    """Static: the terms in the basis of sectors, their blocks, and the copies of these that make up the whole space.

    Attributes:
        terms: `T'_k`, on the space of all kept blocks.
        structure: its blocks.
        copies: one entry for each stack of blocks of equal size.
        found: what was found, in words.
    """

    def __init__(self, terms: SparseTerms, structure: BlockStructure, copies: tuple[Copies, ...], found: str):
        self.terms, self.structure, self.copies, self.found = terms, structure, copies, found
        digest = hashlib.sha256(repr((hash(terms), hash(structure), found)).encode())
        for index, shifts in copies:
            digest.update(index.tobytes())
            digest.update(shifts.tobytes())
        self._digest = digest.digest()

    def __hash__(self) -> int:
        return hash(self._digest)

    def __eq__(self, other) -> bool:
        return isinstance(other, Reduction) and self._digest == other._digest

    @property
    def cost(self) -> float:
        """`sum size^3` over the blocks that are decomposed."""
        return _cost(self.structure)

    def matrices(self, couplings: Float[Array, " terms"]) -> tuple[Float[Array, "blocks size size"], ...]:
        """The kept blocks, stacked by size, of the Hamiltonian with these coefficients."""
        return to_blocks(TermSum({"all": couplings}, self.terms), self.structure)

    def expand(self, blocks: tuple[Decomposition, ...], couplings: Float[Array, " terms"]) -> tuple[Decomposition, ...]:
        """The decompositions of all blocks of the whole space from those of the kept ones."""
        return tuple(
            block.copies(index, jnp.asarray(shifts, couplings.dtype) @ couplings)
            for block, (index, shifts) in zip(blocks, self.copies, strict=True)
        )

    def describe(self) -> str:
        """The symmetries and the blocks decomposed, as `sizes x how many`."""
        return f"{self.found}: decomposed {self.structure.describe()}"


def reduction(operator: AbstractOperator) -> Reduction | None:
    """The reduction by the symmetries of every term of a `PauliSum`, `None` where nothing worth it is found."""
    terms = pauli_terms(operator)
    if terms is None or not SMALLEST_DIMENSION <= terms[0].dim <= LARGEST_SPARSE_DIMENSION:
        return None
    found = _reduction(terms)
    structure = block_structure(operator)
    plain = float(operator.dim) ** 3 if structure is None else _cost(structure)
    return found if found is not None and found.cost < 0.7 * plain else None


def _cost(structure: BlockStructure) -> float:
    return float(sum(len(index) * index.shape[1] ** 3 for index in structure.indices))


@functools.lru_cache(maxsize=64)
def _reduction(terms: tuple[PauliTerms, ...]) -> Reduction | None:
    matrices = Entries.of(terms)
    if np.iscomplexobj(matrices.value):
        return None
    slopes = field_terms(terms)
    if slopes is not None and (found := _multiplets(terms, matrices, slopes)) is not None:
        return found
    return _sectors(terms, matrices)


def _assembled(blocks: list[Block], repeats: list[list[np.ndarray]], found: str) -> Reduction:
    """From different blocks, and for each the shifts of its copies."""
    start = np.cumsum([0] + [block.size for block in blocks])
    columns = []
    for block, first in zip(blocks, start[:-1], strict=True):
        e = block.entries
        columns.append((e.term, e.row + first, e.column + first, e.value))
    term, row, column, value = (np.concatenate(x) for x in zip(*columns, strict=True))
    static = SparseTerms(int(start[-1]), {"all": blocks[0].entries.count}, term, row, column, value)
    structure = BlockStructure(np.repeat(np.arange(len(blocks)), [block.size for block in blocks]))
    owner = np.repeat(np.arange(len(blocks)), [block.size for block in blocks])
    copies = []
    for index in structure.indices:
        members = [(position, shift) for position, one in enumerate(owner[index[:, 0]]) for shift in repeats[one]]
        copies.append(Copies(np.array([p for p, _ in members]), np.array([s for _, s in members])))
    return Reduction(static, structure, tuple(copies), found)


def _sectors(terms: tuple[PauliTerms, ...], matrices: Entries) -> Reduction | None:
    """By commuting symmetries of order two: the blocks of every combination of their signs."""
    generators = commuting_involutions(terms)
    if not generators:
        return None
    dim = terms[0].dim
    blocks: dict[bytes, Block] = {}
    repeats: dict[bytes, list[np.ndarray]] = {}
    for place, weight in _characters(generators, matrices.labels(dim)):
        size = int(place.max()) + 1
        if size == 0:
            continue
        sector = matrices.projected(place, weight)
        labels = sector.labels(size)
        for label in range(labels.max() + 1):
            inside = np.flatnonzero(labels == label)
            local = np.full(size, -1)
            local[inside] = np.arange(len(inside))
            block = Block.of(sector.projected(local, np.ones(size)), len(inside))
            blocks.setdefault(block.key(), block)
            repeats.setdefault(block.key(), []).append(block.shift)
    found = f"{len(generators)} symmetries of order two"
    return _assembled(list(blocks.values()), list(repeats.values()), found)


def _characters(generators, labels: np.ndarray):
    """For each combination of signs `(place, weight)`: the basis vector that each state belongs to, and its weight there."""
    dim = len(labels)
    group = group_of(generators, dim)
    rank = np.empty(dim, int)
    rank[np.lexsort((np.arange(dim), labels))] = np.arange(dim)  # representatives of orbits lie in one block together
    images, signs = np.stack([g.images for g in group]), np.stack([g.signs for g in group])
    ranks = rank[images]
    chosen = np.argmin(ranks, axis=0)
    representative = images[chosen, np.arange(dim)]
    leads = representative == np.arange(dim)
    for character in range(len(group)):
        parity = np.array([(character & k).bit_count() % 2 for k in range(len(group))])
        chi = 1 - 2 * parity
        # sum over the group of chi(g) g |r> is supported on the orbit of r; at r itself it is the sum over what fixes r
        own = np.sum(np.where(images == np.arange(dim), chi[:, None] * signs, 0), axis=0)
        alive = own[representative] > 0
        number = np.full(dim, -1)
        leaders = np.flatnonzero(leads & alive)
        number[leaders] = np.arange(len(leaders))
        place = np.where(alive, number[representative], -1)
        # g takes the state to its representative with sign: the same sign takes it back
        weight = (chi[:, None] * signs)[chosen, np.arange(dim)].astype(float)
        size = np.bincount(representative, minlength=dim)[representative]
        yield place, weight / np.sqrt(size)


def _multiplets(terms: tuple[PauliTerms, ...], matrices: Entries, slopes: np.ndarray) -> Reduction | None:
    """By total spin: of each multiplet the state with `M = S`, in the sectors of the permutations of sites."""
    sites, dim = terms[0].sites, terms[0].dim
    twice_m = sites - 2 * np.bitwise_count(np.arange(dim)).astype(int)
    generators = commuting_involutions(terms, flips=False)
    scalars = int(np.count_nonzero(slopes == 0))
    if scalars * sum(_multiplicity(sites, m) ** 2 for m in range(sites % 2, sites + 1, 2)) > _LARGEST_ENTRIES:
        return None
    blocks, repeats = [], []
    for place, weight in _characters(generators, np.argsort(np.argsort(-twice_m, kind="stable"), kind="stable")):
        size = int(place.max()) + 1
        if size == 0:
            continue
        sector = matrices.projected(place, weight)
        charge = np.zeros(size, int)
        charge[place[place >= 0]] = twice_m[place >= 0]
        raising = _raising(sites, place, weight, size)
        for m in range(sites % 2, sites + 1, 2):
            inside = np.flatnonzero(charge == m)
            above = np.flatnonzero(charge == m + 2)
            highest = _kernel_basis(raising(above, inside))
            if highest.shape[1] == 0:
                continue
            entries = _in_basis(sector, inside, highest, slopes, size)
            block = Block.of(entries, highest.shape[1])
            blocks.append(block)
            # sum_i sigma_z^i = 2 M goes down in steps of 2 from `m`
            repeats.append([block.shift + slopes * (other - m) for other in range(m, -m - 1, -2)])
    found = f"total spin and {len(generators)} symmetries of order two"
    return _assembled(blocks, repeats, found)


def _multiplicity(sites: int, twice_spin: int) -> int:
    """How many multiplets of a spin there are."""
    down = (sites - twice_spin) // 2
    return math.comb(sites, down) - (math.comb(sites, down - 1) if down else 0)


def _raising(sites: int, place: np.ndarray, weight: np.ndarray, size: int):
    """`S^+` between two sets of basis vectors of a sector, as a dense matrix."""
    states = np.arange(len(place))
    rows, columns = [], []
    for site in range(sites):
        lowered = states[states >> site & 1 == 1]
        rows.append(lowered ^ (1 << site))
        columns.append(lowered)
    row, column = np.concatenate(rows), np.concatenate(columns)
    value = weight[row] * weight[column]
    row, column = place[row], place[column]

    def between(above, inside):
        to_row, to_column = np.full(size + 1, -1), np.full(size + 1, -1)  # the last entry serves place -1
        to_row[above], to_column[inside] = np.arange(len(above)), np.arange(len(inside))
        i, j = to_row[row], to_column[column]
        kept = (i >= 0) & (j >= 0)
        matrix = np.zeros((len(above), len(inside)))
        np.add.at(matrix, (i[kept], j[kept]), value[kept])
        return matrix

    return between


def _kernel_basis(matrix: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the vectors that a matrix of full row rank takes to zero."""
    basis, _ = np.linalg.qr(matrix.T, mode="complete")
    return basis[:, matrix.shape[0] :]


def _in_basis(sector: Entries, inside: np.ndarray, basis: np.ndarray, slopes: np.ndarray, size: int) -> Entries:
    """The terms in the highest states of multiplets; a field is a multiple of the identity there."""
    local = np.full(size, -1)
    local[inside] = np.arange(len(inside))
    entries, dim = sector.projected(local, np.ones(size)), basis.shape[1]
    parts = []
    for number in range(sector.count):
        chosen = entries.term == number
        dense = np.zeros((len(inside), len(inside)))
        dense[entries.row[chosen], entries.column[chosen]] = entries.value[chosen]
        if slopes[number] == 0:
            matrix = basis.T @ dense @ basis
            matrix = (matrix + matrix.T) / 2
        else:
            matrix = dense[0, 0] * np.eye(dim)
        row, column = np.nonzero(np.abs(matrix) > 1e-15 * sector.scale[number])
        parts.append((np.full(len(row), number), row, column, matrix[row, column]))
    term, row, column, value = (np.concatenate(x) for x in zip(*parts, strict=True))
    return Entries(sector.scale, term, row, column, value)
