"""The lowest and the highest levels of a large operator, one after the other, in the complement of those found."""

import jax
import jax.numpy as jnp

from jaxgibbs.linalg import matmul
from jaxgibbs.linalg.lanczos import krylov_combinations, lanczos, ritz
from jaxgibbs.operators import AbstractOperator

from .quadrature import Levels, complement, projected

_DEPTH = 60  # dimension of the Krylov space between restarts
_RESTARTS = 12


def extreme_levels(operator: AbstractOperator, count: int, key) -> Levels:
    """`count` lowest and `count` highest eigenpairs, each by Lanczos with restarts until its residual is small.

    A pair is accepted at a residual of `sqrt(eps)` times the width of the spectrum: its energy, and what the coupling to the
    complement changes, are then right to eps, of second order in the residual.
    """
    real = jnp.finfo(operator.dtype).dtype
    wide = jnp.result_type(float)
    dim, product = operator.dim, operator.linear_map()
    vectors = jnp.zeros((0, dim), operator.dtype)
    energies, residuals, converged = [], [], []
    depth = min(_DEPTH, dim)
    for index in range(2 * count):
        column = 0 if index < count else -1
        inside, found = projected(product, vectors), vectors

        def improve(state, inside=inside, found=found, column=column):
            vector, _, _, _, restarts = state
            tridiagonal = lanczos(inside, vector, depth)
            values, basis = ritz(tridiagonal)
            # Entries of T beyond an invariant space may have the same eigenvalue: what of the start lies at the edge counts.
            rounding = 64 * jnp.finfo(real).eps * jnp.max(jnp.abs(values))
            edge = jnp.where(jnp.abs(values - values[column]) <= rounding, basis[0], 0)
            vector = krylov_combinations(inside, vector, tridiagonal, matmul(basis, edge)[:, None])[0]
            vector = complement(vector, found)
            vector = vector / jnp.linalg.norm(vector)
            image = inside(vector)
            energy = jnp.vdot(vector, image, precision="highest").real
            residual = jnp.linalg.norm(image - energy * vector)
            width = jnp.maximum(values[-1] - values[0], jnp.max(jnp.abs(values)))
            return vector, energy, residual, width, restarts + 1

        def unfinished(state):
            _, _, residual, width, restarts = state
            return (residual > _allowed(width)) & (restarts < _RESTARTS)

        start = complement(jax.random.normal(jax.random.fold_in(key, index), (dim,), operator.dtype), found)
        zero = jnp.zeros((), real)
        state = (start, zero, zero + jnp.inf, zero, 0)
        vector, energy, residual, width, _ = jax.lax.while_loop(unfinished, improve, state)
        accepted = residual <= _allowed(width)
        vectors = jnp.concatenate([vectors, jnp.where(accepted, vector, 0)[None]])
        energies.append(energy)
        residuals.append(residual)
        converged.append(accepted)

    def stacked(entries, dtype):
        return jnp.stack(entries).astype(dtype) if entries else jnp.zeros((0,), dtype)

    return Levels(stacked(energies, wide), vectors, stacked(residuals, wide), stacked(converged, bool))


def _allowed(width):
    return jnp.sqrt(jnp.finfo(width.dtype).eps) * width
