"""Steady states by jaxgibbs: each function sets up and returns what is timed, from parameters on the host to numbers."""

import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)
import jaxgibbs as jg  # noqa: E402

from . import workloads  # noqa: E402

METHODS = {
    "auto": jg.Auto(),
    "dense": jg.open_systems.Dense(),
    "krylov": jg.open_systems.Krylov(),
    "krylov, one source": jg.open_systems.Krylov(check_uniqueness=False),
    "sparse": jg.open_systems.SparseLU(),
}


def _generator(kind: str, size: int):
    terms, jumps, coefficients, rates, observable = workloads.steady_model(kind, size)

    def generator(p):
        return jg.Lindbladian(jnp.einsum("k,kij->ij", jnp.stack(coefficients(p)), terms), jumps, rates(p))

    return generator, observable


def _reading(kind: str, size: int, method: str):
    generator, observable = _generator(kind, size)

    def value(p):
        rho = jg.steady_state(generator(p), METHODS[method]).value
        return jnp.array([jnp.sum(observable.T * rho).real, jnp.trace(rho).real])

    return value


def steady(kind: str, size: int, method: str):
    """The state with its certificate, and an expectation value."""
    value, point = jax.jit(_reading(kind, size, method)), jnp.asarray(workloads.STEADY_POINT[kind])
    return lambda: value(point)


def steady_gradient(kind: str, size: int, method: str):
    """Its gradient in five parameters, the forward solve included."""
    value = _reading(kind, size, method)
    slope, point = jax.jit(jax.grad(lambda p: value(p)[0])), jnp.asarray(workloads.STEADY_POINT[kind])
    return lambda: slope(point)


def steady_batch(count: int, method: str):
    """Many points of the chain of 4, as one `vmap`."""
    value, points = _reading("chain", 4, method), jnp.asarray(workloads.steady_points(count))
    batch = jax.jit(jax.vmap(lambda p: value(p)[0]))
    return lambda: batch(points)
