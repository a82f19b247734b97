"""Ensembles of given energy: each public name in a number to differentiate."""

from compositions.common import ANSWER, BETA, VERDICT, A, matrix, weigh
from jaxgibbs import ensembles
from jaxgibbs.operators import Spectrum


def of_states(theta):
    window, gaussian = (
        ensembles.window_state(matrix(theta), 0.0, 0.5),
        ensembles.gaussian_state(matrix(theta), 0.1, BETA),
    )
    return window.expectation(A) + gaussian.expectation(A) + gaussian.entropy + window.energy


def of_entropies(theta):
    levels = Spectrum(theta, theta**2)
    beta = ensembles.microcanonical_beta(levels, theta[0] / 2, BETA)
    return (
        ensembles.boltzmann_entropy(matrix(theta), theta[1], BETA) + ensembles.volume_entropy(levels, 0.1, BETA) + beta
    )


def of_limits(theta):
    ferromagnet = ensembles.PSpinLimit(1.0 + theta[0] ** 2, 0.7 + theta[1] ** 2 / 4)
    spins = ensembles.BlumeCapelLimit(0.48 + theta[0] / 100, 1.0 + theta[1] / 100)
    total = spins.transition().latent_heat + spins.temperature_jump()[1][0]
    for model in (ferromagnet, spins):
        total = total + model.entropy(theta[2] / 10 + 0.1) + model.beta(0.1) + model.log_partition(1.2)
    return total + ferromagnet.transition().latent_heat + ferromagnet.temperature_jump()[0]


def of_curve(theta):
    curve = ensembles.entropy_curve(Spectrum(theta, theta**2), BETA, points=5)
    return weigh(curve.energies) + weigh(curve.entropies) + weigh(curve.betas) + weigh(curve.curvatures)


TABLE = {
    ("ensembles.window_state", "ensembles.gaussian_state"): of_states,
    tuple(f"ensembles.{name}" for name in ("boltzmann_entropy", "volume_entropy", "microcanonical_beta")): of_entropies,
    ("ensembles.PSpinLimit", "ensembles.BlumeCapelLimit"): of_limits,
    "ensembles.entropy_curve": of_curve,
}

EXEMPT = {
    **dict.fromkeys((f"ensembles.{name}" for name in ("MicrocanonicalState", "Coexistence", "EntropyCurve")), ANSWER),
    **dict.fromkeys((f"ensembles.{name}" for name in ("equivalence", "EquivalenceReport")), VERDICT),
    "ensembles.EQUIVALENCE": "an enumeration",
}
