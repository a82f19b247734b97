"""Which energies does no temperature have?

Where every site is coupled to all others the entropy s(e) per site can be convex. A heat bath then never leaves the
system at these energies: the canonical ensemble jumps over them by Maxwell's construction, although at given energy
they are ordinary states, some with a negative specific heat. Two models: the quantum ferromagnet
`H = -J N m^3 - g sum sigma^x` (J = 1, g = 0.65), whose finite sizes come from blocks of the total spin, and spins 1 with
`H = D sum S^2 - K (sum S)^2 / 2 N` (Blume-Capel, K = 1).

Expected:
- coexistence is that of the textbook free energies, `min_m 2 J m^3 - T ln 2 cosh(beta sqrt(9 J^2 m^4 + g^2))` and
  `min_m K m^2 / 2 - T ln(1 + 2 e^(-beta D) cosh(beta K m))`, which know nothing of s(e);
- the quantum temperature doubles where the spin begins to tilt as the energy falls;
- the first-order line of Blume-Capel ends at `D = ln(4) / 3` with a heat bath and at 0.46241 at given energy;
- where the ensembles agree, energies per site fluctuate as `1 / sqrt(N)`, and `D(mic || can)` is that of two normal
  distributions;
- within the convex part the canonical energy is bimodal: it fluctuates by `sqrt((e_2 - e) (e - e_1))` at every N, and
  `D(mic || can) / N` tends to the distance of s(e) from its hull, less `ln(N) / 2 N` for a window of fixed width.

Source: Barre, Mukamel & Ruffo, PRL 87, 030601 (2001); Jorg, Krzakala, Kurchan, Maggs & Pujos, EPL 89, 40004 (2010);
Touchette, J. Stat. Phys. 159, 987 (2015).
"""

import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import logsumexp

from jaxgibbs import ensembles, models
from jaxgibbs.ensembles import BlumeCapelLimit, Coexistence, PSpinLimit

from ._report import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, Report, panel_letters

FIELD, CRYSTAL, CLOSE = 0.65, 0.485, 0.463  # the last is next to the tricritical points
SHADES = (SKY, BLUE, PURPLE)


class Limit(NamedTuple):
    """A model of infinite size on a grid of energies."""

    model: PSpinLimit | BlumeCapelLimit
    energies: np.ndarray
    entropies: np.ndarray
    temperatures: np.ndarray
    heats: np.ndarray
    coexistence: Coexistence

    @property
    def below_tangent(self) -> np.ndarray:
        """`s(e)` less Maxwell's line, in nats."""
        return below_tangent(self.energies, self.entropies, self.coexistence)

    @property
    def depth(self) -> float:
        """Of the convex part, in nats per site."""
        return max(self.gap(e) for e in np.linspace(*np.asarray(self.coexistence.energies), 801))

    def gap(self, energy: float) -> float:
        """How far `s(e)` is below its hull."""
        return -float(np.interp(energy, self.energies, np.minimum(self.below_tangent, 0)))


class Sizes(NamedTuple):
    """Exact finite sizes: the reports at an energy that both ensembles have, and at one within the convex part."""

    name: str
    sizes: tuple[int, ...]
    spectra: list
    agree: ensembles.EquivalenceReport
    between: ensembles.EquivalenceReport


def below_tangent(energies, entropies, coexistence):
    e, s = np.asarray(energies), np.asarray(entropies)
    low = float(coexistence.energies[0])
    line = float(coexistence.beta) * (e - low)
    return s - line - np.interp(low, e, s - line)


def on_grid(model, low, high) -> Limit:
    e = jnp.linspace(low, high, 801)
    s, beta, heat = (np.asarray(jax.vmap(f)(e)) for f in (model.entropy, model.beta, model.specific_heat))
    return Limit(model, np.asarray(e), s, 1 / beta, heat, model.transition())


