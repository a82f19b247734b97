"""How far apart two states are."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from jaxgibbs.linalg import Decomposition, dagger, decompose, matmul, matrix_function
from jaxgibbs.linalg.functions import ABSOLUTE, SQUARE_ROOT

from .states import checked_state, checked_trace

Scalar = Float[Array, ""]


def trace_distance(rho: Inexact[Array, "dim dim"], sigma: Inexact[Array, "dim dim"]) -> Scalar:
    """`T = Tr|rho - sigma| / 2`, from 0 to 1: the largest difference of the probabilities of any event.

    The derivative is `Tr[sign(rho - sigma) d rho] / 2`, with `sign(0) = 0`: where an eigenvalue of the difference vanishes it
    is the middle of the possible ones.

    Args:
        rho: a density matrix, shape `(dim, dim)`; eigenvalues that a solver left below 0 may stay.
        sigma: a density matrix of the same shape.

    Raises:
        ValueError: if a matrix is not Hermitian or not of trace 1 (NaN under a trace), or their shapes differ.
    """
    rho, sigma = checked_trace("rho", rho), checked_trace("sigma", sigma)
    _check_shapes(rho, sigma)
    return _trace_norm(rho - sigma) / 2


def fidelity(rho: Inexact[Array, "dim dim"], sigma: Inexact[Array, "dim dim"]) -> Scalar:
    """`F = (Tr|sqrt(rho) sqrt(sigma)|)^2`, from 0 to 1; `|<a|b>|^2` of pure states.

    Derivatives in a state need it of full rank: NaN or infinite elsewhere.

    Args:
        rho: a density matrix, shape `(dim, dim)`.
        sigma: a density matrix of the same shape.

    Raises:
        ValueError: if a state is not Hermitian, positive semidefinite and of trace 1 (NaN under a trace), or their shapes differ.

    Reference: Uhlmann, Rep. Math. Phys. 9, 273 (1976).
    """
    a, b = checked_state("rho", rho), checked_state("sigma", sigma)
    _check_shapes(a.matrix, b.matrix)
    dtype = jnp.result_type(a.matrix, b.matrix)
    product = matmul(_root(a).astype(dtype), _root(b).astype(dtype))
    zero = jnp.zeros_like(product)
    # singular values are eigenvalues of this, and keep the accuracy that those of `product product^dagger` lose
    dilated = jnp.block([[zero, product], [dagger(product), zero]])
    return (_trace_norm(dilated) / 2) ** 2


def bures_distance(rho: Inexact[Array, "dim dim"], sigma: Inexact[Array, "dim dim"]) -> Scalar:
    """`B = sqrt(2 - 2 sqrt(F))` with the `fidelity` F, from 0 to sqrt 2; between neighbours `B^2 = J dt^2 / 4`.

    `J` is the `quantum_fisher_information`, which is what to ask for very close states: distances below about `sqrt(eps)` are
    rounding here. The derivative is 0 where the distance is 0, the middle of the possible ones; else as for `fidelity`.

    Args:
        rho: a density matrix, shape `(dim, dim)`.
        sigma: a density matrix of the same shape.

    Raises:
        ValueError: as `fidelity`.

    Reference: Bures, Trans. Am. Math. Soc. 135, 199 (1969); Braunstein & Caves, Phys. Rev. Lett. 72, 3439 (1994).
    """
    f = fidelity(rho, sigma)
    square = 2 - 2 * jnp.sqrt(jnp.where(f > 0, f, 1))
    apart = square > 0
    distance = jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1)), 0)
    return jnp.where(f > 0, distance, jnp.sqrt(2 - 0 * f))


def _root(state: Decomposition):
    nodes = jnp.maximum(state.eigenvalues, 0)
    return matrix_function(SQUARE_ROOT, Decomposition(state.matrix, nodes, state.eigenvectors))


def _trace_norm(matrix):
    return jnp.trace(matrix_function(ABSOLUTE, decompose(matrix))).real


def _check_shapes(rho, sigma):
    if rho.shape != sigma.shape:
        raise ValueError(f"`sigma` must have the shape {rho.shape} of `rho`, but has shape {sigma.shape}.")
