"""Traces of `h^n e^{s h}`, `h` the distance from an edge of the spectrum, by Lanczos quadrature on fixed probes.

    sum over levels  ~  sum_k e^{s h_k} h_k^n  +  (1 / R) sum_r ||r||^2 sum_j w_rj h_rj^n e^{s h_rj}

The first sum is over the levels deflated, if any, the second over Ritz values of the probes on what is left. As functions of `s`
the moments are closed under differentiation. In the couplings the derivative of `<r|f(H)|r>` is, by Daleckii & Krein in the Krylov
space,

    sum_ij G_ij <y_i|dH|y_j>,     G_ij = c_i c_j f[theta_i, theta_j],

with Ritz vectors `y` and first components `c`. `G` has few significant eigenvectors: only these are made, by running the
recurrence again, and the derivative of `theta -> <u|H(theta)|u>` goes to all couplings at once.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from jaxgibbs.linalg import eigh, matmul
from jaxgibbs.linalg.divided_differences import Thermal
from jaxgibbs.linalg.lanczos import krylov_combinations, ritz
from jaxgibbs.linalg.levels import distances
from jaxgibbs.operators import AbstractOperator

from .layout import on_every_device
from .quadrature import Nodes, over_probes, restricted

_SIGNIFICANT = 16  # eigenvectors of G that are kept: their sizes fall faster than geometrically


def reference(s: Float[Array, ""], nodes: Nodes) -> Float[Array, ""]:
    """The level of largest weight, from which `h` is counted."""
    return node_distances(s, nodes)[2]


def node_distances(s, nodes: Nodes):
    """`(scale, (h of levels, h of nodes), reference)`."""
    energies, _ = nodes.flat()
    scale, h, zero = distances(s, energies)
    split = nodes.levels.energies.size
    return scale, (h[:split], h[split:].reshape(nodes.values.shape)), zero


class Moments(eqx.Module):
    """`Tr h^n e^{s h}` for `n = 0, 1, ...` along the first axis: of each probe, and of the levels deflated."""

    probes: Float[Array, "*powers probes"]
    levels: Float[Array, "*powers"]

    def samples(self) -> Float[Array, "probes *powers"]:
        """Independent samples, probes first, whose mean is the trace."""
        return jnp.moveaxis(self.probes + self.levels[..., None], -1, 0)

    def total(self) -> Float[Array, "*powers"]:
        """The estimate of the traces."""
        return jnp.mean(self.probes, axis=-1) + self.levels


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def moments(powers: int, s: Float[Array, ""], operator: AbstractOperator, nodes: Nodes) -> Moments:
    """The first `powers` moments; differentiable in `s` to every order, in the couplings of `operator` once.

    Args:
        powers: how many.
        s: `-beta`, from -inf to +inf.
        operator: what the nodes are of.
        nodes: without derivatives: those in the couplings come from `operator`.
    """
    del operator
    scale, (of_levels, of_nodes), _ = node_distances(s, nodes)

    def weighted(h, weights):
        return jnp.stack([jnp.sum(weights * h**n * jnp.exp(scale * h), axis=-1) for n in range(powers)])

    return Moments(weighted(of_nodes, nodes.weights), weighted(of_levels, nodes.levels.converged))


def _moments_jvp(powers, primals, tangents):
    (s, operator, nodes), (ds, d_operator, _) = primals, tangents
    value = moments(powers, s, operator, nodes)
    change = jax.tree_util.tree_map(jnp.zeros_like, value)
    if not isinstance(ds, SymbolicZero):
        higher = moments(powers + 1, s, operator, nodes)
        change = jax.tree_util.tree_map(lambda x, y: x + y[1:] * ds, change, higher)
    moving = moving_leaves(d_operator)
    if moving:
        gradients = slopes(powers, *once(s, operator, nodes))
        change = jax.tree_util.tree_map(lambda x, y: x + y, change, _contract(gradients, d_operator, moving))
    return value, change


moments.defjvp(_moments_jvp, symbolic_zeros=True)


def moving_leaves(tangent) -> list[int]:
    """Which leaves of a tangent are not zero."""
    leaves = jax.tree_util.tree_leaves(tangent, is_leaf=lambda x: isinstance(x, SymbolicZero))
    return [k for k, d in enumerate(leaves) if not isinstance(d, SymbolicZero) and d.dtype != jax.dtypes.float0]


def _contract(slopes, d_operator, moving):
    """`Re sum_leaves slope . tangent`, for every sample."""
    tangents = jax.tree_util.tree_leaves(d_operator, is_leaf=lambda x: isinstance(x, SymbolicZero))

    def along(tree, axes):
        leaves, total = jax.tree_util.tree_leaves(tree), jnp.zeros(())
        for k in moving:
            flat = leaves[k].reshape(*leaves[k].shape[:axes], -1)
            total = total + matmul(flat, tangents[k].ravel().astype(flat.dtype)).real
        return total.astype(jnp.result_type(float))

    probes, levels = slopes
    return Moments(along(probes, 2), along(levels, 1))


@functools.partial(jax.jit, static_argnums=0)
def slopes(powers: int, s, operator, nodes: Nodes):
    """Gradients of every moment in the couplings: leaves of shape `(powers, probes, ...)`, and `(powers, ...)` of the levels."""
    scale, (of_levels, of_nodes), _ = node_distances(s, nodes)
    spectral = [Thermal(n) for n in range(powers)]

    def pull_back(sizes, vectors):
        """The gradient of `sum_k sizes_k <u_k|H|u_k>` in the couplings."""
        least = jnp.finfo(sizes.dtype).eps * jnp.max(jnp.abs(sizes), initial=0)

        def add(total, now):
            size, vector = now

            def form(operator):
                return size * jnp.vdot(vector, operator.linear_map()(vector), precision="highest").real

            def with_its_own(total):
                return jax.tree_util.tree_map(jnp.add, total, jax.grad(form)(operator))

            # One vector at a time: a product keeps an intermediate for every term of the operator.
            return jax.lax.cond(jnp.abs(size) <= least, lambda total: total, with_its_own, total), None

        zero = jax.tree_util.tree_map(jnp.zeros_like, operator)
        return jax.lax.scan(add, zero, (sizes, vectors))[0]

    def one(index):
        tridiagonal = jax.tree_util.tree_map(lambda x: x[index], nodes.tridiagonal)
        h = of_nodes[index]
        _, basis = ritz(tridiagonal)
        first = tridiagonal.norm * basis[0]
        kernels = jnp.stack([f([[h[:, None], h[None, :]]], scale) for f in spectral])
        sizes, combinations = eigh(first[:, None] * first * kernels)
        largest = jnp.argsort(-jnp.abs(sizes), axis=1)[:, :_SIGNIFICANT]
        sizes = jnp.take_along_axis(sizes, largest, axis=1)
        combinations = jnp.take_along_axis(combinations, largest[:, None, :], axis=2)
        coefficients = jnp.moveaxis(matmul(basis, combinations), 1, 0)
        product, start = restricted(operator, nodes.probes, nodes.levels, index)
        vectors = krylov_combinations(product, start, tridiagonal, coefficients.reshape(h.size, -1))
        # not `vmap`, under which a branch is no branch: the vectors that do not count would be worked on
        return jax.lax.map(
            lambda each: pull_back(*each), (sizes.astype(start.real.dtype), vectors.reshape(*sizes.shape, operator.dim))
        )

    layout = nodes.probes.layout
    of_probes = on_every_device(over_probes(one, nodes.probes.count, operator.dim * _SIGNIFICANT, layout), layout)
    of_probes = jax.tree_util.tree_map(lambda x: jnp.moveaxis(x, 0, 1), of_probes)
    kernels = jnp.stack([f([[of_levels, of_levels]], scale) for f in spectral]) * nodes.levels.converged
    pulled = jax.vmap(pull_back, (0, None))(kernels.astype(nodes.levels.vectors.real.dtype), nodes.levels.vectors)
    return of_probes, pulled


_AT_MOST_ONCE = (
    "A Lanczos estimate must be differentiated in the couplings at most once, and in beta before the couplings, but a "
    "derivative of its derivative in the couplings was asked for; take derivatives in beta first (the innermost), or "
    "use `method=Exact()`, which has every order."
)


def once(*trees):
    """The same values, whose derivatives are refused: they are not what differentiating through the recurrence would give."""
    return without_derivatives(_AT_MOST_ONCE, *trees)


def without_derivatives(message: str, *trees):
    """The same values; to differentiate what depends on them is a `ValueError` with this message."""
    return jax.tree_util.tree_map(lambda x: _refusing(message, x) if eqx.is_inexact_array(x) else x, trees)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _refusing(message, leaf):
    return leaf


@_refusing.defjvp
def _refusing_jvp(message, primals, tangents):
    raise ValueError(message)
