"""The implicit function theorem: derivatives of the answer of an iteration, of every order, without its iterations."""

import functools

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float, PyTree


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def implicit_root(residual, root: Float[Array, " unknowns"], inputs: PyTree) -> Float[Array, " unknowns"]:
    """`root`, with the derivatives in `inputs` that `residual(root, inputs) = 0` gives it.

        d root = -(d residual / d root)^-1 (d residual / d inputs) d inputs

    The rule contains the root as this function gives it, so derivatives of every order are right, forward and reverse.

    Args:
        residual: a function defined at module level, differentiable in both arguments to every order wanted.
        root: where `residual` vanishes, found by any means; its own derivative is not used.
        inputs: what the root depends on.
    """
    del residual, inputs
    return root


def _implicit_root_jvp(residual, primals, tangents):
    (root, inputs), (_, d_inputs) = primals, tangents
    root = implicit_root(residual, root, inputs)
    leaves, structure = jax.tree_util.tree_flatten(inputs)
    d_leaves = jax.tree_util.tree_leaves(d_inputs, is_leaf=lambda x: isinstance(x, SymbolicZero))
    moving = tuple(
        k for k, d in enumerate(d_leaves) if not isinstance(d, SymbolicZero) and d.dtype != jax.dtypes.float0
    )
    if not moving:
        return root, jnp.zeros_like(root)
    return root, _tangent(residual, structure, moving, root, leaves, [d_leaves[k] for k in moving])


implicit_root.defjvp(_implicit_root_jvp, symbolic_zeros=True)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _tangent(residual, structure, moving, root, leaves, d_moving):
    def moved(values):
        new = list(leaves)
        for k, value in zip(moving, values, strict=True):
            new[k] = value
        return residual(root, jax.tree_util.tree_unflatten(structure, new))

    jacobian = jax.jacfwd(residual)(root, jax.tree_util.tree_unflatten(structure, leaves))
    _, d_residual = jax.jvp(moved, ([leaves[k] for k in moving],), (d_moving,))
    # Not `lineax.linear_solve`: under a derivative it forgets `throw=False`, and one lane without an answer would end a batch.
    return -jnp.linalg.solve(jacobian, d_residual)
