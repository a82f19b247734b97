"""What do neutrons see in a chain of spins: waves, or their halves?

Halves. A neutron turns one spin of a Heisenberg chain, which makes two spinons; they share its momentum as they like, so that
the dynamic structure factor S(q, w) is no line but a continuum. It is computed here from products of the Hamiltonian with
vectors alone: at zero temperature by continued fractions, at a finite one by Chebyshev polynomials on random vectors. Energies
in units of J, `S(q, w) = int e^{iwt} <S_q^z(t) S_-q^z> dt`, lines of a width of 0.1.

Expected:
- on a few sites both methods give the exact lines, up to what they say is their error;
- `(1 / N) sum_q int S(q, w) dw / 2 pi = 1/4`, and `int w S(q, w) dw / 2 pi = -(2/3) (1 - cos q) E_0 / N`;
- the lowest line of each q lies above `(pi / 2) |sin q|` (des Cloizeaux & Pearson), and more than 95 % of the weight below
  `pi |sin(q / 2)|`, the edges of the continuum of two spinons in an endless chain.

Source: J. des Cloizeaux and J. J. Pearson, Phys. Rev. 128, 2131 (1962); G. Mueller, H. Thomas, H. Beck and J. C. Bonner, Phys.
Rev. B 24, 1429 (1981).
"""

import sys

import jax
import numpy as np

import jaxgibbs as jg
from jaxgibbs import models, response

from ._report import BLACK, BLUE, SKY, VERMILION, Report, panel_letters

WIDTH = 0.1
WARM = 0.5  # a temperature


def wave(sites, number):
    """`S_q^z` of the momentum `2 pi number / sites`, its part that is even under reflection, as an operator."""
    phases = np.cos(2 * np.pi * number * np.arange(sites) / sites)
    return models.heisenberg_ring(sites, 0.0, phases / np.linalg.norm(phases))


def read(lines, frequencies):
    return np.asarray(jax.vmap(lambda w: lines.broadened(w, WIDTH))(frequencies))


