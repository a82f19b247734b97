"""The chemical potential of free particles from their number, and the multipliers of given occupations."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs._solution import RESULTS, Solution, conclude
from jaxgibbs.equilibrium.state import checked_beta
from jaxgibbs.linalg.implicit import implicit_root
from jaxgibbs.operators import Bosons, Fermions
from jaxgibbs.operators.base import inexact

from ._bracket import decreasing_root
from ._collect import real_array


def fit_chemical_potential(
    modes: Fermions | Bosons, beta: ArrayLike, particles: ArrayLike, *, throw: bool = True
) -> Solution:
    """The chemical potential `mu` at which `sum_k 1 / (e^{beta (e_k - mu)} +- 1)` is a given number.

    Particles above and holes below a filled sea are balanced, on logarithms, so that `mu` in a gap is as accurate as
    elsewhere. The answer is differentiable in the number, in `beta` and in the energies, to every order, by the implicit
    function theorem: `dmu/dN = 1 / (beta sum_k f (1 - f))`.

    Args:
        modes: `Fermions` or `Bosons`; of a `QuadraticFermions` without pairing
            `Fermions(thermal_spectrum(operator).mode_energies())`.
        beta: inverse temperature, positive and finite.
        particles: mean number `N > 0`, not necessarily whole; for fermions below the number of modes.
        throw: whether a numerical failure raises.

    Returns:
        `Solution` with `mu` as `value` and `|N(mu) - N|` as `error`. `result` is `optimal`; `boundary` for no particles
        (`mu = -inf`) or a full band (`+inf`); `infeasible` beyond, with NaN.

    Raises:
        ValueError: if `beta` is not positive and finite, or an argument is not a real scalar.
        RuntimeError: on a numerical failure.
    """
    if not isinstance(modes, Fermions | Bosons):
        raise ValueError(f"`modes` must be `Fermions` or `Bosons`, but is `{type(modes).__name__}`.")
    beta = checked_beta(beta).astype(modes.dtype)
    if is_concrete(beta) and not 0 < float(beta) < np.inf:
        raise ValueError(f"`beta` must be positive and finite to fit a chemical potential, but is {float(beta):g}.")
    target = real_array("particles", particles, modes.dtype)
    if target.ndim != 0:
        raise ValueError(f"`particles` must be a scalar, but has shape {target.shape}; map over many with `jax.vmap`.")
    inputs = (modes, nan_unless((beta > 0) & jnp.isfinite(beta), beta), target)
    frozen = jax.lax.stop_gradient(inputs)
    found = (_solve_fermions if isinstance(modes, Fermions) else _solve_bosons)(*frozen)
    value = found.value
    if not is_concrete(inputs):
        residual = _fermion_residual if isinstance(modes, Fermions) else _boson_residual
        value = implicit_root(residual, value[None], inputs)[0]
    return conclude(Solution(value, found.error, found.result, found.stats), throw)


def _sea(count: Float[Array, ""], energies):
    """Occupations of the lowest modes by `count` particles, the last one partly: constants for differentiation."""
    count, energies = jax.lax.stop_gradient((count, energies))
    rank = jnp.argsort(jnp.argsort(energies))
    full = jnp.floor(count)
    return jnp.where(rank < full, 1, jnp.where(rank == full, count - full, 0)).astype(energies.dtype)


def _balance(x, sea):
    """`ln` of the particles above the sea, and of the holes in it; what they have to be is equal."""

    def total(weights, logs):
        carried = weights > 0
        safe = jnp.where(carried, weights, 1)
        return jax.nn.logsumexp(jnp.where(carried, jnp.log(safe) + logs, -jnp.inf))

    return total(1 - sea, jax.nn.log_sigmoid(-x)), total(sea, jax.nn.log_sigmoid(x))


def _fermion_residual(mu, inputs):
    modes, beta, target = inputs
    x = beta * (modes.energies - mu[0])
    particles, holes = _balance(x, _sea(target, modes.energies))
    # The sea holds the number asked for; its change, 0 in value, must come from the holes.
    change = target - jax.lax.stop_gradient(target)
    return (particles - holes - jnp.log1p(change * jnp.exp(-holes)))[None]


def _boson_residual(mu, inputs):
    modes, beta, target = inputs
    x = beta * (modes.energies - mu[0])
    return (jnp.log(jnp.sum(jnp.exp(-x) / -jnp.expm1(-x))) - jnp.log(target))[None]


@jax.jit
def _solve_fermions(modes, beta, target):
    energies, count = modes.energies, modes.dim
    edge, beyond = (target == 0) | (target == count), (target < 0) | (target > count)
    inside = jnp.where(edge | beyond, count / 2, target)
    odds = jnp.log(inside / (count - inside))  # beta mu lies within these of the ends of the band
    lowest, highest = beta * jnp.min(energies) + odds, beta * jnp.max(energies) + odds
    sea = _sea(inside, energies)

    def imbalance(depth):  # below `highest + 1`
        x = beta * energies - (highest + 1 - depth)
        particles, holes = _balance(x, sea)
        up = jnp.sum((1 - sea) * jnp.exp(jax.nn.log_sigmoid(-x) + jax.nn.log_sigmoid(x) - particles))
        down = jnp.sum(sea * jnp.exp(jax.nn.log_sigmoid(-x) + jax.nn.log_sigmoid(x) - holes))
        return particles - holes, -(up + down)

    root = decreasing_root(imbalance, 1 + (highest - lowest) / 2)
    mu = (highest + 1 - root.value) / beta
    occupations = jax.nn.sigmoid(-beta * (energies - mu))
    limit = jnp.where(target == 0, -jnp.inf, jnp.inf)
    return _answer(root, mu, limit, jnp.abs(jnp.sum(occupations - sea)), edge, beyond)


@jax.jit
def _solve_bosons(modes, beta, target):
    edge, beyond = target == 0, target < 0
    inside = jnp.where(edge | beyond, 1, target)
    lowest = jnp.min(modes.energies)
    excess = beta * (modes.energies - lowest)

    def surplus(depth):  # beta (lowest - mu), between ln(1 + 1 / N) and ln(1 + modes / N)
        x = excess + depth
        n = jnp.exp(-x) / -jnp.expm1(-x)
        total = jnp.sum(n)
        return jnp.log(total / inside), -jnp.sum(n * (1 + n)) / total

    root = decreasing_root(surplus, jnp.log1p(1 / inside))
    mu = lowest - root.value / beta
    x = excess + root.value
    missed = jnp.abs(jnp.sum(jnp.exp(-x) / -jnp.expm1(-x)) - inside)
    return _answer(root, mu, -jnp.inf, missed, edge, beyond)


def _answer(root, mu, limit, missed, edge, beyond):
    result = RESULTS.where(root.found, RESULTS.optimal, RESULTS.max_steps_reached)
    result = RESULTS.where(jnp.isfinite(mu), result, RESULTS.nonfinite)
    result = RESULTS.where(edge, RESULTS.boundary, result)
    result = RESULTS.where(beyond, RESULTS.infeasible, result)
    value = jnp.where(beyond, jnp.nan, jnp.where(edge, limit, mu))
    error = jnp.where(beyond, jnp.inf, jnp.where(edge, 0, missed))
    return Solution(value, error, result, {"steps": root.steps})


def multipliers_of_occupations(occupations: ArrayLike, *, bosonic: bool = False) -> Float[Array, " modes"]:
    """`lam_k = ln((1 - n_k) / n_k)`, for bosons `ln((1 + n_k) / n_k)`: the GGE with one charge `n_k` a mode, in closed form.

    What `fit_multipliers` finds for the charges `n_1, n_2, ...` of free modes (Rigol et al. 2007), for any number of modes.

    Args:
        occupations: `<n_k>`, between 0 and 1 for fermions, not negative for bosons; at the ends the answer is infinite.
        bosonic: whether the modes are bosons.

    Raises:
        ValueError: if an occupation is not in its range (NaN under a trace).
    """
    n = inexact(occupations)
    inside = (n >= 0) if bosonic else (n >= 0) & (n <= 1)
    if is_concrete(inside) and not np.all(np.asarray(inside)):
        wanted = "not negative" if bosonic else "between 0 and 1"
        raise ValueError(
            f"`occupations` must be {wanted}, but reach from {float(jnp.min(n)):g} to {float(jnp.max(n)):g}."
        )
    n = nan_unless(inside, n)
    return jnp.log1p(n if bosonic else -n) - jnp.log(n)
