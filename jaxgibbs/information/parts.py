"""Parts of a composite system: which subsystems they are, and matrices with those of one part in front."""

import math
import operator
from collections.abc import Sequence

import numpy as np
from jaxtyping import Array, Inexact

Part = int | Sequence[int]


def part_first(
    matrix: Inexact[Array, "dim dim"], dims: Sequence[int], part: Part
) -> tuple[Inexact[Array, "dim dim"], tuple[int, int]]:
    """The matrix with the subsystems of the part as the left factor, and the dimensions of the two."""
    dims, part = checked_part(matrix, dims, part)
    order = (*part, *(k for k in range(len(dims)) if k not in part))
    order = (*order, *(len(dims) + k for k in order))
    size = math.prod(dims[k] for k in part)
    return matrix.reshape(*dims, *dims).transpose(order).reshape(matrix.shape), (size, matrix.shape[0] // size)


def checked_part(
    matrix: Inexact[Array, "dim dim"], dims: Sequence[int], part: Part
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The dimensions and the subsystems of the part, as tuples of integers.

    Raises:
        ValueError: if the dimensions do not multiply to that of the matrix, or a subsystem is named twice or is not there.
    """
    dims = tuple(operator.index(dim) for dim in dims)
    part = tuple(operator.index(k) for k in (part if np.ndim(part) else (part,)))  # type: ignore[union-attr]
    if min(dims, default=1) < 1 or matrix.shape != (math.prod(dims), math.prod(dims)):
        raise ValueError(
            f"`dims` must be positive and multiply to the dimension of a square matrix of shape {matrix.shape}, but {dims} "
            f"multiply to {math.prod(dims)}; list every subsystem once, such as (2, 2) for two qubits."
        )
    if len(set(part)) != len(part) or not all(0 <= k < len(dims) for k in part):
        raise ValueError(f"`part` must name different subsystems among 0 ... {len(dims) - 1}, but is {part}.")
    return dims, part
