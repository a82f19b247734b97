"""`python -m jaxgibbs` as a process: help, an exit code of a verdict, and what it says without its extra."""

import importlib.util
import pathlib
import subprocess
import sys

import jaxgibbs.__main__

ROOT = pathlib.Path(__file__).parents[2]


def test_help_of_the_program_lists_its_commands():
    done = subprocess.run(
        [sys.executable, "-m", "jaxgibbs", "--help"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "fit" in done.stdout
    assert "thermo" in done.stdout


def test_exit_code_of_the_process(tmp_path):
    command = [sys.executable, "-m", "jaxgibbs", "fit", "absent.toml", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "error: absent.toml: there is no such file; give the path of a problem file"


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "rich" else find(name))
    assert jaxgibbs.__main__.main() == 2
    message = capsys.readouterr().err
    assert "rich cannot be found" in message
    assert "pip install 'jaxgibbs[cli]'" in message
