"""Free modes, `H = sum_k e_k n_k`: the ideal Bose and Fermi gases, in closed form on their whole Fock space."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import check_finite
from jaxgibbs.linalg import matmul

from .base import AbstractOperator, inexact

_LARGEST_FOCK_SPACE = 12


class Bosons(AbstractOperator):
    """`sum_k e_k n_k` over bosonic modes, `n_k = 0, 1, 2, ...`.

    The number operator is `Bosons(ones)`, the occupation of one mode is `Bosons(one_hot)`. With charges `(H, N)` the
    multipliers `(beta, -beta mu)` give the grand canonical ensemble and `<n_k> = 1 / (e^{beta (e_k - mu)} - 1)`.

    Args:
        energies: `e_k`, shape `(modes,)`.

    Raises:
        ValueError: if `energies` is no real vector, empty or not finite.
    """

    energies: Float[Array, " modes"]

    def __init__(self, energies: ArrayLike):
        self.energies = _mode_energies(energies)

    @property
    def dim(self) -> int:
        """Number of modes; the Fock space is infinite."""
        return self.energies.shape[-1]

    @property
    def space(self) -> tuple:
        return "bosonic modes:", self.dim

    @property
    def dtype(self):
        return self.energies.dtype

    def to_dense(self):
        raise ValueError(
            "`Bosons` act on an infinite Fock space and have no matrix; use `models.oscillator` for one truncated mode."
        )

    def matvec(self, vector):
        return self.to_dense()


class Fermions(AbstractOperator):
    """`sum_k e_k n_k` over fermionic modes, `n_k = 0, 1`; arguments and use as for `Bosons`."""

    energies: Float[Array, " modes"]

    def __init__(self, energies: ArrayLike):
        self.energies = _mode_energies(energies)

    @property
    def dim(self) -> int:
        """Number of modes; the Fock space has dimension `2 ** dim`."""
        return self.energies.shape[-1]

    @property
    def space(self) -> tuple:
        return "fermionic modes:", self.dim

    @property
    def dtype(self):
        return self.energies.dtype

    def to_dense(self):
        """The diagonal matrix on the Fock space; mode 0 is the left-most factor, index 1 is filled."""
        if self.dim > _LARGEST_FOCK_SPACE:
            raise ValueError(
                f"The Fock space of {self.dim} modes is too large for a matrix; at most {_LARGEST_FOCK_SPACE}."
            )
        states = np.arange(2**self.dim)
        filled = (states[:, None] >> np.arange(self.dim)[::-1]) & 1
        return jnp.diag(matmul(jnp.asarray(filled, self.dtype), self.energies))

    def matvec(self, vector):
        return jnp.diagonal(self.to_dense()) * vector


def _mode_energies(energies):
    energies = inexact(energies)
    if energies.ndim != 1 or energies.size == 0 or jnp.iscomplexobj(energies):
        raise ValueError(
            f"`energies` must be a real vector with one entry a mode, but has shape {energies.shape} and dtype {energies.dtype}."
        )
    check_finite("energies", energies)
    return energies
