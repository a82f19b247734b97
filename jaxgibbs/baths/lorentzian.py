"""Bosonic baths whose spectral density has poles: an overdamped continuum, and one damped oscillator."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgibbs.operators.base import inexact

from .base import CUTOFF, THERMAL_BETA, number
from .bosonic import AbstractBosonicBath
from .correlations import in_the_strip, lowered_by, raised_by, ray_integral


class DrudeLorentzBath(AbstractBosonicBath):
    """`J(w) = 2 reorganisation cutoff w / (w^2 + cutoff^2)`; its level shift at `w = 0` is minus the reorganisation energy.

    The real part of `C(t)` diverges like `ln t` at `t = 0`.

    Args:
        beta: inverse temperature, positive; `inf` for zero temperature (1 / energy).
        reorganisation: `int_0^inf J(w) / (pi w) dw`, an energy, not negative.
        cutoff: inverse memory time of the bath, positive.

    Raises:
        ValueError: if a number is out of these ranges or no real scalar (NaN under a trace).
    """

    beta: Float[Array, ""] = eqx.field(converter=THERMAL_BETA)
    reorganisation: Float[Array, ""] = eqx.field(converter=number("reorganisation"))
    cutoff: Float[Array, ""] = eqx.field(converter=CUTOFF)

    @property
    def scale(self):
        return self.cutoff

    def density_over_frequency(self, frequency):
        return 2 * self.reorganisation / self.cutoff / (1 + (frequency / self.cutoff) ** 2)

    def damping_kernel(self, z):
        return 2 * self.reorganisation / (self.cutoff + inexact(z))

    def reorganisation_energy(self):
        return self.reorganisation

    def correlation(self, time):
        def evaluate(t):
            value = ray_integral(lambda w: w * self.density_over_frequency(w), self.beta, t, self.cutoff, jnp.pi / 4)
            return jnp.where(t == 0, jnp.inf, value)

        return in_the_strip(evaluate, self.beta, time)


class UnderdampedBath(AbstractBosonicBath):
    """An oscillator of frequency `w_0` damped at rate `G`: `J(w) = 2 l G w_0^2 w / ((w^2 - w_0^2)^2 + G^2 w^2)`.

    Args:
        beta: inverse temperature, positive; `inf` for zero temperature (1 / energy).
        reorganisation: `l = int_0^inf J(w) / (pi w) dw`, an energy, not negative.
        frequency: `w_0`, positive.
        damping: `G`, positive.

    Raises:
        ValueError: if a number is out of these ranges or no real scalar (NaN under a trace).

    Reference: Garg, Onuchic & Ambegaokar, J. Chem. Phys. 83, 4491 (1985).
    """

    beta: Float[Array, ""] = eqx.field(converter=THERMAL_BETA)
    reorganisation: Float[Array, ""] = eqx.field(converter=number("reorganisation"))
    frequency: Float[Array, ""] = eqx.field(converter=number("frequency", positive=True))
    damping: Float[Array, ""] = eqx.field(converter=number("damping", positive=True))

    @property
    def scale(self):
        return self.frequency

    @property
    def landmarks(self):
        return (self.frequency,)

    def density_over_frequency(self, frequency):
        x, g = frequency / self.frequency, self.damping / self.frequency
        return 2 * self.reorganisation * g / self.frequency / ((x**2 - 1) ** 2 + (g * x) ** 2)

    def damping_kernel(self, z):
        z = inexact(z)
        return 2 * self.reorganisation * (z + self.damping) / (z * (z + self.damping) + self.frequency**2)

    def reorganisation_energy(self):
        return self.reorganisation

    def correlation(self, time):
        # The pole `w_1 - i G / 2` lies between the ray and the real axis where its angle is below that of the ray, which
        # keeps its distance from it.
        detuned = (self.frequency**2 - self.damping**2 / 4).astype(jnp.result_type(self.frequency, complex))
        pole = jnp.sqrt(detuned) - 0.5j * self.damping
        slope = jnp.where(detuned.real > 0, jnp.arctan2(-pole.imag, pole.real), jnp.pi / 2)
        passed = slope < jnp.pi / 5
        angle = jnp.where(passed, 0.3, jnp.where(slope > 0.4 * jnp.pi, 0.25, 0.12)) * jnp.pi

        def evaluate(t):
            value = ray_integral(lambda w: w * self.density_over_frequency(w), self.beta, t, self.frequency, angle)
            # J = 2 l G w_0^2 w / ((w - p)(w + p^*)(w - p^*)(w + p)), and the ray goes around `p` clockwise
            safe = jnp.where(passed, pole, 1 - 1j)
            others = 2 * safe.real * (2j * safe.imag) * 2 * safe
            residue = 2 * self.reorganisation * self.damping * self.frequency**2 * safe / others
            out = -2j * residue * raised_by(safe, self.beta) * jnp.exp(-1j * safe * t)
            mirror, mirrored = jnp.conj(safe), jnp.conj(residue)
            back = 2j * mirrored * lowered_by(mirror, self.beta, 1j * t)
            return value + jnp.where(passed, out + back, 0)

        return in_the_strip(evaluate, self.beta, time)
