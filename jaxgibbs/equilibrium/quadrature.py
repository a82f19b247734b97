"""Random probes of a large operator, each kept as the nodes and weights of Gauss's quadrature in its Krylov space.

    Tr f(H)  ~  sum_k f(E_k)  +  (1 / R) sum_r ||r||^2 sum_j w_rj f(theta_rj)

The first sum is over the levels deflated, if any, the second over Ritz values of the probes on what is left.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Inexact

from jaxgibbs.linalg import matmul
from jaxgibbs.linalg.lanczos import Tridiagonal, lanczos, ritz
from jaxgibbs.operators import AbstractOperator

from .layout import Layout, devices, map_probes, on_every_device, split_vectors

_TOGETHER = {"cpu": 2**17}  # numbers in the vectors of the probes advanced together; on a CPU they should stay in cache
_TOGETHER_ELSEWHERE = 2**26


class Probes(eqx.Module):
    """Which vectors are drawn, and where they lie."""

    key: Array
    count: int = eqx.field(static=True)
    distribution: Callable = eqx.field(static=True)
    layout: Layout = eqx.field(static=True, default=None)


class Levels(eqx.Module):
    """Eigenpairs that are summed exactly; those not `converged` are left to the probes.

    Attributes:
        energies: shape `(levels,)`.
        vectors: shape `(levels, dim)`, orthonormal; 0 where not converged.
        residuals: `||H y - E y||`.
        converged: whether the pair is used.
        ends: 1 for a level that is one of the lowest, -1 for one of the highest.
    """

    energies: Float[Array, " levels"]
    vectors: Inexact[Array, "levels dim"]
    residuals: Float[Array, " levels"]
    converged: Bool[Array, " levels"]
    ends: tuple[int, ...] = eqx.field(static=True)


class Nodes(eqx.Module):
    """All that is kept of a run: one tridiagonal matrix a probe, its nodes and weights, and the levels deflated."""

    probes: Probes
    tridiagonal: Tridiagonal
    values: Float[Array, "probes depth"]
    weights: Float[Array, "probes depth"]
    levels: Levels

    @property
    def depth(self) -> int:
        """Dimension of the Krylov spaces."""
        return self.values.shape[1]

    def leading(self, depth: int) -> "Nodes":
        """The nodes of a shorter run."""
        tridiagonal = jax.vmap(lambda t: t.leading(depth))(self.tridiagonal)
        return Nodes(self.probes, tridiagonal, *_gauss(tridiagonal), self.levels)

    def and_those_of(self, other: "Nodes") -> "Nodes":
        """With the nodes of the probes that follow."""
        count = self.probes.count + other.probes.count
        probes = Probes(self.probes.key, count, self.probes.distribution, self.probes.layout)
        kept, more = ((n.tridiagonal, n.values, n.weights) for n in (self, other))
        tridiagonal, values, weights = jax.tree_util.tree_map(lambda x, y: jnp.concatenate([x, y]), kept, more)
        return Nodes(probes, tridiagonal, values, weights, self.levels)

    def reaches(self, s: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether a level deflated lies at the edge of the spectrum that `s` prefers."""
        if len(self.levels.energies) == 0:
            return jnp.asarray(False)
        upwards = jnp.where(s > 0, 1, -1)
        levels = jnp.max(jnp.where(self.levels.converged, upwards * self.levels.energies, -jnp.inf))
        rest = jnp.max(jnp.where(self.weights > 0, upwards * self.values, -jnp.inf))
        slack = 1e-8 * jnp.maximum(jnp.abs(levels), jnp.max(jnp.abs(self.values)))
        return levels >= rest - slack

    def is_complete(self, s: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether all states of the level at that edge were deflated: where one beyond it was found, or there is no other."""
        if len(self.levels.energies) == 0:
            return jnp.asarray(False)
        upwards, of_end = jnp.where(s > 0, 1, -1), jnp.asarray(self.levels.ends) == jnp.where(s > 0, -1, 1)
        heights = jnp.where(self.levels.converged, upwards * self.levels.energies, -jnp.inf)
        slack = 1e-8 * jnp.max(jnp.abs(self.values))
        beyond = jnp.any(self.levels.converged & of_end & (heights < jnp.max(heights) - slack))
        return self.reaches(s) & (beyond | (jnp.sum(self.levels.converged) == self.levels.vectors.shape[1]))

    def flat(self) -> tuple[Float[Array, " nodes"], Float[Array, " nodes"]]:
        """All nodes, the levels deflated first, and the logarithms of how many states each stands for.

        Nodes without weight are put on one that has weight.
        """
        energies = jnp.concatenate([self.levels.energies, self.values.ravel()])
        states = jnp.concatenate([self.levels.converged, self.weights.ravel() / self.probes.count])
        return jnp.where(states > 0, energies, energies[jnp.argmax(states > 0)]), jnp.log(states)


def _gauss(tridiagonal: Tridiagonal):
    """Ritz values, and weights that add up to `||r||^2`."""
    values, vectors = jax.vmap(ritz)(tridiagonal)
    return values, tridiagonal.norm[:, None] ** 2 * vectors[:, 0, :] ** 2


def gauss_nodes(operator: AbstractOperator, probes: Probes, depth: int, levels: Levels, first=0) -> Nodes:
    """Run the Lanczos process from the probes `first, first + 1, ...`; without derivatives.

    Coefficients are kept in the widest dtype there is.
    """
    wide = jnp.result_type(float)

    def run(operator, probes, levels):
        def one(index):
            product, start = restricted(operator, probes, levels, first + index)
            return lanczos(product, start, depth)

        found = over_probes(one, probes.count, operator.dim, probes.layout)
        return on_every_device(jax.tree_util.tree_map(lambda x: x.astype(wide), found), probes.layout)

    tridiagonal = run(*jax.lax.stop_gradient((operator, probes, levels)))
    return Nodes(probes, tridiagonal, *_gauss(tridiagonal), levels)


def restricted(operator, probes: Probes, levels: Levels, index):
    """The product with `H` on the complement of the levels deflated, and the probe there."""
    start = split_vectors(probes.distribution(probes.key, index, operator.dim, operator.dtype), probes.layout)
    return projected(operator.linear_map(), levels.vectors), complement(start, levels.vectors)


def complement(vector, vectors):
    """The part of `vector` orthogonal to the rows of `vectors`."""
    if len(vectors) == 0:
        return vector
    for _ in range(2):
        vector = vector - matmul(matmul(vectors.conj(), vector), vectors)
    return vector


def projected(product: Callable, vectors) -> Callable:
    """`v -> Q H v` for `v` in the complement of the rows of `vectors`."""
    if len(vectors) == 0:
        return product
    return lambda vector: complement(product(vector), vectors)


def over_probes(function: Callable, count: int, dim: int, layout: Layout = None):
    """`function(index)` for every probe, as many at once as keep their vectors small; the numbers do not depend on it."""
    room = _TOGETHER.get(jax.default_backend(), _TOGETHER_ELSEWHERE)
    groups, parts = devices(layout)
    together = max(1, min(-(-count // groups), room * parts // dim))
    if layout is not None:
        return map_probes(function, count, together, layout)
    if together == 1:
        return jax.lax.map(function, jnp.arange(count))
    return jax.lax.map(function, jnp.arange(count), batch_size=together)
