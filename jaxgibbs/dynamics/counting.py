"""Full counting statistics: all cumulants of what the jumps of an open system exchange, per unit of time."""

import math
from collections.abc import Hashable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxgibbs import linalg
from jaxgibbs._errors import check_finite
from jaxgibbs.equilibrium import Auto
from jaxgibbs.linalg import matmul
from jaxgibbs.open_systems import AbstractGenerator, Dense, Krylov, Lindbladian, steady_state
from jaxgibbs.open_systems.hermitian_space import as_hermitian, as_real
from jaxgibbs.open_systems.steady_methods import choose
from jaxgibbs.open_systems.steady_state import shifted_solver
from jaxgibbs.operators.base import inexact, real_scalar
from jaxgibbs.operators.local import whole_number

from .currents import energy_operator
from .tilted import AbstractCounting, dominant_eigenvalue

Method = Dense | Krylov | Auto
Scalar = Float[Array, ""]


class CountedJumps(AbstractCounting):
    """Each jump `k` of a Lindbladian transfers `q_k`: `L_chi = L + sum_k (e^{chi q_k} - 1) r_k L_k . L_k^dagger`.

    Args:
        generator: its jump operators, in the order in which they were given.
        quanta: the `q_k`, of either sign, 0 for what is not counted, shape `(count,)`.

    Raises:
        ValueError: if there is not one finite quantum for each jump operator.
    """

    generator: Lindbladian
    quanta: Float[Array, " count"]

    def __init__(self, generator: Lindbladian, quanta: ArrayLike):
        self.generator, self.quanta = generator, inexact(quanta)
        count = len(generator.bath_of_jump)
        if self.quanta.shape != (count,):
            raise ValueError(
                f"`quanta` must have one number for each of the {count} jump operators, but has shape {self.quanta.shape}."
            )
        check_finite("quanta", self.quanta)

    def tilted_jump_map(self, chi):
        return self._weighted(jnp.exp(chi * self.quanta)).jump_map()

    def adjoint_tilted_jump_map(self, chi):
        return self._weighted(jnp.exp(chi * self.quanta)).adjoint_jump_map()

    def moments(self, x, highest):
        powers = jnp.stack([self.quanta**order for order in range(1, highest + 1)])
        return jax.vmap(lambda factors: self._weighted(factors).jump_map()(x))(powers)

    def _weighted(self, factors):
        """The generator with other rates, not checked: they may be negative."""
        rates = self.generator.rates
        return eqx.tree_at(lambda g: g.rates, self.generator, rates * factors.astype(rates.dtype))


