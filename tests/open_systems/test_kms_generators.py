"""Generators with the Gibbs state as exact fixed point against closed forms, detailed balance, limits, and finite differences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erfc

import jaxgibbs as jg
from helpers import derivatives_of, direction, with_levels
from jaxgibbs.open_systems import (
    AnalyticFilter,
    GaussianFilter,
    GaussianWeight,
    MetropolisWeight,
    SmoothMetropolisFilter,
)

RNG = np.random.default_rng(4)
SX = np.array([[0.0, 1], [1, 0]])


def narrow(x):
    """A filter of one's own."""
    return jnp.exp(-(x**2) / 2)


FILTERS = {
    "smooth Metropolis": SmoothMetropolisFilter(),
    "Gaussian": GaussianFilter(0.7),
    "own": AnalyticFilter(narrow, 1.0),
}
WEIGHTS = {
    "Gaussian": GaussianWeight(),
    "narrow Gaussian": GaussianWeight(0.3, 0.8),
    "Metropolis": MetropolisWeight(),
    "wide Metropolis": MetropolisWeight(1.5, span=8.0),
}
SYSTEMS = {
    "generic": (2 * direction(RNG, 3, True), 2 * direction(RNG, 3, True)),
    "degenerate": (with_levels(RNG, [0.0, 0.0, 1.5], True), 2 * direction(RNG, 3, True)),
}
ONE = (np.array([[0.4]]), np.array([[1.5]]))

chen = eqx.filter_jit(lambda h, a, beta, weight: jg.chen_kastoryano_gilyen(h, a, beta, weight=weight))
ding = eqx.filter_jit(lambda h, a, beta, each: jg.ding_li_lin(h, a, beta, filter=each))


@eqx.filter_jit
def dense(generator):
    return generator.to_dense()


@eqx.filter_jit
def jumped(generator, x):
    return generator.jump_map()(x)


def all_generators(hamiltonian, coupling, beta):
    for weight in WEIGHTS.values():
        yield chen(hamiltonian, [coupling], beta, weight)
    for each in FILTERS.values():
        yield ding(hamiltonian, [coupling], beta, each)


def imbalance(generator, hamiltonian, beta, s):
    """`|K - K^dagger| / |K|` of `K = W^(1/2) L^+ W^(-1/2)`, without `i [H, .]`: W weighs by `p_j^s p_i^(1 - s)`."""
    levels, vectors = np.linalg.eigh(hamiltonian)
    one, p = np.eye(len(levels)), np.exp(-beta * levels)
    heisenberg = np.array(dense(generator)).conj().T - 1j * (np.kron(one, hamiltonian) - np.kron(hamiltonian.T, one))
    turn = np.kron(vectors.T, vectors.conj().T)
    weights = np.sqrt(np.outer(p**s, p ** (1 - s)).ravel())  # stacked columns: j is the slow index
    k = weights[:, None] * (turn @ heisenberg @ turn.conj().T) / weights[None, :]
    return np.linalg.norm(k - k.conj().T) / np.linalg.norm(k)


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("beta", [0.8, -0.5])
def test_the_gibbs_state_is_fixed_and_detailed_balance_is_of_the_symmetric_kind_alone(system, beta):
    hamiltonian, coupling = SYSTEMS[system]
    state = np.array(jg.gibbs_state(hamiltonian, beta).density_matrix())
    vector = state.T.ravel()
    for generator in all_generators(hamiltonian, coupling, beta):
        matrix = np.array(dense(generator))
        scale = np.linalg.norm(matrix)
        assert np.linalg.norm(matrix @ vector) < 1e-13 * scale
        assert imbalance(generator, hamiltonian, beta, 0.5) < 1e-13
        assert imbalance(generator, hamiltonian, beta, 1.0) > 1e-3
        np.testing.assert_allclose(np.eye(3).ravel() @ matrix, 0, atol=1e-14 * scale)  # the trace is kept
        bare = eqx.tree_at(lambda g: g.coherent_terms, generator, 0 * generator.coherent_terms)
        assert np.linalg.norm(dense(bare) @ vector) > 1e-4 * scale  # the coherent term is needed


