"""BiCGStab for real linear maps, with a preconditioner from the right, judged on the true residual.

Reference: van der Vorst, SIAM J. Sci. Stat. Comput. 13, 631 (1992).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

_ROUNDS = 6  # refinements at most


class Iterated(NamedTuple):
    """The best `x` found, the norm of `b - A x` recomputed at it, and how many steps it took."""

    x: Float[Array, "*shape"]
    residual: Float[Array, ""]
    steps: Int[Array, ""]


class _State(NamedTuple):
    y: Array
    r: Array
    p: Array
    rho: Array
    norm: Array
    steps: Array


def bicgstab(
    operator: Callable[[Array], Array],
    preconditioned: Callable[[Array], Array],
    preconditioner: Callable[[Array], Array],
    right_hand_side: Float[Array, "*shape"],
    start: Float[Array, "*shape"] | None,
    *,
    tolerance: Float[Array, ""],
    max_steps: int,
) -> Iterated:
    """Solve `A x = b` by `A P^-1 y = b - A x_0`, `x = x_0 + P^-1 y`, and again from there until the true residual is small.

    Args:
        operator: `A`, for the true residual alone.
        preconditioned: `A P^-1`, which may be cheaper than its factors.
        preconditioner: `P^-1`.
        right_hand_side: `b`, of any shape.
        start: `x_0`, zero if `None`.
        tolerance: the norm of the residual at which to stop.
        max_steps: of all rounds together; a step has two products.
    """
    b = right_hand_side
    x = jnp.zeros_like(b) if start is None else start
    residual = b if start is None else b - operator(x)
    first = (x, residual, _norm(residual), jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32), jnp.array(True))

    def improve(carry):
        x, residual, norm, steps, rounds, _ = carry
        end = _round(preconditioned, residual, tolerance / 2, max_steps - steps)
        trial = x + preconditioner(end.y)
        left = b - operator(trial)
        size = _norm(left)
        better = size < norm
        going_on = size < norm / 2
        x, residual, norm = (jnp.where(better, new, old) for new, old in ((trial, x), (left, residual), (size, norm)))
        return x, residual, norm, steps + end.steps, rounds + 1, going_on

    def wanting(carry):
        _, _, norm, steps, rounds, going_on = carry
        return (norm > tolerance) & going_on & (steps < max_steps) & (rounds < _ROUNDS)

    x, _, norm, steps, _, _ = jax.lax.while_loop(wanting, improve, first)
    return Iterated(x, norm, steps)


def _round(preconditioned, residual, tolerance, max_steps) -> _State:
    """One run from `y = 0`, until its own recurrence says that the residual is small, or breaks down."""
    shadow = residual
    square = _dot(residual, residual)

    def step(s: _State) -> _State:
        v = preconditioned(s.p)
        alpha = s.rho / _dot(shadow, v)
        half = s.r - alpha * v
        t = preconditioned(half)
        length = _dot(t, t)
        omega = jnp.where(length > 0, _dot(t, half) / jnp.where(length > 0, length, 1), 0)
        r = half - omega * t
        rho = _dot(shadow, r)
        beta = rho / s.rho * (alpha / omega)
        return _State(
            s.y + alpha * s.p + omega * half, r, r + beta * (s.p - omega * v), rho, jnp.sqrt(_dot(r, r)), s.steps + 1
        )

    def guarded(s: _State) -> _State:
        new = step(s)
        fine = jnp.isfinite(new.norm) & (new.norm < s.norm * 1e8)
        kept = jax.tree_util.tree_map(lambda n, o: jnp.where(fine, n, o), new, s)
        return kept._replace(norm=jnp.where(fine, new.norm, 0), steps=new.steps)  # a norm of 0 ends the round

    def running(s: _State):
        return (s.norm > tolerance) & (s.steps < max_steps)

    first = _State(jnp.zeros_like(residual), residual, residual, square, jnp.sqrt(square), jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(running, guarded, first)


def _dot(a, b):
    return jnp.sum(a * b)


def _norm(a):
    return jnp.sqrt(_dot(a, a))
