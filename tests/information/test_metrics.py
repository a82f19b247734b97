"""Metrics of states against closed forms of a qubit, distances of neighbours, Gibbs states and measurements."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import direction, with_levels
from jaxgibbs.information import (
    bures_distance,
    classical_fisher_information,
    fidelity,
    kubo_mori_metric,
    monotone_metric,
    pullback_metric,
    quantum_fisher_information,
    relative_entropy,
    symmetric_logarithmic_derivative,
    wigner_yanase_metric,
)

RNG = np.random.default_rng(17)
EPS = np.finfo(float).eps
PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
RHO = with_levels(RNG, [0.5, 0.3, 0.15, 0.05], True)


def harmonic(x, y):
    return 2 * x * y / (x + y)


def tangents(count, dim):
    moves = np.array([direction(RNG, dim, True) for _ in range(count)])
    return moves - np.einsum("kii->k", moves)[:, None, None] * np.eye(dim) / dim


MOVES = tangents(3, 4)


@jax.jit
def every(rho, moves):
    """From the least metric to the greatest."""
    known = [quantum_fisher_information, wigner_yanase_metric, kubo_mori_metric]
    return jnp.stack([*(metric(rho, moves) for metric in known), monotone_metric(rho, moves, harmonic)])


@pytest.mark.slow
def test_a_qubit():
    # along the Bloch vector r all are 1 / (1 - r^2); across it they differ
    length = 0.7
    axis = np.array([0.48, 0.6, 0.64])
    across = np.cross(axis, [0, 0, 1.0]) / np.linalg.norm(np.cross(axis, [0, 0, 1.0]))
    rho = (np.eye(2) + length * np.einsum("k,kij", axis, PAULI)) / 2
    moves = np.einsum("ak,kij->aij", [axis, across], PAULI) / 2
    root = np.sqrt(1 - length**2)
    turned = [1, 2 / (1 + root), np.arctanh(length) / length, 1 / root**2]
    expected = [np.diag([1 / root**2, across]) for across in turned]
    np.testing.assert_allclose(every(rho, moves), expected, atol=1e-14)
    single = quantum_fisher_information(rho, moves[1])
    assert single.shape == ()
    np.testing.assert_allclose(single, 1, rtol=1e-14)


def test_they_are_ordered_and_no_channel_increases_them():
    metrics = np.asarray(every(RHO, MOVES))
    np.testing.assert_allclose(metrics, metrics.swapaxes(1, 2), rtol=1e-14)
    assert np.all(np.linalg.eigvalsh(metrics[0]) > 0)
    assert np.all(np.linalg.eigvalsh(np.diff(metrics, axis=0)) > 0)
    part = functools.partial(jg.linalg.partial_trace, dims=(2, 2), keep=0)
    reduced = np.asarray(every(part(jnp.asarray(RHO)), jnp.stack([part(jnp.asarray(m)) for m in MOVES])))
    assert np.all(np.linalg.eigvalsh(metrics - reduced) > 0)


def test_they_are_what_distances_of_neighbours_grow_with():
    move, t = MOVES[0], 1e-4  # errors of the order t, and eps / t^2
    near, far = RHO - t / 2 * move, RHO + t / 2 * move
    metrics = every(RHO, MOVES)[:, 0, 0]
    np.testing.assert_allclose(4 * bures_distance(near, far) ** 2 / t**2, metrics[0], rtol=1e-6)
    roots = [jg.linalg.sqrt(x) for x in (near, far)]
    np.testing.assert_allclose(4 * np.linalg.norm(roots[1] - roots[0]) ** 2 / t**2, metrics[1], rtol=1e-6)
    np.testing.assert_allclose(2 * relative_entropy(near, far) / t**2, metrics[2], rtol=1e-3)
    # 4 |sqrt rho - sqrt sigma|^2 = 8 (1 - Tr sqrt rho sqrt sigma)


@pytest.mark.slow
def test_the_bures_distance():
    one, other = np.diag([1.0, 0]), np.array([[0.36, 0.48], [0.48, 0.64]])
    np.testing.assert_allclose(bures_distance(one, other), np.sqrt(2 - 2 * 0.6), rtol=1e-7)
    np.testing.assert_allclose(bures_distance(one, np.diag([0, 1.0])), np.sqrt(2), rtol=1e-7)
    assert bures_distance(one, one) < 1e-7
    a, b = with_levels(RNG, [0.2, 0.8], True), with_levels(RNG, [0.4, 0.6], True)
    np.testing.assert_allclose(bures_distance(a, b) ** 2, 2 - 2 * np.sqrt(fidelity(a, b)), rtol=1e-13)
    slope = jax.grad(lambda t: bures_distance(b + t * PAULI[0] / 2, b + t * PAULI[0] / 2))(0.1)
    assert np.isfinite(slope)


@pytest.mark.slow
def test_gibbs_states_have_the_covariances_of_their_charges():
    charges = np.array([direction(RNG, 4, True) for _ in range(2)])
    multipliers = jnp.array([0.8, -0.5])

    def family(multipliers):
        return jg.generalized_gibbs_state(charges, multipliers).density_matrix()

    state = jg.generalized_gibbs_state(charges, multipliers)
    least = pullback_metric(family, multipliers)
    np.testing.assert_allclose(least, jg.fitting.quantum_fisher_information(charges, multipliers), rtol=1e-12)
    mori = pullback_metric(family, multipliers, kubo_mori_metric)
    np.testing.assert_allclose(mori, state.charge_covariance, rtol=1e-12)
    hamiltonian, temperature = charges[0], 0.4

    def thermal(temperature):
        return jg.gibbs_state(hamiltonian, 1 / temperature).density_matrix()

    expected = jg.heat_capacity(hamiltonian, 1 / temperature) / temperature**2
    for metric in (quantum_fisher_information, wigner_yanase_metric, kubo_mori_metric):  # one, where all commutes
        np.testing.assert_allclose(pullback_metric(thermal, temperature, metric), expected, rtol=1e-12)


def test_cramer_and_rao_attained_by_the_logarithmic_derivative():
    move = MOVES[1]
    bound = quantum_fisher_information(RHO, move)
    derivative = np.asarray(symmetric_logarithmic_derivative(RHO, move))
    np.testing.assert_allclose((derivative @ RHO + RHO @ derivative) / 2, move, atol=1e-14)
    np.testing.assert_allclose(np.trace(RHO @ derivative @ derivative).real, bound, rtol=1e-13)

    def measured(basis):
        outcomes = [np.einsum("im,ij,jm->m", basis.conj(), x, basis).real for x in (RHO, move)]
        return classical_fisher_information(*outcomes)

    np.testing.assert_allclose(measured(np.linalg.eigh(derivative)[1]), bound, rtol=1e-12)
    for _ in range(5):
        assert measured(np.linalg.qr(direction(RNG, 4, True))[0]) < bound


def test_pure_states():
    # under e^{-itG}: four times the variance of G; the metric of square roots is twice that, Kubo and Mori's infinite
    vector = RNG.normal(size=4) + 1j * RNG.normal(size=4)
    vector /= np.linalg.norm(vector)
    rho, generators = np.outer(vector, vector.conj()), [direction(RNG, 4, True) for _ in range(2)]
    moves = np.array([-1j * (g @ rho - rho @ g) for g in generators])
    mean = [np.vdot(vector, g @ vector).real for g in generators]
    second = [[np.vdot(a @ vector, b @ vector).real for b in generators] for a in generators]
    covariance = np.array(second) - np.outer(mean, mean)
    found = every(rho, moves)
    np.testing.assert_allclose(found[:2], [4 * covariance, 8 * covariance], rtol=1e-12)
    for infinite in found[2:]:
        assert np.all(np.isinf(np.diag(infinite)))
        assert np.isnan(infinite[0, 1])


@pytest.mark.slow
def test_infinite_where_the_support_is_left():
    rho, within, out = np.diag([0.4, 0.6, 0]), np.diag([1.0, -1, 0]), np.diag([-0.4, -0.6, 1])
    found = every(rho, np.array([within, out, within]))
    expected = 1 / 0.4 + 1 / 0.6
    for metric in found:
        np.testing.assert_allclose(metric[[0, 0, 2], [0, 2, 2]], expected, rtol=1e-14)
        assert metric[1, 1] == np.inf
        np.testing.assert_allclose(metric[0, 1], 0, atol=1e-14)  # what leaves it is orthogonal to what stays
    assert np.all(np.isnan(symmetric_logarithmic_derivative(rho, out)))
    np.testing.assert_allclose(symmetric_logarithmic_derivative(rho, within), np.diag([2.5, -1 / 0.6, 0]), atol=1e-14)
    slope = jax.grad(lambda t: quantum_fisher_information(jnp.asarray(rho) + t * within, jnp.asarray(out)))(0.0)
    assert np.isnan(slope)


def test_classical_information():
    probabilities, slopes = np.array([0.2, 0.8, 0.0]), np.array([[1.0, -1, 0], [0.5, -0.5, 0]])
    expected = np.outer([1, 0.5], [1, 0.5]) * (1 / 0.2 + 1 / 0.8)
    np.testing.assert_allclose(classical_fisher_information(probabilities, slopes), expected, rtol=1e-14)
    assert classical_fisher_information(probabilities, np.array([0.5, 0.4, 0.1])) == np.inf
    assert np.isnan(jax.jit(classical_fisher_information)(np.array([1.1, -0.1]), np.array([1.0, -1])))


# -- derivatives -----------------------------------------------------------------------------------------------------


@jax.jit
def slope(rho, move, along):
    """Derivatives in the state of three metrics of one tangent."""

    def values(t):
        known = [quantum_fisher_information, wigner_yanase_metric, kubo_mori_metric]
        return jnp.stack([metric(rho + t * along, move) for metric in known])

    return jax.jacfwd(values)(0.0)


@pytest.mark.slow
def test_derivatives_in_the_state():
    h = 1e-4  # errors h^2 f''' / 6 and eps / h
    values = [every(RHO + t * MOVES[1], MOVES[:1])[:3, 0, 0] for t in (-h, h)]
    np.testing.assert_allclose(slope(RHO, MOVES[0], MOVES[1]), (values[1] - values[0]) / (2 * h), rtol=1e-5)
    # at the identity: 1 / m(p + a, p + b) = 1/p - (a + b) / 2 p^2 + ..., for every mean
    expected = -16 * np.trace(MOVES[0] @ MOVES[0] @ MOVES[1]).real
    np.testing.assert_allclose(slope(np.eye(4) / 4 + 0j, MOVES[0], MOVES[1]), expected, rtol=1e-11)


@pytest.mark.slow
def test_second_derivatives_under_reverse_mode():
    def information(t):
        return quantum_fisher_information(jnp.diag(jnp.stack([0.3 + t, 0.7 - t])), jnp.asarray(PAULI[2].real))

    p, q = 0.3, 0.7  # 1 / p + 1 / q
    np.testing.assert_allclose(jax.jit(jax.grad(jax.grad(information)))(0.0), 2 / p**3 + 2 / q**3, rtol=1e-11)


def test_derivatives_along_pure_states():
    # J of a turning pure state with G(t) = cos t sigma_z + sin t sigma_x, in the state along z: 4 sin^2 t
    @jax.jit
    def information(t):
        turn = (jnp.cos(t) * PAULI[2] - jnp.sin(t) * PAULI[0]).astype(complex)
        rho = (jnp.eye(2) + turn) / 2  # the state turns, the generator is sigma_z
        return quantum_fisher_information(rho, -1j * (PAULI[2] @ rho - rho @ PAULI[2]))

    for t in (0.4, 1.1):
        np.testing.assert_allclose(
            jax.value_and_grad(information)(t), [4 * np.sin(t) ** 2, 4 * np.sin(2 * t)], rtol=1e-11
        )


# -- edges -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_single_precision_and_batches():
    rho, moves = np.stack([RHO, np.eye(4) / 4]).astype(np.complex64), MOVES.astype(np.complex64)
    found = jax.vmap(every, in_axes=(0, None))(rho, moves)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], every(RHO, MOVES), rtol=1e-4, atol=1e-4)
    assert quantum_fisher_information([[1]], [[0]]) == 0
    assert np.all(np.isnan(jax.jit(quantum_fisher_information)(np.diag([1.1, -0.1]), PAULI[2].real)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantum_fisher_information(np.diag([1.1, -0.1]), PAULI), "`rho` must be positive semidefinite"),
        (lambda: quantum_fisher_information(np.eye(2) / 2, MOVES), "`tangents` must be derivatives of `rho`"),
        (lambda: kubo_mori_metric(np.eye(2) / 2, np.array([[0, 1], [0, 0]])), "`tangents` must be Hermitian"),
        (lambda: wigner_yanase_metric(np.eye(2) / 2, PAULI * np.nan), "`tangents` must be finite"),
        (lambda: symmetric_logarithmic_derivative(np.eye(2) / 2, PAULI), "`tangent` must be one matrix"),
        (lambda: classical_fisher_information(np.ones(2) / 2, np.ones(3)), "`slopes` must have shape"),
        (lambda: classical_fisher_information(np.array([1.1, -0.1]), np.ones(2)), "must not be negative"),
        (lambda: pullback_metric(jnp.diag, np.ones((2, 2))), "`parameters` must be a real vector"),
        (lambda: symmetric_logarithmic_derivative(PAULI[0], PAULI[0]), "`rho` must have trace 1, but its trace is 0"),
        (lambda: monotone_metric(RHO, MOVES, lambda x, y: x + y), r"that is `f\(1\) = 1`"),
        (lambda: monotone_metric(RHO, MOVES, lambda x, y: (x + 2 * y) / 3), r"`f\(t\) = t f\(1 / t\)`"),
        (lambda: monotone_metric(RHO, MOVES, lambda x, y: jnp.hypot(x, y) / 2**0.5), "harmonic and the arithmetic"),
        (lambda: monotone_metric(RHO, MOVES, lambda x, y: (x + y) / 2 + (x - y) ** 2), "be homogeneous"),
        (lambda: monotone_metric(RHO, MOVES, lambda x, y: jnp.sum(x)), "`mean` must be elementwise"),
        (lambda: bures_distance(np.eye(2) / 2, np.eye(3) / 3), "shape"),
    ],
)
def test_misuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()
