"""Quantum machines: a maser as a heat engine, a refrigerator without work, Otto's cycle, and how well they run."""

from collections.abc import Hashable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float, Inexact

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.baths import AbstractBath
from jaxgibbs.equilibrium import Auto
from jaxgibbs.information.states import real_trace
from jaxgibbs.linalg import decompose, matmul
from jaxgibbs.linalg.hermitian import single_levels
from jaxgibbs.linalg.levels import LevelSums
from jaxgibbs.open_systems import AbstractGenerator, AbstractSteadyMethod, Davies, Lindbladian, davies, steady_state
from jaxgibbs.operators import as_operator
from jaxgibbs.operators.base import inexact

from .currents import energy_operator, heat_currents

Scalar = Float[Array, ""]


class Operation(eqx.Module):
    """A machine in its steady state; heat and power are positive into the system.

    Attributes:
        state: the steady state.
        heat: from each bath, per unit of time.
        power: of what drives the Hamiltonian.
        baths: labels, in the order of `heat`.
    """

    state: Complex[Array, "dim dim"]
    heat: Float[Array, " baths"]
    power: Scalar
    baths: tuple[Hashable, ...] = eqx.field(static=True)

    def heat_from(self, bath: Hashable) -> Scalar:
        """From one bath.

        Raises:
            ValueError: if there is no such bath.
        """
        if bath not in self.baths:
            raise ValueError(f"`bath` must be one of {self.baths}, but is {bath!r}.")
        return self.heat[self.baths.index(bath)]

    def efficiency(self, hot: Hashable) -> Scalar:
        """`-P / Q_hot`: of use where the machine is an engine, `P < 0 < Q_hot`."""
        return -self.power / self.heat_from(hot)

    def performance(self, cold: Hashable, source: Hashable | None = None) -> Scalar:
        """`Q_cold` over the power, or over the heat from the bath `source` that drives an absorption refrigerator."""
        return self.heat_from(cold) / (self.power if source is None else self.heat_from(source))

    def entropy_production(self, betas: ArrayLike) -> Scalar:
        """`-sum_a beta_a Q_a`, per unit of time.

        Args:
            betas: one for each of `baths`.
        """
        return -jnp.sum(inexact(betas) * self.heat)


def steady_operation(
    generator: AbstractGenerator, hamiltonian: Any = None, *, method: AbstractSteadyMethod | Auto = Auto()
) -> Operation:
    """Heats and power of a machine in its steady state: `Q_a = Tr(H_0 D_a(rho))` and `P = Tr(H_0 (-i) [H, rho])`.

    Args:
        generator: with a label for each bath; in a rotating frame if it is driven.
        hamiltonian: `H_0`, what counts as energy: without the drive, and not in the rotating frame. That of the generator if not
            given; then nothing is driven, and the power is 0.
        method: of `steady_state`.

    Raises:
        ValueError: if `hamiltonian` has another dimension.
        RuntimeError: if the steady state is not unique, or an iteration fails.

    Reference: Alicki, J. Phys. A 12, L103 (1979).
    """
    rho = steady_state(generator, method).value
    return _operation(generator, rho, energy_operator(generator, hamiltonian))


@eqx.filter_jit
def _operation(generator, rho, energies) -> Operation:
    h = generator.hamiltonian_matrix().astype(rho.dtype)
    change = -1j * (matmul(h, rho) - matmul(rho, h))
    power = real_trace(energies.astype(rho.dtype), change)
    return Operation(rho, heat_currents(generator, rho, energies), power, generator.baths)


def three_level_maser(
    hot_frequency: ArrayLike, cold_frequency: ArrayLike, drive: ArrayLike, hot: AbstractBath, cold: AbstractBath
) -> tuple[Lindbladian, Inexact[Array, "dim dim"]]:
    """The maser of Scovil and Schulz-DuBois: heat from the hot bath becomes light, with efficiency `1 - w_c / w_h`.

    Levels `0, w_h - w_c, w_h`. The hot bath drives `0 - 2`, the cold one `1 - 2`, and a field at resonance `0 - 1`. It amplifies
    light if and only if `beta_c w_c > beta_h w_h`, and cools otherwise.

    Args:
        hot_frequency: `w_h`, above `w_c`.
        cold_frequency: `w_c`, positive.
        drive: half of the Rabi frequency.
        hot: the bath labelled `"hot"`.
        cold: the bath labelled `"cold"`.

    Returns:
        The generator in the frame that rotates with the field, and the Hamiltonian without it: `steady_operation(*machine)`.

    Raises:
        ValueError: unless `w_h > w_c > 0` (NaN under a trace).

    Reference: Scovil & Schulz-DuBois, Phys. Rev. Lett. 2, 262 (1959); Geva & Kosloff, J. Chem. Phys. 104, 7681 (1996).
    """
    drive = inexact(drive)
    hot_frequency, cold_frequency = _ordered("hot_frequency", hot_frequency, "cold_frequency", cold_frequency)
    hot_rates = hot.rate(jnp.stack([hot_frequency, -hot_frequency]))
    cold_rates = cold.rate(jnp.stack([cold_frequency, -cold_frequency]))
    rates = jnp.concatenate([hot_rates, cold_rates])
    jumps = [_transition(0, 2), _transition(2, 0), _transition(1, 2), _transition(2, 1)]
    field = drive * (_transition(0, 1) + _transition(1, 0)).astype(drive.dtype)
    energies = jnp.diag(jnp.stack([jnp.zeros_like(hot_frequency), hot_frequency - cold_frequency, hot_frequency]))
    dtype = jnp.result_type(energies, field, rates)
    matrices = [jump.astype(dtype) for jump in jumps]
    return Lindbladian(field.astype(dtype), matrices, rates.astype(dtype), ["hot", "hot", "cold", "cold"]), energies


