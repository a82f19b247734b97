"""Free modes, `H = sum_k e_k n_k`: the ideal Bose and Fermi gases, in closed form on their whole Fock space."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import check_finite
from jaxgibbs.linalg import matmul

from .base import AbstractOperator, inexact

_LARGEST_FOCK_SPACE = 12


def _mode_energies(energies: ArrayLike) -> Float[Array, " modes"]:
    energies = inexact(energies)
    if energies.ndim != 1 or energies.size == 0 or jnp.iscomplexobj(energies):
        raise ValueError(
            f"`energies` must be a real vector with one entry a mode, but has shape {energies.shape} and dtype {energies.dtype}."
        )
    check_finite("energies", energies)
    return energies


def check_fock_space(modes: int) -> None:
    """Raise `ValueError` if the Fock space of so many fermionic modes is too large for a matrix."""
    if modes > _LARGEST_FOCK_SPACE:
        raise ValueError(f"The Fock space of {modes} modes is too large for a matrix; at most {_LARGEST_FOCK_SPACE}.")


class AbstractModes(AbstractOperator):
    """`sum_k e_k n_k`: an operator given by one energy a mode."""

    energies: eqx.AbstractVar[Float[Array, " modes"]]

    @property
    def dim(self) -> int:
        """Number of modes; the Fock space has dimension `2 ** dim` for fermions and is infinite for bosons."""
        return self.energies.shape[-1]

    @property
    def dtype(self):
        return self.energies.dtype


class Bosons(AbstractModes):
    """`sum_k e_k n_k` over bosonic modes, `n_k = 0, 1, 2, ...`.

    The number operator is `Bosons(ones)`, the occupation of one mode is `Bosons(one_hot)`. With charges `(H, N)` the
    multipliers `(beta, -beta mu)` give the grand canonical ensemble and `<n_k> = 1 / (e^{beta (e_k - mu)} - 1)`.

    Args:
        energies: `e_k`, shape `(modes,)`.

    Raises:
        ValueError: if `energies` is no real vector, empty or not finite.
    """

    energies: Float[Array, " modes"] = eqx.field(converter=_mode_energies)

    @property
    def space(self) -> tuple:
        return "bosonic modes:", self.dim

    def to_dense(self):
        raise ValueError(
            "`Bosons` act on an infinite Fock space and have no matrix; use `models.oscillator` for one truncated mode."
        )

    def matvec(self, vector):
        return self.to_dense()


class Fermions(AbstractModes):
    """`sum_k e_k n_k` over fermionic modes, `n_k = 0, 1`; arguments and use as for `Bosons`."""

    energies: Float[Array, " modes"] = eqx.field(converter=_mode_energies)

    @property
    def space(self) -> tuple:
        return "fermionic modes:", self.dim

    def to_dense(self):
        """The diagonal matrix on the Fock space; mode 0 is the left-most factor, index 1 is filled."""
        check_fock_space(self.dim)
        states = np.arange(2**self.dim)
        filled = (states[:, None] >> np.arange(self.dim)[::-1]) & 1
        return jnp.diag(matmul(jnp.asarray(filled, self.dtype), self.energies))

    def matvec(self, vector):
        return jnp.diagonal(self.to_dense()) * vector
