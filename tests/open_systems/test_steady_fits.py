"""Bath temperatures and rates from measured populations and decays, through the general fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg

LOWERING, SZ = np.array([[0.0, 0], [1, 0]]), np.diag([1.0, -1])
TIMES = np.array([0.4, 1.0, 2.5, 6.0])


def generator(parameters):
    """A qubit of frequency 1 that loses `g (n + 1)` and gains `g n` quanta, and dephases."""
    number = 1 / jnp.expm1(parameters["beta"])
    rate = parameters["rate"]
    return jg.Lindbladian(
        0.5 * SZ, [LOWERING, LOWERING.T, SZ], jnp.stack([rate * (number + 1), rate * number, parameters["dephasing"]])
    )


def predict(parameters):
    """The population at the end, and the decays of an excitation (T1) and of a coherence (T2)."""
    lindbladian = generator(parameters)
    final = jg.steady_state(lindbladian).value[0, 0].real
    matrix = lindbladian.to_dense()
    flows = jax.vmap(lambda t: jax.scipy.linalg.expm(matrix * t))(TIMES)  # on stacked columns: (00, 10, 01, 11)
    return {"population": final, "excited": flows[:, 0, 0].real, "coherence": jnp.abs(flows[:, 1, 1])}


@pytest.mark.slow
def test_temperature_and_rates_from_populations_and_decays():
    truth = {"beta": 1.7, "rate": 0.4, "dephasing": 0.15}
    data = predict({name: jnp.asarray(value) for name, value in truth.items()})
    total = 0.4 / np.tanh(1.7 / 2)  # 1 / T1, and 1 / T2 = 1 / (2 T1) + 2 * dephasing
    np.testing.assert_allclose(data["coherence"], np.exp(-(total / 2 + 0.3) * TIMES), atol=1e-12)
    errors = {name: jnp.full_like(value, 1e-6) for name, value in data.items()}
    start = {"beta": 1.0, "rate": 1.0, "dephasing": 0.5}
    fit = jg.fit_model(predict, start, data, errors)
    for name, value in truth.items():
        np.testing.assert_allclose(fit.value[name], value, rtol=1e-7)


@pytest.mark.slow
def test_a_temperature_from_populations_alone_and_how_it_depends_on_them():
    def populations(parameters):
        number = 1 / jnp.expm1(parameters)
        rates = jnp.stack([number + 1, number])
        return jnp.diagonal(jg.steady_state(jg.Lindbladian(0.5 * SZ, [LOWERING, LOWERING.T], rates)).value).real

    def fitted(lower):
        data = jnp.stack([1 - lower, lower])
        return jg.fit_model(populations, 1.0, data, jnp.full(2, 1e-4)).value

    lower = 0.8
    np.testing.assert_allclose(fitted(lower), np.log(4), rtol=1e-8)
    np.testing.assert_allclose(jax.grad(fitted)(lower), 1 / (lower * (1 - lower)), rtol=1e-6)
