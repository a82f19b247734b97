"""One-site matrices and where they act: spins, bosons, fermions, and their place in a tensor product.

Everything here is structure, so everything is a NumPy array. Site 0 is the left-most factor of a tensor product
(its index is the slow one), and index 0 of a spin is `m = +S`.
"""

import math
from collections.abc import Sequence

import numpy as np


def spin_matrices(spin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The matrices `(S_x, S_y, S_z)` of a spin, `[S_x, S_y] = i S_z`, with index 0 for `m = +spin`.

    Args:
        spin: 0, 1/2, 1, 3/2, ...; spin 0 gives three matrices `[[0]]`.

    Returns:
        Three arrays of shape `(2 spin + 1, 2 spin + 1)`; `S_x` and `S_z` are real, `S_y` is complex.

    Raises:
        ValueError: if `2 spin` is not a whole number of at least 0.
    """
    size = spin_dimension(spin)
    spin = float(spin)
    m = spin - np.arange(size)
    raising = np.diag(np.sqrt(spin * (spin + 1) - m[1:] * (m[1:] + 1)), 1)
    return (raising + raising.T) / 2, (raising - raising.T) / 2j, np.diag(m)


def spin_dimension(spin: float) -> int:
    """`2 spin + 1`."""
    twice = 2 * float(spin)
    if not (math.isfinite(twice) and twice >= 0 and twice == round(twice)):
        raise ValueError(f"`spin` must be one of 0, 1/2, 1, 3/2, ..., but is {spin}.")
    return round(twice) + 1


def pauli_matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(sigma_x, sigma_y, sigma_z)`, with index 0 for `sigma_z = +1`."""
    return np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, -1j], [1j, 0.0]]), np.diag([1.0, -1.0])


def boson_matrices(levels: int) -> tuple[np.ndarray, np.ndarray]:
    """`(a, n)`: lowering and number operator on the first `levels` states of an oscillator.

    `a a^dagger - a^dagger a` is 1 except in its last entry, where the truncation shows; products of `a` and
    `a^dagger` are right only below the cut, so take powers of the position from `position_matrix`.
    """
    levels = whole_number("levels", levels)
    return np.diag(np.sqrt(np.arange(1.0, levels)), 1), np.diag(np.arange(float(levels)))


def position_matrix(levels: int, power: int = 1) -> np.ndarray:
    """The first `levels` rows and columns of `x^power`, `x = (a + a^dagger) / sqrt(2)`, without truncation error.

    The power is taken in a larger basis and then projected: the power of a projected `x` is another matrix.
    """
    return _projected_power(levels, power, lambda a: (a + a.T) / math.sqrt(2.0))


def momentum_matrix(levels: int, power: int = 1) -> np.ndarray:
    """The first `levels` rows and columns of `p^power`, `p = (a - a^dagger) / (i sqrt(2))`, free of truncation."""
    matrix = _projected_power(levels, power, lambda a: (a - a.T) / (1j * math.sqrt(2.0)))
    return np.real(matrix) if power % 2 == 0 else matrix


def _projected_power(levels, power, build):
    levels, power = whole_number("levels", levels), whole_number("power", power, least=0)
    larger = build(boson_matrices(levels + power)[0])
    return np.linalg.matrix_power(larger, power)[:levels, :levels]


def fermion_matrices() -> tuple[np.ndarray, np.ndarray]:
    """`(c, n)` of one fermion mode: index 0 is empty, index 1 is filled, `c = |0><1|`."""
    return np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([0.0, 1.0])


def fermion_annihilation(mode: int, modes: int) -> np.ndarray:
    """`c_mode` among `modes` fermion modes by Jordan and Wigner: `Z x ... x Z x |0><1| x 1 x ... x 1`.

    The string of `Z = diag(1, -1)` on the modes before makes different modes anticommute.
    """
    modes = whole_number("modes", modes)
    mode = site_index(mode, modes)
    z, one = np.diag([1.0, -1.0]), np.eye(2)
    return kron(*[z] * mode, fermion_matrices()[0], *[one] * (modes - mode - 1))


def check_permutation(order: Sequence[int], sites: int) -> None:
    """Raise `ValueError` unless `order` holds every site once."""
    if sorted(order) != list(range(sites)):
        raise ValueError(f"A permutation must hold 0 ... {sites - 1} in some order, but is {tuple(order)}.")


def kron(*matrices) -> np.ndarray:
    """The Kronecker product of any number of matrices; the first is the slow factor."""
    if not matrices:
        raise ValueError("`kron` must be given at least one matrix, but got none.")
    product = np.asarray(matrices[0])
    for matrix in matrices[1:]:
        product = np.kron(product, np.asarray(matrix))
    return product


def embed(matrix, site: int | Sequence[int], dims: Sequence[int]) -> np.ndarray:
    """A matrix on one site, or on several, as a matrix on the whole space.

    Args:
        matrix: shape `(n, n)`, `n` the product of the dimensions of the sites it acts on.
        site: the site, or a sequence of different sites in the order of the tensor factors of `matrix`.
        dims: dimension of every site; site 0 is the left-most factor.

    Returns:
        Array of shape `(prod(dims), prod(dims))`.

    Raises:
        ValueError: if a site does not exist or is named twice, or the shape of `matrix` does not fit.
    """
    row, column, value = embedded_coordinates(matrix, site, dims)
    full = np.zeros((math.prod(dims),) * 2, value.dtype)
    full[row, column] = value
    return full


def embedded_coordinates(matrix, site: int | Sequence[int], dims: Sequence[int]):
    """The entries `(rows, columns, values)` of `embed(matrix, site, dims)` that are not zero."""
    matrix = np.asarray(matrix)
    dims = tuple(whole_number("dims", dim) for dim in dims)
    sites = tuple(site_index(s, len(dims)) for s in np.atleast_1d(site))
    if len(set(sites)) < len(sites):
        raise ValueError(f"`site` must name different sites, but is {sites}.")
    local = tuple(dims[s] for s in sites)
    if matrix.shape != (math.prod(local),) * 2:
        raise ValueError(
            f"`matrix` must be square of size {math.prod(local)} for sites {sites}, but has shape {matrix.shape}."
        )
    strides = [math.prod(dims[s + 1 :]) for s in range(len(dims))]

    def offsets(of):
        total = np.zeros(1, int)
        for s in of:
            total = np.add.outer(total, strides[s] * np.arange(dims[s])).ravel()
        return total

    inside, outside = offsets(sites), offsets([s for s in range(len(dims)) if s not in sites])
    row, column = np.nonzero(matrix)
    rows, columns = (np.add.outer(outside, inside[index]).ravel() for index in (row, column))
    return rows, columns, np.tile(matrix[row, column], len(outside))


def site_index(site: int, sites: int) -> int:
    """`site` as an `int` between 0 and `sites - 1`, or `ValueError`."""
    if int(site) != site or not 0 <= site < sites:
        raise ValueError(f"A site must be a whole number between 0 and {sites - 1}, but is {site}.")
    return int(site)


def whole_number(name: str, value: int, least: int = 1) -> int:
    """`value` as an `int` of at least `least`, or `ValueError`."""
    if not math.isfinite(value) or int(value) != value or value < least:
        raise ValueError(f"`{name}` must be a whole number of at least {least}, but is {value}.")
    return int(value)
