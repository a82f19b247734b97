"""A sweep on disk: Zarr arrays along the points, and a journal of the chunks that are whole.

A chunk is entered in the journal after all its numbers are written, by one short line; a line without its end is no entry.
So a run killed at any instant loses at most the chunk it was working on.
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .chunks import Chunks

_JOURNAL = "completed.txt"
_DESCRIPTION = "sweep.json"
_POINTS = "points.zarr"


def description(chunks: Chunks, key) -> dict:
    """What must agree for a run to go on with what another wrote."""
    digest = hashlib.sha256()
    for name, values in chunks.axes.items():
        digest.update(f"{name} {values.dtype} {values.shape}".encode() + np.ascontiguousarray(values).tobytes())
    outputs = {name: [list(x.shape), str(np.dtype(x.dtype))] for name, x in sorted(chunks.outputs.items())}
    axes = {name: [len(values), str(values.dtype)] for name, values in chunks.axes.items()}
    return {"axes": axes, "values": digest.hexdigest(), "outputs": outputs, "chunk": chunks.size, "key": key}


class MemoryStore:
    """The answers of this run alone."""

    def __init__(self, chunks: Chunks):
        self.arrays = {name: np.zeros((chunks.points, *x.shape), x.dtype) for name, x in chunks.outputs.items()}
        self.failed = np.zeros(chunks.points, bool)
        self.completed: set[int] = set()

    def write(self, chunk: int, indices: np.ndarray, answer: Mapping[str, np.ndarray], failed: np.ndarray) -> None:
        """Keep a chunk."""
        for name, values in answer.items():
            self.arrays[name][indices] = values
        self.failed[indices] = failed
        self.completed.add(chunk)


class ZarrStore:
    """The answers on disk, those of earlier runs among them."""

    def __init__(self, folder: pathlib.Path, chunks: Chunks, key, writes: bool):
        import zarr

        self.folder = folder
        wanted = description(chunks, key)
        found = read_description(folder)
        if found is not None:
            _must_agree(folder, found, wanted)
        elif writes:
            if folder.exists() and any(item.name != _POINTS for item in folder.iterdir()):
                raise ValueError(f"`store` must be a new folder or one of a sweep, but {folder} holds other files")
            _lay_out(folder, chunks)
            _replace(folder / _DESCRIPTION, json.dumps(wanted, indent=1))
        group: Any = zarr.open_group(folder / _POINTS, mode="r+" if writes else "r")
        self.arrays = {name: group[name] for name in chunks.outputs}
        self.failed = group["failed"]
        self.completed = journal(folder)

    def write(self, chunk: int, indices: np.ndarray, answer: Mapping[str, np.ndarray], failed: np.ndarray) -> None:
        """Write a chunk, then say that it is there."""
        rows = slice(int(indices[0]), int(indices[-1]) + 1)
        for name, values in answer.items():
            self.arrays[name][rows] = values
        self.failed[rows] = failed
        with open(self.folder / _JOURNAL, "ab", buffering=0) as file:
            file.write(f"\n{chunk}\n".encode())  # the first newline closes a line that a killed run left open
        self.completed.add(chunk)


def read_description(folder: pathlib.Path) -> dict | None:
    """What a store says of itself; nothing where there is none."""
    path = folder / _DESCRIPTION
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def read_points(folder: pathlib.Path):
    """The Zarr group of a store, to read."""
    import zarr

    return zarr.open_group(folder / _POINTS, mode="r")


def journal(folder: pathlib.Path) -> set[int]:
    """The chunks that are whole."""
    path = folder / _JOURNAL
    if not path.exists():
        return set()
    lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last newline was cut short
    return {int(line) for line in lines if line.isdigit()}


def _lay_out(folder: pathlib.Path, chunks: Chunks) -> None:
    import zarr

    group = zarr.open_group(folder / _POINTS, mode="w")
    places = np.unravel_index(np.arange(chunks.points), chunks.shape)
    columns = {name: values[place] for (name, values), place in zip(chunks.axes.items(), places, strict=True)}
    for name, values in columns.items():
        _column(group, name, values.shape, values.dtype, chunks.size)[:] = values
    for name, x in chunks.outputs.items():
        _column(group, name, (chunks.points, *x.shape), np.dtype(x.dtype), chunks.size)
    _column(group, "failed", (chunks.points,), np.dtype(bool), chunks.size)
    for name, values in chunks.axes.items():
        group.create_array(f"axis.{name}", data=np.asarray(values), dimension_names=[f"axis.{name}"])


def _column(group, name: str, shape: tuple[int, ...], dtype: np.dtype, size: int):
    names = ["point", *(f"{name}_axis_{k}" for k in range(len(shape) - 1))]
    return group.create_array(name, shape=shape, dtype=dtype, chunks=(size, *shape[1:]), dimension_names=names)


def _must_agree(folder: pathlib.Path, found: dict, wanted: dict) -> None:
    for what in ("axes", "values", "outputs", "chunk", "key"):
        if found[what] != wanted[what]:
            words = {"values": "other values of the grid", "key": "another random key"}.get(
                what, f"{what} {found[what]} where this one has {wanted[what]}"
            )
            raise ValueError(
                f"`store` must belong to this sweep to go on with it, but {folder} was written with {words}; "
                "name another folder, or ask for what was asked then"
            )


def _replace(path: pathlib.Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
