"""Steady states against closed forms, against the kernel of the written-out generator, and through every derivative."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import direction
from jaxgibbs.linalg.general import eig, lu_factor, lu_solve
from jaxgibbs.open_systems import Dense, Krylov, Populations, Relaxation, SparseLU, steady_states
from jaxgibbs.open_systems.hermitian_space import (
    Congruence,
    as_hermitian,
    as_real,
    real_adjoint_map,
    real_map,
    real_part,
    real_superoperator,
)

LOWERING, SX, SZ = np.array([[0.0, 0], [1, 0]]), np.array([[0.0, 1], [1, 0]]), np.diag([1.0, -1])


def driven(parameters):
    """A two-level system of detuning `D`, Rabi frequency `O` and decay rate `g`, in the rotating frame."""
    detuning, drive, rate = parameters
    return jg.Lindbladian(detuning / 2 * SZ + drive / 2 * SX, [LOWERING], jnp.stack([rate]))


def qubit(*rates):
    """Dephasing, loss and gain at these rates: one program a method, whatever they are."""
    return jg.Lindbladian(0.2 * SZ, [SZ, LOWERING, LOWERING.T], jnp.array(rates))


def excited(parameters):
    """`(O^2 / 4) / (D^2 + g^2 / 4 + O^2 / 2)`: the steady state of the optical Bloch equations."""
    detuning, drive, rate = parameters
    return drive**2 / 4 / (detuning**2 + rate**2 / 4 + drive**2 / 2)


# Generic; strong; weak; where the no-jump evolution has one eigenvector alone; dark.
POINTS = np.array([[0.3, 0.7, 0.5], [0.1, 30.0, 1.0], [2.0, 1e-3, 1.0], [0.0, 0.5, 1.0], [0.4, 0.0, 0.3]])


def general(rng, dim):
    return rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))


RNG = np.random.default_rng(4)
H0, H1, JUMP = direction(RNG, 5, True), direction(RNG, 5, True), general(RNG, 5) / 3
LADDER = np.diag(np.sqrt(np.arange(1.0, 5)), 1)
OBSERVABLE = direction(RNG, 5, True)


def five_levels(x):
    """Jumps of both kinds, two parameters, the second a rate that may vanish."""
    return jg.Lindbladian(H0 + x[0] * H1, [LADDER, JUMP], jnp.stack([jnp.asarray(0.7), x[1]]))


def by_the_kernel(generator):
    """From the singular vector of the whole generator, without this library's solvers."""
    *_, right = np.linalg.svd(np.asarray(generator.to_dense()))
    rho = right[-1].conj().reshape(generator.dim, generator.dim).T
    return rho / np.trace(rho)


def reading(method):
    return lambda x: jnp.sum(OBSERVABLE * jg.steady_state(five_levels(x), method).value.T).real


REAL_JUMPS = jg.Lindbladian(H0, [LADDER, JUMP.real, np.diag(np.arange(5.0)), LADDER.T], [0.7, 0.2, 0.1, 0.3])
KINDS = {"complex": five_levels(np.array([0.2, 0.4])), "real": REAL_JUMPS, "sum": REAL_JUMPS + five_levels([0.1, 0.2])}


@pytest.mark.parametrize("generator", KINDS.values(), ids=KINDS)
def test_hermitian_matrices_as_real_ones(generator):
    rng = np.random.default_rng(0)
    x, y, a = direction(rng, 5, True), direction(rng, 5, True), general(rng, 5)
    np.testing.assert_allclose(as_hermitian(as_real(x)), x, atol=1e-15)
    np.testing.assert_allclose(np.sum(as_real(x) * as_real(y)), np.trace(x @ y).real, atol=1e-14)
    np.testing.assert_allclose(as_hermitian(real_part(a)), (a + a.conj().T) / 2, atol=1e-14)
    np.testing.assert_allclose(as_hermitian(Congruence(a)(as_real(x))), a @ x @ a.conj().T, atol=1e-13)
    matrix = real_superoperator(generator)
    np.testing.assert_allclose(matrix @ as_real(x).ravel(), as_real(generator(x)).ravel(), atol=1e-13)
    np.testing.assert_allclose(real_map(generator)(as_real(x)), as_real(generator(x)), atol=1e-13)
    np.testing.assert_allclose(
        real_adjoint_map(generator)(as_real(x)).ravel(), matrix.T @ as_real(x).ravel(), atol=1e-13
    )


