"""What is the equilibrium of a system whose coupling to its bath is not weak, and does it come about by itself?

The Hamiltonian of mean force H* is defined by Tr_B e^{-beta H} / Z_B = e^{-beta H*}, and ln Z* = ln Z - ln Z_B. Four
systems: a spin 1/2 and a mode, H = (w / 2) sigma_z + g (cos a sigma_z + sin a sigma_x)(b + b^+) + W b^+ b, from weak
to strong g; a qubit that changes the frequency of an oscillator; a free particle with friction of the strength G and
the cutoff D; and two sites of fermions, the first in contact with a lead, all a closed system of free fermions that
evolves from two occupied sites.

Expected: the spin is that of NumPy within 1e-9; second order in g errs by g^4, the ultrastrong limit by 1 / g^2,
exponents within 0.1, each below 1e-3 at its end. The qubit's functions are differences of sums over levels within
1e-5; its S* and C* are negative at low temperature. The particle's C* is that of the normal modes of 600 oscillators
within 1e-3, and (pi / 3)(1 / G - 1 / D) T at low T within 1 %, negative for G > D. The fermions end in the state of
mean force within 1e-3 at each coupling, which is that of an integral over the spectral function within 1e-5, and at
the strongest at least 20 times closer to it than to the bare Gibbs state.

Source: M. Campisi, P. Talkner and P. Haenggi, J. Phys. A 42, 392002 (2009); P. Haenggi, G.-L. Ingold and P. Talkner,
New J. Phys. 10, 115008 (2008); J. D. Cresser and J. Anders, Phys. Rev. Lett. 127, 250601 (2021).
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import strong_coupling
from jaxgibbs.baths import DrudeLorentzBath, FermionicBath, FiniteBath, finite_lead

from ._report import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, Report, panel_letters

SX, SZ = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])
BETA, ANGLE, MODE = 1.0, 0.7, 1.5
SPIN, POSITION = 0.5 * SZ, np.cos(ANGLE) * SZ + np.sin(ANGLE) * SX
QUBIT = (2.0, 1.0, -0.6)  # splitting, frequency, shift
WIDTH, LEVEL, HOPPING = 2.0, np.array([0.4, 0.1]), 0.5
FUNCTIONS = ("free_energy", "energy", "entropy", "heat_capacity")


def distance(a, b):
    """Trace distance of qubit states, stacked."""
    return np.abs(np.linalg.eigvalsh(np.asarray(a) - np.asarray(b))).sum(-1) / 2


def by_levels(coupling, levels=180):
    """The reduced state of the spin, in NumPy."""
    lower = np.diag(np.sqrt(np.arange(1, levels)), 1)
    whole = np.kron(SPIN, np.eye(levels)) + coupling * np.kron(POSITION, lower + lower.T)
    energies, vectors = np.linalg.eigh(whole + MODE * np.kron(np.eye(2), lower.T @ lower))
    rho = (vectors * np.exp(-BETA * (energies - energies[0]))) @ vectors.T
    rho = np.trace(rho.reshape(2, levels, 2, levels), axis1=1, axis2=3)
    return rho / np.trace(rho)


def spin_and_mode(report, couplings):
    """States exact, of second order and of the limit."""

    @jax.jit
    @jax.vmap
    def run(g):
        bath = FiniteBath(jnp.array([MODE]), g[None])
        exact = strong_coupling.mean_force_of_modes(SPIN, POSITION, bath, BETA, 140, throw=False)
        weak = strong_coupling.weak_mean_force(SPIN, POSITION, jnp.array([MODE]), g[None], BETA)
        return exact.value.reduced_state, jg.gibbs_state(weak, BETA).density_matrix(), exact.error

    exact, weak, cut = (np.asarray(x) for x in run(jnp.asarray(couplings)))
    limit = np.asarray(strong_coupling.ultrastrong(SPIN, POSITION, BETA).reduced_state)
    wrong = max(np.abs(exact[k] - by_levels(couplings[k])).max() for k in (0, len(couplings) // 2, -1))
    report.expect("spin and mode against NumPy", wrong, below=1e-9)
    report.expect("population of the highest state of the mode that was kept", cut.max(), below=1e-10)
    off, away = distance(exact, weak), distance(exact, limit)
    ends = [np.log(x[k + 1] / x[k]) / np.log(couplings[k + 1] / couplings[k]) for x, k in ((off, 0), (away, -2))]
    report.expect("exponent of what second order leaves out", ends[0], near=(4, 0.1))
    report.expect("exponent of the approach to the ultrastrong limit", ends[1], near=(-2, 0.1))
    report.expect("at the weakest coupling: distance from second order", off[0], below=1e-3)
    report.expect("at the strongest: distance from the limit", away[-1], below=1e-3)
    return exact, weak, limit, off, away


def qubit_of_levels(beta):
    """`ln Z*` of the qubit and the oscillator, by sums over levels."""
    splitting, frequency, shift = QUBIT
    n = np.arange(4000) + 0.5
    parts = [np.exp(-beta * (s * splitting / 2 + frequency * (1 + s * shift) * n)).sum() for s in (1, -1)]
    return np.log(sum(parts)) - np.log(np.exp(-beta * frequency * n).sum())


def dispersive(report, temperatures):
    """`F*, U*, S*, C*` along temperatures."""
    run = jax.jit(jax.vmap(lambda beta: strong_coupling.dispersive_qubit(*QUBIT, beta)))
    found = run(jnp.asarray(1 / temperatures))
    values = {name: np.asarray(getattr(found, name)) for name in FUNCTIONS}
    wrong = []
    for k in range(0, len(temperatures), 7):
        beta, step = 1 / temperatures[k], 1e-3 / temperatures[k]
        low, middle, high = (qubit_of_levels(beta + s) for s in (-step, 0, step))
        energy = (low - high) / (2 * step)
        expected = -middle / beta, energy, middle + beta * energy, beta**2 * (low - 2 * middle + high) / step**2
        wrong.append([abs(values[name][k] - x) for name, x in zip(FUNCTIONS, expected, strict=True)])
    report.expect("qubit and oscillator: F*, U*, S*, C* against sums over levels", np.max(wrong), below=1e-5)
    for name in ("entropy", "heat_capacity"):
        lowest = values[name].argmin()
        report.say(f"lowest {name}: {values[name][lowest]:.4f} at T = {temperatures[lowest]:.3f}")
    report.hold(
        "S* is negative somewhere, and C* too",
        bool(min(values["entropy"].min(), 0) < 0 > values["heat_capacity"].min()),
    )
    return values


def particle(temperatures, frictions):
    """`C*` of the free particle with `D = 1`, shape `(frictions, temperatures)`."""

    def one(friction, temperature):
        # J(w) = G w D^2 / (w^2 + D^2)
        bath = DrudeLorentzBath(beta=1 / temperature, reorganisation=friction / 2, cutoff=1.0)
        return strong_coupling.damped_particle(bath).heat_capacity

    along = jax.vmap(jax.vmap(one, in_axes=(None, 0)), in_axes=(0, None))
    return np.asarray(jax.jit(along)(jnp.asarray(frictions), jnp.asarray(temperatures)))


def by_normal_modes(temperature, friction, count=600):
    """The same, in NumPy: heat capacities of the modes of particle and bath, less those of the bath."""
    w = np.tan(np.pi / 2 * (np.arange(count) + 0.5) / count)
    weights = np.pi / 2 * (1 + w**2) / count
    squares = friction * w / (w**2 + 1) * weights / np.pi  # g^2
    matrix = np.diag(np.concatenate([[2 * np.sum(squares / w)], w**2]))
    matrix[0, 1:] = matrix[1:, 0] = np.sqrt(2 * w * squares)
    modes = np.sqrt(np.linalg.eigvalsh(matrix)[1:])  # without the one that moves freely

    def capacity(frequencies):
        half = frequencies / (2 * temperature)
        return np.sum((half / np.sinh(np.minimum(half, 300))) ** 2)

    return 0.5 + capacity(modes) - capacity(w)


def brownian(report, temperatures, frictions):
    """A map of `C*`, judged at some points and at low temperature."""
    chart = particle(temperatures, frictions)
    places = [(0.1, 0.5), (0.2, 3.0), (0.5, 3.0), (1.0, 5.0)]
    wrong = max(abs(particle([t], [g])[0, 0] - by_normal_modes(t, g)) for t, g in places)
    report.expect("particle: C* against normal modes", wrong, below=1e-3)
    for friction in (0.5, 3.0):
        slope = particle([0.003], [friction])[0, 0] / 0.003 / (np.pi / 3 * (1 / friction - 1))
        report.expect(f"C* at low temperature, G = {friction} D, over the closed form", slope, near=(1, 0.01))
    report.hold(
        "lowest row of temperatures: negative where G > D alone", bool(np.all((chart[:, 0] < 0) == (frictions > 1)))
    )
    report.say(f"lowest C*: {chart.min():.4f} k_B")
    return chart


def two_sites():
    return np.diag(LEVEL) + HOPPING * SX


def spectral(beta, strength):
    """`C` of the two sites in a continuum, `int A(e) f(e) de`, in NumPy."""
    e = np.sinh(np.linspace(-9, 9, 100_001))
    self_energy = strength * WIDTH / 2 / (e + 1j * WIDTH)
    inverse = e[:, None, None] * np.eye(2) - two_sites() - self_energy[:, None, None] * np.diag([1.0, 0.0])
    density = -np.linalg.inv(inverse).imag / np.pi
    return np.trapezoid(density / (np.exp(np.minimum(beta * e, 500)) + 1)[:, None, None], e, axis=0)


def closed_system(strength, times, levels, beta=2.0):
    """`C` of the two sites along time, both occupied at first and the lead thermal; and that of mean force."""
    lead = finite_lead(FermionicBath(beta, 0.0, strength, WIDTH), levels)
    whole = strong_coupling.coupled_to_leads(jnp.asarray(two_sites()), [(0, lead)])
    start = jnp.concatenate([jnp.ones(2), 1 / (jnp.exp(beta * lead.energies) + 1)])
    energies, vectors = jnp.linalg.eigh(whole)
    mine = vectors[:2]
    moves = jnp.einsum("ak,tk,jk->taj", mine, jnp.exp(-1j * jnp.outer(times, energies)), vectors)
    course = jnp.einsum("taj,j,tbj->tab", moves, start, jnp.conj(moves))
    return course, strong_coupling.fermionic_mean_force(whole, (0, 1), beta).correlation_matrix


def fermions(report, strengths, levels):
    """Courses and distances from both candidates, for each strength of the contact."""
    beta, times = 2.0, np.linspace(0, 80, 161)
    late = times >= 70
    bare = np.asarray(
        jg.gibbs_state(jg.operators.QuadraticFermions(jnp.asarray(two_sites())), beta).correlation_matrix()
    )
    run = jax.jit(lambda strength: closed_system(strength, times, levels, beta))
    courses, ends, targets = [], [], []
    for strength in strengths:
        course, target = (np.asarray(x) for x in run(jnp.asarray(strength)))
        courses.append(course)
        ends.append(course[late])
        targets.append(target)
    away = np.array([np.abs(end - target).max() for end, target in zip(ends, targets, strict=True)])
    from_bare = np.array([np.abs(end - bare).max(axis=(1, 2)).min() for end in ends])
    continuum = [spectral(beta, strength) for strength in strengths]
    wrong = max(np.abs(target - c).max() for target, c in zip(targets, continuum, strict=True))
    report.expect("fermions: state of mean force against the spectral function", wrong, below=1e-5)
    report.expect("late states: largest distance from the state of mean force", away.max(), below=1e-3)
    report.expect(
        "at the strongest contact, as a share of that from the bare Gibbs state", away[-1] / from_bare[-1], below=0.05
    )
    report.say("bare Gibbs state: away by " + ", ".join(f"{x:.4f}" for x in from_bare))
    report.hold("it is left farther behind by every stronger contact", bool(np.all(np.diff(from_bare) > 0)))
    return times, courses, targets, bare, away, from_bare


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    couplings = np.geomspace(0.03, 12, 12 if report.quick else 40)
    spin = spin_and_mode(report, couplings)
    cool = np.geomspace(0.03, 3, 43 if report.quick else 120)
    functions = dispersive(report, cool)
    temperatures = np.geomspace(0.01, 3, 12 if report.quick else 60)
    frictions = np.geomspace(0.2, 12, 12 if report.quick else 60)
    chart = brownian(report, temperatures, frictions)
    strengths = np.geomspace(0.25, 2, 4 if report.quick else 7)
    fermionic = fermions(report, strengths, 400)
    with report.figure(11.4, 6.8) as figure:
        panels = figure.subplots(2, 3).ravel()
        _draw_spin(panels[:2], couplings, *spin)
        _draw_functions(panels[2], cool, functions)
        _draw_particle(figure, panels[3], temperatures, frictions, chart)
        _draw_fermions(panels[4:], strengths, *fermionic)
        panel_letters(panels)
    return report.conclude()


def _draw_spin(panels, couplings, exact, weak, limit, off, away) -> None:
    course, errors = panels
    for matrix, color, name in ((SZ, BLUE, "z"), (SX, VERMILION, "x")):
        values = [np.einsum("...ij,ji->...", rho, matrix).real for rho in (exact, weak, limit)]
        course.semilogx(couplings, values[0], color=color, label=rf"$\langle\sigma_{name}\rangle$ exact")
        course.semilogx(
            couplings[couplings < 2], values[1][couplings < 2], "--", color=color, lw=1, label="second order"
        )
        course.axhline(values[2], color=color, ls=":", lw=1.2, label="ultrastrong limit")
    course.set(xlabel="coupling $g$", ylabel="reduced state of the spin", ylim=(-0.65, 0.6), xlim=couplings[[0, -1]])
    course.legend(loc="upper left", fontsize=8, ncols=2, handlelength=1.4, columnspacing=1)
    errors.loglog(couplings, off, "--", color=BLACK, label="second order")
    errors.loglog(couplings, away, ":", color=BLACK, label="ultrastrong limit")
    third, last = len(couplings) // 4, len(couplings) * 7 // 8
    errors.text(couplings[third] * 1.4, off[third], r"$\propto g^4$", va="top")
    errors.text(couplings[last], 3 * away[last], r"$\propto g^{-2}$")
    errors.set(
        xlabel="coupling $g$", ylabel="trace distance from the exact state", ylim=(1e-8, 2), xlim=couplings[[0, -1]]
    )
    errors.legend(loc="lower right")


def _draw_functions(panel, temperatures, values) -> None:
    labels = zip(
        FUNCTIONS, ("$F^*/W$", "$U^*/W$", "$S^*/k_B$", "$C^*/k_B$"), (BLACK, SKY, GREEN, VERMILION), strict=True
    )
    for name, label, color in labels:
        panel.semilogx(temperatures, values[name], color=color, label=label)
    panel.axhspan(-2, 0, color=BLACK, alpha=0.06, lw=0)
    panel.set(xlabel="temperature $k_BT/W$", ylabel="functions of mean force", ylim=(-1.6, 1.1))
    panel.set_xlim(temperatures[0], temperatures[-1])
    panel.legend(loc="lower left", ncols=2)


def _draw_particle(figure, panel, temperatures, frictions, chart) -> None:
    levels = np.linspace(-0.5, 0.5, 21)
    drawn = panel.contourf(temperatures, frictions, chart, levels=levels, cmap="RdBu_r")
    figure.colorbar(drawn, ax=panel, label="$C^*/k_B$ of the particle")
    panel.contour(temperatures, frictions, chart, levels=[0.0], colors=BLACK, linewidths=1.6)
    panel.plot(temperatures[0], 1.0, "D", color=BLACK, clip_on=False)
    panel.set(xscale="log", yscale="log", xlabel=r"temperature $k_BT/\hbar D$", ylabel="friction $G/D$")


def _draw_fermions(panels, strengths, times, courses, targets, bare, away, from_bare) -> None:
    course, ends = panels
    for k, color in ((0, GREEN), (-1, PURPLE)):
        course.plot(times, courses[k][:, 0, 1].real, color=color, label=f"contact $\\Gamma={strengths[k]:.2g}$")
        course.axhline(targets[k][0, 1], color=color, lw=0.9, ls="--")
    course.axhline(bare[0, 1].real, color=BLACK, lw=1.2, ls=":", label="bare Gibbs")
    course.plot([], [], color=BLACK, lw=0.9, ls="--", label="mean force")
    course.set(xlabel="time", ylabel=r"coherence $\langle c_1^\dagger c_2\rangle$", xlim=(0, 40), ylim=(-0.25, 0.06))
    course.legend(loc="upper right", ncols=2, fontsize=8, columnspacing=1)
    ends.semilogy(strengths, from_bare, "s-", color=ORANGE, label="bare Gibbs state")
    ends.semilogy(strengths, away, "o-", color=BLUE, label="state of mean force")
    ends.set(xlabel=r"contact $\Gamma$", ylabel="distance of the late states from", ylim=(1e-8, 1))
    ends.legend(loc="lower right")


if __name__ == "__main__":
    sys.exit(main())
