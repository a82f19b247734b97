"""The Gibbs state, factorised once and asked many times, and what a thermal spectrum must answer for it."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs._errors import is_concrete
from jaxgibbs._solution import RESULTS
from jaxgibbs.linalg import dagger, matmul, partial_trace
from jaxgibbs.operators import AbstractOperator
from jaxgibbs.operators.base import inexact

from .projectors import LevelProjectors, level_projectors

Scalar = Float[Array, ""]


class Thermodynamics(eqx.Module):
    """The thermodynamic functions at one `beta`; fields as the properties of `GibbsState`."""

    log_partition: Scalar
    free_energy: Scalar
    energy: Scalar
    entropy: Scalar
    heat_capacity: Scalar


class AbstractThermalSpectrum(eqx.Module):
    """All that is needed for every temperature, computed once; `.at(beta)` gives the state.

    The functions here take `beta`, a real scalar from -inf to +inf, and are pure: `jax.vmap` them over temperatures.
    """

    @abc.abstractmethod
    def log_partition(self, beta: Scalar) -> Scalar:
        """`ln Z`."""

    @abc.abstractmethod
    def energy(self, beta: Scalar) -> Scalar:
        """`<H>`."""

    @abc.abstractmethod
    def energy_variance(self, beta: Scalar) -> Scalar:
        """`<H^2> - <H>^2`."""

    @abc.abstractmethod
    def entropy(self, beta: Scalar) -> Scalar:
        """Von Neumann entropy in nats."""

    @abc.abstractmethod
    def heat_capacity(self, beta: Scalar) -> Scalar:
        """`beta^2 Var(H)`, in units of k_B."""

    @abc.abstractmethod
    def renyi_entropy(self, beta: Scalar, order: float) -> Scalar:
        """`ln(Tr rho^order) / (1 - order)`."""

    @abc.abstractmethod
    def expectation(self, beta: Scalar, observable) -> Scalar:
        """`Tr(rho A)`."""

    @abc.abstractmethod
    def covariance_matrix(self, beta: Scalar, observables: tuple) -> Float[Array, "observables observables"]:
        """Kubo-Mori covariances of all pairs."""

    @abc.abstractmethod
    def populations(self, beta: Scalar) -> Float[Array, " levels"]:
        """Probability of each of `levels()`."""

    @abc.abstractmethod
    def density_matrix(self, beta: Scalar) -> Inexact[Array, "dim dim"]:
        """The matrix of the state."""

    @abc.abstractmethod
    def explain(self) -> str:
        """Method, sizes and source of error, in words."""

    def standard_error(self, beta: Scalar) -> Thermodynamics:
        """Standard errors of the thermodynamic functions: what more random probes would lower."""
        return self._no_errors(beta)

    def systematic_error(self, beta: Scalar) -> Thermodynamics:
        """An estimate of the errors that more random probes do not lower, rounding left out."""
        return self._no_errors(beta)

    def expectation_error(self, beta: Scalar, observable) -> Scalar:
        """Standard error of `expectation`."""
        return jnp.zeros_like(self.expectation(beta, observable))

    def result(self, beta: Scalar) -> RESULTS:
        """Whether the answers are as accurate as was asked."""
        return RESULTS.optimal

    def _no_errors(self, beta) -> Thermodynamics:
        dtype = jax.eval_shape(lambda: self.energy(beta)).dtype
        return Thermodynamics(*[jnp.zeros((), dtype)] * 5)

    def at(self, beta: ArrayLike) -> "GibbsState":
        """The state at inverse temperature `beta`, a real scalar from -inf to +inf."""
        return GibbsState(self, checked_beta(beta))

    def levels(self) -> Float[Array, " levels"]:
        """Energies, ascending; of a `Spectrum` in its own order."""
        raise ValueError(
            "`levels` must be asked of a matrix or a `Spectrum`; modes and products have too many to list."
        )

    def eigenbasis(self) -> tuple[Float[Array, " dim"], Inexact[Array, "dim dim"]]:
        """All energies, and the eigenvectors as columns; without derivatives."""
        raise ValueError(
            "Eigenvectors need a Hamiltonian of one matrix; build it with `Dense(hamiltonian.to_dense())`."
        )

    def correlation_matrix(self, beta: Scalar) -> Inexact[Array, "sites sites"]:
        """`<c_i^dagger c_j>`."""
        raise _only_gaussian("correlation_matrix")

    def pairing_matrix(self, beta: Scalar) -> Inexact[Array, "sites sites"]:
        """`<c_i c_j>`."""
        raise _only_gaussian("pairing_matrix")

    def product_expectation(self, beta: Scalar, a, b) -> Inexact[Array, ""]:
        """`Tr(rho A B)`."""
        raise _only_gaussian("product_expectation")

    def ladder_expectation(self, beta: Scalar, created, annihilated) -> Inexact[Array, ""]:
        """`<c_i^dagger ... c_j ...>`."""
        raise _only_gaussian("ladder_expectation")

    def reduced_entropy(self, beta: Scalar, sites, order: float = 1.0) -> Scalar:
        """Entropy of the state of some sites."""
        raise _only_gaussian("reduced_entropy")

    def part(self, index: int) -> "AbstractThermalSpectrum":
        """The spectrum of one part of a `KroneckerSum`."""
        raise ValueError("`part` must be asked of a `KroneckerSum`; use `reduced` for other composite systems.")


class GibbsState(eqx.Module):
    """`rho = e^{-beta H} / Z` at one `beta` from -inf to +inf.

    Every answer is an array, differentiable in the couplings of `H` and in `beta` to every order; at `beta = +-inf`, the
    uniform mixture of the lowest or highest level, values are right and derivatives are NaN.
    """

    spectrum: AbstractThermalSpectrum
    beta: Scalar

    @property
    def log_partition(self) -> Scalar:
        """`ln Z`, the Massieu potential `-beta F`."""
        return self.spectrum.log_partition(self.beta)

    @property
    def free_energy(self) -> Scalar:
        """`F = -ln Z / beta`; NaN at `beta = 0`, where it is not defined, the extreme level at `beta = +-inf`."""
        energy = self.energy
        return massieu_to_free_energy(self.beta.astype(energy.dtype), self.log_partition, energy)

    @property
    def energy(self) -> Scalar:
        """`U = <H>`."""
        return self.spectrum.energy(self.beta)

    @property
    def energy_variance(self) -> Scalar:
        """`<H^2> - <H>^2`, the Fisher information of `beta`."""
        return self.spectrum.energy_variance(self.beta)

    @property
    def entropy(self) -> Scalar:
        """`S = -Tr rho ln rho`, in nats."""
        return self.spectrum.entropy(self.beta)

    @property
    def heat_capacity(self) -> Scalar:
        """`C = dU/dT = beta^2 Var(H)`, in units of k_B; not negative, also at negative temperature."""
        return self.spectrum.heat_capacity(self.beta)

    @property
    def purity(self) -> Scalar:
        """`Tr rho^2`."""
        return jnp.exp(-self.renyi_entropy(2))

    def renyi_entropy(self, order: float) -> Scalar:
        """`ln(Tr rho^order) / (1 - order)`; order 1 is `entropy`, 0 is `ln d` and inf is `-ln p_max`."""
        return self.spectrum.renyi_entropy(self.beta, order)

    @property
    def populations(self) -> Float[Array, " levels"]:
        """Probabilities of `spectrum.levels()`, by ascending energy; of a `Spectrum` in its own order; of modes: occupations."""
        return self.spectrum.populations(self.beta)

    @property
    def population_inversion(self) -> Array:
        """Whether higher levels are likelier: `beta < 0`."""
        return self.beta < 0

    def density_matrix(self) -> Inexact[Array, "dim dim"]:
        """The matrix `rho`, in the basis the Hamiltonian was given in."""
        return self.spectrum.density_matrix(self.beta)

    def level_projectors(self, tolerance: float | None = None) -> LevelProjectors:
        """The distinct levels with their projectors and degeneracies; outside `jit` only, and not differentiable.

        Args:
            tolerance: neighbouring energies no further apart than this belong to one level; at least, and by default,
                `64 eps max|E|`. A level wider than a tenth of it warns.
        """
        return level_projectors(*self.spectrum.eigenbasis(), tolerance)

    def in_basis(self, basis: Inexact[Array, "dim vectors"]) -> Inexact[Array, "vectors vectors"]:
        """`V^dagger rho V` for the columns of `basis`, such as `operators.bell_basis()`."""
        basis = jnp.asarray(basis)
        rho = self.density_matrix()
        if basis.ndim != 2 or basis.shape[0] != rho.shape[0]:
            raise ValueError(
                f"`basis` must have {rho.shape[0]} rows, one vector a column, but has shape {basis.shape}."
            )
        dtype = jnp.result_type(basis, rho)
        return matmul(matmul(dagger(basis).astype(dtype), rho.astype(dtype)), basis.astype(dtype))

    def reduced(self, dims: tuple[int, ...], keep: int | tuple[int, ...]) -> Inexact[Array, "kept kept"]:
        """The reduced density matrix of the subsystems `keep` of a space of dimensions `dims` (0 is the left-most)."""
        return partial_trace(self.density_matrix(), dims, keep)

    def part(self, index: int) -> "GibbsState":
        """The state of one part of a `KroneckerSum`."""
        return GibbsState(self.spectrum.part(index), self.beta)

    def expectation(self, observable) -> Scalar:
        """`Tr(rho A)` of an operator or a Hermitian matrix; `Spectrum` and modes take one of their own kind."""
        return self.spectrum.expectation(self.beta, observable)

    def covariance(self, a, b) -> Scalar:
        """Kubo-Mori covariance `integral_0^1 Tr(rho^(1-t) A rho^t B) dt - <A><B>` (Kubo 1957; Mori 1965)."""
        return self.covariance_matrix((a, b))[0, 1]

    def covariance_matrix(self, observables) -> Float[Array, "observables observables"]:
        """Kubo-Mori covariances of all pairs: minus the derivative of `<A>` along B in the exponent."""
        return self.spectrum.covariance_matrix(self.beta, tuple(observables))

    def correlation_matrix(self) -> Inexact[Array, "sites sites"]:
        """`<c_i^dagger c_j>` at `i, j`, of a quadratic Hamiltonian."""
        return self.spectrum.correlation_matrix(self.beta)

    def pairing_matrix(self) -> Inexact[Array, "sites sites"]:
        """`<c_i c_j>` at `i, j`, of a quadratic Hamiltonian."""
        return self.spectrum.pairing_matrix(self.beta)

    def product_expectation(self, a, b) -> Inexact[Array, ""]:
        """`Tr(rho A B)` of two quadratic operators in the state of a third, by Wick's theorem; complex if they are."""
        return self.spectrum.product_expectation(self.beta, a, b)

    def ladder_expectation(self, created: tuple[int, ...], annihilated: tuple[int, ...]) -> Inexact[Array, ""]:
        """`<c_i^dagger c_j^dagger ... c_k c_l ...>` of a quadratic Hamiltonian, by Wick's theorem.

        Args:
            created: sites `i, j, ...`, from left to right.
            annihilated: sites `k, l, ...`, from left to right; at most eight operators together.
        """
        return self.spectrum.ladder_expectation(self.beta, created, annihilated)

    def reduced_entropy(self, sites: tuple[int, ...], order: float = 1.0) -> Scalar:
        """Entropy of the state of some sites of a quadratic Hamiltonian, in nats (Peschel 2003).

        Args:
            sites: which, different from one another.
            order: of Renyi's entropy; 1 is von Neumann's.
        """
        return self.spectrum.reduced_entropy(self.beta, sites, order)

    def susceptibility(self, a, b) -> Scalar:
        """Isothermal susceptibility `d<A>/df` for `H - f B`: `beta` times the Kubo-Mori covariance.

        NaN at `beta = +-inf`, where `jaxgibbs.response.isothermal_susceptibility` has the limit.
        """
        return jnp.where(jnp.isinf(self.beta), jnp.nan, self.beta) * self.covariance(a, b)

    @property
    def standard_error(self) -> Thermodynamics:
        """Standard errors of the thermodynamic functions; 0 for exact methods, NaN where one probe tells nothing."""
        return self.spectrum.standard_error(self.beta)

    @property
    def systematic_error(self) -> Thermodynamics:
        """An estimate of the errors that more random probes do not lower; 0 for exact methods, rounding left out."""
        return self.spectrum.systematic_error(self.beta)

    def expectation_error(self, observable) -> Scalar:
        """Standard error of `expectation(observable)`; 0 for exact methods."""
        return self.spectrum.expectation_error(self.beta, observable)

    @property
    def result(self) -> RESULTS:
        """`RESULTS.optimal`, or what stochastic answers lack: see `RESULTS[state.result]`."""
        return self.spectrum.result(self.beta)

    def explain(self) -> str:
        """Method, sizes, memory and source of error."""
        return self.spectrum.explain()


