"""The Davies generator against sums over clusters written out, closed forms, laws of thermodynamics, and finite differences."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import direction, with_levels
from jaxgibbs.linalg import vectorize
from jaxgibbs.open_systems import collective
from jaxgibbs.open_systems.bohr import bohr_clusters

SX, SZ = np.array([[0.0, 1], [1, 0]]), np.diag([1.0, -1])
HOT, COLD = jg.OhmicBath(0.7, 1e-4, 5.0), jg.OhmicBath(2.0, 2e-4, 3.0)
LADDER = np.diag(np.sqrt(np.arange(1.0, 5)), 1)


class SpinBath(jg.baths.AbstractBath):
    """`gamma(w) = strength / (1 + e^{-beta w})`: of a bounded spectrum, for `beta` of either sign."""

    beta: jax.Array
    strength: jax.Array

    def __init__(self, beta, strength):
        self.beta, self.strength = jnp.asarray(beta), jnp.asarray(strength)

    @property
    def scale(self):
        return jnp.ones(())

    def rate(self, frequency):
        return self.strength * jax.nn.sigmoid(self.beta * frequency)


class BrokenBath(SpinBath):
    """A bath whose rate at `w` is multiplied by `1 + skew w`."""

    skew: float

    def __init__(self, beta, strength, skew):
        super().__init__(beta, strength)
        self.skew = skew

    def rate(self, frequency):
        return super().rate(frequency) * (1 + self.skew * frequency)


def reference(hamiltonian, couplings, tolerance=1e-7):
    """The matrix of `L` on stacked columns: a loop over couplings and frequencies."""
    levels, vectors = np.linalg.eigh(hamiltonian)
    differences, one = levels[None, :] - levels[:, None], np.eye(len(levels))
    frequencies = []
    for w in np.sort(differences.ravel()):
        if not frequencies or w - frequencies[-1] > tolerance:
            frequencies.append(w)
    effective, total = hamiltonian.astype(complex), 0
    for coupling, bath in couplings:
        elements = vectors.conj().T @ coupling @ vectors
        for w in frequencies:
            jump = vectors @ np.where(np.abs(differences - w) < tolerance, elements, 0) @ vectors.conj().T
            loss = jump.conj().T @ jump
            effective = effective + float(bath.lamb_shift(w)) * loss
            total = total + float(bath.rate(w)) * (
                np.kron(jump.conj(), jump) - (np.kron(one, loss) + np.kron(loss.T, one)) / 2
            )
    return total - 1j * (np.kron(one, effective) - np.kron(effective.T, one))


def systems():
    rng = np.random.default_rng(3)
    for name, hamiltonian in {
        "generic": direction(rng, 4, True),
        "degenerate": with_levels(rng, [0.0, 0.0, 1.0, 2.0], True),
        "ladder": np.diag([0.0, 1.0, 2.0, 3.0]),
        "one level": np.eye(4),
        "one state": np.array([[0.3]]),
    }.items():
        dim = len(hamiltonian)
        yield name, (hamiltonian, [(direction(rng, dim, True), HOT), (direction(rng, dim, True), COLD)])


SYSTEMS = dict(systems())


@eqx.filter_jit
def dense(generator):
    return generator.to_dense()


@eqx.filter_jit
def images(generator, x):
    """`L(x)`, `L^+(x)`, and the dissipator of each bath."""
    return generator(x), generator.adjoint(x), [generator.dissipator(x, label) for label in generator.baths]


MOST_SYSTEMS = [pytest.param(name, marks=() if name == "one state" else pytest.mark.slow) for name in SYSTEMS]


@pytest.mark.slow
@pytest.mark.parametrize("name", MOST_SYSTEMS)
def test_the_generator_is_the_sum_over_clusters(name):
    hamiltonian, couplings = SYSTEMS[name]
    generator = jg.davies(hamiltonian, couplings, baths=("hot", "cold"))
    dim, rng = len(hamiltonian), np.random.default_rng(5)
    x = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))
    expected = reference(hamiltonian, couplings)
    np.testing.assert_allclose(dense(generator), expected, atol=1e-14)
    image, adjoint, parts = images(generator, x)
    np.testing.assert_allclose(vectorize(image), expected @ vectorize(x), atol=1e-14)
    np.testing.assert_allclose(vectorize(adjoint), expected.conj().T @ vectorize(x), atol=1e-14)
    assert generator.separate == (name in ("generic", "one state"))
    assert generator.baths == ("hot", "cold")
    np.testing.assert_allclose(generator.betas, [0.7, 2.0])
    free = vectorize(generator.hamiltonian_matrix() @ x - x @ generator.hamiltonian_matrix())
    np.testing.assert_allclose(vectorize(sum(parts)), expected @ vectorize(x) + 1j * free, atol=1e-14)
    np.testing.assert_allclose(parts[1], images(jg.davies(hamiltonian, couplings[1:]), x)[2][0], atol=1e-14)


@pytest.mark.parametrize("name", MOST_SYSTEMS)
def test_one_bath_leads_to_its_gibbs_state_and_the_generator_commutes_with_the_free_evolution(name):
    hamiltonian, couplings = SYSTEMS[name]
    generator = jg.davies(hamiltonian, [(operator, HOT) for operator, _ in couplings])
    scale, state = np.linalg.norm(dense(generator)), jg.gibbs_state(hamiltonian, 0.7).density_matrix()
    if len(hamiltonian) == 1:
        scale = 1.0
    assert np.linalg.norm(images(generator, np.array(state) + 0j)[0]) < 1e-13 * scale
    rng = np.random.default_rng(1)
    x = rng.normal(size=hamiltonian.shape)
    commutator = hamiltonian @ x - x @ hamiltonian
    image = images(generator, x + 0j)[0]
    np.testing.assert_allclose(
        images(generator, commutator + 0j)[0], hamiltonian @ image - image @ hamiltonian, atol=1e-12 * scale
    )
    shift = generator.lamb_shift_matrix()
    np.testing.assert_allclose(hamiltonian @ shift, shift @ hamiltonian, atol=1e-13)
    rates = generator.transition_rates(generator.eigenvectors)
    levels = np.linalg.eigvalsh(hamiltonian)
    np.testing.assert_allclose(rates @ np.exp(-0.7 * levels), 0, atol=1e-14)
    np.testing.assert_allclose(np.sum(rates, axis=0), 0, atol=1e-15)


@pytest.mark.slow
def test_large_systems_go_row_by_row(monkeypatch):
    hamiltonian, couplings = SYSTEMS["degenerate"]
    generator = jg.davies(hamiltonian, couplings)
    x = np.random.default_rng(0).normal(size=hamiltonian.shape)
    expected = generator(x), generator.adjoint(x)
    monkeypatch.setattr(collective, "_LARGEST_KERNEL", 2)
    np.testing.assert_allclose(generator(x), expected[0], atol=1e-15)
    np.testing.assert_allclose(generator.adjoint(x), expected[1], atol=1e-15)
    np.testing.assert_allclose(generator.to_dense(), reference(hamiltonian, couplings), atol=1e-14)

    def loss(rows):
        monkeypatch.setattr(collective, "_LARGEST_KERNEL", 2 if rows else 32)
        return jax.grad(lambda s: jnp.sum((jg.davies(hamiltonian, [(s * couplings[0][0], HOT)])(x)).real ** 2))(1.0)

    np.testing.assert_allclose(loss(True), loss(False), rtol=1e-12)


def test_a_qubit_relaxes_and_dephases_at_the_known_rates():
    gap, bath = 1.3, HOT
    generator = jg.davies(gap / 2 * SZ, [(SX, bath), (SZ, COLD)])
    down, up, pure = bath.rate(gap), bath.rate(-gap), COLD.rate(0.0)
    shift = bath.lamb_shift(gap) - bath.lamb_shift(-gap)
    decay = (down + up) / 2 + 2 * pure  # D[sigma_z] damps coherences at twice its rate
    expected = [0, -(down + up), -decay + 1j * (gap + shift), -decay - 1j * (gap + shift)]
    found = np.linalg.eigvals(dense(generator))
    np.testing.assert_allclose(
        sorted(found, key=lambda z: (z.real, z.imag)), sorted(expected, key=lambda z: (z.real, z.imag)), atol=1e-13
    )


@pytest.mark.slow
def test_arrays_of_a_generator_are_the_generator():
    coupling = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 1.0], [0.5, 1.0, 0.0]])
    baths = [(coupling, jg.OhmicBath(1.0, 0.01, 4.0)), (coupling @ coupling, jg.baths.DrudeLorentzBath(2.0, 0.02, 3.0))]
    generator = jg.davies(np.diag([0.0, 1.0, 2.0]), baths, baths=("a", "b"))
    rho = np.diag([0.5, 0.3, 0.2]) + 0.1 * coupling
    jumps, rates = generator.collective_jumps()
    found = np.einsum("k,kij,jl,kml->im", rates, jumps, rho, np.conj(jumps))
    np.testing.assert_allclose(found, generator.jump_map()(rho), atol=1e-15)
    arrays = generator.prepared()
    np.testing.assert_allclose(arrays(rho), generator(rho), atol=1e-15)
    np.testing.assert_allclose(arrays.dissipator(rho, "b"), generator.dissipator(rho, "b"), atol=1e-15)
    np.testing.assert_allclose(arrays.system_hamiltonian(), generator.system_hamiltonian(), atol=0)
    with pytest.raises(ValueError, match="must be one of"):
        arrays.jump_map("c")


@pytest.mark.slow
def test_an_oscillator_is_one_collective_jump_each_way_with_the_gap_of_half_its_decay_rate():
    number, frequency = LADDER.T @ LADDER, 1.0
    cold = jg.OhmicBath(np.inf, 0.01, 5.0)
    generator = jg.davies(frequency * number, [(LADDER + LADDER.T, cold)], lamb_shift=False)
    kappa = float(cold.rate(frequency))
    lindblad = jg.Lindbladian(frequency * number, [LADDER], [kappa])
    np.testing.assert_allclose(generator.to_dense(), lindblad.to_dense(), atol=1e-15)
    slowest = np.sort(-np.linalg.eigvals(dense(generator)).real)
    np.testing.assert_allclose(slowest[:2], [0, kappa / 2], atol=1e-14)
    assert set(np.unique(generator.clusters)) == set(range(-4, 5))


def test_a_table_need_not_reach_where_nothing_is_driven():
    """A coupling without diagonal elements asks for no rate at frequency 0."""
    frequencies = np.array([1.0, 1.5, 2.0, 3.0])
    table = jg.baths.TabulatedBath(0.7, frequencies, HOT.rate(frequencies))
    generator = jg.davies(np.diag([0.0, 2.0]), [(SX, table)], lamb_shift=False)
    emission = float(HOT.rate(2.0))
    np.testing.assert_allclose(
        generator.transition_rates()[[0, 1], [1, 0]], [emission, emission * np.exp(-1.4)], rtol=1e-12
    )
    with pytest.raises(ValueError, match="must lie within the table"):
        jg.davies(np.diag([0.0, 2.0]), [(SX + SZ, table)], lamb_shift=False)


@pytest.mark.parametrize("beta", [-1.2, 0.0, 0.9])
def test_a_bounded_bath_may_have_any_temperature(beta):
    hamiltonian, couplings = SYSTEMS["generic"]
    generator = jg.davies(hamiltonian, [(couplings[0][0], SpinBath(beta, 1e-3))], lamb_shift=False)
    state = jg.gibbs_state(hamiltonian, beta).density_matrix()
    np.testing.assert_allclose(generator(state), 0, atol=1e-15)


@pytest.mark.slow
def test_at_zero_temperature_nothing_goes_up_and_derivatives_are_exact():
    hamiltonian, couplings = SYSTEMS["generic"]
    _levels, vectors = np.linalg.eigh(hamiltonian)

    def generator(strength):
        return jg.davies(hamiltonian, [(couplings[0][0], jg.OhmicBath(np.inf, strength, 5.0))])

    rates = generator(1e-4).transition_rates(vectors)
    assert np.all(np.triu(rates, 1) >= 0)
    assert np.max(np.tril(rates, -1)) < 1e-15 * np.max(rates)
    ground = np.outer(vectors[:, 0], vectors[:, 0].conj())
    np.testing.assert_allclose(generator(1e-4)(ground), 0, atol=1e-15)
    for strength in (0.0, 1e-4):
        slope = jax.jvp(lambda s: generator(s).transition_rates(vectors), (strength,), (1.0,))[1]
        np.testing.assert_allclose(slope, 1e4 * rates, atol=1e-11)
        assert np.all(np.isfinite(jax.grad(lambda s: jnp.sum(generator(s)(couplings[0][0]).real ** 2))(strength)))


def test_two_baths_at_a_degeneracy_are_discontinuous_as_they_should():
    """Of a V system: with one frequency the two upper states interfere, with two they do not; the tolerance decides."""
    one, two = np.zeros((2, 3, 3))
    one[0, 1:] = one[1:, 0] = 1.0
    two[0, 1:] = two[1:, 0] = [1.0, -0.4]

    def steady(splitting):
        generator = jg.davies(
            np.diag([0.0, 1.0, 1.0 + splitting]), [(one, HOT), (two, COLD)], lamb_shift=False, tolerance=1e-9
        )
        matrix = np.array(dense(generator))
        values, vectors = np.linalg.eig(matrix)
        state = vectors[:, np.argmin(np.abs(values))].reshape(3, 3)
        return (state / np.trace(state)).real[0, 0], np.sort(np.abs(values))[1]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (together, gap), (apart, _) = steady(1e-10), steady(1e-7)
    assert gap > 1e-6
    assert abs(together - apart) > 0.01
    np.testing.assert_allclose(steady(0.0)[0], together, atol=1e-6)


@pytest.mark.slow
def test_jit_vmap_and_single_precision():
    rng = np.random.default_rng(11)
    first, second = (jg.operators.Dense(direction(rng, 4).astype(np.float32)) for _ in range(2))
    coupling, x = direction(rng, 4).astype(np.float32), direction(rng, 4).astype(np.float32)

    def value(fields):
        generator = jg.davies(fields[0] * first + fields[1] * second, [(coupling, HOT)])
        assert generator.dtype == jnp.complex64
        return jnp.sum(generator(x) * x).real + jnp.sum(generator.adjoint(x) * x.T).real

    fields = np.array([[0.5, 0.2], [0.1, 0.9], [0.7, -0.7]], np.float32)
    slopes = jax.jit(jax.vmap(jax.grad(value)))(fields)
    assert slopes.dtype == jnp.float32
    expected = np.stack([jax.grad(value)(row) for row in fields])
    np.testing.assert_allclose(slopes, expected, rtol=2e-3, atol=1e-5)
    deep = jax.jit(lambda g, x: g(x))(jg.davies(np.diag([0.0, 1.0, 2.0, 3.0]), [(coupling.astype(float), HOT)]), x)
    np.testing.assert_allclose(
        vectorize(deep), reference(np.diag([0.0, 1, 2, 3]), [(coupling, HOT)]) @ vectorize(x), atol=1e-8
    )


# -- local and global ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_local_generator_may_carry_heat_from_cold_to_hot():
    """Two qubits, weakly coupled: heat of the full Hamiltonian under local jumps breaks the second law (Levy & Kosloff 2014)."""
    raising = np.array([[0.0, 1], [0, 0]])
    upper, lower = np.kron(SZ, np.eye(2)) / 2, np.kron(np.eye(2), SZ) / 2
    exchange = np.kron(raising, raising.T) + np.kron(raising.T, raising)
    couplings = [
        (np.kron(SX, np.eye(2)), jg.OhmicBath(1.0, 0.01, 50.0)),
        (np.kron(np.eye(2), SX), jg.OhmicBath(0.5, 0.01, 50.0)),
    ]
    free, labels = 1.0 * upper + 2.5 * lower, ("cold", "hot")
    full = free + 0.05 * exchange
    everywhere = jg.davies(full, couplings, baths=labels, lamb_shift=False)
    local = jg.davies(free, couplings, baths=labels, lamb_shift=False) + jg.Lindbladian(0.05 * exchange, [])
    np.testing.assert_allclose(local.hamiltonian_matrix(), everywhere.hamiltonian_matrix(), atol=1e-15)

    def production(generator, energy):
        values, vectors = np.linalg.eig(np.array(dense(generator)))
        state = vectors[:, np.argmin(np.abs(values))].reshape(4, 4).T
        state = state / np.trace(state)
        heats = [np.trace(energy @ generator.dissipator(state, label)).real for label in labels]
        return -(1.0 * heats[0] + 0.5 * heats[1]), sum(heats)

    rate, balance = production(everywhere, full)
    assert rate > 0
    np.testing.assert_allclose(balance, 0, atol=1e-15)
    assert production(local, full)[0] < -1e-8  # the violation
    rate, balance = production(local, free)
    assert rate > 0  # lawful for the heat of the free part, which does not balance: the rest is work
    assert abs(balance) > 1e-8


# -- misuse ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("couplings", "options", "message"),
    [
        ([], {}, "at least one operator"),
        ([(np.eye(3), HOT)], {}, "must have the shape"),
        ([(LADDER[:2, :2], HOT)], {}, "must be a Hermitian matrix"),
        ((SX, HOT), {}, "must be a pair"),
        ([(SX, 0.3)], {}, "must be a pair"),
        ([(SX, HOT)], {"baths": ("a", "b")}, "one label for each"),
        ([(SX, HOT), (SZ, COLD)], {"baths": ("a", "a")}, "must have one temperature"),
        ([(SX, HOT)], {"tolerance": -1.0}, "`tolerance` must be"),
        ([(SX, BrokenBath(1.0, 0.01, 0.3))], {}, "KMS condition"),
        ([(SX, SpinBath(1.0, -0.01))], {}, "rates of at least 0"),
    ],
)
def test_misuse(couplings, options, message):
    with pytest.raises(ValueError, match=message):
        jg.davies(np.diag([0.0, 1.0]), couplings, **options)


@pytest.mark.parametrize("bath", [lambda s: BrokenBath(1.0, s, 0.3), lambda s: SpinBath(1.0, -s)])
def test_what_is_no_thermal_bath_is_nan_under_a_trace(bath):
    rates = jax.jit(lambda s: jg.davies(np.diag([0.0, 1.0]), [(SX, bath(s))], lamb_shift=False).transition_rates())(
        0.01
    )
    assert np.all(np.isnan(rates))


@pytest.mark.slow
def test_warnings_where_the_secular_approximation_is_doubtful():
    levels = np.diag([0.0, 1.0, 2.001])
    coupling = np.eye(3, k=1) + np.eye(3, k=-1)
    with pytest.warns(UserWarning, match="the secular approximation is doubtful"):
        jg.davies(levels, [(coupling, jg.OhmicBath(1.0, 0.3, 5.0))])
    jg.davies(levels, [(coupling, jg.OhmicBath(1.0, 1e-4, 5.0))])
    together = jg.davies(levels, [(coupling, jg.OhmicBath(1.0, 0.1, 5.0))], tolerance=0.01)
    assert np.max(together.clusters) == 2
    chain = np.diag(np.append(0.0, np.cumsum(1 + 9e-4 * np.arange(12))))  # frequencies 9e-4 apart, 99e-4 in all
    with pytest.warns(UserWarning, match="wide, more than 10 times"):
        jg.davies(chain, [(np.eye(13, k=1) + np.eye(13, k=-1), jg.OhmicBath(1.0, 1e-5, 5.0))], tolerance=9.5e-4)
    jax.jit(lambda s: jg.davies(levels, [(coupling, jg.OhmicBath(1.0, s, 5.0))])(levels))(0.3)  # silent under a trace


def test_a_distant_zero_of_energy_changes_nothing():
    def population(offset):
        generator = jg.davies(SZ + offset * np.eye(2), [(SX, HOT)], lamb_shift=False)
        return jg.steady_state(generator).value[0, 0].real

    np.testing.assert_allclose(population(1e10), population(0.0), rtol=1e-5)  # levels are known to 2e-6


def test_clusters_are_symmetric_and_linked():
    clusters = bohr_clusters(jnp.array([0.0, 1e-12, 1.0, 2.0]), 1e-9)
    np.testing.assert_array_equal(clusters, [[0, 0, 1, 2], [0, 0, 1, 2], [-1, -1, 0, 1], [-2, -2, -1, 0]])
    np.testing.assert_array_equal(bohr_clusters(jnp.array([0.3]), 1e-9), [[0]])
