"""Baths: spectral densities, the rates they give with the KMS condition, level shifts, correlation functions."""

from .base import AbstractBath as AbstractBath
from .bosonic import AbstractBosonicBath as AbstractBosonicBath
from .bosonic import OhmicBath as OhmicBath
from .bosonic import QuantumOpticalBath as QuantumOpticalBath
from .lorentzian import DrudeLorentzBath as DrudeLorentzBath
from .lorentzian import UnderdampedBath as UnderdampedBath
from .flat import FermionicBath as FermionicBath
from .flat import FlatBath as FlatBath
from .tabulated import TabulatedBath as TabulatedBath
from .discretisation import Chain as Chain
from .discretisation import FiniteBath as FiniteBath
from .discretisation import FiniteLead as FiniteLead
from .discretisation import discretisation_error as discretisation_error
from .discretisation import finite_bath as finite_bath
from .discretisation import finite_lead as finite_lead
