"""Does a spin thermalise in a small bath of spins, and to which state: its own Gibbs state, or the reduced one of the whole?

A spin 1/2 in a field is coupled to the end of a chain of N spins 1/2, an Ising chain in a tilted field, which is not integrable.
The bath starts in its Gibbs state at beta, the spin in the pure state |+>, and the whole evolves without any bath of its own:

    rho_S(t) = Tr_B[e^{-iHt} (|+><+| x e^{-beta H_B} / Z_B) e^{iHt}],      H = H_S + g V + H_B.

Two predictions: the bare Gibbs state e^{-beta H_S} / Z_S, which knows nothing of the coupling, and the reduced state of the
whole, Tr_B e^{-beta H} / Z, the state of mean force. The energy that the spin brings heats a finite bath: beta is therefore
also fitted to the conserved energy <H>.

Expected: the time average of rho_S is closer to the reduced Gibbs state, at the fitted beta, with every larger bath; for the
largest their trace distance is below 0.04, less than a third of the one to either bare Gibbs state; fluctuations about the
average fall with every larger bath; the energy is conserved to 1e-10.

Source: N. Linden, S. Popescu, A. J. Short and A. Winter, Phys. Rev. E 79, 061103 (2009).
"""

import sys

import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import information

from ._report import BLACK, BLUE, GREEN, ORANGE, VERMILION, Report, panel_letters

BETA, SPLITTING, COUPLING = 1.0, 0.8, 1.2
SX, SZ = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])


def at(matrix, site: int, sites: int):
    """A one-site matrix in the chain; site 0 is the spin."""
    return np.kron(np.kron(np.eye(2**site), matrix), np.eye(2 ** (sites - 1 - site)))


def hamiltonians(bath: int):
    """`(H, H_B)` of the spin with a bath of that many spins, and of the bath alone."""
    sites = bath + 1
    ising = [0.5 * at(SZ, i, bath) @ at(SZ, i + 1, bath) for i in range(bath - 1)]
    fields = [0.5 * (1.05 * at(SX, i, bath) + 0.5 * at(SZ, i, bath)) for i in range(bath)]
    of_bath = sum(ising) + sum(fields)
    own = SPLITTING / 2 * at(SZ, 0, sites)
    contact = COUPLING / 2 * (at(SX, 0, sites) @ at(SX, 1, sites) + at(SZ, 0, sites) @ at(SZ, 1, sites))
    return own + contact + np.kron(np.eye(2), of_bath), of_bath


