"""Energies exchanged between two measurements: values and probabilities, and averages of exponentials by log-sum-exp."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.operators.base import inexact


class EnergyStatistics(eqx.Module):
    """What two projective measurements find: a value for each pair of results `(m, n)`, the later one first.

    Inside a degenerate level only sums of probabilities have a meaning: those of a value, of a bin, of all. Positions and
    eigenvectors have no derivatives, which are NaN: differentiate the properties of `work_measurement` instead.

    Attributes:
        values: `W_mn`, energies.
        conditional: `P(m|n)`.
        log_populations: `ln p_n`, which does not underflow.
    """

    values: Float[Array, "dim dim"]
    conditional: Float[Array, "dim dim"]
    log_populations: Float[Array, " dim"]

    @property
    def probabilities(self) -> Float[Array, "dim dim"]:
        """`P(m|n) p_n`; they sum to 1."""
        return self.conditional * jnp.exp(self.log_populations)

    @property
    def mean(self) -> Float[Array, ""]:
        """`<W>`."""
        return jnp.sum(self.probabilities * self.values)

    @property
    def variance(self) -> Float[Array, ""]:
        """`<(W - <W>)^2>`."""
        return jnp.sum(self.probabilities * (self.values - self.mean) ** 2)

    def log_average(self, s: ArrayLike) -> Float[Array, ""]:
        """`ln <e^{-s W}>`, by log-sum-exp: right also where single terms over- or underflow.

        Args:
            s: real, finite, 1 / energy.
        """
        exponents = self.log_populations - inexact(s).astype(self.values.dtype) * self.values
        return jax.scipy.special.logsumexp(exponents, b=self.conditional)

    def characteristic_function(self, u: ArrayLike) -> Complex[Array, ""]:
        """`<e^{iuW}>`, with `u` real in units of 1 / energy."""
        return jnp.sum(self.probabilities * jnp.exp(1j * inexact(u).astype(self.values.dtype) * self.values))

    def binned(self, edges: ArrayLike) -> Float[Array, " bins"]:
        """The probability in each bin; bins that cover all values sum to 1.

        Args:
            edges: ascending, one more than bins; a bin holds its lower edge, the last one both, and values outside are left out.

        Raises:
            ValueError: if there are not at least two edges, or they do not ascend (NaN under a trace).
        """
        edges = inexact(edges)
        if edges.ndim != 1 or edges.size < 2:
            raise ValueError(f"`edges` must be at least two numbers, but have shape {edges.shape}.")
        ascending = jnp.all(jnp.diff(edges) > 0)
        if is_concrete(ascending) and not np.asarray(ascending):
            raise ValueError("`edges` must be strictly ascending, but are not; sort them, and drop those that repeat.")
        edges, values = nan_unless(ascending, edges), self.values.ravel()
        bins = edges.size - 1
        place = jnp.searchsorted(edges, values, side="right") - 1
        place = jnp.where(values == edges[-1], bins - 1, place)
        inside = (place >= 0) & (place < bins)
        weights = jnp.where(inside, self.probabilities.ravel(), 0)
        return jax.ops.segment_sum(weights, jnp.clip(place, 0, bins - 1), bins)

    def sample(self, key: Array, count: int) -> Float[Array, " count"]:
        """Values as an experiment would find them, independent, shape `(count,)`.

        Args:
            key: a PRNG key of JAX.
            count: how many.
        """
        logits = jnp.log(self.conditional) + self.log_populations
        return self.values.ravel()[jax.random.categorical(key, logits.ravel(), shape=(count,))]