def textbook_transition(log_partition, least: float, most: float, betas) -> tuple[float, float, float]:
    """`beta_t` and both energies from `ln Z / N` as a function of beta and m, ordered between `least` and `most`."""

    def branch(beta):
        found = minimize_scalar(
            lambda m: -log_partition(beta, m), bounds=(least, most), method="bounded", options={"xatol": 1e-12}
        )
        return -found.fun

    beta = brentq(lambda b: branch(b) - log_partition(b, 0.0), *betas, xtol=1e-13)
    step = 1e-4
    energies = [-(f(beta + step) - f(beta - step)) / (2 * step) for f in (branch, lambda b: log_partition(b, 0.0))]
    return beta, *energies


def tilted_spin(beta, m):
    return -2 * beta * m**3 + np.logaddexp(*(s * beta * np.sqrt(9 * m**4 + FIELD**2) for s in (1, -1)))


def spins_one(beta, m):
    return -beta * m**2 / 2 + logsumexp([beta * m - beta * CRYSTAL, 0, -beta * m - beta * CRYSTAL])


def density(spectrum, sites: int, beta, energies, width: float) -> np.ndarray:
    """`p(e)` of the canonical ensemble, broadened by `width`."""
    exponents = np.asarray(spectrum.log_degeneracies) - beta * np.asarray(spectrum.levels)
    weights = np.exp(exponents - logsumexp(exponents))
    step = (energies[1] - energies[0]) / 8
    edges = np.arange(energies[0] - 8 * width, energies[-1] + 8 * width, step)
    counts, _ = np.histogram(np.asarray(spectrum.levels) / sites, edges, weights=weights)
    middles = (edges[1:] + edges[:-1]) / 2
    kernel = np.exp(-(((energies[:, None] - middles) / width) ** 2) / 2) / (width * np.sqrt(2 * np.pi))
    return kernel @ counts


def equal_weights(spectrum, sites: int, border: float, guess: float) -> float:
    """The beta at which the levels below and above an energy per site have the same weight."""
    levels, logs = np.asarray(spectrum.levels), np.asarray(spectrum.log_degeneracies)
    low = levels < border * sites

    def excess(beta):
        exponents = logs - beta * levels
        return logsumexp(exponents[low]) - logsumexp(exponents[~low])

    return brentq(excess, 0.8 * guess, 1.2 * guess, xtol=1e-12)


def extrapolated(sizes, values) -> float:
    """To infinite size, where the last two differ as `1 / N`."""
    (n, m), (x, y) = sizes[-2:], (float(v) for v in values[-2:])
    return (m * y - n * x) / (m - n)


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    ferromagnet = PSpinLimit(1.0, FIELD)
    quantum = on_grid(ferromagnet, 0.999 * float(ferromagnet.ground_energy), -0.02)
    spins = on_grid(BlumeCapelLimit(CRYSTAL), 0.005, 0.14)
    close = on_grid(BlumeCapelLimit(CLOSE), 0.146, 0.153)
    judge_limits(report, quantum, spins, close)
    few, many = ((50, 100, 200), (200, 400, 800)) if report.quick else ((75, 150, 300), (400, 800, 1600))
    found = [
        study("ferromagnet", few, [models.p_spin_spectrum(n, 1.0, FIELD) for n in few], (-0.2, -0.6), 4.0),
        study("spins 1", many, [models.blume_capel(n, CRYSTAL) for n in many], (0.12, 0.066), 1.0),
    ]
    densities = [judge_sizes(report, limit, sizes) for limit, sizes in zip((quantum, spins), found, strict=True)]
    with report.figure(12.6, 7.4) as figure:
        axes = figure.subplots(2, 3)
        draw(axes, (quantum, spins, close), found, densities)
        panel_letters(axes.ravel())
    return report.conclude()


def study(name, sizes, spectra, energies, width) -> Sizes:
    return Sizes(name, sizes, spectra, *(ensembles.equivalence(spectra, sizes, e, width=width) for e in energies))


