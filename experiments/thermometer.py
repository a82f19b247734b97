"""Which levels make the best thermometer?

A small body in equilibrium tells a temperature T with a relative error of at least `1 / sqrt(n C)` in n readings of its energy, C
its heat capacity. Which N levels have the largest C is not assumed here: the energies climb along the gradient of C, from random
starts, and so do all 15 couplings of two spins. Then the Heisenberg dimer, whose levels are those found, is looked at closely: what
one of its spins tells of T alone, how far the two are entangled, and whether they are correlated more than the area law allows.

Expected, in units of T or of the exchange coupling J:
- one ground state and N - 1 excited states of one energy x, `e^x = (N - 1) (x + 2) / (x - 2)`, with `C = (x / 2)^2 - 1`; equally
  spaced levels are worse for every N > 2;
- two spins reach what any 4 levels can, and the dimer has it at `kT = J / x`; one spin of it tells nothing, at any temperature;
- its concurrence is `max(0, 1 - 6 / (e^{J / kT} + 3))`, 0 from `kT = J / ln 3` upwards, where correlations go on;
- the mutual information stays below `Tr[H (rho_A x rho_B - rho)] / kT`, the area law's bound, and in the heat is half of it.

Source: Correa, Mehboudi, Adesso & Sanpera, PRL 114, 220405 (2015); Arnesen, Bose & Vedral, PRL 87, 017901 (2001); Wolf, Verstraete,
Hastings & Cirac, PRL 100, 070502 (2008).
"""

import functools
import itertools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxgibbs as jg
from jaxgibbs import fitting, information
from jaxgibbs.operators import Spectrum

from ._report import BLACK, BLUE, GREEN, PURPLE, SKY, VERMILION, Report, panel_letters

PAULI = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
TWO_SPINS = np.array([np.kron(a, b) for a, b in itertools.product(PAULI, PAULI)][1:]) / 2


def of_levels(energies):
    return jg.heat_capacity(Spectrum(energies), 1.0)


def of_couplings(couplings):
    return jg.heat_capacity(jnp.einsum("k,kij->ij", couplings, TWO_SPINS), 1.0)


@functools.partial(jax.jit, static_argnums=(0, 2))
def climb(capacity, starts, steps):
    """Adam's ascent, with steps that shrink, from every start."""
    optimizer = optax.adam(optax.cosine_decay_schedule(0.1, steps))

    def one(point):
        def step(carry, _):
            point, memory = carry
            updates, memory = optimizer.update(-jax.grad(capacity)(point), memory)
            return (optax.apply_updates(point, updates), memory), None

        (point, _), _ = jax.lax.scan(step, (point, optimizer.init(point)), None, length=steps)
        return point, capacity(point)

    return jax.vmap(one)(starts)


def best_ladder(levels):
    """The largest heat capacity of equally spaced levels."""
    spacings = jnp.linspace(0.02, 4, 400)
    return float(jnp.max(jax.vmap(lambda x: of_levels(x * jnp.arange(levels)))(spacings)))