def absorption_refrigerator(
    cold_frequency: ArrayLike, work_frequency: ArrayLike, cold: AbstractBath, work: AbstractBath, hot: AbstractBath
) -> Davies:
    """Three levels that pump heat from the cold to the hot bath, driven by a third, hotter bath instead of work.

    Levels `0, w_c, w_c + w_w`: the cold bath drives `0 - 1`, the work bath `1 - 2`, the hot one `0 - 2`. All heats are one current,
    `Q = J (w_c, w_w, -w_c - w_w)`, so that `Q_c / Q_w = w_c / w_w`. It cools, `J > 0`, where `w_c beta_c + w_w beta_w` is below
    `(w_c + w_w) beta_h`.

    Args:
        cold_frequency: `w_c`, positive.
        work_frequency: `w_w`, positive.
        cold: the bath labelled `"cold"`, that is cooled.
        work: the one labelled `"work"`, the hottest.
        hot: the one labelled `"hot"`, that takes the heat.

    Raises:
        ValueError: if a frequency is not positive (NaN under a trace).

    Reference: Palao, Kosloff & Gordon, Phys. Rev. E 64, 056130 (2001); Correa et al., Sci. Rep. 4, 3949 (2014).
    """
    work_frequency, cold_frequency = inexact(work_frequency), inexact(cold_frequency)
    total, cold_frequency = _ordered(
        "cold_frequency + work_frequency", cold_frequency + work_frequency, "cold_frequency", cold_frequency
    )
    levels = jnp.diag(jnp.stack([jnp.zeros_like(total), cold_frequency, total]))
    couplings = [
        ((_transition(i, j) + _transition(j, i)).astype(levels.dtype), bath)
        for i, j, bath in ((0, 1, cold), (1, 2, work), (0, 2, hot))
    ]
    return davies(levels, couplings, baths=["cold", "work", "hot"], lamb_shift=False)


class OttoCycle(eqx.Module):
    """One period of an Otto cycle that gives all the time that it takes; heat and work are positive into the system.

    Attributes:
        hot_heat: from the hot bath.
        cold_heat: from the cold bath.
    """

    hot_heat: Scalar
    cold_heat: Scalar

    @property
    def work(self) -> Scalar:
        """Done on the system: negative for an engine."""
        return -self.hot_heat - self.cold_heat

    @property
    def efficiency(self) -> Scalar:
        """`-W / Q_hot`: of use where the cycle is an engine."""
        return -self.work / self.hot_heat

    @property
    def performance(self) -> Scalar:
        """`Q_cold / W`: of use where the cycle is a refrigerator."""
        return self.cold_heat / self.work

    def entropy_production(self, cold_beta: ArrayLike, hot_beta: ArrayLike) -> Scalar:
        """`-beta_h Q_h - beta_c Q_c`, of a period."""
        return -inexact(hot_beta) * self.hot_heat - inexact(cold_beta) * self.cold_heat


def quasi_static_otto(cold: Any, hot: Any, cold_beta: ArrayLike, hot_beta: ArrayLike) -> OttoCycle:
    """Otto's cycle of any working medium: thermal at one Hamiltonian, carried slowly to the other with its populations, and back.

        Q_h = sum_n E_n^hot (p_n(hot) - p_n(cold)),      Q_c = sum_n E_n^cold (p_n(cold) - p_n(hot))

    Levels are carried along in their order, as slow changes do where none cross. A qubit has the efficiency `1 - w_c / w_h`. First
    derivatives are those of single levels, NaN at degeneracies. For cycles in finite time see `limit_cycle`.

    Args:
        cold: the Hamiltonian in contact with the cold bath, an operator or a Hermitian matrix.
        hot: that in contact with the hot bath.
        cold_beta: inverse temperature of the cold bath.
        hot_beta: that of the hot bath.

    Raises:
        ValueError: if the dimensions differ.

    Reference: Quan, Liu, Sun & Nori, Phys. Rev. E 76, 031105 (2007).
    """
    cold, hot = as_operator(cold), as_operator(hot)
    if cold.dim != hot.dim:
        raise ValueError(f"`hot` must have the dimension {cold.dim} of `cold`, but has dimension {hot.dim}.")
    return _otto(cold, hot, inexact(cold_beta), inexact(hot_beta))


@eqx.filter_jit
def _otto(cold, hot, cold_beta, hot_beta) -> OttoCycle:
    low, high = (single_levels(decompose(h.to_dense())) for h in (cold, hot))
    before, after = (LevelSums(-b.astype(e.dtype), e).weights for b, e in ((cold_beta, low), (hot_beta, high)))
    change = after - before
    return OttoCycle(jnp.sum(high * change), -jnp.sum(low * change))


def _transition(to: int, start: int) -> np.ndarray:
    matrix = np.zeros((3, 3))
    matrix[to, start] = 1
    return matrix


def _ordered(higher: str, high, lower: str, low):
    """Two frequencies with `high > low > 0`; NaN under a trace."""
    high, low = inexact(high), inexact(low)
    ordered = (high > low) & (low > 0)
    if is_concrete(ordered) and not np.asarray(ordered):
        raise ValueError(f"`{higher}` must be above `{lower}`, and this above 0, but they are {high} and {low}.")
    return nan_unless(ordered, high), nan_unless(ordered, low)
