"""`python -m jaxgibbs fit` on free modes: the shipped problem, exact synthetic data, and every complaint."""

import json
import pathlib

import numpy as np
import pytest
import scipy.constants
import scipy.optimize

from jaxgibbs.cli import run
from jaxgibbs.cli.data_files import read_columns

ROOT = pathlib.Path(__file__).parents[2]
CMB = ROOT / "experiments" / "cmb"
PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def cmb(tmp_path_factory):
    out = tmp_path_factory.mktemp("cmb")
    code = run(["fit", str(CMB / "problem.toml"), "--out", str(out)])
    return code, json.loads((out / "result.json").read_text()), out


def radiance(wavenumber, temperature, mu, h=scipy.constants.h, k=scipy.constants.k):
    """2 h nu^3 / c^2 / (exp(h nu / k T + mu) - 1) in kJy/sr."""
    frequency = 100 * scipy.constants.c * wavenumber
    return 1e23 * 2 * h * frequency**3 / scipy.constants.c**2 / np.expm1(h * frequency / (k * temperature) + mu)


@pytest.mark.slow
def test_cmb_temperature_and_chemical_potential(cmb):
    code, result, _ = cmb
    assert code == 0
    assert result["verdict"] == "optimal"
    assert result["temperature"]["value"] == pytest.approx(2.725008, abs=1e-6)
    assert result["temperature"]["uncertainty"] == pytest.approx(2.4e-5, abs=0.05e-5)
    assert result["temperature"]["unit"] == "K"
    assert result["parameters"]["number"]["value"] == pytest.approx(-1.1e-5, abs=0.05e-5)
    assert result["parameters"]["number"]["uncertainty"] == pytest.approx(3.2e-5, abs=0.05e-5)
    assert result["chi_square"] == pytest.approx(45.0, abs=0.05)
    assert result["degrees_of_freedom"] == 41
    assert abs(result["parameters"]["number"]["value"]) + 1.96 * result["parameters"]["number"]["uncertainty"] < 9e-5


def test_cmb_temperature_alone(cmb):
    (alone,) = cmb[1]["compared"]
    assert alone["charges"] == ["energy"]
    assert alone["temperature"]["value"] == pytest.approx(2.725015, abs=1e-6)
    assert alone["temperature"]["uncertainty"] == pytest.approx(7.6e-6, abs=0.05e-6)
    assert alone["chi_square"] == pytest.approx(45.1, abs=0.05)
    assert alone["degrees_of_freedom"] == 42


def test_cmb_agrees_with_an_independent_least_squares_fit(cmb):
    data = read_columns(CMB / "firas_monopole.csv")
    wavenumber, deviation = data.numbers("wavenumber"), data.numbers("uncertainty")
    measured = 1e3 * data.numbers("intensity")

    def pulls(x):
        return (radiance(wavenumber, 2.725 + 1e-3 * x[0], 1e-3 * x[1]) - measured) / deviation

    answer = scipy.optimize.least_squares(pulls, [0.0, 0.0], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    covariance = np.linalg.inv(answer.jac.T @ answer.jac) * 1e-6
    result = cmb[1]
    mu = result["parameters"]["number"]
    assert result["temperature"]["value"] == pytest.approx(2.725 + 1e-3 * answer.x[0], abs=1e-9)
    assert mu["value"] == pytest.approx(1e-3 * answer.x[1], abs=1e-9)
    assert result["temperature"]["uncertainty"] == pytest.approx(covariance[0, 0] ** 0.5, rel=1e-4)
    assert mu["uncertainty"] == pytest.approx(covariance[1, 1] ** 0.5, rel=1e-4)
    assert result["chi_square"] == pytest.approx(2 * answer.cost, rel=1e-8)
    # both searches stop once a step is worth less than about 1e-5 standard deviations
    np.testing.assert_allclose(result["data"]["residual"] / (1e-3 * deviation), -answer.fun, atol=1e-4)


def test_the_note_on_the_constants_inside_the_table():
    # intensity - residual is the table's own 2.725 K blackbody: that of the CODATA 1986 constants, to its last digits.
    data = read_columns(CMB / "firas_monopole.csv")
    own = 1e3 * data.numbers("intensity") - data.numbers("residual")
    old = radiance(data.numbers("wavenumber"), 2.725, 0.0, h=6.6260755e-34, k=1.380658e-23)
    new = radiance(data.numbers("wavenumber"), 2.725, 0.0)
    assert np.max(np.abs(own - old)) < 1.0
    assert np.max(np.abs(own - new)) > 5.0
    warmer = (6.62607015e-34 / 1.380649e-23) / (6.6260755e-34 / 1.380658e-23) - 1
    assert 2.725 * warmer == pytest.approx(1.5e-5, abs=0.1e-5)


def test_cmb_result_is_complete(cmb):
    _, result, out = cmb
    covariance = np.array(result["covariance"])
    deviations = [result["parameters"][name]["uncertainty"] for name in result["charges"]]
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), deviations, rtol=1e-12)
    assert set(result["data"]) == {"quantity", "name", "measured", "uncertainty", "fitted", "residual"}
    assert len(result["data"]["residual"]) == 43
    assert {"python", "jaxgibbs", "jax"} <= set(result["versions"])
    assert "2.725 K" in result["note"]
    assert (out / "figure.png").read_bytes().startswith(PNG)
    assert sorted(path.name for path in out.iterdir()) == ["figure.png", "result.json"]


