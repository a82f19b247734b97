"""The thermodynamic limit of the ferromagnet of three-spin interactions: ensembles that are not equivalent."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.linalg.roots import bisect, derivative, polish
from jaxgibbs.operators.base import inexact, real_scalar

from ._inputs import Scalar
from .coexistence import Coexistence

_FAR = 1e4  # of `artanh r`: as good as infinity
_SAFE = 0.97  # a length at which everything has derivatives, for lanes that are not taken


class PSpinLimit(eqx.Module):
    """`H = -J N m^3 - g sum_i sigma_i^x` for `N -> infinity`, as `models.p_spin` with its `order` 3; all values are per spin.

    States are counted by the length `r = 2 S / N` of the total spin, `s_0(r) = -sum_+- (1 +- r)/2 ln((1 +- r)/2)`, and
    a spin of length `r` has energies from `e(r) = min_t [-J r^3 cos^3 t - g r sin t]` to `-e(r)`. It points along the
    field below `r_c = sqrt(4 g / 3 sqrt(3) J)`, where the direction jumps. Hence

        s(e) = s_0(r),  beta(e) = -artanh(r) / e'(r)  at e(r) = e;      ln Z / N = max_r [s_0(r) - beta e(r)]

    for energies below 0 and `beta >= 0`; spectra are symmetric, so that `s(-e) = s(e)` and `Z(-beta) = Z(beta)`.

    Args:
        coupling: `J > 0`.
        transverse_field: `g >= 0`; from `3 sqrt(3) J / 4` on there is neither an order nor a transition.

    Raises:
        ValueError: if a parameter is not a real scalar of this range (NaN under a trace).

    Reference: Derrida, Phys. Rev. B 24, 2613 (1981); Jorg et al., EPL 89, 40004 (2010).
    """

    coupling: Scalar
    transverse_field: Scalar

    def __init__(self, coupling: ArrayLike = 1.0, transverse_field: ArrayLike = 0.0):
        dtype = jnp.result_type(inexact(coupling), inexact(transverse_field))
        coupling = real_scalar("coupling", coupling, dtype)
        field = real_scalar("transverse_field", transverse_field, dtype)
        if is_concrete(coupling, field) and not (np.asarray(coupling) > 0 and np.asarray(field) >= 0):
            raise ValueError(
                "`coupling` must be positive and `transverse_field` not negative, but they are "
                f"{float(coupling):.6g} and {float(field):.6g}; the sign of either is a rotation of all spins."
            )
        self.coupling = nan_unless(coupling > 0, coupling)
        self.transverse_field = nan_unless(field >= 0, field)

    @property
    def ground_energy(self) -> Scalar:
        """`e(1)`, the energy of the ground state."""
        return self.least_energy(jnp.ones_like(self.coupling))

    def least_energy(self, length: ArrayLike) -> Scalar:
        """`e(r)`, the least energy of a spin of given length.

        Args:
            length: `r`, from 0 to 1.
        """
        r = real_scalar("length", length, self.coupling.dtype)
        return jnp.where(r > self._turning_length(), self._tilted(r), -self.transverse_field * r)

    def entropy(self, energy: ArrayLike) -> Scalar:
        """`s(e)` in nats; its slope is `beta`.

        Args:
            energy: `e`, between `ground_energy` and its negative.

        Raises:
            ValueError: if the energy is out of this range (NaN under a trace).
        """
        return _binary_entropy(self._length(energy)[0])

    def beta(self, energy: ArrayLike) -> Scalar:
        """`beta(e) = ds/de`, infinite at the ground state.

        Args:
            energy: as of `entropy`.

        Raises:
            ValueError: as `entropy` does.
        """
        r, tilted, sign = self._length(energy)
        g = jnp.where(tilted | (self.transverse_field == 0), 1, self.transverse_field)
        along = -jnp.arctanh(jnp.where(tilted, 0, r)) / g
        r = jnp.where(tilted, r, _SAFE)
        return jnp.where(tilted, sign * jnp.arctanh(r) / self._tilted_slope(r), along)

    def specific_heat(self, energy: ArrayLike) -> Scalar:
        """`de/dT = -beta^2 / beta'(e)` at given energy, below 0 where `s(e)` is convex.

        Args:
            energy: as of `entropy`.

        Raises:
            ValueError: as `entropy` does.
        """
        beta, slope = derivative(self.beta, real_scalar("energy", energy, self.coupling.dtype))
        return -(beta**2) / slope

    def temperature_jump(self) -> tuple[Scalar, Float[Array, "2"]]:
        """Where the direction of the spin jumps: the energy, and `beta` just below and just above it.

        As the energy falls `beta` becomes smaller by a factor of 2, whatever the parameters: the temperature doubles.
        NaN where there is no such energy.
        """
        r, g = self._turning_length(), self.transverse_field
        r = nan_unless((r < 1) & (g > 0), r)
        above = jnp.arctanh(r) / g
        return -g * r, jnp.stack([above / 2, above])

    def log_partition(self, beta: ArrayLike) -> Scalar:
        """`ln Z / N = -beta f`; its slope in `beta` is minus the energy, with a step where `beta = transition().beta`.

        Args:
            beta: inverse temperature, of any sign.
        """
        b = real_scalar("beta", beta, self.coupling.dtype)
        g = self.transverse_field
        along = jnp.logaddexp(b * g, -b * g)
        limit, size = jax.lax.stop_gradient((self, jnp.abs(b)))
        x, exists = limit._ordered(size)
        wins = exists & (limit._massieu(size, x) > along)
        x = jnp.where(wins, x, math.atanh(_SAFE))
        safe = jnp.where(wins, jnp.abs(b), limit._beta_of(x))
        x = self._stationary(safe, x)
        return jnp.where(wins, self._massieu(safe, x), along)

    def transition(self) -> Coexistence:
        """The first-order transition of the canonical ensemble, by which it avoids the energies between the two phases.

        Returns:
            `beta_t` and the energies of the ordered and of the paramagnetic phase; NaN where there is no transition.
        """
        limit = jax.lax.stop_gradient(self)
        g = limit.transverse_field
        exists = limit._turning_length() < 1
        start = limit._onset()

        def paramagnetic(t):
            x = start * jnp.exp(t)
            b = limit._beta_of(x)
            return limit._massieu(b, x) <= jnp.logaddexp(b * g, -b * g)

        x = start * jnp.exp(bisect(paramagnetic, jnp.zeros_like(g), jnp.log(_FAR / start)))
        exists &= x < 0.99 * _FAR
        x = jnp.where(exists, x, 2.0)
        b = limit._beta_of(x)

        def difference(b):
            g = self.transverse_field
            return self._massieu(b, self._stationary(b, x)) - jnp.logaddexp(b * g, -b * g)

        b = nan_unless(exists, polish(difference, b))
        x = self._stationary(b, x)
        energies = [self._tilted(jnp.tanh(x)), -self.transverse_field * jnp.tanh(b * self.transverse_field)]
        return Coexistence(b, jnp.stack(energies))

    # -- the spin that does not point along the field, by r or by x = artanh r -----------------------------------------

    def _turning_length(self):
        ratio = self.transverse_field / self.coupling
        return jnp.sqrt(4 * ratio / (3 * math.sqrt(3)))

    def _angle(self, r):
        """Cosine and sine of the angle to the axis of the order, from `3 J r^2 cos sin = g`; cos^2 >= 3/4 above `r_c`."""
        product = self.transverse_field / (3 * self.coupling * r**2)
        product = jnp.where(product < 0.49, product, 0)
        cosine = jnp.sqrt((1 + jnp.sqrt(1 - 4 * product**2)) / 2)
        return cosine, product / cosine

    def _tilted(self, r):
        cosine, sine = self._angle(r)
        return -self.coupling * (r * cosine) ** 3 - self.transverse_field * r * sine

    def _tilted_slope(self, r):
        """`e'(r)`: the angle is stationary, so that only the length moves."""
        cosine, sine = self._angle(r)
        return -3 * self.coupling * r**2 * cosine**3 - self.transverse_field * sine

    def _beta_of(self, x):
        return -x / self._tilted_slope(jnp.tanh(x))

    def _massieu(self, b, x):
        """`s_0 - b e` at the length `tanh x`, with `s_0 = ln 2 cosh x - x tanh x`."""
        return jnp.logaddexp(x, -x) - x * jnp.tanh(x) - b * self._tilted(jnp.tanh(x))

    def _onset(self):
        """The `x` of the least `beta` of the ordered phase, where it is a minimum or at `r_c`."""
        low = jnp.arctanh(jnp.minimum(self._turning_length(), 1 - jnp.finfo(self.coupling.dtype).eps))
        low = jnp.maximum(low, 0.1)  # without a field `beta` has its minimum at 1.09, and is infinite at 0
        falling = jax.grad(lambda x: jnp.log(self._beta_of(x)))
        return bisect(lambda x: falling(x) < 0, low, jnp.maximum(low, 3.0))

    def _ordered(self, b):
        """The `x` of the ordered phase at `beta`, and whether there is one."""
        low = self._onset()
        high = b * (3 * self.coupling + self.transverse_field)
        return bisect(lambda x: self._beta_of(x) < b, low, jnp.maximum(low, high)), b >= self._beta_of(low)

    def _stationary(self, b, x):
        return polish(lambda x: x + b * self._tilted_slope(jnp.tanh(x)), x)

    def _length(self, energy):
        """The length of the shortest spin that has an energy, whether it is tilted, and the sign of the energy."""
        e = real_scalar("energy", energy, self.coupling.dtype)
        limit, size = jax.lax.stop_gradient((self, jnp.abs(e)))
        within = size <= -limit.ground_energy * (1 + 4 * jnp.finfo(e.dtype).eps)
        if is_concrete(within) and not within:
            raise ValueError(
                f"`energy` must be in [-e, e] with e = {-float(limit.ground_energy):.6g}, but is {float(e):.6g}; "
                "it is an energy per spin."
            )
        turning = limit._turning_length()
        tilted = (size > limit.transverse_field * turning) & (turning < 1)
        low = jnp.minimum(turning, 1)
        r = bisect(lambda r: -limit._tilted(r) < size, low, jnp.ones_like(low))
        r = jnp.where(tilted, r, _SAFE)
        target = jnp.where(tilted, jnp.abs(e), -limit._tilted(r))
        r = polish(lambda r: self._tilted(r) + target, r)
        g = jnp.where(tilted | (self.transverse_field == 0), 1, self.transverse_field)
        r = jnp.where(tilted, jnp.minimum(r, 1), jnp.clip(e / g, -1, 1))
        return nan_unless(within, r), tilted, jnp.sign(e)


def _binary_entropy(r):
    return jax.scipy.special.entr((1 + r) / 2) + jax.scipy.special.entr((1 - r) / 2)
