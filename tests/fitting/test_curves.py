"""Curves of magnetic molecules: closed forms, field derivatives, and three published fits."""

import dataclasses
import pathlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgibbs import equilibrium, fitting, models
from jaxgibbs.equilibrium.magnetism import CURIE_UNIT
from jaxgibbs.units import BOHR_MAGNETON, BOLTZMANN_CONSTANT, INVERSE_CENTIMETRE, KELVIN, MOLAR_GAS_CONSTANT, convert

DATA = pathlib.Path(__file__).parents[2] / "experiments" / "diradicals"
T = np.array([2.0, 10.0, 50.0, 300.0])
PAIR = ((0, 1),)


def dimer(J, g, convention=models.MINUS_TWO_J, **rest):
    return models.SpinCluster((0.5, 0.5), PAIR, J, convention=convention, g=g, **rest)


def bleaney_bowers(J, g, temperature):
    """With `H = -2 J S_1 . S_2`, `J` in kelvin."""
    return CURIE_UNIT * g**2 * 2 / (3 + np.exp(-2 * J / temperature))


@pytest.mark.parametrize(
    ("convention", "factor"),
    [(models.MINUS_TWO_J, 1), (models.PLUS_TWO_J, -1), (models.MINUS_J, 2), (models.PLUS_J, -2)],
)
def test_dimer_in_every_convention(convention, factor):
    np.testing.assert_allclose(
        equilibrium.chi_t(dimer(factor * -15.0, 2.1, convention), T), bleaney_bowers(-15.0, 2.1, T), rtol=1e-12
    )


def test_energy_unit():
    in_wavenumbers = dimer(convert(-15.0, KELVIN, INVERSE_CENTIMETRE), 2.1, energy_unit=INVERSE_CENTIMETRE)
    np.testing.assert_allclose(equilibrium.chi_t(in_wavenumbers, T), bleaney_bowers(-15.0, 2.1, T), rtol=1e-12)


def test_heat_capacity_of_a_dimer():
    x = 30 / T
    schottky = MOLAR_GAS_CONSTANT * x**2 * 3 * np.exp(-x) / (1 + 3 * np.exp(-x)) ** 2
    np.testing.assert_allclose(equilibrium.molar_heat_capacity(dimer(-15.0, 2.0), T), schottky, rtol=1e-10)


def test_magnetisation_of_a_free_spin_is_a_brillouin_function():
    spin = models.SpinCluster((0.5,), (), np.zeros(0), convention=models.PLUS_J, g=2.0)
    field = np.array([0.0, 1.0, 7.0])
    expected = np.tanh(BOHR_MAGNETON * field / (BOLTZMANN_CONSTANT * 2.0))
    np.testing.assert_allclose(equilibrium.magnetisation(spin, field, 2.0), expected, rtol=1e-12)


UNEQUAL = models.SpinCluster(
    (0.5, 1.0),
    PAIR,
    -7.0,
    convention=models.MINUS_TWO_J,
    g=np.array([[2.3, 2.0], [1.9, 2.15]]),
    single_ion=np.array([0.0, 6.0]),
)


@pytest.mark.slow
def test_chi_is_the_field_derivative_of_the_powder_where_moment_and_energy_do_not_commute():
    slopes = jax.vmap(lambda t: jax.grad(lambda b: equilibrium.magnetisation(UNEQUAL, b, t))(1e-5))(jnp.asarray(T))
    slopes = slopes * CURIE_UNIT * BOLTZMANN_CONSTANT / BOHR_MAGNETON
    np.testing.assert_allclose(equilibrium.chi(UNEQUAL, T), slopes, rtol=1e-7)
    assert np.all(equilibrium.chi_of_fluctuations(UNEQUAL, T) > equilibrium.chi(UNEQUAL, T))


@pytest.mark.slow
def test_fluctuations_agree_where_they_commute_and_curie_law_where_it_is_hot():
    cluster = dimer(-15.0, 2.1)
    np.testing.assert_allclose(equilibrium.chi_of_fluctuations(cluster, T), equilibrium.chi(cluster, T), rtol=1e-12)
    np.testing.assert_allclose(equilibrium.chi_t(UNEQUAL, 1e7), equilibrium.curie_constant(UNEQUAL), rtol=1e-5)