def with_gaussians(lines, frequencies):
    """The reading of `chebyshev_spectrum`."""
    x = (frequencies[:, None] - np.asarray(lines.positions)) / WIDTH
    return np.exp(-(x**2) / 2) @ np.asarray(lines.weights).real / (WIDTH * np.sqrt(2 * np.pi))


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    sites, few = (10, 8) if report.quick else (20, 10)  # and so few that can be solved exactly
    frequencies = np.linspace(-2.0, 5.0, 36 if report.quick else 281)

    small = models.heisenberg_ring(few)
    cold = jg.gibbs_state(small, np.inf, method=jg.Lanczos(probes=1, depth=40, deflation=2))
    exact = jg.gibbs_state(small, np.inf, method=jg.Exact())
    sticks = {number: response.spectral_lines(exact, *2 * [wave(few, number)]) for number in range(1, few // 2 + 1)}
    errors = [
        np.abs(read(response.krylov_spectrum(cold, wave(few, n)).lines, frequencies) - read(lines, frequencies)).max()
        for n, lines in sticks.items()
    ]
    report.expect(f"{few} sites, T = 0: continued fraction - exact", max(errors), below=1e-7)

    chain = models.heisenberg_ring(sites)
    ground = jg.gibbs_state(chain, np.inf, method=jg.Lanczos(probes=1, depth=40, deflation=2))
    numbers = np.arange(1, sites // 2 + 1)
    momenta = 2 * np.pi * numbers / sites
    spectra = [response.krylov_spectrum(ground, wave(sites, n), depth=40 if report.quick else 120) for n in numbers]
    systematic = [s.systematic_error(lambda lines: lines.broadened(2.0, WIDTH)) for s in spectra]
    report.expect(f"{sites} sites: error of the depth, at w = 2", max(map(float, systematic)), below=1e-3)
    moments = np.array([[float(s.lines.moment(n)) / (2 * np.pi) for n in (0, 1)] for s in spectra])
    both = np.where(numbers < sites // 2, 2, 1)  # q and -q
    report.expect("sum of all weights", both @ moments[:, 0] / sites, near=(0.25, 1e-9))
    energy = float(ground.energy) / sites
    known = -2 / 3 * (1 - np.cos(momenta)) * energy
    report.expect("first moments + (2/3) (1 - cos q) E_0 / N", np.abs(moments[:, 1] - known).max(), below=1e-8)
    report.say(f"energy of a bond {energy:.6f} J, of an endless chain 1/4 - ln 2 = {0.25 - np.log(2):.6f} J")

    lowest, inside = [], []
    for momentum, spectrum in zip(momenta, spectra, strict=True):
        positions, weights = np.asarray(spectrum.lines.positions), np.asarray(spectrum.lines.weights)
        lowest.append(positions[weights > 1e-6 * weights.sum()].min())
        inside.append(weights[positions < np.pi * np.sin(momentum / 2)].sum())
    above = np.array(lowest) - np.pi / 2 * np.abs(np.sin(momenta))
    report.hold("the lowest line of each q lies above the lower edge", bool(np.all(above > 0)))
    share = both @ inside / (both @ moments[:, 0]) / (2 * np.pi)
    report.hold(f"below the upper edge lie {100 * share:.2f} % of the weight, more than 95 %", share > 0.95)

    warm = jg.gibbs_state(small, 1 / WARM, method=jg.Lanczos(probes=16, depth=30, deflation=2))
    seen = response.chebyshev_spectrum(warm, wave(few, few // 2), frequencies, WIDTH)
    exactly = response.spectral_lines(jg.gibbs_state(small, 1 / WARM, method=jg.Exact()), *2 * [wave(few, few // 2)])
    far = np.abs(np.asarray(seen.value) - with_gaussians(exactly, frequencies)) / (np.asarray(seen.error) + 1e-6)
    report.expect(
        f"{few} sites, T = {WARM} J: largest deviation from exact lines, in standard errors", far.max(), below=5
    )
    more, hot = few, seen
    if not report.quick:
        more, method = 16, jg.Lanczos(probes=8, depth=40, deflation=2)
        larger = jg.gibbs_state(models.heisenberg_ring(more), 1 / WARM, method=method)
        hot = response.chebyshev_spectrum(larger, wave(more, more // 2), frequencies, WIDTH)

    cuts = frequencies, read(spectra[-1].lines, frequencies), (few, sticks[few // 2]), (more, hot)
    with report.figure(9.6, 5.4) as figure:
        _draw(figure, sites, momenta, [read(s.lines, frequencies) for s in spectra], cuts)
    return report.conclude()


def _draw(figure, sites, momenta, images, cuts) -> None:
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    frequencies, at_pi, (few, sticks), (more, hot) = cuts
    half = np.pi / sites
    columns = np.append(momenta - half, momenta[-1] + half)
    rows = np.append(frequencies, 2 * frequencies[-1] - frequencies[-2]) - (frequencies[1] - frequencies[0]) / 2
    image = left.pcolormesh(
        columns / np.pi, rows, np.log10(np.maximum(np.array(images).T, 1e-3)), cmap="magma", vmin=-2, vmax=1.2
    )
    figure.colorbar(image, ax=left, label=r"lg $S(q,\omega)$, 1/J")
    fine = np.linspace(0, np.pi, 200)
    left.plot(fine / np.pi, np.pi / 2 * np.sin(fine), color="white", lw=1.2)
    left.plot(fine / np.pi, np.pi * np.sin(fine / 2), color="white", lw=1.2, ls="--")
    left.set(xlabel=r"momentum $q/\pi$", ylabel=r"energy $\omega/J$", ylim=(0, 4.5), xlim=(columns[0] / np.pi, 1))
    left.text(0.06, 4.1, f"{sites} sites, T = 0", color="white")

    right.plot(frequencies, at_pi, color=BLUE, label=f"{sites} sites, T = 0")
    positions, weights = np.asarray(sticks.positions), np.asarray(sticks.weights).real
    kept = (weights > 1e-6) & (np.abs(positions) > 1e-9)
    right.vlines(
        positions[kept], 0, weights[kept] / (np.pi * WIDTH), color=BLACK, lw=2.2, label=f"{few} sites, exact lines"
    )
    value, error = np.asarray(hot.value), np.asarray(hot.error)
    right.fill_between(frequencies, value - error, value + error, color=SKY, alpha=0.4, lw=0)
    right.plot(frequencies, value, color=VERMILION, label=f"{more} sites, T = {WARM} J")
    right.set(
        xlabel=r"energy $\omega/J$", ylabel=r"$S(\pi,\omega)$, 1/J", xlim=(-2, 4.5), ylim=(3e-3, 60), yscale="log"
    )
    right.legend(loc="upper right")
    panel_letters((left, right))


if __name__ == "__main__":
    sys.exit(main())
