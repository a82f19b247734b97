"""Whether a potential confines a particle, judged from its values far away."""

import math

import jax.numpy as jnp
import numpy as np

from jaxgibbs._errors import ContinuousSpectrum, NotTraceClass, UnboundedBelow, is_concrete


def check_confining(energy, beta, dtype) -> None:
    """Raise unless `V(x) = energy(x)` rises without bound on both sides, and fast enough for a trace.

    `V` is read at distances that double from 2^-20 to 2^60 in its units; what it does between and beyond is not
    seen. Traced values are not looked at.

    Raises:
        UnboundedBelow: if `V` falls without bound.
        ContinuousSpectrum: if `V` does not rise without bound.
        NotTraceClass: if it rises as `g ln |x|` only and `beta <= 1 / g`.
    """
    distances = jnp.asarray(2.0 ** np.arange(-20, 61), dtype)
    sides = {"right": energy(distances), "left": energy(-distances)}
    if not is_concrete(sides, beta):
        return
    for side, values in sides.items():
        if np.all(np.isnan(np.asarray(values))):
            raise ValueError(f"`potential` must be a number, but is NaN everywhere to the {side}.")
        growth = _growth(np.asarray(values, float))
        if growth < 0:
            raise UnboundedBelow(
                f"`potential` must rise without bound on both sides, but falls without bound to the {side}: there is "
                "no ground state and no temperature has a Gibbs state."
            )
        if growth == 0:
            raise ContinuousSpectrum(
                f"`potential` must rise without bound on both sides, but does not to the {side}: the particle escapes "
                "and the spectrum is continuous. (Free particles are bounded below, and still `exp(-beta H)` has no trace.)"
            )
        if float(beta) * growth <= math.log(2):
            raise NotTraceClass(
                f"`beta` must be above `beta_c` = {math.log(2) / growth:g} for a potential that rises logarithmically, "
                f"but is {float(beta):g}: the trace of `exp(-beta H)` is infinite."
            )


def _growth(values: np.ndarray) -> float:
    """What `V` gains at each doubling of a large distance: inf, a finite number (logarithmic), 0, or negative."""
    finite = np.isfinite(values)
    last = len(values) if finite.all() else int(np.argmin(finite))
    if last < len(values) and np.isinf(values[last]):
        return float(values[last])  # it left the range of floating-point numbers: +inf or -inf
    steps = np.diff(values[:last])[-20:]
    if len(steps) < 20 or not (np.all(steps > 0) or np.all(steps < 0)):
        # It oscillates or is flat: unbounded only if the swings grow.
        first, final = (
            np.abs(values[:last]).max(initial=0.0, where=np.arange(last) < last - 10),
            values[last - 10 : last],
        )
        return -math.inf if final.min(initial=0.0) < -100 * (1 + first) else 0.0
    ratio = steps[-1] / steps[0]
    if ratio < 0.5:  # the steps die out: it tends to a constant
        return 0.0
    if steps[-1] < 0:
        return -math.inf
    return float(steps[-1]) if ratio < 1.5 else math.inf
