"""The evolution between two jumps, inverted in its eigenbasis: the preconditioner of steady states.

    L_0 X = K X + X K^dagger,     K = -i H_eff = V diag(k) V^-1,
    (L_0 - c)^-1 R = V ((V^-1 R V^-dagger)_ij / (k_i + k_j^* - c)) V^dagger

The remainder of the generator is its jumps: as many iterations are needed as jumps follow on one another, not as the period
of the Hamiltonian fits into the relaxation time. The shift `c`, a small part of the decay rate, keeps dark states regular.
"""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from jaxgibbs.linalg import dagger, eigh, matmul
from jaxgibbs.linalg.general import eig

from .generator import AbstractGenerator
from .hermitian_space import Congruence, as_hermitian, real_adjoint_map, real_jump_map, real_map, real_part

_DARK = 1e-2  # the shift, in units of the mean decay rate
_SKEW = 0.03  # largest condition number of the eigenvectors, times sqrt(eps): its square, times eps, is the error of the inverse

Matrix = Float[Array, "dim dim"]
Map = Callable[[Matrix], Matrix]


class Scales(NamedTuple):
    """`rate`: the mean decay rate. `norm`: a bound of the norm of `L`, which rounding is relative to."""

    rate: Float[Array, ""]
    norm: Float[Array, ""]


def scales(generator: AbstractGenerator) -> Scales:
    """Of a generator without derivatives. The norm does not see the zero of energy."""
    drift = generator.drift()
    rows, columns = (jnp.max(jnp.sum(jnp.abs(drift), axis=axis)) for axis in (1, 0))
    norm = 4 * jnp.sqrt(rows * columns)
    rate = -2 * jnp.trace(drift).real / generator.dim
    return Scales(jnp.where(rate > 0, rate, jnp.where(norm > 0, norm, 1)), jnp.where(norm > 0, norm, 1))


class Preconditioned(NamedTuple):
    """`M`, `P^-1` and `M P^-1` for a shifted generator `M X = L X + s W Tr X`."""

    operator: Map
    inverse: Map
    product: Map


class NoJump(eqx.Module):
    """`(L_0 - c)^-1` and the generator it belongs to, without derivatives.

    Attributes:
        vectors: `V`.
        inverse_vectors: `V^-1`.
        values: `k`.
        rest: what `V diag(k) V^-1` leaves of `K`.
        exact: whether that is rounding.
        shift: `c`.
    """

    generator: AbstractGenerator
    vectors: Complex[Array, "dim dim"]
    inverse_vectors: Complex[Array, "dim dim"]
    values: Complex[Array, " dim"]
    rest: Complex[Array, "dim dim"]
    exact: Array
    shift: Float[Array, ""]
    rate: Float[Array, ""]

    def __init__(self, generator: AbstractGenerator, rate: Float[Array, ""]):
        self.generator, self.rate = generator, rate
        drift = generator.drift()
        self.values, self.vectors, self.inverse_vectors = jax.lax.platform_dependent(
            drift, cpu=_of_drift, default=_of_hamiltonian
        )
        self.rest = drift - matmul(self.vectors * self.values, self.inverse_vectors)
        eps = jnp.finfo(drift.dtype).eps
        self.exact = jnp.linalg.norm(self.rest) <= 1e3 * eps * jnp.linalg.norm(drift)
        self.shift = (_DARK * rate).astype(drift.real.dtype)

    def forward(self, source: Matrix) -> Preconditioned:
        """Of `M X = L X + s W Tr X`, `W` the source and `s` the rate."""
        return self._of(source, self.shift, self.shift)

    def damped(self, rate: Float[Array, ""]) -> Preconditioned:
        """Of `M X = L X - rate X`."""
        return self._of(None, rate, jnp.zeros_like(rate))

    def _of(self, source, shift, kept) -> Preconditioned:
        into, out = Congruence(self.inverse_vectors), Congruence(self.vectors)
        jump, full, rest = real_jump_map(self.generator), real_map(self.generator), self._rest(self.rest)

        def feed(x):
            return 0 if source is None else self.rate * source * jnp.trace(x)

        return _assembled(into, out, self._weights(shift), jump, full, rest, feed, shift, kept)

    def adjoint(self, source: Matrix) -> Preconditioned:
        """Of the transpose of `forward`, `L^+ Y + s 1 <W, Y>`."""
        into, out = Congruence(dagger(self.vectors)), Congruence(dagger(self.inverse_vectors))
        jump, full = real_jump_map(self.generator, adjoint=True), real_adjoint_map(self.generator)
        rest, weights = self._rest(dagger(self.rest)), jnp.conj(self._weights(self.shift))
        one = jnp.eye(self.generator.dim, dtype=source.dtype)

        def feed(y):
            return self.rate * one * jnp.sum(source * y)

        return _assembled(into, out, weights, jump, full, rest, feed, self.shift, self.shift)

    def _weights(self, shift):
        return 1 / (self.values[:, None] + jnp.conj(self.values) - shift)

    def _rest(self, rest):
        """`X -> R X + X R^dagger`, left out where it is rounding."""
        return lambda x: jax.lax.cond(
            self.exact, jnp.zeros_like, lambda x: 2 * real_part(matmul(rest, as_hermitian(x))), x
        )


def _assembled(into, out, weights, jump, full, rest, feed, shift, kept) -> Preconditioned:
    """`M P^-1 = 1 + (J + kept + feed + rest) P^-1`, with `P = L_0 - shift`."""

    def inverse(r):
        r = into(r)
        return out(r * weights.real + r.T * weights.imag)

    def product(y):
        x = inverse(y)
        return y + jump(x) + kept * x + feed(x) + rest(x)

    def operator(x):
        return full(x) + feed(x) - (shift - kept) * x

    return Preconditioned(operator, inverse, product)


def _of_drift(drift):
    """The eigenbasis of `K`, or of `H` where that of `K` is too skew."""
    found = eig(drift)
    skew = found.condition * jnp.sqrt(jnp.finfo(drift.dtype).eps) > _SKEW
    usable = ~skew & jnp.isfinite(found.condition)
    return jax.lax.cond(
        usable, lambda _: (found.values, found.vectors, found.inverse), lambda _: _of_hamiltonian(drift), None
    )


def _of_hamiltonian(drift):
    """The eigenbasis of `H`, with the decay rates of its states."""
    _, vectors = eigh(0.5j * (drift - dagger(drift)))
    values = jnp.sum(jnp.conj(vectors) * matmul(drift, vectors), axis=0)
    return values, vectors, dagger(vectors)
