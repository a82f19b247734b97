"""Gaussian windows on Bohr frequencies, as spectral functions: `A_ij e^{-(x_i - x_j - u)^2 / 4}`, smooth in levels and in `u`."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from jaxgibbs.linalg import Decomposition
from jaxgibbs.linalg.chains import chain
from jaxgibbs.linalg.divided_differences import Kernel


@dataclasses.dataclass(frozen=True)
class Window:
    """`(d / du)^order e^{-(x - y - u)^2 / 4}`, a spectral function of two variables with the parameter `u`."""

    order: int = 0
    is_complex: bool = False
    variables: int = 2

    def in_parameter(self) -> "Window":
        """The derivative in `u`."""
        return Window(self.order + 1)

    def __call__(self, groups: Sequence[Sequence[Array]], u: Array) -> Array:
        def value(x, y):
            distance = x - y - u
            lower, current = 0.0, jnp.exp(-(distance**2) / 4)
            for n in range(self.order):  # of Hermite's polynomials
                lower, current = current, (distance * current - n * lower) / 2
            return current

        return Kernel(value, _radius)(groups)


def _radius(x: Array) -> Array:
    return jnp.full_like(
        x, 2.0
    )  # entire; within half of it the window changes by a moderate factor of its largest value


def windowed(
    d: Decomposition, matrix: Inexact[Array, "dim dim"], centres: Float[Array, " count"]
) -> Inexact[Array, "count dim dim"]:
    """`A` through a window at each of `centres`, `A_ij e^{-(x_i - x_j - u)^2 / 4}` in the basis of the decomposition."""
    return chain(
        Window(), (0, 1), d.matrix[None], d.eigenvalues[None], d.vectors[None], matrix[None], parameter=centres
    )
