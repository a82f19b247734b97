"""Laws of equilibrium, for random Hamiltonians with degenerate and nearly degenerate levels, at either sign of beta."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxgibbs as jg
from jaxgibbs.operators import KroneckerSum, Spectrum

DIM = 4
EPS = np.finfo(float).eps
settings.register_profile("laws", settings.get_profile("jaxgibbs"), max_examples=40)
law = settings(settings.get_profile("laws"))

levels = st.lists(st.sampled_from([-2.0, -0.7, -0.7 + 1e-12, -0.7 + 1e-6, 0.0, 0.3, 1.5]), min_size=DIM, max_size=DIM)
seeds = st.integers(0, 2**32 - 1)
betas = st.one_of(st.floats(-30, 30), st.sampled_from([0.0, 1e-9, 1e4, -1e4, np.inf, -np.inf]))
moderate = st.floats(-5, 5)


def unitary(seed):
    rng = np.random.default_rng(seed)
    return np.linalg.qr(rng.normal(size=(DIM, DIM)) + 1j * rng.normal(size=(DIM, DIM)))[0]


def hermitian(energies, seed):
    basis = unitary(seed)
    matrix = (basis * np.array(energies)) @ basis.conj().T
    return (matrix + matrix.conj().T) / 2


hamiltonians = st.builds(hermitian, levels, seeds)


@jax.jit
def _thermal(matrix, beta):
    state = jg.gibbs_state(matrix, beta)
    names = ("log_partition", "energy", "entropy", "heat_capacity", "purity")
    return {name: getattr(state, name) for name in names} | {"rho": state.density_matrix()}


def thermal(matrix, beta):
    return {
        name: np.asarray(value)
        for name, value in _thermal(jnp.asarray(matrix, complex), jnp.asarray(float(beta))).items()
    }


def rounding(beta, *matrices):
    """A few roundings of exponents `beta E`; at infinite `beta` of `E` alone."""
    size = sum(np.linalg.norm(matrix, 2) for matrix in matrices)
    return 40 * EPS * (1 + (abs(beta) if np.isfinite(beta) else 1) * size)


@law
@given(hamiltonians, betas)
def test_a_state_is_a_state(matrix, beta):
    found, tolerance = thermal(matrix, beta), rounding(beta, matrix)
    rho = found["rho"]
    assert abs(np.trace(rho) - 1) <= 40 * EPS
    assert np.min(np.linalg.eigvalsh(rho)) >= -10 * EPS
    assert np.linalg.norm(rho - rho.conj().T) <= 10 * EPS
    assert np.linalg.norm(matrix @ rho - rho @ matrix) <= 40 * EPS * (1 + np.linalg.norm(matrix))
    assert 0 <= found["entropy"] <= np.log(DIM) + tolerance
    assert found["heat_capacity"] >= 0
    assert 1 / DIM - tolerance <= found["purity"] <= 1 + tolerance
    assert abs(found["energy"] - np.trace(rho @ matrix).real) <= 40 * EPS * (1 + np.linalg.norm(matrix))
    if np.isfinite(beta):
        assert abs(found["entropy"] - found["log_partition"] - beta * found["energy"]) <= tolerance


@law
@given(hamiltonians, betas, seeds)
def test_a_change_of_basis_changes_the_basis(matrix, beta, seed):
    basis = unitary(seed)
    turned = basis @ matrix @ basis.conj().T
    first, second = thermal(matrix, beta), thermal((turned + turned.conj().T) / 2, beta)
    split = np.diff(np.linalg.eigvalsh(matrix))
    if np.isinf(beta) and np.any((split > EPS) & (split < 1e-10)):
        return  # which of these levels are one is a matter of the tolerance, on which rounding decides
    tolerance = rounding(beta, matrix)
    for name in ("log_partition", "energy", "entropy", "heat_capacity", "purity"):
        np.testing.assert_allclose(second[name], first[name], rtol=tolerance, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(second["rho"], basis @ first["rho"] @ basis.conj().T, atol=tolerance)


@law
@given(hamiltonians, betas, st.floats(-100, 100))
def test_a_shift_of_energy_shifts_the_energy(matrix, beta, shift):
    first, second = thermal(matrix, beta), thermal(matrix + shift * np.eye(DIM), beta)
    split = np.diff(np.linalg.eigvalsh(matrix))
    if np.isinf(beta) and np.any((split > EPS) & (split < 1e-10)):
        return  # as above
    tolerance = rounding(beta, matrix, shift * np.eye(DIM))
    np.testing.assert_allclose(second["energy"], first["energy"] + shift, atol=tolerance)
    for name in ("entropy", "heat_capacity", "purity", "rho"):
        np.testing.assert_allclose(second[name], first[name], atol=tolerance, err_msg=name)


@law
@given(hamiltonians, betas)
def test_negative_temperature_is_the_mirror_image(matrix, beta):
    first, second = thermal(matrix, beta), thermal(-matrix, -beta)
    tolerance = rounding(beta, matrix)
    np.testing.assert_allclose(second["energy"], -first["energy"], atol=tolerance)
    for name in ("log_partition", "entropy", "heat_capacity", "rho"):
        np.testing.assert_allclose(second[name], first[name], rtol=tolerance, atol=tolerance, err_msg=name)


@law
@given(hamiltonians, hamiltonians, moderate)
def test_peierls_and_bogoliubov(matrix, trial, beta):
    """`-ln Z(H) <= -ln Z(H_0) + beta <H - H_0>_0`."""
    found, bound = thermal(matrix, beta), thermal(trial, beta)
    mean = np.trace(bound["rho"] @ (matrix - trial)).real
    assert found["log_partition"] >= bound["log_partition"] - beta * mean - rounding(beta, matrix, trial)


@law
@given(hamiltonians, hamiltonians)
def test_golden_and_thompson(a, b):
    """`Tr e^{A + B} <= Tr e^A e^B`."""
    product = np.trace(scipy.linalg.expm(a) @ scipy.linalg.expm(b)).real
    assert thermal(-(a + b), 1.0)["log_partition"] <= np.log(product) + rounding(1.0, a, b)


@law
@given(hamiltonians, moderate, moderate)
def test_the_entropy_is_the_legendre_transform(matrix, beta, other):
    """`S(U) = min_b [ln Z(b) + b U]`, taken at the `b` that has this `U`."""
    state, trial = thermal(matrix, beta), thermal(matrix, other)
    assert state["entropy"] <= trial["log_partition"] + other * state["energy"] + rounding(
        abs(beta) + abs(other), matrix
    )


def test_the_minimum_is_reached_at_the_fitted_beta():
    matrix = hermitian([-2.0, -0.7, -0.7, 1.5], 3)
    for beta in (-2.0, 0.0, 0.6, 5.0):
        state = thermal(matrix, beta)
        fitted = jg.fit_beta(matrix, energy=state["energy"]).value
        np.testing.assert_allclose(fitted, beta, rtol=1e-9, atol=1e-9)  # of the energy to eps, over its slope Var(H)
        lowest = thermal(matrix, float(fitted))["log_partition"] + fitted * state["energy"]
        np.testing.assert_allclose(lowest, state["entropy"], rtol=1e-12)  # stationary in beta


@law
@given(hamiltonians, st.lists(st.floats(-30, 30), min_size=3, max_size=3, unique=True))
def test_energy_falls_and_entropy_peaks_at_beta_zero(matrix, points):
    points = sorted(points)
    states = [thermal(matrix, beta) for beta in points]
    tolerance = rounding(30, matrix)
    for (low, warm), (high, cold) in itertools.pairwise(zip(points, states, strict=True)):
        assert cold["energy"] <= warm["energy"] + tolerance
        if low >= 0:
            assert cold["entropy"] <= warm["entropy"] + tolerance
        if high <= 0:
            assert cold["entropy"] >= warm["entropy"] - tolerance


@jax.jit
def _generalized(charges, multipliers):
    state = jg.generalized_gibbs_state(tuple(charges), multipliers)
    return state.log_partition, state.charge_expectations, state.charge_covariance


@law
@given(hamiltonians, hamiltonians, st.lists(moderate, min_size=4, max_size=4))
def test_the_dual_is_convex_and_its_hessian_positive(a, b, multipliers):
    charges, (first, second) = jnp.array([a, b]), np.array(multipliers).reshape(2, 2)
    tolerance = rounding(5, a, b)
    ends = [_generalized(charges, jnp.array(m)) for m in (first, second)]
    middle = _generalized(charges, jnp.array((first + second) / 2))
    assert middle[0] <= (ends[0][0] + ends[1][0]) / 2 + tolerance
    assert ends[1][0] >= ends[0][0] - ends[0][1] @ (second - first) - tolerance  # above its tangents
    covariance = np.asarray(middle[2])
    np.testing.assert_allclose(covariance, covariance.T, atol=tolerance)
    assert np.min(np.linalg.eigvalsh(covariance)) >= -tolerance
    # Kubo and Mori's variance is at most the ordinary one.
    weight = scipy.linalg.expm(-np.einsum("k,kij->ij", (first + second) / 2, charges))
    rho = weight / np.trace(weight)
    for k, charge in enumerate((a, b)):
        ordinary = np.trace(rho @ charge @ charge).real - np.trace(rho @ charge).real ** 2
        assert covariance[k, k] <= ordinary + 10 * tolerance


@jax.jit
def _product(first, second, beta):
    state = jg.gibbs_state(KroneckerSum([first, second]), beta)
    return state.log_partition, state.energy, state.entropy, state.heat_capacity, state.density_matrix()


@law
@given(hamiltonians, hamiltonians, st.floats(-20, 20))
def test_independent_parts_add(first, second, beta):
    one, two = thermal(first, beta), thermal(second, beta)
    *found, rho = _product(jnp.asarray(first), jnp.asarray(second), beta)
    tolerance = rounding(beta, first, second)
    for name, value in zip(("log_partition", "energy", "entropy", "heat_capacity"), found, strict=True):
        np.testing.assert_allclose(value, one[name] + two[name], rtol=tolerance, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(rho, np.kron(one["rho"], two["rho"]), atol=10 * tolerance)


@jax.jit
def _of_levels(energies, log_degeneracies, beta):
    t = jg.thermodynamics(Spectrum(energies, log_degeneracies), beta)
    return t.log_partition, t.energy, t.entropy, t.heat_capacity


@law
@given(st.integers(1, DIM - 1), seeds, st.floats(-20, 20))
def test_a_matrix_is_its_levels_with_their_degeneracies(ground, seed, beta):
    degeneracies = np.array([ground, DIM - ground])
    energies = np.array([-0.7, 1.1])
    matrix = hermitian(np.repeat(energies, degeneracies), seed)
    found = _of_levels(jnp.asarray(energies), jnp.log(jnp.asarray(degeneracies, float)), beta)
    tolerance = rounding(beta, matrix)
    for name, value in zip(("log_partition", "energy", "entropy", "heat_capacity"), found, strict=True):
        np.testing.assert_allclose(thermal(matrix, beta)[name], value, rtol=tolerance, atol=tolerance, err_msg=name)


@jax.jit
def _heat_capacities(matrix, grid):
    return jax.vmap(jg.thermal_spectrum(matrix).heat_capacity)(grid)


@law
@given(st.lists(st.sampled_from([0.0, 0.5, 2.0, 2.5]), min_size=DIM, max_size=DIM), seeds)
def test_the_heat_capacity_integrates_to_the_entropy(energies, seed):
    """`integral_0^inf C dT / T = ln d - ln g_0`: over `t = ln beta`, where C is smooth and decays at both ends."""
    step = 0.05
    grid = np.arange(-20, 6, step)  # C ~ e^{2 t} below, and e^{-gap beta} above: e^-200
    heat = _heat_capacities(jnp.asarray(hermitian(energies, seed)), jnp.exp(grid))
    ground = energies.count(min(energies))
    np.testing.assert_allclose(step * np.sum(heat), np.log(DIM / ground), atol=1e-11)
