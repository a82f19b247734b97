"""The mean force of a large bath: the trace over the bath by random vectors of the bath, products with vectors alone.

For a random vector `|r>` of the bath, with mean `|r><r| = 1`, and a basis `|i>` of the system

    <i|Tr_B e^{-beta H}|j> = mean of <v_i|v_j>,      |v_i> = e^{-beta H / 2} |i>|r>,

a positive matrix for every sample, and `Z_B` is the mean of `<u|u>`, `|u> = e^{-beta H_B / 2} |r>`. The same vectors serve for
both: in the ratio most of their noise cancels, all of it where the coupling vanishes.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from jaxgibbs._errors import is_concrete
from jaxgibbs._solution import RESULTS, Solution
from jaxgibbs.linalg import Decomposition, decompose, matrix_function, random_phases
from jaxgibbs.linalg.chebyshev import Bounds, exp_product, needed_order, spectral_bounds
from jaxgibbs.linalg.functions import LOGARITHM
from jaxgibbs.linalg.traces import jackknife
from jaxgibbs.operators import as_operator
from jaxgibbs.operators.local import whole_number

from ._inputs import positive_beta
from .mean_force import MeanForce, checked_dimensions, singular_state


class BathProbes(eqx.Module):
    """How `sampled_mean_force` takes the trace over the bath.

    Args:
        probes: number of random vectors of the bath; errors fall as `1 / sqrt(probes)`, and with the size of the bath.
        order: degree of the Chebyshev polynomials for `e^{-beta H / 2}`; by default what rounding asks for, chosen outside
            `jit`: it grows as the square root of `beta` times the width of the spectrum.
        distribution: `linalg.random_phases`, `linalg.random_sphere`, or `linalg.unit_vectors`, with which as many probes as
            the bath has dimensions give the exact trace.
        key: PRNG key; change it for another sample.

    Raises:
        ValueError: if a number is not whole and positive.
    """

    probes: int = eqx.field(static=True, default=16)
    order: int | None = eqx.field(static=True, default=None)
    distribution: Callable = eqx.field(static=True, default=random_phases)
    key: Array = eqx.field(default_factory=lambda: jax.random.key(0))

    def __check_init__(self):
        whole_number("probes", self.probes)
        if self.order is not None:
            whole_number("order", self.order)


def sampled_mean_force(hamiltonian, bath_hamiltonian, beta: ArrayLike, *, method: BathProbes | None = None) -> Solution:
    """`mean_force` of a system with a bath of any size that fits into memory as a vector, with standard errors.

    The numbers are deterministic functions of the operators and the key, differentiable in all couplings and in `beta`.

    Args:
        hamiltonian: `H` of system and bath, the system the left-most factor; an operator whose products with vectors are
            cheap, such as `PauliSum` or `LocalSum`, or a matrix.
        bath_hamiltonian: `H_B`, likewise.
        beta: inverse temperature, positive and finite (1 / energy).
        method: `BathProbes()` by default.

    Returns:
        `Solution` whose `value` is a `MeanForce`, with `error` what the polynomials leave out, and whose `error` is another, of
        standard errors by the jackknife over probes (NaN for one probe). `RESULTS.depth_too_small` where `order` may change the
        answer by more than 1e-3; `stats["order"]` is the order.

    Raises:
        ValueError: if the dimensions do not divide, `beta` is not positive and finite, under a trace no `order` is given, or the
            reduced state is singular to rounding (under a trace `hamiltonian` is NaN).

    Reference: Hutchinson, Commun. Stat. Simul. Comput. 19, 433 (1990); Tal-Ezer & Kosloff, J. Chem. Phys. 81, 3967 (1984).
    """
    method = BathProbes() if method is None else method
    whole, bath, beta = as_operator(hamiltonian), as_operator(bath_hamiltonian), positive_beta(beta)
    checked_dimensions(whole.dim, bath.dim)
    bounds = jax.lax.stop_gradient((_bounds(whole, method), _bounds(bath, method)))
    order = method.order
    if order is None:
        if not is_concrete(beta, bounds):
            raise ValueError(
                "`order` of `BathProbes` must be given under a trace, where it cannot be chosen; call `sampled_mean_force` once "
                "outside `jit` and read `stats['order']`."
            )
        order = max(_needed(beta, each) for each in bounds)
    solution, lowest, rounding = _sampled(whole, bath, beta, bounds, order, method)
    if is_concrete(lowest) and lowest <= rounding:
        raise singular_state(lowest, rounding)
    return solution


def _bounds(operator, method: BathProbes) -> Bounds:
    operator = jax.lax.stop_gradient(operator)
    start = random_phases(jax.random.fold_in(method.key, 2**31), jnp.asarray(0), operator.dim, operator.dtype)
    return _bounded(operator, start)


@eqx.filter_jit
def _bounded(operator, start) -> Bounds:
    return spectral_bounds(operator.linear_map(), start)


def _needed(beta, bounds: Bounds) -> int:
    width = float(bounds.highest - bounds.lowest)
    eps = float(jnp.finfo(bounds.lowest.dtype).eps)
    return max(needed_order(float(beta) * width / 4, eps), 2)


@eqx.filter_jit
def _sampled(whole, bath, beta, bounds, order: int, method: BathProbes):
    """The answer, the lowest population of the reduced state, and what rounding makes of it."""
    size, dtype = whole.dim // bath.dim, jnp.result_type(whole.dtype, bath.dtype)
    s = -beta.astype(jnp.finfo(dtype).dtype) / 2
    products = [operator.linear_map() for operator in (whole, bath)]
    units = jnp.eye(size, dtype=dtype)

    def thermal(k, vector):
        return exp_product(products[k], bounds[k], s, vector.astype(dtype), order)

    def moments(k, vectors):
        """`<v_i|v_j>`, `sum <v|H|v>` and `sum <v|H^2|v>`, with `H` from the lower bound of the spectrum."""
        images = jax.vmap(products[k])(vectors) - bounds[k].lowest.astype(s.dtype) * vectors
        gram = jnp.einsum("ia,ja->ij", vectors.conj(), vectors, precision="highest")
        first = jnp.einsum("ia,ia->", vectors.conj(), images, precision="highest").real
        return gram, first, jnp.sum(jnp.abs(images) ** 2)

    @jax.checkpoint
    def sample(index):
        probe = method.distribution(method.key, index, bath.dim, dtype)
        both, _, cut = jax.vmap(lambda unit: thermal(0, jnp.kron(unit, probe)))(units)
        alone, _, cut_alone = thermal(1, probe)
        lost = jnp.sqrt(bath.dim / jnp.sum(jnp.abs(alone) ** 2)) * cut_alone
        scale = jnp.sqrt(size * bath.dim / jnp.sum(jnp.abs(both) ** 2))
        lost = jnp.maximum(lost, scale * jnp.max(cut))
        return moments(0, both), moments(1, alone[None]), lost, 4 * eps * scale

    eps = jnp.finfo(dtype).eps
    *samples, lost, noise = jax.lax.map(sample, jnp.arange(method.probes))
    # products of two such vectors, and the rounding of their sum
    rounding = jax.lax.stop_gradient(4 * jnp.max(noise) ** 2 + size * eps)

    def answer(means):
        (gram, first, second), (gram_bath, first_bath, second_bath) = means
        z, z_bath = jnp.trace(gram).real, gram_bath[0, 0].real
        offset = bounds[0].lowest - bounds[1].lowest
        log_partition = jnp.log(z / z_bath) - beta * offset
        energy = first / z - first_bath / z_bath + offset
        spread = second / z - (first / z) ** 2 - second_bath / z_bath + (first_bath / z_bath) ** 2
        state = gram / z
        d = decompose(state)
        nodes = jnp.where(d.eigenvalues[0] > rounding, d.eigenvalues, jnp.nan)
        logarithm = matrix_function(LOGARITHM, Decomposition(d.matrix, nodes, d.vectors))
        identity = jnp.eye(size, dtype=logarithm.dtype)
        return MeanForce(
            beta=beta,
            reduced_state=state,
            hamiltonian=-(logarithm + log_partition * identity) / beta,
            log_partition=log_partition,
            energy=energy,
            entropy=log_partition + beta * energy,
            heat_capacity=beta**2 * spread,
            error=jnp.max(lost),
        )

    def parts(means):
        return jax.tree_util.tree_map(lambda x: (x.real, x.imag), answer(means))

    value = answer(jax.tree_util.tree_map(lambda x: jnp.mean(x, axis=0), samples))
    spreads = jackknife(parts, samples)
    error = jax.tree_util.tree_map(lambda x, pair: jnp.sqrt(pair[0] ** 2 + pair[1] ** 2), value, spreads)
    result = RESULTS.where(jnp.max(lost) <= 1e-3, RESULTS.optimal, RESULTS.depth_too_small)
    solution = Solution(value, jax.lax.stop_gradient(error), result, {"order": jnp.asarray(order)})
    return solution, jax.lax.stop_gradient(decompose(value.reduced_state).eigenvalues[0]), rounding
