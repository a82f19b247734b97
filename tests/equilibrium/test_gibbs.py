"""The Gibbs state of a matrix: every answer against its definition, at every temperature, in every number format."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.operators import Dense, Scaled, SparseTerms, Spectrum, Sum, TermSum, bell_basis, hermitian_gradient
from jaxgibbs.operators.local import embed, pauli_matrices, spin_matrices
from systems import exact_sums

EPS = np.finfo(float).eps
LEVELS = np.array([-1.2, -1.2, -1.2, 0.4, 0.9, 0.9])
NAMES = ("log_partition", "energy", "energy_variance", "entropy", "heat_capacity")


def unitary(dim, seed=0, kind=complex):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(dim, dim)) + (1j * rng.normal(size=(dim, dim)) if kind is complex else 0)
    return np.linalg.qr(matrix)[0]


def hermitian(dim, seed, kind=complex):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(dim, dim)) + (1j * rng.normal(size=(dim, dim)) if kind is complex else 0)
    return (matrix + matrix.conj().T) / 2


def rotated(levels, kind=complex, seed=0):
    basis = unitary(len(levels), seed, kind)
    matrix = (basis * levels) @ basis.conj().T
    return (matrix + matrix.conj().T) / 2


H = rotated(LEVELS)
A, B = hermitian(6, 1), hermitian(6, 2)


@jax.jit
def thermal(hamiltonian, beta, a, b):
    state = jg.gibbs_state(hamiltonian, beta)
    answers = {name: getattr(state, name) for name in (*NAMES, "purity", "free_energy", "populations")}
    answers["rho"] = state.density_matrix()
    answers["mean"], answers["covariance"] = state.expectation(a), state.covariance_matrix((a, b))
    answers["renyi"] = jnp.stack([state.renyi_entropy(order) for order in (0, 0.5, 2, np.inf)])
    return answers


def gibbs_matrix(matrix, beta):
    weight = scipy.linalg.expm(
        -beta * (matrix - np.linalg.eigvalsh(matrix)[0 if beta > 0 else -1] * np.eye(len(matrix)))
    )
    return weight / np.trace(weight)


def kubo_mori(matrix, beta, observables, points=16):
    """The defining integral by Gauss-Legendre quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    exponent = -beta * matrix
    exponent -= np.log(np.trace(scipy.linalg.expm(exponent)).real) * np.eye(len(matrix))  # ln rho
    total = 0
    for t, w in zip((nodes + 1) / 2, weights / 2, strict=True):
        left, right = scipy.linalg.expm((1 - t) * exponent), scipy.linalg.expm(t * exponent)
        total += w * np.array([[np.trace(left @ a @ right @ b).real for b in observables] for a in observables])
    means = [np.trace(scipy.linalg.expm(exponent) @ a).real for a in observables]
    return total - np.outer(means, means)


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


def chain():
    return models.xxz_chain(4, 1.1, 0.6, field=0.35)


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


# -- derivatives --------------------------------------------------------------------------------------------------------


def second_derivative_of_log_partition(hamiltonian):
    return jax.jit(lambda beta: beta**2 * jax.grad(jax.grad(lambda b: jg.log_partition(hamiltonian, b)))(beta))


@pytest.mark.parametrize(
    "hamiltonian",
    [
        Dense(H),
        Dense(rotated(np.array([0.0, 1e-12, 1e-9, 1e-5, 0.3, 0.3]))),
        chain(),
        Spectrum(LEVELS, np.log([1.0, 2, 3, 4, 5, 6])),
        jg.operators.Fermions([0.3, 0.3, -1.0]),
        jg.operators.Bosons([0.3, 0.3, 1.0]),
        jg.operators.KroneckerSum([H, Spectrum([0.0, 0.5]), jg.operators.Bosons([1.0])]),
    ],
    ids=lambda h: type(h).__name__,
)
def test_heat_capacity_is_the_second_derivative(hamiltonian):
    second = second_derivative_of_log_partition(hamiltonian)
    own = jax.jit(lambda beta: jg.gibbs_state(hamiltonian, beta).heat_capacity)
    for beta in (0.05, 0.7, 4.0, 40.0):
        assert abs(second(beta) - own(beta)) <= 1e-10 * max(float(own(beta)), 1e-6)


