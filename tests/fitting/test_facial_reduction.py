"""Targets on the boundary of what states attain: the limit, the face it lives on, and faces of faces."""

import numpy as np
import pytest

from jaxgibbs._solution import RESULTS
from jaxgibbs.fitting import fit_multipliers
from jaxgibbs.operators import Bosons, Fermions, KroneckerSum, Spectrum

X = np.array([[0, 1], [1, 0]], complex)
Y = np.array([[0, -1j], [1j, 0]], complex)
Z = np.array([[1, 0], [0, -1]], complex)
ONE = np.eye(2)


def limit(charges, q):
    fit = fit_multipliers(charges, q)
    assert fit.result == RESULTS.boundary
    assert fit.error < 1e-9
    assert abs(fit.stats["violation"]) < 1e-9
    np.testing.assert_allclose(np.linalg.norm(fit.stats["direction"]), 1)
    return fit


def supports(fit, charges, q):
    """`n.q` is the largest eigenvalue of `n.Q`: nothing attains more."""
    direction = np.asarray(fit.stats["direction"])
    top = np.linalg.eigvalsh(np.einsum("k,kij->ij", direction, np.stack(charges)))[-1]
    np.testing.assert_allclose(direction @ q, top, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    "q",
    [
        (0.8, 0.6, 0.0),
        *(pytest.param(q, marks=pytest.mark.slow) for q in ((0.0, 0.0, -1.0), (np.sqrt(0.5), -0.5, 0.5))),
    ],
)
def test_pure_qubit(q):
    fit = limit((X, Y, Z), q)
    supports(fit, (X, Y, Z), q)
    np.testing.assert_allclose(fit.stats["direction"], q, atol=1e-12)
    np.testing.assert_array_equal(fit.value, [-np.copysign(np.inf, x) if x else 0.0 for x in q])
    pure = (ONE + q[0] * X + q[1] * Y + q[2] * Z) / 2
    np.testing.assert_allclose(fit.stats["density_matrix"], pure, atol=1e-12)
    assert fit.stats["face_dimension"] == 1


@pytest.mark.slow
def test_degenerate_ground_state_is_the_projector_over_its_degeneracy():
    hamiltonian = np.kron(Z, Z).real
    fit = limit((hamiltonian,), [-1.0])
    assert fit.value[0] == np.inf
    assert fit.stats["face_dimension"] == 2
    np.testing.assert_allclose(fit.stats["density_matrix"], np.diag([0, 0.5, 0.5, 0]), atol=1e-14)
    top = limit((hamiltonian,), [1.0])
    assert top.value[0] == -np.inf
    np.testing.assert_allclose(top.stats["density_matrix"], np.diag([0.5, 0, 0, 0.5]), atol=1e-14)


@pytest.mark.slow
def test_ground_state_of_a_random_hamiltonian():
    rng = np.random.default_rng(0)
    hamiltonian = rng.normal(size=(6, 6))
    hamiltonian = hamiltonian + hamiltonian.T
    levels, vectors = np.linalg.eigh(hamiltonian)
    fit = limit((hamiltonian,), [levels[0]])
    np.testing.assert_allclose(fit.stats["density_matrix"], np.outer(vectors[:, 0], vectors[:, 0]), atol=1e-12)


@pytest.mark.slow
def test_a_state_inside_a_face():
    # The first qubit is pure; the second has multipliers of its own.
    charges, q = (np.kron(Z, ONE), np.kron(ONE, X), np.kron(ONE, Z)), (1.0, 0.3, 0.2)
    fit = limit(charges, q)
    supports(fit, charges, q)
    r = np.hypot(0.3, 0.2)
    np.testing.assert_allclose(fit.value, [-np.inf, *(-np.arctanh(r) / r * np.array([0.3, 0.2]))], atol=1e-10)
    rest = (ONE + 0.3 * X + 0.2 * Z) / 2
    np.testing.assert_allclose(fit.stats["density_matrix"], np.kron(np.diag([1, 0]), rest), atol=1e-10)


@pytest.mark.slow
def test_a_smooth_boundary_of_charges_that_do_not_commute():
    # The ground state of H, with the expectation value it has of another charge: the normal is H itself.
    hamiltonian = (np.kron(X, X) + np.kron(Z, Z) + 0.3 * np.kron(Z, ONE)).real
    other = np.kron(ONE, Z).real
    levels, vectors = np.linalg.eigh(hamiltonian)
    ground = vectors[:, 0]
    fit = limit((hamiltonian, other), (levels[0], ground @ other @ ground))
    np.testing.assert_allclose(fit.stats["direction"], [-1, 0], atol=1e-7)
    np.testing.assert_allclose(fit.stats["density_matrix"], np.outer(ground, ground), atol=1e-7)


@pytest.mark.slow
def test_edge_and_corner_of_a_square():
    charges = (Spectrum([0.0, 1.0, 0.0, 1.0]), Spectrum([0.0, 0.0, 1.0, 1.0]))
    edge = limit(charges, (0.3, 0.0))
    np.testing.assert_allclose(edge.value, [np.log(0.7 / 0.3), np.inf])
    np.testing.assert_allclose(edge.stats["populations"], [0.7, 0.3, 0, 0], atol=1e-14)
    corner = limit(charges, (1.0, 0.0))
    np.testing.assert_array_equal(corner.value, [-np.inf, np.inf])
    np.testing.assert_allclose(corner.stats["populations"], [0, 1, 0, 0])


