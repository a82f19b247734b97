"""The generator of a system weakly coupled to thermal baths, in the secular approximation (Davies 1974)."""

from collections.abc import Hashable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Inexact, Int

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.baths import AbstractBath
from jaxgibbs.linalg import dagger, decompose, matmul
from jaxgibbs.operators import AbstractOperator, as_operator

from .bohr import bohr_clusters, cluster_frequencies, eigenbasis
from .collective import CollectiveGenerator, CollectiveJumps
from .couplings import bath_labels, coupling_matrices
from .generator import AbstractGenerator
from .secular import breaks_kms, check_secular


class Davies(AbstractGenerator):
    """What `davies` returns: the decomposition of the Hamiltonian, with its derivatives, and its Bohr frequencies in clusters.

    Attributes:
        hamiltonian: without the Lamb shift.
        couplings: the operators `A_a`, stacked.
        reservoirs: the bath of each coupling.
        levels: energies in ascending order.
        eigenvectors: as columns; `transition_rates(generator.eigenvectors)` are those of Pauli's equation.
        clusters: the number of the cluster of `E_j - E_i`, shape `(dim, dim)`, 0 for the frequency 0.
        driven: whether a coupling drives the transition, shape `(dim, dim)`.
    """

    hamiltonian: AbstractOperator
    couplings: Inexact[Array, "count dim dim"]
    reservoirs: tuple[AbstractBath, ...]
    levels: Float[Array, " dim"]
    eigenvectors: Inexact[Array, "dim dim"]
    clusters: Int[Array, "dim dim"]
    driven: Bool[Array, "dim dim"]
    bath_of_coupling: tuple[Hashable, ...] = eqx.field(static=True)
    lamb_shift: bool = eqx.field(static=True)
    separate: bool = eqx.field(static=True)

    @property
    def dim(self) -> int:
        return self.hamiltonian.dim

    @property
    def dtype(self) -> np.dtype:
        parameters = [leaf for leaf in jax.tree_util.tree_leaves(self.reservoirs) if eqx.is_inexact_array(leaf)]
        return jnp.result_type(self.hamiltonian.dtype, self.couplings, *parameters, jnp.complex64)

    @property
    def baths(self) -> tuple[Hashable, ...]:
        return tuple(dict.fromkeys(self.bath_of_coupling))

    @property
    def betas(self) -> Float[Array, " baths"]:
        """Inverse temperatures, one for each of `baths`."""
        first = [self.bath_of_coupling.index(label) for label in self.baths]
        return jnp.stack([self.reservoirs[k].beta for k in first]).astype(jnp.finfo(self.dtype).dtype)

    @property
    def frequencies(self) -> Float[Array, "dim dim"]:
        """`w_ij`, the mean of `E_j - E_i` over its cluster: the energy given to the bath in `|j> -> |i>`."""
        return cluster_frequencies(self.levels, self.clusters, self.driven)

    def hamiltonian_matrix(self):
        matrix = self.system_hamiltonian()
        return matrix + self.lamb_shift_matrix() if self.lamb_shift else matrix

    def system_hamiltonian(self):
        return self.hamiltonian.to_dense().astype(self.dtype)

    def lamb_shift_matrix(self, bath: Hashable | None = None) -> Inexact[Array, "dim dim"]:
        """`sum_w S(w) A(w)^dagger A(w)`, which commutes with the Hamiltonian; of one bath where `bath` is its label."""
        return self._weighted(_shifts).square(bath)

    def decay_matrix(self, bath=None):
        return self._weighted(_rates).square(bath)

    def jump_map(self, bath=None):
        return self._weighted(_rates).jump_map(bath)

    def adjoint_jump_map(self, bath=None):
        return self._weighted(_rates).adjoint_jump_map(bath)

    @eqx.filter_jit
    def prepared(self):
        jumps = self._weighted(_rates)
        return CollectiveGenerator(self.hamiltonian_matrix(), self.system_hamiltonian(), jumps.square(), jumps)

    def collective_jumps(self) -> tuple[Inexact[Array, "jumps dim dim"], Float[Array, " jumps"]] | None:
        """The operators `A_a(w)`, stacked, one a coupling and a cluster that it drives, and their rates.

        `None` where the clusters are traced, so that nobody can tell how many there are.
        """
        if not is_concrete(self.clusters, self.driven):
            return None
        numbers = np.where(np.asarray(self.driven), np.asarray(self.clusters), 0)
        found, places = np.unique(numbers, return_index=True)
        return _split(self.prepared().jumps, numbers == found[:, None, None], places)

    @eqx.filter_jit
    def _weighted(self, function) -> CollectiveJumps:
        """The couplings between eigenstates, with `function` of the frequencies as weights."""
        vectors, frequencies = self.eigenvectors.astype(self.dtype), self.frequencies
        elements = matmul(matmul(dagger(vectors), self.couplings.astype(self.dtype)), vectors)
        weights = jnp.stack([function(bath, frequencies, self.driven) for bath in self.reservoirs])
        return CollectiveJumps(
            vectors, elements, weights.astype(frequencies.dtype), self.clusters, self.bath_of_coupling, self.separate
        )


