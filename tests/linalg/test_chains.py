"""Chains against their defining sum, their rules against differences, transposition and loops."""

import functools
import itertools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import helpers
from helpers import direction, with_levels
from jaxgibbs.linalg import Exponential, Kernel, decompose, exponential_family, functions
from jaxgibbs.linalg.chains import chain
from jaxgibbs.linalg.divided_differences import Thermal

EPS = np.finfo(float).eps


def resolvent(x, y):
    return 1 / (x + y)


def radius(x):
    return x


KERNEL = Kernel(resolvent, radius)


def of_matrix(function, labels, matrix, *factors, parameter=None):
    """The chain of a matrix that is decomposed here."""
    d = decompose(matrix)
    return chain(function, labels, d.matrix, d.eigenvalues, d.vectors, *factors, parameter=parameter)


# -- the sum ---------------------------------------------------------------------------------------------------------

CASES = [
    (Exponential(), mpmath.exp, (0,)),
    (Exponential(), mpmath.exp, (0, 0)),
    (Exponential(), mpmath.exp, (0, 0, 0)),
    (Exponential(), mpmath.exp, (0, 0, 0, 0)),
    (functions.LOGARITHM, mpmath.log, (0, 0, 0)),
    (functions.BOSE, lambda x: 1 / mpmath.expm1(x), (0, 0, 0)),
    (KERNEL, lambda x, y: 1 / (x + y), (0, 1)),
    (KERNEL, lambda x, y: 1 / (x + y), (0, 0, 1)),
    (KERNEL, lambda x, y: 1 / (x + y), (1, 0, 1)),
    (KERNEL, lambda x, y: 1 / (x + y), (0, 1, 1, 0)),
]


def weight(exact, labels, nodes):
    """The partial divided difference of `exact`."""
    if max(labels) == 0:
        return helpers.divided_difference(exact, nodes)
    first, second = ([x for x, label in zip(nodes, labels, strict=True) if label == k] for k in (0, 1))
    return helpers.divided_difference(
        lambda y: helpers.divided_difference(functools.partial(_flip(exact), y), first), second
    )


def _flip(exact):
    return lambda y, x: exact(x, y)


@pytest.mark.parametrize(("function", "exact", "labels"), CASES)
def test_a_chain_is_its_sum(function, exact, labels):
    rng, levels = np.random.default_rng(1), np.array([0.4, 0.4, 1.7])
    matrices = [rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)) for _ in labels[1:]]
    vectors = np.linalg.eigh(direction(rng, 3, True))[1]
    projectors = [np.outer(v, v.conj()) for v in vectors.T]
    total = np.zeros((3, 3), complex)
    weights = {}
    for indices in itertools.product(range(3), repeat=len(labels)):
        nodes = tuple(levels[list(indices)])
        if nodes not in weights:
            weights[nodes] = complex(weight(exact, labels, nodes))
        steps = zip(matrices, indices[1:], strict=True)
        total += weights[nodes] * functools.reduce(
            lambda p, s: p @ s[0] @ projectors[s[1]], steps, projectors[indices[0]]
        )
    found = chain(function, labels, jnp.eye(3), jnp.array(levels), jnp.array(vectors), *map(jnp.array, matrices))
    # 4 * 512: of a divided difference of order 3; times the sum of what is summed
    size = max(map(abs, weights.values())) * np.prod([np.linalg.norm(m) for m in matrices])
    np.testing.assert_allclose(found, total, rtol=0, atol=2048 * EPS * size)


def test_a_constant_shift_and_the_identity():
    rng = np.random.default_rng(2)
    a = direction(rng, 4, True)
    square = of_matrix(functions.power(2.0), (0, 0), a @ a.conj().T + np.eye(4), jnp.eye(4))
    np.testing.assert_allclose(square, 2 * (a @ a.conj().T + np.eye(4)), atol=1e-13)


# -- rules -----------------------------------------------------------------------------------------------------------


def slope(function, step=2e-3):
    """The derivative at 0, by central differences of order 6."""
    return sum(c * (function(k * step) - function(-k * step)) for k, c in ((1, 45), (2, -9), (3, 1))) / (60 * step)


