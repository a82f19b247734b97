"""How a steady state is found: what every method says, and the two that `Auto` chooses between."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxgibbs._errors import check_room
from jaxgibbs._solution import RESULTS
from jaxgibbs.equilibrium import Auto
from jaxgibbs.linalg import matmul
from jaxgibbs.linalg.bicgstab import Iterated, bicgstab
from jaxgibbs.linalg.general import lu_factor, lu_solve, one_by_one

from .generator import AbstractGenerator
from .hermitian_space import as_real, real_superoperator
from .no_jump import NoJump, Preconditioned, Scales, scales

_SMALL = 16  # the dimension up to which elimination wins

Matrix = Float[Array, "dim dim"]


class Found(NamedTuple):
    """A state in real form, how it was come by, and the distance to another answer that the method cannot exclude."""

    state: Matrix
    uniqueness: Float[Array, ""]
    steps: Int[Array, ""]
    result: RESULTS


class Inverse(NamedTuple):
    """`(L + s (1/d) Tr)^-1` in real form and its transpose; NaN where an iteration fails."""

    apply: Callable[[Matrix], Matrix]
    transposed: Callable[[Matrix], Matrix]


class AbstractSteadyMethod(eqx.Module):
    """How a steady state is computed; the fields are its knobs, all static."""

    @abc.abstractmethod
    def find(self, generator: AbstractGenerator, guess: Matrix | None) -> Found:
        """A steady state of a generator without derivatives."""

    @abc.abstractmethod
    def inverse(self, generator: AbstractGenerator) -> Inverse:
        """What derivatives are made of."""


def uniform(generator: AbstractGenerator) -> Matrix:
    """`1 / d`."""
    return jnp.eye(generator.dim, dtype=np.finfo(generator.dtype).dtype) / generator.dim


class Dense(AbstractSteadyMethod):
    """Gaussian elimination in the real space of Hermitian matrices: `dim^6` operations.

    About `4 dim^4` real numbers are held, 0.5 GiB in dimension 64; what does not fit into the device is refused. For small
    systems and large batches of them, and for generators so stiff that an iteration gives up. The uniqueness it reports is eps
    times the condition number of `L + s (1/d) Tr`, by a step of inverse iteration.
    """

    def find(self, generator, guess):
        del guess
        leaves, structure = jax.tree_util.tree_flatten(generator)

        # One program for each member of a batch: its matrices stay in the cache and are not kept.
        @one_by_one
        def state(leaves):
            generator = jax.tree_util.tree_unflatten(structure, leaves)
            matrix, rate = _shifted(generator)
            factors = lu_factor(matrix)
            source = uniform(generator).ravel()
            probe = jnp.cos(jnp.arange(1, matrix.shape[0] + 1, dtype=matrix.dtype) ** 2)
            sources = jnp.stack([rate * source, probe / jnp.linalg.norm(probe)], axis=1)
            solution, probe = lu_solve(factors, sources).T
            solution = solution + lu_solve(factors, rate * source - matmul(matrix, solution))
            probe = lu_solve(factors, probe, transposed=True)
            largest = jnp.sqrt(jnp.linalg.norm(probe))
            eps = jnp.finfo(matrix.dtype).eps
            return solution.reshape(generator.dim, generator.dim), eps * scales(generator).norm * largest

        found, uniqueness = state(leaves)
        # No pivot, no answer: an exactly singular matrix of finite numbers has a second steady state.
        finite = jnp.all(jnp.isfinite(found)) & jnp.isfinite(uniqueness)
        given = jnp.all(jnp.isfinite(generator.effective_hamiltonian()))
        found = jnp.where(finite, found, uniform(generator))
        result = RESULTS.where(given, RESULTS.optimal, RESULTS.nonfinite)
        return Found(found, jnp.where(finite, jnp.minimum(uniqueness, 1), 1), jnp.ones((), jnp.int32), result)

    def inverse(self, generator):
        leaves, structure = jax.tree_util.tree_flatten(generator)

        @one_by_one
        def factorised(leaves):
            return lu_factor(_shifted(jax.tree_util.tree_unflatten(structure, leaves))[0])

        factors = factorised(leaves)
        shape = (generator.dim, generator.dim)
        return Inverse(
            lambda b: lu_solve(factors, b.ravel()).reshape(shape),
            lambda b: lu_solve(factors, b.ravel(), transposed=True).reshape(shape),
        )


def _shifted(generator):
    """`L + s (1/d) Tr` as a real matrix, and `s`."""
    check_room(
        f"`Dense()` in dimension {generator.dim} must have room for 4 dim^4 real numbers",
        4 * generator.dim**4,
        np.finfo(generator.dtype).dtype,
        "use `Krylov()`, which holds about 20 dim^2 complex ones, or reduce the system by its symmetries",
    )
    rate = scales(generator).rate
    source = uniform(generator).ravel()
    return real_superoperator(generator) + rate * source[:, None] * (generator.dim * source), rate


class Krylov(AbstractSteadyMethod):
    """BiCGStab without a matrix of the generator, preconditioned by the evolution between jumps (see `no_jump.py`).

    About 20 `dim^2` complex numbers are held (what does not fit into the device is refused), and a step costs 8 products of
    matrices of `dim`. A `guess` shortens it.

    Args:
        tolerance: norm of the residual at which to stop, in units of the mean decay rate times `dim^(-1/2)`; by default
            eps^(3/4), 2e-12 in float64. It is not asked to fall below the rounding of `L rho`; where the two answers differ by more
            than sqrt(eps), because a mode is slow, iterations go on until it does not fall.
        max_steps: largest number of steps.
        check_uniqueness: solve also with the source `|psi><psi|`, `psi` random, instead of `1 / dim`: a second steady state
            would be reached from it in another proportion. It doubles the work; without, the uniqueness is NaN.
    """

    tolerance: float | None = eqx.field(static=True, default=None)
    max_steps: int = eqx.field(static=True, default=1000)
    check_uniqueness: bool = eqx.field(static=True, default=True)

    def find(self, generator, guess):
        check_room(
            f"`Krylov()` in dimension {generator.dim} must have room for 20 dim^2 complex numbers",
            20 * generator.dim**2,
            generator.dtype,
            "reduce the system by its symmetries, or give it in single precision",
        )
        leaves, structure = jax.tree_util.tree_flatten((generator, guess))

        # On a CPU one program for each member of a batch, which takes its own number of steps.
        @one_by_one
        def found(leaves):
            return self._find(*jax.tree_util.tree_unflatten(structure, leaves))

        return found(leaves)

    def _find(self, generator, guess):
        size = scales(generator)
        no_jump = NoJump(generator, size.rate)
        first = uniform(generator)
        if not self.check_uniqueness:
            found = self._run(no_jump.forward(first), size.rate * first, guess, self._tolerance(size, first))
            return Found(found.x, jnp.nan * found.residual, found.steps, self._verdict(found, size, first))
        sources = jnp.stack([first, random_state(generator)])
        starts = jnp.zeros_like(sources) if guess is None else sources.at[0].set(guess)
        wanted = jax.vmap(self._tolerance, (None, 0))(size, sources)
        eps = jnp.finfo(first.dtype).eps

        def run(source, start, tolerance):
            return self._run(no_jump.forward(source), size.rate * source, start, tolerance)

        def attempt(carry):
            found, tolerance, passes, _ = carry
            new = jax.lax.platform_dependent(
                sources,
                found.x,
                tolerance,
                cpu=lambda *both: jax.lax.map(lambda one: run(*one), both),
                default=jax.vmap(run),
            )
            states = new.x / jnp.trace(new.x, axis1=1, axis2=2)[:, None, None]
            distance = jnp.linalg.norm(states[0] - states[1])
            finest = eps * size.norm * jnp.linalg.norm(new.x, axis=(1, 2))
            return new._replace(steps=found.steps + new.steps), finest, passes + 1, distance

        def unclear(carry):
            _, _, passes, distance = carry
            return (passes == 0) | ((passes == 1) & (distance > jnp.sqrt(eps)))

        none = jnp.zeros(2, jnp.int32)
        begin = (Iterated(starts, jnp.full(2, jnp.inf, first.dtype), none), wanted, 0, jnp.zeros((), first.dtype))
        found, _, _, distance = jax.lax.while_loop(unclear, attempt, begin)
        results = jax.vmap(self._verdict, (0, None, 0))(found, size, sources)
        one, other = (jax.tree_util.tree_map(lambda code, k=k: code[k], results) for k in range(2))
        result = RESULTS.where(one == RESULTS.optimal, other, one)
        return Found(found.x[0], distance, jnp.max(found.steps), result)

    def inverse(self, generator):
        size = scales(generator)
        no_jump = NoJump(generator, size.rate)
        source = uniform(generator)

        def solver(system: Preconditioned):
            def solve(b):
                found = self._run(system, b, None, self._tolerance(size, b / size.rate))
                return jnp.where(self._verdict(found, size, b / size.rate) == RESULTS.optimal, found.x, jnp.nan)

            return solve

        return Inverse(solver(no_jump.forward(source)), solver(no_jump.adjoint(source)))

    def _tolerance(self, size: Scales, source) -> Float[Array, ""]:
        """Of the residual with the right-hand side `rate * source`; not below what rounding allows."""
        eps = jnp.finfo(source.dtype).eps
        wanted = (eps**0.75 if self.tolerance is None else self.tolerance) * size.rate
        return (jnp.maximum(wanted, eps * size.norm) * _norm(source)).astype(source.dtype)

    def _run(self, system: Preconditioned, b, start, tolerance) -> Iterated:
        return bicgstab(
            system.operator,
            system.product,
            system.inverse,
            b,
            start,
            tolerance=tolerance,
            max_steps=self.max_steps,
        )

    def _verdict(self, found: Iterated, size: Scales, source) -> RESULTS:
        eps = jnp.finfo(found.x.dtype).eps
        relative = eps**0.75 if self.tolerance is None else self.tolerance
        accepted = 10 * relative * size.rate * _norm(source) + 30 * eps * size.norm * _norm(found.x)
        result = RESULTS.where(found.steps >= self.max_steps, RESULTS.max_steps_reached, RESULTS.stagnated)
        result = RESULTS.where(found.residual <= accepted, RESULTS.optimal, result)
        return RESULTS.where(jnp.isfinite(found.residual), result, RESULTS.nonfinite)


def random_state(generator: AbstractGenerator) -> Matrix:
    """A pure state, always the same, that is special in no basis."""
    parts = np.random.default_rng(11).normal(size=(2, generator.dim))
    vector = jnp.asarray((parts[0] + 1j * parts[1]) / np.linalg.norm(parts), generator.dtype)
    return as_real(vector[:, None] * jnp.conj(vector))


def choose(method: AbstractSteadyMethod | Auto, generator: AbstractGenerator) -> AbstractSteadyMethod:
    """What `Auto` stands for, by the dimension alone.

    Raises:
        ValueError: if `method` is no method for steady states.
    """
    if isinstance(method, Auto):
        return Dense() if generator.dim <= _SMALL else Krylov()
    if not isinstance(method, AbstractSteadyMethod):
        raise ValueError(
            f"`method` must be `Auto()` or a method of `open_systems` such as `Dense()` or `Krylov()`, but is {method!r}."
        )
    return method


def _norm(matrix):
    return jnp.sqrt(jnp.sum(matrix**2))
