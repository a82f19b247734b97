"""Equilibrium: Gibbs and generalised Gibbs states, at every temperature, with exact derivatives."""

from typing import TYPE_CHECKING

from jaxgibbs import _later

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
from .typicality import Chebyshev as Chebyshev
from .typicality import ThermalPureStates as ThermalPureStates
from .typicality import thermal_pure_states as thermal_pure_states
from .thermal_gradient import thermal_gradient as thermal_gradient

if TYPE_CHECKING:
    from .bcs import BCSState as BCSState
    from .bcs import bcs_critical_temperature as bcs_critical_temperature
    from .bcs import bcs_state as bcs_state
    from .variational import SelfConsistency as SelfConsistency
    from .variational import VariationalState as VariationalState
    from .variational import hartree_fock as hartree_fock
    from .magnetism import chi as chi
    from .magnetism import chi_of_fluctuations as chi_of_fluctuations
    from .magnetism import chi_t as chi_t
    from .magnetism import curie_constant as curie_constant
    from .magnetism import curie_weiss as curie_weiss
    from .magnetism import impure_sample as impure_sample
    from .magnetism import magnetisation as magnetisation
    from .magnetism import mean_field as mean_field
    from .magnetism import molar_heat_capacity as molar_heat_capacity

# What needs the models is loaded at its first use, so that `import jaxgibbs` stays light.
_LATER = {
    "BCSState": "bcs",
    "bcs_critical_temperature": "bcs",
    "bcs_state": "bcs",
    "SelfConsistency": "variational",
    "VariationalState": "variational",
    "hartree_fock": "variational",
    "chi": "magnetism",
    "chi_of_fluctuations": "magnetism",
    "chi_t": "magnetism",
    "curie_constant": "magnetism",
    "curie_weiss": "magnetism",
    "impure_sample": "magnetism",
    "magnetisation": "magnetism",
    "mean_field": "magnetism",
    "molar_heat_capacity": "magnetism",
}

__getattr__, __dir__ = _later.at_first_use(__name__, _LATER)
