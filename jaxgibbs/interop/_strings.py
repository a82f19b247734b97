"""What the converters of Pauli sums share: strings as letters by site, and the one way to ask for a library."""

import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType

import numpy as np

from jaxgibbs._errors import is_concrete
from jaxgibbs.operators import PauliSum, PauliTerms

_LETTERS = {(1, 0): "X", (0, 1): "Z", (1, 1): "Y"}


def needed(name: str) -> ModuleType:
    """The library, or an error that says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"This conversion needs {name}, which cannot be imported; run: pip install {name}") from error


def pauli_sum(strings: Sequence[tuple[complex, Mapping[int, str]]], sites: int | None) -> PauliSum:
    """A `PauliSum` with one coupling, `coefficients`, an entry a string.

    Args:
        strings: coefficient and letters by site of each.
        sites: number of sites; the largest named and one by default.

    Raises:
        ValueError: if there is no string, a coefficient is not real, or a site is not there.
    """
    if not strings:
        raise ValueError("The operator must have at least one Pauli string, but is empty; add 0 times the identity.")
    values = np.array([complex(coefficient) for coefficient, _ in strings])
    real, imaginary = np.real(values), np.imag(values)
    if np.any(np.abs(imaginary) > 1e-10 * np.max(np.abs(values))):
        worst = values[np.argmax(np.abs(imaginary))]
        raise ValueError(f"Coefficients must be real, as of a Hermitian operator, but one is {worst:.6g}.")
    highest = 1 + max((site for _, letters in strings for site in letters), default=0)
    count = highest if sites is None else sites
    if count < highest:
        raise ValueError(f"`sites` must be at least {highest}, as many as the operator names, but is {sites}.")
    x = [sum(1 << (count - 1 - s) for s, letter in letters.items() if letter in "XY") for _, letters in strings]
    z = [sum(1 << (count - 1 - s) for s, letter in letters.items() if letter in "YZ") for _, letters in strings]
    size = len(strings)
    terms = PauliTerms(count, {"coefficients": size}, np.arange(size), x, z, np.ones(size))
    return PauliSum({"coefficients": real}, terms)


def strings_of(operator: PauliSum) -> list[tuple[float, dict[int, str]]]:
    """Coefficient and letters by site of every string.

    Raises:
        ValueError: if the operator is no `PauliSum`, or its couplings are traced.
    """
    if not isinstance(operator, PauliSum):
        raise ValueError(f"`operator` must be a `PauliSum`, but is a `{type(operator).__name__}`; see `to_scipy`.")
    coefficients = operator.coefficients()
    if not is_concrete(coefficients):
        raise ValueError("`operator` must have couplings with values, but they are traced; convert it outside `jit`.")
    terms, found = operator.terms, []
    for term, x, z, weight in zip(terms.term, terms.x, terms.z, terms.weight, strict=True):
        bits = [((int(x) >> k) & 1, (int(z) >> k) & 1) for k in reversed(range(terms.sites))]
        letters = {site: _LETTERS[pair] for site, pair in enumerate(bits) if pair != (0, 0)}
        found.append((float(weight * coefficients[term]), letters))
    return found
