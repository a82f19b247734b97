"""Energy and where it flows: heat from each bath and work, positive into the system."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs.information import von_neumann_entropy
from jaxgibbs.information.states import real_trace
from jaxgibbs.open_systems import AbstractGenerator
from jaxgibbs.operators import as_operator
from jaxgibbs.operators.base import inexact

from .evolve import checked_initial

Scalar = Float[Array, ""]


def energy(generator: AbstractGenerator, rho: ArrayLike, hamiltonian: Any = None) -> Scalar:
    """The energy `U = Tr(H rho)`.

    Args:
        generator: gives `H` where `hamiltonian` is not given, without Lamb shifts and coherent terms of the baths.
        rho: the state, shape `(dim, dim)`.
        hamiltonian: an operator or a Hermitian matrix, what is counted as energy instead.
    """
    state = checked_initial(rho, generator)
    return real_trace(energy_operator(generator, hamiltonian), state)


def heat_currents(generator: AbstractGenerator, rho: ArrayLike, hamiltonian: Any = None) -> Float[Array, " baths"]:
    """The heat from each bath into the system, per unit of time: `dQ_a / dt = Tr(H D_a(rho))`.

    Local jump operators, of the parts `H_0` of a system whose coupling the baths do not see, leave two heats to choose from. With
    `H_0` each bath obeys the second law, but the heats do not add up to the change of the energy; with the whole `H` they do, but
    may flow from cold to hot: what lacks is the work of the couplings to the baths.

    Args:
        generator: its baths are the labels given to its jump operators.
        rho: the state, shape `(dim, dim)`.
        hamiltonian: an operator or a Hermitian matrix, what is counted as energy; that of the generator if not given.

    Returns:
        One for each of `generator.baths`, in that order.

    References: Alicki, J. Phys. A 12, L103 (1979); Levy & Kosloff, EPL 107, 20004 (2014); De Chiara et al., New J. Phys. 20,
        113024 (2018).
    """
    rho = checked_initial(rho, generator)
    matrix = energy_operator(generator, hamiltonian)
    return _heats(generator, rho, matrix)


@eqx.filter_jit
def _heats(generator, rho, matrix):
    heats = [real_trace(matrix, generator.dissipator(rho, bath)) for bath in generator.baths]
    return jnp.stack(heats) if heats else jnp.zeros(0, rho.real.dtype)


def work_current(
    generator: Callable[[Array], AbstractGenerator],
    rho: ArrayLike,
    time: ArrayLike,
    hamiltonian: Callable[[Array], Any] | None = None,
) -> Scalar:
    """The work done on the system per unit of time, `dW / dt = Tr(dH/dt rho)`.

    Args:
        generator: a function of time that returns a generator; of a generator that does not change, the work is 0.
        rho: the state, shape `(dim, dim)`.
        time: when.
        hamiltonian: a function of time that returns what is counted as energy; that of the generator if not given.
    """
    if isinstance(generator, AbstractGenerator):
        return jnp.zeros((), checked_initial(rho, generator).real.dtype)
    time = inexact(time)
    state = checked_initial(rho, generator(time))

    def matrix(t):
        return energy_operator(generator(t), None if hamiltonian is None else hamiltonian(t)).astype(state.dtype)

    return real_trace(jax.jvp(matrix, (time,), (jnp.ones_like(time),))[1], state)


def nonequilibrium_free_energy(hamiltonian: Any, rho: ArrayLike, beta: ArrayLike) -> Scalar:
    """`F(rho) = Tr(H rho) - S(rho) / beta`, which exceeds that of the Gibbs state by `D(rho||rho_beta) / beta`.

    Args:
        hamiltonian: an operator or a Hermitian matrix.
        rho: the state, shape `(dim, dim)`.
        beta: inverse temperature of the bath, not 0.

    Raises:
        ValueError: if `rho` is not a state (NaN under a trace).
    """
    operator = as_operator(hamiltonian)
    rho = inexact(rho)
    if rho.shape != (operator.dim, operator.dim):
        raise ValueError(
            f"`rho` must have shape {(operator.dim, operator.dim)} like the Hamiltonian, but has shape {rho.shape}."
        )
    return real_trace(operator.to_dense(), rho) - von_neumann_entropy(rho) / beta


def energy_operator(generator: AbstractGenerator, hamiltonian: Any) -> Inexact[Array, "dim dim"]:
    """The matrix of what counts as energy: `hamiltonian`, or that of the generator where it is `None`.

    Raises:
        ValueError: if `hamiltonian` has another dimension than the generator.
    """
    if hamiltonian is None:
        return generator.system_hamiltonian()
    operator = as_operator(hamiltonian)
    if operator.dim != generator.dim:
        raise ValueError(
            f"`hamiltonian` must have the dimension {generator.dim} of the generator, but has dimension {operator.dim}."
        )
    return operator.to_dense()
