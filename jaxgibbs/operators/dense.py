"""A Hermitian matrix as an operator."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Inexact

from jaxgibbs._errors import check_hermitian, hermitian_tolerance, nan_unless
from jaxgibbs.linalg import dagger, matmul

from .base import AbstractOperator, inexact


class Dense(AbstractOperator):
    """A Hermitian matrix; its one leaf is the matrix.

    The derivative of a real quantity `F` with respect to a Hermitian matrix is the Hermitian matrix `G` with
    `dF = Tr(G dH)`; for `log Z` it is `-beta rho`. For a real matrix `jax.grad` returns `G`. For a complex
    matrix `jax.grad` returns, by JAX's convention, the complex conjugate of `G`; `hermitian_gradient` returns `G`.

    Args:
        matrix: shape `(dim, dim)`, real symmetric or complex Hermitian, in any unit of energy.

    Raises:
        ValueError: if `matrix` is not square, empty, not finite or not Hermitian. Under a trace, where
            values cannot be read, a matrix that is not Hermitian becomes NaN instead.
    """

    matrix: Inexact[Array, "dim dim"]

    def __init__(self, matrix: ArrayLike):
        self.matrix = checked_matrix("matrix", matrix)

    @property
    def dim(self) -> int:
        return self.matrix.shape[-1]

    @property
    def dtype(self):
        return self.matrix.dtype

    def to_dense(self):
        return hermitian_or_nan(self.matrix)

    def matvec(self, vector):
        return self.linear_map()(vector)

    def linear_map(self):
        matrix = self.to_dense()
        return lambda vector: matmul(matrix, vector)


def checked_matrix(name: str, matrix: Any) -> Inexact[Array, "dim dim"]:
    """`matrix` (an array, nested lists or a scipy.sparse matrix) as an array, refused unless Hermitian."""
    matrix = inexact(matrix.toarray() if hasattr(matrix, "toarray") else matrix)
    check_hermitian(name, matrix)
    return matrix


@jax.jit
def hermitian_or_nan(matrix: Inexact[Array, "dim dim"]) -> Inexact[Array, "dim dim"]:
    """The Hermitian part of a matrix that is Hermitian up to rounding, NaN for others: the check that a trace allows."""
    value = jax.lax.stop_gradient(matrix)
    scale = jnp.max(jnp.abs(value))
    unit = value / jnp.where(scale > 0, scale, 1)
    defect = jnp.linalg.norm(unit - dagger(unit))
    hermitian = defect <= hermitian_tolerance(matrix.dtype) * jnp.linalg.norm(unit)
    return nan_unless(hermitian, (matrix + dagger(matrix)) / 2)


def as_operator(operator) -> AbstractOperator:
    """`operator` itself, or a plain Hermitian matrix wrapped in `Dense`.

    Raises:
        ValueError: if it is neither.
    """
    if isinstance(operator, eqx.Module) and not isinstance(operator, AbstractOperator):
        part = "; pass its `hamiltonian`" if hasattr(operator, "hamiltonian") else ""
        raise ValueError(
            f"An operator or a Hermitian matrix must be given, but this is a `{type(operator).__name__}`{part}."
        )
    return operator if isinstance(operator, AbstractOperator) else Dense(operator)


def hermitian_gradient(function):
    """The gradient of a real `function(matrix, *args)` as the Hermitian matrix `G` with `dF = Tr(G dH)`.

    `matrix` may be an array or a `Dense`; the answer has the same type. For a complex matrix it is the complex
    conjugate of what `jax.grad` returns.
    """

    def gradient(matrix, *args):
        return jax.tree_util.tree_map(jnp.conj, jax.grad(function)(matrix, *args))

    return gradient
