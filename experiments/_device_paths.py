"""The paths of the GPU report that use several devices at once: split vectors, shared probes, batches where they lie."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jaxgibbs as jg


def several_devices(quick: bool, path) -> list:
    """A list of `path(name, call, inputs, tolerance, reference, flops, bytes)`; empty where there is one device."""
    bits = jax.device_count().bit_length() - 1
    if not bits:
        return []
    count = 1 << bits
    mesh = jax.make_mesh((count,), ("devices",), axis_types=(AxisType.Auto,), devices=jax.devices()[:count])
    return [*_products(quick, path, mesh), *_lanczos(quick, path, mesh), _batch(quick, path, mesh)]


def _products(quick, path, mesh):
    """`H` on the fully polarised state, which is an eigenvector, `E = (sites - 1) / 4`, and what that exchanges."""
    sites, split = 12 if quick else 30, NamedSharding(mesh, P("devices"))
    chain = jg.models.heisenberg_chain(sites)

    def residual(angle):
        vector, one = jnp.ones(1), jnp.stack([jnp.cos(angle), jnp.sin(angle)])
        for _ in range(sites):
            vector = (vector[:, None] * one).ravel()
        vector = jax.lax.with_sharding_constraint(vector, split)
        return jnp.max(jnp.abs(chain.matvec(vector) - (sites - 1) / 4 * vector))

    traffic = 2.0 * 8 * 2**sites / mesh.size
    name = f"H v, Heisenberg, {sites} qubits on {mesh.size} devices"
    yield path(name, residual, (np.array(0.4),), 1e-12, lambda _: np.zeros(()), 0.0, traffic)

    def exchanges(zero):
        given = jax.ShapeDtypeStruct((2**sites,), float, sharding=split)
        text = jax.jit(lambda v: chain.matvec(v)).lower(given).compile().as_text()
        kinds = ("collective-permute", "all-gather", "all-to-all")
        return zero + jnp.array([text.count(f" {kind}(") + text.count(f" {kind}-start(") for kind in kinds])

    flips = mesh.size.bit_length() - 1  # the bonds of the device qubits, and the one to the next qubit
    yield path(
        "its exchanges: pairs, gathers, all to all", exchanges, (np.zeros(3),), 0.5, lambda _: np.array([flips, 0, 0])
    )


def _lanczos(quick, path, mesh):
    """Against the same probes on one device."""
    sites, betas = (8 if quick else 20), np.geomspace(0.1, 2, 20)
    chain = jg.models.heisenberg_chain(sites)

    def curves(betas, sharding=None):
        method = jg.Lanczos(probes=4, depth=10 if quick else 40, sharding=sharding)
        return jax.vmap(jg.thermal_spectrum(chain, method=method).log_partition)(betas)

    for what, spec in (("probes", P("devices")), ("vectors", P(None, "devices"))):
        yield path(
            f"Lanczos quadrature, {sites} qubits, {what} on {mesh.size} devices",
            lambda betas, spec=spec: curves(betas, NamedSharding(mesh, spec)),
            (betas,),
            1e-12,
            lambda betas: np.asarray(jax.jit(curves)(betas)),
        )


def _batch(quick, path, mesh):
    """ln Z of many matrices against NumPy."""
    rng = np.random.default_rng(2)
    matrices = rng.standard_normal((mesh.size * (4 if quick else 250), 16, 16))
    matrices = (matrices + np.swapaxes(matrices, 1, 2)) / 8

    def log_z(matrices):
        matrices = jax.lax.with_sharding_constraint(matrices, NamedSharding(mesh, P("devices")))
        return jax.vmap(lambda matrix: jg.log_partition(matrix, 2.0))(matrices)

    def expected(matrices):
        return np.log(np.sum(np.exp(-2 * np.linalg.eigvalsh(matrices)), axis=1))

    return path(f"log Z of {len(matrices)} matrices on {mesh.size} devices", log_z, (matrices,), 1e-12, expected)
