"""Work by two measurements of the energy: its distribution, its generating functions, and the equalities it obeys."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float, Inexact

from jaxgibbs._errors import check_finite, hermitian_tolerance, is_concrete, nan_unless
from jaxgibbs.equilibrium import log_partition
from jaxgibbs.information.states import checked_state, real_trace
from jaxgibbs.linalg import Decomposition, Exponential, dagger, decompose, eigh, matmul, matrix_function
from jaxgibbs.linalg.functions import PHASE
from jaxgibbs.linalg.levels import LevelSums, degeneracy_tolerance
from jaxgibbs.linalg.undefined import one_without_slope
from jaxgibbs.open_systems.bohr import bohr_clusters, eigenbasis
from jaxgibbs.operators import AbstractOperator, as_operator
from jaxgibbs.operators.base import inexact

from .energy_statistics import EnergyStatistics

Scalar = Float[Array, ""]
Matrix = Inexact[Array, "dim dim"]
Channel = Callable[[Matrix], Matrix]


class WorkMeasurement(eqx.Module):
    """What `work_measurement` returns: two decompositions and what happens between them. `W > 0` is done on the system.

    Its properties are traces of matrix functions, `Tr(f(H_f) E(g(H_i) rho))`: no pair of levels is enumerated, and derivatives of
    every order are exact, at degeneracies too.

    Attributes:
        initial: the first Hamiltonian, decomposed.
        final: the second.
        evolution: a unitary matrix, or a linear map on matrices.
        state: what the first measurement leaves of the initial state.
        vectors: eigenvectors of the first Hamiltonian that are eigenvectors of `state`.
        log_populations: logarithms of its eigenvalues.
        beta: inverse temperature of the initial state, `None` if it was given as a matrix.
    """

    initial: Decomposition
    final: Decomposition
    evolution: Any
    state: Matrix
    vectors: Matrix
    log_populations: Float[Array, " dim"]
    beta: Scalar | None

    @property
    def mean(self) -> Scalar:
        """`<W> = Tr(H_f E(rho)) - Tr(H_i rho)`."""
        return _mean(self)

    @property
    def variance(self) -> Scalar:
        """`<(W - <W>)^2>`."""
        return _central(self, 2)

    def central_moment(self, order: int) -> Scalar:
        """`<(W - <W>)^order> = sum_j binom(order, j) (-1)^j Tr(H_f^{order - j} E(H_i^j rho))`, energies measured from their means.

        Raises:
            ValueError: if `order` is negative.
        """
        if order < 0:
            raise ValueError(f"`order` must not be negative, but is {order}.")
        return _central(self, order)

    def characteristic_function(self, u: ArrayLike) -> Complex[Array, ""]:
        """`<e^{iuW}> = Tr(e^{iu H_f} E(e^{-iu H_i} rho))`; many `u` by `jax.vmap`.

        Args:
            u: real, 1 / energy.
        """
        return _characteristic(self, inexact(u).astype(self.initial.eigenvalues.dtype))

    def log_average(self, s: ArrayLike) -> Scalar:
        """`ln <e^{-s W}>`, by log-sum-exp over the levels, with the derivatives of `Tr(e^{-s H_f} E(e^{s H_i} rho))`.

        Jarzynski's equality: for a thermal initial state and a unitary, `log_average(beta) = ln Z_f - ln Z_i`.

        Args:
            s: real, finite, 1 / energy.
        """
        s = inexact(s).astype(self.initial.eigenvalues.dtype)
        check_finite("s", s)
        value, smooth = jax.lax.stop_gradient(self.statistics().log_average(s)), _log_average(self, s)
        return value + (smooth - jax.lax.stop_gradient(smooth))

    @property
    def free_energy_difference(self) -> Scalar:
        """`F_f - F_i` at the temperature of the initial state.

        Raises:
            ValueError: if that was given as a matrix.
        """
        beta = self._thermal("free_energy_difference")
        return -(log_partition(self.final.matrix, beta) - log_partition(self.initial.matrix, beta)) / beta

    @property
    def dissipated_work(self) -> Scalar:
        """`<W> - (F_f - F_i) = D(E(rho) || rho_f^eq) / beta` for a unitary, where it is not negative.

        Raises:
            ValueError: if the initial state was given as a matrix.

        Reference: Kawai, Parrondo & Van den Broeck, Phys. Rev. Lett. 98, 080602 (2007).
        """
        return self.mean - self.free_energy_difference

    def statistics(self) -> EnergyStatistics:
        """The distribution itself, pair by pair."""
        return _statistics(self)

    def reversed(self) -> "WorkMeasurement":
        """The backward process: thermal at first under `H_f`, at last measured in `H_i`, the unitary undone.

        Crooks' relation is `P(W) = e^{beta (W - F_f + F_i)} P_reversed(-W)`. Time reversal itself, `Theta`, drops out of all
        probabilities; a protocol that is run backwards in a laboratory is that of `time_reversed`.

        Raises:
            ValueError: if the initial state was given as a matrix, or the evolution as a map.
        """
        beta = self._thermal("reversed")
        if not eqx.is_array(self.evolution):
            raise ValueError(
                "The evolution must be a unitary matrix to be undone, but was given as a map; for an open system make the "
                "`work_measurement` of its backward process from the map of that."
            )
        return work_measurement(self.final.matrix, self.initial.matrix, dagger(self.evolution), beta)

    def _thermal(self, name: str) -> Scalar:
        if self.beta is None:
            raise ValueError(
                f"The initial state must be thermal for `{name}`, but was given as a matrix; give its inverse temperature."
            )
        return self.beta


def work_measurement(initial: Any, final: Any, evolution: ArrayLike | Channel, state: ArrayLike) -> WorkMeasurement:
    """Work as the difference of two projective measurements of the energy, before and after an evolution.

        P(m, n) = <m|E(|n><n|)|m> p_n,      W = E_m - E_n,      E(X) = U X U^dagger

    The first measurement removes coherences between levels of the initial state, not those inside a degenerate one. Both
    Hamiltonians are decomposed: about ten matrices of `dim^2` numbers.

    Args:
        initial: the Hamiltonian at first, an operator or a Hermitian matrix of shape `(dim, dim)`.
        final: that at last.
        evolution: a unitary, say from `evolution_operator`, or a linear completely positive map `X -> E(X)` of matrices, that of
            an open system. For a map that leaves 1 unchanged Jarzynski's equality still holds; for others `<e^{-beta W}>` is
            `Z_f / Z_i Tr(rho_f^eq E(1))`, and `W` is a change of energy, heat included.
        state: inverse temperature of the initial state, finite and not 0, or any state, shape `(dim, dim)`.

    Raises:
        ValueError: if shapes do not fit, a matrix is not Hermitian, not unitary or no state, or the temperature is no number
            (NaN under a trace).

    References: Talkner, Lutz & Haenggi, Phys. Rev. E 75, 050102 (2007); Jarzynski, Phys. Rev. Lett. 78, 2690 (1997); Crooks, Phys.
        Rev. E 60, 2721 (1999); Kafri & Deffner, Phys. Rev. A 86, 044302 (2012).
    """
    initial, final = as_operator(initial), as_operator(final)
    if final.dim != initial.dim:
        raise ValueError(f"`final` must have the dimension {initial.dim} of `initial`, but has dimension {final.dim}.")
    if not callable(evolution):
        evolution = checked_unitary("evolution", evolution, initial.dim)
    state = inexact(state)
    if state.ndim == 0:
        return _from_thermal(initial, final, evolution, _checked_beta(state))
    if state.shape != (initial.dim, initial.dim):
        raise ValueError(
            f"`state` must be an inverse temperature or a state of shape {(initial.dim, initial.dim)}, but has shape {state.shape}."
        )
    return _from_matrix(initial, final, evolution, checked_state("state", state).matrix)


def checked_unitary(name: str, matrix: ArrayLike, dim: int) -> Inexact[Array, "dim dim"]:
    """A unitary matrix; NaN under a trace where it is none.

    Raises:
        ValueError: if it has another shape than `(dim, dim)` or is not unitary.
    """
    matrix = inexact(matrix)
    if matrix.shape != (dim, dim):
        raise ValueError(f"`{name}` must have the shape {(dim, dim)} of the Hamiltonian, but has shape {matrix.shape}.")
    check_finite(name, matrix)
    value = jax.lax.stop_gradient(matrix)
    defect = jnp.linalg.norm(matmul(dagger(value), value) - jnp.eye(dim, dtype=value.dtype))
    unitary = defect <= 1e3 * hermitian_tolerance(matrix.dtype) * np.sqrt(dim)
    if is_concrete(unitary) and not np.asarray(unitary):
        raise ValueError(
            f"`{name}` must be unitary, but `U^dagger U` differs from 1 by {float(defect):.2g}; make it with `evolution_operator`, "
            "or give the map `X -> E(X)` of an open system as a function."
        )
    return nan_unless(unitary, matrix)


def _checked_beta(beta):
    if jnp.iscomplexobj(beta) or (is_concrete(beta) and not (np.isfinite(np.asarray(beta)) and np.asarray(beta) != 0)):
        raise ValueError(
            f"An inverse temperature given as `state` must be a finite number and not 0, but is {beta}; give a pure or a uniform "
            "state as a matrix."
        )
    return beta


@eqx.filter_jit
def _from_thermal(initial: AbstractOperator, final: AbstractOperator, evolution, beta) -> WorkMeasurement:
    first, last = decompose(initial.to_dense()), decompose(final.to_dense())
    beta = beta.astype(first.eigenvalues.dtype)
    sums = LevelSums(-beta, jax.lax.stop_gradient(first.eigenvalues))
    weights, _ = thermal_weights(first, -beta)
    state = weights / jnp.trace(weights)
    return WorkMeasurement(first, last, evolution, state, first.vectors, sums.y - sums.log_shifted, beta)


@eqx.filter_jit
def _from_matrix(initial: AbstractOperator, final: AbstractOperator, evolution, state) -> WorkMeasurement:
    first, last = decompose(initial.to_dense()), decompose(final.to_dense())
    clusters = bohr_clusters(first.eigenvalues, degeneracy_tolerance(first.eigenvalues))
    inside, nothing = clusters == 0, jnp.zeros(clusters.shape, bool)
    _, vectors = eigenbasis(initial, first.eigenvalues, first.vectors, clusters, nothing)
    dtype = jnp.result_type(vectors, state)
    vectors, state = vectors.astype(dtype), state.astype(dtype)
    within = jnp.where(inside, matmul(matmul(dagger(vectors), state), vectors), 0)
    # level after level: each stays together, since states have norms of at most 1
    number = jnp.cumsum(~jnp.diagonal(inside, 1))
    offset = 2 * jnp.concatenate([jnp.zeros(1, number.dtype), number]).astype(within.real.dtype)
    _, rotation = eigh(within + jnp.diag(offset))
    populations = jnp.sum(jnp.conj(rotation) * matmul(within, rotation), axis=0).real
    log_populations = jnp.log(jax.lax.stop_gradient(jnp.maximum(populations, 0)))
    dephased = matmul(matmul(vectors, within), dagger(vectors))
    fixed = jax.lax.stop_gradient(matmul(vectors, rotation))
    return WorkMeasurement(first, last, evolution, dephased, fixed, log_populations * one_without_slope(state), None)


def _evolved(evolution, matrix):
    """`E(X)`."""
    if not eqx.is_array(evolution):
        return evolution(matrix)
    dtype = jnp.result_type(evolution, matrix)
    u = evolution.astype(dtype)
    return matmul(matmul(u, matrix.astype(dtype)), dagger(u))


def thermal_weights(d: Decomposition, s: Scalar) -> tuple[Matrix, Scalar]:
    """`e^{s (H - r)}` and `r`, the level of largest weight."""
    levels = jax.lax.stop_gradient(d.eigenvalues)
    reference = jnp.where(s > 0, jnp.max(levels), jnp.min(levels))
    shifted = d.matrix - reference * jnp.eye(d.dim, dtype=d.matrix.dtype)
    return _scaled(Exponential(), Decomposition(shifted, levels - reference, d.vectors), s), reference


def _scaled(function, d: Decomposition, s):
    """`f(s H)`."""
    fixed = jax.lax.stop_gradient(s)
    return matrix_function(function, Decomposition(s * d.matrix, fixed * d.eigenvalues, d.vectors))


@eqx.filter_jit
def _mean(w: WorkMeasurement):
    return real_trace(w.final.matrix, _evolved(w.evolution, w.state)) - real_trace(w.initial.matrix, w.state)


@eqx.filter_jit
def _central(w: WorkMeasurement, order: int):
    one = jnp.eye(w.initial.dim)
    last = _evolved(w.evolution, w.state)
    centred = [
        d.matrix - (real_trace(d.matrix, state) * one).astype(d.matrix.dtype)
        for d, state in ((w.final, last), (w.initial, w.state))
    ]
    total = jnp.zeros((), w.initial.eigenvalues.dtype)
    before = w.state
    for j in range(order + 1):
        after = _evolved(w.evolution, before)
        for _ in range(order - j):
            after = _product(centred[0], after)
        total = total + math.comb(order, j) * (-1) ** j * jnp.trace(after).real
        before = _product(centred[1], before)
    return total


def _product(a, b):
    dtype = jnp.result_type(a, b)
    return matmul(a.astype(dtype), b.astype(dtype))


@eqx.filter_jit
def _characteristic(w: WorkMeasurement, u):
    before = _product(_scaled(PHASE, w.initial, -u), w.state)
    return jnp.trace(_product(_scaled(PHASE, w.final, u), _evolved(w.evolution, before)))


@eqx.filter_jit
def _log_average(w: WorkMeasurement, s):
    after, last = thermal_weights(w.final, -s)
    if w.beta is None:
        before, first = thermal_weights(w.initial, s)
        before, offset = _product(before, w.state), s * first
    else:
        before, first = thermal_weights(w.initial, s - w.beta)
        offset = (s - w.beta) * first - log_partition(w.initial.matrix, w.beta)
    return jnp.log(real_trace(after, _evolved(w.evolution, before))) + offset - s * last


@eqx.filter_jit
def _statistics(w: WorkMeasurement) -> EnergyStatistics:
    first, last = (jax.lax.stop_gradient(d.eigenvalues) for d in (w.initial, w.final))
    before, after = w.vectors, w.final.vectors
    if eqx.is_array(w.evolution):
        amplitudes = _product(dagger(after), _product(w.evolution, before))
        conditional = (amplitudes * jnp.conj(amplitudes)).real
    else:

        def arrivals(state):
            image = _evolved(w.evolution, state[:, None] * jnp.conj(state))
            return jnp.maximum(jnp.sum(jnp.conj(after) * _product(image, after), axis=0).real, 0)

        conditional = jax.vmap(arrivals, in_axes=1, out_axes=1)(before)
    known = one_without_slope(w.initial.matrix) * one_without_slope(w.final.matrix)
    return EnergyStatistics((last[:, None] - first) * known, conditional * known, w.log_populations * known)
