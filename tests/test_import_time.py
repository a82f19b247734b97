"""`import jaxgibbs` stays light: little beyond its numerical dependencies, and nothing for the edges."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
BASELINE = "import jax, equinox, lineax, optimistix"
ROUNDS = 6


def run(code: str) -> str:
    """Standard output of `code` in a fresh interpreter that finds this checkout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_for_plots_or_the_command_line_is_imported():
    loaded = json.loads(run("import jaxgibbs, sys, json; print(json.dumps(sorted(sys.modules)))"))
    tops = {name.partition(".")[0] for name in loaded}
    assert tops.isdisjoint({"matplotlib", "typer", "click", "rich", "pandas", "qutip", "pytest", "scipy"})


@pytest.mark.slow
def test_importing_computes_nothing():
    # A computation at import time would start the backend, so that users could no longer choose the platform or x64.
    code = "import jaxgibbs, jax; jax.config.update('jax_enable_x64', True); print(jax.numpy.ones(1).dtype)"
    assert run(code).strip() == "float64"
    assert run("import jaxgibbs, jax; print(jax.config.jax_enable_x64)").strip() == "False"


def test_the_number_of_devices_may_be_set_after_the_import():
    code = "import jaxgibbs, jax; jax.config.update('jax_num_cpu_devices', 3); print(len(jax.devices()))"
    assert run(code).strip() == "3"


@pytest.mark.slow
def test_import_takes_less_than_a_third_more_than_its_dependencies():
    def seconds(statement):
        timed = f"import time; start = time.process_time(); {statement}; print(time.process_time() - start)"
        return float(run(timed))

    # Of the processor, interleaved, and the least of several: what else the machine does only ever adds.
    rounds = [(seconds(BASELINE), seconds("import jaxgibbs")) for _ in range(ROUNDS)]
    baseline, ours = (min(times) for times in zip(*rounds, strict=True))
    assert ours < 1.3 * baseline, f"import jaxgibbs takes {ours:.2f} s, its dependencies alone {baseline:.2f} s"
