"""What cannot fit is refused by name, with its size and with what would do, before it is asked for."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import _errors, baths, diagnostics, dynamics, ensembles, models, open_systems, operators, strong_coupling

DIM = 21
LOWER = np.diag(np.sqrt(np.arange(1.0, DIM)), 1)
OSCILLATOR = jg.Lindbladian(np.diag(np.arange(float(DIM))), [LOWER, LOWER.T], [1.0, 0.3])
TOO_MANY = models.heisenberg_chain(15, 1.0, 0.3)
LARGE = jg.Lindbladian(np.eye(65), [np.eye(65)])
MATRIX = np.diag([0.0, 1.0])


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda: OSCILLATOR.to_dense(), "linear_map"),
        (lambda: jg.steady_state(OSCILLATOR, open_systems.Dense()), "Krylov"),
        (lambda: jg.steady_state(LARGE, open_systems.Krylov()), "symmetries"),
        (lambda: jg.evolve(LARGE, np.eye(65) / 65, jnp.linspace(0.0, 1.0, 3), method=dynamics.Taylor()), "fewer times"),
        (
            lambda: jg.steady_state(jg.davies(np.diag(np.arange(50.0)), [(np.eye(50), jg.OhmicBath(0.1, 1.0, 5.0))])),
            "local",
        ),
        (
            lambda: jg.evolve(OSCILLATOR, np.eye(DIM) / DIM, jnp.linspace(0.0, 1.0, 3), method=dynamics.Propagator()),
            "Taylor",
        ),
        (
            lambda: dynamics.cumulant_generating_function(
                dynamics.CountedJumps(OSCILLATOR, [1.0, 0.0]), 0.1, method=open_systems.Dense()
            ),
            "Krylov",
        ),
        (lambda: operators.KroneckerSum([np.eye(30), np.eye(30)]).to_dense(), "parts apart"),
        (lambda: jg.log_partition(models.heisenberg_chain(16), 1.0, method=jg.Lanczos()), "float32"),
    ],
)
def test_where_the_device_is_too_small(call, remedy, monkeypatch):
    monkeypatch.setattr(_errors, "device_memory", lambda: 2**20)
    with pytest.raises(ValueError, match=rf"must have room for .* GiB, but this device has 0\.0 GiB; .*{remedy}"):
        call()


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda: jg.gibbs_state(TOO_MANY, 1.0, method=jg.Exact()), "Lanczos"),
        (lambda: ensembles.window_state(TOO_MANY, 0.0, 1.0), "Lanczos"),
        (lambda: dynamics.work_measurement(TOO_MANY, TOO_MANY, lambda rho: rho, 1.0), "Lanczos"),
        (
            lambda: strong_coupling.mean_force_of_modes(
                MATRIX, MATRIX, baths.FiniteBath(np.ones(14), np.ones(14)), 1.0, 2
            ),
            "Lanczos",
        ),
        (lambda: diagnostics.detailed_balance(LARGE), "estimated_residual"),
        (lambda: open_systems.steady_states(LARGE), "Relaxation"),
        (lambda: models.heisenberg_chain(31, 1.0), "2\\^30"),
    ],
)
def test_where_no_device_is_large_enough(call, remedy):
    with pytest.raises(ValueError, match=remedy):
        call()
