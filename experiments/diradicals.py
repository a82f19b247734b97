"""How strong is the exchange in three organic diradicals, and does chi T ask for more than a pair of spins?

Two spins 1/2 on one molecule, H = -2 J S_1 . S_2, with chi T measured on powders from 2 to 300 K. Four models are fitted
to each curve with equal weights, from 32 starts in a box: the pair alone (J, g), with a Weiss constant theta in
chi T / (T - theta), with a mole fraction rho of molecules that have one spin alone (the same g), and with both. The errors of the
digitised points are unknown and taken from the residuals. Akaike's criterion (AICc) says which model the data prefer, the
number of runs of equal sign in the residuals whether that model is enough.

Expected, J and theta in kelvin, the published fits by hand:
    D-NIT2    J = -229.9   g = 1.984
    3D-NIT2   J =  -48.3   g = 1.986   theta = -24.7
    DTD-NIT2  J =  -36.6   g = 2.062   without theta,   J = -31.4, theta = -9.3 +- 1.0 with it
and that Akaike's weights of these two models of DTD-NIT2 leave the one without theta nothing. The comparison of two cannot
say that 8 % of molecules with one spin describe DTD-NIT2 as well as theta does, and both together better than either: the
spread of J over models, 8 K, is the error to quote, not the 0.5 K of the covariance. D-NIT2 leaves theta open, which runs
into the limit of its box.

Source: Stroh et al. (2004), doi 10.1039/B414284E; Ziessel et al., J. Am. Chem. Soc. (2004), doi 10.1021/ja0305959; digitised
by the Spinner project (Apache-2.0). B. Bleaney and K. D. Bowers, Proc. R. Soc. A 214, 451 (1952).
"""

import pathlib
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxgibbs import equilibrium, fitting, models

from ._report import BLACK, BLUE, GREEN, VERMILION, Report, panel_letters

DATA = pathlib.Path(__file__).parent / "diradicals"
COMPOUNDS = {"D-NIT2": "d_nit2.csv", "3D-NIT2": "d3_nit2.csv", "DTD-NIT2": "dtd_nit2.csv"}
PAIR = {"J": (-400.0, 50.0), "g": (1.5, 2.5)}
WEISS, IMPURITY = {"theta": (-60.0, 10.0)}, {"rho": (0.0, 0.3)}
MODELS = {"pair": PAIR, "theta": PAIR | WEISS, "impurity": PAIR | IMPURITY, "both": PAIR | WEISS | IMPURITY}
COLORS = {"pair": VERMILION, "theta": BLUE, "impurity": GREEN, "both": BLACK}
LABELS = {"pair": "pair", "theta": r"pair, $\theta$", "impurity": r"pair, $\rho$", "both": r"pair, $\theta$, $\rho$"}
PUBLISHED = {
    ("D-NIT2", "pair"): {"J": (-229.9, 0.05), "g": (1.984, 6e-4)},
    ("3D-NIT2", "theta"): {"J": (-48.3, 0.05), "g": (1.986, 6e-4), "theta": (-24.7, 0.05)},
    ("DTD-NIT2", "pair"): {"J": (-36.6, 0.05), "g": (2.062, 6e-4)},
    ("DTD-NIT2", "theta"): {"J": (-31.4, 0.05), "theta": (-9.3, 0.05)},
}


class ChiT(eqx.Module):
    """`chi T` of a powder in cm^3 K/mol."""

    temperature: jax.Array

    def __call__(self, p):
        pair = models.SpinCluster((0.5, 0.5), ((0, 1),), p["J"], convention=models.MINUS_TWO_J, g=p["g"])
        chi = equilibrium.chi(pair, self.temperature)
        chi = equilibrium.curie_weiss(chi, self.temperature, p.get("theta", 0.0))
        curie = equilibrium.curie_constant(pair) / 2  # of one spin
        return self.temperature * equilibrium.impure_sample(chi, self.temperature, curie, impurity=p.get("rho", 0.0))


