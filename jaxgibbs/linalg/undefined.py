"""Derivatives that do not exist, marked by NaN in forward and in reverse mode.

Neither of the obvious ways does it. `jnp.where(bad, nan, tangent)` is transposed to zero, a wrong number. And
`tangent * where(bad, nan, 1)` is transposed to NaN for every entry, since 0 * NaN is NaN, also where nobody asked for a bad one.
"""

import jax
import jax.core
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Bool, Float


def nan_where(bad: Bool[Array, "*shape"], tangent: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`tangent`, linearly, but NaN where `bad`; its transpose is NaN where a cotangent of a bad entry is not zero."""
    return _nan_where.bind(tangent, jnp.broadcast_to(bad, tangent.shape), transposed=False)


@jax.custom_jvp
def one_without_slope(array):
    """1, with a derivative in `array` that is NaN: the truth is not implemented, and zero would be wrong."""
    return jnp.ones((), array.real.dtype)


@one_without_slope.defjvp
def _one_without_slope_jvp(primals, tangents):
    return one_without_slope(*primals), jnp.nan * jnp.sum(tangents[0].real)


def _evaluate(x, bad, *, transposed: bool):
    return jnp.where(bad & (x != 0) if transposed else bad, jnp.nan, x)


def _jvp(primals, tangents, *, transposed: bool):
    (x, bad), (dx, _) = primals, tangents
    out = _nan_where.bind(x, bad, transposed=transposed)
    if isinstance(dx, ad.Zero):
        return out, ad.Zero(out.aval.to_tangent_aval())
    return out, _nan_where.bind(dx, bad, transposed=transposed)


def _transpose(cotangent, x, bad, *, transposed: bool):
    if isinstance(cotangent, ad.Zero):
        return ad.Zero(x.aval), None
    return _nan_where.bind(cotangent, bad, transposed=not transposed), None


def _batch(operands, axes, *, transposed: bool):
    size = next(x.shape[axis] for x, axis in zip(operands, axes, strict=True) if axis is not None)
    aligned = [
        jnp.broadcast_to(x, (size, *x.shape)) if axis is None else jnp.moveaxis(x, axis, 0)
        for x, axis in zip(operands, axes, strict=True)
    ]
    return _nan_where.bind(*aligned, transposed=transposed), 0


_nan_where = Primitive("nan_where")
_nan_where.def_impl(_evaluate)
_nan_where.def_abstract_eval(lambda x, bad, *, transposed: jax.core.ShapedArray(x.shape, x.dtype))
ad.primitive_jvps[_nan_where] = _jvp
ad.primitive_transposes[_nan_where] = _transpose
batching.primitive_batchers[_nan_where] = _batch
mlir.register_lowering(_nan_where, mlir.lower_fun(_evaluate, multiple_results=False))
