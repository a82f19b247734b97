"""Electrons in orbitals, on the whole Fock space: molecules from their integrals, and an impurity with its bath.

Spin orbitals are the modes of `fermions.py`: orbital `p` with spin up is mode `p`, with spin down mode `orbitals + p`.
"""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.sparse
from jaxtyping import ArrayLike, Float

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.operators.pauli import LARGEST_SITES, PauliSum
from jaxgibbs.operators.terms import SparseTerms, TermSum

from ._assembly import check_shape, real_couplings
from ._gaussian_orbitals import hydrogen_integrals
from ._spin_sums import Part, spin_half_sum
from .fermions import both_filled, filled, hop

LARGEST_ORBITALS = 6  # 2^12 states


def molecule(
    one_electron: Float[ArrayLike, "orbitals orbitals"],
    two_electron: Float[ArrayLike, "orbitals orbitals orbitals orbitals"],
    constant: ArrayLike = 0.0,
    chemical_potential: ArrayLike = 0.0,
) -> TermSum:
    """`H = sum h_pq E_pq + 1/2 sum (pq|rs) (E_pq E_rs - delta_qr E_ps) + E_0 - mu N`, `E_pq = sum_s a_ps^+ a_qs`.

    On the whole Fock space, of dimension `4^orbitals`: `exp(-beta H)` is the grand canonical state of finite-temperature full
    configuration interaction. Number and spin of the electrons are found and used as blocks.

    Args:
        one_electron: `h_pq` of real orthonormal orbitals, symmetric.
        two_electron: `(pq|rs)` in chemists' order, with its eight symmetries.
        constant: `E_0`, the repulsion of the nuclei.
        chemical_potential: `mu`.

    Returns:
        A real operator with the couplings `one_electron` (pairs `p <= q`), `two_electron` (pairs of pairs), `constant` and
        `chemical_potential`.

    Raises:
        ValueError: if a shape does not fit, the integrals lack their symmetries, or there are more than 6 orbitals.

    Reference: Helgaker, Jorgensen & Olsen (2000), Molecular Electronic-Structure Theory, eq. 2.2.18.
    """
    values = real_couplings(
        one_electron=one_electron, two_electron=two_electron, constant=constant, chemical_potential=chemical_potential
    )
    one, two = values["one_electron"], values["two_electron"]
    count = one.shape[0] if one.ndim == 2 else 0
    if not 1 <= count <= LARGEST_ORBITALS:
        raise ValueError(
            f"`one_electron` must be a matrix of 1 to {LARGEST_ORBITALS} orbitals, but has shape {one.shape}; "
            "freeze orbitals, or choose an active space."
        )
    symmetric, pairs = symmetric_integrals(one, two)
    p, q = np.triu_indices(count)
    a, b = np.triu_indices(len(p))
    couplings = {
        "one_electron": symmetric[p, q],
        "two_electron": pairs[p[a], q[a], p[b], q[b]],
        "constant": values["constant"],
        "chemical_potential": values["chemical_potential"],
    }
    return TermSum(couplings, _molecular_terms(count))


def hydrogen_molecule(distance: ArrayLike, chemical_potential: ArrayLike = 0.0) -> TermSum:
    """H2 in a minimal basis (STO-3G, exponent 1.24), in hartree, differentiable in the distance.

    Its orbitals are the bonding and the antibonding one. At 1.4 bohr the ground state of two electrons is at -1.1373 hartree.

    Args:
        distance: of the nuclei, in bohr.
        chemical_potential: `mu` in hartree.

    Raises:
        ValueError: if the distance is not a positive finite scalar (NaN under a trace).

    Reference: Szabo & Ostlund (1989), Modern Quantum Chemistry, section 3.5 and appendix A.
    """
    distance = real_couplings(distance=distance)["distance"]
    check_shape("distance", distance, ())
    allowed = (distance > 0) & jnp.isfinite(distance)
    if is_concrete(allowed) and not np.asarray(allowed):
        raise ValueError(f"`distance` must be positive and finite, in bohr, but is {float(distance):g}.")
    return molecule(*hydrogen_integrals(nan_unless(allowed, distance)), chemical_potential)


