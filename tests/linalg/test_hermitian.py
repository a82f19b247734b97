"""Functions of Hermitian matrices and their derivatives against 80-digit jets, at every kind of degeneracy."""

import functools
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import helpers
from helpers import Jet, derivatives_of, direction, with_levels
from jaxgibbs import linalg
from jaxgibbs.linalg import Kernel, decompose, spectral_map
from jaxgibbs.linalg.hermitian import single_levels

EPS = np.finfo(float).eps
GAPS = [0, 1e-12, 1e-9, 1e-5, 0.3]
# name: the function, the same on jets, the same on numbers
FUNCTIONS = {
    "exp": (linalg.exp, helpers.jet_exp, mpmath.exp),
    "log": (linalg.log, helpers.jet_log, mpmath.log),
    "sqrt": (linalg.sqrt, helpers.jet_sqrt, mpmath.sqrt),
    "power": (
        functools.partial(linalg.power, exponent=-0.3),
        functools.partial(helpers.jet_power, exponent=-0.3),
        lambda x: x ** mpmath.mpf(-0.3),
    ),
    "fermi": (linalg.fermi, helpers.jet_fermi, lambda x: 1 / (mpmath.exp(x) + 1)),
    "bose": (linalg.bose, helpers.jet_bose, lambda x: 1 / mpmath.expm1(x)),
}


def allowed(exact, levels, order):
    """Error allowed to the derivative of an order along a direction of norm 1.

    The divided differences are right to `4 * [1, 2, 32, 512]` eps (`test_divided_differences.py`), summed over `dim` terms an
    order; and the eigenvalues, and the matrix itself, are known to a few eps times the norm.
    """
    sizes = [
        max(abs(helpers.divided_difference(exact, [x] * (n + 1))) for x in levels) * math.factorial(n)
        for n in (order, order + 1)
    ]
    dim, norm = len(levels), max(abs(x) for x in levels)
    return float(4 * [1, 2, 32, 512][order] * dim**order * sizes[0] + 16 * norm * sizes[1]) * EPS


@functools.cache
def forward(name):
    """Derivatives along `v`, by forward mode, to third order of two functions, to second of the others."""
    modes = "fff" if name in ("exp", "log") else "ff"
    return jax.jit(lambda h, v: derivatives_of(lambda t: FUNCTIONS[name][0](h + t * v), modes)(0.0))


@functools.cache
def reverse(name):
    """Derivatives of `Re Tr(g f)`, by reverse mode, to second order of two functions, to first of the others."""
    modes = "rr" if name in ("log", "fermi") else "r"

    def derivatives(h, v, g):
        return derivatives_of(lambda t: jnp.sum(g.T * FUNCTIONS[name][0](h + t * v)).real, modes)(0.0)

    return jax.jit(derivatives)


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_real_functions(name, gap):
    _, on_jets, exact = FUNCTIONS[name]
    rng, levels = np.random.default_rng(1), [0.4, 0.4 + gap, 1.9]
    h, v = with_levels(rng, levels), direction(rng, 3)
    reference = on_jets(Jet.affine(h, v, orders=(3,)))
    for order, found in enumerate(forward(name)(h, v)):
        error = np.linalg.norm(found - helpers.rounded(reference.derivative(order)))
        assert error <= allowed(exact, levels, order), order


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_complex_functions_in_reverse(name, gap):
    _, on_jets, exact = FUNCTIONS[name]
    rng, levels = np.random.default_rng(2), [0.4, 0.4 + gap, 1.9]
    h, v, g = with_levels(rng, levels, True), direction(rng, 3, True), direction(rng, 3, True)
    reference = on_jets(Jet.affine(h, v, orders=(2,)))
    for order, found in enumerate(reverse(name)(h, v, g)):
        expected = np.sum(g.T * helpers.rounded(reference.derivative(order))).real
        assert abs(found - expected) <= 2 * allowed(exact, levels, order), order


@pytest.mark.parametrize("top", [1e3, 1e6])
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "exp"])
def test_large_norms(name, top):
    _, on_jets, exact = FUNCTIONS[name]
    rng, levels = np.random.default_rng(3), [0.4, 0.4 + 1e-9, top]
    h, v = with_levels(rng, levels), direction(rng, 3)
    reference = on_jets(Jet.affine(h, v, orders=(2,)))
    for order, found in enumerate(forward(name)(h, v)[:3]):
        error = np.linalg.norm(found - helpers.rounded(reference.derivative(order)))
        assert error <= allowed(exact, levels, order), order


