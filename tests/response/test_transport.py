"""Transport coefficients by driving, by fluctuations and by scattering, against the single level between two leads."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

import jaxgibbs as jg
from jaxgibbs import dynamics, response

FILL, EMPTY = np.array([[0.0, 0], [1, 0]]), np.array([[0.0, 1], [0, 0]])  # index 1 is filled
SX, SZ = np.array([[0.0, 1], [1, 0]]), np.diag([1.0, -1])
LEVEL, MU, BETA, LEFT, RIGHT = 0.7, 0.1, 1.6, 0.3, 0.5


def fermi(beta, mu, energy=LEVEL):
    return jax.nn.sigmoid(-beta * (energy - mu))


def reservoir(forces):
    """`(beta, mu)` of the left lead: `d mu / T` and `dT / T^2` are added to the right one's, linear in the exponent."""
    beta = BETA - forces[1]
    return beta, (BETA * MU + forces[0] - forces[1] * MU) / beta


def dot(forces):
    f_left, f_right = fermi(*reservoir(forces)), fermi(BETA, MU)
    rates = jnp.stack([LEFT * f_left, LEFT * (1 - f_left), RIGHT * f_right, RIGHT * (1 - f_right)])
    return jg.Lindbladian(np.diag([0.0, LEVEL]), [FILL, EMPTY, FILL, EMPTY], rates, ["left", "left", "right", "right"])


def currents_of_dot(forces):
    generator = dot(forces)
    rho = jg.steady_state(generator).value
    number = jnp.diag(jnp.array([0.0, 1.0]))
    particles, energy = (
        dynamics.heat_currents(generator, rho, charge)[0] for charge in (number, np.diag([0.0, LEVEL]))
    )
    return jnp.stack([particles, energy - MU * particles])


EXCESS = LEVEL - MU
KNOWN = (
    LEFT
    * RIGHT
    / (LEFT + RIGHT)
    * float(fermi(BETA, MU) * (1 - fermi(BETA, MU)))
    * np.array([[1, EXCESS], [EXCESS, EXCESS**2]])
)


@pytest.mark.slow
def test_onsager_matrix_of_a_dot_by_driving():
    matrix = response.onsager_matrix(currents_of_dot, 2)
    np.testing.assert_allclose(matrix, KNOWN, rtol=1e-11)


def test_and_by_its_noise_in_equilibrium():
    quanta = np.array([[1, -1, 0, 0], [EXCESS, -EXCESS, 0, 0]])
    noise = response.noise_matrix(dot(jnp.zeros(2)), quanta)
    np.testing.assert_allclose(noise / 2, KNOWN, rtol=1e-11)
    driven = dot(jnp.array([0.8, -0.2]))
    cumulant = dynamics.cumulants(dynamics.CountedJumps(driven, quanta[0]))[1]
    np.testing.assert_allclose(response.noise_matrix(driven, quanta)[0, 0], cumulant, rtol=1e-11)


def three_terminals(forces):
    """A Davies generator of four levels at three baths; forces are `beta - beta_a` of two of them."""
    rng = np.random.default_rng(5)
    matrices = [x + x.T for x in rng.normal(size=(3, 4, 4))]
    baths = [jg.OhmicBath(BETA - f, 0.002, 4.0) for f in (*forces, 0.0)]
    h = np.diag([0.0, 0.4, 1.0, 1.9])
    return jg.davies(h, list(zip(matrices, baths, strict=True)), baths=[0, 1, 2], lamb_shift=False)


@pytest.mark.slow
def test_reciprocity_and_the_second_law_with_three_baths():
    def heats(forces):
        generator = three_terminals(forces)
        return dynamics.heat_currents(generator, jg.steady_state(generator).value)[:2]

    matrix = jax.jit(lambda: response.onsager_matrix(heats, 2))()
    np.testing.assert_allclose(matrix[0, 1], matrix[1, 0], rtol=1e-8)
    assert matrix[0, 1] < 0 < np.linalg.det(matrix)


def thermal_qubit(splitting, rate):
    n = 1 / np.expm1(BETA * splitting)
    return jg.Lindbladian(splitting / 2 * SZ, [FILL, EMPTY], [rate * (n + 1), rate * n])


def test_green_and_kubo_for_a_damped_qubit():
    """Canonical correlation of `sigma_x`: `tanh(x) / x cos(W t) e^{-G t / 2}` with `x = beta W / 2`."""
    splitting, rate = 0.9, 0.2
    generator, state = thermal_qubit(splitting, rate), jg.gibbs_state(splitting / 2 * SZ, BETA)
    tanh = np.tanh(BETA * splitting / 2)
    half = rate / tanh / 2
    value = response.green_kubo(generator, state, SX, SX)
    np.testing.assert_allclose(value, 2 * tanh / splitting * half / (splitting**2 + half**2), rtol=1e-12)
    variance = BETA / np.cosh(BETA * splitting / 2) ** 2
    np.testing.assert_allclose(response.green_kubo(generator, state, SZ, SZ), variance / (2 * half), rtol=1e-12)


