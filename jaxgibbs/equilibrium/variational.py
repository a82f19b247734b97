"""Thermal Hartree-Fock and Hartree-Fock-Bogoliubov: the Gaussian state of least free energy (Peierls and Bogoliubov)."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import check_finite, is_concrete, nan_unless
from jaxgibbs._solution import RESULTS, Solution, conclude
from jaxgibbs.linalg import eigvalsh
from jaxgibbs.linalg.implicit import implicit_root
from jaxgibbs.models._assembly import check_shape, real_couplings
from jaxgibbs.models.electrons import symmetric_integrals
from jaxgibbs.operators import QuadraticFermions
from jaxgibbs.operators.local import whole_number

from .gaussian import gaussian_spectrum
from .gibbs import gibbs_state
from .methods import Exact
from .state import GibbsState, Scalar, checked_beta

_CLOSE = 1e-3  # residual, in units of the largest integral, from which Newton's method takes over
_NEWTON_STEPS = 40


class SelfConsistency(eqx.Module):
    """Descent of the free energy along `F - M`, from a mean field `M` to the one its state makes, and Newton's steps at its end.

    `F - M` is always a direction of descent, so that halved steps cannot fail where plain iteration oscillates.

    Args:
        max_steps: largest number of steps of descent from each start.
        residual_tolerance: largest `|F - M|`, in units of the largest integral; by default 1000 eps.
        starts: number of mean fields to start from: the one of the bare electrons, and random ones about it, in which spins
            and pairs are not symmetric. The lowest free energy wins.

    Raises:
        ValueError: if a number is not whole and positive, or the tolerance negative.
    """

    max_steps: int = eqx.field(static=True, default=1000)
    residual_tolerance: float | None = eqx.field(static=True, default=None)
    starts: int = eqx.field(static=True, default=4)

    def __check_init__(self):
        whole_number("max_steps", self.max_steps)
        whole_number("starts", self.starts)
        if self.residual_tolerance is not None and not self.residual_tolerance >= 0:
            raise ValueError(f"`residual_tolerance` must not be negative, but is {self.residual_tolerance}.")


class VariationalState(eqx.Module):
    """The Gaussian state that `hartree_fock` finds.

    Attributes:
        beta: inverse temperature.
        free_energy: `<H> - S / beta`, with `-mu N` in `H`: never below `-ln Z / beta`.
        energy: `<H>`.
        entropy: in nats.
        particles: `<N>`.
        densities: `<a_ps^+ a_qs>` of the spins up and down, shape `(2, orbitals, orbitals)`.
        pairs: `<a_p,up a_q,down>`, shape `(orbitals, orbitals)`; 0 without pairing.
        mean_field: `M`: the one-body matrices of both spins and, with pairing, `D` of `sum D_pq a_p,up^+ a_q,down^+ + h.c.`;
            shape `(2 or 3, orbitals, orbitals)`. A `guess` for another call.
    """

    beta: Scalar
    free_energy: Scalar
    energy: Scalar
    entropy: Scalar
    particles: Scalar
    densities: Float[Array, "2 orbitals orbitals"]
    pairs: Float[Array, "orbitals orbitals"]
    mean_field: Float[Array, "fields orbitals orbitals"]

    @property
    def operator(self) -> QuadraticFermions:
        """The mean-field Hamiltonian; spins up are the first sites."""
        return _operator(self.mean_field)

    @property
    def state(self) -> GibbsState:
        """The Gibbs state of `operator`, which answers for all other observables."""
        return gibbs_state(self.operator, self.beta)

    @property
    def mode_energies(self) -> Float[Array, " modes"]:
        """Orbital energies less `mu`, or with pairing those of the quasi-particles; ascending."""
        return gaussian_spectrum(self.operator, Exact()).mode_energies()


def hartree_fock(
    one_electron: Float[ArrayLike, "orbitals orbitals"],
    two_electron: Float[ArrayLike, "orbitals orbitals orbitals orbitals"],
    beta: ArrayLike,
    constant: ArrayLike = 0.0,
    chemical_potential: ArrayLike = 0.0,
    *,
    pairing: bool = False,
    guess: ArrayLike | None = None,
    method: SelfConsistency | None = None,
    throw: bool = True,
) -> Solution:
    """The Gaussian state `rho` of least `<H> - S / beta` for the Hamiltonian of `models.molecule`, at fixed `mu`.

        <H> - S / beta = min_rho >= -ln Z / beta,    rho ~ exp(-beta M),    M = d<H>_rho / d rho

    By Peierls and Bogoliubov it is a bound from above. Spins are collinear and orbitals real, each spin with orbitals of its
    own. The free energy has first derivatives by its minimum property, and all else, and all higher orders, by the implicit
    function theorem; those are undefined where a continuous symmetry is broken, or at the transition.

    Args:
        one_electron: `h_pq` of real orthonormal orbitals, symmetric.
        two_electron: `(pq|rs)` in chemists' order, with its eight symmetries; of any sign.
        beta: inverse temperature, positive and finite.
        constant: energy of the vacuum.
        chemical_potential: `mu`.
        pairing: whether the number of electrons may be broken, as in superconductors (Hartree-Fock-Bogoliubov).
        guess: `mean_field` to start from instead of several; a broken symmetry stays broken, and an exact one exact.
        method: tolerances and starts.
        throw: whether a numerical failure raises.

    Returns:
        `Solution` with a `VariationalState` and the largest `|F - M|`, an energy, as `error`. `stats` has the `steps`, and
        as `unstable` the number of directions in which the state is no minimum, as happens where a `guess` is too symmetric.

    Raises:
        ValueError: if a shape does not fit, integrals lack their symmetries, or `beta` is not positive and finite.
        RuntimeError: on a numerical failure.

    Reference: Mermin, Ann. Phys. 21, 99 (1963); Blaizot & Ripka (1986), Quantum Theory of Finite Systems, chapter 7.
    """
    method = SelfConsistency() if method is None else method
    values = real_couplings(
        one_electron=one_electron, two_electron=two_electron, constant=constant, chemical_potential=chemical_potential
    )
    for name, value in values.items():
        check_finite(name, value)
    if values["one_electron"].ndim != 2 or values["one_electron"].size == 0:
        raise ValueError(
            f"`one_electron` must be a matrix of at least one orbital, but has shape {values['one_electron'].shape}."
        )
    one, two = symmetric_integrals(values["one_electron"], values["two_electron"])
    for name in ("constant", "chemical_potential"):
        check_shape(name, values[name], ())
    beta = checked_beta(beta).astype(one.dtype)
    if is_concrete(beta) and not 0 < float(beta) < np.inf:
        raise ValueError(
            f"`beta` must be positive and finite, but is {float(beta):g}; for the ground state pass one far above the "
            "inverse of all gaps."
        )
    beta = nan_unless((beta > 0) & jnp.isfinite(beta), beta)
    bare = one - values["chemical_potential"] * jnp.eye(one.shape[0], dtype=one.dtype)
    inputs = (bare, two, beta)
    frozen = jax.lax.stop_gradient(inputs)
    fields = 3 if pairing else 2
    if guess is None:
        starts = _starts(frozen, fields, method.starts)
    else:
        start = real_couplings(guess=guess)["guess"].astype(one.dtype)
        check_shape("guess", start, (fields, *one.shape))
        check_finite("guess", start)
        starts = jax.lax.stop_gradient(start)[None]
    root, error, result, stats = _solve(starts, frozen, method)
    state = _describe(root, inputs, values["constant"])
    return conclude(Solution(state, error, result, stats), throw)


# -- the functional of the mean field, a vector of its matrices ------------------------------------------------------


def _matrices(vector, inputs):
    """The matrices of a vector, symmetric but for that of the pairs."""
    x = vector.reshape(-1, *inputs[0].shape)
    normal = x[:2]
    return jnp.concatenate([(normal + normal.transpose(0, 2, 1)) / 2, x[2:]])


def _operator(x):
    zero = jnp.zeros_like(x[0])
    one_body = jnp.block([[x[0], zero], [zero, x[1]]])
    return QuadraticFermions(one_body, jnp.block([[zero, x[2]], [-x[2].T, zero]]) if len(x) == 3 else None)


def _correlations(x, beta):
    """`<a_ps^+ a_qs>`, `<a_p,up a_q,down>` and the entropy."""
    spectrum, n = gaussian_spectrum(_operator(x), Exact()), x.shape[-1]
    all_densities = spectrum.correlation_matrix(beta)
    densities = jnp.stack([all_densities[:n, :n], all_densities[n:, n:]])
    return densities, spectrum.pairing_matrix(beta)[:n, n:], spectrum.entropy(beta)


_contract = functools.partial(jnp.einsum, precision="highest")


def _fields(inputs, densities, pairs):
    """`d<H>/d<a^+ a>`: bare, Coulomb and exchange; and what creates pairs."""
    bare, two, _ = inputs
    coulomb = _contract("pqrs,trs->pq", two, densities)
    exchange = _contract("pqrs,trq->tps", two, densities)
    return bare + coulomb - exchange, -_contract("pqrs,qs->pr", two, pairs)


def _energy(inputs, densities, pairs):
    """`<H>` by Wick's theorem."""
    normal, anomalous = _fields(inputs, densities, pairs)
    return jnp.sum((inputs[0] + normal) * densities) / 2 - jnp.sum(anomalous * pairs)


