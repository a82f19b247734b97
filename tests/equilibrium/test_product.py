"""Independent parts against the product space multiplied out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.operators import Bosons, Dense, Fermions, KroneckerSum, Spectrum

NAMES = ("log_partition", "free_energy", "energy", "energy_variance", "entropy", "heat_capacity", "purity")


def hermitian(dim, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))
    return (matrix + matrix.conj().T) / 2


FIRST, SECOND = hermitian(2, 0), hermitian(3, 1)


def product():
    return KroneckerSum([FIRST, SECOND, Spectrum([0.2, 0.9])])


@jax.jit
def answers(hamiltonian, beta):
    state = jg.gibbs_state(hamiltonian, beta)
    values = [getattr(state, name) for name in NAMES] + [state.renyi_entropy(a) for a in (0, 0.5, np.inf)]
    return jnp.stack(values), state.density_matrix(), state.populations


@pytest.mark.parametrize("beta", [0.0, 0.8, -1.7, 30.0, np.inf, -np.inf])
def test_a_product_is_the_matrix_multiplied_out(beta):
    values, rho, populations = answers(product(), beta)
    wanted, dense_rho, dense_populations = answers(Dense(product().to_dense()), beta)
    np.testing.assert_allclose(values, wanted, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(rho, dense_rho, atol=1e-13)
    np.testing.assert_allclose(np.sort(populations), np.sort(dense_populations), atol=1e-13)


def test_local_observables():
    a, b = (KroneckerSum([hermitian(2, s), hermitian(3, s + 1), Spectrum(np.array([1.0, -s]))]) for s in (2, 4))

    @jax.jit
    def local():
        state = jg.gibbs_state(product(), 0.8)
        means = state.expectation(a), state.expectation(a.to_dense())
        return means, state.covariance_matrix((a, b, product())), state.part(1).energy, state.reduced((2, 3, 2), 1)

    @jax.jit
    def multiplied_out():
        state = jg.gibbs_state(Dense(product().to_dense()), 0.8)
        observables = (a.to_dense(), b.to_dense(), product().to_dense())
        part = jg.gibbs_state(SECOND, 0.8)
        return (
            (state.expectation(observables[0]),) * 2,
            state.covariance_matrix(observables),
            part.energy,
            part.density_matrix(),
        )

    for found, wanted in zip(*(jax.tree_util.tree_leaves(f()) for f in (local, multiplied_out)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-13)


@pytest.mark.slow
def test_derivatives():
    gradient = jax.jit(jax.grad(jg.log_partition))(product(), 0.8)
    state = jg.gibbs_state(product(), 0.8)
    np.testing.assert_allclose(np.conj(gradient.parts[1].matrix), -0.8 * state.part(1).density_matrix(), atol=1e-14)
    np.testing.assert_allclose(gradient.parts[2].levels, -0.8 * state.part(2).populations, atol=1e-14)
    second = jax.jit(jax.grad(jax.grad(lambda beta: jg.log_partition(product(), beta))))(0.8)
    np.testing.assert_allclose(0.8**2 * second, state.heat_capacity, rtol=1e-11)
    slope = jax.jit(jax.grad(lambda beta: jg.log_partition(product(), beta)))
    np.testing.assert_allclose(slope(0.8), -state.energy, rtol=1e-12)
    assert np.isnan(slope(np.inf))


def test_infinite_parts_are_never_multiplied_out():
    hamiltonian = KroneckerSum([models.oscillator(0.7), Bosons([0.3, 0.9]), Fermions(np.linspace(-1, 1, 40)), FIRST])
    state = jg.gibbs_state(hamiltonian, 1.2)
    parts = [jg.gibbs_state(part, 1.2) for part in hamiltonian.parts]
    for name in ("log_partition", "energy", "entropy", "heat_capacity"):
        np.testing.assert_allclose(getattr(state, name), sum(getattr(part, name) for part in parts), rtol=1e-14)
    assert state.explain().count("part") == 5
    with pytest.raises(ValueError, match="must be asked of its parts"):
        _ = state.populations
    with pytest.raises(ValueError, match="has none"):
        state.density_matrix()


def test_ground_energies_of_either_sign_at_zero_temperature():
    parts = [np.diag([-1.0, 3.0]), np.diag([2.0, 2.0, 5.0])]
    for shift, limit in ((0.0, -np.inf), (-1.0, np.log(2.0)), (-1.5, np.inf)):
        moved = KroneckerSum([parts[0], parts[1] + shift * np.eye(3)])
        assert jg.log_partition(moved, np.inf) == limit
        assert jg.free_energy(moved, np.inf) == 1 + shift


def test_sums_and_multiples_of_products_stay_products():
    total = 2.0 * product() - KroneckerSum([FIRST, SECOND, Spectrum([0.0, 1.0])])
    state = jg.gibbs_state(total, 0.8)
    assert state.explain().startswith("product of 3")
    dense = 2 * product().to_dense() - KroneckerSum([FIRST, SECOND, Spectrum([0.0, 1.0])]).to_dense()
    np.testing.assert_allclose(state.log_partition, jg.log_partition(dense, 0.8), rtol=1e-12)
    other = product() + KroneckerSum(
        [np.eye(3), np.eye(2), np.eye(2)]
    )  # split otherwise: a matrix of the product space
    assert "one complex block of 12" in jg.gibbs_state(other, 0.8).explain()


def test_misuse():
    state = jg.gibbs_state(product(), 0.8)
    with pytest.raises(ValueError, match="3 parts like the Hamiltonian, but has 2"):
        state.expectation(KroneckerSum([FIRST, SECOND]))
    with pytest.raises(ValueError, match="must have dimension 2, but has 3"):
        state.expectation(KroneckerSum([SECOND, SECOND, Spectrum([0.0, 1.0])]))
    with pytest.raises(ValueError, match="`KroneckerSum` over the same parts"):
        state.covariance(np.eye(12), np.eye(12))
    with pytest.raises(ValueError, match="must have the shape of the Hamiltonian"):
        state.expectation(np.eye(3))
    with pytest.raises(ValueError, match="Eigenvectors need a Hamiltonian of one matrix"):
        state.level_projectors()
