"""Values with their uncertainties, as a laboratory writes them."""

import pytest

from jaxgibbs.cli.numbers import with_uncertainty


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (2.7250077, 2.398e-5, "2.725008 ± 0.000024"),
        (-1.085e-5, 3.249e-5, "(-1.1 ± 3.2)e-05"),
        (12.3456, 0.0996, "12.35 ± 0.10"),
        (12.3456, 2.0, "12.3 ± 2.0"),
        (0.0, 0.5, "0.00 ± 0.50"),
        (1234.5, 56.0, "1234 ± 56"),
        (1.23456e-19, 1.5e-22, "(1.2346 ± 0.0015)e-19"),
        (3.2e9, 4.1e8, "(3.20 ± 0.41)e+09"),
        (150.0, 1234.0, "(0.1 ± 1.2)e+03"),
        (2.5, None, "2.5"),
        (float("nan"), 1.0, "nan"),
        (2.5, 0.0, "2.5 ± 0"),
    ],
)
def test_with_uncertainty(value, uncertainty, text):
    assert with_uncertainty(value, uncertainty) == text
