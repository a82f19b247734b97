"""What fitting one temperature asks of a thermal spectrum: its edges, and the energy counted from the nearer one."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgibbs.equilibrium import thermal_spectrum
from jaxgibbs.equilibrium.exact import AbstractBlockSpectrum
from jaxgibbs.equilibrium.gaussian import GaussianSpectrum
from jaxgibbs.equilibrium.lanczos_spectrum import LanczosSpectrum
from jaxgibbs.equilibrium.levels import LevelSpectrum
from jaxgibbs.equilibrium.modes import BosonSpectrum, FermionSpectrum
from jaxgibbs.equilibrium.product import ProductSpectrum
from jaxgibbs.equilibrium.state import AbstractThermalSpectrum
from jaxgibbs.linalg.exponential_family import spectrum_of
from jaxgibbs.linalg.levels import LevelSums
from jaxgibbs.operators import Bosons, Fermions, KroneckerSum, QuadraticBosons, Spectrum

Scalar = Float[Array, ""]


def parts_of(spectrum: AbstractThermalSpectrum) -> list[AbstractThermalSpectrum]:
    """The independent parts of a spectrum, itself if it is one."""
    if isinstance(spectrum, ProductSpectrum):
        return [leaf for part in spectrum.parts for leaf in parts_of(part)]
    return [spectrum]


def without_tail(spectrum: AbstractThermalSpectrum) -> AbstractThermalSpectrum:
    """The spectrum of the levels kept, taken as all there are."""
    if isinstance(spectrum, ProductSpectrum):
        return ProductSpectrum(tuple(without_tail(part) for part in spectrum.parts))
    if isinstance(spectrum, LevelSpectrum):
        levels = spectrum.operator
        return LevelSpectrum(Spectrum(levels.levels, levels.log_degeneracies if levels.has_degeneracies else None))
    return spectrum


def check_trace_class(operator) -> None:
    """Raise `NotTraceClass` for bosonic modes that have a Gibbs state at no temperature."""
    for part in (
        parts_of(thermal_spectrum(operator)) if isinstance(operator, Bosons | QuadraticBosons | KroneckerSum) else ()
    ):
        if is_bosonic(part):
            part.energy(jnp.ones(()))


def is_bosonic(spectrum: AbstractThermalSpectrum) -> bool:
    """Whether the spectrum is that of free bosons."""
    quadratic = isinstance(spectrum, GaussianSpectrum) and isinstance(spectrum.operator, QuadraticBosons)
    return quadratic or isinstance(spectrum, BosonSpectrum)


def is_bounded(spectrum: AbstractThermalSpectrum) -> bool:
    """Whether there is a highest level, so that negative temperatures exist."""
    return not any(
        is_bosonic(part) or (isinstance(part, LevelSpectrum) and part.operator.tail is not None)
        for part in parts_of(spectrum)
    )


def edges(spectrum: AbstractThermalSpectrum) -> tuple[Scalar, Scalar, Scalar]:
    """Lowest and highest energy, and the rounding error of eigenvalues (zero where levels were given)."""
    ends = [_edges(part) for part in parts_of(spectrum)]
    lowest, highest, rounding = (jnp.sum(jnp.stack(group)) for group in zip(*ends, strict=True))
    return lowest, highest, rounding


def _edges(spectrum):
    if isinstance(spectrum, BosonSpectrum):
        zero = jnp.zeros_like(spectrum.operator.energies[0])
        return zero, zero + jnp.inf, zero
    if isinstance(spectrum, FermionSpectrum):
        energies = spectrum.operator.energies
        return jnp.sum(jnp.minimum(energies, 0)), jnp.sum(jnp.maximum(energies, 0)), jnp.zeros_like(energies[0])
    if isinstance(spectrum, GaussianSpectrum):
        modes, vacuum = spectrum.free_modes()
        lowest, highest, _ = _edges(modes)
        size = jnp.sum(jnp.abs(modes.operator.energies)) + jnp.abs(vacuum)
        return vacuum + lowest, vacuum + highest, 64 * jnp.finfo(size.dtype).eps * size
    levels = _levels(spectrum)
    computed = isinstance(spectrum, AbstractBlockSpectrum | LanczosSpectrum)
    rounding = 64 * jnp.finfo(levels.dtype).eps * jnp.max(jnp.abs(levels)) * computed
    return jnp.min(levels), jnp.max(levels), rounding


def excess(spectrum: AbstractThermalSpectrum, beta: Scalar) -> tuple[Scalar, Scalar]:
    """Distance of the energy to the edge it goes to at `beta = +-inf`, of full relative accuracy; and the variance."""
    terms = [_excess(part, beta) for part in parts_of(spectrum)]
    distance, variance = (jnp.sum(jnp.stack(group)) for group in zip(*terms, strict=True))
    return distance, variance


def _excess(spectrum, beta):
    size = jnp.abs(beta)
    if isinstance(spectrum, BosonSpectrum):
        return spectrum.energy(size), spectrum.energy_variance(size)
    if isinstance(spectrum, FermionSpectrum):
        # Counted from the edge, filling a mode or emptying it costs |e|.
        costs = FermionSpectrum(Fermions(jnp.abs(spectrum.operator.energies)))
        return costs.energy(size), costs.energy_variance(size)
    if isinstance(spectrum, GaussianSpectrum):
        return _excess(spectrum.free_modes()[0], beta)
    sums = LevelSums(-beta, _levels(spectrum), _log_degeneracies(spectrum))
    return jnp.sum(sums.weights * jnp.abs(sums.distance)), sums.central_moment(2)


def _levels(spectrum):
    if isinstance(spectrum, AbstractBlockSpectrum):
        return spectrum_of(spectrum.blocks)
    if isinstance(spectrum, LanczosSpectrum):
        return spectrum.nodes.flat()[0].astype(jnp.finfo(spectrum.operator.dtype).dtype)
    return spectrum.operator.levels


def _log_degeneracies(spectrum):
    if isinstance(spectrum, LanczosSpectrum):
        return spectrum.nodes.flat()[1].astype(jnp.finfo(spectrum.operator.dtype).dtype)
    return spectrum.operator.log_degeneracies if isinstance(spectrum, LevelSpectrum) else None
