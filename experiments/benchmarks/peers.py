"""The peers: the same work by NumPy, SciPy, PyTorch, QuTiP and plain JAX, each in its own best-known few lines."""

import numpy as np

from . import workloads


def _table(levels: np.ndarray) -> np.ndarray:
    betas = workloads.BETAS
    ground = levels.min()
    x = np.exp(-np.outer(betas, levels - ground))
    z = x.sum(1)
    energy, square = x @ levels / z, x @ levels**2 / z
    log_z = np.log(z) - betas * ground
    return np.concatenate([log_z, energy, log_z + betas * energy, betas**2 * (square - energy**2)])


def numpy_thermodynamics(sites: int):
    """`numpy.linalg.eigvalsh` and a table."""
    hamiltonian = workloads.heisenberg_matrix(sites)
    return lambda: _table(np.linalg.eigvalsh(hamiltonian))


def torch_thermodynamics(sites: int):
    """`torch.linalg.eigvalsh` (MKL) and a table."""
    import torch

    hamiltonian = torch.from_numpy(workloads.heisenberg_matrix(sites))
    return lambda: _table(torch.linalg.eigvalsh(hamiltonian).numpy())


def qutip_thermodynamics(sites: int):
    """`Qobj.eigenenergies` and a table."""
    import qutip

    hamiltonian = qutip.Qobj(workloads.heisenberg_matrix(sites))
    return lambda: _table(hamiltonian.eigenenergies())


