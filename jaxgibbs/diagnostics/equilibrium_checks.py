"""Does a master equation thermalise? Uniqueness of its stationary state, ergodicity, the Gibbs state, detailed balance."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from jaxgibbs._errors import is_concrete
from jaxgibbs.linalg import dagger, eigvalsh, matmul
from jaxgibbs.open_systems import AbstractGenerator
from jaxgibbs.open_systems.generator import check_generator

from .detailed_balance import BalanceReport, detailed_balance
from .modular import commutator, form_of, heisenberg
from .verdict import VERDICTS

LARGEST_DIMENSION = 32  # the singular values of a matrix of dim^2 rows are computed


class Thermalization(eqx.Module):
    """What `thermalization` found.

    Attributes:
        stationary_states: dimension of the space of stationary states; 1 where it is unique.
        commutant: dimension of what commutes with the Hamiltonian, the jump operators and their adjoints; 1 where only multiples
            of 1 do. The generator is then ergodic: one stationary state, of full rank, that every state approaches.
        distance: trace distance of the stationary state from the Gibbs state; NaN where it is not unique.
        gibbs_is_stationary: whether the Gibbs state is stationary, up to rounding.
        balance: the report of detailed balance with respect to the Gibbs state.
    """

    stationary_states: Int[Array, ""]
    commutant: Int[Array, ""]
    distance: Float[Array, ""]
    gibbs_is_stationary: Bool[Array, ""]
    balance: BalanceReport

    @property
    def is_ergodic(self) -> bool:
        """Whether only multiples of the identity commute with everything (Spohn 1977; Frigerio 1978)."""
        return int(self.commutant) == 1

    @property
    def thermalizes(self) -> bool:
        """Whether the Gibbs state is stationary and no other state is."""
        return int(self.stationary_states) == 1 and bool(self.gibbs_is_stationary)

    def explain(self) -> str:
        """The answers, in words."""
        count = int(self.stationary_states)
        unique = "a unique stationary state" if count == 1 else f"{count} independent stationary states"
        gibbs = "is" if bool(self.gibbs_is_stationary) else "is not"
        lines = [
            "Thermalizes." if self.thermalizes else "Does not thermalize.",
            f"  {unique}; the Gibbs state {gibbs} stationary ({float(self.balance.stationarity):.1e} of the norm of L)",
            f"  dimension of the commutant: {int(self.commutant)}{', ergodic' if self.is_ergodic else ''}",
        ]
        if count == 1:
            lines.append(f"  trace distance from the Gibbs state: {float(self.distance):.3e}")
        return "\n".join([*lines, f"  {VERDICTS[self.balance.verdict]}"])


def thermalization(
    generator: AbstractGenerator, beta: ArrayLike, *, hamiltonian=None, tolerance: float | None = None
) -> Thermalization:
    """Does a master equation lead to the Gibbs state at `beta`, from everywhere? Outside `jit`.

    A dimension counts what is below `1e3 eps` of the largest singular value: a rate smaller than that is not seen.

    Args:
        generator: in Lindblad form, of dimension up to 32.
        beta: inverse temperature, a real scalar.
        hamiltonian: of the Gibbs state; by default that of the generator.
        tolerance: of detailed balance, see `detailed_balance`.

    Raises:
        ValueError: if the dimension is above 32, values are traced, or as for `detailed_balance`.

    References: Spohn, Lett. Math. Phys. 2, 33 (1977); Frigerio, Commun. Math. Phys. 63, 269 (1978).
    """
    check_generator(generator)
    if generator.dim > LARGEST_DIMENSION:
        raise ValueError(
            f"`generator` must have a dimension up to {LARGEST_DIMENSION} for its stationary states to be counted, but has "
            f"{generator.dim}; use `detailed_balance` or `diagnostics.estimated_residual`."
        )
    form = form_of(generator)
    if not is_concrete(form, beta):
        raise ValueError("Dimensions need known values, but the generator or `beta` is traced.")
    balance = detailed_balance(generator, beta=beta, hamiltonian=hamiltonian, tolerance=tolerance)
    one = jnp.eye(generator.dim, dtype=generator.dtype)
    sandwich, dissipator, matrix = heisenberg(form, one, jnp.ones((), bool))
    kernel = _kernel(dissipator + commutator(matrix, one))
    commutant = _small(eigvalsh(_commutators(sandwich, matrix, one)), generator.dim)
    stationary = balance.stationarity <= jnp.maximum(balance.stationarity_floor, balance.judgement.tolerance)
    distance = jnp.full((), jnp.nan, matrix.real.dtype)
    if kernel == 1:
        own = balance.own if balance.own is not None else detailed_balance(generator).own
        assert own is not None
        gibbs = balance.measurement.reference.density_matrix()
        distance = jnp.sum(jnp.abs(eigvalsh(own.density_matrix - gibbs))) / 2
    return Thermalization(jnp.asarray(kernel), jnp.asarray(commutant), distance, stationary, balance)


def _kernel(matrix) -> int:
    """The number of singular values that are zero: eigenvalues of the Hermitian matrix `[[0, M], [M^dagger, 0]]` are `+-` them."""
    scale = jnp.max(jnp.abs(matrix))
    matrix = matrix / jnp.where(scale > 0, scale, 1)
    zero = jnp.zeros_like(matrix)
    values = eigvalsh(jnp.block([[zero, matrix], [dagger(matrix), zero]]))
    return _small(jnp.abs(values), round(matrix.shape[-1] ** 0.5)) // 2


def _small(values, dim: int) -> int:
    values = np.abs(np.asarray(values))
    return int(
        np.sum(values <= 1e3 * np.finfo(values.dtype).eps * dim * max(np.max(values), np.finfo(values.dtype).tiny))
    )


def _commutators(sandwich, hamiltonian, one):
    """`sum_k [A_k, .]^dagger [A_k, .]` over the jump operators, their adjoints and the Hamiltonian, each part of norm 1."""
    dim = one.shape[-1]
    identity = one.reshape(-1)
    gained, lost = (jnp.swapaxes((m @ identity).reshape(dim, dim), 0, 1) for m in (dagger(sandwich), sandwich))
    both = gained + lost
    jumps = jnp.kron(one, both) + jnp.kron(both.T, one) - 2 * (sandwich + dagger(sandwich))
    square = matmul(hamiltonian, hamiltonian)
    energy = jnp.kron(one, square) + jnp.kron(square.T, one) - 2 * jnp.kron(hamiltonian.T, hamiltonian)
    parts = []
    for part in (jumps, energy):
        size = jnp.max(jnp.abs(part))
        parts.append(part / jnp.where(size > 0, size, 1))
    return parts[0] + parts[1]
