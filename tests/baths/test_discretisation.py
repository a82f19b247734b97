"""Finite baths: Gauss's rule of a spectral density, chains, and what is left out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgibbs.baths import (
    DrudeLorentzBath,
    FermionicBath,
    FiniteBath,
    OhmicBath,
    UnderdampedBath,
    discretisation_error,
    finite_bath,
    finite_lead,
)
from jaxgibbs.linalg.lanczos import ritz
from jaxgibbs.linalg.orthogonal_polynomials import gauss_rule, recurrence

made = jax.jit(finite_bath, static_argnums=1)
error_of = jax.jit(discretisation_error, static_argnames="components")
OHMIC = OhmicBath(beta=1.0, strength=0.2, cutoff=3.0)


def test_polynomials_of_legendre():
    """On `[-1, 1]` with weight 1: `a = 0`, `b_j = j / sqrt(4 j^2 - 1)`."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    found = recurrence(jnp.asarray(nodes), jnp.asarray(weights), 12)
    j = np.arange(1, 13)
    np.testing.assert_allclose(found.diagonal, 0, atol=1e-15)
    np.testing.assert_allclose(found.off_diagonal, j / np.sqrt(4 * j**2 - 1), rtol=1e-14)
    places, masses = gauss_rule(found)
    expected = np.polynomial.legendre.leggauss(12)
    np.testing.assert_allclose(places, expected[0], atol=1e-15)
    np.testing.assert_allclose(masses, expected[1], rtol=1e-13)
    np.testing.assert_allclose(masses, 2 * ritz(found)[1][0] ** 2, rtol=1e-12)


def test_a_finite_bath_has_the_moments_of_the_bath():
    """`sum g^2 w^(n-1) = (1 / pi) int J w^(n-1) dw = strength cutoff^(n+1) n! / pi`, up to the tail above `highest`."""
    finite = made(OHMIC, 4, 120.0)
    factorials = np.array([1, 1, 2, 6, 24, 120, 720, 5040])
    moments = [jnp.sum(finite.strengths**2 * finite.frequencies ** (n - 1.0)) for n in range(8)]
    np.testing.assert_allclose(moments, 0.2 * 3.0 ** np.arange(1, 9) * factorials / np.pi, rtol=1e-7)
    np.testing.assert_allclose(finite.reorganisation_energy(), OHMIC.reorganisation_energy(), rtol=1e-13)


@pytest.mark.slow
def test_errors_fall_exponentially_and_say_what_is_cut_off():
    errors = [float(error_of(OHMIC, made(OHMIC, modes))) for modes in (4, 8, 16)]
    assert errors[0] < 0.05
    assert errors[1] < 2 * errors[0] ** 2
    assert errors[2] < 10 * errors[1] ** 2
    drude = DrudeLorentzBath(1.0, 0.5, 2.0)
    assert error_of(drude, made(drude, 32)) < 1e-7
    missing = 2 / np.pi * np.arctan(2.0 / 50.0)  # of the reorganisation energy, above the highest frequency
    found = error_of(drude, made(drude, 30, 50.0), components=1)
    np.testing.assert_allclose(found, missing, rtol=1e-9)


@pytest.mark.slow
def test_correlation_function_of_many_modes_is_that_of_the_bath():
    cut, finite = made(OHMIC, 40, 120.0), made(OHMIC, 32)
    times = np.array([0.0, 0.3, 1.0]) - 1j * np.array([0.5, 0.2, 0.0])
    np.testing.assert_allclose(cut.correlation(times, 1.0), OHMIC.correlation(times), rtol=1e-6)
    imaginary = np.array([0.3, 0.5]) * -1j
    np.testing.assert_allclose(finite.correlation(imaginary, 1.0), OHMIC.correlation(imaginary), rtol=1e-11)
    np.testing.assert_allclose(finite.damping_kernel(2.0), OHMIC.damping_kernel(2.0), rtol=1e-12)


def test_a_narrow_peak_is_found():
    bath = UnderdampedBath(1.0, 0.5, 2.0, 1e-3)
    for finite in (made(bath, 1), made(bath, 1, 100.0)):
        np.testing.assert_allclose(finite.frequencies, 2.0, rtol=2e-2)
        np.testing.assert_allclose(finite.reorganisation_energy(), 0.5, rtol=1e-6)


def test_chain_and_star_are_the_same_modes():
    finite = made(OHMIC, 6, 60.0)
    chain = finite.chain()
    star = np.diag([1.3, *finite.frequencies])
    star[0, 1:] = star[1:, 0] = finite.strengths
    hops = [chain.strength, *chain.hoppings]
    row = np.diag([1.3, *chain.energies]) + np.diag(hops, 1) + np.diag(hops, -1)
    np.testing.assert_allclose(np.linalg.eigvalsh(row), np.linalg.eigvalsh(star), rtol=1e-13)


def test_levels_of_a_lead():
    lead = FermionicBath(beta=10.0, chemical_potential=0.3, strength=0.4, bandwidth=2.0)
    finite = finite_lead(lead, 24)
    np.testing.assert_allclose(jnp.sum(finite.amplitudes**2), 0.4 * 2.0 / 2, rtol=1e-13)  # int G / 2 pi
    np.testing.assert_allclose(finite.energies + finite.energies[::-1], 0.6, atol=1e-12)
    # the self-energy int G / (2 pi) / (i v - e) de = (G D / 2) / (i v + i D) above `mu`
    sums = jnp.sum(finite.amplitudes**2 / (0.3 + 1.5j - finite.energies))
    np.testing.assert_allclose(sums, 0.4 / (3.5j), atol=1e-9)
    chain = finite.chain()
    np.testing.assert_allclose(chain.energies, 0.3, atol=1e-10)
    np.testing.assert_allclose(chain.strength**2, 0.4, rtol=1e-13)


@pytest.mark.slow
def test_derivatives():
    def number(cutoff):
        bath = OhmicBath(1.0, 0.2, cutoff)
        finite, cut = finite_bath(bath, 5), finite_bath(bath, 3, 20.0)
        return (
            jnp.sum(cut.strengths * cut.frequencies)
            + jnp.sum(finite.strengths * jnp.cos(finite.frequencies))
            + jnp.sum(finite.chain().hoppings)
        )

    both = jax.jit(jax.value_and_grad(number))
    expected = (both(3.001)[0] - both(2.999)[0]) / 0.002
    np.testing.assert_allclose(both(3.0)[1], expected, rtol=1e-6)


def test_refusals():
    with pytest.raises(ValueError, match="`highest` must be finite, a positive number"):
        finite_bath(OHMIC, 4, 0.0)
    with pytest.raises(ValueError, match="`modes` must be a whole number"):
        finite_bath(OHMIC, 0, 1.0)
    with pytest.raises(ValueError, match="equal length"):
        FiniteBath([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="positive and finite"):
        FiniteBath([0.0], [1.0])
    with pytest.raises(ValueError, match="finite `bandwidth`"):
        finite_lead(FermionicBath(1.0, 0.0, 1.0), 3)
