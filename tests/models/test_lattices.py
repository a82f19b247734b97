"""Lattices have the bonds and symmetries they are known for, and models on them are sums over their bonds and sites."""

import functools
import math
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.operators.local import embed, pauli_matrices, spin_matrices

SPIN = spin_matrices(0.5)


def group_order(lattice):
    """Number of permutations that the generators generate."""
    found = {tuple(range(lattice.sites))}
    open_ends = list(found)
    while open_ends:
        element = open_ends.pop()
        for generator in lattice.permutations:
            product = tuple(generator[i] for i in element)
            if product not in found:
                found.add(product)
                open_ends.append(product)
    return len(found)


@pytest.mark.parametrize(
    ("lattice", "bonds", "neighbours", "order"),
    [
        (models.chain_lattice(5), [4], {1: 2, 2: 3}, 2),
        (models.chain_lattice(6, periodic=True), [6], {2: 6}, 12),
        (models.chain_lattice(1), [0], {}, 1),
        (models.ladder_lattice(4), [6, 4], {2: 4, 3: 4}, 4),
        (models.ladder_lattice(5, periodic=True), [10, 5], {3: 10}, 20),
        (models.square_lattice(3, 3, periodic=False), [6, 6], {2: 4, 3: 4, 4: 1}, 8),
        (models.square_lattice(4, 3), [12, 12], {4: 12}, 48),
        (models.square_lattice(4, 2, periodic=(True, False)), [8, 4], {3: 8}, 16),
        # Translations times the turns and mirrors of a hexagon.
        (models.triangular_lattice(3, 3), [9, 9, 9], {6: 9}, 9 * 12),
        (models.honeycomb_lattice(3, 3), [9, 9, 9], {3: 18}, 9 * 12),
        (models.kagome_lattice(3, 3), [27, 27], {4: 27}, 9 * 12),
        (models.kagome_lattice(2, 2, periodic=False), [12, 5], {2: 5, 3: 4, 4: 3}, 2),
    ],
    ids=repr,
)
def test_the_usual_lattices(lattice, bonds, neighbours, order):
    assert [len(group) for _, group in lattice.bonds] == bonds
    ends = Counter(site for bond in lattice.all_bonds for site in bond)
    assert Counter(ends.values()) == neighbours
    assert group_order(lattice) == order


