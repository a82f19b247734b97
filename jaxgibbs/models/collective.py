"""Collective spins: every pair of `sites` spins 1/2 is coupled alike, so that the total spin is conserved.

The energy grows with `sites`, as the couplings are scaled. `S` is the sum of the spins, `S^z` its component. The largest total
spin, `S = sites / 2`, holds the ground state of the ferromagnet and is a space of dimension `sites + 1`; it is *not* the whole
canonical ensemble of the spins, which `maximal_spin=False` gives.
"""

import itertools

import numpy as np
from jaxtyping import ArrayLike

from jaxgibbs.operators.local import spin_matrices, whole_number
from jaxgibbs.operators.terms import AbstractTermSum, SparseTerms, TermSum

from ._assembly import check_shape, real_couplings
from ._spin_sums import Part, spin_half_sum
from .lattices import chain_lattice


def lipkin_meshkov_glick(
    sites: int,
    coupling: ArrayLike = 1.0,
    anisotropy: ArrayLike = 0.0,
    field: ArrayLike = 0.0,
    *,
    maximal_spin: bool = True,
) -> AbstractTermSum:
    """`H = -(J / sites) (S_x^2 + gamma S_y^2) - h S_z`; `J > 0` is ferromagnetic.

    For `gamma < 1` the ground state of many spins is ordered along x below `h = J`.

    Args:
        sites: number of spins.
        coupling: `J`.
        anisotropy: `gamma`.
        field: `h`.
        maximal_spin: whether on the space of total spin `sites / 2` alone, of dimension `sites + 1`, or on all `2^sites` states.

    Returns:
        A `TermSum` of dimension `sites + 1`, or a `PauliSum` of dimension `2^sites`, with linear couplings `coupling` (`J`),
        `coupling_y` (`J gamma`) and `field`.

    Reference:
        Lipkin, Meshkov and Glick, Nucl. Phys. 62, 188 (1965).
    """
    sites = whole_number("sites", sites)
    values = real_couplings(coupling=coupling, anisotropy=anisotropy, field=field)
    for name, value in values.items():
        check_shape(name, value, ())
    couplings = {
        "coupling": values["coupling"],
        "coupling_y": values["coupling"] * values["anisotropy"],
        "field": values["field"],
    }
    if maximal_spin:
        x, y, z = spin_matrices(sites / 2)
        matrices = {"coupling": -x @ x / sites, "coupling_y": -np.real(y @ y) / sites, "field": -z}
        return TermSum(couplings, SparseTerms.from_matrices(matrices))
    # S_x^2 = sites / 4 + sum_{i < j} X_i X_j / 2, and likewise for y.
    pairs = list(itertools.combinations(range(sites), 2))
    parts: dict[str, tuple] = {
        name: ((("1", (0,), -0.25), *((letters, pair, -0.5 / sites) for pair in pairs)),)
        for name, letters in (("coupling", "XX"), ("coupling_y", "YY"))
    }
    parts["field"] = (tuple(("Z", (site,), -0.5) for site in range(sites)),)
    return _alike(sites, {name: Part(couplings[name], strings) for name, strings in parts.items()})


def p_spin(
    sites: int,
    coupling: ArrayLike = 1.0,
    transverse_field: ArrayLike = 0.0,
    *,
    order: int = 3,
    maximal_spin: bool = True,
) -> AbstractTermSum:
    """The ferromagnet of `p` spins, `H = -J sites m^p - g sum_i sigma_i^x`, `m = sum_i sigma_i^z / sites`.

    Args:
        sites: number of spins.
        coupling: `J`.
        transverse_field: `g`.
        order: `p`, at least 1; for 3 and more the transition in `g` is of first order.
        maximal_spin: as for `lipkin_meshkov_glick`.

    Returns:
        A `TermSum` of dimension `sites + 1`, or a `PauliSum` of dimension `2^sites` with up to `sites^p / p!` strings.

    Reference:
        Derrida, Phys. Rev. B 24, 2613 (1981); Jorg et al., EPL 89, 40004 (2010).
    """
    sites, order = whole_number("sites", sites), whole_number("order", order)
    couplings = real_couplings(coupling=coupling, transverse_field=transverse_field)
    for name, value in couplings.items():
        check_shape(name, value, ())
    if maximal_spin:
        x, _, z = spin_matrices(sites / 2)
        power = np.diag((2 * np.diag(z) / sites) ** order)
        return TermSum(couplings, SparseTerms.from_matrices({"coupling": -sites * power, "transverse_field": -2 * x}))
    powers = [
        ("Z" * size or "1", place or (0,), -sites * weight)
        for size, weight in enumerate(_power_of_sum(sites, order))
        if weight
        for place in itertools.combinations(range(sites), size)
    ]
    flips = [("X", (site,), -1.0) for site in range(sites)]
    parts = {"coupling": powers, "transverse_field": flips}
    return _alike(sites, {name: Part(couplings[name], (tuple(strings),)) for name, strings in parts.items()})


def _alike(sites: int, parts: dict[str, Part]):
    """Of all permutations of the sites those of a ring: they are few, and their sectors already small and real."""
    return spin_half_sum(sites, parts, chain_lattice(sites, periodic=True).permutations if sites > 2 else ())


def _power_of_sum(sites, order):
    """`c_k` such that `m^order` is the sum over sets of `k` sites of `c_k` times the product of their `sigma^z`.

    One more factor of the sum adds a site to a set or, since `sigma^2 = 1`, takes one away.
    """
    c = [1.0] + [0.0] * sites
    for _ in range(order):
        c = [
            (k * c[k - 1] if k else 0.0) / sites + ((sites - k) * c[k + 1] if k < sites else 0.0) / sites
            for k in range(sites + 1)
        ]
    return c
