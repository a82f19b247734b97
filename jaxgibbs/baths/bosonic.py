"""Bosonic baths by their spectral density `J(w)`, an odd function: the KMS condition holds by construction.

    gamma(w) = 2 J(w) / (1 - e^{-beta w}) = 2 (J(w) / w) w (n(w) + 1)

References: Breuer & Petruccione (2002), The Theory of Open Quantum Systems, sections 3.3 and 3.6; Weiss (2012), chapter 3.
"""

import abc

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .base import AbstractBath, Frequency, emission, real_scalar


class AbstractBosonicBath(AbstractBath):
    """A bath of oscillators with a spectral density `J(w) = pi sum_k g_k^2 delta(w - w_k)`, continued to odd `J`."""

    @abc.abstractmethod
    def density_over_frequency(self, frequency: Frequency) -> Frequency:
        """`J(w) / w`, an even function."""

    def spectral_density(self, frequency: ArrayLike) -> Frequency:
        """`J(w)`, of the shape of `frequency`; `J(-w) = -J(w)`."""
        frequency = jnp.asarray(frequency)
        return frequency * self.density_over_frequency(frequency)

    def rate(self, frequency: ArrayLike) -> Frequency:
        frequency = jnp.asarray(frequency)
        return 2 * self.density_over_frequency(frequency) * emission(frequency, self.beta)


class OhmicBath(AbstractBosonicBath):
    """`J(w) = strength w e^{-|w| / cutoff}`.

    Args:
        beta: inverse temperature, positive; `inf` for zero temperature (1 / energy).
        strength: dimensionless, not negative.
        cutoff: frequency, positive.

    Raises:
        ValueError: if a number is out of these ranges or no real scalar (NaN under a trace).

    Example:
        >>> import jaxgibbs as jg
        >>> bath = jg.OhmicBath(beta=2.0, strength=0.1, cutoff=5.0)
        >>> print(f"{bath.rate(-1.0) / bath.rate(1.0):.6f}")  # exp(-2)
        0.135335
    """

    beta: Float[Array, ""]
    strength: Float[Array, ""]
    cutoff: Float[Array, ""]

    def __init__(self, beta: ArrayLike, strength: ArrayLike, cutoff: ArrayLike):
        self.beta = real_scalar("beta", beta, positive=True, allow_infinite=True)
        self.strength = real_scalar("strength", strength)
        self.cutoff = real_scalar("cutoff", cutoff, positive=True)

    @property
    def scale(self):
        return self.cutoff

    def density_over_frequency(self, frequency):
        return self.strength * jnp.exp(-jnp.abs(frequency) / self.cutoff)
