"""Residuals of detailed balance for spaces too large for dense maps, from random matrices."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs.linalg import dagger, matmul, random_phases
from jaxgibbs.linalg.traces import jackknife
from jaxgibbs.open_systems import AbstractGenerator, Lindbladian
from jaxgibbs.open_systems.generator import check_generator

from .modular import dephased
from .reference import ReferenceState, reference_state, source_of
from .residuals import ratio, root, squared_norm
from .weights import KMS, AbstractWeight, as_weight


class ResidualEstimate(eqx.Module):
    """A residual from random probes.

    Attributes:
        value: the estimate of `||K - K^dagger|| / ||K||`.
        standard_error: from the spread of the probes (jackknife); NaN for one probe.
        floor: what rounding alone may make of it.
    """

    value: Float[Array, ""]
    standard_error: Float[Array, ""]
    floor: Float[Array, ""]


def estimated_residual(
    generator: AbstractGenerator,
    state=None,
    *,
    beta: ArrayLike | None = None,
    hamiltonian=None,
    weight: AbstractWeight | float = KMS,
    probes: int = 32,
    key: Array | None = None,
) -> ResidualEstimate:
    """The residual of detailed balance by Hutchinson's method: `E ||A y||^2 = ||A||^2` for random matrices `y`.

    Each probe takes one `L` and one `L^+`; no map becomes a matrix, so that memory is that of a few matrices `(dim, dim)`.

    Args:
        generator: in Lindblad form; other kinds than `Lindbladian` must have traceless jump operators.
        state: as for `balance_residual`.
        beta: as for `balance_residual`.
        hamiltonian: as for `balance_residual`.
        weight: `diagnostics.KMS`, `GNS`, `BKM`, or a real number `s` from 0 to 1.
        probes: number of random matrices.
        key: PRNG key; a fixed one by default.

    Raises:
        ValueError: if `probes` is not positive, or as for `balance_residual`.

    Reference: Hutchinson, Commun. Stat. Simul. Comput. 19, 433 (1990).
    """
    check_generator(generator)
    if probes < 1:
        raise ValueError(f"`probes` must be at least 1, but is {probes}.")
    source = source_of(state, beta, hamiltonian, generator)
    if source is None:
        raise ValueError("`state` or `beta` must be given: the state that balance is measured against.")
    key = jax.random.key(0) if key is None else key
    return _estimated(generator, reference_state(source), as_weight(weight), probes, key)


@eqx.filter_jit
def _estimated(generator, reference: ReferenceState, weight, probes: int, key) -> ResidualEstimate:
    dim, basis, dtype = generator.dim, reference.basis, reference.basis.dtype
    logs = weight.log_weights(reference.log_populations)
    center = jnp.min(reference.log_populations) / 2  # a factor that drops out; with it nothing overflows
    nodes, one = reference.log_populations - center, jnp.eye(dim, dtype=dtype)
    raised, lowered = (weight.root(reference.exponent - center * one, nodes, sign) for sign in (1, -1))
    kept = reference.support[:, None] & reference.support[None, :]
    forward, adjoint = generator.linear_map(), generator.adjoint_map()
    commuting = dephased(_canonical_hamiltonian(generator, basis), reference)

    def turned(function, x):
        return matmul(matmul(dagger(basis), function(matmul(matmul(basis, x), dagger(basis)))), basis)

    def probe(index):
        y = random_phases(key, index, dim * dim, dtype).reshape(dim, dim) * kept
        rotating = 1j * (matmul(commuting, y) - matmul(y, commuting))
        whole = raised(turned(adjoint, lowered(y))) * kept
        image = whole - rotating * kept
        mirrored = (lowered(turned(forward, raised(y))) + rotating) * kept
        size = (squared_norm(image) + squared_norm(mirrored)) / 2
        return (squared_norm(image - mirrored), size), squared_norm(whole) / jnp.where(size > 0, size, 1)

    samples, shares = jax.lax.map(probe, jnp.arange(probes))

    def residual(means):
        return root(ratio(*means))

    value = residual(jax.tree_util.tree_map(jnp.mean, samples))
    eps = jnp.finfo(dtype).eps
    # Elements of L^+ that are wrong by eps of the largest, times the ratios of the weights.
    spread = jnp.exp(
        (jax.scipy.special.logsumexp(logs, where=kept) + jax.scipy.special.logsumexp(-logs, where=kept)) / 2
    )
    # The commutator, which is taken off, is rounded relative to itself.
    cancelled = jnp.sqrt(jnp.maximum(jnp.mean(shares), 1))
    floor = 12 * eps * cancelled * jnp.where(reference.is_exact, dim, spread / dim)
    return ResidualEstimate(value, jackknife(residual, samples), floor)


def _canonical_hamiltonian(generator, basis):
    """The Hamiltonian that goes with traceless jump operators, in a basis."""
    hamiltonian = generator.hamiltonian_matrix()
    if isinstance(generator, Lindbladian):
        jumps = generator.jump_operators
        traces = generator.rates * jnp.conj(jnp.trace(jumps, axis1=-2, axis2=-1))
        half = jnp.einsum("k,kij->ij", traces, jumps)  # its Hermitian conjugate is sum r Tr(L) L^dagger
        hamiltonian = hamiltonian + (dagger(half) - half) / (2j * generator.dim)
    return matmul(matmul(dagger(basis), hamiltonian.astype(basis.dtype)), basis)
