"""The tilted generator: what is counted of the jumps, as a factor on each; and its dominant eigenvalue."""

import abc
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from jaxgibbs._errors import check_room
from jaxgibbs.linalg import eigvalsh
from jaxgibbs.linalg.bicgstab import bicgstab
from jaxgibbs.linalg.general import eig
from jaxgibbs.open_systems import AbstractGenerator, Dense, Krylov
from jaxgibbs.open_systems.hermitian_space import as_hermitian, real_map, real_superoperator
from jaxgibbs.open_systems.no_jump import NoJump, scales
from jaxgibbs.open_systems.steady_methods import uniform
from jaxgibbs.open_systems.steady_state import shifted_solver

_DEPTH = 12  # of the Krylov space in which the dominant eigenvalue is looked for
_APPROACH = 8  # by so much a shift comes nearer to what is found, round by round
_NEAR = 1e-3  # of the mean decay rate: where two rounds agree to it, Newton's iteration takes over
_ROUNDS = 8  # of either iteration


class AbstractCounting(eqx.Module):
    """A generator and what is counted of its jumps; its counting field `chi` is real."""

    generator: eqx.AbstractVar[AbstractGenerator]

    @abc.abstractmethod
    def tilted_jump_map(self, chi: Float[Array, ""]):
        """All jumps, `X -> sum_k e^{chi q_k} r_k L_k X L_k^dagger`, each with the factor of what it transfers."""

    @abc.abstractmethod
    def adjoint_tilted_jump_map(self, chi: Float[Array, ""]):
        """Its adjoint."""

    @abc.abstractmethod
    def moments(self, x: Complex[Array, "dim dim"], highest: int) -> Complex[Array, "highest dim dim"]:
        """What the derivatives of `tilted_jump_map` at `chi = 0` make of a matrix, of orders 1 to `highest`, stacked."""


class Tilted(AbstractGenerator):
    """`L_chi - value`: not trace-preserving, but all that solvers ask of a generator."""

    counting: AbstractCounting
    chi: Float[Array, ""]
    value: Float[Array, ""]

    @property
    def dim(self):
        return self.counting.generator.dim

    @property
    def dtype(self):
        return self.counting.generator.dtype

    @property
    def baths(self):
        return self.counting.generator.baths

    def hamiltonian_matrix(self):
        return self.counting.generator.hamiltonian_matrix()

    def jump_map(self, bath=None):
        del bath
        return self.counting.tilted_jump_map(self.chi)

    def adjoint_jump_map(self, bath=None):
        del bath
        return self.counting.adjoint_tilted_jump_map(self.chi)

    def decay_matrix(self, bath=None):
        matrix = self.counting.generator.decay_matrix(bath)
        return matrix + self.value * jnp.eye(self.dim, dtype=matrix.dtype)


def dominant_eigenvalue(counting: AbstractCounting, chi: Float[Array, ""], method: Dense | Krylov) -> Float[Array, ""]:
    """The eigenvalue of `L_chi` of largest real part, with derivatives of every order.

        (L_chi - lambda) X + s (1/d) Tr X = s 1/d,      Tr X(lambda) = 1

    `X` is then the eigenvector. NaN where the iteration has not found one that is positive, as that of the dominant eigenvalue
    alone is.
    """
    fixed, here = jax.lax.stop_gradient((counting, chi))
    guess = _by_iteration(fixed, here, method) if isinstance(method, Krylov) else _by_decomposition(fixed, here)
    return _attached(method, counting, chi, jax.lax.stop_gradient(guess))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _attached(method, counting, chi, value):
    """`value`, with the derivatives that the equation for `X` gives it.

    The rule contains the value as this function gives it, and solves that have derivatives: all orders are right.
    """
    del method, counting, chi
    return value


@_attached.defjvp
def _attached_jvp(method, primals, tangents):
    counting, chi, value = primals
    value = _attached(method, counting, chi, value)
    solve, source = _equation(method, counting, chi, value)
    vector = solve(source)
    _, push = jax.jvp(lambda c, x: real_map(Tilted(c, x, value))(vector), (counting, chi), tangents[:2])
    return value, jnp.trace(solve(push)) / jnp.trace(solve(vector))


def _equation(method, counting, chi, value):
    """The solver of the equation for `X`, and its right-hand side, in real form."""
    tilted = Tilted(counting, chi, value)
    rate = scales(jax.lax.stop_gradient(tilted)).rate
    return shifted_solver(method, tilted), rate * uniform(tilted)


