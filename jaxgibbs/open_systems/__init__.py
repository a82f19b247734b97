"""Open systems: generators of dissipative dynamics, and where they lead."""

from .generator import AbstractGenerator as AbstractGenerator
from .lindbladian import Lindbladian as Lindbladian
from .steady_methods import AbstractSteadyMethod as AbstractSteadyMethod
from .steady_methods import Dense as Dense
from .steady_methods import Krylov as Krylov
from .steady_state import steady_state as steady_state
