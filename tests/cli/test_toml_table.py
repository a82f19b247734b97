"""Problem files: every complaint names file, line and key, and says what is allowed."""

import pytest

from jaxgibbs.cli.complaints import InputError
from jaxgibbs.cli.toml_table import read_toml

TEXT = """\
# a comment
kind = "charges"
number = 3
flag = true

[fit]
charges = ["a", "b"]
repeated = ["a", "a"]
mixed = ["a", 1]

[targets]
energy = { value = 1.5, uncertainty = -2 }

[charges."two words"]
matrix = "absent.npy"
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "problem.toml"
    path.write_text(TEXT)
    return read_toml(path)


def test_good_values(table):
    assert table.text("kind") == "charges"
    assert table.choice("kind", ["charges", "modes"]) == "charges"
    assert table.number("number") == 3.0
    assert table.number("absent", 2.0) == 2.0
    assert table.table("fit").texts("charges") == ["a", "b"]
    assert table.table("targets").table("energy").number("value") == 1.5
    assert "fit" in table
    assert "absent" not in table


@pytest.mark.parametrize(
    ("ask", "line", "key", "words"),
    [
        (lambda t: t.text("number"), 3, "number", "must be a text in quotes, but is 3"),
        (lambda t: t.number("flag"), 4, "flag", "must be a number, but is True"),
        (
            lambda t: t.choice("kind", ["charge", "modes"]),
            2,
            "kind",
            'must be one of "charge", "modes", but is "charges"',
        ),
        (lambda t: t.choice("kind", ["charge", "modes"]), 2, "kind", 'did you mean "charge"?'),
        (lambda t: t.table("kind"), 2, "kind", "must be a table"),
        (lambda t: t.table("fit").texts("repeated"), 8, "fit.repeated", "must not repeat"),
        (lambda t: t.table("fit").texts("mixed"), 9, "fit.mixed", "must be a list of texts"),
        (lambda t: t.table("fit").text("title"), 6, "fit.title", "is missing; it must be a text"),
        (lambda t: t.table("fit").choice("way", ["x"]), 6, "fit.way", 'is missing; it must be one of "x"'),
        (lambda t: t.table("fit").allow(["charge"]), 7, "fit.charges", 'the keys allowed in [fit] are "charge"'),
        (lambda t: t.table("fit").allow(["charge"]), 7, "fit.charges", 'did you mean "charge"?'),
        (lambda t: t.allow(["kind"]), 3, "number", 'the keys allowed in the top of the file are "kind"'),
        (
            lambda t: t.table("targets").table("energy").number("uncertainty", positive=True),
            12,
            "targets.energy.uncertainty",
            "must be a positive number, but is -2",
        ),
        (
            lambda t: t.table("charges").table("two words").file("matrix"),
            15,
            "charges.two words.matrix",
            "must name a file, but there is no file",
        ),
    ],
)
def test_complaints_name_line_key_and_what_is_allowed(table, ask, line, key, words):
    with pytest.raises(InputError) as caught:
        ask(table)
    message = str(caught.value)
    assert message.startswith(f'{table.path}, line {line}, key "{key}": ')
    assert words in message


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [("a = 1\nb = = 2\n", 2, "is not TOML"), ("a = 1\na = 2\n", 2, "is not TOML"), ("[fit\n", 1, "is not TOML")],
)
def test_broken_toml_names_the_line(tmp_path, text, line, words):
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_toml(path)
    assert f"line {line}:" in str(caught.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        read_toml(tmp_path / "absent.toml")
    with pytest.raises(InputError, match="is a folder"):
        read_toml(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="must be UTF-8 text"):
        read_toml(binary)
