"""`sweep`: a function over a labelled grid of parameters, in chunks, over all devices, resumable."""

import importlib.util
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import jax
import numpy as np
from jaxtyping import ArrayLike

from .chunks import Chunks
from .store import MemoryStore, ZarrStore, journal, read_description, read_points

if TYPE_CHECKING:
    import xarray

_RESERVED = ("point", "failed", "key")


def sweep(
    function: Callable,
    grid: Mapping[str, ArrayLike],
    *,
    store: str | pathlib.Path | None = None,
    key: jax.Array | None = None,
    chunk: int | None = None,
    memory: float = 2**30,
    progress: Callable[[int, int, float], None] | None = None,
) -> "xarray.Dataset":
    """`function` at every point of a grid, as a labelled `xarray.Dataset`.

    Points run as one compiled `vmap` a chunk, spread over every device of every process. With `store`, each chunk is
    written as it is found; the same call after an interruption goes on from there. The store knows its grid, outputs and
    key, but not the text of `function`: name a new folder when that changes.

    Args:
        function: of the grid's names (and `key`), traceable; returns an array, or a pytree of arrays.
        grid: values by name, each of shape (length,); the dataset has a dimension for each, in this order.
        store: Zarr folder; none keeps the answers in memory.
        key: PRNG key; `function` then gets `key`, folded with the number of the point, the same on any devices.
        chunk: points evaluated and written together; by default what `memory` holds.
        memory: bytes that a chunk may take.
        progress: called after each chunk with points done, points in all, and seconds.

    Returns:
        Dataset with one variable per output, named `value` or by its path, and `failed`, true where an output is not finite.

    Raises:
        ValueError: an axis that is empty, not one-dimensional or badly named; a store of another sweep; too little memory.
    """
    _needs("xarray", *(["zarr"] if store is not None else []))
    if chunk is None and store is not None:
        chunk = (read_description(pathlib.Path(store)) or {}).get("chunk")  # whatever devices it was made on
    chunks = Chunks(function, _axes(grid, key), key, chunk, memory)
    clash = sorted({*chunks.outputs} & {*chunks.axes, *_RESERVED})
    if clash:
        raise ValueError(f"outputs of `function` must have names of their own, but {clash} is taken; rename them")
    if store is None:
        kept = MemoryStore(chunks)
    else:
        words = None if key is None else np.asarray(jax.random.key_data(key)).ravel().tolist()
        kept = _shared(lambda first: ZarrStore(pathlib.Path(store), chunks, words, first))
    begin, done = time.monotonic(), sum(len(chunks.indices(k)) for k in kept.completed)
    for k in range(len(chunks)):
        if k in kept.completed:
            continue
        answer, failed = chunks.evaluate(k)
        if store is None or jax.process_index() == 0:
            kept.write(k, chunks.indices(k), answer, failed)
        done += len(failed)
        if progress is not None:
            progress(done, chunks.points, time.monotonic() - begin)
    _wait()
    return _labelled(chunks.axes, {name: kept.arrays[name][:] for name in chunks.outputs}, kept.failed[:])


def open_sweep(store: str | pathlib.Path) -> "xarray.Dataset":
    """What a store holds, finished or not, as a labelled dataset; points not yet done are NaN and `completed` is false.

    Args:
        store: the Zarr folder that `sweep` was given.

    Raises:
        ValueError: the folder holds no sweep.
    """
    _needs("xarray", "zarr")
    folder = pathlib.Path(store)
    found = read_description(folder)
    if found is None:
        raise ValueError(f"`store` must be the folder of a sweep, but {folder} holds none; see `sweep`")
    group = read_points(folder)
    axes = {name: np.asarray(group[f"axis.{name}"]) for name in found["axes"]}
    points = int(np.prod([len(values) for values in axes.values()]))
    completed = np.zeros(points, bool)
    for k in journal(folder):
        completed[k * found["chunk"] : (k + 1) * found["chunk"]] = True
    outputs = {}
    for name in found["outputs"]:
        values = np.array(group[name])
        if np.issubdtype(values.dtype, np.inexact):
            values[~completed] = np.nan
        outputs[name] = values
    dataset = _labelled(axes, outputs, np.asarray(group["failed"]))
    return dataset.assign(completed=(tuple(axes), completed.reshape([len(values) for values in axes.values()])))


def _axes(grid: Mapping[str, ArrayLike], key) -> dict[str, np.ndarray]:
    if not grid:
        raise ValueError("`grid` must name at least one parameter, but is empty")
    axes = {}
    for name, values in grid.items():
        values = np.asarray(values)
        if not name.isidentifier() or name in _RESERVED:
            raise ValueError(f"names in `grid` must be identifiers other than {_RESERVED}, but one is {name!r}")
        if values.ndim != 1 or values.size == 0 or values.dtype.kind not in "biufc":
            found = f"shape {values.shape} and dtype {values.dtype}"
            raise ValueError(f"`grid[{name!r}]` must be a list of one or more numbers, but has {found}")
        if values.dtype.kind in "iu":
            values = values.astype(float)  # a coupling of 1 is a coupling of 1.0
        axes[name] = values.astype(jax.dtypes.canonicalize_dtype(values.dtype))
    return axes


def _labelled(axes: dict[str, np.ndarray], outputs: dict[str, np.ndarray], failed: np.ndarray) -> "xarray.Dataset":
    import xarray

    shape = tuple(len(values) for values in axes.values())
    variables = {}
    for name, values in outputs.items():
        own = tuple(f"{name}_axis_{k}" for k in range(values.ndim - 1))
        variables[name] = ((*axes, *own), values.reshape(*shape, *values.shape[1:]))
    variables["failed"] = (tuple(axes), failed.reshape(shape))
    return xarray.Dataset(variables, coords=axes)


def _needs(*names: str) -> None:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f"a sweep needs {', '.join(missing)}; run: pip install 'jaxgibbs[sweep]'")


def _shared(make: Callable):
    """The store, made by the first process and opened by the others once it is there."""
    if jax.process_count() == 1:
        return make(True)
    kept = make(True) if jax.process_index() == 0 else None
    _wait()
    return kept if kept is not None else make(False)


def _wait() -> None:
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("sweep")
