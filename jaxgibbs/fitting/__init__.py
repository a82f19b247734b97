"""Fitting: from measured expectation values to multipliers, temperatures and couplings, with their uncertainties."""

from .newton import DualNewton as DualNewton
from .objectives import dual as dual
from .objectives import negative_log_likelihood as negative_log_likelihood
from .max_entropy import fit_multipliers as fit_multipliers
from .uncertainty import quantum_fisher_information as quantum_fisher_information
from .least_squares import LeastSquares as LeastSquares
from .model import fit_model as fit_model
from .expectations import fit_expectations as fit_expectations
from .thermometry import ThermometryBounds as ThermometryBounds
from .thermometry import fit_beta as fit_beta
from .thermometry import thermometry_bounds as thermometry_bounds
from .chemical_potential import fit_chemical_potential as fit_chemical_potential
from .chemical_potential import multipliers_of_occupations as multipliers_of_occupations
from .legendre import energy_at_entropy as energy_at_entropy
from .legendre import entropy_at_energy as entropy_at_energy
