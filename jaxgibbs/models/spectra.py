"""Systems given by their levels: finite level schemes and laws for infinite spectra."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from jaxgibbs._errors import TruncationNotConverged, is_concrete
from jaxgibbs.operators.base import inexact
from jaxgibbs.operators.local import whole_number
from jaxgibbs.operators.spectrum import Spectrum
from jaxgibbs.operators.tails import ContinuumTail, LogarithmicTail, PowerTail, positive_scalar


def level_scheme(energies: Float[ArrayLike, " levels"], degeneracies: ArrayLike | None = None) -> Spectrum:
    """A finite set of levels with degeneracies given as plain numbers: a Schottky system, an atom, a level file.

    Args:
        energies: shape `(levels,)`, in any order and unit.
        degeneracies: positive numbers of shape `(levels,)`; 1 by default. They need not be whole (weights).
            Where they would overflow pass their logarithms to `Spectrum`.
    """
    if degeneracies is None:
        return Spectrum(energies)
    energies = inexact(energies)
    degeneracies = inexact(degeneracies).astype(energies.dtype)
    if is_concrete(degeneracies) and not np.all(np.asarray(degeneracies) > 0):
        raise ValueError(
            f"`degeneracies` must be positive, but are {np.asarray(degeneracies)}; leave out empty levels."
        )
    return Spectrum(energies, jnp.log(degeneracies))


def power_law(scale: Float[ArrayLike, ""], exponent: Float[ArrayLike, ""], *, levels: int = 1024) -> Spectrum:
    """Levels `E_k = scale * k ** exponent`, `k = 1, 2, ...`: 2 is the box, 1 a ladder, 4/3 a quartic well (WKB).

    Args:
        scale: positive, an energy.
        exponent: positive; `beta_c = 0` for every one of them.
        levels: how many are kept; the rest is bounded by `PowerTail`.
    """
    tail = PowerTail(scale, exponent, whole_number("levels", levels))
    dtype = jnp.result_type(tail.scale, tail.exponent)
    return Spectrum(tail.scale * jnp.arange(1, tail.kept + 1, dtype=dtype) ** tail.exponent, tail=tail)


def logarithmic_spectrum(scale: Float[ArrayLike, ""] = 1.0, *, levels: int = 4096) -> Spectrum:
    """Levels `E_k = scale * ln k`, `k = 1, 2, ...`: `Z = zeta(scale beta)`, trace class only above `beta_c = 1 / scale`.

    The number of levels below `E` grows as `e^(E / scale)`, as in Hagedorn's gas. What is left out falls as
    `levels ** (1 - scale beta)` only, so near `beta_c` no number of levels is enough and the answer is refused.
    """
    tail = LogarithmicTail(scale, whole_number("levels", levels))
    return Spectrum(tail.scale * jnp.log(jnp.arange(1, tail.kept + 1, dtype=tail.scale.dtype)), tail=tail)


def hydrogen(rydberg: Float[ArrayLike, ""] = 0.5, *, levels: int = 32) -> Spectrum:
    """Bound states of hydrogen, `E_n = -rydberg / n^2` with `g_n = n^2` (the spin left out).

    They accumulate at the continuum, so every `beta` is refused with `ContinuousSpectrum`: the partition function of a
    free atom does not exist. For the usual estimate by the first few states use
    `level_scheme(-rydberg / n**2, n**2)` and say where you cut.

    Args:
        rydberg: ionisation energy, positive; 0.5 in atomic units.
        levels: how many are listed.
    """
    rydberg = positive_scalar("rydberg", rydberg)
    n = jnp.arange(1, whole_number("levels", levels) + 1, dtype=rydberg.dtype)
    return Spectrum(-rydberg / n**2, 2 * jnp.log(n), tail=ContinuumTail())


def enough_levels(
    spectrum: Callable[[int], Spectrum], beta: float, *, tolerance: float = 1e-12, most: int = 2**20
) -> int:
    """A number of levels, found by doubling, whose tail is below `tolerance` of the sums over the levels kept.

    The sums are those of `D^m exp(-beta D)`, `m = 0, 1, 2`, with `D` the distance to the ground level: partition
    function, energy and heat capacity. Run it outside `jit`: the number of levels is static.

    Args:
        spectrum: from a number of levels to the spectrum, such as `lambda n: oscillator(0.3, levels=n)`.
        beta: the smallest inverse temperature that will be asked for.
        tolerance: relative size of what may be left out.
        most: where to give up.

    Raises:
        NotTraceClass, UnboundedAbove, ContinuousSpectrum: if no number of levels is enough.
        TruncationNotConverged: if `most` levels are not enough.
    """
    levels, excess = 16, np.inf
    while levels <= most:
        trial = spectrum(levels)
        if trial.tail is None:
            raise ValueError("`spectrum` must give an infinite spectrum, with a tail, but gives a finite one.")
        trial.tail.check(beta)
        distance = trial.levels - trial.levels[0]
        weights = jnp.exp(trial.log_degeneracies - trial.log_degeneracies[0] - beta * distance)
        ground = jnp.exp(trial.log_degeneracies[0])
        bounds = np.array([float(trial.tail.bound(beta, m) / ground) for m in range(3)])
        sums = np.array([float(jnp.sum(weights * distance**m)) for m in range(3)])
        if np.all(bounds <= tolerance * sums):
            return levels
        excess = np.max(bounds / np.where(sums > 0, sums, 1.0))
        levels *= 2
    raise TruncationNotConverged(
        f"`most` must be enough levels for `beta` = {beta:g}, but with {levels // 2} levels those left out may still carry "
        f"{excess:.3g} of the sums, above the tolerance {tolerance:g}; raise `most` or `beta`."
    )
