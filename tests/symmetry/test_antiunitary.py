"""Time reversal: the algebra of Theta = V K, what is odd, Kramers pairs and how a field splits them."""

import numpy as np
import pytest
from scipy.linalg import expm

import jaxgibbs as jg
from jaxgibbs import models, symmetry
from jaxgibbs.operators.local import embed, momentum_matrix, position_matrix, spin_matrices


def random_matrix(rng, n):
    return rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))


@pytest.mark.parametrize("spins", [(0.5,), (1,), (1.5,), (0.5, 0.5), (0.5, 1), (1, 1.5, 0.5), (0,)])
def test_spins_change_sign_and_theta_squares_to_the_parity_of_the_spins(spins):
    theta = symmetry.spin_time_reversal(spins)
    dims = [int(2 * s + 1) for s in spins]
    for site, spin in enumerate(spins):
        for s in spin_matrices(spin):
            np.testing.assert_allclose(theta.transform(embed(s, site, dims)), -embed(s, site, dims), atol=1e-13)
    assert theta.square == (-1) ** round(2 * sum(spins))


def test_v_is_the_half_turn_about_y():
    for spin in (0.5, 1, 1.5):
        half_turn = symmetry.spin_rotation([0, 1, 0], np.pi, [spin])
        np.testing.assert_allclose(symmetry.spin_time_reversal([spin]).unitary, half_turn, atol=1e-12)


def test_theta_is_antiunitary_and_reverse_turns_products_round():
    rng = np.random.default_rng(0)
    theta = symmetry.spin_time_reversal((0.5, 1))
    a, b = random_matrix(rng, 6), random_matrix(rng, 6)
    u, v = rng.normal(size=6) + 1j * rng.normal(size=6), rng.normal(size=6) + 1j * rng.normal(size=6)
    np.testing.assert_allclose(np.vdot(theta(u), theta(v)), np.vdot(v, u), rtol=1e-13)
    np.testing.assert_allclose(theta(a @ v), theta.transform(a) @ theta(v), atol=1e-12)
    np.testing.assert_allclose(theta.reverse(a @ b), theta.reverse(b) @ theta.reverse(a), atol=1e-12)
    np.testing.assert_allclose(theta.reverse(a), theta.transform(a.conj().T), atol=1e-13)


def test_microreversibility():
    rng = np.random.default_rng(1)
    theta = symmetry.spin_time_reversal((0.5, 0.5, 0.5))
    h = np.asarray(models.heisenberg_chain(3, rng.normal(size=2)).to_dense())
    propagator = expm(-0.7j * h)
    i, j = random_matrix(rng, 8)[:2]
    left = np.vdot(i, propagator @ j)
    right = np.vdot(theta(j), propagator @ theta(i))
    np.testing.assert_allclose(left, right, rtol=1e-12)


def test_even_and_odd_observables():
    theta = symmetry.spin_time_reversal((1,))
    x, y, z = spin_matrices(1)
    assert [symmetry.time_reversal_parity(s, theta) for s in (x, y, z)] == [-1, -1, -1]
    assert symmetry.time_reversal_parity(z @ z, theta) == 1
    assert symmetry.time_reversal_parity(x @ y + y @ x, theta) == 1
    assert symmetry.time_reversal_parity(z + z @ z, theta) == 0
    even, odd = symmetry.time_reversal_parts(z + z @ z, theta)
    np.testing.assert_allclose(even, z @ z, atol=1e-14)
    np.testing.assert_allclose(odd, z, atol=1e-14)
    conjugation = symmetry.complex_conjugation(6)
    assert conjugation.square == 1
    assert symmetry.time_reversal_parity(position_matrix(6), conjugation) == 1
    assert symmetry.time_reversal_parity(momentum_matrix(6), conjugation) == -1


def test_invariance_is_one_of_every_term():
    theta = symmetry.spin_time_reversal((0.5,) * 3)
    without = models.xxz_chain(3, 1.0, 0.4).to_dense()
    assert symmetry.time_reversal_defect(without, theta) < 1e-14
    with pytest.raises(ValueError, match="the term `field` changes by 2"):
        symmetry.check_time_reversal(models.xxz_chain(3, 1.0, 0.4), theta)


