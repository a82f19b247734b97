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


def no_levels(operator: AbstractOperator) -> Levels:
    """Nothing deflated."""
    nothing = jnp.zeros(0, jnp.result_type(float))
    return Levels(nothing, jnp.zeros((0, operator.dim), operator.dtype), nothing, jnp.zeros(0, bool), ())


def extreme_levels(
    operator: AbstractOperator, ends: tuple[int, ...], key, found: Levels, layout: Layout = None
) -> Levels:
    """`found`, and one eigenpair more for each of `ends`: the next lowest for 1, the next highest for -1.

    Each by Lanczos with restarts until its residual is small. A pair is accepted at a residual of `sqrt(eps)` times the width
    of the spectrum: its energy, and what the coupling to the complement changes, are then right to eps, of second order in
    the residual.
    """
    wide = jnp.result_type(float)
    product, before = operator.linear_map(), len(found.ends)

    def find(vectors, now):
        index, end = now
        sign = end.astype(jnp.finfo(operator.dtype).dtype)
        start = jax.random.normal(jax.random.fold_in(key, index), (operator.dim,), operator.dtype)
        start = split_vectors(start, layout)
        found = _lowest(lambda v: sign * complement(product(v), vectors), complement(start, vectors), vectors)
        vector, energy, residual, accepted = found
        vectors = vectors.at[index].set(jnp.where(accepted, vector, 0))
        return vectors, (sign * energy.astype(wide), residual.astype(wide), accepted)

    vectors = jnp.concatenate([found.vectors, jnp.zeros((len(ends), operator.dim), operator.dtype)])
    vectors = split_vectors(vectors, layout)
    indices = jnp.arange(before, before + len(ends))
    vectors, found_now = jax.lax.scan(find, vectors, (indices, jnp.asarray(ends)))
    earlier = found.energies, found.residuals, found.converged
    joined = (jnp.concatenate(pair) for pair in zip(earlier, found_now, strict=True))
    energies, residuals, converged = joined
    return Levels(energies, vectors, residuals, converged, found.ends + ends)


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
