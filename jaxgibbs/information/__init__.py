"""What is read off states alone: entropies and distances."""

from .entropies import relative_entropy as relative_entropy
from .entropies import von_neumann_entropy as von_neumann_entropy
from .distances import fidelity as fidelity
from .distances import trace_distance as trace_distance
