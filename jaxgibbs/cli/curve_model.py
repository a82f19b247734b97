"""What a model predicts for measured curves: a molecule and a sample whose numbers are given or fitted."""

import dataclasses
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgibbs.equilibrium import (
    chi,
    chi_of_fluctuations,
    curie_constant,
    curie_weiss,
    impure_sample,
    magnetisation,
    mean_field,
    molar_heat_capacity,
)
from jaxgibbs.models import PLUS_J, ExchangeConvention, SpinCluster
from jaxgibbs.units import AVOGADRO_CONSTANT, BOHR_MAGNETON, EnergyUnit

Entry = float | str
"""A number, or the name of a parameter."""

FIELD_UNIT = 0.1 * AVOGADRO_CONSTANT * BOHR_MAGNETON
"""`N_A mu_B / T` = 0.558 cm^3/mol: what `M / B` in Bohr magnetons a tesla is times."""

SUSCEPTIBILITIES = {"isothermal": chi, "fluctuations": chi_of_fluctuations}
WEISS = ("factor", "molecular field")


@dataclasses.dataclass(frozen=True)
class Molecule:
    """A `SpinCluster` with names of parameters in the place of numbers.

    Args:
        spins: of the sites.
        bonds: pairs of sites.
        couplings: one a bond.
        convention: what a coupling multiplies.
        energy_unit: of couplings and anisotropies.
        g: one for all, one a site, or a pair a site: along z and across it.
        single_ion: one a site, or None.
        orientations: points of the powder average of a magnetisation.
    """

    spins: tuple[float, ...]
    bonds: tuple[tuple[int, int], ...]
    couplings: tuple[Entry, ...]
    convention: ExchangeConvention
    energy_unit: EnergyUnit
    g: Entry | tuple
    single_ion: tuple[Entry, ...] | None
    orientations: int

    def cluster(self, values: Mapping[str, Array]) -> SpinCluster:
        """The molecule at these parameters."""
        return SpinCluster(
            self.spins,
            self.bonds,
            _numbers(self.couplings, values),
            convention=self.convention,
            g=_numbers(self.g, values),
            single_ion=None if self.single_ion is None else _numbers(self.single_ion, values),
            energy_unit=self.energy_unit,
        )

    @property
    def is_isotropic(self) -> bool:
        """Whether all directions are alike by construction."""
        return self.single_ion is None and not (isinstance(self.g, tuple) and isinstance(self.g[0], tuple))


@dataclasses.dataclass(frozen=True)
class Sample:
    """What stands between the molecule and the balance.

    Args:
        theta: Weiss constant in kelvin; of susceptibilities alone.
        weiss: `"factor"` for `T / (T - theta)`, `"molecular field"` for `1 / (1 - theta chi / C)`.
        impurity: mole fraction of free spins.
        impurity_spin: theirs.
        impurity_g: theirs.
        background: `chi_0` in cm^3/mol.
        lattice: of a heat capacity `lattice T^3`, in J/(mol K^4).
        scale: error of mass or calibration.
    """

    theta: Entry = 0.0
    weiss: str = "factor"
    impurity: Entry = 0.0
    impurity_spin: float = 0.5
    impurity_g: Entry = 2.0
    background: Entry = 0.0
    lattice: Entry = 0.0
    scale: Entry = 1.0


class Abscissa(eqx.Module):
    """Where a curve is predicted.

    Args:
        quantity: `"chi"`, `"chi T"`, `"M"` or `"C"`.
        susceptibility: one of `SUSCEPTIBILITIES`; of chi without a field alone.
        temperature: in kelvin, shape (points,).
        field: in tesla, shape (points,); None for none.
        field_name: of the parameter that is the field, where it is one.
        unit: of the data, in that of the library.
    """

    quantity: str = eqx.field(static=True)
    susceptibility: str = eqx.field(static=True)
    temperature: Float[Array, " points"]
    field: Float[Array, " points"] | None
    field_name: str | None = eqx.field(static=True)
    unit: float = eqx.field(static=True)

    def fields(self, values) -> Array | None:
        """The field at each point, in tesla."""
        return self.field if self.field_name is None else jnp.full_like(self.temperature, values[self.field_name])


class Prediction(eqx.Module):
    """All curves, one after the other, as a function of the free parameters.

    Args:
        molecule: with names of parameters.
        sample: likewise.
        fixed: parameters that are not free, by name.
        curves: where each is predicted.
    """

    molecule: Molecule = eqx.field(static=True)
    sample: Sample = eqx.field(static=True)
    fixed: dict[str, Float[Array, ""]]
    curves: tuple[Abscissa, ...]

    def __call__(self, parameters):
        values = self.fixed | dict(parameters)
        return jnp.concatenate([self._predicted(curve, values) / curve.unit for curve in self.curves])

    def _predicted(self, at: Abscissa, values):
        sample, cluster = self.sample, self.molecule.cluster(values)
        alone = self._alone(at, cluster, values)
        if sample.theta != 0.0:  # a problem with M or C has none
            theta = _numbers(sample.theta, values)
            if sample.weiss == "factor":
                alone = curie_weiss(alone, at.temperature, theta)
            else:
                alone = mean_field(alone, curie_constant(cluster), theta)
        free = jnp.zeros_like(alone)
        if sample.impurity != 0.0:
            g = _numbers(sample.impurity_g, values)
            spin = SpinCluster((sample.impurity_spin,), (), jnp.zeros(0), convention=PLUS_J, g=g)
            free = self._alone(at, spin, values)
        mixed = impure_sample(  # with what the free spins show in the place of Curie's law
            alone,
            1.0,
            free,
            impurity=_numbers(sample.impurity, values),
            background=self._background(at, values),
            scale=_numbers(sample.scale, values),
        )
        return mixed * at.temperature if at.quantity == "chi T" else mixed

    def _alone(self, at: Abscissa, cluster: SpinCluster, values):
        """Of one kind of molecules: chi in cm^3/mol also for chi T, M in Bohr magnetons, C in J/(mol K)."""
        field = at.fields(values)
        if at.quantity == "C":
            if field is None:
                return molar_heat_capacity(cluster, at.temperature)
            return jax.vmap(lambda t, b: molar_heat_capacity(cluster, t, b))(at.temperature, field)
        if field is None:
            return SUSCEPTIBILITIES[at.susceptibility](cluster, at.temperature)
        moment = magnetisation(cluster, field, at.temperature, orientations=self.molecule.orientations)
        return moment if at.quantity == "M" else FIELD_UNIT * moment / field

    def _background(self, at: Abscissa, values):
        if at.quantity == "C":
            return _numbers(self.sample.lattice, values) * at.temperature**3
        background, field = _numbers(self.sample.background, values), at.fields(values)
        return background if at.quantity != "M" or field is None else background * field / FIELD_UNIT


def _numbers(entries, values):
    """The array of an entry, or of tuples of entries."""
    if isinstance(entries, tuple):
        return jnp.stack([_numbers(entry, values) for entry in entries]) if entries else jnp.zeros(0)
    return jnp.asarray(values[entries] if isinstance(entries, str) else entries, jnp.result_type(float))
