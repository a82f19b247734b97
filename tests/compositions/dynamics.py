"""Processes: each public name in a number to differentiate, or why not."""

import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from compositions.common import ANSWER, BETA, CHOICE, matrix, square, weigh
from compositions.information import state
from jaxgibbs import dynamics
from jaxgibbs.baths import OhmicBath

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


def of_counting(theta):
    jumps, heat = dynamics.CountedJumps(generator(theta), [1.0, 0.5]), dynamics.CountedHeat(generator(theta), "a")
    functions = sum(dynamics.cumulant_generating_function(what, theta[0] / 4) for what in (jumps, heat))
    checks = (
        dynamics.gallavotti_cohen_defect(jumps, BETA, theta[0] / 4) + dynamics.uncertainty_ratio(jumps, theta[1]) / 8
    )
    return (functions + weigh(dynamics.cumulants(jumps, 3)) + weigh(dynamics.cumulants(heat, 2)) + checks) / 4


def of_work(theta):
    def protocol(t):
        return matrix(theta * (1 + t))

    unitary = dynamics.evolution_operator(protocol, TIMES[:2], max_steps=2, throw=False).value[-1]
    work = dynamics.work_measurement(protocol(0.0), protocol(0.3), unitary, BETA)
    given = dynamics.work_measurement(protocol(0.0), protocol(0.3), unitary, state(theta))
    backward = dynamics.time_reversed(protocol, np.float32(0.3), fields_reversed=True)
    parts = [work.mean, work.variance, work.log_average(theta[0] / 4), work.dissipated_work, given.mean]
    return (sum(parts) + weigh(work.characteristic_function(BETA)) + weigh(backward(0.1))) / 4


def of_exchange(theta):
    bodies = [matrix(theta)[:2, :2], matrix(theta)[2:, 2:]]
    unitary = dynamics.evolution_operator(matrix(theta), TIMES[:2], throw=False).value[-1]
    return weigh(dynamics.heat_exchange(bodies, unitary, jnp.stack([theta[0], theta[1]])).mean)


def of_engines(theta):
    baths = [OhmicBath(b, jnp.float32(0.3), jnp.float32(4)) for b in (BETA / 4, BETA, BETA / 2)]
    frequencies = jnp.stack([square(theta[0]) + 1, square(theta[1]) / 4])
    maser = dynamics.steady_operation(*dynamics.three_level_maser(*frequencies, theta[2], *baths[:2]))
    fridge = dynamics.steady_operation(dynamics.absorption_refrigerator(*frequencies, baths[1], baths[0], baths[2]))
    otto = dynamics.quasi_static_otto(matrix(theta), matrix(2 * theta), BETA, BETA / 2)
    return weigh(maser.heat) + maser.power + weigh(fridge.heat) + otto.work + weigh(otto.hot_heat)


def of_cycles(theta):
    contact = dynamics.ThermalStroke(generator(theta), square(theta[0]) / 4)
    driven = dynamics.DrivenStroke(lambda t: generator(theta * (1 + t)), jnp.float32(0.5), 2)
    unitary = dynamics.evolution_operator(matrix(theta), TIMES[:2], throw=False).value[-1]
    turn = dynamics.UnitaryStroke(matrix(theta * 1.5), matrix(theta), unitary)
    cycle = dynamics.limit_cycle([contact, driven, turn], throw=False).value
    return (weigh(cycle.heat) + weigh(cycle.work)) / 4


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
    tuple(
        f"dynamics.{name}"
        for name in (
            "CountedJumps",
            "CountedHeat",
            "cumulant_generating_function",
            "cumulants",
            "gallavotti_cohen_defect",
            "uncertainty_ratio",
        )
    ): of_counting,
    tuple(f"dynamics.{name}" for name in ("evolution_operator", "time_reversed", "work_measurement")): of_work,
    "dynamics.heat_exchange": of_exchange,
    tuple(
        f"dynamics.{name}"
        for name in ("three_level_maser", "absorption_refrigerator", "quasi_static_otto", "steady_operation")
    ): of_engines,
    tuple(f"dynamics.{name}" for name in ("UnitaryStroke", "ThermalStroke", "DrivenStroke", "limit_cycle")): of_cycles,
}

NOUNS = ("Balance", "WorkMeasurement", "HeatExchange", "LimitCycle", "Operation", "OttoCycle")
EXEMPT = {
    **dict.fromkeys((f"dynamics.{name}" for name in ("Propagator", "Taylor", "RungeKutta")), CHOICE),
    "dynamics.AbstractCounting": "an interface; what can be counted are its members",
    "dynamics.AbstractStroke": "an interface; the strokes are its members",
    "dynamics.AbstractEvolution": "an interface; the methods are its members",
    **dict.fromkeys((f"dynamics.{name}" for name in NOUNS), ANSWER),
    "dynamics.EnergyStatistics": "values and probabilities pair by pair; positions and eigenvectors have no derivatives",
}
