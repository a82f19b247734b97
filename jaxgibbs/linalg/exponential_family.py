"""`rho(s) = e^{sH} / Tr e^{sH}` and its sums, differentiable in `s` and in `H` to every order.

`H` is given as `blocks`: a tuple of decompositions, one a stack of diagonal blocks of equal size; a matrix without block
structure is one block. Quantities are sums over the eigenvalues of all blocks (`levels.py`). Their derivatives in `s`
are again such sums, at O(dim); their derivative along `dH` is `Tr(M dH)` with a matrix `M` made of chains. A Gibbs
state at inverse temperature beta is `s = -beta`.
"""

import functools
import itertools
import math
from collections.abc import Callable

import jax
import jax.custom_batching
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float, Inexact

from .chains import chain
from .divided_differences import Exponential, Thermal
from .eigen import dagger, matmul
from .hermitian import Decomposition, decompose
from .levels import AbstractLevelSums, LevelSums, LevelSumsInTurn, distances, natural_unit

_EXP = Exponential()

Blocks = tuple[Decomposition, ...]
Scalar = Float[Array, ""]


def log_trace_exp(s: Scalar, blocks: Blocks) -> Scalar:
    """`ln Tr e^{sH}`. Its derivatives in `s` alone cost O(dim); in `H` it has `s Tr(rho dH)`."""
    return _log_trace(s, blocks)


def mean(s: Scalar, blocks: Blocks) -> Scalar:
    """`<H> = Tr(rho H)`."""
    return _mean(s, blocks)


def central_moment(order: int, s: Scalar, blocks: Blocks) -> Scalar:
    """`<(H - <H>)^order>`; order 2 is the variance."""
    if order < 2:
        return jnp.full_like(s, 1.0 if order == 0 else 0.0)
    return _moment(order)(s, blocks)


def entropy(s: Scalar, blocks: Blocks) -> Scalar:
    """Von Neumann entropy `-Tr rho ln rho` in nats, of full relative accuracy at low temperature."""
    return _entropy(s, blocks)


def heat_capacity(s: Scalar, blocks: Blocks) -> Scalar:
    """`s^2 (<H^2> - <H>^2)`, in units of k_B."""
    return _heat_capacity(s, blocks)


def log_shifted(s: Scalar, blocks: Blocks) -> Scalar:
    """`ln Tr e^{s(H - E)}`, `E` the extreme level of largest weight, a constant for differentiation."""
    return _log_shifted(s, blocks)


def gibbs_matrices(s: Scalar, blocks: Blocks) -> tuple[Inexact[Array, "*stack dim dim"], ...]:
    """The blocks of `e^{sH} / Tr e^{sH}`."""
    return _weighted(s, blocks, 0)


def kubo_mori_map(s: Scalar, block: Decomposition, matrix: Inexact[Array, "dim dim"]) -> Inexact[Array, "dim dim"]:
    """`X -> integral_0^1 rho^(1-t) X rho^t dt` for an `H` of one block (Kubo 1957; Mori 1965)."""
    ((mapped,),) = _kubo_mori_maps(s, (block,), (matrix[None],))
    return mapped


def spectrum_of(blocks: Blocks) -> Float[Array, " dim"]:
    """The eigenvalues of all blocks in one vector."""
    return jnp.concatenate([jnp.ravel(block.eigenvalues) for block in blocks])


def split(values: Float[Array, " dim"], blocks: Blocks) -> list[Float[Array, "*stack dim"]]:
    """Undo `spectrum_of`: a vector over all levels, cut into the shapes of the blocks."""
    parts, start = [], 0
    for block in blocks:
        size = block.eigenvalues.size
        parts.append(values[start : start + size].reshape(block.eigenvalues.shape))
        start += size
    return parts


def _distances(s, blocks: Blocks):
    """`(scale, h)` of all levels, `h` by blocks; see `levels.distances`. Only `scale` has a derivative."""
    scale, h, _ = distances(s, spectrum_of(blocks))
    return scale, split(jax.lax.stop_gradient(h), blocks)


