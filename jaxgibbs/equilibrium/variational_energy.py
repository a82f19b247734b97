"""The free energy of Gaussian states of electrons as a functional of the mean field, a vector of its matrices."""

import functools

import jax.numpy as jnp

from jaxgibbs.operators import QuadraticFermions

from .gaussian import gaussian_spectrum
from .methods import Exact


def matrices_of(vector, inputs):
    """The matrices of a vector, symmetric but for that of the pairs."""
    x = vector.reshape(-1, *inputs[0].shape)
    normal = x[:2]
    return jnp.concatenate([(normal + normal.transpose(0, 2, 1)) / 2, x[2:]])


def operator_of(x):
    """The Hamiltonian of the matrices; spins up are the first sites."""
    zero = jnp.zeros_like(x[0])
    one_body = jnp.block([[x[0], zero], [zero, x[1]]])
    return QuadraticFermions(one_body, jnp.block([[zero, x[2]], [-x[2].T, zero]]) if len(x) == 3 else None)


def correlations_of(x, beta):
    """`<a_ps^+ a_qs>`, `<a_p,up a_q,down>` and the entropy."""
    spectrum, n = gaussian_spectrum(operator_of(x), Exact()), x.shape[-1]
    all_densities = spectrum.correlation_matrix(beta)
    densities = jnp.stack([all_densities[:n, :n], all_densities[n:, n:]])
    return densities, spectrum.pairing_matrix(beta)[:n, n:], spectrum.entropy(beta)


contract = functools.partial(jnp.einsum, precision="highest")


def fields_of(inputs, densities, pairs):
    """`d<H>/d<a^+ a>`: bare, Coulomb and exchange; and what creates pairs."""
    bare, two, _ = inputs
    coulomb = contract("pqrs,trs->pq", two, densities)
    exchange = contract("pqrs,trq->tps", two, densities)
    return bare + coulomb - exchange, -contract("pqrs,qs->pr", two, pairs)


def energy_of(inputs, densities, pairs):
    """`<H>` by Wick's theorem."""
    normal, anomalous = fields_of(inputs, densities, pairs)
    return jnp.sum((inputs[0] + normal) * densities) / 2 - jnp.sum(anomalous * pairs)


def residual_of(vector, inputs):
    """The mean field less the one that its state makes."""
    x = matrices_of(vector, inputs)
    densities, pairs, _ = correlations_of(x, inputs[2])
    normal, anomalous = fields_of(inputs, densities, pairs)
    made = jnp.concatenate([normal, anomalous[None]])[: len(x)]
    return vector - jnp.ravel(made)


def free_energy_of(vector, inputs):
    """`<H> - S / beta` of the state that the mean field makes: never below the least one."""
    densities, pairs, entropy = correlations_of(matrices_of(vector, inputs), inputs[2])
    return energy_of(inputs, densities, pairs) - entropy / inputs[2]
