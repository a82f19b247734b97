"""Unitary symmetries and charges: whether a Hamiltonian has them, and the usual ones as matrices.

A symmetry here is one of *every term* `T_k`, not only of their sum at the present couplings: then it holds for all
couplings and under every derivative.
"""

import math
from collections.abc import Sequence

import numpy as np

from jaxgibbs.operators.local import kron, spin_matrices

from ._terms import TOLERANCE, check_defects, checked_symmetry, relative_defects


def symmetry_defect(hamiltonian, symmetry) -> float:
    """The largest `|[U, T]| / |T|` over the terms of the Hamiltonian; 0 for a symmetry.

    Args:
        hamiltonian: an operator, or a Hermitian matrix (then it is its own only term).
        symmetry: `U`, shape `(dim, dim)`: unitary, or a Hermitian charge, which is scaled to a mean square
            eigenvalue of 1.
    """
    return max(_defects(hamiltonian, symmetry).values(), default=0.0)


def is_symmetry(hamiltonian, symmetry, *, tolerance: float = TOLERANCE) -> bool:
    """Whether every term of the Hamiltonian commutes with `symmetry`, to `tolerance` relative to its norm."""
    return symmetry_defect(hamiltonian, symmetry) <= tolerance


def check_symmetry(hamiltonian, symmetry, *, tolerance: float = TOLERANCE) -> None:
    """Raise `ValueError`, naming the term, unless `is_symmetry(hamiltonian, symmetry)`."""
    what = "`symmetry` must commute with every term of the Hamiltonian"
    check_defects(_defects(hamiltonian, symmetry), tolerance, what)


def _defects(hamiltonian, symmetry):
    matrix = checked_symmetry("symmetry", symmetry, getattr(hamiltonian, "dim", None) or np.shape(hamiltonian)[0])
    scale = np.linalg.norm(matrix) / np.sqrt(len(matrix))
    return relative_defects(hamiltonian, lambda term: (matrix @ term - term @ matrix) / (scale or 1.0))


def site_permutation(order: Sequence[int], dims: Sequence[int]) -> np.ndarray:
    """The unitary that takes the state of site `i` to site `order[i]`: `U A_i U^dagger = A_order[i]`.

    Args:
        order: a permutation of the sites.
        dims: dimension of every site; sites that are exchanged must have the same.
    """
    order, dims = [int(i) for i in order], [int(d) for d in dims]
    if sorted(order) != list(range(len(dims))):
        raise ValueError(f"`order` must be a permutation of 0 ... {len(dims) - 1}, but is {order}.")
    if any(dims[i] != dims[j] for i, j in enumerate(order)):
        raise ValueError(f"`order` must exchange sites of equal dimension, but takes {dims} to {order}.")
    size = math.prod(dims)
    states = np.arange(size).reshape(dims)
    # Entry (s_0, s_1, ...) of the transposed array is the state whose site i holds s_order[i]: the one that is moved there.
    source = np.transpose(states, np.argsort(order)).ravel() if len(dims) else states.ravel()
    matrix = np.zeros((size, size))
    matrix[np.arange(size), source] = 1.0
    return matrix


def translation(sites: int, dim: int = 2) -> np.ndarray:
    """The shift of a ring by one site, `i -> i + 1`."""
    return site_permutation([(i + 1) % sites for i in range(sites)], [dim] * sites)


def reflection(sites: int, dim: int = 2) -> np.ndarray:
    """The reflection of a chain at its middle, `i -> sites - 1 - i`."""
    return site_permutation(list(range(sites))[::-1], [dim] * sites)


def spin_rotation(axis: Sequence[float], angle: float, spins: Sequence[float]) -> np.ndarray:
    """The rotation of all spins, the product of `exp(-i angle n . S)`; `n` is `axis` normalised.

    By `angle = pi` about x it flips all spins.
    """
    direction = np.asarray(axis, float)
    length = np.linalg.norm(direction)
    if direction.shape != (3,) or not (math.isfinite(length) and length > 0):
        raise ValueError(f"`axis` must be a direction, three numbers not all zero, but is {axis}.")
    return kron(np.eye(1), *(_one_rotation(direction / length, angle, spin) for spin in spins))


def _one_rotation(direction, angle, spin):
    # n . S has the eigenvalues -S ... S, so any function of it is Lagrange's polynomial through them.
    generator = np.tensordot(direction, np.stack(spin_matrices(spin)), 1)
    values = float(spin) - np.arange(len(generator))
    total = np.zeros(generator.shape, complex)
    for m in values:
        projector = np.eye(len(generator), dtype=complex)
        for other in values[values != m]:
            projector = projector @ (generator - other * np.eye(len(generator))) / (m - other)
        total += np.exp(-1j * angle * m) * projector
    return total
