"""How small a violation of detailed balance can be seen, and when can nothing be said?

A thermal generator of three levels, its jumps given with rates in the ratio `e^(-beta w)` of Kubo, Martin and Schwinger. One
upward rate is multiplied by `1 + delta`. The residual is measured for the jump operators in the eigenbasis of the
Hamiltonian, for the same in a random basis, and for a map in a random basis whose jump operators are not known. In
the last, elements have absolute errors, and the weights amplify these by up to `e^(beta width / 2)`: beta width is 4 in the
first two cases, and 30 in the last.

Expected:
- the residual is proportional to delta above its floor;
- the floor is below 1e-12 for jump operators, and in the last case above 1e-10;
- no residual of the generator with delta = 0 exceeds its floor;
- delta = 1e-6 is seen wherever the floor allows, by the residual or by the pair of rates, whose ratio has a floor of its own;
  a violation below both floors is never called one.

Source: A. Kossakowski, A. Frigerio, V. Gorini and M. Verri, Commun. Math. Phys. 57, 97 (1977); E. A. Carlen and J. Maas,
J. Funct. Anal. 273, 1810 (2017).
"""

import sys

import numpy as np

import jaxgibbs as jg
from jaxgibbs.open_systems import AbstractGenerator

from ._report import BLUE, GREEN, VERMILION, Report

LEVELS = np.array([0.0, 0.7, 1.9])
COUPLING = np.array([[0.4, 1.0, 0.6], [1.0, -0.3, 0.8], [0.6, 0.8, 0.2]])


class HiddenJumps(AbstractGenerator):
    """A generator of which only the maps are shown."""

    inner: jg.Lindbladian

    dim = property(lambda self: self.inner.dim)
    dtype = property(lambda self: self.inner.dtype)
    baths = property(lambda self: self.inner.baths)

    def hamiltonian_matrix(self):
        return self.inner.hamiltonian_matrix()

    def jump_map(self, bath=None):
        return self.inner.jump_map(bath)

    def adjoint_jump_map(self, bath=None):
        return self.inner.adjoint_jump_map(bath)

    def decay_matrix(self, bath=None):
        return self.inner.decay_matrix(bath)


def thermal(beta, delta, basis):
    """A jump for every transition, down at rate 1 and up at `e^(-beta w)`, and dephasing; the upward rate 0 to 1 is changed."""
    jumps, rates = [np.diag(np.diag(COUPLING))], [0.5]
    for i in range(3):
        for j in range(3):
            if i != j:
                jump = np.zeros((3, 3))
                jump[i, j] = COUPLING[i, j]
                gained = LEVELS[i] - LEVELS[j]
                jumps.append(jump)
                rates.append(np.exp(-beta * max(gained, 0.0)) * (1 + delta * ((i, j) == (1, 0))))
    hamiltonian = basis @ np.diag(LEVELS) @ basis.conj().T
    return jg.Lindbladian((hamiltonian + hamiltonian.conj().T) / 2, [basis @ j @ basis.conj().T for j in jumps], rates)


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    rng = np.random.default_rng(3)
    turned = np.linalg.qr(rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)))[0]
    width = np.ptp(LEVELS)
    cases = {
        "jumps, eigenbasis": (4 / width, np.eye(3), lambda x: x),
        "jumps, random basis": (4 / width, turned, lambda x: x),
        "map, random basis": (30 / width, turned, HiddenJumps),
    }
    deltas = np.logspace(-12, 0, 13 if report.quick else 49)
    curves = {}
    for name, (beta, basis, hide) in cases.items():
        found = [jg.detailed_balance(hide(thermal(beta, x, basis)), beta=beta) for x in [0.0, *deltas]]
        residuals = np.array([x.kms_residual for x in found])
        floors = np.array([x.floors[2] for x in found])
        seen = np.array([x.judgement.violated for x in found])
        curves[name] = residuals[1:], floors[1:]
        report.say(f"{name}: floor {floors[0]:.1e}, residual for delta = 0 {residuals[0]:.1e}")
        report.hold(f"{name}: the residual for delta = 0 is below its floor", bool(residuals[0] <= floors[0]))
        report.hold(f"{name}: delta = 0 is not called a violation", not seen[0])
        certain = (deltas < 0.05) & (residuals[1:] > 100 * floors[1:])
        slopes = residuals[1:][certain] / deltas[certain]
        report.expect(f"{name}: residual / delta, spread above the floor", np.ptp(slopes) / slopes.mean(), below=0.05)
        visible = 2 * np.maximum(floors[1:], 1e-10) < slopes.mean() * deltas
        report.hold(
            f"{name}: all {visible.sum()} violations above floor and tolerance are seen", bool(seen[1:][visible].all())
        )
        if name != "map, random basis":
            report.expect(f"{name}: floor", floors.max(), below=1e-12)
            report.hold(f"{name}: delta = 1e-6 is seen", bool(seen[1:][np.argmin(np.abs(np.log10(deltas) + 6))]))
        else:
            report.hold(f"{name}: the floor is above 1e-10", bool(floors.min() > 1e-10))
            hidden = (deltas * slopes.mean() < floors[1:] / 10) & (deltas < 1e-10)
            report.hold(f"{name}: none of {hidden.sum()} below the floors is called one", not seen[1:][hidden].any())

    with report.figure(6.6, 5.2) as figure:
        axes = figure.subplots()
        marks = (("o", 3, BLUE), ("s", 7, GREEN), ("^", 5, VERMILION))
        for (name, (residuals, floors)), (marker, size, color) in zip(curves.items(), marks, strict=True):
            fill = color if marker == "o" else "none"
            axes.loglog(deltas, np.maximum(residuals, 1e-18), marker, ms=size, color=color, label=name, mfc=fill)
            axes.loglog(deltas, floors, color=color, lw=1, ls=":")
        axes.plot([], [], color="0.3", lw=1, ls=":", label="floors")
        axes.legend(loc="upper left")
        axes.set(
            xlabel=r"violation $\delta$ of one rate", ylabel=r"residual $\|K - K^\dagger\|\,/\,\|K\|$", ylim=(1e-18, 10)
        )
    return report.conclude()


if __name__ == "__main__":
    sys.exit(main())
