"""Sparse elimination by SciPy's SuperLU on the host, for generators whose matrix is banded."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgibbs._solution import RESULTS

from .lindbladian import Lindbladian
from .no_jump import scales
from .steady_methods import AbstractSteadyMethod, Found, Krylov, uniform


class SparseLU(AbstractSteadyMethod):
    """Sparse LU factors of the generator with one equation replaced by the trace, ordered by minimum degree of `A^T + A`.

    A call back to the host, not for accelerators, and one at a time under `vmap`; needs `scipy`. Fast for one or two oscillator
    modes, where the factors stay narrow; for chains of spins they fill up, and `Krylov()` is faster. Derivatives are solved for
    by `Krylov()`. The uniqueness is eps times the condition number, by inverse iteration.

    Raises:
        ValueError: if the generator is no `Lindbladian`, whose jump operators it needs.
    """

    def find(self, generator, guess):
        del guess
        if not isinstance(generator, Lindbladian):
            raise ValueError(
                f"`SparseLU` needs a `Lindbladian`, with jump operators, but got `{type(generator).__name__}`; use `Krylov()`."
            )
        real = uniform(generator).dtype
        shapes = (jax.ShapeDtypeStruct((generator.dim, generator.dim), real), jax.ShapeDtypeStruct((), real))
        drift, size = generator.drift(), scales(generator)
        state, uniqueness = jax.pure_callback(
            _solve_on_host,
            shapes,
            drift,
            generator.jump_operators,
            generator.rates,
            size.norm,
            vmap_method="sequential",
        )
        finite = jnp.all(jnp.isfinite(state))
        result = RESULTS.where(finite, RESULTS.optimal, RESULTS.nonfinite)
        return Found(state, uniqueness, jnp.ones((), jnp.int32), result)

    def inverse(self, generator):
        return Krylov().inverse(generator)


def _solve_on_host(drift, jumps, rates, norm):
    import scipy.sparse as sp
    import scipy.sparse.linalg as sl

    drift, jumps, rates = np.asarray(drift), np.asarray(jumps), np.asarray(rates)
    dim, real = len(drift), rates.dtype
    one = sp.identity(dim, format="csr")
    sparse = sp.csr_matrix(drift)
    matrix = sp.kron(sparse, one, "csr") + sp.kron(one, sparse.conj(), "csr")
    for jump, rate in zip(jumps, rates, strict=True):
        jump = sp.csr_matrix(jump)
        matrix = matrix + rate * sp.kron(jump, jump.conj(), "csr")
    diagonal = np.arange(dim) * (dim + 1)
    scale = float(norm)
    trace = sp.csr_matrix((np.full(dim, scale), (np.zeros(dim, int), diagonal)), shape=(1, dim * dim))
    matrix = sp.vstack([trace, matrix[1:]]).tocsc().astype(complex)
    b = np.zeros(dim * dim, complex)
    b[0] = scale
    try:
        # Pivots stay on the diagonal unless a hundred times too small, which keeps the factors narrow, in half the time; what that
        # costs in digits the step of refinement below gives back. Narrow panels suit narrow factors.
        factors = sl.splu(
            matrix,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.01,
            panel_size=4,
            options={"SymmetricMode": False},
        )
    except RuntimeError:  # exactly singular: there is a second steady state
        return np.eye(dim, dtype=real) / dim, np.ones((), real)
    probe = np.exp(1j * np.arange(dim * dim) ** 2) / dim
    x, probe = np.ascontiguousarray(factors.solve(np.stack([b, probe], axis=1)).T)
    x = x + factors.solve(b - matrix @ x)
    probe = factors.solve(probe, trans="H")  # one step of inverse iteration: the order of magnitude
    size = np.sqrt(np.linalg.norm(probe))
    rho = x.reshape(dim, dim)
    rho = (rho + rho.conj().T) / 2
    uniqueness = np.finfo(real).eps * scale * size
    uniqueness = min(uniqueness, 1.0) if np.isfinite(uniqueness) else 1.0
    return (rho.real + rho.imag).astype(real), np.asarray(uniqueness, real)
