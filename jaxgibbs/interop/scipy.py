"""scipy.sparse: Hermitian matrices both ways, without a dense one in between."""

from jaxgibbs.operators import AbstractOperator, TermSum
from jaxgibbs.operators.terms import AbstractTermSum, SparseTerms


def from_scipy(matrix) -> TermSum:
    """An operator of one term, with the coupling `scale = 1`; its matrix elements are structure, not leaves.

    Args:
        matrix: any scipy.sparse matrix or array, Hermitian.

    Raises:
        ValueError: if it is not sparse, square and Hermitian.
    """
    if not hasattr(matrix, "tocoo"):
        raise ValueError(
            f"`matrix` must be a scipy.sparse matrix, but is a `{type(matrix).__name__}`; dense arrays need no conversion."
        )
    return TermSum({"scale": 1.0}, SparseTerms.from_matrices({"scale": matrix}))


def to_scipy(operator: AbstractOperator):
    """A `scipy.sparse.csr_array` of the couplings' values.

    Args:
        operator: a sum of terms (`PauliSum`, `LocalSum`, `TermSum`: all models of spins, fermions and bosons on lattices) is
            never made dense; any other operator is.

    Raises:
        ValueError: if the couplings are traced or the dimension is above 2^14.
    """
    import numpy as np
    import scipy.sparse

    if isinstance(operator, AbstractTermSum):
        return operator.to_sparse()
    return scipy.sparse.csr_array(np.asarray(operator.to_dense()))
