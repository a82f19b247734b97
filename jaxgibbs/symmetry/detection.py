"""Symmetries of every term of a sum of Pauli strings, found from the strings: they hold for all couplings.

A symmetry found from values would vanish under differentiation; these come from the static terms. Charges that are diagonal,
such as the magnetisation or a parity of it, need no search: they are the blocks of `operators.block_structure`. What is
looked for here are Pauli strings that flip spins, by linear algebra over GF(2); the permutations of sites that a model
carries; and the total spin.
"""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxgibbs.operators import AbstractOperator, PauliSum, PauliTerms, Scaled, Sum

_LARGEST_GROUP = 4096


class Involution(NamedTuple):
    """A real symmetry of square one: it takes basis state `s` to `signs[s]` times state `images[s]`."""

    images: np.ndarray
    signs: np.ndarray


def pauli_terms(operator: AbstractOperator) -> tuple[PauliTerms, ...] | None:
    """The static terms of a `PauliSum`, or of sums and multiples of such; `None` of anything else."""
    if isinstance(operator, PauliSum):
        return (operator.terms,)
    if isinstance(operator, Scaled):
        return pauli_terms(operator.operator)
    if isinstance(operator, Sum):
        parts = [pauli_terms(part) for part in operator.parts]
        return None if any(part is None for part in parts) else sum((part for part in parts if part is not None), ())
    return None


def coefficients(operator: AbstractOperator):
    """The couplings that go with `pauli_terms`, as one vector."""
    if isinstance(operator, Scaled):
        return operator.factor * coefficients(operator.operator)
    if isinstance(operator, Sum):
        return jnp.concatenate([coefficients(part) for part in operator.parts])
    assert isinstance(operator, PauliSum)
    return operator.coefficients()


def conserved_flips(terms: tuple[PauliTerms, ...]) -> list[tuple[int, int]]:
    """Independent Pauli strings `(x, z)` that flip spins, are real, and commute with every string of every term.

    The strings that commute with all others are the kernel of a matrix over GF(2) (Bravyi, Gambetta, Mezzacapo, Temme 2017,
    eq. 18); those without flips are dropped, for the blocks of the computational basis have them already.
    """
    sites = terms[0].sites
    rows = {(int(z) << sites) | int(x) for t in terms for x, z in zip(t.x, t.z, strict=True)}
    kernel = _kernel(rows, 2 * sites)  # of (x, z) with parity(x & z_k) + parity(z & x_k) even
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


def _kernel(rows: set[int], width: int) -> list[int]:
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


def conserved_permutations(terms: tuple[PauliTerms, ...]) -> list[tuple[int, ...]]:
    """Permutations of sites of order two, in the group that the model carries, that leave every term as it is."""
    sites = terms[0].sites
    carried = {order for t in terms for order in t.permutations if all(other.is_invariant(order) for other in terms)}
    identity = tuple(range(sites))
    group, frontier = {identity}, [identity]
    while frontier and len(group) < _LARGEST_GROUP:
        products = {tuple(order[i] for i in element) for element in frontier for order in carried}
        frontier = list(products - group)
        group |= products
    involutions = [g for g in group if g != identity and tuple(g[i] for i in g) == identity]
    return sorted(involutions, key=lambda g: (sum(i == j for i, j in enumerate(g)), g))


def commuting_involutions(terms: tuple[PauliTerms, ...], *, flips: bool = True) -> list[Involution]:
    """Independent symmetries of order two that commute with one another, as maps of the basis states."""
    sites, states = terms[0].sites, np.arange(terms[0].dim)
    candidates = []
    for x, z in conserved_flips(terms) if flips else []:
        phase = (-1) ** ((x & z).bit_count() // 2)
        candidates.append(Involution(states ^ x, phase * (1 - 2 * (np.bitwise_count(states & z) % 2).astype(int))))
    for order in conserved_permutations(terms):
        images = np.zeros_like(states)
        for source, target in enumerate(order):
            images |= ((states >> (sites - 1 - source)) & 1) << (sites - 1 - target)
        candidates.append(Involution(images, np.ones_like(states)))
    chosen: list[Involution] = []
    for candidate in candidates:
        if all(_same(_product(candidate, g), _product(g, candidate)) for g in chosen) and not any(
            _same_up_to_sign(candidate, g) for g in group_of(chosen, terms[0].dim)
        ):
            chosen.append(candidate)
    return chosen


def group_of(generators: list[Involution], dim: int) -> list[Involution]:
    """All products of commuting involutions; element `k` has generator `i` where bit `i` of `k` is set."""
    group = [Involution(np.arange(dim), np.ones(dim, int))]
    for generator in generators:
        group += [_product(generator, element) for element in group]
    return group


def _product(a: Involution, b: Involution) -> Involution:
    """First `b`, then `a`."""
    return Involution(a.images[b.images], a.signs[b.images] * b.signs)


def _same(a: Involution, b: Involution) -> bool:
    return np.array_equal(a.images, b.images) and np.array_equal(a.signs, b.signs)


def _same_up_to_sign(a: Involution, b: Involution) -> bool:
    return np.array_equal(a.images, b.images) and len(np.unique(a.signs * b.signs)) == 1


def field_terms(terms: tuple[PauliTerms, ...]) -> np.ndarray | None:
    """For each term `a` where it is `a sum_i sigma_z^i + b`, 0 where it conserves the total spin; `None` if one does neither.

    With such terms the Hamiltonian conserves the total spin, and in a multiplet of spin S the field shifts `2 S + 1` copies
    of the same levels.
    """
    slopes = []
    for t in terms:
        for number in range(t.count):
            chosen = t.term == number
            strings = {
                (int(x), int(z)): float(w)
                for x, z, w in zip(t.x[chosen], t.z[chosen], t.weight[chosen], strict=True)
                if x or z
            }
            slope = _uniform_field(strings, t.sites)
            if slope is None:
                if not _is_scalar(strings, t.sites):
                    return None
                slope = 0.0
            slopes.append(slope)
    return np.array(slopes)


def _uniform_field(strings: dict[tuple[int, int], float], sites: int) -> float | None:
    fields = [strings.get((0, 1 << site)) for site in range(sites)]
    if len(strings) != sites or None in fields or len(set(fields)) > 1:
        return None
    return fields[0]


def _is_scalar(strings: dict[tuple[int, int], float], sites: int) -> bool:
    """Whether the commutators with the total spin along x and along z vanish."""
    largest = max((abs(w) for w in strings.values()), default=0.0)
    for along_x in (True, False):
        commutator: dict[tuple[int, int], complex] = {}
        for ((x, z), weight), site in itertools.product(strings.items(), range(sites)):
            bit = 1 << site
            if not (z if along_x else x) & bit:
                continue  # commutes
            # With strings i^(number of Y) X^x Z^z, the product from the right by one Pauli matrix, up to a common factor.
            phase = 1j ** (x & z).bit_count()
            key = (x ^ bit, z) if along_x else (x, z ^ bit)
            commutator[key] = commutator.get(key, 0) + weight * phase
        if any(abs(value) > 1e-14 * largest for value in commutator.values()):
            return False
    return True
