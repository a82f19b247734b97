"""Means of two eigenvalues, each of which makes a metric of states."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgibbs._errors import is_concrete
from jaxgibbs.linalg import Kernel

Mean = Callable[[Array, Array], Array]


def arithmetic(x: Array, y: Array) -> Array:
    """`(x + y) / 2`."""
    return (x + y) / 2


def of_roots(x: Array, y: Array) -> Array:
    """`((sqrt(x) + sqrt(y)) / 2)^2`."""
    return ((jnp.sqrt(x) + jnp.sqrt(y)) / 2) ** 2


def logarithmic(x: Array, y: Array) -> Array:
    """`(x - y) / (ln x - ln y) = (x + y) / 2 * z / artanh(z)`, `z = (x - y) / (x + y)`; 0 where one is 0."""
    positive = (x != 0) & (y != 0)
    a, b = jnp.where(positive, x, 1), jnp.where(positive, y, 1)
    z = (a - b) / (a + b)
    near = jnp.abs(z) < 0.1
    square = jnp.where(near, z, 0) ** 2
    series = sum(square**k / (2 * k + 1) for k in range(9))  # artanh(z) / z; the next term is below 1e-19
    apart = jnp.where(near, 1, a - b) / jnp.where(near, 1, jnp.log(a) - jnp.log(b))
    return jnp.where(positive, jnp.where(near, (a + b) / 2 / series, apart), 0)


@dataclasses.dataclass(frozen=True)  # equal means share one compilation
class _Inverse:
    mean: Mean

    def __call__(self, x: Array, y: Array) -> Array:
        value = self.mean(x, y)
        empty = ~(jnp.abs(value) > 0)
        return jnp.where(empty, 0, 1 / jnp.where(empty, 1, value))


def _distance_to_zero(x: Array) -> Array:
    return jnp.where(x > 0, x, 1)


def one_over(mean: Mean) -> Kernel:
    """`1 / m(x, y)` for spectral maps, and 0 where that is infinite."""
    return Kernel(_Inverse(mean), _distance_to_zero)


def check_mean(mean: Mean) -> None:
    """Raise `ValueError` unless `mean` is one of two positive numbers that makes a metric, as far as a few numbers show.

    A mean whose own parameters are traced has no value to test.
    """
    if mean in (arithmetic, of_roots, logarithmic):
        return
    dtype = jnp.result_type(float)
    tolerance = float(jnp.finfo(dtype).eps) ** 0.5
    ratios = np.geomspace(1e-3, 1e3, 13)
    with jax.ensure_compile_time_eval():
        t, one = jnp.asarray(ratios, dtype), jnp.ones(13, dtype)
        values = [mean(x, y) for x, y in ((t, one), (one, t), (4 * t, 4 * one), (t, t))]
    if not is_concrete(values):
        return
    if any(jnp.shape(value) != ratios.shape for value in values):
        raise ValueError(
            f"`mean` must be elementwise, but makes shape {jnp.shape(values[0])} of two of shape {ratios.shape}; build it from "
            "functions of `jax.numpy`."
        )
    f, turned, scaled, equal = (np.asarray(value) for value in values)
    slack = tolerance * (1 + ratios)
    least, largest = 2 * ratios / (1 + ratios), (1 + ratios) / 2
    laws = (
        ("have `m(x, x) = x`, that is `f(1) = 1` for `m(x, y) = y f(x / y)`", equal, ratios, ratios),
        (
            "be symmetric, `m(x, y) = m(y, x)`, that is `f(t) = t f(1 / t)` for `m(x, y) = y f(x / y)`",
            f,
            turned,
            turned,
        ),
        ("be homogeneous, `m(c x, c y) = c m(x, y)`", scaled / 4, f, f),
        ("lie between the harmonic and the arithmetic mean", f, least, largest),
    )
    for law, found, low, high in laws:
        wrong = ~((found >= low - slack) & (found <= high + slack))
        if np.any(wrong):
            k = int(np.argmax(wrong))
            asked = f"{low[k]:.6g}" if low is high else f"{low[k]:.6g} to {high[k]:.6g}"
            raise ValueError(
                f"`mean` must {law}, but at x = {ratios[k]:.3g} it is {found[k]:.6g} where that asks for {asked}; no other "
                "function makes a monotone metric."
            )
