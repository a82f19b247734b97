"""The Hamiltonian of mean force against closed forms and the identities of its thermodynamics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxgibbs.strong_coupling import mean_force

RNG = np.random.default_rng(3)
BETA, LEVELS = 1.3, 40
NUMBER = np.diag(np.arange(LEVELS))
LOWER = np.diag(np.sqrt(np.arange(1, LEVELS)), 1)
SZ, SX = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
of = jax.jit(mean_force)


def coupled(system, position, frequency, coupling):
    bath = frequency * NUMBER
    whole = np.kron(system, np.eye(LEVELS)) + np.kron(np.eye(len(system)), bath)
    return whole + coupling * np.kron(position, LOWER + LOWER.T), bath


def random_pair():
    whole, bath = RNG.normal(size=(6, 6)) + 1j * RNG.normal(size=(6, 6)), np.diag([0.0, 0.7])
    return (whole + whole.conj().T) / 4, bath + 0j


def test_commuting_coupling_is_lowered_by_the_reorganisation_energy():
    """Independent bosons: `H* = H_S - (g^2 / w) X^2` if `[H_S, X] = 0`; 40 levels leave e^{-50} out."""
    system, position = np.diag([0.4, -0.2, 0.1]), np.diag([1.0, 0.0, -0.5])
    answer = of(*coupled(system, position, 1.1, 0.3), BETA)
    np.testing.assert_allclose(answer.hamiltonian, system - 0.09 / 1.1 * position**2, atol=1e-12)
    assert 1e-15 < answer.error < 1e-12


def test_without_coupling_it_is_the_system():
    system = 0.3 * SZ + 0.5 * SX
    answer = of(*coupled(system, SX, 1.1, 0.0), BETA)
    np.testing.assert_allclose(answer.hamiltonian, system, atol=1e-13)
    levels = np.linalg.eigvalsh(system)
    np.testing.assert_allclose(answer.log_partition, np.log(np.sum(np.exp(-BETA * levels))), rtol=1e-13)


def dispersive(split, chi, beta):
    """`H = (e/2) sz + (n + 1/2)(1 + chi sz)`: `H*` is diagonal with `+-e/2 + T ln[sinh(b_+- / 2) / sinh(b / 2)]`."""
    ratio = [np.sinh(beta * (1 + s * chi) / 2) / np.sinh(beta / 2) for s in (1, -1)]
    return np.array([split / 2, -split / 2]) + np.log(ratio) / beta


def test_dispersive_oscillator_has_a_negative_entropy():
    """`e` is large enough that the qubit stays down, where the oscillator is stiffer than it is alone."""
    split, chi, beta, count = 8.0, -0.6, 1.0, 100
    oscillator = np.diag(np.arange(count) + 0.5)
    whole = np.kron(split / 2 * SZ, np.eye(count)) + np.kron(np.eye(2) + chi * SZ, oscillator)
    answer = of(whole, oscillator, beta)
    np.testing.assert_allclose(answer.hamiltonian, np.diag(dispersive(split, chi, beta)), atol=1e-11)
    assert answer.entropy < -0.1
    assert answer.heat_capacity < 0


@pytest.mark.slow
def test_identities_of_its_thermodynamics():
    whole, bath = random_pair()
    answer = of(whole, bath, BETA)
    exact = scipy.linalg.expm(-BETA * whole).reshape(3, 2, 3, 2).trace(axis1=1, axis2=3)
    exact /= np.trace(scipy.linalg.expm(-BETA * bath)).real
    np.testing.assert_allclose(scipy.linalg.expm(-BETA * np.asarray(answer.hamiltonian)), exact, atol=1e-12)
    np.testing.assert_allclose(answer.reduced_state, exact / np.trace(exact), atol=1e-13)

    def log_partition(beta):
        return mean_force(whole, bath, beta).log_partition

    first, second = jax.grad(log_partition)(BETA), jax.grad(jax.grad(log_partition))(BETA)
    np.testing.assert_allclose(answer.energy, -first, rtol=1e-11)
    np.testing.assert_allclose(answer.heat_capacity, BETA**2 * second, rtol=1e-10)
    np.testing.assert_allclose(answer.entropy, BETA * (answer.energy - answer.free_energy), rtol=1e-11)
    # U* = Tr rho_S (H* + beta dH*/dbeta) and S* = S(rho_S) + beta^2 Tr rho_S dH*/dbeta
    slope = jax.jacfwd(lambda beta: mean_force(whole, bath, beta).hamiltonian)(BETA)
    mean = np.trace(answer.reduced_state @ (answer.hamiltonian + BETA * slope)).real
    np.testing.assert_allclose(answer.energy, mean, rtol=1e-11)
    p = np.linalg.eigvalsh(answer.reduced_state)
    extra = BETA**2 * np.trace(answer.reduced_state @ slope).real
    np.testing.assert_allclose(answer.entropy, -np.sum(p * np.log(p)) + extra, rtol=1e-11)


@pytest.mark.slow
def test_derivative_in_a_coupling():
    whole, bath = random_pair()
    move = np.kron(np.diag([1.0, 0.0, -1.0]), SX)

    def element(theta):
        return mean_force(whole + theta * move, bath, BETA).hamiltonian[0, 1].real

    step = 1e-5
    expected = (element(step) - element(-step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(element)(0.0), expected, rtol=1e-7, atol=1e-9)


def test_refusals():
    whole, bath = random_pair()
    with pytest.raises(ValueError, match="multiple of the dimension 4"):
        mean_force(whole, np.eye(4), BETA)
    for beta in (0.0, -1.0, np.inf):
        with pytest.raises(ValueError, match="positive and finite"):
            mean_force(whole, bath, beta)
    with pytest.raises(ValueError, match="populations above rounding"):
        mean_force(50.0 * whole, bath, 10.0)
    assert np.all(np.isnan(of(50.0 * whole, bath, 10.0).hamiltonian))
    assert jnp.isnan(of(whole, bath, -1.0).energy)
