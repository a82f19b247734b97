"""Closed-form systems: operators with `ln Z` as a formula in beta and the parameters, each derived in its docstring.

A formula is a smooth function of jax.numpy scalars, so energy, entropy, heat capacity and the gradient in every parameter
follow from it by elementary differentiation; no eigensolver is involved anywhere here.
"""

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import mpmath
import numpy as np

from jaxgibbs import models


@dataclasses.dataclass(frozen=True)
class System:
    """`build(*parameters)` is an operator whose `ln Z` at `beta` is `log_partition(beta, *parameters)`."""

    name: str
    build: Callable
    log_partition_formula: Callable
    parameters: tuple[float, ...]
    betas: tuple[float, ...] = (0.2, 1.0, 3.0)

    def __repr__(self) -> str:
        return self.name

    @property
    def operator(self):
        return self.build(*map(jnp.asarray, self.parameters))

    def log_partition(self, beta):
        return self.log_partition_formula(beta, *map(jnp.asarray, self.parameters))

    def free_energy(self, beta):
        return -self.log_partition(beta) / beta

    def thermodynamics(self, beta) -> tuple[float, float, float, float]:
        """`ln Z`, `U`, `S` and `C`."""

        @jax.jit
        def derivatives(beta):
            first = jax.grad(self.log_partition)
            return self.log_partition(beta), first(beta), jax.grad(first)(beta)

        value, first, second = map(float, derivatives(jnp.asarray(beta)))
        return value, -first, value - beta * first, beta**2 * second

    def energy(self, beta):
        return self.thermodynamics(beta)[1]

    def entropy(self, beta):
        return self.thermodynamics(beta)[2]

    def heat_capacity(self, beta):
        return self.thermodynamics(beta)[3]

    def log_partition_gradient(self, beta) -> np.ndarray:
        """Derivative of `ln Z` in every parameter."""
        positions = tuple(range(1, 1 + len(self.parameters)))
        gradient = jax.jit(jax.grad(self.log_partition_formula, positions))
        return np.array(gradient(jnp.asarray(beta), *map(jnp.asarray, self.parameters)))


def log_sum(beta, levels, degeneracies=None):
    """`ln sum g exp(-beta E)`."""
    exponents = -beta * jnp.stack([jnp.asarray(level) for level in levels])
    return jax.scipy.special.logsumexp(exponents, b=None if degeneracies is None else jnp.asarray(degeneracies))


@dataclasses.dataclass(frozen=True)
class ExactSums:
    """Sums over levels in many digits: `-beta F`, `U`, `<(E - U)^n>`, `S = -sum p ln p` and the Renyi entropies, as floats.

    The digits grow with `|beta| * width`, so that the sums of which differences are taken hold all that is left of them;
    no level is singled out, and no term is left out.
    """

    levels: tuple[float, ...]
    log_degeneracies: tuple[float, ...]
    beta: float

    def _digits(self):
        return 40 + math.ceil(abs(self.beta) * (max(self.levels) - min(self.levels)) / 2.3)

    def _evaluate(self, quantity) -> float:
        with mpmath.workdps(self._digits()):
            levels = [mpmath.mpf(e) for e in self.levels]
            degeneracies = [mpmath.exp(mpmath.mpf(g)) for g in self.log_degeneracies]
            boltzmann = [mpmath.exp(-mpmath.mpf(self.beta) * e) for e in levels]
            z = mpmath.fdot(degeneracies, boltzmann)
            states = [(g, b / z, e) for g, b, e in zip(degeneracies, boltzmann, levels, strict=True)]
            return float(quantity(z, states))

    @property
    def log_partition(self) -> float:
        return self._evaluate(lambda z, states: mpmath.log(z))

    @property
    def energy(self) -> float:
        return self._evaluate(lambda z, states: sum(g * p * e for g, p, e in states))

    @property
    def excess(self) -> float:
        """`U` above the lowest level."""
        return self._evaluate(lambda z, states: sum(g * p * (e - min(self.levels)) for g, p, e in states))

    @property
    def entropy(self) -> float:
        return self._evaluate(lambda z, states: -sum(g * p * mpmath.log(p) for g, p, _ in states))

    @property
    def heat_capacity(self) -> float:
        return self.beta**2 * self.central_moment(2)

    def central_moment(self, order: int) -> float:
        def moment(z, states):
            mean = sum(g * p * e for g, p, e in states)
            return sum(g * p * (e - mean) ** order for g, p, e in states)

        return self._evaluate(moment)

    def renyi_entropy(self, order: float) -> float:
        a = mpmath.mpf(order)
        return self._evaluate(lambda z, states: mpmath.log(sum(g * p**a for g, p, _ in states)) / (1 - a))

    @property
    def min_entropy(self) -> float:
        return self._evaluate(lambda z, states: -mpmath.log(max(p for _, p, _ in states)))


