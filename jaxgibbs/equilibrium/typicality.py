"""Canonical thermal pure quantum states: single vectors that look thermal to every local observable.

    |r, beta> = e^{-beta H / 2} |r>,     mean over r of |r, beta><r, beta| = e^{-beta H}.

What one vector of `2^N` numbers misses is of the order of `sqrt(Z(2 beta)) / Z(beta)`, exponentially small in the entropy
(Sugiura & Shimizu, PRL 111, 010401 (2013)). They answer what needs vectors: reduced density matrices, and time evolution.
"""

import functools
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Inexact

from jaxgibbs._errors import is_concrete
from jaxgibbs.linalg import matmul, random_phases
from jaxgibbs.linalg.chebyshev import Bounds, exp_product, needed_order
from jaxgibbs.linalg.traces import jackknife
from jaxgibbs.operators import as_operator
from jaxgibbs.operators.local import whole_number

from .lanczos import Lanczos
from .lanczos_spectrum import lanczos_spectrum
from .methods import AbstractMethod, Auto
from .moments import reference, without_derivatives
from .quadrature import over_probes
from .sampling import bounded
from .sandwich import thermal_vectors
from .state import Scalar, checked_beta

_NO_DERIVATIVES = (
    "Thermal pure states must not be differentiated, but were; take derivatives of `log_partition` with `method=Lanczos()`, "
    "of `hamiltonian - f * observable` in `f` for an expectation value."
)


class ThermalPureStates(eqx.Module):
    """A sample of `|r, beta>`, not normalised: their squared norms are part of the average.

    Attributes:
        beta: inverse temperature.
        vectors: `e^{-beta (H - reference) / 2}|r>`, shape `(probes, dim)`.
        reference: the energy taken off, where the weight is largest, or a bound of the spectrum there.
        truncation: a bound of the norm of what each vector misses; NaN for vectors of Krylov spaces, which have none.
    """

    beta: Scalar
    vectors: Inexact[Array, "probes dim"]
    reference: Scalar
    truncation: Scalar

    @property
    def _norms(self) -> Float[Array, " probes"]:
        return jnp.sum(jnp.abs(self.vectors) ** 2, axis=1)

    @property
    def log_partition(self) -> Scalar:
        """`ln Z`, from the mean squared norm."""
        return jnp.log(jnp.mean(self._norms)) - self.beta * self.reference

    @property
    def log_partition_error(self) -> Scalar:
        """Its standard error, NaN for one vector."""
        return jackknife(jnp.log, self._norms)

    def expectation(self, observable) -> Scalar:
        """`Tr(rho A)` of an operator or a Hermitian matrix."""
        return jnp.mean(self._forms(observable)) / jnp.mean(self._norms)

    def expectation_error(self, observable) -> Scalar:
        """Its standard error, NaN for one vector."""
        return jackknife(lambda x: x[0] / x[1], (self._forms(observable), self._norms))

    def reduced(self, dims: tuple[int, ...], keep: int | tuple[int, ...]) -> Inexact[Array, "kept kept"]:
        """The reduced density matrix of the subsystems `keep`, in the order of the space (0 is the left-most).

        Args:
            dims: dimensions of the subsystems; their product is that of the space.
            keep: those to keep.
        """
        kept = sorted({keep} if isinstance(keep, int) else set(keep))
        if math.prod(dims) != self.vectors.shape[1] or not all(0 <= k < len(dims) for k in kept):
            raise ValueError(
                f"`dims` must multiply to the dimension {self.vectors.shape[1]} and `keep` name some of them, but they are "
                f"{dims} and {keep}."
            )
        rest = [k for k in range(len(dims)) if k not in kept]
        size = math.prod(dims[k] for k in kept)

        def add(total, vector):
            matrix = jnp.transpose(vector.reshape(dims), (*kept, *rest)).reshape(size, -1)
            return total + matmul(matrix, matrix.conj().T), None

        total, _ = jax.lax.scan(add, jnp.zeros((size, size), self.vectors.dtype), self.vectors)
        return total / jnp.sum(self._norms)

    def _forms(self, observable):
        observable = as_operator(observable)
        if observable.dim != self.vectors.shape[1]:
            raise ValueError(
                f"`observable` must have the dimension of the Hamiltonian, {self.vectors.shape[1]}, but has {observable.dim}."
            )
        product = observable.linear_map()
        dtype = jnp.result_type(observable.dtype, self.vectors.dtype)
        return jax.lax.map(lambda v: jnp.vdot(v, product(v.astype(dtype)), precision="highest").real, self.vectors)