def test_corrections():
    cluster = dimer(0.0, 2.0)
    chi, curie = equilibrium.chi(cluster, T), equilibrium.curie_constant(cluster)
    weiss = curie / (T + 3.0)
    np.testing.assert_allclose(equilibrium.curie_weiss(chi, T, -3.0), weiss, rtol=1e-12)
    np.testing.assert_allclose(equilibrium.mean_field(chi, curie, -3.0), weiss, rtol=1e-12)
    sample = equilibrium.impure_sample(chi, T, 0.4, impurity=0.1, background=-1e-4, scale=1.02)
    np.testing.assert_allclose(sample, 1.02 * (0.9 * chi + 0.04 / T) - 1e-4, rtol=1e-12)


def test_bad_clusters_are_refused():
    for bad in (((0, 2),), ((1, 1),)):
        with pytest.raises(ValueError, match="must join two"):
            models.SpinCluster((0.5, 0.5), bad, 1.0, convention=models.PLUS_J, g=2.0)
    with pytest.raises(ValueError, match="at most 1024"):
        models.SpinCluster((0.5,) * 11, PAIR, 1.0, convention=models.PLUS_J, g=2.0)
    with pytest.raises(ValueError, match="orientations"):
        equilibrium.magnetisation(UNEQUAL, 1.0, 1.0, orientations=0)


# -- fits --------------------------------------------------------------------------------------------------------------


def measured(name):
    path = DATA / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    table = np.loadtxt(path, delimiter=",", skiprows=3)
    return table[np.argsort(table[:, 0])].T


PLAIN = {"J": (-400.0, 50.0), "g": (1.5, 2.5)}
WEISS = PLAIN | {"theta": (-60.0, 10.0)}


class Curve(eqx.Module):
    """`chi T` of a dimer at the temperatures measured, with a Weiss constant or without."""

    temperature: jax.Array

    def __call__(self, p):
        chi_t = equilibrium.chi_t(dimer(p["J"], p["g"]), self.temperature)
        return equilibrium.curie_weiss(chi_t, self.temperature, p["theta"]) if "theta" in p else chi_t


def test_d_nit2():
    temperature, chi_t = measured("d_nit2")
    fit = fitting.fit_curve(Curve(jnp.asarray(temperature)), PLAIN, chi_t)
    assert fit.value["J"] == pytest.approx(-229.9, abs=0.05)
    assert fit.value["g"] == pytest.approx(1.984, abs=5e-4)


def test_3d_nit2():
    temperature, chi_t = measured("d3_nit2")
    fit = fitting.fit_curve(Curve(jnp.asarray(temperature)), WEISS, chi_t)
    assert fit.value["J"] == pytest.approx(-48.3, abs=0.05)
    assert fit.value["g"] == pytest.approx(1.986, abs=6e-4)
    assert fit.value["theta"] == pytest.approx(-24.7, abs=0.05)


@pytest.mark.slow
def test_dtd_nit2_prefers_a_weiss_constant():
    temperature, chi_t = measured("dtd_nit2")
    curve = Curve(jnp.asarray(temperature))
    plain, weiss = fitting.fit_curve(curve, PLAIN, chi_t), fitting.fit_curve(curve, WEISS, chi_t)
    assert plain.value["J"] == pytest.approx(-36.6, abs=0.05)
    assert plain.value["g"] == pytest.approx(2.062, abs=5e-4)
    assert weiss.value["J"] == pytest.approx(-31.4, abs=0.05)
    assert weiss.value["theta"] == pytest.approx(-9.3, abs=0.06)
    assert weiss.error["theta"] == pytest.approx(1.0, abs=0.02)
    weights = fitting.akaike_weights({"plain": plain, "weiss": weiss})
    assert weights["weiss"] > 0.9999
    assert plain.runs_p < 0.01
    assert sum(weights.values()) == pytest.approx(1)
    # Two more minima lie on the limits, where the data push on: of the box, not of chi^2.
    assert [minimum.at_bound for minimum in weiss.minima] == [(), ("theta",), ("J", "theta")]
    assert [minimum.value["theta"] for minimum in weiss.minima[1:]] == [10.0, -60.0]
    assert weiss.unfinished + sum(minimum.reached for minimum in weiss.minima) == 32


