"""Divided differences against their definition at 300 digits and against Opitz's theorem."""

import functools
import itertools
import math

import hypothesis
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import strategies as st

import helpers
from jaxgibbs.linalg import Analytic, Exponential, Kernel, functions
from jaxgibbs.linalg.divided_differences import Thermal

ORDERS = [*((order, np.float64) for order in range(4)), (1, np.float32), (3, np.float32)]


@functools.partial(jax.jit, static_argnums=0)
def _evaluate(function, columns, parameters):
    return function([columns], *parameters)


def evaluate(function, nodes, *parameters):
    """`function` of nodes given as rows."""
    return np.asarray(_evaluate(function, [jnp.asarray(nodes)[:, k] for k in range(nodes.shape[1])], parameters))


def clusters(centers, spreads, order, dtype, relative=False):
    """Rows of `order + 1` nodes: spread at random, and in a pair and a rest 1e-9 apart."""
    rng = np.random.default_rng(order)
    rows = []
    for center, spread in itertools.product(centers, spreads):
        width = spread * center if relative else spread
        pair = np.where(np.arange(order + 1) < 2, 0.0, 1.0)
        shapes = (rng.random(order + 1), pair + 1e-9 * rng.random(order + 1))
        rows.extend(center + width * shape for shape in (shapes if dtype is np.float64 else shapes[:1]))
    return rng.permuted(np.array(rows), axis=1).astype(dtype)


def representable(reference, dtype):
    limits = np.finfo(dtype)
    return float(limits.tiny) * 1e3 < abs(reference) < float(limits.max) / 1e3


# -- the exponential -------------------------------------------------------------------------------------------------

SPREADS = [0, 1e-10, 1e-9, 1e-5, 0.5, 1.99, 2.01, 5, 20, 100]


def exp_tolerance(order, dtype):
    """Taylor to rounding below a spread D of 2; above it the quotient of order k loses at most a factor 2 k / D <= k."""
    return 4 * math.factorial(order) * np.finfo(dtype).eps


@pytest.mark.parametrize(("order", "dtype"), [*ORDERS, (4, np.float64), (5, np.float64)])
def test_exponential_has_full_relative_accuracy(order, dtype):
    spreads = SPREADS if dtype is np.float64 else [s for s in SPREADS if s <= 20]
    nodes = clusters([0, -5, -300, 3.3] if dtype is np.float64 else [0, -5, -30, 3.3], spreads, order, dtype)
    for row, found in zip(nodes, evaluate(Exponential(), nodes), strict=True):
        reference = helpers.divided_difference(mpmath.exp, row)
        assert abs(found - reference) <= exp_tolerance(order, dtype) * reference, row


@pytest.mark.parametrize(
    "nodes", [[0, 0, 0, 0], [0, 1, 2.5, 2.5, 2.5 + 1e-9, 100], [-1e-10, 0, 1e-10], [7, -3, 7, -3, 7]]
)
def test_references_agree_with_opitz(nodes):
    corner = helpers.opitz(mpmath.expm, nodes)
    assert abs(helpers.divided_difference(mpmath.exp, nodes) / corner - 1) < 1e-35
    assert evaluate(Exponential(), np.array([nodes], float))[0] == pytest.approx(
        float(corner), rel=exp_tolerance(len(nodes) - 1, float)
    )


@hypothesis.given(st.lists(st.floats(-700, 0), min_size=3, max_size=3))
def test_exponential_obeys_the_mean_value_theorem(nodes):
    found = evaluate(Exponential(), np.array([nodes]))[0]
    slack = 1 + exp_tolerance(2, float)
    assert math.exp(min(nodes)) / 2 / slack <= found <= math.exp(max(nodes)) / 2 * slack


def test_order_of_the_nodes_does_not_matter():
    nodes = np.array(list(itertools.permutations([0.3, -1.2, 0.3 + 1e-9, -40.0])))
    for function in (Exponential(), functions.FERMI):
        assert np.ptp(evaluate(function, nodes)) == 0


def test_far_nodes_weigh_nothing():
    far = np.array([[0.0, 0.0, -1e30], [0.0, -1e30, -1e30], [-1e30, -1e30, -1e30]])
    np.testing.assert_allclose(evaluate(Exponential(), far), [1e-30, 1e-60, 0], rtol=1e-15)


# -- powers times the exponential ------------------------------------------------------------------------------------