def checked_beta(beta: ArrayLike) -> Scalar:
    """`beta` as a real floating scalar; NaN, complex and arrays are refused."""
    beta = inexact(beta)
    if beta.ndim != 0:
        raise ValueError(
            f"`beta` must be a scalar, but has shape {beta.shape}; map over temperatures with `jax.vmap`, "
            "as in `jax.vmap(spectrum.heat_capacity)(betas)`."
        )
    if jnp.iscomplexobj(beta):
        raise ValueError(f"`beta` must be real, but has dtype {beta.dtype}.")
    if is_concrete(beta) and np.isnan(np.asarray(beta)):
        raise ValueError("`beta` must be a number from -inf to +inf, but is NaN.")
    return beta


def _only_gaussian(name: str) -> ValueError:
    return ValueError(
        f"`{name}` must be asked of the state of a `QuadraticFermions` or `QuadraticBosons`; other states have "
        "`expectation` and `reduced`."
    )


def no_matrix(operator: AbstractOperator, what: str) -> ValueError:
    """The error for a question that needs a matrix, asked of levels or modes."""
    return ValueError(
        f"{what} needs the matrix of the Hamiltonian, but a `{type(operator).__name__}` has none; "
        "build the Hamiltonian as a matrix or a model with one."
    )


@jax.custom_jvp
def smooth_inside(value: Array, beta: Scalar) -> Array:
    """`value`, with derivatives that are NaN at `beta = +-inf`, where a limit was taken."""
    return value


