"""Chains: the one primitive from which every derivative of a matrix function is made.

Let `A = U diag(a) U^dagger`. For matrices `M_1 ... M_m` and a spectral function `F` a chain is

    C(A; M_1 ... M_m) = sum_{i_0 ... i_m} F[a_{i_0}, ..., a_{i_m}] P_{i_0} M_1 P_{i_1} M_2 ... M_m P_{i_m},

`P_i` the projector on the i-th eigenvector and `F[...]` a divided difference. With no matrix it is `F(A)`; with one
it is the Frechet derivative `DF(A)[M_1]` (Daleckii & Krein 1965). Where `F` is a function of two variables, each
index carries a label, 0 or 1, that says in which variable its node stands: labels `(0, 1)` and one matrix give the
spectral map `M -> sum_ij F(a_i, a_j) P_i M P_j`.

The family is closed under every transformation, which is why it is a primitive of its own:

- derivative in A along E: the sum over positions t of the chain with index t doubled and E put between the two;
- derivative in M_q: the same chain, since it is linear in it;
- derivative in a parameter of F: the chain of the derivative of F, which costs no more, to any order;
- transpose in M_q: `Tr(G C)` is a cyclic product, so the answer is the chain that starts behind M_q and ends before it;
- batching: leading axes, where an operand that is not batched keeps a size-1 axis and is not copied.

The decomposition `(a, U)` is an operand that is never differentiated; `A` itself is an operand only to carry its
tangent, and its value is never read. A rule written with `custom_jvp` instead fails silently: partial evaluation
inlines it, and the next derivative reaches the eigenvectors.
"""

import functools
import math

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float, Inexact

from .eigen import dagger, matmul

# Chains of three or more matrices (fourth derivatives of log Z and higher) cost d^(m+1); above this they are refused.
_LARGEST_CHAIN = 2**27


def chain(
    function,
    labels: tuple[int, ...],
    matrix: Inexact[Array, "*batch dim dim"],
    nodes: Float[Array, "*batch dim"],
    vectors: Inexact[Array, "*batch dim dim"],
    *factors: Inexact[Array, "*batch dim dim"],
    parameter: Float[Array, "*batch"] | None = None,
) -> Inexact[Array, "*batch dim dim"]:
    """The chain of `factors` for a spectral `function` of `matrix` (see the module's text).

    Args:
        function: a spectral function of `divided_differences.py`.
        labels: for each of the `len(factors) + 1` indices the variable of `function` it belongs to.
        matrix: `A`, used for its derivative only.
        nodes: the eigenvalues of `A`; a constant for differentiation, as are `vectors`.
        vectors: the eigenvectors of `A`, as columns.
        factors: `M_1 ... M_m`, any matrices of the shape of `A`.
        parameter: of `function`, if it has one.

    Raises:
        ValueError: for three or more factors if `dim ** (m + 1)` exceeds 2^27.
    """
    operands = [matrix, nodes, vectors, *([] if parameter is None else [parameter]), *factors]
    ranks = [2, 1, 2, *([] if parameter is None else [0]), *(2 for _ in factors)]
    batch = max(x.ndim - rank for x, rank in zip(operands, ranks, strict=True))
    aligned = [x.reshape(*[1] * (batch + rank - x.ndim), *x.shape) for x, rank in zip(operands, ranks, strict=True)]
    return _chain.bind(*aligned, function=function, labels=labels)


def _separate(rest, labels):
    """`(parameters, factors)`: what follows the decomposition among the operands."""
    count = len(rest) - (len(labels) - 1)
    return rest[:count], rest[count:]


def _evaluate(matrix, nodes, vectors, *rest, function, labels):
    del matrix
    parameters, factors = _separate(rest, labels)

    def weigh(nodes, axes):
        groups = [[] for _ in range(function.variables)]
        for label, node in zip(labels, nodes, strict=True):
            groups[label].append(node)
        return function(groups, *(p.reshape(*p.shape, *[1] * axes) for p in parameters))

    inner = [matmul(matmul(dagger(vectors), m.astype(jnp.result_type(m, vectors))), vectors) for m in factors]
    if not inner:
        weights = weigh([nodes], 1)
        return matmul(vectors * weights[..., None, :].astype(vectors.dtype), dagger(vectors))
    if len(inner) == 1:
        weights = weigh([nodes[..., :, None], nodes[..., None, :]], 2)
        core = weights * inner[0]
    else:
        core = _rows(weigh, nodes, inner)
    vectors = vectors.astype(jnp.result_type(core, vectors))
    return matmul(matmul(vectors, core), dagger(vectors))


