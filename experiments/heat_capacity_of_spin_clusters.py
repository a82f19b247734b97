"""Is the heat capacity of a spin cluster the second derivative of log Z, also where its levels are degenerate?

Antiferromagnetic clusters whose spins couple in groups, `H = J sum S_i . S_j`: two dimers, a triangle and two squares.
Their levels follow from adding angular momenta (Kambe 1950), and from them the exact curve `C = <x^2> - <x>^2`,
`x = E / k_B T`. Against it stand two second derivatives of `log Z` by automatic differentiation, neither of which is
told a level:

    in temperature   C = beta^2 d^2 ln Z / d beta^2
    in the coupling  C = J^2    d^2 ln Z / d J^2        (ln Z depends on beta J alone)

The second differentiates twice through a matrix whose levels are up to 27-fold degenerate: the usual rules for
eigenvalues and eigenvectors divide by zero there.

Expected: the first agrees with the exact curve to 1e-10 of max(C, 1e-6). The second is a variance taken from matrix
elements, a difference of numbers of size (beta ||H||)^2, and agrees to 8 eps (beta ||H||)^2 more than that. The integral
of C / T from 0 to infinity is ln d - ln g_0 (third law). The spin-1/2 dimer peaks where
x / 2 = (1 + g e^-x) / (1 - g e^-x), g = 3, x = J / k_B T (Schottky 1922): at k_B T = 0.3515 J.

Source: K. Kambe, J. Phys. Soc. Jpn. 5, 48 (1950); W. Schottky, Phys. Z. 23, 448 (1922).
"""

import sys
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import models

from ._report import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION, Report, panel_letters

TEMPERATURES = (0.02, 50.0)  # k_B T / J
WIDE = np.geomspace(1e4, 1e-4, 401)  # beta J, for integrals over all temperatures


def coupled(*spins: float) -> Counter:
    """Total spins of some spins, and how often each occurs."""
    totals = Counter({spins[0]: 1})
    for spin in spins[1:]:
        added = Counter()
        for total, count in totals.items():
            for step in range(round(2 * min(total, spin)) + 1):
                added[abs(total - spin) + step] += count
        totals = added
    return totals


