"""Classical rate equations: stationary distributions without a subtraction, accurate down to the smallest population."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import check_finite, is_concrete
from jaxgibbs._solution import RESULTS
from jaxgibbs.equilibrium import Auto
from jaxgibbs.linalg import dagger, eigh, matmul
from jaxgibbs.operators.base import inexact

from .hermitian_space import as_real, real_map
from .no_jump import scales
from .steady_methods import AbstractSteadyMethod, Found, choose


def stationary_distribution(rate_matrix: Float[ArrayLike, "states states"]) -> Float[Array, " states"]:
    """The probabilities with `sum_j W_ij p_j = 0` of a classical master equation.

    By the elimination of Grassmann, Taksar and Heyman, which never subtracts: each probability has a relative accuracy of a
    few eps, over any range of magnitudes. States are eliminated in order of their rate of escape, so that transient and absorbing
    states need no care. Differentiable to every order.

    Args:
        rate_matrix: `W_ij >= 0`, the rate from state `j` to state `i`; the diagonal is not read.

    Raises:
        ValueError: if the matrix is not square, not finite or has a negative rate, or the states fall into several classes that
            never mix (then it says how many; NaN under a trace).

    Example:
        >>> import jaxgibbs as jg
        >>> print(jg.open_systems.stationary_distribution([[-1.0, 3.0], [1.0, -3.0]]))
        [0.75 0.25]

    Reference: Grassmann, Taksar & Heyman, Operations Research 33, 1107 (1985).
    """
    rates = inexact(rate_matrix)
    if rates.ndim != 2 or rates.shape[0] != rates.shape[1] or rates.shape[0] == 0 or jnp.iscomplexobj(rates):
        raise ValueError(
            f"`rate_matrix` must be a real square matrix, but has shape {rates.shape} and dtype {rates.dtype}; map over a "
            "batch with `jax.vmap`."
        )
    check_finite("rate_matrix", rates)
    between = rates * (1 - jnp.eye(len(rates), dtype=rates.dtype))
    if is_concrete(between) and np.any(np.asarray(between) < 0):
        raise ValueError(
            f"The rates in `rate_matrix` must not be negative, but the lowest is {np.min(between):.3g}; element `i, j` is the "
            "rate from state `j` to state `i`."
        )
    probabilities, classes = eliminate(between)
    if is_concrete(classes) and classes > 1:
        raise ValueError(
            f"The states must all be connected, but they fall into {int(classes)} classes that end apart, each with a "
            "stationary distribution of its own; give the rates of one class."
        )
    valid = (classes == 1) & jnp.all(between >= 0)
    return probabilities * jnp.where(valid, 1, jnp.nan)


def eliminate(between: Float[Array, "states states"]):
    """Stationary probabilities of rates with zero diagonal, and the number of classes that states end in."""
    count = len(between)

    def remove(carry, _):
        rates, alive = carry
        escape = jnp.sum(rates * alive[:, None], axis=0)
        out = jnp.argmax(jnp.where(alive > 0, escape, -1))
        total = escape[out]
        arrivals = rates[out] * alive
        shares = jnp.where(total > 0, rates[:, out] * alive / jnp.where(total > 0, total, 1), 0)
        rates = rates + shares[:, None] * arrivals
        rates = rates * (1 - jnp.eye(count, dtype=rates.dtype))
        alive = alive.at[out].set(0)
        weights = jnp.where(total > 0, arrivals * alive / jnp.where(total > 0, total, 1), 0)
        return (rates, alive), (out, weights, total == 0)

    start = (between, jnp.ones(count, between.dtype))
    (_, alive), (order, weights, closed) = jax.lax.scan(remove, start, None, length=count - 1)

    def restore(p, entry):
        state, weight = entry
        p = p.at[state].set(jnp.sum(weight * p))
        return p / jnp.max(p), None  # relative sizes may exceed the range of floats on the way

    p, _ = jax.lax.scan(restore, alive, (order, weights), reverse=True)
    return p / jnp.sum(p), 1 + jnp.sum(closed)


class Populations(AbstractSteadyMethod):
    """The populations alone, by `stationary_distribution`, where they decouple from the coherences.

    Tiny populations keep their relative accuracy. Whether they decouple is judged on the residual of the whole generator; if
    not, the solve fails. Uniqueness is that among diagonal states: 0 for one class of connected states, 1 for several.

    Args:
        eigenbasis: the populations are those of the eigenstates of the Hamiltonian, not of the basis it is written in.
    """

    eigenbasis: bool = eqx.field(static=True, default=False)

    def find(self, generator, guess):
        del guess
        vectors = eigh(generator.hamiltonian_matrix())[1] if self.eigenbasis else None
        rates = generator.transition_rates(vectors)
        probabilities, classes = eliminate(rates * (1 - jnp.eye(generator.dim, dtype=rates.dtype)))
        if vectors is None:
            state = jnp.diag(probabilities)
        else:
            state = as_real(matmul(vectors * probabilities, dagger(vectors)))
        eps = jnp.finfo(state.dtype).eps
        defect = jnp.linalg.norm(real_map(generator)(state))
        decoupled = defect <= 1e3 * eps * scales(generator).norm * jnp.linalg.norm(state)
        result = RESULTS.where(decoupled, RESULTS.optimal, RESULTS.coherent)
        result = RESULTS.where(jnp.isfinite(defect), result, RESULTS.nonfinite)
        uniqueness = jnp.where(classes > 1, 1, 0).astype(state.dtype)
        return Found(state, uniqueness, jnp.ones((), jnp.int32), result)

    def inverse(self, generator):
        return choose(Auto(), generator).inverse(generator)
