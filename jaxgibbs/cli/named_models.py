"""Models by name, for the command line: `jaxgibbs.models` read as a table of names, settings and their defaults."""

import inspect
from collections.abc import Callable
from typing import Any

from jaxgibbs import models
from jaxgibbs.operators import AbstractOperator

from .complaints import InputError, listing, must_be_one_of


def model_names() -> list[str]:
    """Functions of `jaxgibbs.models` from settings that a text can give to an operator."""
    return sorted(name for name, member in vars(models).items() if not name.startswith("_") and _is_model(member))


def model_signature(name: str) -> str:
    """`heisenberg_ring(sites, coupling=1.0)`, for help and messages."""
    parameters = _parameters(getattr(models, name)).values()
    words = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
    return f"{name}({', '.join(words)})"


def build_model(name: str, settings: dict[str, Any], complain: Callable[[str, str], InputError]) -> AbstractOperator:
    """The operator `jaxgibbs.models.<name>(**settings)`.

    Args:
        name: one of `model_names()`.
        settings: arguments by name.
        complain: makes the error from the key at fault and the words.
    """
    if name not in model_names():
        raise complain("model", must_be_one_of(name, model_names()))
    function = getattr(models, name)
    parameters = _parameters(function)
    for key in settings:
        if key not in parameters:
            raise complain(key, f"is no setting of {model_signature(name)}")
    missing = [key for key, p in parameters.items() if p.default is p.empty and key not in settings]
    if missing:
        raise complain(missing[0], f"is missing; {model_signature(name)} needs {listing(missing)}")
    try:
        return function(**settings)
    except (ValueError, TypeError) as error:
        raise complain("model", f"{model_signature(name)} refuses its settings: {error}") from None


def _parameters(function) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


def _is_model(member) -> bool:
    """Whether `member` is a function that returns an operator and needs no function or lattice as a setting."""
    if not inspect.isfunction(member):
        return False
    signature = inspect.signature(member)
    returned = signature.return_annotation
    return (
        isinstance(returned, type)
        and issubclass(returned, AbstractOperator)
        and not any(
            p.default is p.empty and any(word in str(p.annotation) for word in ("Callable", "Lattice"))
            for p in signature.parameters.values()
        )
    )
