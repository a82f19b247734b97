"""How many Pauli expectations, and how well measured, determine the state of three spins?

The unknown state is the thermal state of three spins with random fields and random bonds 0-1 and 1-2: 27 of 63 Pauli
strings. Mean values of M strings are measured, single spins first, then the bonds, then the rest, each in its own run of
`shots` repetitions. The state of largest entropy with these mean values is the estimate; its multipliers are fitted,
and its error bars are those of the fit, cov(lam) = K^-1 cov(q) K^-1 with K the Kubo-Mori covariance.

Expected:
- exact data: the relative entropy D(true | estimate) = S(estimate) - S(true) only falls with M, and is 0 from M = 27 on:
  the strings of the Hamiltonian suffice, and the other 36 mean values are predicted;
- noisy data: D stops at the shot noise, half the trace of K cov(lam), and then rises again with M: what is measured in
  vain adds noise. The mean over many repetitions agrees with this to 5 standard errors and 10 %, where all data sets
  belong to a state (the figure leaves out less than 95 %): 63 mean values of 2000 shots may belong to none, and the fit says so;
- who knows which strings the Hamiltonian has fits 27 multipliers to all 63 mean values: every data set has such a state,
  chi-square is 36 on average, and D is not above that of the 27 strings alone;
- the error bars are right: the squared distance of the multipliers from the true ones, in units of their covariance,
  is M on average, to 5 standard errors and 3 %;
- fidelity above 0.999 with 27 strings and 20 000 shots.

Source: E. T. Jaynes, Phys. Rev. 108, 171 (1957); V. Buzek et al., Ann. Phys. 266, 454 (1998).
"""

import itertools
import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs.operators import Dense
from jaxgibbs.operators.local import kron, pauli_matrices

from ._report import BLACK, BLUE, VERMILION, Report, panel_letters

SPINS, LOCAL, SHOTS = 3, 27, (2_000, 20_000)
STRENGTH = 0.2  # of fields and bonds, in units of the temperature


def pauli_strings() -> tuple[list[str], np.ndarray]:
    """The 63 strings and their matrices: single spins, bond 0-1, bond 1-2, pair 0-2, all three."""
    supports = [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)]
    factors = dict(zip("1XYZ", (np.eye(2), *pauli_matrices()), strict=True))
    names = []
    for support in supports:
        for letters in itertools.product("XYZ", repeat=len(support)):
            found = dict(zip(support, letters, strict=True))
            names.append("".join(found.get(site, "1") for site in range(SPINS)))
    return names, np.array([kron(*[factors[letter] for letter in name]) for name in names])


@jax.jit
def estimates(charges, means, variances):
    """Multipliers with their covariance, `ln Z` and the state for each of a batch of measured `means`."""

    def one(means, variances):
        fit = jg.fit_multipliers(charges, means, target_covariance=variances, throw=False)
        state = jg.generalized_gibbs_state(charges, fit.value)
        return fit.value, fit.stats["covariance"], state.log_partition, state.density_matrix()

    return jax.lax.map(lambda data: one(*data), (means, variances))


@jax.jit
def model_fits(charges, observables, means, variances):
    """chi-square and state of fits of few multipliers to more mean values, for a batch of measured `means`."""

    def one(means):
        fit = jg.fit_expectations(charges, observables, means, variances, throw=False)
        return fit.stats["chi_square"], jg.generalized_gibbs_state(charges, fit.value).density_matrix()

    return jax.lax.map(one, means)


@jax.jit
def compare(states, truth):
    """Relative entropy `Tr truth (ln truth - ln rho)` and fidelity `(Tr sqrt(sqrt(truth) rho sqrt(truth)))^2` of states."""
    root, log = jg.linalg.sqrt(truth), jg.linalg.log(truth)

    def one(rho):
        levels = jg.linalg.eigvalsh(root @ rho @ root)
        difference = jnp.trace(truth @ (log - jg.linalg.log(rho))).real
        return difference, jnp.sum(jnp.sqrt(jnp.maximum(levels, 0))) ** 2

    return jax.vmap(one)(states)


