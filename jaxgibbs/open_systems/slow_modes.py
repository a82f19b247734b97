"""How fast a system forgets: the slowest modes of its generator, the gap, and the time to come near the steady state."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxgibbs._errors import is_concrete
from jaxgibbs.equilibrium import Auto
from jaxgibbs.linalg import eigvalsh
from jaxgibbs.linalg.general import eig
from jaxgibbs.linalg.undefined import nan_where, one_without_slope

from .conserved import LARGEST_DENSE_DIMENSION
from .generator import AbstractGenerator, check_generator
from .hermitian_space import as_hermitian, as_real, real_map, real_superoperator
from .no_jump import scales
from .steady_methods import Dense, Krylov, choose, random_state, uniform


class SlowModes(eqx.Module):
    """Modes `L(X_k) = lambda_k X_k`, the slowest first, without the stationary one.

    Attributes:
        eigenvalues: `lambda_k`; `-Re lambda_k` is a decay rate and `Im lambda_k` a frequency.
        modes: `X_k`, of norm 1.
        error: an estimate of the distance of each eigenvalue to one of the generator.
    """

    eigenvalues: Complex[Array, " count"]
    modes: Complex[Array, "count dim dim"]
    error: Float[Array, " count"]


class Arnoldi(eqx.Module):
    """Arnoldi's iteration with the inverse of the generator, each product a preconditioned solve; it finds the modes nearest to 0.

    A mode that decays slowly but oscillates fast is far from 0 and may be missed.

    Args:
        depth: dimension of the Krylov space, one solve each.
        solver: of the linear systems.
    """

    depth: int = eqx.field(static=True, default=40)
    solver: Krylov = eqx.field(static=True, default=Krylov())


def slow_modes(generator: AbstractGenerator, count: int = 1, *, method: Dense | Arnoldi | Auto = Auto()) -> SlowModes:
    """The slowest modes of a generator with one steady state; a second one is a mode of eigenvalue 0. For CPUs.

    By `Dense()` their eigenvalues have first derivatives, NaN where two of them meet; by `Arnoldi()` they have none, and are NaN
    where a solve fails.

    Args:
        generator: of dimension `dim`.
        count: number of modes, below `dim^2`; both members of a pair of conjugates count.
        method: `Auto()` is `Dense()` up to dimension 16 and `Arnoldi()` above.

    Raises:
        ValueError: if `count` is out of range, or `method` is none of these.
    """
    check_generator(generator)
    if isinstance(method, Auto):
        method = Dense() if isinstance(choose(method, generator), Dense) else Arnoldi()
    if not isinstance(method, Dense | Arnoldi):
        raise ValueError(f"`method` must be `Auto()`, `Dense()` or `Arnoldi()`, but is {method!r}.")
    largest = generator.dim**2 - 1 if isinstance(method, Dense) else min(generator.dim**2 - 1, method.depth // 2)
    if not 1 <= count <= largest:
        raise ValueError(f"`count` must lie between 1 and {largest} for this generator and method, but is {count}.")
    return _dense(generator, count) if isinstance(method, Dense) else _arnoldi(method, generator, count)


def spectral_gap(generator: AbstractGenerator, *, method: Dense | Arnoldi | Auto = Auto()) -> Float[Array, ""]:
    """The smallest decay rate, `min(-Re lambda)` over all modes but the stationary one, in units of frequency.

    It is 0 to rounding if a second steady state exists. For methods and derivatives see `slow_modes`.

    Raises:
        ValueError: if `method` is none of `slow_modes`, or the generator acts on one state alone.
    """
    check_generator(generator)
    if generator.dim == 1:
        raise ValueError("`generator` must act on two states or more to have a gap, but acts on one.")
    found = slow_modes(generator, 1 if isinstance(method, Dense) else min(4, generator.dim**2 - 1), method=method)
    return -jnp.max(found.eigenvalues.real)


def mixing_time(generator: AbstractGenerator, initial: ArrayLike, accuracy: ArrayLike = 1e-2) -> Float[Array, ""]:
    """The time after which `rho(t)` from `initial` stays within a trace distance of the steady state.

        min { t : || e^{L t} rho - rho_ss ||_1 / 2 <= accuracy }

    By bisection on the exact evolution, along which the distance never grows; infinite where it is never reached. NaN if the
    eigenvectors of the generator are no basis to half the digits. It has no derivatives: they are NaN.

    Args:
        generator: of a dimension up to 32.
        initial: the state at time 0, shape `(dim, dim)`.
        accuracy: the distance, between 0 and 1.

    Raises:
        ValueError: if the dimension is larger, `initial` has another shape, or `accuracy` is not positive.
    """
    check_generator(generator)
    if generator.dim > LARGEST_DENSE_DIMENSION:
        raise ValueError(
            f"`generator` must have a dimension of at most {LARGEST_DENSE_DIMENSION} here, but has {generator.dim}; `spectral_gap` "
            "bounds the mixing time of larger systems."
        )
    initial = jnp.asarray(initial, generator.dtype)
    if initial.shape != (generator.dim, generator.dim):
        raise ValueError(f"`initial` must have shape {(generator.dim, generator.dim)}, but has shape {initial.shape}.")
    if is_concrete(accuracy) and not np.all(np.asarray(accuracy) > 0):
        raise ValueError(f"`accuracy` must be positive, but is {accuracy}; no finite time reaches the steady state.")
    return _mixing_time(generator, initial, jnp.asarray(accuracy, uniform(generator).dtype))


@functools.partial(jax.jit, static_argnums=1)
def _dense(generator, count) -> SlowModes:
    fixed = jax.lax.stop_gradient(generator)
    found, norm = _spectrum(fixed)
    order = jnp.argsort(-found.values.real)[1 : count + 1]  # the first is the stationary one, moved to the right
    values, shape = found.values[order], (count, generator.dim, generator.dim)
    right, left = found.vectors[:, order].T.reshape(shape), found.inverse[order].reshape(shape)
    eps = jnp.finfo(norm.dtype).eps
    distances = jnp.abs(values[:, None] - found.values[None, :]).at[jnp.arange(count), order].set(jnp.inf)
    met = jnp.min(distances, axis=1) <= 1e3 * eps * norm
    values = _with_slope(generator, values, right, left, met)
    error = eps * norm * jnp.linalg.norm(right, axis=(1, 2)) * jnp.linalg.norm(left, axis=(1, 2))
    return SlowModes(values, _in_matrices(right), error)


def _spectrum(generator):
    """The eigensystem of `L + s (1/d) Tr` in real form, and the norm of `L`."""
    size, source = scales(generator), uniform(generator).ravel()
    shifted = real_superoperator(generator) + size.rate * source[:, None] * (generator.dim * source)
    return eig(shifted), size.norm


def _in_matrices(modes):
    """Complex modes in real form as matrices of norm 1."""
    matrices = jax.vmap(lambda x: as_hermitian(x.real) + 1j * as_hermitian(x.imag))(modes)
    return matrices / jnp.linalg.norm(matrices, axis=(1, 2), keepdims=True)


@jax.custom_jvp
def _with_slope(generator, values, right, left, met):
    """`values`, with `d lambda = <left| dL |right>`, and NaN for second derivatives and where eigenvalues meet."""
    del generator, right, left, met
    return values


@_with_slope.defjvp
def _with_slope_jvp(primals, tangents):
    generator, _, right, left, met = primals

    def moved(g):
        apply = real_map(g)
        images = jax.vmap(lambda x: jax.lax.complex(apply(x.real), apply(x.imag)))(right)
        return jnp.sum(left * images, axis=(1, 2))

    _, slope = jax.jvp(moved, (generator,), (tangents[0],))
    once = one_without_slope(generator.effective_hamiltonian())
    return _with_slope(*primals), jax.lax.complex(nan_where(met, slope.real), nan_where(met, slope.imag)) * once


@functools.partial(jax.jit, static_argnums=(0, 2))
def _arnoldi(method: Arnoldi, generator, count) -> SlowModes:
    fixed = jax.lax.stop_gradient(generator)
    inverse, size = method.solver.inverse(fixed).apply, fixed.dim**2
    start = random_state(fixed) - uniform(fixed)
    depth = min(method.depth, size - 1)
    basis = jnp.zeros((depth + 1, size), start.dtype).at[0].set(start.ravel() / jnp.linalg.norm(start))

    def grow(basis, k):
        new = inverse(basis[k].reshape(fixed.dim, fixed.dim)).ravel()
        column = jnp.zeros(depth + 1, new.dtype)
        for _ in range(2):  # the second pass removes what rounding left
            overlaps = jnp.where(jnp.arange(depth + 1) <= k, basis @ new, 0)
            new, column = new - overlaps @ basis, column + overlaps
        length = jnp.linalg.norm(new)
        basis = basis.at[k + 1].set(new / jnp.where(length > 0, length, 1))
        return basis, column.at[k + 1].set(length)

    basis, columns = jax.lax.scan(grow, basis, jnp.arange(depth))
    small = eig(columns[:, :depth].T)
    nearest = jnp.argsort(-jnp.abs(small.values))[:count]
    values = 1 / small.values[nearest]
    order = jnp.argsort(-values.real)
    values, chosen = values[order], nearest[order]
    vectors = small.vectors[:, chosen]
    modes = (vectors.T @ basis[:depth]).reshape(count, fixed.dim, fixed.dim)
    error = jnp.abs(columns[-1, depth] * vectors[-1]) * jnp.abs(values) ** 2
    values = values * one_without_slope(generator.effective_hamiltonian())
    return SlowModes(values, _in_matrices(modes), error)


@jax.jit
def _mixing_time(generator, initial, accuracy):
    fixed = jax.lax.stop_gradient(generator)
    size, source = scales(fixed), uniform(fixed)
    found, _ = _spectrum(fixed)
    steady = found.vectors @ (found.inverse @ source.ravel().astype(found.values.dtype) * (size.rate / found.values))
    decaying = found.inverse @ (
        as_real(initial).ravel() - steady
    )  # traceless, where the shifted generator is the generator

    def distance(time):
        change = found.vectors @ (
            decaying * jnp.exp(jnp.minimum(found.values.real, 0) * time + 1j * found.values.imag * time)
        )
        return jnp.sum(jnp.abs(eigvalsh(as_hermitian(change.real.reshape(source.shape))))) / 2

    horizon = jax.lax.while_loop(
        lambda t: (distance(t) > accuracy) & (t * size.rate < 1e18),
        lambda t: 2 * t,
        jnp.ones_like(size.rate) / size.rate,
    )

    def halve(_, bracket):
        low, high = bracket
        middle = (low + high) / 2
        late = distance(middle) > accuracy
        return jnp.where(late, middle, low), jnp.where(late, high, middle)

    _, time = jax.lax.fori_loop(0, jnp.finfo(source.dtype).nmant + 4, halve, (jnp.zeros_like(horizon), horizon))
    time = jnp.where(distance(jnp.zeros_like(time)) <= accuracy, 0, time)
    time = jnp.where(horizon * size.rate < 1e18, time, jnp.inf)
    sound = found.condition * jnp.sqrt(jnp.finfo(source.dtype).eps) < 1
    return jnp.where(sound, time, jnp.nan) * one_without_slope(generator.effective_hamiltonian())
