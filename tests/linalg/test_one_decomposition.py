"""One decomposition is enough, for every derivative and every temperature; it is never differentiated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import decompositions, direction, with_levels
from jaxgibbs.linalg import decompose
from jaxgibbs.linalg import exponential_family as family

COUPLINGS, DIM = 20, 12
RNG = np.random.default_rng(0)
TERMS = jnp.stack([jnp.array(direction(RNG, DIM, True)) for _ in range(COUPLINGS)])
VALUES = jnp.linspace(0.1, 1.0, COUPLINGS)
BETAS = jnp.linspace(0.1, 5.0, 200)


def hamiltonian(couplings):
    return jnp.tensordot(couplings, TERMS, 1)


def log_partition(couplings):
    return jg.log_partition(hamiltonian(couplings), 0.7)


def of_spectrum(couplings):
    return jg.thermal_spectrum(hamiltonian(couplings)).at(0.7).log_partition


@pytest.mark.parametrize("function", [log_partition, of_spectrum])
@pytest.mark.parametrize(
    "derivative",
    [
        lambda f: f,
        jax.grad,
        jax.value_and_grad,
        jax.jacfwd,
        jax.hessian,
        lambda f: jax.jacrev(jax.grad(f)),
        lambda f: jax.jacfwd(jax.jacfwd(f)),
        lambda f: jax.jacrev(jax.jacfwd(f)),
        lambda f: jax.jacfwd(jax.hessian(f)),
        lambda f: lambda x: jax.jvp(jax.value_and_grad(f), (x,), (x,)),
    ],
    ids=[
        "value",
        "grad",
        "value+grad",
        "fwd",
        "hessian",
        "rev-rev",
        "fwd-fwd",
        "rev-fwd",
        "third",
        "value+grad+Hessian-vector",
    ],
)
def test_derivatives_in_twenty_couplings(function, derivative):
    assert decompositions(derivative(function), VALUES) == 1


def test_value_gradient_hessian_and_heat_capacities_together():
    def everything(couplings):
        spectrum = jg.thermal_spectrum(hamiltonian(couplings))
        return spectrum.at(0.7).log_partition, jax.vmap(lambda b: spectrum.at(b).heat_capacity)(BETAS)

    assert decompositions(everything, VALUES) == 1
    assert decompositions(jax.jacrev(everything), VALUES) == 1
    assert decompositions(jax.jacfwd(jax.jacrev(everything)), VALUES) == 1


@pytest.mark.parametrize(
    "heat_capacity",
    [
        lambda h, b: jg.heat_capacity(h, b),
        lambda h, b: b**2 * jax.grad(jax.grad(lambda b: jg.log_partition(h, b)))(b),
        lambda h, b: b**2 * jax.jacfwd(jax.grad(lambda b: jg.log_partition(h, b)))(b),
        lambda h, b: jg.gibbs_state(h, b).heat_capacity,
        lambda h, b: jg.thermodynamics(h, b).heat_capacity,
    ],
    ids=["function", "rev-rev", "fwd-rev", "state", "thermodynamics"],
)
def test_heat_capacity_at_two_hundred_temperatures(heat_capacity):
    curve = jax.vmap(heat_capacity, (None, 0))
    assert decompositions(curve, hamiltonian(VALUES), BETAS) == 1
    assert decompositions(jax.jit(curve), hamiltonian(VALUES), BETAS) == 1


def test_gradient_of_the_heat_capacity_curve():
    def curve(couplings):
        return jnp.sum(jax.vmap(lambda b: jg.heat_capacity(hamiltonian(couplings), b))(BETAS))

    assert decompositions(jax.grad(curve), VALUES) == 1


def test_other_quantities():
    h, a, b = hamiltonian(VALUES), TERMS[0], TERMS[1]
    for quantity in (
        lambda h: jg.expectation(h, 0.7, a),
        lambda h: jg.gibbs_state(h, 0.7).covariance(a, b),
        lambda h: jg.gibbs_state(h, 0.7).density_matrix().real,
        lambda h: jg.gibbs_state(h, 0.7).renyi_entropy(2),
        lambda h: jg.entropy(h, 0.7),
    ):
        assert decompositions(quantity, h) == 1
        assert decompositions(jax.jacfwd(lambda c, q=quantity: q(hamiltonian(c))), VALUES) == 1
    assert decompositions(jax.grad(lambda c: jg.expectation(hamiltonian(c), 0.7, a)), VALUES) == 1


def test_a_batch_of_hamiltonians_is_decomposed_once_each():
    batch = jnp.stack([VALUES, 2 * VALUES, 3 * VALUES])
    assert decompositions(jax.vmap(jax.hessian(log_partition)), batch) == 3


def test_blocks_of_a_model_are_decomposed_once_each():
    model = jg.models.heisenberg_chain(4, 1.0, 0.3)
    blocks = decompositions(jg.log_partition, model, 0.7)
    assert blocks > 1
    assert decompositions(jax.grad(jg.log_partition), model, 0.7) == blocks
    assert decompositions(jax.vmap(jax.grad(jg.heat_capacity), (None, 0)), model, BETAS) == blocks


def test_the_compiled_program_calls_lapack_once():
    text = jax.jit(jax.hessian(log_partition)).lower(VALUES).compile().as_text()
    assert text.count('custom_call_target="lapack_') == 1


# -- never differentiated --------------------------------------------------------------------------------------------


def test_the_solver_has_no_derivative_to_use():
    """A rule that reached eigenvectors would fail here, not return a number that is wrong at degeneracy."""
    (call,) = [e for e in jax.make_jaxpr(decompose)(jnp.eye(2)).eqns if e.primitive.name == "decompose"]
    with pytest.raises(NotImplementedError, match="decompose"):
        jax.jvp(lambda m: call.primitive.bind(m, **call.params), (jnp.eye(2),), (jnp.eye(2),))


@pytest.mark.parametrize("levels", [[1.0] * 4, [0.0, 0, 1, 1], [0.0, 0, 0, 0]])
def test_hessians_are_finite_and_positive_at_exact_degeneracy(levels):
    rng = np.random.default_rng(1)
    h, terms = with_levels(rng, levels, True), jnp.stack([jnp.array(direction(rng, 4, True)) for _ in range(3)])
    hessian = jax.jit(jax.hessian(lambda x: jg.log_partition(h + jnp.tensordot(x, terms, 1), 1.3)))(jnp.zeros(3))
    assert np.linalg.eigvalsh(hessian)[0] > 0
    covariance = family.kubo_mori_covariance(-1.3, (decompose(h),), (terms,))
    np.testing.assert_allclose(hessian, 1.3**2 * covariance, rtol=1e-13, atol=1e-14)


# -- the counter itself ----------------------------------------------------------------------------------------------


def eigh(matrix):
    return jax.lax.linalg.eigh(matrix)[1]


@pytest.mark.parametrize(
    ("program", "count"),
    [
        (lambda m: m, 0),
        (eigh, 1),
        (lambda m: eigh(m) + eigh(2 * m), 2),
        (jax.jit(lambda m: jax.jit(eigh)(m)), 1),
        (lambda m: jax.vmap(lambda x: eigh(x * m))(jnp.ones(7)), 7),
        (lambda m: jax.lax.map(lambda x: eigh(x * m), jnp.ones(5)), 5),
        (lambda m: jax.lax.cond(m[0, 0] > 0, eigh, lambda m: m[0] + eigh(m) + eigh(m @ m), m), 2),
        (lambda m: jnp.linalg.svd(m)[1], 1),
    ],
)
def test_the_counter_counts(program, count):
    assert decompositions(program, jnp.eye(3)) == count


def test_the_counter_refuses_what_it_cannot_count():
    def endless(m):
        return jax.lax.while_loop(lambda m: m[0, 0] < 9, lambda m: m + jnp.diag(eigh(m)), m)

    with pytest.raises(AssertionError, match="unknown number of times"):
        decompositions(endless, jnp.eye(3))
