"""Curves of magnetic molecules: each public name in a number to differentiate, or why not."""

import jax.numpy as jnp

from compositions.common import CHOICE, square, weigh
from jaxgibbs import equilibrium, models

T = jnp.array([5.0, 50.0], jnp.float32)
DRIVER = "a search from many starts outside `jit`, on `fit_model`, which has its row"


def cluster(theta):
    return models.SpinCluster(
        (0.5, 0.5),
        ((0, 1),),
        10 * theta[0],
        convention=models.MINUS_TWO_J,
        g=jnp.array([2.0, 2.1], jnp.float32) + theta[1],
    )


def of_curves(theta):
    found = [
        function(cluster(theta), T)
        for function in (
            equilibrium.chi,
            equilibrium.chi_of_fluctuations,
            equilibrium.chi_t,
            equilibrium.molar_heat_capacity,
        )
    ]
    return sum(map(weigh, found)) + weigh(equilibrium.magnetisation(cluster(theta), 2 * theta[2], T))


def of_corrections(theta):
    chi, curie = equilibrium.chi(cluster(theta), T), equilibrium.curie_constant(cluster(theta))
    return (
        weigh(equilibrium.curie_weiss(chi, T, theta[2]))
        + weigh(equilibrium.mean_field(chi, curie, theta[2]))
        + weigh(equilibrium.impure_sample(chi, T, curie, impurity=0.01 * square(theta[0]), background=theta[1]))
    )


TABLE = {
    (
        "models.SpinCluster",
        *(
            f"equilibrium.{name}"
            for name in ("chi", "chi_of_fluctuations", "chi_t", "molar_heat_capacity", "magnetisation")
        ),
    ): of_curves,
    tuple(
        f"equilibrium.{name}" for name in ("curie_constant", "curie_weiss", "mean_field", "impure_sample")
    ): of_corrections,
}

EXEMPT = {
    "models.ExchangeConvention": CHOICE,
    **dict.fromkeys(
        ("fitting.fit_curve", "fitting.profile_chi_square", "fitting.profile_interval", "fitting.akaike_weights"),
        DRIVER,
    ),
    **dict.fromkeys(("fitting.CurveFit", "fitting.Minimum"), "what `fit_curve` returns"),
}
