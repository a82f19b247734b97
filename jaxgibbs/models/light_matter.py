"""Spins coupled to bosonic modes, and bosons on a lattice, each mode cut to its lowest states.

A spin is site 0, the left-most factor, with index 0 for the upper state; modes follow, index `n` for `n` quanta. `levels` states of
each mode are kept: answers are those of the model cut off there, so raise `levels` until they no longer change.
"""

import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import ArrayLike, Float

from jaxgibbs.operators.local import boson_matrices, pauli_matrices, spin_dimension, spin_matrices, whole_number
from jaxgibbs.operators.local_sum import LocalSum, LocalTerms

from ._assembly import check_shape, real_couplings
from .lattices import Lattice


def jaynes_cummings(
    frequency: Float[ArrayLike, ""],
    splitting: Float[ArrayLike, ""],
    coupling: Float[ArrayLike, ""],
    *,
    levels: int = 32,
) -> LocalSum:
    """`H = omega a^+ a + (Delta / 2) sigma_z + g (a sigma_+ + a^+ sigma_-)` (Jaynes & Cummings 1963).

    The number of excitations is conserved: `E = omega (n - 1/2) +- sqrt((Delta - omega)^2 + 4 g^2 n) / 2` for `n >= 1`, and
    `-Delta / 2`.

    Args:
        frequency: `omega`.
        splitting: `Delta`.
        coupling: `g`.
        levels: states of the mode that are kept.
    """
    lower, _ = boson_matrices(levels)
    raise_spin = np.array([[0.0, 1.0], [0.0, 0.0]])
    exchange = np.kron(raise_spin, lower)
    return _one_mode(2, levels, frequency, splitting, pauli_matrices()[2] / 2, coupling, exchange + exchange.T)


def rabi(
    frequency: Float[ArrayLike, ""],
    splitting: Float[ArrayLike, ""],
    coupling: Float[ArrayLike, ""],
    *,
    levels: int = 64,
) -> LocalSum:
    """`H = omega a^+ a + (Delta / 2) sigma_z + g sigma_x (a + a^+)`; conserved is the parity of the excitations (Braak 2011).

    Args:
        frequency: `omega`.
        splitting: `Delta`.
        coupling: `g`; well above `omega` a mode holds about `(g / omega)^2` quanta, and `levels` must be several times that.
        levels: states of the mode that are kept.
    """
    x, _, z = pauli_matrices()
    return _one_mode(2, levels, frequency, splitting, z / 2, coupling, np.kron(x, _position(levels)))


def dicke(
    spins: int,
    frequency: Float[ArrayLike, ""],
    splitting: Float[ArrayLike, ""],
    coupling: Float[ArrayLike, ""],
    *,
    levels: int = 64,
) -> LocalSum:
    """`H = omega a^+ a + Delta J_z + (2 g / sqrt(N)) J_x (a + a^+)` in the symmetric space of N spins, `J = N / 2`.

    One spin is the `rabi` model. The ground state turns superradiant at `g = sqrt(omega Delta) / 2` (Kirton et al. 2019); at a
    temperature above zero the symmetric space alone is not N independent spins.

    Args:
        spins: `N`.
        frequency: `omega`.
        splitting: `Delta`.
        coupling: `g`.
        levels: states of the mode that are kept.
    """
    x, _, z = spin_matrices(whole_number("spins", spins) / 2)
    exchange = 2 / np.sqrt(spins) * np.kron(np.real(x), _position(levels))
    return _one_mode(spin_dimension(spins / 2), levels, frequency, splitting, z, coupling, exchange)


