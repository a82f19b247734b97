"""Roots on an interval, and the derivatives that the equation of a root gives it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_HALVINGS = 70
_STEPS = 3


def bisect(below: Callable, low: Float[Array, ""], high: Float[Array, ""]) -> Float[Array, ""]:
    """Where `below(x)` turns from true to false, without derivatives; an end of the interval where it does not."""

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        under = below(middle)
        return jnp.where(under, middle, low), jnp.where(under, high, middle)

    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, jax.lax.stop_gradient((low, high)))
    return jax.lax.stop_gradient((low + high) / 2)


def polish(residual: Callable, root: Float[Array, ""]) -> Float[Array, ""]:
    """`root` after steps of Newton, with the derivatives of every order that `residual(root) = 0` implies."""

    def solve(function, start):
        for _ in range(_STEPS):
            value, slope = derivative(function, start)
            start = start - value / slope
        return start

    return jax.lax.custom_root(residual, root, solve, lambda slope, y: y / slope(jnp.ones_like(y)))


def derivative(function: Callable, x: Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The value and the slope of a function of one number."""
    return jax.jvp(function, (x,), (jnp.ones_like(x),))
