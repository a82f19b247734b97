"""`python -m experiments` names every script and the question it answers."""

import pathlib

import pytest

from experiments.__main__ import HERE, listing

SCRIPTS = sorted(
    path
    for path in HERE.rglob("*.py")
    if not path.name.startswith("_") and "__main__" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_every_script_is_listed_with_its_question(script):
    module = ".".join(script.relative_to(HERE.parent).with_suffix("").parts)
    summaries = dict(listing())
    assert f"python -m {module}" in summaries
    assert len(summaries[f"python -m {module}"]) > 20


def test_the_shipped_problem_is_listed():
    (command,) = [command for command, _ in listing() if "experiments/cmb/problem.toml" in command]
    assert command == "python -m jaxgibbs fit experiments/cmb/problem.toml --out results/cmb"
    assert pathlib.Path(HERE / "cmb" / "problem.toml").exists()
