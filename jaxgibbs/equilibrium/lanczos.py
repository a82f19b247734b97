"""Thermodynamics of operators too large to decompose: Lanczos quadrature on random probes, with its errors.

The finite-temperature Lanczos method (Jaklic & Prelovsek, PRB 49, 5065 (1994)), which is stochastic Lanczos quadrature (Ubaru,
Chen & Saad, SIAM J. Matrix Anal. 38, 1075 (2017)). One run answers for every temperature of either sign. The relative
variance of one probe is about `Z(2 beta) / Z(beta)^2`: exponentially small in the entropy at high temperature, of order one at 0.
"""

import os
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array

from jaxgibbs._errors import is_concrete
from jaxgibbs._solution import RESULTS
from jaxgibbs.linalg import random_phases
from jaxgibbs.linalg.traces import jackknife
from jaxgibbs.operators import AbstractOperator, as_operator
from jaxgibbs.operators.local import whole_number

from .deflation import extreme_levels
from .layout import checked_layout, described, largest_part
from .methods import AbstractMethod
from .quadrature import Moments, Nodes, Probes, gauss_nodes, moments, reference, sandwich
from .state import AbstractThermalSpectrum, Thermodynamics, massieu_to_free_energy, renyi, smooth_inside

_INSTEAD = "it needs the whole spectrum; use `method=Exact()` on a smaller system, or "


_VECTORS = 7  # at the peak of a run: XLA asks for 6.15 in dimension 2^30


class Lanczos(AbstractMethod):
    """Lanczos quadrature on random probes: products of the operator with vectors are all that is needed.

    The numbers are deterministic functions of the operator and the key: probes stay fixed, so `jax.grad` of `log_partition`
    (or energy, entropy, heat capacity) in the couplings is the derivative of the estimate, up to the error of the Krylov
    space: of the first order there, where that of the value, `state.systematic_error`, is of the second.

    Derivatives in `beta` exist to every order, in the couplings to the first, in forward and reverse mode; beyond that they
    are refused.

    Args:
        probes: number of random vectors `R`; errors fall as `1 / sqrt(R)`.
        depth: dimension of the Krylov space of each: the larger, the lower the temperatures it serves.
        deflation: how many of the lowest and of the highest levels to find and sum exactly, for low temperatures of both
            signs: zero temperature becomes exact and the entropy cannot be negative. Derivatives hold the subspace fixed.
        accuracy: optionally the error of `ln Z` (the relative error of Z) above which `state.result` says what to raise.
        distribution: `linalg.random_phases`, `linalg.random_sphere` or a function with their arguments.
        key: PRNG key; change it for another sample.
        sharding: optionally how the probe vectors, an array of shape `(probes, dim)`, lie on devices: a `NamedSharding` with
            `P("a")` gives each device probes of its own, with `P(None, "b")` it splits each vector by its leading qubits,
            with `P("a", "b")` both. Random numbers stay the same, and answers up to rounding.

    Raises:
        ValueError: if a number is not whole and positive (`deflation`: not negative), `accuracy` is not positive, or
            `sharding` is none of two axes.
    """

    probes: int = eqx.field(static=True, default=16)
    depth: int = eqx.field(static=True, default=60)
    deflation: int = eqx.field(static=True, default=0)
    accuracy: float | None = eqx.field(static=True, default=None)
    distribution: Callable = eqx.field(static=True, default=random_phases)
    key: Array = eqx.field(default_factory=lambda: jax.random.key(0))
    sharding: NamedSharding | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        whole_number("probes", self.probes)
        whole_number("depth", self.depth)
        whole_number("deflation", self.deflation, least=0)
        if self.accuracy is not None and not self.accuracy > 0:
            raise ValueError(f"`accuracy` must be positive, but is {self.accuracy}.")
        if self.sharding is not None and not (
            isinstance(self.sharding, NamedSharding) and len(self.sharding.spec) <= 2
        ):
            raise ValueError(
                "`sharding` must be a `jax.sharding.NamedSharding` of an array with the axes (probes, dim), but is "
                f"{self.sharding!r}."
            )


def lanczos_spectrum(operator: AbstractOperator, method: Lanczos, *, chosen: bool = False) -> "LanczosSpectrum":
    """Run the process from every probe, after the extreme levels are deflated."""
    checked_layout(method.sharding, operator.dim)
    _check_memory(largest_part(operator.dim, method.sharding), operator.dtype.itemsize, _VECTORS + 2 * method.deflation)
    probes = Probes(method.key, method.probes, method.distribution, method.sharding)
    nodes = _run(jax.lax.stop_gradient(operator), probes, method.depth, method.deflation)
    accuracy = None if method.accuracy is None else jnp.asarray(method.accuracy)
    return LanczosSpectrum(operator, nodes, accuracy, chosen)


def _check_memory(dim: int, itemsize: int, vectors: int) -> None:
    """Refuse what cannot fit, before the compiler does without saying what would."""
    needed, most = vectors * dim * itemsize, _memory()
    if most is not None and needed > most:
        raise ValueError(
            f"Lanczos quadrature in dimension {dim} must have room for {vectors} vectors, {needed / 2**30:.1f} GiB, but this "
            f"device has {most / 2**30:.1f} GiB; use float32 couplings, fewer sites, or a device with more memory."
        )


