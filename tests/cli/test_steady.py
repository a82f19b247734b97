"""`python -m jaxgibbs steady`: closed forms, verdicts, exit codes, complaints."""

import json
import pathlib

import numpy as np
import pytest

from jaxgibbs import units
from jaxgibbs.cli import run

PNG = b"\x89PNG\r\n"
ATOM = """
kind = "open system"
title = "An atom in a warm field"
[hamiltonian]
rows = [[1.5, 0], [0, 0]]
"""
WARM = """
[baths.field]
operator = { rows = [[0, 1], [1, 0]] }
bath = "flat"
temperature = 2.0
strength = 0.1
"""
PUMP = """
[jumps.pump]
operator = { spin = "raising", site = 0 }
rate = 0.05
"""


def steady(folder, text):
    """(exit code, result.json) of a problem text."""
    (folder / "problem.toml").write_text(text)
    code = run(["steady", str(folder / "problem.toml"), "--out", str(folder / "out")])
    path = folder / "out" / "result.json"
    return code, json.loads(path.read_text()) if path.exists() else None


@pytest.mark.slow
def test_one_bath_leads_to_its_gibbs_state(tmp_path, capsys):
    code, result = steady(tmp_path, ATOM + WARM)
    assert code == 0
    weights = np.exp(-np.array([0.0, 1.5]) / 2.0)
    np.testing.assert_allclose(result["levels"]["population"], weights / weights.sum(), rtol=1e-12)
    assert result["detailed_balance"]["verdict"].startswith("Balanced")
    assert abs(result["energy_currents"]["field"]["into the system"]) < 1e-14
    assert abs(result["entropy_production"]) < 1e-14
    assert result["certificate"]["residual"] < 1e-14
    assert (tmp_path / "out" / "figure.png").read_bytes()[:6] == PNG
    screen = capsys.readouterr().out
    assert "An atom in a warm field" in screen
    assert "found" in screen


@pytest.mark.slow
def test_a_pumped_atom_is_at_another_temperature(tmp_path):
    # rates up 0.1 n + 0.05 and down 0.1 (n + 1); a two-level system is always balanced with respect to its own state
    code, result = steady(tmp_path, ATOM + WARM + PUMP)
    n = 1 / np.expm1(0.75)
    up, down = 0.1 * n + 0.05, 0.1 * (n + 1)
    assert code == 0
    np.testing.assert_allclose(result["levels"]["population"], [down / (up + down), up / (up + down)], rtol=1e-12)
    currents = {name: entry["into the system"] for name, entry in result["energy_currents"].items()}
    np.testing.assert_allclose(currents["pump"], 1.5 * 0.05 * down / (up + down), rtol=1e-10)
    np.testing.assert_allclose(currents["field"], -currents["pump"], rtol=1e-10)
    assert result["entropy_production"] is None  # a pump has no temperature


@pytest.mark.slow
def test_units_and_the_shipped_problem(tmp_path, capsys):
    shipped = pathlib.Path(__file__).parents[2] / "experiments" / "heat_valve" / "problem.toml"
    code, result = steady(tmp_path, shipped.read_text())
    assert code == 0
    currents = {name: entry["into the system"] for name, entry in result["energy_currents"].items()}
    assert currents["hot"] > 0 > currents["cold"]
    assert abs(currents["dephasing"]) < 1e-3 * currents["hot"]
    np.testing.assert_allclose(sum(currents.values()), 0, atol=1e-10 * currents["hot"])
    assert "driven" in result["detailed_balance"]["verdict"]
    joules = 1e9 * units.PLANCK_CONSTANT
    expected = currents["hot"] * joules**2 / units.REDUCED_PLANCK_CONSTANT
    np.testing.assert_allclose(result["energy_currents"]["hot"]["watt"], expected, rtol=1e-12)
    assert "GHz" in capsys.readouterr().out