def test_decompositions_without_symmetry_one_by_one():
    matrices = np.stack([general(np.random.default_rng(k), 4) for k in range(3)])
    found = jax.vmap(eig)(matrices)
    rebuilt = (found.vectors * found.values[:, None, :]) @ found.inverse
    np.testing.assert_allclose(rebuilt, matrices, atol=1e-12)
    assert np.all(found.condition >= 1)
    b = np.arange(4.0) + 1j

    def solves(matrix):
        factors = lu_factor(matrix)
        return matrix @ lu_solve(factors, b), matrix.T @ lu_solve(factors, b, transposed=True)

    for answer in jax.vmap(jax.vmap(solves))(matrices[None]):
        np.testing.assert_allclose(answer[0], np.broadcast_to(b, (3, 4)), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("method", [Dense(), Krylov()], ids=["dense", "krylov"])
def test_a_driven_two_level_system_and_its_derivatives(method):
    def population(point):
        return jg.steady_state(driven(point), method).value[0, 0].real

    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(population)))(POINTS)
    np.testing.assert_allclose(values, jax.vmap(excited)(POINTS), atol=1e-11)
    np.testing.assert_allclose(slopes, jax.vmap(jax.grad(excited))(POINTS), atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("method", [Dense(), Krylov()], ids=["dense", "krylov"])
def test_the_kernel_of_the_generator_and_derivatives_of_two_orders(method):
    at, read, step = jnp.array([0.3, 0.2]), reading(method), 1e-4
    solution = jg.steady_state(five_levels(at), method)
    np.testing.assert_allclose(solution.value, by_the_kernel(five_levels(at)), atol=1e-11)
    assert solution.result == jg.RESULTS.optimal
    assert float(solution.error) < 1e-10
    smallest = np.linalg.eigvalsh(np.asarray(solution.value))[0]
    np.testing.assert_allclose(solution.stats["smallest_eigenvalue"], smallest, atol=1e-14)
    assert abs(solution.stats["trace"] - 1) < 1e-11
    assert max(float(solution.stats[k]) for k in ("residual", "hermiticity_defect")) < 1e-11

    @jax.jit
    def orders(x):
        value, slope = jax.value_and_grad(read)(x)
        return value, slope, jax.jacfwd(read)(x), jax.jacfwd(jax.grad(read))(x)

    def differences(k, of):
        shift = step * jnp.eye(2)[k]
        near, far = (orders(at + n * shift)[of] - orders(at - n * shift)[of] for n in (1, 2))
        return (8 * near - far) / (12 * step)

    _, reverse, forward, curvature = orders(at)
    np.testing.assert_allclose(reverse, [differences(k, 0) for k in range(2)], atol=1e-8)
    np.testing.assert_allclose(forward, reverse, atol=1e-10)
    np.testing.assert_allclose(curvature, [differences(k, 1) for k in range(2)], atol=1e-7)
    np.testing.assert_allclose(
        orders(at * jnp.array([1, 0]))[1], orders(at * jnp.array([1, 0]))[2], atol=1e-10
    )  # rate 0


def drummond_walls(detuning, kerr, drive, loss):
    """`<a>` and `<n>` of the driven Kerr resonator (Drummond & Walls, J. Phys. A 13, 725 (1980))."""
    c, x = 2 * (-detuning - 0.5j * loss) / kerr, 8 * abs(drive / kerr) ** 2

    def moment(j, k):
        gammas = mpmath.gamma(c) * mpmath.gamma(np.conj(c)) / (mpmath.gamma(c + j) * mpmath.gamma(np.conj(c) + k))
        series = mpmath.hyper([], [c + j, np.conj(c) + k], x) / mpmath.hyper([], [c, np.conj(c)], x)
        return complex((-2 * drive / kerr) ** (j + k) * gammas * series)

    return moment(1, 0), moment(1, 1).real


def kerr(dim, detuning, strength, drive, loss):
    a = np.diag(np.sqrt(np.arange(1.0, dim)), 1)
    number = a.T @ a
    hamiltonian = -detuning * number + strength / 2 * (a.T @ a.T @ a @ a) + drive * (a + a.T)
    return a, jg.Lindbladian(hamiltonian, [a], [loss])


@pytest.mark.slow
def test_a_kerr_resonator():
    a, generator = kerr(26, 0.8, 0.7, 1.1, 1.3)
    solution = jg.steady_state(generator)  # Krylov, by its size
    amplitude, number = drummond_walls(0.8, 0.7, 1.1, 1.3)
    np.testing.assert_allclose(np.trace(a @ solution.value), amplitude, atol=1e-9)
    np.testing.assert_allclose(np.trace(a.T @ a @ solution.value).real, number, atol=1e-9)
    near = jg.steady_state(generator, guess=solution.value, method=Krylov(check_uniqueness=False))
    assert near.stats["steps"] == 0
    assert np.isnan(near.stats["uniqueness"])
    np.testing.assert_allclose(near.value, solution.value, atol=1e-11)


@pytest.mark.slow
def test_single_precision():
    generator = jg.Lindbladian(H0.astype(np.complex64), [LADDER.astype(np.float32)], [np.float32(0.7)])
    solution = jg.steady_state(generator, Krylov())
    assert solution.value.dtype == jnp.complex64
    np.testing.assert_allclose(solution.value, by_the_kernel(jg.Lindbladian(H0, [LADDER], [0.7])), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", [Dense(), Krylov()], ids=["dense", "krylov"])
def test_a_second_steady_state_is_an_error_that_counts(method):
    dephasing = qubit(0.5, 0.0, 0.0)
    with pytest.raises(RuntimeError, match="There are 2 linearly independent steady states"):
        jg.steady_state(dephasing, method)
    solution = jg.steady_state(dephasing, method, throw=False)
    assert solution.result == jg.RESULTS.not_unique
    assert solution.stats["uniqueness"] > 1e-3


@pytest.mark.parametrize("rate", [1.0, 1e-9])
def test_a_slow_mode_is_no_second_steady_state(rate):
    """Two levels that dephase at rate 1 and thermalise at a rate of 1e-9 have one steady state all the same."""
    generator = qubit(1.0, rate, rate / 4)
    for method in (Dense(), Krylov()):
        solution = jg.steady_state(generator, method)
        distance = np.linalg.norm(solution.value - np.diag([0.2, 0.8]))
        assert distance <= max(10 * float(solution.error), 1e-12)
        assert solution.error < 1e-4


@pytest.mark.parametrize("method", [Dense(), Krylov()], ids=["dense", "krylov"])
def test_a_distant_zero_of_energy_costs_no_digits(method):
    near, far = (
        jg.steady_state(jg.Lindbladian(0.5 * SZ + SX + offset * np.eye(2), [LOWERING], [1.5]), method)
        for offset in (0.0, 2.0**40)
    )
    np.testing.assert_allclose(far.value, near.value, atol=1e-12)
    assert max(float(far.stats[name]) for name in ("residual", "hermiticity_defect")) < 1e-14


@pytest.mark.slow
def test_a_closed_system_has_as_many_steady_states_as_levels():
    with pytest.raises(RuntimeError, match="There are 3 linearly"):
        jg.steady_state(jg.Lindbladian(np.diag([0.0, 0.4, 1.1]), []))


@pytest.mark.slow
def test_steps_that_run_out_and_numbers_that_are_none():
    _, generator = kerr(26, 0.8, 0.7, 1.1, 1.3)
    with pytest.raises(RuntimeError, match="Raise `max_steps`"):
        jg.steady_state(generator, Krylov(max_steps=3, check_uniqueness=False))
    lanes = jax.jit(jax.vmap(lambda p: jg.steady_state(driven(p), Dense()).value))(
        jnp.array([[0.1, 0.2, 0.3], [np.nan, 0.2, 0.3], [0.1, 0.2, -0.3]])
    )
    np.testing.assert_array_equal(np.isnan(lanes).any(axis=(1, 2)), [False, True, True])


def test_misuse():
    generator = driven(POINTS[0])
    with pytest.raises(ValueError, match="`method` must be"):
        jg.steady_state(generator, jg.Exact())
    for function in (jg.steady_state, jg.spectral_gap, jg.slow_modes, steady_states):
        with pytest.raises(ValueError, match="`generator` must be"):
            function(np.eye(2))
    with pytest.raises(ValueError, match="`generator` must be"):
        jg.mixing_time(np.eye(2), np.eye(2) / 2)
    with pytest.raises(ValueError, match="acts on one"):
        jg.spectral_gap(jg.Lindbladian(np.eye(1), []))
    with pytest.raises(ValueError, match="`guess` must be a matrix of shape"):
        jg.steady_state(generator, guess=np.eye(3))
    with pytest.raises(ValueError, match="must be Hermitian"):
        jg.steady_state(generator, guess=LOWERING)


@pytest.mark.slow
def test_relaxation_ends_where_the_state_leads():
    """Dephasing keeps the populations of the state it starts from; decay does not."""
    start = np.array([[0.7, 0.2 - 0.1j], [0.2 + 0.1j, 0.3]])
    found = jg.steady_state(qubit(0.5, 0.0, 0.0), Relaxation(), guess=start)
    np.testing.assert_allclose(found.value, np.diag([0.7, 0.3]), atol=1e-8)
    found = jg.steady_state(qubit(0.5, 0.1, 0.0), Relaxation(), guess=start)
    np.testing.assert_allclose(found.value, np.diag([0.0, 1.0]), atol=1e-8)


@pytest.mark.slow
def test_sparse_elimination_on_the_host():
    generator = five_levels(jnp.array([0.3, 0.2]))
    solution = jg.steady_state(generator, SparseLU())
    np.testing.assert_allclose(solution.value, by_the_kernel(generator), atol=1e-12)
    with pytest.raises(RuntimeError, match="There are 2 linearly"):
        jg.steady_state(qubit(0.5, 0.0, 0.0), SparseLU())


def test_populations_alone_keep_the_relative_accuracy_of_the_smallest():
    beta, energies = 40.0, np.array([0.0, 0.31, 0.55, 0.9])
    rng = np.random.default_rng(2)
    jumps, rates = [], []
    for i, j in [(0, 1), (1, 2), (2, 3), (0, 3), (0, 2)]:
        jump = np.zeros((4, 4))
        jump[i, j] = 1
        base = rng.uniform(0.2, 2)
        jumps += [jump, jump.T]
        rates += [base, base * np.exp(-beta * (energies[j] - energies[i]))]
    generator = jg.Lindbladian(np.diag(energies), jumps, rates)
    solution = jg.steady_state(generator, Populations())
    exact = np.exp(-beta * energies) / np.sum(np.exp(-beta * energies))
    np.testing.assert_allclose(np.diag(solution.value).real, exact, rtol=1e-12)
    with pytest.raises(RuntimeError, match="populations do not decouple"):
        jg.steady_state(jg.Lindbladian(np.diag(energies) + direction(rng, 4), jumps, rates), Populations())
    rotation = np.linalg.eigh(direction(rng, 4, True))[1]
    turned = jg.Lindbladian(
        rotation @ np.diag(energies) @ rotation.conj().T, [rotation @ j @ rotation.conj().T for j in jumps], rates
    )
    turned_back = rotation.conj().T @ jg.steady_state(turned, Populations(eigenbasis=True)).value @ rotation
    np.testing.assert_allclose(turned_back, np.diag(exact), atol=1e-13)
