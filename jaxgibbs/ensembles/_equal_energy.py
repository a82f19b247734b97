"""The canonical state and the Gaussian one of the same mean energy."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

_HALVINGS = 100


class Levels(NamedTuple):
    """Levels, `ln g` and observables of one Hamiltonian, all known."""

    energies: np.ndarray
    logs: np.ndarray
    values: Mapping[str, np.ndarray]


class State(NamedTuple):
    """Weights `g e^(-beta x) e^(-x^2 / 2 w^2)` of `x = E - U` with mean 0; `w` is infinite in the canonical ensemble."""

    beta: float
    entropy: float
    variance: float
    values: Mapping[str, float]


def at_equal_energy(levels: Levels, energy: float, width: float) -> tuple[State, State]:
    """The canonical and the Gaussian state of this mean energy."""
    x = levels.energies - energy
    return _state(levels, x, levels.logs), _state(levels, x, levels.logs - (x / width) ** 2 / 2)


def _state(levels: Levels, x, exponents) -> State:
    beta = _balancing(x, exponents)
    p = _weights(x, exponents, beta)
    kept = p > 0
    entropy = -np.sum(p[kept] * (np.log(p[kept]) - levels.logs[kept]))
    return State(beta, float(entropy), float(p @ x**2), {name: float(p @ v) for name, v in levels.values.items()})


def _balancing(x, exponents) -> float:
    """The `beta` of mean 0: the slope of the convex `ln sum e^(exponents - beta x)` ascends through it."""
    high = 1 / np.ptp(x)
    while _mean(x, exponents, high) > 0:
        high *= 2
    low = -1 / np.ptp(x)
    while _mean(x, exponents, low) < 0:
        low *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _mean(x, exponents, middle) > 0 else (low, middle)
    return (low + high) / 2


def _mean(x, exponents, beta) -> float:
    return float(_weights(x, exponents, beta) @ x)


def _weights(x, exponents, beta):
    y = exponents - beta * x
    w = np.exp(y - np.max(y))
    return w / np.sum(w)
