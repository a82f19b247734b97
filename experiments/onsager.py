"""Does the transfer matrix of the square Ising model, read as a quantum system, find Onsager's solution?

The rows of a square lattice of L columns, closed to rings, are joined by the matrix `V = A B A` on 2^L states,
`A = exp(K / 2 sum s_i s_{i+1})` and `B` the product of the 2 x 2 matrices `e^(K s s')`. A torus of M rows has `Z = Tr V^M`: it is
the partition function of the Hamiltonian `-ln V` at inverse temperature M, and an infinite strip is its ground state. The energy
per site is `-d ln Z / dK / N`, by differentiating through the logarithm of the matrix (units of J; K = J / k_B T).

Expected: the largest eigenvalue of every strip is that of Kaufman's free fermions,
`ln Lambda = (L / 2) ln(2 sinh 2K) + (1/2) sum_q e_q`, `cosh e_q = cosh 2K coth 2K - cos q`, `q = pi (2j - 1) / L`, to rounding.
For L -> infinity it becomes Onsager's integral, exponentially fast away from the critical point. There, `sinh 2K_c = 1`,

    ln Z / N = (ln 2) / 2 + 2 G / pi + pi c / (6 L^2) + ...,    U / N = -sqrt(2),

`G` Catalan's constant and the central charge `c = 1/2`; duality makes the energy exact for every width. A torus of 3 x 4 sites
has the partition function of its 4096 states.

Source: L. Onsager, Phys. Rev. 65, 117 (1944), eqs. 108, 115, 121; B. Kaufman, Phys. Rev. 76, 1232 (1949); H. W. J. Bloete,
J. L. Cardy, M. P. Nightingale, Phys. Rev. Lett. 56, 742 (1986).
"""

import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import models

from ._report import BLACK, BLUE, GREEN, VERMILION, Report, panel_letters

CRITICAL = np.log1p(np.sqrt(2)) / 2
CATALAN = 0.915965594177219015
INFINITE = 1e9  # rows: what lies above the ground state has long gone
POINTS = 4096  # of the trapezoid rule for a periodic function


def transfer_matrix(columns: int, coupling):
    """`V`, real symmetric and positive definite."""
    spins = 1 - 2 * (np.arange(2**columns)[:, None] >> np.arange(columns) & 1)
    bonds = np.sum(spins * np.roll(spins, 1, axis=1), axis=1)
    between = jnp.exp(coupling * jnp.array([[1.0, -1.0], [-1.0, 1.0]]))
    along = jnp.exp(coupling / 2 * bonds)
    return along[:, None] * functools.reduce(jnp.kron, [between] * columns) * along


@functools.partial(jax.jit, static_argnums=0)
def per_site(columns: int, coupling, rows):
    """`ln Z / N` and its derivative in K."""

    def log_z(coupling):
        hamiltonian = jg.operators.Dense(-jg.linalg.log(transfer_matrix(columns, coupling)))
        return jg.log_partition(hamiltonian, rows) / (columns * rows)

    return jax.value_and_grad(log_z)(coupling)


def fermions(columns: int, coupling: float) -> float:
    """`ln Lambda / L` in closed form; with many columns the integral."""
    q = np.pi * (2 * np.arange(columns) + 1) / columns
    energies = np.arccosh(np.cosh(2 * coupling) / np.tanh(2 * coupling) - np.cos(q))
    return np.log(2 * np.sinh(2 * coupling)) / 2 + np.mean(energies) / 2


def onsager_energy(coupling: float) -> float:
    """`U / N J` of the infinite lattice, `-coth 2K (1 + (2 / pi) (2 tanh^2 2K - 1) K_1(k))`; `k = 2 sinh 2K / cosh^2 2K`."""
    modulus = 2 * np.sinh(2 * coupling) / np.cosh(2 * coupling) ** 2
    a, b = 1.0, np.sqrt(max(1 - modulus**2, 0.0))
    while abs(a - b) > 1e-15 and b > 0:  # the elliptic integral by the arithmetic-geometric mean
        a, b = (a + b) / 2, np.sqrt(a * b)
    part = (2 * np.tanh(2 * coupling) ** 2 - 1) / a if b > 0 else 0.0
    return -(1 + part) / np.tanh(2 * coupling)


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    widths = [3, 4, 6] if report.quick else [3, 4, 5, 6, 7, 8, 9, 10]
    sweep = np.linspace(0.2, 0.8, 13 if report.quick else 31)
    strips = {(n, k): tuple(map(float, per_site(n, k, INFINITE))) for n in widths for k in (0.3, CRITICAL, 0.6)}
    curves = {n: np.array([per_site(n, k, INFINITE) for k in sweep]) for n in (widths[1], widths[-1])}
    judge(report, widths, strips)
    with report.figure(7.6, 5.1) as figure:
        left, right = figure.subplots(1, 2)
        draw_energy(left, sweep, curves)
        draw_distance(right, widths, strips)
        panel_letters((left, right))
    return report.conclude()


