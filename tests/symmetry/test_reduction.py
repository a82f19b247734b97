"""Symmetries found from the terms: against brute force, against dense matrices, and under every derivative."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.models import Lattice, chain_lattice
from jaxgibbs.operators import Dense, LocalSum, PauliSum, PauliTerms
from jaxgibbs.symmetry import _collection as collection
from jaxgibbs.symmetry import reduction as module
from jaxgibbs.symmetry._sector_terms import Entries
from jaxgibbs.symmetry._signed import AbelianGroup, mode_permutation_of_states, site_permutation_of_states
from jaxgibbs.symmetry.detection import Permutations, Symmetries, coefficients, conserved_flips, static_terms
from jaxgibbs.symmetry.reduction import reduction
from jaxgibbs.symmetry.total_spin import field_terms

RANDOM = np.random.default_rng(0)
BOND, SITE = RANDOM.normal(size=5), RANDOM.normal(size=6)
PAULI = {"1": np.eye(2), "X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1, -1])}


@pytest.fixture(autouse=True)
def _small_systems_too(monkeypatch):
    monkeypatch.setattr(module, "SMALLEST_COST", 0.0)
    monkeypatch.setattr(module, "LEAST_SAVED", 0.0)
    monkeypatch.setattr(collection, "_LITTLE_WORK", 0.0)


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


RING, TORUS = chain_lattice(6, periodic=True), models.square_lattice(3, 3)
CHIRAL = PauliTerms.from_strings(
    6, {"a": [[f"X{i} Y{(i + 1) % 6} - Y{i} X{(i + 1) % 6}" for i in range(6)]], "b": [[f"Z{i}" for i in range(6)]]}
).with_permutations([(1, 2, 3, 4, 5, 0)])
IMAGINARY = PauliTerms.from_strings(5, {"a": "Y0 X1 + Y1 X2 + Y2 X3", "b": "Z1 X2 + X3 X4 + 0.3 Z0 Z4"})
# What is found, and the size of the largest block that is left of the dimension.
LATTICES = {
    "heisenberg ring": (lambda: models.heisenberg_ring(8, 1.1, 0.4), "total spin, 8 commuting", 12),
    "heisenberg torus": (lambda: models.heisenberg(TORUS, 1.0, 0.2), "total spin, 9 commuting", 12),
    "xxz ring in a field": (lambda: models.xxz_chain(8, 1.0, 0.5, 0.3, periodic=True), "differ by a shift", 12),
    "xxz torus in a field": (lambda: models.xxz(TORUS, 1.0, 0.5, 0.3), "differ by a shift", 12),
    "xyz ring": (lambda: models.xyz(RING, 1.0, 0.7, 0.3), "6 commuting", 12),
    "ising ring": (
        lambda: models.transverse_ising_chain(7, 1.0, 0.7, periodic=True),
        "7 commuting permutations, 1 flip",
        12,
    ),
    "ising ring, longitudinal": (lambda: models.transverse_ising(RING, 1.0, 0.7, longitudinal_field=0.2), "6 comm", 16),
    "triangular torus": (lambda: models.xyz(models.triangular_lattice(3, 3), 1.0, 0.7, 0.3), "9 commuting", 24),
    "kagome strip": (
        lambda: models.xxz(models.kagome_lattice(1, 3, periodic=(False, True)), 1.0, 0.3, 0.1),
        "flip",
        42,
    ),
    "chiral ring": (lambda: PauliSum({"a": 1.0, "b": 0.3}, CHIRAL), "6 commuting", 6),
    "spin 1 ring": (lambda: models.heisenberg_ring(5, 1.0, 0.3, single_ion=0.2, spin=1), "differ by a shift", 12),
    "spin 3/2 ring": (lambda: models.xxz_chain(4, 1.0, 0.2, 0.3, spin=1.5, periodic=True), "4 commuting", 12),
    "bosons on a ring": (lambda: models.bose_hubbard(RING, 1.0, 0.4, 0.2, levels=3), "6 reflections", 24),
    "hubbard ring": (lambda: models.fermi_hubbard(chain_lattice(4, periodic=True), 1.0, 3.0, 0.2, 0.1), "1 flip", 8),
    "hubbard triangle": (
        lambda: models.fermi_hubbard(chain_lattice(3, periodic=True), 1.0, 3.0, 0.2, 0.1),
        "6 refl",
        8,
    ),
    "hubbard, sites differ": (
        lambda: models.fermi_hubbard(chain_lattice(4), 1.0, SITE[:4], 0.2, 0.1),
        "by a shift",
        24,
    ),
    "fermions on a ring": (lambda: models.t_v_chain(8, 1.0, 0.5, 0.2, periodic=True), "differ by a shift", 12),
    "complex, with flips": (lambda: PauliSum({"a": 1.0, "b": 0.3}, IMAGINARY), "flip", 16),
    "pairing on a ring": (lambda: models.interacting_kitaev_chain(6, 1.0, 0.5, 0.2, 0.3, periodic=True), "6 comm", 12),
}


def dense(operator):
    if isinstance(operator, PauliSum | LocalSum):
        return np.asarray(operator.to_dense())
    return (
        operator.factor * dense(operator.operator) if hasattr(operator, "factor") else sum(map(dense, operator.parts))
    )


def levels_by_reduction(operator):
    """From the static data alone, by NumPy."""
    found, theta, levels = reduction(operator), np.asarray(coefficients(operator)), []
    for part in found.parts:
        flat = np.zeros(sum(map(np.prod, part.shapes)), part.terms.value.dtype)
        np.add.at(flat, part.place, theta[part.terms.term] * part.terms.value)
        start = 0
        for shape, (index, shifts) in zip(part.shapes, part.copies, strict=True):
            stack = flat[start : start + np.prod(shape)].reshape(shape)
            start += np.prod(shape)
            levels.append((np.linalg.eigvalsh(stack)[index] + (shifts @ theta)[:, None]).ravel())
    return np.sort(np.concatenate(levels))


@pytest.mark.parametrize("name", [*SYSTEMS, *LATTICES])
def test_the_levels_are_those_of_the_matrix(name):
    operator = (SYSTEMS.get(name) or LATTICES[name][0])()
    expected = np.linalg.eigvalsh(dense(operator))
    np.testing.assert_allclose(levels_by_reduction(operator), expected, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize("name", LATTICES)
def test_what_is_found_on_a_lattice(name):
    build, words, largest = LATTICES[name]
    found = reduction(build())
    assert words in found.found
    assert max(shape[1] for part in found.parts for shape in part.shapes) <= largest
    is_complex = name in ("kagome strip", "chiral ring", "pairing on a ring", "complex, with flips")
    assert any(part.terms.is_complex for part in found.parts) == is_complex


def test_a_state_says_what_was_used():
    ring = models.heisenberg_ring(6, 1.1, 0.4)
    spectrum = jg.thermal_spectrum(ring)
    assert reduction(ring).describe() in spectrum.explain()
    assert "conserved: n_0 + ... + n_5 (n_i the level of site i)" in spectrum.explain()
    expected = np.linalg.eigvalsh(dense(ring))
    np.testing.assert_allclose(spectrum.levels(), expected, atol=1e-13)


def test_a_field_does_not_hide_the_flip():
    """M and -M are shifted copies, and the block of M = 0 splits by the flip: three blocks in place of seven and more."""
    rng = np.random.default_rng(1)
    chain = models.xxz_chain(6, rng.normal(size=5), rng.normal(size=5), 0.3)  # bonds differ: nothing else commutes
    found = reduction(chain)
    assert found.found == "1 flip, blocks that differ by a shift once"
    assert sorted(shape[1] for part in found.parts for shape in part.shapes for _ in range(shape[0])) == [
        1,
        6,
        10,
        10,
        15,
    ]
    staggered = models.xxz_chain(6, rng.normal(size=5), 0.5, [0.3, -0.3] * 3)
    assert reduction(staggered) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "heisenberg ring",
        pytest.param("pairing on a ring", marks=pytest.mark.slow),
        pytest.param("heisenberg chain in a field", marks=pytest.mark.slow),
        pytest.param("xxz ring in a field", marks=pytest.mark.slow),
        pytest.param("bosons on a ring", marks=pytest.mark.slow),
        pytest.param("transverse ising ring", marks=pytest.mark.slow),
        pytest.param("xxz chain", marks=pytest.mark.slow),
        pytest.param("cluster", marks=pytest.mark.slow),
    ],
)
def test_derivatives_are_those_of_the_matrix(name):
    operator, theta, build = parts((SYSTEMS.get(name) or LATTICES[name][0])())

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
            jax.grad(jax.grad(log_z, 1))(theta, 0.9),  # in beta first, then in the couplings
            jax.jvp(lambda t: jax.grad(log_z)(t, 0.7), (theta,), (jnp.cos(jnp.arange(theta.size)),)),
        ]

    for a, b in zip(jax.tree.leaves(answers(theta, False)), jax.tree.leaves(answers(theta, True)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11 * (1 + np.abs(b).max()))
    assert reduction(operator) is not None


def test_the_gradient_of_complex_blocks():
    """Beside real ones, in one program; against the expectation values of the terms."""
    around, shift = [(i, (i + 1) % 4) for i in range(4)], [(1, 2, 3, 0)]
    chiral = {"a": [[f"X{i} Y{j} - Y{i} X{j}" for i, j in around]], "b": [[f"Z{i} Z{j}" for i, j in around]]}
    along_x = {"c": [[f"X{i} X{j}" for i, j in around]]}
    first, second = (PauliTerms.from_strings(4, t).with_permutations(shift) for t in (chiral, along_x))
    operator = PauliSum({"a": 0.4, "b": 0.7}, first) + 0.5 * PauliSum({"c": 0.2}, second)
    assert [part.terms.is_complex for part in reduction(operator).parts] == [False, True]
    slopes = jax.grad(jg.log_partition)(operator, 0.8)
    levels, vectors = np.linalg.eigh(dense(operator))
    weights = np.exp(-0.8 * levels)
    rho = (vectors * (weights / weights.sum())) @ vectors.conj().T
    given = ((slopes.parts[0], first, 1.0), (slopes.parts[1].operator, second, 0.5))
    for slope, terms, factor in given:
        for name in terms.names:
            one = PauliSum({n: float(n == name) for n in terms.names}, terms)
            mean = np.trace(rho @ np.asarray(one.to_dense())).real
            np.testing.assert_allclose(slope.couplings[name], -0.8 * factor * mean, atol=1e-13)


def parts(operator):
    """The operator, its coefficients, and how to build it from them."""

    def build(theta):
        couplings, start = {}, 0
        for name, size in operator.terms.sizes:
            couplings[name] = theta[start : start + size].reshape(operator.couplings[name].shape)
            start += size
        return type(operator)(couplings, operator.terms)

    return operator, operator.coefficients(), build


@pytest.mark.slow
def test_the_susceptibility_at_zero_field_survives():
    """A symmetry found from the values at h = 0 would answer 0: of flips and translations, in `vmap` and `jit`."""

    @functools.partial(jax.jit, static_argnums=1)
    def curvature(anisotropies, as_matrix):
        def log_z(field, anisotropy):
            ring = models.xxz_chain(6, 1.0, anisotropy, field, periodic=True)
            return jg.log_partition(Dense(ring.to_dense()) if as_matrix else ring, 0.9)

        return jax.vmap(jax.grad(jax.grad(log_z)), (None, 0))(0.0, anisotropies)

    blocks, matrix = (curvature(jnp.array([0.5, 1.0]), as_matrix) for as_matrix in (False, True))
    assert np.all(blocks > 0.1)
    np.testing.assert_allclose(blocks, matrix, rtol=1e-12)


@pytest.mark.slow
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


OBSERVED = {
    "magnetisation": lambda: models.heisenberg(RING, 0.0, -2.0),
    "one bond": lambda: models.heisenberg(models.Lattice(6, [(0, 1)])),
    "along x": lambda: models.transverse_ising(RING, 0.0, -1.0),
    "a current": lambda: 0.7 * PauliSum({"a": 1.0, "b": 0.2}, CHIRAL),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        lambda c: models.heisenberg(RING, c[0], c[1]),
        lambda c: models.transverse_ising(RING, c[0], c[1]),
    ],
    ids=["heisenberg", "ising"],
)
def test_averages_in_the_sectors_that_an_observable_shares(model):
    observables = [make() for make in OBSERVED.values()]

    def answers(couplings, of):
        hamiltonian, seen = of(model(couplings)), [of(o) for o in observables]
        state = jg.gibbs_state(hamiltonian, 0.8)
        covariances = state.covariance_matrix(tuple(seen[:2]))
        return jnp.array([state.expectation(o) for o in seen]), covariances

    couplings, step = jnp.array([1.1, 0.3]), jnp.array([0.3, -0.8])
    for order in range(2):
        function = [lambda c, of=of: answers(c, of) for of in (lambda o: o, lambda o: Dense(o.to_dense()))]
        if order:
            function = [lambda c, f=f: jax.jvp(f, (c,), (step,))[1] for f in function]
        found, expected = (jax.jit(f)(couplings) for f in function)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def test_the_matrix_is_never_built_for_an_observable_of_the_same_symmetry():
    chain = jg.models.heisenberg_chain(10)
    for observable in (jg.models.heisenberg_chain(10, 0.0, 1.0), chain):
        text = str(jax.make_jaxpr(lambda h, o=observable: jg.expectation(h, 1.0, o))(chain))
        assert "1024,1024" not in text
        assert "252,252" not in text


@pytest.mark.slow
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
    ring = models.heisenberg_ring(6)
    assert len(Permutations((ring.terms,)).group) == 11  # the dihedral group without the identity
    assert Permutations((ring.terms,)).group[0] in ((1, 2, 3, 4, 5, 0), (5, 0, 1, 2, 3, 4))  # a translation first
    assert (5, 4, 3, 2, 1, 0) in Permutations((ring.terms,)).involutions()
    assert all(ring.terms.is_invariant(order) for order in Permutations((ring.terms,)).group)
    assert models.heisenberg_chain(6, BOND[:5]).terms.permutations == ()
    # Of two sets of terms only what both have is left.
    both = static_terms(ring + models.heisenberg_chain(6, BOND[:5]))
    entries = Entries.of(both)
    assert Symmetries(both, entries, entries.labels(64), flips=False).found == ""


def test_characters_of_a_group():
    """A homomorphism each, and orthogonal to one another: a torus of 3 x 4 cells with a flip."""
    dim, moves = 2**7, [(1, 2, 0, 3, 4, 5, 6), (0, 1, 2, 4, 5, 6, 3)]
    group = AbelianGroup.trivial(dim)
    for move in moves:
        group = group.extended(site_permutation_of_states(move, (2,) * 7))
    order = len(group)
    assert order == 12
    np.testing.assert_allclose(group.characters @ group.characters.conj().T, order * np.eye(order), atol=1e-12)
    for a, b in itertools.product(range(order), repeat=2):
        product = group.index[group.elements[a].after(group.elements[b]).key()]
        np.testing.assert_allclose(
            group.characters[:, product], group.characters[:, a] * group.characters[:, b], atol=1e-13
        )


def test_modes_are_permuted_with_their_signs():
    order = (2, 0, 3, 1)
    moved = mode_permutation_of_states(order)
    unitary = np.zeros((16, 16))
    unitary[moved.images, np.arange(16)] = moved.signs
    lower, z = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([1.0, -1.0])
    modes = [functools.reduce(np.kron, [z] * i + [lower] + [np.eye(2)] * (3 - i)) for i in range(4)]
    for i, target in enumerate(order):
        np.testing.assert_array_equal(unitary @ modes[i] @ unitary.T, modes[target])


def test_total_spin():
    np.testing.assert_allclose(field_terms((jg.models.heisenberg_chain(5, 1.0, 0.3).terms,)), [0, 0, -0.5])
    assert field_terms((jg.models.xxz_chain(5).terms,)) is None
    assert field_terms((jg.models.heisenberg_chain(5, 1.0, np.ones(5)).terms,)) is None  # a field on each site
    triple = PauliTerms.from_strings(3, {"a": "X0 X1 + Y0 Y1 + Z0 Z1", "b": "X0 X1 + Y0 Y1"})
    assert field_terms((triple,)) is None
    chirality = PauliTerms.from_strings(3, {"a": "X0 Y1 Z2 - X0 Z1 Y2 + Y0 Z1 X2 - Y0 X1 Z2 + Z0 X1 Y2 - Z0 Y1 X2"})
    np.testing.assert_allclose(field_terms((chirality,)), [0])
    spin = jg.operators.local.spin_matrices
    bond = sum(np.kron(a, a) for a in spin(1))
    placed = {"J": [[(bond, (0, 1)), (bond, (1, 2))]], "h": [[(-spin(1)[2], i) for i in range(3)]]}
    local = jg.operators.LocalTerms([3, 3, 3], placed)
    np.testing.assert_allclose(field_terms((local,)), [0, -0.5])
    operator = LocalSum({"J": 1.1, "h": 0.3}, local)
    assert reduction(operator).found == "total spin"
    np.testing.assert_allclose(levels_by_reduction(operator), np.linalg.eigvalsh(dense(operator)), atol=1e-13)
    assert field_terms((models.heisenberg_chain(3, 1.0, spin=1).terms,)) is None  # with a term in (S^z)^2


def test_where_nothing_is_found(monkeypatch):
    assert reduction(models.heisenberg_chain(6, BOND, SITE)) is None  # blocks of given magnetisation, and no more
    assert reduction(Dense(np.eye(64))) is None
    assert reduction(Dense(np.eye(64)) + models.heisenberg_chain(6)) is None
    monkeypatch.undo()
    assert reduction(models.heisenberg_ring(8)) is None  # small
    ring = models.heisenberg_ring(10, 1.0, 0.3)  # small blocks are joined here, so as to compile few sizes
    assert sum(len(part.shapes) for part in reduction(ring).parts) < 12
    np.testing.assert_allclose(levels_by_reduction(ring), np.linalg.eigvalsh(dense(ring)), atol=1e-12)
    assert reduction(models.transverse_ising_chain(8)) is not None  # no magnetisation: one block of 256


def test_a_lattice_brings_its_permutations():
    star = Lattice(7, [(0, k) for k in range(1, 7)], permutations=[(0, 2, 1, 3, 4, 5, 6), (0, 2, 3, 4, 5, 6, 1)])
    operator = jg.models.heisenberg(star, 1.0, 0.2)
    assert "6 commuting permutations" in reduction(operator).found
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
