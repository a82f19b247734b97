"""The inner products of detailed balance, `<A, B> = sum_ij w_ij conj(A_ij) B_ij` in the eigenbasis of the state."""

import abc
from collections.abc import Callable, Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from jaxgibbs.linalg import Exponential, Kernel, dagger, matmul
from jaxgibbs.linalg.chains import chain

Matrices = Inexact[Array, "*batch dim dim"]


class AbstractWeight(eqx.Module):
    """A weighted inner product of observables; its map is `W X = sum_ij w_ij P_i X P_j`."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What the inner product is called."""

    @abc.abstractmethod
    def log_weights(self, log_populations: Float[Array, " dim"]) -> Float[Array, "dim dim"]:
        """`ln w_ij`, from `ln p_i`."""

    @abc.abstractmethod
    def root(self, exponent: Matrices, nodes: Float[Array, " dim"], sign: int) -> Callable[[Matrices], Matrices]:
        """`X -> W^(sign / 2) X`, exact entry by entry, with derivatives of every order in `ln sigma`.

        Args:
            exponent: `ln sigma` in its own eigenbasis at this point, which carries the derivative.
            nodes: its eigenvalues, constants.
            sign: 1, or -1 for the inverse.
        """


class PowerWeight(AbstractWeight):
    """`<A, B>_s = Tr(sigma^s A^dagger sigma^(1-s) B)`, `w_ij = p_j^s p_i^(1-s)`; `s` and `1 - s` give the same residuals.

    Args:
        exponent: `s`, from 0 to 1: 1/2 is that of Kubo, Martin and Schwinger (KMS), 1 that of Gelfand, Naimark and Segal (GNS).

    Raises:
        ValueError: if `s` is not a number from 0 to 1.
    """

    exponent: float = eqx.field(static=True, converter=float)

    def __check_init__(self):
        if not 0 <= self.exponent <= 1:
            raise ValueError(f"The exponent of a weight must lie from 0 to 1, but is {self.exponent}.")

    @property
    def name(self) -> str:
        known = {0.0: "s = 0", 0.5: "KMS (s = 1/2)", 1.0: "GNS (s = 1)"}
        return known.get(self.exponent, f"s = {self.exponent:g}")

    def log_weights(self, log_populations):
        return (1 - self.exponent) * log_populations[:, None] + self.exponent * log_populations[None, :]

    def root(self, exponent, nodes, sign):
        left, right = (self._power(exponent, nodes, sign * power / 2) for power in (1 - self.exponent, self.exponent))
        return lambda x: matmul(matmul(left.astype(x.dtype), x), right.astype(x.dtype))

    def _power(self, exponent, nodes, power: float):
        one = jnp.eye(nodes.shape[-1], dtype=exponent.dtype)
        return chain(Exponential(), (0,), power * exponent, power * nodes, one)


class BogoliubovWeight(AbstractWeight):
    """`<A, B> = int_0^1 <A, B>_s ds` of Bogoliubov, Kubo and Mori: `w_ij = (p_i - p_j) / (ln p_i - ln p_j)`."""

    @property
    def name(self) -> str:
        return "BKM"

    def log_weights(self, log_populations):
        mean = (log_populations[:, None] + log_populations[None, :]) / 2
        distance = jnp.abs(log_populations[:, None] - log_populations[None, :])
        near = distance < 1e-3  # ln(sinh(x / 2) / (x / 2)) = x^2 / 24 - x^4 / 2880 + ...
        far = jnp.where(near, 1, distance)
        ratio = far / 2 + jnp.log(-jnp.expm1(-far) / far)
        return mean + jnp.where(near, distance**2 / 24, ratio)

    def root(self, exponent, nodes, sign):
        kernel = _ROOT if sign > 0 else _INVERSE_ROOT
        one = jnp.eye(nodes.shape[-1], dtype=exponent.dtype)
        return lambda x: chain(kernel, (0, 1), exponent, nodes, one, x)


def _root_of_mean(x: Array, y: Array) -> Array:
    """The square root of the logarithmic mean of `e^x` and `e^y`; real, or complex near the real axis."""
    gap = x - y
    gap = jnp.where(gap.real < 0, -gap, gap)
    small = jnp.abs(gap) < 1e-3
    safe = jnp.where(small, 1, gap)
    ratio = jnp.where(small, 1 - gap / 2 + gap**2 / 6 - gap**3 / 24, (1 - jnp.exp(-safe)) / safe)
    return jnp.exp((x + y) / 4 + gap / 4) * jnp.sqrt(ratio)


def _inverse_root_of_mean(x: Array, y: Array) -> Array:
    return 1 / _root_of_mean(x, y)


def _radius(x: Array) -> Array:
    """The nearest singularities are at `x - y = +-2 pi i`."""
    return jnp.full_like(x, 2.0)


_ROOT, _INVERSE_ROOT = Kernel(_root_of_mean, _radius), Kernel(_inverse_root_of_mean, _radius)

KMS, GNS, BKM = PowerWeight(0.5), PowerWeight(1.0), BogoliubovWeight()
WEIGHTS: tuple[AbstractWeight, ...] = (PowerWeight(0.0), PowerWeight(0.25), KMS, GNS, BKM)


def as_weight(weight: AbstractWeight | float) -> AbstractWeight:
    """`weight` itself, or the one of a real number `s`."""
    return weight if isinstance(weight, AbstractWeight) else PowerWeight(weight)


def on_columns(function: Callable[[Matrices], Matrices], matrix: Matrices) -> Matrices:
    """`F M` for a map `F` of matrices and the matrix `M` of another on stacked columns."""
    size = matrix.shape[-1]
    dim = round(size**0.5)
    images = jnp.swapaxes(jnp.swapaxes(matrix, -1, -2).reshape(size, dim, dim), -1, -2)
    images = function(images)
    return jnp.swapaxes(jnp.swapaxes(images, -1, -2).reshape(size, size), -1, -2)


def between(left: Callable[[Matrices], Matrices], matrix: Matrices, right: Callable[[Matrices], Matrices]) -> Matrices:
    """`F M G` for maps `F` and `G`, `G` given by its adjoint."""
    return dagger(on_columns(right, dagger(on_columns(left, matrix))))


def by_elements(weight: AbstractWeight, log_populations: Float[Array, " dim"], matrix: Matrices) -> Matrices:
    """`W^(1/2) M W^(-1/2)` as a scaling of elements by ratios, `exp((ln w_a - ln w_b) / 2)`; no derivative in the state."""
    logs = jnp.swapaxes(weight.log_weights(log_populations), 0, 1).reshape(-1)
    return jnp.exp((logs[:, None] - logs[None, :]) / 2) * matrix


def names(weights: Sequence[AbstractWeight]) -> tuple[str, ...]:
    """What they are called."""
    return tuple(weight.name for weight in weights)
