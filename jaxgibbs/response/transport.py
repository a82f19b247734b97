"""Transport near equilibrium: by driving a system a little, and by watching it fluctuate."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import check_finite, is_concrete
from jaxgibbs.equilibrium import GibbsState
from jaxgibbs.equilibrium.exact import observable_matrix
from jaxgibbs.linalg import exponential_family as family
from jaxgibbs.linalg import matmul
from jaxgibbs.open_systems import AbstractGenerator, Lindbladian
from jaxgibbs.operators.base import inexact

from ._resolvent import checked_generator, one_sided, steady, without_mean
from ._thermal import Thermal, thermal

_ROUNDING = 1e3  # times eps: how far from stationary rounding takes a state, relative to the generator


def onsager_matrix(
    currents: Callable[[Float[Array, " forces"]], Float[Array, " forces"]], forces: int, dtype: Any = None
) -> Float[Array, "forces forces"]:
    """`L_ij = dJ_i / dX_j` at `X = 0`, by differentiating the stationary currents.

    For currents and forces whose products add up to the entropy production, `sum_i J_i X_i`, it is symmetric where time reversal
    holds, and positive semidefinite. Forces of particles and heat from one reservoir: `d mu / T` and `dT / T^2`.

    Args:
        currents: of the forces, a pure function that starts from equilibrium at `X = 0`: it may solve for a steady state
            (`steady_state`, `dynamics.heat_currents`) or call `landauer`.
        forces: how many.
        dtype: of the forces; the default of JAX if not given.

    Raises:
        ValueError: if there are not as many currents as forces.

    Example:
        >>> import jax.numpy as jnp
        >>> import jaxgibbs as jg
        >>> print(jg.response.onsager_matrix(lambda x: jnp.array([2 * x[0] + x[1], x[0] + jnp.sin(x[1])]), 2))
        [[2. 1.]
         [1. 1.]]

    Reference: Onsager, Phys. Rev. 37, 405 (1931).
    """
    rest = jnp.zeros(forces, jnp.result_type(float) if dtype is None else dtype)
    matrix = jax.jacfwd(currents)(rest)
    if jnp.shape(matrix) != (forces, forces):
        raise ValueError(
            f"`currents` must return one current for each of the {forces} forces, but the derivatives have shape "
            f"{jnp.shape(matrix)}."
        )
    return matrix


def green_kubo(generator: AbstractGenerator, state: GibbsState, a: Any, b: Any) -> Float[Array, ""]:
    """`L_AB = int_0^inf dt int_0^beta dl <A(-il) B(t)>`, less the means: a transport coefficient from equilibrium fluctuations.

        L_AB = -beta Tr[B L^D(K(A) - <A> rho)],      K(A) = int_0^1 rho^(1-s) A rho^s ds

    with Drazin's inverse of the generator, whose baths make the integral converge; of a closed system it does not, and
    `dynamic_susceptibility` with its `eta` is the way.

    Args:
        generator: of a dimension up to 32, with `state` as its one steady state.
        state: the Gibbs state, of a Hamiltonian of one matrix.
        a: `A`, an operator or a Hermitian matrix.
        b: `B`, likewise.

    Raises:
        ValueError: if `state` is not stationary (not noticed under a trace), or a dimension does not fit.

    Reference: Green, J. Chem. Phys. 22, 398 (1954); Kubo, J. Phys. Soc. Jpn. 12, 570 (1957).
    """
    checked_generator(generator)
    of = thermal(state)
    if of.hamiltonian.dim != generator.dim:
        raise ValueError(
            f"`state` must have the dimension {generator.dim} of the generator, but has dimension {of.hamiltonian.dim}."
        )
    a, b = (observable_matrix(x, generator.dim).astype(generator.dtype) for x in (a, b))
    value, moved = _green_kubo(generator, of, a, b)
    if is_concrete(moved) and float(moved) > _ROUNDING * np.finfo(moved.dtype).eps:
        raise ValueError(
            f"`state` must be the steady state of the generator, but moves at {float(moved):.2g} of its rate; "
            "`davies` makes generators that lead to a Gibbs state."
        )
    return value


@eqx.filter_jit
def _green_kubo(generator, of: Thermal, a, b):
    (rho,) = (x.astype(generator.dtype) for x in family.gibbs_matrices(of.s, (of.hamiltonian,)))
    mapped = family.kubo_mori_map(of.s, of.hamiltonian, a).astype(generator.dtype)
    decayed = one_sided(generator, without_mean(mapped, rho), jnp.zeros((), rho.real.dtype))
    apply = generator.linear_map()
    size = jnp.linalg.norm(generator.effective_hamiltonian()) + jnp.finfo(rho.real.dtype).tiny
    return -of.s * jnp.sum(b * decayed.T).real, jnp.linalg.norm(apply(rho)) / size


def noise_matrix(generator: Lindbladian, quanta: ArrayLike) -> Float[Array, "currents currents"]:
    """Noise at frequency zero of counted currents, `lim <<Q_a Q_b>> / t` in the steady state.

        C_ab = sum_k q_ak q_bk r_k <L_k^dagger L_k> - Tr[J_a L^D J_b rho] - Tr[J_b L^D J_a rho]

    with `J_a(X) = sum_k q_ak r_k L_k X L_k^dagger` and Drazin's inverse `L^D`. In equilibrium half of it is the Onsager matrix of
    these currents (Johnson 1928, Nyquist 1928). `dynamics.cumulants` has those of one current, of every order.

    Args:
        generator: of a dimension up to 32, with one steady state.
        quanta: `q_ak`, what jump `k` adds to the charge `a`, shape `(currents, jumps)`.

    Raises:
        ValueError: if `quanta` do not have one column for each jump operator.

    Reference: Flindt, Novotny & Jauho, Phys. Rev. B 70, 205334 (2004).
    """
    checked_generator(generator)
    count = len(generator.bath_of_jump) if isinstance(generator, Lindbladian) else None
    quanta = inexact(quanta)
    if quanta.ndim != 2 or quanta.shape[1] != count:
        raise ValueError(
            f"`quanta` must have one column for each jump operator of a `Lindbladian`, {count}, but has shape {quanta.shape}."
        )
    check_finite("quanta", quanta)
    return _noise(generator, steady(generator), quanta.astype(jnp.finfo(generator.dtype).dtype))


@eqx.filter_jit
def _noise(generator, rho, quanta):
    jumps, rates = generator.jump_operators, generator.rates
    images = jax.vmap(lambda jump: matmul(matmul(jump, rho), jnp.conj(jump.T)))(jumps)
    flows = rates * jnp.trace(images, axis1=1, axis2=2).real
    decays = jax.vmap(lambda jump: matmul(jnp.conj(jump.T), jump))(jumps)
    zero = jnp.zeros((), rho.real.dtype)

    def after(q):  # what is left, in the long run, of the jumps that count as q
        kicked = jnp.einsum("k,kij->ij", q * rates, images)
        return one_sided(generator, without_mean(kicked, rho), zero)

    later = jnp.stack([after(q) for q in quanta])
    counted = jnp.einsum("ak,k,kij,bji->ab", quanta, rates, decays, later, precision="highest").real
    return jnp.einsum("ak,k,bk->ab", quanta, flows, quanta, precision="highest") + counted + counted.T
