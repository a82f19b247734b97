"""Operators add and scale; each is its matrix, and refuses what is none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs.operators import (
    Bosons,
    Dense,
    Fermions,
    KroneckerSum,
    LocalSum,
    LocalTerms,
    Scaled,
    SparseTerms,
    Spectrum,
    Sum,
    TermSum,
    as_operator,
    simplify,
)
from jaxgibbs.operators.base import inexact

RNG = np.random.default_rng(0)


def hermitian(dim, kind=complex):
    matrix = RNG.normal(size=(dim, dim)) + (1j * RNG.normal(size=(dim, dim)) if kind is complex else 0)
    return (matrix + matrix.conj().T) / 2


A, B = hermitian(6), hermitian(6)
OPERATORS = {
    "dense": Dense(A),
    "real dense": Dense(hermitian(6, float)),
    "terms": TermSum({"one": 0.7, "two": [-1.0, 0.4]}, SparseTerms.from_matrices({"one": A, "two": [B, np.eye(6)]})),
    "real terms": TermSum({"one": 0.7}, SparseTerms.from_matrices({"one": hermitian(6, float)})),
    "local": LocalSum({"one": 0.7}, LocalTerms((2, 3), {"one": [[(hermitian(2), 0), (hermitian(6), (1, 0))]]})),
    "spectrum": Spectrum([1.0, 0.0, 2.0, 2.0, 5.0, -1.0]),
    "kronecker": KroneckerSum([hermitian(2), hermitian(3)]),
    "scaled": Scaled(-1.3, Dense(A)),
    "sum": Sum((Dense(A), Dense(B), Spectrum(np.arange(6.0)))),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_is_its_matrix(name):
    operator = OPERATORS[name]
    matrix = operator.to_dense()
    assert operator.dim == len(matrix)
    assert operator.dtype == matrix.dtype
    np.testing.assert_allclose(matrix, matrix.conj().T, atol=1e-15)
    vector = RNG.normal(size=6) + 1j * RNG.normal(size=6)
    for product in (operator.matvec, operator.linear_map()):
        np.testing.assert_allclose(product(jnp.asarray(vector)), matrix @ vector, atol=1e-13)
    np.testing.assert_allclose((2 * operator - operator / 4 + -operator).to_dense(), 0.75 * matrix, atol=1e-14)
    assert as_operator(operator) is operator
    np.testing.assert_allclose(simplify(2 * operator + operator).to_dense(), 3 * matrix, atol=1e-13)


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_crosses_jit_and_vmap_and_keeps_its_leaves_inexact(name):
    operator = OPERATORS[name]
    leaves, structure = jax.tree_util.tree_flatten(operator)
    assert all(jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in leaves)
    again = jax.tree_util.tree_unflatten(structure, leaves)
    assert jax.tree_util.tree_structure(again) == structure
    assert hash(structure) == hash(jax.tree_util.tree_structure(again))
    stacked = jax.tree_util.tree_map(lambda leaf: jnp.stack([leaf, 2 * leaf]), operator)
    matrices = jax.jit(jax.vmap(lambda o: o.to_dense()))(stacked)
    np.testing.assert_allclose(matrices[0], operator.to_dense(), atol=1e-15)


@pytest.mark.parametrize("factor", [2, np.float32(2), np.array(2.0), jnp.asarray(2), True])
def test_factors_of_any_kind_of_number(factor):
    for product in (factor * Dense(A), Dense(A) * factor):
        assert isinstance(product, Scaled)
        np.testing.assert_allclose(product.to_dense(), float(factor) * A, atol=1e-14)
    assert jnp.issubdtype((factor * Dense(A)).factor.dtype, jnp.floating)


def test_sum_of_a_list():
    np.testing.assert_allclose(sum([Dense(A), Dense(B)]).to_dense(), A + B, atol=1e-15)
    assert len(((Dense(A) + Dense(B)) + (Dense(A) - Dense(B))).parts) == 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: np.ones(3) * Dense(A), "must be a real scalar, but has shape"),
        (lambda: 1j * Dense(A), "must be a real scalar"),
        (lambda: Dense(A) * np.nan, "`factor` must be finite"),
        (lambda: Dense(A) / 0, "`factor` must be finite"),
        (lambda: Dense(A) / 2j, "must be a real scalar"),
        (lambda: Sum(()), "must have at least one part"),
        (lambda: Dense(A) + Dense(np.eye(2)), "act on dimension 6 and dimension 2"),
        (lambda: Dense(np.eye(2)) + Fermions([0.0, 1.0]), "act on dimension 2 and fermionic modes: 2"),
        (lambda: Bosons([1.0]) - Fermions([1.0]), "bosonic modes: 1 and fermionic modes: 1"),
        (lambda: Dense(np.eye(2)) + 3.0 * Bosons([1.0, 1.0]), "same space"),
        (lambda: KroneckerSum([Fermions([1.0])]) + Dense(np.eye(1)), "same space"),
        (lambda: KroneckerSum(()), "must have at least one operator"),
    ],
)
def test_arithmetic_that_makes_no_sense(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make", [lambda: Dense(A) * Dense(B), lambda: Dense(A) + 1, lambda: 1 + Dense(A), lambda: Dense(A) - A]
)
def test_arithmetic_that_is_not_offered(make):
    with pytest.raises(TypeError):
        make()


def test_numbers_become_inexact_and_keep_their_precision():
    assert inexact(1).dtype == inexact([1, 2]).dtype == inexact(np.array([True])).dtype == jnp.float64
    for dtype in (jnp.float32, jnp.float64, jnp.complex64, jnp.complex128):
        assert inexact(jnp.ones(2, dtype)).dtype == dtype
    for dtype in (jnp.float16, jnp.bfloat16):
        with pytest.raises(ValueError, match="single or double precision"):
            inexact(jnp.ones(2, dtype))
    assert jax.grad(lambda x: jg.log_partition(x * Dense(A), 1.0))(1.0).dtype == jnp.float64


# -- what sums and multiples of structured operators are -----------------------------------------------------------------


def test_structure_survives():
    assert isinstance(simplify(2 * Bosons([1.0, 2.0]) - Bosons([0.5, 0.5])), Bosons)
    assert isinstance(simplify(2 * (Fermions([1.0]) / 3)), Fermions)
    np.testing.assert_allclose(simplify(2 * Bosons([1.0, 2.0]) - Bosons([0.5, 0.5])).energies, [1.5, 3.5])
    weighted = Spectrum([0.0, 1.0], [0.0, 2.0])
    folded = simplify(3 * weighted + weighted)
    np.testing.assert_allclose(folded.levels, [0, 4])
    np.testing.assert_allclose(folded.log_degeneracies, [0, 2])
    product = simplify(2 * KroneckerSum([A, Bosons([1.0])]) + KroneckerSum([B, Bosons([0.5])]))
    np.testing.assert_allclose(product.parts[0].to_dense(), 2 * A + B, atol=1e-14)
    np.testing.assert_allclose(product.parts[1].energies, [2.5])
    mixed = Dense(A) + Spectrum(np.arange(6.0))
    assert simplify(mixed) is mixed
    assert simplify(Sum((Bosons([1.0]),))).energies == 1


def test_an_infinite_spectrum_may_be_scaled_but_not_added():
    oscillator = jg.models.oscillator(0.5)
    doubled = simplify(2 * oscillator)
    for power in (0, 1, 2):
        direct = jg.models.oscillator(1.0).tail.bound(0.03, power)
        np.testing.assert_allclose(doubled.tail.bound(0.03, power), direct, rtol=1e-12)
    np.testing.assert_allclose(simplify(4.0 * jg.models.logarithmic_spectrum(1.0)).tail.beta_critical, 0.25)
    assert np.isinf(simplify(-1.0 * oscillator).tail.bound(0.03))
    with pytest.raises(ValueError, match="Spectra with a tail cannot be added"):
        simplify(oscillator + oscillator)
    with pytest.raises(ValueError, match="same degeneracies"):
        simplify(Spectrum([0.0, 1.0]) + Spectrum([0.0, 1.0], [0.0, 1.0]))
