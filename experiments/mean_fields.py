"""What do mean fields get right about superconductors and magnets, and what do they make up?

Bardeen, Cooper and Schrieffer: 4000 pairs of levels in a flat band of half width 1, attracted so that N(0) g = 1/4, and
1/2. Hubbard, t = 1 and U = 4, two sites and a ring of four at half filling: thermal Hartree-Fock against the exact Gibbs
state, of which Peierls and Bogoliubov say that its free energy is the lower one.

Expected: in weak coupling 2 gap / T_c = 3.528, a heat capacity that jumps by 1.426 of the normal one, a gap that closes as
3.063 T_c sqrt(1 - T / T_c), each within 2e-3, and the gap that Muehlschlegel tabulates within 1e-3 of its value at T = 0.
Hartree-Fock's moment m is that of m = mean_k (U m / 2 E_k) tanh(E_k / 2T), E_k^2 = e_k^2 + (U m / 2)^2, within 1e-8: with
particles and holes of one spin exchanged it is the gap of `bcs_state` with the attraction U, U m / 2. It sets in at the
temperature where 1 = U mean_k tanh(e_k / 2T) / 2 e_k, within 1e-6, for every U of the ring and for U > 2 of two sites,
while the exact moment is 0 on average at all temperatures and has a square that hardly knows of it. The exact heat capacity
is smooth, that of Hartree-Fock jumps; its free energy is above the exact one everywhere, and in the cold, where it knows one of
all directions of the moment, that of two sites by (sqrt(U^2 / 4 + 4) - U / 2 - 2 / U) / 2 a site, within 1e-7.

Source: B. Muehlschlegel, Z. Phys. 155, 313 (1959); M. Tinkham, Introduction to Superconductivity (2004), chapter 3; D. R.
Penn, Phys. Rev. 142, 350 (1966); R. Micnas, J. Ranninger and S. Robaszkiewicz, Rev. Mod. Phys. 62, 113 (1990).
"""

import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.equilibrium import bcs_critical_temperature, bcs_state, hartree_fock

from ._report import BLACK, BLUE, GREEN, ORANGE, VERMILION, Report, panel_letters

LEVELS = 4000
BAND = (np.arange(LEVELS) + 0.5) / LEVELS * 2 - 1
COUPLINGS = {0.25: BLUE, 0.5: ORANGE}  # N(0) g
TABLE = {0.3: 0.9971, 0.5: 0.9569, 0.6: 0.9070, 0.7: 0.8288, 0.8: 0.7110, 0.9: 0.5263}  # T / T_c and gap, Muehlschlegel
ZETA = 1.2020569031595943  # of 3
U = 4.0
SITES = {2: BLUE, 4: VERMILION}


# -- superconductors -------------------------------------------------------------------------------------------------


@jax.jit
def superconductor(temperatures, coupling):
    """Gap and heat capacity at each temperature."""

    def one(t):
        def state(t):
            return bcs_state(BAND, coupling, 1 / t).value

        return jnp.stack([state(t).gap, t * jax.grad(lambda t: state(t).entropy)(t)])

    return jax.vmap(one)(temperatures).T


def pairs(report, shares):
    """For each coupling: critical temperature, gaps over that at T = 0, heat capacities over the normal one at T_c."""
    found = {}
    for strength in COUPLINGS:
        coupling = strength * 2 / LEVELS
        critical = float(bcs_critical_temperature(BAND, coupling))
        gap = float(bcs_state(BAND, coupling, 1e2 / critical).value.gap)
        edge = superconductor(critical * jnp.array([1 - 1e-6, 1 + 1e-6, 1 - 1e-4]), coupling)
        jump = float(edge[1, 0] / edge[1, 1]) - 1
        ratio, slope = 2 * gap / critical, float(edge[0, 2]) / critical / 1e-2
        if strength == 0.25:
            report.expect("2 gap / T_c", ratio, near=(2 * np.pi * np.exp(-np.euler_gamma), 3.528 * 2e-3))
            report.expect("jump of the heat capacity", jump, near=(12 / (7 * ZETA), 1.426 * 2e-3))
            report.expect("gap / T_c sqrt(1 - T / T_c) near T_c", slope, near=(np.pi * np.sqrt(8 / (7 * ZETA)), 6e-3))
            table = superconductor(critical * jnp.array(list(TABLE)), coupling)[0] / gap
            report.expect("gap less Muehlschlegel's", np.abs(table - np.array(list(TABLE.values()))).max(), below=1e-3)
        else:
            report.say(f"at N(0) g = {strength}: 2 gap / T_c = {ratio:.3f}, jump {jump:.3f}")
        gaps, heats = superconductor(critical * jnp.asarray(shares), coupling)
        found[strength] = np.asarray(gaps) / gap, np.asarray(heats / edge[1, 1])
    return found


# -- magnets ---------------------------------------------------------------------------------------------------------


