"""The operators through which a system couples to its baths, and the labels of the baths, checked at the door."""

from collections.abc import Hashable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from jaxgibbs._errors import is_concrete
from jaxgibbs.operators import as_operator


def coupling_matrices(operators: Sequence[Any], dim: int) -> Inexact[Array, "count dim dim"]:
    """Hermitian operators or matrices as one stack.

    Raises:
        ValueError: if there are none, or one is not Hermitian or not of shape `(dim, dim)`.
    """
    if len(operators) == 0:
        raise ValueError(
            "`couplings` must have at least one operator, but is empty; for none use `Lindbladian(hamiltonian, [])`."
        )
    matrices = []
    for number, operator in enumerate(operators):
        try:
            matrix = as_operator(operator).to_dense()
        except ValueError as error:
            raise ValueError(
                f"Coupling operator {number} must be a Hermitian matrix; couple a pair `L`, `L^dagger` as `L + L^dagger`. {error}"
            ) from error
        if matrix.shape != (dim, dim):
            raise ValueError(
                f"Coupling operator {number} must have the shape {(dim, dim)} of the Hamiltonian, but has shape {matrix.shape}; "
                "embed an operator of one part of a system by Kronecker products with identities."
            )
        matrices.append(matrix)
    return jnp.stack(matrices)


def bath_labels(labels: Sequence[Hashable] | None, betas: Sequence[Any]) -> tuple[Hashable, ...]:
    """A label for each coupling, `0, 1, ...` if not given; those with one label must have one temperature.

    Raises:
        ValueError: if there are not as many labels as couplings, or one label has two temperatures.
    """
    labels = tuple(range(len(betas))) if labels is None else tuple(labels)
    if len(labels) != len(betas):
        raise ValueError(f"`baths` must have one label for each of the {len(betas)} couplings, but has {len(labels)}.")
    for label, beta in zip(labels, betas, strict=True):
        first = betas[labels.index(label)]
        if is_concrete(first, beta) and np.asarray(first) != np.asarray(beta):
            raise ValueError(
                f"Bath {label!r} must have one temperature, but its couplings have `beta` {first} and {beta}."
            )
    return labels
