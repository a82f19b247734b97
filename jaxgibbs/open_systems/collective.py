"""Collective jumps in the eigenbasis of a Hamiltonian: the sums over clusters of transitions.

    J(X)_ik = sum_a sum_jl [w_ij and w_kl in one cluster] gamma_a(w_ij) (A_a)_ij X_jl (A_a)_kl^*

Where no two transitions share a frequency this is a rate equation for populations and a factor for each coherence, O(dim^2).
Else it costs O(dim^4) operations: by one matrix for small systems, row by row above, with O(dim^3) memory.
"""

from collections.abc import Callable, Hashable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from jaxgibbs._errors import check_room
from jaxgibbs.linalg import dagger, matmul

from .generator import AbstractGenerator, check_label

_LARGEST_KERNEL = 32  # of dim^4 numbers

Matrix = Complex[Array, "dim dim"]
Stack = Complex[Array, "count dim dim"]


def collective_map(
    elements: Stack, rates: Float[Array, "count dim dim"], clusters: Int[Array, "dim dim"], *, separate: bool
) -> Callable[[Matrix], Matrix]:
    """`J` as a function of matrices in the eigenbasis.

    Args:
        elements: the operators that couple to the baths.
        rates: `gamma_a(w_ij)`, equal inside a cluster.
        clusters: of `bohr_clusters`; an adjoint map has them, `elements` and `rates` transposed, `elements` conjugated.
        separate: whether no two transitions between different states share a cluster.
    """
    dim = clusters.shape[-1]
    if separate:
        diagonal = jnp.diagonal(elements, axis1=-2, axis2=-1)
        pure = matmul((rates[:, :1, 0] * diagonal).T, jnp.conj(diagonal))  # rates[:, 0, 0]: the rate at frequency 0
        between = _moduli(elements, rates) * (1 - jnp.eye(dim, dtype=rates.dtype))
        return lambda x: pure * x + jnp.diag(matmul(between.astype(x.dtype), jnp.diagonal(x)))

    def row(i):
        pairs = jnp.einsum("aj,akl->kjl", rates[:, i] * elements[:, i], jnp.conj(elements), precision="highest")
        return jnp.where(clusters[i][None, :, None] == clusters[:, None, :], pairs, 0).reshape(dim, dim * dim)

    if dim <= _LARGEST_KERNEL:
        kernel = jax.vmap(row)(jnp.arange(dim)).reshape(dim * dim, dim * dim)
        return lambda x: matmul(kernel, x.reshape(-1)).reshape(dim, dim)
    return lambda x: jax.lax.map(jax.checkpoint(lambda i: matmul(row(i), x.reshape(-1))), jnp.arange(dim))


def collective_square(
    elements: Stack, weights: Float[Array, "count dim dim"], clusters: Int[Array, "dim dim"], *, separate: bool
) -> Matrix:
    """`sum_a sum_w g_a(w) A_a(w)^dagger A_a(w)`, for `weights` `g_a(w_ij)`, in the eigenbasis."""
    if separate:
        return jnp.diag(jnp.sum(_moduli(elements, weights), axis=0)).astype(elements.dtype)

    dim = clusters.shape[-1]
    check_room(
        f"A thermal generator of dimension {dim} in which transitions share a frequency must have room for 3 dim^3 complex numbers",
        3 * dim**3,
        elements.dtype,
        "reduce the system by its symmetries, or give each part a bath of its own (a local generator)",
    )
    pairs = jnp.einsum("aij,aik->ijk", weights * jnp.conj(elements), elements, precision="highest")
    return jnp.sum(jnp.where(clusters[:, :, None] == clusters[:, None, :], pairs, 0), axis=0)


def _moduli(elements, weights):
    """`sum_a g_a(w_ij) |A_ij|^2`."""
    return jnp.sum(weights * (elements * jnp.conj(elements)).real, axis=0)


class CollectiveJumps(eqx.Module):
    """Couplings between eigenstates, and a weight for each frequency, as arrays.

    Attributes:
        vectors: eigenstates as columns.
        elements: the couplings between them.
        weights: say `gamma_a(w_ij)`, equal inside a cluster.
        clusters: of `bohr_clusters`.
    """

    vectors: Matrix
    elements: Stack
    weights: Float[Array, "count dim dim"]
    clusters: Int[Array, "dim dim"]
    bath_of_coupling: tuple[Hashable, ...] = eqx.field(static=True)
    separate: bool = eqx.field(static=True)

    def jump_map(self, bath: Hashable | None = None) -> Callable[[Matrix], Matrix]:
        """`J`, of one bath where `bath` is its label."""
        elements, weights = self._of_bath(bath)
        return self._rotated(collective_map(elements, weights, self.clusters, separate=self.separate))

    def adjoint_jump_map(self, bath: Hashable | None = None) -> Callable[[Matrix], Matrix]:
        """`J^+`, likewise."""
        elements, weights = self._of_bath(bath)
        weights = jnp.swapaxes(weights, 1, 2)
        return self._rotated(collective_map(dagger(elements), weights, self.clusters.T, separate=self.separate))

    def square(self, bath: Hashable | None = None) -> Matrix:
        """`sum_a sum_w g_a(w) A_a(w)^dagger A_a(w)`, likewise."""
        elements, weights = self._of_bath(bath)
        core = collective_square(elements, weights, self.clusters, separate=self.separate)
        return matmul(matmul(self.vectors, core), dagger(self.vectors))

    @property
    def baths(self) -> tuple[Hashable, ...]:
        return tuple(dict.fromkeys(self.bath_of_coupling))

    def _of_bath(self, bath):
        check_label(bath, self.baths)
        if bath is None:
            return self.elements, self.weights
        members = np.array([k for k, label in enumerate(self.bath_of_coupling) if label == bath])
        return self.elements[members], self.weights[members]

    def _rotated(self, core):
        vectors, adjoint = self.vectors, dagger(self.vectors)

        def apply(x):
            x = x.astype(jnp.result_type(x, vectors))
            return matmul(matmul(vectors, core(matmul(matmul(adjoint, x), vectors))), adjoint)

        return apply


class CollectiveGenerator(AbstractGenerator):
    """A generator with collective jumps whose rates are known, so that programs need not compute them."""

    hamiltonian: Matrix
    system: Matrix
    decay: Matrix
    jumps: CollectiveJumps

    @property
    def dim(self) -> int:
        return self.hamiltonian.shape[-1]

    @property
    def dtype(self) -> np.dtype:
        return self.hamiltonian.dtype

    @property
    def baths(self) -> tuple[Hashable, ...]:
        return self.jumps.baths

    def hamiltonian_matrix(self):
        return self.hamiltonian

    def system_hamiltonian(self):
        return self.system

    def jump_map(self, bath=None):
        return self.jumps.jump_map(bath)

    def adjoint_jump_map(self, bath=None):
        return self.jumps.adjoint_jump_map(bath)

    def decay_matrix(self, bath=None):
        return self.decay if bath is None else self.jumps.square(bath)
