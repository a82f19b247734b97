"""How does the spin current through a chain driven at its ends depend on its length?

H = 2 J sum_i (S_i^x S_{i+1}^x + S_i^y S_{i+1}^y + Delta S_i^z S_{i+1}^z): a spin up hops at the amplitude J. At each end spins
are flipped, up at the rate G (1 + m) / 2 and down at G (1 - m) / 2 on the left, with -m on the right. The XX chain, Delta = 0,
is free fermions, and its current is ballistic: the same for every length N >= 2,

    I = 2 G J^2 m / (4 J^2 + G^2).

With interaction and at full drive, m = 1, the state is a matrix product, and the current a ratio of two of its norms,

    I = G t_0 Z_{N-1} / Z_N,    Z_N = <0| T^N |0>,    T_kk = 2 t_k,   t_k = |sin(w - k eta) / sin(eta)|^2,
    T_{k,k+1} = |sin((k + 1) eta) / sin(eta)|^2,      T_{k+1,k} = |sin(2 w - k eta) / sin(eta)|^2,

cos(eta) = Delta, tan(w) = 2 i J sin(eta) / G. It stays finite for Delta < 1 and decays with N exponentially for Delta > 1.

Expected: the current is the same on every bond and at the contact within 1e-9; for Delta = 0 it is the closed form within 1e-9,
at three drives, from 2 spins to 5 or 6, and by the correlations of free fermions up to 256 sites within 1e-12; at full drive
it is the matrix product's within 1e-9 for Delta = 0, 1/2, 1, 3/2 and 2. In that formula, from 30 spins to 60, the current for
Delta = 1/2 falls by less than 1 %, for Delta = 1 as N^-2 within 2 %, and for Delta = 2 as exp(-N arcosh 2) within 1e-6, for even
and for odd N.

Source: D. Karevski and T. Platini, Phys. Rev. Lett. 102, 207202 (2009); T. Prosen, Phys. Rev. Lett. 107, 137201 (2011).
"""

import sys

import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg

from ._report import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION, Report, panel_letters

J, G = 1.0, 1.0
LOWERING = np.array([[0.0, 0.0], [1.0, 0.0]])
DELTAS = {0.0: BLUE, 0.5: GREEN, 1.0: ORANGE, 1.5: VERMILION, 2.0: PURPLE}
DECAY = np.exp(-2 * np.arccosh(2.0))  # of the current at Delta = 2, for two spins


def at(site, sites, matrix):
    """`matrix` on one site."""
    return np.kron(np.kron(np.eye(2**site), matrix), np.eye(2 ** (sites - site - 1)))


def driven_chain(sites, anisotropy, drive):
    jumps = [at(site, sites, jump) for site in (0, sites - 1) for jump in (LOWERING.T, LOWERING)]
    rates = G / 2 * jnp.array([1 + drive, 1 - drive, 1 - drive, 1 + drive])
    baths = ("left", "left", "right", "right")
    return jg.Lindbladian(jg.models.xxz_chain(sites, 2 * J, anisotropy), jumps, rates, baths=baths)


def currents(sites, anisotropy, drive):
    """Spins up a unit of time: through the left contact, and on each bond, `2 J Im <s_{i+1}^+ s_i^->`."""
    generator = driven_chain(sites, anisotropy, drive)
    rho = jg.steady_state(generator).value
    entering = np.trace(at(0, sites, LOWERING.T @ LOWERING) @ generator.dissipator(rho, "left")).real
    hops = [at(i + 1, sites, LOWERING.T) @ at(i, sites, LOWERING) for i in range(sites - 1)]
    return np.array([entering] + [2 * J * np.trace(hop @ rho).imag for hop in hops])


def free_fermions(sites, drive):
    """The current on the bond in the middle, from correlations `D_ij = <c_j^+ c_i>` alone."""
    hopping = J * (np.eye(sites, k=1) + np.eye(sites, k=-1))
    ends = np.eye(sites)[[0, sites - 1]]
    gained = G / 2 * np.array([1 + drive, 1 - drive])
    solution = jg.open_systems.quasi_free_steady_state(hopping, (ends, gained[::-1]), (ends, gained))
    middle = sites // 2
    return 2 * J * float(solution.value[middle - 1, middle].imag)


def ballistic(drive):
    return 2 * G * J**2 * drive / (4 * J**2 + G**2)


