"""Correlations, spectra and susceptibilities of Gibbs states against closed forms, sum rules and slow independent routes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import jaxgibbs as jg
from jaxgibbs import response

RNG = np.random.default_rng(11)
BETA, ETA = 1.3, 0.07
SX, SY, SZ = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])


def hermitian(dim):
    matrix = RNG.normal(size=(dim, dim)) + 1j * RNG.normal(size=(dim, dim))
    return (matrix + matrix.conj().T) / 2


def rotated(levels):
    vectors, _ = np.linalg.qr(RNG.normal(size=(len(levels),) * 2) + 1j * RNG.normal(size=(len(levels),) * 2))
    return (vectors * levels) @ vectors.conj().T, vectors


DEGENERATE, BASIS = rotated([0.0, 0.0, 0.4, 1.1, 1.1, 1.1])
A, B = hermitian(6), hermitian(6)
of_h = {
    name: jax.jit(lambda h, a, b, *rest, f=getattr(response, name): f(jg.gibbs_state(h, rest[0]), a, b, *rest[1:]))
    for name in (
        "time_correlation",
        "dynamic_susceptibility",
        "spectral_function",
        "spectral_lines",
        "dissipation_lines",
        "isothermal_susceptibility",
        "adiabatic_susceptibility",
        "isolated_susceptibility",
    )
}


def by_expm(h, a, b, beta, time):
    """`Tr(e^{-beta H} e^{iHt} A e^{-iHt} B) / Z` by exponentials of matrices, of any complex time."""
    weight = scipy.linalg.expm(-beta * h)
    moved = scipy.linalg.expm(1j * time * h) @ a @ scipy.linalg.expm(-1j * time * h)
    return np.trace(weight @ moved @ b) / np.trace(weight)


def by_liouvillian(h, a, b, beta, z):
    """`Tr(X B)` with `X H - H X - z X = [rho, A]`, by a linear solve of dimension `dim^2`."""
    rho, one = scipy.linalg.expm(-beta * h), np.eye(len(h))
    rho = rho / np.trace(rho)
    x = np.linalg.solve(np.kron(one, h.T) - np.kron(h, one) - z * np.eye(h.size), (rho @ a - a @ rho).ravel())
    return np.trace(x.reshape(h.shape) @ b)


def tilted(p):
    return (p[0] * SZ + p[1] * SX) / 2


FIELD = jnp.array([0.8, 0.5])


def test_two_levels_at_every_time():
    for time in (0.0, 2.3, 1.1 - 0.4j, -1j * BETA):
        value = of_h["time_correlation"](0.4 * SZ, SX, SX, BETA, time)
        exact = np.cos(0.8 * time) - 1j * np.tanh(BETA * 0.4) * np.sin(0.8 * time)
        np.testing.assert_allclose(value, exact, rtol=1e-14)


@pytest.mark.slow
def test_two_levels_at_a_frequency_with_derivatives_in_everything():
    def ours(p, beta, w, eta):
        return response.dynamic_susceptibility(jg.gibbs_state(tilted(p), beta), SZ, SZ, w, eta).imag

    def known(p, beta, w, eta):
        r = jnp.hypot(p[0], p[1])
        return ((p[1] / r) ** 2 * jnp.tanh(beta * r / 2) * 2 * r / (r**2 - (w + 1j * eta) ** 2)).imag

    point = (FIELD, BETA, 0.6, ETA)
    np.testing.assert_allclose(ours(*point), known(*point), rtol=1e-13)
    everything = (0, 1, 2, 3)
    mine, theirs = jax.jit(jax.grad(ours, everything))(*point), jax.grad(known, everything)(*point)
    jax.tree_util.tree_map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-10), mine, theirs)


@pytest.mark.slow
def test_static_susceptibilities_of_two_levels():
    def known(p, beta):
        r = jnp.hypot(p[0], p[1])
        kubo = (p[1] / r) ** 2 * jnp.tanh(beta * r / 2) * 2 / r
        curie = beta * (p[0] / r) ** 2 / jnp.cosh(beta * r / 2) ** 2
        return jnp.stack([kubo + curie, kubo, kubo])  # constant entropy is constant populations here

    def ours(p, beta):
        state = jg.gibbs_state(tilted(p), beta)
        return jnp.stack(
            [
                f(state, SZ, SZ)
                for f in (
                    response.isothermal_susceptibility,
                    response.adiabatic_susceptibility,
                    response.isolated_susceptibility,
                )
            ]
        )

    for beta in (BETA, -0.7):
        np.testing.assert_allclose(ours(FIELD, beta), known(FIELD, beta), rtol=1e-12)
    np.testing.assert_allclose(ours(FIELD, 0.0), 0, atol=1e-16)
    zero = ours(FIELD, np.inf)
    np.testing.assert_allclose(zero, known(FIELD, 1e3), rtol=1e-13)
    mine, theirs = jax.jit(jax.jacrev(ours, (0, 1)))(FIELD, BETA), jax.jacrev(known, (0, 1))(FIELD, BETA)
    jax.tree_util.tree_map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-14), mine, theirs)


@pytest.mark.slow
def test_oscillator_has_one_response_at_every_temperature():
    frequency, count = 0.9, 60
    lower = np.diag(np.sqrt(np.arange(1, count)), 1)
    h, x = frequency * np.diag(np.arange(count)), (lower + lower.T) / np.sqrt(2 * frequency)
    z = 0.5 + 1j * ETA
    for beta in (1.0, 3.0):
        value = of_h["dynamic_susceptibility"](h, x, x, beta, 0.5, ETA)
        np.testing.assert_allclose(value, 1 / (frequency**2 - z**2), rtol=1e-12)
        n = 1 / np.expm1(beta * frequency)
        time = 0.7 - 0.3j
        exact = ((n + 1) * np.exp(-1j * frequency * time) + n * np.exp(1j * frequency * time)) / (2 * frequency)
        np.testing.assert_allclose(of_h["time_correlation"](h, x, x, beta, time), exact, rtol=1e-12)
    for name in ("isothermal", "adiabatic", "isolated"):
        np.testing.assert_allclose(of_h[f"{name}_susceptibility"](h, x, x, 1.0), 1 / frequency**2, rtol=1e-11)


def test_degenerate_spectrum_against_matrix_routes():
    skew = A + 0.3j * B  # not Hermitian
    for time in (1.7, 0.4 - 0.9j):
        value = of_h["time_correlation"](DEGENERATE, skew, B, BETA, time)
        np.testing.assert_allclose(value, by_expm(DEGENERATE, skew, B, BETA, time), atol=1e-13)
    for w in (0.0, 0.4, -1.0):
        value = of_h["dynamic_susceptibility"](DEGENERATE, skew, B, BETA, w, ETA)
        np.testing.assert_allclose(value, by_liouvillian(DEGENERATE, skew, B, BETA, w + 1j * ETA), atol=1e-12)


def test_far_side_of_the_strip_and_no_overflow():
    value = of_h["time_correlation"](DEGENERATE, A, B, BETA, 0.6 - 1j * BETA)
    np.testing.assert_allclose(value, by_expm(DEGENERATE, B, A, BETA, -0.6), atol=1e-14)
    cold = of_h["time_correlation"](1e3 * DEGENERATE, A, B, 5.0, -2.5j)
    ground = BASIS[:, :2]
    pair = np.trace(ground.conj().T @ A @ ground @ ground.conj().T @ B @ ground) / 2
    np.testing.assert_allclose(cold, pair, rtol=1e-10)
    frozen = of_h["time_correlation"](DEGENERATE, A, B, np.inf, 0.3 - 0.5j)
    late = of_h["time_correlation"](DEGENERATE, A, B, 300.0, 0.3 - 0.5j)
    np.testing.assert_allclose(frozen, late, rtol=1e-11)
    inverted = of_h["time_correlation"](DEGENERATE, A, B, -0.8, 0.3 + 0.5j)
    np.testing.assert_allclose(inverted, by_expm(DEGENERATE, A, B, -0.8, 0.3 + 0.5j), atol=1e-13)


def of_coupling(x):
    """Three functions of a coupling whose Hamiltonian is degenerate at 0."""
    h = DEGENERATE + x * (A + B) / 2
    return jnp.stack(
        [
            jnp.real((1 + 0.4j) * of_h[name](h, A, B, BETA, *rest))
            for name, *rest in (
                ("time_correlation", 0.8 - 0.5j),
                ("dynamic_susceptibility", 0.3, ETA),
                ("spectral_function", 0.3, ETA),
            )
        ]
    )


def central(function, step):
    """The derivative at 0 from four values."""
    ends = [function(k * step) for k in (-2, -1, 1, 2)]
    return (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step)


@pytest.mark.slow
def test_derivatives_where_levels_meet():
    slope = central(of_coupling, 1e-4)
    np.testing.assert_allclose(jax.jit(jax.jacrev(of_coupling))(0.0), slope, rtol=1e-8)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(of_coupling))(0.0), slope, rtol=1e-8)


@pytest.mark.slow
def test_second_derivatives_where_levels_meet():
    first = jax.jit(jax.jacrev(of_coupling))
    for transform in (jax.jacrev, jax.jacfwd):
        np.testing.assert_allclose(jax.jit(transform(first))(0.0), central(first, 1e-4), rtol=1e-7)


def test_lines_are_the_spectrum():
    lines = of_h["spectral_lines"](DEGENERATE, A, B, BETA)
    rho = scipy.linalg.expm(-BETA * DEGENERATE)
    rho /= np.trace(rho)
    np.testing.assert_allclose(lines.moment(0) / (2 * np.pi), np.trace(rho @ A @ B), atol=1e-13)
    first = np.trace(rho @ (A @ DEGENERATE - DEGENERATE @ A) @ B)
    np.testing.assert_allclose(lines.moment(1) / (2 * np.pi), first, atol=1e-13)
    edges = np.linspace(-1.25, 1.25, 26)
    bins = lines.binned(edges)
    np.testing.assert_allclose(np.sum(bins), lines.moment(0), atol=1e-13)
    inside = (np.asarray(lines.positions) >= edges[3]) & (np.asarray(lines.positions) < edges[4])
    np.testing.assert_allclose(bins[3], np.sum(np.asarray(lines.weights)[inside]), atol=1e-13)
    value = of_h["spectral_function"](DEGENERATE, A, B, BETA, 0.3, ETA)
    np.testing.assert_allclose(lines.broadened(0.3, ETA), value, rtol=1e-12)
    assert lines.binned([5.0, 6.0])[0] == 0


def test_a_bin_holds_its_lower_edge_and_the_last_both():
    lines = response.SpectralLines(jnp.array([-1.0, 0.0, 1.0, 2.0]), jnp.array([1.0, 2.0, 4.0, 8.0]))
    np.testing.assert_array_equal(lines.binned([-1.0, 0.0, 1.0]), [1.0, 6.0])


def test_dissipation_gives_the_response_and_its_sum_rules():
    """`chi(w) = int chi''(x) / (x - w - i eta) dx / pi`; `int chi''(x) / x dx / pi = chi_K`."""
    lines = of_h["dissipation_lines"](DEGENERATE, A, A, BETA)
    x, weights = np.asarray(lines.positions), np.asarray(lines.weights)
    value = of_h["dynamic_susceptibility"](DEGENERATE, A, A, BETA, 0.3, ETA)
    np.testing.assert_allclose(-lines.transform(0.3 + 1j * ETA) / np.pi, value, rtol=1e-12)
    kubo = of_h["isolated_susceptibility"](DEGENERATE, A, A, BETA)
    np.testing.assert_allclose(lines.moment(-1) / np.pi, kubo, rtol=1e-12)
    rho = np.asarray(jg.gibbs_state(DEGENERATE, BETA).density_matrix())
    commutator = A @ DEGENERATE - DEGENERATE @ A
    double = np.trace(rho @ (commutator @ A - A @ commutator))
    np.testing.assert_allclose(np.sum(weights * x) / np.pi, double.real, rtol=1e-12)


def test_theorems_hold_line_by_line_and_fail_at_another_temperature():
    forward, backward = (of_h["spectral_lines"](DEGENERATE, *pair, BETA) for pair in ((A, B), (B, A)))
    lost = of_h["dissipation_lines"](DEGENERATE, A, B, BETA)
    w = forward.positions
    mirrored = jnp.reshape(
        backward.weights, (6, 6)
    ).T.ravel()  # the line of |j> -> |i> lies at minus that of |i> -> |j>
    assert np.max(response.kms_violation(forward.weights, mirrored, w, BETA)) < 1e-13
    apart = jnp.abs(w) > 1e-9
    violation = response.fluctuation_dissipation_violation(forward.weights, lost.weights, w, BETA)
    assert np.max(violation[apart]) < 1e-12
    wrong = response.kms_violation(forward.weights, mirrored, w, BETA + 0.4)
    np.testing.assert_allclose(wrong, np.tanh(0.2 * np.abs(w)), atol=1e-12)
    twice = of_h["spectral_lines"](DEGENERATE, A, A, BETA)
    mirrored = jnp.reshape(twice.weights, (6, 6)).T.ravel().real
    found = response.effective_beta(twice.weights.real, mirrored, jnp.where(apart, w, 0))
    np.testing.assert_allclose(found[apart], BETA, rtol=1e-11)
    assert np.all(np.isnan(found[~apart]))


def test_three_static_answers_are_ordered():
    for dim in (3, 6):
        h = DEGENERATE if dim == 6 else hermitian(3)
        for beta in (0.3, 4.0):
            x = hermitian(dim)
            isothermal, adiabatic, isolated = (
                float(of_h[f"{name}_susceptibility"](h, x, x, beta)) for name in ("isothermal", "adiabatic", "isolated")
            )
            assert isothermal > adiabatic > isolated > 0
            # constant entropy, by its definition: df changes <A> and S, dbeta brings S back
            rho = scipy.linalg.expm(-beta * h)
            rho /= np.trace(rho)
            energies, vectors = np.linalg.eigh(h)
            inner, p = vectors.conj().T @ x @ vectors, np.exp(-beta * energies) / np.sum(np.exp(-beta * energies))
            level = np.abs(energies[:, None] - energies) < 1e-9
            mean = np.trace(rho @ x).real
            conserved = beta * (np.sum(np.where(level, p[:, None] * np.abs(inner) ** 2, 0)) - mean**2)
            np.testing.assert_allclose(isothermal - isolated, conserved, rtol=1e-10)


def test_isothermal_at_zero_temperature():
    """Perturbation theory of the ground states, the limit from finite temperature, and infinity where they differ in `<A>`."""
    h, x = hermitian(6), hermitian(6)
    energies, vectors = np.linalg.eigh(h)
    inner = vectors.conj().T @ x @ vectors
    for beta, n in ((np.inf, 0), (-np.inf, 5)):
        others = np.delete(np.arange(6), n)
        second = 2 * np.sum(np.abs(inner[n, others]) ** 2 / (energies[others] - energies[n]))
        found = of_h["isothermal_susceptibility"](h, x, x, beta)
        np.testing.assert_allclose(found, second, rtol=1e-12)
        np.testing.assert_allclose(
            response.isothermal_susceptibility(jg.gibbs_state(h, beta), x, x), second, rtol=1e-12
        )
        near = np.sign(beta) * 400 / np.min(np.diff(energies))
        for name in ("isothermal_susceptibility", "adiabatic_susceptibility"):
            np.testing.assert_allclose(of_h[name](h, x, x, beta), of_h[name](h, x, x, near), rtol=1e-10)
    # two ground states: one matrix turns one into the other, one does not lead there, one is the same in both
    splits, harmless = BASIS @ np.diag([1.0, -1, 0, 0, 0, 0]) @ BASIS.conj().T, np.eye(6)[[2, 1, 0, 3, 4, 5]] + 0j
    harmless = BASIS @ (harmless - np.diag([0, 1.0, 0, 0, 0, 0])) @ BASIS.conj().T
    for sign in (1, -1):
        assert of_h["isothermal_susceptibility"](DEGENERATE, splits, sign * splits, np.inf) == sign * np.inf
    # |<0|A|2>|^2 = 1 of one of two ground states, 0.4 below
    value = of_h["isothermal_susceptibility"](DEGENERATE, harmless, harmless, np.inf)
    np.testing.assert_allclose(value, 2 / 0.4 / 2, rtol=1e-12)


@pytest.mark.slow
def test_isothermal_at_zero_temperature_has_derivatives():
    h, x = hermitian(6), hermitian(6)

    def along(t):
        return response.isothermal_susceptibility(jg.gibbs_state(h + t * x, np.inf), x, x)

    step = 1e-4
    difference = (along(step) - along(-step)) / (2 * step)
    np.testing.assert_allclose(jax.jvp(along, (0.0,), (1.0,))[1], difference, rtol=1e-5)
    for beta, levels, exists in ((np.inf, h, False), (1.0, DEGENERATE, True)):
        slope = jax.grad(lambda b, levels=levels: of_h["isothermal_susceptibility"](levels, A, A, b))(beta)
        assert np.isfinite(slope) == exists


def test_adiabatic_is_the_response_at_constant_entropy():
    h, x = hermitian(4), hermitian(4)

    def mean(f, beta):
        return jg.gibbs_state(h - f * x, beta).expectation(x)

    def entropy(f, beta):
        return jg.entropy(h - f * x, beta)

    slope = -jax.grad(entropy)(0.0, BETA) / jax.grad(entropy, 1)(0.0, BETA)
    expected = jax.grad(mean)(0.0, BETA) + slope * jax.grad(mean, 1)(0.0, BETA)
    np.testing.assert_allclose(of_h["adiabatic_susceptibility"](h, x, x, BETA), expected, rtol=1e-11)


@pytest.mark.slow
def test_where_the_energy_does_not_fluctuate():
    value = [of_h[f"{n}_susceptibility"](3 * np.eye(2), SZ, SZ, BETA) for n in ("isothermal", "adiabatic", "isolated")]
    np.testing.assert_allclose(value, [BETA, BETA, 0], atol=1e-13)


@pytest.mark.slow
def test_isolated_response_has_derivatives_that_leave_levels_whole():
    whole = (BASIS * np.array([0.3, 0.3, -0.2, 0.1, 0.1, 0.1])) @ BASIS.conj().T + 0j

    def of_coupling(x, move):
        return of_h["isolated_susceptibility"](DEGENERATE + x * move, A, A, BETA)

    step = 1e-5
    slope = (of_coupling(step, whole) - of_coupling(-step, whole)) / (2 * step)
    np.testing.assert_allclose(jax.jvp(lambda x: of_coupling(x, whole), (0.0,), (1.0,))[1], slope, rtol=1e-7)
    assert np.isnan(jax.jvp(lambda x: of_coupling(x, A), (0.0,), (1.0,))[1])
    assert np.isnan(jax.grad(lambda x: of_coupling(x, whole))(0.0))


def test_lines_have_no_derivatives():
    def weight(beta):
        return jnp.sum(response.spectral_lines(jg.gibbs_state(DEGENERATE, beta), A, A).weights).real

    assert np.isnan(jax.grad(weight)(BETA))


def test_sectors_blocks_and_a_sweep_of_frequencies():
    chain = jg.models.xxz_chain(4, 1.0, 0.5, field=0.3)
    state = jg.gibbs_state(chain, BETA)
    whole = jg.gibbs_state(chain.to_dense(), BETA)
    flip = np.kron(np.kron(SX, np.eye(2)), np.eye(4))
    frequencies = np.linspace(-2, 2, 5)

    def spectrum(state):
        return jax.vmap(lambda w: response.spectral_function(state, flip, flip, w, ETA))(frequencies)

    np.testing.assert_allclose(spectrum(state), spectrum(whole), rtol=1e-11)
    operator = jg.models.xxz_chain(4, 0.0, 0.0, field=1.0)
    np.testing.assert_allclose(response.isolated_susceptibility(state, operator, operator), 0, atol=1e-12)


def test_refusals():
    state = jg.gibbs_state(DEGENERATE, BETA)
    for time in (-1.5j * BETA, 0.1j):
        with pytest.raises(ValueError, match="strip"):
            response.time_correlation(state, A, B, time)
    with pytest.raises(ValueError, match="must be a scalar"):
        response.time_correlation(state, A, B, [0.0, 1.0])
    with pytest.raises(ValueError, match="shape"):
        response.spectral_lines(state, A, SX)
    with pytest.raises(ValueError, match="finite"):
        response.spectral_lines(state, A * np.nan, A)
    with pytest.raises(ValueError, match="`eta` must be positive"):
        response.dynamic_susceptibility(state, A, B, 0.1, 0.0)
    with pytest.raises(ValueError, match="real scalar"):
        response.spectral_function(state, A, B, 0.1j, ETA)
    with pytest.raises(ValueError, match="Gibbs state as"):
        response.spectral_lines(DEGENERATE, A, B)
    with pytest.raises(ValueError, match="one matrix"):
        response.spectral_lines(jg.gibbs_state(jg.operators.Spectrum([0.0, 1.0]), BETA), SX, SX)
    with pytest.raises(ValueError, match="stack of shape"):
        response.spectral_lines(jax.vmap(lambda beta: jg.gibbs_state(DEGENERATE, beta))(jnp.ones(2)), A, B)
    with pytest.raises(ValueError, match="operator or a matrix"):
        response.spectral_lines(state, None, B)
    with pytest.raises(ValueError, match="must be real"):
        response.effective_beta(1j, 1.0, 1.0)
    lines = response.spectral_lines(state, A, B)
    with pytest.raises(ValueError, match="two numbers"):
        lines.binned([1.0])
    with pytest.raises(ValueError, match="ascending"):
        lines.binned([1.0, 0.0])
    assert np.isnan(of_h["dynamic_susceptibility"](DEGENERATE, A, B, BETA, 0.1, -1.0))
    assert np.isnan(of_h["time_correlation"](DEGENERATE, A, B, BETA, 1j))