def test_the_order_of_sites_and_bonds():
    assert models.chain_lattice(4, periodic=True).all_bonds == ((0, 1), (1, 2), (2, 3), (3, 0))
    assert models.ladder_lattice(2).bonds == (("leg", ((0, 2), (1, 3))), ("rung", ((0, 1), (2, 3))))
    assert models.square_lattice(2, 3, periodic=False).bonds[1] == ("y", ((0, 1), (1, 2), (3, 4), (4, 5)))
    lattice = models.Lattice(3, {"a": [(0, 1)], "b": [[1, 2]]}, [(2, 1, 0)])
    assert lattice == models.Lattice(3, {"a": [(0, 1)], "b": [(1, 2)]}, [(2, 1, 0)])
    assert len({lattice, models.Lattice(3, {"a": [(0, 1)], "b": [(1, 2)]})}) == 2
    assert repr(lattice) == "Lattice(3 sites, bonds: 1 a, 1 b)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.Lattice(10, [(3, 12)]), r"bond \(3, 12\) must join two different sites of the 10-site lattice"),
        (lambda: models.Lattice(4, [(1, 1)]), r"bond \(1, 1\) must join two different sites"),
        (lambda: models.Lattice(4, [(0, 1.5)]), r"bond \(0, 1.5\) must join two different sites"),
        (lambda: models.Lattice(4, [(0, 1, 2)]), r"bond \(0, 1, 2\) must join two"),
        (lambda: models.Lattice(4, {"a": [(0, 1)], "b": [(1, 0)]}), r"bond \(0, 1\) occurs twice"),
        (lambda: models.Lattice(3, [(0, 1)], [(1, 2, 0)]), "`permutations` must map the bonds to themselves"),
        (lambda: models.Lattice(3, [(0, 1)], [(1, 1, 0)]), "A permutation must hold 0 ... 2"),
        (lambda: models.square_lattice(4, 2), "A periodic direction must have at least 3 cells, but there are 4 x 2"),
        (lambda: models.square_lattice(4, 4, periodic="yes"), "`periodic` must be True, False or a pair"),
        (lambda: models.honeycomb_lattice(0, 3), "`columns` must be a whole number"),
    ],
)
def test_lattices_that_are_none(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# -- models on lattices -------------------------------------------------------------------------------------------------

LADDER = models.ladder_lattice(2)
DIMS = (2,) * 4


def pair(a, b, bond):
    return np.real(embed(a, bond[0], DIMS) @ embed(b, bond[1], DIMS))


def on_bonds(couplings):
    """`sum_bonds sum_a J_a S^a S^a` with `couplings[a]` one number a bond."""
    return sum(
        j * pair(s, s, bond)
        for values, s in zip(couplings, SPIN, strict=True)
        for j, bond in zip(values, LADDER.all_bonds, strict=True)
    )


def on_sites(values, matrix):
    return sum(v * embed(matrix, site, DIMS) for site, v in enumerate(values))


RNG = np.random.default_rng(0)
J, K, L, H, G = RNG.normal(size=(5, 4))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: models.heisenberg(LADDER, J, H), on_bonds([J, J, J]) - on_sites(H, SPIN[2])),
        (lambda: models.xxz(LADDER, J, K, H), on_bonds([J, J, J * K]) - on_sites(H, SPIN[2])),
        (lambda: models.xyz(LADDER, J, K, L, H), on_bonds([J, K, L]) - on_sites(H, SPIN[2])),
        (
            lambda: models.transverse_ising(LADDER, J, G, longitudinal_field=H),
            -4 * on_bonds([0 * J, 0 * J, J]) - on_sites(G, pauli_matrices()[0]) - on_sites(H, pauli_matrices()[2]),
        ),
        (
            lambda: models.heisenberg(LADDER, {"leg": 0.7, "rung": J[2:]}, 0.3),
            on_bonds([np.array([0.7, 0.7, *J[2:]])] * 3) - on_sites([0.3] * 4, SPIN[2]),
        ),
        (
            lambda: models.xxz(LADDER, {"leg": 0.7, "rung": 0.2}, 0.5),
            on_bonds([np.repeat([0.7, 0.2], 2) * d for d in (1, 1, 0.5)]),
        ),
        (
            lambda: models.xxz(LADDER, J[0], {"leg": K[:2], "rung": K[2:]}),
            on_bonds([np.full(4, J[0])] * 2 + [J[0] * K]),
        ),
    ],
)
def test_models_are_sums_over_bonds_and_sites(build, expected):
    operator = build()
    np.testing.assert_allclose(operator.to_dense(), expected, atol=1e-14)
    assert operator.dtype == jnp.float64


