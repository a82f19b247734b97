"""Energy and entropy accounted for along a trajectory: the first and the second law, integrated."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxgibbs._solution import Solution
from jaxgibbs.equilibrium import Auto
from jaxgibbs.information import von_neumann_entropy
from jaxgibbs.open_systems import AbstractGenerator
from jaxgibbs.operators import AbstractOperator
from jaxgibbs.operators.base import inexact

from .currents import energy, heat_currents, work_current
from .entropy_production import check_references, entropy_production
from .evolve import Generator, checked_times, evolve, generator_at
from .methods import AbstractEvolution

_STRETCH = 4  # the first interval is integrated in `u`, `t = h u^4`, in which `ln t` does no harm


class Balance(eqx.Module):
    """Energy and entropy along a trajectory, one entry a time; what flows is positive into the system.

    Attributes:
        betas: inverse temperature of each bath.
        times: when.
        states: the states.
        energy: `U = Tr(H rho)`.
        entropy: `S`, in nats.
        free_energy: `U - S / beta_a` for each bath; what is left of it above the Gibbs state can be work.
        heat_currents: from each bath.
        power: of the drive.
        entropy_production_rates: of each bath; `+inf` where a bath leads out of the support of the state.
        heat: from each bath since the first time.
        work: since the first time.
        entropy_production: of each bath since the first time.
    """

    betas: Float[Array, " baths"]
    times: Float[Array, " times"]
    states: Complex[Array, "times dim dim"]
    energy: Float[Array, " times"]
    entropy: Float[Array, " times"]
    free_energy: Float[Array, "times baths"]
    heat_currents: Float[Array, "times baths"]
    power: Float[Array, " times"]
    entropy_production_rates: Float[Array, "times baths"]
    heat: Float[Array, "times baths"]
    work: Float[Array, " times"]
    entropy_production: Float[Array, "times baths"]

    @property
    def first_law_defect(self) -> Float[Array, " times"]:
        """`U(t) - U(0) - W - sum_a Q_a`: the error of the integrals and of the solver."""
        return self.energy - self.energy[0] - self.work - jnp.sum(self.heat, axis=1)

    @property
    def second_law_defect(self) -> Float[Array, " times"]:
        """`S(t) - S(0) - sum_a beta_a Q_a - sum_a Sigma_a`, likewise."""
        reversible = jnp.sum(self.heat * self.betas, axis=1)
        return self.entropy - self.entropy[0] - reversible - jnp.sum(self.entropy_production, axis=1)


def thermodynamic_balance(
    generator: Generator,
    rho: ArrayLike,
    times: ArrayLike,
    betas: ArrayLike,
    *,
    hamiltonian: Any = None,
    nodes: int = 8,
    method: AbstractEvolution | Auto = Auto(),
    throw: bool = True,
) -> Solution:
    """Evolve a state and account for its energy and entropy.

    Between two times the currents are integrated by Gauss and Legendre's rule, exact for polynomials of degree
    `2 nodes - 1`. The first interval is stretched, so that the logarithm with which entropy production diverges at a state
    without full rank is integrated too.

    Args:
        generator: a generator, or a function of time that returns one; see `evolve`.
        rho: the state at the first time, shape `(dim, dim)`.
        times: ascending, shape `(times,)`.
        betas: inverse temperatures, one for each of `generator.baths` or one for all.
        hamiltonian: what counts as energy, or a function of time that returns it; that of the generator if not given.
        nodes: points between two times at which the currents are evaluated.
        method: as for `evolve`.
        throw: whether a numerical failure raises.

    Returns:
        `Solution` with a `Balance` as `value`; `error`, `result` and `stats` are those of `evolve` at the times.

    Raises:
        ValueError: as `evolve` and `entropy_production`, or if `nodes` is not positive.
        RuntimeError: on a numerical failure.
    """
    times = checked_times(times)
    if not isinstance(nodes, int) or nodes < 1:
        raise ValueError(f"`nodes` must be a positive whole number, but is {nodes!r}.")
    now = generator_at(generator, times[0])
    betas = inexact(betas)
    if betas.shape not in {(), (len(now.baths),)}:
        raise ValueError(
            f"`betas` must be a scalar or one inverse temperature for each of the {len(now.baths)} baths, "
            f"but have shape {betas.shape}."
        )
    check_references("betas", betas)
    constant = isinstance(generator, AbstractGenerator) and not _is_function(hamiltonian)
    generator = now.prepared() if isinstance(generator, AbstractGenerator) else generator
    fine, weights = _quadrature(times, nodes)
    solution = evolve(generator, rho, fine, method=method, throw=throw)
    along = _along_constant if constant else _along
    value = along(generator, hamiltonian, betas, fine, weights, solution.value)
    return Solution(value, solution.error[:: nodes + 1], solution.result, solution.stats)


@functools.partial(jax.jit, static_argnums=1)
def _quadrature(times, nodes: int):
    """The times with the points of the rule between them, and the weights of these points, shape `(times - 1, nodes)`."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    x, w = (x + 1) / 2, w / 2
    stretched = np.arange(max(len(times) - 1, 0))[:, None] == 0
    places = np.where(stretched, x**_STRETCH, x)
    weights = np.where(stretched, w * _STRETCH * x ** (_STRETCH - 1), w)
    steps = jnp.diff(times)[:, None]
    between = times[:-1, None] + steps * jnp.asarray(places, times.dtype)
    fine = jnp.concatenate([jnp.concatenate([times[:-1, None], between], axis=1).ravel(), times[-1:]])
    return fine, steps * jnp.asarray(weights, times.dtype)


