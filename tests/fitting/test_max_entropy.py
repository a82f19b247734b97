"""Fits against closed forms, and the verdict on every kind of target."""

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import jaxgibbs as jg
from helpers import direction
from jaxgibbs import generalized_gibbs_state
from jaxgibbs._solution import RESULTS
from jaxgibbs.fitting import DualNewton, fit_multipliers
from jaxgibbs.operators import Bosons, Dense, Fermions, KroneckerSum, LadderTail, Spectrum

X = np.array([[0, 1], [1, 0]], complex)
Y = np.array([[0, -1j], [1j, 0]], complex)
Z = np.array([[1, 0], [0, -1]], complex)
PAULI = (X, Y, Z)
ONE = np.eye(2)


def bloch(q):
    """Multipliers of the qubit of Bloch vector q: -(artanh r / r) q."""
    r = np.linalg.norm(q)
    return -np.arctanh(r) / r * np.asarray(q)


def verdict(solution):
    names = ("optimal", "boundary", "infeasible", "dependent")
    return next(name for name in names if solution.result == getattr(RESULTS, name))


def largest_eigenvalue(direction, charges):
    return np.linalg.eigvalsh(np.einsum("k,kij->ij", direction, np.stack(charges)))[-1]


@functools.cache
def random_charges(dim, count, complex_):
    rng = np.random.default_rng(7 * dim + count)
    matrices = rng.normal(size=(count, dim, dim)) + (1j * rng.normal(size=(count, dim, dim)) if complex_ else 0)
    return tuple((m + m.conj().T) / 2 for m in matrices)


# -- closed forms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [(0.3, 0.2, -0.5), (0.0, 0.0, 1e-9), (0.9, 0.0, 0.0), (0.7, -0.7, 0.1), (0.0, 0.6, 0.79)])
def test_qubit(q):
    fit = fit_multipliers(PAULI, q)
    assert verdict(fit) == "optimal"
    # The residual tolerance, 2.2e-13, over the smallest response 1 - r^2.
    np.testing.assert_allclose(fit.value, bloch(q), rtol=0, atol=3e-13 / (1 - np.dot(q, q)))
    assert fit.error <= 1e-12


def test_zero_multipliers_at_the_maximally_mixed_state():
    fit = fit_multipliers(PAULI, (0, 0, 0))
    np.testing.assert_array_equal(fit.value, 0)
    assert fit.stats["decompositions"] <= 1


@pytest.mark.parametrize("q", [0.5, 0.1, 0.999, 1e-6, 1e-12, 1e-20, 1e-200])
def test_two_levels_up_to_the_edge(q):
    fit = fit_multipliers((Spectrum([0.0, 1.0]),), [q])
    assert verdict(fit) == "optimal"
    np.testing.assert_allclose(fit.value[0], np.log((1 - q) / q), rtol=1e-9, atol=1e-12)
    assert fit.stats["decompositions"] <= 32


def test_levels_offset_by_1e8():
    fit = fit_multipliers((Spectrum([1e8, 1e8 + 1.0]),), [1e8 + 0.25])
    np.testing.assert_allclose(fit.value, [np.log(3)], rtol=1e-12)
    fit = fit_multipliers((np.diag([0.0, 1.0]) + 1e8 * np.eye(2),), [1e8 + 0.25])
    np.testing.assert_allclose(fit.value, [np.log(3)], rtol=1e-12)


