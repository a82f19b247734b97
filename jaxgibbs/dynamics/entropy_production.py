"""The second law: entropy production of each bath, not negative and infinite where it is infinite."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete
from jaxgibbs.information.entropies import entropy_flow
from jaxgibbs.information.states import checked_state, real_trace
from jaxgibbs.linalg import log
from jaxgibbs.open_systems import AbstractGenerator
from jaxgibbs.operators.base import inexact

from .currents import heat_currents
from .evolve import checked_initial


def entropy_rate(generator: AbstractGenerator, rho: ArrayLike) -> Float[Array, ""]:
    """`dS/dt = -Tr[L(rho) ln rho]`, `+inf` where the generator leads out of the support of `rho`.

    Args:
        generator: of the dynamics.
        rho: the state, shape `(dim, dim)`.

    Raises:
        ValueError: if `rho` is not a state of the space of the generator (NaN under a trace).
    """
    rho = checked_initial(rho, generator)
    return _whole_flow(generator, checked_state("rho", rho))


@eqx.filter_jit
def _whole_flow(generator: AbstractGenerator, state):
    return _flow(generator, state, None)


def entropy_production(
    generator: AbstractGenerator, rho: ArrayLike, references: ArrayLike, hamiltonian: Any = None
) -> Float[Array, " baths"]:
    """The entropy that each bath produces per unit of time; their sum is the whole.

        Pi_a = -Tr[D_a(rho) (ln rho - ln sigma_a)],      D_a(sigma_a) = 0

    With a Gibbs state `sigma_a` this is Clausius' `-Tr[D_a(rho) ln rho] - beta_a dQ_a/dt`. Spohn's inequality `Pi_a >= 0` needs
    `sigma_a` to be stationary under the bath alone and to commute with `H`: with another one the answer is what the formula says.
    It is `+inf` where a bath leads out of the support of `rho`, an integrable divergence. Nothing is lost to underflow at low
    temperatures, since `ln sigma_a` is `-beta_a H`.

    Args:
        generator: its baths are the labels given to its jump operators.
        rho: the state, shape `(dim, dim)`.
        references: inverse temperatures, one for each of `generator.baths` or one for all; or states of full rank, shape
            `(baths, dim, dim)` or `(dim, dim)`.
        hamiltonian: what counts as energy, with inverse temperatures; that of the generator if not given.

    Raises:
        ValueError: if `rho` is not a state, a reference is NaN, or there are not as many as baths.

    Reference: Spohn, J. Math. Phys. 19, 1227 (1978), eq. 2.7.
    """
    rho = checked_initial(rho, generator)
    references = inexact(references)
    count, dim = len(generator.baths), generator.dim
    shapes = {(), (count,), (dim, dim), (count, dim, dim)}
    if references.shape not in shapes:
        raise ValueError(
            f"`references` must be a scalar, one inverse temperature for each of the {count} baths, or states of shape "
            f"{(dim, dim)} or {(count, dim, dim)}, but have shape {references.shape}."
        )
    check_references("references", references)
    state = checked_state("rho", rho)
    flows = _flows(generator, state)
    if references.ndim <= 1:
        return flows - _clausius(references, heat_currents(generator, rho, hamiltonian))
    states = jnp.broadcast_to(references, (count, dim, dim))
    return flows + jnp.stack(
        [_against(generator.dissipator(rho, bath), states[k]) for k, bath in enumerate(generator.baths)]
    )


def check_references(name: str, values) -> None:
    """Raise `ValueError` if a concrete one is NaN; inverse temperatures may be infinite."""
    if is_concrete(values) and np.any(np.isnan(np.asarray(values))):
        raise ValueError(f"`{name}` must be numbers, but there is a NaN among them.")


@eqx.filter_jit
def _flows(generator: AbstractGenerator, state):
    flows = [_flow(generator, state, bath) for bath in generator.baths]
    return jnp.stack(flows) if flows else jnp.zeros(0, state.matrix.real.dtype)


def _clausius(betas, heats):
    """`beta_a dQ_a / dt`; nothing at `beta = inf` where no heat flows."""
    still = (heats == 0) & jnp.isinf(betas)
    return jnp.where(still, 0, betas).astype(heats.dtype) * heats


def _against(change, sigma):
    """`Tr(D_a(rho) ln sigma_a)`."""
    return real_trace(change, log(sigma))


def _flow(generator: AbstractGenerator, state, bath):
    """`-Tr(D_a(rho) ln rho)`; the unitary part changes no entropy."""
    change = generator.dissipator(state.matrix, bath)
    arrivals = generator.jump_map(bath)(state.matrix)
    scale = jnp.max(jnp.abs(generator.decay_matrix(bath)))
    return entropy_flow(state, change, arrivals, scale)
