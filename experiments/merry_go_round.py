"""Is a stationary state enough for equilibrium?

No. On a ring of n sites of equal energy a particle hops to the right at one rate and to the left at another. The uniform
mixture, the Gibbs state at every temperature, is stationary whatever the two rates are, and yet the particle goes round. The
test of stationarity passes, that of detailed balance fails, and the current says why. Times are in units of the mean step.

Expected, for every ratio of the rates, `k+ + k- = 2`:
- the Gibbs state is stationary up to rounding;
- the residual of detailed balance is `sqrt(2) |k+ - k-| / sqrt(k+^2 + k-^2 + n (k+ + k-)^2)`, for every inner product;
- the current is `(k+ - k-) / n`, the affinity of the one cycle `n ln(k+ / k-)`, and their product the entropy production;
- the verdict is `balanced` for equal rates and `driven` for all others, down to a difference of 1e-6 of them.

Source: J. Schnakenberg, Rev. Mod. Phys. 48, 571 (1976); R. Alicki, Rep. Math. Phys. 10, 249 (1976).
"""

import sys

import numpy as np

import jaxgibbs as jg
from jaxgibbs import diagnostics
from jaxgibbs.diagnostics import VERDICTS

from ._report import BLACK, BLUE, VERMILION, Report, panel_letters

SITES = 4


def ring(forward, backward):
    """Hops to the right and to the left, from every site."""
    jumps, rates = [], []
    for site in range(SITES):
        right = np.zeros((SITES, SITES))
        right[(site + 1) % SITES, site] = 1
        jumps += [right, right.T]
        rates += [forward, backward]
    return jg.Lindbladian(np.zeros((SITES, SITES)), jumps, rates)


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    differences = np.concatenate([[0.0], np.logspace(-6, np.log10(1.98), 13 if report.quick else 49)])
    forward, backward = 1 + differences / 2, 1 - differences / 2
    found = [jg.detailed_balance(ring(a, b), beta=1.0) for a, b in zip(forward, backward, strict=True)]

    stationarity = np.array([x.stationarity for x in found])
    residuals = np.array([x.residuals for x in found])
    report.expect("the Gibbs state moves, relative to L, by at most", stationarity.max(), below=1e-15)
    known = np.sqrt(2) * differences / np.sqrt(forward**2 + backward**2 + SITES * 4)
    report.expect(
        "residuals - closed form, of five inner products", np.abs(residuals - known[:, None]).max(), below=1e-14
    )

    currents = np.array([x.currents[1, 0] for x in found])
    report.expect("current - (k+ - k-) / n", np.abs(currents - differences / SITES).max(), below=1e-14)
    cycle = (tuple(range(SITES)),)
    affinities = np.array([diagnostics.cycle_affinities(x.rates, cycle)[0] for x in found])
    report.expect(
        "affinity - n ln(k+ / k-)", np.abs(affinities - SITES * np.log(forward / backward)).max(), below=1e-12
    )
    production = np.array([diagnostics.entropy_production(x.rates, x.populations) for x in found])
    report.expect(
        "entropy production - current x affinity", np.abs(production - currents * affinities).max(), below=1e-12
    )
    report.hold("equal rates: balanced", found[0].verdict == VERDICTS.balanced)
    report.hold(f"all {len(found) - 1} others: driven", all(x.verdict == VERDICTS.driven for x in found[1:]))
    for line in found[-1].explain().splitlines():
        report.say(line)

    with report.figure(9.2, 5.2) as figure:
        test, flow = figure.subplots(1, 2)
        test.loglog(affinities[1:], residuals[1:, 2], "o-", ms=3.5, color=VERMILION)
        test.loglog(affinities[1:], np.maximum(stationarity[1:], 1e-18), "s", ms=3.5, color=BLUE)
        test.text(3e-5, 3e-4, "detailed balance fails", color=VERMILION, rotation=27, fontsize=9)
        test.text(2e-5, 1e-15, "the Gibbs state is stationary", color=BLUE, fontsize=9)
        test.set(xlabel=r"affinity $n\,\ln(k_+/k_-)$", ylabel="residual", ylim=(1e-19, 3))
        fine = np.linspace(0, 1.98, 400)
        drive = SITES * np.log((1 + fine / 2) / (1 - fine / 2))
        flow.plot(drive, fine / SITES, color=BLACK)
        flow.plot(affinities, currents, "o", ms=4, color=BLACK)
        flow.set(xlabel=r"affinity $n\,\ln(k_+/k_-)$", ylabel="current per step time", xlim=(0, None), ylim=(0, None))
        other = flow.twinx()
        other.plot(drive, drive * fine / SITES, color=VERMILION, ls="--")
        other.plot(affinities, production, "o", ms=4, color=VERMILION)
        other.set(ylim=(0, None))
        other.set_ylabel("entropy production, nats per step time", color=VERMILION)
        other.spines["right"].set_visible(True)
        flow.text(4, 0.41, "current", color=BLACK, fontsize=9)
        panel_letters((test, flow))
    return report.conclude()


if __name__ == "__main__":
    sys.exit(main())
