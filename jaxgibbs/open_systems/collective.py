"""Collective jumps in the eigenbasis of a Hamiltonian: the sums over clusters of transitions.

    J(X)_ik = sum_a sum_jl [w_ij and w_kl in one cluster] gamma_a(w_ij) (A_a)_ij X_jl (A_a)_kl^*

Where no two transitions share a frequency this is a rate equation for populations and a factor for each coherence, O(dim^2).
Else it costs O(dim^4) operations: by one matrix for small systems, row by row above, with O(dim^3) memory.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from jaxgibbs.linalg import matmul

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

    @jax.checkpoint
    def add(total, i):
        pairs = matmul((weights[:, i] * jnp.conj(elements[:, i])).T, elements[:, i])
        return total + jnp.where(clusters[i][:, None] == clusters[i][None, :], pairs, 0), None

    dim = clusters.shape[-1]
    return jax.lax.scan(add, jnp.zeros((dim, dim), elements.dtype), jnp.arange(dim))[0]


def _moduli(elements, weights):
    """`sum_a g_a(w_ij) |A_ij|^2`."""
    return jnp.sum(weights * (elements * jnp.conj(elements)).real, axis=0)
