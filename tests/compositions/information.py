"""Entropies and distances: each public name in a number to differentiate."""

import jax.numpy as jnp

from compositions.common import positive
from jaxgibbs import information


def state(theta):
    rho = positive(theta)
    return rho / jnp.trace(rho).real


def of_states(theta):
    rho, sigma = state(theta), state(-theta[::-1])
    return (
        information.von_neumann_entropy(rho)
        + information.relative_entropy(rho, sigma)
        + information.trace_distance(rho, sigma)
        + information.fidelity(rho, sigma)
    )


TABLE = {
    tuple(
        f"information.{name}" for name in ("von_neumann_entropy", "relative_entropy", "trace_distance", "fidelity")
    ): of_states,
}

EXEMPT = {}
