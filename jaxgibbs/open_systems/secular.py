"""What a Davies generator is checked for: thermal rates, and whether the secular approximation can hold."""

import warnings

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float


def breaks_kms(
    rates: Float[Array | np.ndarray, "dim dim"],
    frequencies: Float[Array | np.ndarray, "dim dim"],
    beta: Float[Array | np.ndarray, ""],
) -> Bool[Array | np.ndarray, "dim dim"]:
    """Whether `gamma(-w) = e^{-beta w} gamma(w)` fails by more than `sqrt(eps)` of the larger rate; `w_ji = -w_ij`."""
    xp = np if isinstance(rates, np.ndarray) else jnp
    exponent = xp.where(frequencies == 0, 0, beta * xp.where(frequencies == 0, 1, frequencies))
    backward = rates.T
    defect = xp.abs(backward - xp.exp(-xp.maximum(exponent, 0)) * rates)
    bad = (exponent >= 0) & ~(defect <= float(np.finfo(rates.dtype).eps) ** 0.5 * xp.maximum(rates, backward))
    return bad | bad.T


def check_secular(generator, driven: np.ndarray, strengths: np.ndarray, tolerance: float) -> None:
    """Raise for rates that no thermal bath has, and warn of clusters that are wide, or close on the scale of the rates.

    Args:
        generator: a `Davies` with values.
        driven: for each coupling, the transitions that it drives, shape `(count, dim, dim)`.
        strengths: `|A_ij|^2` of each coupling.
        tolerance: of the clustering.
    """
    levels = np.asarray(generator.levels)
    clusters = np.asarray(generator.clusters)
    frequencies = _means(levels, clusters, np.any(driven, axis=0))
    fastest = 0.0
    for number, bath in enumerate(generator.reservoirs):
        rates = np.asarray(_rate(bath, frequencies))
        used = driven[number]
        if not np.all(np.isfinite(rates[used])):
            bath.rate(frequencies[used])  # raises where the bath itself knows what is wrong
        _check_rates(number, rates, frequencies, used)
        rates = np.where(used, rates, 0)  # others may be infinite, or have no value
        if np.any(breaks_kms(rates, frequencies, np.asarray(bath.beta))):
            raise ValueError(
                f"The bath of coupling {number} must obey the KMS condition `rate(-w) = exp(-beta w) rate(w)`, but does not at "
                "the Bohr frequencies of the Hamiltonian; rates that are not thermal are for `Lindbladian`."
            )
        fastest = max(fastest, float(np.max(rates * strengths[number])))
    _warn_of_width(levels, clusters, np.any(driven, axis=0), tolerance)
    closest = min((_closest(clusters, frequencies, used) for used in driven), default=np.inf)
    if closest < fastest:
        warnings.warn(
            f"The largest rate, {fastest:.3g}, is above the smallest distance of Bohr frequencies of one coupling, {closest:.3g}: "
            "the secular approximation is doubtful. Weaken the coupling, raise `tolerance` to make one cluster of them, or use "
            "`chen_kastoryano_gilyen`, which does without it.",
            stacklevel=4,
        )


@eqx.filter_jit
def _rate(bath, frequencies):
    return bath.rate(frequencies)


def _means(levels: np.ndarray, clusters: np.ndarray, driven: np.ndarray) -> np.ndarray:
    """What `cluster_frequencies` says, of values: a program would be compiled for this alone."""
    _, members = np.unique(clusters, return_inverse=True)
    members = members.reshape(clusters.shape)

    def total(values):
        return np.bincount(members.ravel(), values.ravel().astype(float))[members]

    weights = np.where(total(driven) > 0, driven, True)
    means = total(weights * (levels[None, :] - levels[:, None])) / total(weights)
    return np.where(clusters == 0, 0, (means - means.T) / 2).astype(levels.dtype)


def _check_rates(number: int, rates: np.ndarray, frequencies: np.ndarray, used: np.ndarray) -> None:
    bad = used & ~((rates >= 0) & np.isfinite(rates))
    if np.any(bad):
        raise ValueError(
            f"The bath of coupling {number} must have finite rates of at least 0, but has {rates[bad][0]:.3g} at the frequency "
            f"{frequencies[bad][0]:.3g}."
        )


def _warn_of_width(levels, clusters, driven, tolerance: float) -> None:
    members = driven | (clusters == 0)
    differences = levels[None, :] - levels[:, None]
    spread: dict[int, tuple[float, float]] = {}
    for number, w in zip(clusters[members].tolist(), differences[members].tolist(), strict=True):
        low, high = spread.get(number, (w, w))
        spread[number] = min(low, w), max(high, w)
    widest = max(high - low for low, high in spread.values())
    if widest > 10 * tolerance and widest > 64 * np.finfo(levels.dtype).eps * np.max(np.abs(levels)):
        warnings.warn(
            f"A cluster of Bohr frequencies is {widest:.3g} wide, more than 10 times the tolerance {tolerance:.3g}: they form a "
            "chain. The secular approximation is doubtful; `chen_kastoryano_gilyen` does without it.",
            stacklevel=5,
        )


def _closest(clusters, frequencies, used) -> float:
    """The smallest distance between clusters that one coupling drives."""
    first = np.unique(clusters[used], return_index=True)[1]
    ordered = np.sort(frequencies[used][first])
    return float(np.min(np.diff(ordered), initial=np.inf))
