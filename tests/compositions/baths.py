"""Baths: each public name in a number to differentiate, or why not."""

import jax.numpy as jnp

import jaxgibbs as jg
from compositions.common import square, weigh


def of_bath(bath, theta):
    frequencies = jnp.stack([theta[0], jnp.zeros_like(theta[0]), -theta[1] - 1])
    return weigh(bath.rate(frequencies)) + weigh(bath.lamb_shift(frequencies))


TABLE = {
    "OhmicBath": lambda theta: of_bath(jg.OhmicBath(square(theta[0]), square(theta[1]), square(theta[2])), theta),
}

EXEMPT = {
    **dict.fromkeys(("baths.AbstractBath", "baths.AbstractBosonicBath"), "an interface; every bath goes through it"),
}
