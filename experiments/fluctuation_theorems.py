"""What do single runs say of work and heat, where the second law speaks of their means only?

Work: a chain of L spins 1/2 in its Gibbs state at beta, whose transverse field is ramped from 0.4 to 1.6 in a time
tau,

    H(t) = -sum_i sigma^z_i sigma^z_{i+1} / 2 - h(t) / 2 sum_i sigma^x_i - 0.15 sum_i sigma^z_i,

measured before and after. Heat: two spins 3/2 at different temperatures in a contact that conserves energy; and, in
the steady state, two coupled spins 1/2 between a hot and a cold bath. Precision: the maser, where coherence carries
the current.

Expected, each for every ramp: <e^{-beta W}> = Z_f / Z_i (Jarzynski) within 1e-10, and W of 20000 runs gives it within
five standard errors; in each bin of work ln P(W) / P_reversed(-W) is beta (W - Delta F) of a W inside it (Crooks),
P_reversed from a protocol run backwards in NumPy; dissipated work is the relative entropy of what is left to the
Gibbs state, within 1e-10. ln P(Q) / P(-Q) is (beta_c - beta_h) Q (Jarzynski and Wojcik) within 1e-10, and the contact
without conservation breaks it. The generating function of steady heat is that of a tilted rate matrix in NumPy, and
symmetric (Gallavotti and Cohen), within 1e-9. Variance times entropy over squared current is at least 2 for all rate
equations; the maser's falls below 2 (Kalaee et al.), to the value of NumPy's differences within 1e-5, while rates
with the same mean current, within 1e-9, stay above.

Source: M. Campisi, P. Haenggi and P. Talkner, Rev. Mod. Phys. 83, 771 (2011); A. A. S. Kalaee, A. Wacker and P. P.
Potts, Phys. Rev. E 104, L012103 (2021).
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.special

import jaxgibbs as jg
from jaxgibbs import dynamics, information
from jaxgibbs.baths import FlatBath

from ._report import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, Report, panel_letters

SX, SZ = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])
BETA, FIELDS = 1.0, (0.4, 1.6)
HOT, COLD = 0.4, 1.2
FREQUENCIES = (10.0, 4.0)  # of the maser, hot and cold
MASER = {"hot": (0.0182, 0.1), "cold": (0.91, 2.0)}  # inverse temperature and rate


def at(matrix, site: int, sites: int):
    return np.kron(np.kron(np.eye(2**site), matrix), np.eye(2 ** (sites - 1 - site)))


def chain(sites: int):
    """`H = fixed + h of_field`."""
    fixed = -sum(at(SZ, i, sites) @ at(SZ, i + 1, sites) for i in range(sites - 1)) / 2
    fixed = fixed - 0.15 * sum(at(SZ, i, sites) for i in range(sites))
    return fixed, -sum(at(SX, i, sites) for i in range(sites)) / 2


def field(share):
    return FIELDS[0] + (FIELDS[1] - FIELDS[0]) * share


def ramps(sites, durations):
    """The measurement of work for each duration, stacked."""
    fixed, of_field = (jnp.asarray(x) for x in chain(sites))
    ends = [fixed + h * of_field for h in FIELDS]

    @jax.jit
    @jax.vmap
    def one(duration):
        def hamiltonian(share):
            return duration * (fixed + field(share) * of_field)

        unitary = dynamics.evolution_operator(hamiltonian, [0.0, 1.0], tolerance=1e-5, max_steps=64).value[-1]
        work = dynamics.work_measurement(*ends, unitary, BETA)
        # what is left, and the equilibrium that it has not reached
        left = unitary @ work.state @ unitary.conj().T
        entropy = information.relative_entropy(left, jg.gibbs_state(ends[1], BETA).density_matrix())
        numbers = work.mean, work.dissipated_work, work.log_average(BETA), work.free_energy_difference, entropy / BETA
        return jnp.stack(numbers), work.statistics()

    return one(jnp.asarray(durations))


def backwards(sites, duration, steps=2000):
    """Values of `-W` and their probabilities, for the field ramped down, in NumPy by the midpoint rule."""
    fixed, of_field = chain(sites)
    unitary = np.eye(len(fixed), dtype=complex)
    for k in range(steps):
        levels, vectors = np.linalg.eigh(fixed + field(1 - (k + 0.5) / steps) * of_field)
        unitary = (vectors * np.exp(-1j * levels * duration / steps)) @ (vectors.T @ unitary)
    (first, before), (last, after) = (np.linalg.eigh(fixed + h * of_field) for h in FIELDS[::-1])
    weights = np.exp(-BETA * (first - first[0]))
    chances = np.abs(after.T @ unitary @ before) ** 2 * weights / weights.sum()
    return -(last[:, None] - first), chances


def crooks(report, name, statistics, sites, duration, difference, edges):
    """Histograms forwards and backwards; judged bin by bin, where neither is empty."""
    forwards = np.histogram(statistics.values.ravel(), edges, weights=statistics.probabilities.ravel())[0]
    values, chances = backwards(sites, duration)
    reverse = np.histogram(values.ravel(), edges, weights=chances.ravel())[0]
    filled = (forwards > 1e-6) & (reverse > 1e-6)
    ratio = np.log(forwards[filled] / reverse[filled])
    lower, upper = (BETA * (x[filled] - difference) for x in (edges[:-1], edges[1:]))
    outside = np.maximum(lower - ratio, ratio - upper).max()
    report.expect(f"Crooks, {name}: ln ratio outside its bin, of {filled.sum()} bins", outside, below=1e-4)
    return forwards, reverse


def spin(j):
    """`J_z` and `J_+`."""
    m = np.arange(j, -j - 1, -1)
    return np.diag(m), np.diag(np.sqrt(j * (j + 1) - m[1:] * (m[1:] + 1)), 1)


def exchanged(report):
    """Heat that the colder of two spins 3/2 takes: values, probabilities."""
    z, plus = spin(1.5)
    whole = np.kron(z, np.eye(4)) + np.kron(np.eye(4), z)
    hopping = 0.35 * (np.kron(plus, plus.T) + np.kron(plus.T, plus))
    unitary = scipy.linalg.expm(-1j * (whole + hopping))
    exchange = dynamics.heat_exchange([z, z], unitary, [COLD, HOT])
    found = exchange.energy(0)
    quanta = np.arange(-3, 4)
    chances = np.array([np.sum(found.probabilities, where=np.abs(found.values - q) < 1e-6) for q in quanta])
    # the same, in NumPy, from the basis states themselves
    m = np.diag(z)
    start = np.kron(np.exp(-COLD * m), np.exp(-HOT * m))
    joint = np.abs(unitary) ** 2 * start / start.sum()
    taken = np.kron(m, np.ones(4))
    plain = np.array([joint[np.abs(taken[:, None] - taken - q) < 1e-6].sum() for q in quanta])
    report.expect("heat between two spins against sums over basis states", np.abs(chances - plain).max(), below=1e-12)
    ratio = np.log(chances[4:] / chances[2::-1])
    report.expect("Jarzynski-Wojcik", np.abs(ratio - (COLD - HOT) * quanta[4:]).max(), below=1e-10)
    torn = scipy.linalg.expm(-1j * (whole + hopping + 0.35 * (np.kron(plus, plus) + np.kron(plus.T, plus.T))))
    broken = dynamics.heat_exchange([z, z], torn, [COLD, HOT])
    other = broken.energy(0)
    there, back = (np.sum(other.probabilities, where=np.abs(other.values - q) < 1e-6) for q in (1, -1))
    away = abs(np.log(there / back) - (COLD - HOT))
    report.hold(f"a contact that does not conserve energy breaks it, by {away:.2f} for one quantum", bool(away > 0.1))
    report.expect("but entropy: ln <e^-S>", abs(broken.log_average([COLD, HOT])), below=1e-10)
    return quanta, chances


def junction(report, fields):
    """The generating function of the heat from the hot bath, of two spins in between; and by a tilted rate matrix."""
    hamiltonian = 0.5 * at(SZ, 0, 2) + 0.7 * at(SZ, 1, 2) + 0.3 * at(SX, 0, 2) @ at(SX, 1, 2)
    couplings = [(at(SX, 0, 2), FlatBath(HOT, 0.02)), (at(SX, 1, 2), FlatBath(COLD, 0.03))]
    generator = jg.davies(hamiltonian, couplings, baths=["hot", "cold"], lamb_shift=False)
    heat = dynamics.CountedHeat(generator, "hot")
    found = np.asarray(jax.jit(jax.vmap(lambda x: dynamics.cumulant_generating_function(heat, x)))(fields))
    levels, vectors = np.linalg.eigh(hamiltonian)
    gaps = levels - levels[:, None]  # from j to i, given to the bath
    parts = []
    for matrix, bath in couplings:
        with np.errstate(all="ignore"):
            rates = (
                np.abs(vectors.T @ matrix @ vectors) ** 2
                * float(bath.strength)
                / (1 - np.exp(-float(bath.beta) * gaps))
            )
        parts.append(np.where(np.eye(4) > 0, 0, np.abs(rates)))

    def largest(x):
        matrix = parts[0] * np.exp(-x * gaps) + parts[1] - np.diag(sum(parts).sum(0))
        return np.linalg.eigvals(matrix).real.max()

    report.expect(
        "heat through two spins: tilted rate matrix", max(abs(found - [largest(x) for x in fields])), below=1e-9
    )
    report.expect("Gallavotti-Cohen", np.abs(found - found[::-1]).max(), below=1e-9)
    currents = dynamics.heat_currents(generator, jg.steady_state(generator).value)
    ratio = dynamics.uncertainty_ratio(heat, -HOT * currents[0] - COLD * currents[1])
    report.expect("uncertainty ratio of two spins between baths: minus it", -float(ratio), below=-2.0)
    return found


def maser_rates(drive):
    """`(up, down)` at the hot and cold transitions, and those of the field if coherence is eliminated."""
    rates = []
    for (beta, rate), frequency in zip(MASER.values(), FREQUENCIES, strict=True):
        n = 1 / np.expm1(beta * frequency)
        rates.append((rate * n, rate * (n + 1)))
    return (*rates, 4 * drive**2 / (rates[0][0] + rates[1][0]))


def rate_equation(drive, x):
    """The largest eigenvalue of the tilted matrix of levels `0, 1, 2`, photons given to the cold bath counted."""
    hot, cold, field_rate = maser_rates(drive)
    plain = np.array([[0, field_rate, hot[1]], [field_rate, 0, cold[1]], [hot[0], cold[0], 0]])
    factors = np.array([[1, 1, 1], [1, 1, np.exp(x)], [1, np.exp(-x), 1]])
    return np.linalg.eigvals(plain * factors - np.diag(plain.sum(0))).real.max()


def lindblad(drive, x):
    """The same for the maser itself."""
    hot, cold, _ = maser_rates(drive)
    hamiltonian, one = np.zeros((3, 3)), np.eye(3)
    hamiltonian[0, 1] = hamiltonian[1, 0] = drive
    generator = -1j * (np.kron(hamiltonian, one) - np.kron(one, hamiltonian))
    for to, start, rate, factor in (
        (2, 0, hot[0], 1),
        (0, 2, hot[1], 1),
        (2, 1, cold[0], np.exp(-x)),
        (1, 2, cold[1], np.exp(x)),
    ):
        jump, decay = np.outer(one[to], one[start]), np.diag(one[start]) / 2
        generator = generator + rate * (factor * np.kron(jump, jump) - np.kron(decay, one) - np.kron(one, decay))
    return np.linalg.eigvals(generator).real.max()


def by_differences(function, drive, step=1e-3):
    """Mean and variance per unit of time."""
    values = [function(drive, k * step) for k in (-2, -1, 0, 1, 2)]
    mean = (values[0] - 8 * values[1] + 8 * values[3] - values[4]) / (12 * step)
    return mean, (-values[0] + 16 * values[1] - 30 * values[2] + 16 * values[3] - values[4]) / (12 * step**2)


def maser(report, drives):
    """Uncertainty ratios of the maser and of its rate equation, for each drive."""
    baths = [FlatBath(beta, rate) for beta, rate in MASER.values()]
    affinity = MASER["cold"][0] * FREQUENCIES[1] - MASER["hot"][0] * FREQUENCIES[0]

    @jax.jit
    @jax.vmap
    def of_maser(drive):
        generator, energies = dynamics.three_level_maser(*FREQUENCIES, drive, *baths)
        rho = jg.steady_state(generator).value
        entropy = -jnp.array([beta for beta, _ in MASER.values()]) @ dynamics.heat_currents(generator, rho, energies)
        photons = dynamics.CountedJumps(generator, [0.0, 0.0, 1.0, -1.0])
        return dynamics.uncertainty_ratio(photons, entropy)

    ratios = np.asarray(of_maser(jnp.asarray(drives)))
    quantum, classical = (
        np.array([by_differences(function, drive) for drive in drives]) for function in (lindblad, rate_equation)
    )
    report.expect("maser and its rate equation: mean current", np.abs(quantum - classical)[:, 0].max(), below=1e-9)
    bounds = [noise * affinity / mean for mean, noise in (quantum.T, classical.T)]
    report.expect("maser: uncertainty ratio against differences", np.abs(ratios - bounds[0]).max(), below=1e-5)
    report.expect("maser: the least uncertainty ratio", ratios.min(), below=1.9)
    report.expect("its rate equation: minus the least", -bounds[1].min(), below=-2.0)
    return ratios, bounds[1]


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    sites, durations = (4 if report.quick else 5), np.array([0.1, 0.5, 1.0, 2.0, 4.0, 8.0])
    numbers, statistics = ramps(sites, durations)
    mean, dissipated, average, difference, entropy = np.asarray(numbers).T
    fixed, of_field = chain(sites)
    logs = [scipy.special.logsumexp(-BETA * np.linalg.eigvalsh(fixed + h * of_field)) for h in FIELDS]
    expected = -(logs[1] - logs[0]) / BETA
    report.say(f"Delta F = {expected:.6f}; <W> from {mean.min():.4f} to {mean.max():.4f}")
    report.expect("Jarzynski, and Delta F from levels", np.abs(-average / BETA - expected).max(), below=1e-10)
    report.expect("Delta F that is reported", np.abs(difference - expected).max(), below=1e-10)
    report.expect("dissipated work less relative entropy", np.abs(dissipated - entropy).max(), below=1e-10)
    keys, off = jax.random.split(jax.random.key(7), len(durations)), []
    runs = jax.vmap(lambda one, key: one.sample(key, 20000))(statistics, keys)
    for sampled in np.exp(-BETA * (np.asarray(runs) - expected)):
        off.append(abs(sampled.mean() - 1) / (sampled.std() / np.sqrt(len(sampled))))
    report.expect("Jarzynski from 20000 runs, in standard errors", max(off), below=5.0)
    below = [float(np.mean(np.asarray(x) < expected)) for x in runs]
    report.say("runs with W < Delta F: " + ", ".join(f"{x:.3f}" for x in below))
    edges = np.linspace(-4.5, 2.5, 36) + expected / 2
    histograms = {}
    for name, place in (("fast", 1), ("slow", 5)):
        one = jax.tree_util.tree_map(lambda x, place=place: np.asarray(x[place]), statistics)
        histograms[name] = crooks(report, name, one, sites, durations[place], expected, edges)

    heat = exchanged(report)
    fields = -(COLD - HOT) / 2 + np.linspace(-0.75, 0.75, 41)
    generating = junction(report, fields)
    drives = np.geomspace(0.03, 1, 9 if report.quick else 33)
    ratios = maser(report, drives)
    with report.figure(11.0, 6.8) as figure:
        panels = figure.subplots(2, 3).ravel()
        _draw_work(panels[:3], edges, histograms, expected, durations, dissipated, entropy, below)
        _draw_heat(panels[3:], heat, (fields, generating), (drives, *ratios))
        panel_letters(panels)
    return report.conclude()


def _draw_work(panels, edges, histograms, difference, durations, dissipated, entropy, below) -> None:
    both, ratio, loss = panels
    centres, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    forwards, reverse = histograms["fast"]
    both.stairs(forwards / width, edges, color=BLUE, fill=True, alpha=0.3)
    both.stairs(forwards / width, edges, color=BLUE, label="$P(W)$")
    both.stairs(reverse / width, edges, color=VERMILION, label=r"$P_{reversed}(-W)$", lw=1.8)
    both.axvline(difference, color=BLACK, lw=0.9, ls=":")
    both.text(difference - 0.1, 1.15 * both.get_ylim()[1], r"$\Delta F$", ha="right")
    both.set(xlabel="work $W$", ylabel="probability density", ylim=(0, 1.3 * both.get_ylim()[1]))
    both.legend(loc="upper right")
    line = np.array([edges[0], edges[-1]])
    ratio.plot(line, BETA * (line - difference), color=BLACK, lw=0.9, label=r"$\beta(W-\Delta F)$")
    for (name, (first, last)), color, mark in zip(histograms.items(), (BLUE, GREEN), "os", strict=True):
        filled = (first > 1e-6) & (last > 1e-6)
        ratio.plot(
            centres[filled], np.log(first[filled] / last[filled]), mark, mfc="none", color=color, label=f"{name} ramp"
        )
    ratio.axhline(0, color=BLACK, lw=0.5, ls=":")
    ratio.axvline(difference, color=BLACK, lw=0.5, ls=":")
    ratio.set(xlabel="work $W$", ylabel=r"$\ln\, P(W)/P_{reversed}(-W)$")
    ratio.legend(loc="upper left")
    loss.semilogx(durations, dissipated, "o", mfc="none", color=BLUE, label=r"$\langle W\rangle-\Delta F$")
    loss.semilogx(durations, entropy, color=BLACK, lw=0.9, label="relative entropy$/\\beta$")
    loss.semilogx(durations, below, "s", mfc="none", color=ORANGE, label=r"runs with $W<\Delta F$")
    loss.set(xlabel=r"duration of the ramp $\tau$", ylabel="dissipated work, share of runs", ylim=(0, 1.3))
    loss.legend(loc="upper right")


def _draw_heat(panels, heat, generating, uncertainty) -> None:
    exchange, symmetric, precise = panels
    quanta, chances = heat
    exchange.bar(quanta, chances, color=SKY, width=0.6, label="$P(Q)$")
    mirrored = chances[::-1] * np.exp((COLD - HOT) * quanta)
    exchange.plot(quanta, mirrored, "o", color=BLACK, mfc="none", label=r"$e^{(\beta_c-\beta_h)Q}\,P(-Q)$")
    exchange.set(xlabel="heat $Q$ that the colder spin takes", ylabel="probability", yscale="log", xticks=quanta)
    exchange.set_ylim(None, 3)
    exchange.legend(loc="upper left")
    fields, values = generating
    symmetric.plot(fields, values, color=GREEN)
    symmetric.plot(-fields - (COLD - HOT), values, "o", ms=4, mfc="none", color=BLACK, markevery=2)
    symmetric.plot([], [], color=GREEN, label=r"$\lambda(\chi)$")
    symmetric.plot([], [], "o", ms=4, mfc="none", color=BLACK, label=r"$\lambda(-\chi-\beta_c+\beta_h)$")
    symmetric.axhline(0, color=BLACK, lw=0.5, ls=":")
    symmetric.axvline(-(COLD - HOT) / 2, color=BLACK, lw=0.5, ls=":")
    symmetric.set(xlabel=r"counting field $\chi$", ylabel="generating function of heat")
    symmetric.legend(loc="upper center")
    drives, ratios, classical = uncertainty
    precise.axhspan(0, 2, color=BLACK, alpha=0.08, lw=0)
    precise.semilogx(drives, classical, color=VERMILION, label="rate equation of equal current")
    precise.semilogx(drives, ratios, color=BLUE, label="maser")
    precise.text(drives[0], 1.96, " closed to\n rate equations", va="top")
    precise.set(xlabel="drive of the maser", ylabel="variance x entropy / current$^2$", ylim=(1.4, 4.2))
    precise.set_xlim(drives[0], drives[-1])
    precise.legend(loc="upper right")


if __name__ == "__main__":
    sys.exit(main())
