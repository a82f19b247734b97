"""Operators, `sum_k theta_k T_k`: what acts on a vector and what a spectrum is read off."""

from .base import AbstractOperator as AbstractOperator
from .base import Scaled as Scaled
from .base import Sum as Sum
from .dense import Dense as Dense
from .dense import as_operator as as_operator
from .dense import hermitian_gradient as hermitian_gradient
from .terms import SparseTerms as SparseTerms
from .terms import TermSum as TermSum
from .pauli import PauliSum as PauliSum
from .pauli import PauliTerms as PauliTerms
from .local_sum import LocalSum as LocalSum
from .local_sum import LocalTerms as LocalTerms
from .spectrum import Spectrum as Spectrum
from .tails import AbstractTail as AbstractTail
from .tails import ContinuumTail as ContinuumTail
from .tails import LadderTail as LadderTail
from .tails import LogarithmicTail as LogarithmicTail
from .tails import PowerTail as PowerTail
from .tails import RotorTail as RotorTail
from .modes import Bosons as Bosons
from .modes import Fermions as Fermions
from .kronecker import KroneckerSum as KroneckerSum
from .bases import bell_basis as bell_basis
from .algebra import simplify as simplify
from .blocks import BlockStructure as BlockStructure
from .blocks import block_structure as block_structure
