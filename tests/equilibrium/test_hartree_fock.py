"""Mean fields against exact free energies, closed forms of two sites, and derivatives against differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.equilibrium import SelfConsistency, hartree_fock
from jaxgibbs.models._gaussian_orbitals import hydrogen_integrals
from jaxgibbs.operators import QuadraticFermions


def dimer(interaction, hopping=1.0):
    one = np.array([[0.0, -hopping], [-hopping, 0.0]])
    two = np.zeros((2, 2, 2, 2))
    two[0, 0, 0, 0] = two[1, 1, 1, 1] = interaction
    return one, two


def lopsided(seed=3):
    """Two orbitals with all integrals, of which only those of density are repulsive."""
    rng = np.random.default_rng(seed)
    one = rng.normal(size=(2, 2))
    factors = rng.normal(size=(2, 2, 2))
    factors = factors + factors.transpose(0, 2, 1)
    return one + one.T, 0.5 * np.einsum("apq,ars->pqrs", factors, factors)


@pytest.mark.slow
@pytest.mark.parametrize("pairing", [False, True])
def test_free_energy_is_a_bound_from_above(pairing):
    systems = [(*dimer(u), u / 2) for u in (-3.0, 1.0, 4.0)] + [(*lopsided(), 1.0)]
    for one, two, mu in systems:
        for beta in (0.5, 2.0, 20.0):
            state = hartree_fock(one, two, beta, 0.3, mu, pairing=pairing).value
            exact = float(jg.free_energy(models.molecule(one, two, 0.3, mu), beta))
            assert float(state.free_energy) > exact - 1e-12
            np.testing.assert_allclose(state.energy - state.entropy / beta, state.free_energy, atol=1e-13)


def test_error_of_the_free_energy_is_of_second_order():
    one, two = lopsided()
    errors = []
    for strength in (1e-3, 2e-3):
        exact = jg.free_energy(models.molecule(one, strength * two), 1.0)
        errors.append(float(hartree_fock(one, strength * two, 1.0).value.free_energy - exact))
    assert errors[0] > 1e-8
    np.testing.assert_allclose(errors[1] / errors[0], 4, rtol=0.02)


def test_wick_energy_is_that_of_the_state_on_the_fock_space():
    one, two = dimer(-4.0)
    two = two + 0.03 * lopsided()[1]
    state = hartree_fock(one, two, 2.0, 0.3, -2.2, pairing=True).value
    assert np.max(np.abs(state.pairs)) > 0.2
    rho = jg.gibbs_state(state.operator.to_dense(), 2.0)
    exact = models.molecule(one, two, 0.3, -2.2).to_dense()
    np.testing.assert_allclose(rho.expectation(exact), state.energy, atol=1e-12)
    np.testing.assert_allclose([rho.entropy, state.state.entropy], state.entropy, atol=1e-12)
    assert float(state.free_energy) < float(hartree_fock(one, two, 2.0, 0.3, -2.2).value.free_energy) - 0.01


@pytest.mark.parametrize(("interaction", "expected"), [(1.0, -1.5), (2.0, -1.0), (5.0, -0.4)])
def test_cold_dimer_breaks_the_spin_symmetry_above_twice_the_hopping(interaction, expected):
    one, two = dimer(interaction)
    state = hartree_fock(one, two, 1e4, 0.0, interaction / 2).value
    # -2 t + U / 2 of closed shells; -2 t^2 / U with moments sqrt(1 - (2 t / U)^2)
    np.testing.assert_allclose(state.energy + interaction, expected, atol=1e-7 if interaction == 2 else 1e-12)
    moments = np.abs(state.densities[0] - state.densities[1]).diagonal()
    if interaction != 2:  # where they set in as a root
        np.testing.assert_allclose(moments, np.sqrt(max(0, 1 - (2 / interaction) ** 2)), atol=1e-10)
    assert float(state.entropy) < 1e-6


def test_hydrogen_has_the_energy_and_the_orbitals_of_szabo_and_ostlund():
    one, two, repulsion = hydrogen_integrals(jnp.asarray(1.4))
    state = hartree_fock(one, two, 1e3, repulsion).value
    assert float(state.energy) == pytest.approx(-1.1167, abs=5e-5)
    np.testing.assert_allclose(state.mode_energies, [-0.578, -0.578, 0.670, 0.670], atol=1e-3)
    assert float(state.particles) == pytest.approx(2, abs=1e-12)


@pytest.mark.slow
def test_cold_degenerate_shell_is_filled_by_whole_electrons():
    # three equal orbitals with U and U - 2 J = 0.6 between them, J = 0.2 by Hund's rule
    two = np.zeros((3, 3, 3, 3))
    for p, q in np.ndindex(3, 3):
        two[p, p, q, q] = 0.6
        if p != q:
            two[p, q, p, q] = two[p, q, q, p] = 0.2
    for p in range(3):
        two[p, p, p, p] = 1.0
    for mu, particles, energy in ((0.3, 1, 0), (0.5, 2, 0.4), (1.2, 3, 1.2)):
        for beta in (1e2, 1e6):
            state = hartree_fock(np.zeros((3, 3)), two, beta, 0.0, mu).value
            np.testing.assert_allclose([state.particles, state.energy], [particles, energy - mu * particles], atol=2e-4)
            if beta > 1e3:
                np.testing.assert_allclose([state.particles, state.entropy], [particles, 0], atol=1e-12)


@pytest.mark.slow
def test_pairs_do_not_lead_away_from_a_repelled_electron():
    one, two = np.zeros((1, 1)), np.ones((1, 1, 1, 1))
    for beta in (1e3, 1e8):
        answer = hartree_fock(one, 4 * two, beta, 0.0, 2.0, pairing=True)
        assert float(answer.value.free_energy) == pytest.approx(-2, abs=1e-12)
        assert int(answer.stats["unstable"]) == 0
        # an attracted pair and no electron have equal energies, and so have their superpositions
        even = hartree_fock(one, -4 * two, beta, 0.0, -2.0, pairing=True)
        assert float(even.value.free_energy) == pytest.approx(0, abs=1e-12)
        assert int(even.stats["unstable"]) == 0


def test_without_interaction_it_is_the_gaussian_state():
    one, two = dimer(0.0)
    one[0, 0] = 0.4
    for pairing in (False, True):
        answer = hartree_fock(one, two, 1.7, 0.2, -0.3, pairing=pairing)
        free = jg.gibbs_state(QuadraticFermions(np.kron(np.eye(2), one + 0.3 * np.eye(2))), 1.7)
        np.testing.assert_allclose(answer.value.free_energy, free.free_energy + 0.2, rtol=1e-14)
        np.testing.assert_allclose(answer.value.energy, free.energy + 0.2, rtol=1e-13)
        np.testing.assert_allclose(answer.value.entropy, free.entropy, rtol=1e-13)
        assert float(answer.error) == 0


@pytest.mark.slow
def test_derivatives_are_those_of_thermodynamics():
    one, two = dimer(4.0)
    one[0, 0] = 0.3

    def solve(beta, mu, one):
        return hartree_fock(one, two, beta, 0.0, mu).value

    beta, mu, one = jnp.asarray(3.0), jnp.asarray(1.8), jnp.asarray(one)
    state = solve(beta, mu, one)
    slope = jax.grad(lambda b, m, h: solve(b, m, h).free_energy, argnums=(0, 1, 2))(beta, mu, one)
    np.testing.assert_allclose(slope[0] * beta**2, state.entropy, rtol=1e-10)
    np.testing.assert_allclose(-slope[1], state.particles, rtol=1e-10)
    np.testing.assert_allclose(slope[2], jnp.sum(state.densities, axis=0), atol=1e-10)
    assert np.max(np.abs(state.densities[0] - state.densities[1])) > 0.3
    from_entropy = -beta * jax.grad(lambda b: solve(b, mu, one).entropy)(beta)
    second = beta**2 * jax.jit(jax.grad(jax.grad(lambda b: -b * solve(b, mu, one).free_energy)))(beta)
    step = 1e-4
    difference = -(beta**2) * (solve(beta + step, mu, one).energy - solve(beta - step, mu, one).energy) / (2 * step)
    np.testing.assert_allclose([from_entropy, second], difference, rtol=1e-6)


@pytest.mark.parametrize("pairing", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("sign", [1, -1])
def test_transition_of_one_orbital(sign, pairing):
    """At half filling moments, or particles or pairs, set in at `beta |U| = 4`, where the state is that of no correlation."""
    one, two = np.zeros((1, 1)), np.ones((1, 1, 1, 1))

    def solve(beta, u):
        return hartree_fock(one, u * two, beta, 0.0, u / 2, pairing=pairing)

    for beta in (1.0, 4.0):
        u = sign * 4 / beta
        answer = solve(beta, u)
        assert int(answer.stats["unstable"]) == 0
        np.testing.assert_allclose(answer.value.free_energy, -u / 4 - 2 * np.log(2) / beta, rtol=1e-14)
        np.testing.assert_allclose(answer.value.densities, 0.5, atol=1e-9)
        np.testing.assert_allclose(answer.value.pairs, 0, atol=1e-9)
    # the entropy has a kink there, the free energy only a step of its second derivative
    slope = jax.grad(lambda b: solve(b, 4.0 * sign).value.free_energy)(1.0)
    np.testing.assert_allclose(slope, 2 * np.log(2), rtol=1e-14)
    for name in ("energy", "entropy"):
        assert np.isnan(jax.grad(lambda b, name=name: getattr(solve(b, 4.0 * sign).value, name))(1.0))
    # just beyond it `y = tanh(|U| y / 4)` lowers the free energy by 3 (|U| - 4)^2 / 32 below that of the symmetric saddle
    u = 4.001
    y = np.sqrt(3 * (u / 4 - 1) / (u / 4) ** 3)
    for _ in range(30):
        y -= (y - np.tanh(u * y / 4)) / (1 - u / 4 / np.cosh(u * y / 4) ** 2)
    beyond = solve(1.0, sign * u)
    assert int(beyond.stats["unstable"]) == 0
    expected = -sign * u / 4 + u * y**2 / 4 - 2 * np.log(2 * np.cosh(u * y / 4))
    np.testing.assert_allclose(beyond.value.free_energy, expected, rtol=0, atol=1e-14)
    if sign > 0:
        up, down = beyond.value.densities
        np.testing.assert_allclose(jnp.abs(up - down), y, rtol=1e-9)


def test_broken_symmetry_leaves_first_derivatives():
    one, two = dimer(-3.0)  # charge density waves and pairs are rotated into each other
    slope = jax.grad(lambda b: hartree_fock(one, two, b, 0.0, -1.5, pairing=True).value.free_energy)(2.0)
    state = hartree_fock(one, two, 2.0, 0.0, -1.5, pairing=True).value
    np.testing.assert_allclose(4 * slope, state.entropy, rtol=1e-9)
    assert np.isnan(jax.grad(lambda b: hartree_fock(one, two, b, 0.0, -1.5, pairing=True).value.energy)(2.0))


def test_guess_decides_on_the_symmetry():
    one, two = dimer(4.0)
    field = np.diag([1.0, -1.0])

    def solve(guess):
        answer = hartree_fock(one, two, 10.0, 0.0, 2.0, guess=guess)
        return answer.value, int(answer.stats["steps"]), int(answer.stats["unstable"])

    broken, _, unstable = solve(np.stack([one - field, one + field]))
    assert unstable == 0
    assert solve(broken.mean_field)[1] == 0
    assert float(broken.densities[0, 0, 0]) > 0.9
    even, _, unstable = solve(np.stack([one, one]))
    assert unstable == 1  # towards moments that alternate
    np.testing.assert_allclose(even.densities[0], even.densities[1], atol=1e-14)
    assert float(even.free_energy) > float(broken.free_energy) + 0.1


@pytest.mark.slow
def test_bad_input_and_failures_are_named():
    one, two = dimer(4.0)
    for match, arguments in (
        ("`one_electron` must be a matrix", (np.zeros(3), two, 1.0)),
        ("`one_electron` must have the symmetry", (np.array([[0, 1.0], [0, 0]]), two, 1.0)),
        ("`two_electron` must have shape", (one, two[0], 1.0)),
        ("`beta` must be positive and finite", (one, two, -1.0)),
        ("`one_electron` must be finite", (one * np.nan, two, 1.0)),
        ("`constant` must have shape", (one, two, 1.0, [1.0, 2.0])),
    ):
        with pytest.raises(ValueError, match=match):
            hartree_fock(*arguments)
    with pytest.raises(ValueError, match="`guess` must have shape"):
        hartree_fock(one, two, 1.0, guess=one)
    for match, numbers in (
        ("`starts` must be a whole number of at least 1", {"starts": 0}),
        ("`max_steps` must be a whole number", {"max_steps": -1}),
        ("`residual_tolerance` must not be negative", {"residual_tolerance": -1.0}),
    ):
        with pytest.raises(ValueError, match=match):
            SelfConsistency(**numbers)
    hard = SelfConsistency(residual_tolerance=0.0)
    with pytest.raises(RuntimeError, match="residual stopped falling"):
        hartree_fock(one, two, 2.0, 0.0, 2.1, method=hard)
    last = hartree_fock(one, two, 2.0, 0.0, 2.1, method=hard, throw=False)
    assert last.result == jg.RESULTS.stagnated
    assert float(last.error) < 1e-13
    lanes = jax.jit(jax.vmap(lambda b: hartree_fock(one, two, b, 0.0, 2.1).value.free_energy))(jnp.array([2.0, -1.0]))
    assert np.isfinite(lanes[0])
    assert np.isnan(lanes[1])
