"""The multipliers of the state of largest entropy that has given expectation values."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from jaxgibbs import linalg
from jaxgibbs._errors import check_finite, check_hermitian, is_concrete
from jaxgibbs._solution import RESULTS, Solution, conclude, is_result
from jaxgibbs.equilibrium import Lanczos, generalized_gibbs_state
from jaxgibbs.equilibrium.generalized import checked_charges
from jaxgibbs.linalg.implicit import implicit_root
from jaxgibbs.operators import Bosons, Dense, Fermions, KroneckerSum, Spectrum
from jaxgibbs.operators.quadratic import AbstractQuadratic

from ._charges import AbstractFacedCharges
from ._collect import real_vector, shifted
from ._dual import Ending, solve_dual
from ._expectations import expectations
from .facial_reduction import limit_on_boundary
from .newton import CONVERGED, EDGE, OUTSIDE, DualNewton, verdict_of
from .sampled_fit import fit_sampled
from .uncertainty import multiplier_covariance


def fit_multipliers(
    charges,
    targets: ArrayLike,
    *,
    reference: ArrayLike | None = None,
    initial: ArrayLike | None = None,
    target_covariance: ArrayLike | None = None,
    copies: ArrayLike | None = None,
    method: DualNewton | Lanczos = DualNewton(),
    throw: bool = True,
) -> Solution:
    """Multipliers `lam` of the state `exp(-sum_k lam_k Q_k) / Z` with `<Q_k> = q_k`, the one of largest entropy.

    They minimise the convex dual `log Z(lam) + lam.q`, whose Hessian is the Kubo-Mori covariance of the charges. The answer
    is differentiable in the targets, in the couplings of the charges and in the reference state, to every order, by
    the implicit function theorem.

    Args:
        charges: operators or Hermitian matrices, as for `generalized_gibbs_state`; they need not commute.
        targets: `q_k`, shape `(charges,)`, in units of the charges.
        reference: a positive definite density matrix `omega` (a vector of level probabilities for `Spectrum` charges, of
            occupations for `Bosons` and `Fermions`); then the state minimises the relative entropy to `omega`, and is
            proportional to `exp(ln omega - lam.Q)`.
        initial: multipliers to start from.
        target_covariance: covariance matrix of the targets, or their variances.
        copies: number of copies of the state that were measured.
        method: tolerances and limits; or a `Lanczos`, for matrices too large to decompose: then the derivatives are the first
            in the targets, and `stats` holds the `standard_error` of the multipliers that is due to the sample.
        throw: whether a numerical failure raises; see `jaxgibbs.RESULTS`.

    Returns:
        `Solution` with the multipliers as `value` and the largest `|<Q_k> - q_k|` as `error`. `result` is `optimal`,
        `dependent` (of minimum norm), `boundary` (infinite entries; NaN under a trace, where the limit is not followed) or
        `infeasible` (NaN). `stats` holds `residual`, `steps`, `decompositions`; `covariance` of the multipliers if asked for;
        `direction` `n` and `violation` `n.q - max spec(n.Q)`, positive for infeasible targets, zero on the
        boundary, where `face_multipliers`, `face_dimension` and the limiting state are given too.

    Raises:
        ValueError: if shapes or dtypes do not fit, a number is NaN, or a matrix is not Hermitian.
        RuntimeError: on a numerical failure.

    Reference:
        Jaynes 1957; for charges that do not commute Yunger Halpern et al. 2016.
    """
    charges = checked_charges(charges)
    count = len(charges)
    dtypes = {charge.dtype for charge in charges}
    dtype = jnp.finfo(dtypes.pop() if len(dtypes) == 1 else jnp.result_type(*dtypes)).dtype
    targets = real_vector("targets", targets, count, dtype)
    if initial is not None:
        initial = real_vector("initial", initial, count, targets.dtype).astype(targets.dtype)
    log_reference = None if reference is None else _log_reference(reference, charges)
    if target_covariance is not None and copies is not None:
        raise ValueError("Only one of `target_covariance` and `copies` must be given, but both are.")

    if isinstance(method, Lanczos):
        if not isinstance(charges[0], Spectrum | Bosons | Fermions | AbstractQuadratic | KroneckerSum):
            if log_reference is not None or copies is not None:
                raise ValueError(
                    "`reference` and `copies` must be left out with `Lanczos`; pass `target_covariance` for errors."
                )
            if target_covariance is not None:
                target_covariance, _ = _knowledge(target_covariance, None, count, targets.dtype)
            return conclude(fit_sampled(charges, targets, initial, target_covariance, method), throw)
        method = DualNewton()  # nothing to sample: as `gibbs_state`

    problem = (charges, targets, log_reference)
    concrete = is_concrete(problem, initial)
    if not concrete:
        initial = jax.lax.stop_gradient(initial)
    found, packed = _solve(*(problem if concrete else jax.lax.stop_gradient(problem)), initial, method)
    if concrete and is_result(found.result, RESULTS.boundary):
        return _on_boundary(found, problem, Ending.unpack(packed), method, throw)
    wanted = target_covariance is not None or copies is not None
    if concrete and not wanted:
        return conclude(found, throw)
    gauge, multipliers, stats = Ending.unpack(packed).gauge, found.value, found.stats
    if not concrete:
        multipliers = implicit_root(_residual, multipliers, (*problem, gauge))
    if wanted:
        knowledge = _knowledge(target_covariance, copies, count, targets.dtype)
        stats = dict(stats)
        stats["covariance"] = _covariance(*problem, multipliers, gauge, *knowledge)
    return conclude(Solution(multipliers, found.error, found.result, stats), throw)


def _log_reference(reference, charges):
    """`ln omega` of a density matrix, of a vector over levels, or of free modes: `sum_k` of the entries times `n_k`."""
    first = charges[0]
    if isinstance(first, KroneckerSum | AbstractQuadratic):
        raise ValueError(
            f"`reference` must be left out for `{type(first).__name__}` charges; use their matrices, "
            "`Dense(charge.to_dense())`, instead."
        )
    if isinstance(first, Spectrum | Bosons | Fermions):
        reference = real_vector(
            "reference", reference, first.dim, first.dtype, "level" if isinstance(first, Spectrum) else "mode"
        )
        below = 1 if isinstance(first, Fermions) else np.inf
        if is_concrete(reference) and not np.all((np.asarray(reference) > 0) & (np.asarray(reference) < below)):
            raise ValueError(
                f"`reference` must lie between 0 and {below}, both excluded, on every entry, but reaches from "
                f"{reference.min()} to {reference.max()}."
            )
        if isinstance(first, Spectrum):
            return jnp.log(reference)
        return jnp.log(reference) - jnp.log1p(reference if isinstance(first, Bosons) else -reference)
    reference = jnp.asarray(reference)
    check_hermitian("reference", reference)
    if reference.shape[0] != charges[0].dim:
        raise ValueError(
            f"`reference` must have dimension {charges[0].dim} like the charges, but has {reference.shape[0]}."
        )
    return linalg.log(reference)


def _knowledge(target_covariance, copies, count, dtype):
    """The covariance matrix of the targets and the number of copies, one of them `None`."""
    if copies is not None:
        copies = jnp.asarray(copies, dtype)
        if copies.ndim != 0 or (is_concrete(copies) and not float(copies) > 0):
            raise ValueError(f"`copies` must be a positive number, but is {copies}.")
        return None, copies
    target_covariance = jnp.asarray(target_covariance, dtype)
    if target_covariance.shape == (count,):
        target_covariance = jnp.diag(target_covariance)
    if target_covariance.shape != (count, count):
        raise ValueError(
            f"`target_covariance` must have shape {(count, count)}, or {(count,)} for variances, but has shape "
            f"{target_covariance.shape}."
        )
    if is_concrete(target_covariance):
        matrix = np.asarray(target_covariance)
        check_finite("target_covariance", matrix)
        if not np.allclose(matrix, matrix.T) or np.any(np.diag(matrix) < 0):
            raise ValueError("`target_covariance` must be symmetric with variances >= 0 on its diagonal, but is not.")
    return target_covariance, None


def _state(charges, multipliers, log_reference):
    """`exp(ln omega - sum_k lam_k Q_k) / Z`: the reference state is one more charge, of multiplier -1."""
    if log_reference is None:
        return generalized_gibbs_state(charges, multipliers)
    if isinstance(charges[0], Spectrum):
        first = charges[0]
        extra = Spectrum(log_reference, first.log_degeneracies if first.has_degeneracies else None)
    elif isinstance(charges[0], Bosons | Fermions):
        extra = type(charges[0])(log_reference)
    else:
        extra = Dense(log_reference)
    return generalized_gibbs_state((*charges, extra), jnp.append(multipliers, -1.0))


def _residual(multipliers, inputs):
    """Vanishes at the fit: `q - <Q>` where the charges are independent, the multipliers along dependent directions."""
    charges, targets, log_reference, gauge = inputs
    state = _state(charges, multipliers, log_reference)
    missing = targets - expectations(state, charges)
    return missing - gauge @ missing + gauge @ multipliers


@jax.jit
def _solve(charges, targets, log_reference, initial, method):
    """The fit without derivatives, with its verdict; and its ending in one array, as each array returned takes its time."""
    end = solve_dual(shifted(charges, targets, log_reference), targets, initial, jnp.zeros_like(targets), method)
    status, whole = end.status, end.whitening.independent.all()
    result = RESULTS.where(whole, RESULTS.optimal, RESULTS.dependent)
    result = verdict_of(status, result)
    tails = [charge.tail for charge in charges if isinstance(charge, Spectrum) and charge.tail is not None]
    if tails:
        # Levels kept stand for infinitely many: an answer must not need the others, nor may an edge be that of the cut.
        carried = jnp.isfinite(_state(charges, end.multipliers, log_reference).log_partition)
        cut = ((status == OUTSIDE) | (status == EDGE)) & (end.direction[0] > 0)
        result = RESULTS.where(cut | ((status == CONVERGED) & ~carried), RESULTS.truncated, result)
    stats = {
        "residual": end.residual,
        "direction": end.direction,
        "violation": end.violation,
        "steps": end.steps,
        "decompositions": end.evaluations,
    }
    value = jnp.where((status == OUTSIDE) | (status == EDGE), jnp.nan, end.multipliers)
    error = jnp.where(status == OUTSIDE, jnp.inf, jnp.max(jnp.abs(end.residual)))
    return Solution(value, error, result, stats), Ending.of(end).pack()


def _on_boundary(found: Solution, problem, end: Ending, method: DualNewton, throw: bool) -> Solution:
    """Replace the verdict of a fit that ran off along the boundary by the limit it has there, or by a certificate."""
    charges, targets, log_reference = problem
    faced = shifted(charges, targets, log_reference, in_blocks=False)
    if found.result == RESULTS.truncated or not isinstance(faced, AbstractFacedCharges):
        return conclude(found, throw)
    residual, evaluations = np.asarray(found.stats["residual"]), int(found.stats["decompositions"])
    limit = limit_on_boundary(faced, targets, end, residual, evaluations, method)
    stats = found.stats | {
        "residual": jnp.asarray(limit.residual),
        "direction": jnp.asarray(limit.normals[0]),
        "violation": jnp.asarray(limit.violation, targets.dtype),
        "decompositions": jnp.asarray(limit.evaluations),
    }
    if limit.status == OUTSIDE:
        none = jnp.full_like(targets, jnp.nan)
        return Solution(none, jnp.full_like(targets[0], jnp.inf), RESULTS.infeasible, stats)
    if limit.status != EDGE:
        return conclude(Solution(found.value, found.error, RESULTS.stagnated, stats), throw)
    value = limit.multipliers.copy()
    for normal in reversed(limit.normals):
        value = np.where(np.abs(normal) > 1e-6, np.copysign(np.inf, -normal), value)
    stats |= limit.state | {"face_multipliers": jnp.asarray(limit.multipliers)}
    return Solution(jnp.asarray(value), jnp.max(jnp.abs(stats["residual"])), RESULTS.boundary, stats)


@jax.jit
def _covariance(charges, targets, log_reference, multipliers, gauge, target_covariance, copies):
    del targets
    state = _state(charges, multipliers, log_reference)
    return multiplier_covariance(state, len(charges), gauge, target_covariance, copies)
