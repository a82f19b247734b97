"""Expectation values between thermal vectors `e^{-beta H / 2}|r>`, made in Krylov spaces by running the recurrence again."""

import functools

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Inexact

from jaxgibbs.linalg import matmul
from jaxgibbs.linalg.lanczos import krylov_combinations, ritz
from jaxgibbs.operators import AbstractOperator

from .layout import on_every_device
from .moments import Moments, moving_leaves, node_distances
from .quadrature import Nodes, over_probes, restricted


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
    if moving_leaves(d_operator):
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
    if moving_leaves(d_observable):
        d_observable = jax.tree_util.tree_map(
            lambda x, d: jnp.zeros_like(x) if isinstance(d, SymbolicZero) else d, observable, d_observable
        )
        _, along = jax.jvp(lambda o: _sandwich(powers, s, o, operator, nodes), (observable,), (d_observable,))
        change = jax.tree_util.tree_map(lambda x, y: x + y, change, along)
    return value, change


sandwich.defjvp(_sandwich_jvp, symbolic_zeros=True)


@functools.partial(jax.jit, static_argnums=0)
def _sandwich(powers, s, observable, operator, nodes: Nodes) -> Moments:
    scale, (of_levels, _), _ = node_distances(s, nodes)

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
    scale, (_, of_nodes), _ = node_distances(s, nodes)
    tridiagonal = jax.tree_util.tree_map(lambda x: x[index], nodes.tridiagonal)
    h = of_nodes[index]
    _, basis = ritz(tridiagonal)
    amplitudes = tridiagonal.norm * basis[0] * jnp.exp(scale * h / 2)
    coefficients = matmul(basis, jnp.stack([amplitudes * h**n for n in powers], axis=1))
    product, start = restricted(operator, nodes.probes, nodes.levels, index)
    return krylov_combinations(product, start, tridiagonal, coefficients)