class CountedHeat(AbstractCounting):
    """The energy drawn from baths, each with its weight: `J_chi(rho) = sum_a e^{chi_a H} . J_a(e^{-chi_a H} . rho)`.

    Here `e^{x H} . rho = e^{x H / 2} rho e^{x H / 2}` and `chi_a = chi w_a`: a jump by which bath `a` lowers the energy of the
    system by `w` gets the factor `e^{-chi_a w}`. The first cumulant is `sum_a w_a Tr(H D_a(rho))`.

    Args:
        generator: say of `davies`, or a Lindbladian with labels of baths.
        bath: one of `generator.baths`, whose weight is 1 and that of the others 0.
        hamiltonian: an operator or a Hermitian matrix, what is counted instead of the energy, say a number of particles.
        weights: instead of `bath`, one for each of `generator.baths`: `-betas` counts the entropy that is produced; the `chi_a`
            themselves, with `chi = 1`, give the generating function of all heats together.

    Raises:
        ValueError: if the generator has no such bath, or `hamiltonian` has another dimension, or not one of `bath` and `weights`
            is given, or these are not one finite number for each bath.
    """

    generator: AbstractGenerator
    charge: Complex[Array, "dim dim"]
    weights: Float[Array, " baths"]
    bath: Hashable = eqx.field(static=True)

    def __init__(
        self,
        generator: AbstractGenerator,
        bath: Hashable | None = None,
        hamiltonian: Any = None,
        *,
        weights: ArrayLike | None = None,
    ):
        generator.check_bath(bath)
        if (bath is None) == (weights is None):
            raise ValueError("Either `bath` or `weights` must be given, but neither or both are.")
        self.generator, self.bath = generator, bath
        self.charge = energy_operator(generator, hamiltonian).astype(generator.dtype)
        count, real = len(generator.baths), self.charge.real.dtype
        self.weights = jnp.ones(count, real) if weights is None else inexact(weights).astype(real)
        if self.weights.shape != (count,):
            raise ValueError(
                f"`weights` must be one number for each of the {count} baths, but have shape {self.weights.shape}."
            )
        check_finite("weights", self.weights)

    def tilted_jump_map(self, chi):
        parts = [self._tilted(chi * w, self.generator.jump_map(bath)) for bath, w in self._counted()]
        return _sum(parts + self._others(lambda bath: self.generator.jump_map(bath)))

    def adjoint_tilted_jump_map(self, chi):
        # the factors around a jump of the adjoint are those of the opposite field
        parts = [self._tilted(-chi * w, self.generator.adjoint_jump_map(bath)) for bath, w in self._counted()]
        return _sum(parts + self._others(lambda bath: self.generator.adjoint_jump_map(bath)))

    def moments(self, x, highest):
        """By commutators with `A: X -> (H X + X H) / 2`, `D_m = [A, D_(m-1)]`, from a table of all `D_m A^j X`."""
        charge = self._centred()

        def anticommuted(x):
            return (matmul(charge, x) + matmul(x, charge)) / 2

        def next_order(table, _):
            table = jax.vmap(anticommuted)(table) - jnp.roll(table, -1, axis=0)  # each time one more row is meaningless
            return table, table[0]

        _, powers = jax.lax.scan(lambda y, _: (anticommuted(y), y), x, length=highest + 1)
        exponents = jnp.arange(1, highest + 1)[:, None, None]

        def part(weight, jump):
            images = jax.lax.scan(next_order, jax.vmap(jump)(powers), length=highest)[1]
            return weight**exponents * images

        return sum(part(w, self.generator.jump_map(bath)) for bath, w in self._counted())

    def _counted(self):
        return [(b, w) for b, w in zip(self.generator.baths, self.weights, strict=True) if self.bath in (None, b)]

    def _others(self, of_bath):
        return [of_bath(b) for b in self.generator.baths if self.bath not in (None, b)]

    def _centred(self):
        """Energies measured from their mean, which cancels: the exponentials stay near 1."""
        dim = self.generator.dim
        return self.charge - jnp.trace(self.charge) / dim * jnp.eye(dim, dtype=self.charge.dtype)

    def _tilted(self, chi, jump):
        half = chi / 2 * self._centred()
        up, down = linalg.exp(half), linalg.exp(-half)
        return lambda x: matmul(matmul(up, jump(matmul(matmul(down, x), down))), up)


def _sum(maps):
    return lambda x: sum((part(x) for part in maps[1:]), maps[0](x))


def cumulant_generating_function(counting: AbstractCounting, chi: ArrayLike, *, method: Method = Auto()) -> Scalar:
    """`lambda(chi) = lim ln <e^{chi Q(t)}> / t`, the dominant eigenvalue of the tilted generator, which is real.

    Its derivatives are those of the eigenpair, from a shifted linear equation: of any order, in `chi` and in parameters, where
    the eigenvalue is simple. NaN where an iteration fails. Rounding is that of the tilted generator, `eps ||L_chi||`: large where
    `e^{chi q}` is.

    Args:
        counting: what is counted.
        chi: the counting field, real, in units of 1 / quantum.
        method: `Dense()`, a general eigensolver for CPUs that holds `6 dim^4` complex numbers, or `Krylov()`, without a matrix
            of the generator, whose `max_steps` are those of each linear solve. `Auto()` is the first up to dimension 16.

    Raises:
        ValueError: if `chi` is no finite real scalar, or `method` is none of these.

    Reference: Esposito, Harbola & Mukamel, Rev. Mod. Phys. 81, 1665 (2009).
    """
    real = jnp.finfo(counting.generator.dtype).dtype
    return _dominant(_prepared(counting), real_scalar("chi", chi).astype(real), _chosen(method, counting))


_dominant = eqx.filter_jit(dominant_eigenvalue)


def cumulants(counting: AbstractCounting, order: int = 2, *, method: Method = Auto()) -> Float[Array, " order"]:
    """The cumulants `c_n = d^n lambda / d chi^n` at `chi = 0`: mean current, noise, ... per unit of time.

        L_0 rho_n = -sum_{m=1}^n binom(n, m) (L_m - c_m) rho_{n-m},    c_n = sum_{m=1}^n binom(n, m) Tr(L_m rho_{n-m})

    with `L_m` the derivatives of the tilted generator and `Tr rho_n = 0`: linear solves, no eigenvalue is computed.

    Args:
        counting: what is counted; its generator has one steady state.
        order: the highest one, at least 1.
        method: of the solves, as for `cumulant_generating_function`.

    Returns:
        `c_1 ... c_order`; NaN where an iteration fails.

    Raises:
        ValueError: if `order` is no whole number of at least 1, or `method` is none of these.
        RuntimeError: if the steady state is not unique, say for want of counting within one sector (NaN under a trace).

    Reference: Flindt, Novotny, Braggio & Jauho, Phys. Rev. B 82, 155407 (2010).
    """
    order = whole_number("order", order)
    method, counting = _chosen(method, counting), _prepared(counting)
    return _recursion(counting, as_real(steady_state(counting.generator, method).value), order, method)


