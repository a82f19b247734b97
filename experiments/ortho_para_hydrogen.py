"""Why does the heat capacity of hydrogen depend on how it was cooled?

The protons of H2 are fermions: para molecules (nuclear spin 0, weight 1) have even J only, ortho molecules (spin 1,
weight 3) odd J only. Without a catalyst the kinds do not convert, so a gas cooled from room temperature stays a 3 : 1
mixture of two gases ("normal" hydrogen); with a catalyst it is one gas of all levels (equilibrium).

The rotor is rigid, E_J = B J (J + 1), with the constant of the vibrational ground state,
B = B_e - alpha_e / 2 = 60.853 - 3.0622 / 2 = 59.322 cm^-1, or 85.35 K. (B_e alone, the minimum of the potential, is
87.55 K.) For the comparison with measured values it stretches: E_J is less by D J^2 (J + 1)^2, D = 4 B_e^3 / omega_e^2.

Expected:
- hot: C / R = 1 + t^2 / 45 + 16 t^3 / 945, t = B / T, for all kinds, and ortho : para = 3 : 1 (Mulholland 1928);
- cold: equilibrium hydrogen is all para, ortho : para = 9 e^(-2 B / T); 99.8 % para at 20.4 K, close to 50 % at 77 K;
- at every T the equilibrium gas takes up the heat of conversion besides that of its two parts,
  C = x_o C_o + x_p C_p + x_o x_p ((U_o - U_p) / T)^2;
- over all T this heat removes the entropy that the 3 : 1 mixture keeps at T = 0,
  integral of (C_equilibrium - C_mixture) dT / T = (3/4) ln 9 - (3/4) ln(3/4) - (1/4) ln(1/4) = 2.2103, that is
  18.38 J/(mol K) (Giauque 1930);
- at 298.15 K with translation (Sackur and Tetrode), without nuclear spin (R ln 4): S = 130.68 J/(mol K),
  H(T) - H(0) = 8.467 kJ/mol, C_p = 28.84 J/(mol K) (CODATA), to 0.1 %, 0.2 % and 0.4 % for the rigid rotor and to
  0.01 %, 0.03 % and 0.1 % for the one that stretches.

Source: D. M. Dennison, Proc. R. Soc. A 115, 483 (1927); W. F. Giauque, J. Am. Chem. Soc. 52, 4816 (1930);
constants: K. P. Huber and G. Herzberg, Constants of Diatomic Molecules (1979); measured values: CODATA, in the NIST
Computational Chemistry Comparison and Benchmark Database, release 22.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import models, units
from jaxgibbs.operators import Spectrum

from ._report import BLACK, BLUE, GREEN, PURPLE, VERMILION, Report, panel_letters

# Of the ground state of H2, in cm^-1.
EQUILIBRIUM_CONSTANT, VIBRATION_COUPLING, VIBRATION = 60.853, 3.0622, 4401.213
STRETCHING = 4 * EQUILIBRIUM_CONSTANT**3 / VIBRATION**2
ATOMIC_MASS_CONSTANT = 1.66053906892e-27  # kg, CODATA 2022
MOLECULAR_MASS = 2.01588 * ATOMIC_MASS_CONSTANT
R = units.MOLAR_GAS_CONSTANT
B = units.convert(EQUILIBRIUM_CONSTANT - VIBRATION_COUPLING / 2, units.INVERSE_CENTIMETRE, units.KELVIN)
ORTHO_SHARE = 0.75
ROOM = 298.15  # K
EVEN, ODD = models.nuclear_spin_weights(0.5)
MEASURED = {"S": (130.68, 1e-3, 1e-4), "H": (8.467, 2e-3, 3e-4), "Cp": (28.84, 4e-3, 1e-3)}  # value, rigid, stretching


@jax.jit
def curves(temperatures):
    """Heat capacities and energies (K) of all kinds and the para fraction of the equilibrium gas, over temperature."""
    kinds = {
        "para": models.rotor(B, even_weight=EVEN, odd_weight=0),
        "ortho": models.rotor(B, even_weight=0, odd_weight=ODD),
        "equilibrium": models.rotor(B, even_weight=EVEN, odd_weight=ODD),
    }
    found = {kind: jax.vmap(jg.thermodynamics, (None, 0))(gas, 1 / temperatures) for kind, gas in kinds.items()}
    heat = {kind: values.heat_capacity for kind, values in found.items()}
    heat["mixture"] = ORTHO_SHARE * heat["ortho"] + (1 - ORTHO_SHARE) * heat["para"]
    para_fraction = jnp.exp(found["para"].log_partition - found["equilibrium"].log_partition)
    energy = {kind: values.energy for kind, values in found.items()}
    return heat, energy, para_fraction


def stretching_rotor() -> Spectrum:
    """The levels, in K, up to J = 13 of a rotor that stretches; at room temperature the rest is out of reach."""
    j = np.arange(14)
    square = j * (j + 1.0)
    levels = units.convert(-STRETCHING * square**2, units.INVERSE_CENTIMETRE, units.KELVIN) + B * square
    return Spectrum(levels, np.log(np.where(j % 2 == 0, EVEN, ODD) * (2 * j + 1)))


def at_room_temperature(rotation) -> dict[str, float]:
    """Standard entropy, enthalpy (kJ/mol) and C_p of the gas at 1 bar, the nuclear spins taken off."""
    state = jax.jit(jg.thermodynamics)(rotation, 1 / ROOM)
    thermal = 2 * np.pi * MOLECULAR_MASS * units.BOLTZMANN_CONSTANT * ROOM / units.PLANCK_CONSTANT**2
    translation = 2.5 + np.log(thermal**1.5 * units.BOLTZMANN_CONSTANT * ROOM / 1e5)
    return {
        "S": R * (float(state.entropy) - np.log(4) + translation),
        "H": R * (float(state.energy) + 2.5 * ROOM) / 1000,
        "Cp": R * (float(state.heat_capacity) + 2.5),
    }


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    temperatures = np.linspace(4, 400, 100 if report.quick else 397)
    heat, energy, para = jax.tree_util.tree_map(np.asarray, curves(jnp.asarray(temperatures)))
    _check_limits(report)

    ortho = 1 - para
    conversion = ortho * para * ((energy["ortho"] - energy["para"]) / temperatures) ** 2
    parts = ortho * heat["ortho"] + para * heat["para"] + conversion
    report.expect(
        "equilibrium = parts + heat of conversion, largest difference",
        np.abs(parts - heat["equilibrium"]).max(),
        below=1e-12,
    )

    over = np.geomspace(1.5, 4000, 801)
    wide = jax.tree_util.tree_map(np.asarray, curves(jnp.asarray(over))[0])
    frozen = np.trapezoid(wide["equilibrium"] - wide["mixture"], np.log(over))
    expected = ORTHO_SHARE * np.log(9 / ORTHO_SHARE) - (1 - ORTHO_SHARE) * np.log(1 - ORTHO_SHARE)
    report.expect("entropy frozen into the 3 : 1 mixture, J/(mol K)", R * frozen, near=(R * expected, 1e-6))

    rigid = at_room_temperature(models.rotor(B, even_weight=EVEN, odd_weight=ODD))
    stretching = at_room_temperature(stretching_rotor())
    for name, (measured, rigid_error, stretching_error) in MEASURED.items():
        report.expect(f"{name} at {ROOM} K, rigid", rigid[name], near=(measured, rigid_error * measured))
        report.expect(f"{name} at {ROOM} K, stretching", stretching[name], near=(measured, stretching_error * measured))
    for kind in ("para", "equilibrium"):
        top = np.argmax(heat[kind])
        report.say(f"maximum of C, {kind}: {heat[kind][top]:.3f} R at {temperatures[top]:.0f} K")

    with report.figure(6.8, 6.6) as figure:
        _draw(figure, temperatures, heat, para)
    return report.conclude()


def _check_limits(report) -> None:
    hot = 12 * B
    t = B / hot
    heat, _, para = curves(jnp.array([hot]))
    for kind, value in heat.items():
        report.expect(f"C/R at T = 12 B, {kind}", value[0], near=(1 + t**2 / 45 + 16 * t**3 / 945, 2e-6))
    report.expect("ortho : para at T = 12 B", 1 / para[0] - 1, near=(3, 1e-9))
    _, _, para = curves(jnp.array([B / 8, 20.39, 77.0]))
    report.expect(
        "ortho : para over 9 exp(-2 B / T) at T = B / 8", (1 / para[0] - 1) / (9 * np.exp(-16)), near=(1, 1e-9)
    )
    report.expect("para fraction at 20.39 K", para[1], near=(0.998, 5e-4))
    report.expect("para fraction at 77 K", para[2], near=(0.50, 0.01))


def _draw(figure, temperatures, heat, para) -> None:
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2.3, 1.0])
    for kind, color, style, label in (
        ("equilibrium", BLUE, "-", "equilibrium (with catalyst)"),
        ("para", GREEN, "--", "para, J even"),
        ("mixture", VERMILION, "-", "normal, 3 ortho : 1 para, frozen"),
        ("ortho", PURPLE, "-.", "ortho, J odd"),
    ):
        top.plot(temperatures, heat[kind], style, color=color, label=label)
    top.axhline(1, color=BLACK, ls=":", lw=1)
    top.text(215, 1.015, "classical rotor", va="bottom", fontsize=9)
    top.set(xlim=(0, temperatures[-1]), ylim=(0, 1.05 * heat["equilibrium"].max()))
    top.set_ylabel(r"rotational heat capacity $C_{rot}/R$")
    top.legend(loc="upper right")
    molar = top.secondary_yaxis("right", functions=(lambda c: R * c, lambda c: c / R))
    molar.set_ylabel(r"$C_{rot}$ / J mol$^{-1}$ K$^{-1}$")
    bottom.plot(temperatures, 100 * para, color=BLUE)
    bottom.axhline(25, color=VERMILION, lw=1.2)
    bottom.text(temperatures[-1], 27, "normal: 25 %", ha="right", va="bottom", color=VERMILION, fontsize=9)
    for temperature, label in ((20.39, "boiling hydrogen"), (77.0, "boiling nitrogen")):
        at = np.interp(temperature, temperatures, 100 * para)
        bottom.plot(temperature, at, "o", color=BLACK, ms=4.5)
        bottom.annotate(
            f"{label}, {temperature:.4g} K: {at:.1f} %",
            (temperature, at),
            xytext=(12, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    bottom.set(ylim=(0, 112), yticks=(0, 25, 50, 75, 100))
    bottom.set_ylabel("para share in\nequilibrium / %")
    bottom.set_xlabel("temperature / K")
    figure.align_ylabels((top, bottom))
    panel_letters((top, bottom))


if __name__ == "__main__":
    sys.exit(main())