def test_cmb_table_on_the_screen(cmb, capsys, tmp_path):
    assert run(["fit", str(CMB / "problem.toml"), "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert "2.725008 ± 0.000024" in captured.out
    assert "2.7250153 ± 0.0000076" in captured.out
    assert "(-1.1 ± 3.2)e-05" in captured.out
    assert "verdict: optimal" in captured.out
    assert "fitting energy, number to 43 values" in captured.err


def write_problem(folder, energies, occupations, deviations, text, extra=None):
    """A problem file beside its data."""
    names = ["level", "n", "sigma", *(extra or {})]
    columns = np.column_stack([energies, occupations, deviations, *(extra or {}).values()])
    rows = "\n".join(",".join(repr(float(x)) for x in row) for row in columns)
    (folder / "data.csv").write_text(",".join(names) + "\n" + rows + "\n")
    (folder / "problem.toml").write_text(text)
    return folder / "problem.toml"


GOOD = """
kind = "free modes"
energy_unit = "meV"
temperature_unit = "K"
[modes]
data = "data.csv"
statistics = "{statistics}"
energy = "level"
measured = "n"
uncertainty = "sigma"
[fit]
charges = ["energy", "number"]
"""


@pytest.mark.slow
@pytest.mark.parametrize("statistics", ["bosons", "fermions"])
def test_exact_occupations_give_back_their_multipliers(tmp_path, statistics):
    energies = np.linspace(0.5, 4.0, 9)
    beta, alpha = 1.3, -0.4 if statistics == "fermions" else 0.2
    occupations = 1 / (np.exp(beta * energies + alpha) + (1 if statistics == "fermions" else -1))
    problem = write_problem(tmp_path, energies, occupations, 0.01 * np.ones(9), GOOD.format(statistics=statistics))
    assert run(["fit", str(problem), "--out", str(tmp_path / "out")]) == 0
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["parameters"]["energy"]["value"] == pytest.approx(beta, rel=1e-8)
    assert result["parameters"]["number"]["value"] == pytest.approx(alpha, rel=1e-7)
    assert result["temperature"]["value"] == pytest.approx(1 / beta / 0.08617333262, rel=1e-8)
    assert result["chi_square"] < 1e-10


@pytest.mark.slow
def test_noisy_tail_and_a_charge_from_a_column(tmp_path):
    # A third charge with its own column, one mode measured negative as noise can make it.
    rng = np.random.default_rng(3)
    energies = np.linspace(0.4, 6.0, 30)
    parity = np.where(np.arange(30) % 2 == 0, 1.0, -1.0)
    exact = 1 / np.expm1(0.9 * energies + 0.3 + 0.1 * parity)
    deviations = np.full(30, 0.02)
    measured = exact + deviations * rng.standard_normal(30)
    measured[-1] = -0.01
    text = GOOD.format(statistics="bosons").replace('["energy", "number"]', '["energy", "number", "parity"]')
    problem = write_problem(tmp_path, energies, measured, deviations, text, {"parity": parity})
    assert run(["fit", str(problem), "--out", str(tmp_path / "out")]) == 0
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    for name, true in (("energy", 0.9), ("number", 0.3), ("parity", 0.1)):
        found = result["parameters"][name]
        assert abs(found["value"] - true) < 5 * found["uncertainty"]
    assert (tmp_path / "out" / "figure.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('kind = "free modes"', 'kind = "free mode"', 2, 'did you mean "free modes"?'),
        ('energy_unit = "meV"', 'energy_unit = "mev"', 3, 'did you mean "meV"?'),
        ('energy_unit = "meV"\n', "", None, "a temperature in a unit needs the unit of the energy"),
        ('"bosons"', '"anyons"', 7, 'must be one of "bosons", "fermions", but is "anyons"'),
        ('energy = "level"', 'energy = "levels"', 8, 'must be one of "level", "n", "sigma"'),
        ('data = "data.csv"', 'data = "date.csv"', 6, "there is no file"),
        ('uncertainty = "sigma"', "", 5, 'key "modes.uncertainty": is missing'),
        ("[fit]", "[fits]", 11, 'did you mean "fit"?'),
        ('["energy", "number"]', "[]", 12, "must be a list of texts"),
        ('["energy", "number"]', '["energy", "spin"]', 12, 'must name "energy", "number" or columns of the data'),
        ('["energy", "number"]', '["energy"]\ncompare = [["number"]]', 13, "must list some of the charges"),
        ('["energy", "number"]', '["energy"]\ncompare = ["energy"]', 13, "must be a list of lists"),
        ('["energy", "number"]', '["energy"]\n[published]\nnumbre = "1"', 14, "the keys allowed in [published]"),
        ('measured = "n"', 'measured = "n"\nmeasured_as = "radiance"', 10, '"occupation", "spectral radiance"'),
        ('measured = "n"', 'measured = "n"\nmeasured_unit = "MJy/sr"', 10, 'must be one of "1"'),
        ('"bosons"', '"fermions"\nmeasured_as = "spectral radiance"', 8, "for bosons alone"),
    ],
)
def test_complaints_about_a_problem_file(tmp_path, capsys, old, new, line, words):
    text = GOOD.format(statistics="bosons")
    assert old in text
    problem = write_problem(tmp_path, np.ones(3), np.ones(3), np.ones(3), text.replace(old, new))
    assert run(["fit", str(problem), "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert f"error: {problem}" in message
    assert line is None or f"line {line}," in message
    assert words in message
    assert not (tmp_path / "out").exists()


def test_complaints_about_the_data(tmp_path, capsys):
    problem = write_problem(tmp_path, np.ones(3), np.ones(3), [0.1, 0.0, 0.1], GOOD.format(statistics="bosons"))
    assert run(["fit", str(problem), "--out", str(tmp_path / "out")]) == 2
    assert 'data.csv, line 3: column "sigma" must hold a positive number' in capsys.readouterr().err


def test_absent_problem_file(tmp_path, capsys):
    assert run(["fit", str(tmp_path / "absent.toml"), "--out", str(tmp_path)]) == 2
    assert "there is no such file" in capsys.readouterr().err
