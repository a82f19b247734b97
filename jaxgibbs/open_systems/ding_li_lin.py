"""The generator of Ding, Li & Lin: one jump operator for each coupling, and the Gibbs state as its exact fixed point."""

import abc
import dataclasses
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs.linalg import Decomposition, Kernel, spectral_map

from .gaussian_jumps import windowed
from .kms import KMSGenerator, kms_generator, positive, times


class AbstractFilter(eqx.Module):
    """How a jump weighs energy gained: `L_ij = q(x) e^{-x / 4} A_ij` with `x = beta (E_i - E_j)` and real even `q`."""

    @abc.abstractmethod
    def jump(self, scaled: Decomposition, coupling: Inexact[Array, "dim dim"]) -> Inexact[Array, "dim dim"]:
        """`L` of a coupling, from the decomposition of `beta H`."""


class GaussianFilter(AbstractFilter):
    """`q(x) = e^{-x^2 / (8 width^2)}`.

    Args:
        width: positive, in units of temperature.

    Raises:
        ValueError: if `width` is not positive (NaN under a trace).
    """

    width: Float[Array, ""]

    def __init__(self, width: ArrayLike = 1.0):
        self.width = positive("width", width)

    def jump(self, scaled, coupling):
        # x^2 / (8 w^2) + x / 4 = (x + w^2)^2 / (8 w^2) - w^2 / 8: a window in the unit sqrt(2) w
        width = self.width.astype(scaled.eigenvalues.dtype)
        unit = jnp.sqrt(jnp.asarray(2.0, width.dtype)) * width
        return jnp.exp(width**2 / 8) * windowed(times(1 / unit, scaled), coupling, (-width / jnp.sqrt(2))[None])[0]


class SmoothMetropolisFilter(AbstractFilter):
    """`q(x) = e^{-sqrt(1 + x^2) / 4}`: rates near `min(1, e^{-x})`, those of Metropolis, without the kink.

    `|L_ij|^2 = |A_ij|^2 e^{-(x + sqrt(1 + x^2)) / 2}`.
    """

    def jump(self, scaled, coupling):
        return spectral_map(_SMOOTH_METROPOLIS, scaled, coupling)


class AnalyticFilter(AbstractFilter):
    """A function of one's own.

    Args:
        amplitude: `q`, elementwise, of real and complex arrays, real and even on the real axis; a function of a module, since
            it keys compilations.
        radius: of a strip around the real axis in which `q` is analytic and changes by moderate factors.

    Raises:
        ValueError: if `q` is not even, real and finite, or `radius` not positive.
    """

    amplitude: Callable[[Array], Array] = eqx.field(static=True)
    radius: float = eqx.field(static=True)

    def __init__(self, amplitude: Callable[[Array], Array], radius: float):
        points = np.linspace(0, 10, 21)
        with jax.ensure_compile_time_eval():
            right, left = (np.asarray(amplitude(jnp.asarray(sign * points))) for sign in (1, -1))
        if (
            np.iscomplexobj(right)
            or not np.all(np.isfinite(right))
            or np.max(np.abs(right - left)) > 1e-5 * np.max(np.abs(right))
        ):
            raise ValueError(
                "`amplitude` must be a real, finite, even function, `q(-x) = q(x)`, but is not; symmetrise it."
            )
        if not radius > 0:
            raise ValueError(f"`radius` must be positive, but is {radius}.")
        self.amplitude, self.radius = amplitude, radius

    def jump(self, scaled, coupling):
        return spectral_map(Kernel(_Weighed(self.amplitude), _Radius(self.radius)), scaled, coupling)


@dataclasses.dataclass(frozen=True)
class _Weighed:
    """`q(x - y) e^{-(x - y) / 4}`."""

    amplitude: Callable[[Array], Array]

    def __call__(self, x: Array, y: Array) -> Array:
        return self.amplitude(x - y) * jnp.exp((y - x) / 4)


@dataclasses.dataclass(frozen=True)
class _Radius:
    value: float

    def __call__(self, x: Array) -> Array:
        return jnp.full_like(x, self.value)


def _smooth_metropolis(x: Array, y: Array) -> Array:
    distance = x - y
    root = jnp.sqrt(1 + distance**2)
    # distance + root without cancellation on the left, where it is 1 / (root - distance)
    sign = jnp.where(distance.real < 0, -1, 1)
    exponent = root + sign * distance
    return jnp.exp(-jnp.where(distance.real < 0, 1 / exponent, exponent) / 4)


_SMOOTH_METROPOLIS = Kernel(_smooth_metropolis, _Radius(0.9))


def ding_li_lin(
    hamiltonian: Any,
    couplings: Sequence[Any],
    beta: ArrayLike | Sequence[ArrayLike],
    *,
    filter: AbstractFilter = SmoothMetropolisFilter(),  # noqa: A002  the name of the field for it
    baths: Sequence[Hashable] | None = None,
) -> KMSGenerator:
    """The generator of Ding, Li & Lin: a single jump operator for each coupling, the Gibbs state an exact fixed point.

        L_ij = q(x_ij) e^{-x_ij / 4} A_ij,   x_ij = beta (E_i - E_j),      B_ij = (i / 2) tanh(x_ij / 4) (L^dagger L)_ij

    It obeys detailed balance in the inner product `Tr(sigma^(1/2) X^dagger sigma^(1/2) Y)` at any degeneracy and is smooth in
    every parameter. It is a model of thermalisation, not derived from a bath; rates are those of couplings as they are scaled.

    Args:
        hamiltonian: an operator or a Hermitian matrix.
        couplings: Hermitian operators `A` of the system.
        beta: inverse temperature, finite, of any sign (1 / energy); or one for each coupling.
        filter: `q`: `SmoothMetropolisFilter`, `GaussianFilter` or `AnalyticFilter`.
        baths: a label for each coupling; one bath if not given and `beta` is one number, else `0, 1, ...`.

    Raises:
        ValueError: for couplings of the wrong size or not Hermitian, or a `beta` that is not finite.

    Reference: Ding, Li & Lin, Commun. Math. Phys. 406, 67 (2025), section 3.
    """

    def make_jumps(scaled, matrix):
        return filter.jump(scaled, matrix)[None], jnp.ones(1, scaled.eigenvalues.dtype)

    return kms_generator(hamiltonian, couplings, beta, baths, make_jumps)
