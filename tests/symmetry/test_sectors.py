"""Sectors partition the space, blocks carry the whole spectrum, and their couplings stay couplings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models, symmetry
from jaxgibbs.operators import TermSum
from jaxgibbs.operators.local import embed, fermion_annihilation, spin_matrices


def total_z(sites):
    return sum(embed(spin_matrices(0.5)[2], i, (2,) * sites) for i in range(sites))


def test_magnetisation_sectors_are_basis_states_counted_by_binomials():
    parts = symmetry.sectors([total_z(5)])
    assert [part.size for part in parts] == [1, 5, 10, 10, 5, 1]
    np.testing.assert_allclose([part.values[0] for part in parts], [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    for part in parts:
        assert set(np.unique(part.basis)) == {0.0, 1.0}


def test_momentum_sectors_of_a_ring():
    sites = 4
    parts = symmetry.sectors([symmetry.translation(sites)])
    momenta = np.sort(np.mod(np.round(np.angle([p.values[0] for p in parts]) * sites / (2 * np.pi)), sites))
    np.testing.assert_array_equal(momenta, np.arange(sites))
    assert sum(part.size for part in parts) == 16
    shift = symmetry.translation(sites)
    for part in parts:
        np.testing.assert_allclose(shift @ part.basis, part.basis * part.values[0], atol=1e-13)
        np.testing.assert_allclose(part.basis.conj().T @ part.basis, np.eye(part.size), atol=1e-13)


@pytest.mark.parametrize("field", [0.0, 0.4])
def test_blocks_carry_the_partition_function(field):
    beta, ring = 0.8, models.heisenberg_ring(4, 1.1, field)
    parts = symmetry.blocks(ring, [total_z(4), symmetry.translation(4)])
    assert sum(sector.size for sector, _ in parts) == 16
    levels = np.sort(np.concatenate([np.linalg.eigvalsh(block.to_dense()) for _, block in parts]))
    np.testing.assert_allclose(levels, np.linalg.eigvalsh(ring.to_dense()), atol=1e-12)
    total = jax.scipy.special.logsumexp(jnp.stack([jg.log_partition(block, beta) for _, block in parts[:6]]))
    rest = jax.scipy.special.logsumexp(jnp.stack([jg.log_partition(block, beta) for _, block in parts[6:]]))
    np.testing.assert_allclose(jnp.logaddexp(total, rest), jg.log_partition(ring, beta), rtol=1e-12)


def test_a_block_keeps_the_couplings():
    chain = models.xxz_chain(4, jnp.array([1.0, 0.5, 0.7]), 0.3, 0.2)
    sector = symmetry.sectors([total_z(4)])[2]
    block = symmetry.block(chain, sector)
    assert isinstance(block, TermSum)
    assert block.terms.names == chain.terms.names
    assert block.dim == 6
    assert block.dtype == jnp.float64

    def through(j):
        return jg.log_partition(symmetry.block(models.xxz_chain(4, j, 0.3, 0.2), sector), 0.9)

    def dense(j):
        return jg.log_partition(sector.basis.T @ models.xxz_chain(4, j, 0.3, 0.2).to_dense() @ sector.basis, 0.9)

    j = jnp.array([1.0, 0.5, 0.7])
    np.testing.assert_allclose(jax.jit(jax.grad(through))(j), jax.jit(jax.grad(dense))(j), rtol=1e-11)


def test_particle_number_and_a_charge_that_is_not_diagonal():
    modes = [fermion_annihilation(i, 3) for i in range(3)]
    number = sum(c.T @ c for c in modes)
    hopping = sum(modes[i].T @ modes[i + 1] + modes[i + 1].T @ modes[i] for i in range(2))
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    turned = rotation @ hopping @ rotation.T
    parts = symmetry.blocks(turned, [rotation @ number @ rotation.T])
    assert [sector.size for sector, _ in parts] == [1, 3, 3, 1]
    np.testing.assert_allclose([sector.values[0] for sector, _ in parts], [0, 1, 2, 3], atol=1e-12)
    one = np.linalg.eigvalsh(parts[1][1].to_dense())
    np.testing.assert_allclose(one, [-np.sqrt(2), 0, np.sqrt(2)], atol=1e-12)


def test_total_spin_gives_the_multiplets():
    spins = [sum(embed(s, i, (2,) * 3) for i in range(3)) for s in spin_matrices(0.5)]
    casimir = np.real(sum(s @ s for s in spins))
    parts = symmetry.sectors([casimir, spins[2]])
    found = {(round(4 * p.values[0]) / 4, round(2 * p.values[1]) / 2): p.size for p in parts}
    assert found == {(0.75, -0.5): 2, (0.75, 0.5): 2, (3.75, -1.5): 1, (3.75, -0.5): 1, (3.75, 0.5): 1, (3.75, 1.5): 1}


def test_sums_multiples_and_matrices_have_blocks_too():
    ring = models.heisenberg_ring(3, 0.9, 0.1)
    sector = symmetry.sectors([symmetry.translation(3)])[0]
    expected = symmetry.block(ring, sector).to_dense()
    for other in (2.0 * (ring / 2), ring + 0.0 * ring, ring.to_dense()):
        np.testing.assert_allclose(symmetry.block(other, sector).to_dense(), expected, atol=1e-13)


def test_dimension_one_and_a_trivial_charge():
    (sector,) = symmetry.sectors([np.eye(3)])
    assert sector.size == 3
    (sector,) = symmetry.sectors([[[2.0]]])
    assert sector.values == (2.0,)
    (sector,) = symmetry.sectors([np.zeros((2, 2))])
    assert sector.values == (0.0,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: symmetry.sectors([]), "`charges` must hold at least one charge"),
        (lambda: symmetry.sectors([np.diag([1.0, -1.0]), np.ones((2, 2))]), "charges 0 and 1 do not"),
        (lambda: symmetry.sectors([np.eye(2), np.eye(3)]), "must act on one space"),
        (lambda: symmetry.sectors([np.triu(np.ones((2, 2)))]), r"`charges\[0\]` must be unitary, or"),
        (
            lambda: symmetry.blocks(models.transverse_ising_chain(3, 1.0, 0.0), [total_z(3)]),
            "the term `transverse_field` leads out of the sector",
        ),
    ],
)
def test_wrong_input_is_refused_with_its_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()
