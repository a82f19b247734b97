"""The state that open dynamics leads to, with a certificate, and its derivatives by the implicit function theorem."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import check_hermitian, is_concrete
from jaxgibbs._solution import RESULTS, Solution, conclude
from jaxgibbs.equilibrium import Auto
from jaxgibbs.linalg import eigvalsh

from .conserved import LARGEST_DENSE_DIMENSION, steady_states
from .generator import AbstractGenerator, check_generator
from .hermitian_space import as_hermitian, as_real, real_map
from .no_jump import scales
from .steady_methods import AbstractSteadyMethod, choose, uniform


def steady_state(
    generator: AbstractGenerator,
    method: AbstractSteadyMethod | Auto = Auto(),
    *,
    guess: ArrayLike | None = None,
    throw: bool = True,
) -> Solution:
    """The density matrix `rho` with `L(rho) = 0`, differentiable to every order in all that the generator holds.

        d rho = -(L + s (1/d) Tr)^-1 (dL)(rho)

    Args:
        generator: of the dynamics, of dimension `dim`.
        method: `Auto()` is `Dense()` up to dimension 16 and `Krylov()` above; for others see `open_systems`.
        guess: a state near the answer, shape `(dim, dim)`, say of a neighbouring parameter: iterations start from it.
        throw: whether a numerical failure, or a second steady state, raises.

    Returns:
        `Solution` with `rho` as `value`, of trace 1 and Hermitian to rounding, and as `error` an estimate of its distance in
        Frobenius norm to the exact one. `stats` is the certificate: `residual`, the norm of `L(rho)` over those of `L` and
        `rho`, recomputed; `trace` and `hermiticity_defect` before they were corrected; `smallest_eigenvalue`; `uniqueness`,
        the distance to another steady state that the method cannot exclude, small if there is one alone; `steps`.

    Raises:
        ValueError: if `guess` has a wrong shape or is not Hermitian, or `method` is none for steady states.
        RuntimeError: if the answer is not unique (it says how many there are), or an iteration fails.

    Example:
        >>> import jaxgibbs as jg
        >>> decay = jg.Lindbladian([[1.0, 0.0], [0.0, -1.0]], [[[0.0, 0.0], [1.0, 0.0]]], rates=[0.5])
        >>> print(abs(jg.steady_state(decay).value).round(12))
        [[0. 0.]
         [0. 1.]]
    """
    check_generator(generator)
    chosen = choose(method, generator)
    start = None if guess is None else _checked_guess(guess, generator)
    generator = generator.prepared()
    solution = _solve(chosen, generator, start)
    if throw and is_concrete(solution, generator) and generator.dim <= LARGEST_DENSE_DIMENSION:
        _check_unique(solution, generator)
    return conclude(solution, throw)


def _check_unique(solution: Solution, generator: AbstractGenerator) -> None:
    """Raise with the number of steady states, where there are several."""
    if not np.all(np.asarray(solution.result == RESULTS.not_unique)):
        return
    count = steady_states(generator).count
    if count > 1:
        raise RuntimeError(
            f"There are {count} linearly independent steady states at this precision. {RESULTS[RESULTS.not_unique]}"
        )


@functools.partial(jax.jit, static_argnums=0)
def _solve(method: AbstractSteadyMethod, generator: AbstractGenerator, guess) -> Solution:
    fixed = jax.lax.stop_gradient(generator)
    found = jax.lax.stop_gradient(method.find(fixed, guess))
    trace = jnp.trace(found.state)
    state = found.state / trace
    state = _attached(method, generator, state)
    value = as_hermitian(state)
    certificate = jax.lax.stop_gradient(_certificate(fixed, state, found.uniqueness))
    real = state.dtype
    distinct = ~(found.uniqueness >= jnp.finfo(real).eps ** 0.25)
    finite = jnp.isfinite(certificate["residual"])
    result = RESULTS.where(
        distinct, found.result, RESULTS.where(found.result == RESULTS.optimal, RESULTS.not_unique, found.result)
    )
    result = RESULTS.where(finite, result, RESULTS.nonfinite)
    error = certificate.pop("error")
    stats = certificate | {"trace": trace, "uniqueness": found.uniqueness, "steps": found.steps}
    return Solution(value, error, result, stats)


def _certificate(generator, state, uniqueness) -> dict[str, Array]:
    rho = as_hermitian(state)
    image = generator.linear_map()(rho)
    size = scales(generator)
    norm = jnp.linalg.norm(state)
    residual = jnp.linalg.norm(as_real(image)) / (size.norm * norm)
    known = jnp.where(jnp.isnan(uniqueness), 0, uniqueness)
    return {
        "residual": residual,
        "smallest_eigenvalue": eigvalsh(rho)[0],
        "hermiticity_defect": jnp.linalg.norm(image - jnp.conj(image.T)) / (size.norm * norm),
        "error": known + residual * norm * size.norm / size.rate,
    }


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _attached(method: AbstractSteadyMethod, generator: AbstractGenerator, state: Float[Array, "dim dim"]):
    """`state`, with the derivatives in the generator that `L(state) = 0` and trace 1 give it.

    The rule contains the state as this function gives it, and a solve that has derivatives: all orders are right.
    """
    del method, generator
    return state


@_attached.defjvp
def _attached_jvp(method, primals, tangents):
    (generator, state), (d_generator, _) = primals, tangents
    state = _attached(method, generator, state)
    _, push = jax.jvp(lambda g: real_map(g)(state), (generator,), (d_generator,))
    return state, -solve_shifted(method, generator, push)


def solve_shifted(method: AbstractSteadyMethod, generator: AbstractGenerator, right_hand_side: Float[Array, "dim dim"]):
    """`(L + s (1/d) Tr)^-1 b` in real form, differentiable to every order, forward and reverse, in all arguments."""
    return shifted_solver(method, generator)(right_hand_side)


def shifted_solver(
    method: AbstractSteadyMethod, generator: AbstractGenerator
) -> Callable[[Float[Array, "dim dim"]], Float[Array, "dim dim"]]:
    """`b -> (L + s (1/d) Tr)^-1 b` as `solve_shifted`, prepared for several `b`; `s` is `scales(generator).rate`."""
    fixed = jax.lax.stop_gradient(generator)
    inverse = method.inverse(fixed)
    rate, source = scales(fixed).rate, uniform(generator)
    apply = real_map(generator)

    def solve(right_hand_side):
        return jax.lax.custom_linear_solve(
            lambda x: apply(x) + rate * source * jnp.trace(x),
            right_hand_side,
            solve=lambda _, b: inverse.apply(b),
            transpose_solve=lambda _, b: inverse.transposed(b),
        )

    return solve


def _checked_guess(guess, generator):
    guess = jnp.asarray(guess)
    if guess.shape != (generator.dim, generator.dim):
        raise ValueError(
            f"`guess` must be a matrix of shape {(generator.dim, generator.dim)}, but has shape {guess.shape}; map over a "
            "batch with `jax.vmap`."
        )
    if is_concrete(guess):
        check_hermitian("guess", np.asarray(guess))
    return jax.lax.stop_gradient(as_real(guess.astype(generator.dtype)))
