"""Thermal generators: each public name in a number to differentiate, or why not."""

import jax
import jax.numpy as jnp

import jaxgibbs as jg
from compositions.common import ANSWER, A, B, matrix, square, weigh
from jaxgibbs import open_systems


def of_davies(theta):
    hot = jg.OhmicBath(square(theta[0]), jnp.abs(theta[1]), jnp.float32(3.0))
    # traced, like everything here: concrete numbers would be judged by the secular approximation
    generator = jg.davies(matrix(theta), [(A, hot)], lamb_shift=False)
    return weigh(generator(B)) + weigh(generator.transition_rates())


def narrow(x):
    return jnp.exp(-(x**2) / 4)


def of_filters(theta):
    filters = (
        open_systems.SmoothMetropolisFilter(),
        open_systems.GaussianFilter(square(theta[0])),
        open_systems.AnalyticFilter(narrow, 1.0),
    )
    made = [jg.ding_li_lin(matrix(theta), [A], square(theta[1]), filter=each)(B) for each in filters]
    return sum(weigh(image) for image in made)


def of_weights(theta):
    window = 1 + 0.1 * jax.nn.sigmoid(theta[0])
    weights = (
        open_systems.GaussianWeight(window, nodes=36),
        open_systems.MetropolisWeight(window, span=12.0, nodes=50),
    )
    made = [jg.chen_kastoryano_gilyen(matrix(theta), [A], square(theta[1]), weight=each)(B) for each in weights]
    return sum(weigh(image) for image in made)


TABLE = {
    "davies": of_davies,
    (
        "ding_li_lin",
        "open_systems.AnalyticFilter",
        "open_systems.GaussianFilter",
        "open_systems.SmoothMetropolisFilter",
    ): of_filters,
    ("chen_kastoryano_gilyen", "open_systems.GaussianWeight", "open_systems.MetropolisWeight"): of_weights,
}

EXEMPT = {
    **dict.fromkeys(("open_systems.Davies", "open_systems.KMSGenerator"), ANSWER),
    **dict.fromkeys(
        ("open_systems.AbstractFilter", "open_systems.AbstractWeight"), "an interface; all that has it is in the table"
    ),
}
