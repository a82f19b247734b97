"""A fit of charges too large to decompose: the dual function of a fixed sample, with its exact gradient.

With fixed probes the estimate of `log Z(lam)` is a smooth function of the multipliers, and its derivative costs one more pass
through the Krylov spaces (`equilibrium.moments`). It is minimised by the BFGS update in coordinates in which the charges are
orthonormal: at `lam = 0` the Hessian is then the identity. What the answer owes to the sample is its standard error.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgibbs._errors import is_concrete
from jaxgibbs._solution import RESULTS, Solution
from jaxgibbs.equilibrium import Lanczos
from jaxgibbs.equilibrium.generalized import combine
from jaxgibbs.equilibrium.lanczos_spectrum import lanczos_spectrum
from jaxgibbs.equilibrium.moments import moments, reference, without_derivatives
from jaxgibbs.equilibrium.sampling import log_partition_change
from jaxgibbs.linalg import matmul
from jaxgibbs.linalg.lanczos import ritz
from jaxgibbs.linalg.traces import jackknife
from jaxgibbs.operators import AbstractOperator

from ._whitening import Whitening, whiten
from .newton import BROKEN, CONVERGED, EDGE, OUTSIDE, RUNNING, STALLED, Iterate, verdict_of

_MAX_STEPS = 100
_LONGEST = 4.0  # longest step, in units of 1 + |lam|
_ROUNDS = 4  # of choosing a sample for the multipliers and fitting them to it
_CHARGES_FIXED = (
    "A fit by `Lanczos` must not be differentiated in its charges, but was; it is differentiable in the targets, once. Use "
    "`DualNewton()`, which has every derivative, on a smaller system."
)
_ONCE = "A fit by `Lanczos` must be differentiated in its targets at most once, but a second derivative was asked for."


class _Estimate(NamedTuple):
    """The dual function of a sample at one `lam`."""

    value: Float[Array, ""]
    residual: Float[Array, " charges"]
    lowest: Float[Array, ""]
    error: Float[Array, ""]
    systematic: Float[Array, ""]
    covariance: Float[Array, "charges charges"]


def fit_sampled(
    charges: tuple[AbstractOperator, ...], targets, initial, target_covariance, method: Lanczos
) -> Solution:
    """As `fit_multipliers`, on the sample that `method` draws; of an accuracy asked, for the state that is found."""
    (charges,) = without_derivatives(_CHARGES_FIXED, charges)
    frozen = jax.lax.stop_gradient((charges, targets, initial, target_covariance))
    drawn, concrete = method, is_concrete(frozen)
    if concrete and method.accuracy is not None:
        drawn = _chosen(frozen[0], jnp.zeros_like(targets) if initial is None else initial, method)
    found, response = _solve(*frozen, drawn)
    for _ in range(_ROUNDS):
        if not (concrete and method.accuracy is not None and np.all(np.isfinite(np.asarray(found.value)))):
            break
        needed = _chosen(frozen[0], found.value, method)
        if needed.sizes() == drawn.sizes():
            break
        drawn = needed
        found, response = _solve(*frozen[:2], found.value, frozen[3], drawn)
    return Solution(_responding(found.value, response, targets), found.error, found.result, found.stats)


def _chosen(charges, multipliers, method: Lanczos) -> Lanczos:
    return lanczos_spectrum(combine(charges, multipliers), method).grown(jnp.ones_like(multipliers[0])).method


@jax.custom_jvp
def _responding(value, response, targets):
    """`value`, whose derivative in the targets is `response`."""
    del response, targets
    return value


@_responding.defjvp
def _responding_jvp(primals, tangents):
    _, response, targets = primals
    tied = response + 0 * jnp.sum(without_derivatives(_ONCE, targets)[0])
    return _responding(*primals), tied @ tangents[2]


def _estimate(charges, targets, multipliers, method) -> _Estimate:
    operator = combine(charges, multipliers)
    nodes = jax.lax.stop_gradient(lanczos_spectrum(operator, method).nodes)
    s = -jnp.ones((), nodes.values.dtype)
    zero = reference(s, nodes)

    def samples(multipliers):
        return moments(1, s, combine(charges, multipliers), nodes).samples()[:, 0]

    traces, slopes = samples(multipliers), jax.jacrev(samples)(multipliers).astype(nodes.values.dtype)

    def expectations(means):
        return -means[1] / means[0]

    residual = expectations((jnp.mean(traces), jnp.mean(slopes, axis=0))) - targets
    # The lowest Ritz value, less the norm of its residual: a bound on the lowest level for probes that do not avoid it.
    values, vectors = jax.vmap(ritz)(nodes.tridiagonal)
    below = values[:, 0] - nodes.tridiagonal.off_diagonal[:, -1] * jnp.abs(vectors[:, -1, 0])
    levels = jnp.where(nodes.levels.converged, nodes.levels.energies, jnp.inf)
    lowest = jnp.min(jnp.concatenate([below, levels])) - multipliers @ targets
    value = jnp.log(jnp.mean(traces)) - zero + multipliers @ targets
    covariance = _jackknife_covariance(expectations, (traces, slopes))
    error, systematic = jackknife(jnp.log, traces), log_partition_change(s, nodes)
    estimate = _Estimate(value, residual, lowest, error, systematic, covariance)
    return jax.tree_util.tree_map(lambda x: x.astype(multipliers.dtype), estimate)


def _jackknife_covariance(function, samples):
    """The covariance matrix of `function(means)`, a vector, as `jackknife` its standard error."""
    count = samples[0].shape[0]
    if count == 1:
        size = samples[1].shape[1]
        return jnp.full((size, size), jnp.nan)
    without = jax.tree_util.tree_map(lambda x: (jnp.sum(x, axis=0) - x) / (count - 1), samples)
    values = jax.vmap(function)(without)
    deviations = values - jnp.mean(values, axis=0)
    return (count - 1) / count * matmul(deviations.T, deviations)


class _ProbedCharges(eqx.Module):
    """Charges as far as `whiten` needs them: applied to one probe, whose elements stand for traces."""

    operators: tuple[AbstractOperator, ...]
    targets: Float[Array, " charges"]
    method: Lanczos

    def vectors(self):
        """The centred charges on a probe, and their means less the targets."""
        dim = self.operators[0].dim
        dtype = jnp.result_type(*(operator.dtype for operator in self.operators))
        probe = self.method.distribution(self.method.key, jnp.asarray(0), dim, dtype)
        probe = probe / jnp.linalg.norm(probe)
        images = jnp.stack([operator.linear_map()(probe).astype(dtype) for operator in self.operators])
        means = jnp.einsum("i,ki->k", probe.conj(), images, precision="highest").real
        rows = images - means[:, None] * probe
        rows = jnp.concatenate([rows.real, rows.imag], axis=-1) if jnp.iscomplexobj(rows) else rows
        return rows.astype(self.targets.dtype), means.astype(self.targets.dtype) - self.targets


@eqx.filter_jit
def _solve(charges, targets, initial, target_covariance, method):
    """The fit without derivatives, its verdict, and the response of the multipliers to the targets."""
    dtype = targets.dtype
    eps = jnp.finfo(dtype).eps
    tolerance, dependence = float(eps) ** 0.5, max(1e-10, 1000 * float(eps))
    whitening = whiten(_ProbedCharges(charges, targets, method), targets, dependence, jnp.zeros_like(targets))
    gaps = jnp.abs(whitening.dependencies @ whitening.offsets)
    slack = jnp.abs(whitening.dependencies) @ (dependence * whitening.scales + 64 * eps * jnp.abs(targets))
    contradicts = jnp.any(~whitening.independent & (gaps > slack))

    def estimate(point):
        return _estimate(charges, targets, point @ whitening.combinations, method)

    start = jnp.zeros_like(targets) if initial is None else whitening.whitened(initial)
    end = _minimise(estimate, start, whitening, tolerance)
    offset = jnp.cbrt(eps) * (1 + jnp.linalg.norm(end.point))
    around = jnp.concatenate([jnp.zeros((1, len(targets)), dtype), offset * jnp.eye(len(targets), dtype=dtype)])
    estimates = jax.lax.map(lambda shift: estimate(end.point + shift), around)
    at = jax.tree_util.tree_map(lambda x: x[0], estimates)
    inverse = _inverse_hessian(estimates.residual, offset, whitening)
    covariance = matmul(matmul(inverse, at.covariance), inverse)

    status = jnp.where(contradicts, OUTSIDE, end.status)
    result = RESULTS.where(whitening.independent.all(), RESULTS.optimal, RESULTS.dependent)
    shallow = at.systematic > jnp.maximum(jnp.nan_to_num(at.error), tolerance)
    result = RESULTS.where(shallow, RESULTS.depth_too_small, result)
    if method.accuracy is not None:
        result = RESULTS.where(at.error <= method.accuracy, result, RESULTS.probes_too_few)
    result = verdict_of(status, result)
    multipliers = whitening.multipliers(end.point)
    size = jnp.linalg.norm(multipliers)
    size = jnp.where(size > 0, size, 1)
    nowhere = (status == OUTSIDE) | (status == EDGE)
    stats = {
        "residual": at.residual,
        "standard_error": jnp.sqrt(jnp.diagonal(covariance)),
        "direction": -multipliers / size,
        "violation": end.lowest / size,
        "steps": end.steps,
        "evaluations": end.evaluations + len(around),
    }
    if target_covariance is not None:
        stats["covariance"] = matmul(matmul(inverse, target_covariance), inverse)
    value = jnp.where(nowhere, jnp.nan, multipliers)
    error = jnp.where(status == OUTSIDE, jnp.inf, jnp.max(jnp.abs(at.residual)))
    return Solution(value, error, result, stats), jnp.where(nowhere, jnp.nan, -inverse)


def _inverse_hessian(residuals, offset, whitening: Whitening):
    """The inverse of the Hessian in the user's coordinates, from residuals at a point and beside it."""
    independent = whitening.independent
    hessian = (residuals[0] - residuals[1:]) / offset @ whitening.combinations.T
    hessian = (hessian + hessian.T) / 2
    hessian = jnp.where(independent[:, None] & independent, hessian, jnp.eye(len(independent), dtype=hessian.dtype))
    rest = jnp.eye(len(independent), dtype=hessian.dtype) - whitening.gauge
    combinations = matmul(whitening.combinations, rest)
    return matmul(matmul(combinations.T, jnp.linalg.inv(hessian)), combinations)


