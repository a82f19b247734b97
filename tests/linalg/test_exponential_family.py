"""`ln Tr e^{sH}` and its family: derivatives of every order, in every mode, against 80-digit jets and closed forms."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import helpers
from helpers import Jet, derivatives_of, direction, with_levels
from jaxgibbs.linalg import decompose
from jaxgibbs.linalg import exponential_family as family

EPS = np.finfo(float).eps
GAPS = [0, 1e-12, 1e-9, 1e-5, 0.3]
NORMS = [7.0, 1e3, 1e6]


def hard_matrices(is_complex):
    """Every gap at every norm, with a low level that is nearly twofold."""
    rng = np.random.default_rng(1)
    return np.stack([with_levels(rng, [0, gap, 2, top], is_complex) for gap in GAPS for top in NORMS])


# -- ln Tr e^{sH}, four times differentiated -------------------------------------------------------------------------


@functools.cache
def log_trace_derivatives(modes):
    def at(s, h, v):
        return derivatives_of(lambda t: family.log_trace_exp(s, (decompose(h + t * v),)), modes)(0.0)

    return jax.jit(jax.vmap(at, (None, 0, None)))


@functools.cache
def log_trace_references(s, is_complex):
    v = direction(np.random.default_rng(2), 4, is_complex)
    jets = [
        helpers.jet_log_trace(helpers.jet_exp(s * Jet.affine(h, v, orders=(4,)))) for h in hard_matrices(is_complex)
    ]
    return v, [[float(mpmath.re(jet.derivative(order)[0, 0])) for order in range(5)] for jet in jets]


def backward_error(order, s, norm):
    """Of a derivative of `ln Tr e^{sH}` along a direction of norm 1.

    An answer is exact for a matrix within a few `eps (1 + |s| norm)` of `s H`; cumulants of order n are at most of order n!.
    """
    return 4 * EPS * (1 + abs(s) * norm) * abs(s) ** order * math.factorial(order)


@pytest.mark.slow
@pytest.mark.parametrize("s", [-1.3, 0.6])
@pytest.mark.parametrize(
    ("modes", "is_complex"),
    [
        ("rrrr", False),
        pytest.param("frfr", True, marks=pytest.mark.slow),
        pytest.param("ffff", True, marks=pytest.mark.slow),
        pytest.param("rfrf", False, marks=pytest.mark.slow),
        pytest.param("rrrr", True, marks=pytest.mark.slow),
        pytest.param("ffff", False, marks=pytest.mark.slow),
        pytest.param("frrf", False, marks=pytest.mark.slow),
    ],
)
def test_log_trace_to_fourth_order(modes, is_complex, s):
    matrices = hard_matrices(is_complex)
    v, references = log_trace_references(s, is_complex)
    found = np.array(log_trace_derivatives(modes)(s, matrices, v)).T
    for row, reference, h in zip(found, references, matrices, strict=True):
        for order in range(5):
            assert abs(row[order] - reference[order]) <= backward_error(order, s, np.linalg.norm(h, 2)), order


@pytest.mark.parametrize("modes", ["fff", pytest.param("rfrf", marks=pytest.mark.slow)])
def test_without_jit(modes):
    rng = np.random.default_rng(3)
    h, v = with_levels(rng, [0, 0, 2]), direction(rng, 3)
    found = derivatives_of(lambda t: family.log_trace_exp(-1.0, (decompose(h + t * v),)), modes)(0.0)
    jet = helpers.jet_log_trace(helpers.jet_exp((-1) * Jet.affine(h, v, orders=(4,))))
    for order in range(len(found)):
        assert abs(float(found[order]) - float(jet.derivative(order)[0, 0])) <= backward_error(order, 1, 2), order


def paulis(x, y, z):
    return jnp.array([[z, x - 1j * y], [x + 1j * y, -z]])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ("xx", 1),
        ("xxyy", -2 / 3),
        pytest.param("xxxx", -2, marks=pytest.mark.slow),
        pytest.param("xxxxxx", 16, marks=pytest.mark.slow),
        pytest.param("xxxxyy", 16 / 5, marks=pytest.mark.slow),
        pytest.param("xxyyzz", 16 / 15, marks=pytest.mark.slow),
    ],
)
def test_closed_form_to_sixth_order(axes, expected):
    """`ln Tr exp(r . sigma) = ln 2 cosh r`, whose Taylor coefficients at 0 are known; there H = 0 is fully degenerate."""

    def log_trace(x, y, z):
        return family.log_trace_exp(1.0, (decompose(paulis(x, y, z)),))

    derivative = functools.reduce(lambda f, axis: jax.jacfwd(f, "xyz".index(axis)), axes, log_trace)
    assert jax.jit(derivative)(0.0, 0.0, 0.0) == pytest.approx(expected, rel=16 * math.factorial(len(axes)) * EPS)


# -- energy, entropy and moments in s and H --------------------------------------------------------------------------

QUANTITIES = {
    "log_trace": (family.log_trace_exp, 0),
    "mean": (family.mean, 1),
    "entropy": (family.entropy, 0),
    "heat_capacity": (family.heat_capacity, 0),
    "variance": (functools.partial(family.central_moment, 2), 2),
    "fourth moment": (functools.partial(family.central_moment, 4), 4),
}
SPECTRA = {
    "plain": ([0, 0, 2, 7], -1.3),
    "close": ([0, 1e-9, 2, 7], -1.3),
    "large": ([0, 0, 2, 1e6], -1.3),
    "offset": ([-1e6, -1e6, -1e6 + 2, 0], -1.3),
    "inverted": ([0, 0, 2, 1e6], 1.3),
    "cold": ([0, 0, 1e-6, 1], -1e6),
    "far": ([1e8, 1e8, 1e8 + 1, 1e8 + 3], -0.7),
}


@functools.cache
def mixed_derivatives(name):
    """Derivatives `(a, b)` in s and along v: reverse in H, forward in s."""
    quantity = QUANTITIES[name][0]

    def at(s, h, v):
        def along(s):
            return derivatives_of(lambda t: quantity(s, (decompose(h + t * v),)), "rr")(0.0)

        first, slopes = jax.jvp(along, (s,), (jnp.ones_like(s),))
        return {
            (0, 0): first[0],
            (0, 1): first[1],
            (0, 2): first[2],
            (1, 0): slopes[0],
            (1, 1): slopes[1],
            (1, 2): slopes[2],
        }

    return jax.jit(jax.vmap(at, (0, 0, None)))


@functools.cache
def mixed_inputs():
    rng = np.random.default_rng(4)
    v = direction(rng, 4)
    return np.array([s for _, s in SPECTRA.values()]), np.stack([with_levels(rng, e) for e, _ in SPECTRA.values()]), v


@functools.cache
@helpers.in_digits
def mixed_references(k):
    """The quantities as jets in s and t, all from the derivatives in s of `ln Tr e^{sH}`."""
    s, h, v = (x[k] if n < 2 else x for n, x in enumerate(mixed_inputs()))
    orders = (5, 2)
    one = np.eye(len(h))
    exponent = Jet.affine(s * one, one, None, orders=orders) @ Jet.affine(h, None, v, orders=orders)
    slopes = [helpers.jet_log_trace(helpers.jet_exp(exponent))]
    for _ in range(4):
        slopes.append(Jet({(i - 1, j): i * c for (i, j), c in slopes[-1].coefficients.items() if i}, orders))
    temperature = Jet.affine([[s]], [[1.0]], None, orders=orders)
    return {
        "log_trace": slopes[0],
        "mean": slopes[1],
        "entropy": slopes[0] - temperature @ slopes[1],
        "heat_capacity": temperature @ temperature @ slopes[2],
        "variance": slopes[2],
        "fourth moment": slopes[4] + 3 * (slopes[2] @ slopes[2]),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "heat_capacity",
        pytest.param("entropy", marks=pytest.mark.slow),
        pytest.param("mean", marks=pytest.mark.slow),
        pytest.param("log_trace", marks=pytest.mark.slow),
        pytest.param("variance", marks=pytest.mark.slow),
        pytest.param("fourth moment", marks=pytest.mark.slow),
    ],
)
def test_mixed_derivatives(name):
    scales, matrices, v = mixed_inputs()
    _, dimension = QUANTITIES[name]
    table = mixed_derivatives(name)(scales, matrices, v)
    for k, (s, h) in enumerate(zip(scales, matrices, strict=True)):
        for (a, b), found in table.items():
            expected = float(mixed_references(k)[name].derivative(a, b)[0, 0])
            # in units of 1 / |s| all are of order (dimension + a + b)!, and wrong by eps (1 + norm) of that
            tolerance = backward_error(dimension + a + b, 1.0, abs(s) * np.linalg.norm(h, 2)) * abs(s) ** (
                b - a - dimension
            )
            assert abs(found[k] - expected) <= tolerance, (list(SPECTRA)[k], a, b)


def test_moments_in_s_alone_are_cumulants():
    levels = np.array([0.0, 0.3, 0.3, 1.1])
    blocks = (decompose(np.diag(levels)),)
    derivatives = jax.jit(derivatives_of(lambda s: family.log_trace_exp(s, blocks), "frfrf"))(-0.7)
    weights = np.exp(-0.7 * levels) / np.exp(-0.7 * levels).sum()
    m = [weights @ (levels - weights @ levels) ** k for k in range(6)]
    expected = [m[2], m[3], m[4] - 3 * m[2] ** 2, m[5] - 10 * m[3] * m[2]]
    np.testing.assert_allclose(derivatives[2:], expected, rtol=1e-12)
    for order in range(6):
        np.testing.assert_allclose(family.central_moment(order, -0.7, blocks), m[order], atol=1e-15)


# -- matrices --------------------------------------------------------------------------------------------------------


def normalised(jet):
    """`A / Tr A`."""
    inverse = helpers.jet_inverse(jet.trace())
    dim = len(jet.body)
    return jet @ Jet({k: c[0, 0] * helpers.exact(np.eye(dim)) for k, c in inverse.coefficients.items()}, jet.orders)


@pytest.mark.slow
@pytest.mark.parametrize(("is_complex", "modes"), [(False, "ff"), pytest.param(True, "rr", marks=pytest.mark.slow)])
def test_gibbs_matrix(is_complex, modes):
    rng, s = np.random.default_rng(5), -1.3
    v, g = direction(rng, 4, is_complex), direction(rng, 4, is_complex)
    matrices = hard_matrices(is_complex)

    def at(h):
        def along(s):
            def projected(t):
                (rho,) = family.gibbs_matrices(s, (decompose(h + t * v),))
                return jnp.sum(g.T * rho).real

            return derivatives_of(projected, modes)(0.0)

        return jax.jvp(along, (s,), (1.0,))

    table = np.array(jax.jit(jax.vmap(at))(matrices))
    for k, h in enumerate(matrices):
        one = np.eye(4)
        exponent = Jet.affine(s * one, one, None, orders=(1, 2)) @ Jet.affine(h, None, v, orders=(1, 2))
        rho = normalised(helpers.jet_exp(exponent))
        for a, b in itertools.product(range(2), range(3)):
            expected = np.sum(g.T * helpers.rounded(rho.derivative(a, b))).real
            tolerance = 4 * backward_error(a + b, abs(s), np.linalg.norm(h, 2))
            assert abs(table[a, b, k] - expected) <= tolerance, (a, b)


@pytest.mark.slow
@pytest.mark.parametrize("is_complex", [False, True])
def test_kubo_mori_covariance_is_the_hessian(is_complex):
    """K and its derivative in s, H and the observables, against third derivatives of `ln Tr exp(s H + y X + z Z)`."""
    rng, s = np.random.default_rng(6), -1.3
    x, z, v, w = (direction(rng, 3, is_complex) for _ in range(4))

    def covariance(s, t, u, h):
        return family.kubo_mori_covariance(s, (decompose(h + t * v),), (jnp.stack([x + u * w, z]),))[0, 1]

    along = (1.0, 0.7, -0.3)  # of s, t and u at once
    matrices = np.stack([with_levels(rng, [0, gap, top], is_complex) for gap in GAPS for top in NORMS])
    values, slopes = jax.jit(jax.vmap(lambda h: jax.jvp(lambda *p: covariance(*p, h), (s, 0.0, 0.0), along)))(matrices)
    for value, slope, h in zip(values, slopes, matrices, strict=True):

        def third(first, *extra):
            """`Tr`'s logarithm, once differentiated along each of the directions."""
            orders = (1,) * (2 + len(extra))
            exponent = s * Jet.affine(h, *[None] * len(orders), orders=orders)  # noqa: B023
            exponent = exponent + Jet.affine(0 * v, first, z, *extra, orders=orders)
            return float(mpmath.re(helpers.jet_log_trace(helpers.jet_exp(exponent)).derivative(*orders)[0, 0]))

        tolerance = 4 * backward_error(3, 1, abs(s) * np.linalg.norm(h, 2))
        assert abs(value - third(x)) <= tolerance
        expected = third(x, h) + 0.7 * third(x, s * v) - 0.3 * third(w)
        assert abs(slope - expected) <= tolerance


