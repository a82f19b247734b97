"""What response functions ask of a Gibbs state: one decomposition, and the weights of its levels."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs._errors import check_finite, is_concrete, nan_unless
from jaxgibbs.equilibrium import GibbsState
from jaxgibbs.equilibrium.exact import MatrixSpectrum
from jaxgibbs.equilibrium.sectors import SectorSpectrum
from jaxgibbs.linalg import Decomposition, dagger, matmul
from jaxgibbs.linalg.levels import distances, exponents
from jaxgibbs.operators import AbstractOperator
from jaxgibbs.operators.base import inexact, real_scalar

Scalar = Float[Array, ""]


class Thermal(NamedTuple):
    """`s = -beta` and the Hamiltonian, decomposed as one block."""

    s: Scalar
    hamiltonian: Decomposition

    @property
    def distance(self) -> Float[Array, " dim"]:
        """`E_i` measured from the level of largest weight, without derivatives."""
        levels = self.hamiltonian.eigenvalues
        return jax.lax.stop_gradient(levels - distances(self.s, levels)[2])

    @property
    def exponent(self) -> Float[Array, " dim"]:
        """`ln(p_i Z)` relative to the level of largest weight, at most 0; without derivatives."""
        return jax.lax.stop_gradient(exponents(self.s, self.hamiltonian.eigenvalues)[0])

    def from_reference(self) -> Inexact[Array, "dim dim"]:
        """`H` with the level of largest weight at zero energy."""
        d = self.hamiltonian
        reference = jax.lax.stop_gradient(distances(self.s, d.eigenvalues)[2])
        return d.matrix - reference * jnp.eye(d.dim, dtype=d.matrix.dtype)

    def inside(self, matrix: Inexact[Array, "dim dim"]) -> Inexact[Array, "dim dim"]:
        """`<i|X|j>`, without derivatives of the eigenvectors."""
        vectors = jax.lax.stop_gradient(self.hamiltonian.vectors)
        dtype = jnp.result_type(matrix, vectors)
        return matmul(matmul(dagger(vectors).astype(dtype), matrix.astype(dtype)), vectors.astype(dtype))

    def with_matrix(self, matrix: Inexact[Array, "dim dim"]) -> "Thermal":
        """The same, with `matrix` to carry derivatives."""
        d = self.hamiltonian
        return Thermal(self.s, Decomposition(matrix, d.eigenvalues, d.eigenvectors))


def thermal(state: GibbsState) -> Thermal:
    """The decomposition behind a Gibbs state.

    Raises:
        ValueError: if `state` is no `GibbsState`, or that of a Hamiltonian without a matrix.
    """
    if not isinstance(state, GibbsState):
        raise ValueError(
            f"`state` must be a Gibbs state as `gibbs_state` returns it, but is a `{type(state).__name__}`; "
            "of the steady state of a generator ask `steady_correlation`, `steady_spectrum` or `steady_susceptibility`."
        )
    if state.beta.ndim:
        raise ValueError(
            f"`state` must be one state, but is a stack of shape {state.beta.shape}; map over its elements with `jax.vmap`."
        )
    spectrum = state.spectrum
    if isinstance(spectrum, SectorSpectrum):
        spectrum = spectrum.matrix_spectrum()
    if not isinstance(spectrum, MatrixSpectrum):
        raise ValueError(
            f"`state` must be that of a Hamiltonian of one matrix, but its spectrum is a `{type(spectrum).__name__}`; "
            "build it from `Dense(hamiltonian.to_dense())` with `method=Exact()`, of large systems ask `krylov_spectrum` or "
            "`chebyshev_correlation`, of quadratic fermions `fermion_lines` or `green_function`."
        )
    block = spectrum.one_block()
    return Thermal(-state.beta.astype(block.eigenvalues.dtype), block)


def operator_matrix(name: str, operator: Any, dim: int) -> Inexact[Array, "dim dim"]:
    """The matrix of an operator or array, which need not be Hermitian: `a` and `a^dagger` have correlations too."""
    if isinstance(operator, AbstractOperator):
        matrix = operator.to_dense()
    elif not (hasattr(operator, "shape") or type(operator) in (list, tuple)):
        raise ValueError(f"`{name}` must be an operator or a matrix, but is a `{type(operator).__name__}`.")
    else:
        matrix = inexact(operator.toarray() if hasattr(operator, "toarray") else operator)
        check_finite(name, matrix)
    if matrix.shape != (dim, dim):
        raise ValueError(
            f"`{name}` must have the shape {(dim, dim)} of the Hamiltonian, but has shape {matrix.shape}; "
            "map over several with `jax.vmap`."
        )
    return matrix


def width(eta: ArrayLike, real) -> Scalar:
    """`eta`, refused unless positive; NaN under a trace."""
    eta = real_scalar("eta", eta, real)
    if is_concrete(eta) and not np.asarray(eta) > 0:
        raise ValueError(
            f"`eta` must be positive, but is {float(eta):.3g}; a discrete spectrum needs a width, "
            "and `spectral_lines` gives it without one."
        )
    return nan_unless(eta > 0, eta)
