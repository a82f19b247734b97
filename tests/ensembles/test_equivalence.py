"""The report on equivalence against closed forms, dense states, and limits of infinite size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.ensembles import (
    EQUIVALENCE,
    PSpinLimit,
    boltzmann_entropy,
    entropy_curve,
    equivalence,
    gaussian_state,
)
from jaxgibbs.operators import Spectrum

EPS = np.finfo(float).eps
curve_of = jax.jit(lambda spectrum, width: entropy_curve(spectrum, width))


def free_spins(n):
    """`n` spins of energy +-1/2."""
    up = np.arange(n + 1)
    logs = np.cumsum(np.concatenate([[0.0], np.log((n - up[:-1]) / up[1:])]))
    return Spectrum(up - n / 2.0, logs)


def shaped(n, dent):
    """A spectrum of the entropy `n (1 - e^2) / 2` with a dent at `e = 0.3`."""
    e = np.linspace(-1, 1, 8 * n + 1)
    return Spectrum(n * e, n * (1 - e**2) / 2 - dent * np.exp(-((e - 0.3) ** 2) / (2 * 0.05**2)))


# -- reports ------------------------------------------------------------------------------------------------------------


def test_free_spins_are_equivalent_and_fluctuate_as_one_over_root_n():
    sizes, e = (50, 100, 400), -0.3
    spins = [free_spins(n) for n in sizes]
    report = equivalence(
        spins, sizes, e, observables={"e^2": [(s.levels / n) ** 2 for s, n in zip(spins, sizes, strict=True)]}
    )
    assert report.verdict == EQUIVALENCE.equivalent
    assert report.is_equivalent
    n = np.array(sizes)
    np.testing.assert_allclose(report.canonical_betas, np.log(0.8 / 0.2), rtol=1e-12)
    np.testing.assert_allclose(report.canonical_entropies, -0.8 * np.log(0.8) - 0.2 * np.log(0.2), rtol=1e-12)
    np.testing.assert_allclose(report.fluctuations, np.sqrt(0.2 * 0.8 / n), rtol=1e-12)
    np.testing.assert_allclose(report.fluctuation_exponent, -0.5, rtol=1e-12)
    np.testing.assert_allclose(report.canonical_specific_heats, np.log(4) ** 2 * 0.16, rtol=1e-12)
    assert np.all(np.abs(report.betas - np.log(4)) < 1.5 / n)
    assert np.all(np.abs(report.specific_heats / report.canonical_specific_heats - 1) < 3 / n)
    assert np.all(np.abs(report.differences["e^2"]) < 0.17 / n)
    # both are nearly Gaussian, of variances v and v w^2 / (v + w^2), and energies are the same
    v, w = 0.16, 0.2
    ratio = 1 / (1 + v / w**2)
    distance = 0.5 * (ratio - 1 - np.log(ratio))
    np.testing.assert_allclose(report.relative_entropies * n, distance, rtol=0.02)
    assert np.all(report.depths == 0)
    assert np.isnan(report.coexistence.beta)
    assert "concave at all energies" in str(report)


@pytest.mark.slow
def test_matrices_are_compared_by_their_states():
    sizes, e = (3, 5), -0.2
    chains = [models.xxz_chain(n, 1.0, 0.4, field=0.3) for n in sizes]
    bonds = [np.diag([(1 - 2 * (k >> 1 & 1)) * (1.0 - 2 * (k & 1)) for k in range(2**n)]) for n in sizes]
    report = equivalence(chains, sizes, e, width=[0.7, 0.9], observables={"zz": bonds})
    for k, (n, w) in enumerate(zip(sizes, (0.7, 0.9), strict=True)):
        canonical = jg.gibbs_state(chains[k], report.canonical_betas[k])
        given = gaussian_state(chains[k], n * e - float(report.betas[k]) * w**2, w)
        for state, entropy in ((canonical, report.canonical_entropies[k]), (given, report.entropies[k])):
            np.testing.assert_allclose(state.energy, n * e, atol=1e-12)
            np.testing.assert_allclose(state.entropy / n, entropy, atol=1e-12)
        distance = jg.information.relative_entropy(given.density_matrix(), canonical.density_matrix())
        np.testing.assert_allclose(report.relative_entropies[k] * n, distance, rtol=1e-10)
        found = given.expectation(bonds[k]) - canonical.expectation(bonds[k])
        np.testing.assert_allclose(report.differences["zz"][k], found, atol=1e-12)
        np.testing.assert_allclose(
            report.fluctuations[k] * n, canonical.heat_capacity**0.5 / canonical.beta, rtol=1e-10
        )
    assert "d<zz>" in str(report)
    alone = equivalence(chains, sizes, e, width=[0.7, 0.9])
    np.testing.assert_allclose(alone.betas, report.betas, rtol=1e-10)


@pytest.mark.slow
def test_three_spin_interactions_are_not_equivalent():
    sizes, limit = (60, 120), PSpinLimit(1.3, 0.6)
    spectra = [models.p_spin_spectrum(n, 1.3, 0.6) for n in sizes]
    e, transition = -0.6, limit.transition()
    report = equivalence(spectra, sizes, e)
    assert report.verdict == EQUIVALENCE.inequivalent
    assert not report.is_equivalent
    np.testing.assert_allclose(report.coexistence.beta, transition.beta, rtol=5e-3)
    np.testing.assert_allclose(report.coexistence.energies, transition.energies, atol=0.05)
    np.testing.assert_allclose(report.canonical_betas[-1], transition.beta, rtol=0.02)
    np.testing.assert_allclose(report.betas[-1], limit.beta(e), rtol=0.05)
    assert report.specific_heats[-1] < 0 < report.canonical_specific_heats[-1]
    assert report.fluctuation_exponent > -0.05
    # D / N is the distance of s(e) from its hull
    gap = float(limit.log_partition(transition.beta) + transition.beta * e - limit.entropy(e))
    distances = report.relative_entropies * np.array(sizes)
    np.testing.assert_allclose((distances[1] - distances[0]) / 60, gap, rtol=0.1)
    assert "Maxwell: beta = 0.54" in str(report)
    outside = equivalence(spectra, sizes, -0.1)
    assert outside.verdict == EQUIVALENCE.elsewhere
    assert outside.is_equivalent
    np.testing.assert_allclose(outside.coexistence.energies, report.coexistence.energies)
    np.testing.assert_allclose(outside.fluctuation_exponent, -0.5, atol=0.05)


def test_a_part_that_does_not_grow_is_no_verdict():
    sizes = (100, 400)
    surface = equivalence([shaped(n, 0.5 * n**0.5) for n in sizes], sizes, 0.3)
    assert surface.verdict == EQUIVALENCE.undecided
    assert 0.4 < np.log(surface.depths[1] / surface.depths[0]) / np.log(4) < 0.8
    bulk = equivalence([shaped(n, 0.05 * n) for n in sizes], sizes, 0.3)
    assert bulk.verdict == EQUIVALENCE.inequivalent
    # one peak at the first size, of another system at the second: entropies of relation grow without a convex part
    strange = equivalence([shaped(n, 0) for n in sizes], sizes, 0.3, width=[30.0, 0.3])
    assert strange.verdict == EQUIVALENCE.undecided


# -- curves -------------------------------------------------------------------------------------------------------------


def test_curve_is_the_density_of_states_without_its_width():
    spins, w = free_spins(40), 1.5
    curve = curve_of(spins, w)
    center = curve.energies - w**2 * curve.betas
    for k in (100, 256, 400):
        smooth = boltzmann_entropy(spins, center[k], w)
        np.testing.assert_allclose(curve.entropies[k], smooth + (w * curve.betas[k]) ** 2 / 2, rtol=1e-12)
    u, inner = curve.energies, slice(1, -1)
    middle = np.abs(u[inner]) < 15
    for found, of in ((curve.betas, curve.entropies), (curve.curvatures, curve.betas)):
        slope = (of[2:] - of[:-2]) / (u[2:] - u[:-2])
        np.testing.assert_allclose(found[inner][middle], slope[middle], rtol=1e-3, atol=1e-3)
    assert np.all(curve.heat_capacities[inner][middle] >= 0)
    assert np.all(curve.depths() == 0)
    assert curve.convex_parts() == []
    np.testing.assert_allclose(u[256], 0, atol=1e-12)
    assert np.max(np.abs(curve.entropies + np.log(np.sqrt(2 * np.pi) * w) - np.log(2.0) * 40)[256]) < 3


def test_hull_of_two_parabolas_has_their_common_tangent():
    slope = 0.3
    x = np.linspace(-2, 2, 4001)
    n = 200.0
    s = np.maximum(-((x + 1) ** 2), slope * x - (x - 1) ** 2)
    curve = curve_of(Spectrum(n * x, n * s), 0.3)
    (part,) = curve.convex_parts(0.1)
    # a line of slope t touches at -1 - t/2, at the height t + t^2/4 on the axis, and at 1 + (slope - t)/2, likewise
    t = slope / 2
    np.testing.assert_allclose(part.beta, t, rtol=1e-4)
    np.testing.assert_allclose(part.energies / n, [-1 - t / 2, 1 + (slope - t) / 2], atol=0.01)
    np.testing.assert_allclose(part.latent_heat, part.energies[1] - part.energies[0])


# -- what is refused ----------------------------------------------------------------------------------------------------


def test_refusals():
    spins = [free_spins(n) for n in (4, 8)]
    with pytest.raises(ValueError, match="`sizes` must hold the number of sites of each Hamiltonian, of two at least"):
        equivalence(spins[:1], (4,), 0.1)
    with pytest.raises(ValueError, match="must be positive and ascend"):
        equivalence(spins, (8, 4), 0.1)
    with pytest.raises(
        ValueError, match=r"between the least and the largest level per site, -0\.5 and 0\.5 of 4 sites"
    ):
        equivalence(spins, (4, 8), -1.0)
    with pytest.raises(ValueError, match="`energy` must be a finite number"):
        equivalence(spins, (4, 8), np.nan)
    for width in (0.0, [1.0, -1.0], [[1.0]], np.inf):
        with pytest.raises(ValueError, match="`width` must be positive, one number or one for each size"):
            equivalence(spins, (4, 8), 0.1, width=width)
    with pytest.raises(ValueError, match="one of `n` for each of the 2 sizes"):
        equivalence(spins, (4, 8), 0.1, observables={"n": [spins[0].levels]})
    with pytest.raises(ValueError, match=r"shape \(5,\), but `n` has \(2,\)"):
        equivalence(spins, (4, 8), 0.1, observables={"n": [np.ones(2), np.ones(9)]})
    with pytest.raises(ValueError, match=r"must have the shapes of the Hamiltonians, but `n` has \(2, 2\)"):
        equivalence([np.diag([0.0, 1.0, 2]), np.diag(np.arange(4.0))], (2, 3), 0.3, observables={"n": [np.eye(2)] * 2})
    with pytest.raises(ValueError, match="call it outside `jit`"):
        jax.jit(lambda e: equivalence(spins, (4, 8), e).betas)(0.1)
    with pytest.raises(ValueError, match="`width` must be positive"):
        entropy_curve(spins[0], 0.0)
    with pytest.raises(ValueError, match="`points` must be at least 3"):
        entropy_curve(spins[0], 1.0, points=2)
    with pytest.raises(ValueError, match="find it outside `jit`"):
        jax.jit(lambda w: entropy_curve(spins[0], w).depths())(1.0)


def test_single_precision_is_kept():
    spectra = [
        Spectrum(jnp.asarray(s.levels, jnp.float32), s.log_degeneracies) for s in (free_spins(8), free_spins(16))
    ]
    report = equivalence(spectra, (8, 16), -0.2)
    assert report.betas.dtype == report.energy.dtype == report.depths.dtype == jnp.float32
