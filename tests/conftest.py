"""Settings of every test: float64, no display, reproducible property tests, bounded memory."""

import gc
import os
import pathlib
import platform
import time

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that spin on small matrices starve a busy machine
# Most of the time goes into compiling small programs that run once: compile them plainly, and keep them for the other workers, for
# the processes that tests start, and for the next run.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR",
    str(pathlib.Path(__file__).parents[1] / ".pytest_cache" / f"compiled_on_{platform.node()}"),
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import hypothesis
import jax
import pytest

jax.config.update("jax_enable_x64", True)

# A first call compiles for seconds, so a deadline would measure XLA; derandomised, so that a failure can be repeated.
hypothesis.settings.register_profile("jaxgibbs", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("jaxgibbs")

# Compiled programs are kept for the life of a process; Linux gives it a limited number of mappings, and each program takes some.
_LARGEST_MEMORY = 6 * 2**30  # bytes of one process
_MOST_MAPPINGS = 30_000  # of the usual limit of 65530, beyond which XLA crashes
_SECONDS_BETWEEN_LOOKS = 5  # counting mappings is slow; a test of a minute takes thousands
_SECONDS_BETWEEN_CLEARINGS = (
    60  # what was freed need not go back to the system: the size alone would clear at every look
)
_looked = _cleared = time.monotonic()


@pytest.fixture(autouse=True)
def _compiled_programs_let_go():
    """Drop the compiled programs of earlier tests before they fill the memory of a small machine, or its table of mappings."""
    global _looked, _cleared
    yield
    now, status, mappings = time.monotonic(), pathlib.Path("/proc/self/statm"), pathlib.Path("/proc/self/maps")
    if now < _looked + _SECONDS_BETWEEN_LOOKS or not status.exists():
        return
    _looked = now
    size = int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    too_large = size > _LARGEST_MEMORY and now > _cleared + _SECONDS_BETWEEN_CLEARINGS
    if too_large or mappings.read_bytes().count(b"\n") > _MOST_MAPPINGS:
        jax.clear_caches()
        gc.collect()
        _cleared = now


def pytest_collection_modifyitems(items):
    """The code of the README is one test of a minute: it starts first, so that no worker waits for it alone."""
    items.sort(key=lambda item: "test_readme" not in item.nodeid)
