"""Response: each public name in a number to differentiate."""

import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from compositions.common import ANSWER, BETA, A, B, matrix, of_tree, square, weigh
from jaxgibbs import operators, response

RAISING = np.diag(np.ones(3), -1).astype(np.complex64)
ETA = np.float32(0.3)


def state(theta):
    return jg.gibbs_state(matrix(theta), BETA)


def of_correlation(theta):
    return weigh(response.time_correlation(state(theta), A, RAISING, theta[0] - jnp.complex64(0.2j)))


def at_a_frequency(theta):
    arguments = (state(theta), RAISING, B, theta[1], square(theta[2]))
    return weigh(response.dynamic_susceptibility(*arguments)) + weigh(response.spectral_function(*arguments))


def at_rest(theta):
    three = (
        response.isothermal_susceptibility,
        response.adiabatic_susceptibility,
        response.isolated_susceptibility,
    )
    return sum((k + 1) * f(state(theta), A, B) for k, f in enumerate(three))


def of_violations(theta):
    forward, backward, w = square(theta[0]), square(theta[1]), theta[2]
    return (
        response.kms_violation(forward, backward, w, BETA)
        + response.fluctuation_dissipation_violation(forward, w, w, BETA)
        + response.effective_beta(forward, backward, w)
    )


def generator(theta):
    return jg.Lindbladian(matrix(theta), [RAISING.T, RAISING + A], square(theta[:2]))


def of_steady_states(theta):
    times = jnp.linspace(0, 1, 3).astype(jnp.float32)
    return (
        weigh(response.steady_correlation(generator(theta), A, B, times))
        + weigh(response.steady_spectrum(generator(theta), A, RAISING, theta[2]))
        + weigh(response.steady_susceptibility(generator(theta), A, B, theta[1]))
    )


def of_fermions(theta):
    free = jg.gibbs_state(operators.QuadraticFermions(matrix(theta)), BETA)
    at = theta[1], square(theta[2])
    interacting = response.green_function(state(theta), RAISING, A, *at)
    return weigh(interacting) + weigh(response.green_function(free, theta[:1] * A[0], B[1], *at))


def of_transport(theta):
    bath = jg.OhmicBath(BETA, np.float32(0.1), np.float32(4.0))
    thermal = jg.davies(matrix(theta), [(A, bath), (B, bath)], lamb_shift=False)
    quanta = jnp.stack([theta, theta**2])[:, :2]
    return (
        response.green_kubo(thermal, state(theta), A, B)
        + weigh(response.noise_matrix(generator(theta), quanta))
        + weigh(response.onsager_matrix(lambda x: jnp.sin(x @ jnp.outer(theta[:2], theta[1:])), 2, jnp.float32))
    )


def of_scattering(theta):
    couplings = jnp.stack([jnp.diag(jnp.array(x, jnp.float32)) for x in ([0.4, 0.1, 0, 0], [0, 0, 0, 0.6])])
    flow = response.landauer(matrix(theta), couplings, square(theta[:2]), theta[1:])
    return weigh(response.transmission(matrix(theta), couplings, theta[0])) + of_tree(flow)


TABLE = {
    ("response.green_kubo", "response.noise_matrix", "response.onsager_matrix"): of_transport,
    ("response.landauer", "response.transmission"): of_scattering,
    tuple(f"response.steady_{name}" for name in ("correlation", "spectrum", "susceptibility")): of_steady_states,
    "response.green_function": of_fermions,
    "response.time_correlation": of_correlation,
    ("response.dynamic_susceptibility", "response.spectral_function"): at_a_frequency,
    tuple(f"response.{name}_susceptibility" for name in ("isothermal", "adiabatic", "isolated")): at_rest,
    tuple(
        f"response.{name}" for name in ("kms_violation", "fluctuation_dissipation_violation", "effective_beta")
    ): of_violations,
}

LINES = "lines of a discrete spectrum, whose weights have no derivatives; `spectral_function` has"
LARGE = "of random probes and Krylov spaces, whose derivatives are refused: those of `Exact()` are offered"
EXEMPT = {
    "response.KrylovSpectrum": ANSWER,
    **dict.fromkeys(
        [f"response.{name}" for name in ("krylov_spectrum", "chebyshev_correlation", "chebyshev_spectrum")], LARGE
    ),
    "response.SpectralLines": ANSWER,
    "response.LandauerCurrents": ANSWER,
    "response.spectral_lines": LINES,
    "response.dissipation_lines": LINES,
    **dict.fromkeys([f"response.{name}_lines" for name in ("fermion", "lesser", "greater")], LINES),
}
