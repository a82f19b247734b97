"""The peers of matrices: the same work by NumPy, PyTorch, QuTiP, QuSpin and plain JAX, each in its own best-known few lines."""

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


def quspin_chain(sites: int, **sector):
    """The Heisenberg chain as an operator of QuSpin, in a sector or the whole space."""
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
                        found = quspin_chain(sites, **sector).eigvalsh()
                    except ValueError:  # an empty sector
                        continue
                    levels += [found] * (1 if middle else 2)
        levels = np.concatenate(levels)
        assert len(levels) == 2**sites
        return _table(levels)

    return call


def _terms(sites: int) -> tuple[np.ndarray, list[tuple]]:
    """Couplings, and rows, columns and values of their terms."""
    entries, couplings = workloads.chain_entries(sites), workloads.chain_couplings(sites)
    return np.concatenate(list(couplings.values())), [term for name in couplings for term in entries[name]]


def _entries(sites: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Couplings, and of all entries together the number of the term, row, column and value."""
    theta, terms = _terms(sites)
    which = np.repeat(np.arange(len(terms)), [len(term[0]) for term in terms])
    return theta, which, *(np.concatenate(part) for part in zip(*terms, strict=True))


def numpy_gradient(sites: int):
    """The rule `-<T_k>` written by hand: one `eigh`, one product, contractions over the nonzero elements."""
    theta, terms = _terms(sites)

    def call():
        hamiltonian = np.zeros((2**sites, 2**sites))
        for t, (row, column, value) in zip(theta, terms, strict=True):
            hamiltonian[row, column] += t * value
        levels, vectors = np.linalg.eigh(hamiltonian)
        p = np.exp(-(levels - levels[0]))
        rho = (vectors * (p / p.sum())) @ vectors.T
        return np.array([-(rho[row, column] * value).sum() for row, column, value in terms])

    return call


def _torch_entries(sites: int):
    import torch

    theta, which, row, column, value = _entries(sites)
    return *(torch.from_numpy(x) for x in (theta, which, row * 2**sites + column, value)), 2**sites


def torch_gradient(sites: int):
    """Autograd through `torch.linalg.eigvalsh`."""
    import torch

    start, which, flat, weights, dim = _torch_entries(sites)

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
    theta, which, row, column, value = _entries(sites)

    def log_z(first, rest):
        t = jnp.concatenate([first, rest])
        hamiltonian = jnp.zeros((2**sites, 2**sites)).at[row, column].add(value * t[which])
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

    start, which, flat, weights, dim = _torch_entries(sites)

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
