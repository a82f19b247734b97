"""States of generators that change in time, by the solvers of diffrax."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from jaxgibbs.open_systems import AbstractGenerator

from .methods import RungeKutta
from .taylor import Path


def evolve_by_runge_kutta(
    generator: Callable[[Array], AbstractGenerator],
    rho: Complex[Array, "dim dim"],
    times: Float[Array, " times"],
    method: RungeKutta,
) -> Path:
    """The states, and the number of steps so far times what the tolerance allows each to err."""
    import diffrax  # at first use: it would double the time of `import jaxgibbs`

    eps = float(jnp.finfo(times.dtype).eps)
    relative = jnp.asarray(eps ** (5 / 9) if method.relative is None else method.relative, times.dtype)
    absolute = jnp.asarray(relative / 100 if method.absolute is None else method.absolute, times.dtype)
    if len(times) == 1:
        return Path(rho[None], jnp.zeros_like(times), jnp.asarray(0), jnp.asarray(True))

    def slope(t, y):
        change = generator(t).hermitian_map()(jax.lax.complex(y[0], y[1]))
        return jnp.stack([change.real, change.imag])

    start = jnp.stack([rho.real, rho.imag])  # real numbers: diffrax warns of complex ones
    slope, constants = jax.closure_convert(slope, times[0], start)
    parts = [(x.real, x.imag) if jnp.iscomplexobj(x) else x for x in constants]
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, y, parts: slope(t, y, *map(_whole, parts))),
        diffrax.Dopri8() if method.solver is None else method.solver,
        times[0],
        times[-1],
        None,
        start,
        parts,
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.ClipStepSizeController(
            diffrax.PIDController(rtol=relative, atol=absolute), step_ts=times
        ),
        adjoint=diffrax.ForwardMode() if method.forward else diffrax.RecursiveCheckpointAdjoint(),
        max_steps=method.max_steps,
        throw=False,
    )
    found = jnp.asarray(solution.ys)
    reached = jnp.all(jnp.isfinite(found), axis=(1, 2, 3))
    states = jnp.where(reached[:, None, None], jax.lax.complex(found[:, 0], found[:, 1]), jnp.nan)
    steps = solution.stats["num_accepted_steps"]
    size = absolute * jnp.sqrt(jnp.asarray(start.size, times.dtype)) + relative * jnp.linalg.norm(rho)
    share = (times - times[0]) / jnp.where(times[-1] > times[0], times[-1] - times[0], 1)
    errors = jax.lax.stop_gradient(jnp.where(reached, size * jnp.ceil(share * steps), jnp.inf))
    return Path(states, errors, solution.stats["num_steps"], solution.result == diffrax.RESULTS.successful)


def _whole(parts):
    return jax.lax.complex(*parts) if isinstance(parts, tuple) else parts
