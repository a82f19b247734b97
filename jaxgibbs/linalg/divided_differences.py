"""Divided differences `f[x_0, ..., x_k]`, stable for coincident, close and distant nodes.

The k-th derivative of a matrix function is a sum over chains of matrix elements weighted by divided differences of
order k (Daleckii & Krein 1965), so what is written here decides the accuracy of every derivative in the library.
A *spectral function* is a hashable object that gives the divided differences of a function of one variable
(`Exponential`, `Thermal`, `Analytic`) or the partial ones of a function of two variables (`Kernel`).
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

_TAYLOR_TERMS = 18  # the remainder is below 1 / 18! for nodes within 1 of their center
FAR = 1e30  # stands for an infinite distance, finite so that 0 * FAR = 0
_CONTOUR_POINTS = 56  # errors 4^-56 (nodes) and 2^-56 (singularities), see `contour`


@dataclasses.dataclass(frozen=True)
class Exponential:
    """`exp`, with divided differences of full relative accuracy (McCurdy, Ng & Parlett 1984)."""

    is_complex: bool = False
    variables: int = 1

    def __call__(self, groups: Sequence[Sequence[Array]]) -> Array:
        (nodes,) = groups
        if len(nodes) == 1:
            return jnp.exp(nodes[0])
        if len(nodes) == 2:
            return _exp_pair(jnp.maximum(*nodes), jnp.abs(nodes[0] - nodes[1]))
        return _exp_sorted(_sorted(nodes))


@dataclasses.dataclass(frozen=True)
class Thermal:
    """`h^power e^{s h}` of a level at the distance `h` from the level of largest weight, so that `s h <= 0`.

    A spectral function with a parameter, `s`; its derivative in `s` is the next power. All `h` have one sign, so no sum
    here cancels more than the function itself does.
    """

    power: int = 0
    is_complex: bool = False
    variables: int = 1

    def in_parameter(self) -> "Thermal":
        """The derivative in `s`."""
        return Thermal(self.power + 1)

    def __call__(self, groups: Sequence[Sequence[Array]], s: Array) -> Array:
        # Leibniz: (h^n e^{sh})[h_0..h_k] = sum_j (h^n)[h_0..h_j] s^{k-j} exp[s h_j..s h_k], nodes of largest weight first;
        # (h^n)[h_0..h_j] is the complete homogeneous symmetric polynomial of degree n - j. Here with h = -+u, u <= 0.
        (nodes,) = groups
        order = len(nodes) - 1
        u = _sorted([-jnp.abs(h) for h in nodes])
        x = [jnp.maximum(jnp.abs(s) * v, -FAR) for v in u]
        total = jnp.zeros_like(x[0])
        for j in range(min(self.power, order) + 1):
            polynomial = _symmetric(u[order - j :], self.power - j)[-1]
            total = total + polynomial * jnp.abs(s) ** (order - j) * _exp_sorted(x[: order - j + 1])
        return total if (self.power + order) % 2 == 0 else jnp.where(s > 0, total, -total)


def _exp_pair(larger: Array, gap: Array) -> Array:
    """`exp[x, y] = e^max (1 - e^-gap) / gap`."""
    safe = jnp.where(gap > 0, gap, 1)
    return jnp.exp(larger) * jnp.where(gap > 0, -jnp.expm1(-safe) / safe, 1)


def _exp_sorted(nodes: list[Array]) -> Array:
    if len(nodes) == 1:
        return jnp.exp(nodes[0])
    return _climb(nodes, [_exp_pair(y, y - x) for x, y in itertools.pairwise(nodes)], 2, _exp_near)


def _exp_near(nodes: list[Array], center: Array, spread: Array) -> tuple[Array, Array]:
    """Taylor: `exp[x_0..x_k] = e^c sum_n h_n(x_0 - c, ..., x_k - c) / (n + k)!`, for nodes within 1 of the center `c`.

    `h_n` are the complete homogeneous symmetric polynomials.
    """
    order, close = len(nodes) - 1, spread < 2
    symmetric = _symmetric([jnp.where(close, node - center, 0) for node in nodes], _TAYLOR_TERMS)
    series = sum(symmetric[n] * (1 / math.factorial(n + order)) for n in reversed(range(_TAYLOR_TERMS + 1)))
    return close, jnp.exp(center) * series


def _symmetric(nodes: list[Array], degree: int) -> list[Array]:
    """Complete homogeneous symmetric polynomials of degrees 0 to `degree`, grown one node at a time."""
    polynomials = [jnp.ones_like(nodes[0])] + [jnp.zeros_like(nodes[0])] * degree
    for node in nodes:
        for n in range(1, degree + 1):
            polynomials[n] = polynomials[n] + node * polynomials[n - 1]
    return polynomials


@dataclasses.dataclass(frozen=True)
class Analytic:
    """An analytic function of one variable.

    Args:
        value: the function, elementwise, of real or complex arrays; a module-level function, since it keys compilations.
        radius: `radius(x)`, for real `x`, is at most the distance to the nearest singularity of `value`, and small enough
            that `value` changes by a moderate factor within half of it: that factor times eps is the accuracy.
        first: optionally the divided difference `f[x, y]` in a closed form that is accurate for all nodes.
        is_complex: whether `value` is complex on the real axis.
    """

    value: Callable[[Array], Array]
    radius: Callable[[Array], Array]
    first: Callable[[Array, Array], Array] | None = None
    is_complex: bool = False
    variables: int = 1

    def __call__(self, groups: Sequence[Sequence[Array]]) -> Array:
        (nodes,) = groups
        return one_variable(self.value, self.radius, nodes, self.is_complex, self.first)


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A function `F(x, y)` analytic in each variable, for spectral maps; its arguments are as in `Analytic`.

    `radius` serves both variables, so it must hold for either with the other within half of `radius` of the real axis.
    """

    value: Callable[[Array, Array], Array]
    radius: Callable[[Array], Array]
    is_complex: bool = False
    variables: int = 2

    def __call__(self, groups: Sequence[Sequence[Array]]) -> Array:
        left, right = groups

        def after_right(x):
            def section(y):
                return self.value(x, y)

            return one_variable(section, self.radius, right, self.is_complex or jnp.iscomplexobj(x))

        return one_variable(after_right, self.radius, left, self.is_complex)


