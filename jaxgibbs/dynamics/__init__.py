"""Processes: states along time, and the energy and entropy that flow meanwhile."""

from .evolve import evolve as evolve
from .methods import AbstractEvolution as AbstractEvolution
from .methods import Propagator as Propagator
from .methods import RungeKutta as RungeKutta
from .methods import Taylor as Taylor
from .currents import energy as energy
from .currents import heat_currents as heat_currents
from .currents import nonequilibrium_free_energy as nonequilibrium_free_energy
from .currents import work_current as work_current
from .entropy_production import entropy_production as entropy_production
from .entropy_production import entropy_rate as entropy_rate
from .balance import Balance as Balance
from .balance import thermodynamic_balance as thermodynamic_balance
