"""The peers of what needs no matrix: products with a vector and finite-temperature Lanczos, by SciPy, QuSpin and JAX."""

import numpy as np

from . import workloads
from .peers import quspin_chain


def scipy_product(sites: int):
    """`scipy.sparse`, compressed rows."""
    matrix, vector = workloads.sparse_heisenberg(sites), workloads.vector(sites)
    return lambda: matrix @ vector


def quspin_product(sites: int):
    """QuSpin's stored matrix."""
    operator, vector = quspin_chain(sites), workloads.vector(sites)
    return lambda: operator.dot(vector)


def jax_product(sites: int):
    """`jax.experimental.sparse`, coordinates."""
    import jax
    import jax.numpy as jnp
    from jax.experimental import sparse

    jax.config.update("jax_enable_x64", True)
    matrix = sparse.BCOO.from_scipy_sparse(workloads.sparse_heisenberg(sites))
    vector = jnp.asarray(workloads.vector(sites))
    apply = jax.jit(lambda matrix, vector: matrix @ vector)
    return lambda: apply(matrix, vector)


def _ftlm_table(levels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    betas = workloads.BETAS
    ground = levels.min()
    x = weights * np.exp(-betas[:, None] * (levels - ground))
    z = x.sum(1)
    energy, square = x @ levels / z, x @ levels**2 / z
    return np.concatenate([np.log(z) - betas * ground, energy, betas**2 * (square - energy**2)])


def scipy_ftlm(sites: int):
    """Three-vector Lanczos by hand on a CSR matrix."""
    import scipy.linalg

    hamiltonian, probes = workloads.sparse_heisenberg(sites), workloads.probe_vectors(sites)

    def call():
        levels, weights = [], []
        for probe in probes:
            norm = np.linalg.norm(probe)
            before, vector, last = np.zeros_like(probe), probe / norm, 0.0
            diagonal, side = [], []
            for _ in range(workloads.DEPTH):
                image = hamiltonian @ vector - last * before
                diagonal.append(vector @ image)
                image -= diagonal[-1] * vector
                last = np.linalg.norm(image)
                side.append(last)
                before, vector = vector, image / last
            values, vectors = scipy.linalg.eigh_tridiagonal(diagonal, side[:-1])
            levels.append(values)
            weights.append(norm**2 * vectors[0] ** 2 / len(probes))
        return _ftlm_table(np.concatenate(levels), np.concatenate(weights))

    return call


def quspin_static(sites: int):
    """QuSpin's own finite-temperature route, as its manual has it: stored vectors, and averages of `H` and `H^2` from them."""
    from quspin.tools.lanczos import FTLM_static_iteration, lanczos_full

    operator = quspin_chain(sites)
    averaged = {"energy": operator, "square": _Square(operator)}
    probes = workloads.probe_vectors(sites)

    def call():
        total, identity = {"energy": 0.0, "square": 0.0}, 0.0
        for probe in probes:
            values, vectors, basis = lanczos_full(operator, probe / np.linalg.norm(probe), workloads.DEPTH)
            found, weight = FTLM_static_iteration(averaged, values + sites / 2, vectors, basis, beta=workloads.BETAS)
            total = {name: total[name] + found[name] for name in total}
            identity = identity + weight
        betas, (energy, square) = workloads.BETAS, (total[name] / identity for name in ("energy", "square"))
        log_z = np.log(identity / len(probes)) + sites * np.log(2) + betas * sites / 2
        return np.concatenate([log_z, energy, betas**2 * (square - energy**2)])

    return call


class _Square:
    """`H^2`, as far as averages need it."""

    def __init__(self, operator):
        self.operator = operator

    def dot(self, vector):
        return self.operator.dot(self.operator.dot(vector))


def quspin_ftlm(sites: int):
    """`lanczos_full` of QuSpin without reorthogonalisation, as is its default, and the table by hand: an expert's row."""
    from quspin.tools.lanczos import lanczos_full

    operator = quspin_chain(sites)
    probes = workloads.probe_vectors(sites)

    def call():
        levels, weights = [], []
        for probe in probes:
            norm = np.linalg.norm(probe)
            values, vectors, _ = lanczos_full(operator, probe / norm, workloads.DEPTH)
            levels.append(values)
            weights.append(norm**2 * vectors[0] ** 2 / len(probes))
        return _ftlm_table(np.concatenate(levels), np.concatenate(weights))

    return call
