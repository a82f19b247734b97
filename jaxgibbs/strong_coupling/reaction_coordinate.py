"""The reaction coordinate: the one combination of the bath's oscillators that the system feels, and the bath of that."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgibbs.baths import FiniteBath
from jaxgibbs.linalg.lanczos import Tridiagonal
from jaxgibbs.linalg.orthogonal_polynomials import gauss_rule, recurrence

from ._inputs import checked_modes

Scalar = Float[Array, ""]


class ReactionCoordinate(eqx.Module):
    """`X strength (a + a^+) + frequency a^+ a + (a + a^+) sum_j h_j (b_j + b_j^+) + sum_j v_j b_j^+ b_j`.

    Attributes:
        strength: of the coupling to the system.
        frequency: of the coordinate alone, the residual bath at rest.
        residual: `v_j` and `h_j`, one mode less than the bath had.
        relaxed_frequency: of the coordinate with a residual bath that follows at once; with it alone the reorganisation
            energy is that of the bath.
        share: of the reorganisation energy of the bath that the coordinate at rest carries, at most 1: near 1 it can do
            without its residual bath.
    """

    strength: Scalar
    frequency: Scalar
    residual: FiniteBath
    relaxed_frequency: Scalar
    share: Scalar


def reaction_coordinate(bath: FiniteBath) -> ReactionCoordinate:
    """The mapping of a bath of oscillators to one that is coupled to the system, and the rest, coupled to that one.

    With positions `x_k` and couplings `c_k = g_k sqrt(2 w_k)`: `q = sum_k c_k x_k / D`, `D^2 = sum_k c_k^2`, `frequency^2 =
    sum_k c_k^2 w_k^2 / D^2` and `strength = D / sqrt(2 frequency)`. It is exact; an approximation begins where the residual bath
    is left out or treated to second order.

    Args:
        bath: of at least two modes; `baths.finite_bath` makes one of a continuum.

    Raises:
        ValueError: for a continuum, or a single mode, which is its own reaction coordinate.

    Reference: Garg, Onuchic & Ambegaokar, J. Chem. Phys. 83, 4491 (1985); Iles-Smith, Lambert & Nazir, Phys. Rev. A 90, 032114
    (2014).
    """
    bath = checked_modes(bath)
    w, g = bath.frequencies, bath.strengths
    if len(w) < 2:
        raise ValueError("`bath` must have at least two modes, but has one: it is its own reaction coordinate.")
    row = recurrence(w**2, 2 * w * g**2, len(w))
    square, distance = row.diagonal[0], row.norm
    rest = Tridiagonal(row.diagonal[1:], row.off_diagonal[1:], row.off_diagonal[0])
    squares, masses = gauss_rule(rest)
    frequency, others = jnp.sqrt(square), jnp.sqrt(squares)
    relaxed = distance**2 / (2 * bath.reorganisation_energy())
    return ReactionCoordinate(
        strength=distance / jnp.sqrt(2 * frequency),
        frequency=frequency,
        residual=FiniteBath(others, jnp.sqrt(masses / (4 * frequency * others))),
        relaxed_frequency=jnp.sqrt(relaxed),
        share=relaxed / square,
    )
