"""The mean force of a large bath: the trace over the bath by random vectors of the bath, products with vectors alone.

For a random vector `|r>` of the bath, with mean `|r><r| = 1`, and a basis `|i>` of the system

    <i|Tr_B e^{-beta H}|j> = mean of <v_i|v_j>,      |v_i> = e^{-beta H / 2} |i>|r>,

a positive matrix for every sample, and `Z_B` is the mean of `<u|u>`, `|u> = e^{-beta H_B / 2} |r>`. The same vectors serve for
both: in the ratio most of their noise cancels, all of it where the coupling vanishes.
"""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from jaxgibbs._errors import is_concrete
from jaxgibbs._solution import RESULTS, Solution, conclude, has_failed
from jaxgibbs.equilibrium.sampling import bounded
from jaxgibbs.linalg import Decomposition, decompose, matrix_function, random_phases
from jaxgibbs.linalg.chebyshev import Bounds, exp_product, needed_order
from jaxgibbs.linalg.functions import LOGARITHM
from jaxgibbs.linalg.traces import jackknife
from jaxgibbs.operators import as_operator
from jaxgibbs.operators.local import whole_number

from ._inputs import positive_beta
from .mean_force import MeanForce, checked_dimensions, singular_state

_GROWTH = 8.0  # exponent of the growth of rounding in a piece


class BathProbes(eqx.Module):
    """How `sampled_mean_force` takes the trace over the bath.

    Args:
        probes: number of random vectors of the bath; errors fall as `1 / sqrt(probes)`, and with the size of the bath.
        order: degree of the Chebyshev polynomials; by default what rounding asks for, chosen outside `jit`: it grows as the square
            root of `beta` times the width of the spectrum.
        pieces: number of equal factors of `e^{-beta H / 2}`, each a polynomial. Rounding grows as `e^{beta d / 2 pieces}`, with `d`
            the distance of the lowest energy from the bound of it that is known, about 1 % of the width of the spectrum. By
            default chosen outside `jit`, and 1 inside.
        distribution: `linalg.random_phases`, `linalg.random_sphere`, or `linalg.unit_vectors`, with which as many probes as
            the bath has dimensions give the exact trace.
        key: PRNG key; change it for another sample.

    Raises:
        ValueError: if a number is not whole and positive.
    """

    probes: int = eqx.field(static=True, default=16)
    order: int | None = eqx.field(static=True, default=None)
    pieces: int | None = eqx.field(static=True, default=None)
    distribution: Callable = eqx.field(static=True, default=random_phases)
    key: Array = eqx.field(default_factory=lambda: jax.random.key(0))

    def __check_init__(self):
        whole_number("probes", self.probes)
        for name, number in (("order", self.order), ("pieces", self.pieces)):
            if number is not None:
                whole_number(name, number)


def sampled_mean_force(
    hamiltonian, bath_hamiltonian, beta: ArrayLike, *, method: BathProbes | None = None, throw: bool = True
) -> Solution:
    """`mean_force` of a system with a bath of any size that fits into memory as a vector, with standard errors.

    The numbers are deterministic functions of the operators and the key, differentiable in all couplings and in `beta`.

    Args:
        hamiltonian: `H` of system and bath, the system the left-most factor; an operator whose products with vectors are
            cheap, such as `PauliSum` or `LocalSum`, or a matrix.
        bath_hamiltonian: `H_B`, likewise.
        beta: inverse temperature, positive and finite (1 / energy).
        method: `BathProbes()` by default.
        throw: whether polynomials of too small an order raise.

    Returns:
        `Solution` whose `value` is a `MeanForce`, with `error` what the polynomials and rounding leave out, and whose `error` is
        another, of standard errors by the jackknife over probes (NaN for one probe). `RESULTS.order_too_small` where `order` or
        `pieces` may change the answer by more than 1e-3; `stats` has the `order` and the `pieces`.

    Raises:
        ValueError: if the dimensions do not divide, `beta` is not positive and finite, under a trace no `order` is given, or the
            reduced state is singular to rounding (under a trace `hamiltonian` is NaN).
        RuntimeError: if `order` or `pieces` are too small (NaN under a trace).

    Reference: Hutchinson, Commun. Stat. Simul. Comput. 19, 433 (1990); Tal-Ezer & Kosloff, J. Chem. Phys. 81, 3967 (1984).
    """
    method = BathProbes() if method is None else method
    whole, bath, beta = as_operator(hamiltonian), as_operator(bath_hamiltonian), positive_beta(beta)
    checked_dimensions(whole.dim, bath.dim)
    bounds, grounds = zip(*(bounded(operator, method.key) for operator in (whole, bath)), strict=True)
    order, pieces = method.order, method.pieces
    if pieces is None:
        pieces = 1
        if is_concrete(beta, bounds):
            growth = max(float(beta * (ground - each.lowest)) / 2 for each, ground in zip(bounds, grounds, strict=True))
            pieces = max(math.ceil(growth / _GROWTH), 1)
    if order is None:
        if not is_concrete(beta, bounds):
            raise ValueError(
                "`order` of `BathProbes` must be given under a trace, where it cannot be chosen; call `sampled_mean_force` once "
                "outside `jit` and read `stats['order']`, and `stats['pieces']` too where the temperature is low."
            )
        order = max(_needed(beta / pieces, each) for each in bounds)
    solution, lowest, rounding = _sampled(whole, bath, beta, bounds, grounds, order, pieces, method)
    solution = conclude(solution, throw)
    if is_concrete(lowest) and lowest <= rounding and not has_failed(solution.result):
        raise singular_state(lowest, rounding)
    return solution


