"""By total spin: of each multiplet the state with `M = S`, in the sectors of the permutations of sites."""

import numpy as np

from ._bases import Basis, bases
from ._characters import sectors_of
from ._collection import Collection, Part
from ._sector_terms import Entries
from .detection import Symmetries, Terms, dims_of
from .total_spin import raising_entries, twice_magnetisation

_LARGEST_ENTRIES = 2**23  # stored elements of the terms in a basis of multiplets


def by_multiplets(
    terms: tuple[Terms, ...], entries: Entries, slopes: np.ndarray
) -> tuple[tuple[Part, ...], str] | None:
    """The parts of a `Reduction` and what was found; `None` where the terms would fill too much memory."""
    dims, dim = dims_of(terms[0]), terms[0].dim
    twice_m = twice_magnetisation(dims)
    largest = int(twice_m.max())
    members = {m: np.flatnonzero(twice_m == m) for m in range(largest % 2, largest + 1, 2)}
    symmetries = Symmetries(terms, entries, np.unique(-twice_m, return_inverse=True)[1], flips=False)
    sizes = np.array([len(states) for states in members.values()])
    multiplicities = sizes - np.append(sizes[1:], 0)
    scalars = int(np.count_nonzero(slopes == 0))
    if scalars * np.sum(multiplicities**2) > _LARGEST_ENTRIES * len(symmetries.group):
        return None
    everything = np.arange(len(symmetries.group))
    involutions = list(range(len(symmetries.involutions)))
    sectors = sectors_of(symmetries, everything, involutions, np.isrealobj(entries.value))
    inside = {m: entries.within(states, dim) for m, states in members.items()}
    found = {m: list(bases(sectors, states, dim)) for m, states in members.items()}
    raising = _Raising(dims, members)
    collected = Collection()
    for m in members:
        # sum_i sigma_z^i = 2 M goes down in steps of 2 from `m`
        ladder = slopes * (np.arange(m, -m - 1, -2) - m)[:, None]
        for number, (sector, basis) in enumerate(found[m]):
            above = raising(m, found[m + 2][number][1], basis) if m < largest else np.zeros((0, basis.size))
            highest = _kernel_basis(above)
            if highest.shape[1]:
                block = _in_basis(inside[m].projected(basis), basis.size, highest, slopes)
                collected.add(block, highest.shape[1], np.repeat(ladder, sector.copies, axis=0))
    return collected.assembled(), ", ".join(filter(None, ("total spin", symmetries.found)))


class _Raising:
    """`S^+` from the states of one magnetisation to the next, in the bases of a sector."""

    def __init__(self, dims: tuple[int, ...], members: dict[int, np.ndarray]):
        row, column, value = raising_entries(dims)
        local, twice_m = np.empty(int(np.prod(dims)), int), twice_magnetisation(dims)
        for states in members.values():
            local[states] = np.arange(len(states))
        self._parts = {}
        for m in members:
            chosen = twice_m[column] == m
            self._parts[m] = local[row[chosen]], local[column[chosen]], value[chosen]

    def __call__(self, m: int, above: Basis, below: Basis) -> np.ndarray:
        row, column, value = self._parts[m]
        up, down = above.columns[:, 0], below.columns[:, 0]
        kept = (up[row] >= 0) & below.leads[column]
        row, column, value = row[kept], column[kept], value[kept]
        value = np.conj(above.values[row, 0]) * value / np.conj(below.values[column, 0])
        matrix = np.zeros((above.size, below.size), value.dtype)
        np.add.at(matrix, (up[row], down[column]), value)
        if above.turn is not None:
            matrix = _unitary(above).conj().T @ matrix
        if below.turn is not None:
            matrix = np.real(matrix @ _unitary(below))
        return matrix


def _unitary(basis: Basis) -> np.ndarray:
    """The further change of basis of a sector as a matrix."""
    assert basis.turn is not None
    matrix = np.zeros((basis.size, basis.size + 1), complex)  # the last column serves place -1
    for columns, values in zip(*(part.T for part in basis.turn), strict=True):
        matrix[np.arange(basis.size), columns] += values
    return matrix[:, :-1]


def _kernel_basis(matrix: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the vectors that a matrix of full row rank takes to zero."""
    basis, _ = np.linalg.qr(matrix.conj().T, mode="complete")
    return basis[:, matrix.shape[0] :]


def _in_basis(entries: Entries, size: int, basis: np.ndarray, slopes: np.ndarray) -> Entries:
    """The terms in the highest states of multiplets; a field is a multiple of the identity there."""
    dim, parts = basis.shape[1], []
    for number in range(entries.count):
        chosen = entries.term == number
        dense = np.zeros((size, size), entries.value.dtype)
        dense[entries.row[chosen], entries.column[chosen]] = entries.value[chosen]
        if slopes[number] == 0:
            matrix = basis.conj().T @ dense @ basis
            matrix = (matrix + matrix.conj().T) / 2
        else:
            matrix = dense[0, 0] * np.eye(dim)
        row, column = np.nonzero(np.abs(matrix) > 1e-15 * entries.scale[number])
        parts.append((np.full(len(row), number), row, column, matrix[row, column]))
    term, row, column, value = (np.concatenate(x) for x in zip(*parts, strict=True))
    return Entries(entries.scale, term, row, column, value)
