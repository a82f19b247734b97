"""The peers of fits: the dual of maximum entropy by hand, and SciPy's solvers."""

import numpy as np

from . import workloads


def _dual(q: np.ndarray, wanted: np.ndarray):
    """Gradient and Hessian of the dual, by hand, for SciPy's solvers."""
    if q.ndim == 2:

        def weights(lam):
            x = -lam @ q
            p = np.exp(x - x.max())
            return p / p.sum()

        def slope(lam):
            return wanted - q @ weights(lam)

        def curvature(lam):
            p = weights(lam)
            m = q @ p
            return (q * p) @ q.T - np.outer(m, m)

        return slope, curvature

    def slope(lam):
        levels, vectors = np.linalg.eigh(np.tensordot(lam, q, 1))
        p = np.exp(-(levels - levels[0]))
        rho = (vectors * (p / p.sum())) @ vectors.T
        return wanted - np.tensordot(q, rho, ((1, 2), (1, 0)))

    def curvature(lam):
        levels, vectors = np.linalg.eigh(np.tensordot(lam, q, 1))
        e = levels - levels[0]
        p = np.exp(-e)
        p /= p.sum()
        gap = e[:, None] - e[None]
        same = np.abs(gap) < 1e-9
        kappa = np.where(same, (p[:, None] + p[None]) / 2, (p[None] - p[:, None]) / np.where(same, 1, gap))
        inner = vectors.T @ q @ vectors
        m = np.einsum("aii,i->a", inner, p)
        rows = (inner * np.sqrt(kappa)).reshape(len(q), -1)
        return rows @ rows.T - np.outer(m, m)

    return slope, curvature


def scipy_fit(kind: str, sites: int):
    """`scipy.optimize.root` (hybr) on the gradient of the dual, with its exact Jacobian."""
    import scipy.optimize

    q = workloads.charges(kind, sites)
    slope, curvature = _dual(q, workloads.targets(q))
    return lambda: scipy.optimize.root(slope, np.zeros(8), jac=curvature, method="hybr", tol=1e-13).x


def numpy_fit(kind: str, sites: int):
    """Newton's method on the dual written by hand, gradient and Hessian from two decompositions a step."""
    q = workloads.charges(kind, sites)
    slope, curvature = _dual(q, workloads.targets(q))

    def call():
        lam = np.zeros(8)
        for _ in range(30):
            g = slope(lam)
            if np.abs(g).max() < 1e-12:
                break
            lam = lam - np.linalg.solve(curvature(lam), g)
        return lam

    return call
