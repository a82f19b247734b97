"""Sweeps: the same numbers as one call a point, on any devices, through any interruption."""

import os
import pathlib
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgibbs as jg

PROGRAM = pathlib.Path(__file__).with_name("programs.py")
GRID = {"field": np.linspace(0.0, 2.0, 3), "beta": np.array([0.5, 1.0])}


def log_z(field, beta):
    return jg.log_partition(jg.models.heisenberg_chain(2, 1.0, field), beta)


def run(store, devices, chunks_to_live=0):
    path = os.pathsep.join([str(PROGRAM.parents[2]), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, str(PROGRAM), str(store), str(devices), str(chunks_to_live)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_each_point_is_the_call_of_its_own():
    dataset = jg.sweep(log_z, GRID)
    assert dataset["value"].dims == ("field", "beta")
    for field in GRID["field"]:
        for beta in GRID["beta"]:
            assert dataset["value"].sel(field=field, beta=beta) == pytest.approx(float(log_z(field, beta)), abs=1e-13)
    assert not dataset["failed"].any()


def test_outputs_keep_their_names_shapes_and_types():
    def function(x):
        return {"a": x, "b": {"c": jnp.stack([x, x + 1j])}, "n": jnp.int32(3)}

    dataset = jg.sweep(function, {"x": [1, 2, 3]}, chunk=2)
    assert dict(dataset["b.c"].sizes) == {"x": 3, "b.c_axis_0": 2}
    np.testing.assert_array_equal(dataset["b.c"][:, 1], np.array([1, 2, 3]) + 1j)
    assert dataset["n"].dtype == np.int32
    assert dataset["a"].dtype == np.float64


@pytest.mark.slow
def test_killed_at_any_chunk_it_resumes_on_other_devices_with_the_same_numbers(tmp_path):
    killed = run(tmp_path / "killed", devices=1, chunks_to_live=3)
    assert killed.returncode == -signal.SIGKILL
    partial = jg.open_sweep(tmp_path / "killed")
    assert int(partial["completed"].sum()) == 12
    assert np.isnan(partial["log_z"].values[~partial["completed"].values]).all()
    with open(tmp_path / "killed" / "completed.txt", "ab") as journal:
        journal.write(b"7")  # a line that was cut short is no entry
    resumed = run(tmp_path / "killed", devices=3)
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert resumed.stdout.split() == ["6"]  # nine chunks of four, of which three were there
    whole = run(tmp_path / "whole", devices=1)
    assert whole.returncode == 0, whole.stderr[-2000:]
    a, b = jg.open_sweep(tmp_path / "killed"), jg.open_sweep(tmp_path / "whole")
    assert a["completed"].all()
    np.testing.assert_allclose(a["log_z"], b["log_z"], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(a["noise"], b["noise"])
    assert len(np.unique(a["noise"])) == a["noise"].size  # a key for each point


def test_a_finished_sweep_is_read_not_run_again(tmp_path):
    first, calls = jg.sweep(log_z, GRID, store=tmp_path / "s", chunk=4), []
    again = jg.sweep(log_z, GRID, store=tmp_path / "s", progress=lambda *words: calls.append(words))
    assert not calls
    assert again.equals(first)
    assert jg.open_sweep(tmp_path / "s").drop_vars("completed").equals(first)


def test_a_failing_point_is_recorded_and_takes_no_other_with_it():
    dataset = jg.sweep(lambda x: 1 / x, {"x": [-1.0, 0.0, 2.0]})
    np.testing.assert_array_equal(dataset["failed"], [False, True, False])
    assert dataset["value"][2] == 0.5


def test_a_point_that_raises_is_recorded():
    def refuse(x):
        if x == 2.0:
            raise RuntimeError("not here")
        return np.asarray(x)

    def function(x):
        return jax.pure_callback(refuse, jax.ShapeDtypeStruct((), x.dtype), x, vmap_method="sequential")

    dataset = jg.sweep(function, {"x": [1.0, 2.0, 3.0]})
    np.testing.assert_array_equal(dataset["failed"], [False, True, False])
    np.testing.assert_array_equal(dataset["value"], [1.0, np.nan, 3.0])


def test_progress_counts_points():
    words = []
    jg.sweep(log_z, GRID, chunk=4, progress=lambda *w: words.append(w))
    assert [(done, total) for done, total, _ in words] == [(4, 6), (6, 6)]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({}, "at least one parameter"),
        ({"x": []}, "one or more numbers"),
        ({"x": [[1.0]]}, "one or more numbers"),
        ({"x": ["a"]}, "one or more numbers"),
        ({"key": [1.0]}, "identifiers"),
        ({"a b": [1.0]}, "identifiers"),
    ],
)
def test_a_bad_grid_says_so(grid, message):
    with pytest.raises(ValueError, match=message):
        jg.sweep(lambda x: x, grid)


def test_bad_outputs_and_too_little_memory():
    with pytest.raises(ValueError, match="returns none"):
        jg.sweep(lambda x: {}, {"x": [1.0]})
    with pytest.raises(ValueError, match="names of their own"):
        jg.sweep(lambda x: {"x": x}, {"x": [1.0]})
    with pytest.raises(ValueError, match="hold one point"):
        jg.sweep(lambda x: jnp.full((100,), x), {"x": np.ones(100)}, memory=10.0)


def test_a_store_of_another_sweep_is_left_alone(tmp_path):
    jg.sweep(log_z, GRID, store=tmp_path / "s")
    with pytest.raises(ValueError, match="other values"):
        jg.sweep(log_z, GRID | {"beta": np.array([0.5, 2.0])}, store=tmp_path / "s")
    with pytest.raises(ValueError, match="outputs"):
        jg.sweep(lambda field, beta: {"z": field}, GRID, store=tmp_path / "s")
    with pytest.raises(ValueError, match="random key"):
        jg.sweep(lambda field, beta, key: log_z(field, beta), GRID, store=tmp_path / "s", key=jax.random.key(0))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("dear")
    with pytest.raises(ValueError, match="other files"):
        jg.sweep(log_z, GRID, store=tmp_path / "other")
    with pytest.raises(ValueError, match="holds none"):
        jg.open_sweep(tmp_path / "other")
