"""Thermal spectra by the symmetries that every term of the Hamiltonian has, each different block decomposed once.

Averages of observables that are sums of terms too are taken in the sectors that they share with the Hamiltonian.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxgibbs.linalg import exponential_family as family
from jaxgibbs.linalg.hermitian import Decomposition, decompose
from jaxgibbs.operators import AbstractOperator, block_structure
from jaxgibbs.symmetry.detection import coefficients, static_terms
from jaxgibbs.symmetry.reduction import Reduction, reduction, shared_reduction

from .exact import AbstractBlockSpectrum, MatrixSpectrum, conserved_words, matrices_of, matrix_spectrum
from .methods import Exact


class SectorSpectrum(AbstractBlockSpectrum):
    """The levels in sectors; what needs vectors in the basis of the Hamiltonian decomposes its matrix block by block."""

    blocks: family.Blocks
    operator: AbstractOperator
    reduction: Reduction = eqx.field(static=True)

    def matrix_spectrum(self) -> MatrixSpectrum:
        """The spectrum in the basis of the Hamiltonian, by a decomposition of its own."""
        return matrix_spectrum(self.operator, Exact())

    def expectation(self, beta, observable):
        found = shared_reduction(self.operator, (observable,))
        if found is None:
            return self.matrix_spectrum().expectation(beta, observable)
        return _mean_in_sectors(found, self._s(beta), self.operator, observable)

    def covariance_matrix(self, beta, observables):
        found = shared_reduction(self.operator, observables)
        if found is None:
            return self.matrix_spectrum().covariance_matrix(beta, observables)
        return _covariance_in_sectors(found, self._s(beta), self.operator, tuple(observables))

    def eigenbasis(self):
        return self.matrix_spectrum().eigenbasis()

    def density_matrix(self, beta):
        return self.matrix_spectrum().density_matrix(beta)

    def explain(self):
        memory = 2 * self.reduction.kept * self.blocks[0].matrix.dtype.itemsize / 2**20
        return (
            f"exact diagonalisation, dimension {self.dim}, by {self.reduction.describe()}"
            f"{conserved_words(static_terms(self.operator))}; {memory:.1f} MiB; "
            "error: rounding, eps (1 + beta ||H||) relative to ||H||"
        )


def block_spectrum(operator: AbstractOperator, method: Exact) -> AbstractBlockSpectrum:
    """Decompose an operator, by its symmetries where that pays."""
    found = reduction(operator)
    if found is None:
        return matrix_spectrum(operator, method)
    return SectorSpectrum(_decomposed(found, not method.levels_only, operator), operator, found)


def _in_sectors(found: Reduction, operator: AbstractOperator, observables):
    """The decompositions of all blocks of the Hamiltonian, and of each observable its blocks."""
    parts = [coefficients(o) for o in (operator, *observables)]
    alone = [
        jnp.concatenate([p if k == j else jnp.zeros_like(p) for j, p in enumerate(parts)]) for k in range(len(parts))
    ]
    kept = tuple(decompose(matrix) for matrix in found.matrices(alone[0]))

    def blocks_of(couplings):
        matrices = zip(found.matrices(couplings), kept, strict=True)
        moved = tuple(Decomposition(matrix, d.eigenvalues, None) for matrix, d in matrices)
        return tuple(block.matrix for block in found.expand(moved, couplings))

    return found.expand(kept, alone[0]), [blocks_of(one) for one in alone[1:]]


@functools.partial(jax.jit, static_argnums=0)
def _mean_in_sectors(found: Reduction, s: jax.Array, operator: AbstractOperator, observable: AbstractOperator):
    blocks, (inside,) = _in_sectors(found, operator, (observable,))
    rho = family.gibbs_matrices(s, blocks)
    return sum(family.trace_product(r, matrix) for r, matrix in zip(rho, inside, strict=True))


@functools.partial(jax.jit, static_argnums=0)
def _covariance_in_sectors(found: Reduction, s: jax.Array, operator: AbstractOperator, observables):
    blocks, inside = _in_sectors(found, operator, observables)
    return family.kubo_mori_covariance(s, blocks, tuple(jnp.stack(group) for group in zip(*inside, strict=True)))


# Compiled as a whole: there are many blocks of different sizes, and each operation on each would be compiled by itself.
@functools.partial(jax.jit, static_argnums=(0, 1))
def _decomposed(found: Reduction, eigenvectors: bool, operator: AbstractOperator) -> family.Blocks:
    couplings = coefficients(operator)
    kept = tuple(decompose(matrix, eigenvectors=eigenvectors) for matrix in found.matrices(couplings))
    return found.expand(kept, couplings)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _answered(of_matrices, found: Reduction, s: jax.Array, operator: AbstractOperator):
    couplings = coefficients(operator)
    return of_matrices(s, found.matrices(couplings), couplings, found.expand, found.expand_levels)


def from_operator(quantity):
    """A pure function of `(s, operator)` from a `quantity` of `(s, blocks)`, with the cheapest decomposition that serves."""
    of_matrices = family.from_matrices(quantity)

    def function(s: jax.Array, operator: AbstractOperator):
        found = reduction(operator)
        if found is None:
            return of_matrices(s, matrices_of(operator, block_structure(operator)))
        return _answered(of_matrices, found, s, operator)

    return function
