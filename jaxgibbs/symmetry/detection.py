"""Symmetries of every term of a sum of local terms, found from the terms: they hold for all couplings.

A symmetry found from values would vanish under differentiation; these come from the static terms. Charges that are diagonal,
such as the magnetisation or a parity of it, need no search: they are the blocks of `operators.block_structure`. What is
looked for here are permutations of sites and of fermionic modes that a model carries; Pauli strings that flip spins, by linear
algebra over GF(2); and the reversal of the levels of every site. A symmetry may change the diagonal of a term by a number in
each block, as a flip changes a uniform field: it then takes a block to one with the same levels, shifted.
"""

import jax.numpy as jnp
import numpy as np

from jaxgibbs.operators import AbstractOperator, LocalSum, LocalTerms, PauliSum, PauliTerms, Scaled, Sum

from ._sector_terms import Entries
from ._signed import AbelianGroup, Signed, mode_permutation_of_states, site_permutation_of_states

Terms = PauliTerms | LocalTerms

_LARGEST_GROUP = 4096
_MOST_FLIPS = 5  # independent flips, of which all products are looked at
_MOST_INVOLUTIONS = 64


def static_terms(operator: AbstractOperator) -> tuple[Terms, ...] | None:
    """The static terms of a `PauliSum` or a `LocalSum`, or of sums and multiples of such; `None` of anything else."""
    if isinstance(operator, PauliSum | LocalSum):
        return (operator.terms,)
    if isinstance(operator, Scaled):
        return static_terms(operator.operator)
    if isinstance(operator, Sum):
        parts = [static_terms(part) for part in operator.parts]
        found = None if any(part is None for part in parts) else sum((p for p in parts if p is not None), ())
        return found if found is None or len({dims_of(t) for t in found}) == 1 else None
    return None


def dims_of(terms: Terms) -> tuple[int, ...]:
    """The dimension of every site."""
    return (2,) * terms.sites if isinstance(terms, PauliTerms) else terms.dims


def coefficients(operator: AbstractOperator):
    """The couplings that go with `static_terms`, as one vector."""
    if isinstance(operator, Scaled):
        return operator.factor * coefficients(operator.operator)
    if isinstance(operator, Sum):
        return jnp.concatenate([coefficients(part) for part in operator.parts])
    assert isinstance(operator, PauliSum | LocalSum)
    return operator.coefficients()


class Invariance:
    """Whether a symmetry leaves every term as it is, but for a number that it may add to the diagonal of each block."""

    def __init__(self, entries: Entries, labels: np.ndarray):
        self._dim, self._first = len(labels), np.unique(labels, return_index=True)[1][labels]
        off = entries.row != entries.column
        self._scale, self._term = entries.scale, entries.term[off]
        self._row, self._column, self._value = entries.row[off], entries.column[off], entries.value[off]
        self._order, self._key = self._sorted(self._row, self._column)
        self.diagonal = np.zeros((entries.count, self._dim))
        np.add.at(self.diagonal, (entries.term[~off], entries.row[~off]), np.real(entries.value[~off]))

    def holds(self, symmetry: Signed) -> bool:
        images, signs = symmetry
        tolerance = 1e-12 * self._scale
        change = self.diagonal[:, images] - self.diagonal
        if np.any(np.abs(change - change[:, self._first]) > tolerance[:, None]):
            return False
        order, key = self._sorted(images[self._row], images[self._column])
        if not np.array_equal(key, self._key):
            return False
        moved = (self._value * signs[self._row] * signs[self._column])[order]
        return bool(np.all(np.abs(moved - self._value[self._order]) <= tolerance[self._term[order]]))

    def _sorted(self, row, column):
        key = (self._term * self._dim + row) * self._dim + column
        order = np.argsort(key, kind="stable")
        return order, key[order]


