"""Derivatives of Gibbs states in beta, in couplings and in matrices, against definitions and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

import jaxgibbs as jg
from gibbs_reference import EPS, LEVELS, A, B, H, chain, hermitian, rotated, thermal, unitary
from jaxgibbs import models
from jaxgibbs.operators import Dense, Scaled, Spectrum, Sum, hermitian_gradient

# -- derivatives --------------------------------------------------------------------------------------------------------


def second_derivative_of_log_partition(hamiltonian):
    return jax.jit(lambda beta: beta**2 * jax.grad(jax.grad(lambda b: jg.log_partition(hamiltonian, b)))(beta))


@pytest.mark.parametrize(
    "hamiltonian",
    [
        Dense(H),
        Dense(rotated(np.array([0.0, 1e-12, 1e-9, 1e-5, 0.3, 0.3]))),
        chain(),
        Spectrum(LEVELS, np.log([1.0, 2, 3, 4, 5, 6])),
        jg.operators.Fermions([0.3, 0.3, -1.0]),
        jg.operators.Bosons([0.3, 0.3, 1.0]),
        jg.operators.KroneckerSum([H, Spectrum([0.0, 0.5]), jg.operators.Bosons([1.0])]),
    ],
    ids=lambda h: type(h).__name__,
)
def test_heat_capacity_is_the_second_derivative(hamiltonian):
    second = second_derivative_of_log_partition(hamiltonian)
    own = jax.jit(lambda beta: jg.gibbs_state(hamiltonian, beta).heat_capacity)
    for beta in (0.05, 0.7, 4.0, 40.0):
        assert abs(second(beta) - own(beta)) <= 1e-10 * max(float(own(beta)), 1e-6)


@pytest.mark.slow
def test_derivatives_are_nan_at_infinite_beta_in_either_mode():
    functions = (jg.log_partition, jg.energy, jg.entropy, jg.heat_capacity, jg.free_energy)
    # One function at a time: in one Jacobian the zero cotangent of one times the NaN of another hides what each returns.
    derivatives = jax.jit(
        lambda *x: [mode(f, k)(*x) for f in functions for mode in (jax.jacfwd, jax.jacrev) for k in (0, 1)]
    )
    for beta in (np.inf, -np.inf):
        assert all(np.all(np.isnan(d)) for d in derivatives(H.real[:2, :2], beta))
    assert np.isnan(jax.grad(jg.free_energy, 1)(H, 0.0))


@pytest.mark.slow
def test_the_gradient_in_a_matrix_and_its_convention():
    direction, beta = hermitian(6, 5), 0.8
    state = jg.gibbs_state(H, beta)

    def along(x):
        return jg.log_partition(H + x * direction, beta)

    for gradient in (
        hermitian_gradient(jg.log_partition)(jnp.asarray(H), beta),
        hermitian_gradient(jg.log_partition)(Dense(H), beta).matrix,
    ):
        np.testing.assert_allclose(gradient, -beta * state.density_matrix(), atol=1e-13)
        np.testing.assert_allclose(np.trace(gradient @ direction).real, jax.grad(along)(0.0), rtol=1e-12)
    # What JAX itself returns is the conjugate, for a complex matrix; the same for a real one.
    np.testing.assert_allclose(
        jax.grad(jg.log_partition)(jnp.asarray(H), beta), -beta * state.density_matrix().conj(), atol=1e-13
    )
    real = rotated(LEVELS, float)
    expected = -beta * jg.gibbs_state(real, beta).density_matrix()
    np.testing.assert_allclose(jax.grad(jg.log_partition)(jnp.asarray(real), beta), expected, atol=1e-13)


@pytest.mark.slow
def test_the_gradient_in_couplings_is_minus_beta_times_the_mean_of_their_terms():
    beta, hamiltonian = 0.8, chain()
    state = jg.gibbs_state(hamiltonian, beta)
    gradient = jax.grad(jg.log_partition)(hamiltonian, beta)
    forces = jg.generalized_forces(hamiltonian, beta)
    start = 0
    for name, size in hamiltonian.terms.sizes:
        one = np.zeros(hamiltonian.terms.count)
        means = []
        for k in range(start, start + size):
            couplings, one[:] = {}, 0
            one[k] = 1
            first = 0
            for other, count in hamiltonian.terms.sizes:
                couplings[other] = one[first : first + count].reshape(np.shape(hamiltonian.couplings[other]))
                first += count
            means.append(float(state.expectation(type(hamiltonian)(couplings, hamiltonian.terms))))
        start += size
        np.testing.assert_allclose(np.ravel(gradient.couplings[name]), -beta * np.array(means), atol=1e-13)
        np.testing.assert_allclose(np.ravel(forces.couplings[name]), -np.array(means), atol=1e-13)


def test_the_gradient_of_sums_and_multiples():
    beta, a, b = 0.8, Dense(H), Dense(B)
    total = Sum((Scaled(0.7, a), Scaled(-1.3, b), a))
    gradient = jax.grad(jg.log_partition)(total, beta)
    state = jg.gibbs_state(total, beta)
    np.testing.assert_allclose(gradient.parts[0].factor, -beta * state.expectation(a), rtol=1e-12)
    np.testing.assert_allclose(gradient.parts[1].factor, -beta * state.expectation(b), rtol=1e-12)
    np.testing.assert_allclose(
        gradient.parts[0].operator.matrix.conj(), -beta * 0.7 * state.density_matrix(), atol=1e-13
    )


@pytest.mark.slow
def test_generalised_forces():
    state = jg.gibbs_state(Spectrum(LEVELS), 0.8)
    np.testing.assert_allclose(jg.generalized_forces(Spectrum(LEVELS), 0.8).levels, -state.populations, atol=1e-14)
    length, beta = 1.7, 0.4

    def free_energy(length):
        return jg.free_energy(models.particle_in_box(length), beta)

    energy = jg.energy(models.particle_in_box(length), beta)
    np.testing.assert_allclose(-jax.grad(free_energy)(length), 2 * energy / length, rtol=1e-12)  # P L = 2 U
    plain = jg.generalized_forces([[0, 0], [0, 1]], 1.0)
    np.testing.assert_allclose(plain, -jg.gibbs_state([[0, 0], [0, 1]], 1.0).density_matrix(), atol=1e-15)
    assert np.all(np.isnan(jg.generalized_forces(np.diag([0.0, 1.0]), 0.0)))


@pytest.mark.slow
def test_covariance_is_the_hessian_and_susceptibility_the_second_derivative_of_the_free_energy():
    beta = 0.9

    def log_partition(y):
        return jg.log_partition(H - (y[0] * A + y[1] * B) / beta, beta)

    @jax.jit
    def compute(f):
        second = jax.grad(jax.grad(lambda f: jg.free_energy(H - f * B, beta)))(f)
        return (
            jax.hessian(log_partition)(jnp.zeros(2)),
            -second,
            jax.grad(lambda f: jg.expectation(H - f * B, beta, A))(f),
        )

    hessian, second, shift = compute(0.0)
    state = jg.gibbs_state(H, beta)
    np.testing.assert_allclose(hessian, state.covariance_matrix((A, B)), rtol=1e-10)
    np.testing.assert_allclose(second, state.susceptibility(B, B), rtol=1e-10)
    np.testing.assert_allclose(shift, state.susceptibility(A, B), rtol=1e-10)
    assert np.isnan(jg.gibbs_state(H, np.inf).susceptibility(A, B))


def test_low_temperature_susceptibility_is_curie_and_van_vleck():
    levels, beta = np.array([0.0, 0.0, 0.7, 1.5]), 2e3
    matrix, v = rotated(levels, seed=4), hermitian(4, 3)
    inner = unitary(4, 4).conj().T @ v @ unitary(4, 4)
    mean = np.trace(inner[:2, :2]).real / 2
    curie = beta * (np.sum(abs(inner[:2, :2]) ** 2) / 2 - mean**2)
    van_vleck = sum(2 * abs(inner[i, e]) ** 2 / levels[e] for i in (0, 1) for e in (2, 3)) / 2
    # Rounding splits the ground level by a few eps, which beta multiplies.
    found = jg.gibbs_state(matrix, beta).susceptibility(v, v)
    np.testing.assert_allclose(found, curie + van_vleck, rtol=20 * EPS * beta)
    cold = jg.gibbs_state(np.diag([0.0, 1.0]), 1e6)
    assert cold.susceptibility(np.array([[0, 1.0], [1, 0]]), np.array([[0, 1.0], [1, 0]])) == pytest.approx(2, rel=1e-9)


def test_derivatives_of_expectations_at_degeneracy_do_not_depend_on_the_basis():
    curvature = jax.jit(lambda matrix: jax.hessian(lambda x: jg.expectation(matrix + x * B, 0.9, A))(0.0))
    inside = scipy.linalg.block_diag(unitary(3, 7), np.eye(1), unitary(2, 8))
    basis = unitary(6) @ inside
    again = (basis * LEVELS) @ basis.conj().T
    again = (again + again.conj().T) / 2
    np.testing.assert_allclose(curvature(H), curvature(again), rtol=1e-9)
    np.testing.assert_allclose(thermal(H, 0.9, A, B)["rho"], thermal(again, 0.9, A, B)["rho"], atol=1e-14)


def test_populations_have_a_derivative_where_their_level_does():
    def populations(matrix, x, beta):
        return jg.gibbs_state(matrix + x * jnp.diag(jnp.eye(len(matrix))[0]), beta).populations

    slopes = jax.jit(lambda *x: (jax.jacfwd(populations, 1)(*x), jax.jacfwd(populations, 2)(*x)))
    for levels, simple in (([0.0, 0.5, 0.5, 2.0], False), ([0.0, 0.5, 2.0], True)):
        levels = np.array(levels)
        p = np.exp(-levels) / np.exp(-levels).sum()
        in_level, in_beta = slopes(np.diag(levels), 0.0, 1.0)
        np.testing.assert_allclose(in_beta, p * (p @ levels - levels), rtol=1e-13)
        if simple:
            np.testing.assert_allclose(in_level, p[0] * p - np.array([p[0], 0, 0]), rtol=1e-13)
        else:  # the degenerate levels have kinks, and every population contains them
            assert np.isnan(in_level).any()


def test_the_likeliest_level_moves_the_min_entropy():
    simple = jnp.diag(jnp.array([0.3, 1.0, 1.7]))
    gradient = jax.grad(lambda m: jg.gibbs_state(m, 2.0).renyi_entropy(np.inf))(simple)
    p = np.exp(-2 * np.array([0.3, 1.0, 1.7]))
    np.testing.assert_allclose(np.diag(gradient), 2 * (np.array([1, 0, 0]) - p / p.sum()), rtol=1e-12)
    degenerate = jax.grad(lambda m: jg.gibbs_state(m, 2.0).renyi_entropy(np.inf))(jnp.diag(jnp.array([0.3, 0.3, 1.7])))
    assert np.isnan(degenerate).any()  # a maximum of two equal numbers has no derivative
