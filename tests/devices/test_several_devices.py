"""Vectors, probes and batches on several devices: the same answers, and no exchange that is not needed.

What is exchanged is read off the compiled programs, which child processes with eight CPU devices make: see `programs.py`.
"""

import functools
import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest
from devices import programs

FOLDER = pathlib.Path(__file__).parent
QUICK = ("products:8", "probes:8", "batches:8", "split_matrices:8", "lanczos:2x4")
SLOW = ("products:2", "products:4", "batches:4", *(f"lanczos:{shape}" for shape in ("8x1", "1x2", "1x4", "1x8")))
SLOW += ("lanczos:2x4:2",)
KINDS = ("ring, real vector", "ring, complex vector") + tuple(
    f"{name}, {kind} vector" for name in programs.STRINGS for kind in ("real", "complex")
)
SLOWLY = pytest.mark.slow


def started(sections, *options):
    """A child process at work; CPU devices whatever the machine has, and the package of this checkout."""
    path = os.pathsep.join([str(FOLDER.parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, str(FOLDER / "programs.py"), *sections, *options],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(*children):
    """What each printed; none is left running."""
    try:
        outputs = [child.communicate(timeout=500) for child in children]
    finally:
        for child in children:
            child.kill()
    for child, (_, complaints) in zip(children, outputs, strict=True):
        assert child.returncode == 0, complaints[-3000:]
    return [json.loads(text.strip().splitlines()[-1]) for text, _ in outputs]


@functools.cache
def found(quick):
    return finished(started(QUICK if quick else SLOW))[0]


def report(section):
    return found(section in QUICK)[section]


def sizes(*slow):
    return [8, *(pytest.param(size, marks=SLOWLY) for size in slow)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", sizes(2, 4))
def test_a_product_exchanges_once_for_each_flip_of_device_qubits(size, kind):
    seen = report(f"products:{size}")[kind]
    assert seen["collective-permute"] == seen["flips"]
    assert seen["all-gather"] == seen["all-to-all"] == seen["all-reduce"] == 0
    assert seen["stays"]  # the answer is split as the vector was
    assert seen["difference"] < 1e-14


def test_random_numbers_do_not_depend_on_devices():
    for kind, seen in report("probes:8").items():
        assert seen["all-gather"] == seen["all-to-all"] == seen["collective-permute"] == 0
        # A norm is a sum, and sums over parts round differently; signs and unit vectors are the same to the bit.
        assert seen["difference"] <= (4 * seen["eps"] if "sphere" in kind else 0), kind


@pytest.mark.parametrize("size", sizes(4))
def test_each_device_decomposes_the_matrices_it_has(size):
    seen = report(f"batches:{size}")
    for name, case in seen.items():
        assert case["difference"] < 1e-13, name
        if name != "split matrices":  # these must be collected first
            assert sum(case[kind] for kind in programs.COLLECTIVES) == 0, name
    assert {seen[name]["calls"] for name in ("eigenvalues", "eigenvectors", "over a grid", "log Z")} == {16 // size}


def test_matrices_that_cannot_be_put_together_are_refused():
    assert "A matrix to decompose must lie on one device, but is split" in report("split_matrices:8")["complaint"]


@functools.cache
def reference(deflation="0"):
    """On the one device of this process, by the product that knows nothing of devices."""
    return np.array(programs.lanczos("none", deflation)["answer"])


@pytest.mark.parametrize(
    "layout", ["2x4", *(pytest.param(name, marks=SLOWLY) for name in ("8x1", "1x2", "1x4", "1x8"))]
)
def test_lanczos_has_the_same_answers_on_any_devices(layout):
    seen = report(f"lanczos:{layout}")
    np.testing.assert_allclose(seen["answer"], reference(), rtol=0, atol=1e-12)
    assert seen["gathered"] < seen["vector"]  # what is collected is coefficients, fewer than a vector of 2^7 has
    if layout == "8x1":
        assert seen["collective-permute"] == 0


@pytest.mark.slow
def test_deflation_expectations_and_errors_too():
    seen = report("lanczos:2x4:2")
    np.testing.assert_allclose(seen["answer"], reference("2"), rtol=0, atol=1e-12)
    assert seen["gathered"] < seen["vector"]


@pytest.mark.slow
def test_two_processes():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sections = ("products:2", "couplings:2", "batches:2", "lanczos:2x1", "lanczos:1x2")
    options = ("--devices", "2", "--of", "2", "--port", str(port))
    for seen in finished(*(started(sections, *options, "--process", str(process)) for process in range(2))):
        for case in seen["products:2"].values():
            assert case["collective-permute"] == case["flips"]
            assert case["all-gather"] == 0
            assert case["difference"] < 1e-14
        for case in seen["batches:2"].values():
            assert case["difference"] < 1e-13
        assert seen["couplings:2"]["difference"] < 1e-14
        for layout in ("2x1", "1x2"):
            np.testing.assert_allclose(seen[f"lanczos:{layout}"]["answer"], reference(), rtol=0, atol=1e-12)
