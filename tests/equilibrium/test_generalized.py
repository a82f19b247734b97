"""Several charges: the grand canonical ensemble from (H, N), and charges that do not commute."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs._errors import NotTraceClass
from jaxgibbs.operators import Bosons, Dense, Fermions, KroneckerSum, Spectrum
from jaxgibbs.operators.local import boson_matrices, embed, fermion_annihilation, pauli_matrices


def hermitian(dim, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))
    return (matrix + matrix.conj().T) / 2


@jax.jit
def answers(charges, multipliers):
    state = jg.generalized_gibbs_state(charges, multipliers)
    scalars = [state.log_partition, state.entropy, state.purity, state.renyi_entropy(2), state.renyi_entropy(0.5)]
    return jnp.stack(scalars), state.charge_expectations, state.charge_covariance


def test_charges_that_do_not_commute():
    charges, multipliers = [hermitian(4, s) for s in range(3)], np.array([0.4, -0.7, 0.2])
    state = jg.generalized_gibbs_state(charges, multipliers)
    weight = scipy.linalg.expm(-np.einsum("k,kij->ij", multipliers, charges))  # of the sum, no product of exponentials
    rho = weight / np.trace(weight)
    np.testing.assert_allclose(state.density_matrix(), rho, atol=1e-14)
    np.testing.assert_allclose(state.log_partition, np.log(np.trace(weight).real), rtol=1e-14)
    means = [np.trace(rho @ q).real for q in charges]
    np.testing.assert_allclose(state.charge_expectations, means, rtol=1e-13)
    np.testing.assert_allclose(state.entropy, state.log_partition + multipliers @ means, rtol=1e-13)
    np.testing.assert_allclose(state.purity, np.trace(rho @ rho).real, rtol=1e-13)
    np.testing.assert_allclose(state.populations, np.sort(np.linalg.eigvalsh(rho))[::-1], rtol=1e-12)
    np.testing.assert_allclose(state.reduced((2, 2), 0), np.einsum("ajbj->ab", rho.reshape(2, 2, 2, 2)), atol=1e-14)
    np.testing.assert_allclose(state.expectation(charges[1]), means[1], rtol=1e-13)
    np.testing.assert_allclose(state.covariance(charges[0], charges[1]), state.charge_covariance[0, 1], rtol=1e-13)
    assert "one complex block of 4" in state.explain()


@pytest.mark.slow
def test_the_gradient_and_the_hessian_in_the_multipliers():
    charges = [jnp.asarray(hermitian(4, s)) for s in range(3)]
    multipliers = jnp.array([0.4, -0.7, 0.2])

    def log_partition(m):
        return jg.generalized_gibbs_state(charges, m).log_partition

    gradient, hessian = jax.jit(lambda m: (jax.grad(log_partition)(m), jax.hessian(log_partition)(m)))(multipliers)
    _, means, covariance = answers(charges, multipliers)
    np.testing.assert_allclose(gradient, -means, rtol=1e-12)
    np.testing.assert_allclose(hessian, covariance, rtol=1e-11, atol=1e-13)
    entropy_slope = jax.jit(jax.grad(lambda m: jg.generalized_gibbs_state(charges, m).entropy))(multipliers)
    np.testing.assert_allclose(entropy_slope, -covariance @ multipliers, rtol=1e-11)  # dS = -K lam . d lam


@pytest.mark.slow
def test_one_charge_is_the_canonical_state():
    for hamiltonian in (
        Dense(hermitian(3, 1)),
        models.oscillator(0.8),
        Bosons([0.3, 0.4]),
        models.heisenberg_chain(3, 1.0),
    ):
        state, canonical = jg.generalized_gibbs_state([hamiltonian], [0.9]), jg.gibbs_state(hamiltonian, 0.9)
        np.testing.assert_allclose(state.log_partition, canonical.log_partition, rtol=1e-13)
        np.testing.assert_allclose(state.entropy, canonical.entropy, rtol=1e-12)
        np.testing.assert_allclose(state.charge_expectations[0], canonical.energy, rtol=1e-12)
        np.testing.assert_allclose(state.charge_covariance[0, 0], canonical.energy_variance, rtol=1e-11)
    bare = jg.generalized_gibbs_state(Dense(hermitian(3, 1)), [0.9])  # a charge alone need not be in a list
    assert len(bare.charges) == 1


ENERGIES = np.array([-0.4, 0.3, 0.9])
BETA, MU = 1.3, -0.7


@pytest.mark.slow
def test_fermi_dirac_from_the_fock_space():
    annihilate = [fermion_annihilation(k, 3) for k in range(3)]
    numbers = [c.conj().T @ c for c in annihilate]
    hamiltonian = sum(e * n for e, n in zip(ENERGIES, numbers, strict=True))
    full = answers((jnp.asarray(hamiltonian), jnp.asarray(sum(numbers))), jnp.array([BETA, -BETA * MU]))
    free = answers((Fermions(ENERGIES), Fermions(np.ones(3))), jnp.array([BETA, -BETA * MU]))
    for a, b in zip(free, full, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    occupations = 1 / (np.exp(BETA * (ENERGIES - MU)) + 1)
    state = jg.generalized_gibbs_state((Fermions(ENERGIES), Fermions(np.ones(3))), [BETA, -BETA * MU])
    np.testing.assert_allclose(state.populations, occupations, rtol=1e-13)
    np.testing.assert_allclose(free[1], [ENERGIES @ occupations, occupations.sum()], rtol=1e-13)
    # interacting: the state of the sum, on blocks of particle number, is no product of modes
    interacting = (
        hamiltonian
        + 0.5 * numbers[0] @ numbers[1]
        + 0.3 * (annihilate[0].conj().T @ annihilate[2] + annihilate[2].conj().T @ annihilate[0])
    )
    weight = scipy.linalg.expm(-BETA * (interacting - MU * sum(numbers)))
    state = jg.generalized_gibbs_state((interacting, sum(numbers)), [BETA, -BETA * MU])
    np.testing.assert_allclose(state.log_partition, np.log(np.trace(weight).real), rtol=1e-13)
    np.testing.assert_allclose(
        state.charge_expectations[1], np.trace(weight @ sum(numbers)).real / np.trace(weight).real, rtol=1e-12
    )


def test_bose_einstein_from_a_truncated_fock_space():
    levels, energies, mu = 24, np.array([0.9, 1.4]), -0.9
    numbers = [
        embed(boson_matrices(levels)[0].conj().T @ boson_matrices(levels)[0], k, (levels,) * 2) for k in range(2)
    ]
    diagonals = [np.diag(n).real for n in numbers]
    spectra = (Spectrum(sum(e * n for e, n in zip(energies, diagonals, strict=True))), Spectrum(sum(diagonals)))
    full = answers(spectra, jnp.array([BETA, -BETA * mu]))
    free = answers((Bosons(energies), Bosons(np.ones(2))), jnp.array([BETA, -BETA * mu]))
    # e^{-beta (e - mu) levels} = e^-56 is left out; at Renyi order 1/2 e^-28.
    for a, b in zip(free, full, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11)
    state = jg.generalized_gibbs_state((Bosons(energies), Bosons(np.ones(2))), [BETA, -BETA * mu])
    np.testing.assert_allclose(state.populations, 1 / np.expm1(BETA * (energies - mu)), rtol=1e-13)


def test_bosons_above_their_lowest_mode_do_not_exist():
    with pytest.raises(NotTraceClass):
        _ = jg.generalized_gibbs_state((Bosons([0.5, 1.0]), Bosons([1.0, 1.0])), [1.0, -0.6]).log_partition
    scalars, _, covariance = answers((Bosons([0.5, 1.0]), Bosons([1.0, 1.0])), jnp.array([1.0, -0.6]))
    assert np.all(np.isnan(scalars))
    assert np.all(np.isnan(covariance))


@pytest.mark.slow
def test_charges_of_every_structure():
    chain = models.xxz_chain(3, 1.0, 0.4)
    field = models.xxz_chain(3, 0.0, 0.0, field=1.0)
    multipliers = jnp.array([0.8, -0.3])
    by_terms = answers((chain, field), multipliers)
    by_matrix = answers((Dense(chain.to_dense()), Dense(field.to_dense())), multipliers)
    for a, b in zip(by_terms, by_matrix, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11)
    assert "blocks" in jg.generalized_gibbs_state((chain, field), multipliers).explain()
    x, y, z = (Dense(p) for p in pauli_matrices())
    products = KroneckerSum([x, z]), KroneckerSum([y, Dense(np.diag([1.0, 0.0]))])
    by_parts = answers(products, multipliers)
    by_matrix = answers(tuple(Dense(p.to_dense()) for p in products), multipliers)
    for a, b in zip(by_parts, by_matrix, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
    spectra = Spectrum([0.0, 1.0, 3.0], [0.0, 1.0, 0.0]), Spectrum([1.0, -1.0, 2.0], [0.0, 1.0, 0.0])
    scalars, means, _ = answers(spectra, multipliers)
    weight = np.exp([0.0, 1.0, 0.0]) * np.exp(-0.8 * np.array([0, 1.0, 3]) + 0.3 * np.array([1.0, -1, 2]))
    np.testing.assert_allclose(scalars[0], np.log(weight.sum()), rtol=1e-14)
    np.testing.assert_allclose(means[1], weight @ [1.0, -1, 2] / weight.sum(), rtol=1e-14)


@pytest.mark.parametrize(
    ("charges", "multipliers", "message"),
    [
        ([], [], "`charges` must have at least one operator"),
        ([np.eye(2)], [1.0, 2.0], r"one entry a charge, shape \(1,\), but has shape \(2,\)"),
        ([np.eye(2)], 1.0, "one entry a charge"),
        ([np.eye(2)], [np.nan], "`multipliers` must be finite"),
        ([np.eye(2)], [np.inf], "take `gibbs_state` with `beta = inf`"),
        ([np.eye(2)], [1j], "must be a real scalar"),
        ([np.eye(2), np.eye(3)], [1.0, 1.0], "must act on one space"),
        ([np.array([[0, 1], [0, 0]])], [1.0], "must be Hermitian"),
        ([Bosons([1.0]), Fermions([1.0])], [1.0, 1.0], "all of one structured kind, but are"),
        ([Fermions([1.0]), np.eye(1)], [1.0, 1.0], "all of one structured kind, but are"),
        (
            [models.oscillator(1.0, levels=4), Spectrum(np.arange(4.0))],
            [1.0, 1.0],
            "Spectra with a tail cannot be added",
        ),
        ([Spectrum([0.0, 1.0], [0.0, 1.0]), Spectrum([0.0, 1.0])], [1.0, 1.0], "must have the same degeneracies"),
        ([KroneckerSum([np.eye(2), np.eye(3)]), KroneckerSum([np.eye(3), np.eye(2)])], [1.0, 1.0], "same space"),
    ],
)
def test_misuse(charges, multipliers, message):
    with pytest.raises(ValueError, match=message):
        _ = jg.generalized_gibbs_state(charges, multipliers).log_partition


def test_degeneracies_that_differ_under_a_trace_give_nan():
    def log_partition(logs):
        return jg.generalized_gibbs_state(
            (Spectrum([0.0, 1.0], logs), Spectrum([1.0, 0.0], [0.0, 0.0])), [1.0, 1.0]
        ).log_partition

    compiled = jax.jit(jax.value_and_grad(log_partition))
    assert np.isnan(compiled(jnp.array([0.0, 5.0]))[0])
    np.testing.assert_allclose(compiled(jnp.zeros(2))[0], np.log(2) - 1, rtol=1e-14)