def hopping(sites: int):
    matrix = np.zeros((sites, sites))
    for i in range(sites - (sites == 2)):
        matrix[i, (i + 1) % sites] = matrix[(i + 1) % sites, i] = -1.0
    return matrix


@functools.partial(jax.jit, static_argnums=0)
def mean_field(sites, temperatures, interaction):
    """Free energy, moment and heat capacity of Hartree-Fock, and the free energy without a moment; a site each."""
    one = jnp.asarray(hopping(sites))
    two = jnp.zeros((sites,) * 4).at[(jnp.arange(sites),) * 4].set(1.0) * interaction
    signs = jnp.asarray((-1.0) ** np.arange(sites))

    def at(t):
        def state(t, guess=None):
            return hartree_fock(one, two, 1 / t, 0.0, interaction / 2, guess=guess).value

        found = state(t)
        moment = jnp.abs(jnp.diagonal(found.densities[0] - found.densities[1]) @ signs)
        even = state(t, jnp.stack([one, one]))
        heat = t * jax.grad(lambda t: state(t).entropy)(t)
        return jnp.stack([found.free_energy, moment, heat, even.free_energy]) / sites

    return jax.lax.map(at, temperatures).T


@functools.partial(jax.jit, static_argnums=0)
def exact(sites, temperatures, interaction):
    """Free energy, root mean square moment and heat capacity, a site."""
    lattice = models.chain_lattice(sites, periodic=sites > 2)
    hamiltonian = models.fermi_hubbard(lattice, 1.0, interaction, interaction / 2)
    occupied = np.arange(4**sites)[:, None] >> np.arange(2 * sites) & 1
    staggered = occupied @ np.kron([1.0, -1.0], (-1.0) ** np.arange(sites)) / sites  # up, down
    spectrum = jg.thermal_spectrum(hamiltonian.to_dense())

    def at(t):
        state = spectrum.at(1 / t)
        square = state.expectation(np.diag(staggered**2))
        return jnp.stack([state.free_energy / sites, jnp.sqrt(square), state.heat_capacity / sites])

    return jax.vmap(at)(temperatures).T


def moment_by_hand(sites, t, interaction):
    """`m = mean_k (U m / 2 E_k) tanh(E_k / 2 T)`."""
    levels = np.linalg.eigvalsh(hopping(sites))

    def excess(m):
        e = np.hypot(levels, interaction * m / 2)
        return interaction / 2 * np.mean(np.tanh(e / (2 * t)) / e) - 1

    return scipy.optimize.brentq(excess, 1e-9, 1.0, xtol=1e-14) if excess(1e-9) > 0 else 0.0


def onset_by_hand(sites, interaction):
    """`1 = U mean_k tanh(e_k / 2 T) / 2 e_k`, with `1 / 2 T` in place of `tanh(e / 2 T) / e` at `e = 0`."""
    levels = np.abs(np.linalg.eigvalsh(hopping(sites))) + 1e-12
    return scipy.optimize.brentq(
        lambda t: interaction / 2 * np.mean(np.tanh(levels / (2 * t)) / levels) - 1, 1e-4, 10.0, xtol=1e-13
    )


def magnets(report, temperatures):
    """Hartree-Fock and the exact state, for each size."""
    found = {}
    for sites in SITES:
        name = "two sites" if sites == 2 else f"ring of {sites}"
        mean, truth = (np.asarray(f(sites, jnp.asarray(temperatures), U)) for f in (mean_field, exact))
        by_hand = np.array([moment_by_hand(sites, t, U) for t in temperatures])
        report.expect(f"{name}: moment against its equation", np.abs(mean[1] - by_hand).max(), below=1e-8)
        levels = np.linalg.eigvalsh(hopping(sites))
        gaps = jax.vmap(lambda t, e=levels, g=U / sites: bcs_state(e, g, 1 / t).value.gap)(jnp.asarray(temperatures))
        report.expect(f"{name}: gap of BCS, attracted", np.abs(gaps - U * mean[1] / 2).max(), below=1e-8)
        report.expect(f"{name}: exact free energy less Hartree-Fock's", (truth[0] - mean[0]).max(), below=0.0)
        report.expect(f"{name}: with a moment less without", (mean[0] - mean[3]).max(), below=1e-12)
        onset = onset_by_hand(sites, U)
        edges = mean_field(sites, jnp.asarray(onset * np.array([1 - 1e-6, 1 + 1e-6])), U)
        report.hold(
            f"{name}: a moment below T = {onset:.6f}, none above", bool(edges[1, 0] > 1e-4 > 1e-8 > edges[1, 1])
        )
        jump = float(edges[2, 0] - edges[2, 1])
        report.hold(f"{name}: the heat capacity falls there by {jump:.3f} a site", jump > 0.1)
        found[sites] = mean, truth
    # the dimer at T = 0: U / 2 - sqrt(U^2 / 4 + 4) against - 2 / U, with - mu N
    lost = float(mean_field(2, jnp.array([0.05]), U)[0, 0] - exact(2, jnp.array([0.05]), U)[0, 0])
    report.expect("two sites, cold: missed a site", lost, near=((-2 / U - U / 2 + np.sqrt(U**2 / 4 + 4)) / 2, 1e-7))
    return found


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    shares = np.concatenate([np.linspace(0.06, 0.9, 15 if report.quick else 43), 1 - np.geomspace(0.09, 1e-5, 24)])
    shares = np.concatenate([shares, [1 + 1e-6, 1.2]])
    superconductors = pairs(report, shares)
    onsets = [onset_by_hand(sites, U) for sites in SITES]
    temperatures = np.concatenate(
        [
            np.geomspace(0.05, 3.0, 20 if report.quick else 60),
            *(t * (1 - np.geomspace(1e-6, 0.1, 6)) for t in onsets),
            *([t * (1 + 1e-6)] for t in onsets),
        ]
    )
    temperatures = np.sort(temperatures)
    hubbard = magnets(report, temperatures)
    with report.figure(11.0, 6.8) as figure:
        panels = figure.subplots(2, 3).ravel()
        _draw_pairs(panels[:2], shares, superconductors)
        _draw_magnets(panels[2:5], temperatures, hubbard)
        _draw_onsets(panels[5])
        panel_letters(panels)
    return report.conclude()