def _by_decomposition(counting, chi):
    dim = counting.generator.dim
    check_room(
        f"All eigenvalues of a tilted generator of dimension {dim} must have room for 6 dim^4 complex numbers",
        6 * dim**4,
        counting.generator.dtype,
        "use `Krylov()`, which finds the dominant one without a matrix of the generator",
    )
    tilted = Tilted(counting, chi, jnp.zeros_like(chi))
    return jnp.max(eig(real_superoperator(tilted)).values.real).astype(chi.dtype)


def _by_iteration(counting, chi, method: Krylov):
    """Arnoldi's iteration with `(L_chi - shift)^-1`, the shift coming nearer from above, and Newton's from there.

    The largest eigenvalue of `L_chi^+(1)` bounds all growth: no eigenvalue is nearer to a shift above it than the dominant one.
    Later shifts are estimates; that the answer is dominant is seen in the end from its eigenvector.
    """
    zero = Tilted(counting, chi, jnp.zeros_like(chi))
    size = scales(zero)
    no_jump = NoJump(zero, size.rate)
    eps = jnp.finfo(chi.dtype).eps
    depth = min(_DEPTH, zero.dim**2 - 1)

    def arnoldi(carry):
        shift, last, _, start, rounds = carry
        system = no_jump.damped(shift)

        def inverse(b):
            tolerance = (eps**0.75 * jnp.linalg.norm(b)).astype(b.dtype)
            arguments = system.operator, system.product, system.inverse, b, None
            return bicgstab(*arguments, tolerance=tolerance, max_steps=method.max_steps).x

        ritz, vector = _largest_by_arnoldi(inverse, start, depth)
        value = shift + 1 / ritz
        return value + (shift - value) / _APPROACH, value, last, vector, rounds + 1

    def unclear(carry):
        _, value, last, _, rounds = carry
        return (jnp.abs(value - last) > _NEAR * size.rate) & (rounds < _ROUNDS)

    growth = eigvalsh(zero.adjoint_map()(jnp.eye(zero.dim, dtype=zero.dtype)))[-1]
    shift, far = (growth + size.rate / _APPROACH).astype(chi.dtype), jnp.asarray(jnp.inf, chi.dtype)
    _, value, *_ = jax.lax.while_loop(unclear, arnoldi, (shift, far, -far, uniform(zero), 0))

    def known(value):  # not the norm of `L_chi`, beside which any value is small where `exp(chi q)` is large
        return size.rate + jnp.abs(value)

    def newton(carry):
        value, _, steps = carry
        solve, source = _equation(method, counting, chi, value)
        vector = solve(source)
        change = -(jnp.trace(vector) - 1) / jnp.trace(solve(vector))
        return value + change, jnp.abs(change), steps + 1

    def going_on(carry):
        value, change, steps = carry
        return (change > 8 * eps * known(value)) & (steps < _ROUNDS)

    value, change, _ = jax.lax.while_loop(going_on, newton, (value, far, 0))
    solve, source = _equation(method, counting, chi, value)
    levels = eigvalsh(as_hermitian(solve(source)))
    found = (change <= eps**0.5 * known(value)) & (levels[0] >= -(eps**0.5) * levels[-1])
    return jnp.where(found, value, jnp.nan)


def _largest_by_arnoldi(product, start, depth: int):
    """The eigenvalue of largest modulus of a map whose dominant eigenvalue is real and negative, and its eigenvector."""
    shape, size = start.shape, start.size
    basis = jnp.zeros((depth + 1, size), start.dtype).at[0].set(start.ravel() / jnp.linalg.norm(start))

    def grow(basis, k):
        new = product(basis[k].reshape(shape)).ravel()
        column = jnp.zeros(depth + 1, new.dtype)
        for _ in range(2):  # the second pass removes what rounding left
            overlaps = jnp.where(jnp.arange(depth + 1) <= k, basis @ new, 0)
            new, column = new - overlaps @ basis, column + overlaps
        length = jnp.linalg.norm(new)
        # where the space is exhausted nothing is left but rounding
        length = jnp.where(length > 1e3 * jnp.finfo(new.dtype).eps * jnp.linalg.norm(column), length, 0)
        basis = basis.at[k + 1].set(jnp.where(length > 0, new / jnp.where(length > 0, length, 1), 0))
        return basis, column.at[k + 1].set(length)

    basis, columns = jax.lax.scan(grow, basis, jnp.arange(depth))
    found = eig(columns[:, :depth].T)
    place = jnp.argmin(found.values.real)
    vector = found.vectors[:, place].real @ basis[:depth]
    return found.values[place].real, vector.reshape(shape)
