"""The objectives of fitting under the optimisers of machine learning."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxgibbs as jg
from jaxgibbs.fitting import dual, fit_multipliers, negative_log_likelihood

X = np.array([[0, 1], [1, 0]], complex)
Y = np.array([[0, -1j], [1j, 0]], complex)
Z = np.array([[1, 0], [0, -1]], complex)
PAULI = (X, Y, Z)


def train(loss, parameters, steps, optimiser):
    """Minimise `loss(parameters)`: one compiled scan, any optax optimiser, any pytree."""

    @jax.jit
    def run(parameters):
        def step(carry, _):
            parameters, state = carry
            value, gradient = jax.value_and_grad(loss)(parameters)
            updates, state = optimiser.update(gradient, state, parameters)
            return (optax.apply_updates(parameters, updates), state), value

        return jax.lax.scan(step, (parameters, optimiser.init(parameters)), length=steps)

    (parameters, _), losses = run(parameters)
    return parameters, losses


@pytest.mark.slow
def test_dual_has_the_gradient_and_hessian_it_says():
    lam, q = jnp.array([0.4, -0.3, 0.8]), jnp.array([0.1, 0.2, 0.3])
    state = jg.generalized_gibbs_state(PAULI, lam)
    np.testing.assert_allclose(jax.jit(jax.grad(dual))(lam, PAULI, q), q - state.charge_expectations, atol=1e-13)
    np.testing.assert_allclose(jax.jit(jax.hessian(dual))(lam, PAULI, q), state.charge_covariance, atol=1e-13)


def test_dual_at_the_fit_is_the_entropy():
    q = jnp.array([0.3, 0.2, -0.5])
    lam = fit_multipliers(PAULI, q).value
    np.testing.assert_allclose(dual(lam, PAULI, q), jg.generalized_gibbs_state(PAULI, lam).entropy, rtol=1e-12)


def test_training_multipliers_with_an_optimiser():
    q = jnp.array([0.3, 0.2, -0.5])
    lam, losses = train(functools.partial(dual, charges=PAULI, targets=q), jnp.zeros(3), 400, optax.adam(0.05))
    np.testing.assert_allclose(lam, fit_multipliers(PAULI, q).value, atol=1e-6)
    assert losses[-1] < losses[0]


def test_training_a_boltzmann_machine():
    """A model of Ising and field couplings learns the state of another, whose couplings it then has."""
    ising = np.kron(Z, Z).real
    fields = [np.kron(X, np.eye(2)).real, np.kron(np.eye(2), X).real, np.kron(Z, np.eye(2)).real]

    def hamiltonian(couplings):
        return couplings["bond"] * ising + sum(h * field for h, field in zip(couplings["fields"], fields, strict=True))

    truth = {"bond": -0.7, "fields": jnp.array([0.5, -0.2, 0.3])}
    data = jg.gibbs_state(hamiltonian(truth), 1.0).density_matrix()
    start = {"bond": jnp.asarray(0.0), "fields": jnp.zeros(3)}
    found, losses = train(lambda c: negative_log_likelihood(hamiltonian(c), data), start, 600, optax.adam(0.05))
    np.testing.assert_allclose(found["bond"], truth["bond"], atol=1e-5)
    np.testing.assert_allclose(found["fields"], truth["fields"], atol=1e-5)
    # At the optimum it is the entropy of the data, so that the relative entropy vanishes.
    np.testing.assert_allclose(losses[-1], jg.entropy(hamiltonian(truth), 1.0), atol=1e-9)


def test_gradient_of_the_likelihood():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    data = a @ a.conj().T / np.trace(a @ a.conj().T).real
    terms = [np.kron(X, Y), np.kron(Z, X)]

    def loss(theta):
        return negative_log_likelihood(theta[0] * terms[0] + theta[1] * terms[1], data)

    theta = jnp.array([0.3, -0.8])
    rho = np.asarray(jg.gibbs_state(theta[0] * terms[0] + theta[1] * terms[1], 1.0).density_matrix())
    expected = [np.trace((data - rho) @ term).real for term in terms]
    np.testing.assert_allclose(jax.grad(loss)(theta), expected, atol=1e-13)
    # D(data || model) >= 0
    levels = np.linalg.eigvalsh(data)
    assert loss(theta) >= -levels @ np.log(levels)


@pytest.mark.slow
def test_a_thousand_trainings_in_one_call():
    targets = jnp.asarray(np.random.default_rng(1).uniform(-0.5, 0.5, size=(1000, 3)))

    def trained(q):
        return train(functools.partial(dual, charges=PAULI, targets=q), jnp.zeros(3), 150, optax.adam(0.1))[0]

    found = jax.jit(jax.vmap(trained))(targets)
    exact = jax.vmap(lambda q: fit_multipliers(PAULI, q).value)(targets)
    np.testing.assert_allclose(found, exact, atol=1e-3)


@pytest.mark.parametrize(
    ("hamiltonian", "state", "message"),
    [
        (Z, np.eye(3) / 3, "shape of the Hamiltonian"),
        (Z, [[0.5, 1.0], [0.0, 0.5]], "Hermitian"),
        (Z, np.ones(2), "square"),
    ],
)
def test_wrong_states(hamiltonian, state, message):
    with pytest.raises(ValueError, match=message):
        negative_log_likelihood(hamiltonian, state)