def reduced(rho):
    return jg.linalg.partial_trace(rho, (2, rho.shape[-1] // 2), 0)


def run(bath: int, times):
    """Reduced states along time, the predictions, and the drift of the energy."""
    whole, of_bath = hamiltonians(bath)
    start = jnp.kron(jnp.full((2, 2), 0.5), jg.gibbs_state(of_bath, BETA).density_matrix())
    levels, vectors = jg.linalg.eigh(jnp.asarray(whole))
    inside = vectors.T @ start @ vectors
    parts = vectors.reshape(2, -1, len(levels))
    phases = jnp.exp(-1j * jnp.outer(times, levels))

    def element(a, b):  # sum_mn <a|Tr_B |m><n| |b> <m|rho|n> e^{-i (E_m - E_n) t}
        overlap = (parts[a].T @ parts[b]) * inside
        return jnp.sum((phases @ overlap) * jnp.conj(phases), axis=1)

    states = jnp.stack([jnp.stack([element(a, b) for b in (0, 1)], axis=1) for a in (0, 1)], axis=1)
    energy = float(jnp.trace(whole @ start))
    fitted = jg.fit_beta(whole, energy=energy).value
    first = float(jnp.trace(whole @ _whole_at(vectors, levels, inside, times[-1])).real)
    return {
        "states": np.asarray(states),
        "bare": np.asarray(jg.gibbs_state(SPLITTING / 2 * SZ, BETA).density_matrix()),
        "bare, fitted": np.asarray(jg.gibbs_state(SPLITTING / 2 * SZ, fitted).density_matrix()),
        "reduced": np.asarray(reduced(jg.gibbs_state(whole, BETA).density_matrix())),
        "reduced, fitted": np.asarray(reduced(jg.gibbs_state(whole, fitted).density_matrix())),
        "beta": float(fitted),
        "drift": abs(first - energy),
    }


def _whole_at(vectors, levels, inside, time):
    moving = vectors * jnp.exp(-1j * levels * time)
    return moving @ inside @ jnp.conj(moving).T


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    baths = (3, 5, 7) if report.quick else (3, 5, 7, 9)
    times = np.linspace(0, 120, 241 if report.quick else 601)
    found = {bath: run(bath, times) for bath in baths}
    late = times > 20
    summary = {}
    for bath, run_of in found.items():
        average = run_of["states"][late].mean(0)
        average = (average + average.conj().T) / 2
        names = ("bare", "bare, fitted", "reduced", "reduced, fitted")
        distances = {name: float(information.trace_distance(average, run_of[name] + 0j)) for name in names}
        spread = np.mean([float(information.trace_distance(rho, average)) for rho in run_of["states"][late][::4]])
        summary[bath] = distances | {"spread": spread}
        numbers = ", ".join(f"{name} {distances[name]:.4f}" for name in names)
        report.say(f"bath of {bath}: fitted beta {run_of['beta']:.3f}; trace distance of the average to {numbers}")
    last, course = summary[baths[-1]], [summary[bath]["reduced, fitted"] for bath in baths]
    report.hold(
        "every larger bath brings the spin closer to the reduced Gibbs state", bool(np.all(np.diff(course) < 0))
    )
    report.expect("largest bath: distance to the reduced Gibbs state, fitted", last["reduced, fitted"], below=0.04)
    share = last["reduced, fitted"] / min(last["bare"], last["bare, fitted"])
    report.expect("that, as a share of the distance to the bare Gibbs state", share, below=1 / 3)
    spreads = [summary[bath]["spread"] for bath in baths]
    report.hold("fluctuations fall with every larger bath", bool(np.all(np.diff(spreads) < 0)))
    report.expect("drift of the energy", max(run_of["drift"] for run_of in found.values()), below=1e-10)

    with report.figure(7.4, 6.2) as figure:
        _draw(figure, times, found, summary)
    return report.conclude()


def _draw(figure, times, found, summary) -> None:
    grid = figure.add_gridspec(2, 2, height_ratios=[1.15, 1])
    course, away, spread = (
        figure.add_subplot(grid[0, :]),
        figure.add_subplot(grid[1, 0]),
        figure.add_subplot(grid[1, 1]),
    )
    baths = tuple(found)
    colors = dict(zip(baths, (ORANGE, GREEN, BLUE, BLACK)[-len(baths) :], strict=True))
    for bath in (baths[0], baths[-1]):
        excited = found[bath]["states"][:, 0, 0].real
        course.plot(times, excited, color=colors[bath], lw=1.1, label=f"bath of {bath} spins")
    largest = found[baths[-1]]
    course.axhline(largest["bare"][0, 0].real, color=VERMILION, ls=":", label="bare Gibbs")
    course.axhline(largest["reduced, fitted"][0, 0].real, color=VERMILION, label=r"reduced Gibbs, fitted $\beta$")
    course.set(
        xlabel=r"time $tJ/\hbar$",
        ylabel=r"$\langle\uparrow|\rho_S|\uparrow\rangle$",
        xlim=(0, times[-1]),
        ylim=(0.2, 0.72),
    )
    course.legend(loc="upper right", ncols=4)
    marks = {"bare": ("o", ":"), "bare, fitted": ("s", ":"), "reduced": ("o", "-"), "reduced, fitted": ("s", "-")}
    for name, (mark, line) in marks.items():
        color = VERMILION if name.startswith("bare") else BLUE
        values = [summary[bath][name] for bath in baths]
        away.plot(baths, values, mark + line, color=color, mfc="white" if mark == "o" else color, label=name)
    top = max(max(summary[bath][name] for name in marks) for bath in baths)
    away.set(xlabel="spins in the bath", ylabel="trace distance of the average", xticks=baths, ylim=(0, 1.5 * top))
    away.legend(loc="upper right", ncols=2)
    spread.plot(baths, [summary[bath]["spread"] for bath in baths], "o-", color=BLACK)
    spread.set(xlabel="spins in the bath", ylabel="mean distance from the average", xticks=baths)
    spread.set_ylim(0, None)
    panel_letters((course, away, spread))


if __name__ == "__main__":
    sys.exit(main())
