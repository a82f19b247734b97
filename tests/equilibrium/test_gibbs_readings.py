"""What else is read off a Gibbs state: its levels and projectors, other bases, reduced states."""

import jax
import numpy as np
import pytest

import jaxgibbs as jg
from gibbs_reference import EPS, H, hermitian
from jaxgibbs import models
from jaxgibbs.operators import Spectrum, bell_basis
from jaxgibbs.operators.local import spin_matrices

# -- levels, bases, parts ----------------------------------------------------------------------------------------------


def test_level_projectors():
    state = jg.gibbs_state(H, 0.9)
    levels = state.level_projectors()
    np.testing.assert_allclose(levels.energies, [-1.2, 0.4, 0.9], atol=1e-14)
    np.testing.assert_array_equal(levels.degeneracies, [3, 1, 2])
    assert np.all(np.asarray(levels.diameters) < 20 * EPS)
    projectors = np.asarray(levels.projectors)
    np.testing.assert_allclose(projectors.sum(0), np.eye(6), atol=1e-14)
    np.testing.assert_allclose(np.einsum("a,aij->ij", levels.energies, projectors), H, atol=1e-14)
    np.testing.assert_allclose(
        np.einsum("aij,bjk->abik", projectors, projectors)[[0, 1, 2], [0, 1, 2]], projectors, atol=1e-14
    )
    weights = np.exp(-0.9 * levels.energies) / np.exp(state.log_partition)
    np.testing.assert_allclose(np.einsum("a,aij->ij", weights, projectors), state.density_matrix(), atol=1e-14)


def test_level_projectors_by_blocks_and_of_a_spectrum():
    hamiltonian = models.heisenberg_chain(3, 1.0)
    levels = jg.gibbs_state(hamiltonian, 1.0).level_projectors()
    np.testing.assert_array_equal(levels.degeneracies, [2, 2, 4])
    np.testing.assert_allclose(
        np.einsum("a,aij->ij", levels.energies, levels.projectors), hamiltonian.to_dense(), atol=1e-14
    )
    levels = jg.gibbs_state(Spectrum([2.0, 0.0, 2.0]), 1.0).level_projectors()
    np.testing.assert_array_equal(levels.degeneracies, [1, 2])
    np.testing.assert_array_equal(levels.projectors[1], np.diag([1.0, 0, 1]))


def test_levels_are_told_apart_by_a_tolerance():
    state = jg.gibbs_state(np.diag([0.0, 1e-6, 1.0]), 1.0)
    np.testing.assert_array_equal(state.level_projectors().degeneracies, [1, 1, 1])
    with pytest.warns(UserWarning, match="may be several levels"):
        wide = state.level_projectors(tolerance=2e-6)
    np.testing.assert_array_equal(wide.degeneracies, [2, 1])
    np.testing.assert_allclose(wide.diameters, [1e-6, 0])
    np.testing.assert_array_equal(state.level_projectors(tolerance=1e-4).degeneracies, [2, 1])
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="`tolerance` must be a non-negative energy"):
            state.level_projectors(wrong)
    with pytest.raises(ValueError, match="outside `jit`"):
        jax.jit(lambda m: jg.gibbs_state(m, 1.0).level_projectors().energies)(H)


def test_too_many_projectors_are_refused(monkeypatch):
    monkeypatch.setattr("jaxgibbs.equilibrium.projectors._LARGEST_STACK", 100)
    with pytest.raises(ValueError, match="at most 100 numbers, but 3 levels of dimension 6 take 108"):
        jg.gibbs_state(H, 1.0).level_projectors()


def test_a_diagonal_state_is_coherent_in_the_bell_basis():
    basis = bell_basis()
    np.testing.assert_allclose(basis.T @ basis, np.eye(4), atol=1e-15)
    state = jg.gibbs_state(np.diag([0.3, 0.9, -0.4, 1.1]), 1.3)
    uu, ud, du, dd = np.diag(state.density_matrix())
    bell = state.in_basis(basis)
    np.testing.assert_allclose(bell[0, 1], (uu - dd) / 2, atol=1e-15)  # <Phi+|rho|Phi->
    np.testing.assert_allclose(bell[2, 3], (ud - du) / 2, atol=1e-15)  # <Psi+|rho|Psi->
    np.testing.assert_allclose(np.diag(bell), [(uu + dd) / 2] * 2 + [(ud + du) / 2] * 2, atol=1e-15)
    with pytest.raises(ValueError, match="`basis` must have 4 rows"):
        state.in_basis(np.eye(3))
    singlet = jg.gibbs_state(models.heisenberg_chain(2, 1.0), np.inf).in_basis(basis)
    np.testing.assert_allclose(singlet, np.diag([0.0, 0, 0, 1]), atol=1e-15)  # the ground state of J S.S is Psi-


def test_reduced_states():
    sx, _, sz = spin_matrices(0.5)
    matrix = 0.7 * np.kron(sz, np.eye(3)) + np.kron(sx, hermitian(3, 9)) + np.kron(np.eye(2), hermitian(3, 10))
    state = jg.gibbs_state(matrix, 0.8)
    tensor = np.asarray(state.density_matrix()).reshape(2, 3, 2, 3)
    np.testing.assert_allclose(state.reduced((2, 3), 0), np.einsum("ajbj->ab", tensor), atol=1e-15)
    np.testing.assert_allclose(state.reduced((2, 3), 1), np.einsum("ajak->jk", tensor), atol=1e-15)
    swapped = state.reduced((2, 3), (1, 0)).reshape(3, 2, 3, 2)
    np.testing.assert_allclose(swapped, tensor.transpose(1, 0, 3, 2), atol=1e-15)
    for wrong, message in (((2, 2), "multiply to"), ((2, 3, 1), "`keep`")):
        with pytest.raises(ValueError, match=message):
            state.reduced(wrong, 5)
