"""Open systems: generators of dissipative dynamics, and where they lead."""

from .generator import AbstractGenerator as AbstractGenerator
from .sums import GeneratorSum as GeneratorSum
from .lindbladian import Lindbladian as Lindbladian
from .davies import Davies as Davies
from .davies import davies as davies
