"""Linear algebra that the rest stands on: one decomposition, and exact derivatives of every order from it."""

from .divided_differences import Analytic as Analytic
from .divided_differences import Exponential as Exponential
from .divided_differences import Kernel as Kernel
from .eigen import dagger as dagger
from .eigen import eigh as eigh
from .eigen import eigvalsh as eigvalsh
from .eigen import matmul as matmul
from .hermitian import Decomposition as Decomposition
from .hermitian import bose as bose
from .hermitian import decompose as decompose
from .hermitian import exp as exp
from .hermitian import fermi as fermi
from .hermitian import log as log
from .hermitian import matrix_function as matrix_function
from .hermitian import power as power
from .hermitian import spectral_map as spectral_map
from .hermitian import sqrt as sqrt
from .superoperators import partial_trace as partial_trace
from .superoperators import superoperator as superoperator
from .superoperators import unvectorize as unvectorize
from .superoperators import vectorize as vectorize
from .traces import random_phases as random_phases
from .traces import random_sphere as random_sphere
from .traces import unit_vectors as unit_vectors
