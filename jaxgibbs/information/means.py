"""Means of two eigenvalues, each of which makes a metric of states."""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array

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
