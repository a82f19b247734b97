"""Probes laid out on devices, here on one: numbers do not depend on the layout, and what does not fit is refused."""

import functools

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType, NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P

import jaxgibbs as jg
from jaxgibbs.equilibrium.layout import devices

CHAIN = jg.models.heisenberg_chain(5, 1.0, 0.3)


def on_one_device(*names):
    mesh = jax.make_mesh((1,) * len(names), names, axis_types=(AxisType.Auto,) * len(names))
    return NamedSharding(mesh, P(*names))


def somewhere(shape, *spec):
    """A layout on devices that need not exist."""
    return NamedSharding(AbstractMesh(shape, ("a", "b")[: len(shape)]), P(*spec))


@pytest.mark.slow
def test_answers_are_the_same_under_vmap_too():
    def states(coupling, sharding):
        chain = jg.models.heisenberg_chain(5, coupling)
        return jg.thermal_pure_states(chain, 0.7, method=jg.Lanczos(probes=3, depth=4, sharding=sharding))

    plain, laid_out = (
        jax.jit(jax.vmap(functools.partial(states, sharding=sharding)))(np.array([0.8, 1.1]))
        for sharding in (None, on_one_device("a", "b"))
    )
    np.testing.assert_allclose(laid_out.vectors, plain.vectors, atol=1e-13)
    np.testing.assert_allclose(laid_out.log_partition, plain.log_partition, atol=1e-13)


@pytest.mark.parametrize(
    ("shape", "spec", "expected"),
    [
        ((4,), (), (1, 1)),
        ((4,), ("a",), (4, 1)),
        ((4,), (None, "a"), (1, 4)),
        ((2, 4), ("a", "b"), (2, 4)),
        ((2, 4), (None, ("a", "b")), (1, 8)),
    ],
)
def test_groups_and_parts(shape, spec, expected):
    assert devices(somewhere(shape, *spec)) == expected
    assert devices(None) == (1, 1)


def test_a_run_says_where_it_is():
    method = jg.Lanczos(probes=2, depth=4, sharding=on_one_device("a", "b"))
    assert "probes over 1 group of 1 device" in jg.gibbs_state(CHAIN, 0.7, method=method).explain()


@pytest.mark.parametrize("sharding", [P("a"), SingleDeviceSharding(jax.devices()[0]), somewhere((2,), None, None, "a")])
def test_a_layout_is_that_of_probes_and_states(sharding):
    with pytest.raises(ValueError, match=r"`sharding` must be a .* with the axes"):
        jg.Lanczos(sharding=sharding)


def test_parts_must_be_equal():
    with pytest.raises(ValueError, match=r"`sharding` must split vectors into equal parts, but the dimension is 32"):
        jg.log_partition(CHAIN, 0.7, method=jg.Lanczos(sharding=somewhere((3,), None, "a")))
