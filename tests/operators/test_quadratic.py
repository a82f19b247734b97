"""Quadratic operators against matrices on the Fock space, built from ladder operators by Jordan and Wigner's map."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs.operators import (
    Bosons,
    Dense,
    Fermions,
    QuadraticBosons,
    QuadraticFermions,
    SparseTerms,
    TermSum,
    simplify,
)


def annihilators(sites):
    lower, z = np.array([[0, 1], [0, 0]]), np.diag([1, -1])

    def one(site):
        matrix = np.eye(1)
        for other in range(sites):
            matrix = np.kron(matrix, z if other < site else lower if other == site else np.eye(2))
        return matrix

    return [one(site) for site in range(sites)]


def on_fock_space(one_body, pairing):
    """`sum A_ij c_i^+ c_j + (sum B_ij c_i^+ c_j^+ + h.c.) / 2`."""
    c = annihilators(len(one_body))
    pairs = sum(pairing[i, j] * c[i].T @ c[j].T for i in range(len(c)) for j in range(len(c))) / 2
    hops = sum(one_body[i, j] * c[i].T @ c[j] for i in range(len(c)) for j in range(len(c)))
    return hops + pairs + np.conj(pairs).T


def random_form(sites, sign, is_complex, seed=0):
    """A Hermitian `A` and a `B` with `B^T = sign B`."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, sites, sites)) + (1j * rng.normal(size=(2, sites, sites)) if is_complex else 0)
    return (a + a.conj().T) / 2, (b + sign * b.T) / 2


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("sites", [1, 2, 4])
def test_fermions_on_the_fock_space(sites, is_complex):
    a, b = random_form(sites, -1, is_complex)
    operator = QuadraticFermions(a, b)
    expected = on_fock_space(a, b)
    np.testing.assert_allclose(operator.to_dense(), expected, atol=1e-14)
    np.testing.assert_allclose(QuadraticFermions(a).to_dense(), on_fock_space(a, 0 * b), atol=1e-14)
    vector = np.arange(2**sites) + 1.0
    np.testing.assert_allclose(operator.matvec(vector), expected @ vector, rtol=1e-13, atol=1e-13)
    assert operator.dim == sites
    assert operator.dtype == (complex if is_complex else float)


def test_the_doubled_matrix_acts_on_vectors():
    for kind, sign in ((QuadraticFermions, -1), (QuadraticBosons, 1)):
        a, b = random_form(3, sign, True)
        nambu = kind(a, b).nambu()
        np.testing.assert_allclose(nambu.to_dense(), np.block([[a, b], [b.conj().T, sign * a.T]]), atol=1e-15)
        vector = np.arange(6) - 1j
        np.testing.assert_allclose(nambu.matvec(vector), nambu.to_dense() @ vector, rtol=1e-14)
        np.testing.assert_allclose(kind(a).nambu().to_dense()[:3, 3:], 0)


def test_sums_and_multiples_stay_quadratic():
    a, b = random_form(3, -1, True)
    hopping, pairing, number = QuadraticFermions(a), QuadraticFermions(a, b), Fermions([1.0, 2.0, 3.0])
    for operator in (2.0 * pairing - hopping / 3 + number, hopping + 0.5 * number, sum([number, pairing])):
        folded = simplify(operator)
        assert isinstance(folded, QuadraticFermions)
        np.testing.assert_allclose(folded.to_dense(), operator.to_dense(), atol=1e-14)
    assert isinstance(simplify(number + number), Fermions)
    bosons = simplify(QuadraticBosons(np.eye(2)) + Bosons([1.0, 2.0]))
    np.testing.assert_allclose(bosons.one_body(), np.diag([2.0, 3.0]))
    with pytest.raises(ValueError, match="same space"):
        hopping + Fermions([1.0])
    with pytest.raises(ValueError, match="same space"):
        hopping + QuadraticBosons(a)


@pytest.mark.slow
def test_gradients_are_shaped_like_the_couplings():
    chain = jg.models.kitaev_chain(3, hopping=[1.0, 0.7], pairing=0.8, chemical_potential=0.3)
    gradient = jax.grad(jg.log_partition)(chain, 2.0).couplings
    assert {name: g.shape for name, g in gradient.items()} == {
        "hopping": (2,),
        "pairing": (),
        "chemical_potential": (),
    }
    number = jg.expectation(chain, 2.0, np.eye(3))
    np.testing.assert_allclose(gradient["chemical_potential"], 2.0 * number, rtol=1e-13)
    with pytest.raises(ValueError, match="has names for a `TermSum` only"):
        _ = QuadraticFermions(np.eye(2)).couplings


