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
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Bool, Float, Inexact

from jaxgibbs.linalg import eigh, matmul
from jaxgibbs.linalg.divided_differences import Thermal
from jaxgibbs.linalg.lanczos import Tridiagonal, krylov_combinations, lanczos, ritz
from jaxgibbs.linalg.levels import distances
from jaxgibbs.operators import AbstractOperator

from .layout import Layout, devices, map_probes, on_every_device, split_vectors

_SIGNIFICANT = 16  # eigenvectors of G that are kept: their sizes fall faster than geometrically
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
    """

    energies: Float[Array, " levels"]
    vectors: Inexact[Array, "levels dim"]
    residuals: Float[Array, " levels"]
    converged: Bool[Array, " levels"]


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


def gauss_nodes(operator: AbstractOperator, probes: Probes, depth: int, levels: Levels) -> Nodes:
    """Run the Lanczos process from every probe; without derivatives. Coefficients are kept in the widest dtype there is."""
    wide = jnp.result_type(float)

    def run(operator, probes, levels):
        def one(index):
            product, start = _restricted(operator, probes, levels, index)
            return lanczos(product, start, depth)

        found = over_probes(one, probes.count, operator.dim, probes.layout)
        return on_every_device(jax.tree_util.tree_map(lambda x: x.astype(wide), found), probes.layout)

    tridiagonal = run(*jax.lax.stop_gradient((operator, probes, levels)))
    return Nodes(probes, tridiagonal, *_gauss(tridiagonal), levels)


def _restricted(operator, probes: Probes, levels: Levels, index):
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


# -- moments ------------------------------------------------------------------------------------------------------------


def reference(s: Float[Array, ""], nodes: Nodes) -> Float[Array, ""]:
    """The level of largest weight, from which `h` is counted."""
    return _distances(s, nodes)[2]


def _distances(s, nodes: Nodes):
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
    scale, (of_levels, of_nodes), _ = _distances(s, nodes)

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
    moving = _moving(d_operator)
    if moving:
        slopes = _slopes(powers, *once(s, operator, nodes))
        change = jax.tree_util.tree_map(lambda x, y: x + y, change, _contract(slopes, d_operator, moving))
    return value, change


moments.defjvp(_moments_jvp, symbolic_zeros=True)


def _moving(tangent) -> list[int]:
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
def _slopes(powers: int, s, operator, nodes: Nodes):
    """Gradients of every moment in the couplings: leaves of shape `(powers, probes, ...)`, and `(powers, ...)` of the levels."""
    scale, (of_levels, of_nodes), _ = _distances(s, nodes)
    spectral = [Thermal(n) for n in range(powers)]

    def pull_back(sizes, vectors):
        """The gradient of `sum_k sizes_k <u_k|H|u_k>` in the couplings."""

        def add(total, now):
            size, vector = now

            def form(operator):
                return size * jnp.vdot(vector, operator.linear_map()(vector), precision="highest").real

            # One vector at a time: a product keeps an intermediate for every term of the operator.
            return jax.tree_util.tree_map(jnp.add, total, jax.grad(form)(operator)), None

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
        product, start = _restricted(operator, nodes.probes, nodes.levels, index)
        vectors = krylov_combinations(product, start, tridiagonal, coefficients.reshape(h.size, -1))
        return jax.vmap(pull_back)(sizes.astype(start.real.dtype), vectors.reshape(*sizes.shape, operator.dim))

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


# -- observables --------------------------------------------------------------------------------------------------------


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def sandwich(
    powers: tuple[int, int], s, observable: AbstractOperator, operator: AbstractOperator, nodes: Nodes
) -> Moments:
    """`Re Tr h^a e^{s h / 2} A h^b e^{s h / 2}` in the symmetric form, which keeps its accuracy at low temperature.

    Differentiable in `s` to every order and in the couplings of the observable `A`; not in those of the Hamiltonian.

    Reference:
        Aichhorn, Daghofer, Evertz & von der Linden, PRB 67, 161103 (2003).
    """
    return _sandwich(powers, s, observable, operator, nodes)


def _sandwich_jvp(powers, primals, tangents):
    (s, observable, operator, nodes), (ds, d_observable, d_operator, _) = primals, tangents
    if _moving(d_operator):
        raise ValueError(
            "An expectation value by Lanczos must not be differentiated in the couplings of the Hamiltonian, but was; "
            "differentiate `log_partition` of `hamiltonian - f * observable` in `f` instead, or use `method=Exact()`."
        )
    value = sandwich(powers, s, observable, operator, nodes)
    change = jax.tree_util.tree_map(jnp.zeros_like, value)
    if not isinstance(ds, SymbolicZero):
        a, b = powers
        for higher in ((a + 1, b), (a, b + 1)):
            more = sandwich(higher, s, observable, operator, nodes)
            change = jax.tree_util.tree_map(lambda x, y: x + y * ds / 2, change, more)
    if _moving(d_observable):
        d_observable = jax.tree_util.tree_map(
            lambda x, d: jnp.zeros_like(x) if isinstance(d, SymbolicZero) else d, observable, d_observable
        )
        _, along = jax.jvp(lambda o: _sandwich(powers, s, o, operator, nodes), (observable,), (d_observable,))
        change = jax.tree_util.tree_map(lambda x, y: x + y, change, along)
    return value, change


sandwich.defjvp(_sandwich_jvp, symbolic_zeros=True)


@functools.partial(jax.jit, static_argnums=0)
def _sandwich(powers, s, observable, operator, nodes: Nodes) -> Moments:
    scale, (of_levels, _), _ = _distances(s, nodes)

    def form(product, left, right):
        return jnp.vdot(left, product(right), precision="highest").real.astype(scale.dtype)

    def one(index):
        made = jax.lax.stop_gradient(thermal_vectors(tuple(dict.fromkeys(powers)), s, operator, nodes, index))
        return form(observable.linear_map(), made[0], made[-1])

    weights = nodes.levels.converged * of_levels ** sum(powers) * jnp.exp(scale * of_levels)
    exactly = jax.vmap(functools.partial(form, observable.linear_map()))(nodes.levels.vectors, nodes.levels.vectors)
    of_probes = over_probes(one, nodes.probes.count, operator.dim, nodes.probes.layout)
    return Moments(on_every_device(of_probes, nodes.probes.layout), jnp.sum(weights * exactly))


def thermal_vectors(powers: tuple[int, ...], s, operator, nodes: Nodes, index) -> Inexact[Array, "powers dim"]:
    """`h^n e^{s h / 2}|r>` of one probe, for every `n` of `powers`."""
    scale, (_, of_nodes), _ = _distances(s, nodes)
    tridiagonal = jax.tree_util.tree_map(lambda x: x[index], nodes.tridiagonal)
    h = of_nodes[index]
    _, basis = ritz(tridiagonal)
    amplitudes = tridiagonal.norm * basis[0] * jnp.exp(scale * h / 2)
    coefficients = matmul(basis, jnp.stack([amplitudes * h**n for n in powers], axis=1))
    product, start = _restricted(operator, nodes.probes, nodes.levels, index)
    return krylov_combinations(product, start, tridiagonal, coefficients)
