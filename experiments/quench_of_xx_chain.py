"""To what state does an isolated chain relax: to the canonical one of its energy, or to one that keeps more?

Five fermions (spins down) sit in the ground state of the left 7 sites of an open XX chain of 10, behind a wall; at
t = 0 the wall falls. The chain is integrable: the occupations n_k of its modes never change. The generalised Gibbs
ensemble, the state of largest entropy with these n_k (Rigol et al. 2007), has them as charges and ten multipliers,
which are fitted; the canonical state has the energy alone and one multiplier.

The truth is computed without fermions or modes: 252 x 252 matrices of the spin chain with five spins down, and

    long-time average of <A> = sum over levels E of <psi| P_E A P_E |psi>.

Expected: the fitted multipliers are ln((1 - n_k) / n_k); all 100 averages <c_i^+ c_j> of the GGE agree with the exact
long-time averages to 1e-10; the canonical state of the same energy (and, its chemical potential being zero by symmetry, of
the same number) misses mode occupations by more than 0.25 and densities by more than 0.05.

Source: M. Rigol, V. Dunjko, V. Yurovsky and M. Olshanii, Phys. Rev. Lett. 98, 050405 (2007).
"""

import sys

import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.operators import Fermions
from jaxgibbs.operators.local import fermion_annihilation

from ._report import BLACK, BLUE, SKY, VERMILION, Report, panel_letters

SITES, BOX, PARTICLES = 10, 7, 5
WALL = 20.0  # field on the sites behind the wall, in units of J


class Chain:
    """The spin chain with a fixed number of spins down, as matrices; a spin down is a fermion."""

    def __init__(self):
        down = np.array([state.bit_count() for state in range(2**SITES)])
        self.sector = np.flatnonzero(down == PARTICLES)
        one_less = np.flatnonzero(down == PARTICLES - 1)
        annihilate = [fermion_annihilation(site, SITES)[np.ix_(one_less, self.sector)] for site in range(SITES)]
        self.hop = np.array([[c_i.T @ c_j for c_j in annihilate] for c_i in annihilate])
        """Matrices of `c_i^+ c_j`, with axes i, j, state, state."""

    def levels(self, **couplings):
        """Energies and eigenvectors of the XX chain, `J = 1`."""
        matrix = models.xx_chain(SITES, **couplings).to_dense()[np.ix_(self.sector, self.sector)]
        return map(np.asarray, jg.linalg.eigh(matrix))


def evolve(chain: Chain, times):
    """Mode energies, `<c_i^+ c_j>` at t = 0, its long-time average, and densities over time, after the wall falls."""
    behind = np.arange(SITES) >= BOX
    inside = (np.arange(SITES - 1) < BOX - 1).astype(float)
    _, before = chain.levels(coupling=inside, field=WALL * behind)
    energies, vectors = chain.levels()
    amplitudes = vectors.T @ before[:, 0]
    hop = vectors.T @ chain.hop @ vectors
    at_start = np.einsum("n,ijnm,m->ij", amplitudes, hop, amplitudes)
    same_level = np.abs(energies[:, None] - energies) < 1e-9
    average = np.einsum("n,ijnm,m->ij", amplitudes, hop * same_level, amplitudes)
    moving = amplitudes * np.exp(-1j * np.outer(times, energies))
    density = np.einsum("tn,inm,tm->ti", moving.conj(), hop[np.arange(SITES), np.arange(SITES)], moving, optimize=True)
    return at_start, average, density.real


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    times = np.linspace(0, 60, 301 if report.quick else 1201)
    at_start, average, density = evolve(Chain(), times)

    energies, orbitals = map(np.asarray, models.xx_chain_modes(SITES))
    occupations = np.diag(orbitals.T @ at_start @ orbitals)
    modes = [Fermions(row) for row in np.eye(SITES)]
    fit = jg.fit_multipliers(modes, occupations)
    report.expect("largest |<n_k> - n_k| of the fit", fit.error, below=1e-12)
    closed = np.log((1 - occupations) / occupations)
    report.expect("error of the multipliers against ln((1 - n_k) / n_k)", _largest(fit.value, closed), below=1e-10)
    gge = jg.generalized_gibbs_state(modes, fit.value)
    energy = float(energies @ occupations)
    beta = jg.fit_multipliers([Fermions(energies)], jnp.array([energy])).value[0]
    canonical = jg.gibbs_state(Fermions(energies), beta)
    report.say(f"energy {energy:.6f} J, beta J of the canonical state {float(beta):.6f}")
    report.say(f"entropy: GGE {float(gge.entropy):.4f}, canonical {float(canonical.entropy):.4f}")

    report.expect("particles in the canonical state", jnp.sum(canonical.populations), near=(PARTICLES, 1e-10))
    predicted = {
        name: orbitals * np.asarray(state.populations) @ orbitals.T
        for name, state in (("GGE", gge), ("canonical", canonical))
    }
    report.expect(
        "GGE: error of the 100 long-time averages <c_i^+ c_j>", _largest(predicted["GGE"], average), below=1e-10
    )
    missed = np.abs(np.asarray(canonical.populations) - occupations).max()
    report.hold(f"canonical: misses a mode occupation by {missed:.3f} > 0.25", missed > 0.25)
    missed = np.abs(np.diag(predicted["canonical"] - average)).max()
    report.hold(f"canonical: misses a density by {missed:.3f} > 0.05", missed > 0.05)
    with report.figure(7.2, 6.6) as figure:
        _draw(figure, times, density, energies, occupations, average, gge, float(beta), predicted)
    return report.conclude()


