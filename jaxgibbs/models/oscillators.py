"""Harmonic oscillators."""

import jax.numpy as jnp
from jaxtyping import ArrayLike, Float

from jaxgibbs.operators.local import whole_number
from jaxgibbs.operators.spectrum import Spectrum
from jaxgibbs.operators.tails import LadderTail


def oscillator(frequency: Float[ArrayLike, ""], *, levels: int = 1024) -> Spectrum:
    """Levels `E_n = frequency * (n + 1/2)`: `ln Z = -ln 2 sinh(beta frequency / 2)`.

    Args:
        frequency: positive, an energy; a differentiable leaf of what is returned through its levels.
        levels: how many are kept; the rest is bounded. `beta * frequency * levels` above 40 is enough for float64.
    """
    tail = LadderTail(frequency, whole_number("levels", levels))
    return Spectrum(tail.frequency * (jnp.arange(tail.kept, dtype=tail.frequency.dtype) + 0.5), tail=tail)