# -- minima and profiles ---------------------------------------------------------------------------------------------


def two_valleys(p):
    return jnp.stack([(p["x"] ** 2 - 1) * k + 0.1 * p["x"] for k in (1.0, 2.0, 3.0, 4.0, 5.0)])


@pytest.mark.slow
def test_every_minimum_is_reported():
    fit = fitting.fit_curve(two_valleys, {"x": (-3.0, 3.0)}, np.zeros(5), np.full(5, 0.01))
    assert len(fit.minima) == 2
    assert fit.minima[0].value["x"] * fit.minima[1].value["x"] < 0
    assert fit.minima[0].chi_square <= fit.minima[1].chi_square
    assert sum(minimum.reached for minimum in fit.minima) == 32
    bound = fitting.fit_curve(two_valleys, {"x": (2.0, 3.0)}, np.zeros(5), np.full(5, 0.01))
    assert bound.minima[0].at_bound == ("x",)
    assert bound.error["x"] == 0
    assert bound.degrees_of_freedom == 5


X = np.arange(6.0)


def line(p):
    """Of the two slopes the data feel the sum alone; the offset is in the square, so that its profile is no parabola."""
    return p["offset"] ** 2 + (p["slope"] + p["twin"]) * X


LINE = {"offset": (0.0, 3.0), "slope": (-2.0, 2.0), "twin": (-2.0, 2.0)}
DATA_OF_LINE = 0.04 + 0.5 * X + np.array([0.1, -0.2, 0.1, 0.05, -0.1, 0.05])


@pytest.mark.slow
def test_a_parameter_that_the_data_leave_open_is_one_minimum():
    fit = fitting.fit_curve(line, LINE, DATA_OF_LINE, np.full(6, 0.01))
    inside = [minimum for minimum in fit.minima if not minimum.at_bound]
    assert len(inside) == 1
    assert np.isinf(inside[0].error["slope"])


@pytest.mark.slow
def test_profile_is_that_of_the_constrained_fit():
    """Of `offset^2 + slope x` the profile in the offset is a polynomial: the straight line's, at `offset^2`."""
    limits = {name: LINE[name] for name in ("offset", "slope")}
    one = jax.tree_util.Partial(_with_twin)
    variances = np.full(6, 0.01)
    fit = fitting.fit_curve(one, limits, DATA_OF_LINE, variances)
    at = np.linspace(0, 0.8, 5)
    profile = fitting.profile_chi_square(one, limits, DATA_OF_LINE, variances, "offset", at, fit=fit)
    slopes = ((DATA_OF_LINE - at[:, None] ** 2) @ X) / (X @ X)
    residuals = DATA_OF_LINE - at[:, None] ** 2 - slopes[:, None] * X
    np.testing.assert_allclose(profile, np.sum(residuals**2, axis=1) / 0.01, rtol=1e-8)

    low, high = fitting.profile_interval(one, limits, DATA_OF_LINE, variances, "offset", fit=fit)
    curvature = np.sum((1 - X * X.sum() / (X @ X)) ** 2) / 0.01
    best = np.polyfit(X, DATA_OF_LINE, 1)[1]
    assert low == 0.0 if best < curvature**-0.5 else low > 0
    assert high == pytest.approx(np.sqrt(best + curvature**-0.5), rel=1e-3)
    _, high = fitting.profile_interval(one, limits, DATA_OF_LINE, variances, "offset", fit=fit, rise=3.84)
    assert high == pytest.approx(np.sqrt(best + (3.84 / curvature) ** 0.5), rel=1e-3)


@pytest.mark.slow
def test_profile_of_errors_of_unknown_size_keeps_to_the_limits():
    """The other parameter is at its limit at the best fit, and stays within it."""
    limits = {"offset": (0.0, 3.0), "slope": (0.6, 2.0)}
    one = jax.tree_util.Partial(_with_twin)
    fit = fitting.fit_curve(one, limits, DATA_OF_LINE)
    assert "slope" in fit.minima[0].at_bound
    at = [fit.value["offset"], 0.5]
    profile = fitting.profile_chi_square(one, limits, DATA_OF_LINE, None, "offset", at, fit=fit)
    assert profile[0] == pytest.approx(fit.degrees_of_freedom, rel=1e-8)
    slope = max(0.6, (DATA_OF_LINE - 0.25) @ X / (X @ X))
    size = fit.reduced_chi_square
    assert profile[1] == pytest.approx(np.sum((DATA_OF_LINE - 0.25 - slope * X) ** 2) / size, rel=1e-8)