def test_derivatives_are_nan_at_infinite_beta_in_either_mode():
    functions = (jg.log_partition, jg.energy, jg.entropy, jg.heat_capacity, jg.free_energy)
    # One function at a time: in one Jacobian the zero cotangent of one times the NaN of another hides what each returns.
    derivatives = jax.jit(
        lambda *x: [mode(f, k)(*x) for f in functions for mode in (jax.jacfwd, jax.jacrev) for k in (0, 1)]
    )
    for beta in (np.inf, -np.inf):
        assert all(np.all(np.isnan(d)) for d in derivatives(H.real[:2, :2], beta))
    assert np.isnan(jax.grad(jg.free_energy, 1)(H, 0.0))


def test_the_gradient_in_a_matrix_and_its_convention():
    direction, beta = hermitian(6, 5), 0.8
    state = jg.gibbs_state(H, beta)

    def along(x):
        return jg.log_partition(H + x * direction, beta)

    for gradient in (
        hermitian_gradient(jg.log_partition)(jnp.asarray(H), beta),
        hermitian_gradient(jg.log_partition)(Dense(H), beta).matrix,
    ):
        np.testing.assert_allclose(gradient, -beta * state.density_matrix(), atol=1e-13)
        np.testing.assert_allclose(np.trace(gradient @ direction).real, jax.grad(along)(0.0), rtol=1e-12)
    # What JAX itself returns is the conjugate, for a complex matrix; the same for a real one.
    np.testing.assert_allclose(
        jax.grad(jg.log_partition)(jnp.asarray(H), beta), -beta * state.density_matrix().conj(), atol=1e-13
    )
    real = rotated(LEVELS, float)
    expected = -beta * jg.gibbs_state(real, beta).density_matrix()
    np.testing.assert_allclose(jax.grad(jg.log_partition)(jnp.asarray(real), beta), expected, atol=1e-13)


def test_the_gradient_in_couplings_is_minus_beta_times_the_mean_of_their_terms():
    beta, hamiltonian = 0.8, chain()
    state = jg.gibbs_state(hamiltonian, beta)
    gradient = jax.grad(jg.log_partition)(hamiltonian, beta)
    forces = jg.generalized_forces(hamiltonian, beta)
    start = 0
    for name, size in hamiltonian.terms.sizes:
        one = np.zeros(hamiltonian.terms.count)
        means = []
        for k in range(start, start + size):
            couplings, one[:] = {}, 0
            one[k] = 1
            first = 0
            for other, count in hamiltonian.terms.sizes:
                couplings[other] = one[first : first + count].reshape(np.shape(hamiltonian.couplings[other]))
                first += count
            means.append(float(state.expectation(TermSum(couplings, hamiltonian.terms))))
        start += size
        np.testing.assert_allclose(np.ravel(gradient.couplings[name]), -beta * np.array(means), atol=1e-13)
        np.testing.assert_allclose(np.ravel(forces.couplings[name]), -np.array(means), atol=1e-13)


def test_the_gradient_of_sums_and_multiples():
    beta, a, b = 0.8, Dense(H), Dense(B)
    total = Sum((Scaled(0.7, a), Scaled(-1.3, b), a))
    gradient = jax.grad(jg.log_partition)(total, beta)
    state = jg.gibbs_state(total, beta)
    np.testing.assert_allclose(gradient.parts[0].factor, -beta * state.expectation(a), rtol=1e-12)
    np.testing.assert_allclose(gradient.parts[1].factor, -beta * state.expectation(b), rtol=1e-12)
    np.testing.assert_allclose(
        gradient.parts[0].operator.matrix.conj(), -beta * 0.7 * state.density_matrix(), atol=1e-13
    )