def exact_sums(levels, beta, log_degeneracies=None) -> ExactSums:
    """The sums over levels that are exact floats."""
    levels = tuple(float(e) for e in np.ravel(levels))
    logs = [0.0] * len(levels) if log_degeneracies is None else np.ravel(log_degeneracies)
    return ExactSums(levels, tuple(float(g) for g in logs), float(beta))


def two_level():
    """`H = (a sigma_z + b sigma_x) / 2` squares to `(a^2 + b^2) / 4`: levels `+- r / 2`, `Z = 2 cosh(beta r / 2)`."""
    return System(
        "two_level",
        models.two_level,
        lambda beta, a, b: jnp.logaddexp(beta * jnp.hypot(a, b) / 2, -beta * jnp.hypot(a, b) / 2),
        (1.3, 0.7),
    )


def schottky():
    """Two levels, the upper one three-fold: `Z = 1 + 3 exp(-beta gap)`."""
    return System(
        "schottky",
        lambda gap: models.level_scheme(jnp.stack([0 * gap, gap]), [1, 3]),
        lambda beta, gap: jnp.log1p(3 * jnp.exp(-beta * gap)),
        (0.8,),
    )


def paramagnet():
    """A spin 3/2 in a field along z: a geometric sum, `Z = sinh(2 x) / sinh(x / 2)`, `x = beta h` (Brillouin)."""
    return System(
        "paramagnet",
        lambda h: models.single_spin(1.5, field=h),
        lambda beta, h: jnp.log(jnp.sinh(2 * beta * h) / jnp.sinh(beta * h / 2)),
        (0.6,),
    )


def paramagnet_in_a_tilted_field():
    """A spin 1 in a field of any direction: a rotation turns it to z, so `Z = 1 + 2 cosh(beta |h|)`."""
    return System(
        "paramagnet_in_a_tilted_field",
        lambda x, y, z: models.single_spin(1, field=jnp.stack([x, y, z])),
        lambda beta, x, y, z: jnp.log(1 + 2 * jnp.cosh(beta * jnp.sqrt(x**2 + y**2 + z**2))),
        (0.3, -0.5, 0.4),
    )


def single_ion():
    """A spin 1 with `D S_z^2 + E (S_x^2 - S_y^2)`: `|+1> +- |-1>` have `D +- E`, `|0>` has 0."""
    return System(
        "single_ion",
        lambda d, e: models.single_spin(1, axial=d, rhombic=e),
        lambda beta, d, e: log_sum(beta, [0 * d, d + e, d - e]),
        (0.9, 0.35),
    )


def mixed_dimer():
    """Spins 1 and 1/2 with `J S_0 . S_1 - h S_z`: `J [S (S + 1) - 2 - 3/4] / 2 - h m` is `J/2` (S = 3/2), `-J` (1/2)."""

    def formula(beta, j, h):
        quartet = [j / 2 - h * m for m in (-1.5, -0.5, 0.5, 1.5)]
        return log_sum(beta, quartet + [-j - h * m for m in (-0.5, 0.5)])

    return System("mixed_dimer", lambda j, h: models.spin_dimer(j, spins=(1, 0.5), field=h), formula, (1.1, 0.4))


