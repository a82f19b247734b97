"""Models in which every site is coupled alike to all others, by all their levels: whole canonical ensembles of many sites."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from jaxgibbs.linalg import decompose
from jaxgibbs.linalg.hermitian import single_levels
from jaxgibbs.operators.local import whole_number
from jaxgibbs.operators.spectrum import Spectrum

from ._assembly import check_shape, real_couplings


def p_spin_spectrum(
    sites: int, coupling: ArrayLike = 1.0, transverse_field: ArrayLike = 0.0, *, order: int = 3
) -> Spectrum:
    """All levels of `p_spin` on `2^sites` states, `H = -J sites m^p - g sum_i sigma_i^x`, from blocks of the total spin.

    The block of spin `S = sites/2 - k` has dimension `2 S + 1` and occurs `C(sites, k) - C(sites, k-1)` times.

    Args:
        sites: number of spins; some hundreds take seconds and `4 sites^3` bytes.
        coupling: `J`.
        transverse_field: `g`.
        order: `p`, at least 1.

    Returns:
        The levels with their degeneracies, differentiable in the couplings where no two levels of a block are equal.

    Reference: Derrida, Phys. Rev. B 24, 2613 (1981); Jorg et al., EPL 89, 40004 (2010).
    """
    sites, order = whole_number("sites", sites), whole_number("order", order)
    couplings = real_couplings(coupling=coupling, transverse_field=transverse_field)
    for name, value in couplings.items():
        check_shape(name, value, ())
    j, g = couplings["coupling"], couplings["transverse_field"]
    flipped, places = np.arange(sites // 2 + 1)[:, None], np.arange(sites + 1)
    spin = sites / 2 - flipped
    z = spin - places
    inside = places <= 2 * spin
    powers = np.where(inside, -sites * (2 * z / sites) ** order, 0)
    flips = np.where(inside & (z > -spin), -np.sqrt(np.maximum(spin * (spin + 1) - z * (z - 1), 0)), 0)[:, :-1]
    # beyond the block, single levels above all others
    above = (jnp.abs(j) + jnp.abs(g) + 1) * sites * (2 + places / sites)
    diagonal = jnp.where(inside, j * jnp.asarray(powers, j.dtype), above.astype(j.dtype))
    rows, columns = places[:-1], places[1:]
    matrices = jnp.zeros((len(spin), sites + 1, sites + 1), j.dtype).at[:, places, places].set(diagonal)
    beside = g * jnp.asarray(flips, j.dtype)
    matrices = matrices.at[:, rows, columns].set(beside).at[:, columns, rows].set(beside)
    levels = single_levels(decompose(matrices, eigenvectors=False))
    sizes = [sites + 1 - 2 * k for k in range(len(spin))]
    k = flipped[:, 0]
    log = _log_factorials(sites)
    logs = log[sites] - log[k] - log[sites - k] + np.log(sizes / (sites + 1.0 - k))
    return Spectrum(
        jnp.concatenate([levels[k, :size] for k, size in enumerate(sizes)]),
        jnp.asarray(np.repeat(logs, sizes), j.dtype),
    )


def blume_capel(sites: int, crystal_field: ArrayLike, coupling: ArrayLike = 1.0) -> Spectrum:
    """All levels of `H = D sum_i S_i^2 - K (sum_i S_i)^2 / 2 sites` of spins 1, by the numbers of spins up and down.

    Args:
        sites: number of spins; there are `(sites + 1) (sites + 2) / 2` levels.
        crystal_field: `D`.
        coupling: `K`.

    Returns:
        The levels in the order of the number of spins that are not 0, then of the number of spins up.

    Reference: Blume, Phys. Rev. 141, 517 (1966); Capel, Physica 32, 966 (1966).
    """
    sites = whole_number("sites", sites)
    couplings = real_couplings(crystal_field=crystal_field, coupling=coupling)
    for name, value in couplings.items():
        check_shape(name, value, ())
    d, k = couplings["crystal_field"], couplings["coupling"]
    count, up = np.tril_indices(sites + 1)
    down = count - up
    log = _log_factorials(sites)
    logs = log[sites] - log[up] - log[down] - log[sites - count]
    squares = ((up - down) ** 2 / (2 * sites)).astype(d.dtype)
    return Spectrum(d * count.astype(d.dtype) - k * squares, jnp.asarray(logs, d.dtype))


def _log_factorials(most):
    """`ln n!` of `n` from 0."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1.0, most + 1)))])
