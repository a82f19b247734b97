"""A generator in the eigenbasis of a state: its Heisenberg generator without what is reversible, and the weighted matrix.

`L^+ = D^+ + i [H, .]`. What commutes with the state is anti-self-adjoint for every weight and is taken off (Alicki 1976):
with the jump operators traceless the Hamiltonian is unique, and the part of it that commutes with `sigma` is removed. The
rest, if there is any, belongs to the dissipator: generators that are exact without the secular approximation need it.
"""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from jaxgibbs.linalg import Exponential, dagger, matmul, superoperator
from jaxgibbs.linalg.chains import chain
from jaxgibbs.open_systems import AbstractGenerator, Davies, GeneratorSum, Lindbladian

from .reference import ReferenceState
from .weights import AbstractWeight, between, by_elements

Matrix = Complex[Array, "dim dim"]
Super = Complex[Array, "dim_squared dim_squared"]

LARGEST_DIMENSION = 64  # of dense maps, which have dim^4 elements
LARGEST_COLLECTIVE_DIMENSION = 16  # of a Davies generator, which has up to dim^2 jump operators a coupling


class Jumps(eqx.Module):
    """A generator as arrays: Hamiltonian, jump operators, rates."""

    hamiltonian: Matrix
    jumps: Complex[Array, "count dim dim"]
    rates: Float[Array, " count"]

    def in_basis(self, basis: Matrix, is_exact: Array) -> tuple[Super, Matrix]:
        """`J^+` and `J^+(1)` in a basis. Elements that are rounding of their jump operator are read as zero."""
        inside, dim = self.rotated(basis, is_exact).jumps, basis.shape[-1]
        weighted = self.rates[:, None, None] * inside
        sandwich = jnp.einsum("nlj,nki->jilk", weighted, jnp.conj(inside), precision="highest")
        decay = jnp.einsum("nki,nkj->ij", jnp.conj(inside), weighted, precision="highest")
        return sandwich.reshape(dim * dim, dim * dim), decay

    def rotated(self, basis: Matrix, is_exact: Array) -> "Jumps":
        """The generator written in a basis."""
        inside = matmul(matmul(dagger(basis), self.jumps), basis)
        size = jnp.max(jnp.abs(inside), axis=(-1, -2), keepdims=True, initial=0)
        inside = without_rounding(inside, jnp.where(is_exact, 0, self.rounding * size))
        return Jumps(matmul(matmul(dagger(basis), self.hamiltonian), basis), inside, self.rates)

    @property
    def rounding(self) -> float:
        """Relative size of elements that are taken as zero outside the exact eigenbasis."""
        return 8 * self.hamiltonian.shape[-1] * float(jnp.finfo(self.hamiltonian.dtype).eps)

    def rate_rounding(self) -> Array:
        """The transition rate that elements of this size make."""
        sizes = jnp.sum(jnp.abs(self.jumps) ** 2, axis=(-1, -2))
        return self.rounding**2 * jnp.sum(self.rates * sizes)


class Maps(eqx.Module):
    """A generator as arrays: Hamiltonian, and the matrix of the map `J^+`."""

    hamiltonian: Matrix
    sandwich: Super

    def in_basis(self, basis: Matrix, is_exact: Array) -> tuple[Super, Matrix]:
        """`J^+` and `J^+(1)` in a basis."""
        del is_exact
        rotated = between(_rotation(basis), self.sandwich, _rotation(basis))
        dim = basis.shape[-1]
        one = jnp.eye(dim, dtype=rotated.dtype).reshape(-1)
        return rotated, jnp.swapaxes((rotated @ one).reshape(dim, dim), 0, 1)

    def rotated(self, basis: Matrix, is_exact: Array) -> "Maps":
        """The generator written in a basis."""
        return Maps(matmul(matmul(dagger(basis), self.hamiltonian), basis), self.in_basis(basis, is_exact)[0])

    def rate_rounding(self) -> Array:
        """The transition rate that rounding makes: elements are known to eps of the largest."""
        return 8 * jnp.finfo(self.sandwich.dtype).eps * jnp.max(jnp.abs(self.sandwich))


def _rotation(basis):
    adjoint = dagger(basis)
    return lambda x: matmul(matmul(adjoint, x), basis)


def form_of(generator: AbstractGenerator) -> Jumps | Maps:
    """The arrays of a generator, so that all generators of one size share their compiled programs."""
    prepared = generator.prepared()
    hamiltonian = prepared.hamiltonian_matrix()
    jumps = _jumps_of(generator)
    if jumps is not None:
        return _padded(hamiltonian, jumps[0].astype(hamiltonian.dtype), jumps[1].astype(hamiltonian.real.dtype))
    return Maps(hamiltonian, superoperator(prepared.adjoint_jump_map(), generator.dim, generator.dtype))


