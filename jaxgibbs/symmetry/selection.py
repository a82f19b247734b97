"""Selection rules: which expectation values vanish in equilibrium because of a symmetry."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from ._terms import TOLERANCE, concrete_matrix
from .antiunitary import Antiunitary, check_time_reversal
from .sectors import sectors
from .unitary import check_symmetry


class SelectionRule(NamedTuple):
    """What symmetry says about an expectation value.

    Attributes:
        forbidden: whether `<A>` is exactly zero by symmetry, for all couplings and temperatures.
        value: `Tr(rho A)` as computed, rounding included.
        allowed_part: `P A`, what is left of `A` in the average over the symmetries: `<A> = <P A>`.
    """

    forbidden: bool
    value: Array
    allowed_part: np.ndarray


def selection_rule(
    hamiltonian,
    density_matrix: Inexact[Array, "dim dim"],
    observable,
    symmetries: Sequence,
    *,
    tolerance: float = TOLERANCE,
) -> SelectionRule:
    """Whether symmetry forbids the expectation value of an observable, beside the number itself.

    If `U A U^dagger = -A`, or more generally if the average of `A` over the group vanishes, then `<A> = 0` in every
    equilibrium state of a Hamiltonian that commutes with `U`. The response `d<A>/dh` to a field that breaks the symmetry
    is another matter: it is the Kubo-Mori covariance, and not zero. (At zero temperature, or for infinite systems, the
    order of the limits `h -> 0+` and `beta -> inf` decides; here `h = 0` comes first.)

    Args:
        hamiltonian: an operator whose every term has the symmetries, or a Hermitian matrix of known value.
        density_matrix: `rho`, such as `gibbs_state(hamiltonian, beta).density_matrix()`.
        observable: `A`, an operator or a Hermitian matrix of known value.
        symmetries: unitary or Hermitian matrices that commute with every term, and `Antiunitary` ones.
        tolerance: what counts as zero, relative to the norm of `A`.

    Raises:
        ValueError: if a symmetry is none.
    """
    for symmetry in symmetries:
        if isinstance(symmetry, Antiunitary):
            check_time_reversal(hamiltonian, symmetry)
        else:
            check_symmetry(hamiltonian, symmetry)
    matrix = concrete_matrix("observable", observable)
    left = allowed_part(matrix, symmetries, tolerance=tolerance)
    forbidden = bool(np.linalg.norm(left) <= tolerance * np.linalg.norm(matrix))
    value = jnp.real(jnp.sum(jnp.asarray(density_matrix) * jnp.asarray(matrix).T))
    return SelectionRule(forbidden, value, left)


def allowed_part(observable, symmetries: Sequence, *, tolerance: float = TOLERANCE) -> np.ndarray:
    """The part of an observable that all symmetries leave invariant: its average over the group they generate.

    For one unitary or charge it is the block-diagonal part; for several, these projections are repeated until nothing
    changes (von Neumann 1933).
    """
    matrix = concrete_matrix("observable", observable)
    projections = [_projection(symmetry) for symmetry in symmetries]
    settled = 1e-3 * tolerance * np.linalg.norm(matrix)
    for _ in range(1000):
        before = matrix
        for project in projections:
            matrix = project(matrix)
        if len(projections) < 2 or np.linalg.norm(matrix - before) <= settled:
            break
    return matrix


def _projection(symmetry):
    if isinstance(symmetry, Antiunitary):
        return lambda matrix: (matrix + symmetry.reverse(matrix)) / 2
    spaces = [sector.basis for sector in sectors([symmetry])]

    def project(matrix):
        return np.sum([basis @ (basis.conj().T @ matrix @ basis) @ basis.conj().T for basis in spaces], axis=0)

    return project