def jax_thermodynamics(sites: int):
    """`jnp.linalg.eigvalsh` and a table, jitted."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    hamiltonian, betas = jnp.asarray(workloads.heisenberg_matrix(sites)), jnp.asarray(workloads.BETAS)

    @jax.jit
    def call(hamiltonian):
        levels = jnp.linalg.eigvalsh(hamiltonian)
        x = -betas[:, None] * levels
        log_z, p = jax.nn.logsumexp(x, axis=1), jax.nn.softmax(x, axis=1)
        energy = p @ levels
        return jnp.concatenate([log_z, energy, log_z + betas * energy, betas**2 * (p @ levels**2 - energy**2)])

    return lambda: call(hamiltonian)


def _quspin_chain(sites: int, **sector):
    from quspin.basis import spin_basis_1d
    from quspin.operators import hamiltonian

    bonds = [[1.0, i, i + 1] for i in range(sites - 1)]
    flips = [[0.5, i, i + 1] for i in range(sites - 1)]
    basis = spin_basis_1d(sites, pauli=False, **sector)
    checks = {"check_herm": False, "check_symm": False, "check_pcon": False}
    return hamiltonian([["zz", bonds], ["+-", flips], ["-+", flips]], [], basis=basis, dtype=np.float64, **checks)


def quspin_thermodynamics(sites: int):
    """QuSpin with magnetisation, reflection and spin flip, the sectors named by hand, and a table."""

    def call():
        levels = []
        for up in range(sites // 2 + 1):
            middle = 2 * up == sites
            for reflection in (1, -1):
                for flip in (1, -1) if middle else (None,):
                    sector = {"Nup": up, "pblock": reflection} | ({"zblock": flip} if flip else {})
                    try:
                        found = _quspin_chain(sites, **sector).eigvalsh()
                    except ValueError:  # an empty sector
                        continue
                    levels += [found] * (1 if middle else 2)
        levels = np.concatenate(levels)
        assert len(levels) == 2**sites
        return _table(levels)

    return call


def _terms(sites: int) -> tuple[np.ndarray, np.ndarray]:
    matrices, couplings = workloads.chain_matrices(sites), workloads.chain_couplings(sites)
    return np.concatenate(list(couplings.values())), np.stack([m for name in couplings for m in matrices[name]])


def numpy_gradient(sites: int):
    """The rule `-<T_k>` written by hand: one `eigh`, one product, contractions over the nonzero elements."""
    theta, matrices = _terms(sites)
    places = [np.nonzero(m) for m in matrices]
    values = [m[p] for m, p in zip(matrices, places, strict=True)]

    def call():
        hamiltonian = np.zeros_like(matrices[0])
        for t, p, v in zip(theta, places, values, strict=True):
            hamiltonian[p] += t * v
        levels, vectors = np.linalg.eigh(hamiltonian)
        p = np.exp(-(levels - levels[0]))
        rho = (vectors * (p / p.sum())) @ vectors.T
        return np.array([-(rho[place] * v).sum() for place, v in zip(places, values, strict=True)])

    return call


def torch_gradient(sites: int):
    """Autograd through `torch.linalg.eigvalsh`."""
    import torch

    theta, matrices = _terms(sites)
    dim = matrices.shape[-1]
    k, i, j = np.nonzero(matrices)
    weights, flat, which = (torch.from_numpy(x) for x in (matrices[k, i, j], i * dim + j, k))
    start = torch.from_numpy(theta)

    def call():
        t = start.clone().requires_grad_(True)
        hamiltonian = torch.zeros(dim * dim, dtype=t.dtype).index_add(0, flat, weights * t[which]).reshape(dim, dim)
        torch.logsumexp(-torch.linalg.eigvalsh(hamiltonian), 0).backward()
        return t.grad.numpy()

    return call


def _jax_log_z(sites: int):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    theta, matrices = _terms(sites)
    k, i, j = np.nonzero(matrices)
    weights, dim = jnp.asarray(matrices[k, i, j]), matrices.shape[-1]

    def log_z(first, rest):
        t = jnp.concatenate([first, rest])
        hamiltonian = jnp.zeros((dim, dim)).at[i, j].add(weights * t[k])
        return jax.nn.logsumexp(-jnp.linalg.eigvalsh(hamiltonian))

    return jax, jnp.asarray(theta), log_z


def jax_gradient(sites: int):
    """`jax.grad` of `logsumexp(-eigvalsh)`."""
    jax, theta, log_z = _jax_log_z(sites)
    call = jax.jit(jax.grad(log_z))
    return lambda: call(theta, theta[:0])


def jax_hessian(sites: int):
    """`jax.hessian` of `logsumexp(-eigvalsh)`, NaN at a degeneracy."""
    jax, theta, log_z = _jax_log_z(sites)
    call = jax.jit(jax.hessian(log_z))
    return lambda: call(theta[:20], theta[20:]).ravel()


def torch_hessian(sites: int):
    """Twenty rows of `torch.autograd.grad` of the gradient through `torch.linalg.eigvalsh`."""
    import torch

    theta, matrices = _terms(sites)
    dim = matrices.shape[-1]
    k, i, j = np.nonzero(matrices)
    weights, flat, which = (torch.from_numpy(x) for x in (matrices[k, i, j], i * dim + j, k))
    start = torch.from_numpy(theta)

    def call():
        first = start[:20].clone().requires_grad_(True)
        t = torch.cat([first, start[20:]])
        hamiltonian = torch.zeros(dim * dim, dtype=t.dtype).index_add(0, flat, weights * t[which]).reshape(dim, dim)
        value = torch.logsumexp(-torch.linalg.eigvalsh(hamiltonian), 0)
        (slope,) = torch.autograd.grad(value, first, create_graph=True)
        rows = [torch.autograd.grad(slope[a], first, retain_graph=True)[0] for a in range(20)]
        return torch.stack(rows).numpy().ravel()

    return call


def _batch_table(levels):
    ground = levels[:, :1]
    x = np.exp(-workloads.BATCH_BETAS[None, :, None] * (levels - ground)[:, None, :])
    z = x.sum(2)
    energy, square = np.einsum("bkn,bn->bk", x, levels) / z, np.einsum("bkn,bn->bk", x, levels**2) / z
    log_z, c = np.log(z) - workloads.BATCH_BETAS * ground, workloads.BATCH_BETAS**2 * (square - energy**2)
    return np.concatenate([log_z[:20].ravel(), c[:20].ravel()])


def numpy_batch(dim: int):
    """Batched `numpy.linalg.eigvalsh` and a table."""
    matrices = workloads.random_batch(dim)
    return lambda: _batch_table(np.linalg.eigvalsh(matrices))


def torch_batch(dim: int):
    """Batched `torch.linalg.eigvalsh` and a table, all in PyTorch."""
    import torch

    matrices, betas = torch.from_numpy(workloads.random_batch(dim)), torch.from_numpy(workloads.BATCH_BETAS)

    def call():
        levels = torch.linalg.eigvalsh(matrices)
        ground = levels[:, :1]
        x = torch.exp(-betas[None, :, None] * (levels - ground)[:, None, :])
        z = x.sum(2)
        energy = torch.einsum("bkn,bn->bk", x, levels) / z
        square = torch.einsum("bkn,bn->bk", x, levels**2) / z
        log_z, c = torch.log(z) - betas * ground, betas**2 * (square - energy**2)
        return torch.cat([log_z[:20].ravel(), c[:20].ravel()]).numpy()

    return call


def jax_batch(dim: int):
    """Batched `jnp.linalg.eigvalsh` and a table, jitted."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    matrices, betas = jnp.asarray(workloads.random_batch(dim)), jnp.asarray(workloads.BATCH_BETAS)

    @jax.jit
    def curves(matrices):
        levels = jnp.linalg.eigvalsh(matrices)
        x = -betas[None, :, None] * levels[:, None, :]
        log_z, p = jax.nn.logsumexp(x, axis=2), jax.nn.softmax(x, axis=2)
        energy, square = jnp.einsum("bkn,bn->bk", p, levels), jnp.einsum("bkn,bn->bk", p, levels**2)
        c = betas**2 * (square - energy**2)
        return jnp.concatenate([log_z[:20].ravel(), c[:20].ravel()]), log_z, c

    return lambda: curves(matrices)[0]


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


