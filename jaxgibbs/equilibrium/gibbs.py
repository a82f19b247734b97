"""Entry points: states, spectra, and the same quantities as pure functions of `(hamiltonian, beta)`."""

import jax
import jax.numpy as jnp
from jaxtyping import ArrayLike

from jaxgibbs.linalg import exponential_family as family
from jaxgibbs.operators import (
    AbstractOperator,
    Bosons,
    Fermions,
    KroneckerSum,
    Spectrum,
    as_operator,
    simplify,
)
from jaxgibbs.operators.dense import checked_matrix
from jaxgibbs.operators.quadratic import AbstractQuadratic

from . import gaussian_functions
from .exact import LARGEST_DIMENSION
from .gaussian import gaussian_spectrum
from .lanczos import Lanczos
from .lanczos_spectrum import lanczos_spectrum
from .levels import LevelSpectrum
from .methods import AbstractMethod, Auto, Exact
from .modes import BosonSpectrum, FermionSpectrum
from .product import ProductSpectrum
from .sectors import block_spectrum, from_operator
from .state import (
    AbstractThermalSpectrum,
    GibbsState,
    Scalar,
    Thermodynamics,
    checked_beta,
    massieu_to_free_energy,
)


def gibbs_state(hamiltonian, beta: ArrayLike, *, method: AbstractMethod = Auto()) -> GibbsState:
    """The state `rho = e^{-beta H} / Z`.

    Args:
        hamiltonian: an operator or a Hermitian matrix of shape `(dim, dim)`, in energy units.
        beta: inverse temperature, a real scalar from -inf to +inf (1 / energy).
        method: how; `Auto()` chooses by structure and size and says what in `state.explain()`.

    Raises:
        ValueError: if the matrix is not Hermitian, square and finite, if `beta` is NaN or no scalar, or if the state does
            not exist (`NotTraceClass`, `UnboundedAbove`, `UnboundedBelow`, `ContinuousSpectrum`, `TruncationNotConverged`).

    Example:
        >>> import jaxgibbs as jg
        >>> state = jg.gibbs_state([[0.0, 0.0], [0.0, 1.0]], beta=0.0)
        >>> print(float(state.energy))
        0.5
    """
    return thermal_spectrum(hamiltonian, method=method).at(beta)


def thermal_spectrum(hamiltonian, *, method: AbstractMethod = Auto()) -> AbstractThermalSpectrum:
    """Everything that is needed for all temperatures, computed once; `.at(beta)` gives the state.

    Args:
        hamiltonian: an operator or a Hermitian matrix.
        method: as for `gibbs_state`.
    """
    operator = _prepared(hamiltonian, method)
    if isinstance(operator, Spectrum):
        return LevelSpectrum(operator)
    if isinstance(operator, Bosons):
        return BosonSpectrum(operator)
    if isinstance(operator, Fermions):
        return FermionSpectrum(operator)
    if isinstance(operator, KroneckerSum):
        return ProductSpectrum(tuple(thermal_spectrum(part, method=method) for part in operator.parts))
    if isinstance(operator, AbstractQuadratic):
        return gaussian_spectrum(operator, method if isinstance(method, Exact) else Exact())
    stochastic = _stochastic(operator, method)
    if stochastic is not None:
        return lanczos_spectrum(operator, stochastic, chosen=isinstance(method, Auto))
    return block_spectrum(operator, method if isinstance(method, Exact) else Exact())


def _stochastic(operator: AbstractOperator, method: AbstractMethod) -> Lanczos | None:
    """The stochastic method that a matrix is left to, if it is: where asked for, and above what exact diagonalisation takes."""
    if isinstance(method, Lanczos):
        return method
    return Lanczos() if isinstance(method, Auto) and operator.dim > LARGEST_DIMENSION else None


def _prepared(hamiltonian, method) -> AbstractOperator:
    if not isinstance(method, AbstractMethod):
        raise ValueError(f"`method` must be a method object such as `Auto()` or `Exact()`, but is {method!r}.")
    return simplify(as_operator(hamiltonian))


def _on_levels(operator: AbstractOperator, beta) -> Scalar:
    """`-beta`, of the precision of the Hamiltonian."""
    return -beta.astype(jnp.finfo(operator.dtype).dtype)


def _is_decomposed(operator: AbstractOperator, method: AbstractMethod) -> bool:
    structured = isinstance(operator, Spectrum | Bosons | Fermions | AbstractQuadratic | KroneckerSum)
    return not structured and _stochastic(operator, method) is None


