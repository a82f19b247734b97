"""Hermitian matrices as real matrices: `R = Re X + Im X`, an isometry, since one is symmetric and the other antisymmetric.

Maps that keep matrices Hermitian become real, with a quarter of the work, and an adjoint becomes a transpose.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from jaxgibbs.linalg import matmul

from .generator import AbstractGenerator


def as_real(matrix: Complex[Array, "dim dim"]) -> Float[Array, "dim dim"]:
    """`R = Re X + Im X` of a Hermitian `X`; of another matrix, that of its Hermitian part once `as_hermitian` is applied."""
    return matrix.real + matrix.imag


def as_hermitian(matrix: Float[Array, "dim dim"]) -> Complex[Array, "dim dim"]:
    """`X = (R + R^T) / 2 + i (R - R^T) / 2`."""
    return jax.lax.complex((matrix + matrix.T) / 2, (matrix - matrix.T) / 2)


def real_part(matrix: Complex[Array, "dim dim"]) -> Float[Array, "dim dim"]:
    """The real form of the Hermitian part `(A + A^dagger) / 2` of any matrix."""
    return (matrix.real + matrix.real.T + matrix.imag - matrix.imag.T) / 2


class Congruence:
    """`X -> A X A^dagger` in real form: two real products, one of them with both parts of `A` stacked."""

    def __init__(self, matrix: Complex[Array, "dim dim"]):
        real, imaginary = matrix.real, matrix.imag
        self.left = jnp.block([[real, -imaginary], [imaginary, real]])
        self.right = jnp.concatenate([(real - imaginary).T, (real + imaginary).T])

    def __call__(self, matrix: Float[Array, "dim dim"]) -> Float[Array, "dim dim"]:
        dim = matrix.shape[-1]
        half = matmul(self.left, jnp.concatenate([(matrix + matrix.T) / 2, (matrix - matrix.T) / 2]))
        return matmul(jnp.concatenate([half[:dim], half[dim:]], axis=1), self.right)


def real_map(generator: AbstractGenerator):
    """`L` in real form."""
    apply = generator.linear_map()
    return lambda matrix: as_real(apply(as_hermitian(matrix)))


def real_adjoint_map(generator: AbstractGenerator):
    """`L^+` in real form, the transpose of `real_map`."""
    apply = generator.adjoint_map()
    return lambda matrix: as_real(apply(as_hermitian(matrix)))


def real_superoperator(generator: AbstractGenerator) -> Float[Array, "dim_squared dim_squared"]:
    """The matrix of `real_map` on stacked rows: `M[ij, kl] = Re L[ij, kl] + Im L[ij, lk]`."""
    dim = generator.dim
    drift = -1j * generator.effective_hamiltonian()
    real, imaginary, one = drift.real, drift.imag, jnp.eye(dim, dtype=drift.real.dtype)
    no_jump = (
        jnp.einsum("ik,jl->ijkl", real, one)
        + jnp.einsum("ik,jl->ijkl", one, real)
        + jnp.einsum("il,jk->ijkl", imaginary, one)
        - jnp.einsum("il,jk->ijkl", one, imaginary)
    ).reshape(dim * dim, dim * dim)
    if not generator.baths:
        return no_jump
    jump = generator.jump_map()
    units = jnp.eye(dim * dim, dtype=one.dtype).reshape(dim * dim, dim, dim)
    images = jax.vmap(lambda unit: as_real(jump(as_hermitian(unit))))(units)
    return no_jump + images.reshape(dim * dim, dim * dim).T
