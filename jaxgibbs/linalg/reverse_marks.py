"""Derivatives that exist along some directions only, in reverse mode, where the direction is not known.

Forward mode knows the direction `u`, and `nan_if_defective` of `undefined.py` sees what fails along it. Reverse mode has all
directions at once: here each parameter is asked whether a derivative along it exists, or along it and another one, and its
cotangent is NaN if not. Forward over reverse, reverse over forward and reverse over reverse are seen, derivatives beyond the
second are not.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Bool, Inexact

from .undefined import aligned, nan_where

_ONE_BY_ONE = 16  # so many numbers of one array are asked one by one, a larger array as a whole


class Judge(Protocol):
    """What fails along which directions. It is hashable; `point` is a list of arrays, parameters among them."""

    def first(self, point: Sequence[Array], u: dict[int, Array]) -> Bool[Array, ""]:
        """Whether there is no derivative along `u`, which has a direction for each of some places of `point`."""
        ...

    def second(self, point: Sequence[Array], u: dict[int, Array], v: dict[int, Array]) -> Bool[Array, ""]:
        """Whether there is no derivative along `u` and `v`."""
        ...


def nan_in_reverse(
    judge: Judge, point: Sequence[Array], tangents: dict[int, Inexact[Array, "..."]]
) -> dict[int, Inexact[Array, "..."]]:
    """`tangents`; their transpose is NaN for each parameter along which the judge finds no derivative.

    It is so also for a cotangent 0, to which one-sided derivatives may have cancelled. Arrays of more than 16 numbers, and complex
    ones, are judged as a whole, by a direction without any symmetry.

    Args:
        judge: of derivatives.
        point: where they are taken.
        tangents: of parameters, by their place in `point`.
    """
    places = tuple(tangents)
    out = _kept.bind(*tangents.values(), *point, judge=judge, places=places, depth=0)
    return dict(zip(places, out, strict=True))


# -- groups of parameters that are judged together -------------------------------------------------------------------


class _Group(NamedTuple):
    """Of one array: its shape, its type, and whether its numbers are judged one by one."""

    shape: tuple[int, ...]
    dtype: np.dtype
    apart: bool

    @property
    def size(self) -> int:
        return int(np.prod(self.shape)) if self.apart else 1


def _groups(arrays, depth: int) -> tuple[_Group, ...]:
    found = []
    for array in arrays:
        shape, dtype = tuple(array.shape[depth:]), np.dtype(array.dtype)
        found.append(
            _Group(shape, dtype, int(np.prod(shape)) <= _ONE_BY_ONE and not np.issubdtype(dtype, np.complexfloating))
        )
    return tuple(found)


def _directions(groups: tuple[_Group, ...]) -> list[Array]:
    """For each array, its part of the direction of every group, stacked."""
    count, start, stacks = sum(group.size for group in groups), 0, []
    for group in groups:
        stack = np.zeros((count, *group.shape), group.dtype)
        if group.apart:
            stack[start : start + group.size] = np.eye(group.size).reshape(group.size, *group.shape)
        else:
            draws = np.random.default_rng(0).normal(size=(2, *group.shape))
            complex_ = np.issubdtype(group.dtype, np.complexfloating)
            stack[start] = draws[0] + 1j * draws[1] if complex_ else draws[0]
        stacks.append(jnp.asarray(stack))
        start += group.size
    return stacks


def _spread(marks: Bool[Array, "*batch groups"], groups: tuple[_Group, ...]) -> list[Array]:
    """The mark of each number of each array."""
    batch, start, out = marks.shape[:-1], 0, []
    for group in groups:
        own = marks[..., start : start + group.size]
        own = own.reshape(*batch, *group.shape) if group.apart else own.reshape(*batch, *(1 for _ in group.shape))
        out.append(jnp.broadcast_to(own, (*batch, *group.shape)))
        start += group.size
    return out


def _moving(arrays, groups: tuple[_Group, ...], depth: int) -> Bool[Array, "*batch groups"]:
    """Which groups have a number that is not zero."""
    out = []
    for array, group in zip(arrays, groups, strict=True):
        flat = (array != 0).reshape(*array.shape[:depth], -1)
        out.append(flat if group.apart else jnp.any(flat, axis=-1, keepdims=True))
    return jnp.concatenate(out, axis=-1)


def _mapped(function, depth: int):
    for _ in range(depth):
        function = jax.vmap(function)
    return function


def _first(judge, point, places, depth) -> Bool[Array, "*batch groups"]:
    groups = _groups([point[k] for k in places], depth)
    units = _directions(groups)

    def single(*point):
        return jax.vmap(lambda *u: judge.first(point, dict(zip(places, u, strict=True))))(*units)

    return _mapped(single, depth)(*point)


def _second(judge, point, places, others, depth) -> Bool[Array, "*batch groups others"]:
    units = _directions(_groups([point[k] for k in places], depth))
    other_units = _directions(_groups([point[k] for k in others], depth))

    def single(*point):
        def row(u):
            u = dict(zip(places, u, strict=True))
            return jax.vmap(lambda *v: judge.second(point, u, dict(zip(others, v, strict=True))))(*other_units)

        return jax.lax.map(row, tuple(units))

    return _mapped(single, depth)(*point)


# -- `kept`: tangents as they are; `spoilt`: cotangents with NaN; `paired`: what a second direction adds to either ---------


def _split(operands, places):
    return operands[: len(places)], operands[len(places) :]


def _kept_value(*operands, judge, places, depth):
    return list(operands[: len(places)])


def _spoilt_value(*operands, judge, places, depth):
    cotangents, point = _split(operands, places)
    marks = _spread(_first(judge, point, places, depth), _groups([point[k] for k in places], depth))
    return [jnp.where(bad, jnp.nan, ct).astype(ct.dtype) for bad, ct in zip(marks, cotangents, strict=True)]


def _added(primals, tangents, judge, places, depth, *, loud: bool):
    """What moving the point adds to the derivative of `kept` or `spoilt`: nothing, or NaN where a pair of directions fails."""
    values, point = _split(primals, places)
    _, d_point = _split(tangents, places)
    others = tuple(
        k for k, d in enumerate(d_point) if not isinstance(d, ad.Zero) and jnp.issubdtype(d.dtype, jnp.inexact)
    )
    if not others:
        return None
    pairs = _second(judge, point, places, others, depth)
    if not loud:  # the first direction is known
        pairs = pairs & _moving(values, _groups(values, depth), depth)[..., :, None]
    moved = [d_point[k] for k in others]
    return _paired.bind(*moved, pairs, into=_groups(values, depth), of=_groups(moved, depth), depth=depth, loud=loud)


def _linear_jvp(primitive, loud: bool, primals, tangents, judge, places, depth):
    values, point = _split(primals, places)
    d_values, _ = _split(tangents, places)
    knobs = {"judge": judge, "places": places, "depth": depth}
    out = primitive.bind(*primals, **knobs)
    d_values = [jnp.zeros_like(v) if isinstance(d, ad.Zero) else d for v, d in zip(values, d_values, strict=True)]
    d_out = primitive.bind(*d_values, *point, **knobs)
    more = _added(primals, tangents, judge, places, depth, loud=loud)
    return out, d_out if more is None else [a + b for a, b in zip(d_out, more, strict=True)]


def _kept_jvp(primals, tangents, *, judge, places, depth):
    return _linear_jvp(_kept, False, primals, tangents, judge, places, depth)


def _spoilt_jvp(primals, tangents, *, judge, places, depth):
    return _linear_jvp(_spoilt, True, primals, tangents, judge, places, depth)


def _dense(cotangents):
    """With zeros as arrays; `None` if there is nothing else."""
    if all(isinstance(ct, ad.Zero) for ct in cotangents):
        return None
    return [ad.instantiate_zeros(ct) for ct in cotangents]


def _kept_transpose(cotangents, *operands, judge, places, depth):
    _, point = _split(operands, places)
    full = _dense(cotangents)
    if full is None:
        return [*cotangents, *(None for _ in point)]
    out = _spoilt.bind(*full, *point, judge=judge, places=places, depth=depth)
    out = [given if isinstance(given, ad.Zero) else ct for given, ct in zip(cotangents, out, strict=True)]
    return [*out, *(None for _ in point)]


def _spoilt_transpose(cotangents, *operands, judge, places, depth):
    _, point = _split(operands, places)
    full = _dense(cotangents)
    if full is None:
        return [*cotangents, *(None for _ in point)]
    marks = _spread(_first(judge, point, places, depth), _groups([point[k] for k in places], depth))
    return [
        *(nan_where(bad, ct, unless_zero=True) for bad, ct in zip(marks, full, strict=True)),
        *(None for _ in point),
    ]


def _paired_value(*operands, into, of, depth, loud):
    *moved, pairs = operands
    batch = pairs.shape[:depth]
    if not loud:
        return [jnp.zeros((*batch, *group.shape), group.dtype) for group in into]
    hit = jnp.any(pairs & _moving(moved, of, depth)[..., None, :], axis=-1)
    marks = _spread(hit, into)
    return [jnp.where(bad, jnp.nan, 0).astype(group.dtype) for bad, group in zip(marks, into, strict=True)]


def _paired_abstract(*operands, into, of, depth, loud):
    batch = operands[-1].shape[:depth]
    return [jax.core.ShapedArray((*batch, *group.shape), group.dtype) for group in into]


def _paired_jvp(primals, tangents, **knobs):
    out = _paired.bind(*primals, **knobs)
    *moved, pairs = primals
    full = [jnp.zeros_like(v) if isinstance(d, ad.Zero) else d for v, d in zip(moved, tangents[:-1], strict=True)]
    return out, _paired.bind(*full, pairs, **knobs)


def _paired_transpose(cotangents, *operands, into, of, depth, loud):
    del loud
    *moved, pairs = operands
    full = _dense(cotangents)
    if full is None:
        return [*(ad.Zero(x.aval) for x in moved), None]
    back = _paired.bind(*full, jnp.swapaxes(pairs, -1, -2), into=of, of=into, depth=depth, loud=True)
    return [*back, None]


def _primitive(name, value, abstract, jvp, transpose):
    primitive = Primitive(name)
    primitive.multiple_results = True

    def batch(operands, axes, *, depth, **knobs):
        out = primitive.bind(*aligned(operands, axes), depth=depth + 1, **knobs)
        return out, [0] * len(out)

    primitive.def_impl(value)
    primitive.def_abstract_eval(abstract)
    ad.primitive_jvps[primitive] = jvp
    ad.primitive_transposes[primitive] = transpose
    batching.primitive_batchers[primitive] = batch
    mlir.register_lowering(primitive, mlir.lower_fun(value, multiple_results=True))
    return primitive


def _like_first(*operands, judge, places, depth):
    return [jax.core.ShapedArray(x.shape, x.dtype) for x in operands[: len(places)]]


_paired = _primitive("nan_of_pairs", _paired_value, _paired_abstract, _paired_jvp, _paired_transpose)
_kept = _primitive("nan_in_reverse", _kept_value, _like_first, _kept_jvp, _kept_transpose)
_spoilt = _primitive("nan_reversed", _spoilt_value, _like_first, _spoilt_jvp, _spoilt_transpose)