def kernel(weight, first, second):
    """`alpha` in closed form for windows of width 1."""
    total, gap = first + second, np.exp(-((first - second) ** 2) / 8)
    if weight == "Gaussian":
        return np.exp(-((total + 2) ** 2) / 16) * gap / np.sqrt(2)
    return 0.5 * gap * (erfc((1 + total) / np.sqrt(8)) + np.exp(-total / 2) * erfc((1 - total) / np.sqrt(8)))


@pytest.mark.parametrize("weight", ["Gaussian", "Metropolis"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_sum_of_jumps_is_the_integral_in_closed_form(weight, system):
    hamiltonian, coupling = SYSTEMS[system]
    levels, vectors = np.linalg.eigh(hamiltonian)
    x = 0.8 * (levels[:, None] - levels[None, :])
    a, state = vectors.conj().T @ coupling @ vectors, RNG.normal(size=(3, 3)) + 0j
    inner = vectors.conj().T @ state @ vectors
    alpha = kernel(weight, x[:, :, None, None], x[None, None])
    expected = vectors @ np.einsum("ijkl,ij,kl,jl->ik", alpha, a, a.conj(), inner) @ vectors.conj().T
    found = jumped(chen(hamiltonian, [coupling], 0.8, WEIGHTS[weight]), state)
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_one_jump_in_closed_form():
    hamiltonian, coupling = SYSTEMS["generic"]
    levels, vectors = np.linalg.eigh(hamiltonian)
    x = 0.8 * (levels[:, None] - levels[None, :])
    amplitudes = {"smooth Metropolis": np.exp(-np.sqrt(1 + x**2) / 4), "Gaussian": np.exp(-(x**2) / 8 / 0.49)}
    for name, q in (amplitudes | {"own": np.exp(-(x**2) / 2)}).items():
        jump = vectors @ (q * np.exp(-x / 4) * (vectors.conj().T @ coupling @ vectors)) @ vectors.conj().T
        generator = ding(hamiltonian, [coupling], 0.8, FILTERS[name])
        np.testing.assert_allclose(generator.jumps[0, 0], jump, atol=1e-14)
        assert generator.jumps.shape == (1, 1, 3, 3)


class DimensionlessBath(jg.baths.AbstractBath):
    """The rates of a weight in the limit of narrow windows, `gamma(-beta w)` of the energy given."""

    beta: jax.Array
    shift: float

    @property
    def scale(self):
        return 1 / self.beta

    def rate(self, frequency):
        return 1e-3 * jnp.exp(-((self.shift - self.beta * frequency) ** 2) / (4 * self.shift))


@pytest.mark.slow
def test_narrow_windows_recover_the_davies_generator():
    """With an error of the second order of the window: the rates at its middle, and coherences lost between frequencies."""
    hamiltonian, coupling = np.diag([0.0, 1.0, 2.7]), SYSTEMS["generic"][1]
    davies = jg.davies(hamiltonian, [(coupling, DimensionlessBath(jnp.array(0.8), 0.6))], lamb_shift=False)
    expected, errors = np.array(davies.jump_map()(SYSTEMS["generic"][0])), []
    for window in (0.04, 0.02):
        generator = chen(hamiltonian, [coupling * np.sqrt(1e-3)], 0.8, GaussianWeight(window, 0.6))
        errors.append(np.linalg.norm(jumped(generator, SYSTEMS["generic"][0] + 0j) - expected))
        assert np.linalg.norm(generator.coherent_matrix()) < 10 * window**2 * np.linalg.norm(expected)
    assert errors[1] < 2e-3 * np.linalg.norm(expected)
    np.testing.assert_allclose(errors[0] / errors[1], 4, rtol=0.05)


@pytest.mark.slow
def test_a_space_of_one_state_and_infinite_temperature():
    for generator in all_generators(*ONE, 0.8):
        np.testing.assert_allclose(dense(generator), 0, atol=1e-14)
    hamiltonian, coupling = SYSTEMS["generic"]
    for generator in all_generators(hamiltonian, coupling, 0.0):
        np.testing.assert_allclose(generator.coherent_terms, 0, atol=1e-14)
        np.testing.assert_allclose(generator.hamiltonian_matrix(), hamiltonian, atol=1e-14)
        assert np.linalg.norm(dense(generator) @ np.eye(3).ravel()) < 1e-13


@pytest.mark.slow
def test_several_baths_are_kept_apart_and_each_leads_to_its_own_state():
    hamiltonian, coupling = SYSTEMS["generic"]
    couplings = [coupling, coupling.real, coupling.imag @ coupling.imag.T]
    generator = jg.ding_li_lin(hamiltonian, couplings, [0.3, 1.2, 1.2], baths=("hot", "cold", "cold"))
    assert generator.baths == ("hot", "cold")
    np.testing.assert_allclose(generator.betas, [0.3, 1.2])
    rho = RNG.normal(size=(3, 3)) + 0j
    total = sum(generator.dissipator(rho, label) for label in generator.baths)
    np.testing.assert_allclose(generator.dissipator(rho), total, atol=1e-13)
    for label, beta in zip(generator.baths, (0.3, 1.2), strict=True):
        state, b = jg.gibbs_state(hamiltonian, beta).density_matrix(), generator.coherent_matrix(label)
        np.testing.assert_allclose(generator.dissipator(state, label), 1j * (b @ state - state @ b), atol=1e-14)
    assert jg.ding_li_lin(hamiltonian, couplings, 0.3).baths == (0,)
    assert jg.ding_li_lin(hamiltonian, couplings, [0.3, 0.3, 0.4]).baths == (0, 1, 2)


# -- derivatives -----------------------------------------------------------------------------------------------------

SPLITTING, COUPLING, STATE, WEIGHING = (direction(RNG, 3, True) for _ in range(4))


def reading(generator):
    return jnp.sum(WEIGHING * generator(STATE)).real


def chen_with(weight):
    return lambda h, t: jg.chen_kastoryano_gilyen(h, [COUPLING], 0.8 + t, weight=weight(t))


def ding_with(filter_at):
    return lambda h, t: jg.ding_li_lin(h, [COUPLING], 0.8 + t, filter=filter_at(t))


MAKERS = {
    "Gaussian weight": chen_with(lambda t: GaussianWeight(1 + t, 1 + t, nodes=40)),
    "Metropolis weight": chen_with(lambda t: MetropolisWeight(1 + t, span=4.0, nodes=40)),
    "smooth Metropolis filter": ding_with(lambda t: SmoothMetropolisFilter()),
    "Gaussian filter": ding_with(lambda t: GaussianFilter(0.7 + t)),
    "own filter": ding_with(lambda t: FILTERS["own"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_derivatives_in_every_parameter_are_those_of_finite_differences_through_a_degeneracy(name):
    def value(t):
        hamiltonian = np.diag([0.0, 0.0, 1.0]) + t * SPLITTING  # splits the level
        return reading(MAKERS[name](hamiltonian, t))

    single = jax.jit(value)
    first, h = jax.jit(jax.grad(value))(0.0), 1e-2
    f = np.array([single(k * h) for k in range(-3, 4)])
    # sixth order: h^6 of the seventh derivative, 1e-12 of some hundreds
    expected = (f @ np.array([-1, 9, -45, 0, 45, -9, 1])) / (60 * h)
    np.testing.assert_allclose(first, expected, rtol=1e-7)


@pytest.mark.slow
def test_second_derivatives_through_a_degeneracy_agree_in_all_modes():
    def value(t):
        return reading(MAKERS["Gaussian filter"](np.diag([0.0, 0.0, 1.0]) + t * SPLITTING, t))

    single, h = jax.jit(value), 2e-2
    f = np.array([single(k * h) for k in range(-3, 4)])
    expected = (f @ np.array([2, -27, 270, -490, 270, -27, 2])) / (180 * h**2)
    for modes in ("ff", "rf"):
        np.testing.assert_allclose(jax.jit(derivatives_of(value, modes))(0.0)[2], expected, rtol=1e-6)


def test_jit_vmap_and_single_precision():
    coupling, first = (direction(RNG, 3).astype(np.float32) for _ in range(2))

    def value(t):
        generator = jg.ding_li_lin(t * first, [coupling], 0.8) + jg.chen_kastoryano_gilyen(
            t * first, [coupling], 0.8, weight=GaussianWeight(nodes=36)
        )
        assert generator.dtype == jnp.complex64
        return jnp.sum(generator(first) * STATE.real.astype(np.float32)).real

    slopes = jax.jit(jax.vmap(jax.grad(value)))(np.array([0.0, 0.5], np.float32))
    assert slopes.dtype == jnp.float32
    assert np.all(np.isfinite(slopes))


# -- misuse ----------------------------------------------------------------------------------------------------------


def odd(x):
    return x


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jg.ding_li_lin(np.eye(2), [np.eye(3)], 1.0), "must have the shape"),
        (lambda: jg.ding_li_lin(np.eye(2), [[[0.0, 1], [0, 0]]], 1.0), "must be a Hermitian matrix"),
        (lambda: jg.ding_li_lin(np.eye(2), [], 1.0), "at least one operator"),
        (lambda: jg.ding_li_lin(np.eye(2), [SX], np.inf), "`beta` must be finite"),
        (lambda: jg.ding_li_lin(np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]]), 1.0), "Coupling operator 0 must be"),
        (lambda: jg.ding_li_lin(np.eye(2), [SX], [1.0, 2.0]), "one for each of the 1 couplings"),
        (lambda: jg.ding_li_lin(np.eye(2), [SX, SX], [1.0, 2.0], baths=("a", "a")), "one temperature"),
        (lambda: jg.chen_kastoryano_gilyen(np.eye(2), [SX], 1.0, baths=("a", "b")), "one label for each"),
        (lambda: GaussianFilter(-1.0), "`width` must be positive"),
        (lambda: GaussianFilter([1.0]), "`width` must be a positive number"),
        (lambda: AnalyticFilter(odd, 1.0), "even function"),
        (lambda: AnalyticFilter(narrow, 0.0), "`radius` must be positive"),
        (lambda: GaussianWeight(1.5, 1.0), "`shift` must be above"),
        (lambda: GaussianWeight(0.1, 1.0, nodes=20), "`nodes` must be at least"),
        (lambda: MetropolisWeight(span=-1.0), "`span` must be positive"),
        (
            lambda: jg.chen_kastoryano_gilyen(np.diag([0.0, 5.0]), [SX], 1.0, weight=MetropolisWeight(span=3.0)),
            "`span` of `MetropolisWeight` must be at least",
        ),
    ],
)
def test_misuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_misuse_under_a_trace_is_nan():
    def of_weight(make):
        return jax.jit(lambda s: jg.chen_kastoryano_gilyen(np.diag([0.0, 5.0]), [SX], 1.0, weight=make(s)).rates)(1.0)

    assert np.all(np.isfinite(of_weight(lambda s: GaussianWeight(s))))
    assert np.all(np.isnan(of_weight(lambda s: GaussianWeight(s, 0.4 * s))))
    assert np.all(np.isnan(of_weight(lambda s: GaussianWeight(0.1 * s))))
    assert np.all(np.isnan(of_weight(lambda s: MetropolisWeight(s, span=3.0))))
    assert np.all(np.isnan(of_weight(lambda s: MetropolisWeight(0.1 * s))))
