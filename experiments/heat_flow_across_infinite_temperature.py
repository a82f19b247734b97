"""Which of two bodies is hotter when one has an inverted population, and where does their contact end?

The nuclear spins of LiF: fluorine (spin 1/2) and lithium (spin 3/2, with 0.413 times the quantum of fluorine) exchange
energy with each other long before they lose it to the lattice, so each is a body with its own temperature (Abragam and
Proctor 1958). Fluorine is inverted, beta < 0. The energy of both together is conserved, and the common inverse
temperature at the end is the one with this energy: `fit_beta` of the pair. Energies are in quanta of fluorine.

Expected, for every pair of initial temperatures of either sign:
- the entropy does not fall, and what is gained is zero only where the temperatures are equal;
- heat flows from the smaller to the larger beta: every negative temperature is hotter than every positive one, and
  the order of hotness is that of -beta (Ramsey 1956);
- the final beta lies between the initial ones; no state reached in between has more entropy;
- dS/dU = beta on both sides of beta = 0, smoothly through it, where S(U) has its maximum;
- two equal spins 1/2 end at tanh(beta / 2) = the mean of their two values.

Source: E. M. Purcell and R. V. Pound, Phys. Rev. 81, 279 (1951); N. F. Ramsey, Phys. Rev. 103, 20 (1956);
A. Abragam and W. G. Proctor, Phys. Rev. 109, 1441 (1958).
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.operators import KroneckerSum

from ._report import BLACK, BLUE, VERMILION, Report, panel_letters

LITHIUM_QUANTUM = 0.413
INITIAL = {"fluorine": -1.6, "lithium": 3.0}  # beta


def bodies():
    """Fluorine and lithium, as Hamiltonians."""
    return {"fluorine": models.single_spin(0.5, field=1.0), "lithium": models.single_spin(1.5, field=LITHIUM_QUANTUM)}


@jax.jit
def contact(first, second, beta_first, beta_second):
    """Final beta, heat that the second body takes from the first, and gain of entropy."""
    both = KroneckerSum((first, second))
    before = [jg.thermodynamics(body, beta) for body, beta in ((first, beta_first), (second, beta_second))]
    final = jg.fit_beta(both, energy=before[0].energy + before[1].energy).value
    after = [jg.thermodynamics(body, final) for body in (first, second)]
    gain = sum(a.entropy - b.entropy for a, b in zip(after, before, strict=True))
    return final, after[1].energy - before[1].energy, gain


@jax.jit
def at_energy(body, energies):
    """beta and entropy at given energies, and dS/dU by automatic differentiation."""

    def entropy(energy):
        beta = jg.fit_beta(body, energy=energy).value
        return jg.entropy(body, beta), beta

    (found, betas), slopes = jax.vmap(jax.value_and_grad(entropy, has_aux=True))(energies)
    return betas, found, slopes


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    pair = bodies()
    fluorine, lithium = pair.values()

    side = np.linspace(-4, 4, 21 if report.quick else 61)
    grid = np.meshgrid(side, side, indexing="ij")
    over_pairs = jax.vmap(contact, (None, None, 0, 0))
    final, heat, gain = (
        np.asarray(x).reshape(grid[0].shape) for x in over_pairs(fluorine, lithium, *map(np.ravel, grid))
    )
    different = grid[0] != grid[1]
    report.expect("entropy lost, the most in any contact", -gain.min(), below=1e-14)
    report.hold("entropy is gained wherever the temperatures differ", bool(np.all(gain[different] > 1e-9)))
    flows = np.sign(heat[different]) == np.sign(grid[1] - grid[0])[different]
    report.hold(f"heat flows from smaller to larger beta in all {flows.size} contacts", bool(np.all(flows)))
    between = (final - np.minimum(*grid) > -1e-12) & (np.maximum(*grid) - final > -1e-12)
    report.hold("the final beta lies between the initial ones", bool(np.all(between)))

    twin = contact(fluorine, fluorine, jnp.array(-1.7), jnp.array(0.6))[0]
    mean = (np.tanh(-1.7 / 2) + np.tanh(0.6 / 2)) / 2
    report.expect("two equal spins 1/2: final beta", twin, near=(2 * np.arctanh(mean), 1e-12))

    start = {name: float(jg.energy(body, INITIAL[name])) for name, body in pair.items()}
    end, moved, gained = (float(x) for x in contact(fluorine, lithium, *map(jnp.asarray, INITIAL.values())))
    report.say(f"fluorine at beta = {INITIAL['fluorine']}, lithium at {INITIAL['lithium']}: both end at {end:.6f}")
    report.say(f"heat from fluorine to lithium {moved:.6f}, entropy gained {gained:.6f}")
    path = np.linspace(0, 1.35 * moved, 41 if report.quick else 161)
    courses = {}
    for name, sign in (("fluorine", -1), ("lithium", 1)):
        betas, entropy, slopes = map(np.asarray, at_energy(pair[name], jnp.asarray(start[name] + sign * path)))
        report.expect(f"{name}: dS/dU - beta, the largest on the way", np.abs(slopes - betas).max(), below=1e-10)
        courses[name] = betas, entropy
    total = courses["fluorine"][1] + courses["lithium"][1]
    report.expect("no state on the way has more entropy than the last", total.max() - total[0] - gained, below=1e-14)

    with report.figure(7.4, 6.8) as figure:
        _draw(figure, pair, start, (end, moved, gained), path, courses, total - total[0], side, heat)
    return report.conclude()


def _draw(figure, pair, start, outcome, path, courses, gain, side, heat) -> None:
    end, moved, gained = outcome
    (curves, slopes), (total, flows) = figure.subplots(2, 2)
    guide = {"color": BLACK, "ls": ":", "lw": 1, "zorder": 0}
    betas = np.linspace(-12, 12, 601)
    for name, spin, color in (("fluorine", "1/2", BLUE), ("lithium", "3/2", VERMILION)):
        body = jax.vmap(jg.thermodynamics, (None, 0))(pair[name], betas)
        curves.plot(body.energy, body.entropy, color=color, label=f"{name}, spin {spin}")
        state = [jg.thermodynamics(pair[name], beta) for beta in (INITIAL[name], end)]
        u, s = ([float(getattr(x, field)) for x in state] for field in ("energy", "entropy"))
        arrow = {"arrowstyle": "->", "color": BLACK, "lw": 1.2, "shrinkA": 4, "shrinkB": 4}
        curves.annotate("", (u[1], s[1]), (u[0], s[0]), arrowprops=arrow)
        curves.plot(u[0], s[0], "o", color=color, ms=7)
        curves.plot(u[1], s[1], "o", color=color, ms=7, mfc="white", mew=1.6)
        slopes.plot(path, courses[name][0], color=color)
    curves.plot([], [], "o", color=BLACK, ms=7, label="initial")
    curves.plot([], [], "o", color=BLACK, mfc="white", mew=1.6, ms=7, label="final")
    curves.axvline(0, ymax=0.72, **guide)
    curves.legend(loc="upper center", ncols=2)
    curves.set(ylim=(0, 1.95), xlabel=r"energy $U/\hbar\omega_F$ per spin", ylabel=r"entropy $S/k_B$ per spin")
    curves.text(-0.3, 0.06, r"$\beta > 0$", ha="center")
    curves.text(0.3, 0.06, r"$\beta < 0$", ha="center")

    slopes.axhline(0, **guide)
    slopes.axvline(moved, **guide)
    slopes.plot(moved, end, "o", color=BLACK, ms=6)
    slopes.annotate(
        "common temperature",
        (moved, end),
        (0.95 * moved, -1.25),
        ha="right",
        fontsize=9,
        arrowprops={"arrowstyle": "-", "lw": 0.8},
    )
    slopes.text(0.06, -1.65, "fluorine", color=BLUE, fontsize=9)
    slopes.text(0.06, 2.8, "lithium", color=VERMILION, fontsize=9)
    slopes.set(xlabel=r"heat moved $Q/\hbar\omega_F$", ylabel=r"$\beta\,\hbar\omega_F$", xlim=(0, path[-1]))

    total.plot(path, gain, color=BLACK)
    total.plot(moved, gained, "o", color=BLACK, ms=6)
    total.axvline(moved, **guide)
    total.set(
        xlabel=r"heat moved $Q/\hbar\omega_F$",
        ylabel=r"entropy gained $\Delta S/k_B$",
        xlim=(0, path[-1]),
        ylim=(0, 1.12 * gained),
    )

    limit = np.abs(heat).max()
    mesh = flows.pcolormesh(
        side, side, heat.T, cmap="RdBu_r", vmin=-limit, vmax=limit, shading="gouraud", rasterized=True
    )
    flows.contour(side, side, heat.T, levels=[0.0], colors=BLACK, linewidths=1.4)
    flows.axhline(0, **(guide | {"zorder": 1}))
    flows.axvline(0, **(guide | {"zorder": 1}))
    flows.plot(*INITIAL.values(), "o", color=BLACK, ms=6)
    flows.set(xlabel=r"initial $\beta$ of fluorine", ylabel=r"initial $\beta$ of lithium", aspect="equal")
    flows.figure.colorbar(mesh, ax=flows, label=r"heat to lithium $Q/\hbar\omega_F$")
    panel_letters((curves, slopes, total, flows))


if __name__ == "__main__":
    sys.exit(main())