def one_variable(value, radius, nodes: Sequence[Array], is_complex: bool, first=None) -> Array:
    """`f[x_0, ..., x_k]`: by the contour where the nodes are close on the scale of `radius`, else by differences."""
    if len(nodes) == 1:
        return value(nodes[0])
    if len(nodes) == 2 and first is not None:
        return first(*nodes)
    nodes = _sorted(nodes)

    def near(window, center, spread):
        scale = radius(center)
        # a center that happens to lie on a singularity, where no radius is one, is told by the radius of an end
        close = (spread < scale / 4) & (spread < radius(window[0]))
        return close, _contour(value, center, scale / 2, window, close, is_complex)

    if first is None:
        return _climb(nodes, [value(x) for x in nodes], 1, near)
    return _climb(nodes, [first(x, y) for x, y in itertools.pairwise(nodes)], 2, near)


def _climb(nodes: list[Array], table: list[Array], order: int, near) -> Array:
    """From the differences of one order less than `order`, of adjacent nodes, to the one of all nodes (Newton's table).

    `near(window, center, spread)` says where a window of nodes is too close for a quotient, and what stands there.
    """
    for k in range(order, len(nodes)):
        windows = [nodes[j : j + k + 1] for j in range(len(nodes) - k)]
        quotients = zip(windows, itertools.pairwise(table), strict=True)
        table = [_quotient(window, lower, upper, near) for window, (lower, upper) in quotients]
    (answer,) = table
    return answer


def _quotient(window: list[Array], lower: Array, upper: Array, near) -> Array:
    spread, center = window[-1] - window[0], (window[0] + window[-1]) / 2
    close, value = near(window, center, spread)
    return jnp.where(close, value, (upper - lower) / jnp.where(close, 1, spread))


def _contour(value, center, radius, nodes, close, is_complex: bool) -> Array:
    """Cauchy: `f[x_0..x_k] = (1 / 2 pi i) contour integral of f(z) / prod_j (z - x_j)` by the trapezoid rule.

    With the nodes within a quarter of the circle's radius and the singularities beyond twice it, the error is
    4^-N + 2^-N for N points. A real `f` needs the upper half circle only. `f(center)` is taken off, it contributes
    nothing, so that the rounding scales with the variation of `f`.
    """
    dtype = jnp.result_type(center.dtype, jnp.complex64)
    offsets = [jnp.where(close, node - center, 0) / radius for node in nodes]
    reference = value(center)
    points = _CONTOUR_POINTS if is_complex else _CONTOUR_POINTS // 2

    phases = jnp.asarray(np.exp(2j * np.pi * (np.arange(points) + 0.5) / _CONTOUR_POINTS), dtype)

    def add_point(n, total):
        phase = phases[n]
        product = math.prod((phase - offset for offset in offsets[1:]), start=phase - offsets[0])
        weight = phase * jnp.conj(product) / (product.real**2 + product.imag**2)  # |product| is of order 1
        return total + weight * (value(center + radius * phase) - reference)

    shape = jnp.broadcast_shapes(reference.shape, *(offset.shape for offset in offsets))  # `value` may hold other nodes
    total = jax.lax.fori_loop(0, points, add_point, jnp.zeros(shape, dtype)) / _CONTOUR_POINTS
    if not is_complex:
        total = 2 * total.real
    return total / radius ** (len(nodes) - 1)


def _sorted(nodes: Sequence[Array]) -> list[Array]:
    """Elementwise ascending, by exchanges of neighbours: XLA fuses them, which it does not do with its `sort`."""
    nodes = list(nodes)
    for last in range(len(nodes) - 1, 0, -1):
        for k in range(last):
            nodes[k], nodes[k + 1] = jnp.minimum(nodes[k], nodes[k + 1]), jnp.maximum(nodes[k], nodes[k + 1])
    return list(jnp.broadcast_arrays(*nodes))
