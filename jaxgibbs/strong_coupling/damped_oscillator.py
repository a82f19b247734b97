"""The damped oscillator and the damped free particle, which are solved at every temperature, damping and cutoff.

`H = p^2 / 2m + k x^2 / 2 + sum_j [p_j^2 + w_j^2 (q_j - c_j x / w_j^2)^2] / 2`: the bath moves with the particle, so that
what it does to the potential is taken out again (the counter-term). With Matsubara's `v_n = 2 pi n / beta` and the kernel `K` of
the damping,

    Z* = Z_0 prod_{n >= 1} 1 / (1 + d(v_n)),      d(v) = v K(v) / (m v^2 + k),

`Z_0` of the oscillator alone (Grabert, Weiss & Talkner, Z. Phys. B 55, 87 (1984)). For a Drude bath the product is one of gamma
functions at the roots of a cubic. Here it is summed by Abel's and Plana's formula, for every bath: nothing happens where roots
meet, no number of terms grows at low temperature, and what is linear in `beta`, the energy of the ground state, stands apart.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs.baths import AbstractBosonicBath
from jaxgibbs.baths.base import real_scalar
from jaxgibbs.baths.quadrature import over_frequencies, planck_line, unit_interval

from ._inputs import positive_beta

Scalar = Float[Array, ""]


class OscillatorMeanForce(eqx.Module):
    """A particle in a harmonic potential in equilibrium with its bath: its state is Gaussian, and so is `e^{-beta H*}`.

    `H* = p^2 / (2 effective_mass) + effective_mass effective_frequency^2 x^2 / 2` and a constant. `entropy` and
    `heat_capacity` are differences of the whole and the bath, as those of `MeanForce`, and may be negative.

    Attributes:
        beta: inverse temperature.
        position_variance: `<x^2>`.
        momentum_variance: `<p^2>`.
        log_partition: `ln Z* = ln Z - ln Z_B`.
        energy: `U* = -d ln Z* / d beta`.
        entropy: `S* = beta U* + ln Z*`.
        heat_capacity: `C* = beta^2 d^2 ln Z* / d beta^2`.
    """

    beta: Scalar
    position_variance: Scalar
    momentum_variance: Scalar
    log_partition: Scalar
    energy: Scalar
    entropy: Scalar
    heat_capacity: Scalar

    @property
    def free_energy(self) -> Scalar:
        """`F* = -ln Z* / beta`."""
        return -self.log_partition / self.beta

    @property
    def effective_frequency(self) -> Scalar:
        """`w` with `coth(beta w / 2) = 2 sqrt(<x^2> <p^2>)`; infinite or NaN where the state is pure to rounding."""
        spread = self._spread
        return jnp.log((spread + 0.5) / (spread - 0.5)) / self.beta

    @property
    def effective_mass(self) -> Scalar:
        """`sqrt(<p^2> / <x^2>) / effective_frequency`."""
        return jnp.sqrt(self.momentum_variance / self.position_variance) / self.effective_frequency

    @property
    def state_entropy(self) -> Scalar:
        """The von Neumann entropy of the reduced state, never negative."""
        up, down = self._spread + 0.5, self._spread - 0.5
        return up * jnp.log(up) - jax.scipy.special.xlogy(down, down)

    @property
    def _spread(self) -> Scalar:
        return jnp.sqrt(self.position_variance * self.momentum_variance)


def damped_oscillator(frequency: ArrayLike, bath: AbstractBosonicBath, *, mass: ArrayLike = 1.0) -> OscillatorMeanForce:
    """An oscillator coupled to a bath by its position, with the counter-term: `frequency` is the one that is seen when it is slow.

    For a `DrudeLorentzBath` the damping rate at low frequency is `2 reorganisation / (cutoff mass)`.

    Args:
        frequency: `sqrt(k / m)`, positive.
        bath: at a positive and finite `beta`, coupled by `B` in `x B`; a density that falls off, or `<p^2>` is infinite.
        mass: positive.

    Raises:
        ValueError: if a number is out of these ranges (NaN under a trace).

    Example:
        >>> import jaxgibbs as jg
        >>> bath = jg.baths.DrudeLorentzBath(beta=1e3, reorganisation=2.5, cutoff=5.0)
        >>> answer = jg.strong_coupling.damped_oscillator(1.0, bath)
        >>> print(f"{answer.heat_capacity / (3.14159265 / 3 * 1.0 / 1e3):.4f}")  # pi g T / (3 w^2) for the damping g = 1
        1.0000

    Reference: Haake & Reibold, Phys. Rev. A 32, 2462 (1985); Haenggi & Ingold, Acta Phys. Pol. B 37, 1537 (2006).
    """
    beta = positive_beta(bath.beta)
    frequency = real_scalar("frequency", frequency, positive=True)
    inverse_mass = 1 / real_scalar("mass", mass, positive=True)

    def parts(beta, stiffness, inverse_mass):
        own, damping = jnp.sqrt(stiffness * inverse_mass), _damping(bath, stiffness, inverse_mass)
        thermal = -jnp.log(-jnp.expm1(-beta * own)) - _thermal_sum(damping, beta)
        return own / 2 + _ground_shift(damping, bath), thermal

    def free_energy(stiffness, inverse_mass):
        ground, thermal = parts(beta, stiffness, inverse_mass)
        return ground - thermal / beta

    stiffness = frequency**2 / inverse_mass
    position, momentum = jax.grad(free_energy, argnums=(0, 1))(stiffness, inverse_mass)
    return _answer(beta, lambda b: parts(b, stiffness, inverse_mass), 2 * position, 2 * momentum)


def damped_particle(bath: AbstractBosonicBath, *, mass: ArrayLike = 1.0) -> OscillatorMeanForce:
    """A free particle coupled to a bath by its position, with the counter-term; `Z*` is per unit of length.

    `position_variance` is infinite. At low temperature `C* = (pi / 3) (1 / g - 1 / w_D) T` for a Drude bath of damping `g` and
    cutoff `w_D`: negative where the bath is slower than the damping.

    Args:
        bath: Ohmic, at a positive and finite `beta`.
        mass: positive.

    Raises:
        ValueError: if a number is out of these ranges (NaN under a trace).

    Reference: Haenggi, Ingold & Talkner, New J. Phys. 10, 115008 (2008).
    """
    beta, inverse_mass = positive_beta(bath.beta), 1 / real_scalar("mass", mass, positive=True)

    def parts(beta, inverse_mass):
        damping = _free_damping(bath, inverse_mass)
        thermal = -jnp.log(2 * jnp.pi * beta * inverse_mass) / 2 - _thermal_sum(damping, beta)
        return _ground_shift(damping, bath), thermal

    def free_energy(inverse_mass):
        ground, thermal = parts(beta, inverse_mass)
        return ground - thermal / beta

    momentum = jax.grad(free_energy)(inverse_mass)
    return _answer(beta, lambda b: parts(b, inverse_mass), jnp.full_like(beta, jnp.inf), 2 * momentum)


def _answer(beta, parts: Callable, position_variance, momentum_variance) -> OscillatorMeanForce:
    """All functions of `ln Z* = -beta ground + thermal(beta)`, where `parts` gives both."""

    def slope(beta):
        (ground, value), (_, change) = jax.jvp(parts, (beta,), (jnp.ones_like(beta),))
        return change, (ground, value)

    change, curvature, (ground, value) = jax.jvp(slope, (beta,), (jnp.ones_like(beta),), has_aux=True)
    return OscillatorMeanForce(
        beta=beta,
        position_variance=position_variance,
        momentum_variance=momentum_variance,
        log_partition=value - beta * ground,
        energy=ground - change,
        entropy=value - beta * change,
        heat_capacity=beta**2 * curvature,
    )


def _damping(bath: AbstractBosonicBath, stiffness, inverse_mass) -> Callable:
    """`ln(1 + d(v))` of an oscillator."""
    square = stiffness * inverse_mass
    return lambda v: jnp.log1p(inverse_mass * bath.damping_kernel(v) * v / (v**2 + square))


def _free_damping(bath: AbstractBosonicBath, inverse_mass) -> Callable:
    """The same without a potential, where `v^2 / v` would overflow in derivatives."""
    return lambda v: jnp.log1p(inverse_mass * bath.damping_kernel(v) / v)


def _ground_shift(damping: Callable, bath) -> Scalar:
    """`(1 / 2 pi) int_0^inf ln(1 + d(v)) dv`, the energy that the ground state gains."""
    nodes, weights = over_frequencies(bath)
    return jnp.sum(weights * damping(nodes)) / (2 * jnp.pi)


def _thermal_sum(damping: Callable, beta) -> Scalar:
    """`sum_{n >= 1} f(n) - int_0^inf f(x) dx` of `f(n) = ln(1 + d(v_n))`, which is analytic for `Re n > 0`.

    By Abel's and Plana's formula from 1 on, `f(1) / 2 - 2 int_0^inf Im f(1 + it) / (e^{2 pi t} - 1) dt`, and less
    `int_0^1 f`.
    """
    inside, weights = unit_interval(beta.dtype)
    t, height = planck_line(beta.dtype)
    places = jnp.concatenate([inside + 0j, jnp.ones(1, beta.dtype), 1 + 1j * t])
    values = damping(2 * jnp.pi / beta * places)
    middle, line = values[len(inside)].real, values[len(inside) + 1 :].imag
    return middle / 2 - 2 * jnp.sum(height * line) - jnp.sum(weights * values[: len(inside)].real)
