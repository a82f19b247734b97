"""Operators: each public name in a number to differentiate, or why not."""

import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from compositions.common import BETA, STRUCTURE, TERMS, A, B, log_z, matrix, of_tree, square, weigh
from jaxgibbs import operators
from jaxgibbs.operators import LocalSum, LocalTerms, PauliSum, PauliTerms, SparseTerms, TermSum

SPARSE = SparseTerms.from_matrices({"theta": list(TERMS)})


STRINGS = PauliTerms.from_strings(8, {"theta": ["X0 X1 + Y0 Y1", "Z0 Z7 - X3", "Y0 Y7 + Z2"]})


LOCAL = LocalTerms([2, 3, 2], {"theta": [(TERMS[0], (2, 0)), (np.diag([1.0, 0, -1]), 1), [(TERMS[1], (0, 2))]]})


MATRICES = tuple(f"operators.{name}" for name in ("Dense", "Scaled", "Sum", "TermSum"))


def of_pauli_sum(theta):
    operator = PauliSum({"theta": theta}, STRINGS)
    small = PauliTerms.from_strings(2, {"theta": ["X0 X1", "Z0", "Y0 - Z1"]})
    return weigh(operator.matvec(jnp.cos(jnp.arange(256.0, dtype=theta.dtype)))) + log_z(
        PauliSum({"theta": theta}, small)
    )


def of_local_sum(theta):
    operator = LocalSum({"theta": theta}, LOCAL)
    return weigh(operator.matvec(jnp.cos(jnp.arange(12.0, dtype=theta.dtype)))) + log_z(operator)


def of_quadratic(theta):
    pairing = jnp.asarray([[0.0, 0.5], [-0.5, 0.0]], theta.dtype) * theta[2]
    one_body = theta[0] * jnp.eye(2, dtype=theta.dtype) + jnp.asarray([[0.0, 1.0], [1.0, 0.5]], theta.dtype)
    state = jg.gibbs_state(operators.QuadraticFermions(one_body, pairing), BETA)
    total = weigh(state.correlation_matrix()) + weigh(state.pairing_matrix()) + state.reduced_entropy((0,))
    return (
        total + state.entropy + state.ladder_expectation((0, 1), (1, 0)) + state.product_expectation(one_body, one_body)
    )


def of_quadratic_bosons(theta):
    one_body = jnp.diag(square(theta[:2])) + 2 * jnp.eye(2, dtype=theta.dtype)
    state = jg.gibbs_state(operators.QuadraticBosons(one_body, theta[2] * jnp.ones((2, 2), theta.dtype)), BETA)
    return state.log_partition + weigh(state.correlation_matrix()) + state.reduced_entropy((0,)) + state.heat_capacity


TABLE = {
    MATRICES: lambda theta: log_z(
        operators.Sum(
            (operators.Scaled(theta[0], operators.Dense(A)), TermSum({"theta": theta}, SPARSE), operators.Dense(B))
        )
    ),
    "operators.PauliSum": of_pauli_sum,
    "operators.LocalSum": of_local_sum,
    "operators.Spectrum": lambda theta: of_tree(jg.thermodynamics(operators.Spectrum(theta, 2 * theta), BETA)),
    "operators.Fermions": lambda theta: of_tree(jg.thermodynamics(operators.Fermions(theta), BETA)),
    "operators.Bosons": lambda theta: of_tree(jg.thermodynamics(operators.Bosons(square(theta)), BETA)),
    "operators.QuadraticFermions": of_quadratic,
    "operators.QuadraticBosons": of_quadratic_bosons,
    "operators.KroneckerSum": lambda theta: of_tree(
        jg.thermodynamics(operators.KroneckerSum([matrix(theta), operators.Fermions(theta)]), BETA)
    ),
    "operators.simplify": lambda theta: log_z(
        operators.simplify(theta[0] * operators.Fermions(theta) + operators.Fermions(theta))
    ),
    "operators.hermitian_gradient": lambda theta: weigh(operators.hermitian_gradient(log_z)(matrix(theta))),
}

EXEMPT = {
    **dict.fromkeys(
        ("operators.AbstractOperator", "operators.as_operator"),
        "an interface; every operator of the table goes through it",
    ),
    **dict.fromkeys(
        tuple(
            f"operators.{name}"
            for name in ("SparseTerms", "PauliTerms", "LocalTerms", "BlockStructure", "block_structure", "bell_basis")
        ),
        STRUCTURE,
    ),
    **dict.fromkeys(
        (
            f"operators.{kind}Tail"
            for kind in ("Abstract", "Ladder", "Power", "Rotor", "Top", "Logarithmic", "Continuum")
        ),
        "a bound, with derivative zero by definition",
    ),
}
