"""Sums of Pauli strings as they are written: `"0.25 X0 X1 + 0.25 Y0 Y1 - 0.5 Z2"`."""

import re

_TOKEN = re.compile(
    r"\s*(?:(?P<sign>[+-])|(?P<letter>[XYZ])(?P<site>\d+)|(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?))"
)

_IMAGINARY = re.compile(r"\s*(\d*\.?\d*j\b|\([^)]*j\))")


def parse_pauli_sum(text: str, sites: int) -> list[tuple[float, int, int]]:
    """The strings of a sum as `(weight, x, z)`, with the masks of `PauliTerms`.

    A product is an optional number and the factors `X`, `Y`, `Z` with their sites; a number alone multiplies the identity.

    Raises:
        ValueError: if the text is no such sum, or names a site that does not exist or twice in one product.
    """

    def refused(reason: str) -> ValueError:
        return ValueError(f'A term must read like "0.5 X0 X1 - 2 Z3", but {text!r} {reason}.')

    strings: list[tuple[float, int, int]] = []
    weight, factors, begun, signed, place = 1.0, {}, False, False, 0
    text_end = len(text.rstrip())
    while place < text_end:
        token = _TOKEN.match(text, place)
        if token is None:
            if _IMAGINARY.match(text, place):
                raise refused("has a complex coefficient, and a complex multiple of a Pauli string is not Hermitian")
            raise refused(f"has {text[place:].strip()!r} where a sign, a number or a factor such as X0 belongs")
        if token["sign"]:
            if begun:
                strings.append(_string(weight, factors, sites))
            elif signed:
                raise refused("has two signs in a row")
            weight, factors, begun, signed = (-1.0 if token["sign"] == "-" else 1.0), {}, False, True
        elif token["number"]:
            if begun:
                raise refused("has a number that does not begin a product")
            weight, begun = weight * float(token["number"]), True
        else:
            site = int(token["site"])
            if site >= sites:
                raise refused(f"names site {site}, and there are {sites} sites, from 0 to {sites - 1}")
            if site in factors:
                raise refused(f"names site {site} twice in one product")
            factors[site], begun = token["letter"], True
        place = token.end()
    if not begun:
        raise refused("has a product without factors" if text.strip() else "is empty")
    return [*strings, _string(weight, factors, sites)]


def _string(weight, factors, sites):
    x = sum(1 << (sites - 1 - site) for site, letter in factors.items() if letter in "XY")
    z = sum(1 << (sites - 1 - site) for site, letter in factors.items() if letter in "YZ")
    return weight, x, z