def _weighted(s, blocks: Blocks, power: int) -> tuple[Inexact[Array, "*stack dim dim"], ...]:
    """The blocks of `rho (H - E)^power`, `E` the level of largest weight: no offset, and no power of a large matrix."""
    blocks = tuple(block.with_eigenvectors() for block in blocks)
    scale, h = _distances(s, blocks)
    norm = jnp.exp(_log_shifted(s, blocks))
    nowhere = jnp.where(jnp.isinf(s), jnp.nan, 1)  # of `matrix` only the tangent is used: it is NaN at `s = +-inf`
    thermal = Thermal(power)
    return tuple(
        chain(thermal, (0,), b.matrix * nowhere, x, b.vectors, parameter=scale) / norm
        for b, x in zip(blocks, h, strict=True)
    )


_numbers = itertools.count()


def _quantity(
    value: Callable[[AbstractLevelSums], Scalar], slope: Callable, moments: Callable, dimension: int = 0
) -> Callable:
    """A function of `(s, blocks)` from its value and its derivatives.

    `slope(s, blocks)` is the derivative in `s`. `moments(s, blocks)` is a list of numbers `c_k` such that the derivative
    along `dH` is `sum_k c_k Tr(rho (H - <H>)^k dH)`. `dimension` is the power of energy that it is measured in: inside,
    energies are multiples of `natural_unit`, whose powers neither overflow nor underflow (joules in float32 would).
    """
    number = float(next(_numbers))

    def apart(sums, s, levels):
        # Behind a barrier of its own each quantity is summed as it goes. Without, XLA would keep the exponentials that several
        # have in common in memory, and a large batch pays more for that than for computing them again.
        s, levels, _ = jax.lax.optimization_barrier((s, levels, jnp.asarray(number, levels.dtype)))
        return value(sums(s, levels))

    @jax.custom_batching.custom_vmap
    def summed(s, levels):
        return apart(LevelSums, s, levels)

    @summed.def_vmap
    def _(axis_size, batched, s, levels):
        in_turn = axis_size >= LevelSumsInTurn.FEWEST and levels.shape[-1] <= LevelSumsInTurn.LARGEST
        sums = LevelSumsInTurn if in_turn else LevelSums
        axes = tuple(0 if b else None for b in batched)
        return jax.vmap(functools.partial(apart, sums), axes)(s, levels), True

    evaluate = jax.jit(summed)  # one compilation, not one an operation

    @jax.custom_jvp
    def quantity(s, blocks):
        return evaluate(s, spectrum_of(blocks))

    def rule(primals, tangents):
        (s, blocks), (ds, d_blocks) = primals, tangents
        out = quantity(s, blocks)
        total = jnp.zeros_like(out)
        if _perturbed(ds):
            total = total + ds * slope(s, blocks)
        if any(_perturbed(d.matrix) for d in d_blocks):
            for power, c in enumerate(_about_reference(moments(s, blocks), s, blocks)):
                for weighted, d in zip(_weighted(s, blocks, power), d_blocks, strict=True):
                    if _perturbed(d.matrix):
                        total = total + c * trace_product(weighted, d.matrix)
        return out, total * jnp.where(jnp.isinf(s), jnp.nan, 1)  # linear in the tangents, as transposition needs it

    def in_natural_unit(s, blocks):
        unit, inverse = _unit(spectrum_of(blocks))
        blocks = tuple(Decomposition(b.matrix * inverse, b.eigenvalues * inverse, b.eigenvectors) for b in blocks)
        return quantity(s * unit, blocks) * unit**dimension

    quantity.defjvp(rule, symbolic_zeros=True)
    return in_natural_unit


_unit = jax.jit(natural_unit)


def _about_reference(moments, s, blocks: Blocks) -> list:
    """Coefficients of the powers of `H - E` from those of `H - <H>`; `E` is the level of largest weight."""
    if len(moments) == 1:
        return moments
    excess, top = _excess(s, blocks), range(len(moments))
    return [sum(math.comb(k, j) * (-excess) ** (k - j) * moments[k] for k in top if k >= j) for j in top]


def _perturbed(tangent) -> bool:
    return not isinstance(tangent, SymbolicZero)


def trace_product(a: Inexact[Array, "*stack dim dim"], b: Inexact[Array, "*stack dim dim"]) -> Scalar:
    """`Re Tr(a b)`, summed over a stack."""
    return jnp.sum((a * jnp.swapaxes(b, -1, -2)).real)


def _variance(s, blocks):
    return central_moment(2, s, blocks)


def _heat_capacity_slope(s, blocks):
    return 2 * s * _variance(s, blocks) + s * (s * central_moment(3, s, blocks))


def _heat_capacity_moments(s, blocks):
    return [-(s**3) * _variance(s, blocks), 2 * s**2, s**3]


