"""Fermions removed and added: spectral functions in Fock space, and of quadratic Hamiltonians of thousands of sites."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Complex, Inexact

from jaxgibbs._errors import check_finite
from jaxgibbs.equilibrium import Exact, GibbsState
from jaxgibbs.equilibrium.gaussian import GaussianSpectrum, gaussian_spectrum
from jaxgibbs.equilibrium.modes import FermionSpectrum, exponent
from jaxgibbs.linalg import Decomposition, dagger, matmul
from jaxgibbs.linalg import exponential_family as family
from jaxgibbs.linalg.undefined import one_without_slope
from jaxgibbs.operators import QuadraticFermions
from jaxgibbs.operators.base import inexact, real_scalar
from jaxgibbs.operators.quadratic import as_quadratic

from ._thermal import Thermal, operator_matrix, thermal, width
from .kubo import elements_of, resolvent, traced, with_derivatives
from .lines import SpectralLines, lines_of


def fermion_lines(state: GibbsState, annihilator: Any) -> SpectralLines:
    """The lines of the one-particle spectral function `A(w) = sum_ij (p_i + p_j) |c_ij|^2 delta(w - (E_j - E_i))`.

    Removing a particle (`w < mu`, photoemission) and adding one together: their weights sum to 1 for a fermion, whose
    `{c, c^dagger} = 1`. In a grand canonical state, of `H - mu N`, frequencies are measured from `mu`.

    Args:
        state: on a space in which the number of particles may change, or of `QuadraticFermions` or `Fermions`.
        annihilator: `c`, shape `(dim, dim)`; of quadratic fermions the amplitudes `a` of `c = sum_i a_i c_i`, shape `(sites,)`,
            and with pairing also of `sum_i a_(sites + i) c_i^dagger`, shape `(2 sites,)`.

    Returns:
        `dim^2` lines, of quadratic fermions one for each mode.

    Raises:
        ValueError: if the shape does not fit, or the state is another.
    """
    return _of_weights(state, annihilator, _sum, jnp.ones_like)


def lesser_lines(state: GibbsState, annihilator: Any) -> SpectralLines:
    """What `c` can remove: `A^<(w) = sum_ij p_j |c_ij|^2 delta(w - (E_j - E_i)) = f(w) A(w)`, with Fermi's function `f`.

    The weights sum to `<c^dagger c>`; a free path of photoelectrons sees this part. Arguments as for `fermion_lines`.

    Reference: Kadanoff & Baym, Quantum Statistical Mechanics (1962).
    """
    return _of_weights(state, annihilator, _final, lambda x: jax.nn.sigmoid(-x))


def greater_lines(state: GibbsState, annihilator: Any) -> SpectralLines:
    """What `c^dagger` can add: `A^>(w) = sum_ij p_i |c_ij|^2 delta(w - (E_j - E_i)) = (1 - f(w)) A(w)`.

    `A^<(w) = e^{-beta w} A^>(w)`, line by line. The weights sum to `<c c^dagger>`. Arguments as for `fermion_lines`.
    """
    return _of_weights(state, annihilator, _initial, jax.nn.sigmoid)


def green_function(state: GibbsState, a: Any, b: Any, frequency: ArrayLike, eta: ArrayLike) -> Complex[Array, ""]:
    """Retarded Green's function of fermions, `G_ab(w) = -i int_0^inf e^{iwt - eta t} <{a(t), b^dagger}> dt`.

        G_ab(w) = sum_ij (p_i + p_j) a_ij conj(b_ij) / (w + i eta - (E_j - E_i)),     A(w) = -Im G_aa(w) / pi

    It is differentiable to every order, also where levels meet. `w = 0` with `eta = (2n + 1) pi / beta` is Matsubara's.

    Args:
        state: as for `fermion_lines`; of quadratic fermions the temperature has no part in it.
        a: an annihilator, or amplitudes of one, as there.
        b: another, whose adjoint is taken.
        frequency: `w`, an energy; many by `jax.vmap`.
        eta: half the width of every line, an energy, positive.

    Raises:
        ValueError: if `eta` is not positive (NaN under a trace), a shape does not fit, or the state is another.

    Reference: Kadanoff & Baym, Quantum Statistical Mechanics (1962).
    """
    gaussian = _gaussian(state)
    if gaussian is None:
        of = thermal(state)
        a, b = (operator_matrix(name, x, of.hamiltonian.dim) for name, x in (("a", a), ("b", b)))
        return _green(of, a, dagger(b), *_at(frequency, eta, of.s.dtype))
    a, b = (_amplitudes(name, x, gaussian) for name, x in (("a", a), ("b", b)))
    block = gaussian.one_block()
    return _free_green(block, a, b, *_at(frequency, eta, block.eigenvalues.dtype))


def _at(frequency, eta, real):
    return real_scalar("frequency", frequency, real), width(eta, real)


def _of_weights(state, annihilator, of_levels, of_modes) -> SpectralLines:
    gaussian = _gaussian(state)
    if gaussian is None:
        of = thermal(state)
        c = operator_matrix("annihilator", annihilator, of.hamiltonian.dim)
        return lines_of(of, c, dagger(c), of_levels)
    amplitudes = _amplitudes("annihilator", annihilator, gaussian)
    return _free_lines(gaussian.one_block(), state.beta, amplitudes, of_modes)


# -- in Fock space: weights of the pair `i, j` ------------------------------------------------------------------------


def _sum(p, x):
    return p[:, None] + p


def _initial(p, x):
    return jnp.broadcast_to(p[:, None], (p.size, p.size))


def _final(p, x):
    return jnp.broadcast_to(p, (p.size, p.size))


def _green_by_levels(of: Thermal, a, b, w, eta):
    p, _, elements, gaps = elements_of(of, a, b)
    return jnp.sum((p[:, None] + p) * elements / (w + 1j * eta - gaps))


def _green_by_maps(of: Thermal, a, b, w, eta):
    (rho,) = family.gibbs_matrices(of.s, (of.hamiltonian,))
    anticommutator = matmul(rho, a) + matmul(a, rho)
    return -traced(resolvent(of.hamiltonian, anticommutator, w + 1j * eta), b)


_green = with_derivatives(_green_by_levels, _green_by_maps)


# -- of quadratic fermions: `Psi(t) = e^{-iMt} Psi` of the annihilators, with pairing of `(c, c^dagger)` ----------------


def _gaussian(state) -> GaussianSpectrum | None:
    """The modes of a state of quadratic fermions, if it is one."""
    spectrum = state.spectrum if isinstance(state, GibbsState) else None
    if isinstance(spectrum, FermionSpectrum):
        return gaussian_spectrum(as_quadratic(spectrum.operator, QuadraticFermions), Exact())
    if isinstance(spectrum, GaussianSpectrum) and isinstance(spectrum.operator, QuadraticFermions):
        return spectrum
    return None


def _amplitudes(name: str, amplitudes, gaussian: GaussianSpectrum) -> Inexact[Array, " components"]:
    amplitudes, sites = inexact(amplitudes), gaussian.operator.dim
    allowed = ((sites,), (2 * sites,)) if gaussian.operator.paired else ((sites,),)
    if amplitudes.shape not in allowed:
        raise ValueError(
            f"`{name}` must hold one amplitude for each annihilator of the quadratic Hamiltonian, shape {allowed[-1]}, but has "
            f"shape {amplitudes.shape}."
        )
    check_finite(name, amplitudes)
    return jnp.pad(amplitudes, (0, allowed[-1][0] - amplitudes.size))


@jax.jit
def _free_green(block: Decomposition, a, b, w, eta):
    dtype = jnp.result_type(block.matrix, a, b, 1j * eta)
    matrix, z = block.matrix.astype(dtype), w + 1j * eta
    vectors = jax.lax.stop_gradient(block.vectors).astype(dtype)
    fixed = jax.lax.stop_gradient(z - block.eigenvalues)
    solution = jax.lax.custom_linear_solve(
        lambda x: z * x - matmul(matrix, x),
        jnp.conj(b).astype(dtype),
        solve=lambda _, c: matmul(vectors, matmul(dagger(vectors), c) / fixed),
        transpose_solve=lambda _, c: matmul(jnp.conj(vectors), matmul(vectors.T, c) / fixed),
    )
    return jnp.sum(a * solution)


def _free_lines(block: Decomposition, beta, amplitudes, of_modes) -> SpectralLines:
    known = one_without_slope(block.matrix) * one_without_slope(beta)
    levels, vectors = jax.lax.stop_gradient((block.eigenvalues, block.vectors))
    dtype = jnp.result_type(vectors, amplitudes)
    size = jnp.abs(matmul(amplitudes.astype(dtype), vectors.astype(dtype))) ** 2
    part = of_modes(exponent(jax.lax.stop_gradient(beta), levels))
    known = known.astype(levels.dtype)
    return SpectralLines(levels * known, size * part * known)
