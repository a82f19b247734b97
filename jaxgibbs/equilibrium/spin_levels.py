"""Levels of a magnetic molecule in blocks, in kelvin, and their thermal sums.

Where all directions are alike the blocks are those of total spin, a few states each; where z is special, those of
magnetisation. If moreover all g-factors are one, the moment is a multiple of the total spin and levels are all it takes.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgibbs.linalg import Decomposition, decompose
from jaxgibbs.linalg.block_sums import Transitions, block_traces, transition_sum
from jaxgibbs.models.spin_cluster import SpinCluster
from jaxgibbs.symmetry.spin_blocks import SpinBlocks, magnetisations, multiplets
from jaxgibbs.units import KELVIN, convert, zeeman_energy

Scalar = Float[Array, ""]


def is_uniform(cluster: SpinCluster) -> bool:
    """Whether the moment is `g` times the total spin, which is conserved."""
    return cluster.is_isotropic and cluster.g.ndim == 0


class Multiplets:
    """Blocks of total spin in a field that splits each multiplet evenly: a uniform g-factor."""

    def __init__(self, cluster: SpinCluster):
        found, self.stack = _decomposed(cluster, by_total_spin=True)
        self.spins, self.sizes, self.g = found.label, found.sizes, cluster.g
        m = self.spins.max() - np.arange(round(2 * self.spins.max()) + 1)
        present = (np.abs(m) <= self.spins[:, None]) & ((m - self.spins[:, None]) % 1 == 0)
        self.m, self.offset = (
            jnp.asarray(m, cluster.g.dtype),
            jnp.asarray(np.where(present, 0, -np.inf), cluster.g.dtype),
        )

    def curie_sum(self, beta: Scalar) -> Scalar:
        """`beta g^2 <(S^z)^2>` at zero field, in 1 / K."""
        weights = jax.nn.softmax(self._log_weights(beta, jnp.zeros_like(beta)))
        sizes = jnp.asarray(self.spins * (self.spins + 1) / 3, weights.dtype)
        return beta * self.g**2 * jnp.sum(weights * sizes)

    def moment(self, beta: Scalar, field: Scalar) -> Scalar:
        """`g <S^z>` in a field in tesla."""
        splitting = self.g * zeeman_energy(field, KELVIN)
        weights = jax.nn.softmax(self._log_weights(beta, splitting))
        return self.g * jnp.sum(weights * self._in_multiplet(beta, splitting)[0])

    def heat_capacity(self, beta: Scalar, field: Scalar) -> Scalar:
        """`beta^2 Var(H)` in a field in tesla."""
        splitting = self.g * zeeman_energy(field, KELVIN)
        mean, variance = self._in_multiplet(beta, splitting)
        weights = self._log_weights(beta, splitting)
        return _heat_capacity(beta, self.stack, self.sizes, weights, -splitting * mean, splitting**2 * variance)

    def _log_weights(self, beta, splitting):
        split = jax.nn.logsumexp(beta * splitting * self.m + self.offset, axis=-1)
        return _log_weights(beta, self.stack, self.sizes) + split

    def _in_multiplet(self, beta, splitting):
        """Mean and variance of `S^z` in each multiplet."""
        shares = jax.nn.softmax(beta * splitting * self.m + self.offset, axis=-1)
        mean = jnp.sum(shares * self.m, axis=-1)
        return mean, jnp.sum(shares * (self.m - mean[:, None]) ** 2, axis=-1)


class MomentBlocks:
    """Blocks at zero field, of total spin or of magnetisation, and the transitions of the moment between them."""

    def __init__(self, cluster: SpinCluster):
        self.found, self.stack = _decomposed(cluster, by_total_spin=cluster.is_isotropic)
        found, dtype = self.found, cluster.g.dtype
        along = found.axis == 0
        factors = jnp.where(along, cluster.g_factors[:, :1], cluster.g_factors[:, 1:])
        self.elements = jnp.einsum("it,itab->tab", factors, jnp.asarray(found.elements, dtype), precision="highest")
        self.transitions = _transitions(found, cluster.is_isotropic)

    def kubo_mori(self, beta: Scalar) -> Scalar:
        """`int_0^beta d tau <M(-i tau) M>`, averaged over directions, in 1 / K."""
        log_weights = _log_weights(beta, self.stack, self.found.sizes) + jnp.log(
            jnp.asarray(self.found.copies, beta.dtype)
        )
        total = transition_sum(self.transitions, -beta, self.stack, self.elements)
        return beta * total / jnp.sum(jnp.exp(log_weights))

    def heat_capacity(self, beta: Scalar) -> Scalar:
        """`beta^2 Var(H)`."""
        weights = _log_weights(beta, self.stack, self.found.sizes)
        weights = weights + jnp.log(jnp.asarray(self.found.copies, beta.dtype))
        return _heat_capacity(beta, self.stack, self.found.sizes, weights, 0.0, 0.0)


class FieldBlocks:
    """Blocks of magnetisation in a field along z, of both signs."""

    def __init__(self, cluster: SpinCluster, field: Scalar):
        found = magnetisations(cluster.spins)
        moment = jnp.tensordot(cluster.g_factors[:, 0], jnp.asarray(_along_field(cluster.spins), cluster.g.dtype), 1)
        bare = _matrices(cluster, by_total_spin=False)
        splitting = zeeman_energy(field, KELVIN) * moment
        both = jnp.concatenate([bare - splitting, bare + splitting])
        self.stack, self.sizes = decompose(_padded(both, 2 * found.sizes)), 2 * found.sizes
        once = np.concatenate([np.zeros(len(found.sizes)), np.where(found.label > 0, 0, -np.inf)])
        self.offset = jnp.asarray(once, cluster.g.dtype)

    def heat_capacity(self, beta: Scalar) -> Scalar:
        """`beta^2 Var(H)`."""
        weights = _log_weights(beta, self.stack, self.sizes) + self.offset
        return _heat_capacity(beta, self.stack, self.sizes, weights, 0.0, 0.0)


def moment_along_z(cluster: SpinCluster, beta: Scalar, field: Scalar) -> Scalar:
    """`<M_z>` in Bohr magnetons in a field along z in tesla: the slope of `ln Z` in `beta mu_B B`."""

    def log_partition(field):
        blocks = FieldBlocks(cluster, field)
        return jax.nn.logsumexp(_log_weights(beta, blocks.stack, blocks.sizes) + blocks.offset)

    return jax.grad(log_partition)(field) / (beta * zeeman_energy(1.0, KELVIN))


def _log_weights(beta, stack, sizes):
    lowest = stack.eigenvalues[:, 0]
    return -beta * (lowest - jnp.min(lowest)) + jnp.log(block_traces(0, sizes, -beta, stack))


def _heat_capacity(beta, stack, sizes, log_weights, shift, spread) -> Scalar:
    """From the mean and variance of each block, with what a field adds to them: nothing here cancels."""
    zeroth, first, second = (block_traces(power, sizes, -beta, stack) for power in range(3))
    mean = stack.eigenvalues[:, 0] + first / zeroth + shift
    variance = second / zeroth - (first / zeroth) ** 2 + spread
    shares = jax.nn.softmax(log_weights)
    centre = jnp.sum(shares * mean)
    return beta**2 * jnp.sum(shares * (variance + (mean - centre) ** 2))


def _decomposed(cluster: SpinCluster, *, by_total_spin: bool) -> tuple[SpinBlocks, Decomposition]:
    found = (multiplets if by_total_spin else magnetisations)(cluster.spins)
    return found, decompose(_padded(_matrices(cluster, by_total_spin=by_total_spin), found.sizes))


def _matrices(cluster: SpinCluster, *, by_total_spin: bool) -> Float[Array, "blocks size size"]:
    """The Hamiltonian at zero field, in kelvin."""
    dtype, unit = cluster.coupling.dtype, convert(1.0, cluster.energy_unit, KELVIN)
    exchange = jnp.asarray(_exchange(cluster.spins, cluster.bonds, by_total_spin), dtype)
    couplings = jnp.broadcast_to(cluster.coupling * (unit * cluster.convention.prefactor), (len(cluster.bonds),))
    matrices = jnp.tensordot(couplings, exchange, 1)
    if cluster.single_ion is not None:
        squares = jnp.asarray(_squares(cluster.spins), dtype)
        matrices += jnp.tensordot(jnp.broadcast_to(cluster.single_ion * unit, (len(cluster.spins),)), squares, 1)
    return matrices


def _padded(matrices, sizes):
    """With the padding above all levels."""
    bound = jax.lax.stop_gradient(1.5 * jnp.max(jnp.sum(jnp.abs(matrices), axis=-1)))
    padding = np.arange(matrices.shape[-1]) >= np.array(sizes)[:, None]
    above = jnp.where(bound > 0, bound, 1)
    return matrices + above * jnp.asarray(padding[:, :, None] * np.eye(matrices.shape[-1]), matrices.dtype)


# Static parts, kept: a fit traces its prediction several times.


@functools.lru_cache(maxsize=32)
def _exchange(spins, bonds, by_total_spin: bool) -> np.ndarray:
    return (multiplets if by_total_spin else magnetisations)(spins).exchange(bonds)


@functools.lru_cache(maxsize=32)
def _squares(spins) -> np.ndarray:
    return magnetisations(spins).squares()


@functools.lru_cache(maxsize=32)
def _along_field(spins) -> np.ndarray:
    return magnetisations(spins).along_field()


@functools.lru_cache(maxsize=32)
def _transitions(found: SpinBlocks, isotropic: bool) -> Transitions:
    """Weighted as a powder: one third along z and two thirds across, where they differ."""
    share = 1.0 if isotropic else np.where(found.axis == 0, 1 / 3, 2 / 3)
    return Transitions(found.left, found.right, found.weight * share)
