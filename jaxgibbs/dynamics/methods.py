"""The methods by which a state is evolved: their fields are their knobs."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete


class AbstractEvolution(eqx.Module):
    """How a state is evolved; its fields are its knobs."""


def _tolerance(value: ArrayLike | None) -> Array | None:
    if value is None:
        return None
    array = jnp.asarray(value, jnp.result_type(float))
    if is_concrete(array) and not (array.ndim == 0 and 0 < float(array) < 1):
        raise ValueError(f"A tolerance must be a number between 0 and 1, but is {value}.")
    return array


def _count(name: str, value: int) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` must be a positive whole number, but is {value!r}.")
    return value


class Propagator(AbstractEvolution):
    """The exponential of the `dim^2 x dim^2` matrix of the generator, by scaling and squaring: exact at all times.

    About ten such matrices are held, 2.5 GiB in dimension 64 (in double precision); what does not fit into the device is
    refused. Its time grows as `dim^6` and, through the squarings, as the logarithm of the length of a step. Equal steps, where
    the times can be read, share one exponential.
    """


class Taylor(AbstractEvolution):
    """Taylor's series of the exponential, applied to the state: products with the generator alone, no matrix of it.

    `e^{L t} rho = sum_k t^k / k! L^k rho` is summed up to `degree`. How long a step may be follows afterwards from the terms
    found: so long that the last one, and the rounding of the largest, are below the tolerance. No step is rejected, and each
    gives the state at every time within it. Trace and Hermiticity are kept to rounding. The number of steps is about
    `||L|| t / 6`: where that is too many, for slow decay among fast motion, `Propagator()` is the way. It holds `degree` matrices
    beside the states it returns; what does not fit into the device is refused.

    Args:
        tolerance: of a step, relative to the norm of the state; `eps^(2/3)` if not given.
        degree: of the polynomial; 30 in double and 12 in single precision if not given.
        max_steps: the most steps.
    """

    tolerance: Float[Array, ""] | None = eqx.field(converter=_tolerance, default=None)
    degree: int | None = eqx.field(static=True, default=None)
    max_steps: int = eqx.field(static=True, default=1024)

    def __check_init__(self):
        _count("max_steps", self.max_steps)
        if self.degree is not None and _count("degree", self.degree) < 2:
            raise ValueError("`degree` must be at least 2: the length of a step is read off the last two terms.")


class RungeKutta(AbstractEvolution):
    """An adaptive Runge-Kutta method of diffrax, which steps onto the times asked for: also for generators that change in time.

    Args:
        relative: tolerance of a step relative to each matrix element; `eps^(5/9)` if not given, 2e-9 in double precision.
        absolute: tolerance of a step, absolute; a hundredth of the relative one if not given.
        solver: a solver of diffrax, `diffrax.Dopri8()` if not given; `diffrax.Kvaerno5()` for stiff generators.
        max_steps: the most steps.
        forward: differentiate in forward mode (`jax.jvp`, `jax.jacfwd`) instead of reverse mode (`jax.grad`).
    """

    relative: Float[Array, ""] | None = eqx.field(converter=_tolerance, default=None)
    absolute: Float[Array, ""] | None = eqx.field(converter=_tolerance, default=None)
    solver: Any = None
    max_steps: int = eqx.field(static=True, default=4096)
    forward: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        _count("max_steps", self.max_steps)
