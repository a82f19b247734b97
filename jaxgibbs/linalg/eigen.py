"""The one place that decomposes: a wrapper around the Hermitian eigensolvers that works on CPUs and GPUs.

Every thermal quantity needs one decomposition `H = U diag(E) U^dagger`. It is never differentiated: derivatives come
from `chains.py`, which takes `(E, U)` as an operand.
"""

import functools
import math

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive, jaxpr_as_fun
from jax.interpreters import batching, mlir
from jaxtyping import Array, Float, Inexact

from .batches import where_they_lie
from .small_eigenvalues import LARGEST, small_eigenvalues

_TINY, _SMALL = 3**3, 12**3  # multiplications in a product of complex matrices
_SIDE_BY_SIDE = 16  # so many calls are written out: more would cost compile time
_MANY = 256  # from here on, tiny matrices are worth a program of their own, which takes a second to compile


def matmul(a: Array, b: Array) -> Array:
    """Matrix product at full precision (on a GPU float32 products default to TF32, with errors of 3e-4).

    A large complex128 product is made of three real ones on the CPU, where XLA's own is three times slower. Of small ones the
    parts would cost more than the product, and each a hundredth of a second to compile.
    """
    if a.dtype == b.dtype == jnp.complex128:
        size = math.prod(a.shape[-2:]) * (b.shape[-1] if b.ndim > 1 else 1)
        if size <= _TINY and a.ndim > 1 and b.ndim > 1:
            return jnp.sum(a[..., :, :, None] * b[..., None, :, :], axis=-2)  # batches are one loop, not many calls
        if size > _SMALL:
            return jax.lax.platform_dependent(a, b, cpu=_three_products, default=_product)
    return _product(a, b)


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _three_products(a: Array, b: Array) -> Array:
    real, imaginary = _product(a.real, b.real), _product(a.imag, b.imag)
    mixed = _product(a.real + a.imag, b.real + b.imag)
    return jax.lax.complex(real - imaginary, mixed - real - imaginary)


def dagger(a: Array) -> Array:
    """Conjugate transpose of the last two axes."""
    return jnp.conj(jnp.swapaxes(a, -1, -2))


def eigh(
    matrix: Inexact[Array, "*batch dim dim"],
) -> tuple[Float[Array, "*batch dim"], Inexact[Array, "*batch dim dim"]]:
    """Ascending eigenvalues and the eigenvectors (columns) of Hermitian matrices, without derivatives."""
    values, vectors = _bound(jax.lax.stop_gradient(matrix), eigenvectors=True)
    return jax.lax.stop_gradient(values), jax.lax.stop_gradient(vectors)


def eigvalsh(matrix: Inexact[Array, "*batch dim dim"]) -> Float[Array, "*batch dim"]:
    """Ascending eigenvalues of Hermitian matrices, without derivatives.

    On the CPU it asks LAPACK for the values alone, at half the cost; JAX's own `eigvalsh` always computes vectors too.
    """
    (values,) = _bound(jax.lax.stop_gradient(matrix), eigenvectors=False)
    return jax.lax.stop_gradient(values)


# A primitive of its own, `decompose`, for two reasons. It can be counted in a traced program, and its batches are ours to
# lower: on the CPU jaxlib's batched LAPACK calls wait, on a thread of the pool, for work queued to the same pool, so
# that as many of them at once as there are threads never finish. Single calls run where they are. A few of them, written
# out, share the cores; a loop over many stays on one. On several devices each does this for the part of a batch that it has.


def _on_cpu(matrix, *, eigenvectors: bool, split):
    if split is not None:
        return jaxpr_as_fun(split)(matrix)
    return (_with_vectors if eigenvectors else _values_alone)(matrix)


def _with_vectors(matrix):
    return _one_by_one(matrix, eigenvectors=True)


def _values_alone(matrix):
    return _one_by_one(matrix, eigenvectors=False)


def _one_by_one(matrix, *, eigenvectors: bool):
    one = functools.partial(_one_on_cpu, eigenvectors=eigenvectors)
    batch = matrix.shape[:-2]
    count = math.prod(batch)
    if count == 0:
        return _elsewhere(matrix, eigenvectors=eigenvectors)
    flat = matrix.reshape(count, *matrix.shape[-2:])
    if count >= _MANY and matrix.shape[-1] <= LARGEST and not eigenvectors:
        return (small_eigenvalues(flat).reshape(matrix.shape[:-1]),)
    if count <= _SIDE_BY_SIDE:
        answers = [jnp.stack(parts) for parts in zip(*map(one, flat), strict=True)]
    else:
        answers = jax.lax.map(one, flat)
    return tuple(x.reshape(*batch, *x.shape[1:]) for x in answers)