def test_bogoliubov_kubo_mori_closed_forms():
    """For `a sigma_z`: `K_zz = sech^2 a`, `K_xx = K_yy = tanh(a) / a`; at `a = 0` all are 1."""
    sigma = jnp.stack([paulis(1.0, 0.0, 0.0), paulis(0.0, 1.0, 0.0), paulis(0.0, 0.0, 1.0)])
    for a in (0.0, 1e-9, 0.3, 5.0):
        found = family.kubo_mori_covariance(1.0, (decompose(a * sigma[2]),), (sigma,))
        along = math.tanh(a) / a if a else 1
        np.testing.assert_allclose(found, np.diag([along, along, 1 / math.cosh(a) ** 2]), atol=4 * EPS)


def test_kubo_mori_map():
    rng = np.random.default_rng(7)
    h, x = with_levels(rng, [0, 0, 1.0], True), rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    jet = helpers.jet_exp(-0.8 * Jet.affine(h, None, orders=(1,)) + Jet.affine(0 * h, x, orders=(1,)))
    with mpmath.workdps(helpers.DIGITS):
        expected = helpers.rounded(jet.derivative(1) / jet.trace().body[0, 0])
    np.testing.assert_allclose(family.kubo_mori_map(-0.8, decompose(h), jnp.array(x)), expected, atol=1e-15)