def _integrated(flows, weights, nodes: int):
    """The integral of what flows up to each time; values at the times themselves, which may be infinite, are not used."""
    tail = flows.shape[1:]
    inside = flows[:-1].reshape(len(weights), nodes + 1, *tail)[:, 1:]
    parts = jnp.einsum("tn,tn...->t...", weights, inside, precision="highest")
    return jnp.concatenate([jnp.zeros((1, *tail), parts.dtype), jnp.cumsum(parts, axis=0)])


def _along(generator, hamiltonian, betas, times, weights, states) -> Balance:
    """What flows at all times, and its integrals; energy and entropy at those between which it is integrated."""
    nodes = weights.shape[1]
    at_times = slice(None, None, nodes + 1)

    def content(t, state):
        return energy(generator_at(generator, t), state, _at(hamiltonian, t)), von_neumann_entropy(state)

    @jax.jit
    def read(betas, times, weights, states):
        flows = jax.vmap(lambda t, state: _readings(generator, hamiltonian, betas, t, state))(times, states)
        internal, entropy = jax.vmap(content)(times[at_times], states[at_times])
        heats, power, production = (x[at_times] for x in flows)
        heat, work, produced = (_integrated(x, weights, nodes) for x in flows)
        betas = jnp.broadcast_to(betas, heats.shape[1:]).astype(internal.dtype)
        free = internal[:, None] - entropy[:, None] / betas
        return Balance(
            betas=betas,
            times=times[at_times],
            states=states[at_times],
            energy=internal,
            entropy=entropy,
            free_energy=free,
            heat_currents=heats,
            power=power,
            entropy_production_rates=production,
            heat=heat,
            work=work,
            entropy_production=produced,
        )

    return read(betas, times, weights, states)


_along_constant = eqx.filter_jit(_along)  # a function of time may hold traced values: it is no key of a cache


def _readings(generator, hamiltonian, betas, t, state):
    now, counted = generator_at(generator, t), _at(hamiltonian, t)
    moving = generator if not isinstance(generator, AbstractGenerator) else None
    power = jnp.zeros((), state.real.dtype)
    if moving is not None:
        power = work_current(moving, state, t, hamiltonian if hamiltonian is None else lambda s: _at(hamiltonian, s))
    return (
        heat_currents(now, state, counted),
        power.astype(state.real.dtype),
        entropy_production(now, state, betas, counted),
    )


def _at(hamiltonian, t):
    """What counts as energy at one time; an operator that does not change is itself."""
    return hamiltonian(t) if _is_function(hamiltonian) else hamiltonian


def _is_function(hamiltonian) -> bool:
    return callable(hamiltonian) and not isinstance(hamiltonian, AbstractOperator)
