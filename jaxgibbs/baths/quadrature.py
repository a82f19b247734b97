"""Double-exponential quadrature (Takahasi & Mori 1974): analytic integrands with any singularity at the ends."""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_STEP = 0.025
_REACH_OF_ENDS = 4.6  # nodes from 1e-68 on: an integrable singularity as strong as x^-0.8 costs no digits
_REACH_OF_ZERO = 5.3  # likewise


def unit_interval(dtype) -> tuple[Float[Array, " nodes"], Float[Array, " nodes"]]:
    """Nodes and weights of `int_0^1 f(x) dx`."""
    return _within_range(*_unit_interval(), dtype)


def from_an_end(dtype) -> tuple[Float[Array, " nodes"], Float[Array, " nodes"]]:
    """Nodes `x` and weights of `int_0^1 f(x) dx = sum w (f(x) + f(1 - x))`: distances to both ends in full relative accuracy."""
    t = np.arange(-_REACH_OF_ENDS, _STEP / 2, _STEP)
    growth = np.pi * np.sinh(-t)
    nodes, weights = 1 / (1 + np.exp(growth)), _STEP * np.pi / 4 * np.cosh(t) / np.cosh(growth / 2) ** 2
    weights[-1] /= 2  # the middle
    return _within_range(nodes, weights, dtype)


def half_line(dtype) -> tuple[Float[Array, " nodes"], Float[Array, " nodes"]]:
    """Nodes and weights of `int_0^inf f(x) dx`, for `f` that falls off like a power or faster on the scale 1."""
    return _within_range(*_half_line(), dtype)


def planck_line(dtype) -> tuple[Float[Array, " nodes"], Float[Array, " nodes"]]:
    """Nodes and weights of `int_0^inf f(t) / (e^{2 pi t} - 1) dt`, of Abel's and Plana's formula, for `f(0) = 0`."""
    nodes, weights = _half_line()
    kept = 2 * np.pi * nodes < 45  # the rest is below rounding
    return _within_range(nodes[kept], weights[kept] / np.expm1(2 * np.pi * nodes[kept]), dtype)


def over_frequencies(bath) -> tuple[Float[Array, " nodes"], Float[Array, " nodes"]]:
    """Nodes and weights of `int_0^inf f(w) dw` for `f` that changes on the scale of a bath and at its landmarks."""
    scale = jnp.asarray(bath.scale)
    cuts = jnp.sort(jnp.stack([jnp.zeros_like(scale), *(jnp.asarray(x, scale.dtype) for x in bath.landmarks)]))
    tail, tail_weights = half_line(scale.dtype)
    parts = [(cuts[-1] + scale * tail, scale * tail_weights)]
    nodes, weights = unit_interval(scale.dtype)
    for k in range(len(bath.landmarks)):
        width = cuts[k + 1] - cuts[k]
        parts.append((cuts[k] + width * nodes, width * weights))
    return jnp.concatenate([x for x, _ in parts]), jnp.concatenate([w for _, w in parts])


def _within_range(nodes, weights, dtype):
    """Without the nodes whose fifth powers, which derivatives contain, overflow or underflow; what they carry is below rounding."""
    smallest = float(np.finfo(dtype).tiny) ** 0.22
    kept = (nodes < 1 / smallest) & (nodes > smallest)
    return jnp.asarray(nodes[kept], dtype), jnp.asarray(weights[kept], dtype)


@functools.cache
def _unit_interval() -> tuple[np.ndarray, np.ndarray]:
    t = np.arange(-_REACH_OF_ENDS, 3.6 + _STEP / 2, _STEP)
    growth = np.pi / 2 * np.sinh(t)
    nodes = 1 / (1 + np.exp(-2 * growth))
    weights = _STEP * np.pi / 4 * np.cosh(t) / np.cosh(growth) ** 2
    inside = nodes < 1
    return nodes[inside], weights[inside]


@functools.cache
def _half_line() -> tuple[np.ndarray, np.ndarray]:
    t = np.arange(-_REACH_OF_ZERO, 4.2 + _STEP / 2, _STEP)
    nodes = np.exp(np.pi / 2 * np.sinh(t))
    return nodes, _STEP * np.pi / 2 * np.cosh(t) * nodes
