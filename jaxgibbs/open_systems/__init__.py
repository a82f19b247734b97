"""Open systems: generators of dissipative dynamics, and where they lead."""

from .generator import AbstractGenerator as AbstractGenerator
from .sums import GeneratorSum as GeneratorSum
from .lindbladian import Lindbladian as Lindbladian
from .davies import Davies as Davies
from .davies import davies as davies
from .kms import KMSGenerator as KMSGenerator
from .ding_li_lin import AbstractFilter as AbstractFilter
from .ding_li_lin import AnalyticFilter as AnalyticFilter
from .ding_li_lin import GaussianFilter as GaussianFilter
from .ding_li_lin import SmoothMetropolisFilter as SmoothMetropolisFilter
from .ding_li_lin import ding_li_lin as ding_li_lin
from .chen_kastoryano_gilyen import AbstractWeight as AbstractWeight
from .chen_kastoryano_gilyen import GaussianWeight as GaussianWeight
from .chen_kastoryano_gilyen import MetropolisWeight as MetropolisWeight
from .chen_kastoryano_gilyen import chen_kastoryano_gilyen as chen_kastoryano_gilyen
