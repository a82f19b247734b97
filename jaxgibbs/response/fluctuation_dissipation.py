"""How far measured or computed spectra are from those of an equilibrium at `beta`, frequency by frequency."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs.operators.base import inexact


def kms_violation(
    spectrum: ArrayLike, reverse: ArrayLike, frequency: ArrayLike, beta: ArrayLike
) -> Float[Array, "*frequencies"]:
    """How far `S_BA(-w) = e^{-beta w} S_AB(w)` is from true, relative to its two sides.

        |S_BA(-w) - e^{-beta w} S_AB(w)| / (|S_BA(-w)| + e^{-beta w} |S_AB(w)|)

    It is 0 in equilibrium, 1 where only one of them is there, and `tanh(|beta' - beta| |w| / 2)` in an equilibrium at `beta'`. A
    line broadened to a width `eta` obeys it within `eta beta` at its peak and not in its tails.

    Args:
        spectrum: `S_AB(w)`, real or complex, shape `(*frequencies,)`.
        reverse: `S_BA(-w)`, the same with `A` and `B` exchanged at minus the frequency.
        frequency: `w`, an energy.
        beta: inverse temperature (1 / energy).

    Reference: Haag, Hugenholtz & Winnink, Commun. Math. Phys. 5, 215 (1967).
    """
    x = jnp.asarray(beta) * inexact(frequency)
    return _distance(jnp.exp(jnp.minimum(x, 0)) * inexact(reverse), jnp.exp(-jnp.maximum(x, 0)) * inexact(spectrum))


def fluctuation_dissipation_violation(
    spectrum: ArrayLike, dissipation: ArrayLike, frequency: ArrayLike, beta: ArrayLike
) -> Float[Array, "*frequencies"]:
    """How far `chi''(w) = (1 - e^{-beta w}) S(w) / 2` is from true, relative to its two sides; between 0 and 1.

    Args:
        spectrum: `S_AB(w)`, shape `(*frequencies,)`.
        dissipation: `chi''_AB(w)`, for `A = B` the imaginary part of the susceptibility.
        frequency: `w`, an energy; at 0 both sides vanish.
        beta: inverse temperature (1 / energy).

    Reference: Callen & Welton, Phys. Rev. 83, 34 (1951); Kubo, J. Phys. Soc. Jpn. 12, 570 (1957).
    """
    x = jnp.asarray(beta) * inexact(frequency)
    left = jnp.exp(jnp.minimum(x, 0)) * inexact(dissipation)
    return _distance(left, jnp.sign(x) * -jnp.expm1(-jnp.abs(x)) * inexact(spectrum) / 2)


def effective_beta(spectrum: ArrayLike, reverse: ArrayLike, frequency: ArrayLike) -> Float[Array, "*frequencies"]:
    """The inverse temperature that a pair of lines shows, `ln(S_AB(w) / S_BA(-w)) / w`.

    Out of equilibrium it depends on the frequency. NaN at frequency 0, and where a value is not positive.

    Args:
        spectrum: `S_AB(w)`, real, shape `(*frequencies,)`.
        reverse: `S_BA(-w)`, real.
        frequency: `w`, an energy.

    Returns:
        `beta(w)` in units of 1 / energy.

    Raises:
        ValueError: if one is complex.
    """
    spectrum, reverse, frequency = inexact(spectrum), inexact(reverse), inexact(frequency)
    if jnp.iscomplexobj(spectrum) or jnp.iscomplexobj(reverse):
        raise ValueError(
            "`spectrum` and `reverse` must be real, but one is complex; pass `.real` of a spectrum that is."
        )
    defined = (spectrum > 0) & (reverse > 0) & (frequency != 0)
    ratio = jnp.log(jnp.where(defined, spectrum, 1)) - jnp.log(jnp.where(defined, reverse, 1))
    return jnp.where(defined, ratio / jnp.where(defined, frequency, 1), jnp.nan)


def _distance(a, b):
    total = jnp.abs(a) + jnp.abs(b)
    return jnp.where(total > 0, jnp.abs(a - b) / jnp.where(total > 0, total, 1), 0)
