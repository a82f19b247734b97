"""Bosonic baths by their spectral density `J(w)`, an odd function: the KMS condition holds by construction.

    gamma(w) = 2 J(w) / (1 - e^{-beta w}) = 2 (J(w) / w) w (n(w) + 1)

References: Breuer & Petruccione (2002), The Theory of Open Quantum Systems, sections 3.3 and 3.6; Weiss (2012), chapter 3.
"""

import abc
import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs.operators.base import inexact

from .base import CUTOFF, STRENGTH, THERMAL_BETA, AbstractBath, Frequency, emission
from .correlations import in_the_strip, ray_integral
from .quadrature import over_frequencies


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

    def damping_kernel(self, z: ArrayLike) -> Inexact[Array, "*shape"]:
        """`K(z) = (2 / pi) int_0^inf J(w) / w z / (w^2 + z^2) dw` for `Re z > 0`: the friction `m g(z)` that a mass `m` feels.

        It is the Laplace transform of the memory in `m x'' + int_0^t K(t - s) x'(s) ds + ... = force`; `z K(z)` tends to
        twice the reorganisation energy for large `z`.

        Args:
            z: real or complex with positive real part, any shape, a frequency.
        """
        z = inexact(z)
        nodes, weights = over_frequencies(self)
        folded = weights * self.density_over_frequency(nodes)
        return 2 / jnp.pi * jnp.sum(folded * z[..., None] / (nodes**2 + z[..., None] ** 2), axis=-1)

    def reorganisation_energy(self) -> Float[Array, ""]:
        """`Q = (1 / pi) int_0^inf J(w) / w dw`: what the bath gains by following a coupling `X = 1`."""
        nodes, weights = over_frequencies(self)
        return jnp.sum(weights * self.density_over_frequency(nodes)) / jnp.pi


def _checked_exponent(exponent: float) -> float:
    exponent = float(exponent)
    if not (math.isfinite(exponent) and exponent > 0):
        raise ValueError(f"`exponent` must be a positive number, but is {exponent}.")
    return exponent


class OhmicBath(AbstractBosonicBath):
    """`J(w) = strength w |w / cutoff|^(exponent - 1) e^{-|w| / cutoff}`: Ohmic for `exponent = 1`.

    Args:
        beta: inverse temperature, positive; `inf` for zero temperature (1 / energy).
        strength: dimensionless, not negative.
        cutoff: frequency, positive.
        exponent: a Python number above 0; below 1 (sub-Ohmic) the rate at frequency 0 is infinite. Below 0.2 (0.8 in single
            precision) integrals over frequencies lose digits.

    Raises:
        ValueError: if a number is out of these ranges or no real scalar (NaN under a trace).

    Example:
        >>> import jaxgibbs as jg
        >>> bath = jg.OhmicBath(beta=2.0, strength=0.1, cutoff=5.0)
        >>> print(f"{bath.rate(-1.0) / bath.rate(1.0):.6f}")  # exp(-2)
        0.135335
    """

    beta: Float[Array, ""] = eqx.field(converter=THERMAL_BETA)
    strength: Float[Array, ""] = eqx.field(converter=STRENGTH)
    cutoff: Float[Array, ""] = eqx.field(converter=CUTOFF)
    exponent: float = eqx.field(static=True, converter=_checked_exponent, default=1.0)

    @property
    def scale(self):
        return self.cutoff

    def density_over_frequency(self, frequency):
        return self.strength * _cut_power(frequency, self.cutoff, self.exponent - 1)

    def correlation(self, time):
        return in_the_strip(lambda t: self.strength * _cut_correlation(self, t, self.exponent), self.beta, time)


class QuantumOpticalBath(AbstractBosonicBath):
    """The radiation field seen by a dipole, `J(w) = strength w^3 e^{-|w| / cutoff}`.

    For an atom of frequency `w_0` and spontaneous decay rate `G`, `strength = G / (2 w_0^3)`.

    Args:
        beta: inverse temperature, positive; `inf` for zero temperature (1 / energy).
        strength: in units of 1 / frequency^2, not negative.
        cutoff: frequency, positive.

    Raises:
        ValueError: if a number is out of these ranges or no real scalar (NaN under a trace).
    """

    beta: Float[Array, ""] = eqx.field(converter=THERMAL_BETA)
    strength: Float[Array, ""] = eqx.field(converter=STRENGTH)
    cutoff: Float[Array, ""] = eqx.field(converter=CUTOFF)

    @property
    def scale(self):
        return self.cutoff

    def density_over_frequency(self, frequency):
        return self.strength * frequency**2 * jnp.exp(-jnp.abs(frequency) / self.cutoff)

    def correlation(self, time):
        factor = self.strength * self.cutoff**2
        return in_the_strip(lambda t: factor * _cut_correlation(self, t, 3.0), self.beta, time)


def _cut_power(frequency, cutoff, power: float):
    """`|x|^power e^{-|x|}` for `x = frequency / cutoff`."""
    x = jnp.abs(frequency) / cutoff
    return jnp.exp(-x) if power == 0 else x**power * jnp.exp(-x)


def _cut_correlation(bath, time, exponent: float):
    """`C(t)` of `J(w) = w (w / cutoff)^(exponent - 1) e^{-w / cutoff}`."""

    def density(w):
        return w * (1 if exponent == 1 else (w / bath.cutoff) ** (exponent - 1)) * jnp.exp(-w / bath.cutoff)

    # halfway between the real axis and the ray on which `e^{-w (1 / cutoff + it)}` does not oscillate
    return ray_integral(density, bath.beta, time, bath.cutoff, jnp.arctan(bath.cutoff * time.real) / 2)
