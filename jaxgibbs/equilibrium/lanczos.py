"""The Lanczos method: random probes, Krylov spaces, and how large a sample of them is drawn."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
from jax.sharding import NamedSharding
from jaxtyping import Array

from jaxgibbs.linalg import random_phases
from jaxgibbs.operators.local import whole_number

from .methods import AbstractMethod


class Sizes(NamedTuple):
    """What sets the shapes of a sample; `deflation` is a pair, of the lowest and of the highest levels."""

    probes: int
    depth: int
    deflation: tuple[int, int]


class Lanczos(AbstractMethod):
    """Lanczos quadrature on random probes: products of the operator with vectors are all that is needed.

    The numbers are deterministic functions of the operator and the key: probes stay fixed, so `jax.grad` of `log_partition`
    (or energy, entropy, heat capacity) in the couplings is the derivative of the estimate, up to the error of the Krylov
    space: of the first order there, where that of the value, `state.systematic_error`, is of the second. Derivatives in
    `beta` exist to every order, in the couplings to the first, in both modes; beyond that they are refused.

    Args:
        probes: number of random vectors `R`, by default 16; errors fall as `1 / sqrt(R)`. In units of its standard error the
            true one follows Student's t with `R - 1` degrees of freedom: of four probes it is above two in one case of seven.
        depth: dimension of the Krylov space of each, by default 60: the larger, the lower the temperatures it serves.
        deflation: how many of the lowest and of the highest levels to sum exactly, one number or a pair, by default 0. Zero
            temperature becomes exact and the entropy cannot be negative. Derivatives hold the subspace fixed.
        accuracy: the error of `ln Z` (the relative error of Z) that is wanted. Of `probes`, `depth` and `deflation` those not
            given are then chosen for it at the `beta` asked, outside `jit`; `state.spectrum.method` is what was chosen, for
            use inside. What is not reached `state.result` says.
        distribution: `linalg.random_phases`, `linalg.random_sphere` or a function with their arguments.
        key: PRNG key; change it for another sample.
        sharding: optionally how the probe vectors, an array of shape `(probes, dim)`, lie on devices: a `NamedSharding` with
            `P("a")` gives each device probes of its own, with `P(None, "b")` it splits each vector by its leading qubits,
            with `P("a", "b")` both. Random numbers stay the same, and answers up to rounding.
        max_probes: most probes to choose.
        max_depth: largest Krylov space to choose.
        max_deflation: most levels at either end to choose.

    Raises:
        ValueError: if a number is not whole and positive (`deflation`: not negative), `accuracy` is not positive, or
            `sharding` is none of two axes.
    """

    probes: int | None = eqx.field(static=True, default=None)
    depth: int | None = eqx.field(static=True, default=None)
    deflation: int | tuple[int, int] | None = eqx.field(static=True, default=None)
    accuracy: float | None = eqx.field(static=True, default=None)
    distribution: Callable = eqx.field(static=True, default=random_phases)
    key: Array = eqx.field(default_factory=lambda: jax.random.key(0))
    sharding: NamedSharding | None = eqx.field(static=True, default=None)
    max_probes: int = eqx.field(static=True, default=1024)
    max_depth: int = eqx.field(static=True, default=240)
    max_deflation: int = eqx.field(static=True, default=16)

    def __check_init__(self):
        for name in ("probes", "depth", "max_probes", "max_depth"):
            if getattr(self, name) is not None:
                whole_number(name, getattr(self, name))
        whole_number("max_deflation", self.max_deflation, least=0)
        pair = self.deflation if isinstance(self.deflation, tuple) else (self.deflation or 0,) * 2
        if len(pair) != 2:
            raise ValueError(f"`deflation` must be a number or a pair of numbers, but is {self.deflation}.")
        for count in pair:
            whole_number("deflation", count, least=0)
        if self.accuracy is not None and not self.accuracy > 0:
            raise ValueError(f"`accuracy` must be positive, but is {self.accuracy}.")
        if self.sharding is not None and not (
            isinstance(self.sharding, NamedSharding) and len(self.sharding.spec) <= 2
        ):
            raise ValueError(
                "`sharding` must be a `jax.sharding.NamedSharding` of an array with the axes (probes, dim), but is "
                f"{self.sharding!r}."
            )

    def sizes(self, default: Sizes | None = None) -> Sizes:
        """What was given, and else what is the `default`."""
        if default is None:
            # One level at either end is what keeps the entropy positive, and all that can be done without looking.
            default = Sizes(16, 60, (0, 0) if self.accuracy is None else (1, 1))
        deflation = default.deflation if self.deflation is None else self.deflation
        return Sizes(
            default.probes if self.probes is None else self.probes,
            default.depth if self.depth is None else self.depth,
            deflation if isinstance(deflation, tuple) else (deflation, deflation),
        )

    def with_sizes(self, sizes: Sizes) -> "Lanczos":
        """The same method with these."""
        return Lanczos(
            *sizes,
            self.accuracy,
            self.distribution,
            self.key,
            self.sharding,
            self.max_probes,
            self.max_depth,
            self.max_deflation,
        )
