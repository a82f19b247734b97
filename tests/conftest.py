"""Settings of every test: float64, no display, reproducible property tests, bounded memory."""

import gc
import itertools
import os
import pathlib

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that spin on small matrices starve a busy machine

import hypothesis
import jax
import pytest

jax.config.update("jax_enable_x64", True)

# A first call compiles for seconds, so a deadline would measure XLA; derandomised, so that a failure can be repeated.
hypothesis.settings.register_profile("jaxgibbs", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("jaxgibbs")

_LARGEST_MEMORY = 6 * 2**30  # bytes of one process; compiled programs are kept for the process's life unless let go
_TESTS_BETWEEN = (
    60  # what was freed need not go back to the system, so that the size alone would clear after every test
)
_tests_since = itertools.count()


@pytest.fixture(autouse=True)
def _compiled_programs_let_go():
    """Drop the compiled programs of earlier tests before they fill the memory of a small machine."""
    global _tests_since
    yield
    status = pathlib.Path("/proc/self/statm")
    if next(_tests_since) < _TESTS_BETWEEN or not status.exists():
        return
    if int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > _LARGEST_MEMORY:
        jax.clear_caches()
        gc.collect()
        _tests_since = itertools.count()
