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

# Compiled programs are kept for the life of a process; Linux gives it a limited number of mappings, and each program takes some.
_LARGEST_MEMORY = 6 * 2**30  # bytes of one process
_MOST_MAPPINGS = 40_000  # of the usual limit of 65530, beyond which XLA crashes
_TESTS_BETWEEN = (
    60  # what was freed need not go back to the system, so that the size alone would clear after every test
)
_tests_since = itertools.count()


@pytest.fixture(autouse=True)
def _compiled_programs_let_go():
    """Drop the compiled programs of earlier tests before they fill the memory of a small machine, or its table of mappings."""
    global _tests_since
    yield
    status, mappings = pathlib.Path("/proc/self/statm"), pathlib.Path("/proc/self/maps")
    if next(_tests_since) < _TESTS_BETWEEN or not status.exists():
        return
    size = int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if size > _LARGEST_MEMORY or mappings.read_bytes().count(b"\n") > _MOST_MAPPINGS:
        jax.clear_caches()
        gc.collect()
        _tests_since = itertools.count()
