"""Which couplings of a six-centre molecule does chi T tell, and what else comes near?

Spins 5/2, 1/2, 1/2, 5/2, 1/2, 1/2 on a ring (dimension 576), with `H = -2 J S_i . S_j` between the large spins and their
neighbours (J1), between the small ones (J2) and across (J3). The data are synthetic: 50 points of chi T from 2 to 300 K with
Gaussian errors of 0.3 % from a fixed seed. Two molecules are fitted from 64 starts each, five parameters at a time:

- three couplings, one g-factor, a Weiss constant: M commutes with H, and the levels are all it takes;
- two couplings, two g-factors, a Weiss constant: the susceptibility is that of Kubo and Mori.

Expected:
- The lowest minimum has every parameter within three standard errors of the truth and a chi^2 that errors of this size make.
- Other minima exist; a fit from one start may end in them. Each is refused by its chi^2: hundreds or more above the lowest.

Source: O. Kahn, Molecular Magnetism (1993), chapters 5 and 6; R. Kubo, J. Phys. Soc. Jpn. 12, 570 (1957).
"""

import sys

import jax.numpy as jnp
import numpy as np

from ._report import BLACK, BLUE, GREEN, ORANGE, VERMILION, Report, panel_letters
from .benchmarks.six_centres import ONE_G, TEMPERATURES, TRUTH, TWO_G, Curve, fit

MOLECULES = {"one g-factor": ONE_G, "two g-factors": TWO_G}
COLORS = (BLUE, VERMILION, GREEN, ORANGE)
ERROR = 0.003  # of each point, relative


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    starts = 16 if report.quick else 64
    fits = {}
    for name, limits in MOLECULES.items():
        found, seconds, _ = fit(limits, starts)
        fits[name] = found
        report.say(
            f"{name}: {starts} starts in {seconds:.1f} s, compilation included; {found.unfinished} at no minimum"
        )
        for minimum in found.minima:
            words = "  ".join(f"{key} = {x:.4g}({minimum.error[key]:.2g})" for key, x in minimum.value.items())
            report.say(
                f"  chi^2 = {minimum.chi_square:.1f}, {minimum.reached} starts: {words}  {minimum.at_bound or ''}"
            )
        best, *others = found.minima
        for key in limits:
            report.expect(f"{name}: {key}", best.value[key], near=(TRUTH[key], 3 * best.error[key]))
        report.expect(f"{name}: distance of the p-value from 1/2", abs(found.p_value - 0.5), below=0.495)
        report.hold(f"{name}: there are other minima", bool(others))
        if others:
            rise = best.chi_square - min(m.chi_square for m in others)
            report.expect(f"{name}: chi^2 less that of the next minimum", rise, below=-100)
    with report.figure(10.6, 6.4) as figure:
        _draw(figure, fits)
    return report.conclude()


def _data(limits) -> tuple[np.ndarray, np.ndarray]:
    """The points and their errors, as `fit` makes them."""
    exact = np.asarray(Curve(jnp.asarray(TEMPERATURES))({name: TRUTH[name] for name in limits}))
    errors = ERROR * exact
    return exact + errors * np.random.default_rng(0).normal(size=exact.size), errors


def _draw(figure, fits) -> None:
    panels = figure.subplots(2, 2, sharex=True, gridspec_kw={"height_ratios": (2, 1)})
    fine = np.geomspace(2.0, 300.0, 120)
    for (name, found), column in zip(fits.items(), panels.T, strict=True):
        curve, pulls = column
        data, errors = _data(MOLECULES[name])
        bars = {"ls": "", "marker": "o", "ms": 3.6, "color": BLACK, "mfc": "white", "elinewidth": 0.9, "zorder": 3}
        curve.errorbar(TEMPERATURES, data, errors, label="data (synthetic)", **bars)
        for minimum, color in zip(found.minima, COLORS, strict=False):
            couplings = ", ".join(
                f"{key} = {minimum.value[key]:.1f}" for key in ("J1", "J2", "J3") if key in minimum.value
            )
            label = f"$\\chi^2$ = {minimum.chi_square:,.0f}: {couplings} K".replace("= -", "= \N{MINUS SIGN}")
            curve.plot(fine, Curve(jnp.asarray(fine))(minimum.value), color=color, label=label)
            pull = (data - np.asarray(Curve(jnp.asarray(TEMPERATURES))(minimum.value))) / errors
            pulls.plot(TEMPERATURES, pull, "o-", color=color, ms=2.6, lw=0.9)
        curve.set_title(f"three couplings, {name}" if "J3" in MOLECULES[name] else f"two couplings, {name}")
        curve.set(xscale="log", ylabel=r"$\chi T$ / (cm$^3$ K mol$^{-1}$)")
        curve.set_ylim(0, 1.55 * data.max())
        curve.legend(loc="upper left", fontsize=8)
        pulls.axhline(0, color=BLACK, lw=0.8)
        pulls.set_yscale("symlog", linthresh=4)
        pulls.set_yticks([-100, -10, 0, 10, 100], labels=["\N{MINUS SIGN}100", "\N{MINUS SIGN}10", "0", "10", "100"])
        pulls.set(xlabel="temperature / K", ylabel="residual / standard error")
    panel_letters(panels.ravel())


if __name__ == "__main__":
    sys.exit(main())
