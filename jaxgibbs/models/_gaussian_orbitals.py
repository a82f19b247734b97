"""Integrals of s-type Gaussian orbitals in closed form, for two hydrogen atoms (Boys 1950; Szabo & Ostlund, appendix A)."""

import jax
import jax.numpy as jnp
import numpy as np

# STO-3G of a 1s function of exponent 1 (Hehre, Stewart & Pople 1969), scaled to 1.24 of hydrogen in molecules.
_EXPONENTS = np.array([0.109818, 0.405771, 2.22766]) * 1.24**2
_COEFFICIENTS = np.array([0.444635, 0.535328, 0.154329]) * (2 * _EXPONENTS / np.pi) ** 0.75


def hydrogen_integrals(distance):
    """`(h, (pq|rs), 1/R)` of H2 in the bonding and the antibonding orbital, in hartree, at `distance` in bohr."""
    dtype = distance.dtype
    exponents, weights = (
        jnp.asarray(np.tile(x, 2), dtype) for x in (_EXPONENTS, _COEFFICIENTS)
    )  # six primitives, three an atom
    places = jnp.repeat(jnp.stack([jnp.zeros_like(distance), distance]), 3)
    to_atoms = jnp.asarray(np.kron(np.eye(2), np.ones((3, 1))), dtype) * weights[:, None]
    p = exponents[:, None] + exponents
    reduced = exponents[:, None] * exponents / p
    gap = (places[:, None] - places) ** 2
    centers = (exponents[:, None] * places[:, None] + exponents * places) / p
    gaussian = jnp.exp(-reduced * gap)
    overlap = (jnp.pi / p) ** 1.5 * gaussian
    kinetic = reduced * (3 - 2 * reduced * gap) * overlap
    nuclei = jnp.stack([jnp.zeros_like(distance), distance])
    attraction = -2 * jnp.pi / p * gaussian * sum(_boys(p * (centers - nucleus) ** 2) for nucleus in nuclei)
    total = p[:, :, None, None] + p
    repulsion = 2 * jnp.pi**2.5 / (p[:, :, None, None] * p * jnp.sqrt(total))
    repulsion = repulsion * gaussian[:, :, None, None] * gaussian
    repulsion = repulsion * _boys(p[:, :, None, None] * p / total * (centers[:, :, None, None] - centers) ** 2)
    s, h = (to_atoms.T @ matrix @ to_atoms for matrix in (overlap, kinetic + attraction))
    signs = jnp.asarray([[1.0, 1.0], [1.0, -1.0]], dtype)
    orbitals = signs / jnp.sqrt(jnp.einsum("ap,ab,bp->p", signs, s, signs))
    whole = to_atoms @ orbitals
    two = jnp.einsum("abcd,ap,bq,cr,ds->pqrs", repulsion, whole, whole, whole, whole, precision="highest")
    one = orbitals.T @ h @ orbitals
    return (one + one.T) / 2, _eightfold(two), 1 / distance


def _boys(t):
    """`F_0(t) = sqrt(pi / t) erf(sqrt t) / 2`, by its series near 0 so that derivatives stay right."""
    small = t < 1e-3
    safe = jnp.where(small, 1.0, t)
    series = 1 - t / 3 + t**2 / 10 - t**3 / 42 + t**4 / 216
    return jnp.where(small, series, jnp.sqrt(jnp.pi / safe) * jax.lax.erf(jnp.sqrt(safe)) / 2)


def _eightfold(two):
    two = (two + two.transpose(1, 0, 2, 3)) / 2
    two = (two + two.transpose(0, 1, 3, 2)) / 2
    return (two + two.transpose(2, 3, 0, 1)) / 2