def _residual(vector, inputs):
    """The mean field less the one that its state makes."""
    x = _matrices(vector, inputs)
    densities, pairs, _ = _correlations(x, inputs[2])
    normal, anomalous = _fields(inputs, densities, pairs)
    made = jnp.concatenate([normal, anomalous[None]])[: len(x)]
    return vector - jnp.ravel(made)


def _value(vector, inputs):
    densities, pairs, entropy = _correlations(_matrices(vector, inputs), inputs[2])
    return _energy(inputs, densities, pairs) - entropy / inputs[2]


@jax.custom_jvp
def _minimum(vector, inputs):
    """`_value` where it is stationary in the mean field."""
    return _value(vector, inputs)


@_minimum.defjvp
def _minimum_jvp(primals, tangents):
    vector, inputs = primals
    return _minimum(vector, inputs), jax.jvp(lambda given: _value(vector, given), (inputs,), (tangents[1],))[1]


@jax.jit
def _describe(root, inputs, constant) -> VariationalState:
    vector = implicit_root(_residual, root, inputs)
    x = _matrices(vector, inputs)
    densities, pairs, entropy = _correlations(x, inputs[2])
    return VariationalState(
        beta=inputs[2],
        free_energy=_minimum(vector, inputs) + constant,
        energy=_energy(inputs, densities, pairs) + constant,
        entropy=entropy,
        particles=jnp.sum(jnp.trace(densities, axis1=1, axis2=2)),
        densities=densities,
        pairs=pairs,
        mean_field=x,
    )


