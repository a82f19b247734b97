"""Entropies and distances against closed forms, many digits, and finite differences."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import direction, with_levels
from jaxgibbs.information import fidelity, relative_entropy, trace_distance, von_neumann_entropy

RNG = np.random.default_rng(11)
EPS = np.finfo(float).eps
P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
RHO, SIGMA = with_levels(RNG, P, True), with_levels(RNG, Q, True)
MOVE = direction(RNG, 3, True)
MOVE = MOVE - np.eye(3) * np.trace(MOVE) / 3
PURE = np.outer([0.6, 0.8j, 0], np.conj([0.6, 0.8j, 0]))
entropy, relative = jax.jit(von_neumann_entropy), jax.jit(relative_entropy)


def logarithm(rho):
    values, vectors = np.linalg.eigh(rho)
    return (vectors * np.log(values)) @ vectors.conj().T


def test_entropies_of_known_spectra():
    np.testing.assert_allclose(entropy(RHO), -np.sum(P * np.log(P)), rtol=8 * EPS)
    np.testing.assert_allclose(entropy(np.eye(3) / 3 + 0j), np.log(3), rtol=8 * EPS)
    assert abs(entropy(PURE)) < 40 * EPS
    assert von_neumann_entropy(np.diag([1.0, 0.0])) == 0
    np.testing.assert_allclose(von_neumann_entropy(np.diag([1.0, 1e-40])), 1e-40 * 40 * np.log(10), rtol=1e-12)
    assert von_neumann_entropy([[1]]) == 0


def test_relative_entropy_is_its_formula():
    expected = np.trace(RHO @ (logarithm(RHO) - logarithm(SIGMA))).real
    np.testing.assert_allclose(relative(RHO, SIGMA), expected, rtol=100 * EPS)
    hamiltonian = direction(RNG, 3, True)
    state = jg.gibbs_state(hamiltonian, 1.7)
    energy = np.trace(hamiltonian @ RHO).real
    with_gibbs = 1.7 * energy + state.log_partition - entropy(RHO)
    np.testing.assert_allclose(relative(RHO, state.density_matrix()), with_gibbs, rtol=100 * EPS)


def test_nearly_equal_states_keep_their_digits():
    # D = sum_ij |delta_ij|^2 ln(p_i / p_j) / (p_i - p_j) / 2 + O(delta^3); by 60 digits below
    step = 1e-7
    near = RHO + step * MOVE
    with mpmath.workdps(60):

        def log_trace(a, b):
            values, vectors = mpmath.eighe(mpmath.matrix(b.tolist()))
            logs = vectors * mpmath.diag([mpmath.log(x) for x in values]) * vectors.H
            product = mpmath.matrix(a.tolist()) * logs
            return mpmath.re(sum(product[i, i] for i in range(3)))

        traces = [sum(mpmath.mpf(float(x)) for x in np.diag(matrix).real) for matrix in (near, RHO)]
        exact = log_trace(near, near) - log_trace(near, RHO) - (traces[0] - traces[1])
        expected = float(exact)
    np.testing.assert_allclose(relative(near, RHO), expected, rtol=100 * EPS / step)  # eigenvalues are known to eps
    assert abs(relative(RHO, RHO)) < 100 * EPS**2
    np.testing.assert_allclose(jax.grad(relative)(RHO, RHO), 0, atol=100 * EPS)


def test_infinite_exactly_where_the_support_is_exceeded():
    turned = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    plane = turned[:, :2] @ np.diag([0.3, 0.7]) @ turned[:, :2].T
    inside = turned[:, :2] @ np.array([[0.5, 0.5], [0.5, 0.5]]) @ turned[:, :2].T
    assert relative(RHO, plane + 0j) == np.inf
    assert relative(PURE, PURE[::-1, ::-1]) == np.inf
    np.testing.assert_allclose(relative(inside + 0j, plane + 0j), -(np.log(0.3) + np.log(0.7)) / 2, rtol=1e-12)
    assert abs(relative(PURE, PURE)) < 40 * EPS
    far = relative_entropy(np.diag([0.5, 0.5]), np.diag([1.0, 1e-60]))
    np.testing.assert_allclose(far, -np.log(2) + 30 * np.log(10), rtol=1e-12)
    assert relative_entropy(np.diag([1.0, 1e-60]), np.diag([1.0, 0])) == np.inf


@pytest.mark.slow
def test_derivatives_are_logarithms_and_of_every_order():
    def along(t):
        return jnp.stack([von_neumann_entropy(RHO + t * MOVE), relative_entropy(RHO + t * MOVE, SIGMA - t * MOVE)])

    first, second = jax.jit(jax.jacfwd(along)), jax.jit(jax.jacrev(jax.jacfwd(along)))
    expected = -np.trace((logarithm(RHO) + np.eye(3)) @ MOVE).real
    np.testing.assert_allclose(first(0.0)[0], expected, rtol=1e-13)
    h = 1e-4  # errors h^2 f''' / 6 and eps / h
    values = jax.jit(along)
    np.testing.assert_allclose(first(0.0), (values(h) - values(-h)) / (2 * h), rtol=1e-6)
    np.testing.assert_allclose(second(0.0), (first(h) - first(-h)) / (2 * h), rtol=1e-6)
    gradient = jax.jit(jg.operators.hermitian_gradient(relative_entropy))(RHO, SIGMA)
    np.testing.assert_allclose(gradient, logarithm(RHO) - logarithm(SIGMA), atol=1e-13)


@pytest.mark.slow
def test_the_derivative_of_an_infinite_entropy_is_nan_but_harmless_where_not_asked_for():
    def both(weights):
        states = jnp.asarray([RHO, np.eye(3) / 3])
        values = jax.vmap(lambda t, rho: relative_entropy((rho + t * PURE) / (1 + t), (PURE + t * RHO) / (1 + t)))(
            weights, states
        )
        return values, jnp.where(jnp.isinf(values), 0, values)

    weights = jnp.array([0.0, 0.5])
    assert both(weights)[0][0] == np.inf
    slopes = jax.grad(lambda w: jnp.sum(both(w)[1]))(weights)
    assert slopes[0] == 0
    assert np.isfinite(slopes[1])
    assert np.isnan(jax.grad(lambda w: both(w)[0][0])(weights)[0])


def test_distances_of_pure_states_and_qubits():
    a, b = np.array([0.6, 0.8j, 0]), np.array([1, 1, 1]) / np.sqrt(3)
    overlap = abs(np.vdot(a, b)) ** 2
    one, other = (np.outer(v, v.conj()) for v in (a, b))
    np.testing.assert_allclose(fidelity(one, other), overlap, rtol=1e-7)  # roots of eigenvalues of rounding: sqrt(eps)
    np.testing.assert_allclose(trace_distance(one, other), np.sqrt(1 - overlap), rtol=1e-14)
    rho, sigma = (with_levels(RNG, [p, 1 - p], True) for p in (0.2, 0.4))
    expected = np.trace(rho @ sigma).real + 2 * np.sqrt(np.linalg.det(rho).real * np.linalg.det(sigma).real)
    np.testing.assert_allclose(fidelity(rho, sigma), expected, rtol=1e-14)
    np.testing.assert_allclose(fidelity(rho, rho), 1, rtol=1e-14)
    assert trace_distance(rho, rho) == 0
    np.testing.assert_allclose(
        trace_distance(rho, sigma), np.abs(np.linalg.eigvalsh(rho - sigma)).sum() / 2, rtol=1e-13
    )


@pytest.mark.parametrize("distance", [fidelity, trace_distance])
def test_derivatives_of_distances(distance):
    values = jax.jit(lambda t: distance(RHO + t * MOVE, SIGMA))
    h = 1e-5
    np.testing.assert_allclose(jax.grad(values)(0.0), (values(h) - values(-h)) / (2 * h), rtol=1e-8)


def test_single_precision():
    rho, sigma = RHO.astype(np.complex64), SIGMA.astype(np.complex64)
    for name, args in (("von_neumann_entropy", (rho,)), ("relative_entropy", (rho, sigma)), ("fidelity", (rho, sigma))):
        function = getattr(jg.information, name)
        answer = function(*args)
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, function(*(x.astype(complex) for x in args)), rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: von_neumann_entropy(np.ones((2, 3))), "square matrix"),
        (lambda: von_neumann_entropy([[1, 1], [0, 1]]), "must be Hermitian"),
        (lambda: von_neumann_entropy(np.diag([1.1, -0.1])), "positive semidefinite"),
        (lambda: relative_entropy(np.eye(2) / 2, np.eye(3) / 3), "shape"),
        (lambda: relative_entropy(np.eye(2) / 2, np.diag([1.1, -0.1])), "`sigma` must be positive"),
        (lambda: trace_distance(np.eye(2) / 2, np.eye(3) / 3), "shape"),
        (lambda: trace_distance([[1, 1], [0, 1]], np.eye(2)), "must be Hermitian"),
        (lambda: trace_distance(RHO, 2 * SIGMA), "`sigma` must have trace 1, but its trace is 2"),
        (lambda: von_neumann_entropy(np.eye(2)), "trace is 2, off by more than the tolerance 6.1e-06 for float64"),
        (lambda: von_neumann_entropy(np.eye(2, dtype=np.float32)), "tolerance 0.0049 for float32"),
        (lambda: fidelity(RHO, 0.99 * SIGMA), "`sigma` must have trace 1, but its trace is 0.99"),
        (lambda: fidelity(np.eye(2) / 2, np.eye(3) / 3), "shape"),
    ],
)
def test_misuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_negative_state_or_one_of_another_trace_is_nan_under_a_trace():
    assert np.isnan(jax.jit(von_neumann_entropy)(np.diag([1.1, -0.1])))
    for name in ("von_neumann_entropy", "fidelity", "trace_distance"):
        function = getattr(jg.information, name)
        states = jnp.stack([RHO, 2 * RHO])
        answers = jax.vmap(lambda x, f=function: f(x) if f is von_neumann_entropy else f(x, SIGMA))(states)
        assert np.isfinite(answers[0])
        assert np.isnan(answers[1])