def test_couplings_by_kind_are_named_by_kind():
    operator = models.heisenberg(LADDER, {"leg": 1, "rung": 0.5})
    assert list(operator.couplings) == ["coupling_leg", "coupling_rung", "field"]
    assert operator.terms.count == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.heisenberg(LADDER, {"leg": 1.0}), r"`coupling` must have the kinds of bonds \['leg', 'rung'\]"),
        (lambda: models.xxz(LADDER, 1.0, {"leg": 1.0}), "`anisotropy` must have the kinds of bonds"),
        (lambda: models.xxz(LADDER, 1.0, np.ones(3)), "`anisotropy` must have shape"),
        (lambda: models.heisenberg(LADDER, np.ones(3)), r"`coupling` must have shape \(\) or \(4,\)"),
        (
            lambda: models.transverse_ising(LADDER, 1.0, np.ones(2)),
            r"`transverse_field` must have shape \(\) or \(4,\)",
        ),
        (lambda: models.xyz(LADDER, 1.0, 1j), "`coupling_y` must be real"),
        (lambda: models.heisenberg(models.square_lattice(6, 6)), "`sites` must be at most 30"),
    ],
)
def test_couplings_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_permutations_of_a_model_are_symmetries_of_every_term():
    tied = models.heisenberg(models.square_lattice(3, 3), 1.0, 0.2)
    assert len(tied.terms.permutations) == len(models.square_lattice(3, 3).permutations)
    # A quarter turn exchanges the kinds of bonds, so a model with a coupling for each has half the point group.
    by_kind = models.heisenberg(models.square_lattice(3, 3), {"x": 1.0, "y": 1.0})
    assert 0 < len(by_kind.terms.permutations) < len(tied.terms.permutations)
    assert models.heisenberg(models.square_lattice(3, 3), np.ones(18)).terms.permutations == ()
    ring = models.heisenberg_ring(4, 0.7, 0.2)
    assert len(ring.terms.permutations) == 2
    for order in ring.terms.permutations:
        jg.symmetry.check_symmetry(ring, jg.symmetry.site_permutation(order, DIMS))
    assert models.heisenberg_chain(4, 0.7).terms.permutations == ((3, 2, 1, 0),)


def test_models_beyond_any_matrix_are_made_in_no_time():
    """A product of 18 sites against a formula: all spins up are an eigenvector, one turned spin spreads as a hopping."""
    for operator in (models.heisenberg_chain(30), models.transverse_ising_chain(30, periodic=True)):
        assert operator.dim == 2**30
    sites, j, h = 18, 0.8, 0.3
    chain = models.heisenberg_chain(sites, j, h)
    energy = j * (sites - 1) / 4 - h * sites / 2
    momentum = 3 * np.pi / sites  # cos(k (i + 1/2)) are the modes of an open chain with a bond less at each end
    wave = np.cos(momentum * (np.arange(sites) + 0.5))
    vector = np.zeros(2**sites)
    vector[0] = 1.0
    vector[1 << np.arange(sites)[::-1]] = wave
    image = np.asarray(jax.jit(lambda o, v: o.matvec(v))(chain, jnp.asarray(vector)))
    expected = vector * energy
    expected[1 << np.arange(sites)[::-1]] += wave * (h - j * (1 - np.cos(momentum)))
    np.testing.assert_allclose(image, expected, atol=1e-13)


# -- collective spins ---------------------------------------------------------------------------------------------------


def total(matrix, sites):
    return sum(embed(matrix, site, (2,) * sites) for site in range(sites))


@pytest.mark.parametrize("sites", [1, 5])
def test_collective_models_on_all_states(sites):
    x, y, z = (total(s, sites) for s in SPIN)
    expected = -0.9 / sites * (x @ x + 0.4 * np.real(y @ y)) - 0.3 * z
    found = models.lipkin_meshkov_glick(sites, 0.9, 0.4, 0.3, maximal_spin=False)
    np.testing.assert_allclose(found.to_dense(), expected, atol=1e-14)
    for order in (1, 2, 3, 4):
        power = np.linalg.matrix_power(2 * z / sites, order)
        found = models.p_spin(sites, 0.9, 0.4, order=order, maximal_spin=False)
        np.testing.assert_allclose(found.to_dense(), -0.9 * sites * power - 0.8 * x, atol=1e-13)


