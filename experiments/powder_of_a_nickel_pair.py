"""What do powder curves of two unlike nickel(II) ions tell, and what do they leave open?

Two spins 1 with unequal g-factors and axial anisotropy,

    H = -2 J S_1 . S_2 + D sum_i (S_i^z)^2 - mu_B B (g_1 S_1 + g_2 S_2),    g_1, g_2 = g -+ delta,

J = -1.5 cm^-1, D = 5 cm^-1, g = 2.2, delta = 0.08. The data are synthetic: chi T from 2 to 300 K and M(B) at 2 and 5 K to 7 T,
averaged over a powder, with Gaussian errors of 0.3 % + 0.001 drawn from a fixed seed. They are fitted from 16 starts in a
box, chi T alone and with M(B).

Expected:
- M does not commute with H, so <M^2> / (k_B T) exceeds the isothermal (Kubo-Mori) susceptibility, which is dM / dB: at 2 K by
  a factor that grows as delta^2 and D / T grow, at 300 K by less than 1e-3. Fitted to the same data, <M^2> / T is refused,
  with p < 1e-6 and D of a size that is wrong by more than ten of its standard errors.
- chi T alone is described by D > 0 and by D < 0 with another delta, within a rise of chi^2 of 4: its sign is open. M(B)
  decides, and every parameter comes out within three standard errors of the truth.
- chi T depends on delta^2 alone: the profile of chi^2 in delta is a quartic where the covariance has a parabola, whose
  standard error is too wide, and reaches below delta = 0.

Source: O. Kahn, Molecular Magnetism (1993), chapters 1 and 6; R. Kubo, J. Phys. Soc. Jpn. 12, 570 (1957), for the isothermal
form; D. J. Venzon and S. H. Moolgavkar, Appl. Statist. 37, 87 (1988), for profiles.
"""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxgibbs import equilibrium, fitting, models
from jaxgibbs.units import INVERSE_CENTIMETRE

from ._report import BLACK, BLUE, GREEN, VERMILION, Report, panel_letters

TRUTH = {"J": -1.5, "D": 5.0, "g": 2.2, "delta": 0.08}
LIMITS = {"J": (-6.0, 4.0), "D": (-12.0, 12.0), "g": (1.9, 2.5), "delta": (0.0, 0.5)}
TEMPERATURES = np.geomspace(2, 300, 24)
FIELDS, ISOTHERMS = np.linspace(0.5, 7, 8), (2.0, 5.0)
ORIENTATIONS = 8
STARTS = 16


def nickel_pair(p) -> models.SpinCluster:
    """The molecule, in cm^-1."""
    return models.SpinCluster(
        (1.0, 1.0),
        ((0, 1),),
        p["J"],
        convention=models.MINUS_TWO_J,
        g=jnp.stack([p["g"] - p["delta"], p["g"] + p["delta"]]),
        single_ion=jnp.stack([p["D"], p["D"]]),
        energy_unit=INVERSE_CENTIMETRE,
    )


class ChiT(eqx.Module):
    """`chi T` in cm^3 K/mol, isothermal or by fluctuations."""

    temperature: jax.Array
    isothermal: bool = eqx.field(static=True, default=True)

    def __call__(self, p):
        chi = equilibrium.chi if self.isothermal else equilibrium.chi_of_fluctuations
        return self.temperature * chi(nickel_pair(p), self.temperature)


class Both(eqx.Module):
    """`chi T`, then M in Bohr magnetons at every field and temperature."""

    chi_t: ChiT
    field: jax.Array
    temperature: jax.Array

    def __call__(self, p):
        moment = equilibrium.magnetisation(nickel_pair(p), self.field, self.temperature, orientations=ORIENTATIONS)
        return jnp.concatenate([self.chi_t(p), moment])


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    temperature = jnp.asarray(TEMPERATURES)
    warm, fields = (jnp.asarray(x.ravel()) for x in np.meshgrid(ISOTHERMS, FIELDS, indexing="ij"))
    both = Both(ChiT(temperature), fields, warm)
    truth = {name: jnp.asarray(value) for name, value in TRUTH.items()}
    exact = np.asarray(eqx.filter_jit(both)(truth))
    deviations = 0.003 * np.abs(exact) + 0.001
    data = exact + deviations * np.random.default_rng(1).normal(size=exact.size)
    few = slice(len(TEMPERATURES))
    ratio = np.asarray(ChiT(temperature, False)(truth)) / exact[few]
    _check_forms(report, truth, ratio)

    models_ = {"chi T": ChiT(temperature), "<M^2>/T": ChiT(temperature, False)}
    fits = {
        name: fitting.fit_curve(model, LIMITS, data[few], deviations[few] ** 2, starts=STARTS)
        for name, model in models_.items()
    }
    if not report.quick:
        fits["both"] = fitting.fit_curve(both, LIMITS, data, deviations**2, starts=STARTS)
    for name, fit in fits.items():
        _tabulate(report, name, fit)
    _check_fits(report, fits)

    chi_only = models_["chi T"], LIMITS, data[few], deviations[few] ** 2
    interval = fitting.profile_interval(*chi_only, "delta", fit=fits["chi T"])
    report.say(f"chi T: delta from its profile {interval[0]:.3f} to {interval[1]:.3f}")
    report.expect("chi T: distance of the truth from the profile interval", _outside(TRUTH["delta"], interval), below=0)
    width = interval[1] - fits["chi T"].value["delta"]
    report.expect("chi T: upper side of the profile / standard error", width / fits["chi T"].error["delta"], below=0.6)
    at = np.linspace(0.0, 0.3, 16)
    profile = fitting.profile_chi_square(*chi_only, "delta", at, fit=fits["chi T"])
    with report.figure(10.6, 6.6) as figure:
        _draw(figure, (exact, data, deviations, ratio), fits, (at, profile, interval), both)
    return report.conclude()


