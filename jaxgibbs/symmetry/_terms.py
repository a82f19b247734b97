"""The terms of an operator as plain matrices, for checks that must hold for every coupling."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from jaxgibbs._errors import is_concrete
from jaxgibbs.operators.base import AbstractOperator, Scaled, Sum
from jaxgibbs.operators.dense import as_operator
from jaxgibbs.operators.terms import AbstractTermSum

TOLERANCE = 1e-10


def computed_tolerance(least: float) -> float:
    """`least`, or what the eigenvectors that JAX computes allow where float64 is switched off."""
    return max(least, 100 * float(jnp.finfo(jnp.result_type(float)).eps))


def terms_of(operator) -> Iterator[tuple[str, np.ndarray]]:
    """A name and the matrix of each term `T_k`; what has no static terms counts as one, whose value must be known."""
    operator = as_operator(operator)
    if isinstance(operator, AbstractTermSum):
        terms = operator.to_terms().terms
        for k, name in enumerate(_term_names(operator)):
            chosen = terms.term == k
            matrix = np.zeros((terms.dim, terms.dim), terms.value.dtype)
            matrix[terms.row[chosen], terms.column[chosen]] = terms.value[chosen]
            yield name, matrix
    elif isinstance(operator, Scaled):
        yield from terms_of(operator.operator)
    elif isinstance(operator, Sum):
        for part in operator.parts:
            yield from terms_of(part)
    else:
        yield type(operator).__name__, concrete_matrix("hamiltonian", operator)


def _term_names(operator: AbstractTermSum) -> Iterator[str]:
    for name in operator.terms.names:
        size = operator.couplings[name].size
        yield from ([f"`{name}`"] if operator.couplings[name].ndim == 0 else [f"`{name}[{i}]`" for i in range(size)])


def concrete_matrix(name: str, operator) -> np.ndarray:
    """The matrix of an operator, or of a plain array, as a finite square NumPy array."""
    if isinstance(operator, AbstractOperator):
        operator = operator.to_dense()
    if not is_concrete(operator):
        raise ValueError(
            f"`{name}` must have a known value, but is traced; check symmetries outside `jit`, or give the Hamiltonian as a "
            "`TermSum`, whose terms are known."
        )
    matrix = np.asarray(operator)
    matrix = matrix.astype(complex if np.iscomplexobj(matrix) else float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.all(np.isfinite(matrix)):
        raise ValueError(
            f"`{name}` must be a finite square matrix, but has shape {matrix.shape} or entries that are not finite."
        )
    return matrix


def checked_unitary(name: str, unitary, dim: int | None = None) -> np.ndarray:
    """`unitary` as a NumPy array, or `ValueError` unless it is unitary and of dimension `dim`."""
    matrix = _of_dimension(name, unitary, dim)
    defect = np.linalg.norm(matrix @ matrix.conj().T - np.eye(len(matrix))) / np.sqrt(len(matrix))
    if defect > TOLERANCE:
        raise ValueError(f"`{name}` must be unitary, but the norm of U U^dagger - 1 is {defect:.3g} per dimension.")
    return matrix


def checked_symmetry(name: str, symmetry, dim: int | None = None) -> np.ndarray:
    """`symmetry` as a NumPy array, or `ValueError` unless it is unitary or Hermitian and of dimension `dim`."""
    matrix = _of_dimension(name, symmetry, dim)
    adjoint = matrix.conj().T
    hermitian = np.linalg.norm(matrix - adjoint) <= TOLERANCE * np.linalg.norm(matrix)
    unitary = np.linalg.norm(matrix @ adjoint - np.eye(len(matrix))) <= TOLERANCE * np.sqrt(len(matrix))
    if not (hermitian or unitary):
        raise ValueError(f"`{name}` must be unitary, or a Hermitian charge, but is neither.")
    return matrix


def _of_dimension(name, operator, dim):
    matrix = concrete_matrix(name, operator)
    if dim is not None and len(matrix) != dim:
        raise ValueError(f"`{name}` must act on the space of dimension {dim}, but has shape {matrix.shape}.")
    return matrix


def relative_defects(operator, change) -> dict[str, float]:
    """`|change(T)| / |T|` for every term that is not zero."""
    defects = {}
    for name, matrix in terms_of(operator):
        norm = np.linalg.norm(matrix)
        if norm > 0:
            defects[name] = max(defects.get(name, 0.0), float(np.linalg.norm(change(matrix)) / norm))
    return defects


def check_defects(defects: dict[str, float], tolerance: float, what: str) -> None:
    """Raise `ValueError` that names the worst term unless all defects are below `tolerance`."""
    if defects and (worst := max(defects, key=lambda name: defects[name])) and defects[worst] > tolerance:
        raise ValueError(
            f"{what}, but the term {worst} changes by {defects[worst]:.3g} of its norm, above the tolerance {tolerance:.3g}."
        )
