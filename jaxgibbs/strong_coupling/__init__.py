"""Systems whose coupling to a bath is not weak: the Hamiltonian of mean force and its thermodynamics."""

from .mean_force import MeanForce as MeanForce
from .mean_force import mean_force as mean_force
from .weak_coupling import weak_coupling as weak_coupling
from .weak_coupling import weak_mean_force as weak_mean_force
from .damped_oscillator import OscillatorMeanForce as OscillatorMeanForce
from .damped_oscillator import damped_oscillator as damped_oscillator
from .damped_oscillator import damped_particle as damped_particle
from .reaction_coordinate import ReactionCoordinate as ReactionCoordinate
from .reaction_coordinate import reaction_coordinate as reaction_coordinate
from .finite_modes import coupled_to_modes as coupled_to_modes
from .finite_modes import mean_force_of_modes as mean_force_of_modes
from .limits import dispersive_qubit as dispersive_qubit
from .limits import independent_boson as independent_boson
from .limits import ultrastrong as ultrastrong
from .gaussian import FermionicMeanForce as FermionicMeanForce
from .gaussian import coupled_to_leads as coupled_to_leads
from .gaussian import fermionic_mean_force as fermionic_mean_force
from .gaussian import oscillator_of_modes as oscillator_of_modes
from .sampled import BathProbes as BathProbes
from .sampled import sampled_mean_force as sampled_mean_force
