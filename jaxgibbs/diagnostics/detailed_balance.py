"""`detailed_balance`: one call, one report, one verdict."""

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxgibbs._errors import is_concrete
from jaxgibbs.open_systems import AbstractGenerator
from jaxgibbs.operators import as_operator
from jaxgibbs.symmetry import Antiunitary

from .currents import currents, cycle_affinities, cycles_of
from .modular import form_of
from .own_state import OwnState, own_state
from .reference import Source, source_of
from .residuals import Measurement, check_size, measure, root, theta_matrix
from .verdict import VERDICTS, Judgement, conclude, judge, unseen_pairs
from .weights import BKM, GNS, KMS, WEIGHTS, AbstractWeight, as_weight, names


class BalanceReport(eqx.Module):
    """What `detailed_balance` found. Numbers are differentiable arrays; the verdict needs concrete values.

    Attributes:
        measurement: residuals for each of `weights`, stationarity, rates, and the floor of each.
        own: the generator against its own stationary state; `None` where a state was given and is balanced, or under a trace.
        source: what the state was made from; `None` for the own stationary state.
        tolerance: the largest residual that counts as balance.
    """

    measurement: Measurement
    own: OwnState | None
    source: Source | None
    tolerance: float | None = eqx.field(static=True)

    @property
    def weights(self) -> tuple[AbstractWeight, ...]:
        """The inner products of the entries of `residuals`: `s = 0, 1/4, 1/2, 1` and BKM."""
        return WEIGHTS

    @property
    def residuals(self) -> Float[Array, " weights"]:
        """`||K - K^dagger|| / ||K||` without the commutator with what commutes with the state, one a weight."""
        return root(self.measurement.squares)

    @property
    def squares(self) -> Float[Array, " weights"]:
        """Squares of `residuals`, smooth everywhere: what to minimise."""
        return self.measurement.squares

    @property
    def floors(self) -> Float[Array, " weights"]:
        """What rounding alone may make of `residuals`."""
        return self.measurement.floors

    @property
    def full_residuals(self) -> Float[Array, " weights"]:
        """As `residuals`, with the commutator; of the order of 1 wherever there is a Hamiltonian."""
        return root(self.measurement.full_squares)

    @property
    def full_floors(self) -> Float[Array, " weights"]:
        """What rounding alone may make of `full_residuals`."""
        return self.measurement.full_floors

    @property
    def kms_residual(self) -> Float[Array, ""]:
        """The residual for `s = 1/2`, the inner product of Kubo, Martin and Schwinger."""
        return self.residual(KMS)

    @property
    def gns_residual(self) -> Float[Array, ""]:
        """The residual for `s = 1`; if it vanishes, all of them do."""
        return self.residual(GNS)

    @property
    def bkm_residual(self) -> Float[Array, ""]:
        """The residual for the inner product of Bogoliubov, Kubo and Mori."""
        return self.residual(BKM)

    def residual(self, weight: AbstractWeight | float) -> Float[Array, ""]:
        """The residual of one of `weights`, an object or a number `s`."""
        weight = as_weight(weight)
        if weight not in WEIGHTS:
            raise ValueError(
                f"`weight` must be one of {', '.join(names(WEIGHTS))}, but is {weight.name}; "
                "use `diagnostics.balance_residual` for any other."
            )
        return self.residuals[WEIGHTS.index(weight)]

    @property
    def stationarity(self) -> Float[Array, ""]:
        """`||L sigma|| / ||L||`."""
        return self.measurement.stationarity

    @property
    def stationarity_floor(self) -> Float[Array, ""]:
        """What rounding alone may make of `stationarity`."""
        return self.measurement.stationarity_floor

    @property
    def time_reversal_residual(self) -> Float[Array, ""] | None:
        """Detailed balance with time reversal, Hamiltonian included; `None` if no `theta` was given."""
        square = self.measurement.time_reversal_square
        return None if square is None else root(square)

    @property
    def time_reversal_floor(self) -> Float[Array, ""] | None:
        """What rounding alone may make of `time_reversal_residual`."""
        return self.measurement.time_reversal_floor

    @property
    def density_matrix(self) -> Complex[Array, "dim dim"]:
        """The state that balance was measured against."""
        if self.source is None:
            assert self.own is not None
            return self.own.density_matrix
        return self.measurement.reference.density_matrix()

    @property
    def rates(self) -> Float[Array, "dim dim"]:
        """Rates from `j` to `i` at `i, j`, between levels of the Hamiltonian (`own.basis`), of the state if `own` is `None`."""
        return self.measurement.rates if self.own is None else self.own.rates

    @property
    def populations(self) -> Float[Array, " dim"]:
        """Populations of these levels: in the stationary state if `own` is there, else in the state given."""
        return self.measurement.reference.populations if self.own is None else self.own.populations

    @property
    def currents(self) -> Float[Array, "dim dim"]:
        """`J_ij = W_ij p_j - W_ji p_i` from `j` to `i` between these levels."""
        return currents(self.rates, self.populations)

    @property
    def judgement(self) -> Judgement:
        """The measurement compared with the tolerance and its floors."""
        if not is_concrete(self.measurement):
            raise ValueError(
                "The verdict needs concrete values, but the report is traced; use `residuals` or `squares` inside `jit`."
            )
        return judge(self.measurement, self.tolerance)

    @property
    def verdict(self) -> VERDICTS:
        """A member of `VERDICTS`; its text is `VERDICTS[report.verdict]`."""
        return conclude(self.judgement, self.own, self.tolerance, named=self.source is not None)

    def explain(self) -> str:
        """The verdict and what it rests on, in words."""
        verdict, m = self.verdict, self.measurement
        lines = [f"Detailed balance with respect to {self._state_text()}", str(VERDICTS[verdict])]
        for k, name in enumerate(names(WEIGHTS)):
            lines.append(
                f"  {name:<14} residual {float(self.residuals[k]):.2e} (floor {float(m.floors[k]):.1e}), "
                f"with the commutator {float(self.full_residuals[k]):.2e}"
            )
        lines.append(f"  stationarity   {float(m.stationarity):.2e} (floor {float(m.stationarity_floor):.1e})")
        lines.append(f"  ln(W_ij p_j / W_ji p_i), the largest beyond rounding: {self.judgement.excess:.2e}")
        reversal, floor = self.time_reversal_residual, self.time_reversal_floor
        if reversal is not None and floor is not None:
            lines.append(
                f"  with time reversal, Hamiltonian included: {float(reversal):.2e} (floor {float(floor):.1e})"
            )
        count, dim, unseen = int(np.sum(m.reference.support)), m.reference.dim, unseen_pairs(m)
        if count < dim:
            lines.append(f"  only {count} of {dim} levels carry weight that can be compared")
        if unseen:
            lines.append(
                f"  {unseen} rates between levels are below rounding, and were not compared with their reverse"
            )
        if self.own is not None and bool(self.own.unique):
            lines.extend(_about_own(self.own, verdict))
        return "\n".join(lines)

    def _state_text(self) -> str:
        if self.source is None:
            return "its own stationary state:"
        if self.source.beta is None:
            return "the density matrix given:"
        return f"the Gibbs state at beta = {float(self.source.beta):.6g}:"