class Chebyshev(AbstractMethod):
    """Thermal pure states by Chebyshev polynomials: what they miss is bounded beforehand, for whatever vector.

    The spectrum is bounded by Lanczos steps from a random vector, with the residuals of the extreme values and a margin of 1 %.

    Args:
        probes: number of random vectors.
        order: degree of the polynomial; by default the least whose bound is below rounding, which grows as `sqrt(beta W)` with
            the width `W` of the spectrum. It can be chosen outside `jit` alone.
        distribution: of the random vectors, as for `Lanczos`.
        key: PRNG key; change it for another sample.

    References: Tal-Ezer & Kosloff, J. Chem. Phys. 81, 3967 (1984); Weisse, Wellein, Alvermann & Fehske, RMP 78, 275 (2006).
    """

    probes: int = eqx.field(static=True, default=1)
    order: int | None = eqx.field(static=True, default=None)
    distribution: Callable = eqx.field(static=True, default=random_phases)
    key: Array = eqx.field(default_factory=lambda: jax.random.key(0))

    def __check_init__(self):
        whole_number("probes", self.probes)
        if self.order is not None:
            whole_number("order", self.order)


def thermal_pure_states(hamiltonian, beta: ArrayLike, *, method: AbstractMethod = Auto()) -> ThermalPureStates:
    """Vectors `e^{-beta H / 2}|r>` from random `|r>`, made in their Krylov spaces or by Chebyshev polynomials.

    Args:
        hamiltonian: an operator or a Hermitian matrix.
        beta: inverse temperature, finite, of either sign.
        method: a `Lanczos` says how many vectors, and in which Krylov spaces; `Auto()` makes one. A `Chebyshev` bounds what
            they miss.

    Raises:
        ValueError: if `beta` is infinite, the method is another or deflates, a derivative is asked for, or a degree would have
            to be chosen under a trace.

    Example:
        >>> import jaxgibbs as jg
        >>> state = jg.thermal_pure_states(jg.models.heisenberg_chain(4), 0.0)
        >>> print(round(float(state.log_partition), 4))
        2.7726
    """
    method = Lanczos(probes=1) if isinstance(method, Auto) else method
    if not isinstance(method, Chebyshev) and not (isinstance(method, Lanczos) and not any(method.sizes().deflation)):
        raise ValueError(f"`method` must be a `Lanczos` with `deflation=0` or a `Chebyshev`, but is {method!r}.")
    operator, beta = without_derivatives(_NO_DERIVATIVES, as_operator(hamiltonian), checked_beta(beta))
    if is_concrete(beta) and np.isinf(np.asarray(beta)):
        raise ValueError("`beta` must be finite for thermal pure states, but is infinite; use `gibbs_state`.")
    if isinstance(method, Lanczos):
        return _made(operator, beta, method)
    bounds, _ = bounded(operator, method.key)
    return _expanded(operator, beta, bounds, _order(beta, bounds, method), method)


@eqx.filter_jit
def _made(operator, beta, method) -> ThermalPureStates:
    nodes = lanczos_spectrum(operator, method).nodes
    s = -jnp.asarray(beta, nodes.values.dtype)
    one = functools.partial(thermal_vectors, (0,), s, operator, nodes)
    vectors = over_probes(lambda index: one(index)[0], nodes.probes.count, operator.dim, nodes.probes.layout)
    real = vectors.real.dtype
    return ThermalPureStates(beta.astype(real), vectors, reference(s, nodes).astype(real), jnp.asarray(jnp.nan, real))


def _order(beta, bounds: Bounds, method: Chebyshev) -> int:
    if method.order is not None:
        return method.order
    if not is_concrete(beta, bounds):
        raise ValueError(
            "`order` of `Chebyshev` must be given under a trace, where it cannot be chosen; pass `order=200`."
        )
    half = float(bounds.highest - bounds.lowest) / 2
    return max(needed_order(abs(float(beta)) * half / 2, float(jnp.finfo(bounds.lowest.dtype).eps)), 1)


@eqx.filter_jit
def _expanded(operator, beta, bounds: Bounds, order: int, method: Chebyshev) -> ThermalPureStates:
    product, beta = operator.linear_map(), beta.astype(bounds.lowest.dtype)

    def one(index):
        start = method.distribution(method.key, index, operator.dim, operator.dtype)
        vector, edge, cut = exp_product(product, bounds, -beta / 2, start, order)
        return vector, edge, cut * jnp.linalg.norm(start)

    vectors, edges, cuts = over_probes(one, method.probes, operator.dim)
    return ThermalPureStates(beta, vectors, edges[0], jnp.max(cuts))