def _with_twin(p):
    return line(p | {"twin": 0.0})


def turning(p):
    """Even in `x`: no slope leads away from 0, which is a saddle of `chi^2` where the data are above the line, else its minimum."""
    return p["x"] ** 2 * X + p["y"] + 1e-17 * p["x"] * jnp.cos(X)  # rounding leaves some slope


@pytest.mark.parametrize("slope", [0.25, -0.25])
def test_where_the_prediction_turns_round(slope):
    data = 1 + slope * X + np.array([0.1, -0.2, 0.1, 0.05, -0.1, 0.05])
    fit = fitting.fit_curve(turning, {"x": (0.0, 2.0), "y": (-3.0, 3.0)}, data, np.full(6, 0.01), starts=8)
    assert len(fit.minima) == 1
    assert fit.unfinished + fit.minima[0].reached == 8
    best = np.polyfit(X, data, 1)
    assert fit.value["x"] == pytest.approx(np.sqrt(max(best[0], 0)), abs=1e-6)
    assert fit.value["y"] == pytest.approx(best[1] if slope > 0 else data.mean(), rel=1e-6)
    assert np.isinf(fit.error["x"]) == (slope < 0)


def test_a_saddle_is_no_minimum():
    box = fitting.curves.Box({"x": (-2.0, 2.0), "y": (-3.0, 3.0)})
    for slope, saddle in ((0.25, True), (-0.25, False)):
        data = 1 + slope * X
        beside = fitting.curves._Beside(turning, box, data, np.full(6, 0.01))
        assert beside.falls(np.array([0.0, data.mean()]), np.array([True, False])) == saddle


NO_EXCHANGE = np.linspace(5.0, 300.0, 12)


@pytest.mark.slow
@pytest.mark.parametrize(("J", "variances"), [(-40.0, np.full(12, 1e-40)), (0.0, None)])
def test_exact_data_are_met_to_rounding(J, variances):
    """Also where their errors are below rounding, and where J and theta do the same, so that the minimum is flat."""
    curve = Curve(jnp.asarray(NO_EXCHANGE))
    data = curve({"J": J, "g": 2.05})
    limits = {"J": (-100.0, 50.0), "g": (1.5, 2.5)} | ({"theta": (-20.0, 4.0)} if J == 0 else {})
    fit = fitting.fit_curve(curve, limits, data, variances, starts=4)
    np.testing.assert_allclose(fit.fitted, data, rtol=1e-13)
    assert fit.value["g"] == pytest.approx(2.05, rel=1e-12)
    if J == 0:
        assert np.isinf([fit.error["J"], fit.error["theta"]]).all()
        assert 2 * fit.value["theta"] == pytest.approx(-fit.value["J"], rel=1e-3)


def slow(p):
    """From the right a long way to the minimum at 0, an eighth of it a step; from the left one step to another, above it."""
    x = p["x"]
    return jnp.stack([jnp.where(x < 0, x + 1, x**8), *jnp.where(x < 0, jnp.ones(4), jnp.zeros(4))])


@pytest.mark.slow
def test_a_search_that_got_below_every_minimum_is_not_passed_over():
    with pytest.raises(RuntimeError, match="ended at no minimum, below the best"):
        fitting.fit_curve(
            slow, {"x": (-2.0, 2.0)}, np.zeros(5), np.full(5, 0.01), starts=4, method=fitting.LeastSquares(max_steps=5)
        )
    with pytest.raises(RuntimeError, match="in the steps allowed"):
        fitting.fit_curve(two_valleys, {"x": (-3.0, 3.0)}, np.zeros(5), method=fitting.LeastSquares(max_steps=2))


