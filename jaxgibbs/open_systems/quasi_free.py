"""Free fermions with linear jumps: the steady state from its one-body correlations, at a cost of `sites^3`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxgibbs._errors import check_finite, is_concrete
from jaxgibbs._solution import RESULTS, Solution, conclude
from jaxgibbs.linalg import dagger, eigvalsh, matmul
from jaxgibbs.linalg.general import eig
from jaxgibbs.operators import QuadraticFermions
from jaxgibbs.operators.base import inexact
from jaxgibbs.operators.quadratic import as_quadratic


class _Lyapunov(eqx.Module):
    """`A D + D A^dagger + F = 0`."""

    drift: Complex[Array, "sites sites"]
    source: Complex[Array, "sites sites"]


def quasi_free_steady_state(
    hamiltonian,
    loss: tuple[ArrayLike, ArrayLike],
    gain: tuple[ArrayLike, ArrayLike],
    *,
    throw: bool = True,
) -> Solution:
    """One-body correlations of free fermions whose jumps are linear, `L_m = sum_i l_mi c_i` or `sum_i g_mi c_i^+`.

        A D + D A^dagger + G = 0,      A = -i h - (Lambda + G) / 2,      D_ij = <c_j^+ c_i>
        Lambda_ij = sum_m r_m l_mi^* l_mj,      G_ij = sum_m r_m g_mi g_mj^*

    The state is Gaussian, so that `D` holds it all (Wick's theorem).
    Differentiable to every order. For CPUs, by the eigenvectors of `A`.

    Args:
        hamiltonian: `QuadraticFermions` without pairing, or the Hermitian matrix `h`, shape `(sites, sites)`.
        loss: amplitudes `l`, shape `(jumps, sites)`, and their rates, shape `(jumps,)`, not negative.
        gain: amplitudes `g` and rates, as `loss`.
        throw: whether a failure raises.

    Returns:
        `Solution` with `D` as `value`. `error` bounds its distance to the exact one by the residual over the slowest decay rate;
        `stats` holds `residual` (relative), `decay_rates` of the one-body modes, and the `smallest_occupation` and
        `largest_occupation`.

    Raises:
        ValueError: if shapes do not fit, a rate is negative, or the Hamiltonian has pairing.
        RuntimeError: if a mode does not decay: then the steady state is not unique.

    Reference: Prosen, New J. Phys. 10, 043026 (2008), for jumps of both kinds mixed.
    """
    operator = as_quadratic(hamiltonian, QuadraticFermions)
    if operator.paired:
        raise ValueError("`hamiltonian` must have no pairing here; use `Lindbladian` with its matrix on Fock space.")
    one_body = operator.matrix.to_dense()
    sites = one_body.shape[0]
    lost, gained = (_weights(name, jumps, sites) for name, jumps in (("loss", loss), ("gain", gain)))
    decay = jnp.conj(lost) + gained
    system = _Lyapunov(-1j * one_body - decay / 2, gained.astype(decay.dtype))
    return conclude(_solve(system), throw)


@jax.jit
def _solve(system: _Lyapunov) -> Solution:
    fixed = jax.lax.stop_gradient(system)
    found = eig(fixed.drift)
    weights = found.values[:, None] + jnp.conj(found.values)

    def inverse(vectors, inverse):
        return lambda x: matmul(matmul(vectors, matmul(matmul(inverse, x), dagger(inverse)) / weights), dagger(vectors))

    def operator(x):
        return matmul(system.drift, x) + matmul(x, dagger(system.drift))

    forward = inverse(found.vectors, found.inverse)
    backward = inverse(found.inverse.T, found.vectors.T)  # in sum_ij x_ij y_ij the transpose is Y -> A^T Y + Y A^*
    real = weights.real.dtype
    eps = jnp.finfo(real).eps
    value = jax.lax.custom_linear_solve(
        operator,
        -system.source.astype(weights.dtype),
        solve=lambda a, b: _refined(a, forward, b),
        transpose_solve=lambda a, b: _refined(a, backward, b),
    )
    value = (value + dagger(value)) / 2
    fixed_value = jax.lax.stop_gradient(value)
    image = matmul(fixed.drift, fixed_value)
    norm = jnp.linalg.norm(fixed.drift)
    defect = jnp.linalg.norm(image + dagger(image) + fixed.source)
    rates = jnp.sort(-2 * found.values.real)
    unique = rates[0] > 1e3 * eps * norm
    residual = defect / (norm * jnp.maximum(jnp.linalg.norm(fixed_value), eps))
    good = residual <= jnp.maximum(1e4 * eps, eps * found.condition)
    result = RESULTS.where(good, RESULTS.optimal, RESULTS.stagnated)
    result = RESULTS.where(unique, result, RESULTS.not_unique)
    finite = jnp.isfinite(residual)
    result = RESULTS.where(finite | ~unique, result, RESULTS.nonfinite)
    occupations = eigvalsh(jnp.where(jnp.isfinite(fixed_value), fixed_value, 0))
    stats = {
        "residual": residual,
        "decay_rates": rates,
        "smallest_occupation": occupations[0],
        "largest_occupation": occupations[-1],
    }
    return Solution(value, defect / rates[0], result, stats)


def _refined(operator, inverse, b):
    """Two refinements on the true residual: eigenvectors may be skew."""
    x = inverse(b)
    for _ in range(2):
        x = x + inverse(b - operator(x))
    return x


def _weights(name: str, jumps, sites: int) -> Float[Array, "sites sites"]:
    """`sum_m r_m a_mi a_mj^*`."""
    amplitudes, rates = (inexact(each) for each in jumps)
    if amplitudes.ndim != 2 or amplitudes.shape[1] != sites or rates.shape != amplitudes.shape[:1]:
        raise ValueError(
            f"`{name}` must be amplitudes of shape (jumps, {sites}) and as many rates, but has shapes {amplitudes.shape} and "
            f"{rates.shape}."
        )
    check_finite(name, amplitudes)
    check_finite(name, rates)
    if is_concrete(rates) and np.any(np.asarray(rates) < 0):
        raise ValueError(f"The rates of `{name}` must not be negative, but the lowest is {np.min(rates):.3g}.")
    return matmul(amplitudes.T * rates, jnp.conj(amplitudes))
