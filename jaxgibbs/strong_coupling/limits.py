"""Mean forces that are known in closed form: the ultrastrong limit, independent bosons, and the dispersive qubit."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs._errors import hermitian_tolerance, is_concrete, nan_unless
from jaxgibbs.baths import AbstractBosonicBath, FiniteBath
from jaxgibbs.baths.base import real_scalar
from jaxgibbs.linalg import dagger, eigh, matmul
from jaxgibbs.linalg.undefined import one_without_slope

from ._inputs import checked_pair, positive_beta
from .mean_force import MeanForce, of_fixed


def ultrastrong(
    hamiltonian: Inexact[Array, "dim dim"], coupling: Inexact[Array, "dim dim"], beta: ArrayLike
) -> MeanForce:
    """What the mean force tends to at large coupling: `H* = sum_n P_n H_S P_n`, `P_n` the projectors on the values of `X`.

    The bath measures `X`. This holds with the counter-term `Q X^2`, or where `X^2` is a multiple of the identity (and then up to
    the constant `-Q X^2`); otherwise the bath selects the largest `|x_n|`.

    Args:
        hamiltonian: `H_S`, shape `(dim, dim)`.
        coupling: `X`, Hermitian, shape `(dim, dim)`; values closer than `64 eps max|x|` are one. Not differentiable: at a
            degeneracy the limit jumps.
        beta: inverse temperature, positive and finite.

    Raises:
        ValueError: if a matrix is not Hermitian, shapes differ or `beta` is not positive and finite.

    Example:
        >>> import jaxgibbs as jg
        >>> qubit, position = [[0.5, 0.0], [0.0, -0.5]], [[0.0, 1.0], [1.0, 0.0]]
        >>> print(jg.strong_coupling.ultrastrong(qubit, position, 1.0).reduced_state)  # fully mixed: <H_S> at fixed X is 0
        [[0.5 0. ]
         [0.  0.5]]

    Reference: Cresser & Anders, Phys. Rev. Lett. 127, 250601 (2021).
    """
    system, x = checked_pair(hamiltonian, coupling)
    values, vectors = eigh(x)
    vectors = vectors.astype(jnp.result_type(vectors, system))
    width = 64 * jnp.finfo(values.dtype).eps * jnp.max(jnp.abs(values))
    alike = jnp.abs(values[:, None] - values[None, :]) <= width
    inside = matmul(matmul(dagger(vectors), system.astype(vectors.dtype)), vectors)
    projected = matmul(matmul(vectors, jnp.where(alike, inside, 0)), dagger(vectors))
    return of_fixed((projected + dagger(projected)) / 2 * one_without_slope(x).astype(vectors.dtype), beta)


def independent_boson(
    hamiltonian: Inexact[Array, "dim dim"],
    coupling: Inexact[Array, "dim dim"],
    bath: AbstractBosonicBath | FiniteBath,
    beta: ArrayLike,
) -> MeanForce:
    """The exact mean force at any coupling where `[H_S, X] = 0`: `H* = H_S - Q X^2`, `Q` the reorganisation energy.

    Nothing depends on the temperature of the bath; with a counter-term `H* = H_S`.

    Args:
        hamiltonian: `H_S`, shape `(dim, dim)`.
        coupling: `X`, Hermitian, shape `(dim, dim)`, which commutes with `H_S`.
        bath: a continuum or finitely many modes.
        beta: inverse temperature, positive and finite.

    Raises:
        ValueError: if the matrices do not commute (NaN under a trace), are not Hermitian, or differ in shape.

    Reference: Mahan, Many-Particle Physics (2000), section 4.3.
    """
    system, x = checked_pair(hamiltonian, coupling)
    dtype = jnp.result_type(system, x)
    a, b = jax.lax.stop_gradient((system.astype(dtype), x.astype(dtype)))
    defect = jnp.linalg.norm(matmul(a, b) - matmul(b, a))
    allowed = defect <= hermitian_tolerance(dtype) * jnp.linalg.norm(a) * jnp.linalg.norm(b)
    if is_concrete(allowed) and not allowed:
        raise ValueError(
            f"`hamiltonian` and `coupling` must commute, but the norm of their commutator is {float(defect):.3g}; use "
            "`weak_coupling`, `ultrastrong` or `mean_force_of_modes`."
        )
    return of_fixed(nan_unless(allowed, system - bath.reorganisation_energy() * matmul(x, x)), beta)


def dispersive_qubit(splitting: ArrayLike, frequency: ArrayLike, shift: ArrayLike, beta: ArrayLike) -> MeanForce:
    """A qubit that changes the frequency of an oscillator, its bath: `H = (e / 2) s_z + W (n + 1/2)(1 + c s_z)`.

        H* = diag(+-e / 2 + T ln[sinh(beta W (1 +- c) / 2) / sinh(beta W / 2)])

    Its entropy is negative where the qubit makes the oscillator stiffer than it is alone.

    Args:
        splitting: `e`, an energy; index 0 is the upper state, `s_z = 1`.
        frequency: `W`, positive.
        shift: `c`, between -1 and 1.
        beta: inverse temperature, positive and finite.

    Raises:
        ValueError: if a number is out of these ranges (NaN under a trace).

    Reference: Campisi, Talkner & Haenggi, J. Phys. A 42, 392002 (2009).
    """
    beta, e = positive_beta(beta), real_scalar("splitting", splitting, signed=True)
    w, c = real_scalar("frequency", frequency, positive=True), real_scalar("shift", shift, signed=True)
    allowed = jnp.abs(c) < 1
    if is_concrete(allowed) and not allowed:
        raise ValueError(
            f"`shift` must lie between -1 and 1, but is {float(c)}: an oscillator would lose its ground state."
        )
    signs = jnp.array([1.0, -1.0], jnp.result_type(beta, w))
    frequencies = w * (1 + nan_unless(allowed, c) * signs)

    def exponents(beta):
        """`-beta H*`."""
        return -beta * (e * signs + frequencies - w) / 2 - jnp.log(
            jnp.expm1(-beta * frequencies) / jnp.expm1(-beta * w)
        )

    def log_partition(beta):
        return jax.nn.logsumexp(exponents(beta))

    levels: Float[Array, " 2"] = exponents(beta)
    rise, value = jax.grad(log_partition)(beta), log_partition(beta)
    return MeanForce(
        beta=beta,
        reduced_state=jnp.diag(jax.nn.softmax(levels)),
        hamiltonian=jnp.diag(-levels / beta),
        log_partition=value,
        energy=-rise,
        entropy=value - beta * rise,
        heat_capacity=beta**2 * jax.grad(jax.grad(log_partition))(beta),
        error=jnp.zeros_like(value),
    )
