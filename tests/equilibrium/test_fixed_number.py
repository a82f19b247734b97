"""Fixed number and fixed parity against sums over all states, and spin rings against their matrices."""

import itertools
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs.equilibrium import (
    canonical_log_partition,
    canonical_occupations,
    parity_log_partition,
    ring_log_partition,
)
from jaxgibbs.operators import Bosons, Fermions, Spectrum

EPS = np.finfo(float).eps
ENERGIES = np.array([-0.6, 0.0, 0.4, 0.4, 1.7])


def states(kind, particles):
    most = 1 if kind is Fermions else particles
    occupations = np.array([n for n in itertools.product(range(most + 1), repeat=5) if sum(n) == particles])
    return occupations, occupations @ ENERGIES


@pytest.mark.parametrize("kind", [Fermions, Bosons])
def test_canonical_ensembles_are_sums_over_their_states(kind):
    compute = jax.jit(
        lambda modes, beta, n: (canonical_log_partition(modes, beta, n), canonical_occupations(modes, beta, n)),
        static_argnums=2,
    )
    for particles in (0, 1, 3):
        occupations, levels = states(kind, particles)
        for beta in (0.0, 0.8, -1.1, 300.0):
            log_z, mean = compute(kind(ENERGIES + 1e6 * (beta == 0.8)), beta, particles)
            offset = -beta * 1e6 * particles * (beta == 0.8)
            weights = np.exp(-beta * levels + np.max(beta * -levels) * -1)
            exact = np.log(np.sum(weights)) + np.max(-beta * levels)
            # the offset of 1e6 costs eps of itself
            np.testing.assert_allclose(log_z, exact + offset, rtol=8 * EPS, atol=EPS * 8 * (1 + 300 * (beta > 1)))
            loose = 1e-8 if beta == 0.8 else 1e-12
            np.testing.assert_allclose(mean, weights @ occupations / weights.sum(), atol=loose)
            np.testing.assert_allclose(np.sum(mean), particles, rtol=1e-12)


@pytest.mark.slow
def test_canonical_derivatives():
    for kind in (Fermions, Bosons):
        occupations, _ = states(kind, 3)

        def of_levels(e, beta, occupations=occupations):
            return jax.nn.logsumexp(-beta * (occupations @ e))

        def recursion(e, beta, kind=kind):
            return canonical_log_partition(kind(e), beta, 3)

        @jax.jit
        def derivatives(e, beta, recursion=recursion, of_levels=of_levels):
            return [(jax.hessian(f)(e, beta), jax.grad(jax.grad(f, 1), 1)(e, beta)) for f in (recursion, of_levels)]

        found, exact = derivatives(jnp.asarray(ENERGIES), 0.9)
        np.testing.assert_allclose(found[0], exact[0], atol=1e-12)
        np.testing.assert_allclose(found[1], exact[1], rtol=1e-11)


@pytest.mark.slow
def test_many_particles():
    """`w = 1`: binomials; at low temperature the filled sea."""
    modes = Fermions(np.linspace(-1, 1, 400))
    log_z = canonical_log_partition(modes, 0.0, 200)
    np.testing.assert_allclose(log_z, math.log(math.comb(400, 200)), rtol=400 * EPS)
    np.testing.assert_allclose(
        canonical_log_partition(Bosons(np.zeros(50)), 1.0, 100), math.log(math.comb(149, 100)), rtol=1e-13
    )
    occupations = canonical_occupations(modes, 1e5, 137)
    np.testing.assert_allclose(occupations, np.arange(400) < 137, atol=1e-12)
    single = canonical_log_partition(Fermions(jnp.asarray(ENERGIES, jnp.float32)), jnp.float32(0.8), 2)
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, canonical_log_partition(Fermions(ENERGIES), 0.8, 2), rtol=1e-6)


def test_refusals():
    for particles, match in ((6, "at most 5"), (-1, "whole number"), (1.5, "whole number")):
        with pytest.raises(ValueError, match=match):
            canonical_log_partition(Fermions(ENERGIES), 1.0, particles)
    with pytest.raises(ValueError, match="must be `Fermions` or `Bosons`"):
        canonical_log_partition(Spectrum(ENERGIES), 1.0, 1)
    for function in (
        lambda: canonical_log_partition(Fermions(ENERGIES), np.inf, 1),
        lambda: parity_log_partition([1.0], np.inf, 1),
    ):
        with pytest.raises(ValueError, match="must be finite"):
            function()
    with pytest.raises(ValueError, match="1 or -1"):
        parity_log_partition([1.0], 1.0, 0)
    with pytest.raises(ValueError, match="real vector"):
        parity_log_partition([[1.0]], 1.0, 1)
    with pytest.raises(ValueError, match="at least 3"):
        jg.models.xx_ring_modes(2)


@pytest.mark.parametrize("energies", [[0.7, 1.1, 2.0], [-0.7, 1.1, 2.0], [0.0, 1.1, 2.0], [0.0, 0.0]])
def test_parity_sectors(energies):
    occupations = np.array(list(itertools.product((0, 1), repeat=len(energies))))
    compute = jax.jit(parity_log_partition, static_argnums=2)
    for parity, beta in itertools.product((1, -1), (0.4, 3.0, -3.0, 200.0)):
        chosen = occupations[(-1) ** occupations.sum(1) == parity]
        with mpmath.workdps(200):
            exponents = [
                -mpmath.mpf(beta) * mpmath.fsum(mpmath.mpf(e) * (n - 0.5) for e, n in zip(energies, row, strict=True))
                for row in chosen.tolist()
            ]
            exact = mpmath.log(mpmath.fsum(map(mpmath.exp, exponents)))
        np.testing.assert_allclose(
            compute(jnp.asarray(energies), beta, parity), float(exact), rtol=16 * EPS, atol=4 * EPS
        )


RINGS = {
    "ising": (jg.models.transverse_ising_ring_modes, jg.models.transverse_ising_chain),
    "xx": (jg.models.xx_ring_modes, jg.models.xx_chain),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sites"), [("ising", 6), ("xx", 5), pytest.param("ising", 3, marks=pytest.mark.slow)])
def test_rings_are_their_matrices(name, sites):
    modes, dense = RINGS[name]

    def free(j, h, beta):
        return ring_log_partition(modes(sites, j, h), beta)

    def exact(j, h, beta):
        return jg.log_partition(dense(sites, j, h, periodic=True).to_dense(), beta)

    @jax.jit
    def answers(j, h, beta):
        return [
            (f(j, h, beta), jnp.stack(jax.grad(f, (0, 1, 2))(j, h, beta)), jax.grad(jax.grad(f, 2), 2)(j, h, beta))
            for f in (free, exact)
        ]

    for j, h in ((1.0, 0.6), (1.0, 1.0), (-0.7, 1.3)):  # also where a mode has no energy
        for beta in (0.3, 2.0, -1.5, 40.0):
            found, expected = answers(j, h, beta)
            rounding = 200 * EPS * (1 + abs(beta)) * sites
            np.testing.assert_allclose(found[0], expected[0], rtol=rounding)
            np.testing.assert_allclose(found[1], expected[1], rtol=1e-11, atol=1e-11)
            np.testing.assert_allclose(found[2], expected[2], rtol=1e-9, atol=1e-11)
