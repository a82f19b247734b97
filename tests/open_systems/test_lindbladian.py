"""Generators in Lindblad form against matrices on stacked columns, written out by Kronecker products."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import direction
from jaxgibbs.linalg import superoperator, unvectorize, vectorize
from jaxgibbs.open_systems import jumps as jumps_module
from jaxgibbs.open_systems.jumps import MatrixJumps, PermutationJumps

RAISING, LOWERING, SZ = np.array([[0.0, 1], [0, 0]]), np.array([[0.0, 0], [1, 0]]), np.diag([1.0, -1])
LADDER = np.diag(np.sqrt([1.0, 2, 3]), 1)


def general(rng, dim):
    return rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))


def reference(hamiltonian, jumps, rates):
    """The matrix of `L` on stacked columns, `vec(A X B) = (B^T kron A) vec(X)`."""
    one = np.eye(len(hamiltonian))
    total = -1j * (np.kron(one, hamiltonian) - np.kron(hamiltonian.T, one))
    for jump, rate in zip(jumps, rates, strict=True):
        loss = jump.conj().T @ jump
        total = total + rate * (np.kron(jump.conj(), jump) - (np.kron(one, loss) + np.kron(loss.T, one)) / 2)
    return total


def systems():
    rng = np.random.default_rng(3)
    two = [np.kron(LOWERING, np.eye(2)), np.kron(RAISING, np.eye(2)), np.kron(np.eye(2), SZ), np.kron(SZ, RAISING)]
    yield "permutations", direction(rng, 4, True), two, [0.3, 0.0, 0.2, 1.1]
    yield "oscillator", direction(rng, 4), [LADDER, LADDER.T, LADDER.T @ LADDER], [0.3, 0.1, 0.2]
    yield "matrices", direction(rng, 3, True), [general(rng, 3), general(rng, 3)], [0.5, 0.25]
    yield "both", direction(rng, 4, True), [general(rng, 4), LADDER, general(rng, 4).real, SZ @ np.eye(2)], None
    yield "closed", direction(rng, 3, True), [], None
    yield "one state", np.array([[0.7]]), [np.array([[2.0]])], [0.4]


SYSTEMS = {
    name: (h, [np.kron(np.eye(len(h) // len(j)), j) for j in jumps], rates) for name, h, jumps, rates in systems()
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_map_and_its_adjoint_are_those_of_the_written_out_matrix(name):
    hamiltonian, jumps, rates = SYSTEMS[name]
    generator = jg.Lindbladian(hamiltonian, jumps, rates)
    expected = reference(hamiltonian, jumps, np.ones(len(jumps)) if rates is None else rates)
    x = general(np.random.default_rng(5), len(hamiltonian))
    np.testing.assert_allclose(generator.to_dense(), expected, atol=1e-14)
    np.testing.assert_allclose(vectorize(generator(x)), expected @ vectorize(x), atol=1e-13)
    np.testing.assert_allclose(vectorize(generator.adjoint(x)), expected.conj().T @ vectorize(x), atol=1e-13)
    hermitian = x + x.conj().T
    image = generator.hermitian_map()(jnp.asarray(hermitian))
    np.testing.assert_allclose(image, generator(hermitian), atol=1e-13)
    np.testing.assert_array_equal(image, image.conj().T)
    np.testing.assert_allclose(generator.adjoint(np.eye(len(hamiltonian))), 0, atol=1e-14)
    np.testing.assert_allclose(
        generator.dissipator(x), generator(x) + 1j * (hamiltonian @ x - x @ hamiltonian), atol=1e-13
    )
    np.testing.assert_allclose(generator.jump_operators, np.array(jumps).reshape(-1, *x.shape), atol=0)


def test_what_is_a_permutation_is_found_and_shared():
    groups = {name: [type(group) for group in jg.Lindbladian(*SYSTEMS[name]).jumps] for name in SYSTEMS}
    assert groups["permutations"] == [PermutationJumps] * 3  # both directions of the first flip are one
    assert groups["matrices"] == [MatrixJumps]
    assert groups["both"] == [PermutationJumps] * 2 + [MatrixJumps]
    shared = jg.Lindbladian(np.eye(4), [np.kron(SZ, np.eye(2)), np.diag([1.0, 0, 0, 2])]).jumps
    assert [group.members for group in shared] == [(0, 1)]


def test_an_operator_is_a_jump_like_its_matrix():
    flip = jg.operators.PauliSum({"x": 0.7}, jg.operators.PauliTerms.from_strings(1, {"x": "X0"}))
    rho = np.array([[0.8, 0.1j], [-0.1j, 0.2]])
    one, other = (jg.Lindbladian(SZ, [jump], [0.3])(rho) for jump in (flip, 0.7 * np.array([[0.0, 1.0], [1.0, 0.0]])))
    np.testing.assert_allclose(one, other, atol=1e-15)

    def decay(strength):  # a traced operator
        return jnp.real(jg.Lindbladian(SZ, [strength * flip], [0.3])(rho)[0, 0])

    np.testing.assert_allclose(jax.grad(decay)(1.0), 2 * 0.3 * 0.49 * (0.2 - 0.8), rtol=1e-12)


def test_two_elements_in_a_column_are_no_permutation():
    jump = np.array([[1.0, 0], [1, 0]])
    generator = jg.Lindbladian(np.zeros((2, 2)), [jump])
    assert isinstance(generator.jumps[0], MatrixJumps)
    np.testing.assert_allclose(generator.to_dense(), reference(np.zeros((2, 2)), [jump], [1.0]), atol=1e-15)


def test_rates_between_states_are_those_of_the_jumps():
    hamiltonian, jumps, _ = SYSTEMS["both"]
    generator = jg.Lindbladian(hamiltonian, jumps)
    basis = np.linalg.eigh(hamiltonian)[1]
    for states in (np.eye(4), basis):
        elements = [states.conj().T @ jump @ states for jump in jumps]
        expected = sum(np.abs(e) ** 2 for e in elements)
        np.fill_diagonal(expected, 0)
        np.fill_diagonal(expected, -expected.sum(0))
        np.testing.assert_allclose(generator.transition_rates(states), expected, atol=1e-13)
        by_the_map = jg.open_systems.AbstractGenerator.transition_rates(generator, states)
        np.testing.assert_allclose(by_the_map, expected, atol=1e-13)


def test_baths_are_kept_apart_and_add_up():
    hamiltonian, jumps, rates = SYSTEMS["permutations"]
    generator = jg.Lindbladian(hamiltonian, jumps, rates, baths=("hot", "cold", "cold", "hot"))
    rho = general(np.random.default_rng(1), 4)
    assert generator.baths == ("hot", "cold")
    parts = [generator.dissipator(rho, bath) for bath in generator.baths]
    np.testing.assert_allclose(sum(parts), generator.dissipator(rho), atol=1e-14)
    alone = jg.Lindbladian(hamiltonian, [jumps[0], jumps[3]], [rates[0], rates[3]])
    np.testing.assert_allclose(parts[0], alone.dissipator(rho), atol=1e-14)
    with pytest.raises(ValueError, match="`bath` must be one of"):
        generator.dissipator(rho, "warm")


def test_a_sum_of_generators_is_one_with_all_jumps():
    hamiltonian, jumps, rates = SYSTEMS["permutations"]
    parts = [
        jg.Lindbladian(hamiltonian, jumps[:2], rates[:2], baths=("hot", "cold")),
        jg.Lindbladian(np.zeros((4, 4)), jumps[2:], rates[2:], baths=("cold", "lost")),
    ]
    total = parts[0] + parts[1]
    whole = jg.Lindbladian(hamiltonian, jumps, rates, baths=("hot", "cold", "cold", "lost"))
    rho = general(np.random.default_rng(1), 4)
    assert total.baths == whole.baths
    np.testing.assert_allclose(total.to_dense(), whole.to_dense(), atol=1e-14)
    np.testing.assert_allclose(total.adjoint(rho), whole.adjoint(rho), atol=1e-13)
    np.testing.assert_allclose(total.transition_rates(), whole.transition_rates(), atol=1e-13)
    for bath in total.baths:
        np.testing.assert_allclose(total.dissipator(rho, bath), whole.dissipator(rho, bath), atol=1e-14)
    assert len((total + whole).parts) == 3
    with pytest.raises(ValueError, match="one space"):
        _ = total + jg.Lindbladian(np.eye(2), [SZ])


@pytest.mark.parametrize("rate", [0.0, 0.7])
def test_derivatives_in_rates_and_elements_are_exact_also_at_rate_zero(rate):
    hamiltonian, jumps, _ = SYSTEMS["permutations"]
    x = general(np.random.default_rng(2), 4)

    def generator(rate, scale):
        return jg.Lindbladian(hamiltonian, [scale * jumps[0], jnp.asarray(jumps[3])], jnp.stack([rate, 0.1]))

    slope = jax.jvp(lambda r: generator(r, 1.0)(x), (rate,), (1.0,))[1]
    alone = jg.Lindbladian(np.zeros((4, 4)), jumps[:1], [1.0])(x)
    np.testing.assert_allclose(slope, alone, atol=1e-14)
    np.testing.assert_allclose(
        jax.jvp(lambda s: generator(rate, s)(x), (1.0,), (1.0,))[1], 2 * rate * alone, atol=1e-13
    )


def test_jit_vmap_and_single_precision():
    hamiltonian, jumps, rates = SYSTEMS["permutations"]
    generator = jg.Lindbladian(hamiltonian.astype(np.complex64), [j.astype(np.float32) for j in jumps], rates)
    assert generator.dtype == jnp.complex64
    states = np.stack([general(np.random.default_rng(k), 4) for k in range(3)]).astype(np.complex64)
    images = jax.jit(jax.vmap(lambda g, x: g(x), (None, 0)))(generator, states)
    assert images.dtype == jnp.complex64
    expected = np.stack([jg.Lindbladian(hamiltonian, jumps, rates)(x) for x in states])
    np.testing.assert_allclose(images, expected, atol=1e-5)
    inside = jax.jit(lambda r: jg.Lindbladian(hamiltonian, jumps, r * jnp.ones(4)).to_dense())(0.5)
    np.testing.assert_allclose(inside, reference(hamiltonian, jumps, [0.5] * 4), atol=1e-14)


def test_stacked_columns():
    rng = np.random.default_rng(0)
    a, x, b = (general(rng, 3) for _ in range(3))
    np.testing.assert_allclose(vectorize(a @ x @ b), np.kron(b.T, a) @ vectorize(x), atol=1e-13)
    np.testing.assert_allclose(unvectorize(vectorize(x)), x, atol=0)
    np.testing.assert_allclose(superoperator(lambda x: a @ x @ b, 3, jnp.complex128), np.kron(b.T, a), atol=1e-13)
    with pytest.raises(ValueError, match="length of a square"):
        unvectorize(np.zeros(5))


@pytest.mark.parametrize(
    ("jumps", "rates", "baths", "message"),
    [
        ([np.eye(3)], None, None, "Jump operator 0 must have the shape"),
        ([np.full((2, 2), np.nan)], None, None, "must be finite"),
        ([object()], None, None, "Jump operator 0 must be a matrix of numbers or an operator"),
        ([SZ], [0.1, 0.2], None, "must be 1 real numbers"),
        ([SZ], [1j], None, "must be 1 real numbers"),
        ([SZ], [-0.1], None, "must not be negative"),
        ([SZ], [np.inf], None, "must be finite"),
        ([SZ], None, ("a", "b"), "one label for each"),
    ],
)
def test_misuse(jumps, rates, baths, message):
    with pytest.raises(ValueError, match=message):
        jg.Lindbladian(np.eye(2), jumps, rates, baths)


def test_a_negative_rate_under_a_trace_is_nan():
    rates = jax.jit(lambda r: jg.Lindbladian(np.eye(2), [SZ, LOWERING], r).rates)(jnp.array([0.1, -0.1]))
    np.testing.assert_array_equal(np.isnan(rates), [False, True])


def test_a_state_of_another_shape_is_refused():
    generator = jg.Lindbladian(np.eye(2), [SZ])
    for call in (generator, generator.adjoint, generator.dissipator):
        with pytest.raises(ValueError, match="must have shape"):
            call(np.eye(3))


@pytest.mark.parametrize("constant", [2**18, 0])
def test_many_permutations_are_stacked_and_few_are_added_one_by_one(monkeypatch, constant):
    """Flips of three spins and a shift, with indices that are constants of the program or made in it."""
    monkeypatch.setattr(jumps_module, "_LARGEST_CONSTANT", constant)
    flip = np.array([[0.0, 1], [1, 0]])
    jumps = [np.kron(np.kron(np.eye(2**k), flip), np.eye(2 ** (2 - k))) for k in range(3)] + [np.roll(np.eye(8), 1, 0)]
    rates, rho = [0.3, 0.5, 0.7, 1.1], general(np.random.default_rng(2), 8)
    wanted = sum(rate * jump @ rho @ jump.T for rate, jump in zip(rates, jumps, strict=True))
    for most in (4, 3):
        monkeypatch.setattr(jumps_module, "_UNROLLED", most)
        found = jg.Lindbladian(np.zeros((8, 8)), jumps, rates).jump_map()(jnp.asarray(rho))
        np.testing.assert_allclose(found, wanted, atol=1e-13)
