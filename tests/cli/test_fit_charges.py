"""`python -m jaxgibbs fit` on charges given as matrices and models: closed forms, verdicts, exit codes, complaints."""

import functools
import json

import numpy as np
import pytest
import scipy.linalg

import jaxgibbs as jg
from jaxgibbs.cli import run

PNG = b"\x89PNG\r\n"
PAULI = {
    "x": np.array([[0, 1], [1, 0]], dtype=complex),
    "y": np.array([[0, -1j], [1j, 0]]),
    "z": np.array([[1, 0], [0, -1]], dtype=complex),
}

QUBIT = """
kind = "charges"
title = "A qubit from its three Pauli expectation values"
[charges]
x = { matrix = "pauli.npz", array = "x" }
y = { matrix = "pauli.npz", array = "y" }
z = { matrix = "pauli.npz", array = "z" }
[targets]
"""


def fit(folder, text):
    """(exit code, result.json) of a problem text."""
    (folder / "problem.toml").write_text(text)
    code = run(["fit", str(folder / "problem.toml"), "--out", str(folder / "out")])
    path = folder / "out" / "result.json"
    return code, json.loads(path.read_text()) if path.exists() else None


def targets(values, uncertainty=None):
    """Lines of a [targets] table."""
    tail = "" if uncertainty is None else f", uncertainty = {uncertainty}"
    return "".join(f"{name} = {{ value = {value}{tail} }}\n" for name, value in values.items())


@pytest.fixture
def qubit(tmp_path):
    np.savez(tmp_path / "pauli.npz", **PAULI)
    return tmp_path


@pytest.mark.slow
def test_qubit_closed_form(qubit, capsys):
    # lam = -(artanh r / r) q and K = (1 - r^2) n n^T + (r / artanh r) (1 - n n^T), so cov(lam) = K^-1 cov(q) K^-1.
    q = np.array([0.3, -0.2, 0.4])
    r = np.linalg.norm(q)
    code, result = fit(qubit, QUBIT + targets(dict(zip("xyz", q, strict=True)), 0.01))
    assert code == 0
    assert result["verdict"] == "optimal"
    values = [result["parameters"][name]["value"] for name in "xyz"]
    np.testing.assert_allclose(values, -np.arctanh(r) / r * q, rtol=1e-10)
    along = np.outer(q, q) / r**2
    kubo_mori = (1 - r**2) * along + r / np.arctanh(r) * (np.eye(3) - along)
    inverse = np.linalg.inv(kubo_mori)
    np.testing.assert_allclose(result["covariance"], 1e-4 * inverse @ inverse, rtol=1e-9)
    np.testing.assert_allclose(result["data"]["fitted"], q, atol=1e-12)
    assert result["degrees_of_freedom"] == 0
    assert result["probability"] is None
    assert (qubit / "out" / "figure.png").read_bytes().startswith(PNG)
    assert "residual / uncertainty" in capsys.readouterr().out


def test_copies_give_the_uncertainty(qubit):
    code, result = fit(qubit, QUBIT + targets({"x": 0.3, "y": -0.2, "z": 0.4}) + "[fit]\ncopies = 1000\n")
    assert code == 0
    assert result["data"]["uncertainty"] is None
    assert all(result["parameters"][name]["uncertainty"] > 0 for name in "xyz")


