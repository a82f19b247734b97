"""Measured curves of a magnetic molecule, in the units of the laboratory: chi(T), chi T, C(T) and M(B, T)."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import is_concrete
from jaxgibbs.models.spin_cluster import SpinCluster
from jaxgibbs.units import (
    AVOGADRO_CONSTANT,
    BOHR_MAGNETON,
    BOLTZMANN_CONSTANT,
    KELVIN,
    MOLAR_GAS_CONSTANT,
    convert,
    molar_susceptibility,
)

from .gibbs import thermal_spectrum
from .spin_levels import FieldBlocks, MomentBlocks, Multiplets, is_uniform, moment_along_z

CURIE_UNIT = 0.1 * AVOGADRO_CONSTANT * BOHR_MAGNETON**2 / BOLTZMANN_CONSTANT
"""`N_A mu_B^2 / k_B` = 0.375 cm^3 K/mol."""


def curie_constant(cluster: SpinCluster) -> Float[Array, ""]:
    """`C = (N_A mu_B^2 / 3 k_B) sum_i g_i^2 S_i (S_i + 1)` in cm^3 K/mol, `chi T` of free spins averaged over a powder."""
    sizes = jnp.asarray([s * (s + 1) for s in cluster.spins], cluster.g.dtype)
    squares = cluster.g_factors**2 @ jnp.asarray([1 / 3, 2 / 3], cluster.g.dtype)
    return CURIE_UNIT / 3 * jnp.sum(sizes * squares)


def chi(cluster: SpinCluster, temperature: Float[ArrayLike, "*batch"]) -> Float[Array, "*batch"]:
    """Molar susceptibility of a powder at zero field, isothermal.

        chi = (N_A mu_B^2 / 3) sum_a int_0^beta d tau <M_a(-i tau) M_a>,    M_a = sum_i g_ia S_ia

    This Kubo-Mori form is `d M / d B` also where the moment does not commute with `H`: unequal g-factors, anisotropy.

    Args:
        cluster: the molecule.
        temperature: in kelvin, any shape.

    Returns:
        cm^3/mol, of the shape of `temperature`.

    Reference: Kahn (1993), Molecular Magnetism, chapter 1.
    """
    one = Multiplets(cluster).curie_sum if is_uniform(cluster) else MomentBlocks(cluster).kubo_mori
    return molar_susceptibility(_over(temperature, cluster, one), KELVIN)


def chi_of_fluctuations(cluster: SpinCluster, temperature: Float[ArrayLike, "*batch"]) -> Float[Array, "*batch"]:
    """`N_A mu_B^2 <M^2> / (3 k_B T)` in cm^3/mol: `chi` where `M` commutes with `H`, an upper bound elsewhere.

    Args: as of `chi`.
    """
    along, across = cluster.moments()
    squares = along @ along if cluster.is_isotropic else (along @ along + 2 * across @ across) / 3
    spectrum = thermal_spectrum(cluster.hamiltonian())
    unit = convert(1.0, KELVIN, cluster.energy_unit)

    def one(beta):
        return beta * spectrum.at(beta / unit).expectation(squares)

    return molar_susceptibility(_over(temperature, cluster, one), KELVIN)


def chi_t(cluster: SpinCluster, temperature: Float[ArrayLike, "*batch"]) -> Float[Array, "*batch"]:
    """`chi T` in cm^3 K/mol; see `chi`."""
    return chi(cluster, temperature) * jnp.asarray(temperature)


def molar_heat_capacity(
    cluster: SpinCluster, temperature: Float[ArrayLike, "*batch"], field: Float[ArrayLike, ""] = 0.0
) -> Float[Array, "*batch"]:
    """Magnetic heat capacity at constant field, in J/(mol K).

    Args:
        cluster: the molecule.
        temperature: in kelvin, any shape.
        field: magnetic flux density along z, in tesla.
    """
    if is_uniform(cluster):
        levels, field = Multiplets(cluster), jnp.asarray(field, cluster.g.dtype)
        return MOLAR_GAS_CONSTANT * _over(temperature, cluster, lambda beta: levels.heat_capacity(beta, field))
    at_zero = is_concrete(field) and not np.any(np.asarray(field))
    blocks = MomentBlocks(cluster) if at_zero else FieldBlocks(cluster, jnp.asarray(field, cluster.g.dtype))
    return MOLAR_GAS_CONSTANT * _over(temperature, cluster, blocks.heat_capacity)


def magnetisation(
    cluster: SpinCluster,
    field: Float[ArrayLike, "*batch"],
    temperature: Float[ArrayLike, "*batch"],
    *,
    orientations: int = 16,
) -> Float[Array, "*batch"]:
    """Moment along the field, averaged over a powder, in Bohr magnetons a molecule.

    Args:
        cluster: the molecule.
        field: magnetic flux density in tesla, broadcast against `temperature`.
        temperature: in kelvin.
        orientations: Gauss-Legendre points in the cosine of the angle to z; an isotropic cluster needs one and takes one.
    """
    if orientations < 1:
        raise ValueError(f"`orientations` must be at least 1, but is {orientations}.")
    dtype = cluster.coupling.dtype
    _check_temperature(temperature)
    fields, temperatures = jnp.broadcast_arrays(jnp.asarray(field, dtype), jnp.asarray(temperature, dtype))
    betas, flat = 1 / jnp.ravel(temperatures), jnp.ravel(fields)
    if cluster.is_isotropic:
        if is_uniform(cluster):
            found = jax.vmap(Multiplets(cluster).moment)(betas, flat)
        else:
            found = jax.vmap(lambda beta, b: moment_along_z(cluster, beta, b))(betas, flat)
        return found.reshape(fields.shape)
    nodes, weights = np.polynomial.legendre.leggauss(orientations)
    cosines, weights = jnp.asarray((1 + nodes) / 2, dtype), jnp.asarray(weights / 2, dtype)

    def one(b, beta, cosine):
        state = thermal_spectrum(cluster.hamiltonian(b, cosine)).at(beta)
        return state.expectation(cluster.moment_along(cosine))

    def averaged(beta, b):
        return weights @ jax.vmap(one, (None, None, 0))(b, beta / unit, cosines)

    unit = convert(1.0, KELVIN, cluster.energy_unit)
    return jax.vmap(averaged)(betas, flat).reshape(fields.shape)


def curie_weiss(chi: ArrayLike, temperature: ArrayLike, theta: ArrayLike) -> Array:
    """Interactions between molecules by the customary factor: `chi T / (T - theta)`.

    Exact for free moments only; of a molecule with levels of its own `mean_field` is the molecular field. Both agree where
    `chi T` is constant.

    Args:
        chi: without them.
        temperature: in kelvin.
        theta: Weiss constant in kelvin, negative for antiferromagnetic interactions.
    """
    return jnp.asarray(chi) * (jnp.asarray(temperature) / (temperature - jnp.asarray(theta)))


def mean_field(chi: ArrayLike, curie: ArrayLike, theta: ArrayLike) -> Array:
    """Interactions between molecules as a molecular field: `chi / (1 - theta chi / C)`.

    Args:
        chi: without them, in cm^3/mol.
        curie: Curie constant `C` in cm^3 K/mol, see `curie_constant`.
        theta: Weiss constant in kelvin, `z J' S (S + 1) / 3` up to the convention of `J'`.
    """
    chi, theta, curie = (jnp.asarray(x) for x in (chi, theta, curie))
    return chi / (1 - theta * chi / curie)


def impure_sample(
    chi: ArrayLike,
    temperature: ArrayLike,
    curie: ArrayLike,
    *,
    impurity: ArrayLike = 0.0,
    background: ArrayLike = 0.0,
    scale: ArrayLike = 1.0,
) -> Array:
    """What a sample shows: `scale [(1 - rho) chi + rho C / T] + chi_0`.

    Args:
        chi: of the molecule, in cm^3/mol.
        temperature: in kelvin.
        curie: Curie constant `C` of the impurity for each mole, in cm^3 K/mol.
        impurity: mole fraction `rho`.
        background: `chi_0` in cm^3/mol, diamagnetism and temperature-independent paramagnetism.
        scale: error of mass or calibration.
    """
    rho, chi, curie, temperature = (jnp.asarray(x) for x in (impurity, chi, curie, temperature))
    return jnp.asarray(scale) * ((1 - rho) * chi + rho * curie / temperature) + jnp.asarray(background)


def _over(temperature, cluster, function):
    """`function(1 / T)` at all temperatures."""
    _check_temperature(temperature)
    temperatures = jnp.asarray(temperature, cluster.coupling.dtype)
    return jax.vmap(function)(1 / jnp.ravel(temperatures)).reshape(temperatures.shape)


def _check_temperature(temperature) -> None:
    if is_concrete(temperature) and not np.all(np.asarray(temperature) > 0):
        raise ValueError("`temperature` must be positive, in kelvin, but is not everywhere.")
