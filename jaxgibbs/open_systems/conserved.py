"""Several steady states: a basis of them, the conserved quantities, and which one a state leads to."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxgibbs._errors import is_concrete
from jaxgibbs._solution import RESULTS, Solution
from jaxgibbs.linalg.general import eigenvalues, null_spaces

from .generator import AbstractGenerator, check_generator
from .hermitian_space import as_hermitian, real_superoperator

LARGEST_DENSE_DIMENSION = 32


class SteadyStates(eqx.Module):
    """All `rho` with `L(rho) = 0`.

    Attributes:
        basis: Hermitian matrices `R_k` that span them, not states themselves.
        conserved: Hermitian `J_k` with `L^+(J_k) = 0` and `Tr(J_k R_l) = 1` for `k = l`, else 0; they span the quantities whose
            expectation no dynamics changes.
        frequencies: of the coherences that oscillate for ever, positive, ascending; empty if the dynamics settles.
        rounding: the angle by which rounding may turn the spaces of both, large where a mode is slow.
    """

    basis: Complex[Array, "count dim dim"]
    conserved: Complex[Array, "count dim dim"]
    frequencies: Float[Array, " modes"]
    rounding: Float[Array, ""]

    @property
    def count(self) -> int:
        """How many linearly independent steady states there are."""
        return self.basis.shape[0]

    def from_state(self, rho: Complex[Array, "dim dim"]) -> Solution:
        """What the dynamics from `rho` leads to, `sum_k R_k Tr(J_k rho)`; the average over time where coherences oscillate.

        The `result` is then `oscillating`, and `stats["frequencies"]` holds their frequencies. `error` is what rounding may do.

        Raises:
            ValueError: if `rho` has another shape.
        """
        rho = jnp.asarray(rho, self.basis.dtype)
        if rho.shape != self.basis.shape[1:]:
            raise ValueError(f"`rho` must have shape {self.basis.shape[1:]}, but has shape {rho.shape}.")
        weights = jnp.einsum("kij,ji->k", self.conserved, rho, precision="highest").real
        value = jnp.einsum("k,kij->ij", weights, self.basis, precision="highest")
        norms = jnp.linalg.norm(self.basis, axis=(1, 2)) * jnp.linalg.norm(self.conserved, axis=(1, 2))
        error = self.rounding * jnp.sum(norms) * jnp.linalg.norm(rho)
        result = RESULTS.oscillating if self.frequencies.size else RESULTS.optimal
        return Solution(value, error, result, {"weights": weights, "frequencies": self.frequencies})


def steady_states(generator: AbstractGenerator) -> SteadyStates:
    """Every steady state of a generator, the conserved quantities, and the coherences that never settle.

    By the singular vectors of the whole generator, to which singular values below 1e3 eps times the largest count as zero.

    Args:
        generator: with values, of a dimension up to 32.

    Raises:
        ValueError: under a trace (how many there are is a shape), or if the dimension is larger.

    Reference: Albert & Jiang, Phys. Rev. A 89, 022118 (2014).
    """
    check_generator(generator)
    if not is_concrete(*jax.tree_util.tree_leaves(generator)):
        raise ValueError(
            "`generator` must have values, since they decide how many steady states there are; leave the trace."
        )
    if generator.dim > LARGEST_DENSE_DIMENSION:
        raise ValueError(
            f"`generator` must have a dimension of at most {LARGEST_DENSE_DIMENSION} here, but has {generator.dim}; reduce it "
            "by its symmetries, or use `Relaxation()` for the limit from one state."
        )
    matrix = np.asarray(real_superoperator(generator))
    right, left, rounding = null_spaces(matrix)
    right = np.linalg.solve((left.T @ right).T, right.T).T
    found = eigenvalues(matrix)
    tolerance = 1e4 * np.finfo(matrix.dtype).eps * np.linalg.norm(matrix, 2)
    decay, frequency = np.abs(np.real(found)), np.imag(found)
    peripheral = np.sort(frequency[(decay <= tolerance) & (frequency > tolerance)])
    shape = (-1, generator.dim, generator.dim)
    hermitian = jax.vmap(as_hermitian)
    return SteadyStates(
        hermitian(jnp.asarray(right.T.reshape(shape))),
        hermitian(jnp.asarray(left.T.reshape(shape))),
        jnp.asarray(peripheral),
        jnp.asarray(rounding, matrix.dtype),
    )