def _jumps_of(generator: AbstractGenerator) -> tuple[Array, Array] | None:
    """Jump operators and rates, where the generator has few enough: elements between levels are then known to their rounding."""
    if isinstance(generator, Lindbladian):
        return generator.jump_operators, generator.rates
    if isinstance(generator, Davies) and generator.dim <= LARGEST_COLLECTIVE_DIMENSION:
        return generator.collective_jumps()
    if isinstance(generator, GeneratorSum):
        parts = [_jumps_of(part) for part in generator.parts]
        found = [part for part in parts if part is not None]
        if len(found) == len(parts):
            dtype = jnp.result_type(*(jumps for jumps, _ in found))
            stacks = [jumps.astype(dtype) for jumps, _ in found]
            return jnp.concatenate(stacks), jnp.concatenate([rates for _, rates in found])
    return None


def _padded(hamiltonian, jumps, rates) -> Jumps:
    """With jump operators of rate zero up to a power of two, at least 8, so that few programs serve all numbers of them."""
    size = 8
    while size < rates.size:
        size *= 2
    missing = size - rates.size
    return Jumps(hamiltonian, jnp.pad(jumps, ((0, missing), (0, 0), (0, 0))), jnp.pad(rates, (0, missing)))


def without_rounding(matrix: Array, threshold: Array) -> Array:
    """Elements of magnitude up to `threshold` made zero; they keep their derivatives."""
    return jnp.where(jnp.abs(matrix) <= threshold, matrix - jax.lax.stop_gradient(matrix), matrix)


class Pieces(eqx.Module):
    """A generator in the eigenbasis of a state, matrices on stacked columns.

    Attributes:
        sandwich: `J^+`.
        dissipative: `L^+` without the commutator with what commutes with the state.
        full: `L^+`.
        hamiltonian: the Hamiltonian of the generator with traceless jump operators.
    """

    sandwich: Super
    dissipative: Super
    full: Super
    hamiltonian: Matrix


def pieces(form: Jumps | Maps, reference: ReferenceState, basis: Matrix) -> Pieces:
    """The parts of a generator in the basis of the state, or in one next to it, to see what rounding does."""
    dim = basis.shape[-1]
    one = jnp.eye(dim, dtype=basis.dtype)
    sandwich, dissipator, hamiltonian = heisenberg(form, basis, reference.is_exact)
    partial = jnp.einsum("jijk->ik", dissipator.reshape(dim, dim, dim, dim))
    shift = (partial - dagger(partial)) / (2j * dim)
    irreversible = hamiltonian - dephased(hamiltonian + shift, reference)
    return Pieces(
        sandwich,
        dissipator + commutator(irreversible, one),
        dissipator + commutator(hamiltonian, one),
        hamiltonian + shift - jnp.trace(hamiltonian + shift) / dim * one,
    )


def heisenberg(form: Jumps | Maps, basis: Matrix, is_exact: Array) -> tuple[Super, Super, Matrix]:
    """`J^+`, `D^+ = J^+ - {J^+(1), .} / 2` and `H` in a basis; `L^+ = D^+ + i [H, .]`."""
    one = jnp.eye(basis.shape[-1], dtype=basis.dtype)
    sandwich, decay = form.in_basis(basis, is_exact)
    dissipator = sandwich - (_left(decay, one) + _right(decay, one)) / 2
    hamiltonian = matmul(matmul(dagger(basis), form.hamiltonian), basis)
    return sandwich, dissipator, cleaned(hamiltonian, is_exact)


def cleaned(hamiltonian: Matrix, is_exact: Array) -> Matrix:
    """A Hamiltonian that was turned into a basis, its rounding made zero."""
    rounding = jnp.where(is_exact, 0, 8 * hamiltonian.shape[-1] * jnp.finfo(hamiltonian.dtype).eps)
    return without_rounding(hamiltonian, rounding * jnp.max(jnp.abs(hamiltonian)))


def commutator(hamiltonian: Matrix, one: Matrix) -> Super:
    """`X -> i [H, X]`."""
    return 1j * (_left(hamiltonian, one) - _right(hamiltonian, one))


def _left(matrix, one):
    return jnp.kron(one, matrix)


def _right(matrix, one):
    return jnp.kron(jnp.swapaxes(matrix, 0, 1), one)


def dephased(matrix: Matrix, reference: ReferenceState) -> Matrix:
    """The part of a matrix that commutes with the state, `sum_j P_j X P_j`; differentiable in the state."""
    return _dephased(_merged(reference.log_populations), reference.exponent, matrix)


