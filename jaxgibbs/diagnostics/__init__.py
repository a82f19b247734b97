"""Diagnostics: does a generator obey detailed balance, and if not, what drives it?"""

from .weights import BKM as BKM
from .weights import GNS as GNS
from .weights import KMS as KMS
from .weights import WEIGHTS as WEIGHTS
from .weights import AbstractWeight as AbstractWeight
from .weights import BogoliubovWeight as BogoliubovWeight
from .weights import PowerWeight as PowerWeight
from .residuals import balance_residual as balance_residual
from .residuals import squared_residual as squared_residual
from .residuals import time_reversal_residual as time_reversal_residual

from .currents import currents as currents
from .currents import cycle_affinities as cycle_affinities
from .currents import cycles_of as cycles_of
from .currents import effective_temperatures as effective_temperatures
from .currents import entropy_production as entropy_production
from .currents import kolmogorov_defect as kolmogorov_defect
from .own_state import OwnState as OwnState
from .verdict import VERDICTS as VERDICTS
from .detailed_balance import BalanceReport as BalanceReport
from .detailed_balance import detailed_balance as detailed_balance
from .estimate import ResidualEstimate as ResidualEstimate
from .estimate import estimated_residual as estimated_residual
from .structure import AlickiForm as AlickiForm
from .structure import alicki_form as alicki_form
from .equilibrium_checks import Thermalization as Thermalization
from .equilibrium_checks import thermalization as thermalization
