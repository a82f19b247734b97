"""Vibrations beyond the harmonic one: the Morse potential by its levels, the double well on the line."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.operators.spectrum import Spectrum

from ._assembly import real_couplings
from .potentials import Particle, particle_in_potential


def morse(
    depth: ArrayLike, range_parameter: ArrayLike, mass: ArrayLike = 1.0, *, levels: int | None = None
) -> Spectrum:
    """Bound levels of `V(x) = D (1 - e^{-a x})^2`: `E_n = w (n + 1/2) - (a^2 / 2 m) (n + 1/2)^2`, `w = a sqrt(2 D / m)`.

    There are as many as `n < sqrt(2 m D) / a - 1/2`; the continuum above `D`, which has no partition function, is left out, so
    that this describes a molecule at temperatures well below `D`.

    Args:
        depth: `D`, positive, the energy of dissociation from the bottom of the well.
        range_parameter: `a`, positive, an inverse length.
        mass: `m`, positive, the reduced mass.
        levels: how many of the bound levels are kept; all by default, outside `jit` only.

    Raises:
        ValueError: if a number is not positive, there is no bound level, fewer than `levels`, or their number is traced.

    Reference: Morse, Phys. Rev. 34, 57 (1929).
    """
    values = real_couplings(depth=depth, range_parameter=range_parameter, mass=mass)
    for name, value in values.items():
        if is_concrete(value) and not np.all(np.asarray(value) > 0):
            raise ValueError(f"`{name}` must be positive, but is {np.asarray(value)}.")
    d, a, m = values["depth"], values["range_parameter"], values["mass"]
    capacity = jax.lax.stop_gradient(jnp.sqrt(2 * m * d) / a)
    if is_concrete(capacity):
        bound = max(math.ceil(float(capacity) - 0.5), 0)
        if bound == 0 or (levels is not None and levels > bound):
            raise ValueError(f"`levels` must be at most the {bound} bound ones, but is {levels}; deepen the well.")
        levels = bound if levels is None else levels
    elif levels is None:
        raise ValueError("`levels` must be given under a trace, where the number of bound levels is not known.")
    n = jnp.arange(levels, dtype=d.dtype) + 0.5
    energies = a * jnp.sqrt(2 * d / m) * n - a**2 / (2 * m) * n**2
    return Spectrum(nan_unless(levels - 0.5 < capacity, energies))


def double_well(
    barrier: ArrayLike, separation: ArrayLike, mass: ArrayLike = 1.0, *, beta: ArrayLike, levels: int | None = None
) -> Particle:
    """`V(x) = b ((2 x / s)^2 - 1)^2`: minima at `-s/2` and `s/2`, a barrier `b` between them.

    Args:
        barrier: `b`, positive.
        separation: `s`, positive.
        mass: `m`, positive.
        beta: the smallest inverse temperature that will be asked for, as of `particle_in_potential`.
        levels: size of the basis, as there.

    Raises:
        ValueError: if a number is not positive; and as `particle_in_potential` does.
    """
    values = real_couplings(barrier=barrier, separation=separation, mass=mass)
    for name, value in values.items():
        if is_concrete(value) and not np.all(np.asarray(value) > 0):
            raise ValueError(f"`{name}` must be positive, but is {np.asarray(value)}.")
    return particle_in_potential(
        lambda x: values["barrier"] * ((2 * x / values["separation"]) ** 2 - 1) ** 2,
        values["mass"],
        beta=beta,
        levels=levels,
    )