def judge_limits(report: Report, quantum: Limit, spins: Limit, close: Limit) -> None:
    """Against free energies that know nothing of entropies."""
    cases = (
        ("ferromagnet", quantum, textbook_transition(tilted_spin, 0.5, 1.0, (0.6, 0.9))),
        ("spins 1", spins, textbook_transition(spins_one, 0.5, 1.0, (4.0, 5.5))),
    )
    for name, limit, (beta, *energies) in cases:
        phases = limit.coexistence
        report.say(f"{name}: T_t = {1 / float(phases.beta):.8f}, latent heat {float(phases.latent_heat):.8f} per site")
        report.expect(f"{name}: beta_t - that of the free energies", float(phases.beta) - beta, near=(0, 1e-9))
        worst = np.abs(np.asarray(phases.energies) - energies).max()
        report.expect(f"{name}: energies of the phases - slopes of the free energies", worst, below=1e-6)
    energy, (below, above) = quantum.model.temperature_jump()
    # the grid has no point at the jump; each side is read off its own temperatures
    e, t = quantum.energies, quantum.temperatures
    sides = [np.polyval(np.polyfit(e[s] - float(energy), t[s], 3), 0.0) for s in near_sides(e, float(energy))]
    report.expect(
        "ferromagnet: T just below the energy of the tilt over T just above", sides[0] / sides[1], near=(2, 1e-3)
    )
    report.expect("the same from the model", above / below, near=(2, 1e-12))
    for name, limit in (("ferromagnet", quantum), (f"spins 1, D = {CLOSE}", close)):
        inside = np.where(limit.heats < 0)[0]
        low, high = (float(x) for x in limit.coexistence.energies)
        first, last = limit.energies[inside[0]], limit.energies[inside[-1]]
        report.hold(
            f"{name}: negative specific heat from e = {first:.5g} to {last:.5g}, within the convex part",
            bool(low < first and last < high),
        )
    judge_tricritical_points(report)


def near_sides(e, jump, reach=0.08):
    return (e < jump) & (e > jump - reach), (e > jump) & (e < jump + reach)


def judge_tricritical_points(report: Report) -> None:
    """Where the latent heat of a heat bath, and the step of the temperature at given energy, close."""

    def free(q):  # D of a line of second-order transitions with `beta K q = 1`
        return q * np.log(2 * (1 - q) / q)

    q = brentq(lambda q: 3 * q**2 - 6 * free(q) * q * (1 - q) + 2 * free(q) ** 2 * (1 - q), 0.2, 0.5, xtol=1e-15)
    report.say(f"tricritical D / K: {np.log(4) / 3:.7f} with a heat bath, {free(q):.7f} at given energy")
    for name, end, size in (
        ("with a heat bath", np.log(4) / 3, lambda d: BlumeCapelLimit(d).transition().latent_heat),
        ("at given energy", free(q), lambda d: -np.subtract(*BlumeCapelLimit(d).temperature_jump()[1])),
    ):
        steps = np.array([1e-4, 2e-4])
        sizes = [float(size(end + step)) for step in steps]
        # the discontinuity grows from 0 in proportion: a straight line through both points meets 0 at the end
        crossing = steps[0] - sizes[0] * (steps[1] - steps[0]) / (sizes[1] - sizes[0])
        report.expect(f"spins 1, {name}: D of no discontinuity - the tricritical point", crossing, near=(0, 5e-6))


