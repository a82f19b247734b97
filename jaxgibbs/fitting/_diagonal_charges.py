"""Charges that are diagonal in one basis: functions of the same levels, or of the occupations of the same free modes."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgibbs.linalg import matmul

from ._charges import AbstractFacedCharges, Moments


class LevelCharges(AbstractFacedCharges):
    """Charges given by their values on each level.

    Attributes:
        levels: `Q_k - q_k` on each level.
        log_weights: logarithm of degeneracy times reference probability.
        allowed: on which levels there may be any population.
    """

    levels: Float[Array, "charges levels"]
    log_weights: Float[Array, " levels"]
    allowed: Bool[Array, " levels"] | None = None

    @property
    def count(self):
        return self.levels.shape[0]

    @property
    def dtype(self):
        return self.levels.dtype

    def moments(self, multipliers):
        action = multipliers @ self.levels
        exponents = self._log_weights() - action
        peak = jnp.max(exponents)
        weights = jnp.exp(exponents - peak)
        total = jnp.sum(weights)
        populations = weights / total
        residual = self.levels @ populations

        def covariance():
            centred = self.levels - residual[:, None]
            return matmul(centred * populations, centred.T)

        eps = jnp.finfo(self.dtype).eps
        noise = eps * jnp.max(jnp.abs(self.levels) @ populations)
        extreme = jnp.argmin(action if self.allowed is None else jnp.where(self.allowed, action, jnp.inf))
        blur = eps * jnp.abs(multipliers) @ jnp.abs(self.levels[:, extreme])
        return Moments(peak + jnp.log(total), residual, action[extreme], noise, blur, covariance)

    def _log_weights(self):
        return self.log_weights if self.allowed is None else jnp.where(self.allowed, self.log_weights, -jnp.inf)

    def _top(self, values):
        return jnp.max(values if self.allowed is None else jnp.where(self.allowed, values, -jnp.inf))

    def vectors(self):
        kept = jnp.ones(self.levels.shape[-1], bool) if self.allowed is None else self.allowed
        count = jnp.sum(kept)
        means = jnp.where(kept, self.levels, 0).sum(-1) / count
        centred = jnp.where(kept, self.levels - means[:, None], 0)
        return centred / jnp.sqrt(count.astype(self.dtype)), means

    def combine(self, weights):
        return LevelCharges(matmul(weights, self.levels), self.log_weights, self.allowed)

    def tilt(self, multipliers):
        return LevelCharges(self.levels, self.log_weights - multipliers @ self.levels, self.allowed)

    def top(self, direction):
        return self._top(direction @ self.levels)

    def face(self, direction, width):
        values = direction @ self.levels
        kept = values >= self._top(values) - width
        return LevelCharges(self.levels, self.log_weights, kept if self.allowed is None else kept & self.allowed)

    def state(self, multipliers):
        populations = jax.nn.softmax(self._log_weights() - multipliers @ self.levels)
        count = self.levels.shape[-1] if self.allowed is None else jnp.sum(self.allowed)
        return {"populations": populations, "face_dimension": jnp.asarray(count)}


class ModeCharges(AbstractFacedCharges):
    """Charges `sum_m e_km n_m - q_k` of free modes, on their whole Fock space.

    Attributes:
        energies: `e_km`.
        targets: `q_k`.
        tilts: exponents `x_m` of a reference state `exp(-sum_m x_m n_m)`.
        bosonic: whether occupations are 0, 1, 2, ... instead of 0, 1.
        frozen: on a face, modes of fixed occupation.
        filled: which of those are filled.
    """

    energies: Float[Array, "charges modes"]
    targets: Float[Array, " charges"]
    tilts: Float[Array, " modes"]
    bosonic: bool = eqx.field(static=True)
    frozen: Bool[Array, " modes"] | None = None
    filled: Bool[Array, " modes"] | None = None

    @property
    def count(self):
        return self.energies.shape[0]

    @property
    def dtype(self):
        return self.energies.dtype

    def moments(self, multipliers):
        action, offset = multipliers @ self.energies, multipliers @ self.targets
        x = self.tilts + action
        if self.bosonic:
            inside = jnp.all(self._free(x > 0, True))
            safe = jnp.where(inside & self._free(x > 0, True), x, 1)
            decay = -jnp.expm1(-safe)
            occupations = jnp.exp(-safe) / decay
            log_partition = jnp.where(inside, -jnp.sum(self._free(jnp.log(decay), 0)), jnp.inf)
            bounded = jnp.all(self._free(action >= 0, True))
            lowest = jnp.where(bounded, -offset, -jnp.inf)
            spread = occupations * (1 + occupations)
        else:
            occupations = jax.nn.sigmoid(-x)
            log_partition = jnp.sum(self._free(jax.nn.softplus(-x), 0))
            lowest = jnp.sum(self._free(jnp.minimum(action, 0), 0)) - offset
            spread = occupations * jax.nn.sigmoid(x)
        occupations, spread = self._free(occupations, 0), self._free(spread, 0)
        residual = self.energies @ occupations - self.targets

        def covariance():
            return matmul(self.energies * spread, self.energies.T)

        eps = jnp.finfo(self.dtype).eps
        noise = eps * jnp.max(jnp.abs(self.energies) @ occupations + jnp.abs(self.targets))
        blur = eps * (jnp.abs(multipliers) @ jnp.abs(self.targets))
        return Moments(log_partition + offset, residual, lowest, noise, blur, covariance)

    def _free(self, values, otherwise):
        return values if self.frozen is None else jnp.where(self.frozen, otherwise, values)

    def vectors(self):
        # No combination of occupation numbers is the identity, so there is nothing to take off.
        count = jnp.asarray(self.energies.shape[-1], self.dtype)
        return self._free(self.energies, 0) / jnp.sqrt(count), -self.targets

    def combine(self, weights):
        return self._replaced(energies=matmul(weights, self.energies), targets=weights @ self.targets)

    def tilt(self, multipliers):
        return self._replaced(tilts=self.tilts + multipliers @ self.energies)

    def top(self, direction):
        values = self._free(direction @ self.energies, 0)
        offset = direction @ self.targets
        if self.bosonic:
            tolerance = jnp.sqrt(jnp.finfo(self.dtype).eps) * jnp.max(jnp.abs(values))
            return jnp.where(jnp.all(values <= tolerance), -offset, jnp.inf)
        return jnp.sum(jnp.maximum(values, 0)) - offset

    def face(self, direction, width):
        values = direction @ self.energies
        kept = jnp.abs(values) <= width
        held = self.frozen if self.frozen is not None else jnp.zeros_like(kept)
        now_filled = ~held & ~kept & (values > 0)
        filled = now_filled if self.filled is None else self.filled | now_filled
        targets = self.targets - self.energies @ now_filled.astype(self.dtype)
        return self._replaced(targets=targets, frozen=held | ~kept, filled=filled)

    def state(self, multipliers):
        x = self.tilts + multipliers @ self.energies
        occupations = jnp.exp(-x) / -jnp.expm1(-x) if self.bosonic else jax.nn.sigmoid(-x)
        if self.frozen is None or self.filled is None:
            return {"occupations": occupations, "face_dimension": jnp.asarray(self.energies.shape[-1])}
        occupations = jnp.where(self.frozen, self.filled.astype(self.dtype), occupations)
        return {"occupations": occupations, "face_dimension": jnp.sum(~self.frozen)}

    def _replaced(self, **changes):
        fields = {name: getattr(self, name) for name in ("energies", "targets", "tilts", "bosonic", "frozen", "filled")}
        return ModeCharges(**(fields | changes))
