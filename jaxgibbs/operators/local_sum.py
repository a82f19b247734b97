"""`sum_k theta_k T_k` with terms made of small matrices on a few sites each, of any dimensions: spins, bosons, mixtures."""

import copy
import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Inexact

from jaxgibbs._errors import check_hermitian
from jaxgibbs.linalg import matmul

from .local import check_permutation, embedded_coordinates, whole_number
from .named_terms import AbstractTerms
from .terms import AbstractTermSum, TermSum, checked_couplings, sparse_terms

Placement = tuple[ArrayLike, int | Sequence[int]]

_WINDOW = 128  # the largest dense matrix that neighbouring sites are joined to
_LARGEST_DIMENSION = 2**31 - 1


class LocalTerms(AbstractTerms):
    """Static terms `T_0, T_1, ...`, each a sum of Hermitian matrices on a few sites; hashed by content.

    Args:
        dims: dimension of every site; site 0 is the left-most tensor factor.
        terms: for each named coupling its terms, in order. A term is a placement, the tuple `(matrix, sites)`, or a list of
            them that are added; `matrix` has the size of its sites together, in the order in which they are named.
        permutations: permutations of the sites, each `order` taking site `i` to `order[i]`, that leave every term as it is.

    Raises:
        ValueError: if a matrix is not Hermitian or does not fit its sites, a site does not exist or is named twice, or a
            permutation changes a term.

    Example:
        >>> from jaxgibbs.operators.local import kron, spin_matrices
        >>> x, y, z = spin_matrices(1)
        >>> bond = kron(x, x) + kron(y, y).real + kron(z, z)
        >>> terms = LocalTerms([3, 3, 3], {"J": [(bond, (0, 1)), (bond, (1, 2))], "D": [[(z @ z, i) for i in range(3)]]})
        >>> print(LocalSum({"J": [1.0, 0.5], "D": 0.1}, terms).dim)
        27
    """

    def __init__(
        self,
        dims: Sequence[int],
        terms: Mapping[str, Sequence[Placement | list[Placement]]],
        permutations: Sequence[Sequence[int]] = (),
    ):
        self.dims = tuple(whole_number("dims", dim) for dim in dims)
        if not self.dims or self.dim > _LARGEST_DIMENSION:
            raise ValueError(
                f"`dims` must multiply to between 1 and {_LARGEST_DIMENSION}, the longest vector, but {len(self.dims)} sites of "
                f"dimension up to {max(self.dims, default=0)} multiply to {self.dim}; take fewer sites, or fewer levels of each."
            )
        groups = {
            name: [[term] if isinstance(term, tuple) else list(term) for term in given] for name, given in terms.items()
        }
        self.sizes = tuple((name, len(group)) for name, group in groups.items())
        digest = hashlib.sha256(repr((self.dims, self.sizes)).encode())
        self.placements: list[tuple[int, tuple[int, ...], np.ndarray]] = []
        flat = [(name, placements) for name, group in groups.items() for placements in group]
        for number, (name, placements) in enumerate(flat):
            for given, given_sites in placements:
                matrix, sites = self._checked(name, given, given_sites)
                self.placements.append((number, sites, matrix))
                digest.update(repr((number, sites, str(matrix.dtype))).encode())
                digest.update(matrix.tobytes())
        self.permutations = tuple(tuple(map(int, order)) for order in permutations)
        for order in self.permutations:
            if not self.is_invariant(order):
                raise ValueError(f"`permutations` must leave every term as it is, but {order} changes one.")
        digest.update(repr(self.permutations).encode())
        self._digest = digest.digest()

    @property
    def dim(self) -> int:
        """The product of the dimensions of the sites."""
        return math.prod(self.dims)

    @property
    def is_complex(self) -> bool:
        """Whether a matrix element is complex."""
        return any(np.iscomplexobj(matrix) for _, _, matrix in self.placements)

    def entries(self) -> list[tuple]:
        """Rows, columns and values of each term, for `SparseTerms.from_entries`."""
        entries = [[(np.zeros(0, int), np.zeros(0, int), np.zeros(0))] for _ in range(self.count)]
        for number, sites, matrix in self.placements:
            entries[number].append(embedded_coordinates(matrix, sites, self.dims))
        return [tuple(np.concatenate(part) for part in zip(*group, strict=True)) for group in entries]

    def is_invariant(self, order: Sequence[int]) -> bool:
        """Whether every term stays as it is when site `i` is moved to `order[i]`."""
        check_permutation(order, len(self.dims))
        if any(self.dims[source] != self.dims[target] for source, target in enumerate(order)):
            return False
        sums = []
        for moved in (range(len(self.dims)), order):
            total: dict[tuple[int, tuple[int, ...]], np.ndarray] = {}
            for number, sites, matrix in self.placements:
                places = [moved[site] for site in sites]
                ordered = tuple(sorted(places))
                matrix = _reordered(
                    matrix, [self.dims[site] for site in sites], [places.index(site) for site in ordered]
                )
                total[number, ordered] = total.get((number, ordered), 0) + matrix
            sums.append(total)
        before, after = sums
        scale = {}
        for (number, _), matrix in before.items():
            scale[number] = max(scale.get(number, 0.0), np.max(np.abs(matrix)))
        return all(
            np.max(np.abs(before.get(key, 0) - after.get(key, 0))) <= 1e-14 * scale[key[0]] for key in before | after
        )

    def with_permutations(self, permutations: Sequence[Sequence[int]]) -> "LocalTerms":
        """The same terms with those of the permutations that leave every term as it is."""
        same = copy.copy(self)
        same.permutations = tuple(tuple(map(int, order)) for order in permutations if self.is_invariant(order))
        same._digest = hashlib.sha256(self._digest + repr(same.permutations).encode()).digest()
        return same

    def _checked(self, name, given, given_sites):
        sites = tuple(np.atleast_1d(given_sites).tolist())
        if not all(site in range(len(self.dims)) for site in sites):
            raise ValueError(
                f"A matrix of `{name}` must act on sites between 0 and {len(self.dims) - 1}, but is given for sites {sites}."
            )
        sites = tuple(map(int, sites))
        matrix = np.asarray(given)
        size = math.prod(self.dims[site] for site in sites)
        if len(set(sites)) < len(sites) or matrix.shape != (size, size):
            raise ValueError(
                f"A matrix of `{name}` must be square of size {size} on different sites, but has shape {matrix.shape} on sites "
                f"{sites}."
            )
        check_hermitian(f"{name} on sites {sites}", matrix)
        real = np.isrealobj(matrix) or not np.any(np.imag(matrix))
        return np.ascontiguousarray(np.real(matrix) if real else matrix, dtype=float if real else complex), sites

    def __repr__(self) -> str:
        return f"LocalTerms({self.count} terms, {len(self.placements)} matrices, dims={self.dims})"


