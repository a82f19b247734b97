"""Numbers as a laboratory writes them."""

import math
import re

GREEK = {
    "alpha",
    "beta",
    "gamma",
    "delta",
    "theta",
    "lambda",
    "mu",
    "nu",
    "xi",
    "rho",
    "tau",
    "phi",
    "chi",
    "psi",
    "omega",
}


def with_uncertainty(value: float, uncertainty: float | None) -> str:
    """`2.725008 ± 0.000024`: two digits of the uncertainty, and the value to the same place.

    >>> with_uncertainty(2.7250077, 2.398e-5)
    '2.725008 ± 0.000024'
    >>> with_uncertainty(-1.085e-5, 3.249e-5)
    '(-1.1 ± 3.2)e-05'
    """
    if uncertainty is None or not math.isfinite(uncertainty) or not math.isfinite(value):
        return f"{value:.8g}"
    if uncertainty == 0:
        return f"{value:.8g} ± 0"
    place = math.floor(math.log10(float(f"{uncertainty:.1e}")))  # after rounding, so that 0.0996 counts as 0.10
    largest = max(abs(value), uncertainty)
    exponent = math.floor(math.log10(largest))
    if -4 <= exponent < 6 and place < 2:
        digits = max(1 - place, 0)
        return f"{value:.{digits}f} ± {uncertainty:.{digits}f}"
    digits = max(exponent - place + 1, 0)
    scale = 10.0**exponent
    return f"({value / scale:.{digits}f} ± {uncertainty / scale:.{digits}f})e{exponent:+03d}"


def typeset(text: str) -> str:
    r"""`(-1.1 ± 3.2)e-05` with its power of ten raised, and a Greek letter by its name, as matplotlib sets them.

    >>> typeset("(-1.1 ± 3.2)e-05")
    '(−1.1 ± 3.2)$\\times 10^{-5}$'
    >>> typeset("mu")
    '$\\mu$'
    """
    if text in GREEK:
        return f"$\\{text}$"
    text = re.sub(r"e([+-]\d+)$", lambda power: rf"$\times 10^{{{int(power[1])}}}$", text)
    return text.replace("(-", "(\N{MINUS SIGN}")
