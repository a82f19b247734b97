"""Correlations and entanglement against closed forms, other formulas and finite differences, at degenerate points too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import direction, with_levels
from jaxgibbs.information import (
    area_law_bound,
    concurrence,
    entanglement_of_formation,
    logarithmic_negativity,
    mutual_information,
    negativity,
    partial_transpose,
    relative_entropy,
    von_neumann_entropy,
)

RNG = np.random.default_rng(5)
EPS = np.finfo(float).eps
BELL = np.outer([1, 0, 0, 1], [1, 0, 0, 1]) / 2 + 0j
SINGLET = np.outer([0, 1, -1, 0], [0, 1, -1, 0]) / 2 + 0j
entropy = jax.jit(von_neumann_entropy)
MOVE = direction(RNG, 4, True)
MOVE = MOVE - np.eye(4) * np.trace(MOVE) / 4


@jax.jit
def of_two_qubits(rho):
    """Concurrence, entanglement of formation, negativity, mutual information."""
    pair = (rho, (2, 2), 0)
    return jnp.stack([concurrence(rho), entanglement_of_formation(rho), negativity(*pair), mutual_information(*pair)])


def werner(p):
    """The singlet with probability `p`, else anything."""
    return p * SINGLET + (1 - p) * np.eye(4) / 4


def binary(x):
    """The entropy of a coin."""
    return -x * np.log(x) - (1 - x) * np.log(1 - x)


def formation(c):
    return binary((1 + np.sqrt(1 - c**2)) / 2)


def turned(rho):
    """The same state in other bases of the two qubits."""
    one, other = (np.linalg.qr(RNG.normal(size=(2, 2)) + 1j * RNG.normal(size=(2, 2)))[0] for _ in range(2))
    both = np.kron(one, other)
    return both @ rho @ both.conj().T


# -- correlation -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_mutual_information_is_the_sum_of_entropies_of_any_parts():
    dims = (2, 2, 2)
    rho = with_levels(RNG, RNG.dirichlet(np.ones(8)), True)
    whole = entropy(rho)
    for part, rest in ((0, (1, 2)), ((2, 0), (1,)), (np.array([0, 1]), 2)):
        parts = [entropy(jg.linalg.partial_trace(jnp.asarray(rho), dims, k)) for k in (part, rest)]
        np.testing.assert_allclose(mutual_information(rho, dims, part), sum(parts) - whole, rtol=1e-13)
    assert abs(mutual_information(rho, dims, ())) < 100 * EPS  # of nothing and everything
    ghz = np.zeros((8, 8)) + 0j
    ghz[np.ix_([0, 7], [0, 7])] = 0.5
    np.testing.assert_allclose(mutual_information(ghz, dims, 1), 2 * np.log(2), rtol=1e-14)  # pure: 2 S_A


def test_nearly_independent_parts_keep_their_digits():
    # 2 x 2: (1 + t sigma_z x sigma_z) / 4 has I = (1 + t)/2 ln(1 + t) + (1 - t)/2 ln(1 - t) = t^2/2 + t^4/12 + ...
    for t in (1e-3, 1e-6):
        rho = turned(np.diag([1 + t, 1 - t, 1 - t, 1 + t]) / 4)
        np.testing.assert_allclose(of_two_qubits(rho)[3], t**2 / 2 + t**4 / 12, rtol=1e3 * EPS / t)
    product = np.kron(with_levels(RNG, [0.3, 0.7], True), with_levels(RNG, [0.1, 0.9], True))
    assert abs(of_two_qubits(product)[3]) < 100 * EPS


@pytest.mark.parametrize("beta", [0.01, 0.7, 4.0])
def test_the_area_law_bounds_the_mutual_information(beta):
    # sharply: bound - I = D(rho_A x rho_B || rho)
    dims, part, rest = (2, 2, 2), (2, 0), (1,)
    boundary = jg.models.heisenberg_chain(3, coupling=1.0).to_dense()  # both bonds join the even and the odd sites
    rho = jg.gibbs_state(jg.models.heisenberg_chain(3, coupling=1.0, field=0.3), beta).density_matrix() + 0j
    information, bound = mutual_information(rho, dims, part), area_law_bound(boundary, rho, dims, part, beta)
    product = jnp.kron(*(jg.linalg.partial_trace(rho, dims, keep) for keep in (part, rest)))
    gap = relative_entropy(product, jg.linalg.partial_trace(rho, dims, part + rest))
    np.testing.assert_allclose(bound - information, gap, rtol=1e-10)
    assert 0 < information < bound < 2 * beta * np.linalg.norm(boundary, 2)


# -- entanglement ----------------------------------------------------------------------------------------------------


def test_the_partial_transpose_is_its_definition():
    dims = (2, 3, 2)
    matrix = RNG.normal(size=(12, 12)) + 1j * RNG.normal(size=(12, 12))
    tensor = matrix.reshape(*dims, *dims)
    expected = np.einsum("abcdef->dbfaec", tensor).reshape(12, 12)
    np.testing.assert_array_equal(partial_transpose(matrix, dims, (2, 0)), expected)
    np.testing.assert_array_equal(partial_transpose(matrix, dims, (0, 1, 2)), matrix.T)


@pytest.mark.parametrize("p", [0.0, 0.2, 1 / 3, 0.5, 0.9, 1.0])
def test_werner_states(p):
    c = max(0, (3 * p - 1) / 2)
    levels = np.array([(1 + 3 * p) / 4, *[(1 - p) / 4] * 3])
    information = 2 * np.log(2) + np.sum(levels * np.log(np.where(levels > 0, levels, 1)))
    values = of_two_qubits(turned(werner(p)))
    np.testing.assert_allclose(values[jnp.array([0, 2, 3])], [c, c / 2, information], rtol=1e-13, atol=40 * EPS)
    np.testing.assert_allclose(values[1], formation(c) if 0 < c < 1 else c * np.log(2), rtol=1e-13, atol=40 * EPS)


def test_concurrence_is_that_of_the_spin_flipped_state():
    y = np.array([[0, -1j], [1j, 0]])
    flip = np.kron(y, y)
    for weight in (0.0, 0.3, 0.6):
        rho = weight * turned(BELL) + (1 - weight) * with_levels(RNG, RNG.dirichlet(np.ones(4)), True)
        roots = np.sort(np.sqrt(np.abs(np.linalg.eigvals(rho @ flip @ rho.conj() @ flip))))
        np.testing.assert_allclose(of_two_qubits(rho)[0], max(0, 2 * roots[-1] - roots.sum()), rtol=1e-12, atol=1e-14)


def test_pure_states_of_two_qubits():
    vector = RNG.normal(size=4) + 1j * RNG.normal(size=4)
    vector /= np.linalg.norm(vector)
    rho = np.outer(vector, vector.conj())
    c = 2 * abs(vector[0] * vector[3] - vector[1] * vector[2])
    half = entropy(jg.linalg.partial_trace(jnp.asarray(rho), (2, 2), 0))
    np.testing.assert_allclose(of_two_qubits(rho), [c, half, c / 2, 2 * half], rtol=1e-13)


def test_negativity_of_larger_systems():
    singular = np.array([0.8, 0.5, np.sqrt(1 - 0.89)])
    vector = np.zeros((3, 3))
    vector[range(3), range(3)] = singular
    rho = np.outer(vector, vector)
    expected = (singular.sum() ** 2 - 1) / 2
    np.testing.assert_allclose(negativity(rho, (3, 3), 0), expected, rtol=1e-13)
    np.testing.assert_allclose(logarithmic_negativity(rho, (3, 3), 1), 2 * np.log(singular.sum()), rtol=1e-13)
    two = np.kron(werner(0.8), werner(0.6))  # the two pairs together: it adds up
    one = [np.log1p(2 * of_two_qubits(werner(p))[2]) for p in (0.8, 0.6)]
    np.testing.assert_allclose(logarithmic_negativity(two, (2, 2, 2, 2), (0, 2)), sum(one), rtol=1e-13)
    assert negativity(two, (4, 4), 0) < 40 * EPS


def test_tiles_are_entangled_without_negativity():
    # Bennett et al. 1999: what five product vectors, to which no product is orthogonal, leave
    e = np.eye(3)
    pairs = [
        (e[0], e[0] - e[1]),
        (e[2], e[1] - e[2]),
        (e[0] - e[1], e[2]),
        (e[1] - e[2], e[0]),
        (e.sum(0), e.sum(0)),
    ]
    vectors = [np.kron(a, b) / np.linalg.norm(np.kron(a, b)) for a, b in pairs]
    rho = (np.eye(9) - sum(np.outer(v, v) for v in vectors)) / 4
    assert negativity(rho, (3, 3), 0) < 40 * EPS
    assert mutual_information(rho, (3, 3), 0) > 0.5


def test_the_thermal_dimer_disentangles_at_a_known_temperature():
    # H = J S_1 . S_2: the singlet has the weight w = 1 / (1 + 3 e^{-J/T}) and C = max(0, 2 w - 1), so kT_c = J / ln 3
    # (Arnesen, Bose & Vedral 2001); dC/dT there is -(ln 3)^2 / (2 J)
    coupling, critical = 1.3, 1.3 / np.log(3)
    hamiltonian = jg.models.heisenberg_chain(2, coupling=coupling)

    def thermal(temperature):
        return concurrence(jg.gibbs_state(hamiltonian, 1 / temperature).density_matrix())

    temperatures = critical * np.array([1e-3, 0.5, 1 - 1e-9, 1.001, 30])
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(thermal)))(temperatures)
    weight = 1 / (1 + 3 * np.exp(-2 * np.log(3)))
    np.testing.assert_allclose(values[:2], [1, 2 * weight - 1], rtol=1e-13)
    assert 0 < values[2] < 1e-8
    assert values[3] == values[4] == slopes[3] == slopes[4] == 0
    np.testing.assert_allclose(slopes[2], -(np.log(3) ** 2) / (2 * coupling), rtol=1e-7)


# -- derivatives -----------------------------------------------------------------------------------------------------


@jax.jit
def derivatives(rho, move, turn):
    """The first two derivatives along `rho + t move + t^2 turn / 2`, at `t = 0`."""

    def slope(t):
        return jax.jvp(lambda t: of_two_qubits(rho + t * move + t**2 / 2 * turn), (t,), (jnp.ones_like(t),))[1]

    return jax.jvp(slope, (jnp.zeros(()),), (jnp.ones(()),))


@pytest.mark.slow
def test_derivatives_inside():
    rho = 0.6 * BELL + 0.4 * with_levels(RNG, [0.1, 0.2, 0.3, 0.4], True)
    h = 1e-4  # errors h^2 f''' / 6 and eps / h
    still = np.zeros((4, 4)) + 0j
    first, second = derivatives(rho, MOVE, still)
    values = [of_two_qubits(rho + t * MOVE) for t in (-h, h)]
    np.testing.assert_allclose(first, (values[1] - values[0]) / (2 * h), rtol=1e-6)
    slopes = [derivatives(rho + t * MOVE, MOVE, still)[0] for t in (-h, h)]
    np.testing.assert_allclose(second, (slopes[1] - slopes[0]) / (2 * h), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_derivatives_where_eigenvalues_coincide(p):
    c, rise = (max(0.0, (3 * p - 1) / 2), 1.5) if p > 1 / 3 else (0.0, 0.0)
    s = np.sqrt(1 - c**2)
    quotient = np.arctanh(s) / s if c else 0.0
    first = [rise, c * quotient * rise, rise / 2, 0.75 * np.log((1 + 3 * p) / (1 - p))]
    second = [0, (quotient - 1) / s**2 * rise**2, 0, 0.75 * (3 / (1 + 3 * p) + 1 / (1 - p))]
    found = derivatives(*turned(np.stack([werner(p), SINGLET - np.eye(4) / 4, np.zeros((4, 4))])))
    np.testing.assert_allclose(found[0], first, atol=1e-12)
    np.testing.assert_allclose(found[1], second, atol=1e-11)


@pytest.mark.parametrize("t", [0.3, np.pi / 4, 1.2])
def test_derivatives_along_pure_states(t):
    # cos t |uu> + sin t |dd>: C = sin 2t, E = h(cos^2 t); at pi/4 a Bell state, where C has its smooth maximum
    def outer(x, y):
        return np.outer([x, 0, 0, y], [x, 0, 0, y]) + 0j

    rho, half = outer(np.cos(t), np.sin(t)), np.diag([np.cos(2 * t), 0, 0, -np.cos(2 * t)]) / 2 + 0j
    half[0, 3] = half[3, 0] = np.sin(2 * t) / 2  # rho = constant + half, and half turns twice as fast as t
    move = np.diag([-np.sin(2 * t), 0, 0, np.sin(2 * t)]) + 0j
    move[0, 3] = move[3, 0] = np.cos(2 * t)
    c, dc, ddc, log_odds = np.sin(2 * t), 2 * np.cos(2 * t), -4 * np.sin(2 * t), 2 * np.log(np.tan(t))
    first, second = derivatives(rho, move, -4 * half)
    np.testing.assert_allclose(first[:3], [dc, -c * log_odds, dc / 2], atol=1e-13)
    np.testing.assert_allclose(second[:3], [ddc, -dc * log_odds - 4, ddc / 2], atol=1e-12)


def test_the_kink_of_a_product_state_has_the_middle_slope():
    corner = np.diag([1.0, 0, 0, 0]) + 0j
    move = np.zeros((4, 4)) + 0j
    move[0, 3] = move[3, 0] = 1  # |sin 2t|
    assert derivatives(corner, move, 0 * move)[0][0] == 0


# -- edges -----------------------------------------------------------------------------------------------------------


def test_single_precision_and_batches():
    states = np.stack([werner(0.2), werner(0.8), BELL])
    found = jax.vmap(of_two_qubits)(states.astype(np.complex64))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [of_two_qubits(rho) for rho in states], atol=2e-6)


def test_small_and_plain_input():
    assert mutual_information([[1]], (1,), 0) == 0
    assert negativity([[1]], (1, 1), 0) == 0
    assert concurrence([[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]) == 0


QUARTER = np.eye(4) / 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mutual_information(QUARTER, (2, 3), 0), "`dims` must be positive and multiply"),
        (lambda: mutual_information(QUARTER, (-2, -2), 0), "`dims` must be positive"),
        (lambda: mutual_information(QUARTER, (2, 2), 2), "`part` must name different subsystems among 0 ... 1"),
        (lambda: mutual_information(QUARTER, (2, 2), (0, 0)), "`part` must name different"),
        (lambda: mutual_information(np.diag([1.1, -0.1, 0, 0]), (2, 2), 0), "positive semidefinite"),
        (lambda: mutual_information(np.ones((2, 2, 2)), (2,), 0), "jax.vmap"),
        (lambda: area_law_bound(np.eye(4), np.eye(2) / 2, (2, 2), 0, 1.0), "`dims` must be positive"),
        (lambda: area_law_bound(np.triu(np.ones((4, 4))), QUARTER, (2, 2), 0, 1.0), "`boundary` must be Hermitian"),
        (lambda: area_law_bound(np.eye(4), QUARTER, (2, 2), 0, -1.0), "`beta` must be finite and not negative"),
        (lambda: area_law_bound(np.eye(4), QUARTER * np.nan, (2, 2), 0, 1.0), "`rho` must be finite"),
        (lambda: partial_transpose(np.ones((4, 3)), (2, 2), 0), "`dims` must be positive"),
        (lambda: negativity(np.diag([1.1, -0.1, 0, 0]), (2, 2), 0), "positive semidefinite"),
        (lambda: concurrence(np.eye(3) / 3), "for other systems use `negativity`"),
        (lambda: entanglement_of_formation(np.eye(9) / 9), "two qubits"),
    ],
)
def test_misuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_no_state_is_nan_under_a_trace():
    assert np.all(np.isnan(of_two_qubits(np.diag([1.1, -0.1, 0, 0]) + 0j)))
    bound = jax.jit(lambda beta: area_law_bound(np.eye(4), QUARTER, (2, 2), 0, beta))
    assert np.isnan(bound(-1.0))
