"""The paths of the GPU report that solve for steady states, alone and in batches."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg


def steady_paths(quick: bool, path) -> list:
    """A list of `path(name, call, inputs, tolerance, reference, flops)`: certificates, which are zero for a right answer."""
    found = []
    cases = [(8, 1), (8, 4), (20, 1), (20, 3)] if quick else [(d, 1) for d in (16, 64, 128, 256, 512, 1024)]
    cases += [] if quick else [(16, 1000), (64, 100), (128, 16), (256, 4)]
    for dtype, tolerance in ((np.complex64, 1e-4), (np.complex128, 1e-9)):
        for dim, count in cases:
            rng = np.random.default_rng(dim)
            hamiltonians = _hamiltonians(rng, dim, count).astype(dtype)
            rates = rng.uniform(0.5, 1.5, (count, 3)).astype(np.finfo(dtype).dtype)
            jumps = _jumps(dim, np.finfo(dtype).dtype)

            def certificate(hamiltonian, rates, jumps=jumps):
                solution = jg.steady_state(jg.Lindbladian(hamiltonian, jumps, rates), throw=False)
                return jnp.stack([solution.stats["residual"], solution.stats["uniqueness"]])

            def slope(hamiltonian, rates, jumps=jumps):
                # A common factor of Hamiltonian and rates leaves the state as it is.
                def scaled(t):
                    return jg.steady_state(jg.Lindbladian(t * hamiltonian, jumps, t * rates)).value[0, 0].real

                return jnp.stack([jax.grad(scaled)(jnp.ones((), rates.dtype))] * 2)

            for name, call in (("steady state", certificate), ("its gradient", slope)):
                if name == "its gradient" and (count > 1 or dim > 512):
                    continue
                flops = count * 20 * 16 * 8.0 * dim**3  # twenty steps of sixteen complex products
                label = f"{name}, d={dim}, {np.dtype(dtype).name}" + (f", batch of {count}" if count > 1 else "")
                zero = np.zeros((count, 2)) if count > 1 else np.zeros(2)
                batched = jax.vmap(call) if count > 1 else call
                inputs = (hamiltonians, rates) if count > 1 else (hamiltonians[0], rates[0])
                found.append(path(label, batched, inputs, tolerance, lambda *_, zero=zero: zero, flops))
    return found


def _hamiltonians(rng, dim, count):
    """Random Hermitian matrices of norm about 1."""
    x = rng.standard_normal((count, dim, dim)) + 1j * rng.standard_normal((count, dim, dim))
    return (x + x.conj().swapaxes(1, 2)) / (4 * np.sqrt(dim))


def _jumps(dim, dtype):
    """Down and up a ladder, and dephasing."""
    down = np.diag(np.sqrt(np.arange(1, dim) / dim), 1).astype(dtype)
    return [down, down.T / 2, np.diag(np.linspace(-1, 1, dim)).astype(dtype)]
