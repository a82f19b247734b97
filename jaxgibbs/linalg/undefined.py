"""Derivatives that do not exist, marked by NaN in forward and in reverse mode.

Neither of the obvious ways does it. `jnp.where(bad, nan, tangent)` is transposed to zero, a wrong number. And
`tangent * where(bad, nan, 1)` is transposed to NaN for every entry, since 0 * NaN is NaN, also where nobody asked for a bad one.
"""

import jax
import jax.core
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Bool, Inexact


def nan_where(
    bad: Bool[Array, "*shape"], tangent: Inexact[Array, "*shape"], *, unless_zero: bool = False
) -> Inexact[Array, "*shape"]:
    """`tangent`, linearly, but NaN where `bad`; its transpose is NaN where a cotangent of a bad entry is not zero.

    With `unless_zero` it is the other way round.
    """
    return _nan_where.bind(tangent, jnp.broadcast_to(bad, tangent.shape), transposed=unless_zero)


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


def aligned(operands, axes):
    """Of a batched primitive: all operands with the batch in front, repeated where they had none."""
    size = next(x.shape[axis] for x, axis in zip(operands, axes, strict=True) if axis is not None)
    return [
        jnp.broadcast_to(x, (size, *x.shape)) if axis is None else jnp.moveaxis(x, axis, 0)
        for x, axis in zip(operands, axes, strict=True)
    ]


def _batch(operands, axes, *, transposed: bool):
    return _nan_where.bind(*aligned(operands, axes), transposed=transposed), 0


_nan_where = Primitive("nan_where")
_nan_where.def_impl(_evaluate)
_nan_where.def_abstract_eval(lambda x, bad, *, transposed: jax.core.ShapedArray(x.shape, x.dtype))
ad.primitive_jvps[_nan_where] = _jvp
ad.primitive_transposes[_nan_where] = _transpose
batching.primitive_batchers[_nan_where] = _batch
mlir.register_lowering(_nan_where, mlir.lower_fun(_evaluate, multiple_results=False))


# -- derivatives that exist for some perturbations only --------------------------------------------------------------


def nan_if_defective(
    tangent: Inexact[Array, "*batch dim dim"], defect: Inexact[Array, "*batch parts dim dim"]
) -> Inexact[Array, "*batch dim dim"]:
    """`tangent`, linearly, but NaN where an element of `defect` exceeds `sqrt(eps)` times the largest of `tangent`.

    `defect` is linear in the same perturbation; derivatives are NaN likewise where that of the defect is not zero. Its transpose
    passes everything: reverse mode does not know the perturbation, and needs `reverse_marks.nan_in_reverse` at what is perturbed.
    """
    floor = jnp.zeros(tangent.shape[:-2], tangent.real.dtype)
    return _defective.bind(tangent, defect, floor)


def _defective_value(tangent, defect, floor):
    bound = floor + jnp.max(jnp.abs(tangent), axis=(-2, -1))
    largest = jnp.max(jnp.abs(defect), axis=(-3, -2, -1))
    bad = ~(largest <= jnp.sqrt(jnp.finfo(bound.dtype).eps) * bound)
    return jnp.where(bad[..., None, None], jnp.nan, tangent)


def _defective_jvp(primals, tangents):
    x, defect, floor = primals
    dx, d_defect = (
        jnp.zeros_like(p) if isinstance(t, ad.Zero) else t for p, t in zip(primals[:2], tangents[:2], strict=True)
    )
    out = _defective.bind(x, defect, floor)
    higher = floor + jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=(-2, -1)))
    return out, _defective.bind(dx, d_defect, higher) + 0 * out  # NaN stays NaN


def _defective_transpose(cotangent, x, defect, floor):
    del floor
    passed = cotangent if ad.is_undefined_primal(x) else None
    stopped = ad.Zero(defect.aval) if ad.is_undefined_primal(defect) else None
    return passed, stopped, None


def _defective_batch(operands, axes):
    return _defective.bind(*aligned(operands, axes)), 0


_defective = Primitive("nan_if_defective")
_defective.def_impl(_defective_value)
_defective.def_abstract_eval(lambda x, defect, floor: jax.core.ShapedArray(x.shape, x.dtype))
ad.primitive_jvps[_defective] = _defective_jvp
ad.primitive_transposes[_defective] = _defective_transpose
batching.primitive_batchers[_defective] = _defective_batch
mlir.register_lowering(_defective, mlir.lower_fun(_defective_value, multiple_results=False))
