"""Temperature from one number: the inverse temperature with a given energy or entropy, and how well it can be known."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete
from jaxgibbs._solution import RESULTS, Solution, conclude, has_failed
from jaxgibbs.equilibrium import Auto, Exact, Lanczos, gibbs_state, thermal_spectrum
from jaxgibbs.equilibrium.exact import LARGEST_DIMENSION
from jaxgibbs.equilibrium.lanczos_spectrum import LanczosSpectrum
from jaxgibbs.equilibrium.methods import AbstractMethod
from jaxgibbs.equilibrium.modes import BosonSpectrum
from jaxgibbs.linalg.implicit import implicit_root
from jaxgibbs.operators import as_operator

from ._bracket import decreasing_root
from ._collect import real_array
from ._energies import check_trace_class, edges, excess, is_bosonic, is_bounded, parts_of, without_tail

Scalar = Float[Array, ""]


class ThermometryBounds(eqx.Module):
    """Smallest variances of unbiased estimates from `copies` independent copies of a Gibbs state.

    Attributes:
        beta: `1 / (N Var H)`, for the inverse temperature.
        temperature: `T^2 / (N C)`, for the temperature; the Fisher information of T is `C / T^2`.
    """

    beta: Scalar
    temperature: Scalar


def thermometry_bounds(
    hamiltonian, beta: ArrayLike, copies: ArrayLike = 1, *, method: AbstractMethod = Auto()
) -> ThermometryBounds:
    """Quantum Cramer-Rao bounds on temperature estimates; measuring the energy attains them.

    Args:
        hamiltonian: an operator or a Hermitian matrix.
        beta: inverse temperature, finite.
        copies: number of copies measured.
        method: as for `gibbs_state`.

    Reference:
        Paris 2015; Correa et al. PRL 114, 220405 (2015).
    """
    state = gibbs_state(hamiltonian, beta, method=method)
    information = jnp.asarray(copies) * state.energy_variance
    return ThermometryBounds(1 / information, 1 / (information * state.beta**4))


def fit_beta(
    hamiltonian,
    energy: ArrayLike | None = None,
    *,
    entropy: ArrayLike | None = None,
    copies: ArrayLike | None = None,
    method: AbstractMethod = Auto(),
    throw: bool = True,
) -> Solution:
    """The inverse temperature at which a Gibbs state has a given energy, of either sign, or a given entropy.

    The energy falls monotonically in beta, from the highest level at `-inf` to the lowest at `+inf`; the root is bracketed on
    the logarithm of the distance to the nearer of the two, where it is almost linear. The answer is differentiable in the
    target and in the couplings, to every order, by the implicit function theorem.

    Args:
        hamiltonian: an operator or a Hermitian matrix.
        energy: `<H>`, in units of the Hamiltonian.
        entropy: instead of the energy, the entropy in nats; then `beta >= 0`.
        copies: number of copies of the state measured.
        method: as for `gibbs_state`. With `Lanczos` derivatives in the couplings end at the first, an entropy needs
            `deflation`, and an `accuracy` is met at the answer (outside `jit`).
        throw: whether a numerical failure raises.

    Returns:
        `Solution` with `beta` as `value` and `|<H> - energy|` (or of the entropy) as `error`. `result` is `optimal`;
        `boundary` at the lowest or highest level, with `beta = +-inf`; `infeasible` beyond them, NaN; `dependent` for a single
        level, 0. `stats` holds `steps`, the `violation` of the range of the target (not positive inside it), and for
        `copies` the `variance` of beta, `1 / (N Var H)`; by `Lanczos` also the `standard_error` of beta.

    Raises:
        NotTraceClass: for bosons with a mode of energy <= 0, which have no Gibbs state.
        ValueError: if not exactly one target is given, it is not a finite real scalar, or an entropy is asked of `Lanczos`
            without deflation.
        RuntimeError: on a numerical failure.

    Example:
        >>> import jaxgibbs as jg
        >>> print(float(jg.fit_beta([[0.0, 0.0], [0.0, 1.0]], energy=0.5).value))
        0.0
    """
    if energy is not None and entropy is None:
        name, given, solve, residual = "energy", energy, _solve_energy, _energy_residual
    elif entropy is not None and energy is None:
        name, given, solve, residual = "entropy", entropy, _solve_entropy, _entropy_residual
    else:
        raise ValueError("Exactly one of `energy` and `entropy` must be given.")
    operator = as_operator(hamiltonian)
    if is_concrete(operator):
        check_trace_class(operator)
    target = real_array(name, given, jnp.finfo(operator.dtype).dtype)
    if target.ndim != 0:
        raise ValueError(f"`{name}` must be a scalar, but has shape {target.shape}; map over many with `jax.vmap`.")
    if entropy is not None and isinstance(method, Lanczos) and not any(method.sizes().deflation):
        raise ValueError(
            "`entropy` must be counted from the ground level, but `Lanczos` without deflation does not know it; "
            "pass `Lanczos(deflation=4)`."
        )
    concrete = is_concrete(operator, target)
    found = solve(*((operator, target) if concrete else jax.lax.stop_gradient((operator, target))), method)
    if (
        concrete
        and isinstance(method, Lanczos)
        and method.accuracy is not None
        and np.isfinite(np.asarray(found.value))
    ):
        state = gibbs_state(operator, found.value, method=method)  # of a sample large enough there
        if isinstance(state.spectrum, LanczosSpectrum):
            found = solve(operator, target, state.spectrum.method)
            failed = bool(has_failed(state.result))
            found = Solution(found.value, found.error, state.result if failed else found.result, found.stats)
    beta, stats = found.value, dict(found.stats)
    if not concrete:
        beta = implicit_root(residual, beta[None], (operator, target, method))[0]
    if copies is not None:
        stats["variance"] = thermometry_bounds(operator, beta, copies, method=method).beta
    return conclude(Solution(beta, found.error, found.result, stats), throw)


def _energy_residual(beta, inputs):
    operator, energy, method = inputs
    return (energy - thermal_spectrum(operator, method=method).energy(beta[0]))[None]


def _entropy_residual(beta, inputs):
    operator, entropy, method = inputs
    return (entropy - thermal_spectrum(operator, method=method).entropy(beta[0]))[None]


@jax.jit
def _solve_energy(operator, energy, method):
    full = _levels_of(operator, method)
    spectrum, bounded = without_tail(full), is_bounded(full)
    lowest, highest, rounding = edges(spectrum)
    below, above = energy - lowest, highest - energy
    middle, spread = excess(spectrum, jnp.zeros_like(energy))
    inverted = bounded & (below > middle)
    sign = jnp.where(inverted, -1, 1).astype(energy.dtype)
    distance = jnp.where(inverted, above, below)

    def logarithm(b):
        value, variance = excess(spectrum, sign * b)
        return jnp.log(value / distance), -variance / value

    slack = jnp.maximum(rounding, 4 * jnp.finfo(energy.dtype).eps * jnp.abs(energy))
    beyond = distance < -slack
    # Given levels are exact: any distance to them is meant. Eigenvalues are known to rounding.
    edge = ~beyond & (distance <= rounding)
    flat = edge & (highest - lowest <= slack)
    start = jnp.abs(middle - below) / spread if bounded else 1 / below
    root = decreasing_root(logarithm, jnp.where(edge | beyond, 0, start).astype(energy.dtype))
    beta = sign * root.value
    missed = jnp.where(edge, jnp.abs(distance), jnp.abs(excess(spectrum, beta)[0] - distance))
    carried = jnp.isfinite(full.energy(beta))
    answer = _answer(root, beta, sign * jnp.inf, missed, -distance, beyond, edge, flat, carried)
    return _with_standard_error(full, beta, answer, "energy")


@jax.jit
def _solve_entropy(operator, entropy, method):
    full = _levels_of(operator, method)
    spectrum, bounded = without_tail(full), is_bounded(full)
    zero = jnp.zeros_like(entropy)
    frozen, hot = spectrum.entropy(zero + jnp.inf), spectrum.entropy(zero) if bounded else zero + jnp.inf
    distance = entropy - frozen

    def logarithm(b):
        value = spectrum.entropy(b) - frozen
        return jnp.log(value / distance), -b * excess(spectrum, b)[1] / value

    if bounded:
        start = jnp.sqrt(2 * jnp.maximum(hot - entropy, 0) / excess(spectrum, zero)[1])
    else:
        start = 1 / _typical_energy(spectrum)
    violation = jnp.maximum(-distance, entropy - hot)
    beyond = violation > 64 * jnp.finfo(entropy.dtype).eps * (1 + jnp.abs(entropy))
    edge = ~beyond & (distance <= 0)
    flat = edge & (hot <= frozen)
    root = decreasing_root(logarithm, jnp.where(edge | beyond, 0, start).astype(entropy.dtype))
    missed = jnp.where(edge, jnp.abs(distance), jnp.abs(spectrum.entropy(root.value) - entropy))
    carried = jnp.isfinite(full.entropy(root.value))
    answer = _answer(root, root.value, zero + jnp.inf, missed, violation, beyond, edge, flat, carried)
    return _with_standard_error(full, root.value, answer, "entropy")


def _levels_of(operator, method):
    """The spectrum, of eigenvalues alone where it is decomposed."""
    if isinstance(method, Auto) and operator.dim <= LARGEST_DIMENSION:
        method = Exact()
    return thermal_spectrum(operator, method=Exact(levels_only=True) if isinstance(method, Exact) else method)


def _with_standard_error(spectrum, beta, answer, name):
    """To a stochastic answer, the error of beta: that of the energy over `Var(H)`, or of the entropy over `beta Var(H)`."""
    if not isinstance(spectrum, LanczosSpectrum):
        return answer
    slope = spectrum.energy_variance(beta) * (1 if name == "energy" else beta)
    error = getattr(spectrum.standard_error(beta), name) / jnp.abs(slope)
    return Solution(answer.value, answer.error, answer.result, answer.stats | {"standard_error": error})


def _typical_energy(spectrum):
    energies = [
        _mode_energies(part) if is_bosonic(part) else (edges(part)[1] - edges(part)[0])[None]
        for part in parts_of(spectrum)
    ]
    return jnp.mean(jnp.concatenate(energies))


def _mode_energies(spectrum):
    modes = spectrum if isinstance(spectrum, BosonSpectrum) else spectrum.free_modes()[0]
    return modes.operator.energies


def _answer(root, beta, limit, missed, violation, beyond, edge, flat, carried):
    value = jnp.where(edge, limit, beta)
    value = jnp.where(flat, 0, jnp.where(beyond, jnp.nan, value))
    result = RESULTS.where(root.found, RESULTS.optimal, RESULTS.max_steps_reached)
    result = RESULTS.where(jnp.isfinite(root.value), result, RESULTS.nonfinite)
    result = RESULTS.where(carried, result, RESULTS.truncated)
    result = RESULTS.where(edge, RESULTS.boundary, result)
    result = RESULTS.where(flat, RESULTS.dependent, result)
    result = RESULTS.where(beyond, RESULTS.infeasible, result)
    error = jnp.where(beyond, jnp.inf, missed)
    return Solution(value, error, result, {"steps": root.steps, "violation": violation})
