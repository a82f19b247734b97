"""A magnetic molecule in laboratory units: spins, exchange in a named convention, g-factors and axial anisotropy."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs.operators.local import spin_dimension, spin_matrices
from jaxgibbs.units import KELVIN, EnergyUnit, zeeman_energy

from ._assembly import check_shape, real_couplings

LARGEST_DIMENSION = 1024


@dataclasses.dataclass(frozen=True)
class ExchangeConvention:
    """What a published `J` multiplies: `H = prefactor J S_i . S_j` for each bond.

    Args:
        symbol: how it is written.
        prefactor: 1, -1, 2 or -2 in the literature. Where it is negative, `J < 0` is antiferromagnetic.
    """

    symbol: str
    prefactor: float


PLUS_J = ExchangeConvention("H = +J S_i . S_j", 1.0)
MINUS_J = ExchangeConvention("H = -J S_i . S_j", -1.0)
PLUS_TWO_J = ExchangeConvention("H = +2 J S_i . S_j", 2.0)
MINUS_TWO_J = ExchangeConvention("H = -2 J S_i . S_j", -2.0)


class SpinCluster(eqx.Module):
    """A few spins, `H = sum_bonds c J_b S_i . S_j + sum_i D_i (S_i^z)^2 - mu_B sum_i B . g_i . S_i`.

    Everything is symmetric about z, so that a powder is an average over one angle and every matrix is real.

    Args:
        spins: 1/2, 1, ... of each site.
        bonds: pairs of sites.
        coupling: `J`, a scalar for all bonds or shape `(bonds,)`, in `energy_unit`.
        convention: `c`, one of `PLUS_J`, `MINUS_J`, `PLUS_TWO_J`, `MINUS_TWO_J`; there is no default.
        g: a scalar, one a site `(sites,)`, or `(sites, 2)` for `g` along z and across it.
        single_ion: `D`, a scalar or shape `(sites,)`, in `energy_unit`; `None` for none.
        energy_unit: of `J` and `D`.

    Raises:
        ValueError: if a shape does not fit, a bond joins no two sites, or the dimension exceeds 1024.
    """

    spins: tuple[float, ...] = eqx.field(static=True)
    bonds: tuple[tuple[int, int], ...] = eqx.field(static=True)
    convention: ExchangeConvention = eqx.field(static=True)
    energy_unit: EnergyUnit = eqx.field(static=True)
    coupling: Float[Array, "..."]
    g: Float[Array, "..."]
    single_ion: Float[Array, "..."] | None

    def __init__(
        self,
        spins: tuple[float, ...],
        bonds: tuple[tuple[int, int], ...],
        coupling: ArrayLike,
        *,
        convention: ExchangeConvention,
        g: ArrayLike,
        single_ion: ArrayLike | None = None,
        energy_unit: EnergyUnit = KELVIN,
    ):
        sites = len(spins)
        dimension = int(np.prod([spin_dimension(spin) for spin in spins]))
        if dimension > LARGEST_DIMENSION:
            raise ValueError(f"`spins` must have at most {LARGEST_DIMENSION} states, but have {dimension}.")
        for i, j in bonds:
            if not (0 <= i < sites and 0 <= j < sites and i != j):
                raise ValueError(f"`bonds` must join two of the {sites} sites, but one joins {i} and {j}.")
        given = {"coupling": coupling, "g": g} | ({} if single_ion is None else {"single_ion": single_ion})
        values = real_couplings(**given)
        check_shape("coupling", values["coupling"], (), (len(bonds),))
        check_shape("g", values["g"], (), (sites,), (sites, 2))
        if single_ion is not None:
            check_shape("single_ion", values["single_ion"], (), (sites,))
        self.spins = tuple(float(spin) for spin in spins)
        self.bonds = tuple((int(i), int(j)) for i, j in bonds)
        self.convention = convention
        self.energy_unit = energy_unit
        self.coupling = values["coupling"]
        self.g = values["g"]
        self.single_ion = values.get("single_ion")

    @property
    def is_isotropic(self) -> bool:
        """Whether all directions are alike by construction."""
        return self.single_ion is None and self.g.ndim < 2

    @property
    def g_factors(self) -> Float[Array, "sites 2"]:
        """`g` along z and across it."""
        g = self.g if self.g.ndim == 2 else jnp.broadcast_to(self.g[..., None], (len(self.spins), 2))
        return g

    def moments(self) -> tuple[Float[Array, "dim dim"], Float[Array, "dim dim"]]:
        """`sum_i g_i S_i` along z and along x, in Bohr magnetons."""
        g, dtype = self.g_factors, self.g.dtype
        x, z = (jnp.asarray(_at_sites(self.spins, axis), dtype) for axis in (0, 2))
        return jnp.tensordot(g[:, 0], z, 1), jnp.tensordot(g[:, 1], x, 1)

    def hamiltonian(
        self, field: Float[ArrayLike, ""] = 0.0, cosine: Float[ArrayLike, ""] = 1.0
    ) -> Float[Array, "dim dim"]:
        """The matrix, in `energy_unit`.

        Args:
            field: magnetic flux density in tesla.
            cosine: of the angle between the field and z.
        """
        dtype = self.coupling.dtype
        exchange = jnp.asarray(_on_bonds(self.spins, self.bonds), dtype)
        couplings = self.convention.prefactor * jnp.broadcast_to(self.coupling, (len(self.bonds),))
        total = jnp.tensordot(couplings, exchange, 1)
        if self.single_ion is not None:
            z = _at_sites(self.spins, 2)
            total += jnp.tensordot(jnp.broadcast_to(self.single_ion, (len(self.spins),)), jnp.asarray(z @ z, dtype), 1)
        return total - zeeman_energy(1.0, self.energy_unit) * field * self.moment_along(cosine)

    def moment_along(self, cosine: Float[ArrayLike, ""]) -> Float[Array, "dim dim"]:
        """The moment in Bohr magnetons along a direction at an angle to z, given by its cosine."""
        along, across = self.moments()
        if self.is_isotropic:
            return along
        cosine = jnp.asarray(cosine)
        sine = jnp.sqrt(jnp.maximum(1 - cosine**2, 0))
        return cosine * along + sine * across


def _at_sites(spins, axis) -> np.ndarray:
    """`S_i` along an axis, shape `(sites, dim, dim)`."""
    return np.stack([_product(spins, {site: axis}) for site in range(len(spins))])


def _on_bonds(spins, bonds) -> np.ndarray:
    """`S_i . S_j`, shape `(bonds, dim, dim)`."""
    dimension = int(np.prod([spin_dimension(spin) for spin in spins]))
    pairs = [sum(_product(spins, {i: axis, j: axis}) for axis in range(3)) for i, j in bonds]
    return np.real(np.asarray(pairs)).reshape(len(bonds), dimension, dimension)


def _product(spins, axes) -> np.ndarray:
    whole = np.eye(1)
    for site, spin in enumerate(spins):
        factor = spin_matrices(spin)[axes[site]] if site in axes else np.eye(spin_dimension(spin))
        whole = np.kron(whole, factor)
    return whole
