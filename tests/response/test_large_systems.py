"""Spectra by Krylov spaces and by Chebyshev polynomials: against exact lines, closed forms, and their own error bars."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

import jaxgibbs as jg
from jaxgibbs import models, response
from jaxgibbs.linalg import unit_vectors
from jaxgibbs.operators import Dense, PauliSum, PauliTerms
from jaxgibbs.operators.local import fermion_annihilation

RNG = np.random.default_rng(5)
SITES = 8
RING = models.heisenberg_ring(SITES)
STAGGERED = models.heisenberg_ring(SITES, 0.0, [(-1.0) ** i for i in range(SITES)])
FREQUENCIES = np.linspace(-1.0, 4.0, 11)


def broadened(lines, eta):
    return jax.vmap(lambda w: lines.broadened(w, eta))(FREQUENCIES)


def with_gaussians(lines, eta):
    x = (FREQUENCIES[:, None] - np.asarray(lines.positions)) / eta
    return np.exp(-(x**2) / 2) @ np.asarray(lines.weights).real / (eta * np.sqrt(2 * np.pi))


@pytest.fixture(scope="module")
def ground():
    return jg.gibbs_state(RING, np.inf, method=jg.Lanczos(probes=1, depth=30, deflation=2))


@pytest.fixture(scope="module")
def exact_ground():
    return jg.gibbs_state(RING, np.inf, method=jg.Exact())


@pytest.mark.slow
def test_ground_state_against_exact_lines(ground, exact_ground):
    """Thirty vectors of 256 are enough: the ground state and this operator see few of the states."""
    spectrum = response.krylov_spectrum(ground, STAGGERED)
    lines = response.spectral_lines(exact_ground, STAGGERED, STAGGERED)
    for order in range(4):
        np.testing.assert_allclose(spectrum.lines.moment(order), lines.moment(order), rtol=1e-10)
    for eta in (0.3, 0.03):
        np.testing.assert_allclose(broadened(spectrum.lines, eta), broadened(lines, eta), atol=1e-8)
    assert float(spectrum.standard_error(lambda lines: lines.moment(0))) == 0
    times = np.array([0.0, 0.6, 7.0, 40.0])
    moved = response.chebyshev_correlation(ground, STAGGERED, times)
    known = jax.vmap(lambda t: response.time_correlation(exact_ground, STAGGERED, STAGGERED, t))(times)
    np.testing.assert_allclose(moved.value, known, atol=1e-9)
    assert np.all(moved.error == 0)
    assert float(moved.stats["truncation"]) < 1e-12
    seen = response.chebyshev_spectrum(ground, STAGGERED, FREQUENCIES, 0.2)
    np.testing.assert_allclose(seen.value, with_gaussians(lines, 0.2), atol=1e-8)
    assert np.all(response.chebyshev_spectrum(ground, STAGGERED, [50.0], 0.5).value == 0)


@pytest.mark.slow
def test_what_the_depth_misses_is_what_the_error_says(ground, exact_ground):
    one = models.heisenberg_ring(SITES, 0.0, [1.0] + [0.0] * (SITES - 1))
    spectrum = response.krylov_spectrum(ground, one, depth=12)
    lines = response.spectral_lines(exact_ground, one, one)
    for eta in (0.3, 0.1):
        said = np.max(spectrum.systematic_error(lambda lines, eta=eta: broadened(lines, eta)))
        missed = np.max(np.abs(broadened(spectrum.lines, eta) - broadened(lines, eta)))
        assert said / 100 < missed < said


@pytest.mark.slow
@pytest.mark.parametrize("a", [None, "another"])
def test_every_unit_vector_makes_the_trace_exact(a):
    """With `dim` probes, the unit vectors, nothing is random: any operators, complex, at a finite temperature."""
    h, other = (x + x.conj().T for x in RNG.normal(size=(2, 12, 12)) + 1j * RNG.normal(size=(2, 12, 12)))
    b, beta = RNG.normal(size=(12, 12)) + 1j * RNG.normal(size=(12, 12)), 0.4
    a = None if a is None else other @ b
    method = jg.Lanczos(probes=12, depth=12, distribution=unit_vectors)
    state, exact = (jg.gibbs_state(Dense(h), beta, method=m) for m in (method, jg.Exact()))
    left = b.conj().T if a is None else a
    spectrum = response.krylov_spectrum(state, b, a)
    lines = response.spectral_lines(exact, left, b)
    np.testing.assert_allclose(broadened(spectrum.lines, 0.3), broadened(lines, 0.3), atol=1e-9)
    assert jnp.iscomplexobj(spectrum.lines.weights) == (a is not None)
    times = np.array([0.3, 2.0])
    moved = response.chebyshev_correlation(state, b, times, a)
    known = jax.vmap(lambda t: response.time_correlation(exact, left, b, t))(times)
    np.testing.assert_allclose(moved.value, known, atol=1e-10)
    if a is not None:
        functions = response.krylov_spectrum(state, lambda v: b @ v, lambda v: a @ v)
        np.testing.assert_allclose(broadened(functions.lines, 0.3), broadened(lines, 0.3), atol=1e-9)
        return
    seen = response.chebyshev_spectrum(state, b, FREQUENCIES, 0.3)
    np.testing.assert_allclose(seen.value, with_gaussians(lines, 0.3), atol=1e-8)


@pytest.mark.slow
def test_all_ground_states_of_a_level_count():
    """A ring of seven spins has four, of two momenta."""
    ring = models.heisenberg_ring(7)
    state = jg.gibbs_state(ring, np.inf, method=jg.Lanczos(probes=1, depth=30, deflation=(6, 0)))
    one = models.heisenberg_ring(7, 0.0, [1.0] + [0.0] * 6)
    lines = response.spectral_lines(jg.gibbs_state(ring, np.inf, method=jg.Exact()), one, one)
    found = response.krylov_spectrum(state, one, depth=60).lines
    np.testing.assert_allclose(broadened(found, 0.1), broadened(lines, 0.1), atol=1e-8)


def test_a_krylov_space_that_is_whole_misses_nothing():
    state = jg.gibbs_state(
        np.diag([0.0, 0.3, 1.0]), 1.0, method=jg.Lanczos(probes=3, depth=3, distribution=unit_vectors)
    )
    spectrum = response.krylov_spectrum(state, np.ones((3, 3)))
    assert float(spectrum.systematic_error(lambda lines: lines.broadened(0.3, 0.1))) == 0


@pytest.mark.slow
def test_samples_lie_within_their_errors():
    beta, eta = 1.5, 0.3
    state = jg.gibbs_state(RING, beta, method=jg.Lanczos(probes=16, depth=40, deflation=2))
    exact = jg.gibbs_state(RING, beta, method=jg.Exact())
    lines = response.spectral_lines(exact, STAGGERED, STAGGERED)
    spectrum = response.krylov_spectrum(state, STAGGERED)

    def read(lines):
        return broadened(lines, eta)

    error = spectrum.standard_error(read)
    systematic = spectrum.systematic_error(read)
    assert np.all(np.abs(read(spectrum.lines) - read(lines)) < 5 * error + systematic)
    assert np.max(systematic) < np.max(error) < 0.2 * np.max(read(lines))
    seen = response.chebyshev_spectrum(state, STAGGERED, FREQUENCIES, eta)
    assert np.all(np.abs(seen.value - with_gaussians(lines, eta)) < 5 * seen.error + 1e-6)
    assert np.max(seen.error) < 0.2 * np.max(seen.value)


@pytest.mark.slow
def test_spin_in_an_endless_chain_at_infinite_temperature():
    """`<S_z(t) S_z> = J_0(J t)^2 / 4` of `J (S_x S_x + S_y S_y)`, for times at which the ends are not seen (Niemeijer 1967)."""
    sites, times = 13, np.linspace(0.0, 5.0, 11)
    state = jg.gibbs_state(models.xx_chain(sites, 1.0), 0.0, method=jg.Lanczos(probes=8, depth=8))
    middle = PauliSum({"spin": 0.5}, PauliTerms.from_strings(sites, {"spin": "Z6"}))
    found = response.chebyshev_correlation(state, middle, times)
    known = scipy.special.j0(times) ** 2 / 4
    assert np.all(np.abs(found.value - known) < 5 * found.error + 1e-4)  # 1e-4: the ends
    assert np.max(found.error) < 0.01


@pytest.mark.slow
def test_electrons_added_to_hubbard_sites():
    """`c^dagger = (X - iY) / 2` with a string of `Z`, as a function of vectors; the line shape is that of `greater_lines`."""
    hamiltonian = models.fermi_hubbard(models.chain_lattice(2), 0.7, 2.4, 1.2)
    x, y = (PauliSum({"x": 0.5}, PauliTerms.from_strings(4, {"x": f"Z0 {p}1"})) for p in "XY")
    parts = x.linear_map(), y.linear_map()
    state = jg.gibbs_state(hamiltonian, np.inf, method=jg.Lanczos(probes=1, depth=16, deflation=2))
    added = response.krylov_spectrum(state, lambda v: parts[0](v) - 1j * parts[1](v.astype(complex)))
    known = response.greater_lines(jg.gibbs_state(hamiltonian, np.inf, method=jg.Exact()), fermion_annihilation(1, 4))
    np.testing.assert_allclose(broadened(added.lines, 0.2) / (2 * np.pi), broadened(known, 0.2), atol=1e-8)


@pytest.mark.slow
def test_inside_a_program_in_single_precision():
    """Spins of one, a sweep of temperatures under `jit(vmap)`: the numbers are those outside, of the precision of the couplings."""
    couplings = np.ones(3, np.float32)
    chain, field = (
        models.heisenberg_chain(4, couplings, spin=1),
        models.heisenberg_chain(4, 0 * couplings, np.float32([1, -1, 1, -1]), spin=1),
    )
    method = jg.Lanczos(probes=2, depth=12)

    @jax.jit
    def sweep(betas):
        def at(beta):
            state = jg.gibbs_state(chain, beta, method=method)
            spectrum = response.krylov_spectrum(state, field)
            moved = response.chebyshev_correlation(state, field, np.float32([0.0, 0.5, 3.0]))
            return broadened(spectrum.lines, np.float32(0.5)), moved.value, moved.error

        return jax.vmap(at)(betas)

    spectra, values, errors = sweep(np.float32([0.2, 1.0]))
    assert spectra.dtype == errors.dtype == jnp.float32
    assert values.dtype == jnp.complex64
    wide = models.heisenberg_chain(4, 1.0, spin=1)
    probe = models.heisenberg_chain(4, 0.0, [1.0, -1.0, 1.0, -1.0], spin=1)
    state = jg.gibbs_state(wide, 1.0, method=method)
    np.testing.assert_allclose(spectra[1], broadened(response.krylov_spectrum(state, probe).lines, 0.5), atol=2e-4)
    alone = response.chebyshev_correlation(state, probe, [0.0, 0.5, 3.0])
    np.testing.assert_allclose(values[1], alone.value, atol=2e-4)


@pytest.mark.slow
def test_refusals(ground, exact_ground):
    with pytest.raises(ValueError, match="by `method=Lanczos"):
        response.krylov_spectrum(exact_ground, STAGGERED)
    with pytest.raises(ValueError, match="by `method=Lanczos"):
        response.chebyshev_spectrum(ground.spectrum, STAGGERED, [0.0], 0.1)
    with pytest.raises(ValueError, match="an operator or a matrix, but is a `str`"):
        response.krylov_spectrum(ground, "Z0")
    with pytest.raises(ValueError, match="must be larger, but 1e-09 asks for"):
        response.chebyshev_spectrum(ground, STAGGERED, [0.0], 1e-9)
    with pytest.raises(ValueError, match="dimension of the Hamiltonian"):
        response.krylov_spectrum(ground, models.heisenberg_ring(4))
    with pytest.raises(ValueError, match="shape"):
        response.krylov_spectrum(ground, np.eye(2))
    with pytest.raises(ValueError, match="must take vectors"):
        response.krylov_spectrum(ground, lambda v: v[:2])
    with pytest.raises(ValueError, match="depth"):
        response.krylov_spectrum(ground, STAGGERED, depth=0)
    with pytest.raises(ValueError, match="`beta` must be finite"):
        response.krylov_spectrum(jg.thermal_spectrum(RING, method=jg.Lanczos(probes=2, depth=8)).at(np.inf), STAGGERED)
    several = jg.gibbs_state(models.heisenberg_ring(5), np.inf, method=jg.Lanczos(probes=1, depth=30, deflation=2))
    for function in (response.krylov_spectrum, lambda state, b: response.chebyshev_correlation(state, b, [0.0])):
        with pytest.raises(ValueError, match="must hold all ground states"):
            function(several, models.heisenberg_ring(5))
    with pytest.raises(ValueError, match="ascend"):
        response.chebyshev_correlation(ground, STAGGERED, [1.0, 0.0])
    with pytest.raises(ValueError, match="must lie closer"):
        response.chebyshev_correlation(ground, STAGGERED, [0.0, 1e5])
    with pytest.raises(ValueError, match="`eta` must be positive"):
        response.chebyshev_spectrum(ground, STAGGERED, [0.0], 0.0)
    with pytest.raises(ValueError, match="real vector"):
        response.chebyshev_spectrum(ground, STAGGERED, 0.0, 0.1)
    with pytest.raises(ValueError, match="outside `jit`"):
        jax.jit(lambda eta: response.chebyshev_spectrum(ground, STAGGERED, [0.0], eta).value)(0.1)
    method = jg.Lanczos(probes=1, depth=8)

    def of_coupling(function, coupling):
        return function(jg.gibbs_state(models.heisenberg_chain(4, coupling), 1.0, method=method))

    field = models.heisenberg_chain(4, 0.0, [1.0, -1.0, 1.0, -1.0])
    for function in (
        lambda state: response.krylov_spectrum(state, field).lines.broadened(0.1, 0.1),
        lambda state: response.chebyshev_correlation(state, field, [0.1]).value.real[0],
    ):
        with pytest.raises(ValueError, match="must not be differentiated"):
            jax.grad(lambda coupling, function=function: of_coupling(function, coupling))(1.0)
    with pytest.raises(ValueError, match="must not be differentiated"):
        jax.grad(lambda x: response.krylov_spectrum(ground, lambda v: x * v).lines.moment(0))(1.0)
