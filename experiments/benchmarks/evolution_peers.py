"""The peers of states along time: SciPy, QuTiP, dynamiqs and diffrax."""

import numpy as np

from . import workloads


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
