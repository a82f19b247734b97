"""Maps on matrices: partial traces of composite systems, and linear maps of matrices as matrices themselves."""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact


def partial_trace(
    matrix: Inexact[Array, "dim dim"], dims: Sequence[int], keep: int | Sequence[int]
) -> Inexact[Array, "kept kept"]:
    """Trace out all subsystems but `keep`.

    Args:
        matrix: on the product of subsystems of dimensions `dims`; subsystem 0 is the left-most factor.
        dims: the dimensions, their product is `dim`.
        keep: the subsystems kept, one index or several; the answer has them in this order.

    Raises:
        ValueError: if `dims` do not multiply to `dim`, or `keep` names a subsystem twice or one that is not there.
    """
    keep = (keep,) if isinstance(keep, int) else tuple(keep)
    dims = tuple(dims)
    if math.prod(dims) != matrix.shape[-1]:
        raise ValueError(
            f"`dims` must multiply to the dimension {matrix.shape[-1]}, but {dims} multiply to {math.prod(dims)}."
        )
    if len(set(keep)) != len(keep) or not all(0 <= k < len(dims) for k in keep):
        raise ValueError(f"`keep` must name different subsystems among 0 ... {len(dims) - 1}, but is {keep}.")
    count = len(dims)
    rows = list(range(count))
    columns = [count + k if k in keep else k for k in range(count)]
    tensor = jnp.asarray(matrix).reshape(*dims, *dims)
    reduced = jnp.einsum(tensor, rows + columns, [*keep, *(count + k for k in keep)])
    size = math.prod(dims[k] for k in keep)
    return reduced.reshape(size, size)


def vectorize(matrix: Inexact[Array, "*batch dim dim"]) -> Inexact[Array, "*batch dim_squared"]:
    """The columns of a matrix stacked: `vec(A X B) = (B^T kron A) vec(X)`, and `vec(A)^dagger vec(B) = Tr(A^dagger B)`."""
    dim = matrix.shape[-1]
    return jnp.swapaxes(matrix, -1, -2).reshape(*matrix.shape[:-2], dim * dim)


def unvectorize(vector: Inexact[Array, "*batch dim_squared"]) -> Inexact[Array, "*batch dim dim"]:
    """The matrix whose stacked columns are `vector`: the inverse of `vectorize`.

    Raises:
        ValueError: if the length of `vector` is no square.
    """
    dim = math.isqrt(vector.shape[-1])
    if dim * dim != vector.shape[-1]:
        raise ValueError(f"`vector` must have the length of a square, dim^2, but has length {vector.shape[-1]}.")
    return jnp.swapaxes(vector.reshape(*vector.shape[:-1], dim, dim), -1, -2)


def superoperator(
    linear_map: Callable[[Inexact[Array, "dim dim"]], Inexact[Array, "dim dim"]], dim: int, dtype
) -> Inexact[Array, "dim_squared dim_squared"]:
    """The matrix of a linear map on matrices, which acts on stacked columns (see `vectorize`).

    Args:
        linear_map: from matrices of shape `(dim, dim)` to such matrices, linear over the complex numbers.
        dim: the dimension.
        dtype: complex, of the answer.
    """
    units = unvectorize(jnp.eye(dim * dim, dtype=dtype))
    return jnp.swapaxes(vectorize(jax.vmap(linear_map)(units)), 0, 1)
