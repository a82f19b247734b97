"""Multipliers from more measured expectation values than there are charges."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._solution import Solution
from jaxgibbs.equilibrium import generalized_gibbs_state
from jaxgibbs.equilibrium.generalized import checked_charges
from jaxgibbs.operators import AbstractOperator, Bosons

from ._collect import real_vector, shifted
from ._dual import inside_domain
from ._expectations import expectations
from ._whitening import whiten
from .least_squares import LeastSquares
from .model import fit_model
from .newton import DualNewton


def fit_expectations(
    charges,
    observables,
    targets: ArrayLike,
    covariance: ArrayLike,
    *,
    initial: ArrayLike | None = None,
    starts: ArrayLike | None = None,
    method: LeastSquares = LeastSquares(),
    throw: bool = True,
) -> Solution:
    """Multipliers of `exp(-sum_k lam_k Q_k) / Z` that fit measured expectation values `<A_j>` by weighted least squares.

    The Jacobian of the prediction is minus the Kubo-Mori covariance of observables and charges, `d<A_j>/d lam_k = -K(A_j, Q_k)`.

    Args:
        charges: as for `fit_multipliers`.
        observables: `A_j`, of the same kind and on the same space as the charges.
        targets: measured `<A_j>`, shape `(observables,)`.
        covariance: covariance matrix of the targets, or their variances.
        initial: multipliers to start from; by default 0, or for bosons a point where the state exists.
        starts: further starting points, shape `(starts, charges)`.
        method: tolerances and limits.
        throw: whether a numerical failure raises.

    Returns:
        As for `fit_model`: multipliers, their standard errors, and in `stats` `covariance`, `chi_square`,
        `degrees_of_freedom`, `p_value`, `fitted` and the `residual` in standard deviations.

    Raises:
        ValueError: if shapes or kinds do not fit, or the covariance is not positive definite.
        RuntimeError: on a numerical failure.
    """
    charges, observables = checked_charges(charges), checked_charges(observables)
    checked_charges((*charges, *observables))
    dtype = jnp.finfo(jnp.result_type(*{operator.dtype for operator in (*charges, *observables)})).dtype
    targets = real_vector("targets", targets, len(observables), dtype, "observable")
    if initial is None:
        initial = _default_start(charges, targets.dtype)
    else:
        initial = real_vector("initial", initial, len(charges), targets.dtype)
    predict = _Expectations(charges, observables)
    return fit_model(predict, initial, targets, covariance, starts=starts, method=method, throw=throw)


class _Expectations(eqx.Module):
    """`lam -> <A_1>, <A_2>, ...` in the state of the charges."""

    charges: tuple[AbstractOperator, ...]
    observables: tuple[AbstractOperator, ...]

    def __call__(self, multipliers: Float[Array, " charges"]) -> Float[Array, " observables"]:
        return expectations(generalized_gibbs_state(self.charges, multipliers), self.observables)


def _default_start(charges, dtype):
    zero = jnp.zeros(len(charges), dtype)
    if not any(isinstance(part, Bosons) for charge in charges for part in getattr(charge, "parts", (charge,))):
        return zero
    return _boson_start(jax.lax.stop_gradient(charges), zero)


@jax.jit
def _boson_start(charges, zero):
    family, method = shifted(charges, zero), DualNewton()
    whitening = whiten(family, zero, method.tolerances(zero.dtype)[2], zero)
    return whitening.multipliers(inside_domain(family.combine(whitening.combinations), whitening, method))