@pytest.mark.parametrize("bottom", [-1e3, -1e6])
def test_exponential_of_large_norm(bottom):
    rng, levels = np.random.default_rng(4), [0.0, -1e-9, bottom]
    h, v = with_levels(rng, levels), direction(rng, 3)
    reference = helpers.jet_exp(Jet.affine(h, v, orders=(3,)))
    for order, found in enumerate(forward("exp")(h, v)):
        error = np.linalg.norm(found - helpers.rounded(reference.derivative(order)))
        assert error <= allowed(mpmath.exp, levels, order), order


def test_exponential_of_huge_matrices_is_that_of_the_shifted_ones():
    h = with_levels(np.random.default_rng(5), [-700.0, 0.0, 700.0], True)
    np.testing.assert_allclose(
        linalg.exp(h), linalg.exp(h - 700 * np.eye(3)) * math.exp(700), rtol=0, atol=EPS * 1e5 * math.exp(700)
    )


# -- spectral maps ---------------------------------------------------------------------------------------------------


def inverse_sum(x, y):
    return 1 / (x + y)


def half_turned(x, y):
    return jnp.exp(x / 2 + 1j * y)


def distance_to_zero(x):
    return x


def unit(x):
    return jnp.full_like(x, 2.0)


def solve_lyapunov(h: Jet, x: Jet) -> Jet:
    """`Y` with `H Y + Y H = X`, as a linear system for the rows of `Y` one after the other."""
    one = np.eye(len(h.body), dtype=object)

    def on_rows(function, jet):
        return Jet({index: function(c) for index, c in jet.coefficients.items()}, jet.orders)

    left, right = (on_rows(f, h) for f in (lambda c: np.kron(c, one), lambda c: np.kron(one, c.T)))
    rows = helpers.jet_inverse(left + right) @ on_rows(lambda c: c.reshape(-1, 1), x)
    return on_rows(lambda c: c.reshape(h.body.shape), rows)


def turn(h: Jet, x: Jet) -> Jet:
    """`e^{H / 2} X e^{i H}`."""
    return helpers.jet_exp(0.5 * h) @ x @ helpers.jet_exp(mpmath.mpc(0, 1) * h)


KERNELS = {
    "1 / (x + y)": (Kernel(inverse_sum, distance_to_zero), solve_lyapunov, False),
    "exp(x / 2 + i y)": (Kernel(half_turned, unit, is_complex=True), turn, True),
}


@functools.cache
def mapped(name, is_complex):
    """Derivatives of the map at `(a, b)` times in H and X: forward in H, then reverse."""
    kernel = KERNELS[name][0]

    def value(t, u, h, v, x, y):
        return spectral_map(kernel, decompose(h + t * v), x + u * y)

    def table(*arguments):
        first = jax.jacfwd(value)
        return {
            (0, 0): value(0.0, 0.0, *arguments),
            (0, 1): jax.jacfwd(value, 1)(0.0, 0.0, *arguments),
            (1, 0): first(0.0, 0.0, *arguments),
            (1, 1): jax.jacfwd(first, 1)(0.0, 0.0, *arguments),
            (2, 0): jax.jacfwd(first)(0.0, 0.0, *arguments),
        }

    return jax.jit(table)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "is_complex"),
    [
        ("1 / (x + y)", True),
        ("exp(x / 2 + i y)", False),
        pytest.param("1 / (x + y)", False, marks=pytest.mark.slow),
        pytest.param("exp(x / 2 + i y)", True, marks=pytest.mark.slow),
    ],
)
def test_spectral_maps(name, is_complex):
    _, on_jets, _ = KERNELS[name]
    rng = np.random.default_rng(6)
    v = direction(rng, 3, is_complex)
    x, y = (rng.normal(size=(3, 3)) + (1j * rng.normal(size=(3, 3)) if is_complex else 0) for _ in range(2))
    for gap in GAPS:
        h = with_levels(rng, [0.4, 0.4 + gap, 1.9], is_complex)
        with mpmath.workdps(helpers.DIGITS):
            reference = on_jets(Jet.affine(h, v, None, orders=(2, 1)), Jet.affine(x, None, y, orders=(2, 1)))
        for index, found in mapped(name, is_complex)(h, v, x, y).items():
            expected = helpers.rounded(reference.derivative(*index))
            # 0.4: the n-th derivative of 1 / (x + y) is at most n! / 0.8^(n + 1), that of the other kernel e / 2^n
            scale = math.factorial(index[0]) * 1.25 ** (index[0] + 1) * 3 ** (index[0] + 1)
            error = np.linalg.norm(found - expected)
            assert error <= 4 * [1, 32, 512][index[0]] * EPS * scale * max(np.linalg.norm(x), np.linalg.norm(y)), index


