"""The state that detailed balance is measured against: its logarithm, its eigenbasis, and how well both are known."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from jaxgibbs._errors import is_concrete
from jaxgibbs.equilibrium import GeneralizedGibbsState, GibbsState
from jaxgibbs.equilibrium.exact import MatrixSpectrum
from jaxgibbs.equilibrium.state import checked_beta
from jaxgibbs.linalg import dagger, eigh, eigvalsh, functions, matmul
from jaxgibbs.linalg.chains import chain
from jaxgibbs.linalg.levels import exponents
from jaxgibbs.linalg.undefined import nan_where
from jaxgibbs.operators import as_operator
from jaxgibbs.operators.dense import checked_matrix, hermitian_or_nan


class Source(eqx.Module):
    """What a reference state is made from: `(H, beta)`, or a density matrix.

    `noise` is the absolute rounding of a density matrix that was computed; 0 where its diagonal is known to a few eps of itself.
    """

    matrix: Complex[Array, "dim dim"]
    beta: Float[Array, ""] | None
    noise: Float[Array, ""] | None = None


class ReferenceState(eqx.Module):
    """A state `sigma = U diag(p) U^dagger` with full relative accuracy of `p` where its origin allows.

    Attributes:
        log_populations: `ln p_i`, less their largest; constants for differentiation.
        exponent: `ln sigma` in its eigenbasis, which carries the derivative; the value is that of `log_populations`.
        basis: `U`, a constant; a permutation of the unit vectors where `sigma` is given diagonal.
        support: which levels are kept; the others have so little weight that ratios to it overflow.
        level_noise: rounding of `ln p_i`.
        basis_noise: rounding of the eigenvectors, as the generator of a rotation.
        is_exact: whether the eigenbasis is free of rounding.
    """

    log_populations: Float[Array, " dim"]
    exponent: Complex[Array, "dim dim"]
    basis: Complex[Array, "dim dim"]
    support: Bool[Array, " dim"]
    level_noise: Float[Array, " dim"]
    basis_noise: Float[Array, "dim dim"]
    is_exact: Bool[Array, ""]

    @property
    def dim(self) -> int:
        return self.log_populations.shape[-1]

    @property
    def populations(self) -> Float[Array, " dim"]:
        """`p_i`, in the order of `basis`; zero outside the support. Derivatives in the state are NaN: see `density_matrix`."""
        weights = jnp.exp(self.log_populations) * self.support
        return weights / jnp.sum(weights) * one_without_slope(self.exponent)

    def density_matrix(self) -> Complex[Array, "dim dim"]:
        """`sigma`, in the basis of the generator; derivatives in the state are NaN."""
        return matmul(self.basis * self.populations, dagger(self.basis))


def lowest_log_population(dtype) -> float:
    """`ln` of the least `p / p_max` that is kept: the square root of the smallest number, whose ratios still have squares."""
    return 0.5 * math.log(float(np.finfo(dtype).tiny))


def source_of(state, beta, hamiltonian, generator) -> Source | None:
    """Read the arguments of the entry points; `None` where neither a state nor a temperature is given."""
    dtype, dim = generator.dtype, generator.dim
    if state is not None and beta is not None:
        raise ValueError("Give either `state` or `beta`, but not both.")
    if state is None and beta is None:
        return None
    if beta is not None:
        matrix = generator.system_hamiltonian() if hamiltonian is None else as_operator(hamiltonian).to_dense()
        return _checked(Source(matrix.astype(dtype), checked_beta(beta)), dim)
    if hamiltonian is not None:
        raise ValueError(
            "`hamiltonian` must come with `beta`, but a `state` is given: it has a Hamiltonian of its own."
        )
    if isinstance(state, GeneralizedGibbsState):
        state = state.state
    if isinstance(state, GibbsState):
        if not isinstance(state.spectrum, MatrixSpectrum):
            raise ValueError(
                f"`state` must be of a matrix, but its spectrum is a `{type(state.spectrum).__name__}`; "
                "build the Hamiltonian as a matrix and use `method=Exact()`."
            )
        return _checked(Source(state.spectrum.one_block().matrix.astype(dtype), state.beta), dim)
    return _checked(Source(_density_matrix(state).astype(dtype), None), dim)


def _checked(source: Source, dim: int) -> Source:
    if source.matrix.shape != (dim, dim):
        raise ValueError(
            f"The state must be on the space of the generator, of dimension {dim}, but has shape {source.matrix.shape}."
        )
    return source


def _density_matrix(state: Any) -> Array:
    rho = hermitian_or_nan(checked_matrix("state", state))
    if is_concrete(rho):
        values = np.linalg.norm(np.asarray(rho)), float(jnp.trace(rho).real)
        tolerance = max(1e-8, 100 * float(jnp.finfo(rho.dtype).eps))
        if abs(values[1] - 1) > tolerance:
            raise ValueError(f"`state` must have trace 1, but has trace {values[1]:.9g}; divide it by its trace.")
        lowest = float(eigvalsh(rho)[0])
        if lowest < -tolerance:
            raise ValueError(f"`state` must be positive semidefinite, but has an eigenvalue {lowest:.3g}.")
    return rho


@eqx.filter_jit
def reference_state(source: Source) -> ReferenceState:
    """Diagonalise, and say what is known: works under every transformation."""
    values, vectors, is_exact = eigenbasis(source.matrix)
    eps = jnp.finfo(values.dtype).eps
    inside = matmul(matmul(dagger(vectors), source.matrix), vectors)
    one = jnp.eye(values.shape[-1], dtype=vectors.dtype)
    if source.beta is not None:
        beta = source.beta.astype(values.dtype)
        nodes = exponents(-jax.lax.stop_gradient(beta), values)[0]
        finite = _finite(beta)
        exponent = -finite * inside
        off_scale = jnp.abs(finite) * jnp.max(jnp.abs(values)) * eps
        level_noise = jnp.abs(nodes) * eps + jnp.where(is_exact, 0, off_scale)
        numbers = nodes
        undefined = jnp.isinf(beta)
    else:
        top = jnp.max(values)
        off_scale = 4 * eps * top if source.noise is None else source.noise
        exact = is_exact & (source.noise is None or source.noise == 0)
        least = jnp.where(exact, jnp.exp(lowest_log_population(values.dtype)) * top, 16 * off_scale)
        numbers = jnp.maximum(values, least)
        nodes = jnp.where(values > least, jnp.log(numbers / top), 2 * lowest_log_population(values.dtype))
        exponent = chain(functions.LOGARITHM, (0,), inside, numbers, one)
        relative = eps if source.noise is None else 4 * eps * values.shape[-1]
        level_noise = jnp.where(exact, relative, off_scale / numbers)
        undefined = jnp.zeros((), bool)
    lowest = lowest_log_population(values.dtype)
    support = nodes >= lowest
    nodes = jnp.maximum(nodes, lowest)
    gaps = jnp.abs(numbers[:, None] - numbers[None, :])
    # A rotation by noise / gap; levels closer than the noise mix freely, and nothing depends on how.
    basis_noise = jnp.where(is_exact, 0, off_scale * gaps / (gaps**2 + off_scale**2 + jnp.finfo(values.dtype).tiny))
    exponent = smooth_unless(exponent, undefined | ~jnp.all(support))
    exponent = exponent - jax.lax.stop_gradient(exponent) + jnp.diag(nodes).astype(exponent.dtype)
    constants = jax.lax.stop_gradient((nodes, vectors, support, level_noise, basis_noise, is_exact))
    nodes, vectors, support, level_noise, basis_noise, is_exact = constants
    return ReferenceState(nodes, exponent, vectors, support, level_noise, basis_noise, is_exact)


def eigenbasis(matrix):
    """Eigenvalues and eigenvectors; of a diagonal matrix exactly its elements and unit vectors, in their order."""
    matrix = jax.lax.stop_gradient(matrix)
    diagonal = jnp.diagonal(matrix).real
    is_diagonal = jnp.all(matrix == jnp.diag(jnp.diagonal(matrix)))
    values, vectors = eigh(matrix)
    vectors = vectors.astype(matrix.dtype)
    one = jnp.eye(matrix.shape[-1], dtype=matrix.dtype)
    return jnp.where(is_diagonal, diagonal, values), jnp.where(is_diagonal, one, vectors), is_diagonal


@jax.custom_jvp
def _finite(beta):
    """`beta`, 0 where it is infinite, with derivatives that are NaN there."""
    return jnp.where(jnp.isinf(beta), 0, beta)


@_finite.defjvp
def _finite_jvp(primals, tangents):
    return _finite(*primals), tangents[0] * jnp.where(jnp.isinf(primals[0]), jnp.nan, 1)


@jax.custom_jvp
def smooth_unless(value, undefined):
    """`value`, with derivatives that are NaN where `undefined`: the state is on the boundary of what states can be."""
    return value


@smooth_unless.defjvp
def _smooth_unless_jvp(primals, tangents):
    value, undefined = primals
    return smooth_unless(value, undefined), tangents[0] * jnp.where(undefined, jnp.nan, 1)


@jax.custom_jvp
def one_without_slope(exponent):
    """1, with a derivative that is NaN: what is read off level by level is not differentiable in the state here."""
    return jnp.ones((), exponent.real.dtype)


@one_without_slope.defjvp
def _one_without_slope_jvp(primals, tangents):
    return one_without_slope(*primals), nan_where(jnp.ones((), bool), jnp.sum(tangents[0].real))
