"""The Lanczos process: a Hermitian operator seen from one vector as a small tridiagonal matrix.

With `V` the orthonormal basis grown from `r`, `H V = V T + b r'` with `T` tridiagonal and real (Lanczos 1950). The eigenvalues of
`T` and the squares of the first row of its eigenvectors are Gauss's nodes and weights for `<r|f(H)|r>` (Golub & Meurant 1994),
exact for polynomials of degree `2 depth - 1`.

Only three vectors are kept. Rounding then costs orthogonality, which makes copies of converged eigenvalues that share their
weight and leaves sums over nodes right (Druskin & Knizhnerman 1991). Vectors in the Krylov space are made by running the
recurrence again with its known coefficients (`krylov_combinations`), so that no basis is ever stored.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from .eigen import eigh, matmul

_STEPS = 2  # in one turn of the loop: after two, the vectors are back in their places and none has to be copied there
_TOGETHER = (10, 9, 8, 7, 6, 5)  # vectors that are added to combinations in one pass: what leaves the fewest over
_ROUNDING = 16  # a residual below this many eps of the norm of T is rounding: the space is invariant


class Tridiagonal(eqx.Module):
    """`T`, with the norm of the starting vector.

    Attributes:
        diagonal: `<v_j|H|v_j>`.
        off_diagonal: `<v_j+1|H|v_j> > 0`; the last is the norm of the residual. Where the space is invariant the entry is
            0, and those after it decouple: vectors 0, diagonal within the spectrum.
        norm: `||r||`.
    """

    diagonal: Float[Array, " depth"]
    off_diagonal: Float[Array, " depth"]
    norm: Float[Array, ""]

    def to_dense(self) -> Float[Array, "depth depth"]:
        """`T` as a matrix."""
        side = self.off_diagonal[:-1]
        return jnp.diag(self.diagonal) + jnp.diag(side, 1) + jnp.diag(side, -1)

    def leading(self, depth: int) -> "Tridiagonal":
        """What a shorter run would have found."""
        return Tridiagonal(self.diagonal[:depth], self.off_diagonal[:depth], self.norm)


def ritz(tridiagonal: Tridiagonal) -> tuple[Float[Array, " depth"], Float[Array, "depth depth"]]:
    """Ritz values, ascending, and the eigenvectors of `T` as columns; their first row squared are the weights."""
    return eigh(tridiagonal.to_dense())


def lanczos(product: Callable, start: Inexact[Array, " dim"], depth: int) -> Tridiagonal:
    """`depth` steps from the vector `start`, three vectors at a time.

    Args:
        product: `v -> H v`, Hermitian.
        start: real or complex, of the dtype of `H v`.
        depth: number of products.
    """

    def step(carry, _):
        before, vector, scale = carry
        following, diagonal, scale = _advance(product(vector.entries), before, vector, scale)
        return (vector, following, scale), (diagonal, following.norm)

    first = _first(start)
    _, (diagonal, off_diagonal) = jax.lax.scan(step, first, None, length=depth, unroll=_STEPS)
    return _closed(diagonal, off_diagonal, first[1].norm)


def lanczos_basis(
    product: Callable, start: Inexact[Array, " dim"], depth: int
) -> tuple[Tridiagonal, Inexact[Array, "depth dim"]]:
    """`lanczos` with its vectors, which are orthonormal to rounding: each is orthogonalised twice against all before it."""

    def step(carry, index):
        basis, before, vector, scale = carry
        basis = basis.at[index].set(vector.unit())
        following, diagonal, scale = _advance(product(vector.entries), before, vector, scale)
        residual = following.entries
        for _ in range(2):
            residual = residual - matmul(basis.T, matmul(basis.conj(), residual))
        norm = jnp.where(following.norm > 0, _significant(jnp.linalg.norm(residual), scale), 0)
        return (basis, vector, _Scaled(residual, norm), scale), (diagonal, norm)

    first = _first(start)
    carry = (jnp.zeros((depth, *start.shape), start.dtype), *first)
    carry, (diagonal, off_diagonal) = jax.lax.scan(step, carry, jnp.arange(depth))
    return _closed(diagonal, off_diagonal, first[1].norm), carry[0]


def lanczos_overlaps(
    product: Callable, start: Inexact[Array, " dim"], rows: Inexact[Array, "rows dim"], depth: int
) -> tuple[Tridiagonal, Inexact[Array, "rows depth"]]:
    """`lanczos` with the inner products `<row|v_j>` of given vectors with each of its own, of which none is kept."""

    def step(carry, _):
        before, vector, scale = carry
        following, diagonal, scale = _advance(product(vector.entries), before, vector, scale)
        overlaps = vector.inverse() * matmul(rows.conj(), vector.entries)
        return (vector, following, scale), (diagonal, following.norm, overlaps)

    first = _first(start)
    _, (diagonal, off_diagonal, overlaps) = jax.lax.scan(step, first, None, length=depth)
    return _closed(diagonal, off_diagonal, first[1].norm), overlaps.T


def krylov_combinations(
    product: Callable,
    start: Inexact[Array, " dim"],
    tridiagonal: Tridiagonal,
    coefficients: Float[Array, "depth vectors"],
) -> Inexact[Array, "vectors dim"]:
    """`sum_j v_j C_jk` for each `k`, by running the recurrence again with the coefficients it had.

    Args:
        product: as it was for `lanczos`.
        start: as it was.
        tridiagonal: what it returned.
        coefficients: `C`.
    """
    real = start.real.dtype
    depth = len(tridiagonal.diagonal)
    together = min(_TOGETHER, key=lambda size: -depth % size)

    def step(carry, now):
        before, vector = carry
        diagonal, norm = now
        following = _Scaled(_residual(product(vector.entries), before, vector, diagonal), norm)
        return (vector, following), (vector.inverse(), vector.entries)

    def several(carry, now):
        *entries_of_t, weights = now
        *vectors, total = carry
        vectors, (inverses, made) = jax.lax.scan(step, tuple(vectors), tuple(entries_of_t), unroll=_STEPS)
        # one pass over the sums for several vectors
        total = total + matmul((inverses[:, None] * weights).T.astype(made.dtype), made)
        return (*vectors, total), None

    def in_turns(numbers):
        padded = jnp.pad(numbers.astype(real), [(0, -depth % together)] + [(0, 0)] * (numbers.ndim - 1))
        return padded.reshape(-1, together, *numbers.shape[1:])

    inputs = tuple(map(in_turns, (tridiagonal.diagonal, tridiagonal.off_diagonal, coefficients)))
    total = jnp.zeros((coefficients.shape[1], *start.shape), start.dtype)
    return jax.lax.scan(several, (*_first(start)[:2], total), inputs)[0][2]


class _Scaled(eqx.Module):
    """A vector of the basis as the recurrence leaves it: dividing by the norm waits for the next pass over its entries."""

    entries: Inexact[Array, " dim"]
    norm: Float[Array, ""]

    def inverse(self):
        """One over the norm, 0 for the vector that is 0."""
        return jnp.where(self.norm > 0, 1 / jnp.where(self.norm > 0, self.norm, 1), 0)

    def unit(self):
        """The vector of length 1."""
        return self.inverse() * self.entries


def _first(start) -> tuple[_Scaled, _Scaled, Float[Array, ""]]:
    """The vector before the first, the first, and the norm of `T` so far."""
    norm = jnp.linalg.norm(start)
    zero = jnp.zeros_like(norm)
    return _Scaled(jnp.zeros_like(start), zero), _Scaled(start, norm), zero


def _advance(image, before: _Scaled, vector: _Scaled, scale):
    """One step of the recurrence: the next vector, the new diagonal entry of `T`, and the norm of `T` so far."""
    diagonal = vector.inverse() ** 2 * jnp.vdot(vector.entries, image, precision="highest").real
    residual = _residual(image, before, vector, diagonal)
    last = jnp.where(before.norm > 0, vector.norm, 0)
    scale = jnp.maximum(scale, jnp.abs(diagonal) + last)
    norm = _significant(jnp.linalg.norm(residual), scale)
    return _Scaled(residual, norm), diagonal, jnp.maximum(scale, norm)


def _residual(image, before: _Scaled, vector: _Scaled, diagonal):
    """What `H v` adds to the basis; `image` is `H` on the entries of `v`, whose norm is the off-diagonal entry of `T`."""
    along = vector.inverse()
    return along * image - (along * diagonal) * vector.entries - (vector.norm * before.inverse()) * before.entries


def _significant(norm, scale):
    """`norm`, or 0 where it is rounding; a vector that is 0 leaves 0."""
    return jnp.where(norm > _ROUNDING * jnp.finfo(norm.dtype).eps * scale, norm, 0)


def _closed(diagonal, off_diagonal, norm) -> Tridiagonal:
    """Entries after the space was found invariant are given the first diagonal entry, which lies within the spectrum."""
    ended = jnp.cumsum(off_diagonal == 0) - (off_diagonal == 0) > 0
    return Tridiagonal(jnp.where(ended, diagonal[0], diagonal), jnp.where(ended, 0, off_diagonal), norm)
