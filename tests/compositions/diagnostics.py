"""Diagnostics: each public name in a number to differentiate, or why not."""

import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from compositions.common import ANSWER, BETA, VERDICT, square, weigh
from jaxgibbs import diagnostics, symmetry

LOWERING = np.array([[0, 0], [1, 0]], np.float32)
FIELD = np.array([[0.3, 0.2 - 0.4j], [0.2 + 0.4j, -0.5]], np.complex64)
TRIANGLE = ((0, 1, 2),)


def generator(theta):
    hamiltonian = theta[0] * FIELD + jnp.diag(jnp.asarray([1.0, -1.0], jnp.float32))
    return jg.Lindbladian(hamiltonian, [LOWERING, LOWERING.T], square(theta[1:]))


def of_detailed_balance(theta):
    report = jg.detailed_balance(generator(theta), beta=BETA)
    return report.kms_residual + weigh(report.squares) + report.stationarity


def of_residuals(theta):
    state = {"beta": BETA, "hamiltonian": FIELD}
    total = diagnostics.balance_residual(generator(theta), **state, weight=diagnostics.BKM)
    total = total + diagnostics.squared_residual(generator(theta), **state, weight=0.3)
    total = total + diagnostics.time_reversal_residual(generator(theta), symmetry.Antiunitary(np.eye(2)), **state)
    return total + diagnostics.estimated_residual(generator(theta), **state, probes=3).value


def rates_of(theta):
    a, b, c = square(theta)
    return jnp.stack([jnp.stack([0 * a, a, b]), jnp.stack([2 * a, 0 * a, c]), jnp.stack([b * c, 3 * c, 0 * a])])


def of_rates(theta):
    rates = rates_of(theta)
    populations = jg.open_systems.stationary_distribution(rates)
    total = weigh(populations) + weigh(diagnostics.currents(rates, populations))
    total = total + weigh(diagnostics.cycle_affinities(rates, TRIANGLE))
    total = total + diagnostics.kolmogorov_defect(rates, TRIANGLE)
    temperatures = diagnostics.effective_temperatures(rates, jnp.asarray([0.0, 1.0, 3.0], jnp.float32))
    return total + diagnostics.entropy_production(rates, populations) + temperatures[0, 1] / 10


TABLE = {
    "detailed_balance": of_detailed_balance,
    (
        "diagnostics.balance_residual",
        "diagnostics.squared_residual",
        "diagnostics.time_reversal_residual",
        "diagnostics.estimated_residual",
    ): of_residuals,
    tuple(
        f"diagnostics.{name}"
        for name in (
            "currents",
            "cycle_affinities",
            "effective_temperatures",
            "entropy_production",
            "kolmogorov_defect",
        )
    ): of_rates,
}

EXEMPT = {
    **dict.fromkeys(
        (f"diagnostics.{name}" for name in ("BalanceReport", "OwnState", "ResidualEstimate", "AlickiForm")), ANSWER
    ),
    **dict.fromkeys((f"diagnostics.{name}" for name in ("thermalization", "Thermalization", "alicki_form")), VERDICT),
    "diagnostics.VERDICTS": "an enumeration",
    **dict.fromkeys(
        (f"diagnostics.{name}" for name in ("AbstractWeight", "PowerWeight", "BogoliubovWeight")),
        "an inner product: static numbers",
    ),
    "diagnostics.cycles_of": "a list of cycles, found from concrete rates",
}
