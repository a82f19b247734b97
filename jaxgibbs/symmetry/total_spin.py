"""The total spin, where every term conserves it or is a uniform field along z."""

import itertools

import numpy as np

from jaxgibbs.operators import LocalTerms, PauliTerms
from jaxgibbs.operators.local import embedded_coordinates, kron, spin_matrices

from .detection import Terms


def field_terms(terms: tuple[Terms, ...]) -> np.ndarray | None:
    """For each term `a` where it is `2 a S^z + b`, 0 where it conserves the total spin; `None` if one does neither.

    A site of dimension `d` is a spin `(d - 1) / 2`. With such terms the Hamiltonian conserves the total spin, and in a multiplet
    of spin S the field shifts `2 S + 1` copies of the same levels.
    """
    slopes = []
    for t in terms:
        for number in range(t.count):
            slope = _slope_of_strings(t, number) if isinstance(t, PauliTerms) else _slope_of_matrices(t, number)
            if slope is None:
                return None
            slopes.append(slope)
    return np.array(slopes)


def twice_magnetisation(dims: tuple[int, ...]) -> np.ndarray:
    """`2 M` of every basis state."""
    return sum(d - 1 for d in dims) - 2 * np.indices(dims).reshape(len(dims), -1).sum(0)


def raising_entries(dims: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows, columns and values of `S^+`."""
    parts = []
    for site, d in enumerate(dims):
        parts.append(embedded_coordinates(_raise(d), (site,), dims))
    row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    return row, column, value


def _slope_of_strings(t: PauliTerms, number: int) -> float | None:
    chosen = t.term == number
    strings = {
        (int(x), int(z)): float(w) for x, z, w in zip(t.x[chosen], t.z[chosen], t.weight[chosen], strict=True) if x or z
    }
    fields = [strings.get((0, 1 << site)) for site in range(t.sites)]
    if strings and len(strings) == t.sites and None not in fields and len(set(fields)) == 1:
        return fields[0]
    return 0.0 if _is_scalar(strings, t.sites) else None


def _is_scalar(strings: dict[tuple[int, int], float], sites: int) -> bool:
    """Whether the commutators with the total spin along x and along z vanish."""
    largest = max((abs(w) for w in strings.values()), default=0.0)
    for along_x in (True, False):
        commutator: dict[tuple[int, int], complex] = {}
        for ((x, z), weight), site in itertools.product(strings.items(), range(sites)):
            bit = 1 << site
            if not (z if along_x else x) & bit:
                continue  # commutes
            # With strings i^(number of Y) X^x Z^z, the product from the right by one Pauli matrix, up to a common factor.
            phase = 1j ** (x & z).bit_count()
            key = (x ^ bit, z) if along_x else (x, z ^ bit)
            commutator[key] = commutator.get(key, 0) + weight * phase
        if any(abs(value) > 1e-14 * largest for value in commutator.values()):
            return False
    return True


def _slope_of_matrices(t: LocalTerms, number: int) -> float | None:
    """Of a term whose every matrix conserves the spin of its sites, or which is the same field on every site."""
    placements = [(sites, matrix) for n, sites, matrix in t.placements if n == number]
    if all(_conserves_spin(matrix, [t.dims[site] for site in sites]) for sites, matrix in placements):
        return 0.0
    slopes = np.zeros(len(t.dims))
    for sites, matrix in placements:
        if len(sites) != 1:
            return None
        (site,) = sites
        z = spin_matrices((t.dims[site] - 1) / 2)[2]
        if len(z) == 1:
            continue
        slope = np.real(np.vdot(z, matrix)) / np.vdot(z, z)
        rest = matrix - slope * z
        rest = rest - np.trace(rest) / len(z) * np.eye(len(z))
        if np.max(np.abs(rest)) > 1e-13 * np.max(np.abs(matrix)):
            return None
        slopes[site] += slope / 2
    spins = np.array(t.dims) > 1
    return float(slopes[spins][0]) if np.ptp(slopes[spins]) <= 1e-14 * np.max(np.abs(slopes)) else None


def _conserves_spin(matrix: np.ndarray, dims: list[int]) -> bool:
    """Whether it commutes with `S^+` of these sites; as it is Hermitian, then with all of the spin."""
    raising = np.zeros(matrix.shape)
    for place, d in enumerate(dims):
        raising += kron(*(_raise(d) if k == place else np.eye(n) for k, n in enumerate(dims)))
    return bool(np.max(np.abs(matrix @ raising - raising @ matrix)) <= 1e-13 * np.max(np.abs(matrix)) * len(matrix))


def _raise(dim: int) -> np.ndarray:
    """`S^+` of one spin, from `m` to `m + 1`; index 0 is `m = S`."""
    x, y, _ = spin_matrices((dim - 1) / 2)
    return np.real(x + 1j * y)
