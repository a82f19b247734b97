"""Two-level systems, single spins and chains of spins.

Signs: an exchange term is `+J S_i . S_j`, so `J > 0` is antiferromagnetic; a field term is `-h . S`, so that the
magnetisation is `-dF/dh`. Site 0 is the left-most tensor factor and index 0 of a site is `m = +S`. Energies are in
any one unit; a field is an energy, `g mu_B B`.
"""

import functools
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import ArrayLike, Float

from jaxgibbs.operators.local import pauli_matrices, spin_dimension, spin_matrices, whole_number
from jaxgibbs.operators.terms import SparseTerms, TermSum

from ._assembly import check_shape, real_couplings, sparse_terms, tied_or_each

LARGEST_LOG2_DIMENSION = 16


def two_level(gap: Float[ArrayLike, ""], tunnelling: Float[ArrayLike, ""] = 0.0) -> TermSum:
    """A two-level system, `H = (gap / 2) sigma_z + (tunnelling / 2) sigma_x`.

    Index 0 is the level at `+gap / 2`. The levels are `-+ sqrt(gap^2 + tunnelling^2) / 2`.

    Args:
        gap: distance of the levels without tunnelling, any sign.
        tunnelling: coupling of the two states.

    Returns:
        A `TermSum` of dimension 2 with couplings `gap` and `tunnelling`.
    """
    couplings = real_couplings(gap=gap, tunnelling=tunnelling)
    for name, value in couplings.items():
        check_shape(name, value, ())
    x, _, z = pauli_matrices()
    return TermSum(couplings, SparseTerms.from_matrices({"gap": z / 2, "tunnelling": x / 2}))


def single_spin(spin: float, *, axial: ArrayLike = 0.0, rhombic: ArrayLike = 0.0, field: ArrayLike = 0.0) -> TermSum:
    """One spin with single-ion anisotropy, `H = D S_z^2 + E (S_x^2 - S_y^2) - h . S`.

    Args:
        spin: 0, 1/2, 1, ...
        axial: `D`; `D < 0` makes z the easy axis.
        rhombic: `E`.
        field: `h`, a number (along z) or a vector of shape `(3,)`. A vector makes the matrix complex.

    Returns:
        A `TermSum` of dimension `2 spin + 1` with couplings `axial`, `rhombic` and `field`.
    """
    couplings = real_couplings(axial=axial, rhombic=rhombic, field=field)
    check_shape("axial", couplings["axial"], ())
    check_shape("rhombic", couplings["rhombic"], ())
    check_shape("field", couplings["field"], (), (3,))
    x, y, z = spin_matrices(spin)
    fields = [z] if couplings["field"].ndim == 0 else [x, y, z]
    matrices = {"axial": z @ z, "rhombic": np.real(x @ x - y @ y), "field": [-component for component in fields]}
    return TermSum(couplings, SparseTerms.from_matrices(matrices))


def heisenberg_chain(
    sites: int,
    coupling: ArrayLike = 1.0,
    field: ArrayLike = 0.0,
    *,
    single_ion: ArrayLike = 0.0,
    spin: float = 0.5,
    periodic: bool = False,
) -> TermSum:
    """`H = sum_bonds J S_i . S_{i+1} + sum_i D (S_i^z)^2 - sum_i h S_i^z`; `J > 0` is antiferromagnetic.

    A scalar is one coupling tied over the chain, a vector gives each bond or site its own.

    Args:
        sites: number of spins.
        coupling: `J`, a scalar or shape `(bonds,)`; bond `i` joins sites `i` and `i + 1`, the last of a ring
            sites `sites - 1` and 0.
        field: `h` along z, a scalar or shape `(sites,)`.
        single_ion: `D`, a scalar or shape `(sites,)`.
        spin: the spin of every site.
        periodic: whether the last site is joined to the first; needs three sites.

    Returns:
        A `TermSum` of dimension `(2 spin + 1)^sites`, real, with couplings `coupling`, `single_ion`, `field`.

    Raises:
        ValueError: if a shape does not fit, `periodic` is asked of fewer than three sites, or a value is not finite.
    """
    return _chain(
        sites,
        spin,
        periodic,
        bonds={"coupling": (coupling, _exchange)},
        on_site={"single_ion": (single_ion, _z_squared), "field": (field, _minus_z)},
    )


def heisenberg_ring(
    sites: int, coupling: ArrayLike = 1.0, field: ArrayLike = 0.0, *, single_ion: ArrayLike = 0.0, spin: float = 0.5
) -> TermSum:
    """`heisenberg_chain` closed to a ring: `sites` bonds, the last between sites `sites - 1` and 0."""
    return heisenberg_chain(sites, coupling, field, single_ion=single_ion, spin=spin, periodic=True)


def xxz_chain(
    sites: int,
    coupling: ArrayLike = 1.0,
    anisotropy: ArrayLike = 1.0,
    field: ArrayLike = 0.0,
    *,
    spin: float = 0.5,
    periodic: bool = False,
) -> TermSum:
    """`H = sum_bonds J (S_i^x S_{i+1}^x + S_i^y S_{i+1}^y + Delta S_i^z S_{i+1}^z) - sum_i h S_i^z`.

    `J > 0` is antiferromagnetic in the plane. Linear couplings are `coupling` (`J`, in the plane) and `coupling_z`
    (`J Delta`); derivatives in `Delta` come from differentiating through this function.

    Args:
        sites: number of spins.
        coupling: `J`, a scalar or shape `(bonds,)`.
        anisotropy: `Delta`, a scalar or shape `(bonds,)`; 1 is the Heisenberg chain, 0 the XX chain.
        field: `h` along z, a scalar or shape `(sites,)`.
        spin: the spin of every site.
        periodic: whether the last site is joined to the first; needs three sites.
    """
    values = real_couplings(coupling=coupling, anisotropy=anisotropy)
    count = len(ring_or_chain_bonds(sites, periodic))
    for name, value in values.items():
        check_shape(name, value, (), (count,))
    return _chain(
        sites,
        spin,
        periodic,
        bonds={
            "coupling": (values["coupling"], _exchange_xy),
            "coupling_z": (values["coupling"] * values["anisotropy"], _exchange_z),
        },
        on_site={"field": (field, _minus_z)},
    )


