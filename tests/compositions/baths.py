"""Baths: each public name in a number to differentiate, or why not."""

import jax.numpy as jnp

import jaxgibbs as jg
from compositions.common import ANSWER, of_tree, square, weigh


def of_bath(bath, theta):
    frequencies = jnp.stack([theta[0], jnp.zeros_like(theta[0]), -theta[1] - 1])
    return weigh(bath.rate(frequencies)) + weigh(bath.lamb_shift(frequencies))


def of_correlation(bath, theta):
    return of_bath(bath, theta) + weigh(bath.correlation(jnp.stack([square(theta[0]), -square(theta[1])])))


def of_finite(theta):
    bath = jg.OhmicBath(square(theta[0]), square(theta[1]), square(theta[2]))
    finite = jg.baths.finite_bath(bath, 3, 10 * square(theta[2]))
    return (
        of_tree(finite) / 10
        + of_tree(finite.chain()) / 10
        + of_tree(jg.baths.finite_bath(bath, 2)) / 10
        + jg.baths.discretisation_error(bath, finite, 2)
        + weigh(finite.correlation(square(theta[0]), square(theta[1])))
    )


def of_lead(theta):
    lead = jg.baths.FermionicBath(square(theta[0]), theta[1], square(theta[2]), square(theta[0]))
    return of_tree(jg.baths.finite_lead(lead, 3))


TABLE = {
    ("baths.FiniteBath", "baths.finite_bath", "baths.discretisation_error"): of_finite,
    ("baths.FiniteLead", "baths.finite_lead"): of_lead,
    ("baths.DrudeLorentzBath", "baths.UnderdampedBath", "baths.QuantumOpticalBath"): lambda theta: (
        of_correlation(jg.baths.DrudeLorentzBath(square(theta[0]), square(theta[1]), square(theta[2])), theta)
        + of_correlation(jg.baths.QuantumOpticalBath(square(theta[1]), square(theta[2]), square(theta[0])), theta) / 10
        + of_correlation(
            jg.baths.UnderdampedBath(square(theta[2]), square(theta[0]), square(theta[1]), square(theta[2])), theta
        )
    ),
    ("baths.FermionicBath", "baths.FlatBath", "baths.TabulatedBath"): lambda theta: (
        of_bath(jg.baths.FermionicBath(theta[0], theta[1], square(theta[2]), square(theta[0])), theta)
        + jg.baths.FlatBath(square(theta[0]), square(theta[1]), square(theta[2])).rate(theta[0])
        + of_bath(jg.baths.TabulatedBath(theta[0], [0.0, 1.0, 2.0, 4.0], jnp.append(square(theta), 1.0)), theta)
    ),
    "OhmicBath": lambda theta: of_bath(jg.OhmicBath(square(theta[0]), square(theta[1]), square(theta[2])), theta),
}

EXEMPT = {
    "baths.Chain": ANSWER,
    **dict.fromkeys(("baths.AbstractBath", "baths.AbstractBosonicBath"), "an interface; every bath goes through it"),
}
