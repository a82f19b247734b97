"""The Hamiltonian of mean force: what a system in equilibrium with its bath, at any coupling, seems to be a Gibbs state of."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs._errors import is_concrete
from jaxgibbs.equilibrium import Exact, GibbsState, gibbs_state
from jaxgibbs.linalg import Decomposition, decompose, matrix_function
from jaxgibbs.linalg.functions import LOGARITHM
from jaxgibbs.operators import as_operator

from ._inputs import positive_beta

Scalar = Float[Array, ""]


class MeanForce(eqx.Module):
    """A system in equilibrium with its bath: its state `rho_S = e^{-beta H*} / Z*` and its thermodynamic functions.

    They are differences of those of the whole and those of the bath alone. `entropy` and `heat_capacity` may be negative:
    the system then takes states away from the bath. `entropy` is not the von Neumann entropy of `reduced_state`.

    Attributes:
        beta: inverse temperature.
        reduced_state: `rho_S = Tr_B rho`, shape `(dim, dim)`.
        hamiltonian: `H*`, with the constant that makes `Tr e^{-beta H*} = Z / Z_B`.
        log_partition: `ln Z* = ln Z - ln Z_B`.
        energy: `U* = -d ln Z* / d beta = <H> - <H_B>_0`.
        entropy: `S* = beta (U* - F*) = S(rho) - S(rho_B)`.
        heat_capacity: `C* = beta^2 d^2 ln Z* / d beta^2`, at couplings that do not depend on `beta`.
        error: what rounding makes of the eigenvalues of `hamiltonian`, estimated: `d_S d_B eps max(p) / (beta min(p))`, with
            `p` the populations of `reduced_state`. It grows as `e^{beta width}`.
    """

    beta: Scalar
    reduced_state: Inexact[Array, "dim dim"]
    hamiltonian: Inexact[Array, "dim dim"]
    log_partition: Scalar
    energy: Scalar
    entropy: Scalar
    heat_capacity: Scalar
    error: Scalar

    @property
    def free_energy(self) -> Scalar:
        """`F* = -ln Z* / beta`."""
        return -self.log_partition / self.beta


def mean_force(hamiltonian, bath_hamiltonian, beta: ArrayLike) -> MeanForce:
    """The Hamiltonian of mean force of a system coupled to a finite bath.

        e^{-beta H*} = Tr_B e^{-beta H} / Z_B,      Z_B = Tr e^{-beta H_B}.

    `H` is decomposed: about four matrices of `(d_S d_B)^2` numbers. Larger baths are for `sampled_mean_force`.

    Args:
        hamiltonian: `H` of system and bath, of dimension `d_S d_B`, the system the left factor; an operator or a matrix.
        bath_hamiltonian: `H_B` of the bath alone, of dimension `d_B`, in the same unit.
        beta: inverse temperature, positive and finite (1 / energy).

    Returns:
        `MeanForce`. Under a trace its `hamiltonian` is NaN where rounding hides a population of the state.

    Raises:
        ValueError: if the dimensions do not divide, a matrix is not Hermitian, `beta` is not positive and finite, or the
            reduced state is singular to rounding, so that its logarithm is unknown.

    Reference: Kirkwood, J. Chem. Phys. 3, 300 (1935); Campisi, Talkner & Haenggi, Phys. Rev. Lett. 102, 210401 (2009).
    """
    whole, bath, beta = as_operator(hamiltonian), as_operator(bath_hamiltonian), positive_beta(beta)
    checked_dimensions(whole.dim, bath.dim)
    state = gibbs_state(whole, beta, method=Exact())
    reduced = state.reduced((whole.dim // bath.dim, bath.dim), 0)
    return between(state, gibbs_state(bath, beta, method=Exact()), reduced, whole.dim)


def checked_dimensions(whole: int, bath: int) -> None:
    """Raise `ValueError` unless the space of the whole is a product with that of the bath."""
    if whole % bath != 0:
        raise ValueError(
            f"`hamiltonian` must have a multiple of the dimension {bath} of `bath_hamiltonian`, but has dimension "
            f"{whole}; pass the Hamiltonian of system and bath together."
        )


def between(state: GibbsState, alone: GibbsState, reduced: Inexact[Array, "dim dim"], summands: int) -> MeanForce:
    """The difference of the whole and of the bath, whose reduced state is a sum of so many numbers."""
    beta, log_partition = state.beta, state.log_partition - alone.log_partition
    logarithm, error = _logarithm(reduced, summands)
    identity = jnp.eye(reduced.shape[0], dtype=logarithm.dtype)
    return MeanForce(
        beta=beta,
        reduced_state=reduced,
        hamiltonian=-(logarithm + log_partition * identity) / beta,
        log_partition=log_partition,
        energy=state.energy - alone.energy,
        entropy=state.entropy - alone.entropy,
        heat_capacity=state.heat_capacity - alone.heat_capacity,
        error=error / beta,
    )


def singular_state(lowest: Scalar, rounding: Scalar) -> ValueError:
    """What to say of a reduced state whose logarithm is unknown."""
    return ValueError(
        f"The reduced state of `hamiltonian` must have populations above rounding, {float(rounding):.1g}, for `H*` to be "
        f"known, but the lowest is {float(lowest):.1g}; raise the temperature, pass double precision, or leave out "
        "levels of the system that are not populated."
    )


def of_fixed(hamiltonian: Inexact[Array, "dim dim"], beta: ArrayLike) -> MeanForce:
    """A Hamiltonian of mean force that does not depend on the temperature: everything is as of the system alone."""
    beta = positive_beta(beta)
    state = gibbs_state(hamiltonian, beta, method=Exact())
    return MeanForce(
        beta=beta,
        reduced_state=state.density_matrix(),
        hamiltonian=hamiltonian,
        log_partition=state.log_partition,
        energy=state.energy,
        entropy=state.entropy,
        heat_capacity=state.heat_capacity,
        error=jnp.zeros_like(state.energy),
    )


def _logarithm(state: Inexact[Array, "dim dim"], summands: int):
    """`ln rho` and its rounding error, which is that of the smallest population relative to itself."""
    d = decompose(state)
    lowest, highest = d.eigenvalues[0], d.eigenvalues[-1]
    rounding = summands * jnp.finfo(lowest.dtype).eps * highest
    allowed = lowest > rounding
    if is_concrete(allowed) and not allowed:
        raise singular_state(lowest, rounding)
    nodes = jnp.where(allowed, d.eigenvalues, jnp.nan)
    return matrix_function(LOGARITHM, Decomposition(d.matrix, nodes, d.vectors)), rounding / jnp.where(
        allowed, lowest, jnp.nan
    )
