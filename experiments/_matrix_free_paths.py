"""The paths of the GPU report that store no matrix: products with vectors, Lanczos, sectors, free modes."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg


def matrix_free(quick: bool, path) -> list:
    """A list of `path(name, call, inputs, tolerance, reference, flops, bytes)`."""
    found = []
    for sites in (10, 13) if quick else (20, 24, 26, 28):
        for dtype in (np.float32, np.float64, np.complex128):
            eps, label = float(np.finfo(dtype).eps), np.dtype(dtype).name
            traffic = 2.0 * np.dtype(dtype).itemsize * 2**sites
            angles = (np.array(0.4), np.array(0.7))
            for name, call, exact in (
                ("Heisenberg", _ferromagnet_residual, lambda *_: np.zeros(())),
                ("transverse Ising", _ising_norm, lambda *_, n=sites: np.sqrt(0.49 * n**2 + n - 1)),
            ):

                def run(angle, phase, call=call, sites=sites, dtype=dtype):
                    return call(sites, dtype, angle, phase)

                tolerance = 50 * sites * eps
                found.append(path(f"H v, {name}, {sites} qubits, {label}", run, angles, tolerance, exact, 0.0, traffic))
    sites, betas = (10 if quick else 20), np.geomspace(0.1, 2, 20)

    def stochastic(betas):
        spectrum = jg.thermal_spectrum(jg.models.heisenberg_chain(sites), method=jg.Lanczos(probes=4, depth=40))
        return jnp.stack([jax.vmap(f)(betas) for f in (spectrum.log_partition, spectrum.energy)])

    def stochastic_gradient(values):
        method = jg.Lanczos(probes=4, depth=40)
        chain = jg.models.heisenberg_chain(sites, values)
        return jax.grad(lambda h: jg.log_partition(h, 1.0, method=method))(chain).couplings["coupling"]

    found.append(path(f"Lanczos quadrature, {sites} qubits", stochastic, (betas,), 1e-9))
    found.append(path(f"its gradient, {sites} qubits", stochastic_gradient, (np.ones(sites - 1),), 1e-8))
    ring = 9 if quick else 12

    def sectors(betas):
        t = jax.vmap(jg.thermodynamics, (None, 0))(jg.models.heisenberg_ring(ring, 1.0, 0.1), betas)
        return jnp.stack([t.log_partition, t.heat_capacity])

    found.append(path(f"sectors of a ring of {ring}, 20 temperatures", sectors, (betas,), 1e-10))
    modes = 50 if quick else 1000

    def hopping(betas):
        chain = jg.models.tight_binding_chain(modes, 1.0, periodic=True)
        return jax.vmap(lambda beta: jg.log_partition(chain, beta))(betas)

    def exact(betas):
        energies = -2 * np.cos(2 * np.pi * np.arange(modes) / modes)
        return np.sum(np.logaddexp(0, -betas[:, None] * energies), axis=1)

    found.append(path(f"log Z of {modes} hopping modes", hopping, (betas,), 1e-10, exact))
    return found


def _product_state(sites: int, dtype, angle, phase):
    """Every spin along one direction, as a vector of length 1."""
    turn = jnp.exp(1j * phase) if np.issubdtype(dtype, np.complexfloating) else 1.0
    one = jnp.stack([jnp.cos(angle), jnp.sin(angle) * turn]).astype(dtype)
    vector = jnp.ones(1, dtype)
    for _ in range(sites):
        vector = (vector[:, None] * one).ravel()
    return vector


def _ferromagnet_residual(sites, dtype, angle, phase):
    """The fully polarised state is an eigenvector of the Heisenberg chain along any direction, `E = (sites - 1) / 4`."""
    real = np.finfo(dtype).dtype
    chain = jg.models.heisenberg_chain(sites, jnp.asarray(1.0, real), jnp.asarray(0.0, real))
    vector = _product_state(sites, dtype, angle, phase)
    return jnp.max(jnp.abs(chain.matvec(vector) - (sites - 1) / 4 * vector)).astype(real)


def _ising_norm(sites, dtype, angle, phase):
    """Along x the field gives an eigenvalue and the bonds give orthogonal vectors: `|H v|^2 = g^2 N^2 + J^2 (N - 1)`."""
    del angle, phase
    real = np.finfo(dtype).dtype
    chain = jg.models.transverse_ising_chain(sites, jnp.asarray(1.0, real), jnp.asarray(0.7, real))
    vector = _product_state(sites, dtype, jnp.asarray(np.pi / 4), jnp.asarray(0.0))
    return jnp.linalg.norm(chain.matvec(vector)).astype(real)
