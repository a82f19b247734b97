"""Labelled parameter grids, point by point over all devices, written as they go and resumed where they stopped."""

from .sweep import open_sweep as open_sweep
from .sweep import sweep as sweep