@pytest.mark.slow
def test_fermi_and_bose_occupations():
    occupations = np.array([0.2, 0.9, 0.5])
    fit = fit_multipliers([Fermions(row) for row in np.eye(3)], occupations)
    np.testing.assert_allclose(fit.value, np.log((1 - occupations) / occupations), atol=1e-12)
    occupations = np.array([0.2, 3.0, 40.0])
    fit = fit_multipliers([Bosons(row) for row in np.eye(3)], occupations)
    np.testing.assert_allclose(fit.value, np.log1p(1 / occupations), rtol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("modes", [Bosons, Fermions])
def test_grand_canonical_round_trip(modes):
    energies = np.array([0.3, 1.0, 1.7, 2.2])
    charges = (modes(energies), modes(np.ones(4)))
    multipliers = jnp.array([0.8, 0.3])  # beta, -beta mu
    targets = jg.generalized_gibbs_state(charges, multipliers).charge_expectations
    np.testing.assert_allclose(fit_multipliers(charges, targets).value, multipliers, rtol=1e-10)


@pytest.mark.slow
def test_independent_parts_are_never_multiplied_out():
    parts = tuple(np.diag(np.linspace(0.0, 1.0 + 0.1 * k, 30)) for k in range(6))  # 7e8 states
    other = tuple(np.eye(30, k=1) + np.eye(30, k=-1) for _ in range(6))
    charges = (KroneckerSum(parts), KroneckerSum(other))
    multipliers = jnp.array([0.7, -0.2])
    targets = jg.generalized_gibbs_state(charges, multipliers).charge_expectations
    fit = fit_multipliers(charges, targets)
    np.testing.assert_allclose(fit.value, multipliers, rtol=1e-10)


@pytest.mark.slow
def test_blocks_of_sparse_terms_give_what_the_dense_matrices_give():
    hamiltonian, field = (
        jg.models.heisenberg_chain(4, coupling=1.0),
        jg.models.heisenberg_chain(4, coupling=0.0, field=1.0),
    )
    multipliers = jnp.array([0.6, -0.3])
    targets = jg.generalized_gibbs_state((hamiltonian, field), multipliers).charge_expectations
    np.testing.assert_allclose(fit_multipliers((hamiltonian, field), targets).value, multipliers, atol=1e-11)
    dense = (Dense(hamiltonian.to_dense()), Dense(field.to_dense()))
    np.testing.assert_allclose(fit_multipliers(dense, targets).value, multipliers, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("complex_", [False, True])
def test_eight_charges_in_twelve_steps(complex_):
    charges = random_charges(16, 8, complex_)
    multipliers = 0.3 * np.random.default_rng(3).normal(size=8)
    targets = jg.generalized_gibbs_state(charges, multipliers).charge_expectations
    fit = fit_multipliers(charges, targets)
    assert fit.error <= 1e-12
    assert fit.stats["steps"] <= 12
    np.testing.assert_allclose(fit.value, multipliers, atol=1e-10)


@pytest.mark.slow
@hypothesis.settings(max_examples=25)
@hypothesis.given(
    seed=st.integers(0, 2**32 - 1), strength=st.floats(0.0, 3.0), offset=st.floats(-1e3, 1e3), complex_=st.booleans()
)
def test_round_trip(seed, strength, offset, complex_):
    rng = np.random.default_rng(seed)
    charges = jnp.stack(random_charges(4, 3, complex_)) + offset * jnp.eye(4)
    multipliers = strength * rng.normal(size=3)
    targets, covariance = _expectations(charges, multipliers)
    condition = np.linalg.cond(covariance)
    hypothesis.assume(condition < 1e6)
    fit = fit_multipliers(tuple(charges), targets)
    # Targets are rounded at eps (1 + |offset|), on top of the residual tolerance; K^-1 carries both to the multipliers.
    rounding = 1e-12 + 1e-15 * (1 + abs(offset))
    np.testing.assert_allclose(fit.value, multipliers, atol=rounding * np.linalg.norm(np.linalg.inv(covariance)))


@jax.jit
def _expectations(charges, multipliers):
    state = jg.generalized_gibbs_state(tuple(charges), multipliers)
    return state.charge_expectations, state.charge_covariance


def test_the_answer_does_not_depend_on_basis_scale_or_order():
    charges = np.stack(random_charges(4, 3, True))
    targets = np.asarray(_expectations(jnp.asarray(charges), np.array([0.4, -0.2, 0.7]))[0])
    plain = fit_multipliers(tuple(charges), targets).value
    rotation = np.linalg.qr(random_charges(4, 1, True)[0])[0]
    turned = rotation @ charges @ rotation.conj().T
    np.testing.assert_allclose(fit_multipliers(tuple(turned), targets).value, plain, atol=1e-11)
    scales = np.array([1e-6, 1.0, 1e5])
    scaled = fit_multipliers(tuple(charges * scales[:, None, None]), targets * scales).value
    np.testing.assert_allclose(scaled * scales, plain, rtol=1e-10)
    np.testing.assert_allclose(fit_multipliers(tuple(charges[::-1]), targets[::-1]).value, plain[::-1], atol=1e-11)


def test_warm_start_at_the_answer_takes_one_decomposition_of_its_own():
    q = (0.3, 0.2, -0.5)
    cold = fit_multipliers(PAULI, q)
    warm = fit_multipliers(PAULI, q, initial=cold.value)
    assert warm.stats["steps"] == 0
    np.testing.assert_allclose(warm.value, cold.value, atol=1e-14)
    far = fit_multipliers(PAULI, q, initial=(8.0, -9.0, 7.0))
    np.testing.assert_allclose(far.value, cold.value, atol=1e-12)


@pytest.mark.slow
def test_reference_state():
    omega = np.array([[0.6, 0.1 - 0.2j], [0.1 + 0.2j, 0.4]])
    fit = fit_multipliers((X,), [0.3], reference=omega)
    from_log = jg.linalg.log(jnp.asarray(omega)) - fit.value[0] * X
    rho = jg.gibbs_state(-from_log, 1.0).density_matrix()
    np.testing.assert_allclose(jnp.trace(rho @ X).real, 0.3, atol=1e-13)
    # No constraint beyond what the reference has: it is the answer.
    free = fit_multipliers((X,), [0.2], reference=omega)
    np.testing.assert_allclose(free.value, 0, atol=1e-13)
    levels = fit_multipliers((Spectrum([0.0, 1.0, 2.0]),), [0.9], reference=[0.2, 0.5, 0.3])
    weights = np.array([0.2, 0.5, 0.3]) * np.exp(-levels.value[0] * np.arange(3))
    np.testing.assert_allclose(weights @ np.arange(3) / weights.sum(), 0.9, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize(("modes", "sign"), [(jg.operators.Bosons, -1), (Fermions, 1)])
def test_reference_state_of_modes(modes, sign):
    energies, before = np.array([0.5, 1.0, 2.5]), np.array([0.7, 0.4, 0.2])
    odds = before / (1 - sign * before)
    fit = fit_multipliers((modes(energies),), [0.9], reference=before)
    after = odds * np.exp(-fit.value[0] * energies)
    np.testing.assert_allclose(energies @ (after / (1 + sign * after)), 0.9, rtol=1e-12)
    slope = jax.grad(lambda q: fit_multipliers((modes(energies),), q[None], reference=before).value[0])(
        jnp.asarray(0.9)
    )
    spread = after / (1 + sign * after) ** 2
    np.testing.assert_allclose(slope, -1 / (energies**2 @ spread), rtol=1e-10)  # d<Q>/d lam = -Var Q


# -- verdicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [(0.8, 0.6, 0.1), (0.6, 0.6, 0.6), (0.0, 0.0, 1.0001), (3.0, 0.0, 0.0), (0.9, 0.9, 0.9)])
def test_infeasible_qubit_with_a_certificate(q):
    fit = fit_multipliers(PAULI, q)
    assert verdict(fit) == "infeasible"
    assert np.isnan(fit.value).all()
    assert np.isinf(fit.error)
    direction = np.asarray(fit.stats["direction"])
    np.testing.assert_allclose(np.linalg.norm(direction), 1)
    violation = direction @ q - largest_eigenvalue(direction, PAULI)
    assert violation > 0
    assert 0 < fit.stats["violation"] <= violation + 1e-14


def test_dependent_charges_that_agree():
    charges = (X, Z, X + 2 * Z, ONE)
    fit = fit_multipliers(charges, (0.3, 0.2, 0.7, 1.0))
    assert verdict(fit) == "dependent"
    np.testing.assert_allclose(fit.stats["residual"], 0, atol=1e-13)
    # Of all multipliers of this state, those of least norm: the two directions that change nothing are not in them.
    for nothing in ((1, 2, -1, 0), (0, 0, 0, 1)):
        np.testing.assert_allclose(np.dot(nothing, fit.value), 0, atol=1e-13)
    together = fit.value[:2] + fit.value[2] * jnp.array([1, 2])
    np.testing.assert_allclose(together, bloch((0.3, 0.2)), atol=1e-12)


@pytest.mark.parametrize(
    ("charges", "q"),
    [((X, Z, X + 2 * Z), (0.3, 0.2, 0.7001)), ((X, ONE), (0.3, 1.1)), ((X, 2 * X), (0.3, 0.7)), ((ONE,), (2.0,))],
)
def test_dependent_charges_that_disagree(charges, q):
    fit = fit_multipliers(charges, q)
    assert verdict(fit) == "infeasible"
    direction = np.asarray(fit.stats["direction"])
    assert direction @ q - largest_eigenvalue(direction, charges) >= fit.stats["violation"] - 1e-13 > 0


def test_nearly_dependent_charges_are_told_apart():
    # They differ by 1e-6 of Z: a Gram matrix holds that as 1e-12.
    charges = (X, X + 1e-6 * Z)
    multipliers = jnp.array([0.4, -0.3])
    targets = jg.generalized_gibbs_state(charges, multipliers).charge_expectations
    fit = fit_multipliers(charges, targets)
    assert verdict(fit) == "optimal"
    np.testing.assert_allclose(fit.value, multipliers, atol=1e-3)
    assert fit.error <= 1e-12


def test_bosons_below_their_lowest_mode():
    charges = (Bosons([1.0, 2.0, 3.0]), Bosons([1.0, 1.0, 1.0]))
    fit = fit_multipliers(charges, (1.9, 2.0))  # an energy of 0.95 a particle
    assert verdict(fit) == "infeasible"
    energy, number = fit.stats["direction"]
    assert np.all(energy * np.array([1.0, 2.0, 3.0]) + number <= 0)  # so n.Q <= 0 in every state
    np.testing.assert_allclose(fit.stats["violation"], energy * 1.9 + number * 2.0)
    assert fit.stats["violation"] > 0


@hypothesis.settings(max_examples=40)
@hypothesis.given(seed=st.integers(0, 2**32 - 1))
def test_commuting_charges_agree_with_linear_programming(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(2, 6))
    q = 1.3 * rng.normal(size=2)
    # How far q may be moved from the centre of the points before it leaves their hull.
    center = points.mean(1)
    program = scipy.optimize.linprog(
        np.append(np.zeros(6), -1.0),
        A_eq=np.block([[points, -(q - center)[:, None]], [np.ones(6), np.zeros(1)]]),
        b_eq=np.append(center, 1.0),
        bounds=[(0, None)] * 7,
    )
    reach = -program.fun
    hypothesis.assume(abs(reach - 1) > 1e-6)
    fit = fit_multipliers(tuple(Spectrum(row) for row in points), q)
    assert verdict(fit) == ("optimal" if reach > 1 else "infeasible")
    if reach < 1:
        direction = np.asarray(fit.stats["direction"])
        assert direction @ q > (direction @ points).max()


# -- failures --------------------------------------------------------------------------------------------------------


def failure(charges, q, result, **options):
    text = RESULTS[result][:30]
    with pytest.raises(RuntimeError, match=text):
        fit_multipliers(charges, q, **options)
    kept = fit_multipliers(charges, q, throw=False, **options)
    assert kept.result == result
    traced = jax.jit(lambda q: fit_multipliers(charges, q, **options).value)(jnp.asarray(q))
    assert np.isnan(traced).all()
    return kept


@pytest.mark.slow
def test_too_few_steps():
    kept = failure(PAULI, (0.3, 0.2, -0.5), RESULTS.max_steps_reached, method=DualNewton(max_steps=2))
    assert np.isfinite(kept.value).all()


@pytest.mark.slow
def test_a_tolerance_below_rounding():
    kept = failure(PAULI, (0.3, 0.2, -0.5), RESULTS.stagnated, method=DualNewton(residual_tolerance=1e-30))
    np.testing.assert_allclose(kept.value, bloch((0.3, 0.2, -0.5)), atol=1e-12)


@pytest.mark.slow
def test_bosons_that_no_multiplier_confines():
    failure((Bosons([1.0, -1.0]),), [1.0], RESULTS.nonfinite)


@pytest.mark.slow
@pytest.mark.parametrize("energy", [40.0, 90.0])
def test_levels_kept_must_carry_the_answer(energy):
    charge = Spectrum(np.arange(50.0), tail=LadderTail(1.0, 50))
    failure((charge,), [energy], RESULTS.truncated)


@pytest.mark.slow
def test_infinite_spectrum():
    charge = Spectrum(np.arange(300.0), tail=LadderTail(1.0, 300))
    np.testing.assert_allclose(fit_multipliers((charge,), [2.0]).value, [np.log(1.5)], rtol=1e-12)
    assert verdict(fit_multipliers((charge,), [-1.0])) == "infeasible"


# -- batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_thousand_fits_in_one_call():
    rng = np.random.default_rng(5)
    directions = rng.normal(size=(1000, 3))
    targets = rng.uniform(0, 0.95, size=(1000, 1)) * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    fits = jax.jit(jax.vmap(lambda q: fit_multipliers(PAULI, q)))(targets)
    assert fits.error.max() <= 1e-12
    np.testing.assert_allclose(fits.value, np.stack([bloch(q) for q in targets]), atol=1e-11)


@pytest.mark.slow
def test_lanes_have_verdicts_of_their_own():
    targets = jnp.array([[0.3, 0.2, 0.1], [0.8, 0.6, 0.1], [0.0, 0.0, 1.0]])
    fits = jax.vmap(lambda q: fit_multipliers(PAULI, q))(targets)
    for k, expected in enumerate((RESULTS.optimal, RESULTS.infeasible, RESULTS.boundary)):
        assert (fits.result == expected)[k]
    np.testing.assert_allclose(fits.value[0], bloch(targets[0]), atol=1e-12)
    assert np.isnan(fits.value[1:]).all()


@pytest.mark.slow
def test_a_failed_lane_leaves_the_others_alone():
    method = DualNewton(max_steps=5)
    targets = jnp.array([[0.3, 0.2, 0.1], [0.999, 0.0, 0.0]])
    values = jax.jit(jax.vmap(lambda q: fit_multipliers(PAULI, q, method=method).value))(targets)
    np.testing.assert_allclose(values[0], bloch(targets[0]), atol=1e-12)
    assert np.isnan(values[1]).all()


def test_one_decomposition_a_step():
    charges = tuple(jnp.asarray(m) for m in random_charges(5, 3, False))

    def count(program):
        of_charges = 0
        for equation in program.eqns:
            values = [
                v for value in equation.params.values() for v in (value if isinstance(value, list | tuple) else [value])
            ]
            nested = [getattr(value, "jaxpr", value) for value in values]
            of_charges += sum(count(inner) for inner in nested if hasattr(inner, "eqns"))
            of_charges += equation.primitive.name == "decompose" and equation.invars[0].aval.shape[-1] == 5
        return of_charges

    program = jax.make_jaxpr(lambda q: fit_multipliers(charges, q).value)(jnp.zeros(3)).jaxpr
    # One in the loop, one for the residual at multipliers that rounding may have moved; none at the start.
    assert count(program) == 2


def test_no_compilation_for_new_values():
    fit_multipliers(PAULI, (0.1, 0.2, 0.3))
    events = []
    jax.monitoring.register_event_duration_secs_listener(lambda name, *_, **__: events.append(name))
    fit_multipliers(tuple(1.5 * p for p in PAULI), (0.3, 0.1, 0.2))
    assert not [name for name in events if "compile" in name or "trace" in name]


# -- inputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-4), (np.complex64, 1e-4)])
def test_single_precision(dtype, tolerance):
    charges = tuple(jnp.asarray(m, dtype) for m in ((X.real, Z.real) if dtype == np.float32 else PAULI))
    q = np.array([0.3, 0.2, -0.5][: len(charges)], np.float32)
    fit = fit_multipliers(charges, q)
    assert fit.value.dtype == np.float32
    np.testing.assert_allclose(fit.value, bloch(q.astype(float)), atol=tolerance)
    assert fit.error < 1e-4
    assert fit_multipliers(charges, (0.3,) * len(charges)).value.dtype == np.float32  # plain numbers follow the charges
    assert verdict(fit_multipliers(charges, np.full(len(charges), 0.9, np.float32))) == "infeasible"
    if dtype == np.float32:
        assert verdict(fit_multipliers(charges, np.array([1, 0], np.float32))) == "boundary"


@pytest.mark.slow
def test_integers_and_dimension_one():
    fit = fit_multipliers((np.array([[0, 1], [1, 0]]),), [0])
    np.testing.assert_array_equal(fit.value, [0.0])
    assert verdict(fit_multipliers(([[2.0]],), [2.0])) == "dependent"
    assert verdict(fit_multipliers(([[2.0]],), [2.5])) == "infeasible"
    assert verdict(fit_multipliers((Spectrum([1]),), [1])) == "dependent"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((X, Z), [0.1]), "one entry a charge"),
        (((X, Z), [[0.1, 0.2]]), "one entry a charge"),
        (((X,), [np.nan]), "finite"),
        (((X,), [np.inf]), "finite"),
        (((X,), np.array([0.1 + 0.2j])), "real"),
        (((), []), "at least one"),
        (((X, np.eye(3)), [0.1, 0.2]), "one space"),
        (((np.array([[0, 1], [0, 0]]),), [0.1]), "Hermitian"),
        (((np.array([[np.nan, 1], [1, 0]]),), [0.1]), "finite"),
        (((np.ones((2, 3)),), [0.1]), "square"),
        (((Spectrum([0.0, 1.0]), Fermions([0.0, 1.0])), [0.1, 0.2]), "one structured kind"),
    ],
)
def test_wrong_charges_and_targets(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_multipliers(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial": [0.1, 0.2]}, "`initial` must have one entry a charge"),
        ({"initial": [np.nan]}, "`initial` must be finite"),
        ({"reference": np.eye(3) / 3}, "dimension 2"),
        ({"reference": np.diag([1.0, 0.0])}, "positive definite"),
        ({"reference": np.array([[0.5, 1.0], [0.0, 0.5]])}, "Hermitian"),
        ({"target_covariance": [[1.0]], "copies": 3}, "Only one of"),
        ({"target_covariance": np.eye(2)}, "`target_covariance` must have shape"),
        ({"target_covariance": [-1.0]}, "variances >= 0"),
        ({"target_covariance": [np.nan]}, "finite"),
        ({"copies": 0}, "positive number"),
        ({"copies": [1, 2]}, "positive number"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        fit_multipliers((X,), [0.1], **options)


def test_references_of_other_kinds():
    with pytest.raises(ValueError, match="between 0 and inf"):
        fit_multipliers((Spectrum([0.0, 1.0]),), [0.1], reference=[1.0, 0.0])
    with pytest.raises(ValueError, match="one entry a level"):
        fit_multipliers((Spectrum([0.0, 1.0]),), [0.1], reference=[1.0])
    with pytest.raises(ValueError, match="one entry a mode"):
        fit_multipliers((Fermions([0.0, 1.0]),), [0.1], reference=[0.5])
    with pytest.raises(ValueError, match="between 0 and 1"):
        fit_multipliers((Fermions([0.0, 1.0]),), [0.1], reference=[0.5, 1.0])
    part = jg.operators.KroneckerSum((jg.operators.Dense(X), jg.operators.Dense(X)))
    with pytest.raises(ValueError, match="must be left out"):
        fit_multipliers((part,), [0.1], reference=np.eye(4) / 4)


@pytest.mark.parametrize("scales", [(1e100, 1.0), (1e200, 1.0), (1.0, 1e-200), (1e130, 1e-130)])
@pytest.mark.parametrize("kind", [Spectrum, Fermions, Dense])
def test_charges_may_be_measured_in_any_units(kind, scales):
    rng = np.random.default_rng(12)
    scales, exact = np.array(scales), np.array([0.3, -0.7])
    bare = rng.uniform(0.2, 1, size=(2, 5)) if kind is not Dense else np.stack([direction(rng, 5) for _ in range(2)])
    charges = tuple(kind(jnp.asarray(scale * values)) for scale, values in zip(scales, bare, strict=True))
    targets = generalized_gibbs_state(charges, jnp.asarray(exact / scales)).charge_expectations
    fit = fit_multipliers(charges, targets)
    assert fit.result == RESULTS.optimal
    np.testing.assert_allclose(np.asarray(fit.value) * scales, exact, rtol=1e-11)

    outside = fit_multipliers(charges, 6 * scales)
    assert outside.result == RESULTS.infeasible
    assert outside.stats["violation"] > 0