# -- the search ------------------------------------------------------------------------------------------------------


@functools.partial(jax.jit, static_argnums=(1, 2))
def _starts(inputs, fields: int, count: int):
    """The field of the bare electrons, and random ones about it."""
    bare, two, beta = inputs
    zero = jnp.zeros_like(bare)
    densities, _, _ = _correlations(jnp.stack([bare, bare]), beta)
    normal, _ = _fields(inputs, densities, zero)
    first = jnp.concatenate([normal, zero[None]])[:fields]
    kicks = np.random.default_rng(0).normal(size=(count, fields, *bare.shape))
    kicks[0] = 0
    return first + jnp.max(jnp.abs(two)) * jnp.asarray(kicks, bare.dtype)


@eqx.filter_jit
def _solve(starts, inputs, method: SelfConsistency):
    bare, two, _ = inputs
    eps = jnp.finfo(bare.dtype).eps
    scale = jnp.maximum(jnp.maximum(jnp.max(jnp.abs(bare)), jnp.max(jnp.abs(two))), jnp.finfo(bare.dtype).tiny)
    tolerance = (1000 * eps if method.residual_tolerance is None else method.residual_tolerance) * scale

    def judged(vector):
        return _value(vector, inputs), _residual(vector, inputs)

    def descend(start):
        vector = jnp.ravel(start)
        value, residual = judged(vector)

        def body(at):
            vector, value, residual, length, steps = at
            trial = vector - length * residual
            new_value, new_residual = judged(trial)
            noise = 16 * eps * (scale + jnp.abs(value))
            # cold states do not change with the size of their field: equal values alone would let a step go to and fro
            nearer = jnp.linalg.norm(new_residual) < (1 - length / 8) * jnp.linalg.norm(residual)
            accept = (new_value < value - noise) | ((new_value <= value + noise) & nearer)
            pick = functools.partial(jnp.where, accept)
            length = jnp.where(accept, jnp.minimum(1.0, 2 * length), length / 2)
            return pick(trial, vector), pick(new_value, value), pick(new_residual, residual), length, steps + 1

        def going(at):
            return (jnp.max(jnp.abs(at[2])) > jnp.maximum(_CLOSE * scale, tolerance)) & (at[4] < method.max_steps)

        start = (vector, value, residual, jnp.ones_like(value), jnp.zeros((), jnp.int32))
        vector, value, _, _, steps = jax.lax.while_loop(going, body, start)
        return vector, value, steps

    vectors, values, steps = jax.lax.map(descend, starts)
    best = jnp.argmin(jnp.where(jnp.isnan(values), jnp.inf, values))
    vector, error, newton = _newton(vectors[best], inputs, tolerance)
    result = RESULTS.where(error <= tolerance, RESULTS.optimal, RESULTS.stagnated)
    spent = (steps[best] >= method.max_steps) | (newton >= _NEWTON_STEPS)
    result = RESULTS.where((error > tolerance) & spent, RESULTS.max_steps_reached, result)
    result = RESULTS.where(jnp.isfinite(error), result, RESULTS.nonfinite)
    return vector, error, result, {"steps": steps[best] + newton, "unstable": _unstable(vector, inputs)}


