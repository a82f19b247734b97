"""What makes a good thermometer: the best levels that it can have, and what a part of a system tells of its temperature."""

import functools
import math
import operator

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.equilibrium import Auto, thermal_spectrum
from jaxgibbs.equilibrium.methods import AbstractMethod
from jaxgibbs.information import pullback_metric
from jaxgibbs.operators import Spectrum
from jaxgibbs.operators.base import inexact

from .thermometry import ThermometryBounds

Scalar = Float[Array, ""]


class OptimalThermometer(eqx.Module):
    """The levels that tell most of a temperature: one ground state, and all others at one energy.

    Attributes:
        temperature: for which it is the best.
        gap: the energy of the `levels - 1` excited states.
        levels: number of states, static.
    """

    temperature: Scalar
    gap: Scalar
    levels: int = eqx.field(static=True)

    @property
    def hamiltonian(self) -> Spectrum:
        """The two levels with their degeneracies."""
        energies = jnp.stack([jnp.zeros_like(self.gap), self.gap])
        return Spectrum(energies, jnp.asarray([0.0, math.log(self.levels - 1)], energies.dtype))

    @property
    def heat_capacity(self) -> Scalar:
        """`C = (gap / 2 T)^2 - 1` at that temperature, in units of k_B: the signal-to-noise ratio squared of one copy."""
        return (self.gap / self.temperature) ** 2 / 4 - 1

    @property
    def information(self) -> Scalar:
        """The Fisher information of the temperature, `C / T^2`, of one copy: no thermal state of so many levels has more."""
        return self.heat_capacity / self.temperature**2


def optimal_thermometer(levels: int, temperature: ArrayLike) -> OptimalThermometer:
    """The best thermometer of a number of levels in equilibrium: largest `C / T^2` over all choices of their energies.

    `dC / dE_i = 0` for every level is a quadratic equation that is the same for all, so only two energies occur, and one ground
    state is best. Its gap `x = gap / T` is the root of `e^x = (levels - 1) (x + 2) / (x - 2)`; the relative error of N copies,
    `1 / sqrt(N C)`, falls with the logarithm of `levels` only.

    Args:
        levels: number of states, a Python integer of at least 2, however large.
        temperature: the temperature expected, positive (energy).

    Raises:
        ValueError: if `levels` is below 2, or `temperature` is not positive and finite (NaN under a trace).

    Example:
        >>> import jaxgibbs as jg
        >>> best = jg.fitting.optimal_thermometer(2, temperature=1.0)
        >>> print(f"{best.gap:.4f} {best.heat_capacity:.4f}")
        2.3994 0.4392

    Reference: Correa, Mehboudi, Adesso & Sanpera, Phys. Rev. Lett. 114, 220405 (2015).
    """
    levels = operator.index(levels)
    if levels < 2:
        raise ValueError(f"`levels` must be at least 2, but is {levels}; one level is the same at every temperature.")
    temperature = inexact(temperature)
    if temperature.ndim != 0 or jnp.iscomplexobj(temperature):
        raise ValueError(
            f"`temperature` must be a real scalar, but has shape {temperature.shape} and dtype {temperature.dtype}; "
            "map over temperatures with `jax.vmap`."
        )
    allowed = (temperature > 0) & jnp.isfinite(temperature)
    if is_concrete(allowed) and not allowed:
        raise ValueError(f"`temperature` must be positive and finite, but is {temperature}.")
    return OptimalThermometer(temperature, nan_unless(allowed, temperature * _best_ratio(levels)), levels)


@functools.cache
def _best_ratio(levels: int) -> float:
    """The root of `x = ln(levels - 1) + ln((x + 2) / (x - 2))` by Newton's method from below, where it is monotone."""
    logarithm = math.log(levels - 1)
    x = max(2.2, logarithm)
    for _ in range(12):
        x -= (x - logarithm - 2 * math.atanh(2 / x)) / (1 + 4 / (x**2 - 4))
    return x


def local_thermometry_bounds(
    hamiltonian,
    beta: ArrayLike,
    dims: tuple[int, ...],
    keep: int | tuple[int, ...],
    copies: ArrayLike = 1,
    *,
    method: AbstractMethod = Auto(),
) -> ThermometryBounds:
    """Bounds on temperature estimates from a part of a system in equilibrium: from the quantum Fisher information of its state.

    The part is in no Gibbs state of its own where its coupling is not weak. What attains the bound is the measurement of the
    `symmetric_logarithmic_derivative`. No part tells more than the whole, `thermometry_bounds`.

    Args:
        hamiltonian: of the whole, an operator or a Hermitian matrix.
        beta: inverse temperature, finite.
        dims: dimensions of the subsystems, subsystem 0 the left-most factor.
        keep: the subsystems that are measured, one index or several.
        copies: number of copies measured.
        method: as for `gibbs_state`.

    Raises:
        ValueError: if `dims` do not multiply to the dimension, or `keep` names a subsystem twice or one that is not there.

    Reference: De Pasquale, Rossini, Fazio & Giovannetti, Nat. Commun. 7, 12782 (2016).
    """
    spectrum = thermal_spectrum(hamiltonian, method=method)
    beta = spectrum.at(beta).beta
    information = jnp.asarray(copies) * pullback_metric(lambda b: spectrum.at(b).reduced(dims, keep), beta)
    return ThermometryBounds(1 / information, 1 / (information * beta**4))
