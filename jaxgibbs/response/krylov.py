"""Spectra of systems too large to decompose: Krylov spaces before and after an operator acts, and continued fractions.

For a thermal vector `|psi> = e^{-beta H / 2}|r>` of a random probe, or an eigenvector found by deflation,

    <psi|e^{iHt} A e^{-iHt} B|psi> = sum_i conj(<y_i|psi>) e^{i e_i t} <y_i|A e^{-iHt} B|psi>

with Ritz pairs `e_i, y_i` of the Krylov space of `|r>`. The last factor is read off that of `B|psi>`: from an eigenvector, with
`A = B^dagger`, it is the continued fraction of Haydock (1980) and of Gagliano & Balseiro (1987); from probes the method of Jaklic &
Prelovsek in the symmetric form of Aichhorn et al. Moments of low order are exact, up to twice the depth from an eigenvector.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxgibbs.equilibrium import GibbsState
from jaxgibbs.equilibrium.layout import on_every_device
from jaxgibbs.equilibrium.moments import Moments, moments, node_distances, without_derivatives
from jaxgibbs.equilibrium.quadrature import Nodes, over_probes, restricted
from jaxgibbs.equilibrium.sampling import check_memory, peak_vectors
from jaxgibbs.linalg import matmul
from jaxgibbs.linalg.lanczos import Tridiagonal, lanczos_basis, lanczos_overlaps, ritz
from jaxgibbs.operators.local import whole_number

from ._maps import adjoint_map, checked_map, map_of
from ._samples import checked_s, is_frozen, lanczos_state, ratio_error
from .lines import SpectralLines

Reading = Callable[[SpectralLines], PyTree]

_NO_DERIVATIVES = (
    "The spectrum of a Krylov space must not be differentiated, but was; use `spectral_function` of a state by "
    "`method=Exact()`, or finite differences with the same key."
)


class KrylovSpectrum(eqx.Module):
    """Lines that stand for `S_AB(w)` as Gauss's nodes stand for an integral, with their errors.

    Single lines mean nothing where they lie close: what is read off them at a resolution does. A reading is any function of
    the lines that is linear in their weights, such as `lambda lines: lines.broadened(w, eta)` or `lambda lines: lines.moment(1)`.
    Eigenvectors found by deflation are right to `sqrt(eps)` of the width of the spectrum, which no error here counts.

    Attributes:
        probes: lines of each probe, not normalised, shape `(probes, lines)`.
        levels: of each eigenvector, likewise.
        shorter: both, in Krylov spaces smaller by a sixth.
        partition: what normalises them.
    """

    probes: SpectralLines
    levels: SpectralLines
    shorter: tuple[SpectralLines, SpectralLines]
    partition: Moments

    @property
    def lines(self) -> SpectralLines:
        """All lines, of weights as those of `spectral_lines`."""
        return self._joined(self.probes, self.levels)

    def standard_error(self, reading: Reading) -> PyTree:
        """Of `reading(spectrum.lines)`, by the jackknife over probes; 0 without probes, at zero temperature, NaN for one."""
        of_levels = _summed(reading, self.levels)
        if len(self.probes.weights) == 0:
            return jax.tree_util.tree_map(lambda x: jnp.zeros_like(x.real), of_levels)
        samples = jax.tree_util.tree_map(jnp.add, jax.vmap(reading)(self.probes), of_levels)
        return ratio_error(samples, self.partition.samples()[:, 0])

    def systematic_error(self, reading: Reading) -> PyTree:
        """How much `reading(spectrum.lines)` changes when the Krylov spaces are smaller by a sixth."""
        return jax.tree_util.tree_map(
            lambda x, y: jnp.abs(x - y), reading(self.lines), reading(self._joined(*self.shorter))
        )

    def _joined(self, probes: SpectralLines, levels: SpectralLines) -> SpectralLines:
        count, total = max(len(probes.weights), 1), self.partition.total()[0]
        positions = jnp.concatenate([levels.positions.ravel(), probes.positions.ravel()])
        weights = jnp.concatenate([levels.weights.ravel(), probes.weights.ravel() / count])
        return SpectralLines(positions, (weights / total).astype(weights.dtype))


def _summed(reading: Reading, lines: SpectralLines) -> PyTree:
    """The sum of the readings of a stack."""
    if len(lines.weights) == 0:
        lines = SpectralLines(jnp.zeros((1, 1), lines.positions.dtype), jnp.zeros((1, 1), lines.weights.dtype))
    return jax.tree_util.tree_map(lambda x: jnp.sum(x, axis=0), jax.vmap(reading)(lines))


def krylov_spectrum(state: GibbsState, b: Any, a: Any = None, *, depth: int | None = None) -> KrylovSpectrum:
    """The spectrum `S_AB(w) = int e^{iwt} <A(t) B> dt` of a system too large to decompose, from products with vectors.

    The resolution is about the width of the spectrum divided by the depth; `systematic_error` says what it does to a reading.
    Zero temperature is `beta = inf` with `Lanczos(probes=1, deflation=4)`: then only the ground states count, a few vectors are
    all the memory, and errors are those of the continued fraction alone. From probes, twice `depth` vectors are kept.

    Args:
        state: of `method=Lanczos(probes, depth, deflation)`; its depth is that of the Krylov spaces before `B` acts.
        b: `B`, an operator, a matrix, or a linear function of vectors such as `lambda v: x(v) + 1j * y(v)`.
        a: `A`, likewise; `B^dagger` if not given, and the weights are then real.
        depth: of the Krylov spaces after `B` has acted; that of the state if not given.

    Raises:
        ValueError: if the state is of another method, not all ground states were found, a dimension does not fit, or a
            derivative is asked for.

    Example:
        >>> import jax.numpy as jnp
        >>> import jaxgibbs as jg
        >>> state = jg.gibbs_state(jg.models.heisenberg_ring(4), jnp.inf, method=jg.Lanczos(probes=1, depth=16, deflation=2))
        >>> spectrum = jg.response.krylov_spectrum(state, jg.models.heisenberg_ring(4, 0.0, [1.0, -1.0, 1.0, -1.0]))
        >>> print(round(float(spectrum.lines.moment(1) / spectrum.lines.moment(0)), 6))
        1.0

    Reference: Jaklic & Prelovsek, Phys. Rev. B 49, 5065 (1994); Aichhorn, Daghofer, Evertz & von der Linden, PRB 67, 161103 (2003).
    """
    spectrum = lanczos_state(state)
    operator, nodes, beta = spectrum.operator, spectrum.nodes, state.beta
    depth = min(nodes.depth if depth is None else whole_number("depth", depth), operator.dim)
    b = checked_map("b", b, operator.dim, operator.dtype)
    a = None if a is None else checked_map("a", a, operator.dim, operator.dtype)
    s = checked_s(spectrum, jax.lax.stop_gradient(beta))
    operator, nodes, _, b, a = without_derivatives(_NO_DERIVATIVES, operator, nodes, beta, b, a)
    frozen = is_frozen(state.beta)
    if not frozen:
        check_memory(operator, spectrum.asked, peak_vectors(len(nodes.levels.energies)) + 2 * nodes.depth)
    return _spectrum(s, operator, nodes, b, a, depth, frozen)


@eqx.filter_jit
def _spectrum(s, operator, nodes: Nodes, b, a, depth: int, frozen: bool) -> KrylovSpectrum:
    scale, (of_levels, _), reference = node_distances(s, nodes)
    levels, real = nodes.levels, jnp.finfo(operator.dtype).dtype
    scale, reference = scale.astype(real), reference.astype(real)
    apply, product = map_of(b), map_of(operator)

    def after(state, rows):
        """The Krylov space after `B` has acted on `state`, and `<row|A|v>` for its vectors."""
        (image,) = without_derivatives(_NO_DERIVATIVES, apply(state))
        left = apply if a is None else adjoint_map(a, image)
        rows = jax.lax.map(lambda row: left(row if a is None else row.astype(image.dtype)), rows)
        dtype = jnp.result_type(operator.dtype, image, rows)
        return lanczos_overlaps(product, image.astype(dtype), rows.astype(dtype), depth)

    def lines(energies, amplitudes, overlaps, right: Tridiagonal):
        values, vectors = ritz(right)
        weights = matmul(overlaps, vectors.astype(overlaps.dtype)) * (right.norm * vectors[0])
        weights = 2 * jnp.pi * amplitudes[:, None] * (weights if a is not None else weights.real)
        return SpectralLines((values - energies[:, None]).ravel(), weights.ravel())

    def of_level(now):
        energy, vector, weight = now
        right, overlaps = after(vector, vector[None, :])
        return [lines(energy[None], weight[None], overlaps, part) for part in (right, _shorter(right))]

    def thermal(left: Tridiagonal):
        energies, vectors = ritz(left)
        exponents = jnp.minimum(scale * (energies - reference), 0)
        return energies, left.norm * vectors[0] * jnp.exp(exponents / 2), vectors

    def of_probe(index):
        left, basis = lanczos_basis(*restricted(operator, nodes.probes, levels, index), nodes.depth)
        _, amplitudes, vectors = thermal(left)
        right, overlaps = after(matmul(matmul(vectors, amplitudes).astype(basis.dtype), basis), basis)
        answers = []
        for before, behind in ((left, right), (_shorter(left), _shorter(right))):
            energies, amplitudes, vectors = thermal(before)
            seen = matmul(vectors.T.astype(overlaps.dtype), overlaps)
            answers.append(lines(energies, amplitudes, seen, behind))
        return answers

    weights = (levels.converged * jnp.exp(jnp.asarray(scale * of_levels, real))).astype(real)
    whole, shorter = jax.lax.map(of_level, (levels.energies.astype(real), levels.vectors, weights))
    if frozen:
        of_probes = jax.tree_util.tree_map(lambda x: x[:0], (whole, shorter))
    else:
        layout = nodes.probes.layout
        of_probes = over_probes(of_probe, nodes.probes.count, operator.dim * 2 * nodes.depth, layout)
        of_probes = on_every_device(of_probes, layout)
    return KrylovSpectrum(of_probes[0], whole, (of_probes[1], shorter), moments(1, s, None, nodes))


def _shorter(tridiagonal: Tridiagonal) -> Tridiagonal:
    """Of a space smaller by a sixth, the rest decoupled from it; the same where the space is invariant."""
    depth = tridiagonal.diagonal.size
    kept = max(1, depth - max(1, depth // 6))
    cut = jnp.all(tridiagonal.off_diagonal > 0)
    outside = cut & (jnp.arange(depth) >= kept)
    diagonal = jnp.where(outside, tridiagonal.diagonal[0], tridiagonal.diagonal)
    off_diagonal = jnp.where(outside | (cut & (jnp.arange(depth) == kept - 1)), 0, tridiagonal.off_diagonal)
    return Tridiagonal(diagonal, off_diagonal, tridiagonal.norm)
