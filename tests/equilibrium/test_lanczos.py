"""Lanczos quadrature against exact diagonalisation: exactly where the trace is exact, within its errors where it is not."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import jaxgibbs as jg
from jaxgibbs import _errors, models
from jaxgibbs.linalg import random_sphere, unit_vectors
from jaxgibbs.operators import Dense

NAMES = ("log_partition", "energy", "entropy", "heat_capacity")
ALL = (*NAMES, "energy_variance")
BETAS = (0.0, 0.7, -0.7, 4.0)
EPS = np.finfo(float).eps
SITES = 5
CHAIN = models.heisenberg_chain(SITES, jnp.linspace(0.7, 1.2, SITES - 1), field=0.3)
H = CHAIN.to_dense()
A = models.transverse_ising_chain(SITES, 0.8, 0.5)
WHOLE = jg.Lanczos(probes=2**SITES, depth=2**SITES, distribution=unit_vectors)
FEW = jg.Lanczos(probes=6, depth=2**SITES)


def hermitian(dim, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))
    return (matrix + matrix.conj().T) / 2


def levels_of(operator):
    return np.linalg.eigh(operator.to_dense())


def exact(operator, beta, observable=None):
    """The answers from all levels, by NumPy; at `beta = +-inf` of the extreme level."""
    energies, vectors = levels_of(operator)
    edge = energies[0 if beta >= 0 else -1]
    x = np.where(np.abs(energies - edge) < 1e-9, 0, -np.inf) if np.isinf(beta) else -beta * (energies - edge)
    z = np.exp(x).sum()
    p = np.exp(x) / z
    u = p @ energies
    variance = p @ (energies - u) ** 2
    answer = {"log_partition": np.log(z) - beta * edge, "energy": u, "energy_variance": variance, "purity": p @ p}
    answer["entropy"] = -np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0))
    answer["heat_capacity"] = 0 if np.isinf(beta) else beta**2 * variance
    answer["free_energy"] = -answer["log_partition"] / beta if beta and np.isfinite(beta) else np.nan
    if observable is not None:
        matrix = observable.to_dense() if hasattr(observable, "to_dense") else observable
        answer["expectation"] = p @ np.einsum("ik,ij,jk->k", vectors.conj(), matrix, vectors).real
    return answer


@jax.jit
def answers(spectrum, beta):
    state = spectrum.at(beta)
    return {name: getattr(state, name) for name in (*ALL, "free_energy", "purity")}


# -- deterministic --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "operator",
    [CHAIN, pytest.param(Dense(hermitian(2**SITES, 0) / 4), marks=pytest.mark.slow)],
    ids=["real", "complex"],
)
def test_with_as_many_probes_as_basis_vectors_the_trace_is_exact(operator):
    found = jg.thermal_spectrum(operator, method=WHOLE)
    for beta in BETAS:
        for name, value in answers(found, beta).items():
            np.testing.assert_allclose(value, exact(operator, beta)[name], rtol=1e-11, atol=1e-11, err_msg=name)
    observable = A if operator is CHAIN else hermitian(2**SITES, 1)
    for beta in (0.7, -0.7):
        wanted = exact(operator, beta, observable)["expectation"]
        np.testing.assert_allclose(found.expectation(beta, observable), wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.slow
def test_one_probe_is_the_matrix_element_of_that_probe():
    for operator, dtype in ((CHAIN, float), (Dense(hermitian(2**SITES, 0) / 4), complex)):
        method = jg.Lanczos(probes=1, depth=2**SITES, distribution=random_sphere, key=jax.random.key(5))
        vector = np.asarray(random_sphere(method.key, 0, 2**SITES, dtype))
        spectrum = jg.thermal_spectrum(operator, method=method)
        for beta in BETAS:
            matrix = scipy.linalg.expm(-beta * np.asarray(operator.to_dense()))
            wanted = np.log(np.vdot(vector, matrix @ vector).real)
            np.testing.assert_allclose(spectrum.log_partition(beta), wanted, rtol=1e-12, atol=1e-12)
        assert np.isnan(spectrum.at(0.7).standard_error.energy)


def test_an_array_is_as_good_as_an_operator():
    np.testing.assert_allclose(
        jg.log_partition(H, 0.7, method=FEW), jg.log_partition(CHAIN, 0.7, method=FEW), rtol=1e-12
    )


# -- errors ---------------------------------------------------------------------------------------------------------------


@jax.jit
def with_errors(spectrum, beta, observable):
    state = spectrum.at(beta)
    names = (*NAMES, "free_energy")
    values = [getattr(state, name) for name in names] + [state.expectation(observable)]
    return values, [getattr(state.standard_error, name) for name in names] + [state.expectation_error(observable)]


@pytest.mark.slow
def test_within_five_standard_errors_of_exact():
    hamiltonian = models.heisenberg_chain(8, 1.0, field=0.3)
    spectrum = jg.thermal_spectrum(hamiltonian, method=jg.Lanczos(depth=40))
    observable = models.transverse_ising_chain(8, 0.8, 0.5)
    for beta in (0.5, -0.5, 2.0):
        values, errors = np.array(with_errors(spectrum, beta, observable))
        wanted = exact(hamiltonian, beta, observable)
        wanted = np.array([wanted[name] for name in (*NAMES, "free_energy", "expectation")])
        assert np.all((errors > 1e-4) & (errors < 0.2))
        assert np.all(np.abs(values - wanted) < 5 * errors)


def test_the_standard_error_is_the_spread_over_keys():
    spread = []
    for seed in range(40):
        method = jg.Lanczos(probes=6, depth=20, key=jax.random.key(seed))
        state = jg.gibbs_state(CHAIN, 0.7, method=method)
        spread.append([state.log_partition, state.energy, *jax.tree_util.tree_leaves(state.standard_error)])
    spread = np.array(spread)
    for value, error in ((0, 2), (1, 4)):
        # A mean of 40 variances of 5 degrees of freedom, and a variance of 39: known to 10 % and 16 %.
        ratio = np.sqrt(np.mean(spread[:, error] ** 2)) / spread[:, value].std(ddof=1)
        assert 0.6 < ratio < 1.6


def test_infinite_temperature_has_no_error_in_ln_z():
    state = jg.gibbs_state(CHAIN, 0.0, method=jg.Lanczos(probes=2, depth=5))
    np.testing.assert_allclose(state.log_partition, SITES * np.log(2), rtol=4 * EPS)
    assert state.standard_error.log_partition < 8 * EPS
    assert state.heat_capacity == 0


@pytest.mark.slow
def test_the_verdict():
    shallow = jg.gibbs_state(CHAIN, 8.0, method=jg.Lanczos(probes=64, depth=3))
    assert shallow.result == jg.RESULTS.depth_too_small
    assert shallow.systematic_error.log_partition > shallow.standard_error.log_partition
    for accuracy, result in ((1e-6, jg.RESULTS.probes_too_few), (0.9, jg.RESULTS.optimal)):
        method = jg.Lanczos(probes=FEW.probes, depth=FEW.depth, accuracy=accuracy)
        assert jg.gibbs_state(CHAIN, 0.7, method=method).result == result
    decomposed = jg.gibbs_state(np.diag([0.0, 1.0]), 0.7)
    assert decomposed.result == jg.RESULTS.optimal
    assert decomposed.standard_error.energy == decomposed.systematic_error.entropy == 0
    assert decomposed.expectation_error(np.eye(2)) == 0


# -- derivatives ----------------------------------------------------------------------------------------------------------


METHODS = {
    "few": FEW,
    "shallow": jg.Lanczos(probes=6, depth=4),
    "exact": jg.Exact(),
    "deflated": jg.Lanczos(probes=2**SITES, depth=2**SITES, deflation=2, distribution=unit_vectors),
}


@functools.cache
def of_couplings(name, method="few"):
    def quantity(couplings, beta=1.3):
        chain = models.heisenberg_chain(SITES, couplings, field=couplings[0] / 3)
        return getattr(jg, name)(chain, beta, method=METHODS[method])

    return jax.jit(quantity), jax.jit(jax.value_and_grad(quantity))


COUPLINGS = jnp.linspace(0.7, 1.2, SITES - 1)
DIRECTION = jnp.cos(1.0 + jnp.arange(SITES - 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["log_partition", pytest.param("entropy", marks=pytest.mark.slow), "heat_capacity"])
def test_gradients_are_those_of_the_estimate(name):
    quantity, slope = of_couplings(name)
    value, gradient = slope(COUPLINGS)
    np.testing.assert_allclose(value, quantity(COUPLINGS), rtol=1e-13)
    step = 1e-4
    differences = [
        (quantity(COUPLINGS + t * DIRECTION) - quantity(COUPLINGS - t * DIRECTION)) / (2 * t) for t in (step, 2 * step)
    ]
    expected = (4 * differences[0] - differences[1]) / 3  # Richardson: step^4 = 1e-16, rounding 1e-14 / 1e-4
    np.testing.assert_allclose(gradient @ DIRECTION, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.slow
def test_forward_mode_and_derivatives_in_beta():
    quantity, slope = of_couplings("log_partition")
    _, forward = jax.jvp(quantity, (COUPLINGS,), (DIRECTION,))
    np.testing.assert_allclose(forward, slope(COUPLINGS)[1] @ DIRECTION, rtol=1e-12)
    spectrum = jg.thermal_spectrum(CHAIN, method=FEW)

    first = jax.grad(spectrum.log_partition)
    derivatives = jax.jit(lambda beta: (first(beta), jax.grad(spectrum.energy_variance)(beta)))
    for beta in (0.7, -0.7, 0.0):
        slope, third = derivatives(beta)
        np.testing.assert_allclose(slope, -spectrum.energy(beta), rtol=1e-12)
        step = 1e-3
        higher, lower = spectrum.energy_variance(beta + step), spectrum.energy_variance(beta - step)
        np.testing.assert_allclose(third, (higher - lower) / (2 * step), rtol=1e-5, atol=1e-5)  # step^2 relative


@pytest.mark.slow
def test_higher_derivatives_in_beta():
    spectrum = jg.thermal_spectrum(CHAIN, method=FEW)
    second = jax.grad(jax.grad(spectrum.log_partition))
    for beta in (0.7, -0.7, 0.0):
        np.testing.assert_allclose(second(beta), spectrum.energy_variance(beta), rtol=1e-11)
        np.testing.assert_allclose(jax.grad(second)(beta), jax.grad(spectrum.energy_variance)(beta), rtol=1e-10)


@pytest.mark.slow
def test_the_derivative_of_an_expectation_in_beta():
    spectrum = jg.thermal_spectrum(CHAIN, method=FEW)
    value, slope = jax.jit(jax.value_and_grad(lambda beta: spectrum.expectation(beta, A)))(0.7)
    np.testing.assert_allclose(value, spectrum.expectation(0.7, A), rtol=1e-13)
    difference = (spectrum.expectation(0.701, A) - spectrum.expectation(0.699, A)) / 2e-3
    np.testing.assert_allclose(slope, difference, rtol=1e-5)


@pytest.mark.slow
def test_the_derivative_in_beta_first_then_in_the_couplings():
    def energy(couplings):
        return -jax.grad(of_couplings("log_partition")[0], 1)(couplings, 1.3)

    gradient = jax.jit(jax.grad(energy))(COUPLINGS)
    np.testing.assert_allclose(gradient, of_couplings("energy")[1](COUPLINGS)[1], rtol=1e-12)


def test_second_derivatives_in_the_couplings_are_refused():
    quantity, _ = of_couplings("log_partition")
    with pytest.raises(ValueError, match=r"at most once.*method=Exact"):
        jax.hessian(quantity)(COUPLINGS)
    with pytest.raises(ValueError, match=r"must not be differentiated.*log_partition"):
        jax.grad(lambda h: jg.expectation(h, 0.7, A, method=FEW))(CHAIN)


def test_derivatives_in_the_observable():
    gradient = jax.grad(lambda a: jg.expectation(CHAIN, 0.7, a, method=WHOLE))(A)
    for name, slope in gradient.couplings.items():
        single = type(A)({other: float(other == name) for other in A.couplings}, A.terms)
        np.testing.assert_allclose(slope, exact(CHAIN, 0.7, single)["expectation"], rtol=1e-11, atol=1e-13)


@pytest.mark.slow
def test_an_unconverged_depth_is_reported():
    gradients = [of_couplings("log_partition", method)[1](COUPLINGS, 6.0)[1] for method in ("shallow", "few")]
    assert np.max(np.abs(gradients[0] - gradients[1])) > 1e-3
    state = jg.gibbs_state(CHAIN, 6.0, method=METHODS["shallow"])
    assert state.systematic_error.log_partition > 1e-3


@pytest.mark.slow
def test_complex_matrices_have_gradients():
    matrix, other = hermitian(16, 2) / 3, hermitian(16, 3) / 3
    method = jg.Lanczos(probes=16, depth=16, distribution=unit_vectors)
    gradient = jg.operators.hermitian_gradient(lambda m: jg.log_partition(m, 0.9, method=method))(jnp.asarray(matrix))
    wanted = -0.9 * exact(Dense(matrix), 0.9, other)["expectation"]
    np.testing.assert_allclose(np.trace(gradient @ other).real, wanted, rtol=1e-10)


# -- transformations, precision, choice -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_transformations_change_nothing():
    quantity, slope = of_couplings("log_partition")
    stacked = jnp.stack([COUPLINGS, COUPLINGS + 0.1])
    values, gradients = jax.vmap(slope)(stacked)
    for couplings, value, gradient in zip(stacked, values, gradients, strict=True):
        np.testing.assert_allclose(quantity(couplings), value, rtol=1e-11)
        np.testing.assert_allclose(slope(couplings)[1], gradient, rtol=1e-10)


def test_the_first_probes_do_not_depend_on_how_many_there_are():
    few = jg.thermal_spectrum(CHAIN, method=jg.Lanczos(probes=2, depth=9)).nodes
    many = jg.thermal_spectrum(CHAIN, method=jg.Lanczos(probes=5, depth=9)).nodes
    np.testing.assert_allclose(few.values, many.values[:2], rtol=1e-13, atol=1e-13)


@pytest.mark.slow
def test_single_precision_stays_single():
    chain = models.heisenberg_chain(SITES, jnp.float32(1.0), field=jnp.float32(0.3), single_ion=jnp.float32(0))
    assert chain.dtype == np.float32
    state = jg.gibbs_state(chain, jnp.float32(0.7), method=FEW)
    double = jg.gibbs_state(models.heisenberg_chain(SITES, 1.0, field=0.3), 0.7, method=FEW)
    assert state.spectrum.nodes.values.dtype == np.float64  # coefficients are kept in the widest dtype there is
    for name in NAMES:
        assert getattr(state, name).dtype == getattr(state.standard_error, name).dtype == np.float32
        np.testing.assert_allclose(getattr(state, name), getattr(double, name), rtol=1e-4)


def test_large_operators_are_left_to_lanczos(monkeypatch):
    monkeypatch.setattr("jaxgibbs.equilibrium.gibbs.LARGEST_DIMENSION", 7)
    large, small = models.heisenberg_chain(3), models.two_level(1.0, 0.3)
    spectrum = jg.thermal_spectrum(large)
    assert "Lanczos quadrature (chosen" in spectrum.explain()
    np.testing.assert_allclose(spectrum.energy(0.7), jg.energy(large, 0.7), rtol=1e-14)
    assert "exact diagonalisation" in jg.thermal_spectrum(large, method=jg.Exact()).explain()
    assert "exact diagonalisation" in jg.thermal_spectrum(small).explain()


@pytest.mark.parametrize(
    ("ask", "remedy"),
    [
        (lambda s: s.covariance(A, A), "method=Exact"),
        (lambda s: s.populations, "expectation"),
        (lambda s: s.density_matrix(), "expectation"),
        (lambda s: s.level_projectors(), "nodes.levels"),
        (lambda s: s.spectrum.levels(), "nodes.levels"),
        (lambda s: s.renyi_entropy(np.inf), "method=Exact"),
        (lambda s: s.expectation(np.eye(4)), "dimension of the Hamiltonian"),
        (lambda s: s.spectrum.at(np.inf).energy, "deflation"),
        (lambda s: jg.Lanczos(probes=0), "probes"),
        (lambda s: jg.Lanczos(depth=2.5), "depth"),
        (lambda s: jg.Lanczos(deflation=-1), "deflation"),
        (lambda s: jg.Lanczos(accuracy=0.0), "accuracy"),
    ],
)
def test_what_it_cannot_answer_is_refused_with_a_remedy(ask, remedy):
    with pytest.raises(ValueError, match=f"must.*{remedy}|{remedy}.*must"):
        ask(jg.gibbs_state(CHAIN, 0.7, method=FEW))


# -- deflation ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_deflation_makes_zero_temperature_exact_and_keeps_entropies_positive():
    hamiltonian = models.heisenberg_chain(6, 1.0, field=0.3)
    levels = np.linalg.eigvalsh(hamiltonian.to_dense())
    plain = jg.thermal_spectrum(hamiltonian, method=jg.Lanczos(probes=2, depth=40, key=jax.random.key(4)))
    deflated = jg.thermal_spectrum(hamiltonian, method=jg.Lanczos(probes=2, depth=40, deflation=3))
    found = deflated.nodes.levels
    assert np.all(found.converged)
    np.testing.assert_allclose(np.sort(found.energies), np.r_[levels[:3], levels[-3:]], atol=1e-12)
    gram = found.vectors @ found.vectors.T
    np.testing.assert_allclose(gram, np.eye(6), atol=1e-12)
    for beta in (30.0, -30.0, 1e3, np.inf, -np.inf):
        state, wanted = deflated.at(beta), exact(hamiltonian, beta)
        left = 1e-8 if abs(beta) == 30 else 1e-12  # what the levels above carry: e^{-30 gap}, sampled
        np.testing.assert_allclose(state.energy, wanted["energy"], atol=left)
        np.testing.assert_allclose(state.entropy, wanted["entropy"], atol=30 * left)
        assert state.entropy >= 0
        assert state.heat_capacity >= 0
    assert abs(plain.at(1e3).entropy) > 0.1  # what deflation is for: ln of a sampled weight, of either sign
    for beta in (0.0, 1.0, 3.0):
        state = deflated.at(beta)
        for name in NAMES:
            error = getattr(state.standard_error, name)
            assert abs(getattr(state, name) - exact(hamiltonian, beta)[name]) <= 5 * error + 1e-12
    observable = models.transverse_ising_chain(6, 0.8, 0.5)
    np.testing.assert_allclose(
        deflated.expectation(1e3, observable), exact(hamiltonian, 1e3, observable)["expectation"], rtol=1e-7
    )


@pytest.mark.slow
def test_deflation_finds_degenerate_levels_and_everything_where_there_is_no_more():
    hamiltonian = models.heisenberg_chain(3)  # quartets and doublets, 8 states
    spectrum = jg.thermal_spectrum(hamiltonian, method=jg.Lanczos(probes=1, depth=8, deflation=9))
    for beta in (-np.inf, -2.0, 0.0, 2.0, np.inf):
        for name in ("energy", "entropy", "heat_capacity"):
            value = getattr(spectrum.at(beta), name)
            np.testing.assert_allclose(value, exact(hamiltonian, beta)[name], atol=1e-11, err_msg=name)


@pytest.mark.slow
def test_gradients_with_deflation():
    for name in ("log_partition", "energy"):
        gradient, wanted = (of_couplings(name, method)[1](COUPLINGS)[1] for method in ("deflated", "exact"))
        np.testing.assert_allclose(gradient, wanted, rtol=1e-8)


@pytest.mark.slow
def test_a_product_carries_the_errors_of_its_parts():
    chain = models.heisenberg_chain(6)
    method = jg.Lanczos(probes=4, depth=20, accuracy=1e-9)
    one = jg.gibbs_state(chain, 0.7, method=method)
    two = jg.gibbs_state(
        jg.operators.KroneckerSum([chain, chain, jg.operators.Spectrum([0.0, 1.0])]), 0.7, method=method
    )
    np.testing.assert_allclose(two.standard_error.energy, 2 * one.standard_error.energy)  # the same probes in both
    np.testing.assert_allclose(two.systematic_error.entropy, 2 * one.systematic_error.entropy)
    assert two.result == jg.RESULTS.probes_too_few
    assert jg.gibbs_state(jg.operators.KroneckerSum([chain, chain]), 0.7).result == jg.RESULTS.optimal
    observable = jg.operators.KroneckerSum([chain, 0.0 * chain, jg.operators.Spectrum([0.0, 0.0])])
    np.testing.assert_allclose(two.expectation_error(observable), one.expectation_error(chain), atol=1e-12)


def test_too_little_memory_is_said_before_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(_errors, "device_memory", lambda: 2**34)
    with pytest.raises(ValueError, match=r"room for 7 vectors, 56\.0 GiB, but this device has 16\.0 GiB; use float32"):
        jg.log_partition(models.heisenberg_chain(30), 1.0)
    assert _errors.device_memory() == 2**34
    monkeypatch.undo()
    assert _errors.device_memory() > 2**28
