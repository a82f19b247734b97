"""Machines in strokes: what one period does to a state, and the limit cycle that it leads to."""

import abc
import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float, Inexact

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs._solution import RESULTS, Solution, conclude
from jaxgibbs.linalg import dagger, matmul
from jaxgibbs.linalg.general import eig
from jaxgibbs.open_systems import AbstractGenerator
from jaxgibbs.open_systems.conserved import LARGEST_DENSE_DIMENSION
from jaxgibbs.open_systems.hermitian_space import Congruence, as_hermitian, as_real, real_superoperator
from jaxgibbs.operators import as_operator
from jaxgibbs.operators.base import inexact

from .evolve import generator_at
from .work_statistics import checked_unitary

_SQUARINGS = 60  # strokes of up to 1e18 in units of the largest rate
Real = Float[Array, "dim_squared dim_squared"]


class Maps(NamedTuple):
    """The channel, the heat from each bath and the work, linear in the state in real form (`open_systems/hermitian_space.py`)."""

    channel: Real
    heat: Float[Array, "baths dim_squared"]
    work: Float[Array, " dim_squared"]


class AbstractStroke(eqx.Module):
    """A part of a cycle: a channel, with the Hamiltonians at its ends and the heat that it draws from baths."""

    duration: eqx.AbstractVar[Float[Array, ""]]

    @property
    @abc.abstractmethod
    def baths(self) -> tuple[Hashable, ...]:
        """Labels of the baths that it is in contact with."""

    @abc.abstractmethod
    def hamiltonians(self) -> tuple[Inexact[Array, "dim dim"], Inexact[Array, "dim dim"]]:
        """At its start and at its end."""

    @abc.abstractmethod
    def maps(self) -> Maps:
        """What it does to a state, and what flows."""


class UnitaryStroke(AbstractStroke):
    """Work alone: `rho -> U rho U^dagger`, while the Hamiltonian changes.

    Args:
        initial: the Hamiltonian at its start, an operator or a Hermitian matrix, shape `(dim, dim)`.
        final: that at its end.
        unitary: `U`, say of `evolution_operator`; 1 for a sudden change, which two strokes next to each other do by themselves.
        duration: not negative.

    Raises:
        ValueError: if shapes do not fit, `unitary` is none, or the duration is negative (NaN under a trace).
    """

    initial: Inexact[Array, "dim dim"]
    final: Inexact[Array, "dim dim"]
    unitary: Inexact[Array, "dim dim"]
    duration: Float[Array, ""]

    def __init__(self, initial: Any, final: Any, unitary: ArrayLike, duration: ArrayLike = 0.0):
        self.initial, self.final = as_operator(initial).to_dense(), as_operator(final).to_dense()
        dim = len(self.initial)
        if len(self.final) != dim:
            raise ValueError(
                f"`final` must have the dimension {dim} of `initial`, but has dimension {len(self.final)}."
            )
        self.unitary, self.duration = checked_unitary("unitary", unitary, dim), _checked_duration(duration)

    @property
    def baths(self):
        return ()

    def hamiltonians(self):
        return self.initial, self.final

    def maps(self):
        dtype = jnp.result_type(self.unitary, self.initial, self.final, jnp.complex64)
        u = self.unitary.astype(dtype)
        units = jnp.eye(len(u) ** 2, dtype=u.real.dtype).reshape(-1, *u.shape)
        channel = jax.vmap(Congruence(u))(units).reshape(len(units), len(units)).T
        work = matmul(matmul(dagger(u), self.final.astype(dtype)), u) - self.initial
        return Maps(channel, jnp.zeros((0, len(units)), u.real.dtype), _row(work))


