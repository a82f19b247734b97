"""Limits of infinite size against exact sums for many spins, closed forms, Legendre transforms and Maxwell's construction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import entr

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.ensembles import BlumeCapelLimit, PSpinLimit, microcanonical_beta

FIELD, CRYSTAL = 0.6, 0.47
FERROMAGNET, SPINS = PSpinLimit(1.3, FIELD), BlumeCapelLimit(CRYSTAL, 1.0)


def mapped(function, values):
    return np.asarray(jax.jit(jax.vmap(function))(jnp.asarray(values)))


def energies_of(limit):
    if isinstance(limit, BlumeCapelLimit):
        return np.linspace(*np.asarray(limit.energy_range()), 1001)[1:-1]
    return np.linspace(float(limit.ground_energy), -float(limit.ground_energy), 1001)[1:-1]


@pytest.fixture(scope="module", params=["p-spin", "Blume-Capel"])
def limit(request):
    """A model, energies, `s`, `beta` and the specific heat at them, and its transition."""
    model = FERROMAGNET if request.param == "p-spin" else SPINS
    e = energies_of(model)
    s, beta, heat = (mapped(f, e) for f in (model.entropy, model.beta, model.specific_heat))
    return model, e, s, beta, heat, model.transition()


@pytest.mark.slow
def test_canonical_is_the_legendre_transform_of_given_energy(limit):
    model, e, s, _, _, transition = limit
    for beta in float(transition.beta) * np.array([-0.7, 0.0, 0.5, 0.9, 1.0, 1.1]):
        found = float(model.log_partition(beta))
        assert abs(found - np.max(s - beta * e)) < 2e-5  # of a grid, and never below
        assert found >= np.max(s - beta * e) - 1e-14


@pytest.mark.slow
def test_transition_has_equal_areas(limit):
    model, e, s, _, _, transition = limit
    low, high = (float(x) for x in transition.energies)
    b = float(transition.beta)
    ends = [float(model.entropy(x)) for x in (low, high)]
    np.testing.assert_allclose(ends[1] - ends[0], b * (high - low), rtol=1e-12)  # Maxwell
    np.testing.assert_allclose([float(model.beta(x)) for x in (low, high)], b, rtol=1e-10)  # a common tangent
    inside = (e > low) & (e < high)
    below = ends[0] + b * (e - low) - s
    assert np.all(below[inside] > 0)
    assert np.all(below > -1e-14)
    np.testing.assert_allclose(float(transition.latent_heat), high - low, rtol=1e-14)
    step = 1e-4
    above, under = (mapped(model.log_partition, [b + x, b + x + step]) for x in (step, -2 * step))
    np.testing.assert_allclose((under[0] - under[1]) / step, high, rtol=2e-3)
    np.testing.assert_allclose((above[0] - above[1]) / step, low, rtol=2e-3)


def test_beta_is_the_slope_and_the_specific_heat_its_slope(limit):
    model, e, s, beta, heat, _ = limit
    edge = float(model.temperature_jump()[0])
    kept = np.abs(e[1:-1] - edge) > 2 * (e[1] - e[0])
    kept &= np.abs(e[1:-1] + edge) > 2 * (e[1] - e[0])
    kept &= (np.abs(e[1:-1] - np.mean(e)) < 0.46 * np.ptp(e)) & (np.abs(heat[1:-1]) > 1e-3)
    slope, curvature = (s[2:] - s[:-2]) / (e[2:] - e[:-2]), (beta[2:] - beta[:-2]) / (e[2:] - e[:-2])
    np.testing.assert_allclose(beta[1:-1][kept], slope[kept], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(curvature[kept], -(beta[1:-1][kept] ** 2) / heat[1:-1][kept], rtol=3e-3, atol=2e-6)
    np.testing.assert_allclose(mapped(jax.grad(model.entropy), e[50::100]), beta[50::100], rtol=1e-10)


def test_temperature_rises_as_energy_falls(limit):
    model, _, _, _, _, transition = limit
    energy, (below, above) = model.temperature_jump()
    assert transition.energies[0] < energy < transition.energies[1]
    assert max(below, transition.beta) < above
    if isinstance(model, PSpinLimit):
        np.testing.assert_allclose(above, 2 * below, rtol=1e-13)
        length = np.sqrt(4 * FIELD / (3 * np.sqrt(3) * 1.3))
        np.testing.assert_allclose(energy, -FIELD * length, rtol=1e-13)
    for side, expected in ((-1e-7, below), (1e-7, above)):
        np.testing.assert_allclose(float(model.beta(energy + side)), expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "make", "betas", "energies"),
    [
        (FERROMAGNET, lambda n: models.p_spin_spectrum(n, 1.3, FIELD), (0.4, 0.8, -0.6, 1.5), (-0.15, -0.6, -0.7, 0.3)),
        (SPINS, lambda n: models.blume_capel(n, CRYSTAL), (0.5, 3.0, 4.5, -1.0), (0.03, 0.09, 0.2, 0.4)),
    ],
)
def test_many_spins_have_these_free_energies_and_temperatures(limit, make, betas, energies):
    # ln Z_N = N phi + O(ln N), of which the difference of two sizes keeps O(1 / N)
    small, large = make(100), make(200)
    free = jax.jit(lambda s, beta: jg.log_partition(s, beta))
    for beta in betas:
        found = (float(free(large, beta)) - float(free(small, beta))) / 100
        assert abs(found - float(limit.log_partition(beta))) < 0.01
    width = 0.3
    for energy in energies:
        found = []
        for spectrum, sites in ((small, 100), (large, 200)):
            beta = float(_beta(spectrum, energy * sites, width * np.sqrt(sites)))
            found.append(beta - float(limit.beta(energy + beta * width**2)))  # a broadening has that mean energy
        assert abs(2 * found[1] - found[0]) < 0.02 * max(1, beta)


_beta = jax.jit(lambda spectrum, energy, width: microcanonical_beta(spectrum, energy, width))


def test_without_a_field_the_ferromagnet_is_counted_by_its_magnetisation():
    model = PSpinLimit(1.0, 0.0)
    m = np.array([0.2, 0.5, 0.7, 0.9, 0.99])
    np.testing.assert_allclose(mapped(model.entropy, -(m**3)), entr((1 + m) / 2) + entr((1 - m) / 2), rtol=1e-12)
    np.testing.assert_allclose(mapped(model.beta, -(m**3)), np.arctanh(m) / (3 * m**2), rtol=1e-11)
    # convex below the m of m / (1 - m^2) = 2 artanh m
    edge = brentq(lambda m: m / (1 - m**2) - 2 * np.arctanh(m), 0.5, 0.99)
    heats = mapped(model.specific_heat, -(np.array([edge - 0.01, edge + 0.01]) ** 3))
    assert heats[0] < 0 < heats[1]
    m = brentq(lambda m: entr((1 + m) / 2) + entr((1 - m) / 2) + np.arctanh(m) * m / 3 - np.log(2), 0.5, 0.9999)
    np.testing.assert_allclose(model.transition().beta, np.arctanh(m) / (3 * m**2), rtol=1e-12)
    np.testing.assert_allclose(model.transition().energies, [-(m**3), 0.0], atol=1e-12)
    assert np.all(np.isnan(model.temperature_jump()[1]))


def test_a_strong_field_has_no_transition():
    model = PSpinLimit(1.0, 1.31)
    assert np.isnan(model.transition().beta)
    assert np.isnan(model.temperature_jump()[0])
    np.testing.assert_allclose(model.entropy(-1.31 * 0.4), entr(0.7) + entr(0.3), rtol=1e-12)
    assert float(model.specific_heat(-0.8)) > 0


@pytest.mark.slow
def test_tricritical_points_of_the_two_ensembles():
    """Barre, Mukamel and Ruffo (2001): `D / K = ln(4) / 3`, `beta K = 3`; at given energy 0.4624 and 3.027."""

    def quartic(q):
        d = q * np.log(2 * (1 - q) / q)
        return -3 * q**2 + 6 * d * q * (1 - q) - 2 * d**2 * (1 - q)

    q = brentq(quartic, 0.3, 0.36, xtol=1e-15)
    edge = q * np.log(2 * (1 - q) / q)
    assert round(edge, 4) == 0.4624
    assert round(1 / q, 3) == 3.027
    jump = jax.jit(lambda d: BlumeCapelLimit(d).temperature_jump())
    near = jump(edge + 1e-5)
    np.testing.assert_allclose(near[1], 1 / q, atol=2e-3)
    assert np.isnan(jump(edge - 1e-9)[0])
    transition = jax.jit(lambda d: BlumeCapelLimit(d).transition())
    np.testing.assert_allclose(transition(np.log(4) / 3 + 1e-6).beta, 3.0, atol=1e-3)
    for without in (np.log(4) / 3 - 1e-9, 0.5, 0.7):
        assert np.isnan(transition(without).beta)
    between = BlumeCapelLimit(0.4622)  # first order with heat baths, continuous without, and a negative specific heat
    energies = np.linspace(0.1535, 0.1537, 21)
    heats = mapped(between.specific_heat, energies)
    assert np.min(heats) < 0
    assert np.max(np.abs(np.diff(mapped(between.beta, energies)))) < 1e-3
    assert transition(0.4622).latent_heat > 1e-4


@pytest.mark.parametrize("crystal", [-0.3, 0.0, 0.2, 0.7])
def test_entropies_are_the_largest_on_a_fine_grid(crystal):
    model = BlumeCapelLimit(crystal)
    q = np.linspace(0, 1, 200001)
    energies = np.linspace(*np.asarray(model.energy_range()), 12)
    found = mapped(model.entropy, energies)
    for e, s in zip(energies, found, strict=True):
        square = 2 * (crystal * q - e)
        allowed = (square >= -1e-12) & (square <= q**2 + 1e-12)
        m = np.sqrt(np.maximum(square, 0))
        on_grid = np.max(np.where(allowed, entr(1 - q) + entr((q + m) / 2) + entr(np.maximum(q - m, 0) / 2), -1))
        assert on_grid - 1e-12 < s < on_grid + 1e-4


@pytest.mark.parametrize(
    ("value", "at", "twice"),
    [
        (lambda x: PSpinLimit(1.0, x).transition().beta, 0.6, False),
        (lambda x: PSpinLimit(1.0, x).entropy(-0.7), 0.6, True),
        (lambda x: BlumeCapelLimit(x).transition().latent_heat, 0.48, False),
        (lambda x: BlumeCapelLimit(x).temperature_jump()[1][0], 0.48, False),
        (lambda x: BlumeCapelLimit(0.47, x).log_partition(4.0), 1.0, True),
    ],
)
def test_derivatives_in_the_parameters_are_differences(value, at, twice):
    h = 1e-4
    first = jax.jit(jax.value_and_grad(value))
    (plus, above), (_, slope), (minus, below) = (first(at + step) for step in (h, 0, -h))
    np.testing.assert_allclose(slope, (plus - minus) / (2 * h), rtol=1e-4)
    if twice:
        np.testing.assert_allclose(jax.jit(jax.grad(jax.grad(value)))(at), (above - below) / (2 * h), rtol=1e-4)


def test_refusals():
    with pytest.raises(ValueError, match="`coupling` must be positive and `transverse_field` not negative"):
        PSpinLimit(-1.0)
    with pytest.raises(ValueError, match=r"`energy` must be in \[-e, e\]"):
        FERROMAGNET.entropy(-5.0)
    with pytest.raises(ValueError, match="`coupling` must be positive"):
        BlumeCapelLimit(0.4, 0.0)
    with pytest.raises(ValueError, match=r"`energy` must be from -0\.03 to 0\.47"):
        SPINS.beta(0.6)
    with pytest.raises(ValueError, match="`crystal_field` must be a real scalar"):
        BlumeCapelLimit(jnp.ones(2))
    assert np.isnan(jax.jit(lambda e: SPINS.entropy(e))(0.6))
    assert np.isnan(jax.jit(lambda e: FERROMAGNET.entropy(e))(5.0))
    assert np.isnan(jax.jit(lambda k: BlumeCapelLimit(0.4, k).log_partition(1.0))(-1.0))
