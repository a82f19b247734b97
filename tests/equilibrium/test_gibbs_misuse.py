"""Input that is no Hamiltonian and no temperature: refused at the door, or NaN under a trace."""

import jax
import numpy as np
import pytest

import jaxgibbs as jg
from gibbs_reference import EPS, A, H
from jaxgibbs import models
from jaxgibbs.operators import Dense, SparseTerms, TermSum
from jaxgibbs.operators.local import pauli_matrices

# -- misuse --------------------------------------------------------------------------------------------------------------

NOT_HERMITIAN = np.array([[0.0, 1.0], [2.0, 0.0]])


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (NOT_HERMITIAN, "must be Hermitian, but the norm of .* is 1.41, above the tolerance 2.24e-10 for float64"),
        (NOT_HERMITIAN * 1e200, "must be Hermitian"),
        (NOT_HERMITIAN * 1e-200, "must be Hermitian"),
        (NOT_HERMITIAN.astype(np.float32), "for float32"),
        (np.array([[0, 1j], [1j, 0]]), "must be Hermitian"),
        (np.array([[np.nan, 0], [0, 1]]), "must be finite"),
        (np.array([[np.inf, 0], [0, 1]]), "must be finite"),
        (np.zeros((2, 3)), "square matrix with at least one row"),
        (np.zeros((0, 0)), "square matrix with at least one row"),
        (np.zeros(3), "square matrix"),
        (np.zeros((4, 2, 2)), "map over it with `jax.vmap`"),
        (np.float64(2.0), "square matrix"),
        (np.eye(2, dtype=np.float16), "single or double precision"),
    ],
)
def test_matrices_that_are_none(matrix, message):
    for function in (jg.log_partition, jg.gibbs_state, jg.thermodynamics, jg.generalized_forces):
        with pytest.raises(ValueError, match=message):
            function(matrix, 1.0)


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_under_a_trace_a_matrix_that_is_not_hermitian_gives_nan(scale):
    @jax.jit
    def answers(matrix):
        state = jg.gibbs_state(matrix, 1.0)
        return state.log_partition, state.energy, state.expectation(np.eye(2)), jax.grad(jg.log_partition)(matrix, 1.0)

    for answer in answers(NOT_HERMITIAN * scale):
        assert np.all(np.isnan(answer))
    assert np.all(np.isnan(jax.jit(lambda a: jg.gibbs_state(np.eye(2), 1.0).expectation(a))(NOT_HERMITIAN * scale)))
    assert np.all(np.isnan(jax.jit(lambda a: jg.gibbs_state(np.eye(2), 1.0).covariance(a, a))(NOT_HERMITIAN * scale)))


def test_values_that_are_no_numbers_under_a_trace_give_nan():
    compiled = jax.jit(lambda coupling, beta: jg.thermodynamics(models.heisenberg_chain(3, coupling), beta))
    for coupling, beta in ((np.nan, 1.0), (np.inf, 1.0), (1.0, np.nan)):
        assert all(np.isnan(leaf) for leaf in jax.tree_util.tree_leaves(compiled(coupling, beta)))


@pytest.mark.parametrize(
    ("beta", "message"),
    [
        (np.nan, "but is NaN"),
        ([1.0, 2.0], "map over temperatures with `jax.vmap`"),
        (1.0 + 0j, "must be real"),
        (np.float16(1), "precision"),
    ],
)
def test_betas_that_are_none(beta, message):
    for function in (jg.log_partition, jg.gibbs_state, jg.thermodynamics, jg.generalized_forces):
        with pytest.raises(ValueError, match=message):
            function(H, beta)


def test_other_misuse():
    state = jg.gibbs_state(H, 1.0)
    for observable, message in (
        (np.eye(3), "must have the shape of the Hamiltonian"),
        (Dense(np.eye(3)), "must have the shape of the Hamiltonian"),
        (np.triu(np.ones((6, 6))), "`observable` must be Hermitian"),
        (np.full((6, 6), np.nan), "`observable` must be finite"),
        ([1.0] * 6, "square matrix"),
    ):
        with pytest.raises(ValueError, match=message):
            state.expectation(observable)
        with pytest.raises(ValueError, match=message):
            state.covariance(observable, A)
    with pytest.raises(ValueError, match="`observables` must have at least one"):
        state.covariance_matrix(())
    for order in (-1, np.nan):
        with pytest.raises(ValueError, match="`order` must be non-negative"):
            state.renyi_entropy(order)
    for function in (jg.gibbs_state, jg.log_partition, jg.thermodynamics):
        with pytest.raises(ValueError, match="`method` must be a method object"):
            function(H, 1.0, method="exact")
    with pytest.raises(ValueError, match="`part` must be asked of a `KroneckerSum`"):
        state.part(0)


def test_matrices_too_large_are_refused_before_they_are_made():
    dim = 2**14 + 1
    terms = SparseTerms(dim, {"field": 1}, [0], [0], [0], [1.0])
    with pytest.raises(ValueError, match="dimensions up to 16384, but the operator has 16385"):
        jg.log_partition(TermSum({"field": 1.0}, terms), 1.0, method=jg.Exact())


def test_population_inversion():
    assert not jg.gibbs_state(H, 1.0).population_inversion
    inverted = jg.gibbs_state(H, -1.0)
    assert inverted.population_inversion
    assert np.all(np.diff(inverted.populations) > -EPS)
    np.testing.assert_allclose(
        inverted.free_energy, inverted.energy + inverted.entropy, rtol=1e-14
    )  # F = U - T S, T = -1


def test_covariance_of_pauli_matrices():
    """The Hessian of `ln 2 cosh r` at `r = (0, 0, a)`: `sech^2 a` along, `tanh(a) / a` across."""
    x, y, z = pauli_matrices()
    covariance = jg.gibbs_state(-0.8 * z, 1.0).covariance_matrix((x, y, z))
    np.testing.assert_allclose(covariance, np.diag([np.tanh(0.8) / 0.8] * 2 + [1 / np.cosh(0.8) ** 2]), atol=1e-14)
