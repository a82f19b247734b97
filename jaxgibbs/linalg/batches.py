"""Batches over devices: a function of one stack of matrices, run on each device for the matrices that lie there.

The compiler splits an operation over devices by rules for what it knows. Of a loop over the matrices of a batch it knows none: it
would have every device work on all of them. `custom_partitioning` states the rule.
"""

import functools
from collections.abc import Callable

from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import NamedSharding, PartitionSpec


@functools.lru_cache(maxsize=256)
def where_they_lie(function: Callable, rank: int, answers: tuple[int, ...]) -> Callable:
    """`function` of a stack of matrices, as one operation that is split along its batch axes and along no others.

    With a single device, or where the program was split by hand (`jax.shard_map`), it is `function` itself.

    Args:
        function: from a stack of shape `(*batch, dim, dim)` to a tuple of arrays of shape `(*batch, ...)`.
        rank: number of the batch axes.
        answers: how many further axes, of length `dim`, each answer has.
    """
    split = custom_partitioning(lambda matrix: function(matrix))  # it refuses a `functools.partial`
    batch = " ".join(f"batch{axis}" for axis in range(rank))
    inner = ("row", "column")
    rule = f"{batch} row column -> " + ", ".join(" ".join((batch, *inner[:axes])) for axes in answers)

    def partition(mesh, matrices, results):
        (matrix,) = matrices
        if isinstance(matrix.sharding, NamedSharding):
            batch_only = NamedSharding(mesh, PartitionSpec(*matrix.sharding.spec[:rank]))
            return mesh, function, (batch_only,) * len(results), (batch_only,)
        # The inputs of the program have no mesh, so none of them is split along a matrix unless somebody did so inside.
        if matrix.sharding.shard_shape(matrix.shape)[rank:] != matrix.shape[rank:]:
            raise ValueError(
                "A matrix to decompose must lie on one device, but is split; put `with_sharding_constraint` on its batch."
            )
        return mesh, function, tuple(result.sharding for result in results), (matrix.sharding,)

    split.def_partition(partition, sharding_rule=rule, need_replication_factors=inner)
    return split
