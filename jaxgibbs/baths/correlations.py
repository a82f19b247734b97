"""Correlation functions of bosonic baths at real and complex times, by integrals on rays in the complex plane.

    C(t) = (1 / pi) int_0^inf J(w) [(n(w) + 1) e^{-iwt} + n(w) e^{iwt}] dw,      n(w) = 1 / (e^{beta w} - 1)

For `Re t > 0` the first term falls off below the real axis and the second above it. On rays at an angle both are smooth and
fall off like an exponential, so a double-exponential rule converges for every time; poles of `J` that a ray passes give residues.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from jaxgibbs._errors import is_concrete, nan_unless

from .quadrature import half_line


def ray_integral(
    density: Callable[[Complex[Array, "*shape"]], Complex[Array, "*shape"]],
    beta: Float[Array, ""],
    time: Complex[Array, "*shape"],
    scale: Float[Array, ""],
    angle: Float[Array, "*shape"] | float,
) -> Complex[Array, "*shape"]:
    """`C(t)` for `Re t >= 0` without the residues of poles between the rays and the real axis.

    Args:
        density: `J`, analytic from the rays to the real axis, `J(w^*) = J(w)^*`.
        beta: positive or infinite.
        time: with imaginary part from `-beta` to 0.
        scale: a frequency on which `J` changes.
        angle: of the rays with the real axis, one for all times or one each.
    """
    nodes, weights = half_line(time.real.dtype)
    span = scale / (1 + scale * jnp.abs(time.real))
    t = time[..., None]
    turn = jnp.exp(-1j * jnp.asarray(angle, nodes.dtype))[..., None]
    below = span[..., None] * nodes * turn
    above = jnp.conj(below)
    out = turn * density(below) * raised_by(below, beta) * jnp.exp(-1j * below * t)
    back = jnp.conj(turn) * density(above) * lowered_by(above, beta, 1j * t)
    return jnp.sum(span[..., None] * weights * (out + back), axis=-1) / jnp.pi


def raised_by(frequency, beta):
    """`n(w) + 1` for complex `w` with positive real part."""
    cold = jnp.isinf(beta)
    return jnp.where(cold, 1, 1 / -jnp.expm1(-jnp.where(cold, 1, beta) * frequency))


def lowered_by(frequency, beta, exponent):
    """`n(w) e^{s w}` for `Re s <= beta`, without an overflow on the way."""
    cold = jnp.isinf(beta)
    beta = jnp.where(cold, 1, beta)
    return jnp.where(cold, 0, jnp.exp((exponent - beta) * frequency) / -jnp.expm1(-beta * frequency))


def in_the_strip(evaluate, beta, time) -> Complex[Array, "*shape"]:
    """`evaluate` at times of positive real part, and `C(t) = C(-t^*)^*` for the others.

    Raises:
        ValueError: if an imaginary part is not between `-beta` and 0, where `C` is analytic (NaN under a trace).
    """
    time = jnp.asarray(time)
    dtype = jnp.result_type(time, beta, complex)
    time = time.astype(dtype)
    inside = (time.imag <= jnp.maximum(-beta, 0)) & (time.imag >= jnp.minimum(-beta, 0))
    if is_concrete(inside) and not jnp.all(inside):
        raise ValueError(
            f"`time` must have an imaginary part from -beta = {-beta} to 0, where C(t) is analytic, but is {time}."
        )
    late = time.real >= 0
    value = evaluate(jnp.where(late, time, -jnp.conj(time)))
    return nan_unless(inside, jnp.where(late, value, jnp.conj(value)))
