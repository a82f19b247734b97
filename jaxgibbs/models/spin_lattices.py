"""Spins on any lattice, up to dimension 2^30: those of 1/2 are sums of Pauli strings, and no product with a vector needs a matrix.

Signs and conventions as for the chains: an exchange term is `+J S_i . S_j`, a field term `-h . S`. A coupling on bonds is a
number (tied over all bonds), an array with one entry a bond in the order of `lattice.all_bonds`, or a mapping from the kinds
of bonds to numbers or arrays: `{"leg": 1.0, "rung": 0.4}` gives the couplings `coupling_leg` and `coupling_rung`.
"""

from collections.abc import Mapping

from jaxtyping import ArrayLike

from jaxgibbs.operators.pauli import PauliSum
from jaxgibbs.operators.terms import AbstractTermSum

from ._assembly import check_shape, real_couplings
from ._spin_sums import (
    EXCHANGE,
    EXCHANGE_XY,
    EXCHANGE_Z,
    MINUS_ISING,
    MINUS_SPIN_Z,
    MINUS_X,
    MINUS_Z,
    SPIN_Z_SQUARED,
    Part,
    check_kinds,
    on_bonds,
    on_sites,
    spin_half_sum,
    spin_sum,
)
from .lattices import Lattice

BondCoupling = ArrayLike | Mapping[str, ArrayLike]


def heisenberg(
    lattice: Lattice,
    coupling: BondCoupling = 1.0,
    field: ArrayLike = 0.0,
    *,
    single_ion: ArrayLike | None = None,
    spin: float = 0.5,
) -> AbstractTermSum:
    """`H = sum_bonds J S_i . S_j + sum_i D (S_i^z)^2 - sum_i h S_i^z`; `J > 0` is antiferromagnetic.

    Args:
        lattice: sites and bonds, such as `square_lattice(4, 4)`.
        coupling: `J` on bonds: a number, shape `(bonds,)`, or by kind.
        field: `h` along z, a number or shape `(sites,)`.
        single_ion: `D`, a number or shape `(sites,)`; by default there is no such term.
        spin: the spin of every site.

    Returns:
        A real operator of dimension `(2 spin + 1)^sites`, a `PauliSum` for spins 1/2, else a `LocalSum`, with couplings
        `coupling` (or `coupling_kind`), `single_ion` where it is given and `field`, and those permutations of the lattice that
        leave every term as it is.

    Raises:
        ValueError: if a shape or a kind does not fit, a value is complex or not finite, or the dimension is above 2^30.
    """
    parts = on_bonds(lattice, "coupling", coupling, EXCHANGE)
    if single_ion is not None:
        parts |= {"single_ion": on_sites(lattice, single_ion, SPIN_Z_SQUARED)}
    return spin_sum(lattice, spin, parts | {"field": on_sites(lattice, field, MINUS_SPIN_Z)})


def xxz(
    lattice: Lattice,
    coupling: BondCoupling = 1.0,
    anisotropy: BondCoupling = 1.0,
    field: ArrayLike = 0.0,
    *,
    spin: float = 0.5,
) -> AbstractTermSum:
    """`H = sum_bonds J (S_i^x S_j^x + S_i^y S_j^y + Delta S_i^z S_j^z) - sum_i h S_i^z`.

    Linear couplings are `coupling` (`J`) and `coupling_z` (`J Delta`), as for `xxz_chain`.

    Args:
        lattice: sites and bonds.
        coupling: `J` on bonds: a number, shape `(bonds,)`, or by kind.
        anisotropy: `Delta` on bonds: likewise.
        field: `h` along z, a number or shape `(sites,)`.
        spin: the spin of every site.
    """
    along = _product(lattice, coupling, anisotropy)
    parts = on_bonds(lattice, "coupling", coupling, EXCHANGE_XY) | on_bonds(lattice, "coupling_z", along, EXCHANGE_Z)
    return spin_sum(lattice, spin, parts | {"field": on_sites(lattice, field, MINUS_SPIN_Z)})


def xyz(
    lattice: Lattice,
    coupling_x: BondCoupling = 1.0,
    coupling_y: BondCoupling = 1.0,
    coupling_z: BondCoupling = 1.0,
    field: ArrayLike = 0.0,
) -> PauliSum:
    """`H = sum_bonds (J_x S_i^x S_j^x + J_y S_i^y S_j^y + J_z S_i^z S_j^z) - sum_i h S_i^z`.

    With couplings by kind on a honeycomb lattice it is Kitaev's model: `coupling_x={"x": K, "y": 0.0, "z": 0.0}`, and so on.

    Args:
        lattice: sites and bonds.
        coupling_x: `J_x` on bonds: a number, shape `(bonds,)`, or by kind.
        coupling_y: `J_y` on bonds: likewise.
        coupling_z: `J_z` on bonds: likewise.
        field: `h` along z, a number or shape `(sites,)`.
    """
    parts: dict[str, Part] = {}
    for name, value, letters in (("x", coupling_x, "XX"), ("y", coupling_y, "YY"), ("z", coupling_z, "ZZ")):
        parts |= on_bonds(lattice, f"coupling_{name}", value, ((letters, 0.25),))
    return _on(lattice, parts | {"field": on_sites(lattice, field, MINUS_SPIN_Z)})


def transverse_ising(
    lattice: Lattice,
    coupling: BondCoupling = 1.0,
    transverse_field: ArrayLike = 1.0,
    *,
    longitudinal_field: ArrayLike | None = None,
) -> PauliSum:
    """`H = -sum_bonds J sigma_i^z sigma_j^z - sum_i g sigma_i^x - sum_i h sigma_i^z`; `J > 0` is ferromagnetic.

    Args:
        lattice: sites and bonds.
        coupling: `J` on bonds: a number, shape `(bonds,)`, or by kind.
        transverse_field: `g`, a number or shape `(sites,)`.
        longitudinal_field: `h`, a number or shape `(sites,)`; by default there is no such term, and so a coupling and a
            derivative less, but one symmetry more: flipping all spins.
    """
    fields = {"transverse_field": on_sites(lattice, transverse_field, MINUS_X)}
    if longitudinal_field is not None:
        fields["longitudinal_field"] = on_sites(lattice, longitudinal_field, MINUS_Z)
    return _on(lattice, on_bonds(lattice, "coupling", coupling, MINUS_ISING) | fields)


def _on(lattice, parts):
    return spin_half_sum(lattice.sites, parts, lattice.permutations)


def _product(lattice, coupling, anisotropy):
    """`J Delta` on bonds, by kind where one of the two is."""
    if not isinstance(coupling, Mapping) and not isinstance(anisotropy, Mapping):
        values = real_couplings(coupling=coupling, anisotropy=anisotropy)
        for name, value in values.items():
            check_shape(name, value, (), (len(lattice.all_bonds),))
        return values["coupling"] * values["anisotropy"]
    by_kind = [v if isinstance(v, Mapping) else dict.fromkeys(lattice.kinds, v) for v in (coupling, anisotropy)]
    for name, given in zip(("coupling", "anisotropy"), by_kind, strict=True):
        check_kinds(lattice, name, given)
    values = [real_couplings(coupling=by_kind[0][kind], anisotropy=by_kind[1][kind]) for kind in lattice.kinds]
    return {kind: v["coupling"] * v["anisotropy"] for kind, v in zip(lattice.kinds, values, strict=True)}
