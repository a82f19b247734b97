"""Symmetry: what commutes with a Hamiltonian, its sectors, time reversal, and what vanishes because of them."""

from .unitary import check_symmetry as check_symmetry
from .unitary import is_symmetry as is_symmetry
from .unitary import reflection as reflection
from .unitary import site_permutation as site_permutation
from .unitary import spin_rotation as spin_rotation
from .unitary import symmetry_defect as symmetry_defect
from .unitary import translation as translation
from .sectors import Sector as Sector
from .sectors import block as block
from .sectors import blocks as blocks
from .sectors import sectors as sectors
from .antiunitary import Antiunitary as Antiunitary
from .antiunitary import KramersPairs as KramersPairs
from .antiunitary import check_time_reversal as check_time_reversal
from .antiunitary import complex_conjugation as complex_conjugation
from .antiunitary import kramers_pairs as kramers_pairs
from .antiunitary import spin_time_reversal as spin_time_reversal
from .antiunitary import time_reversal_defect as time_reversal_defect
from .antiunitary import time_reversal_parity as time_reversal_parity
from .antiunitary import time_reversal_parts as time_reversal_parts
from .selection import SelectionRule as SelectionRule
from .selection import allowed_part as allowed_part
from .selection import selection_rule as selection_rule
