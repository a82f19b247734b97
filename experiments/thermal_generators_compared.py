"""What becomes of three thermal generators when two levels of a spin chain meet?

Two spins 1/2, H = J S_1 . S_2 - h (S_1^z + S_2^z), and a bath at beta that sees S^x of the first one. At the splitting
s = J - h = 0 the singlet meets the lowest triplet level, and the bath couples the two. Three generators share the Gibbs state:
that of Davies, which sorts Bohr frequencies into clusters, and those of Chen, Kastoryano & Gilyen and of Ding, Li & Lin, which do
not. Couplings are scaled so that all three have the same mean decay rate g at s = 0. In the two levels the coherence in phase
with the coupling decays slowly, at a rate a, and the one out of phase fast, at b; the splitting turns one into the other, so that

    gap(s) = (a + b) / 2 - ((b - a)^2 / 4 - s^2)^(1/2)      up to |s| = (b - a) / 2, to first order in g,

unless another mode is slower; beyond, both decay at the mean, as the secular approximation has it.

Expected: the steady state is the Gibbs state within 1e-12, and the KMS residual below 1e-12, for all three, at s = 0 and at
s = 0.3 J; the GNS residual is below 1e-12 for Davies alone, above 0.1 for the others. From s = 1e-10 J to 1e-8 J, across the
tolerance of the clusters, the gap of Davies grows by a factor above 2, with a warning; the dissipators of the others change in
proportion to s and their gaps by less than 1e-7, and they follow gap(s) within 2 %. With a tolerance of (b - a) / 2 Davies
follows it too, but its steady state at s is then off the Gibbs state by a trace distance between 0.1 and 0.5 beta s.

Source: E. B. Davies, Commun. Math. Phys. 39, 91 (1974); C.-F. Chen, M. J. Kastoryano and A. Gilyen, arXiv:2311.09207 (2023);
Z. Ding, B. Li and L. Lin, Commun. Math. Phys. 406, 67 (2025).
"""

import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import information

from ._report import BLACK, BLUE, GREEN, ORANGE, VERMILION, Report, panel_letters

J, BETA = 1.0, 1.0
COUPLING = np.kron([[0.0, 0.5], [0.5, 0.0]], np.eye(2))
BATH = jg.OhmicBath(beta=BETA, strength=0.02, cutoff=10.0)
SINGLET, LOWEST = np.array([0.0, 1.0, -1.0, 0.0]) / np.sqrt(2), np.array([1.0, 0.0, 0.0, 0.0])
COLORS = {"Davies": VERMILION, "Chen-Kastoryano-Gilyen": BLUE, "Ding-Li-Lin": GREEN}


def chain(splitting):
    return jg.models.heisenberg_chain(2, J, J - splitting)


def davies(splitting, tolerance=None):
    return jg.davies(chain(splitting), [(COUPLING, BATH)], lamb_shift=False, tolerance=tolerance)


def chen(splitting, scale=1.0):
    return jg.chen_kastoryano_gilyen(chain(splitting), [scale * COUPLING], BETA)


def ding(splitting, scale=1.0):
    return jg.ding_li_lin(chain(splitting), [scale * COUPLING], BETA)


def mean_rate(generator):
    """`Tr(sum_k r_k L_k^dagger L_k) / dim`."""
    return jnp.trace(generator.decay_matrix()).real / generator.dim


def dissipative(generator, splitting):
    """The superoperator without the commutator with `H`, for stacked columns."""
    hamiltonian, one = chain(splitting).to_dense(), jnp.eye(4)
    return generator.to_dense() + 1j * (jnp.kron(one, hamiltonian) - jnp.kron(hamiltonian.T, one))


