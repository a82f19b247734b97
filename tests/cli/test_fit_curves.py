"""`python -m jaxgibbs fit` on measured curves: a published fit, closed forms in every unit, and every complaint."""

import json
import pathlib
import tomllib

import numpy as np
import pytest
import scipy.constants

from jaxgibbs.cli import run
from jaxgibbs.cli.complaints import InputError
from jaxgibbs.cli.curve_problem import curve_problem
from jaxgibbs.cli.toml_table import read_toml

README = (pathlib.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
DATA = pathlib.Path(__file__).parents[2] / "experiments" / "diradicals"
PNG = b"\x89PNG\r\n"
SHIPPED = (DATA / "problem.toml").read_text()
K, N = scipy.constants.k, scipy.constants.N_A
MU = scipy.constants.physical_constants["Bohr magneton"][0]


def written(folder, text):
    path = folder / "problem.toml"
    path.write_text(text.replace('"dtd_nit2.csv"', f'"{(DATA / "dtd_nit2.csv").as_posix()}"'))
    return path


@pytest.mark.slow
def test_published_fit(tmp_path, capsys):
    """The box of the shipped problem, smaller, so that few starts do."""
    text = SHIPPED.replace("from = -400, to = 50", "from = -60, to = -10").replace(
        "from = -60, to = 10", "from = -20, to = 5"
    )
    path = written(tmp_path, text + 'starts = 4\nprofile = ["theta"]\n')
    assert run(["fit", str(path), "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["verdict"] == "optimal"
    assert result["convention"] == "H = -2 J S_i . S_j"
    assert result["preferred"] == ["J", "g", "theta"]
    assert result["parameters"]["J"]["value"] == pytest.approx(-31.4, abs=0.05)
    assert result["parameters"]["theta"]["value"] == pytest.approx(-9.3, abs=0.05)
    assert result["parameters"]["theta"]["uncertainty"] == pytest.approx(1.0, abs=0.02)
    low, high = result["parameters"]["theta"]["interval"]
    assert (high - low) / 2 == pytest.approx(result["parameters"]["theta"]["uncertainty"], rel=0.03)
    plain, weiss = result["models"]
    assert plain["minima"][0]["value"]["J"] == pytest.approx(-36.6, abs=0.05)
    assert plain["weight"] < 1e-6 < weiss["weight"]
    data = result["data"]["DTD-NIT2"]
    np.testing.assert_allclose(np.add(data["fitted"], data["residual"]), data["measured"], rtol=1e-12)
    assert (tmp_path / "figure.png").read_bytes().startswith(PNG)
    printed = capsys.readouterr().out
    assert "preferred by AICc: J, g, theta" in printed
    assert "-9.3 ± 1.0" in printed


# Spins 1/2 without exchange, of which everything is known, with a fifth of free spins 1.
FREE = """
kind = "curves"
[molecule]
spins = [0.5]
energy_unit = "cm^-1"
g = "g"
[sample]
impurity = "rho"
impurity_spin = 1
background = 1e-4
lattice = 2e-4
scale = "scale"
[parameters]
g = { from = 1.5, to = 3.0 }
rho = { value = 0.2 }
scale = { value = 1.1 }
[curves.one]
data = "data.csv"
measured = "y"
uncertainty = 0.1
temperature = "T"
"""
T, B = np.array([2.0, 3.0, 9.0, 20.0, 50.0]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def moments(field, g=2.2):
    """Of the molecule and of the impurity, in Bohr magnetons."""
    half, one = (x * MU * field / (K * T) for x in (g, 2.0))
    return g / 2 * np.tanh(half / 2), 2.0 * 2 * np.sinh(one) / (1 + 2 * np.cosh(one))


def heats(field, g=2.2):
    """In k_B: Schottky's of two levels, and of three at equal distances."""
    half, one = (x * MU * field / (K * T) for x in (g, 2.0))
    z = 1 + 2 * np.cosh(one)
    return (half / 2 / np.cosh(half / 2)) ** 2, one**2 * (2 * np.cosh(one) / z - (2 * np.sinh(one) / z) ** 2)


def mixed(pair):
    return 1.1 * (0.8 * pair[0] + 0.2 * pair[1])


CURIE = 0.1 * N * MU**2 / K
CHI = mixed((CURIE * 2.2**2 / 4, CURIE * 4.0 * 2 / 3)) / T + 1e-4
EMU = 1e3 * N * MU  # erg/G
EXPECTED = {
    'quantity = "chi"\nunit = "cm^3/mol"': CHI,
    'quantity = "chi"\nunit = "m^3/mol"\nsusceptibility = "fluctuations"': CHI * 4e-6 * np.pi,
    'quantity = "chi T"\nunit = "emu K/mol"': CHI * T,
    'quantity = "chi"\nunit = "emu/mol"\nfield = "B"': 0.1 * N * MU * mixed(moments(B)) / B + 1e-4,
    'quantity = "M"\nunit = "mu_B"\nfield = "B"': mixed(moments(B)) + 1e-4 * B / (0.1 * N * MU),
    'quantity = "M"\nunit = "emu/mol"\nfield = 30\nfield_unit = "kOe"': EMU * mixed(moments(3.0)) + 1e-4 * 3e4,
    'quantity = "C"\nunit = "R"\nfield = "B"': mixed(heats(B)) + 2e-4 * T**3 / (N * K),
}


@pytest.mark.parametrize("lines", EXPECTED)
def test_every_quantity_in_its_units(lines, tmp_path):
    rows = "\n".join(f"{t},{b},1.0" for t, b in reversed(list(zip(T, B, strict=True))))
    (tmp_path / "data.csv").write_text(f"T,B,y\n{rows}\n")
    problem = curve_problem(read_toml(written(tmp_path, FREE + lines)))
    np.testing.assert_allclose(problem.prediction(("g",))({"g": 2.2}), EXPECTED[lines], rtol=1e-8)
    np.testing.assert_allclose(problem.variances, 0.01)


@pytest.mark.slow
def test_a_limit_and_a_search_cut_short_end_in_exit_code_one(tmp_path, capsys):
    text = SHIPPED.replace("from = 1.5, to = 2.5", "from = 1.5, to = 2.0").replace(
        "from = -60, to = 10, value = 0", "value = -9.3"
    )
    text = text.replace("from = -400, to = 50", "from = -60, to = -10").partition("[fit]")[0]
    path = written(tmp_path, text + "[fit]\nstarts = 1\nprofile = []\n")
    assert run(["fit", str(path), "--out", str(tmp_path)]) == 1
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["verdict"] == "boundary"
    assert result["parameters"]["g"]["value"] == 2.0
    assert result["fixed"] == {"theta": -9.3}
    assert 'push "g" beyond' in capsys.readouterr().out
    path = written(tmp_path, text + "[fit]\nstarts = 1\nmax_steps = 1\n")
    assert run(["fit", str(path), "--out", str(tmp_path)]) == 1
    assert "No start came to a minimum" in " ".join(capsys.readouterr().out.split())


def test_the_example_of_the_readme_is_the_problem_that_is_shipped():
    example = README.partition('```toml\nkind = "curves"')[2].partition("```")[0]
    shown, shipped = tomllib.loads(example), tomllib.loads(SHIPPED)
    assert shown == {key: value for key, value in shipped.items() if key not in ("kind", "title", "note")}


COMPLAINTS = [
    ('convention = "H = -2 J S_i . S_j"\n', "", r'molecule.convention": is missing; it must be one of "H = \+J'),
    ("-2 J S_i", "-2 J S_1", 'did you mean "H = -2 J S_i . S_j"'),
    ("spins = [0.5, 0.5]", "spins = [0.5, 0.6]", 'line 6, key "molecule.spins": must be a list of multiples of 0.5'),
    ('[[0, 1, "J"]]', '[[0, 1, "K"]]', 'key "molecule.bonds": must be one of "J", "g", "theta", but is "K"'),
    ('[[0, 1, "J"]]', '[[0, 2, "J"]]', "must join two of the sites 0 to 1, but has 0 and 2"),
    ('[[0, 1, "J"]]', '[[0, "J"]]', "two sites and a coupling"),
    ('[[0, 1, "J"]]', "[[0, 1, true]]", "must be a number, or the name of one of the parameters"),
    ('g = "g"', 'g = ["g"]', "one a site .* for 2 sites"),
    ('g = "g"', 'g = "g"\nsingle_ion = ["J"]', "must list D of each of 2 sites"),
    ('g = "g"', 'g = "J"', 'has "J" in no unit, but it is in K elsewhere'),
    ("spins = [0.5, 0.5]", "spins = [15, 15, 15]", "must have at most 1024 states"),
    ('theta = "theta"\n', "", 'key "parameters.theta": is used nowhere'),
    ('theta = "theta"', 'theta = "theta"\nimpurity_spin = 0.3', "impurity_spin.: must be a multiple of 0.5"),
    ('quantity = "chi T"', 'quantity = "chiT"', 'did you mean "chi T"'),
    ('unit = "cm^3 K/mol"', 'unit = "cm^3/mol"', 'key "curves.DTD-NIT2.unit": must be one of "cm\\^3 K/mol"'),
    ('temperature = "T"', 'temperature = "t"', 'temperature": must be one of "T", "chiT"'),
    ('temperature = "T"', 'temperature = "T"\nfield = 0', "field.: must be positive, as chi is M / B"),
    ('temperature = "T"', 'temperature = "T"\nfield = "B"', 'must be one of "T", "chiT", "J", "g", "theta"'),
    ('temperature = "T"', 'temperature = "T"\nfield_unit = "T"', "must be left out where there is no field"),
    ('temperature = "T"', 'temperature = "T"\nuncertainty = 0', "uncertainty.: must be a positive number"),
    ('quantity = "chi T"\n', 'quantity = "M"\n', "must be one of .mu_B"),
    ("from = 1.5, to = 2.5", "from = 2.5, to = 1.5", "must be above `from`, which is 2.5, but is 1.5"),
    ("from = 1.5, to = 2.5", "from = 1.5", 'key "parameters.g.to": is missing'),
    (", value = 0", "", 'leaves "theta" out; say at which `value`'),
    ('[["J", "g"]]', '[["J", "h"]]', 'must list some of the fitted "J", "g", "theta"'),
    ('[["J", "g"]]', '["J", "g"]', "must be a list of lists of parameters"),
    ('[["J", "g"]]', '[["J", "g"]]\nstarts = 12', "must be a power of two"),
    ('[["J", "g"]]', '[["J", "g"]]\nprofile = ["D"]', "profile.: must list some of the fitted"),
]


@pytest.mark.parametrize(("old", "new", "message"), COMPLAINTS)
def test_complaints(old, new, message, tmp_path):
    assert old in SHIPPED
    with pytest.raises(InputError, match=message):
        curve_problem(read_toml(written(tmp_path, SHIPPED.replace(old, new))))


def test_complaints_about_several_curves_and_fixed_parameters(tmp_path):
    second = SHIPPED.partition("[curves.DTD-NIT2]")[2].partition("[parameters]")[0]
    with pytest.raises(InputError, match="several curves are weighed together"):
        curve_problem(
            read_toml(written(tmp_path, SHIPPED.replace("[parameters]", f"[curves.two]{second}[parameters]")))
        )
    fixed = (
        SHIPPED.partition("[parameters]")[0]
        + "[parameters]\nJ = { value = 1 }\ng = { value = 2 }\ntheta = { value = 0 }"
    )
    with pytest.raises(InputError, match="must have at least one with `from` and `to`"):
        curve_problem(read_toml(written(tmp_path, fixed)))
    heat = SHIPPED.replace('quantity = "chi T"', 'quantity = "C"').replace("cm^3 K/mol", "R")
    with pytest.raises(InputError, match="must be left out where M or C is fitted"):
        curve_problem(read_toml(written(tmp_path, heat)))


@pytest.mark.parametrize(("cell", "message"), [("nan", "a finite number"), ("", "a finite number")])
def test_complaints_about_the_data(cell, message, tmp_path):
    (tmp_path / "data.csv").write_text(f"T,chiT\n2,0.1\n3,{cell}\n")
    text = SHIPPED.replace('"dtd_nit2.csv"', '"data.csv"')
    with pytest.raises(InputError, match=rf'line 3: column "chiT" must hold {message}'):
        curve_problem(read_toml(written(tmp_path, text)))
    (tmp_path / "data.csv").write_text("T,chiT\n0,0.1\n3,0.2\n")
    with pytest.raises(InputError, match='line 2: column "T" must hold a positive number'):
        curve_problem(read_toml(written(tmp_path, text)))
