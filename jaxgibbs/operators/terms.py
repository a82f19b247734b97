"""`sum_k theta_k T_k` with sparse static terms: the form in which the models of small systems are written."""

import abc
import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Inexact

from jaxgibbs._errors import check_finite, hermitian_tolerance, is_concrete

from .base import AbstractOperator, inexact
from .named_terms import AbstractTerms

LARGEST_SPARSE_DIMENSION = 2**14


class SparseTerms(AbstractTerms):
    """Static matrices `T_0, T_1, ...` in coordinate form, hashed by content so that they may key a compilation.

    Args:
        dim: dimension of the matrices.
        sizes: how many terms each named coupling has, in order: `{"exchange": 3, "field": 1}` are four terms.
        term: for each nonzero element, the number of its matrix; shape `(nonzeros,)`, as are the others.
        row: its row.
        column: its column.
        value: its value.

    Raises:
        ValueError: if an index is out of range, or a matrix is not finite or not Hermitian.
    """

    def __init__(self, dim: int, sizes: Mapping[str, int], term, row, column, value):
        order = np.lexsort((np.asarray(column), np.asarray(row), np.asarray(term)))
        self.dim = int(dim)
        self.sizes = tuple((name, int(size)) for name, size in sizes.items())
        self.term, self.row, self.column = (np.asarray(x, np.int32)[order] for x in (term, row, column))
        value = np.asarray(value)[order]
        self.value = np.real(value) if np.isrealobj(value) or not np.any(np.imag(value)) else value
        self._check()
        digest = hashlib.sha256(repr((self.dim, self.sizes, str(self.value.dtype))).encode())
        for array in (self.term, self.row, self.column, self.value):
            digest.update(array.tobytes())
        self._digest = digest.digest()

    @classmethod
    def from_matrices(cls, matrices: Mapping[str, Any]) -> "SparseTerms":
        """From the matrices of each named coupling, NumPy or scipy.sparse: one, or a sequence with one for each entry."""
        groups = {name: [given] if _is_matrix(given) else list(given) for name, given in matrices.items()}
        flat = [matrix for group in groups.values() for matrix in group]
        if not flat:
            raise ValueError("`matrices` must hold at least one matrix, but is empty.")
        shapes = {np.shape(matrix) for matrix in flat}
        if len(shapes) > 1 or any(len(shape) != 2 or shape[0] != shape[1] for shape in shapes):
            raise ValueError(f"`matrices` must all be square and of one shape, but have shapes {sorted(shapes)}.")
        coordinates = [_coordinates(matrix) for matrix in flat]
        term = np.concatenate([np.full(len(row), k) for k, (row, _, _) in enumerate(coordinates)])
        row, column, value = (np.concatenate([c[i] for c in coordinates]) for i in range(3))
        return cls(flat[0].shape[0], {name: len(group) for name, group in groups.items()}, term, row, column, value)

    @classmethod
    def from_entries(cls, dim: int, sizes: Mapping[str, int], entries: Sequence[tuple]) -> "SparseTerms":
        """From the entries `(rows, columns, values)` of each term, of which those at one place are added.

        What is left of them by rounding, 8 eps of the largest, counts as zero: it would join blocks that are separate.
        """
        parts = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0, int), np.zeros(0))]
        for number, (row, column, value) in enumerate(entries):
            place, which = np.unique(np.asarray(row, np.int64) * dim + column, return_inverse=True)
            total = np.zeros(len(place), np.asarray(value).dtype)
            np.add.at(total, which.reshape(-1), value)
            kept = np.abs(total) > 8 * np.finfo(float).eps * np.max(np.abs(value), initial=0.0)
            parts.append((np.full(kept.sum(), number), place[kept] // dim, place[kept] % dim, total[kept]))
        return cls(dim, sizes, *(np.concatenate(part) for part in zip(*parts, strict=True)))

    @property
    def is_complex(self) -> bool:
        """Whether a matrix element is complex."""
        return np.iscomplexobj(self.value)

    def _check(self):
        for name, index, size in (
            ("term", self.term, self.count),
            ("row", self.row, self.dim),
            ("column", self.column, self.dim),
        ):
            if np.any((index < 0) | (index >= size)):
                raise ValueError(
                    f"`{name}` must lie between 0 and {size - 1}, but reaches from {index.min()} to {index.max()}."
                )
        check_finite("value", self.value)
        # T - T^dagger, element by element: every element is added at its place and subtracted at the mirrored one.
        row, column = self.row.astype(np.int64), self.column.astype(np.int64)
        places = self.term.astype(np.int64) * self.dim**2 + np.stack([row * self.dim + column, column * self.dim + row])
        unique, position = np.unique(places, return_inverse=True)
        defect = np.zeros(len(unique), complex)
        np.add.at(defect, position.reshape(-1), np.concatenate([self.value, -np.conj(self.value)]))
        tolerance = hermitian_tolerance(float) * np.max(np.abs(self.value), initial=0)
        if np.max(np.abs(defect), initial=0) > tolerance:
            term = int(unique[np.argmax(np.abs(defect))] // self.dim**2)
            name = np.repeat([name for name, _ in self.sizes], [size for _, size in self.sizes])[term]
            raise ValueError(
                f"The terms of `{name}` must be Hermitian, but an element of one differs from its mirror image by "
                f"{np.max(np.abs(defect)):.3g}, above the tolerance {tolerance:.3g}."
            )

    def __repr__(self) -> str:
        return f"SparseTerms({self.count} terms, dim={self.dim}, nonzeros={len(self.value)})"


def _is_matrix(given) -> bool:
    return hasattr(given, "tocoo") or (hasattr(given, "ndim") and given.ndim == 2)


def _coordinates(matrix):
    if hasattr(matrix, "tocoo"):
        sparse = matrix.tocoo()
        return sparse.row, sparse.col, sparse.data
    dense = np.asarray(matrix)
    row, column = np.nonzero(dense)
    return row, column, dense[row, column]


class AbstractTermSum(AbstractOperator):
    """`sum_k theta_k T_k`: the couplings `theta` are named leaves, the terms `T_k` are static.

    Attributes:
        couplings: a scalar or an array by name; its entries, in C order, go with the terms of that name.
        terms: what holds the terms, with their `names` and `sizes`; hashed by content.
    """

    couplings: eqx.AbstractVar[dict[str, Inexact[Array, "..."]]]
    terms: eqx.AbstractVar[Any]

    @property
    def dim(self) -> int:
        return self.terms.dim

    @property
    def dtype(self):
        couplings = jnp.result_type(*self.couplings.values())
        return jnp.result_type(couplings, jnp.complex64) if self.terms.is_complex else couplings

    def coefficients(self) -> Inexact[Array, " terms"]:
        """All couplings as one vector `theta`."""
        return jnp.concatenate([jnp.ravel(self.couplings[name]) for name in self.terms.names])

    @abc.abstractmethod
    def to_terms(self) -> "TermSum":
        """The equal `TermSum`, whose sparse terms are computed once; dimensions up to `LARGEST_SPARSE_DIMENSION`."""

    def matvec(self, vector):
        return self.linear_map()(vector)

    def to_dense(self):
        stored = self.to_terms()
        terms, couplings = stored.terms, tuple(stored.couplings[name] for name in stored.terms.names)
        return _dense(self.dim, self.dtype, couplings, terms.term, terms.value, terms.row, terms.column)

    def to_sparse(self):
        """The matrix as a `scipy.sparse.csr_array` of the couplings' values; dimensions as for `to_terms`.

        Raises:
            ValueError: under a trace, where the couplings have no value.
        """
        import scipy.sparse

        stored = self.to_terms()
        values = stored.weighted_values()
        if not is_concrete(values):
            raise ValueError(
                "`to_sparse` must know the couplings, but they are traced; call it outside `jit` and `grad`."
            )
        places = (stored.terms.row, stored.terms.column)
        return scipy.sparse.coo_array((np.asarray(values), places), shape=(self.dim, self.dim)).tocsr()


@functools.partial(jax.jit, static_argnums=(0, 1))
def _dense(dim: int, dtype, couplings, term, value, row, column):
    """The matrix of sparse terms; places are arguments, so that systems of one size share a program."""
    weighted = jnp.concatenate([jnp.ravel(x) for x in couplings])[term] * value.astype(dtype)
    return jnp.zeros((dim, dim), dtype).at[row, column].add(weighted)


def checked_couplings(couplings: Mapping[str, ArrayLike], sizes: Mapping[str, int]) -> dict[str, Array]:
    """The couplings as inexact arrays, one number a term.

    Raises:
        ValueError: if the names differ, or a coupling is complex, not finite or has not one entry a term.
    """
    arrays = {name: inexact(value) for name, value in couplings.items()}
    if set(arrays) != set(sizes):
        raise ValueError(f"`couplings` must have the names {sorted(sizes)}, but has {sorted(arrays)}.")
    for name, size in sizes.items():
        check_finite(name, arrays[name])
        if jnp.iscomplexobj(arrays[name]):
            raise ValueError(f"`{name}` must be real, but has dtype {arrays[name].dtype}.")
        if arrays[name].size != size:
            raise ValueError(f"`{name}` must hold {size} numbers, one a term, but holds {arrays[name].size}.")
    return arrays


class TermSum(AbstractTermSum):
    """`sum_k theta_k T_k`: the couplings `theta` are named leaves, the terms `T_k` are static.

    Args:
        couplings: maps each name in `terms` to a scalar or an array. A uniform coupling is one scalar tied to one term, a
            site-dependent one an array whose entries, in C order, go with its terms.
        terms: the matrices, by the same names.

    Raises:
        ValueError: if the names differ, or a coupling is complex, not finite or has not one entry a term.

    Example:
        `jax.grad(jg.log_partition)(hamiltonian, beta).couplings["field"]` is `-beta <T_field>`.
    """

    couplings: dict[str, Inexact[Array, "..."]]
    terms: SparseTerms = eqx.field(static=True)

    def __init__(self, couplings: Mapping[str, ArrayLike], terms: SparseTerms):
        self.couplings = checked_couplings(couplings, dict(terms.sizes))
        self.terms = terms

    def weighted_values(self) -> Inexact[Array, " nonzeros"]:
        """`theta_k` times the nonzero elements of `T_k`, in the order of `terms`."""
        return self.coefficients()[self.terms.term] * jnp.asarray(self.terms.value, self.dtype)

    def linear_map(self):
        values = self.weighted_values()
        return lambda vector: jax.ops.segment_sum(
            values * vector[self.terms.column], self.terms.row, num_segments=self.dim
        )

    def to_terms(self):
        return self


@functools.lru_cache(maxsize=64)
def sparse_terms(terms, kind: str) -> SparseTerms:
    """The terms of an operator of some `kind` as sparse matrices, from their `entries`.

    Raises:
        ValueError: if the dimension is above `LARGEST_SPARSE_DIMENSION`.
    """
    if terms.dim > LARGEST_SPARSE_DIMENSION:
        raise ValueError(
            f"The matrix of `{kind}` must have a dimension of at most {LARGEST_SPARSE_DIMENSION}, but has {terms.dim}; use "
            "`matvec`, `linear_map` or methods such as `Lanczos()`, which need no matrix."
        )
    return SparseTerms.from_entries(terms.dim, dict(terms.sizes), terms.entries())