@pytest.mark.parametrize(
    "hamiltonian",
    [
        lambda rng: (np.asarray(models.heisenberg_chain(3, rng.normal(size=2)).to_dense()), (0.5,) * 3),
        lambda rng: (np.asarray(models.single_spin(2.5, axial=1.0, rhombic=0.2).to_dense()), (2.5,)),
        lambda rng: (np.asarray(models.spin_dimer(rng.normal(size=(3, 3)), spins=(0.5, 1)).to_dense()), (0.5, 1)),
        lambda rng: (np.zeros((2, 2)), (0.5,)),
    ],
    ids=["chain", "single ion", "dimer", "zero"],
)
def test_kramers_pairs(hamiltonian):
    h, spins = hamiltonian(np.random.default_rng(2))
    theta = symmetry.spin_time_reversal(spins)
    pairs = symmetry.kramers_pairs(h, theta)
    n = len(h)
    assert pairs.levels.shape == pairs.splittings.shape == (n // 2,)
    assert np.max(pairs.splittings) < 1e-12
    np.testing.assert_allclose(np.repeat(pairs.levels, 2), np.linalg.eigvalsh(h), atol=1e-12)
    flat = pairs.states.reshape(n, n)
    np.testing.assert_allclose(flat.conj().T @ flat, np.eye(n), atol=1e-12)
    np.testing.assert_allclose(pairs.states[:, :, 1], theta(pairs.states[:, :, 0]), atol=1e-12)
    np.testing.assert_allclose(h @ flat, flat * np.repeat(pairs.levels, 2), atol=1e-11)


def test_a_field_splits_pairs_linearly():
    theta = symmetry.spin_time_reversal((1.5,))
    h = np.asarray(models.single_spin(1.5, axial=0.8, rhombic=0.1).to_dense())
    pairs = symmetry.kramers_pairs(h, theta)
    z = spin_matrices(1.5)[2]
    ground = pairs.states[:, 0, :]
    slopes = np.linalg.eigvalsh(ground.conj().T @ z @ ground)
    field = 1e-5
    levels = np.linalg.eigvalsh(h - field * z)
    np.testing.assert_allclose(levels[1] - levels[0], field * (slopes[1] - slopes[0]), rtol=1e-6)
    # The same slope is the Curie constant of the state: chi -> beta * slope^2 as T -> 0, on top of van Vleck's.
    assert slopes[1] > 0.1
    with pytest.raises(ValueError, match="must leave every term of the Hamiltonian invariant"):
        symmetry.kramers_pairs(h - field * z, theta)


def test_the_gibbs_state_is_invariant_and_odd_observables_vanish():
    h = models.heisenberg_chain(3, np.array([0.7, -1.2])).to_dense()
    theta = symmetry.spin_time_reversal((0.5,) * 3)
    rho = np.asarray(jg.gibbs_state(h, 1.3).density_matrix())
    np.testing.assert_allclose(theta.transform(rho), rho, atol=1e-14)
    for site in range(3):
        for s in spin_matrices(0.5):
            assert abs(np.trace(rho @ embed(s, site, (2,) * 3))) < 1e-14


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: symmetry.Antiunitary(np.ones((2, 2))), "`unitary` must be unitary"),
        (
            lambda: symmetry.Antiunitary(np.diag([1.0, 1.0, 1j]) @ np.eye(3)[[1, 0, 2]] @ np.diag([1, 1j, 1])),
            r"V V\* = \+1 or -1",
        ),
        (lambda: symmetry.kramers_pairs(np.eye(3), symmetry.spin_time_reversal((1,))), "squares to \\+1"),
        (
            lambda: symmetry.kramers_pairs(np.eye(4), symmetry.spin_time_reversal((0.5,))),
            "act on the space of dimension 4",
        ),
        (lambda: symmetry.check_time_reversal(np.diag([1.0, -1.0]), symmetry.spin_time_reversal((0.5,))), "invariant"),
        (
            lambda: symmetry.time_reversal_parity(np.eye(3), symmetry.spin_time_reversal((0.5,))),
            "must have dimension 2",
        ),
        (
            lambda: symmetry.kramers_pairs(
                models.single_spin(2.5, axial=1.0, rhombic=0.2).to_dense(),
                symmetry.spin_time_reversal((2.5,)),
                tolerance=-1.0,
            ),
            "The pairs must be degenerate",
        ),
    ],
)
def test_wrong_input_is_refused_with_its_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()
