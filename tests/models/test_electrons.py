"""Molecules, impurities and wells: published integrals, closed forms, and grids that nobody here chose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.models._gaussian_orbitals import hydrogen_integrals


def random_integrals(count, seed=0):
    rng = np.random.default_rng(seed)
    one = rng.normal(size=(count, count))
    factors = rng.normal(size=(3, count, count))
    factors = factors + factors.transpose(0, 2, 1)
    return one + one.T, np.einsum("kpq,krs->pqrs", factors, factors) / 4


def on_grid(potential, mass, half_width, points=801):
    """Lowest levels by sinc functions on a grid (Colbert and Miller 1992)."""
    x = np.linspace(-half_width, half_width, points)
    step = x[1] - x[0]
    i = np.arange(points)
    gap = i[:, None] - i
    kinetic = np.where(gap == 0, np.pi**2 / 3, 2 * (-1.0) ** gap / np.where(gap == 0, 1, gap) ** 2) / (
        2 * mass * step**2
    )
    return np.linalg.eigvalsh(kinetic + np.diag(potential(x)))


def test_hydrogen_has_the_integrals_of_szabo_and_ostlund():
    one, two, repulsion = hydrogen_integrals(jnp.asarray(1.4))
    np.testing.assert_allclose(jnp.diag(one), [-1.2528, -0.4756], atol=6e-5)
    assert abs(one[0, 1]) < 1e-14
    found = [two[0, 0, 0, 0], two[1, 1, 1, 1], two[0, 0, 1, 1], two[0, 1, 0, 1], repulsion]
    np.testing.assert_allclose(found, [0.6746, 0.6975, 0.6636, 0.1813, 0.7143], atol=6e-5)


@pytest.mark.slow
def test_hydrogen_ground_state_and_its_force():
    def ground(distance):
        return jg.energy(models.hydrogen_molecule(distance, chemical_potential=-0.2), 200.0) - 0.4

    assert float(ground(1.4)) == pytest.approx(-1.1373, abs=6e-5)
    assert float(ground(20.0)) == pytest.approx(2 * -0.4666, abs=1e-4)  # two atoms in this basis
    slope = (ground(1.3 + 1e-4) - ground(1.3 - 1e-4)) / 2e-4
    assert float(jax.grad(ground)(1.3)) == pytest.approx(float(slope), abs=1e-7)
    spectrum = np.linalg.eigvalsh(models.hydrogen_molecule(1.4).to_dense())
    one, two, repulsion = hydrogen_integrals(jnp.asarray(1.4))
    triplet = one[0, 0] + one[1, 1] + two[0, 0, 1, 1] - two[0, 1, 0, 1] + repulsion
    assert np.sum(np.abs(spectrum - triplet) < 1e-12) == 3


def test_integrals_of_a_hubbard_dimer_give_its_closed_form():
    t, u = 0.7, 3.0
    two = np.zeros((2,) * 4)
    two[0, 0, 0, 0] = two[1, 1, 1, 1] = u
    levels = np.linalg.eigvalsh(models.molecule([[0.0, -t], [-t, 0.0]], two).to_dense())
    root = np.sqrt(u**2 / 4 + 4 * t**2)
    expected = [0, *[-t, t] * 2, *[0] * 3, u, u / 2 - root, u / 2 + root, *[u - t, u + t] * 2, 2 * u]
    np.testing.assert_allclose(levels, np.sort(expected), atol=1e-12)


def test_two_electron_energy_is_that_of_products_and_exchange():
    one, two = random_integrals(3)
    hamiltonian = models.molecule(one, two, constant=0.3)
    dense = np.asarray(hamiltonian.to_dense())
    filled = int("110000", 2)  # orbitals 0 and 1, both spins up
    slater = one[0, 0] + one[1, 1] + two[0, 0, 1, 1] - two[0, 1, 0, 1] + 0.3
    assert dense[filled, filled] == pytest.approx(slater, abs=1e-12)
    filled = int("100100", 2)  # orbital 0 with both spins
    assert dense[filled, filled] == pytest.approx(2 * one[0, 0] + two[0, 0, 0, 0] + 0.3, abs=1e-12)
    moved = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    rotated = models.molecule(
        moved.T @ one @ moved, np.einsum("abcd,ap,bq,cr,ds->pqrs", two, *[moved] * 4), constant=0.3
    )
    np.testing.assert_allclose(np.linalg.eigvalsh(rotated.to_dense()), np.linalg.eigvalsh(dense), atol=1e-11)


@pytest.mark.slow
def test_grand_canonical_occupations_are_derivatives_of_log_z():
    one, two = random_integrals(2)

    def log_z(mu):
        return jg.log_partition(models.molecule(one, two, chemical_potential=mu), 0.8)

    number = jax.grad(log_z)(0.4) / 0.8
    dense = np.asarray(models.molecule(one, two, chemical_potential=0.4).to_dense())
    count = np.bitwise_count(np.arange(16))
    weights, vectors = np.linalg.eigh(dense)
    weights = np.exp(-0.8 * (weights - weights[0]))
    assert float(number) == pytest.approx(np.sum(weights * (count @ vectors**2)) / weights.sum(), abs=1e-12)


def test_anderson_impurity_is_the_molecule_with_its_integrals():
    impurity = models.anderson_impurity(-1.0, 2.5, [0.3, -0.4], [0.5, 0.6], chemical_potential=0.2)
    one = np.array([[-1.0, 0.5, 0.6], [0.5, 0.3, 0.0], [0.6, 0.0, -0.4]])
    two = np.zeros((3,) * 4)
    two[0, 0, 0, 0] = 2.5
    np.testing.assert_allclose(
        impurity.to_dense(), models.molecule(one, two, chemical_potential=0.2).to_dense(), atol=1e-13
    )


def test_morse_levels_are_those_on_a_grid():
    depth, a, mass = 10.0, 0.4, 1.5
    found = np.asarray(models.morse(depth, a, mass).levels)
    assert len(found) == int(np.ceil(np.sqrt(2 * mass * depth) / a - 0.5))
    x0 = 8.0
    grid = on_grid(lambda x: depth * (1 - np.exp(-a * (x + x0 - 2.0))) ** 2 * 1.0, mass, 14.0)
    np.testing.assert_allclose(found[:6], grid[:6], atol=1e-8)
    slope = jax.grad(lambda d: jg.log_partition(models.morse(d, a, mass, levels=10), 0.7))(depth)
    differences = [jg.log_partition(models.morse(depth + h, a, mass, levels=10), 0.7) for h in (1e-5, -1e-5)]
    assert float(slope) == pytest.approx(float(differences[0] - differences[1]) / 2e-5, abs=1e-8)


def test_double_well_splits_its_ground_level():
    well = models.double_well(3.0, 4.0, beta=1.0)
    levels = np.sort(np.linalg.eigvalsh(well.hamiltonian.to_dense()))
    grid = on_grid(lambda x: 3.0 * ((x / 2) ** 2 - 1) ** 2, 1.0, 9.0)
    np.testing.assert_allclose(levels[:4], grid[:4], atol=1e-7)
    assert 0 < levels[1] - levels[0] < 0.1 * (levels[2] - levels[1])


def test_diatomic_is_rotation_and_vibration():
    parts = jg.log_partition(models.rotor(0.05, even_weight=1, odd_weight=3), 1.0) + jg.log_partition(
        models.oscillator(2.0), 1.0
    )
    found = jg.log_partition(models.diatomic(0.05, 2.0, even_weight=1, odd_weight=3), 1.0)
    assert float(found) == pytest.approx(float(parts), abs=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.molecule(np.zeros(2), np.zeros((2,) * 4)), "orbitals"),
        (lambda: models.molecule(np.zeros((7, 7)), np.zeros((7,) * 4)), "active space"),
        (lambda: models.molecule(np.zeros((2, 2)), np.zeros((2, 2))), "two_electron"),
        (lambda: models.molecule([[0.0, 1.0], [0.0, 0.0]], np.zeros((2,) * 4)), "h_pq = h_qp"),
        (lambda: models.molecule(np.zeros((2, 2)), np.arange(16.0).reshape((2,) * 4)), "symmetry"),
        (lambda: models.anderson_impurity(0.0, 1.0, [], 0.5), "bath_levels"),
        (lambda: models.anderson_impurity(0.0, 1.0, [0.0, 1.0], [0.5, 0.1, 0.2]), "hybridization"),
        (lambda: models.morse(-1.0, 1.0), "positive"),
        (lambda: models.morse(1.0, 0.5, levels=9), "bound"),
        (lambda: models.morse(0.01, 1.0), "0 bound"),
        (lambda: jax.jit(lambda d: models.morse(d, 0.5).levels)(1.0), "under a trace"),
        (lambda: models.double_well(1.0, 0.0, beta=1.0), "positive"),
        (lambda: models.hydrogen_molecule(-1.4), "`distance` must be positive"),
        (lambda: models.hydrogen_molecule([1.4, 1.5]), "`distance` must have shape"),
    ],
)
def test_bad_input_says_so(make, message):
    with pytest.raises(ValueError, match=message):
        make()
