"""Thermal spectra of quadratic Hamiltonians: Gaussian states of thousands of fermions or bosons, from one decomposition.

Fermions: the one-body matrix, or with pairing the Bogoliubov-de Gennes matrix `M`, is Hermitian, and everything is a function
of it. Bosons with pairing: with the Cholesky factor `M = L L^dagger` the Hermitian `W = L^dagger eta L`, `eta = diag(1, -1)`,
has the symplectic spectrum `+-w` (Colpa 1978), and everything is a function of `W`. No Bogoliubov vector is differentiated.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgibbs._errors import nan_unless
from jaxgibbs.linalg import Decomposition, Kernel, dagger, decompose, matmul, spectral_map
from jaxgibbs.linalg import exponential_family as family
from jaxgibbs.linalg.chains import chain
from jaxgibbs.linalg.functions import cumulant
from jaxgibbs.linalg.hermitian import single_levels
from jaxgibbs.operators import (
    BlockStructure,
    Bosons,
    Dense,
    Fermions,
    QuadraticBosons,
    QuadraticFermions,
)
from jaxgibbs.operators.blocks import from_blocks
from jaxgibbs.operators.quadratic import AbstractQuadratic, as_quadratic

from . import mode_sums
from .gaussian_sums import (
    check_bosons,
    constant_of,
    core_of,
    log_partition_of,
    log_partition_parts,
    mean_energy,
    metric_of,
    statistics_of,
)
from .methods import Exact
from .mode_sums import Statistics
from .modes import BosonSpectrum, FermionSpectrum
from .state import AbstractThermalSpectrum, Scalar, no_matrix
from .wick import contractions, ladder_expectation, subsystem_entropy


class GaussianSpectrum(AbstractThermalSpectrum):
    """Modes of a `QuadraticFermions` or `QuadraticBosons`; observables are quadratic operators or one-body matrices."""

    operator: AbstractQuadratic
    blocks: family.Blocks
    factor: Float[Array, "doubled doubled"] | None  # L, for bosons with pairing
    structure: BlockStructure | None = eqx.field(static=True)

    @property
    def statistics(self) -> Statistics:
        return statistics_of(self.operator)

    def _beta(self, beta):
        beta = jnp.asarray(beta, self.blocks[0].eigenvalues.dtype)
        if isinstance(self.operator, QuadraticBosons):
            check_bosons(self.operator.paired, beta, family.spectrum_of(self.blocks))
            if self.operator.paired:
                beta = nan_unless(beta > 0, beta)
        return beta

    def log_partition(self, beta):
        beta = self._beta(beta)
        return log_partition_of(self.operator, beta, log_partition_parts(self.statistics, beta, self.blocks))

    def energy(self, beta):
        return mean_energy(self.statistics, self._beta(beta), self.blocks) + constant_of(self.operator)

    def energy_variance(self, beta):
        return mode_sums.energy_cumulant(2, self.statistics, self._beta(beta), self.blocks)

    def entropy(self, beta):
        return mode_sums.entropy(self.statistics, self._beta(beta), self.blocks)

    def heat_capacity(self, beta):
        return mode_sums.heat_capacity(self.statistics, self._beta(beta), self.blocks)

    def renyi_entropy(self, beta, order):
        return mode_sums.renyi_entropy(self.statistics, float(order), self._beta(beta), self.blocks)

    def mode_energies(self) -> Float[Array, " modes"]:
        """Energies of the modes, ascending; with pairing those that are not negative.

        Each is differentiable once where it is not degenerate, NaN otherwise.
        """
        levels = jnp.concatenate([jnp.ravel(single_levels(block)) for block in self.blocks])
        levels = levels[jnp.argsort(jax.lax.stop_gradient(levels))]
        return levels[self.operator.dim :] if self.operator.paired else levels

    def populations(self, beta):
        """Occupations of the modes, in the order of `mode_energies`."""
        energies = self.mode_energies()
        return mode_sums.of_modes(self.statistics, self._beta(beta), energies).populations(beta)

    def free_modes(self) -> tuple[BosonSpectrum | FermionSpectrum, Scalar]:
        """`(modes, vacuum)` with `H = vacuum + sum_k e_k n_k`, without derivatives; with pairing all `e_k >= 0`."""
        energies = jnp.sort(family.spectrum_of(self.blocks))
        vacuum = jnp.zeros_like(energies[0])
        if self.operator.paired:
            energies = jnp.abs(energies[self.operator.dim :])
            vacuum = constant_of(self.operator) + self.operator.sign * jnp.sum(energies) / 2
        if self._is_bosonic:
            return BosonSpectrum(Bosons(energies)), vacuum
        return FermionSpectrum(Fermions(energies)), vacuum

    def density_matrix(self, beta):
        if isinstance(self.operator, QuadraticBosons):
            raise no_matrix(self.operator, "`density_matrix`")
        matrix = decompose(Dense(self.operator.to_dense()).to_dense())
        return family.gibbs_matrices(-self._beta(beta), (matrix,))[0]

    def expectation(self, beta, observable):
        observable = self._quadratic(observable)
        occupied, _ = self._occupied(beta)
        if self.operator.paired and observable.paired:
            return family.trace_product(occupied, observable.nambu().to_dense()) / 2 + constant_of(observable)
        n = self.operator.dim
        return family.trace_product(occupied[:n, :n], observable.one_body())

    @property
    def _is_bosonic(self) -> bool:
        return isinstance(self.operator, QuadraticBosons)

    def covariance_matrix(self, beta, observables):
        return self.weighted_covariance(beta, observables, None)

    def weighted_covariance(self, beta, observables, weight: Kernel | None) -> Float[Array, "observables observables"]:
        """`covariance_matrix` with every transition, of energies `x / beta` to `y / beta`, times `weight(x, y)`."""
        if not observables:
            raise ValueError("`observables` must have at least one operator, but is empty.")
        operators = [self._quadratic(observable) for observable in observables]
        if any(operator.paired for operator in operators) and not self.operator.paired:
            return self._doubled().weighted_covariance(beta, tuple(operators), weight)
        beta, statistics = self._beta(beta), self.statistics
        doubled = self.operator.paired
        matrices = jnp.stack([(o.nambu() if doubled else o.matrix).to_dense() for o in operators])
        matrices = self._to_core(matrices)
        block = self.one_block()
        (nodes,) = mode_sums.exponents(beta, (block,))
        one = functools.partial(
            chain,
            cumulant(1, bosonic=statistics.bosonic),
            (0, 0),
            mode_sums.exponent_of(beta, block),
            nodes,
            block.vectors,
        )
        left = matrices
        if weight is not None:
            scaled = Decomposition(beta * block.matrix, beta * block.eigenvalues, block.vectors)
            left = jax.vmap(lambda matrix: spectral_map(weight, scaled, matrix))(matrices)
        slopes = -statistics.weight * jnp.einsum("aij,bji->ab", left, jax.vmap(one)(matrices), precision="highest").real
        if statistics.bosonic and statistics.mirrored:  # coth(x / 2) / 2 = phi_1 + sign / 2
            sign = functools.partial(
                chain, mode_sums.SIGN, (0, 0), mode_sums.exponent_of(beta, block), nodes, block.vectors
            )
            slopes = slopes - jnp.einsum("aij,bji->ab", left, jax.vmap(sign)(matrices), precision="highest").real / 4
        return slopes

    def product_expectation(self, beta, a, b):
        """`Tr(rho A B)` of two quadratic operators, by Wick's theorem."""
        a, b = self._quadratic(a), self._quadratic(b)
        if (a.paired or b.paired) and not self.operator.paired:
            return self._doubled().product_expectation(beta, a, b)
        occupied, empty = self._occupied(beta)
        doubled = self.operator.paired
        left, right = ((o.nambu() if doubled else o.matrix).to_dense() for o in (a, b))
        inner = matmul(matmul(occupied, left), matmul(empty, right))
        return self.expectation(beta, a) * self.expectation(beta, b) + self.statistics.weight * jnp.trace(inner)

    def correlation_matrix(self, beta):
        """`<c_i^dagger c_j>` at `i, j`."""
        n = self.operator.dim
        return self._occupied(beta)[0][:n, :n].T

    def pairing_matrix(self, beta):
        """`<c_i c_j>` at `i, j`; zero without pairing."""
        n = self.operator.dim
        if not self.operator.paired:
            return jnp.zeros((n, n), self.operator.dtype)
        return self._occupied(beta)[0][:n, n:].T

    def ladder_expectation(self, beta, created, annihilated):
        """`<c_i^dagger ... c_j ...>`, by Wick's theorem."""
        correlations, pairs = self.correlation_matrix(beta), self.pairing_matrix(beta)
        return ladder_expectation(contractions(correlations, pairs), created, annihilated, self.operator.sign)

    def reduced_entropy(self, beta, sites, order: float = 1.0):
        """Entropy of the state of some sites, von Neumann's or Renyi's."""
        return subsystem_entropy(self._occupied(beta)[0], self.operator, sites, float(order))

    def explain(self):
        kind = "fermions" if not self._is_bosonic else "bosons"
        size = f"one block of {self.blocks[0].dim}" if self.structure is None else self.structure.describe()
        form = "Bogoliubov matrix" if self.operator.paired else "one-body matrix"
        return (
            f"Gaussian state of {self.operator.dim} sites of {kind}: exact diagonalisation of the {form}, {size}; "
            "error: rounding, eps (1 + beta ||M||) relative to ||M||"
        )

    # -- inside --

    def _quadratic(self, observable) -> AbstractQuadratic:
        quadratic = as_quadratic(observable, QuadraticBosons if self._is_bosonic else QuadraticFermions)
        if quadratic.dim != self.operator.dim:
            raise ValueError(
                f"`observable` must act on {self.operator.dim} sites like the Hamiltonian, but acts on {quadratic.dim}."
            )
        return quadratic

    def _occupied(self, beta):
        """`<Psi_j^dagger Psi_i>` and `<Psi_i Psi_j^dagger>` at `i, j`; of the doubled `Psi` with pairing."""
        beta = self._beta(beta)
        blocks = tuple(block.with_eigenvectors() for block in self.blocks)
        phi = mode_sums.occupation_matrices(self.statistics, beta, blocks)
        if self.factor is None:
            matrix = phi[0] if self.structure is None else from_blocks(phi, self.structure)
            one = jnp.eye(matrix.shape[-1], dtype=matrix.dtype)
            return matrix, one + self.operator.sign * matrix
        # W f(W) for an odd f is even in W: the covariance V = L^-dagger (W coth(beta W / 2) / 2) L^-1.
        (block,), (occupation,) = blocks, phi
        half = occupation + mode_sums.sign_matrices(blocks)[0] / 2
        core = matmul(block.matrix, half)
        inverse = jax.scipy.linalg.solve_triangular(self.factor, jnp.eye(block.dim, dtype=core.dtype), lower=True)
        covariance = matmul(matmul(dagger(inverse), (core + dagger(core)) / 2), inverse)
        metric = metric_of(block.dim, covariance.dtype)
        return covariance - metric / 2, covariance + metric / 2

    def _to_core(self, matrices):
        """Observables as they stand beside the matrix that is decomposed."""
        factor = self.factor
        if factor is None:
            return matrices
        metric = jnp.diagonal(metric_of(factor.shape[-1], factor.dtype))
        left = matmul(dagger(factor) * metric, matrices.astype(jnp.result_type(matrices, factor)))
        right = jax.vmap(lambda m: jax.scipy.linalg.solve_triangular(factor, dagger(m), lower=True))(left)
        return dagger(right)

    def one_block(self) -> Decomposition:
        """The decomposition of the whole matrix, put together from its blocks."""
        blocks = tuple(block.with_eigenvectors() for block in self.blocks)
        return blocks[0] if self.structure is None else _merged(blocks, self.structure)

    def _doubled(self) -> "GaussianSpectrum":
        """The same state with room for pairing in the observables."""
        return gaussian_spectrum(self.operator.with_matrix(self.operator.nambu(), paired=True), Exact())


def _merged(blocks, structure) -> Decomposition:
    vectors = jnp.zeros((structure.dim, structure.dim), jnp.result_type(*(b.vectors for b in blocks)))
    values, start = [], 0
    for block, index in zip(blocks, structure.indices, strict=True):
        columns = start + np.arange(index.size).reshape(index.shape)
        vectors = vectors.at[index[:, :, None], columns[:, None, :]].set(block.vectors)
        values.append(jnp.ravel(block.eigenvalues))
        start += index.size
    return Decomposition(from_blocks(tuple(b.matrix for b in blocks), structure), jnp.concatenate(values), vectors)


def gaussian_spectrum(operator: AbstractQuadratic, method: Exact) -> GaussianSpectrum:
    """Decompose the one-body matrix, once."""
    matrices, structure, factor = core_of(operator)
    blocks = tuple(decompose(matrix, eigenvectors=not method.levels_only) for matrix in matrices)
    return GaussianSpectrum(operator, blocks, factor, structure)