def conserved_flips(terms: tuple[PauliTerms, ...], labels: np.ndarray | None = None) -> list[tuple[int, int]]:
    """Independent Pauli strings `(x, z)` that flip spins, are real, and commute with every string of every term.

    The strings that commute with all others are the kernel of a matrix over GF(2) (Bravyi, Gambetta, Mezzacapo, Temme 2017,
    eq. 18); those without flips are dropped, for the blocks of the computational basis have them already. With the `labels` of
    these blocks, a sum of `Z` that is a number in each block is left out of its term.
    """
    sites = terms[0].sites
    rows = set()
    for t in terms:
        for number in range(t.count):
            chosen = t.term == number
            x, z = t.x[chosen], t.z[chosen]
            fields = (x == 0) & (np.bitwise_count(z) == 1)
            if labels is not None and _is_number_in_blocks(z[fields], t.weight[chosen][fields], labels):
                x, z = x[~fields], z[~fields]
            rows |= {(int(b) << sites) | int(a) for a, b in zip(x, z, strict=True)}
    kernel = kernel_modulo_2(rows, 2 * sites)  # of (x, z) with parity(x & z_k) + parity(z & x_k) even
    diagonal = [vector for vector in kernel if vector >> sites == 0]
    flips = []
    for vector in kernel:
        if vector >> sites == 0:
            continue
        for factor in (0, *diagonal):  # a product with a diagonal one may be real where the string itself is not
            x, z = (vector ^ factor) >> sites, (vector ^ factor) & ((1 << sites) - 1)
            if (x & z).bit_count() % 2 == 0:
                flips.append((x, z))
                break
    return flips


def _is_number_in_blocks(masks: np.ndarray, weights: np.ndarray, labels: np.ndarray) -> bool:
    states = np.arange(len(labels))
    total = sum(
        (w * (1.0 - 2.0 * (np.bitwise_count(states & m) % 2)) for m, w in zip(masks, weights, strict=True)), 0.0
    )
    total = np.broadcast_to(total, labels.shape)
    first = np.unique(labels, return_index=True)[1][labels]
    return bool(np.all(np.abs(total - total[first]) <= 1e-12 * np.max(np.abs(weights), initial=0.0)))


def kernel_modulo_2(rows: set[int], width: int) -> list[int]:
    """Vectors `v` of bits with `parity(row & v) = 0` for every row; in echelon form from the highest bit down."""
    pivots: dict[int, int] = {}
    for row in rows:
        for bit, pivot in pivots.items():
            if row >> bit & 1:
                row ^= pivot
        if row:
            bit = row.bit_length() - 1
            for other in pivots:
                if pivots[other] >> bit & 1:
                    pivots[other] ^= row
            pivots[bit] = row
    free = [bit for bit in range(width) if bit not in pivots]
    vectors = [(1 << bit) | sum(1 << p for p, row in pivots.items() if row >> bit & 1) for bit in free]
    reduced: list[int] = []
    for position in reversed(range(width)):
        pivot = next((v for v in vectors if v.bit_length() - 1 == position), None)
        if pivot is not None:
            vectors = [v ^ pivot if v >> position & 1 else v for v in vectors if v != pivot]
            reduced = [v ^ pivot if v >> position & 1 else v for v in reduced] + [pivot]
    return reduced


