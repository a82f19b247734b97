"""Molecules that rotate and vibrate, and the weights that nuclear spins give to rotational levels."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from jaxgibbs.operators.kronecker import KroneckerSum
from jaxgibbs.operators.local import spin_dimension, whole_number
from jaxgibbs.operators.spectrum import Spectrum
from jaxgibbs.operators.tails import RotorTail

from .oscillators import oscillator


def rotor(
    rotational_constant: Float[ArrayLike, ""], *, even_weight: float = 1.0, odd_weight: float = 1.0, levels: int = 128
) -> Spectrum:
    """A linear rigid rotor, `E_j = B j (j + 1)` with degeneracy `g_j = weight (2 j + 1)`.

    Hydrogen in equilibrium has weights 1 (even, para) and 3 (odd, ortho); para-hydrogen alone has an odd weight of 0;
    a molecule of two different nuclei has one weight for all `j`.

    Args:
        rotational_constant: `B`, positive, an energy.
        even_weight: nuclear-spin weight of `j = 0, 2, ...`; see `nuclear_spin_weights`. 0 leaves these levels out.
        odd_weight: the same for `j = 1, 3, ...`.
        levels: how many levels are kept, counting only those of non-zero weight; the rest is bounded.

    Raises:
        ValueError: if a weight is negative or both are 0.
    """
    weights = np.array([even_weight, odd_weight], float)
    if not (np.all(np.isfinite(weights)) and np.all(weights >= 0) and np.any(weights > 0)):
        raise ValueError(
            "`even_weight` and `odd_weight` must be at least 0 and one of them positive, but are "
            f"{even_weight} and {odd_weight}."
        )
    levels = whole_number("levels", levels)
    step = 1 if np.all(weights > 0) else 2
    ground = 0 if weights[0] > 0 else 1
    j = ground + step * np.arange(levels)
    tail = RotorTail(rotational_constant, weights.max(), first=int(j[-1]) + step, step=step, ground=ground)
    dtype = tail.rotational_constant.dtype
    degeneracies = weights[j % 2] * (2 * j + 1)
    return Spectrum(
        tail.rotational_constant * jnp.asarray(j * (j + 1), dtype), jnp.asarray(np.log(degeneracies), dtype), tail=tail
    )


def diatomic(
    rotational_constant: ArrayLike,
    vibrational_quantum: ArrayLike,
    *,
    even_weight: float = 1.0,
    odd_weight: float = 1.0,
    levels: int = 512,
    vibrational_levels: int = 1024,
) -> KroneckerSum:
    """Rigid rotor and harmonic oscillator, `E = B j (j + 1) + w (n + 1/2)`: the internal partition function of a diatomic.

    Args:
        rotational_constant: `B`, positive, an energy.
        vibrational_quantum: `w`, positive, an energy.
        even_weight: nuclear-spin weight of even `j`, as of `rotor`.
        odd_weight: that of odd `j`.
        levels: how many rotational levels are kept, as of `rotor`.
        vibrational_levels: how many of the vibration, as `levels` of `oscillator`.

    Reference: McQuarrie (1976), Statistical Mechanics, chapter 6.
    """
    return KroneckerSum(
        (
            rotor(rotational_constant, even_weight=even_weight, odd_weight=odd_weight, levels=levels),
            oscillator(vibrational_quantum, levels=vibrational_levels),
        )
    )


def nuclear_spin_weights(spin: float) -> tuple[float, float]:
    """Weights `(even j, odd j)` of a molecule of two equal nuclei of this spin.

    Half-integer nuclei are fermions: even `j` goes with the `I (2 I + 1)` antisymmetric nuclear states and odd `j` with
    the `(I + 1) (2 I + 1)` symmetric ones (H2: 1, 3). For integer spin it is the other way round (D2: 6, 3; spin 0:
    1, 0). This holds for electronic states even under exchange of the nuclei; for odd ones (O2) swap the two. Two
    different nuclei have the weight `(2 I_1 + 1) (2 I_2 + 1)` for every `j`.
    """
    size = spin_dimension(spin)
    symmetric, antisymmetric = size * (size + 1) / 2, size * (size - 1) / 2
    return (antisymmetric, symmetric) if size % 2 == 0 else (symmetric, antisymmetric)
