"""Do the canonical ensemble and that of given energy agree? All diagnostics, for one system at several sizes."""

import itertools
from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from jaxgibbs._errors import is_concrete
from jaxgibbs.linalg import decompose, matmul
from jaxgibbs.operators import AbstractOperator, Spectrum, as_operator

from ._equal_energy import Levels, at_equal_energy
from ._inputs import finite_operator, levels_of
from .entropy_curve import entropy_curve
from .equivalence_report import EquivalenceReport

_POINTS = 513


def equivalence(
    hamiltonians: Sequence,
    sizes: Sequence[int],
    energy: ArrayLike,
    *,
    width: ArrayLike | None = None,
    observables: Mapping[str, Sequence] | None = None,
) -> EquivalenceReport:
    """Compare the ensembles `rho ~ exp(-beta H)` and `rho ~ exp(-(H - E)^2 / 2 w^2)` of the same mean energy `N e`.

    Where they are equivalent, temperatures and expectation values agree up to `O(1 / N)`, the relative entropy
    `D(rho_mic || rho_can) = S_can - S_mic` is no extensive number, and fluctuations of the energy per site fall as
    `1 / sqrt(N)`. Where `s(e)` is below its concave hull, none of these holds. Outside `jit`; the text is `str(report)`.

    Args:
        hamiltonians: of one system at ascending sizes: operators, Hermitian matrices, or spectra with degeneracies.
        sizes: their numbers of sites `N`, at least two.
        energy: `e`, per site, between the least and the largest level of each.
        width: `w > 0` of each size, in units of energy; `0.2 (E_max - E_min) / sqrt(N)` by default.
        observables: by name, one for each size: operators or matrices, for a `Spectrum` one value a level.

    Raises:
        ValueError: if the sizes do not fit or ascend, an energy is outside a spectrum, a width is not positive, an
            observable does not fit, or anything is traced.

    References: Touchette, J. Stat. Phys. 159, 987 (2015); Challa and Hetherington, Phys. Rev. Lett. 60, 77 (1988).
    """
    operators, sizes, energy = _checked(hamiltonians, sizes, energy)
    named = {name: list(given) for name, given in (observables or {}).items()}
    for name, given in named.items():
        if len(given) != len(sizes):
            raise ValueError(
                f"`observables` must hold one of `{name}` for each of the {len(sizes)} sizes, not {len(given)}."
            )
    known = [
        _levels(operator, {name: given[k] for name, given in named.items()}) for k, operator in enumerate(operators)
    ]
    for size, levels in zip(sizes, known, strict=True):
        low, high = levels.energies.min() / size, levels.energies.max() / size
        if not low < energy < high:
            raise ValueError(
                f"`energy` must be between the least and the largest level per site, {low:.6g} and {high:.6g} of "
                f"{size} sites, but is {energy:.6g}; divide by the number of sites if it is that of the whole."
            )
    widths = _widths(width, sizes, known)
    pairs = [at_equal_energy(levels, size * energy, w) for levels, size, w in zip(known, sizes, widths, strict=True)]
    curves = [
        entropy_curve(Spectrum(levels.energies, levels.logs), w, points=_POINTS)
        for levels, w in zip(known, widths, strict=True)
    ]
    dtype = jnp.finfo(operators[-1].dtype).dtype
    return EquivalenceReport.of(energy, sizes, widths, pairs, curves, dtype)


def _checked(hamiltonians, sizes, energy):
    if not is_concrete(hamiltonians, energy):
        raise ValueError(
            "A report needs known values, but a Hamiltonian or `energy` is traced; call it outside `jit`, and "
            "differentiate `gaussian_state` and `entropy_curve`."
        )
    operators, sizes = [finite_operator(given) for given in hamiltonians], [int(size) for size in sizes]
    if len(operators) != len(sizes) or len(sizes) < 2:
        raise ValueError(
            f"`sizes` must hold the number of sites of each Hamiltonian, of two at least, but has {len(sizes)} for "
            f"{len(operators)}; how things change with the size is what decides."
        )
    if sizes[0] < 1 or any(b <= a for a, b in itertools.pairwise(sizes)):
        raise ValueError(f"`sizes` must be positive and ascend, but are {sizes}; sort the Hamiltonians by size.")
    if np.ndim(energy) != 0 or not np.isfinite(np.asarray(energy)):
        raise ValueError(f"`energy` must be a finite number, but is {energy}; report on one energy per site at a time.")
    return operators, sizes, float(np.asarray(energy))


def _widths(width, sizes, known):
    if width is None:
        return [0.2 * float(np.ptp(levels.energies)) / size**0.5 for size, levels in zip(sizes, known, strict=True)]
    widths = np.broadcast_to(np.asarray(width, float), (len(sizes),)) if np.ndim(width) < 2 else np.zeros(0)
    if not (np.all(np.isfinite(widths)) and np.all(widths > 0) and widths.size):
        raise ValueError(
            f"`width` must be positive, one number or one for each size, but is {width}; it should hold several levels "
            "and be well below the width of the canonical distribution."
        )
    return [float(w) for w in widths]


def _levels(operator: AbstractOperator, observables: Mapping) -> Levels:
    """Levels, logarithms of degeneracies, and the expectation value of each observable in each level."""
    if isinstance(operator, Spectrum) or not observables:
        energies, logs = levels_of(operator)
        values = {name: _one_a_level(name, given, energies.shape) for name, given in observables.items()}
        return Levels(np.asarray(energies, float), np.asarray(logs, float), values)
    decomposition = decompose(operator.to_dense())
    values = {}
    for name, given in observables.items():
        matrix = as_operator(given).to_dense()
        if matrix.shape != decomposition.matrix.shape:
            raise ValueError(
                f"`observables` must have the shapes of the Hamiltonians, but `{name}` has {matrix.shape} beside "
                f"{decomposition.matrix.shape}."
            )
        vectors = decomposition.vectors
        values[name] = np.asarray(jnp.sum(vectors.conj() * matmul(matrix, vectors), axis=0).real, float)
    return Levels(np.asarray(decomposition.eigenvalues, float), np.zeros(operator.dim), values)


def _one_a_level(name, given, shape):
    values = np.asarray(given.levels if isinstance(given, Spectrum) else given)
    if values.shape != shape:
        raise ValueError(
            f"`observables` must give one value a level of a `Spectrum`, shape {shape}, but `{name}` has {values.shape}."
        )
    return values.astype(float)
