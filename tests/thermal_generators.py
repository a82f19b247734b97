"""Generators that are known to thermalise, or not to, written out from their formulas in the eigenbasis of the Hamiltonian."""

import numpy as np

import jaxgibbs as jg


def coupling(rng, dim, is_complex=True):
    """A Hermitian coupling without a small element."""
    matrix = rng.normal(size=(dim, dim)) + (1j * rng.normal(size=(dim, dim)) if is_complex else 0)
    matrix = matrix + matrix.conj().T
    return matrix + 0.5 * matrix / np.abs(matrix)


def ohmic(frequency, beta):
    """`gamma(w)` with `gamma(-w) = e^(-beta w) gamma(w)`: Ohmic with a cutoff at 3."""
    x = beta * frequency
    factor = 1.0 if abs(x) < 1e-12 else x / -np.expm1(-x)
    return factor * np.exp(-abs(frequency) / 3)


def davies_jumps(levels, operator, beta, *, tolerance=1e-9, rate=ohmic):
    """Jump operators and rates of Davies: `A(w) = sum_{E_j - E_i = w} P_i A P_j` lowers the energy by `w`."""
    gaps = levels[None, :] - levels[:, None]
    jumps, rates = [], []
    left = gaps.copy()
    while np.any(np.isfinite(left)):
        frequency = left[np.isfinite(left)][0]
        chosen = np.abs(gaps - frequency) <= tolerance
        left[chosen] = np.nan
        if np.any(np.abs(operator[chosen]) > 0):
            jumps.append(np.where(chosen, operator, 0))
            rates.append(rate(frequency, beta))
    return jumps, rates


def davies(levels, operator, beta, *, basis=None, rate=ohmic, lamb=0.0):
    """The generator of Davies, in the eigenbasis of its Hamiltonian or in another one."""
    levels = np.asarray(levels, float)
    jumps, rates = davies_jumps(levels, operator, beta, rate=rate)
    hamiltonian = np.diag(levels).astype(complex)
    hamiltonian = hamiltonian + lamb * sum(
        (r * j.conj().T @ j for j, r in zip(jumps, rates, strict=True)), np.zeros_like(hamiltonian)
    )
    if basis is not None:
        hamiltonian = basis @ hamiltonian @ basis.conj().T
        hamiltonian = (hamiltonian + hamiltonian.conj().T) / 2
        jumps = [basis @ j @ basis.conj().T for j in jumps]
    return jg.Lindbladian(hamiltonian, jumps, rates)


def coherent_term(levels, decay, beta):
    """`B_ij = (i / 2) tanh(beta (E_i - E_j) / 4) R_ij`."""
    gaps = levels[:, None] - levels[None, :]
    return 0.5j * np.tanh(beta * gaps / 4) * decay


def one_jump(levels, operator, beta, *, with_coherent=True):
    """Ding, Li & Lin (2024): the jump `sum_nu q(nu) e^(-beta nu / 4) A_nu` and its coherent term; `q = e^(-(beta nu)^2 / 8)`."""
    levels = np.asarray(levels, float)
    gained = levels[:, None] - levels[None, :]
    jump = np.exp(-((beta * gained) ** 2) / 8 - beta * gained / 4) * operator
    coherent = coherent_term(levels, jump.conj().T @ jump, beta)
    return jg.Lindbladian(coherent if with_coherent else np.zeros_like(coherent), [jump])


def gaussian_filtered(levels, operator, beta):
    """Chen, Kastoryano & Gilyen (2023) with the Gaussian weight, its frequency integral by the trapezoid rule."""
    levels = np.asarray(levels, float)
    gained = levels[:, None] - levels[None, :]
    grid = np.arange(np.min(gained) - 10 / beta, np.max(gained) + 10 / beta, 1 / (4 * beta))
    step = grid[1] - grid[0]
    jumps, rates = [], []
    for frequency in grid:
        window = np.sqrt(beta / np.sqrt(2 * np.pi)) * np.exp(-((beta * (frequency - gained)) ** 2) / 4)
        jumps.append(window * operator)
        rates.append(step * np.exp(-((beta * frequency + 1) ** 2) / 2))
    decay = sum(r * j.conj().T @ j for j, r in zip(jumps, rates, strict=True))
    return jg.Lindbladian(coherent_term(levels, decay, beta), jumps, rates)


def hopping(rates, levels=None):
    """A classical Markov process as a generator: a jump `|i><j|` for every rate `W_ij`."""
    rates = np.asarray(rates, float)
    dim = len(rates)
    jumps, values = [], []
    for i in range(dim):
        for j in range(dim):
            if i != j and rates[i, j] > 0:
                jump = np.zeros((dim, dim))
                jump[i, j] = 1
                jumps.append(jump)
                values.append(rates[i, j])
    return jg.Lindbladian(np.diag(np.zeros(dim) if levels is None else levels), jumps, values)


def merry_go_round(forward, backward, size=3):
    """A ring where every step to the right has one rate and every step to the left another."""
    rates = np.zeros((size, size))
    for i in range(size):
        rates[(i + 1) % size, i] += forward
        rates[i, (i + 1) % size] += backward
    return rates


def reference_residual(generator, sigma, s, hamiltonian=None, eigenbasis=None):
    """The residual by Kronecker products in the eigenbasis of `sigma` (NumPy), with `i [H, .]` taken off."""
    heisenberg = np.asarray(generator.to_dense()).conj().T
    one = np.eye(len(sigma))
    if hamiltonian is not None:
        heisenberg = heisenberg - 1j * (np.kron(one, hamiltonian) - np.kron(hamiltonian.T, one))
    p, u = np.linalg.eigh(sigma) if eigenbasis is None else eigenbasis
    turned = np.kron(u.T, u.conj().T) @ heisenberg @ np.kron(u.conj(), u)
    if s is None:
        logs = np.log(p)
        gap = logs[:, None] - logs[None, :]
        weights = np.where(gap == 0, p[:, None], (p[:, None] - p[None, :]) / np.where(gap == 0, 1, gap))
    else:
        weights = p[:, None] ** (1 - s) * p[None, :] ** s
    w = np.sqrt(weights.T.reshape(-1))
    k = w[:, None] * turned / w[None, :]
    return np.linalg.norm(k - k.conj().T) / np.linalg.norm(k)