def test_generalised_forces():
    state = jg.gibbs_state(Spectrum(LEVELS), 0.8)
    np.testing.assert_allclose(jg.generalized_forces(Spectrum(LEVELS), 0.8).levels, -state.populations, atol=1e-14)
    length, beta = 1.7, 0.4

    def free_energy(length):
        return jg.free_energy(models.particle_in_box(length), beta)

    energy = jg.energy(models.particle_in_box(length), beta)
    np.testing.assert_allclose(-jax.grad(free_energy)(length), 2 * energy / length, rtol=1e-12)  # P L = 2 U
    plain = jg.generalized_forces([[0, 0], [0, 1]], 1.0)
    np.testing.assert_allclose(plain, -jg.gibbs_state([[0, 0], [0, 1]], 1.0).density_matrix(), atol=1e-15)
    assert np.all(np.isnan(jg.generalized_forces(np.diag([0.0, 1.0]), 0.0)))


def test_covariance_is_the_hessian_and_susceptibility_the_second_derivative_of_the_free_energy():
    beta = 0.9

    def log_partition(y):
        return jg.log_partition(H - (y[0] * A + y[1] * B) / beta, beta)

    @jax.jit
    def compute(f):
        second = jax.grad(jax.grad(lambda f: jg.free_energy(H - f * B, beta)))(f)
        return (
            jax.hessian(log_partition)(jnp.zeros(2)),
            -second,
            jax.grad(lambda f: jg.expectation(H - f * B, beta, A))(f),
        )

    hessian, second, shift = compute(0.0)
    state = jg.gibbs_state(H, beta)
    np.testing.assert_allclose(hessian, state.covariance_matrix((A, B)), rtol=1e-10)
    np.testing.assert_allclose(second, state.susceptibility(B, B), rtol=1e-10)
    np.testing.assert_allclose(shift, state.susceptibility(A, B), rtol=1e-10)
    assert np.isnan(jg.gibbs_state(H, np.inf).susceptibility(A, B))


def test_low_temperature_susceptibility_is_curie_and_van_vleck():
    levels, beta = np.array([0.0, 0.0, 0.7, 1.5]), 2e3
    matrix, v = rotated(levels, seed=4), hermitian(4, 3)
    inner = unitary(4, 4).conj().T @ v @ unitary(4, 4)
    mean = np.trace(inner[:2, :2]).real / 2
    curie = beta * (np.sum(abs(inner[:2, :2]) ** 2) / 2 - mean**2)
    van_vleck = sum(2 * abs(inner[i, e]) ** 2 / levels[e] for i in (0, 1) for e in (2, 3)) / 2
    # Rounding splits the ground level by a few eps, which beta multiplies.
    found = jg.gibbs_state(matrix, beta).susceptibility(v, v)
    np.testing.assert_allclose(found, curie + van_vleck, rtol=20 * EPS * beta)
    cold = jg.gibbs_state(np.diag([0.0, 1.0]), 1e6)
    assert cold.susceptibility(np.array([[0, 1.0], [1, 0]]), np.array([[0, 1.0], [1, 0]])) == pytest.approx(2, rel=1e-9)


def test_derivatives_of_expectations_at_degeneracy_do_not_depend_on_the_basis():
    curvature = jax.jit(lambda matrix: jax.hessian(lambda x: jg.expectation(matrix + x * B, 0.9, A))(0.0))
    inside = scipy.linalg.block_diag(unitary(3, 7), np.eye(1), unitary(2, 8))
    basis = unitary(6) @ inside
    again = (basis * LEVELS) @ basis.conj().T
    again = (again + again.conj().T) / 2
    np.testing.assert_allclose(curvature(H), curvature(again), rtol=1e-9)
    np.testing.assert_allclose(thermal(H, 0.9, A, B)["rho"], thermal(again, 0.9, A, B)["rho"], atol=1e-14)


def test_populations_have_a_derivative_where_their_level_does():
    def populations(matrix, x, beta):
        return jg.gibbs_state(matrix + x * jnp.diag(jnp.eye(len(matrix))[0]), beta).populations

    slopes = jax.jit(lambda *x: (jax.jacfwd(populations, 1)(*x), jax.jacfwd(populations, 2)(*x)))
    for levels, simple in (([0.0, 0.5, 0.5, 2.0], False), ([0.0, 0.5, 2.0], True)):
        levels = np.array(levels)
        p = np.exp(-levels) / np.exp(-levels).sum()
        in_level, in_beta = slopes(np.diag(levels), 0.0, 1.0)
        np.testing.assert_allclose(in_beta, p * (p @ levels - levels), rtol=1e-13)
        if simple:
            np.testing.assert_allclose(in_level, p[0] * p - np.array([p[0], 0, 0]), rtol=1e-13)
        else:  # the degenerate levels have kinks, and every population contains them
            assert np.isnan(in_level).any()


