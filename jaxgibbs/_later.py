"""Names of a package that are loaded at their first use."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def at_first_use(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package, some of whose names come from modules that are not loaded yet.

    **Arguments:**

    - `package`: `__name__` of the package.
    - `modules`: for each such name the module in the package that has it. A name that is its own module is the module.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f"{package}.{modules[name]}")
        value = module if name == modules[name] else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return get, names
