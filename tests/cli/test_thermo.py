"""`python -m jaxgibbs thermo`: numbers against closed forms, files written, misuse refused with a reason."""

import csv

import numpy as np
import pytest

from jaxgibbs import units
from jaxgibbs.cli import run

PNG = b"\x89PNG\r\n"


def table_of(folder):
    """Columns of thermo.csv by name, units left out."""
    with open(folder / "thermo.csv", encoding="utf-8") as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))
    names = [name.partition(" / ")[0] for name in rows[0]]
    return dict(zip(names, np.array(rows[1:], dtype=float).T, strict=True))


def schottky(gap, degeneracy, temperature):
    """(U, S, C) of levels 0 and `gap`, the upper one `degeneracy`-fold, with k_B = 1."""
    x = gap / temperature
    z = 1 + degeneracy * np.exp(-x)
    p = degeneracy * np.exp(-x) / z
    return gap * p, np.log(z) + x * p, x**2 * p * (1 - p)


def test_two_level_model(tmp_path, capsys):
    code = run(
        [
            "thermo",
            "two_level",
            "--set",
            "gap=2.0",
            "--from",
            "0.2",
            "--to",
            "4",
            "--points",
            "25",
            "--out",
            str(tmp_path),
        ]
    )
    assert code == 0
    columns = table_of(tmp_path)
    energy, entropy, heat_capacity = schottky(2.0, 1, columns["temperature"])
    np.testing.assert_allclose(columns["energy"], energy - 1.0, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(columns["entropy"], entropy, rtol=1e-12)
    np.testing.assert_allclose(columns["heat capacity"], heat_capacity, rtol=1e-12)
    np.testing.assert_allclose(columns["free energy"], energy - 1.0 - columns["temperature"] * entropy, rtol=1e-12)
    assert (tmp_path / "figure.png").read_bytes().startswith(PNG)
    assert "two_level(gap=2.0)" in capsys.readouterr().out


def test_level_file_in_laboratory_units(tmp_path):
    levels = tmp_path / "levels.csv"
    levels.write_text("# a doublet and a triplet above it\nenergy,degeneracy\n0.0,1\n35.0,3\n")
    options = ["--energy-unit", "cm^-1", "--temperature-unit", "meV", "--molar", "--log", "--points", "9"]
    assert run(["thermo", "--levels", str(levels), "--from", "1", "--to", "9", *options, "--out", str(tmp_path)]) == 0
    columns = table_of(tmp_path)
    np.testing.assert_allclose(columns["temperature"], 9.0 ** np.linspace(0, 1, 9), rtol=1e-14)
    kelvin = columns["temperature"] * 1.602176634e-22 / 1.380649e-23
    energy, entropy, heat_capacity = schottky(35.0 * 1.438776877504, 3, kelvin)
    np.testing.assert_allclose(columns["energy"], energy / 1.438776877504, rtol=1e-11)
    np.testing.assert_allclose(columns["entropy"], entropy * units.MOLAR_GAS_CONSTANT, rtol=1e-11)
    np.testing.assert_allclose(columns["heat capacity"], heat_capacity * units.MOLAR_GAS_CONSTANT, rtol=1e-11)
    assert "entropy / J/(mol K)" in (tmp_path / "thermo.csv").read_text()


def test_no_folder_no_files(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["thermo", "oscillator", "--set", "frequency=1.0", "--points", "3"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert "heat capacity" in capsys.readouterr().out


def test_list_of_models(capsys):
    assert run(["thermo", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "heisenberg_ring(sites, coupling=1.0" in listed
    assert "two_level(gap" in listed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name either a model or a file of levels"),
        (["two_level", "--levels", "x.csv"], "name either a model or a file of levels"),
        (["two_levels", "--set", "gap=1"], 'did you mean "two_level"?'),
        (["two_level"], 'gap is missing; two_level(gap, tunnelling=0.0) needs "gap"'),
        (["two_level", "--set", "gap"], "--set must be NAME=VALUE, but is 'gap'"),
        (["two_level", "--set", "gap=one"], "--set gap: the value must be a number"),
        (["two_level", "--set", "width=1"], "width is no setting of two_level(gap, tunnelling=0.0)"),
        (["heisenberg_ring", "--set", "sites=-2"], "refuses its settings"),
        (["two_level", "--set", "gap=1", "--from", "0"], "--from and --to must be positive and in order"),
        (["two_level", "--set", "gap=1", "--from", "3", "--to", "2"], "must be positive and in order"),
        (["two_level", "--set", "gap=1", "--energy-unit", "cm-1"], '--energy-unit must be one of "K"'),
        (["two_level", "--set", "gap=1", "--temperature-unit", "K"], "--temperature-unit needs --energy-unit"),
        (["--levels", "absent.csv"], "absent.csv: there is no such file"),
        (["--levels", "x.csv", "--set", "gap=1"], "--set belongs to a model"),
        (["hydrogen", "--points", "2"], "continu"),
        (["logarithmic_spectrum", "--to", "2", "--points", "2"], "beta"),
    ],
)
def test_misuse_is_refused_with_a_reason(arguments, words, capsys):
    assert run(["thermo", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("error: ") == 1
    assert words in captured.err
    assert "Traceback" not in captured.err


def test_unknown_option_and_command(capsys):
    assert run(["thermo", "--wrong"]) == 2
    assert run(["cook"]) == 2
    assert "Traceback" not in capsys.readouterr().err