def test_the_likeliest_level_moves_the_min_entropy():
    simple = jnp.diag(jnp.array([0.3, 1.0, 1.7]))
    gradient = jax.grad(lambda m: jg.gibbs_state(m, 2.0).renyi_entropy(np.inf))(simple)
    p = np.exp(-2 * np.array([0.3, 1.0, 1.7]))
    np.testing.assert_allclose(np.diag(gradient), 2 * (np.array([1, 0, 0]) - p / p.sum()), rtol=1e-12)
    degenerate = jax.grad(lambda m: jg.gibbs_state(m, 2.0).renyi_entropy(np.inf))(jnp.diag(jnp.array([0.3, 0.3, 1.7])))
    assert np.isnan(degenerate).any()  # a maximum of two equal numbers has no derivative


# -- levels, bases, parts ----------------------------------------------------------------------------------------------


def test_level_projectors():
    state = jg.gibbs_state(H, 0.9)
    levels = state.level_projectors()
    np.testing.assert_allclose(levels.energies, [-1.2, 0.4, 0.9], atol=1e-14)
    np.testing.assert_array_equal(levels.degeneracies, [3, 1, 2])
    assert np.all(np.asarray(levels.diameters) < 20 * EPS)
    projectors = np.asarray(levels.projectors)
    np.testing.assert_allclose(projectors.sum(0), np.eye(6), atol=1e-14)
    np.testing.assert_allclose(np.einsum("a,aij->ij", levels.energies, projectors), H, atol=1e-14)
    np.testing.assert_allclose(
        np.einsum("aij,bjk->abik", projectors, projectors)[[0, 1, 2], [0, 1, 2]], projectors, atol=1e-14
    )
    weights = np.exp(-0.9 * levels.energies) / np.exp(state.log_partition)
    np.testing.assert_allclose(np.einsum("a,aij->ij", weights, projectors), state.density_matrix(), atol=1e-14)


def test_level_projectors_by_blocks_and_of_a_spectrum():
    hamiltonian = models.heisenberg_chain(3, 1.0)
    levels = jg.gibbs_state(hamiltonian, 1.0).level_projectors()
    np.testing.assert_array_equal(levels.degeneracies, [2, 2, 4])
    np.testing.assert_allclose(
        np.einsum("a,aij->ij", levels.energies, levels.projectors), hamiltonian.to_dense(), atol=1e-14
    )
    levels = jg.gibbs_state(Spectrum([2.0, 0.0, 2.0]), 1.0).level_projectors()
    np.testing.assert_array_equal(levels.degeneracies, [1, 2])
    np.testing.assert_array_equal(levels.projectors[1], np.diag([1.0, 0, 1]))


def test_levels_are_told_apart_by_a_tolerance():
    state = jg.gibbs_state(np.diag([0.0, 1e-6, 1.0]), 1.0)
    np.testing.assert_array_equal(state.level_projectors().degeneracies, [1, 1, 1])
    with pytest.warns(UserWarning, match="may be several levels"):
        wide = state.level_projectors(tolerance=2e-6)
    np.testing.assert_array_equal(wide.degeneracies, [2, 1])
    np.testing.assert_allclose(wide.diameters, [1e-6, 0])
    np.testing.assert_array_equal(state.level_projectors(tolerance=1e-4).degeneracies, [2, 1])
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="`tolerance` must be a non-negative energy"):
            state.level_projectors(wrong)
    with pytest.raises(ValueError, match="outside `jit`"):
        jax.jit(lambda m: jg.gibbs_state(m, 1.0).level_projectors().energies)(H)


