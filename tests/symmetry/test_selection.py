"""Selection rules: the exact zero beside the number, and a response that is not zero."""

import jax
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models, symmetry
from jaxgibbs.operators.local import embed, pauli_matrices, spin_matrices


def site(matrix, i, sites):
    return embed(matrix, i, (2,) * sites)


def state(hamiltonian, beta=0.9):
    return jg.gibbs_state(hamiltonian, beta).density_matrix()


@pytest.mark.slow
def test_the_order_parameter_of_an_ising_chain_vanishes_and_its_response_does_not():
    sites, beta = 4, 1.1
    z = sum(site(pauli_matrices()[2], i, sites) for i in range(sites))
    flip = symmetry.spin_rotation([1, 0, 0], np.pi, [0.5] * sites)

    def chain(field):
        return models.transverse_ising_chain(sites, 1.0, 0.7, longitudinal_field=field)

    with pytest.raises(ValueError, match="the term `longitudinal_field`"):
        symmetry.selection_rule(chain(0.0), state(chain(0.0)), z, [flip])
    even = chain(0.0).to_dense()
    rule = symmetry.selection_rule(even, state(even, beta), z, [flip])
    assert rule.forbidden
    assert abs(rule.value) < 1e-13
    assert np.linalg.norm(rule.allowed_part) < 1e-12
    response = jax.jit(jax.grad(lambda h: jg.expectation(chain(h), beta, z)))(0.0)
    assert response > 1.0
    np.testing.assert_allclose(response, jg.gibbs_state(even, beta).susceptibility(z, z), rtol=1e-10)


def test_an_even_observable_is_allowed():
    ring = models.heisenberg_ring(4)
    bond = sum(site(s, 0, 4) @ site(s, 1, 4) for s in spin_matrices(0.5))
    rule = symmetry.selection_rule(ring, state(ring), bond, [symmetry.translation(4)])
    assert not rule.forbidden
    assert rule.value < -0.1
    # The average over the group is the average over the bonds, and has the same expectation value.
    average = sum(sum(site(s, i, 4) @ site(s, (i + 1) % 4, 4) for s in spin_matrices(0.5)) for i in range(4)) / 4
    np.testing.assert_allclose(rule.allowed_part, average, atol=1e-12)
    np.testing.assert_allclose(np.trace(np.asarray(state(ring)) @ average), rule.value, rtol=1e-12)


def test_a_phase_or_a_charge_forbids_as_well_as_a_sign():
    ring = models.heisenberg_ring(3, 0.8, 0.3)
    wave = sum(np.exp(2j * np.pi * i / 3) * site(spin_matrices(0.5)[2], i, 3) for i in range(3))
    hermitian = wave + wave.conj().T
    assert symmetry.selection_rule(ring, state(ring), hermitian, [symmetry.translation(3)]).forbidden
    total = sum(site(spin_matrices(0.5)[2], i, 3) for i in range(3))
    transverse = site(spin_matrices(0.5)[0], 1, 3)
    assert symmetry.selection_rule(ring, state(ring), transverse, [total]).forbidden
    assert not symmetry.selection_rule(ring, state(ring), total, [total]).forbidden


def test_several_symmetries_forbid_what_none_of_them_does_alone():
    ring = models.heisenberg_ring(3).to_dense()
    x, _, z = spin_matrices(0.5)
    observable = site(x, 0, 3) @ site(x, 1, 3) - site(z, 1, 3) @ site(z, 2, 3)
    shift = symmetry.translation(3)
    turn = symmetry.spin_rotation([0, 1, 0], np.pi / 2, [0.5] * 3)
    assert not symmetry.selection_rule(ring, state(ring), observable, [shift]).forbidden
    assert not symmetry.selection_rule(ring, state(ring), observable, [turn]).forbidden
    rule = symmetry.selection_rule(ring, state(ring), observable, [shift, turn])
    assert rule.forbidden
    assert abs(rule.value) < 1e-13


def test_symmetries_that_do_not_commute_are_averaged_until_nothing_changes():
    ring = models.heisenberg_ring(3).to_dense()
    turns = [symmetry.spin_rotation(axis, 1.0, [0.5] * 3) for axis in ([0, 0, 1], [1, 0, 1])]
    x, y, z = (site(s, 0, 3) @ site(s, 1, 3) for s in spin_matrices(0.5))
    quadrupole = z - (x + y + z) / 3
    assert np.linalg.norm(symmetry.allowed_part(quadrupole, turns[:1])) > 0.1
    assert symmetry.selection_rule(ring, state(ring), quadrupole, turns).forbidden
    np.testing.assert_allclose(symmetry.allowed_part(z, turns), (x + y + z) / 3, atol=1e-11)


def test_time_reversal_forbids_a_scalar_chirality():
    ring = models.heisenberg_ring(3).to_dense()
    s = [[site(m, i, 3) for m in spin_matrices(0.5)] for i in range(3)]
    chirality = sum(
        sign * s[0][a] @ s[1][b] @ s[2][c]
        for (a, b, c), sign in {
            (0, 1, 2): 1,
            (1, 2, 0): 1,
            (2, 0, 1): 1,
            (0, 2, 1): -1,
            (2, 1, 0): -1,
            (1, 0, 2): -1,
        }.items()
    )
    theta = symmetry.spin_time_reversal((0.5,) * 3)
    rule = symmetry.selection_rule(ring, state(ring), chirality, [theta])
    assert rule.forbidden
    assert not symmetry.selection_rule(ring, state(ring), chirality, [symmetry.translation(3)]).forbidden


@pytest.mark.slow
def test_parity_of_a_particle():
    particle = models.particle_in_potential(lambda x: x**4 - 2 * x**2, beta=1.0, levels=60)
    rho = jg.gibbs_state(particle.hamiltonian, 1.0).density_matrix()
    for observable in (particle.position, particle.momentum):
        rule = symmetry.selection_rule(particle.hamiltonian, rho, observable, [particle.parity])
        assert rule.forbidden
        assert abs(rule.value) < 1e-12
    square = particle.position.matrix @ particle.position.matrix
    assert not symmetry.selection_rule(particle.hamiltonian, rho, square, [particle.parity]).forbidden


def test_a_zero_observable_and_dimension_one():
    rule = symmetry.selection_rule([[0.5]], [[1.0]], [[2.0]], [[[1.0]]])
    assert not rule.forbidden
    assert rule.value == 2.0
    assert symmetry.selection_rule(np.eye(2), np.eye(2) / 2, np.zeros((2, 2)), [np.eye(2)]).forbidden
