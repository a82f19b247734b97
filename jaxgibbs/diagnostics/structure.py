"""The structure of a generator in detailed balance: a Hamiltonian, and jumps between modular levels in pairs."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxgibbs._errors import is_concrete
from jaxgibbs.linalg import eigh

from .modular import dephased, form_of, pieces
from .reference import reference_state, source_of
from .residuals import check_size


class AlickiForm(eqx.Module):
    """`L^+ X = i [H, X] + sum_j e^(-w_j / 2) (V_j^dagger [X, V_j] + [V_j^dagger, X] V_j)`, `sigma V_j sigma^-1 = e^(-w_j) V_j`.

    Attributes:
        hamiltonian: `H`, traceless, commutes with the state.
        jump_operators: `V_j`, traceless and orthogonal; with each `V_j` there is `V_j^dagger`, of frequency `-w_j`.
        frequencies: `w_j`, ascending; `-beta w` for a jump that lowers the energy by `w`.
        residual: `||L - what this form says|| / ||L||`, without the commutator: 0 exactly for detailed balance of GNS.
    """

    hamiltonian: Complex[Array, "dim dim"]
    jump_operators: Complex[Array, "count dim dim"]
    frequencies: Float[Array, " count"]
    residual: Float[Array, ""]


def alicki_form(generator, state=None, *, beta=None, hamiltonian=None, tolerance: float | None = None) -> AlickiForm:
    """Extract the Hamiltonian, the jump operators and their modular frequencies; outside `jit`.

    The matrix of Kossakowski is diagonalised block by block: one block holds the matrix units `|i><j|` of one modular frequency
    `ln(p_j / p_i)`. What couples blocks, and what is not paired by detailed balance, is left out and shows in `residual`.

    Args:
        generator: in Lindblad form.
        state: as for `balance_residual`.
        beta: as for `balance_residual`.
        hamiltonian: as for `balance_residual`.
        tolerance: frequencies no further apart than this are one; `1e-9` of the largest in double precision.

    Raises:
        ValueError: if values are traced, the state has levels without weight, or as for `balance_residual`.

    References: Alicki, Rep. Math. Phys. 10, 249 (1976); Carlen & Maas, J. Funct. Anal. 273, 1810 (2017), theorem 3.1.
    """
    check_size(generator)
    source = source_of(state, beta, hamiltonian, generator)
    if source is None:
        raise ValueError("`state` or `beta` must be given: the state that balance is measured against.")
    form = form_of(generator)
    if not is_concrete(form, source):
        raise ValueError("The structure needs known values, but the generator or the state is traced.")
    reference = reference_state(source)
    if not np.all(reference.support):
        raise ValueError("`state` must give weight to every level, but some have none; raise the temperature.")
    here = pieces(form, reference, reference.basis)
    logs, dim = np.asarray(reference.log_populations), reference.dim
    matrix = _kossakowski(np.asarray(here.sandwich), dim)
    eps = float(np.finfo(logs.dtype).eps)
    width = max(float(np.ptp(logs)), 1.0)
    tolerance = max(1e-9, 100 * eps) * width if tolerance is None else tolerance
    frequencies = (logs[None, :] - logs[:, None]).reshape(-1)  # of |i><j| at i dim + j
    cut = 64 * eps * max(float(np.max(np.abs(matrix), initial=0.0)), np.finfo(logs.dtype).tiny)

    found = []
    for block, frequency in _blocks(frequencies, tolerance):
        for rate, vector in _lines(matrix, block, dim, frequency):
            if rate > cut:
                jump = np.sqrt(rate * np.exp(frequency / 2) / 2) * vector
                found.append((frequency, jump))
                if frequency < 0:
                    found.append((-frequency, jump.conj().T))
    found.sort(key=lambda pair: pair[0])
    jumps = np.array([jump for _, jump in found], matrix.dtype).reshape(-1, dim, dim)
    omegas = np.array([frequency for frequency, _ in found], logs.dtype)
    rebuilt = _dissipator(jumps, 2 * np.exp(-omegas / 2), dim)
    given = np.asarray(here.dissipative)
    size = np.linalg.norm(given)
    residual = np.linalg.norm(rebuilt - given) / (size if size > 0 else 1)
    basis = np.asarray(reference.basis)
    turned = basis @ jumps @ basis.conj().T
    commuting = basis @ np.asarray(dephased(here.hamiltonian, reference)) @ basis.conj().T
    return AlickiForm(*(jnp.asarray(x) for x in (commuting, turned, omegas, residual.astype(logs.dtype))))


def _kossakowski(sandwich, dim):
    """`C[(l, j), (k, i)] = sum_k r A_lj conj(A_ki)` of the map `J`, with the trace of the jump operators taken off."""
    matrix = sandwich.reshape(dim, dim, dim, dim).transpose(2, 0, 3, 1).reshape(dim * dim, dim * dim)
    trace = np.eye(dim).reshape(-1) / np.sqrt(dim)
    off = np.eye(dim * dim) - np.outer(trace, trace)
    return off @ matrix @ off


def _blocks(frequencies, tolerance):
    """Indices of the matrix units of frequency zero, and of each negative frequency, with it."""
    yield np.flatnonzero(np.abs(frequencies) <= tolerance), 0.0
    below = np.flatnonzero(frequencies < -tolerance)
    below = below[np.argsort(frequencies[below])]
    cuts = np.flatnonzero(np.diff(frequencies[below]) > tolerance) + 1
    for block in np.split(below, cuts):
        if block.size:
            yield block, float(np.mean(frequencies[block]))


def _lines(matrix, block, dim, frequency):
    """Rates and matrices of norm 1 that diagonalise one block; Hermitian ones at frequency zero."""
    basis = np.zeros((dim * dim, block.size), matrix.dtype)
    if frequency < 0:
        basis[block, np.arange(block.size)] = 1
    else:
        for column, index in enumerate(block):
            i, j = divmod(int(index), dim)
            unit = np.zeros((dim, dim), matrix.dtype)
            unit[i, j] = 1
            hermitian = unit + unit.T if i <= j else 1j * (unit - unit.T)
            basis[:, column] = hermitian.reshape(-1) / np.linalg.norm(hermitian)
    inner = basis.conj().T @ matrix @ basis
    rates, vectors = eigh(jnp.asarray(inner.real if frequency == 0 else inner))
    for rate, vector in zip(np.asarray(rates), np.asarray(vectors).T, strict=True):
        yield float(rate), (basis @ vector).reshape(dim, dim)


def _dissipator(jumps, rates, dim):
    """`X -> sum_k r_k (V_k^dagger X V_k - {V_k^dagger V_k, X} / 2)` on stacked columns."""
    one = np.eye(dim)
    total = np.zeros((dim * dim, dim * dim), complex)
    for jump, rate in zip(jumps, rates, strict=True):
        loss = jump.conj().T @ jump
        total += rate * (np.kron(jump.T, jump.conj().T) - (np.kron(one, loss) + np.kron(loss.T, one)) / 2)
    return total
