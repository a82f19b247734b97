"""Differentiable quantum statistical mechanics in JAX: Gibbs states, their derivatives and their multipliers, open systems."""

from typing import TYPE_CHECKING

from . import equilibrium as equilibrium
from . import linalg as linalg
from . import operators as operators
from . import symmetry as symmetry
from . import units as units
from . import _later
from ._solution import RESULTS as RESULTS
from ._solution import Solution as Solution
from .equilibrium import Auto as Auto
from .equilibrium import Exact as Exact
from .equilibrium import GeneralizedGibbsState as GeneralizedGibbsState
from .equilibrium import GibbsState as GibbsState
from .equilibrium import Lanczos as Lanczos
from .equilibrium import Thermodynamics as Thermodynamics
from .equilibrium import energy as energy
from .equilibrium import entropy as entropy
from .equilibrium import expectation as expectation
from .equilibrium import free_energy as free_energy
from .equilibrium import generalized_forces as generalized_forces
from .equilibrium import generalized_gibbs_state as generalized_gibbs_state
from .equilibrium import gibbs_state as gibbs_state
from .equilibrium import heat_capacity as heat_capacity
from .equilibrium import log_partition as log_partition
from .equilibrium import thermal_pure_states as thermal_pure_states
from .equilibrium import thermal_spectrum as thermal_spectrum
from .equilibrium import thermodynamics as thermodynamics

if TYPE_CHECKING:
    from . import baths as baths
    from . import diagnostics as diagnostics
    from . import dynamics as dynamics
    from . import ensembles as ensembles
    from . import fitting as fitting
    from . import information as information
    from . import interop as interop
    from . import models as models
    from . import open_systems as open_systems
    from . import plotting as plotting
    from . import response as response
    from . import sweeps as sweeps
    from . import strong_coupling as strong_coupling
    from .baths import OhmicBath as OhmicBath
    from .fitting import energy_at_entropy as energy_at_entropy
    from .fitting import entropy_at_energy as entropy_at_energy
    from .fitting import fit_beta as fit_beta
    from .fitting import fit_chemical_potential as fit_chemical_potential
    from .fitting import fit_expectations as fit_expectations
    from .fitting import fit_model as fit_model
    from .fitting import fit_multipliers as fit_multipliers
    from .open_systems import Lindbladian as Lindbladian
    from .open_systems import chen_kastoryano_gilyen as chen_kastoryano_gilyen
    from .open_systems import davies as davies
    from .open_systems import ding_li_lin as ding_li_lin
    from .open_systems import mixing_time as mixing_time
    from .open_systems import slow_modes as slow_modes
    from .open_systems import spectral_gap as spectral_gap
    from .open_systems import steady_state as steady_state
    from .dynamics import evolve as evolve
    from .diagnostics import detailed_balance as detailed_balance
    from .sweeps import open_sweep as open_sweep
    from .sweeps import sweep as sweep

# Models, fits and open systems are loaded at their first use, so that `import jaxgibbs` stays light.
_LATER = {
    "baths": "baths",
    "diagnostics": "diagnostics",
    "dynamics": "dynamics",
    "ensembles": "ensembles",
    "fitting": "fitting",
    "information": "information",
    "interop": "interop",
    "models": "models",
    "open_systems": "open_systems",
    "plotting": "plotting",
    "response": "response",
    "sweeps": "sweeps",
    "strong_coupling": "strong_coupling",
    "OhmicBath": "baths",
    "energy_at_entropy": "fitting",
    "entropy_at_energy": "fitting",
    "fit_beta": "fitting",
    "fit_chemical_potential": "fitting",
    "fit_expectations": "fitting",
    "fit_model": "fitting",
    "fit_multipliers": "fitting",
    "Lindbladian": "open_systems",
    "chen_kastoryano_gilyen": "open_systems",
    "davies": "open_systems",
    "ding_li_lin": "open_systems",
    "mixing_time": "open_systems",
    "slow_modes": "open_systems",
    "spectral_gap": "open_systems",
    "steady_state": "open_systems",
    "evolve": "dynamics",
    "detailed_balance": "diagnostics",
    "open_sweep": "sweeps",
    "sweep": "sweeps",
}

__getattr__, __dir__ = _later.at_first_use(__name__, _LATER)
