"""Charges quadratic in fermions or bosons: matrices of the number of modes, or of twice that with pairing.

With the vacuum constants moved into the targets a charge is `w Psi^dagger M Psi`, `w = 1` for `Psi = c` and 1/2 for the doubled
`Psi = (c, c^dagger)`, and everything is a sum over the modes of `sum_k lam_k M_k`. The charges need not commute.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from jaxgibbs.linalg import dagger, eigh, matmul
from jaxgibbs.linalg.functions import SIGN, cumulant

from ._charges import AbstractCharges, AbstractFacedCharges, Moments


class QuadraticCharges(AbstractFacedCharges):
    """Fermions, and bosons without pairing.

    Attributes:
        matrices: `M_k`.
        targets: `q_k` less the constants.
        exponent: `X` of a reference state `exp(-w Psi^dagger X Psi)`, or `None`.
        bosonic: whether occupations are 0, 1, 2, ... instead of 0, 1.
        doubled: whether every mode appears twice.
        basis: of the modes that are left on a face, as columns.
        filled: on a face, the occupation matrix of the others.
    """

    matrices: Inexact[Array, "charges modes modes"]
    targets: Float[Array, " charges"]
    bosonic: bool = eqx.field(static=True)
    doubled: bool = eqx.field(static=True)
    exponent: Inexact[Array, "modes modes"] | None = None
    basis: Inexact[Array, "all modes"] | None = None
    filled: Inexact[Array, "all all"] | None = None

    @property
    def count(self):
        return self.matrices.shape[0]

    @property
    def dtype(self):
        return self.matrices.real.dtype

    @property
    def _weight(self) -> float:
        return 0.5 if self.doubled else 1.0

    def _sum(self, multipliers):
        return jnp.einsum("k,kij->ij", multipliers.astype(self.matrices.dtype), self.matrices)

    def moments(self, multipliers):
        action, offset, weight = self._sum(multipliers), multipliers @ self.targets, self._weight
        levels, vectors = eigh(action if self.exponent is None else action + self.exponent)
        bare = levels if self.exponent is None else eigh(action)[0]
        if self.bosonic:
            inside = jnp.all(levels > 0)
            x = jnp.where(inside, levels, 1)
            occupations = jnp.exp(-x) / -jnp.expm1(-x)
            log_partition = jnp.where(inside, -jnp.sum(jnp.log(-jnp.expm1(-x))), jnp.inf)
            lowest = jnp.where(jnp.all(bare >= 0), -offset, -jnp.inf)
        else:
            x, occupations = levels, jax.nn.sigmoid(-levels)
            log_partition = weight * jnp.sum(jax.nn.softplus(-levels))
            lowest = weight * jnp.sum(jnp.minimum(bare, 0)) - offset
        state = matmul(vectors * occupations.astype(vectors.dtype), dagger(vectors))
        residual = weight * jnp.einsum("kij,ji->k", self.matrices, state, precision="highest").real - self.targets

        def covariance():
            kernel = -weight * cumulant(1, bosonic=self.bosonic)([[x[:, None], x[None, :]]])
            return _contracted(self.matrices, vectors, kernel)

        eps = jnp.finfo(self.dtype).eps
        sizes = jnp.linalg.norm(self.matrices, axis=(1, 2))
        noise = eps * jnp.max(sizes * jnp.linalg.norm(occupations) + jnp.abs(self.targets))
        blur = eps * (jnp.abs(multipliers) @ (sizes + jnp.abs(self.targets)))
        return Moments(log_partition + offset, residual, lowest, noise, blur, covariance)

    def vectors(self):
        # The scale is the spread at half filling, of bosons at one quantum a mode. No charge here is the identity.
        size = jnp.sqrt(jnp.asarray(self._weight, self.dtype)) / (1 if self.bosonic else 2)
        return size * _rows(self.matrices), -self.targets

    def combine(self, weights):
        matrices = jnp.einsum("jk,kmn->jmn", weights.astype(self.matrices.dtype), self.matrices)
        return self._replaced(matrices=matrices, targets=weights @ self.targets)

    def tilt(self, multipliers):
        action = self._sum(multipliers)
        return self._replaced(exponent=action if self.exponent is None else action + self.exponent)

    def top(self, direction):
        levels = eigh(self._sum(direction))[0]
        offset = direction @ self.targets
        if self.bosonic:
            tolerance = jnp.sqrt(jnp.finfo(self.dtype).eps) * jnp.max(jnp.abs(levels))
            return jnp.where(jnp.all(levels <= tolerance), -offset, jnp.inf)
        return self._weight * jnp.sum(jnp.maximum(levels, 0)) - offset

    def face(self, direction, width):
        levels, vectors = eigh(self._sum(direction))
        # Eager: how many modes are left is a shape.
        kept, full = vectors[:, jnp.abs(levels) <= width], vectors[:, levels > width]
        frozen = matmul(full, dagger(full))
        nothing = kept.shape[1] == 0
        if nothing:  # a mode that is none, so that shapes stay
            kept = jnp.zeros_like(vectors[:, :1])
        targets = self.targets - self._weight * jnp.einsum("kij,ji->k", self.matrices, frozen).real
        basis = jnp.eye(len(levels), dtype=vectors.dtype) if self.basis is None else self.basis
        filled = matmul(matmul(basis, frozen), dagger(basis))
        exponent = None if self.exponent is None else matmul(matmul(dagger(kept), self.exponent), kept)
        if nothing:
            exponent = jnp.ones((1, 1), vectors.dtype)
        return self._replaced(
            matrices=matmul(matmul(dagger(kept), self.matrices), kept),
            targets=targets,
            exponent=exponent,
            basis=matmul(basis, kept),
            filled=filled if self.filled is None else self.filled + filled,
        )

    def state(self, multipliers):
        action = self._sum(multipliers)
        levels, vectors = eigh(action if self.exponent is None else action + self.exponent)
        occupations = jnp.exp(-levels) / -jnp.expm1(-levels) if self.bosonic else jax.nn.sigmoid(-levels)
        vectors = vectors if self.basis is None else matmul(self.basis, vectors)
        matrix = matmul(vectors * occupations.astype(vectors.dtype), dagger(vectors))
        matrix = matrix if self.filled is None else matrix + self.filled
        left = len(levels) if self.basis is None else jnp.sum(jnp.linalg.norm(self.basis, axis=0) > 0)
        return {"occupation_matrix": matrix, "face_dimension": jnp.asarray(left)}

    def _replaced(self, **changes):
        names = ("matrices", "targets", "bosonic", "doubled", "exponent", "basis", "filled")
        return QuadraticCharges(**({name: getattr(self, name) for name in names} | changes))


class SqueezedCharges(AbstractCharges):
    """Bosons with pairing: with `sum_k lam_k M_k = L L^dagger` all is a function of `W = L^dagger eta L` (Colpa 1978).

    Attributes:
        matrices: `M_k = [[A, B], [B^dagger, A^T]]`.
        targets: `q_k` less the constants `-Tr A_k / 2`.
    """

    matrices: Inexact[Array, "charges doubled doubled"]
    targets: Float[Array, " charges"]

    @property
    def count(self):
        return self.matrices.shape[0]

    @property
    def dtype(self):
        return self.matrices.real.dtype

    def moments(self, multipliers):
        size = self.matrices.shape[-1]
        metric = jnp.repeat(jnp.asarray([1.0, -1.0], self.dtype), size // 2)
        factor = jnp.linalg.cholesky(jnp.einsum("k,kij->ij", multipliers.astype(self.matrices.dtype), self.matrices))
        inside = jnp.all(jnp.isfinite(factor))
        factor = jnp.where(inside, factor, jnp.eye(size, dtype=factor.dtype))
        levels, vectors = eigh(matmul(dagger(factor) * metric, factor))
        x = jnp.abs(levels)
        offset = multipliers @ self.targets
        log_partition = -jnp.sum(x / 2 + jnp.log(-jnp.expm1(-x))) / 2
        # <Psi_j^dagger Psi_i> = L^-dagger (W coth(W / 2) / 2) L^-1 - eta / 2, and Tr(M_k eta) = 0.
        turned = jax.scipy.linalg.solve_triangular(dagger(factor), vectors, lower=False)
        energies = x / 2 + x * jnp.exp(-x) / -jnp.expm1(-x)
        state = matmul(turned * energies.astype(turned.dtype), dagger(turned))
        residual = jnp.einsum("kij,ji->k", self.matrices, state, precision="highest").real / 2 - self.targets

        def covariance():
            pair = [[levels[:, None], levels[None, :]]]
            slope = -(cumulant(1, bosonic=True)(pair) + SIGN(pair) / 2)
            return _contracted(self.matrices, turned, jnp.maximum(slope * levels[:, None] * levels / 2, 0))

        eps = jnp.finfo(self.dtype).eps
        sizes = jnp.linalg.norm(self.matrices, axis=(1, 2))
        noise = eps * jnp.max(sizes * jnp.linalg.norm(state) + jnp.abs(self.targets))
        blur = eps * (jnp.abs(multipliers) @ (sizes + jnp.abs(self.targets)))
        lowest = jnp.where(inside, jnp.sum(x) / 4 - offset, -jnp.inf)
        value = jnp.where(inside, log_partition + offset, jnp.inf)
        return Moments(value, residual, lowest, noise, blur, covariance)

    def vectors(self):
        return _rows(self.matrices) / jnp.sqrt(jnp.asarray(2.0, self.dtype)), -self.targets

    def combine(self, weights):
        matrices = jnp.einsum("jk,kmn->jmn", weights.astype(self.matrices.dtype), self.matrices)
        return SqueezedCharges(matrices, weights @ self.targets)


def _contracted(matrices, vectors, kernel):
    """`sum_ab kernel_ab (M_k)_ab (M_l)_ba` in the basis of `vectors`, for a kernel that is not negative."""
    elements = matmul(matmul(dagger(vectors), matrices), vectors)
    rows = _rows(elements * jnp.sqrt(kernel).astype(elements.dtype))
    return matmul(rows, rows.T)


def _rows(matrices):
    """One real row a matrix, whose scalar products are those of the matrices."""
    rows = matrices.reshape(matrices.shape[0], -1)
    return jnp.concatenate([rows.real, rows.imag], axis=-1) if jnp.iscomplexobj(rows) else rows
