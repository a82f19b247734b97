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


def xx_ring_modes(
    sites: int, coupling: Float[ArrayLike, ""] = 1.0, field: Float[ArrayLike, ""] = 0.0
) -> tuple[Float[Array, " modes"], Float[Array, " modes"]]:
    """Mode energies of the periodic `xx_chain` in its even and its odd parity sector: `H = sum_k e_k (n_k - 1/2)` in each.

    `e_k = h + J cos k`, a filled site being a spin down, with `k = (2 m + 1) pi / sites` where the number of fermions is even
    and `k = 2 m pi / sites` where it is odd (Lieb, Schultz & Mattis 1961). `ln Z` is `equilibrium.ring_log_partition`.

    Args:
        sites: number of spins, at least 3.
        coupling: `J`.
        field: `h`.
    """
    values, momenta = _ring(sites, coupling=coupling, field=field)
    even, odd = (values["field"] + values["coupling"] * jnp.asarray(np.cos(k), values["field"].dtype) for k in momenta)
    return even, odd


def transverse_ising_ring_modes(
    sites: int, coupling: Float[ArrayLike, ""] = 1.0, transverse_field: Float[ArrayLike, ""] = 1.0
) -> tuple[Float[Array, " modes"], Float[Array, " modes"]]:
    """Mode energies of the periodic `transverse_ising_chain` in its parity sectors: `H = sum_k e_k (n_k - 1/2)` in each.

    `e_k = 2 sqrt(J^2 + g^2 - 2 J g cos k)` with the momenta of `xx_ring_modes`; but `2 (g - J)` at `k = 0` and
    `2 (g + J)` at `k = pi`, with their signs, because these modes are not paired (Pfeuty 1970).

    Args:
        sites: number of spins, at least 3.
        coupling: `J`.
        transverse_field: `g`.
    """
    values, momenta = _ring(sites, coupling=coupling, transverse_field=transverse_field)
    j, g = values["coupling"], values["transverse_field"]

    def energies(k):
        cosine = np.cos(k)
        single = np.isclose(np.abs(cosine), 1, rtol=0, atol=1e-12)  # not paired with another momentum
        square = j**2 + g**2 - 2 * j * g * jnp.asarray(np.where(single, 0, cosine), j.dtype)
        paired = 2 * jnp.sqrt(jnp.where(single, 1, square))
        return jnp.where(single, 2 * (g - j * jnp.asarray(np.sign(cosine), j.dtype)), paired)

    even, odd = map(energies, momenta)
    return even, odd


def _ring(sites, **couplings):
    """Couplings, checked, and the momenta of the even and of the odd sector."""
    sites = whole_number("sites", sites, least=3)
    values = real_couplings(**couplings)
    for name, value in values.items():
        check_shape(name, value, ())
    m = np.arange(sites)
    return values, ((2 * m + 1) * np.pi / sites, 2 * m * np.pi / sites)