def flip_of_states(x: int, z: int, dim: int) -> Signed:
    """A real Pauli string as what it does to the basis states."""
    states, phase = np.arange(dim), (-1) ** ((x & z).bit_count() // 2)
    return Signed(
        (states ^ x).astype(np.int32),
        (phase * (1 - 2 * (np.bitwise_count(states & z) % 2).astype(int))).astype(np.int8),
    )


def flips_of(terms: tuple[Terms, ...], invariance: Invariance, labels: np.ndarray) -> list[Signed]:
    """Flips of every term, with all products of a few."""
    dim = len(labels)
    if all(isinstance(t, PauliTerms) for t in terms):
        strings = conserved_flips(tuple(t for t in terms if isinstance(t, PauliTerms)), labels)
        found = [s for s in (flip_of_states(x, z, dim) for x, z in strings) if invariance.holds(s)]
    else:
        reversal = Signed(np.arange(dim, dtype=np.int32)[::-1].copy(), np.ones(dim, np.int8))
        found = [reversal] if invariance.holds(reversal) else []
    if len(found) > _MOST_FLIPS:
        return found
    products = [Signed.identity(dim)]
    for generator in found:
        products += [generator.after(element) for element in products]
    return sorted(products[1:], key=lambda s: -np.count_nonzero(s.images != np.arange(dim)))


class Permutations:
    """The group that the permutations of a model generate, less those that do not leave every term as it is."""

    def __init__(self, terms: tuple[Terms, ...], invariance: Invariance | None = None):
        self.dims = dims_of(terms[0])
        modes = {order for t in terms if isinstance(t, PauliTerms) for order in t.mode_permutations}
        self.fermionic = bool(modes)
        carried = modes or {order for t in terms for order in t.permutations}
        generators = [order for order in carried if invariance is None or invariance.holds(self.states(order))]
        self.identity = tuple(range(len(self.dims)))
        group, frontier = {self.identity}, [self.identity]
        while frontier and len(group) < _LARGEST_GROUP:
            products = {_product(order, element) for element in frontier for order in generators}
            frontier = list(products - group)
            group |= products
        self.group = sorted(group - {self.identity}, key=lambda g: (not _is_free(g), -_order(g), g))

    def states(self, order) -> Signed:
        """What a permutation does to the basis states."""
        return mode_permutation_of_states(order) if self.fermionic else site_permutation_of_states(order, self.dims)

    def involutions(self) -> list[tuple[int, ...]]:
        """Those of order two, the ones that fix few sites first."""
        pairs = [g for g in self.group if _product(g, g) == self.identity]
        return sorted(pairs, key=lambda g: (sum(i == j for i, j in enumerate(g)), g))

    def abelian(self, commuting_with: AbelianGroup) -> list[Signed]:
        """Generators of a large group of permutations that commute with one another and with given symmetries."""
        inside, generators, found = {self.identity}, [], []
        for g in self.group:
            if g in inside or any(_product(g, h) != _product(h, g) for h in generators):
                continue
            symmetry = self.states(g)
            if not commuting_with.commutes(symmetry):
                continue
            generators.append(g)
            found.append(symmetry)
            power, products = g, set(inside)
            while power != self.identity:
                products |= {_product(power, h) for h in inside}
                power = _product(g, power)
            inside = products
        return found


def _product(a, b):
    """First `b`, then `a`."""
    return tuple(a[i] for i in b)


def _order(g) -> int:
    power, order = g, 1
    while power != tuple(range(len(g))):
        power, order = _product(g, power), order + 1
    return order


def _is_free(g) -> bool:
    """Whether all cycles are of one length, as those of a translation."""
    return len({len(cycle) for cycle in _cycles(g)}) == 1


def _cycles(g):
    left = set(range(len(g)))
    while left:
        start = next(iter(left))
        cycle = [start]
        while g[cycle[-1]] != start:
            cycle.append(g[cycle[-1]])
        left -= set(cycle)
        yield cycle


class Symmetries:
    """What is used: a commuting group, and symmetries of order two that map it to itself.

    Attributes:
        group: translations, flips and what else commutes.
        flips: all flips, those that do not commute with the group too: they still take a block to another.
        involutions: permutations of order two outside of it, such as reflections, for which `q g q^-1` is in the group.
        moved: for each involution and each element `g` of the group the number of `q g q^-1`.
        found: in words.
    """

    def __init__(self, terms: tuple[Terms, ...], entries: Entries, labels: np.ndarray, *, flips: bool = True):
        invariance = Invariance(entries, labels)
        self.diagonal = invariance.diagonal
        permutations = Permutations(terms, invariance)
        self.flips = flips_of(terms, invariance, labels) if flips else []
        trivial = AbelianGroup.trivial(len(labels))
        translated = _grown(trivial, permutations.abelian(trivial))
        flipped = _grown(trivial, self.flips)
        # Flips that a translation exchanges do not commute with it: the larger group of the two decides.
        options = [
            (translated, _grown(translated, self.flips)),
            (flipped, _grown(flipped, permutations.abelian(flipped))),
        ]
        first, self.group = max(options, key=lambda option: len(option[1]))
        self.involutions, self.moved = [], []
        for order in permutations.involutions():
            symmetry = permutations.states(order)
            if symmetry.key() in self.group.index or len(self.involutions) == _MOST_INVOLUTIONS:
                continue
            moved = self.group.conjugated(symmetry)
            if moved is not None:
                self.involutions.append(symmetry)
                self.moved.append(moved)
        number = len(self.group) // len(first), len(first)
        shifts, flipping = number[::-1] if first is translated else number
        self.found = ", ".join(
            words
            for count, words in (
                (shifts - 1, f"{shifts} commuting permutations"),
                (flipping - 1, f"{flipping - 1} flip" + "s" * (flipping > 2)),
                (len(self.involutions), f"{len(self.involutions)} reflections"),
            )
            if count
        )


def _grown(group: AbelianGroup, generators: list[Signed]) -> AbelianGroup:
    for generator in generators:
        if generator.key() not in group.index and group.commutes(generator):
            group = group.extended(generator)
    return group