def _reordered(matrix: np.ndarray, dims: list[int], order: list[int]) -> np.ndarray:
    """A matrix on several sites with its factors in another order."""
    axes = [*order, *(len(dims) + i for i in order)]
    return matrix.reshape(*dims, *dims).transpose(axes).reshape(matrix.shape)


class Window(NamedTuple):
    """Sites on which one dense matrix acts, and the entries of that matrix: which term, where and how much."""

    sites: tuple[int, ...]
    term: np.ndarray
    row: np.ndarray
    column: np.ndarray
    value: np.ndarray


@functools.lru_cache(maxsize=64)
def _windows(terms: LocalTerms) -> tuple[Window, ...]:
    """Runs of neighbouring sites that share their ends, then the places that fit into none of them."""
    last = len(terms.dims)
    runs, start = [], 0
    while start < last:
        stop = start + 1
        while stop < last and math.prod(terms.dims[start : stop + 1]) <= _WINDOW:
            stop += 1
        runs.append(tuple(range(start, stop)))
        start = max(stop - 1, start + 1) if stop < last else last
    homes: dict[tuple[int, ...], list] = {}
    for placement in terms.placements:
        sites = placement[1]
        home = next((run for run in runs if set(sites) <= set(run)), tuple(sorted(sites)))
        homes.setdefault(home, []).append(placement)
    windows = []
    for home, placements in homes.items():
        dims, parts = [terms.dims[site] for site in home], []
        for number, sites, matrix in placements:
            row, column, value = embedded_coordinates(matrix, [home.index(site) for site in sites], dims)
            parts.append((np.full(len(row), number), row, column, value))
        windows.append(Window(home, *(np.concatenate(part) for part in zip(*parts, strict=True))))
    return tuple(windows)