@pytest.mark.parametrize("s", [0.0, 0.7, -1e6])
@pytest.mark.parametrize("power", range(3))
@pytest.mark.parametrize("order", range(4))
def test_thermal_weights(power, order, s):
    width = 1 / max(abs(s), 1)
    distances = clusters([0, width, 30 * width], [0, 1e-9 * width, 0.1 * width, width, 40 * width], order, float)
    distances = distances if s <= 0 else -distances
    for row, found in zip(distances, evaluate(Thermal(power), distances, jnp.asarray(s)), strict=True):
        reference = helpers.divided_difference(lambda h: h**power * mpmath.exp(mpmath.mpf(s) * h), row)
        # the terms of Leibniz's rule, each at most its largest node times its largest exponential
        ordered = np.sort(np.abs(row))
        scale = sum(
            math.comb(power, j)
            * ordered[j] ** (power - j)
            * abs(s) ** (order - j)
            * math.exp(-abs(s) * ordered[j])
            * (1 + abs(s) * ordered[j])  # the rounding of the exponent
            for j in range(min(power, order) + 1)
        )
        # 1e-35: nodes that are equal are apart in the reference
        assert abs(found - reference) <= exp_tolerance(order, float) * (1 + power) * scale + 1e-35, row


def test_thermal_derivative_in_its_parameter():
    nodes, s = [jnp.array([0.0, 0.3]), jnp.array([0.1, 0.3]), jnp.array([2.0, 0.3])], -0.8
    for power in range(3):
        slope = jax.jit(jax.jacfwd(functools.partial(Thermal(power), [nodes])))(s)
        np.testing.assert_allclose(evaluate(Thermal(power).in_parameter(), np.array(nodes).T, s), slope, rtol=1e-13)


# -- other functions -------------------------------------------------------------------------------------------------

ONE_SIDED = {
    "log": (functions.LOGARITHM, mpmath.log),
    "sqrt": (functions.SQUARE_ROOT, mpmath.sqrt),
    "power 0.3": (functions.power(0.3), lambda x: x ** mpmath.mpf(0.3)),
    "power -2.5": (functions.power(-2.5), lambda x: x ** mpmath.mpf(-2.5)),
    "power 7": (functions.power(7.0), lambda x: x**7),
    "power 40": (functions.power(40.0), lambda x: x**40),
    "bose": (functions.BOSE, lambda x: 1 / mpmath.expm1(x)),
}


def tolerance(order, dtype):
    """The first order is closed. Above, a quotient over R / 4, R the distance to the singularity, loses most for powers.

    There it is 8 k / |p - k + 1| at order k, at most 32 and 16 at orders 2 and 3; the contour loses less.
    """
    return 4 * [1, 2, 32, 512][order] * np.finfo(dtype).eps


@pytest.mark.parametrize(("order", "dtype"), ORDERS)
@pytest.mark.parametrize("name", ONE_SIDED)
def test_functions_of_positive_nodes(name, order, dtype):
    function, exact = ONE_SIDED[name]
    relative_spreads = [0, 1e-9, 1e-3, 0.2, 0.3, 1.0, 10.0]
    nodes = clusters([1e-8, 1e-3, 0.9, 1.0, 30.0, 700.0], relative_spreads, order, dtype, relative=True)
    # the largest positive power of a float32 overflows on the way, before the answer does
    checked = 0
    for row, found in zip(nodes, evaluate(function, nodes), strict=True):
        reference = helpers.divided_difference(exact, row)
        if not (representable(reference, dtype) and representable(exact(mpmath.mpf(float(row.max()))), dtype)):
            continue
        checked += 1
        assert abs(found - reference) <= tolerance(order, dtype) * abs(reference), row
    assert checked > len(nodes) / 4


@pytest.mark.parametrize(("order", "dtype"), ORDERS)
def test_fermi(order, dtype):
    centers = [0, 0.3, -5, 5, -30, 30, -600, 600]
    nodes = clusters(centers, [0, 1e-9, 1e-5, 1e-2, 0.5, 0.7, 0.8, 2, 5, 100], order, dtype)
    for row, found in zip(nodes, evaluate(functions.FERMI, nodes), strict=True):
        reference = helpers.divided_difference(lambda x: 1 / (mpmath.exp(x) + 1), row)
        # relative to the largest value on the nodes, at which a difference of values rounds
        scale = max(abs(reference), min(1.0, math.exp(-float(row.min()))))
        if representable(scale, dtype):
            assert abs(found - reference) <= tolerance(order, dtype) * scale, row


