"""Bodies at several temperatures that a unitary brings into contact: the energy each takes, by two measurements."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs._errors import check_finite
from jaxgibbs.information.states import real_trace
from jaxgibbs.linalg import Decomposition, dagger, decompose, matmul, partial_trace
from jaxgibbs.linalg.levels import LevelSums
from jaxgibbs.linalg.undefined import one_without_slope
from jaxgibbs.operators import as_operator
from jaxgibbs.operators.base import inexact

from .energy_statistics import EnergyStatistics
from .work_statistics import checked_unitary, thermal_weights

Scalar = Float[Array, ""]


class HeatExchange(eqx.Module):
    """What `heat_exchange` returns: bodies in Gibbs states of their own, and what happens to all of them together.

    Attributes:
        bodies: their Hamiltonians, decomposed.
        betas: inverse temperatures.
        unitary: on the product of their spaces, body 0 the left-most factor.
    """

    bodies: tuple[Decomposition, ...]
    betas: Float[Array, " bodies"]
    unitary: Inexact[Array, "dim dim"]

    @property
    def mean(self) -> Float[Array, " bodies"]:
        """The energy that each body takes, `Tr(H_k U rho U^dagger) - Tr(H_k rho)`, with exact derivatives of every order."""
        return _mean(self)

    def energy(self, body: int) -> EnergyStatistics:
        """The energy that one body takes: heat, where the energies of all add up to what they were.

        Args:
            body: its number.

        Raises:
            ValueError: if there is no such body.
        """
        if not 0 <= body < len(self.bodies):
            raise ValueError(f"`body` must be one of 0 ... {len(self.bodies) - 1}, but is {body!r}.")
        return _weighed(self, jnp.eye(len(self.bodies), dtype=self.betas.dtype)[body])

    def work(self) -> EnergyStatistics:
        """The energy that all take together: the work of switching the contact on and off, 0 if the unitary conserves energy."""
        return _weighed(self, jnp.ones_like(self.betas))

    def entropy_production(self) -> EnergyStatistics:
        """`sum_k beta_k dE_k`, in nats: `log_average(1)` of it is 0, and its mean is not negative, for every unitary."""
        return _weighed(self, self.betas)

    def log_average(self, weights: ArrayLike) -> Scalar:
        """`ln <e^{-sum_k w_k dE_k}>`, with `w = betas` the integral fluctuation theorem: 0.

        Where two bodies keep the sum of their energies, by a unitary that is its own time reversal, `Theta U^dagger Theta^-1 = U`,
        the heat that body 0 takes obeys `P(Q) = e^{(beta_0 - beta_1) Q} P(-Q)`, the exchange theorem of Jarzynski and Wojcik.

        Args:
            weights: one for each body, 1 / energy.

        Raises:
            ValueError: if there is not one weight for each body.
        """
        weights = inexact(weights).astype(self.betas.dtype)
        if weights.shape != self.betas.shape:
            raise ValueError(
                f"`weights` must be one number for each of the {len(self.bodies)} bodies, but have shape {weights.shape}."
            )
        return _weighed(self, weights).log_average(1.0)

    @property
    def conservation_defect(self) -> Scalar:
        """`||[U, sum_k H_k]|| / ||sum_k H_k||` in the Frobenius norm: 0 where the exchange takes no work."""
        total = _on_all([d.matrix for d in self.bodies], self.unitary.dtype)
        moved = matmul(self.unitary, total) - matmul(total, self.unitary)
        size = jnp.linalg.norm(total)
        return jnp.linalg.norm(moved) / jnp.where(size > 0, size, 1)


def heat_exchange(hamiltonians: Sequence[Any], unitary: ArrayLike, betas: ArrayLike) -> HeatExchange:
    """Energies that bodies exchange: each is measured before and after, `P(m, n) = |<m|U|n>|^2 prod_k e^{-beta_k E_k,n} / Z_k`.

    Args:
        hamiltonians: of the bodies, operators or Hermitian matrices.
        unitary: on the product of their spaces, body 0 the left-most factor; say `evolution_operator` of the sum with a contact
            that is there for some time.
        betas: inverse temperatures, finite, one for each body.

    Raises:
        ValueError: if there are not two bodies at least, not as many temperatures, or `unitary` is none on their product space
            (NaN under a trace).

    Reference: Jarzynski & Wojcik, Phys. Rev. Lett. 92, 230602 (2004).
    """
    operators = [as_operator(h) for h in hamiltonians]
    if len(operators) < 2:
        raise ValueError(f"`hamiltonians` must be those of at least two bodies, but there are {len(operators)}.")
    betas = inexact(betas)
    if betas.shape != (len(operators),):
        raise ValueError(
            f"`betas` must have one inverse temperature for each of the {len(operators)} bodies, but have shape {betas.shape}."
        )
    check_finite("betas", betas)
    dim = int(np.prod([operator.dim for operator in operators]))
    unitary = checked_unitary("unitary", unitary, dim)
    unitary = unitary.astype(jnp.result_type(unitary, betas, *(operator.dtype for operator in operators)))
    bodies = tuple(_decomposed(operator) for operator in operators)
    real = jnp.result_type(betas, *(d.eigenvalues for d in bodies))
    return HeatExchange(bodies, betas.astype(real), unitary)


@eqx.filter_jit
def _decomposed(operator) -> Decomposition:
    return decompose(operator.to_dense())


def _on_all(matrices, dtype):
    """`sum_k H_k` on the product space."""
    dims = [len(matrix) for matrix in matrices]
    total = jnp.zeros((int(np.prod(dims)),) * 2, dtype)
    for k, matrix in enumerate(matrices):
        left, right = int(np.prod(dims[:k])), int(np.prod(dims[k + 1 :]))
        total = total + jnp.kron(jnp.kron(jnp.eye(left), matrix), jnp.eye(right)).astype(dtype)
    return total


@eqx.filter_jit
def _mean(exchange: HeatExchange):
    rho = jnp.ones((1, 1), exchange.unitary.dtype)
    for d, beta in zip(exchange.bodies, exchange.betas, strict=True):
        weights, _ = thermal_weights(d, -beta)
        rho = jnp.kron(rho, (weights / jnp.trace(weights)).astype(rho.dtype))
    change = matmul(matmul(exchange.unitary, rho), dagger(exchange.unitary)) - rho
    dims = [d.dim for d in exchange.bodies]
    parts = [partial_trace(change, dims, k) for k in range(len(dims))]
    return jnp.stack([real_trace(d.matrix, part) for d, part in zip(exchange.bodies, parts, strict=True)])


def _spread(arrays):
    """`x_k` of body `k` for every state of the product, shape `(bodies, dim)`."""
    grids = jnp.meshgrid(*arrays, indexing="ij")
    return jnp.stack([grid.ravel() for grid in grids])


@eqx.filter_jit
def _weighed(exchange: HeatExchange, weights) -> EnergyStatistics:
    levels = [jax.lax.stop_gradient(d.eigenvalues) for d in exchange.bodies]
    sums = [LevelSums(-beta, energies) for beta, energies in zip(exchange.betas, levels, strict=True)]
    log_populations = jnp.sum(_spread([s.y - s.log_shifted for s in sums]), axis=0)
    vectors = exchange.bodies[0].vectors
    for d in exchange.bodies[1:]:
        vectors = jnp.kron(vectors, d.vectors)
    vectors = vectors.astype(jnp.result_type(vectors, exchange.unitary))
    amplitudes = matmul(matmul(dagger(vectors), exchange.unitary.astype(vectors.dtype)), vectors)
    energies = weights @ _spread(levels)
    known = jnp.ones((), energies.dtype)
    for d in exchange.bodies:
        known = known * one_without_slope(d.matrix)
    values = (energies[:, None] - energies) * known
    return EnergyStatistics(values, (amplitudes * jnp.conj(amplitudes)).real * known, log_populations * known)
