"""Bardeen, Cooper and Schrieffer: pairs of time-reversed levels with one coupling, by the gap that minimises the free energy.

With `t = (beta E / 2)^2` everything is even in the quasi-particle energy `E`, hence smooth in `t` down to `E = 0`.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import check_finite, is_concrete, nan_unless
from jaxgibbs._solution import RESULTS, Solution, conclude
from jaxgibbs.linalg.roots import bisect, polish
from jaxgibbs.operators.base import inexact

from .state import Scalar, checked_beta

_SMALL = 2e-3  # of `t`, where the series take over


class BCSState(eqx.Module):
    """The state that `bcs_state` finds; both spins are counted.

    Attributes:
        gap: `D >= 0`, 0 in the normal state.
        free_energy: `<H> - S / beta`, with `-mu N` in `H`.
        energy: `<H>`.
        entropy: in nats.
        particles: `<N>`.
        quasiparticle_energies: `E_k = sqrt((e_k - mu)^2 + D^2)`, each of two quasi-particles, shape `(levels,)`.
    """

    gap: Scalar
    free_energy: Scalar
    energy: Scalar
    entropy: Scalar
    particles: Scalar
    quasiparticle_energies: Float[Array, " levels"]


def bcs_state(
    energies: Float[ArrayLike, " levels"],
    coupling: ArrayLike,
    beta: ArrayLike,
    chemical_potential: ArrayLike = 0.0,
    *,
    throw: bool = True,
) -> Solution:
    """The least free energy of `H = sum_ks (e_k - mu) n_ks - g B^+ B`, `B = sum_k c_-k,down c_k,up`, over states with a gap `D`.

        F = D^2 / g + sum_k [x_k - (2 / beta) ln 2 cosh(beta E_k / 2)],    x_k = e_k - mu,  E_k = sqrt(x_k^2 + D^2)
        1 = g sum_k tanh(beta E_k / 2) / 2 E_k    below the critical temperature, above it D = 0

    It is no less than the exact `-ln Z / beta`: the terms `-g <n_k,up> <n_k,down>` of single levels, which are of order
    `1 / levels`, are left out as usual. `hartree_fock` with `pairing` keeps them, for general integrals. The answer has derivatives
    of every order; in the temperature they jump at the transition.

    Args:
        energies: `e_k` of the levels `k` (up), `-k` (down), shape `(levels,)`.
        coupling: `g > 0`; for a density of states the sum over levels is `N(0) g` times an integral.
        beta: inverse temperature, positive and finite.
        chemical_potential: `mu`.
        throw: whether a numerical failure raises.

    Returns:
        `Solution` with a `BCSState` and the defect of `D = g <B>` as `error`.

    Raises:
        ValueError: if a shape does not fit, or the coupling or `beta` is not positive and finite (NaN under a trace).
        RuntimeError: on a numerical failure.

    References: Bardeen, Cooper & Schrieffer, Phys. Rev. 108, 1175 (1957); Tinkham (2004), Introduction to
    Superconductivity, chapter 3.
    """
    x, g = _checked(energies, coupling, chemical_potential)
    beta = _positive("beta", checked_beta(beta).astype(x.dtype))
    state, error = _state(x, g, beta)
    tolerance = 1000 * jnp.finfo(x.dtype).eps * jax.lax.stop_gradient(g * x.size + jnp.max(jnp.abs(x)))
    result = RESULTS.where(error <= tolerance, RESULTS.optimal, RESULTS.stagnated)
    result = RESULTS.where(jnp.isfinite(error), result, RESULTS.nonfinite)
    return conclude(Solution(state, error, result, {}), throw)


def bcs_critical_temperature(
    energies: Float[ArrayLike, " levels"], coupling: ArrayLike, chemical_potential: ArrayLike = 0.0
) -> Scalar:
    """`T_c` of `bcs_state`, `1 = g sum_k tanh(x_k / 2 T_c) / 2 x_k`; 0 if levels too far from `mu` never pair.

    Args:
        energies: `e_k`, shape `(levels,)`.
        coupling: `g > 0`.
        chemical_potential: `mu`.

    Raises:
        ValueError: as `bcs_state` does.
    """
    return _critical(*_checked(energies, coupling, chemical_potential))


def _checked(energies, coupling, chemical_potential):
    energies, coupling, mu = (inexact(v) for v in (energies, coupling, chemical_potential))
    if energies.ndim != 1 or energies.size == 0 or jnp.iscomplexobj(energies):
        raise ValueError(
            f"`energies` must be a real vector of at least one level, but has shape {energies.shape} and dtype "
            f"{energies.dtype}."
        )
    for name, value in (("coupling", coupling), ("chemical_potential", mu)):
        if value.ndim != 0 or jnp.iscomplexobj(value):
            raise ValueError(
                f"`{name}` must be a real scalar, but has shape {value.shape} and dtype {value.dtype}; map over "
                "many with `jax.vmap`."
            )
    check_finite("energies", energies)
    check_finite("chemical_potential", mu)
    return energies - mu.astype(energies.dtype), _positive("coupling", coupling.astype(energies.dtype))


def _positive(name: str, value):
    fine = (value > 0) & jnp.isfinite(value)
    if is_concrete(fine) and not np.asarray(fine):
        raise ValueError(
            f"`{name}` must be positive and finite, but is {float(value):g}; without an attraction use free `Fermions`, and "
            "for the ground state a `beta` far above the inverse of the gap."
        )
    return nan_unless(fine, value)


@jax.jit
def _state(x, g, beta):
    def excess(u):
        """Of the gap equation at `u = D^2`, 0 at the answer; falls with `u`."""
        return g * beta / 4 * jnp.sum(_tanhc(_reduced(x, u, beta))) - 1

    most = g * x.size / 2  # tanh < 1 and E > D
    paired = jax.lax.stop_gradient(excess(jnp.zeros_like(g))) > 0
    start = bisect(lambda d: excess(d**2) > 0, jnp.zeros_like(most), most)
    # a root that exists wherever nothing pairs
    safe = jnp.where(paired, start, most) ** 2
    shift = jnp.where(paired, 0, jax.lax.stop_gradient(excess(safe)))
    root = polish(lambda u: excess(u) - shift, safe)
    u = jnp.where(paired, root, 0)
    gap = jnp.where(paired, jnp.sqrt(jnp.where(paired, u, 1)), 0)
    t = _reduced(x, u, beta)
    entropy = 2 * jnp.sum(_entropy(t))
    condensed = jnp.where(paired, u / g, 0)
    free_energy = condensed + jnp.sum(x) - 2 / beta * jnp.sum(math.log(2) + _log_cosh(t))
    state = BCSState(
        gap=gap,
        free_energy=free_energy,
        energy=free_energy + entropy / beta,
        entropy=entropy,
        particles=jnp.sum(1 - x * beta / 2 * _tanhc(t)),
        quasiparticle_energies=jnp.where(paired, jnp.sqrt(x**2 + jnp.where(paired, u, 1)), jnp.abs(x)),
    )
    return state, jax.lax.stop_gradient(jnp.where(paired, gap * jnp.abs(excess(u)), 0.0) + 0 * g)


@jax.jit
def _critical(x, g):
    def excess(temperature):
        return g / (4 * temperature) * jnp.sum(_tanhc((x / (2 * temperature)) ** 2)) - 1

    most = g * x.size / 4  # tanh(y) < y
    tiny = jnp.finfo(x.dtype).eps ** 2 * most
    exists = jax.lax.stop_gradient(excess(tiny)) > 0
    start = bisect(lambda temperature: excess(temperature) > 0, tiny, most)
    safe = jnp.where(exists, start, most)
    shift = jnp.where(exists, 0, jax.lax.stop_gradient(excess(safe)))
    root = polish(lambda temperature: excess(temperature) - shift, safe)
    return jnp.where(exists, root, 0) * nan_unless(g > 0, 1.0)


def _reduced(x, u, beta):
    """`t = (beta E / 2)^2`."""
    return (beta / 2) ** 2 * (x**2 + u)


def _even(t, series, direct):
    """`direct(sqrt t)`, by a series in `t` near 0."""
    small = t < _SMALL
    y = jnp.sqrt(jnp.where(small, 1, t))
    return jnp.where(small, jnp.polyval(jnp.asarray(series, t.dtype), jnp.where(small, t, 0)), direct(y))


def _log_cosh(t):
    series = [31 / 14175, -17 / 2520, 1 / 45, -1 / 12, 1 / 2, 0]
    return _even(t, series, lambda y: y + jnp.log1p(jnp.exp(-2 * y)) - math.log(2))


def _tanhc(t):
    """`tanh(y) / y`."""
    return _even(t, [62 / 2835, -17 / 315, 2 / 15, -1 / 3, 1], lambda y: jnp.tanh(y) / y)


def _entropy(t):
    """`ln 2 cosh y - y tanh y`, of a quasi-particle."""
    series = [-31 * 9 / 14175, 17 * 7 / 2520, -5 / 45, 3 / 12, -1 / 2, math.log(2)]
    return _even(t, series, lambda y: jnp.log1p(jnp.exp(-2 * y)) + 2 * y * jax.nn.sigmoid(-2 * y))
