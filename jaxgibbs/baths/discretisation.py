"""Baths of finitely many modes that stand for a continuum: Gauss's quadrature of the spectral density, and chains.

A bath is a measure on its frequencies, and all that a system in equilibrium knows of it are integrals over that measure. Gauss's
rule of the polynomials that are orthogonal for the measure is exact for the largest number of its moments. The measure taken here
is `J(w) / w`, whose total is the reorganisation energy, so that this is right for any number of modes.

References: Chin, Rivas, Huelga & Plenio, J. Math. Phys. 51, 092109 (2010); de Vega, Schollwoeck & Wolf, Phys. Rev. B 92, 155126
(2015).
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.linalg.orthogonal_polynomials import gauss_rule, recurrence
from jaxgibbs.operators.base import inexact
from jaxgibbs.operators.local import whole_number

from .base import real_scalar
from .bosonic import AbstractBosonicBath
from .flat import FermionicBath
from .quadrature import over_frequencies, unit_interval


class Chain(eqx.Module):
    """Modes in a row, the first of which is coupled to the system: `sum_j e_j n_j + sum_j t_j (c_j^+ c_{j+1} + h.c.)`.

    Attributes:
        strength: of the coupling of the system to the first site.
        energies: `e_j`, shape `(modes,)`.
        hoppings: `t_j`, shape `(modes - 1,)`.
    """

    strength: Float[Array, ""]
    energies: Float[Array, " modes"]
    hoppings: Float[Array, " rest"]


class FiniteBath(eqx.Module):
    """Oscillators `sum_k w_k b_k^+ b_k`, coupled to a system by `X sum_k g_k (b_k + b_k^+)`.

    Args:
        frequencies: `w_k`, positive, shape `(modes,)`.
        strengths: `g_k`, shape `(modes,)`, in the unit of `frequencies`.

    Raises:
        ValueError: if shapes differ or a frequency is not positive and finite (NaN under a trace).
    """

    frequencies: Float[Array, " modes"]
    strengths: Float[Array, " modes"]

    def __init__(self, frequencies: ArrayLike, strengths: ArrayLike):
        w, g = inexact(frequencies), inexact(strengths)
        if w.ndim != 1 or w.shape != g.shape or w.size == 0:
            raise ValueError(
                f"`frequencies` and `strengths` must be vectors of equal length, but have shapes {w.shape} and {g.shape}."
            )
        allowed = (w > 0) & jnp.isfinite(w)
        if is_concrete(allowed) and not jnp.all(allowed):
            raise ValueError(
                f"`frequencies` must be positive and finite, but are {w}; a mode of frequency 0 has no Gibbs state."
            )
        self.frequencies, self.strengths = nan_unless(allowed, w), g

    def reorganisation_energy(self) -> Float[Array, ""]:
        """`Q = sum_k g_k^2 / w_k`."""
        return jnp.sum(self.strengths**2 / self.frequencies)

    def damping_kernel(self, z: ArrayLike) -> Float[Array, "*shape"]:
        """`K(z) = 2 sum_k (g_k^2 / w_k) z / (w_k^2 + z^2)`."""
        z = inexact(z)[..., None]
        return 2 * jnp.sum(self.strengths**2 / self.frequencies * z / (self.frequencies**2 + z**2), axis=-1)

    def correlation(self, time: ArrayLike, beta: ArrayLike) -> Complex[Array, "*shape"]:
        """`C(t) = sum_k g_k^2 [(n_k + 1) e^{-i w_k t} + n_k e^{i w_k t}]`; also at `t = -is`, `0 <= s <= beta`."""
        t, beta, w = jnp.asarray(time)[..., None], jnp.asarray(beta), self.frequencies
        raised = jnp.exp(-1j * w * t) + jnp.exp(w * (1j * t - beta))
        return jnp.sum(self.strengths**2 * raised / -jnp.expm1(-beta * w), axis=-1)

    def chain(self) -> Chain:
        """The same bath with the system at the end of a row of oscillators, coupled by `X strength (c_0 + c_0^+)`."""
        return _chain(self.frequencies, self.strengths)


class FiniteLead(eqx.Module):
    """Levels `sum_k e_k c_k^+ c_k` of a lead, coupled to a level `d` of a system by `sum_k t_k (d^+ c_k + h.c.)`.

    Attributes:
        energies: `e_k`, shape `(levels,)`.
        amplitudes: `t_k`, shape `(levels,)`.
    """

    energies: Float[Array, " levels"]
    amplitudes: Float[Array, " levels"]

    def chain(self) -> Chain:
        """The same lead with the system at the end of a row of sites."""
        return _chain(self.energies, self.amplitudes)


def finite_bath(bath: AbstractBosonicBath, modes: int, highest: ArrayLike | None = None) -> FiniteBath:
    """A bath of so many oscillators that exchanges heat as `bath` does.

    `sum_k (g_k^2 / w_k) f(w_k) = (1 / pi) int (J(w) / w) f(w) dw` for polynomials `f` of degree `2 modes - 1`: with `highest`
    in `w` below it, without in `w / (w + bath.scale)` on the whole axis. Other `f` converge exponentially. Without `highest`
    nothing is cut off, and few modes do in equilibrium; evolution in time asks for one. What is missing `discretisation_error`
    says.

    Args:
        bath: with a spectral density.
        modes: how many, static.
        highest: optionally the frequency above which modes are left out, positive.

    Raises:
        ValueError: if a number is out of these ranges (NaN under a trace).

    Example:
        >>> import jaxgibbs as jg
        >>> bath = jg.OhmicBath(beta=1.0, strength=0.2, cutoff=3.0)
        >>> finite = jg.baths.finite_bath(bath, modes=8)
        >>> print(f"{jg.baths.discretisation_error(bath, finite):.0e}")
        8e-05
    """
    modes = whole_number("modes", modes)
    if highest is None:
        nodes, weights = over_frequencies(bath)
        scale = jnp.asarray(bath.scale, nodes.dtype)
        mapped, masses = gauss_rule(recurrence(nodes / (nodes + scale), _measure(bath, nodes, weights), modes))
        frequencies = scale * mapped / (1 - mapped)
    else:
        highest = real_scalar("highest", highest, positive=True)
        places = [jnp.minimum(jnp.asarray(x, highest.dtype), highest) for x in bath.landmarks]
        nodes, weights = _panels(jnp.sort(jnp.stack([jnp.zeros_like(highest), *places, highest])))
        frequencies, masses = gauss_rule(recurrence(nodes, _measure(bath, nodes, weights), modes))
    return FiniteBath(frequencies, jnp.sqrt(masses * frequencies))


def finite_lead(lead: FermionicBath, levels: int) -> FiniteLead:
    """A lead of so many levels, `sum_k t_k^2 f(e_k) = int G(e) / (2 pi) f(e) de` for polynomials in `arctan((e - mu) / D)`.

    Gauss's rule on the whole axis: `sum_k t_k^2 = G D / 2` for any number of levels. Near `mu` they are `pi D / levels` apart,
    which the temperature should exceed.

    Args:
        lead: of finite bandwidth `D`.
        levels: how many, static.

    Raises:
        ValueError: for an infinite bandwidth (NaN under a trace).
    """
    width = lead.bandwidth
    if is_concrete(width) and jnp.isinf(width):
        raise ValueError(
            "`lead` must have a finite `bandwidth`, but it is infinite; give one above all other energies."
        )
    angles, weights = np.polynomial.legendre.leggauss(whole_number("levels", levels))
    energies = width * jnp.asarray(np.tan(np.pi / 2 * angles), width.dtype)
    masses = lead.strength * width * jnp.asarray(weights / 4, width.dtype)
    return FiniteLead(energies + lead.chemical_potential, jnp.sqrt(masses))


def discretisation_error(bath: AbstractBosonicBath, finite: FiniteBath, components: int = 8) -> Float[Array, ""]:
    """The largest relative error of `(1 / pi) int J(w) 2 w / (w^2 + v_n^2) dw` for the first Matsubara frequencies `v_n`.

    These are the Fourier components of the correlation function in imaginary time, all that second order in the coupling
    contains and all that a Gaussian system feels. The first, `n = 0`, says what part of the reorganisation energy lies above
    the highest frequency.

    Args:
        bath: at a finite `beta`.
        finite: what stands for it.
        components: how many `n`, from 0, static.
    """
    nodes, weights = over_frequencies(bath)
    v = 2 * jnp.pi / bath.beta * jnp.arange(whole_number("components", components), dtype=nodes.dtype)[:, None]
    exact = jnp.sum(weights * bath.density_over_frequency(nodes) / (1 + (v / nodes) ** 2), axis=1) / jnp.pi
    w, g = finite.frequencies, finite.strengths
    found = jnp.sum(g**2 / w / (1 + (v / w) ** 2), axis=1)
    return jnp.max(jnp.abs(found / exact - 1))


def _measure(bath, nodes, weights):
    return weights * bath.density_over_frequency(nodes) / jnp.pi


def _panels(cuts):
    """Nodes and weights of an integral with kinks or peaks at the cuts."""
    nodes, weights = unit_interval(cuts.dtype)
    widths = jnp.diff(cuts)
    return (cuts[:-1, None] + widths[:, None] * nodes).reshape(-1), (widths[:, None] * weights).reshape(-1)


def _chain(energies, amplitudes) -> Chain:
    found = recurrence(energies, amplitudes**2, len(energies))
    return Chain(found.norm, found.diagonal, found.off_diagonal[:-1])
