"""Charges as Hermitian matrices, in the diagonal blocks that all of them have."""

import jax.numpy as jnp
from jaxtyping import Array, Inexact

from jaxgibbs.linalg import Exponential, dagger, eigh, matmul

from ._charges import AbstractFacedCharges, Moments

_EXP = Exponential()


class MatrixCharges(AbstractFacedCharges):
    """Charges that need not commute.

    Attributes:
        stacks: `Q_k - q_k`, one array for each block size.
        log_reference: `ln omega` of a reference state in the same blocks, or `None` for the maximally mixed one.
        basis: for charges on a subspace its orthonormal basis, as columns; only with a single block.
    """

    stacks: tuple[Inexact[Array, "blocks charges size size"], ...]
    log_reference: tuple[Inexact[Array, "blocks size size"], ...] | None = None
    basis: Inexact[Array, "dim subspace"] | None = None

    @property
    def count(self):
        return self.stacks[0].shape[1]

    @property
    def dim(self) -> int:
        return sum(stack.shape[0] * stack.shape[-1] for stack in self.stacks)

    @property
    def dtype(self):
        return self.stacks[0].real.dtype

    def _sum(self, multipliers):
        return [jnp.einsum("k,bkij->bij", multipliers.astype(stack.dtype), stack) for stack in self.stacks]

    def _exponent(self, multipliers):
        actions = self._sum(multipliers)
        if self.log_reference is None:
            return actions
        return [action - log for action, log in zip(actions, self.log_reference, strict=True)]

    def moments(self, multipliers):
        # Gershgorin: a bound on -ln omega from above that needs no decomposition of its own.
        rows = [jnp.max(jnp.sum(jnp.abs(log), axis=-1)) for log in self.log_reference or ()]
        reference_top = sum(rows[1:], rows[0]) if rows else jnp.zeros((), self.dtype)
        blocks = [eigh(action) for action in self._exponent(multipliers)]
        lowest = jnp.min(jnp.stack([energies[:, 0].min() for energies, _ in blocks]))
        x = [lowest - energies for energies, _ in blocks]
        weight = sum(jnp.sum(jnp.exp(exponents)) for exponents in x)
        residual = jnp.zeros(self.count, self.dtype)
        for stack, exponents, (_, vectors) in zip(self.stacks, x, blocks, strict=True):
            populations = (jnp.exp(exponents) / weight)[:, None, :]
            state = matmul(vectors * populations.astype(vectors.dtype), dagger(vectors))
            residual += jnp.sum((stack * jnp.swapaxes(state, -1, -2)[:, None]).real, axis=(0, 2, 3))

        def covariance():
            total = jnp.zeros((self.count, self.count), self.dtype)
            for stack, exponents, (_, vectors) in zip(self.stacks, x, blocks, strict=True):
                rows = _weighted_elements(stack, exponents, vectors, weight, residual)
                total += matmul(rows, rows.T)
            return total

        squares = sum(jnp.sum(jnp.abs(stack) ** 2, axis=(0, 2, 3)) for stack in self.stacks)
        noise = jnp.finfo(self.dtype).eps * jnp.sqrt(jnp.max(squares))
        blur = noise * jnp.linalg.norm(multipliers)
        return Moments(jnp.log(weight) - lowest, residual, lowest - reference_top, noise, blur, covariance)

    def vectors(self):
        count = self.dim
        traces = [jnp.trace(stack, axis1=-2, axis2=-1).real.sum(0) for stack in self.stacks]
        means = jnp.sum(jnp.stack(traces), axis=0) / count
        rows = []
        for stack in self.stacks:
            centred = stack - (means[:, None, None] * jnp.eye(stack.shape[-1], dtype=means.dtype)).astype(stack.dtype)
            rows.append(_real_rows(centred))
        return jnp.concatenate(rows, axis=-1) / jnp.sqrt(jnp.asarray(count, self.dtype)), means

    def combine(self, weights):
        stacks = (jnp.einsum("jk,bkmn->bjmn", weights.astype(stack.dtype), stack) for stack in self.stacks)
        return MatrixCharges(tuple(stacks), self.log_reference, self.basis)

    def tilt(self, multipliers):
        return MatrixCharges(self.stacks, tuple(-action for action in self._exponent(multipliers)), self.basis)

    def top(self, direction):
        return jnp.max(jnp.stack([eigh(action)[0].max() for action in self._sum(direction)]))

    def face(self, direction, width):
        (action,), (stack,) = self._sum(direction), self.stacks
        energies, vectors = eigh(action[0])
        # Eager: the dimension of the face is a shape.
        kept = vectors[:, energies >= energies[-1] - width]
        restricted = (matmul(matmul(dagger(kept), stack[0]), kept)[None],)
        log_reference = self.log_reference
        if log_reference is not None:
            log_reference = (matmul(matmul(dagger(kept), log_reference[0][0]), kept)[None],)
        return MatrixCharges(restricted, log_reference, kept if self.basis is None else matmul(self.basis, kept))

    def state(self, multipliers):
        (action,) = self._exponent(multipliers)
        energies, vectors = eigh(action[0])
        weights = jnp.exp(energies[0] - energies)
        if self.basis is not None:
            vectors = matmul(self.basis, vectors)
        matrix = matmul(vectors * (weights / jnp.sum(weights)).astype(vectors.dtype), dagger(vectors))
        return {"density_matrix": matrix, "face_dimension": jnp.asarray(self.dim)}


def _weighted_elements(stack, exponents, vectors, weight, residual):
    """Rows `sqrt(kappa_ab) (Q_k - <Q_k>)_ab`, whose products are `K_kl = sum_ab kappa_ab (Q_k)_ab (Q_l)_ba - <Q_k><Q_l>`."""
    blocks, count, size, _ = stack.shape
    right = matmul(stack.reshape(blocks, count * size, size), vectors).reshape(blocks, count, size, size)
    turned = jnp.swapaxes(right, -1, -2).reshape(blocks, count * size, size)
    elements = matmul(turned, jnp.conj(vectors)).reshape(blocks, count, size, size)
    kappa = _EXP([[exponents[:, :, None], exponents[:, None, :]]]) / weight
    diagonal = (residual[:, None, None] * jnp.eye(size, dtype=residual.dtype)).astype(elements.dtype)
    return _real_rows((elements - diagonal) * jnp.sqrt(kappa)[:, None])


def _real_rows(stack):
    """One real row a charge, of the length that `sqrt(sum |elements|^2)` gives."""
    rows = jnp.moveaxis(stack, 1, 0).reshape(stack.shape[1], -1)
    return jnp.concatenate([rows.real, rows.imag], axis=-1) if jnp.iscomplexobj(rows) else rows