def measure(rng, exact, shots, repetitions):
    """Mean values of +-1 outcomes over `shots` runs, repeated."""
    ones = rng.binomial(shots, np.broadcast_to((1 + exact) / 2, (repetitions, len(exact))))
    return 2 * ones / shots - 1


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    rng = np.random.default_rng(7)
    names, matrices = pauli_strings()
    strings = tuple(Dense(matrix) for matrix in matrices)
    multipliers = np.where(np.arange(len(names)) < LOCAL, STRENGTH * rng.normal(size=len(names)), 0)
    truth = jg.generalized_gibbs_state(strings, multipliers)
    exact = np.asarray(truth.charge_expectations)
    report.say(f"entropy of the true state: {float(truth.entropy):.4f} of at most ln 8 = {np.log(8):.4f}")

    kubo_mori = np.asarray(truth.covariance_matrix(strings))

    counts = (9, 27) if report.quick else (9, 18, 27, 45, 63)
    repetitions = 100
    found = {}
    for count in counts:
        q = exact[:count]
        means = np.concatenate([q[None], *(measure(rng, q, shots, repetitions) for shots in SHOTS)])
        runs = np.repeat([np.inf, *SHOTS], [1, repetitions, repetitions])
        variances = (1 - q**2) / np.minimum(runs, 1e12)[:, None]
        fitted, covariances, log_z, states = map(np.asarray, estimates(strings[:count], means, variances))
        error = fitted - multipliers[:count]
        apart, fidelity = map(np.asarray, compare(states, truth.density_matrix()))
        merits = {
            "multipliers": fitted,
            "covariance": covariances,
            "entropy": log_z + np.sum(fitted * means, axis=1),
            "relative entropy": apart,
            "infidelity": 1 - fidelity,
            "distance": np.einsum("ri,ri->r", error, np.linalg.solve(covariances, error[..., None])[..., 0]),
            "noise": variances @ np.diag(np.linalg.inv(kubo_mori[:count, :count])) / 2,
        }
        found[count] = {s: {name: x[runs == s] for name, x in merits.items()} for s in (np.inf, *SHOTS)}

    _judge(report, found, float(truth.entropy), repetitions)
    known = None if report.quick else _fit_known_model(report, rng, truth, strings, exact, found)
    predicted, spread = predictions(strings, found[LOCAL][max(SHOTS)])
    pulls = (predicted - exact[LOCAL:]) / spread
    report.expect(
        "the 36 strings not measured: largest error of a prediction, in error bars", np.abs(pulls).max(), below=5
    )
    with report.figure(7.6, 6.8) as figure:
        _draw(figure, found, counts, multipliers, exact, predicted, spread, known)
    return report.conclude()


def predictions(strings, merits):
    """Mean values of the strings not measured in the first repetition, with error bars: `-K_bm cov(lam) K_mb`."""
    state = jg.generalized_gibbs_state(strings[:LOCAL], merits["multipliers"][0])
    covariance = np.asarray(state.covariance_matrix(strings))[LOCAL:, :LOCAL]
    spread = np.sqrt(np.einsum("bm,mn,bn->b", covariance, merits["covariance"][0], covariance))
    return np.array([float(state.expectation(string)) for string in strings[LOCAL:]]), spread


def _judge(report, found, entropy, repetitions) -> None:
    falls = [found[count][np.inf]["relative entropy"][0] for count in found]
    report.hold("exact data: the relative entropy only falls with M", bool(np.all(np.diff(falls) < 1e-12)))
    gap = max(abs(d - (found[count][np.inf]["entropy"][0] - entropy)) for count, d in zip(found, falls, strict=True))
    report.expect("exact data: |D - (S(estimate) - S(true))|, the largest", gap, below=1e-10)
    enough = [count for count in found if count >= LOCAL]
    left = max(abs(found[count][np.inf]["relative entropy"][0]) for count in enough)
    report.expect("exact data: largest D for M >= 27", left, below=1e-12)
    for shots in SHOTS:
        for count in enough:
            d = found[count][shots]["relative entropy"]
            of_states = np.isfinite(d)
            noise = found[count][shots]["noise"][0]
            text = f"{shots} shots, {count} strings: mean D"
            if np.all(of_states):
                report.expect(text, d.mean(), near=(noise, 5 * d.std() / np.sqrt(d.size) + 0.1 * noise))
            else:
                report.say(
                    f"{text}: {d[of_states].mean():.3g}, where {np.mean(~of_states):.1%} of the data sets belong to no state"
                )
    merits = found[LOCAL][max(SHOTS)]
    distance = merits["distance"].mean()
    report.expect(
        f"squared distance of {LOCAL} multipliers in error bars",
        distance,
        near=(LOCAL, 5 * np.sqrt(2 * LOCAL / repetitions) + 0.03 * LOCAL),
    )
    report.expect(f"mean infidelity, {LOCAL} strings, {max(SHOTS)} shots", merits["infidelity"].mean(), below=1e-3)


