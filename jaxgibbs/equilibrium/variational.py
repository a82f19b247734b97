"""Thermal Hartree-Fock and Hartree-Fock-Bogoliubov: the Gaussian state of least free energy (Peierls and Bogoliubov)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import check_finite, is_concrete, nan_unless
from jaxgibbs._solution import Solution, conclude
from jaxgibbs.linalg.implicit import implicit_root
from jaxgibbs.linalg.undefined import nan_where
from jaxgibbs.models._assembly import check_shape, real_couplings
from jaxgibbs.models.electrons import symmetric_integrals
from jaxgibbs.operators import QuadraticFermions

from .gaussian import gaussian_spectrum
from .gibbs import gibbs_state
from .methods import Exact
from .state import GibbsState, Scalar, checked_beta
from .variational_energy import correlations_of, energy_of, free_energy_of, matrices_of, operator_of, residual_of
from .variational_search import SelfConsistency, starting_fields, stationary_field


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
        return operator_of(self.mean_field)

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
    function theorem; those are NaN where a continuous symmetry is broken, and at a transition, which has none.

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
        starts = starting_fields(frozen, fields, method.starts)
    else:
        start = real_couplings(guess=guess)["guess"].astype(one.dtype)
        check_shape("guess", start, (fields, *one.shape))
        check_finite("guess", start)
        starts = jax.lax.stop_gradient(start)[None]
    root, error, result, stats = stationary_field(starts, frozen, method, escapes=2 if guess is None else 0)
    state = _describe(root, inputs, values["constant"])
    return conclude(Solution(state, error, result, stats), throw)


# -- the answer and its derivatives ----------------------------------------------------------------------------------


@jax.custom_jvp
def _minimum(vector, inputs):
    """`free_energy_of` where it is stationary in the mean field."""
    return free_energy_of(vector, inputs)


@_minimum.defjvp
def _minimum_jvp(primals, tangents):
    vector, inputs = primals
    return _minimum(vector, inputs), jax.jvp(lambda given: free_energy_of(vector, given), (inputs,), (tangents[1],))[1]


@jax.custom_jvp
def _determined(vector, inputs):
    """`vector`, with derivatives that are NaN where the equations do not determine them: where their Jacobian is singular."""
    return vector


@_determined.defjvp
def _determined_jvp(primals, tangents):
    fixed = jax.lax.stop_gradient(primals)
    inverse = jnp.linalg.inv(jax.jacfwd(residual_of)(*fixed))  # of `1 - K chi`, whose scale is 1
    regular = jnp.linalg.norm(inverse) < jnp.finfo(inverse.dtype).eps ** -0.5
    return _determined(*primals), nan_where(~regular, tangents[0])


@jax.jit
def _describe(root, inputs, constant) -> VariationalState:
    vector = _determined(implicit_root(residual_of, root, inputs), inputs)
    x = matrices_of(vector, inputs)
    densities, pairs, entropy = correlations_of(x, inputs[2])
    return VariationalState(
        beta=inputs[2],
        free_energy=_minimum(vector, inputs) + constant,
        energy=energy_of(inputs, densities, pairs) + constant,
        entropy=entropy,
        particles=jnp.sum(jnp.trace(densities, axis1=1, axis2=2)),
        densities=densities,
        pairs=pairs,
        mean_field=x,
    )
