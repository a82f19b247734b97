"""What every function of this area asks of its arguments."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.baths import FiniteBath
from jaxgibbs.equilibrium.state import checked_beta
from jaxgibbs.operators.dense import checked_matrix, hermitian_or_nan


def positive_beta(beta: ArrayLike) -> Float[Array, ""]:
    """`beta` as a floating scalar, NaN under a trace where it is not positive and finite."""
    beta = checked_beta(beta)
    allowed = (beta > 0) & jnp.isfinite(beta)
    if is_concrete(allowed) and not allowed:
        raise ValueError(
            f"`beta` must be positive and finite, but is {float(beta)}; at low temperature pass a large number: "
            "`H*` is defined by a ratio that has no logarithm at infinite `beta`."
        )
    return nan_unless(allowed, beta)


def checked_pair(hamiltonian, coupling):
    """Both as Hermitian matrices of one shape, NaN under a trace where they are not."""
    system, x = checked_matrix("hamiltonian", hamiltonian), checked_matrix("coupling", coupling)
    if system.shape != x.shape:
        raise ValueError(f"`coupling` must have the shape {system.shape} of `hamiltonian`, but has shape {x.shape}.")
    return hermitian_or_nan(system), hermitian_or_nan(x)


def checked_modes(bath) -> FiniteBath:
    """A bath of finitely many modes."""
    if not isinstance(bath, FiniteBath):
        raise ValueError(
            f"`bath` must be a `FiniteBath`, but is a `{type(bath).__name__}`; `baths.finite_bath` makes one of a continuum."
        )
    return bath
