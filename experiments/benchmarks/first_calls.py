"""How long until the first answer? `python -m experiments.benchmarks.first_calls [NAME ...]`: each call in a new process.

Columns: seconds from the call to its answer, those of the processor, the programs compiled in it and their seconds, and the
second call. Imports have a row of their own.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np

SIGMA_X = np.array([[0.0, 1.0], [1.0, 0.0]])
COUPLINGS = (np.kron(SIGMA_X, np.eye(2)), np.kron(np.eye(2), SIGMA_X))


def gibbs_state() -> Callable:
    import jaxgibbs as jg

    hamiltonian = jg.models.heisenberg_chain(4, 1.0, 0.3)

    def call():
        state = jg.gibbs_state(hamiltonian, 1.3)
        return state.entropy, state.heat_capacity

    return call


def gradient_of_heat_capacity() -> Callable:
    import jax

    import jaxgibbs as jg

    matrix = np.diag(np.arange(16.0)) + 0.1
    return lambda: jax.grad(lambda h: jg.heat_capacity(h, 1.3))(matrix)


def temperatures_of_12_spins() -> Callable:
    import jax

    import jaxgibbs as jg

    chain, betas = jg.models.heisenberg_chain(12, 1.0, 0.3), np.linspace(0.1, 5, 200)
    return lambda: jax.vmap(lambda beta: jg.thermodynamics(chain, beta))(betas)


def lanczos_of_16_spins() -> Callable:
    import jaxgibbs as jg

    chain = jg.models.heisenberg_chain(16, 1.0, 0.3)
    return lambda: jg.gibbs_state(chain, 1.0, method=jg.Lanczos()).entropy


def fit_multipliers() -> Callable:
    import jaxgibbs as jg

    charges = np.random.default_rng(0).normal(size=(2, 16, 16))
    return lambda: jg.fit_multipliers([q + q.T for q in charges], np.array([0.3, -0.2])).value


def fit_beta() -> Callable:
    import jaxgibbs as jg

    chain = jg.models.heisenberg_chain(4, 1.0, 0.3)
    return lambda: jg.fit_beta(chain, energy=-0.7).value


def fit_curve() -> Callable:
    import jaxgibbs as jg

    kelvin = np.linspace(2.0, 300.0, 60)

    def curve(parameters):
        pair = jg.models.SpinCluster(
            (0.5, 0.5), ((0, 1),), parameters["J"], convention=jg.models.MINUS_TWO_J, g=parameters["g"]
        )
        return jg.equilibrium.chi_t(pair, kelvin)

    data = curve({"J": -30.0, "g": 2.0}) + 1e-3 * np.random.default_rng(0).normal(size=60)
    return lambda: jg.fitting.fit_curve(curve, {"J": (-100.0, 100.0), "g": (1.8, 2.2)}, data).minima[0].value


def _two_baths(beta=0.5):
    import jaxgibbs as jg

    baths = jg.OhmicBath(beta, 1e-3, 8.0), jg.OhmicBath(2.0, 1e-3, 8.0)
    pair = jg.models.heisenberg_chain(2, 1.0, 0.3).to_dense()
    return jg.davies(pair, list(zip(COUPLINGS, baths, strict=True)), baths=("hot", "cold"))


def steady_state_of_two_baths() -> Callable:
    import jaxgibbs as jg

    return lambda: jg.steady_state(_two_baths()).value


def gradient_of_a_steady_state() -> Callable:
    import jax

    import jaxgibbs as jg

    return lambda: jax.grad(lambda beta: jg.steady_state(_two_baths(beta)).value[0, 0].real)(0.5)


def steady_state_of_dimension_32() -> Callable:
    import jaxgibbs as jg

    lower = np.diag(np.sqrt(np.arange(1, 32.0)), 1)
    hamiltonian = np.diag(np.arange(32.0)) + 0.3 * (lower + lower.T)
    generator = jg.Lindbladian(hamiltonian, [lower, lower.T], [1.0, 0.2])
    return lambda: jg.steady_state(generator).value


def detailed_balance() -> Callable:
    import jaxgibbs as jg

    generator = _two_baths()
    return lambda: jg.detailed_balance(generator, beta=0.5).residuals


def evolve() -> Callable:
    import jax.numpy as jnp

    import jaxgibbs as jg

    generator = jg.Lindbladian(np.diag([1.0, 0.0]), [np.array([[0.0, 0.0], [1.0, 0.0]])], [0.1])
    return lambda: jg.evolve(generator, jnp.diag(jnp.array([1.0, 0.0])), jnp.linspace(0, 5, 20)).value


def thermodynamic_balance() -> Callable:
    import jax.numpy as jnp

    import jaxgibbs as jg

    generator, state = _two_baths(), jnp.diag(jnp.array([0.4, 0.3, 0.2, 0.1]))
    return lambda: (
        jg.dynamics.thermodynamic_balance(
            generator, state, jnp.linspace(0.0, 5.0, 20), betas=jnp.array([0.5, 2.0])
        ).value.energy
    )


def cumulants_of_heat() -> Callable:
    import jaxgibbs as jg

    generator = _two_baths()
    return lambda: jg.dynamics.cumulants(jg.dynamics.CountedHeat(generator, "hot"), 3)


CALLS = (
    gibbs_state,
    gradient_of_heat_capacity,
    temperatures_of_12_spins,
    lanczos_of_16_spins,
    fit_multipliers,
    fit_beta,
    fit_curve,
    steady_state_of_two_baths,
    gradient_of_a_steady_state,
    steady_state_of_dimension_32,
    detailed_balance,
    evolve,
    thermodynamic_balance,
    cumulants_of_heat,
)


def _timed(name: str) -> None:
    """In the new process: the imports, then the call twice."""
    imports = time.perf_counter()
    import jax

    import jaxgibbs  # noqa: F401

    jax.config.update("jax_enable_x64", True)
    jax.numpy.zeros(3).block_until_ready()
    imports = time.perf_counter() - imports
    warnings.simplefilter("ignore")
    call = globals()[name]()
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compiled.append(seconds) if "backend_compile" in event else None
    )
    rows = []
    for _ in range(2):
        compiled.clear()
        wall, processor = time.perf_counter(), time.process_time()
        jax.block_until_ready(call())
        rows.append((time.perf_counter() - wall, time.process_time() - processor, len(compiled), sum(compiled)))
    print(json.dumps({"imports": imports, "first": rows[0], "second": rows[1]}))


def main() -> None:
    """Time the calls whose names contain one of the arguments, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names of calls; all by default")
    parser.add_argument("--out", type=pathlib.Path, help="write JSON there")
    options = parser.parse_args()
    names = [call.__name__ for call in CALLS]
    chosen = [name for name in names if not options.names or any(part in name for part in options.names)]
    found = {}
    print(f"{'':30} {'first':>9} {'processor':>11} {'compiled':>16} {'second':>10} {'imports':>9}")
    for name in chosen:
        code = f"from experiments.benchmarks.first_calls import _timed; _timed({name!r})"
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        if ran.returncode:
            raise SystemExit(f"{name} failed:\n{ran.stderr}")
        row = found[name] = json.loads(ran.stdout.splitlines()[-1])
        wall, processor, count, seconds = row["first"]
        print(
            f"{name:30} {wall:7.2f} s {processor:9.2f} s {f'{count} in {seconds:.2f} s':>16} "
            f"{row['second'][0]:8.3f} s {row['imports']:7.2f} s",
            flush=True,
        )
    if options.out:
        options.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
