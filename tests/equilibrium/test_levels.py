"""Sums over levels against sums in many digits, at the hard temperatures, and truncation judged against what was cut off."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs._errors import ContinuousSpectrum, NotTraceClass, TruncationNotConverged, UnboundedAbove, UnboundedBelow
from jaxgibbs.operators import AbstractTail, Dense, Spectrum
from systems import exact_sums

EPS = np.finfo(float).eps
LEVELS = np.array([-0.7, -0.7, 0.1, 0.4, 0.4, 2.3])  # two exact degeneracies
NAMES = ("log_partition", "energy", "energy_variance", "entropy", "heat_capacity")


@jax.jit
def quantities(levels, log_degeneracies, beta):
    state = jg.gibbs_state(Spectrum(levels, log_degeneracies), beta)
    orders = [state.renyi_entropy(order) for order in (0, 0.5, 1, 1 + 1e-6, 2, 7.5, np.inf)]
    return {name: getattr(state, name) for name in (*NAMES, "purity", "free_energy", "populations")}, jnp.stack(orders)


def found(levels, log_degeneracies, beta):
    return quantities(jnp.asarray(levels), jnp.asarray(log_degeneracies), jnp.asarray(beta, jnp.result_type(float)))


DEGENERACIES = {
    "none": np.zeros(6),
    "small": np.log([1.0, 2.0, 3.0, 5.0, 1.0, 7.0]),
    "half a googol": np.array([0.0, 1000.0, 1.0, 999.5, 0.0, 1000.3]),
}


@pytest.mark.parametrize("beta", [0.3, -0.3, 1.0, -4.0, 20.0, -60.0, 1e-9])
@pytest.mark.parametrize("offset", [0.0, 1e8])
@pytest.mark.parametrize("degeneracies", DEGENERACIES)
def test_every_sum(beta, offset, degeneracies):
    levels, logs = LEVELS + offset, DEGENERACIES[degeneracies]
    exact, (values, orders) = exact_sums(levels, beta, logs), found(levels, logs, beta)
    # One rounding of a term x = beta D + ln g in the exponent is eps |x| of it; a handful of terms follow.
    rounding = 8 * EPS * (1 + np.max(np.abs(beta * (levels - levels[0]))) + np.max(np.abs(logs)))
    for name in ("energy_variance", "entropy", "heat_capacity"):
        np.testing.assert_allclose(values[name], getattr_or_moment(exact, name), rtol=4 * rounding, err_msg=name)
    np.testing.assert_allclose(values["log_partition"], exact.log_partition, rtol=8 * EPS, atol=rounding)
    np.testing.assert_allclose(
        values["free_energy"], -exact.log_partition / beta, rtol=8 * EPS, atol=rounding / abs(beta)
    )
    np.testing.assert_allclose(values["energy"], exact.energy, rtol=8 * EPS, atol=rounding * 3)
    np.testing.assert_allclose(values["purity"], math.exp(-exact.renyi_entropy(2)), rtol=8 * rounding, atol=0)
    np.testing.assert_allclose(jnp.sum(values["populations"]), 1, rtol=8 * EPS)
    wanted = [np.logaddexp.reduce(logs), exact.renyi_entropy(0.5), exact.entropy, exact.renyi_entropy(1 + 1e-6)]
    wanted += [exact.renyi_entropy(2), exact.renyi_entropy(7.5), exact.min_entropy]
    # At order 1/2 weights e^{x / 2} are left, where rounding is relative to a larger sum; 20 is a margin for all orders.
    np.testing.assert_allclose(orders, wanted, rtol=20 * rounding, atol=1e-300)


def getattr_or_moment(exact, name):
    return exact.central_moment(2) if name == "energy_variance" else getattr(exact, name)


@pytest.mark.parametrize("beta", [40.0, 150.0, 600.0, -40.0, -600.0])
def test_entropy_and_heat_capacity_keep_their_relative_accuracy_at_low_temperature(beta):
    levels = 1e8 + np.array([0.0, 1.0, 1.0, 1.25, 3.0, 3.0])  # the differences are exact floats
    if beta < 0:
        levels = -levels
    exact, (values, _) = exact_sums(levels, beta), found(levels, np.zeros(6), beta)
    assert 0 < exact.entropy < 1e-14
    for name in ("entropy", "heat_capacity", "energy_variance"):
        np.testing.assert_allclose(values[name], getattr_or_moment(exact, name), rtol=8 * EPS * abs(beta), err_msg=name)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("beta", [1e6, np.inf])
def test_zero_temperature(sign, beta):
    logs = np.log([1.0, 2.0, 3.0, 5.0, 1.0, 7.0])
    values, orders = found(LEVELS, logs, sign * beta)
    edge, degeneracy = (-0.7, 3.0) if sign > 0 else (2.3, 7.0)
    assert values["energy"] == edge
    np.testing.assert_allclose(values["free_energy"], edge, rtol=1e-5 if np.isfinite(beta) else 0)
    np.testing.assert_allclose(values["entropy"], np.log(degeneracy), rtol=4 * EPS)
    assert values["energy_variance"] == values["heat_capacity"] == 0
    assert values["log_partition"] == (
        np.inf if np.isinf(beta) else pytest.approx(-sign * beta * edge + np.log(degeneracy))
    )
    np.testing.assert_allclose(orders[1:], np.log(degeneracy), rtol=4 * EPS)
    np.testing.assert_allclose(orders[0], np.log(degeneracy if np.isinf(beta) else 19.0), rtol=4 * EPS)
    np.testing.assert_allclose(values["purity"], 1 / degeneracy, rtol=4 * EPS)


def test_log_partition_at_infinite_beta_has_the_sign_of_the_ground_energy():
    for ground, limit in ((-0.5, np.inf), (0.5, -np.inf), (0.0, np.log(2.0))):
        assert jg.log_partition(Spectrum([ground, ground, 4.0]), np.inf) == limit
        assert jg.log_partition(Spectrum([-ground, -ground, -4.0]), -np.inf) == limit


def test_infinite_temperature():
    logs = np.log([1.0, 2.0, 3.0, 5.0, 1.0, 7.0])
    values, orders = found(LEVELS, logs, 0.0)
    np.testing.assert_allclose(values["energy"], np.exp(logs) @ LEVELS / 19, rtol=4 * EPS)
    np.testing.assert_allclose(orders, np.log(19.0), rtol=4 * EPS)
    assert values["heat_capacity"] == 0
    assert np.isnan(values["free_energy"])


def test_one_level():
    first = jax.grad(lambda beta: jg.log_partition(Spectrum([3.25], [2.0]), beta))
    derivatives = jax.jit(lambda beta: (first(beta), jax.grad(jax.grad(first))(beta)))
    for beta in (0.0, 0.8, -3.0, 1e6, np.inf):
        values, _ = found([3.25], [2.0], beta)
        assert values["energy"] == 3.25
        assert values["heat_capacity"] == values["energy_variance"] == 0
        np.testing.assert_allclose(values["entropy"], 2.0, rtol=2 * EPS)
        if np.isfinite(beta):
            assert derivatives(beta) == (-3.25, 0)


def test_derivatives_in_beta_are_cumulants():
    logs = np.log([1.0, 2.0, 3.0, 5.0, 1.0, 7.0])
    spectrum = Spectrum(LEVELS, logs)

    def log_partition(beta):
        return jg.log_partition(spectrum, beta)

    derivative, derivatives = log_partition, []
    for _ in range(4):
        derivative = jax.grad(derivative)
        derivatives.append(derivative)
    compute = jax.jit(lambda beta: [d(beta) for d in derivatives])
    for beta in (0.0, 0.9, -2.0, 7.0):
        exact = exact_sums(LEVELS, beta, logs)
        second, third, fourth = (exact.central_moment(n) for n in (2, 3, 4))
        np.testing.assert_allclose(compute(beta), [-exact.energy, second, -third, fourth - 3 * second**2], rtol=1e-12)
        heat = beta**2 * compute(beta)[1]
        assert abs(heat - jg.heat_capacity(spectrum, beta)) <= 1e-10 * max(exact.heat_capacity, 1e-6)


def test_derivatives_in_the_levels():
    logs = jnp.log(jnp.array([1.0, 2.0, 3.0, 5.0, 1.0, 7.0]))

    def direct(levels, beta):
        z = jnp.exp(logs - beta * levels)
        p = z / jnp.sum(z)
        energy = jnp.sum(p * levels)
        heat = beta**2 * jnp.sum(p * (levels - energy) ** 2)
        purity = jnp.sum(p**2 / jnp.exp(logs))
        return jnp.stack([jnp.log(jnp.sum(z)), energy, jnp.log(jnp.sum(z)) + beta * energy, heat, -jnp.log(purity)])

    def library(levels, beta):
        state = jg.gibbs_state(Spectrum(levels, logs), beta)
        return jnp.stack(
            [
                *(getattr(state, n) for n in ("log_partition", "energy", "entropy", "heat_capacity")),
                state.renyi_entropy(2),
            ]
        )

    for order in (jax.jacrev, lambda f: jax.jacfwd(jax.jacrev(f))):
        a, b = (jax.jit(order(f))(jnp.asarray(LEVELS), 0.8) for f in (direct, library))
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-13)


def test_the_likeliest_level_moves_the_min_entropy():
    def minus_log_largest(levels):
        return jg.gibbs_state(Spectrum(levels), 2.0).renyi_entropy(np.inf)

    levels = jnp.array([0.3, 1.0, 1.7])
    weights = jnp.exp(-2 * levels) / jnp.sum(jnp.exp(-2 * levels))
    np.testing.assert_allclose(jax.grad(minus_log_largest)(levels), 2 * (jnp.array([1, 0, 0]) - weights), rtol=1e-13)


def test_derivatives_are_nan_where_there_are_none():
    functions = (jg.log_partition, jg.energy, jg.entropy, jg.heat_capacity, jg.free_energy)
    # One function at a time: in one Jacobian the zero cotangent of one times the NaN of another hides what each returns.
    derivatives = jax.jit(
        lambda levels, beta: [
            [
                mode(lambda *x, f=f: f(Spectrum(x[0]), x[1]), k)(levels, beta)
                for mode in (jax.jacfwd, jax.jacrev)
                for k in (0, 1)
            ]
            for f in functions
        ]
    )
    for beta in (np.inf, -np.inf):
        assert all(np.all(np.isnan(d)) for each in derivatives(jnp.asarray(LEVELS), beta) for d in each)
    at_zero = derivatives(jnp.asarray(LEVELS), 0.0)  # ln Z, U, S and C are smooth there, F is not defined
    assert all(np.all(np.isnan(derivative)) for derivative in at_zero[4])
    assert not any(np.any(np.isnan(derivative)) for each in at_zero[:4] for derivative in each)


@pytest.mark.parametrize("unit", [1e-20, 1e-7, 1e12])
def test_single_precision_in_any_unit(unit):
    levels, beta = jnp.asarray(np.array([0.0, 1.0, 2.5, 2.5]) * unit, jnp.float32), jnp.float32(1.3 / unit)
    exact = exact_sums(levels, float(beta))
    state = jg.gibbs_state(Spectrum(levels), beta)
    eps = float(jnp.finfo(jnp.float32).eps)
    for name in ("log_partition", "energy", "entropy", "heat_capacity"):
        assert getattr(state, name).dtype == jnp.float32
        np.testing.assert_allclose(getattr(state, name), getattr(exact, name), rtol=16 * eps, err_msg=name)
    assert jg.heat_capacity(Spectrum(levels), jnp.float32(1e6 / unit)) == 0


# -- infinite spectra -------------------------------------------------------------------------------------------------


def oscillator(levels):
    return models.oscillator(0.75, levels=levels), lambda k: 0.75 * k, lambda k: 0 * k


def box(levels):
    return models.power_law(0.5, 2.0, levels=levels), lambda k: 0.5 * ((k + 1) ** 2 - 1), lambda k: 0 * k


def rotor(levels):
    spectrum = models.rotor(0.625, even_weight=1, odd_weight=3, levels=levels)
    return spectrum, lambda k: 0.625 * k * (k + 1), lambda k: np.log((2 * k + 1) * np.where(k % 2, 3.0, 1.0))


def square_root(levels):
    return models.power_law(1.5, 0.5, levels=levels), lambda k: 1.5 * (np.sqrt(k + 1) - 1), lambda k: 0 * k


def zeta(levels):
    return models.logarithmic_spectrum(1.0, levels=levels), lambda k: np.log(k + 1), lambda k: 0 * k


BETAS = (0.05, 0.2, 1.0, 3.0, 10.0, 30.0, 100.0)
# What the bound allows, and rounding: eps beta E in the exponent, and as much for the sums.
TRUNCATION = 2 * 16 * EPS


@pytest.mark.parametrize("family", [oscillator, box, rotor, square_root, zeta])
def test_an_answer_of_a_truncated_spectrum_is_right(family):
    answered = 0
    for kept in (3, 50):
        spectrum = family(kept)[0]
        values = _of_truncated(spectrum, jnp.array(BETAS))
        for i, beta in enumerate(BETAS):
            log_partition, energy, entropy, heat_capacity = (float(v[i]) for v in values)
            if np.isnan(energy):
                assert np.isnan([log_partition, entropy, heat_capacity]).all()
                continue
            answered += 1
            exact = _reference(family, beta)
            ground = float(spectrum.levels[0])
            rounding = TRUNCATION + 16 * EPS * (1 + beta * (ground + 40 / beta))
            assert log_partition == pytest.approx(exact.log_partition - beta * ground, rel=rounding, abs=rounding)
            assert energy - ground == pytest.approx(exact.excess, rel=rounding, abs=4 * EPS * ground)
            assert entropy == pytest.approx(exact.entropy, rel=rounding, abs=1e-300)
            assert heat_capacity == pytest.approx(exact.heat_capacity, rel=rounding, abs=1e-300)
    assert answered >= 3


@functools.cache
def _reference(family, beta):
    _, distance, log_degeneracy = family(1)
    k = np.arange(4000)
    k = k[beta * distance(k) < 50 + beta * distance(np.array(1))]
    assert len(k) < 4000, "the reference itself is cut"
    return exact_sums(distance(k.astype(float)), beta, log_degeneracy(k))


@jax.jit
def _of_truncated(spectrum, betas):
    t = jax.vmap(jg.thermodynamics, (None, 0))(spectrum, betas)
    return t.log_partition, t.energy, t.entropy, t.heat_capacity


@pytest.mark.slow
def test_truncation_is_refused_no_sooner_than_needed():
    spectrum = models.oscillator(1.0, levels=40)
    finite = Spectrum(spectrum.levels)
    values, cut = (
        jax.vmap(lambda b, s=s: jg.heat_capacity(s, b))(jnp.linspace(0.7, 1.6, 60)) for s in (spectrum, finite)
    )
    x = np.linspace(0.7, 1.6, 60)
    exact = (x / 2 / np.sinh(x / 2)) ** 2
    error = np.abs(cut / exact - 1)
    assert np.all(np.isnan(values[error > 100 * EPS]))
    assert not np.any(np.isnan(values[x > 1.25]))  # the first level left out is 40 above: 40^2 e^-50 is 1e-19


def test_truncated_spectra_raise_where_beta_is_known_and_give_nan_under_a_trace():
    spectrum = models.oscillator(1.0, levels=16)
    with pytest.raises(TruncationNotConverged, match="keep more levels"):
        jg.energy(spectrum, 0.1)
    values = jax.jit(jax.vmap(lambda b: jg.energy(spectrum, b)))(jnp.array([0.1, 5.0, np.inf, -1.0, 0.0]))
    np.testing.assert_array_equal(np.isnan(values), [True, False, False, True, True])
    assert values[2] == 0.5
    gradient = jax.jit(jax.vmap(jax.grad(lambda b: jg.log_partition(spectrum, b))))(jnp.array([0.1, 5.0]))
    np.testing.assert_array_equal(np.isnan(gradient), [True, False])


def test_states_that_do_not_exist():
    with pytest.raises(UnboundedAbove, match="negative temperatures need levels bounded from above"):
        jg.log_partition(models.oscillator(1.0), -1.0)
    with pytest.raises(UnboundedAbove):
        jg.log_partition(models.oscillator(1.0), 0.0)
    with pytest.raises(NotTraceClass, match="beta_c"):
        jg.log_partition(models.logarithmic_spectrum(1.0), 0.9)
    with pytest.raises(ContinuousSpectrum, match="accumulate"):
        jg.log_partition(models.hydrogen(), 10.0)
    with pytest.raises(UnboundedBelow, match="no ground state"):
        jg.log_partition(-1.0 * models.oscillator(1.0), 1.0)
    with pytest.raises(NotTraceClass):
        jg.log_partition(0.5 * models.logarithmic_spectrum(1.0), 1.5)
    for spectrum in (models.hydrogen(), -1.0 * models.oscillator(1.0), models.logarithmic_spectrum(1.0)):
        assert np.isnan(jax.jit(jg.log_partition)(spectrum, 0.9))


def test_a_multiple_of_an_infinite_spectrum():
    spectrum = models.oscillator(0.6)
    for factor in (2.5, 0.5):
        direct = jg.thermodynamics(models.oscillator(0.6 * factor), 1.0)
        scaled = jg.thermodynamics(factor * spectrum, 1.0)
        np.testing.assert_allclose(scaled.heat_capacity, direct.heat_capacity, rtol=1e-12)
        np.testing.assert_allclose(scaled.log_partition, direct.log_partition, rtol=1e-12)
    gradient = jax.grad(lambda f: jg.log_partition(f * spectrum, 1.0))(2.5)
    np.testing.assert_allclose(gradient, -jg.energy(spectrum, 2.5), rtol=1e-12)


def test_observables_of_an_infinite_spectrum():
    spectrum = models.oscillator(1.0, levels=200)
    number = jnp.arange(200.0)
    state = jg.gibbs_state(spectrum, 0.5)
    n = 1 / np.expm1(0.5)
    np.testing.assert_allclose(state.expectation(number), n, rtol=1e-13)
    np.testing.assert_allclose(state.expectation(Spectrum(number**2)), n * (2 * n + 1), rtol=1e-13)
    np.testing.assert_allclose(state.covariance(number, number), n * (n + 1), rtol=1e-13)
    np.testing.assert_allclose(state.covariance(jnp.ones(200), number), 0, atol=1e-13)
    # e^{0.4 n} grows: its mean, of terms e^{-0.1 n}, is far from converged at 200 levels though the trace is.
    growing = jnp.exp(0.4 * number)
    with pytest.raises(TruncationNotConverged):
        state.expectation(growing)
    with pytest.raises(TruncationNotConverged):
        state.covariance(growing, number)
    assert np.isnan(jax.jit(lambda values: state.expectation(values))(growing))


def test_renyi_entropies_of_an_infinite_spectrum():
    state = jg.gibbs_state(models.oscillator(1.0), 1.0)
    assert state.renyi_entropy(0) == np.inf
    assert jg.gibbs_state(models.oscillator(1.0), np.inf).renyi_entropy(0) == 0

    def log_z(x):
        return -np.log(-np.expm1(-x))

    for order in (0.5, 2, 3.5):
        np.testing.assert_allclose(
            state.renyi_entropy(order), (log_z(order) - order * log_z(1.0)) / (1 - order), rtol=1e-13
        )
    with pytest.raises(TruncationNotConverged):
        state.renyi_entropy(1e-4)


class Hopeful(AbstractTail):
    """A tail that promises nothing."""

    @property
    def beta_critical(self):
        return jnp.asarray(0.0)

    def bound(self, beta, power=0):
        return jnp.full_like(beta, jnp.nan)


def test_a_bound_that_is_nan_is_no_bound():
    with pytest.raises(TruncationNotConverged):
        jg.log_partition(Spectrum([0.0, 1.0], tail=Hopeful()), 1.0)


# -- misuse -------------------------------------------------------------------------------------------------------------


def test_observables_of_the_wrong_kind_are_refused():
    state = jg.gibbs_state(Spectrum([0.0, 1.0, 2.0]), 1.0)
    for wrong in ([1.0, 2.0], np.eye(3), np.array([1, 2, 3j])):
        with pytest.raises(ValueError, match="one real value a level"):
            state.expectation(wrong)
    with pytest.raises(ValueError, match="must be a `Spectrum`"):
        state.expectation(Dense(np.eye(3)))
    with pytest.raises(ValueError, match="finite"):
        state.expectation([0.0, np.nan, 1.0])
    with pytest.raises(ValueError, match="at least one"):
        state.covariance_matrix(())


def test_matrices_are_refused_where_there_is_none():
    state = jg.gibbs_state(Spectrum([0.0, 1.0], [0.0, 3.0]), 1.0)
    for ask in (state.density_matrix, state.level_projectors):
        with pytest.raises(ValueError, match="has none"):
            ask()
    with pytest.raises(ValueError, match="`part` must be asked of a `KroneckerSum`"):
        state.part(0)
    np.testing.assert_allclose(jnp.trace(jg.gibbs_state(Spectrum([0.0, 1.0]), 1.0).density_matrix()), 1, rtol=4 * EPS)


def test_explain_says_what_was_done():
    assert "4 levels; error: rounding" in jg.gibbs_state(Spectrum([0.0, 1.0, 2.0, 3.0]), 1.0).explain()
    assert "else the answer is NaN" in jg.gibbs_state(models.oscillator(1.0), 1.0).explain()
