"""A sweep in a process of its own: to be killed, resumed, and run on any number of devices."""

import os
import signal
import sys

store, devices, chunks_to_live = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

jax.config.update("jax_enable_x64", True)
import jaxgibbs as jg  # noqa: E402


def function(field, beta, key):
    noise = jax.random.normal(key, (2,))
    return {"log_z": jg.log_partition(jg.models.heisenberg_chain(2, 1.0, field), beta), "noise": noise}


GRID = {"field": np.linspace(0.0, 2.0, 5), "beta": np.linspace(0.1, 3.0, 7)}
KEY = jax.random.key(3)
evaluated = []


def progress(done, total, seconds):
    evaluated.append(done)
    if len(evaluated) == chunks_to_live:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    dataset = jg.sweep(function, GRID, store=store, key=KEY, chunk=4, progress=progress)
    assert jnp.isfinite(dataset["log_z"].values).all()
    print(len(evaluated))
