"""The blocks of a few spins: by total spin where every direction is alike, by magnetisation where z is special.

Static, in NumPy. All blocks are padded to one size and stacked, so that what is compiled does not grow with their number.
"""

import functools

import numpy as np
import scipy.sparse

from jaxgibbs.operators.local import spin_dimension, spin_matrices

from .total_spin import raising_entries, twice_magnetisation


class SpinBlocks:
    """A basis of some spins in blocks, one for each label, and what one-site and two-site operators are in it.

    Attributes:
        label: total spin `S` or magnetisation `M >= 0` of each block, shape `(blocks,)`.
        sizes: of the blocks; whatever stands beyond is padding, with elements zero.
        copies: how often each block occurs in the whole space, `2 S + 1`, or 1 for `M = 0` and 2 for others.
        axis: of each transition, 0 for the moment along z and 2 for that along x.
        left: the block it leads to, shape `(transitions,)`.
        right: the block it comes from.
        weight: how often its elements squared occur in `sum_ab |<a|M|b>|^2` over all states of the whole space.
    """

    def __init__(self, spins: tuple[float, ...], by_total_spin: bool):
        dims = tuple(spin_dimension(spin) for spin in spins)
        twice, dim = twice_magnetisation(dims), int(np.prod(dims))
        row, column, value = raising_entries(dims)
        raising = scipy.sparse.csr_array((value, (row, column)), shape=(dim, dim))
        labels = np.arange(twice.max() % 2, twice.max() + 1, 2)
        states = {int(m): np.flatnonzero(twice == m) for m in labels}
        bases = [_basis(dim, states, int(m), raising, by_total_spin) for m in labels]
        labels = labels[[_columns(basis) > 0 for basis in bases]]
        self._bases = [basis for basis in bases if _columns(basis)]
        self._sites = [_at_site(spin, place, dims) for place, spin in enumerate(spins)]
        self.label = labels / 2
        self.sizes = tuple(_columns(basis) for basis in self._bases)
        self.size = max(self.sizes)
        if by_total_spin:
            self.copies = labels + 1
            parts = self._vector_operators(raising)
        else:
            self.copies = np.where(labels > 0, 2, 1)
            parts = self._moments(twice)
        axis, left, right, weight, elements = zip(*parts, strict=True)
        self.axis, self.left, self.right, self.weight = (np.array(x) for x in (axis, left, right, weight))
        self.elements = np.stack([np.stack([self._padded(matrix) for matrix in sites]) for sites in elements], axis=1)
        """Of `S_i` along the axis of each transition, shape `(sites, transitions, size, size)`."""

    def exchange(self, bonds: tuple[tuple[int, int], ...]) -> np.ndarray:
        """`S_i . S_j` in every block, shape `(bonds, blocks, size, size)`."""
        stacks = np.zeros((len(bonds), len(self.sizes), self.size, self.size))
        for number, (i, j) in enumerate(bonds):
            (z_i, up_i), (z_j, up_j) = self._sites[i], self._sites[j]
            flip = up_i @ up_j.T
            stacks[number] = self._blocks(z_i @ z_j + (flip + flip.T) / 2)
        return stacks

    def squares(self) -> np.ndarray:
        """`(S_i^z)^2` in every block, shape `(sites, blocks, size, size)`; by magnetisation only."""
        return np.stack([self._blocks(z @ z) for z, _ in self._sites])

    def along_field(self) -> np.ndarray:
        """`S_i^z` in every block, shape `(sites, blocks, size, size)`; by magnetisation only."""
        return np.stack([self._blocks(z) for z, _ in self._sites])

    def _blocks(self, operator) -> np.ndarray:
        return np.stack([self._padded(basis.T @ (operator @ basis)) for basis in self._bases])

    def _padded(self, matrix) -> np.ndarray:
        whole = np.zeros((self.size, self.size))
        dense = matrix.toarray() if scipy.sparse.issparse(matrix) else np.asarray(matrix)
        whole[: dense.shape[0], : dense.shape[1]] = dense
        return whole

    def _vector_operators(self, raising):
        """The reduced elements of the spins, by Wigner and Eckart: only `S^z` at `M = S`, and how often it stands for others.

        Between states of spin S it goes as `M`, between S and S + 1 as `sqrt((S + 1)^2 - M^2)`.
        """
        for k, s in enumerate(self.label):
            here = self._bases[k]
            if s > 0:
                repeated = (2 * s + 1) * (s + 1) / (3 * s)
                yield 0, k, k, repeated, [here.T @ (z @ here) for z, _ in self._sites]
            if k + 1 < len(self.label) and self.label[k + 1] == s + 1:
                lowered = raising.T @ self._bases[k + 1] / np.sqrt(2 * (s + 1))
                yield 0, k + 1, k, 2 * (s + 1) * (2 * s + 3) / 3, [lowered.T @ (z @ here) for z, _ in self._sites]

    def _moments(self, twice):
        for k, m in enumerate(self.label):
            here = self._bases[k]
            if m > 0:
                yield 0, k, k, 2.0, [here.T @ z @ here for z, _ in self._sites]
            else:  # both lie in one block, of which nothing is a mirror image
                yield 0, k, k, 1.0, [here.T @ z @ here for z, _ in self._sites]
            if k + 1 < len(self.label):
                above = self._bases[k + 1]
                yield 2, k + 1, k, 4.0, [above.T @ up @ here / 2 for _, up in self._sites]
        if self.label[0] > 0:  # from M = -1/2, whose states are those of 1/2 turned over
            here = self._bases[0]
            turned = here[::-1]  # the state of opposite m on every site has the opposite number
            yield 2, 0, 0, 2.0, [here.T @ up @ turned / 2 for _, up in self._sites]


@functools.lru_cache(maxsize=32)
def multiplets(spins: tuple[float, ...]) -> SpinBlocks:
    """Blocks of total spin, of each multiplet the state `M = S` alone: for Hamiltonians that conserve the total spin."""
    return SpinBlocks(spins, True)


@functools.lru_cache(maxsize=32)
def magnetisations(spins: tuple[float, ...]) -> SpinBlocks:
    """Blocks of `M >= 0`: for Hamiltonians that are symmetric about z and under time reversal."""
    return SpinBlocks(spins, False)


def _at_site(spin: float, place: int, dims: tuple[int, ...]):
    """`S^z` and `S^+` of one site in the whole space, sparse."""
    x, y, z = spin_matrices(spin)
    before, after = (scipy.sparse.eye_array(int(np.prod(part))) for part in (dims[:place], dims[place + 1 :]))

    def whole(matrix):
        return scipy.sparse.csr_array(scipy.sparse.kron(scipy.sparse.kron(before, matrix), after))

    return whole(z), whole(np.real(x + 1j * y))


def _basis(dim: int, states: dict[int, np.ndarray], m: int, raising, by_total_spin: bool):
    """Columns in the whole space: all states of a magnetisation, or of these the ones that `S^+` takes to zero."""
    inside = states[m]
    if not by_total_spin:
        return scipy.sparse.csr_array((np.ones(len(inside)), (inside, np.arange(len(inside)))), (dim, len(inside)))
    above = states.get(m + 2, np.zeros(0, int))
    upwards = raising[above][:, inside].toarray()
    turned, _ = np.linalg.qr(upwards.T, mode="complete")
    columns = np.zeros((dim, len(inside) - len(above)))
    columns[inside] = turned[:, len(above) :]
    return columns


def _columns(basis) -> int:
    return int(np.shape(basis)[1])
