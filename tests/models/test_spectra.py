"""Spectra: boxes, rotors and power laws against mpmath, the errors of infinite systems, and how many levels are enough."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs._errors import ContinuousSpectrum, NotTraceClass, TruncationNotConverged, UnboundedAbove


def test_box_is_a_theta_function_and_its_pressure_is_twice_the_energy_density():
    beta, length, mass = 0.4, 1.9, 0.7
    with mpmath.workdps(30):
        nome = mpmath.exp(-beta * mpmath.pi**2 / (2 * mpmath.mpf(mass) * mpmath.mpf(length) ** 2))
        exact = float(mpmath.log((mpmath.jtheta(3, 0, nome) - 1) / 2))
    state = jg.gibbs_state(models.particle_in_box(length, mass), beta)
    np.testing.assert_allclose(state.log_partition, exact, rtol=1e-13)
    pressure = -jax.jit(jax.grad(lambda x: jg.free_energy(models.particle_in_box(x, mass), beta)))(length)
    np.testing.assert_allclose(pressure, 2 * state.energy / length, rtol=1e-12)


def test_oscillator_reaches_equipartition_and_freezes():
    state = jg.gibbs_state(models.oscillator(1.0), 1e3)
    np.testing.assert_allclose(state.energy, 0.5, rtol=1e-15)
    hot = jg.gibbs_state(models.oscillator(1.0, levels=8192), 0.01)
    np.testing.assert_allclose(hot.heat_capacity, 1 - 1e-4 / 12, rtol=1e-8)


@pytest.mark.parametrize("exponent", [0.7, 1.0, 4 / 3, 3])
def test_power_law_against_mpmath(exponent):
    beta, scale = 0.9, 1.1
    levels = models.enough_levels(lambda n: models.power_law(scale, exponent, levels=n), beta, tolerance=1e-15)
    with mpmath.workdps(25):
        terms = (mpmath.exp(-beta * scale * mpmath.mpf(k) ** mpmath.mpf(exponent)) for k in range(1, 2 * levels))
        exact = float(mpmath.log(mpmath.fsum(terms)))
    found = jg.log_partition(models.power_law(scale, exponent, levels=levels), beta)
    np.testing.assert_allclose(found, exact, rtol=1e-13, atol=1e-13)


def test_logarithmic_levels_are_the_zeta_function_above_beta_one():
    beta = 14.0
    found = jg.gibbs_state(models.logarithmic_spectrum(), beta)
    np.testing.assert_allclose(found.log_partition, float(mpmath.log(mpmath.zeta(beta))), rtol=1e-9)
    np.testing.assert_allclose(found.energy, float(-mpmath.zeta(beta, derivative=1) / mpmath.zeta(beta)), rtol=1e-9)
    for critical in (1.0, 0.7):
        with pytest.raises(NotTraceClass, match="= 1 of the"):
            jg.gibbs_state(models.logarithmic_spectrum(), critical).log_partition  # noqa: B018
    with pytest.raises(TruncationNotConverged):
        jg.gibbs_state(models.logarithmic_spectrum(), 1.5).log_partition  # noqa: B018
    with pytest.raises(NotTraceClass, match=r"= 0\.5 of the"):
        jg.log_partition(models.logarithmic_spectrum(2.0), 0.5)


def test_hydrogen_has_no_gibbs_state():
    hydrogen = models.hydrogen()
    np.testing.assert_allclose(hydrogen.levels[:2], [-0.5, -0.125])
    np.testing.assert_allclose(jnp.exp(hydrogen.log_degeneracies[:3]), [1, 4, 9])
    for beta in (0.1, 100.0, -1.0):
        with pytest.raises(ContinuousSpectrum, match="accumulate below a continuum"):
            jg.log_partition(hydrogen, beta)
    assert jnp.isnan(jax.jit(jg.log_partition)(hydrogen, 1.0))


@pytest.mark.parametrize("build", [models.oscillator, models.particle_in_box, models.rotor])
def test_no_temperature_but_a_positive_one(build):
    for beta in (0.0, -0.3):
        with pytest.raises(UnboundedAbove):
            jg.log_partition(build(1.0), beta)
        assert jnp.isnan(jax.jit(jg.log_partition)(build(1.0), beta))
    with pytest.raises(TruncationNotConverged, match="keep more levels"):
        jg.log_partition(build(1.0, levels=4), 0.1)
    assert jnp.isnan(jax.jit(jg.log_partition)(build(1.0, levels=4), 0.1))


@pytest.mark.parametrize("beta", [0.02, 0.5, 3.0])
def test_ortho_and_para_add_up(beta):
    both = models.rotor(1.0, even_weight=1, odd_weight=3)
    para = models.rotor(1.0, even_weight=1, odd_weight=0)
    ortho = models.rotor(1.0, even_weight=0, odd_weight=3)
    assert ortho.levels[0] == 2.0
    assert para.levels[1] == 6.0
    total = jnp.logaddexp(jg.log_partition(para, beta), jg.log_partition(ortho, beta))
    np.testing.assert_allclose(jg.log_partition(both, beta), total, rtol=1e-13)
    # At high temperature three in four molecules are ortho.
    if beta == 0.02:
        np.testing.assert_allclose(jnp.exp(jg.log_partition(ortho, beta) - total), 0.75, rtol=1e-12)


def test_high_temperature_rotor_is_classical():
    # Mulholland: Z = 1/t + 1/3 + t/15 + 4 t^2 / 315 + ..., t = beta B
    t = 0.01
    found = jnp.exp(jg.log_partition(models.rotor(1.0), t))
    np.testing.assert_allclose(found, 1 / t + 1 / 3 + t / 15 + 4 * t**2 / 315, rtol=1e-8)


def test_nuclear_spin_weights():
    assert models.nuclear_spin_weights(0.5) == (1, 3)  # H2
    assert models.nuclear_spin_weights(1) == (6, 3)  # D2
    assert models.nuclear_spin_weights(0) == (1, 0)
    for spin in (0, 0.5, 1, 1.5, 2):
        assert sum(models.nuclear_spin_weights(spin)) == (2 * spin + 1) ** 2


def top_sum(axial, transverse, beta, weights=(1,), last=150):
    return sum(
        weights[k % len(weights)]
        * (2 * j + 1)
        * np.exp(-beta * (transverse * j * (j + 1) + (axial - transverse) * k * k))
        for j in range(last)
        for k in range(-j, j + 1)
    )


@pytest.mark.parametrize(("axial", "transverse"), [(0.9, 0.25), (0.4, 0.7)])
def test_symmetric_tops_are_their_sums_and_their_classical_limits(axial, transverse):
    weights = models.spin_weights_of_ring(0.5)
    for beta in (0.05, 2.0):
        found = jg.log_partition(models.symmetric_top(axial, transverse, weights=weights), beta)
        np.testing.assert_allclose(found, np.log(top_sum(axial, transverse, beta, weights)), rtol=1e-13)
    # of three protons, symmetry number 3: 8 / 3 of the classical number of states, with the first quantum correction
    errors = []
    for t in (0.02, 0.01):
        top = models.symmetric_top(axial, transverse, weights=weights)
        classical = 8 / 3 * np.sqrt(np.pi / (axial * transverse**2)) * t**-1.5
        first = t * (4 * transverse - transverse**2 / axial) / 12
        errors.append(float(jnp.exp(jg.log_partition(top, t)) / classical - 1 - first))
    np.testing.assert_allclose(errors[0] / errors[1], 4, rtol=0.05)  # of second order
    # the two species without each other: the lowest state of the second turns about the axis
    species = [models.symmetric_top(axial, transverse, weights=w) for w in ((4, 0, 0), (0, 2, 2))]
    np.testing.assert_allclose([s.levels.min() for s in species], [0, axial + transverse], rtol=1e-14)
    apart = jnp.logaddexp(*(jg.log_partition(s, 0.3) for s in species))
    both = jg.log_partition(models.symmetric_top(axial, transverse, weights=weights), 0.3)
    np.testing.assert_allclose(apart, both, rtol=1e-13)


def test_spherical_top_is_a_symmetric_one_of_equal_constants():
    top, beta = models.spherical_top(0.3, weights=16 / 12), 0.02
    other = models.symmetric_top(0.3, 0.3, weights=(16 / 12,))
    np.testing.assert_allclose(jg.log_partition(top, beta), jg.log_partition(other, beta), rtol=1e-14)
    # by theta functions Z = e^{x / 4} sqrt(pi) x^{-3/2} with x = beta B, up to exponentially small terms
    x = 0.3 * beta
    np.testing.assert_allclose(
        jnp.exp(jg.log_partition(top, beta)), 16 / 12 * np.exp(x / 4) * np.sqrt(np.pi) * x**-1.5, rtol=1e-12
    )
    np.testing.assert_allclose(jg.heat_capacity(top, beta), 1.5, rtol=1e-12)
    with pytest.raises(TruncationNotConverged, match="keep more levels"):
        jg.log_partition(top, 1e-4)
    # more can be kept, of a diatomic too
    np.testing.assert_allclose(jg.heat_capacity(models.spherical_top(0.3, levels=2048), 1e-4), 1.5, rtol=1e-9)
    with pytest.raises(TruncationNotConverged):
        jg.log_partition(models.diatomic(1e-3, 0.5), 0.02)
    hot = models.diatomic(1e-3, 0.5, levels=2048, vibrational_levels=8192)
    np.testing.assert_allclose(jg.heat_capacity(hot, 0.02), 2 - 1e-4 / 12, rtol=1e-8)


def test_spin_weights_of_rings():
    assert models.spin_weights_of_ring(0.5) == (4, 2, 2)  # CH3Cl
    assert models.spin_weights_of_ring(1) == (11, 8, 8)  # CD3Cl
    assert models.spin_weights_of_ring(0.5, 2) == models.nuclear_spin_weights(0.5)  # H2: a turn by pi is (-1)^j there
    assert models.spin_weights_of_ring(1, 2) == models.nuclear_spin_weights(1)
    # of many, from the turn as a matrix on the spin states
    for spin, count in ((0.5, 4), (0.5, 6), (1, 4), (0.5, 5)):
        size = int(2 * spin + 1)
        states = np.indices((size,) * count).reshape(count, -1)
        turned = np.ravel_multi_index(tuple(np.roll(states, 1, axis=0)), (size,) * count)
        values = np.linalg.eigvals(np.eye(size**count)[turned] * (-1.0 if size % 2 == 0 and count % 2 == 0 else 1.0))
        found = np.round(np.angle(values) * count / (2 * np.pi)).astype(int) % count
        assert models.spin_weights_of_ring(spin, count) == tuple(np.bincount(found, minlength=count))


def test_spin_weights_of_tetrahedra():
    weights = np.array(models.spin_weights_of_tetrahedron(0.5, 30))
    # methane: spin 2 with A, 0 with E, 1 with F, and how often they occur up to J = 4: A, F, E + F, A + 2 F, A + E + 2 F
    np.testing.assert_allclose(weights[:5] * np.arange(1, 10, 2), [5, 3, 2 + 3, 5 + 6, 5 + 2 + 6], rtol=1e-14)
    assert models.spin_weights_of_tetrahedron(0, 7)[:4] == (1, 0, 0, 1 / 7)  # one of J = 3 only, none of 1 and 2
    top = models.spherical_top(1.0, weights=models.spin_weights_of_tetrahedron(0))
    np.testing.assert_allclose(top.levels[:3], [0, 12, 20])
    hot = [jg.log_partition(models.spherical_top(1.0, weights=w), 0.01) for w in (weights[:30], 16 / 12)]
    np.testing.assert_allclose(hot[0], hot[1], rtol=1e-3)
    long = models.spherical_top(1.0, weights=models.spin_weights_of_tetrahedron(0.5))
    np.testing.assert_allclose(jg.log_partition(long, 0.02), hot_limit(0.02), rtol=1e-12)


def hot_limit(x):
    """Of methane up to exponentially small terms, of which those of `chi_J` are, as they alternate."""
    return np.log(16 / 12 * np.exp(x / 4) * np.sqrt(np.pi) * x**-1.5)


@pytest.mark.parametrize(
    ("rotation", "vibrations", "others", "known"),
    [
        (
            lambda: models.spherical_top(5.241, weights=models.spin_weights_of_tetrahedron(0.5)),
            {1306: 3, 1533: 2},
            1,
            590.48,
        ),
        (
            lambda: models.symmetric_top(5.205, 0.4434, weights=models.spin_weights_of_ring(0.5)),
            {733: 1, 1018: 2, 1355: 1, 1452: 2},
            4,
            57916.0,
        ),
        (
            lambda: models.symmetric_top(6.196, 9.944, weights=models.spin_weights_of_ring(0.5)),
            {950: 1, 1627: 2},
            3,
            1725.2,
        ),
    ],
    ids=["CH4", "CH3Cl", "NH3"],
)
def test_partition_functions_of_hitran(rotation, vibrations, others, known):
    """At 296 K, constants in 1/cm; the rest is centrifugal distortion, anharmonicity, and inversion."""
    beta = 1 / (296 * 0.6950348)
    vibrating = np.prod([(1 - np.exp(-beta * w)) ** -g for w, g in vibrations.items()])
    np.testing.assert_allclose(others * vibrating * jnp.exp(jg.log_partition(rotation(), beta)), known, rtol=5e-3)


def test_level_scheme():
    scheme = models.level_scheme([3, 0, 1], [1, 2, 5])
    np.testing.assert_allclose(jg.log_partition(scheme, 0.0), np.log(8))
    np.testing.assert_allclose(jg.log_partition(scheme, -2.0), np.log(np.exp(6) + 2 + 5 * np.exp(2)), rtol=1e-14)
    assert models.level_scheme(jnp.float32([0, 1]), [1, 2]).log_degeneracies.dtype == jnp.float32
    with pytest.raises(ValueError, match="`degeneracies` must be positive"):
        models.level_scheme([0.0, 1.0], [1, 0])
    with pytest.raises(ValueError, match="`log_degeneracies` must have the shape"):
        models.level_scheme([0.0, 1.0], [1, 2, 3])


def test_enough_levels():
    levels = models.enough_levels(lambda n: models.oscillator(0.3, levels=n), 0.1)
    assert levels == 2048
    jg.log_partition(models.oscillator(0.3, levels=levels), 0.1)
    with pytest.raises(TruncationNotConverged, match="`most` must be enough levels"):
        models.enough_levels(lambda n: models.oscillator(0.3, levels=n), 1e-4, most=1000)
    with pytest.raises(UnboundedAbove):
        models.enough_levels(lambda n: models.oscillator(0.3, levels=n), -1.0)
    with pytest.raises(ContinuousSpectrum):
        models.enough_levels(lambda n: models.hydrogen(levels=n), 1.0)
    with pytest.raises(ValueError, match="gives a finite one"):
        models.enough_levels(lambda n: models.level_scheme(np.arange(n)), 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.oscillator(-1.0), "`frequency` must be positive"),
        (lambda: models.oscillator(1.0, levels=0), "`levels` must be a whole number"),
        (lambda: models.particle_in_box(0), "`length` must be positive"),
        (lambda: models.particle_in_box(1.0, np.nan), "`mass` must be positive"),
        (lambda: models.rotor(1.0, even_weight=0, odd_weight=0), "one of them positive"),
        (lambda: models.rotor(1.0, even_weight=-1), "must be at least 0"),
        (lambda: models.rotor([1.0]), "`rotational_constant` must be a real scalar"),
        (lambda: models.power_law(1.0, 0.0), "`exponent` must be positive"),
        (lambda: models.hydrogen(-1.0), "`rydberg` must be positive"),
        (lambda: models.nuclear_spin_weights(0.2), "`spin` must be one of"),
        (lambda: models.symmetric_top(1.0, -1.0), "`transverse_constant` must be positive"),
        (lambda: models.symmetric_top(1.0, 1.0, weights=(0, -1)), "`weights` must be numbers of at least 0"),
        (lambda: models.symmetric_top(1.0, 1.0, weights=(4, 2, 1)), "`weights` must be equal for `K` and `-K`"),
        (lambda: models.symmetric_top(1.0, 1.0, weights=(0, 1, 1), levels=1), "must reach a level of positive weight"),
        (lambda: models.spherical_top(1.0, weights=0), "`weights` must be numbers of at least 0"),
        (lambda: models.spin_weights_of_ring(0.5, 1), "`count` must be at least 2"),
    ],
)
def test_wrong_input_is_refused_with_its_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
def test_integers_are_floats_and_gradients_flow():
    assert models.oscillator(1).dtype == jnp.float64
    gradient = jax.jit(jax.vmap(jax.grad(lambda w: jg.log_partition(models.oscillator(w), 2.0))))(jnp.array([0.5, 1.0]))
    np.testing.assert_allclose(gradient, -1 / np.tanh([0.5, 1.0]), rtol=1e-12)
    third = jax.jit(jax.grad(jax.grad(jax.grad(lambda b: jg.log_partition(models.rotor(1.0), b)))))(0.7)
    j = np.arange(40)
    p = (2 * j + 1) * np.exp(-0.7 * j * (j + 1.0))
    e = j * (j + 1.0)
    mean = (p @ e) / p.sum()
    np.testing.assert_allclose(third, -(p @ (e - mean) ** 3) / p.sum(), rtol=1e-10)


@pytest.mark.parametrize("sites", [1, 2, 7])
def test_hopping_modes_diagonalise_the_hopping_matrix(sites):
    energies, orbitals = models.hopping_chain_modes(sites, -0.8, 0.3)
    matrix = 0.3 * np.eye(sites) - 0.8 * (np.eye(sites, k=1) + np.eye(sites, k=-1))
    np.testing.assert_allclose(orbitals.T @ orbitals, np.eye(sites), atol=1e-14)
    np.testing.assert_allclose(matrix @ orbitals, orbitals * energies, atol=1e-14)


def test_xx_modes_are_the_one_magnon_levels():
    sites, j, h = 5, 0.9, 0.35
    energies, orbitals = models.xx_chain_modes(sites, j, h)
    matrix = np.asarray(models.xx_chain(sites, j, h).to_dense())
    flipped = [1 << (sites - 1 - i) for i in range(sites)]  # site i down (index 1), the others up
    block = matrix[np.ix_(flipped, flipped)] - matrix[0, 0] * np.eye(sites)
    np.testing.assert_allclose(block @ orbitals, orbitals * energies, atol=1e-14)
    np.testing.assert_allclose(matrix[0, 0], -h * sites / 2)
