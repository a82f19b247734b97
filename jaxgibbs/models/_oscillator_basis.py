"""A truncated oscillator basis for a particle in a potential: its size, place and length, and the matrix of H in it."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgibbs.linalg.eigen import eigvalsh, matmul
from jaxgibbs.linalg.levels import LevelSums

MOST_LEVELS = 500  # beyond it the Gauss-Hermite nodes needed leave the range of float64
_DEPTH = 40.0  # exp(-40) is below the rounding of float64


class Basis(NamedTuple):
    """Centre and length of the oscillator states, and the floor of `V`, which is taken off. Not differentiated."""

    center: Float[Array, ""]
    length: Float[Array, ""]
    floor: Float[Array, ""]


def best_basis(energy: Callable, mass, beta, center, levels: int) -> tuple[Basis, Float[Array, ""]]:
    """The better of two bases, and how far the thermodynamics at `beta` is from converged in it (see `change`).

    One has the shape of the thermal part of phase space, best for lopsided wells; one the shape of the part that it can
    hold itself, best for steep ones.
    """
    widest = 0.625 * levels
    thermal = jnp.clip(thermal_states(energy, mass, beta, center), 10.0, widest)
    trials = []
    for states in (widest, thermal):
        basis = _basis_for(energy, mass, center, states)
        trials.append((basis, _change(energy, mass, beta, basis, levels)))
    better = trials[1][1] < trials[0][1]
    return jax.tree.map(lambda a, b: jnp.where(better, b, a), *trials)


def _basis_for(energy, mass, center, states) -> Basis:
    """The oscillator whose orbits have the extent in x and p of the classical orbit that holds `states` states.

    The turning points come from a grid of doubling distances on both sides of `center`, refined once by an even grid. A
    potential that is even about `center` gets a basis there to the last bit.
    """
    lift, grid = _orbit_of(*_grid(energy, center), mass, states)
    return jax.lax.stop_gradient(_fitted(grid, energy(grid), mass, lift))


def thermal_states(energy: Callable, mass, beta, center) -> Float[Array, ""]:
    """How many states fit under `40 / beta` above the minimum, by the classical phase space `oint p dx / 2 pi`."""
    return _extent(*_grid(energy, center), mass, _DEPTH / jnp.asarray(beta, mass.dtype))[2]


def _grid(energy, center):
    rungs = 2.0 ** np.arange(-20, 60, 0.125)
    grid = center + jnp.asarray(np.concatenate([-rungs[::-1], [0.0], rungs]), center.dtype)
    return grid, energy(grid)


@jax.jit
def _extent(grid, values, mass, lift):
    """Middle and half width between the outermost points at most `lift` above the minimum, and the states inside."""
    values = jnp.where(jnp.isfinite(values), values, jnp.finfo(values.dtype).max)
    inside = values - jnp.min(values) <= lift
    left, right = jnp.min(jnp.where(inside, grid, jnp.inf)), jnp.max(jnp.where(inside, grid, -jnp.inf))
    half = (right - left) / 2
    return (left + right) / 2, half, half * jnp.sqrt(2 * mass * lift) / 2


@jax.jit
def _orbit_of(grid, values, mass, states):
    """The lowest energy whose orbit holds `states` states, and an even grid over that orbit."""
    lifts = jnp.asarray(2.0 ** np.arange(-100, 100, 0.25), mass.dtype)
    wide = jax.vmap(lambda lift: _extent(grid, values, mass, lift)[2])(lifts) >= states
    lift = lifts[jnp.argmax(wide)]
    middle, half, _ = _extent(grid, values, mass, lift)
    return lift, middle + 1.2 * half * jnp.linspace(-1, 1, 2001, dtype=mass.dtype)


@jax.jit
def _fitted(grid, values, mass, lift) -> Basis:
    middle, half, _ = _extent(grid, values, mass, lift)
    floor = jnp.min(jnp.where(jnp.isfinite(values), values, jnp.inf))
    return Basis(middle, jnp.sqrt(half / jnp.sqrt(2 * mass * lift)), floor)


def hamiltonian(energy: Callable, mass, basis: Basis, levels: int) -> Float[Array, "levels levels"]:
    """`p^2 / (2 m) + V(x) - floor` on the first `levels` states."""
    nodes, states = (jnp.asarray(a, mass.dtype) for a in _quadrature(levels))
    return _matrix(energy(basis.center + basis.length * nodes) - basis.floor, states, mass, basis.length)


@jax.jit
def _matrix(potential, states, mass, length):
    levels = states.shape[0]
    k = np.arange(levels)
    beside = -np.sqrt(k[1:-1] * k[2:]) / 2
    squared = np.diag(k + 0.5) + np.diag(beside, 2) + np.diag(beside, -2)
    matrix = jnp.asarray(squared, mass.dtype) / (2 * mass * length**2) + matmul(states * potential, states.T)
    return (matrix + matrix.T) / 2


def _change(energy, mass, beta, basis: Basis, levels: int) -> Float[Array, ""]:
    """How far `ln Z`, `beta U`, `S` and `C` move, relative to 1 plus their size, to 4/5 of the basis or another length."""
    shorter = basis._replace(length=0.9 * basis.length)
    matrices = (hamiltonian(energy, mass, b, levels) for b in (basis, shorter))
    return jax.lax.stop_gradient(_moved(jnp.asarray(beta, mass.dtype), *matrices))


@jax.jit
def _moved(beta, matrix, other):
    def thermodynamics(matrix):
        sums = LevelSums(-beta, eigvalsh(matrix))
        return jnp.stack([sums.log_trace, beta * sums.mean, sums.entropy, sums.heat_capacity])

    kept = 4 * len(matrix) // 5
    reference, smaller = thermodynamics(matrix), thermodynamics(matrix[:kept, :kept])
    moved = jnp.maximum(jnp.abs(smaller - reference), jnp.abs(thermodynamics(other) - reference)) / (
        1 + jnp.abs(reference)
    )
    return jnp.max(jnp.where(jnp.isnan(moved), jnp.inf, moved))


@functools.lru_cache(maxsize=16)
def _quadrature(levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes `x_i` and a matrix `B` with `<k|f(x)|l> = sum_i B_ki f(x_i) B_li`, exact for polynomials of degree up to 33."""
    count = levels + 16 + levels // 8
    with np.errstate(all="ignore"):
        nodes = np.polynomial.hermite.hermgauss(count)[0]
    states = np.zeros((count, count))
    states[0] = np.pi**-0.25 * np.exp(-(nodes**2) / 2)
    states[1] = np.sqrt(2.0) * nodes * states[0]
    for k in range(2, count):
        states[k] = np.sqrt(2 / k) * nodes * states[k - 1] - np.sqrt((k - 1) / k) * states[k - 2]
    return nodes, (states / np.linalg.norm(states, axis=0))[:levels]
