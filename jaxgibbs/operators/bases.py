"""Bases of small composite systems, one vector a column."""

import numpy as np


def bell_basis() -> np.ndarray:
    """The Bell states of two spins 1/2, as columns `Phi+, Phi-, Psi+, Psi-` on `uu, ud, du, dd`.

    `Phi+- = (uu +- dd) / sqrt 2`, `Psi+- = (ud +- du) / sqrt 2`. A state diagonal in the product basis has coherences here,
    `<Phi+|rho|Phi-> = (p_uu - p_dd) / 2` and `<Psi+|rho|Psi-> = (p_ud - p_du) / 2`: a superposition is one relative to a basis.
    """
    return np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, -1], [1, -1, 0, 0]]) / np.sqrt(2)
