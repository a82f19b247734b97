"""Sums over a stack of blocks that stand for many: traces of each block, and sums over the transitions between them.

Blocks are padded to one size, the padding with eigenvalues above all others, so that in each block the first `sizes[k]` of the
ascending eigenvalues are its own. What is compiled then grows neither with the number of blocks nor with their copies.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from .chains import chain
from .divided_differences import Exponential, Thermal
from .eigen import dagger, matmul
from .hermitian import Decomposition

_EXP = Exponential()
_TAYLOR_TERMS = 13  # 2^-13 / 15! is below eps


@dataclasses.dataclass(frozen=True, eq=False)
class Transitions:
    """Which blocks a set of rectangular matrices leads between. Static; equal to itself alone.

    Args:
        left: the block of the rows, shape `(transitions,)`.
        right: the block of the columns.
        weight: how often each matrix counts. Those inside one block must be symmetric.
    """

    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def block_traces(
    power: int, sizes: tuple[int, ...], s: Float[Array, ""], blocks: Decomposition
) -> Float[Array, " blocks"]:
    """`Tr (H_k - e_k)^power e^{s (H_k - e_k)}` of each block, `e_k` its lowest level, a constant; `s <= 0`."""
    h = _heights(blocks)
    own = np.arange(h.shape[1]) < np.array(sizes)[:, None]
    return jnp.sum(jnp.where(own, h**power * jnp.exp(s * h), 0), axis=-1)


def _block_traces_jvp(power, sizes, primals, tangents):
    (s, blocks), (ds, d_blocks) = primals, tangents
    out = block_traces(power, sizes, s, blocks)
    total = jnp.zeros_like(out)
    if not isinstance(ds, SymbolicZero):
        total = total + ds * block_traces(power + 1, sizes, s, blocks)
    if not isinstance(d_blocks.matrix, SymbolicZero):
        slope = s * _powers(power, s, blocks)
        if power:
            slope = slope + power * _powers(power - 1, s, blocks)
        total = total + jnp.sum(slope * d_blocks.matrix, axis=(-1, -2))  # both symmetric
    return out, total


block_traces.defjvp(_block_traces_jvp, symbolic_zeros=True)


def _heights(blocks: Decomposition) -> Float[Array, "blocks size"]:
    return blocks.eigenvalues - blocks.eigenvalues[:, :1]


def _powers(power: int, s, blocks: Decomposition) -> Float[Array, "blocks size size"]:
    """`(H_k - e_k)^power e^{s (H_k - e_k)}`, differentiable to every order."""
    return chain(Thermal(power), (0,), blocks.matrix, _heights(blocks), blocks.vectors, parameter=s[None])


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def transition_sum(
    transitions: Transitions,
    s: Float[Array, ""],
    blocks: Decomposition,
    elements: Float[Array, "transitions size size"],
) -> Float[Array, ""]:
    """`sum_t w_t sum_ab exp[s E_a, s E_b] |<a|V_t|b>|^2`, energies from the lowest of all levels, a constant; `s < 0`.

    With `exp[x, y]` the divided difference it is `integral_0^1 Tr e^{(1-t) s H} V^T e^{t s H} V dt`, the numerator of a
    Kubo-Mori covariance. `a` runs over the block on the left of `V_t` and `b` over that on the right.
    """
    x = s * _above_all(blocks)
    inner = _inner(transitions, blocks, elements)
    f = _pairs(x, transitions.left, transitions.right)
    return jnp.sum(_weights(transitions, x) * f * inner**2)


@transition_sum.defjvp
def _transition_sum_jvp(transitions, primals, tangents):
    (s, blocks, elements), (ds, d_blocks, d_elements) = primals, tangents
    in_s, in_matrix, in_elements = _slopes(transitions, s, blocks, elements)
    tangent = ds * in_s + jnp.sum(in_matrix * d_blocks.matrix) + jnp.sum(in_elements * d_elements)
    return transition_sum(transitions, s, blocks, elements), tangent


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _slopes(transitions: Transitions, s, blocks: Decomposition, elements):
    """The derivatives of `transition_sum` in `s`, in the blocks and in the elements, by products of two matrices.

    That in the block of `a` is `s sum_b exp[x_a, x_c, x_b] V_ab V_cb`, where the divided difference is a quotient of those of
    two nodes, save for neighbours closer than `eps^(1/3)`: there it is the mean of its values with `x_a` and `x_c` doubled.
    """
    left, right = transitions.left, transitions.right
    between = np.flatnonzero(left != right)  # inside one block the matrices are symmetric, and both sides alike
    h = _above_all(blocks)
    x, inner = s * h, _inner(transitions, blocks, elements)
    f, left_twice, right_twice = _doubled(x, left, right)
    once, weight = f * inner, _weights(transitions, x)
    sides = jnp.asarray(np.where(left != right, 1, 2)[:, None, None], x.dtype)
    on_left = _second_order(x[left], once, left_twice * inner, jnp.swapaxes(inner, -1, -2))
    slopes = jnp.zeros_like(blocks.matrix).at[left].add(sides * weight * on_left)
    if between.size:
        turned = jnp.swapaxes(once[between], -1, -2), jnp.swapaxes((right_twice * inner)[between], -1, -2)
        on_right = _second_order(x[right[between]], *turned, inner[between])
        slopes = slopes.at[right[between]].add(weight[between] * on_right)
    in_s = jnp.sum(jnp.diagonal(slopes, axis1=-2, axis2=-1) * h)
    vectors = blocks.vectors
    in_matrix = s * matmul(matmul(vectors, slopes), dagger(vectors))
    in_elements = 2 * matmul(matmul(vectors[left], weight * once), dagger(vectors[right]))
    return in_s, in_matrix, in_elements


@_slopes.defjvp
def _slopes_jvp(transitions, primals, tangents):
    (s, blocks, elements), (ds, d_blocks, d_elements) = primals, tangents

    def whole(s, matrix, elements):
        moved = Decomposition(matrix, blocks.eigenvalues, blocks.eigenvectors)
        return _by_chains(transitions, s, moved, elements)

    primals, tangents = (s, blocks.matrix, elements), (ds, d_blocks.matrix, d_elements)
    _, tangent = jax.jvp(jax.grad(whole, (0, 1, 2)), primals, tangents)
    return _slopes(transitions, s, blocks, elements), tangent


def _second_order(x, once, twice, other):
    """`sum_b exp[x_a, x_c, x_b] V_ab V_cb` from `exp[x_a, x_b] V_ab`, `exp[x_a, x_a, x_b] V_ab` and `V_cb`."""
    apart = x[:, :, None] - x[:, None, :]
    near = jnp.abs(apart) < 3 * jnp.finfo(x.dtype).eps ** (1 / 3)
    single, double = matmul(once, other), matmul(twice, other)
    quotient = (single - dagger(single)) / jnp.where(near, 1, apart)
    return jnp.where(near, (double + dagger(double)) / 2, quotient)


def _pairs(x, left, right):
    """`exp[x, y]` of the nodes of each transition, `x` of the block on its left and `y` of that on its right."""
    return _of_gap(x, left, right)[0]


def _doubled(x, left, right):
    """`exp[x, y]`, `exp[x, x, y]` and `exp[x, y, y]` of the nodes of each transition."""
    pair, larger_twice, (rows, columns, e_rows, e_columns, top, close) = _of_gap(x, left, right)
    smaller_twice = top * (1 - jnp.abs(rows - columns) * larger_twice - larger_twice)
    apart, larger = jnp.where(close, 1, rows - columns), rows >= columns
    larger_twice = top * larger_twice
    rows_twice = jnp.where(close, jnp.where(larger, larger_twice, smaller_twice), (e_rows - pair) / apart)
    columns_twice = jnp.where(close, jnp.where(larger, smaller_twice, larger_twice), (pair - e_columns) / apart)
    return pair, rows_twice, columns_twice


def _of_gap(x, left, right):
    """`exp[x, y]`, and what else stands on the way: no exponential is taken but those of the nodes.

    Where the gap `d` is below 1/2 it is `e^max (1 - d q)` with the series `q = (e^-d - 1 + d) / d^2 = exp[0, 0, -d]`; elsewhere
    quotients of differences lose nothing.
    """
    e = jnp.exp(x)
    rows, columns, e_rows, e_columns = (
        x[left][:, :, None],
        x[right][:, None, :],
        e[left][:, :, None],
        e[right][:, None, :],
    )
    gap, top = jnp.abs(rows - columns), jnp.maximum(e_rows, e_columns)
    close = gap < 0.5
    small, apart = jnp.where(close, gap, 0), jnp.where(close, 1, rows - columns)
    series = jnp.zeros_like(gap)
    for k in reversed(range(_TAYLOR_TERMS)):
        series = 1 / math.factorial(k + 2) - small * series
    pair = jnp.where(close, top * (1 - small * series), (e_rows - e_columns) / apart)
    return pair, series, (rows, columns, e_rows, e_columns, top, close)


def _by_chains(transitions: Transitions, s, blocks: Decomposition, elements):
    """`transition_sum` in the sum of both spaces of each transition, right to every order."""
    left, right, size = transitions.left, transitions.right, blocks.dim
    lowest = jnp.min(blocks.eigenvalues)

    def joined(parts):
        both = jnp.zeros((len(left), 2 * size, 2 * size), parts.dtype)
        return both.at[:, :size, :size].set(parts[left]).at[:, size:, size:].set(parts[right])

    exponent = s * (joined(blocks.matrix) - lowest * jnp.eye(2 * size, dtype=blocks.matrix.dtype))
    nodes = jax.lax.stop_gradient(s) * jnp.concatenate([_above_all(blocks)[left], _above_all(blocks)[right]], axis=-1)
    both = jnp.zeros((len(left), 2 * size, 2 * size), elements.dtype)
    both = both.at[:, :size, size:].set(elements).at[:, size:, :size].set(jnp.swapaxes(elements, -1, -2))
    mapped = chain(_EXP, (0, 0), exponent, nodes, joined(blocks.vectors), both)
    return jnp.sum(_weights(transitions, nodes) * both * mapped) / 2


def _weights(transitions: Transitions, like: Array) -> Float[Array, "transitions 1 1"]:
    return jnp.asarray(transitions.weight[:, None, None], like.dtype)


def _above_all(blocks: Decomposition) -> Float[Array, "blocks size"]:
    return blocks.eigenvalues - jnp.min(blocks.eigenvalues)


def _inner(transitions: Transitions, blocks: Decomposition, elements) -> Float[Array, "transitions size size"]:
    """The elements between eigenvectors."""
    return matmul(matmul(dagger(blocks.vectors[transitions.left]), elements), blocks.vectors[transitions.right])
