"""dynamiqs: its arrays both ways; JAX arrays on both sides, so that this is traceable and differentiable."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Inexact

from jaxgibbs.operators import AbstractOperator

from ._strings import needed


def from_dynamiqs(array) -> Inexact[Array, "..."]:
    """The dense JAX array of a `QArray`, batch axes in front; a plain array stays as it is.

    Args:
        array: a dynamiqs `QArray`, dense or sparse, or an array.
    """
    needed("dynamiqs")
    return array.to_jax() if hasattr(array, "to_jax") else jnp.asarray(array)


def to_dynamiqs(value: Any, dims: Sequence[int] | None = None):
    """A dense `QArray` of an operator or an array.

    Args:
        value: an operator of this library, or an array of shape `(..., dim, dim)`.
        dims: dimensions of the subsystems, left-most first; one system by default.
    """
    dynamiqs = needed("dynamiqs")
    matrix = value.to_dense() if isinstance(value, AbstractOperator) else jnp.asarray(value)
    return dynamiqs.asqarray(matrix, dims=None if dims is None else tuple(int(d) for d in dims))
