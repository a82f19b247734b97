"""Open systems: generators of dissipative dynamics, and where they lead."""

from .generator import AbstractGenerator as AbstractGenerator
from .sums import GeneratorSum as GeneratorSum
from .lindbladian import Lindbladian as Lindbladian
from .steady_methods import AbstractSteadyMethod as AbstractSteadyMethod
from .steady_methods import Dense as Dense
from .steady_methods import Krylov as Krylov
from .populations import Populations as Populations
from .populations import stationary_distribution as stationary_distribution
from .relaxation import Relaxation as Relaxation
from .sparse_lu import SparseLU as SparseLU
from .steady_state import steady_state as steady_state
from .conserved import SteadyStates as SteadyStates
from .conserved import steady_states as steady_states
from .slow_modes import Arnoldi as Arnoldi
from .slow_modes import SlowModes as SlowModes
from .slow_modes import mixing_time as mixing_time
from .slow_modes import slow_modes as slow_modes
from .slow_modes import spectral_gap as spectral_gap
from .quasi_free import quasi_free_steady_state as quasi_free_steady_state