def test_refusals():
    a, b = random_form(3, -1, False)
    with pytest.raises(ValueError, match="must be antisymmetric, but"):
        QuadraticFermions(a, b + 0.1 * np.eye(3))
    with pytest.raises(ValueError, match="must be symmetric, but"):
        QuadraticBosons(a, b)
    with pytest.raises(ValueError, match="must have the shape of `one_body`"):
        QuadraticFermions(a, b[:2, :2])
    with pytest.raises(ValueError, match="finite"):
        QuadraticFermions(a, np.nan * b)
    with pytest.raises(ValueError, match="must be Hermitian"):
        QuadraticFermions(a + b)
    with pytest.raises(ValueError, match="and not both"):
        QuadraticFermions()
    with pytest.raises(ValueError, match="and not both"):
        QuadraticFermions(a, nambu=QuadraticFermions(a, b).matrix)
    with pytest.raises(ValueError, match="give matrices as `one_body`"):
        QuadraticFermions(nambu=Dense(np.eye(4)))
    wrong = TermSum({"x": 1.0}, SparseTerms.from_matrices({"x": np.diag([1.0, 0.0, 1.0, 0.0])}))
    with pytest.raises(ValueError, match="must have the form"):
        QuadraticFermions(nambu=wrong)
    QuadraticBosons(nambu=wrong)
    with pytest.raises(ValueError, match="infinite Fock space"):
        QuadraticBosons(np.eye(2)).to_dense()
    with pytest.raises(ValueError, match="infinite Fock space"):
        QuadraticBosons(np.eye(2)).matvec(np.ones(2))
    with pytest.raises(ValueError, match="Fock space of 13 modes"):
        QuadraticFermions(np.eye(13)).to_dense()


def test_under_a_trace_a_wrong_pairing_is_nan():
    a, b = random_form(3, -1, False)
    value = jax.jit(lambda b: jg.log_partition(QuadraticFermions(a, b), 1.0))
    assert np.isnan(value(b + np.eye(3)))
    assert np.isfinite(value(jnp.asarray(b)))


def test_models():
    ring = jg.models.tight_binding_chain(7, hopping=-1.3, onsite=0.2, periodic=True)
    levels = np.sort(0.2 - 2.6 * np.cos(2 * np.pi * np.arange(7) / 7))
    np.testing.assert_allclose(np.linalg.eigvalsh(ring.one_body()), levels, atol=1e-14)
    energies, _ = jg.models.hopping_chain_modes(6, 0.7, 0.1)
    chain = jg.models.tight_binding_chain(6, 0.7, 0.1)
    np.testing.assert_allclose(np.linalg.eigvalsh(chain.one_body()), np.sort(energies), atol=1e-14)
    flux = jg.models.tight_binding(3, [(0, 1), (1, 2), (2, 0)], [1.0, 2.0, 3.0], phases=0.4)
    np.testing.assert_allclose(flux.one_body()[1, 2], 2 * np.exp(0.4j), rtol=1e-15)
    k = 2 * np.pi * np.arange(5) / 5
    bands = np.abs(0.7 + 1.2 * np.exp(1j * k))
    ssh = jg.models.ssh_chain(5, 0.7, 1.2, periodic=True)
    np.testing.assert_allclose(np.linalg.eigvalsh(ssh.one_body()), np.sort([*bands, *-bands]), atol=1e-14)
    ends = np.linalg.eigvalsh(jg.models.ssh_chain(30, 0.5, 1.0).one_body())
    assert np.sum(np.abs(ends) < 1e-8) == 2
    quasi = np.sqrt((2 * 1.1 * np.cos(k) + 0.3) ** 2 + 4 * 0.8**2 * np.sin(k) ** 2)
    kitaev = jg.models.kitaev_chain(5, 1.1, 0.8, 0.3, periodic=True)
    np.testing.assert_allclose(np.linalg.eigvalsh(kitaev.nambu().to_dense()), np.sort([*quasi, *-quasi]), atol=1e-14)
    c = annihilators(4)
    neighbours = [(c[i], c[i + 1]) for i in range(3)]
    hops = sum(a.T @ b + b.T @ a for a, b in neighbours)
    pairs = sum(a @ b + b.T @ a.T for a, b in neighbours)
    number = sum(a.T @ a for a in c)
    dense = jg.models.kitaev_chain(4, 1.1, 0.8, 0.3).to_dense()
    np.testing.assert_allclose(dense, -1.1 * hops + 0.8 * pairs - 0.3 * number, atol=1e-14)
    for wrong, match in (
        (lambda: jg.models.tight_binding(3, [(0, 3)]), "pairs of different sites"),
        (lambda: jg.models.tight_binding(3, [(1, 1)]), "pairs of different sites"),
        (lambda: jg.models.tight_binding(3, [(0, 1), (1, 0.5)]), r"but one is \[1.0, 0.5\]"),
        (lambda: jg.models.tight_binding(3, [(0, 1), (1, 0)]), "once"),
        (lambda: jg.models.tight_binding(3, [(0, 1)], [1.0, 2.0]), "must have shape"),
        (lambda: jg.models.tight_binding(3, [(0, 1)], phases=[1.0, 2.0]), "must have shape"),
        (lambda: jg.models.kitaev_chain(3, [1.0]), "must have shape"),
    ):
        with pytest.raises(ValueError, match=match):
            wrong()