def scipy_product(sites: int):
    """`scipy.sparse`, compressed rows."""
    matrix, vector = workloads.sparse_heisenberg(sites), workloads.vector(sites)
    return lambda: matrix @ vector


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

    operator = _quspin_chain(sites)
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

    operator = _quspin_chain(sites)
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


def _sparse_generator(sites: int):
    """The Liouvillian on stacked rows, CSR: `vec(A X B) = (A kron B^T) vec(X)`."""
    import scipy.sparse as sparse

    hamiltonian, jumps, rates, _ = workloads.damped_chain(sites)
    one = sparse.identity(2**sites, format="csr")
    h = sparse.csr_matrix(hamiltonian)
    total = -1j * (sparse.kron(h, one) - sparse.kron(one, h.T))
    for jump, rate in zip(jumps, rates, strict=True):
        c = sparse.csr_matrix(jump)
        loss = c.conj().T @ c
        total = total + rate * (sparse.kron(c, c.conj()) - (sparse.kron(loss, one) + sparse.kron(one, loss.T)) / 2)
    return total.tocsr()


def scipy_evolution(sites: int):
    """`scipy.sparse.linalg.expm_multiply`: exact to rounding."""
    import scipy.sparse.linalg

    generator, start = _sparse_generator(sites), workloads.all_up(sites).ravel()
    observable, times = workloads.damped_chain(sites)[3].T.ravel(), workloads.TIMES

    def call():
        states = scipy.sparse.linalg.expm_multiply(
            generator, start, start=times[0], stop=times[-1], num=len(times), endpoint=True
        )
        return (states @ observable).real

    return call


def qutip_evolution(sites: int, method: str):
    """`qutip.mesolve` with CSR data at a relative tolerance of 1e-8."""
    import qutip

    hamiltonian, jumps, rates, observable = workloads.damped_chain(sites)
    h, rho = qutip.Qobj(hamiltonian).to("CSR"), qutip.Qobj(workloads.all_up(sites))
    collapses = [qutip.Qobj(np.sqrt(r) * c).to("CSR") for r, c in zip(rates, jumps, strict=True)]
    options = {"method": method, "rtol": 1e-8, "atol": 1e-10, "nsteps": 100_000, "progress_bar": ""}
    readings = [qutip.Qobj(observable)]
    return lambda: np.real(qutip.mesolve(h, rho, workloads.TIMES, collapses, e_ops=readings, options=options).expect[0])


def dynamiqs_evolution(sites: int, diagonals: bool):
    """`dynamiqs.mesolve` with Tsit5 at a relative tolerance of 1e-8, operators dense or by their diagonals."""
    import dynamiqs as dq
    import jax.numpy as jnp

    dq.set_precision("double")
    dq.set_progress_meter(False)
    hamiltonian, jumps, rates, observable = workloads.damped_chain(sites)

    def operator(matrix):
        return dq.asqarray(matrix.astype(complex), layout=dq.dia) if diagonals else dq.asqarray(matrix.astype(complex))

    h, reading, rho = operator(hamiltonian), operator(observable), dq.asqarray(workloads.all_up(sites))
    collapses = [operator(np.sqrt(r) * c) for r, c in zip(rates, jumps, strict=True)]
    method, times = dq.method.Tsit5(rtol=1e-8, atol=1e-10), jnp.asarray(workloads.TIMES)

    def call():
        found = dq.mesolve(h, collapses, rho, times, exp_ops=[reading], method=method, save_states=False)
        return found.expects[0].real

    return call


def diffrax_evolution(sites: int):
    """diffrax by hand: Tsit5 at a relative tolerance of 1e-8, dense matrices."""
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    hamiltonian, jumps, rates, observable = workloads.damped_chain(sites)
    scaled = jnp.asarray(np.sqrt(rates)[:, None, None] * np.array(jumps), complex)
    drift = jnp.asarray(-1j * hamiltonian) - jnp.einsum("kji,kjl->il", scaled.conj(), scaled) / 2

    def slope(t, y, args):
        x = y[0] + 1j * y[1]
        half = drift @ x
        change = half + half.conj().T + jnp.einsum("aij,akj->ik", scaled @ x, scaled.conj())
        return jnp.stack([change.real, change.imag])

    @jax.jit
    def solve(start, times):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(slope),
            diffrax.Tsit5(),
            times[0],
            times[-1],
            0.01,
            start,
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=diffrax.PIDController(rtol=1e-8, atol=1e-10),
            max_steps=100_000,
        )
        return jnp.sum(solution.ys[:, 0] * observable, axis=(1, 2))

    rho = workloads.all_up(sites)
    start, times = jnp.asarray(np.stack([rho.real, rho.imag])), jnp.asarray(workloads.TIMES)
    return lambda: solve(start, times)
