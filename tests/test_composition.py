"""Every public function that is differentiable, in programs as users write them.

Each, or a few that share a decomposition, go through `jit(scan(optax step of vmap(grad(f))))` over stacked
Hamiltonians in float32: `f` maps three couplings to a number. The program compiles, keeps its precision, meets no
NaN, and its gradients explain the steps of its values.
The tables and the exemptions of `compositions/`, a file an area, together must name everything public.
"""

import importlib
import pathlib
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxgibbs as jg
from compositions.common import START

FILES = sorted((pathlib.Path(__file__).parent / "compositions").glob("*.py"))
AREAS = [importlib.import_module(f"compositions.{file.stem}") for file in FILES if file.stem != "common"]
TABLE = {names: function for area in AREAS for names, function in area.TABLE.items()}
EXEMPT = {name: reason for area in AREAS for name, reason in area.EXEMPT.items()}
SLOW = (
    "strong_coupling.weak_coupling",
    "ensembles.PSpinLimit",
    "dynamics.three_level_maser",
    "baths.DrudeLorentzBath",
    "dynamics.CountedJumps",
    "response.steady_correlation",
    "response.green_kubo",
    "fit_expectations",
    "strong_coupling.sampled_mean_force",
    "strong_coupling.ultrastrong",
    "strong_coupling.oscillator_of_modes",
    "dynamics.UnitaryStroke",
    "dynamics.evolution_operator",
    "baths.FiniteBath",
    "information.quantum_fisher_information",
    "models.molecule",
    "models.hopping_chain_modes",
)


def public_names():
    """Everything importable from the contents pages, once: `log_partition`, and `operators.Dense`, but no constants.

    The command line is no part of `import jaxgibbs`; it becomes an attribute when another test imports it.
    """
    top = {name: getattr(jg, name) for name in dir(jg) if not name.startswith("_")}
    top = {name: item for name, item in top.items() if name not in ("cli", "TYPE_CHECKING")}
    names = {name for name, item in top.items() if not isinstance(item, types.ModuleType)}
    seen = {id(top[name]) for name in names}
    for area, module in top.items():
        if isinstance(module, types.ModuleType):
            for name in dir(module):
                item = getattr(module, name)
                ours = getattr(item, "__module__", "").startswith("jaxgibbs") and callable(item)
                if not name.startswith("_") and ours and id(item) not in seen:
                    names.add(f"{area}.{name}")
    return {name for name in names if name not in ("units.Number",)}


def test_no_public_name_is_forgotten():
    table = {name for names in TABLE for name in ([names] if isinstance(names, str) else names)}
    assert table.isdisjoint(EXEMPT)
    missing = public_names() - table - set(EXEMPT)
    assert not missing, f"put these into TABLE, or into EXEMPT with a reason: {sorted(missing)}"
    gone = (table | set(EXEMPT)) - public_names()
    assert not gone, f"these are no longer public: {sorted(gone)}"


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(names, marks=pytest.mark.slow if {*SLOW} & {names, names[0]} else (), id=str(names))
        for names in TABLE
    ],
)
def test_composition(names):
    function = TABLE[names]
    gradients = jax.vmap(jax.value_and_grad(function))
    optimizer = optax.sgd(2e-2)

    @jax.jit
    def train(theta):
        def step(carry, _):
            theta, state = carry
            values, slopes = gradients(theta)
            updates, state = optimizer.update(slopes / (1 + jnp.max(jnp.abs(slopes))), state)
            return (optax.apply_updates(theta, updates), state), (theta, values, slopes)

        return jax.lax.scan(step, (theta, optimizer.init(theta)), None, length=2)[1]

    thetas, values, slopes = train(jnp.asarray(START))
    for array in (thetas, values, slopes):
        assert array.dtype == jnp.float32
        assert np.all(np.isfinite(array))
    assert np.any(slopes != 0)
    # f(y) - f(x) = (grad f(x) + grad f(y)) . (y - x) / 2 + O(|y - x|^3): steps are at most 0.02 * sqrt(3) long, values
    # are known to a few eps, and solvers stop at eps^(2/3) of their scale.
    expected = np.sum((slopes[0] + slopes[1]) / 2 * (thetas[1] - thetas[0]), axis=-1)
    rounding = 5e-5 * (1 + np.max(np.abs(values)))
    np.testing.assert_allclose(values[1] - values[0], expected, rtol=0.02, atol=rounding)