def gallavotti_cohen_defect(
    counting: AbstractCounting, affinity: ArrayLike, chi: ArrayLike, *, method: Method = Auto()
) -> Scalar:
    """`lambda(chi) - lambda(-chi - A)`, 0 where `P(Q) / P(-Q) = e^{A Q}` at long times.

    For the heat from bath `h` of two, `A = beta_c - beta_h`; for the entropy produced, weights `-betas`, `A = 1`. It holds for
    rates that obey the KMS condition and Hamiltonians with a time reversal: a defect says that one of these fails.

    Args:
        counting: what is counted.
        affinity: `A`, in units of 1 / quantum.
        chi: the counting field.
        method: as for `cumulant_generating_function`.

    References: Gallavotti & Cohen, Phys. Rev. Lett. 74, 2694 (1995); Lebowitz & Spohn, J. Stat. Phys. 95, 333 (1999).
    """
    affinity, chi = real_scalar("affinity", affinity), real_scalar("chi", chi)
    pair = jnp.stack([chi, -chi - affinity])
    values = jax.vmap(lambda x: cumulant_generating_function(counting, x, method=method))(pair)
    return values[0] - values[1]


def uncertainty_ratio(counting: AbstractCounting, entropy_production: ArrayLike, *, method: Method = Auto()) -> Scalar:
    """`c_2 sigma / c_1^2`, at least 2 for classical Markov jumps: the thermodynamic uncertainty relation.

    Coherence may break the bound; where populations and coherences decouple, as for `davies` without degeneracies, it holds. In
    equilibrium, where nothing flows, the ratio is one of two zeros: 2 in the limit, rounding at it.

    Args:
        counting: what is counted, a current that is odd under time reversal.
        entropy_production: `sigma`, per unit of time in the steady state, say `-jnp.dot(betas, heat_currents(generator, rho))`.
        method: as for `cumulant_generating_function`.

    References: Barato & Seifert, Phys. Rev. Lett. 114, 158101 (2015); Gingrich et al., Phys. Rev. Lett. 116, 120601 (2016).
    """
    production = real_scalar("entropy_production", entropy_production)
    mean, noise = cumulants(counting, 2, method=method)
    return noise * production.astype(noise.dtype) / mean**2


def _prepared(counting: AbstractCounting) -> AbstractCounting:
    """The same, with rates of baths as arrays, which programs need not compute."""
    return eqx.tree_at(lambda c: c.generator, counting, counting.generator.prepared())


def _chosen(method: Method, counting: AbstractCounting) -> Dense | Krylov:
    chosen = choose(method, counting.generator)
    if not isinstance(chosen, Dense | Krylov):
        raise ValueError(f"`method` must be `Auto()`, `Dense()` or `Krylov()`, but is {method!r}.")
    return chosen


@eqx.filter_jit
def _recursion(counting, state, order, method):
    solve = shifted_solver(method, counting.generator)
    binomials = np.array([[math.comb(n, m) for m in range(1, order + 1)] for n in range(1, order + 1)], state.dtype)
    # of the step `n` the weight of what the `m`th derivative makes of the state `k`, with `k + m = n`
    meet = np.add.outer(np.arange(order), np.arange(1, order + 1)) == np.arange(1, order + 1)[:, None, None]
    weights = jnp.asarray(meet * binomials[:, None, :])

    def step(carry, inputs):
        states, images, found = carry
        n, weights = inputs
        images = images.at[n - 1].set(jax.vmap(as_real)(counting.moments(as_hermitian(states[n - 1]), order)))
        total = jnp.einsum("km,kmij->ij", weights, images, precision="highest")
        found = found.at[n - 1].set(jnp.trace(total))

        def advance(states):
            shift = jnp.einsum("km,m,kij->ij", weights, found, states, precision="highest")
            new = solve(shift - total)
            return states.at[n].set(new - jnp.trace(new) * state)

        return (jax.lax.cond(n < order, advance, lambda states: states, states), images, found), None

    states = jnp.zeros((order, *state.shape), state.dtype).at[0].set(state)
    begin = states, jnp.zeros((order, *states.shape), state.dtype), jnp.zeros(order, state.dtype)
    return jax.lax.scan(step, begin, (jnp.arange(1, order + 1), weights))[0][2]
