"""States of given energy: the window of levels, and the Gaussian weight that is smooth in the energy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Inexact

from jaxgibbs._errors import check_finite, is_concrete, nan_unless
from jaxgibbs.equilibrium import gibbs_state
from jaxgibbs.linalg import Analytic, Decomposition, decompose, matmul, matrix_function
from jaxgibbs.operators import AbstractOperator, Dense, Spectrum, as_operator
from jaxgibbs.operators.base import inexact, real_scalar

from ._inputs import Scalar, finite_operator, positive_scalar


class MicrocanonicalState(eqx.Module):
    """A state of given energy, as `window_state` and `gaussian_state` make it.

    Args:
        energy: `U = Tr(rho H)`.
        entropy: `S = -Tr rho ln rho`, in nats.
        weights: the density matrix, shape `(dim, dim)`; of a `Spectrum` the probability of each level, its degeneracy
            included, shape `(levels,)`.
    """

    energy: Scalar
    entropy: Scalar
    weights: Inexact[Array, " levels"] | Inexact[Array, "dim dim"]

    def expectation(self, observable) -> Scalar:
        """`Tr(rho A)`.

        Args:
            observable: an operator or a Hermitian matrix; for a `Spectrum` one value a level, or another `Spectrum`.

        Raises:
            ValueError: if the observable does not fit the state.
        """
        if self.weights.ndim == 1:
            values = observable.levels if isinstance(observable, Spectrum) else observable
            if isinstance(values, AbstractOperator):
                found = f"a `{type(values).__name__}`"
            else:
                found = "" if np.shape(values) == self.weights.shape else f"an array of shape {np.shape(values)}"
            if isinstance(values, AbstractOperator) or found:
                raise ValueError(
                    "`observable` must give one value a level of the `Spectrum`, "
                    f"shape {self.weights.shape}, but is {found}."
                )
            values = inexact(values)
            check_finite("observable", values)
            return jnp.sum(self.weights * values)
        matrix = as_operator(observable).to_dense()
        if matrix.shape != self.weights.shape:
            raise ValueError(
                f"`observable` must have the shape {self.weights.shape} of the state, but has shape {matrix.shape}."
            )
        return _real_trace(self.weights, matrix)

    def density_matrix(self) -> Inexact[Array, "dim dim"]:
        """The matrix of the state; only a Hamiltonian that is a matrix has one.

        Raises:
            ValueError: for the state of a `Spectrum`, of which the `weights` are all there is.
        """
        if self.weights.ndim == 1:
            raise ValueError("`density_matrix` must be asked of a matrix, but this is a `Spectrum`; use `weights`.")
        return self.weights


def window_state(hamiltonian, energy: ArrayLike, width: ArrayLike) -> MicrocanonicalState:
    """The microcanonical state of a window, `rho = Pi / W`, `S = ln W`.

    `Pi` projects on the `W` levels in `[E - D/2, E + D/2]`. As functions of the Hamiltonian `W` is constant between
    jumps, so that `S` has no slope, and `dPi` mixes levels within with levels without: `Pi_ij = dH_ij / (E_i - E_j)`.
    A matrix is decomposed as a whole: about four matrices of `dim^2` numbers, of a dimension up to 2^14.

    Args:
        hamiltonian: an operator, a Hermitian matrix, or a `Spectrum` with degeneracies.
        energy: `E`, the middle of the window.
        width: `D > 0`, in units of energy.

    Raises:
        ValueError: if the width is not positive or no level lies within; the message lists the neighbouring levels.
            Under a trace the state is NaN instead.

    Example:
        >>> import jaxgibbs as jg
        >>> state = jg.ensembles.window_state([[0.0, 0.0], [0.0, 1.0]], energy=0.2, width=0.6)
        >>> print(float(state.energy), float(state.entropy))
        0.0 0.0
    """
    operator = finite_operator(hamiltonian)
    energy, width = (real_scalar(n, v, operator.dtype) for n, v in (("energy", energy), ("width", width)))
    if isinstance(operator, Spectrum):
        levels, logs, decomposition = operator.levels, operator.log_degeneracies, None
    else:
        decomposition = decompose(operator.to_dense())
        levels, logs = decomposition.eigenvalues, jnp.zeros_like(decomposition.eigenvalues)
    within = jax.lax.stop_gradient(jnp.abs(levels - energy) <= width / 2)
    valid = (width > 0) & jnp.any(within)
    if is_concrete(valid) and not valid:
        raise ValueError(_empty(levels, energy, width))
    entropy = jax.nn.logsumexp(jnp.where(within, logs, -jnp.inf))
    entropy = nan_unless(valid, jnp.where(valid, entropy, 0))
    if decomposition is None:
        weights = jnp.where(within, jnp.exp(jnp.where(within, logs, 0) - entropy), 0) * nan_unless(valid, 1.0)
        return MicrocanonicalState(jnp.sum(weights * levels), entropy, weights)
    half = jnp.where(valid, width, 1) / 2
    shifted = (decomposition.matrix - energy * jnp.eye(operator.dim, dtype=operator.dtype)) / half
    # of values off the edges, where rounding could decide
    nodes = jnp.where(within, 0.5, 2.0) * jnp.sign(levels - energy)
    nodes = jnp.where(within == (jnp.abs((levels - energy) / half) <= 1), (levels - energy) / half, nodes)
    scaled = Decomposition(shifted, jax.lax.stop_gradient(nodes), decomposition.eigenvectors)
    rho = matrix_function(_WINDOW, scaled) * jnp.exp(-entropy)
    return MicrocanonicalState(_real_trace(rho, decomposition.matrix), entropy, rho)


def gaussian_state(hamiltonian, energy: ArrayLike, width: ArrayLike) -> MicrocanonicalState:
    """The Gaussian ensemble `rho = exp(-(H - E)^2 / 2 s^2) / Tr`, smooth in `E`, `s` and `H`.

    It is the Gibbs state of `(H - E)^2 / 2 s^2`, from its logarithm, so that an `E` far outside the spectrum gives the
    extreme level. Exponents are known to `eps max|H - E|^2 / s^2`: a width below `sqrt(eps)` of that range is too
    narrow.

    Args:
        hamiltonian: as for `window_state`.
        energy: `E`; the mean energy of the state is near it where the density of states is flat over the width.
        width: the standard deviation `s > 0`, in units of energy.

    Raises:
        ValueError: if the width is not positive (NaN under a trace).

    Reference: Challa and Hetherington, Phys. Rev. Lett. 60, 77 (1988).
    """
    operator = finite_operator(hamiltonian)
    energy, width = real_scalar("energy", energy, operator.dtype), positive_scalar("width", width, operator.dtype)
    if isinstance(operator, Spectrum):
        exponents = operator.log_degeneracies - ((operator.levels - energy) / width) ** 2 / 2
        weights = jax.nn.softmax(exponents)
        logs = jnp.where(weights > 0, exponents - jax.nn.logsumexp(exponents) - operator.log_degeneracies, 0)
        return MicrocanonicalState(jnp.sum(weights * operator.levels), -jnp.sum(weights * logs), weights)
    matrix = operator.to_dense()
    shifted = (matrix - energy * jnp.eye(operator.dim, dtype=matrix.dtype)) / width
    state = gibbs_state(Dense(matmul(shifted, shifted) / 2), jnp.ones((), width.dtype))
    rho = state.density_matrix()
    return MicrocanonicalState(_real_trace(rho, matrix), state.entropy, rho)


def _real_trace(a, b):
    return jnp.einsum("ij,ji->", a, b, precision="highest").real


def _inside(x):
    return jnp.where(jnp.abs(x.real) <= 1, 1.0, 0.0).astype(x.dtype)


def _from_edge(x):
    return jnp.abs(1 - jnp.abs(x))


_WINDOW = Analytic(_inside, _from_edge)


def _empty(levels, energy, width) -> str:
    levels = np.sort(np.asarray(levels))
    below, above = (  # equal levels are named once
        list(dict.fromkeys(f"{level:.6g}" for level in side))
        for side in (levels[levels <= energy], levels[levels > energy])
    )
    neighbours = ", ".join((*below[-2:], *above[:2]))
    low, high = float(energy - width / 2), float(energy + width / 2)
    what = f"is [{low:.6g}, {high:.6g}]"
    if not width > 0:
        return (
            f"`width` must be positive, but the window {what}; neighbouring levels are {neighbours}: pass a width that "
            "reaches over several of them."
        )
    return f"The window must hold a level, but {what} and holds none; the nearest are {neighbours}: shift or widen it."
