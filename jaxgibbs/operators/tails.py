"""Rigorous bounds on what the levels left out of an infinite spectrum carry."""

import abc
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import ContinuousSpectrum, NotTraceClass, UnboundedAbove, is_concrete

from .base import inexact
from .local import whole_number


class AbstractTail(eqx.Module):
    """The levels of an infinite spectrum that were not kept.

    With `D_k = E_k - E_0` the distance to the ground level, `bound(beta, m)` is at least
    `sum_{k not kept} g_k D_k^m exp(-beta D_k)`. The levels kept suffice when this is small beside the same sum over
    them. Nothing is claimed where the sum diverges or the bound does not hold yet: there the bound is infinite.

    A bound is a verdict and no part of an answer, so its derivatives are zero.
    """

    @property
    @abc.abstractmethod
    def beta_critical(self) -> Float[Array, ""]:
        """`exp(-beta H)` is trace class for `beta > beta_critical`; infinite where there is no such `beta`."""

    @abc.abstractmethod
    def bound(self, beta: ArrayLike, power: int = 0) -> Float[Array, "..."]:
        """Upper bound on `sum_{k not kept} g_k D_k^power exp(-beta D_k)`, elementwise in `beta`."""

    def check(self, beta: ArrayLike) -> None:
        """Raise unless `exp(-beta H)` has a trace; values that are traced are not looked at.

        Raises:
            ContinuousSpectrum: if no `beta` gives a trace.
            UnboundedAbove: if `beta <= 0`.
            NotTraceClass: if `beta` is at or below `beta_critical`.
        """
        critical = self.beta_critical
        if not is_concrete(beta, critical):
            return
        lowest, critical = float(np.min(np.asarray(beta))), float(critical)
        if math.isinf(critical):
            raise ContinuousSpectrum(
                "The operator must have a discrete spectrum that does not accumulate, but its bound states accumulate "
                "below a continuum: `exp(-beta H)` is not trace class for any `beta`, wherever the series is cut. "
                "Confine the system, or state the levels you mean as a finite `Spectrum(levels, log_degeneracies)`."
            )
        if lowest <= 0:
            raise UnboundedAbove(
                f"`beta` must be positive for a spectrum without an upper bound, but is {lowest:g}: the trace of "
                "`exp(-beta H)` is infinite; negative temperatures need levels bounded from above."
            )
        if lowest <= critical:
            raise NotTraceClass(
                f"`beta` must be above the critical `beta_c` = {critical:g} of the spectrum, but is {lowest:g}: the "
                "number of levels grows so fast that the trace of `exp(-beta H)` is infinite."
            )


class LadderTail(AbstractTail):
    """Levels `E_0 + frequency * k`, `k = 0 ... kept - 1` kept: the harmonic oscillator."""

    frequency: Float[Array, ""]
    kept: int = eqx.field(static=True)

    def __init__(self, frequency: ArrayLike, kept: int):
        self.frequency = positive_scalar("frequency", frequency)
        self.kept = whole_number("kept", kept)

    @property
    def beta_critical(self):
        return jnp.zeros_like(self.frequency)

    def bound(self, beta, power=0):
        first, second = self.frequency * self.kept, self.frequency * (self.kept + 1)
        return _verdict(_log_concave_sum(beta, power, first, second), beta, self.beta_critical)