def _check_forms(report: Report, truth, ratio: np.ndarray) -> None:
    """The isothermal form is the slope of M, the other is not."""

    def slope(t):
        return jax.grad(lambda b: equilibrium.magnetisation(nickel_pair(truth), b, t, orientations=ORIENTATIONS))(1e-4)

    at = jnp.asarray([2.0, 300.0])
    found = jnp.stack([slope(t) for t in at]) * equilibrium.curie_constant(nickel_pair(truth))
    hot = slope(jnp.asarray(1e6)) * 1e6  # where chi T is the Curie constant
    expected = equilibrium.chi(nickel_pair(truth), at)
    report.expect("chi / (dM/dB) - 1, largest", np.abs(expected / (found / hot) - 1).max(), below=1e-4)
    report.say(f"<M^2>/T over chi: {ratio[0]:.3f} at 2 K, {ratio[-1] - 1:.1e} above 1 at 300 K")
    report.hold("<M^2>/T exceeds chi at every temperature", bool(np.all(ratio > 1)))
    report.expect("<M^2>/T over chi less 1 at 300 K", ratio[-1] - 1, below=1e-3)


def _tabulate(report: Report, name: str, fit: fitting.CurveFit) -> None:
    report.say(f"{name}: p = {fit.p_value:.2g}, {fit.unfinished} of {STARTS} starts at no minimum")
    for minimum in fit.minima:
        words = "  ".join(f"{key} = {x:.4g}({minimum.error[key]:.2g})" for key, x in minimum.value.items())
        report.say(f"  {words}  chi^2 = {minimum.chi_square:.1f}, {minimum.reached} starts {minimum.at_bound or ''}")


def _check_fits(report: Report, fits) -> None:
    alone, wrong = fits["chi T"], fits["<M^2>/T"]
    signs = {np.sign(m.value["D"]): m.chi_square for m in reversed(alone.minima) if not m.at_bound}
    report.expect("chi T: rise of chi^2 to the other sign of D", abs(signs[1.0] - signs[-1.0]), below=4)
    report.expect("<M^2>/T: probability", wrong.p_value, below=1e-6)
    distance = abs(abs(wrong.value["D"]) - TRUTH["D"]) / wrong.error["D"]
    report.hold(f"<M^2>/T: |D| is wrong by {distance:.0f} of its standard errors, more than ten", distance > 10)
    if "both" not in fits:
        return
    joint = fits["both"]
    for name, value in TRUTH.items():
        report.expect(f"both: {name}", joint.value[name], near=(value, 3 * joint.error[name]))
    others = [m.chi_square for m in joint.minima if m.value["D"] < 0]
    report.expect("both: chi^2 of D > 0 less that of D < 0", joint.minima[0].chi_square - min(others), below=-100)
    report.expect("both: distance of the p-value from 1/2", abs(joint.p_value - 0.5), below=0.49)


def signed(value: float) -> str:
    """With a minus sign as it is printed."""
    return f"{value:.1f}".replace("-", "\N{MINUS SIGN}")


def _outside(value: float, interval: tuple[float, float]) -> float:
    return max(interval[0] - value, value - interval[1], 0.0)


