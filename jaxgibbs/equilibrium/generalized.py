"""Generalised Gibbs states: several charges, each with its multiplier."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs._errors import is_concrete
from jaxgibbs.operators import (
    AbstractOperator,
    Bosons,
    Fermions,
    KroneckerSum,
    QuadraticBosons,
    QuadraticFermions,
    Scaled,
    Spectrum,
    Sum,
    as_operator,
    simplify,
)
from jaxgibbs.operators.base import inexact
from jaxgibbs.operators.quadratic import as_quadratic

from .gibbs import thermal_spectrum
from .methods import AbstractMethod, Auto
from .state import GibbsState, Scalar


class GeneralizedGibbsState(eqx.Module):
    """`rho = exp(-sum_k lam_k Q_k) / Z(lam)`, the state of largest entropy among those with its `<Q_k>`.

    The exponential of the sum, not the product of exponentials: the charges need not commute. It is the Gibbs state of
    `sum_k lam_k Q_k` at `beta = 1`, and answers as one; the Hessian of `ln Z` in `lam` is `charge_covariance`.
    """

    charges: tuple[AbstractOperator, ...]
    multipliers: Float[Array, " charges"]
    state: GibbsState

    @property
    def log_partition(self) -> Scalar:
        """`ln Z(lam)`."""
        return self.state.log_partition

    @property
    def entropy(self) -> Scalar:
        """`S = ln Z + sum_k lam_k <Q_k>`, in nats."""
        return self.state.entropy

    @property
    def purity(self) -> Scalar:
        """`Tr rho^2`."""
        return self.state.purity

    @property
    def charge_expectations(self) -> Float[Array, " charges"]:
        """`<Q_k>`, minus the gradient of `ln Z` in the multipliers."""
        return jnp.stack([self.state.expectation(charge) for charge in self.charges])

    @property
    def charge_covariance(self) -> Float[Array, "charges charges"]:
        """Kubo-Mori covariance of the charges, the Hessian of `ln Z` in the multipliers."""
        return self.state.covariance_matrix(self.charges)

    @property
    def populations(self) -> Float[Array, " levels"]:
        """As for `GibbsState`: for modes the occupations."""
        return self.state.populations

    def renyi_entropy(self, order: float) -> Scalar:
        """As for `GibbsState`."""
        return self.state.renyi_entropy(order)

    def expectation(self, observable) -> Scalar:
        """`Tr(rho A)`."""
        return self.state.expectation(observable)

    def covariance(self, a, b) -> Scalar:
        """Kubo-Mori covariance of two observables."""
        return self.state.covariance(a, b)

    def covariance_matrix(self, observables) -> Float[Array, "observables observables"]:
        """Kubo-Mori covariances of all pairs; `-d<A>/d lam_k` is the covariance of `A` and `Q_k`."""
        return self.state.covariance_matrix(observables)

    def density_matrix(self) -> Inexact[Array, "dim dim"]:
        """The matrix `rho`."""
        return self.state.density_matrix()

    def reduced(self, dims: tuple[int, ...], keep: int | tuple[int, ...]) -> Inexact[Array, "kept kept"]:
        """As for `GibbsState`."""
        return self.state.reduced(dims, keep)

    def explain(self) -> str:
        """Method, sizes, memory and source of error."""
        return self.state.explain()


def generalized_gibbs_state(
    charges, multipliers: ArrayLike, *, method: AbstractMethod = Auto()
) -> GeneralizedGibbsState:
    """The state `exp(-sum_k lam_k Q_k) / Z`: GGE, grand canonical with charges `(H, N)` and multipliers `(beta, -beta mu)`.

    Args:
        charges: operators or Hermitian matrices on one space; or all `Spectrum`, diagonal in one basis; or all `Bosons`,
            or all `Fermions`, on the same modes; or quadratic operators of one kind, with `Bosons` or `Fermions` among them.
        multipliers: `lam_k`, real and finite, shape `(charges,)`, in units of 1 / charge.
        method: as for `gibbs_state`.

    Raises:
        ValueError: if there is no charge, the numbers or the spaces differ, or the state does not exist.
    """
    charges = checked_charges(charges)
    multipliers = inexact(multipliers)
    if multipliers.shape != (len(charges),):
        raise ValueError(
            f"`multipliers` must have one entry a charge, shape {(len(charges),)}, but has shape {multipliers.shape}."
        )
    if is_concrete(multipliers) and not np.all(np.isfinite(np.asarray(multipliers))):
        raise ValueError("`multipliers` must be finite; for a state at the edge take `gibbs_state` with `beta = inf`.")
    exponent = combine(charges, multipliers)
    return GeneralizedGibbsState(
        charges, multipliers, thermal_spectrum(exponent, method=method).at(jnp.ones_like(multipliers[0]))
    )


def checked_charges(charges) -> tuple[AbstractOperator, ...]:
    """The charges as operators of one kind on one space."""
    if isinstance(charges, AbstractOperator):
        charges = (charges,)
    charges = tuple(simplify(as_operator(charge)) for charge in charges)
    if not charges:
        raise ValueError("`charges` must have at least one operator, but is empty.")
    dims = [charge.dim for charge in charges]
    if len(set(dims)) > 1:
        raise ValueError(f"`charges` must act on one space, but have dimensions {dims}.")
    kinds = {type(charge) for charge in charges}
    for kind in (QuadraticBosons, QuadraticFermions):
        if kind in kinds:
            return tuple(as_quadratic(charge, kind) for charge in charges)
    if len(kinds) > 1 and kinds & {Spectrum, Bosons, Fermions}:
        names = sorted(kind.__name__ for kind in kinds)
        raise ValueError(f"`charges` must be all matrices or all of one structured kind, but are {names}.")
    return charges


def combine(charges: tuple[AbstractOperator, ...], multipliers: Float[Array, " charges"]) -> AbstractOperator:
    """`sum_k lam_k Q_k`."""
    products = [charge.parts for charge in charges if isinstance(charge, KroneckerSum)]
    if len(products) == len(charges):
        groups = zip(*products, strict=True)
        return KroneckerSum(tuple(combine(group, multipliers) for group in groups))
    return simplify(Sum(tuple(Scaled(multipliers[k], charge) for k, charge in enumerate(charges))))
