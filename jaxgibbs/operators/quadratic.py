"""Quadratic Hamiltonians of fermions and bosons: everything about them is in a matrix of the number of sites, or twice that."""

import abc
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Inexact

from jaxgibbs._errors import check_finite, hermitian_tolerance, is_concrete, nan_unless
from jaxgibbs.linalg import dagger, matmul

from .base import AbstractOperator, Scaled, Sum, inexact
from .dense import as_operator
from .modes import Bosons, Fermions, check_fock_space
from .terms import SparseTerms, TermSum


class NambuMatrix(AbstractOperator):
    """`[[A, B], [B^dagger, +-A^T]]`, the minus sign for fermions: the matrix `M` of `Psi^dagger M Psi / 2`."""

    normal: AbstractOperator
    pairing: Inexact[Array, "sites sites"] | None
    sign: int = eqx.field(static=True)

    @property
    def dim(self) -> int:
        return 2 * self.normal.dim

    @property
    def dtype(self):
        return self.normal.dtype if self.pairing is None else jnp.result_type(self.normal.dtype, self.pairing)

    def to_dense(self):
        normal, pairing = self.normal.to_dense().astype(self.dtype), self._pairing()
        return jnp.block([[normal, pairing], [dagger(pairing), self.sign * normal.T]])

    def matvec(self, vector):
        upper, lower = jnp.split(vector, 2)
        pairing = self._pairing()
        hole = jnp.conj(self.normal.matvec(jnp.conj(lower)))
        top = self.normal.matvec(upper) + matmul(pairing, lower)
        return jnp.concatenate([top, matmul(dagger(pairing), upper) + self.sign * hole])

    def _pairing(self):
        if self.pairing is None:
            return jnp.zeros((self.normal.dim, self.normal.dim), self.dtype)
        value = jax.lax.stop_gradient(self.pairing)
        fine = jnp.linalg.norm(value - self.sign * value.T) <= _tolerance(value) * jnp.linalg.norm(value)
        return nan_unless(fine, (self.pairing + self.sign * self.pairing.T) / 2).astype(self.dtype)


class AbstractQuadratic(AbstractOperator):
    """`sum A_ij c_i^dagger c_j + (sum B_ij c_i^dagger c_j^dagger + h.c.) / 2`.

    With `Psi = (c, c^dagger)` it is `Psi^dagger M Psi / 2` and a constant, `+Tr A / 2` for fermions and `-Tr A / 2` for
    bosons, which is always included. `matrix` is `A` where nothing is paired, else `M`.
    """

    matrix: eqx.AbstractVar[AbstractOperator]
    paired: eqx.AbstractVar[bool]

    @property
    @abc.abstractmethod
    def sign(self) -> int:
        """-1 for fermions, +1 for bosons."""

    @abc.abstractmethod
    def with_matrix(self, matrix: AbstractOperator, *, paired: bool) -> "AbstractQuadratic":
        """An operator of the same kind with another matrix."""

    @property
    def dim(self) -> int:
        """Number of sites."""
        return self.matrix.dim // 2 if self.paired else self.matrix.dim

    @property
    def dtype(self):
        return self.matrix.dtype

    @property
    def couplings(self) -> dict[str, Array]:
        """The named couplings, where `matrix` is a `TermSum`; in a gradient, the derivatives in them."""
        if not isinstance(self.matrix, TermSum):
            raise ValueError(f"`couplings` has names for a `TermSum` only, but the matrix is a {type(self.matrix)}.")
        return self.matrix.couplings

    def one_body(self) -> Inexact[Array, "sites sites"]:
        """`A`."""
        return self.matrix.to_dense()[: self.dim, : self.dim]

    def nambu(self) -> AbstractOperator:
        """`M`, whether or not there is pairing."""
        return self.matrix if self.paired else NambuMatrix(self.matrix, None, self.sign)


