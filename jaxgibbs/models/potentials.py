"""A particle in one dimension: in a box, and in any potential that confines it."""

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import TruncationNotConverged, UnboundedAbove, is_concrete, nan_unless
from jaxgibbs.operators.base import inexact
from jaxgibbs.operators.dense import Dense
from jaxgibbs.operators.local import momentum_matrix, position_matrix, whole_number
from jaxgibbs.operators.spectrum import Spectrum
from jaxgibbs.operators.tails import PowerTail, positive_scalar

from ._assembly import check_shape, real_couplings
from ._confinement import check_confining
from ._oscillator_basis import MOST_LEVELS, best_basis, hamiltonian, thermal_states


def particle_in_box(length: Float[ArrayLike, ""], mass: Float[ArrayLike, ""] = 1.0, *, levels: int = 1024) -> Spectrum:
    """Levels `E_k = pi^2 k^2 / (2 m L^2)`, `k = 1, 2, ...`; the pressure is `-dF/dL = 2 U / L`.

    Args:
        length: `L`, positive.
        mass: `m`, positive.
        levels: how many are kept; the rest is bounded. Three dimensions are a `KroneckerSum` of three boxes.
    """
    values = real_couplings(length=length, mass=mass)
    length, mass = (positive_scalar(name, value) for name, value in values.items())
    tail = PowerTail(np.pi**2 / (2 * mass * length**2), 2.0, whole_number("levels", levels))
    return Spectrum(tail.scale * jnp.arange(1, tail.kept + 1, dtype=tail.scale.dtype) ** 2, tail=tail)


class Particle(eqx.Module):
    """A particle in a potential: its Hamiltonian, position and momentum in one truncated oscillator basis.

    `parity` reflects the particle at the centre of the basis; it commutes with the Hamiltonian when the potential
    is even about `center`, and momentum and `position - center` are odd under it.
    """

    hamiltonian: Dense
    position: Dense
    momentum: Dense

    @property
    def parity(self) -> np.ndarray:
        """The matrix of the reflection: alternating signs on the diagonal."""
        return np.diag((-1.0) ** np.arange(self.hamiltonian.dim))


def particle_in_potential(
    potential: Callable[[Array], Array],
    mass: Float[ArrayLike, ""] = 1.0,
    *,
    beta: Float[ArrayLike, ""],
    levels: int | None = None,
    center: Float[ArrayLike, ""] = 0.0,
    tolerance: float | None = None,
) -> Particle:
    """`H = p^2 / (2 m) + V(x)` on the line, projected on oscillator states that cover the thermal phase space.

    Matrix elements of `V` are Gauss-Hermite sums, exact for polynomials of degree up to 33; by Rayleigh and Ritz
    every level is an upper bound then. The answer is refused unless `ln Z`, `beta U`, `S` and `C` at `beta` agree with
    those from 4/5 of the basis and from a basis of another length.

    Args:
        potential: `V`, a function of an array of positions that returns an array of the same shape. What it closes
            over is differentiable.
        mass: `m`, positive.
        beta: the smallest inverse temperature that will be asked for, positive; hotter needs more states.
        levels: size of the basis, 5 to 500. `None` doubles it until it is enough, outside `jit` only.
        center: a point in or near the well; the point of reflection if `V` has one. Not differentiated.
        tolerance: what the four numbers may change by, relative to 1 plus their size; `eps ** (2/3)` by default.

    Raises:
        UnboundedBelow, ContinuousSpectrum, NotTraceClass: if `V` does not confine, or not enough for `beta`.
        UnboundedAbove: if `beta <= 0`.
        TruncationNotConverged: if the basis is too small. Under a trace the Hamiltonian is NaN instead.
    """
    values = real_couplings(mass=mass, center=center)
    mass, center = positive_scalar("mass", values["mass"]), jax.lax.stop_gradient(values["center"])
    check_shape("center", center, ())
    check_shape("beta", inexact(beta), ())
    if is_concrete(beta) and not float(np.asarray(beta)) > 0:
        raise UnboundedAbove(f"`beta` must be positive for a particle in a potential, but is {np.asarray(beta):g}.")
    energy = functools.partial(_energy, potential)
    check_confining(lambda x: energy(center + x), beta, mass.dtype)
    allowed = float(jnp.finfo(mass.dtype).eps) ** (2 / 3) if tolerance is None else tolerance

    sizes = _sizes(levels, thermal_states(energy, mass, beta, center))
    size, basis, change = _first_enough(functools.partial(best_basis, energy, mass, beta, center), sizes, allowed)
    if is_concrete(change) and not bool(change <= allowed):
        raise TruncationNotConverged(
            f"`levels` must be enough for `beta` = {np.asarray(beta):g}, but between {4 * size // 5} and {size} of them the "
            f"thermodynamics still changes by {float(change):.3g}, above the tolerance {allowed:.3g}; raise `levels` (at most "
            f"{MOST_LEVELS}), `beta` or `tolerance`, put `center` in the well, or smooth a potential with kinks or walls."
        )
    matrix = hamiltonian(energy, mass, basis, size) + basis.floor * jnp.eye(size, dtype=mass.dtype)
    matrix = nan_unless(change <= allowed, matrix)
    x, p = jnp.asarray(position_matrix(size), mass.dtype), jnp.asarray(momentum_matrix(size))
    position = basis.center * jnp.eye(size, dtype=mass.dtype) + basis.length * x
    momentum = p.astype(jnp.result_type(mass.dtype, jnp.complex64)) / basis.length
    return Particle(Dense(matrix), Dense(position), Dense(momentum))


def _energy(potential, x: Array) -> Array:
    """`V(x)` as a real array of the shape and dtype of `x`."""
    value = inexact(potential(x))
    if jnp.iscomplexobj(value) or value.shape not in ((), x.shape):
        raise ValueError(
            f"`potential` must return real numbers of the shape of its argument, {x.shape}, but returns shape "
            f"{value.shape} and dtype {value.dtype}."
        )
    return jnp.broadcast_to(value, x.shape).astype(x.dtype)


def _sizes(levels: int | None, states) -> tuple[int, ...]:
    """The sizes to try: the one asked for, or a doubling that starts near what the phase space holds."""
    if levels is not None:
        if not 5 <= whole_number("levels", levels) <= MOST_LEVELS:
            raise ValueError(f"`levels` must lie between 5 and {MOST_LEVELS}, but is {levels}.")
        return (int(levels),)
    if not is_concrete(states):
        raise ValueError(
            "`levels` must be given under `jit`, `grad` or `vmap`, but is None: a size cannot depend on traced values."
        )
    sizes = tuple(size for size in (25, 50, 100, 200) if size >= float(states))
    return (*sizes, MOST_LEVELS)


def _first_enough(basis_of_size, sizes: tuple[int, ...], allowed: float):
    """The first size whose thermodynamics is converged, with its basis and what still changes; else the last."""
    for size in sizes[:-1]:
        basis, change = basis_of_size(size)
        if change <= allowed:
            return size, basis, change
    return sizes[-1], *basis_of_size(sizes[-1])
