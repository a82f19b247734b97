"""The derivative of `ln Z` in every coupling as a thermal average, sampled by thermal pure states."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from jaxgibbs._errors import is_concrete
from jaxgibbs._solution import Solution
from jaxgibbs.linalg.traces import jackknife
from jaxgibbs.operators import as_operator

from .lanczos import Lanczos
from .lanczos_spectrum import LanczosSpectrum, lanczos_spectrum
from .layout import on_every_device
from .methods import AbstractMethod, Auto
from .moments import node_distances, without_derivatives
from .quadrature import over_probes
from .sandwich import thermal_vectors
from .state import checked_beta

_NO_DERIVATIVES = (
    "`thermal_gradient` must not be differentiated, but was; take derivatives of `log_partition` with `method=Lanczos()`, "
    "whose gradient is that of the estimate."
)


def thermal_gradient(hamiltonian, beta: ArrayLike, *, method: AbstractMethod = Auto()) -> Solution:
    """`d ln Z / d theta_k = -beta <T_k>` for every coupling, by `<r|e^{-beta H / 2} T_k e^{-beta H / 2}|r>`.

    The means of numerator and denominator are those of the exact gradient. It is not the derivative of the estimate of
    `ln Z` on the same probes, which is `jax.grad(log_partition)` with the same method: in an optimisation take that one, for
    the gradient of the true `ln Z` with an error bar this one.

    Args:
        hamiltonian: an operator whose leaves, the couplings, are real.
        beta: inverse temperature, finite, of either sign.
        method: a `Lanczos`, for its probes and Krylov spaces; `Auto()` takes its defaults.

    Returns:
        `Solution` whose `value` is shaped like the Hamiltonian, as is its `error`, the standard error by the jackknife over
        probes (NaN for one); `result` as of the state.

    Raises:
        ValueError: if `beta` is infinite, a leaf is complex, the method is another, or a derivative is asked for.

    Reference:
        Sugiura & Shimizu, PRL 111, 010401 (2013).
    """
    operator, beta = without_derivatives(_NO_DERIVATIVES, as_operator(hamiltonian), checked_beta(beta))
    method = Lanczos() if isinstance(method, Auto) else method
    if not isinstance(method, Lanczos):
        raise ValueError(f"`method` must be a `Lanczos`, but is {method!r}.")
    if is_concrete(beta) and np.isinf(np.asarray(beta)):
        raise ValueError("`beta` must be finite for `thermal_gradient`, but is infinite; use `gibbs_state`.")
    if any(jnp.iscomplexobj(leaf) for leaf in jax.tree_util.tree_leaves(operator)):
        raise ValueError("`hamiltonian` must have real leaves, but one is complex; name its terms in a `TermSum`.")
    spectrum = lanczos_spectrum(operator, method).grown(beta)
    beta = jnp.asarray(beta)
    value, error = _sampled(spectrum, beta)
    return Solution(value, error, spectrum.result(beta), {})


@eqx.filter_jit
def _sampled(spectrum: LanczosSpectrum, beta):
    operator, nodes = spectrum.operator, spectrum.nodes
    beta = beta.astype(nodes.values.dtype)
    real = jnp.finfo(operator.dtype).dtype

    def slopes(vector):
        """`<v|T_k|v>` for every coupling, and `<v|v>`."""

        def form(operator):
            return jnp.vdot(vector, operator.linear_map()(vector), precision="highest").real

        return jax.grad(form)(operator), jnp.vdot(vector, vector, precision="highest").real

    def one(index):
        return slopes(thermal_vectors((0,), -beta, operator, nodes, index)[0])

    layout = nodes.probes.layout
    samples = on_every_device(over_probes(one, nodes.probes.count, operator.dim, layout), layout)
    if len(nodes.levels.energies):
        scale, (of_levels, _), _ = node_distances(-beta, nodes)
        weights = (nodes.levels.converged * jnp.exp(scale * of_levels)).astype(real)
        exactly = jax.lax.map(slopes, nodes.levels.vectors)
        samples = jax.tree_util.tree_map(lambda x, y: x + jnp.tensordot(weights, y, 1), samples, exactly)

    def gradient(means):
        slope, norm = means
        return jax.tree_util.tree_map(lambda x: (-beta.astype(real) * x / norm).astype(x.dtype), slope)

    means = jax.tree_util.tree_map(lambda x: jnp.mean(x, axis=0), samples)
    return gradient(means), jackknife(gradient, samples)