@pytest.mark.parametrize(("x", "y"), [(1e-8, 700.0), (1e-8, 1e-8), (1e-300, 1e300), (1e-290, 1.0), (3.0, 3.0 + 1e-15)])
def test_closed_first_differences_at_the_extremes(x, y):
    for name in ("log", "sqrt", "power 0.3"):
        function, exact = ONE_SIDED[name]
        reference = float(helpers.divided_difference(exact, [x, y]))
        assert evaluate(function, np.array([[x, y]]))[0] == pytest.approx(reference, rel=1e-14)


def test_fermi_is_flat_far_away_and_bose_diverges():
    far = np.array([[1e6, 1e6, 1e6], [-1e6, -1e6, -1e6], [-1e6, 0, 1e6]])
    found = evaluate(functions.FERMI, far)
    np.testing.assert_allclose(found, [0, 0, 0], atol=1e-12)
    assert evaluate(functions.BOSE, np.array([[1e-8]]))[0] == pytest.approx(1e8, rel=1e-7)


def test_nan_stays_nan():
    for function in (Exponential(), functions.LOGARITHM, functions.FERMI):
        for order in range(3):
            row = np.array([[np.nan, *[1.0] * order]])
            assert np.isnan(evaluate(function, row)).all()


def test_equal_functions_are_equal_keys():
    assert functions.power(0.3) == functions.power(0.3)
    assert hash(functions.power(0.3)) == hash(functions.power(0.3))
    assert functions.power(0.3) != functions.power(0.4)
    assert Thermal(1) == Thermal(0).in_parameter()


# -- two variables and complex values --------------------------------------------------------------------------------


def inverse_sum(x, y):
    return 1 / (x + y)


def wave(x, y):
    return jnp.exp(x / 2 + 1j * y)


def identity_radius(x):
    return x


def unit_radius(x):
    return jnp.full_like(x, 2.0)


KERNELS = {
    "1 / (x + y)": (Kernel(inverse_sum, identity_radius), lambda x, y: 1 / (x + y)),
    "exp(x / 2 + i y)": (Kernel(wave, unit_radius, is_complex=True), lambda x, y: mpmath.exp(x / 2 + 1j * y)),
}


@functools.partial(jax.jit, static_argnums=0)
def partial_difference(kernel, left, right):
    return kernel([left, right])


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(("left", "right"), [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1)])
def test_partial_differences_of_kernels(name, left, right):
    kernel, exact = KERNELS[name]
    pairs = itertools.product(
        [[0.7, 0.7, 0.7], [0.7, 0.7 + 1e-9, 5.0], [0.2, 0.25, 0.3]], [[1.1, 1.1], [1.1, 1.1 + 1e-9], [0.3, 6.0]]
    )
    rows = [(xs[:left], ys[:right]) for xs, ys in pairs]
    columns = [list(jnp.array(side).T) for side in zip(*rows, strict=True)]
    for (xs, ys), found in zip(rows, np.asarray(partial_difference(kernel, *columns)), strict=True):
        outer = functools.partial(_section, exact, xs)
        reference = complex(helpers.divided_difference(outer, ys))
        assert abs(found - reference) <= tolerance(left + right - 2, float) * max(abs(reference), 0.1)


def _section(exact, xs, y):
    return helpers.divided_difference(lambda x: exact(x, y), xs)


def imaginary_exponential(x):
    return jnp.exp(1j * x)


def test_complex_function_of_one_variable():
    nodes = np.array([[0.4, 0.4, 0.4 + 1e-9], [0.1, 1.0, 5.0], [-3.0, -3.0, 2.0]])
    found = evaluate(Analytic(imaginary_exponential, unit_radius, is_complex=True), nodes)
    reference = [complex(helpers.divided_difference(lambda x: mpmath.exp(1j * x), row)) for row in nodes]
    np.testing.assert_allclose(found, reference, rtol=tolerance(2, float))


@pytest.mark.parametrize(
    "function", [functions.SIGN, functions.ABSOLUTE, functions.NEGATIVE_PART, functions.cumulant(2, bosonic=True)]
)
def test_nodes_on_both_sides_of_a_singularity(function):
    """Also where the center of the nodes lies on it to the last digit, as for levels `-e` and `e`."""
    nodes = np.array([[-0.1, 0.1, 0.03], [0.05, -0.1, 0.1], [-1e-3, 1e-3, 2e-4], [-0.1, 0.1, 3.0], [-0.02, 0.01, 0.02]])
    values = np.array(jax.jit(function.value)(nodes))
    (x, y, z), (f, g, h) = nodes.T, values.T
    expected = ((h - g) / (z - y) - (g - f) / (y - x)) / (z - x)
    np.testing.assert_allclose(evaluate(function, nodes), expected, rtol=1e-11, atol=1e-11)
