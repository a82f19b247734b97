"""Modes of free particles in closed form: energies and orbitals, from which thermal averages are sums."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs.operators.local import whole_number

from ._assembly import check_shape, real_couplings


def hopping_chain_modes(
    sites: int, hopping: Float[ArrayLike, ""], on_site: Float[ArrayLike, ""] = 0.0
) -> tuple[Float[Array, " modes"], Float[Array, "sites modes"]]:
    """Modes of `sum_j t (c_j^+ c_{j+1} + h.c.) + eps sum_j c_j^+ c_j` on an open chain.

    `e_k = eps + 2 t cos(pi k / (sites + 1))`, `k = 1 ... sites`, with real orthonormal orbitals
    `phi_k(j) = sqrt(2 / (sites + 1)) sin(pi k (j + 1) / (sites + 1))`.

    Args:
        sites: number of sites.
        hopping: `t`.
        on_site: `eps`.

    Returns:
        The energies, in the order of `k`, and the orbitals as columns.
    """
    sites = whole_number("sites", sites)
    values = real_couplings(hopping=hopping, on_site=on_site)
    for name, value in values.items():
        check_shape(name, value, ())
    dtype = values["hopping"].dtype
    k = np.arange(1, sites + 1)
    energies = values["on_site"] + 2 * values["hopping"] * jnp.asarray(np.cos(np.pi * k / (sites + 1)), dtype)
    orbitals = np.sqrt(2 / (sites + 1)) * np.sin(np.pi * np.outer(k, k) / (sites + 1))
    return energies, jnp.asarray(orbitals, dtype)


def xx_chain_modes(
    sites: int, coupling: Float[ArrayLike, ""] = 1.0, field: Float[ArrayLike, ""] = 0.0
) -> tuple[Float[Array, " modes"], Float[Array, "sites modes"]]:
    """Fermion modes of the open `xx_chain`: `H = -h sites / 2 + sum_k e_k n_k`, `e_k = h + J cos(pi k / (sites + 1))`.

    By Jordan and Wigner a filled site is a spin down (index 1), `S_j^z = 1/2 - c_j^+ c_j`, and the exchange is a
    hopping of `J / 2`. So `ln Z = beta h sites / 2 + sum_k ln(1 + exp(-beta e_k))`.

    Args:
        sites: number of spins.
        coupling: `J`, uniform.
        field: `h`, uniform.

    Returns:
        The energies `e_k` and the orbitals as columns: `n_k = sum_ij phi_k(i) phi_k(j) c_i^+ c_j`.
    """
    values = real_couplings(coupling=coupling, field=field)
    return hopping_chain_modes(sites, values["coupling"] / 2, values["field"])
