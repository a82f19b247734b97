"""Correlations in time of a Gibbs state: values from one decomposition, derivatives from chains of it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex

from jaxgibbs._errors import check_finite, is_concrete, nan_unless
from jaxgibbs.equilibrium import GibbsState
from jaxgibbs.linalg import Exponential, dagger, matmul
from jaxgibbs.linalg import exponential_family as family
from jaxgibbs.linalg.chains import chain
from jaxgibbs.linalg.functions import PHASE
from jaxgibbs.operators.base import inexact

from ._thermal import Thermal, operator_matrix, thermal

_EXP = Exponential()


def time_correlation(state: GibbsState, a: Any, b: Any, time: ArrayLike) -> Complex[Array, ""]:
    """`<A(t) B> = Tr(rho e^{iHt} A e^{-iHt} B)` in a Gibbs state, at a real or a complex time.

        sum_ij e^{-(beta - tau) E_i - tau E_j} e^{i (E_i - E_j) t} A_ij B_ji / Z        at the time t - i tau

    It is analytic in the strip `0 <= tau <= beta`, on whose far side `<A(t - i beta) B> = <B A(t)>`. The Gibbs weight and the
    imaginary time are one exponent each way, so that nothing overflows. Many times: `jax.vmap`; each costs `dim^2`.

    Args:
        state: of a Hamiltonian of one matrix, shape `(dim, dim)`.
        a: `A`, an operator or any matrix of that shape, Hermitian or not.
        b: `B`, likewise.
        time: `t - i tau`, in units of 1 / energy.

    Raises:
        ValueError: if `time` is no scalar or outside the strip (NaN under a trace), or a shape is wrong.

    Example:
        >>> import jaxgibbs as jg
        >>> spin = jg.gibbs_state([[0.5, 0.0], [0.0, -0.5]], beta=1.0)
        >>> lower, lift = [[0.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]
        >>> print(f"{jg.response.time_correlation(spin, lower, lift, -1j).real:.4f} {spin.populations[1]:.4f}")
        0.2689 0.2689

    Reference: Kubo, J. Phys. Soc. Jpn. 12, 570 (1957); Martin & Schwinger, Phys. Rev. 115, 1342 (1959).
    """
    of = thermal(state)
    a, b = operator_matrix("a", a, of.hamiltonian.dim), operator_matrix("b", b, of.hamiltonian.dim)
    time = inexact(time)
    if time.ndim != 0:
        raise ValueError(f"`time` must be a scalar, but has shape {time.shape}; map over many with `jax.vmap`.")
    check_finite("time", time)
    real = of.s.dtype
    tau = -time.imag.astype(real) if jnp.iscomplexobj(time) else jnp.zeros((), real)
    depth = tau * jnp.where(of.s <= 0, 1, -1)
    allowed = (depth >= 0) & (depth <= jnp.abs(of.s) * (1 + 4 * jnp.finfo(real).eps))
    if is_concrete(allowed) and not np.asarray(allowed):
        raise ValueError(
            f"`time` must lie in the strip between 0 and -i beta, but is {complex(time):.6g} for beta = {-float(of.s):.6g}; "
            "beyond it the sum over levels has no limit for large systems."
        )
    return nan_unless(allowed, _evaluate(of, a, b, time.real.astype(real), tau))


@jax.custom_jvp
def _correlation(of: Thermal, a, b, t, tau):
    elements = of.inside(a) * of.inside(b).T
    h, x = of.distance, of.exponent
    left = jnp.exp(_left_exponent(of, tau)) * jnp.exp(1j * t * h)
    right = jnp.exp(-tau * h) * jnp.exp(-1j * t * h)
    dtype = jnp.result_type(left, elements)
    return jnp.sum(left * matmul(elements.astype(dtype), right.astype(dtype))) / jnp.sum(jnp.exp(x))


def _left_exponent(of: Thermal, tau):
    """`-(beta - tau) h`; where `beta` is infinite that of the projector on the extreme level."""
    infinite = jnp.isinf(of.s)
    rest = jnp.where(infinite, 0, -of.s) - tau
    return jnp.where(infinite, of.exponent, -rest * of.distance)


@_correlation.defjvp
def _correlation_jvp(primals, tangents):
    of, *others = primals
    d_of, *d_others = tangents

    def slow(s, matrix, a, b, t, tau):
        return _by_chains(Thermal(s, of.hamiltonian).with_matrix(matrix), a, b, t, tau)

    inputs, moves = (of.s, of.hamiltonian.matrix, *others), (d_of.s, d_of.hamiltonian.matrix, *d_others)
    _, tangent = jax.jvp(slow, inputs, moves)
    return _correlation(*primals), tangent


def _by_chains(of: Thermal, a, b, t, tau):
    """The same as a product of matrices, each with its derivatives in the Hamiltonian."""
    dtype = jnp.result_type(of.hamiltonian.matrix, a, b, jnp.complex64)
    h, vectors = of.distance, of.hamiltonian.vectors.astype(dtype)
    matrix = of.from_reference().astype(dtype)
    nodes, tau_now, t_now = jax.lax.stop_gradient((_left_exponent(of, tau), tau, t))
    left = chain(_EXP, (0,), (of.s + tau) * matrix, nodes, vectors)
    right = chain(_EXP, (0,), -tau * matrix, -tau_now * h, vectors)
    phase = chain(PHASE, (0,), t * matrix, t_now * h, vectors)
    moved = matmul(matmul(phase, a.astype(dtype)), dagger(phase))
    product = matmul(matmul(left, moved), matmul(right, b.astype(dtype)))
    return jnp.trace(product) / jnp.exp(family.log_shifted(of.s, (of.hamiltonian,)))


_evaluate = jax.jit(_correlation)