@functools.lru_cache(maxsize=256)
def _split(shape: tuple[int, ...], dtype: np.dtype, eigenvectors: bool):
    """The program by which several CPU devices share a batch, `None` where there is no such thing.

    It is traced here, and not when it is lowered, because the compiler looks at a program for operations with a rule of their
    own before it lowers any of it.
    """
    if len(shape) == 2 or 0 in shape:
        return None
    function, ranks = (_with_vectors, (1, 2)) if eigenvectors else (_values_alone, (1,))
    return jax.make_jaxpr(where_they_lie(function, len(shape) - 2, ranks))(jax.ShapeDtypeStruct(shape, dtype))


def _one_on_cpu(matrix, *, eigenvectors: bool):
    target = None if eigenvectors else _values_target(np.dtype(matrix.dtype))
    return _elsewhere(matrix, eigenvectors=eigenvectors) if target is None else (_values_by_lapack(matrix, target),)


def _elsewhere(matrix, *, eigenvectors: bool, split=None):
    """The upper triangle is used: with the lower one, JAX's default, some GPU solvers return NaN or skew vectors."""
    vectors, values = jax.lax.linalg.eigh(matrix, lower=False, symmetrize_input=True, sort_eigenvalues=True)
    return (values, vectors) if eigenvectors else (values,)


def _abstract(matrix, *, eigenvectors: bool, split):
    values = jax.core.ShapedArray(matrix.shape[:-1], np.finfo(matrix.dtype).dtype)
    return (values, matrix) if eigenvectors else (values,)


def _batch(operands, axes, *, eigenvectors: bool, split):
    answers = _bound(jnp.moveaxis(operands[0], axes[0], 0), eigenvectors=eigenvectors)
    return answers, (0,) * len(answers)


def _bound(matrix, *, eigenvectors: bool):
    shared = jax.default_backend() == "cpu" and jax.device_count() > 1
    if shared and not jax.sharding.get_abstract_mesh().manual_axes:  # inside `jax.shard_map` nothing is left to split
        split = _split(jnp.shape(matrix), np.dtype(matrix.dtype), eigenvectors)
    else:
        split = None
    return _decompose.bind(matrix, eigenvectors=eigenvectors, split=split)


_decompose = Primitive("decompose")
_decompose.multiple_results = True
_compiled = jax.jit(_bound, static_argnames="eigenvectors")
_decompose.def_impl(lambda matrix, *, eigenvectors, split: _compiled(matrix, eigenvectors=eigenvectors))
_decompose.def_abstract_eval(_abstract)
batching.primitive_batchers[_decompose] = _batch
mlir.register_lowering(_decompose, mlir.lower_fun(_elsewhere, multiple_results=True))
mlir.register_lowering(_decompose, mlir.lower_fun(_on_cpu, multiple_results=True), platform="cpu")


def _values_by_lapack(matrix, target: str):
    outputs = (
        jax.ShapeDtypeStruct(matrix.shape, matrix.dtype),
        jax.ShapeDtypeStruct(matrix.shape[:-1], np.finfo(matrix.dtype).dtype),
        jax.ShapeDtypeStruct((), jnp.int32),
    )
    # A row-major Hermitian matrix read as column-major is its conjugate, which has the same eigenvalues.
    call = jax.ffi.ffi_call(target, outputs, input_output_aliases={0: 0})
    _, values, info = call((matrix + dagger(matrix)) / 2, mode=np.uint8(ord("N")), uplo=np.uint8(ord("L")))
    return jnp.where(info == 0, values, jnp.nan)


@functools.cache
def _values_target(dtype: np.dtype) -> str | None:
    """Name of LAPACK's eigenvalue kernel inside jaxlib, or `None` where this jaxlib has no such kernel."""
    prefixes = {"float32": "ssyevd", "float64": "dsyevd", "complex64": "cheevd", "complex128": "zheevd"}
    target = f"lapack_{prefixes[dtype.name]}_ffi"

    @jax.jit
    def probe(matrix):  # with the public solver in the program, which makes jaxlib register its kernels
        return _elsewhere(matrix, eigenvectors=False), _values_by_lapack(matrix, target)

    try:
        with jax.ensure_compile_time_eval(), jax.default_device(jax.devices("cpu")[0]):
            values = np.asarray(probe(jnp.asarray(np.diag([2.0, 1.0]).astype(dtype)))[1])
    except Exception:  # any failure, of whatever type this jaxlib raises, means: use the public solver
        return None
    return target if np.allclose(values, [1.0, 2.0]) else None
