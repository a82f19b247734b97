"""How do charge and spin of a Hubbard ring freeze out one after the other as it cools?

`H = -t sum (c^+ c + h.c.) + U sum n_up n_down - mu N` on the Fock space, at half filling `mu = U / 2` (t = 1). One program serves
every size: the numbers of up and down spins, momenta, reflections, the exchange of up and down and, where the ring is
bipartite, that of particles and holes are found from the terms.

Expected: two sites have the levels 0 (N = 0), +-t (N = 1, twice), `U/2 +- sqrt(U^2/4 + 4 t^2)`, 0 (three times) and U (N = 2),
`U +- t` (N = 3, twice) and 2U (N = 4), with `-mu N`. Without hopping every site has `Z = 1 + 2 e^(beta mu) + e^(beta (2 mu - U))`;
without interaction every orbital of energy `-2 t cos k` has `Z = (1 + e^(-beta (e - mu)))^2`. For U >> t the four-site ring at
half filling is a Heisenberg ring with `J = 4 t^2 / U` less J / 4 a bond, whose ground state lies at -3 J; the heat capacity
then has two maxima, of the spins near k_B T = 0.5 J and of the charge near 0.2 U. The integral of C / T is `ln 4` a site
where the ground state is single, and half of that without interaction, where two orbitals of energy 0 stay undecided.

Source: J. Hubbard, Proc. R. Soc. A 276, 238 (1963); H. Shiba & P. A. Pincus, Phys. Rev. B 5, 1966 (1972), for rings of up to six
sites; R. Schumann, Ann. Phys. (Leipzig) 11, 49 (2002), for four.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.operators import Spectrum

from ._report import BLACK, BLUE, GREEN, VERMILION, Report, panel_letters

INTERACTIONS = (0.0, 4.0, 12.0)


def ring(sites: int, interaction, hopping=1.0, field=0.0):
    """Half filled; two sites have one bond."""
    lattice = models.chain_lattice(sites, periodic=sites > 2)
    return models.fermi_hubbard(lattice, hopping, interaction, 0.5 * interaction, field)


@jax.jit
def curves(hamiltonian, betas):
    """`ln Z` and `C` at each beta."""
    answer = jax.vmap(jg.thermodynamics, (None, 0))(hamiltonian, betas)
    return answer.log_partition, answer.heat_capacity


@jax.jit
def susceptibility(hamiltonian, betas):
    """`chi = d^2 ln Z / dh^2 / beta`, of the field along z."""

    def log_z(field, beta):
        couplings = hamiltonian.couplings | {"field": field}
        return jg.log_partition(type(hamiltonian)(couplings, hamiltonian.terms), beta)

    return jax.vmap(jax.grad(jax.grad(log_z)), (None, 0))(0.0, betas) / betas


def two_sites(interaction: float) -> np.ndarray:
    """The 16 levels of the dimer at half filling, `t = 1`."""
    u, root = interaction, np.sqrt(interaction**2 / 4 + 4)
    by_number = {0: [0.0], 1: [-1.0, 1.0] * 2, 2: [u / 2 - root, u / 2 + root, 0.0, 0.0, 0.0, u], 4: [2 * u]}
    by_number[3] = [u - 1.0, u + 1.0] * 2
    return np.sort([level - u / 2 * n for n, levels in by_number.items() for level in levels])


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    temperatures = np.geomspace(0.03, 30.0, 60 if report.quick else 120)
    betas = jnp.asarray(1 / temperatures)
    sizes = (4,) if report.quick else (4, 6)
    judge_limits(report, betas)
    found = {(n, u): np.asarray(curves(ring(n, u), betas)[1]) / n for n in sizes for u in INTERACTIONS}
    chi = {u: np.asarray(susceptibility(ring(4, u), betas)) / 4 for u in INTERACTIONS}
    judge_strong(report, temperatures, found, chi)
    with report.figure(7.6, 5.1) as figure:
        left, right = figure.subplots(1, 2)
        for u, color in zip(INTERACTIONS, (BLACK, BLUE, VERMILION), strict=True):
            left.plot(temperatures, found[4, u], color=color, label=rf"$U = {u:g}\,t$")
            if 6 in sizes:
                left.plot(temperatures, found[6, u], "--", color=color, lw=1.1)
            right.plot(temperatures, temperatures * chi[u], color=color)
        if 6 in sizes:
            left.plot([], [], "--", color=BLACK, lw=1.1, label="ring of 6")
        left.set(
            xscale="log", xlabel=r"temperature $k_BT/t$", ylabel=r"heat capacity per site $C/Nk_B$", ylim=(0, 0.65)
        )
        left.legend(loc="upper left")
        right.axhline(1 / 4, color=GREEN, lw=1, ls=":")
        right.text(0.04, 0.253, "free spins", color=GREEN)
        right.axhline(1 / 8, color=GREEN, lw=1, ls=":")
        right.text(3.5, 0.108, "free electrons", color=GREEN)
        right.set(xscale="log", xlabel=r"temperature $k_BT/t$", ylabel=r"$k_BT\chi/N$ of the ring of 4", ylim=(0, 0.28))
        panel_letters((left, right))
    return report.conclude()


def judge_limits(report: Report, betas) -> None:
    """The dimer, atoms and free electrons."""
    for u in INTERACTIONS:
        levels = np.asarray(jg.thermal_spectrum(ring(2, u)).levels())
        report.expect(
            f"two sites, U = {u:g}: largest error of a level", np.abs(levels - two_sites(u)).max(), below=1e-12
        )
    log_z = np.asarray(curves(ring(4, 4.0, hopping=0.0), betas)[0])
    b = np.asarray(betas)
    atom = np.log(2.0) + b * 2.0 + np.log1p(np.exp(-b * 2.0))  # 1 + 2 e^(beta U / 2) + 1 with U = 4
    report.expect(
        "four atoms, U = 4: largest relative error of ln Z", np.abs(log_z / (4 * atom) - 1).max(), below=1e-13
    )
    log_z = np.asarray(curves(ring(4, 0.0), betas)[0])
    orbitals = -2 * np.cos(2 * np.pi * np.arange(4) / 4)
    free = 2 * np.sum(np.logaddexp(0, -b[:, None] * orbitals), axis=1)
    report.expect("four sites, U = 0: largest relative error of ln Z", np.abs(log_z / free - 1).max(), below=1e-12)
    pairs = [Spectrum(jnp.array([0.0, energy])) for energy in orbitals for _ in "ud"]
    product = sum(float(jg.log_partition(pair, 1.3)) for pair in pairs)
    report.expect(
        "the same from eight systems of one orbital",
        abs(float(jg.log_partition(ring(4, 0.0), 1.3)) - product),
        below=1e-12,
    )


def judge_strong(report: Report, temperatures, found, chi) -> None:
    strong, exchange = 200.0, 4 / 200.0
    ground = float(jg.gibbs_state(ring(4, strong), jnp.inf).energy) + 4 * strong / 2
    # the next order in t / U is of relative size (t / U)^2
    report.expect("ground state of four sites at U = 200, in units of 4 t^2 / U", ground / exchange, near=(-3.0, 1e-2))
    curve = found[4, 12.0]
    peaks = [i for i in range(1, len(curve) - 1) if curve[i] > max(curve[i - 1], curve[i + 1])]
    report.hold("C of four sites at U = 12 has two maxima", len(peaks) == 2)
    spin, charge = temperatures[peaks[0]], temperatures[peaks[-1]]
    report.expect("the lower one in units of 4 t^2 / U", spin / (4 / 12), near=(0.5, 0.25))
    report.expect("the upper one in units of U", charge / 12, near=(0.2, 0.06))
    for u in INTERACTIONS:
        hot = temperatures[-1] * chi[u][-1]
        # 1/8 for electrons at infinite temperature; U favours single occupation, to first order by U / 4 k_B T
        report.expect(
            f"k_B T chi / N at k_B T = {temperatures[-1]:g}, U = {u:g}", hot, near=(0.125 * (1 + u / 4 / 30.0), 4e-3)
        )
    middle = np.argmax(temperatures * chi[12.0])
    report.hold(
        "at U = 12 the moments lie between those of free electrons and of free spins at every maximum",
        bool(1 / 8 < temperatures[middle] * chi[12.0][middle] < 1 / 4),
    )
    for u, degeneracy in zip(
        INTERACTIONS, (16, 1, 1), strict=True
    ):  # U = 0: two orbitals of energy 0, with two spins each
        released = np.trapezoid(found[4, u], np.log(temperatures))
        expected = np.log(4) - np.log(degeneracy) / 4
        report.expect(f"entropy released per site, U = {u:g}", released, near=(expected, 0.02))


if __name__ == "__main__":
    sys.exit(main())