def _needed(beta, bounds: Bounds) -> int:
    width = float(bounds.highest - bounds.lowest)
    eps = float(jnp.finfo(bounds.lowest.dtype).eps)
    return max(needed_order(float(beta) * width / 4, eps), 2)


@eqx.filter_jit
def _sampled(whole, bath, beta, bounds, grounds, order: int, pieces: int, method: BathProbes):
    """The answer, the lowest population of the reduced state, and what rounding makes of it."""
    size, dtype = whole.dim // bath.dim, jnp.result_type(whole.dtype, bath.dtype)
    s = -beta.astype(jnp.finfo(dtype).dtype) / 2
    products = [operator.linear_map() for operator in (whole, bath)]
    units = jnp.eye(size, dtype=dtype)

    # energies count from about the lowest one, so that no piece makes the vectors small
    origins = [ground.astype(s.dtype) for ground in grounds]
    growth = [jnp.exp(-s / pieces * (x - each.lowest.astype(s.dtype))) for x, each in zip(origins, bounds, strict=True)]

    def thermal(k, vector):
        """`e^{s (H - origin)} v`, and the error that each piece adds."""

        def piece(vector, _):
            image, _, cut = exp_product(products[k], bounds[k], s / pieces, vector, order)
            return growth[k] * image, growth[k] * cut

        return jax.lax.scan(piece, vector.astype(dtype), length=pieces)

    def moments(k, vectors):
        """`<v_i|v_j>`, `sum <v|H|v>` and `sum <v|H^2|v>`, with `H` from its origin."""
        images = jax.vmap(products[k])(vectors) - origins[k] * vectors
        gram = jnp.einsum("ia,ja->ij", vectors.conj(), vectors, precision="highest")
        first = jnp.einsum("ia,ia->", vectors.conj(), images, precision="highest").real
        return gram, first, jnp.sum(jnp.abs(images) ** 2)

    @jax.checkpoint
    def sample(index):
        probe = method.distribution(method.key, index, bath.dim, dtype)
        both, cut = jax.vmap(lambda unit: thermal(0, jnp.kron(unit, probe)))(units)
        alone, cut_alone = thermal(1, probe)
        return moments(0, both), moments(1, alone[None]), (jnp.max(jnp.sum(cut, axis=1)), jnp.sum(cut_alone))

    eps = jnp.finfo(dtype).eps
    *samples, cuts = jax.lax.map(sample, jnp.arange(method.probes))
    # of vectors of norm `sqrt(bath.dim)`, relative to the root mean square of what comes of them
    traces = [jnp.mean(jnp.trace(gram, axis1=1, axis2=2).real) / len(gram[0]) for gram, *_ in samples]
    noises = [jnp.max(cut) + 4 * eps * pieces * g for cut, g in zip(cuts, growth, strict=True)]
    lost = jnp.max(jnp.stack([jnp.sqrt(bath.dim / z) * noise for z, noise in zip(traces, noises, strict=True)]))
    # products of two such vectors, and the rounding of their sum
    rounding = jax.lax.stop_gradient(4 * lost**2 + size * eps)

    def answer(means):
        (gram, first, second), (gram_bath, first_bath, second_bath) = means
        z, z_bath = jnp.trace(gram).real, gram_bath[0, 0].real
        offset = origins[0] - origins[1]
        log_partition = jnp.log(z / z_bath) - beta * offset
        energy = first / z - first_bath / z_bath + offset
        spread = second / z - (first / z) ** 2 - second_bath / z_bath + (first_bath / z_bath) ** 2
        state = gram / z
        d = decompose(state)
        nodes = jnp.where(d.eigenvalues[0] > rounding, d.eigenvalues, jnp.nan)
        logarithm = matrix_function(LOGARITHM, Decomposition(d.matrix, nodes, d.vectors))
        identity = jnp.eye(size, dtype=logarithm.dtype)
        force = MeanForce(
            beta=beta,
            reduced_state=state,
            hamiltonian=-(logarithm + log_partition * identity) / beta,
            log_partition=log_partition,
            energy=energy,
            entropy=log_partition + beta * energy,
            heat_capacity=beta**2 * spread,
            error=lost,
        )
        return force, jax.lax.stop_gradient(d.eigenvalues[0])

    def parts(means):
        return jax.tree_util.tree_map(lambda x: (x.real, x.imag), answer(means)[0])

    value, lowest = answer(jax.tree_util.tree_map(lambda x: jnp.mean(x, axis=0), samples))
    spreads = jackknife(parts, samples)
    error = jax.tree_util.tree_map(lambda x, pair: jnp.sqrt(pair[0] ** 2 + pair[1] ** 2), value, spreads)
    result = RESULTS.where(lost <= 1e-3, RESULTS.optimal, RESULTS.order_too_small)
    stats = {"order": jnp.asarray(order), "pieces": jnp.asarray(pieces)}
    return Solution(value, jax.lax.stop_gradient(error), result, stats), lowest, rounding
