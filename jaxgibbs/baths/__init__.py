"""Baths: spectral densities, the rates they give with the KMS condition, level shifts, correlation functions."""

from .base import AbstractBath as AbstractBath
from .bosonic import AbstractBosonicBath as AbstractBosonicBath
from .bosonic import OhmicBath as OhmicBath
