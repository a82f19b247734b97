"""Symmetry checks look at every term, and the usual symmetries are the matrices they claim to be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgibbs import models, symmetry
from jaxgibbs.operators.local import embed, kron, spin_matrices


@pytest.mark.parametrize(
    ("order", "dims"), [([1, 2, 0], (2, 2, 2)), ([2, 1, 0], (3, 2, 3)), ([0], (4,)), ([1, 0, 3, 2], (2,) * 4)]
)
def test_a_permutation_moves_the_sites(order, dims):
    rng = np.random.default_rng(0)
    u = symmetry.site_permutation(order, dims)
    np.testing.assert_array_equal(u @ u.T, np.eye(len(u)))
    for site, d in enumerate(dims):
        a = rng.normal(size=(d, d))
        np.testing.assert_allclose(u @ embed(a, site, dims) @ u.T, embed(a, order[site], dims), atol=1e-14)


def test_a_rotation_turns_the_spin_vector():
    spins, angle = (0.5, 1, 1.5), 0.7
    u = symmetry.spin_rotation([0, 0, 2.0], angle, spins)
    dims = (2, 3, 4)
    for site, spin in enumerate(spins):
        x, y, z = (embed(s, site, dims) for s in spin_matrices(spin))
        np.testing.assert_allclose(u @ x @ u.conj().T, np.cos(angle) * x + np.sin(angle) * y, atol=1e-13)
        np.testing.assert_allclose(u @ z @ u.conj().T, z, atol=1e-13)
    for spin, sign in ((0.5, -1), (2, 1)):
        full_turn = symmetry.spin_rotation([1, 2, -1], 2 * np.pi, [spin])
        np.testing.assert_allclose(full_turn, sign * np.eye(int(2 * spin + 1)), atol=1e-12)


def test_symmetries_of_the_heisenberg_ring():
    ring = models.heisenberg_ring(4, 0.7, 0.3)
    total_z = sum(embed(spin_matrices(0.5)[2], i, (2,) * 4) for i in range(4))
    for found in (
        symmetry.translation(4),
        symmetry.reflection(4),
        symmetry.spin_rotation([0, 0, 1], 0.4, [0.5] * 4),
        total_z,
        1e6 * total_z,
    ):
        symmetry.check_symmetry(ring, found)
        assert symmetry.is_symmetry(ring, found)
        assert symmetry.symmetry_defect(ring, found) < 1e-14


def test_a_symmetry_is_one_of_every_term_not_of_the_sum():
    flip = symmetry.spin_rotation([1, 0, 0], np.pi, [0.5] * 3)
    for field in (0.0, 0.3):  # at zero field the sum commutes, the field term does not
        chain = models.heisenberg_chain(3, 1.0, field)
        assert not symmetry.is_symmetry(chain, flip)
        with pytest.raises(ValueError, match="the term `field` changes by 2"):
            symmetry.check_symmetry(chain, flip)
    assert symmetry.is_symmetry(models.heisenberg_chain(3, 1.0).to_dense(), flip)
    with pytest.raises(ValueError, match=r"the term `coupling\[0\]` changes"):
        symmetry.check_symmetry(models.heisenberg_chain(3, np.ones(2)), symmetry.reflection(3))


def test_sums_and_multiples_are_taken_apart():
    ring = models.heisenberg_ring(3)
    other = models.heisenberg_ring(3, field=np.array([1.0, 0.0, 0.0]))
    assert symmetry.is_symmetry(2.0 * ring - ring / 3, symmetry.translation(3))
    assert not symmetry.is_symmetry(ring + 0.0 * other, symmetry.translation(3))


def test_couplings_may_be_traced_because_the_terms_are_known():
    @jax.jit
    def inside(coupling):
        symmetry.check_symmetry(models.heisenberg_ring(3, coupling), symmetry.translation(3))
        return coupling

    assert inside(2.0) == 2.0

    @jax.jit
    def matrix(value):
        return symmetry.is_symmetry(value * jnp.eye(2), np.eye(2))

    with pytest.raises(ValueError, match="must have a known value"):
        matrix(1.0)


def test_dimension_one():
    assert symmetry.is_symmetry([[0.3]], [[-1.0]])
    assert symmetry.is_symmetry(models.single_spin(0, axial=1.0), np.eye(1))
    np.testing.assert_array_equal(symmetry.spin_rotation([1, 0, 0], 1.0, [0]), np.eye(1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: symmetry.is_symmetry(np.eye(2), np.array([[1.0, 1.0], [0.0, 1.0]])), "`symmetry` must be unitary, or"),
        (lambda: symmetry.is_symmetry(np.eye(2), np.eye(3)), "`symmetry` must act on the space of dimension 2"),
        (lambda: symmetry.is_symmetry(np.eye(2), np.full((2, 2), np.nan)), "must be a finite square matrix"),
        (lambda: symmetry.is_symmetry(np.triu(np.ones((2, 2))), np.eye(2)), "must be Hermitian"),
        (lambda: symmetry.site_permutation([0, 0], (2, 2)), "`order` must be a permutation"),
        (lambda: symmetry.site_permutation([1, 0], (2, 3)), "sites of equal dimension"),
        (lambda: symmetry.spin_rotation([0, 0, 0], 1.0, [0.5]), "`axis` must be a direction"),
    ],
)
def test_wrong_input_is_refused_with_its_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_kron_of_rotations():
    a, b = (symmetry.spin_rotation([1, 1, 0], 0.3, [s]) for s in (0.5, 1))
    np.testing.assert_allclose(symmetry.spin_rotation([1, 1, 0], 0.3, [0.5, 1]), kron(a, b), atol=1e-14)
