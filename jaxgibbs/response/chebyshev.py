"""Correlations in time and spectra of systems too large to decompose, by Chebyshev polynomials: a few vectors a probe.

    <A(t) B> = mean over r of <psi(t)|A e^{-iHt} B|psi> / Z,      |psi> = e^{-beta H / 2}|r>

Both vectors are carried along in time (Hams & De Raedt 2000; Elsayed & Fine 2013) by polynomials whose error is rounding (Tal-Ezer
& Kosloff 1984). Eigenvectors found by deflation need one vector, and no probes. The spectrum is that of a window in time.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import check_finite, is_concrete
from jaxgibbs._solution import RESULTS, Solution
from jaxgibbs.dynamics.evolve import checked_times
from jaxgibbs.equilibrium import GibbsState
from jaxgibbs.equilibrium.layout import on_every_device
from jaxgibbs.equilibrium.moments import Moments, moments, node_distances, without_derivatives
from jaxgibbs.equilibrium.quadrature import Nodes, over_probes
from jaxgibbs.equilibrium.sampling import bounded, check_memory, peak_vectors
from jaxgibbs.equilibrium.sandwich import thermal_vectors
from jaxgibbs.linalg.chebyshev import Bounds, phase_products
from jaxgibbs.operators.base import inexact

from ._maps import checked_map, map_of
from ._samples import checked_s, is_frozen, lanczos_state, ratio_error
from ._thermal import width

_TOGETHER = 8  # times to which one polynomial leads
_LENGTH = 512  # of polynomials where times are traced
_LONGEST = 2**14
_MOST_TIMES = 2**18
_REACH = 7  # standard deviations of a Gaussian that are kept: what is beyond is 2e-11 of it

_NO_DERIVATIVES = (
    "A correlation by Chebyshev polynomials must not be differentiated, but was; use `time_correlation` of a state by "
    "`method=Exact()`, or finite differences with the same key."
)


def chebyshev_correlation(state: GibbsState, b: Any, times: ArrayLike, a: Any = None) -> Solution:
    """`<A(t) B>` in a system too large to decompose, from products with vectors.

    About `t w` products, `w` the width of the spectrum, and 20 vectors a probe (4 at zero temperature, `beta = inf` with
    `Lanczos(probes=1, deflation=4)`, where only the ground states count).

    Args:
        state: of `method=Lanczos(probes, depth, deflation)`.
        b: `B`, an operator, a matrix, or a linear function of vectors such as `lambda v: x(v) + 1j * y(v)`.
        times: ascending from 0 or later, shape `(times,)`, in 1 / energy. Under a trace eight in a row must not span more than
            1000 over the width of the spectrum; NaN else.
        a: `A`, likewise; `B^dagger` if not given.

    Returns:
        `Solution` of values of shape `(times,)`; `error` is the standard error over probes, 0 at zero temperature, and
        `stats["truncation"]` what polynomials left out, relative to the norms of the vectors.

    Raises:
        ValueError: if `times` do not ascend or lie too far apart, the state is of another method, not all ground states were
            found, a dimension does not fit, or a derivative is asked for.

    Reference: Hams & De Raedt, Phys. Rev. E 62, 4365 (2000); Tal-Ezer & Kosloff, J. Chem. Phys. 81, 3967 (1984).
    """
    times = checked_times(times)
    return _solution(*_run(state, b, a, times), None)


def chebyshev_spectrum(state: GibbsState, b: Any, frequencies: ArrayLike, eta: ArrayLike) -> Solution:
    """`S(w) = int e^{iwt} <B^dagger(t) B> dt` with Gaussians of the standard deviation `eta` in the place of lines.

    A window `e^{-(eta t)^2 / 2}` on `chebyshev_correlation`, cut where it is `2e-11`. Outside `jit`, where the times can be chosen.

    Args:
        state: of `method=Lanczos(probes, depth, deflation)`.
        b: `B`, an operator, a matrix, or a linear function of vectors.
        frequencies: `w`, energies, shape `(frequencies,)`.
        eta: the resolution, an energy, positive; the cost grows as its inverse.

    Returns:
        `Solution` of real values of shape `(frequencies,)`, with errors as those of `chebyshev_correlation`.

    Raises:
        ValueError: if `eta` is not positive, `frequencies` are not real numbers, either is traced, or as there.

    Reference: Weisse, Wellein, Alvermann & Fehske, Rev. Mod. Phys. 78, 275 (2006).
    """
    spectrum = lanczos_state(state)
    real = jnp.finfo(spectrum.operator.dtype).dtype
    eta, frequencies = width(eta, real), inexact(frequencies)
    if frequencies.ndim != 1 or jnp.iscomplexobj(frequencies):
        raise ValueError(
            f"`frequencies` must be a real vector, but have shape {frequencies.shape} and dtype {frequencies.dtype}."
        )
    check_finite("frequencies", frequencies)
    if not is_concrete(eta, frequencies, spectrum.operator, state.beta):
        raise ValueError(
            "`chebyshev_spectrum` must be called outside `jit`, where it can choose its times, but something is traced; "
            "transform `chebyshev_correlation`."
        )
    bounds, _ = bounded(spectrum.operator, spectrum.nodes.probes.key)
    extent = float(bounds.highest - bounds.lowest)
    reach = min(
        float(jnp.max(jnp.abs(frequencies), initial=0)), extent + _REACH * float(eta)
    )  # there is nothing beyond
    step = (
        2 * np.pi / (extent + reach + _REACH * float(eta))
    )  # copies of the spectrum, `2 pi / step` apart, do not meet
    count = int(_REACH / float(eta) / step) + 1
    if count > _MOST_TIMES:
        raise ValueError(
            f"`eta` must be larger, but {float(eta):.3g} asks for {count} times; at most {_MOST_TIMES}, or use `krylov_spectrum`."
        )
    times = step * jnp.arange(count, dtype=real)
    window = 2 * step * jnp.exp(-((eta * times) ** 2) / 2) * jnp.where(times == 0, 0.5, 1)
    transform = window[:, None] * jnp.exp(1j * times[:, None] * frequencies.astype(real))
    return _solution(*_run(state, b, None, times), jnp.where(jnp.abs(frequencies) > reach, 0, transform))


def _solution(of_probes, of_levels, partition: Moments, truncation, transform) -> Solution:
    def read(values):
        return values if transform is None else jnp.matmul(values, transform, precision="highest").real

    of_levels = jnp.sum(read(of_levels), axis=0)
    value = of_levels
    error = jnp.zeros_like(of_levels.real)
    if len(of_probes):
        samples = read(of_probes) + of_levels
        value, error = jnp.mean(samples, axis=0), ratio_error(samples, partition.samples()[:, 0])
    value = (value / partition.total()[0]).astype(value.dtype)
    return Solution(value, error, RESULTS.optimal, {"truncation": truncation})


def _run(state, b, a, times):
    spectrum = lanczos_state(state)
    operator, nodes, beta = spectrum.operator, spectrum.nodes, state.beta
    b = checked_map("b", b, operator.dim, operator.dtype)
    a = None if a is None else checked_map("a", a, operator.dim, operator.dtype)
    s = checked_s(spectrum, jax.lax.stop_gradient(beta))
    operator, nodes, _, b, a, times = without_derivatives(_NO_DERIVATIVES, operator, nodes, beta, b, a, times)
    frozen = is_frozen(state.beta)
    vectors = 2 * _TOGETHER + 4  # complex ones, of which each is two real ones
    check_memory(operator, spectrum.asked, peak_vectors(len(nodes.levels.energies)) + (0 if frozen else 2 * vectors))
    bounds, _ = bounded(operator, nodes.probes.key)
    times = times.astype(jnp.finfo(operator.dtype).dtype)
    return _evolved(s, operator, nodes, b, a, times, bounds, _length(bounds, times), frozen)


def _length(bounds: Bounds, times) -> int:
    """Of polynomials long enough for the longest group of times."""
    if not is_concrete(bounds, times):
        return _LENGTH
    groups = np.append(0.0, np.asarray(_grouped(times))[:, -1])
    longest = float(np.max(np.diff(groups)) * (bounds.highest - bounds.lowest)) / 2
    length = 2 ** int(np.ceil(np.log2(longest + 10 * longest ** (1 / 3) + 30)))
    if length > _LONGEST:
        raise ValueError(
            f"`times` must lie closer, but {_TOGETHER} of them span {2 * longest:.2g} over the width of the spectrum; "
            "ask for more in between."
        )
    return length


def _grouped(times: Float[Array, " times"]) -> Float[Array, "groups together"]:
    return jnp.pad(times, (0, -times.size % _TOGETHER), mode="edge").reshape(-1, _TOGETHER)


@eqx.filter_jit
def _evolved(s, operator, nodes: Nodes, b, a, times, bounds: Bounds, length: int, frozen: bool):
    """`<A(t) B>` of each probe and of each level, not normalised, what normalises them, and the error of the polynomials."""
    scale, (of_levels, _), _ = node_distances(s, nodes)
    levels, real = nodes.levels, times.dtype
    complex_dtype = jnp.result_type(real, jnp.complex64)
    apply, product = map_of(b), map_of(operator)
    groups = _grouped(times)
    centre = ((bounds.highest + bounds.lowest) / 2).astype(real)

    def seen(left, right):
        """`<left|A|right>`."""
        if a is None:
            return jnp.vdot(apply(left), right, precision="highest")
        return jnp.vdot(left, map_of(a)(right), precision="highest")

    def march(vectors, read):
        """What is read of the vectors at all times."""

        def group(carry, now):
            vectors, before, error = carry
            moved, more = phase_products(product, bounds, vectors, now - before, length)
            return (moved[-1], now[-1], error + more), jax.lax.map(read, moved)

        start = (vectors.astype(complex_dtype), jnp.zeros((), real), jnp.zeros((), real))
        (_, _, error), values = jax.lax.scan(group, start, groups)
        return jnp.where(error < 1, values.ravel()[: times.size], jnp.nan), error

    def after(state):
        (image,) = without_derivatives(_NO_DERIVATIVES, apply(state))
        return image

    def of_level(now):
        energy, vector, weight = now
        left = vector.astype(complex_dtype)
        values, error = march(after(vector)[None, :], lambda moved: seen(left, moved[0]))
        return weight * values * jnp.exp(1j * (energy - centre) * times), error

    def of_probe(index):
        state = thermal_vectors((0,), s, operator, nodes, index)[0]
        both = jnp.stack(jnp.broadcast_arrays(state.astype(complex_dtype), after(state).astype(complex_dtype)))
        values, error = march(both, lambda moved: seen(moved[0], moved[1]))
        return values, 2 * error

    weights = (levels.converged * jnp.exp(scale * of_levels)).astype(real)
    level_values, level_errors = jax.lax.map(of_level, (levels.energies.astype(real), levels.vectors, weights))
    if frozen:
        values, errors = level_values[:0], level_errors[:0]
    else:
        room, layout = operator.dim * 4 * _TOGETHER, nodes.probes.layout
        values, errors = on_every_device(over_probes(of_probe, nodes.probes.count, room, layout), layout)
    truncation = jnp.max(jnp.concatenate([errors, level_errors]), initial=0)
    return values, level_values, moments(1, s, None, nodes), truncation