@pytest.mark.slow
def test_filled_and_empty_modes():
    charges = [Fermions(row) for row in np.eye(3)]
    fit = limit(charges, (0.3, 1.0, 0.0))
    np.testing.assert_allclose(fit.value, [np.log(0.7 / 0.3), -np.inf, np.inf])
    np.testing.assert_allclose(fit.stats["occupations"], [0.3, 1.0, 0.0], atol=1e-14)
    # The ground state of two particles.
    sea = limit((Fermions([1.0, 2.0, 3.0]), Fermions([1.0, 1.0, 1.0])), (3.0, 2.0))
    np.testing.assert_array_equal(sea.stats["occupations"], [1.0, 1.0, 0.0])


@pytest.mark.slow
def test_empty_bosonic_modes():
    fit = limit([Bosons(row) for row in np.eye(2)], (0.5, 0.0))
    np.testing.assert_allclose(fit.stats["occupations"], [0.5, 0.0], atol=1e-14)
    assert fit.value[1] == np.inf
    np.testing.assert_allclose(fit.value[0], np.log(3.0))


@pytest.mark.slow
def test_independent_parts():
    charges = (KroneckerSum((Z, np.diag([0.0, 1.0]))), KroneckerSum((X, 0 * Z)))
    fit = limit(charges, (-1.0, 0.0))  # the lower level of both
    np.testing.assert_allclose(fit.stats["part_0_density_matrix"], np.diag([0, 1]), atol=1e-12)
    np.testing.assert_allclose(fit.stats["part_1_density_matrix"], np.diag([1, 0]), atol=1e-12)


class TestDiscAndPoint:
    """Charges whose attainable set is the convex hull of the unit disc and the point (2, 0).

    The tangents from the point touch the disc at 60 degrees: there the disc ends and a segment begins, in a point that
    is a face, but of no supporting line: the tangent's face is the whole segment (Weis & Knauf 2012).
    """

    charges = (np.diag([0.0, 0, 2]), np.diag([1.0, -1, 0]))
    charges[0][:2, :2] = X.real
    touch = np.array([0.5, np.sqrt(0.75)])

    @pytest.mark.slow
    def test_inside_the_segment(self):
        q = (self.touch + [2.0, 0.0]) / 2
        fit = limit(self.charges, q)
        np.testing.assert_allclose(fit.stats["direction"], self.touch, atol=1e-9)
        assert fit.stats["face_dimension"] == 2
        np.testing.assert_allclose(np.diag(fit.stats["density_matrix"])[2], 0.5, atol=1e-9)

    @pytest.mark.slow
    def test_the_corner(self):
        fit = limit(self.charges, (2.0, 0.0))
        np.testing.assert_allclose(fit.stats["density_matrix"], np.diag([0, 0, 1]), atol=1e-9)

    def test_the_face_that_no_plane_exposes(self):
        fit = limit(self.charges, self.touch)
        np.testing.assert_allclose(fit.stats["direction"], self.touch, atol=1e-7)
        angle = np.pi / 6  # half of 60 degrees: the eigenvector of cos(60) X + sin(60) Z
        pure = np.array([np.cos(np.pi / 4 - angle), np.sin(np.pi / 4 - angle), 0])
        np.testing.assert_allclose(fit.stats["density_matrix"], np.outer(pure, pure), atol=1e-6)

    def test_the_round_part(self):
        fit = limit(self.charges, (-0.6, 0.8))
        assert fit.stats["face_dimension"] == 1

    def test_just_outside_and_just_inside(self):
        middle = (self.touch + [2.0, 0.0]) / 2
        outside = fit_multipliers(self.charges, middle + 1e-6 * self.touch)
        assert outside.result == RESULTS.infeasible
        assert 0 < outside.stats["violation"] <= 1e-6 + 1e-12
        assert fit_multipliers(self.charges, middle - 1e-6 * self.touch).result == RESULTS.optimal


@pytest.mark.slow
def test_in_the_plane_of_a_face_but_outside_it():
    charges = (np.kron(Z, Z).real, np.kron(Z, ONE).real, np.kron(X, X).real)
    # On the face <ZZ> = -1 the other two are a qubit's Z and X.
    inside = limit(charges, (-1.0, 0.6, 0.3))
    assert inside.stats["face_dimension"] == 2
    fit = fit_multipliers(charges, (-1.0, 0.8, 0.7))
    assert fit.result == RESULTS.infeasible
    direction = np.asarray(fit.stats["direction"])
    top = np.linalg.eigvalsh(np.einsum("k,kij->ij", direction, np.stack(charges)))[-1]
    assert direction @ (-1.0, 0.8, 0.7) > top


@pytest.mark.slow
def test_within_the_tolerance_of_the_boundary_it_is_the_boundary():
    fit = fit_multipliers((X, Z), (0.6, 0.8 + 1e-12))
    assert fit.result == RESULTS.boundary
    np.testing.assert_allclose(fit.error, 0, atol=2e-12)
