"""`e^{L t} rho` by Taylor's series with steps as long as its terms allow."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from jaxgibbs._errors import check_room
from jaxgibbs.linalg import dagger
from jaxgibbs.open_systems import AbstractGenerator

from .methods import Taylor

States = Complex[Array, "times dim dim"]
_LARGEST_GROWTH = 8.0  # of a step over the one before; less where its powers would overflow
_WHERE_OVERFLOWN = 1e-3  # the next unit, where the terms did
_TOGETHER = 8  # states that are summed at once


class Path(NamedTuple):
    """States at the times asked for, NaN where they were not reached; `finished` unless the steps ran out."""

    states: States
    errors: Float[Array, " times"]
    steps: Int[Array, ""]
    finished: Array


def evolve_by_taylor(
    generator: AbstractGenerator, rho: Complex[Array, "dim dim"], times: Float[Array, " times"], method: Taylor
) -> Path:
    """The states `e^{L (t_i - t_0)} rho`, and what the terms left out and the rounding add up to."""
    eps = float(jnp.finfo(times.dtype).eps)
    tolerance = jnp.asarray(eps ** (2 / 3) if method.tolerance is None else method.tolerance, times.dtype)
    degree = (30 if times.dtype == jnp.float64 else 12) if method.degree is None else method.degree
    held = degree + len(times)
    check_room(
        f"`Taylor()` in dimension {generator.dim} must have room for {held} matrices of dim^2 numbers, its terms and the states",
        held * generator.dim**2,
        generator.dtype,
        "ask for fewer times at once, and go on from the last state",
    )
    product, constants = jax.closure_convert(generator.hermitian_map(), rho)
    return Path(*_march(product, degree, method.max_steps, tuple(constants), rho, times, tolerance))


def _terms(apply: Callable, rho, unit, degree: int):
    """`(unit L)^k rho / k!` for `k = 0 ... degree`, stacked."""

    def raise_power(term, k):
        term = (unit / k) * apply(term)
        return term, term

    orders = jnp.arange(1, degree + 1, dtype=unit.dtype)
    return jnp.concatenate([rho[None], jax.lax.scan(raise_power, rho, orders)[1]])


def _split(matrices):
    """Real and imaginary parts of each matrix in one row of real numbers."""
    flat = matrices.reshape(len(matrices), -1)
    return jnp.concatenate([flat.real, flat.imag], axis=1)


def _joined(rows, dim: int):
    """The matrices that `_split` took apart."""
    real, imaginary = jnp.split(rows, 2, axis=-1)
    return jax.lax.complex(real, imaginary).reshape(*rows.shape[:-1], dim, dim)


def _sums_at(rows, x):
    """`sum_k x^k rows_k` for each `x`."""
    powers = jnp.stack([x**k for k in range(len(rows))], axis=1)  # whole powers have derivatives at 0
    return jnp.matmul(powers, rows, precision=jax.lax.Precision.HIGHEST)


def _reach(terms, tolerance):
    """`(x, norms)`: how far the series may be followed, in its unit; 0 where its terms overflowed."""
    norms = jnp.sqrt(jnp.sum(terms.real**2 + terms.imag**2, axis=(1, 2)))
    orders = jnp.arange(1, len(terms), dtype=norms.dtype)
    scale = jnp.where(norms[0] > 0, norms[0], 1)
    largest = jnp.maximum(
        tolerance / jnp.finfo(norms.dtype).eps, 10
    )  # rounding of larger terms would exceed the tolerance
    allowed = jnp.full(len(terms) - 1, 1.0, norms.dtype) * largest
    allowed = allowed.at[-2:].set(tolerance)
    positive = norms[1:] > 0
    safe = jnp.where(positive, norms[1:], 1)
    roots = jnp.exp((jnp.log(allowed) + jnp.log(scale) - jnp.log(safe)) / orders)
    longest = min(_LARGEST_GROWTH, float(jnp.finfo(norms.dtype).max) ** (0.5 / len(orders)))
    reach = jnp.minimum(jnp.min(jnp.where(positive, roots, jnp.inf)), longest)
    return jnp.where(jnp.all(jnp.isfinite(norms)), reach, 0), norms


def _error_at(norms, x):
    """The last term, which is above all that follow, and the rounding of the largest."""
    sizes = norms * jnp.power(x, jnp.arange(len(norms), dtype=x.dtype))
    return sizes[-1] + jnp.finfo(norms.dtype).eps * jnp.max(sizes)


def _first_unit(apply, rho, times):
    """A unit of time in which the first derivative is about the state, at most the whole time; NaN if something is."""
    span = jnp.maximum(times[-1] - times[0], jnp.finfo(times.dtype).tiny)
    size, speed = jnp.linalg.norm(rho), jnp.linalg.norm(apply(rho))
    quick = speed * span > size
    unit = jnp.where(quick, size / jnp.where(quick, speed, 1), span)
    return jnp.where(jnp.isfinite(speed + jnp.sum(times)), unit, jnp.nan)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _march(product, degree: int, max_steps: int, constants, rho, times, tolerance):
    """Steps of any number of outputs each, as many as needed."""
    count, dim = len(times), len(rho)
    padded = jnp.concatenate([times, jnp.full(_TOGETHER, jnp.inf, times.dtype)])

    def apply(x):
        return product(x, *constants)

    def unfinished(carry):
        return (carry[0] < count) & (carry[4] < max_steps) & jnp.isfinite(carry[3])

    def step(carry):
        i, t, rho, unit, steps, error, outputs, errors = carry
        terms = _terms(apply, rho, unit, degree)
        x, norms = _reach(terms, tolerance)
        end, rows = jnp.minimum(t + x * unit, times[-1]), _split(terms)

        def more(recorded):
            return padded[recorded[0]] <= end

        def record(recorded):  # several at once; those beyond the end are written again later
            i, outputs, errors = recorded
            at = jax.lax.dynamic_slice(padded, (i,), (_TOGETHER,))
            fractions = (jnp.minimum(at, end) - t) / unit
            outputs = jax.lax.dynamic_update_slice(outputs, _sums_at(rows, fractions), (i, 0))
            made = error + jax.vmap(lambda x: _error_at(norms, x))(fractions)
            return i + jnp.sum(at <= end), outputs, jax.lax.dynamic_update_slice(errors, made, (i,))

        i, outputs, errors = jax.lax.while_loop(more, record, (i, outputs, errors))
        fraction, moved = (end - t) / unit, x > 0
        rho = jnp.where(moved, _joined(_sums_at(rows, fraction[None])[0], dim), rho)
        error = jnp.where(moved, error + _error_at(norms, fraction), error)
        unit = unit * jnp.where(moved, x, _WHERE_OVERFLOWN)
        return i, jnp.where(moved, end, t), rho, unit, steps + 1, error, outputs, errors

    zero = jnp.zeros_like(times[0])
    outputs = jnp.zeros((count + _TOGETHER, 2 * dim * dim), times.dtype).at[0].set(_split(rho[None])[0])
    start = (jnp.asarray(1), times[0], rho, _first_unit(apply, rho, times), jnp.asarray(0), zero)
    start = (*start, outputs, jnp.zeros(count + _TOGETHER, times.dtype))
    i, _, _, unit, steps, _, outputs, errors = jax.lax.while_loop(unfinished, step, start)
    reached = jnp.arange(count) < i
    states = _joined(outputs[:count], dim)
    states = jnp.where(reached[:, None, None], (states + dagger(states)) / 2, jnp.nan)
    return states, jnp.where(reached, errors[:count], jnp.inf), steps, (i >= count) | jnp.isnan(unit)


def _walk(product, degree: int, max_steps: int, constants, rho, times, tolerance):
    """As `_march`, to be differentiated: a bounded number of steps, each of which ends at the next time at the latest."""
    count = len(times)
    fixed = jax.lax.stop_gradient

    def apply(x):
        return product(x, *constants)

    @jax.checkpoint
    def step(carry):
        i, t, rho, unit, steps, error = carry
        terms = _terms(apply, rho, unit, degree)
        x, norms = map(fixed, _reach(fixed(terms), tolerance))
        arrives = (x > 0) & (fixed(t) + x * unit >= fixed(times[i]))
        fraction = jnp.where(arrives, (times[i] - t) / unit, x)
        rho = jnp.where(x > 0, _joined(_sums_at(_split(terms), fraction[None])[0], len(rho)), rho)
        error = error + jnp.where(x > 0, _error_at(norms, fixed(fraction)), 0)
        t = jnp.where(arrives, times[i], t + x * unit)
        unit = unit * jnp.where(x > 0, x, _WHERE_OVERFLOWN)
        return (i + arrives, t, rho, unit, steps + 1, error), (rho, error, jnp.where(arrives, i, count))

    def skip(carry):
        return carry, (carry[2], carry[5], jnp.asarray(count))

    def event(carry, _):
        return jax.lax.cond((carry[0] < count) & jnp.isfinite(carry[3]), step, skip, carry)

    unit = fixed(_first_unit(apply, rho, times))
    start = (jnp.asarray(1), times[0], rho, unit, jnp.asarray(0), jnp.zeros_like(unit))
    (i, _, _, unit, steps, _), (visited, made, slots) = jax.lax.scan(event, start, None, length=max_steps + count - 1)
    # what did not arrive anywhere goes to a last place that is cut off
    states = jnp.full((count + 1, *rho.shape), jnp.nan, rho.dtype).at[0].set(rho).at[slots].set(visited)[:count]
    errors = jnp.full(count + 1, jnp.inf, unit.dtype).at[0].set(0).at[slots].set(made)[:count]
    return states, fixed(errors), steps, (i >= count) | jnp.isnan(unit)


@_march.defjvp
def _march_jvp(product, degree, max_steps, primals, tangents):
    return jax.jvp(functools.partial(_walk, product, degree, max_steps), primals, tangents)
