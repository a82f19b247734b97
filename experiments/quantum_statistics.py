"""Do the Fermi-Dirac and Bose-Einstein distributions come out of log Xi by one derivative?

The grand canonical ensemble is the exponential family with charges (H, N) and multipliers (beta, -beta mu). Nothing is
put in by hand but its `ln Xi`; the occupation of mode k and its fluctuation are derivatives,

    <n_k> = -(1/beta) d ln Xi / d eps_k,        Var n_k = (1/beta^2) d^2 ln Xi / d eps_k^2.

`ln Xi` is taken twice: from the library's sum over free modes, and from the trace over the full Fock space of a few
modes, where the operators are matrices: fermions by Jordan and Wigner, with hopping between the modes, and two boson
modes of at most 59 particles each.

Expected: <n_k> = 1 / (e^x + 1) and Var = n (1 - n) for fermions, 1 / (e^x - 1) and n (1 + n) for bosons, with
x = beta (eps_k - mu), to 1e-12 for free modes. In the Fock space of fermions, -(1/beta) d ln Xi / d h_ij is the one-body
matrix <c_i^+ c_j> = [1 / (e^{beta (h - mu)} + 1)]_ji to 1e-12. For bosons the n of the truncated space misses
60 e^{-60 x}, x >= 0.4, and nothing more.

Source: L. D. Landau and E. M. Lifshitz, Statistical Physics I, sections 53-54.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs.operators import Bosons, Fermions, SparseTerms, TermSum
from jaxgibbs.operators.local import boson_matrices, embed, fermion_annihilation

from ._report import BLACK, BLUE, GREEN, VERMILION, Report, panel_letters

BETA, MU = 1.6, -0.2
HIGHEST_BOSON_NUMBER = 59


def occupations_and_variances(kind, energies):
    """`<n_k>` and `Var n_k` of free modes, as first and second derivatives of `ln Xi`."""

    def log_xi(energies):
        number = kind(jnp.ones_like(energies))
        return jg.generalized_gibbs_state((kind(energies), number), jnp.array([BETA, -BETA * MU])).log_partition

    gradient = jax.grad(log_xi)
    first, second = jax.jit(lambda e: (gradient(e), jax.jacfwd(gradient)(e)))(energies)
    return -first / BETA, jnp.diag(second) / BETA**2


def fermion_fock_space(one_body):
    """The matrix `<c_i^+ c_j>` from the derivative of `ln Xi` in every element of a real symmetric `h_ij`."""
    modes = len(one_body)
    annihilate = [fermion_annihilation(k, modes) for k in range(modes)]
    pairs = [(i, j) for i in range(modes) for j in range(i, modes)]
    hop = [annihilate[i].T @ annihilate[j] for i, j in pairs]
    elements = [m if i == j else m + m.T for m, (i, j) in zip(hop, pairs, strict=True)]
    terms = SparseTerms.from_matrices({"elements": elements})
    number = TermSum({"number": 1.0}, SparseTerms.from_matrices({"number": sum(c.T @ c for c in annihilate)}))

    def log_xi(elements):
        charges = (TermSum({"elements": elements}, terms), number)
        return jg.generalized_gibbs_state(charges, jnp.array([BETA, -BETA * MU])).log_partition

    gradient = -jax.jit(jax.grad(log_xi))(jnp.array([one_body[i, j] for i, j in pairs])) / BETA
    found = np.zeros((modes, modes))
    for (i, j), value in zip(pairs, np.asarray(gradient), strict=True):
        found[i, j] = found[j, i] = value if i == j else value / 2  # h_ij moves both halves
    return found


def boson_fock_space(energies):
    """`<n_k>` of two boson modes from the trace over the truncated Fock space."""
    dims = (HIGHEST_BOSON_NUMBER + 1,) * len(energies)
    numbers = [np.diag(embed(boson_matrices(dim)[1], k, dims)) for k, dim in enumerate(dims)]

    def log_xi(energies):
        energy = sum(e * jnp.asarray(n) for e, n in zip(energies, numbers, strict=True))
        charges = (jg.operators.Spectrum(energy), jg.operators.Spectrum(sum(numbers)))
        return jg.generalized_gibbs_state(charges, jnp.array([BETA, -BETA * MU])).log_partition

    return -jax.jit(jax.grad(log_xi))(jnp.asarray(energies)) / BETA


def main(arguments=None) -> int:
    report = Report(__file__, __doc__, arguments)
    fermi = _fermi(report)
    bose = _bose(report)
    with report.figure(6.6, 6.0) as figure:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1.6, 1.0])
        for color, marker, name, (x, mean, variance, fock_x, fock_mean), sign, start in (
            (BLUE, "o", "Fermi-Dirac", fermi, +1, -4.0),
            (VERMILION, "s", "Bose-Einstein", bose, -1, 0.3),
        ):
            fine = np.linspace(start, 5, 400)
            closed = 1 / (np.exp(fine) + sign)
            top.plot(fine, closed, color=color, label=f"{name}, $1/(e^x {'+' if sign > 0 else '-'} 1)$")
            top.plot(x, mean, marker, color=color, mfc="none", ms=5)
            top.plot(fock_x, fock_mean, "*", color=color, ms=10, mec=BLACK, mew=0.6)
            bottom.plot(fine, closed * (1 - sign * closed), color=color)
            bottom.plot(x, variance, marker, color=color, mfc="none", ms=5)
        classical = np.linspace(-1.0, 5, 100)
        top.plot(classical, np.exp(-classical), color=GREEN, ls="--", lw=1.2, label="Maxwell-Boltzmann, $e^{-x}$")
        top.plot(
            [], [], "o", color=BLACK, mfc="none", label=r"$-\beta^{-1}\,\partial\ln\Xi/\partial\epsilon_k$, free modes"
        )
        top.plot([], [], "*", color=BLACK, ms=9, label="the same, trace over Fock space")
        top.set(ylim=(0, 2.6), xlim=(-4, 5))
        top.set_ylabel(r"occupation $\langle n_k\rangle$")
        top.legend(loc="upper right")
        bottom.set(yscale="log", ylim=(5e-3, 20))
        bottom.set_ylabel(r"Var $n_k = \beta^{-2}\,\partial^2\ln\Xi/\partial\epsilon_k^2$")
        bottom.set_xlabel(r"$x = \beta(\epsilon_k - \mu)$")
        figure.align_ylabels()
        panel_letters((top, bottom))
    return report.conclude()


def _fermi(report):
    """Checks for fermions, and the points of the figure."""
    x = np.linspace(-3.8, 4.8, 11 if report.quick else 23)
    mean, variance = map(np.asarray, occupations_and_variances(Fermions, jnp.asarray(x / BETA + MU)))
    closed = 1 / (np.exp(x) + 1)
    report.expect("fermions: error of <n_k>", np.abs(mean - closed).max(), below=1e-12)
    report.expect(
        "fermions: error of Var n_k against n (1 - n)", _largest(variance, closed * (1 - closed)), below=1e-12
    )

    rng = np.random.default_rng(1)
    modes = 4 if report.quick else 6
    one_body = rng.normal(size=(modes, modes))
    one_body = (one_body + one_body.T) / 2
    found = fermion_fock_space(one_body)
    fermi = jg.linalg.fermi(jnp.asarray(BETA * (one_body - MU * np.eye(modes))))
    report.expect(
        f"fermions: error of <c_i^+ c_j> in the Fock space of {modes} modes", _largest(found, fermi), below=1e-12
    )
    energies, orbitals = jg.linalg.eigh(jnp.asarray(one_body))
    levels = BETA * (np.asarray(energies) - MU)
    occupied = np.diag(orbitals.T @ found @ orbitals)
    seen = np.abs(levels) < 4
    return x, mean, variance, levels[seen], occupied[seen]


def _bose(report):
    """Checks for bosons, and the points of the figure."""
    x = np.linspace(0.35, 4.8, 8 if report.quick else 16)
    mean, variance = map(np.asarray, occupations_and_variances(Bosons, jnp.asarray(x / BETA + MU)))
    closed = 1 / np.expm1(x)
    report.expect("bosons: relative error of <n_k>", np.abs(mean / closed - 1).max(), below=1e-12)
    report.expect(
        "bosons: relative error of Var n_k against n (1 + n)", _largest(variance / (closed + closed**2), 1), below=1e-12
    )

    fock_x = np.array([0.42, 1.1])
    fock = np.asarray(boson_fock_space(fock_x / BETA + MU))
    size = HIGHEST_BOSON_NUMBER + 1
    missing = size / np.expm1(size * fock_x)  # the geometric series cut after `size` terms
    report.expect(
        "bosons: error of <n_k> in the Fock space, beyond its truncation",
        _largest(fock + missing, 1 / np.expm1(fock_x)),
        below=1e-12,
    )
    report.say(f"truncation at {HIGHEST_BOSON_NUMBER} bosons takes {missing[0]:.1e} off <n> at x = {fock_x[0]}")
    return x, mean, variance, fock_x, fock


def _largest(found, expected) -> float:
    return float(np.max(np.abs(np.asarray(found) - np.asarray(expected))))


if __name__ == "__main__":
    sys.exit(main())