def test_targets_without_any_uncertainty(qubit):
    code, result = fit(qubit, QUBIT + targets({"z": 0.4, "x": 0.3, "y": -0.2}))
    assert code == 0
    r = np.sqrt(0.29)
    assert result["parameters"]["z"]["value"] == pytest.approx(-np.arctanh(r) / r * 0.4, rel=1e-10)
    assert result["parameters"]["z"]["uncertainty"] is None
    assert result["covariance"] is None
    np.testing.assert_allclose(result["data"]["fitted"], [0.4, 0.3, -0.2], atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "verdict", "multipliers", "violation"),
    [
        ({"x": 0.8, "y": 0.0, "z": 0.8}, "infeasible", ["nan", "nan", "nan"], 0.8 * 2**0.5 - 1),
        ({"x": 0.0, "y": 0.0, "z": 1.0}, "boundary", [0.0, 0.0, "-inf"], 0.0),
    ],
)
def test_targets_without_a_finite_answer_leave_with_code_one(qubit, capsys, values, verdict, multipliers, violation):
    code, result = fit(qubit, QUBIT + targets(values, 0.01))
    assert code == 1
    assert result["verdict"] == verdict
    assert [result["parameters"][name]["value"] for name in "xyz"] == multipliers
    # The certificate, checked: along the unit vector n the targets exceed the largest value 1 of any state by this much.
    n, q = np.array(result["certificate"]["direction"]), np.array(list(values.values()))
    assert result["certificate"]["violation"] == pytest.approx(n @ q - np.linalg.norm(n), abs=1e-9)
    assert result["certificate"]["violation"] / np.linalg.norm(n) == pytest.approx(violation, abs=1e-6)
    assert f"verdict: {verdict}" in capsys.readouterr().out
    assert (qubit / "out" / "figure.png").exists()


def test_dependent_charges_leave_with_code_one(qubit):
    text = QUBIT.replace('y = { matrix = "pauli.npz", array = "y" }', 'y = { matrix = "pauli.npz", array = "x" }')
    code, result = fit(qubit, text + targets({"x": 0.3, "y": 0.3, "z": 0.4}, 0.01))
    assert code == 1
    assert result["verdict"] == "dependent"


@pytest.mark.slow
def test_model_with_more_targets_than_charges(tmp_path):
    # Temperature and field of a Heisenberg ring from its energy, its magnetisation and two correlations, in a CSV file.
    sites = 4
    sz = np.diag([0.5, -0.5])

    def at(*places):
        return functools.reduce(np.kron, [sz if j in places else np.eye(2) for j in range(sites)])

    total = sum(at(j) for j in range(sites))
    observables = {"magnetisation": total, "near": at(0, 1), "far": at(0, 2)}
    for name, matrix in observables.items():
        np.save(tmp_path / f"{name}.npy", matrix)
    hamiltonian = np.asarray(jg.models.heisenberg_ring(sites, coupling=1.0).to_dense())
    state = scipy.linalg.expm(-0.8 * hamiltonian + 0.3 * total)
    state /= np.trace(state)
    values = {name: np.trace(state @ m).real for name, m in {"energy": hamiltonian, **observables}.items()}
    rows = "".join(f"{name},{float(value)!r},0.01\n" for name, value in values.items())
    (tmp_path / "targets.csv").write_text("name,value,uncertainty\n" + rows)
    text = """
kind = "charges"
energy_unit = "meV"
temperature_unit = "K"
[charges]
energy = { model = "heisenberg_ring", sites = 4, coupling = 1.0 }
magnetisation = { matrix = "magnetisation.npy" }
[observables]
near = { matrix = "near.npy" }
far = { matrix = "far.npy" }
[targets]
file = "targets.csv"
[fit]
compare = [["energy"]]
"""
    code, result = fit(tmp_path, text)
    assert code == 0
    assert result["parameters"]["energy"]["value"] == pytest.approx(0.8, rel=1e-7)
    assert result["parameters"]["magnetisation"]["value"] == pytest.approx(-0.3, rel=1e-7)
    assert result["temperature"]["value"] == pytest.approx(11.60451812 / 0.8, rel=1e-7)
    assert result["degrees_of_freedom"] == 2
    assert result["chi_square"] < 1e-8
    (alone,) = result["compared"]
    assert alone["chi_square"] > 100
    assert alone["degrees_of_freedom"] == 3