def _pure(quantity, of_quadratic, name: str):
    """A function of `(hamiltonian, beta)` from those of a matrix and of a quadratic operator, and the state's property `name`."""
    of_operator = from_operator(quantity)

    def function(hamiltonian, beta, method):
        operator, beta = _prepared(hamiltonian, method), checked_beta(beta)
        if _is_decomposed(operator, method):
            return of_operator(_on_levels(operator, beta), operator)
        if isinstance(operator, AbstractQuadratic):
            return of_quadratic(operator, beta)
        return getattr(thermal_spectrum(operator, method=method).at(beta), name)

    return function


def _every(s, blocks) -> tuple[Scalar, ...]:
    return (
        family.log_trace_exp(s, blocks),
        family.mean(s, blocks),
        family.entropy(s, blocks),
        family.heat_capacity(s, blocks),
    )


_log_partition = _pure(family.log_trace_exp, gaussian_functions.log_partition, "log_partition")
_energy = _pure(family.mean, gaussian_functions.energy, "energy")
_entropy = _pure(family.entropy, gaussian_functions.entropy, "entropy")
_heat_capacity = _pure(family.heat_capacity, gaussian_functions.heat_capacity, "heat_capacity")
_every_of_operator = from_operator(_every)


def log_partition(hamiltonian, beta: ArrayLike, *, method: AbstractMethod = Auto()) -> Scalar:
    """`ln Z = ln Tr e^{-beta H}`; arguments and errors as for `gibbs_state`.

    `jax.grad(log_partition)(hamiltonian, beta)` is `-beta <T_k>` for every coupling, shaped like the Hamiltonian.
    Undifferentiated it computes eigenvalues alone; differentiated, to any order, it decomposes once.
    """
    return _log_partition(hamiltonian, beta, method)


def energy(hamiltonian, beta: ArrayLike, *, method: AbstractMethod = Auto()) -> Scalar:
    """`U = <H>`; arguments and errors as for `gibbs_state`."""
    return _energy(hamiltonian, beta, method)


def entropy(hamiltonian, beta: ArrayLike, *, method: AbstractMethod = Auto()) -> Scalar:
    """`S = -Tr rho ln rho` in nats; arguments and errors as for `gibbs_state`."""
    return _entropy(hamiltonian, beta, method)


def heat_capacity(hamiltonian, beta: ArrayLike, *, method: AbstractMethod = Auto()) -> Scalar:
    """`C = beta^2 Var(H)`, in units of k_B; arguments and errors as for `gibbs_state`."""
    return _heat_capacity(hamiltonian, beta, method)


def free_energy(hamiltonian, beta: ArrayLike, *, method: AbstractMethod = Auto()) -> Scalar:
    """`F = -ln Z / beta`; NaN at `beta = 0`. Arguments and errors as for `gibbs_state`."""
    return thermodynamics(hamiltonian, beta, method=method).free_energy


def thermodynamics(hamiltonian, beta: ArrayLike, *, method: AbstractMethod = Auto()) -> Thermodynamics:
    """`ln Z, F, U, S` and `C` from one decomposition, of eigenvalues alone where nothing is differentiated in couplings.

    Over many temperatures: `jax.vmap(jg.thermodynamics, (None, 0))(hamiltonian, betas)`; arguments and errors as for
    `gibbs_state`.
    """
    operator, beta = _prepared(hamiltonian, method), checked_beta(beta)
    if _is_decomposed(operator, method):
        log_z, u, s, c = _every_of_operator(_on_levels(operator, beta), operator)
    elif isinstance(operator, AbstractQuadratic):
        log_z, u, s, c = gaussian_functions.every(operator, beta)
    else:
        state = thermal_spectrum(operator, method=method).at(beta)
        log_z, u, s, c = state.log_partition, state.energy, state.entropy, state.heat_capacity
    return Thermodynamics(log_z, massieu_to_free_energy(beta.astype(u.dtype), log_z, u), u, s, c)


def expectation(hamiltonian, beta: ArrayLike, observable, *, method: AbstractMethod = Auto()) -> Scalar:
    """`Tr(rho A)`; arguments and errors as for `gibbs_state` and its `expectation`."""
    return gibbs_state(hamiltonian, beta, method=method).expectation(observable)


def generalized_forces(hamiltonian, beta: ArrayLike, *, method: AbstractMethod = Auto()):
    """`-dF/d theta_k = -<T_k>` for every coupling, shaped like the Hamiltonian: the pressure of a box, a magnetisation.

    Args:
        hamiltonian: an operator; for the force on a parameter of a model differentiate `free_energy` through the model.
        beta: finite and not 0.
        method: as for `gibbs_state`.
    """
    beta = checked_beta(beta)
    if not isinstance(hamiltonian, AbstractOperator):
        hamiltonian = checked_matrix("hamiltonian", hamiltonian)
    gradient = jax.grad(lambda h: log_partition(h, beta, method=method))(hamiltonian)
    return jax.tree_util.tree_map(lambda g: g / beta, gradient)
