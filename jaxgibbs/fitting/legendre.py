"""Legendre transforms: the fundamental relations in their other variables, `S(U)` and `U(S)`."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs.equilibrium import energy as energy_of
from jaxgibbs.equilibrium import entropy as entropy_of
from jaxgibbs.linalg.undefined import nan_where

from .thermometry import fit_beta


def entropy_at_energy(hamiltonian, energy: ArrayLike) -> Float[Array, ""]:
    """`S(U) = min_beta [ln Z(beta) + beta U]`, the largest entropy of the states of mean energy `U`.

    `dS/dU = beta`, of either sign, and `d2S/dU2 = -1 / Var(H)`: the derivatives are exact.

    Args:
        hamiltonian: an operator or a Hermitian matrix.
        energy: `U`, between the lowest and the highest level.

    Returns:
        Entropy in nats; `ln g` of the extreme level at the edges, NaN beyond them.

    Raises:
        ValueError: as `fit_beta`.
    """
    return _at(entropy_of, hamiltonian, fit_beta(hamiltonian, energy=energy).value)


def energy_at_entropy(hamiltonian, entropy: ArrayLike) -> Float[Array, ""]:
    """`U(S)` on the branch of positive temperature, `U = max_{beta > 0} [F(beta) + S / beta]`; `dU/dS = T`.

    Args:
        hamiltonian: an operator or a Hermitian matrix.
        entropy: `S` in nats, between `ln g_0` of the ground level and `ln d`.

    Returns:
        Mean energy; NaN where no state has this entropy.

    Raises:
        ValueError: as `fit_beta`.
    """
    return _at(energy_of, hamiltonian, fit_beta(hamiltonian, entropy=entropy).value)


def _at(quantity, hamiltonian, beta):
    """`quantity(hamiltonian, beta)`, NaN with its derivatives where the fit found no `beta`."""
    found = ~jnp.isnan(beta)
    return nan_where(~found, quantity(hamiltonian, jnp.where(found, beta, 0)))
