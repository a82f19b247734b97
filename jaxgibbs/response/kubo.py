"""Linear response of a Gibbs state to `H - f B`: at a frequency, and the three answers at frequency zero."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Complex, Inexact

from jaxgibbs.equilibrium import GibbsState
from jaxgibbs.linalg import Decomposition, dagger, matmul
from jaxgibbs.linalg import exponential_family as family
from jaxgibbs.operators.base import real_scalar

from ._thermal import Thermal, operator_matrix, thermal, width
from .lines import population_differences


def dynamic_susceptibility(
    state: GibbsState, a: Any, b: Any, frequency: ArrayLike, eta: ArrayLike
) -> Complex[Array, ""]:
    """The response of `<A>` to `H - f e^{-iwt} B`, switched on as `e^{eta t}`.

        chi_AB(w) = i int_0^inf e^{iwt - eta t} <[A(t), B]> dt = sum_ij (p_i - p_j) A_ij B_ji / (E_j - E_i - w - i eta)

    It is differentiable to every order, also where levels meet. `w = 0` with `eta = 2 pi n / beta` is the response at a Matsubara
    frequency. Many frequencies: `jax.vmap`; each costs `dim^2`.

    Args:
        state: of a Hamiltonian of one matrix, shape `(dim, dim)`.
        a: `A`, an operator or any matrix of that shape, Hermitian or not.
        b: `B`, likewise.
        frequency: `w`, an energy.
        eta: the rate, an energy, positive: half the width of every line.

    Raises:
        ValueError: if `eta` is not positive (NaN under a trace), or a shape is wrong.

    Reference: Kubo, J. Phys. Soc. Jpn. 12, 570 (1957), Eq. 2.22.
    """
    of = thermal(state)
    return _susceptibility(of, *prepared(of, a, b, frequency, eta))


def spectral_function(state: GibbsState, a: Any, b: Any, frequency: ArrayLike, eta: ArrayLike) -> Complex[Array, ""]:
    """`S_AB(w) = int e^{iwt - eta |t|} <A(t) B> dt`: the lines of `spectral_lines` as Lorentzians, with derivatives.

    Arguments, derivatives and errors as for `dynamic_susceptibility`.
    """
    of = thermal(state)
    return _spectrum(of, *prepared(of, a, b, frequency, eta))


def prepared(of: Thermal, a, b, frequency, eta):
    """The checked arguments of a response function."""
    dim, real = of.hamiltonian.dim, of.s.dtype
    matrices = operator_matrix("a", a, dim), operator_matrix("b", b, dim)
    return *matrices, real_scalar("frequency", frequency, real), width(eta, real)


def elements_of(of: Thermal, a, b):
    """`p`, its exponents, `A_ij B_ji` and `E_j - E_i`."""
    levels, x = jax.lax.stop_gradient(of.hamiltonian.eigenvalues), of.exponent
    return jnp.exp(x) / jnp.sum(jnp.exp(x)), x, of.inside(a) * of.inside(b).T, levels[None, :] - levels[:, None]


def _response_by_levels(of: Thermal, a, b, w, eta):
    p, x, elements, gaps = elements_of(of, a, b)
    return jnp.sum(population_differences(p, x) * elements / (gaps - w - 1j * eta))


def _response_by_maps(of: Thermal, a, b, w, eta):
    (rho,) = family.gibbs_matrices(of.s, (of.hamiltonian,))
    commutator = matmul(rho, a) - matmul(a, rho)
    return traced(resolvent(of.hamiltonian, commutator, w + 1j * eta), b)


def _spectrum_by_levels(of: Thermal, a, b, w, eta):
    p, _, elements, gaps = elements_of(of, a, b)
    return jnp.sum(p[:, None] * elements / (((gaps - w) / eta) ** 2 + 1)) * (2 / eta) + 0j


def _spectrum_by_maps(of: Thermal, a, b, w, eta):
    (rho,) = family.gibbs_matrices(of.s, (of.hamiltonian,))
    above, below = (resolvent(of.hamiltonian, matmul(rho, a), w + 1j * sign * eta) for sign in (1, -1))
    return -1j * traced(above - below, b)


def traced(x, b):
    """`Tr(X B)`."""
    return jnp.sum(x * b.T)


def resolvent(
    hamiltonian: Decomposition, matrix: Inexact[Array, "dim dim"], z: Complex[Array, ""]
) -> Complex[Array, "dim dim"]:
    """The `X` with `X H - H X - z X = C`: `X_ij = C_ij / (E_j - E_i - z)`, for a `z` that is not real.

    A linear solve, so that its derivatives in `H`, `C` and `z` are those of the equation, of every order, where levels meet too.
    """
    dtype = jnp.result_type(hamiltonian.matrix, matrix, z)
    h, matrix = hamiltonian.matrix.astype(dtype), matrix.astype(dtype)
    levels, vectors = hamiltonian.eigenvalues, hamiltonian.vectors.astype(dtype)
    fixed = jax.lax.stop_gradient(levels[None, :] - levels[:, None] - z)

    def inverse(c, denominator):
        inner = matmul(matmul(dagger(vectors), c), vectors)
        return matmul(matmul(vectors, inner / denominator), dagger(vectors))

    return jax.lax.custom_linear_solve(
        lambda x: matmul(x, h) - matmul(h, x) - z * x,
        matrix,
        solve=lambda _, c: inverse(c, fixed),
        transpose_solve=lambda _, c: inverse(c.T, fixed.T).T,
    )


def with_derivatives(by_levels, by_maps):
    """Values as sums over pairs of levels, derivatives as those of products of matrices."""

    @jax.custom_jvp
    def function(of: Thermal, a, b, w, eta):
        return by_levels(of, a, b, w, eta)

    @function.defjvp
    def rule(primals, tangents):
        of, d_of = primals[0], tangents[0]

        def slow(s, matrix, *rest):
            dtype = jnp.result_type(matrix, *rest[:2])
            rest = (rest[0].astype(dtype), rest[1].astype(dtype), *rest[2:])
            return by_maps(Thermal(s, of.hamiltonian).with_matrix(matrix), *rest)

        inputs, moves = (of.s, of.hamiltonian.matrix), (d_of.s, d_of.hamiltonian.matrix)
        _, tangent = jax.jvp(slow, (*inputs, *primals[1:]), (*moves, *tangents[1:]))
        return function(*primals), tangent

    return jax.jit(function)


_susceptibility = with_derivatives(_response_by_levels, _response_by_maps)
_spectrum = with_derivatives(_spectrum_by_levels, _spectrum_by_maps)
