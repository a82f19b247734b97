"""Generators whose fixed point is the Gibbs state exactly, without the secular approximation: what they have in common.

Jumps that mix Bohr frequencies leave the Gibbs state alone only together with a coherent term `B` (Chen, Kastoryano & Gilyen
2023). All is a function of the dimensionless Bohr frequency `x = beta (E_i - E_j)`, the energy that `|i><j|` gains, made by
spectral maps: smooth in the Hamiltonian at any degeneracy, and in `beta` through 0 to negative temperatures.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float, Inexact

from jaxgibbs._errors import check_finite, is_concrete, nan_unless
from jaxgibbs.linalg import Decomposition, Kernel, decompose, spectral_map
from jaxgibbs.operators import AbstractOperator, as_operator
from jaxgibbs.operators.base import inexact

from .couplings import bath_labels, coupling_matrices
from .generator import AbstractGenerator
from .jumps import MatrixJumps


class KMSGenerator(AbstractGenerator):
    """`L(rho) = -i [H + sum_a B_a, rho] + sum_a sum_q r_q D[L_aq](rho)`, what `chen_kastoryano_gilyen` and `ding_li_lin` return.

        B_ij = (i / 2) tanh(beta (E_i - E_j) / 4) R_ij,    R = sum_q r_q L_q^dagger L_q

    Attributes:
        hamiltonian: without the coherent terms.
        jumps: `L_aq`, for each coupling its jump operators.
        rates: `r_aq`.
        coherent_terms: `B_a`, one for each coupling.
        beta_of_coupling: inverse temperatures.
    """

    hamiltonian: AbstractOperator
    jumps: Complex[Array, "couplings count dim dim"]
    rates: Float[Array, "couplings count"]
    coherent_terms: Complex[Array, "couplings dim dim"]
    beta_of_coupling: Float[Array, " couplings"]
    bath_of_coupling: tuple[Hashable, ...] = eqx.field(static=True)

    @property
    def dim(self) -> int:
        return self.hamiltonian.dim

    @property
    def dtype(self) -> np.dtype:
        return jnp.result_type(self.hamiltonian.dtype, self.coherent_terms, self.jumps)

    @property
    def baths(self) -> tuple[Hashable, ...]:
        return tuple(dict.fromkeys(self.bath_of_coupling))

    @property
    def betas(self) -> Float[Array, " baths"]:
        """Inverse temperatures, one for each of `baths`."""
        return self.beta_of_coupling[np.array([self.bath_of_coupling.index(label) for label in self.baths])]

    def hamiltonian_matrix(self):
        return self.hamiltonian.to_dense() + jnp.sum(self.coherent_terms, axis=0)

    def system_hamiltonian(self):
        return self.hamiltonian.to_dense().astype(self.dtype)

    def coherent_matrix(self, bath: Hashable | None = None) -> Complex[Array, "dim dim"]:
        """`B`, all of it or that of one bath."""
        return jnp.sum(self.coherent_terms[self._members(bath)], axis=0)

    def jump_map(self, bath=None):
        jumps, rates = self._of_bath(bath)
        return jumps.sandwich(rates)

    def adjoint_jump_map(self, bath=None):
        jumps, rates = self._of_bath(bath)
        return jumps.adjoint_sandwich(rates)

    def decay_matrix(self, bath=None):
        jumps, rates = self._of_bath(bath)
        return jumps.decay(rates)

    def _members(self, bath) -> np.ndarray:
        self.check_bath(bath)
        return np.array([k for k, label in enumerate(self.bath_of_coupling) if bath is None or label == bath])

    def _of_bath(self, bath) -> tuple[MatrixJumps, Float[Array, " jumps"]]:
        members = self._members(bath)
        jumps = self.jumps[members].reshape(-1, self.dim, self.dim)
        return MatrixJumps(jumps.astype(self.dtype), tuple(range(len(jumps)))), self.rates[members].ravel()


def kms_generator(hamiltonian: Any, couplings: Sequence[Any], beta: Any, baths, make_jumps) -> KMSGenerator:
    """The generator with the jumps and rates of `make_jumps(decomposition of beta H, coupling)`, and its coherent terms."""
    hamiltonian = as_operator(hamiltonian)
    matrices = coupling_matrices(couplings, hamiltonian.dim)
    betas = _checked_betas(beta, len(matrices))
    shared = not isinstance(beta, list | tuple) and jnp.ndim(beta) == 0
    labels = bath_labels((0,) * len(matrices) if baths is None and shared else baths, list(betas))
    d = decompose(hamiltonian.to_dense())
    parts = []
    for matrix, one in zip(matrices, betas.astype(d.eigenvalues.dtype), strict=True):
        scaled = times(one, d)
        jumps, rates = make_jumps(scaled, matrix)
        parts.append((jumps, rates, _coherent_term(scaled, jumps, rates)))
    jumps, rates, terms = (jnp.stack(part) for part in zip(*parts, strict=True))
    complex_dtype = jnp.result_type(terms, jnp.complex64)
    return KMSGenerator(hamiltonian, jumps.astype(complex_dtype), rates, terms.astype(complex_dtype), betas, labels)


def times(factor: Float[Array, ""], d: Decomposition) -> Decomposition:
    """The decomposition of a multiple of a matrix, of either sign."""
    return Decomposition(factor * d.matrix, jax.lax.stop_gradient(factor) * d.eigenvalues, d.eigenvectors)


def _coherent_term(scaled: Decomposition, jumps: Inexact[Array, "count dim dim"], rates: Float[Array, " count"]):
    decay = MatrixJumps(jumps, tuple(range(len(jumps)))).decay(rates)
    return 0.5j * spectral_map(_TANH, scaled, decay)


def _tanh(x: Array, y: Array) -> Array:
    """`tanh((x - y) / 4)`."""
    return jnp.tanh((x - y) / 4)


def _tanh_radius(x: Array) -> Array:
    return jnp.full_like(x, 4.0)  # the nearest poles are at x - y = +- 2 pi i, and both variables may be halfway


_TANH = Kernel(_tanh, _tanh_radius)


def _checked_betas(beta, count: int) -> Float[Array, " couplings"]:
    listed = isinstance(beta, list | tuple) and len(beta) > 0
    betas = inexact(jnp.stack([jnp.asarray(one) for one in beta]) if listed else jnp.asarray(beta))
    if betas.shape not in ((), (count,)) or jnp.issubdtype(betas.dtype, jnp.complexfloating):
        raise ValueError(
            f"`beta` must be a real number, or one for each of the {count} couplings, but has shape {betas.shape} and dtype "
            f"{betas.dtype}."
        )
    if is_concrete(betas) and not np.all(np.isfinite(np.asarray(betas))):
        raise ValueError(f"`beta` must be finite, but is {betas}; zero temperature is for `davies`.")
    return nan_unless(jnp.isfinite(betas), jnp.broadcast_to(betas, (count,)))


def positive(name: str, value: ArrayLike) -> Float[Array, ""]:
    """A positive finite real scalar.

    Raises:
        ValueError: for anything else (NaN under a trace).
    """
    array = inexact(value)
    if array.ndim != 0 or jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise ValueError(f"`{name}` must be a positive number, but has shape {array.shape} and dtype {array.dtype}.")
    check_finite(name, array)
    if is_concrete(array) and not array > 0:
        raise ValueError(f"`{name}` must be positive, but is {value}.")
    return nan_unless(array > 0, array)
