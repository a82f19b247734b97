"""Models: functions from couplings to an operator."""

from .clusters import spin_dimer as spin_dimer
from .free_fermions import kitaev_chain as kitaev_chain
from .free_fermions import ssh_chain as ssh_chain
from .free_fermions import tight_binding as tight_binding
from .free_fermions import tight_binding_chain as tight_binding_chain
from .free_particles import hopping_chain_modes as hopping_chain_modes
from .free_particles import xx_chain_modes as xx_chain_modes
from .molecules import nuclear_spin_weights as nuclear_spin_weights
from .molecules import rotor as rotor
from .oscillators import oscillator as oscillator
from .potentials import Particle as Particle
from .potentials import particle_in_box as particle_in_box
from .potentials import particle_in_potential as particle_in_potential
from .spectra import enough_levels as enough_levels
from .spectra import hydrogen as hydrogen
from .spectra import level_scheme as level_scheme
from .spectra import logarithmic_spectrum as logarithmic_spectrum
from .spectra import power_law as power_law
from .spins import heisenberg_chain as heisenberg_chain
from .spins import heisenberg_ring as heisenberg_ring
from .spins import single_spin as single_spin
from .spins import transverse_ising_chain as transverse_ising_chain
from .spins import two_level as two_level
from .spins import xx_chain as xx_chain
from .spins import xxz_chain as xxz_chain
