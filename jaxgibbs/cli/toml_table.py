"""A TOML table that checks what is asked of it, and knows on which line each key stands."""

import dataclasses
import math
import pathlib
import re
import tomllib
from collections.abc import Iterable
from typing import Any

from .complaints import InputError, complain, listing, must_be_one_of

_HEADER = re.compile(r"^\s*\[\[?\s*(?P<name>[^\]]+?)\s*\]\]?\s*(#.*)?$")
_ENTRY = re.compile(r"^\s*(?P<name>[A-Za-z0-9_\-.\" ]+?)\s*=")


@dataclasses.dataclass(frozen=True)
class TomlTable:
    """One table of a TOML file.

    Every reader takes a key and either returns a value of the kind in its name or raises `InputError` with file, line,
    key and what is allowed. `allow` is called first, so that a misspelt key is not passed over in silence.
    """

    path: pathlib.Path
    entries: dict[str, Any]
    lines: dict[str, int]
    name: str = ""

    def allow(self, keys: Iterable[str]) -> None:
        """Raise for the first key that is none of `keys`."""
        keys = list(keys)
        for key in self.entries:
            if key not in keys:
                where = f"[{self.name}]" if self.name else "the top of the file"
                raise self.complain(key, f"the keys allowed in {where} are {listing(keys)}{_nearest(key, keys)}")

    def complain(self, key: str, problem: str) -> InputError:
        """An `InputError` placed at `key`, or at the head of the table where the key is absent or empty."""
        full = ".".join(part for part in (self.name, key) if part)
        return complain(self.path, problem, line=self.lines.get(full, self.lines.get(self.name)), key=full)

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def get(self, key: str, kind: str) -> Any:
        """The entry, whatever it is; raises with `kind`, the words for what belongs there, when it is absent."""
        if key not in self.entries:
            raise self.complain(key, f"is missing; it must be {kind}")
        return self.entries[key]

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self.get(key, "a text") if default is None or key in self.entries else default
        if not isinstance(value, str) or (not value and default != ""):
            raise self.complain(key, f"must be a text in quotes, but is {value!r}")
        return value

    def choice(self, key: str, allowed: Iterable[str], default: str | None = None) -> str:
        """One of the texts allowed."""
        allowed = list(allowed)
        value = self.entries.get(key, default)
        if value is None:
            raise self.complain(key, f"is missing; it must be one of {listing(allowed)}")
        if value not in allowed:
            raise self.complain(key, must_be_one_of(value, allowed))
        return value

    def number(self, key: str, default: float | None = None, *, positive: bool = False) -> float:
        """A finite number."""
        words = "a positive number" if positive else "a number"
        value = self.get(key, words) if default is None or key in self.entries else default
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.complain(key, f"must be {words}, but is {value!r}")
        if positive and value <= 0:
            raise self.complain(key, f"must be {words}, but is {value!r}")
        return float(value)

    def texts(self, key: str, default: list[str] | None = None) -> list[str]:
        """A list of texts, not empty and without repetition."""
        value = self.get(key, 'a list of texts, ["a", "b"]') if default is None or key in self.entries else default
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise self.complain(key, f'must be a list of texts such as ["a", "b"], but is {value!r}')
        if len(set(value)) != len(value):
            raise self.complain(key, f"must not repeat a name, but is {value!r}")
        return value

    def table(self, key: str) -> "TomlTable":
        """The table under `key`, written as `[key]` or `key = { ... }`."""
        value = self.get(key, f"a table, [{self.name + '.' if self.name else ''}{key}]")
        if not isinstance(value, dict):
            raise self.complain(key, f"must be a table, but is {value!r}")
        return TomlTable(self.path, value, self.lines, f"{self.name}.{key}" if self.name else key)

    def file(self, key: str) -> pathlib.Path:
        """An existing file, its name taken from the folder of the TOML file."""
        path = self.path.parent / self.text(key)
        if not path.is_file():
            raise self.complain(key, f'must name a file, but there is no file "{path}"')
        return path


def read_toml(path: pathlib.Path) -> TomlTable:
    """Read a TOML file; a file that is absent or that is no TOML raises `InputError` with the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise complain(path, "there is no such file; give the path of a problem file") from None
    except IsADirectoryError:
        raise complain(path, "is a folder; give the path of a problem file") from None
    except UnicodeDecodeError as error:
        raise complain(path, f"must be UTF-8 text, but has the byte {error.object[error.start]:#04x}") from None
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"^(?P<what>.*?)\s*\(at line (?P<line>\d+), column (?P<column>\d+)\)$", str(error))
        what, line = (found["what"], int(found["line"])) if found else (str(error), text.count("\n") + 1)
        raise complain(path, f"is not TOML: {what[:1].lower()}{what[1:]}", line=line) from None
    return TomlTable(path, entries, _lines(text))


def _lines(text: str) -> dict[str, int]:
    """Line of every table header and key, by dotted name. tomllib does not keep them, so the text is scanned again."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _plain(header["name"])
            lines.setdefault(table, number)
        elif entry := _ENTRY.match(line):
            name = _plain(entry["name"])
            full = f"{table}.{name}" if table else name
            lines.setdefault(full, number)
            inline = line[entry.end() :]
            if inline.lstrip().startswith("{"):
                for inner in re.finditer(r"[{,]\s*([A-Za-z0-9_\-]+)\s*=", inline):
                    lines.setdefault(f"{full}.{inner[1]}", number)
    return lines


def _plain(name: str) -> str:
    """`charges.energy` of `charges . "energy"`."""
    return ".".join(part.strip().strip('"') for part in name.split("."))


def _nearest(key: str, keys: list[str]) -> str:
    words = must_be_one_of(key, keys)
    return words[words.index("; did") :] if "; did" in words else ""
