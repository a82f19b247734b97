"""The state of an open system along time."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxgibbs._errors import check_finite, check_hermitian, is_concrete, nan_unless
from jaxgibbs._solution import RESULTS, Solution, conclude
from jaxgibbs.equilibrium import Auto
from jaxgibbs.linalg import eigvalsh
from jaxgibbs.open_systems import AbstractGenerator
from jaxgibbs.open_systems.generator import check_generator
from jaxgibbs.operators.base import inexact
from jaxgibbs.operators.dense import hermitian_or_nan

from .methods import AbstractEvolution, Propagator, RungeKutta, Taylor
from .propagator import evolve_by_propagator
from .runge_kutta import evolve_by_runge_kutta
from .taylor import evolve_by_taylor

Generator = AbstractGenerator | Callable[[Array], AbstractGenerator]
_LARGEST_PROPAGATOR = 4  # dimension up to which the matrix of a generator is the quickest way


def evolve(
    generator: Generator,
    rho: ArrayLike,
    times: ArrayLike,
    *,
    method: AbstractEvolution | Auto = Auto(),
    throw: bool = True,
) -> Solution:
    """The states at `times` from `d rho / dt = L(rho)`, `rho` at the first of them.

    Args:
        generator: a generator, or a function of time that returns one: `lambda t: Lindbladian(h0 + f(t) * v, jumps, rates)`.
        rho: Hermitian, shape `(dim, dim)`.
        times: ascending, shape `(times,)`.
        method: `Propagator()`, `Taylor()` or `RungeKutta()`. `Auto()` is the propagator up to dimension 4, above it Taylor's
            series, and Runge-Kutta for functions of time.
        throw: whether a numerical failure raises.

    Returns:
        `Solution` with the states, shape `(times, dim, dim)`, as `value`; differentiable in generator, state and times. `error`
        is an estimate for each state, in the Frobenius norm: the sum of what the steps allowed. `stats` holds `steps`, the
        largest `trace_defect`, and the `lowest_eigenvalue` of the last state.

    Raises:
        ValueError: if `rho` is not Hermitian or of another shape, or `times` do not ascend (NaN under a trace).
        RuntimeError: on a numerical failure.
    """
    if not isinstance(generator, AbstractGenerator) and not callable(generator):
        raise ValueError(
            f"`generator` must be a generator such as `Lindbladian`, or a function of time that returns one, "
            f"but is `{type(generator).__name__}`."
        )
    driven = not isinstance(generator, AbstractGenerator)
    instants = checked_times(times)
    now = generator_at(generator, instants[0])
    method = chosen_method(method, now.dim, driven)
    state = checked_initial(rho, now)
    instants = instants.astype(jnp.finfo(state.dtype).dtype)
    equal = not driven and isinstance(method, Propagator) and _equally_spaced(instants)
    path = (
        _driven_path(generator, state, instants, method) if driven else _path(generator, state, instants, method, equal)
    )
    return conclude(Solution(*path), throw)


def generator_at(generator: Generator, time) -> AbstractGenerator:
    """The generator at one time."""
    if isinstance(generator, AbstractGenerator):
        return generator
    now = generator(time)
    if not isinstance(now, AbstractGenerator):
        raise ValueError(
            f"A function of time given as `generator` must return a generator, but returned `{type(now).__name__}`."
        )
    return now


def checked_times(times) -> Float[Array, " times"]:
    """Ascending times; NaN under a trace where they are not."""
    times = inexact(times)
    if times.ndim != 1 or len(times) == 0 or jnp.issubdtype(times.dtype, jnp.complexfloating):
        raise ValueError(
            f"`times` must be a list of real numbers, but have shape {times.shape} and dtype {times.dtype}."
        )
    check_finite("times", times)
    ascending = np.all(np.diff(np.asarray(times)) >= 0) if is_concrete(times) else jnp.all(jnp.diff(times) >= 0)
    if is_concrete(ascending) and not ascending:
        raise ValueError(
            "`times` must ascend from the time of the initial state, but a later one is smaller; sort them."
        )
    return nan_unless(ascending, times)


def checked_initial(rho, generator: AbstractGenerator) -> Complex[Array, "dim dim"]:
    """A Hermitian matrix of the space of the generator, in the dtype of the states."""
    check_generator(generator)
    rho = inexact(rho)
    if rho.shape != (generator.dim, generator.dim):
        raise ValueError(
            f"`rho` must have shape {(generator.dim, generator.dim)} like the Hamiltonian, but has shape {rho.shape}; "
            "map over a batch with `jax.vmap`."
        )
    check_hermitian("rho", rho)
    return _hermitian(rho.astype(jnp.result_type(rho.dtype, generator.dtype)))


_hermitian = jax.jit(hermitian_or_nan)


def chosen_method(method: Any, dim: int, driven: bool) -> AbstractEvolution:
    """The method that is meant, one that can."""
    if isinstance(method, Auto):
        return RungeKutta() if driven else Propagator() if dim <= _LARGEST_PROPAGATOR else Taylor()
    if not isinstance(method, AbstractEvolution):
        raise ValueError(
            f"`method` must be `Auto()`, `Propagator()`, `Taylor()` or `RungeKutta()`, but is `{type(method).__name__}`."
        )
    if driven and not isinstance(method, RungeKutta):
        raise ValueError(
            f"A generator that changes in time must be evolved by `RungeKutta()`, but `method` is `{type(method).__name__}()`."
        )
    return method


def _equally_spaced(times) -> bool:
    """Whether the times can be read and are so; their derivatives are then not asked for."""
    if not is_concrete(times) or len(times) < 2:
        return False
    values = np.asarray(times, float)
    rounding = 8 * np.finfo(times.dtype).eps * np.max(np.abs(values))
    return bool(np.all(np.abs(values - np.linspace(values[0], values[-1], len(values))) <= rounding))


@eqx.filter_jit
def _path(generator, rho, times, method, equal: bool):
    if isinstance(method, Propagator):
        path = evolve_by_propagator(generator, rho, times, equal)
    elif isinstance(method, Taylor):
        path = evolve_by_taylor(generator, rho, times, method)
    else:
        path = evolve_by_runge_kutta(lambda t: generator, rho, times, method)
    return _judged(path, rho, times)


def _driven_path(generator, rho, times, method):
    return _judged(evolve_by_runge_kutta(generator, rho, times, method), rho, times)


def _judged(path, rho, times):
    states = jax.lax.stop_gradient(path.states)
    traces = jnp.trace(states, axis1=1, axis2=2).real
    finite = jnp.all(jnp.isfinite(states))
    input_finite = jnp.all(jnp.isfinite(rho)) & jnp.all(jnp.isfinite(times))
    result = RESULTS.where(finite, RESULTS.optimal, RESULTS.nonfinite)
    result = RESULTS.where(path.finished | ~input_finite, result, RESULTS.max_steps_reached)
    last = jnp.where(jnp.isfinite(states[-1]), states[-1], 0)
    stats = {
        "steps": path.steps,
        "trace_defect": jnp.max(jnp.abs(traces - traces[0])),
        "lowest_eigenvalue": jnp.where(finite, eigvalsh(last)[0], jnp.nan),
    }
    return path.states, path.errors, result, stats