def judge(report: Report, widths, strips) -> None:
    error = max(abs(value / fermions(n, k) - 1) for (n, k), (value, _) in strips.items())
    report.expect("largest eigenvalues of all strips against Kaufman's fermions, relative error", error, below=1e-11)
    exact = np.log(2) / 2 + 2 * CATALAN / np.pi
    integral = fermions(2**20, CRITICAL) - np.pi / 12 / 2.0**40
    report.expect("the integral at K_c is (ln 2) / 2 + 2 G / pi", abs(integral - exact), below=1e-12)
    last, before = widths[-1], widths[-2]
    # the next power is L^-4: two widths remove the first
    values = [strips[n, CRITICAL][0] for n in (before, last)]
    limit = (last**2 * values[1] - before**2 * values[0]) / (last**2 - before**2)
    report.expect(f"ln Z / N at K_c from widths {before} and {last}", limit, near=(exact, 2 / last**4))
    charge = 6 / np.pi * (values[0] - values[1]) / (before**-2 - last**-2)
    report.expect(f"central charge from widths {before} and {last}", charge, near=(0.5, 1.5 / last**2))
    # sums over q become integrals as e^(-2 kappa L), with e(q) zero at q = i kappa, kappa = 2 |K - K*|
    for k in (0.3, 0.6):
        width = abs(2 * k + np.log(np.tanh(k)))
        report.expect(
            f"ln Z / N of a strip of {last} at K = {k}: distance from Onsager's",
            abs(strips[last, k][0] - fermions(POINTS, k)),
            below=np.exp(-width * last),
        )
    report.expect(
        f"energy of a strip of {last} at K_c, where it is its own dual",
        -strips[last, CRITICAL][1],
        near=(-np.sqrt(2), 1e-11),
    )
    torus = models.transverse_ising(models.square_lattice(3, 4), 1.0, 0.0)
    counted = float(jg.log_partition(torus, 0.4)) / 12
    report.expect(
        "ln Z / N of 3 x 4 sites at K = 0.4 against its states", abs(per_site(3, 0.4, 4.0)[0] - counted), below=1e-12
    )


def draw_energy(axes, sweep, curves) -> None:
    fine = np.linspace(sweep[0], sweep[-1], 400)
    axes.plot(fine, [onsager_energy(k) for k in fine], color=BLACK, label="Onsager")
    for (width, curve), color, marker in zip(curves.items(), (BLUE, VERMILION), "so", strict=True):
        axes.plot(sweep, -curve[:, 1], marker, color=color, ms=4, mfc="none", label=rf"strip, L = {width}")
    axes.axvline(CRITICAL, color=BLACK, lw=0.8, ls=":")
    axes.set(xlabel=r"coupling $K = J/k_BT$", ylabel=r"energy per site $U/NJ$", xlim=(sweep[0], sweep[-1]))
    axes.text(CRITICAL + 0.01, -0.5, r"$K_c$")
    axes.legend(loc="lower left")


def draw_distance(axes, widths, strips) -> None:
    grid = np.linspace(widths[0], widths[-1], 100)
    for k, color, marker, name in (
        (CRITICAL, BLACK, "o", "K_c"),
        (0.3, BLUE, "s", "0.3"),
        (0.6, VERMILION, "^", "0.6"),
    ):
        limit = fermions(2**20, k)
        distance = [abs(strips[n, k][0] - limit) for n in widths]
        axes.plot(widths, distance, marker, color=color, ms=5, mfc="none", label=rf"$K = {name}$")
    axes.plot(grid, np.pi / 12 / grid**2, color=GREEN, lw=1.2, label=r"$\pi c/6L^2$, $c = 1/2$")
    axes.set_xticks(widths)
    axes.set(yscale="log", xlabel="width L", ylabel=r"distance of $\ln Z/N$ from the infinite lattice")
    axes.legend(loc="lower left")


if __name__ == "__main__":
    sys.exit(main())