def _unstable(vector, inputs):
    """The number of directions of the mean field along which the free energy has a maximum.

    With `g` the correlations, their weights `w` in `<M>`, and `M - F` the residual, `d<H> - dS / beta = -dg w (M - F)`.
    """
    fields = vector.size // inputs[0].size
    weights = jnp.asarray([1.0, 1.0, -2.0][:fields], vector.dtype)[:, None, None]

    def correlations(vector):
        densities, pairs, _ = _correlations(_matrices(vector, inputs), inputs[2])
        return jnp.concatenate([densities, pairs[None]])[:fields]

    def made(change):  # linear, without the bare electrons
        pairs = change[2] if fields == 3 else jnp.zeros_like(change[0])
        normal, anomalous = _fields((jnp.zeros_like(inputs[0]), *inputs[1:]), change[:2], pairs)
        return jnp.concatenate([normal, anomalous[None]])[:fields]

    slopes = jnp.moveaxis(jax.jacfwd(correlations)(vector), -1, 0)
    moved = jnp.eye(vector.size, dtype=vector.dtype) - jax.vmap(made)(slopes).reshape(vector.size, -1)
    hessian = -_contract("ai,bi->ab", (weights * slopes).reshape(vector.size, -1), moved)
    curvatures = eigvalsh((hessian + hessian.T) / 2)
    # those of the entropy set the scale: a cold state may have no other
    size = jnp.maximum(jnp.max(jnp.abs(curvatures)), jnp.max(jnp.abs(slopes)))
    noise = jnp.finfo(vector.dtype).eps ** 0.5 * size
    return jnp.sum(curvatures < -noise)


def _newton(vector, inputs, tolerance):
    """Steps of Newton, of least norm where a symmetry leaves a direction open, halved until the residual falls."""

    def step_of(vector, residual):
        jacobian = jax.jacfwd(_residual)(vector, inputs)
        return jnp.linalg.lstsq(jacobian, residual, rcond=float(jnp.finfo(vector.dtype).eps) ** 0.5)[0]

    def body(at):
        vector, residual, _, steps = at
        step = step_of(vector, residual)
        lengths = jnp.asarray(0.5 ** np.arange(5), vector.dtype)
        trials = vector - lengths[:, None] * step
        residuals = jax.lax.map(lambda trial: _residual(trial, inputs), trials)
        sizes = jnp.linalg.norm(residuals, axis=1)
        better = sizes < (1 - lengths / 4) * jnp.linalg.norm(residual)
        first = jnp.argmax(better)
        moved = better[first]
        return (
            jnp.where(moved, trials[first], vector),
            jnp.where(moved, residuals[first], residual),
            moved,
            steps + 1,
        )

    def going(at):
        return (jnp.max(jnp.abs(at[1])) > tolerance) & at[2] & (at[3] < _NEWTON_STEPS)

    start = (vector, _residual(vector, inputs), jnp.asarray(True), jnp.zeros((), jnp.int32))
    vector, residual, _, steps = jax.lax.while_loop(going, body, start)
    return vector, jnp.max(jnp.abs(residual)), steps
