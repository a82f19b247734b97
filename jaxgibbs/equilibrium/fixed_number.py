"""Free modes under a constraint: a fixed number of particles, or a fixed parity of it."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete
from jaxgibbs.linalg.divided_differences import FAR
from jaxgibbs.operators import Bosons, Fermions
from jaxgibbs.operators.base import inexact
from jaxgibbs.operators.local import whole_number

from .state import Scalar, checked_beta


def canonical_log_partition(modes: Fermions | Bosons, beta: ArrayLike, particles: int) -> Scalar:
    """`ln Z_N`, the sum over all states of free modes with exactly `N` particles.

    `Z_N` is the elementary symmetric polynomial `e_N(w)` for fermions, the complete one `h_N(w)` for bosons, with
    `w_k = e^{-beta e_k}`; both grow mode by mode, `e_N <- e_N + w e_{N-1}` and `h_N <- h_N + w h_{N-1}`, in logarithms and
    without a difference, at the cost modes x particles. Every derivative, in `beta` and in each energy, is that of the sum.

    Args:
        modes: `Fermions` or `Bosons`; bosonic energies may have either sign.
        beta: inverse temperature, finite, of either sign.
        particles: `N`, a whole number; for fermions at most the number of modes.

    Raises:
        ValueError: if `particles` is not such a number, or `beta` is not finite.

    Example:
        `-jax.grad(canonical_log_partition)(modes, beta, N).energies / beta` are the occupations.
    """
    if not isinstance(modes, Fermions | Bosons):
        raise ValueError(
            f"`modes` must be `Fermions` or `Bosons`, but is `{type(modes).__name__}`; of a quadratic operator without "
            "pairing take `Fermions(thermal_spectrum(operator).mode_energies())`."
        )
    beta = checked_beta(beta)
    if is_concrete(beta) and not np.isfinite(np.asarray(beta)):
        raise ValueError("`beta` must be finite for a fixed number of particles, but is infinite.")
    particles = whole_number("particles", particles, least=0)
    fermionic = isinstance(modes, Fermions)
    if fermionic and particles > modes.dim:
        raise ValueError(f"`particles` must be at most {modes.dim}, one a mode, but is {particles}.")
    energies = modes.energies
    # relative to the mode of largest weight, a constant for differentiation, so that an offset costs no accuracy
    reference = jax.lax.stop_gradient(jnp.where(beta >= 0, jnp.min(energies), jnp.max(energies)))
    beta = beta.astype(energies.dtype)
    log_weights = -beta * (energies - reference)
    counts = jnp.arange(particles + 1, dtype=energies.dtype)
    start = jnp.where(counts == 0, 0, -FAR).astype(energies.dtype)

    def add_fermion(logs, log_weight):
        return logs.at[1:].set(_log_add(logs[1:], logs[:-1] + log_weight)), None

    def add_boson(logs, log_weight):  # h_N w^-N grows by the old one alone: a running sum over N
        return jax.lax.associative_scan(_log_add, logs - counts * log_weight) + counts * log_weight, None

    logs, _ = jax.lax.scan(add_fermion if fermionic else add_boson, start, log_weights)
    return logs[particles] - beta * particles * reference


def canonical_occupations(modes: Fermions | Bosons, beta: ArrayLike, particles: int) -> Float[Array, " modes"]:
    """`<n_k>` of free modes with exactly `particles` particles, their sum; arguments as for `canonical_log_partition`."""
    beta = checked_beta(beta)

    def log_z(shifts):  # in the exponents: also right at beta = 0
        return _shifted_log_partition(modes, beta, particles, shifts)

    return -jax.grad(log_z)(jnp.zeros_like(modes.energies))


def _log_add(a, b):
    """`ln(e^a + e^b)`: its second derivative is written with `a' - b'`, where `jnp.logaddexp` subtracts squares."""
    difference = b - a
    return jnp.where(difference > 0, b, a) + jax.nn.softplus(jnp.where(difference > 0, -difference, difference))


def _shifted_log_partition(modes, beta, particles, shifts):
    """`ln Z_N` with `beta e_k + shifts_k` in place of `beta e_k`."""
    beta = beta.astype(modes.energies.dtype)
    return canonical_log_partition(type(modes)(beta * modes.energies + shifts), jnp.ones_like(beta), particles)


def parity_log_partition(energies: Float[ArrayLike, " modes"], beta: ArrayLike, parity: int) -> Scalar:
    """`ln Tr_parity exp(-beta sum_k e_k (n_k - 1/2))` over the states in which `prod_k (-1)^{n_k}` is `parity`.

        Z = (prod_k 2 cosh(beta e_k / 2) + parity prod_k 2 sinh(beta e_k / 2)) / 2

    written so that nothing cancels where the sector leaves out the ground state. `H` is counted from the middle of its
    spectrum, as fermions of a spin chain are.

    Args:
        energies: `e_k`, shape `(modes,)`, with their signs: the empty state has even parity.
        beta: inverse temperature, finite.
        parity: +1 or -1.

    Raises:
        ValueError: if `parity` is not 1 or -1, or `beta` is not finite.
    """
    if parity not in (1, -1):
        raise ValueError(f"`parity` must be 1 or -1, but is {parity}.")
    energies, beta = inexact(energies), checked_beta(beta)
    if energies.ndim != 1 or energies.size == 0 or jnp.iscomplexobj(energies):
        raise ValueError(
            f"`energies` must be a real vector, but has shape {energies.shape} and dtype {energies.dtype}."
        )
    if is_concrete(beta) and not np.isfinite(np.asarray(beta)):
        raise ValueError("`beta` must be finite for a fixed parity, but is infinite.")
    x = beta.astype(energies.dtype) * energies
    product = jnp.prod(jnp.tanh(x / 2))
    # Where the product is nearly -parity, all |x| are large, and 1 - |product| = -expm1(sum_k ln tanh(|x_k| / 2)).
    close = parity * product < -0.5
    size = jnp.where(close, jnp.where(x < 0, -x, x), 1)
    decay = jnp.exp(-size)
    log_product = jnp.sum(jnp.log1p(-2 * decay / (1 + decay)))
    excluded = jnp.where(close, log_product, -1)
    far = jnp.log1p(jnp.where(close, 0, parity * product))
    # ln 2 cosh(x / 2), even and smooth at 0
    even = jnp.sum(jax.nn.softplus(x) - x / 2)
    return even + jnp.where(close, _log_minus_expm1(excluded), far) - math.log(2)


def _log_minus_expm1(x):
    """`ln(1 - e^x)` for `x < 0`."""
    return jnp.log(-jnp.expm1(x))


def ring_log_partition(
    sectors: tuple[Float[ArrayLike, " modes"], Float[ArrayLike, " modes"]] | Sequence[ArrayLike], beta: ArrayLike
) -> Scalar:
    """`ln Z` of a periodic spin chain that is free fermions in each parity sector, at the cost of a sum over modes.

    Jordan and Wigner's string closes with a sign, so even and odd numbers of fermions have different momenta (Lieb,
    Schultz & Mattis 1961); the trace over each sector is `parity_log_partition`. Energy and heat capacity are derivatives.

    Args:
        sectors: signed mode energies of the even and of the odd sector, as from `models.transverse_ising_ring_modes` and
            `models.xx_ring_modes`.
        beta: inverse temperature, finite.
    """
    even, odd = sectors
    return _log_add(parity_log_partition(even, beta, 1), parity_log_partition(odd, beta, -1))