def test_charges_of_different_kinds_are_refused_in_words(tmp_path, capsys):
    text = """
kind = "charges"
[charges]
energy = { model = "oscillator", frequency = 1.0, levels = 2 }
spin = { model = "two_level", gap = 1.0 }
[targets]
energy = { value = 1.0, uncertainty = 0.1 }
spin = { value = 0.1, uncertainty = 0.1 }
"""
    code, result = fit(tmp_path, text)
    assert code == 2
    assert result is None
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"error: {tmp_path / 'problem.toml'}: `charges` must")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (QUBIT.replace('array = "z"', 'array = "w"') + targets({"x": 0}), 'must be one of "x", "y", "z", but is "w"'),
        (
            QUBIT.replace('matrix = "pauli.npz", array = "z"', "") + targets({"x": 0}),
            'key "charges.z.model": is missing',
        ),
        (QUBIT.replace('array = "z"', 'column = "z"') + targets({"x": 0}), "the keys allowed in [charges.z]"),
        (QUBIT.replace("pauli.npz", "skew.npy").replace(', array = "x"', "") + targets({"x": 0}), "must be Hermitian"),
        (QUBIT + targets({"w": 0.1}), 'key "targets.w": the keys allowed in [targets] are "x", "y", "z"'),
        (QUBIT + "x = 0.1\n", 'key "targets.x": must be a table'),
        (QUBIT + "x = { value = 0.1, error = 0.1 }\n", 'keys allowed in [targets.x] are "value", "uncertainty"'),
        (QUBIT, 'key "targets": must hold at least one target'),
        (QUBIT + targets({"x": 0.1, "y": 0.1}, 0.1), "must be at least as many as the 3 charges, but are 2"),
        (QUBIT + targets({"x": 0.1, "y": 0.1}), "must have uncertainties"),
        (QUBIT + targets({"x": 0.1}, 0.1) + targets({"y": 0.1, "z": 0}), "must have an uncertainty, since other"),
        (QUBIT + 'file = "absent.csv"\n', "must name a file, but there is no file"),
        (QUBIT + 'file = "twice.csv"\n', "must name each target once"),
        (QUBIT + 'file = "other.csv"\n', 'must name charges or observables, but "'),
        (QUBIT + targets(dict.fromkeys("xyz", 0)) + "[fit]\ncopies = 1.5\n", "must be a whole number"),
        (QUBIT + targets(dict.fromkeys("xyz", 0), 1) + "[fit]\ncopies = 9\n", "must be left out"),
        (QUBIT + targets(dict.fromkeys("xyz", 0), 1) + '[fit]\ncovariance = "c.npy"\n', "must be left out"),
        (
            QUBIT + targets(dict.fromkeys("xyz", 0)) + '[fit]\ncovariance = "c.npy"\n',
            "shape (3, 3), but has shape (2, 2)",
        ),
        (QUBIT + targets(dict.fromkeys("xyz", 0)) + '[fit]\ncovariance = "n.npy"\n', "positive definite"),
        (QUBIT + targets(dict.fromkeys("xyz", 0)) + '[fit]\ncovariance = "s.npy"\n', "symmetric"),
        (QUBIT + targets(dict.fromkeys("xyz", 0)) + '[observables]\nx = { matrix = "c.npy" }\n', "is a charge already"),
        (QUBIT + targets(dict.fromkeys("xyz", 0)) + '[observables]\nw = { matrix = "p.npy" }\n', "dimensions x 2"),
        ('kind = "charges"\n[charges]\n[targets]\n', "must hold at least one operator"),
        ('kind = "charges"\n[charges.h]\nmodel = "ising"\n[targets]\n', "charges.h.model"),
        (
            'kind = "charges"\n[charges.h]\nmodel = "two_level"\n[targets]\n',
            "gap is missing; two_level(gap, tunnelling=0.0)",
        ),
    ],
)
def test_complaints(qubit, capsys, text, words):
    np.save(qubit / "skew.npy", np.array([[0.0, 1.0], [-1.0, 0.0]]))
    np.save(qubit / "c.npy", np.eye(2))
    np.save(qubit / "n.npy", -np.eye(3))
    np.save(qubit / "p.npy", np.eye(3))
    np.save(qubit / "s.npy", np.array([[1.0, 0.5, 0], [0.2, 1, 0], [0, 0, 1]]))
    (qubit / "twice.csv").write_text("name,value\nx,0.1\nx,0.2\n")
    (qubit / "other.csv").write_text("name,value\nx,0.1\nw,0.2\n")
    code, result = fit(qubit, text)
    message = capsys.readouterr().err
    assert code == 2
    assert result is None
    assert words.replace("gap is", 'key "charges.h.gap": is') in message
    assert "problem.toml, line " in message or ".np" in message