class PowerTail(AbstractTail):
    """Levels `scale * k ** exponent`, `k = 1 ... kept` kept; `exponent = 2` is the particle in a box."""

    scale: Float[Array, ""]
    exponent: Float[Array, ""]
    kept: int = eqx.field(static=True)

    def __init__(self, scale: ArrayLike, exponent: ArrayLike, kept: int):
        self.scale = positive_scalar("scale", scale)
        self.exponent = positive_scalar("exponent", exponent)
        self.kept = whole_number("kept", kept)

    @property
    def beta_critical(self):
        return jnp.zeros_like(self.scale)

    def bound(self, beta, power=0):
        first = self.scale * ((self.kept + 1.0) ** self.exponent - 1)
        second = self.scale * ((self.kept + 2.0) ** self.exponent - 1)
        convex = _log_concave_sum(beta, power, first, second)
        value = jnp.where(self.exponent >= 1, convex, self._integral(beta, power, first))
        return _verdict(value, beta, self.beta_critical)

    def _integral(self, beta, power, first):
        # The first term and, with y = n + 1 ... inf in t = beta c y^p, an incomplete gamma function for the others,
        # beta^-m Gamma(m + 1/p, x) / (p (beta c)^(1/p)), x = beta c (n + 1)^p, once the terms fall (x > m). For a >= 1
        # its integrand is log-concave, so Gamma(a, x) <= x^(a-1) e^-x / (1 - (a - 1) / x) once x > a - 1.
        c, p = self.scale, self.exponent
        x, excess = beta * (first + c), power + 1 / p - 1
        log_scale = excess * jnp.log(first + c) - jnp.log(beta * p) - jnp.log(c) / p - jnp.log1p(-excess / x)
        value = (first**power + jnp.exp(log_scale)) * jnp.exp(-beta * first)
        return jnp.where((x > power) & (x > excess), value, jnp.inf)


class RotorTail(AbstractTail):
    """Levels `B j (j + 1)` of degeneracy at most `weight (2 j + 1)`, `j = first, first + step, ...` left out.

    `ground` is the lowest `j` present: 1 where the nuclear spins forbid even `j`.
    """

    rotational_constant: Float[Array, ""]
    weight: Float[Array, ""]
    first: int = eqx.field(static=True)
    step: int = eqx.field(static=True)
    ground: int = eqx.field(static=True)

    def __init__(
        self, rotational_constant: ArrayLike, weight: ArrayLike = 1.0, *, first: int, step: int = 1, ground: int = 0
    ):
        self.rotational_constant = positive_scalar("rotational_constant", rotational_constant)
        self.weight = positive_scalar("weight", weight)
        self.step = whole_number("step", step)
        self.ground = int(ground)
        self.first = whole_number("first", first)
        if not 0 <= self.ground < self.first:
            raise ValueError(f"`ground` must lie between 0 and `first - 1` = {self.first - 1}, but is {ground}.")

    @property
    def beta_critical(self):
        return jnp.zeros_like(self.rotational_constant)

    def bound(self, beta, power=0):
        def energy(j):
            return self.rotational_constant * (j * (j + 1) - self.ground * (self.ground + 1))

        j, k = self.first, self.first + self.step
        degeneracies = self.weight * (2 * j + 1), self.weight * (2 * k + 1)
        value = _log_concave_sum(beta, power, energy(j), energy(k), degeneracies)
        return _verdict(value, beta, self.beta_critical)


class TopTail(AbstractTail):
    """Levels `B J (J + 1) + (A - B) K^2`, `-J <= K <= J`, of degeneracy at most `weight (2 J + 1)`, `J = first, ...` left out.

    Args:
        axial_constant: `A`, positive.
        transverse_constant: `B`, positive.
        ground_energy: of the lowest level present, below those left out: 0 unless the nuclear spins forbid `J = 0`.
        weight: the largest of a level.
        first: the first `J` left out.
    """

    axial_constant: Float[Array, ""]
    transverse_constant: Float[Array, ""]
    ground_energy: Float[Array, ""]
    weight: Float[Array, ""]
    first: int = eqx.field(static=True)

    def __init__(
        self,
        axial_constant: ArrayLike,
        transverse_constant: ArrayLike,
        ground_energy: ArrayLike = 0.0,
        weight: ArrayLike = 1.0,
        *,
        first: int,
    ):
        self.axial_constant = positive_scalar("axial_constant", axial_constant)
        self.transverse_constant = positive_scalar("transverse_constant", transverse_constant)
        self.ground_energy = inexact(ground_energy)
        self.weight = positive_scalar("weight", weight)
        self.first = whole_number("first", first)

    @property
    def beta_critical(self):
        return jnp.zeros_like(self.transverse_constant)

    def bound(self, beta, power=0):
        # all 2 J + 1 levels of a J at the lowest of them, above which `D^m exp(-beta D)` falls once `beta D > m`
        least = jnp.minimum(self.axial_constant, self.transverse_constant)

        def distance(j):
            return least * j**2 + self.transverse_constant * j - self.ground_energy

        j, k = self.first, self.first + 1
        degeneracies = self.weight * (2 * j + 1) ** 2, self.weight * (2 * k + 1) ** 2
        value = _log_concave_sum(beta, power, distance(j), distance(k), degeneracies)
        falls = (beta * distance(j) >= power) & (distance(j) > 0)
        return _verdict(jnp.where(falls, value, jnp.inf), beta, self.beta_critical)


