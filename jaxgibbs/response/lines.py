"""Spectra of a finite system as what they are: delta peaks at differences of levels, with exact weights."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float, Inexact

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.equilibrium import GibbsState
from jaxgibbs.linalg.levels import degeneracy_tolerance
from jaxgibbs.linalg.undefined import one_without_slope
from jaxgibbs.operators.base import inexact, real_scalar

from ._thermal import Thermal, operator_matrix, thermal, width


class SpectralLines(eqx.Module):
    """`sum_k weight_k delta(w - position_k)`, with exact positions and weights; they have no derivatives, which are NaN.

    Inside a degenerate level only sums of weights have a meaning: those of a frequency, of a bin, of all.

    Attributes:
        positions: frequencies `E_j - E_i`, in no order, zeros among them.
        weights: real where the operators and the Hamiltonian are.
    """

    positions: Float[Array, " lines"]
    weights: Inexact[Array, " lines"]

    def moment(self, order: int) -> Inexact[Array, ""]:
        """`int w^order S(w) dw`; of negative order without the lines at frequency 0, those up to `64 eps max|w|`."""
        if order >= 0:
            return jnp.sum(self.positions**order * self.weights)
        apart = jnp.abs(self.positions) > degeneracy_tolerance(self.positions)
        return jnp.sum(jnp.where(apart, self.weights * jnp.where(apart, self.positions, 1.0) ** order, 0))

    def transform(self, frequency: ArrayLike) -> Complex[Array, ""]:
        """`int S(x) dx / (z - x) = sum_k weight_k / (z - position_k)` at a complex frequency `z`, not on a line.

        Of `fermion_lines` that is Green's function, at `i (2n + 1) pi / beta` Matsubara's. Of `dissipation_lines`, divided by
        `-pi`, the susceptibility (Kramers 1927, Kronig 1926). Many `z`: `jax.vmap`.
        """
        frequency = inexact(frequency)
        if frequency.ndim != 0:
            raise ValueError(
                f"`frequency` must be a scalar, but has shape {frequency.shape}; map over many with `jax.vmap`."
            )
        return jnp.sum(self.weights / (frequency - self.positions))

    def binned(self, edges: ArrayLike) -> Inexact[Array, " bins"]:
        """The weight in each bin: its integral, not its density; bins that cover all lines sum to `moment(0)`.

        Args:
            edges: ascending, one more than bins; a bin holds its lower edge, the last one both, and lines outside are left out.
        """
        edges = inexact(edges)
        if edges.ndim != 1 or edges.size < 2:
            raise ValueError(f"`edges` must be at least two numbers, but have shape {edges.shape}.")
        if is_concrete(edges) and not np.all(np.diff(np.asarray(edges)) > 0):
            raise ValueError("`edges` must be strictly ascending, but are not; sort them, and drop those that repeat.")
        edges = nan_unless(jnp.all(jnp.diff(edges) > 0), edges)
        bins = edges.size - 1
        place = jnp.searchsorted(edges, self.positions, side="right") - 1
        place = jnp.where(self.positions == edges[-1], bins - 1, place)
        inside = (place >= 0) & (place < bins)
        return jax.ops.segment_sum(jnp.where(inside, self.weights, 0), jnp.clip(place, 0, bins - 1), bins)

    def broadened(self, frequency: ArrayLike, eta: ArrayLike) -> Inexact[Array, ""]:
        """Each line as a Lorentzian, `sum_k weight_k (eta / pi) / ((w - position_k)^2 + eta^2)`; many `w` by `jax.vmap`.

        Args:
            frequency: `w`.
            eta: half the width at half height, positive.
        """
        real = self.positions.dtype
        frequency, eta = real_scalar("frequency", frequency, real), width(eta, real)
        return jnp.sum(self.weights / (((frequency - self.positions) / eta) ** 2 + 1)) / (jnp.pi * eta)


def spectral_lines(state: GibbsState, a: Any, b: Any) -> SpectralLines:
    """The lines of `S_AB(w) = int e^{iwt} <A(t) B> dt = 2 pi sum_ij p_i A_ij B_ji delta(w - (E_j - E_i))`.

    A system takes the energy `w > 0` with `S(w)` and gives it with `S(-w)`; `S_BA(-w) = e^{-beta w} S_AB(w)` holds line by line.
    The moments are `<A B>` and `<[A, H] B>`, times 2 pi.

    Args:
        state: of a Hamiltonian of one matrix, shape `(dim, dim)`.
        a: `A`, an operator or any matrix of that shape.
        b: `B`, likewise.

    Returns:
        `dim^2` lines.

    Reference: Callen & Welton, Phys. Rev. 83, 34 (1951).
    """
    of = thermal(state)
    return lines_of(of, *_operators(of, a, b), _initial)


def dissipation_lines(state: GibbsState, a: Any, b: Any) -> SpectralLines:
    """The lines of `chi''_AB(w) = int e^{iwt} <[A(t), B]> dt / 2 = pi sum_ij (p_i - p_j) A_ij B_ji delta(w - (E_j - E_i))`.

    The fluctuation-dissipation theorem is `chi''(w) = (1 - e^{-beta w}) S(w) / 2`, line by line. Arguments as `spectral_lines`.
    """
    of = thermal(state)
    return lines_of(of, *_operators(of, a, b), _difference)


def _operators(of: Thermal, a, b):
    dim = of.hamiltonian.dim
    return operator_matrix("a", a, dim), operator_matrix("b", b, dim)


def _initial(p, x):
    return 2 * jnp.pi * p[:, None]


def _difference(p, x):
    return jnp.pi * population_differences(p, x)


def population_differences(p: Float[Array, " dim"], x: Float[Array, " dim"]) -> Float[Array, "dim dim"]:
    """`p_i - p_j` to full relative accuracy, `x` the exponents of `p`."""
    gap = x[:, None] - x
    return jnp.sign(gap) * jnp.maximum(p[:, None], p) * -jnp.expm1(-jnp.abs(gap))


def _make(of: Thermal, a, b, weigh):
    levels, x = jax.lax.stop_gradient(of.hamiltonian.eigenvalues), of.exponent
    p = jnp.exp(x) / jnp.sum(jnp.exp(x))
    weights = weigh(p, x) * of.inside(a) * of.inside(b).T
    known = one_without_slope(of.hamiltonian.matrix) * one_without_slope(of.s)
    positions = (levels[None, :] - levels[:, None]) * known
    return SpectralLines(positions.ravel(), (weights * known).ravel())


lines_of = jax.jit(_make, static_argnums=3)
