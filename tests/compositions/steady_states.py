"""Steady states: each public name in a number to differentiate, or why not."""

import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from compositions.common import ANSWER, CHOICE, B, matrix, square, weigh

JUMPS = [np.diag(np.sqrt(np.arange(1, 4, dtype=np.float32)), 1), B]
SITES = np.eye(4, dtype=np.float32)
DIFFERENT = jnp.arange(1.0, 5.0, dtype=jnp.float32)


def generator(theta):
    return jg.Lindbladian(matrix(theta), JUMPS, square(theta[:2]))


def of_steady_state(theta):
    return weigh(jg.steady_state(generator(theta)).value)


def of_rates(theta):
    rates = 1 + (matrix(theta) * matrix(theta).conj()).real
    return weigh(jg.open_systems.stationary_distribution(rates * DIFFERENT))


def of_gap(theta):
    return jg.spectral_gap(generator(theta)) + weigh(jg.slow_modes(generator(theta), 2).eigenvalues.real)


def of_fermions(theta):
    loss, gain = (SITES, square(theta[0]) * DIFFERENT), (SITES, square(theta[1]) * jnp.ones(4, jnp.float32))
    return weigh(jg.open_systems.quasi_free_steady_state(matrix(theta), loss, gain).value)


TABLE = {
    "steady_state": of_steady_state,
    "open_systems.stationary_distribution": of_rates,
    ("spectral_gap", "slow_modes"): of_gap,
    "open_systems.quasi_free_steady_state": of_fermions,
}

EXEMPT = {
    "open_systems.AbstractSteadyMethod": CHOICE,
    "open_systems.Dense": CHOICE,
    "open_systems.Krylov": CHOICE,
    "open_systems.Populations": CHOICE,
    "open_systems.Relaxation": CHOICE,
    "open_systems.SparseLU": CHOICE,
    "open_systems.Arnoldi": CHOICE,
    "open_systems.SlowModes": ANSWER,
    "open_systems.SteadyStates": "how many there are is decided by values, outside `jit`",
    "open_systems.steady_states": "how many there are is decided by values, outside `jit`",
    "mixing_time": "has no derivatives, and says so by NaN",
}
