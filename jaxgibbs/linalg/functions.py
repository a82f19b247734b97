"""The scalar functions that act on Hermitian matrices, with where they are analytic and their stable differences."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .divided_differences import Analytic


def _distance_to_zero(x: Array) -> Array:
    return jnp.where(x > 0, x, 1)


def _ordered(x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    """`(larger, smaller, gap, ln(larger / smaller))` of positive numbers; where they are equal the last two are 1."""
    larger, smaller = jnp.maximum(x, y), jnp.minimum(x, y)
    gap = jnp.where(larger > smaller, larger - smaller, 1)
    ratio = gap / smaller
    far = ratio > 1e9  # the ratio may overflow, and the difference of logarithms no longer cancels
    distance = jnp.where(far, jnp.log(larger) - jnp.log(smaller), jnp.log1p(jnp.where(far, 1, ratio)))
    return larger, smaller, gap, jnp.where(larger > smaller, distance, 1)


def _log_pair(x: Array, y: Array) -> Array:
    """`log[x, y] = ln(x / y) / (x - y)`."""
    larger, smaller, gap, distance = _ordered(x, y)
    return jnp.where(larger > smaller, distance / gap, 1 / larger)


def _sqrt_pair(x: Array, y: Array) -> Array:
    return 1 / (jnp.sqrt(x) + jnp.sqrt(y))


def _x_log_x(x: Array) -> Array:
    return x * jnp.log(x)


def _x_log_x_pair(x: Array, y: Array) -> Array:
    """`ln x + y log[x, y]` for `x >= y`."""
    larger, smaller = jnp.maximum(x, y), jnp.minimum(x, y)
    return jnp.log(larger) + smaller * _log_pair(larger, smaller)


LOGARITHM = Analytic(jnp.log, _distance_to_zero, _log_pair)
X_LOG_X = Analytic(_x_log_x, _distance_to_zero, _x_log_x_pair)
SQUARE_ROOT = Analytic(jnp.sqrt, _distance_to_zero, _sqrt_pair)


@dataclasses.dataclass(frozen=True)  # equal exponents share one compilation
class _Power:
    """`x -> x^exponent`."""

    exponent: float

    def __call__(self, x: Array) -> Array:
        exact = jnp.iscomplexobj(x) and self.exponent.is_integer()  # by products; otherwise by a logarithm
        return x ** (int(self.exponent) if exact else self.exponent)


@dataclasses.dataclass(frozen=True)
class _PowerPair:
    """`(x^p - y^p) / (x - y)`, with the larger of the two powers taken out."""

    exponent: float

    def __call__(self, x: Array, y: Array) -> Array:
        larger, smaller, gap, distance = _ordered(x, y)
        p = self.exponent
        change = larger**p * -jnp.expm1(-p * distance) if p > 0 else smaller**p * jnp.expm1(p * distance)
        return jnp.where(larger > smaller, change / gap, p * larger ** (p - 1))


@dataclasses.dataclass(frozen=True)
class _PowerRadius:
    """Within half of it `x^exponent` changes by a factor of about e^2, if `exponent` is large."""

    exponent: float

    def __call__(self, x: Array) -> Array:
        return _distance_to_zero(x) / max(1.0, abs(self.exponent) / 4)


def power(exponent: float) -> Analytic:
    """`x -> x^exponent` for `x > 0`."""
    return Analytic(_Power(exponent), _PowerRadius(exponent), _PowerPair(exponent))


def _fermi(x: Array) -> Array:
    """`1 / (e^x + 1)`, written with decaying exponentials on both sides."""
    if not jnp.iscomplexobj(x):
        return jax.nn.sigmoid(-x)
    negative = x.real < 0
    decay = jnp.exp(jnp.where(negative, x, -x))
    return jnp.where(negative, 1, decay) / (1 + decay)


def _fermi_radius(x: Array) -> Array:
    return jnp.full_like(x, jnp.pi)  # the nearest poles are at +- i pi; `f` changes by e^(pi / 2) within half of it


def _fermi_pair(x: Array, y: Array) -> Array:
    """`f[x, y] = -(e^{-y} - e^{-x}) / ((x - y) (1 + e^{-x}) (1 + e^{-y}))` for `x >= y`, and its mirror image."""
    # f[x, y] = -f(x) f(-y) (1 - e^{-(x - y)}) / (x - y) with x the larger node: no overflow, no cancellation
    larger, smaller = jnp.maximum(x, y), jnp.minimum(x, y)
    gap = larger - smaller
    safe = jnp.where(gap > 0, gap, 1)
    slope = jnp.where(gap > 0, -jnp.expm1(-safe) / safe, 1)
    return -jax.nn.sigmoid(-smaller) * jax.nn.sigmoid(larger) * slope


FERMI = Analytic(_fermi, _fermi_radius, _fermi_pair)


def _phase(x: Array) -> Array:
    return jnp.exp(1j * x)


def _phase_pair(x: Array, y: Array) -> Array:
    """`(e^{ix} - e^{iy}) / (x - y) = i e^{i(x + y)/2} sinc((x - y) / 2)`."""
    return 1j * jnp.exp(0.5j * (x + y)) * jnp.sinc((x - y) / (2 * jnp.pi))


def _phase_radius(x: Array) -> Array:
    return jnp.full_like(x, 2)  # entire; it changes by a factor e within half of it


PHASE = Analytic(_phase, _phase_radius, _phase_pair, is_complex=True)


def _bose(x: Array) -> Array:
    """`1 / (e^x - 1)` for `Re x > 0`."""
    return jnp.exp(-x) / -jnp.expm1(-x)


def _bose_pair(x: Array, y: Array) -> Array:
    larger, smaller = jnp.maximum(x, y), jnp.minimum(x, y)
    gap = larger - smaller
    safe = jnp.where(gap > 0, gap, 1)
    slope = jnp.where(gap > 0, -jnp.expm1(-safe) / safe, 1)
    return -jnp.exp(-smaller) * slope / (jnp.expm1(-smaller) * jnp.expm1(-larger))


def _bose_radius(x: Array) -> Array:
    return jnp.minimum(_distance_to_zero(x), 4)  # not further: `n` falls by e^2 within half of it


BOSE = Analytic(_bose, _bose_radius, _bose_pair)


@dataclasses.dataclass(frozen=True)
class _Cumulant:
    """The cumulant of order `order >= 1` of the occupation of one mode, `phi_1 = <n>`, `phi_{k+1} = -phi_k'`.

    Bosons: continued to `x < 0` by `phi_k(-x) = (-1)^k phi_k(x)`, as symplectic spectra `+-w` need it.
    """

    order: int
    bosonic: bool

    def __call__(self, x: Array) -> Array:
        if self.bosonic:
            sign = jnp.where(x.real < 0, -1, 1)
            n = _bose(sign * x)
            other = 1 + n
        else:
            sign, n, other = 1, _fermi(x), _fermi(-x)
        if self.order == 1:
            return sign * n
        polynomial = self._polynomial()
        return sign**self.order * n * other * sum(float(c) * n**k for k, c in enumerate(polynomial.coef) if c)

    def _polynomial(self) -> np.polynomial.Polynomial:
        """`Q_k` with `phi_k = n (1 -+ n) Q_k(n)`, from `n' = -n (1 -+ n)`."""
        spread = np.polynomial.Polynomial([0, 1, 1 if self.bosonic else -1])
        polynomial = np.polynomial.Polynomial([1.0])
        for _ in range(self.order - 2):
            polynomial = (spread * polynomial).deriv()
        return polynomial


def _bose_pair_signed(x: Array, y: Array) -> Array:
    same = (x > 0) == (y > 0)
    near = _bose_pair(jnp.abs(x), jnp.abs(jnp.where(same, y, x)))
    function = _Cumulant(1, True)
    return jnp.where(same, near, (function(x) - function(y)) / jnp.where(same, 1, x - y))


def _bose_radius_signed(x: Array) -> Array:
    return _bose_radius(jnp.abs(x))


@functools.cache
def cumulant(order: int, *, bosonic: bool) -> Analytic:
    """The cumulant of order `order` of the occupation of a mode as a function of `x = beta e`."""
    if bosonic:
        return Analytic(_Cumulant(order, True), _bose_radius_signed, _bose_pair_signed if order == 1 else None)
    return FERMI if order == 1 else Analytic(_Cumulant(order, False), _fermi_radius)


def _sign(x: Array) -> Array:
    return jnp.where(x.real < 0, -1, 1).astype(x.dtype)


def _sign_pair(x: Array, y: Array) -> Array:
    same = (x > 0) == (y > 0)
    return jnp.where(same, 0, 2 / jnp.where(same, 1, jnp.abs(x) + jnp.abs(y)))


def _magnitude(x: Array) -> Array:
    return _distance_to_zero(jnp.abs(x))


SIGN = Analytic(_sign, _magnitude, _sign_pair)


def _absolute(x: Array) -> Array:
    return jnp.where(x.real < 0, -x, x)


def _absolute_pair(x: Array, y: Array) -> Array:
    """The sign of equal nodes; 0, the middle of the subdifferential, where both are 0."""
    same = jnp.sign(x) * jnp.sign(y) >= 0
    return jnp.where(same, jnp.sign(x + y), (jnp.abs(x) - jnp.abs(y)) / jnp.where(same, 1, x - y))


ABSOLUTE = Analytic(_absolute, _magnitude, _absolute_pair)


def _negative_part(x: Array) -> Array:
    return jnp.where(x.real < 0, -x, 0)


def _negative_part_pair(x: Array, y: Array) -> Array:
    return (_absolute_pair(x, y) - 1) / 2


NEGATIVE_PART = Analytic(_negative_part, _magnitude, _negative_part_pair)


# -- on the support of a state ---------------------------------------------------------------------------------------
# Along matrices of constant rank whatever stands for the derivatives of a function at 0 cancels, if it is finite.


def _sqrt_pair_on_support(x: Array, y: Array) -> Array:
    total = jnp.sqrt(x) + jnp.sqrt(y)
    return jnp.where(total > 0, 1 / jnp.where(total > 0, total, 1), 0)


SQUARE_ROOT_ON_SUPPORT = Analytic(jnp.sqrt, _distance_to_zero, _sqrt_pair_on_support)
