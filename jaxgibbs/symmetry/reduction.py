"""The blocks that the symmetries of every term leave, each kept once: a smaller sum of terms, and how to undo it.

In a basis of sectors every term is again a static sparse matrix, `T'_k = W^T T_k W`, so that the reduced Hamiltonian is
`sum_k theta_k T'_k` with the same couplings: its blocks, decompositions and derivatives are those of any sum of terms. Blocks
that differ by a multiple of the identity in every term, such as the states of a multiplet in a field, are decomposed once.
"""

import functools
import hashlib
import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from jaxgibbs.linalg.hermitian import Decomposition
from jaxgibbs.operators import AbstractOperator, Sum, block_structure
from jaxgibbs.operators.terms import LARGEST_SPARSE_DIMENSION, TermSum

from ._bases import Sector, bases
from ._characters import sectors_of
from ._collection import Collection, Part, cost_of
from ._multiplets import by_multiplets
from ._sector_terms import Entries
from ._signed import Signed
from .detection import Symmetries, Terms, static_terms
from .total_spin import field_terms

LEAST_SAVED = 2.0**32  # of `sum size^3`, a second or two: what compiling the sectors of one more observable costs
SMALLEST_COST = 2.0**22  # `sum size^3` of the blocks; below it compiling more sizes costs more than they save


