"""Strong coupling: each public name in a number to differentiate."""

import jax.numpy as jnp

from compositions.common import ANSWER, BETA, CHOICE, B, matrix, of_tree, square, weigh
from jaxgibbs import baths, strong_coupling


def of_mean_force(theta):
    return of_tree(strong_coupling.mean_force(matrix(theta), matrix(theta[::-1])[:2, :2], BETA))


def of_second_order(theta):
    frequencies, strengths = square(theta[:2]), jnp.float32(0.2) * theta[1:]
    return weigh(strong_coupling.weak_mean_force(matrix(theta), B, frequencies, strengths, BETA))


def of_oscillator(theta):
    bath = baths.DrudeLorentzBath(square(theta[0]), square(theta[1]), square(theta[2]))
    x = strong_coupling.damped_oscillator(square(theta[1]), bath, mass=square(theta[0]))
    free = strong_coupling.damped_particle(bath, mass=square(theta[0]))
    return (
        x.heat_capacity + x.entropy + x.free_energy + x.effective_frequency + x.effective_mass + x.state_entropy
    ) / 5 + free.heat_capacity


def of_coordinate(theta):
    mapped = strong_coupling.reaction_coordinate(baths.FiniteBath(jnp.cumsum(square(theta)), square(theta[::-1]) / 4))
    return of_tree(mapped)


def of_continuum(theta):
    bath = baths.OhmicBath(BETA, square(theta[0]) / 50, square(theta[1]))
    return of_tree(strong_coupling.weak_coupling(matrix(theta), [(B, bath)]))


def of_modes(theta):
    bath = baths.FiniteBath(square(theta[:1]), theta[1:2] / 4)
    return of_tree(strong_coupling.mean_force_of_modes(matrix(theta), B, bath, BETA, 4, throw=False).value)


def of_limits(theta):
    bath = baths.FiniteBath(square(theta[:1]), theta[1:2])
    x = jnp.diag(jnp.asarray([1.0, 1.0, -1.0, 0.0], jnp.float32))
    return (
        of_tree(strong_coupling.ultrastrong(matrix(theta), x, BETA))
        + of_tree(strong_coupling.independent_boson(jnp.diag(theta), jnp.diag(theta), bath, BETA))
        + of_tree(strong_coupling.dispersive_qubit(theta[0], square(theta[1]), theta[2] / 2, BETA))
    )


def of_gaussians(theta):
    bath = baths.FiniteBath(jnp.cumsum(square(theta)), theta / 4)
    x = strong_coupling.oscillator_of_modes(square(theta[0]), bath, BETA, mass=square(theta[1]))
    lead = baths.FiniteLead(theta, theta[::-1] / 2)
    whole = strong_coupling.coupled_to_leads(jnp.diag(theta[1:]), [(0, lead), (1, lead)], theta[0])
    answer = strong_coupling.fermionic_mean_force(whole, [0, 1], BETA)
    return of_tree(x) / 3 + of_tree((answer, answer.free_energy))


def of_sampled(theta):
    method = strong_coupling.BathProbes(3, order=12)
    return of_tree(
        strong_coupling.sampled_mean_force(matrix(theta), matrix(theta[::-1])[:2, :2], BETA, method=method).value
    )


TABLE = {
    "strong_coupling.sampled_mean_force": of_sampled,
    (
        "strong_coupling.oscillator_of_modes",
        "strong_coupling.coupled_to_leads",
        "strong_coupling.fermionic_mean_force",
    ): of_gaussians,
    "strong_coupling.weak_coupling": of_continuum,
    ("strong_coupling.coupled_to_modes", "strong_coupling.mean_force_of_modes"): of_modes,
    ("strong_coupling.ultrastrong", "strong_coupling.independent_boson", "strong_coupling.dispersive_qubit"): of_limits,
    "strong_coupling.reaction_coordinate": of_coordinate,
    ("strong_coupling.damped_oscillator", "strong_coupling.damped_particle"): of_oscillator,
    "strong_coupling.mean_force": of_mean_force,
    "strong_coupling.weak_mean_force": of_second_order,
}

ANSWERS = ("MeanForce", "OscillatorMeanForce", "FermionicMeanForce", "ReactionCoordinate")
EXEMPT = {f"strong_coupling.{name}": ANSWER for name in ANSWERS} | {"strong_coupling.BathProbes": CHOICE}
