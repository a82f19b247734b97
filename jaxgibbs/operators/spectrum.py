"""An operator known by its levels and their degeneracies, finite or infinite."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import check_finite

from .base import AbstractOperator, inexact
from .tails import AbstractTail


class Spectrum(AbstractOperator):
    """Levels `E_k` with degeneracies `g_k`, kept as logarithms so that they never overflow.

    Args:
        levels: energies `E_k`, shape `(levels,)`.
        log_degeneracies: `ln g_k`, shape `(levels,)`; zeros (no degeneracy) by default.
        tail: for an infinite spectrum the bound on what the levels left out carry; `None` for a finite one.

    Raises:
        ValueError: if `levels` is empty, complex or not finite, or the shapes differ.
    """

    levels: Float[Array, " levels"]
    log_degeneracies: Float[Array, " levels"]
    tail: AbstractTail | None
    has_degeneracies: bool = eqx.field(static=True)

    def __init__(
        self, levels: ArrayLike, log_degeneracies: ArrayLike | None = None, *, tail: AbstractTail | None = None
    ):
        self.levels = inexact(levels)
        if self.levels.ndim != 1 or self.levels.size == 0 or jnp.iscomplexobj(self.levels):
            raise ValueError(
                "`levels` must be a real vector with at least one entry, but has "
                f"shape {self.levels.shape} and dtype {self.levels.dtype}."
            )
        self.has_degeneracies = log_degeneracies is not None
        if log_degeneracies is None:
            self.log_degeneracies = jnp.zeros_like(self.levels)
        else:
            self.log_degeneracies = inexact(log_degeneracies)
            if jnp.iscomplexobj(self.log_degeneracies):
                raise ValueError(f"`log_degeneracies` must be real, but has dtype {self.log_degeneracies.dtype}.")
            self.log_degeneracies = self.log_degeneracies.astype(self.levels.dtype)
        if self.log_degeneracies.shape != self.levels.shape:
            raise ValueError(
                f"`log_degeneracies` must have the shape of `levels`, {self.levels.shape}, but has {self.log_degeneracies.shape}."
            )
        check_finite("levels", self.levels)
        check_finite("log_degeneracies", self.log_degeneracies)
        self.tail = tail

    @property
    def dim(self) -> int:
        """Number of levels kept (not counting degeneracy)."""
        return self.levels.shape[-1]

    @property
    def dtype(self):
        return self.levels.dtype

    def to_dense(self):
        """The diagonal matrix of the levels; only a finite spectrum without degeneracy is one."""
        if self.has_degeneracies or self.tail is not None:
            raise ValueError(
                "A `Spectrum` with degeneracies or a tail is no finite matrix; use it on its own, in a `KroneckerSum`, or "
                "with observables that are functions of its levels."
            )
        return jnp.diag(self.levels)

    def matvec(self, vector):
        if self.has_degeneracies or self.tail is not None:
            self.to_dense()
        return self.levels * vector
