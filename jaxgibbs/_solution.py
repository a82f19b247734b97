"""What a solver returns, and the one policy for verdicts and failures."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ._errors import is_concrete


class RESULTS(eqx.Enumeration):
    """How a solve ended. `RESULTS[solution.result]` is the text; `solution.result == RESULTS.optimal` compares.

    `optimal`, `boundary`, `infeasible`, `dependent` and `oscillating` are verdicts about the problem and are always returned; the
    others are failures of the numerics and go through the failure policy of `conclude`.
    """

    optimal = "Solved: the answer is finite and its residual is below the tolerance."
    boundary = (
        "The targets lie on the boundary of what states can attain: no finite multipliers exist, only a limit. "
        "`stats` holds the direction in which the multipliers diverge."
    )
    infeasible = (
        "No state has these targets. `stats` holds a certificate: a direction along which they exceed the largest "
        "value that any state can attain."
    )
    dependent = (
        "Solved, but not uniquely: some charges are linear combinations of the others and of the identity, or some "
        "parameters do not change the prediction. Multipliers returned are those of minimum norm."
    )
    oscillating = (
        "The dynamics does not settle: some coherences oscillate for ever. The answer is the average over time; `stats` holds "
        "their frequencies."
    )
    max_steps_reached = (
        "The number of steps ran out before the residual met the tolerance. Raise `max_steps` of the method, or pass "
        "an initial guess closer to the answer."
    )
    stagnated = (
        "The residual stopped falling above the tolerance: it is at the level of rounding for this problem. Use "
        "float64, centre or rescale the input, or loosen the tolerance of the method."
    )
    truncated = (
        "The answer lies where the levels kept of an infinite spectrum do not carry the trace. Keep more levels."
    )
    depth_too_small = (
        "A Krylov space of larger dimension would change the answer by more than its standard error, or than the accuracy "
        "asked for. Raise `depth` of the method, or its `deflation` for low temperatures."
    )
    order_too_small = (
        "Polynomials of a larger degree would change the answer by more than the accuracy asked for. Raise `order` of the method, "
        "and at low temperatures its `pieces`; outside `jit` both are chosen where they are left out."
    )
    probes_too_few = (
        "The standard error is above the accuracy asked for. Raise `probes` of the method, or its `deflation` for low "
        "temperatures."
    )
    not_unique = (
        "There is more than one steady state, or a mode so slow that it cannot be told from one at this precision. "
        "`open_systems.steady_states` finds them all, with the conserved quantities that choose between them."
    )
    unstable = (
        "The cycle does not settle: a deviation from its limit is as large after a period as before, so that the limit depends on "
        "the start. Let a stroke relax: couple its bath to all transitions, more strongly or for longer."
    )
    coherent = (
        "The populations do not decouple: their stationary distribution is no steady state. Use `Dense()` or `Krylov()`, or the "
        "basis in which coherences have no part."
    )
    nonfinite = (
        "The iteration met NaN or infinite numbers. Check the input for NaN, rescale it, or pass an initial guess "
        "inside the domain of the problem."
    )


_VERDICTS = np.stack(
    jax.tree_util.tree_leaves(
        (RESULTS.optimal, RESULTS.boundary, RESULTS.infeasible, RESULTS.dependent, RESULTS.oscillating)
    )
)


class Solution(eqx.Module):
    """The answer of a solver.

    Attributes:
        value: the answer, a pytree of arrays.
        error: residual bound or standard error of `value`; the solver says which.
        result: a member of `RESULTS`, one a lane under `jax.vmap`.
        stats: further arrays by name, such as the number of steps, a covariance or a certificate.
    """

    value: PyTree[Any]
    error: PyTree[Any]
    result: RESULTS
    stats: dict[str, Array]


def has_failed(result: RESULTS) -> Array:
    """Whether `result` is a numerical failure, not a verdict; a boolean array, one entry a lane."""
    (code,) = jax.tree_util.tree_leaves(result)
    xp = np if is_concrete(code) else jnp
    return ~(xp.asarray(code)[..., None] == _VERDICTS).any(-1)


def is_result(result: RESULTS, member: RESULTS) -> bool:
    """Whether a known `result` is this member; `==` between members would go to the device."""
    (code,), (wanted,) = jax.tree_util.tree_leaves(result), jax.tree_util.tree_leaves(member)
    return bool(np.asarray(code) == np.asarray(wanted))


def conclude(solution: Solution, throw: bool) -> Solution:
    """Apply the failure policy: a failed solve never returns a plausible number.

    With `throw`, a failure raises `RuntimeError` when values are at hand, and under a trace turns `value` and `error`
    into NaN, with NaN derivatives, in the failed lane only. Without `throw` the best iterate is returned with its
    code in `result`. Verdicts pass unchanged either way.

    Raises:
        RuntimeError: on a concrete failure with `throw=True`, with the text of the code.
    """
    if not throw:
        return solution
    failed = has_failed(solution.result)
    if isinstance(failed, np.ndarray | np.bool_):
        if not failed.any():
            return solution
        raise RuntimeError(
            f"{RESULTS[solution.result]} (reported error: {solution.error}) "
            "Pass `throw=False` to look at the last iterate."
        )

    def poison(leaf):
        if not eqx.is_inexact_array(leaf):
            return leaf
        # A factor, not a selection: the derivative of the failed lane becomes NaN with its value.
        lanes = failed.reshape(failed.shape + (1,) * (leaf.ndim - failed.ndim))
        return leaf * jnp.where(lanes, jnp.nan, 1).astype(leaf.dtype)

    value, error = jax.tree_util.tree_map(poison, (solution.value, solution.error))
    return Solution(value, error, solution.result, solution.stats)
