"""Spin models are sums of Kronecker products, term by term, and check what they are given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.operators.local import embed, pauli_matrices, spin_matrices


def bonds_of(sites, periodic):
    return [(i, i + 1) for i in range(sites - 1)] + ([(sites - 1, 0)] if periodic else [])


def on(matrix, site, dims):
    """One factor among identities, by repeated `np.kron`."""
    full = np.eye(1)
    for s, d in enumerate(dims):
        full = np.kron(full, matrix if s == site else np.eye(d))
    return full


def dot(i, j, dims, spins):
    return sum(
        on(a, i, dims) @ on(b, j, dims) for a, b in zip(spin_matrices(spins[i]), spin_matrices(spins[j]), strict=True)
    )


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize(("sites", "spin"), [(4, 0.5), (3, 1), (3, 1.5)])
def test_heisenberg_chain_is_the_sum_of_its_bonds(sites, spin, periodic):
    rng = np.random.default_rng(0)
    bonds = bonds_of(sites, periodic)
    j, h, d = rng.normal(size=len(bonds)), rng.normal(size=sites), rng.normal(size=sites)
    dims = (int(2 * spin + 1),) * sites
    z = spin_matrices(spin)[2]
    expected = sum(c * dot(*bond, dims, [spin] * sites) for c, bond in zip(j, bonds, strict=True))
    expected = expected + sum(d[i] * on(z @ z, i, dims) - h[i] * on(z, i, dims) for i in range(sites))
    found = models.heisenberg_chain(sites, j, h, single_ion=d, spin=spin, periodic=periodic)
    np.testing.assert_allclose(found.to_dense(), expected, atol=1e-12)
    assert found.dtype == jnp.float64
    v = rng.normal(size=found.dim)
    np.testing.assert_allclose(found.matvec(jnp.asarray(v)), expected @ v, atol=1e-11)


def test_a_tied_coupling_is_the_vector_of_equal_ones():
    tied = models.heisenberg_chain(4, 0.7, 0.2, periodic=True)
    each = models.heisenberg_chain(4, jnp.full(4, 0.7), jnp.full(4, 0.2), periodic=True)
    np.testing.assert_allclose(tied.to_dense(), each.to_dense(), atol=1e-14)
    assert tied.terms.count == 3
    assert each.terms.count == 9
    np.testing.assert_array_equal(models.heisenberg_ring(4, 0.7, 0.2).to_dense(), tied.to_dense())
    gradient = jax.jit(jax.grad(jg.log_partition))
    np.testing.assert_allclose(
        gradient(each, 0.8).couplings["field"].sum(), gradient(tied, 0.8).couplings["field"], rtol=1e-12
    )


def test_antiferromagnetic_and_ferromagnetic_signs():
    for coupling, ground in ((1.0, -0.75), (-1.0, -0.25)):
        levels = np.linalg.eigvalsh(models.heisenberg_chain(2, coupling).to_dense())
        np.testing.assert_allclose(levels[0], ground, atol=1e-13)
    # h > 0 favours m = +S, index 0 of every site.
    levels, vectors = np.linalg.eigh(models.heisenberg_chain(3, -1.0, 0.1).to_dense())
    assert abs(abs(vectors[0, 0]) - 1) < 1e-12
    assert levels[1] > levels[0] + 0.05


@pytest.mark.parametrize("periodic", [False, True])
def test_xxz_and_xx_chain(periodic):
    sites, dims = 3, (2, 2, 2)
    x, y, z = spin_matrices(0.5)
    rng = np.random.default_rng(1)
    bonds = bonds_of(sites, periodic)
    j, delta = rng.normal(size=len(bonds)), rng.normal(size=len(bonds))
    plane = [on(x, a, dims) @ on(x, b, dims) + on(y, a, dims) @ on(y, b, dims) for a, b in bonds]
    axis = [on(z, a, dims) @ on(z, b, dims) for a, b in bonds]
    expected = sum(c * (p + e * q) for c, e, p, q in zip(j, delta, plane, axis, strict=True))
    found = models.xxz_chain(sites, j, delta, periodic=periodic)
    np.testing.assert_allclose(found.to_dense(), expected, atol=1e-13)
    np.testing.assert_allclose(
        models.xx_chain(sites, j, 0.4, periodic=periodic).to_dense(),
        models.xxz_chain(sites, j, 0.0, 0.4, periodic=periodic).to_dense(),
        atol=1e-14,
    )
    np.testing.assert_allclose(
        models.xxz_chain(sites, 0.8, delta, periodic=periodic).to_dense(),
        0.8 * sum(p + e * q for e, p, q in zip(delta, plane, axis, strict=True)),
        atol=1e-13,
    )


@pytest.mark.parametrize("periodic", [False, True])
def test_transverse_ising_chain(periodic):
    sites, dims = 4, (2,) * 4
    x, _, z = pauli_matrices()
    rng = np.random.default_rng(2)
    bonds = bonds_of(sites, periodic)
    j, g, h = rng.normal(size=len(bonds)), rng.normal(size=sites), rng.normal(size=sites)
    expected = -sum(c * on(z, a, dims) @ on(z, b, dims) for c, (a, b) in zip(j, bonds, strict=True))
    expected = expected - sum(g[i] * on(x, i, dims) + h[i] * on(z, i, dims) for i in range(sites))
    found = models.transverse_ising_chain(sites, j, g, longitudinal_field=h, periodic=periodic)
    np.testing.assert_allclose(found.to_dense(), expected, atol=1e-13)


def test_spin_dimer_with_tensors():
    spins, dims = (1, 1.5), (3, 4)
    rng = np.random.default_rng(3)
    j, h, g, d = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=(2, 3, 3)), rng.normal(size=2)
    s = [[on(m, site, dims) for m in spin_matrices(spin)] for site, spin in enumerate(spins)]
    expected = sum(j[a, b] * s[0][a] @ s[1][b] for a in range(3) for b in range(3))
    expected = expected - sum(h[a] * g[i, a, b] * s[i][b] for i in range(2) for a in range(3) for b in range(3))
    expected = expected + sum(d[i] * s[i][2] @ s[i][2] for i in range(2))
    found = models.spin_dimer(j, spins=spins, field=h, g=g, single_ion=d)
    np.testing.assert_allclose(found.to_dense(), expected, atol=1e-12)


@pytest.mark.slow
def test_spin_dimer_broadcasts_its_field_and_g_factors():
    vector = models.spin_dimer(0.5, field=jnp.array([0, 0, 0.3]), g=jnp.array([2.0, 1.9]))
    scalar = models.spin_dimer(0.5, field=0.3, g=[2.0, 1.9])
    tensor = models.spin_dimer(0.5, field=0.3, g=jnp.array([2.0, 1.9])[:, None, None] * jnp.eye(3))
    isotropic = models.spin_dimer(0.5 * np.eye(3), field=0.3, g=[2.0, 1.9])
    assert scalar.dtype == jnp.float64
    assert vector.dtype == jnp.complex128
    for other in (vector, tensor, isotropic):
        np.testing.assert_allclose(scalar.to_dense(), other.to_dense(), atol=1e-14)
    # The magnetisation is -dF/dh: for equal g it is g <S_z>.
    beta = 1.4
    state = jg.gibbs_state(models.spin_dimer(0.5, field=0.3, g=2.1), beta)
    z = sum(embed(spin_matrices(0.5)[2], i, (2, 2)) for i in range(2))
    force = -jax.jit(jax.grad(lambda h: jg.free_energy(models.spin_dimer(0.5, field=h, g=2.1), beta)))(0.3)
    np.testing.assert_allclose(force, 2.1 * state.expectation(z), rtol=1e-11)


def test_single_spin_matrix():
    x, y, z = spin_matrices(2)
    found = models.single_spin(2, axial=-0.4, rhombic=0.1, field=jnp.array([0.2, -0.3, 0.5]))
    expected = -0.4 * z @ z + 0.1 * (x @ x - y @ y) - 0.2 * x + 0.3 * y - 0.5 * z
    np.testing.assert_allclose(found.to_dense(), expected, atol=1e-13)
    assert models.single_spin(2, axial=-0.4, field=0.5).dtype == jnp.float64


@pytest.mark.slow
def test_gradient_of_log_partition_is_minus_beta_times_the_term():
    beta, h = 0.9, models.heisenberg_chain(4, 1.0, 0.3, single_ion=0.2, spin=0.5)
    gradient = jax.jit(jax.grad(jg.log_partition))(h, beta)
    state = jg.gibbs_state(h, beta)
    for name in h.couplings:
        one = {other: jnp.asarray(1.0 if other == name else 0.0) for other in h.couplings}
        term = type(h)(one, h.terms)
        np.testing.assert_allclose(gradient.couplings[name], -beta * state.expectation(term), rtol=1e-10, atol=1e-12)


def test_susceptibility_at_zero_field_is_not_lost_to_the_default():
    # Two free spins 1/2: chi = beta / 2.
    beta = 1.3

    def free_energy(field):
        return jg.free_energy(models.heisenberg_chain(2, 0.0, field), beta)

    np.testing.assert_allclose(-jax.jit(jax.hessian(free_energy))(0.0), beta / 2, rtol=1e-11)


def test_integers_become_floats_and_python_numbers_follow_the_arrays():
    assert models.heisenberg_chain(3, 1, 0).dtype == jnp.float64
    assert models.heisenberg_chain(3, np.array([1, 2])).dtype == jnp.float64
    for coupling in (jnp.float32(1), np.float32(1)):
        h = models.heisenberg_chain(3, coupling, 1)
        assert h.dtype == jnp.float32
        assert h.to_dense().dtype == jnp.float32
    assert jax.jit(jax.grad(lambda j: jg.log_partition(models.heisenberg_chain(3, j), 1)))(1.0).dtype == jnp.float64


def test_smallest_systems():
    np.testing.assert_allclose(models.heisenberg_chain(1, field=0.5).to_dense(), np.diag([-0.25, 0.25]))
    assert models.heisenberg_chain(1, coupling=np.zeros(0)).dim == 2
    for spinless in (models.heisenberg_chain(3, spin=0), models.single_spin(0, axial=1.0, field=2.0)):
        assert spinless.dim == 1
        state = jg.gibbs_state(spinless, 2.0)
        assert state.entropy == 0
        assert state.heat_capacity == 0
        assert state.log_partition == 0


def test_models_map_over_couplings():
    fields = jnp.linspace(0.0, 1.0, 5)
    function = jax.jit(lambda h: jg.log_partition(models.xx_chain(4, 1.0, h), 1.5))
    batch = jax.vmap(function)(fields)
    single = [function(h) for h in fields]
    np.testing.assert_allclose(batch, single, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.heisenberg_chain(0), "`sites` must be a whole number of at least 1"),
        (lambda: models.heisenberg_chain(2.5), "`sites` must be a whole number"),
        (lambda: models.heisenberg_chain(2, periodic=True), "`sites` must be at least 3 for a ring"),
        (lambda: models.heisenberg_ring(1), "`sites` must be at least 3 for a ring"),
        (lambda: models.heisenberg_chain(4, periodic="open"), "`periodic` must be True or False"),
        (lambda: models.heisenberg_chain(19, spin=1), "`sites` must be so few"),
        (lambda: models.heisenberg_chain(31), "`sites` must be at most 30"),
        (
            lambda: models.heisenberg_chain(4, np.ones(4)),
            r"`coupling` must have shape \(\) or \(3,\), but has shape \(4,\)",
        ),
        (lambda: models.heisenberg_chain(4, field=np.ones(3)), r"`field` must have shape \(\) or \(4,\)"),
        (lambda: models.heisenberg_chain(3, np.nan), "`coupling` must be finite"),
        (lambda: models.heisenberg_chain(3, field=[0.0, np.inf, 0.0]), "`field` must be finite"),
        (lambda: models.heisenberg_chain(3, 1j), "`coupling` must be real"),
        (lambda: models.heisenberg_chain(3, spin=0.3), "`spin` must be one of"),
        (lambda: models.xxz_chain(3, 1.0, np.ones(3)), "`anisotropy` must have shape"),
        (lambda: models.two_level([1.0]), r"`gap` must have shape \(\)"),
        (lambda: models.single_spin(1, field=[1.0, 2.0]), "`field` must have shape"),
        (lambda: models.single_spin(1, axial=np.ones(2)), "`axial` must have shape"),
        (lambda: models.spin_dimer(np.ones(3)), "`coupling` must have shape"),
        (lambda: models.spin_dimer(1.0, spins=(1,)), "`spins` must be two spins"),
        (lambda: models.spin_dimer(1.0, g=np.ones((3, 3))), "`g` must have shape"),
        (lambda: models.spin_dimer(1.0, g=np.ones((2, 3, 3)), field=np.nan), "`field` must be finite"),
    ],
)
def test_wrong_input_is_refused_with_its_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()
