"""Room for what is to be computed: refused here, with what would do, before an allocation fails without a word of either."""

import os

import jax
import numpy as np


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
