"""What a bath is to a system that it is weakly coupled to: transition rates that obey the KMS condition, and level shifts."""

import abc
import functools
import math
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxgibbs._errors import is_concrete, nan_unless

from .quadrature import from_an_end, half_line

Frequency = Float[Array, "*shape"]


class AbstractBath(eqx.Module):
    """A bath at inverse temperature `beta`, seen through the operator `B` that couples to the system as `A (x) B`.

        gamma(w) = int e^{iwt} <B(t) B(0)> dt,      gamma(-w) = e^{-beta w} gamma(w)      (Kubo 1957; Martin & Schwinger 1959)

    `w` is the energy that the system gives to the bath: `gamma(w)` with `w > 0` is the rate of emission. Rates are those of
    `D[A](rho) = A rho A^dagger - {A^dagger A, rho} / 2`, in units of frequency (hbar = 1).
    """

    beta: eqx.AbstractVar[Float[Array, ""]]

    @property
    @abc.abstractmethod
    def scale(self) -> Float[Array, ""]:
        """A frequency on which the rates change, for quadratures."""

    @property
    def landmarks(self) -> tuple[Float[Array, ""], ...]:
        """Positive frequencies at which the rates have a kink or a narrow peak, for quadratures; 0 is always one."""
        return ()

    @abc.abstractmethod
    def rate(self, frequency: ArrayLike) -> Frequency:
        """`gamma(w)`, not negative, of the shape of `frequency`."""

    def lamb_shift(self, frequency: ArrayLike) -> Frequency:
        """`S(w) = P int gamma(w') / (2 pi (w - w')) dw'`; the Lamb shift is `sum_w S(w) A(w)^dagger A(w)`.

        By `int_0^inf (gamma(w - u) - gamma(w + u)) / (2 pi u) du`, cut at `u = |w|`, where rates may have a kink.
        """
        return principal_value(self.rate, self.scale, frequency, self.landmarks)

    def correlation(self, time: ArrayLike) -> Complex[Array, "*shape"]:
        """`C(t) = <B(t) B(0)> = int gamma(w) e^{-iwt} dw / 2 pi` for `t > 0`, with `C(-t) = C(t)^*`.

        Raises:
            ValueError: for a bath whose correlation function is a distribution, with no value at a time.
        """
        del time
        raise ValueError(
            f"`{type(self).__name__}` has no correlation function at a time: its rates do not fall off with frequency. "
            "Use a bath with a cutoff."
        )


def principal_value(rate, scale: Float[Array, ""], frequency: ArrayLike, landmarks=()) -> Frequency:
    """`int_0^inf (gamma(w - u) - gamma(w + u)) / (2 pi u) du` for rates that change on `scale` and at `landmarks`."""
    frequency = jnp.asarray(frequency, jnp.result_type(frequency, scale, float))

    places = [jnp.zeros_like(frequency), frequency]
    for landmark in landmarks:
        places += [frequency - landmark, frequency + landmark]
    cuts = jnp.sort(jnp.abs(jnp.stack(places, axis=-1)), axis=-1)
    # `u` by its distance to the nearest cut, from which `w - u` follows without cancellation: rates may be singular there
    lower, upper, widths = cuts[..., :-1, None], cuts[..., 1:, None], jnp.diff(cuts)[..., None]
    nodes, weights = from_an_end(frequency.dtype)
    distances = jnp.where(widths > 0, widths, 1) * nodes
    tail, tail_weights = half_line(frequency.dtype)
    pieces = [
        (lower, distances, widths * weights),
        (upper, -distances, widths * weights),
        (cuts[..., -1:, None], scale * tail, scale * tail_weights),
    ]
    cut, distance, weights = (
        jnp.concatenate([part.reshape(*frequency.shape, -1) for part in parts], axis=-1)
        for parts in zip(*(jnp.broadcast_arrays(*piece) for piece in pieces), strict=True)
    )
    w = frequency[..., None]
    before, after = rate(jnp.stack([(w - cut) - distance, (w + cut) + distance]))  # one call keeps programs short
    return jnp.sum(weights * (before - after) / (2 * jnp.pi * (cut + distance)), axis=-1)


def emission(frequency: Frequency, beta: Float[Array, ""]) -> Frequency:
    """`w / (1 - e^{-beta w}) = w (n(w) + 1)`, smooth through `w = 0`, where it is `1 / beta`; `max(w, 0)` for infinite `beta`.

    `emission(-w) = e^{-beta w} emission(w)`.
    """
    cold = jnp.isinf(beta)
    beta = jnp.where(cold, 1, beta)
    x = beta * frequency
    far = jnp.abs(x) > _SERIES_RADIUS
    size = jnp.where(far, jnp.where(x < 0, -x, x), 1)
    distance = jnp.where(x < 0, -frequency, frequency)
    away = distance / -jnp.expm1(-size) * jnp.where(x < 0, jnp.exp(-size), 1)
    near = jnp.where(far, 0, x)
    square, even = near * near, jnp.zeros_like(near)
    for coefficient in reversed(_EVEN_SERIES):
        even = even * square + coefficient
    return jnp.where(cold, jnp.where(frequency > 0, frequency, 0), jnp.where(far, away, (even + near / 2) / beta))


_SERIES_RADIUS = 0.5
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
_EVEN_SERIES = (1.0, *(b / math.factorial(2 * k) for k, b in enumerate(_BERNOULLI, start=1)))
"""Of `x / (1 - e^{-x}) - x / 2` in `x^2`; the next term is below 1e-16 for `|x| < 1 / 2`."""


def real_scalar(
    name: str, value: ArrayLike, *, positive: bool = False, signed: bool = False, allow_infinite: bool = False
) -> Float[Array, ""]:
    """A real scalar of at least 0, above 0 (`positive`) or of either sign (`signed`); NaN under a trace where it is none.

    Raises:
        ValueError: for another shape or kind of number, NaN, or a number out of this range.
    """
    array = jnp.asarray(value)
    array = array if jnp.issubdtype(array.dtype, jnp.inexact) else array.astype(jnp.result_type(float))
    words = "a number" if signed else "a positive number" if positive else "a number of at least 0"
    if array.ndim != 0 or jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise ValueError(
            f"`{name}` must be {words}, but has shape {array.shape} and dtype {array.dtype}; map over a batch with `jax.vmap`."
        )
    xp, number = (np, np.asarray(array)) if is_concrete(array) else (jnp, array)
    within = ~xp.isnan(number) if signed else number > 0 if positive else number >= 0
    allowed = within if allow_infinite else within & xp.isfinite(number)
    if is_concrete(allowed) and not allowed:
        finite = "" if allow_infinite else "finite, "
        raise ValueError(f"`{name}` must be {finite}{words}, but is {value}.")
    return nan_unless(allowed, array)


def number(name: str, **limits: bool) -> Callable[[ArrayLike], Float[Array, ""]]:
    """The converter of a field of this name: `real_scalar` within the limits."""
    return functools.partial(real_scalar, name, **limits)


THERMAL_BETA = number("beta", positive=True, allow_infinite=True)
STRENGTH = number("strength")
CUTOFF = number("cutoff", positive=True)
