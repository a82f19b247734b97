"""What a generator of open dynamics is: a no-jump part, a completely positive part, and their adjoints."""

import abc
from collections.abc import Callable, Hashable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxgibbs._errors import check_room
from jaxgibbs.linalg import dagger, matmul, superoperator

Matrix = Complex[Array, "dim dim"]


class AbstractGenerator(eqx.Module):
    """A generator of Gorini, Kossakowski, Sudarshan and Lindblad, in the Schroedinger picture.

        d rho / dt = L(rho) = -i [H, rho] + J(rho) - {J^+(1), rho} / 2,      J(rho) = sum_k r_k L_k rho L_k^dagger

    `H` is everything that acts as a Hamiltonian, Lamb shifts included. With the effective Hamiltonian
    `H_eff = H - (i / 2) J^+(1)` this is `L(rho) = -i H_eff rho + i rho H_eff^dagger + J(rho)`. `L^+` and `J^+` are the adjoints
    in `<A, B> = Tr(A^dagger B)`: the Heisenberg picture. Rates enter linearly: no square root of one is ever taken.

    What a new kind of generator has to say: its dimension, `hamiltonian_matrix`, the maps `J` and `J^+` of each bath, and `J^+(1)`.
    References: Gorini, Kossakowski & Sudarshan, J. Math. Phys. 17, 821 (1976); Lindblad, Commun. Math. Phys. 48, 119 (1976).
    """

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """Dimension of the Hilbert space."""

    @property
    @abc.abstractmethod
    def dtype(self) -> np.dtype:
        """Complex dtype of states and of the answers."""

    @property
    @abc.abstractmethod
    def baths(self) -> tuple[Hashable, ...]:
        """Labels of the baths, each once, in order of first appearance."""

    @abc.abstractmethod
    def hamiltonian_matrix(self) -> Matrix:
        """`H`, the generator of the unitary part, with Lamb shifts."""

    def system_hamiltonian(self) -> Matrix:
        """What counts as energy: `H` without what the baths add to it, Lamb shifts and coherent terms."""
        return self.hamiltonian_matrix()

    @abc.abstractmethod
    def jump_map(self, bath: Hashable | None = None) -> Callable[[Matrix], Matrix]:
        """`J`, prepared for many calls; of one bath alone where `bath` is its label."""

    @abc.abstractmethod
    def adjoint_jump_map(self, bath: Hashable | None = None) -> Callable[[Matrix], Matrix]:
        """`J^+`, as `jump_map`."""

    @abc.abstractmethod
    def decay_matrix(self, bath: Hashable | None = None) -> Matrix:
        """`J^+(1) = sum_k r_k L_k^dagger L_k`: what the no-jump evolution loses."""

    def prepared(self) -> "AbstractGenerator":
        """The same `L`, with what takes long to compute or to compile, such as rates of baths, as arrays."""
        return self

    def effective_hamiltonian(self) -> Matrix:
        """`H_eff = H - (i / 2) J^+(1)`, not Hermitian: its eigenvalues are energies minus half widths times i."""
        return self.hamiltonian_matrix() - 0.5j * self.decay_matrix()

    def drift(self) -> Matrix:
        """`K = -i H_eff`, from the mean energy, so that a distant zero of energy, which `L` does not see, costs no digits."""
        effective = self.effective_hamiltonian()
        mean = jnp.trace(effective).real / self.dim
        return -1j * (effective - mean * jnp.eye(self.dim, dtype=effective.dtype))

    def linear_map(self) -> Callable[[Matrix], Matrix]:
        """`L` as a function of any matrix, with what does not depend on it prepared."""
        drift, jump = self.drift(), self.jump_map()
        adjoint_drift = dagger(drift)
        return lambda x: matmul(drift, x) + matmul(x, adjoint_drift) + jump(x)

    def hermitian_map(self) -> Callable[[Matrix], Matrix]:
        """`L` as a function of Hermitian matrices, `Y + Y^dagger`: one product for the two of `linear_map`.

        The answer is Hermitian to the last digit. An anti-Hermitian part left to rounding would grow under repeated use.
        """
        drift, jump = self.drift(), self.jump_map()

        def apply(x):
            half = matmul(drift, x) + jump(x) / 2
            return half + dagger(half)

        return apply

    def adjoint_map(self) -> Callable[[Matrix], Matrix]:
        """`L^+`, the Heisenberg generator, as a function of any matrix."""
        drift, jump = self.drift(), self.adjoint_jump_map()
        adjoint_drift = dagger(drift)
        return lambda x: matmul(adjoint_drift, x) + matmul(x, drift) + jump(x)

    def __call__(self, rho) -> Matrix:
        """`L(rho) = d rho / dt`, of shape `(dim, dim)`."""
        return self.linear_map()(self._matrix("rho", rho))

    def adjoint(self, observable) -> Matrix:
        """`L^+(X) = dX / dt` of an observable in the Heisenberg picture; `Tr(X L(rho)) = Tr(L^+(X) rho)`."""
        return self.adjoint_map()(self._matrix("observable", observable))

    def dissipator(self, rho, bath: Hashable | None = None) -> Matrix:
        """`D(rho) = J(rho) - {J^+(1), rho} / 2`: all of `L` but the commutator; of one bath where `bath` is its label.

        Raises:
            ValueError: if no bath has this label, or `rho` is not of shape `(dim, dim)`.
        """
        rho, decay = self._matrix("rho", rho), self.decay_matrix(bath)
        return self.jump_map(bath)(rho) - (matmul(decay, rho) + matmul(rho, decay)) / 2

    def to_dense(self) -> Complex[Array, "dim_squared dim_squared"]:
        """The matrix of `L` on stacked columns, `vec(L(rho)) = M vec(rho)`; it has `dim^4` complex elements.

        Raises:
            ValueError: if twice as many do not fit into the device.
        """
        check_room(
            f"The matrix of a generator of dimension {self.dim} must have room for 2 dim^4 numbers",
            2 * self.dim**4,
            self.dtype,
            "use `linear_map`, which needs no matrix, or methods without one such as `Krylov()` and `Taylor()`",
        )
        return superoperator(self.linear_map(), self.dim, self.dtype)

    def transition_rates(self, basis: Complex[Array, "dim dim"] | None = None) -> Float[Array, "dim dim"]:
        """The classical rates `W_ij = <i|J(|j><j|)|i>` from state `j` to state `i`, with columns that sum to zero.

        Args:
            basis: the states as columns of a unitary matrix; the basis in which the generator is written if `None`.
        """
        jump, units = self.jump_map(), jnp.eye(self.dim, dtype=self.dtype)
        states = units if basis is None else jnp.asarray(basis, self.dtype)

        def arrivals(state):
            image = jump(state[:, None] * jnp.conj(state))
            return jnp.sum(jnp.conj(states) * matmul(image, states), axis=0).real

        rates = jax.vmap(arrivals, in_axes=1, out_axes=1)(states)
        between = rates * (1 - jnp.eye(self.dim, dtype=rates.dtype))
        return between - jnp.diag(jnp.sum(between, axis=0))

    def __add__(self, other: "AbstractGenerator") -> "AbstractGenerator":
        if not isinstance(other, AbstractGenerator):
            return NotImplemented
        from .sums import GeneratorSum  # which is an `AbstractGenerator` itself

        return GeneratorSum((self, other))

    def check_bath(self, bath: Hashable | None) -> None:
        """Raise `ValueError` unless `bath` is `None` or the label of one of `baths`."""
        check_label(bath, self.baths)

    def _matrix(self, name: str, matrix) -> Matrix:
        matrix = jnp.asarray(matrix)
        if matrix.shape != (self.dim, self.dim):
            raise ValueError(
                f"`{name}` must have shape {(self.dim, self.dim)} like the Hamiltonian, but has shape {matrix.shape}; "
                "map over a batch with `jax.vmap`."
            )
        return matrix.astype(jnp.result_type(matrix.dtype, self.dtype))


def check_generator(generator) -> None:
    """Raise `ValueError` unless `generator` is one."""
    if not isinstance(generator, AbstractGenerator):
        raise ValueError(f"`generator` must be a generator such as `Lindbladian`, but is `{type(generator).__name__}`.")


def check_label(bath: Hashable | None, baths: tuple[Hashable, ...]) -> None:
    """Raise `ValueError` unless `bath` is `None` or one of `baths`."""
    if bath is not None and bath not in baths:
        raise ValueError(f"`bath` must be one of {baths}, but is {bath!r}.")
