"""The report on the equivalence of ensembles: its numbers, its verdict, and its text."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._equal_energy import State
from ._inputs import Scalar
from .coexistence import Coexistence
from .entropy_curve import EntropyCurve

_SEEN = 0.05  # nats that a convex part must be deep, above ripples of levels and rounding
_EXTENSIVE = 0.8  # exponent of the size from which a depth counts as extensive; a surface in 3 dimensions has 2/3


class EQUIVALENCE(eqx.Enumeration):
    """How the ensembles compare. `EQUIVALENCE[report.verdict]` is the text."""

    equivalent = (
        "Equivalent: the entropy is concave at all energies, and the ensembles of this energy agree as the size grows."
    )
    elsewhere = (
        "Equivalent at this energy; but at other energies the entropy is convex by an extensive amount, and there the "
        "canonical ensemble has no state."
    )
    inequivalent = (
        "Not equivalent: at this energy the entropy is below its concave hull by an extensive amount. At no temperature does "
        "the canonical ensemble have these states; it mixes two phases instead."
    )
    undecided = (
        "Undecided at these sizes: a convex part of the entropy is seen that does not grow with the size as a whole phase "
        "would (a surface between two phases, or single levels), or the relative entropy still grows. Use larger sizes, or "
        "a width that holds more levels."
    )


class EquivalenceReport(eqx.Module):
    """What `equivalence` found; arrays have one entry a size, entropies and energies are per site.

    Attributes:
        energy: `e`, of both ensembles.
        sizes: numbers of sites.
        widths: `w` of the Gaussian ensembles, in units of energy.
        canonical_betas: inverse temperatures of the canonical states of this energy.
        betas: `ds/de` at given energy.
        canonical_entropies: of the canonical states.
        entropies: of the states of given energy.
        relative_entropies: `D(rho_mic || rho_can) / N = s_can - s_mic`.
        fluctuations: `sqrt(Var H) / N` of the canonical states.
        curvatures: `d^2 s/de^2`, above 0 where the entropy is convex.
        differences: by name of an observable, its value at given energy less the canonical one.
        depths: how far, in nats, the entropy of the whole is below its hull in the convex part of `coexistence`.
        coexistence: Maxwell's construction of the largest size on the convex part at this energy, or else the nearest
            that is 0.05 nats deep; NaN where there is none.
        curve: the entropy of the largest size.
        verdict: how the ensembles compare.
    """

    energy: Scalar
    sizes: tuple[int, ...] = eqx.field(static=True)
    widths: Float[Array, " sizes"]
    canonical_betas: Float[Array, " sizes"]
    betas: Float[Array, " sizes"]
    canonical_entropies: Float[Array, " sizes"]
    entropies: Float[Array, " sizes"]
    relative_entropies: Float[Array, " sizes"]
    fluctuations: Float[Array, " sizes"]
    curvatures: Float[Array, " sizes"]
    differences: dict[str, Float[Array, " sizes"]]
    depths: Float[Array, " sizes"]
    coexistence: Coexistence
    curve: EntropyCurve
    verdict: EQUIVALENCE

    @classmethod
    def of(
        cls,
        energy: float,
        sizes: Sequence[int],
        widths: Sequence[float],
        pairs: Sequence[tuple[State, State]],
        curves: Sequence[EntropyCurve],
        dtype,
    ) -> "EquivalenceReport":
        """From both states and the entropy curve of each size."""
        n, w = np.asarray(sizes, float), np.asarray(widths)
        canonical, given = ([pair[which] for pair in pairs] for which in (0, 1))
        largest = curves[-1]
        coexistence = _nearest(largest.convex_parts(_SEEN), energy * n[-1])
        coexistence = Coexistence(coexistence.beta.astype(dtype), (coexistence.energies / n[-1]).astype(dtype))
        part = np.asarray(coexistence.energies, float)
        depths = np.array([_depth_within(curve, part * size) for curve, size in zip(curves, n, strict=True)])
        relative = np.array([c.entropy - g.entropy for c, g in pairs])
        numbers = {
            "widths": w,
            "canonical_betas": [state.beta for state in canonical],
            "betas": [state.beta for state in given],
            "canonical_entropies": np.array([state.entropy for state in canonical]) / n,
            "entropies": np.array([state.entropy for state in given]) / n,
            "relative_entropies": relative / n,
            "fluctuations": np.sqrt([state.variance for state in canonical]) / n,
            "curvatures": n * (1 / w**2 - 1 / np.array([state.variance for state in given])),
            "depths": depths,
        }
        return cls(
            energy=jnp.asarray(energy, dtype),
            sizes=tuple(sizes),
            differences={
                name: jnp.asarray([g.values[name] - c.values[name] for c, g in pairs], dtype)
                for name in canonical[0].values
            },
            coexistence=coexistence,
            curve=largest,
            verdict=_verdict(energy, n, depths, relative, part),
            **{name: jnp.asarray(values, dtype) for name, values in numbers.items()},
        )

    @property
    def canonical_specific_heats(self) -> Float[Array, " sizes"]:
        """`de/dT = beta^2 Var H / N`."""
        return self.canonical_betas**2 * self.fluctuations**2 * jnp.asarray(self.sizes, self.betas.dtype)

    @property
    def specific_heats(self) -> Float[Array, " sizes"]:
        """`de/dT = -beta^2 / s''(e)` at given energy, below 0 where the entropy is convex."""
        return -(self.betas**2) / self.curvatures

    @property
    def fluctuation_exponent(self) -> Scalar:
        """`a` of `sqrt(Var H) / N ~ N^a`, a straight line through the logarithms: -1/2 where ensembles are equivalent."""
        x = jnp.log(jnp.asarray(self.sizes, self.betas.dtype))
        x = x - jnp.mean(x)
        return jnp.sum(x * jnp.log(self.fluctuations)) / jnp.sum(x**2)

    @property
    def is_equivalent(self) -> bool:
        """Whether the ensembles agree at this energy."""
        return bool(self.verdict == EQUIVALENCE.equivalent) or bool(self.verdict == EQUIVALENCE.elsewhere)

    def __str__(self) -> str:
        columns = {
            "sites": self.sizes,
            "beta can": self.canonical_betas,
            "beta mic": self.betas,
            "s can": self.canonical_entropies,
            "s mic": self.entropies,
            "D(mic|can)/N": self.relative_entropies,
            "sqrt(Var)/N": self.fluctuations,
            "c can": self.canonical_specific_heats,
            "c mic": self.specific_heats,
            **{f"d<{name}>": values for name, values in self.differences.items()},
        }
        wide = [max(12, len(name) + 2) for name in columns]
        lines = [
            f"Ensembles of the energy {float(self.energy):.6g} per site, canonical (can) and Gaussian (mic).",
            f"  {EQUIVALENCE[self.verdict]}",
            "".join(f"{name:>{space}}" for name, space in zip(columns, wide, strict=True)),
        ]
        lines += [
            f"{row[0]:>{wide[0]}}" + "".join(f"{float(x):>{s}.5g}" for x, s in zip(row[1:], wide[1:], strict=True))
            for row in zip(*columns.values(), strict=True)
        ]
        lines.append(f"  fluctuations of the energy per site fall as N^{float(self.fluctuation_exponent):.2f}")
        if not float(self.depths[-1]) > 0:
            return "\n".join([*lines, f"  the entropy is concave at all energies, up to {_SEEN} nats"])
        low, high = (float(e) for e in self.coexistence.energies)
        depths = ", ".join(f"{float(depth):.3g}" for depth in self.depths)
        return "\n".join(
            [
                *lines,
                f"  the entropy is convex between the energies {low:.6g} and {high:.6g}, by {depths} nats",
                f"  Maxwell: beta = {float(self.coexistence.beta):.6g}, latent heat {high - low:.6g} per site",
            ]
        )


def _verdict(energy, n, depths, relative, part) -> EQUIVALENCE:
    if depths[-1] < _SEEN:
        # of equivalent ensembles it stays, as the logarithm of a ratio of widths
        growing = relative[-1] > max(1.0, 1.5 * relative[-2])
        return EQUIVALENCE.undecided if growing else EQUIVALENCE.equivalent
    if _exponent(n, depths) < _EXTENSIVE:
        return EQUIVALENCE.undecided
    return EQUIVALENCE.inequivalent if part[0] < energy < part[1] else EQUIVALENCE.elsewhere


def _exponent(n, depths) -> float:
    if not depths[-2] > 0:
        return np.inf
    return float(np.log(depths[-1] / depths[-2]) / np.log(n[-1] / n[-2]))


def _nearest(parts: list[Coexistence], energy: float) -> Coexistence:
    """The part at an energy, or the nearest."""

    def distance(part):
        low, high = (float(e) for e in part.energies)
        return max(low - energy, energy - high, 0.0)

    return min(parts, key=distance, default=Coexistence(jnp.asarray(jnp.nan), jnp.full(2, jnp.nan)))


def _depth_within(curve, part) -> float:
    energies = np.asarray(curve.energies)
    inside = (energies >= part[0]) & (energies <= part[1])
    return float(np.max(np.asarray(curve.depths()), where=inside, initial=0.0))
