"""Norms of numbers whose squares are none: charges in any unit, and variances that reach 1e-270 near the edge."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def norm(values: Float[Array, "..."]) -> Float[Array, ""]:
    """The Frobenius norm."""
    largest = jnp.max(jnp.abs(values))
    return largest * jnp.linalg.norm(values / jnp.where(largest > 0, largest, 1))


def row_norms(rows: Float[Array, "rows columns"]) -> Float[Array, " rows"]:
    """The norm of each row."""
    largest = jnp.max(jnp.abs(rows), axis=-1)
    return largest * jnp.linalg.norm(rows / jnp.where(largest > 0, largest, 1)[:, None], axis=-1)
