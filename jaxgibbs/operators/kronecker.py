"""Independent parts: `H_1 x 1 + 1 x H_2 + ...`, never multiplied out."""

import math

import jax.numpy as jnp

from jaxgibbs._errors import check_room

from .base import AbstractOperator
from .dense import as_operator


class KroneckerSum(AbstractOperator):
    """`H_1 x 1 x ... + 1 x H_2 x ... + ...` on the product of the spaces of its parts.

    Then `Z = Z_1 Z_2 ...` and the state is a product. Part 0 is the left-most tensor factor.

    Args:
        parts: operators (or Hermitian matrices) of any kinds.

    Raises:
        ValueError: if there is no part.
    """

    parts: tuple[AbstractOperator, ...]

    def __init__(self, parts):
        self.parts = tuple(as_operator(part) for part in parts)
        if not self.parts:
            raise ValueError("`parts` must have at least one operator, but is empty.")

    @property
    def dim(self) -> int:
        return math.prod(part.dim for part in self.parts)

    @property
    def space(self) -> tuple:
        spaces = tuple(part.space for part in self.parts)
        plain = all(space[0] == "dimension" for space in spaces)
        return ("dimension", self.dim) if plain else ("a product of", *spaces)

    @property
    def dtype(self):
        return jnp.result_type(*(part.dtype for part in self.parts))

    def to_dense(self):
        matrices = [part.to_dense() for part in self.parts]
        check_room(
            f"The matrix of a sum over parts of dimension {self.dim} must have room for 2 dim^2 numbers",
            2 * self.dim**2,
            self.dtype,
            "leave the parts apart, as `gibbs_state` does, or use `linear_map`, which needs no matrix",
        )
        total = matrices[0]
        for right in matrices[1:]:
            left, new = (jnp.eye(matrix.shape[0], dtype=self.dtype) for matrix in (total, right))
            total = jnp.kron(total, new) + jnp.kron(left, right)
        return total

    def matvec(self, vector):
        return self.linear_map()(vector)

    def linear_map(self):
        matrices = [part.to_dense() for part in self.parts]

        def product(vector):
            tensor = vector.reshape([matrix.shape[0] for matrix in matrices])
            total = jnp.zeros_like(tensor, dtype=jnp.result_type(tensor, self.dtype))
            for axis, matrix in enumerate(matrices):
                part = jnp.tensordot(matrix, tensor, axes=(1, axis), precision="highest")
                total = total + jnp.moveaxis(part, 0, axis)
            return total.reshape(vector.shape)

        return product
