"""Which susceptibility does a magnet show, and does its spectrum tell the temperature?

Three, in this order: in contact with a bath, thermally isolated but slow, and left to itself altogether. The magnet is a chain of
Ising spins in a tilted field, which has no conserved quantity but its energy. The spectrum tells the temperature in equilibrium,
line by line, by the theorem of fluctuation and dissipation. The spectrum that the regression theorem makes of a master equation
does not, except at the peaks, although its state is exactly thermal: the price of a bath without memory. Energies in units of the
exchange J.

Expected:
- `chi_T >= chi_S >= chi_K` at every temperature; `chi_S` is the slope of the magnetisation along an isentrope, found by
  differentiating two functions of field and temperature, and `chi_K` the response at a frequency of almost 0;
- at high temperature `chi_S / chi_T = 1 - h^2 N / (N (g^2 + h^2) + (N - 1) J^2)`, from three variances of free spins;
- every line of the magnetisation has `chi'' / S = (1 - e^{-w / T}) / 2`, and their `chi'' / w` add up to `pi chi_K`;
- each pair of lines of one spin of the chain, in contact with the others alone, shows the temperature of the whole;
- a damped spin of splitting W shows by regression the temperature `T w / W` at the frequency w, whatever its damping is; the
  share of its spectrum more than 0.3 J from the peak is proportional to the damping.

Source: R. M. Wilcox, Phys. Rev. 174, 624 (1968); R. Kubo, J. Phys. Soc. Jpn. 12, 570 (1957); P. Talkner, Ann. Phys. 167,
390 (1986).
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import models, response

from ._report import BLACK, BLUE, GREEN, VERMILION, Report, panel_letters

TRANSVERSE, LONGITUDINAL = 0.8, 0.5
COLD = 0.7  # the temperature of the spectra
SPLITTING = 1.2  # of the damped spin
RAISING = np.array([[0.0, 1.0], [0.0, 0.0]])


def chain(sites, field):
    return models.transverse_ising_chain(sites, 1.0, TRANSVERSE, longitudinal_field=field)


def magnetisation(sites):
    """The sum of `sigma_z`, as an operator."""
    return -1.0 * models.transverse_ising_chain(sites, 0.0, 0.0, longitudinal_field=1.0)


def along_an_isentrope(sites, beta):
    """`dM/dh` at constant entropy, from derivatives in field and temperature."""
    moment = magnetisation(sites)

    def of(field, beta):
        state = jg.gibbs_state(chain(sites, field), beta)
        return jnp.stack([state.expectation(moment), state.entropy])

    in_field, in_beta = jax.jacfwd(of, (0, 1))(LONGITUDINAL, beta)
    return in_field[0] - in_beta[0] * in_field[1] / in_beta[1]


def damped_spin(rate):
    """A spin in a bath at the temperature `COLD`, by the quantum optical master equation."""
    n = 1 / np.expm1(SPLITTING / COLD)
    return jg.Lindbladian(np.diag([SPLITTING, -SPLITTING]) / 2, [RAISING.T, RAISING], [rate * (n + 1), rate * n])


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    sites = 6 if report.quick else 8
    temperatures = np.logspace(-1, 2, 13 if report.quick else 61)
    spectrum, moment = jg.thermal_spectrum(chain(sites, LONGITUDINAL)), magnetisation(sites)

    @jax.jit
    @jax.vmap
    def three(beta):
        state = spectrum.at(beta)
        kinds = (
            response.isothermal_susceptibility,
            response.adiabatic_susceptibility,
            response.isolated_susceptibility,
        )
        return jnp.stack([f(state, moment, moment) for f in kinds])

    found = np.asarray(three(1 / temperatures))
    steps = found[:, :-1] - found[:, 1:]
    report.hold("chi_T >= chi_S >= chi_K at every temperature", bool(np.all(steps > -1e-9 * found[:, :1])))
    slopes = np.asarray(jax.jit(jax.vmap(lambda beta: along_an_isentrope(sites, beta)))(1 / temperatures))
    warm = temperatures > 0.3  # below, the entropy hardly varies
    report.expect(
        "chi_S - slope along an isentrope, relative", np.abs(found[warm, 1] / slopes[warm] - 1).max(), below=1e-8
    )
    state = spectrum.at(1 / COLD)
    slow = response.dynamic_susceptibility(state, moment, moment, 0.0, 1e-6).real
    isolated = response.isolated_susceptibility(state, moment, moment)
    report.expect("chi_K - chi(w) at a rate of 1e-6, relative", abs(slow / isolated - 1), below=1e-6)
    variance = sites * (TRANSVERSE**2 + LONGITUDINAL**2) + sites - 1
    ratio = np.asarray(three(np.array([1e-4])))[0]
    known = 1 - LONGITUDINAL**2 * sites / variance
    report.expect("chi_S / chi_T at T = 10^4", ratio[1] / ratio[0], near=(known, 1e-3))

    fluctuation, dissipation = (f(state, moment, moment) for f in (response.spectral_lines, response.dissipation_lines))
    positions, weights = np.asarray(fluctuation.positions), np.asarray(fluctuation.weights).real
    lost = np.asarray(dissipation.weights).real
    seen = (np.abs(positions) > 1e-6) & (weights > 1e-12)
    violation = response.fluctuation_dissipation_violation(weights[seen], lost[seen], positions[seen], 1 / COLD)
    report.expect(f"violation of the theorem by {seen.sum()} lines", np.max(violation), below=1e-10)
    report.expect(
        "sum of chi'' / w over pi chi_K, less 1", abs(dissipation.moment(-1).real / np.pi / isolated - 1), below=1e-10
    )

    one = models.transverse_ising_chain(sites, 0.0, 0.0, longitudinal_field=[1.0] + [0.0] * (sites - 1))
    of_spin = response.spectral_lines(state, one, one)
    side = jnp.abs(of_spin.positions) > 1e-6
    mirrored = of_spin.weights.reshape(2**sites, -1).T.ravel()
    pairs = side & (of_spin.weights.real > 1e-9) & (of_spin.positions > 0)
    shown = response.effective_beta(of_spin.weights.real, mirrored.real, of_spin.positions)
    report.expect(
        f"beta of {int(pairs.sum())} pairs of lines of one spin, over that of the whole, less 1",
        jnp.max(jnp.where(pairs, jnp.abs(shown * COLD - 1), 0)),
        below=1e-8,
    )

    frequencies = np.linspace(0.15, 3, 58 if report.quick else 286)
    sides = {}
    for rate in (0.1, 0.01):
        generator = damped_spin(rate)
        forth = jax.vmap(lambda w, g=generator: response.steady_spectrum(g, RAISING.T, RAISING, w).real)(frequencies)
        back = jax.vmap(lambda w, g=generator: response.steady_spectrum(g, RAISING, RAISING.T, -w).real)(frequencies)
        sides[rate] = np.asarray(forth), np.asarray(back)
        regressed = response.effective_beta(*sides[rate], frequencies)
        report.expect(
            f"damping {rate}: beta by regression, times w / W, over beta, less 1",
            np.abs(regressed * COLD * frequencies / SPLITTING - 1).max(),
            below=1e-9,
        )
    wrong = np.abs(frequencies - SPLITTING) > 0.3
    shares = [np.sum(forth[wrong]) for forth, _ in sides.values()]
    report.expect("wrong share at a damping of 0.1, over that at 0.01", shares[0] / shares[1], near=(10, 0.3))

    with report.figure(10.5, 5.4) as figure:
        _draw(
            figure,
            temperatures,
            found / sites,
            (positions[seen], lost[seen] / weights[seen], weights[seen]),
            (np.asarray(of_spin.positions[pairs]), np.asarray(shown[pairs])),
            frequencies,
            sides,
        )
    return report.conclude()


def _draw(figure, temperatures, susceptibilities, theorem, pairs, frequencies, sides) -> None:
    static, ratio, shown = figure.subplots(1, 3)
    names = (r"$\chi_T$, with a bath", r"$\chi_S$, isolated, slow", r"$\chi_K$, left to itself")
    for values, name, color in zip(susceptibilities.T, names, (VERMILION, GREEN, BLUE), strict=True):
        static.loglog(temperatures, values, color=color, label=name)
    static.set(xlabel="temperature $T/J$", ylabel=r"susceptibility per spin, $1/J$", ylim=(2e-3, None))
    static.legend(loc="lower left")

    positions, ratios, weights = theorem
    fine = np.linspace(positions.min(), positions.max(), 400)
    ratio.plot(fine, -np.expm1(-fine / COLD) / 2, color=BLACK, lw=1, label=r"$(1 - e^{-\omega/T})/2$")
    shades = np.log10(weights / weights.max())
    chosen = np.argsort(shades)[-3000:]
    dots = ratio.scatter(positions[chosen], ratios[chosen], c=shades[chosen], s=12, cmap="viridis", vmin=-8, vmax=0)
    figure.colorbar(dots, cax=ratio.inset_axes((0.6, 0.2, 0.04, 0.4)), label="lg of the weight of the line")
    ratio.set(xlabel=r"frequency $\omega/J$", ylabel=r"$\chi''/S$ of each line", xlim=(-8, 8), ylim=(-1e5, 2))
    ratio.set_yscale("symlog", linthresh=1)
    ratio.legend(loc="upper left", bbox_to_anchor=(0, 0.9))

    shown.plot(pairs[0], pairs[1] * COLD, ".", ms=4, color=BLUE, label="spin of the chain, exact")
    for (rate, (forth, back)), style, color in zip(sides.items(), ("-", "--"), (VERMILION, BLACK), strict=True):
        shown.plot(
            frequencies,
            COLD * np.log(forth / back) / frequencies,
            style,
            color=color,
            label=rf"regression, $\gamma$ = {rate:g}",
        )
    shown.axvline(SPLITTING, ymax=0.75, color="0.6", lw=1, ls=":")
    shown.text(SPLITTING + 0.05, 3.6, "$W$", color="0.4")
    shown.set(
        xlabel=r"frequency $\omega$", ylabel=r"$T\;\ln[S(\omega)/S(-\omega)]\,/\,\omega$", xlim=(0, 3), ylim=(0, 6)
    )
    shown.legend(loc="upper right")
    panel_letters((static, ratio, shown))


if __name__ == "__main__":
    sys.exit(main())
