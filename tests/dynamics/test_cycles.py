"""Cycles in finite time: a qubit's closed form, periods repeated one by one, and the laws over random machines."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import jaxgibbs as jg
from jaxgibbs import dynamics
from jaxgibbs.baths import FlatBath, OhmicBath
from jaxgibbs.dynamics import DrivenStroke, ThermalStroke, UnitaryStroke, limit_cycle

from .dissipative_systems import SX, SZ, qubit

COLD, HOT = 2.0, 0.5


def otto(p):
    """A qubit that is changed at once: `w_c, w_h`, rates and times of the contacts."""
    w_c, w_h, rate_c, rate_h, time_c, time_h = p
    cold = ThermalStroke(labelled(qubit(w_c, [rate_c], [COLD]), "cold"), time_c)
    hot = ThermalStroke(labelled(qubit(w_h, [rate_h], [HOT]), "hot"), time_h)
    return limit_cycle([cold, hot])


def labelled(generator, name):
    return jg.Lindbladian(generator.hamiltonian, list(generator.jump_operators), generator.rates, [name, name])


def closed_form(p):
    """`Q_h` and the work."""
    w_c, w_h, rate_c, rate_h, time_c, time_h = p
    decay = [
        jnp.exp(-rate / jnp.tanh(b * w / 2) * t)
        for w, rate, b, t in ((w_c, rate_c, COLD, time_c), (w_h, rate_h, HOT, time_h))
    ]
    share = (1 - decay[0]) * (1 - decay[1]) / (1 - decay[0] * decay[1])
    difference = 1 / (1 + jnp.exp(HOT * w_h)) - 1 / (1 + jnp.exp(COLD * w_c))
    return w_h * difference * share, (w_c - w_h) * difference * share


OTTO = jnp.array([1.0, 1.7, 0.3, 0.2, 1.4, 0.9])


def test_the_otto_cycle_of_a_qubit_in_finite_time():
    solution = jax.jit(otto)(OTTO)
    cycle = solution.value
    heat, work = closed_form(OTTO)
    np.testing.assert_allclose(cycle.heat_from("hot"), heat, rtol=1e-12)
    np.testing.assert_allclose(jnp.sum(cycle.work), work, rtol=1e-12)
    np.testing.assert_allclose(cycle.power, work / (1.4 + 0.9), rtol=1e-12)
    np.testing.assert_allclose(cycle.efficiency("hot"), 1 - 1 / 1.7, rtol=1e-12)
    np.testing.assert_allclose(cycle.performance("cold"), 1 / 0.7, rtol=1e-12)
    np.testing.assert_allclose(cycle.entropy_production([COLD, HOT]), COLD * (heat + work) - HOT * heat, rtol=1e-12)
    assert abs(float(cycle.first_law_defect)) < 1e-14
    decay = np.exp(-0.3 / np.tanh(1) * 1.4 - 0.2 / np.tanh(0.25 * 1.7) * 0.9)
    np.testing.assert_allclose(solution.stats["contraction"], np.sqrt(decay), rtol=1e-12)  # of coherences


@pytest.mark.slow
def test_gradients_of_power_in_everything_that_a_cycle_holds():
    def power(p):
        return closed_form(p)[1] / (p[4] + p[5])

    np.testing.assert_allclose(jax.grad(lambda p: otto(p).value.power)(OTTO), jax.grad(power)(OTTO), atol=1e-12)
    times = jax.jacfwd(jax.grad(lambda t: otto(OTTO.at[4:].set(t)).value.power))(OTTO[4:])
    np.testing.assert_allclose(times, jax.hessian(power)(OTTO)[4:, 4:], atol=1e-11)


@pytest.mark.slow
def test_periods_repeated_one_by_one_lead_to_the_limit():
    """Three levels, a bath on each of two strokes and both on a third, and an evolution between."""
    rng = np.random.default_rng(4)
    a, b = (x + x.T for x in rng.normal(size=(2, 3, 3)))
    first, second = np.diag([0.0, 0.7, 1.9]), np.diag([0.0, 1.1, 3.1])
    baths = OhmicBath(HOT, 0.01, 4.0), OhmicBath(COLD, 0.01, 4.0)
    hot = jg.davies(second, [(a, baths[0])], baths=["hot"])
    both = jg.davies(first, [(a, baths[0]), (b, baths[1])], baths=["hot", "cold"])
    u = scipy.linalg.expm(1j * (a @ b + b @ a) / 3)
    strokes = [UnitaryStroke(first, second, u, 0.3), ThermalStroke(hot, 0.8), ThermalStroke(both, 1.1)]
    cycle = limit_cycle(strokes).value
    assert cycle.baths == ("hot", "cold")

    step_hot, step_both = (scipy.linalg.expm(t * np.asarray(g.to_dense())) for g, t in ((hot, 0.8), (both, 1.1)))
    rho = np.eye(3) / 3
    for _ in range(400):
        start = rho
        middle = u @ start @ u.conj().T
        later = (step_hot @ middle.ravel("F")).reshape(3, 3, order="F")
        rho = (step_both @ later.ravel("F")).reshape(3, 3, order="F")
    np.testing.assert_allclose(cycle.states, [start, middle, later], atol=1e-12)

    def energy(h, x):
        return np.trace(h @ x).real

    np.testing.assert_allclose(cycle.work[0], energy(second, middle) - energy(first, start), atol=1e-12)
    np.testing.assert_allclose(cycle.work[1:], [0, energy(first, later) - energy(second, later)], atol=1e-12)
    np.testing.assert_allclose(cycle.heat[1], [energy(second, later - middle), 0], atol=1e-12)
    flows = dynamics.thermodynamic_balance(both, later, [0.0, 1.1], [HOT, COLD]).value
    np.testing.assert_allclose(cycle.heat[2], flows.heat[-1], atol=1e-9)
    assert abs(float(cycle.first_law_defect)) < 1e-13
    assert cycle.entropy_production([HOT, COLD]) > 0


@pytest.mark.slow
def test_no_machine_is_better_than_carnot():
    """Random media, baths, times and unitaries, which do not commute with the Hamiltonians."""
    rng = np.random.default_rng(6)
    count = 200
    levels = np.cumsum(rng.uniform(0.2, 1.5, (count, 2, 3)), axis=-1)
    couplings = rng.normal(size=(count, 2, 3, 3))
    couplings = couplings + np.swapaxes(couplings, 2, 3)
    angles, times = (
        rng.normal(size=(count, 2, 3, 3)) * rng.choice([0.0, 0.1, 1.0], (count, 1, 1, 1)),
        rng.uniform(0.1, 20, (count, 2)),
    )
    betas = np.stack([rng.uniform(0.3, 0.9, count), rng.uniform(1, 2, count)], axis=1)

    @jax.jit
    @jax.vmap
    def run(levels, couplings, angles, times, betas):
        hot, cold = (
            jg.davies(jnp.diag(e), [(a, OhmicBath(b, 0.05, 4.0))], baths=[label], lamb_shift=False)
            for e, a, b, label in zip(levels, couplings, betas, ("hot", "cold"), strict=True)
        )
        u, v = (jax.scipy.linalg.expm(x - x.T) for x in angles)
        h = jnp.diag(levels[0]), jnp.diag(levels[1])
        strokes = [
            ThermalStroke(hot, times[0]),
            UnitaryStroke(*h, u),
            ThermalStroke(cold, times[1]),
            UnitaryStroke(*h[::-1], v),
        ]
        return limit_cycle(strokes).value

    cycles = run(levels, couplings, angles, times, betas)
    work, heat = np.sum(cycles.work, axis=1), np.sum(cycles.heat, axis=1)
    np.testing.assert_allclose(work + heat.sum(axis=1), 0, atol=1e-11)
    assert np.min(-np.sum(betas * heat, axis=1)) > -1e-12
    engines, coolers = work < -1e-9, (work > 1e-9) & (heat[:, 1] > 1e-9)
    assert np.sum(engines) > 10
    assert np.sum(coolers) > 3
    assert np.all((-work / heat[:, 0] < 1 - betas[:, 0] / betas[:, 1])[engines])
    assert np.all((heat[:, 1] / work < betas[:, 0] / (betas[:, 1] - betas[:, 0]))[coolers])


def carnot(duration, steps):
    """A qubit: isotherms between splittings whose ends fit together, `beta_h w_h = beta_c w_c`."""

    def isotherm(beta, start, stop, name):
        def generator(t):
            w = start + (stop - start) * t / duration
            return jg.davies(w / 2 * SZ, [(SX, FlatBath(beta, 0.5))], baths=[name], lamb_shift=False)

        return DrivenStroke(generator, duration, steps)

    hot, cold = isotherm(HOT, 4.0, 1.6, "hot"), isotherm(COLD, 0.4, 1.0, "cold")
    return limit_cycle([hot, cold]).value


@pytest.mark.slow
def test_carnots_cycle_comes_near_its_efficiency():
    slow, slower = (jax.jit(carnot, static_argnums=1)(*each) for each in ((60.0, 24), (120.0, 48)))
    bound = 1 - HOT / COLD
    losses = [bound - float(cycle.efficiency("hot")) for cycle in (slow, slower)]
    assert slow.power < 0 < losses[1] < losses[0] < 0.1
    for cycle in (slow, slower):
        assert abs(float(cycle.first_law_defect)) < 1e-12
    # entropy is produced in inverse proportion to the time
    ratio = slow.entropy_production([HOT, COLD]) / slower.entropy_production([HOT, COLD])
    assert 1.9 < ratio < 2.1


@pytest.mark.slow
def test_a_cycle_that_does_not_settle():
    turn = UnitaryStroke(SZ, SZ, scipy.linalg.expm(0.4j * SX), 1.0)
    with pytest.raises(RuntimeError, match=r"does not settle.*couple its bath to all transitions"):
        limit_cycle([turn])
    dephasing = ThermalStroke(jg.Lindbladian(SZ, [SZ]), 1.0)
    with pytest.raises(RuntimeError, match="does not settle"):
        limit_cycle([dephasing])
    found = limit_cycle([turn], throw=False)
    np.testing.assert_allclose(found.stats["contraction"], 1, atol=1e-12)
    # together they do
    both = limit_cycle([turn, dephasing]).value
    np.testing.assert_allclose(both.states, np.broadcast_to(np.eye(2) / 2, (2, 2, 2)), atol=1e-13)


def test_what_is_refused():
    bad = pytest.raises
    contact = ThermalStroke(qubit(1.0, [0.2], [1.0]), 1.0)
    with bad(ValueError, match="`strokes` must be a list of at least one"):
        limit_cycle([])
    with bad(ValueError, match="`strokes` must be a list of at least one"):
        limit_cycle([contact.generator])
    for nothing, name in ((contact.generator, type(contact.generator).__name__), (3, "int"), (None, "NoneType")):
        with bad(ValueError, match=f"or one of them, but is {name}; a generator goes into a `ThermalStroke`"):
            limit_cycle(nothing)
    np.testing.assert_array_equal(limit_cycle(contact).value.states, limit_cycle([contact]).value.states)
    with bad(ValueError, match="must have one dimension"):
        limit_cycle([contact, UnitaryStroke(np.eye(3), np.eye(3), np.eye(3))])
    with bad(ValueError, match="`duration` must be a finite number of at least 0"):
        ThermalStroke(contact.generator, -1.0)
    with bad(ValueError, match="must be a generator with a bath"):
        ThermalStroke(SZ, 1.0)
    with bad(ValueError, match="must be a generator with a bath"):
        ThermalStroke(jg.Lindbladian(SZ, []), 1.0)
    with bad(ValueError, match="at most 32"):
        ThermalStroke(jg.Lindbladian(np.eye(33), [np.eye(33)]), 1.0)
    with bad(ValueError, match="`steps` must be a positive whole number"):
        DrivenStroke(lambda t: contact.generator, 1.0, 0)
    with bad(ValueError, match="`final` must have the dimension 2"):
        UnitaryStroke(SZ, np.eye(3), np.eye(2))
    with bad(ValueError, match="`unitary` must be unitary"):
        UnitaryStroke(SZ, SZ, SX + SZ)
    with bad(ValueError, match="`bath` must be one of"):
        limit_cycle([contact]).value.heat_from("warm")