class ThermalStroke(AbstractStroke):
    """Contact with baths for some time, at a Hamiltonian that does not change: `rho -> e^{L t} rho`, with heat alone.

    Args:
        generator: its `system_hamiltonian()` counts as energy, and its labels of baths are those of the cycle.
        duration: not negative.

    Raises:
        ValueError: if the dimension is above 32 or the duration negative (NaN under a trace).
    """

    generator: AbstractGenerator
    duration: Float[Array, ""]

    def __init__(self, generator: AbstractGenerator, duration: ArrayLike):
        _checked_generator(generator)
        self.generator, self.duration = generator, _checked_duration(duration)

    @property
    def baths(self):
        return self.generator.baths

    def hamiltonians(self):
        matrix = self.generator.system_hamiltonian()
        return matrix, matrix

    def maps(self):
        return _contact(self.generator, self.duration)


class DrivenStroke(AbstractStroke):
    """Contact with baths while the Hamiltonian changes, in steps: each a sudden change, and a `ThermalStroke` at its midpoint.

    First and second law hold at any number of steps. An isotherm, for long durations; `duration` must have reached the generator
    already, say as in `lambda t: davies(protocol(t / duration), ...)`.

    Args:
        generator: a function of time, from 0 to `duration`, that returns a generator.
        duration: not negative.
        steps: how many.

    Raises:
        ValueError: as for `ThermalStroke`, or if `steps` is no positive whole number.
    """

    initial: Inexact[Array, "dim dim"]
    final: Inexact[Array, "dim dim"]
    generators: AbstractGenerator
    duration: Float[Array, ""]
    steps: int = eqx.field(static=True)

    def __init__(self, generator: Callable[[Array], AbstractGenerator], duration: ArrayLike, steps: int = 32):
        if not isinstance(steps, int) or steps < 1:
            raise ValueError(f"`steps` must be a positive whole number, but is {steps!r}.")
        self.duration, self.steps = _checked_duration(duration), steps
        ends = [generator_at(generator, t) for t in (jnp.zeros_like(self.duration), self.duration)]
        _checked_generator(ends[0])
        self.initial, self.final = (end.system_hamiltonian() for end in ends)
        middles = (jnp.arange(steps, dtype=self.duration.dtype) + 0.5) / steps * self.duration
        self.generators = eqx.filter_vmap(generator)(middles)

    @property
    def baths(self):
        return self.generators.baths

    def hamiltonians(self):
        return self.initial, self.final

    def maps(self):
        duration = self.duration / self.steps

        def piece(generator):
            return _contact(generator, duration), _row(generator.system_hamiltonian())

        parts, energies = eqx.filter_vmap(piece)(self.generators)

        def append(carry, part):
            whole, last = carry
            (channel, heat, _), energy = part
            work = whole.work + (energy - last) @ whole.channel
            return (Maps(matmul(channel, whole.channel), whole.heat + matmul(heat, whole.channel), work), energy), None

        nothing = Maps(jnp.eye(energies.shape[1], dtype=energies.dtype), jnp.zeros_like(parts.heat[0]), 0 * energies[0])
        (whole, last), _ = jax.lax.scan(append, (nothing, _row(self.initial)), (parts, energies))
        return whole._replace(work=whole.work + (_row(self.final) - last) @ whole.channel)