def xxz_pair():
    """Two spins 1/2: up-up and down-down at `J D / 4 -+ h`, triplet-0 and singlet at `-J D / 4 +- J / 2`."""

    def formula(beta, j, d, h):
        return log_sum(beta, [j * d / 4 - h, j * d / 4 + h, -j * d / 4 + j / 2, -j * d / 4 - j / 2])

    return System("xxz_pair", lambda j, d, h: models.xxz_chain(2, j, d, h), formula, (0.9, 1.4, 0.3))


def triangle():
    """`J sum S_i . S_j = J (S^2 - 9/4) / 2` on three spins 1/2: S = 3/2 once at `3 J / 4`, S = 1/2 twice at `-3 J / 4`."""

    def formula(beta, j, h):
        quartet = [3 * j / 4 - h * m for m in (-1.5, -0.5, 0.5, 1.5)]
        return log_sum(beta, quartet + 2 * [-3 * j / 4 - h * m for m in (-0.5, 0.5)])

    return System("triangle", lambda j, h: models.heisenberg_ring(3, j, h), formula, (1.0, 0.25))


def square():
    """Four spins 1/2 on a ring: `J (S^2 - S_A^2 - S_B^2) / 2` with the diagonals A, B of spin 0 or 1."""

    def formula(beta, j, h):
        levels = []
        for a, b, spins in ((0, 0, (0,)), (1, 0, (1,)), (0, 1, (1,)), (1, 1, (0, 1, 2))):
            for s in spins:
                energy = (s * (s + 1) - a * (a + 1) - b * (b + 1)) / 2
                levels += [j * energy - h * m for m in range(-s, s + 1)]
        return log_sum(beta, levels)

    return System("square", lambda j, h: models.heisenberg_ring(4, j, h), formula, (0.7, 0.2))


def xx_chain(sites: int = 6):
    """Free fermions (Jordan and Wigner): `ln Z = beta h N / 2 + sum_k ln(1 + exp(-beta (h + J cos(pi k / (N + 1)))))`."""

    def formula(beta, j, h):
        energies = h + j * jnp.cos(jnp.pi * jnp.arange(1, sites + 1) / (sites + 1))
        return beta * h * sites / 2 + jnp.sum(jax.nn.softplus(-beta * energies))

    return System(f"xx_chain_{sites}", lambda j, h: models.xx_chain(sites, j, h), formula, (1.2, 0.3))


def ising_ring(sites: int = 5):
    """Classical Ising ring by the transfer matrix: `Z = l_+^N + l_-^N` (Ising 1925),

    `l_+- = e^{beta J} cosh(beta h) +- sqrt(e^{2 beta J} sinh^2(beta h) + e^{-2 beta J})`.
    """

    def formula(beta, j, h):
        root = jnp.sqrt(jnp.exp(2 * beta * j) * jnp.sinh(beta * h) ** 2 + jnp.exp(-2 * beta * j))
        center = jnp.exp(beta * j) * jnp.cosh(beta * h)
        return jnp.log((center + root) ** sites + (center - root) ** sites)

    def build(j, h):
        return models.transverse_ising_chain(sites, j, 0.0, longitudinal_field=h, periodic=True)

    return System(f"ising_ring_{sites}", build, formula, (0.6, 0.25), (0.2, 1.0, 2.0))


