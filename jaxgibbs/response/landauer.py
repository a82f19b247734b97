"""Free particles through a quadratic system between leads: transmission, and exact currents far from equilibrium."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxgibbs._errors import is_concrete, nan_unless
from jaxgibbs.linalg import dagger, eigh, eigvalsh, matmul
from jaxgibbs.linalg.general import eig, lu_factor, lu_solve
from jaxgibbs.linalg.levels import degeneracy_tolerance
from jaxgibbs.operators.base import inexact, real_scalar
from jaxgibbs.operators.dense import checked_matrix, hermitian_or_nan

_POINTS = 20  # of Gauss and Legendre, an interval
_AROUND_MU = np.array([0.0, 4.0, 12.0, 37.0])  # in units of T: beyond, e^-37 is rounding
_ROUNDING = 64  # times eps: an eigenvalue of a positive matrix may be that far below 0
_STEPS = (
    20  # geometric, from the width of a resonance to that of the window: at most fourfold for 12 orders of magnitude
)


class LandauerCurrents(eqx.Module):
    """What flows from each lead into the system, per unit of time.

    Attributes:
        particle: `J_N`.
        energy: `J_E`.
        heat: `J_E - mu J_N`.
    """

    particle: Float[Array, " leads"]
    energy: Float[Array, " leads"]
    heat: Float[Array, " leads"]


def transmission(hamiltonian: Any, couplings: ArrayLike, energy: ArrayLike) -> Float[Array, "leads leads"]:
    """`T_ab(E) = Tr[G_a G(E) G_b G(E)^dagger]` between leads without structure, `G(E) = (E - h + i sum_a G_a / 2)^-1`.

    Eigenstates of `h` that no lead reaches, to rounding, are left out: they carry nothing, also where `E` is their level and
    `G(E)` does not exist, and derivatives there are those of the other states.

    Args:
        hamiltonian: `h` of `sum_ij h_ij c_i^dagger c_j`, Hermitian, shape `(dim, dim)`, an energy.
        couplings: `G_a`, one Hermitian positive semidefinite matrix of rates for each lead, shape `(leads, dim, dim)`.
        energy: `E`; many by `jax.vmap`.

    Returns:
        A number of open channels; its diagonal is what returns to each lead without the direct reflection.

    Raises:
        ValueError: if a matrix is not Hermitian (NaN under a trace), or shapes differ.

    Reference: Caroli, Combescot, Nozieres & Saint-James, J. Phys. C 4, 916 (1971); Meir & Wingreen, PRL 68, 2512 (1992).
    """
    h, couplings = _checked(hamiltonian, couplings)
    return _transmission(h, couplings, _unreached(h, couplings), real_scalar("energy", energy, h.real.dtype))


def landauer(hamiltonian: Any, couplings: ArrayLike, betas: ArrayLike, mus: ArrayLike) -> LandauerCurrents:
    """Stationary currents of free fermions between leads of any temperature and chemical potential, to all orders in the coupling.

        J_a = int dE / (2 pi) (1, E) sum_b T_ab(E) (f_a(E) - f_b(E))

    By Gauss's rule on intervals that shrink geometrically towards each resonance and Fermi edge: to about ten digits whatever
    the widths are. Weakly coupled, this is what a Lindbladian of the leads gives. For CPUs.

    Args:
        hamiltonian: `h`, as for `transmission`.
        couplings: `G_a`, likewise, shape `(leads, dim, dim)`.
        betas: inverse temperatures, positive and finite, shape `(leads,)`.
        mus: chemical potentials, shape `(leads,)`.

    Raises:
        ValueError: if a matrix is not Hermitian or a `beta` not positive and finite (NaN under a trace), or shapes differ.

    Reference: Landauer, IBM J. Res. Dev. 1, 223 (1957); Buttiker, Phys. Rev. Lett. 57, 1761 (1986).
    """
    h, couplings = _checked(hamiltonian, couplings)
    betas, mus = (_of_leads(name, x, couplings) for name, x in (("betas", betas), ("mus", mus)))
    allowed = (betas > 0) & jnp.isfinite(betas) & jnp.isfinite(mus)
    if is_concrete(allowed) and not np.all(np.asarray(allowed)):
        raise ValueError(
            f"`betas` must be positive and finite and `mus` finite, but are {betas} and {mus}; "
            "a large `beta` stands for zero temperature."
        )
    return _currents(h, couplings, nan_unless(allowed, betas), mus)


def _checked(hamiltonian, couplings):
    h = hermitian_or_nan(checked_matrix("hamiltonian", hamiltonian))
    couplings = inexact(couplings)
    if couplings.ndim != 3 or couplings.shape[1:] != h.shape or len(couplings) == 0:
        raise ValueError(
            f"`couplings` must have shape (leads, {h.shape[0]}, {h.shape[0]}), a matrix for each lead, but have shape "
            f"{couplings.shape}."
        )
    for k, coupling in enumerate(couplings):
        checked_matrix(f"couplings[{k}]", coupling)
    dtype = jnp.result_type(h, couplings)
    couplings = jax.vmap(hermitian_or_nan)(couplings.astype(dtype))
    rates = jax.vmap(eigvalsh)(jax.lax.stop_gradient(couplings))
    positive = rates >= -_ROUNDING * jnp.finfo(dtype).eps * jnp.max(jnp.abs(rates))
    if is_concrete(positive) and not np.all(np.asarray(positive)):
        raise ValueError(
            f"`couplings` must be positive semidefinite, but have an eigenvalue {float(jnp.min(rates)):.3g}: they are rates at "
            "which particles leave into the leads."
        )
    return h.astype(dtype), nan_unless(jnp.all(positive), couplings)


def _of_leads(name: str, values, couplings):
    values = inexact(values)
    if values.shape != (len(couplings),) or jnp.iscomplexobj(values):
        raise ValueError(
            f"`{name}` must be real, one for each of the {len(couplings)} leads, but have shape {values.shape}."
        )
    return values.astype(couplings.real.dtype)


@jax.jit
def _unreached(h, couplings) -> Complex[Array, "dim dim"]:
    """The projector on the eigenstates of `h` that no lead reaches, times the size of the matrices."""
    h, total = jax.lax.stop_gradient((h, jnp.sum(couplings, axis=0)))
    levels, vectors = eigh(h)
    size = jnp.linalg.norm(total)
    rates = matmul(matmul(dagger(vectors), total), vectors) / jnp.where(size > 0, size, 1)
    apart = jnp.diff(levels) > degeneracy_tolerance(levels)
    number = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(apart, dtype=jnp.int32)])
    # level after level: each stays together, since rates have norms of at most 1
    within = jnp.where(number[:, None] == number, rates, 0) + jnp.diag(2 * number).astype(rates.dtype)
    states = matmul(vectors, eigh(within)[1])
    leaving = jnp.linalg.norm(matmul(total, states), axis=0)
    dark = jnp.where(leaving <= _ROUNDING * jnp.finfo(levels.dtype).eps * size, states, 0)
    scale = jnp.linalg.norm(h) + size
    return jnp.where(scale > 0, scale, 1) * matmul(dark, dagger(dark))


def _propagator(h, couplings, unreached, energy) -> Complex[Array, "dim dim"]:
    """`G(E)`, of the states that leads reach."""
    one = jnp.eye(h.shape[0], dtype=h.dtype)
    matrix = energy * one - h + 0.5j * (jnp.sum(couplings, axis=0) + unreached)
    factors = lu_factor(matrix)

    def column(right_hand_side):
        return jax.lax.custom_linear_solve(
            lambda x: matmul(matrix, x),
            right_hand_side,
            solve=lambda _, b: lu_solve(factors, b),
            transpose_solve=lambda _, b: lu_solve(factors, b, transposed=True),
        )

    return jax.vmap(column, 1, 1)(one.astype(matrix.dtype))


@jax.jit
def _transmission(h, couplings, unreached, energy):
    green = _propagator(h, couplings, unreached, energy)
    couplings = couplings.astype(green.dtype)
    forth = jax.vmap(lambda g: matmul(g, green))(couplings)
    back = jax.vmap(lambda g: matmul(g, jnp.conj(green.T)))(couplings)
    return jnp.einsum("aij,bji->ab", forth, back, precision="highest").real


@jax.jit
def _currents(h, couplings, betas, mus):
    nodes, weights = jax.lax.stop_gradient(_quadrature(h, couplings, betas, mus))
    unreached = _unreached(h, couplings)

    def integrand(energy):
        filled = jax.nn.sigmoid(-betas * (energy - mus))
        through = _transmission(h, couplings, unreached, energy)
        flow = jnp.sum(through * (filled[:, None] - filled), axis=1) / (2 * jnp.pi)
        return jnp.stack([flow, energy * flow])

    rows = jax.lax.map(lambda panel: jnp.einsum("q,qca->ca", panel[1], jax.vmap(integrand)(panel[0])), (nodes, weights))
    particle, energy = jnp.sum(rows, axis=0)
    return LandauerCurrents(particle, energy, energy - mus * particle)


def _quadrature(h, couplings, betas, mus):
    """Nodes and weights by intervals, between all points around Fermi edges and resonances."""
    poles = eig(h - 0.5j * jnp.sum(couplings, axis=0)).values
    edges = (
        mus[:, None] + jnp.asarray(np.concatenate([-_AROUND_MU[:0:-1], _AROUND_MU]), mus.dtype) / betas[:, None]
    ).ravel()
    low, high = jnp.min(edges), jnp.max(edges)
    widths = jnp.clip(jnp.abs(poles.imag), jnp.finfo(mus.dtype).eps * (high - low), high - low)[:, None]
    distances = widths * ((high - low) / widths) ** jnp.linspace(0, 1, _STEPS + 1, dtype=mus.dtype)
    levels = poles.real[:, None] + jnp.concatenate([-distances, distances], axis=1)
    points = jnp.sort(jnp.concatenate([edges, jnp.clip(levels.ravel(), low, high)]))
    x, w = (jnp.asarray(values, mus.dtype) for values in np.polynomial.legendre.leggauss(_POINTS))
    half, middle = jnp.diff(points) / 2, (points[1:] + points[:-1]) / 2
    return middle[:, None] + half[:, None] * x, half[:, None] * w
