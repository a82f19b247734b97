"""Steady states by QuTiP, SciPy and NumPy."""

import numpy as np

from . import workloads


def _at(kind: str, size: int, parameters) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    terms, jumps, coefficients, rates, observable = workloads.steady_model(kind, size)
    hamiltonian = np.einsum("k,kij->ij", np.asarray(coefficients(parameters)), terms)
    return hamiltonian, [np.sqrt(r) * c for r, c in zip(rates(parameters), jumps, strict=True)], observable


def _qutip(kind: str, size: int, parameters, method: str, solver: str | None, **options):
    import qutip

    hamiltonian, jumps, observable = _at(kind, size, parameters)
    h, c = qutip.Qobj(hamiltonian).to("CSR"), [qutip.Qobj(jump).to("CSR") for jump in jumps]
    chosen = {} if solver is None else {"solver": solver}

    def call():
        rho = qutip.steadystate(h, c, method=method, **chosen, **options).full()
        return np.array([np.trace(observable @ rho).real, np.trace(rho).real])

    return call


def qutip_steady(kind: str, size: int, method: str, solver: str | None = None):
    """`qutip.steadystate`; iterative solvers with incomplete LU factors and the reordering that they need."""
    iterative = {"use_precond": True, "use_rcm": True, "rtol": 1e-12, "atol": 1e-12}
    options = iterative if solver in ("gmres", "bicgstab") else {}
    return _qutip(kind, size, workloads.STEADY_POINT[kind], method, solver, **options)


def qutip_steady_gradient(kind: str, size: int, solver: str):
    """Central differences in five parameters."""
    point, step = workloads.STEADY_POINT[kind], 1e-4
    options = {"use_precond": True, "use_rcm": True, "rtol": 1e-12, "atol": 1e-12} if solver == "gmres" else {}

    def value(parameters):
        return _qutip(kind, size, parameters, "direct", solver, **options)()[0]

    return lambda: np.array([(value(point + step * e) - value(point - step * e)) / (2 * step) for e in np.eye(5)])


def qutip_steady_loop(count: int):
    """One call a point, chain of 4."""
    points = workloads.steady_points(count)
    return lambda: np.array([_qutip("chain", 4, p, "direct", None)()[0] for p in points])


def _superoperator(hamiltonian, jumps):
    import scipy.sparse as sp

    one = sp.identity(len(hamiltonian), format="csr")
    h = sp.csr_matrix(hamiltonian)
    total = -1j * (sp.kron(h, one) - sp.kron(one, h.T))
    for jump in jumps:
        jump = sp.csr_matrix(jump)
        loss = jump.conj().T @ jump
        total = total + sp.kron(jump, jump.conj()) - (sp.kron(loss, one) + sp.kron(one, loss.T)) / 2
    return total


def scipy_steady(kind: str, size: int):
    """SuperLU with the ordering by minimum degree of `A^T + A`, the matrix built in the call."""
    import scipy.sparse.linalg as sl

    hamiltonian, jumps, observable = _at(kind, size, workloads.STEADY_POINT[kind])
    dim = len(hamiltonian)

    def call():
        matrix = _superoperator(hamiltonian, jumps).tolil()
        matrix[0, :] = 0
        matrix[0, np.arange(dim) * (dim + 1)] = 1
        b = np.zeros(dim * dim, complex)
        b[0] = 1
        rho = sl.splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A").solve(b).reshape(dim, dim)
        return np.array([np.trace(observable @ rho).real, np.trace(rho).real])

    return call


def numpy_steady(kind: str, size: int):
    """`numpy.linalg.solve` of the whole generator."""
    hamiltonian, jumps, observable = _at(kind, size, workloads.STEADY_POINT[kind])
    dim = len(hamiltonian)

    def call():
        matrix = _superoperator(hamiltonian, jumps).toarray()
        matrix[0] = np.eye(dim).ravel()
        b = np.zeros(dim * dim, complex)
        b[0] = 1
        rho = np.linalg.solve(matrix, b).reshape(dim, dim)
        return np.array([np.trace(observable @ rho).real, np.trace(rho).real])

    return call
