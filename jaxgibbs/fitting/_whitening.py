"""Coordinates in which the charges are orthonormal, and the directions in which they depend on each other."""

from typing import Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgibbs.linalg import eigh, matmul

from ._norms import row_norms

_WELL_CONDITIONED = 1e-6  # smallest eigenvalue of a Gram matrix of unit vectors whose eigenvectors can be trusted


class Whitening(eqx.Module):
    """Linear combinations of the charges, orthonormal in `Tr(A B) / dim` up to additive constants.

    Attributes:
        combinations: row `j` gives a combination; rows of dependent directions are zero.
        independent: which rows are combinations.
        dependencies: rows `n` with `sum_k n_k Q_k` a multiple of the identity, scaled to norm 1; other rows are zero.
        gauge: orthogonal projector, in the user's coordinates, on the span of `dependencies`.
        scales: root mean square of each centred charge, 1 for a multiple of the identity.
        offsets: `Tr(Q_k) / dim - q_k`.
        overlaps: the centred charges, each in units of its scale, expressed in the combinations.
    """

    combinations: Float[Array, "charges charges"]
    independent: Bool[Array, " charges"]
    dependencies: Float[Array, "charges charges"]
    gauge: Float[Array, "charges charges"]
    scales: Float[Array, " charges"]
    offsets: Float[Array, " charges"]
    overlaps: Float[Array, "charges charges"]

    def multipliers(self, whitened: Float[Array, " charges"]) -> Float[Array, " charges"]:
        """From whitened coordinates to multipliers of minimum norm in the user's."""
        multipliers = whitened @ self.combinations
        return multipliers - self.gauge @ multipliers

    def whitened(self, multipliers: Float[Array, " charges"]) -> Float[Array, " charges"]:
        """From multipliers of the user to whitened coordinates."""
        return (multipliers * self.scales) @ self.overlaps


class Vectors(Protocol):
    """What has `vectors()`, as `AbstractCharges` have."""

    def vectors(self) -> tuple[Float[Array, "charges length"], Float[Array, " charges"]]:
        """The centred charges as vectors, and their means."""
        ...


def whiten(
    charges: Vectors, targets: Float[Array, " charges"], tolerance: float, floors: Float[Array, " charges"]
) -> Whitening:
    """Find orthonormal combinations of charges that are given less their `targets`.

    A direction shorter than `tolerance` in units of its charges is dependent, and a charge of a scale below its entry in
    `floors` is a multiple of the identity.
    """
    vectors, offsets = charges.vectors()
    scales = row_norms(vectors)
    # A multiple of the identity leaves rounding behind when its mean is taken off.
    varies = scales > 64 * jnp.finfo(scales.dtype).eps * (jnp.abs(offsets) + jnp.abs(targets))
    varies = varies & (scales > floors)
    units = jnp.where(varies, scales, 1)
    vectors = jnp.where(varies[:, None], vectors, 0) / units[:, None]
    spread, turn = eigh(matmul(vectors, vectors.T))

    def plain():
        lengths = jnp.sqrt(spread)
        nothing = jnp.zeros_like(turn)
        return (turn / lengths).T, jnp.ones_like(varies), nothing, turn * lengths

    rows, independent, dependencies, overlaps = jax.lax.cond(
        spread[0] > _WELL_CONDITIONED, plain, lambda: _carefully(vectors, turn, tolerance)
    )
    dependencies = dependencies / units
    norms = row_norms(dependencies)
    dependencies = dependencies / jnp.where(norms > 0, norms, 1)[:, None]
    gauge = jax.lax.cond(independent.all(), lambda d: jnp.zeros_like(d), _projector, dependencies)
    return Whitening(rows / units, independent, dependencies, gauge, units, offsets, overlaps)


def _carefully(vectors, turn, tolerance):
    """Combinations, which of them are independent, dependencies and overlaps of charges whose Gram matrix is near singular.

    A Gram matrix resolves lengths down to `sqrt(eps)` only, so what it gives is formed, measured and orthonormalised again.
    """

    def measure(combinations):
        rows = matmul(combinations, vectors)
        lengths = jnp.linalg.norm(rows, axis=-1)
        independent = lengths > tolerance * jnp.linalg.norm(combinations, axis=-1)
        return rows, jnp.where(independent, lengths, jnp.linalg.norm(combinations, axis=-1)), independent

    combinations = turn.T
    for _ in range(2):
        rows, lengths, independent = measure(combinations)
        rows = jnp.where(independent[:, None], rows / lengths[:, None], 0)
        # Dependent directions get an eigenvalue of their own, -1, so that they do not mix with the others.
        gram = matmul(rows, rows.T) - jnp.diag(jnp.where(independent, 0.0, 1.0).astype(rows.dtype))
        combinations = matmul(eigh(gram)[1].T, combinations / lengths[:, None])
    rows, lengths, independent = measure(combinations)
    combinations = combinations / lengths[:, None]
    overlaps = matmul(vectors, (rows / lengths[:, None]).T) * independent
    chosen = independent[:, None]
    return jnp.where(chosen, combinations, 0), independent, jnp.where(chosen, 0, combinations), overlaps


def _projector(dependencies):
    """The orthogonal projector on the span of some rows of norm 1, the others being zero."""
    weights, directions = eigh(matmul(dependencies.T, dependencies))
    spanned = directions * (weights > jnp.sqrt(jnp.finfo(weights.dtype).eps))
    return matmul(spanned, spanned.T)
