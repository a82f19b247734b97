"""`python -m jaxgibbs sweep`: a grid in one command, resumed, exported; bad axes refused."""

import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs.cli import run

AXES = ["--over", "field=0:2:3", "--over", "temperature=0.5:2:4:log"]


@pytest.mark.slow
def test_writes_a_labelled_grid_and_resumes(tmp_path, capsys):
    out, export = tmp_path / "grid", tmp_path / "grid.nc"
    command = ["sweep", "heisenberg_chain", "--set", "sites=2", *AXES, "--out", str(out), "--netcdf", str(export)]
    assert run(command) == 0
    assert run(command) == 0
    assert "0 failed" in capsys.readouterr().out
    assert export.stat().st_size > 0
    dataset = jg.open_sweep(out)
    found = dataset["energy"].sel(field=1.0, temperature=2.0)
    assert found == pytest.approx(float(jg.energy(jg.models.heisenberg_chain(2, field=1.0), 0.5)), abs=1e-13)
    np.testing.assert_allclose(dataset["temperature"], np.geomspace(0.5, 2, 4))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--over", "field=0:2:3"], "temperature"),
        (["--over", "temperature=0:2:3"], "positive"),
        (["--over", "temperature=1:2"], "NAME=FROM:TO:POINTS"),
        (["--over", "temperature=1:2:0"], "at least one point"),
        (["--over", "temperature=1:2:3", "--over", "colour=0:1:2"], "no setting"),
    ],
)
def test_a_bad_axis_says_so(words, message, tmp_path, capsys):
    assert run(["sweep", "heisenberg_chain", "--set", "sites=2", *words, "--out", str(tmp_path / "x")]) == 2
    assert message in capsys.readouterr().err
