"""Sums of small matrices on a few sites act as the matrices they stand for."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs.operators import LocalSum, LocalTerms, block_structure
from jaxgibbs.operators.local import boson_matrices, embed, kron, spin_matrices

DIMS = (2, 3, 4, 2, 5, 3)  # windows: sites 0 to 3, and 3 to 5


def hermitian(rng, size, real):
    matrix = rng.normal(size=(size, size)) + (0 if real else 1j * rng.normal(size=(size, size)))
    return matrix + matrix.conj().T


@functools.cache
def example(real):
    """Terms on one site, on neighbours, and on distant sites in any order; with their matrices on all sites."""
    rng = np.random.default_rng(int(real))
    places = [(0,), (5,), (1, 2), (3, 2), (0, 4), (4, 0, 2)]
    local = [(hermitian(rng, int(np.prod([DIMS[s] for s in place])), real), place) for place in places]
    terms = LocalTerms(DIMS, {"tied": [local[:3]], "each": local[3:]})
    whole = [embed(matrix, place, DIMS) for matrix, place in local]
    return terms, np.stack([sum(whole[:3]), *whole[3:]]), rng.normal(size=4)


def operator_of(theta, terms):
    return LocalSum({"tied": theta[0], "each": theta[1:]}, terms)


@pytest.mark.slow
@pytest.mark.parametrize("real", [True, False])
def test_the_product_is_that_of_the_matrix(real):
    terms, matrices, theta = example(real)
    matrix, rng = np.tensordot(theta, matrices, 1), np.random.default_rng(2)
    operator = operator_of(jnp.asarray(theta), terms)
    scale = np.linalg.norm(matrix, 2)
    assert operator.dtype == (jnp.float64 if real else jnp.complex128)
    np.testing.assert_allclose(operator.to_dense(), matrix, atol=1e-13 * scale)
    np.testing.assert_allclose(operator.to_sparse().toarray(), matrix, atol=1e-13 * scale)
    batch = rng.normal(size=(2, len(matrix))) + 1j * rng.normal(size=(2, len(matrix)))
    product = jax.jit(lambda theta, v: operator_of(theta, terms).matvec(v))
    for vector in (batch[0], batch[1].real):
        found = product(jnp.asarray(theta), jnp.asarray(vector))
        assert found.dtype == jnp.result_type(operator.dtype, vector.dtype)
        np.testing.assert_allclose(found, matrix @ vector, atol=1e-13 * scale * np.linalg.norm(vector))
    found = jax.jit(jax.vmap(operator.linear_map()))(jnp.asarray(batch.real))
    np.testing.assert_allclose(found, batch.real @ matrix.T, atol=1e-13 * scale * np.linalg.norm(batch))
    single = product(jnp.asarray(theta, jnp.float32), jnp.asarray(batch[1].real, jnp.float32))
    assert single.dtype == (jnp.float32 if real else jnp.complex64)
    np.testing.assert_allclose(single, matrix @ batch[1].real, atol=1e-5 * scale * np.linalg.norm(batch[1].real))


@pytest.mark.parametrize("real", [True, False])
def test_derivatives(real):
    terms, matrices, theta = example(real)
    rng = np.random.default_rng(3)
    u, v = rng.normal(size=(2, len(matrices[0]))) + (0 if real else 1j * rng.normal(size=(2, len(matrices[0]))))

    def function(theta, v):
        return jnp.real(jnp.vdot(jnp.asarray(u), operator_of(theta, terms).matvec(v)))

    in_theta, in_v = jax.jit(jax.grad(function, (0, 1)))(jnp.asarray(theta), jnp.asarray(v))
    np.testing.assert_allclose(in_theta, np.real(matrices @ v @ u.conj()), rtol=1e-11)
    np.testing.assert_allclose(np.conj(in_v), np.tensordot(theta, matrices, 1) @ u, rtol=1e-10, atol=1e-10)
    dtheta, dv = rng.normal(size=4), rng.normal(size=len(v)).astype(v.dtype)
    tangent = jax.jit(lambda *point: jax.jvp(function, point, (jnp.asarray(dtheta), jnp.asarray(dv)))[1])
    change = tangent(jnp.asarray(theta), jnp.asarray(v))
    expected = np.tensordot(dtheta, matrices, 1) @ v + np.tensordot(theta, matrices, 1) @ dv
    np.testing.assert_allclose(change, np.real(np.vdot(u, expected)), rtol=1e-11)


def test_a_spin_coupled_to_an_oscillator_conserves_its_excitations():
    """Jaynes and Cummings: the exact route finds the blocks, and their levels are the known ones up to the cut."""
    levels, g, beta = 6, 0.3, 0.9
    a, n = boson_matrices(levels)
    excited = np.diag([1.0, 0.0])
    raising = np.array([[0.0, 1.0], [0.0, 0.0]])  # index 0 is up
    exchange = kron(raising, a) + kron(raising, a).T
    terms = LocalTerms((2, levels), {"energy": [[(excited, 0), (n, 1)]], "g": [(exchange, (0, 1))]})
    operator = LocalSum({"energy": 1.0, "g": g}, terms)
    assert block_structure(operator).describe() == "5 x 2 + 2 x 1"
    pairs = np.arange(1, levels)
    expected = np.concatenate([[0.0, levels], *(pairs + s * g * np.sqrt(pairs) for s in (1, -1))])
    found, slope = jax.jit(
        jax.value_and_grad(lambda g: jg.log_partition(LocalSum({"energy": 1.0, "g": g}, terms), beta))
    )(g)
    weights = np.exp(-beta * expected)
    np.testing.assert_allclose(found, np.log(np.sum(weights)), rtol=1e-13)
    slopes = np.concatenate([[0.0, 0.0], *(s * np.sqrt(pairs) for s in (1, -1))])
    np.testing.assert_allclose(slope, -beta * np.sum(slopes * weights) / np.sum(weights), rtol=1e-12)


def test_long_chains_of_larger_spins_need_no_matrix():
    """All spins up, an eigenvector of the chain of spins 1, where a matrix would have 3^12 rows."""
    sites, (x, y, z) = 12, spin_matrices(1)
    bond = kron(x, x) + np.real(kron(y, y)) + kron(z, z)
    terms = LocalTerms((3,) * sites, {"J": [(bond, (i, i + 1)) for i in range(sites - 1)] + [(bond, (sites - 1, 0))]})
    operator = LocalSum({"J": np.arange(1.0, sites + 1)}, terms)
    vector = jnp.zeros(3**sites).at[0].set(1.0)
    image = jax.jit(lambda o, v: o.matvec(v))(operator, vector)
    np.testing.assert_allclose(image, vector * np.sum(np.arange(1, sites + 1)), atol=1e-11)
    with pytest.raises(ValueError, match="must have a dimension of at most 16384, but has 531441"):
        operator.to_dense()
    assert block_structure(operator) is None


def test_terms_are_equal_by_content():
    x, _, z = spin_matrices(0.5)
    one, two, three = (
        LocalTerms((2, 2), {"a": [(m, (0,))], "b": [[(z, 0), (z, 1)]]}) for m in (x, x.astype(complex), z)
    )
    assert one == two
    assert hash(one) == hash(two)
    assert one != three
    assert repr(one) == "LocalTerms(2 terms, 3 matrices, dims=(2, 2))"
    nothing = LocalSum({"a": np.zeros(0)}, LocalTerms((2, 2), {"a": []}))
    np.testing.assert_array_equal(nothing.matvec(jnp.ones(4)), np.zeros(4))
    np.testing.assert_array_equal(nothing.to_dense(), np.zeros((4, 4)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LocalTerms((2, 2), {"a": [(np.eye(3), 0)]}), r"A matrix of `a` must be square of size 2"),
        (lambda: LocalTerms((2, 2), {"a": [(np.eye(4), (1, 1))]}), "on different sites, but has shape"),
        (
            lambda: LocalTerms((2, 2), {"a": [(np.eye(2), 2)]}),
            r"A matrix of `a` must act on sites between 0 and 1, but is given for sites \(2,\)",
        ),
        (lambda: LocalTerms((2, 2), {"a": [(np.eye(4), (0, 0.5))]}), "must act on sites between 0 and 1"),
        (lambda: LocalTerms((2,), {"a": [([[0.0, 1.0], [0.0, 0.0]], 0)]}), r"`a on sites \(0,\)` must be Hermitian"),
        (lambda: LocalTerms((), {"a": []}), "`dims` must multiply to between 1"),
        (lambda: LocalTerms((0,), {"a": []}), "`dims` must be a whole number of at least 1"),
        (lambda: LocalTerms((2,) * 31, {"a": []}), "31 sites of dimension up to 2 .*; take fewer sites"),
        (lambda: LocalSum({"b": 1.0}, example(True)[0]), "`couplings` must have the names"),
        (
            lambda: operator_of(example(True)[2], example(True)[0]).matvec(jnp.ones(3)),
            r"`vector` must have shape \(720,\)",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_permutations_are_symmetries_of_every_term():
    rng = np.random.default_rng(5)
    bond, site = hermitian(rng, 9, True), hermitian(rng, 3, True)
    swap = [3 * (k % 3) + k // 3 for k in range(9)]
    even = bond + bond[np.ix_(swap, swap)]  # the same in either direction
    around = [(0, 1), (2, 1), (2, 0)]
    ring = LocalTerms([3, 3, 3], {"J": [[(even, b) for b in around]], "h": [[(site, i) for i in range(3)]]})
    shift, mirror = (1, 2, 0), (2, 1, 0)
    assert ring.with_permutations((shift, mirror)).permutations == (shift, mirror)
    assert ring.with_permutations((shift,)) != ring
    assert hash(ring.with_permutations((shift,))) == hash(ring.with_permutations((shift,)))
    jg.symmetry.check_symmetry(LocalSum({"J": 1.0, "h": 0.3}, ring), jg.symmetry.site_permutation(shift, [3] * 3))
    # A bond that is not the same in either direction: only a rotation is left.
    turning = LocalTerms([3, 3, 3], {"J": [[(bond, b) for b in [(0, 1), (1, 2), (2, 0)]]]})
    assert turning.with_permutations((shift, mirror)).permutations == (shift,)
    assert not LocalTerms([3, 3], {"h": [(site, 0), (site, 1)]}).is_invariant((1, 0))
    assert not LocalTerms([2, 3], {"h": [(np.eye(2), 0)]}).is_invariant((1, 0))
    with pytest.raises(ValueError, match="`permutations` must leave every term as it is"):
        LocalTerms([3, 3, 3], {"J": [[(bond, (0, 1))]]}, [shift])
    with pytest.raises(ValueError, match=r"A permutation must hold 0 ... 2 in some order"):
        ring.is_invariant((0, 0, 1))