@functools.cache
def _moment(order: int):
    def slope(s, blocks):
        lower = central_moment(order - 1, s, blocks)
        return central_moment(order + 1, s, blocks) - order * _variance(s, blocks) * lower

    def moments(s, blocks):
        lower, this = central_moment(order - 1, s, blocks), central_moment(order, s, blocks)
        coefficients = [-order * lower - s * this, -order * s * lower, *[0.0] * (order - 1)]
        coefficients[order - 1] = coefficients[order - 1] + order
        coefficients[order] = coefficients[order] + s
        return coefficients

    return _quantity(lambda sums: sums.central_moment(order), slope, moments, order)


_log_trace = _quantity(lambda sums: sums.log_trace, lambda s, blocks: mean(s, blocks), lambda s, blocks: [s])
_log_shifted = _quantity(lambda sums: sums.log_shifted, lambda s, blocks: _excess(s, blocks), lambda s, blocks: [s])
_mean = _quantity(lambda sums: sums.mean, _variance, lambda s, blocks: [1.0, s], 1)
_excess = _quantity(lambda sums: sums.excess, _variance, lambda s, blocks: [1.0, s], 1)
_entropy = _quantity(
    lambda sums: sums.entropy, lambda s, blocks: -s * _variance(s, blocks), lambda s, blocks: [0.0, -(s**2)]
)
_heat_capacity = _quantity(lambda sums: sums.heat_capacity, _heat_capacity_slope, _heat_capacity_moments)


def kubo_mori_covariance(
    s: Scalar, blocks: Blocks, observables: tuple[Inexact[Array, "observables *stack dim dim"], ...]
) -> Float[Array, "observables observables"]:
    """`K_kl = integral_0^1 Tr(rho^(1-t) X_k rho^t X_l) dt - <X_k><X_l>` for Hermitian `X` with the blocks of `H`.

    `K` is the Hessian of `ln Tr e^{sH + sum_k y_k X_k}` in `y`, so it is symmetric and positive semidefinite.
    """
    return _covariance(s, tuple(block.with_eigenvectors() for block in blocks), observables)


@jax.custom_jvp
def _covariance(s, blocks: Blocks, observables):
    """Two matrix products an observable; the derivative is that of `_covariance_by_maps`, which takes four."""
    scale, h = _distances(s, blocks)
    nodes = [scale * x for x in h]
    weight = sum(jnp.sum(jnp.exp(x)) for x in nodes)
    inner = [_in_eigenbasis(b.vectors, m) for b, m in zip(blocks, observables, strict=True)]
    means = _means([jnp.exp(x)[..., None] / weight * jnp.eye(x.shape[-1], dtype=x.dtype) for x in nodes], inner)
    total = jnp.zeros((), means.dtype)
    for m, x in zip(inner, nodes, strict=True):
        kappa = _EXP([[x[..., :, None], x[..., None, :]]]) / weight
        shift = means.reshape(-1, *[1] * (m.ndim - 1)) * jnp.eye(m.shape[-1], dtype=m.dtype)
        scaled = ((m - shift) * jnp.sqrt(kappa)).reshape(m.shape[0], -1)
        total = total + matmul(scaled.real, scaled.real.T)
        if jnp.iscomplexobj(scaled):
            total = total + matmul(scaled.imag, scaled.imag.T)
    return total


def _in_eigenbasis(vectors, observables):
    """`U^dagger X_k U` for Hermitian `X_k`, as two products with all observables in one long matrix."""
    observables = observables.astype(jnp.result_type(observables, vectors))
    count, *stack, dim, _ = observables.shape
    vectors = vectors.astype(observables.dtype)

    def times_vectors(m):  # all observables below one another
        return matmul(jnp.moveaxis(m, 0, -3).reshape(*stack, count * dim, dim), vectors)

    half = times_vectors(observables).reshape(*stack, count, dim, dim)
    whole = matmul(dagger(half).reshape(*stack, count * dim, dim), vectors)
    return jnp.moveaxis(whole.reshape(*stack, count, dim, dim), -3, 0)


