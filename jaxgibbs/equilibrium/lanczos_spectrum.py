"""Thermodynamics of operators too large to decompose: Lanczos quadrature on random probes, with its errors.

The finite-temperature Lanczos method (Jaklic & Prelovsek, PRB 49, 5065 (1994)), which is stochastic Lanczos quadrature (Ubaru,
Chen & Saad, SIAM J. Matrix Anal. 38, 1075 (2017)). One run answers for every temperature of either sign. The relative
variance of one probe is about `Z(2 beta) / Z(beta)^2`: exponentially small in the entropy at high temperature, of order one at 0.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgibbs._errors import is_concrete
from jaxgibbs._solution import RESULTS
from jaxgibbs.linalg.traces import jackknife
from jaxgibbs.operators import AbstractOperator, as_operator

from .lanczos import Lanczos, Sizes
from .layout import described
from .moments import Moments, moments, reference
from .quadrature import Nodes
from .sampling import drawn, first_sizes, is_whole, peak_vectors, refined, shortened
from .sandwich import sandwich
from .state import (
    AbstractThermalSpectrum,
    GibbsState,
    Thermodynamics,
    checked_beta,
    massieu_to_free_energy,
    renyi,
    smooth_inside,
)

_INSTEAD = "it needs the whole spectrum; use `method=Exact()` on a smaller system, or "


def lanczos_spectrum(operator: AbstractOperator, method: Lanczos, *, chosen: bool = False) -> "LanczosSpectrum":
    """Draw a sample: of the sizes given, or where an accuracy is asked the first of one that `at` lets grow."""
    sizes = first_sizes(method, is_concrete(jax.lax.stop_gradient(operator)))
    return LanczosSpectrum(operator, drawn(operator, method, sizes), method, chosen)


class LanczosSpectrum(AbstractThermalSpectrum):
    """Ritz values and weights of every probe, and the levels deflated."""

    operator: AbstractOperator
    nodes: Nodes
    asked: Lanczos
    chosen: bool = eqx.field(static=True)

    @property
    def dim(self) -> int:
        """Dimension of the operator."""
        return self.operator.dim

    @property
    def method(self) -> Lanczos:
        """The method with the sizes that were chosen, for use where nothing can be chosen: inside `jit`."""
        ends = self.nodes.levels.ends
        lowest = sum(end > 0 for end in ends)
        return self.asked.with_sizes(Sizes(self.nodes.probes.count, self.nodes.depth, (lowest, len(ends) - lowest)))

    def at(self, beta) -> GibbsState:
        """The state at `beta`; where an accuracy was asked, of a sample that is large enough for it there."""
        beta = checked_beta(beta)
        return GibbsState(self.grown(beta), beta)

    def grown(self, beta) -> "LanczosSpectrum":
        """Of a sample that is large enough at `beta` for the accuracy asked; the same one where none was, and under a trace."""
        operator, nodes, now = jax.lax.stop_gradient((self.operator, self.nodes, beta))
        accuracy = self.asked.accuracy
        if accuracy is None or not is_concrete(operator, nodes, now):
            return self
        nodes = refined(operator, nodes, self.asked, accuracy, -float(now))
        return LanczosSpectrum(self.operator, nodes, self.asked, self.chosen)

    def check_beta(self, beta):
        """Refuse infinite `beta` where no levels were deflated; under a trace the answer is NaN."""
        if is_concrete(beta, self.nodes) and np.isinf(np.asarray(beta)) and not self.nodes.reaches(-jnp.asarray(beta)):
            raise ValueError(
                "`beta` must be finite for Lanczos quadrature without deflation, but is infinite; "
                "pass `Lanczos(deflation=4)`, which finds the extreme levels."
            )

    def s_of(self, beta):
        """`-beta` in the precision of the nodes; infinite only where levels at that edge were deflated."""
        s = -jnp.asarray(beta, self.nodes.values.dtype)
        beyond = jnp.isinf(s) & ~self.nodes.reaches(jax.lax.stop_gradient(s))
        return jnp.where(beyond, jnp.nan, s)

    def _answer(self, function, powers: int, beta):
        self.check_beta(beta)
        return self._of_totals(function, powers, beta)

    @eqx.filter_jit
    def _of_totals(self, function, powers: int, beta):
        """`function(s, reference, moments)` of the totals."""
        s, value = self._moments(powers, beta)
        answer = function(s, reference(jax.lax.stop_gradient(s), self.nodes), value.total())
        return self._cast(smooth_inside(answer, s))

    def _moments(self, powers, beta) -> tuple[Array, Moments]:
        s = self.s_of(beta)
        return s, moments(powers, s, self.operator, self.nodes)

    def log_partition(self, beta):
        return self._answer(_log_partition, 1, beta)

    def energy(self, beta):
        return self._answer(_energy, 2, beta)

    def energy_variance(self, beta):
        return self._answer(_variance, 3, beta)

    def entropy(self, beta):
        return self._answer(_entropy, 2, beta)

    def heat_capacity(self, beta):
        return self._answer(_heat_capacity, 3, beta)

    def renyi_entropy(self, beta, order):
        if np.isinf(order):
            raise ValueError(
                "`order` must be finite for Lanczos quadrature, but is inf: the largest probability is not sampled; "
                "use `method=Exact()`."
            )

        def log_shifted(b):
            return jnp.log(self._moments(1, b)[1].total()[0])

        def lowest(b):
            return jnp.zeros_like(b)

        beta, dtype = -self.s_of(beta), jnp.finfo(self.operator.dtype).dtype
        return renyi(log_shifted, self.entropy, np.log(self.dim), lowest, beta, order).astype(dtype)

    def expectation(self, beta, observable):
        """`Tr(rho A)` by `<r|e^{-beta H / 2} A e^{-beta H / 2}|r>`; each call runs the recurrence once more."""
        self.check_beta(beta)
        return self._expectation(beta, self._observable(observable))

    @eqx.filter_jit
    def _expectation(self, beta, observable):
        top, bottom = self._pair(beta, observable)
        return self._cast(smooth_inside(top.total() / bottom.total()[0], self.s_of(beta)))

    def expectation_error(self, beta, observable):
        self.check_beta(beta)
        return self._expectation_error(beta, self._observable(observable))

    @eqx.filter_jit
    def _expectation_error(self, beta, observable):
        top, bottom = self._pair(beta, observable)
        return self._cast(jackknife(lambda x: x[0] / x[1], (top.samples(), bottom.samples()[:, 0])))

    def _observable(self, observable) -> AbstractOperator:
        observable = as_operator(observable)
        if observable.dim != self.dim:
            raise ValueError(
                f"`observable` must have the dimension of the Hamiltonian, {self.dim}, but has {observable.dim}."
            )
        return observable

    def _pair(self, beta, observable):
        if jnp.issubdtype(observable.dtype, jnp.complexfloating) and not jnp.iscomplexobj(self.nodes.levels.vectors):
            # Vectors of a real Hamiltonian are real: of the observable they see the real part, which is all that counts.
            observable = _RealPart(observable)
        s, bottom = self._moments(1, beta)
        return sandwich((0, 0), s, observable, self.operator, self.nodes), bottom

    def covariance_matrix(self, beta, observables):
        raise ValueError(
            "Kubo-Mori covariances must be asked of another method than Lanczos: "
            + _INSTEAD
            + "take the derivative of "
            "`expectation` of `hamiltonian - f * observable` in `f` by finite differences."
        )

    def populations(self, beta):
        raise ValueError(
            "`populations` must be asked of another method than Lanczos: " + _INSTEAD + "ask for `expectation`."
        )

    def density_matrix(self, beta):
        raise ValueError(
            "`density_matrix` must be asked of another method than Lanczos: " + _INSTEAD + "ask for `expectation`."
        )

    def levels(self):
        raise ValueError(
            "`levels` must be asked of another method than Lanczos: "
            + _INSTEAD
            + "read those deflated from `nodes.levels`."
        )

    def eigenbasis(self):
        raise ValueError(
            "`eigenbasis` must be asked of another method than Lanczos: "
            + _INSTEAD
            + "read the levels deflated from `nodes.levels`."
        )

    @eqx.filter_jit
    def standard_error(self, beta):
        """By the jackknife over probes, so that errors of ratios are right."""
        s, value = jax.lax.stop_gradient(self._moments(3, beta))
        zero = reference(s, self.nodes)
        return self._cast(jackknife(lambda means: _every(s, zero, means), value.samples()))

    @eqx.filter_jit
    def systematic_error(self, beta):
        """How much the answers change when the Krylov space is smaller by a sixth."""
        nodes = shortened(self.nodes)
        s = self.s_of(jax.lax.stop_gradient(beta))
        both = [
            _every(s, reference(s, n), moments(3, s, jax.lax.stop_gradient(self.operator), n).total())
            for n in jax.lax.stop_gradient((self.nodes, nodes))
        ]
        return self._cast(jax.tree_util.tree_map(lambda x, y: jnp.where(is_whole(nodes), 0, jnp.abs(x - y)), *both))

    def _cast(self, tree):
        return jax.tree_util.tree_map(lambda x: x.astype(jnp.finfo(self.operator.dtype).dtype), tree)

    def result(self, beta):
        error, systematic = self.standard_error(beta).log_partition, self.systematic_error(beta).log_partition
        rounding = jnp.sqrt(jnp.finfo(self.operator.dtype).eps)
        accuracy = self.asked.accuracy
        allowed = jnp.maximum(jnp.nan_to_num(error), rounding) if accuracy is None else accuracy
        few = jnp.asarray(False) if accuracy is None else ~(error <= allowed)
        result = RESULTS.where(few, RESULTS.probes_too_few, RESULTS.optimal)
        result = RESULTS.where(systematic <= allowed, result, RESULTS.depth_too_small)
        at_edge = RESULTS.where(self.nodes.is_complete(self.s_of(beta)), RESULTS.optimal, RESULTS.depth_too_small)
        return RESULTS.where(jnp.isinf(beta), at_edge, result)

    def explain(self):
        probes, kind = self.nodes.probes, "complex" if jnp.iscomplexobj(self.nodes.levels.vectors) else "real"
        deflated, depth = len(self.nodes.levels.energies), self.nodes.depth
        why = f" (chosen: above the dimension {2**14} that exact diagonalisation takes)" if self.chosen else ""
        wanted = self.asked.accuracy
        for_what = "" if wanted is None else f" for an error of {wanted:g} in log Z"
        memory = self.dim * self.operator.dtype.itemsize / 2**20
        peak, where = peak_vectors(deflated), described(self.nodes.probes.layout)
        return (
            f"Lanczos quadrature{why}, dimension {self.dim}: {probes.count} {kind} probes in Krylov spaces of {depth}"
            f"{for_what}, {probes.count * depth} products with the operator, {deflated} extreme levels summed exactly; "
            f"{memory:.1f} MiB a vector, 3 vectors a probe{where}, about {peak * memory:.1f} MiB at the peak; error: "
            "`standard_error` of the sample, `systematic_error` of the Krylov space"
        )


class _RealPart(AbstractOperator):
    """The real part of a Hermitian operator, on real vectors."""

    operator: AbstractOperator

    @property
    def dim(self):
        return self.operator.dim

    @property
    def dtype(self):
        return jnp.finfo(self.operator.dtype).dtype

    def to_dense(self):
        return self.operator.to_dense().real

    def matvec(self, vector):
        return self.operator.matvec(vector.astype(self.operator.dtype)).real

    def linear_map(self):
        product = self.operator.linear_map()
        return lambda vector: product(vector.astype(self.operator.dtype)).real


# -- from moments to answers: `m_n = Tr h^n e^{s h}`, energies counted from `zero` --------------------------------------


def _log_partition(s, zero, m):
    return jnp.log(m[0]) + jnp.where(zero == 0, 0, s * jnp.where(zero == 0, 1, zero))


def _energy(s, zero, m):
    return zero + m[1] / m[0]


def _variance(s, zero, m):
    return m[2] / m[0] - (m[1] / m[0]) ** 2


def _entropy(s, zero, m):
    return jnp.log(m[0]) - jnp.where(jnp.isinf(s), 0, s) * m[1] / m[0]


def _heat_capacity(s, zero, m):
    return jnp.where(jnp.isinf(s), 0, s) ** 2 * _variance(s, zero, m)


def _every(s, zero, m) -> Thermodynamics:
    log_z, u = _log_partition(s, zero, m), _energy(s, zero, m)
    free_energy = massieu_to_free_energy(-s, log_z, u)
    return Thermodynamics(log_z, free_energy, u, _entropy(s, zero, m), _heat_capacity(s, zero, m))
