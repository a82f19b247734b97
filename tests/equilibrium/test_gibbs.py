"""The Gibbs state of a matrix: every answer against its definition, at every temperature, in every number format."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

import jaxgibbs as jg
from gibbs_reference import (
    EPS,
    LEVELS,
    NAMES,
    A,
    B,
    H,
    chain,
    gibbs_matrix,
    hermitian,
    kubo_mori,
    rotated,
    thermal,
    unitary,
)
from jaxgibbs import models
from jaxgibbs.operators import Dense, SparseTerms, TermSum
from jaxgibbs.operators.local import embed, spin_matrices
from systems import exact_sums

# -- values -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.0, 0.7, -0.7, 3.0, -3.0, 25.0])
@pytest.mark.parametrize("kind", [float, complex])
def test_the_state_is_its_definition(kind, beta):
    matrix, a, b = rotated(LEVELS, kind), hermitian(6, 1, kind), hermitian(6, 2, kind)
    found, exact, rho = thermal(matrix, beta, a, b), exact_sums(LEVELS, beta), gibbs_matrix(matrix, beta)
    # Eigenvalues are known to a few eps ||H||, exponents to a few eps beta ||H||.
    rounding = 20 * EPS * (1 + abs(beta) * 1.2)
    for name in NAMES:
        value = exact.central_moment(2) if name == "energy_variance" else getattr(exact, name)
        np.testing.assert_allclose(found[name], value, rtol=rounding, atol=rounding, err_msg=name)
    np.testing.assert_allclose(found["free_energy"], -exact.log_partition / beta if beta else np.nan, rtol=rounding)
    p = np.exp(-beta * np.sort(LEVELS))
    np.testing.assert_allclose(found["populations"], p / p.sum(), rtol=rounding * 4)
    np.testing.assert_allclose(found["rho"], rho, atol=rounding)
    np.testing.assert_allclose(found["mean"], np.trace(rho @ a).real, atol=10 * rounding)
    np.testing.assert_allclose(found["purity"], np.trace(rho @ rho).real, rtol=4 * rounding)
    wanted = [np.log(6), exact.renyi_entropy(0.5), exact.renyi_entropy(2), exact.min_entropy]
    np.testing.assert_allclose(found["renyi"], wanted, rtol=4 * rounding)


@pytest.mark.parametrize("beta", [0.7, -2.0])
def test_kubo_mori_covariance_is_its_defining_integral(beta):
    np.testing.assert_allclose(thermal(H, beta, A, B)["covariance"], kubo_mori(H, beta, (A, B)), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("sign", [1, -1])
def test_zero_temperature(sign):
    ground = sign > 0
    for beta in (1e6, np.inf):
        found = thermal(H, sign * beta, A, B)
        basis = unitary(6)[:, :3] if ground else unitary(6)[:, 4:]
        projector = basis @ basis.conj().T
        degeneracy = basis.shape[1]
        edge = LEVELS[0] if ground else LEVELS[-1]
        # At 1e6 the exponents of degenerate levels differ by eps ||H|| beta = 2e-10.
        rounding = 20 * EPS * (1e6 if np.isfinite(beta) else 1)
        np.testing.assert_allclose(found["rho"], projector / degeneracy, atol=rounding)
        np.testing.assert_allclose(found["entropy"], np.log(degeneracy), rtol=rounding)
        np.testing.assert_allclose(found["energy"], edge, rtol=10 * EPS)
        np.testing.assert_allclose(found["free_energy"], edge, rtol=1e-5 if np.isfinite(beta) else 10 * EPS)
        assert abs(found["heat_capacity"]) <= rounding**2
        np.testing.assert_allclose(found["renyi"][1:], np.log(degeneracy), rtol=rounding)
        np.testing.assert_allclose(found["renyi"][0], np.log(6 if np.isfinite(beta) else degeneracy), rtol=rounding)
        inside = [basis.conj().T @ x @ basis for x in (A, B)]
        means = [np.trace(x).real / degeneracy for x in inside]
        curie = [
            [np.trace(x @ y).real / degeneracy - m * n for y, n in zip(inside, means, strict=True)]
            for x, m in zip(inside, means, strict=True)
        ]
        # What is left is van Vleck's part, 2 sum |V|^2 / (gap beta), of order 1e-5 at beta = 1e6.
        np.testing.assert_allclose(found["covariance"], curie, atol=1e-4 if np.isfinite(beta) else 100 * EPS)


def test_an_offset_of_1e8_costs_only_its_own_rounding():
    diagonal = np.diag([0.0, 0.0, 0.5, 1.25, 3.0])
    for beta in (1.0, -1.0, 60.0):
        exact = exact_sums(np.diag(diagonal), beta)
        state = jg.gibbs_state(diagonal + 1e8 * np.eye(5), beta)
        for name in ("entropy", "heat_capacity", "energy_variance"):  # a diagonal matrix is decomposed without rounding
            value = exact.central_moment(2) if name == "energy_variance" else getattr(exact, name)
            np.testing.assert_allclose(getattr(state, name), value, rtol=16 * EPS * (1 + abs(beta) * 3), err_msg=name)
        np.testing.assert_allclose(state.energy - 1e8, exact.energy, atol=1e8 * EPS)
    shifted = thermal(H + 1e8 * np.eye(6), 0.7, A, B)
    plain = thermal(H, 0.7, A, B)
    for name in ("entropy", "heat_capacity", "rho", "mean", "covariance", "renyi", "populations"):
        np.testing.assert_allclose(shifted[name], plain[name], atol=20 * 1e8 * EPS, err_msg=name)


def test_low_temperature_entropy_of_a_matrix_keeps_its_relative_accuracy():
    # sigma_x (x) sigma_x has the exact eigenvalues -1, -1, 1, 1 up to one rounding; gaps decide S ~ beta gap e^{-beta gap}.
    matrix = np.diag([0.0, 0.75, 0.75, 2.0])
    for beta in (50.0, 400.0, -400.0):
        exact = exact_sums(np.diag(matrix), beta)
        state = jg.gibbs_state(matrix, beta)
        assert 0 < exact.entropy < 1e-13
        np.testing.assert_allclose(state.entropy, exact.entropy, rtol=16 * EPS * 2 * abs(beta))
        np.testing.assert_allclose(state.heat_capacity, exact.heat_capacity, rtol=16 * EPS * 2 * abs(beta))


def test_one_dimension():
    for beta in (0.0, 1.5, -1e6, np.inf):
        state = jg.gibbs_state([[2.5]], beta)
        assert state.energy == 2.5
        assert state.entropy == state.heat_capacity == state.covariance([[3.0]], [[3.0]]) == 0
        assert state.expectation([[3.0]]) == 3
        assert state.density_matrix() == 1
    higher = jax.grad(jax.grad(lambda beta: jg.log_partition([[2.5]], beta)))
    assert higher(0.3) == 0
    assert jax.grad(higher)(0.3) == 0


# -- blocks and formats ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_blocks_change_nothing():
    hamiltonian = chain()
    spins = [embed(spin_matrices(0.5)[k], 1, (2,) * 4) for k in range(3)]
    total = sum(embed(spin_matrices(0.5)[2], k, (2,) * 4) for k in range(4))
    terms = TermSum({"total": 1.0, "one": -2.0}, SparseTerms.from_matrices({"total": total, "one": spins[2]}))

    @jax.jit
    def answers(operator):
        state = jg.gibbs_state(operator, 0.8)
        # S_x and S_y leave the blocks; S_z keeps them, as an array unknowingly, as terms knowingly.
        return [
            *(getattr(state, name) for name in (*NAMES, "purity", "populations")),
            state.density_matrix(),
            state.covariance_matrix((*spins, total)),
            state.covariance_matrix((terms, hamiltonian)),
            jnp.stack([state.expectation(o) for o in (*spins, terms, hamiltonian)]),
            state.spectrum.levels(),
        ]

    whole = Dense(hamiltonian.to_dense())
    for blocked, dense in zip(answers(hamiltonian), answers(whole), strict=True):
        np.testing.assert_allclose(blocked, dense, rtol=1e-12, atol=1e-13)
    blocked = jg.thermal_spectrum(hamiltonian)
    assert "blocks" in blocked.explain()
    assert "one real block of 16" in jg.thermal_spectrum(whole).explain()
    energies, vectors = blocked.eigenbasis()
    np.testing.assert_allclose(vectors @ np.diag(energies) @ vectors.conj().T, hamiltonian.to_dense(), atol=1e-13)


def test_levels_only_answers_everything_and_decomposes_again_when_it_must():
    observable = embed(spin_matrices(0.5)[0], 0, (2,) * 4)

    def answers(only):
        state = jg.gibbs_state(chain(), 0.8, method=jg.Exact(levels_only=only))
        values = [getattr(state, name) for name in (*NAMES, "purity")]
        return [*values, state.covariance(observable, observable), state.density_matrix()]

    for cheap, full in zip(jax.jit(lambda: answers(True))(), jax.jit(lambda: answers(False))(), strict=True):
        np.testing.assert_allclose(cheap, full, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "given",
    [
        [[0, 1], [1, 2]],
        np.array([[0, 1], [1, 2]]),
        np.matrix([[0, 1], [1, 2]]),
        scipy.sparse.csr_matrix(np.array([[0, 1], [1, 2]])),
        np.array([[0, 1], [1, 2]], complex),
        jnp.array([[0, 1], [1, 2]], jnp.int8),
        Dense([[0, 1], [1, 2]]),
        Dense([[0, 0], [0, 1]]) * 2 + Dense([[0, 1], [1, 0]]),
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_hamiltonian_may_come_as_anything_that_is_a_matrix(given):
    levels = np.array([1 - np.sqrt(2), 1 + np.sqrt(2)])
    state = jg.gibbs_state(given, 1)
    assert state.log_partition.dtype == state.beta.dtype == jnp.float64
    np.testing.assert_allclose(state.log_partition, np.log(np.exp(-levels).sum()), rtol=1e-14)
    np.testing.assert_allclose(state.expectation([[1, 0], [0, -1]]), jg.expectation(given, 1.0, np.diag([1.0, -1.0])))
    assert state.expectation(given) == pytest.approx(float(state.energy), rel=1e-14)


@pytest.mark.parametrize("kind", [float, complex])
@pytest.mark.parametrize("unit", [1.0, 1e-20])
def test_single_precision(kind, unit):
    dtype = jnp.float32 if kind is float else jnp.complex64
    matrix = jnp.asarray(rotated(LEVELS, kind) * unit, dtype)
    beta = jnp.float32(0.7 / unit)
    found = thermal(matrix, beta, A, B)
    eps = float(jnp.finfo(jnp.float32).eps)
    exact = exact_sums(LEVELS * unit, float(beta))
    for name in ("log_partition", "energy", "entropy", "heat_capacity"):
        assert found[name].dtype == jnp.float32
        np.testing.assert_allclose(found[name], getattr(exact, name), rtol=20 * eps * 2, atol=0, err_msg=name)
    assert found["rho"].dtype == dtype
    np.testing.assert_allclose(found["rho"], gibbs_matrix(rotated(LEVELS, kind), 0.7), atol=20 * eps)
    slopes = jax.jit(jax.grad(jg.heat_capacity, argnums=(0, 1)))(matrix, beta)
    wide = jax.jit(jax.grad(jg.heat_capacity, argnums=(0, 1)))(rotated(LEVELS, kind), 0.7)
    np.testing.assert_allclose(slopes[1], wide[1] * unit, rtol=200 * eps)
    np.testing.assert_allclose(slopes[0], wide[0] / unit, atol=200 * eps / unit)


@pytest.mark.parametrize("beta", [1e6, -1e6, np.inf])
def test_single_precision_does_not_overflow(beta):
    found = thermal(jnp.asarray(H * 100, jnp.complex64), jnp.float32(beta), A, B)
    for name in ("energy", "entropy", "heat_capacity", "rho", "mean", "covariance", "renyi", "populations", "purity"):
        assert np.all(np.isfinite(found[name])), name


def test_beta_and_hamiltonian_of_different_precision():
    functions = (jg.log_partition, jg.energy, jg.entropy, jg.heat_capacity, jg.free_energy)
    compute = jax.jit(lambda matrix, beta: [jax.value_and_grad(function, 1)(matrix, beta) for function in functions])
    for matrix, beta in ((jnp.asarray(H, jnp.complex64), jnp.float64(0.7)), (jnp.asarray(H), jnp.float32(0.7))):
        for value, slope in compute(matrix, beta):
            assert value.dtype == matrix.real.dtype
            assert slope.dtype == beta.dtype


# -- transforms ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_jit_vmap_and_pytrees():
    hamiltonian = chain()
    leaves, structure = jax.tree_util.tree_flatten(hamiltonian)
    again = jax.tree_util.tree_unflatten(structure, leaves)
    assert hash(again.terms) == hash(hamiltonian.terms)
    assert again.terms == hamiltonian.terms
    fields = jnp.linspace(0.1, 0.9, 5)
    batch = jax.vmap(lambda field: models.xxz_chain(4, 1.1, 0.6, field=field))(fields)
    mapped = jax.jit(jax.vmap(jg.thermodynamics, (0, None)))(batch, 0.8)
    for k, field in enumerate(fields):
        one = jg.thermodynamics(models.xxz_chain(4, 1.1, 0.6, field=field), 0.8)
        np.testing.assert_allclose(mapped.heat_capacity[k], one.heat_capacity, rtol=1e-12)
    stack = jax.vmap(Dense)(jnp.stack([H, H + B, B]))
    np.testing.assert_allclose(
        jax.vmap(lambda h: jg.energy(2.0 * h, 0.4))(stack)[1], jg.energy(2 * (H + B), 0.4), rtol=1e-12
    )
    betas = jnp.array([-np.inf, -1.0, 0.0, 1.0, np.inf])
    spectrum = jg.thermal_spectrum(H)
    np.testing.assert_allclose(jax.vmap(spectrum.entropy)(betas), [spectrum.at(b).entropy for b in betas], rtol=1e-12)


def test_other_values_do_not_compile_again():
    count = 0

    @jax.jit
    def evaluate(hamiltonian, beta):
        nonlocal count
        count += 1
        return jg.gibbs_state(hamiltonian, beta).energy

    for coupling in (1, 2.0, np.float64(0.3), jnp.asarray(0.5)):
        evaluate(models.heisenberg_chain(3, coupling), jnp.asarray(0.5))
    assert count == 1
    evaluate(models.heisenberg_chain(4, 1.0), jnp.asarray(0.5))
    assert count == 2
    for factor in (1.0, 2.0):
        evaluate(factor * Dense(H) + Dense(factor * B), jnp.asarray(0.5))
    assert count == 3