def davies(
    hamiltonian: Any,
    couplings: Sequence[tuple[Any, AbstractBath]],
    *,
    baths: Sequence[Hashable] | None = None,
    lamb_shift: bool = True,
    tolerance: float | None = None,
) -> Davies:
    """The Davies generator: thermal jumps between eigenstates, which drive the system to the Gibbs state of one bath.

        L(rho) = -i [H + H_LS, rho] + sum_a sum_w gamma_a(w) D[A_a(w)](rho),    A(w) = sum_{E_j - E_i = w} P_i A P_j

    Valid where rates are small beside differences of Bohr frequencies; those within `tolerance` make one collective jump.
    Derivatives are at fixed clustering, NaN where a perturbation would split a cluster (reverse mode sees this to second
    order, `jax.hessian` rather than `jacrev(jacfwd(...))`; see `eigenbasis`): make couplings the leaves of an operator, or use
    `chen_kastoryano_gilyen`. The local generator of weakly coupled parts is `davies(free_part, ...) + Lindbladian(rest, [])`.

    Args:
        hamiltonian: an operator or a Hermitian matrix (hbar = 1).
        couplings: pairs of a Hermitian operator of the system and its bath.
        baths: a label for each coupling, equal ones for one bath; `0, 1, ...` if not given.
        lamb_shift: whether to include `H_LS = sum_a sum_w S_a(w) A_a(w)^dagger A_a(w)`.
        tolerance: in the unit of `hamiltonian`; if not given, 1e-9 of the width of its spectrum (1e-5 in single precision), and
            no less than the rounding of its levels.

    Raises:
        ValueError: for an operator of the wrong size or not Hermitian, rates that are negative or break the KMS condition.

    Reference: Davies, Commun. Math. Phys. 39, 91 (1974); Breuer & Petruccione (2002), section 3.3.
    """
    hamiltonian = as_operator(hamiltonian)
    reservoirs = _reservoirs(couplings)
    matrices = coupling_matrices([operator for operator, _ in couplings], hamiltonian.dim)
    labels = bath_labels(baths, [bath.beta for bath in reservoirs])
    levels, vectors, width, clusters, driven, strengths = _analysed(
        hamiltonian.to_dense(), matrices, _checked(tolerance)
    )
    known = is_concrete(clusters)
    separate = known and len(np.unique(np.asarray(clusters))) == levels.size * (levels.size - 1) + 1
    any_driven = jnp.any(driven, axis=0)
    levels, vectors = eigenbasis(hamiltonian, levels, vectors, clusters, any_driven)
    generator = Davies(
        hamiltonian, matrices, reservoirs, levels, vectors, clusters, any_driven, labels, lamb_shift, separate
    )
    if lamb_shift:
        jax.eval_shape(lambda: generator.lamb_shift_matrix())  # raises for a bath that has none
    if is_concrete(levels, strengths, reservoirs):
        check_secular(generator, np.asarray(driven), np.asarray(strengths), float(width))
    return generator


def _reservoirs(couplings) -> tuple[AbstractBath, ...]:
    for number, pair in enumerate(couplings):
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[1], AbstractBath):
            raise ValueError(
                f"Coupling {number} must be a pair of an operator and a bath of `jaxgibbs.baths`, but is a `{type(pair).__name__}`"
                f"{' of ' + ' and '.join(type(part).__name__ for part in pair) if isinstance(pair, tuple | list) else ''}."
            )
    return tuple(bath for _, bath in couplings)


def _checked(tolerance):
    if tolerance is not None and not 0 <= tolerance < np.inf:
        raise ValueError(f"`tolerance` must be a finite number of at least 0, but is {tolerance}.")
    return tolerance if tolerance is None else jnp.asarray(tolerance)


@jax.jit
def _analysed(matrix, couplings, tolerance):
    """`(levels, vectors, tolerance, clusters, driven, |A_ij|^2)`, all constant for differentiation."""
    matrix, couplings = jax.lax.stop_gradient((matrix, couplings))
    d = decompose(matrix)
    if tolerance is None:
        eps = float(jnp.finfo(d.eigenvalues.dtype).eps)
        width, height = d.eigenvalues[-1] - d.eigenvalues[0], jnp.max(jnp.abs(d.eigenvalues))
        tolerance = jnp.maximum(max(1e-9, 128 * eps) * width, 128 * eps * height)
    elements = matmul(matmul(dagger(d.vectors), couplings), d.vectors)
    sizes = (elements * jnp.conj(elements)).real
    # an element below the rounding of eigenvectors between levels that are just told apart
    driven = sizes > jnp.finfo(sizes.dtype).eps * jnp.max(sizes, axis=(1, 2), keepdims=True)
    return d.eigenvalues, d.vectors, tolerance, bohr_clusters(d.eigenvalues, tolerance), driven, sizes


@jax.jit
def _split(jumps: CollectiveJumps, members, places):
    """One jump operator for each coupling and cluster, and its rate, read at one of the places of its elements."""
    vectors, dim = jumps.vectors, jumps.vectors.shape[-1]
    inside = (jumps.elements[:, None] * members).reshape(-1, dim, dim)
    rates = jumps.weights.reshape(len(jumps.weights), -1)[:, places]
    return matmul(matmul(vectors, inside), dagger(vectors)), rates.ravel()


def _rates(bath, frequencies, driven):
    """`gamma(w)`, NaN where it is negative or breaks the KMS condition, and 0 where nothing drives what has no value."""
    rates = bath.rate(frequencies)
    allowed = (rates >= 0) & ~breaks_kms(rates, frequencies, bath.beta)
    return jnp.where(driven | jnp.isfinite(rates), nan_unless(allowed | ~driven, rates), 0)


def _shifts(bath, frequencies, driven):
    shifts = bath.lamb_shift(frequencies)
    return jnp.where(driven | jnp.isfinite(shifts), shifts, 0)
