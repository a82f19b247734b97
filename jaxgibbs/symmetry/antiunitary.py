"""Antiunitary symmetries `Theta = V K` (K conjugates): time reversal, what is even or odd under it, Kramers pairs."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxgibbs.linalg.eigen import eigh
from jaxgibbs.operators.local import kron, spin_dimension

from ._terms import (
    TOLERANCE,
    check_defects,
    checked_unitary,
    computed_tolerance,
    concrete_matrix,
    relative_defects,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Antiunitary:
    """`Theta = V K`: `Theta psi = V psi*`, with `Theta^2 = V V* = +1` or `-1`.

    Args:
        unitary: `V`, shape `(dim, dim)`.

    Raises:
        ValueError: if `V` is not unitary or `V V*` is not `+1` or `-1`.
    """

    unitary: np.ndarray

    def __post_init__(self):
        matrix = checked_unitary("unitary", self.unitary)
        object.__setattr__(self, "unitary", matrix)
        square = matrix @ matrix.conj()
        if min(np.linalg.norm(square - sign * np.eye(self.dim)) for sign in (1, -1)) > TOLERANCE * np.sqrt(self.dim):
            raise ValueError("`unitary` must satisfy V V* = +1 or -1 for an antiunitary symmetry, but does neither.")

    @property
    def dim(self) -> int:
        """Dimension of the space."""
        return len(self.unitary)

    @property
    def square(self) -> int:
        """`Theta^2`: +1, or -1 where Kramers' theorem holds."""
        return round(float(np.real(np.trace(self.unitary @ self.unitary.conj()))) / self.dim)

    def __call__(self, states):
        """`Theta psi = V psi*`, for one vector or for the columns of a matrix."""
        return self.unitary @ np.conj(states)

    def transform(self, matrix) -> np.ndarray:
        """`Theta X Theta^-1 = V X* V^dagger`."""
        return self.unitary @ np.conj(matrix) @ self.unitary.conj().T

    def reverse(self, matrix) -> np.ndarray:
        """The linear map `T(X) = Theta X^dagger Theta^-1 = V X^T V^dagger`, which reverses products: `T(XY) = T(Y) T(X)`."""
        return self.unitary @ np.transpose(matrix) @ self.unitary.conj().T


def spin_time_reversal(spins: Sequence[float]) -> Antiunitary:
    """Time reversal of spins, `V` the product of `exp(-i pi S_y)`: every spin changes sign.

    `Theta^2 = -1` for an odd number of half-integer spins.
    """
    factors = []
    for spin in spins:
        size = spin_dimension(spin)
        # exp(-i pi S_y) |m> = (-1)^(S - m) |-m>, with index S - m.
        factors.append(np.fliplr(np.diag((-1.0) ** np.arange(size)[::-1])))
    return Antiunitary(kron(np.eye(1), *factors))


def complex_conjugation(dim: int) -> Antiunitary:
    """`Theta = K`: time reversal of particles without spin, in a basis of real wave functions."""
    return Antiunitary(np.eye(dim))


def time_reversal_defect(hamiltonian, theta: Antiunitary) -> float:
    """The largest `|V T* V^dagger - T| / |T|` over the terms of the Hamiltonian; 0 if it is invariant."""
    return max(_defects(hamiltonian, theta).values(), default=0.0)


def check_time_reversal(hamiltonian, theta: Antiunitary, *, tolerance: float = TOLERANCE) -> None:
    """Raise `ValueError`, naming the term, unless every term of the Hamiltonian is invariant under `theta`."""
    what = "`theta` must leave every term of the Hamiltonian invariant"
    check_defects(_defects(hamiltonian, theta), tolerance, what)


def _defects(hamiltonian, theta):
    dim = getattr(hamiltonian, "dim", None) or np.shape(hamiltonian)[0]
    if dim != theta.dim:
        raise ValueError(f"`theta` must act on the space of dimension {dim}, but acts on dimension {theta.dim}.")
    return relative_defects(hamiltonian, lambda term: theta.transform(term) - term)


