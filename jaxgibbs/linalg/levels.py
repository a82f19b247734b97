"""Sums over levels, `sum_k g_k exp(s E_k)` and its moments, right at every `s` from -inf to +inf.

The recipe: refer energies to the level of largest weight per state (the lowest for `s < 0`, the highest for `s > 0`), form
the differences before multiplying by `s`, and never subtract what can be left out. Offsets of 1e8, `s` of 1e6 and
degeneracies of e^1000 are then harmless, and the entropy keeps its relative accuracy down to the smallest
temperature. Ordinary autodiff in `s` and in the levels is right to every order; at `s = +-inf` derivatives are NaN.
"""

import abc
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .divided_differences import FAR

# No weight is left beyond this exponent, and in float32 its cube is still a number.
_WEIGHTLESS = 1e12


def degeneracy_tolerance(levels: Float[Array, " levels"]) -> Float[Array, ""]:
    """Levels closer than `64 eps max|E|` count as one at zero temperature."""
    eps = jnp.finfo(levels.dtype).eps
    return 64 * eps * jnp.max(jnp.abs(jax.lax.stop_gradient(levels)))


@jax.custom_jvp
def _guard(s):
    return s


@_guard.defjvp
def _guard_jvp(primals, tangents):
    (s,), (ds,) = primals, tangents
    return _guard(s), ds * jnp.where(jnp.isinf(s), jnp.nan, 1)


@jax.custom_jvp
def _limit(value, s, replaced):
    """`value`, with a derivative in `replaced` that is NaN, in either mode, where `s` is infinite."""
    return value


@_limit.defjvp
def _limit_jvp(primals, tangents):
    value, s, replaced = primals
    lost = tangents[2] * jnp.where(jnp.isinf(s), jnp.nan, 0)
    return _limit(value, s, replaced), tangents[0] + lost.astype(tangents[0].dtype)


@jax.jit
def distances(s: Float[Array, ""], levels: Float[Array, " levels"]) -> tuple[Array, Array, Array]:
    """`(scale, h, reference)` with `h = E - reference`, `scale = s` and `s h <= 0`.

    At `s = +-inf` they are finite stand-ins: `h` is 0 on the extreme level, and `scale h` far below elsewhere.
    """
    s = _guard(s)
    bottom, top = jnp.min(levels, axis=-1), jnp.max(levels, axis=-1)
    reference = jax.lax.stop_gradient(jnp.where(s <= 0, bottom, top))
    infinite, h = jnp.isinf(s), levels - reference
    extreme = jnp.where(jnp.abs(h) <= degeneracy_tolerance(levels), 0, -jnp.sign(s)).astype(levels.dtype)
    scale = _limit(jnp.where(infinite, jnp.sign(s) * FAR, s), s, s)
    return scale.astype(levels.dtype), _limit(jnp.where(infinite, extreme, h), s, levels), reference


def exponents(s: Float[Array, ""], levels: Float[Array, " levels"]) -> tuple[Array, Array]:
    """`(x, reference)` with `x_k = s (E_k - reference) <= 0`; at `s = +-inf` 0 on the extreme level, else far below."""
    scale, h, reference = distances(s, levels)
    return jnp.maximum(scale * h, -_WEIGHTLESS), reference


@jax.custom_jvp
def log_sum_exp(y: Float[Array, " levels"]) -> Float[Array, ""]:
    """`ln sum_k e^{y_k}`, to full relative accuracy where one term is 1 and the others are tiny."""
    peak = jnp.max(y, axis=-1)
    # 1 but for the largest terms, where it is 0; by a product, which XLA sums as it goes, not by a selection, which it would
    # first write to memory: a large batch pays for that more than for its exponentials.
    other = jnp.minimum((peak - y) * jnp.finfo(y.dtype).max, 1)
    others = jnp.sum(jnp.exp(y - peak) * other, axis=-1)
    largest = y.shape[-1] - jnp.sum(other, axis=-1)
    return peak + jnp.log1p(others + (largest - 1))


@log_sum_exp.defjvp
def _log_sum_exp_jvp(primals, tangents):
    (y,), (dy,) = primals, tangents
    return log_sum_exp(y), jnp.sum(jax.nn.softmax(y) * dy, axis=-1)


def natural_unit(levels: Float[Array, " levels"]) -> tuple[Array, Array]:
    """A power of two about the width of the spectrum, and its inverse: to measure energies in it costs no rounding."""
    width = jax.lax.stop_gradient(jnp.max(levels) - jnp.min(levels))
    _, exponent = jnp.frexp(width)  # 0 for width 0
    one = jnp.ones_like(width)
    return jnp.ldexp(one, exponent), jnp.ldexp(one, -exponent)