def judge_sizes(report: Report, limit: Limit, found: Sizes):
    """Finite sizes tend to the limit; returns the densities of energy at coexistence."""
    name, sizes, _, agree, between = found
    energy, (low, high) = float(between.energy), (float(x) for x in limit.coexistence.energies)
    report.hold(f"{name}: equivalent at e = {float(agree.energy):g}", agree.is_equivalent)
    report.hold(
        f"{name}: not equivalent at e = {energy:g}", bool(between.verdict == ensembles.EQUIVALENCE.inequivalent)
    )
    report.expect(
        f"{name}: exponent of the fluctuations where equivalent", agree.fluctuation_exponent, near=(-0.5, 0.05)
    )
    heat = float(limit.model.specific_heat(agree.energy))
    report.expect(
        f"{name}: canonical specific heat there over that of the limit",
        extrapolated(sizes, agree.canonical_specific_heats) / heat,
        near=(1, 0.02),
    )
    # of two normal distributions of one mean
    inverse = 1 / agree.widths[-1] ** 2 - agree.curvatures[-1] / sizes[-1]
    share = 1 / (float(inverse) * (sizes[-1] * float(agree.fluctuations[-1])) ** 2)
    report.expect(
        f"{name}: D(mic || can) of {sizes[-1]} sites there over that of normal distributions",
        sizes[-1] * float(agree.relative_entropies[-1]) / ((share - 1 - np.log(share)) / 2),
        near=(1, 0.02),
    )
    report.expect(
        f"{name}: depth of the convex part of s, by the last two sizes, over that of the limit",
        np.diff(between.depths[-2:])[0] / (sizes[-1] - sizes[-2]) / limit.depth,
        near=(1, 0.06),
    )
    report.expect(
        f"{name}: D(mic || can) - ln(N) / 2 between the phases, by the last two sizes, over the distance from the hull",
        np.diff(np.array(sizes[-2:]) * between.relative_entropies[-2:] - np.log(sizes[-2:]) / 2)[0]
        / (sizes[-1] - sizes[-2])
        / limit.gap(energy),
        near=(1, 0.1),
    )
    plateau = np.sqrt((high - energy) * (energy - low))
    report.expect(
        f"{name}: fluctuations between the phases over sqrt((e_2 - e)(e - e_1))",
        extrapolated(sizes, between.fluctuations) / plateau,
        near=(1, 0.03),
    )
    return judge_bimodal(report, limit, found, (low, high))


def judge_bimodal(report: Report, limit: Limit, found: Sizes, phases):
    name, sizes, spectra, *_ = found
    low, high = phases
    grid = np.linspace(low - 0.75 * (high - low), high + 0.75 * (high - low), 401)
    border = float(limit.model.temperature_jump()[0])  # of the trough
    betas = [equal_weights(s, n, border, float(limit.coexistence.beta)) for s, n in zip(spectra, sizes, strict=True)]
    # beside powers of 1 / N, the weight in the trough
    report.expect(
        f"{name}: beta of equal weights, extrapolated, over beta_t",
        extrapolated(sizes, betas) / float(limit.coexistence.beta),
        near=(1, 2e-3),
    )
    curves = [
        density(s, n, b, grid, 0.035 * (high - low) * np.sqrt(sizes[-1] / n))
        for s, n, b in zip(spectra, sizes, betas, strict=True)
    ]
    peaks = [i for i in range(1, len(grid) - 1) if curves[-1][i] > max(curves[-1][i - 1], curves[-1][i + 1])]
    report.hold(f"{name}: p(e) of {sizes[-1]} sites has two maxima at beta of equal weights", len(peaks) == 2)
    for place, energy, which in ((peaks[0], low, "lower"), (peaks[-1], high, "upper")):
        report.expect(
            f"{name}: the {which} maximum - e of the phase, in latent heats",
            (grid[place] - energy) / (high - low),
            near=(0, 0.12),
        )
    return grid, curves


def draw(axes, limits, found, densities) -> None:
    quantum, spins, close = limits
    for panel, limit, sizes in ((axes[0, 0], quantum, found[0]), (axes[1, 0], spins, found[1])):
        draw_intruder(panel, limit, sizes)
    draw_temperatures(axes[0, 1], quantum, found[0])
    draw_temperatures(axes[1, 1], close)
    draw_density(axes[0, 2], quantum, found[0], densities[0])
    draw_fluctuations(axes[1, 2], (quantum, spins), found)
    axes[0, 0].set_ylim(-0.065, 0.012)
    axes[1, 0].set(xlim=(-0.015, 0.1), ylim=(-0.0042, 0.0006))
    axes[0, 1].set(xlim=(-1.12, -0.1), ylim=(0.6, 1.75), title="ferromagnet")
    axes[1, 1].set(title=f"spins 1, D = {CLOSE:g}", xticks=[0.146, 0.148, 0.15, 0.152])


