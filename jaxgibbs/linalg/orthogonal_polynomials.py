"""Orthogonal polynomials of a discrete measure, and Gauss's quadrature: from a measure to a chain, and from a chain to a star.

The polynomials of `sum_q w_q delta(x - x_q)` obey `x p_j = b_{j+1} p_{j+1} + a_j p_j + b_j p_{j-1}`. The tridiagonal matrix of
`a` and `b` has the nodes of Gauss's rule as eigenvalues (Golub & Welsch 1969). The recurrence is found by Stieltjes's procedure
on the nodes, each polynomial orthogonalised against all before it (Gautschi 2004).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .eigen import matmul
from .hermitian import decompose, single_levels
from .lanczos import Tridiagonal


def recurrence(nodes: Float[Array, " nodes"], weights: Float[Array, " nodes"], count: int) -> Tridiagonal:
    """The first `count` coefficients `a_j` (diagonal) and `b_{j+1}` (off-diagonal), and the square root of the total weight.

    Args:
        nodes: `x_q`.
        weights: `w_q >= 0`, not all zero; where they vanish they keep their derivatives.
        count: at most the number of nodes with a weight; the last `b` is then rounding.
    """

    def step(carry, index):
        basis, before, now, last = carry
        basis = basis.at[index].set(now)
        diagonal = jnp.sum(weights * nodes * now**2)
        following = (nodes - diagonal) * now - last * before
        for _ in range(2):
            following = following - matmul(basis.T, matmul(basis, weights * following))
        square = jnp.sum(weights * following**2)
        norm = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
        following = following / jnp.where(norm > 0, norm, 1)
        return (basis, now, following, norm), (diagonal, norm)

    total = jnp.sum(weights)
    first = jnp.ones_like(nodes) / jnp.sqrt(total)
    carry = (jnp.zeros((count, len(nodes)), first.dtype), jnp.zeros_like(first), first, jnp.zeros_like(total))
    _, (diagonal, off_diagonal) = jax.lax.scan(step, carry, jnp.arange(count))
    return Tridiagonal(diagonal, off_diagonal, jnp.sqrt(total))


def gauss_rule(tridiagonal: Tridiagonal) -> tuple[Float[Array, " depth"], Float[Array, " depth"]]:
    """Nodes, ascending, and weights of Gauss's rule, exact for polynomials of degree `2 depth - 1`; differentiable once.

    A weight is the inverse of `sum_j p_j(x)^2`, by the recurrence.
    """
    nodes = single_levels(decompose(tridiagonal.to_dense()))

    def step(carry, coefficients):
        before, now, last, total = carry
        diagonal, norm = coefficients
        following = ((nodes - diagonal) * now - last * before) / norm
        return (now, following, norm, total + following**2), None

    first = jnp.ones_like(nodes) / tridiagonal.norm
    carry = (jnp.zeros_like(nodes), first, jnp.zeros_like(tridiagonal.norm), first**2)
    inner = (tridiagonal.diagonal[:-1], tridiagonal.off_diagonal[:-1])
    return nodes, 1 / jax.lax.scan(step, carry, inner)[0][3]
