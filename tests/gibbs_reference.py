"""One degenerate Hermitian matrix with observables, its Gibbs state by definition, and a chain with blocks."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.sparse

import jaxgibbs as jg
from jaxgibbs import models

EPS = np.finfo(float).eps
LEVELS = np.array([-1.2, -1.2, -1.2, 0.4, 0.9, 0.9])
NAMES = ("log_partition", "energy", "energy_variance", "entropy", "heat_capacity")


def unitary(dim, seed=0, kind=complex):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(dim, dim)) + (1j * rng.normal(size=(dim, dim)) if kind is complex else 0)
    return np.linalg.qr(matrix)[0]


def hermitian(dim, seed, kind=complex):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(dim, dim)) + (1j * rng.normal(size=(dim, dim)) if kind is complex else 0)
    return (matrix + matrix.conj().T) / 2


def rotated(levels, kind=complex, seed=0):
    basis = unitary(len(levels), seed, kind)
    matrix = (basis * levels) @ basis.conj().T
    return (matrix + matrix.conj().T) / 2


H = rotated(LEVELS)
A, B = hermitian(6, 1), hermitian(6, 2)


@jax.jit
def thermal(hamiltonian, beta, a, b):
    state = jg.gibbs_state(hamiltonian, beta)
    answers = {name: getattr(state, name) for name in (*NAMES, "purity", "free_energy", "populations")}
    answers["rho"] = state.density_matrix()
    answers["mean"], answers["covariance"] = state.expectation(a), state.covariance_matrix((a, b))
    answers["renyi"] = jnp.stack([state.renyi_entropy(order) for order in (0, 0.5, 2, np.inf)])
    return answers


def gibbs_matrix(matrix, beta):
    weight = scipy.linalg.expm(
        -beta * (matrix - np.linalg.eigvalsh(matrix)[0 if beta > 0 else -1] * np.eye(len(matrix)))
    )
    return weight / np.trace(weight)


def kubo_mori(matrix, beta, observables, points=16):
    """The defining integral by Gauss-Legendre quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    exponent = -beta * matrix
    exponent -= np.log(np.trace(scipy.linalg.expm(exponent)).real) * np.eye(len(matrix))  # ln rho
    total = 0
    for t, w in zip((nodes + 1) / 2, weights / 2, strict=True):
        left, right = scipy.linalg.expm((1 - t) * exponent), scipy.linalg.expm(t * exponent)
        total += w * np.array([[np.trace(left @ a @ right @ b).real for b in observables] for a in observables])
    means = [np.trace(scipy.linalg.expm(exponent) @ a).real for a in observables]
    return total - np.outer(means, means)


def chain():
    return models.xxz_chain(4, 1.1, 0.6, field=0.35)
