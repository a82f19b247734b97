"""Correlations in time of a steady state by the regression theorem: what decays after a kick is what decays after a fluctuation."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex

from jaxgibbs._errors import is_concrete
from jaxgibbs.dynamics import AbstractEvolution, evolve
from jaxgibbs.dynamics.evolve import checked_times
from jaxgibbs.equilibrium import Auto
from jaxgibbs.linalg import dagger, matmul
from jaxgibbs.open_systems import AbstractGenerator
from jaxgibbs.operators.base import real_scalar

from ._resolvent import checked_generator, one_sided, steady, without_mean
from ._thermal import operator_matrix


def steady_correlation(
    generator: AbstractGenerator,
    a: Any,
    b: Any,
    times: ArrayLike,
    *,
    c: Any = None,
    method: AbstractEvolution | Auto = Auto(),
) -> Complex[Array, " times"]:
    """`<C A(t) B> = Tr[A e^{Lt}(B rho C)]` in the steady state of a generator, `B` and `C` at time 0.

    For times before 0 stationarity gives `<A(-t) B> = <B^dagger(t) A^dagger>^*`.

    Args:
        generator: with one steady state, of dimension `dim`.
        a: `A`, an operator or any matrix of shape `(dim, dim)`.
        b: `B`, likewise.
        times: ascending from 0 or later, shape `(times,)`.
        c: `C`, likewise; the identity if not given.
        method: of `evolve`.

    Raises:
        ValueError: if `times` do not ascend or one is negative (NaN under a trace), or a shape is wrong.
        RuntimeError: on a numerical failure, or if there are several steady states.

    Reference: Lax, Phys. Rev. 129, 2342 (1963).
    """
    if not isinstance(generator, AbstractGenerator):
        raise ValueError(f"`generator` must be a generator such as `Lindbladian`, but is `{type(generator).__name__}`.")
    a, b = (operator_matrix(name, x, generator.dim).astype(generator.dtype) for name, x in (("a", a), ("b", b)))
    times = checked_times(times)
    start = matmul(b, steady(generator))
    if c is not None:
        start = matmul(start, operator_matrix("c", c, generator.dim).astype(generator.dtype))
    if not (is_concrete(times) and np.asarray(times)[0] == 0):
        times = jnp.concatenate([jnp.zeros(1, times.dtype), times])
        first = 1
    else:
        first = 0
    parts = ((start + dagger(start)) / 2, (start - dagger(start)) / 2j)  # `evolve` takes Hermitian matrices
    real, imaginary = (evolve(generator, part, times, method=method).value[first:] for part in parts)
    return jnp.einsum("ij,tji->t", a, real + 1j * imaginary, precision="highest")


def steady_spectrum(generator: AbstractGenerator, a: Any, b: Any, frequency: ArrayLike) -> Complex[Array, ""]:
    """`S_AB(w) = int e^{iwt} (<A(t) B> - <A><B>) dt` in the steady state of a generator, by two linear solves.

        -Tr[A (L + iw)^-1 (B rho - <B> rho)] - Tr[B (L - iw)^-1 (rho A - <A> rho)]

    Lines have the widths that the baths give them. Even for a thermal generator they obey `S_BA(-w) = e^{-beta w} S_AB(w)` at
    their peaks alone: near a peak at `W` the two sides are in the ratio `e^{-beta W}`, since regression knows no memory of the
    baths (Talkner, Ann. Phys. 167, 390 (1986)). Many frequencies: `jax.vmap`; each costs `dim^6`.

    Args:
        generator: with one steady state, of a dimension up to 32.
        a: `A`, an operator or any matrix of shape `(dim, dim)`.
        b: `B`, likewise.
        frequency: `w`, in the unit of the Hamiltonian.

    Raises:
        ValueError: if a shape is wrong or the dimension is larger.
        RuntimeError: if there are several steady states.

    Reference: Lax, Phys. Rev. 129, 2342 (1963).
    """
    rho, a, b, w = _prepared(generator, a, b, frequency)
    return _spectrum(generator, rho, a, b, w)


@eqx.filter_jit
def _spectrum(generator, rho, a, b, w):
    forth = one_sided(generator, without_mean(matmul(b, rho), rho), w)
    back = one_sided(generator, without_mean(matmul(rho, a), rho), -w)
    return _traced(a, forth) + _traced(b, back)


def steady_susceptibility(generator: AbstractGenerator, a: Any, b: Any, frequency: ArrayLike) -> Complex[Array, ""]:
    """The response of `<A>` to `H - f e^{-iwt} B` in the steady state, `chi_AB(w) = -i Tr[A (L + iw)^-1 [B, rho]]`.

    The baths are what they are: jump operators and rates do not follow the perturbation. At `w = 0` this is `d<A>/df` of the
    steady state. Arguments and errors as for `steady_spectrum`.

    Reference: Kubo, J. Phys. Soc. Jpn. 12, 570 (1957).
    """
    rho, a, b, w = _prepared(generator, a, b, frequency)
    return _response(generator, rho, a, b, w)


@eqx.filter_jit
def _response(generator, rho, a, b, w):
    return 1j * _traced(a, one_sided(generator, matmul(b, rho) - matmul(rho, b), w))


def _prepared(generator, a, b, frequency):
    checked_generator(generator)
    a, b = (operator_matrix(name, x, generator.dim).astype(generator.dtype) for name, x in (("a", a), ("b", b)))
    return steady(generator), a, b, real_scalar("frequency", frequency, jnp.finfo(generator.dtype).dtype)


def _traced(a, x):
    return jnp.sum(a * x.T)
