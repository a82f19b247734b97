"""One pass over charges in arrays: remove dependent directions, minimise the dual, judge where it ended."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._charges import AbstractCharges, IndependentCharges, Moments
from ._diagonal_charges import LevelCharges, ModeCharges
from ._matrix_charges import MatrixCharges
from ._norms import norm
from ._quadratic_charges import QuadraticCharges, SqueezedCharges
from ._whitening import Whitening, whiten
from .newton import BROKEN, CONVERGED, EDGE, OUTSIDE, RUNNING, STALLED, DualNewton, minimise


class Pass(NamedTuple):
    """Where the minimisation of the dual ended.

    Attributes:
        multipliers: in the user's coordinates, of minimum norm.
        point: in whitened coordinates.
        residual: `<Q_k> - q_k`, recomputed at the multipliers where rounding may have changed it.
        status: a code of `newton.py`.
        direction: of norm 1; for targets `OUTSIDE`, a direction in which they exceed what states attain by `violation`.
        violation: lower bound on `n.q - max spec(n.Q)` for that direction.
        whitening: the coordinates.
        evaluations: decompositions.
        steps: accepted Newton steps.
    """

    multipliers: Float[Array, " charges"]
    point: Float[Array, " charges"]
    residual: Float[Array, " charges"]
    status: Int[Array, ""]
    direction: Float[Array, " charges"]
    violation: Float[Array, ""]
    whitening: Whitening
    evaluations: Int[Array, ""]
    steps: Int[Array, ""]


class Ending(NamedTuple):
    """Of a pass, what it takes to follow it to the boundary; all in the precision of the charges.

    Attributes:
        point, combinations, gauge, scales: as in `Pass` and in its `Whitening`.
        independent: 1 for a combination of charges, 0 for a dependent direction.
    """

    point: Float[Array, " charges"]
    combinations: Float[Array, "charges charges"]
    gauge: Float[Array, "charges charges"]
    scales: Float[Array, " charges"]
    independent: Float[Array, " charges"]

    @classmethod
    def of(cls, end: Pass) -> "Ending":
        w = end.whitening
        return cls(end.point, w.combinations, w.gauge, w.scales, w.independent.astype(end.point.dtype))

    def pack(self) -> Float[Array, "rows charges"]:
        return jnp.concatenate([jnp.atleast_2d(part) for part in self])

    @classmethod
    def unpack(cls, packed: Float[Array, "rows charges"]) -> "Ending":
        count = packed.shape[-1]
        return cls(packed[0], packed[1 : 1 + count], packed[1 + count : 1 + 2 * count], packed[-2], packed[-1])


def solve_dual(charges: AbstractCharges, targets, initial, floors, method: DualNewton) -> Pass:
    """Fit `charges`, given less their `targets`, from multipliers `initial` (or `None`)."""
    dtype = targets.dtype
    residual_tolerance, boundary_tolerance, dependence_tolerance = method.tolerances(dtype)
    whitening = whiten(charges, targets, dependence_tolerance, floors)
    # Along a dependent direction n.(Q - q) is the number n.offsets, and must vanish.
    gaps = whitening.dependencies @ whitening.offsets
    slack = jnp.abs(whitening.dependencies) @ (
        boundary_tolerance * whitening.scales
        + 64 * jnp.finfo(dtype).eps * (jnp.abs(targets) + jnp.abs(whitening.offsets))
    )
    excess = jnp.abs(gaps) - slack
    worst = jnp.argmax(jnp.where(whitening.independent, -jnp.inf, excess))
    contradicts = ~whitening.independent[worst] & (excess[worst] > 0)

    whitened = charges.combine(whitening.combinations)
    point, start = _start(whitened, whitening, initial, method)
    end = minimise(whitened, point, start, whitening.independent, whitening.overlaps, method)
    multipliers = whitening.multipliers(end.point)
    size = norm(multipliers)
    safe = jnp.where(size > 0, size, 1)

    # Turning whitened coordinates into the user's rounds; where that may matter, the residual is taken at the result.
    rounding = jnp.finfo(dtype).eps * jnp.sum(jnp.abs(multipliers) * whitening.scales)
    reported = whitening.scales * (whitening.overlaps @ end.residual) + jnp.where(
        whitening.independent.all(), 0, whitening.gauge @ whitening.offsets
    )
    residual = jax.lax.cond(
        (rounding > 0.1 * residual_tolerance) & (end.status == CONVERGED),
        lambda: charges.moments(multipliers).residual,
        lambda: reported,
    )
    small = jnp.max(jnp.abs(residual - whitening.gauge @ residual) / whitening.scales) <= residual_tolerance
    status = jnp.where((end.status == CONVERGED) & ~small, STALLED, end.status)
    status = jnp.where(contradicts, OUTSIDE, status)
    clash = -jnp.sign(gaps[worst]) * whitening.dependencies[worst]
    direction = jnp.where(contradicts, clash, -multipliers / safe)
    violation = jnp.where(contradicts, jnp.abs(gaps[worst]), end.lowest / safe)
    return Pass(multipliers, end.point, residual, status, direction, violation, whitening, end.evaluations, end.steps)


def _start(charges, whitening, initial, method):
    """Where the minimisation begins, and the moments there."""
    if initial is not None:
        point = whitening.whitened(initial)
        return point, charges.moments(point)
    zero = jnp.zeros_like(whitening.offsets)
    if isinstance(charges, MatrixCharges) and charges.log_reference is None:
        # At the maximally mixed state nothing needs a decomposition: the charges are orthonormal there.
        eps = jnp.finfo(zero.dtype).eps
        identity = jnp.diag(whitening.independent.astype(zero.dtype))
        log_dim = jnp.log(jnp.asarray(charges.dim, zero.dtype))
        residual = whitening.combinations @ whitening.offsets
        nothing = jnp.zeros_like(log_dim)
        return zero, Moments(log_dim, residual, nothing, eps * jnp.sqrt(float(charges.dim)), nothing, lambda: identity)
    point = inside_domain(charges, whitening, method)
    return point, charges.moments(point)


def inside_domain(charges: AbstractCharges, whitening: Whitening, method: DualNewton) -> Float[Array, " charges"]:
    """Whitened multipliers with all `x_m > 0` where there are bosons; zero otherwise.

    Such multipliers are what proves that no state of a single particle has the charges (0, ..., 0): the same minimisation
    with the modes as levels finds them.
    """
    zero = jnp.zeros_like(whitening.offsets)
    modes = [part for part in _parts(charges) if isinstance(part, ModeCharges) and part.bosonic]
    matrices = [part for part in _parts(charges) if isinstance(part, SqueezedCharges)]
    matrices += [part for part in _parts(charges) if isinstance(part, QuadraticCharges) and part.bosonic]
    if not modes and not matrices:
        return zero
    if modes:
        energies = jnp.concatenate([part.energies for part in modes], axis=-1)
        particle, count = LevelCharges(energies, jnp.zeros_like(energies[0])), energies.shape[-1]
    else:
        particle = MatrixCharges(tuple(part.matrices[None] for part in matrices))
        count = particle.dim
    end = minimise(particle, zero, particle.moments(zero), whitening.independent, whitening.overlaps, method)
    # About one quantum of lam.Q in each mode.
    targets = sum(part.targets for part in (*modes, *matrices))
    total = end.point @ targets
    return end.point * jnp.where(total > 0, count / jnp.where(total > 0, total, 1), 1)


def _parts(charges):
    if isinstance(charges, IndependentCharges):
        return [leaf for part in charges.parts for leaf in _parts(part)]
    return [charges]


solve_dual_compiled = jax.jit(solve_dual)
FAILED = (RUNNING, STALLED, BROKEN)
SETTLED = (CONVERGED, EDGE, OUTSIDE)
