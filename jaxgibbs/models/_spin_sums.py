"""Spins on bonds and sites: those of 1/2 as sums of Pauli strings, whose work never grows with the dimension, others as matrices.

Strings are written in `2 S`, which for spins 1/2 are the Pauli matrices. A site that is named twice has the product of both.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array

from jaxgibbs.operators.local import spin_dimension, spin_matrices
from jaxgibbs.operators.local_sum import LocalSum, LocalTerms
from jaxgibbs.operators.pauli import PauliSum, PauliTerms
from jaxgibbs.operators.terms import AbstractTermSum

from ._assembly import check_shape, real_couplings
from .lattices import Lattice

Strings = tuple[tuple[str, float], ...]  # letters, one for each site of a place, and their weight

EXCHANGE_XY: Strings = (("XX", 0.25), ("YY", 0.25))
EXCHANGE_Z: Strings = (("ZZ", 0.25),)
EXCHANGE: Strings = EXCHANGE_XY + EXCHANGE_Z
MINUS_SPIN_Z: Strings = (("Z", -0.5),)
SPIN_Z_SQUARED: Strings = (("ZZ", 0.25),)  # both on one site
MINUS_ISING: Strings = (("ZZ", -1.0),)
MINUS_X: Strings = (("X", -1.0),)
MINUS_Z: Strings = (("Z", -1.0),)

LARGEST_LOG2_DIMENSION = 30


class Part(NamedTuple):
    """A named coupling: its value, and for each of its entries strings as `(letters, sites, weight)`; a scalar ties them all."""

    value: Any
    entries: tuple[tuple[tuple[str, tuple[int, ...], float], ...], ...]


def at(value, strings: Strings, places: Sequence[tuple[int, ...]]) -> Part:
    """The same strings at every place, each an entry."""
    return Part(value, tuple(tuple((letters, place, weight) for letters, weight in strings) for place in places))


def on_sites(lattice: Lattice, value, strings: Strings) -> Part:
    """The same strings on every site."""
    letters = len(strings[0][0])
    return at(value, strings, [(site,) * letters for site in range(lattice.sites)])


def on_bonds(lattice: Lattice, name: str, value, strings: Strings) -> dict[str, Part]:
    """The part `name`, or where the value is given by kind a part `name_kind` for every kind of bonds."""
    if not isinstance(value, Mapping):
        return {name: at(value, strings, lattice.all_bonds)}
    check_kinds(lattice, name, value)
    return {f"{name}_{kind}": at(value[kind], strings, group) for kind, group in lattice.bonds}


def check_kinds(lattice: Lattice, name: str, value: Mapping) -> None:
    """Raise `ValueError` unless `value` has exactly the kinds of bonds of the lattice."""
    if set(value) != set(lattice.kinds):
        raise ValueError(f"`{name}` must have the kinds of bonds {sorted(lattice.kinds)}, but has {sorted(value)}.")


def spin_half_sum(
    sites: int,
    parts: Mapping[str, Part],
    permutations: Sequence[Sequence[int]] = (),
    mode_permutations: Sequence[Sequence[int]] = (),
) -> PauliSum:
    """The operator, with those of the permutations that leave every term as it is; of modes of fermions all are kept."""
    values, shapes = _checked(parts)
    return PauliSum(values, _terms(sites, shapes, tuple(permutations), tuple(mode_permutations)))


@functools.lru_cache(maxsize=64)
def _terms(sites: int, parts: tuple[tuple[str, tuple, bool], ...], permutations, mode_permutations) -> PauliTerms:
    sizes, rows, number = {}, [], 0
    for name, entries, tied in parts:
        sizes[name] = 1 if tied else len(entries)
        for k, strings in enumerate(entries):
            term = number if tied else number + k
            rows += [(term, *_masks(letters, place, sites), weight) for letters, place, weight in strings]
        number += sizes[name]
    strings = tuple(zip(*rows, strict=True)) or ((), (), (), ())
    terms = PauliTerms(sites, sizes, *strings, mode_permutations=mode_permutations)
    return terms.with_permutations(permutations)


def _masks(letters, place, sites):
    x = z = 0
    for letter, site in zip(letters, place, strict=True):
        bit = 1 << (sites - 1 - site)
        x ^= bit * (letter in "XY")
        z ^= bit * (letter in "YZ")
    return x, z


def spin_sum(lattice: Lattice, spin: float, parts: Mapping[str, Part]) -> AbstractTermSum:
    """The operator of spins of one size, with those of the permutations of the lattice that leave every term as it is."""
    if float(spin) == 0.5:
        return spin_half_sum(lattice.sites, parts, lattice.permutations)
    sites, dim = lattice.sites, spin_dimension(spin)
    if sites * math.log2(dim) > LARGEST_LOG2_DIMENSION:
        raise ValueError(
            f"`sites` must be so few that the dimension is at most 2^{LARGEST_LOG2_DIMENSION}, that of a vector, but "
            f"{sites} spins {spin:g} have dimension {dim}^{sites}."
        )
    values, shapes = _checked(parts)
    return LocalSum(values, _local_terms(sites, float(spin), shapes, lattice.permutations))


def _checked(parts: Mapping[str, Part]):
    """Values as arrays, and what is static: names, entries, and whether one coupling ties them."""
    values: dict[str, Array] = real_couplings(**{name: part.value for name, part in parts.items()})
    for name, part in parts.items():
        check_shape(name, values[name], (), (len(part.entries),))
    return values, tuple((name, part.entries, values[name].ndim == 0) for name, part in parts.items())


@functools.lru_cache(maxsize=64)
def _local_terms(sites: int, spin: float, parts: tuple[tuple[str, tuple, bool], ...], permutations) -> LocalTerms:
    double = {letter: 2 * matrix for letter, matrix in zip("XYZ", spin_matrices(spin), strict=True)}

    def placed(strings):
        total: dict[tuple[int, ...], np.ndarray] = {}
        for letters, place, weight in strings:
            at_site: dict[int, np.ndarray] = {}
            for letter, site in zip(letters, place, strict=True):
                at_site[site] = at_site[site] @ double[letter] if site in at_site else double[letter]
            key = tuple(at_site)
            total[key] = total.get(key, 0) + weight * functools.reduce(np.kron, at_site.values())
        return [(matrix, place) for place, matrix in total.items()]

    terms = {}
    for name, entries, tied in parts:
        placements = [placed(strings) for strings in entries]
        terms[name] = [[place for strings in placements for place in strings]] if tied else placements
    return LocalTerms((spin_dimension(spin),) * sites, terms).with_permutations(permutations)
