"""Quantum Boltzmann machines: `rho = e^{-H} / Z` with `H = sum_k theta_k P_k`, as an Equinox module to train."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Inexact, Int

from jaxgibbs._errors import check_finite
from jaxgibbs.equilibrium import Auto, gibbs_state, log_partition
from jaxgibbs.equilibrium.methods import AbstractMethod
from jaxgibbs.operators import PauliSum, PauliTerms
from jaxgibbs.operators.base import inexact


class BoltzmannMachine(eqx.Module):
    """A quantum Boltzmann machine of visible and hidden qubits; its one leaf is `couplings`.

    The visible qubits come first. Every pytree of gradients, every `optax` optimiser and every larger `eqx.Module` takes it
    as a layer.

    Args:
        visible: number of visible qubits.
        hidden: number of hidden qubits, over which the state is traced.
        terms: Pauli strings or sums of them, such as `"X0 X1 + Y0 Y1"`; `all_pairs(visible + hidden)` by default.
        couplings: `theta_k`, shape `(terms,)`; by default normal numbers of width 0.1 from `key`.
        key: PRNG key; `jax.random.key(0)` by default.

    Raises:
        ValueError: if there is no visible qubit or no term, a term cannot be read, or the couplings do not fit.

    Example:
        >>> machine = BoltzmannMachine(2, terms=["Z0", "Z0 Z1"], couplings=[0.0, -1.0])
        >>> print(machine.probabilities().round(3))
        [0.44 0.06 0.06 0.44]

    Reference: Amin, Andriyash, Rolfe, Kulchytskyy & Melko, Phys. Rev. X 8, 021050 (2018).
    """

    visible: int = eqx.field(static=True)
    hidden: int = eqx.field(static=True)
    terms: PauliTerms = eqx.field(static=True)
    couplings: Float[Array, " terms"]

    def __init__(
        self,
        visible: int,
        hidden: int = 0,
        terms: Sequence[str] | None = None,
        couplings: ArrayLike | None = None,
        *,
        key: Array | None = None,
    ):
        if visible < 1 or hidden < 0:
            raise ValueError(f"`visible` must be at least 1 and `hidden` at least 0, but are {visible} and {hidden}.")
        self.visible, self.hidden = int(visible), int(hidden)
        terms = list(all_pairs(visible + hidden) if terms is None else terms)
        if not terms:
            raise ValueError("`terms` must name at least one Pauli string, but are empty.")
        self.terms = PauliTerms.from_strings(visible + hidden, {"theta": terms})
        if couplings is None:
            key = jax.random.key(0) if key is None else key
            couplings = 0.1 * jax.random.normal(key, (len(terms),))
        couplings = inexact(couplings)
        if couplings.shape != (len(terms),) or jnp.iscomplexobj(couplings):
            raise ValueError(
                f"`couplings` must be real, one a term, shape {(len(terms),)}, but have shape {couplings.shape} "
                f"and dtype {couplings.dtype}."
            )
        check_finite("couplings", couplings)
        self.couplings = couplings

    def hamiltonian(self) -> PauliSum:
        """`H = sum_k theta_k P_k`."""
        return PauliSum({"theta": self.couplings}, self.terms)

    def visible_state(self) -> Inexact[Array, "states states"]:
        """`Tr_hidden e^{-H} / Z`, shape `(2^visible, 2^visible)`."""
        return gibbs_state(self.hamiltonian(), 1.0).reduced((2**self.visible, 2**self.hidden), 0)

    def probabilities(self) -> Float[Array, " states"]:
        """Of the outcomes of measuring `sigma_z` on the visible qubits, shape `(2^visible,)`; bit 0 is `sigma_z = +1`."""
        return jnp.diagonal(self.visible_state()).real

    def __call__(self, bits: Int[Array, " visible"]) -> Float[Array, ""]:
        """`ln p(bits)` of one outcome; `jax.vmap` over samples forms the state once.

        Args:
            bits: 0 or 1 for each visible qubit.
        """
        bits = jnp.asarray(bits)
        if bits.shape != (self.visible,):
            raise ValueError(
                f"`bits` must have one entry a visible qubit, shape {(self.visible,)}, but have {bits.shape}."
            )
        index = jnp.sum(bits.astype(int) * 2 ** np.arange(self.visible)[::-1])
        return jnp.log(self.probabilities()[index])

    def expectations(self) -> Float[Array, " terms"]:
        """`<P_k>`, shape `(terms,)`."""
        return -jax.grad(lambda theta: log_partition(PauliSum({"theta": theta}, self.terms), 1.0))(self.couplings)

    def negative_log_likelihood(self, distribution: ArrayLike) -> Float[Array, ""]:
        """`-sum_v q_v ln p_v` of classical data, its exact gradient included, hidden units or not.

        Args:
            distribution: `q_v`, frequencies of the outcomes, shape `(2^visible,)`.
        """
        weights = jnp.asarray(distribution)
        if weights.shape != (2**self.visible,):
            raise ValueError(
                f"`distribution` must have shape {(2**self.visible,)}, one entry an outcome, but has {weights.shape}."
            )
        return -jnp.sum(jnp.where(weights > 0, weights * jnp.log(self.probabilities()), 0))

    def dual(self, targets: ArrayLike, *, method: AbstractMethod = Auto()) -> Float[Array, ""]:
        """`ln Z + theta.q`, the negative log-likelihood of quantum data of which `q_k = <P_k>` is known; convex in `theta`.

        With `method=Lanczos(key=...)` value and gradient are those of an estimate: a new key each step makes the gradient
        stochastic and unbiased up to the bias of `ln Z`, of second order in its standard error.

        Args:
            targets: `q_k`, shape `(terms,)`.
            method: how `ln Z` is found.
        """
        targets = jnp.asarray(targets)
        if targets.shape != self.couplings.shape:
            raise ValueError(
                f"`targets` must have one entry a term, {self.couplings.shape}, but have shape {targets.shape}."
            )
        return log_partition(self.hamiltonian(), 1.0, method=method) + jnp.dot(self.couplings, targets)

    def metric(self) -> Float[Array, "terms terms"]:
        """Kubo-Mori metric of the couplings: covariances of the terms in the whole state, the Hessian of `dual`."""
        return gibbs_state(self.hamiltonian(), 1.0).covariance_matrix(self._term_operators())

    def _term_operators(self) -> tuple[PauliSum, ...]:
        unit = jnp.eye(len(self.couplings), dtype=self.couplings.dtype)
        return tuple(PauliSum({"theta": row}, self.terms) for row in unit)


def natural_gradient(machine: BoltzmannMachine, gradient: BoltzmannMachine, ridge: float = 1e-6) -> BoltzmannMachine:
    """The gradient in the Kubo-Mori metric, `(G + ridge tr(G)/K)^-1 g`, to hand to an optimiser in place of `g`.

    On `dual` this is Newton's direction. With hidden units `G` is the metric of the whole state, no smaller than that of
    the visible one, so that steps are safe.

    Args:
        machine: where the gradient was taken.
        gradient: as `eqx.filter_grad` gives it.
        ridge: relative to the mean of the diagonal; it decides along couplings that change nothing.

    Reference: Patel, Koch, Patel & Wilde, arXiv:2410.24058 (2024); Amari, Neural Comput. 10, 251 (1998).
    """
    metric = machine.metric()
    count = metric.shape[0]
    step = jnp.linalg.solve(
        metric + ridge * jnp.trace(metric) / count * jnp.eye(count, dtype=metric.dtype), gradient.couplings
    )
    return eqx.tree_at(lambda m: m.couplings, gradient, step)


def all_pairs(qubits: int) -> tuple[str, ...]:
    """`X_i`, `Z_i` and `Z_i Z_j` on all qubits and pairs: a transverse-field machine.

    Args:
        qubits: how many.
    """
    single = [f"{letter}{i}" for letter in "XZ" for i in range(qubits)]
    return (*single, *(f"Z{i} Z{j}" for i in range(qubits) for j in range(i + 1, qubits)))
