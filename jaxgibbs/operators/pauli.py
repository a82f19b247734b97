"""`sum_k theta_k P_k` with terms made of Pauli strings: spins 1/2 without a stored matrix, up to 30 sites."""

import functools
import hashlib
from collections.abc import Mapping, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Inexact

from jaxgibbs._errors import check_finite

from .bit_flips import FlipMap, FlipPlan
from .local import check_permutation, site_index, whole_number
from .named_terms import AbstractTerms
from .pauli_text import parse_pauli_sum
from .split_flips import SplitMap, SplitPlan, leading_bits
from .terms import AbstractTermSum, TermSum, checked_couplings, sparse_terms

LARGEST_SITES = 30  # an index of a state is an int32


class PauliTerms(AbstractTerms):
    """Static terms `T_0, T_1, ...`, each a real combination of Pauli strings; hashed by content.

    Site 0 is the left-most tensor factor, the most significant bit of the index of a state: the bit of site `s` in a mask is
    `2^(sites - 1 - s)`, and bit 0 of a state is `sigma_z = +1`. A string has `X` where only `x` has a bit, `Z` where only `z`
    has one, and `Y` where both do. Equal strings of one term are added up.

    Args:
        sites: number of sites, at most 30.
        sizes: how many terms each named coupling has, in order.
        term: the number of the term that each string belongs to; shape `(strings,)`, as are the others.
        x: its flips, as a mask.
        z: its signs, as a mask.
        weight: its real weight.
        permutations: permutations of the sites, each `order` taking site `i` to `order[i]`, that leave every term as it is.
        mode_permutations: permutations of fermionic modes, `c_i^+ -> c_order[i]^+` of Jordan and Wigner, to look for symmetries
            among: some may be none.

    Raises:
        ValueError: if an index or a mask is out of range, a weight is not finite or complex, or a permutation is none or changes
            a term.

    Example:
        >>> terms = PauliTerms.from_strings(3, {"J": ["X0 X1 + Y0 Y1", "X1 X2 + Y1 Y2"], "h": "Z0 + Z1 + Z2"})
        >>> print(PauliSum({"J": [1.0, 0.5], "h": 0.2}, terms).dim)
        8
    """

    def __init__(
        self,
        sites: int,
        sizes: Mapping[str, int],
        term,
        x,
        z,
        weight,
        permutations: Sequence[Sequence[int]] = (),
        mode_permutations: Sequence[Sequence[int]] = (),
    ):
        self.sites = whole_number("sites", sites)
        if self.sites > LARGEST_SITES:
            raise ValueError(
                f"`sites` must be at most {LARGEST_SITES}, whose vectors have 2^30 entries, but is {sites}."
            )
        self.sizes = tuple((name, int(size)) for name, size in sizes.items())
        if np.iscomplexobj(weight):
            raise ValueError(
                "`weight` must be real, but is complex: a complex multiple of a Pauli string is not Hermitian."
            )
        strings = [
            np.atleast_1d(np.asarray(part, kind)) for part, kind in ((term, int), (x, int), (z, int), (weight, float))
        ]
        self._check(*strings)
        self.term, self.x, self.z, self.weight = _added_up(*strings)
        digest = hashlib.sha256(repr((self.sites, self.sizes)).encode())
        for array in (self.term, self.x, self.z, self.weight):
            digest.update(array.tobytes())
        self.permutations = tuple(tuple(map(int, order)) for order in permutations)
        for order in self.permutations:
            if not self.is_invariant(order):
                raise ValueError(f"`permutations` must leave every term as it is, but {order} changes one.")
        self.mode_permutations = tuple(tuple(map(int, order)) for order in mode_permutations)
        for order in self.mode_permutations:
            check_permutation(order, self.sites)
        digest.update(repr((self.permutations, self.mode_permutations)).encode())
        self._digest = digest.digest()

    @classmethod
    def from_strings(cls, sites: int, strings: Mapping[str, str | Sequence[str | Sequence[str]]]) -> "PauliTerms":
        """From text: each named coupling has one term, or a sequence with a term for each of its entries.

        A term is a sum such as `"0.5 X0 X1 + 0.5 Y0 Y1 - Z2"`, or a list of such texts, which are added.

        Raises:
            ValueError: if a text is no such sum, or a site does not exist.
        """
        sizes, rows, number = {}, [], 0
        for name, given in strings.items():
            terms = [given] if isinstance(given, str) else list(given)
            sizes[name] = len(terms)
            for term in terms:
                for text in [term] if isinstance(term, str) else term:
                    rows += [(number, x, z, weight) for weight, x, z in parse_pauli_sum(text, sites)]
                number += 1
        columns = tuple(zip(*rows, strict=True)) or ((), (), (), ())
        return cls(sites, sizes, *columns)

    @property
    def dim(self) -> int:
        """`2^sites`."""
        return 1 << self.sites

    @property
    def is_complex(self) -> bool:
        """Whether a string holds an odd number of `Y`."""
        return bool(np.any(np.bitwise_count(self.x & self.z) % 2))

    def factors(self) -> np.ndarray:
        """What each string's flips and signs are multiplied by: its weight times `i^(number of Y)`; real where all are."""
        factors = self.weight * np.array([1, 1j, -1, -1j])[np.bitwise_count(self.x & self.z) % 4]
        return factors if self.is_complex else np.real(factors)

    def entries(self) -> list[tuple]:
        """Rows, columns and values of each term, for `SparseTerms.from_entries`."""
        states, factors, entries = np.arange(self.dim), self.factors(), []
        for number in range(self.count):
            chosen = np.flatnonzero(self.term == number)
            x, z, factor = self.x[chosen, None], self.z[chosen, None], factors[chosen, None]
            values = factor * (1 - 2 * (np.bitwise_count(z & states) % 2).astype(int))
            entries.append(((states ^ x).ravel(), np.broadcast_to(states, values.shape).ravel(), values.ravel()))
        return entries

    def is_invariant(self, order: Sequence[int]) -> bool:
        """Whether every term stays as it is when site `i` is moved to `order[i]`."""
        check_permutation(order, self.sites)
        x, z = (_permuted(mask, order) for mask in (self.x, self.z))
        moved = _added_up(self.term, x, z, self.weight)
        return all(np.array_equal(a, b) for a, b in zip(moved[:3], (self.term, self.x, self.z), strict=True)) and bool(
            np.allclose(moved[3], self.weight, rtol=1e-14, atol=0)
        )

    def with_permutations(self, permutations: Sequence[Sequence[int]]) -> "PauliTerms":
        """The same terms with those of the permutations that leave every term as it is."""
        kept = [order for order in permutations if self.is_invariant(order)]
        strings = self.term, self.x, self.z, self.weight
        return PauliTerms(self.sites, dict(self.sizes), *strings, kept, self.mode_permutations)

    def _check(self, term, x, z, weight):
        if not len(term) == len(x) == len(z) == len(weight):
            raise ValueError("`term`, `x`, `z` and `weight` must have one entry a string each, but differ in length.")
        for name, index, size in (("term", term, self.count), ("x", x, self.dim), ("z", z, self.dim)):
            if np.any((index < 0) | (index >= size)):
                raise ValueError(
                    f"`{name}` must lie between 0 and {size - 1}, but reaches from {index.min()} to {index.max()}."
                )
        check_finite("weight", weight)

    def __repr__(self) -> str:
        return f"PauliTerms({self.count} terms, {len(self.term)} strings, sites={self.sites})"


