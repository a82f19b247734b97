"""What response functions ask of a state known by random probes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxgibbs._errors import is_concrete
from jaxgibbs.equilibrium import GibbsState
from jaxgibbs.equilibrium.lanczos_spectrum import LanczosSpectrum
from jaxgibbs.linalg.traces import jackknife


def lanczos_state(state: Any) -> LanczosSpectrum:
    """The spectrum behind a state by the Lanczos method.

    Raises:
        ValueError: if it is another.
    """
    spectrum = state.spectrum if isinstance(state, GibbsState) else None
    if not isinstance(spectrum, LanczosSpectrum):
        raise ValueError(
            f"`state` must be a Gibbs state by `method=Lanczos()`, but is of `{type(spectrum or state).__name__}`; of one that "
            "was decomposed ask `spectral_lines`, `spectral_function` or `time_correlation`."
        )
    return spectrum


def checked_s(spectrum: LanczosSpectrum, beta: Float[Array, ""]) -> Float[Array, ""]:
    """`-beta`, infinite only where all ground states are known to have been deflated; NaN else under a trace.

    Raises:
        ValueError: if it is infinite and there may be more of them.
    """
    spectrum.check_beta(beta)
    s = spectrum.s_of(beta)
    unsure = jnp.isinf(s) & ~spectrum.nodes.is_complete(s)
    if is_concrete(unsure) and bool(unsure):
        raise ValueError(
            "`state` must hold all ground states, but there may be more than those deflated; raise `deflation` of its method "
            "until a higher level is among them."
        )
    return jnp.where(unsure, jnp.nan, s)


def is_frozen(beta: Float[Array, ""]) -> bool:
    """Whether the temperature is known to be zero: then probes count for nothing."""
    return is_concrete(beta) and bool(np.isinf(np.asarray(beta)))


def ratio_error(samples: PyTree, partition: Float[Array, " probes"]) -> PyTree:
    """The standard error of `mean of samples / mean of partition`, of complex samples of the modulus; probes come first."""
    parts = jax.tree_util.tree_map(lambda x: jnp.stack([x.real, x.imag], axis=1), samples)
    errors = jackknife(lambda x: jax.tree_util.tree_map(lambda y: y / x[1], x[0]), (parts, partition))
    return jax.tree_util.tree_map(lambda x, y: jnp.sqrt(x[0] ** 2 + x[1] ** 2).astype(y.real.dtype), errors, samples)
