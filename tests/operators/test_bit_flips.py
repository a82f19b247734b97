"""The product of a sum of Pauli strings, by each of its ways: window, diagonal, axes reversed, rows and elements moved."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgibbs.operators import axis_flips
from jaxgibbs.operators.bit_flips import FlipMap, FlipPlan

SITES = 9


def strings(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random flips and signs: on all bits, on a few, on rows alone and on columns alone; and bonds of a chain."""
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 1 << SITES, (2, count))
    few = rng.integers(0, 1 << SITES, (2, count)) & masks & rng.integers(0, 1 << SITES, (2, count))
    bonds = np.array([[3 << k for k in range(SITES - 1)] * 2, [0] * (SITES - 1) + [3 << k for k in range(SITES - 1)]])
    many = np.array([[1 << 8, 1 << 7], [0b111110000] * 2])  # bits that decide
    x, z = np.concatenate([masks, few, few & ~15, masks & 31, np.array([[0], [1]]) * masks, bonds, many], axis=1)
    return x, z


def dense(coefficients, x, z) -> np.ndarray:
    """The matrix, from `|s> -> (-1)^{|z & s|} |s ^ x>`."""
    states = np.arange(1 << SITES)
    matrix = np.zeros((1 << SITES, 1 << SITES), complex)
    for c, flip, sign in zip(coefficients, x, z, strict=True):
        matrix[states ^ flip, states] += c * (1.0 - 2.0 * (np.bitwise_count(states & sign) % 2))
    return matrix


@pytest.fixture(autouse=True)
def four_bits_decide(monkeypatch):
    """So few that on nine sites some strings are left to be gathered."""
    monkeypatch.setattr(axis_flips, "_SIGN_BITS", 4)


def case(count: int = 10, seed: int = 0):
    x, z = strings(count, seed)
    rng = np.random.default_rng(seed + 1)
    coefficients = rng.standard_normal(len(x)) + 1j * rng.standard_normal(len(x))
    vector = rng.standard_normal(1 << SITES) + 1j * rng.standard_normal(1 << SITES)
    return FlipPlan(SITES, x, z), coefficients, vector, dense(coefficients, x, z)


@functools.partial(jax.jit, static_argnums=0)
def product(plan, coefficients, vector):
    return FlipMap(coefficients, plan)(vector)


def test_every_way_is_taken_and_the_product_is_that_of_the_matrix():
    plan, coefficients, vector, matrix = case()
    assert min(map(len, (plan.window, plan.diagonal, plan.rows, plan.elements, plan.axes.passes))) > 0
    np.testing.assert_allclose(product(plan, coefficients, vector), matrix @ vector, atol=1e-12)


@pytest.mark.parametrize("kept", ["window", "diagonal", "rows", "elements", "axes"])
def test_each_way_alone_is_the_matrix_of_its_strings(kept):
    plan, coefficients, vector, _ = case()
    if kept == "axes":
        chosen = plan.axes.taken
    else:
        chosen, part = np.zeros(len(plan.x), bool), getattr(plan, kept)
        numbers = np.ravel(getattr(part, "strings", part))
        chosen[numbers[numbers < len(plan.x)]] = True
    x, z = plan.x[chosen], plan.z[chosen]
    found = product(FlipPlan(SITES, x, z), coefficients[chosen], vector)
    np.testing.assert_allclose(found, dense(coefficients[chosen], x, z) @ vector, atol=1e-12)


def test_flips_beyond_the_limit_are_gathered(monkeypatch):
    full, coefficients, vector, matrix = case()
    monkeypatch.setattr(axis_flips, "FLIPS", 2)
    monkeypatch.setattr(axis_flips, "_FLIPS_PER_PASS", 1)
    plan = FlipPlan(SITES, full.x, full.z)
    assert [len(flips) for flips in plan.axes.passes] == [1, 1]
    assert np.sum(plan.axes.taken) < np.sum(full.axes.taken)
    np.testing.assert_allclose(product(plan, coefficients, vector), matrix @ vector, atol=1e-12)


def test_the_gradient_is_that_of_the_matrix():
    plan, coefficients, vector, _ = case()
    left = np.random.default_rng(7).standard_normal(1 << SITES)

    def form(c, v):
        return jnp.vdot(left, FlipMap(c, plan)(v)).real

    by_coefficients, by_vector = jax.jit(jax.grad(form, (0, 1)))(
        jnp.asarray(coefficients.real), jnp.asarray(vector.real)
    )
    one_each = [np.real(dense([1.0], [x], [z])) for x, z in zip(plan.x, plan.z, strict=True)]
    np.testing.assert_allclose(by_coefficients, [left @ t @ vector.real for t in one_each], atol=1e-11)
    total = np.tensordot(np.real(coefficients), one_each, 1)
    np.testing.assert_allclose(by_vector, total.T @ left, atol=1e-11)


def test_batches_of_vectors_and_of_coefficients():
    plan, coefficients, vector, matrix = case()
    vectors = jnp.stack([vector, 2j * vector.conj()])
    products = jax.jit(jax.vmap(FlipMap(jnp.asarray(coefficients), plan)))(vectors)
    np.testing.assert_allclose(products, np.asarray(vectors) @ matrix.T, atol=1e-12)
    several = jnp.stack([coefficients, 3 * coefficients])
    products = jax.jit(jax.vmap(lambda c: FlipMap(c, plan)(jnp.asarray(vector))))(several)
    np.testing.assert_allclose(products, np.stack([matrix @ vector, 3 * matrix @ vector]), atol=1e-11)


def test_the_passes_are_compiled_for_themselves():
    plan, coefficients, vector, _ = case()
    text = product.lower(plan, jnp.asarray(coefficients), jnp.asarray(vector)).compile().as_text()
    assert text.count(" conditional(") == len(plan.axes.passes)


def test_single_precision_stays_single_and_a_coefficient_that_is_no_number_shows():
    plan, coefficients, vector, matrix = case()
    found = product(plan, jnp.asarray(coefficients, jnp.complex64), jnp.asarray(vector, jnp.complex64))
    assert found.dtype == jnp.complex64
    np.testing.assert_allclose(found, matrix @ vector, rtol=1e-4, atol=1e-3)
    broken = coefficients.copy()
    broken[np.flatnonzero(plan.axes.taken)[0]] = np.nan
    assert jnp.isnan(product(plan, broken, vector)).any()