def transverse_ising_ring(sites: int = 6):
    """Free fermions of either parity (Lieb, Schultz, Mattis 1961; Pfeuty 1970), `e_k = 2 sqrt(J^2 + g^2 - 2 J g cos k)`:

    `Z = [prod_A 2 cosh + prod_A 2 sinh + prod_P 2 cosh - prod_P 2 sinh] / 2` of `beta e_k / 2`, with `k` antiperiodic (A)
    or periodic (P) and the sign of `e_0 = 2 (g - J)`, `e_pi = 2 (g + J)` kept.
    """

    def formula(beta, j, g):
        def energies(shift):
            k = 2 * np.pi * (np.arange(sites) + shift) / sites
            root = jnp.sqrt(j**2 + g**2 - 2 * j * g * np.cos(k) + 1e-300)
            signed = jnp.where(np.isclose(k, 0), g - j, jnp.where(np.isclose(k, np.pi), g + j, root))
            return beta * signed  # beta e_k / 2

        a, p = energies(0.5), energies(0.0)
        terms = [
            jnp.prod(2 * jnp.cosh(a)),
            jnp.prod(2 * jnp.sinh(a)),
            jnp.prod(2 * jnp.cosh(p)),
            -jnp.prod(2 * jnp.sinh(p)),
        ]
        return jnp.log(sum(terms) / 2)

    def build(j, g):
        return models.transverse_ising_chain(sites, j, g, periodic=True)

    return System(f"transverse_ising_ring_{sites}", build, formula, (0.9, 0.65))


def oscillator():
    """A geometric sum: `Z = exp(-x) / (1 - exp(-2 x)) = 1 / (2 sinh x)`, `x = beta w / 2`."""
    return System(
        "oscillator", models.oscillator, lambda beta, w: -jnp.log(2 * jnp.sinh(beta * w / 2)), (0.7,), (0.1, 1.0, 8.0)
    )


def box():
    """`Z = sum_{k >= 1} exp(-beta c k^2) = (theta_3 - 1) / 2`, `c = pi^2 / (2 m L^2)`, by Jacobi's identity.

    `theta_3 = sum_k exp(-t k^2) = sqrt(pi / t) sum_k exp(-pi^2 k^2 / t)`: the sum over images converges where the sum over
    levels does not, and the other way round.
    """

    def formula(beta, length, mass):
        t = beta * jnp.pi**2 / (2 * mass * length**2)
        images = 1 + 2 * sum(jnp.exp(-(jnp.pi**2) * k**2 / t) for k in range(1, 12))
        return jnp.log((jnp.sqrt(jnp.pi / t) * images - 1) / 2)

    return System("box", models.particle_in_box, formula, (1.7, 0.8), (0.02, 0.3, 1.0))


def rotor():
    """Ortho- and para-hydrogen in equilibrium: the sum itself, of 80 terms of which the last is below 1e-300."""

    def formula(beta, b):
        j = np.arange(80)
        return jax.scipy.special.logsumexp(-beta * b * j * (j + 1.0), b=(2.0 * j + 1) * np.where(j % 2, 3.0, 1.0))

    return System("rotor", lambda b: models.rotor(b, even_weight=1, odd_weight=3), formula, (1.1,), (0.1, 0.5, 2.0))


def two_oscillators():
    """Independent parts: `ln Z` adds."""
    from jaxgibbs.operators import KroneckerSum

    return System(
        "two_oscillators",
        lambda a, b: KroneckerSum((models.oscillator(a), models.oscillator(b))),
        lambda beta, a, b: -jnp.log(2 * jnp.sinh(beta * a / 2)) - jnp.log(2 * jnp.sinh(beta * b / 2)),
        (0.7, 1.9),
    )


FINITE = (
    two_level(),
    schottky(),
    paramagnet(),
    paramagnet_in_a_tilted_field(),
    single_ion(),
    mixed_dimer(),
    xxz_pair(),
    triangle(),
    square(),
    xx_chain(),
    ising_ring(),
    transverse_ising_ring(),
)
INFINITE = (oscillator(), box(), rotor(), two_oscillators())
SYSTEMS = FINITE + INFINITE
