"""Open systems: each public name in a number to differentiate, or why not."""

import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from compositions.common import A, B, matrix, square, weigh

LOWERING = np.kron(np.array([[0, 0], [1, 0]], np.float32), np.eye(2, dtype=np.float32))


def of_lindbladian(theta):
    jumps = [LOWERING, LOWERING.T, B, jnp.asarray(B) * theta[0]]
    generator = jg.Lindbladian(matrix(theta), jumps, jnp.append(square(theta), 0.5), baths=("a", "a", "b", "b"))
    total = weigh(generator(A)) + weigh(generator.adjoint(A)) + weigh(generator.dissipator(A, "a"))
    return (total + weigh(generator.transition_rates())) / 10


def of_sum(theta):
    decay = jg.Lindbladian(matrix(theta), [LOWERING], square(theta[:1]), baths=("a",))
    return weigh((decay + jg.Lindbladian(matrix(theta[::-1]), [B], square(theta[2:]), baths=("b",)))(A)) / 10


TABLE = {
    "open_systems.GeneratorSum": of_sum,
    "Lindbladian": of_lindbladian,
}

EXEMPT = {
    "open_systems.AbstractGenerator": "an interface; every generator of the table goes through it",
}
