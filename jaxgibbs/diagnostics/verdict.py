"""The verdict on detailed balance, read off measurements and their floors."""

from typing import NamedTuple

import equinox as eqx
import numpy as np

from .own_state import OwnState
from .residuals import Measurement
from .weights import KMS, WEIGHTS


class VERDICTS(eqx.Enumeration):
    """What a generator is. `VERDICTS[report.verdict]` is the text; `report.verdict == VERDICTS.balanced` compares."""

    balanced = "Balanced: every process is as frequent as its reverse. The state is stationary and no current flows."
    balanced_on_support = (
        "Balanced among the levels that carry weight; the others are so rarely occupied that ratios to them have no meaning "
        "in this precision. Raise the temperature to test them."
    )
    undecidable = (
        "Undecidable at this precision: rounding alone would make a residual this large. Give the generator in the eigenbasis "
        "of the Hamiltonian, with jump operators between its levels, or raise the temperature."
    )
    ambiguous = (
        "Undecidable: no state was named, and the generator has more than one stationary state, or a mode too slow to tell. Name "
        "one by `state` or `beta`; `open_systems.steady_states` finds them all."
    )
    driven = (
        "Violated, and driven: the generator is not balanced with respect to its own stationary state either. Work or several "
        "baths keep it out of equilibrium."
    )
    other_temperature = (
        "Violated, but thermal: the generator is balanced with respect to its own stationary state, which is the Gibbs state of "
        "this Hamiltonian at another temperature."
    )
    other_hamiltonian = (
        "Violated, but thermal: the generator is balanced with respect to its own stationary state, which is no Gibbs state of "
        "this Hamiltonian. Its `-ln sigma` is the Hamiltonian of mean force, in units of the temperature."
    )
    violated = (
        "Violated. Why cannot be said: the generator has more than one stationary state, or balance with respect to its own is "
        "undecidable at this precision."
    )


class Judgement(NamedTuple):
    """What one measurement says, with the numbers it says it by."""

    violated: bool
    undecidable: bool
    restricted: bool
    excess: float
    tolerance: float


def default_tolerance(dtype) -> float:
    """The largest residual that counts as balance: `max(1e-10, 100 eps)`."""
    return max(1e-10, 100 * float(np.finfo(dtype).eps))


def judge(measurement: Measurement, tolerance: float | None) -> Judgement:
    """Compare the KMS residual, stationarity and every pair of rates with the tolerance and with their floors."""
    dtype = np.asarray(measurement.squares).dtype
    tolerance = default_tolerance(dtype) if tolerance is None else tolerance
    position = WEIGHTS.index(KMS)
    residual = float(np.sqrt(measurement.squares[position]))
    floor = float(measurement.floors[position])
    moving = float(measurement.stationarity) > max(tolerance, float(measurement.stationarity_floor))
    excess = unequal_rates(measurement)
    violated = residual > max(tolerance, floor) or moving or excess > tolerance
    unknown = not np.isfinite(residual) or not np.isfinite(floor) or floor > np.sqrt(np.finfo(dtype).eps)
    unknown = unknown or max(residual, float(measurement.stationarity)) > tolerance  # and yet below its floor
    restricted = not bool(np.all(measurement.reference.support)) or unseen_pairs(measurement) > 0
    return Judgement(violated, unknown and not violated, restricted, excess, tolerance)


def unequal_rates(measurement: Measurement) -> float:
    """The largest `ln(W_ij p_j / W_ji p_i)` that rounding leaves no doubt of; negative or 0 where there is none."""
    rates, noise = np.asarray(measurement.rates), np.asarray(measurement.rate_noise)
    reference = measurement.reference
    logs, uncertain = np.asarray(reference.log_populations), np.asarray(reference.level_noise)
    kept = np.asarray(reference.support)
    certain = np.maximum(rates - noise, 0)
    possible = np.abs(rates) + noise
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.log(certain) + logs[None, :] - np.log(possible).T - logs[:, None]
    excess = excess - uncertain[:, None] - uncertain[None, :]
    pairs = kept[:, None] & kept[None, :] & ~np.eye(len(rates), dtype=bool) & (certain > 0)
    return float(np.max(excess, where=pairs, initial=0.0))


def unseen_pairs(measurement: Measurement) -> int:
    """How many rates between levels with weight are rounding, though their reverse is not: nothing can be said of their ratio."""
    rates, noise = np.asarray(measurement.rates), np.asarray(measurement.rate_noise)
    logs, kept = np.asarray(measurement.reference.log_populations), np.asarray(measurement.reference.support)
    certain = np.maximum(rates - noise, 0)
    with np.errstate(over="ignore"):
        expected = certain * np.exp(logs[None, :] - logs[:, None])
    pairs = kept[:, None] & kept[None, :] & ~np.eye(len(rates), dtype=bool)
    return int(np.sum(pairs & (certain > 0) & (expected < noise.T)))


def conclude(against: Judgement, own: OwnState | None, tolerance: float | None, *, named: bool) -> VERDICTS:
    """The verdict against a state and, where it is violated, the reason; it is against the own state unless one was `named`."""
    if not named:
        assert own is not None
        if not bool(own.unique):
            return VERDICTS.ambiguous
    if not against.violated:
        if against.undecidable:
            return VERDICTS.undecidable
        return VERDICTS.balanced_on_support if against.restricted else VERDICTS.balanced
    if own is None or not named:
        return VERDICTS.driven
    alone = judge(own.measurement, tolerance)
    if not bool(own.unique) or alone.undecidable:
        return VERDICTS.violated
    if alone.violated:
        return VERDICTS.driven
    same = float(own.misfit) <= max(np.sqrt(np.finfo(own.misfit.dtype).eps), float(own.misfit_floor))
    if same and np.isinf(float(own.beta)):
        return VERDICTS.other_temperature
    if alone.restricted:  # what the other levels do is not known
        return VERDICTS.violated
    return VERDICTS.other_temperature if same and np.isfinite(float(own.beta)) else VERDICTS.other_hamiltonian