def draw_intruder(panel, limit: Limit, found: Sizes) -> None:
    low, high = (float(x) for x in limit.coexistence.energies)
    for n, color, w, spectrum in zip(found.sizes, SHADES, found.agree.widths, found.spectra, strict=True):
        curve = ensembles.entropy_curve(spectrum, w, points=1025)
        e, s = np.asarray(curve.energies) / n, np.asarray(curve.entropies) / n
        kept = (e > limit.energies[0]) & (e < limit.energies[-1])
        panel.plot(e[kept], below_tangent(e, s, limit.coexistence)[kept], color=color, lw=1.1, label=f"N = {n}")
    panel.plot(limit.energies, limit.below_tangent, color=BLACK, label=r"N $\to\infty$")
    panel.plot([low, high], [0, 0], "o-", color=GREEN, ms=4, lw=1.1)
    panel.axvspan(low, high, color=GREEN, alpha=0.07, lw=0)
    panel.set(xlabel="energy per site e", ylabel="s(e) less Maxwell's tangent, nats")
    panel.legend(loc="lower left", title=found.name)


def draw_temperatures(panel, limit: Limit, found: Sizes | None = None) -> None:
    low, high = (float(x) for x in limit.coexistence.energies)
    t = limit.temperatures
    jump = float(limit.model.temperature_jump()[0])
    if found is not None:
        curve = found.agree.curve
        n = found.sizes[-1]
        panel.plot(
            np.asarray(curve.energies) / n,
            1 / np.asarray(curve.betas),
            color=PURPLE,
            lw=1.1,
            label=f"given energy, N = {n}",
        )
    for k, side in enumerate((limit.energies < jump, limit.energies > jump)):
        panel.plot(limit.energies[side], t[side], color=BLACK, label=None if k else r"given energy, N $\to\infty$")
    negative = limit.heats < 0
    panel.plot(
        np.where(negative, limit.energies, np.nan),
        t,
        color=VERMILION,
        lw=3.2,
        alpha=0.75,
        label="negative specific heat",
    )
    panel.plot(
        [low, high], [1 / float(limit.coexistence.beta)] * 2, "o-", color=GREEN, ms=4, label="heat bath: two phases"
    )
    panel.axvline(jump, color=BLACK, lw=0.7, ls=":")
    panel.set(xlabel="energy per site e", ylabel="temperature")
    panel.legend(loc="best")


def draw_density(panel, limit: Limit, found: Sizes, densities) -> None:
    grid, curves = densities
    for n, color, p in zip(found.sizes, SHADES, curves, strict=True):
        panel.plot(grid, p, color=color, label=f"N = {n}")
    for energy in limit.coexistence.energies:
        panel.axvline(float(energy), color=GREEN, lw=0.9, ls="--")
    panel.set(xlabel="energy per site e", ylabel="p(e), both phases of equal weight", ylim=(0, 1.1 * np.max(curves)))
    panel.legend(loc="upper center", bbox_to_anchor=(0.49, 0.95), handlelength=1.2, title=found.name)


def draw_fluctuations(panel, limits, found) -> None:
    for limit, sizes, color in zip(limits, found, (BLUE, ORANGE), strict=True):
        low, high = (float(x) for x in limit.coexistence.energies)
        n = np.array([0.8 * sizes.sizes[0], 1.25 * sizes.sizes[-1]])
        for case, mark in ((sizes.agree, "o"), (sizes.between, "s")):
            e = float(case.energy)
            panel.plot(sizes.sizes, case.fluctuations, mark, color=color, mfc="none", label=f"{sizes.name}, e = {e:g}")
        beta, heat = (float(f(sizes.agree.energy)) for f in (limit.model.beta, limit.model.specific_heat))
        panel.plot(n, np.sqrt(heat / n) / beta, color=color, lw=1)
        panel.plot(
            n,
            [np.sqrt((high - float(sizes.between.energy)) * (float(sizes.between.energy) - low))] * 2,
            "--",
            color=color,
            lw=1,
        )
    panel.set(xscale="log", yscale="log", xlabel="sites N", ylabel="canonical fluctuation of e", ylim=(4e-3, 1.5))
    panel.legend(loc="upper left", ncols=2)


if __name__ == "__main__":
    sys.exit(main())