@pytest.mark.slow
def test_green_and_kubo_is_the_integral_over_all_times():
    """Of the canonical correlation, followed until it has decayed; `kappa_ij` written out in the eigenbasis."""
    rng = np.random.default_rng(2)
    h = np.diag([0.0, 0.7, 1.9])
    a, b, coupling = (x + x.T for x in rng.normal(size=(3, 3, 3)))
    generator = jg.davies(h, [(coupling, jg.OhmicBath(BETA, 0.005, 4.0))], lamb_shift=False)
    state = jg.gibbs_state(h, BETA)
    times = np.linspace(0.0, 4000.0, 40001)
    levels = np.diag(h)
    p = np.exp(-BETA * levels) / np.sum(np.exp(-BETA * levels))
    gaps = levels[:, None] - levels
    kappa = np.where(gaps == 0, p, (p[None, :] - p[:, None]) / np.where(gaps == 0, 1, BETA * gaps))
    moved = dynamics.evolve(generator, kappa * a - np.sum(p * np.diag(a)) * np.diag(p), times).value
    integral = BETA * np.trapezoid(np.einsum("ij,tji->t", b, moved).real, times)
    np.testing.assert_allclose(response.green_kubo(generator, state, a, b), integral, rtol=1e-4)


def test_transmission_of_one_level_and_unitarity():
    couplings = np.array([[[LEFT]], [[RIGHT]]])
    through = response.transmission([[LEVEL]], couplings, 0.3)
    np.testing.assert_allclose(through[0, 1], LEFT * RIGHT / ((0.3 - LEVEL) ** 2 + (LEFT + RIGHT) ** 2 / 4), rtol=1e-14)
    rng = np.random.default_rng(8)
    h = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    roots = rng.normal(size=(3, 4, 2)) + 1j * rng.normal(size=(3, 4, 2))
    couplings = roots @ roots.conj().swapaxes(1, 2)
    through = np.asarray(response.transmission((h + h.conj().T) / 2, couplings, 0.3))
    np.testing.assert_allclose(np.sum(through, 0), np.sum(through, 1), rtol=1e-12)  # what enters a lead leaves it
    assert np.all(through > 0)
    assert np.max(np.abs(through - through.T)) > 0.01  # a magnetic field


@pytest.mark.slow
def test_levels_that_no_lead_reaches_carry_nothing_also_at_resonance():
    through = response.transmission([[LEVEL]], np.zeros((2, 1, 1)), LEVEL)
    np.testing.assert_array_equal(through, np.zeros((2, 2)))
    # a site whose lead sees the sum of two others: their difference, at the energy 0.2, is dark; and so is a site apart
    h = np.array([[0.1, 0.7, 0.7, 0], [0.7, 0.5, 0.3, 0], [0.7, 0.3, 0.5, 0], [0, 0, 0, 0.2]])
    couplings = np.zeros((2, 4, 4))
    couplings[0, 0, 0], couplings[1, 1:3, 1:3] = LEFT, RIGHT / 2
    bright = np.array([[0.1, 0.7 * np.sqrt(2)], [0.7 * np.sqrt(2), 0.8]])
    green = np.linalg.inv(0.2 * np.eye(2) - bright + 0.5j * np.diag([LEFT, RIGHT]))
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))[0]
    for u in (np.eye(4), turn):
        moved = u @ h @ u.T, u @ couplings @ u.T
        through = response.transmission(*moved, 0.2)
        np.testing.assert_allclose(through[0, 1], LEFT * RIGHT * abs(green[0, 1]) ** 2, rtol=1e-12)
        slope = jax.grad(lambda e, moved=moved: response.transmission(*moved, e)[0, 1])(0.2)
        change = -2 * LEFT * RIGHT * (green[0, 1].conj() * (green @ green)[0, 1]).real
        np.testing.assert_allclose(slope, change, rtol=1e-11)


currents = jax.jit(response.landauer)


@pytest.mark.parametrize("width", [1e-6, 0.4, 30.0])
def test_currents_through_one_level_of_any_width(width):
    couplings = width * np.array([[[LEFT]], [[RIGHT]]])
    betas, mus = np.array([0.8, 2.5]), np.array([0.5, -0.3])
    flow = currents(np.array([[LEVEL]]), couplings, betas, mus)

    def integrand(energy):
        f = 1 / (np.exp(betas * (energy - mus)) + 1)
        t = width**2 * LEFT * RIGHT / ((energy - LEVEL) ** 2 + (width * (LEFT + RIGHT)) ** 2 / 4)
        return t * (f[0] - f[1]) / (2 * np.pi)

    points = LEVEL + width * np.array([*-(10.0 ** np.arange(8)), 0, *10.0 ** np.arange(8)])
    points = np.unique(np.clip(points, -50, 60))
    pieces = np.unique(np.concatenate([[-50, -20, -5, -1, 1, 5, 20], points, [60]]))
    known = [
        sum(
            scipy.integrate.quad(lambda e, n=n: e**n * integrand(e), lo, hi, epsabs=1e-14, epsrel=1e-12, limit=200)[0]
            for lo, hi in itertools.pairwise(pieces)
        )
        for n in (0, 1)
    ]
    np.testing.assert_allclose([flow.particle[0], flow.energy[0]], known, rtol=1e-10)
    np.testing.assert_allclose(flow.particle[1], -flow.particle[0], rtol=1e-10)
    np.testing.assert_allclose(flow.heat, flow.energy - mus * flow.particle, rtol=1e-10)


