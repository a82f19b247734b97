"""Where one state relaxes to: backward Euler steps of growing length, each a preconditioned solve."""

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxgibbs._solution import RESULTS
from jaxgibbs.linalg.bicgstab import bicgstab

from .no_jump import NoJump, scales
from .steady_methods import AbstractSteadyMethod, Found, Krylov, uniform

_GROWTH = 100.0


class Relaxation(AbstractSteadyMethod):
    """The limit of the dynamics that starts from `guess` (from `1 / dim` if there is none).

        rho_{n+1} = (1 - t_n L)^-1 rho_n,      t_n growing a hundredfold a step

    A step keeps the trace, positivity and every conserved quantity, so that of several steady states the one is found that
    `guess` relaxes to. The uniqueness is NaN: nothing is said about other states. Derivatives exist where there is one alone.

    Args:
        tolerance: of each step, relative; by default eps^(3/4).
        max_steps: largest number of BiCGStab steps, of all Euler steps together.
    """

    tolerance: float | None = eqx.field(static=True, default=None)
    max_steps: int = eqx.field(static=True, default=4000)

    def find(self, generator, guess):
        size = scales(generator)
        no_jump = NoJump(generator, size.rate)
        state = uniform(generator) if guess is None else guess
        eps = jnp.finfo(state.dtype).eps
        relative = eps**0.75 if self.tolerance is None else self.tolerance
        apply = no_jump.forward(state).operator

        def image(x):
            return apply(x) - size.rate * state * jnp.trace(x)

        def residual(x):
            return jnp.linalg.norm(image(x)) / (size.norm * jnp.linalg.norm(x))

        def step(carry):
            x, rate, steps, rounds, _ = carry
            system = no_jump.damped(rate)
            b = -rate * x
            found = bicgstab(
                system.operator,
                system.product,
                system.inverse,
                b,
                x,
                tolerance=(relative * rate * jnp.linalg.norm(x)).astype(x.dtype),
                max_steps=self.max_steps,
            )
            return found.x, rate / _GROWTH, steps + found.steps, rounds + 1, residual(found.x)

        def running(carry):
            _, _, steps, rounds, left = carry
            return (left > 10 * eps) & (steps < self.max_steps) & (rounds < 12)

        zero = jnp.zeros((), jnp.int32)
        first = (state, size.rate / _GROWTH, zero, zero, jnp.asarray(jnp.inf, state.dtype))
        x, _, steps, _, left = jax.lax.while_loop(running, step, first)
        result = RESULTS.where(steps >= self.max_steps, RESULTS.max_steps_reached, RESULTS.stagnated)
        result = RESULTS.where(left <= 10 * relative, RESULTS.optimal, result)
        result = RESULTS.where(jnp.isfinite(left), result, RESULTS.nonfinite)
        return Found(x, jnp.full((), jnp.nan, x.dtype), steps, result)

    def inverse(self, generator):
        return Krylov(max_steps=self.max_steps).inverse(generator)
