"""How entangled can decay make two driven qubits, if the drives are left to a gradient?

Two qubits decay together at the rate 1, by S^- = s_1^- + s_2^-, and each alone at the rate k = 0.01. Detunings d_i and drives O_i,

    H = sum_i (d_i / 2) sigma_i^z + (O_i / 2) sigma_i^x,

are chosen so that the steady state overlaps most with the singlet |S>, by L-BFGS along the gradient of `jaxgibbs.steady_state`.
With k = 0 and d_1 = -d_2 = d, O_1 = O_2 = O the steady state is pure and dark for the common decay, and the answer would be an O
without bound:

    |D> ~ |gg> - O / (d 2^(1/2)) |S>,      overlap with |S>, and concurrence: O^2 / (O^2 + 2 d^2).

Decay of each qubit alone sets a limit, since for large O / d the dark state is reached slowly.

Expected: with k = 0 the closed form, the overlap within 1e-9 and the concurrence, a root, within 1e-7; the gradient is that of
finite differences of a solve in NumPy within 1e-7; from three starting points set by hand, of overlaps below 0.4, the search
gains at least 0.4 in 40 steps and ends at one overlap within 1e-9, the best of a scan by NumPy over d and O below it by 1e-3 at
most; it finds d_1 = -d_2 and O_1 = O_2 by itself, within 1e-6 of O.

Source: B. Kraus et al., Phys. Rev. A 78, 042307 (2008); K. Stannigel, P. Rabl and P. Zoller, New J. Phys. 14, 063014 (2012).
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxgibbs as jg

from ._report import BLACK, BLUE, GREEN, VERMILION, Report, panel_letters

ALONE, STEPS = 0.01, 40
ONE, LOWERING = np.eye(2), np.array([[0.0, 0.0], [1.0, 0.0]])
LOWER = (np.kron(LOWERING, ONE), np.kron(ONE, LOWERING))
JUMPS = (LOWER[0] + LOWER[1], *LOWER)
HALF_Z = [j.T @ j - np.eye(4) / 2 for j in LOWER]
HALF_X = [(j + j.T) / 2 for j in LOWER]
TERMS = np.array([*HALF_Z, *HALF_X])  # of d_1, d_2, O_1, O_2
SINGLET = np.array([0.0, 1.0, -1.0, 0.0]) / np.sqrt(2)
STARTS = np.array([[0.5, -0.5, 0.5, 0.5], [0.3, -0.1, 0.5, 0.3], [0.2, 0.3, 0.6, 0.3]])


def steady(parameters, alone=ALONE):
    hamiltonian = jnp.tensordot(parameters, TERMS, 1)
    return jg.steady_state(jg.Lindbladian(hamiltonian, JUMPS, jnp.array([1.0, alone, alone]))).value


def overlap(parameters):
    """`<S| rho |S>`."""
    return (SINGLET @ steady(parameters) @ SINGLET).real


def concurrence(rho) -> float:
    """Of two qubits, by Wootters (1998)."""
    flip = np.fliplr(np.diag([-1.0, 1.0, 1.0, -1.0]))
    roots = np.sqrt(np.abs(np.linalg.eigvals(rho @ flip @ np.conj(rho) @ flip)))
    return max(0.0, 2 * roots.max() - roots.sum())


def by_elimination(parameters) -> float:
    """`overlap` from the written-out generator, in NumPy."""
    hamiltonian, one = np.tensordot(parameters, TERMS, 1), np.eye(4)
    generator = -1j * (np.kron(one, hamiltonian) - np.kron(hamiltonian.T, one))
    for rate, jump in zip((1.0, ALONE, ALONE), JUMPS, strict=True):
        decay = jump.T @ jump
        generator = generator + rate * (np.kron(jump, jump) - np.kron(one, decay) / 2 - np.kron(decay, one) / 2)
    trace = one.ravel()
    rho = np.linalg.solve(generator + np.outer(trace, trace) / 4, trace / 4).reshape(4, 4).T
    return float((SINGLET @ rho @ SINGLET).real)


def search(start, steps):
    """The parameters on the way of L-BFGS, and overlaps."""
    optimizer = optax.lbfgs()

    def loss(parameters):
        return -overlap(parameters)

    def step(carry, _):
        parameters, memory = carry
        value, slope = jax.value_and_grad(loss)(parameters)
        update, memory = optimizer.update(slope, memory, parameters, value=value, grad=slope, value_fn=loss)
        return (optax.apply_updates(parameters, update), memory), (parameters, -value)

    return jax.lax.scan(step, (start, optimizer.init(start)), length=steps)[1]


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    detuning, drive = 0.4, 0.9
    dark = steady(jnp.array([detuning, -detuning, drive, drive]), 0.0)
    expected = drive**2 / (drive**2 + 2 * detuning**2)
    report.expect("k = 0: overlap", (SINGLET @ dark @ SINGLET).real, near=(expected, 1e-9))
    report.expect("k = 0: concurrence", concurrence(np.asarray(dark)), near=(expected, 1e-7))

    step = 2e-5
    paths, values = (np.asarray(x) for x in jax.jit(jax.vmap(lambda x: search(x, STEPS)))(jnp.asarray(STARTS)))
    for start in STARTS[1:]:
        differences = [(by_elimination(start + e) - by_elimination(start - e)) / (2 * step) for e in step * np.eye(4)]
        wrong = np.abs(jax.grad(overlap)(jnp.asarray(start)) - np.array(differences)).max()
        report.expect("gradient against finite differences", wrong, below=1e-7)
    for path in paths:
        first, last = by_elimination(path[0]), by_elimination(path[-1])
        found = ", ".join(f"{x:.3f}" for x in path[-1])
        report.say(f"d_1, d_2, O_1, O_2 = {found}: overlap {first:.3f} -> {last:.4f}")
        report.hold("it starts below 0.4 and gains 0.4", first < 0.4 <= last - first)
        skew = max(abs(path[-1, 0] + path[-1, 1]), abs(path[-1, 2] - path[-1, 3])) / path[-1, 2]
        report.expect("d_1 = -d_2 and O_1 = O_2, defect in units of O", skew, below=1e-6)
    report.expect("the three ends, spread of the overlap", np.ptp(values[:, -1]), below=1e-9)

    detunings = np.linspace(0.01, 2.0, 24 if report.quick else 60)
    drives = np.linspace(0.2, 6.0, 24 if report.quick else 60)
    scan = np.array([[by_elimination((d, -d, o, o)) for d in detunings] for o in drives])
    report.expect("best of the scan", scan.max(), near=(values[0, -1] - 5e-4, 5e-4))
    reached = [concurrence(np.asarray(rho)) for rho in jax.jit(jax.vmap(steady))(paths[1])]
    report.say(f"concurrence {reached[0]:.3f} -> {reached[-1]:.3f}")

    with report.figure(8.6, 5.2) as figure:
        _draw(figure, paths, values, reached, (detunings, drives, scan))
    return report.conclude()


def _draw(figure, paths, values, reached, scanned) -> None:
    left, right = figure.subplots(1, 2)
    for values_of_one, color in zip(values, (BLUE, VERMILION, GREEN), strict=True):
        left.plot(values_of_one, color=color)
    left.plot(reached, "o", ms=4, mfc="none", color=VERMILION, label="concurrence")
    left.plot([], [], color=BLACK, label=r"overlap $\langle S|\rho|S\rangle$")
    left.axhline(values[0, -1], color=BLACK, lw=0.8, ls=":")
    left.set(xlabel="step", ylabel="overlap, concurrence", ylim=(0, 1))
    left.legend(loc="lower right")

    detunings, drives, scan = scanned
    levels = right.contourf(detunings, drives, scan, levels=np.linspace(0, 0.85, 18), cmap="Greys", vmax=1.2)
    figure.colorbar(levels, ax=right, label=r"$\langle S|\rho|S\rangle$")
    for path, color in zip(paths, (BLUE, VERMILION, GREEN), strict=True):
        projected = np.abs(path[:, 0] - path[:, 1]) / 2, (path[:, 2] + path[:, 3]) / 2
        right.plot(*projected, color=color)
        right.plot(projected[0][0], projected[1][0], "o", ms=5, color=color)
    right.plot(projected[0][-1], projected[1][-1], "*", ms=12, mfc="white", mec=BLACK)
    right.set(xlabel=r"detuning $|d_1-d_2|/2$", ylabel="drive $(O_1+O_2)/2$", xlim=(0, 2), ylim=(0.2, 6))
    panel_letters((left, right))


if __name__ == "__main__":
    sys.exit(main())
