"""The thermodynamic limit of the Blume-Capel model on a complete graph, whose tricritical point depends on the ensemble."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import entr
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.linalg.roots import bisect, derivative, polish
from jaxgibbs.operators.base import inexact, real_scalar

from ._inputs import Scalar, positive_scalar
from .coexistence import Coexistence

_GRID = (1 - np.cos(np.pi * np.linspace(0, 1, 257))) / 2  # finer at the ends of an interval
_SAFE = (0.6, 0.4)  # `q` and `m` at which everything has derivatives, for lanes that are not taken
_CANONICAL = np.log(4) / 3  # `D / K` of the tricritical point
_MICROCANONICAL = 0.4624078807686092  # the same at given energy: root of 3 q^2 - 6 d q (1-q) + 2 d^2 (1-q)


class BlumeCapelLimit(eqx.Module):
    """`H = D sum_i S_i^2 - K (sum_i S_i)^2 / 2 N` of spins 1 for `N -> infinity`; all values are per spin.

    With `q = <S^2>` and `m = <S>` the entropy is `s(q, m) = -(1-q) ln(1-q) - sum_+- (q +- m)/2 ln((q +- m)/2)`, and

        s(e) = max s(q, m)  over  D q - K m^2 / 2 = e;    ln Z / N = max_m [-beta K m^2 / 2 + ln(1 + 2 e^(-beta D) cosh(beta K m))]

    The transition is of first order for `D / K` from `ln(4) / 3 = 0.46210` to 1/2 in the canonical ensemble, and from
    0.46241 on at given energy: between the two tricritical points the ensembles disagree even on its order.

    Args:
        crystal_field: `D`, of any sign.
        coupling: `K > 0`.

    Raises:
        ValueError: if a parameter is not a real scalar of this range (NaN under a trace).

    Reference: Barre, Mukamel and Ruffo, Phys. Rev. Lett. 87, 030601 (2001).
    """

    crystal_field: Scalar
    coupling: Scalar

    def __init__(self, crystal_field: ArrayLike, coupling: ArrayLike = 1.0):
        dtype = jnp.result_type(inexact(crystal_field), inexact(coupling))
        self.crystal_field = real_scalar("crystal_field", crystal_field, dtype)
        self.coupling = positive_scalar("coupling", coupling, dtype)

    def energy_range(self) -> Float[Array, "2"]:
        """The least and the largest energy."""
        d, k = self.crystal_field, self.coupling
        return jnp.stack([jnp.minimum(d - k / 2, 0), jnp.maximum(d, 0)])

    def state_of_energy(self, energy: ArrayLike) -> tuple[Scalar, Scalar]:
        """`q` and `m >= 0` that the most states of a given energy have.

        Args:
            energy: `e`, within `energy_range`.

        Raises:
            ValueError: if the energy is out of this range (NaN under a trace).
        """
        e = real_scalar("energy", energy, self.coupling.dtype)
        limit, level = jax.lax.stop_gradient((self, e))
        low, high = limit.energy_range()
        slack = 4 * jnp.finfo(e.dtype).eps * (high - low)
        within = (level >= low - slack) & (level <= high + slack)
        if is_concrete(within) and not within:
            raise ValueError(
                f"`energy` must be from {float(low):.6g} to {float(high):.6g}, but is {float(e):.6g}; "
                "it is an energy per spin."
            )
        q, magnetic, wins = limit._densest(level)
        ordered = magnetic & wins
        # the edge of the spectrum, full and aligned, has no slope
        interior = ordered & (limit._room(q, level) > 64 * jnp.finfo(e.dtype).eps)
        safe_q, safe_m = _SAFE
        safe_e = limit.crystal_field * safe_q - limit.coupling * safe_m**2 / 2
        target = jnp.where(interior, e, safe_e)
        polished = polish(lambda q: self._slope(q, self._squared(q, target)), jnp.where(interior, q, safe_q))
        d = jnp.where(self.crystal_field == 0, 1, self.crystal_field)
        free = jnp.where(self.crystal_field == 0, 2 / 3, jnp.clip(e / d, 0, 1))
        q = jnp.where(interior, polished, jnp.where(ordered, q, free))
        square = self._squared(jnp.where(ordered, q, safe_q), jnp.where(ordered, e, safe_e))
        return nan_unless(within, q), nan_unless(within, jnp.where(ordered, jnp.sqrt(jnp.maximum(square, 0)), 0))

    def entropy(self, energy: ArrayLike) -> Scalar:
        """`s(e)` in nats, of `state_of_energy`; its slope is `beta`."""
        return _entropy(*self.state_of_energy(energy))

    def beta(self, energy: ArrayLike) -> Scalar:
        """`beta(e) = ds/de`: `artanh(m / q) / K m` of ordered states, `ln(2 (1 - q) / q) / D` of others."""
        q, m = self.state_of_energy(energy)
        ordered = m > 0
        safe_q, safe_m = (jnp.where(ordered, value, safe) for value, safe in zip((q, m), _SAFE, strict=True))
        return jnp.where(ordered, jnp.arctanh(safe_m / safe_q) / (self.coupling * safe_m), self._free_beta(q, ordered))

    def specific_heat(self, energy: ArrayLike) -> Scalar:
        """`de/dT = -beta^2 / beta'(e)` at given energy, below 0 where `s(e)` is convex."""
        beta, slope = derivative(self.beta, real_scalar("energy", energy, self.coupling.dtype))
        return -(beta**2) / slope

    def temperature_jump(self) -> tuple[Scalar, Float[Array, "2"]]:
        """Where the magnetisation jumps at given energy: the energy, and `beta` just below and just above it.

        NaN unless `D / K` is between 0.46241 and 1/2, where the transition at given energy is of first order.
        """
        limit = jax.lax.stop_gradient(self)
        ratio = limit.crystal_field / limit.coupling
        exists = (ratio > _MICROCANONICAL) & (ratio < 0.5)
        e = bisect(lambda e: limit._densest(e)[1] & limit._densest(e)[2], *limit.energy_range())
        q, magnetic, _ = limit._densest(e)
        exists &= magnetic
        safe = limit.crystal_field * _SAFE[0] - limit.coupling * _SAFE[1] ** 2 / 2
        q, e = jnp.where(exists, q, _SAFE[0]), jnp.where(exists, e, safe)

        def phases(e):
            x = polish(lambda x: self._slope(x, self._squared(x, e)), q)
            return x, jnp.sqrt(self._squared(x, e)), e / self.crystal_field

        def difference(e):
            x, m, free = phases(e)
            return _entropy(x, m) - _entropy(free, jnp.zeros_like(m))

        e = nan_unless(exists, polish(difference, e))
        x, m, free = phases(e)
        below = jnp.arctanh(m / x) / (self.coupling * m)
        return e, jnp.stack([below, self._free_beta(free, jnp.asarray(False))])

    def magnetisation(self, beta: ArrayLike) -> Scalar:
        """`m >= 0` in the canonical ensemble, with a step where `beta = transition().beta`.

        Args:
            beta: inverse temperature, of any sign.
        """
        b = real_scalar("beta", beta, self.coupling.dtype)
        m, ordered = jax.lax.stop_gradient(self)._heaviest(jax.lax.stop_gradient(b))
        safe_b, safe_m = 3 / self.coupling, jnp.asarray(_SAFE[1], b.dtype)
        found = self._stationary(jnp.where(ordered, b, safe_b), jnp.where(ordered, m, safe_m))
        return jnp.where(ordered, found, 0)

    def log_partition(self, beta: ArrayLike) -> Scalar:
        """`ln Z / N = -beta f`; its slope in `beta` is minus the energy, with a step where `beta = transition().beta`.

        Args:
            beta: inverse temperature, of any sign.
        """
        b = real_scalar("beta", beta, self.coupling.dtype)
        return self._massieu(b, self.magnetisation(b))

    def transition(self) -> Coexistence:
        """The first-order transition of the canonical ensemble, by which it avoids the energies between the two phases.

        Phases of one `beta` and one free energy have `ln(1 - m tanh(x/2)) = -m x / 2` with `x = beta K m`.

        Returns:
            `beta_t` and the energies of the ordered and of the disordered phase; NaN unless `D / K` is between `ln(4) / 3`
            and 1/2.
        """
        limit = jax.lax.stop_gradient(self)
        ratio = limit.crystal_field / limit.coupling
        exists = (ratio > _CANONICAL) & (ratio < 0.5)
        ratio = jnp.where(exists, ratio, 0.48)
        far = -2 * np.log(64 * jnp.finfo(ratio.dtype).eps)  # there `D / K` is 1/2 up to rounding
        x = bisect(lambda x: _coexisting(x)[1] < ratio, jnp.full_like(ratio, 1e-3), jnp.full_like(ratio, far))
        m = _coexisting(x)[0]
        b = x / (limit.coupling * m)
        d = jnp.where(exists, self.crystal_field, 0.48 * self.coupling)
        model = BlumeCapelLimit(d, self.coupling)

        def difference(b):
            return model._massieu(b, model._stationary(b, m)) - model._massieu(b, jnp.zeros_like(b))

        b = polish(difference, b)
        energies = [
            -jax.grad(lambda b, m=m: model._massieu(b, m))(b) for m in (model._stationary(b, m), jnp.zeros_like(b))
        ]
        return Coexistence(nan_unless(exists, b), nan_unless(exists, jnp.stack(energies)))

    # -- given energy ---------------------------------------------------------------------------------------------------

    def _squared(self, q, e):
        """`m^2` of a `q` and an energy."""
        return 2 * (self.crystal_field * q - e) / self.coupling

    def _slope(self, q, square):
        """`d/dq` of the entropy along an energy, smooth in `m^2 >= 0`."""
        return (
            jnp.log(2 * (1 - q)) - jnp.log(q**2 - square) / 2 - self.crystal_field / self.coupling * _ratio(q, square)
        )

    def _room(self, q, e):
        """How far from the edge, where all spins that are not 0 point along one direction, or none is 0."""
        return jnp.minimum(1 - q, q**2 - self._squared(q, e))

    def _densest(self, e):
        """The magnetised `q` of the largest entropy, whether there is one, and whether it has more than those without.

        `0 <= m <= q` leaves one interval of `q`, without the open one between the roots of `m(q) = q`.
        """
        d, k = self.crystal_field, self.coupling
        bound = e / jnp.where(d == 0, 1, d)
        low = jnp.where(d > 0, jnp.clip(bound, 0, 1), 0)
        high = jnp.where(d < 0, jnp.clip(bound, 0, 1), 1)
        spread = jnp.sqrt(jnp.maximum((d / k) ** 2 - 2 * e / k, 0))
        ends = ((low, jnp.clip(d / k - spread, low, high)), (jnp.clip(d / k + spread, low, high), high))
        grid = jnp.stack([a + (b - a) * jnp.asarray(_GRID, e.dtype) for a, b in ends])
        noise = 8 * jnp.finfo(e.dtype).eps * (1 + (jnp.abs(d) + jnp.abs(e)) / k)

        def rising(q):
            square = self._squared(q, e)
            return jnp.where(square < 0, d > 0, self._slope(q, jnp.maximum(square, 0)) > 0)

        q = bisect(rising, *_last(rising(grid), grid))
        square = self._squared(q, e)
        s = jnp.where(square <= q**2 + noise, _entropy(q, jnp.minimum(jnp.sqrt(jnp.maximum(square, 0)), q)), -jnp.inf)
        best = jnp.argmax(jnp.where(square > noise, s, -jnp.inf))
        alone = jnp.where(d == 0, e < 0, (bound < 0) | (bound > 1))
        free = jnp.where(alone, -jnp.inf, _entropy(jnp.clip(bound, 0, 1), jnp.zeros_like(e)))
        return q[best], square[best] > noise, s[best] >= free

    def _free_beta(self, q, ordered):
        q = jnp.where(ordered, 0.5, q)
        return jnp.log(2 * (1 - q) / q) / jnp.where(ordered | (self.crystal_field == 0), 1, self.crystal_field)

    # -- given temperature ----------------------------------------------------------------------------------------------

    def _exponents(self, b, m):
        field, crystal = b * self.coupling * m, b * self.crystal_field
        return jnp.stack([field - crystal, jnp.zeros_like(field), -field - crystal])

    def _massieu(self, b, m):
        return jax.nn.logsumexp(self._exponents(b, m), axis=0) - b * self.coupling * m**2 / 2

    def _excess(self, b, m):
        """The magnetisation in the field of `m`, less `m`."""
        p = jax.nn.softmax(self._exponents(b, m), axis=0)
        return p[0] - p[2] - m

    def _heaviest(self, b):
        """The `m` of the largest weight and whether it is not 0; without derivatives."""
        grid, small = jnp.asarray(_GRID, b.dtype), jnp.finfo(b.dtype).eps ** 0.5

        def rising(m):
            return self._excess(b, m) > 0

        low, high = _last(rising(jnp.maximum(grid, 4 * small)), grid)
        m = bisect(rising, jnp.maximum(low, 4 * small), high)
        wins = self._massieu(b, m) >= self._massieu(b, jnp.zeros_like(m))
        return m, (m > 8 * small) & (b > 0) & wins

    def _stationary(self, b, m):
        return polish(lambda m: self._excess(b, m), m)


def _last(rising, grid):
    """The ends of the last cell of a grid that begins where something rises: what is on either side falls after it."""
    size = grid.shape[-1]
    place = jnp.max(jnp.where(rising, jnp.arange(size), 0), axis=-1, keepdims=True)
    places = (place, jnp.minimum(place + 1, size - 1))
    return tuple(jnp.take_along_axis(grid, p, axis=-1)[..., 0] for p in places)


def _entropy(q, m):
    return entr(1 - q) + entr((q + m) / 2) + entr((q - m) / 2)


def _ratio(q, square):
    """`artanh(m / q) / m` as a function of `m^2`."""
    small = square < 1e-4 * q**2
    y = jnp.where(small, square / q**2, 0)
    m = jnp.sqrt(jnp.where(small, q**2 / 4, square))
    series = 1 + y * (1 / 3 + y * (1 / 5 + y * (1 / 7 + y / 9)))
    return jnp.where(small, series / q, jnp.arctanh(jnp.minimum(m / q, 1)) / m)


def _coexisting(x):
    """`m` and `D / K` of the first-order transition with `beta K m = x`."""
    t = jnp.tanh(x / 2)
    m = bisect(lambda m: -jnp.log1p(-m * t) < m * x / 2, x * 0 + 1e-6, x * 0 + 1)
    # 2 e^(-beta D) = m / (sinh x - m cosh x), times e^x / 2 in numerator and denominator
    denominator = 1 - m - (1 + m) * jnp.exp(-2 * x)
    return m, m / x * (x + jnp.log(denominator / m))
