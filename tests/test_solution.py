import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgibbs._solution import RESULTS, Solution, conclude, has_failed

FAILURES = (
    "max_steps_reached",
    "stagnated",
    "truncated",
    "nonfinite",
    "depth_too_small",
    "order_too_small",
    "probes_too_few",
    "not_unique",
    "unstable",
    "coherent",
)
VERDICTS = ("optimal", "boundary", "infeasible", "dependent", "oscillating")


def _solution(result, value=1.0):
    return Solution(jnp.asarray(value), jnp.asarray(0.1), result, {"steps": jnp.asarray(3)})


def test_every_member_is_a_verdict_or_a_failure():
    assert len(RESULTS) == len(FAILURES) + len(VERDICTS)
    assert all(has_failed(getattr(RESULTS, name)) for name in FAILURES)
    assert not any(has_failed(getattr(RESULTS, name)) for name in VERDICTS)


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_raises_eagerly_with_its_remedy(name):
    member = getattr(RESULTS, name)
    with pytest.raises(RuntimeError, match="throw=False") as caught:
        conclude(_solution(member), throw=True)
    assert RESULTS[member] in str(caught.value)
    assert conclude(_solution(member), throw=False).value == 1.0


@pytest.mark.parametrize("name", VERDICTS)
def test_a_verdict_is_returned(name):
    solution = conclude(_solution(getattr(RESULTS, name)), throw=True)
    assert solution.value == 1.0
    assert solution.result == getattr(RESULTS, name)


def _solve(x):
    result = RESULTS.where(x > 2, RESULTS.max_steps_reached, RESULTS.optimal)
    return conclude(_solution(result, x**2), throw=True)


def test_under_a_trace_only_the_failed_lane_is_nan():
    solution = jax.vmap(_solve)(jnp.arange(1.0, 5.0))
    np.testing.assert_array_equal(solution.value, [1.0, 4.0, np.nan, np.nan])
    np.testing.assert_array_equal(np.isnan(solution.error), [False, False, True, True])
    assert jnp.isnan(jax.jit(_solve)(3.0).value)


def test_the_derivative_of_a_failed_lane_is_nan():
    gradient = jax.vmap(jax.grad(lambda x: _solve(x).value))(jnp.arange(1.0, 5.0))
    np.testing.assert_array_equal(gradient, [2.0, 4.0, np.nan, np.nan])


def test_integer_leaves_pass_a_failure_unchanged():
    def solve(x):
        failed = RESULTS.where(x > 0, RESULTS.nonfinite, RESULTS.optimal)
        return conclude(Solution({"count": jnp.asarray(2), "x": x}, x, failed, {}), throw=True).value

    value = jax.jit(solve)(1.0)
    assert value["count"] == 2
    assert jnp.isnan(value["x"])


def test_batched_failures_are_told_apart_on_concrete_results():
    result = jax.vmap(lambda x: RESULTS.where(x > 0, RESULTS.stagnated, RESULTS.boundary))(jnp.asarray([1.0, -1.0]))
    np.testing.assert_array_equal(has_failed(result), [True, False])
    with pytest.raises(RuntimeError, match="rounding"):
        conclude(_solution(result, [1.0, 2.0]), throw=True)
