"""Equilibrium: each public name in a number to differentiate, or why not."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from compositions.common import (
    ANSWER,
    BETA,
    CHOICE,
    A,
    B,
    chain,
    log_z,
    matrix,
    of_charges,
    of_state,
    of_tree,
    square,
    weigh,
)
from jaxgibbs import models, operators


def of_gibbs_state(theta):
    state = jg.gibbs_state(matrix(theta), BETA)
    more = state.free_energy + state.energy_variance + state.heat_capacity + state.susceptibility(A, B)
    return (
        of_state(state)
        + more
        + weigh(state.populations)
        + weigh(state.in_basis(operators.bell_basis().astype(np.float32)))
    )


FIXED = tuple(
    f"equilibrium.{name}"
    for name in ("canonical_log_partition", "canonical_occupations", "parity_log_partition", "ring_log_partition")
)


def of_fixed_number(theta):
    equilibrium = jg.equilibrium
    modes = operators.Fermions(theta), operators.Bosons(theta)
    total = sum(equilibrium.canonical_log_partition(m, BETA, 2) for m in modes)
    total = total + weigh(equilibrium.canonical_occupations(modes[0], BETA, 2))
    rings = [models.xx_ring_modes(4, theta[0], theta[1]), models.transverse_ising_ring_modes(4, theta[1], theta[2])]
    total = total + equilibrium.parity_log_partition(theta, BETA, -1)
    return total + sum(equilibrium.ring_log_partition(sectors, BETA) for sectors in rings)


def of_hartree_fock(theta):
    one = jnp.array([[0.0, -1.0], [-1.0, 0.3]], jnp.float32) * square(theta[0])
    two = jnp.zeros((2, 2, 2, 2), jnp.float32).at[0, 0, 0, 0].set(theta[1]).at[1, 1, 1, 1].set(0.5 * theta[2])
    value = jg.equilibrium.hartree_fock(one, two, BETA, chemical_potential=theta[2]).value
    return value.free_energy + value.entropy + weigh(value.densities)


def of_bcs(theta):
    state = jg.equilibrium.bcs_state(theta, 2 * square(theta[0]), 4 * BETA).value
    return of_tree(state) + jg.equilibrium.bcs_critical_temperature(theta, square(theta[1]), theta[2])


TABLE = {
    "log_partition": lambda theta: log_z(matrix(theta)) + log_z(chain(theta)),
    "energy": lambda theta: jg.energy(matrix(theta), BETA),
    "entropy": lambda theta: jg.entropy(matrix(theta), BETA),
    "heat_capacity": lambda theta: jg.heat_capacity(matrix(theta), BETA),
    "free_energy": lambda theta: jg.free_energy(matrix(theta), square(theta[2])),
    "expectation": lambda theta: jg.expectation(matrix(theta), BETA, A),
    "thermodynamics": lambda theta: of_tree(jg.thermodynamics(matrix(theta), square(theta[2]))),
    "generalized_forces": lambda theta: weigh(jg.generalized_forces(matrix(theta), BETA)),
    "gibbs_state": of_gibbs_state,
    "thermal_spectrum": lambda theta: weigh(jax.vmap(jg.thermal_spectrum(matrix(theta)).heat_capacity)(theta[:2])),
    "Lanczos": lambda theta: jg.energy(chain(theta), BETA, method=jg.Lanczos(probes=2, depth=8)),
    "generalized_gibbs_state": lambda theta: of_state(jg.generalized_gibbs_state(of_charges(theta), theta[1:])),
    FIXED: of_fixed_number,
    "equilibrium.hartree_fock": of_hartree_fock,
    ("equilibrium.bcs_state", "equilibrium.bcs_critical_temperature"): of_bcs,
}

EXEMPT = {
    **dict.fromkeys(("GibbsState", "GeneralizedGibbsState", "Thermodynamics", "Solution", "RESULTS"), ANSWER),
    "thermal_pure_states": "vectors, whose derivatives are refused: those of traces are better taken from `Lanczos`",
    "equilibrium.thermal_gradient": "itself a gradient, whose derivatives are refused: those of `log_partition` are offered",
    "equilibrium.ThermalPureStates": ANSWER,
    "equilibrium.VariationalState": ANSWER,
    "equilibrium.BCSState": ANSWER,
    "equilibrium.SelfConsistency": CHOICE,
    "equilibrium.Chebyshev": CHOICE,
}
