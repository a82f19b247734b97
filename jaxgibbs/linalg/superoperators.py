"""Maps on matrices of composite systems."""

import math
from collections.abc import Sequence

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
