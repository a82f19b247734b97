"""Symmetries that permute the basis states up to signs, and finite groups of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Signed(NamedTuple):
    """A real symmetry: it takes basis state `s` to `signs[s]` times state `images[s]`."""

    images: np.ndarray
    signs: np.ndarray

    @classmethod
    def identity(cls, dim: int) -> "Signed":
        return cls(np.arange(dim, dtype=np.int32), np.ones(dim, np.int8))

    def after(self, first: "Signed") -> "Signed":
        """First `first`, then `self`."""
        return Signed(self.images[first.images], self.signs[first.images] * first.signs)

    def commutes(self, other: "Signed") -> bool:
        return self.after(other).equals(other.after(self))

    def equals(self, other: "Signed") -> bool:
        return np.array_equal(self.images, other.images) and np.array_equal(self.signs, other.signs)

    def key(self) -> bytes:
        return self.images.tobytes() + self.signs.tobytes()


def site_permutation_of_states(order: Sequence[int], dims: Sequence[int]) -> Signed:
    """What moving the state of site `i` to site `order[i]` does to the basis states."""
    states, images = np.indices(dims).reshape(len(dims), -1), 0
    strides = np.append(np.cumprod(np.asarray(dims)[:0:-1])[::-1], 1)
    for source, target in enumerate(order):
        images = images + states[source] * strides[target]
    return Signed(np.asarray(images, np.int32), np.ones(states.shape[1], np.int8))


def mode_permutation_of_states(order: Sequence[int]) -> Signed:
    """`c_i^+ -> c_order[i]^+` on the Fock states of Jordan and Wigner: a sign for each pair of particles that changes its order."""
    moved = site_permutation_of_states(order, (2,) * len(order))
    filled, crossings = np.indices((2,) * len(order)).reshape(len(order), -1), 0
    for i, target in enumerate(order):
        for j in range(i):
            if order[j] > target:
                crossings = crossings + filled[i] * filled[j]
    return Signed(moved.images, (1 - 2 * (crossings % 2 * np.ones(len(moved.signs), int))).astype(np.int8))


class AbelianGroup:
    """Commuting symmetries and their characters; grown by one generator at a time.

    Attributes:
        elements: the symmetries, the identity first.
        characters: `chi(g)`, one row a character; real ones are exactly `+-1`.
    """

    def __init__(self, elements: list[Signed], turns: np.ndarray):
        self.elements, self._turns = elements, turns
        self.index = {element.key(): k for k, element in enumerate(elements)}
        self.characters = _exactly_real(np.exp(2j * np.pi * turns))

    @classmethod
    def trivial(cls, dim: int) -> "AbelianGroup":
        return cls([Signed.identity(dim)], np.zeros((1, 1)))

    def __len__(self) -> int:
        return len(self.elements)

    def commutes(self, element: Signed) -> bool:
        return all(element.commutes(other) for other in self.elements)

    def extended(self, generator: Signed) -> "AbelianGroup":
        """With a generator that commutes with all elements: each character continues to as many as the order grows by."""
        powers = [self.elements[0]]
        power = generator
        while power.key() not in self.index:
            powers.append(power)
            power = generator.after(power)
        count = len(powers)
        closing = self._turns[:, self.index[power.key()]]
        step = (closing[:, None] + np.arange(count)) / count  # the `count`-th roots of the character of the last power
        turns = np.mod(step[:, :, None, None] * np.arange(count)[:, None] + self._turns[:, None, None, :], 1.0)
        elements = [power.after(element) for power in powers for element in self.elements]
        return AbelianGroup(elements, turns.reshape(len(self._turns) * count, -1))

    def conjugated(self, involution: Signed) -> np.ndarray | None:
        """For each element `g` the number of `q g q^-1` for a `q` of square one; `None` where it is not in the group."""
        moved = [self.index.get(involution.after(g).after(involution).key()) for g in self.elements]
        return None if None in moved else np.array(moved)


def _exactly_real(characters: np.ndarray) -> np.ndarray:
    real = np.all(np.abs(np.imag(characters)) < 1e-9, axis=1)
    answer = characters.copy()
    answer[real] = np.rint(np.real(characters[real]))
    return answer