def spin_boson(
    splitting: Float[ArrayLike, ""],
    tunnelling: Float[ArrayLike, ""],
    frequencies: Float[ArrayLike, " modes"],
    couplings: Float[ArrayLike, " modes"],
    *,
    levels: int = 8,
) -> LocalSum:
    """`H = (eps / 2) sigma_z + (Delta / 2) sigma_x + sum_k omega_k a_k^+ a_k + (sigma_z / 2) sum_k g_k (a_k + a_k^+)`.

    Without tunnelling the modes are displaced, and `E = +-eps / 2 + sum_k omega_k n_k - sum_k g_k^2 / (4 omega_k)` (Leggett et al.
    1987).

    Args:
        splitting: `eps`.
        tunnelling: `Delta`.
        frequencies: `omega_k`, shape `(modes,)`.
        couplings: `g_k`, shape `(modes,)`.
        levels: states of each mode that are kept.
    """
    values = real_couplings(splitting=splitting, tunnelling=tunnelling, frequencies=frequencies, couplings=couplings)
    modes = values["frequencies"].size
    for name, shape in (("splitting", ()), ("tunnelling", ()), ("frequencies", (modes,)), ("couplings", (modes,))):
        check_shape(name, values[name], shape)
    return LocalSum(values, _spin_boson_terms(modes, whole_number("levels", levels, least=2)))


def bose_hubbard(
    lattice: Lattice,
    hopping: ArrayLike = 1.0,
    interaction: ArrayLike = 0.0,
    chemical_potential: ArrayLike = 0.0,
    *,
    levels: int = 4,
) -> LocalSum:
    """`H = -sum_bonds t (b_i^+ b_j + h.c.) + sum_i (U / 2) n_i (n_i - 1) - sum_i mu n_i` (Fisher et al. 1989).

    Args:
        lattice: sites and bonds.
        hopping: `t`, a number or shape `(bonds,)`.
        interaction: `U`, a number or shape `(sites,)`.
        chemical_potential: `mu`, likewise.
        levels: states of each site that are kept; 2 are hard-core bosons.
    """
    values = real_couplings(hopping=hopping, interaction=interaction, chemical_potential=chemical_potential)
    check_shape("hopping", values["hopping"], (), (len(lattice.all_bonds),))
    for name in ("interaction", "chemical_potential"):
        check_shape(name, values[name], (), (lattice.sites,))
    tied = tuple(value.ndim == 0 for value in values.values())
    return LocalSum(values, _bose_hubbard_terms(lattice, tied, whole_number("levels", levels, least=2)))


def _position(levels: int) -> np.ndarray:
    """`a + a^+`."""
    lower, _ = boson_matrices(levels)
    return lower + lower.T


def _one_mode(dim, levels, frequency, splitting, level_matrix, coupling, exchange) -> LocalSum:
    values = real_couplings(frequency=frequency, splitting=splitting, coupling=coupling)
    for name, value in values.items():
        check_shape(name, value, ())
    number = np.diag(np.arange(float(levels)))
    terms = {"frequency": [(number, 1)], "splitting": [(np.real(level_matrix), 0)], "coupling": [(exchange, (0, 1))]}
    return LocalSum(values, LocalTerms((dim, levels), terms))


@functools.lru_cache(maxsize=64)
def _spin_boson_terms(modes: int, levels: int) -> LocalTerms:
    x, _, z = pauli_matrices()
    number, displacement = np.diag(np.arange(float(levels))), np.kron(z / 2, _position(levels))
    terms = {
        "splitting": [(z / 2, 0)],
        "tunnelling": [(x / 2, 0)],
        "frequencies": [(number, 1 + k) for k in range(modes)],
        "couplings": [(displacement, (0, 1 + k)) for k in range(modes)],
    }
    return LocalTerms((2, *[levels] * modes), terms)


@functools.lru_cache(maxsize=64)
def _bose_hubbard_terms(lattice: Lattice, tied: Sequence[bool], levels: int) -> LocalTerms:
    lower, _ = boson_matrices(levels)
    n = np.arange(float(levels))
    hop = -1.0 * np.kron(lower.T, lower)
    sites = range(lattice.sites)
    parts = {
        "hopping": [(hop + hop.T, bond) for bond in lattice.all_bonds],
        "interaction": [(np.diag(n * (n - 1) / 2), site) for site in sites],
        "chemical_potential": [(-np.diag(n), site) for site in sites],
    }
    grouped = {name: [part] if one else part for (name, part), one in zip(parts.items(), tied, strict=True)}
    return LocalTerms((levels,) * lattice.sites, grouped).with_permutations(lattice.permutations)
