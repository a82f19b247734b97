"""Baths without a scale of frequency: the white noise of quantum optics, and electrons of a lead."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete

from .base import STRENGTH, THERMAL_BETA, AbstractBath, Frequency, emission, number, principal_value


class FlatBath(AbstractBath):
    """`gamma(w) = strength (n(w) + 1)` for `w > 0` and `strength n(|w|)` for `w < 0`: decay at one rate, thermally dressed.

    At `w = 0` this has no value, so the rate of pure dephasing is given apart. There is no level shift: it diverges.

    Args:
        beta: inverse temperature, positive; `inf` for zero temperature (1 / energy).
        strength: the decay rate at zero temperature, not negative.
        dephasing: `gamma(0)`, not negative.

    Raises:
        ValueError: if a number is out of these ranges or no real scalar (NaN under a trace).
    """

    beta: Float[Array, ""] = eqx.field(converter=THERMAL_BETA)
    strength: Float[Array, ""] = eqx.field(converter=STRENGTH)
    dephasing: Float[Array, ""] = eqx.field(converter=number("dephasing"), default=0.0)

    @property
    def scale(self):
        return 1 / self.beta

    def rate(self, frequency):
        frequency = jnp.asarray(frequency)
        moving = frequency != 0
        safe = jnp.where(moving, frequency, 1)
        return jnp.where(moving, self.strength * emission(safe, self.beta) / jnp.abs(safe), self.dephasing)

    def lamb_shift(self, frequency: ArrayLike) -> Frequency:
        del frequency
        raise ValueError(
            "A `FlatBath` has no level shift: it diverges. Use a bath with a cutoff, or leave the shift out."
        )


class FermionicBath(AbstractBath):
    """Electrons of a lead, exchanged one by one: `removal_rate` for `c`, `injection_rate` for `c^dagger`.

        removal = G(e) (1 - f(e)),  injection = G(e) f(e),  f(e) = 1 / (e^{beta (e - mu)} + 1),  G(e) = G / (1 + (e - mu)^2 / D^2)

    The KMS condition holds with respect to `H - mu N`, whose transition frequencies are the arguments of `rate`. The spectrum is
    bounded, so `beta` may be negative.

    Args:
        beta: inverse temperature, of either sign; infinities for zero temperature (1 / energy).
        chemical_potential: `mu`.
        strength: the tunnelling rate `G`, not negative.
        bandwidth: `D`, positive; infinite for a wide band, which has no level shift.

    Raises:
        ValueError: if a number is out of these ranges or no real scalar (NaN under a trace).
    """

    beta: Float[Array, ""] = eqx.field(converter=number("beta", signed=True, allow_infinite=True))
    chemical_potential: Float[Array, ""] = eqx.field(converter=number("chemical_potential", signed=True))
    strength: Float[Array, ""] = eqx.field(converter=STRENGTH)
    bandwidth: Float[Array, ""] = eqx.field(
        converter=number("bandwidth", positive=True, allow_infinite=True), default=math.inf
    )

    @property
    def scale(self):
        return self.bandwidth

    def rate(self, frequency):
        frequency = jnp.asarray(frequency)
        cold = jnp.isinf(self.beta)
        filling = jax.nn.sigmoid(jnp.where(cold, 0, self.beta) * frequency)
        step = (1 + jnp.sign(self.beta) * jnp.sign(frequency)) / 2
        return self.strength / (1 + (frequency / self.bandwidth) ** 2) * jnp.where(cold, step, filling)

    def lamb_shift(self, frequency):
        if is_concrete(self.bandwidth) and jnp.isinf(self.bandwidth):
            raise ValueError(
                "A `FermionicBath` of infinite `bandwidth` has no level shift: it diverges. Give a bandwidth."
            )
        return principal_value(self.rate, self.scale, frequency)

    def removal_rate(self, energy: ArrayLike) -> Frequency:
        """Rate at which an electron of this energy leaves the system."""
        return self.rate(energy - self.chemical_potential)

    def injection_rate(self, energy: ArrayLike) -> Frequency:
        """Rate at which an electron of this energy enters the system."""
        return self.rate(self.chemical_potential - energy)
