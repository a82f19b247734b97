"""Chebyshev expansions of the exponential, in imaginary and real time, against SciPy's Bessel functions and dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.special

from jaxgibbs.linalg import random_sphere
from jaxgibbs.linalg.chebyshev import (
    Bounds,
    bounds_and_ground,
    exp_coefficients,
    exp_product,
    needed_order,
    phase_products,
)

EPS = np.finfo(float).eps


def hermitian(dim, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))
    return (matrix + matrix.conj().T) / 2


coefficients = jax.jit(exp_coefficients, static_argnums=1)


@pytest.mark.parametrize("b", [0.0, 1e-3, 0.7, 30.0, 1e3, 1e5])
def test_coefficients_are_scaled_bessel_functions(b):
    for order in (60, 3000) if b == 1e5 else (60,):
        values, left = coefficients(jnp.asarray(b), order)
        n = np.arange(order + 1)
        wanted = scipy.special.ive(n, b) * np.where(n > 0, 2, 1)
        accurate = b < order**2 / 40  # the recursion is then long enough to forget where it started
        np.testing.assert_allclose(values, wanted, rtol=1e-10 if accurate else 1e-5, atol=1e-14)
        np.testing.assert_allclose(left, 1 - np.sum(wanted), rtol=1e-4, atol=1e-13)


def test_the_order_needed_is_the_least():
    for b, tolerance in ((0.0, 1e-10), (5.0, 1e-8), (2000.0, 1e-12)):
        order = needed_order(b, tolerance)
        terms = 2 * scipy.special.ive(np.arange(1, 4000), b)
        assert np.sum(terms[order:]) < tolerance
        assert order == 0 or np.sum(terms[order - 1 :]) >= tolerance * (1 - 1e-6)
    with pytest.raises(ValueError, match="tolerance"):
        needed_order(1.0, 0.0)


def test_bounds_hold_the_spectrum():
    for seed in range(5):
        matrix = hermitian(40, seed)
        start = random_sphere(jax.random.key(seed), 0, 40, complex)
        bounds, _ = bounds_and_ground(lambda v, m=matrix: m @ v, start, 12)
        levels = np.linalg.eigvalsh(matrix)
        width = levels[-1] - levels[0]
        assert levels[0] - 0.2 * width < bounds.lowest < levels[0]
        assert levels[-1] < bounds.highest < levels[-1] + 0.2 * width


@pytest.mark.parametrize("s", [-2.0, 0.0, 1.5])
def test_the_exponential_within_its_error_bound(s):
    matrix, vector = hermitian(40, 7), np.asarray(random_sphere(jax.random.key(1), 0, 40, complex))
    levels = np.linalg.eigvalsh(matrix)
    bounds = Bounds(jnp.asarray(levels[0] - 0.1), jnp.asarray(levels[-1] + 0.1))
    reference = scipy.linalg.expm(s * (matrix - (levels[0] - 0.1 if s < 0 else levels[-1] + 0.1) * np.eye(40))) @ vector
    for order in (5, 20, 80):
        found, edge, error = exp_product(lambda v: matrix @ v, bounds, jnp.asarray(s), vector, order)
        assert edge == (bounds.highest if s >= 0 else bounds.lowest)
        assert np.linalg.norm(found - reference) <= error * np.linalg.norm(vector) + 1e-12
    assert error < 1e-12


@pytest.mark.slow
def test_phases_and_those_of_too_few_terms():
    levels = jnp.linspace(-1.0, 1.0, 5)
    start = jnp.ones((1, 5), complex)
    for length, known in ((32, True), (8, False)):
        found, error = phase_products(
            lambda v: levels * v, Bounds(levels[0], levels[-1]), start, jnp.array([9.0]), length
        )
        assert (float(error) < 1e-12) == known
        assert bool(np.max(np.abs(found[0, 0] - np.exp(-9j * levels))) < 1e-12) == known