# -- blocks and batches ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_blocks_and_stacks_are_one_matrix():
    rng = np.random.default_rng(8)
    stack, single = np.stack([direction(rng, 2, True) for _ in range(2)]), direction(rng, 3, True)
    whole = np.zeros((7, 7), complex)
    whole[:2, :2], whole[2:4, 2:4], whole[4:, 4:] = *stack, single

    def in_blocks(s, t):
        return family.entropy(s, (decompose(stack * (1 + t)), decompose(single * (1 + t) - t * np.eye(3))))

    def in_one(s, t):
        shift = np.diag([0.0] * 4 + [1.0] * 3)
        return family.entropy(s, (decompose(whole * (1 + t) - t * shift),))

    values = [jax.jit(derivatives_of(lambda t, f=f: f(-0.9 + t, 0.2 + 2 * t), "rf"))(0.0) for f in (in_blocks, in_one)]
    np.testing.assert_allclose(*values, rtol=1e-12)
    rho = family.gibbs_matrices(-0.9, (decompose(stack), decompose(single)))
    full = family.gibbs_matrices(-0.9, (decompose(whole),))[0]
    np.testing.assert_allclose(rho[0][1], full[2:4, 2:4], atol=1e-15)
    np.testing.assert_allclose(rho[1], full[4:, 4:], atol=1e-15)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
