"""The unitary of a Hamiltonian that changes in time, and the protocol run backwards."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex

from jaxgibbs._errors import is_concrete
from jaxgibbs._solution import RESULTS, Solution, conclude
from jaxgibbs.linalg import dagger, decompose, matmul, matrix_function
from jaxgibbs.linalg.functions import PHASE
from jaxgibbs.operators import AbstractOperator, as_operator
from jaxgibbs.symmetry import Antiunitary

from .evolve import checked_times

_FIRST = 64  # steps of the first attempt
_SAMPLES = 7  # times at which a protocol is compared with its image under time reversal


def evolution_operator(
    hamiltonian: Any, times: ArrayLike, *, tolerance: float | None = None, max_steps: int = 256, throw: bool = True
) -> Solution:
    """The unitaries `U(t, t_0)` with `dU / dt = -i H(t) U`, by Magnus's expansion to fourth order.

        U = prod_k e^{-i K_k},      K_k = h (H_1 + H_2) / 2 + i h^2 3^(1/2) [H_1, H_2] / 12

    with `H_1, H_2` at the two Gauss points of a step. Each factor is unitary to rounding, and the product for the protocol run
    backwards is the inverse: what holds for every unitary, such as the equality of Jarzynski, holds at any number of steps.

    Args:
        hamiltonian: a function of time that returns an operator or a Hermitian matrix; or one of these.
        times: ascending, shape `(times,)`; `U` is 1 at the first.
        tolerance: of `U` in the Frobenius norm; `eps^(5/9)` if not given.
        max_steps: the most steps between two times. They are doubled until the tolerance is met; under a trace, where nobody
            can tell, all are taken.
        throw: whether a numerical failure raises.

    Returns:
        `Solution` with shape `(times, dim, dim)` as `value`, differentiable to every order in all that the Hamiltonian holds and
        in the times. `error` is an estimate, from half as many steps; `stats` holds the `steps` between two times.

    Raises:
        ValueError: if the times do not ascend or `max_steps` is below 2.
        RuntimeError: if `max_steps` do not meet the tolerance.

    Reference: Blanes, Casas, Oteo & Ros, Phys. Rep. 470, 151 (2009), eq. 253.
    """
    times = checked_times(times)
    if not isinstance(max_steps, int) or max_steps < 2:
        raise ValueError(f"`max_steps` must be a whole number of at least 2, but is {max_steps!r}.")
    protocol, constant = as_protocol(hamiltonian)
    wanted = float(np.finfo(times.dtype).eps) ** (5 / 9) if tolerance is None else tolerance
    last = 2 if constant else max_steps // 2 * 2
    steps = min(_FIRST, last)
    while True:
        value, error = _product(protocol, times, steps)
        largest = jnp.max(error)
        if steps == last or (is_concrete(largest) and not float(largest) > wanted):
            break
        steps = min(2 * steps, last) if is_concrete(largest) else last
    result = RESULTS.where(largest <= wanted, RESULTS.optimal, RESULTS.max_steps_reached)
    result = RESULTS.where(jnp.isfinite(largest), result, RESULTS.nonfinite)
    return conclude(Solution(value, error, result, {"steps": jnp.asarray(steps)}), throw)


def as_protocol(hamiltonian: Any) -> tuple[Callable[[Array], Array], bool]:
    """A function from time to a matrix, and whether it is constant."""
    if callable(hamiltonian) and not isinstance(hamiltonian, AbstractOperator):
        return lambda t: as_operator(hamiltonian(t)).to_dense(), False
    matrix = as_operator(hamiltonian).to_dense()
    return lambda t: matrix, True


def time_reversed(
    protocol: Callable[[Array], Any],
    duration: ArrayLike,
    theta: Antiunitary | None = None,
    *,
    fields_reversed: bool = False,
) -> Callable[[Array], Array]:
    """The protocol of the backward process, `t -> Theta H(T - t) Theta^-1`, whose unitary is `Theta U^dagger Theta^-1`.

    Args:
        protocol: a function of time, from 0 to `duration`, that returns an operator or a Hermitian matrix.
        duration: `T`.
        theta: time reversal, say `symmetry.spin_time_reversal`; complex conjugation, for real matrices, if not given.
        fields_reversed: whether what is odd under `theta`, such as a magnetic field, is reversed too. Otherwise the
            Hamiltonian must be even at all times.

    Raises:
        ValueError: if `theta` acts on another dimension; or if it is no symmetry, with `fields_reversed` false, at one of several
            times at which this is looked at (not noticed under a trace).

    Reference: Campisi, Haenggi & Talkner, Rev. Mod. Phys. 83, 771 (2011), section III.
    """
    matrix, _ = as_protocol(protocol)
    dim = jax.eval_shape(matrix, jnp.asarray(duration)).shape[-1]
    v = np.eye(dim) if theta is None else theta.unitary
    if len(v) != dim:
        raise ValueError(f"`theta` must act on the space of dimension {dim}, but acts on dimension {len(v)}.")

    def image(t):
        now = jnp.conj(matrix(t))
        unitary = jnp.asarray(v, now.dtype if np.isrealobj(v) else jnp.result_type(now, jnp.complex64))
        return matmul(matmul(unitary, now.astype(unitary.dtype)), dagger(unitary))

    if not fields_reversed:
        _check_even(matrix, image, duration)
    return lambda t: image(duration - t)


def _check_even(matrix, image, duration) -> None:
    """Raise where `Theta H(t) Theta^-1` is not `H(t)`."""
    for t in np.linspace(0, 1, _SAMPLES) * duration:
        now, then = matrix(t), image(t)
        if not is_concrete(now, then):
            return
        size = np.linalg.norm(np.asarray(now))
        defect = np.linalg.norm(np.asarray(then) - np.asarray(now))
        if defect > 1e3 * np.finfo(np.asarray(now).dtype).eps * size:
            raise ValueError(
                f"`theta` must be a symmetry of the Hamiltonian at all times, but at t = {float(t):.3g} `Theta H Theta^-1` differs "
                f"from `H` by {defect / size:.1e} of its norm; pass `fields_reversed=True` to reverse what is odd, fields and "
                "fluxes, which makes the backward process of any protocol, or the time reversal that belongs to this system, "
                "such as `symmetry.spin_time_reversal` for spins."
            )


def _product(protocol, times, steps: int):
    """`U` at the times, and an estimate of its error from half as many steps."""

    def fixed(t):
        return jax.lax.stop_gradient(protocol(t))

    def advance(carry, interval):
        fine, coarse, error = carry
        start, stop = interval
        h = (stop - start) / steps

        def step(two, k):
            fine, coarse = two
            t = start + 2 * k * h
            for offset in (0, 1):
                fine = matmul(_factor(protocol, t + offset * h, h), fine)
            return (fine, matmul(_factor(fixed, *jax.lax.stop_gradient((t, 2 * h))), coarse)), None

        (fine, coarse), _ = jax.lax.scan(step, (fine, coarse), jnp.arange(steps // 2, dtype=times.dtype))
        error = jax.lax.stop_gradient(jnp.linalg.norm(fine - coarse)).astype(error.dtype) / 15
        return (fine, coarse, error), (fine, error)

    shape = jax.eval_shape(lambda t: _factor(protocol, t, t), times[0])
    one = jnp.eye(shape.shape[-1], dtype=shape.dtype)
    zero = jnp.zeros((), one.real.dtype)
    _, (moved, errors) = jax.lax.scan(advance, (one, one, zero), (times[:-1], times[1:]))
    return jnp.concatenate([one[None], moved]), jnp.concatenate([zero[None], errors])


def _factor(protocol, start, h) -> Complex[Array, "dim dim"]:
    """`e^{-iK}` of one step."""
    offset = float(np.sqrt(3) / 6)
    first, second = protocol(start + (0.5 - offset) * h), protocol(start + (0.5 + offset) * h)
    first, second = (x.astype(jnp.result_type(x, jnp.complex64)) for x in (first, second))
    commutator = matmul(first, second) - matmul(second, first)
    generator = h / 2 * (first + second) + 1j * h**2 * float(np.sqrt(3) / 12) * commutator
    return matrix_function(PHASE, decompose(-generator))
