"""Thermal spectra of operators known by their levels, finite or infinite."""

import jax
import jax.numpy as jnp

from jaxgibbs._errors import TruncationNotConverged, check_finite, is_concrete, nan_unless
from jaxgibbs.linalg.levels import LevelSums
from jaxgibbs.operators import AbstractOperator, AbstractTail, Scaled, Spectrum, Sum, simplify
from jaxgibbs.operators.base import inexact

from .state import AbstractThermalSpectrum, no_matrix, renyi

# What the levels left out may carry, relative to what the levels kept do, in units of eps.
_ALLOWED_TAIL = 16


class LevelSpectrum(AbstractThermalSpectrum):
    """Sums over levels `E_k` of degeneracy `g_k`; observables are functions of the levels, `Spectrum(values)`.

    Of an infinite spectrum `tail` bounds what the levels left out would add; an answer that this may change by more than
    16 eps of itself is NaN, or an error where `beta` is known. An observable has values on the levels kept only: it must not
    grow faster than the square of the energy beyond them.
    """

    operator: Spectrum

    def _sums(self, beta) -> LevelSums:
        """The sums at `beta`, NaN (or an error, where `beta` is known) if the levels left out matter."""
        spectrum, beta = self.operator, jnp.asarray(beta, self.operator.dtype)
        degeneracies = spectrum.log_degeneracies if spectrum.has_degeneracies else None
        sums = LevelSums(-beta, spectrum.levels, degeneracies)
        if spectrum.tail is None:
            return sums
        spectrum.tail.check(beta)
        carried = _carried_by_tail(spectrum.tail, sums, beta)
        return LevelSums(self._nan_unless_small(carried, -beta, beta), spectrum.levels, degeneracies)

    def _nan_unless_small(self, carried, value, beta):
        """`value` if the part `carried` by the levels left out is allowed; else NaN, or an error where it is known."""
        allowed = _ALLOWED_TAIL * jnp.finfo(self.operator.dtype).eps
        if is_concrete(carried) and not carried <= allowed:
            raise TruncationNotConverged(
                f"The levels kept must carry every sum to a relative {float(allowed):.1e}, but at beta = {float(beta):g} "
                f"those left out may carry {float(carried):.1e} of what the {self.operator.dim} levels kept do; keep more "
                "levels, or go to a larger beta."
            )
        return nan_unless(carried <= allowed, value)

    def log_partition(self, beta):
        return self._sums(beta).log_trace

    def energy(self, beta):
        return self._sums(beta).mean

    def energy_variance(self, beta):
        return self._sums(beta).central_moment(2)

    def entropy(self, beta):
        return self._sums(beta).entropy

    def heat_capacity(self, beta):
        return self._sums(beta).heat_capacity

    def renyi_entropy(self, beta, order):
        def log_shifted(b):
            return self._sums(b).log_shifted

        def lowest(b):
            return jnp.where(b >= 0, jnp.min(self.operator.levels), jnp.max(self.operator.levels))

        infinite = self.operator.tail is not None
        log_dim = jnp.inf if infinite else jax.nn.logsumexp(self.operator.log_degeneracies)
        return renyi(log_shifted, self.entropy, log_dim, lowest, jnp.asarray(beta, self.operator.dtype), order)

    def expectation(self, beta, observable):
        sums, values = self._sums(beta), self._values(observable)
        mean = jnp.sum(sums.weights * values)
        if self.operator.tail is None:
            return mean
        carried = _carried_of(self.operator.tail, sums, beta, values, jnp.sum(sums.weights * jnp.abs(values)), 2)
        return self._nan_unless_small(carried, mean, beta)

    def covariance_matrix(self, beta, observables):
        if not observables:
            raise ValueError("`observables` must have at least one operator, but is empty.")
        sums = self._sums(beta)
        values = jnp.stack([self._values(observable) for observable in observables])
        centred = values - jnp.sum(values * sums.weights, axis=-1, keepdims=True)
        matrix = jnp.einsum("ak,bk,k->ab", centred, centred, sums.weights, precision="highest")
        if self.operator.tail is None:
            return matrix
        variances = jnp.diagonal(matrix)
        each = [
            _carried_of(self.operator.tail, sums, beta, c, jnp.sqrt(variance), 1) ** 2
            for c, variance in zip(centred, variances, strict=True)
        ]
        return self._nan_unless_small(jnp.max(jnp.stack(each)), matrix, beta)

    def populations(self, beta):
        """Probability of each level kept, its degeneracy included, in the order the levels were given."""
        return self._sums(beta).weights

    def levels(self):
        return self.operator.levels

    def eigenbasis(self):
        if self.operator.has_degeneracies or self.operator.tail is not None:
            raise no_matrix(self.operator, "An eigenbasis")
        return jax.lax.stop_gradient(self.operator.levels), jnp.eye(self.operator.dim, dtype=self.operator.dtype)

    def density_matrix(self, beta):
        if self.operator.has_degeneracies or self.operator.tail is not None:
            raise no_matrix(self.operator, "`density_matrix`")
        return jnp.diag(self.populations(beta))

    def explain(self):
        spectrum = self.operator
        error = (
            "rounding"
            if spectrum.tail is None
            else f"levels left out carry at most {_ALLOWED_TAIL} eps, else the answer is NaN"
        )
        return f"sums over {spectrum.dim} levels; error: {error}"

    def _values(self, observable):
        """The values of an observable on the levels."""
        if isinstance(observable, Scaled | Sum):
            observable = simplify(observable)
        if isinstance(observable, Spectrum):
            observable = observable.levels
        if isinstance(observable, AbstractOperator):
            raise ValueError(
                "`observable` must be a `Spectrum` like the Hamiltonian, one value a level, but is a "
                f"`{type(observable).__name__}`."
            )
        values = inexact(observable)
        if values.shape != self.operator.levels.shape or jnp.iscomplexobj(values):
            raise ValueError(
                f"`observable` must give one real value a level, shape {self.operator.levels.shape}, but has shape "
                f"{values.shape} and dtype {values.dtype}."
            )
        check_finite("observable", values)
        return values


