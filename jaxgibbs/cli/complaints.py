"""What is wrong with an input file: which file, which line, which key, and what is allowed."""

import difflib
import pathlib
from collections.abc import Iterable


class InputError(Exception):
    """A file or an option that cannot be used. The command line prints the message alone and exits with code 2."""


def complain(path: pathlib.Path, problem: str, *, line: int | None = None, key: str | None = None) -> InputError:
    """An `InputError` that begins with the place: `problem.toml, line 7, key "fit.charges": ...`."""
    place = [str(path)]
    if line is not None:
        place.append(f"line {line}")
    if key is not None:
        place.append(f'key "{key}"')
    return InputError(f"{', '.join(place)}: {problem}")


def listing(names: Iterable[str]) -> str:
    """`"a", "b", "c"`, for a message that says what is allowed."""
    return ", ".join(f'"{name}"' for name in names)


def must_be_one_of(given: str, allowed: Iterable[str]) -> str:
    """`must be one of "a", "b", but is "c"`, with the nearest spelling where there is one."""
    allowed = list(allowed)
    near = difflib.get_close_matches(str(given), allowed, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return f'must be one of {listing(allowed)}, but is "{given}"{hint}'
