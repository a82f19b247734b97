"""Ensembles of given energy, and where they are not equivalent to the canonical one."""

from .blume_capel_limit import BlumeCapelLimit as BlumeCapelLimit
from .coexistence import Coexistence as Coexistence
from .entropy_curve import EntropyCurve as EntropyCurve
from .entropy_curve import entropy_curve as entropy_curve
from .equivalence import equivalence as equivalence
from .equivalence_report import EQUIVALENCE as EQUIVALENCE
from .equivalence_report import EquivalenceReport as EquivalenceReport
from .microcanonical import MicrocanonicalState as MicrocanonicalState
from .microcanonical import gaussian_state as gaussian_state
from .microcanonical import window_state as window_state
from .p_spin_limit import PSpinLimit as PSpinLimit
from .state_density import boltzmann_entropy as boltzmann_entropy
from .state_density import microcanonical_beta as microcanonical_beta
from .state_density import volume_entropy as volume_entropy