def of_dimer(beta):
    """Heat capacity, concurrence, mutual information and its bound, and what one spin tells of T, for J = 1."""
    dimer = jg.models.heisenberg_chain(2, coupling=1.0)
    state = jg.gibbs_state(dimer, beta)
    rho = state.density_matrix()
    return jnp.stack(
        [
            state.heat_capacity,
            information.concurrence(rho),
            information.mutual_information(rho, (2, 2), 0),
            information.area_law_bound(dimer.to_dense(), rho, (2, 2), 0, beta),
            1 / fitting.local_thermometry_bounds(dimer, beta, (2, 2), 0).temperature,
        ]
    )


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    rng = np.random.default_rng(2)
    counts = (2, 3, 5, 10) if report.quick else (2, 3, 5, 10, 20, 50, 100)
    found, ladders, reached = [], [], 0
    for levels in counts:
        best = fitting.optimal_thermometer(levels, 1.0)
        energies, capacities = climb(of_levels, jnp.asarray(rng.uniform(0, 4, (8, levels))), 1000)
        reached += int(jnp.sum(capacities > best.heat_capacity - 1e-9))
        top = np.sort(energies[jnp.argmax(capacities)])
        found.append((top[1:] - top[0], float(jnp.max(capacities))))
        ladders.append(best_ladder(levels))
        report.expect(
            f"{levels} levels: C found - ((x / 2)^2 - 1)", abs(found[-1][1] - best.heat_capacity), below=1e-10
        )
        report.expect(f"{levels} levels: excited energies - x", np.abs(found[-1][0] - best.gap).max(), below=1e-4)
    report.say(f"{reached} of {8 * len(counts)} random starts reached the best levels")
    bests = np.array([fitting.optimal_thermometer(levels, 1.0).heat_capacity for levels in counts])
    report.hold("an equally spaced ladder is worse for every N > 2", bool(np.all(np.array(ladders[1:]) < bests[1:])))

    best = fitting.optimal_thermometer(4, 1.0)
    _, capacities = climb(of_couplings, jnp.asarray(rng.normal(size=(4, 15))), 600)
    report.expect(
        "two spins: C found - the best of 4 levels", np.abs(capacities - best.heat_capacity).max(), below=1e-9
    )

    edge, hot = 1 / np.log(3), 1e3
    special = [1 / best.gap, edge * (1 - 1e-9), edge * (1 + 1e-9), hot]
    temperatures = np.concatenate([np.linspace(0.05, 2.5, 50 if report.quick else 400), special])
    capacity, concurrence, mutual, bound, local = np.asarray(jax.jit(jax.vmap(of_dimer))(1 / temperatures)).T
    report.expect("dimer at kT = J / x: C - the best of 4 levels", abs(capacity[-4] - best.heat_capacity), below=1e-12)
    report.expect("one spin of the dimer: information of T", local.max(), below=1e-20)
    known = np.maximum(0, 1 - 6 / (np.exp(1 / temperatures) + 3))
    report.expect("concurrence - closed form", np.abs(concurrence - known).max(), below=1e-13)
    report.hold("entangled just below kT = J / ln 3, and not just above", concurrence[-3] > 0 and concurrence[-2] == 0)
    report.hold("the area law holds", bool(np.all(mutual < bound)))
    report.expect("hot: mutual information over its bound", mutual[-1] / bound[-1], near=(0.5, 1e-3))

    with report.figure(12.6, 5.2) as figure:
        levels, size, dimer = figure.subplots(1, 3)
        many = np.unique(np.round(np.logspace(np.log10(2), 2.3, 80)).astype(int))
        theory = [fitting.optimal_thermometer(int(n), 1.0) for n in many]
        levels.plot(many, [t.gap for t in theory], color=BLACK)
        for n, (excited, _) in zip(counts, found, strict=True):
            levels.plot([n] * (n - 1), excited, "o", ms=5, color=VERMILION, mfc="none")
            levels.plot([n], [0], "o", ms=5, color=BLUE, mfc="none")
        levels.text(2.2, 0.15, "ground state", color=BLUE, fontsize=9)
        note = "N - 1 excited states\n(circles: found by gradient)"
        levels.text(12, 2.9, note, color=VERMILION, fontsize=9, va="top")
        levels.set(xscale="log", xlabel="levels N", ylabel="energy above the ground state / kT", ylim=(-0.2, 7))

        size.plot(many, [t.heat_capacity for t in theory], color=BLACK, label=r"$(x/2)^2 - 1$")
        size.plot(counts, [c for _, c in found], "o", color=VERMILION, mfc="none", label="found by gradient")
        size.plot(counts, ladders, "s--", color=SKY, ms=4, label="equally spaced, best spacing")
        size.axhline(1, color=BLACK, lw=0.7, ls=":")
        size.text(210, 1.06, "hot harmonic oscillator", fontsize=8, ha="right")
        size.set(xscale="log", xlabel="levels N", ylabel="heat capacity C, in k", ylim=(0, None))
        size.legend(loc="upper left", bbox_to_anchor=(0, 0.97))

        order = np.argsort(temperatures)
        t = temperatures[order]
        dimer.plot(t, capacity[order], color=BLACK, label="heat capacity C")
        dimer.plot(t, concurrence[order], color=VERMILION, label="concurrence")
        dimer.plot(t, mutual[order], color=BLUE, label="mutual information, nats")
        dimer.plot(t, bound[order], color=BLUE, ls="--", lw=1, label="its area-law bound")
        dimer.plot(t, local[order], color=GREEN, label="information of T in one spin")
        dimer.axvline(edge, color=VERMILION, lw=0.7, ls=":")
        dimer.text(edge + 0.03, 0.62, r"$J/\ln 3$", color=VERMILION, fontsize=9)
        dimer.plot([1 / best.gap], [best.heat_capacity], "o", color=PURPLE)
        dimer.text(0.54, best.heat_capacity, "best of 4 levels", color=PURPLE, fontsize=9)
        dimer.set(xlabel="kT / J", xlim=(0, 2.5), ylim=(-0.03, 2.2))
        dimer.legend(loc="upper right")
        panel_letters((levels, size, dimer))
    return report.conclude()


if __name__ == "__main__":
    sys.exit(main())