def test_too_many_projectors_are_refused(monkeypatch):
    monkeypatch.setattr("jaxgibbs.equilibrium.projectors._LARGEST_STACK", 100)
    with pytest.raises(ValueError, match="at most 100 numbers, but 3 levels of dimension 6 take 108"):
        jg.gibbs_state(H, 1.0).level_projectors()


def test_a_diagonal_state_is_coherent_in_the_bell_basis():
    basis = bell_basis()
    np.testing.assert_allclose(basis.T @ basis, np.eye(4), atol=1e-15)
    state = jg.gibbs_state(np.diag([0.3, 0.9, -0.4, 1.1]), 1.3)
    uu, ud, du, dd = np.diag(state.density_matrix())
    bell = state.in_basis(basis)
    np.testing.assert_allclose(bell[0, 1], (uu - dd) / 2, atol=1e-15)  # <Phi+|rho|Phi->
    np.testing.assert_allclose(bell[2, 3], (ud - du) / 2, atol=1e-15)  # <Psi+|rho|Psi->
    np.testing.assert_allclose(np.diag(bell), [(uu + dd) / 2] * 2 + [(ud + du) / 2] * 2, atol=1e-15)
    with pytest.raises(ValueError, match="`basis` must have 4 rows"):
        state.in_basis(np.eye(3))
    singlet = jg.gibbs_state(models.heisenberg_chain(2, 1.0), np.inf).in_basis(basis)
    np.testing.assert_allclose(singlet, np.diag([0.0, 0, 0, 1]), atol=1e-15)  # the ground state of J S.S is Psi-


def test_reduced_states():
    sx, _, sz = spin_matrices(0.5)
    matrix = 0.7 * np.kron(sz, np.eye(3)) + np.kron(sx, hermitian(3, 9)) + np.kron(np.eye(2), hermitian(3, 10))
    state = jg.gibbs_state(matrix, 0.8)
    tensor = np.asarray(state.density_matrix()).reshape(2, 3, 2, 3)
    np.testing.assert_allclose(state.reduced((2, 3), 0), np.einsum("ajbj->ab", tensor), atol=1e-15)
    np.testing.assert_allclose(state.reduced((2, 3), 1), np.einsum("ajak->jk", tensor), atol=1e-15)
    swapped = state.reduced((2, 3), (1, 0)).reshape(3, 2, 3, 2)
    np.testing.assert_allclose(swapped, tensor.transpose(1, 0, 3, 2), atol=1e-15)
    for wrong, message in (((2, 2), "multiply to"), ((2, 3, 1), "`keep`")):
        with pytest.raises(ValueError, match=message):
            state.reduced(wrong, 5)


# -- transforms ---------------------------------------------------------------------------------------------------------


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


# -- misuse --------------------------------------------------------------------------------------------------------------

NOT_HERMITIAN = np.array([[0.0, 1.0], [2.0, 0.0]])


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (NOT_HERMITIAN, "must be Hermitian, but the norm of .* is 1.41, above the tolerance 2.24e-10 for float64"),
        (NOT_HERMITIAN * 1e200, "must be Hermitian"),
        (NOT_HERMITIAN * 1e-200, "must be Hermitian"),
        (NOT_HERMITIAN.astype(np.float32), "for float32"),
        (np.array([[0, 1j], [1j, 0]]), "must be Hermitian"),
        (np.array([[np.nan, 0], [0, 1]]), "must be finite"),
        (np.array([[np.inf, 0], [0, 1]]), "must be finite"),
        (np.zeros((2, 3)), "square matrix with at least one row"),
        (np.zeros((0, 0)), "square matrix with at least one row"),
        (np.zeros(3), "square matrix"),
        (np.zeros((4, 2, 2)), "map over it with `jax.vmap`"),
        (np.float64(2.0), "square matrix"),
        (np.eye(2, dtype=np.float16), "single or double precision"),
    ],
)
def test_matrices_that_are_none(matrix, message):
    for function in (jg.log_partition, jg.gibbs_state, jg.thermodynamics, jg.generalized_forces):
        with pytest.raises(ValueError, match=message):
            function(matrix, 1.0)


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_under_a_trace_a_matrix_that_is_not_hermitian_gives_nan(scale):
    @jax.jit
    def answers(matrix):
        state = jg.gibbs_state(matrix, 1.0)
        return state.log_partition, state.energy, state.expectation(np.eye(2)), jax.grad(jg.log_partition)(matrix, 1.0)

    for answer in answers(NOT_HERMITIAN * scale):
        assert np.all(np.isnan(answer))
    assert np.all(np.isnan(jax.jit(lambda a: jg.gibbs_state(np.eye(2), 1.0).expectation(a))(NOT_HERMITIAN * scale)))
    assert np.all(np.isnan(jax.jit(lambda a: jg.gibbs_state(np.eye(2), 1.0).covariance(a, a))(NOT_HERMITIAN * scale)))


