"""What does heat do to a chemical bond, and what does a mean field make of it?

Two electrons of H2 in a minimal basis (STO-3G, exponent 1.24), all configurations, nuclei held at a distance R: the
free energy A(R, T) = -kT ln Z, whose slope is the force that pulls the nuclei at fixed temperature. The same by thermal
Hartree-Fock, restricted (both spins in the same orbitals) and unrestricted, at the chemical potential that puts two
electrons on the exact molecule.

Expected: Z is that of six states in closed form, two of them from a 2 x 2 matrix, within 1e-12; the ground state at
1.4 bohr is at -1.1373 hartree and that of Hartree-Fock at -1.1167, with the nuclei at rest at 1.389 and 1.346 bohr. The
force, a derivative by one decomposition, is that of finite differences of the closed form within 1e-8. Far apart, two
atoms of -0.4666 hartree with free spins: entropy ln 4, where kT is above the exchange J and below the cost of an ion.
Where J falls through kT the heat capacity peaks as that of one state below three does, within 1 %. Hartree-Fock is never
below the exact grand potential (Peierls and Bogoliubov), and the spins of its cold orbitals part where the triplet
instability e_2 - e_1 - J_12 - K_12 = 0 says, within 1e-4 bohr; far apart it pins the spins, and misses kT ln 4.
A hotter bond is longer, and a barrier stands behind it, since the triplet repels; both are gone at kT = 0.18.

Source: A. Szabo and N. S. Ostlund, Modern Quantum Chemistry (1989), sections 3.5, 3.8.7 and 4.1; N. D. Mermin, Ann.
Phys. 21, 99 (1963).
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
import scipy.special

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.equilibrium import hartree_fock

from ._report import BLACK, BLUE, GREEN, ORANGE, VERMILION, Report, panel_letters

ELECTRONS = np.array([bin(state).count("1") for state in range(16)])
TWO = np.flatnonzero(ELECTRONS == 2)
TEMPERATURES = (0.01, 0.03, 0.06, 0.1)  # hartree
COLORS = (BLUE, GREEN, ORANGE, VERMILION)


def two_electrons(distance):
    """The Hamiltonian on the states of two electrons, with the repulsion of the nuclei."""
    return models.hydrogen_molecule(distance).to_dense()[np.ix_(TWO, TWO)]


def integrals(distance):
    """`h_1, h_2, J_11, J_12, K_12, J_22` of the bonding and the antibonding orbital, and `1 / R`."""
    couplings = models.hydrogen_molecule(distance).couplings
    h, g = couplings["one_electron"], couplings["two_electron"]
    return h[0], h[2], g[0], g[2], g[3], g[5], couplings["constant"]


def matrices(distance):
    """The integrals as `hartree_fock` takes them."""
    h1, h2, j11, j12, k12, j22, constant = integrals(distance)
    two = jnp.zeros((2, 2, 2, 2)).at[0, 0, 0, 0].set(j11).at[1, 1, 1, 1].set(j22)
    two = two.at[(0, 1), (0, 1), (1, 0), (1, 0)].set(j12)
    two = two.at[(0, 1, 0, 1), (1, 0, 1, 0), (0, 0, 1, 1), (1, 1, 0, 0)].set(k12)
    return jnp.diag(jnp.stack([h1, h2])), two, constant


def closed_form(distance):
    """The six energies of two electrons: a triplet, a singlet of the same orbitals, and two of pairs in one orbital."""
    h1, h2, j11, j12, k12, j22, constant = (float(x) for x in integrals(float(distance)))
    low, high = 2 * h1 + j11, 2 * h2 + j22
    split = np.hypot((high - low) / 2, k12)
    triplet, singlet = h1 + h2 + j12 - k12, h1 + h2 + j12 + k12
    return np.array([triplet, triplet, triplet, singlet, (low + high) / 2 - split, (low + high) / 2 + split]) + constant


def closed_free_energy(distance, temperature):
    return -temperature * scipy.special.logsumexp(-closed_form(distance) / temperature)


def free_energy(distance, temperature):
    return jg.free_energy(two_electrons(distance), 1 / temperature)


force = jax.jit(jax.grad(lambda distance, temperature: -free_energy(distance, temperature)))


@jax.jit
def readings(distance, temperature):
    """Free energy, entropy and heat capacity of the exact molecule."""
    state = jg.gibbs_state(two_electrons(distance), 1 / temperature)
    return jnp.stack([state.free_energy, state.entropy, state.heat_capacity])


def chemical_potential(distance, temperature):
    """Where the exact molecule has two electrons on average, by its sixteen levels."""
    levels, vectors = np.linalg.eigh(models.hydrogen_molecule(distance, 0.0).to_dense() + 1e-9 * np.diag(ELECTRONS))
    numbers = np.round(vectors.T**2 @ ELECTRONS)

    def excess(mu):
        return scipy.special.softmax(-(levels - mu * numbers) / temperature) @ numbers - 2

    return scipy.optimize.brentq(excess, -3, 3, xtol=1e-13)


@jax.jit
def grand_potentials(distance, temperature, mu):
    """Exact, of restricted and of unrestricted Hartree-Fock."""
    one, two, constant = matrices(distance)
    exact = jg.free_energy(models.molecule(one, two, constant, mu), 1 / temperature)
    bare = one - mu * jnp.eye(2)
    same = hartree_fock(one, two, 1 / temperature, constant, mu, guess=jnp.stack([bare, bare])).value
    own = hartree_fock(one, two, 1 / temperature, constant, mu).value
    return jnp.stack([exact, same.free_energy, own.free_energy])


def by_distance(function, distances, *rest):
    """`function` for each distance, the rest given for each too or once."""
    return np.asarray(jax.vmap(function, in_axes=(0, *(0 if np.ndim(x) else None for x in rest)))(distances, *rest))


def rest(force_at, low=0.9, high=2.5):
    """The distance at which nothing pulls."""
    return scipy.optimize.brentq(lambda distance: float(force_at(distance)), low, high, xtol=1e-9)


def schottky_peak():
    """The largest heat capacity of one level below three of equal energy, and where it is: gap over temperature."""

    def negative(x):
        return -3 * x**2 * np.exp(-x) / (1 + 3 * np.exp(-x)) ** 2

    found = scipy.optimize.minimize_scalar(negative, bounds=(1, 5), method="bounded", options={"xatol": 1e-10})
    return -found.fun, found.x


def instability():
    """Where a Slater determinant of both spins in one orbital ceases to be a minimum."""

    def curvature(distance):
        h1, h2, j11, j12, k12, _, _ = (float(x) for x in integrals(distance))
        return (h2 + 2 * j12 - k12) - (h1 + j11) - j12 - k12

    return scipy.optimize.brentq(curvature, 1.4, 4.0, xtol=1e-10)


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    distances = np.linspace(0.8, 8.0, 37 if report.quick else 145)
    exact = {t: by_distance(readings, distances, t).T for t in TEMPERATURES}
    forces = {t: by_distance(force, distances, t) for t in TEMPERATURES}

    plain = {t: np.array([closed_free_energy(r, t) for r in distances]) for t in TEMPERATURES}
    worst = max(np.abs(exact[t][0] - plain[t]).max() for t in TEMPERATURES)
    report.expect("free energy against six states in closed form", worst, below=1e-12)
    report.expect("ground state at 1.4 bohr", free_energy(1.4, 1e-3), near=(-1.1373, 5e-5))
    step, off = 1e-3, 0.0
    for t in TEMPERATURES:
        values = [np.array([closed_free_energy(r + k * step, t) for r in distances[::6]]) for k in (-2, -1, 1, 2)]
        slope = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
        off = max(off, np.abs(forces[t][::6] + slope).max())
    report.expect("force against differences of the closed form", off, below=1e-8)
    report.expect("bond of the ground state, bohr", rest(lambda r: force(r, 1e-3)), near=(1.389, 1e-3))

    cold = jax.jit(lambda r: hartree_fock(*matrices(r)[:2], 1e3, matrices(r)[2]).value.free_energy)
    report.expect("Hartree-Fock at 1.4 bohr", cold(1.4), near=(-1.1167, 5e-5))
    report.expect("its bond, bohr", rest(jax.jit(jax.grad(lambda r: -cold(r)))), near=(1.346, 1e-3))

    atoms = readings(30.0, 0.03)
    report.expect("far apart: energy of two atoms", float(atoms[0] + 0.03 * atoms[1]), near=(-0.9332, 2e-4))
    report.expect("far apart: entropy", atoms[1], near=(np.log(4), 1e-3))
    peak, place = schottky_peak()
    found = scipy.optimize.minimize_scalar(lambda r: -float(readings(r, 0.01)[2]), bounds=(3, 4.5), method="bounded")
    report.expect("peak of the heat capacity along R at kT = 0.01", -found.fun, near=(peak, 0.01 * peak))
    spectrum = np.array([np.sort(closed_form(r)) for r in distances])
    exchange = spectrum[:, 1] - spectrum[:, 0]

    heats = np.linspace(0.04, 0.16, 7 if report.quick else 25)
    bonds = np.array([rest(lambda r, t=t: force(r, t), 0.9, 1.85) for t in heats])
    tops = np.array([rest(lambda r, t=t: force(r, t), 1.85, 4.3) for t in heats])
    report.say(f"bond at kT = {heats[0]:.2f} and {heats[-1]:.2f}: {bonds[0]:.4f} and {bonds[-1]:.4f} bohr")
    report.say(f"it breaks over {tops[0]:.3f} and {tops[-1]:.3f} bohr: beyond, hot atoms repel each other")
    report.hold("the bond grows with temperature", bool(np.all(np.diff(bonds) > 0)))
    report.hold("and the way out of it shrinks", bool(np.all(np.diff(tops) < 0)))
    pushes = by_distance(force, np.linspace(1.0, 4.0, 61), 0.18)
    report.hold("at kT = 0.18 there is no bond: the nuclei are pushed apart from 1 to 4 bohr", bool(pushes.min() > 0))

    apart = np.linspace(1.0, 6.0, 11 if report.quick else 41)
    bounds = {}
    for t in TEMPERATURES:
        bounds[t] = by_distance(grand_potentials, apart, t, np.array([chemical_potential(r, t) for r in apart])).T
    gaps = np.concatenate([(x[2] - x[0], x[1] - x[2]) for x in bounds.values()])
    report.expect("exact grand potential less Hartree-Fock's", -gaps[::2].min(), below=0.0)
    report.expect("unrestricted less restricted", -gaps[1::2].min(), below=1e-12)
    missing = float(bounds[0.03][2, -1] - bounds[0.03][0, -1]) / 0.03
    report.expect("entropy of two spins that Hartree-Fock pins, at 6 bohr", missing, near=(np.log(4), 0.01))
    onset = instability()

    def is_unstable(r):
        one, two, constant = matrices(r)
        bare = one - (mu := chemical_potential(r, 2e-3)) * np.eye(2)
        return int(hartree_fock(one, two, 500.0, constant, mu, guess=jnp.stack([bare, bare])).stats["unstable"]) > 0

    report.hold(
        f"cold spins part at {onset:.5f} bohr",
        not is_unstable(jnp.asarray(onset - 1e-4)) and is_unstable(jnp.asarray(onset + 1e-4)),
    )

    with report.figure(11.0, 6.8) as figure:
        panels = figure.subplots(2, 3).ravel()
        _draw_free_energies(panels[0], distances, exact, heats, bonds, tops)
        _draw_readings(panels[1:3], distances, exact, peak)
        _draw_forces(panels[3], distances, forces)
        _draw_bounds(panels[4], apart, bounds, onset)
        _draw_map(figure, panels[5], distances, exchange / place)
        panel_letters(panels)
    return report.conclude()


def _label(t):
    return f"$kT$ = {t:g}"


def _draw_free_energies(panel, distances, exact, heats, bonds, tops) -> None:
    def above_atoms(r, t):
        return float(readings(r, t)[0] - readings(30.0, t)[0])

    for (t, values), color in zip(exact.items(), COLORS, strict=True):
        panel.plot(distances, values[0] - float(readings(30.0, t)[0]), color=color, label=_label(t))
    for places, name in ((bonds, "bond"), (tops, "barrier")):
        line = [above_atoms(r, t) for r, t in zip(places, heats, strict=True)]
        panel.plot(places, line, color=BLACK, lw=1.0, ls="--" if name == "bond" else ":", label=name)
    panel.axhline(0, color=BLACK, lw=0.5)
    panel.set(xlabel="distance $R$ (bohr)", ylabel="$A$ less that of two atoms (hartree)")
    panel.set(xlim=(0.8, 6), ylim=(-0.22, 0.12))
    panel.legend(loc="lower right")


def _draw_readings(panels, distances, exact, peak) -> None:
    entropy, heat = panels
    for (t, values), color in zip(exact.items(), COLORS, strict=True):
        entropy.plot(distances, values[1], color=color, label=_label(t))
        heat.plot(distances, values[2], color=color)
    entropy.axhline(np.log(4), color=BLACK, lw=0.9, ls=":")
    entropy.text(0.9, np.log(4) + 0.03, r"$\ln 4$, two free spins")
    entropy.set(xlabel="distance $R$ (bohr)", ylabel="entropy", ylim=(0, 1.7))
    heat.axhline(peak, color=BLACK, lw=0.9, ls=":")
    heat.text(distances[-1], peak + 0.02, "one state below three", ha="right")
    heat.set(xlabel="distance $R$ (bohr)", ylabel="heat capacity at fixed $R$", ylim=(0, 1.25))


def _draw_forces(panel, distances, forces) -> None:
    for (t, values), color in zip(forces.items(), COLORS, strict=True):
        panel.plot(distances, values, color=color, label=_label(t))
    panel.axhline(0, color=BLACK, lw=0.5, ls=":")
    panel.text(7.9, 0.004, "pushes apart", ha="right")
    panel.text(7.9, -0.009, "pulls together", ha="right")
    panel.set(xlabel="distance $R$ (bohr)", ylabel="force $-dA/dR$ (hartree / bohr)", ylim=(-0.12, 0.04))
    panel.legend(loc="lower right")


def _draw_bounds(panel, apart, bounds, onset) -> None:
    for (t, values), color in zip(bounds.items(), COLORS, strict=True):
        panel.plot(apart, values[1] - values[0], color=color, ls="--", lw=1.2)
        panel.plot(apart, values[2] - values[0], color=color)
        panel.plot([5.5, 6], 2 * [t * np.log(4)], color=color, lw=4, alpha=0.35)
    panel.axvline(onset, ymax=0.33, color=BLACK, lw=0.5, ls=":")
    panel.text(onset + 0.06, 0.007, "cold spins part", fontsize=8)
    panel.plot([], [], color=BLACK, lw=4, alpha=0.35, label=r"$kT\,\ln 4$")
    panel.plot([], [], color=BLACK, ls="--", lw=1.2, label="restricted")
    panel.plot([], [], color=BLACK, label="unrestricted")
    panel.set(xlabel="distance $R$ (bohr)", ylabel=r"$\Omega_{HF}-\Omega$ (hartree)", ylim=(0, 0.33))
    panel.legend(loc="upper left", bbox_to_anchor=(0.0, 1.0))


def _draw_map(figure, panel, distances, ridge) -> None:
    temperatures = np.geomspace(0.002, 0.2, 61)
    values = np.asarray(jax.vmap(lambda t: jax.vmap(lambda r: readings(r, t)[2])(distances))(temperatures))
    image = panel.pcolormesh(distances, temperatures, values, cmap="cividis", shading="gouraud", rasterized=True)
    panel.plot(distances, ridge, color="white", lw=1.2, ls="--")
    panel.text(1.2, 0.004, "paired", color="white")
    panel.text(4.7, 0.02, "two free spins", color="white")
    panel.set(xlabel="distance $R$ (bohr)", ylabel="$kT$ (hartree)", yscale="log", ylim=(0.002, 0.2))
    figure.colorbar(image, ax=panel, label="heat capacity")


if __name__ == "__main__":
    sys.exit(main())