def _about_own(own: OwnState, verdict) -> list[str]:
    lines = []
    if not np.isnan(float(own.beta)):
        lines = [
            f"  its stationary state, fitted by a Gibbs state of the Hamiltonian: beta = {float(own.beta):.9g}, "
            f"-ln sigma differs from beta H by {float(own.misfit):.1e} of its norm (floor {float(own.misfit_floor):.1e})"
        ]
    if verdict == VERDICTS.driven:
        flow = np.asarray(currents(own.rates, own.populations))
        i, j = np.unravel_index(np.argmax(flow), flow.shape)
        lines.append(f"  largest current between levels: {flow[i, j]:.3e} from {j} to {i}")
        for cycle in cycles_of(own.rates)[:5]:
            affinity = float(cycle_affinities(own.rates, (cycle,))[0])
            lines.append(f"  cycle {' -> '.join(map(str, (*cycle, cycle[0])))}: affinity {affinity:.6g}")
    return lines


def detailed_balance(
    generator: AbstractGenerator,
    state: Any = None,
    *,
    beta: ArrayLike | None = None,
    hamiltonian: Any = None,
    theta: Antiunitary | None = None,
    tolerance: float | None = None,
) -> BalanceReport:
    """Does a generator obey quantum detailed balance, and if not, what drives it?

    Balance means that `L^+`, less the commutator with what commutes with the state, is self-adjoint in a weighted inner product
    (Alicki 1976): `r_s = ||K - K^dagger|| / ||K||`, `K = W^(1/2) L^+ W^(-1/2)`. The verdict is that of KMS, `s = 1/2`.

    Args:
        generator: in Lindblad form, of dimension up to 64; above use `diagnostics.estimated_residual`.
        state: a Gibbs state, or a density matrix of shape `(dim, dim)`; with `beta` neither, the own stationary state.
        beta: inverse temperature of a Gibbs state, of either sign, infinite too.
        hamiltonian: of that Gibbs state; by default that of the generator, without Lamb shifts and coherent terms.
        theta: time reversal, `symmetry.Antiunitary`, for detailed balance that includes the Hamiltonian.
        tolerance: the largest residual that counts as balance; `max(1e-10, 100 eps)`.

    Raises:
        ValueError: if `state` and `beta` are both given, or any of the arguments is misused, or the dimension is above 64.

    Example:
        >>> import jaxgibbs as jg
        >>> up, down = [[0.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]]
        >>> atom = jg.Lindbladian([[1.0, 0.0], [0.0, 0.0]], [up, down], rates=[0.1, 0.3])
        >>> print(jg.diagnostics.VERDICTS[jg.detailed_balance(atom, beta=2.0).verdict][:22])
        Violated, but thermal:

    References: Carlen & Maas, J. Funct. Anal. 273, 1810 (2017); Fagnola & Umanita, Rev. Math. Phys. 22, 1263 (2010).
    """
    check_size(generator)
    if tolerance is not None and not 0 <= tolerance < np.inf:
        raise ValueError(f"`tolerance` must be a finite number of at least 0, but is {tolerance}.")
    source = source_of(state, beta, hamiltonian, generator)
    form, reversal = form_of(generator), theta_matrix(theta, generator)
    energy = _energy(generator, source, hamiltonian)
    if source is None:
        own = own_state(form, energy, reversal)
        return BalanceReport(own.measurement, own, None, tolerance)
    measurement = measure(form, source, reversal)
    own = None
    if is_concrete(measurement, energy) and judge(measurement, tolerance).violated:
        own = own_state(form, energy)
    return BalanceReport(measurement, own, source, tolerance)


def _energy(generator, source: Source | None, hamiltonian):
    """The Hamiltonian whose levels currents are between."""
    if hamiltonian is not None:
        return as_operator(hamiltonian).to_dense().astype(generator.dtype)
    if source is not None and source.beta is not None:
        return source.matrix
    return generator.system_hamiltonian()
