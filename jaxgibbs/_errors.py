"""Errors raised at the door: what must hold, what was measured, what to do."""

import os

import jax
import jax.core
import jax.numpy as jnp
import numpy as np


class NotTraceClass(ValueError):
    """`exp(-beta H)` has no trace at this temperature: `beta` is below the critical `beta_c` of the spectrum."""


class UnboundedAbove(ValueError):
    """`beta <= 0` was asked of a spectrum without an upper bound."""


class UnboundedBelow(ValueError):
    """The spectrum has no ground state, so no temperature has a Gibbs state."""


class ContinuousSpectrum(ValueError):
    """The spectrum is (partly) continuous or accumulates, so `exp(-beta H)` is not trace class for any `beta`."""


class TruncationNotConverged(ValueError):
    """The levels kept do not carry the trace to the accuracy asked for."""


def is_concrete(*values) -> bool:
    """Whether every array leaf of `values` has a value now, so that it can be checked and can raise.

    An array of which other processes have a part has none here: the process that finds it wrong would stop alone.
    """
    return all(_is_readable(leaf) for leaf in jax.tree_util.tree_leaves(values))


def _is_readable(leaf) -> bool:
    if isinstance(leaf, jax.core.Tracer):
        return False
    return not isinstance(leaf, jax.Array) or leaf.is_fully_addressable or leaf.is_fully_replicated


def nan_unless(condition, value):
    """`value` where `condition` holds, elsewhere NaN with NaN derivatives; `jnp.where` would give the derivative 0."""
    if is_concrete(condition) and np.ndim(condition) == 0 and np.asarray(condition) and _is_inexact(value):
        return value  # what is fine needs no program
    return value * jnp.where(condition, 1, jnp.nan)


def _is_inexact(value) -> bool:
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.inexact)


def check_finite(name: str, value) -> None:
    """Raise `ValueError` if a concrete `value` has a NaN or an infinity."""
    if is_concrete(value) and not np.all(np.isfinite(np.asarray(value))):
        raise ValueError(f"`{name}` must be finite, but has NaN or infinite entries; remove them before the call.")


def hermitian_tolerance(dtype) -> float:
    """Relative Hermiticity defect that is taken as rounding: `max(1e-10, 100 eps)`."""
    return max(1e-10, 100 * float(np.finfo(dtype).eps))


def check_hermitian(name: str, matrix) -> None:
    """Raise `ValueError` unless `matrix` is square, not empty, finite and Hermitian (values only when concrete)."""
    shape = np.shape(matrix)
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
        raise ValueError(
            f"`{name}` must be a square matrix with at least one row, but has shape {shape}; "
            "for a batch of matrices map over it with `jax.vmap`."
        )
    if not is_concrete(matrix):
        return
    check_finite(name, matrix)
    array = np.asarray(matrix)
    array = array if np.issubdtype(array.dtype, np.inexact) else array.astype(float)
    scale = np.max(np.abs(array))  # divided by it, squares neither overflow nor underflow
    unit = array / scale if scale > 0 else array
    defect, tolerance = np.linalg.norm(unit - unit.conj().T), hermitian_tolerance(array.dtype) * np.linalg.norm(unit)
    if defect > tolerance:
        raise ValueError(
            f"`{name}` must be Hermitian, but the norm of `{name} - {name}^dagger` is {defect * scale:.3g}, above the "
            f"tolerance {tolerance * scale:.3g} for {array.dtype}; pass `({name} + {name}.conj().T) / 2` if that is what you mean."
        )


def device_memory() -> int | None:
    """Bytes of a device of this process, or of the machine where that is a CPU; `None` where nobody tells."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"]
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return None


def check_room(what: str, numbers: int, dtype, remedy: str) -> None:
    """Raise `ValueError` unless so many numbers fit into the device.

    Args:
        what: what must have room for what, in words.
        numbers: of all arrays that there are at once.
        dtype: of these numbers.
        remedy: what to do instead.
    """
    needed, most = numbers * np.dtype(dtype).itemsize, device_memory()
    if most is not None and needed > most:
        raise ValueError(f"{what}, {needed / 2**30:.1f} GiB, but this device has {most / 2**30:.1f} GiB; {remedy}.")
