"""What is read off states alone: entropies, distances, correlations and metrics."""

from .entropies import relative_entropy as relative_entropy
from .entropies import von_neumann_entropy as von_neumann_entropy
from .distances import fidelity as fidelity
from .distances import bures_distance as bures_distance
from .distances import trace_distance as trace_distance
from .correlations import mutual_information as mutual_information
from .correlations import area_law_bound as area_law_bound
from .entanglement import partial_transpose as partial_transpose
from .entanglement import negativity as negativity
from .entanglement import logarithmic_negativity as logarithmic_negativity
from .entanglement import concurrence as concurrence
from .entanglement import entanglement_of_formation as entanglement_of_formation
from .metrics import quantum_fisher_information as quantum_fisher_information
from .metrics import wigner_yanase_metric as wigner_yanase_metric
from .metrics import kubo_mori_metric as kubo_mori_metric
from .metrics import monotone_metric as monotone_metric
from .metrics import symmetric_logarithmic_derivative as symmetric_logarithmic_derivative
from .metrics import classical_fisher_information as classical_fisher_information
from .metrics import pullback_metric as pullback_metric
