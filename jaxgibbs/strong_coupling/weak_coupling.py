"""The Hamiltonian of mean force to second order in the coupling, from the correlation function of the bath alone."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.baths import AbstractBosonicBath
from jaxgibbs.baths.quadrature import unit_interval
from jaxgibbs.equilibrium.state import checked_beta
from jaxgibbs.linalg import Decomposition, Exponential, decompose, matmul, matrix_function, spectral_map
from jaxgibbs.linalg.functions import LOGARITHM
from jaxgibbs.operators.dense import checked_matrix, hermitian_or_nan

from ._inputs import positive_beta
from .mean_force import MeanForce

_EXP = Exponential()


def weak_mean_force(
    hamiltonian: Inexact[Array, "dim dim"],
    coupling: Inexact[Array, "dim dim"],
    frequencies: Float[Array, " modes"],
    strengths: Float[Array, " modes"],
    beta: ArrayLike,
) -> Inexact[Array, "dim dim"]:
    """`H*` of `H_S + X sum_k g_k (b_k + b_k^dagger) + sum_k w_k b_k^dagger b_k`, up to terms of fourth order in `g`.

    With `C(s) = sum_k g_k^2 cosh(w_k (beta/2 - s)) / sinh(beta w_k / 2)` the second order of `Tr_B e^{-beta H} / Z_B` is

        M = int_0^beta ds C(s) int_0^{beta-s} dt e^{-(beta-s-t) H_S} X e^{-s H_S} X e^{-t H_S}.

    Args:
        hamiltonian: `H_S`, shape `(dim, dim)`, an energy.
        coupling: `X`, Hermitian, shape `(dim, dim)`, a number.
        frequencies: `w_k > 0`, shape `(modes,)`, in the unit of `hamiltonian`.
        strengths: `g_k`, shape `(modes,)`, in the unit of `hamiltonian`.
        beta: inverse temperature, positive and finite (1 / energy).

    Raises:
        ValueError: if a matrix is not Hermitian, shapes differ, or a frequency or `beta` is not positive and finite.

    Reference: Cresser & Anders, Phys. Rev. Lett. 127, 250601 (2021).
    """
    system, position = checked_matrix("hamiltonian", hamiltonian), checked_matrix("coupling", coupling)
    beta, w, g = checked_beta(beta), jnp.asarray(frequencies), jnp.asarray(strengths)
    if system.shape != position.shape:
        raise ValueError(
            f"`coupling` must have the shape {system.shape} of `hamiltonian`, but has shape {position.shape}."
        )
    if w.ndim != 1 or w.shape != g.shape:
        raise ValueError(
            f"`frequencies` and `strengths` must be vectors of equal length, but have shapes {w.shape} and {g.shape}."
        )
    allowed = jnp.all(w > 0) & jnp.all(jnp.isfinite(w)) & (beta > 0) & jnp.isfinite(beta)
    if is_concrete(allowed) and not allowed:
        raise ValueError(
            f"`frequencies` and `beta` must be positive and finite, but are {w} and {beta}; "
            "a mode of frequency 0 has no Gibbs state."
        )
    system, position = hermitian_or_nan(system), hermitian_or_nan(position)

    def correlation(s):
        rest = beta - s
        return jnp.sum(g**2 * (jnp.exp(-w * s) + jnp.exp(-w * rest)) / -jnp.expm1(-beta * w))

    d = decompose(system)
    weight, second = _second_order(d, [(position, correlation)], beta)
    return nan_unless(allowed, d.matrix - spectral_map(LOGARITHM, weight, second) / beta)


def weak_coupling(
    hamiltonian: Inexact[Array, "dim dim"],
    couplings: Sequence[tuple[Inexact[Array, "dim dim"], AbstractBosonicBath]],
) -> MeanForce:
    """The state and the thermodynamics of a system weakly coupled to baths with spectral densities, to second order.

        rho = rho_0 + (M - rho_0 Tr M) / Z_S,      ln Z* = ln Z_S + Tr M / Z_S,      H* = H_S - D ln(e^{-beta H_S})[M] / beta,

    `M` as for `weak_mean_force`, with `C(s) = (1 / pi) int J(w) cosh(w (beta / 2 - s)) / sinh(beta w / 2) dw` of each bath.
    Coherences between the levels of `H_S` survive. There is no counter-term: add `Q X^2` to `hamiltonian`, with
    `Q = bath.reorganisation_energy()`, where the bath is not to change the potential.

    Args:
        hamiltonian: `H_S`, shape `(dim, dim)`, an energy.
        couplings: pairs of a Hermitian matrix `X` and the independent bath it is coupled to, all at one `beta`.

    Returns:
        `MeanForce`, whose `error` is what the fourth order is like: `beta ||H* - H_S||^2`, in Frobenius's norm.

    Raises:
        ValueError: if a matrix is not Hermitian, shapes differ, there is no coupling, or the baths have no common `beta`,
            positive and finite.

    Reference: Cresser & Anders, Phys. Rev. Lett. 127, 250601 (2021); Purkayastha et al., npj Quantum Inf. 6, 27 (2020).
    """
    system, pairs, beta = _checked(hamiltonian, couplings)
    d = decompose(system)

    def at(beta, bath):
        moved = eqx.tree_at(lambda b: b.beta, bath, beta)
        return lambda s: moved.correlation(-1j * s).real

    weight, second = _second_order(d, [(x, at(beta, bath)) for x, bath in pairs], beta)
    z, lost = jnp.trace(weight.matrix).real, jnp.trace(second).real
    start = weight.matrix.astype(second.dtype) / z
    change = -spectral_map(LOGARITHM, weight, second) / beta

    def slope(moved):
        value, rise = jax.jvp(lambda b: _log_partition(d, pairs, at, beta, b), (moved,), (jnp.ones_like(moved),))
        return rise, value

    rise, curvature, log_partition = jax.jvp(slope, (beta,), (jnp.ones_like(beta),), has_aux=True)
    return MeanForce(
        beta=beta,
        reduced_state=start + (second - lost * start) / z,
        hamiltonian=d.matrix + change,
        log_partition=log_partition,
        energy=-rise,
        entropy=log_partition - beta * rise,
        heat_capacity=beta**2 * curvature,
        error=beta * jnp.sum(jnp.abs(change) ** 2),
    )


def _checked(hamiltonian, couplings):
    system = hermitian_or_nan(checked_matrix("hamiltonian", hamiltonian))
    if not couplings:
        raise ValueError("`couplings` must have at least one pair of a matrix and a bath, but is empty.")
    pairs = [(hermitian_or_nan(checked_matrix("couplings", x)), bath) for x, bath in couplings]
    for x, bath in pairs:
        if x.shape != system.shape or not isinstance(bath, AbstractBosonicBath):
            raise ValueError(
                f"`couplings` must be pairs of a matrix of shape {system.shape} and a bath with a spectral density, but one is of "
                f"shape {x.shape} and `{type(bath).__name__}`."
            )
    betas = [bath.beta for _, bath in pairs]
    if is_concrete(betas) and any(beta != betas[0] for beta in betas):
        raise ValueError(f"`couplings` must have one temperature, but have `beta` {[float(beta) for beta in betas]}.")
    return system, pairs, positive_beta(betas[0])


def _second_order(d: Decomposition, pairs, beta):
    """`e^{-beta H_S}`, decomposed, and `M`, both times `e^{beta E_0}`, of pairs of a coupling and a correlation function."""
    scaled, _ = _shifted(d)
    nodes, weights = unit_interval(d.eigenvalues.dtype)
    total = jnp.zeros_like(d.matrix, dtype=jnp.result_type(d.matrix, *(x for x, _ in pairs)))
    for x, correlation in pairs:
        x = x.astype(total.dtype)

        def integrand(s, x=x, correlation=correlation):
            rest = beta - s
            inner = matmul(matmul(x, matrix_function(_EXP, scaled(-s)).astype(x.dtype)), x)
            return correlation(s) * rest * spectral_map(_EXP, scaled(-rest), inner)

        values = jax.vmap(integrand)(beta * nodes)
        total = total + beta * jnp.einsum("q,qij->ij", weights.astype(nodes.dtype), values)
    start = scaled(-beta)
    return Decomposition(matrix_function(_EXP, start), jnp.exp(start.eigenvalues), d.vectors), total


def _log_partition(d: Decomposition, pairs, at, beta, moved):
    """`ln Z_S + Tr M / Z_S` at `moved`, near `beta`: right at `beta` with its first two derivatives."""
    scaled, lowest = _shifted(d)
    matrix = scaled(jnp.ones_like(beta)).matrix
    nodes, weights = unit_interval(beta.dtype)
    identity = jnp.eye(d.dim, dtype=matrix.dtype)

    def exponential(x):
        step = (beta - moved) * x * matrix
        return matmul(matrix_function(_EXP, scaled(-beta * x)), identity + step + matmul(step, step) / 2)

    forward, backward = jax.vmap(exponential)(nodes), jax.vmap(exponential)(1 - nodes)
    z = jnp.trace(exponential(jnp.ones_like(beta))).real
    second = jnp.zeros_like(z)
    for x, bath in pairs:
        dtype = jnp.result_type(x, matrix)
        left, right = (matmul(e.astype(dtype), x.astype(dtype)) for e in (backward, forward))
        correlations = at(moved, bath)(moved * nodes)
        second = second + jnp.einsum("q,q,qij,qji->", weights, correlations, left, right, precision="highest").real
    return jnp.log(z) - moved * lowest + moved**2 / 2 * second / z


def _shifted(d: Decomposition):
    """`x -> x (H_S - E_0)`, decomposed, and `E_0`: a constant of `H_S` scales all exponentials alike."""
    lowest = jax.lax.stop_gradient(d.eigenvalues[0])
    matrix = d.matrix - lowest * jnp.eye(d.dim, dtype=d.matrix.dtype)

    def scaled(factor):
        return Decomposition(factor * matrix, factor * jax.lax.stop_gradient(d.eigenvalues - lowest), d.vectors)

    return scaled, lowest
