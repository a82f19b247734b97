"""Entropies of a given energy from a density of states, each level broadened by a Gaussian so that they have slopes.

For a matrix they are sums over its levels: differentiable in the energy always, in the Hamiltonian where no levels are
degenerate (NaN where some are); a `Spectrum` has derivatives in every level and degeneracy.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr
from jaxtyping import ArrayLike

from jaxgibbs.operators.base import real_scalar

from ._inputs import Scalar, finite_operator, levels_of, positive_scalar


def boltzmann_entropy(hamiltonian, energy: ArrayLike, broadening: ArrayLike, *, energy_unit: ArrayLike = 1.0) -> Scalar:
    """Boltzmann's `S = ln(omega(E) dE)`, with `omega(E) = sum_k g_k exp(-(E - E_k)^2 / 2 s^2) / (s sqrt(2 pi))`.

    Its slope in `E` changes its sign where the density of states is largest: temperatures below 0 beyond.

    Args:
        hamiltonian: an operator, a Hermitian matrix, or a `Spectrum` with degeneracies.
        energy: `E`.
        broadening: `s > 0`, in units of energy; several spacings of the levels near `E`. It moves the slope `beta` by
            about `beta s^2 dbeta/dE`, little where `s^2` is well below the energy variance of a canonical state.
        energy_unit: `dE > 0`, which makes `omega` a number.

    Raises:
        ValueError: if the broadening or the unit is not positive (NaN under a trace).
    """
    distances, logs, broadening = _distances(hamiltonian, energy, broadening)
    unit = positive_scalar("energy_unit", energy_unit, distances.dtype)
    return jax.nn.logsumexp(logs - distances**2 / 2) + jnp.log(unit / broadening) - jnp.log(2 * jnp.pi) / 2


def volume_entropy(hamiltonian, energy: ArrayLike, broadening: ArrayLike) -> Scalar:
    """Gibbs's `S = ln Omega(E)`, with `Omega(E) = sum_k g_k Phi((E - E_k) / s)` the number of levels below `E`.

    `Phi` is the distribution function of the normal law. `Omega` is the integral of `omega`, so that the slope of `S`
    is never negative. For large systems both entropies agree below the energy where `omega` is largest, and only there.

    Args:
        hamiltonian: as for `boltzmann_entropy`.
        energy: `E`.
        broadening: `s > 0`, in units of energy.

    Raises:
        ValueError: if the broadening is not positive (NaN under a trace).

    Reference: Dunkel and Hilbert, Nat. Phys. 10, 67 (2014), for both.
    """
    distances, logs, _ = _distances(hamiltonian, energy, broadening)
    return jax.nn.logsumexp(logs + log_ndtr(distances))


def microcanonical_beta(
    hamiltonian, energy: ArrayLike, broadening: ArrayLike, *, entropy: Callable = boltzmann_entropy
) -> Scalar:
    """The inverse temperature `beta(E) = dS/dE` of an entropy of given energy.

    Args:
        hamiltonian: as for `boltzmann_entropy`.
        energy: `E`.
        broadening: `s > 0`, in units of energy.
        entropy: `boltzmann_entropy`, `volume_entropy`, or another function of `(hamiltonian, energy, broadening)`.

    Raises:
        ValueError: as the entropy does.
    """
    energy = real_scalar("energy", energy, finite_operator(hamiltonian).dtype)
    return jax.grad(lambda e: entropy(hamiltonian, e, broadening))(energy)


def _distances(hamiltonian, energy, broadening):
    """`(E - E_k) / s` and `ln g_k` of every level, and `s`."""
    operator = finite_operator(hamiltonian)
    energy = real_scalar("energy", energy, operator.dtype)
    broadening = positive_scalar("broadening", broadening, operator.dtype)
    levels, logs = levels_of(operator)
    return (energy - levels) / broadening, logs, broadening