def _draw_pairs(panels, shares, found) -> None:
    gap, heat = panels
    for (strength, color), (gaps, heats) in zip(COUPLINGS.items(), found.values(), strict=True):
        gap.plot(shares, gaps, color=color, label=f"$N(0)g$ = {strength:g}")
        heat.plot(shares, heats, color=color)
    gap.plot(list(TABLE), list(TABLE.values()), "o", color=BLACK, mfc="none", ms=5, label="Mühlschlegel")
    gap.set(xlabel="$T/T_c$", ylabel=r"gap $\Delta(T)/\Delta(0)$", xlim=(0, 1.2), ylim=(0, 1.08))
    gap.legend(loc="lower left")
    heat.plot([0, 1.2], [0, 1.2], color=BLACK, lw=0.9, ls="--", label="normal state")
    heat.plot([1], [1 + 12 / (7 * ZETA)], "o", color=BLACK, mfc="none", ms=5, label="1 + 1.426")
    heat.set(xlabel="$T/T_c$", ylabel="$C(T)/C_n(T_c)$", xlim=(0, 1.2), ylim=(0, 2.8))
    heat.legend(loc="upper left")


def _draw_magnets(panels, temperatures, found) -> None:
    moment, energy, heat = panels
    for (sites, color), (mean, truth) in zip(SITES.items(), found.values(), strict=True):
        name = "two sites" if sites == 2 else f"ring of {sites}"
        moment.plot(temperatures, mean[1], color=color, label=name)
        moment.plot(temperatures, truth[1], color=color, ls="--", lw=1.2)
        energy.plot(temperatures, mean[0] - truth[0], color=color)
        energy.plot(temperatures, mean[3] - truth[0], color=color, ls=":", lw=1.4)
        heat.plot(temperatures, mean[2], color=color)
        heat.plot(temperatures, truth[2], color=color, ls="--", lw=1.2)
    for panel in (moment, heat):
        panel.plot([], [], color=BLACK, label="Hartree-Fock")
        panel.plot(
            [], [], color=BLACK, ls="--", lw=1.2, label="exact, root mean square" if panel is moment else "exact"
        )
    energy.plot([], [], color=BLACK, label="Hartree-Fock")
    energy.plot([], [], color=BLACK, ls=":", lw=1.4, label="without a moment")
    moment.set(ylabel="staggered moment $m$", ylim=(0, 1.35))
    energy.set(ylabel="$(F_{HF}-F)$ / site", ylim=(0, None))
    heat.set(ylabel="heat capacity / site", ylim=(0, None))
    for panel in panels:
        panel.set(xlabel="$T/t$", xscale="log", xlim=(0.05, 3))
        panel.legend(loc="upper left" if panel is heat else "upper right")


def _draw_onsets(panel) -> None:
    for sites, color in SITES.items():
        interactions = np.linspace(2.02 if sites == 2 else 0.2, 12, 120)
        onsets = [onset_by_hand(sites, u) for u in interactions]
        panel.plot(interactions, onsets, color=color, label="two sites" if sites == 2 else f"ring of {sites}")
    large = np.linspace(0, 12, 2)
    panel.plot(large, large / 4, color=BLACK, lw=0.9, ls=":", label="$U/4$")
    exchange = np.linspace(4, 12, 60)
    panel.plot(exchange, 4 / exchange, color=GREEN, ls="--", lw=1.2, label="exchange $4t^2/U$")
    panel.set(xlabel="$U/t$", ylabel="onset of Hartree-Fock's moment, $T/t$", xlim=(0, 12), ylim=(0, 3.2))
    panel.legend(loc="upper left")


if __name__ == "__main__":
    sys.exit(main())
