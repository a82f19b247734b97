"""Free fermions on a lattice: hopping and pairing as quadratic operators of thousands of sites."""

import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import ArrayLike

from jaxgibbs.operators import QuadraticFermions
from jaxgibbs.operators.local import whole_number
from jaxgibbs.operators.terms import SparseTerms, TermSum

from ._assembly import check_shape, real_couplings
from .lattices import chain_lattice


def tight_binding(
    sites: int,
    bonds: Sequence[tuple[int, int]],
    hopping: ArrayLike = 1.0,
    onsite: ArrayLike = 0.0,
    *,
    phases: ArrayLike = 0.0,
) -> QuadraticFermions:
    """`H = sum_bonds t (e^{i phi} c_i^dagger c_j + h.c.) + sum_i eps_i c_i^dagger c_i` on any graph.

    Args:
        sites: number of sites.
        bonds: pairs of different sites `(i, j)`, each pair once.
        hopping: `t`, a scalar or shape `(bonds,)`; the usual metal has `t < 0`.
        onsite: `eps`, a scalar or shape `(sites,)`; a chemical potential enters as `-mu`.
        phases: `phi`, static numbers, a scalar or shape `(bonds,)`, in radians: a magnetic flux through the loops.

    Returns:
        `QuadraticFermions` with couplings `hopping` and `onsite`.

    Raises:
        ValueError: if a bond does not join two different sites, or is given twice, or a shape does not fit.
    """
    sites = whole_number("sites", sites)
    given = np.asarray(bonds, float).reshape(-1, 2)
    wrong = (given < 0) | (given >= sites) | (given != np.round(given)) | (given[:, :1] == given[:, 1:])
    if np.any(wrong):
        bond = given[np.argmax(np.any(wrong, axis=1))].tolist()
        raise ValueError(f"`bonds` must be pairs of different sites from 0 to {sites - 1}, but one is {bond}.")
    pairs = given.astype(int)
    if len(np.unique(np.sort(pairs, axis=1), axis=0)) < len(pairs):
        raise ValueError("`bonds` must hold each pair of sites once, but one is repeated; add up their hoppings.")
    angles = np.asarray(phases, float)
    if angles.shape not in ((), (len(pairs),)):
        raise ValueError(f"`phases` must have shape () or {(len(pairs),)}, but has shape {angles.shape}.")
    values = real_couplings(hopping=hopping, onsite=onsite)
    check_shape("hopping", values["hopping"], (), (len(pairs),))
    check_shape("onsite", values["onsite"], (), (sites,))
    tied = tuple(values[name].ndim == 0 for name in ("hopping", "onsite"))
    joined = tuple((i, j) for i, j in pairs.tolist())
    angles = tuple(np.broadcast_to(angles, len(pairs)).tolist())
    return QuadraticFermions(TermSum(values, _hopping_terms(sites, joined, angles, tied)))


def tight_binding_chain(
    sites: int, hopping: ArrayLike = 1.0, onsite: ArrayLike = 0.0, *, periodic: bool = False
) -> QuadraticFermions:
    """`tight_binding` on a chain: levels `eps + 2 t cos k`, `k = 2 pi m / sites` on a ring; see `hopping_chain_modes`."""
    return tight_binding(sites, chain_lattice(sites, periodic=periodic).all_bonds, hopping, onsite)


def ssh_chain(
    cells: int, intracell: ArrayLike = 1.0, intercell: ArrayLike = 1.0, *, periodic: bool = False
) -> QuadraticFermions:
    """Chain with two alternating hoppings, `v` in a cell and `w` between cells (Su, Schrieffer & Heeger 1979).

    The bands are `+-|v + w e^{ik}|`. An open chain with `|w| > |v|` has two modes at its ends, whose energies fall
    exponentially with its length.

    Args:
        cells: number of cells of two sites.
        intracell: `v`, a scalar or shape `(cells,)`.
        intercell: `w`, a scalar or one a bond.
        periodic: whether the last cell is joined to the first; needs three cells.

    Returns:
        `QuadraticFermions` of `2 cells` sites with couplings `intracell` and `intercell`.
    """
    cells = whole_number("cells", cells)
    between = chain_lattice(cells, periodic=periodic).all_bonds
    values = real_couplings(intracell=intracell, intercell=intercell)
    check_shape("intracell", values["intracell"], (), (cells,))
    check_shape("intercell", values["intercell"], (), (len(between),))
    tied = tuple(values[name].ndim == 0 for name in ("intracell", "intercell"))
    return QuadraticFermions(TermSum(values, _ssh_terms(cells, tuple(between), tied)))