def measured(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Temperatures in K, rising, and `chi T` in cm^3 K/mol."""
    table = np.loadtxt(DATA / name, delimiter=",", skiprows=3)
    return tuple(table[np.argsort(table[:, 0])].T)


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    names = ["pair", "theta"] if report.quick else list(MODELS)
    compounds = {"DTD-NIT2": COMPOUNDS["DTD-NIT2"]} if report.quick else COMPOUNDS
    answers = {}
    for compound, name in compounds.items():
        temperature, chi_t = measured(name)
        curve = ChiT(jnp.asarray(temperature))
        fits = {model: fitting.fit_curve(curve, MODELS[model], chi_t) for model in names}
        answers[compound] = temperature, chi_t, fits
        _tabulate(report, compound, fits)
    _check(report, {compound: fits for compound, (_, _, fits) in answers.items()})
    with report.figure(3.6 * max(len(answers), 2), 6.2) as figure:
        _draw(figure, answers)
    return report.conclude()


def _tabulate(report: Report, compound: str, fits) -> None:
    """Every model with its parameters, what Akaike's criterion gives it, and what its residuals look like."""
    weights = fitting.akaike_weights(fits)
    report.say(f"{compound}: parameters, AICc above the least, weight, rms residual (cm^3 K/mol), runs z, minima")
    lowest = min(fit.aicc for fit in fits.values())
    for model, fit in fits.items():
        words = "  ".join(
            f"{name} = {value:.{2 if name in ('J', 'theta') else 4}f}({fit.error[name]:.2g})"
            + ("!" if name in fit.minima[0].at_bound else "")
            for name, value in fit.value.items()
        )
        report.say(
            f"  {model:<8} {words:<62} {fit.aicc - lowest:6.1f} {weights[model]:7.1e} "
            f"{np.sqrt(np.mean(fit.residual**2)):.5f} {fit.runs_z:5.1f} {len(fit.minima):2d}"
        )
    report.say("  (in brackets the standard error; ! at a limit of the box)")


def _check(report: Report, fits) -> None:
    for (compound, model), values in PUBLISHED.items():
        if compound in fits and model in fits[compound]:
            for name, near in values.items():
                report.expect(f"{compound}, {model}: {name}", fits[compound][model].value[name], near=near)
    dtd = fits["DTD-NIT2"]
    report.expect("DTD-NIT2: standard error of theta, K", dtd["theta"].error["theta"], near=(1.0, 0.05))
    two = fitting.akaike_weights({name: dtd[name] for name in ("pair", "theta")})
    report.expect("DTD-NIT2: weight of the model without theta", two["pair"], below=1e-6)
    report.expect("DTD-NIT2: chance of so few runs without theta", dtd["pair"].runs_p, below=1e-3)
    if report.quick:
        return
    open_ = abs(dtd["theta"].aicc - dtd["impurity"].aicc)
    report.expect("DTD-NIT2: AICc between theta and impurity", open_, below=2)
    report.expect("DTD-NIT2: AICc of both less that of the better", dtd["both"].aicc - dtd["impurity"].aicc, below=-10)
    systematic = np.ptp([fit.value["J"] for fit in dtd.values()])
    report.say(f"DTD-NIT2: J by the four models spreads over {systematic:.1f} K")
    report.hold(
        "D-NIT2: theta runs into the limit of its box", fits["D-NIT2"]["theta"].minima[0].at_bound == ("theta",)
    )


def _draw(figure, answers) -> None:
    grid = figure.subplots(2, len(answers), sharex="col", height_ratios=[2.0, 1.0], squeeze=False)
    for (compound, (temperature, chi_t, fits)), top, bottom in zip(answers.items(), *grid, strict=True):
        fine = jnp.geomspace(0.9 * temperature[0], 300.0, 400)
        for model, fit in fits.items():
            held = " (at a limit)" if fit.minima[0].at_bound else ""
            label = f"{LABELS[model]}: $J$ = \N{MINUS SIGN}{-fit.value['J']:.1f} K{held}"
            top.plot(fine, ChiT(fine)(fit.value), color=COLORS[model], lw=1.2, label=label)
            bottom.plot(temperature, 1e3 * fit.residual, "o-", color=COLORS[model], ms=2.6, lw=0.8)
        top.plot(temperature, chi_t, "o", color=BLACK, ms=3.4, mfc="white", label="measured", zorder=3)
        bottom.axhline(0, color=BLACK, lw=0.8)
        top.set_title(compound)
        top.set(xscale="log", ylim=(-0.01 * chi_t.max(), 1.1 * chi_t.max()))
        top.legend(loc="upper left", fontsize=8, handlelength=1.4)
        ticks = [t for t in (5, 10, 20, 50, 100, 300) if t > 0.9 * temperature[0]]
        bottom.set_xticks(ticks, [str(t) for t in ticks])
        bottom.minorticks_off()
        bottom.set_xlabel("temperature / K")
    grid[0, 0].set_ylabel(r"$\chi T$ / (cm$^3$ K mol$^{-1}$)")
    grid[1, 0].set_ylabel("measured less fitted\n" + r"/ (10$^{-3}$ cm$^3$ K mol$^{-1}$)")
    panel_letters(grid[0])
    figure.align_ylabels(grid[:, 0])


if __name__ == "__main__":
    sys.exit(main())
