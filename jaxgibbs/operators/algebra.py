"""What sums and multiples of structured operators are: still a spectrum, still free modes, still independent parts."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgibbs._errors import UnboundedBelow, is_concrete, nan_unless

from .base import AbstractOperator, Scaled, Sum
from .kronecker import KroneckerSum
from .modes import Bosons, Fermions
from .quadratic import (
    AbstractQuadratic,
    QuadraticBosons,
    QuadraticFermions,
    as_quadratic,
    quadratic_sum,
    scaled_quadratic,
)
from .spectrum import Spectrum
from .tails import AbstractTail


class ScaledTail(AbstractTail):
    """The tail of `factor * H`; a spectrum unbounded above, times a negative factor, has no ground state."""

    factor: Float[Array, ""]
    tail: AbstractTail

    @property
    def beta_critical(self):
        return self.tail.beta_critical / self.factor

    def bound(self, beta, power=0):
        bound = self.factor**power * self.tail.bound(beta * self.factor, power)
        return jnp.where(self.factor > 0, bound, jnp.inf)

    def check(self, beta):
        if is_concrete(self.factor) and float(self.factor) <= 0:
            raise UnboundedBelow(
                "A spectrum without an upper bound must be multiplied by a positive factor, but the factor is "
                f"{float(self.factor):g}: the product has no ground state, and no temperature has a Gibbs state."
            )
        self.tail.check(beta * self.factor)


def simplify(operator: AbstractOperator) -> AbstractOperator:
    """Fold `Scaled` and `Sum` into a spectrum, modes, a quadratic operator or a `KroneckerSum` where they stay of that kind."""
    if isinstance(operator, Scaled):
        return _scaled(operator.factor, simplify(operator.operator), operator)
    if isinstance(operator, Sum):
        parts = [simplify(part) for part in operator.parts]
        for kind in (Bosons, Fermions):
            modes = [part.energies for part in parts if isinstance(part, kind)]
            if len(modes) == len(parts):
                return kind(sum(modes[1:], modes[0]))
        if len(parts) == 1:
            return parts[0]
        for kind, modes in ((QuadraticBosons, Bosons), (QuadraticFermions, Fermions)):
            if all(isinstance(part, kind | modes) for part in parts):
                return quadratic_sum([as_quadratic(part, kind) for part in parts])
        spectra = [part for part in parts if isinstance(part, Spectrum)]
        if len(spectra) == len(parts):
            return _summed(spectra)
        products = [part for part in parts if isinstance(part, KroneckerSum)]
        if len(products) == len(parts) and len({tuple(p.space for p in product.parts) for product in products}) == 1:
            groups = zip(*(product.parts for product in products), strict=True)
            return KroneckerSum(tuple(simplify(Sum(group)) for group in groups))
    return operator


def _scaled(factor, inner, original):
    if isinstance(inner, Bosons | Fermions):
        return type(inner)(factor * inner.energies)
    if isinstance(inner, AbstractQuadratic):
        return scaled_quadratic(factor, inner)
    if isinstance(inner, KroneckerSum):
        return KroneckerSum(tuple(simplify(Scaled(factor, part)) for part in inner.parts))
    if isinstance(inner, Spectrum):
        tail = None if inner.tail is None else ScaledTail(factor, inner.tail)
        return Spectrum(factor * inner.levels, inner.log_degeneracies if inner.has_degeneracies else None, tail=tail)
    return original


def _summed(parts: list[Spectrum]) -> Spectrum:
    """Spectra add level by level: they are diagonal in one basis."""
    first, same = parts[0], jnp.asarray(True)
    for part in parts:
        if part.tail is not None:
            raise ValueError(
                "Spectra with a tail cannot be added: nothing bounds the levels left out of the sum. Add finite ones."
            )
        degeneracies = (part.log_degeneracies, first.log_degeneracies)
        if is_concrete(degeneracies) and not np.array_equal(np.asarray(degeneracies[0]), np.asarray(degeneracies[1])):
            raise ValueError("Spectra must have the same degeneracies to be added level by level, but they differ.")
        same = same & jnp.all(degeneracies[0] == degeneracies[1])
    levels = [part.levels for part in parts]
    total = nan_unless(same, sum(levels[1:], levels[0]))  # under a trace nobody is told that they differ
    return Spectrum(total, first.log_degeneracies if first.has_degeneracies else None)
