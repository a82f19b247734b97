"""Every tail bound is compared with the tail itself, summed by mpmath to 30 digits."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jaxgibbs._errors import ContinuousSpectrum, NotTraceClass, UnboundedAbove
from jaxgibbs.operators.tails import ContinuumTail, LadderTail, LogarithmicTail, PowerTail, RotorTail, TopTail

POWERS = (0, 1, 2, 3, 4)
BETAS = (1e-3, 0.03, 0.2, 1.0, 4.0, 30.0)


def ladder(frequency, kept):
    return LadderTail(frequency, kept), lambda k: frequency * mpmath.mpf(kept + k), lambda k: 1


def power_law(scale, exponent, kept):
    def level(k):
        return scale * (mpmath.mpf(kept + 1 + k) ** mpmath.mpf(exponent) - 1)

    return PowerTail(scale, exponent, kept), level, lambda k: 1


def rotor(constant, first, step, ground, even, odd):
    def level(k):
        j = first + step * k
        return mpmath.mpf(constant) * (j * (j + 1) - ground * (ground + 1))

    def degeneracy(k):
        j = first + step * k
        return (2 * j + 1) * (odd if j % 2 else even)

    return RotorTail(constant, max(even, odd), first=first, step=step, ground=ground), level, degeneracy


CASES = {
    "ladder": ladder(0.7, 12),
    "ladder with one level": ladder(2.5, 1),
    "box": power_law(0.3, 2, 9),
    "box with one level": power_law(1.0, 2, 1),
    "linear power": power_law(0.5, 1, 20),
    "quartic well": power_law(0.2, 4 / 3, 15),
    "steep": power_law(0.1, 5.0, 3),
    "square root": power_law(1.3, 0.5, 60),
    "slow": power_law(2.0, 0.8, 5),
    "rotor": rotor(1.0, 7, 1, 0, 1, 1),
    "hydrogen molecule": rotor(0.6, 6, 1, 0, 1, 3),
    "odd only": rotor(0.4, 9, 2, 1, 0, 2),
    "even only": rotor(0.4, 2, 2, 0, 5, 0),
}


def exact_tail(level, degeneracy, beta, power):
    """The sum until its terms are below 1e-25 of it, or `None` where that takes too long."""
    with mpmath.workdps(30):
        total = mpmath.mpf(0)
        for k in range(1500):
            energy = level(k)
            term = degeneracy(k) * energy**power * mpmath.exp(-beta * energy)
            total += term
            if beta * energy > power + 2 and term < total * mpmath.mpf(10) ** -25:
                return total
    return None


@pytest.mark.parametrize("name", CASES)
def test_bound_is_above_the_tail_and_close_to_it_where_it_matters(name):
    tail, level, degeneracy = CASES[name]
    compared = 0
    for beta in BETAS:
        for power in POWERS:
            exact = exact_tail(level, degeneracy, beta, power)
            if exact is None:
                continue
            compared += 1
            bound = float(tail.bound(beta, power))
            # A bound that is exact (the ladder at power 0) may be below the sum by the rounding of exp(-x), x eps.
            rounding = 4 * np.finfo(float).eps * (1 + beta * float(level(0)))
            assert bound >= float(exact) * (1 - rounding) or float(exact) < 1e-300
            if power == 0 and 1e-300 < float(exact) < 1e-6 and "root" not in name and "slow" not in name:
                assert bound < 4 * float(exact)
    assert compared >= 10


def test_the_ladder_bound_is_the_geometric_sum():
    beta, frequency, kept = 0.4, 0.9, 13
    q = np.exp(-beta * frequency)
    np.testing.assert_allclose(LadderTail(frequency, kept).bound(beta), q**kept / (1 - q), rtol=1e-13)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("excess", [1.1, 2.0, 6.0])
def test_logarithmic_levels_against_the_zeta_function(scale, excess):
    beta, kept = (1 + excess) / scale, 40
    tail = LogarithmicTail(scale, kept)
    for power in POWERS:
        # sum_k (s ln k)^m k^-x = (-s)^m zeta^(m)(x)
        with mpmath.workdps(30):
            x = mpmath.mpf(scale) * mpmath.mpf(beta)
            total = (-mpmath.mpf(scale)) ** power * mpmath.zeta(x, derivative=power) if power else mpmath.zeta(x)
            kept_sum = mpmath.fsum((scale * mpmath.log(k)) ** power * mpmath.mpf(k) ** -x for k in range(1, kept + 1))
            exact = float(total - kept_sum)
        bound = float(tail.bound(beta, power))
        assert exact <= bound
        assert bound < 1.5 * exact or np.isinf(bound)


@pytest.mark.parametrize(("axial", "transverse", "ground"), [(1.7, 0.4, 0.0), (0.3, 0.8, 1.1), (0.5, 0.5, 0.0)])
def test_tops_against_their_levels(axial, transverse, ground):
    j, k = (x.ravel() for x in np.meshgrid(np.arange(9, 400), np.arange(-400, 401), indexing="ij"))
    j, k = j[np.abs(k) <= j], k[np.abs(k) <= j]
    distance = transverse * j * (j + 1) + (axial - transverse) * k**2 - ground
    tail = TopTail(axial, transverse, ground, 3.0, first=9)
    compared = 0
    for beta in (0.01, 0.1, 0.5, 2.0):
        for power in POWERS:
            exact = np.sum(3.0 * (2 * j + 1) * distance**power * np.exp(-beta * distance))
            bound = float(tail.bound(beta, power))
            assert bound >= exact * (1 - 1e-12)
            if power == 0 and exact < 1e-6:
                compared += 1
                assert bound < 30 * exact  # all K of a J count as the lowest
    assert compared >= 1


@pytest.mark.parametrize(
    "tail",
    [
        LadderTail(1, 5),
        TopTail(2, 3, first=4),
        PowerTail(1, 2, 5),
        PowerTail(1, 0.5, 1),
        RotorTail(2, 3, first=4),
        LogarithmicTail(2, 5),
    ],
)
@pytest.mark.parametrize("power", [0, 2])
def test_limits_and_transforms(tail, power):
    betas = jnp.array([-jnp.inf, -1.0, 0.0, 5.0, 1e6, jnp.inf, jnp.nan])
    bounds = jax.jit(lambda b: tail.bound(b, power))(betas)
    assert np.isposinf(bounds[jnp.array([0, 1, 2, 6])]).all()
    assert np.all(bounds[4:6] == 0)
    np.testing.assert_allclose(jax.vmap(lambda b: tail.bound(b, power))(betas), bounds, rtol=1e-12)
    # A verdict, not a quantity: its derivative is zero, also where the bound is infinite.
    assert np.all(jax.vmap(jax.grad(lambda b: tail.bound(b, power)))(betas) == 0)


def test_single_precision_stays_single():
    tail = LadderTail(jnp.float32(1.0), 30)
    bound = tail.bound(jnp.float32(0.5))
    assert bound.dtype == jnp.float32
    np.testing.assert_allclose(bound, np.exp(-15) / (1 - np.exp(-0.5)), rtol=1e-5)


def test_check_names_the_reason():
    for tail in (LadderTail(1, 5), PowerTail(1, 2, 5), RotorTail(1, first=4)):
        tail.check(0.1)
        for beta in (0.0, -1.0, -np.inf):
            with pytest.raises(UnboundedAbove, match="`beta` must be positive"):
                tail.check(beta)
    logarithmic = LogarithmicTail(2.0, 5)
    logarithmic.check(0.51)
    with pytest.raises(NotTraceClass, match=r"`beta_c` = 0.5"):
        logarithmic.check(0.5)
    with pytest.raises(UnboundedAbove):
        logarithmic.check(-0.5)
    for beta in (1.0, 0.0, -1.0, 1e9):
        with pytest.raises(ContinuousSpectrum, match="not trace class for any"):
            ContinuumTail().check(beta)
    with pytest.raises(UnboundedAbove):
        LadderTail(1, 5).check(jnp.array([1.0, -2.0]))


def test_check_looks_at_no_traced_value():
    tail = LadderTail(1.0, 5)

    @jax.jit
    def f(beta):
        tail.check(beta)
        return tail.bound(beta)

    assert np.isinf(f(-1.0))


def test_parameters_are_leaves_and_are_checked():
    assert len(jax.tree_util.tree_leaves(PowerTail(1, 2, 5))) == 2
    for wrong in (0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="`frequency` must be positive"):
            LadderTail(wrong, 5)
    with pytest.raises(ValueError, match="`frequency` must be a real scalar"):
        LadderTail(np.ones(2), 5)
    with pytest.raises(ValueError, match="`kept` must be a whole number"):
        LadderTail(1.0, 0)
    with pytest.raises(ValueError, match="`ground` must lie between"):
        RotorTail(1.0, first=2, ground=2)
    # Under a trace a parameter without meaning gives no bound.
    assert np.isinf(jax.jit(lambda w: LadderTail(w, 5).bound(1.0))(-1.0))
