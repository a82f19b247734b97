"""The additive charges and the parities that every term conserves, in words.

The blocks of the computational basis come from the positions of the elements of the terms alone; here is what they mean. With
`n_i` the level of site `i`, a charge is `sum_i q_i(n_i)` with the same value on both sides of every element, a solution of linear
equations; a parity is one of the same equations modulo 2. For spins 1/2 and `q_i = n_i` it is the magnetisation up to a constant,
for bosons and fermions the number of particles.
"""

import functools

import numpy as np

from ._sector_terms import Entries
from .detection import Terms, dims_of, kernel_modulo_2

_LARGEST_SCALE = 64  # charges are shown with integers up to this
_MOST_NAMED = 6


@functools.lru_cache(maxsize=64)
def describe_conserved(terms: tuple[Terms, ...]) -> str:
    """Such as `n_0 + ... + n_7` or `parity of n_0 + n_1`; empty where nothing is conserved."""
    dims, rows = dims_of(terms[0]), _equations(terms)
    charges = [_integers(vector) for vector in _null_space(rows)]
    parities = _parities(rows, charges)
    names = [_sum(charge, dims) for charge in charges] + [f"parity of {_sum(p, dims, modulo=2)}" for p in parities]
    if len(names) > _MOST_NAMED:
        return f"{len(charges)} charges and {len(parities)} parities"
    return " and ".join(names)


def _equations(terms: tuple[Terms, ...]) -> np.ndarray:
    """One row for every kind of step between two states, with an unknown `q_i(n)` for each site and each level but 0."""
    dims, entries = dims_of(terms[0]), Entries.of(terms)
    off = entries.row != entries.column
    levels = np.indices(dims).reshape(len(dims), -1)
    before, after = levels[:, entries.column[off]], levels[:, entries.row[off]]
    step = np.where(before == after, 0, 1 + before * max(dims) + after)
    steps = np.unique(step, axis=1) - 1
    blocks = []
    for site, d in enumerate(dims):
        moves = steps[site] >= 0
        block = np.zeros((steps.shape[1], d))
        at = np.flatnonzero(moves)
        block[at, steps[site][moves] % max(dims)] += 1
        block[at, steps[site][moves] // max(dims)] -= 1
        blocks.append(block[:, 1:])
    return np.unique(np.concatenate(blocks, axis=1), axis=0)


def _null_space(rows: np.ndarray) -> list[np.ndarray]:
    """A basis in which each vector has a 1 where the others have 0."""
    matrix, pivots = rows.astype(float).copy(), []
    for column in range(matrix.shape[1]):
        left = matrix[len(pivots) :, column]
        if not len(left) or np.max(np.abs(left)) < 1e-9:
            continue
        chosen = len(pivots) + int(np.argmax(np.abs(left)))
        matrix[[len(pivots), chosen]] = matrix[[chosen, len(pivots)]]
        lead = len(pivots)
        matrix[lead] /= matrix[lead, column]
        others = np.arange(len(matrix)) != lead
        matrix[others] -= matrix[others, column][:, None] * matrix[lead]
        pivots.append(column)
    vectors = []
    for free in sorted(set(range(matrix.shape[1])) - set(pivots)):
        vector = np.zeros(matrix.shape[1])
        vector[free] = 1
        vector[pivots] = -matrix[: len(pivots), free]
        vectors.append(vector)
    return vectors


def _integers(vector: np.ndarray) -> np.ndarray:
    """The smallest multiple with integer entries, the first of them positive."""
    for scale in range(1, _LARGEST_SCALE + 1):
        if np.all(np.abs(scale * vector - np.rint(scale * vector)) < 1e-6):
            whole = np.rint(scale * vector).astype(int)
            return whole if np.sum(whole) >= 0 else -whole
    return vector


def _parities(rows: np.ndarray, charges: list[np.ndarray]) -> list[np.ndarray]:
    """Solutions modulo 2 that are no sums of charges."""
    width = rows.shape[1]
    solutions = kernel_modulo_2({_bits(row) for row in rows}, width)
    span = _Span(_bits(charge) for charge in charges if np.issubdtype(charge.dtype, np.integer))
    return [np.array([vector >> k & 1 for k in range(width)]) for vector in solutions if span.grows_by(vector)]


def _bits(vector: np.ndarray) -> int:
    return sum(1 << k for k, entry in enumerate(vector) if int(entry) % 2)


class _Span:
    """Vectors of bits, by their leading bit."""

    def __init__(self, vectors):
        self._leading: dict[int, int] = {}
        for vector in vectors:
            self.grows_by(vector)

    def grows_by(self, vector: int) -> bool:
        """Whether a vector lies outside; then it is added."""
        while vector and vector.bit_length() in self._leading:
            vector ^= self._leading[vector.bit_length()]
        if vector:
            self._leading[vector.bit_length()] = vector
        return bool(vector)


def _sum(charge: np.ndarray, dims: tuple[int, ...], modulo: int | None = None) -> str:
    """`n_0 + ... + n_3 - 2 n_4`: with `n_i` where a site's part is proportional to its level, else `q_i`."""
    start, parts = 0, []
    for site, d in enumerate(dims):
        values, levels = charge[start : start + d - 1], np.arange(1, d)
        start += d - 1
        if not np.any(values):
            continue
        linear = values[0] * levels if modulo is None else values[0] * levels % modulo
        parts.append((values[0], "n", site) if np.array_equal(values, linear) else (1, "q", site))
    return _joined(parts)


def _joined(parts: list[tuple]) -> str:
    runs: list[list[tuple]] = []
    for part in parts:
        if runs and runs[-1][-1] == (*part[:2], part[2] - 1):
            runs[-1].append(part)
        else:
            runs.append([part])
    runs.sort(key=lambda run: run[0][0] < 0)
    text = ""
    for run in runs:
        names = [f"{_factor(abs(c))}{letter}_{site}" for c, letter, site in run]
        sign = " - " if run[0][0] < 0 else " + "
        shown = names if len(names) < 4 else [names[0], "...", names[-1]]
        text += sign + sign.join(shown)
    return text.removeprefix(" + ").strip()


def _factor(size) -> str:
    return "" if size == 1 else f"{size:g} "
