"""A system coupled to a finite bath of oscillators, each cut to its lowest states: the exact answer, and what the cut costs."""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Inexact

from jaxgibbs._solution import RESULTS, Solution, conclude
from jaxgibbs.baths import FiniteBath
from jaxgibbs.equilibrium import Exact, gibbs_state
from jaxgibbs.linalg import matmul, partial_trace
from jaxgibbs.operators import KroneckerSum, LocalSum, LocalTerms, Spectrum
from jaxgibbs.operators.local import boson_matrices, whole_number

from ._inputs import checked_modes, checked_pair, positive_beta
from .mean_force import between


def coupled_to_modes(
    hamiltonian: Inexact[Array, "dim dim"],
    coupling: Inexact[Array, "dim dim"],
    bath: FiniteBath,
    levels: int,
    *,
    counter_term: bool = False,
) -> tuple[LocalSum, KroneckerSum]:
    """`(H, H_B)` of `H_S + X sum_k g_k (b_k + b_k^+) + sum_k w_k b_k^+ b_k`, the system the left-most factor.

    Products of `H` with vectors need no matrix, and all numbers, those of `hamiltonian` and `coupling` too, are differentiable.

    Args:
        hamiltonian: `H_S`, shape `(dim, dim)`.
        coupling: `X`, Hermitian, shape `(dim, dim)`.
        bath: the modes.
        levels: states of each mode that are kept.
        counter_term: whether `Q X^2` is added, so that a slow bath leaves the potential as it is.

    Raises:
        ValueError: if a matrix is not Hermitian, shapes differ, or `bath` is a continuum.
    """
    system, x = checked_pair(hamiltonian, coupling)
    bath = checked_modes(bath)
    if counter_term:
        system = system + bath.reorganisation_energy() * matmul(x, x)
    dtype = jnp.result_type(system, x, bath.strengths)
    parts, modes = [_coefficients(matrix.astype(dtype)) for matrix in (system, x)], len(bath.frequencies)
    is_complex = jnp.issubdtype(dtype, jnp.complexfloating)
    terms = _terms(len(system), is_complex, modes, whole_number("levels", levels, least=2))
    strengths = jnp.outer(bath.strengths, parts[1]).reshape(-1)
    whole = LocalSum({"system": parts[0], "frequencies": bath.frequencies, "coupling": strengths}, terms)
    return whole, KroneckerSum([Spectrum(w * jnp.arange(levels)) for w in bath.frequencies])


def mean_force_of_modes(
    hamiltonian: Inexact[Array, "dim dim"],
    coupling: Inexact[Array, "dim dim"],
    bath: FiniteBath,
    beta: ArrayLike,
    levels: int,
    *,
    counter_term: bool = False,
    tolerance: float = 1e-6,
    throw: bool = True,
) -> Solution:
    """The exact mean force of a finite bath: `mean_force` of `coupled_to_modes`, with the error of cutting the modes.

    Args:
        hamiltonian: `H_S`, shape `(dim, dim)`.
        coupling: `X`, Hermitian, shape `(dim, dim)`.
        bath: a few modes; the dimension is `dim levels^modes`. A `reaction_coordinate` is one.
        beta: inverse temperature, positive and finite.
        levels: states of each mode that are kept; about `(g / w)^2` are displaced by the coupling.
        counter_term: as for `coupled_to_modes`.
        tolerance: largest population of the highest state kept that passes.
        throw: whether a cut that is too low raises.

    Returns:
        `Solution` whose `value` is a `MeanForce` and whose `error` is the largest population, over the modes, of the highest state
        that was kept; `RESULTS.truncated` where that exceeds `tolerance`.

    Raises:
        ValueError: as for `coupled_to_modes` and `mean_force`.
        RuntimeError: if the cut is too low and `throw`.
    """
    whole, alone = coupled_to_modes(hamiltonian, coupling, bath, levels, counter_term=counter_term)
    beta, dims = positive_beta(beta), whole.terms.dims
    state = gibbs_state(whole, beta, method=Exact())
    rho = state.density_matrix()
    populations = jnp.diagonal(rho).real.reshape(dims)
    top = jnp.stack([jnp.sum(jnp.take(populations, levels - 1, axis=k)) for k in range(1, len(dims))])
    value = between(state, gibbs_state(alone, beta, method=Exact()), partial_trace(rho, dims, 0), whole.dim)
    error = jnp.max(top)
    result = RESULTS.where(error <= tolerance, RESULTS.optimal, RESULTS.truncated)
    return conclude(Solution(value, error, result, {"highest_populations": top}), throw)


def _coefficients(matrix):
    """Of a Hermitian matrix in `_basis`: its diagonal, the real parts above it, the imaginary parts."""
    above = np.triu_indices(len(matrix), 1)
    parts = [jnp.diagonal(matrix).real, matrix[above].real]
    return jnp.concatenate([*parts, matrix[above].imag] if jnp.iscomplexobj(matrix) else parts)


def _basis(dim: int, is_complex: bool) -> list[np.ndarray]:
    units = np.eye(dim)
    diagonal = [np.diag(unit) for unit in units]
    above = [np.outer(units[i], units[j]) for i, j in zip(*np.triu_indices(dim, 1), strict=True)]
    real = diagonal + [unit + unit.T for unit in above]
    return [*real, *(1j * (unit - unit.T) for unit in above)] if is_complex else real


@functools.lru_cache(maxsize=64)
def _terms(dim: int, is_complex: bool, modes: int, levels: int) -> LocalTerms:
    basis = _basis(dim, is_complex)
    lower, number = boson_matrices(levels)
    coupling = [np.kron(matrix, lower + lower.T) for matrix in basis]
    terms = {
        "system": [(matrix, 0) for matrix in basis],
        "frequencies": [(number, 1 + k) for k in range(modes)],
        "coupling": [(matrix, (0, 1 + k)) for k in range(modes) for matrix in coupling],
    }
    return LocalTerms((dim, *[levels] * modes), terms)