def kambe_levels(*groups: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Levels and degeneracies of `sum S_i . S_j` over all pairs of spins in different groups.

    E = [S (S + 1) - sum_g S_g (S_g + 1)] / 2 with the total spin `S_g` of each group.
    """
    partial = [((), 1)]
    for group in groups:
        partial = [(s + (total,), n * m) for s, n in partial for total, m in coupled(*group).items()]
    found: Counter = Counter()
    for inner, count in partial:
        for total, many in coupled(*inner).items():
            level = (total * (total + 1) - sum(s * (s + 1) for s in inner)) / 2
            found[level] += count * many * round(2 * total + 1)
    levels = np.array(sorted(found))
    return levels, np.array([found[level] for level in levels])


def exact_heat_capacity(levels: np.ndarray, degeneracies: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
    """`<x^2> - <x>^2` over the levels, in two passes."""
    x = (levels - levels.min()) / temperatures[:, None]
    weights = degeneracies * np.exp(-x)
    weights /= weights.sum(1, keepdims=True)
    return np.sum(weights * (x - np.sum(weights * x, 1, keepdims=True)) ** 2, 1)


@jax.jit
def heat_capacity_in_beta(hamiltonian, betas):
    """`beta^2 d^2 ln Z / d beta^2` at every temperature."""
    second = jax.grad(jax.grad(jg.log_partition, argnums=1), argnums=1)
    return jax.vmap(lambda beta: beta**2 * second(hamiltonian, beta))(betas)


@jax.jit
def heat_capacity_in_scale(hamiltonian, betas):
    """`J^2 d^2 ln Z / d J^2` at every temperature, `J` scaling all couplings."""

    def log_z(scale, beta):
        scaled = jax.tree_util.tree_map(lambda coupling: scale * coupling, hamiltonian)
        return jg.log_partition(scaled, beta)

    return jax.vmap(lambda beta: jax.grad(jax.grad(log_z))(jnp.ones_like(beta), beta))(betas)


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    half = 0.5
    clusters = [
        ("dimer, S = 1/2", models.spin_dimer(1.0), ((half,), (half,)), BLUE, "o"),
        ("triangle, S = 1/2", models.heisenberg_ring(3), ((half,), (half,), (half,)), VERMILION, "s"),
        ("square, S = 1/2", models.heisenberg_ring(4), ((half, half), (half, half)), GREEN, "^"),
        ("dimer, S = 5/2", models.spin_dimer(1.0, spins=(2.5, 2.5)), ((2.5,), (2.5,)), PURPLE, "D"),
    ]
    if report.quick:
        clusters = clusters[1:3]
    else:
        clusters.append(("square, S = 1", models.heisenberg_ring(4, spin=1), ((1, 1), (1, 1)), ORANGE, "v"))
    temperatures = np.geomspace(*TEMPERATURES, 25 if report.quick else 61)
    fine = np.geomspace(*TEMPERATURES, 601)
    with report.figure(6.6, 6.4) as figure:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1.0])
        for name, hamiltonian, groups, color, marker in clusters:
            levels, degeneracies = kambe_levels(*groups)
            exact = exact_heat_capacity(levels, degeneracies, temperatures)
            betas = jnp.asarray(1 / temperatures)
            in_beta, wide = np.split(heat_capacity_in_beta(hamiltonian, jnp.append(betas, WIDE)), [len(betas)])
            in_scale = np.asarray(heat_capacity_in_scale(hamiltonian, betas))
            allowed = 1e-10 * np.maximum(exact, 1e-6)
            rounding = 8 * np.finfo(float).eps * (np.abs(levels).max() / temperatures) ** 2
            errors = np.abs(in_beta - exact) / allowed, np.abs(in_scale - exact) / (allowed + rounding)
            report.expect(f"{name}: largest error of d2/dbeta2, in units of the allowed", errors[0].max(), below=1)
            report.expect(f"{name}: largest error of d2/dJ2, in units of the allowed", errors[1].max(), below=1)
            report.expect(
                f"{name}: integral of C/T",
                entropy_gain(wide),
                near=(np.log(degeneracies.sum()) - np.log(degeneracies[0]), 1e-6),
            )
            top.plot(fine, exact_heat_capacity(levels, degeneracies, fine), color=color, label=name)
            every = slice(None, None, 1 if report.quick else 2)
            top.plot(temperatures[every], in_beta[every], marker, color=color, ms=5, mfc="none")
            top.plot(temperatures[every], in_scale[every], "x", color=color, ms=4)
            bottom.plot(temperatures, errors[0], marker, color=color, ms=3.5, mfc="none")
            bottom.plot(temperatures, errors[1], "x", color=color, ms=3.5)
        top.plot([], [], "o", color=BLACK, mfc="none", label=r"$\beta^2\,\partial^2 \ln Z/\partial\beta^2$")
        top.plot([], [], "x", color=BLACK, label=r"$J^2\,\partial^2 \ln Z/\partial J^2$")
        top.plot([], [], color=BLACK, label="exact levels")
        top.set_ylabel(r"heat capacity $C/k_B$")
        top.legend(loc="upper right", ncols=1)
        top.set_ylim(bottom=0)
        bottom.axhline(1, color=BLACK, ls="--", lw=1)
        bottom.set(xscale="log", yscale="log", ylim=(1e-8, 10), xlim=TEMPERATURES)
        bottom.set_xlabel(r"temperature $k_B T/J$")
        bottom.set_ylabel("error / allowed")
        figure.align_ylabels()
        panel_letters((top, bottom))
    report.expect("spin-1/2 dimer: temperature of the maximum", dimer_maximum(), near=(schottky_maximum(3), 1e-9))
    return report.conclude()


def entropy_gain(capacity) -> float:
    """`integral C dT / T` over the temperatures of `WIDE`: trapezoidal in `ln T`, plus the tail `C ~ 1 / T^2`."""
    return float(np.trapezoid(capacity, -np.log(WIDE)) + capacity[-1] / 2)


def dimer_maximum() -> float:
    """Temperature where `dC/dT` of the spin-1/2 dimer, a third derivative of `log Z`, vanishes."""
    hamiltonian = models.spin_dimer(1.0)
    slope = jax.jit(jax.grad(lambda t: heat_capacity_in_beta(hamiltonian, 1 / t[None])[0]))
    return root(lambda temperature: float(slope(jnp.asarray(temperature))), 0.1, 1.0)


def schottky_maximum(degeneracy: int) -> float:
    """`k_B T / J` at the maximum for a ground state and `degeneracy` states at `J`, from Schottky's equation."""

    def equation(x):
        weight = degeneracy * np.exp(-x)
        return x / 2 - (1 + weight) / (1 - weight)

    return 1 / root(lambda x: -equation(x), np.log(degeneracy) + 0.1, 20.0)


def root(function, low: float, high: float) -> float:
    """Where a function that falls from `low` to `high` vanishes, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return middle


if __name__ == "__main__":
    sys.exit(main())