@_covariance.defjvp
def _covariance_jvp(primals, tangents):
    s, blocks, observables = primals
    ds, d_blocks, d_observables = tangents

    def slow(s, matrices, observables):
        moved = zip(matrices, blocks, strict=True)
        full = tuple(Decomposition(m, b.eigenvalues, b.eigenvectors) for m, b in moved)
        return _covariance_by_maps(s, full, observables)

    matrices, d_matrices = tuple(b.matrix for b in blocks), tuple(b.matrix for b in d_blocks)
    _, tangent = jax.jvp(slow, (s, matrices, observables), (ds, d_matrices, d_observables))
    return _covariance(s, blocks, observables), tangent


def _covariance_by_maps(s, blocks: Blocks, observables):
    means = _means(gibbs_matrices(s, blocks), observables)
    total = -jnp.outer(means, means)
    for maps, group in zip(_kubo_mori_maps(s, blocks, observables), observables, strict=True):
        total = total + jnp.einsum("k...ij,l...ji->kl", maps, group, precision="highest").real
    return total


def _kubo_mori_maps(s, blocks: Blocks, observables):
    """The Kubo-Mori map of every observable, block by block."""
    blocks = tuple(block.with_eigenvectors() for block in blocks)
    _, _, reference = distances(s, spectrum_of(blocks))
    scale, h = _distances(s, blocks)
    norm = jnp.exp(_log_shifted(s, blocks))
    maps = []
    for b, x, group in zip(blocks, h, observables, strict=True):
        # the exponent, of which `chain` uses the tangent only, without the offset: that would cancel in the quotient
        exponent = s * (b.matrix - reference * jnp.eye(b.dim, dtype=b.matrix.dtype))
        nodes = jax.lax.stop_gradient(scale * x)
        one = functools.partial(chain, _EXP, (0, 0), exponent, nodes, b.vectors)
        maps.append(jax.vmap(one)(group) / norm)
    return maps


def _means(rho, observables):
    parts = [
        jnp.einsum("...ij,k...ji->k", r, m, precision="highest").real for r, m in zip(rho, observables, strict=True)
    ]
    return jnp.sum(jnp.stack(parts), axis=0)


def from_matrices(quantity):
    """A pure function of `(s, matrices, couplings)` from a `quantity` of `(s, blocks)`, with the cheapest decomposition.

    Undifferentiated in the matrices, the eigenvalues suffice; under a derivative there is one full decomposition, and the
    eigenvalues are not computed twice. `matrices` is a tuple of stacks of diagonal blocks. Where these are not yet all blocks,
    the hashable `expand(blocks, couplings)` makes the others from their decompositions, and `expand_levels` from their levels
    where nothing is differentiated. (A derivative in `s` alone is no such place: it may be differentiated in the matrices next.)
    """

    def function(s, matrices, couplings=None, expand=None, expand_levels=None):
        return _from_matrices(quantity, expand, expand_levels or expand)(s, matrices, couplings)

    return function


@functools.lru_cache(maxsize=256)
def _from_matrices(quantity, expand, expand_levels):
    @jax.custom_jvp
    def function(s, matrices, couplings):
        blocks = tuple(decompose(matrix, eigenvectors=False) for matrix in matrices)
        return quantity(s, blocks if expand_levels is None else expand_levels(blocks, couplings))

    def rule(primals, tangents):
        (s, matrices, couplings), (ds, d_matrices, d_couplings) = primals, tangents
        moving = [_perturbed(d) for d in d_matrices]
        blocks = tuple(decompose(matrix, eigenvectors=moves) for matrix, moves in zip(matrices, moving, strict=True))
        inputs, d_inputs = (s, couplings), (ds, d_couplings)
        follows = [d is not None and _perturbed(d) for d in d_inputs]

        def perturbed(moved, followed):
            moved, followed = iter(moved), iter(followed)
            full = (
                Decomposition(_hermitian_part(next(moved)), b.eigenvalues, b.eigenvectors) if moves else b
                for b, moves in zip(blocks, moving, strict=True)
            )
            now = [next(followed) if follow else x for x, follow in zip(inputs, follows, strict=True)]
            return quantity(now[0], tuple(full) if expand is None else expand(tuple(full), now[1]))

        def chosen(values, flags):
            return [value for value, flag in zip(values, flags, strict=True) if flag]

        primal = chosen(matrices, moving), chosen(inputs, follows)
        return jax.jvp(perturbed, primal, (chosen(d_matrices, moving), chosen(d_inputs, follows)))

    function.defjvp(rule, symbolic_zeros=True)
    return function


def _hermitian_part(matrix):
    return (matrix + dagger(matrix)) / 2