def test_vmap_over_s_and_matrices(axes):
    rng = np.random.default_rng(9)
    scales, stack = np.array([-1.0, 0.0, 2.0]), np.stack([with_levels(rng, [0, 0, k], True) for k in (1.0, 2.0, 3.0)])
    arguments = [x if axis == 0 else x[0] for x, axis in zip((scales, stack), axes, strict=True)]

    def slope(s, h):
        return jax.grad(lambda t: family.entropy(s, (decompose(h * t),)))(1.0)

    found = jax.jit(jax.vmap(slope, axes))(*arguments)
    for k in range(3):
        one = [x[k] if axis == 0 else x for x, axis in zip(arguments, axes, strict=True)]
        np.testing.assert_allclose(found[k], jax.jit(slope)(*one), rtol=1e-12, atol=1e-15)


def test_gradient_by_a_complex_matrix_is_the_state():
    """`d ln Tr e^{sH} = s Tr(rho dH)`: `jax.grad` gives `s rho^T`, so that `Re sum(g * dH)` is the change."""
    rng = np.random.default_rng(10)
    h = jnp.array(with_levels(rng, [0, 0, 1.0], True))
    gradient = jax.grad(lambda h: family.log_trace_exp(-0.8, (decompose(h),)))(h)
    (rho,) = family.gibbs_matrices(-0.8, (decompose(h),))
    np.testing.assert_allclose(gradient, -0.8 * rho.T, atol=1e-15)


