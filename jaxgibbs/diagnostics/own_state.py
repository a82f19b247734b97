"""The stationary state of a generator itself, and what it looks like: a Gibbs state, of which Hamiltonian, or driven."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from jaxgibbs.linalg import dagger, matmul, unvectorize, vectorize
from jaxgibbs.open_systems.populations import eliminate

from .modular import Jumps, Maps, cleaned, commutator, heisenberg, without_rounding
from .reference import Source, eigenbasis, smooth_unless
from .residuals import Measurement, measure, rates_of, scatter


class OwnState(eqx.Module):
    """A generator against its own stationary state, in the eigenbasis of a Hamiltonian.

    Attributes:
        density_matrix: the stationary state, in the basis of the generator.
        unique: whether it is the only one at this precision; all else is meaningless where it is not.
        basis: eigenvectors of the Hamiltonian as columns, in which `populations` and `currents` are.
        populations: of the levels of the Hamiltonian.
        rates: the transition rates between these levels, columns that sum to zero.
        beta: of the Gibbs state of the Hamiltonian that is nearest in `ln sigma`, by least squares; infinite for a state on the
            lowest or highest level; NaN for a multiple of 1.
        misfit: `||-ln sigma - beta H|| / ||-ln sigma||`, multiples of the identity left out.
        misfit_floor: what rounding of the stationary state makes of it.
        measurement: residuals against the stationary state, and their floors.
    """

    density_matrix: Complex[Array, "dim dim"]
    unique: Bool[Array, ""]
    basis: Complex[Array, "dim dim"]
    populations: Float[Array, " dim"]
    rates: Float[Array, "dim dim"]
    beta: Float[Array, ""]
    misfit: Float[Array, ""]
    misfit_floor: Float[Array, ""]
    measurement: Measurement


def own_state(form: Jumps | Maps, hamiltonian: Complex[Array, "dim dim"], theta=None) -> OwnState:
    """Find the stationary state, measure the generator against it, and fit it by a Gibbs state of `hamiltonian`."""
    basis, inside, sigma, state, rates, noise, unique = _stationary(form, hamiltonian)
    measurement = measure(inside, Source(sigma, None, noise), None if theta is None else _turned(theta, basis))
    beta, misfit, floor = _fitted(hamiltonian, basis, measurement, noise == 0)
    return OwnState(
        state,
        unique,
        basis,
        jnp.diagonal(sigma).real,
        rates,
        beta,
        misfit,
        floor,
        measurement,
    )


def _turned(theta, basis):
    return matmul(matmul(dagger(basis), theta), jnp.conj(basis))


@eqx.filter_jit
def _stationary(form, hamiltonian):
    _, basis, is_exact = eigenbasis(hamiltonian)
    inside = form.rotated(basis, is_exact)
    inside = eqx.tree_at(lambda x: x.hamiltonian, inside, cleaned(inside.hamiltonian, is_exact))
    sigma, noise, unique = _solved(inside)
    state = matmul(matmul(basis, sigma), dagger(basis))
    rates = rates_of(inside.in_basis(jnp.eye(len(basis), dtype=basis.dtype), jnp.ones((), bool))[0])
    return basis, inside, sigma, state, rates, noise, unique


def _solved(form: Jumps | Maps):
    """Solve `(L + |1/d>><<1|) sigma = 1/d`: the density matrix, its absolute rounding, and whether it is the only one.

    The matrix is singular where there is more than one stationary state. A second right side, of the size of what rounding
    changes in the first, gives the error. `open_systems.steady_state` bounds the norm of its error; what residuals need is that
    of each element, in the basis in which elements between levels are known to be zero. Where the populations decouple exactly,
    elimination without subtractions gives each of them to a few eps of itself, and there is no absolute rounding.
    """
    dim, dtype = form.hamiltonian.shape[-1], form.hamiltonian.dtype
    one = jnp.eye(dim, dtype=dtype)
    eps = jnp.finfo(dtype).eps
    sandwich, dissipator, matrix = heisenberg(form, one, jnp.ones((), bool))
    generator = dagger(dissipator + commutator(matrix, one))
    scale = jnp.max(jnp.abs(generator))
    generator = generator / jnp.where(scale > 0, scale, 1)  # 1/d is then of the size of the generator
    mixed = vectorize(one / dim)
    noise = eps * scatter(dim * dim, mixed.real.dtype).astype(dtype)
    bordered = generator + jnp.outer(mixed, vectorize(one))
    answers = jnp.linalg.solve(bordered, jnp.stack([mixed, noise], axis=1))
    sigma, error = unvectorize(answers[:, 0]), jnp.max(jnp.abs(answers[:, 1]))
    unique = jnp.isfinite(error) & (error < 1e-2)
    sigma = (sigma + dagger(sigma)) / 2
    sigma = sigma / jnp.where(unique, jnp.trace(sigma).real, 1)
    sigma = without_rounding(sigma, 16 * error * (1 - jnp.eye(dim)))

    fixed, rates = jax.lax.stop_gradient((generator, rates_of(sandwich)))
    places = np.arange(dim) * (dim + 1)
    between = np.delete(np.arange(dim * dim), places)
    decoupled = jnp.all(fixed[np.ix_(between, places)] == 0)
    populations, classes = eliminate(jnp.maximum(rates, 0) * (1 - jnp.eye(dim)))
    settles = jax.lax.cond(unique, lambda: unique, lambda: _settles(fixed[np.ix_(between, between)], noise[between]))
    exact = decoupled & (classes == 1) & settles
    value = jnp.diag(populations).astype(dtype) + _without_value(sigma)
    sigma = jnp.where(exact, smooth_unless(value, ~unique), sigma)
    return sigma, jnp.where(exact, 0, error), unique | exact


def _settles(matrix, noise):
    """Whether coherences that nothing feeds decay."""
    return jnp.max(jnp.abs(jnp.linalg.solve(matrix, noise)), initial=0) < 1e-2


def _without_value(x):
    """0, with the derivatives of `x`; where `x` is not finite there are none, and the caller has to say so."""
    x = jnp.where(jnp.isfinite(x), x, 0)
    return x - jax.lax.stop_gradient(x)


@eqx.filter_jit
def _fitted(hamiltonian, basis, measurement: Measurement, known):
    """Least squares of `-ln sigma` by `beta H + c` on the support of `sigma`; beyond it nothing is, if populations are `known`."""
    reference = measurement.reference
    turn = matmul(basis, reference.basis)
    h = matmul(matmul(dagger(turn), hamiltonian), turn)
    kept = reference.support
    count = jnp.sum(kept)
    h = h * (kept[:, None] & kept[None, :])
    diagonal = jnp.where(kept, jnp.diagonal(h).real, 0)
    h = h - jnp.diag(jnp.where(kept, jnp.sum(diagonal) / count, 0))
    target = jnp.where(kept, -reference.log_populations, 0)
    target = jnp.where(kept, target - jnp.sum(target) / count, 0)
    above, below = jnp.sum(jnp.diagonal(h).real * target), jnp.sum(h.real**2 + h.imag**2)
    flat = below <= (64 * jnp.finfo(target.dtype).eps * jnp.max(jnp.abs(hamiltonian))) ** 2 * count
    limit = jnp.where(known, _limit(hamiltonian, turn, kept), jnp.nan)
    beta = jnp.where(flat, limit, above / jnp.where(flat, 1, below))
    finite = jnp.where(flat, 0, beta)
    misfit = jnp.diag(target) - finite * h
    size = jnp.sqrt(jnp.sum(target**2))
    noise = 4 * jnp.sqrt(jnp.sum(jnp.where(kept, reference.level_noise, 0) ** 2))
    distance = jnp.sqrt(jnp.sum(misfit.real**2 + misfit.imag**2))
    floor = noise + 64 * jnp.finfo(target.dtype).eps * (1 + jnp.abs(finite) * jnp.sqrt(below))
    return beta, distance / jnp.where(size > 0, size, 1), floor / jnp.where(size > noise, size, noise)


def _limit(hamiltonian, turn, kept):
    """`inf` where the levels kept, of one energy, are the ground level, `-inf` where they are the highest, else NaN."""
    energies = jnp.sum(jnp.conj(turn) * matmul(hamiltonian, turn), axis=0).real
    inside = jnp.where(kept, energies, jnp.nan)
    below, above = (jnp.where(kept, fill, energies) for fill in (-jnp.inf, jnp.inf))
    coldest = jnp.where(jnp.nanmax(inside) < jnp.min(above), jnp.inf, jnp.nan)
    limit = jnp.where(jnp.nanmin(inside) > jnp.max(below), -jnp.inf, coldest)
    return jnp.where(jnp.all(kept), jnp.nan, limit)