class QuadraticFermions(AbstractQuadratic):
    """`sum_ij A_ij c_i^dagger c_j + (sum_ij B_ij c_i^dagger c_j^dagger + h.c.) / 2`: hopping, fields, pairing.

    As a Hamiltonian it is solved by one decomposition of `A` or, with pairing, of the Bogoliubov-de Gennes matrix
    `[[A, B], [B^dagger, -A^T]]`: thousands of sites, where the Fock space has dimension `2^sites`.

    Args:
        one_body: `A`, an operator on the sites (such as a `TermSum`, whose couplings are then the leaves) or a Hermitian
            matrix, shape `(sites, sites)`.
        pairing: `B`, antisymmetric, shape `(sites, sites)`, a leaf.
        nambu: instead of both the matrix `[[A, B], [B^dagger, -A^T]]`, a `TermSum` whose every term has this form, so that
            pairing couplings have names.

    Raises:
        ValueError: if `one_body` is not Hermitian or `pairing` not antisymmetric, or the shapes differ, or a term of
            `nambu` has not its form.
    """

    matrix: AbstractOperator
    paired: bool = eqx.field(static=True)

    def __init__(self, one_body=None, pairing: ArrayLike | None = None, *, nambu: AbstractOperator | None = None):
        self.matrix, self.paired = _matrix(one_body, pairing, nambu, -1)

    def with_matrix(self, matrix, *, paired):
        return QuadraticFermions(nambu=matrix) if paired else QuadraticFermions(matrix)

    @property
    def sign(self) -> int:
        return -1

    @property
    def space(self) -> tuple:
        return "fermionic modes:", self.dim

    def to_dense(self):
        """The matrix on the Fock space by Jordan and Wigner's map: site 0 is the left-most factor, index 1 is filled."""
        check_fock_space(self.dim)
        term, row, column, sign = _fock_terms(self.dim, self.paired)
        matrix = self.matrix.to_dense()
        coefficients = matrix[: self.dim, : self.dim].ravel()
        if self.paired:  # sum_ij B_ij c_i^dagger c_j^dagger / 2, which the lower left block's conjugate repeats
            lower = jnp.conj(matrix[: self.dim, self.dim :]).T.ravel()
            coefficients = jnp.concatenate([coefficients, matrix[: self.dim, self.dim :].ravel() / 2, lower / 2])
        zeros = jnp.zeros((2**self.dim, 2**self.dim), self.dtype)
        return zeros.at[row, column].add(coefficients[term] * jnp.asarray(sign, self.dtype))

    def matvec(self, vector):
        return matmul(self.to_dense(), vector)


class QuadraticBosons(AbstractQuadratic):
    """`sum_ij A_ij a_i^dagger a_j + (sum_ij B_ij a_i^dagger a_j^dagger + h.c.) / 2`: coupled and squeezed oscillators.

    A Gibbs state exists for `beta > 0` if `[[A, B], [B^dagger, A^T]]` is positive definite (Colpa 1978). Oscillators of
    frequency `w` have `A = w`, and their zero-point energy `w / 2` is no part of this operator.

    Args:
        one_body: `A`, an operator on the sites or a Hermitian matrix, shape `(sites, sites)`.
        pairing: `B`, symmetric, shape `(sites, sites)`, a leaf.
        nambu: instead of both the matrix `[[A, B], [B^dagger, A^T]]`, a `TermSum` whose every term has this form.

    Raises:
        ValueError: if `one_body` is not Hermitian or `pairing` not symmetric, or the shapes differ, or a term of `nambu`
            has not its form.
    """

    matrix: AbstractOperator
    paired: bool = eqx.field(static=True)

    def __init__(self, one_body=None, pairing: ArrayLike | None = None, *, nambu: AbstractOperator | None = None):
        self.matrix, self.paired = _matrix(one_body, pairing, nambu, 1)

    def with_matrix(self, matrix, *, paired):
        return QuadraticBosons(nambu=matrix) if paired else QuadraticBosons(matrix)

    @property
    def sign(self) -> int:
        return 1

    @property
    def space(self) -> tuple:
        return "bosonic modes:", self.dim

    def to_dense(self):
        raise ValueError(
            "`QuadraticBosons` act on an infinite Fock space and have no matrix; build a truncated one from `models` "
            "of oscillators."
        )

    def matvec(self, vector):
        return self.to_dense()


def as_quadratic(operator, kind: type[QuadraticFermions] | type[QuadraticBosons]) -> AbstractQuadratic:
    """A quadratic operator of `kind` from one, from `Fermions` or `Bosons` (site by site), or from a one-body matrix."""
    if isinstance(operator, kind):
        return operator
    if isinstance(operator, Scaled):
        return scaled_quadratic(operator.factor, as_quadratic(operator.operator, kind))
    if isinstance(operator, Sum):
        return quadratic_sum([as_quadratic(part, kind) for part in operator.parts])
    of_modes = Fermions if kind is QuadraticFermions else Bosons
    if isinstance(operator, of_modes):
        return kind(TermSum({"energies": operator.energies}, _occupations(operator.dim)))
    if isinstance(operator, AbstractOperator):
        raise ValueError(
            f"A quadratic operator must be `{kind.__name__}`, `{of_modes.__name__}` or a one-body matrix here, but is "
            f"`{type(operator).__name__}`."
        )
    return kind(operator)


def quadratic_sum(parts: list[AbstractQuadratic]) -> AbstractQuadratic:
    """The sum of quadratic operators of one kind; paired if one of them is."""
    paired = any(part.paired for part in parts)
    matrices = tuple(part.nambu() if paired else part.matrix for part in parts)
    return parts[0].with_matrix(matrices[0] if len(matrices) == 1 else Sum(matrices), paired=paired)