class LogarithmicTail(AbstractTail):
    """Levels `scale * ln k`, `k = 1 ... kept` kept: `Z = zeta(scale beta)`, so `beta_c = 1 / scale`."""

    scale: Float[Array, ""]
    kept: int = eqx.field(static=True)

    def __init__(self, scale: ArrayLike, kept: int):
        self.scale = positive_scalar("scale", scale)
        self.kept = whole_number("kept", kept)

    @property
    def beta_critical(self):
        return 1 / self.scale

    def bound(self, beta, power=0):
        # sum_{k > n} <= int_{ln n}^inf (s u)^m e^{-rate u} du = s^m Gamma(m + 1, x) / rate^(m + 1), rate = s beta - 1,
        # once the terms fall: s beta ln n > m.
        beta = jnp.asarray(beta)
        start = jnp.log(jnp.asarray(self.kept, self.scale.dtype))
        rate = self.scale * beta - 1
        x = rate * start
        series = sum(x**i / math.factorial(i) for i in range(power + 1))
        value = self.scale**power * math.factorial(power) * jnp.exp(-x) * series / rate ** (power + 1)
        value = jnp.where(self.scale * beta * start >= power, value, jnp.inf)
        return _verdict(value, beta, self.beta_critical)


class ContinuumTail(AbstractTail):
    """Bound states that accumulate below a continuum (hydrogen): no temperature has a Gibbs state."""

    @property
    def beta_critical(self):
        return jnp.asarray(jnp.inf)

    def bound(self, beta, power=0):
        return jnp.full_like(inexact(beta), jnp.inf)


def _log_concave_sum(beta, power, first, second, degeneracies=(1.0, 1.0)):
    """Bound on `h_0 + h_1 + ...` for log-concave terms `h = g D^m exp(-beta D)`, from the first two.

    Then `h_{k+1} / h_k` never rises, so the sum is at most `h_0 / (1 - h_1 / h_0)`. It holds where the levels are
    a convex function of their index and `g` and `D` are log-concave ones.
    """
    log_ratio = power * jnp.log(second / first) + jnp.log(degeneracies[1] / degeneracies[0]) - beta * (second - first)
    log_first = power * jnp.log(first) + jnp.log(degeneracies[0]) - beta * first
    return jnp.where(log_ratio < 0, jnp.exp(log_first) / -jnp.expm1(log_ratio), jnp.inf)


def _verdict(value, beta, beta_critical):
    # At beta = inf the terms left out are zero, whatever 0 * inf the formula met; elsewhere NaN is no bound.
    value = jnp.where(jnp.isposinf(beta), 0.0, value)
    value = jnp.where((beta > beta_critical) & ~jnp.isnan(value), value, jnp.inf)
    return jax.lax.stop_gradient(value)


def positive_scalar(name: str, value: ArrayLike) -> Float[Array, ""]:
    """`value` as a real, positive, finite scalar array, or `ValueError` where its value can be seen."""
    value = inexact(value)
    if value.ndim != 0 or jnp.iscomplexobj(value):
        raise ValueError(f"`{name}` must be a real scalar, but has shape {value.shape} and dtype {value.dtype}.")
    if is_concrete(value) and not (0 < float(value) < math.inf):
        raise ValueError(f"`{name}` must be positive and finite, but is {float(value):g}.")
    return value
