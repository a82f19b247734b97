"""The generators of the library, diagnosed: what a bath adds to the Hamiltonian does not count as energy."""

import numpy as np
import pytest

import jaxgibbs as jg
from helpers import direction
from jaxgibbs.diagnostics import VERDICTS

H, A = direction(np.random.default_rng(4), 3), direction(np.random.default_rng(5), 3)
BETA = 1.3


def warm(beta):
    return jg.OhmicBath(beta, 1e-3, 4.0)


GENERATORS = {
    "Davies with its Lamb shift": lambda: jg.davies(H, [(A, warm(BETA))]),
    "Chen, Kastoryano and Gilyen": lambda: jg.chen_kastoryano_gilyen(H, [A], BETA),
    "Ding, Li and Lin": lambda: jg.ding_li_lin(H, [A], BETA),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name.startswith("Davies") else name for name in GENERATORS]
)
def test_it_is_balanced_with_respect_to_the_gibbs_state_of_the_system(name):
    generator = GENERATORS[name]()
    assert np.linalg.norm(generator.hamiltonian_matrix() - generator.system_hamiltonian()) > 1e-5
    np.testing.assert_allclose(generator.system_hamiltonian(), H, atol=1e-15)
    report = jg.detailed_balance(generator, beta=BETA)
    assert report.verdict == VERDICTS.balanced
    other = jg.detailed_balance(generator, beta=0.9)
    assert other.verdict == VERDICTS.other_temperature
    np.testing.assert_allclose(other.own.beta, BETA, rtol=1e-9)
    dissipative = jg.steady_state(generator).value
    np.testing.assert_allclose(dissipative, jg.gibbs_state(H, BETA).density_matrix(), atol=1e-12)


@pytest.mark.slow
def test_heat_flows_from_hot_to_cold_and_adds_up():
    second = direction(np.random.default_rng(6), 3)
    generator = jg.davies(H, [(A, warm(0.4)), (second, warm(2.0))], baths=("hot", "cold"))
    rho = jg.steady_state(generator).value
    heats = jg.dynamics.heat_currents(generator, rho)
    assert heats[0] > 0
    np.testing.assert_allclose(np.sum(heats), 0, atol=1e-12 * heats[0])
    produced = jg.dynamics.entropy_production(generator, rho, np.array([0.4, 2.0]))
    np.testing.assert_allclose(np.sum(produced), -(0.4 * heats[0] + 2.0 * heats[1]), rtol=1e-9)
    assert jg.detailed_balance(generator).verdict == VERDICTS.driven
    total = generator + jg.Lindbladian(np.zeros((3, 3)), [])
    np.testing.assert_allclose(total.system_hamiltonian(), H, atol=1e-15)
