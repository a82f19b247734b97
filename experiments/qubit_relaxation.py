"""How does a qubit pay for its way to equilibrium: where does the relative entropy to the Gibbs state go?

A qubit of splitting w relaxes in a thermal bath from the pure state |+>. Its distance from the Gibbs state is the relative entropy
D(rho||sigma) = beta (F(rho) - F(sigma)); the rate at which it falls is the entropy production

    Pi(t) = -dD/dt = dS/dt - beta dQ/dt,

never negative (Spohn 1978). At t = 0 the state has no full rank and Pi diverges, as -ln t: an infinite rate with a finite
integral. The states of populations and coherence are known in closed form (T_1 = 1 / G, T_2 = 2 / G, G = k (2 n + 1)).

Expected: the integral of Pi from 0 to t is D(0) - D(t) within 1e-7 and dU = dQ within 1e-12; Pi is infinite at t = 0 and positive
after; D of the computed states is that of the closed form within 1e-12; near t = 0, Pi falls by c ln 10 in each decade of time,
c = k (n + 1) / 4 + k n / 4 the rate at which the bath leads out of |+>; late, Pi / D is 2 / T_2 = G within 1 %.

Source: H. Spohn, J. Math. Phys. 19, 1227 (1978).
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import dynamics, information

from ._report import BLACK, BLUE, GREEN, PURPLE, VERMILION, Report, panel_letters

W, RATE, BETA = 1.0, 0.2, 2.0
LOWERING = np.array([[0.0, 0.0], [1.0, 0.0]])
PLUS = np.full((2, 2), 0.5)
N = 1 / np.expm1(BETA * W)
TOTAL = RATE * (2 * N + 1)  # 1 / T_1


def closed_form(times):
    """The states at `times`."""
    rest = N / (2 * N + 1)
    excited = rest + (0.5 - rest) * np.exp(-TOTAL * times)
    coherence = 0.5 * np.exp(-1j * W * times - TOTAL * times / 2)
    return np.moveaxis(np.array([[excited, coherence], [coherence.conj(), 1 - excited]]), 2, 0)


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    hamiltonian = np.diag([W / 2, -W / 2])
    generator = jg.Lindbladian(hamiltonian, [LOWERING, LOWERING.T], [RATE * (N + 1), RATE * N])
    times = np.linspace(0, 6 / TOTAL, 49 if report.quick else 193)
    solution = dynamics.thermodynamic_balance(generator, PLUS, times, BETA, nodes=12)
    balance = solution.value
    sigma = jg.gibbs_state(hamiltonian, BETA).density_matrix()
    distances = jax.jit(jax.vmap(lambda rho: information.relative_entropy(rho, sigma)))
    distance = np.asarray(distances(balance.states))
    rate, produced = np.asarray(balance.entropy_production_rates[:, 0]), np.asarray(balance.entropy_production[:, 0])

    wrong = np.abs(distance - distances(jnp.asarray(closed_form(times))))[1:].max()
    report.expect("error of D(rho||sigma) against the closed form", wrong, below=1e-12)
    report.expect("D(0) is beta (U - F), since |+> is pure", distance[0], near=(_beta_energy(sigma), 1e-12))
    report.hold("Pi is infinite at t = 0, where the state is pure", bool(np.isposinf(rate[0])))
    report.hold("Pi is positive and finite at every later time", bool(np.all((rate[1:] > 0) & np.isfinite(rate[1:]))))
    report.expect("integral of Pi against the fall of D", np.abs(distance[0] - distance - produced).max(), below=1e-7)
    report.expect("dU - dQ along the way", np.abs(balance.first_law_defect).max(), below=1e-12)

    early = np.geomspace(1e-9, 1e-3, 7) / TOTAL
    states = jg.evolve(generator, PLUS, np.concatenate([[0.0], early])).value[1:]
    divergence = np.asarray(jax.vmap(lambda rho: dynamics.entropy_production(generator, rho, BETA)[0])(states))
    leaving = RATE * (2 * N + 1) / 4
    fall = -np.diff(divergence) / np.log(10)
    report.expect("fall of Pi a decade / ln 10, early", fall[1], near=(leaving, 1e-3 * leaving))
    report.expect("Pi / D at the end, in units of G", rate[-1] / distance[-1] / TOTAL, near=(1, 0.01))

    with report.figure(7.4, 6.2) as figure:
        _draw(figure, times * TOTAL, balance, distance, rate, produced, (early * TOTAL, divergence, leaving))
    return report.conclude()


def _beta_energy(sigma) -> float:
    """`-<+|ln sigma|+>`."""
    return float(-np.mean(np.log(np.diag(np.asarray(sigma).real))))


def _draw(figure, times, balance, distance, rate, produced, beginning) -> None:
    (fall, flow), (bloch, early) = figure.subplots(2, 2)
    fall.plot(times, distance, color=BLUE, label=r"$D(\rho_t\,\|\,\sigma)$")
    fall.plot(times, produced, color=VERMILION, label=r"$\int_0^t\Pi\,dt$")
    fall.plot(times, distance + produced, color=BLACK, ls=":", label="their sum")
    fall.set(xlabel=r"time $t/T_1$", ylabel="nats", ylim=(0, 1.45 * distance[0]), xlim=(0, times[-1]))
    fall.legend(loc="upper center", ncols=3, columnspacing=1.0, handlelength=1.4)

    entropy = np.gradient(np.asarray(balance.entropy), times)
    heat = BETA * np.asarray(balance.heat_currents[:, 0]) / TOTAL
    flow.plot(times[1:], rate[1:] / TOTAL, color=VERMILION, label=r"$\Pi$")
    flow.plot(times[2:-1], entropy[2:-1], color=GREEN, label=r"$dS/dt$")
    flow.plot(times, -heat, color=PURPLE, label=r"$-\beta\,dQ/dt$")
    flow.axhline(0, color=BLACK, lw=0.8, ls=":")
    flow.set(xlabel=r"time $t/T_1$", ylabel=r"rate $\times\,T_1$ (nats)", xlim=(0, times[-1]), ylim=(-0.12, 1.6))
    flow.legend(loc="upper right")

    states = np.asarray(balance.states)
    x, z = 2 * states[:, 0, 1].real, (states[:, 0, 0] - states[:, 1, 1]).real
    angle = np.linspace(0, 2 * np.pi, 200)
    bloch.plot(np.cos(angle), np.sin(angle), color=BLACK, lw=0.8)
    bloch.plot(x, z, color=BLUE)
    bloch.plot(x[0], z[0], "o", color=BLUE, label="initial, pure")
    bloch.plot(0, -np.tanh(BETA * W / 2), "o", color=VERMILION, label="Gibbs state")
    bloch.set(aspect="equal", xlabel=r"$\langle\sigma_x\rangle$", ylabel=r"$\langle\sigma_z\rangle$", ylim=(-1.1, 1.75))
    bloch.legend(loc="upper center", ncols=1)

    at, values, slope = beginning
    early.semilogx(at, values / TOTAL, "o", color=VERMILION, label=r"$\Pi$")
    line = values[2] - slope * np.log(at / at[2])
    early.semilogx(at, line / TOTAL, color=BLACK, ls=":", label=r"$-c\,\ln t$")
    early.set(xlabel=r"time $t/T_1$", ylabel=r"$\Pi\,T_1$ (nats)")
    early.legend(loc="upper right")
    panel_letters((fall, flow, bloch, early))


if __name__ == "__main__":
    sys.exit(main())
