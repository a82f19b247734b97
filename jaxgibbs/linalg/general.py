"""Decompositions of matrices that are not Hermitian, and their batches: on a CPU one matrix after the other.

jaxlib's batched LAPACK calls on a CPU wait, on a thread of the pool, for work queued to the same pool: several at once never
finish. Here a batch is a loop over single calls there, and one call elsewhere. None of these functions has a derivative.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Complex, Float, Inexact, Int


class Eigensystem(NamedTuple):
    """`A = V diag(values) V^-1`, with `V` and `V^-1`, and the condition number of `V` in the Frobenius norm, over `dim`."""

    values: Complex[Array, " dim"]
    vectors: Complex[Array, "dim dim"]
    inverse: Complex[Array, "dim dim"]
    condition: Float[Array, ""]


class Factors(NamedTuple):
    """`A[order] = L U`: both triangles in one matrix, and the order of the rows."""

    triangles: Inexact[Array, "dim dim"]
    order: Int[Array, " dim"]


def one_by_one(function: Callable) -> Callable:
    """`function` of arrays (or pytrees of them), whose `vmap` on a CPU is a loop over single calls."""
    single = custom_vmap(function)

    @single.def_vmap
    def over_a_batch(size, batched, *arguments):
        def aligned(leaf, has_axis):
            return leaf if has_axis else jnp.broadcast_to(leaf, (size, *jnp.shape(leaf)))

        arguments = jax.tree_util.tree_map(aligned, arguments, tuple(batched))
        answers = jax.lax.platform_dependent(
            *arguments,
            cpu=lambda *each: jax.lax.map(lambda one: single(*one), each),
            default=jax.vmap(function),
        )
        return answers, jax.tree_util.tree_map(lambda _: True, answers)

    return single


@one_by_one
def _eig(matrix):
    values, vectors = jnp.linalg.eig(matrix)
    inverse = jnp.linalg.inv(vectors)
    return Eigensystem(values, vectors, inverse, jnp.linalg.norm(vectors) * jnp.linalg.norm(inverse) / matrix.shape[-1])


def eig(matrix: Inexact[Array, "dim dim"]) -> Eigensystem:
    """Eigenvalues in no order, eigenvectors as columns of unit length, their inverse and how ill-conditioned they are.

    For CPUs; few accelerators have such a solver.
    """
    return Eigensystem(*jax.lax.stop_gradient(_eig(jax.lax.stop_gradient(matrix))))


@one_by_one
def _factorise(matrix):
    triangles, _, order = jax.lax.linalg.lu(matrix)
    return Factors(triangles, order)


def lu_factor(matrix: Inexact[Array, "dim dim"]) -> Factors:
    """Gaussian elimination with row exchanges."""
    return Factors(*jax.lax.stop_gradient(_factorise(jax.lax.stop_gradient(matrix))))


@one_by_one
def _solve(factors, right_hand_side):
    triangles, order = factors
    x = right_hand_side[order]
    x = _triangular(triangles, x, lower=True, unit_diagonal=True)
    return _triangular(triangles, x)


@one_by_one
def _solve_transposed(factors, right_hand_side):
    triangles, order = factors
    x = _triangular(triangles, right_hand_side, transpose_a=True)
    x = _triangular(triangles, x, lower=True, unit_diagonal=True, transpose_a=True)
    return jnp.zeros_like(x).at[order].set(x, unique_indices=True)


def _triangular(triangles, b, **knobs):
    columns = b if b.ndim == 2 else b[:, None]
    return jax.lax.linalg.triangular_solve(triangles, columns, left_side=True, **knobs).reshape(b.shape)


def lu_solve(
    factors: Factors, right_hand_side: Inexact[Array, "dim *count"], *, transposed: bool = False
) -> Inexact[Array, "dim *count"]:
    """`A^-1 b`, or `A^-T b`, of one vector or of the columns of a matrix."""
    return (_solve_transposed if transposed else _solve)(factors, right_hand_side)


def null_spaces(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Orthonormal bases, as columns, of `A x = 0` and of `y^T A = 0`, for a real matrix that has values, and their rounding.

    Singular values below `1e3 eps` times the largest count as zero. The rounding is an angle: eps over the smallest other one,
    relative to the largest.
    """
    left, values, right = np.linalg.svd(matrix)
    eps = float(np.finfo(matrix.dtype).eps)
    zero = values <= 1e3 * eps * values[0]
    smallest = float(np.min(values, where=~zero, initial=values[0]))
    return right[zero].T, left[:, zero], eps * float(values[0]) / smallest if smallest > 0 else eps


def eigenvalues(matrix: np.ndarray) -> np.ndarray:
    """The eigenvalues of a matrix that has values, in no order."""
    return np.linalg.eigvals(matrix)
