"""Hermitian matrices as real matrices: `R = Re X + Im X`, an isometry, since one is symmetric and the other antisymmetric.

Maps that keep matrices Hermitian become real, with a quarter of the work, and an adjoint becomes a transpose.
"""

import functools
import operator
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxgibbs.linalg import dagger, matmul

from .generator import AbstractGenerator
from .jumps import Taken, sum_of_maps
from .lindbladian import Lindbladian
from .sums import GeneratorSum


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
    """`X -> A X A^dagger` in real form, by four real products, one of them of twice the length.

        R' = P (R P^T - R^T Q^T) + Q (R Q^T + R^T P^T),    A = P + i Q,

    where the brackets are the parts of `(R + i R^T) (P + i Q)^T`, a complex product made of three.
    """

    def __init__(self, matrix: Complex[Array, "dim dim"]):
        real, imaginary = matrix.real, matrix.imag
        self.inner = jnp.stack([real.T, imaginary.T, (real + imaginary).T])
        self.outer = jnp.concatenate([real, imaginary], axis=1)

    def __call__(self, matrix: Float[Array, "dim dim"]) -> Float[Array, "dim dim"]:
        one, two, mixed = matmul(jnp.stack([matrix, matrix.T, matrix + matrix.T]), self.inner)
        return matmul(self.outer, jnp.concatenate([one - two, mixed - one - two]))


Map = Callable[[Float[Array, "dim dim"]], Float[Array, "dim dim"]]


def real_map(generator: AbstractGenerator) -> Map:
    """`L` in real form."""
    return _sum(_real_drift(generator.drift()), real_jump_map(generator))


def real_adjoint_map(generator: AbstractGenerator) -> Map:
    """`L^+` in real form, the transpose of `real_map`."""
    return _sum(_real_drift(dagger(generator.drift())), real_jump_map(generator, adjoint=True))


def _sum(one: Map, other: Map) -> Map:
    return lambda matrix: one(matrix) + other(matrix)


def _real_drift(drift: Complex[Array, "dim dim"]) -> Map:
    """`X -> K X + X K^dagger`: `U + V^T`, `U = P R + Q R^T`, `V = P R^T - Q R`, for `K = P + i Q`."""
    dim = drift.shape[-1]
    both = jnp.block([[drift.real, drift.imag], [-drift.imag, drift.real]])

    def apply(matrix):
        halves = matmul(both, jnp.concatenate([matrix, matrix.T]))
        return halves[:dim] + halves[dim:].T

    return apply


def real_jump_map(generator: AbstractGenerator, *, adjoint: bool = False) -> Map:
    """`J`, or `J^+`, in real form. Real jump operators act on `R` as on `X`."""
    if isinstance(generator, GeneratorSum):
        maps = [real_jump_map(part, adjoint=adjoint) for part in generator.parts]
        return lambda matrix: functools.reduce(operator.add, (each(matrix) for each in maps))
    if isinstance(generator, Lindbladian) and generator.has_real_jumps:
        return generator.adjoint_jump_map() if adjoint else generator.jump_map()
    jump = generator.adjoint_jump_map() if adjoint else generator.jump_map()
    return lambda matrix: as_real(jump(as_hermitian(matrix)))


def real_superoperator(generator: AbstractGenerator) -> Float[Array, "dim_squared dim_squared"]:
    """The matrix of `real_map` on stacked rows: `M[ij, kl] = Re L[ij, kl] + Im L[ij, lk]`."""
    dim = generator.dim
    drift = generator.drift()
    real, imaginary, k = drift.real, drift.imag, np.arange(dim)
    no_jump = jnp.zeros((dim, dim, dim, dim), real.dtype)
    no_jump = no_jump.at[:, k, :, k].add(real[None]).at[k, :, k, :].add(real[None])
    no_jump = no_jump.at[:, k, k, :].add(imaginary[:, None, :]).at[k, :, :, k].add(-imaginary[None])
    no_jump = no_jump.reshape(dim * dim, dim * dim)
    if not generator.baths:
        return no_jump
    jump, total = real_jump_map(generator), no_jump
    if isinstance(generator, Lindbladian) and generator.has_real_jumps:
        maps = generator.sandwiches()
        taken = [each for each in maps if isinstance(each, Taken)]
        if taken:
            order = np.array([each.order for each in taken])
            places = (order[:, :, None] * dim + order[:, None, :]).reshape(len(taken), -1)
            weights = jnp.stack([each.weights.ravel() for each in taken])
            total = total.at[np.arange(dim * dim), places].add(weights)
        if len(taken) == len(maps):
            return total
        jump = sum_of_maps([each for each in maps if not isinstance(each, Taken)])
    units = jnp.eye(dim * dim, dtype=real.dtype).reshape(dim * dim, dim, dim)
    return total + jax.vmap(jump)(units).reshape(dim * dim, dim * dim).T
