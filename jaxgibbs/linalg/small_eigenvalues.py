"""Eigenvalues of many matrices of dimension up to 4 at once, entry by entry.

LAPACK spends two microseconds on such a matrix, most of it on calls. Its two steps, reflections to tridiagonal form and QL
sweeps without square roots, are written out here for one matrix; under `jax.vmap` each entry becomes a vector over the batch,
and a matrix takes a fifth of the time. Errors are of order `eps` times the norm, as in LAPACK. The program is long, and takes a
second to compile at dimension 4: it is for batches.

Reference: Wilkinson and Reinsch 1971, II/2 (tred); Parlett 1980, 8.15 (Pal, Walker and Kahan's QL).
"""

import functools
import operator

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

LARGEST = 4

_AT_ONCE = 1024  # whose entries stay in the cache
_MOST_SWEEPS = 30  # a level; two are usual


def small_eigenvalues(matrices: Inexact[Array, "batch dim dim"]) -> Float[Array, "batch dim"]:
    """Ascending eigenvalues of the Hermitian parts of a batch of matrices; NaN where an entry is not finite."""
    count, dim, _ = matrices.shape
    if count <= _AT_ONCE:
        return jax.vmap(_eigenvalues)(matrices)
    rounds = -(-count // _AT_ONCE)
    padded = jnp.pad(matrices, ((0, rounds * _AT_ONCE - count), (0, 0), (0, 0)))
    values = jax.lax.map(jax.vmap(_eigenvalues), padded.reshape(rounds, _AT_ONCE, dim, dim))
    return values.reshape(-1, dim)[:count]


def _eigenvalues(matrix):
    size = jnp.max(jnp.maximum(jnp.abs(matrix.real), jnp.abs(matrix.imag)))
    scaled = matrix / jnp.where(size > 0, size, 1)  # no square overflows, and those that underflow do not matter
    dim = matrix.shape[-1]
    entries = [
        [(scaled[i, j] + jnp.conj(scaled[j, i])) / 2 for j in range(i)] + [scaled[i, i].real] for i in range(dim)
    ]
    diagonal, squares = _tridiagonal(entries)
    levels, converged = _levels(diagonal, squares)
    return jnp.where(converged & jnp.isfinite(size), jnp.stack(_ascending(levels)) * size, jnp.nan)


def _total(terms):
    return functools.reduce(operator.add, terms)


def _square(z):
    return z.real**2 + z.imag**2


def _underflow(dtype) -> float:
    """Above this a sum of squares has its full precision, though squares may have been lost."""
    return float(jnp.finfo(dtype).tiny / jnp.finfo(dtype).eps)


def _tridiagonal(a: list):
    """Diagonal and squares of the off-diagonal entries of a tridiagonal matrix similar to the one of lower triangle `a`.

    The reflection `1 - f v v^dagger` takes the first column below its diagonal, `x`, to one entry of length `|x|`.
    """
    diagonal, squares = [], []
    while len(a) > 2:
        x = [row[0] for row in a[1:]]
        whole = _total([_square(z) for z in x])
        length, square = jnp.sqrt(whole), _square(x[0])
        small = _underflow(length.dtype)
        some = square > small  # else 0 takes its place, with an error of `eps` in the length of `v`
        first = jnp.sqrt(jnp.where(some, square, 0))
        v = [jnp.where(some, x[0] * (1 + length / jnp.where(some, first, 1)), length), *x[1:]]
        accurate = whole > small / jnp.finfo(length.dtype).eps
        factor = jnp.where(accurate, 1 / jnp.where(accurate, whole + first * length, 1), 0)
        rest = range(len(v))
        lower = [row[1:] for row in a[1:]]
        full = [[lower[i][j] if j <= i else jnp.conj(lower[j][i]) for j in rest] for i in rest]
        p = [factor * _total([full[i][j] * v[j] for j in rest]) for i in rest]
        half = factor / 2 * _total([(jnp.conj(v[i]) * p[i]).real for i in rest])
        q = [p[i] - half * v[i] for i in rest]
        diagonal.append(a[0][0].real)
        squares.append(whole)
        a = [
            [lower[i][j] - v[i] * jnp.conj(q[j]) - q[i] * jnp.conj(v[j]) for j in range(i)]
            + [lower[i][i] - 2 * (v[i] * jnp.conj(q[i])).real]
            for i in rest
        ]
    return diagonal + [row[-1].real for row in a], squares + [_square(row[0]) for row in a[1:]]


def _levels(diagonal: list, squares: list):
    """Eigenvalues of a tridiagonal matrix of norm about 1, and whether they were found."""
    dim = len(diagonal)
    if dim == 1:
        return diagonal, True
    norm = functools.reduce(jnp.maximum, [d**2 for d in diagonal] + squares)
    negligible = float(jnp.finfo(norm.dtype).eps) ** 2 * norm

    def without_small(squares):
        return [jnp.where(e <= negligible, 0, e) for e in squares]

    def is_done(squares):
        return _total(squares[:-1]) == 0 if dim > 2 else True

    def goes_on(carry):
        _, squares, sweeps = carry
        return (sweeps < _MOST_SWEEPS * dim) & ~is_done(squares)

    def sweep(carry):
        diagonal, squares, sweeps = carry
        diagonal, squares = _swept(diagonal, squares)
        return diagonal, without_small(squares), sweeps + 1

    squares = without_small(squares)
    if dim > 2:
        diagonal, squares, _ = jax.lax.while_loop(goes_on, sweep, (diagonal, squares, 0))
    *found, a, b = diagonal
    centre, radius = (a + b) / 2, jnp.sqrt(((a - b) / 2) ** 2 + squares[-1])
    return [*found, centre - radius, centre + radius], is_done(squares)


def _swept(d: list, e: list):
    """One QL sweep, upwards from the last row to the first that is still coupled to the next, by Wilkinson's shift there.

    `d` is the diagonal and `e` the squares of the off-diagonal. Rows above the first coupled one are levels already.
    """
    d, e, dim, eps = list(d), list(e), len(d), float(jnp.finfo(d[0].dtype).eps)
    active = functools.reduce(lambda flags, square: [*flags, flags[-1] | (square > 0)], e, [jnp.array(False)])[1:]
    corner = e[-1], d[-2], d[-1]
    for i in reversed(range(dim - 2)):
        corner = [jnp.where(active[i], new, old) for new, old in zip((e[i], d[i], d[i + 1]), corner, strict=True)]
    square, here, below = corner
    root = jnp.sqrt(jnp.where(square > 0, square, 1))
    slope = (below - here) / (2 * root)
    shift = here - root / (slope + jnp.copysign(jnp.sqrt(1 + slope**2), slope))

    cosine, sine, gamma = 1.0, 0.0, d[-1] - shift
    p = gamma**2
    for i in reversed(range(dim - 1)):
        on, last = active[i], active[i] & ~active[i - 1] if i else active[i]
        r = p + e[i]
        inverse = 1 / jnp.where(r > 0, r, 1)
        if i < dim - 2:
            e[i + 1] = jnp.where(on, sine * r, e[i + 1])
        p = p * inverse
        new_cosine, new_sine = jnp.where(r > 0, p, 1), e[i] * inverse
        new_gamma = new_cosine * (d[i] - shift) - new_sine * gamma
        d[i + 1] = jnp.where(on, gamma + (d[i] - new_gamma), d[i + 1])
        lost = (new_gamma**2 <= _underflow(r.dtype)) & (new_cosine <= eps**2)  # then the quotient has the limit cos^2 e
        p = jnp.where(lost, cosine * e[i], new_gamma**2 / jnp.where(new_cosine > 0, new_cosine, 1))
        cosine, sine, gamma = new_cosine, new_sine, new_gamma
        e[i], d[i] = jnp.where(last, sine * p, e[i]), jnp.where(last, shift + gamma, d[i])
    return d, e


def _ascending(values: list) -> list:
    """Sorted by neighbours that change places."""
    values = list(values)
    for turn in range(len(values)):
        for i in range(turn % 2, len(values) - 1, 2):
            a, b = values[i], values[i + 1]
            values[i], values[i + 1] = jnp.minimum(a, b), jnp.maximum(a, b)
    return values
