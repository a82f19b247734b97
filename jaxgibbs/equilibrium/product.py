"""Thermal spectra of independent parts: everything is a sum or a product over them, never the product space."""

import functools

import jax
import jax.numpy as jnp

from jaxgibbs._solution import RESULTS
from jaxgibbs.operators import KroneckerSum

from .exact import AbstractBlockSpectrum, observable_matrix
from .modes import BosonSpectrum, FermionSpectrum
from .state import AbstractThermalSpectrum, smooth_inside


class ProductSpectrum(AbstractThermalSpectrum):
    """The spectra of the parts of a `KroneckerSum`.

    Observables are a `KroneckerSum` over the same parts (a sum of local observables), or a matrix on the product space.
    """

    parts: tuple[AbstractThermalSpectrum, ...]

    def _sum(self, name: str, *arguments):
        return sum(getattr(part, name)(*arguments) for part in self.parts)

    def log_partition(self, beta):
        # At beta = +-inf the parts may add to inf - inf, where the sign of the total ground energy decides.
        frozen, at = jax.lax.stop_gradient((self, beta))
        ground = frozen.energy(at)
        limit = jnp.where(ground == 0, frozen.entropy(at), -at * jnp.where(ground == 0, 1, ground))
        return smooth_inside(jnp.where(jnp.isinf(at), limit, self._sum("log_partition", beta)), beta)

    def energy(self, beta):
        return self._sum("energy", beta)

    def energy_variance(self, beta):
        return self._sum("energy_variance", beta)

    def entropy(self, beta):
        return self._sum("entropy", beta)

    def heat_capacity(self, beta):
        return self._sum("heat_capacity", beta)

    def renyi_entropy(self, beta, order):
        return self._sum("renyi_entropy", beta, order)

    def expectation(self, beta, observable):
        if isinstance(observable, KroneckerSum):
            pairs = zip(self.parts, self._local(observable), strict=True)
            return sum(part.expectation(beta, local) for part, local in pairs)
        rho = self.density_matrix(beta)
        return jnp.sum((rho * observable_matrix(observable, rho.shape[0]).T).real)

    def covariance_matrix(self, beta, observables):
        if not all(isinstance(observable, KroneckerSum) for observable in observables):
            raise ValueError(
                "Covariances in a product state take observables that are a `KroneckerSum` over the same parts; for others "
                "build the Hamiltonian as one matrix, `Dense(hamiltonian.to_dense())`."
            )
        local = zip(*(self._local(observable) for observable in observables), strict=True)
        return sum(part.covariance_matrix(beta, group) for part, group in zip(self.parts, local, strict=True))

    def populations(self, beta):
        """Joint probabilities of the levels of all parts, part 0 the slowest index."""
        if any(isinstance(part, BosonSpectrum | FermionSpectrum) for part in self.parts):
            raise ValueError(
                "`populations` of a product must be asked of its parts where one is of free modes: `part(k)`."
            )
        return functools.reduce(lambda a, b: jnp.kron(a, b), (part.populations(beta) for part in self.parts))

    def density_matrix(self, beta):
        return functools.reduce(jnp.kron, (part.density_matrix(beta) for part in self.parts))

    def standard_error(self, beta):
        """Errors of the parts added up, not their squares: parts of one dimension share random numbers."""
        return self._added("standard_error", beta)

    def systematic_error(self, beta):
        return self._added("systematic_error", beta)

    def _added(self, name, beta):
        return jax.tree_util.tree_map(lambda *errors: sum(errors), *(getattr(part, name)(beta) for part in self.parts))

    def expectation_error(self, beta, observable):
        if not isinstance(observable, KroneckerSum):
            return jnp.zeros_like(self.expectation(beta, observable))  # from density matrices, which are exact
        pairs = zip(self.parts, self._local(observable), strict=True)
        return sum(part.expectation_error(beta, local) for part, local in pairs)

    def result(self, beta):
        """That of the first part whose answers are not as accurate as was asked."""
        result = RESULTS.optimal
        for part in reversed(self.parts):
            own = part.result(beta)
            result = RESULTS.where(own == RESULTS.optimal, result, own)
        return result

    def part(self, index):
        return self.parts[index]

    def explain(self):
        lines = [f"  part {k}: {part.explain()}" for k, part in enumerate(self.parts)]
        return "\n".join([f"product of {len(self.parts)} independent parts", *lines])

    def _local(self, observable: KroneckerSum):
        if len(observable.parts) != len(self.parts):
            raise ValueError(
                f"`observable` must have {len(self.parts)} parts like the Hamiltonian, but has {len(observable.parts)}."
            )
        for part, local in zip(self.parts, observable.parts, strict=True):
            if isinstance(part, AbstractBlockSpectrum) and part.dim != local.dim:
                raise ValueError(f"A part of `observable` must have dimension {part.dim}, but has {local.dim}.")
        return observable.parts
