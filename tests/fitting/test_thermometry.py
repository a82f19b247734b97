"""Temperatures from energies and entropies, on both sides of beta = 0 and up to the edges."""

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs._errors import NotTraceClass
from jaxgibbs._solution import RESULTS
from jaxgibbs.fitting import fit_beta, fit_multipliers, thermometry_bounds
from jaxgibbs.fitting._bracket import decreasing_root
from jaxgibbs.operators import Bosons, Fermions, KroneckerSum, LadderTail, Spectrum

HADAMARD = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
LADDER = Spectrum(np.arange(400.0), tail=LadderTail(1.0, 400))


@pytest.mark.parametrize("energy", [0.3, 0.5, 0.9, 1e-20, 1e-300, 1 - 1e-10, 0.5 + 1e-12])
def test_two_levels(energy):
    fit = fit_beta(Spectrum([0.0, 1.0]), energy)
    assert fit.result == RESULTS.optimal
    assert fit.stats["steps"] <= 12
    np.testing.assert_allclose(fit.value, np.log1p(-energy) - np.log(energy), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("energy", [0.3, 1e-9, 0.999])
def test_a_matrix(energy):
    matrix = HADAMARD @ np.diag([0.0, 1.0]) @ HADAMARD
    np.testing.assert_allclose(fit_beta(matrix, energy).value, np.log((1 - energy) / energy), rtol=1e-6)
    shifted = fit_beta(matrix + 1e8 * np.eye(2), 1e8 + 0.25)
    np.testing.assert_allclose(shifted.value, np.log(3), rtol=1e-7)  # 1e8 + 0.3 is rounded at 1e-8


def test_levels_offset_by_1e8():
    levels = Spectrum([1e8, 1e8 + 1.0])
    np.testing.assert_allclose(fit_beta(levels, 1e8 + 0.25).value, np.log(3), rtol=1e-13)
    assert fit_beta(levels, 1e8).value == np.inf
    assert fit_beta(levels, 1e8 + 1).value == -np.inf


def test_the_edges_are_boundary_and_what_lies_beyond_is_infeasible():
    matrix = HADAMARD @ np.diag([-1.0, 2.0]) @ HADAMARD
    for hamiltonian in (matrix, Spectrum([-1.0, 2.0]), Fermions([-1.0, 2.0])):
        cold, hot = fit_beta(hamiltonian, -1.0), fit_beta(hamiltonian, 2.0)
        assert cold.result == hot.result == RESULTS.boundary
        assert (cold.value, hot.value) == (np.inf, -np.inf)
        for energy in (-1.01, 2.01):
            beyond = fit_beta(hamiltonian, energy)
            assert beyond.result == RESULTS.infeasible
            assert np.isnan(beyond.value)
            assert np.isinf(beyond.error)
            np.testing.assert_allclose(beyond.stats["violation"], 0.01)
    # An eigenvalue that another solver rounds otherwise is still the edge.
    random = np.random.default_rng(0).normal(size=(7, 7))
    random = random + random.T
    assert fit_beta(random, np.linalg.eigvalsh(random)[0]).value == np.inf
    assert fit_beta(random, np.linalg.eigvalsh(random)[-1]).value == -np.inf


def test_one_level():
    assert fit_beta(np.eye(3), 1.0).result == RESULTS.dependent
    assert fit_beta(np.eye(3), 1.0).value == 0
    assert fit_beta([[2.0]], 2.0).value == 0
    assert fit_beta([[2.0]], 2.1).result == RESULTS.infeasible
    assert fit_beta(Spectrum([2.0]), 2).value == 0


@jax.jit
def _energy(levels, beta):
    return jg.energy(Spectrum(levels), beta)


@hypothesis.given(seed=st.integers(0, 2**32 - 1), x=st.floats(-20, 20), scale=st.floats(1e-6, 1e6))
def test_round_trip(seed, x, scale):
    levels = np.sort(np.random.default_rng(seed).uniform(size=5)) * scale
    beta = x / scale
    energy = _energy(levels, beta)
    width = levels[-1] - levels[0]
    distance = min(energy - levels[0], levels[-1] - energy)
    hypothesis.assume(distance > 1e-6 * width)
    found = fit_beta(Spectrum(levels), energy)
    # The energy is rounded at eps |E|, and d beta / dE is at most 1 / (gap to the edge)^2 times small factors.
    np.testing.assert_allclose(_energy(levels, found.value), energy, rtol=1e-13, atol=1e-14 * width)
    np.testing.assert_allclose(found.value * width, beta * width, rtol=1e-7, atol=1e-7)


def test_modes_and_independent_parts():
    betas = {}
    for hamiltonian in (
        Bosons([1.0, 2.0]),
        Fermions([1.0, 2.0, -0.5]),
        KroneckerSum([Spectrum([0.0, 1.0]), np.diag([0.0, 0.3]), Fermions([0.7])]),
    ):
        for beta in (0.7, 3.0):
            energy = jg.energy(hamiltonian, beta)
            betas[type(hamiltonian).__name__, beta] = float(fit_beta(hamiltonian, energy).value)
    for (_, beta), found in betas.items():
        np.testing.assert_allclose(found, beta, rtol=1e-12)
    inverted = Fermions([1.0, 2.0, -0.5])
    np.testing.assert_allclose(fit_beta(inverted, jg.energy(inverted, -1.5)).value, -1.5, rtol=1e-12)


def test_an_infinite_ladder():
    # U = 1 / (e^beta - 1)
    for energy in (2.0, 1e-12):
        np.testing.assert_allclose(fit_beta(LADDER, energy).value, np.log1p(1 / energy), rtol=1e-12)
    assert fit_beta(LADDER, 0.0).value == np.inf
    assert fit_beta(LADDER, -0.5).result == RESULTS.infeasible


@pytest.mark.parametrize("energy", [60.0, 250.0, 1e4])
def test_levels_kept_must_carry_the_answer(energy):
    with pytest.raises(RuntimeError, match="Keep more levels"):
        fit_beta(LADDER, energy)
    assert fit_beta(LADDER, energy, throw=False).result == RESULTS.truncated
    assert np.isnan(jax.jit(lambda e: fit_beta(LADDER, e).value)(energy))


def test_agrees_with_the_fit_of_one_multiplier():
    rng = np.random.default_rng(4)
    hamiltonian = rng.normal(size=(6, 6))
    hamiltonian = hamiltonian + hamiltonian.T
    for energy in (-2.0, 0.3, 2.5):
        fit = fit_multipliers((hamiltonian,), [energy])
        np.testing.assert_allclose(fit_beta(hamiltonian, energy).value, fit.value[0], rtol=1e-9, atol=1e-11)


# -- entropy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [1e-3, 0.5, 4.0, 30.0])
def test_beta_of_an_entropy(beta):
    for hamiltonian in (Spectrum([0.0, 0.0, 1.0, 2.5]), Bosons([1.0, 2.0]), np.diag([0.0, 1.0, 1.0])):
        entropy = jg.entropy(hamiltonian, beta)
        if isinstance(hamiltonian, Spectrum) and beta > 20:
            continue  # ln 2 of the ground level leaves e^-30 below rounding
        # Near beta = 0 the entropy is flat, S = ln d - beta^2 Var / 2, and its rounding costs eps / beta^2.
        np.testing.assert_allclose(fit_beta(hamiltonian, entropy=entropy).value, beta, rtol=1e-8)


@pytest.mark.slow
def test_range_of_the_entropy():
    levels = Spectrum([0.0, 0.0, 1.0])
    assert fit_beta(levels, entropy=np.log(2)).value == np.inf
    assert fit_beta(levels, entropy=np.log(3)).value == 0
    for entropy in (0.5, 1.2, -1.0):
        assert fit_beta(levels, entropy=entropy).result == RESULTS.infeasible
    assert fit_beta(np.eye(2), entropy=np.log(2)).result == RESULTS.dependent
    np.testing.assert_allclose(fit_beta(LADDER, entropy=jg.entropy(LADDER, 0.7)).value, 0.7, rtol=1e-12)


# -- derivatives, batches, precision ---------------------------------------------------------------------------------


def test_derivatives():
    def fitted(energy, gap):
        return fit_beta(Spectrum(jnp.stack([jnp.zeros_like(gap), gap])), energy).value

    def exact(energy, gap):
        return jnp.log((gap - energy) / energy) / gap

    at = (jnp.asarray(0.3), jnp.asarray(1.3))
    for derivative in (lambda f: jax.grad(f, (0, 1)), lambda f: jax.hessian(f, (0, 1))):
        np.testing.assert_allclose(jax.jit(derivative(fitted))(*at), derivative(exact)(*at), rtol=1e-11)


@pytest.mark.slow
def test_derivative_of_a_matrix_against_differences():
    def fitted(s):
        return fit_beta(jnp.array([[s, 0.3, 0.0], [0.3, 1.0, s**2], [0.0, s**2, 2.0]]), energy=0.6).value

    h, first = 1e-5, jax.jit(jax.grad(fitted))
    np.testing.assert_allclose(first(0.2), (fitted(0.2 + h) - fitted(0.2 - h)) / (2 * h), rtol=1e-8)
    second = jax.jit(jax.grad(jax.grad(fitted)))(0.2)
    np.testing.assert_allclose(second, (first(0.2 + h) - first(0.2 - h)) / (2 * h), rtol=1e-7)


def test_derivative_of_an_entropy_fit():
    levels = Spectrum([0.0, 1.0, 1.5])
    entropy = jg.entropy(levels, 0.8)
    slope = jax.grad(lambda s: fit_beta(levels, entropy=s).value)(entropy)
    np.testing.assert_allclose(slope, -1 / (0.8 * jg.gibbs_state(levels, 0.8).energy_variance), rtol=1e-10)


def test_a_thousand_temperatures_in_one_call():
    energies = jnp.linspace(-0.1, 1.1, 1201)
    betas = jax.jit(jax.vmap(lambda e: fit_beta(Spectrum([0.0, 1.0]), e).value))(energies)
    inside = (energies > 0) & (energies < 1)
    exact = np.log((1 - energies[inside]) / energies[inside])
    np.testing.assert_allclose(betas[inside], exact, rtol=1e-12, atol=1e-12)
    assert np.isnan(betas[(energies < -1e-12) | (energies > 1 + 1e-12)]).all()
    gradients = jax.jit(jax.vmap(jax.grad(lambda e: fit_beta(Spectrum([0.0, 1.0]), e).value)))(
        jnp.array([0.2, 0.0, 1.2])
    )
    np.testing.assert_array_equal(np.isnan(gradients), [False, True, True])


@pytest.mark.parametrize("energy", [0.3, 1e-6, 0.999999, 0.5])
def test_single_precision(energy):
    energy = np.float32(energy)
    fit = fit_beta(Spectrum(jnp.array([0.0, 1.0], jnp.float32)), energy)
    assert fit.value.dtype == np.float32
    exact = np.log1p(-float(energy)) - np.log(float(energy))
    np.testing.assert_allclose(fit.value, exact, rtol=3e-6, atol=1e-6)
    assert fit_beta(Spectrum(jnp.array([0.0, 1.0], jnp.float32)), 0.3).value.dtype == np.float32
    assert fit_beta(jnp.array([[0, 1j], [-1j, 0]], jnp.complex64), 0.3).value.dtype == np.float32


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_thermometry_bounds():
    levels, beta = Spectrum([0.0, 1.0, 1.5]), 0.8
    state = jg.gibbs_state(levels, beta)
    bounds = thermometry_bounds(levels, beta, copies=50)
    np.testing.assert_allclose(bounds.beta, 1 / (50 * state.energy_variance))
    np.testing.assert_allclose(bounds.temperature, (1 / beta) ** 2 / (50 * state.heat_capacity))
    # dT = -d beta / beta^2
    np.testing.assert_allclose(bounds.temperature, bounds.beta / beta**4)
    fit = fit_beta(levels, state.energy, copies=50)
    np.testing.assert_allclose(fit.stats["variance"], bounds.beta)


def test_an_energy_measurement_attains_the_bound():
    rng, levels, copies = np.random.default_rng(1), np.array([0.0, 1.0, 1.5]), 400
    populations = jg.gibbs_state(Spectrum(levels), 0.8).populations
    energies = rng.multinomial(copies, populations / np.sum(populations), size=5000) @ levels / copies
    betas = jax.jit(jax.vmap(lambda e: fit_beta(Spectrum(levels), e).value))(energies)
    bound = float(thermometry_bounds(Spectrum(levels), 0.8, copies=copies).beta)
    # The variance of 5000 samples scatters by sqrt(2 / 5000); the bias of order 1 / N adds a little.
    assert abs(np.var(betas) / bound - 1) < 5 * np.sqrt(2 / 5000) + 5 / copies


# -- inputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Exactly one"),
        ({"energy": 0.1, "entropy": 0.1}, "Exactly one"),
        ({"energy": np.nan}, "finite"),
        ({"entropy": np.inf}, "finite"),
        ({"energy": [0.1, 0.2]}, "scalar"),
        ({"energy": 0.1j}, "real"),
    ],
)
def test_wrong_targets(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_beta(Spectrum([0.0, 1.0]), **arguments)


def test_wrong_hamiltonians():
    with pytest.raises(ValueError, match="Hermitian"):
        fit_beta([[0.0, 1.0], [0.0, 0.0]], energy=0.1)
    with pytest.raises(NotTraceClass):
        fit_beta(Bosons([1.0, -2.0]), energy=0.1)


def test_the_bracket_gives_up():
    root = decreasing_root(lambda b: (jnp.ones_like(b), -jnp.ones_like(b) * 1e-300), jnp.asarray(1.0))
    assert not root.found


@pytest.mark.slow
def test_the_temperature_of_an_operator_known_by_its_products():
    method = jg.Lanczos(probes=16, depth=16, distribution=jg.linalg.unit_vectors)  # the exact trace
    chain = jg.models.heisenberg_chain(4, 1.0, field=0.3)
    for beta in (0.8, -0.8):
        target = jg.energy(chain, beta, method=method)
        fit = jg.fit_beta(chain, energy=target, method=method)
        np.testing.assert_allclose(fit.value, beta, rtol=1e-10)
        assert fit.result == jg.RESULTS.optimal
        assert fit.stats["standard_error"] > 0
    with pytest.raises(ValueError, match=r"`entropy` must.*deflation=4"):
        jg.fit_beta(chain, entropy=1.0, method=method)


@pytest.mark.slow
def test_the_temperature_of_an_operator_known_by_its_products_has_derivatives():
    method = jg.Lanczos(probes=16, depth=16, distribution=jg.linalg.unit_vectors)
    chain = jg.models.heisenberg_chain(4, 1.0, field=0.3)
    slope = jax.grad(lambda h: jg.fit_beta(h, energy=-0.5, method=method).value)(chain).couplings["field"]
    wanted = jax.grad(lambda h: jg.fit_beta(h, energy=-0.5).value)(chain).couplings["field"]
    np.testing.assert_allclose(slope, wanted, rtol=1e-8)
    deflated = jg.Lanczos(probes=16, depth=16, deflation=1, distribution=jg.linalg.unit_vectors)
    wanted = jg.fit_beta(chain, entropy=1.5).value
    np.testing.assert_allclose(jg.fit_beta(chain, entropy=1.5, method=deflated).value, wanted, rtol=1e-8)
