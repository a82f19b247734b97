"""Symmetries found from the terms: against brute force, against dense matrices, and under every derivative."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs.models import Lattice, chain_lattice
from jaxgibbs.operators import Dense, PauliSum, PauliTerms
from jaxgibbs.symmetry import reduction as module
from jaxgibbs.symmetry.detection import (
    commuting_involutions,
    conserved_flips,
    conserved_permutations,
    field_terms,
    group_of,
    pauli_terms,
)
from jaxgibbs.symmetry.reduction import reduction

RANDOM = np.random.default_rng(0)
BOND, SITE = RANDOM.normal(size=5), RANDOM.normal(size=6)
PAULI = {"1": np.eye(2), "X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1, -1])}


@pytest.fixture(autouse=True)
def _small_systems_too(monkeypatch):
    monkeypatch.setattr(module, "SMALLEST_DIMENSION", 2**5)


SYSTEMS = {
    "heisenberg chain in a field": lambda: jg.models.heisenberg_chain(6, 1.1, 0.3),
    "heisenberg ring": lambda: jg.models.heisenberg_ring(6, 1.1, 0.0),
    "heisenberg ring of 7": lambda: jg.models.heisenberg_ring(7, -0.8, 0.4),
    "random bonds": lambda: jg.models.heisenberg_chain(6, BOND, 0.2),
    "xxz chain": lambda: jg.models.xxz_chain(6, 1.1, 0.5, 0.3),
    "transverse ising ring": lambda: jg.models.transverse_ising_chain(6, 1.0, 0.7, periodic=True),
    "transverse ising, random": lambda: jg.models.transverse_ising_chain(6, BOND, SITE),
    "cluster": lambda: PauliSum(
        {"a": RANDOM.normal(size=4), "b": 0.3},
        PauliTerms.from_strings(6, {"a": [f"Z{i} X{i + 1} Z{i + 2}" for i in range(4)], "b": "Y0 Y1 + Y2 Y3 + Y4 Y5"}),
    ),
    "multiple and sum": lambda: 2.0 * jg.models.heisenberg_chain(6, 1.0, 0.1) + jg.models.xx_chain(6, 0.3),
}


def dense(operator):
    if isinstance(operator, PauliSum):
        return operator.to_dense()
    return (
        operator.factor * dense(operator.operator) if hasattr(operator, "factor") else sum(map(dense, operator.parts))
    )


def levels_by_reduction(operator):
    return np.sort(np.asarray(jg.thermal_spectrum(operator).levels()))


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_levels_are_those_of_the_matrix(name):
    operator = SYSTEMS[name]()
    found = reduction(operator)
    assert found is not None
    assert found.describe() in jg.thermal_spectrum(operator).explain()
    expected = np.linalg.eigvalsh(np.asarray(dense(operator)))
    np.testing.assert_allclose(levels_by_reduction(operator), expected, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize(
    "name",
    [
        "heisenberg chain in a field",
        pytest.param("transverse ising ring", marks=pytest.mark.slow),
        pytest.param("xxz chain", marks=pytest.mark.slow),
        pytest.param("cluster", marks=pytest.mark.slow),
    ],
)
def test_derivatives_are_those_of_the_matrix(name):
    operator, theta, build = parts(SYSTEMS[name]())

    @functools.partial(jax.jit, static_argnums=1)
    def answers(theta, as_matrix):
        def log_z(theta, beta):
            hamiltonian = build(theta)
            return jg.log_partition(Dense(hamiltonian.to_dense()) if as_matrix else hamiltonian, beta)

        betas = jnp.array([-0.4, 0.0, 1.3])
        return [
            jax.vmap(jax.value_and_grad(log_z), (None, 0))(theta, betas),
            jax.hessian(log_z)(theta, 1.3),
            jax.vmap(jax.grad(jax.grad(log_z, 1), 1), (None, 0))(theta, betas),
            jax.jvp(lambda t: jax.grad(log_z)(t, 0.7), (theta,), (jnp.cos(jnp.arange(theta.size)),)),
        ]

    for a, b in zip(jax.tree.leaves(answers(theta, False)), jax.tree.leaves(answers(theta, True)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11 * (1 + np.abs(b).max()))
    assert reduction(operator) is not None


def parts(operator):
    """The operator, its coefficients, and how to build it from them."""

    def build(theta):
        couplings, start = {}, 0
        for name, size in operator.terms.sizes:
            couplings[name] = theta[start : start + size].reshape(operator.couplings[name].shape)
            start += size
        return PauliSum(couplings, operator.terms)

    return operator, operator.coefficients(), build


def test_the_susceptibility_at_zero_field_survives():
    """A symmetry found from the values at h = 0 would answer 0."""

    def log_z(field, as_matrix):
        chain = jg.models.heisenberg_chain(6, 1.0, field)
        return jg.log_partition(Dense(chain.to_dense()) if as_matrix else chain, 0.9)

    blocks, matrix = (jax.grad(jax.grad(log_z))(0.0, as_matrix) for as_matrix in (False, True))
    assert blocks > 0.1
    np.testing.assert_allclose(blocks, matrix, rtol=1e-12)


def test_every_answer_of_the_state():
    chain = jg.models.heisenberg_chain(6, 1.0, 0.2)
    observable = jg.models.heisenberg_chain(6, 0.0, np.arange(6.0))

    @jax.jit
    def answers(hamiltonian):
        state = jg.gibbs_state(hamiltonian, 0.8)
        energies, vectors = state.spectrum.eigenbasis()
        extremes = [jg.gibbs_state(hamiltonian, beta) for beta in (np.inf, -np.inf)]
        return [
            state.expectation(observable),
            state.covariance_matrix((observable, hamiltonian)),
            state.density_matrix(),
            state.populations,
            state.renyi_entropy(2),
            (vectors * energies) @ vectors.T,
            [(extreme.energy, extreme.entropy) for extreme in extremes],
        ]

    found, expected = answers(chain), answers(Dense(chain.to_dense()))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_the_matrix_is_never_built():
    chain = jg.models.heisenberg_chain(10)
    text = str(jax.make_jaxpr(jax.hessian(lambda c: jg.log_partition(PauliSum(c, chain.terms), 1.0)))(chain.couplings))
    assert "1024,1024" not in text
    assert "252,252" not in text  # nor the largest block of given magnetisation
    assert "decompose" in text


def test_single_precision():
    chain = jax.tree.map(lambda x: x.astype(jnp.float32), jg.models.heisenberg_chain(6, 1.0, 0.1))
    value, slope = jax.value_and_grad(jg.log_partition)(chain, jnp.float32(0.7))
    exact, exact_slope = jax.value_and_grad(jg.log_partition)(jg.models.heisenberg_chain(6, 1.0, 0.1), 0.7)
    assert value.dtype == slope.couplings["field"].dtype == jnp.float32
    np.testing.assert_allclose(value, exact, rtol=1e-6)
    np.testing.assert_allclose(slope.couplings["coupling"], exact_slope.couplings["coupling"], rtol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_flips_span_what_commutes(seed):
    """All Pauli strings on three sites, by their matrices: those that commute and flip are the span, up to diagonal ones."""
    rng = np.random.default_rng(seed)
    letters = ["".join(x) for x in itertools.product("1XYZ", repeat=3)]
    chosen = [letters[k] for k in rng.choice(np.arange(1, 64), size=2 + seed % 3, replace=False)]
    terms = PauliTerms.from_strings(
        3, {"a": [" ".join(f"{c}{i}" for i, c in enumerate(s) if c != "1") for s in chosen]}
    )
    given = [matrix_of(s) for s in chosen]
    commuting = {masks(s) for s in letters if all(np.allclose(matrix_of(s) @ m, m @ matrix_of(s)) for m in given)}
    found = conserved_flips((terms,))
    assert all(x and (x & z).bit_count() % 2 == 0 for x, z in found)
    assert set(found) <= commuting
    span = {(0, 0)}
    for x, z in found:
        span |= {(x ^ a, z ^ b) for a, b in span}
    real_flips = {x for x, z in commuting if (x & z).bit_count() % 2 == 0}
    assert len(span) == 2 ** len(found)
    assert len({x for x, _ in span}) == len(span)
    if all((x & z).bit_count() % 2 == 0 for x, z in commuting):
        assert {x for x, _ in span} == real_flips


def matrix_of(letters):
    return functools.reduce(np.kron, [PAULI[c] for c in letters])


def masks(letters):
    x = int("".join("1" if c in "XY" else "0" for c in letters), 2)
    return x, int("".join("1" if c in "YZ" else "0" for c in letters), 2)


def test_permutations_are_those_of_every_term():
    ring = jg.models.heisenberg_ring(6)
    assert (5, 4, 3, 2, 1, 0) in conserved_permutations((ring.terms,))
    assert all(ring.terms.is_invariant(order) for order in conserved_permutations((ring.terms,)))
    assert conserved_permutations((jg.models.heisenberg_chain(6, BOND[:5]).terms,)) == []
    # Of two sets of terms only what both have is left.
    both = ring + jg.models.heisenberg_chain(6, BOND[:5])
    assert conserved_permutations(pauli_terms(both)) == []


def test_the_group_is_abelian_of_order_two():
    generators = commuting_involutions((jg.models.transverse_ising_chain(6, periodic=True).terms,))
    assert len(generators) == 3  # the flip, and two permutations of the ring
    matrices = []
    for g in group_of(generators, 64):
        matrix = np.zeros((64, 64))
        matrix[g.images, np.arange(64)] = g.signs
        matrices.append(matrix)
    for a, b in itertools.combinations(matrices, 2):
        np.testing.assert_array_equal(a @ b, b @ a)
        assert not np.array_equal(a, b)
    for a in matrices:
        np.testing.assert_array_equal(a @ a, np.eye(64))


def test_total_spin():
    np.testing.assert_allclose(field_terms((jg.models.heisenberg_chain(5, 1.0, 0.3).terms,)), [0, 0, -0.5])
    assert field_terms((jg.models.xxz_chain(5).terms,)) is None
    assert field_terms((jg.models.heisenberg_chain(5, 1.0, np.ones(5)).terms,)) is None  # a field on each site
    triple = PauliTerms.from_strings(3, {"a": "X0 X1 + Y0 Y1 + Z0 Z1", "b": "X0 X1 + Y0 Y1"})
    assert field_terms((triple,)) is None
    chirality = PauliTerms.from_strings(3, {"a": "X0 Y1 Z2 - X0 Z1 Y2 + Y0 Z1 X2 - Y0 X1 Z2 + Z0 X1 Y2 - Z0 Y1 X2"})
    np.testing.assert_allclose(field_terms((chirality,)), [0])


def test_where_nothing_is_found():
    assert reduction(jg.models.heisenberg_chain(6, BOND, SITE)) is None  # blocks of given magnetisation, and no more
    assert reduction(jg.models.heisenberg_chain(4)) is None  # small
    assert reduction(Dense(np.eye(64))) is None
    assert reduction(Dense(np.eye(64)) + jg.models.heisenberg_chain(6)) is None
    imaginary = PauliTerms.from_strings(7, {"a": "Y0 X1 + Y1 X2 + Y2 X3 + Y3 X4 + Y4 X5 + Y5 X6"})
    assert reduction(PauliSum({"a": 1.0}, imaginary)) is None
    operator = PauliSum({"a": 1.0}, imaginary)
    np.testing.assert_allclose(
        np.sort(jg.thermal_spectrum(operator).levels()), np.linalg.eigvalsh(np.asarray(operator.to_dense())), atol=1e-13
    )


def test_a_lattice_brings_its_permutations():
    star = Lattice(7, [(0, k) for k in range(1, 7)], permutations=[(0, 2, 1, 3, 4, 5, 6), (0, 2, 3, 4, 5, 6, 1)])
    operator = jg.models.heisenberg(star, 1.0, 0.2)
    assert len(commuting_involutions((operator.terms,), flips=False)) == 3
    np.testing.assert_allclose(
        levels_by_reduction(operator), np.linalg.eigvalsh(np.asarray(operator.to_dense())), atol=1e-13
    )
    assert chain_lattice(4).permutations


def test_terms_of_any_weight_are_kept():
    """Weights that differ by 1e20 within one operator: each term is judged by its own scale."""
    strings = {
        "a": "1e-10 X0 X1 + 1e-10 X1 X2 + 1e-10 X3 X4 + 1e-10 X4 X5",
        "b": "1e10 Z0 Z1 + 1e10 Z4 Z5 + 1e10 X2 X3",
    }
    terms = PauliTerms.from_strings(6, strings)
    operator = PauliSum({"a": 1e10, "b": 1e-10}, terms)
    assert reduction(operator) is not None
    expected = np.linalg.eigvalsh(np.asarray(operator.to_dense()))
    np.testing.assert_allclose(levels_by_reduction(operator), expected, atol=1e-13)