def test_weak_leads_are_those_of_the_master_equation_and_cold_ones_a_window():
    width = 1e-7
    couplings = width * np.array([[[LEFT]], [[RIGHT]]])
    flow = currents(np.array([[LEVEL]]), couplings, np.array([0.8, 2.5]), np.array([0.5, -0.3]))
    known = width * LEFT * RIGHT / (LEFT + RIGHT) * (fermi(0.8, 0.5) - fermi(2.5, -0.3))
    np.testing.assert_allclose(flow.particle[0], known, rtol=1e-6)
    cold = currents(np.array([[LEVEL]]), couplings / width, np.full(2, 1e9), np.array([0.5, -0.3]))
    total = LEFT + RIGHT
    window = np.arctan(2 * (0.5 - LEVEL) / total) - np.arctan(2 * (-0.3 - LEVEL) / total)
    np.testing.assert_allclose(cold.particle[0], LEFT * RIGHT / np.pi / total * window, rtol=1e-12)


@pytest.mark.slow
def test_onsager_matrix_by_scattering():
    """`L_n = int dE / (2 pi) T(E) (E - mu)^n f (1 - f)`; a wire of three sites."""
    h = np.diag([0.2, -0.1, 0.4]) + 0.6 * (np.eye(3, k=1) + np.eye(3, k=-1))
    couplings = np.zeros((2, 3, 3))
    couplings[0, 0, 0], couplings[1, 2, 2] = 0.5, 0.2

    def flows(forces):
        beta, mu = reservoir(forces)
        flow = response.landauer(h, couplings, jnp.stack([beta, jnp.asarray(BETA)]), jnp.stack([mu, jnp.asarray(MU)]))
        return jnp.stack([flow.particle[0], flow.energy[0] - MU * flow.particle[0]])

    matrix = np.asarray(jax.jit(lambda: response.onsager_matrix(flows, 2))())
    energies = np.linspace(-30, 30, 60001)
    through = np.asarray(jax.vmap(lambda e: response.transmission(h, couplings, e)[0, 1])(energies))
    f = np.asarray(fermi(BETA, MU, energies))
    moments = [np.trapezoid(through * f * (1 - f) * (energies - MU) ** n, energies) / (2 * np.pi) for n in range(3)]
    np.testing.assert_allclose(matrix, [[moments[0], moments[1]], [moments[1], moments[2]]], rtol=1e-9)
    assert np.all(np.linalg.eigvalsh(matrix) > 0)


def test_reciprocity_in_a_magnetic_field():
    """Three leads on a ring with a flux: `L_ij(flux) = L_ji(-flux)`, and without reversing it not (Casimir 1945)."""
    leads = 0.3 * np.stack([np.diag(row) for row in np.eye(3)])

    def of_flux(flux):
        hop = np.exp(1j * flux / 3) * np.roll(np.eye(3), 1, axis=0)

        def flows(mu):
            return currents(hop + hop.conj().T, leads, jnp.full(3, BETA), jnp.append(mu, 0.0)).particle[:2]

        return np.asarray(response.onsager_matrix(flows, 2))

    matrix = of_flux(0.8)
    np.testing.assert_allclose(matrix, of_flux(-0.8).T, atol=1e-12)
    assert abs(matrix[0, 1] - matrix[1, 0]) > 0.005
    assert np.all(np.linalg.eigvalsh(matrix + matrix.T) > 0)


def test_refusals():
    generator, state = thermal_qubit(0.9, 0.2), jg.gibbs_state(SZ, BETA)
    with pytest.raises(ValueError, match="steady state of the generator"):
        response.green_kubo(generator, state, SX, SX)
    with pytest.raises(ValueError, match="dimension 2 of the generator"):
        response.green_kubo(generator, jg.gibbs_state(np.eye(3), BETA), SX, SX)
    with pytest.raises(ValueError, match="one column"):
        response.noise_matrix(generator, [[1.0]])
    with pytest.raises(ValueError, match="one current"):
        response.onsager_matrix(lambda x: x[:1], 2)
    with pytest.raises(ValueError, match="matrix for each lead"):
        response.transmission(SZ, SZ, 0.0)
    with pytest.raises(ValueError, match="Hermitian"):
        response.transmission(SZ, [FILL], 0.0)
    with pytest.raises(ValueError, match="one for each of the 1 leads"):
        response.landauer(SZ, [np.eye(2)], [1.0, 1.0], [0.0])
    with pytest.raises(ValueError, match="positive and finite"):
        response.landauer(SZ, [np.eye(2)], [-1.0], [0.0])
    with pytest.raises(ValueError, match="positive semidefinite"):
        response.transmission(SZ, [SZ], 0.0)
