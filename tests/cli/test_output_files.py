"""Results are written whole or not at all."""

import json

import numpy as np
import pytest

from jaxgibbs.cli.complaints import InputError
from jaxgibbs.cli.output_files import output_folder, replacing, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.json"
    write_text(path, "old")

    def write_half():
        with replacing(path) as temporary:
            temporary.write_text("ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_half()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_a_write_replaces_the_file_and_others_may_read_it(tmp_path):
    path = tmp_path / "result.json"
    write_text(path, "old")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o044
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_json_is_strict_and_exact(tmp_path):
    value = {"a": np.array([0.1, np.nan]), "b": (1, None, True, "x"), "c": float("inf"), "d": np.float64(1 / 3)}
    write_json(tmp_path / "v.json", value)
    read = json.loads((tmp_path / "v.json").read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert read == {"a": [0.1, "nan"], "b": [1, None, True, "x"], "c": "inf", "d": 1 / 3}


def test_a_file_in_the_way_of_the_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="a file of that name is in the way"):
        output_folder(tmp_path / "out")
    assert output_folder(tmp_path / "a" / "b").is_dir()
