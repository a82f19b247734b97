"""The objectives of fitting as plain functions of pytrees, for any optimiser: `optax` in a `lax.scan`, or your own."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs._errors import check_hermitian
from jaxgibbs.equilibrium import generalized_gibbs_state, log_partition
from jaxgibbs.linalg import matmul
from jaxgibbs.operators import as_operator


def dual(multipliers: ArrayLike, charges, targets: ArrayLike) -> Float[Array, ""]:
    """`log Z(lam) + lam.q`, the convex function whose minimum `fit_multipliers` finds; there it is the entropy.

    Its gradient in the multipliers is `q - <Q>`, its Hessian the Kubo-Mori covariance of the charges. With `q` the mean of
    measured charges it is the negative log-likelihood a sample of the exponential family.

    Args:
        multipliers: `lam_k`, shape `(charges,)`.
        charges: as for `fit_multipliers`.
        targets: `q_k`, shape `(charges,)`.
    """
    multipliers, targets = jnp.asarray(multipliers), jnp.asarray(targets)
    return generalized_gibbs_state(charges, multipliers).log_partition + jnp.dot(multipliers, targets)


def negative_log_likelihood(hamiltonian, state: Inexact[Array, "dim dim"]) -> Float[Array, ""]:
    """`-Tr(eta ln rho) = Tr(eta H) + ln Tr e^{-H}` of data `eta` under the model `rho = e^{-H} / Z`.

    Less the entropy of `eta` it is the relative entropy `D(eta || rho)`, so both have the same minimum. The derivative in
    a coupling `theta_k` is `Tr(eta T_k) - Tr(rho T_k)`: this trains a quantum Boltzmann machine.

    Args:
        hamiltonian: an operator or a Hermitian matrix; its leaves are what is trained.
        state: density matrix `eta` of the data.

    Reference:
        Amin et al. 2018, eq. 8; Kieferova & Wiebe 2017.
    """
    operator = as_operator(hamiltonian)
    check_hermitian("state", state)
    matrix, state = operator.to_dense(), jnp.asarray(state)
    if matrix.shape != state.shape:
        raise ValueError(f"`state` must have the shape of the Hamiltonian, {matrix.shape}, but has {state.shape}.")
    dtype = jnp.result_type(matrix, state)
    return jnp.trace(matmul(state.astype(dtype), matrix.astype(dtype))).real + log_partition(operator, 1.0)