def _draw(figure, times, density, energies, occupations, average, gge, beta, predicted) -> None:
    grid = figure.add_gridspec(2, 2, height_ratios=[1.25, 1.0])
    left, right, below = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, :])
    fine = np.linspace(-1.05, 1.05, 200)
    left.plot(fine, 1 / (np.exp(beta * fine) + 1), "--", color=VERMILION, label="canonical, same energy")
    left.plot(energies, gge.populations, "-", color=BLUE, lw=1, marker="x", ms=7, mew=1.6, label="GGE, fitted")
    left.plot(energies, occupations, "o", color=BLACK, mfc="none", ms=8, label="exact, conserved")
    left.set(
        xlabel=r"mode energy $e_k/J$", ylabel=r"mode occupation $\langle n_k\rangle$", ylim=(0, 1.32), xlim=(-1.1, 1.1)
    )
    left.legend(loc="upper right")

    sites = np.arange(SITES)
    right.stairs(density[0], np.arange(SITES + 1) - 0.5, color=SKY, fill=True, alpha=0.35, label="initial")
    right.plot(sites, np.diag(predicted["canonical"]), "--", color=VERMILION, label="canonical")
    right.plot(sites, np.diag(predicted["GGE"]), "-", color=BLUE, lw=1, marker="x", ms=7, mew=1.6, label="GGE")
    right.plot(sites, np.diag(average), "o", color=BLACK, mfc="none", ms=8, label="long-time average")
    right.set(xlabel="site", ylabel=r"density $\langle c_i^\dagger c_i\rangle$", ylim=(0, 1.32), xticks=sites)
    right.legend(loc="upper right", ncols=2)

    running = np.cumsum((density[1:, 0] + density[:-1, 0]) / 2) / np.arange(1, len(times))
    below.plot(times, density[:, 0], color=BLACK, lw=0.9, alpha=0.6, label="exact")
    below.plot(times[1:], running, color=BLACK, lw=2, label="exact, averaged from 0 to t")
    below.axhline(predicted["GGE"][0, 0], color=BLUE, lw=1.6, label="GGE")
    below.axhline(predicted["canonical"][0, 0], color=VERMILION, ls="--", label="canonical")
    below.set(xlabel=r"time $tJ/\hbar$", ylabel="density of site 0", xlim=(0, times[-1]))
    top = density[:, 0].max()
    below.set_ylim(min(0.0, density[:, 0].min()), 1.28 * top)
    below.legend(loc="upper center", ncols=4)
    panel_letters((left, right, below))


def _largest(found, expected) -> float:
    return float(np.max(np.abs(np.asarray(found) - np.asarray(expected))))


if __name__ == "__main__":
    sys.exit(main())
