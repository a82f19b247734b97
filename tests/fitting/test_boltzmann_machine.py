"""Quantum Boltzmann machines: probabilities and gradients against matrices, training in the usual loops."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.linalg

import jaxgibbs as jg
from jaxgibbs.fitting import BoltzmannMachine, all_pairs, natural_gradient

X, Y, Z, ONE = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0]), np.eye(2)
TERMS = ["X0", "Z1 Z2", "Y0 X2", "Z0"]
THETA = np.array([0.4, -0.7, 0.3, 0.2])


def kron(*factors):
    out = np.eye(1)
    for factor in factors:
        out = np.kron(out, factor)
    return out


MATRICES = [kron(X, ONE, ONE), kron(ONE, Z, Z), kron(Y, ONE, X), kron(Z, ONE, ONE)]


def reference(theta):
    rho = scipy.linalg.expm(-sum(t * m for t, m in zip(theta, MATRICES, strict=True)))
    return rho / np.trace(rho)


def machine():
    return BoltzmannMachine(2, 1, TERMS, THETA)


@pytest.mark.slow
def test_visible_state_probabilities_and_log_probabilities():
    visible = np.einsum("iaja->ij", reference(THETA).reshape(4, 2, 4, 2))
    np.testing.assert_allclose(machine().visible_state(), visible, atol=1e-14)
    samples = jnp.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    np.testing.assert_allclose(jax.vmap(machine())(samples), np.log(np.diag(visible).real), rtol=1e-12)


@pytest.mark.slow
def test_expectations_and_metric_are_derivatives_of_log_z():
    rho = reference(THETA)
    np.testing.assert_allclose(machine().expectations(), [np.trace(rho @ m).real for m in MATRICES], atol=1e-13)
    hessian = jax.hessian(lambda t: BoltzmannMachine(2, 1, TERMS, t).dual(jnp.zeros(4)))(jnp.asarray(THETA))
    np.testing.assert_allclose(machine().metric(), hessian, atol=1e-12)


@pytest.mark.slow
def test_gradients_with_hidden_units_agree_with_differences():
    data = np.array([0.5, 0.0, 0.2, 0.3])

    def loss(theta):
        visible = np.diag(np.einsum("iaja->ij", reference(theta).reshape(4, 2, 4, 2))).real
        return -np.sum(data * np.log(visible))

    slope = eqx.filter_grad(lambda m: m.negative_log_likelihood(data))(machine()).couplings
    steps = 1e-5 * np.eye(4)
    differences = [(loss(THETA + h) - loss(THETA - h)) / 2e-5 for h in steps]
    np.testing.assert_allclose(slope, differences, atol=1e-9)


def test_learns_the_couplings_of_quantum_data_by_newton_and_by_any_optimiser():
    targets = BoltzmannMachine(3, 0, TERMS, THETA).expectations()
    start = BoltzmannMachine(3, 0, TERMS, np.zeros(4))

    @eqx.filter_jit
    def newton(model):
        return eqx.apply_updates(
            model,
            jax.tree.map(jnp.negative, natural_gradient(model, eqx.filter_grad(lambda m: m.dual(targets))(model), 0.0)),
        )

    learned = start
    for _ in range(8):
        learned = newton(learned)
    np.testing.assert_allclose(learned.couplings, THETA, atol=1e-12)

    optimizer = optax.adam(0.05)

    @jax.jit
    def train(model):
        def step(carry, _):
            model, memory = carry
            loss, slope = jax.value_and_grad(lambda m: m.dual(targets))(model)
            update, memory = optimizer.update(slope, memory)
            return (optax.apply_updates(model, update), memory), loss

        return jax.lax.scan(step, (model, optimizer.init(model)), length=400)

    (trained, _), losses = train(start)
    np.testing.assert_allclose(trained.couplings, THETA, atol=1e-4)
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_stochastic_gradients_scatter_about_the_exact_one():
    model, targets = BoltzmannMachine(3, 0, TERMS, THETA), jnp.array([0.1, 0.2, -0.1, 0.0])
    exact = eqx.filter_grad(lambda m: m.dual(targets))(model).couplings

    @jax.jit
    def slope(key):
        method = jg.Lanczos(probes=8, depth=8, key=key)
        return eqx.filter_grad(lambda m: m.dual(targets, method=method))(model).couplings

    found = np.stack([slope(key) for key in jax.random.split(jax.random.key(1), 40)])
    error = found.std(axis=0) / np.sqrt(40)
    assert np.all(error > 0)
    assert np.all(np.abs(found.mean(axis=0) - exact) < 5 * error + 0.02)  # the bias of ln Z is of second order


@pytest.mark.slow
def test_is_a_layer_of_a_larger_network():
    class Network(eqx.Module):
        before: eqx.nn.Linear
        machine: BoltzmannMachine

        def __call__(self, features, bits):
            shifted = eqx.tree_at(lambda m: m.couplings, self.machine, self.machine.couplings + self.before(features))
            return shifted(bits)

    network = Network(eqx.nn.Linear(2, 4, key=jax.random.key(0)), machine())
    features, bits = jnp.array([[0.1, 0.2], [0.3, -0.4]]), jnp.array([[0, 1], [1, 1]])
    slopes = eqx.filter_grad(lambda n: jnp.mean(jax.vmap(n)(features, bits)))(network)
    assert np.all(np.isfinite(slopes.before.weight))
    assert np.any(np.asarray(slopes.machine.couplings) != 0)


def test_random_start_and_default_terms():
    a, b = (BoltzmannMachine(2, 1, key=jax.random.key(k)) for k in (0, 1))
    assert a.couplings.shape == (len(all_pairs(3)),) == (9,)
    assert not np.allclose(a.couplings, b.couplings)
    assert float(jnp.sum(a.probabilities())) == pytest.approx(1, abs=1e-13)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BoltzmannMachine(0), "at least 1"),
        (lambda: BoltzmannMachine(2, terms=[]), "at least one"),
        (lambda: BoltzmannMachine(2, terms=["Z5"]), "site"),
        (lambda: BoltzmannMachine(2, terms=["Z0"], couplings=[1.0, 2.0]), "one a term"),
        (lambda: BoltzmannMachine(2, terms=["Z0"], couplings=[np.nan]), "finite"),
        (lambda: machine()(jnp.array([0, 1, 1])), "visible qubit"),
        (lambda: machine().negative_log_likelihood([1.0, 0.0]), "outcome"),
        (lambda: machine().dual([1.0]), "one entry a term"),
    ],
)
def test_bad_input_says_so(make, message):
    with pytest.raises(ValueError, match=message):
        make()
