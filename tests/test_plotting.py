"""Figures: what is drawn is what was given, on the axes given."""

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import plotting

TEMPERATURES = np.linspace(0.1, 3.0, 20)
SIGMA_X = np.array([[0.0, 1.0], [1.0, 0.0]])


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def driven():
    hot, cold = jg.OhmicBath(beta=0.5, strength=1e-3, cutoff=8.0), jg.OhmicBath(beta=2.0, strength=1e-3, cutoff=8.0)
    return jg.davies(np.diag([1.0, 0.0]), [(SIGMA_X, hot), (SIGMA_X, cold)], baths=("hot", "cold"), lamb_shift=False)


@pytest.mark.parametrize("quantity", [jg.free_energy, jg.entropy, jg.heat_capacity])
def test_thermodynamics_draws_the_curve(quantity):
    ax = plotting.thermodynamics(jg.models.spin_dimer(1.0), TEMPERATURES, quantity, color="k")
    x, y = ax.lines[0].get_data()
    assert y[5] == pytest.approx(float(quantity(jg.models.spin_dimer(1.0), 1 / x[5])), abs=1e-12)
    given = plt.subplots()[1]
    assert plotting.thermodynamics(jg.models.spin_dimer(1.0), TEMPERATURES, ax=given) is given


def test_levels_stand_side_by_side_where_degenerate():
    ax = plotting.levels([0.0, 1.0, 1.0, 1.0], populations=[0.7, 0.1, 0.1, 0.1])
    segments = [c.get_segments()[0] for c in ax.collections]
    assert [s[0, 1] for s in segments] == [0, 1, 1, 1]
    assert len({s[0, 0] for s in segments[1:]}) == 3


@pytest.mark.slow
def test_lines_and_currents_and_populations():
    ax = plotting.spectral_lines([0.0, 1.0], [0.3, 0.7])
    assert len(ax.collections[0].get_segments()) == 2
    generator = driven()
    state = jg.steady_state(generator).value
    ax = plotting.currents(jg.dynamics.heat_currents(generator, state), ["hot", "cold"])
    np.testing.assert_allclose(
        [bar.get_height() for bar in ax.patches], jg.dynamics.heat_currents(generator, state), rtol=1e-12
    )
    ax = plotting.populations(state, np.diag([1.0, 0.0]), {"hot": 0.5})
    gibbs, dots = ax.lines
    np.testing.assert_allclose(gibbs.get_ydata(), np.exp([0.0, -0.5]) / np.sum(np.exp([0.0, -0.5])), rtol=1e-12)
    np.testing.assert_allclose(dots.get_ydata(), np.diag(state).real[::-1], rtol=1e-12)


@pytest.mark.slow
def test_residuals_and_entropy_production():
    generator = driven()
    ax = plotting.residual_map(jg.detailed_balance(generator, beta=0.5))
    assert len(ax.lines[0].get_ydata()) == 5
    rho = jnp.diag(jnp.array([0.9, 0.1]))
    balance = jg.dynamics.thermodynamic_balance(generator, rho, jnp.linspace(0.0, 5.0, 4), betas=jnp.array([0.5, 2.0]))
    balance = balance.value
    ax = plotting.entropy_production(balance)
    assert len([line for line in ax.lines if len(line.get_xdata()) == 4]) == 2


def test_fit_has_residuals_below():
    x, y = np.arange(5.0), np.array([0.0, 1.1, 1.9, 3.2, 4.0])
    upper, lower = plotting.fit(x, y, x, errors=np.full(5, 0.1))
    assert upper.get_legend() is not None
    dots = lower.lines[1].get_ydata()
    np.testing.assert_allclose(dots, (y - x) / 0.1, rtol=1e-12)
    axes = plt.subplots(2, 1)[1]
    assert plotting.fit(x, y, x, axes=axes)[1] is axes[1]


def test_bad_input_says_so():
    with pytest.raises(ValueError, match="zero"):
        plotting.thermodynamics(jg.models.spin_dimer(1.0), [0.0, 1.0])
    with pytest.raises(ValueError, match="names"):
        plotting.currents([1.0, 2.0], ["hot"])
    with pytest.raises(ValueError, match="alike"):
        plotting.fit([1.0], [1.0, 2.0], [1.0])