@smooth_inside.defjvp
def _smooth_inside_jvp(primals, tangents):
    value, beta = primals
    return smooth_inside(value, beta), tangents[0] * jnp.where(jnp.isinf(beta), jnp.nan, 1)


def renyi(log_shifted, entropy, log_dim, lowest, beta: Scalar, order: float) -> Scalar:
    """Renyi entropy `S_a = (ln Z(a beta) - a ln Z(beta)) / (1 - a)`; a = 0, 1 and inf: `ln d`, von Neumann's, `-ln p_max`.

    Args:
        log_shifted: `ln Z(beta)` with the level of largest weight at energy zero, a constant for differentiation.
        entropy: von Neumann's, a function of `beta`.
        log_dim: `ln d`.
        lowest: that level as a function of `beta`, differentiable.
        beta: inverse temperature.
        order: `a`.
    """
    if not order >= 0:
        raise ValueError(f"`order` must be non-negative, but is {order}.")
    if order == 1:
        return entropy(beta)
    this = log_shifted(beta)
    if order == 0:
        return jnp.where(jnp.isinf(beta), this, log_dim)
    if np.isinf(order):
        level = lowest(beta)
        return this + jnp.where(jnp.isinf(beta), 0, beta) * (level - jax.lax.stop_gradient(level))
    if abs(order - 1) > 2**-10:
        return (log_shifted(order * beta) - order * this) / (1 - order)
    # Near 1 the quotient cancels: its limit is `ln Z(beta)` minus the mean slope between beta and a beta, by quadrature.
    nodes, weights = np.polynomial.legendre.leggauss(4)
    slope = jax.grad(lambda t: log_shifted(t * beta))
    slopes = [slope(jnp.asarray(1 + (order - 1) * (node + 1) / 2, this.dtype)) for node in nodes]
    return jnp.where(jnp.isinf(beta), this, this - sum(w * d for w, d in zip(weights / 2, slopes, strict=True)))


def massieu_to_free_energy(beta: Scalar, log_partition: Scalar, energy: Scalar) -> Scalar:
    """`-ln Z / beta`; NaN at `beta = 0`, with its derivatives, and `energy` (the extreme level) at `beta = +-inf`."""
    infinite = jnp.isinf(beta)
    regular = -log_partition / jnp.where(infinite, 1, jnp.where(beta == 0, jnp.nan, beta))
    return smooth_inside(jnp.where(infinite, energy, regular), beta)
