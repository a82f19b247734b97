"""Two-level systems, single spins and chains of spins.

Signs: an exchange term is `+J S_i . S_j`, so `J > 0` is antiferromagnetic; a field term is `-h . S`, so that the
magnetisation is `-dF/dh`. Site 0 is the left-most tensor factor and index 0 of a site is `m = +S`. Energies are in
any one unit; a field is an energy, `g mu_B B`.
"""

import numpy as np
from jaxtyping import ArrayLike, Float

from jaxgibbs.operators.local import pauli_matrices, spin_matrices
from jaxgibbs.operators.pauli import PauliSum
from jaxgibbs.operators.terms import AbstractTermSum, SparseTerms, TermSum

from ._assembly import check_shape, real_couplings
from ._spin_sums import (
    EXCHANGE_XY,
    MINUS_SPIN_Z,
    on_bonds,
    on_sites,
    spin_half_sum,
)
from .lattices import chain_lattice
from .spin_lattices import heisenberg, transverse_ising, xxz


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
) -> AbstractTermSum:
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
        A real operator of dimension `(2 spin + 1)^sites` with couplings `coupling`, `single_ion`, `field` and the symmetries
        of the chain in `terms.permutations`: for spins 1/2 a `PauliSum`, of up to 30 sites, else a `LocalSum`.

    Raises:
        ValueError: if there are too many sites, a shape does not fit, `periodic` is asked of fewer than three sites, or a value
            is not finite.
    """
    lattice = chain_lattice(sites, periodic=periodic)
    return heisenberg(lattice, coupling, field, single_ion=single_ion, spin=spin)


def heisenberg_ring(
    sites: int, coupling: ArrayLike = 1.0, field: ArrayLike = 0.0, *, single_ion: ArrayLike = 0.0, spin: float = 0.5
) -> AbstractTermSum:
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
) -> AbstractTermSum:
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
    return xxz(chain_lattice(sites, periodic=periodic), coupling, anisotropy, field, spin=spin)


def xx_chain(sites: int, coupling: ArrayLike = 1.0, field: ArrayLike = 0.0, *, periodic: bool = False) -> PauliSum:
    """`H = sum_bonds J (S_i^x S_{i+1}^x + S_i^y S_{i+1}^y) - sum_i h S_i^z` for spins 1/2.

    An open chain is free fermions: see `xx_chain_modes`.

    Args:
        sites: number of spins.
        coupling: `J`, a scalar or shape `(bonds,)`.
        field: `h` along z, a scalar or shape `(sites,)`.
        periodic: whether the last site is joined to the first; needs three sites.
    """
    lattice = chain_lattice(sites, periodic=periodic)
    parts = on_bonds(lattice, "coupling", coupling, EXCHANGE_XY) | {"field": on_sites(lattice, field, MINUS_SPIN_Z)}
    return spin_half_sum(lattice.sites, parts, lattice.permutations)


def transverse_ising_chain(
    sites: int,
    coupling: ArrayLike = 1.0,
    transverse_field: ArrayLike = 1.0,
    *,
    longitudinal_field: ArrayLike | None = None,
    periodic: bool = False,
) -> PauliSum:
    """`H = -sum_bonds J sigma_i^z sigma_{i+1}^z - sum_i g sigma_i^x - sum_i h sigma_i^z`, in Pauli matrices.

    Unlike the exchange models this one follows the custom of the Ising model: `J > 0` is ferromagnetic.

    Args:
        sites: number of spins.
        coupling: `J`, a scalar or shape `(bonds,)`.
        transverse_field: `g`, a scalar or shape `(sites,)`; the ground state of a long chain is critical at `g = J`.
        longitudinal_field: `h`, a scalar or shape `(sites,)`; by default there is no such term, and flipping all spins is a
            symmetry.
        periodic: whether the last site is joined to the first; needs three sites.
    """
    lattice = chain_lattice(sites, periodic=periodic)
    return transverse_ising(lattice, coupling, transverse_field, longitudinal_field=longitudinal_field)
