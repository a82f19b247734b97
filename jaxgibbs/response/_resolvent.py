"""`(L + i w)^-1` of a generator, by elimination; its derivatives are those of the linear equation."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from jaxgibbs.linalg import unvectorize, vectorize
from jaxgibbs.linalg.general import lu_factor, lu_solve
from jaxgibbs.open_systems import AbstractGenerator, steady_state
from jaxgibbs.open_systems.conserved import LARGEST_DENSE_DIMENSION
from jaxgibbs.open_systems.no_jump import scales

Matrix = Complex[Array, "dim dim"]


def checked_generator(generator: AbstractGenerator) -> None:
    """Raise `ValueError` unless it is a generator of a dimension whose matrix can be eliminated."""
    if not isinstance(generator, AbstractGenerator):
        raise ValueError(f"`generator` must be a generator such as `Lindbladian`, but is `{type(generator).__name__}`.")
    if generator.dim > LARGEST_DENSE_DIMENSION:
        raise ValueError(
            f"`generator` must have a dimension of at most {LARGEST_DENSE_DIMENSION} here, but has {generator.dim}; "
            "transform `steady_correlation`, or reduce the system by its symmetries."
        )


def steady(generator: AbstractGenerator) -> Matrix:
    """The steady state."""
    return steady_state(generator).value


def without_mean(matrix: Matrix, rho: Matrix) -> Matrix:
    """`X - Tr(X) rho`, which decays to 0."""
    return matrix - jnp.trace(matrix) * rho


def one_sided(generator: AbstractGenerator, matrix: Matrix, frequency: Float[Array, ""]) -> Matrix:
    """`int_0^inf e^{iwt} e^{Lt}(X) dt = -(L + i w)^-1 X` of a traceless `X`; at `w = 0` Drazin's inverse.

    A term `s (1/d) Tr` makes the matrix regular at `w = 0`; it does not act on the answer, which is traceless too.
    """
    fixed = jax.lax.stop_gradient(generator)
    dim, dtype = generator.dim, generator.dtype
    rate = scales(fixed).rate
    source = jnp.eye(dim, dtype=dtype) / dim
    now = jax.lax.stop_gradient(frequency)
    shift = rate * jnp.outer(vectorize(source), dim * vectorize(source)) + 1j * now * jnp.eye(dim * dim)
    factors = lu_factor((fixed.to_dense() + shift).astype(dtype))
    apply = generator.linear_map()

    def solution(right_hand_side, transposed):
        return unvectorize(lu_solve(factors, vectorize(right_hand_side), transposed=transposed))

    return -jax.lax.custom_linear_solve(
        lambda x: apply(x) + 1j * frequency * x + rate * source * jnp.trace(x),
        matrix.astype(dtype),
        solve=lambda _, b: solution(b, False),
        transpose_solve=lambda _, b: solution(b, True),
    )
