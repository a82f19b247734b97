"""The lowest and the highest levels of a large operator, one after the other, in the complement of those found."""

import jax
import jax.numpy as jnp

from jaxgibbs.linalg import matmul
from jaxgibbs.linalg.lanczos import krylov_combinations, lanczos, ritz
from jaxgibbs.operators import AbstractOperator

from .layout import Layout, split_vectors
from .quadrature import Levels, complement

_DEPTH = 60  # dimension of the Krylov space between restarts
_RESTARTS = 12


def extreme_levels(operator: AbstractOperator, count: int, key, layout: Layout = None) -> Levels:
    """`count` lowest and `count` highest eigenpairs, each by Lanczos with restarts until its residual is small.

    A pair is accepted at a residual of `sqrt(eps)` times the width of the spectrum: its energy, and what the coupling to the
    complement changes, are then right to eps, of second order in the residual.
    """
    wide = jnp.result_type(float)
    product = operator.linear_map()

    def find(vectors, index):
        sign = jnp.where(index < count, 1, -1).astype(jnp.finfo(operator.dtype).dtype)
        start = jax.random.normal(jax.random.fold_in(key, index), (operator.dim,), operator.dtype)
        start = split_vectors(start, layout)
        found = _lowest(lambda v: sign * complement(product(v), vectors), complement(start, vectors), vectors)
        vector, energy, residual, accepted = found
        vectors = vectors.at[index].set(jnp.where(accepted, vector, 0))
        return vectors, (sign * energy.astype(wide), residual.astype(wide), accepted)

    vectors = split_vectors(jnp.zeros((2 * count, operator.dim), operator.dtype), layout)
    if count == 0:
        return Levels(jnp.zeros(0, wide), vectors, jnp.zeros(0, wide), jnp.zeros(0, bool))
    vectors, (energies, residuals, converged) = jax.lax.scan(find, vectors, jnp.arange(2 * count))
    return Levels(energies, vectors, residuals, converged)


def _lowest(product, start, found):
    """The lowest eigenpair, its residual, and whether that is small enough."""
    depth = min(_DEPTH, len(start))

    def allowed(width):
        return jnp.sqrt(jnp.finfo(width.dtype).eps) * width

    def improve(state):
        vector, _, _, _, restarts = state
        tridiagonal = lanczos(product, vector, depth)
        values, basis = ritz(tridiagonal)
        # Entries of T beyond an invariant space may have the same eigenvalue: what of the start lies at the edge counts.
        scale = jnp.max(jnp.abs(values))
        edge = jnp.where(values - values[0] <= 64 * jnp.finfo(values.dtype).eps * scale, basis[0], 0)
        vector = complement(krylov_combinations(product, vector, tridiagonal, matmul(basis, edge)[:, None])[0], found)
        vector = vector / jnp.linalg.norm(vector)
        image = product(vector)
        energy = jnp.vdot(vector, image, precision="highest").real
        residual = jnp.linalg.norm(image - energy * vector)
        return vector, energy, residual, scale, restarts + 1

    def unfinished(state):
        _, _, residual, width, restarts = state
        return (residual > allowed(width)) & (restarts < _RESTARTS)

    zero = jnp.zeros((), start.real.dtype)
    vector, energy, residual, width, _ = jax.lax.while_loop(unfinished, improve, (start, zero, zero + jnp.inf, zero, 0))
    return vector, energy, residual, residual <= allowed(width)
