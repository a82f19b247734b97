"""Processes: each public name in a number to differentiate, or why not."""

import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from compositions.common import ANSWER, BETA, CHOICE, matrix, square, weigh
from compositions.information import state
from jaxgibbs import dynamics

LOWERING = np.kron(np.array([[0, 0], [1, 0]], np.float32), np.eye(2, dtype=np.float32))
TIMES = np.array([0.0, 0.3, 0.5], np.float32)


def generator(theta):
    return jg.Lindbladian(matrix(theta), [LOWERING, LOWERING.T], square(theta[:2]) / 4, ("a", "b"))


def of_currents(theta):
    g, rho = generator(theta), state(theta)
    scalars = (
        dynamics.energy(g, rho)
        + dynamics.entropy_rate(g, rho)
        + dynamics.nonequilibrium_free_energy(matrix(theta), rho, BETA)
        + dynamics.work_current(lambda t: generator(theta * jnp.cos(t)), rho, theta[0])
    )
    return (scalars + weigh(dynamics.heat_currents(g, rho)) + weigh(dynamics.entropy_production(g, rho, BETA))) / 4


def of_balance(theta):
    balance = dynamics.thermodynamic_balance(generator(theta), state(theta), TIMES, BETA, nodes=2).value
    return (weigh(balance.entropy_production) + weigh(balance.heat) + weigh(balance.free_energy)) / 4


TABLE = {
    "evolve": lambda theta: weigh(
        jg.evolve(generator(theta), state(theta), TIMES, method=dynamics.Taylor(max_steps=4)).value
    ),
    tuple(
        f"dynamics.{name}"
        for name in (
            "energy",
            "entropy_rate",
            "nonequilibrium_free_energy",
            "work_current",
            "heat_currents",
            "entropy_production",
        )
    ): of_currents,
    "dynamics.thermodynamic_balance": of_balance,
}

EXEMPT = {
    **dict.fromkeys((f"dynamics.{name}" for name in ("Propagator", "Taylor", "RungeKutta")), CHOICE),
    "dynamics.AbstractEvolution": "an interface; the methods are its members",
    "dynamics.Balance": ANSWER,
}