class LimitCycle(eqx.Module):
    """What a machine repeats in each period; heat and work are positive into the system.

    Attributes:
        states: at the start of each stroke, shape `(strokes, dim, dim)`.
        work: done in each stroke, the sudden change of the Hamiltonian at its start included.
        heat: drawn in each stroke from each bath, shape `(strokes, baths)`.
        period: the sum of the durations.
        baths: labels, in order of first appearance.
    """

    states: Complex[Array, "strokes dim dim"]
    work: Float[Array, " strokes"]
    heat: Float[Array, "strokes baths"]
    period: Float[Array, ""]
    baths: tuple[Hashable, ...] = eqx.field(static=True)

    @property
    def first_law_defect(self) -> Float[Array, ""]:
        """`sum W + sum Q`, rounding if small."""
        return jnp.sum(self.work) + jnp.sum(self.heat)

    @property
    def power(self) -> Float[Array, ""]:
        """Work done on the system per unit of time: negative for an engine."""
        return jnp.sum(self.work) / self.period

    def heat_from(self, bath: Hashable) -> Float[Array, ""]:
        """Drawn from one bath in a period.

        Raises:
            ValueError: if there is no such bath.
        """
        if bath not in self.baths:
            raise ValueError(f"`bath` must be one of {self.baths}, but is {bath!r}.")
        return jnp.sum(self.heat[:, self.baths.index(bath)])

    def efficiency(self, hot: Hashable) -> Float[Array, ""]:
        """`-W / Q_hot`: of use where the machine is an engine, `W < 0 < Q_hot`."""
        return -jnp.sum(self.work) / self.heat_from(hot)

    def performance(self, cold: Hashable) -> Float[Array, ""]:
        """`Q_cold / W`, the coefficient of performance: of use where the machine is a refrigerator, `Q_cold, W > 0`."""
        return self.heat_from(cold) / jnp.sum(self.work)

    def entropy_production(self, betas: ArrayLike) -> Float[Array, ""]:
        """`-sum_a beta_a Q_a` of a period, not negative where each bath alone would bring about its Gibbs state.

        Args:
            betas: one for each of `baths`.
        """
        return -jnp.sum(inexact(betas) * jnp.sum(self.heat, axis=0))


def limit_cycle(strokes: AbstractStroke | Sequence[AbstractStroke], *, throw: bool = True) -> Solution:
    """The state that a machine comes back to after each period, and what flows meanwhile.

        rho = E_n(... E_1(rho)),      W_k = Tr(H_f E_k(rho_k)) - Tr(H_i rho_k) + Tr((H_i - H_f of stroke k - 1) rho_k),

    the last term for all strokes, the others for unitary ones. The fixed point is the solution of a linear system, so that
    derivatives of every order in all that the strokes hold, durations too, are those of the implicit function theorem.

    Args:
        strokes: in the order in which they follow on one another; or the only one.
        throw: whether a cycle that does not settle raises.

    Returns:
        `Solution` with a `LimitCycle` as `value`. `error` is the rounding of its states. `stats["contraction"]` is the modulus
        of the second eigenvalue of the map of one period: what is left of a deviation after it.

    Raises:
        ValueError: if there are no strokes, what is given is none, or they differ in dimension.
        RuntimeError: if a deviation from the limit does not decay, so that the limit depends on the start.

    Reference: Feldmann & Kosloff, Phys. Rev. E 70, 046110 (2004); Insinga, Andresen, Salamon & Kosloff, Phys. Rev. E 97, 062153
        (2018).
    """
    if isinstance(strokes, AbstractStroke):
        strokes = (strokes,)
    listed = isinstance(strokes, Iterable)
    strokes = tuple(strokes) if listed else strokes
    if not listed or not strokes or not all(isinstance(stroke, AbstractStroke) for stroke in strokes):
        found = f"[{', '.join(type(stroke).__name__ for stroke in strokes)}]" if listed else type(strokes).__name__
        raise ValueError(
            "`strokes` must be a list of at least one `UnitaryStroke`, `ThermalStroke` or `DrivenStroke`, or one of them, but is "
            f"{found}; a generator goes into a `ThermalStroke` with its duration."
        )
    dims = [len(jax.eval_shape(lambda s=stroke: s.hamiltonians()[0])) for stroke in strokes]
    if len(set(dims)) > 1:
        raise ValueError(f"`strokes` must have one dimension, but have dimensions {dims}.")
    return conclude(_solve(strokes), throw)


def _checked_duration(duration) -> Float[Array, ""]:
    duration = inexact(duration)
    allowed = (duration >= 0) & jnp.isfinite(duration)
    if duration.ndim != 0 or (is_concrete(allowed) and not np.asarray(allowed)):
        raise ValueError(f"`duration` must be a finite number of at least 0, but is {duration}.")
    return nan_unless(allowed, duration)