def test_values_that_are_no_numbers_under_a_trace_give_nan():
    compiled = jax.jit(lambda coupling, beta: jg.thermodynamics(models.heisenberg_chain(3, coupling), beta))
    for coupling, beta in ((np.nan, 1.0), (np.inf, 1.0), (1.0, np.nan)):
        assert all(np.isnan(leaf) for leaf in jax.tree_util.tree_leaves(compiled(coupling, beta)))


@pytest.mark.parametrize(
    ("beta", "message"),
    [
        (np.nan, "but is NaN"),
        ([1.0, 2.0], "map over temperatures with `jax.vmap`"),
        (1.0 + 0j, "must be real"),
        (np.float16(1), "precision"),
    ],
)
def test_betas_that_are_none(beta, message):
    for function in (jg.log_partition, jg.gibbs_state, jg.thermodynamics, jg.generalized_forces):
        with pytest.raises(ValueError, match=message):
            function(H, beta)


def test_other_misuse():
    state = jg.gibbs_state(H, 1.0)
    for observable, message in (
        (np.eye(3), "must have the shape of the Hamiltonian"),
        (Dense(np.eye(3)), "must have the shape of the Hamiltonian"),
        (np.triu(np.ones((6, 6))), "`observable` must be Hermitian"),
        (np.full((6, 6), np.nan), "`observable` must be finite"),
        ([1.0] * 6, "square matrix"),
    ):
        with pytest.raises(ValueError, match=message):
            state.expectation(observable)
        with pytest.raises(ValueError, match=message):
            state.covariance(observable, A)
    with pytest.raises(ValueError, match="`observables` must have at least one"):
        state.covariance_matrix(())
    for order in (-1, np.nan):
        with pytest.raises(ValueError, match="`order` must be non-negative"):
            state.renyi_entropy(order)
    for function in (jg.gibbs_state, jg.log_partition, jg.thermodynamics):
        with pytest.raises(ValueError, match="`method` must be a method object"):
            function(H, 1.0, method="exact")
    with pytest.raises(ValueError, match="`part` must be asked of a `KroneckerSum`"):
        state.part(0)


def test_matrices_too_large_are_refused_before_they_are_made():
    dim = 2**14 + 1
    terms = SparseTerms(dim, {"field": 1}, [0], [0], [0], [1.0])
    with pytest.raises(ValueError, match="dimensions up to 16384, but the operator has 16385"):
        jg.log_partition(TermSum({"field": 1.0}, terms), 1.0, method=jg.Exact())


def test_population_inversion():
    assert not jg.gibbs_state(H, 1.0).population_inversion
    inverted = jg.gibbs_state(H, -1.0)
    assert inverted.population_inversion
    assert np.all(np.diff(inverted.populations) > -EPS)
    np.testing.assert_allclose(
        inverted.free_energy, inverted.energy + inverted.entropy, rtol=1e-14
    )  # F = U - T S, T = -1


def test_covariance_of_pauli_matrices():
    """The Hessian of `ln 2 cosh r` at `r = (0, 0, a)`: `sech^2 a` along, `tanh(a) / a` across."""
    x, y, z = pauli_matrices()
    covariance = jg.gibbs_state(-0.8 * z, 1.0).covariance_matrix((x, y, z))
    np.testing.assert_allclose(covariance, np.diag([np.tanh(0.8) / 0.8] * 2 + [1 / np.cosh(0.8) ** 2]), atol=1e-14)
