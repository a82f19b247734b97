"""Fits: each public name in a number to differentiate, or why not."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from compositions.common import ANSWER, BETA, CHOICE, TERMS, A, B, matrix, of_charges, of_tree, square, weigh
from jaxgibbs import fitting, operators


def targets(theta):
    """Expectation values that some state has."""
    return 0.3 * jnp.tanh(theta[:2])


def line(parameters):
    return parameters["slope"] * jnp.arange(4, dtype=jnp.float32) + parameters["offset"]


def of_fit_model(theta):
    start = {"slope": jnp.zeros((), theta.dtype), "offset": jnp.zeros((), theta.dtype)}
    data = line({"slope": theta[0], "offset": theta[1]}) + theta[2] * jnp.asarray([0.1, -0.1, 0.2, 0.0], theta.dtype)
    fit = jg.fit_model(line, start, data, jnp.full(4, 0.01, theta.dtype))
    return of_tree(fit.value) + weigh(fit.stats["covariance"])


def of_chemical_potential(theta):
    number = 1.5 + 0.3 * jnp.tanh(theta[0])
    fits = [jg.fit_chemical_potential(kind(theta), BETA, number) for kind in (operators.Fermions, operators.Bosons)]
    return fits[0].value + fits[1].value


TABLE = {
    "fit_chemical_potential": of_chemical_potential,
    "fitting.multipliers_of_occupations": lambda theta: weigh(
        fitting.multipliers_of_occupations(jax.nn.sigmoid(theta))
        + fitting.multipliers_of_occupations(square(theta), bosonic=True)
    ),
    "fit_multipliers": lambda theta: weigh(jg.fit_multipliers(of_charges(theta), targets(theta), copies=10.0).value),
    "fit_expectations": lambda theta: weigh(
        jg.fit_expectations(
            of_charges(theta),
            [A, B, TERMS[2].astype(np.complex64)],
            0.3 * jnp.tanh(theta),
            jnp.full(3, 0.01, theta.dtype),
        ).value
    ),
    "fit_model": of_fit_model,
    "fit_beta": lambda theta: jg.fit_beta(matrix(theta), energy=jg.energy(matrix(theta), 0.5) + 0.05 * theta[0]).value,
    "entropy_at_energy": lambda theta: jg.entropy_at_energy(
        matrix(theta), jg.energy(matrix(theta), 0.5) + 0.05 * theta[0]
    ),
    "energy_at_entropy": lambda theta: jg.energy_at_entropy(matrix(theta), 1.2 + 0.05 * theta[0]),
    "fitting.dual": lambda theta: fitting.dual(theta[:2], of_charges(theta), targets(theta)),
    "fitting.negative_log_likelihood": lambda theta: fitting.negative_log_likelihood(
        matrix(theta), jnp.diag(jnp.asarray([0.4, 0.3, 0.2, 0.1], jnp.float32))
    ),
    "fitting.quantum_fisher_information": lambda theta: weigh(
        fitting.quantum_fisher_information(of_charges(theta), theta[:2])
    ),
    "fitting.local_thermometry_bounds": lambda theta: jnp.log(
        of_tree(fitting.local_thermometry_bounds(matrix(theta), BETA, (2, 2), 0))
    ),
    "fitting.optimal_thermometer": lambda theta: (
        fitting.optimal_thermometer(5, square(theta[0])).information
        + jg.heat_capacity(fitting.optimal_thermometer(3, square(theta[0])).hamiltonian, square(theta[1]))
    ),
    "fitting.thermometry_bounds": lambda theta: of_tree(fitting.thermometry_bounds(matrix(theta), BETA)),
}

EXEMPT = {
    "fitting.OptimalThermometer": ANSWER,
    **dict.fromkeys(("Auto", "Exact", "fitting.DualNewton", "fitting.LeastSquares"), CHOICE),
}
