"""Blocks of a few spins: sum rules of the moment, and levels against the whole matrix."""

import itertools

import numpy as np
import pytest

from jaxgibbs import models
from jaxgibbs.symmetry.spin_blocks import magnetisations, multiplets

SPINS = [(0.5,), (1.0,), (0.5, 0.5), (0.5, 1.0, 1.5), (0.5, 1.0, 1.0), (0.0, 1.5)]
CLUSTER = (2.5, 0.5, 0.5, 2.5, 0.5, 0.5)


@pytest.mark.parametrize("spins", SPINS, ids=str)
@pytest.mark.parametrize("blocks", [multiplets, magnetisations])
def test_every_state_once_and_the_whole_moment(blocks, spins):
    """`sum |<a|S_i|b>|^2` over all states is `Tr S_i^2 = d S (S + 1) / 3` along every axis."""
    found, dim = blocks(spins), np.prod([2 * s + 1 for s in spins])
    assert np.dot(found.copies, found.sizes) == dim
    for site, s in enumerate(spins):
        strength = np.sum(found.elements[site] ** 2, axis=(-1, -2)) * found.weight
        assert np.sum(strength[found.axis == 0]) == pytest.approx(dim * s * (s + 1) / 3)
        if blocks is magnetisations:
            assert np.sum(strength[found.axis == 2]) == pytest.approx(dim * s * (s + 1) / 3)


@pytest.mark.parametrize("blocks", [multiplets, magnetisations])
def test_levels_of_unequal_bonds(blocks):
    spins = (0.5, 1.0, 1.5)
    bonds, couplings = tuple(itertools.combinations(range(3), 2)), np.array([1.0, -0.3, 0.7])
    found = blocks(spins)
    stack = np.tensordot(couplings, found.exchange(bonds), 1)
    levels = [
        np.repeat(np.linalg.eigvalsh(matrix[:size, :size]), copies)
        for matrix, size, copies in zip(stack, found.sizes, found.copies, strict=True)
    ]
    whole = models.SpinCluster(spins, bonds, couplings, convention=models.PLUS_J, g=2.0).hamiltonian()
    np.testing.assert_allclose(np.sort(np.concatenate(levels)), np.linalg.eigvalsh(whole), atol=1e-12)


def test_six_centres():
    assert multiplets(CLUSTER).sizes == (6, 14, 16, 16, 15, 11, 5, 1)
    assert magnetisations(CLUSTER).sizes == (84, 78, 64, 48, 32, 17, 6, 1)
    assert multiplets(CLUSTER) is multiplets(CLUSTER)


def test_padding_is_empty():
    found = multiplets(CLUSTER)
    for block, size in zip(found.exchange(((0, 1),))[0], found.sizes, strict=True):
        assert not block[size:].any()
        assert not block[:, size:].any()
    assert np.allclose(found.exchange(((0, 1),)), np.swapaxes(found.exchange(((0, 1),)), -1, -2))
