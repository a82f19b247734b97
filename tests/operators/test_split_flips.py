"""The product by blocks of the leading bits against the dense matrix: on one device, where it must be right too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs.operators import PauliSum, PauliTerms, pauli
from jaxgibbs.operators.split_flips import leading_bits

SITES = 9
STRINGS = {
    "real": ["X0 Y1 Y8 + X0 X1 X2 X3 + 0.5 Z0 Z1", "X0 X8 + Z2 X5 - Y2 Y8 + Z7", "X0 + X1 Z0 + X2 Y4 Y7"],
    "complex": ["X0 Y1 Z8 X3", "Y0 + Z1 Y2 X8", "Z0 Z3 + X1 X2"],
    "outside": ["X0 X1", "Z0", "Y0 Y2"],
}
THETA = np.array([0.7, -0.4, 1.1])


def terms(name, sites=SITES):
    return PauliTerms.from_strings(sites, {"theta": STRINGS[name]})


def split(static, leading):
    """`H v` by blocks, as a function of the couplings too."""

    def product(theta, vector):
        operator = PauliSum({"theta": theta}, static)
        coefficients = operator.coefficients()[static.term] * jnp.asarray(static.factors(), operator.dtype)
        return pauli.SplitMap(coefficients, pauli._split_plan(static, leading))(vector)

    return product


def vector(kind, dim=2**SITES):
    rng = np.random.default_rng(4)
    real = rng.normal(size=dim)
    return real if kind == "real" else real + 1j * rng.normal(size=dim)


@pytest.mark.parametrize("leading", [1, 9])
@pytest.mark.parametrize("name", STRINGS)
def test_equals_the_matrix(name, leading):
    static = terms(name)
    dense = np.asarray(PauliSum({"theta": THETA}, static).to_dense())
    found = jax.jit(split(static, leading))(THETA, vector("complex"))
    np.testing.assert_allclose(found, dense @ vector("complex"), atol=1e-13)


def test_derivatives_and_batches():
    static = terms("real")
    plain = lambda theta, v: PauliSum({"theta": theta}, static).matvec(v)  # noqa: E731
    vectors = np.stack([vector("real"), np.roll(vector("real"), 3)])
    weight = np.cos(np.arange(2**SITES))
    found, expected = (
        jax.jit(jax.vmap(jax.grad(lambda t, v, f=f: jnp.sum(weight * f(t, v)), argnums=(0, 1)), (None, 0)))
        for f in (split(static, 3), plain)
    )
    for a, b in zip(found(THETA, vectors), expected(THETA, vectors), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize(("name", "dtype"), [("real", jnp.float32), ("complex", jnp.complex64)])
def test_single_precision_stays(name, dtype):
    theta, given = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((3,), (2**SITES,)))
    assert jax.eval_shape(split(terms(name), 2), theta, given).dtype == dtype


def test_nothing_is_zero():
    static = PauliTerms.from_strings(SITES, {"theta": ["X0 - X0"]})
    operator = PauliSum({"theta": 1.0}, static)
    product = pauli.SplitMap(operator.coefficients()[static.term], pauli._split_plan(static, 3))
    np.testing.assert_array_equal(product(vector("real")), 0)


def test_wrong_shape():
    with pytest.raises(ValueError, match=r"`vector` must have shape \(512,\)"):
        jax.eval_shape(split(terms("real"), 3), THETA, np.ones((2, 512)))


@pytest.mark.parametrize(("count", "bits"), [(1, 0), (2, 1), (6, 3), (8, 3), (4096, 9)])
def test_devices_choose_the_bits(count, bits, monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: count)
    assert leading_bits(SITES) == bits
    operator = jg.models.transverse_ising_chain(4, 1.0, 0.7)
    assert isinstance(operator.linear_map(), pauli.SplitMap if bits else pauli.FlipMap)