@pytest.mark.parametrize(
    "build",
    [
        functools.partial(models.lipkin_meshkov_glick, 5, 0.9, 0.4, 0.3),
        functools.partial(models.p_spin, 5, 0.9, 0.4, order=3),
    ],
)
def test_the_maximal_spin_is_a_sector_of_all_states(build):
    """The symmetric states (Dicke's), normalised sums over all places of the spins down."""
    sites = 5
    down = np.bitwise_count(np.arange(2**sites))
    dicke = np.stack([(down == k) / np.sqrt(np.sum(down == k)) for k in range(sites + 1)], axis=1)
    full = np.asarray(build(maximal_spin=False).to_dense())
    found = build()
    assert found.dim == sites + 1
    np.testing.assert_allclose(found.to_dense(), dicke.T @ full @ dicke, atol=1e-13)
    np.testing.assert_allclose(full @ dicke, dicke @ found.to_dense(), atol=1e-13)


def test_collective_models_are_a_sum_over_total_spins():
    """`ln Z` of 8 spins in the sectors of their permutations, against the levels of every total spin and how often it occurs."""
    sites, beta = 8, 1.3
    found = models.p_spin(sites, 0.7, 0.3, maximal_spin=False)
    assert "8 commuting permutations" in jg.gibbs_state(found, beta).explain()
    weights = []
    for k in range(sites // 2 + 1):
        x, _, z = spin_matrices(sites / 2 - k)
        levels = np.linalg.eigvalsh(-0.7 * sites * np.linalg.matrix_power(2 * z / sites, 3) - 0.6 * x)
        weights.append((math.comb(sites, k) - (math.comb(sites, k - 1) if k else 0)) * np.exp(-beta * levels).sum())
    np.testing.assert_allclose(jg.log_partition(found, beta), np.log(np.sum(weights)), rtol=1e-13)


def test_collective_models_refuse():
    with pytest.raises(ValueError, match=r"`coupling` must have shape \(\)"):
        models.lipkin_meshkov_glick(3, [1.0, 2.0])
    with pytest.raises(ValueError, match="`order` must be a whole number of at least 1"):
        models.p_spin(3, order=0)


@pytest.mark.parametrize("spin", [0.5, 1, 1.5])
def test_spins_of_any_size_on_a_lattice_are_the_sum_of_kronecker_products(spin):
    lattice = models.Lattice(3, {"leg": [(0, 1), (2, 1)], "rung": [(0, 2)]})
    rng = np.random.default_rng(4)
    legs, ion, field = rng.normal(size=2), rng.normal(size=3), rng.normal(size=3)
    operators = spin_matrices(spin)

    def at(*factors):
        places = dict(factors)
        return functools.reduce(np.kron, (places.get(site, np.eye(len(operators[0]))) for site in range(3)))

    bonds = [(0, 1, legs[0]), (2, 1, legs[1]), (0, 2, 0.7)]
    exchange = {k: sum(j * at((a, s), (b, s)) for a, b, j in bonds) for k, s in zip("xyz", operators, strict=True)}
    zeeman = sum(h * at((i, operators[2])) for i, h in enumerate(field))
    ions = sum(d * at((i, operators[2] @ operators[2])) for i, d in enumerate(ion))

    coupling = {"leg": legs, "rung": 0.7}
    found = models.heisenberg(lattice, coupling, field, single_ion=ion, spin=spin)
    np.testing.assert_allclose(found.to_dense(), sum(exchange.values()) + ions - zeeman, atol=1e-13)
    found = models.xxz(lattice, coupling, 0.3, field, spin=spin)
    wanted = exchange["x"] + exchange["y"] + 0.3 * exchange["z"] - zeeman
    np.testing.assert_allclose(found.to_dense(), wanted, atol=1e-13)


def test_spins_one_on_a_lattice_are_solved_in_their_sectors():
    model = models.heisenberg(models.triangular_lattice(3, 2, periodic=False), spin=1)
    state = jg.gibbs_state(model, 0.6)
    levels = np.linalg.eigvalsh(model.to_dense())
    np.testing.assert_allclose(state.log_partition, np.log(np.sum(np.exp(-0.6 * levels))), rtol=1e-12)
    assert "by total spin" in state.spectrum.explain()
    with pytest.raises(ValueError, match="2\\^30"):
        models.heisenberg(models.square_lattice(5, 4), spin=1)
