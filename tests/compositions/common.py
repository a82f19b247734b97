"""What the tables share: couplings, matrices, and numbers that no symmetry leaves unchanged."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxgibbs as jg
from jaxgibbs import linalg, models

rng = np.random.default_rng(7)
START = np.array([[0.5, -0.3, 0.8], [0.2, 0.6, -0.4]], np.float32)  # two sets of couplings
TERMS = rng.normal(size=(3, 4, 4)) + 1j * rng.normal(size=(3, 4, 4))
TERMS = (TERMS + TERMS.conj().swapaxes(1, 2)) / 4
A, B = TERMS[0].astype(np.complex64), TERMS[1].astype(np.complex64)
BETA = np.float32(0.8)


def matrix(theta):
    return jnp.einsum("k,kij->ij", theta, jnp.asarray(TERMS, jnp.complex64))


def chain(theta):
    return models.xxz_chain(3, 1.0 + theta[0], theta[1], field=theta[2])


def positive(theta):
    return linalg.exp(matrix(theta))


def of_charges(theta):
    return [matrix(theta), jnp.asarray(B)]


def square(x):
    return 1 + x**2


def weigh(array):
    """A number that no symmetry of the array leaves unchanged."""
    array = jnp.asarray(array)
    weights = jnp.cos(jnp.arange(array.size, dtype=jnp.float32)).reshape(array.shape)
    return jnp.sum(weights * (array.real + 0.5 * array.imag))


def of_tree(tree):
    return sum(weigh(leaf) for leaf in jax.tree_util.tree_leaves(tree))


def log_z(operator):
    return jg.log_partition(operator, BETA)


def of_state(state):
    scalars = [state.log_partition, state.entropy, state.purity, state.renyi_entropy(0.5), state.expectation(A)]
    return (
        sum(scalars)
        + weigh(state.covariance_matrix((A, B)))
        + weigh(state.density_matrix())
        + weigh(state.reduced((2, 2), 1))
    )


ANSWER = "what functions of the table return or hold; its numbers are differentiated there"
CHOICE = "a method: static knobs and tolerances"
STRUCTURE = "static structure, without numbers to differentiate"
VERDICT = "a verdict on values, given outside `jit`"
