"""Open systems with known answers, for the tests of this folder."""

import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg

UP, LOWERING, RAISING = np.diag([1.0, 0]), np.array([[0.0, 0], [1, 0]]), np.array([[0.0, 1], [0, 0]])
SX, SY, SZ = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1])


def bose(beta, w):
    return 1 / jnp.expm1(beta * w)


def qubit(w, rates, betas):
    """A qubit of splitting `w` between thermal baths: each a rate and an inverse temperature."""
    jumps, strengths, labels = [], [], []
    for bath, (rate, beta) in enumerate(zip(rates, betas, strict=True)):
        n = bose(beta, w)
        jumps += [LOWERING, RAISING]
        strengths += [rate * (n + 1), rate * n]
        labels += [bath, bath]
    return jg.Lindbladian(w / 2 * jnp.asarray(SZ), jumps, strengths, labels)


def ladder_bath(levels, beta, strength=0.3):
    """Jumps between all pairs of levels, with rates in detailed balance: a thermal generator of any spectrum."""
    jumps, rates = [], []
    for i, low in enumerate(levels):
        for j, high in enumerate(levels):
            if low < high:
                down = np.zeros((len(levels), len(levels)))
                down[i, j] = 1
                jumps += [down, down.T]
                rates += [strength * (1 + i + j), strength * (1 + i + j) * np.exp(-beta * (high - low))]
    return jumps, rates


def random_state(rng, dim, rank=None):
    root = rng.normal(size=(dim, rank or dim)) + 1j * rng.normal(size=(dim, rank or dim))
    rho = root @ root.conj().T
    return rho / np.trace(rho).real
