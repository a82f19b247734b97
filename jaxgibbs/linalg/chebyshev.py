"""`e^{s H} v` and `e^{-iHt} v` by Chebyshev polynomials: errors bounded beforehand, for a spectrum bounded beforehand.

With the spectrum in `[c - w, c + w]` and `b = |s| w`, `e^{s (H - edge)} = sum_n a_n T_n((H - c) / w)`, the edge being the end of
largest weight, `a_n = (2 - delta_n0) (+-1)^n e^{-b} I_n(b)` with modified Bessel functions (Tal-Ezer & Kosloff 1984). The
`|a_n|` add up to 1 and `|T_n| <= 1`, so what the terms left out add up to bounds the error, relative to the largest weight.
About `sqrt(2 b ln(1 / error))` terms are needed where `b` is large. In real time they are `(2 - delta_n0) (-i)^n J_n(|t| w)`, and
little more than `|t| w` of them are needed.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from .lanczos import lanczos, ritz

_SAFETY = 0.01  # of the width of the spectrum, on either side
_NOISE = 64  # times eps: what coefficients of a phase add up to that are rounding


class Bounds(NamedTuple):
    """An interval that holds the spectrum."""

    lowest: Float[Array, ""]
    highest: Float[Array, ""]


def bounds_and_ground(
    product: Callable, start: Inexact[Array, " dim"], depth: int = 30
) -> tuple[Bounds, Float[Array, ""]]:
    """An interval that holds the spectrum, and the lowest Ritz value: the lowest eigenvalue or little more.

    It ends at the extreme Ritz values, moved outwards by the norms of their residuals and by 1 % of the width. An eigenvalue lies
    within the residual of each Ritz value; that it is the extreme one is beyond doubt only for a `start` that is not orthogonal
    to it, as random vectors are not.

    Args:
        product: `v -> H v`.
        start: a random vector.
        depth: number of products.
    """
    tridiagonal = lanczos(product, start, min(depth, len(start)))
    values, vectors = ritz(tridiagonal)
    residuals = tridiagonal.off_diagonal[-1] * jnp.abs(vectors[-1])
    lowest, highest = values[0] - residuals[0], values[-1] + residuals[-1]
    margin = _SAFETY * (highest - lowest) + 64 * jnp.finfo(values.dtype).eps * jnp.max(jnp.abs(values))
    return Bounds(lowest - margin, highest + margin), values[0]


def exp_coefficients(b: Float[Array, ""], order: int) -> tuple[Float[Array, " terms"], Float[Array, ""]]:
    """`(2 - delta_n0) e^{-b} I_n(b)` for `n = 0 ... order`, and what those left out add up to.

    By continued fractions for the ratios `I_n / I_n-1` from far above (Gautschi 1967): nothing overflows at any `b`. Where `order`
    is far too small for `b` the terms are less accurate than rounding, and what is left out, near 1, still says so.

    Args:
        b: not negative.
        order: the last `n`.
    """
    length = order + 40 + order // 2

    def climb(ratio, n):
        ratio = b / (2 * n + b * ratio)
        return ratio, ratio

    indices = jnp.arange(length, 0, -1, dtype=b.dtype)
    first = b / (length + 0.5 + jnp.sqrt((length + 0.5) ** 2 + b**2))  # an upper bound, nearly attained (Amos 1974)
    _, ratios = jax.lax.scan(climb, first, indices)
    coefficients = jax.scipy.special.i0e(b) * jnp.concatenate([jnp.ones_like(b)[None], 2 * jnp.cumprod(ratios[::-1])])
    kept = coefficients[: order + 1]
    rest = jnp.sum(coefficients[order + 1 :])
    return kept, jnp.where(rest > 1e-6, jnp.maximum(rest, 1 - jnp.sum(kept)), rest)  # a small difference is rounding


def needed_order(b: float, tolerance: float) -> int:
    """The least order at which the terms left out add up to less than `tolerance`; outside `jit`.

    Raises:
        ValueError: if `b` is negative or not finite, or the tolerance is not positive.
    """
    if not (b >= 0 and math.isfinite(b) and tolerance > 0):
        raise ValueError(
            f"`b` must be finite and not negative and `tolerance` positive, but they are {b} and {tolerance}."
        )
    length = int(2 * b + 60) if b < 200 else int(10 * math.sqrt(b * (1 + math.log(1 / min(tolerance, 0.5)))) + 60)
    ratio, ratios = 0.0, np.empty(length)
    for n in range(length, 0, -1):
        ratio = b / (2 * n + b * ratio)
        ratios[n - 1] = ratio
    relative = np.concatenate([[1.0], 2 * np.cumprod(ratios)])
    tails = np.cumsum(relative[::-1])[::-1] / relative.sum()
    return int(np.argmax(np.append(tails[1:], 0) < tolerance))


def chebyshev_product(
    product: Callable, bounds: Bounds, vector: Inexact[Array, " dim"], coefficients: Float[Array, "terms *sets"]
) -> Inexact[Array, "*sets dim"]:
    """`sum_n a_n T_n(x) v` with `x` the operator mapped from `bounds` to [-1, 1]; further axes of `a` give further vectors.

    Args:
        product: `v -> H v`.
        bounds: an interval that holds the spectrum; where it does not the answer grows without bound.
        vector: `v`.
        coefficients: `a`, at least two terms.
    """
    real = vector.real.dtype
    centre = ((bounds.highest + bounds.lowest) / 2).astype(real)
    half = ((bounds.highest - bounds.lowest) / 2).astype(real)
    inverse = jnp.where(half > 0, 1 / jnp.where(half > 0, half, 1), 0)
    coefficients = coefficients.astype(real)

    def mapped(v):
        return inverse * (product(v) - centre * v)

    def step(carry, weights):
        before, now, total = carry
        following = 2 * mapped(now) - before
        return (now, following, total + jnp.multiply.outer(weights, following)), None

    first = mapped(vector)
    total = jnp.multiply.outer(coefficients[0], vector) + jnp.multiply.outer(coefficients[1], first)
    return jax.lax.scan(step, (vector, first, total), coefficients[2:])[0][2]


def exp_product(
    product: Callable, bounds: Bounds, s: Float[Array, ""], vector: Inexact[Array, " dim"], order: int
) -> tuple[Inexact[Array, " dim"], Float[Array, ""], Float[Array, ""]]:
    """`(u, edge, error)` with `e^{s H} v = e^{s edge} u` up to `error * ||v||` in `u`.

    Args:
        product: `v -> H v`.
        bounds: an interval that holds the spectrum.
        s: real and finite, of either sign.
        vector: `v`.
        order: degree of the polynomial, at least 1; see `needed_order`.
    """
    half = (bounds.highest - bounds.lowest) / 2
    coefficients, error = exp_coefficients(jnp.abs(s) * half, max(order, 1))
    signs = jnp.where(s >= 0, 1, -1) ** jnp.arange(len(coefficients))
    edge = jnp.where(s >= 0, bounds.highest, bounds.lowest)
    return chebyshev_product(product, bounds, vector, signs * coefficients), edge, error


def phase_products(
    product: Callable,
    bounds: Bounds,
    vectors: Complex[Array, "vectors dim"],
    times: Float[Array, " times"],
    length: int,
) -> tuple[Complex[Array, "times vectors dim"], Float[Array, ""]]:
    """`e^{-i (H - c) t} v` at a few times, `c` the middle of the bounds, and what the terms left out add up to.

    As many terms as rounding asks for at the longest time, at most `length`; where that is too few the error says so.

    Args:
        product: `v -> H v`.
        bounds: an interval that holds the spectrum.
        vectors: `v`, each.
        times: in 1 / energy, of either sign.
        length: more than `max|t|` times half the width of the bounds, static.
    """
    real = times.dtype
    centre, half = ((bounds.highest + sign * bounds.lowest) / 2 for sign in (1, -1))
    angles = jnp.pi * jnp.arange(2 * length, dtype=real) / length
    samples = jnp.exp(-1j * (half * times)[:, None] * jnp.cos(angles))  # their Fourier series is the Chebyshev one
    coefficients = jnp.fft.fft(samples)[:, : length + 1] / length
    coefficients = coefficients.at[:, 0].divide(2).astype(vectors.dtype)
    rest = jnp.cumsum(jnp.max(jnp.abs(coefficients), axis=0)[::-1])[::-1]
    order = jnp.sum(rest > _NOISE * jnp.finfo(real).eps)
    inverse = jnp.where(half > 0, 1 / jnp.where(half > 0, half, 1), 0)

    def mapped(vectors):
        return inverse * (jax.vmap(product)(vectors) - centre * vectors)

    def step(n, carry):
        before, now, total = carry
        following = 2 * mapped(now) - before
        return now, following, total + jnp.multiply.outer(coefficients[:, n], following)

    first = mapped(vectors)
    total = jnp.multiply.outer(coefficients[:, 0], vectors) + jnp.multiply.outer(coefficients[:, 1], first)
    total = jax.lax.fori_loop(2, jnp.minimum(order, length), step, (vectors, first, total))[2]
    return total, jnp.where(half * jnp.max(jnp.abs(times)) < length, rest[jnp.minimum(order, length)], 1)
