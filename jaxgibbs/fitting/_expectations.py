"""Many expectation values of one state at once."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgibbs.equilibrium import GeneralizedGibbsState
from jaxgibbs.equilibrium.exact import MatrixSpectrum
from jaxgibbs.equilibrium.levels import LevelSpectrum
from jaxgibbs.equilibrium.modes import BosonSpectrum, FermionSpectrum


def expectations(state: GeneralizedGibbsState, observables) -> Float[Array, " observables"]:
    """`Tr(rho A_j)` of many observables, as one contraction where the state is one array."""
    spectrum = state.state.spectrum
    if isinstance(spectrum, MatrixSpectrum) and spectrum.structure is None:
        matrices = jnp.stack([observable.to_dense() for observable in observables])
        return jnp.einsum("ij,kji->k", state.density_matrix(), matrices, precision="highest").real
    if isinstance(spectrum, LevelSpectrum):
        values = jnp.stack([observable.levels for observable in observables])
    elif isinstance(spectrum, BosonSpectrum | FermionSpectrum):
        values = jnp.stack([observable.energies for observable in observables])
    else:
        return jnp.stack([state.expectation(observable) for observable in observables])
    return jnp.einsum("kn,n->k", values, state.populations, precision="highest")
