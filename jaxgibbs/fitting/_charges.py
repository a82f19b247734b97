"""Charges as a fit sees them: arrays, shifted by their targets, and what one decomposition of their sum gives.

With `Q_k - q_k` in place of `Q_k`, `log Tr exp(-sum_k lam_k (Q_k - q_k))` is the dual function itself and the residual
`<Q_k - q_k>` its negative gradient: neither is a difference of large numbers. Nothing here is differentiated: the
derivatives of a fit come from the implicit function theorem.
"""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float


class Moments(NamedTuple):
    """The dual function at one `lam`.

    Attributes:
        value: `log Tr exp(ln omega - sum_k lam_k (Q_k - q_k))`, `omega` the reference state.
        residual: `<Q_k> - q_k`.
        lowest: a lower bound on `min spec(sum_k lam_k (Q_k - q_k))`, exact without a reference state. If it is
            positive, no state has the targets.
        noise: the rounding error to expect in `residual`.
        blur: the rounding error to expect in `lowest`.
        covariance: a function without arguments that gives the Kubo-Mori covariance `K_kl` of the charges.
    """

    value: Float[Array, ""]
    residual: Float[Array, " charges"]
    lowest: Float[Array, ""]
    noise: Float[Array, ""]
    blur: Float[Array, ""]
    covariance: Callable[[], Float[Array, "charges charges"]]


class AbstractCharges(eqx.Module):
    """Charges `Q_k - q_k` of one kind."""

    @abc.abstractmethod
    def moments(self, multipliers: Float[Array, " charges"]) -> Moments:
        """Everything that one decomposition gives."""

    @abc.abstractmethod
    def vectors(self) -> tuple[Float[Array, "charges length"], Float[Array, " charges"]]:
        """The charges, less their mean in the maximally mixed state, as vectors; and that mean."""

    @abc.abstractmethod
    def combine(self, weights: Float[Array, "new charges"]) -> "AbstractCharges":
        """The charges `sum_k weights_jk (Q_k - q_k)`."""

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """How many charges."""

    @property
    @abc.abstractmethod
    def dtype(self):
        """Real dtype of expectation values."""


class AbstractFacedCharges(AbstractCharges):
    """Charges that can be followed to the boundary of what states attain, where states live on a face."""

    @abc.abstractmethod
    def combine(self, weights: Float[Array, "new charges"]) -> "AbstractFacedCharges":
        """As for all charges."""

    @abc.abstractmethod
    def tilt(self, multipliers: Float[Array, " charges"]) -> "AbstractFacedCharges":
        """The same charges with `exp(-sum_k lam_k (Q_k - q_k))` times their reference state as reference state."""

    @abc.abstractmethod
    def top(self, direction: Float[Array, " charges"]) -> Float[Array, ""]:
        """Largest eigenvalue of `sum_k n_k (Q_k - q_k)`."""

    @abc.abstractmethod
    def face(self, direction: Float[Array, " charges"], width: float) -> "AbstractFacedCharges":
        """The charges on the eigenspaces of `sum_k n_k (Q_k - q_k)` within `width` of the largest eigenvalue."""

    @abc.abstractmethod
    def state(self, multipliers: Float[Array, " charges"]) -> dict[str, Array]:
        """The state on the original space, by name, and the dimension of the face it lives on."""


class IndependentCharges(AbstractFacedCharges):
    """Charges that are sums over independent parts; the targets are taken off the first part."""

    parts: tuple[AbstractFacedCharges, ...]

    def moments(self, multipliers):
        first, *others = (part.moments(multipliers) for part in self.parts)
        for other in others:
            first = _joined(first, other)
        return first

    def vectors(self):
        vectors, means = zip(*(part.vectors() for part in self.parts), strict=True)
        return jnp.concatenate(vectors, axis=-1), sum(means)

    def combine(self, weights):
        return IndependentCharges(tuple(part.combine(weights) for part in self.parts))

    def tilt(self, multipliers):
        return IndependentCharges(tuple(part.tilt(multipliers) for part in self.parts))

    def top(self, direction):
        return sum(part.top(direction) for part in self.parts)

    def face(self, direction, width):
        return IndependentCharges(tuple(part.face(direction, width) for part in self.parts))

    def state(self, multipliers):
        states = [part.state(multipliers) for part in self.parts]
        dimension = 1
        for state in states:
            dimension = dimension * state.pop("face_dimension")
        named = {f"part_{k}_{name}": value for k, state in enumerate(states) for name, value in state.items()}
        return named | {"face_dimension": dimension}

    @property
    def count(self):
        return self.parts[0].count

    @property
    def dtype(self):
        return jnp.result_type(*(part.dtype for part in self.parts))


def _joined(a: Moments, b: Moments) -> Moments:
    """Moments of independent parts add."""

    def covariance():
        return a.covariance() + b.covariance()

    noise, blur = a.noise + b.noise, a.blur + b.blur
    return Moments(a.value + b.value, a.residual + b.residual, a.lowest + b.lowest, noise, blur, covariance)