class LocalMap(eqx.Module):
    """`v -> H v` with the matrix of every window prepared."""

    matrices: tuple[Inexact[Array, "size size"], ...]
    terms: LocalTerms = eqx.field(static=True)

    def __call__(self, vector: Inexact[Array, " dim"]) -> Inexact[Array, " dim"]:
        if vector.shape != (self.terms.dim,):
            raise ValueError(
                f"`vector` must have shape ({self.terms.dim},), but has {vector.shape}; map over several with `jax.vmap`."
            )
        if jnp.iscomplexobj(vector) and not any(jnp.iscomplexobj(matrix) for matrix in self.matrices):
            return jax.lax.complex(self(vector.real), self(vector.imag))
        dtype = jnp.result_type(vector, *self.matrices)
        total = jnp.zeros(vector.shape, dtype)
        for window, matrix in zip(_windows(self.terms), self.matrices, strict=True):
            # Remade on the way back: else every window would keep its own order of the vector.
            product = jax.checkpoint(functools.partial(_contracted, window.sites, self.terms.dims))
            total = total + product(matrix.astype(dtype), vector.astype(dtype))
        return total


def _contracted(sites, dims, matrix, vector):
    """The matrix on some sites of the vector, which is read as a tensor with one axis for them and one for each gap between."""
    if sites == tuple(range(sites[0], sites[-1] + 1)):
        right = math.prod(dims[sites[-1] + 1 :])
        if right == 1:
            return matmul(vector.reshape(-1, len(matrix)), matrix.T).reshape(vector.shape)
        return matmul(matrix, vector.reshape(-1, len(matrix), right)).reshape(vector.shape)
    shape, axes, last = [], [], 0
    for site in sites:
        shape += [math.prod(dims[last:site]), dims[site]]
        axes.append(len(shape) - 1)
        last = site + 1
    tensor = vector.reshape(*shape, -1)
    front = jnp.moveaxis(tensor, axes, range(len(axes)))
    product = matmul(matrix, front.reshape(len(matrix), -1)).reshape(front.shape)
    return jnp.moveaxis(product, range(len(axes)), axes).reshape(vector.shape)


class LocalSum(AbstractTermSum):
    """`sum_k theta_k T_k` with terms of small matrices on a few sites: products with vectors need no matrix of the whole.

    Neighbouring sites are joined to windows of dimension up to 128, with a dense matrix each; a term on distant sites is
    contracted for itself. The program grows with the number of windows and of distant places.

    Args:
        couplings: maps each name in `terms` to a scalar or an array, as for `TermSum`.
        terms: the matrices, by the same names.

    Raises:
        ValueError: if the names differ, or a coupling is complex, not finite or has not one entry a term.
    """

    couplings: dict[str, Inexact[Array, "..."]]
    terms: LocalTerms = eqx.field(static=True)

    def __init__(self, couplings: Mapping[str, ArrayLike], terms: LocalTerms):
        self.couplings = checked_couplings(couplings, dict(terms.sizes))
        self.terms = terms

    def linear_map(self):
        theta, matrices = self.coefficients(), []
        for window in _windows(self.terms):
            size = math.prod(self.terms.dims[site] for site in window.sites)
            # By dtype: a coupling that came as a Python number is weakly typed, and would let complex64 decide.
            dtype = jnp.result_type(theta.dtype, jnp.complex64) if np.iscomplexobj(window.value) else theta.dtype
            values = theta[window.term] * jnp.asarray(window.value, dtype)
            matrices.append(jnp.zeros((size, size), values.dtype).at[window.row, window.column].add(values))
        return LocalMap(tuple(matrices), self.terms)

    def to_terms(self) -> TermSum:
        return TermSum(self.couplings, sparse_terms(self.terms, "LocalSum"))