@pytest.mark.parametrize(
    ("function", "labels", "is_complex"),
    [
        (Exponential(), (0,), True),
        (Exponential(), (0, 0), False),
        (Exponential(), (0, 0, 0), True),
        (functions.FERMI, (0, 0), True),
        (KERNEL, (0, 1), True),
        pytest.param(KERNEL, (1, 0, 0), False, marks=pytest.mark.slow),
    ],
)
def test_derivative_in_the_matrix(function, labels, is_complex):
    rng = np.random.default_rng(3)
    a, e = with_levels(rng, [0.9, 1.4, 2.3], is_complex), direction(rng, 3, is_complex)
    factors = [direction(rng, 3, is_complex) for _ in labels[1:]]
    along = jax.jit(lambda t: of_matrix(function, labels, a + t * e, *factors))
    found = jax.jit(jax.jacfwd(along))(0.0)
    scale = np.abs(found).max()
    np.testing.assert_allclose(found, slope(along), rtol=0, atol=1e3 * EPS / 2e-3 * scale)


def test_derivative_in_a_parameter():
    rng = np.random.default_rng(4)
    h, m = with_levels(rng, [0.0, 0.8, 0.8], True), direction(rng, 3, True)
    along = jax.jit(lambda s: of_matrix(Thermal(1), (0, 0), h, m, parameter=s))
    np.testing.assert_allclose(jax.jit(jax.jacfwd(along))(-0.6), slope(lambda t: along(-0.6 + t)), atol=1e-11)


@pytest.mark.parametrize(
    ("function", "labels", "real_factor"),
    [
        (Exponential(), (0, 0), True),
        (Exponential(), (0, 0, 0), False),
        (KERNEL, (0, 1), True),
        (KERNEL, (0, 0, 1), False),
    ],
)
def test_transposes(function, labels, real_factor):
    rng = np.random.default_rng(5)
    a = with_levels(rng, [0.9, 0.9, 2.3], True)
    factors = [
        jnp.array(rng.normal(size=(3, 3)) + (0 if real_factor else 1j * rng.normal(size=(3, 3)))) for _ in labels[1:]
    ]
    cotangent = jnp.array(rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)))
    for q, factor in enumerate(factors):

        def linear(m, q=q):
            return of_matrix(function, labels, a, *(m if p == q else other for p, other in enumerate(factors)))

        (transposed,) = jax.linear_transpose(linear, factor)(cotangent)
        expected, found = jnp.sum(cotangent * linear(factor)), jnp.sum(transposed * factor)
        assert transposed.dtype == factor.dtype
        if real_factor:  # the real part is transposed
            expected = expected.real
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_zero_cotangents_and_tangents_pass():
    rng = np.random.default_rng(6)
    a, m = with_levels(rng, [1.0, 2.0], True), jnp.array(direction(rng, 2, True))

    def first_of_two(m):
        both = (of_matrix(Exponential(), (0, 0), a, m), of_matrix(Exponential(), (0, 0), a, 2 * m))
        return jnp.sum(jnp.abs(both[0]) ** 2)

    assert np.all(np.isfinite(jax.grad(first_of_two)(m)))
    still = jax.jvp(lambda m: of_matrix(Exponential(), (0,), a) + 0 * m, (m,), (m,))[1]
    np.testing.assert_array_equal(still, np.zeros((2, 2)))


# -- batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batched", list(itertools.product([False, True], repeat=3))[1:])
def test_batches_are_loops(batched):
    rng = np.random.default_rng(7)
    h, m, s = np.stack([direction(rng, 3, True) for _ in range(4)]), rng.normal(size=(4, 3, 3)), np.linspace(-1, -2, 4)

    def one(h, m, s):
        d = decompose(h)
        return chain(Thermal(), (0, 0), d.matrix, d.eigenvalues - d.eigenvalues[0], d.vectors, m, parameter=s)

    pick = [x if b else x[0] for x, b in zip((h, m, s), batched, strict=True)]
    found = jax.jit(jax.vmap(one, [0 if b else None for b in batched]))(*pick)
    for k in range(4):
        expected = one(*(jnp.asarray(x[k] if b else x) for x, b in zip(pick, batched, strict=True)))
        np.testing.assert_allclose(found[k], expected, rtol=1e-13, atol=1e-15)


def test_batches_nest_in_any_order():
    rng = np.random.default_rng(8)
    h, m = np.stack([direction(rng, 3, True) for _ in range(2)]), rng.normal(size=(3, 3, 3))

    def one(h, m):
        return of_matrix(Exponential(), (0, 0), h, m)

    loops = np.array([[one(a, b) for b in m] for a in h])
    np.testing.assert_allclose(jax.vmap(jax.vmap(one, (None, 0)), (0, None))(h, m), loops, rtol=1e-13, atol=1e-14)
    swapped = jax.vmap(jax.vmap(one, (0, None)), (None, 0))(h, m)
    np.testing.assert_allclose(swapped, np.swapaxes(loops, 0, 1), rtol=1e-13, atol=1e-14)