def test_descent_in_a_scan():
    target = jnp.diag(jnp.array([0.5, 0.3, 0.2]))

    def loss(h):
        return family.log_trace_exp(-1.0, (decompose(h),)) + jnp.sum(target * h)

    def step(h, _):
        value, slope = jax.value_and_grad(loss)(h)
        return h - slope, value

    h, values = jax.jit(lambda h: jax.lax.scan(step, h, length=60))(jnp.zeros((3, 3)))  # from full degeneracy
    np.testing.assert_allclose(family.gibbs_matrices(-1.0, (decompose(h),))[0], target, atol=1e-6)
    assert np.all(np.diff(values) < 1e-15)


# -- edges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision(dtype):
    rng = np.random.default_rng(11)
    s, v = np.float32(-1.3), direction(rng, 3, dtype is np.complex64).astype(dtype)

    @jax.jit
    def derivatives(h):
        return derivatives_of(lambda t: family.log_trace_exp(s, (decompose(h + t * v),)), "rr")(jnp.float32(0))

    for norm in (1.0, 1e4):
        h = with_levels(rng, [0, 0, norm], dtype is np.complex64).astype(dtype)
        jet = helpers.jet_log_trace(helpers.jet_exp(float(s) * Jet.affine(h, v, orders=(2,))))
        found = derivatives(h)
        for order, value in enumerate(found):
            assert value.dtype == np.float32
            tolerance = backward_error(order, s, norm) / EPS * np.finfo(np.float32).eps
            assert abs(value - float(mpmath.re(jet.derivative(order)[0, 0]))) <= tolerance


def test_one_level_has_no_fluctuations():
    def along(t):
        return family.log_trace_exp(-2.0, (decompose(jnp.full((1, 1), 3.0) * t),))

    assert [float(x) for x in jax.jit(derivatives_of(along, "rfr"))(1.0)] == [-6, -6, 0, 0]
    blocks = (decompose(jnp.full((1, 1), 3.0)),)
    for quantity in (family.entropy, family.heat_capacity):
        assert [float(x) for x in jax.jit(derivatives_of(lambda s, q=quantity: q(s, blocks), "rf"))(-2.0)] == [0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("s", [-math.inf, math.inf])
def test_infinite_s(s):
    h = with_levels(np.random.default_rng(12), [0, 0, 1, 5, 5.0])
    blocks = (decompose(h),)
    extreme = np.linalg.eigh(h)[1][:, [0, 1] if s < 0 else [3, 4]]
    (rho,) = family.gibbs_matrices(s, blocks)
    np.testing.assert_allclose(rho, extreme @ extreme.T / 2, atol=1e-14)
    np.testing.assert_allclose(family.mean(s, blocks), 0 if s < 0 else 5, atol=1e-14)
    np.testing.assert_allclose(family.entropy(s, blocks), math.log(2), rtol=1e-14)
    assert family.heat_capacity(s, blocks) == 0
    covariance = family.kubo_mori_covariance(s, blocks, (jnp.stack([h, h @ h]),))
    np.testing.assert_allclose(covariance, np.zeros((2, 2)), atol=1e-12)

    def slopes(quantity, mode):
        along_s = mode(lambda s: quantity(s, (decompose(h),)))(s)
        return along_s, mode(lambda h: quantity(s, (decompose(h),)))(jnp.array(h))

    quantities = (family.log_trace_exp, family.mean, family.entropy)
    found = jax.jit(lambda: [slopes(q, mode) for q in quantities for mode in (jax.jacfwd, jax.jacrev)])()
    assert all(np.all(np.isnan(slope)) for slope in jax.tree_util.tree_leaves(found))


def test_s_zero_is_the_uniform_state():
    h = with_levels(np.random.default_rng(13), [0, 0, 3.0])
    blocks = (decompose(h),)
    assert family.log_trace_exp(0.0, blocks) == pytest.approx(math.log(3), rel=EPS)
    assert jax.grad(family.mean)(0.0, blocks) == pytest.approx(2.0, rel=1e-14)
    np.testing.assert_allclose(family.gibbs_matrices(0.0, blocks)[0], np.eye(3) / 3, atol=1e-15)
    slope = jax.grad(lambda t: family.mean(0.0, (decompose(h + t * np.diag([1.0, 2.0, 6.0])),)))(0.0)
    assert slope == pytest.approx(3.0, rel=1e-14)
