"""`e^{L t} rho` by the exponential of the matrix of `L`."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from jaxgibbs._errors import check_room
from jaxgibbs.linalg import dagger, unvectorize, vectorize
from jaxgibbs.open_systems import AbstractGenerator

from .taylor import Path

_SQUARINGS = 60  # steps of up to 1e18 in units of the largest rate


def evolve_by_propagator(
    generator: AbstractGenerator, rho: Complex[Array, "dim dim"], times: Float[Array, " times"], equal_steps: bool
) -> Path:
    """The states `e^{L (t_i - t_0)} rho`, and their rounding, which grows with the norm of what is squared."""
    dim = generator.dim
    check_room(
        f"`Propagator()` in dimension {dim} must have room for 10 matrices of dim^4 numbers",
        10 * dim**4,
        generator.dtype,
        "use `Taylor()`, which holds a few dozen matrices of dim^2",
    )
    matrix = generator.to_dense()

    def exponential(duration):
        return jax.scipy.linalg.expm(matrix * duration, max_squarings=_SQUARINGS)

    def advance(state, step):
        return (state := jnp.matmul(step, state, precision=jax.lax.Precision.HIGHEST)), state

    start = vectorize(rho)
    if equal_steps and len(times) > 1:
        step = exponential((times[-1] - times[0]) / (len(times) - 1))
        _, moved = jax.lax.scan(lambda state, _: advance(state, step), start, None, length=len(times) - 1)
    else:
        _, moved = jax.lax.scan(lambda state, dt: advance(state, exponential(dt)), start, jnp.diff(times))
    states = unvectorize(jnp.concatenate([start[None], moved]))
    states = (states + dagger(states)) / 2
    norm = jax.lax.stop_gradient(jnp.max(jnp.sum(jnp.abs(matrix), axis=0)))
    lengths = jax.lax.stop_gradient(times - times[0])
    errors = jnp.finfo(times.dtype).eps * (1 + norm * lengths) * jnp.linalg.norm(jax.lax.stop_gradient(rho))
    return Path(states, errors, jnp.asarray(len(times) - 1), jnp.asarray(True))
