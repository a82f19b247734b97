"""Where do the heat capacity and the susceptibility of the Heisenberg chain have their maxima, seen from short rings?

`H = J sum S_i . S_{i+1}`, spins 1/2, antiferromagnetic. Rings are decomposed by total spin, momentum and reflection, found
from the terms; `chi = d^2 ln Z / dh^2 / (N beta)` is a second derivative at h = 0, which no symmetry of the value at h = 0 may
spoil. Longer ones are sampled by Lanczos quadrature on random vectors, with error bars.

Expected: of the infinite chain (Bethe ansatz), in units of J and `N g^2 mu_B^2 / J`,

    k_B T = 0.6408510, chi = 0.146926279          k_B T = 0.48028487, C / N k_B = 0.3497121235

At these temperatures correlations reach over few sites: rings approach the numbers exponentially in N, so that Shanks' transform
of three rings lies closer to them than the longest one.

Source: D. C. Johnston et al., Phys. Rev. B 61, 9558 (2000), sec. III; A. Kluemper & D. C. Johnston, Phys. Rev. Lett. 84, 4701
(2000); J. C. Bonner & M. E. Fisher, Phys. Rev. 135, A640 (1964), for rings of up to eleven.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import Chebyshev

import jaxgibbs as jg
from jaxgibbs import models

from ._report import BLACK, BLUE, VERMILION, Report, panel_letters

INFINITE = {"chi": (0.6408510, 0.146926279), "C": (0.48028487, 0.3497121235)}
NODES = 16  # of the interpolation about a maximum; its error falls by a factor of ten with each


@jax.jit
def capacity(ring, temperatures):
    """`C` at each temperature."""
    return jax.vmap(jg.heat_capacity, (None, 0))(ring, 1 / temperatures)


@jax.jit
def susceptibility(ring, temperatures):
    """`chi` at each temperature, for the whole ring."""

    def log_z(field, beta):
        return jg.log_partition(type(ring)(ring.couplings | {"field": field}, ring.terms), beta)

    return temperatures * jax.vmap(jax.grad(jax.grad(log_z)), (None, 0))(0.0, 1 / temperatures)


QUANTITIES = {"chi": susceptibility, "C": capacity}


def maximum(quantity, ring, sites: int, near: float) -> tuple[float, float]:
    """Place and height per site of the maximum near a temperature, by interpolation."""
    low, high = 0.75 * near, 1.4 * near
    nodes = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
    curve = Chebyshev.fit(nodes, np.asarray(quantity(ring, jnp.asarray(nodes))) / sites, NODES - 1, domain=[low, high])
    stationary = curve.deriv().roots()
    inside = [x.real for x in stationary if abs(x.imag) < 1e-9 and low < x.real < high]
    best = max(inside, key=curve)
    return float(best), float(curve(best))


def shanks(three) -> float:
    """The limit of `a + b q^n` from three members."""
    x, y, z = three
    return z - (z - y) ** 2 / ((z - y) - (y - x))


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    # a second derivative needs eigenvectors, and compiles longer
    sizes = {"chi": (4, 6, 8), "C": (6, 8, 10)} if report.quick else {"chi": (6, 8, 10), "C": (6, 8, 10, 12, 14)}
    rings = {n: models.heisenberg_ring(n) for n in range(4, 15, 2)}
    report.say(jg.thermal_spectrum(rings[10], method=jg.Exact(levels_only=True)).explain())
    found = {
        name: {n: maximum(quantity, rings[n], n, INFINITE[name][0]) for n in sizes[name]}
        for name, quantity in QUANTITIES.items()
    }
    for name in QUANTITIES:
        judge(report, name, found[name], trusted=name == "chi" or sizes["C"][-1] > 10)
    temperatures = np.linspace(0.1, 1.5, 3 * NODES)
    curves = {
        (name, n): curve(quantity, rings[n], n, temperatures)
        for name, quantity in QUANTITIES.items()
        for n in (sizes[name][0], sizes[name][-1])
    }
    sampled = sample(report, 10 if report.quick else 16)
    with report.figure(7.6, 5.1) as figure:
        left, right = figure.subplots(1, 2)
        draw_curves(left, temperatures, curves, sampled)
        draw_distance(right, found)
        panel_letters((left, right))
    return report.conclude()


def curve(quantity, ring, sites, temperatures):
    """Per site, as many temperatures at a time as have been compiled for."""
    pieces = [
        np.asarray(quantity(ring, jnp.asarray(few))) for few in np.split(temperatures, len(temperatures) // NODES)
    ]
    return np.concatenate(pieces) / sites


def judge(report: Report, name: str, found: dict[int, tuple[float, float]], *, trusted: bool) -> None:
    """Every ring against the one before and, where the distances fall geometrically, the limit of three."""
    sizes = list(found)
    for which, exact, what in zip((0, 1), INFINITE[name], ("place", "height"), strict=True):
        values = [found[n][which] for n in sizes]
        distances = np.abs(np.array(values) / exact - 1)
        for n, value in zip(sizes, values, strict=True):
            report.say(f"{what} of the maximum of {name}, ring of {n}: {value:.8f}")
        report.hold(
            f"{what} of the maximum of {name}: every ring is closer than the one before",
            bool(np.all(np.diff(distances) < 0)),
        )
        if what == "place" and not trusted:
            continue
        limit = shanks(values[-3:])
        report.expect(
            f"{what} of the maximum of {name}: from three rings, against the infinite chain, relative error",
            abs(limit / exact - 1),
            below=distances[-1],
        )


def sample(report: Report, sites: int):
    """The heat capacity of a ring too long to decompose, at the temperature of the maximum, and its standard error."""
    method = jg.Lanczos(probes=8 if report.quick else 16, depth=40)
    temperature = INFINITE["C"][0]
    state = jg.gibbs_state(models.heisenberg_ring(sites), 1 / temperature, method=method)
    value, error = float(state.heat_capacity) / sites, float(state.standard_error.heat_capacity) / sites
    report.say(f"C / N of a ring of {sites} from {method.probes} random vectors: {value:.5f} +- {error:.5f}")
    return sites, temperature, value, error


def draw_curves(axes, temperatures, curves, sampled) -> None:
    labels = {"chi": (r"$\chi J/Ng^2\mu_B^2$", BLUE), "C": (r"$C/Nk_B$", VERMILION)}
    for ((name, n), values), style in zip(curves.items(), ("--", "-", "--", "-"), strict=True):
        label, color = labels[name]
        axes.plot(temperatures, values, style, color=color, lw=1.3, label=f"{label}, ring of {n}")
    for place, height in INFINITE.values():
        axes.plot(place, height, "+", color=BLACK, ms=11, mew=1.4)
    axes.plot([], [], "+", color=BLACK, ms=9, ls="none", label="infinite chain")
    n, temperature, value, error = sampled
    axes.errorbar([temperature], [value], [error], fmt="s", color=BLACK, ms=4, mfc="none", label=f"{n} sites, Lanczos")
    axes.set(xlabel=r"temperature $k_BT/J$", xlim=(0, 1.5), ylim=(0, 0.55))
    axes.legend(loc="upper right")


def draw_distance(axes, found) -> None:
    for name, color in (("chi", BLUE), ("C", VERMILION)):
        for which, marker, what in ((0, "o", "place"), (1, "s", "height")):
            distance = [abs(found[name][n][which] / INFINITE[name][which] - 1) for n in found[name]]
            label = rf"$\chi$, {what}" if name == "chi" else rf"$C$, {what}"
            axes.plot(list(found[name]), distance, marker + "-", color=color, ms=5, lw=0.8, mfc="none", label=label)
    axes.set(yscale="log", xlabel="sites N", ylabel="relative distance from the infinite chain")
    axes.set_xticks(sorted(set(found["C"]) | set(found["chi"])))
    axes.legend(loc="lower left")


if __name__ == "__main__":
    sys.exit(main())