def coherence_rates(superoperator):
    """`a` and `b`: decay of the two quadratures of the coherence between singlet and lowest triplet level."""
    flip = np.outer(SINGLET, LOWEST) / np.sqrt(2)
    modes = [(flip + flip.T).ravel(order="F"), (1j * flip - 1j * flip.T).ravel(order="F")]
    return [-np.vdot(x, superoperator @ x).real for x in modes]


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    g = float(mean_rate(davies(0.0)))
    scales = [float(jnp.sqrt(g / mean_rate(make(0.0)))) for make in (chen, ding)]
    smooth = (lambda s: chen(s, scales[0]), lambda s: ding(s, scales[1]))
    makers = dict(zip(COLORS, (davies, *smooth), strict=True))
    report.say(f"mean decay rate g = {g:.4g} J")

    for name, make in makers.items():
        for splitting in (0.0, 0.3):
            _judge_state(report, f"{name}, s = {splitting} J", make(splitting), splitting, name == "Davies")

    splittings = np.geomspace(1e-12, 0.3, 60 if report.quick else 240)
    probes = np.concatenate([[0.0, 1e-10, 1e-8], splittings])
    gaps, changes, rates = {}, {}, {}
    for name, make in makers.items():

        def reading(s, make=make):
            generator = make(s)
            return jg.spectral_gap(generator), dissipative(generator, s)

        gap, matrices = jax.lax.map(reading, probes)
        distance = np.linalg.norm(matrices - matrices[0], axis=(1, 2)) / np.linalg.norm(matrices[0])
        gaps[name], changes[name], rates[name] = np.asarray(gap), distance, coherence_rates(matrices[0])

    jump = gaps["Davies"][2] / gaps["Davies"][1]
    report.hold(f"Davies: the gap grows {jump:.2f}-fold across the tolerance of the clusters", jump > 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        davies(1e-8)
    report.hold("Davies: a warning says so", any("secular approximation" in str(x.message) for x in caught))
    for name in list(makers)[1:]:
        _judge_smoothness(report, name, probes, gaps[name], changes[name], rates[name])
    turning = (rates["Davies"][1] - rates["Davies"][0]) / 2
    wide = np.asarray(jax.lax.map(lambda s: jg.spectral_gap(davies(s, turning)), probes))
    _judge_gap(report, "Davies, tolerance (b - a) / 2", probes, wide, rates["Davies"])
    gibbs = jg.gibbs_state(chain(turning / 2), BETA).density_matrix()
    distance = information.trace_distance(jg.steady_state(davies(turning / 2, turning)).value, gibbs)
    share = distance / (BETA * turning / 2)
    report.hold(f"the same: trace distance to the Gibbs state {share:.3f} beta s", bool(0.1 < share < 0.5))

    with report.figure(8.6, 5.2) as figure:
        _draw(figure, splittings, gaps, changes, rates, wide[3:], g)
    return report.conclude()


def _judge_state(report, name, generator, splitting, balanced) -> None:
    gibbs = jg.gibbs_state(chain(splitting), BETA).density_matrix()
    distance = information.trace_distance(jg.steady_state(generator).value, gibbs)
    found = jg.detailed_balance(generator, beta=BETA, hamiltonian=chain(splitting))
    report.expect(f"{name}: trace distance to the Gibbs state", distance, below=1e-12)
    report.expect(f"{name}: KMS residual", found.kms_residual, below=1e-12)
    if balanced:
        report.expect(f"{name}: GNS residual", found.gns_residual, below=1e-12)
    else:
        report.hold(f"{name}: GNS residual {found.gns_residual:.3f} is above 0.1", bool(found.gns_residual > 0.1))


def _judge_smoothness(report, name, probes, gaps, changes, rates) -> None:
    report.expect(f"{name}: change of the gap across that tolerance", abs(gaps[2] / gaps[1] - 1), below=1e-7)
    near = (probes > 1e-8) & (probes < 1e-2)
    slopes = changes[near] / probes[near]
    report.expect(f"{name}: change of the dissipator / s, spread", np.ptp(slopes) / slopes.mean(), below=0.02)
    _judge_gap(report, name, probes, gaps, rates)


def _judge_gap(report, name, probes, gaps, rates) -> None:
    formula = _crossover(probes, rates)
    slowest = (formula < 0.95 * gaps.max()) & (probes < 0.99 * (rates[1] - rates[0]) / 2)
    wrong = np.abs(gaps / formula - 1)[slowest]
    report.expect(f"{name}: gap against the closed form, at {len(wrong)} splittings", wrong.max(), below=0.02)


def _crossover(splittings, rates):
    slow, fast = rates
    return (slow + fast) / 2 - np.sqrt(np.maximum((fast - slow) ** 2 / 4 - splittings**2, 0))


def _draw(figure, splittings, gaps, changes, rates, wide, g) -> None:
    left, right = figure.subplots(1, 2)
    styles = {"Davies": ("-", 1.6), "Chen-Kastoryano-Gilyen": ("-", 1.6), "Ding-Li-Lin": ("--", 1.6)}
    for name, color in COLORS.items():
        line, width = styles[name]
        left.semilogx(splittings / g, gaps[name][3:] / g, ls=line, lw=width, color=color, label=name)
        right.loglog(splittings / g, changes[name][3:], ls=line, lw=width, color=color)
    formula = _crossover(splittings, rates["Chen-Kastoryano-Gilyen"]) / g
    shown = formula < 1.02 * gaps["Chen-Kastoryano-Gilyen"].max() / g
    left.plot(splittings[shown] / g, formula[shown], ":", color=BLACK, label="closed form")
    every = len(splittings) // 60
    left.plot(
        splittings[::every] / g,
        wide[::every] / g,
        "o",
        ms=4,
        mfc="none",
        color=ORANGE,
        label="Davies, tolerance $(b-a)/2$",
    )
    left.set(xlabel="splitting $s/g$", ylabel="spectral gap $/g$", ylim=(0, 1.1))
    left.legend(loc="upper left", ncols=1, fontsize=8)
    right.set(xlabel="splitting $s/g$", ylabel=r"$\|D(s)-D(0)\|\,/\,\|D(0)\|$")
    panel_letters((left, right))


if __name__ == "__main__":
    sys.exit(main())