class Reduction:
    """Static: the terms in the basis of sectors, their blocks, and the copies of these that make up the whole space.

    Attributes:
        parts: the real blocks, and where there are any the complex ones.
        found: what was found, in words.
    """

    def __init__(self, parts: tuple[Part, ...], found: str):
        self.parts, self.found = parts, found
        digest = hashlib.sha256(found.encode())
        for part in parts:
            digest.update(repr((hash(part.terms), hash(part.structure))).encode())
            for index, shifts in part.copies:
                digest.update(index.tobytes())
                digest.update(shifts.tobytes())
        self._digest = digest.digest()

    def __hash__(self) -> int:
        return hash(self._digest)

    def __eq__(self, other) -> bool:
        return isinstance(other, Reduction) and self._digest == other._digest

    @property
    def cost(self) -> float:
        """`sum size^3` over the blocks that are decomposed, complex ones counted four times."""
        return sum(cost_of(part.structure) * (4 if part.terms.is_complex else 1) for part in self.parts)

    @property
    def kept(self) -> int:
        """`sum size^2` over the blocks that are decomposed."""
        return sum(index.size * index.shape[1] for part in self.parts for index in part.structure.indices)

    def matrices(self, couplings: Float[Array, " terms"]) -> tuple[Inexact[Array, "blocks size size"], ...]:
        """The kept blocks, stacked by size, of the Hamiltonian with these coefficients."""
        stacks = []
        for part in self.parts:
            elements = TermSum({"all": couplings}, part.terms).weighted_values()
            sizes = [math.prod(shape) for shape in part.shapes]
            flat = jnp.zeros(sum(sizes), elements.dtype).at[part.place].add(elements)
            pieces = jnp.split(flat, np.cumsum(sizes)[:-1])
            stacks += [piece.reshape(shape) for piece, shape in zip(pieces, part.shapes, strict=True)]
        return tuple(stacks)

    def expand(self, blocks: tuple[Decomposition, ...], couplings: Float[Array, " terms"]) -> tuple[Decomposition, ...]:
        """The decompositions of all blocks of the whole space from those of the kept ones."""
        copies = [one for part in self.parts for one in part.copies]
        return tuple(
            block.copies(index, jnp.asarray(shifts, couplings.dtype) @ couplings)
            for block, (index, shifts) in zip(blocks, copies, strict=True)
        )

    def expand_levels(
        self, blocks: tuple[Decomposition, ...], couplings: Float[Array, " terms"]
    ) -> tuple[Decomposition, ...]:
        """The levels alone of all blocks, as blocks of size one: for what is not differentiated."""
        kept = jnp.concatenate([jnp.ravel(block.eigenvalues) for block in blocks])
        source, copy, shifts = self._sources
        levels = kept[source] + (jnp.asarray(shifts, couplings.dtype) @ couplings)[copy]
        return (Decomposition(levels[:, None, None], levels[:, None], None),)

    @functools.cached_property
    def _sources(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each level of the whole space the kept level it is, and the number of its shift; and all shifts."""
        source, copy, shifts, start, count = [], [], [], 0, 0
        for part in self.parts:
            for index, (chosen, shift) in zip(part.structure.indices, part.copies, strict=True):
                size = index.shape[1]
                source.append((start + size * chosen[:, None] + np.arange(size)).ravel())
                copy.append(np.repeat(count + np.arange(len(chosen)), size))
                shifts.append(shift)
                start, count = start + index.size, count + len(chosen)
        return np.concatenate(source), np.concatenate(copy), np.concatenate(shifts)

    def describe(self) -> str:
        """The symmetries and the blocks decomposed, as `sizes x how many`."""
        kinds = ("complex " if part.terms.is_complex else "" for part in self.parts)
        blocks = ", ".join(k + part.structure.describe() for k, part in zip(kinds, self.parts, strict=True))
        return f"{self.found}: decomposed {blocks}"


def reduction(operator: AbstractOperator) -> Reduction | None:
    """The reduction by the symmetries of every term of a `PauliSum` or `LocalSum`, `None` where nothing worth it is found."""
    terms = static_terms(operator)
    if terms is None or terms[0].dim > LARGEST_SPARSE_DIMENSION:
        return None
    structure = block_structure(operator)
    plain = float(operator.dim) ** 3 if structure is None else cost_of(structure)
    if plain < SMALLEST_COST:
        return None
    found = _reduction(terms)
    worth = 0.7 * plain * (4 if any(t.is_complex for t in terms) else 1)
    return found if found is not None and found.cost < worth else None


def shared_reduction(operator: AbstractOperator, observables: Sequence) -> Reduction | None:
    """By what every term of the operator and of the observables conserves; `None` where that saves too little.

    Its couplings are those of the operator and then those of each observable.
    """
    structured = all(isinstance(o, AbstractOperator) and o.space == operator.space for o in observables)
    if not (observables and structured and all(static_terms(o) for o in observables)):
        return None
    structure = block_structure(operator)
    plain = float(operator.dim) ** 3 if structure is None else cost_of(structure)
    if plain <= LEAST_SAVED:
        return None
    found = reduction(Sum((operator, *observables)))
    return found if found is not None and plain - found.cost > LEAST_SAVED else None


@functools.lru_cache(maxsize=64)
def _reduction(terms: tuple[Terms, ...]) -> Reduction | None:
    entries = Entries.of(terms)
    slopes = field_terms(terms)
    if slopes is not None and (found := by_multiplets(terms, entries, slopes)) is not None:
        return Reduction(*found)
    found = _by_blocks(terms, entries)
    return None if found is None else Reduction(*found)


def _by_blocks(terms: tuple[Terms, ...], entries: Entries):
    """The sectors of one block of each set of blocks that the symmetries take to one another."""
    dim = terms[0].dim
    labels = entries.labels(dim)
    symmetries = Symmetries(terms, entries, labels)
    members = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])
    moves = [*symmetries.group.elements, *symmetries.involutions, *symmetries.flips]
    plans: dict[tuple, list[Sector]] = {}
    collected, reached, paired = Collection(), np.zeros(len(members), bool), False
    for label, states in enumerate(members):
        if reached[label]:
            continue
        images = _orbit_of_block(states[0], labels, moves)
        reached[labels[images]] = True
        paired = paired or len(images) > 1
        added = (symmetries.diagonal[:, images] - symmetries.diagonal[:, images[:1]]).T
        stays = [labels[move.images[states[0]]] == label for move in moves]
        kept = np.flatnonzero(stays[: len(symmetries.group)])
        involutions = [q for q in range(len(symmetries.involutions)) if stays[len(symmetries.group) + q]]
        key = (kept.tobytes(), *involutions)
        if key not in plans:
            plans[key] = sectors_of(symmetries, kept, involutions, np.isrealobj(entries.value))
        inside = entries.within(states, dim)
        for sector, basis in bases(plans[key], states, dim):
            if basis.size:
                collected.add(inside.projected(basis), basis.size, np.repeat(added, sector.copies, axis=0))
    words = "blocks that differ by a shift once" if paired else ""
    found = ", ".join(filter(None, (symmetries.found, words)))
    return (collected.assembled(), found) if found else None


def _orbit_of_block(first: int, labels: np.ndarray, moves: list[Signed]) -> list[int]:
    """A state in each block that the one of state `first` is taken to, `first` included."""
    images, known = [first], {labels[first]}
    for state in images:  # grows as it goes
        for move in moves:
            image = move.images[state]
            if labels[image] not in known:
                known.add(labels[image])
                images.append(image)
    return images
