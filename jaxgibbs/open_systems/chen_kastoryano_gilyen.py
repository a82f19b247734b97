"""The generator of Chen, Kastoryano & Gilyen: jumps through windows of energy, and the Gibbs state as its exact fixed point."""

import abc
import math
from collections.abc import Hashable, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete, nan_unless

from .gaussian_jumps import windowed
from .kms import KMSGenerator, kms_generator, positive, times

_REACH = 9.0  # standard deviations, beyond which a Gaussian is below rounding
_STEP = 0.75  # of the trapezoidal rule in standard deviations: its error is e^{-2 pi^2 / step^2} = 6e-16


class AbstractWeight(eqx.Module):
    """`gamma(omega)`, with which energy `omega` is exchanged, and the width `s` of the window that resolves it.

    Both in units of temperature. Detailed balance allows the pairs of weight and window of Chen, Kastoryano & Gilyen.
    """

    window: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def nodes_and_weights(self) -> tuple[Float[Array, " nodes"], Float[Array, " nodes"]]:
        """A quadrature of `int gamma(omega) ... d omega`: frequencies, and `gamma` times the weights."""

    def check_span(self, span: Float[Array, ""]) -> Float[Array, ""]:
        """1, or NaN (`ValueError` for values) if Bohr frequencies reach further than the quadrature does."""
        return jnp.ones_like(span)


class GaussianWeight(AbstractWeight):
    """`gamma(omega) = e^{-(omega + shift)^2 / (2 (2 shift - window^2))}`: energy is given off around `shift`.

    Args:
        window: `s`, positive; small windows resolve frequencies, in the limit as the Davies generator does.
        shift: above `window^2 / 2`.
        nodes: how many jumps stand for the integral; enough for rounding if not given, which needs values.

    Raises:
        ValueError: if a number is out of range, or `nodes` too few (NaN under a trace).
    """

    window: Float[Array, ""]
    shift: Float[Array, ""]
    nodes: int = eqx.field(static=True)

    def __init__(self, window: ArrayLike = 1.0, shift: ArrayLike = 1.0, *, nodes: int | None = None):
        self.window, self.shift = positive("window", window), positive("shift", shift)
        variance = 2 * self.shift - self.window**2
        if is_concrete(variance) and not variance > 0:
            raise ValueError(f"`shift` must be above `window^2 / 2` = {self.window**2 / 2:.3g}, but is {self.shift}.")
        needed = 2 * _REACH / _STEP * jnp.sqrt(1 + variance / self.window**2)
        self.nodes, sufficient = _count(nodes, needed, 36)
        self.shift = self.shift * nan_unless((variance > 0) & sufficient, jnp.ones_like(variance))

    def nodes_and_weights(self):
        deviation = jnp.sqrt(2 * self.shift - self.window**2)
        places = np.linspace(-_REACH, _REACH, self.nodes)
        step = places[1] - places[0]
        places = jnp.asarray(places, deviation.dtype)
        return deviation * places - self.shift, deviation * step * jnp.exp(-(places**2) / 2)


class MetropolisWeight(AbstractWeight):
    """`gamma(omega) = min(1, e^{-omega - window^2 / 2})`: whatever lowers the energy is accepted.

    Args:
        window: `s`, positive.
        span: the largest Bohr frequency covered, in units of temperature; it decides the number of jumps.
        nodes: how many jumps stand for the integral on each side of the kink; enough for rounding if not given, which needs
            a value of `window`.

    Raises:
        ValueError: if a number is out of range, or `nodes` too few (NaN under a trace).
    """

    window: Float[Array, ""]
    span: float = eqx.field(static=True)
    nodes: int = eqx.field(static=True)

    def __init__(self, window: ArrayLike = 1.0, *, span: float = 12.0, nodes: int | None = None):
        self.window = positive("window", window)
        if not 0 < span < math.inf:
            raise ValueError(f"`span` must be positive and finite, but is {span}.")
        self.span = float(span)
        needed = 2.2 * (self.span + _REACH * self.window) / self.window
        self.nodes, sufficient = _count(nodes, needed, 47)
        self.window = nan_unless(sufficient, self.window)

    def nodes_and_weights(self):
        length = self.span + _REACH * self.window
        places, weights = (jnp.asarray(x, length.dtype) for x in np.polynomial.legendre.leggauss(self.nodes))
        distances, weights = length * (places + 1) / 2, length * weights / 2
        kink = -(self.window**2) / 2
        frequencies = jnp.concatenate([kink - distances, kink + distances])
        return frequencies, jnp.concatenate([weights, weights * jnp.exp(-distances)])

    def check_span(self, span):
        if is_concrete(span) and span > self.span:
            raise ValueError(
                f"`span` of `MetropolisWeight` must be at least the largest Bohr frequency, {float(span):.3g} in units of "
                f"temperature, but is {self.span}."
            )
        return nan_unless(span <= self.span, jnp.ones_like(span))


def _count(nodes: int | None, needed: Float[Array, ""], default: int) -> tuple[int, Array | bool]:
    """The number of nodes, and whether it suffices; `default` where neither is given."""
    if not is_concrete(needed):
        count = default if nodes is None else nodes
        return count, count + 1 >= needed
    least = math.ceil(float(needed))
    if nodes is not None and nodes < least:
        raise ValueError(f"`nodes` must be at least {least} for a window so narrow, but is {nodes}.")
    return (least if nodes is None else nodes), True


def chen_kastoryano_gilyen(
    hamiltonian: Any,
    couplings: Sequence[Any],
    beta: ArrayLike | Sequence[ArrayLike],
    *,
    weight: AbstractWeight | None = None,
    baths: Sequence[Hashable] | None = None,
) -> KMSGenerator:
    """The generator of Chen, Kastoryano & Gilyen: thermal jumps of finite resolution, the Gibbs state an exact fixed point.

        L(rho) = -i [H + B, rho] + sum_a int gamma(w) D[A_a(w)](rho) dw,    A(w)_ij = f(w - x_ij) A_ij,    x_ij = beta (E_i - E_j)

    with `f(w) = e^{-w^2 / (4 s^2)} / (2 pi s^2)^(1/4)`. The integral becomes a sum of jumps, exact to rounding. It obeys detailed
    balance in the inner product `Tr(sigma^(1/2) X^dagger sigma^(1/2) Y)` at any degeneracy and is smooth in every parameter;
    as `s -> 0` it becomes a Davies generator. Rates are those of couplings as they are scaled.

    Args:
        hamiltonian: an operator or a Hermitian matrix.
        couplings: Hermitian operators `A` of the system.
        beta: inverse temperature, finite, of any sign (1 / energy); or one for each coupling.
        weight: `gamma` and `s`: `GaussianWeight()` if not given, or `MetropolisWeight`.
        baths: a label for each coupling; one bath if not given and `beta` is one number, else `0, 1, ...`.

    Raises:
        ValueError: for couplings of the wrong size or not Hermitian, or a `beta` that is not finite.

    Reference: Chen, Kastoryano & Gilyen, arXiv:2311.09207 (2023), section II.
    """
    weight = GaussianWeight() if weight is None else weight

    def make_jumps(scaled, matrix):
        levels = scaled.eigenvalues
        window = weight.window.astype(levels.dtype)
        frequencies, rates = (x.astype(levels.dtype) for x in weight.nodes_and_weights())
        jumps = windowed(times(1 / window, scaled), matrix, frequencies / window)
        covered = weight.check_span(jnp.max(levels) - jnp.min(levels))
        return jumps, covered * rates / (window * math.sqrt(2 * math.pi))

    return kms_generator(hamiltonian, couplings, beta, baths, make_jumps)
