"""Gaussian states against the whole Fock space: fermions exactly, bosons on a truncated one."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import decompositions
from jaxgibbs._errors import NotTraceClass
from jaxgibbs.operators import Bosons, Fermions, QuadraticBosons, QuadraticFermions, Spectrum

EPS = np.finfo(float).eps
SITES = 4
rng = np.random.default_rng(5)


def form(sign, is_complex=True):
    a, b = rng.normal(size=(2, SITES, SITES)) + (1j * rng.normal(size=(2, SITES, SITES)) if is_complex else 0)
    return (a + a.conj().T) / 2, (b + sign * b.T) / 2


A, B = form(-1)
FERMIONS = {
    "pairing": QuadraticFermions(A, B),
    "hopping": QuadraticFermions(A),
    "zero modes": QuadraticFermions(A - A, np.pad([[0, 0.7], [-0.7, 0]], ((0, 2), (0, 2)))),
    "degenerate": jg.models.tight_binding_chain(SITES, 1.0, periodic=True),
    "blocks": jg.models.tight_binding(SITES, [(0, 2), (1, 3)], [1.0, 0.6], [0.1, 0.2, 0.3, 0.1]),
}
OBSERVABLES = [QuadraticFermions(*form(-1)), QuadraticFermions(A), np.diag([1.0, 2, 0, -1]), Fermions([1.0, 0, 0, 3])]
MATRICES = [
    np.asarray(QuadraticFermions(o).to_dense() if isinstance(o, np.ndarray) else o.to_dense()) for o in OBSERVABLES
]
ORDERS = (1 - 1e-6, 2, np.inf)
NAMES = ("log_partition", "free_energy", "energy", "energy_variance", "entropy", "heat_capacity")


@jax.jit
def gaussian_answers(hamiltonian, beta):
    state = jg.gibbs_state(hamiltonian, beta)
    numbers = jnp.stack([getattr(state, name) for name in NAMES] + [state.renyi_entropy(order) for order in ORDERS])
    return numbers, jnp.stack([state.expectation(o) for o in OBSERVABLES]), state.covariance_matrix(OBSERVABLES)


@jax.jit
def dense_answers(hamiltonian, beta):
    state = jg.gibbs_state(hamiltonian, beta)
    numbers = jnp.stack([getattr(state, name) for name in NAMES] + [state.renyi_entropy(order) for order in ORDERS])
    return numbers, jnp.stack([state.expectation(o) for o in MATRICES]), state.covariance_matrix(MATRICES)


SLOW = ("hopping", "degenerate")  # by one more compilation each; derivatives cover both


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in FERMIONS]
)
def test_fermions_are_their_fock_space(name):
    hamiltonian = FERMIONS[name]
    for beta in (0.0, 0.7, -0.4, 12.0, np.inf, -np.inf):
        numbers, means, covariance = gaussian_answers(hamiltonian, beta)
        exact, exact_means, exact_covariance = dense_answers(hamiltonian.to_dense(), beta)
        # eigenvalues of either route are known to a few eps of |H| <= 10
        rounding = 200 * EPS * (1 + min(abs(beta), 1e3))
        np.testing.assert_allclose(numbers, exact, rtol=rounding, atol=rounding, err_msg=f"{beta}")
        np.testing.assert_allclose(means, exact_means, atol=100 * rounding)
        if np.isfinite(beta):
            np.testing.assert_allclose(covariance, exact_covariance, atol=100 * rounding)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pairing", pytest.param("hopping", marks=pytest.mark.slow)])
def test_correlations_and_products(name):
    hamiltonian = FERMIONS[name]
    state, rho = jg.gibbs_state(hamiltonian, 0.8), jg.gibbs_state(hamiltonian.to_dense(), 0.8).density_matrix()
    c = [annihilator(i) for i in range(SITES)]

    def mean(*operators):
        product = np.eye(2**SITES)
        for operator in operators:
            product = product @ operator
        return np.trace(rho @ product)

    correlations = [[mean(c[i].T, c[j]) for j in range(SITES)] for i in range(SITES)]
    np.testing.assert_allclose(state.correlation_matrix(), correlations, atol=1e-14)
    pairs = [[mean(c[i], c[j]) for j in range(SITES)] for i in range(SITES)]
    np.testing.assert_allclose(state.pairing_matrix(), pairs, atol=1e-14)
    for created, annihilated in (
        ((0, 1), (2, 3)),
        ((0, 1, 2), (2, 1, 3)),
        ((), (0, 3)),
        ((2, 1, 0, 3), ()),
        ((1,), ()),
    ):
        exact = mean(*(c[i].T for i in created), *(c[i] for i in annihilated))
        np.testing.assert_allclose(state.ladder_expectation(created, annihilated), exact, atol=1e-14)
    for a, b in itertools.product(range(3), repeat=2):
        found = state.product_expectation(OBSERVABLES[a], OBSERVABLES[b])
        np.testing.assert_allclose(found, mean(MATRICES[a], MATRICES[b]), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(state.density_matrix(), rho, atol=1e-14)
    for sites in ((0,), (0, 1), (0, 1, 2), (0, 1, 2, 3)):  # a prefix: no sign of the other sites in the partial trace
        reduced = np.linalg.eigvalsh(jg.linalg.partial_trace(rho, (2,) * SITES, sites))
        for order in (1.0, 2.0, 0.5):
            exact = -np.sum(reduced * np.log(reduced)) if order == 1 else np.log(np.sum(reduced**order)) / (1 - order)
            np.testing.assert_allclose(state.reduced_entropy(sites, order), exact, rtol=1e-11)
    np.testing.assert_allclose(state.reduced_entropy(range(SITES)), state.entropy, rtol=1e-12)
    with pytest.raises(ValueError, match="At most 8"):
        state.ladder_expectation((0,) * 5, (0,) * 5)
    for wrong in ((0, 0), (4,), (-1,)):
        with pytest.raises(ValueError, match="different numbers from 0 to 3"):
            state.reduced_entropy(wrong)
    with pytest.raises(ValueError, match="positive and finite"):
        state.reduced_entropy((0,), 0)


def annihilator(site):
    """`c_site` of Jordan and Wigner."""
    matrix = np.eye(1)
    for other in range(SITES):
        matrix = np.kron(matrix, np.diag([1, -1]) if other < site else [[0, 1], [0, 0]] if other == site else np.eye(2))
    return matrix


@pytest.mark.parametrize("is_paired", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_derivatives_in_the_couplings_at_degeneracy(is_paired):
    """The ring has degenerate levels and a zero mode pair; every other derivative is of a symmetry-breaking coupling."""
    bonds = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)]

    def model(t):
        return jg.models.tight_binding(SITES, bonds, jnp.concatenate([t, jnp.array([1.0, 1.0, 0.0])]), 0.0)

    def paired(t):
        pairing = jnp.zeros((SITES, SITES)).at[0, 1].set(t[0] - 1).at[1, 0].set(1 - t[0])
        return QuadraticFermions(model(t).matrix, pairing)

    build, beta_slope = (paired, 0.3) if is_paired else (model, 0.0)

    def quantities(t, dense):
        h, beta = build(t), 1.1 + beta_slope * t[0] * t[1]
        state = jg.gibbs_state(h.to_dense() if dense else h, beta)
        names = ("log_partition", "energy", "energy_variance", "entropy", "heat_capacity")
        return jnp.stack([*(getattr(state, name) for name in names), state.renyi_entropy(2)])

    @jax.jit
    def derivatives(t):
        return [
            (jax.jacrev(f)(t), jax.jacfwd(jax.jacfwd(f))(t) if is_paired else 0.0)
            for f in (lambda t: quantities(t, False), lambda t: quantities(t, True))
        ]

    found, exact = derivatives(jnp.ones(2))
    np.testing.assert_allclose(found[0], exact[0], atol=1e-12)
    np.testing.assert_allclose(found[1], exact[1], atol=1e-11)


@pytest.mark.slow
def test_third_derivative_of_log_z():
    def f(t, dense):
        h = jg.models.tight_binding(3, [(0, 1), (1, 2), (2, 0)], [1.0, 1.0, 1.0], jnp.array([1.0, 0, 0]) * (t - 0.3))
        return jg.log_partition(h.to_dense() if dense else h, 1.4)

    third = jax.jit(jax.grad(jax.grad(jax.grad(f))), static_argnums=1)
    np.testing.assert_allclose(third(0.3, False), third(0.3, True), rtol=1e-11)


@pytest.mark.slow
def test_derivatives_of_reduced_entropy():
    def entropy(t, b):
        h = QuadraticFermions(jnp.asarray(A) + t * np.eye(SITES), b * jnp.asarray(B))
        return jg.gibbs_state(h, 0.9).reduced_entropy((0, 2))

    value = jax.jit(entropy)
    for argument in (0, 1):
        slope = jax.jit(jax.grad(entropy, argument))(0.2, 0.7)
        step = 1e-5 * np.eye(2)[argument]
        numeric = (value(*(np.array([0.2, 0.7]) + step)) - value(*(np.array([0.2, 0.7]) - step))) / 2e-5
        np.testing.assert_allclose(slope, numeric, rtol=1e-8)  # eps / 1e-5 and 1e-10
    frozen = jg.gibbs_state(QuadraticFermions(np.diag([-1.0, 1.0])), np.inf)
    assert frozen.reduced_entropy((0,)) == 0


def test_infinite_beta_has_no_derivatives():
    h = FERMIONS["hopping"]
    for function in (jg.log_partition, jg.energy, jg.entropy, jg.heat_capacity):
        assert np.isnan(jax.grad(function, 1)(h, np.inf))
        assert np.all(np.isnan(jax.grad(function)(h, np.inf).matrix.matrix))
    state = jg.gibbs_state(h, np.inf)
    occupied = np.linalg.eigh(A)[1][:, np.linalg.eigvalsh(A) < 0]
    np.testing.assert_allclose(state.correlation_matrix(), (occupied @ occupied.conj().T).T, atol=1e-13)


def test_one_decomposition():
    h = FERMIONS["pairing"]

    def everything(h):
        state = jg.gibbs_state(h, 0.8)
        return state.entropy + state.heat_capacity + state.expectation(h) + state.covariance(h, h)

    assert decompositions(jax.hessian(lambda s: everything(s * h)), 1.0) == 1
    betas = jnp.linspace(0.1, 1.0, 7)
    spectrum_once = lambda h: jax.vmap(jg.thermal_spectrum(h).heat_capacity)(betas)  # noqa: E731
    assert decompositions(spectrum_once, h) == 1


# -- bosons ----------------------------------------------------------------------------------------------------------

LEVELS = 22
FREQUENCIES = np.array([[1.9, 0.3 + 0.2j], [0.3 - 0.2j, 2.6]])
SQUEEZING = np.array([[0.4, 0.2j], [0.2j, -0.3]])


def boson_matrix(one_body, pairing):
    """The same on a Fock space of `LEVELS` quanta a mode: the products of ladder operators, then the truncation."""
    ladder = np.diag(np.sqrt(np.arange(1.0, LEVELS + 4)), 1)
    a = [np.kron(ladder, np.eye(LEVELS + 4)), np.kron(np.eye(LEVELS + 4), ladder)]
    pairs = sum(pairing[i, j] * a[i].T @ a[j].T for i in range(2) for j in range(2)) / 2
    full = sum(one_body[i, j] * a[i].T @ a[j] for i in range(2) for j in range(2)) + pairs + pairs.conj().T
    kept = (np.add.outer(np.arange(LEVELS + 4), np.arange(LEVELS + 4)) < LEVELS).ravel()
    return full[np.ix_(kept, kept)]


@pytest.mark.slow
@pytest.mark.parametrize("squeezed", [True, False])
def test_bosons_are_their_truncated_fock_space(squeezed):
    pairing = SQUEEZING if squeezed else 0 * SQUEEZING
    h = QuadraticBosons(FREQUENCIES, pairing) if squeezed else QuadraticBosons(FREQUENCIES)
    beta = 2.0  # the quanta left out carry e^(-2 * 1.5 * 22)
    state, dense = jg.gibbs_state(h, beta), jg.gibbs_state(boson_matrix(FREQUENCIES, pairing), beta)
    for name in NAMES:
        np.testing.assert_allclose(getattr(state, name), getattr(dense, name), rtol=1e-11, err_msg=name)
    for order in (0.7, np.inf):
        np.testing.assert_allclose(state.renyi_entropy(order), dense.renyi_entropy(order), rtol=1e-8)
    one = np.array([[0.5, 0.1j], [-0.1j, 0.2]])
    observables = [QuadraticBosons(one, 0.3 * np.ones((2, 2))), QuadraticBosons(one), Bosons([1.0, 0.0])]
    matrices = [
        boson_matrix(one, 0.3 * np.ones((2, 2))),
        boson_matrix(one, 0 * one),
        boson_matrix(np.diag([1.0, 0]), 0 * one),
    ]
    np.testing.assert_allclose(
        [state.expectation(o) for o in observables], [dense.expectation(m) for m in matrices], rtol=1e-10
    )
    np.testing.assert_allclose(
        state.covariance_matrix(observables), dense.covariance_matrix(matrices), rtol=1e-9, atol=1e-12
    )
    rho = dense.density_matrix()
    exact = np.trace(rho @ matrices[0] @ matrices[1])
    np.testing.assert_allclose(state.product_expectation(observables[0], observables[1]), exact, rtol=1e-9)
    pure = jg.thermodynamics(h, beta)
    rounding = 4 * np.finfo(float).eps * beta * np.sum(np.diag(FREQUENCIES))  # of the zero-point energies that cancel
    np.testing.assert_allclose(pure.log_partition, state.log_partition, rtol=1e-14, atol=rounding)
    np.testing.assert_allclose(pure.energy, state.energy, rtol=1e-14, atol=rounding)
    np.testing.assert_allclose(state.reduced_entropy((0, 1)), state.entropy, rtol=1e-12)
    weights = jnp.asarray(state.populations)
    np.testing.assert_allclose(
        jnp.sum((1 + weights) * jnp.log1p(weights) - weights * jnp.log(weights)), state.entropy, rtol=1e-12
    )


def test_one_squeezed_mode():
    """`w n + (g / 2)(a^2 + h.c.)`: `W = sqrt(w^2 - g^2)`, `<n> = (w / W) nu - 1 / 2`, `<aa> = -(g / W) nu`."""
    w, g, beta = 1.3, 0.6, 0.9
    frequency = np.sqrt(w**2 - g**2)
    nu = 0.5 / np.tanh(beta * frequency / 2)
    state = jg.gibbs_state(QuadraticBosons([[w]], [[g]]), beta)
    np.testing.assert_allclose(state.correlation_matrix(), [[w / frequency * nu - 0.5]], rtol=1e-13)
    np.testing.assert_allclose(state.pairing_matrix(), [[-g / frequency * nu]], rtol=1e-13)
    np.testing.assert_allclose(
        state.log_partition, -np.log(2 * np.sinh(beta * frequency / 2)) + beta * w / 2, rtol=1e-13
    )
    np.testing.assert_allclose(state.spectrum.mode_energies(), [frequency], rtol=1e-14)
    wick = state.ladder_expectation((0, 0), (0, 0))  # <a+ a+ a a> = 2 <n>^2 + |<aa>|^2
    n, m = w / frequency * nu - 0.5, -g / frequency * nu
    np.testing.assert_allclose(wick, 2 * n**2 + m**2, rtol=1e-12)

    def log_z(w, g):
        return jg.log_partition(QuadraticBosons(w * jnp.ones((1, 1)), g * jnp.ones((1, 1))), beta)

    def closed(w, g):
        return -jnp.log(2 * jnp.sinh(beta * jnp.sqrt(w**2 - g**2) / 2)) + beta * w / 2

    here = (jnp.asarray(w), jnp.asarray(g))
    derivatives = jax.jit(
        lambda w, g: [(jax.grad(f, (0, 1))(w, g), jax.hessian(f, (0, 1))(w, g)) for f in (log_z, closed)]
    )
    found, exact = derivatives(*here)
    np.testing.assert_allclose(found[0], exact[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], exact[1], rtol=1e-11)


def test_derivatives_of_bosons_at_degeneracy():
    """Two equal modes: the Hessian of `ln Z` is the Kubo-Mori covariance, entropies agree with finite differences."""
    directions = [QuadraticBosons(o, p) for o, p in ((np.eye(2), np.ones((2, 2))), ([[0, 1], [1, 0.5]], np.eye(2)))]

    def h(t):
        return QuadraticBosons(1.5 * np.eye(2), 0.4 * np.eye(2)) + t[0] * directions[0] + t[1] * directions[1]

    @jax.jit
    def derivatives(t):
        state = jg.gibbs_state(h(t), 1.0)
        hessian = jax.hessian(lambda t: jg.log_partition(h(t), 1.0))(t)
        slopes = jax.jacrev(lambda t: reduced(t))(t)
        return hessian, state.covariance_matrix(directions), slopes

    def reduced(t):
        state = jg.gibbs_state(h(t), 1.0)
        return jnp.stack(
            [state.entropy, state.heat_capacity, state.reduced_entropy((1,)), state.reduced_entropy((0,), 2)]
        )

    hessian, covariance, slopes = derivatives(jnp.zeros(2))
    np.testing.assert_allclose(hessian, covariance, rtol=1e-12, atol=1e-12)
    compiled = jax.jit(reduced)
    steps = 1e-5 * np.eye(2)
    numeric = np.stack([(compiled(jnp.asarray(s)) - compiled(jnp.asarray(-s))) / 2e-5 for s in steps], axis=1)
    np.testing.assert_allclose(slopes, numeric, rtol=1e-7, atol=1e-9)


def test_bosons_that_do_not_exist():
    free = QuadraticBosons([[0.5]], [[-0.5]])  # p^2 / 2: no restoring force
    inverted = QuadraticBosons([[0.5]], [[-0.8]])
    for h, match in ((free, "smallest eigenvalue"), (inverted, "smallest eigenvalue is -0.3")):
        with pytest.raises(NotTraceClass, match=match):
            jg.log_partition(h, 1.0)
        with pytest.raises(NotTraceClass, match=match):
            jg.gibbs_state(h, 1.0)
        assert np.isnan(jax.jit(jg.log_partition)(h, 1.0))
    stable = QuadraticBosons([[0.5]], [[-0.3]])
    for beta in (0.0, -1.0):
        with pytest.raises(NotTraceClass, match="`beta` must be positive"):
            jg.log_partition(stable, beta)
        assert np.isnan(jax.jit(jg.energy)(stable, beta))
    for one_body in ([[0.0, 0], [0, 1]], [[-0.1, 0], [0, 1]]):
        with pytest.raises(NotTraceClass, match="chemical potential below the lowest mode"):
            jg.log_partition(QuadraticBosons(one_body), 1.0)
        with pytest.raises(NotTraceClass, match="chemical potential below the lowest mode"):
            _ = jg.gibbs_state(QuadraticBosons(one_body), 1.0).entropy
        assert np.isnan(jax.jit(jg.log_partition)(QuadraticBosons(one_body), 1.0))
    state = jg.gibbs_state(stable, np.inf)
    np.testing.assert_allclose(state.energy, (0.4 - 0.5) / 2, rtol=1e-13)  # (W - w) / 2
    assert state.entropy == 0
    with pytest.raises(ValueError, match="has none"):
        state.density_matrix()


# -- both ------------------------------------------------------------------------------------------------------------


def test_single_precision_and_vmap():
    wide = FERMIONS["pairing"]
    narrow = QuadraticFermions(A.astype(np.complex64), B.astype(np.complex64))
    betas = jnp.asarray([0.3, 1.0, -2.0])
    found = jax.jit(jax.vmap(jg.thermodynamics, (None, 0)))(narrow, betas.astype(jnp.float32))
    exact = jax.jit(jax.vmap(jg.thermodynamics, (None, 0)))(wide, betas)
    for a, b in zip(jax.tree_util.tree_leaves(found), jax.tree_util.tree_leaves(exact), strict=True):
        assert a.dtype == jnp.float32
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.slow
def test_generalized_gibbs_states_of_quadratic_charges():
    charges = (QuadraticFermions(A), Fermions(np.ones(SITES)))
    state = jg.generalized_gibbs_state(charges, [0.8, -0.3])
    dense = jg.generalized_gibbs_state([c.to_dense() for c in charges], [0.8, -0.3])
    np.testing.assert_allclose(state.log_partition, dense.log_partition, rtol=1e-13)
    np.testing.assert_allclose(state.charge_expectations, dense.charge_expectations, rtol=1e-12)
    np.testing.assert_allclose(state.charge_covariance, dense.charge_covariance, rtol=1e-11, atol=1e-13)


def test_wrong_questions():
    state = jg.gibbs_state(FERMIONS["hopping"], 1.0)
    for wrong in (QuadraticBosons(A), Bosons([1.0]), Spectrum([1.0])):
        with pytest.raises(ValueError, match="A quadratic operator must be `QuadraticFermions`"):
            state.expectation(wrong)
    with pytest.raises(ValueError, match="must act on 4 sites"):
        state.expectation(np.eye(2))
    with pytest.raises(ValueError, match="at least one operator"):
        state.covariance_matrix(())
    assert "Gaussian state of 4 sites of fermions" in state.explain()
    other = jg.gibbs_state(np.eye(2), 1.0)
    for question in ("correlation_matrix", "pairing_matrix"):
        with pytest.raises(ValueError, match=f"`{question}` must be asked of the state of a `QuadraticFermions`"):
            getattr(other, question)()
    for question, arguments in (
        ("product_expectation", (1, 2)),
        ("ladder_expectation", ((), ())),
        ("reduced_entropy", ((0,),)),
    ):
        with pytest.raises(ValueError, match=f"`{question}` must be asked"):
            getattr(other, question)(*arguments)
