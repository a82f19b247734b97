"""Counting statistics: closed forms of a quantum dot, fluctuation symmetry, and the currents they must repeat."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import dynamics
from jaxgibbs.baths import OhmicBath
from jaxgibbs.open_systems import Dense, Krylov, SparseLU

from .dissipative_systems import LOWERING, RAISING, SX, SZ

CHARGE = [1.0, 0.0, 0.0, -1.0]
CHARGE_OF_LEFT = [-1.0, 1.0, 0.0, 0.0]
COLD, HOT = 1.4, 0.5


def dot(left, right, f_left, f_right):
    """A level between two leads; electrons that enter from the left count +1, those that leave to it -1."""
    rates = jnp.stack([left * f_left, right * f_right, right * (1 - f_right), left * (1 - f_left)])
    generator = jg.Lindbladian(SZ / 2, [RAISING, RAISING, LOWERING, LOWERING], rates)
    return dynamics.CountedJumps(generator, CHARGE)


def closed_form(chi, left, right, f_left, f_right):
    total = left + right
    forth, back = f_left * (1 - f_right), f_right * (1 - f_left)
    root = total**2 / 4 + left * right * (forth * jnp.expm1(chi) + back * jnp.expm1(-chi))
    return -total / 2 + jnp.sqrt(root)


DOT = jnp.array([0.7, 0.4, 0.8, 0.3])
scgf = jax.jit(lambda chi, p: dynamics.cumulant_generating_function(dot(*p), chi))


@pytest.fixture(scope="module")
def two_baths():
    rng = np.random.default_rng(3)
    h = np.diag([0.0, 0.7, 1.9])
    a, b = (x + x.T for x in rng.normal(size=(2, 3, 3)))
    couplings = [(a, OhmicBath(HOT, 0.002, 5.0)), (b, OhmicBath(COLD, 0.002, 5.0))]
    return jg.davies(h, couplings, baths=["hot", "cold"], lamb_shift=False)


@pytest.mark.slow
@pytest.mark.parametrize("chi", [-1.3, 0.0, 0.6])
def test_the_dot_and_its_derivatives(chi):
    np.testing.assert_allclose(scgf(chi, DOT), closed_form(chi, *DOT), atol=1e-13)
    for order in (jax.grad, lambda f: jax.grad(jax.grad(f))):
        np.testing.assert_allclose(order(scgf)(chi, DOT), order(closed_form)(chi, *DOT), rtol=1e-10)
    ours, theirs = jax.grad(scgf, 1)(chi, DOT), jax.grad(lambda p: closed_form(chi, *p))(DOT)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.slow
def test_cumulants_of_the_dot_are_derivatives_of_the_closed_form():
    expected, function = [], closed_form
    for _ in range(4):
        function = jax.grad(function)
        expected.append(function(0.0, *DOT))
    np.testing.assert_allclose(dynamics.cumulants(dot(*DOT), 4), expected, rtol=1e-11)
    slope = jax.grad(lambda p: dynamics.cumulants(dot(*p))[1])(DOT)
    second = jax.grad(jax.grad(closed_form))
    np.testing.assert_allclose(slope, jax.grad(lambda p: second(0.0, *p))(DOT), rtol=1e-10)


def test_the_unidirectional_fano_factor():
    mean, noise = dynamics.cumulants(dot(0.7, 0.4, jnp.array(1.0), jnp.array(0.0)))
    np.testing.assert_allclose(noise / mean, (0.7**2 + 0.4**2) / 1.1**2, rtol=1e-12)


@pytest.mark.slow
def test_heat_repeats_the_steady_current_and_obeys_gallavotti_and_cohen(two_baths):
    hot = dynamics.CountedHeat(two_baths, "hot")
    mean, noise = dynamics.cumulants(hot)
    steady = jg.steady_state(two_baths).value
    currents = dynamics.heat_currents(two_baths, steady)
    np.testing.assert_allclose(mean, currents[0], rtol=1e-9)
    assert mean > 0
    # what one bath gives the other takes: equal noise
    other = dynamics.cumulants(dynamics.CountedHeat(two_baths, weights=[0.0, 1.0]))
    np.testing.assert_allclose(other, [-mean, noise], rtol=1e-9)
    size = abs(float(dynamics.cumulant_generating_function(hot, -0.5 * (COLD - HOT))))
    for chi in (-1.5, -0.2, 0.4):
        assert abs(float(dynamics.gallavotti_cohen_defect(hot, COLD - HOT, chi))) < 1e-9 * size
    # populations and coherences decouple here, so the jumps are classical: the thermodynamic uncertainty relation
    assert dynamics.uncertainty_ratio(hot, (COLD - HOT) * mean) >= 2


@pytest.mark.slow
def test_all_heats_together(two_baths):
    """`lambda(chi_a) = lambda(-chi_a - ...)` of both, and no answer to a shift of both: energy is conserved."""
    betas = two_baths.betas

    @jax.jit
    def joint(chi):
        return dynamics.cumulant_generating_function(dynamics.CountedHeat(two_baths, weights=chi), 1.0)

    chi = jnp.array([0.3, -0.2])
    np.testing.assert_allclose(joint(chi), joint(betas - chi), rtol=1e-8)
    np.testing.assert_allclose(joint(chi), joint(chi + 0.7), rtol=1e-8)
    mean, noise = dynamics.cumulants(dynamics.CountedHeat(two_baths, "hot"))
    entropy = dynamics.CountedHeat(two_baths, weights=-betas)
    np.testing.assert_allclose(dynamics.cumulants(entropy), [(COLD - HOT) * mean, (COLD - HOT) ** 2 * noise], rtol=1e-8)
    gradient, hessian = jax.grad(joint)(jnp.zeros(2)), jax.hessian(joint)(jnp.zeros(2))
    np.testing.assert_allclose(gradient, [mean, -mean], rtol=1e-8)
    np.testing.assert_allclose(hessian, noise * np.array([[1, -1], [-1, 1]]), rtol=1e-7)


def chain(sites, betas, field=0.9, hopping=0.6):
    """Spins that exchange, each end with a bath: free fermions between two leads."""
    lower = [np.kron(np.kron(np.eye(2**k), LOWERING), np.eye(2 ** (sites - k - 1))) for k in range(sites)]
    h = sum(hopping * (a.T @ b + b.T @ a) for a, b in itertools.pairwise(lower))
    number = sum(a.T @ a for a in lower)
    n = 1 / (1 + jnp.exp(field * jnp.asarray(betas)))
    jumps = [lower[0], lower[0].T, lower[-1], lower[-1].T]
    rates = jnp.stack([1 - n[0], n[0], 0.5 * (1 - n[1]), 0.5 * n[1]])
    generator = jg.Lindbladian(h + field * number, jumps, rates, ["left", "left", "right", "right"])
    return generator, number, n


def particle_current(sites, n, field=0.9, hopping=0.6):
    """From the equation of motion of `C_ij = <c_i^dagger c_j>`."""
    h = field * np.eye(sites) + hopping * (np.eye(sites, k=1) + np.eye(sites, k=-1))
    loss, gain = np.zeros((2, sites, sites))
    loss[0, 0], loss[-1, -1] = 1, 0.5
    gain[0, 0], gain[-1, -1] = n[0], 0.5 * n[1]
    drift = 1j * h - loss / 2
    one = np.eye(sites)
    c = np.linalg.solve(np.kron(one, drift) + np.kron(drift.conj(), one), -gain.ravel()).reshape(sites, sites).T
    return n[0] - c[0, 0].real


@pytest.mark.slow
def test_without_a_matrix_of_the_generator():
    generator, number, n = chain(3, [0.4, 1.7])
    jumps = dynamics.CountedJumps(generator, CHARGE_OF_LEFT)
    heat = dynamics.CountedHeat(generator, "left", number)
    for counting in (jumps, heat):
        values = dynamics.cumulants(counting, 3, method=Krylov())
        np.testing.assert_allclose(values, dynamics.cumulants(counting, 3, method=Dense()), rtol=1e-8)
    np.testing.assert_allclose(values[0], particle_current(3, np.asarray(n)), rtol=1e-9)
    chis = jnp.array([-1.5, 0.0, 0.8])
    dense, krylov = (
        jax.jit(jax.vmap(lambda x, m=method: dynamics.cumulant_generating_function(jumps, x, method=m)))(chis)
        for method in (Dense(), Krylov())
    )
    np.testing.assert_allclose(krylov, dense, atol=1e-9)
    affinity = 0.9 * (1.7 - 0.4)
    assert abs(float(dynamics.gallavotti_cohen_defect(heat, affinity, 0.5))) < 1e-9


@pytest.mark.slow
def test_large_systems_and_their_derivatives():
    generator, number, n = chain(6, [0.4, 1.7])
    heat = dynamics.CountedHeat(generator, "left", number)
    found = dynamics.cumulants(heat, 2)
    np.testing.assert_allclose(found[0], particle_current(6, np.asarray(n)), rtol=1e-8)
    function = jax.jit(jax.value_and_grad(lambda x: dynamics.cumulant_generating_function(heat, x)))
    step = 1e-3
    (_, slope), (_, up), (_, down) = function(0.0), function(step), function(-step)
    np.testing.assert_allclose(slope, found[0], rtol=1e-7)
    np.testing.assert_allclose((up - down) / (2 * step), found[1], rtol=1e-5)
    here, mirrored = function(0.7)[0], function(-0.7 - 0.9 * 1.3)[0]
    np.testing.assert_allclose(here, mirrored, rtol=1e-8)


def test_rates_that_are_not_thermal_break_the_symmetry():
    """Two ways between the same levels at different ratios of rates: what flows round makes no heat that is counted."""
    jumps = [LOWERING, RAISING, LOWERING, RAISING]
    generator = jg.Lindbladian(SZ / 2, jumps, [1.0, 0.2, 0.4, 0.3], ["a", "a", "b", "b"])
    counting = dynamics.CountedHeat(generator, "a")
    right = np.log(1.0 / 0.2) - np.log(0.4 / 0.3)
    assert abs(float(dynamics.gallavotti_cohen_defect(counting, -right, 0.4))) < 1e-12
    assert abs(float(dynamics.gallavotti_cohen_defect(counting, -right / 2, 0.4))) > 1e-3


def test_the_uncertainty_relation_of_a_classical_rate_model():
    ratio = jax.jit(jax.vmap(lambda p, sigma: dynamics.uncertainty_ratio(dot(*p), sigma)))
    _, _, f, g = parameters = np.random.default_rng(0).uniform(0.05, 0.95, (4, 8))
    mean = jax.vmap(lambda p: jax.grad(closed_form)(0.0, *p))(parameters.T)
    production = mean * np.log(f * (1 - g) / (g * (1 - f)))
    assert np.all(ratio(parameters.T, production) >= 2 - 1e-9)


@pytest.mark.slow
def test_what_is_refused(two_baths):
    generator = jg.Lindbladian(SZ, [LOWERING])
    with pytest.raises(ValueError, match="`quanta` must have one number"):
        dynamics.CountedJumps(generator, [1.0, 2.0])
    with pytest.raises(ValueError, match="`quanta` must be finite"):
        dynamics.CountedJumps(generator, [np.nan])
    with pytest.raises(ValueError, match="`order` must be a whole number of at least 1"):
        dynamics.cumulants(dynamics.CountedJumps(generator, [1.0]), 0)
    counted = dynamics.CountedJumps(generator, [1.0])
    for chi in ([0.0, 1.0], 1j):
        with pytest.raises(ValueError, match="`chi` must be a real scalar"):
            dynamics.cumulant_generating_function(counted, chi)
        with pytest.raises(ValueError, match="`chi` must be a real scalar"):
            dynamics.gallavotti_cohen_defect(counted, 1.0, chi)
    with pytest.raises(ValueError, match="`chi` must be finite"):
        dynamics.cumulant_generating_function(counted, np.nan)
    with pytest.raises(ValueError, match="`entropy_production` must be finite"):
        dynamics.uncertainty_ratio(counted, np.nan)
    with pytest.raises(RuntimeError, match="2 linearly independent steady states"):
        dynamics.cumulants(dynamics.CountedJumps(jg.Lindbladian(0 * SX, [SZ]), [1.0]))
    with pytest.raises(ValueError, match="`method` must be"):
        dynamics.cumulants(dynamics.CountedJumps(generator, [1.0]), method=SparseLU())
    with pytest.raises(ValueError, match="Either `bath` or `weights`"):
        dynamics.CountedHeat(two_baths)
    with pytest.raises(ValueError, match="`weights` must be one number for each of the 2"):
        dynamics.CountedHeat(two_baths, weights=[1.0])
    with pytest.raises(ValueError, match="`weights` must be finite"):
        dynamics.CountedHeat(two_baths, weights=[1.0, np.nan])
    with pytest.raises(ValueError, match="bath"):
        dynamics.CountedHeat(two_baths, "warm")
    with pytest.raises(ValueError, match="must have the dimension"):
        dynamics.CountedHeat(two_baths, "hot", SZ)


@pytest.mark.slow
def test_at_large_fields_it_is_right_or_no_number():
    """Pumped at rate b and seen to fall at rate a: `lambda = -(a + b) / 2 + sqrt((a - b)^2 / 4 + a b exp(chi))`."""
    counting = dynamics.CountedJumps(jg.Lindbladian(SZ, [LOWERING, RAISING], [0.7, 0.3]), [1.0, 0.0])
    chis = jnp.array([5.0, 20.0, 100.0])
    expected = -0.5 + np.sqrt(0.04 + 0.21 * np.exp(chis))
    found = jax.vmap(lambda chi: dynamics.cumulant_generating_function(counting, chi, method=Krylov()))(chis)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9)
    np.testing.assert_allclose(found[~np.isnan(found)], expected[~np.isnan(found)], rtol=1e-6)