def kitaev_chain(
    sites: int,
    hopping: ArrayLike = 1.0,
    pairing: ArrayLike = 1.0,
    chemical_potential: ArrayLike = 0.0,
    *,
    periodic: bool = False,
) -> QuadraticFermions:
    """`H = sum_bonds [-t (c_i^dagger c_j + h.c.) + D (c_i c_j + h.c.)] - mu sum_i c_i^dagger c_i`, `j = i + 1` (Kitaev 2001).

    On a ring the quasiparticles have energies `sqrt((2 t cos k + mu)^2 + 4 D^2 sin^2 k)`. An open chain with
    `|mu| < 2 |t|` has a Majorana mode at each end, and one fermion of almost no energy between them. With `t = D = J` and
    `mu = -2 g` it is the open transverse Ising chain of coupling `J` and field `g`, less the constant `g sites`.

    Args:
        sites: number of sites.
        hopping: `t`, a scalar or one a bond.
        pairing: `D`, a scalar or one a bond.
        chemical_potential: `mu`, a scalar or shape `(sites,)`.
        periodic: whether the last site is joined to the first; needs three sites.

    Returns:
        `QuadraticFermions` with couplings `hopping`, `pairing` and `chemical_potential`.
    """
    sites = whole_number("sites", sites)
    bonds = chain_lattice(sites, periodic=periodic).all_bonds
    values = real_couplings(hopping=hopping, pairing=pairing, chemical_potential=chemical_potential)
    for name, count in (("hopping", len(bonds)), ("pairing", len(bonds)), ("chemical_potential", sites)):
        check_shape(name, values[name], (), (count,))
    tied = tuple(value.ndim == 0 for value in values.values())
    return QuadraticFermions(nambu=TermSum(values, _kitaev_terms(sites, tuple(bonds), tied)))


Element = tuple[int, int, complex]


def _terms(dim: int, groups: dict[str, list[list[Element]]], tied: tuple[bool, ...]) -> SparseTerms:
    """Terms from lists of elements: one list for each bond or site, all of a coupling one term where it is a scalar."""
    sizes, elements = {}, []
    for (name, places), one in zip(groups.items(), tied, strict=True):
        start = sum(sizes.values())
        sizes[name] = 1 if one else len(places)
        for number, place in enumerate(places):
            elements += [(start + (0 if one else number), *element) for element in place]
    columns = zip(*elements, strict=True) if elements else ([], [], [], [])
    term, row, column, value = (np.asarray(part) for part in columns)
    return SparseTerms(dim, sizes, term, row, column, value)


def _hop(i: int, j: int, value: complex = 1.0) -> list[Element]:
    return [(i, j, value), (j, i, np.conj(value))]


@functools.lru_cache(maxsize=64)
def _hopping_terms(sites: int, bonds, phases, tied) -> SparseTerms:
    hops = [_hop(i, j, np.exp(1j * phase)) for (i, j), phase in zip(bonds, phases, strict=True)]
    return _terms(sites, {"hopping": hops, "onsite": [[(i, i, 1.0)] for i in range(sites)]}, tied)


@functools.lru_cache(maxsize=64)
def _ssh_terms(cells: int, between, tied) -> SparseTerms:
    inside = [_hop(2 * cell, 2 * cell + 1) for cell in range(cells)]
    return _terms(2 * cells, {"intracell": inside, "intercell": [_hop(2 * i + 1, 2 * j) for i, j in between]}, tied)


@functools.lru_cache(maxsize=64)
def _kitaev_terms(sites: int, bonds, tied) -> SparseTerms:
    def doubled(elements: list[Element]) -> list[Element]:
        return elements + [(i + sites, j + sites, -np.conj(value)) for i, j, value in elements]

    # D (c_i c_j + h.c.) has B_ji = D = -B_ij; the upper right block is B, the lower left its adjoint.
    pairs = [_hop(j, i + sites) + _hop(i, j + sites, -1.0) for i, j in bonds]
    fields = [doubled([(i, i, -1.0)]) for i in range(sites)]
    hops = [doubled(_hop(i, j, -1.0)) for i, j in bonds]
    return _terms(2 * sites, {"hopping": hops, "pairing": pairs, "chemical_potential": fields}, tied)
