import importlib
import pathlib
import subprocess
import sys

import matplotlib.image
import pytest

from experiments._report import Report

ROOT = pathlib.Path(__file__).parents[2]
QUESTIONS = (
    "heat_capacity_of_spin_clusters",
    "quantum_statistics",
    "quench_of_xx_chain",
    "ortho_para_hydrogen",
    "heat_flow_across_infinite_temperature",
    "maximum_entropy_tomography",
    "free_fermion_chains",
    "merry_go_round",
    "violating_kms",
    "kinetic_proofreading",
    "qubit_relaxation",
    "finite_bath",
    "boltzmann_machine",
    "heisenberg_chain_maxima",
    "onsager",
    "hubbard_rings",
    "thermal_generators_compared",
    "boundary_driven_chain",
    "steady_state_by_design",
    "thermometer",
    "linear_response",
    "spinon_continuum",
    "engine_by_design",
    "fluctuation_theorems",
    "mean_force",
    "ensemble_inequivalence",
    "diradicals",
    "powder_of_a_nickel_pair",
    "six_centres",
    "hydrogen_molecule",
    "mean_fields",
)


QUICK = ("heat_capacity_of_spin_clusters", "quantum_statistics", "violating_kms", "diradicals")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in QUESTIONS]
)
def test_finds_the_expected_answer_and_draws_it(name, tmp_path, capsys):
    experiment = importlib.import_module(f"experiments.{name}")
    assert experiment.main(["--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "holds" in printed
    assert "verdict: as expected" in printed
    assert matplotlib.image.imread(tmp_path / "figure.png").shape[0] > 1000


@pytest.mark.parametrize("name", QUESTIONS)
def test_says_question_expectation_and_source(name):
    text = importlib.import_module(f"experiments.{name}").__doc__
    assert text.splitlines()[0].endswith("?")
    assert "\nExpected" in text
    assert "\nSource: " in text


def test_every_question_is_listed_here_and_by_the_folder():
    here = {path.stem for path in (ROOT / "experiments").glob("*.py") if "Report(__file__" in path.read_text()}
    assert here - {"_report"} == set(QUESTIONS)
    listed = subprocess.run([sys.executable, "-m", "experiments"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(f"python -m experiments.{name} " in listed.stdout for name in QUESTIONS)


@pytest.mark.parametrize(
    ("value", "judged", "code"),
    [
        (1.0, {"below": 1.0}, 0),
        (1.1, {"below": 1.0}, 1),
        (1.1, {"near": (1.0, 0.2)}, 0),
        (0.7, {"near": (1.0, 0.2)}, 1),
        (float("nan"), {"below": 1.0}, 1),
        (float("nan"), {"near": (1.0, 0.2)}, 1),
    ],
)
def test_an_unexpected_number_ends_in_an_exit_code(value, judged, code, tmp_path, capsys):
    report = Report("question.py", "What?", ["--out", str(tmp_path)])
    report.expect("the number", value, **judged)
    assert report.conclude() == code
    assert ("FAIL" in capsys.readouterr().out) == bool(code)


def test_a_false_statement_ends_in_an_exit_code(tmp_path):
    report = Report("question.py", "What?", ["--out", str(tmp_path)])
    report.hold("the statement", False)
    assert report.conclude() == 1
