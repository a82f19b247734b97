"""The generator of Lindblad as users write it: a Hamiltonian, jump operators and rates."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxgibbs._errors import check_finite, is_concrete, nan_unless
from jaxgibbs.operators import AbstractOperator, as_operator
from jaxgibbs.operators.base import inexact

from .generator import AbstractGenerator
from .jumps import MatrixJumps, PermutationJumps, Taken, group_jumps, sum_of_maps


class Lindbladian(AbstractGenerator):
    """`L(rho) = -i [H, rho] + sum_k r_k (L_k rho L_k^dagger - {L_k^dagger L_k, rho} / 2)`.

    Its leaves are the couplings of the Hamiltonian, the elements of the jump operators and the rates, which enter linearly:
    derivatives are exact at rate 0 and at zero temperature. A rate absorbed into its jump operator is a rate 1.

    Args:
        hamiltonian: an operator or a Hermitian matrix of shape `(dim, dim)`, in units of frequency (hbar = 1).
        jump_operators: matrices of shape `(dim, dim)`, arrays or scipy.sparse, or operators; none are needed (a closed system).
        rates: one a jump operator, not negative, shape `(count,)`; all 1 if not given.
        baths: a label for each jump operator, say which bath drives it, to keep their currents apart; all `0` if not given.

    Raises:
        ValueError: if a jump operator has another shape than the Hamiltonian or is not finite, if there are not as many rates or
            labels as jump operators, or a rate is negative (NaN under a trace).

    Example:
        >>> import jaxgibbs as jg
        >>> decay = jg.Lindbladian([[1.0, 0.0], [0.0, -1.0]], [[[0.0, 0.0], [1.0, 0.0]]], rates=[0.5])
        >>> print(decay([[1.0, 0.0], [0.0, 0.0]]).real)
        [[-0.5  0. ]
         [ 0.   0.5]]
    """

    hamiltonian: AbstractOperator
    jumps: tuple[MatrixJumps | PermutationJumps, ...]
    rates: Float[Array, " count"]
    bath_of_jump: tuple[Hashable, ...] = eqx.field(static=True)

    def __init__(
        self,
        hamiltonian: Any,
        jump_operators: Sequence[Any],
        rates: ArrayLike | None = None,
        baths: Sequence[Hashable] | None = None,
    ):
        self.hamiltonian = as_operator(hamiltonian)
        matrices = [_checked_jump(k, jump, self.hamiltonian.dim) for k, jump in enumerate(jump_operators)]
        self.jumps = group_jumps(matrices)
        real = jnp.finfo(jnp.result_type(self.hamiltonian.dtype, *matrices)).dtype
        self.rates = _checked_rates(jnp.ones(len(matrices), real) if rates is None else rates, len(matrices), real)
        self.bath_of_jump = (0,) * len(matrices) if baths is None else tuple(baths)
        if len(self.bath_of_jump) != len(matrices):
            raise ValueError(
                f"`baths` must have one label for each of the {len(matrices)} jump operators, but has {len(self.bath_of_jump)}."
            )

    @property
    def dim(self) -> int:
        return self.hamiltonian.dim

    @property
    def dtype(self) -> np.dtype:
        leaves = [group.to_dense() for group in self.jumps if isinstance(group, MatrixJumps)]
        leaves += [group.elements for group in self.jumps if isinstance(group, PermutationJumps)]
        return jnp.result_type(self.hamiltonian.dtype, self.rates, *leaves, jnp.complex64)

    @property
    def baths(self) -> tuple[Hashable, ...]:
        return tuple(dict.fromkeys(self.bath_of_jump))

    @property
    def jump_operators(self) -> Complex[Array, "count dim dim"]:
        """The jump operators as they were given, stacked."""
        stack = jnp.zeros((len(self.bath_of_jump), self.dim, self.dim), self.dtype)
        for group in self.jumps:
            stack = stack.at[np.asarray(group.members)].set(group.to_dense().astype(self.dtype))
        return stack

    def hamiltonian_matrix(self):
        return self.hamiltonian.to_dense().astype(self.dtype)

    def jump_map(self, bath=None):
        return sum_of_maps(self.sandwiches(bath))

    def sandwiches(self, bath: Hashable | None = None) -> list[Taken | Callable]:
        """The parts of `jump_map`, one for each group of jump operators."""
        return [group.sandwich(rates) for group, rates in self._of_bath(bath)]

    @property
    def has_real_jumps(self) -> bool:
        """Whether all jump operators are real by their type."""
        return not any(jnp.iscomplexobj(leaf) for leaf in jax.tree_util.tree_leaves(self.jumps))

    def adjoint_jump_map(self, bath=None):
        return sum_of_maps([group.adjoint_sandwich(rates) for group, rates in self._of_bath(bath)])

    def decay_matrix(self, bath=None):
        total = jnp.zeros((self.dim, self.dim), self.dtype)
        return sum((group.decay(rates) for group, rates in self._of_bath(bath)), total)

    def transition_rates(self, basis=None):
        vectors = jnp.eye(self.dim, dtype=self.dtype) if basis is None else jnp.asarray(basis, self.dtype)
        elements = jnp.einsum("ia,kij,jb->kab", jnp.conj(vectors), self.jump_operators, vectors, precision="highest")
        rates = jnp.einsum("k,kab->ab", self.rates, (elements * jnp.conj(elements)).real)
        between = rates * (1 - jnp.eye(self.dim, dtype=rates.dtype))
        return between - jnp.diag(jnp.sum(between, axis=0))

    def _of_bath(self, bath):
        """Each group of jumps with its rates, those of other baths zero."""
        self.check_bath(bath)
        chosen = np.array([bath is None or label == bath for label in self.bath_of_jump])
        for group in self.jumps:
            members = np.asarray(group.members)
            if chosen[members].any():
                yield group, self.rates[members] * chosen[members].astype(self.rates.dtype)


def _checked_jump(number: int, jump, dim: int):
    """As an array, of NumPy where it has values now: its pattern is then read off it, also under a trace of other things."""
    if isinstance(jump, AbstractOperator):
        matrix = jump.to_dense()
        jump = np.asarray(matrix) if is_concrete(matrix) else matrix
    elif hasattr(jump, "toarray"):
        jump = jump.toarray()
    if not isinstance(jump, jax.Array):
        jump = _as_numbers(number, jump)
        jump = jump if np.issubdtype(jump.dtype, np.inexact) else jump.astype(jnp.result_type(float))
    if jump.shape != (dim, dim):
        raise ValueError(
            f"Jump operator {number} must have the shape {(dim, dim)} of the Hamiltonian, but has shape {jump.shape}; "
            "embed an operator of one part of a system by Kronecker products with identities."
        )
    check_finite(f"jump_operators[{number}]", jump)
    return jump if isinstance(jump, np.ndarray) else inexact(jump)


def _as_numbers(number: int, jump) -> np.ndarray:
    try:
        array = np.asarray(jump)
        return array if np.issubdtype(array.dtype, np.number) else array.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Jump operator {number} must be a matrix of numbers or an operator of `jaxgibbs.operators`, but is a "
            f"`{type(jump).__name__}`; for one of QuTiP use `jaxgibbs.interop.from_qutip`."
        ) from error


def _checked_rates(rates, count: int, real) -> Array:
    listed = isinstance(rates, list | tuple) and len(rates) > 0
    rates = inexact(jnp.stack([jnp.asarray(rate) for rate in rates]) if listed else jnp.asarray(rates))
    if rates.shape != (count,) or jnp.issubdtype(rates.dtype, jnp.complexfloating):
        raise ValueError(
            f"`rates` must be {count} real numbers, one for each jump operator, but have shape {rates.shape} and "
            f"dtype {rates.dtype}."
        )
    check_finite("rates", rates)
    if is_concrete(rates) and np.any(np.asarray(rates) < 0):
        raise ValueError(
            f"`rates` must not be negative, but the lowest is {np.min(rates):.3g}; no Markovian process has negative rates."
        )
    return nan_unless(rates >= 0, rates.astype(jnp.result_type(rates, real)))
