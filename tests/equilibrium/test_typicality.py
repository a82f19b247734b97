"""Thermal pure states: exact where the unit vectors are all there, typical where one random vector stands for them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.equilibrium import Chebyshev
from jaxgibbs.linalg import partial_trace, random_sphere, unit_vectors

CHAIN = models.heisenberg_chain(5, 1.0, field=0.3)
H = np.asarray(CHAIN.to_dense())
OBSERVABLE = models.transverse_ising_chain(5, 0.8, 0.5)


def gibbs(beta):
    rho = scipy.linalg.expm(-beta * H)
    return rho / np.trace(rho), np.log(np.trace(rho))


@pytest.mark.parametrize("beta", [0.0, 0.9, -0.9])
def test_all_unit_vectors_give_the_gibbs_state(beta):
    states = jg.thermal_pure_states(CHAIN, beta, method=jg.Lanczos(probes=32, depth=32, distribution=unit_vectors))
    rho, log_z = gibbs(beta)
    np.testing.assert_allclose(states.log_partition, log_z, rtol=1e-11)
    wanted = np.trace(rho @ OBSERVABLE.to_dense())
    np.testing.assert_allclose(states.expectation(OBSERVABLE), wanted, atol=1e-11)
    np.testing.assert_allclose(states.expectation(OBSERVABLE.to_dense()), wanted, atol=1e-11)
    for keep in (2, (0, 3)):
        reduced = states.reduced((2,) * 5, keep)
        np.testing.assert_allclose(reduced, partial_trace(rho, (2,) * 5, keep), atol=1e-11)


def test_one_vector_is_the_exponential_of_its_probe():
    method = jg.Lanczos(probes=1, depth=32, distribution=random_sphere)
    states = jg.thermal_pure_states(H.astype(complex), 0.9, method=method)
    probe = np.asarray(random_sphere(method.key, 0, 32, complex))
    wanted = scipy.linalg.expm(-0.45 * (H - float(states.reference) * np.eye(32))) @ probe
    np.testing.assert_allclose(states.vectors[0], wanted, atol=1e-11)
    assert np.isnan(states.log_partition_error)


@pytest.mark.parametrize("beta", [0.0, 0.9, -30.0])
def test_polynomials_make_the_exponential_of_the_probe_within_their_bound(beta):
    method = Chebyshev(probes=2, distribution=random_sphere)
    states = jg.thermal_pure_states(H.astype(complex), beta, method=method)
    for index, vector in enumerate(states.vectors):
        probe = np.asarray(random_sphere(method.key, jnp.asarray(index), 32, np.dtype(complex)))
        wanted = scipy.linalg.expm(-beta / 2 * (H - float(states.reference) * np.eye(32))) @ probe
        assert np.linalg.norm(vector - wanted) <= states.truncation + 1e-13
    assert states.truncation < 1e-14


def test_what_a_polynomial_of_too_low_a_degree_misses_is_bounded():
    probe = np.asarray(random_sphere(Chebyshev().key, jnp.asarray(0), 32, np.dtype(float)))
    missed = []
    for order in (2, 4, 8, 16):
        states = jg.thermal_pure_states(CHAIN, 6.0, method=Chebyshev(order=order, distribution=random_sphere))
        wanted = scipy.linalg.expm(-3 * (H - float(states.reference) * np.eye(32))) @ probe
        missed.append(np.linalg.norm(states.vectors[0] - wanted))
        assert missed[-1] <= states.truncation
    assert missed[0] > 1e-2 > missed[-1]


def test_polynomials_in_single_precision_on_one_state_and_compiled():
    small = jg.thermal_pure_states(H.astype(np.float32), 0.7, method=Chebyshev(probes=32, distribution=unit_vectors))
    assert small.vectors.dtype == np.float32
    np.testing.assert_allclose(small.log_partition, gibbs(0.7)[1], rtol=1e-5)
    alone = jg.thermal_pure_states(np.array([[2.5]]), 0.7, method=Chebyshev())
    np.testing.assert_allclose(alone.log_partition, -0.7 * 2.5, rtol=1e-12)
    method = Chebyshev(probes=32, order=40, distribution=unit_vectors)
    compiled = jax.jit(lambda beta: jg.thermal_pure_states(CHAIN, beta, method=method).log_partition)
    np.testing.assert_allclose(compiled(0.7), gibbs(0.7)[1], rtol=1e-11)


@pytest.mark.slow
def test_random_vectors_are_typical():
    chain = models.heisenberg_chain(8, 1.0, field=0.3)
    states = jg.thermal_pure_states(chain, 1.0, method=jg.Lanczos(probes=8, depth=40))
    levels, vectors = np.linalg.eigh(chain.to_dense())
    p = np.exp(-(levels - levels[0]))
    log_z, p = np.log(p.sum()) - levels[0], p / p.sum()
    assert 0 < states.log_partition_error < 0.1
    assert abs(states.log_partition - log_z) < 5 * states.log_partition_error
    assert 0 < states.expectation_error(chain) < 0.2
    assert abs(states.expectation(chain) - p @ levels) < 5 * states.expectation_error(chain)
    rho = partial_trace((vectors * p) @ vectors.T, (2,) * 8, (3, 4))
    # Each element of the difference is of the order of Z(2)^(1/2) / Z(1) / sqrt(8) = sqrt(Tr rho^2 / 8) times ||A|| <= 1.
    assert np.max(np.abs(states.reduced((2,) * 8, (3, 4)) - rho)) < 5 * np.sqrt(np.sum(p**2) / 8)


@pytest.mark.parametrize(
    ("ask", "remedy"),
    [
        (lambda: jg.thermal_pure_states(CHAIN, np.inf), "gibbs_state"),
        (lambda: jg.thermal_pure_states(CHAIN, 1.0, method=jg.Lanczos(deflation=1)), "deflation=0"),
        (lambda: jg.thermal_pure_states(CHAIN, 1.0, method=jg.Exact()), "Lanczos"),
        (lambda: Chebyshev(probes=0), "at least 1"),
        (lambda: jax.jit(lambda b: jg.thermal_pure_states(CHAIN, b, method=Chebyshev()).vectors)(1.0), "order=200"),
        (lambda: jg.thermal_pure_states(CHAIN, 1.0).reduced((2, 2), 0), "dimension 32"),
        (lambda: jg.thermal_pure_states(CHAIN, 1.0).expectation(np.eye(4)), "dimension of the Hamiltonian"),
        (lambda: jax.grad(lambda b: jg.thermal_pure_states(CHAIN, b).log_partition)(1.0), "log_partition"),
    ],
)
def test_refusals(ask, remedy):
    with pytest.raises(ValueError, match=f"must.*{remedy}"):
        ask()
