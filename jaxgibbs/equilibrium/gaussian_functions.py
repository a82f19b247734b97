"""Thermodynamic functions of quadratic Hamiltonians: from eigenvalues alone, until something is differentiated."""

import functools

import jax.numpy as jnp

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.linalg import decompose
from jaxgibbs.linalg import exponential_family as family
from jaxgibbs.operators import QuadraticBosons
from jaxgibbs.operators.quadratic import AbstractQuadratic

from . import mode_sums
from .gaussian_sums import (
    check_bosons,
    constant_of,
    core_of,
    log_partition_of,
    log_partition_parts,
    mean_energy,
    statistics_of,
)
from .mode_sums import Statistics
from .state import Scalar


@functools.cache
def _of_matrices(quantity, statistics: Statistics):
    return family.from_matrices(functools.partial(quantity, statistics))


def _all_parts(statistics, beta, blocks):
    return (
        *log_partition_parts(statistics, beta, blocks),
        mean_energy(statistics, beta, blocks),
        mode_sums.entropy(statistics, beta, blocks),
        mode_sums.heat_capacity(statistics, beta, blocks),
    )


def _evaluate(quantity, operator: AbstractQuadratic, beta: Scalar):
    """`(beta, quantity)`, with `beta` of the precision of the operator and checked."""
    matrices, _, _ = core_of(operator)
    beta = jnp.asarray(beta, jnp.finfo(operator.dtype).dtype)
    if isinstance(operator, QuadraticBosons) and operator.paired:
        check_bosons(True, beta, beta)
        beta = nan_unless(beta > 0, beta)
    elif isinstance(operator, QuadraticBosons) and is_concrete(matrices, beta):
        return beta, quantity(statistics_of(operator), beta, _checked_levels(matrices, beta))
    return beta, _of_matrices(quantity, statistics_of(operator))(beta, matrices)


def _checked_levels(matrices, beta):
    blocks = tuple(decompose(matrix, eigenvectors=False) for matrix in matrices)
    check_bosons(False, beta, family.spectrum_of(blocks))
    return blocks


def log_partition(operator: AbstractQuadratic, beta: Scalar) -> Scalar:
    """`ln Z`."""
    beta, parts = _evaluate(log_partition_parts, operator, beta)
    return log_partition_of(operator, beta, parts)


def energy(operator: AbstractQuadratic, beta: Scalar) -> Scalar:
    """`<H>`."""
    return _evaluate(mean_energy, operator, beta)[1] + constant_of(operator)


def entropy(operator: AbstractQuadratic, beta: Scalar) -> Scalar:
    """Entropy in nats."""
    return _evaluate(mode_sums.entropy, operator, beta)[1]


def heat_capacity(operator: AbstractQuadratic, beta: Scalar) -> Scalar:
    """`beta^2 Var(H)`."""
    return _evaluate(mode_sums.heat_capacity, operator, beta)[1]


def every(operator: AbstractQuadratic, beta: Scalar) -> tuple[Scalar, ...]:
    """`ln Z`, `U`, `S` and `C`."""
    beta, (*parts, mean, s, c) = _evaluate(_all_parts, operator, beta)
    return log_partition_of(operator, beta, parts), mean + constant_of(operator), s, c
