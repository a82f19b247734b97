"""Linear algebra: each public name in a number to differentiate, or why not."""

import jax.numpy as jnp

from compositions.common import ANSWER, A, matrix, positive, weigh
from jaxgibbs import linalg


def of_spectral_map(theta):
    d = linalg.decompose(matrix(theta))
    kernel = linalg.Kernel(lambda x, y: jnp.exp(-((x - y) ** 2)), lambda x: jnp.ones_like(x))
    return weigh(linalg.spectral_map(kernel, d, A) + linalg.spectral_map(linalg.Exponential(), d, A))


def of_matrix_function(theta):
    function = linalg.Analytic(lambda x: 1 / (x + 5), lambda x: jnp.abs(x + 5))
    return weigh(linalg.matrix_function(function, linalg.decompose(matrix(theta))))


TABLE = {
    "linalg.exp": lambda theta: weigh(linalg.exp(matrix(theta))),
    "linalg.log": lambda theta: weigh(linalg.log(positive(theta))),
    "linalg.sqrt": lambda theta: weigh(linalg.sqrt(positive(theta))),
    "linalg.power": lambda theta: weigh(linalg.power(positive(theta), 1.7)),
    "linalg.fermi": lambda theta: weigh(linalg.fermi(matrix(theta))),
    "linalg.bose": lambda theta: weigh(linalg.bose(positive(theta))),
    "linalg.matrix_function": of_matrix_function,
    "linalg.spectral_map": of_spectral_map,
    ("linalg.superoperator", "linalg.vectorize", "linalg.unvectorize"): lambda theta: (
        weigh(
            linalg.superoperator(lambda x: linalg.matmul(matrix(theta), x), 4, jnp.complex64)
            @ linalg.vectorize(positive(theta))
        )
        + weigh(linalg.unvectorize(theta[0] * jnp.arange(9.0, dtype=theta.dtype)))
    ),
    "linalg.partial_trace": lambda theta: weigh(linalg.partial_trace(positive(theta), (2, 2), 0)),
    "linalg.matmul": lambda theta: weigh(linalg.matmul(matrix(theta), linalg.dagger(positive(theta)))),
}

EXEMPT = {
    **dict.fromkeys(
        ("linalg.Decomposition", "linalg.decompose", "linalg.dagger", "models.Particle", "fitting.ThermometryBounds"),
        ANSWER,
    ),
    **dict.fromkeys(
        ("linalg.Analytic", "linalg.Exponential", "linalg.Kernel"),
        "a spectral function, given to functions of the table",
    ),
    **dict.fromkeys(
        ("linalg.eigh", "linalg.eigvalsh"),
        "without derivatives by design: those of a decomposition are what the table is built from",
    ),
    **dict.fromkeys(
        (f"linalg.{name}" for name in ("random_phases", "random_sphere", "unit_vectors")),
        "vectors that depend on no number",
    ),
}
