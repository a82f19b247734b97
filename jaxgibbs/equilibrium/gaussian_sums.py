"""What quadratic Hamiltonians are sums of: the matrix that is decomposed, its statistics, and `ln Z` and `U` from its levels."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgibbs._errors import NotTraceClass, is_concrete, nan_unless
from jaxgibbs.linalg import dagger, eigvalsh, matmul
from jaxgibbs.operators import QuadraticBosons, block_structure
from jaxgibbs.operators.blocks import to_blocks
from jaxgibbs.operators.quadratic import AbstractQuadratic

from . import mode_sums
from .mode_sums import Statistics
from .state import Scalar, smooth_inside


def metric_of(size: int, dtype):
    """The metric `diag(1, -1)` of doubled bosons."""
    return jnp.diag(jnp.asarray(np.repeat([1.0, -1.0], size // 2), dtype))


def statistics_of(operator: AbstractQuadratic) -> Statistics:
    """Bosons or fermions, with pairing or without."""
    return Statistics(isinstance(operator, QuadraticBosons), operator.paired)


def constant_of(operator: AbstractQuadratic) -> Scalar | float:
    """The operator less `Psi^dagger M Psi / 2`."""
    if not operator.paired:
        return 0.0
    return -operator.sign * jnp.trace(operator.one_body()).real / 2


def mean_energy(statistics, beta, blocks):
    """`<H>` without the constant."""
    mean = mode_sums.energy_cumulant(1, statistics, beta, blocks)
    return mean + mode_sums.absolute_trace(blocks) / 4 if statistics.bosonic and statistics.mirrored else mean


def log_partition_parts(statistics, beta, blocks):
    """`ln Z` without the constant; and for its limit at infinite `beta` energy and entropy, as constants."""
    value = mode_sums.log_partition(statistics, beta, blocks)
    if not statistics.mirrored:
        return value, value, value
    if statistics.bosonic:
        finite = jnp.where(jnp.isinf(beta), 0, beta)
        value = value - finite * mode_sums.absolute_trace(blocks) / 4
    frozen, at = jax.lax.stop_gradient((blocks, beta))
    return value, mean_energy(statistics, at, frozen), mode_sums.entropy(statistics, at, frozen)


def log_partition_of(operator, beta, parts):
    """`ln Z` from `log_partition_parts`, right at infinite `beta` too."""
    value, energy, entropy = parts
    if not operator.paired:
        return value
    constant, at = constant_of(operator), jax.lax.stop_gradient(beta)
    infinite = jnp.isinf(at)
    ground = energy + jax.lax.stop_gradient(constant)
    limit = jnp.where(ground == 0, entropy, -at * jnp.where(ground == 0, 1, ground))
    regular = value - jnp.where(infinite, 0, beta) * constant
    return smooth_inside(jnp.where(infinite, limit, regular), beta)


def check_bosons(paired: bool, beta, energies) -> None:
    """Raise `NotTraceClass` where bosons have no Gibbs state, as far as the numbers are known."""
    if not is_concrete(beta, energies):
        return
    if paired:
        if not beta > 0:
            raise NotTraceClass(f"`beta` must be positive for bosons with pairing, but is {float(beta):g}.")
    elif not np.all(np.asarray(beta * energies) > 0):
        raise NotTraceClass(
            "Every mode must have `beta * energy > 0` (a chemical potential below the lowest mode), but the smallest is "
            f"{float(jnp.min(beta * energies)):.3g}: the sum over its occupations diverges; raise the energies of the sites."
        )


def core_of(operator: AbstractQuadratic):
    """The stacks of Hermitian matrices to be decomposed, their block structure, and `L` for bosons with pairing."""
    if not (isinstance(operator, QuadraticBosons) and operator.paired):
        structure = block_structure(operator.matrix)
        return to_blocks(operator.matrix, structure), structure, None
    matrix = operator.matrix.to_dense()
    factor = jnp.linalg.cholesky((matrix + dagger(matrix)) / 2)
    pivots = jnp.square(jnp.diagonal(factor).real)
    allowed = jnp.min(pivots) > 64 * jnp.finfo(pivots.dtype).eps * jnp.max(jnp.abs(jnp.diagonal(matrix)))
    if is_concrete(allowed) and not allowed:
        raise NotTraceClass(
            "The matrix [[A, B], [B^dagger, A^T]] of quadratic bosons must be positive definite, but its smallest eigenvalue "
            f"is {float(jnp.min(eigvalsh(matrix))):.3g}: a mode is unstable or has no restoring force, and no temperature has "
            "a Gibbs state. Raise the energies of the sites above the pairing."
        )
    factor = nan_unless(allowed, factor)
    metric = jnp.diagonal(metric_of(matrix.shape[-1], factor.dtype))
    return (matmul(dagger(factor) * metric, factor),), None, factor
