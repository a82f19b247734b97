"""Gaussian mean forces: an oscillator among oscillators, and sites of free fermions among others, thousands of them."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs._errors import is_concrete
from jaxgibbs.baths import FiniteBath, FiniteLead
from jaxgibbs.baths.base import real_scalar
from jaxgibbs.equilibrium import gibbs_state, log_partition
from jaxgibbs.linalg import Decomposition, decompose, matrix_function
from jaxgibbs.linalg.functions import LOGARITHM
from jaxgibbs.operators import Bosons, QuadraticBosons, QuadraticFermions
from jaxgibbs.operators.base import inexact
from jaxgibbs.operators.local import site_index
from jaxgibbs.operators.quadratic import as_quadratic

from ._inputs import checked_modes, positive_beta
from .damped_oscillator import OscillatorMeanForce

Scalar = Float[Array, ""]


def oscillator_of_modes(
    frequency: ArrayLike, bath: FiniteBath, beta: ArrayLike, *, mass: ArrayLike = 1.0, counter_term: bool = True
) -> OscillatorMeanForce:
    """An oscillator coupled by its position to finitely many, by normal modes: `damped_oscillator` for a finite bath.

    `H = p^2 / 2m + m w^2 x^2 / 2 + x sum_k g_k (b_k + b_k^+) + sum_k w_k b_k^+ b_k`, and `Q x^2` with the counter-term.

    Args:
        frequency: `w`, positive.
        bath: the modes.
        beta: inverse temperature, positive and finite.
        mass: positive.
        counter_term: whether `Q x^2` is added; without it the potential must stay stable.

    Raises:
        ValueError: if a number is out of these ranges; as `NotTraceClass` if a normal mode is unstable (NaN under a trace).
    """
    bath, beta = checked_modes(bath), positive_beta(beta)
    w, m = real_scalar("frequency", frequency, positive=True), real_scalar("mass", mass, positive=True)
    raised = jnp.where(counter_term, bath.reorganisation_energy(), 0) / (2 * m * w)  # of (a + a^+)^2
    side = bath.strengths / jnp.sqrt(2 * m * w)
    size = len(side) + 1
    shared = jnp.zeros((size, size), side.dtype).at[0, 0].set(2 * raised).at[0, 1:].set(side).at[1:, 0].set(side)
    own = jnp.concatenate([w[None].astype(side.dtype), bath.frequencies.astype(side.dtype)])
    state = gibbs_state(QuadraticBosons(shared + jnp.diag(own), shared), beta)
    alone = gibbs_state(Bosons(bath.frequencies), beta)
    zero_point = w / 2 + raised
    number, pairs = state.correlation_matrix()[0, 0].real, state.pairing_matrix()[0, 0].real
    return OscillatorMeanForce(
        beta=beta,
        position_variance=(2 * (number + pairs) + 1) / (2 * m * w),
        momentum_variance=(2 * (number - pairs) + 1) * m * w / 2,
        log_partition=state.log_partition - alone.log_partition - beta * zero_point,
        energy=state.energy - alone.energy + zero_point,
        entropy=state.entropy - alone.entropy,
        heat_capacity=state.heat_capacity - alone.heat_capacity,
    )


class FermionicMeanForce(eqx.Module):
    """Sites of free fermions in equilibrium with all others: `e^{-beta H*} / Z*` with `H* = operator + constant`.

    Attributes:
        beta: inverse temperature.
        correlation_matrix: `C`, `<c_i^dagger c_j>` at `i, j` of the sites.
        operator: the quadratic part of `H*`, `h* = T ln((1 - C) / C)^T` without pairing.
        constant: the energy that makes `Tr e^{-beta H*} = Z / Z_B`.
        log_partition: `ln Z* = ln Z - ln Z_B`.
        energy: `U* = -d ln Z* / d beta`, at a fixed chemical potential, which is counted in.
        entropy: `S* = beta U* + ln Z*`.
        heat_capacity: `C* = beta^2 d^2 ln Z* / d beta^2`.
        error: what rounding makes of the energies of `operator`, estimated; it grows as an occupation nears 0 or 1.
    """

    beta: Scalar
    correlation_matrix: Inexact[Array, "sites sites"]
    operator: QuadraticFermions
    constant: Scalar
    log_partition: Scalar
    energy: Scalar
    entropy: Scalar
    heat_capacity: Scalar
    error: Scalar

    @property
    def free_energy(self) -> Scalar:
        """`F* = -ln Z* / beta`."""
        return -self.log_partition / self.beta


def fermionic_mean_force(hamiltonian, sites: int | Sequence[int], beta: ArrayLike) -> FermionicMeanForce:
    """The mean force of some sites of free fermions, all other sites being their bath.

    Args:
        hamiltonian: `QuadraticFermions`, with or without pairing, or a one-body matrix, shape `(all, all)`; energies are those
            above the chemical potential. `coupled_to_leads` makes one.
        sites: those of the system, static.
        beta: inverse temperature, positive and finite.

    Raises:
        ValueError: if a site does not exist, none is left for the bath, or an occupation is 0 or 1 to rounding, so that its energy
            is unknown (NaN under a trace).

    Example:
        >>> import jaxgibbs as jg
        >>> chain = jg.models.tight_binding(3, [(0, 1), (1, 2)], hopping=0.5)
        >>> answer = jg.strong_coupling.fermionic_mean_force(chain, [1], beta=2.0)
        >>> print(f"{answer.log_partition:.6f}")  # ln 2 cosh^2(1 / sqrt 2)
        1.156310

    Reference: Peschel, J. Phys. A 36, L205 (2003); Jarzynski, Phys. Rev. X 7, 011008 (2017).
    """
    whole, beta = as_quadratic(hamiltonian, QuadraticFermions), positive_beta(beta)
    inside = np.array([site_index(site, whole.dim) for site in np.atleast_1d(sites)])
    outside = np.setdiff1d(np.arange(whole.dim), inside)
    if len(set(inside.tolist())) < len(inside) or not (len(inside) and len(outside)):
        raise ValueError(
            f"`sites` must be different sites, and not all {whole.dim} of them: the rest is the bath; they are {inside.tolist()}."
        )
    doubled = whole.nambu().to_dense() if whole.paired else None
    state = gibbs_state(whole, beta)
    alone = gibbs_state(_part(whole, doubled, outside), beta)
    correlations = state.correlation_matrix()[np.ix_(inside, inside)]
    occupied = correlations.T
    if whole.paired:
        pairs = state.pairing_matrix()[np.ix_(inside, inside)].T
        one = jnp.eye(len(inside), dtype=occupied.dtype)
        occupied = jnp.block([[occupied, pairs], [pairs.conj().T, one - correlations]])
    exponent, error = _log_odds(occupied, whole.dim)
    n, levels = len(inside), exponent / beta
    operator = QuadraticFermions(levels[:n, :n], levels[:n, n:]) if whole.paired else QuadraticFermions(levels)
    value = state.log_partition - alone.log_partition
    return FermionicMeanForce(
        beta=beta,
        correlation_matrix=correlations,
        operator=operator,
        constant=(log_partition(operator, beta) - value) / beta,
        log_partition=value,
        energy=state.energy - alone.energy,
        entropy=state.entropy - alone.entropy,
        heat_capacity=state.heat_capacity - alone.heat_capacity,
        error=error / beta,
    )


def coupled_to_leads(
    one_body: Inexact[Array, "sites sites"],
    leads: Sequence[tuple[int, FiniteLead]],
    chemical_potential: ArrayLike = 0.0,
) -> Inexact[Array, "all all"]:
    """The one-body matrix, less the chemical potential, of sites with leads coupled to some of them; the sites come first.

    Args:
        one_body: of the sites, Hermitian.
        leads: pairs of a site and the lead coupled to it.
        chemical_potential: of all.
    """
    system = inexact(one_body)
    size = len(system) + sum(len(lead.energies) for _, lead in leads)
    dtype = jnp.result_type(system, *(lead.amplitudes for _, lead in leads))
    whole = jnp.zeros((size, size), dtype).at[: len(system), : len(system)].set(system.astype(dtype))
    start = len(system)
    for site, lead in leads:
        site, places = site_index(site, len(system)), np.arange(start, start + len(lead.energies))
        amplitudes = lead.amplitudes.astype(dtype)
        whole = whole.at[places, places].set(lead.energies.astype(dtype))
        whole = whole.at[site, places].set(amplitudes).at[places, site].set(amplitudes)
        start += len(places)
    return whole - jnp.asarray(chemical_potential, dtype) * jnp.eye(size, dtype=dtype)


def _part(whole, doubled, sites) -> QuadraticFermions:
    if doubled is None:
        return QuadraticFermions(whole.one_body()[np.ix_(sites, sites)])
    return QuadraticFermions(doubled[np.ix_(sites, sites)], doubled[np.ix_(sites, sites + whole.dim)])


def _log_odds(occupied: Inexact[Array, "dim dim"], summands: int):
    """`ln((1 - n) / n)` and its rounding error."""
    d = decompose(occupied)
    rounding = summands * jnp.finfo(d.eigenvalues.dtype).eps
    lowest = jnp.minimum(d.eigenvalues[0], 1 - d.eigenvalues[-1])
    allowed = lowest > rounding
    if is_concrete(allowed) and not allowed:
        raise ValueError(
            f"The occupations of `sites` must differ from 0 and 1 by more than rounding, {float(rounding):.1g}, for `H*` to be "
            f"known, but one does by {float(lowest):.1g}; raise the temperature or pass double precision."
        )
    nodes = jnp.where(allowed, d.eigenvalues, jnp.nan)
    empty = Decomposition(jnp.eye(d.dim, dtype=occupied.dtype) - d.matrix, 1 - nodes, d.vectors)
    odds = matrix_function(LOGARITHM, empty) - matrix_function(LOGARITHM, Decomposition(d.matrix, nodes, d.vectors))
    return odds, rounding / jnp.where(allowed, lowest, jnp.nan)