@jax.custom_jvp
def _dephased(nodes, exponent, matrix):
    del exponent
    return jnp.where(nodes[:, None] == nodes[None, :], matrix, 0)


@_dephased.defjvp
def _dephased_jvp(primals, tangents):
    nodes, exponent, matrix = primals
    one = jnp.eye(nodes.shape[-1], dtype=matrix.dtype)

    def by_maps(exponent, matrix):
        return chain(_SameLevel(), (0, 1), exponent, nodes, one, matrix)

    return _dephased(*primals), jax.jvp(by_maps, (exponent, matrix), (tangents[1], tangents[2]))[1]


def _merged(nodes: Float[Array, " dim"]) -> Float[Array, " dim"]:
    """Neighbouring levels closer than rounding made equal."""
    order = jnp.argsort(nodes)
    ascending = nodes[order]
    tolerance = 64 * jnp.finfo(nodes.dtype).eps * (1 + jnp.max(jnp.abs(nodes)))
    starts = jnp.concatenate([jnp.ones(1, bool), jnp.diff(ascending) > tolerance])
    values = jax.lax.cummax(jnp.where(starts, ascending, -jnp.inf))
    return jnp.zeros_like(nodes).at[order].set(values)


@dataclasses.dataclass(frozen=True)
class _SameLevel:
    """1 where two levels are equal and 0 elsewhere; levels that are equal stay so under differentiation."""

    is_complex: bool = False
    variables: int = 2

    def __call__(self, groups):
        left, right = groups
        return _differences(lambda x: _differences(lambda y: (x == y).astype(x.dtype), right), left)


def _differences(value, nodes):
    nodes = list(jnp.sort(jnp.stack(jnp.broadcast_arrays(*nodes)), axis=0))
    table = [value(node) for node in nodes]
    for k in range(1, len(nodes)):
        gaps = [nodes[j + k] - nodes[j] for j in range(len(nodes) - k)]
        table = [
            jnp.where(gap > 0, (upper - lower) / jnp.where(gap > 0, gap, 1), 0)
            for gap, lower, upper in zip(gaps, table[:-1], table[1:], strict=True)
        ]
    return table[0]


def weighted(weight: AbstractWeight, reference: ReferenceState, matrix: Super) -> Super:
    """`K = W^(1/2) M W^(-1/2)` on the support of the state: Hermitian where `M` is self-adjoint for the weight."""
    kept = inside(reference)
    masked = matrix * (kept[:, None] & kept[None, :])
    return _weighted(weight, reference.log_populations, reference.exponent, masked)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _weighted(weight, log_populations, exponent, matrix):
    """By elements, which is all that a value needs; the derivative in the state is that of maps of matrices."""
    del exponent
    return by_elements(weight, log_populations, matrix)


@_weighted.defjvp
def _weighted_jvp(weight, primals, tangents):
    log_populations, exponent, matrix = primals
    low, high = jnp.min(log_populations), jnp.max(log_populations)
    center = (low + high) / 2  # a factor of the weights, which drops out; with it they neither overflow nor underflow
    nodes, one = log_populations - center, jnp.eye(log_populations.shape[-1], dtype=exponent.dtype)

    def by_maps(exponent, matrix):
        left, right = (weight.root(exponent - center * one, nodes, sign) for sign in (1, -1))
        return between(left, matrix, right)

    _, slope = jax.jvp(by_maps, (exponent, matrix), (tangents[1], tangents[2]))
    return _weighted(weight, log_populations, exponent, matrix), slope


def density_matrix(reference: ReferenceState) -> Matrix:
    """`sigma` in its own eigenbasis: diagonal, with its derivative."""
    return _density_matrix(reference.log_populations, reference.populations, reference.exponent)


@jax.custom_jvp
def _density_matrix(log_populations, populations, exponent):
    del log_populations
    return jnp.diag(populations).astype(exponent.dtype)


@_density_matrix.defjvp
def _density_matrix_jvp(primals, tangents):
    nodes, populations, exponent = primals
    one = jnp.eye(nodes.shape[-1], dtype=exponent.dtype)

    def by_maps(exponent):
        sigma = chain(Exponential(), (0,), exponent, nodes, one)
        return sigma / jnp.trace(sigma)

    return _density_matrix(nodes, populations, exponent), jax.jvp(by_maps, (exponent,), (tangents[2],))[1]


def inside(reference: ReferenceState):
    """Which matrix units, in stacked columns, have both levels in the support."""
    return (reference.support[:, None] & reference.support[None, :]).reshape(-1)