def anderson_impurity(
    level: ArrayLike,
    interaction: ArrayLike,
    bath_levels: Float[ArrayLike, " bath"],
    hybridization: Float[ArrayLike, " bath"],
    chemical_potential: ArrayLike = 0.0,
) -> PauliSum:
    """`H = eps n_d + U n_du n_dd + sum_ks [e_k n_ks + V_k (d_s^+ c_ks + h.c.)] - mu N` (Anderson 1961).

    Site 0 is the impurity, and one bath level makes it the Anderson dimer.

    Args:
        level: `eps`.
        interaction: `U`.
        bath_levels: `e_k`, shape `(bath,)`, at most 14.
        hybridization: `V_k`, likewise, or one number for all.
        chemical_potential: `mu`.

    Raises:
        ValueError: if there is no bath level or too many, or a shape does not fit.
    """
    values = real_couplings(bath_levels=bath_levels, hybridization=hybridization)
    if values["bath_levels"].ndim != 1 or not 1 <= values["bath_levels"].size <= LARGEST_SITES // 2 - 1:
        raise ValueError(
            f"`bath_levels` must be a vector of 1 to {LARGEST_SITES // 2 - 1} levels, but has shape "
            f"{values['bath_levels'].shape}."
        )
    bath = values["bath_levels"].size
    sites = 1 + bath
    spins = (0, sites)

    def electrons(site, weight=1.0):
        return tuple(string for first in spins for string in filled(first + site, weight))

    parts = {
        "level": Part(level, (electrons(0),)),
        "interaction": Part(interaction, (both_filled(0, sites),)),
        "bath_levels": Part(bath_levels, tuple(electrons(1 + k) for k in range(bath))),
        "hybridization": Part(
            hybridization,
            tuple(tuple(s for first in spins for s in hop(first, first + 1 + k, 1.0)) for k in range(bath)),
        ),
        "chemical_potential": Part(
            chemical_potential, (tuple(s for site in range(sites) for s in electrons(site, -1.0)),)
        ),
    }
    return spin_half_sum(2 * sites, parts)


def symmetric_integrals(one, two):
    """`h_pq` and `(pq|rs)` with the symmetries of real orbitals exact.

    Raises:
        ValueError: if a shape does not fit, or a symmetry is broken by more than rounding.
    """
    count = one.shape[0] if one.ndim == 2 else 0
    check_shape("one_electron", one, (count, count))
    check_shape("two_electron", two, (count,) * 4)
    symmetric = (one + one.T) / 2
    pairs = (two + two.transpose(1, 0, 2, 3)) / 2
    pairs = (pairs + pairs.transpose(0, 1, 3, 2)) / 2
    pairs = (pairs + pairs.transpose(2, 3, 0, 1)) / 2
    _must_be_equal("one_electron", one, symmetric, "h_pq = h_qp")
    _must_be_equal("two_electron", two, pairs, "(pq|rs) = (qp|rs) = (pq|sr) = (rs|pq)")
    return symmetric, pairs


def _must_be_equal(name, given, symmetric, symmetry) -> None:
    if is_concrete(given, symmetric):
        defect = float(np.max(np.abs(np.asarray(given - symmetric))))
        allowed = max(1e-10, 100 * float(jnp.finfo(given.dtype).eps)) * float(np.max(np.abs(np.asarray(given))))
        if not defect <= allowed:
            raise ValueError(
                f"`{name}` must have the symmetry {symmetry}, but it is broken by {2 * defect:.3g}, above {allowed:.3g}."
            )


@functools.lru_cache(maxsize=8)
def _molecular_terms(orbitals: int) -> SparseTerms:
    """The operators that go with each independent integral, with `E_pq` from sparse ladder operators."""
    modes = 2 * orbitals
    lower, sign, one = (
        scipy.sparse.csr_array(m) for m in ([[0.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, -1.0]], np.eye(2))
    )
    annihilators = []
    for mode in range(modes):
        factors = [sign] * mode + [lower] + [one] * (modes - mode - 1)
        annihilators.append(functools.reduce(lambda left, right: scipy.sparse.kron(left, right, format="csr"), factors))

    def excitation(p, q):
        return sum(annihilators[s + p].T @ annihilators[s + q] for s in (0, orbitals))

    moves: dict[tuple[int, int], Any] = {(p, q): excitation(p, q) for p in range(orbitals) for q in range(orbitals)}
    pairs = list(zip(*np.triu_indices(orbitals), strict=True))

    def symmetric_pair(pair):
        return sum(moves[place] for place in {pair, pair[::-1]})

    def repulsion(first, second):
        total = 0
        for (p, q), (r, s) in {
            (f, g) for a, b in ((first, second), (second, first)) for f in (a, a[::-1]) for g in (b, b[::-1])
        }:
            product = moves[p, q] @ moves[r, s]
            total = total + (product - moves[p, s] if q == r else product) / 2
        return total

    pairs = [(int(p), int(q)) for p, q in pairs]
    identity = scipy.sparse.eye_array(2**modes, format="csr")
    number = sum(moves[p, p] for p in range(orbitals))
    return SparseTerms.from_matrices(
        {
            "one_electron": [symmetric_pair(pair) for pair in pairs],
            "two_electron": [repulsion(a, b) for i, a in enumerate(pairs) for b in pairs[i:]],
            "constant": identity,
            "chemical_potential": -number,
        }
    )
