"""A basis for each sector: sums over orbits of states, and sines and cosines in place of waves.

The sector of the character `chi` is spanned by `sum_g chi(g)^* g |s>`, over representatives `s` of orbits. Where a reflection
`q` inverts `chi`, the antiunitary `q K` leaves it as it is, and in a basis of vectors that `q K` takes to themselves the block is
real.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ._signed import Signed


class Sector(NamedTuple):
    """Labels of a sector.

    Attributes:
        elements: the symmetries whose character labels it, shared by the sectors that differ in values only.
        values: the character of each.
        mirror: the symmetry whose product with complex conjugation makes the block real; `None` where none is needed or known.
        copies: how many sectors have the same block.
    """

    elements: tuple[Signed, ...]
    values: np.ndarray
    mirror: Signed | None
    copies: int


class Basis(NamedTuple):
    """`W` with few nonzero elements a row: `values[s, j]` in column `columns[s, j]` of row `s`; column -1 for none.

    Attributes:
        columns: shape `(states, 1)`.
        values: likewise.
        leads: states that represent the basis vector they belong to.
        size: number of basis vectors.
        turn: a further change of basis within the sector, again as columns and values, or `None`.
    """

    columns: np.ndarray
    values: np.ndarray
    leads: np.ndarray
    size: int
    turn: tuple[np.ndarray, np.ndarray] | None


class Orbits:
    """The orbits of the states `members` under symmetries that map them to themselves."""

    def __init__(self, elements: tuple[Signed, ...], members: np.ndarray, dim: int):
        self._members, self._local = members, np.full(dim, -1, np.int32)
        self._local[members] = np.arange(len(members))
        images = np.stack([self._local[e.images[members]] for e in elements])
        self._signs = np.stack([e.signs[members] for e in elements])
        self._chosen = np.argmin(images, axis=0)
        states = np.arange(len(members))
        self._representative = images[self._chosen, states]
        self._fixed = [np.flatnonzero(image == states) for image in images]
        self._leads = self._representative == states
        self._size = np.bincount(self._representative, minlength=len(members))[self._representative]

    def basis(self, sector: Sector) -> Basis:
        """The basis of a sector whose elements these orbits are of."""
        states = np.arange(len(self._members))
        own = np.zeros(len(states))
        for value, sign, fixed in zip(sector.values, self._signs, self._fixed, strict=True):
            own[fixed] += np.real(value) * sign[fixed]
        alive = own[self._representative] > 0.5
        leads = self._leads & alive
        number = np.full(len(states), -1)
        number[leads] = np.arange(np.count_nonzero(leads))
        place = np.where(alive, number[self._representative], -1)
        # the chosen element takes a state to its representative; its inverse takes it back, with the conjugate character
        weight = sector.values[self._chosen] * self._signs[self._chosen, states] / np.sqrt(self._size)
        size = int(np.count_nonzero(leads))
        turn = None if sector.mirror is None or size == 0 else self._turned(sector.mirror, place, weight, leads)
        return Basis(place[:, None], weight[:, None], leads, size, turn)

    def _turned(self, mirror: Signed, place, weight, leads):
        """The vectors that `q K` leaves as they are, from a basis that it permutes up to phases."""
        leaders = np.flatnonzero(leads)
        image = self._local[mirror.images[self._members[leaders]]]
        sign = mirror.signs[self._members[leaders]]
        partner = place[image]
        phase = sign * np.conj(weight[image]) * np.sqrt(self._size[leaders])
        own = np.arange(len(leaders))
        first, alone = own < partner, own == partner
        columns = np.full((len(leaders), 2), -1)
        values = np.zeros((len(leaders), 2), complex)
        columns[:, 0] = np.minimum(own, partner)
        columns[~alone, 1] = np.maximum(own, partner)[~alone]
        values[alone, 0] = np.sqrt(phase[alone])
        # of a pair a, b with q K a = p b: (a + p b) / sqrt(2) and i (a - p b) / sqrt(2), the rows being those of a and of b
        values[first] = np.array([1, 1j]) / np.sqrt(2)
        last = own > partner
        back = phase[partner[last]][:, None]
        values[last] = back * np.array([1, -1j]) / np.sqrt(2)
        return columns, values


def bases(sectors: list[Sector], members: np.ndarray, dim: int) -> Iterator[tuple[Sector, Basis]]:
    """The basis of each sector on the states `members`."""
    orbits: dict[int, Orbits] = {}
    for sector in sectors:
        if id(sector.elements) not in orbits:
            orbits[id(sector.elements)] = Orbits(sector.elements, members, dim)
        yield sector, orbits[id(sector.elements)].basis(sector)
