"""The root of a decreasing function of a positive number, bracketed."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

_MAX_STEPS = 200
_STRIDE = 16.0  # how far to go at once while no upper end is known


class Root(NamedTuple):
    """The root, whether it was found, and after how many evaluations."""

    value: Float[Array, ""]
    found: Bool[Array, ""]
    steps: Int[Array, ""]


def decreasing_root(function: Callable, start: Float[Array, ""]) -> Root:
    """Newton's method kept between the ends of a bracket, for `function(b) -> (value, slope)`, `b > 0`.

    A step out of the bracket is replaced by its middle (in ln b); where the function has underflown to `-inf` likewise.
    """
    eps = jnp.finfo(start.dtype).eps

    def body(state):
        b, low, high, _, steps = state
        value, slope = function(b)
        high = jnp.where(value > 0, high, b)
        low = jnp.where(value > 0, b, low)
        newton = b - value / slope
        open_ended = jnp.isinf(high)
        middle = jnp.where(low > 0, jnp.sqrt(low) * jnp.sqrt(high), high / _STRIDE)
        inside = (newton > low) & (newton < high)
        ahead = jnp.where(inside, jnp.minimum(newton, _STRIDE * b), _STRIDE * b)
        following = jnp.where(open_ended, ahead, jnp.where(inside, newton, middle))
        settled = (jnp.abs(newton - b) <= 2 * eps * b) | (jnp.abs(value) <= 2 * eps)
        done = settled | (high - low <= 2 * eps * b)
        return jnp.where(done, b, following).astype(b.dtype), low, high, done, steps + 1

    def unfinished(state):
        b, _, _, done, steps = state
        return ~done & (steps < _MAX_STEPS) & jnp.isfinite(b)

    zero = jnp.zeros_like(start)
    state = (start, zero, zero + jnp.inf, start == 0, jnp.zeros((), jnp.int32))
    b, _, _, done, steps = jax.lax.while_loop(unfinished, body, state)
    return Root(b, done, steps)