def _rows(weigh, nodes, inner):
    """Two factors and more, one row of the answer at a time: O(d^m) memory where the whole tensor takes O(d^(m+1))."""
    count = len(inner)
    letters = "abcdefghijklmnop"[:count]
    pairs = ",".join("..." + letters[k : k + 2] for k in range(count - 1))
    contraction = f"...{letters},...{letters[0]},{pairs}->...{letters[-1]}"

    def axis(position):
        shape = [1] * count
        shape[position] = nodes.shape[-1]
        return nodes.reshape(*nodes.shape[:-1], *shape)

    def row(i):
        first = jnp.take(nodes, i, axis=-1).reshape(*nodes.shape[:-1], *([1] * count))
        weights = weigh([first, *(axis(k) for k in range(count))], count)
        weights = jnp.broadcast_to(weights, (*weights.shape[: nodes.ndim - 1], *([nodes.shape[-1]] * count)))
        start = jnp.take(inner[0], i, axis=-2)
        return jnp.einsum(contraction, weights, start, *inner[1:], precision=jax.lax.Precision.HIGHEST)

    return jnp.moveaxis(jax.lax.map(row, jnp.arange(nodes.shape[-1])), 0, -2)


_compiled = functools.partial(jax.jit, static_argnames=("function", "labels"))(_evaluate)


def _abstract(matrix, nodes, vectors, *rest, function, labels):
    parameters, factors = _separate(rest, labels)
    dim, count = nodes.shape[-1], len(factors)
    if count >= 3 and dim ** (count + 1) > _LARGEST_CHAIN:
        limit = math.floor(_LARGEST_CHAIN ** (1 / (count + 1)))
        raise ValueError(
            f"A derivative of order {count} of a matrix function must have dimension at most {limit}, but has {dim}: "
            f"its cost grows as dim^{count + 1}. High derivatives in beta alone cost nothing extra; others need a smaller system."
        )
    shapes = [x.shape for x in (matrix, vectors, *factors)] + [(*nodes.shape, dim)]
    shapes += [(*p.shape, dim, dim) for p in parameters]
    dtype = jnp.result_type(*(x.dtype for x in (matrix, vectors, *factors)))
    if function.is_complex:
        dtype = jnp.result_type(dtype, jnp.complex64)
    return jax.core.ShapedArray(np.broadcast_shapes(*shapes), dtype)


def _jvp(primals, tangents, *, function, labels):
    bind = functools.partial(_chain.bind, labels=labels, function=function)
    head, (parameters, factors) = primals[:3], _separate(primals[3:], labels)
    d_matrix, (d_parameters, d_factors) = tangents[0], _separate(tangents[3:], labels)
    out = bind(*primals)
    terms = []
    if not isinstance(d_matrix, ad.Zero):
        for t, label in enumerate(labels):
            longer = (*labels[: t + 1], label, *labels[t + 1 :])
            terms.append(bind(*head, *parameters, *factors[:t], d_matrix, *factors[t:], labels=longer))
    for d_parameter in d_parameters:
        if not isinstance(d_parameter, ad.Zero):
            terms.append(d_parameter[..., None, None] * bind(*primals, function=function.in_parameter()))
    for q, d_factor in enumerate(d_factors):
        if not isinstance(d_factor, ad.Zero):
            terms.append(bind(*head, *parameters, *factors[:q], d_factor, *factors[q + 1 :]))
    return out, sum(terms[1:], terms[0]) if terms else ad.Zero(out.aval.to_tangent_aval())


def _transpose(cotangent, matrix, nodes, vectors, *rest, function, labels):
    parameters, factors = _separate(rest, labels)
    (q,) = [p for p, factor in enumerate(factors) if ad.is_undefined_primal(factor)]
    target = factors[q].aval
    if isinstance(cotangent, ad.Zero):
        answer = ad.Zero(target)
    else:
        cycle = (*factors[q + 1 :], jnp.swapaxes(cotangent, -1, -2), *factors[:q])
        turned = (*labels[q + 1 :], *labels[: q + 1])
        answer = _chain.bind(matrix, nodes, vectors, *parameters, *cycle, function=function, labels=turned)
        answer = jnp.swapaxes(answer, -1, -2)
        if not jnp.issubdtype(target.dtype, jnp.complexfloating):
            answer = answer.real
        shared = tuple(axis for axis, (a, b) in enumerate(zip(answer.shape, target.shape, strict=True)) if a != b)
        answer = jnp.sum(answer, axis=shared, keepdims=True).astype(target.dtype)
    answers: list = [None] * (3 + len(rest))
    answers[3 + len(parameters) + q] = answer
    return tuple(answers)


def _batch(operands, axes, *, function, labels):
    aligned = [x[None] if axis is None else jnp.moveaxis(x, axis, 0) for x, axis in zip(operands, axes, strict=True)]
    return _chain.bind(*aligned, function=function, labels=labels), 0


_chain = Primitive("spectral_chain")
_chain.def_impl(lambda *operands, **structure: _compiled(*operands, **structure))
_chain.def_abstract_eval(_abstract)
ad.primitive_jvps[_chain] = _jvp
ad.primitive_transposes[_chain] = _transpose
batching.primitive_batchers[_chain] = _batch
mlir.register_lowering(_chain, mlir.lower_fun(_evaluate, multiple_results=False))
