"""Sweeps compile their function themselves: nothing here stands under another transformation."""

DRIVER = "runs a compiled function over a grid and writes files; tested by its own processes"

TABLE = {}
EXEMPT = {"sweep": DRIVER, "open_sweep": DRIVER}
