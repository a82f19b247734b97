"""The response to a constant field: in contact with a bath, without heat, and of a system left to itself."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgibbs._errors import is_concrete
from jaxgibbs.equilibrium import GibbsState
from jaxgibbs.equilibrium.exact import MatrixSpectrum, observable_matrix
from jaxgibbs.equilibrium.sectors import SectorSpectrum
from jaxgibbs.linalg import dagger, matmul
from jaxgibbs.linalg import exponential_family as family
from jaxgibbs.linalg.levels import LevelSums, degeneracy_tolerance, exponents
from jaxgibbs.linalg.undefined import nan_where
from jaxgibbs.open_systems.bohr import eigenbasis
from jaxgibbs.operators import Dense

from ._thermal import Thermal, thermal

Scalar = Float[Array, ""]


def isothermal_susceptibility(state: GibbsState, a: Any, b: Any) -> Scalar:
    """`chi_T = d<A>/df` of `H - f B` at constant temperature: `beta` times the Kubo-Mori covariance, `-d^2 F / df_a df_b`.

    At `beta = inf` it is the limit, by perturbation theory of second order,

        chi_T = 2 Re sum_k <0|A|k> <k|B|0> / (E_k - E_0),

    on average over the ground states, and infinite, with the sign of that, where their covariance of A and B is not 0: there a
    field splits the ground level. Energies within `64 eps max|E|` are one level. Derivatives of the limit are as those of
    `isolated_susceptibility`, and NaN where `beta` is traced.

    Args:
        state: the Gibbs state.
        a: `A`, an operator or a Hermitian matrix.
        b: `B`, likewise.

    Returns:
        A number in units of `A B` / energy. At infinite `beta` NaN for a state of no matrix, such as one of quadratic fermions.

    Reference: Kubo, J. Phys. Soc. Jpn. 12, 570 (1957).
    """
    if not (isinstance(state, GibbsState) and isinstance(state.spectrum, MatrixSpectrum | SectorSpectrum)):
        return state.susceptibility(a, b)
    return _or_limit(thermal(state), a, b, lambda: state.susceptibility(a, b))


def _or_limit(of: Thermal, a, b, regular):
    """`regular()`, at infinite `beta` the limit of both susceptibilities, which differ by `exp(-beta gap)` there."""
    if is_concrete(of.s) and np.isfinite(np.asarray(of.s)):
        return regular()
    isolated, within = _isolated(of, *(observable_matrix(x, of.hamiltonian.dim) for x in (a, b)))
    limit = jnp.where(within == 0, isolated, -jnp.sign(of.s) * jnp.sign(within) * jnp.inf)
    if is_concrete(of.s):
        return limit
    return _where_infinite(jnp.isinf(of.s), jax.lax.stop_gradient(limit), regular())


@jax.custom_jvp
def _where_infinite(infinite, limit, regular):
    return jnp.where(infinite, limit, regular)


@_where_infinite.defjvp
def _where_infinite_jvp(primals, tangents):
    return _where_infinite(*primals), nan_where(primals[0], tangents[2])


def adiabatic_susceptibility(state: GibbsState, a: Any, b: Any) -> Scalar:
    """`chi_S = d<A>/df` of `H - f B` at constant entropy: of a system that exchanges no heat but stays a Gibbs state.

        chi_S = chi_T - beta Cov(A, H) Cov(H, B) / Var(H)

    where the variance is above rounding, `(64 eps max|E|)^2`, and `chi_T` elsewhere, as at zero temperature. Arguments as
    `isothermal_susceptibility`.

    Reference: Wilcox, Phys. Rev. 174, 624 (1968).
    """
    of = thermal(state)
    a, b = (observable_matrix(x, of.hamiltonian.dim) for x in (a, b))
    return _or_limit(of, a, b, lambda: _adiabatic(of, a, b))


@jax.jit
def _adiabatic(of: Thermal, a, b):
    energy = of.from_reference()
    dtype = jnp.result_type(a, b, energy)
    stack = jnp.stack([x.astype(dtype) for x in (a, b, energy)])
    covariance = family.kubo_mori_covariance(of.s, (of.hamiltonian,), (stack,))
    variance = covariance[2, 2]
    varies = variance > degeneracy_tolerance(of.hamiltonian.eigenvalues) ** 2
    drift = covariance[0, 2] * covariance[2, 1] / jnp.where(varies, variance, 1)
    return -of.s * (covariance[0, 1] - jnp.where(varies, drift, 0))


def isolated_susceptibility(state: GibbsState, a: Any, b: Any) -> Scalar:
    """`chi_K = chi(w -> 0)`: of a system that evolves by itself alone, with all that is conserved (Kubo's response).

        chi_K = sum_{E_i != E_j} (p_i - p_j) A_ij B_ji / (E_j - E_i) = chi_T - beta (sum_{E_i = E_j} p_i A_ij B_ji - <A><B>)

    For `A = B`, `chi_T >= chi_S >= chi_K`. Neighbouring energies no further apart than `64 eps max|E|` are one level. It jumps
    where a perturbation splits a level: derivatives along such a one are NaN. In forward mode the others are right; in reverse
    mode, which does not know the direction, all are NaN if there is a degenerate level.

    Args:
        state: of a Hamiltonian of one matrix.
        a: `A`, an operator or a Hermitian matrix.
        b: `B`, likewise.

    Returns:
        A number in units of `A B` / energy, finite at zero temperature.

    Reference: Wilcox, Phys. Rev. 174, 624 (1968); Suzuki, Physica 51, 277 (1971).
    """
    of = thermal(state)
    return _isolated(of, *(observable_matrix(x, of.hamiltonian.dim) for x in (a, b)))[0]


@jax.jit
def _isolated(of: Thermal, a, b):
    """`chi_K`, and the covariance of A and B within levels, 0 where it is rounding, without derivatives."""
    order = jnp.argsort(of.hamiltonian.eigenvalues)
    levels, vectors = of.hamiltonian.eigenvalues[order], of.hamiltonian.vectors[:, order]
    apart = jnp.diff(levels, prepend=levels[:1]) > degeneracy_tolerance(levels)
    number = jnp.cumsum(apart).astype(jnp.int32)
    clusters = number[None, :] - number[:, None]
    nothing = jnp.zeros(clusters.shape, bool)
    levels, vectors = eigenbasis(Dense(of.hamiltonian.matrix), levels, vectors, clusters, nothing)
    same = clusters == 0
    gaps = jnp.where(same, 1, jnp.abs(levels[None, :] - levels[:, None]))

    def populations(s, levels):
        x, _ = exponents(s, levels)
        p = LevelSums(s, levels).weights
        return p, jnp.maximum(p[:, None], p) * -jnp.expm1(-jnp.where(same, 1, jnp.abs(x[:, None] - x)))

    # at zero temperature they are constants, which the derivatives of the formula do not know
    infinite = jnp.isinf(of.s)
    constant = populations(jax.lax.stop_gradient(of.s), jax.lax.stop_gradient(levels))
    p, change = (
        jnp.where(infinite, a, b)
        for a, b in zip(constant, populations(jnp.where(infinite, -1, of.s), levels), strict=True)
    )
    sign = jnp.where(of.s <= 0, 1, -1)

    def inside(matrix):
        dtype = jnp.result_type(matrix, vectors)
        u = vectors.astype(dtype)
        return matmul(matmul(dagger(u), matrix.astype(dtype)), u)

    first, second = inside(a), inside(b)
    products = (first * second.T).real
    means = [jnp.sum(p * jnp.diagonal(x).real) for x in (first, second)]
    within = jnp.sum(jnp.where(same, p[:, None] * products, 0)) - means[0] * means[1]
    noise = 64 * jnp.finfo(levels.dtype).eps * len(levels) * jnp.linalg.norm(first) * jnp.linalg.norm(second)
    within = jax.lax.stop_gradient(jnp.where(jnp.abs(within) <= noise, 0, within))
    return sign * jnp.sum(jnp.where(same, 0, change / gaps) * products), within
