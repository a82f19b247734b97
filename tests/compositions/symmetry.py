"""Symmetry: each public name in a number to differentiate, or why not."""

import numpy as np

from compositions.common import STRUCTURE, VERDICT, chain, log_z
from jaxgibbs import models, symmetry


def of_blocks(theta):
    total = sum(np.kron(np.kron(np.eye(2**k), np.diag([0.5, -0.5])), np.eye(2 ** (2 - k))) for k in range(3))
    return sum((1 + 0.1 * k) * log_z(part) for k, (_, part) in enumerate(symmetry.blocks(chain(theta), [total])))


def of_block(theta):
    total = np.kron(np.diag([0.5, -0.5]), np.eye(2)) + np.kron(np.eye(2), np.diag([0.5, -0.5]))
    sector = symmetry.sectors([total])[1]
    return log_z(symmetry.block(models.xxz_chain(2, 1.0 + theta[0], theta[1], field=theta[2]), sector))


TABLE = {
    "symmetry.block": of_block,
    "symmetry.blocks": of_blocks,
}

EXEMPT = {
    **dict.fromkeys(
        (
            f"symmetry.{name}"
            for name in ("Antiunitary", "KramersPairs", "Sector", "SelectionRule", "sectors", "site_permutation")
        ),
        STRUCTURE,
    ),
    **dict.fromkeys(
        (
            f"symmetry.{name}"
            for name in ("translation", "reflection", "spin_rotation", "spin_time_reversal", "complex_conjugation")
        ),
        STRUCTURE,
    ),
    **dict.fromkeys(
        (
            f"symmetry.{name}"
            for name in ("check_symmetry", "is_symmetry", "symmetry_defect", "selection_rule", "kramers_pairs")
        ),
        VERDICT,
    ),
    **dict.fromkeys(
        (f"symmetry.{name}" for name in ("check_time_reversal", "time_reversal_defect", "time_reversal_parity")),
        VERDICT,
    ),
    **dict.fromkeys(
        ("symmetry.allowed_part", "symmetry.time_reversal_parts"), "parts of an observable, static NumPy arrays"
    ),
}
