"""Whole spectra of models on complete graphs against their matrices on all states."""

import itertools

import jax
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models


def repeated(spectrum):
    counts = np.round(np.exp(np.asarray(spectrum.log_degeneracies))).astype(int)
    return np.sort(np.repeat(np.asarray(spectrum.levels), counts))


@pytest.mark.slow
@pytest.mark.parametrize(("sites", "order", "field"), [(1, 3, 0.3), (6, 3, 0.7), (5, 2, 0.7), (4, 3, 0.0)])
def test_blocks_of_the_total_spin_are_the_p_spin_model(sites, order, field):
    full = models.p_spin(sites, -1.3, field, order=order, maximal_spin=False).to_dense()
    found = models.p_spin_spectrum(sites, -1.3, field, order=order)
    np.testing.assert_allclose(repeated(found), np.linalg.eigvalsh(full), atol=1e-13 * sites)


def test_numbers_of_spins_are_the_blume_capel_model():
    states = np.array(list(itertools.product((-1, 0, 1), repeat=5)))
    energies = 0.4 * np.sum(states**2, axis=1) - 1.3 * np.sum(states, axis=1) ** 2 / 10
    np.testing.assert_allclose(repeated(models.blume_capel(5, 0.4, 1.3)), np.sort(energies), atol=1e-14)


def test_log_partition_has_the_slopes_of_the_matrix():
    def of_levels(j, g):
        return jg.log_partition(models.p_spin_spectrum(5, j, g), 0.7)

    def of_matrix(j, g):
        return jg.log_partition(models.p_spin(5, j, g, maximal_spin=False), 0.7)

    found, expected = (jax.jit(jax.grad(f, argnums=(0, 1)))(0.9, 0.4) for f in (of_levels, of_matrix))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_complete_graphs_refuse():
    with pytest.raises(ValueError, match=r"`coupling` must have shape \(\)"):
        models.p_spin_spectrum(3, [1.0, 2.0])
    with pytest.raises(ValueError, match="`sites` must be a whole number of at least 1"):
        models.p_spin_spectrum(0)
    with pytest.raises(ValueError, match=r"`crystal_field` must have shape \(\)"):
        models.blume_capel(3, [1.0, 2.0])
