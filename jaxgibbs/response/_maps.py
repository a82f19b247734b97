"""Operators of response functions as products with vectors: Hermitian or not, without a matrix where there is none."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact

from jaxgibbs.linalg import dagger, matmul
from jaxgibbs.operators import AbstractOperator

from ._thermal import operator_matrix

Map = Callable[[Inexact[Array, " dim"]], Inexact[Array, " dim"]]


def checked_map(name: str, operator: Any, dim: int, dtype) -> Any:
    """An operator of this dimension, a matrix, or a linear function of vectors; as it is, for what follows inside `jit`."""
    if isinstance(operator, AbstractOperator):
        if operator.dim != dim:
            raise ValueError(f"`{name}` must have the dimension of the Hamiltonian, {dim}, but has {operator.dim}.")
        return operator
    if not callable(operator):
        return operator_matrix(name, operator, dim)
    image = jax.eval_shape(lambda v: operator(v), jax.ShapeDtypeStruct((dim,), dtype))
    if getattr(image, "shape", None) != (dim,):
        raise ValueError(f"`{name}` must take vectors of shape {(dim,)} to such, but makes {image} of one.")
    return operator


def map_of(operator: Any) -> Map:
    """`v -> B v`."""
    if isinstance(operator, AbstractOperator):
        product = operator.linear_map()
        return lambda v: product(v.astype(jnp.result_type(v, operator.dtype)))
    if isinstance(operator, jax.Array):
        return lambda v: matmul(operator, v)
    return operator


def adjoint_map(operator: Any, like: Inexact[Array, " dim"]) -> Map:
    """`v -> B^dagger v` on vectors of the dtype of `like`."""
    if isinstance(operator, AbstractOperator):
        return map_of(operator)
    if not callable(operator):
        return map_of(dagger(operator))
    image = jax.eval_shape(lambda v: operator(v), like)
    transposed = jax.linear_transpose(operator, like)

    def adjoint(v):
        (value,) = transposed(jnp.conj(v).astype(image.dtype))
        return jnp.conj(value)

    return adjoint
