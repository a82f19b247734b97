"""What a Gaussian state says about products of operators and about its subsystems: all follows from its two-point functions."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from jaxgibbs.linalg import Decomposition, dagger, decompose, matmul
from jaxgibbs.linalg.chains import chain
from jaxgibbs.linalg.divided_differences import Analytic
from jaxgibbs.linalg.exponential_family import trace_product
from jaxgibbs.operators.quadratic import AbstractQuadratic

_MOST_OPERATORS = 8


def contractions(correlations: Inexact[Array, "sites sites"], pairs: Inexact[Array, "sites sites"]):
    """`<left right>` of two ladder operators in normal order, each given as `(site, creates)`."""

    def contract(left, right):
        (i, left_creates), (j, right_creates) = left, right
        if left_creates:
            return jnp.conj(pairs[j, i]) if right_creates else correlations[i, j]
        return pairs[i, j]

    return contract


def ladder_expectation(contract, created, annihilated, sign: int) -> Inexact[Array, ""]:
    """The sum over all ways of pairing the operators (Wick 1950), for fermions (`sign` -1) with the sign of the permutation.

    Raises:
        ValueError: for more than eight operators.
    """
    operators = [(int(site), True) for site in created] + [(int(site), False) for site in annihilated]
    if len(operators) > _MOST_OPERATORS:
        raise ValueError(f"At most {_MOST_OPERATORS} operators may be multiplied, but there are {len(operators)}.")

    def pairings(rest):
        if not rest:
            return 1.0
        first, *others = rest
        terms = (
            sign**k * contract(first, other) * pairings(others[:k] + others[k + 1 :]) for k, other in enumerate(others)
        )
        return sum(terms)

    return jnp.asarray(0.0 if len(operators) % 2 else pairings(operators))


# -- entropies -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _ModeEntropy:
    """Entropy of a mode of Renyi order `order` as a function of its occupation `n`; its derivative is what it is called for.

    `symplectic`: as a function of `+-(n + 1/2)` instead, even.
    """

    order: float
    bosonic: bool
    symplectic: bool = False

    def value(self, x: Array) -> Array:
        """`-n ln n + sign (1 + sign n) ln(1 + sign n)`, or `sign ln((1 + sign n)^a - sign n^a) / (a - 1)`."""
        sign, a = (1 if self.bosonic else -1), self.order
        n = jnp.abs(x) - 0.5 if self.symplectic else x
        n = jnp.maximum(n, 0) if self.bosonic else jnp.clip(n, 0, 1)
        if a == 1:
            return -_x_log_x(n) + sign * _x_log_x(1 + sign * n)
        return sign * jnp.log((1 + sign * n) ** a - sign * n**a) / (a - 1)

    def __call__(self, x: Array) -> Array:
        sign, a = (1 if self.bosonic else -1), self.order
        outer = jnp.where(x.real < 0, -1, 1) if self.symplectic else 1
        n = outer * x - 0.5 if self.symplectic else x
        other = 1 + sign * n
        if a == 1:
            return outer * (jnp.log(other) - jnp.log(n))
        return outer * a / (a - 1) * (other ** (a - 1) - n ** (a - 1)) / (other**a - sign * n**a)

    def inside(self, x: Array) -> Array:
        """Where the slope is finite: an empty or a full mode is moved by rounding."""
        tiny = jnp.finfo(x.dtype).eps / 4
        if self.symplectic:
            return jnp.where(x < 0, -1, 1) * jnp.maximum(jnp.abs(x), 0.5 + 4 * tiny)
        return jnp.maximum(x, tiny) if self.bosonic else jnp.clip(x, tiny, 1 - 2 * tiny)


@dataclasses.dataclass(frozen=True)
class _Radius:
    entropy: _ModeEntropy

    def __call__(self, x: Array) -> Array:
        if self.entropy.symplectic:
            return jnp.abs(x) - 0.5
        return x if self.entropy.bosonic else jnp.minimum(x, 1 - x)


def _x_log_x(x):
    return x * jnp.log(jnp.where(x > 0, x, 1))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _summed(entropy: _ModeEntropy, occupations: Decomposition) -> Float[Array, ""]:
    return jnp.sum(entropy.value(occupations.eigenvalues))


@_summed.defjvp
def _summed_jvp(entropy, primals, tangents):
    d = primals[0]
    nodes = jax.lax.stop_gradient(entropy.inside(d.eigenvalues))
    slope = chain(Analytic(entropy, _Radius(entropy)), (0,), d.matrix, nodes, d.vectors)
    return _summed(entropy, d), trace_product(slope, tangents[0].matrix)


def subsystem_entropy(
    occupied: Inexact[Array, "size size"], operator: AbstractQuadratic, sites, order: float
) -> Float[Array, ""]:
    """Entropy of the state of `sites` (Peschel 2003; for bosons with pairing from the symplectic spectrum)."""
    sites = np.atleast_1d(np.asarray(sites, int))
    if sites.ndim != 1 or len(set(sites.tolist())) != sites.size or not np.all((sites >= 0) & (sites < operator.dim)):
        raise ValueError(f"`sites` must be different numbers from 0 to {operator.dim - 1}, but are {sites.tolist()}.")
    if not 0 < order < np.inf:
        raise ValueError(f"`order` must be positive and finite, but is {order}.")
    bosonic = operator.sign > 0
    entropy = _ModeEntropy(order, bosonic)
    if not operator.paired:
        return _summed(entropy, decompose(occupied[sites[:, None], sites[None, :]]))
    both = np.concatenate([sites, sites + operator.dim])
    part = occupied[both[:, None], both[None, :]]
    if not bosonic:
        return _summed(entropy, decompose(part)) / 2
    metric = jnp.asarray(np.repeat([1.0, -1.0], sites.size), part.real.dtype)
    factor = jnp.linalg.cholesky(part + jnp.diag(metric).astype(part.dtype) / 2)  # of the symmetrised covariance
    symplectic = decompose(matmul(dagger(factor) * metric, factor))
    return _summed(_ModeEntropy(order, True, symplectic=True), symplectic) / 2
