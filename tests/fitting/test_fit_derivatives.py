"""Derivatives of fits by the implicit function theorem: every mode, against closed forms and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxgibbs as jg
from jaxgibbs.fitting import fit_multipliers
from jaxgibbs.linalg.implicit import implicit_root
from jaxgibbs.operators import Dense, Fermions, Spectrum

X = np.array([[0, 1], [1, 0]], complex)
Y = np.array([[0, -1j], [1j, 0]], complex)
Z = np.array([[1, 0], [0, -1]], complex)
PAULI = (X, Y, Z)
Q = jnp.array([0.3, 0.2, -0.5])

MODES = {
    "forward": jax.jacfwd,
    "reverse": jax.jacrev,
    "forward over reverse": lambda f: jax.jacfwd(jax.jacrev(f)),
    "reverse over reverse": lambda f: jax.jacrev(jax.jacrev(f)),
    "reverse over forward": lambda f: jax.jacrev(jax.jacfwd(f)),
}


def bloch(q):
    r = jnp.sqrt(q @ q)
    return -jnp.arctanh(r) / r * q


def fit_qubit(q):
    return fit_multipliers(PAULI, q).value


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_qubit_in_its_targets(mode):
    derivative = MODES[mode]
    np.testing.assert_allclose(jax.jit(derivative(fit_qubit))(Q), derivative(bloch)(Q), rtol=1e-11, atol=1e-12)


@pytest.mark.slow
def test_third_derivative():
    third = jax.jacfwd(jax.jacfwd(jax.jacfwd(fit_qubit)))
    np.testing.assert_allclose(jax.jit(third)(Q), jax.jacfwd(jax.jacfwd(jax.jacfwd(bloch)))(Q), rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_without_jit_and_in_a_batch():
    gradient = jax.grad(lambda q: fit_qubit(q)[0])
    expected = jax.grad(lambda q: bloch(q)[0])
    np.testing.assert_allclose(gradient(Q), expected(Q), rtol=1e-11)
    batch = jnp.stack([Q, 0.5 * Q, -Q[::-1]])
    np.testing.assert_allclose(jax.jit(jax.vmap(gradient))(batch), jax.vmap(expected)(batch), rtol=1e-10)


@pytest.mark.slow
def test_two_level_closed_form():
    def fitted(q):
        return fit_multipliers((Spectrum([0.0, 1.0]),), q[None]).value[0]

    def exact(q):
        return jnp.log((1 - q) / q)

    for q in (0.2, 0.5, 0.97):
        np.testing.assert_allclose(jax.grad(fitted)(q), -1 / (q * (1 - q)), rtol=1e-11)
        second = jax.grad(jax.grad(fitted))(q)
        np.testing.assert_allclose(second, jax.grad(jax.grad(exact))(q), rtol=1e-10, atol=1e-12)


def test_derivatives_are_nan_where_there_is_no_finite_answer():
    def fitted(q):
        return fit_multipliers((Spectrum([0.0, 1.0]),), q[None]).value[0]

    gradients = jax.jit(jax.vmap(jax.grad(fitted)))(jnp.array([0.5, 0.0, 1.2]))
    np.testing.assert_array_equal(np.isnan(gradients), [False, True, True])


@pytest.mark.slow
def test_jacobian_is_minus_the_inverse_covariance_and_the_entropy_has_the_multipliers_as_gradient():
    charges = (np.kron(X, X).real, np.kron(Z, np.eye(2)).real, np.kron(X, Z).real)
    targets = jg.generalized_gibbs_state(charges, jnp.array([0.5, -0.3, 0.8])).charge_expectations

    def fitted(q):
        return fit_multipliers(charges, q).value

    def entropy(q):
        return jg.generalized_gibbs_state(charges, fitted(q)).entropy

    covariance = jg.generalized_gibbs_state(charges, fitted(targets)).charge_covariance
    inverse = np.linalg.inv(covariance)
    np.testing.assert_allclose(jax.jit(jax.jacrev(fitted))(targets), -inverse, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(jax.jit(jax.grad(entropy))(targets), fitted(targets), rtol=1e-9)
    np.testing.assert_allclose(jax.jit(jax.hessian(entropy))(targets), -inverse, rtol=1e-8, atol=1e-9)


@pytest.mark.slow
def test_couplings_of_a_charge():
    # <theta Z> = q at lam = -artanh(q / theta) / theta.
    def fitted(theta, q):
        return fit_multipliers((Dense(theta * Z),), q[None]).value[0]

    def exact(theta, q):
        return -jnp.arctanh(q / theta) / theta

    at = (jnp.asarray(1.2), jnp.asarray(0.3))
    for derivative in (lambda f: jax.grad(f, (0, 1)), lambda f: jax.hessian(f, (0, 1))):
        np.testing.assert_allclose(jax.jit(derivative(fitted))(*at), derivative(exact)(*at), rtol=1e-10)


@pytest.mark.slow
def test_couplings_of_a_model_against_finite_differences():
    def fitted(coupling):
        hamiltonian = jg.models.heisenberg_chain(3, coupling=coupling, field=0.4)
        return fit_multipliers((hamiltonian, np.kron(Z, np.eye(4)).real), jnp.array([-0.5, 0.1])).value

    fitted = jax.jit(fitted)
    first, second = jax.jit(jax.jacfwd(fitted)), jax.jit(jax.jacfwd(jax.jacrev(fitted)))
    h = 1e-5
    np.testing.assert_allclose(first(1.0), (fitted(1.0 + h) - fitted(1.0 - h)) / (2 * h), rtol=1e-7)
    np.testing.assert_allclose(second(1.0), (first(1.0 + h) - first(1.0 - h)) / (2 * h), rtol=1e-6)


@pytest.mark.slow
def test_reference_state_against_finite_differences():
    def fitted(s):
        omega = jnp.array([[0.6 + s, 0.1], [0.1, 0.4 - s]])
        return fit_multipliers((X.real,), [0.3], reference=omega).value[0]

    first, second, h = jax.jit(jax.grad(fitted)), jax.jit(jax.grad(jax.grad(fitted))), 1e-5
    np.testing.assert_allclose(first(0.05), (fitted(0.05 + h) - fitted(0.05 - h)) / (2 * h), rtol=1e-7)
    np.testing.assert_allclose(second(0.05), (first(0.05 + h) - first(0.05 - h)) / (2 * h), rtol=1e-6)


@pytest.mark.slow
def test_dependent_charges_move_without_the_directions_that_change_nothing():
    charges = (X.real, Z.real, (X + 2 * Z).real)

    @jax.jit
    def fitted(q):
        return fit_multipliers(charges, jnp.array([q[0], q[1], q[0] + 2 * q[1]])).value

    jacobian = jax.jit(jax.jacfwd(fitted))(Q[:2])
    h = 1e-5
    difference = [(fitted(Q[:2] + h * e) - fitted(Q[:2] - h * e)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(jacobian, np.transpose(difference), rtol=1e-8)
    np.testing.assert_allclose(np.array([1, 2, -1]) @ jacobian, 0, atol=1e-12)


def test_fermi_modes_in_their_energies():
    energies = jnp.array([0.3, 1.0, 1.7])

    def fitted(energies):
        return fit_multipliers((Fermions(energies), Fermions(jnp.ones(3))), (1.0, 1.4)).value

    h, jacobian = 1e-5, jax.jacrev(fitted)(energies)
    difference = [(fitted(energies + h * e) - fitted(energies - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(jacobian, np.transpose(difference), rtol=1e-6)


@pytest.mark.slow
def test_inside_a_scan_with_an_optimiser():
    # Find the coupling at which a measured pair of expectation values belongs to a field of -0.8.
    optimiser = optax.adam(0.05)

    def loss(theta):
        multipliers = fit_multipliers((Dense(theta * X.real), Dense(Z.real)), jnp.array([-0.6, 0.3])).value
        return (multipliers[0] - 0.8) ** 2

    @jax.jit
    def train(theta):
        def step(carry, _):
            theta, state = carry
            value, gradient = jax.value_and_grad(loss)(theta)
            updates, state = optimiser.update(gradient, state)
            return (optax.apply_updates(theta, updates), state), value

        return jax.lax.scan(step, (theta, optimiser.init(theta)), length=200)

    _, losses = train(jnp.asarray(1.5))
    assert losses[0] > 1e-2
    assert losses[-1] < 1e-6


def _cubic(root, a):
    return root**3 + root - a


def test_implicit_root_to_third_order():
    def root(a):
        return implicit_root(_cubic, jnp.ones(1), a[None])[0]  # x = 1 at a = 2

    # x' = 1 / (3 x^2 + 1), x'' = -6 x x'^3, x''' = -6 x'^4 + 108 x^2 x'^5, ...
    d = jax.grad(root)
    np.testing.assert_allclose(d(2.0), 1 / 4)
    np.testing.assert_allclose(jax.grad(d)(2.0), -6 / 64)
    np.testing.assert_allclose(jax.grad(jax.grad(d))(2.0), -6 / 256 + 108 / 1024)
