"""Detailed balance: generators that have it, generators that do not, and what can be told apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from thermal_generators import (
    coupling,
    davies,
    gaussian_filtered,
    hopping,
    merry_go_round,
    one_jump,
    reference_residual,
)

import jaxgibbs as jg
from jaxgibbs import diagnostics, symmetry
from jaxgibbs.diagnostics import BKM, GNS, KMS, VERDICTS, WEIGHTS

LEVELS = np.array([0.0, 0.7, 1.9])
COUPLING = coupling(np.random.default_rng(0), 3)
BETA = 2.0
THERMAL = davies(LEVELS, COUPLING, BETA)


def gibbs(levels, beta):
    weights = np.exp(-beta * (levels - levels.min()))
    return np.diag(weights / weights.sum())


def rotated(generator, seed=1):
    """The same generator in a random basis, and its basis."""
    rng = np.random.default_rng(seed)
    u = np.linalg.qr(rng.normal(size=(generator.dim,) * 2) + 1j * rng.normal(size=(generator.dim,) * 2))[0]

    def turn(matrix):
        return u @ np.asarray(matrix) @ u.conj().T

    hamiltonian = turn(generator.hamiltonian_matrix())
    jumps = [turn(jump) for jump in generator.jump_operators]
    return jg.Lindbladian((hamiltonian + hamiltonian.conj().T) / 2, jumps, generator.rates), u


def with_rate(generator, number, factor):
    """One rate changed by a factor."""
    rates = np.array(generator.rates)
    rates[number] *= factor
    return jg.Lindbladian(generator.hamiltonian_matrix(), np.asarray(generator.jump_operators), rates)


# -- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [1.5, 0.6])
def test_residuals_are_those_of_the_written_out_matrices(beta):
    generator, u = rotated(one_jump(LEVELS, COUPLING, BETA))
    sigma = u @ gibbs(LEVELS, beta) @ u.conj().T
    report = jg.detailed_balance(generator, sigma)
    # What commutes with this state is the diagonal of the Hamiltonian with traceless jumps, in the basis of the state.
    one = np.eye(3)
    heisenberg = np.asarray(generator.to_dense()).conj().T.reshape(3, 3, 3, 3)
    partial = np.einsum("jijk->ik", heisenberg)
    h = (partial - partial.conj().T) / 6j
    h = u @ np.diag(np.diag(u.conj().T @ h @ u)) @ u.conj().T
    h = h - np.trace(h) / 3 * one
    for k, s in enumerate((0, 0.25, 0.5, 1, None)):
        assert report.residuals[k] == pytest.approx(reference_residual(generator, sigma, s, h), abs=1e-12)
        assert report.full_residuals[k] == pytest.approx(reference_residual(generator, sigma, s), abs=1e-12)
    image = generator(sigma)
    assert report.stationarity == pytest.approx(np.linalg.norm(image) / np.linalg.norm(generator.to_dense()), abs=1e-12)


def test_the_commutator_is_never_self_adjoint():
    report = jg.detailed_balance(THERMAL, beta=BETA)
    assert np.all(report.residuals < 1e-14)
    assert np.all(report.full_residuals > 0.1)


@pytest.mark.parametrize("lamb", [0.0, 0.4])
@pytest.mark.parametrize("beta", [BETA, 0.0, -1.0])
def test_davies_generators_are_balanced_for_every_weight_in_every_basis(beta, lamb):
    """With a Lamb shift too: it commutes with the Hamiltonian that the temperature belongs to."""
    generator = davies(LEVELS, COUPLING, beta, lamb=lamb)
    turned, u = rotated(generator)
    bare = u @ np.diag(LEVELS) @ u.conj().T
    for one, hamiltonian in ((generator, np.diag(LEVELS)), (turned, (bare + bare.conj().T) / 2)):
        report = jg.detailed_balance(one, beta=beta, hamiltonian=hamiltonian)
        assert report.verdict == VERDICTS.balanced
        assert np.all(report.residuals < 1e-12)
        assert np.all(report.floors < 1e-12)


@pytest.mark.parametrize("levels", [[0.0, 1.0, 2.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]], ids=str)
def test_ladders_and_degenerate_levels_are_balanced(levels):
    generator, _ = rotated(davies(levels, COUPLING, BETA))
    report = jg.detailed_balance(generator, beta=BETA)
    assert report.verdict == VERDICTS.balanced
    assert np.all(report.residuals < 1e-12)


def test_exact_kms_generators_are_balanced_for_kms_alone():
    h = np.diag(LEVELS)
    report = jg.detailed_balance(one_jump(LEVELS, COUPLING, BETA), beta=BETA, hamiltonian=h)
    assert report.kms_residual < 1e-14
    assert min(report.gns_residual, report.bkm_residual, report.residual(0.25)) > 0.05
    assert report.verdict == VERDICTS.balanced
    without = jg.detailed_balance(one_jump(LEVELS, COUPLING, BETA, with_coherent=False), beta=BETA, hamiltonian=h)
    assert without.kms_residual > 0.1
    assert without.stationarity > 1e-3
    plus = one_jump(LEVELS, COUPLING, BETA)
    plus = jg.Lindbladian(plus.hamiltonian_matrix() + h, plus.jump_operators)
    assert jg.detailed_balance(plus, beta=BETA, hamiltonian=h).kms_residual < 1e-14


@pytest.mark.slow
def test_the_gaussian_filter_is_balanced_for_kms_alone():
    report = jg.detailed_balance(gaussian_filtered(LEVELS, COUPLING, BETA), beta=BETA, hamiltonian=np.diag(LEVELS))
    assert report.kms_residual < 1e-12
    assert report.gns_residual > 0.05


# -- precision -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [28.0, 60.0])
def test_weights_amplify_rounding_but_not_of_jumps_between_levels(width):
    beta = width / np.ptp(LEVELS)
    generator, u = rotated(davies(LEVELS, COUPLING, beta))
    known = np.diag(gibbs(LEVELS, beta)), u
    bound = 1e-12
    assert reference_residual(generator, np.eye(3), 0.5, np.asarray(generator.hamiltonian_matrix()), known) > bound
    report = jg.detailed_balance(generator, beta=beta)
    assert report.kms_residual < bound
    assert np.all(report.floors < 1e-12)
    assert report.verdict == VERDICTS.balanced


def test_what_rounding_decides_is_undecidable():
    """A map without jump operators to clean: its elements are known to eps of the largest."""
    beta = 60.0 / np.ptp(LEVELS)
    generator, _ = rotated(davies(LEVELS, COUPLING, beta))
    report = jg.detailed_balance(AsMap(generator), beta=beta)
    assert report.kms_residual > 1e-9
    assert report.kms_residual < report.floors[2]
    assert report.verdict == VERDICTS.undecidable
    assert "Undecidable" in report.explain()
    narrow, _ = rotated(THERMAL)
    assert jg.detailed_balance(AsMap(narrow), beta=BETA).verdict == VERDICTS.balanced


class AsMap(jg.open_systems.AbstractGenerator):
    """A generator that does not show its jump operators."""

    inner: jg.Lindbladian

    dim = property(lambda self: self.inner.dim)
    dtype = property(lambda self: self.inner.dtype)
    baths = property(lambda self: self.inner.baths)

    def hamiltonian_matrix(self):
        return self.inner.hamiltonian_matrix()

    def jump_map(self, bath=None):
        return self.inner.jump_map(bath)

    def adjoint_jump_map(self, bath=None):
        return self.inner.adjoint_jump_map(bath)

    def decay_matrix(self, bath=None):
        return self.inner.decay_matrix(bath)


def test_the_floor_contains_what_rounding_does():
    """Over many bases the residual of a perfect generator stays below its floor, and not by orders of magnitude."""
    beta = 24.0 / np.ptp(LEVELS)
    ratios = []
    for seed in range(12):
        generator, _ = rotated(davies(LEVELS, COUPLING, beta), seed)
        report = jg.detailed_balance(AsMap(generator), beta=beta)
        ratios.append(np.asarray(report.residuals / report.floors))
    assert np.max(ratios) < 1
    assert np.median(ratios) > 1e-3


@pytest.mark.parametrize("delta", [1e-3, 1e-6, 1e-9])
def test_a_violation_is_seen_in_proportion(delta):
    number = int(np.argmax(np.abs(np.asarray(THERMAL.jump_operators)[:, 0, 1])))
    for generator in (THERMAL, rotated(THERMAL)[0]):
        report = jg.detailed_balance(with_rate(generator, number, 1 + delta), beta=BETA)
        assert 1e-2 * delta < report.kms_residual < delta
        assert not report.judgement.undecidable
        assert report.judgement.violated
        assert report.judgement.excess == pytest.approx(np.log1p(delta), rel=1e-2)


def test_a_violation_of_rare_processes_is_seen_in_their_rates():
    """The residual is of the whole generator: at low temperature an upward rate that is wrong by half is hidden in it."""
    beta = 60.0
    generator = davies(LEVELS, COUPLING, beta)
    number = int(np.argmax(np.abs(np.asarray(generator.jump_operators)[:, 2, 0])))
    report = jg.detailed_balance(with_rate(generator, number, 1.5), beta=beta)
    assert report.kms_residual < 1e-10
    assert report.judgement.excess == pytest.approx(np.log(1.5), rel=1e-6)
    assert report.judgement.violated


def test_a_residual_above_the_tolerance_and_below_its_floor_is_undecidable():
    generator, _ = rotated(THERMAL)
    report = jg.detailed_balance(generator, beta=BETA, tolerance=1e-18)
    assert 1e-18 < report.kms_residual < report.floors[2] < 1e-13
    assert report.verdict == VERDICTS.undecidable


def test_rates_below_rounding_are_not_called_balanced():
    """A rate up that is wrong by half, but in a map known to eps of its largest element: nobody can tell."""
    beta = 60.0
    generator = davies(LEVELS, COUPLING, beta)
    number = int(np.argmax(np.abs(np.asarray(generator.jump_operators)[:, 2, 0])))
    wrong, _ = rotated(with_rate(generator, number, 1.5))
    report = jg.detailed_balance(AsMap(wrong), beta=beta, tolerance=1.0)
    assert not report.judgement.violated
    assert report.judgement.restricted
    assert "were not compared" in report.explain()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("delta", [0.0, 1e-3])
def test_the_own_state_of_populations_alone_is_known_at_any_temperature(turned, delta):
    """At a width of 40 the highest population is 1e-18 of the lowest: its cycle is seen, and that there is none."""
    beta = 40.0 / np.ptp(LEVELS)
    generator = davies(LEVELS, COUPLING, beta)
    number = int(np.argmax(np.abs(np.asarray(generator.jump_operators)[:, 0, 1])))
    generator = with_rate(generator, number, 1 + delta)
    generator = rotated(generator)[0] if turned else generator
    expected = VERDICTS.driven if delta else VERDICTS.balanced
    own = jg.detailed_balance(generator)
    assert own.verdict == expected
    assert jg.detailed_balance(generator, beta=beta).verdict == expected
    if not delta:
        np.testing.assert_allclose(own.own.populations, np.diag(gibbs(LEVELS, beta)), rtol=1e-11)
        assert own.own.beta == pytest.approx(beta, rel=1e-11)
        assert jg.detailed_balance(generator, beta=1.1 * beta).verdict == VERDICTS.other_temperature


@pytest.mark.slow
def test_numbers_of_the_own_state_have_derivatives_where_populations_decouple():
    """In a rate, and in a coupling that makes coherences; against differences."""
    jumps, mixing = np.asarray(THERMAL.jump_operators), np.cos(np.arange(9.0)).reshape(3, 3)
    mixing = jg.operators.Dense((mixing + mixing.T) * (1 - np.eye(3)))

    @jax.jit
    def value(x):
        rates = THERMAL.rates * (1 + x[0] * jnp.eye(len(THERMAL.rates))[1])
        generator = jg.Lindbladian(jg.operators.Dense(np.diag(LEVELS)) + x[1] * mixing, jumps, rates)
        state = jg.detailed_balance(generator).own.density_matrix
        return jnp.sum(jnp.cos(jnp.arange(9.0) ** 2).reshape(3, 3) * state.real)

    h, unit = 1e-3, np.eye(2)
    slope = [(8 * (value(h * e) - value(-h * e)) - value(2 * h * e) + value(-2 * h * e)) / (12 * h) for e in unit]
    np.testing.assert_allclose(jax.grad(value)(np.zeros(2)), slope, rtol=1e-8)
    bend = [(value(h * e) - 2 * value(0 * e) + value(-h * e)) / h**2 for e in unit]
    np.testing.assert_allclose(np.diag(jax.hessian(value)(np.zeros(2))), bend, rtol=1e-4)


# -- verdicts --------------------------------------------------------------------------------------------------------


def test_another_temperature():
    report = jg.detailed_balance(rotated(THERMAL)[0], beta=1.5)
    assert report.verdict == VERDICTS.other_temperature
    assert report.own.beta == pytest.approx(BETA, rel=1e-9)
    assert "beta = 2" in report.explain()


def test_zero_temperature_is_another_temperature():
    """All rates down: the own state is the ground level, in any basis; nothing is claimed of levels that were not seen."""
    limit = davies(LEVELS, COUPLING, 200.0)
    rates = np.where(np.asarray(limit.rates) < 1e-50, 0, limit.rates)
    generator = jg.Lindbladian(np.diag(LEVELS), np.asarray(limit.jump_operators), rates)
    for each in (generator, rotated(generator)[0]):
        report = jg.detailed_balance(each, beta=1.0)
        assert report.verdict == VERDICTS.other_temperature
        assert report.own.beta == np.inf
        assert "beta = inf" in report.explain()
    faint = AsMap(rotated(davies(LEVELS, COUPLING, 40.0))[0])  # its upper populations are rounding
    assert jg.detailed_balance(faint, beta=1.0).verdict == VERDICTS.violated


def test_another_hamiltonian():
    report = jg.detailed_balance(THERMAL, beta=BETA, hamiltonian=np.diag([0.0, 1.0, 1.4]))
    assert report.verdict == VERDICTS.other_hamiltonian
    np.testing.assert_allclose(report.own.density_matrix, gibbs(LEVELS, BETA), atol=1e-14)
    assert report.own.misfit > 0.05


def test_a_merry_go_round_is_stationary_and_driven():
    generator = hopping(merry_go_round(2.0, 0.5))
    for report in (jg.detailed_balance(generator, beta=1.0), jg.detailed_balance(generator)):
        assert report.stationarity < 1e-15
        assert report.kms_residual > 0.1
        assert report.verdict == VERDICTS.driven
        assert abs(report.currents[1, 0]) == pytest.approx(1.5 / 3, rel=1e-12)
        assert "affinity" in report.explain()


def test_a_bath_for_each_transition_drives_a_cycle():
    hot = davies(LEVELS, COUPLING, 0.5)
    jumps = np.asarray(THERMAL.jump_operators)
    upper = np.abs(jumps[:, 1, 2]) + np.abs(jumps[:, 2, 1]) > 0
    driven = jg.Lindbladian(np.diag(LEVELS), jumps, np.where(upper, hot.rates, THERMAL.rates))
    assert jg.detailed_balance(driven, beta=BETA).verdict == VERDICTS.driven


@pytest.mark.slow
def test_two_baths_on_two_levels_look_like_one():
    """Two levels are always in balance with their own state: a violation needs a cycle."""
    two = [davies([0.0, 1.0], coupling(np.random.default_rng(1), 2), beta) for beta in (0.5, 2.0)]
    jumps = np.concatenate([g.jump_operators for g in two])
    both = jg.Lindbladian(np.diag([0.0, 1.0]), jumps, np.concatenate([g.rates for g in two]))
    assert jg.detailed_balance(both, beta=2.0).verdict == VERDICTS.other_temperature
    assert jg.detailed_balance(both).verdict == VERDICTS.balanced


def test_a_violation_without_a_unique_stationary_state():
    jump = np.zeros((3, 3))
    jump[0, 1] = 1
    report = jg.detailed_balance(jg.Lindbladian(np.diag(LEVELS), [jump]), beta=BETA)
    assert report.verdict == VERDICTS.violated
    assert not report.own.unique
    nameless = jg.detailed_balance(jg.Lindbladian(np.diag(LEVELS), [jump]))
    assert nameless.verdict == VERDICTS.ambiguous
    assert "more than one stationary state" in nameless.explain()


@pytest.mark.parametrize("beta", [np.inf, -np.inf, 1e4])
def test_levels_without_weight_are_left_out_and_it_is_said(beta):
    limit = davies(LEVELS, COUPLING, 200.0 * np.sign(beta))
    rates = np.where(np.asarray(limit.rates) < 1e-50, 0, limit.rates)
    generator = jg.Lindbladian(np.diag(LEVELS), np.asarray(limit.jump_operators), rates)
    report = jg.detailed_balance(generator, beta=beta)
    assert report.verdict == VERDICTS.balanced_on_support
    assert int(np.sum(report.measurement.reference.support)) == 1
    assert "only 1 of 3 levels" in report.explain()


@pytest.mark.parametrize(
    "generator",
    [jg.Lindbladian(np.diag(LEVELS), []), pytest.param(jg.Lindbladian([[0.3]], [[[2.0]]]), marks=pytest.mark.slow)],
    ids=["closed", "one level"],
)
def test_without_dissipation_there_is_nothing_to_violate(generator):
    report = jg.detailed_balance(generator, beta=BETA)
    np.testing.assert_array_equal(report.residuals, 0)
    assert report.verdict == VERDICTS.balanced


def test_states_of_every_kind_are_taken():
    h = np.diag(LEVELS)
    for state in (
        jg.gibbs_state(h, BETA),
        jg.generalized_gibbs_state([h], [BETA]),
        gibbs(LEVELS, BETA),
    ):
        assert jg.detailed_balance(THERMAL, state).verdict == VERDICTS.balanced
    np.testing.assert_allclose(jg.detailed_balance(THERMAL).density_matrix, gibbs(LEVELS, BETA), atol=1e-14)


# -- time reversal ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_time_reversal_includes_the_hamiltonian_and_fails_where_it_is_wrong():
    real = coupling(np.random.default_rng(4), 3, is_complex=False)
    conjugation = symmetry.complex_conjugation(3)
    generator = davies(LEVELS, real, BETA)
    report = jg.detailed_balance(generator, beta=BETA, theta=conjugation)
    assert report.time_reversal_residual < 1e-14
    assert report.time_reversal_residual < report.time_reversal_floor
    assert "time reversal" in report.explain()
    turned, u = rotated(generator)
    right = symmetry.Antiunitary(u @ u.T)
    assert diagnostics.time_reversal_residual(turned, right, beta=BETA) < 1e-12
    assert diagnostics.time_reversal_residual(turned, conjugation, beta=BETA) > 0.1


# -- derivatives -----------------------------------------------------------------------------------------------------

DIRECTION = np.array([[0.1, 1, 0.5j], [1, 0, 0.2], [-0.5j, 0.2, 0.3]])


@pytest.mark.slow
@pytest.mark.parametrize(
    "weight", [KMS, pytest.param(BKM, marks=pytest.mark.slow), pytest.param(0.3, marks=pytest.mark.slow)], ids=str
)
def test_derivatives_in_the_state_are_those_of_finite_differences(weight):
    generator = one_jump(LEVELS, COUPLING, BETA)

    def square(x):
        h = np.diag(LEVELS) + x * DIRECTION
        return diagnostics.squared_residual(generator, beta=1.5, hamiltonian=h, weight=weight)

    slope, step = jax.jit(jax.grad(square)), 1e-5
    for x in (0.0, 0.3):
        assert slope(x) == pytest.approx(float(square(x + step) - square(x - step)) / (2 * step), abs=1e-8)


@pytest.mark.slow
def test_the_hamiltonian_of_the_generator_moves_with_the_state():
    """What commutes with the Gibbs state is taken off, for every Hamiltonian: only the jumps remain."""
    jumps, rates = np.asarray(THERMAL.jump_operators), THERMAL.rates

    def square(x):
        h = np.diag(LEVELS) + x * DIRECTION
        return diagnostics.squared_residual(jg.Lindbladian(h, jumps, rates), beta=1.5)

    slope, step = jax.jit(jax.grad(square)), 1e-5
    assert slope(0.1) == pytest.approx(float(square(0.1 + step) - square(0.1 - step)) / (2 * step), abs=1e-8)
    bend = float(slope(0.1 + step) - slope(0.1 - step)) / (2 * step)
    assert jax.jit(jax.grad(jax.grad(square)))(0.1) == pytest.approx(bend, abs=1e-7)


@pytest.mark.slow
def test_squares_are_smooth_where_residuals_have_a_kink():
    jumps = np.asarray(THERMAL.jump_operators)

    def square(x):
        rates = THERMAL.rates * (1 + x * jnp.arange(7))
        return diagnostics.squared_residual(jg.Lindbladian(np.diag(LEVELS), jumps, rates), beta=BETA)

    value, slope = jax.jit(jax.value_and_grad(square))(0.0)
    assert value < 1e-28
    assert abs(slope) < 1e-14
    assert diagnostics.squared_residual(THERMAL, beta=np.inf) >= 0
    assert np.isnan(jax.jit(jax.grad(lambda b: diagnostics.squared_residual(THERMAL, beta=b)))(np.inf))


@pytest.mark.slow
def test_maps_over_temperatures_in_single_precision():
    generator = jg.Lindbladian(
        np.diag(LEVELS).astype(np.complex64),
        np.asarray(THERMAL.jump_operators).astype(np.complex64),
        np.asarray(THERMAL.rates, np.float32),
    )
    betas = np.array([1.0, 2.0, 40.0], np.float32)
    reports = jax.jit(jax.vmap(lambda b: jg.detailed_balance(generator, beta=b)))(betas)
    assert reports.residuals.dtype == jnp.float32
    assert reports.residuals.shape == (3, len(WEIGHTS))
    assert np.all(np.isfinite(reports.residuals))
    expected = [jg.detailed_balance(THERMAL, beta=b).kms_residual for b in (1.0, 2.0)]
    np.testing.assert_allclose(reports.residuals[:2, 2], expected, atol=2e-6)
    assert np.all(reports.floors[1] < 1e-4)
    with pytest.raises(ValueError, match="concrete values"):
        jax.jit(lambda b: jg.detailed_balance(generator, beta=b).judgement.excess)(1.0)


# -- structure -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [LEVELS, [0.0, 1.0, 2.0], [0.0, 1.0, 1.0]], ids=str)
def test_jumps_come_in_pairs_between_modular_levels(levels):
    levels = np.asarray(levels)
    generator, u = rotated(davies(levels, COUPLING, BETA, lamb=0.2))
    h = u @ np.diag(levels) @ u.conj().T
    h = (h + h.conj().T) / 2
    form = diagnostics.alicki_form(generator, beta=BETA, hamiltonian=h)
    sigma, inverse = (u @ np.linalg.matrix_power(gibbs(levels, BETA), n) @ u.conj().T for n in (1, -1))
    assert form.residual < 1e-12
    assert np.linalg.norm(form.hamiltonian @ sigma - sigma @ form.hamiltonian) < 1e-12
    for jump, w in zip(form.jump_operators, form.frequencies, strict=True):
        np.testing.assert_allclose(sigma @ jump @ inverse, np.exp(-w) * jump, atol=1e-10)
        assert abs(np.trace(jump)) < 1e-12
    gram = np.einsum("aij,bij->ab", np.conj(form.jump_operators), form.jump_operators)
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-10)
    x = u @ COUPLING @ u.conj().T
    total = 1j * (form.hamiltonian @ x - x @ form.hamiltonian)
    for v, w in zip(np.asarray(form.jump_operators), np.asarray(form.frequencies), strict=True):
        total = total + np.exp(-w / 2) * (v.conj().T @ (x @ v - v @ x) + (v.conj().T @ x - x @ v.conj().T) @ v)
    np.testing.assert_allclose(total, generator.adjoint(x), atol=1e-11)


def test_what_is_not_balanced_does_not_fit_the_structure():
    assert diagnostics.alicki_form(THERMAL, beta=1.5).residual > 1e-2
    assert diagnostics.alicki_form(one_jump(LEVELS, COUPLING, BETA), gibbs(LEVELS, BETA)).residual > 1e-2


# -- estimates -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("weight", [KMS, pytest.param(GNS, marks=pytest.mark.slow)], ids=str)
def test_estimates_agree_with_dense_maps_within_their_errors(weight):
    h = np.diag(LEVELS)
    generator, u = rotated(one_jump(LEVELS, COUPLING, BETA))
    state = u @ gibbs(LEVELS, 1.2) @ u.conj().T
    found = diagnostics.estimated_residual(generator, state, weight=weight, probes=300)
    exact = diagnostics.balance_residual(generator, state, weight=weight)
    assert abs(found.value - exact) < 5 * found.standard_error
    assert found.standard_error < 0.05
    balanced = diagnostics.estimated_residual(THERMAL, beta=BETA, hamiltonian=h)
    assert balanced.value < balanced.floor


@pytest.mark.parametrize("strength", [1.0, 1e-5])
def test_the_floor_of_an_estimate_knows_of_the_commutator_that_is_taken_off(strength):
    """A perfect generator, weak beside its Hamiltonian."""
    weak = jg.Lindbladian(np.diag(LEVELS), np.asarray(THERMAL.jump_operators), strength * THERMAL.rates)
    for generator in (weak, rotated(weak)[0]):
        found = diagnostics.estimated_residual(generator, beta=BETA)
        assert found.value < found.floor < 1e-11 / strength


def test_where_double_precision_is_off():
    with jax.enable_x64(False):
        report = jg.detailed_balance(
            jg.Lindbladian([[1.0, 0.0], [0.0, 0.0]], [[[0, 1], [0, 0]], [[0, 0], [1, 0]]]), beta=0.0
        )
        assert report.residuals.dtype == jnp.float32
        assert report.verdict == VERDICTS.balanced


@pytest.mark.slow
def test_estimates_reach_dimensions_without_dense_maps():
    dim, beta = 100, 0.5
    ladder = np.diag(np.sqrt(np.arange(1.0, dim)), 1)
    generator = jg.Lindbladian(np.diag(np.arange(dim)), [ladder, ladder.T], [1.0, np.exp(-beta)])
    found = diagnostics.estimated_residual(generator, beta=beta, probes=8)
    assert found.value < found.floor
    broken = jg.Lindbladian(np.diag(np.arange(dim)), [ladder, ladder.T], [1.0, 1.1 * np.exp(-beta)])
    found = diagnostics.estimated_residual(broken, beta=beta, probes=8)
    assert found.value > 10 * found.floor
    with pytest.raises(ValueError, match="dimension up to 64"):
        jg.detailed_balance(generator, beta=beta)


# -- thermalization --------------------------------------------------------------------------------------------------


def test_what_thermalizes():
    answer = diagnostics.thermalization(THERMAL, BETA)
    assert answer.thermalizes
    assert answer.is_ergodic
    assert answer.distance < 1e-14
    assert "Thermalizes." in answer.explain()
    wrong = diagnostics.thermalization(THERMAL, 1.5)
    assert not wrong.thermalizes
    assert wrong.distance > 1e-2


def test_what_does_not_thermalize():
    blocks = np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]])
    answer = diagnostics.thermalization(davies(LEVELS, blocks, BETA), BETA)
    assert answer.gibbs_is_stationary
    assert not answer.thermalizes
    assert (int(answer.stationary_states), int(answer.commutant)) == (2, 2)
    assert "2 independent" in answer.explain()
    assert np.isnan(answer.distance)
    closed = diagnostics.thermalization(jg.Lindbladian(np.diag(LEVELS), []), BETA)
    assert (int(closed.stationary_states), int(closed.commutant)) == (3, 3)


# -- misuse ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jg.detailed_balance(THERMAL, gibbs(LEVELS, 1.0), beta=1.0), "not both"),
        (lambda: jg.detailed_balance(THERMAL, gibbs(LEVELS, 1.0), hamiltonian=np.eye(3)), "must come with `beta`"),
        (lambda: jg.detailed_balance(np.eye(3), beta=1.0), "`generator` must be a generator"),
        (lambda: diagnostics.estimated_residual(np.eye(3), beta=1.0), "`generator` must be a generator"),
        (lambda: diagnostics.thermalization(np.eye(3), 1.0), "`generator` must be a generator"),
        (lambda: jg.detailed_balance(THERMAL, np.eye(3)), "must have trace 1"),
        (lambda: jg.detailed_balance(THERMAL, np.diag([1.5, -0.25, -0.25])), "positive semidefinite"),
        (lambda: jg.detailed_balance(THERMAL, beta=1.0, tolerance=-1.0), "`tolerance` must be"),
        (lambda: jg.detailed_balance(THERMAL, beta=1.0, tolerance=np.nan), "`tolerance` must be"),
        (lambda: jg.detailed_balance(THERMAL, np.diag([0.5, 0.5])), "space of the generator"),
        (lambda: jg.detailed_balance(THERMAL, np.triu(np.ones((3, 3))) / 3), "must be Hermitian"),
        (
            lambda: jg.detailed_balance(THERMAL, jg.gibbs_state(jg.operators.Spectrum(LEVELS), 1.0)),
            "must be of a matrix",
        ),
        (lambda: jg.detailed_balance(THERMAL, beta=[1.0, 2.0]), "must be a scalar"),
        (lambda: jg.detailed_balance(THERMAL, beta=1.0, theta=symmetry.complex_conjugation(2)), "act on the space"),
        (lambda: diagnostics.balance_residual(THERMAL), "must be given"),
        (lambda: diagnostics.squared_residual(THERMAL), "must be given"),
        (lambda: diagnostics.time_reversal_residual(THERMAL, symmetry.complex_conjugation(3)), "must be given"),
        (lambda: diagnostics.alicki_form(THERMAL), "must be given"),
        (lambda: diagnostics.alicki_form(THERMAL, beta=np.inf), "weight to every level"),
        (lambda: diagnostics.estimated_residual(THERMAL), "must be given"),
        (lambda: diagnostics.estimated_residual(THERMAL, beta=1.0, probes=0), "at least 1"),
        (lambda: diagnostics.balance_residual(THERMAL, beta=1.0, weight=1.5), "from 0 to 1"),
        (lambda: jg.detailed_balance(THERMAL, beta=BETA).residual(0.3), "must be one of"),
        (lambda: diagnostics.thermalization(jg.Lindbladian(np.eye(33), []), 1.0), "dimension up to 32"),
        (lambda: jg.detailed_balance(jg.Lindbladian(np.eye(65), []), beta=1.0), "dimension up to 64"),
        (lambda: jax.jit(lambda b: diagnostics.alicki_form(THERMAL, beta=b).residual)(1.0), "traced"),
        (lambda: jax.jit(lambda b: diagnostics.thermalization(THERMAL, b).distance)(1.0), "traced"),
    ],
)
def test_misuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()