def test_a_stack_of_blocks_takes_a_batch_of_factors():
    rng = np.random.default_rng(9)
    stack, m = np.stack([direction(rng, 3, True) for _ in range(2)]), jnp.array(rng.normal(size=(5, 3, 3)))
    d = decompose(stack)

    def one(m):
        return chain(Exponential(), (0, 0), d.matrix, d.eigenvalues, d.vectors, m)

    found = jax.vmap(one)(m)
    assert found.shape == (5, 2, 3, 3)
    for k, j in itertools.product(range(5), range(2)):
        np.testing.assert_allclose(
            found[k, j], of_matrix(Exponential(), (0, 0), stack[j], m[k]), rtol=1e-12, atol=1e-13
        )


def test_what_is_not_batched_is_not_copied():
    d = decompose(np.diag([1.0, 2.0]))

    def one(m):
        return chain(Exponential(), (0, 0), d.matrix, d.eigenvalues, d.vectors, m)

    program = jax.make_jaxpr(jax.vmap(one))(jnp.ones((200, 2, 2)))
    (bound,) = [e for e, _ in helpers.equations(program) if e.primitive.name == "spectral_chain"]
    assert [v.aval.shape for v in bound.invars] == [(1, 2, 2), (1, 2), (1, 2, 2), (200, 2, 2)]


# -- dtypes, memory, limits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.float64, np.complex128])
@pytest.mark.parametrize("count", range(3))
def test_dtype_follows_the_inputs(dtype, count):
    rng = np.random.default_rng(10)
    a = jnp.array(direction(rng, 3, np.issubdtype(dtype, np.complexfloating)).astype(dtype))
    found = of_matrix(Exponential(), (0,) * (count + 1), a, *[a] * count)
    assert found.dtype == dtype
    mixed = of_matrix(Exponential(), (0,) * (count + 1), a, *[1j * a] * count)
    assert mixed.dtype == (jnp.result_type(dtype, np.complex64) if count else dtype)


def temporary_bytes(function, *arguments):
    """Memory that the compiled program takes besides its inputs and outputs."""
    return jax.jit(function).lower(*arguments).compile().memory_analysis().temp_size_in_bytes


@pytest.mark.slow
def test_third_derivatives_of_log_z_take_memory_as_the_matrix():
    rng = np.random.default_rng(11)

    def third(v, h):
        def log_z(t):
            return exponential_family.log_trace_exp(-1.0, (decompose(h + t * v),))

        return jax.grad(jax.grad(jax.grad(log_z)))(0.0)

    used = []
    for dim in (24, 48):
        matrix = jnp.array(direction(rng, dim))
        used.append(temporary_bytes(third, matrix, matrix) / (8 * dim**2))
        assert used[-1] < 60  # matrices
    assert used[1] < 1.5 * used[0]


@pytest.mark.parametrize(("count", "limit"), [(3, 107), (4, 42)])
def test_high_orders_refuse_large_matrices(count, limit):
    def derivative(dim):
        matrix = jax.ShapeDtypeStruct((dim, dim), np.float64)
        nodes = jax.ShapeDtypeStruct((dim,), np.float64)

        def program(matrix, nodes, m):
            return chain(Exponential(), (0,) * (count + 1), matrix, nodes, matrix, *[m] * count)

        return jax.eval_shape(program, matrix, nodes, matrix)

    assert derivative(limit).shape == (limit, limit)
    with pytest.raises(ValueError, match=f"order {count} .* at most {limit}, but has {limit + 1}"):
        derivative(limit + 1)
    assert jax.eval_shape(
        lambda h: jax.hessian(lambda t: of_matrix(Exponential(), (0,), t * h))(1.0), jnp.eye(200)
    ).shape


def test_derivatives_in_beta_alone_are_never_refused():
    h = jnp.diag(jnp.arange(150.0))

    def expectation(s):
        (rho,) = exponential_family.gibbs_matrices(s, (decompose(h),))
        return jnp.trace(rho @ h)

    fifth = functools.reduce(lambda f, _: jax.grad(f), range(5), expectation)
    assert jax.eval_shape(fifth, -0.1).shape == ()
