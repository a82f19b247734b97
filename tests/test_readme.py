"""Everything README.md shows is true: its Python runs and prints what stands below it, its commands are whole."""

import contextlib
import io
import pathlib
import re

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```\n", re.MULTILINE | re.DOTALL)


def python_blocks() -> list[tuple[str, str | None]]:
    """(code, output shown below it or None) of every Python block."""
    found = list(BLOCK.finditer(README))
    blocks = []
    for block, after in zip(found, [*found[1:], None], strict=True):
        if block["language"] != "python":
            continue
        follows = after is not None and after["language"] == "text" and not README[block.end() : after.start()].strip()
        blocks.append((block["text"], after["text"] if follows else None))
    return blocks


def test_there_is_code_to_run():
    assert len(python_blocks()) >= 1


def test_python_blocks_run_in_order_and_print_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}  # one session: later blocks use what earlier ones define
    for code, shown in python_blocks():
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "README.md", "exec"), names)
        print(printed.getvalue())
        if shown is not None:
            assert printed.getvalue() == shown


def test_exactly_two_setup_commands_each_complete():
    marks = re.findall(r"^<!-- command: (\w+) -->\n\n?```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in marks] == ["main", "tests"]
    for _, command in marks:
        assert command.startswith("python3 -m venv .venv && .venv/bin/python -m pip install ")
        assert command.count("\n") == 1, "one line, to copy and paste"
    assert "-m jaxgibbs fit experiments/cmb/problem.toml" in marks[0][1]
    assert "-m pytest" in marks[1][1]


def test_local_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?://|#)([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_first_screen_holds_the_first_example():
    assert README.index("```python") < README.index("## What is covered")
    assert README[: README.index("```python")].count("\n") < 30
