"""Dense matrices, sparse terms and the blocks that every term has."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import jaxgibbs as jg
from jaxgibbs.operators import (
    Dense,
    Scaled,
    SparseTerms,
    Spectrum,
    Sum,
    TermSum,
    bell_basis,
    block_structure,
    hermitian_gradient,
)
from jaxgibbs.operators.blocks import from_blocks, respects, take_blocks, to_blocks

X, Y, Z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])


# -- dense ----------------------------------------------------------------------------------------------------------------


def test_a_defect_within_rounding_is_averaged_away():
    matrix = np.array([[0.0, 1.0], [1.0 + 1e-11, 2.0]])
    np.testing.assert_allclose(Dense(matrix).to_dense(), (matrix + matrix.T) / 2, rtol=0, atol=0)
    single = matrix.astype(np.float32) + np.array([[0, 0], [1e-6, 0]], np.float32)
    assert Dense(single).to_dense().dtype == jnp.float32
    with pytest.raises(ValueError, match="above the tolerance"):
        Dense(matrix + np.array([[0, 0], [1e-9, 0]]))


def test_the_hermitian_gradient():
    rng = np.random.default_rng(0)
    matrix, direction, weight = (m + m.conj().T for m in rng.normal(size=(3, 4, 4)) + 1j * rng.normal(size=(3, 4, 4)))

    def quadratic(m, w):  # F = Re Tr(w m m), dF = Tr((w m + m w) dm)
        return jnp.trace(w @ m @ m).real

    gradient = hermitian_gradient(quadratic)(jnp.asarray(matrix), weight)
    np.testing.assert_allclose(gradient + gradient.conj().T, 2 * (weight @ matrix + matrix @ weight), atol=1e-12)
    slope = jax.grad(lambda x: quadratic(matrix + x * direction, weight))(0.0)
    np.testing.assert_allclose(np.trace(gradient @ direction).real, slope, rtol=1e-12)


def test_bell_basis():
    basis = bell_basis()
    np.testing.assert_allclose(basis.T @ basis, np.eye(4), atol=1e-15)
    parity, phase = np.kron(Z, Z), np.kron(X, X)
    np.testing.assert_allclose(parity @ basis, basis * [1, 1, -1, -1], atol=1e-15)
    np.testing.assert_allclose(phase @ basis, basis * [1, -1, 1, -1], atol=1e-15)


# -- sparse terms ---------------------------------------------------------------------------------------------------------


def test_terms_in_every_format():
    from_arrays = SparseTerms.from_matrices({"x": X, "rest": [Y, Z]})
    from_sparse = SparseTerms.from_matrices({"x": scipy.sparse.csr_matrix(X), "rest": [scipy.sparse.coo_array(Y), Z]})
    assert from_arrays == from_sparse
    assert hash(from_arrays) == hash(from_sparse)
    assert from_arrays.count == 3
    assert from_arrays.names == ("x", "rest")
    assert repr(from_arrays) == "SparseTerms(3 terms, dim=2, nonzeros=6)"
    operator = TermSum({"rest": [2, -1], "x": 3}, from_arrays)  # names decide, not their order
    np.testing.assert_allclose(operator.to_dense(), 3 * X + 2 * Y - Z)
    assert operator.dtype == jnp.complex128
    assert TermSum({"x": 1.0}, SparseTerms.from_matrices({"x": X.astype(complex)})).dtype == jnp.float64
    assert TermSum({"x": jnp.float32(1)}, SparseTerms.from_matrices({"x": X})).to_dense().dtype == jnp.float32


def test_an_element_given_twice_counts_twice():
    terms = SparseTerms(2, {"x": 1}, [0] * 4, [0, 1, 0, 1], [1, 0, 1, 0], [0.5, 1.0, 0.5, 0.0])
    np.testing.assert_allclose(TermSum({"x": 2.0}, terms).to_dense(), 2 * X)


def test_terms_that_differ_are_unequal():
    terms = SparseTerms.from_matrices({"x": X})
    for other in (
        SparseTerms.from_matrices({"y": X}),
        SparseTerms.from_matrices({"x": 2 * X}),
        SparseTerms.from_matrices({"x": X.astype(float)}),
        SparseTerms.from_matrices({"x": Z}),
        SparseTerms.from_matrices({"x": np.kron(X, np.eye(2))}),
        "x",
    ):
        assert terms != other


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SparseTerms.from_matrices({}), "at least one matrix"),
        (lambda: SparseTerms.from_matrices({"x": X, "z": np.eye(3)}), "of one shape"),
        (lambda: SparseTerms.from_matrices({"x": np.ones((2, 3))}), "square"),
        (
            lambda: SparseTerms.from_matrices({"x": X, "up": [X, np.triu(np.ones((2, 2)))]}),
            "terms of `up` must be Hermitian",
        ),
        (lambda: SparseTerms.from_matrices({"y": Y * 1j}), "terms of `y` must be Hermitian"),
        (lambda: SparseTerms.from_matrices({"x": scipy.sparse.csr_matrix([[0, 1], [0, 0]])}), "must be Hermitian"),
        (lambda: SparseTerms.from_matrices({"x": X * np.nan}), "`value` must be finite"),
        (lambda: SparseTerms(2, {"x": 1}, [0], [2], [2], [1.0]), "`row` must lie between 0 and 1"),
        (lambda: SparseTerms(2, {"x": 1}, [1], [0], [0], [1.0]), "`term` must lie between 0 and 0"),
        (lambda: SparseTerms(2, {"x": 1}, [0], [0], [-1], [1.0]), "`column` must lie between"),
        (
            lambda: TermSum({"y": 1.0}, SparseTerms.from_matrices({"x": X})),
            r"must have the names \['x'\], but has \['y'\]",
        ),
        (lambda: TermSum({"x": [1.0, 2.0]}, SparseTerms.from_matrices({"x": X})), "`x` must hold 1 numbers"),
        (lambda: TermSum({"x": np.nan}, SparseTerms.from_matrices({"x": X})), "`x` must be finite"),
        (lambda: TermSum({"x": 1j}, SparseTerms.from_matrices({"x": X})), "`x` must be real"),
        (lambda: TermSum({"x": np.float16(1)}, SparseTerms.from_matrices({"x": X})), "single or double precision"),
    ],
)
def test_terms_that_are_none(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# -- blocks -----------------------------------------------------------------------------------------------------------------


def chain():
    return jg.models.xxz_chain(4, 1.0, 0.5, field=0.2)


def test_blocks_are_those_of_the_conserved_magnetisation():
    structure = block_structure(chain())
    assert structure.describe() == "1 x 6 + 2 x 4 + 2 x 1"
    assert sum(index.size for index in structure.indices) == structure.dim == 16
    matrix = np.asarray(chain().to_dense())
    for block, index in zip(to_blocks(chain(), structure), structure.indices, strict=True):
        np.testing.assert_allclose(block, [matrix[np.ix_(i, i)] for i in index])
    np.testing.assert_allclose(from_blocks(to_blocks(chain(), structure), structure), matrix)
    np.testing.assert_allclose(from_blocks(take_blocks(jnp.asarray(matrix), structure), structure), matrix)


def test_blocks_come_from_terms_and_never_from_values():
    switched_off = jg.models.transverse_ising_chain(3, 1.0, 0.0)  # no field now, but it could be switched on
    assert block_structure(switched_off) == block_structure(jg.models.transverse_ising_chain(3, 1.0, 0.7))
    curvature = jax.jit(jax.hessian(lambda h: jg.log_partition(jg.models.transverse_ising_chain(3, 1.0, h), 1.0)))
    assert curvature(0.0) > 0.1  # the susceptibility, which blocks found from values would make 0
    structures = [block_structure(jg.models.xxz_chain(4, j, 0.5, field=0.2)) for j in (0.0, 1.0)]
    assert structures[0] == structures[1]
    assert hash(structures[0]) == hash(structures[1])
    assert structures[0] != "blocks"


def test_blocks_of_sums_and_multiples():
    total = Sum((Scaled(2.0, chain()), chain()))
    structure = block_structure(total)
    assert structure == block_structure(chain())
    for block, single in zip(to_blocks(total, structure), to_blocks(chain(), structure), strict=True):
        np.testing.assert_allclose(block, 3 * single, atol=1e-14)
    tilted = TermSum({"x": 1.0}, SparseTerms.from_matrices({"x": np.kron(X, np.eye(8))}))
    assert block_structure(chain() + tilted) is None  # a transverse field on one spin leaves nothing conserved
    assert respects(chain(), structure)
    assert not respects(tilted, structure)
    assert not respects(Dense(chain().to_dense()), structure)  # positions of a dense matrix are values
    for operator in (
        Dense(np.eye(16)),
        chain() + Dense(np.eye(16)),
        tilted + Spectrum(np.arange(16.0)),
    ):
        found = block_structure(operator)
        assert found is None
        (whole,) = to_blocks(operator, found)
        np.testing.assert_allclose(whole, operator.to_dense())


def test_blocks_of_an_operator_whose_terms_are_all_diagonal_are_single_states():
    diagonal = TermSum(
        {"z": [0.3, -1.0]}, SparseTerms.from_matrices({"z": [np.kron(Z, np.eye(2)), np.kron(np.eye(2), Z)]})
    )
    assert block_structure(diagonal).describe() == "4 x 1"
    np.testing.assert_allclose(jg.log_partition(diagonal, 2.0), np.log(4 * np.cosh(0.6) * np.cosh(2.0)), rtol=1e-14)
    np.testing.assert_allclose(np.diag(jg.gibbs_state(diagonal, 2.0).density_matrix()).sum(), 1)


def test_terms_of_the_largest_dimension():
    last = 2**16 - 1
    terms = SparseTerms(2**16, {"edge": 2}, [0, 1, 1], [0, 0, last], [0, last, 0], [1.0, 2.0, 2.0])
    vector = TermSum({"edge": [3.0, 0.5]}, terms).matvec(jnp.zeros(2**16).at[last].set(1.0))
    assert vector[0] == 1
    assert np.count_nonzero(vector) == 1
