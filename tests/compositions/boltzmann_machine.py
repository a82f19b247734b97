"""Boltzmann machines: each public name in a number to differentiate, or why not."""

import equinox as eqx
import jax.numpy as jnp

from compositions.common import STRUCTURE, weigh
from jaxgibbs import fitting

DATA = jnp.array([0.5, 0.1, 0.1, 0.3], jnp.float32)


def of_machines(theta):
    machine = fitting.BoltzmannMachine(2, 1, ["X0", "Z0 Z1", "Y1 X2"], theta)
    slope = eqx.filter_grad(lambda m: m.dual(theta**2))(machine)
    natural = fitting.natural_gradient(machine, slope, 0.1)
    return machine.negative_log_likelihood(DATA) + machine(jnp.array([0, 1])) + weigh(natural.couplings)


TABLE = {("fitting.BoltzmannMachine", "fitting.natural_gradient"): of_machines}

EXEMPT = {"fitting.all_pairs": STRUCTURE}