@pytest.mark.slow
def test_bad_fits_are_refused():
    with pytest.raises(ValueError, match="at least one parameter to fit"):
        fitting.fit_curve(two_valleys, {}, np.zeros(5))
    with pytest.raises(ValueError, match="finite"):
        fitting.fit_curve(two_valleys, {"x": (-1.0, 1.0)}, np.array([0.0, np.nan, 0.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match="positive and finite"):
        fitting.fit_curve(two_valleys, {"x": (-1.0, 1.0)}, np.zeros(5), np.zeros(5))
    with pytest.raises(RuntimeError, match="no temperature may be 0"):
        fitting.fit_curve(Curve(jnp.zeros(6)), PLAIN, np.ones(6), starts=1)
    with pytest.raises(ValueError, match="lower below its upper"):
        fitting.fit_curve(two_valleys, {"x": (1.0, -1.0)}, np.zeros(5))
    with pytest.raises(ValueError, match="finite"):
        fitting.fit_curve(two_valleys, {"x": (1.0, np.inf)}, np.zeros(5))
    with pytest.raises(ValueError, match="power of two"):
        fitting.fit_curve(two_valleys, {"x": (-1.0, 1.0)}, np.zeros(5), starts=12)
    with pytest.raises(ValueError, match="at least 4 points"):
        fitting.fit_curve(two_valleys, {"x": (-1.0, 1.0)}, np.zeros(3))
    with pytest.raises(RuntimeError, match="No start came to a minimum"):
        fitting.fit_curve(lambda p: jnp.sqrt(-1 - p["x"] ** 2) * jnp.ones(5), {"x": (-1.0, 1.0)}, np.zeros(5))
    fit = fitting.fit_curve(two_valleys, {"x": (-3.0, 3.0)}, np.zeros(5), np.full(5, 0.01))
    with pytest.raises(ValueError, match="at least two parameters"):
        fitting.profile_chi_square(two_valleys, {"x": (-3.0, 3.0)}, np.zeros(5), None, "x", [0.0], fit=fit)
    both = {"x": (-3.0, 3.0), "y": (0.0, 1.0)}
    with pytest.raises(ValueError, match="within the limits"):
        fitting.profile_chi_square(two_valleys, both, np.zeros(5), None, "y", [2.0], fit=_without(fit))
    with pytest.raises(ValueError, match="must be positive"):
        fitting.profile_interval(two_valleys, both, np.zeros(5), None, "y", fit=fit, rise=0.0)


def _without(fit):
    return dataclasses.replace(
        fit, minima=tuple(dataclasses.replace(m, value={"x": 0.5, "y": 0.5}) for m in fit.minima)
    )


@pytest.mark.slow
def test_the_field_itself_is_fitted():
    """Of a field at the sample that nobody measured: from the moment of a pair, `M(T)`, by its closed form."""
    kelvin, exchange, tesla = np.linspace(1.0, 12.0, 12), 6.0, 4.0

    def singlet_and_triplet(exchange, tesla):
        x, weight = 2 * BOHR_MAGNETON * tesla / (BOLTZMANN_CONSTANT * kelvin), np.exp(-exchange / kelvin)
        return 4 * weight * np.sinh(x) / (1 + weight * (1 + 2 * np.cosh(x)))

    def predict(parameters):
        pair = dimer(parameters["exchange"], 2.0, models.PLUS_J)
        return equilibrium.magnetisation(pair, parameters["field"], kelvin)

    limits = {"exchange": (0.5, 20.0), "field": (0.5, 9.0)}
    fit = fitting.fit_curve(predict, limits, singlet_and_triplet(exchange, tesla), np.full(kelvin.size, 1e-6), starts=4)
    np.testing.assert_allclose([fit.value["exchange"], fit.value["field"]], [exchange, tesla], rtol=1e-7)
    step = 1e-4
    slopes = [
        (singlet_and_triplet(exchange + i * step, tesla + j * step) - singlet_and_triplet(exchange, tesla)) / step
        for i, j in ((1, 0), (0, 1))
    ]
    expected = np.linalg.inv(np.array(slopes) @ np.transpose(slopes)) * 1e-6
    np.testing.assert_allclose(fit.minima[0].covariance, expected, rtol=1e-3)