def _added_up(term, x, z, weight):
    """Strings in order, each once in its term, without those of weight zero."""
    if not len(term):
        return term, x, z, weight
    order = np.lexsort((z, x, term))
    term, x, z, weight = term[order], x[order], z[order], weight[order]
    first = np.append(True, (np.diff(term) != 0) | (np.diff(x) != 0) | (np.diff(z) != 0))
    starts = np.flatnonzero(first)
    total = np.add.reduceat(weight, starts)
    kept = starts[total != 0]
    return term[kept], x[kept], z[kept], total[total != 0]


def _permuted(mask, order):
    sites = len(order)
    moved = np.zeros_like(mask)
    for source, target in enumerate(order):
        moved |= ((mask >> (sites - 1 - source)) & 1) << (sites - 1 - site_index(target, sites))
    return moved


class PauliSum(AbstractTermSum):
    """`sum_k theta_k T_k` on spins 1/2, with terms of Pauli strings: products with vectors need no stored matrix.

    A product takes about as long as one with a stored sparse matrix and a few vectors of memory; the matrix is real when every
    string has an even number of `Y`. Up to dimension 2^14 all that needs a matrix works too, by `to_terms`.

    Args:
        couplings: maps each name in `terms` to a scalar or an array, as for `TermSum`.
        terms: the strings, by the same names.

    Raises:
        ValueError: if the names differ, or a coupling is complex, not finite or has not one entry a term.
    """

    couplings: dict[str, Inexact[Array, "..."]]
    terms: PauliTerms = eqx.field(static=True)

    def __init__(self, couplings: Mapping[str, ArrayLike], terms: PauliTerms):
        self.couplings = checked_couplings(couplings, dict(terms.sizes))
        self.terms = terms

    def linear_map(self):
        coefficients = self.coefficients()[self.terms.term] * jnp.asarray(self.terms.factors(), self.dtype)
        leading = leading_bits(self.terms.sites)
        if leading:  # there are several devices: the vector may be split over them
            return SplitMap(coefficients, _split_plan(self.terms, leading))
        return FlipMap(coefficients, _plan(self.terms))

    def to_terms(self) -> TermSum:
        return TermSum(self.couplings, sparse_terms(self.terms, "PauliSum"))


@functools.lru_cache(maxsize=256)
def _plan(terms: PauliTerms) -> FlipPlan:
    return FlipPlan(terms.sites, terms.x, terms.z)


@functools.lru_cache(maxsize=256)
def _split_plan(terms: PauliTerms, leading: int) -> SplitPlan:
    return SplitPlan(leading, terms.sites, terms.x, terms.z)
