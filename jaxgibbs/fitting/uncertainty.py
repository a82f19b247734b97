"""How well multipliers are known: the information about them in a state, and the covariance of a fit."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs.equilibrium import GeneralizedGibbsState, generalized_gibbs_state
from jaxgibbs.equilibrium.exact import MatrixSpectrum
from jaxgibbs.equilibrium.gaussian import GaussianSpectrum
from jaxgibbs.equilibrium.product import ProductSpectrum
from jaxgibbs.equilibrium.sectors import SectorSpectrum
from jaxgibbs.equilibrium.state import AbstractThermalSpectrum
from jaxgibbs.linalg import Kernel, spectral_map
from jaxgibbs.linalg.exponential_family import kubo_mori_map


def quantum_fisher_information(charges, multipliers: ArrayLike) -> Float[Array, "charges charges"]:
    """Symmetric-logarithmic-derivative Fisher information of the multipliers of `exp(-sum_k lam_k Q_k) / Z`.

        J_kl = 2 sum_ab Re[(d_k rho)_ab (d_l rho)_ba] / (p_a + p_b)

    N copies of the state give unbiased estimates of covariance at least `(N J)^-1` (Helstrom 1967). `J` is at most the
    Kubo-Mori covariance of the charges, and equals it where they commute.

    Args:
        charges: as for `generalized_gibbs_state`.
        multipliers: `lam_k`, shape `(charges,)`.
    """
    return fisher_information(generalized_gibbs_state(charges, multipliers))


def fisher_information(state: GeneralizedGibbsState, count: int | None = None) -> Float[Array, "charges charges"]:
    """As `quantum_fisher_information`, of the first `count` multipliers of a state."""
    return _information(state.state.spectrum, state.state.beta, state.charges[:count])


def _information(spectrum: AbstractThermalSpectrum, beta, charges):
    if isinstance(spectrum, ProductSpectrum):
        groups = zip(spectrum.parts, zip(*(charge.parts for charge in charges), strict=True), strict=True)
        return jnp.sum(jnp.stack([_information(part, beta, group) for part, group in groups]), axis=0)
    if isinstance(spectrum, SectorSpectrum):
        spectrum = spectrum.matrix_spectrum()
    if isinstance(spectrum, GaussianSpectrum):
        return spectrum.weighted_covariance(beta, charges, _TANH_QUOTIENT)
    if not isinstance(spectrum, MatrixSpectrum):
        return spectrum.covariance_matrix(beta, charges)
    # d_k rho = -M(Q_k - <Q_k>) with the Kubo-Mori map M, whose weights are the logarithmic mean of p_a and p_b. Divided by
    # their arithmetic mean that is tanh(x)/x at half the gap of energies.
    block = spectrum.one_block()
    matrices = jnp.stack([charge.to_dense() for charge in charges])
    moved = jax.vmap(lambda matrix: kubo_mori_map(-beta, block, matrix))(matrices)
    turned = jax.vmap(lambda matrix: spectral_map(_TANH_QUOTIENT, block, matrix))(matrices)
    means = jnp.trace(moved, axis1=-2, axis2=-1).real
    return jnp.einsum("kab,lba->kl", moved, turned, precision="highest").real - jnp.outer(means, means)


def _tanh_quotient(x: Array, y: Array) -> Array:
    """`tanh(z) / z` at `z = (x - y) / 2`."""
    z = (x - y) / 2
    near = jnp.abs(z) < 1e-3
    forward = jnp.where(z.real < 0, -z, z)
    decay = jnp.exp(-2 * jnp.where(near, 1, forward))
    quotient = (1 - decay) / (1 + decay) / jnp.where(near, 1, forward)
    return jnp.where(near, 1 - z**2 / 3 + 2 * z**4 / 15, quotient)


def _radius(x: Array) -> Array:
    """Poles lie at `x - y = i pi (2 n + 1)`, and both arguments may be off the axis at once."""
    return jnp.full_like(x, 1.5)


_TANH_QUOTIENT = Kernel(_tanh_quotient, _radius)


def multiplier_covariance(
    state: GeneralizedGibbsState,
    count: int,
    gauge: Float[Array, "charges charges"],
    target_covariance: Float[Array, "charges charges"] | None,
    copies: Float[Array, ""] | None,
) -> Float[Array, "charges charges"]:
    """Covariance of fitted multipliers, zero along the directions that `gauge` projects on.

    From the covariance `V` of the targets it is `K^-1 V K^-1`, with the Kubo-Mori covariance `K` of the charges; from a
    number of copies it is the quantum Cramer-Rao bound `(N J)^-1`.
    """
    rest = jnp.eye(count, dtype=gauge.dtype) - gauge

    def inverse(matrix):
        return rest @ jnp.linalg.solve(rest @ matrix @ rest + gauge * jnp.trace(matrix), rest)

    if target_covariance is None:
        return inverse(fisher_information(state, count)) / copies
    response = inverse(state.covariance_matrix(state.charges[:count]))
    return response @ target_covariance @ response.T
