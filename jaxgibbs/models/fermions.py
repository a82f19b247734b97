"""Interacting lattice fermions as sums of Pauli strings, by Jordan and Wigner (1928).

Mode 0 is the left-most tensor factor; index 0 of a mode is empty, index 1 filled, so `n = (1 - Z) / 2`. For `i < j`, with `Z` on
all modes in between,

    c_i^+ c_j + h.c. = (X_i Z ... Z X_j + Y_i Z ... Z Y_j) / 2,     c_i c_j + h.c. = -(X_i Z ... Z X_j - Y_i Z ... Z Y_j) / 2.

A periodic chain is one of fermions: its last bond carries the string of all modes between, not a spin bond.
"""

from collections.abc import Mapping

from jaxtyping import ArrayLike

from jaxgibbs.operators.pauli import LARGEST_SITES, PauliSum

from ._spin_sums import Part, check_kinds, spin_half_sum
from .lattices import Lattice, chain_lattice
from .spin_lattices import BondCoupling


def fermi_hubbard(
    lattice: Lattice,
    hopping: BondCoupling = 1.0,
    interaction: ArrayLike = 0.0,
    chemical_potential: ArrayLike = 0.0,
    field: ArrayLike = 0.0,
) -> PauliSum:
    """`H = -sum_bonds t sum_s (c_is^+ c_js + h.c.) + sum_i U n_iu n_id - sum_i mu n_i - sum_i h (n_iu - n_id) / 2`.

    Mode `i` is site `i` with spin up, mode `sites + i` site `i` with spin down. The operator acts on the whole Fock space, of
    dimension `4^sites`; `exp(-beta H)` with `mu` in `H` is the grand canonical ensemble.

    Args:
        lattice: sites and bonds, at most 15 sites.
        hopping: `t` on bonds: a number, shape `(bonds,)`, or by kind.
        interaction: `U`, a number or shape `(sites,)`.
        chemical_potential: `mu`, likewise; `U / 2` is half filling on a bipartite lattice.
        field: `h`, likewise.

    Returns:
        A real `PauliSum` with couplings `hopping` (or `hopping_kind`), `interaction`, `chemical_potential` and `field`.

    Raises:
        ValueError: if there are more than 15 sites, or a shape or a kind does not fit.
    """
    sites = lattice.sites
    if 2 * sites > LARGEST_SITES:
        raise ValueError(f"`lattice` must have at most {LARGEST_SITES // 2} sites, two modes each, but has {sites}.")
    up_and_down = [(i, sites + i) for i in range(sites)]

    def hops(bond):
        return tuple(string for first in (0, sites) for string in hop(first + bond[0], first + bond[1], -1.0))

    parts = _on_bonds(lattice, "hopping", hopping, hops)
    parts["interaction"] = Part(interaction, tuple(both_filled(*modes) for modes in up_and_down))
    parts["chemical_potential"] = Part(
        chemical_potential, tuple(filled(u, -1.0) + filled(d, -1.0) for u, d in up_and_down)
    )
    parts["field"] = Part(field, tuple(filled(u, -0.5) + filled(d, 0.5) for u, d in up_and_down))
    both = [(*order, *(sites + i for i in order)) for order in lattice.permutations]
    exchange = (
        *range(sites, 2 * sites),
        *range(sites),
    )  # of spin up and down; with a field it changes the sign of that
    return spin_half_sum(2 * sites, parts, mode_permutations=[*both, exchange])


