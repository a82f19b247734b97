"""From named couplings and the places where they act to `sum_k theta_k T_k`."""

import math
from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgibbs.operators.base import inexact
from jaxgibbs.operators.local import embedded_coordinates
from jaxgibbs.operators.terms import SparseTerms

Placement = tuple[np.ndarray, tuple[int, ...]]  # a matrix and the sites it acts on, in the order of its factors


def real_couplings(**values) -> dict[str, Array]:
    """Every value as a real inexact array, all of one dtype; Python numbers take the dtype of the arrays.

    Raises:
        ValueError: if a value is complex.
    """
    arrays = {name: inexact(float(v) if isinstance(v, int) else v) for name, v in values.items()}
    for name, value in arrays.items():
        if jnp.iscomplexobj(value):
            raise ValueError(
                f"`{name}` must be real, but has dtype {value.dtype}: a complex coupling is not Hermitian."
            )
    dtype = jnp.result_type(*arrays.values())
    return {name: jnp.asarray(value, dtype) for name, value in arrays.items()}


def check_shape(name: str, value: Array, *allowed: tuple[int, ...]) -> None:
    """Raise `ValueError` unless `value` has one of the shapes `allowed`."""
    if value.shape not in allowed:
        shapes = " or ".join(str(shape) for shape in dict.fromkeys(allowed))
        raise ValueError(f"`{name}` must have shape {shapes}, but has shape {value.shape}.")


def tied_or_each(placements: Sequence[Placement], tied: bool) -> list[list[Placement]]:
    """One term that holds all placements (for a scalar coupling), or one term a placement (for a vector)."""
    return [list(placements)] if tied else [[placement] for placement in placements]


def sparse_terms(dims: Sequence[int], terms: Mapping[str, Sequence[Sequence[Placement]]]) -> SparseTerms:
    """The terms of each named coupling, each the sum of its placements on sites of dimensions `dims`."""
    entries = []
    for placements in (placements for group in terms.values() for placements in group):
        coordinates = [embedded_coordinates(matrix, sites, dims) for matrix, sites in placements]
        nothing = (np.zeros(0, int), np.zeros(0, int), np.zeros(0))
        entries.append(tuple(np.concatenate(part) for part in zip(*coordinates or [nothing], strict=True)))
    return SparseTerms.from_entries(math.prod(dims), {name: len(group) for name, group in terms.items()}, entries)
