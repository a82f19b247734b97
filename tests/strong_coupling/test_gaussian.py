"""Gaussian mean forces against continua, against the Fock space, and against the spectral function of a resonant level."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgibbs.baths import DrudeLorentzBath, FermionicBath, FiniteBath, finite_bath, finite_lead
from jaxgibbs.operators import QuadraticFermions
from jaxgibbs.strong_coupling import (
    coupled_to_leads,
    damped_oscillator,
    fermionic_mean_force,
    mean_force,
    oscillator_of_modes,
)

RNG = np.random.default_rng(5)
of_modes = jax.jit(oscillator_of_modes, static_argnames="counter_term")


@pytest.mark.slow
def test_an_oscillator_in_many_modes_is_damped():
    """The whole of the thermodynamics of the continuum, and `<p^2>`, which feels the highest frequencies, from 24 modes."""
    bath = DrudeLorentzBath(1.5, 0.6, 3.0)
    modes = finite_bath(bath, 24)
    found, known = of_modes(1.2, modes, 1.5, mass=0.7), jax.jit(damped_oscillator)(1.2, bath, mass=0.7)
    for name in ("position_variance", "momentum_variance", "log_partition", "energy", "entropy", "heat_capacity"):
        np.testing.assert_allclose(getattr(found, name), getattr(known, name), rtol=1e-11)


def test_without_the_counter_term_the_potential_softens():
    bath = FiniteBath([5.0, 9.0], [1.5, 2.0])
    soft = np.sqrt(1.5**2 - 2 * bath.reorganisation_energy())  # for a bath that follows at once
    stiff, softened = of_modes(1.5, bath, 2.0), of_modes(1.5, bath, 2.0, counter_term=False)
    assert stiff.position_variance < softened.position_variance
    np.testing.assert_allclose(softened.position_variance, 1 / np.tanh(soft) / (2 * soft), rtol=0.1)
    with pytest.raises(ValueError, match="positive definite"):
        oscillator_of_modes(1.0, FiniteBath([1.0], [1.0]), 1.0, counter_term=False)


@pytest.mark.slow
@pytest.mark.parametrize("paired", [False, True])
def test_fermions_on_their_fock_space(paired):
    """Two sites of four, complex: the matrix of `H*` on the Fock space of the two, and every function."""
    a = RNG.normal(size=(4, 4)) + 1j * RNG.normal(size=(4, 4))
    b = RNG.normal(size=(4, 4))
    whole = QuadraticFermions((a + a.conj().T) / 3, (b - b.T) / 4 if paired else None)
    rest = slice(2, 4)
    doubled = whole.nambu().to_dense()
    bath = QuadraticFermions(doubled[rest, rest], doubled[rest, 6:8] if paired else None)
    found = fermionic_mean_force(whole, [0, 1], 1.4)
    known = mean_force(whole.to_dense(), bath.to_dense(), 1.4)
    matrix = found.operator.to_dense() + found.constant * np.eye(4)
    np.testing.assert_allclose(matrix, known.hamiltonian, atol=1e-12)
    for name in ("log_partition", "energy", "entropy", "heat_capacity", "free_energy"):
        np.testing.assert_allclose(getattr(found, name), getattr(known, name), atol=1e-12)


@pytest.mark.slow
def test_resonant_level():
    """`n = int A(e) f(e) de` with `A = -Im G / pi` and `G = 1 / (e - e_0 - G D / 2 / (e - mu + iD))`, and `ln Z*` from the shift of
    the density of states.
    """
    beta, level, mu, strength, width = 4.0, 0.5, 0.2, 0.8, 2.0
    lead = finite_lead(FermionicBath(beta, mu, strength, width), 60)
    found = fermionic_mean_force(coupled_to_leads(jnp.array([[level]]), [(0, lead)], mu), 0, beta)
    e = np.sinh(np.linspace(-9, 9, 200_001))  # energies above mu
    inverse = e + mu - level - strength * width / 2 / (e + 1j * width)
    spectral = -np.imag(1 / inverse) / np.pi
    occupation = np.trapezoid(spectral / (np.exp(np.minimum(beta * e, 500)) + 1), e)
    np.testing.assert_allclose(found.correlation_matrix[0, 0], occupation, atol=1e-7)
    # ln Z - ln Z_B = int -Im d ln(G^-1)/de / pi ln(1 + e^{-beta e}) de
    shift = -np.imag((1 + strength * width / 2 / (e + 1j * width) ** 2) / inverse) / np.pi
    change = np.trapezoid(shift * np.logaddexp(0, -beta * e), e)
    np.testing.assert_allclose(found.log_partition, change, atol=1e-7)
    energy = np.log((1 - occupation) / occupation) / beta
    np.testing.assert_allclose(found.operator.one_body()[0, 0], energy, atol=1e-6)
    assert abs(energy - (level - mu)) > 0.02  # not the bare level


def test_derivative_of_an_occupation():
    lead = finite_lead(FermionicBath(4.0, 0.0, 0.5, 2.0), 12)

    def number(level):
        answer = fermionic_mean_force(coupled_to_leads(level[None, None], [(0, lead)]), 0, 4.0)
        return answer.operator.one_body()[0, 0]

    both = jax.jit(jax.value_and_grad(number))
    expected = (both(jnp.array(0.3001))[0] - both(jnp.array(0.2999))[0]) / 2e-4
    np.testing.assert_allclose(both(jnp.array(0.3))[1], expected, rtol=1e-6)


def test_refusals():
    with pytest.raises(ValueError, match="different sites, and not all 2"):
        fermionic_mean_force(np.eye(2), [0, 1], 1.0)
    with pytest.raises(ValueError, match="different sites"):
        fermionic_mean_force(np.eye(3), [0, 0], 1.0)
    with pytest.raises(ValueError, match="differ from 0 and 1"):
        fermionic_mean_force(100.0 * np.eye(2), 0, 1.0)
    with pytest.raises(ValueError, match="`frequency`"):
        oscillator_of_modes(-1.0, FiniteBath([1.0], [1.0]), 1.0)
