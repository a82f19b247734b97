"""Sums of Pauli strings act as the sums of Kronecker products they stand for, and so do all their derivatives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from helpers import equations
from jaxgibbs.operators import PauliSum, PauliTerms, TermSum, axis_flips, block_structure
from jaxgibbs.operators import pauli as pauli_module
from jaxgibbs.operators.local import pauli_matrices
from jaxgibbs.operators.pauli_text import parse_pauli_sum

LETTERS = dict(zip("XYZ", pauli_matrices(), strict=True)) | {"1": np.eye(2)}
SITES = 9  # more than the window and the columns, so that every kind of string occurs


def kronecker(letters):
    return functools.reduce(np.kron, (LETTERS[letter] for letter in letters))


def text_of(letters):
    return " ".join(f"{letter}{site}" for site, letter in enumerate(letters) if letter != "1") or "1"


def random_strings(rng, sites, count, real):
    strings = []
    while len(strings) < count:
        letters = "".join(rng.choice(list("1XYZ"), size=sites, p=[0.55, 0.15, 0.15, 0.15]))
        if not real or letters.count("Y") % 2 == 0:
            strings.append(letters)
    return strings


@functools.cache
def example(sites, real):
    """Two tied strings, one by one 20 more, and those that a rule for where strings go may miss; with their matrices."""
    rng = np.random.default_rng(sites + 100 * real)
    strings = random_strings(rng, sites, 16, real)
    if sites >= 9:  # all in the first rows, straddling, diagonal, and seven that share one flip
        strings += ["XX1111111", "Z11111111", "1Z111111Z", "X1111111X", "ZZZZZZZZZ", "111111XX1", "11X111111"]
        strings += [("XZ" + "".join(letters) + "111111") for letters in ("1", "Z")]
        strings += ["X" + rest for rest in ("1111111Z", "111111Z1", "11111Z11", "1111Z111", "111Z1111")]
    weights = rng.normal(size=2)
    first, second = (text_of(letters).removeprefix("1") for letters in strings[:2])
    tied = f"{weights[0]:.17g} {first} - {abs(weights[1]):.17g} {second}"
    terms = PauliTerms.from_strings(sites, {"tied": tied, "each": [text_of(letters) for letters in strings[2:]]})
    matrices = [weights[0] * kronecker(strings[0]) - abs(weights[1]) * kronecker(strings[1])]
    matrices += [kronecker(letters) for letters in strings[2:]]
    matrices = np.stack(matrices)
    return terms, np.real(matrices) if real else matrices, rng.normal(size=len(matrices))


def operator_of(theta, terms):
    return PauliSum({"tied": theta[0], "each": theta[1:]}, terms)


@functools.partial(jax.jit, static_argnums=2)
def product(theta, vector, terms):
    return operator_of(theta, terms).matvec(vector)


def vectors(rng, dim, count=2):
    return rng.normal(size=(count, dim)) + 1j * rng.normal(size=(count, dim))


CASES = [(1, True), (3, False), (8, True), (SITES, True), (SITES, False)]


@pytest.mark.parametrize(("sites", "real"), CASES)
def test_the_product_is_that_of_the_matrix(sites, real):
    terms, matrices, theta = example(sites, real)
    matrix = np.tensordot(theta, matrices, 1)
    operator = operator_of(jnp.asarray(theta), terms)
    scale = np.linalg.norm(matrix, 2)
    assert operator.dim == 2**sites
    assert operator.dtype == (jnp.float64 if np.isrealobj(matrix) else jnp.complex128)
    np.testing.assert_allclose(operator.to_dense(), matrix, atol=1e-14 * scale)
    np.testing.assert_allclose(operator.to_sparse().toarray(), matrix, atol=1e-14 * scale)
    assert isinstance(operator.to_terms(), TermSum)
    for vector in (vectors(np.random.default_rng(0), 2**sites)[0], np.random.default_rng(1).normal(size=2**sites)):
        found = product(jnp.asarray(theta), jnp.asarray(vector), terms)
        assert found.dtype == jnp.result_type(operator.dtype, vector.dtype)
        np.testing.assert_allclose(found, matrix @ vector, atol=1e-14 * scale * np.linalg.norm(vector))


@pytest.mark.parametrize("real", [True, False])
def test_single_precision_stays_single(real):
    terms, matrices, theta = example(SITES, real)
    vector = np.random.default_rng(0).normal(size=2**SITES)
    found = product(jnp.asarray(theta, jnp.float32), jnp.asarray(vector, jnp.float32), terms)
    assert found.dtype == (jnp.float32 if real else jnp.complex64)
    exact = np.tensordot(theta, matrices, 1) @ vector
    # Each entry is a sum of 30 products.
    bound = 40 * np.finfo(np.float32).eps * np.sum(np.abs(theta)) * np.max(np.abs(vector))
    np.testing.assert_allclose(found, exact, atol=bound)


@pytest.mark.slow
@pytest.mark.parametrize("real", [True, False])
def test_it_maps_over_vectors_and_couplings(real):
    terms, matrices, theta = example(SITES, real)
    batch = vectors(np.random.default_rng(2), 2**SITES, 3)
    thetas = np.stack([theta, 2 * theta, theta[::-1]])
    expected = np.einsum("bk,kij,bj->bi", thetas, matrices, batch)
    found = jax.jit(jax.vmap(lambda t, v: operator_of(t, terms).matvec(v)))(jnp.asarray(thetas), jnp.asarray(batch))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    prepared = operator_of(jnp.asarray(theta), terms).linear_map()
    found = jax.jit(lambda prepared, batch: jax.vmap(prepared)(batch))(prepared, jnp.asarray(batch))
    np.testing.assert_allclose(found, batch @ np.tensordot(theta, matrices, 1).T, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("real", [True, False])
def test_derivatives_of_every_kind(real):
    """`F = Re <u|H(theta)|v> + |H(theta) v|^2`, whose derivatives in couplings and vectors are products with matrices."""
    terms, matrices, theta = example(SITES, real)
    u, v = vectors(np.random.default_rng(3), 2**SITES)
    if real:
        u, v = u.real, v.real
    matrix, images = np.tensordot(theta, matrices, 1), matrices @ v

    def function(theta, v):
        image = operator_of(theta, terms).matvec(v)
        return jnp.real(jnp.vdot(jnp.asarray(u), image)) + jnp.real(jnp.vdot(image, image))

    rng = np.random.default_rng(4)
    dtheta, dv = rng.normal(size=theta.shape), rng.normal(size=v.shape).astype(v.dtype)
    start, step = (jnp.asarray(theta), jnp.asarray(v)), (jnp.asarray(dtheta), jnp.asarray(dv))
    (in_theta, in_v), (change, _) = jax.jit(lambda *x: jax.jvp(jax.grad(function, (0, 1)), x, step))(*start)
    weight = u + 2 * matrix @ v
    np.testing.assert_allclose(in_theta, np.real(images @ weight.conj()), rtol=1e-11, atol=1e-10)
    np.testing.assert_allclose(np.conj(in_v), matrix @ weight, rtol=1e-11, atol=1e-10)
    # Forward over reverse: the Hessian in theta is 2 Re <T_j v|T_k v>; its product with a direction.
    moved = 2 * (np.tensordot(dtheta, images, 1) + matrix @ dv)
    expected = np.real(images @ moved.conj()) + np.real((matrices @ dv) @ weight.conj())
    np.testing.assert_allclose(change, expected, rtol=1e-10, atol=1e-9)
    # Finite differences of the value, which know nothing of the matrices.
    value, h = jax.jit(function), 1e-5
    ahead, behind = (float(value(jnp.asarray(theta + s * h * dtheta), start[1])) for s in (1, -1))
    np.testing.assert_allclose((ahead - behind) / (2 * h), in_theta @ dtheta, rtol=1e-7)


@pytest.mark.parametrize("real", [True, False])
def test_the_transpose_is_a_product_without_scatters(real):
    terms, matrices, theta = example(SITES, real)
    prepared = operator_of(jnp.asarray(theta), terms).linear_map()
    v = jnp.asarray(vectors(np.random.default_rng(5), 2**SITES)[0])
    v = v.real if real else v
    transpose = jax.jit(jax.linear_transpose(prepared, v))
    matrix = np.tensordot(theta, matrices, 1)
    np.testing.assert_allclose(transpose(v)[0], matrix.T @ v, atol=1e-12)
    names = {equation.primitive.name for equation, _ in equations(jax.make_jaxpr(transpose)(v))}
    assert not [name for name in names if name.startswith("scatter")]


def chain_terms(sites, bonds):
    return PauliTerms.from_strings(sites, {"J": [f"X{i} X{j} + Y{i} Y{j} + Z{i} Z{j}" for i, j in bonds]})


@pytest.mark.slow
def test_neither_the_program_nor_its_memory_grows_with_the_strings(monkeypatch):
    """Beyond the flips that are reversals of axes, of which there are so many at most: here six, elsewhere 48."""
    monkeypatch.setattr(axis_flips, "FLIPS", 6)
    pauli_module._plan.cache_clear()
    sites = 12
    few, many = ([(i, j) for i in range(sites) for j in range(i) if i - j < reach] for reach in (3, sites))
    sizes, memory = [], []
    for bonds in (few, many):
        terms = chain_terms(sites, bonds)

        def expectation(theta, v, terms=terms):
            return jnp.vdot(v, PauliSum({"J": theta}, terms).matvec(v))

        arguments = jnp.ones(len(bonds)), jnp.ones(2**sites)
        gradient = jax.jit(jax.grad(expectation, (0, 1)))
        sizes.append(sum(1 for _ in equations(jax.make_jaxpr(gradient)(*arguments))))
        memory.append(gradient.lower(*arguments).compile().memory_analysis().temp_size_in_bytes / (8 * 2**sites))
    assert len(many) > 2 * len(few)
    assert sizes[1] == sizes[0]
    # A table of terms by states would be as many vectors as there are terms; the rest is signs of half the bits.
    assert memory[1] < memory[0] + 0.2 * len(many)
    pauli_module._plan.cache_clear()


@pytest.mark.slow
def test_the_exact_route_finds_the_blocks_and_the_derivatives():
    sites, rng = 6, np.random.default_rng(6)
    terms = PauliTerms.from_strings(
        sites,
        {
            "J": [f"0.25 X{i} X{i + 1} + 0.25 Y{i} Y{i + 1}" for i in range(sites - 1)],
            "h": [f"Z{i}" for i in range(sites)],
        },
    )
    couplings = {"J": jnp.asarray(rng.normal(size=sites - 1)), "h": jnp.asarray(rng.normal(size=sites))}
    pauli = PauliSum(couplings, terms)
    structure = block_structure(pauli)
    assert structure.describe() == block_structure(pauli.to_terms()).describe() == "1 x 20 + 2 x 15 + 2 x 6 + 2 x 1"
    both = 0.5 * (pauli + pauli.to_terms())
    assert block_structure(both) == structure
    for operator in (both, pauli):
        assert (
            jg.gibbs_state(operator, 0.7)
            .explain()
            .startswith("exact diagonalisation, dimension 64: real blocks 1 x 20")
        )

    def log_z(scale, operator):
        return jg.log_partition(scale * operator, 0.7)

    scales = np.array([0.0, -1.3, 2.0])
    value, gradient = jax.jit(jax.vmap(jax.value_and_grad(log_z, 1), (0, None)))(jnp.asarray(scales), pauli)
    levels, vectors = np.linalg.eigh(pauli.to_dense())
    np.testing.assert_allclose(log_z(2.0, pauli.to_terms()), value[2], rtol=1e-14)
    for k, scale in enumerate(scales):
        weights = np.exp(-0.7 * scale * levels)
        np.testing.assert_allclose(value[k], np.log(np.sum(weights)), rtol=1e-13)
        rho = (vectors * (weights / np.sum(weights))) @ vectors.T
        fields = [np.sum(rho * kronecker("1" * i + "Z" + "1" * (sites - 1 - i))) for i in range(sites)]
        np.testing.assert_allclose(gradient.couplings["h"][k], -0.7 * scale * np.array(fields), atol=1e-13)
        bonds = ["1" * i + letter + letter + "1" * (sites - 2 - i) for letter in "XY" for i in range(sites - 1)]
        means = np.array([np.sum(rho * np.real(kronecker(letters))) for letters in bonds]).reshape(2, -1)
        np.testing.assert_allclose(gradient.couplings["J"][k], -0.7 * scale * means.sum(0) / 4, atol=1e-13)


def test_sums_and_multiples_prepare_their_parts():
    terms, matrices, theta = example(SITES, True)
    operator = operator_of(jnp.asarray(theta), terms)
    v = jnp.asarray(np.random.default_rng(7).normal(size=2**SITES))
    total = 2.0 * operator - operator.to_terms() / 4 + jg.operators.Dense(matrices[1])
    expected = (1.75 * np.tensordot(theta, matrices, 1) + matrices[1]) @ v
    np.testing.assert_allclose(total.linear_map()(v), expected, atol=1e-11)
    np.testing.assert_allclose(total.matvec(v), expected, atol=1e-11)


def test_thirty_sites_cost_no_memory_until_they_are_multiplied():
    operator = PauliSum({"J": jnp.ones(29)}, chain_terms(30, [(i, i + 1) for i in range(29)]))
    assert operator.dim == 2**30
    vector = jax.ShapeDtypeStruct((2**30,), jnp.float32)
    image = jax.eval_shape(lambda v: operator.linear_map()(v), vector)
    assert image.shape == vector.shape
    for ask in (operator.to_dense, operator.to_terms, operator.to_sparse):
        with pytest.raises(
            ValueError, match="must have a dimension of at most 16384, but has 1073741824; use `matvec`"
        ):
            ask()
    with pytest.raises(ValueError, match="Exact diagonalisation takes dimensions up to 16384"):
        jg.log_partition(operator, 1.0, method=jg.Exact())


# -- what a term reads like ---------------------------------------------------------------------------------------------


def test_texts_name_sites_from_the_left():
    terms = PauliTerms.from_strings(3, {"all": "1.0 X0 + 2.0 Z1 + 3.0 Y0 Z2"})
    expected = kronecker("X11") + 2 * kronecker("1Z1") + 3 * kronecker("Y1Z")
    np.testing.assert_allclose(PauliSum({"all": 1.0}, terms).to_dense(), expected)
    assert PauliSum({"all": jnp.float32(1)}, terms).dtype == jnp.complex64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Z0", [(1.0, 0, 4)]),
        (" - Z0 ", [(-1.0, 0, 4)]),
        ("X0Y1Z2", [(1.0, 6, 3)]),
        ("2.5e-1 X2 - .5Y2+3", [(0.25, 1, 0), (-0.5, 1, 1), (3.0, 0, 0)]),
    ],
)
def test_texts_that_are_sums(text, expected):
    assert parse_pauli_sum(text, 3) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("X0 +", "has a product without factors"),
        ("X3", "names site 3, and there are 3 sites, from 0 to 2"),
        ("X0 Y0", "names site 0 twice"),
        ("X0 2", "has a number that does not begin a product"),
        ("2 2 X0", "has a number that does not begin a product"),
        ("X0 - - Y1", "has two signs in a row"),
        ("--X0", "has two signs in a row"),
        ("X0 * Y1", r"has '\* Y1' where a sign, a number or a factor"),
        ("X", "has 'X' where"),
        ("Z0 + 1j X1", "has a complex coefficient, and a complex multiple of a Pauli string is not Hermitian"),
        ("(0.5+2j) X1", "has a complex coefficient"),
    ],
)
def test_texts_that_are_none(text, reason):
    with pytest.raises(ValueError, match=f"A term must read like.*{reason}"):
        parse_pauli_sum(text, 3)


def test_terms_are_equal_by_content_and_strings_add_up():
    one = PauliTerms.from_strings(2, {"a": ["X0 X1 + Z0 + Z0", "Y1 - Y1"]})
    two = PauliTerms.from_strings(2, {"a": [["2 Z0", "X0 X1"], "0 X0"]})
    assert one == two
    assert hash(one) == hash(two)
    assert len(one.term) == 2
    assert repr(one) == "PauliTerms(2 terms, 2 strings, sites=2)"
    assert one != PauliTerms.from_strings(2, {"b": ["X0 X1 + Z0 + Z0", "Y1 - Y1"]})
    np.testing.assert_array_equal(PauliSum({"a": [0.0, 1.0]}, one).to_dense(), np.zeros((4, 4)))
    nothing = PauliTerms.from_strings(8, {"a": []})
    np.testing.assert_array_equal(PauliSum({"a": np.zeros(0)}, nothing).matvec(jnp.ones(256)), np.zeros(256))


def test_permutations_are_symmetries_of_every_term():
    ring = PauliTerms.from_strings(4, {"J": "X0 X1 + X1 X2 + X2 X3 + X3 X0", "h": "Z0 + Z1 + Z2 + Z3"})
    shift, mirror, swap = (1, 2, 3, 0), (3, 2, 1, 0), (1, 0, 2, 3)
    assert [ring.is_invariant(order) for order in (shift, mirror, swap)] == [True, True, False]
    assert ring.with_permutations((shift, mirror, swap)).permutations == (shift, mirror)
    unitary = jg.symmetry.site_permutation(shift, [2] * 4)
    operator = PauliSum({"J": 1.0, "h": 0.3}, ring)
    jg.symmetry.check_symmetry(operator, unitary)
    # Terms that a permutation exchanges are not invariant, though their sum is.
    assert not PauliTerms.from_strings(2, {"h": ["Z0", "Z1"]}).is_invariant((1, 0))
    assert not PauliTerms.from_strings(2, {"h": "Z0 + 2 Z1"}).is_invariant((1, 0))
    with pytest.raises(ValueError, match=r"A permutation must hold 0 ... 1 in some order"):
        PauliTerms(2, {"h": 1}, [0], [0], [1], [1.0], mode_permutations=[(0, 2)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PauliTerms(31, {"a": 0}, [], [], [], []), "`sites` must be at most 30"),
        (lambda: PauliTerms(0, {"a": 0}, [], [], [], []), "`sites` must be a whole number of at least 1"),
        (lambda: PauliTerms(2, {"a": 1}, [0], [4], [0], [1.0]), "`x` must lie between 0 and 3"),
        (lambda: PauliTerms(2, {"a": 1}, [0], [0], [-1], [1.0]), "`z` must lie between 0 and 3"),
        (lambda: PauliTerms(2, {"a": 1}, [1], [0], [0], [1.0]), "`term` must lie between 0 and 0"),
        (lambda: PauliTerms(2, {"a": 1}, [0], [0], [0], [np.nan]), "`weight` must be finite"),
        (lambda: PauliTerms(2, {"a": 1}, [0], [0], [0], [1j]), "`weight` must be real"),
        (lambda: PauliTerms(2, {"a": 1}, [0], [0], [0, 0], [1.0]), "one entry a string each"),
        (lambda: PauliTerms(2, {"a": 1}, [0], [2], [0], [1.0], [(1, 0)]), "must leave every term as it is"),
        (lambda: PauliTerms(2, {"a": 1}, [0], [2], [0], [1.0], [(1, 1)]), "must hold 0 ... 1 in some order"),
        (lambda: PauliSum({"b": 1.0}, chain_terms(2, [(0, 1)])), "`couplings` must have the names"),
        (lambda: PauliSum({"J": [1.0, 2.0]}, chain_terms(2, [(0, 1)])), "`J` must hold 1 numbers"),
        (lambda: PauliSum({"J": [1j]}, chain_terms(2, [(0, 1)])), "`J` must be real"),
        (lambda: PauliSum({"J": [np.inf]}, chain_terms(2, [(0, 1)])), "`J` must be finite"),
        (
            lambda: PauliSum({"J": [1.0]}, chain_terms(2, [(0, 1)])).matvec(jnp.ones(2)),
            r"`vector` must have shape \(4,\)",
        ),
        (
            lambda: jax.jit(lambda j: PauliSum({"J": j}, chain_terms(2, [(0, 1)])).to_sparse().sum())(jnp.ones(1)),
            "`to_sparse` must know the couplings",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
