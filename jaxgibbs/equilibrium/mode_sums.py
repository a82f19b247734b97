"""Sums over the modes of a Hermitian one-body matrix `M`, differentiable in `beta` and in `M` to every order.

Everything is `sum_k g(beta, e_k) = Tr g(beta, M)`. The value is a sum over eigenvalues, by the closed forms of free
modes; the derivative in `beta` is again such a sum, at O(dim); the derivative along `dM` is `Tr(h dM)` with a matrix `h`
made of chains, so no eigenvector is ever differentiated. `M` is given as blocks, as in `linalg.exponential_family`.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from jaxgibbs.linalg import matmul
from jaxgibbs.linalg.chains import chain
from jaxgibbs.linalg.divided_differences import FAR
from jaxgibbs.linalg.exponential_family import Blocks, Scalar, spectrum_of, split, trace_product
from jaxgibbs.linalg.functions import SIGN, cumulant
from jaxgibbs.linalg.hermitian import Decomposition
from jaxgibbs.linalg.levels import degeneracy_tolerance
from jaxgibbs.operators import Bosons, Fermions

from .modes import BosonSpectrum, FermionSpectrum, exponent
from .state import renyi


@dataclasses.dataclass(frozen=True)
class Statistics:
    """What the modes are.

    Attributes:
        bosonic: bosons, else fermions.
        mirrored: every mode appears twice, as `+e` and `-e`, as in a matrix with pairing: sums are halved.
    """

    bosonic: bool
    mirrored: bool

    @property
    def weight(self) -> float:
        return 0.5 if self.mirrored else 1.0


def exponents(beta: Scalar, blocks: Blocks) -> list:
    """`beta e_k` by blocks, constants for differentiation; finite stand-ins at `beta = +-inf`, 0 for a zero mode."""
    energies = _snapped(beta, spectrum_of(blocks))
    return split(jax.lax.stop_gradient(jnp.clip(exponent(beta, energies), -FAR, FAR)), blocks)


def exponent_of(beta: Scalar, block: Decomposition):
    """`beta M`, of which `chain` uses the tangent only: NaN at infinite `beta`."""
    return jnp.where(jnp.isinf(beta), jnp.nan, beta) * block.matrix


def occupation_matrices(statistics: Statistics, beta: Scalar, blocks: Blocks, order: int = 1) -> tuple:
    """The blocks of `phi_order(beta M)`; order 1 is the matrix of occupations, `<c_j^+ c_i>` at `i, j`."""
    function = cumulant(order, bosonic=statistics.bosonic)
    return tuple(
        chain(function, (0,), exponent_of(beta, b), x, b.vectors)
        for b, x in zip(blocks, exponents(beta, blocks), strict=True)
    )


def sign_matrices(blocks: Blocks) -> tuple:
    """The blocks of `sign(M)`."""
    return tuple(chain(SIGN, (0,), b.matrix, jax.lax.stop_gradient(b.eigenvalues), b.vectors) for b in blocks)


def _snapped(beta, energies):
    """At infinite `beta` an eigenvalue that is zero up to rounding is a zero mode."""
    zero = jnp.isinf(beta) & (jnp.abs(energies) <= degeneracy_tolerance(energies))
    return jnp.where(zero, 0, energies)


def of_modes(statistics: Statistics, beta, energies):
    """The closed forms for these modes; the sums are twice as large if mirrored."""
    if statistics.bosonic:
        return BosonSpectrum(Bosons(jnp.abs(energies) if statistics.mirrored else energies))
    return FermionSpectrum(Fermions(_snapped(beta, energies)))


def _with_vectors(blocks: Blocks) -> Blocks:
    return tuple(block.with_eigenvectors() for block in blocks)


def _quantity(value, slope, moments):
    """A function of `(statistics, beta, blocks)` from its value and its derivatives.

    `value(statistics, beta, energies)` is a sum over modes. `slope(statistics, beta, blocks)` is the derivative in `beta`.
    `moments(statistics, beta)` gives triples `(c, p, k)`: the derivative along `dM` is `sum c Tr(M^p phi_k(beta M) dM)`.
    """
    evaluate = jax.jit(
        lambda statistics, beta, energies: statistics.weight * value(statistics, beta, energies), static_argnums=0
    )

    @functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
    def quantity(statistics, beta, blocks):
        return evaluate(statistics, beta, spectrum_of(blocks))

    def rule(statistics, primals, tangents):
        (beta, blocks), (d_beta, d_blocks) = primals, tangents
        out = quantity(statistics, beta, blocks)
        total = jnp.zeros_like(out)
        if not isinstance(d_beta, SymbolicZero):
            total = total + d_beta * slope(statistics, beta, blocks)
        if any(not isinstance(d.matrix, SymbolicZero) for d in d_blocks):
            full = _with_vectors(blocks)
            for c, power, order in moments(beta):
                for phi, b, d in zip(occupation_matrices(statistics, beta, full, order), full, d_blocks, strict=True):
                    if not isinstance(d.matrix, SymbolicZero):
                        weighted = functools.reduce(matmul, [b.matrix] * power, phi)
                        total = total + statistics.weight * c * trace_product(weighted, d.matrix)
        return out, total * jnp.where(jnp.isinf(beta), jnp.nan, 1)

    quantity.defjvp(rule, symbolic_zeros=True)
    return quantity


@functools.cache
def _cumulants(order: int):
    """`sum_k e_k^order phi_order(beta e_k)`, the cumulants of the energy."""

    def value(statistics, beta, energies):
        function = cumulant(order, bosonic=statistics.bosonic).value
        x = jnp.clip(exponent(beta, _snapped(beta, energies)), -FAR, FAR)
        return jnp.sum(energies**order * function(x))

    def slope(statistics, beta, blocks):
        return -energy_cumulant(order + 1, statistics, beta, blocks)

    return _quantity(value, slope, lambda beta: [(order, order - 1, order), (-beta, order, order + 1)])


def energy_cumulant(order: int, statistics: Statistics, beta: Scalar, blocks: Blocks) -> Scalar:
    """Cumulants of the energy, measured from the vacuum of the modes: 1 the mean, 2 the variance."""
    return _cumulants(order)(statistics, beta, blocks)


def _heat_capacity_slope(statistics, beta, blocks):
    second, third = (energy_cumulant(order, statistics, beta, blocks) for order in (2, 3))
    return 2 * beta * second - beta**2 * third


log_partition = _quantity(
    lambda statistics, beta, energies: of_modes(statistics, beta, energies).log_partition(beta),
    lambda statistics, beta, blocks: -energy_cumulant(1, statistics, beta, blocks),
    lambda beta: [(-beta, 0, 1)],
)
"""`sum_k ln(1 + e^{-x_k})` or `-sum_k ln(1 - e^{-x_k})`."""

entropy = _quantity(
    lambda statistics, beta, energies: of_modes(statistics, beta, energies).entropy(beta),
    lambda statistics, beta, blocks: -beta * energy_cumulant(2, statistics, beta, blocks),
    lambda beta: [(-(beta**2), 1, 2)],
)
"""Von Neumann entropy."""

heat_capacity = _quantity(
    lambda statistics, beta, energies: of_modes(statistics, beta, energies).heat_capacity(beta),
    _heat_capacity_slope,
    lambda beta: [(2 * beta**2, 1, 2), (-(beta**3), 2, 3)],
)
"""`beta^2` times the variance of the energy."""


@jax.custom_jvp
def absolute_trace(blocks: Blocks) -> Scalar:
    """`Tr |M|`: four times the zero-point energy, for a mirrored spectrum."""
    return jnp.sum(jnp.abs(spectrum_of(blocks)))


@functools.partial(absolute_trace.defjvp, symbolic_zeros=True)
def _absolute_trace_jvp(primals, tangents):
    (blocks,), (d_blocks,) = primals, tangents
    total = jnp.zeros_like(out := absolute_trace(blocks))
    if any(not isinstance(d.matrix, SymbolicZero) for d in d_blocks):
        for sign, d in zip(sign_matrices(_with_vectors(blocks)), d_blocks, strict=True):
            if not isinstance(d.matrix, SymbolicZero):
                total = total + trace_product(sign, d.matrix)
    return out, total


def _lowest(statistics, beta, blocks):
    """The lowest energy that the modes can have together, for `beta < 0` the highest; from their vacuum."""
    if statistics.bosonic:
        return jnp.zeros_like(beta)
    trace = sum(jnp.sum(jnp.trace(b.matrix, axis1=-2, axis2=-1).real) for b in blocks)
    return statistics.weight * (trace - jnp.sign(beta) * absolute_trace(blocks)) / 2


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def renyi_entropy(statistics: Statistics, order: float, beta: Scalar, blocks: Blocks) -> Scalar:
    """Renyi entropy; its derivatives are those of `(ln Z(a beta) - a ln Z(beta)) / (1 - a)`."""
    energies = spectrum_of(blocks)
    return statistics.weight * of_modes(statistics, beta, energies).renyi_entropy(beta, order)


@renyi_entropy.defjvp
def _renyi_jvp(statistics, order, primals, tangents):
    def plain(beta, blocks):
        of_state = functools.partial(log_partition, statistics)
        if order == np.inf:  # minus the logarithm of the largest probability, that of the state of lowest energy
            return of_state(beta, blocks) + beta * _lowest(statistics, beta, blocks)
        return renyi(
            lambda b: of_state(b, blocks),
            lambda b: entropy(statistics, b, blocks),
            jnp.zeros_like(beta),
            None,
            beta,
            order,
        )

    _, tangent = jax.jvp(plain, primals, tangents)
    return renyi_entropy(statistics, order, *primals), tangent