def xx_chain(sites: int, coupling: ArrayLike = 1.0, field: ArrayLike = 0.0, *, periodic: bool = False) -> TermSum:
    """`H = sum_bonds J (S_i^x S_{i+1}^x + S_i^y S_{i+1}^y) - sum_i h S_i^z` for spins 1/2.

    An open chain is free fermions: see `xx_chain_modes`.

    Args:
        sites: number of spins.
        coupling: `J`, a scalar or shape `(bonds,)`.
        field: `h` along z, a scalar or shape `(sites,)`.
        periodic: whether the last site is joined to the first; needs three sites.
    """
    bonds = {"coupling": (coupling, _exchange_xy)}
    return _chain(sites, 0.5, periodic, bonds=bonds, on_site={"field": (field, _minus_z)})


def transverse_ising_chain(
    sites: int,
    coupling: ArrayLike = 1.0,
    transverse_field: ArrayLike = 1.0,
    *,
    longitudinal_field: ArrayLike = 0.0,
    periodic: bool = False,
) -> TermSum:
    """`H = -sum_bonds J sigma_i^z sigma_{i+1}^z - sum_i g sigma_i^x - sum_i h sigma_i^z`, in Pauli matrices.

    Unlike the exchange models this one follows the custom of the Ising model: `J > 0` is ferromagnetic.

    Args:
        sites: number of spins.
        coupling: `J`, a scalar or shape `(bonds,)`.
        transverse_field: `g`, a scalar or shape `(sites,)`; the ground state of a long chain is critical at `g = J`.
        longitudinal_field: `h`, a scalar or shape `(sites,)`; any value but 0 breaks the spin-flip symmetry.
        periodic: whether the last site is joined to the first; needs three sites.
    """
    return _chain(
        sites,
        0.5,
        periodic,
        bonds={"coupling": (coupling, _ising)},
        on_site={
            "transverse_field": (transverse_field, _minus_pauli_x),
            "longitudinal_field": (longitudinal_field, _minus_pauli_z),
        },
    )


def _chain(sites, spin, periodic, *, bonds, on_site) -> TermSum:
    """Couplings on bonds and sites, each given as `(value, function from the spin to its matrix)`."""
    places = ring_or_chain_bonds(sites, periodic)
    if sites * math.log2(spin_dimension(spin)) > LARGEST_LOG2_DIMENSION:
        raise ValueError(
            f"`sites` must be so few that the dimension is at most 2^{LARGEST_LOG2_DIMENSION}, since the terms are stored, but "
            f"{sites} spins {spin:g} have dimension {spin_dimension(spin)}^{sites}."
        )
    values = real_couplings(**{name: value for name, (value, _) in (bonds | on_site).items()})
    for name, value in values.items():
        check_shape(name, value, (), (len(places),) if name in bonds else (sites,))
    parts = tuple(
        (name, matrix, name in bonds, values[name].ndim == 0) for name, (_, matrix) in (bonds | on_site).items()
    )
    return TermSum(values, _chain_terms(int(sites), float(spin), bool(periodic), parts))


@functools.lru_cache(maxsize=64)
def _chain_terms(
    sites: int, spin: float, periodic: bool, parts: tuple[tuple[str, Callable, bool, bool], ...]
) -> SparseTerms:
    terms = {}
    for name, matrix, on_bonds, tied in parts:
        places = ring_or_chain_bonds(sites, periodic) if on_bonds else [(site,) for site in range(sites)]
        terms[name] = tied_or_each([(matrix(spin), place) for place in places], tied)
    return sparse_terms((spin_dimension(spin),) * sites, terms)


def ring_or_chain_bonds(sites: int, periodic: bool) -> list[tuple[int, int]]:
    """Pairs of neighbours, in order; on a ring the last is `(sites - 1, 0)`."""
    sites = whole_number("sites", sites)
    if not isinstance(periodic, bool | np.bool_):
        raise ValueError(f"`periodic` must be True or False, but is {periodic!r}.")
    if periodic and sites < 3:
        raise ValueError(
            f"`sites` must be at least 3 for a ring, but is {sites}; two spins have one bond, as an open chain."
        )
    open_bonds = [(i, i + 1) for i in range(sites - 1)]
    return [*open_bonds, (sites - 1, 0)] if periodic else open_bonds


def _exchange_xy(spin):
    x, y, _ = spin_matrices(spin)
    return np.real(np.kron(x, x) + np.kron(y, y))


def _exchange_z(spin):
    z = spin_matrices(spin)[2]
    return np.kron(z, z)


def _exchange(spin):
    return _exchange_xy(spin) + _exchange_z(spin)


def _minus_z(spin):
    return -spin_matrices(spin)[2]


def _z_squared(spin):
    return spin_matrices(spin)[2] ** 2


def _ising(spin):
    return -4 * _exchange_z(spin)


def _minus_pauli_x(spin):
    return -2 * spin_matrices(spin)[0]


def _minus_pauli_z(spin):
    return -2 * spin_matrices(spin)[2]
