"""A bath from a table of measured or computed rates."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxgibbs._errors import check_finite, is_concrete
from jaxgibbs.operators.base import inexact

from .base import AbstractBath, Frequency, real_scalar
from .correlations import in_the_strip

_GAUSS = np.polynomial.legendre.leggauss(12)


class TabulatedBath(AbstractBath):
    """Rates from a table, made to obey the KMS condition: `gamma(w) = e^{beta w / 2} g(|w|)`, with `ln g` interpolated.

    The even function `g(w) = gamma(w) e^{-beta w / 2}` is read off the table on both sides and averaged in its logarithm;
    between the points `ln g` is a cubic whose slopes at the points are those of parabolas through three neighbours. How far the
    table itself is from the condition is `kms_violation`. Outside of the table there are no rates; level shifts and correlations
    leave them out, as if they were zero.

    Args:
        beta: inverse temperature, of either sign, finite (1 / energy).
        frequencies: shape `(points,)`, at least three different values of `|w|`, positive for emission.
        rates: `gamma(w)`, shape `(points,)`, positive.

    Raises:
        ValueError: if shapes differ, a frequency repeats, a number is not finite or a rate is not positive.
    """

    beta: Float[Array, ""]
    sizes: Float[Array, " nodes"]
    log_symmetric: Float[Array, " nodes"]
    kms_violation: Float[Array, ""]

    def __init__(self, beta: ArrayLike, frequencies: ArrayLike, rates: ArrayLike):
        self.beta = real_scalar("beta", beta, signed=True)
        table = _checked_frequencies(frequencies)
        rates = inexact(rates)
        if rates.shape != table.shape:
            raise ValueError(
                f"`rates` must have the shape {table.shape} of `frequencies`, but have shape {rates.shape}."
            )
        check_finite("rates", rates)
        if is_concrete(rates) and np.any(np.asarray(rates) <= 0):
            raise ValueError(
                f"`rates` must be positive, their logarithm is interpolated, but the lowest is {np.min(rates):.3g}; "
                "leave out what vanishes."
            )
        sizes, place = np.unique(np.abs(table), return_inverse=True)
        if len(sizes) < 3:
            raise ValueError(f"`frequencies` must have at least three different sizes |w|, but have {len(sizes)}.")
        logs = jnp.log(rates) - self.beta * jnp.asarray(table, rates.dtype) / 2
        count = jnp.asarray(np.bincount(place), logs.dtype)
        mean = jnp.zeros(len(sizes), logs.dtype).at[place].add(logs / count[place])
        self.sizes, self.log_symmetric = jnp.asarray(sizes, logs.dtype), mean
        self.kms_violation = jnp.max(
            jnp.abs(2 * (logs - mean[place]))
        )  # of a pair: |ln gamma(-w) - ln gamma(w) + beta w|

    @property
    def scale(self):
        return self.sizes[-1]

    def rate(self, frequency: ArrayLike) -> Frequency:
        frequency = jnp.asarray(frequency)
        inside = self._covers(frequency)
        if is_concrete(inside) and not np.all(inside):
            raise ValueError(
                f"`frequency` must lie within the table, {float(self.sizes[0]):.6g} <= |w| <= {float(self.sizes[-1]):.6g}, "
                f"but is {frequency}; extend the table, or extrapolate it by what is known of the bath."
            )
        return jnp.where(inside, self._rate(frequency), jnp.nan)

    def lamb_shift(self, frequency: ArrayLike) -> Frequency:
        frequency = jnp.asarray(frequency)
        nodes, weights = self._nodes()
        w, middle = frequency[..., None], self._rate(frequency)[..., None]
        distance = w - nodes
        near = jnp.abs(distance) < 1e-9 * self.scale
        slope = jnp.where(near, 0, (self._rate(nodes) - middle) / jnp.where(near, 1, distance))
        smooth = jnp.sum(jnp.where(jnp.abs(nodes) < self.sizes[0], 0, weights * slope), axis=-1)
        # P int dw' / (w - w') over the table, times the rate at `w`
        low, high = self.sizes[0], self.sizes[-1]
        gap = jnp.where(low > 0, jnp.log(jnp.abs((frequency - low) / (frequency + low))), 0)
        ends = jnp.log(jnp.abs((frequency + high) / (frequency - high)))
        return (smooth + self._rate(frequency) * (ends + gap)) / (2 * jnp.pi)

    def correlation(self, time: ArrayLike) -> Complex[Array, "*shape"]:
        nodes, weights = self._nodes()
        weights = jnp.where(jnp.abs(nodes) < self.sizes[0], 0, weights * self._rate(nodes)) / (2 * jnp.pi)
        return in_the_strip(lambda t: jnp.sum(weights * jnp.exp(-1j * nodes * t[..., None]), axis=-1), self.beta, time)

    def _covers(self, frequency):
        size = jnp.abs(frequency)
        return (size >= self.sizes[0]) & (size <= self.sizes[-1])

    def _rate(self, frequency):
        """Inside of the table; its ends continued beyond it."""
        size = jnp.clip(jnp.abs(frequency), self.sizes[0], self.sizes[-1])
        x, y = self.sizes, self.log_symmetric
        steps, rises = jnp.diff(x), jnp.diff(y) / jnp.diff(x)
        inner = (steps[1:] * rises[:-1] + steps[:-1] * rises[1:]) / (steps[1:] + steps[:-1])
        slopes = jnp.concatenate([2 * rises[:1] - inner[:1], inner, 2 * rises[-1:] - inner[-1:]])
        k = jnp.clip(jnp.searchsorted(x, size, side="right") - 1, 0, len(x) - 2)
        h, t = steps[k], (size - x[k]) / steps[k]
        bends = (slopes[k] - rises[k]) * (1 - t) - (slopes[k + 1] - rises[k]) * t
        return jnp.exp(y[k] + t * (y[k + 1] - y[k]) + h * t * (1 - t) * bends + self.beta * frequency / 2)

    def _nodes(self):
        """Gauss nodes and weights in each interval of the table, on both sides."""
        middles, halves = (self.sizes[1:] + self.sizes[:-1]) / 2, jnp.diff(self.sizes) / 2
        nodes = (middles[:, None] + halves[:, None] * jnp.asarray(_GAUSS[0], halves.dtype)).reshape(-1)
        weights = (halves[:, None] * jnp.asarray(_GAUSS[1], halves.dtype)).reshape(-1)
        return jnp.concatenate([-nodes, nodes]), jnp.concatenate([weights, weights])


def _checked_frequencies(frequencies) -> np.ndarray:
    if not is_concrete(frequencies):
        raise ValueError(
            "`frequencies` of a table must have values when it is made; only `rates` and `beta` may be traced."
        )
    table = np.asarray(frequencies)
    if table.ndim != 1:
        raise ValueError(f"`frequencies` must have shape (points,), but have shape {table.shape}.")
    check_finite("frequencies", table)
    if len(np.unique(table)) < len(table):
        raise ValueError("`frequencies` must not repeat, but do; average the rates of a repeated frequency.")
    return table
