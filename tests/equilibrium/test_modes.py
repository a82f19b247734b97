"""Free modes: the ideal gases in closed form against sums over the Fock space."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs._errors import NotTraceClass
from jaxgibbs.operators import Bosons, Dense, Fermions, KroneckerSum, Spectrum
from systems import exact_sums

EPS = np.finfo(float).eps
ENERGIES = np.array([-0.6, 0.0, 0.4, 0.4, 1.7])
NAMES = ("log_partition", "energy", "energy_variance", "entropy", "heat_capacity")
FOCK = (np.arange(32)[:, None] >> np.arange(5)[::-1]) & 1  # occupations of the 32 states, mode 0 slowest


@jax.jit
def gas(hamiltonian, beta):
    state = jg.gibbs_state(hamiltonian, beta)
    answers = {name: getattr(state, name) for name in (*NAMES, "free_energy", "purity", "populations")}
    answers["renyi"] = jnp.stack([state.renyi_entropy(order) for order in (0, 0.5, 1 - 1e-7, 2, np.inf)])
    return answers


@pytest.mark.parametrize("beta", [0.0, 0.9, -0.9, 7.0, 300.0, -300.0])
def test_fermions_are_their_fock_space(beta):
    levels = FOCK @ ENERGIES
    found, exact = gas(Fermions(ENERGIES), beta), exact_sums(levels, beta)
    rounding = 8 * EPS * (1 + abs(beta) * np.abs(ENERGIES).sum())
    for name in NAMES:
        value = exact.central_moment(2) if name == "energy_variance" else getattr(exact, name)
        np.testing.assert_allclose(
            found[name], value, rtol=rounding, err_msg=name, atol=rounding if name == "energy" else 0
        )
    np.testing.assert_allclose(found["free_energy"], -exact.log_partition / beta if beta else np.nan, rtol=rounding)
    p = np.exp(-beta * (levels - (levels.min() if beta > 0 else levels.max())))
    np.testing.assert_allclose(found["populations"], p @ FOCK / p.sum(), rtol=rounding * 20, atol=1e-300)
    wanted = [
        5 * np.log(2),
        exact.renyi_entropy(0.5),
        exact.renyi_entropy(1 - 1e-7),
        exact.renyi_entropy(2),
        exact.min_entropy,
    ]
    np.testing.assert_allclose(found["renyi"], wanted, rtol=4 * rounding)
    np.testing.assert_allclose(found["purity"], np.exp(-exact.renyi_entropy(2)), rtol=4 * rounding)


@pytest.mark.parametrize("sign", [1, -1])
def test_fermions_at_zero_temperature(sign):
    found = gas(Fermions(ENERGIES), sign * np.inf)
    filled = np.array([1.0, 0.5, 0, 0, 0]) if sign > 0 else np.array([0, 0.5, 1, 1, 1])
    np.testing.assert_array_equal(found["populations"], filled)
    np.testing.assert_allclose(found["energy"], filled @ ENERGIES, rtol=2 * EPS)
    np.testing.assert_allclose(found["free_energy"], filled @ ENERGIES, rtol=2 * EPS)
    np.testing.assert_allclose(found["entropy"], np.log(2), rtol=2 * EPS)  # the mode at zero energy
    np.testing.assert_allclose(found["renyi"], np.log(2), rtol=2 * EPS)
    assert found["heat_capacity"] == found["energy_variance"] == 0
    assert found["log_partition"] == np.inf
    matrix = jg.gibbs_state(Fermions(ENERGIES), sign * np.inf).density_matrix()
    np.testing.assert_allclose(np.diag(matrix) @ FOCK, filled, atol=EPS)


def test_fermion_density_matrix():
    state = jg.gibbs_state(Fermions(ENERGIES), 1.1)
    dense = jg.gibbs_state(Dense(Fermions(ENERGIES).to_dense()), 1.1)
    np.testing.assert_allclose(state.density_matrix(), dense.density_matrix(), atol=1e-15)
    np.testing.assert_allclose(
        state.reduced((2,) * 5, 4), np.diag([1 - state.populations[4], state.populations[4]]), atol=1e-15
    )


def bose_reference(energies, beta):
    """Each mode by its closed form in 50 digits: `Z = 1 / (1 - e^-x)`."""
    with mpmath.workdps(50):
        x = [mpmath.mpf(float(e)) * mpmath.mpf(float(beta)) for e in energies]
        n = [1 / mpmath.expm1(y) for y in x]
        log_z = [-mpmath.log1p(-mpmath.exp(-y)) for y in x]
        return {
            "log_partition": float(sum(log_z)),
            "energy": float(sum(mpmath.mpf(float(e)) * m for e, m in zip(energies, n, strict=True))),
            "energy_variance": float(
                sum(mpmath.mpf(float(e)) ** 2 * m * (m + 1) for e, m in zip(energies, n, strict=True))
            ),
            "entropy": float(sum(a + y * m for a, y, m in zip(log_z, x, n, strict=True))),
            "heat_capacity": float(sum(y**2 * m * (m + 1) for y, m in zip(x, n, strict=True))),
            "populations": [float(m) for m in n],
        }


@pytest.mark.parametrize("beta", [1e-12, 0.05, 1.3, 40.0, 500.0])
def test_bosons(beta):
    energies = np.array([0.3, 0.3, 1.1])
    found, exact = gas(Bosons(energies), beta), bose_reference(energies, beta)
    for name, value in exact.items():
        np.testing.assert_allclose(found[name], value, rtol=8 * EPS * (1 + beta), err_msg=name)
    mirrored = gas(Bosons(-energies), -beta)  # H -> -H, beta -> -beta
    for name in ("log_partition", "entropy", "heat_capacity", "populations"):
        np.testing.assert_allclose(mirrored[name], found[name], rtol=4 * EPS, err_msg=name)
    assert found["renyi"][0] == np.inf
    with mpmath.workdps(60):
        x = [mpmath.mpf(float(e)) * mpmath.mpf(beta) for e in energies]
        log_z = {a: -sum(mpmath.log1p(-mpmath.exp(-a * y)) for y in x) for a in (0.5, 1, 1 - 1e-7, 2)}
        wanted = [float((log_z[a] - mpmath.mpf(a) * log_z[1]) / (1 - mpmath.mpf(a))) for a in (0.5, 1 - 1e-7, 2)]
    np.testing.assert_allclose(found["renyi"][1:], [*wanted, float(log_z[1])], rtol=8 * EPS * (1 + beta))


def test_bosons_at_zero_temperature():
    found = gas(Bosons([0.3, 1.1]), np.inf)
    for name in ("log_partition", "energy", "energy_variance", "entropy", "heat_capacity", "free_energy"):
        assert found[name] == 0, name
    np.testing.assert_array_equal(found["populations"], 0)
    np.testing.assert_array_equal(found["renyi"], 0)
    assert found["purity"] == 1


def test_single_precision():
    for hamiltonian in (Bosons, Fermions):
        for unit, beta in ((1.0, 0.9), (1e-20, 0.9), (1.0, 1e-20), (1.0, 1e6)):
            energies = np.array([0.5, 1.5]) * unit
            wide = gas(hamiltonian(energies), beta / unit)
            found = gas(hamiltonian(jnp.asarray(energies, jnp.float32)), jnp.float32(beta / unit))
            for name in ("log_partition", "energy", "entropy", "heat_capacity"):
                assert found[name].dtype == jnp.float32
                np.testing.assert_allclose(found[name], wide[name], rtol=1e-5, atol=1e-30, err_msg=name)


def test_derivatives():
    beta, energies = 0.9, jnp.array([0.3, 0.4, 1.7])
    for kind, sign in ((Fermions, 1), (Bosons, -1)):

        @jax.jit
        def compute(energies, beta, kind=kind):
            def log_partition(e, b):
                return jg.log_partition(kind(e), b)

            def entropy(e, b):
                return jg.entropy(kind(e), b)

            return (
                jax.grad(log_partition)(energies, beta),
                jax.hessian(log_partition)(energies, beta),
                jax.grad(entropy, 1)(energies, beta),
                jax.grad(jax.grad(entropy, 1), 1)(energies, beta),
            )

        first, second, slope, curvature = compute(energies, beta)
        n = 1 / (np.exp(beta * energies) + sign)
        spread = n * (1 - sign * n)
        np.testing.assert_allclose(first, -beta * n, rtol=1e-13)  # Fermi-Dirac and Bose-Einstein by autodiff
        np.testing.assert_allclose(second, np.diag(beta**2 * spread), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(slope, -beta * np.sum(energies**2 * spread), rtol=1e-13)
        third = np.sum(energies**3 * spread * (1 - 2 * sign * n))
        np.testing.assert_allclose(curvature, -np.sum(energies**2 * spread) + beta * third, rtol=1e-12)


def test_even_functions_are_smooth_where_a_mode_meets_the_chemical_potential():
    """At `x = 0`: `S = ln 2 - x^2 / 8 + x^4 / 64`, and `S_2 = ln 2 - x^2 / 4 + ...`."""

    def derivatives(function):
        second = jax.grad(jax.grad(function))
        return jax.jit(lambda x: (function(x), jax.grad(function)(x), second(x), jax.grad(jax.grad(second))(x)))(0.0)

    values = derivatives(lambda x: jg.entropy(Fermions([1.0]) * x, 1.0))
    np.testing.assert_allclose(values, [np.log(2), 0, -1 / 4, 24 / 64], atol=1e-13)
    values = derivatives(lambda x: jg.gibbs_state(Fermions([1.0]) * x, 1.0).renyi_entropy(2))
    np.testing.assert_allclose(values[:3], [np.log(2), 0, -1 / 2], atol=1e-13)


def test_derivatives_are_nan_at_infinite_beta():
    functions = (jg.log_partition, jg.energy, jg.entropy, jg.heat_capacity, jg.free_energy)
    # One function at a time: in one Jacobian the zero cotangent of one times the NaN of another hides what each returns.
    modes = jax.jit(lambda h, b: [mode(f, 1)(h, b) for f in functions for mode in (jax.jacfwd, jax.jacrev)])
    for hamiltonian in (Fermions([0.4, 1.0]), Bosons([0.4, 1.0])):
        assert all(np.all(np.isnan(d)) for d in modes(hamiltonian, np.inf))


def test_bosons_that_do_not_exist():
    for energies, beta in (([0.0, 1.0], 1.0), ([-0.1, 1.0], 1.0), ([0.5], -1.0), ([0.5], 0.0), ([0.0], np.inf)):
        with pytest.raises(NotTraceClass, match="chemical potential below the lowest mode"):
            jg.energy(Bosons(energies), beta)
        value, slope = jax.jit(jax.value_and_grad(lambda e, b: jg.log_partition(Bosons(e), b), (0, 1)))(
            jnp.array(energies), beta
        )
        assert np.isnan(value)
        assert np.all(np.isnan(slope[0]))


def test_observables():
    state = jg.gibbs_state(Bosons([0.3, 1.1]), 0.7)
    n = np.array(state.populations)
    number, first = Bosons([1.0, 1.0]), Bosons([1.0, 0.0])
    np.testing.assert_allclose(state.expectation(number), n.sum(), rtol=1e-14)
    np.testing.assert_allclose(state.expectation(2 * first - number), n[0] - n[1], rtol=1e-14)
    np.testing.assert_allclose(state.expectation([1, 0]), n[0], rtol=1e-14)
    expected = [[(n * (n + 1)).sum(), n[0] * (n[0] + 1)], [n[0] * (n[0] + 1)] * 2]
    np.testing.assert_allclose(state.covariance_matrix((number, first)), expected, rtol=1e-14)
    np.testing.assert_allclose(state.susceptibility(number, number), 0.7 * expected[0][0], rtol=1e-14)
    for wrong, message in (
        (Fermions([1.0, 0.0]), "must be `Bosons` like the Hamiltonian"),
        ([1.0], "one real coefficient a mode"),
        ([1j, 0], "one real coefficient a mode"),
        ([np.nan, 1.0], "finite"),
    ):
        with pytest.raises(ValueError, match=message):
            state.expectation(wrong)
    with pytest.raises(ValueError, match="at least one"):
        state.covariance_matrix(())
    for other in (Dense(np.eye(2)), Spectrum([0.0, 1.0]), KroneckerSum([np.eye(2)])):
        with pytest.raises(ValueError, match="must be `Bosons`"):
            state.expectation(other)


def test_questions_modes_cannot_answer():
    bosons = jg.gibbs_state(Bosons([0.3]), 1.0)
    with pytest.raises(
        ValueError, match="`density_matrix` needs the matrix of the Hamiltonian, but a `Bosons` has none"
    ):
        bosons.density_matrix()
    for state in (bosons, jg.gibbs_state(Fermions([0.3]), 1.0)):
        with pytest.raises(ValueError, match="Eigenvectors need a Hamiltonian of one matrix"):
            state.level_projectors()
        with pytest.raises(ValueError, match="`levels` must be asked"):
            state.spectrum.levels()
        with pytest.raises(ValueError, match="`order` must be non-negative"):
            state.renyi_entropy(-0.5)
        assert "closed form of 1 free" in state.explain()
