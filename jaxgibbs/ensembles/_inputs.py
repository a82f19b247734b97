"""What every function of this folder asks of a Hamiltonian and of a real number."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.linalg import decompose
from jaxgibbs.linalg.hermitian import single_levels
from jaxgibbs.operators import AbstractOperator, Spectrum, as_operator, simplify
from jaxgibbs.operators.base import real_scalar

Scalar = Float[Array, ""]


def finite_operator(hamiltonian) -> AbstractOperator:
    """The Hamiltonian as an operator of finitely many levels."""
    operator = simplify(as_operator(hamiltonian))
    if isinstance(operator, Spectrum) and operator.tail is not None:
        raise ValueError(
            "`hamiltonian` must have finitely many levels, but is a `Spectrum` with a tail; "
            "pass `Spectrum(levels, log_degeneracies)` with all levels that the energies asked for reach."
        )
    return operator


def levels_of(operator: AbstractOperator) -> tuple[Float[Array, " levels"], Float[Array, " levels"]]:
    """The levels of a `finite_operator` and the logarithms of their degeneracies."""
    if isinstance(operator, Spectrum):
        return operator.levels, operator.log_degeneracies
    levels = single_levels(decompose(operator.to_dense(), eigenvectors=False))
    return levels, jnp.zeros_like(levels)


def positive_scalar(name: str, value: ArrayLike, dtype) -> Scalar:
    """The same, above 0; NaN under a trace where it is not."""
    array = real_scalar(name, value, dtype)
    if is_concrete(array) and not np.asarray(array) > 0:
        raise ValueError(f"`{name}` must be positive, but is {float(array):.6g}; pass a width in units of energy.")
    return nan_unless(array > 0, array)
