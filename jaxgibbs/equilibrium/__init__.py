"""Equilibrium: Gibbs and generalised Gibbs states, at every temperature, with exact derivatives."""

from .methods import Auto as Auto
from .methods import Exact as Exact
from .lanczos import Lanczos as Lanczos
from .state import GibbsState as GibbsState
from .state import Thermodynamics as Thermodynamics
from .gibbs import energy as energy
from .gibbs import entropy as entropy
from .gibbs import expectation as expectation
from .gibbs import free_energy as free_energy
from .gibbs import generalized_forces as generalized_forces
from .gibbs import gibbs_state as gibbs_state
from .gibbs import heat_capacity as heat_capacity
from .gibbs import log_partition as log_partition
from .gibbs import thermal_spectrum as thermal_spectrum
from .gibbs import thermodynamics as thermodynamics
from .fixed_number import canonical_log_partition as canonical_log_partition
from .fixed_number import canonical_occupations as canonical_occupations
from .fixed_number import parity_log_partition as parity_log_partition
from .fixed_number import ring_log_partition as ring_log_partition
from .generalized import GeneralizedGibbsState as GeneralizedGibbsState
from .generalized import generalized_gibbs_state as generalized_gibbs_state
from .typicality import ThermalPureStates as ThermalPureStates
from .typicality import thermal_pure_states as thermal_pure_states
from .thermal_gradient import thermal_gradient as thermal_gradient
