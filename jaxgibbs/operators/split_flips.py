"""Sums of Pauli strings on a vector that is split over devices by its leading qubits.

The first `leading` bits of a state say in which of `2^leading` blocks its amplitude is. A string takes blocks to blocks, all of
them by one flip of these bits, and acts inside each by flips and signs of the other bits, up to the sign of its `Z` on the first:

    (H v)_b = sum_f H_fb v_{b ^ f},     H_fb = sum_k c_k (-1)^{|z_k & (b ^ f)|} P_k.

The blocks `b ^ f` are `v`, read as a tensor with an axis a leading bit, reversed along the axes that `f` flips. The compiler turns
that into one exchange between pairs of devices (a collective permutation), or into a copy where the axes lie on one device,
whatever the mesh. Gathers of single rows along the same axes would collect the whole vector on every device.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from .bit_flips import FlipMap, FlipPlan


def leading_bits(sites: int) -> int:
    """The leading qubits by which all devices of this program together would split a vector; 0 for a single device."""
    return min((jax.device_count() - 1).bit_length(), sites)


class Flip(NamedTuple):
    """The strings with the same flips of the leading bits.

    Attributes:
        axes: the leading bits that they flip.
        inner: those strings that act on other bits too; `plan` says how, `inner_signs` with which sign from each block.
        outer: those that do not: a number for each block.
    """

    axes: tuple[int, ...]
    inner: np.ndarray
    inner_signs: np.ndarray
    plan: FlipPlan
    outer: np.ndarray
    outer_signs: np.ndarray


class SplitPlan:
    """Which strings exchange which blocks; static, from the masks alone."""

    def __init__(self, leading: int, sites: int, x: np.ndarray, z: np.ndarray):
        self.leading, self.sites = leading, sites
        self.strings = len(x)
        bits = sites - leading
        blocks, rest = np.arange(1 << leading)[:, None], (1 << bits) - 1
        self.flips = []
        for flip in np.unique(x >> bits):
            same = x >> bits == flip
            acts_inside = (x | z) & rest != 0
            inner, outer = np.flatnonzero(same & acts_inside), np.flatnonzero(same & ~acts_inside)
            signs = [
                1 - 2 * (np.bitwise_count((z[part] >> bits) & (blocks ^ flip)).astype(np.int8) % 2)
                for part in (inner, outer)
            ]
            axes = tuple(axis for axis in range(leading) if flip >> (leading - 1 - axis) & 1)
            plan = FlipPlan(bits, x[inner] & rest, z[inner] & rest)
            self.flips.append(Flip(axes, inner, signs[0], plan, outer, signs[1]))


class SplitMap(eqx.Module):
    """`v -> H v`, equal to `FlipMap`, for a vector whose blocks may lie on different devices.

    Attributes:
        inside: for each flip its `H_fb`, with an axis for the block; `None` where nothing acts inside.
        numbers: for each flip what multiplies each block, shape `(2^leading,)`; `None` where nothing does.
        plan: which strings are which.
    """

    inside: tuple[FlipMap | None, ...]
    numbers: tuple[Inexact[Array, " blocks"] | None, ...]
    plan: SplitPlan = eqx.field(static=True)

    def __init__(self, coefficients: Inexact[Array, " strings"], plan: SplitPlan):
        def signed(chosen, signs):
            return coefficients[chosen] * signs.astype(coefficients.dtype)

        self.plan = plan
        self.inside = tuple(
            jax.vmap(lambda c, plan=flip.plan: FlipMap(c, plan))(signed(flip.inner, flip.inner_signs))
            if len(flip.inner)
            else None
            for flip in plan.flips
        )
        self.numbers = tuple(
            jnp.sum(signed(flip.outer, flip.outer_signs), axis=1) if len(flip.outer) else None for flip in plan.flips
        )

    def __call__(self, vector: Inexact[Array, " dim"]) -> Inexact[Array, " dim"]:
        leading, dim = self.plan.leading, 1 << self.plan.sites
        if vector.shape != (dim,):
            raise ValueError(
                f"`vector` must have shape ({dim},), but has {vector.shape}; map over several with `jax.vmap`."
            )
        tensor = vector.reshape((2,) * leading + (-1,))
        total = None
        for flip, inside, numbers in zip(self.plan.flips, self.inside, self.numbers, strict=True):
            blocks = jax.lax.rev(tensor, flip.axes).reshape(1 << leading, -1)
            if inside is not None:
                total = _plus(total, jax.vmap(lambda product, block: product(block))(inside, blocks))
            if numbers is not None:
                total = _plus(total, numbers[:, None] * blocks)
        return jnp.zeros_like(vector) if total is None else total.reshape(dim)


def _plus(total, more):
    return more if total is None else total + more
