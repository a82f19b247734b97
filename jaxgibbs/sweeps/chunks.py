"""A function of one point made one of a chunk of points: compiled once, spread over every device, sized to the memory."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

_TRIAL = 16  # points a device whose compiled program says what a point costs
_LARGEST = 4096  # points a device in a chunk: what a killed run may lose


def outputs_of(answer) -> dict[str, jax.Array]:
    """The leaves of an answer by name: `value` for a single array, else the path to the leaf."""
    leaves = jax.tree_util.tree_leaves_with_path(answer)
    if not leaves:
        raise ValueError("`function` must return arrays, but returns none; return a number, or a dictionary of them")
    return {jax.tree_util.keystr(path, simple=True, separator=".") or "value": jnp.asarray(x) for path, x in leaves}


class Chunks:
    """The points of a grid in C order of its axes, evaluated `size` at a time."""

    def __init__(self, function: Callable, axes: Mapping[str, np.ndarray], key, size: int | None, memory: float):
        self.axes = dict(axes)
        self.shape = tuple(len(values) for values in self.axes.values())
        self.points = int(np.prod(self.shape))
        self.devices = jax.devices()
        mesh = jax.make_mesh((len(self.devices),), ("points",), axis_types=(AxisType.Auto,))
        self._split, whole = (NamedSharding(mesh, spec) for spec in (PartitionSpec("points"), PartitionSpec()))

        def one(index, point):
            if key is None:
                return outputs_of(function(**point))
            return outputs_of(function(**point, key=jax.random.fold_in(key, index)))

        self._one = jax.jit(one)
        self._many = jax.jit(jax.vmap(one), out_shardings=whole)
        self.outputs = jax.eval_shape(one, *jax.tree.map(lambda x: x[0], self._arguments(np.zeros(1, np.int32))))
        self.size = max(size, 1) if size is not None else self._fitting(memory)
        self._together = self._rounded(self.size)

    def __len__(self) -> int:
        return -(-self.points // self.size)

    def indices(self, chunk: int) -> np.ndarray:
        """Which points the chunk holds."""
        return np.arange(chunk * self.size, min((chunk + 1) * self.size, self.points), dtype=np.int32)

    def evaluate(self, chunk: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Answers of the points of a chunk, and which of them failed: an exception, or a number that is not finite."""
        wanted = self.indices(chunk)
        filled = np.concatenate([wanted, np.full(self._together - len(wanted), wanted[-1], np.int32)])
        try:
            arguments = jax.device_put(self._arguments(filled), self._split)
            answer = jax.device_get(self._many(*arguments))
            answer = {name: np.asarray(values)[: len(wanted)] for name, values in answer.items()}
        except Exception:  # traced soundly already, so that this is a failure of the run: of memory, of a callback
            answer = self._one_by_one(wanted)
        return answer, failed(answer, len(wanted))

    def _one_by_one(self, wanted: np.ndarray) -> dict[str, np.ndarray]:
        """The same, each point by itself, so that one that raises takes no other with it."""
        answer = {name: _missing((len(wanted), *x.shape), x.dtype) for name, x in self.outputs.items()}
        for row, index in enumerate(wanted):
            try:
                found = jax.device_get(self._one(*jax.tree.map(lambda x: x[0], self._arguments(index[None]))))
            except Exception:  # whatever one point raises is its own failure
                continue
            for name, value in found.items():
                answer[name][row] = value
        return answer

    def _arguments(self, indices: np.ndarray):
        places = np.unravel_index(indices, self.shape)
        return indices, {name: x[place] for (name, x), place in zip(self.axes.items(), places, strict=True)}

    def _fitting(self, memory: float) -> int:
        """As many points as the memory holds, by what the compiled program of a few of them asks for."""
        trial = self._rounded(_TRIAL * len(self.devices))
        abstract = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((trial, *x.shape[1:]), jnp.result_type(x), sharding=self._split),
            self._arguments(np.zeros(1, np.int32)),
        )
        analysis = self._many.lower(*abstract).compile().memory_analysis()
        taken = analysis.temp_size_in_bytes + analysis.output_size_in_bytes if analysis is not None else 0
        each = max(taken / trial, 1.0)
        if each > memory:
            raise ValueError(
                f"`memory` must hold one point, but is {memory:.3g} bytes where a point takes {each:.3g}; "
                "raise `memory`, or use a method that stores less"
            )
        return int(min(memory / each, _LARGEST * len(self.devices), self.points))

    def _rounded(self, size: int) -> int:
        count = len(self.devices)
        return -(-max(size, 1) // count) * count


def failed(answer: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    """Which points hold a number that is not finite."""
    bad = np.zeros(count, bool)
    for values in answer.values():
        if np.issubdtype(values.dtype, np.inexact):
            bad |= ~np.isfinite(values.reshape(count, -1)).all(axis=1)
    return bad


def _missing(shape: tuple[int, ...], dtype) -> np.ndarray:
    return np.full(shape, np.nan if np.issubdtype(dtype, np.inexact) else 0, dtype)
