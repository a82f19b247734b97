"""A particle in a potential: known levels, parity, the truncation judged, and every reason to refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs._errors import (
    ContinuousSpectrum,
    NotTraceClass,
    TruncationNotConverged,
    UnboundedAbove,
    UnboundedBelow,
)
from jaxgibbs.models import particle_in_potential


def grid_levels(potential, mass, extent, points=600, count=8):
    """The lowest levels on an even grid by the sinc representation of p^2 (Colbert and Miller 1992)."""
    x = np.linspace(-extent, extent, points)
    step = x[1] - x[0]
    i = np.arange(points)
    distance = i[:, None] - i[None, :]
    with np.errstate(divide="ignore"):
        kinetic = np.where(distance == 0, np.pi**2 / 3, 2.0 * (-1.0) ** distance / distance.astype(float) ** 2)
    matrix = kinetic / (2 * mass * step**2) + np.diag(potential(x))
    return np.linalg.eigvalsh(matrix)[:count]


@pytest.mark.parametrize(("frequency", "mass"), [(0.3, 4.0), (1e5, 1.0), (1e-10, 1.0)])
def test_harmonic_well_at_any_scale(frequency, mass):
    beta = 1.2 / frequency
    particle = particle_in_potential(lambda x: 0.5 * mass * frequency**2 * x**2, mass, beta=beta)
    levels = np.linalg.eigvalsh(particle.hamiltonian.matrix)
    np.testing.assert_allclose(levels[:12], frequency * (np.arange(12) + 0.5), rtol=1e-12)
    state = jg.gibbs_state(particle.hamiltonian, beta)
    np.testing.assert_allclose(state.log_partition, -np.log(2 * np.sinh(0.6)), rtol=1e-10)
    spread = state.expectation(particle.position.matrix @ particle.position.matrix)
    np.testing.assert_allclose(spread, 0.5 / (mass * frequency * np.tanh(0.6)), rtol=1e-9)
    momentum = state.expectation(particle.momentum.matrix @ particle.momentum.matrix)
    np.testing.assert_allclose(momentum, 0.5 * mass * frequency / np.tanh(0.6), rtol=1e-9)


@pytest.mark.parametrize(
    ("potential", "beta", "extent"),
    [
        (lambda x: x**4, 1.0, 5.0),
        (lambda x: x**4 - 5 * x**2, 1.0, 5.0),
        (lambda x: x**2 + 0.5 * x**3 + x**4, 1.0, 5.0),
        (np.cosh, 0.5, 9.0),
        (lambda x: np.sqrt(1 + x**2), 4.0, 40.0),
        (lambda x: x**10, 1.0, 3.0),
    ],
    ids=["quartic", "double well", "lopsided", "cosh", "soft", "steep"],
)
def test_levels_against_a_grid(potential, beta, extent):
    def in_jax(x):
        return jnp.cosh(x) if potential is np.cosh else (jnp.sqrt(1 + x**2) if extent == 40.0 else potential(x))

    particle = particle_in_potential(in_jax, beta=beta)
    expected = grid_levels(potential, 1.0, extent)
    np.testing.assert_allclose(np.linalg.eigvalsh(particle.hamiltonian.matrix)[:8], expected, rtol=1e-8, atol=1e-8)


def test_quartic_ground_state_is_the_known_number():
    # H = p^2 / 2 + x^4: E_0 = 0.667986259155777108... (Hioe and Montroll 1975)
    particle = particle_in_potential(lambda x: x**4, beta=2.0)
    np.testing.assert_allclose(np.linalg.eigvalsh(particle.hamiltonian.matrix)[0], 0.667986259155777, rtol=1e-13)


@pytest.mark.parametrize("beta", [0.3, 4.0])
def test_position_and_momentum_vanish_in_an_even_potential(beta):
    particle = particle_in_potential(lambda x: x**4 - 3 * x**2, beta=beta)
    state = jg.gibbs_state(particle.hamiltonian, beta)
    assert abs(state.expectation(particle.position)) < 1e-13
    assert abs(state.expectation(particle.momentum)) < 1e-13
    parity = particle.parity
    h, x, p = (np.asarray(o.matrix) for o in (particle.hamiltonian, particle.position, particle.momentum))
    assert np.linalg.norm(parity @ h - h @ parity) < 1e-13 * np.linalg.norm(h)
    np.testing.assert_allclose(parity @ x @ parity, -x, atol=1e-13)
    np.testing.assert_allclose(parity @ p @ parity, -p, atol=1e-13)


def test_the_momentum_vanishes_in_a_lopsided_potential_too_but_the_position_does_not():
    particle = particle_in_potential(lambda x: x**4 + x**3 + x**2, beta=1.0)
    state = jg.gibbs_state(particle.hamiltonian, 1.0)
    assert abs(state.expectation(particle.momentum)) < 1e-12  # time reversal
    assert state.expectation(particle.position) < -0.05


def test_a_shifted_well_and_offset():
    beta = 0.9
    plain = particle_in_potential(lambda x: 0.5 * x**2, beta=beta)
    moved = particle_in_potential(lambda x: 0.5 * (x - 7) ** 2 - 100.0, beta=beta)
    difference = jg.log_partition(moved.hamiltonian, beta) - jg.log_partition(plain.hamiltonian, beta)
    np.testing.assert_allclose(difference, 100 * beta, rtol=1e-12)
    np.testing.assert_allclose(jg.gibbs_state(moved.hamiltonian, beta).expectation(moved.position), 7.0, rtol=1e-12)


@pytest.mark.slow
def test_what_the_potential_closes_over_is_differentiable():
    beta = 0.8

    def free_energy(stiffness, mass):
        particle = particle_in_potential(lambda x: stiffness * x**4, mass, beta=beta, levels=80)
        return jg.free_energy(particle.hamiltonian, beta)

    found = jax.jit(jax.value_and_grad(free_energy, (0, 1)))(1.5, 0.7)
    particle = particle_in_potential(lambda x: 1.5 * x**4, 0.7, beta=beta, levels=80)
    state = jg.gibbs_state(particle.hamiltonian, beta)
    np.testing.assert_allclose(found[0], state.free_energy, rtol=1e-12)
    # Hellmann and Feynman, and the virial theorem <p^2 / m> = 4 <V>.
    potential = found[1][0] * 1.5
    kinetic = -found[1][1] * 0.7
    np.testing.assert_allclose(potential + kinetic, state.energy, rtol=1e-10)
    np.testing.assert_allclose(2 * kinetic, 4 * potential, rtol=1e-9)
    x = np.asarray(particle.position.matrix)
    np.testing.assert_allclose(state.expectation(jnp.asarray(1.5 * x @ x @ x @ x)), potential, rtol=1e-9)


def test_under_a_trace_only_the_lane_that_fails_is_nan():
    def energy(stiffness):
        particle = particle_in_potential(lambda x: 0.5 * stiffness * x**2, beta=0.5, levels=60)
        return jg.energy(particle.hamiltonian, 0.5)

    found = jax.jit(jax.vmap(energy))(jnp.array([16.0, 4.0, 1e-4]))
    np.testing.assert_allclose(found[:2], [2 / np.tanh(1.0), 1 / np.tanh(0.5)], rtol=1e-9)
    assert np.isnan(found[2])


@pytest.mark.slow
def test_single_precision():
    particle = particle_in_potential(lambda x: x**4, jnp.float32(1.0), beta=jnp.float32(1.0))
    assert particle.hamiltonian.dtype == jnp.float32
    assert particle.momentum.dtype == jnp.complex64
    exact = particle_in_potential(lambda x: x**4, beta=1.0)
    found = jg.log_partition(particle.hamiltonian, jnp.float32(1.0))
    np.testing.assert_allclose(found, jg.log_partition(exact.hamiltonian, 1.0), rtol=1e-4)


@pytest.mark.parametrize(
    ("potential", "error"),
    [
        (lambda x: -x, UnboundedBelow),
        (lambda x: x**3, UnboundedBelow),
        (lambda x: x**2 - 0.01 * x**4, UnboundedBelow),
        (lambda x: x * jnp.sin(x), UnboundedBelow),
        (lambda x: 0.0, ContinuousSpectrum),
        (lambda x: 0 * x + 5, ContinuousSpectrum),
        (jnp.exp, ContinuousSpectrum),
        (jnp.cos, ContinuousSpectrum),
        (lambda x: -1 / (1 + x**2), ContinuousSpectrum),
        (lambda x: (1 - jnp.exp(-x)) ** 2, ContinuousSpectrum),
        (lambda x: -1.0 * (jnp.abs(x) + 1e-9) ** -0.1, ContinuousSpectrum),
        (lambda x: jnp.log(1 + x**2), NotTraceClass),
        (lambda x: jnp.sqrt(jnp.abs(x)), TruncationNotConverged),
        (lambda x: jnp.where(jnp.abs(x) < 1, 0.0, jnp.inf), TruncationNotConverged),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_potential_that_does_not_confine_is_refused(potential, error):
    with pytest.raises(error):
        particle_in_potential(potential, beta=0.3, levels=40)


def test_the_logarithmic_well_has_a_critical_temperature():
    with pytest.raises(NotTraceClass, match=r"= 0\.5 for a potential that rises logarithmically"):
        particle_in_potential(lambda x: jnp.log(1 + x**2), beta=0.499)
    with pytest.raises(TruncationNotConverged):
        particle_in_potential(lambda x: jnp.log(1 + x**2), beta=0.6, levels=50)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: particle_in_potential(lambda x: x**2, beta=0.0), UnboundedAbove, "`beta` must be positive"),
        (lambda: particle_in_potential(lambda x: x**2, beta=-1.0), UnboundedAbove, "`beta` must be positive"),
        (lambda: particle_in_potential(lambda x: x**2, beta=1e-4, levels=40), TruncationNotConverged, "raise `levels`"),
        (lambda: particle_in_potential(lambda x: x**2, beta=1.0, levels=6), TruncationNotConverged, "raise `levels`"),
        (lambda: particle_in_potential(lambda x: x**2, beta=1.0, levels=501), ValueError, "`levels` must lie between"),
        (lambda: particle_in_potential(lambda x: x**2, 0.0, beta=1.0), ValueError, "`mass` must be positive"),
        (lambda: particle_in_potential(lambda x: 1j * x, beta=1.0), ValueError, "`potential` must return real"),
        (lambda: particle_in_potential(lambda x: x[:3], beta=1.0), ValueError, "`potential` must return real"),
        (lambda: particle_in_potential(lambda x: x**2, beta=np.ones(2)), ValueError, "`beta` must have shape"),
        (
            lambda: jg.log_partition(particle_in_potential(lambda x: x**2, beta=1.0), 1.0),
            ValueError,
            "this is a `Particle`; pass its `hamiltonian`",
        ),
        (lambda: particle_in_potential(lambda x: x**2 * np.nan, beta=1.0), ValueError, "is NaN everywhere"),
        (
            lambda: jax.jit(lambda m: particle_in_potential(lambda x: x**2, m, beta=1.0).hamiltonian.matrix)(1.0),
            ValueError,
            "`levels` must be given under",
        ),
    ],
)
def test_wrong_input_is_refused_with_its_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()
