"""Targets on the boundary of what states can attain: the limit of the state of largest entropy, by facial reduction.

Such targets are met only in the limit `lam = -T n + lam_face`, `T -> inf`, where `n` is the normal of a supporting
hyperplane: `n.q = max spec(n.Q)`. The state lives on the top eigenspace of `n.Q`, a face, and maximises the entropy
there (Rodman et al. 2016). The charges restricted to the face pose a smaller problem of the same kind, whose
targets may again lie on a boundary: for charges that do not commute there are such faces of faces (Weis & Knauf 2012).
Dimensions depend on values, so all this is eager.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxgibbs import linalg

from ._charges import AbstractFacedCharges
from ._dual import Ending, solve_dual_compiled
from ._norms import norm
from .newton import CONVERGED, EDGE, OUTSIDE, STALLED, DualNewton, minimise


class Limit(NamedTuple):
    """The limit of a fit on the boundary.

    Attributes:
        status: `EDGE` for a state in the limit, `OUTSIDE` for infeasible targets, else the failure inside the face.
        normals: `n` of the face, of the face in the face, ..., in the user's coordinates, of norm 1.
        multipliers: `lam_face`, of minimum norm.
        violation: `n.q - max spec(n.Q)` of the first normal.
        state: the state by name, and the dimension of the face.
        residual: `<Q_k> - q_k` in the limit.
        evaluations: decompositions.
    """

    status: int
    normals: list[np.ndarray]
    multipliers: np.ndarray
    violation: float
    state: dict
    residual: np.ndarray
    evaluations: int


def limit_on_boundary(
    charges: AbstractFacedCharges, targets, end: Ending, residual: np.ndarray, evaluations: int, method: DualNewton
) -> Limit:
    """Follow a fit of `charges`, given less their `targets`, that ended at `EDGE` after so many `evaluations`."""
    tolerance = method.tolerances(targets.dtype)[1]
    loose = 1e-2 * tolerance**0.5  # the normal and the face are known to about the square root of rounding
    independent = np.asarray(end.independent) > 0
    rows = jnp.asarray(np.asarray(end.combinations)[independent])
    whitened = charges.combine(rows)
    normal, turns = _turned(whitened, -np.asarray(end.point)[independent], method)
    evaluations += turns
    height = float(whitened.top(jnp.asarray(normal)))
    direction = normal @ np.asarray(rows)
    direction = direction - np.asarray(end.gauge) @ direction
    length = float(norm(jnp.asarray(direction)))
    direction = direction / length
    unknown = np.full_like(direction, np.nan)
    limit = Limit(OUTSIDE, [direction], unknown, float(-height / length), {}, residual, evaluations)
    if height < -tolerance:
        return limit
    if height > loose:
        return limit._replace(status=STALLED)

    face = charges.face(jnp.asarray(direction), loose / length)
    inner_method = DualNewton(method.max_steps, method.residual_tolerance, loose, loose)
    inner = solve_dual_compiled(face, targets, None, loose * end.scales, inner_method)
    evaluations += int(inner.evaluations)
    if inner.status == CONVERGED:
        state, left = face.state(inner.multipliers), face.moments(inner.multipliers).residual
        return limit._replace(
            status=EDGE,
            multipliers=np.asarray(inner.multipliers),
            state=state,
            residual=np.asarray(left),
            evaluations=evaluations,
        )
    if inner.status == EDGE:
        further = Ending.of(inner), np.asarray(inner.residual), int(inner.evaluations)
        deeper = limit_on_boundary(face, targets, *further, inner_method)
        if deeper.status != OUTSIDE:
            normals, evaluations = limit.normals + deeper.normals, evaluations + deeper.evaluations
            return deeper._replace(normals=normals, violation=limit.violation, evaluations=evaluations)
        return _lean(charges, limit, deeper.normals[0])
    if inner.status == OUTSIDE:
        return _lean(charges, limit, np.asarray(inner.direction))
    return limit._replace(status=STALLED, evaluations=evaluations)


def _turned(whitened: AbstractFacedCharges, rough: np.ndarray, method: DualNewton) -> tuple[np.ndarray, int]:
    """Turn a rough normal to an exact one, at growing distances along it.

    The error falls as the square of the distance until its rounding takes over.
    """
    normal, evaluations = rough / np.linalg.norm(rough), 0
    for length in (30.0, 300.0, 0.1 * np.finfo(normal.dtype).eps ** -0.4):
        turn = _turn(whitened, jnp.asarray(normal), jnp.asarray(length, normal.dtype), method)
        evaluations += int(turn.evaluations)
        if not turn.found:
            break
        normal = np.asarray(turn.normal)
    return normal, evaluations


class _Turn(NamedTuple):
    normal: Float[Array, " charges"]
    found: Bool[Array, ""]
    evaluations: Int[Array, ""]


@jax.jit
def _turn(whitened: AbstractFacedCharges, normal, length, method: DualNewton) -> _Turn:
    """Minimise across a normal `n`, over the directions that respond at a distance T along it.

    At the minimum `lam = -T n + lam_face + O(1/T)`, so the difference of the minima at T and 2 T is along the exact normal, free
    of `lam_face`. Directions without response are normals themselves.
    """
    zero = jnp.zeros_like(normal)
    others = jnp.eye(zero.size, dtype=zero.dtype) - jnp.outer(normal, normal)
    response = whitened.tilt(-length * normal).moments(zero).covariance()
    strengths, directions = linalg.eigh(others @ response @ others)
    responds = strengths > 1e-10 * jnp.max(strengths)
    across = jnp.where(responds[:, None], directions.T, 0)
    identity = jnp.eye(zero.size, dtype=zero.dtype)

    def end(stretch):
        tilted = whitened.tilt(-stretch * length * normal).combine(across)
        found = minimise(tilted, zero, tilted.moments(zero), responds, identity, method)
        return found.point @ across, found.status, found.evaluations

    points, statuses, evaluations = jax.lax.map(end, jnp.asarray([1, 2], zero.dtype))
    turned = normal - (points[1] - points[0]) / length
    turned = turned / jnp.linalg.norm(turned)
    before, after = whitened.top(normal), whitened.top(turned)
    lower = after <= jnp.maximum(before, 64 * jnp.finfo(zero.dtype).eps)
    found = jnp.any(responds) & jnp.all(statuses == CONVERGED) & lower
    return _Turn(turned, found, jnp.sum(evaluations) + 5)


def _lean(charges: AbstractFacedCharges, limit: Limit, inner: np.ndarray) -> Limit:
    """Targets in the plane of a face but outside it: lean its normal towards the certificate `inner` of the face."""
    best = limit._replace(status=STALLED)
    for slope in 10.0 ** -np.arange(10):
        direction = limit.normals[0] + slope * inner
        direction = direction / np.linalg.norm(direction)
        violation = -float(charges.top(jnp.asarray(direction)))
        if violation > max(best.violation, 0) or (best.status == STALLED and violation > 0):
            best = best._replace(status=OUTSIDE, normals=[direction], violation=violation)
    return best