def _carried_by_tail(tail: AbstractTail, sums: LevelSums, beta):
    """What the levels left out may add to Z, `<D>` and `<D^2> - <D>^2`, relative to the levels kept.

    `D` is the distance to the ground level. With `K` the sum over the levels kept, `T_m` that of `g D^m e^{-beta D}`
    over the others, and all others above all kept, the true variance lies between `K Var / (K + T_0)` and that plus
    `T_2 / (K + T_0)`: squares about the mean of the levels kept are the larger the further up. Entropy and heat capacity
    are as accurate, at low temperature too: `T_1 <= a K <D>` implies `T_0 <= a (K - g_0)`.
    """
    kept = jnp.exp(sums.log_shifted)
    sizes = (jnp.ones_like(kept), sums.excess, sums.central_moment(2))
    return jnp.max(jnp.stack([_ratio(tail.bound(beta, m), kept * size) for m, size in enumerate(sizes)]))


def _carried_of(tail: AbstractTail, sums: LevelSums, beta, values, size, power: int):
    """The same for the mean of `values`, taken to grow no faster than `D^power` beyond the levels kept."""
    top = jnp.max(sums.distance)
    far = sums.distance >= 0.9 * top
    slope = jnp.max(jnp.where(far, jnp.abs(values), 0)) / (0.9 * jnp.where(top > 0, top, 1)) ** power
    lost = tail.bound(beta, 2) / jnp.exp(sums.log_shifted)
    return _ratio(slope * (lost if power == 2 else jnp.sqrt(lost)), size)


def _ratio(bound, size):
    """`bound / size`; nothing may be lost of nothing, and an underflow is nothing."""
    nothing = bound <= jnp.finfo(size.dtype).tiny
    ratio = jnp.where(nothing, 0, bound / jnp.where(size > 0, size, 1))
    return jax.lax.stop_gradient(jnp.where((size > 0) | nothing, ratio, jnp.inf))