def _checked_generator(generator) -> None:
    if not isinstance(generator, AbstractGenerator) or not generator.baths:
        raise ValueError(
            f"`generator` must be a generator with a bath, such as `davies` makes, but is `{type(generator).__name__}`; "
            "a stroke without a bath is a `UnitaryStroke`."
        )
    if generator.dim > LARGEST_DENSE_DIMENSION:
        raise ValueError(
            f"`generator` must have a dimension of at most {LARGEST_DENSE_DIMENSION} in a cycle, but has {generator.dim}; "
            "reduce the system by its symmetries."
        )


def _row(matrix) -> Float[Array, " dim_squared"]:
    """`rho -> Tr(A rho)`."""
    return as_real(matrix.astype(jnp.result_type(matrix, jnp.complex64))).ravel()


def _contact(generator, duration) -> Maps:
    """By one exponential: of `L` with a row below it for each bath, whose integral along the stroke is the heat."""
    matrix, h = real_superoperator(generator), generator.system_hamiltonian()
    rows = []
    for bath in generator.baths:
        decay = generator.decay_matrix(bath)
        rows.append(_row(generator.adjoint_jump_map(bath)(h) - (matmul(decay, h) + matmul(h, decay)) / 2))
    size, count = len(matrix), len(rows)
    below = jnp.concatenate([jnp.stack(rows), jnp.zeros((count, count), matrix.dtype)], axis=1)
    whole = jnp.concatenate([jnp.pad(matrix, ((0, 0), (0, count))), below])
    moved = jax.scipy.linalg.expm(duration.astype(matrix.dtype) * whole, max_squarings=_SQUARINGS)
    return Maps(moved[:size, :size], moved[size:, :size], jnp.zeros(size, matrix.dtype))


@eqx.filter_jit
def _solve(strokes: tuple[AbstractStroke, ...]) -> Solution:
    baths = tuple(dict.fromkeys(bath for stroke in strokes for bath in stroke.baths))
    maps = [stroke.maps() for stroke in strokes]
    dtype = jnp.result_type(*jax.tree_util.tree_leaves(maps))
    maps = jax.tree_util.tree_map(lambda x: x.astype(dtype), maps)
    size = len(maps[0].work)
    dim = math.isqrt(size)
    period = jnp.eye(size, dtype=dtype)
    for each in maps:
        period = matmul(each.channel, period)
    uniform = jnp.eye(dim, dtype=dtype).ravel() / dim
    state = jnp.linalg.solve(jnp.eye(size, dtype=dtype) - period + dim * jnp.outer(uniform, uniform), uniform)
    states, works, heats = [], [], []
    before = strokes[-1].hamiltonians()[1]
    for stroke, each in zip(strokes, maps, strict=True):
        initial, final = stroke.hamiltonians()
        works.append((each.work + _row(initial) - _row(before)) @ state)
        flows = each.heat @ state
        heats += [flows[stroke.baths.index(bath)] if bath in stroke.baths else 0 * flows.sum() for bath in baths]
        states.append(as_hermitian(state.reshape(dim, dim)))
        state, before = each.channel @ state, final
    contraction = jnp.sort(jnp.abs(eig(period).values))[-2] if size > 1 else jnp.zeros((), dtype)
    eps = jnp.finfo(dtype).eps
    result = RESULTS.where(contraction < 1 - eps**0.75, RESULTS.optimal, RESULTS.unstable)
    result = RESULTS.where(jnp.all(jnp.isfinite(period)), result, RESULTS.nonfinite)
    heat = jnp.stack(heats).reshape(len(strokes), len(baths)) if baths else jnp.zeros((len(strokes), 0), dtype)
    duration = sum(stroke.duration for stroke in strokes)
    value = LimitCycle(jnp.stack(states), jnp.stack(works), heat, jnp.asarray(duration).astype(dtype), baths)
    error = eps * size / jnp.maximum(1 - contraction, eps)
    return Solution(value, error, result, {"contraction": contraction})