def _minimise(estimate, start, whitening: Whitening, tolerance: float) -> Iterate:
    """BFGS with Armijo's rule, from the identity; where the decrease drowns in rounding the gradient decides."""
    dtype, eps = start.dtype, jnp.finfo(start.dtype).eps
    identity = jnp.diag(whitening.independent.astype(dtype))

    def body(at: Iterate) -> Iterate:
        trial, first = at.point + at.length * at.step, at.evaluations == 0
        there = estimate(trial)
        residual = whitening.combinations @ there.residual
        slope, slope_there = -at.residual @ at.step, -residual @ at.step
        change = there.value - at.value
        rounding = jnp.abs(at.length * slope) <= 1000 * eps * (1 + jnp.abs(at.value))
        flatter = rounding & (jnp.abs(slope_there) <= 0.9 * jnp.abs(slope))
        finite = jnp.isfinite(there.value) & jnp.all(jnp.isfinite(residual))
        size = jnp.linalg.norm(trial)
        accept = finite & (first | (slope_there <= 0) | (change <= 1e-4 * at.length * slope) | flatter)
        inverse = jnp.where(accept & ~first, _updated(at.inverse, trial - at.point, at.residual - residual), at.inverse)
        step = jnp.where(accept, inverse @ residual, at.step)
        longest = _LONGEST * (1 + jnp.linalg.norm(jnp.where(accept, trial, at.point)))
        length = jnp.minimum(1, longest / jnp.maximum(jnp.linalg.norm(step), jnp.finfo(dtype).tiny))
        done = accept & (jnp.max(jnp.abs(whitening.overlaps @ residual)) <= tolerance)
        outside = finite & (there.lowest > tolerance * size)
        edge = accept & (size > 1) & (jnp.abs(there.lowest) <= tolerance * size)
        stuck = ~accept & (rounding | (at.length <= eps))
        status = jnp.where(stuck, jnp.where(finite, STALLED, BROKEN), RUNNING)
        status = jnp.where(outside, OUTSIDE, jnp.where(done, CONVERGED, jnp.where(edge, EDGE, status)))
        status = jnp.where(first & ~finite, BROKEN, status).astype(at.status.dtype)
        new = Iterate(
            trial, there.value, residual, there.lowest, inverse, step, length, status, at.evaluations + 1, at.steps + 1
        )
        old = at._replace(length=at.length / 2, status=status, evaluations=at.evaluations + 1)
        chosen = jax.tree_util.tree_map(lambda x, y: jnp.where(accept | outside, x, y).astype(y.dtype), new, old)
        return chosen

    def running(at: Iterate):
        return (at.status == RUNNING) & (at.evaluations < _MAX_STEPS)

    zero, none = jnp.zeros_like(start), jnp.zeros((), jnp.int32)
    number = jnp.zeros((), dtype)
    running_now = jnp.asarray(RUNNING, jnp.int32)
    begin = Iterate(start, number, zero, number, identity, zero, number + 1, running_now, none, none)
    return jax.lax.while_loop(running, body, begin)


def _updated(inverse, step, change):
    """The inverse Hessian after Broyden, Fletcher, Goldfarb and Shanno; unchanged where the curvature is not positive."""
    curvature = step @ change
    safe = jnp.where(curvature > 0, curvature, 1)
    left = jnp.eye(len(step), dtype=step.dtype) - jnp.outer(step, change) / safe
    updated = left @ inverse @ left.T + jnp.outer(step, step) / safe
    return jnp.where(curvature > 0, updated, inverse)
