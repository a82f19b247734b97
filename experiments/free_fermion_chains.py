"""How fast do finite Ising and XX chains reach the thermodynamics of the infinite one, as rings and as open chains?

Both chains are free fermions, here at their critical points: the transverse Ising chain at g = J with
e_k = 4 J sin(k / 2), and the XX chain in no field with e_k = J cos k. The infinite chain has (Pfeuty 1970; Katsura 1962)

    f = ln Z / N = (1 / pi) integral_0^pi F(k) dk,    F(k) = ln 2 cosh(beta e_k / 2).

Finite chains come from two routes that know no integral: rings from their two parity sectors, open chains of up to 1000
sites from one decomposition of a Kitaev chain or of a tight-binding chain.

Expected: ln Z - N f tends, for an open chain, to the constant that its two ends contribute, exactly
(f - ln 2 cosh(2 beta J)) / 2 (Ising) and f - ln 2 cosh(beta J / 2) (XX), so its bulk is reached as 1 / N. A ring has
no ends: ln Z - N f = m e^(-N / xi), exponentially small, with the correlation length of the spins at this temperature,

    1 / xi = -(1 / pi) integral_0^pi ln tanh(beta |e_k| / 2) dk,

and m = 1 (Ising: one field, sigma^z) or 2 (XX with N a multiple of 4: S^+ and S^-). Where T >> J / N the heat capacity per
site is that of the infinite chain, linear in T below: c = pi c_0 T / (3 v) with central charge c_0 = 1/2 and velocity
v = 2 J (Ising), c_0 = 1 and v = J (XX).

Source: P. Pfeuty, Ann. Phys. 57, 79 (1970); S. Katsura, Phys. Rev. 127, 1508 (1962); I. Affleck, PRL 56, 746 (1986).
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.equilibrium import ring_log_partition

from ._report import BLACK, BLUE, VERMILION, Report, panel_letters

TEMPERATURES = (0.02, 3.0)  # k_B T / J
COLD = 0.2  # k_B T / J of the sizes
POINTS = 2**15  # of the trapezoid rule, exact to rounding for these periodic functions


class Chain:
    """One of the two models, `J = 1`."""

    def __init__(self, name, color, energy, ring_modes, open_chain, offset, fields, zeros, velocity, charge):
        self.name, self.color, self.energy = name, color, energy
        self.ring_modes, self.open_chain, self.offset = ring_modes, open_chain, offset
        self.fields, self.zeros, self.velocity, self.charge = fields, zeros, velocity, charge

    def per_site(self, beta):
        """`f` of the infinite chain."""
        x = beta * self.energy(momenta(0.0)) / 2
        return np.mean(np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))))

    def capacity_per_site(self, beta):
        """`C / N` of the infinite chain."""
        x = beta * self.energy(momenta(0.0)) / 2
        return np.mean((x / np.cosh(np.clip(x, -350, 350))) ** 2)

    def inverse_length(self, beta):
        """`1 / xi`: each zero of `tanh` between two points of the grid adds `ln 2` to the sum."""
        x = np.abs(beta * self.energy(momenta(0.5))) / 2
        return -(np.mean(np.log(np.tanh(x))) - self.zeros * np.log(2) / POINTS)

    def ends(self, beta):
        """`ln Z - N f` of the open chain."""
        x = np.abs(beta * self.energy(np.pi)) / 2
        top = x + np.log1p(np.exp(-2 * x))
        return (self.per_site(beta) - top) / 2 if self.offset else self.per_site(beta) - top

    def ring(self, sites):
        """`ln Z` and `C` of a ring, functions of beta."""
        sectors = self.ring_modes(sites)
        curvature = jax.grad(jax.grad(lambda beta: ring_log_partition(sectors, beta)))
        return jax.jit(jax.vmap(lambda beta: (ring_log_partition(sectors, beta), beta**2 * curvature(beta))))

    def open(self, sites, betas):
        """`ln Z` and `C` of an open chain at each beta, from one decomposition."""
        spectrum = jg.thermal_spectrum(self.open_chain(sites))
        log_z, capacity = jax.jit(jax.vmap(lambda beta: (spectrum.log_partition(beta), spectrum.heat_capacity(beta))))(
            betas
        )
        return np.asarray(log_z + betas * self.offset * sites), np.asarray(capacity)


def momenta(shift: float) -> np.ndarray:
    return 2 * np.pi * (np.arange(POINTS) + shift) / POINTS


def ising() -> Chain:
    """`H = -sum sigma^z sigma^z - sum sigma^x`; its fermions are a Kitaev chain, less `g` a site."""
    return Chain(
        "Ising, g = J",
        BLUE,
        lambda k: 4 * np.sin(k / 2),
        models.transverse_ising_ring_modes,
        lambda sites: models.kitaev_chain(sites, 1.0, 1.0, -2.0),
        1.0,
        fields=1,
        zeros=1,
        velocity=2.0,
        charge=0.5,
    )


def xx() -> Chain:
    """`H = sum S^x S^x + S^y S^y`; its fermions hop with `J / 2`."""
    return Chain(
        "XX",
        VERMILION,
        np.cos,
        models.xx_ring_modes,
        lambda sites: models.tight_binding_chain(sites, 0.5),
        0.0,
        fields=2,
        zeros=2,
        velocity=1.0,
        charge=1.0,
    )


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    longest = 200 if report.quick else 1000
    temperatures = np.geomspace(*TEMPERATURES, 24 if report.quick else 48)
    fine = np.geomspace(*TEMPERATURES, 200)
    sizes = [8, 32, 128] if report.quick else [4, 8, 16, 24, 32, 48, 64, 96, 128, 160, 200, 240]
    with report.figure(7.6, 5.1) as figure:
        left, right = figure.subplots(1, 2)
        for chain in (ising(), xx()):
            capacity = judge(report, chain, longest, temperatures)
            draw_capacity(left, chain, fine)
            left.plot(temperatures[::2], capacity[::2], "o", color=chain.color, ms=4, mfc="none")
            draw_distance(right, chain, sizes, report)
        finish(left, right, longest)
        panel_letters((left, right))
    return report.conclude()


def judge(report: Report, chain: Chain, longest: int, temperatures: np.ndarray) -> np.ndarray:
    """Long chains against the integrals; the heat capacity per site of the open one."""
    betas = jnp.asarray(1 / temperatures)
    per_site = np.array([chain.per_site(beta) for beta in 1 / temperatures])
    ends = np.array([chain.ends(beta) for beta in 1 / temperatures])
    log_z, open_capacity = chain.open(longest, betas)
    # Where N is many thermal lengths v / T; what is left is rounding, eps of ln Z.
    warm = temperatures > 40 * chain.velocity / longest
    error = np.abs(log_z - longest * per_site - ends) / np.abs(log_z)
    report.expect(f"{chain.name}, open chain of {longest}: largest error of N f + ends", error[warm].max(), below=1e-12)
    ring, capacity = map(np.asarray, chain.ring(4 * longest)(betas))
    report.expect(
        f"{chain.name}, ring of {4 * longest}: largest error of ln Z / N",
        np.abs(ring / (4 * longest * per_site) - 1)[warm].max(),
        below=1e-12,
    )
    exact = np.array([chain.capacity_per_site(beta) for beta in 1 / temperatures])
    report.expect(
        f"{chain.name}, ring of {4 * longest}: largest error of C / N",
        np.abs(capacity / (4 * longest) - exact)[warm].max(),
        below=1e-9,
    )
    cold = 0.01
    report.expect(
        f"{chain.name}: C / (N T) at k_B T = {cold} J",
        chain.capacity_per_site(1 / cold) / cold,
        near=(np.pi * chain.charge / (3 * chain.velocity), 1e-3),
    )
    return open_capacity / longest


def draw_capacity(axes, chain: Chain, fine) -> None:
    axes.plot(fine, [chain.capacity_per_site(beta) for beta in 1 / fine], color=chain.color, label=chain.name)
    axes.plot(fine, np.asarray(chain.ring(8)(jnp.asarray(1 / fine))[1]) / 8, "--", color=chain.color, lw=1.1)
    axes.plot(fine, chain.open(8, jnp.asarray(1 / fine))[1] / 8, ":", color=chain.color, lw=1.4)


def draw_distance(axes, chain: Chain, sizes, report: Report) -> None:
    """`|ln Z - N f|` over `N`."""
    beta = 1 / COLD
    per_site, rate = chain.per_site(1 / COLD), chain.inverse_length(1 / COLD)
    rings = np.array([float(ring_log_partition(chain.ring_modes(n), beta)) - n * per_site for n in sizes])
    opened = np.array(
        [float(jg.log_partition(chain.open_chain(n), beta)) + n * (beta * chain.offset - per_site) for n in sizes]
    )
    expected = chain.fields * np.exp(-np.array(sizes) * rate)
    # the next field has at least four times the exponent, and the logarithm of 1 + m e^(-N / xi) a half of its square
    clear = (expected < 1e-2) & (expected > 1e-9)
    report.say(f"{chain.name}: correlation length {1 / rate:.3f} sites at k_B T = {COLD} J")
    error = np.abs(rings / expected - 1)[clear].max()
    report.expect(f"{chain.name}, rings: largest relative error of m exp(-N / xi)", error, below=0.02)
    ends = chain.ends(1 / COLD)
    report.expect(
        f"{chain.name}, open chains: error of the ends at N = {sizes[-1]}", abs(opened[-1] - ends), below=1e-10
    )
    visible = np.abs(rings) > 3e-13 * np.abs(np.array(sizes) * per_site)
    grid = np.linspace(0, sizes[-1], 200)
    axes.plot(grid, chain.fields * np.exp(-grid * rate), color=chain.color, lw=1.2)
    axes.plot(np.array(sizes)[visible], np.abs(rings)[visible], "s", color=chain.color, ms=4.5, mfc="none")
    axes.axhline(abs(ends), color=chain.color, lw=1.2)
    axes.plot(sizes, np.abs(opened), "o", color=chain.color, ms=4.5, mfc="none")


def finish(left, right, longest) -> None:
    left.plot([], [], color=BLACK, label="infinite chain")
    left.plot([], [], "--", color=BLACK, lw=1.1, label="ring, N = 8")
    left.plot([], [], ":", color=BLACK, lw=1.4, label="open, N = 8")
    left.plot([], [], "o", color=BLACK, ms=4, mfc="none", label=f"open, N = {longest}")
    left.set(
        xscale="log", xlim=TEMPERATURES, xlabel=r"temperature $k_B T/J$", ylabel=r"heat capacity per site $C/Nk_B$"
    )
    left.set_ylim(0, 0.6)
    left.legend(loc="upper left")
    right.plot([], [], "s", color=BLACK, ms=4.5, mfc="none", label="rings")
    right.plot([], [], "o", color=BLACK, ms=4.5, mfc="none", label="open chains")
    right.plot([], [], color=BLACK, lw=1.2, label=r"$m\,e^{-N/\xi}$; ends")
    right.set(yscale="log", ylim=(1e-12, 10), xlim=(0, None), xlabel="sites N", ylabel=r"$|\ln Z - N f|$")
    right.legend(loc="upper right", bbox_to_anchor=(1.0, 0.26))
    right.text(0.97, 0.06, rf"$k_B T = {COLD}\,J$", transform=right.transAxes, ha="right")


if __name__ == "__main__":
    sys.exit(main())