def _fit_known_model(report, rng, truth, strings, exact, found) -> float:
    """Fit the multipliers of the Hamiltonian to the mean values of all strings; the mean relative entropy."""
    repetitions, shots = 100, min(SHOTS)
    means = measure(rng, exact, shots, repetitions)
    chi_square, states = model_fits(strings[:LOCAL], strings, means, (1 - exact**2) / shots)
    free = len(strings) - LOCAL
    report.expect(
        f"{shots} shots, {LOCAL} multipliers, 63 strings: mean chi-square",
        np.mean(chi_square),
        near=(free, 5 * np.sqrt(2 * free / repetitions)),
    )
    apart = np.asarray(compare(states, truth.density_matrix())[0])
    allowed = found[LOCAL][shots]["noise"][0] + 5 * apart.std() / np.sqrt(repetitions)
    report.expect(f"{shots} shots, {LOCAL} multipliers, 63 strings: mean D", apart.mean(), below=allowed)
    return apart.mean()


def _draw(figure, found, counts, multipliers, exact, predicted, spread, known) -> None:
    (entropies, infidelities), (fitted, unmeasured) = figure.subplots(2, 2)
    for panel, merit in ((entropies, "relative entropy"), (infidelities, "infidelity")):
        for shots, color, marker in ((SHOTS[0], VERMILION, "s"), (SHOTS[1], BLUE, "o")):
            shown = [count for count in counts if np.mean(np.isfinite(found[count][shots][merit])) > 0.95]
            samples = [found[count][shots][merit] for count in shown]
            low, middle, high = np.nanpercentile(samples, [16, 50, 84], axis=1)
            panel.fill_between(shown, low, high, color=color, alpha=0.2, lw=0)
            panel.plot(shown, middle, marker=marker, ms=4.5, color=color, label=f"{shots:,} shots".replace(",", " "))
        exactly = [found[count][np.inf][merit][0] for count in counts if count < LOCAL]
        below = [count for count in counts if count < LOCAL]
        panel.plot(below, exactly, "--", color=BLACK, marker="x", label=f"exact data, 0 from M = {LOCAL}")
        panel.axvline(LOCAL, ymax=0.6, color=BLACK, ls=":", lw=1, zorder=0)
        panel.set(yscale="log", xlabel="measured Pauli strings M", xlim=(0, 65))
    for shots, color in zip(SHOTS, (VERMILION, BLUE), strict=True):
        enough = np.array([count for count in counts if count >= LOCAL])
        floor = [found[count][shots]["noise"][0] for count in enough]
        entropies.plot(enough, floor, "--", color=color, lw=1)
    entropies.plot([], [], "--", color=BLACK, lw=1, label=r"$\frac{1}{2}$Tr $K\,$cov$(\lambda)$")
    if known is not None:
        label = f"{LOCAL} multipliers fitted to 63"
        entropies.plot(len(exact), known, "*", ms=12, color=VERMILION, mec=BLACK, mew=0.6, label=label)
    entropies.set_ylabel("relative entropy D(true | estimate)")
    infidelities.set_ylabel("infidelity 1 - F")
    entropies.legend(loc="upper right")
    entropies.set_ylim(top=12)
    infidelities.set_ylim(top=1)
    infidelities.text(LOCAL, 0.045, " all strings of the\n Hamiltonian measured", fontsize=9, va="center")

    merits = found[LOCAL][max(SHOTS)]
    bars = {"ls": "", "marker": "o", "ms": 3.5, "color": BLUE, "elinewidth": 1, "capsize": 1.8}
    ends = np.array([-1.0, 1.0])
    for panel, truth, value, error in (
        (fitted, multipliers[:LOCAL], merits["multipliers"][0], np.sqrt(np.diag(merits["covariance"][0]))),
        (unmeasured, exact[LOCAL:], predicted, spread),
    ):
        reach = 1.15 * np.abs(truth).max()
        panel.plot(reach * ends, reach * ends, color=BLACK, lw=0.8)
        panel.errorbar(truth, value, yerr=error, **bars)
        panel.set(xlim=reach * ends, ylim=reach * ends)
    fitted.set(xlabel=r"true multiplier $\lambda_k$", ylabel=r"fitted multiplier $\lambda_k$")
    unmeasured.set(xlabel="true mean value", ylabel="predicted mean value")
    fitted.text(
        0.04,
        0.95,
        f"the {LOCAL} strings measured",
        transform=fitted.transAxes,
        va="top",
        fontsize=9,
    )
    unmeasured.text(0.04, 0.95, "the 36 strings not measured", transform=unmeasured.transAxes, va="top", fontsize=9)
    panel_letters((entropies, infidelities, fitted, unmeasured))


if __name__ == "__main__":
    sys.exit(main())