def time_reversal_parts(observable, theta: Antiunitary) -> tuple[np.ndarray, np.ndarray]:
    """The even and the odd part of an observable, `(A + T(A)) / 2` and `(A - T(A)) / 2`, `T(A) = V A^T V^dagger`.

    In equilibrium under an invariant Hamiltonian the odd part has no expectation value.
    """
    matrix = concrete_matrix("observable", observable)
    if len(matrix) != theta.dim:
        raise ValueError(f"`observable` must have dimension {theta.dim}, but has shape {matrix.shape}.")
    reversed_ = theta.reverse(matrix)
    return (matrix + reversed_) / 2, (matrix - reversed_) / 2


def time_reversal_parity(observable, theta: Antiunitary, *, tolerance: float = TOLERANCE) -> int:
    """+1 for an observable that is even under time reversal, -1 for an odd one, 0 for a mixture."""
    even, odd = (np.linalg.norm(part) for part in time_reversal_parts(observable, theta))
    size = tolerance * np.hypot(even, odd)
    return 1 if odd <= size else (-1 if even <= size else 0)


class KramersPairs(NamedTuple):
    """The levels of a Hamiltonian with `Theta^2 = -1`, two by two.

    Attributes:
        levels: energy of each pair, ascending, shape `(dim / 2,)`.
        splittings: what rounding leaves between the two energies of a pair, shape `(dim / 2,)`.
        states: shape `(dim, dim / 2, 2)`, orthonormal, with `states[:, k, 1] = Theta states[:, k, 0]`.
    """

    levels: np.ndarray
    splittings: np.ndarray
    states: np.ndarray


def kramers_pairs(hamiltonian, theta: Antiunitary, *, tolerance: float | None = None) -> KramersPairs:
    """The Kramers pairs of a Hamiltonian that is invariant under `theta`, `Theta^2 = -1`.

    Args:
        hamiltonian: an operator or a Hermitian matrix, of known value.
        theta: an antiunitary symmetry of it.
        tolerance: largest splitting of a pair relative to the largest |level|; `1e-9` in double precision.

    Raises:
        ValueError: if `Theta^2 = +1`, a term is not invariant, or a pair is split by more than the tolerance.
    """
    if theta.square != -1:
        raise ValueError(
            "`theta` must square to -1 for Kramers pairs, but squares to +1: no degeneracy follows from it."
        )
    check_time_reversal(hamiltonian, theta)
    values, vectors = (np.asarray(part) for part in eigh(jnp.asarray(concrete_matrix("hamiltonian", hamiltonian))))
    tolerance = computed_tolerance(1e-9) if tolerance is None else tolerance
    size = tolerance * max(np.max(np.abs(values)), np.finfo(values.dtype).tiny)
    splittings = values[1::2] - values[::2]
    if np.max(splittings) > size:
        raise ValueError(
            f"The pairs must be degenerate to {size:.3g}, but one is split by {np.max(splittings):.3g}: "
            "the decomposition did not converge, or `tolerance` is below rounding."
        )
    pairs = []
    cuts = np.flatnonzero(np.diff(values) > size) + 1
    for space in np.split(vectors, cuts, axis=1):
        pairs.extend(_pairs_in(space, theta))
    return KramersPairs((values[1::2] + values[::2]) / 2, splittings, np.stack(pairs, axis=1))


def _pairs_in(space: np.ndarray, theta: Antiunitary) -> list[np.ndarray]:
    """Orthonormal pairs `(psi, Theta psi)` that span an eigenspace: each psi is orthogonal to the pairs before it."""
    pairs: list[np.ndarray] = []
    taken = np.zeros((len(space), 0), complex)
    while len(pairs) < space.shape[1] // 2:
        rest = space - taken @ (taken.conj().T @ space)
        rest = rest - taken @ (taken.conj().T @ rest)
        state = rest[:, np.argmax(np.linalg.norm(rest, axis=0))]
        state = state / np.linalg.norm(state)
        pairs.append(np.stack([state, theta(state)], axis=1))
        taken = np.concatenate([taken, pairs[-1]], axis=1)
    return pairs