@pytest.mark.slow
def test_the_entropy_production_is_in_the_unit_of_the_energies(tmp_path, capsys):
    code, _ = steady(tmp_path, ATOM.replace("title", 'energy_unit = "GHz"\ntemperature_unit = "K"\ntitle') + WARM)
    assert code == 0
    assert "k_B GHz / hbar" in capsys.readouterr().out


@pytest.mark.slow
def test_a_bath_from_a_table(tmp_path):
    w = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    rates = 0.2 * np.exp(0.25 * w)  # beta = 0.5
    rows = "\n".join(f"{a},{b}" for a, b in zip(w, rates, strict=True))
    (tmp_path / "rates.csv").write_text("frequency,rate\n" + rows + "\n")
    table = WARM.replace('bath = "flat"', 'bath = "table"\nfile = "rates.csv"').replace("strength = 0.1\n", "")
    code, result = steady(tmp_path, ATOM + table)
    assert code == 0
    np.testing.assert_allclose(
        result["levels"]["population"][1] / result["levels"]["population"][0], np.exp(-0.75), rtol=1e-10
    )


def test_several_steady_states_are_no_answer(tmp_path, capsys):
    dark = """
kind = "open system"
[hamiltonian]
rows = [[1, 0], [0, 0]]
[jumps.dephasing]
operator = { pauli = "Z0" }
rate = 0.1
"""
    code, result = steady(tmp_path, dark)
    assert code == 1
    assert not result["found"]
    assert "not found" in capsys.readouterr().out
    assert not (tmp_path / "out" / "figure.png").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ATOM.replace("open system", "closed system"), "must be one of"),
        (ATOM, "at least one bath or one jump"),
        (ATOM + WARM.replace("2.0", "-2.0"), 'key "baths.field.temperature": must be at least 0'),
        (ATOM + WARM.replace("flat", "sharp"), "must be one of"),
        (ATOM + WARM.replace("strength = 0.1", "strength = -0.1"), "`strength` must be finite, a number of at least 0"),
        (ATOM + WARM.replace("strength", "power"), "the keys allowed"),
        (ATOM + WARM.replace("[[0, 1], [1, 0]]", "[[0, 1, 0], [1, 0, 0], [0, 0, 1]]"), "must have shape (2, 2)"),
        (ATOM + WARM.replace("[[0, 1], [1, 0]]", "[[0, 1], [2, 0]]"), "Hermitian"),
        (ATOM.replace("rows", "matrix") + WARM, "write numbers as `rows"),
        (ATOM + PUMP.replace("0.05", "-0.05"), "must be at least 0"),
        (ATOM + PUMP.replace("site = 0", "site = 1"), "must be one of the 1 sites"),
        (ATOM + PUMP.replace("raising", "sideways"), "must be one of"),
        (ATOM + PUMP.replace('spin = "raising", site = 0', "site = 0"), "is missing; write"),
        (ATOM + WARM + PUMP.replace("jumps.pump", "jumps.field"), "is the name of a bath already"),
        (ATOM + WARM + "[generator]\nlamb_shift = 1\n", "must be true or false"),
        (ATOM.replace("title", 'temperature_unit = "K"\ntitle') + WARM, "is missing; a temperature in a unit"),
        (ATOM.replace("[[1.5, 0], [0, 0]]", "[[1.5, 0], [0]]") + WARM, "as many rows as columns"),
    ],
)
def test_complaints(tmp_path, capsys, text, message):
    code, _ = steady(tmp_path, text)
    assert code == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_ladders(tmp_path):
    text = """
kind = "open system"
[hamiltonian]
rows = [[0, 0, 0], [0, 1, 0], [0, 0, 2]]
[jumps.loss]
operator = { ladder = "lowering" }
rate = 0.4
[jumps.gain]
operator = { ladder = "raising" }
rate = 0.1
"""
    code, result = steady(tmp_path, text)
    assert code == 0
    weights = 0.25 ** np.arange(3)
    np.testing.assert_allclose(result["levels"]["population"], weights / weights.sum(), rtol=1e-12)