def matrix_product(longest, anisotropy):
    """The currents at full drive through 1, ..., `longest` spins."""
    eta = np.arccos(complex(anisotropy)) or 1e-7  # where it vanishes only the limit counts: an error of eta^2
    w = np.arctan(2j * J * np.sin(eta) / G)
    k = np.arange(longest)

    def size(angle):
        return np.abs(np.sin(angle) / np.sin(eta)) ** 2

    transfer = np.diag(2 * size(w - np.arange(longest + 1) * eta))
    transfer += np.diag(size((k + 1) * eta), 1) + np.diag(size(2 * w - k * eta), -1)
    with np.errstate(divide="ignore"):  # logarithms, since norms grow as e^(N^2); no element is negative
        transfer, vector = np.log(transfer), np.log(np.eye(longest + 1)[0])
    norms = [0.0]
    for _ in range(longest):
        vector = np.logaddexp.reduce(transfer + vector, axis=1)
        norms.append(vector[0])
    return G * size(w) * np.exp(-np.diff(norms))


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    sizes = range(2, 6 if report.quick else 7)
    found, uneven = {}, 0.0
    for sites in sizes:
        for anisotropy, drive in [(x, 1.0) for x in DELTAS] + [(0.0, 0.6), (0.0, 0.1)]:
            each = currents(sites, anisotropy, drive)
            uneven = max(uneven, np.ptp(each))
            found[anisotropy, drive, sites] = each[0]
    report.expect("current on bonds and at the contact, spread", uneven, below=1e-9)
    for drive in (1.0, 0.6, 0.1):
        wrong = max(abs(found[0.0, drive, n] - ballistic(drive)) for n in sizes)
        report.expect(
            f"XX, drive {drive}: current against the closed form, {sizes[0]} to {sizes[-1]} spins", wrong, below=1e-9
        )
    lengths = (2, 4, 16, 64, 256)
    free = [free_fermions(n, 0.6) for n in lengths]
    report.expect("XX by free fermions, up to 256 sites", np.abs(np.array(free) - ballistic(0.6)).max(), below=1e-12)
    formula = {x: matrix_product(60, x) for x in DELTAS}
    for anisotropy, product in formula.items():
        wrong = max(abs(found[anisotropy, 1.0, n] - product[n - 1]) for n in sizes)
        report.expect(f"Delta = {anisotropy}, full drive: current against the matrix product", wrong, below=1e-9)
    long = {x: np.log(product[59] / product[29]) for x, product in formula.items()}
    report.hold(f"Delta = 0.5: from 30 to 60 spins by {100 * np.expm1(long[0.5]):.2g} %", abs(long[0.5]) < 0.01)
    report.expect("Delta = 1: exponent of N from 30 to 60", long[1.0] / np.log(2), near=(-2, 0.04))
    factors = formula[2.0][30:] / formula[2.0][28:-2]
    report.expect(
        "Delta = 2: factor for two spins more, worst", factors[np.argmax(np.abs(factors - DECAY))], near=(DECAY, 1e-6)
    )

    with report.figure(8.6, 5.2) as figure:
        _draw(figure, found, sizes, formula, lengths, free)
    return report.conclude()


def _draw(figure, found, sizes, formula, lengths, free) -> None:
    left, right = figure.subplots(1, 2)
    at = np.arange(2, len(sizes) + 4)
    for anisotropy, color in DELTAS.items():
        values = [found[anisotropy, 1.0, n] for n in sizes]
        left.semilogy(list(sizes), values, "o", color=color, label=rf"$\Delta={anisotropy:g}$")
        left.plot(at, formula[anisotropy][at - 1], color=color, lw=1)
        right.loglog(np.arange(2, 61), formula[anisotropy][1:], color=color)
    left.plot([], [], color=BLACK, lw=1, label="matrix product")
    left.set(xlabel="spins $N$", ylabel="current $I/J$", ylim=(3e-5, 3))
    left.set_xticks(at)
    left.legend(loc="lower left", ncols=2)
    right.plot(lengths, free, "s", color=BLUE, mfc="none", label=r"free fermions, $m=0.6$")
    right.axhline(ballistic(0.6), color=BLUE, lw=1, ls=":")
    n = np.array([12.0, 60.0])
    right.plot(n, 2 * formula[1.0][11] * (n / 12) ** -2, color=BLACK, lw=1, ls="--", label="$N^{-2}$")
    right.set(xlabel="spins $N$", ylabel="current $I/J$", ylim=(1e-6, 3))
    right.legend(loc="lower right")
    panel_letters((left, right))


if __name__ == "__main__":
    sys.exit(main())
