"""The entropy of given energy over the whole spectrum, and where it is convex."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete

from ._inputs import Scalar, finite_operator, levels_of, positive_scalar
from .coexistence import Coexistence


class EntropyCurve(eqx.Module):
    """`S(U)` and its slope at energies of one Hamiltonian, as `entropy_curve` makes it.

    Args:
        energies: `U`, ascending, shape `(points,)`; extensive, as are the entropies.
        entropies: `S(U)`, in nats, up to the unit of energy of the density of states.
        betas: `dS/dU`.
        curvatures: `d^2S/dU^2`, above 0 where the curve is convex.
    """

    energies: Float[Array, " points"]
    entropies: Float[Array, " points"]
    betas: Float[Array, " points"]
    curvatures: Float[Array, " points"]

    @property
    def heat_capacities(self) -> Float[Array, " points"]:
        """`dU/dT = -beta^2 / S''` at given energy, below 0 where the curve is convex."""
        return -(self.betas**2) / self.curvatures

    def depths(self) -> Float[Array, " points"]:
        """How far `S(U)` is below its concave hull, which is the entropy that the canonical ensemble knows of.

        Raises:
            ValueError: if the curve is traced.
        """
        energies, entropies = _numbers(self)
        corners = _hull(energies, entropies)
        return jnp.asarray(np.interp(energies, energies[corners], entropies[corners]) - entropies, self.energies.dtype)

    def convex_parts(self, least_depth: float = 0.0) -> list[Coexistence]:
        """Maxwell's construction on each part where the curve is below its hull: the straight line above it.

        Args:
            least_depth: in nats; parts that are nowhere deeper are left out, such as ripples of single levels.

        Returns:
            In the order of the energies, which here are extensive; none for a concave curve.

        Raises:
            ValueError: if the curve is traced.
        """
        energies, entropies = _numbers(self)
        corners, depths, dtype = _hull(energies, entropies), np.asarray(self.depths()), self.energies.dtype
        return [
            Coexistence(
                jnp.asarray((entropies[high] - entropies[low]) / (energies[high] - energies[low]), dtype),
                jnp.asarray(energies[[low, high]], dtype),
            )
            for low, high in itertools.pairwise(corners)
            if np.max(depths[low : high + 1]) > least_depth
        ]


def entropy_curve(hamiltonian, width: ArrayLike, *, points: int = 513) -> EntropyCurve:
    """`S(U)` of the Gaussian ensembles `rho ~ exp(-(H - E)^2 / 2 w^2)` with `E` from below the spectrum to above it.

    With `U` their mean energy and `V` its variance,

        beta(U) = dS/dU = (U - E) / w^2,    S(U) = ln sum_k g_k e^(-(E_k - E)^2 / 2 w^2) / w sqrt(2 pi) + w^2 beta^2 / 2,
        d^2S/dU^2 = 1 / w^2 - 1 / V

    the density of states of `boltzmann_entropy` with the entropy that the width adds taken off. A spectrum of even
    spacing has no ripples of its levels from a width of one spacing on.

    Args:
        hamiltonian: an operator, a Hermitian matrix, or a `Spectrum` with degeneracies.
        width: `w > 0`, in units of energy.
        points: number of energies; coexisting energies are found among them.

    Raises:
        ValueError: if the width is not positive (NaN under a trace) or there are fewer than 3 points.

    Reference: Challa and Hetherington, Phys. Rev. Lett. 60, 77 (1988).
    """
    operator = finite_operator(hamiltonian)
    width = positive_scalar("width", width, operator.dtype)
    if points < 3:
        raise ValueError(f"`points` must be at least 3, but is {points}; some hundreds resolve a convex part.")
    levels, logs = levels_of(operator)
    low, high = jnp.min(levels) - width, jnp.max(levels) + width
    middles = low + (high - low) * jnp.linspace(0, 1, points, dtype=levels.dtype)
    return EntropyCurve(*jax.lax.map(lambda middle: _point(levels, logs, middle, width), middles))


def _point(levels, logs, middle, width) -> tuple[Scalar, ...]:
    x = (levels - middle) / width
    exponents = logs - x**2 / 2
    total = jax.nn.logsumexp(exponents)
    weights = jnp.exp(exponents - total)
    mean = jnp.sum(weights * x)
    variance = jnp.sum(weights * (x - mean) ** 2)
    entropy = total + mean**2 / 2 - jnp.log(width) - jnp.log(2 * jnp.pi) / 2
    return middle + width * mean, entropy, mean / width, (1 - 1 / variance) / width**2


def _numbers(curve):
    if not is_concrete(curve):
        raise ValueError("The hull of an entropy needs known values, but the curve is traced; find it outside `jit`.")
    return np.asarray(curve.energies, float), np.asarray(curve.entropies, float)


def _hull(x, y) -> list[int]:
    """The places of the corners of the upper hull of points with ascending `x`."""
    corners: list[int] = []
    for place in range(len(x)):
        while len(corners) > 1:
            first, last = corners[-2], corners[-1]
            turn = (x[last] - x[first]) * (y[place] - y[first]) - (y[last] - y[first]) * (x[place] - x[first])
            if turn < 0:
                break
            corners.pop()
        if not corners or x[place] > x[corners[-1]]:
            corners.append(place)
    return corners