def scaled_quadratic(factor: ArrayLike, operator: AbstractQuadratic) -> AbstractQuadratic:
    """`factor * operator`."""
    return operator.with_matrix(Scaled(factor, operator.matrix), paired=operator.paired)


def _matrix(one_body, pairing, nambu, sign: int) -> tuple[AbstractOperator, bool]:
    """The matrix to be diagonalised, and whether it is the doubled one."""
    if (one_body is None) == (nambu is None) or (nambu is not None and pairing is not None):
        raise ValueError("Either `one_body` (and `pairing`) or `nambu` must be given, and not both.")
    if nambu is not None:
        _check_nambu(nambu, sign)
        return nambu, True
    normal = as_operator(one_body)
    if pairing is None:
        return normal, False
    pairing = inexact(pairing)
    if pairing.shape != (normal.dim, normal.dim):
        raise ValueError(
            f"`pairing` must have the shape of `one_body`, {(normal.dim, normal.dim)}, but has shape {pairing.shape}."
        )
    check_finite("pairing", pairing)
    if is_concrete(pairing):
        value = np.asarray(pairing)
        defect, norm = np.linalg.norm(value - sign * value.T), np.linalg.norm(value)
        if defect > _tolerance(value) * norm:
            kind, mark = ("symmetric", "+") if sign > 0 else ("antisymmetric", "-")
            raise ValueError(
                f"`pairing` must be {kind}, but the norm of its other part is {defect / 2:.3g}; pass "
                f"`(pairing {mark} pairing.T) / 2` if that is what you mean."
            )
    return NambuMatrix(normal, pairing, sign), True


def _tolerance(value) -> float:
    return hermitian_tolerance(value.dtype)


def _check_nambu(operator, sign: int) -> None:
    """Raise `ValueError` unless every static term has the symmetry between particles and holes."""
    if isinstance(operator, Scaled):
        _check_nambu(operator.operator, sign)
    elif isinstance(operator, Sum):
        for part in operator.parts:
            _check_nambu(part, sign)
    elif isinstance(operator, TermSum):
        if operator.dim % 2 or not _is_symmetric(operator.terms, sign):
            hole = "A^T" if sign > 0 else "-A^T"
            raise ValueError(
                f"Every term of `nambu` must have the form [[A, B], [B^dagger, {hole}]], but one of them has not."
            )
    elif not (isinstance(operator, NambuMatrix) and operator.sign == sign):
        raise ValueError("`nambu` must be a `TermSum`; give matrices as `one_body` and `pairing`.")


@functools.lru_cache(maxsize=64)
def _is_symmetric(terms: SparseTerms, sign: int) -> bool:
    """Whether the two halves exchanged turn every term into `sign` times its conjugate."""
    swap = (np.arange(terms.dim) + terms.dim // 2) % terms.dim
    row, column, term = (x.astype(np.int64) for x in (terms.row, terms.column, terms.term))
    places = np.concatenate([swap[row] * terms.dim + swap[column], row * terms.dim + column])
    unique, position = np.unique(np.tile(term, 2) * terms.dim**2 + places, return_inverse=True)
    defect = np.zeros(len(unique), complex)
    np.add.at(defect, position.reshape(-1), np.concatenate([np.conj(terms.value), -sign * terms.value]))
    return bool(np.max(np.abs(defect), initial=0) <= _tolerance(terms.value) * np.max(np.abs(terms.value), initial=0))


@functools.lru_cache(maxsize=64)
def _occupations(sites: int) -> SparseTerms:
    index = np.arange(sites)
    return SparseTerms(sites, {"energies": sites}, index, index, index, np.ones(sites))


@functools.lru_cache(maxsize=16)
def _fock_terms(sites: int, paired: bool):
    """Elements of all `c_i^+ c_j`, then `c_i^+ c_j^+`, then `c_i c_j`: number of the operator, row, column, sign."""
    kinds = [(True, False), (True, True), (False, False)] if paired else [(True, False)]
    parts = []
    for kind, (left, right) in enumerate(kinds):
        for i, j in np.ndindex(sites, sites):
            column = np.arange(2**sites)
            sign, state, alive = _ladder(np.ones(len(column), int), column, j, right, sites)
            sign, row, also = _ladder(sign, state, i, left, sites)
            alive = alive & also
            number = np.full(alive.sum(), (kind * sites + i) * sites + j)
            parts.append((number, row[alive], column[alive], sign[alive]))
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def _ladder(sign, state, site: int, creates: bool, sites: int):
    """`c_site` (or its adjoint) on basis states: `Z` on every site to the left, then the flip."""
    bit = 1 << (sites - 1 - site)
    alive = ((state & bit) == 0) == creates
    left = np.zeros_like(state)
    for other in range(site):
        left = left + ((state >> (sites - 1 - other)) & 1)
    return sign * (1 - 2 * (left % 2)), state ^ bit, alive
