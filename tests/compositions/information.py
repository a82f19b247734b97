"""Entropies, distances, correlations and metrics: each public name in a number to differentiate."""

import jax.numpy as jnp

from compositions.common import BETA, A, B, matrix, positive, weigh
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


def of_pairs(theta):
    bell = jnp.zeros((4, 4), jnp.complex64).at[jnp.ix_(jnp.array([0, 3]), jnp.array([0, 3]))].set(0.5)
    rho = 0.6 * bell + 0.4 * state(theta)
    return (
        information.mutual_information(rho, (2, 2), 0)
        + information.area_law_bound(jnp.asarray(B), rho, (2, 2), 1, BETA)
        + weigh(information.partial_transpose(matrix(theta), (2, 2), 0))
        + information.logarithmic_negativity(rho, (2, 2), 0)
        + information.negativity(rho, (2, 2), 1)
        + information.concurrence(rho)
        + information.entanglement_of_formation(rho)
    )


def of_metrics(theta):
    rho, moves = state(theta), jnp.stack([jnp.asarray(A), matrix(theta)])
    found = [
        information.quantum_fisher_information(rho, moves),
        information.wigner_yanase_metric(rho, moves),
        information.kubo_mori_metric(rho, moves),
        information.monotone_metric(rho, moves, harmonic),
        information.symmetric_logarithmic_derivative(rho, moves[0]),
        information.classical_fisher_information(jnp.diagonal(rho).real, jnp.diagonal(moves[1]).real),
    ]
    return sum(weigh(x) for x in found) + information.bures_distance(rho, state(-theta[::-1]))


def harmonic(x, y):
    return 2 * x * y / (x + y)


def named(*names):
    return tuple(f"information.{name}" for name in names)


TABLE = {
    named("von_neumann_entropy", "relative_entropy", "trace_distance", "fidelity"): of_states,
    named(
        "mutual_information",
        "area_law_bound",
        "partial_transpose",
        "negativity",
        "logarithmic_negativity",
        "concurrence",
        "entanglement_of_formation",
    ): of_pairs,
    named(
        "quantum_fisher_information",
        "wigner_yanase_metric",
        "kubo_mori_metric",
        "monotone_metric",
        "symmetric_logarithmic_derivative",
        "classical_fisher_information",
        "bures_distance",
    ): of_metrics,
    "information.pullback_metric": lambda theta: weigh(information.pullback_metric(state, theta)),
}

EXEMPT = {}