class AbstractLevelSums:
    """The sums at one `s`. Concrete classes say how they add up: `average` and `log_shifted`.

    Attributes:
        s: a real scalar, `-beta`.
        levels: `E_k`.
        reference: the level of largest weight per state.
    """

    s: Array
    levels: Array
    reference: Array

    @abc.abstractmethod
    def average(self, value: Callable[[Array, Array], Array]) -> Array:
        """The mean of a function of `x = s (E - reference)` and of the distance `E - reference`, level by level."""

    @property
    @abc.abstractmethod
    def log_shifted(self) -> Array:
        """`ln sum_k g_k e^{x_k}`."""

    @property
    def log_trace(self) -> Array:
        """`ln sum_k g_k e^{s E_k}`."""
        s = _guard(self.s)
        offset = jnp.where(self.reference == 0, jnp.zeros_like(self.reference), s * self.reference)
        at_zero = jnp.where(self.reference == 0, self.levels.dtype.type(0) * jnp.where(jnp.isinf(s), 0, s), 0)
        return self.log_shifted + offset + at_zero

    @property
    def excess(self) -> Array:
        """`<E> - reference`, the mean distance from the level of largest weight."""
        return self.average(lambda x, distance: distance)

    @property
    def mean(self) -> Array:
        """`<E>`."""
        return self.reference + self.excess

    @property
    def entropy(self) -> Array:
        """`-sum_k g_k p_k ln p_k`: a sum of non-negative terms."""
        return self.log_shifted - self.average(lambda x, distance: x)

    def central_moment(self, order: int) -> Array:
        """`<(E - <E>)^order>`."""
        excess = self.excess
        return self.average(lambda x, distance: (distance - excess) ** order)

    @property
    def heat_capacity(self) -> Array:
        """`s^2 <(E - <E>)^2>`, 0 at `s = +-inf`; by squares of `s E`, which are numbers of moderate size in every unit."""
        mean = self.average(lambda x, distance: x)
        return self.average(lambda x, distance: (x - mean) ** 2)


class LevelSums(AbstractLevelSums):
    """All levels at once, with derivatives of every order.

    Args:
        s: a real scalar, `-beta`.
        levels: `E_k`.
        log_degeneracies: `ln g_k`, or `None` for no degeneracy.
    """

    def __init__(self, s, levels, log_degeneracies=None):
        self.s, self.levels = s, levels
        self.x, self.reference = exponents(s, levels)
        self.y = self.x if log_degeneracies is None else self.x + log_degeneracies
        self.factors = jnp.exp(self.y - jax.lax.stop_gradient(jnp.max(self.y, axis=-1)))
        self.distance = levels - self.reference

    @property
    def weights(self) -> Array:
        """Probabilities of the levels, their degeneracies included."""
        return self.factors / jnp.sum(self.factors, axis=-1)

    def average(self, value) -> Array:
        values = value(self.x, self.distance)
        return jnp.sum(self.factors * values, axis=-1) / jnp.sum(self.factors, axis=-1)

    @property
    def log_shifted(self) -> Array:
        return log_sum_exp(self.y)


class LevelSumsInTurn(AbstractLevelSums):
    """One level after the other, without derivatives: the way to batches of short sums.

    A batch of these makes each step one operation on the whole batch. XLA's sums along a short last axis take three times as
    long. Up to 16 levels are written out; of more, 8 a step of a loop.

    Args:
        s: a real scalar, `-beta`.
        levels: `E_k`.
    """

    LARGEST = 128  # of more levels, a sum over all at once is as fast
    FEWEST = 16  # in a smaller batch it does not make up for its longer compilation

    def __init__(self, s, levels):
        self.s, self.levels = s, levels
        infinite, far = jnp.isinf(s), jnp.asarray(FAR, levels.dtype)
        self.reference = jnp.where(s <= 0, jnp.min(levels), jnp.max(levels))
        slope = -jnp.where(infinite, far, jnp.abs(s)).astype(levels.dtype)
        self._line = slope, jnp.where(infinite, far * degeneracy_tolerance(levels), 0)

    def _exponent(self, level):
        """As `exponents`, of one level, but not bounded below."""
        slope, slack = self._line
        return jnp.minimum(slope * jnp.abs(level - self.reference) + slack, 0)

    def _totals(self, term):
        """`sum_k term(k, E_k)`, for a tuple of terms."""

        def added(totals, start, levels):
            for k, level in enumerate(levels):
                totals = [a + b for a, b in zip(totals, term(start + k, level), strict=True)]
            return totals

        count = len(self.levels)
        first = count if count <= 16 else count % 8 or 8
        totals = added(list(term(0, self.levels[0])), 1, [self.levels[k] for k in range(1, first)])
        if first == count:
            return totals
        rest = self.levels[first:].reshape(-1, 8)

        def eight(i, totals):
            return added(totals, first + 8 * i, [rest[i, k] for k in range(8)])

        return jax.lax.fori_loop(0, len(rest), eight, totals)

    def average(self, value) -> Array:
        def term(k, level):
            x = jnp.maximum(self._exponent(level), -_WEIGHTLESS)
            factor = jnp.exp(x)
            return factor * value(x, level - self.reference), factor

        weighted, weight = self._totals(term)
        return weighted / weight

    @property
    def log_shifted(self) -> Array:
        extreme = jnp.where(self.s <= 0, jnp.argmin(self.levels), jnp.argmax(self.levels))

        def term(k, level):  # that of the reference is 1, and added by `_log1p`
            weight = jnp.exp(self._exponent(level))
            return (jnp.where(k == extreme, 0 * weight, weight),)

        (others,) = self._totals(term)
        return _log1p(others)


def _log1p(rest):
    """`ln(1 + rest)` for `rest >= 0`, in half the time of `jnp.log1p`: `2 artanh(z)` by its series where `z` is below 1/5.

    Subtracting the rounding of `1 + rest` would be shorter, but XLA simplifies that away.
    """
    z = rest / (2 + rest)
    square = z**2
    series = jnp.zeros_like(rest)
    for odd in range(23, 0, -2):
        series = series * square + 1 / odd
    return jnp.where(rest < 0.5, 2 * z * series, jnp.log(1 + rest))