def t_v_chain(
    sites: int,
    hopping: ArrayLike = 1.0,
    interaction: ArrayLike = 0.0,
    chemical_potential: ArrayLike = 0.0,
    *,
    periodic: bool = False,
) -> PauliSum:
    """`H = -sum_bonds t (c_i^+ c_{i+1} + h.c.) + sum_bonds V n_i n_{i+1} - sum_i mu n_i`, fermions without spin.

    The open chain is `xxz_chain` with `J = -2 t` and `J Delta = V`, with a field and a constant added.

    Args:
        sites: number of sites, at most 30.
        hopping: `t`, a number or shape `(bonds,)`.
        interaction: `V`, likewise.
        chemical_potential: `mu`, a number or shape `(sites,)`.
        periodic: whether the last site is joined to the first, as fermions; needs three sites.
    """
    lattice = chain_lattice(sites, periodic=periodic)
    parts = _on_bonds(lattice, "hopping", hopping, lambda bond: hop(bond[0], bond[1], -1.0))
    parts |= _on_bonds(lattice, "interaction", interaction, lambda bond: both_filled(bond[0], bond[1]))
    parts["chemical_potential"] = Part(chemical_potential, tuple(filled(i, -1.0) for i in range(lattice.sites)))
    return spin_half_sum(lattice.sites, parts, mode_permutations=lattice.permutations)


def interacting_kitaev_chain(
    sites: int,
    hopping: ArrayLike = 1.0,
    pairing: ArrayLike = 1.0,
    chemical_potential: ArrayLike = 0.0,
    interaction: ArrayLike = 0.0,
    *,
    periodic: bool = False,
) -> PauliSum:
    """`H = sum_bonds [-t (c_i^+ c_{i+1} + h.c.) + Delta (c_i c_{i+1} + h.c.) + V n_i n_{i+1}] - sum_i mu n_i`.

    `kitaev_chain` with an interaction, on the whole Fock space; conserved is the parity of the number of particles
    (Kitaev, Phys. Usp. 44, 131 (2001); Katsura, Schuricht, Takahashi 2015 for the interacting chain).

    Args:
        sites: number of sites, at most 30.
        hopping: `t`, a number or shape `(bonds,)`.
        pairing: `Delta`, real, likewise; on the last bond of a ring it stands for `c_{sites-1} c_0`.
        chemical_potential: `mu`, a number or shape `(sites,)`.
        interaction: `V`, a number or shape `(bonds,)`.
        periodic: whether the last site is joined to the first, as fermions; needs three sites.
    """
    lattice = chain_lattice(sites, periodic=periodic)
    parts = _on_bonds(lattice, "hopping", hopping, lambda bond: hop(bond[0], bond[1], -1.0))
    parts |= _on_bonds(lattice, "pairing", pairing, lambda bond: _pair(bond[0], bond[1], 1.0))
    parts |= _on_bonds(lattice, "interaction", interaction, lambda bond: both_filled(bond[0], bond[1]))
    parts["chemical_potential"] = Part(chemical_potential, tuple(filled(i, -1.0) for i in range(lattice.sites)))
    return spin_half_sum(lattice.sites, parts, mode_permutations=lattice.permutations)


def _on_bonds(lattice, name, value, strings) -> dict[str, Part]:
    """The part `name`, or one for each kind of bonds where the value is given by kind; `strings` of one bond."""
    if not isinstance(value, Mapping):
        return {name: Part(value, tuple(strings(bond) for bond in lattice.all_bonds))}
    check_kinds(lattice, name, value)
    return {f"{name}_{kind}": Part(value[kind], tuple(map(strings, group))) for kind, group in lattice.bonds}


def _between(i: int, j: int, letter: str) -> tuple[str, tuple[int, ...]]:
    """`letter` on both ends and `Z` on the modes between, which come in order."""
    first, last = min(i, j), max(i, j)
    return letter + "Z" * (last - first - 1) + letter, tuple(range(first, last + 1))


def hop(i, j, weight):
    """`weight (c_i^+ c_j + h.c.)`, the same in either order."""
    return tuple((*_between(i, j, letter), weight / 2) for letter in "XY")


def _pair(i, j, weight):
    """`weight (c_i c_j + h.c.)`, which changes its sign with the order."""
    sign = weight if i < j else -weight
    return ((*_between(i, j, "X"), -sign / 2), (*_between(i, j, "Y"), sign / 2))


def filled(i, weight):
    """`weight n_i`."""
    return (("1", (i,), weight / 2), ("Z", (i,), -weight / 2))


def both_filled(i, j):
    """`n_i n_j`."""
    return (("1", (i,), 0.25), ("Z", (i,), -0.25), ("Z", (j,), -0.25), ("ZZ", (i, j), 0.25))