@pytest.mark.slow
@pytest.mark.parametrize("order", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_derivatives_of_a_spectral_map_in_reverse(order):
    rng = np.random.default_rng(7)
    kernel, on_jets, _ = KERNELS["1 / (x + y)"]
    h, v, x = with_levels(rng, [0.4, 0.4, 1.9]), direction(rng, 3), direction(rng, 3)

    def energy(t):
        return jnp.sum(spectral_map(kernel, decompose(h + t * v), x) ** 2)

    found = jax.jit(functools.reduce(lambda f, _: jax.grad(f), range(order), energy))(0.0)
    with mpmath.workdps(helpers.DIGITS):
        y = on_jets(Jet.affine(h, v, orders=(order,)), Jet.affine(x, None, orders=(order,)))
        square = y @ Jet({k: c.T for k, c in y.coefficients.items()}, y.orders)
    expected = float(np.trace(square.derivative(order)))
    assert found == pytest.approx(expected, rel=4 * 512 * 27 * EPS)


def test_a_function_of_one_variable_maps_by_its_divided_difference():
    rng = np.random.default_rng(8)
    h, x = with_levels(rng, [0.0, 0.0, 1.0], True), direction(rng, 3, True)
    found = spectral_map(linalg.Exponential(), decompose(h), x)
    _, derivative = jax.jvp(linalg.exp, (jnp.array(h),), (jnp.array(x),))
    np.testing.assert_allclose(found, derivative, atol=1e-14)


# -- transforms and dtypes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["exp", "log"])
def test_jit_vmap_grad_over_stacked_matrices(name):
    rng, function = np.random.default_rng(9), FUNCTIONS[name][0]
    stack = np.stack([with_levels(rng, [0.4, 0.4, 1.9], True) for _ in range(3)])

    def scalar(t, h):
        return jnp.sum(jnp.abs(function(h + t * jnp.eye(3))) ** 2)

    slopes, one = jax.jit(jax.vmap(jax.grad(scalar), (None, 0)))(0.1, stack), jax.jit(jax.grad(scalar))
    np.testing.assert_allclose(slopes, [one(0.1, h) for h in stack], rtol=1e-12)


@pytest.mark.parametrize(("name", "dtype"), list(zip(FUNCTIONS, [np.float32, np.complex64] * 3, strict=True)))
def test_single_precision(name, dtype):
    rng, is_complex = np.random.default_rng(10), dtype is np.complex64
    levels = [0.4, 0.4, 1.9]
    h, v = (m.astype(dtype) for m in (with_levels(rng, levels, is_complex), direction(rng, 3, is_complex)))
    reference = FUNCTIONS[name][1](Jet.affine(h, v, orders=(1,)))
    value, slope = jax.jit(lambda h, v: jax.jvp(FUNCTIONS[name][0], (h,), (v,)))(h, v)
    assert value.dtype == slope.dtype == dtype
    for order, found in enumerate((value, slope)):
        error = np.linalg.norm(found - helpers.rounded(reference.derivative(order)))
        assert error <= allowed(FUNCTIONS[name][2], levels, order) / EPS * np.finfo(np.float32).eps


def test_gradient_by_a_complex_matrix_is_read_through_real_parameters():
    """`jax.grad` gives `dF = Re Tr(g^T dH)`; along each real parameter of a Hermitian matrix it is the true slope."""
    rng = np.random.default_rng(11)
    h, g = jnp.array(with_levels(rng, [0.4, 0.4, 1.9], True)), direction(rng, 3, True)

    def scalar(matrix):
        return jnp.sum(g * linalg.log(matrix)).real

    gradient = jax.grad(scalar)(h)
    for _ in range(3):
        v = jnp.array(direction(rng, 3, True))
        along = jax.grad(lambda t, v=v: scalar(h + t * v))(0.0)
        np.testing.assert_allclose(jnp.sum(gradient * v).real, along, rtol=1e-12)


def test_scan_and_one_level():
    for name, (function, _, exact) in FUNCTIONS.items():
        found = jax.jit(function)(jnp.array([[0.7]]))
        assert found == pytest.approx(float(exact(mpmath.mpf(0.7))), rel=1e-15), name

    def step(h, _):
        return h - 0.1 * jax.grad(lambda m: jnp.sum(linalg.exp(m) ** 2))(h), jnp.trace(h)

    last, traces = jax.lax.scan(step, jnp.array([[0.0, 0.1], [0.1, 0.0]]), length=20)
    assert np.all(np.diff(traces) < 0)
    assert np.all(np.isfinite(last))


def test_integers_are_taken_as_numbers():
    np.testing.assert_allclose(linalg.exp(jnp.array([[0, 1], [1, 0]]))[0], [math.cosh(1), math.sinh(1)], rtol=1e-14)


# -- the door --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bad_matrices_are_refused(name):
    function = FUNCTIONS[name][0]
    for bad, words in (
        ([[1.0, 1.0], [0.0, 1.0]], "must be Hermitian, but the norm"),
        ([[1.0, np.nan], [np.nan, 1.0]], "must be finite"),
        ([[1.0, 0.0]], "must be a square matrix"),
        ([1.0], "must be a square matrix"),
        (np.zeros((0, 0)), "at least one row"),
        (np.ones((2, 2, 2)), "map over it with `jax.vmap`"),
    ):
        with pytest.raises(ValueError, match=words):
            function(jnp.asarray(bad))


@pytest.mark.parametrize("name", ["log", "power", "bose"])
@pytest.mark.parametrize("lowest", [0.0, -1.0])
def test_positive_functions_refuse_and_turn_nan(name, lowest):
    function, h = FUNCTIONS[name][0], jnp.diag(jnp.array([lowest, 1.0]))
    with pytest.raises(ValueError, match=f"given to `{name}` must be positive definite, but its lowest eigenvalue is"):
        function(h)
    assert np.all(np.isnan(jax.jit(function)(h)))


def test_square_root_takes_zero_but_nothing_below():
    singular = jnp.array([[1.0, 1.0], [1.0, 1.0]])
    root = linalg.sqrt(singular)
    np.testing.assert_allclose(root @ root, singular, atol=1e-15)
    with pytest.raises(ValueError, match="must be positive semidefinite"):
        linalg.sqrt(jnp.diag(jnp.array([-0.1, 1.0])))


# -- single levels ---------------------------------------------------------------------------------------------------


def levels_along(t, h, v):
    return single_levels(decompose(h + t * v))


def test_a_single_level_has_one_derivative():
    rng = np.random.default_rng(12)
    h, v = with_levels(rng, [0.0, 1.0, 3.0], True), direction(rng, 3, True)
    found = jax.jit(jax.jacfwd(levels_along))(0.0, h, v)
    vectors = np.linalg.eigh(h)[1]
    np.testing.assert_allclose(found, np.einsum("ai,ab,bi->i", vectors.conj(), v, vectors).real, atol=1e-14)
    np.testing.assert_allclose(jax.jit(jax.jacrev(levels_along))(0.0, h, v), found, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("gap", [0.0, 1e-15])
def test_degenerate_levels_have_none(gap):
    rng = np.random.default_rng(13)
    h, v = np.diag([1.0, 1.0 + gap, 3.0]), direction(rng, 3)
    for mode in (jax.jacfwd, jax.jacrev):
        slopes = jax.vmap(mode(levels_along), (0, None, None))(jnp.zeros(2), h, v)
        np.testing.assert_array_equal(np.isnan(slopes), [[True, True, False]] * 2)
        np.testing.assert_allclose(slopes[:, 2], v[2, 2], rtol=1e-15)
    top = jax.grad(lambda m: single_levels(decompose(m))[2])(jnp.array(h))
    np.testing.assert_allclose(top, np.diag([0, 0, 1.0]), atol=1e-15)


@pytest.mark.parametrize("outer", [jax.jacfwd, jax.jacrev])
@pytest.mark.parametrize("inner", [jax.jacfwd, jax.jacrev])
def test_second_derivatives_of_single_levels_are_nan(inner, outer):
    h, v = np.diag([0.0, 1.0, 3.0]), direction(np.random.default_rng(14), 3, False)
    assert np.all(np.isnan(outer(inner(levels_along))(0.0, h, v)))
