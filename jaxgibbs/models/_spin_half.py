"""Spins 1/2 on bonds and sites, as sums of Pauli strings: the work grows with the strings, never with the dimension."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxtyping import Array

from jaxgibbs.operators.pauli import PauliSum, PauliTerms

from ._assembly import check_shape, real_couplings
from .lattices import Lattice

Strings = tuple[tuple[str, float], ...]  # letters, one for each site of a place, and their weight

EXCHANGE_XY: Strings = (("XX", 0.25), ("YY", 0.25))
EXCHANGE_Z: Strings = (("ZZ", 0.25),)
EXCHANGE: Strings = EXCHANGE_XY + EXCHANGE_Z
MINUS_SPIN_Z: Strings = (("Z", -0.5),)
SPIN_Z_SQUARED: Strings = (("1", 0.25),)
MINUS_ISING: Strings = (("ZZ", -1.0),)
MINUS_X: Strings = (("X", -1.0),)
MINUS_Z: Strings = (("Z", -1.0),)


class Part(NamedTuple):
    """A named coupling: its value, and for each of its entries strings as `(letters, sites, weight)`; a scalar ties them all."""

    value: Any
    entries: tuple[tuple[tuple[str, tuple[int, ...], float], ...], ...]


def at(value, strings: Strings, places: Sequence[tuple[int, ...]]) -> Part:
    """The same strings at every place, each an entry."""
    return Part(value, tuple(tuple((letters, place, weight) for letters, weight in strings) for place in places))


def on_sites(lattice: Lattice, value, strings: Strings) -> Part:
    """The same strings on every site."""
    return at(value, strings, [(site,) for site in range(lattice.sites)])


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
    values: dict[str, Array] = real_couplings(**{name: part.value for name, part in parts.items()})
    for name, part in parts.items():
        check_shape(name, values[name], (), (len(part.entries),))
    shapes = tuple((name, part.entries, values[name].ndim == 0) for name, part in parts.items())
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
    pairs = list(zip(letters, place, strict=True))
    x = sum(1 << (sites - 1 - site) for letter, site in pairs if letter in "XY")
    z = sum(1 << (sites - 1 - site) for letter, site in pairs if letter in "YZ")
    return x, z
