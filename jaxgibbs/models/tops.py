"""Molecules that are not linear: rigid tops, and the weights that equal nuclei around an axis give to their levels."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from jaxgibbs.operators.local import spin_dimension, whole_number
from jaxgibbs.operators.spectrum import Spectrum
from jaxgibbs.operators.tails import TopTail, positive_scalar


def symmetric_top(
    axial_constant: Float[ArrayLike, ""],
    transverse_constant: Float[ArrayLike, ""],
    *,
    weights: Sequence[float] = (1.0,),
    levels: int = 192,
) -> Spectrum:
    """A rigid symmetric top, `E_JK = B J (J + 1) + (A - B) K^2` with degeneracy `g = weight (2 J + 1)`, twice that for `K != 0`.

        Z = sqrt(pi) (k T)^{3/2} / (sigma sqrt(A B^2)) [1 + beta (4 B - B^2 / A) / 12 + ...]

    where `1 / sigma` is the mean of the weights. `A > B` is prolate (CH3Cl), `A < B` oblate (NH3).

    Args:
        axial_constant: `A`, of rotation about the axis of the molecule; positive, an energy.
        transverse_constant: `B`, about the other two; positive, an energy.
        weights: nuclear-spin weights of `K = 0, 1, ..., n - 1` modulo n about an n-fold axis; see `spin_weights_of_ring`.
            `(1 / sigma,)` is a symmetry number, right where many levels are populated. 0 leaves levels out.
        levels: how many `J` are kept; the rest is bounded.

    Raises:
        ValueError: if a constant is not positive, or weights are negative, all 0, or differ for `K` and `-K`.

    Reference: Herzberg (1945), Infrared and Raman Spectra of Polyatomic Molecules, chapters I and V.
    """
    given = _checked_weights(weights)
    if not np.array_equal(given[1:], given[:0:-1]):
        raise ValueError(
            f"`weights` must be equal for `K` and `-K`, which have one energy, but is {weights}; list them for "
            "`K = 0, 1, ..., n - 1` modulo n, such as (4, 2, 2)."
        )
    axial = positive_scalar("axial_constant", axial_constant)
    transverse = positive_scalar("transverse_constant", transverse_constant)
    j = np.repeat(np.arange(levels := whole_number("levels", levels)), np.arange(1, levels + 1))
    k = np.arange(len(j)) - j * (j + 1) // 2  # from 0 to j
    degeneracies = given[k % len(given)] * (2 * j + 1) * np.where(k > 0, 2, 1)
    (j, k), degeneracies = _present(np.stack([j, k]), degeneracies, levels)
    dtype = jnp.result_type(axial, transverse)
    energies = transverse * jnp.asarray(j * (j + 1), dtype) + (axial - transverse) * jnp.asarray(k**2, dtype)
    tail = TopTail(axial, transverse, jnp.min(energies), given.max(), first=levels)
    return Spectrum(energies, jnp.asarray(np.log(degeneracies), dtype), tail=tail)


def spherical_top(
    rotational_constant: Float[ArrayLike, ""], *, weights: float | Sequence[float] = 1.0, levels: int = 128
) -> Spectrum:
    """A rigid spherical top, `E_J = B J (J + 1)` with degeneracy `g = weight (2 J + 1)^2`: CH4, SF6.

    Args:
        rotational_constant: `B`, positive, an energy.
        weights: of all levels, the nuclear-spin states divided by the symmetry number, such as `2^4 / 12` of CH4, which is right
            where many levels are populated; or of each `J`, see `spin_weights_of_tetrahedron`, repeated after the last one. 0
            leaves levels out.
        levels: how many `J` are kept; the rest is bounded by the largest weight.

    Raises:
        ValueError: if `B` is not positive, or weights are negative or all 0.

    Reference: Herzberg (1945), Infrared and Raman Spectra of Polyatomic Molecules, chapters I and V.
    """
    constant, given = positive_scalar("rotational_constant", rotational_constant), _checked_weights(weights)
    j = np.arange(levels := whole_number("levels", levels))
    degeneracies = given[np.minimum(j, len(given) - 1)] * (2 * j + 1.0) ** 2
    j, degeneracies = _present(j, degeneracies, levels)
    energies = constant * jnp.asarray(j * (j + 1), constant.dtype)
    tail = TopTail(constant, constant, energies[0], given.max(), first=levels)
    return Spectrum(energies, jnp.asarray(np.log(degeneracies), constant.dtype), tail=tail)


def _checked_weights(weights) -> np.ndarray:
    given = np.atleast_1d(np.array(weights, float))
    if given.ndim != 1 or not (given.size and np.all(np.isfinite(given)) and np.all(given >= 0) and np.any(given > 0)):
        raise ValueError(f"`weights` must be numbers of at least 0, one of them positive, but is {weights}.")
    return given


def _present(numbers, degeneracies, levels: int):
    """Without the levels of weight 0."""
    present = degeneracies > 0
    if not np.any(present):
        raise ValueError(f"`levels` must reach a level of positive weight, but up to `J` = {levels - 1} there is none.")
    return numbers[..., present], degeneracies[present]


def spin_weights_of_ring(spin: float, count: int = 3) -> tuple[float, ...]:
    """Weights of `K = 0 ... n - 1` modulo n of a molecule with n equal nuclei of this spin around an n-fold axis.

    A turn by `2 pi / n` takes nuclei round in a cycle, even for odd n and for bosons, so that what it does to spins must undo
    its factor `exp(2 pi i K / n)`; of an even number of fermions it must make `-1` of it. The spin states that do are

        w_K = 1/n sum_m (+-1)^m exp(-2 pi i K m / n) (2 I + 1)^gcd(m, n).

    Three protons (CH3Cl, or NH3 with both of its wells): 4, 2, 2. Weights add up to `(2 I + 1)^n`; other nuclei on the axis
    multiply them. Electrons and vibrations are taken to be symmetric.

    Args:
        spin: `I`.
        count: n, at least 2.

    Reference: Landau & Lifshitz, Quantum Mechanics, section 105; Townes & Schawlow (1955), Microwave Spectroscopy, section 3-4.
    """
    size, count = spin_dimension(spin), whole_number("count", count)
    if count < 2:
        raise ValueError(f"`count` must be at least 2, but is {count}; one nucleus has the weight `2 I + 1`.")
    sign = -1 if size % 2 == 0 and count % 2 == 0 else 1
    turns = np.arange(count)
    states = np.array([sign**m * float(size) ** math.gcd(m, count) for m in turns])
    weights = np.cos(2 * np.pi * np.outer(turns, turns) / count) @ states / count
    return tuple(float(round(w)) for w in weights)


def spin_weights_of_tetrahedron(spin: float, levels: int = 128) -> tuple[float, ...]:
    """Weights of `J = 0, 1, ...` of a spherical top with four equal nuclei of this spin at the corners of a tetrahedron.

        (2 J + 1) w_J = 1/12 [(2 J + 1) n^4 + 8 n^2 chi_J(120 degrees) + 3 n^2 chi_J(180 degrees)],    n = 2 I + 1,

    the number of states on which the twelve rotations, all even permutations, act as 1: `chi_J` are the characters of the
    rotation about the axes of the molecule. For CH4 the products are 5, 3, 5, 11, ..., and `w_J` goes to `16 / 12`.

    Args:
        spin: `I`.
        levels: how many `J`.

    Reference: Wilson, J. Chem. Phys. 3, 276 (1935).
    """
    size, j = spin_dimension(spin), np.arange(whole_number("levels", levels))
    third, half = np.array([1, 0, -1])[j % 3], np.array([1, -1])[j % 2]
    counts = ((2 * j + 1) * size**4 + 8 * size**2 * third + 3 * size**2 * half) / 12
    return tuple(float(x) for x in np.round(counts) / (2 * j + 1))
