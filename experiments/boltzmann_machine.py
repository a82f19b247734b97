"""How many steps does a quantum Boltzmann machine need to learn a Heisenberg chain from its thermal expectation values?

A chain of ten qubits with random bonds and random fields, rho = e^{-H} / Z, is known by its 19 expectation values
<X_i X_i+1 + Y_i Y_i+1 + Z_i Z_i+1> and <Z_i>. The machine minimises the convex dual ln Z + theta.q from theta = 0: along the
natural gradient (the Kubo-Mori metric is the Hessian, so this is Newton's method), by gradient descent with the largest safe
step, one over the largest curvature met, and by Adam. Then the expectation values carry the shot noise of a measurement, and the
couplings are found with their errors.

Expected:
- the natural gradient is at 1e-8 in every expectation value in fewer than 10 steps, and at the couplings to 1e-10;
- gradient descent needs hundreds of steps to 1e-6: its rate is set by the condition number of the metric;
- with 10^6 shots a term chi-square of the couplings in units of their covariance is 19 on average over 40 data sets, to five
  standard errors, and the errors are those of single couplings: 95 % lie within two.

Source: M. H. Amin et al., Phys. Rev. X 8, 021050 (2018), eq. 8; A. Anshu et al., Nat. Phys. 17, 931 (2021).
"""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxgibbs as jg
from jaxgibbs.fitting import BoltzmannMachine, natural_gradient

from ._report import BLACK, BLUE, GREEN, VERMILION, Report, panel_letters

SHOTS, DATA_SETS = 1_000_000, 40


def terms_of(qubits: int) -> list[str]:
    """Bonds, then fields."""
    bonds = [f"X{i} X{i + 1} + Y{i} Y{i + 1} + Z{i} Z{i + 1}" for i in range(qubits - 1)]
    return [*bonds, *(f"Z{i}" for i in range(qubits))]


def descend(machine, targets, optimizer, steps):
    """Largest error of an expectation value before each of `steps` updates."""

    @eqx.filter_jit
    def run(machine):
        def step(carry, _):
            machine, memory = carry
            slope = jax.grad(lambda m: m.dual(targets))(machine)
            update, memory = optimizer.update(slope, memory)
            return (optax.apply_updates(machine, update), memory), jnp.max(jnp.abs(slope.couplings))

        return jax.lax.scan(step, (machine, optimizer.init(machine)), length=steps)[1]

    return np.asarray(run(machine))


def newton(machine, targets, steps):
    """Machines and largest errors along the natural gradient."""

    @eqx.filter_jit
    def step(machine):
        slope = eqx.filter_grad(lambda m: m.dual(targets))(machine)
        update = jax.tree.map(jnp.negative, natural_gradient(machine, slope, 0.0))
        return eqx.apply_updates(machine, update), jnp.max(jnp.abs(slope.couplings))

    errors = []
    for _ in range(steps):
        machine, error = step(machine)
        errors.append(float(error))
    return machine, np.array(errors)


def main(arguments: list[str] | None = None) -> int:
    """Run the experiment; return the number of expectations that fail."""
    report = Report(__file__, __doc__, arguments)
    qubits, steps = (6, 400) if report.quick else (10, 1500)
    names, rng = terms_of(qubits), np.random.default_rng(0)
    truth = np.concatenate([0.5 + 0.2 * rng.uniform(-1, 1, qubits - 1), 0.5 * rng.uniform(-1, 1, qubits)])
    true = BoltzmannMachine(qubits, 0, names, truth)
    start = BoltzmannMachine(qubits, 0, names, np.zeros(len(names)))
    targets, metric = true.expectations(), true.metric()
    largest = max(np.linalg.norm(np.asarray(m), 2) for m in (metric, start.metric()))
    report.say(f"{len(names)} couplings, condition number of the metric {np.linalg.cond(metric):.3g}")

    learned, by_newton = newton(start, targets, 9)
    plain = descend(start, targets, optax.sgd(1 / largest), steps)
    adam = descend(start, targets, optax.adam(0.02), steps)
    report.expect("largest error of an expectation value after 9 natural steps", by_newton[-1], below=1e-8)
    report.expect("steps of the natural gradient to 1e-8", np.argmax(by_newton < 1e-8), below=9)
    report.expect(
        "distance of the couplings from the true ones", np.max(np.abs(learned.couplings - truth)), below=1e-10
    )
    needed = int(np.argmax(plain < 1e-6)) if np.any(plain < 1e-6) else steps
    report.hold(f"gradient descent needs more than a hundred steps to 1e-6: {needed}", needed > 100)
    report.say(f"after {steps} steps: gradient descent {plain[-1]:.2g}, Adam {adam[-1]:.2g}")

    squares = np.array([3.0] * (qubits - 1) + [1.0] * qubits)  # <(XX + YY + ZZ)^2> = 3 - 2 <XX + YY + ZZ>
    squares = squares - np.concatenate([2 * np.asarray(targets)[: qubits - 1], np.zeros(qubits)])
    variances = (squares - np.asarray(targets) ** 2) / SHOTS
    inverse = np.linalg.inv(np.asarray(metric))
    covariance = inverse @ np.diag(variances) @ inverse
    charges = [jg.operators.PauliSum({"theta": row}, true.terms) for row in np.eye(len(names))]
    noisy = np.asarray(targets) + rng.normal(size=(DATA_SETS, len(names))) * np.sqrt(variances)
    fits = [jg.fit_multipliers(charges, q, target_covariance=variances, initial=truth) for q in noisy]
    offsets = np.array([np.asarray(fit.value) - truth for fit in fits])
    chi = np.array(
        [o @ np.linalg.solve(np.asarray(f.stats["covariance"]), o) for o, f in zip(offsets, fits, strict=True)]
    )
    spread = np.sqrt(2 * len(names) / DATA_SETS)
    report.expect("mean chi-square of the couplings", chi.mean(), near=(len(names), 5 * spread))
    sigma = np.sqrt(np.diag(covariance))
    inside = np.mean(np.abs(offsets) < 2 * sigma)
    report.expect("fraction within two standard errors", inside, near=(0.9545, 0.03))

    with report.figure(10, 5.6) as figure:
        left, right = figure.subplots(1, 2)
        left.semilogy(np.arange(9), np.maximum(by_newton, 1e-16), "o-", color=BLUE, label="natural gradient")
        left.semilogy(plain, color=VERMILION, label="gradient descent")
        left.semilogy(adam, color=GREEN, label="Adam, rate 0.02")
        left.set(xlabel="step", ylabel=r"largest $|\langle P_k\rangle - q_k|$", xscale="symlog", ylim=(1e-16, 5))
        left.legend(loc="lower left")
        places = np.arange(len(names))
        right.errorbar(
            places, offsets[0] / 1e-3, yerr=sigma / 1e-3, fmt="o", color=BLUE, label="one data set", capsize=2
        )
        right.axhline(0, color=BLACK, linewidth=0.8)
        right.axvline(qubits - 1.5, color=BLACK, linewidth=0.8, linestyle=":")
        right.set_xticks(places[::3])
        right.set(xlabel="coupling: bonds, then fields", ylabel="learned minus true, in 0.001")
        right.legend()
        panel_letters((left, right))
    return report.conclude()


if __name__ == "__main__":
    sys.exit(main())
