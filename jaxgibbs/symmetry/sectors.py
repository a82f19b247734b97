"""Sectors: the joint eigenspaces of commuting charges, and the blocks of a Hamiltonian on them."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from jaxgibbs.linalg.eigen import dagger, eigh, matmul
from jaxgibbs.operators.base import AbstractOperator, Scaled, Sum
from jaxgibbs.operators.dense import Dense, as_operator
from jaxgibbs.operators.terms import AbstractTermSum, SparseTerms, TermSum

from ._terms import TOLERANCE, checked_symmetry, computed_tolerance, relative_defects, terms_of


@dataclasses.dataclass(frozen=True, eq=False)
class Sector:
    """A joint eigenspace of charges.

    `values` are the eigenvalues, one a charge (complex for a unitary charge); the columns of `basis`, shape
    `(dim, size)`, are an orthonormal basis.
    """

    values: tuple[complex, ...]
    basis: np.ndarray

    @property
    def size(self) -> int:
        """Dimension of the sector."""
        return self.basis.shape[1]


def sectors(charges: Sequence, *, tolerance: float | None = None) -> tuple[Sector, ...]:
    """The joint eigenspaces of commuting charges, ordered by eigenvalue; their sizes add up to the dimension.

    Args:
        charges: commuting matrices or operators, Hermitian (a magnetisation, a particle number) or unitary (a
            translation, whose eigenvalues are `exp(i k)`). Diagonal charges give sectors of basis states.
        tolerance: eigenvalues closer than this, relative to the largest, are one; `1e-9` in double precision.

    Raises:
        ValueError: if there is no charge, the charges do not commute, or one is neither Hermitian nor unitary.
    """
    matrices = [checked_symmetry(f"charges[{i}]", charge) for i, charge in enumerate(charges)]
    if not matrices:
        raise ValueError("`charges` must hold at least one charge, but is empty.")
    if len({len(matrix) for matrix in matrices}) > 1:
        raise ValueError(f"`charges` must act on one space, but have dimensions {[len(m) for m in matrices]}.")
    for i, a in enumerate(matrices):
        for j, b in enumerate(matrices[:i]):
            if np.linalg.norm(a @ b - b @ a) > TOLERANCE * np.linalg.norm(a) * np.linalg.norm(b):
                raise ValueError(f"`charges` must commute, but charges {j} and {i} do not.")
    tolerance = computed_tolerance(1e-9) if tolerance is None else tolerance
    found = [Sector((), np.eye(len(matrices[0])))]
    for matrix in matrices:
        found = [part for sector in found for part in _split(sector, matrix, tolerance)]
    return tuple(sorted(found, key=lambda sector: [(np.real(v), np.imag(v)) for v in sector.values]))


def block(hamiltonian, sector: Sector, *, tolerance: float | None = None) -> AbstractOperator:
    """The Hamiltonian on a sector, as an operator with the same couplings.

    A sum of terms becomes a `TermSum` whose terms are the blocks of the old ones; a matrix becomes a `Dense`.

    Raises:
        ValueError: if a term leads out of the sector.
    """
    check_block(hamiltonian, sector, tolerance=tolerance)
    return _project(as_operator(hamiltonian), sector)


def blocks(hamiltonian, charges: Sequence) -> tuple[tuple[Sector, AbstractOperator], ...]:
    """Every sector of `charges` with the Hamiltonian on it; `Z` is the sum over their partition functions.

    Raises:
        ValueError: as `sectors`, or if a charge is not conserved by every term.
    """
    return tuple((sector, block(hamiltonian, sector)) for sector in sectors(charges))


def check_block(hamiltonian, sector: Sector, *, tolerance: float | None = None) -> None:
    """Raise `ValueError` unless every term of the Hamiltonian maps the sector into itself."""
    basis = sector.basis
    tolerance = computed_tolerance(TOLERANCE) if tolerance is None else tolerance

    def leak(term):
        image = term @ basis
        return image - basis @ (basis.conj().T @ image)

    for name, defect in relative_defects(hamiltonian, leak).items():
        if defect > tolerance:
            raise ValueError(
                f"The charges must be conserved by every term of the Hamiltonian, but the term {name} leads out of the sector "
                f"{sector.values} with {defect:.3g} of its norm."
            )


def _project(operator: AbstractOperator, sector: Sector) -> AbstractOperator:
    if isinstance(operator, AbstractTermSum):
        parts = iter([_clean(_sandwich(term, sector.basis)) for _, term in terms_of(operator)])
        matrices = {name: [next(parts) for _ in range(size)] for name, size in operator.terms.sizes}
        return TermSum(operator.couplings, SparseTerms.from_matrices(matrices))
    if isinstance(operator, Scaled):
        return Scaled(operator.factor, _project(operator.operator, sector))
    if isinstance(operator, Sum):
        return Sum([_project(part, sector) for part in operator.parts])
    complex_basis = np.iscomplexobj(sector.basis)
    dtype = jnp.result_type(operator.dtype, jnp.complex64) if complex_basis else operator.dtype
    basis = jnp.asarray(sector.basis, dtype)
    product = matmul(dagger(basis), matmul(operator.to_dense().astype(dtype), basis))
    return Dense((product + dagger(product)) / 2)


def _sandwich(matrix, basis):
    product = basis.conj().T @ (matrix @ basis)
    return (product + product.conj().T) / 2


def _clean(matrix):
    """Without the rounding that a change of basis leaves where a zero belongs."""
    scale = np.max(np.abs(matrix), initial=0.0)
    matrix = np.where(np.abs(matrix) > 1e-14 * scale, matrix, 0.0)
    return np.real(matrix) if np.max(np.abs(np.imag(matrix)), initial=0.0) <= 1e-14 * scale else matrix


def _split(sector: Sector, charge: np.ndarray, tolerance: float) -> list[Sector]:
    """The eigenspaces of a charge inside a sector: of its Hermitian part, then of its anti-Hermitian part."""
    size = tolerance * np.max(np.abs(charge), initial=0.0)
    hermitian, skew = (charge + charge.conj().T) / 2, (charge - charge.conj().T) / 2j
    found: list[tuple[complex, np.ndarray]] = []
    for real, space in _eigenspaces(hermitian, sector.basis, size):
        if np.linalg.norm(skew) <= TOLERANCE * np.linalg.norm(charge):
            found.append((real, space))
        else:
            found.extend((complex(real, imaginary), part) for imaginary, part in _eigenspaces(skew, space, size))
    return [Sector((*sector.values, value), basis) for value, basis in found]


def _eigenspaces(matrix: np.ndarray, basis: np.ndarray, tolerance: float) -> list[tuple[float, np.ndarray]]:
    local = _sandwich(matrix, basis)
    diagonal = np.real(np.diag(local))
    if np.linalg.norm(local - np.diag(diagonal)) <= 1e-14 * np.linalg.norm(local):
        order = np.argsort(diagonal, kind="stable")
        values, vectors = diagonal[order], basis[:, order]
    else:
        values, rotation = (np.asarray(part) for part in eigh(jnp.asarray(_clean(local))))
        vectors = basis @ rotation
    cuts = np.flatnonzero(np.diff(values) > tolerance) + 1
    groups = zip(np.split(values, cuts), np.split(vectors, cuts, axis=1), strict=True)
    return [(float(np.mean(group)), part) for group, part in groups]
