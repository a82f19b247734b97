"""How far a generator is from detailed balance: residuals for every weight, and what rounding alone would make of them.

The weights amplify rounding by up to `e^(width / 2)`, `width` that of `ln sigma`. So each residual comes with a floor that is
measured: everything the answer is made of, elements of the generator, levels and eigenvectors of the state, is moved by its own
rounding, and the change of the weighted matrix is what rounding can do. An element that is exact, such as the zeros of a
jump operator in the eigenbasis of the Hamiltonian, stays exact, and then the floor stays near eps at any temperature.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxgibbs.linalg import dagger, matmul
from jaxgibbs.open_systems.generator import check_generator
from jaxgibbs.symmetry import Antiunitary

from .modular import (
    LARGEST_DIMENSION,
    Jumps,
    Maps,
    Pieces,
    density_matrix,
    form_of,
    inside,
    pieces,
    weighted,
)
from .reference import ReferenceState, Source, one_without_slope, reference_state, source_of
from .weights import KMS, WEIGHTS, AbstractWeight, as_weight, between, by_elements

_SAMPLES = 6
_SAFETY = 12  # how many root mean squares of a few samples contain what a single rounding does


class Measurement(eqx.Module):
    """Everything measured of a generator against one state; the five entries of an array are those of `WEIGHTS`."""

    squares: Float[Array, " weights"]
    full_squares: Float[Array, " weights"]
    stationarity: Float[Array, ""]
    time_reversal_square: Float[Array, ""] | None
    rates: Float[Array, "dim dim"]
    floors: Float[Array, " weights"]
    full_floors: Float[Array, " weights"]
    stationarity_floor: Float[Array, ""]
    time_reversal_floor: Float[Array, ""] | None
    rate_noise: Float[Array, "dim dim"]
    reference: ReferenceState


def asymmetry(matrix: Complex[Array, "n n"]) -> Float[Array, ""]:
    """`||K - K^dagger||^2 / ||K||^2`, 0 for `K = 0`."""
    return ratio(squared_norm(matrix - dagger(matrix)), squared_norm(matrix))


def squared_norm(matrix: Array) -> Float[Array, ""]:
    """`sum |m|^2`."""
    return jnp.sum(matrix.real**2 + matrix.imag**2)


def ratio(above: Array, below: Array) -> Array:
    """`above / below`, 0 where both are."""
    return above / jnp.where(below > 0, below, 1)


def root(square: Array) -> Array:
    """The square root, with derivative 0 at 0, where it has a kink."""
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), square)


def reversed_generator(matrix, theta_in_basis):
    """`T L^+ T`, `T(X) = V X^T V^dagger`."""

    def reverse(x):
        return matmul(matmul(theta_in_basis, jnp.swapaxes(x, -1, -2)), dagger(theta_in_basis))

    return between(reverse, matrix, reverse)


def measure(form: Jumps | Maps, source: Source, theta: Complex[Array, "dim dim"] | None) -> Measurement:
    """Residuals against a state, and their floors."""
    return _measured(form, reference_state(source), theta)


@eqx.filter_jit
def _measured(form, reference: ReferenceState, theta) -> Measurement:
    """One program for states of every origin."""
    here = pieces(form, reference, reference.basis)
    squares, full = (_asymmetries(reference, matrix) for matrix in (here.dissipative, here.full))
    reversal = None if theta is None else _time_reversal(here.full, reference, theta)
    rates = rates_of(here.sandwich) * one_without_slope(reference.exponent)
    floors = _floors(*jax.lax.stop_gradient((form, reference, here)), theta)
    return Measurement(squares, full, _stationarity(here.full, reference), reversal, rates, *floors, reference)


@jax.custom_jvp
def _asymmetries(reference: ReferenceState, matrix) -> Float[Array, " weights"]:
    """`asymmetry` of each weight, in a loop; only its derivatives need a program for each."""
    kept = inside(reference)
    matrix = matrix * (kept[:, None] & kept[None, :])
    logs = _logs(reference.log_populations)
    return jax.lax.map(lambda x: asymmetry(jnp.exp((x[:, None] - x[None, :]) / 2) * matrix), logs)


@_asymmetries.defjvp
def _asymmetries_jvp(primals, tangents):
    def one_by_one(reference, matrix):
        return jnp.stack([asymmetry(weighted(weight, reference, matrix)) for weight in WEIGHTS])

    return _asymmetries(*primals), jax.jvp(one_by_one, primals, tangents)[1]


def _logs(log_populations):
    """The logarithms of the weights of matrix units, in stacked columns, one row for each of `WEIGHTS`."""
    return jnp.stack([jnp.swapaxes(w.log_weights(log_populations), 0, 1).reshape(-1) for w in WEIGHTS])


def rates_of(sandwich) -> Float[Array, "dim dim"]:
    """`W_ij = <j|J^+(|i><i|)|j>`, from `j` to `i`, with columns that sum to zero."""
    dim = round(sandwich.shape[-1] ** 0.5)
    between_levels = jnp.einsum("jjii->ij", sandwich.reshape(dim, dim, dim, dim)).real
    between_levels = between_levels * (1 - jnp.eye(dim, dtype=between_levels.dtype))
    return between_levels - jnp.diag(jnp.sum(between_levels, axis=0))


def _stationarity(full, reference):
    image = dagger(full) @ jnp.swapaxes(density_matrix(reference), 0, 1).reshape(-1)
    return root(ratio(squared_norm(image), squared_norm(full)))


def _time_reversal(full, reference, theta):
    """`||L^sharp - T L^+ T|| / ||L^+||`, in the matrices of the KMS product, where `L^sharp` is the adjoint."""
    inner = matmul(matmul(dagger(reference.basis), theta), jnp.conj(reference.basis))
    plain = weighted(KMS, reference, full)
    other = weighted(KMS, reference, reversed_generator(full, inner))
    return ratio(squared_norm(dagger(plain) - other), squared_norm(plain))


def _floors(form, reference: ReferenceState, here: Pieces, theta):
    """Root mean squares of what rounding changes, times a factor of safety."""
    eps = jnp.finfo(reference.basis.dtype).eps
    kept = inside(reference)
    mask = kept[:, None] & kept[None, :]
    levels = reference.log_populations

    def scaled(weight, shifted, matrix):
        return by_elements(weight, shifted, matrix) * mask

    base = _logs(levels)

    def moved_by(old, new, there):
        """For each weight the change of `K - K^dagger`, squared and relative; a loop, to hold one matrix at a time."""

        def one(pair):
            before, after = (mask * jnp.exp((x[:, None] - x[None, :]) / 2) for x in pair)
            change = after * new - before * old
            return ratio(squared_norm(change - dagger(change)), squared_norm(before * old))

        return jax.lax.map(one, (base, there))

    leaves, structure = jax.tree_util.tree_flatten(form)
    dim, complex_dtype = reference.dim, reference.basis.dtype
    sizes = np.cumsum([leaf.size * (1 + jnp.iscomplexobj(leaf)) for leaf in leaves] + [2 * dim**2, 2 * dim**2, dim])

    def sample(noise):
        parts = jnp.split(noise, sizes[:-1])
        moved = jax.tree_util.tree_unflatten(
            structure, [leaf * (1 + eps * _shaped(x, leaf)) for leaf, x in zip(leaves, parts[:-3], strict=True)]
        )
        turn, rounded = (_shaped(x, reference.basis) for x in parts[-3:-1])
        turn = reference.basis_noise * turn
        rounded = eps * jnp.where(reference.is_exact, 0, 1) * rounded
        basis = reference.basis + matmul(reference.basis, (turn - dagger(turn)) / 2**0.5 + rounded)
        shifted = levels + reference.level_noise * parts[-1]
        there = pieces(moved, reference, basis)
        after = _logs(shifted)
        changes = [moved_by(here.dissipative, there.dissipative, after), moved_by(here.full, there.full, after)]
        sigma, other = (
            jnp.diag(reference.populations),
            jnp.diag(jax.nn.softmax(jnp.where(reference.support, shifted, -jnp.inf))),
        )
        first, second = (m.reshape(-1).astype(complex_dtype) for m in (sigma, other))
        image = dagger(there.full) @ second - dagger(here.full) @ first
        changes.append(ratio(squared_norm(image), squared_norm(here.full)))
        if theta is not None:
            old, new = (matmul(matmul(dagger(b), theta), jnp.conj(b)) for b in (reference.basis, basis))
            first = scaled(KMS, levels, reversed_generator(here.full, old)) - dagger(scaled(KMS, levels, here.full))
            second = scaled(KMS, shifted, reversed_generator(there.full, new)) - dagger(
                scaled(KMS, shifted, there.full)
            )
            changes.append(ratio(squared_norm(second - first), squared_norm(scaled(KMS, levels, here.full))))
        changes.append((rates_of(there.sandwich) - rates_of(here.sandwich)) ** 2)
        return tuple(changes)

    noise = scatter(_SAMPLES * int(sizes[-1]), levels.dtype).reshape(_SAMPLES, -1)
    samples = jax.lax.map(sample, noise)
    spread = [_SAFETY * jnp.sqrt(jnp.mean(x, axis=0)) for x in samples]
    reversal = spread[3] if theta is not None else None
    rate_noise = spread[-1] + jnp.where(reference.is_exact, 0, form.rate_rounding())
    # A sample can miss an element that only evaluation rounds: eps times a few products.
    least = 8 * eps
    floors = (spread[0] + least, spread[1] + least, spread[2] + least)
    return (
        *floors,
        None if reversal is None else reversal + least,
        rate_noise + least * jnp.abs(rates_of(here.sandwich)),
    )


def scatter(count: int, dtype) -> Float[Array, " count"]:
    """Fixed numbers of mean 0 and variance 1 without pattern, by a hash of their position: a few integer operations."""
    x = jnp.arange(count, dtype=jnp.uint32) + jnp.uint32(0x9E3779B9)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> shift)) * jnp.uint32(factor)
    x = x ^ (x >> 16)
    return (x.astype(dtype) / 2.0**32 - 0.5) * 12**0.5


def _shaped(noise, like):
    """Real random numbers as an array of the shape and kind of another."""
    if jnp.iscomplexobj(like):
        noise = jax.lax.complex(*jnp.split(noise, 2))
    return noise.reshape(like.shape)


def check_size(generator) -> None:
    """Refuse what is no generator, and what would need dense maps of too large a dimension."""
    check_generator(generator)
    if generator.dim > LARGEST_DIMENSION:
        raise ValueError(
            f"`generator` must have a dimension up to {LARGEST_DIMENSION} for dense maps, which have dim^4 elements, but has "
            f"{generator.dim}; use `diagnostics.estimated_residual`, which never forms them."
        )


def balance_residual(
    generator, state=None, *, beta=None, hamiltonian=None, weight: AbstractWeight | float = KMS, full: bool = False
) -> Float[Array, ""]:
    """The residual of detailed balance of one weight, `r = ||K - K^dagger|| / ||K||`, `K = W^(1/2) L^+ W^(-1/2)`.

    Differentiable but for the kink at 0; `squared_residual` is smooth there too.

    Args:
        generator: in Lindblad form.
        state: a Gibbs state or a density matrix of shape `(dim, dim)`.
        beta: inverse temperature, instead of `state`.
        hamiltonian: of the Gibbs state at `beta`; that of the generator by default.
        weight: `diagnostics.KMS`, `GNS`, `BKM`, or a real number `s` from 0 to 1.
        full: with the commutator with what commutes with the state, which is never self-adjoint.

    Raises:
        ValueError: if not exactly one of `state` and `beta` is given, or either is misused.

    References: Fagnola & Umanita, Rev. Math. Phys. 22, 1263 (2010); Carlen & Maas, J. Funct. Anal. 273, 1810 (2017).
    """
    return root(squared_residual(generator, state, beta=beta, hamiltonian=hamiltonian, weight=weight, full=full))


def squared_residual(
    generator, state=None, *, beta=None, hamiltonian=None, weight: AbstractWeight | float = KMS, full: bool = False
) -> Float[Array, ""]:
    """The square of `balance_residual`, smooth everywhere: what to minimise. Arguments as there."""
    check_size(generator)
    source = source_of(state, beta, hamiltonian, generator)
    if source is None:
        raise ValueError("`state` or `beta` must be given: the state that balance is measured against.")
    return _squared(form_of(generator), source, as_weight(weight), full)


@eqx.filter_jit
def _squared(form, source, weight, full: bool):
    reference = reference_state(source)
    here = pieces(form, reference, reference.basis)
    return asymmetry(weighted(weight, reference, here.full if full else here.dissipative))


def time_reversal_residual(
    generator, theta: Antiunitary, state=None, *, beta=None, hamiltonian=None
) -> Float[Array, ""]:
    """Detailed balance with time reversal, `||L^sharp - T L^+ T|| / ||L^+||`, `T(X) = V X^T V^dagger`, Hamiltonian included.

    `L^sharp` is the adjoint of `L^+` in the KMS product. It vanishes for a generator with a Hamiltonian that `theta` leaves
    invariant and couplings that are even or odd, if the dissipator is in detailed balance; the Hamiltonian is not taken off.

    Args:
        generator: in Lindblad form.
        theta: time reversal, `symmetry.Antiunitary`.
        state: as for `balance_residual`.
        beta: as for `balance_residual`.
        hamiltonian: as for `balance_residual`.

    Raises:
        ValueError: if `theta` acts on another space, or as for `balance_residual`.

    Reference: Fagnola & Umanita, Infin. Dimens. Anal. Quantum Probab. 10, 335 (2007).
    """
    check_size(generator)
    source = source_of(state, beta, hamiltonian, generator)
    if source is None:
        raise ValueError("`state` or `beta` must be given: the state that balance is measured against.")
    return root(_reversal_square(form_of(generator), source, theta_matrix(theta, generator)))


@eqx.filter_jit
def _reversal_square(form, source, theta):
    reference = reference_state(source)
    here = pieces(form, reference, reference.basis)
    return _time_reversal(here.full, reference, theta)


def theta_matrix(theta: Antiunitary | None, generator) -> Complex[Array, "dim dim"] | None:
    """`V`, of the precision of the generator."""
    if theta is None:
        return None
    if theta.dim != generator.dim:
        raise ValueError(
            f"`theta` must act on the space of dimension {generator.dim}, but acts on dimension {theta.dim}."
        )
    return jnp.asarray(theta.unitary, generator.dtype)
