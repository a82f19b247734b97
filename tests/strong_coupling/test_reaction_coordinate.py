"""The reaction coordinate: the same quadratic form in other coordinates."""

import jax
import numpy as np
import pytest

from jaxgibbs.baths import FiniteBath, OhmicBath, UnderdampedBath, finite_bath
from jaxgibbs.strong_coupling import coupled_to_modes, reaction_coordinate

mapping = jax.jit(reaction_coordinate)
made = jax.jit(finite_bath, static_argnums=1)


def test_normal_modes_stay_what_they_are():
    """Potential `k x^2 / 2 + x sum c_k x_k + sum w_k^2 x_k^2 / 2`, with `c = g sqrt(2 w)`, in both coordinates."""
    bath = made(OhmicBath(1.0, 0.2, 3.0), 5, 40.0)
    w, g = np.asarray(bath.frequencies), np.asarray(bath.strengths)
    star = np.diag([9.0, *w**2])
    star[0, 1:] = star[1:, 0] = g * np.sqrt(2 * w)
    mapped = mapping(bath)
    f, v, h = float(mapped.frequency), np.asarray(mapped.residual.frequencies), np.asarray(mapped.residual.strengths)
    tree = np.diag([9.0, f**2, *v**2])
    tree[0, 1] = tree[1, 0] = mapped.strength * np.sqrt(2 * f)
    tree[1, 2:] = tree[2:, 1] = h * 2 * np.sqrt(f * v)
    np.testing.assert_allclose(np.linalg.eigvalsh(tree), np.linalg.eigvalsh(star), rtol=1e-12)
    relaxed = f**2 - np.sum((2 * h * np.sqrt(f * v) / v) ** 2)
    np.testing.assert_allclose(mapped.relaxed_frequency**2, relaxed, rtol=1e-11)
    np.testing.assert_allclose(mapped.share, mapped.strength**2 / f / bath.reorganisation_energy(), rtol=1e-12)


def test_an_oscillator_damped_by_another_bath_is_found_again():
    """Garg, Onuchic & Ambegaokar: the density of an oscillator at `w_0` with Ohmic damping maps back to it."""
    bath = UnderdampedBath(1.0, 0.5, 2.0, 0.1)
    mapped = mapping(made(bath, 40, 400.0))
    np.testing.assert_allclose(mapped.relaxed_frequency, 2.0, rtol=1e-3)
    distance = mapped.strength * np.sqrt(2 * mapped.frequency)
    np.testing.assert_allclose(distance**2 / (2 * 2.0**2), 0.5, rtol=1e-3)  # D^2 / 2 w_0^2 = reorganisation energy


def test_one_dominant_mode_is_its_own():
    mapped = mapping(FiniteBath([1.0, 3.0], [0.5, 1e-4]))
    np.testing.assert_allclose([mapped.frequency, mapped.strength, mapped.share], [1.0, 0.5, 1.0], rtol=1e-6)


@pytest.mark.slow
def test_derivative():
    def number(strength):
        mapped = mapping(FiniteBath([1.0, 1.5, 2.5], [0.2, strength, 0.3]))
        return mapped.residual.strengths[1] + mapped.frequency + mapped.share

    slope = jax.jit(jax.grad(number))(0.4)
    np.testing.assert_allclose(slope, (number(0.4001) - number(0.3999)) / 2e-4, rtol=1e-6)


def test_refusal():
    with pytest.raises(ValueError, match="at least two modes"):
        reaction_coordinate(FiniteBath([1.0], [0.5]))
    continuum = OhmicBath(1.0, 0.1, 5.0)
    for refused in (
        lambda: reaction_coordinate(continuum),
        lambda: coupled_to_modes(np.eye(2), np.eye(2), continuum, 2),
    ):
        with pytest.raises(ValueError, match="must be a `FiniteBath`, but is a `OhmicBath`"):
            refused()