def _draw(figure, data, fits, profiled, both) -> None:
    (exact, measured, deviations, ratio), (at, profile, interval) = data, profiled
    panels = figure.subplots(2, 2)
    few = len(TEMPERATURES)
    bars = {"ls": "", "marker": "o", "ms": 3.6, "color": BLACK, "mfc": "white", "elinewidth": 0.9, "zorder": 3}
    chi, ratios, moment, parabola = panels.ravel()
    chi.errorbar(TEMPERATURES, measured[:few], deviations[:few], label="data (synthetic)", **bars)
    fine = jnp.geomspace(2.0, 300.0, 200)
    for minimum, style in zip(fits["chi T"].minima[:2], ("-", "--"), strict=False):
        label = f"fit, $D$ = {signed(minimum.value['D'])} cm$^{{-1}}$, $\\chi^2$ = {minimum.chi_square:.1f}"
        chi.plot(fine, ChiT(fine)(minimum.value), color=BLUE, ls=style, label=label)
    wrong = fits["<M^2>/T"].minima[0]
    label = (
        f"$\\langle M^2\\rangle/T$, $D$ = {signed(wrong.value['D'])} cm$^{{-1}}$, $\\chi^2$ = {wrong.chi_square:.0f}"
    )
    chi.plot(fine, ChiT(fine, False)(wrong.value), color=VERMILION, ls=":", label=label)
    chi.set(xscale="log", xlabel="temperature / K", ylabel=r"$\chi T$ / (cm$^3$ K mol$^{-1}$)")
    chi.set_ylim(0, 3.9)
    chi.legend(loc="upper left", fontsize=8)
    pulls = chi.inset_axes((0.50, 0.09, 0.48, 0.36))
    drawn = [(m, "isothermal", BLUE, style) for m, style in zip(fits["chi T"].minima[:2], ("-", "--"), strict=False)]
    for minimum, form, color, style in [*drawn, (wrong, "fluctuations", VERMILION, ":")]:
        model = ChiT(jnp.asarray(TEMPERATURES), form == "isothermal")
        pull = (measured[:few] - np.asarray(model(minimum.value))) / deviations[:few]
        pulls.plot(TEMPERATURES, pull, ls=style, marker="o", color=color, ms=2, lw=0.9)
    pulls.axhline(0, color=BLACK, lw=0.8)
    pulls.set(xscale="log", ylim=(-4.5, 4.5))
    pulls.set_title("residual / standard error", fontsize=8, pad=2)
    pulls.tick_params(labelsize=7)

    ratios.plot(TEMPERATURES, ratio - 1, "o-", color=VERMILION, ms=3.4)
    ratios.plot(TEMPERATURES, deviations[:few] / exact[:few], color=BLACK, ls=":", label="error of the data")
    ratios.set(xscale="log", yscale="log", xlabel="temperature / K")
    ratios.set_ylabel(r"$\langle M^2\rangle / (k_BT\chi) - 1$")
    ratios.legend(loc="upper right")

    best = fits.get("both", fits["chi T"])
    smooth = np.linspace(0.05, 7, 60)
    for k, (t, color) in enumerate(zip(ISOTHERMS, (BLUE, GREEN), strict=True)):
        part = slice(few + k * len(FIELDS), few + (k + 1) * len(FIELDS))
        moment.errorbar(FIELDS, measured[part], deviations[part], **bars)
        lines = [(best.minima[0], "-", f"{t:g} K")]
        lines += [(m, "--", None) for m in best.minima[1:] if m.value["D"] < 0][:1]
        for minimum, style, label in lines:
            curve = Both(both.chi_t, jnp.asarray(smooth), jnp.full(smooth.shape, t))(minimum.value)[few:]
            moment.plot(smooth, curve, color=color, ls=style, label=label)
    moment.plot([], [], color=BLACK, ls="--", label="best with $D < 0$")
    moment.set(xlabel="field / T", ylabel=r"$M$ / ($\mu_B$ per molecule)", xlim=(0, 7.1), ylim=(0, None))
    moment.legend(loc="upper left")

    fit, known = fits["chi T"], fits["chi T"].error["delta"]
    lowest = fit.minima[0].chi_square
    parabola.plot(at, profile - lowest, "o-", color=BLUE, ms=3.4, label="profile")
    parabola.plot(at, ((at - fit.value["delta"]) / known) ** 2, color=VERMILION, ls="--", label="covariance")
    parabola.axhline(1, color=BLACK, lw=0.8, ls=":")
    parabola.axvspan(*interval, color=BLUE, alpha=0.12, lw=0)
    parabola.axvline(TRUTH["delta"], color=BLACK, lw=0.8)
    parabola.text(TRUTH["delta"] + 0.004, 3.6, "truth")
    parabola.set(xlabel=r"$\delta = (g_2 - g_1)/2$", ylim=(-0.2, 4), xlim=(0, 0.3))
    parabola.set_ylabel(r"$\chi^2$ above its minimum, $\chi T$ alone")
    parabola.legend(loc="upper right")
    panel_letters(panels.ravel())


if __name__ == "__main__":
    sys.exit(main())
