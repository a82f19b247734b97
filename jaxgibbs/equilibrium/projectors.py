"""The distinct levels of a matrix: which eigenvalues are one level, and the projector on each."""

import warnings

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact, Int

from jaxgibbs._errors import is_concrete

_LARGEST_STACK = 2**27


class LevelProjectors(eqx.Module):
    """`H = sum_j E_j Pi_j` over distinct levels, ascending; a Gibbs state is proportional to `Pi_j` within each.

    `diameters` are the distances between the highest and the lowest eigenvalue counted as one level: rounding, if small.
    """

    energies: Float[Array, " levels"]
    degeneracies: Int[Array, " levels"]
    projectors: Inexact[Array, "levels dim dim"]
    diameters: Float[Array, " levels"]


def level_projectors(
    energies: Float[Array, " dim"], vectors: Inexact[Array, "dim dim"], tolerance: float | None = None
) -> LevelProjectors:
    """Split where neighbouring energies are further apart than `tolerance`; see `GibbsState.level_projectors`."""
    if not is_concrete(energies, vectors):
        raise ValueError(
            "`level_projectors` must be called outside `jit` and derivatives, because the number of levels is a shape; "
            "the state and its expectation values need no projectors and are differentiable."
        )
    order = np.argsort(np.asarray(energies), kind="stable")
    values, columns = np.asarray(energies)[order], np.asarray(vectors)[:, order]
    width = 64 * float(np.finfo(values.dtype).eps * np.max(np.abs(values)))
    if tolerance is not None:
        if not 0 <= tolerance < np.inf:
            raise ValueError(f"`tolerance` must be a non-negative energy, but is {tolerance}.")
        width = max(width, float(tolerance))
    groups = np.split(np.arange(values.size), np.flatnonzero(np.diff(values) > width) + 1)
    if len(groups) * columns.size > _LARGEST_STACK:
        raise ValueError(
            f"The projectors must hold at most {_LARGEST_STACK} numbers, but {len(groups)} levels of dimension "
            f"{values.size} take {len(groups) * columns.size}; make them one at a time from `spectrum.eigenbasis()`."
        )
    diameters = np.array([values[group[-1]] - values[group[0]] for group in groups])
    widest = int(np.argmax(diameters))
    if diameters[widest] > width / 10:
        warnings.warn(
            f"The level at {np.mean(values[groups[widest]]):g} is {diameters[widest]:.1e} wide, more than a tenth of the "
            f"tolerance {width:.1e}: it may be several levels. Pass a `tolerance` that lies in a gap of the spectrum.",
            stacklevel=3,
        )
    return LevelProjectors(
        jnp.asarray([np.mean(values[group]) for group in groups], values.dtype),
        jnp.asarray([len(group) for group in groups]),
        jnp.asarray(np.stack([columns[:, group] @ columns[:, group].conj().T for group in groups])),
        jnp.asarray(diameters, values.dtype),
    )
