"""Electrons, molecules and wells: each public name in a number to differentiate."""

import jax.numpy as jnp

from compositions.common import BETA, log_z, square
from jaxgibbs import models

PAIR = jnp.zeros((2, 2, 2, 2), jnp.float32).at[0, 0, 0, 0].set(1.0)


def of_molecules(theta):
    one = jnp.array([[0.0, 1.0], [1.0, 0.0]], jnp.float32) * theta[0]
    return (
        log_z(models.molecule(one, PAIR * theta[1], theta[2]))
        + log_z(models.hydrogen_molecule(1 + square(theta[0])))
        + log_z(models.anderson_impurity(theta[0], theta[1], theta[2:], theta[1]))
    )


def of_wells(theta):
    return log_z(models.morse(9 + square(theta[0]), 0.5 + 0.1 * square(theta[1]), levels=3)) + log_z(
        models.diatomic(0.5 + square(theta[1]), square(theta[2]))
    )


def of_double_well(theta):
    well = models.double_well(square(theta[0]), 2.0 + 0 * theta[1], beta=BETA, levels=40)
    return log_z(well.hamiltonian)


TABLE = {
    ("models.molecule", "models.hydrogen_molecule", "models.anderson_impurity"): of_molecules,
    ("models.morse", "models.diatomic"): of_wells,
    ("models.double_well",): of_double_well,
}

EXEMPT = {}