def _memory() -> int | None:
    """Bytes of a device of this process, or of the machine where that is a CPU; `None` where nobody tells."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"]
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return None


@eqx.filter_jit
def _run(operator, probes: Probes, depth: int, deflation: int) -> Nodes:
    dim = operator.dim
    levels = extreme_levels(operator, min(deflation, dim // 2), jax.random.fold_in(probes.key, 2**31), probes.layout)
    return gauss_nodes(operator, probes, min(depth, dim), levels)


class LanczosSpectrum(AbstractThermalSpectrum):
    """Ritz values and weights of every probe, and the levels deflated."""

    operator: AbstractOperator
    nodes: Nodes
    accuracy: Array | None
    chosen: bool = eqx.field(static=True)

    @property
    def dim(self) -> int:
        """Dimension of the operator."""
        return self.operator.dim

    def _check(self, beta):
        """Refuse infinite `beta` where no levels were deflated; under a trace the answer is NaN."""
        if len(self.nodes.levels.energies) == 0 and is_concrete(beta) and np.isinf(np.asarray(beta)):
            raise ValueError(
                "`beta` must be finite for Lanczos quadrature without deflation, but is infinite; "
                "pass `Lanczos(deflation=4)`, which finds the extreme levels."
            )

    def _s(self, beta):
        """`-beta` in the precision of the nodes; infinite only where levels were deflated."""
        s = -jnp.asarray(beta, self.nodes.values.dtype)
        return s if len(self.nodes.levels.energies) else jnp.where(jnp.isinf(s), jnp.nan, s)

    def _answer(self, function, powers: int, beta):
        self._check(beta)
        return self._of_totals(function, powers, beta)

    @eqx.filter_jit
    def _of_totals(self, function, powers: int, beta):
        """`function(s, reference, moments)` of the totals."""
        s, value = self._moments(powers, beta)
        answer = function(s, reference(jax.lax.stop_gradient(s), self.nodes), value.total())
        return self._cast(smooth_inside(answer, s))

    def _moments(self, powers, beta) -> tuple[Array, Moments]:
        s = self._s(beta)
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

        beta, dtype = -self._s(beta), jnp.finfo(self.operator.dtype).dtype
        return renyi(log_shifted, self.entropy, np.log(self.dim), lowest, beta, order).astype(dtype)

    def expectation(self, beta, observable):
        """`Tr(rho A)` by `<r|e^{-beta H / 2} A e^{-beta H / 2}|r>`; each call runs the recurrence once more."""
        self._check(beta)
        return self._expectation(beta, self._observable(observable))

    @eqx.filter_jit
    def _expectation(self, beta, observable):
        top, bottom = self._pair(beta, observable)
        return self._cast(smooth_inside(top.total() / bottom.total()[0], self._s(beta)))

    def expectation_error(self, beta, observable):
        self._check(beta)
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
        shorter = max(1, self.nodes.depth - max(1, self.nodes.depth // 6))
        nodes = self.nodes.leading(shorter)
        s = self._s(jax.lax.stop_gradient(beta))
        both = [
            _every(s, reference(s, n), moments(3, s, jax.lax.stop_gradient(self.operator), n).total())
            for n in jax.lax.stop_gradient((self.nodes, nodes))
        ]
        ended = jnp.all(jnp.any(nodes.tridiagonal.off_diagonal == 0, axis=1))  # then the smaller space has everything
        return self._cast(jax.tree_util.tree_map(lambda x, y: jnp.where(ended, 0, jnp.abs(x - y)), *both))

    def _cast(self, tree):
        return jax.tree_util.tree_map(lambda x: x.astype(jnp.finfo(self.operator.dtype).dtype), tree)

    def result(self, beta):
        error, systematic = self.standard_error(beta).log_partition, self.systematic_error(beta).log_partition
        rounding = jnp.sqrt(jnp.finfo(self.operator.dtype).eps)
        allowed = jnp.maximum(jnp.nan_to_num(error), rounding) if self.accuracy is None else self.accuracy
        few = jnp.asarray(False) if self.accuracy is None else ~(error <= allowed)
        result = RESULTS.where(few, RESULTS.probes_too_few, RESULTS.optimal)
        return RESULTS.where(systematic <= allowed, result, RESULTS.depth_too_small)

    def explain(self):
        probes, kind = self.nodes.probes, "complex" if jnp.iscomplexobj(self.nodes.levels.vectors) else "real"
        deflated = len(self.nodes.levels.energies)
        why = f" (chosen: above the dimension {2**14} that exact diagonalisation takes)" if self.chosen else ""
        memory = self.dim * self.operator.dtype.itemsize / 2**20
        where = described(probes.layout)
        return (
            f"Lanczos quadrature{why}, dimension {self.dim}: {probes.count} {kind} probes in Krylov spaces of "
            f"{self.nodes.depth}, {deflated} extreme levels summed exactly; {memory:.1f} MiB a vector, 3 vectors a probe{where}; "
            "error: `standard_error` of the sample, `systematic_error` of the Krylov space"
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
