"""Thermal spectra of matrices, by exact diagonalisation in the blocks that every term of the operator has."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxgibbs.linalg import exponential_family as family
from jaxgibbs.linalg.hermitian import Decomposition, decompose, single_levels
from jaxgibbs.linalg.levels import LevelSums
from jaxgibbs.operators import AbstractOperator, BlockStructure, block_structure
from jaxgibbs.operators.blocks import from_blocks, respects, take_blocks, to_blocks
from jaxgibbs.operators.dense import checked_matrix, hermitian_or_nan
from jaxgibbs.operators.terms import LARGEST_SPARSE_DIMENSION
from jaxgibbs.symmetry.charges import describe_conserved
from jaxgibbs.symmetry.detection import Terms, static_terms

from .methods import Exact
from .state import AbstractThermalSpectrum, renyi

LARGEST_DIMENSION = 2**14


class AbstractBlockSpectrum(AbstractThermalSpectrum):
    """Thermodynamic functions from the decompositions of all blocks of a matrix."""

    blocks: eqx.AbstractVar[family.Blocks]

    @property
    def dim(self) -> int:
        return sum(block.eigenvalues.size for block in self.blocks)

    def _s(self, beta):
        """`-beta`, of the precision of the Hamiltonian."""
        return -jnp.asarray(beta, self.blocks[0].eigenvalues.dtype)

    def log_partition(self, beta):
        return family.log_trace_exp(self._s(beta), self.blocks)

    def energy(self, beta):
        return family.mean(self._s(beta), self.blocks)

    def energy_variance(self, beta):
        return family.central_moment(2, self._s(beta), self.blocks)

    def entropy(self, beta):
        return family.entropy(self._s(beta), self.blocks)

    def heat_capacity(self, beta):
        return family.heat_capacity(self._s(beta), self.blocks)

    def renyi_entropy(self, beta, order):
        def lowest(b):
            levels = self.levels()
            return jnp.where(b >= 0, levels[0], levels[-1])

        beta = -self._s(beta)
        return renyi(lambda b: family.log_shifted(-b, self.blocks), self.entropy, np.log(self.dim), lowest, beta, order)

    def populations(self, beta):
        return LevelSums(self._s(beta), self.levels()).weights

    def levels(self):
        """Energies, ascending; each is differentiable once where it is not degenerate, NaN otherwise."""
        levels = jnp.concatenate([jnp.ravel(single_levels(block)) for block in self.blocks])
        return levels[jnp.argsort(jax.lax.stop_gradient(levels))]  # the order is static data for differentiation


class MatrixSpectrum(AbstractBlockSpectrum):
    """Eigenvalues and eigenvectors of a matrix, block by block."""

    blocks: family.Blocks
    structure: BlockStructure | None = eqx.field(static=True)
    terms: tuple[Terms, ...] | None = eqx.field(static=True)

    def expectation(self, beta, observable):
        matrix = observable_matrix(observable, self.dim)
        parts = (matrix,) if self.structure is None else take_blocks(matrix, self.structure)
        rho = family.gibbs_matrices(self._s(beta), self.blocks)
        return sum(family.trace_product(r, part) for r, part in zip(rho, parts, strict=True))

    def covariance_matrix(self, beta, observables):
        if not observables:
            raise ValueError("`observables` must have at least one operator, but is empty.")
        operators = [o for o in observables if isinstance(o, AbstractOperator) and o.dim == self.dim]
        structure = self.structure
        if (
            structure is not None
            and len(operators) == len(observables)
            and all(respects(o, structure) for o in operators)
        ):
            stacks = zip(*(to_blocks(o, structure) for o in operators), strict=True)
            return family.kubo_mori_covariance(self._s(beta), self.blocks, tuple(jnp.stack(group) for group in stacks))
        stacked = jnp.stack([observable_matrix(observable, self.dim) for observable in observables])
        return family.kubo_mori_covariance(self._s(beta), (self.one_block(),), (stacked,))

    def eigenbasis(self):
        whole = self.one_block()
        order = jnp.argsort(whole.eigenvalues)
        return whole.eigenvalues[order], whole.vectors[:, order]

    def density_matrix(self, beta):
        rho = family.gibbs_matrices(self._s(beta), self.blocks)
        return rho[0] if self.structure is None else from_blocks(rho, self.structure)

    def one_block(self) -> Decomposition:
        """The decomposition of the whole matrix, put together from its blocks."""
        blocks = tuple(block.with_eigenvectors() for block in self.blocks)
        if self.structure is None:
            return blocks[0]
        vectors, start = [], 0
        for block, index in zip(blocks, self.structure.indices, strict=True):
            columns = start + np.arange(index.size).reshape(index.shape)
            vectors.append((index, columns, block.vectors))
            start += index.size
        full = jnp.zeros((self.dim, self.dim), jnp.result_type(*(v for _, _, v in vectors)))
        for index, columns, values in vectors:
            full = full.at[index[:, :, None], columns[:, None, :]].set(values)
        matrix = from_blocks(tuple(block.matrix for block in blocks), self.structure)
        return Decomposition(matrix, family.spectrum_of(blocks), full)

    def explain(self):
        kinds = "complex" if any(jnp.iscomplexobj(block.matrix) for block in self.blocks) else "real"
        sizes = (
            f"one {kinds} block of {self.dim}"
            if self.structure is None
            else f"{kinds} blocks {self.structure.describe()}"
        )
        memory = sum(x.nbytes for x in jax.tree_util.tree_leaves(self.blocks)) / 2**20
        conserved = "" if self.structure is None else conserved_words(self.terms)
        return (
            f"exact diagonalisation, dimension {self.dim}: {sizes}{conserved}; {memory:.1f} MiB; "
            "error: rounding, eps (1 + beta ||H||) relative to ||H||"
        )


def matrices_of(operator: AbstractOperator, structure: BlockStructure | None):
    """The stacks of diagonal blocks of `operator`, checked for size and, where values are known, for Hermiticity."""
    if operator.dim > LARGEST_DIMENSION:
        raise ValueError(
            f"Exact diagonalisation takes dimensions up to {LARGEST_DIMENSION}, but the operator has {operator.dim}: "
            f"its matrix alone would take {8 * operator.dim**2 / 2**30:.0f} GiB; use `method=Lanczos()`."
        )
    return to_blocks(operator, structure)


def matrix_spectrum(operator: AbstractOperator, method: Exact) -> MatrixSpectrum:
    """Decompose the matrix of `operator`, once."""
    structure = block_structure(operator)
    matrices = matrices_of(operator, structure)
    blocks = tuple(decompose(matrix, eigenvectors=not method.levels_only) for matrix in matrices)
    return MatrixSpectrum(blocks, structure, static_terms(operator))


def conserved_words(terms: tuple[Terms, ...] | None) -> str:
    """`; conserved: ...`, or nothing where the terms are not known as sums over sites or conserve nothing."""
    if terms is None or terms[0].dim > LARGEST_SPARSE_DIMENSION or not (words := describe_conserved(terms)):
        return ""
    return f"; conserved: {words} (n_i the level of site i)"


def observable_matrix(observable, dim: int):
    """The matrix of an operator or array, checked to be Hermitian and of dimension `dim`."""
    if isinstance(observable, AbstractOperator):
        matrix = observable.to_dense()
    else:
        matrix = hermitian_or_nan(checked_matrix("observable", observable))
    if matrix.shape != (dim, dim):
        raise ValueError(f"`observable` must have the shape of the Hamiltonian, {(dim, dim)}, but has {matrix.shape}.")
    return matrix
