"""Least squares for any prediction: against scipy, at bounds, from many starts, and its derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from jaxgibbs._solution import RESULTS
from jaxgibbs.fitting import LeastSquares, fit_model

RNG = np.random.default_rng(0)
T = np.linspace(0, 4, 20)
SIGMA = 0.01
DATA = 2.5 * np.exp(-0.7 * T) + 0.3 + SIGMA * RNG.normal(size=20)
START = {"a": 1.0, "c": 0.0, "k": 1.0}


def decay(p):
    return p["a"] * jnp.exp(-p["k"] * T) + p["c"]


def scipy_fit(covariance=None):
    sigma = SIGMA * np.ones(20) if covariance is None else covariance
    return scipy.optimize.curve_fit(
        lambda t, a, c, k: a * np.exp(-k * t) + c, T, DATA, p0=[1, 0, 1], sigma=sigma, absolute_sigma=True, xtol=1e-14
    )


def flat(tree):
    return np.array([float(tree[name]) for name in "ack"])


@pytest.mark.slow
def test_against_scipy():
    fit = fit_model(decay, START, DATA, SIGMA**2 * np.ones(20))
    values, covariance = scipy_fit()
    np.testing.assert_allclose(flat(fit.value), values, rtol=1e-6)
    np.testing.assert_allclose(fit.stats["covariance"], covariance, rtol=1e-4)
    np.testing.assert_allclose(flat(fit.error), np.sqrt(np.diag(covariance)), rtol=1e-4)
    pulls = (np.asarray(decay(fit.value)) - DATA) / SIGMA
    np.testing.assert_allclose(fit.stats["residual"], pulls, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(fit.stats["chi_square"], pulls @ pulls, rtol=1e-12)
    assert fit.stats["degrees_of_freedom"] == 17
    np.testing.assert_allclose(fit.stats["p_value"], scipy.stats.chi2.sf(pulls @ pulls, 17), rtol=1e-9)
    np.testing.assert_allclose(fit.stats["fitted"], decay(fit.value), rtol=1e-12)
    assert fit.result == RESULTS.optimal
    assert not fit.stats["at_bound"].any()


def test_correlated_errors():
    covariance = SIGMA**2 * (0.5 * np.eye(20) + 0.5 * np.exp(-np.abs(T[:, None] - T)))
    fit = fit_model(decay, START, DATA, covariance)
    values, expected = scipy_fit(covariance)
    np.testing.assert_allclose(flat(fit.value), values, rtol=1e-6)
    np.testing.assert_allclose(fit.stats["covariance"], expected, rtol=1e-4)


def test_errors_of_unknown_size():
    fit = fit_model(decay, START, DATA, None)
    known = fit_model(decay, START, DATA, SIGMA**2 * np.ones(20))
    np.testing.assert_allclose(flat(fit.value), flat(known.value), rtol=1e-8)
    scatter = np.sum((DATA - np.asarray(fit.stats["fitted"])) ** 2) / 17
    np.testing.assert_allclose(fit.stats["covariance"], known.stats["covariance"] * scatter / SIGMA**2, rtol=1e-6)
    assert np.isnan(fit.stats["p_value"])


def small(p):
    return 1e-9 * decay(p)


def test_errors_of_unknown_size_in_any_unit_and_none():
    """A search ends by its own misfit, in whatever unit the data are, and by rounding where the misfit is none."""
    fit = fit_model(small, START, 1e-9 * DATA, None)
    np.testing.assert_allclose(flat(fit.value), scipy_fit()[0], rtol=1e-6)
    exact = fit_model(small, START, np.asarray(small({"a": 2.5, "c": 0.3, "k": 0.7})), None)
    np.testing.assert_allclose(flat(exact.value), [2.5, 0.3, 0.7], rtol=1e-9)


@pytest.mark.slow
def test_data_and_parameters_of_any_shape():
    def predict(p):
        return {"line": p[0][0] + p[0][1] * T, "square": p[1] * jnp.ones((2, 2))}

    data = {"line": 1 + 2 * T, "square": np.full((2, 2), 5.0)}
    fit = fit_model(predict, (np.zeros(2), 1), data, jax.tree_util.tree_map(np.ones_like, data))
    np.testing.assert_allclose(fit.value[0], [1, 2], atol=1e-9)
    np.testing.assert_allclose(fit.value[1], 5)
    np.testing.assert_allclose(fit.error[1], 0.5)


def test_badly_scaled_parameters():
    def predict(p):
        return p[0] * 1e-9 * jnp.exp(-p[1] * 1e7 * T)

    fit = fit_model(predict, np.array([1e9, 1e-7]), 2.5 * np.exp(-0.7 * T), 1e-4 * np.ones(20))
    np.testing.assert_allclose(fit.value, [2.5e9, 0.7e-7], rtol=1e-8)


@pytest.mark.parametrize(
    ("lower", "upper", "held"),
    [
        ({"a": 0.0, "c": 0.5, "k": 0.0}, np.inf, "c"),
        ({"a": 0.0, "c": 0.0, "k": 0.0}, {"a": 5.0, "c": 0.32, "k": 5.0}, ""),
        (-np.inf, {"a": 2.0, "c": 10.0, "k": 10.0}, "a"),
        ({"a": 0.0, "c": -1.0, "k": 0.75}, {"a": 5.0, "c": 1.0, "k": 0.8}, "k"),
        ({"a": 0.0, "c": 0.4, "k": 0.9}, {"a": 1.9, "c": 1.0, "k": 2.0}, "acK"),
    ],
)
def test_bounds_against_scipy(lower, upper, held):
    start = {"a": 1.0, "c": 0.7, "k": 0.77}
    if held == "":
        start["c"] = 0.1
    if held == "acK":
        start["k"] = 1.0
    fit = fit_model(decay, start, DATA, SIGMA**2 * np.ones(20), bounds=(lower, upper))
    limits = [[bound[n] if isinstance(bound, dict) else bound for n in "ack"] for bound in (lower, upper)]
    reference = scipy.optimize.least_squares(
        lambda p: (p[0] * np.exp(-p[2] * T) + p[1] - DATA) / SIGMA,
        flat(start), bounds=limits, xtol=1e-15, ftol=1e-15, gtol=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(fit.stats["chi_square"], 2 * reference.cost, rtol=1e-7)
    np.testing.assert_allclose(flat(fit.value), reference.x, rtol=1e-4)
    at_bound = np.isclose(flat(fit.value), limits[0]) | np.isclose(flat(fit.value), limits[1])
    np.testing.assert_array_equal(fit.stats["at_bound"], at_bound)
    np.testing.assert_array_equal(flat(fit.error) == 0, at_bound)
    assert fit.stats["degrees_of_freedom"] == 20 - 3 + at_bound.sum()


def test_a_parameter_may_start_on_its_bound():
    fit = fit_model(decay, START, DATA, SIGMA**2 * np.ones(20), bounds=({"a": 0.0, "c": 0.0, "k": 0.0}, np.inf))
    np.testing.assert_allclose(flat(fit.value), scipy_fit()[0], rtol=1e-6)


@pytest.mark.slow
def test_many_starts_in_one_batch():
    def predict(p):
        return jnp.sin(p * T)

    alone = fit_model(predict, 1.0, np.sin(3 * T), 1e-2 * np.ones(20), throw=False)
    assert alone.stats["chi_square"] > 100  # a local minimum
    fit = fit_model(predict, 1.0, np.sin(3 * T), 1e-2 * np.ones(20), starts=np.linspace(0.2, 6, 12))
    np.testing.assert_allclose(fit.value, 3.0)
    assert fit.stats["chi_squares"].shape == (13,)
    np.testing.assert_allclose(fit.stats["chi_square"], fit.stats["chi_squares"].min(), atol=1e-12)


@pytest.mark.slow
def test_a_combination_that_the_data_do_not_feel():
    def predict(p):
        return (p[0] + p[1]) * jnp.ones(20) + p[2] * T

    fit = fit_model(predict, np.zeros(3), 1 + 0.5 * T, np.ones(20))
    assert fit.result == RESULTS.dependent
    np.testing.assert_allclose(fit.value[0] + fit.value[1], 1)
    np.testing.assert_array_equal(np.isinf(fit.error), [True, True, False])
    unfelt = fit_model(lambda p: p[0] * jnp.ones(3), np.array([0.0, 7.0]), np.ones(3), np.ones(3))
    assert unfelt.result == RESULTS.dependent
    np.testing.assert_array_equal(np.isinf(unfelt.error), [False, True])
    assert unfelt.value[1] == 7.0


def test_coverage_of_the_errors():
    """Of 1,000 fits in one call, the scatter is what the covariance says, and chi-square what its distribution says."""
    noise = SIGMA * np.random.default_rng(3).normal(size=(1000, 20))
    truth = np.asarray(decay({"a": 2.5, "c": 0.3, "k": 0.7}))

    @jax.jit
    @jax.vmap
    def fits(noise):
        fit = fit_model(decay, START, truth + noise, SIGMA**2 * jnp.ones(20))
        return jnp.stack([fit.value[n] for n in "ack"]), fit.stats["covariance"], fit.stats["chi_square"]

    values, covariances, chi_squares = fits(noise)
    mean = np.mean(covariances, axis=0)
    scatter = np.sqrt((np.outer(np.diag(mean), np.diag(mean)) + mean**2) / 1000)
    assert np.all(np.abs(np.cov(values.T) - mean) < 5 * scatter + 0.02 * np.abs(mean))
    assert abs(np.mean(chi_squares) - 17) < 5 * np.sqrt(2 * 17 / 1000)


# -- derivatives -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_derivative_in_the_data():
    def fitted(s):
        return fit_model(decay, START, DATA + s * 1e-3 * T**2, SIGMA**2 * jnp.ones(20)).value["k"]

    h, first = 1e-3, jax.jit(jax.grad(fitted))
    np.testing.assert_allclose(first(0.0), (fitted(h) - fitted(-h)) / (2 * h), rtol=1e-6)
    second = jax.jit(jax.grad(jax.grad(fitted)))(0.0)
    np.testing.assert_allclose(second, (first(h) - first(-h)) / (2 * h), rtol=1e-5)


@pytest.mark.slow
def test_derivative_in_what_the_prediction_holds():
    """Stretching time by 1 + s divides the rate by it, whether `s` is in a closure or a leaf."""

    def by_closure(s):
        def predict(p):
            return p["a"] * jnp.exp(-p["k"] * T * (1 + s)) + p["c"]

        return fit_model(predict, START, DATA, SIGMA**2 * np.ones(20)).value["k"]

    class Stretched(eqx.Module):
        s: jax.Array

        def __call__(self, p):
            return p["a"] * jnp.exp(-p["k"] * T * (1 + self.s)) + p["c"]

    def by_leaf(s):
        return fit_model(Stretched(jnp.asarray(s)), START, DATA, SIGMA**2 * np.ones(20)).value["k"]

    rate = float(by_leaf(0.0))
    for fitted in (by_closure, by_leaf):
        np.testing.assert_allclose(fitted(0.0), rate)
        np.testing.assert_allclose(jax.jit(jax.grad(fitted))(0.0), -rate, rtol=1e-9)
        np.testing.assert_allclose(jax.jit(jax.grad(jax.grad(fitted)))(0.0), 2 * rate, rtol=1e-8)


def test_derivative_of_a_parameter_at_its_bound():
    def fitted(bound):
        fit = fit_model(decay, {"a": 1.0, "c": 0.7, "k": 0.8}, DATA, SIGMA**2 * np.ones(20),
                        bounds=({"a": 0.0, "c": bound, "k": 0.0}, np.inf))  # fmt: skip
        return jnp.stack([fit.value[n] for n in "ack"])

    h, jacobian = 1e-4, jax.jit(jax.jacfwd(fitted))(0.5)
    np.testing.assert_allclose(jacobian, (fitted(0.5 + h) - fitted(0.5 - h)) / (2 * h), rtol=1e-4)
    np.testing.assert_allclose(jacobian[1], 1)


def test_derivative_of_the_statistics():
    def chi_square(s):
        return fit_model(decay, START, DATA + s * T**2, SIGMA**2 * np.ones(20)).stats["chi_square"]

    h = 1e-6
    slope = jax.jit(jax.grad(chi_square))(0.01)
    np.testing.assert_allclose(slope, (chi_square(0.01 + h) - chi_square(0.01 - h)) / (2 * h), rtol=1e-6)


# -- failures and inputs ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_too_few_steps():
    method = LeastSquares(max_steps=1, tolerance=1e-30)
    with pytest.raises(RuntimeError, match="number of steps"):
        fit_model(decay, START, DATA, SIGMA**2 * np.ones(20), method=method)
    kept = fit_model(decay, START, DATA, SIGMA**2 * np.ones(20), method=method, throw=False)
    assert kept.result == RESULTS.max_steps_reached
    traced = jax.jit(lambda y: fit_model(decay, START, y, SIGMA**2 * jnp.ones(20), method=method).value)(DATA)
    assert np.isnan(flat(traced)).all()


def test_a_prediction_of_nan():
    with pytest.raises(RuntimeError, match="NaN"):
        fit_model(lambda p: jnp.sqrt(-1 - p**2) * jnp.ones(3), 0.5, np.ones(3), np.ones(3))


def test_single_precision():
    data = jnp.asarray(DATA, jnp.float32)
    start = {name: jnp.asarray(value, jnp.float32) for name, value in START.items()}
    fit = fit_model(decay, start, data, jnp.full(20, SIGMA**2, jnp.float32))
    assert fit.value["a"].dtype == np.float32
    np.testing.assert_allclose(flat(fit.value), scipy_fit()[0], rtol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((START, DATA[:3], np.ones(3)), {}, "as many numbers"),
        ((START, DATA, np.ones(3)), {}, "`covariance` must have shape"),
        ((START, DATA, np.zeros(20)), {}, "positive and finite"),
        ((START, DATA, -np.eye(20)), {}, "positive definite"),
        ((START, np.full(20, np.nan), np.ones(20)), {}, "`data` must be finite"),
        (({"a": np.nan, "c": 0.0, "k": 0.0}, DATA, np.ones(20)), {}, "`parameters` must be finite"),
        (({"a": 1j, "c": 0.0, "k": 0.0}, DATA, np.ones(20)), {}, "real"),
        (({}, DATA, np.ones(20)), {}, "at least one number"),
        ((START, np.zeros(0), np.zeros(0)), {}, "at least one number"),
        ((START, DATA, np.ones(20)), {"bounds": (1.0, 0.0)}, "every lower below"),
        ((START, DATA, np.ones(20)), {"bounds": (0.5, 2.0)}, "must lie within"),
        ((START, DATA, np.ones(20)), {"starts": {"a": 1.0, "c": 0.0, "k": 1.0}}, "one more leading axis"),
    ],
)
def test_wrong_inputs(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        fit_model(decay, *arguments, **options)
