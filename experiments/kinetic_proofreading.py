"""What does it cost to tell a right molecule from a wrong one better than equilibrium can?

An enzyme E binds a right or a wrong substrate, X = R or W, and activates it, X*; both forms fall off, the wrong ones faster by
`e^Delta`. In equilibrium right and wrong X* stand in the ratio `e^Delta`, whatever the rates. Driven by fuel, activation is
faster than its reverse would allow by `e^A`, and every X* is checked twice: the ratio comes near `e^(2 Delta)`. Both cycles
E -> X -> X* -> E have the affinity `A = Delta mu / T`. Energies are in units of the temperature, rates in that of binding.

Expected:
- at A = 0: the ratio is e^Delta, no current flows, the verdict is `balanced`;
- at every A > 0: the verdict is `driven`, and both cycles have the affinity A;
- the ratio lies between e^Delta and min(e^(2 Delta), e^(Delta + A)), and comes within a tenth of e^(2 Delta);
- when activation is faster than the first check there is one check left: the ratio falls back towards e^Delta;
- the entropy produced is the fuel burnt: A times the sum of the currents of both cycles.

Source: J. J. Hopfield, Proc. Natl. Acad. Sci. USA 71, 4135 (1974); J. Ninio, Biochimie 57, 587 (1975).
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import diagnostics
from jaxgibbs.diagnostics import VERDICTS

from ._report import BLACK, BLUE, VERMILION, Report, panel_letters

DELTA = np.log(100.0)
BOUND = np.array([DELTA, 0.0])  # ln of the weight of R and W relative to E
ACTIVATION, RELEASE = 1e-9, 1e-5  # of X -> X*, and of E -> X*, in units of E -> X
ENERGIES = np.array([0.0, -BOUND[0], -BOUND[0], -BOUND[1], -BOUND[1]])  # E, R, R*, W, W*
CYCLES = ((0, 1, 2), (0, 3, 4))


def rates_of(affinity):
    """`W_ij` from `j` to `i` among E, R, R*, W, W*."""
    rates = jnp.zeros((5, 5))
    for bound, energy in zip((1, 3), BOUND, strict=True):
        active = bound + 1
        rates = rates.at[bound, 0].set(1.0).at[0, bound].set(np.exp(-energy))
        rates = rates.at[active, bound].set(ACTIVATION * jnp.exp(affinity)).at[bound, active].set(ACTIVATION)
        rates = rates.at[0, active].set(RELEASE * np.exp(-energy)).at[active, 0].set(RELEASE)
    return rates


@jax.jit
def steady(affinity):
    """Ratio of right to wrong X*, entropy production, affinities and currents of both cycles."""
    rates = rates_of(affinity)
    populations = jg.open_systems.stationary_distribution(rates)
    flow = diagnostics.currents(rates, populations)
    return (
        populations[2] / populations[4],
        diagnostics.entropy_production(rates, populations),
        diagnostics.cycle_affinities(rates, CYCLES),
        jnp.stack([flow[2, 1], flow[4, 3]]),
    )


def enzyme(affinity):
    """The same network as a master equation of quantum states: one jump operator for each rate."""
    rates = np.asarray(rates_of(affinity))
    jumps, values = [], []
    for i, j in zip(*np.nonzero(rates), strict=True):
        jump = np.zeros((5, 5))
        jump[i, j] = 1
        jumps.append(jump)
        values.append(rates[i, j])
    return jg.Lindbladian(np.diag(ENERGIES), jumps, values)


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    affinities = np.linspace(0, 30, 61 if report.quick else 301)
    ratio, production, found, currents = (np.asarray(x) for x in jax.vmap(steady)(affinities))

    report.expect("A = 0: ratio / e^Delta - 1", ratio[0] / np.exp(DELTA) - 1, near=(0.0, 1e-12))
    report.expect("A = 0: largest current", np.abs(currents[0]).max(), below=1e-18)
    balance = jg.detailed_balance(enzyme(0.0), beta=1.0)
    report.hold("A = 0: balanced", balance.verdict == VERDICTS.balanced)
    for affinity in (1e-3, 2.0, 14.0):
        driven = jg.detailed_balance(enzyme(affinity), beta=1.0)
        report.hold(f"A = {affinity:g}: driven", driven.verdict == VERDICTS.driven)
    report.expect("affinities of both cycles - A", np.abs(found - affinities[:, None]).max(), below=1e-12)

    upper = np.minimum(2 * DELTA, DELTA + affinities)
    report.expect("ln(ratio) above its bound", (np.log(ratio) - upper).max(), below=1e-12)
    report.expect("ln(ratio) below Delta", (DELTA - np.log(ratio)).max(), below=1e-12)
    best = int(np.argmax(ratio))
    report.say(f"best ratio {ratio[best]:.0f} at A = {affinities[best]:.1f}; equilibrium allows {np.exp(DELTA):.0f}")
    report.expect("best ratio / e^(2 Delta)", -ratio[best] / np.exp(2 * DELTA), below=-0.9)
    report.expect("ratio at A = 30 / e^Delta", ratio[-1] / np.exp(DELTA), near=(1.0, 0.05))
    fuel = affinities * currents.sum(axis=1)
    worst = np.abs(production - fuel)[1:] / production[1:]
    report.expect("entropy production / fuel burnt - 1", worst[affinities[1:] >= 1].max(), below=1e-9)
    slope = jax.jit(jax.grad(lambda a: jnp.log(steady(a)[0])))
    report.expect("d ln(ratio) / dA at the best ratio", abs(slope(affinities[best])), below=0.05)

    with report.figure(9.2, 5.2) as figure:
        told, cost = figure.subplots(1, 2)
        told.semilogy(affinities, ratio, color=BLUE)
        for height, place, name in (
            (DELTA, 0.78, r"$e^{\Delta}$, equilibrium"),
            (2 * DELTA, 1.12, r"$e^{2\Delta}$, two checks"),
        ):
            told.axhline(np.exp(height), color=BLACK, ls=":", lw=1, zorder=0)
            told.text(30, np.exp(height) * place, name, ha="right", fontsize=9)
        told.set(
            xlabel=r"affinity $\Delta\mu/T$ of the fuel",
            ylabel="right : wrong activated",
            xlim=(0, 30),
            ylim=(60, 2.2e4),
        )
        cost.loglog(production[1:], ratio[1:], color=VERMILION)
        cost.loglog(production[best], ratio[best], "o", ms=6, color=VERMILION)
        cost.axhline(np.exp(DELTA), color=BLACK, ls=":", lw=1, zorder=0)
        cost.axhline(np.exp(2 * DELTA), color=BLACK, ls=":", lw=1, zorder=0)
        cost.set(xlabel="entropy production, nats per binding time", ylabel="right : wrong activated", ylim=(60, 2.2e4))
        panel_letters((told, cost))
    return report.conclude()


if __name__ == "__main__":
    sys.exit(main())
